//! The checker on a box that takes another way: it leaves for an order that has failed meanwhile, it is lost and another one
//! follows, it leaves when the days for a new appointment are over. Each story passes, and its corruptions are found.

use super::{
    story::{
        FIELD, OTHER, SECOND, access, acts, box_of, cancelled, change, entry, lists, order, reports, story,
        work_of,
    },
    tests::{HOLD, PARTY, answer},
    *,
};

/// A story and its tables, with more in it than the common one.
type Story = (Vec<Operation>, Vec<Watched>, Tables);
type Corruption = fn(&mut Tables);

const SHIPPED: (&str, &str, &str) = ("SHIP_BOX", "BOX_SHIPPED", "orders.box_shipped");
const RETURNED: (&str, &str, &str) = ("RETURN_BOX", "BOX_RETURNED", "orders.box_returned");

fn step((action, kind, event): (&'static str, &'static str, &'static str), state: &str) -> [String; 4] {
    [action, kind, event, state].map(str::to_owned)
}

/// One piece of work, leased by a worker and reported by it with one word a second later.
fn does(
    t: &mut Tables,
    (worker, id): (&str, &str),
    second: i64,
    (capability, work_id, done, serial): (&str, &str, &str, &str),
    [action, kind, event, state]: [String; 4],
) {
    let leased = format!("capability={capability} leased={work_id}:1");
    lists(t, (worker, work::LEASE, &format!("{id}-l")), second, &leased);
    let word = (&*action, &*kind, &*event, &*state);
    reports(t, (worker, work::REPORT, id), second + 1, (work_id, done, 1, serial), word);
}

/// The box that left for an order that has failed, and came back.
fn leaves_and_comes_back(t: &mut Tables, number: &str, entries: usize) {
    let (ships, returns) = (format!("{number}-S1"), format!("{number}-R{entries}"));
    does(t, (FIELD, "v-1"), 30, ("shipping", &ships, "done", "B2"), step(SHIPPED, "failed"));
    does(t, (OTHER, "v-2"), 40, ("returns", &returns, "done", "B2"), step(RETURNED, "failed"));
    t.work.push(work_of(&returns, "returns", "done", 1));
    t.boxes[1] = box_of("B2", "returned", number);
}

/// A watch that saw the rest of it too.
fn watched(history: Vec<Operation>, mut watches: Vec<Watched>, t: Tables) -> Story {
    let own = |e: &&EventRow| e.party_id == PARTY && e.revision > 6;
    watches[0].seen = t.events.iter().filter(own).cloned().collect();
    (history, watches, t)
}

/// CMD2 was cancelled while a worker packed its box.
fn creation_in_vain() -> Story {
    let (history, watches, mut t) = story();
    leaves_and_comes_back(&mut t, "CMD2", 3);
    t.orders[1] = order("CMD2", "failed", "R4", 4, 19);
    t.work[3] = work_of("CMD2-S1", "shipping", "done", 1);
    watched(history, watches, t)
}

/// An exchange of the box of CMD1 that was cancelled while a worker packed the new one.
fn exchange_in_vain() -> Story {
    let (mut history, watches, mut t) = story();
    let accepted = ("orders/CMD3", "orders.accepted", "in_progress");
    let told = answer("CMD3", 18, "in_progress", "");
    acts((&mut history, &mut t), "x-1", orders::EXCHANGE, told, &[accepted]);
    let given_up = ("orders/CMD3", "orders.cancelled", "failed");
    acts((&mut history, &mut t), "x-2", orders::CANCEL, answer("CMD3", 19, "failed", ""), &[given_up]);
    entry(&mut t, "CMD3", "ACCEPTED", "operator", "in_progress", "");
    entry(&mut t, "CMD3", "CANCELLED", "operator", "failed", "");
    leaves_and_comes_back(&mut t, "CMD3", 3);
    t.orders.push(OrderRow {
        kind: "box_exchange".into(),
        aid: "F-CMD1".into(),
        ipv4: "192.0.2.1".into(),
        ..order("CMD3", "failed", "", 4, 21)
    });
    t.work.push(work_of("CMD3-S1", "shipping", "done", 1));
    watched(history, watches, t)
}

/// A creation more, CMD3 on R5, accepted at revision 20.
fn with_another() -> Story {
    let (mut history, watches, mut t) = story();
    let held = ("appointments/R5", "appointments.held", "held");
    acts((&mut history, &mut t), "e-1", HOLD, answer("R5", 18, "held", "S1"), &[held]);
    let both = [
        ("appointments/R5", "appointments.confirmed", "confirmed"),
        ("orders/CMD3", "orders.accepted", "in_progress"),
    ];
    acts((&mut history, &mut t), "e-2", orders::CREATE, answer("CMD3", 20, "in_progress", ""), &both);
    entry(&mut t, "CMD3", "ACCEPTED", "operator", "in_progress", "");
    t.accesses.push(access("CMD3", "terminated", "192.0.2.3"));
    (history, watches, t)
}

/// The end customer of CMD3 was absent, the days for another appointment went by, and nobody had looked when its box left.
fn expired() -> Story {
    let (history, watches, mut t) = with_another();
    let absent = ("REPORT_ABSENCE", "CUSTOMER_ABSENT", "orders.customer_absent");
    let visit = ("installation", "CMD3-I1", "done", "");
    does(&mut t, (OTHER, "e-3"), 30, visit, step(absent, "appointment_to_retake"));
    let let_go = ("appointments/R5", "appointments.cancelled", "cancelled");
    change(&mut t, PARTY, (OTHER, work::REPORT, "e-3"), 31 * SECOND, let_go, "state=cancelled");
    let over = ("orders/CMD3", "orders.expired", "failed");
    let by = (FIELD, work::REPORT, "v-1");
    change(&mut t, PARTY, by, 31 * SECOND, over, "action=EXPIRE state=failed");
    entry(&mut t, "CMD3", "EXPIRED", "server", "failed", "");
    leaves_and_comes_back(&mut t, "CMD3", 4);
    t.orders.push(order("CMD3", "failed", "", 5, 25));
    t.appointments.push(cancelled("R5", "CMD3", 22));
    t.work.push(work_of("CMD3-I1", "installation", "done", 1));
    t.work.push(work_of("CMD3-S1", "shipping", "done", 1));
    watched(history, watches, t)
}

/// The first box of CMD3 was lost, another one left, and then the operator gave up.
fn lost() -> Story {
    let (mut history, watches, mut t) = with_another();
    let gone = ("LOSE_BOX", "BOX_LOST", "orders.box_lost");
    let under_way = "in_progress";
    does(&mut t, (FIELD, "e-3"), 20, ("shipping", "CMD3-S1", "done", "B2"), step(SHIPPED, under_way));
    does(&mut t, (OTHER, "e-4"), 30, ("installation", "CMD3-I1", "leased", "B2"), step(gone, under_way));
    does(&mut t, (FIELD, "e-5"), 32, ("shipping", "CMD3-S3", "done", "B3"), step(SHIPPED, under_way));
    let both = [
        ("orders/CMD3", "orders.cancelled", "failed"),
        ("appointments/R5", "appointments.cancelled", "cancelled"),
    ];
    acts((&mut history, &mut t), "e-6", orders::CANCEL, answer("CMD3", 24, "failed", ""), &both);
    entry(&mut t, "CMD3", "CANCELLED", "operator", "failed", "");
    does(&mut t, (OTHER, "e-7"), 40, ("returns", "CMD3-R5", "done", "B3"), step(RETURNED, "failed"));
    t.orders.push(order("CMD3", "failed", "R5", 6, 26));
    t.appointments.push(cancelled("R5", "CMD3", 25));
    for (id, capability, state) in [
        ("CMD3-S1", "shipping", "done"),
        ("CMD3-I1", "installation", "cancelled"),
        ("CMD3-S3", "shipping", "done"),
        ("CMD3-R5", "returns", "done"),
    ] {
        t.work.push(work_of(id, capability, state, 1));
    }
    t.boxes[1] = box_of("B2", "lost", "CMD3");
    t.boxes.push(box_of("B3", "returned", "CMD3"));
    watched(history, watches, t)
}

fn each_is_found(story: fn() -> Story, corruptions: &[(&str, Corruption, &[Rule])]) {
    let (history, watches, tables) = story();
    assert_eq!(check(&history, &watches, &tables), []);
    for (what, corrupt, expected) in corruptions {
        let mut tables = tables.clone();
        corrupt(&mut tables);
        let violations = check(&history, &watches, &tables);
        let rules: BTreeSet<Rule> = violations.iter().map(|v| v.rule).collect();
        let rules: Vec<Rule> = rules.into_iter().collect();
        assert_eq!(rules, *expected, "{what}: {violations:?}");
    }
}

/// The last line of an order's history with this kind.
fn last<'a>(t: &'a mut Tables, number: &str, kind: &str) -> &'a mut EntryRow {
    t.entries.iter_mut().rfind(|e| e.number == number && e.kind == kind).unwrap()
}

