//! The demo's import by call: the files of its folder again, followed to the end.

use std::time::{Duration, Instant};

use eservices::reference::v1::{
    GetImportRequest, Import, ImportState, ListInboxFilesRequest, StartImportRequest,
};
use eservices_client::{Client, new_request_id};

use super::{
    journey::{Outcome, WORKFORCE},
    show::Show,
};

/// Lists the inbox, imports what is in it, and follows the import.
pub async fn reference(workforce: &Client, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let listed = workforce.reference().list_inbox_files(ListInboxFilesRequest::default()).await?.into_inner();
    let lines: Vec<_> = listed.files.iter().map(|f| format!("{}: {} bytes", f.name, f.size_bytes)).collect();
    show.answered("ReferenceService/ListInboxFiles", WORKFORCE, started.elapsed(), &lines);

    let started = Instant::now();
    let request = StartImportRequest {
        request_id: new_request_id(),
        files: listed.files.into_iter().map(|file| file.name).collect(),
        serve_when_done: true,
        dry_run: false,
    };
    let run = workforce.reference().start_import(request).await?.into_inner().run.unwrap_or_default();
    let lines = [format!("import {}: {:?}", run.import_id, run.state())];
    show.answered("ReferenceService/StartImport", WORKFORCE, started.elapsed(), &lines);

    let (started, run) = (Instant::now(), followed(workforce, &run.import_id).await?);
    // The demo began with these files: they give the release that is served already.
    if run.state() != ImportState::SameRecords {
        return Err(format!("the import ended as {:?}: {}", run.state(), run.fault).into());
    }
    let (refused, remarks) = (run.refused_count, run.remark_count);
    let counts = format!("{} rows, {refused} refused, {remarks} remarks", run.row_count);
    let lines = [format!("{:?}: release {}", run.state(), run.release), counts];
    show.answered("ReferenceService/GetImport", WORKFORCE, started.elapsed(), &lines);
    Ok(())
}

async fn followed(workforce: &Client, import_id: &str) -> Outcome<Import> {
    loop {
        let request = GetImportRequest { import_id: import_id.to_owned() };
        let run = workforce.reference().get_import(request).await?.into_inner().run.unwrap_or_default();
        if run.state() != ImportState::Running {
            return Ok(run);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
