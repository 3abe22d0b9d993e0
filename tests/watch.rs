//! The Watch: every change once, in order, without gap; across restarts, nodes and cuts; only what the certificate may see.

use std::{collections::BTreeSet, fs, time::Duration};

use eservices::{
    appointments::v1::{
        Appointment, CancelAppointmentRequest, HoldAppointmentRequest, Intervention,
        RescheduleAppointmentRequest,
    },
    events::v1::{Event, Heartbeat, WatchEventsRequest, WatchEventsResponse, watch_events_response::Message},
    sandbox::v1::{AdvanceClockRequest, ResetAppointmentsRequest, advance_clock_request::Target},
};
use eservices_client::{Client, Error, Watch, new_request_id};
use eservices_server::{
    events::rules::KINDS,
    platform::{
        registry::{self, Holder},
        retention, revisions,
    },
};
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use tonic::{Code, Status, Streaming};

use crate::harness::{
    ALL, Identity, Plan, SIRENS, START, World, database,
    database::{execute, number},
    hold, hold_request, intervention,
    node::Relay,
    reason, refusal, repo, slot_id,
};

/// Whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

type Stream = Streaming<WatchEventsResponse>;

fn from(token: &str) -> WatchEventsRequest {
    WatchEventsRequest { resume_token: token.into(), ..WatchEventsRequest::default() }
}

async fn message(stream: &mut Stream) -> Result<Message, Status> {
    let message = timeout(PATIENCE, stream.message()).await.expect("a message in time")?;
    Ok(message.expect("a watch does not end by itself").message.unwrap())
}

/// Opens a watch and takes its first message.
async fn watch(client: &Client, request: WatchEventsRequest) -> Result<(Stream, Heartbeat), Status> {
    let mut stream = client.events().service().watch_events(request).await?.into_inner();
    match message(&mut stream).await? {
        Message::Heartbeat(first) => Ok((stream, first)),
        Message::Event(event) => panic!("the first message is a heartbeat: {event:?}"),
    }
}

/// The next event; heartbeats before it are passed over.
async fn event(stream: &mut Stream) -> Result<Event, Status> {
    loop {
        if let Message::Event(event) = message(stream).await? {
            return Ok(event);
        }
    }
}

/// The next heartbeat, and how many events came before it.
async fn heartbeat(stream: &mut Stream) -> (Heartbeat, usize) {
    let mut events = 0;
    loop {
        match message(stream).await.unwrap() {
            Message::Heartbeat(heartbeat) => return (heartbeat, events),
            Message::Event(_) => events += 1,
        }
    }
}

async fn events(stream: &mut Stream, count: usize) -> Vec<Event> {
    let mut events = Vec::with_capacity(count);
    for _ in 0..count {
        events.push(event(stream).await.unwrap());
    }
    events
}

/// What ends the stream.
async fn end(stream: &mut Stream) -> Status {
    loop {
        if let Err(status) = message(stream).await {
            return status;
        }
    }
}

fn revisions_of(events: &[Event]) -> Vec<i64> {
    events.iter().map(|e| e.revision).collect()
}

fn told(event: &Event) -> (i64, &str, &str, &str, &str) {
    (event.revision, &event.e_service, &event.kind, &event.resource, &event.state)
}

async fn cancel(client: &Client, appointment: &Appointment) {
    let request = CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: appointment.reference.clone(),
        etag: appointment.etag.clone(),
    };
    client.appointments().cancel_appointment(request).await.unwrap();
}

async fn hold_copper(client: &Client, slot: &str) -> Appointment {
    let copper =
        Intervention { product_nature: "CELAN".into(), access_id: "F00000021".into(), ..intervention() };
    let request = HoldAppointmentRequest { intervention: Some(copper), ..hold_request(slot) };
    client.appointments().hold_appointment(request).await.unwrap().into_inner().appointment.unwrap()
}

/// A world with room, one operator that holds everything, and its client.
async fn stage(plan: Plan) -> (World, Identity, Client) {
    let world = World::from(plan).await;
    world.capacity(1_000).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let client = world.client(&identity).await;
    (world, identity, client)
}

/// A heartbeat each second.
fn quick() -> Plan {
    let mut plan = Plan::default();
    plan.config.events.heartbeat_seconds = 1;
    plan
}

