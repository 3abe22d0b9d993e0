//! The checker itself: a good history passes, and each kind of corruption is found by its rule.

use super::*;

pub const PARTY: &str = "o-900000001";
pub const HOLD: &str = "/eservices.appointments.v1.AppointmentService/HoldAppointment";
const MOVE: &str = "/eservices.appointments.v1.AppointmentService/RescheduleAppointment";
const CANCEL: &str = "/eservices.appointments.v1.AppointmentService/CancelAppointment";

/// Hashes made with Python's hashlib from the field order in the documentation.
#[test]
fn hashes_are_those_of_the_published_order() {
    let mut line = AuditRow {
        party_id: PARTY.into(),
        position: 1,
        actor: "s-cli".into(),
        method: "registry.grant".into(),
        request_id: "r-1".into(),
        resource: PARTY.into(),
        detail: "granted: é".into(),
        recorded_at: 1_795_510_800_000_000,
        previous: String::new(),
        hash: String::new(),
    };
    let first = "300407b830223aa07979841e93ef661f5d17671dba19db7b706b8e04fa8d13d4";
    assert_eq!(hash_of(&line, ""), first);
    line = AuditRow {
        position: 2,
        actor: PARTY.into(),
        method: "/p.S/M".into(),
        request_id: "r-2".into(),
        resource: "appointments/A".into(),
        detail: "state=held slot=S1".into(),
        recorded_at: 1_795_510_800_000_001,
        ..line
    };
    assert_eq!(hash_of(&line, first), "f9ba5a7612474fcae32e321b361810939b03c9de0c4b3da6cb090f79b188afca");
}

pub fn answer(reference: &str, revision: i64, state: &str, slot_id: &str) -> Answer {
    let bytes = format!("{reference} {revision} {state} {slot_id}").into_bytes();
    Answer { reference: reference.into(), revision, state: state.into(), slot_id: slot_id.into(), bytes }
}

pub fn operation(request_id: &str, method: &'static str, attempts: Vec<Outcome>) -> Operation {
    Operation { party_id: PARTY.into(), method, request_id: request_id.into(), attempts }
}

/// Three holds, a move, a cancel, a lapse, and a refusal; one answer was lost, asked for again, and asked for once more.
pub fn good() -> (Vec<Operation>, Tables) {
    let ok = |a: Answer| vec![Outcome::Acknowledged(a)];
    let kept = answer("R3", 6, "held", "S2");
    let history = vec![
        operation("id-1", HOLD, ok(answer("R1", 1, "held", "S1"))),
        operation("id-2", HOLD, ok(answer("R2", 2, "held", "S1"))),
        operation("id-3", MOVE, ok(answer("R1", 3, "held", "S2"))),
        operation("id-4", CANCEL, ok(answer("R1", 5, "cancelled", "S2"))),
        operation(
            "id-5",
            HOLD,
            vec![Outcome::Unknown, Outcome::Acknowledged(kept.clone()), Outcome::Acknowledged(kept)],
        ),
        operation("id-6", HOLD, vec![Outcome::Unknown, Outcome::Refused("FRDV02".into())]),
    ];
    (history, tables())
}

