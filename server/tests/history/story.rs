//! A good story of orders, work and a watch, for the checker's own tests.

use eservices::fulfilment::v1::{LeaseWorkResponse, LeasedWork};
use prost::Message as _;

use super::{
    tests::{HOLD, PARTY, answer, good, line_of, operation},
    *,
};

pub const FIELD: &str = "s-field-a";
pub const OTHER: &str = "s-field-b";
pub const SECOND: i64 = 1_000_000;

/// Who does what by which request.
pub type By<'a> = (&'a str, &'a str, &'a str);

/// One change: an event and an audit line of its party.
pub fn change(t: &mut Tables, party: &str, by: By<'_>, at: i64, what: (&str, &str, &str), detail: &str) {
    let (resource, kind, state) = what;
    line_of(t, party, by, resource, detail, at);
    let row = t.parties.iter_mut().find(|p| p.party_id == party).unwrap();
    row.revision += 1;
    t.events.push(EventRow {
        party_id: party.into(),
        revision: row.revision,
        kind: kind.into(),
        resource: resource.into(),
        state: state.into(),
    });
}

/// The replay row of a request.
fn replay(t: &mut Tables, (party, method, id): By<'_>, resource: &str, response: Vec<u8>) {
    t.requests.push(RequestRow {
        party_id: party.into(),
        method: method.into(),
        request_id: id.into(),
        resource: resource.into(),
        response,
    });
}

pub fn entry(t: &mut Tables, number: &str, kind: &str, author: &str, state: &str, facts: &str) {
    let position = t.entries.iter().filter(|e| e.number == number).count() + 1;
    t.entries.push(EntryRow {
        number: number.into(),
        position: i64::try_from(position).unwrap(),
        kind: kind.into(),
        author: author.into(),
        state: state.into(),
        facts: facts.into(),
    });
}

/// A worker's word about its own list of work.
pub fn lists(t: &mut Tables, by: By<'_>, second: i64, detail: &str) {
    let items = if by.1 == work::LEASE { vec![LeasedWork::default()] } else { Vec::new() };
    replay(t, by, "work", LeaseWorkResponse { items }.encode_to_vec());
    change(t, by.0, by, second * SECOND, ("work", "fulfilment.work_leased", "leased"), detail);
}

/// A report of an order, whose number its work begins with; the serial is empty where no box is spoken of.
pub fn reports(
    t: &mut Tables,
    by: By<'_>,
    second: i64,
    (work_id, done, token, serial): (&str, &str, i64, &str),
    (action, kind, event, state): (&str, &str, &str, &str),
) {
    let (number, resource) = (&work_id[..4], format!("work/{work_id}"));
    let order = format!("orders/{number}");
    replay(t, by, &order, Vec::new());
    let announced = (order.as_str(), event, state);
    change(t, PARTY, by, second * SECOND, announced, &format!("action={action} state={state}"));
    let own = (resource.as_str(), "fulfilment.work_reported", done);
    change(t, by.0, by, second * SECOND, own, &format!("action={action} state={done} token={token}"));
    let facts = if serial.is_empty() { String::new() } else { format!("box_serial={serial}") };
    entry(t, number, kind, "field", state, &facts);
}

/// A write of the operator that was answered at once, and what it changed.
pub fn acts(
    (history, t): (&mut Vec<Operation>, &mut Tables),
    id: &str,
    method: &'static str,
    answer: Answer,
    changes: &[(&str, &str, &str)],
) {
    replay(t, (PARTY, method, id), changes[0].0, answer.bytes.clone());
    for what in changes {
        change(t, PARTY, (PARTY, method, id), 0, *what, "state=");
    }
    history.push(operation(id, method, vec![Outcome::Acknowledged(answer)]));
}

pub fn work_of(work_id: &str, capability: &str, state: &str, token: i64) -> WorkRow {
    WorkRow {
        work_id: work_id.into(),
        number: work_id[..4].into(),
        capability: capability.into(),
        state: state.into(),
        token,
    }
}

pub fn box_of(serial: &str, state: &str, number: &str) -> BoxRow {
    BoxRow { serial: serial.into(), state: state.into(), number: number.into() }
}

pub fn access(number: &str, state: &str, ipv4: &str) -> AccessRow {
    AccessRow { aid: format!("F-{number}"), number: number.into(), state: state.into(), ipv4: ipv4.into() }
}

/// An appointment that came and went for an order.
pub fn cancelled(reference: &str, number: &str, revision: i64) -> AppointmentRow {
    AppointmentRow {
        reference: reference.into(),
        party_id: PARTY.into(),
        state: "cancelled".into(),
        slot_id: "S1".into(),
        version: 3,
        revision,
        order_ref: number.into(),
    }
}

pub fn order(number: &str, state: &str, appointment: &str, entries: i64, revision: i64) -> OrderRow {
    OrderRow {
        number: number.into(),
        party_id: PARTY.into(),
        kind: "creation".into(),
        state: state.into(),
        appointment_ref: appointment.into(),
        aid: format!("F-{number}"),
        ipv4: format!("192.0.2.{}", &number[3..]),
        pm: "PM".into(),
        pbo: "PB".into(),
        pto: if state == "completed" { "PTO1".into() } else { String::new() },
        fibre_held: 0,
        entries,
        version: entries,
        revision,
    }
}

