//! P9: repeating a request never repeats its effect. Every mutating method, found from the contract's own table.

mod examples;

use bytes::Bytes;
use eservices::{
    METHODS,
    appointments::v1::{CancelAppointmentRequest, HoldAppointmentResponse},
    fulfilment::v1::Capability,
    orders::v1::Order,
    sandbox::v1::{AdvanceClockRequest, ResetAppointmentsRequest, advance_clock_request::Target},
};
use eservices_client::new_request_id;
use eservices_reference::{GO_ON, Options};
use eservices_server::platform::{
    config::Environment,
    db::Db,
    network::releases::{self as rows, ReleaseRow},
    registry::{self, Holder},
};
use http_body_util::Full;
use hyper::client::conn::http2::SendRequest;
use prost::Message as _;

use self::examples::{Example, Setting, Who, example};
use crate::harness::{
    ALL, Identity, Plan, SIRENS, World, database,
    database::number,
    field::{Field, handle, lease},
    hold, hold_request, ipe_files,
    orders::{absent, cancelled, place},
    raw::{Answer, Raw, framed, grpc},
    real_now, reason, slot_id,
};

const HOLD: &str = "/eservices.appointments.v1.AppointmentService/HoldAppointment";

const ORDERS: &str = "/eservices.orders.v1.OrderService/";
const CREATE: &str = "/eservices.orders.v1.OrderService/CreateOrder";
const ERASE: &str = "/eservices.orders.v1.OrderService/EraseContact";
const RETAKE: &str = "/eservices.orders.v1.OrderService/RetakeAppointment";
const ON_ACCESS: [&str; 2] =
    ["/eservices.orders.v1.OrderService/TerminateAccess", "/eservices.orders.v1.OrderService/ExchangeBox"];
const WORK: &str = "/eservices.fulfilment.v1.WorkService/";
const LEASE_WORK: &str = "/eservices.fulfilment.v1.WorkService/LeaseWork";

/// What the tables hold: differences of it are the effect of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Effect {
    requests: i64,
    events: i64,
    audit_lines: i64,
    appointments: i64,
    /// Held or confirmed.
    alive: i64,
    /// Sum of the versions of all appointments.
    versions: i64,
    /// Places taken in the slot that the setting's appointment is in.
    booked_first: i64,
    /// Places taken in all slots.
    booked: i64,
    slots: i64,
    zones: i64,
    orders: i64,
    /// Sum of the versions of all orders.
    order_versions: i64,
    /// Entries of the histories of all orders.
    entries: i64,
    /// End customers that are known.
    contacts: i64,
    /// Fixed addresses in use.
    addresses: i64,
    /// Fibres held for orders.
    fibres: i64,
    /// Pieces of work that are open or leased.
    work: i64,
    /// Times that work was leased.
    leases: i64,
    /// Boxes that are known.
    boxes: i64,
    /// Start of business time, seconds.
    clock: i64,
    /// Imports that calls started.
    imports: i64,
    /// Changes of release.
    activations: i64,
    /// Releases whose files were removed.
    removed: i64,
}

impl Effect {
    async fn so_far(db: &Db) -> Self {
        // An import that a call started ends by itself, with an event and a line of its own.
        let running = "SELECT COUNT(*) FROM reference_imports WHERE state = 'running' AND node <> 'none'";
        while number(db, running).await > 0 {
            tokio::task::yield_now().await;
        }
        Self {
            requests: number(db, "SELECT COUNT(*) FROM requests").await,
            events: number(db, "SELECT COUNT(*) FROM events").await,
            audit_lines: number(db, "SELECT COUNT(*) FROM audit").await,
            appointments: number(db, "SELECT COUNT(*) FROM appointments").await,
            alive: number(db, "SELECT COUNT(*) FROM appointments WHERE state IN ('held', 'confirmed')").await,
            versions: number(db, "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM appointments").await,
            booked_first: number(
                db,
                "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots WHERE slot_id = 'ZMLV-20261202-0800'",
            )
            .await,
            booked: number(db, "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots").await,
            slots: number(db, "SELECT COUNT(*) FROM appointments_slots").await,
            zones: number(db, "SELECT COUNT(*) FROM appointments_zones").await,
            orders: number(db, "SELECT COUNT(*) FROM orders").await,
            order_versions: number(db, "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) FROM orders").await,
            entries: number(db, "SELECT COUNT(*) FROM orders_history").await,
            contacts: number(db, "SELECT COUNT(*) FROM orders_contacts").await,
            addresses: number(db, "SELECT COUNT(*) FROM orders_addresses WHERE released_at IS NULL").await,
            fibres: number(db, "SELECT CAST(COALESCE(SUM(held), 0) AS BIGINT) FROM network_fibres").await,
            work: number(db, "SELECT COUNT(*) FROM orders_work WHERE state IN ('open', 'leased')").await,
            leases: number(db, "SELECT CAST(COALESCE(SUM(token), 0) AS BIGINT) FROM orders_work").await,
            boxes: number(db, "SELECT COUNT(*) FROM orders_boxes").await,
            clock: number(db, "SELECT base / 1000000 FROM business_clock").await,
            imports: number(db, "SELECT COUNT(*) FROM reference_imports").await,
            activations: number(db, "SELECT COUNT(*) FROM reference_activations").await,
            removed: number(db, "SELECT COUNT(*) FROM reference_releases WHERE removed_at <> 0").await,
        }
    }

    fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            events: self.events - before.events,
            audit_lines: self.audit_lines - before.audit_lines,
            appointments: self.appointments - before.appointments,
            alive: self.alive - before.alive,
            versions: self.versions - before.versions,
            booked_first: self.booked_first - before.booked_first,
            booked: self.booked - before.booked,
            slots: self.slots - before.slots,
            zones: self.zones - before.zones,
            orders: self.orders - before.orders,
            order_versions: self.order_versions - before.order_versions,
            entries: self.entries - before.entries,
            contacts: self.contacts - before.contacts,
            addresses: self.addresses - before.addresses,
            fibres: self.fibres - before.fibres,
            work: self.work - before.work,
            leases: self.leases - before.leases,
            boxes: self.boxes - before.boxes,
            clock: self.clock - before.clock,
            imports: self.imports - before.imports,
            activations: self.activations - before.activations,
            removed: self.removed - before.removed,
        }
    }
}

/// A world in which the example of a method passes: two callers of each kind, each operator with one held appointment, and
/// an order where the method is about one.
struct Stage {
    world: World,
    operators: [(Identity, Setting); 2],
    systems: [(Identity, Setting); 2],
}

impl Stage {
    async fn set(path: &str) -> Self {
        let mut plan = Plan::default();
        // What the test itself writes of an import must not be taken for dead.
        plan.config.reference.import_silent_seconds = 3_600;
        let world = World::from(plan).await;
        world.capacity(4).await;
        let delivered = if ON_ACCESS.contains(&path) { delivered(&world).await } else { Vec::new() };
        let mut operators = Vec::new();
        for (n, siren) in SIRENS[..2].iter().enumerate() {
            let identity = match ON_ACCESS.contains(&path) {
                true => {
                    world
                        .certificate(&Holder::operator(siren).unwrap(), ALL, Environment::NonProduction)
                        .await
                }
                false => world.operator(siren, ALL).await,
            };
            let client = world.client(&identity).await;
            let order = match path {
                _ if ON_ACCESS.contains(&path) => Some(delivered[n].clone()),
                CREATE => None,
                RETAKE => {
                    let placed = place(&client, "ALPHA-1", &slot_id(9, "08:00")).await;
                    Some(absent(&world, &identity.party_id, &placed.number).await)
                }
                ERASE => {
                    let placed = place(&client, "ALPHA-1", &slot_id(9, "08:00")).await;
                    Some(cancelled(&client, placed).await)
                }
                _ if path.starts_with(ORDERS) || path.starts_with(WORK) => {
                    Some(place(&client, "ALPHA-1", &slot_id(9, "08:00")).await)
                }
                _ => None,
            };
            let held = hold(&client, &slot_id(8, "08:00")).await;
            let order = order.unwrap_or_default();
            let setting = Setting { reference: held.reference, etag: held.etag, order, ..Setting::default() };
            operators.push((identity, setting));
        }
        let releases = match path.starts_with("/eservices.reference.") {
            true => releases(&world, path).await,
            false => [String::new(), String::new()],
        };
        let holder = Holder::system("workforce").unwrap();
        let roles = ["logistics", "reference", "workforce"];
        let id = new_request_id();
        let network = world.platform.network.load();
        let granted = [roles[0].to_owned(), roles[1].to_owned()];
        let catalogue = network.reference.eservices();
        registry::grant(&world.platform.db, world.by(&id), &holder, &granted, catalogue).await.unwrap();
        let first = world.certificate(&holder, &roles, Environment::NonProduction).await;
        let mut systems = Vec::new();
        for (n, identity) in [first, world.system("planning", &roles).await].into_iter().enumerate() {
            let (_, of): &(Identity, Setting) = &operators[n];
            let mut setting = of.clone();
            if path.starts_with(WORK) && path != LEASE_WORK {
                let client = world.client(&identity).await;
                setting.lease = handle(&lease(&client, Capability::Installation, 1).await.unwrap()[0]);
            }
            // Each removes another release, where it removes one.
            setting.releases = [releases[n].clone(), releases[1 - n].clone()];
            systems.push((identity, setting));
        }
        let systems = systems.try_into().unwrap_or_else(|_| unreachable!());
        let operators = operators.try_into().unwrap_or_else(|_| unreachable!());
        Self { world, operators, systems }
    }

