//! proto → typed values for `ReferenceService`; rows → proto.

use std::collections::BTreeSet;

use eservices::reference::v1 as pb;
use eservices_reference::{
    Comparison, Phase, Refused,
    store::{Difference, Manifest},
};
use prost_types::Timestamp;

use super::rules;
use crate::platform::{
    clock::{instant, to_wire},
    error::Violations,
    network::{
        imports::{ImportRow, ProblemRow},
        releases::{ReleaseRow, Served},
    },
};

/// The most files of one import.
const MOST_FILES: usize = 100;

/// The most files that a release shows.
const MOST_SHOWN: usize = 200;

/// Names of files to import.
pub fn files(names: &[String], violations: &mut Violations) {
    if names.is_empty() || names.len() > MOST_FILES {
        violations.push("files", "expected 1 to 100 names of files of the inbox");
    }
    let mut seen = BTreeSet::new();
    for (n, name) in names.iter().enumerate().take(MOST_FILES) {
        if !rules::is_file_name(name) {
            violations.push(
                format!("files[{n}]"),
                "expected the name of a file in the inbox, without a folder, for instance structure.csv",
            );
        } else if !seen.insert(name) {
            violations.push(format!("files[{n}]"), "expected names that differ");
        }
    }
}

/// The id of an import.
pub fn import_id(text: &str, violations: &mut Violations) -> Option<String> {
    let parsed = uuid::Uuid::parse_str(text).ok().filter(|_| text.len() == 36);
    if parsed.is_none() {
        violations.push("import_id", "expected a UUID as StartImport answered it");
    }
    parsed.map(|id| id.hyphenated().to_string())
}

/// The name of a release.
pub fn release(field: &str, text: &str, violations: &mut Violations) -> String {
    let good = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !good {
        violations.push(field, "expected the name of a release, for instance 20261101-0a1b2c3d4e5f");
    }
    text.to_owned()
}

fn timestamp(micros: i64) -> Option<Timestamp> {
    Some(to_wire(instant(micros)))
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// A file of the inbox: name, size, microseconds of its last change.
pub fn inbox_file((name, bytes, modified): &(String, u64, i64)) -> pb::InboxFile {
    pb::InboxFile { name: name.clone(), size_bytes: *bytes, modified_at: timestamp(*modified) }
}

/// The number of a phase in the contract, which its row holds.
pub fn phase(phase: Phase) -> i64 {
    let phase = match phase {
        Phase::Sum => pb::ImportPhase::Sum,
        Phase::Recognise => pb::ImportPhase::Recognise,
        Phase::Read => pb::ImportPhase::Read,
        Phase::Join => pb::ImportPhase::Join,
        Phase::Streets => pb::ImportPhase::Streets,
        Phase::Problems => pb::ImportPhase::Problems,
        Phase::Prove => pb::ImportPhase::Prove,
    };
    i64::from(i32::from(phase))
}

fn state(state: &str) -> pb::ImportState {
    match state {
        rules::DONE => pb::ImportState::Done,
        rules::SAME_RECORDS => pb::ImportState::SameRecords,
        rules::REFUSED => pb::ImportState::Refused,
        rules::CANCELLED => pb::ImportState::Cancelled,
        rules::FAILED => pb::ImportState::Failed,
        _ => pb::ImportState::Running,
    }
}

/// An import.
pub fn import(row: &ImportRow) -> pb::Import {
    let progress = pb::ImportProgress {
        phase: i32::try_from(row.phase).unwrap_or(0),
        done: count(row.done),
        total: count(row.total),
    };
    pb::Import {
        import_id: row.import_id.clone(),
        state: state(&row.state).into(),
        files: row.files.lines().map(str::to_owned).collect(),
        serve_when_done: row.serve != 0,
        dry_run: row.dry_run != 0,
        progress: Some(progress),
        row_count: count(row.row_count),
        refused_count: count(row.refused),
        remark_count: count(row.remarks),
        release: row.release.clone(),
        served: row.served != 0,
        fault: row.fault.clone(),
        started_by: row.party_id.clone(),
        started_at: timestamp(row.started_at),
        ended_at: row.ended_at.and_then(timestamp),
        cancel_requested: row.cancelled != 0,
    }
}

/// A refused row, or a remark.
pub fn problem(row: &ProblemRow) -> pb::ImportProblem {
    let outcome = if row.refused != 0 { pb::ProblemOutcome::Refused } else { pb::ProblemOutcome::Kept };
    pb::ImportProblem {
        file: row.file.clone(),
        line: count(row.line),
        column: row.field.clone(),
        value: row.value.clone(),
        reason: row.reason.clone(),
        outcome: outcome.into(),
    }
}

/// A release: its row, what is served, and what its manifest says on this node.
pub fn release_row(row: &ReleaseRow, served: &Served, manifest: &Result<Manifest, Refused>) -> pb::Release {
    let state = match manifest {
        _ if row.removed_at != 0 => pb::ReleaseState::Removed,
        Err(_) if row.release != served.release => pb::ReleaseState::Damaged,
        _ if row.release == served.release => pb::ReleaseState::Served,
        _ if row.release == served.previous => pb::ReleaseState::Previous,
        _ => pb::ReleaseState::Ready,
    };
    let fault = match manifest {
        Err(refused) if row.removed_at == 0 => rules::clean(&refused.reason, rules::MOST_FAULT),
        _ => String::new(),
    };
    pb::Release {
        release: row.release.clone(),
        state: state.into(),
        sha256: row.sha256.clone(),
        building_count: count(row.buildings),
        files: row.sources.lines().take(MOST_SHOWN).map(str::to_owned).collect(),
        file_count: u32::try_from(row.sources.lines().count()).unwrap_or(u32::MAX),
        imported_on: row.imported_on.clone(),
        registered_at: timestamp(row.registered_at),
        registered_by: row.registered_by.clone(),
        fault,
    }
}

/// What differs between two releases.
pub fn comparison(found: &Comparison) -> pb::CompareReleasesResponse {
    let moves = found.states.iter().filter(|((before, after), _)| before != after);
    let moves = moves.map(|((before, after), n)| pb::StateMove {
        before: before.as_str().to_owned(),
        after: after.as_str().to_owned(),
        building_count: *n,
    });
    let examples = found.examples.iter().map(|example| pb::BuildingDifference {
        imb: example.imb.as_str().to_owned(),
        kind: match example.difference {
            Difference::Added => pb::DifferenceKind::Added,
            Difference::Changed => pb::DifferenceKind::Changed,
            Difference::Removed => pb::DifferenceKind::Removed,
        }
        .into(),
        before: example.before.map(|state| state.as_str().to_owned()).unwrap_or_default(),
        after: example.after.map(|state| state.as_str().to_owned()).unwrap_or_default(),
    });
    pb::CompareReleasesResponse {
        added_count: found.added,
        changed_count: found.changed,
        removed_count: found.removed,
        same_count: found.same,
        moves: moves.collect(),
        examples: examples.collect(),
    }
}