fn tables() -> Tables {
    let event = |revision, kind: &str, reference: &str, state: &str| EventRow {
        party_id: PARTY.into(),
        revision,
        kind: format!("appointments.{kind}"),
        resource: format!("appointments/{reference}"),
        state: state.into(),
    };
    let request = |request_id: &str, method: &str, a: Answer| RequestRow {
        party_id: PARTY.into(),
        method: method.into(),
        request_id: request_id.into(),
        resource: format!("appointments/{}", a.reference),
        response: a.bytes,
    };
    let appointment = |reference: &str, state: &str, slot_id: &str, version, revision| AppointmentRow {
        reference: reference.into(),
        party_id: PARTY.into(),
        state: state.into(),
        slot_id: slot_id.into(),
        version,
        revision,
        order_ref: String::new(),
    };
    let mut tables = Tables {
        parties: vec![PartyRow {
            party_id: PARTY.into(),
            revision: 6,
            audit_length: 0,
            audit_head: String::new(),
        }],
        requests: vec![
            request("id-1", HOLD, answer("R1", 1, "held", "S1")),
            request("id-2", HOLD, answer("R2", 2, "held", "S1")),
            request("id-3", MOVE, answer("R1", 3, "held", "S2")),
            request("id-4", CANCEL, answer("R1", 5, "cancelled", "S2")),
            request("id-5", HOLD, answer("R3", 6, "held", "S2")),
        ],
        events: vec![
            event(1, "held", "R1", "held"),
            event(2, "held", "R2", "held"),
            event(3, "rescheduled", "R1", "held"),
            event(4, "lapsed", "R2", "lapsed"),
            event(5, "cancelled", "R1", "cancelled"),
            event(6, "held", "R3", "held"),
        ],
        audit: Vec::new(),
        slots: vec![
            SlotRow { slot_id: "S1".into(), capacity: 2, booked: 0 },
            SlotRow { slot_id: "S2".into(), capacity: 1, booked: 1 },
        ],
        appointments: vec![
            appointment("R1", "cancelled", "S2", 3, 5),
            appointment("R2", "lapsed", "S1", 2, 4),
            appointment("R3", "held", "S2", 1, 6),
        ],
        samples: vec![SampleRow { slot_id: "S1".into(), capacity: 2, booked: 2, alive: 2 }],
        ..Tables::default()
    };
    for (actor, method, request_id, resource) in [
        ("s-cli", "registry.create_operator", "cli-1", PARTY),
        (PARTY, HOLD, "id-1", "appointments/R1"),
        (PARTY, HOLD, "id-2", "appointments/R2"),
        (PARTY, MOVE, "id-3", "appointments/R1"),
        ("s-eservices", "appointments.lapse", "", "appointments/R2"),
        (PARTY, CANCEL, "id-4", "appointments/R1"),
        (PARTY, HOLD, "id-5", "appointments/R3"),
    ] {
        line(&mut tables, actor, method, request_id, resource);
    }
    tables
}

/// One line more at the end of the chain, as the server would write it.
fn line(tables: &mut Tables, actor: &str, method: &str, request_id: &str, resource: &str) {
    line_of(tables, PARTY, (actor, method, request_id), resource, "state=held", 7);
}

/// The same for any party: who does what by which request, to which object, with which detail, when.
pub fn line_of(
    tables: &mut Tables,
    party_id: &str,
    (actor, method, request_id): (&str, &str, &str),
    resource: &str,
    detail: &str,
    recorded_at: i64,
) {
    let party = tables.parties.iter_mut().find(|p| p.party_id == party_id).unwrap();
    let mut line = AuditRow {
        party_id: party_id.into(),
        position: party.audit_length + 1,
        actor: actor.into(),
        method: method.into(),
        request_id: request_id.into(),
        resource: resource.into(),
        detail: detail.into(),
        recorded_at,
        previous: party.audit_head.clone(),
        hash: String::new(),
    };
    line.hash = hash_of(&line, &party.audit_head);
    party.audit_length += 1;
    party.audit_head.clone_from(&line.hash);
    tables.audit.push(line);
}

fn rules(history: &[Operation], tables: &Tables) -> Vec<Rule> {
    let found: BTreeSet<Rule> = check(history, &[], tables).into_iter().map(|v| v.rule).collect();
    found.into_iter().collect()
}

#[test]
fn a_good_history_passes() {
    let (history, tables) = good();
    assert_eq!(check(&history, &[], &tables), []);
}

type Corruption = fn(&mut Vec<Operation>, &mut Tables);

