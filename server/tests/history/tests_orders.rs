//! The checker on orders, work and watches: a good story passes, and each kind of corruption is found by its rule.

use eservices::fulfilment::v1::{LeaseWorkResponse, LeasedWork};
use prost::Message as _;

use super::{
    tests::{HOLD, PARTY, answer, good, line_of, operation},
    *,
};

const FIELD: &str = "s-field-a";
const OTHER: &str = "s-field-b";
const SECOND: i64 = 1_000_000;

/// Who does what by which request.
type By<'a> = (&'a str, &'a str, &'a str);

/// One change: an event and an audit line of its party.
fn change(t: &mut Tables, party: &str, by: By<'_>, at: i64, what: (&str, &str, &str), detail: &str) {
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

fn entry(t: &mut Tables, number: &str, kind: &str, author: &str, state: &str, facts: &str) {
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
fn lists(t: &mut Tables, by: By<'_>, second: i64, detail: &str) {
    let items = if by.1 == work::LEASE { vec![LeasedWork::default()] } else { Vec::new() };
    replay(t, by, "work", LeaseWorkResponse { items }.encode_to_vec());
    change(t, by.0, by, second * SECOND, ("work", "fulfilment.work_leased", "leased"), detail);
}

/// A report of CMD1.
fn reports(
    t: &mut Tables,
    by: By<'_>,
    second: i64,
    (work_id, done, token): (&str, &str, i64),
    (action, kind, event, state): (&str, &str, &str, &str),
) {
    let resource = format!("work/{work_id}");
    replay(t, by, "orders/CMD1", Vec::new());
    let announced = ("orders/CMD1", event, state);
    change(t, PARTY, by, second * SECOND, announced, &format!("action={action} state={state}"));
    let own = (resource.as_str(), "fulfilment.work_reported", done);
    change(t, by.0, by, second * SECOND, own, &format!("action={action} state={done} token={token}"));
    let facts = if action == "SHIP_BOX" { "box_serial=B1\nparcel_number=XS" } else { "" };
    entry(t, "CMD1", kind, "field", state, facts);
}

fn order(number: &str, state: &str, appointment: &str, entries: i64, revision: i64) -> OrderRow {
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
fn story() -> (Vec<Operation>, Vec<Watched>, Tables) {
    let (mut history, mut t) = good();
    for party in [FIELD, OTHER] {
        let (party_id, audit_head) = (party.to_owned(), String::new());
        t.parties.push(PartyRow { party_id, revision: 0, audit_length: 0, audit_head });
    }
    let mut acts =
        |t: &mut Tables, id: &str, method: &'static str, answer: Answer, changes: &[(&str, &str, &str)]| {
            replay(t, (PARTY, method, id), changes[0].0, answer.bytes.clone());
            for what in changes {
                change(t, PARTY, (PARTY, method, id), 0, *what, "state=");
            }
            history.push(operation(id, method, vec![Outcome::Acknowledged(answer)]));
        };
    let (confirmed, accepted) = ("appointments.confirmed", "orders.accepted");
    let both = [("appointments/R3", confirmed, "confirmed"), ("orders/CMD1", accepted, "in_progress")];
    acts(&mut t, "id-7", orders::CREATE, answer("CMD1", 8, "in_progress", ""), &both);
    let held = [("appointments/R4", "appointments.held", "held")];
    acts(&mut t, "id-8", HOLD, answer("R4", 9, "held", "S1"), &held);
    let both = [("appointments/R4", confirmed, "confirmed"), ("orders/CMD2", accepted, "in_progress")];
    acts(&mut t, "id-9", orders::CREATE, answer("CMD2", 11, "in_progress", ""), &both);
    let both = [
        ("orders/CMD2", "orders.cancelled", "failed"),
        ("appointments/R4", "appointments.cancelled", "cancelled"),
    ];
    acts(&mut t, "id-10", orders::CANCEL, answer("CMD2", 12, "failed", ""), &both);
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
    reports(&mut t, (FIELD, work::REPORT, "w-6"), 16, ("CMD1-S1", "done", 1), ship);
    lists(&mut t, (OTHER, work::LEASE, "w-7"), 25, "capability=installation leased=CMD1-I1:2");
    let start = ("START_CONSTRUCTION", "CONSTRUCTION", "orders.construction_started", "under_construction");
    reports(&mut t, (OTHER, work::REPORT, "w-8"), 26, ("CMD1-I1", "leased", 2), start);
    let finish = ("FINISH_INTERVENTION", "INTERVENTION_OK", "orders.intervention_done", "installed");
    reports(&mut t, (OTHER, work::REPORT, "w-9"), 27, ("CMD1-I1", "done", 2), finish);
    lists(&mut t, (FIELD, work::LEASE, "w-10"), 28, "capability=activation leased=CMD1-A4:1");
    let complete = ("COMPLETE", "COMPLETED", "orders.completed", "completed");
    reports(&mut t, (FIELD, work::REPORT, "w-11"), 29, ("CMD1-A4", "done", 1), complete);

    t.orders = vec![order("CMD1", "completed", "R3", 5, 17), order("CMD2", "failed", "R4", 2, 12)];
    let confirmed = &mut t.appointments[2];
    "confirmed".clone_into(&mut confirmed.state);
    "CMD1".clone_into(&mut confirmed.order_ref);
    (confirmed.version, confirmed.revision) = (2, 7);
    t.appointments.push(AppointmentRow {
        reference: "R4".into(),
        party_id: PARTY.into(),
        state: "cancelled".into(),
        slot_id: "S1".into(),
        version: 3,
        revision: 13,
        order_ref: "CMD2".into(),
    });
    t.addresses.push(AddressRow { ipv4: "192.0.2.1".into(), aid: "F-CMD1".into() });
    let access = |number: &str, state: &str, ipv4: &str| AccessRow {
        aid: format!("F-{number}"),
        number: number.into(),
        state: state.into(),
        ipv4: ipv4.into(),
    };
    t.accesses = vec![access("CMD1", "active", "192.0.2.1"), access("CMD2", "terminated", "192.0.2.2")];
    let work = |work_id: &str, capability: &str, state: &str, token: i64| WorkRow {
        work_id: work_id.into(),
        number: work_id[..4].into(),
        capability: capability.into(),
        state: state.into(),
        token,
    };
    t.work = vec![
        work("CMD1-S1", "shipping", "done", 1),
        work("CMD1-I1", "installation", "done", 2),
        work("CMD1-A4", "activation", "done", 1),
        work("CMD2-S1", "shipping", "cancelled", 0),
        work("CMD2-I1", "installation", "cancelled", 0),
    ];
    let serial = |serial: &str, state: &str, number: &str| BoxRow {
        serial: serial.into(),
        state: state.into(),
        number: number.into(),
    };
    t.boxes = vec![serial("B1", "shipped", "CMD1"), serial("B2", "in_stock", "")];
    t.lines.push(LineRow { pto: "PTO1".into(), state: "ACTIVE".into() });
    t.fibres.push(FibresRow { pm: "PM".into(), pbo: "PB".into(), held: 0 });
    let seen = t.events.iter().filter(|e| e.party_id == PARTY && e.revision > 6).cloned().collect();
    let watched = Watched { party_id: PARTY.into(), after: 6, seen, cuts: 3, refusals: Vec::new() };
    (history, vec![watched], t)
}

type Corruption = fn(&mut Vec<Operation>, &mut Watched, &mut Tables);

fn each_is_found(corruptions: &[(&str, Corruption, &[Rule])]) {
    let (history, watches, tables) = story();
    assert_eq!(check(&history, &watches, &tables), []);
    for (what, corrupt, expected) in corruptions {
        let (mut history, mut watches, mut tables) = story();
        corrupt(&mut history, &mut watches[0], &mut tables);
        let violations = check(&history, &watches, &tables);
        let rules: BTreeSet<Rule> = violations.iter().map(|v| v.rule).collect();
        let rules: Vec<Rule> = rules.into_iter().collect();
        assert_eq!(rules, *expected, "{what}: {violations:?}");
    }
}

/// Changes an audit line of a request and has the rest of its party's chain follow.
fn rewrite(t: &mut Tables, id: &str, resource: &str, change: fn(&mut AuditRow)) {
    let at = t.audit.iter().position(|l| l.request_id == id && l.resource.starts_with(resource)).unwrap();
    change(&mut t.audit[at]);
    let party_id = t.audit[at].party_id.clone();
    let mut head = String::new();
    for line in t.audit.iter_mut().filter(|l| l.party_id == party_id) {
        line.previous.clone_from(&head);
        line.hash = hash_of(line, &head);
        head.clone_from(&line.hash);
    }
    t.parties.iter_mut().find(|p| p.party_id == party_id).unwrap().audit_head = head;
}

#[test]
fn every_corruption_of_orders_is_found() {
    use Rule as R;
    each_is_found(&[
        (
            "an order is lost",
            |_, _, t| drop(t.orders.remove(1)),
            &[R::OrderIsItsEvents, R::OneOrderARequest, R::History, R::Accesses],
        ),
        (
            "an order twice",
            |_, _, t| {
                let twin = OrderRow { number: "CMD3".into(), aid: "F-CMD3".into(), ..t.orders[1].clone() };
                t.orders.push(twin);
            },
            &[R::OrderIsItsEvents, R::OneOrderARequest, R::AppointmentOfOrder, R::History, R::Accesses],
        ),
        (
            "an order in a state that no event announced",
            |_, _, t| t.orders[0].state = "failed".into(),
            &[R::OrderIsItsEvents, R::AppointmentOfOrder, R::Accesses, R::Addresses, R::Network],
        ),
        ("a version more than events", |_, _, t| t.orders[0].version = 6, &[R::OrderIsItsEvents]),
        (
            "its appointment is confirmed for another",
            |_, _, t| t.appointments[2].order_ref = "CMD9".into(),
            &[R::AppointmentOfOrder],
        ),
        (
            "an appointment stays confirmed",
            |_, _, t| t.appointments[3].state = "confirmed".into(),
            &[R::AppointmentIsItsEvents, R::Places, R::AppointmentOfOrder],
        ),
        (
            "an order without the audit line of its appointment",
            |_, _, t| rewrite(t, "id-7", "appointments/", |l| l.request_id = "id-70".into()),
            &[R::WholeOrAbsent],
        ),
        ("a gap in a history", |_, _, t| t.entries[6].position = 9, &[R::History]),
        ("a milestone is lost", |_, _, t| drop(t.entries.remove(4)), &[R::History, R::ReportIsEntry]),
        (
            "a step that is none, announced as it was made",
            |_, w, t| {
                let done = |e: &&mut EventRow| e.kind == "orders.intervention_done";
                for event in t.events.iter_mut().chain(&mut w.seen).filter(done) {
                    event.state = "completed".into();
                }
                t.entries[5].state = "completed".into();
            },
            &[R::History],
        ),
        ("an entry says another state", |_, _, t| t.entries[4].state = "completed".into(), &[R::History]),
    ]);
}

/// The box of CMD1 shipped once more, whole by all other rules: events, audit, replay row, history.
fn shipped_twice(_: &mut Vec<Operation>, watched: &mut Watched, t: &mut Tables) {
    let again = ("SHIP_BOX", "BOX_SHIPPED", "orders.box_shipped", "completed");
    reports(t, (FIELD, work::REPORT, "w-12"), 30, ("CMD1-S1", "done", 1), again);
    watched.seen.extend(t.events.iter().filter(|e| e.party_id == PARTY && e.revision == 18).cloned());
    t.orders[0] = order("CMD1", "completed", "R3", 6, 18);
}

#[test]
fn every_corruption_of_work_is_found() {
    use Rule as R;
    each_is_found(&[
        ("a milestone twice", shipped_twice, &[R::History, R::Once, R::Boxes, R::Fencing]),
        (
            "a lease before the one before was over",
            |_, _, t| rewrite(t, "w-7", "work", |l| l.recorded_at = 25 * SECOND - 1),
            &[R::Leases],
        ),
        (
            "a lease that an extension kept alive is taken over",
            |_, _, t| rewrite(t, "w-5", "work", |l| l.recorded_at = 16 * SECOND),
            &[R::Leases],
        ),
        (
            "a token twice",
            |_, _, t| rewrite(t, "w-7", "work", |l| l.detail = l.detail.replace(":2", ":1")),
            &[R::Leases, R::Fencing],
        ),
        ("a lease that no word tells of", |_, _, t| t.work[2].token = 2, &[R::Leases, R::Fencing]),
        (
            "done with an older token",
            |_, _, t| rewrite(t, "w-9", "work/", |l| l.detail = l.detail.replace("token=2", "token=1")),
            &[R::Fencing],
        ),
        (
            "a word of who lost the lease",
            |_, _, t| rewrite(t, "w-8", "work/", |l| l.detail = l.detail.replace("token=2", "token=1")),
            &[R::Leases, R::Fencing],
        ),
        ("done, and nobody said so", |_, _, t| t.work[3].state = "done".into(), &[R::Fencing]),
        ("said to be done, and it is not", |_, _, t| t.work[2].state = "cancelled".into(), &[R::Fencing]),
        ("a piece of work is lost", |_, _, t| drop(t.work.remove(0)), &[R::Leases]),
        (
            "work of an order that is over stays open",
            |_, _, t| t.work[3].state = "open".into(),
            &[R::WorkOfOrder, R::JourneysEnd],
        ),
        (
            "a box that nobody waits for any more",
            |_, _, t| {
                let returns =
                    WorkRow { capability: "returns".into(), state: "leased".into(), ..t.work[3].clone() };
                t.work[3] = returns;
            },
            &[R::JourneysEnd],
        ),
        (
            "a report that changed nothing of its order",
            |_, _, t| rewrite(t, "w-9", "orders/", |l| l.detail = "action=COMPLETE state=installed".into()),
            &[R::ReportIsEntry],
        ),
        (
            "a report without the audit line of its work",
            |_, _, t| rewrite(t, "w-11", "work/", |l| l.request_id = "w-110".into()),
            &[R::WholeOrAbsent],
        ),
        (
            "an empty answer that leased something",
            |_, _, t| t.requests.iter_mut().find(|r| r.request_id == "w-10").unwrap().response.clear(),
            &[R::WholeOrAbsent],
        ),
    ]);
}

#[test]
fn every_corruption_of_what_orders_hold_is_found() {
    use Rule as R;
    each_is_found(&[
        ("a delivered access is not on", |_, _, t| t.accesses[0].state = "pending".into(), &[R::Accesses]),
        ("an access of nobody", |_, _, t| t.accesses.push(t.accesses[1].clone()), &[R::Accesses]),
        ("its address is not in use", |_, _, t| t.addresses.clear(), &[R::Addresses]),
        (
            "the address of an order that is over stays in use",
            |_, _, t| t.addresses.push(AddressRow { ipv4: "192.0.2.2".into(), aid: "F-CMD2".into() }),
            &[R::Addresses],
        ),
        (
            "an address of two",
            |_, _, t| t.addresses.push(AddressRow { ipv4: "192.0.2.1".into(), aid: "F-9".into() }),
            &[R::Addresses],
        ),
        ("a delivered socket is dark", |_, _, t| t.lines[0].state = "INACTIVE".into(), &[R::Network]),
        ("a socket is lost", |_, _, t| t.lines.clear(), &[R::Network]),
        (
            "a socket of nobody",
            |_, _, t| t.lines.push(LineRow { pto: "P".into(), ..t.lines[0].clone() }),
            &[R::Network],
        ),
        ("a fibre is held by nobody", |_, _, t| t.fibres[0].held = 1, &[R::Network]),
        ("a fibre is held for ever", |_, _, t| t.orders[1].fibre_held = 1, &[R::Network]),
        ("a box left the stock unsaid", |_, _, t| t.boxes[1].state = "shipped".into(), &[R::Boxes]),
        ("a box is back unsaid", |_, _, t| t.boxes[0].state = "returned".into(), &[R::Boxes]),
        ("a box shipped for another order", |_, _, t| t.boxes[0].number = "CMD2".into(), &[R::Boxes]),
        ("a box is lost", |_, _, t| drop(t.boxes.remove(0)), &[R::Boxes]),
    ]);
}

#[test]
fn every_corruption_of_a_watch_is_found() {
    each_is_found(&[
        ("the first event is left out", |_, w, _| drop(w.seen.remove(0)), &[Rule::Watch]),
        ("an event is left out", |_, w, _| drop(w.seen.remove(4)), &[Rule::Watch]),
        ("the last event is left out", |_, w, _| drop(w.seen.pop()), &[Rule::Watch]),
        ("an event twice", |_, w, _| w.seen.insert(4, w.seen[3].clone()), &[Rule::Watch]),
        ("two events changed places", |_, w, _| w.seen.swap(2, 3), &[Rule::Watch]),
        ("an event says another state", |_, w, _| w.seen[5].state = "x".into(), &[Rule::Watch]),
        ("a watch was refused", |_, w, _| w.refusals.push("INTERNAL".into()), &[Rule::Watch]),
    ]);
}