/// Events that no call made, for the first operator: 1 to 30,000, all of one hour ago.
const MANY: i64 = 30_000;

async fn write_many(world: &World) {
    let db = &world.platform.db;
    let written = execute(
        db,
        "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 30000) \
         INSERT INTO events (party_id, revision, e_service, kind, resource, state, occurred_at, recorded_at) \
         SELECT 'o-900000001', i, 'sandbox', 'sandbox.appointments_reset', 'appointments', 'reset', 0, 1000000 * i FROM n",
    )
    .await;
    assert_eq!(written, MANY.unsigned_abs());
    execute(db, "UPDATE parties SET revision = 30000 WHERE party_id = 'o-900000001'").await;
    revisions::look(&world.platform).await.unwrap();
}

#[tokio::test]
async fn each_change_is_told_as_it_happens() {
    let (world, _, client) = stage(Plan::default()).await;
    let (mut stream, first) = watch(&client, from("")).await.unwrap();
    assert_eq!((first.revision, first.interval_seconds), (0, 15));
    let held = hold(&client, &slot_id(8, "08:00")).await;
    let name = format!("appointments/{}", held.reference);
    let told_of_hold = event(&mut stream).await.unwrap();
    assert_eq!(told(&told_of_hold), (1, "e-rdv-grand-public", "appointments.held", &*name, "held"));
    assert_eq!(told_of_hold.revision, held.revision, "the answer of the call has the event's revision");
    assert_eq!(told_of_hold.occur_time.unwrap().to_string(), START);

    let request = RescheduleAppointmentRequest {
        request_id: new_request_id(),
        reference: held.reference.clone(),
        etag: held.etag,
        slot_id: slot_id(9, "08:00"),
    };
    client.appointments().reschedule_appointment(request).await.unwrap();
    let business = hold_copper(&client, &slot_id(8, "08:00")).await;
    let business_name = format!("appointments/{}", business.reference);
    // Both holds end after less than a day.
    let advance = AdvanceClockRequest {
        request_id: new_request_id(),
        target: Some(Target::By(prost_types::Duration { seconds: 86_400, nanos: 0 })),
    };
    client.sandbox().advance_clock(advance).await.unwrap();
    let reset = ResetAppointmentsRequest { request_id: new_request_id() };
    client.sandbox().reset_appointments(reset).await.unwrap();
    let seen = events(&mut stream, 6).await;
    let (e_rdv, sandbox) = (["e-rdv-grand-public", "e-rdv-entreprise"], "sandbox");
    assert_eq!(told(&seen[0]), (2, e_rdv[0], "appointments.rescheduled", &*name, "held"));
    assert_eq!(told(&seen[1]), (3, e_rdv[1], "appointments.held", &*business_name, "held"));
    assert_eq!(told(&seen[2]), (4, "sandbox-clock", "sandbox.clock_changed", "clock", "advanced"));
    let lapsed: BTreeSet<_> =
        seen[3..5].iter().map(|e| (&*e.e_service, &*e.kind, &*e.resource, &*e.state)).collect();
    let expected = [
        (e_rdv[0], "appointments.lapsed", &*name, "lapsed"),
        (e_rdv[1], "appointments.lapsed", &*business_name, "lapsed"),
    ];
    assert_eq!(lapsed, expected.into());
    assert_eq!(told(&seen[5]), (7, sandbox, "sandbox.appointments_reset", "appointments", "reset"));
    assert!(seen.iter().all(|e| (40..=200).contains(&e.resume_token.len())));
    drop(world);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_that_write_at_once_leave_no_gap() {
    const ROUNDS: usize = 25;
    let (world, identity, client) = stage(Plan::default()).await;
    let (mut live, first) = watch(&client, from("")).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let client = world.client(&identity).await;
        writers.spawn(async move {
            for _ in 0..ROUNDS {
                let held = hold(&client, &slot_id(8 + writer, "08:00")).await;
                cancel(&client, &held).await;
            }
        });
    }
    let seen = events(&mut live, 4 * 2 * ROUNDS).await;
    writers.join_all().await;
    assert_eq!(revisions_of(&seen), (1..=200).collect::<Vec<i64>>());
    let (mut again, _) = watch(&client, from(&first.resume_token)).await.unwrap();
    assert_eq!(events(&mut again, 200).await, seen, "read later it is the same");
    for at in [0, 99, 198] {
        let (mut rest, from_there) = watch(&client, from(&seen[at].resume_token)).await.unwrap();
        assert_eq!(from_there.revision, seen[at].revision);
        assert_eq!(event(&mut rest).await.unwrap(), seen[at + 1]);
    }
    let written = "SELECT CAST(revision AS TEXT) || kind || resource || state FROM events \
                   WHERE party_id = 'o-900000001' ORDER BY revision";
    let shown: Vec<String> =
        seen.iter().map(|e| format!("{}{}{}{}", e.revision, e.kind, e.resource, e.state)).collect();
    assert_eq!(database::texts(&world.platform.db, written).await, shown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_outlives_its_stream_its_server_and_its_node() {
    let (mut world, identity, client) = stage(Plan::default()).await;
    let other = world.beside(None).await;
    let there = world.client_at(other.address, &identity).await;
    let (mut near, _) = watch(&client, from("")).await.unwrap();
    let (mut far, _) = watch(&there, from("")).await.unwrap();
    // Written on both nodes in turns: both watches see all of it.
    for n in 0..10 {
        hold(if n % 2 == 0 { &client } else { &there }, &slot_id(8, "08:00")).await;
    }
    let seen = events(&mut near, 10).await;
    assert_eq!(revisions_of(&seen), (1..=10).collect::<Vec<i64>>());
    assert_eq!(events(&mut far, 10).await, seen);

    // A token of one node on the other, and of a server that is gone.
    let (mut resumed, _) = watch(&there, from(&seen[3].resume_token)).await.unwrap();
    assert_eq!(events(&mut resumed, 6).await, seen[4..]);
    let address = world.address;
    world.stop().await;
    hold(&there, &slot_id(8, "08:00")).await;
    let restarted = world.beside(Some(address)).await;
    let back = world.client_at(restarted.address, &identity).await;
    let (mut resumed, _) = watch(&back, from(&seen[9].resume_token)).await.unwrap();
    assert_eq!(event(&mut resumed).await.unwrap().revision, 11);
    hold(&back, &slot_id(8, "08:00")).await;
    assert_eq!(event(&mut resumed).await.unwrap().revision, 12);
    assert_eq!(revisions_of(&events(&mut far, 2).await), [11, 12]);
    drop((resumed, far));
    restarted.server.stop().await;
    other.server.stop().await;
}

#[tokio::test]
async fn a_token_of_another_or_a_changed_one_is_garbage() {
    let (world, _, client) = stage(Plan::default()).await;
    let ghost = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let (_stream, first) = watch(&client, from("")).await.unwrap();
    let token = first.resume_token;
    let refused = async |client: &Client, token: &str| {
        let error = refusal(watch(client, from(token)).await);
        let fields: Vec<String> = error.field_violations().into_iter().map(|v| v.field).collect();
        (error.reason_name().map(str::to_owned), error.message().to_owned(), fields)
    };
    let garbage = refused(&client, "bm9uc2Vuc2U").await;
    assert_eq!(
        (garbage.0.as_deref(), garbage.2.as_slice()),
        (Some("FIELDS_INVALID"), &["resume_token".to_owned()][..])
    );
    assert_eq!(refused(&ghost, &token).await, garbage, "another operator's");
    for at in [0, token.len() / 2, token.len() - 1] {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert_eq!(refused(&client, &changed).await, garbage, "changed at {at}");
    }
    // One for a list is none for a watch.
    hold(&client, &slot_id(8, "08:00")).await;
    hold(&client, &slot_id(8, "08:00")).await;
    let list = eservices::appointments::v1::ListAppointmentsRequest { page_size: 1, ..Default::default() };
    let page = client.appointments().list_appointments(list).await.unwrap().into_inner().next_page_token;
    assert_eq!(refused(&client, &page).await, garbage);
    assert!(watch(&client, from(&token)).await.is_ok());
}

async fn reset(client: &Client) {
    let request = ResetAppointmentsRequest { request_id: new_request_id() };
    client.sandbox().reset_appointments(request).await.unwrap();
}

/// Asked, first kept and last revision of a refusal for want of events.
fn extent(answer: Result<(Stream, Heartbeat), Status>) -> [String; 3] {
    let error = refusal(answer);
    assert_eq!((error.code(), error.reason_name()), (Code::OutOfRange, Some("EVENTS_NOT_KEPT_ANY_MORE")));
    assert!(error.remedy().unwrap().starts_with("Watch without a token first, then list"));
    ["asked_revision", "first_kept_revision", "last_revision"]
        .map(|key| error.metadata(key).unwrap().to_owned())
}

#[tokio::test]
async fn a_token_that_is_too_old_says_how_to_catch_up() {
    const DAY: i64 = 86_400;
    let (world, _, client) = stage(Plan::default()).await;
    assert_eq!(world.platform.config.events.retention_days, 30);
    let forget = async || retention::forget_old_events(&world.platform).await.unwrap();
    let (mut stream, first) = watch(&client, from("")).await.unwrap();
    for _ in 0..5 {
        hold(&client, &slot_id(8, "08:00")).await;
    }
    let seen = events(&mut stream, 5).await;
    world.machine_on(10 * DAY).await;
    reset(&client).await;
    let sixth = event(&mut stream).await.unwrap();
    world.machine_on(20 * DAY - 60).await;
    assert_eq!(forget().await, 0, "a minute is left");
    world.machine_on(120).await;
    // Five of the operator, two of the back office, which published zones and slots.
    assert_eq!(forget().await, 7);
    assert_eq!(forget().await, 0);

    assert_eq!(extent(watch(&client, from(&first.resume_token)).await), ["0", "6", "6"]);
    assert_eq!(extent(watch(&client, from(&seen[3].resume_token)).await), ["4", "6", "6"]);
    let (mut resumed, _) = watch(&client, from(&seen[4].resume_token)).await.unwrap();
    assert_eq!(event(&mut resumed).await.unwrap(), sixth, "all after the fifth is there");
    // The cure.
    let (mut anew, now) = watch(&client, from("")).await.unwrap();
    assert_eq!(now.revision, 6);
    reset(&client).await;
    for stream in [&mut stream, &mut resumed, &mut anew] {
        assert_eq!(event(stream).await.unwrap().revision, 7);
    }
    // Nothing is kept, and nothing is missing.
    world.machine_on(31 * DAY).await;
    assert_eq!(forget().await, 2);
    let (mut resumed, now) = watch(&client, from("")).await.unwrap();
    assert_eq!(now.revision, 7);
    assert_eq!(extent(watch(&client, from(&sixth.resume_token)).await), ["6", "8", "7"]);
    reset(&client).await;
    for stream in [&mut stream, &mut resumed, &mut anew] {
        assert_eq!(event(stream).await.unwrap().revision, 8);
    }
    // The database goes back to a backup: a token of its future is no promise of it.
    let (_later, now) = watch(&client, from("")).await.unwrap();
    execute(&world.platform.db, "UPDATE parties SET revision = 7 WHERE party_id = 'o-900000001'").await;
    assert_eq!(extent(watch(&client, from(&now.resume_token)).await), ["8", "8", "7"]);
    // The client's own watch does not go on in silence either.
    let error = client.events().watch(from(&now.resume_token)).next().await.unwrap_err();
    assert_eq!(error.reason_name(), Some("EVENTS_NOT_KEPT_ANY_MORE"));
}

#[tokio::test]
async fn a_filter_leaves_out_and_its_token_moves_on_all_the_same() {
    let (_world, _, client) = stage(quick()).await;
    let open = async |e_services: &[&str], kinds: &[&str], resources: &[&str]| {
        let all = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
        let request = WatchEventsRequest {
            e_services: all(e_services),
            kinds: all(kinds),
            resources: all(resources),
            resume_token: String::new(),
        };
        watch(&client, request).await
    };
    let first = hold(&client, &slot_id(8, "08:00")).await;
    let name = format!("appointments/{}", first.reference);
    let (mut business, _) = open(&["e-rdv-entreprise"], &[], &[]).await.unwrap();
    let (mut cancelled, _) =
        open(&[], &["appointments.cancelled", "appointments.lapsed"], &[]).await.unwrap();
    let (mut one, _) = open(&[], &[], &[&name]).await.unwrap();
    let (mut nothing, _) = open(&["sandbox"], &["appointments.held"], &[]).await.unwrap();
    let second = hold(&client, &slot_id(8, "08:00")).await;
    let copper = hold_copper(&client, &slot_id(8, "13:00")).await;
    cancel(&client, &first).await;
    cancel(&client, &second).await;
    cancel(&client, &copper).await;
    assert_eq!(revisions_of(&events(&mut business, 2).await), [3, 6]);
    assert_eq!(revisions_of(&events(&mut cancelled, 3).await), [4, 5, 6]);
    assert_eq!(revisions_of(&events(&mut one, 1).await), [4]);
    let (beat, shown) = heartbeat(&mut nothing).await;
    assert_eq!((beat.revision, shown), (6, 0));
    let (mut rest, _) = watch(&client, from(&beat.resume_token)).await.unwrap();
    reset(&client).await;
    assert_eq!(
        event(&mut rest).await.unwrap().revision,
        7,
        "the token of a heartbeat is where it has looked"
    );

    let refused = async |e_services: &[&str], kinds: &[&str], resources: &[&str]| {
        let error = refusal(open(e_services, kinds, resources).await);
        let fields: Vec<String> = error.field_violations().into_iter().map(|v| v.field).collect();
        (error.reason_name().unwrap().to_owned(), fields.join(","))
    };
    let invalid = |fields: &str| ("FIELDS_INVALID".to_owned(), fields.to_owned());
    assert_eq!(
        refused(&["no-service"], &["appointments"], &[""]).await,
        invalid("e_services,kinds,resources")
    );
    assert_eq!(refused(&["e-rdv-entreprise"; 21], &[], &[]).await, invalid("e_services"));
    assert_eq!(refused(&[], &["appointments.held"; 51], &[]).await, invalid("kinds"));
    assert_eq!(refused(&[], &[], &["appointments/1"; 101]).await, invalid("resources"));
    assert_eq!(refused(&[], &[], &[&"x".repeat(121)]).await, invalid("resources"));
}

#[tokio::test]
async fn a_foreign_object_has_no_events() {
    let (world, _, client) = stage(quick()).await;
    let ghost = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let held = hold(&client, &slot_id(8, "08:00")).await;
    let names = |name: String| WatchEventsRequest { resources: vec![name], ..WatchEventsRequest::default() };
    let (mut foreign, _) = watch(&ghost, names(format!("appointments/{}", held.reference))).await.unwrap();
    let (mut all, _) = watch(&ghost, from("")).await.unwrap();
    cancel(&client, &held).await;
    for stream in [&mut foreign, &mut all] {
        let (beat, shown) = heartbeat(stream).await;
        assert_eq!((beat.revision, shown), (0, 0));
    }
}

#[tokio::test]
async fn what_the_certificate_may_not_see_is_not_shown() {
    let (world, _, client) = stage(quick()).await;
    let public = world
        .client(&world.operator_with(SIRENS[1], ALL, &["e-rdv-grand-public", "sandbox-clock"]).await)
        .await;
    let whole = world
        .certificate(&Holder::operator(SIRENS[1]).unwrap(), ALL, world.platform.config.environment)
        .await;
    let whole = world.client(&whole).await;
    let names = |e_service: &str| WatchEventsRequest {
        e_services: vec![e_service.into()],
        ..WatchEventsRequest::default()
    };
    assert_eq!(reason(watch(&public, names("e-rdv-entreprise")).await), "E_SERVICE_NOT_IN_CERTIFICATE");
    let (mut partial, _) = watch(&public, from("")).await.unwrap();
    let (mut full, _) = watch(&whole, from("")).await.unwrap();
    let (mut named, _) = watch(&whole, names("e-rdv-entreprise")).await.unwrap();
    hold_copper(&whole, &slot_id(8, "08:00")).await;
    hold(&whole, &slot_id(8, "08:00")).await;
    assert_eq!(revisions_of(&events(&mut full, 2).await), [1, 2]);
    assert_eq!(revisions_of(&events(&mut partial, 1).await), [2]);
    assert_eq!(revisions_of(&events(&mut named, 1).await), [1]);

    // The right is withdrawn: what happens from now on is not shown any more, and who named it is told.
    let network = world.platform.network.load();
    let holder = Holder::operator(SIRENS[1]).unwrap();
    let gone = ["e-rdv-entreprise".to_owned()];
    let id = new_request_id();
    registry::withdraw(&world.platform.db, world.by(&id), &holder, &gone, network.reference.eservices())
        .await
        .unwrap();
    world.look().await;
    let advance = AdvanceClockRequest {
        request_id: new_request_id(),
        target: Some(Target::By(prost_types::Duration { seconds: 86_400, nanos: 0 })),
    };
    whole.sandbox().advance_clock(advance).await.unwrap();
    let seen = events(&mut full, 2).await;
    assert_eq!(
        seen.iter().map(|e| &*e.kind).collect::<Vec<_>>(),
        ["sandbox.clock_changed", "appointments.lapsed"]
    );
    assert_eq!(seen[1].e_service, "e-rdv-grand-public");
    assert_eq!(
        number(&world.platform.db, "SELECT revision FROM parties WHERE party_id = 'o-900000019'").await,
        5
    );
    assert_eq!(reason(Err::<(), _>(end(&mut named).await)), "E_SERVICE_NOT_SUBSCRIBED");
    drop(client);
}

#[tokio::test]
async fn a_revoked_certificate_ends_its_watch() {
    let (world, identity, client) = stage(Plan::default()).await;
    let (mut stream, _) = watch(&client, from("")).await.unwrap();
    let mut own = client.events().watch(from(""));
    let ended = tokio::spawn(async move { own.next().await.unwrap_err() });
    let id = new_request_id();
    registry::revoke_certificate(&world.platform.db, world.by(&id), &identity.serial, None).await.unwrap();
    assert_eq!(reason(Err::<(), _>(end(&mut stream).await)), "CERTIFICATE_REVOKED");
    let error = timeout(PATIENCE, ended).await.unwrap().unwrap();
    assert_eq!(error.reason_name(), Some("CERTIFICATE_REVOKED"), "{error:?}");
}

#[tokio::test]
async fn a_server_that_stops_ends_watches_at_once() {
    let (mut world, _, client) = stage(Plan::default()).await;
    let (mut stream, _) = watch(&client, from("")).await.unwrap();
    let ended = tokio::spawn(async move { (end(&mut stream).await, Instant::now()) });
    let start = Instant::now();
    world.stop().await;
    let (status, at) = timeout(PATIENCE, ended).await.unwrap().unwrap();
    assert_eq!(reason(Err::<(), _>(status)), "SHUTTING_DOWN");
    assert!(at - start < Duration::from_secs(1), "{:?}", at - start);
}

#[tokio::test]
async fn a_certificate_has_so_many_watches_and_no_more() {
    let mut plan = Plan::default();
    plan.config.events.watches_per_certificate = 2;
    let (world, _, client) = stage(plan).await;
    let other = world
        .certificate(&Holder::operator(SIRENS[0]).unwrap(), ALL, world.platform.config.environment)
        .await;
    let other = world.client(&other).await;
    let first = watch(&client, from("")).await.unwrap();
    let _second = watch(&client, from("")).await.unwrap();
    let error = refusal(watch(&client, from("")).await);
    assert_eq!((error.code(), error.reason_name()), (Code::ResourceExhausted, Some("TOO_MANY_WATCHES")));
    assert_eq!(error.metadata("limit"), Some("2"));
    let error = client.events().watch(from("")).next().await.unwrap_err();
    assert_eq!(error.reason_name(), Some("TOO_MANY_WATCHES"), "a watch that never stood ends");
    watch(&other, from("")).await.unwrap();
    drop(first);
    timeout(PATIENCE, async {
        while let Err(status) = watch(&client, from("")).await {
            assert_eq!(reason(Err::<(), _>(status)), "TOO_MANY_WATCHES");
        }
    })
    .await
    .expect("the place of a watch that ended is free");
}

#[tokio::test]
async fn heartbeats_come_where_nothing_happens() {
    let (_world, _, client) = stage(quick()).await;
    let (mut stream, first) = watch(&client, from("")).await.unwrap();
    assert_eq!(first.interval_seconds, 1);
    let start = Instant::now();
    for _ in 0..3 {
        let (beat, shown) = heartbeat(&mut stream).await;
        assert_eq!((beat.revision, shown, beat.resume_token), (0, 0, first.resume_token.clone()));
    }
    let took = start.elapsed();
    assert!((Duration::from_millis(2_900)..Duration::from_secs(6)).contains(&took), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_loses_nothing_and_holds_nobody_up() {
    let (world, identity, client) = stage(Plan::default()).await;
    let (mut slow, _) = watch(&client, from("")).await.unwrap();
    let (mut quick, first) = watch(&world.client(&identity).await, from("")).await.unwrap();
    write_many(&world).await;
    let expected: Vec<i64> = (1..=MANY).collect();
    assert_eq!(revisions_of(&events(&mut quick, 30_000).await), expected);
    assert_eq!(revisions_of(&events(&mut slow, 30_000).await), expected);

    // Retention is faster than a third one: it is told, and does not go on with a gap.
    let (mut slower, _) = watch(&client, from(&first.resume_token)).await.unwrap();
    assert_eq!(revisions_of(&events(&mut slower, 10).await), expected[..10]);
    assert_eq!(retention::forget_old_events(&world.platform).await.unwrap(), MANY.unsigned_abs());
    let mut last = 10;
    let status = loop {
        match event(&mut slower).await {
            Ok(event) => {
                assert_eq!(event.revision, last + 1);
                last += 1;
            }
            Err(status) => break status,
        }
    };
    let error = refusal(Err::<(), _>(status));
    assert_eq!(error.reason_name(), Some("EVENTS_NOT_KEPT_ANY_MORE"));
    assert_eq!(error.metadata("asked_revision"), Some(&*last.to_string()));
    let kept_from: i64 = error.metadata("first_kept_revision").unwrap().parse().unwrap();
    assert!(last + 1 < kept_from && kept_from <= MANY + 1, "{kept_from}");
    assert_eq!(
        number(&world.platform.db, "SELECT events_kept_from FROM parties WHERE party_id = 'o-900000001'")
            .await,
        30_001
    );
}

async fn taken(watch: &mut Watch, count: usize) -> Vec<i64> {
    let mut revisions = Vec::with_capacity(count);
    for _ in 0..count {
        revisions.push(timeout(PATIENCE, watch.next()).await.expect("an event in time").unwrap().revision);
    }
    revisions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_watch_goes_on_after_its_answer_was_given_up() {
    let mut plan = quick();
    plan.config.limits.stalled_answer_seconds = 1;
    let (world, identity, client) = stage(plan).await;
    let (mut clock, first) = watch(&client, from("")).await.unwrap();
    let mut own = world.client_at(world.address, &identity).await.events().watch(from(&first.resume_token));
    write_many(&world).await;
    assert_eq!(taken(&mut own, 1).await, [1]);
    // Nothing is taken for longer than the server waits.
    events(&mut clock, 30_000).await;
    for _ in 0..3 {
        heartbeat(&mut clock).await;
    }
    assert_eq!(taken(&mut own, 29_999).await, (2..=MANY).collect::<Vec<i64>>());
    assert!(own.connects() > 1, "it was cut");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_watch_survives_twenty_cuts() {
    const CUTS: u64 = 20;
    let (mut world, identity, client) = stage(Plan::default()).await;
    let relay = Relay::to(world.address).await;
    let through = world.client_at(relay.address, &identity).await;
    let mut own = through.events().watch(from(&watch(&client, from("")).await.unwrap().1.resume_token));
    hold(&client, &slot_id(8, "08:00")).await;
    assert_eq!(taken(&mut own, 1).await, [1], "it stands");
    let mut seen = Vec::new();
    for round in 0..CUTS {
        let before = usize::try_from(round % 4).unwrap();
        for _ in 0..before {
            hold(&client, &slot_id(8, "08:00")).await;
        }
        // What is on its way may arrive before the cut or not; what is written after it needs another stream.
        relay.cut();
        hold(&client, &slot_id(8, "13:00")).await;
        seen.extend(taken(&mut own, before + 1).await);
    }
    assert_eq!(seen, (2..=51).collect::<Vec<i64>>());
    assert_eq!(own.connects(), CUTS + 1);

    // The server restarts: the watch goes on with the new one.
    let address = world.address;
    world.stop().await;
    let restarted = world.beside(Some(address)).await;
    let back = world.client_at(restarted.address, &identity).await;
    hold(&back, &slot_id(8, "08:00")).await;
    assert_eq!(taken(&mut own, 1).await, [52]);
    // What it hands out continues elsewhere.
    let (mut elsewhere, _) = watch(&back, from(own.resume_token())).await.unwrap();
    hold(&back, &slot_id(8, "08:00")).await;
    assert_eq!(event(&mut elsewhere).await.unwrap().revision, 53);
    assert_eq!(taken(&mut own, 1).await, [53]);
    drop((elsewhere, own));
    restarted.server.stop().await;
}

#[tokio::test]
async fn the_clients_watch_ends_with_a_refusal() {
    let (world, _, client) = stage(Plan::default()).await;
    let told = |error: Error| error.reason_name().map(str::to_owned);
    let error = client.events().watch(from("garbage")).next().await.unwrap_err();
    assert_eq!(told(error).as_deref(), Some("FIELDS_INVALID"));
    let stranger = world.operator(SIRENS[1], &["tao"]).await;
    let error = world.client(&stranger).await.events().watch(from("")).next().await.unwrap_err();
    assert_eq!(told(error).as_deref(), Some("E_SERVICE_NOT_SUBSCRIBED"));
    let foreign = crate::harness::issue(
        &world.pki.foreign,
        &Holder::operator(SIRENS[0]).unwrap(),
        ALL,
        world.platform.config.environment,
        eservices_server::platform::pki::Validity::days(crate::harness::real_now(), 30).unwrap(),
    );
    let mut refused = world.client_at(world.address, &foreign.0).await.events().watch(from(""));
    let error = timeout(PATIENCE, refused.next()).await.expect("it does not try for ever").unwrap_err();
    assert_eq!((error.code(), error.reason_name()), (Code::Unavailable, None), "{error:?}");
}

/// Kinds that slices announce, as written in their sources.
fn announced() -> BTreeSet<String> {
    fn read(dir: &std::path::Path, into: &mut String) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, into);
            } else if path.extension().is_some_and(|e| e == "rs") {
                into.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut sources = String::new();
    read(&repo().join("server/src"), &mut sources);
    // A call names its kind, or hands on what `changed(`, `told(` or `relocate(` was called with, or what an arm of `kind` says.
    let literals = |call: &str| -> Vec<String> {
        let literals = call.split(';').next().unwrap().split('"').skip(1).step_by(2);
        literals.filter(|l| l.contains('.')).map(str::to_owned).collect()
    };
    let calls = [".announce(", " changed(", " told(", "::relocate("]
        .into_iter()
        .flat_map(|name| sources.split(name).skip(1));
    let arms =
        sources.split("=> \"orders.").skip(1).map(|arm| format!("orders.{}", arm.split('"').next().unwrap()));
    calls.filter_map(|call| literals(call).into_iter().next()).chain(arms).collect()
}

#[test]
fn every_kind_that_is_announced_can_be_watched_and_is_documented() {
    let announced = announced();
    // The back office does not watch.
    let back_office = |kind: &String| kind.starts_with("fulfilment.") || kind.starts_with("reference.");
    let watched: BTreeSet<String> = announced.into_iter().filter(|kind| !back_office(kind)).collect();
    assert_eq!(
        watched,
        KINDS.iter().map(|k| k.name.to_owned()).collect(),
        "events/rules.rs lists every kind"
    );
    let method = eservices::method("/eservices.events.v1.EventService/WatchEvents").unwrap();
    let page = fs::read_to_string(repo().join("docs/watch.md")).unwrap();
    for kind in KINDS {
        // What exists outside production only opens no method of production; its events are shown all the same.
        let opens = |e: &str| method.e_services.contains(&e) || e.starts_with("sandbox");
        assert!(kind.e_services.iter().all(|e| opens(e)), "{}: who holds it may watch", kind.name);
        let e_services: Vec<String> = kind.e_services.iter().map(|e| format!("`{e}`")).collect();
        let row = format!("| `{}` | {} | {} |", kind.name, e_services.join(", "), kind.tells);
        assert!(page.contains(&row), "docs/watch.md lacks the row\n{row}");
    }
}
