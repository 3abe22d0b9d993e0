//! The handler of `EligibilityService`.

use std::sync::Arc;

use eservices::eligibility::v1::{
    CheckEligibilityRequest, CheckEligibilityResponse, eligibility_service_server::EligibilityService,
};
use tonic::{Request, Response, Status};

use super::{rules, wire};
use crate::platform::{Platform, clock::paris_day};

/// Answers about places and offers.
pub struct Service(pub Arc<Platform>);

#[tonic::async_trait]
impl EligibilityService for Service {
    async fn check_eligibility(
        &self,
        request: Request<CheckEligibilityRequest>,
    ) -> Result<Response<CheckEligibilityResponse>, Status> {
        let reference = &*self.0.reference;
        let question = wire::question(request.get_ref(), reference, paris_day(self.0.clock.business()))?;
        let place = wire::place(&question.key, reference)?;
        let answers: Vec<_> =
            question.offers.iter().map(|offer| rules::explain(offer, &place, question.day)).collect();
        Ok(Response::new(wire::answer(&place, &answers, question.day, reference)))
    }
}