    fn caller(&self, who: Who, n: usize) -> (&Identity, &Setting) {
        match who {
            Who::Operator => (&self.operators[n].0, &self.operators[n].1),
            Who::System => (&self.systems[n].0, &self.systems[n].1),
        }
    }

    async fn connection(&self, identity: &Identity) -> SendRequest<Full<Bytes>> {
        let root = self.world.pki.root.certificate_pem();
        let raw =
            Raw::open(self.world.address, root, Some(identity), &[&rustls::version::TLS13]).await.unwrap();
        raw.sender
    }

    async fn effect(&self) -> Effect {
        Effect::so_far(&self.world.platform.db).await
    }
}

/// Two releases of the store that are not served, and a served one after another; files in the inbox; for the cancellation
/// of an import one that no node runs.
async fn releases(world: &World, path: &str) -> [String; 2] {
    let options = Options { memory_bytes: 16 << 20, dry_run: false, today: "2026-11-24".parse().unwrap() };
    let import = |version: u32| {
        let files = ipe_files(&world.dir.path().join(format!("files{version}")), version);
        world.platform.releases.import(&files, &options, &mut |_| GO_ON).unwrap().manifest
    };
    let names = [1, 2, 3, 4].map(|version| {
        let manifest = import(version);
        (manifest.id().to_owned(), ReleaseRow::of(&manifest, "s-test", real_now()))
    });
    for (n, (_, row)) in names.iter().enumerate() {
        rows::bring_in(&world.platform.db, row, n >= 2, real_now()).await.unwrap();
    }
    ipe_files(&world.dir.path().join("inbox"), 5);
    if path.ends_with("/CancelImport") {
        database::execute(
            &world.platform.db,
            "INSERT INTO reference_imports (import_id, party_id, state, files, serve, dry_run, node, heartbeat, cancelled, \
             phase, done, total, row_count, refused, remarks, release, served, fault, started_at) \
             VALUES ('0f8fad5b-d9cb-469f-a165-70867728950e', 's-workforce', 'running', 'a.csv', 0, 0, 'none', 0, 0, 0, 0, 0, \
             0, 0, 0, '', 0, '', 0)",
        )
        .await;
    }
    [names[0].0.clone(), names[1].0.clone()]
}

/// A delivered access of each of two operators.
async fn delivered(world: &World) -> Vec<Order> {
    let both = world.client(&world.system("field", &["logistics", "workforce"]).await).await;
    let field = Field { workforce: both.clone(), logistics: both };
    field.stock(2).await;
    let mut orders = Vec::new();
    for siren in &SIRENS[..2] {
        let client = world.client(&world.operator(siren, ALL).await).await;
        orders.push(place(&client, "ALPHA-1", &slot_id(9, "08:00")).await);
    }
    // Once both are placed: the house has its one socket after the first.
    field.deliver_all(&["BX-0001", "BX-0002"], &["FI-0A1B-2C3D", "FI-0A1B-2C3E"]).await;
    orders
}