/// The good history; then an order on R3 that is delivered, by two workers of which one was lost, and one on R4 that was
/// cancelled; and a watch of it all.
pub fn story() -> (Vec<Operation>, Vec<Watched>, Tables) {
    let (mut history, mut t) = good();
    for party in [FIELD, OTHER] {
        let (party_id, audit_head) = (party.to_owned(), String::new());
        t.parties.push(PartyRow { party_id, revision: 0, audit_length: 0, audit_head });
    }
    let (confirmed, accepted) = ("appointments.confirmed", "orders.accepted");
    let both = [("appointments/R3", confirmed, "confirmed"), ("orders/CMD1", accepted, "in_progress")];
    acts((&mut history, &mut t), "id-7", orders::CREATE, answer("CMD1", 8, "in_progress", ""), &both);
    let held = [("appointments/R4", "appointments.held", "held")];
    acts((&mut history, &mut t), "id-8", HOLD, answer("R4", 9, "held", "S1"), &held);
    let both = [("appointments/R4", confirmed, "confirmed"), ("orders/CMD2", accepted, "in_progress")];
    acts((&mut history, &mut t), "id-9", orders::CREATE, answer("CMD2", 11, "in_progress", ""), &both);
    let both = [
        ("orders/CMD2", "orders.cancelled", "failed"),
        ("appointments/R4", "appointments.cancelled", "cancelled"),
    ];
    acts((&mut history, &mut t), "id-10", orders::CANCEL, answer("CMD2", 12, "failed", ""), &both);
    entry(&mut t, "CMD1", "ACCEPTED", "operator", "in_progress", "");
    entry(&mut t, "CMD2", "ACCEPTED", "operator", "in_progress", "");
    entry(&mut t, "CMD2", "CANCELLED", "operator", "failed", "");

    let by = (FIELD, work::ADD_BOXES, "w-1");
    replay(&mut t, by, "boxes", Vec::new());
    change(&mut t, FIELD, by, 0, ("boxes", "fulfilment.boxes_added", "in_stock"), "added=2 given=2");
    replay(&mut t, (FIELD, work::LEASE, "w-2"), "", Vec::new());
    lists(&mut t, (FIELD, work::LEASE, "w-3"), 10, "capability=shipping leased=CMD1-S1:1");
    lists(&mut t, (FIELD, work::LEASE, "w-4"), 11, "capability=installation leased=CMD1-I1:1");
    lists(&mut t, (FIELD, work::EXTEND, "w-5"), 15, "extended=CMD1-I1:1");
    let ship = ("SHIP_BOX", "BOX_SHIPPED", "orders.box_shipped", "in_progress");
    reports(&mut t, (FIELD, work::REPORT, "w-6"), 16, ("CMD1-S1", "done", 1, "B1"), ship);
    lists(&mut t, (OTHER, work::LEASE, "w-7"), 25, "capability=installation leased=CMD1-I1:2");
    let start = ("START_CONSTRUCTION", "CONSTRUCTION", "orders.construction_started", "under_construction");
    reports(&mut t, (OTHER, work::REPORT, "w-8"), 26, ("CMD1-I1", "leased", 2, ""), start);
    let finish = ("FINISH_INTERVENTION", "INTERVENTION_OK", "orders.intervention_done", "installed");
    reports(&mut t, (OTHER, work::REPORT, "w-9"), 27, ("CMD1-I1", "done", 2, ""), finish);
    lists(&mut t, (FIELD, work::LEASE, "w-10"), 28, "capability=activation leased=CMD1-A4:1");
    let complete = ("COMPLETE", "COMPLETED", "orders.completed", "completed");
    reports(&mut t, (FIELD, work::REPORT, "w-11"), 29, ("CMD1-A4", "done", 1, ""), complete);

    t.orders = vec![order("CMD1", "completed", "R3", 5, 17), order("CMD2", "failed", "R4", 2, 12)];
    let confirmed = &mut t.appointments[2];
    "confirmed".clone_into(&mut confirmed.state);
    "CMD1".clone_into(&mut confirmed.order_ref);
    (confirmed.version, confirmed.revision) = (2, 7);
    t.appointments.push(cancelled("R4", "CMD2", 13));
    t.addresses.push(AddressRow { ipv4: "192.0.2.1".into(), aid: "F-CMD1".into() });
    t.accesses = vec![access("CMD1", "active", "192.0.2.1"), access("CMD2", "terminated", "192.0.2.2")];
    t.work = vec![
        work_of("CMD1-S1", "shipping", "done", 1),
        work_of("CMD1-I1", "installation", "done", 2),
        work_of("CMD1-A4", "activation", "done", 1),
        work_of("CMD2-S1", "shipping", "cancelled", 0),
        work_of("CMD2-I1", "installation", "cancelled", 0),
    ];
    t.boxes = vec![box_of("B1", "shipped", "CMD1"), box_of("B2", "in_stock", "")];
    t.lines.push(LineRow { pto: "PTO1".into(), state: "ACTIVE".into() });
    t.fibres.push(FibresRow { pm: "PM".into(), pbo: "PB".into(), held: 0 });
    let seen = t.events.iter().filter(|e| e.party_id == PARTY && e.revision > 6).cloned().collect();
    let watched = Watched { party_id: PARTY.into(), after: 6, seen, cuts: 3, refusals: Vec::new() };
    (history, vec![watched], t)
}
