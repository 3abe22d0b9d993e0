//! The checker on orders, work and watches: a good story passes, and each kind of corruption is found by its rule.

use super::{
    story::{FIELD, SECOND, order, reports, story},
    tests::{PARTY, operation},
    *,
};

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
            "an order that its operator cannot read",
            |h, _, _| h.push(operation("CMD1", READ, vec![Outcome::Refused("ORDER_NOT_FOUND".into())])),
            &[R::AcknowledgedIsThere],
        ),
        (
            "an order that fails to be read",
            |h, _, _| h.push(operation("CMD1", READ, vec![Outcome::Refused("INTERNAL".into())])),
            &[R::AcknowledgedIsThere, R::NoFault],
        ),
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
    reports(t, (FIELD, work::REPORT, "w-12"), 30, ("CMD1-S1", "done", 1, "B1"), again);
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
