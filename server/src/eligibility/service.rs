//! The handler of `EligibilityService`.

use std::sync::Arc;

use eservices::eligibility::v1::{
    CheckEligibilityRequest, CheckEligibilityResponse, eligibility_service_server::EligibilityService,
};
use tonic::{Request, Response, Status};

use super::{rules, wire};
use crate::{
    addresses::rules::find::find,
    platform::{Platform, clock::paris_day},
};

/// Answers about places and offers.
pub struct Service(pub Arc<Platform>);

#[tonic::async_trait]
impl EligibilityService for Service {
    async fn check_eligibility(
        &self,
        request: Request<CheckEligibilityRequest>,
    ) -> Result<Response<CheckEligibilityResponse>, Status> {
        let network = self.0.network.load();
        let today = paris_day(self.0.clock.business());
        let question = wire::question(request.get_ref(), &network.reference, today)?;
        let found = find(&question.key, &network)?;
        let Some(place) = wire::place(&found, &network) else {
            return Ok(Response::new(wire::unsure(&found, &question, &network)));
        };
        let answers: Vec<_> =
            question.offers.iter().map(|offer| rules::explain(offer, &place, question.day)).collect();
        let days = self.0.config.eligibility.qualification_days;
        let qualification = wire::qualification(&place, &question, &network, today, days);
        let reference = qualification.sign(&self.0.tokens);
        Ok(Response::new(wire::answer(&place, &answers, &qualification, reference, found.by)))
    }
}
