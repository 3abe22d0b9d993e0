//! Messages of the Watch ⇄ what it works with. A message is encoded here, and once.

use std::collections::BTreeSet;

use bytes::Bytes;
use eservices::events::v1::{self as pb, watch_events_response::Message};
use prost::Message as _;

use super::{
    rules::{Filter, KINDS},
    store::EventRow,
};
use crate::platform::{
    clock::{instant, to_wire},
    error::{Error, Violations},
    token::Keys,
};

/// What tokens of the Watch are for; beside it the party that may use them.
const PURPOSE: &str = "events";

/// The most characters of a resource's name.
const MAX_RESOURCE: usize = 120;

/// What is asked: the filter, and the revision to go on after, if there is one.
pub fn question(
    request: pb::WatchEventsRequest,
    keys: &Keys,
    party: &str,
) -> Result<(Filter, Option<i64>), Error> {
    let mut violations = Violations::default();
    let pb::WatchEventsRequest { e_services, kinds, resources, resume_token } = request;
    let known: BTreeSet<&str> = KINDS.iter().flat_map(|k| k.e_services).copied().collect();
    let of_known = |e: &String| known.contains(e.as_str());
    if e_services.len() > 20 || !e_services.iter().all(of_known) {
        let all: Vec<&str> = known.iter().copied().collect();
        violations.push("e_services", format!("expected at most 20 of {}", all.join(", ")));
    }
    if kinds.len() > 50 || !kinds.iter().all(|kind| KINDS.iter().any(|k| k.name == kind)) {
        violations
            .push("kinds", "expected at most 50 kinds of docs/watch.md, for instance appointments.held");
    }
    if resources.len() > 100 || !resources.iter().all(|r| (1..=MAX_RESOURCE).contains(&r.len())) {
        violations.push("resources", "expected at most 100 names, for instance appointments/ITP-DOA-…-ERDV");
    }
    let position = position(&resume_token, keys, party, &mut violations);
    violations.check()?;
    let filter = Filter {
        e_services: e_services.into_iter().collect(),
        kinds: kinds.into_iter().collect(),
        resources: resources.into_iter().collect(),
    };
    Ok((filter, position))
}

/// The revision in a token, if we signed it for this party; notes a violation otherwise. Empty: none.
fn position(token: &str, keys: &Keys, party: &str, violations: &mut Violations) -> Option<i64> {
    if token.is_empty() {
        return None;
    }
    let position = keys.verified(&[PURPOSE, party], token).and_then(|content| content.parse().ok());
    if position.is_none() {
        violations.push("resume_token", "expected resume_token of a message of your own watch, as it came");
    }
    position
}

/// The token of a position: the same for every watch of the party, whatever it leaves out.
pub fn token(keys: &Keys, party: &str, revision: i64) -> String {
    keys.sign(&[PURPOSE, party], &revision.to_string())
}

/// An event, encoded for all who watch its party.
pub fn event(keys: &Keys, party: &str, row: &EventRow) -> Bytes {
    let event = pb::Event {
        revision: row.revision,
        e_service: row.e_service.clone(),
        kind: row.kind.clone(),
        resource: row.resource.clone(),
        state: row.state.clone(),
        occur_time: Some(to_wire(instant(row.occurred_at))),
        resume_token: token(keys, party, row.revision),
    };
    pb::WatchEventsResponse { message: Some(Message::Event(event)) }.encode_to_vec().into()
}

/// A sign of life.
pub fn heartbeat(keys: &Keys, party: &str, revision: i64, interval_seconds: u32) -> Bytes {
    let heartbeat = pb::Heartbeat { revision, resume_token: token(keys, party, revision), interval_seconds };
    pb::WatchEventsResponse { message: Some(Message::Heartbeat(heartbeat)) }.encode_to_vec().into()
}
