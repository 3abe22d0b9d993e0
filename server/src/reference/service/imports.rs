//! What changes the row of an import: start, cancel, end, and the end that another node writes.

use std::{path::Path, sync::Arc};

use eservices::reference::v1 as pb;
use eservices_reference::{ImportError, Imported};

use super::{inbox, run};
use crate::{
    platform::{
        Platform,
        error::{Error, Reason},
        network::{
            imports::{self, End, ImportRow, ProblemRow, Running},
            releases::{self, Activated, ReleaseRow},
        },
        unit_of_work::{self, Command, Origin, Work, replay},
    },
    reference::{
        rules::{self, ROLE, Stop},
        wire,
    },
};

/// Starts an import and runs it, unless the request did before.
pub async fn start(
    platform: Arc<Platform>,
    origin: Origin,
    row: ImportRow,
) -> Result<pb::StartImportResponse, Error> {
    if let Some(answer) = replay::answered(&mut platform.db.read().await?.conn(), &origin).await? {
        return Ok(answer);
    }
    let inbox = inbox::folder(&platform)?;
    inbox::check(inbox.clone(), row.files.lines().map(str::to_owned).collect()).await?;
    let answer = unit_of_work::execute(&platform, origin, Start(row.clone())).await?;
    // The answer of another try of the same request speaks of the import of that try.
    if answer.run.as_ref().is_some_and(|run| run.import_id == row.import_id) {
        run::launch(&platform, row, inbox);
    }
    Ok(answer)
}

/// The refusal that names the import that runs; nobody knows its id where it was started on the command line.
pub fn running(import_id: &str) -> Error {
    let message = match import_id {
        "" => "an import is running".to_owned(),
        id => format!("import {id} is running"),
    };
    Error::new(Reason::ImportRunning, message).with("import_id", import_id)
}

struct Start(ImportRow);

impl Command for Start {
    type Answer = pb::StartImportResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        if let Some(other) = imports::running(&mut work.conn()).await? {
            return Err(running(&other.import_id));
        }
        let row = ImportRow { started_at: work.machine_now().as_microsecond(), ..self.0.clone() };
        if !imports::insert(&mut work.conn(), &row).await? {
            return Err(Error::overtaken());
        }
        let resource = format!("imports/{}", row.import_id);
        let revision = work
            .announce(&row.party_id, ROLE, "reference.import_started", &resource, imports::RUNNING)
            .await?;
        let files = row.files.lines().count();
        let detail = format!("files={files} serve={} dry_run={}", row.serve, row.dry_run);
        work.note(&row.party_id, resource, detail);
        Ok(pb::StartImportResponse { run: Some(wire::import(&row)), revision })
    }
}

/// Tells an import to stop.
pub struct Cancel {
    /// Who asks.
    pub party_id: String,
    /// Which.
    pub import_id: String,
}

impl Command for Cancel {
    type Answer = pb::CancelImportResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let runs = imports::cancel(&mut work.conn(), &self.import_id).await?;
        let row = imports::find(&mut work.conn(), &self.import_id).await?;
        let row = row.ok_or_else(|| Error::not_found("Import", &self.import_id))?;
        let resource = format!("imports/{}", row.import_id);
        let revision = match runs {
            true => {
                work.announce(&self.party_id, ROLE, "reference.import_cancelled", &resource, "cancelled")
                    .await?
            }
            false => 0,
        };
        work.note(&self.party_id, resource, format!("state={}", row.state));
        Ok(pb::CancelImportResponse { run: Some(wire::import(&row)), revision })
    }
}

/// Writes how an import ended, registers its release and has it served: all of it or nothing.
#[derive(Clone)]
pub struct Finish {
    row: ImportRow,
    end: End,
    release: Option<ReleaseRow>,
    problems: Arc<[ProblemRow]>,
}

impl Finish {
    /// Of an import that came to its end, or was stopped.
    pub fn of(
        row: &ImportRow,
        outcome: Result<Imported, ImportError>,
        stop: Option<Stop>,
        inbox: &Path,
    ) -> Self {
        let (state, fault) = rules::ending(&outcome, stop, inbox);
        let problems = rules::problems(&outcome).iter().zip(0..).map(|(problem, position)| ProblemRow {
            position,
            file: rules::clean(&problem.file, 255),
            line: i64::try_from(problem.line).unwrap_or(i64::MAX),
            field: rules::clean(&problem.column, 200),
            value: rules::clean(&problem.value, 81),
            reason: rules::clean(&problem.reason, 500),
            refused: i64::from(problem.outcome == eservices_reference::Outcome::Refused),
        });
        let problems = problems.collect();
        let mut end = End { state, fault, ..End::default() };
        let mut release = None;
        if let Ok(imported) = &outcome {
            (end.row_count, end.refused, end.remarks) = (imported.rows, imported.refused, imported.remarks);
            if matches!(state, rules::DONE | rules::SAME_RECORDS) {
                imported.manifest.id().clone_into(&mut end.release);
                // The instant is that of its transaction.
                let registered =
                    || ReleaseRow::of(&imported.manifest, &row.party_id, jiff::Timestamp::UNIX_EPOCH);
                release = (row.dry_run == 0).then(registered);
            }
        }
        Self { row: row.clone(), end, release, problems }
    }

    /// Who started it.
    pub fn party_id(&self) -> &str {
        &self.row.party_id
    }
}

impl Command for Finish {
    // Nobody asked, so nothing is answered: an empty message.
    type Answer = pb::GetImportResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let (id, owner, now) = (&self.row.import_id, &self.row.party_id, work.machine_now());
        let Some(told) = imports::lock(&mut work.conn(), id, &self.row.node).await? else {
            return Ok(Self::Answer::default());
        };
        let mut end = self.end.clone();
        let mut served = false;
        if told.cancelled != 0 && matches!(end.state, rules::DONE | rules::SAME_RECORDS) {
            // Told while the end was written: what was acknowledged counts.
            let (state, fault) = rules::stopped(Some(Stop::Cancelled));
            end = End { state, fault: fault.to_owned(), release: String::new(), ..end };
        } else if let Some(release) = &self.release {
            let release = ReleaseRow { registered_at: now.as_microsecond(), ..release.clone() };
            releases::register(&mut work.conn(), &release).await?;
            if self.row.serve != 0 {
                let activated = releases::activate(&mut work.conn(), &release.release, owner, now).await?;
                served = activated != Activated::Gone;
            }
        }
        imports::end(&mut work.conn(), id, &end, served, now.as_microsecond()).await?;
        imports::put_problems(&mut work.conn(), id, &self.problems).await?;
        let resource = format!("imports/{id}");
        work.announce(owner, ROLE, "reference.import_ended", &resource, end.state).await?;
        work.note(owner, resource, format!("state={} release={} served={served}", end.state, end.release));
        Ok(Self::Answer::default())
    }
}

/// Writes the end of an import whose node is gone.
pub struct Bury(pub Running);

impl Command for Bury {
    type Answer = pb::GetImportResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let Self(found) = self;
        let (state, fault) = rules::stopped(None);
        let now = work.machine_now().as_microsecond();
        if imports::bury(&mut work.conn(), found, (state, fault), now).await? {
            let resource = format!("imports/{}", found.import_id);
            work.announce(&found.party_id, ROLE, "reference.import_ended", &resource, state).await?;
            work.note(&found.party_id, resource, format!("state={state}"));
        }
        Ok(Self::Answer::default())
    }
}