async fn call(sender: &SendRequest<Full<Bytes>>, path: &str, message: Vec<u8>) -> Answer {
    let driver = tokio::spawn(async { Ok(()) });
    let mut raw = Raw { sender: sender.clone(), driver, server_certificate: Vec::new() };
    raw.call(path, &message).await.unwrap()
}

/// The message of an answer that must be OK.
fn message(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.status().code(), tonic::Code::Ok, "{}", answer.status());
    assert!(answer.body.len() > 5, "an answer without a message");
    answer.message().to_vec()
}

fn mutating() -> impl Iterator<Item = (&'static str, Example)> {
    METHODS.iter().filter(|m| m.mutates()).map(|m| (m.path, example(m.path)))
}

#[tokio::test]
async fn five_at_once_are_one_effect_and_equal_bytes() {
    for (path, example) in mutating() {
        let mut stage = Stage::set(path).await;
        let (identity, setting) = stage.caller(example.who, 0);
        let connections = [stage.connection(identity).await, stage.connection(identity).await];
        let id = new_request_id();
        let body = (example.body)(setting, &id);
        let before = stage.effect().await;

        let calls = (0..5).map(|n| {
            let (sender, body) = (connections[n % 2].clone(), body.clone());
            tokio::spawn(async move { message(&call(&sender, path, body).await) })
        });
        let mut answers = Vec::new();
        for task in calls.collect::<Vec<_>>() {
            answers.push(task.await.unwrap());
        }
        assert!(answers.iter().all(|a| *a == answers[0]), "{path}: {answers:?}");
        assert_eq!(stage.effect().await.since(before), example.effect, "{path}");

        let after = stage.effect().await;
        if let Some(other) = example.other_body {
            let refused = call(&connections[0], path, other(setting, &id)).await.status();
            assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{path}: {refused}");
            assert_eq!(reason(Err::<(), _>(refused)), "REQUEST_ID_REUSED", "{path}");
            assert_eq!(stage.effect().await, after, "{path}: another body");
        }

        move_on(&stage).await;
        let moved = stage.effect().await;
        assert_ne!(moved, after);
        assert_eq!(message(&call(&connections[1], path, body).await), answers[0], "{path}: later");
        assert_eq!(stage.effect().await, moved, "{path}: a replay after the state moved on");
        // A server of PostgreSQL has so many connections, and no more.
        stage.world.stop().await;
    }
}

/// Everything that an answer could depend on changes: appointments, clock, day.
async fn move_on(stage: &Stage) {
    for (identity, _) in &stage.operators {
        let client = stage.world.client(identity).await;
        let reset = ResetAppointmentsRequest { request_id: new_request_id() };
        client.sandbox().reset_appointments(reset).await.unwrap();
        let by = prost_types::Duration { seconds: 2 * 86_400, nanos: 0 };
        let advance = AdvanceClockRequest { request_id: new_request_id(), target: Some(Target::By(by)) };
        client.sandbox().advance_clock(advance).await.unwrap();
    }
}

#[tokio::test]
async fn another_caller_may_use_the_same_request_id() {
    for (path, example) in mutating() {
        let mut stage = Stage::set(path).await;
        let id = new_request_id();
        for n in 0..2 {
            let (identity, setting) = stage.caller(example.who, n);
            let before = stage.effect().await;
            let connection = stage.connection(identity).await;
            // What the first caller's clock jump let lapse can not lapse again; only the second one's own lines count.
            message(&call(&connection, path, (example.body)(setting, &id)).await);
            let effect = stage.effect().await.since(before);
            assert_eq!(effect.requests, 1, "{path}: caller {n}");
            let announced = effect.events >= example.effect.events.min(1);
            assert!(announced && effect.audit_lines >= 1, "{path}: caller {n}: {effect:?}");
        }
        let owners = database::texts(
            &stage.world.platform.db,
            "SELECT DISTINCT r.party_id FROM requests r JOIN audit a ON a.party_id = r.party_id AND a.actor = r.party_id \
             AND a.method = r.method AND a.request_id = r.request_id \
             WHERE r.request_id IN (SELECT request_id FROM requests GROUP BY request_id, method HAVING COUNT(*) = 2) \
             ORDER BY r.party_id",
        )
        .await;
        let expected = match example.who {
            Who::Operator => ["o-900000001", "o-900000019"],
            Who::System => ["s-planning", "s-workforce"],
        };
        assert_eq!(owners, expected, "{path}");
        stage.world.stop().await;
    }
}

