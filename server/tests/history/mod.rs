//! The history checker: what clients were told against what the tables hold. Pure: knows neither server nor database.
//!
//! An operation is acknowledged (an answer came), refused (a refusal came) or unknown (nothing came); one that is unknown
//! is sent again with the same `request_id` until it is one of the others. [`check`] finds every promise that is broken.

mod appointments;
mod chain;
mod network;
mod orders;
mod rows;
#[cfg(test)]
mod story;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_boxes;
#[cfg(test)]
mod tests_orders;
mod watched;
mod whole;
mod work;

use std::collections::{BTreeMap, BTreeSet};

pub use chain::hash_of;
pub use orders::READ;
pub use rows::{
    AccessRow, AddressRow, AppointmentRow, AuditRow, BoxRow, EntryRow, EventRow, FibresRow, LineRow,
    OrderRow, PartyRow, RequestRow, SampleRow, SlotRow, Tables, WorkRow, read, sample,
};
pub use watched::Watched;

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The answer.
    Acknowledged(Answer),
    /// The reason of the refusal.
    Refused(String),
    /// Nothing came, or nothing that says whether it happened.
    Unknown,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Of the appointment; the number of an order.
    pub reference: String,
    pub revision: i64,
    /// `held`, `in_progress`, as in the tables.
    pub state: String,
    /// Empty for an order.
    pub slot_id: String,
    pub bytes: Vec<u8>,
}

/// One intent of one client, and every attempt at it.
#[derive(Clone, Debug)]
pub struct Operation {
    pub party_id: String,
    /// Path of the method.
    pub method: &'static str,
    pub request_id: String,
    pub attempts: Vec<Outcome>,
}

/// The promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A write that was acknowledged is there.
    AcknowledgedIsThere,
    /// A write that was refused, and never acknowledged, is not there.
    RefusedIsAbsent,
    /// No refusal says INTERNAL.
    NoFault,
    /// The same request gets the same answer.
    ReplaysEqual,
    /// A replay row has one audit line and one event, and the other way round.
    WholeOrAbsent,
    /// The answer says what its event says.
    AnswerIsEvent,
    /// Revisions 1..n without gap, the party row knows n.
    Revisions,
    /// The audit chain follows, and the party row knows its end.
    Chain,
    /// An appointment is what its events say, with one version each.
    AppointmentIsItsEvents,
    /// Places taken are appointments alive, and no more than there are.
    Places,
    /// An order is what its events say, with one version each.
    OrderIsItsEvents,
    /// Each request that places orders placed one.
    OneOrderARequest,
    /// An order under way has its appointment confirmed for it, once and nobody else's; one that failed let it go.
    AppointmentOfOrder,
    /// An order's history is its events without gap, each step one of the published table.
    History,
    /// A milestone that an order passes once is in its history once.
    Once,
    /// An access is what its orders made of it.
    Accesses,
    /// An access that is alive has its one fixed address, and nobody else has it.
    Addresses,
    /// Sockets and fibres are what the orders say.
    Network,
    /// A box ships once, and comes back or is lost once.
    Boxes,
    /// A piece of work is leased again only when its lease is over.
    Leases,
    /// Only who has the lease says something of a piece of work, and it is done once, with the last token.
    Fencing,
    /// What was reported is in the history, once and in its order.
    ReportIsEntry,
    /// No work is left of an order that is over, but a box that is to come back.
    WorkOfOrder,
    /// In the end nothing waits for the field.
    JourneysEnd,
    /// A watch showed each event once, in order, and left none out.
    Watch,
}

/// A promise that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub rule: Rule,
    pub what: String,
}

/// The event that each method announces, and the state in it.
const ANNOUNCED: [(&str, &str, &str); 8] = [
    ("/eservices.appointments.v1.AppointmentService/HoldAppointment", "appointments.held", "held"),
    (
        "/eservices.appointments.v1.AppointmentService/RescheduleAppointment",
        "appointments.rescheduled",
        "held",
    ),
    (
        "/eservices.appointments.v1.AppointmentService/CancelAppointment",
        "appointments.cancelled",
        "cancelled",
    ),
    (orders::CREATE, "orders.accepted", "in_progress"),
    (orders::CANCEL, "orders.cancelled", "failed"),
    (orders::RETAKE, "orders.appointment_retaken", "in_progress"),
    (orders::TERMINATE, "orders.accepted", "in_progress"),
    (orders::EXCHANGE, "orders.accepted", "in_progress"),
];

