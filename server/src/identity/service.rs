//! The handler of `IdentityService`.

use std::sync::Arc;

use eservices::identity::v1::{WhoAmIRequest, WhoAmIResponse, identity_service_server::IdentityService};
use tonic::{Request, Response, Status};

use super::wire;
use crate::platform::{Platform, identity::Caller};

/// Answers who the caller is.
pub struct Service(pub Arc<Platform>);

#[tonic::async_trait]
impl IdentityService for Service {
    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(wire::who_am_i(&caller, &self.0)))
    }
}