#[tokio::test]
async fn a_refusal_is_not_stored() {
    let world = World::start().await;
    world.capacity(1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let taken = hold(&alpha, &slot_id(8, "08:00")).await;
    let before = Effect::so_far(&world.platform.db).await;
    let wanted = hold_request(&slot_id(8, "08:00"));
    assert_eq!(reason(beta.appointments().hold_appointment(wanted.clone()).await), "FRDV02");
    assert_eq!(Effect::so_far(&world.platform.db).await, before, "a refusal has no effect");
    let cancel = CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: taken.reference,
        etag: taken.etag,
    };
    alpha.appointments().cancel_appointment(cancel).await.unwrap();
    let held = beta.appointments().hold_appointment(wanted.clone()).await.unwrap().into_inner();
    let again = beta.appointments().hold_appointment(wanted).await.unwrap().into_inner();
    assert_eq!(again, held);
    let effect = Effect::so_far(&world.platform.db).await.since(before);
    let expected =
        Effect { requests: 2, events: 2, audit_lines: 2, appointments: 1, versions: 2, ..Effect::default() };
    assert_eq!(effect, expected, "one cancelled, one held in its place");
}

/// The caller resets the stream at moments spread over the whole call: the effect is whole or absent, and the retry with
/// the same id makes it one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_leaves_a_whole_effect_or_none() {
    const CALLS: u64 = 60;
    let world = World::start().await;
    world.capacity(100).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let root = world.pki.root.certificate_pem();
    let raw = Raw::open(world.address, root, Some(&identity), &[&rustls::version::TLS13]).await.unwrap();
    let db = &world.platform.db;
    let (mut bodies, mut answered) = (Vec::new(), 0);
    for n in 0..CALLS {
        let body = hold_request(&slot_id(8, "08:00")).encode_to_vec();
        let mut sender = raw.sender.clone();
        sender.ready().await.unwrap();
        let sent = sender.send_request(grpc(HOLD, framed(&body)));
        // Dropped: RST_STREAM. The first ones go before the handler starts, the last ones after it answered.
        tokio::select! {
            biased;
            _ = sent => answered += 1,
            () = turns(n * 25) => {}
        }
        assert_eq!(torn(db).await, 0, "call {n}");
        bodies.push(body);
    }
    let tasks = &world.platform.tasks;
    tasks.close();
    tasks.wait().await;
    let whole = number(db, "SELECT COUNT(*) FROM appointments").await;
    for body in bodies {
        let first = message(&call(&raw.sender, HOLD, body.clone()).await);
        assert_eq!(message(&call(&raw.sender, HOLD, body).await), first);
        HoldAppointmentResponse::decode(first.as_slice()).unwrap();
    }
    println!(
        "{CALLS} streams, {answered} not reset in time; {whole} effects were whole before the retry, the others absent"
    );
    assert_eq!(torn(db).await, 0);
    assert_eq!(number(db, "SELECT COUNT(*) FROM appointments").await, 60);
    assert_eq!(number(db, "SELECT COUNT(*) FROM requests WHERE party_id = 'o-900000001'").await, 60);
    assert_eq!(number(db, "SELECT revision FROM parties WHERE party_id = 'o-900000001'").await, 60);
    assert_eq!(number(db, "SELECT COUNT(*) FROM audit WHERE party_id = 'o-900000001' AND request_id IN (SELECT request_id FROM requests)").await, 60);
    assert_eq!(number(db, "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots").await, 60);
}

/// A while that is shorter than a timer can be.
async fn turns(count: u64) {
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
}

/// How far the tables that one hold writes are apart, seen in one statement.
async fn torn(db: &Db) -> i64 {
    number(
        db,
        "SELECT ABS(holds - (SELECT COUNT(*) FROM appointments)) + ABS(holds - (SELECT COUNT(*) FROM events \
         WHERE kind = 'appointments.held')) + ABS(holds - (SELECT COUNT(*) FROM audit WHERE method LIKE '%/HoldAppointment')) \
         + ABS(holds - (SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots)) \
         FROM (SELECT COUNT(*) AS holds FROM requests WHERE method LIKE '%/HoldAppointment') AS counted",
    )
    .await
}