/// Every promise that is broken.
pub fn check(history: &[Operation], watches: &[Watched], tables: &Tables) -> Vec<Violation> {
    let mut found = Findings { violations: Vec::new(), tables, index: Index::of(tables) };
    for operation in history {
        found.operation(operation);
    }
    found.no_unknown_effect(history);
    found.whole_or_absent();
    for party in &tables.parties {
        found.revisions(party);
        found.chain(party);
    }
    found.appointments();
    found.places();
    found.orders();
    found.accesses();
    found.network();
    found.boxes();
    found.work();
    for watched in watches {
        found.watched(watched);
    }
    found.violations
}

struct Findings<'a> {
    violations: Vec<Violation>,
    tables: &'a Tables,
    index: Index<'a>,
}

/// Rows by what an operation looks for.
struct Index<'a> {
    /// By request id.
    requests: BTreeMap<&'a str, Vec<&'a RequestRow>>,
    /// By request id.
    audit: BTreeMap<&'a str, Vec<&'a AuditRow>>,
    /// By party and revision.
    events: BTreeMap<(&'a str, i64), Vec<&'a EventRow>>,
}

impl<'a> Index<'a> {
    fn of(tables: &'a Tables) -> Self {
        let mut index = Self { requests: BTreeMap::new(), audit: BTreeMap::new(), events: BTreeMap::new() };
        for row in &tables.requests {
            index.requests.entry(&row.request_id).or_default().push(row);
        }
        for line in &tables.audit {
            index.audit.entry(&line.request_id).or_default().push(line);
        }
        for event in &tables.events {
            index.events.entry((&event.party_id, event.revision)).or_default().push(event);
        }
        index
    }
}