#[test]
fn every_corruption_is_found() {
    use Rule as R;
    let corruptions: &[(&str, Corruption, &[Rule])] = &[
        (
            "an acknowledged write is lost as a whole",
            |_, t| {
                t.requests.pop();
                t.events.pop();
                t.appointments.pop();
                t.slots[1].booked = 0;
                let last = t.audit.pop().unwrap();
                t.parties[0] = PartyRow {
                    revision: 5,
                    audit_length: 6,
                    audit_head: last.previous,
                    ..t.parties[0].clone()
                };
            },
            &[R::AcknowledgedIsThere],
        ),
        (
            "the replay row is lost",
            |_, t| drop(t.requests.remove(1)),
            &[R::AcknowledgedIsThere, R::WholeOrAbsent],
        ),
        (
            "the replay row of a write that nobody heard of is lost",
            |h, t| {
                h[4].attempts.truncate(1);
                t.requests.pop();
            },
            &[R::WholeOrAbsent],
        ),
        (
            "a refused write is there",
            |h, _| h[4].attempts = vec![Outcome::Unknown, Outcome::Refused("ETAG_MISMATCH".into())],
            &[R::RefusedIsAbsent],
        ),
        (
            "a refusal says INTERNAL",
            |h, _| h[5].attempts[1] = Outcome::Refused("INTERNAL".into()),
            &[R::NoFault],
        ),
        (
            "a replay says something else",
            |h, _| h[4].attempts[2] = Outcome::Acknowledged(answer("R4", 6, "held", "S2")),
            &[R::ReplaysEqual],
        ),
        (
            "a replay is refused",
            |h, _| h[4].attempts[2] = Outcome::Refused("FRDV02".into()),
            &[R::ReplaysEqual],
        ),
        ("the replay row holds another answer", |_, t| t.requests[2].response.push(b'!'), &[R::ReplaysEqual]),
        (
            "an effect twice",
            |_, t| {
                t.events.push(EventRow { revision: 7, ..t.events[4].clone() });
                t.parties[0].revision = 7;
            },
            &[R::WholeOrAbsent, R::AppointmentIsItsEvents],
        ),
        (
            "two audit lines of one request",
            |_, t| line(t, PARTY, CANCEL, "id-4", "appointments/R1"),
            &[R::AcknowledgedIsThere, R::WholeOrAbsent],
        ),
        (
            "an audit line that no request explains",
            |_, t| line(t, PARTY, CANCEL, "id-9", "appointments/R1"),
            &[R::WholeOrAbsent],
        ),
        (
            "a lapse written twice",
            |_, t| line(t, "s-eservices", "appointments.lapse", "", "appointments/R2"),
            &[R::WholeOrAbsent],
        ),
        (
            "a lapse that was never announced",
            |_, t| line(t, "s-eservices", "appointments.lapse", "", "appointments/R9"),
            &[R::WholeOrAbsent],
        ),
        ("a request that nobody sent", |h, _| drop(h.remove(0)), &[R::WholeOrAbsent]),
        ("an event that says another state", |_, t| t.events[0].state = "lapsed".into(), &[R::AnswerIsEvent]),
        (
            "an event of another kind",
            |_, t| t.events[2].kind = "appointments.moved".into(),
            &[R::AnswerIsEvent],
        ),
        (
            "two revisions changed places",
            |_, t| {
                t.events[0].revision = 2;
                t.events[1].revision = 1;
            },
            &[R::AnswerIsEvent],
        ),
        (
            "a revision is left out",
            |_, t| t.events[5].revision = 7,
            &[R::AcknowledgedIsThere, R::Revisions, R::AppointmentIsItsEvents],
        ),
        ("the party row is ahead of its events", |_, t| t.parties[0].revision = 9, &[R::Revisions]),
        ("an audit line was changed", |_, t| t.audit[3].detail.push('x'), &[R::Chain]),
        (
            "an audit line was changed and hashed anew",
            |_, t| {
                t.audit[3].detail.push('x');
                t.audit[3].hash = hash_of(&t.audit[3], &t.audit[3].previous);
            },
            &[R::Chain],
        ),
        ("the first audit line is gone", |_, t| drop(t.audit.remove(0)), &[R::Chain]),
        ("the party row remembers another end", |_, t| t.parties[0].audit_head = "00".into(), &[R::Chain]),
        (
            "a state that no event announced",
            |_, t| t.appointments[1].state = "cancelled".into(),
            &[R::AppointmentIsItsEvents],
        ),
        ("a version more than events", |_, t| t.appointments[0].version = 4, &[R::AppointmentIsItsEvents]),
        ("an appointment is lost", |_, t| drop(t.appointments.remove(0)), &[R::AppointmentIsItsEvents]),
        ("a place is taken by nobody", |_, t| t.slots[0].booked = 1, &[R::Places]),
        ("a place was freed twice", |_, t| t.slots[1].booked = 0, &[R::Places]),
        ("a slot is oversold", |_, t| t.slots[1].capacity = 0, &[R::Places]),
        ("a slot was oversold once", |_, t| t.samples[0].capacity = 1, &[R::Places]),
        ("a place was once taken by nobody", |_, t| t.samples[0].alive = 1, &[R::Places]),
    ];
    for (what, corrupt, expected) in corruptions {
        let (mut history, mut tables) = good();
        corrupt(&mut history, &mut tables);
        assert_eq!(rules(&history, &tables), *expected, "{what}: {:?}", check(&history, &[], &tables));
    }
}