#[test]
fn a_box_that_left_in_vain_comes_back() {
    let corruptions: [(&str, Corruption, &[Rule]); 3] = [
        ("it is not back", |t| t.boxes[1].state = "shipped".into(), &[Rule::Boxes]),
        (
            "it is never fetched",
            |t| t.work.iter_mut().rfind(|w| w.capability == "returns").unwrap().state = "open".into(),
            &[Rule::Fencing, Rule::JourneysEnd],
        ),
        (
            "its shipping was not done",
            |t| t.work.iter_mut().rfind(|w| &w.work_id[4..] == "-S1" && w.token == 1).unwrap().token = 2,
            &[Rule::Leases, Rule::Fencing],
        ),
    ];
    each_is_found(creation_in_vain, &corruptions);
    each_is_found(exchange_in_vain, &corruptions);
    each_is_found(
        exchange_in_vain,
        &[(
            "it moved the order",
            |t| last(t, "CMD3", "BOX_SHIPPED").state = "waiting_for_box_return".into(),
            &[Rule::History],
        )],
    );
}

#[test]
fn an_order_expires_before_its_box_is_heard_of() {
    let of_orders = |l: &&mut AuditRow| l.request_id == "v-1" && l.resource == "orders/CMD3";
    assert_eq!(expired().2.audit.iter_mut().filter(of_orders).count(), 2);
    each_is_found(
        expired,
        &[
            (
                "the expiry alone",
                |t| {
                    let ship =
                        t.audit.iter_mut().find(|l| l.request_id == "v-1" && l.detail.contains("SHIP_BOX"));
                    ship.unwrap().detail = "action=EXPIRE state=failed".into();
                },
                &[Rule::WholeOrAbsent, Rule::Chain, Rule::ReportIsEntry],
            ),
            ("the expiry is in no history", |t| t.entries.retain(|e| e.kind != "EXPIRED"), &[Rule::History]),
            (
                "the expiry is another's word",
                |t| last(t, "CMD3", "EXPIRED").author = "field".into(),
                &[Rule::ReportIsEntry],
            ),
        ],
    );
}

#[test]
fn a_box_that_is_lost_is_followed_by_another() {
    each_is_found(
        lost,
        &[
            ("the lost box is back", |t| t.boxes[1].state = "returned".into(), &[Rule::Boxes]),
            ("the lost box is under way", |t| t.boxes[1].state = "shipped".into(), &[Rule::Boxes]),
            ("the other box is lost too", |t| t.boxes[2].state = "lost".into(), &[Rule::Boxes]),
            (
                "another box was lost",
                |t| last(t, "CMD3", "BOX_LOST").facts = "box_serial=B3".into(),
                &[Rule::Boxes],
            ),
            (
                "a box follows that none was lost for",
                |t| {
                    let kind = "orders.customer_absent";
                    last(t, "CMD3", "BOX_LOST").kind = "CUSTOMER_ABSENT".into();
                    t.events.iter_mut().find(|e| e.kind == "orders.box_lost").unwrap().kind = kind.into();
                },
                &[Rule::History, Rule::Once, Rule::Boxes, Rule::ReportIsEntry, Rule::Watch],
            ),
        ],
    );
}