impl Findings<'_> {
    fn expect(&mut self, holds: bool, rule: Rule, what: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(Violation { rule, what: what() });
        }
    }

    /// One intent: its attempts among themselves, and against its replay row.
    fn operation(&mut self, operation: &Operation) {
        let id = &operation.request_id;
        let mut answers = operation.attempts.iter().filter_map(|a| match a {
            Outcome::Acknowledged(answer) => Some(answer),
            _ => None,
        });
        let first = answers.next();
        let acknowledged_at = operation.attempts.iter().position(|a| matches!(a, Outcome::Acknowledged(_)));
        for (n, attempt) in operation.attempts.iter().enumerate() {
            let Outcome::Refused(reason) = attempt else { continue };
            self.expect(reason != "INTERNAL", Rule::NoFault, || format!("{id}: attempt {n} says INTERNAL"));
            let later = acknowledged_at.is_some_and(|at| at < n);
            self.expect(!later, Rule::ReplaysEqual, || format!("{id}: {reason} after it was acknowledged"));
        }
        if operation.method == READ {
            self.expect(false, Rule::AcknowledgedIsThere, || {
                format!("{}: its order {id} could not be read, {:?}", operation.party_id, operation.attempts)
            });
            return;
        }
        let rows = self.index.requests.get(&**id).cloned().unwrap_or_default();
        let rows: Vec<&RequestRow> = rows.into_iter().filter(|r| of(r, operation)).collect();
        let Some(answer) = first else {
            if matches!(operation.attempts.last(), Some(Outcome::Refused(_))) {
                let effects = rows.len() + self.index.audit.get(&**id).map_or(0, Vec::len);
                self.expect(effects == 0, Rule::RefusedIsAbsent, || {
                    format!("{id}: refused, and {effects} rows are there")
                });
            }
            return;
        };
        for other in answers {
            self.expect(other == answer, Rule::ReplaysEqual, || format!("{id}: {answer:?}, then {other:?}"));
        }
        self.expect(rows.len() == 1, Rule::AcknowledgedIsThere, || {
            format!("{id}: acknowledged as {answer:?}, and {} replay rows are there", rows.len())
        });
        for row in rows {
            self.expect(row.response == answer.bytes, Rule::ReplaysEqual, || {
                format!("{id}: its replay row holds another answer")
            });
        }
        self.announced(operation, answer);
    }

    /// The event and the audit line of an acknowledged write.
    fn announced(&mut self, operation: &Operation, answer: &Answer) {
        let id = &operation.request_id;
        let slice = if orders::is_about(operation.method) { "orders" } else { "appointments" };
        let resource = format!("{slice}/{}", answer.reference);
        let lines = self.index.audit.get(&**id).cloned().unwrap_or_default();
        let lines = lines.into_iter().filter(|l| l.method == operation.method);
        let lines = lines.filter(|l| {
            l.party_id == operation.party_id && l.actor == operation.party_id && l.resource == resource
        });
        let lines = lines.count();
        self.expect(lines == 1, Rule::AcknowledgedIsThere, || {
            format!("{id}: {lines} audit lines of {resource}")
        });
        let at = (operation.party_id.as_str(), answer.revision);
        let events = self.index.events.get(&at).cloned().unwrap_or_default();
        self.expect(events.len() == 1, Rule::AcknowledgedIsThere, || {
            format!("{id}: {} events at its revision {}", events.len(), answer.revision)
        });
        for event in events {
            let kind =
                ANNOUNCED.iter().find(|(method, ..)| *method == operation.method).map(|(_, kind, _)| *kind);
            let same = event.resource == resource
                && event.state == answer.state
                && Some(event.kind.as_str()) == kind;
            self.expect(same, Rule::AnswerIsEvent, || {
                format!("{id}: answered {answer:?}, announced {event:?}")
            });
        }
    }

    /// Every replay row of an operator is somebody's intent.
    fn no_unknown_effect(&mut self, history: &[Operation]) {
        let intents: BTreeSet<(&str, &str, &str)> =
            history.iter().map(|o| (o.party_id.as_str(), o.method, o.request_id.as_str())).collect();
        for row in self.tables.requests.iter().filter(|r| r.party_id.starts_with("o-")) {
            let known =
                intents.contains(&(row.party_id.as_str(), row.method.as_str(), row.request_id.as_str()));
            self.expect(known, Rule::WholeOrAbsent, || format!("{}: nobody sent it", row.request_id));
        }
    }

    fn revisions(&mut self, party: &PartyRow) {
        let mut revisions: Vec<i64> =
            self.tables.events.iter().filter(|e| e.party_id == party.party_id).map(|e| e.revision).collect();
        revisions.sort_unstable();
        let gapless = revisions.iter().copied().eq(1..=party.revision);
        self.expect(gapless, Rule::Revisions, || {
            format!("{}: row says {}, events {:?}…", party.party_id, party.revision, first_gap(&revisions))
        });
    }

    fn chain(&mut self, party: &PartyRow) {
        let mut lines: Vec<&AuditRow> =
            self.tables.audit.iter().filter(|l| l.party_id == party.party_id).collect();
        lines.sort_by_key(|l| l.position);
        let mut head = String::new();
        for (position, line) in (1_i64..).zip(&lines) {
            let follows =
                line.position == position && line.previous == head && line.hash == hash_of(line, &head);
            self.expect(follows, Rule::Chain, || {
                format!("{}: breaks at position {position}", party.party_id)
            });
            head.clone_from(&line.hash);
        }
        let end = (i64::try_from(lines.len()).unwrap_or(i64::MAX), head);
        self.expect(end == (party.audit_length, party.audit_head.clone()), Rule::Chain, || {
            format!("{}: ends at {}, its row says {}", party.party_id, end.0, party.audit_length)
        });
    }
}

fn of(row: &RequestRow, operation: &Operation) -> bool {
    row.party_id == operation.party_id
        && row.method == operation.method
        && row.request_id == operation.request_id
}

/// The first revisions up to the one that does not follow.
fn first_gap(revisions: &[i64]) -> (usize, &[i64]) {
    let at = revisions.iter().zip(1_i64..).position(|(r, n)| *r != n).unwrap_or(revisions.len());
    (at, &revisions[at.saturating_sub(2)..revisions.len().min(at + 2)])
}
