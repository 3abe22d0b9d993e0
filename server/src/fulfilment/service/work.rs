//! The handlers of `WorkService`: parse, check the role, run, answer.
//!
//! Which of the two roles a piece of work needs is decided by [`require`], and nowhere else.

use std::sync::Arc;

use eservices::fulfilment::v1::{self as pb, work_service_server::WorkService};
use tonic::{Request, Response, Status};

use super::{
    leases::{self, Extend, LeaseWork, Release},
    reports::{AddBoxes, CommentOrder, ReportWork},
};
use crate::{
    fulfilment::wire::work as wire,
    orders::{
        order_number,
        rules::work::Capability,
        store::{self, WorkFilter},
    },
    platform::{
        Platform,
        error::{Error, Reason, Violations},
        form,
        identity::Caller,
        page,
        unit_of_work::{self, execute},
    },
};

/// Answers for the workers of the field and of logistics.
pub struct Service(pub Arc<Platform>);

/// The role that a piece of work needs follows from its kind.
pub(super) fn require(caller: &Caller, capability: Capability) -> Result<(), Error> {
    let role = capability.role();
    if caller.holds(role) {
        return Ok(());
    }
    Err(Error::new(Reason::RoleMissing, format!("the role {role} is missing")).with("role", role))
}

#[tonic::async_trait]
impl WorkService for Service {
    async fn lease_work(
        &self,
        request: Request<pb::LeaseWorkRequest>,
    ) -> Result<Response<pb::LeaseWorkResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let wanted = wire::wanted(&request, &mut violations);
        let (request_id, wanted) = violations.finish(request_id.zip(wanted))?;
        require(&sender.caller, wanted.capability)?;
        let caller = sender.caller.clone();
        let command = LeaseWork {
            party_id: caller.party_id().to_owned(),
            wanted,
            seconds: self.0.config.fulfilment.lease_seconds,
        };
        let origin = sender.origin("/eservices.fulfilment.v1.WorkService/LeaseWork", request_id);
        let mut leased = execute(&self.0, origin, command).await?;
        leases::detail(&self.0, &caller, &mut leased.items).await?;
        Ok(Response::new(leased))
    }

    async fn extend_lease(
        &self,
        request: Request<pb::ExtendLeaseRequest>,
    ) -> Result<Response<pb::ExtendLeaseResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let leases = wire::leases(&request.leases, &mut violations);
        let request_id = violations.finish(request_id)?;
        let seconds = self.0.config.fulfilment.lease_seconds;
        let command = Extend { caller: sender.caller.clone(), leases, seconds };
        let caller = sender.caller.clone();
        let origin = sender.origin("/eservices.fulfilment.v1.WorkService/ExtendLease", request_id);
        let mut extended = execute(&self.0, origin, command).await?;
        leases::detail(&self.0, &caller, &mut extended.items).await?;
        Ok(Response::new(extended))
    }

    async fn release_lease(
        &self,
        request: Request<pb::ReleaseLeaseRequest>,
    ) -> Result<Response<pb::ReleaseLeaseResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let leases = wire::leases(&request.leases, &mut violations);
        let request_id = violations.finish(request_id)?;
        let command = Release { caller: sender.caller.clone(), leases };
        let origin = sender.origin("/eservices.fulfilment.v1.WorkService/ReleaseLease", request_id);
        Ok(Response::new(execute(&self.0, origin, command).await?))
    }

    async fn report_work(
        &self,
        request: Request<pb::ReportWorkRequest>,
    ) -> Result<Response<pb::ReportWorkResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let lease = wire::one_lease("", &request.work_id, request.fencing_token, &mut violations);
        let said = wire::milestone(request.report, &request.comment, &mut violations);
        let (request_id, lease, (milestone, comment)) =
            violations.finish(request_id.zip(lease).zip(said).map(|((a, b), c)| (a, b, c)))?;
        let platform = Arc::clone(&self.0);
        let command = ReportWork { platform, caller: sender.caller.clone(), lease, milestone, comment };
        let origin = sender.origin("/eservices.fulfilment.v1.WorkService/ReportWork", request_id);
        Ok(Response::new(execute(&self.0, origin, command).await?))
    }

    async fn list_work(
        &self,
        request: Request<pb::ListWorkRequest>,
    ) -> Result<Response<pb::ListWorkResponse>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let mut violations = Violations::default();
        let capability = wire::any_capability(request.capability, &mut violations);
        let states = wire::states(&request.states, &mut violations);
        let number = request.order_number.clone();
        if !number.is_empty() && order_number(&number, &mut Violations::default()).is_none() {
            violations.push("order_number", "expected CMD and 12 digits, for instance CMD000482910057");
        }
        let limit = page::size(request.page_size, &mut violations);
        let kind = capability.map_or("", Capability::as_str);
        let scope = ["work", caller.party_id(), kind, &states, &number];
        let cursor = page::cursor(&self.0.tokens, &scope, &request.page_token, &mut violations);
        violations.check()?;
        if let Some(capability) = capability {
            require(&caller, capability)?;
        }
        let open = Capability::ALL.iter().filter(|c| capability.is_none_or(|wanted| wanted == **c));
        let open: Vec<_> = open.filter(|c| caller.holds(c.role())).map(|c| c.as_str()).collect();
        let after = cursor.as_deref().and_then(|c| c.split_once(' '));
        let after = after.and_then(|(at, id)| Some((at.parse().ok()?, id.to_owned())));
        let filter = WorkFilter {
            capabilities: format!(",{},", open.join(",")),
            states: states.clone(),
            number: number.clone(),
            after: after.unwrap_or((i64::MIN, String::new())),
        };
        Ok(Response::new(page_of(&self.0, &scope, &filter, limit).await?))
    }

    async fn comment_order(
        &self,
        request: Request<pb::CommentOrderRequest>,
    ) -> Result<Response<pb::CommentOrderResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let number = order_number(&request.number, &mut violations);
        let comment = wire::comment(&request.comment, &mut violations);
        let (request_id, number, comment) =
            violations.finish(request_id.zip(number).zip(comment).map(|((a, b), c)| (a, b, c)))?;
        let party_id = sender.caller.party_id().to_owned();
        let command = CommentOrder { platform: Arc::clone(&self.0), party_id, number, comment };
        let origin = sender.origin("/eservices.fulfilment.v1.WorkService/CommentOrder", request_id);
        Ok(Response::new(execute(&self.0, origin, command).await?))
    }

    async fn add_boxes(
        &self,
        request: Request<pb::AddBoxesRequest>,
    ) -> Result<Response<pb::AddBoxesResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let serials = wire::serials(&request.serials, &mut violations);
        let request_id = violations.finish(request_id)?;
        let command = AddBoxes { party_id: sender.caller.party_id().to_owned(), serials };
        let origin = sender.origin("/eservices.fulfilment.v1.WorkService/AddBoxes", request_id);
        Ok(Response::new(execute(&self.0, origin, command).await?))
    }
}

async fn page_of(
    platform: &Platform,
    scope: &[&str],
    filter: &WorkFilter,
    limit: i64,
) -> Result<pb::ListWorkResponse, Error> {
    let mut reader = platform.db.read().await?;
    let mut rows = store::list_work(&mut reader.conn(), filter, limit + 1).await?;
    let more = i64::try_from(rows.len()).is_ok_and(|n| n > limit);
    rows.truncate(usize::try_from(limit).unwrap_or(0));
    let next_page_token = match rows.last() {
        Some(last) if more => {
            platform.tokens.sign(scope, &format!("{} {}", last.available_from, last.work_id))
        }
        _ => String::new(),
    };
    Ok(pb::ListWorkResponse { items: rows.into_iter().map(wire::item).collect(), next_page_token })
}
