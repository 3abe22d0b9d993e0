//! The handlers of `ReferenceService`: parse, and hand over.
//!
//! What takes long runs in a task of its own, so that a caller whose deadline came first finds the answer when it asks again.

mod imports;
mod inbox;
mod read;
mod releases;
mod run;

use std::sync::Arc;

use eservices::reference::v1::{self as pb, reference_service_server::ReferenceService};
use tonic::{Request, Response, Status};
use tracing::Instrument as _;

pub use self::run::sweep;
use super::wire;
use crate::platform::{
    Platform,
    error::{Error, Violations},
    form,
    identity::Caller,
    network::imports::{ImportRow, RUNNING},
    quota::Permit,
    unit_of_work,
};

/// Answers for those who keep the reference data.
pub struct Service(pub Arc<Platform>);

/// Runs work that goes on when its caller goes away; the server waits for it when it stops.
async fn tracked<T: Send + 'static>(
    platform: &Platform,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<Response<T>, Status> {
    let work = platform.tasks.spawn(work.instrument(tracing::Span::current()));
    Ok(Response::new(work.await.map_err(Error::internal)??))
}

#[tonic::async_trait]
impl ReferenceService for Service {
    async fn list_inbox_files(
        &self,
        request: Request<pb::ListInboxFilesRequest>,
    ) -> Result<Response<pb::ListInboxFilesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(read::inbox_files(&self.0, &caller, request.get_ref()).await?))
    }

    async fn start_import(
        &self,
        request: Request<pb::StartImportRequest>,
    ) -> Result<Response<pb::StartImportResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        wire::files(&request.files, &mut violations);
        if request.dry_run && request.serve_when_done {
            violations.push("serve_when_done", "expected false with dry_run: no release is kept");
        }
        let request_id = violations.finish(request_id)?;
        let row = ImportRow {
            import_id: self.0.ids.call().to_string(),
            party_id: sender.caller.party_id().to_owned(),
            state: RUNNING.to_owned(),
            files: request.files.join("\n"),
            serve: request.serve_when_done.into(),
            dry_run: request.dry_run.into(),
            node: self.0.node.clone(),
            ..ImportRow::default()
        };
        let method = "/eservices.reference.v1.ReferenceService/StartImport";
        let origin = sender.origin(method, request_id);
        tracked(&self.0, imports::start(Arc::clone(&self.0), origin, row)).await
    }

    async fn get_import(
        &self,
        request: Request<pb::GetImportRequest>,
    ) -> Result<Response<pb::GetImportResponse>, Status> {
        Ok(Response::new(read::import(&self.0, &request.get_ref().import_id).await?))
    }

    async fn list_imports(
        &self,
        request: Request<pb::ListImportsRequest>,
    ) -> Result<Response<pb::ListImportsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(read::imports(&self.0, &caller, request.get_ref()).await?))
    }

    async fn cancel_import(
        &self,
        request: Request<pb::CancelImportRequest>,
    ) -> Result<Response<pb::CancelImportResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let import_id = wire::import_id(&request.import_id, &mut violations);
        let (request_id, import_id) = violations.finish(request_id.zip(import_id))?;
        let method = "/eservices.reference.v1.ReferenceService/CancelImport";
        let cancel = imports::Cancel { party_id: sender.caller.party_id().to_owned(), import_id };
        let origin = sender.origin(method, request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, cancel).await?))
    }

    async fn list_import_problems(
        &self,
        request: Request<pb::ListImportProblemsRequest>,
    ) -> Result<Response<pb::ListImportProblemsResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(read::problems(&self.0, &caller, request.get_ref()).await?))
    }

    async fn list_releases(
        &self,
        request: Request<pb::ListReleasesRequest>,
    ) -> Result<Response<pb::ListReleasesResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(read::releases(&self.0, &caller, request.get_ref()).await?))
    }

    async fn get_release(
        &self,
        request: Request<pb::GetReleaseRequest>,
    ) -> Result<Response<pb::GetReleaseResponse>, Status> {
        Ok(Response::new(read::release(&self.0, &request.get_ref().release).await?))
    }

    async fn compare_releases(
        &self,
        request: Request<pb::CompareReleasesRequest>,
    ) -> Result<Response<pb::CompareReleasesResponse>, Status> {
        // Its leave to have a call under way goes with the work, so that a reset does not free it early.
        let permit = request.extensions().get::<Permit>().cloned();
        let request = request.into_inner();
        let mut violations = Violations::default();
        let from = wire::release("from_release", &request.from_release, &mut violations);
        let to = wire::release("to_release", &request.to_release, &mut violations);
        violations.check()?;
        let compared = releases::compare(Arc::clone(&self.0), from, to);
        tracked(&self.0, async move {
            let _permit = permit;
            compared.await
        })
        .await
    }

    async fn serve_release(
        &self,
        request: Request<pb::ServeReleaseRequest>,
    ) -> Result<Response<pb::ServeReleaseResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let release = wire::release("release", &request.release, &mut violations);
        let request_id = violations.finish(request_id)?;
        let method = "/eservices.reference.v1.ReferenceService/ServeRelease";
        let party_id = sender.caller.party_id().to_owned();
        let origin = sender.origin(method, request_id);
        tracked(&self.0, releases::serve(Arc::clone(&self.0), origin, party_id, release)).await
    }

    async fn roll_back_release(
        &self,
        request: Request<pb::RollBackReleaseRequest>,
    ) -> Result<Response<pb::RollBackReleaseResponse>, Status> {
        let (sender, request_id, _) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let request_id = violations.finish(request_id)?;
        let method = "/eservices.reference.v1.ReferenceService/RollBackRelease";
        let party_id = sender.caller.party_id().to_owned();
        let origin = sender.origin(method, request_id);
        tracked(&self.0, releases::roll_back(Arc::clone(&self.0), origin, party_id)).await
    }

    async fn remove_release(
        &self,
        request: Request<pb::RemoveReleaseRequest>,
    ) -> Result<Response<pb::RemoveReleaseResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let release = wire::release("release", &request.release, &mut violations);
        let request_id = violations.finish(request_id)?;
        let method = "/eservices.reference.v1.ReferenceService/RemoveRelease";
        let party_id = sender.caller.party_id().to_owned();
        let origin = sender.origin(method, request_id);
        tracked(&self.0, releases::remove(Arc::clone(&self.0), origin, party_id, release)).await
    }
}
