//! P4: what the registry takes back is gone in less than five seconds: on idle connections, in the midst of calls, on open
//! streams. The registry is changed in the database, as another node or the command line would; the server looks by itself,
//! as often as in production.
//!
//! `ESERVICES_REVOCATION_ROUNDS` sets how many rounds the figures are taken from (3 unless set, 50 by hand).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use eservices::{
    appointments::v1::{GetAppointmentRequest, ListAppointmentsRequest},
    identity::v1::WhoAmIRequest,
};
use eservices_client::{Client, new_request_id};
use eservices_server::platform::{
    config::{Config, Environment},
    db::Db,
    pki::Validity,
    probes,
    registry::{self, Holder, Status as Standing},
};
use jiff::SignedDuration;
use rustls::version::{TLS12, TLS13};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Status, Streaming};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use crate::harness::{
    Identity, Plan, SIRENS, World, hold, hold_request, issue,
    raw::{Answer, Raw, Refused},
    real_now, reason, refusal, slot_id,
};

/// What is promised.
const PROMISE: Duration = Duration::from_secs(5);

const RIGHT: &str = "e-rdv-grand-public";
const WHO_AM_I: &str = "/eservices.identity.v1.IdentityService/WhoAmI";
const BOOKING_FORM: &str = "/eservices.appointments.v1.AppointmentService/GetBookingForm";

/// A server that looks at the registry as often as in production.
async fn world() -> World {
    let mut plan = Plan::default();
    plan.config.timings = Config::default().timings;
    assert_eq!(plan.config.timings.registry_poll_millis, 1_000);
    World::from(plan).await
}

fn operator(n: usize) -> Holder {
    Holder::operator(SIRENS[n]).unwrap()
}

async fn revoke(world: &World, identity: &Identity) {
    let id = new_request_id();
    registry::revoke_certificate(&world.platform.db, world.by(&id), &identity.serial, None).await.unwrap();
}

/// A connection whose handshakes, those of HTTP/2 included, are over: it has answered one call.
async fn open(world: &World, identity: &Identity) -> Raw {
    let root = world.pki.root.certificate_pem();
    let mut raw = Raw::open(world.address, root, Some(identity), &[&TLS13, &TLS12]).await.unwrap();
    assert_eq!(raw.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
    raw
}

/// A health watch that has said its first word.
async fn watch(world: &World, identity: &Identity) -> Streaming<HealthCheckResponse> {
    let mut health = HealthClient::new(world.client(identity).await.transport());
    let mut request = Request::new(HealthCheckRequest::default());
    // The client's own deadline is 30 s.
    request.set_timeout(Duration::from_secs(3_600));
    let mut stream = health.watch(request).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    stream
}

fn told(status: Status) -> (Code, String) {
    (status.code(), reason(Err::<(), _>(status)))
}

/// Calls until the answer is not OK.
async fn until_refused(raw: &mut Raw, path: &str) -> Result<Answer, Refused> {
    loop {
        let answer = raw.call(path, b"").await?;
        if answer.status().code() != Code::Ok {
            return Ok(answer);
        }
    }
}

/// An idle connection is closed, in the order of HTTP/2.
async fn idle(world: &World, identity: &Identity) -> Duration {
    let raw = open(world, identity).await;
    let start = Instant::now();
    revoke(world, identity).await;
    timeout(PROMISE, raw.driver).await.expect("the idle connection stays open").unwrap().unwrap();
    start.elapsed()
}

/// One call after the other on one connection: one is told why, then the connection is closed; so is a second one.
async fn calls(world: &World, identity: &Identity) -> Duration {
    let mut raw = open(world, identity).await;
    let start = Instant::now();
    revoke(world, identity).await;
    let refused =
        timeout(PROMISE, until_refused(&mut raw, WHO_AM_I)).await.expect("the calls go on").unwrap();
    let took = start.elapsed();
    assert_eq!(told(refused.status()), (Code::Unauthenticated, "CERTIFICATE_REVOKED".to_owned()));
    let left = PROMISE.saturating_sub(took);
    timeout(left, raw.driver).await.expect("the connection stays open").unwrap().unwrap();
    let closed = start.elapsed();

    let root = world.pki.root.certificate_pem();
    let mut again = Raw::open(world.address, root, Some(identity), &[&TLS13]).await.unwrap();
    let refused = again.call(WHO_AM_I, b"").await.unwrap();
    assert_eq!(told(refused.status()), (Code::Unauthenticated, "CERTIFICATE_REVOKED".to_owned()));
    timeout(PROMISE, again.driver).await.expect("the second connection stays open").unwrap().unwrap();
    closed
}

/// An open stream ends with trailers that say why.
async fn stream(world: &World, identity: &Identity) -> Duration {
    let mut stream = watch(world, identity).await;
    let start = Instant::now();
    revoke(world, identity).await;
    let ended = timeout(PROMISE, stream.message()).await.expect("the stream goes on").unwrap_err();
    let took = start.elapsed();
    assert_eq!(told(ended), (Code::Unauthenticated, "CERTIFICATE_REVOKED".to_owned()));
    took
}

/// Another operator, that must not notice anything: a connection that idles, one that calls, one with a stream.
struct Bystander {
    idle: Raw,
    stream: Streaming<HealthCheckResponse>,
    calling: JoinHandle<u64>,
    enough: CancellationToken,
}

impl Bystander {
    async fn new(world: &World, identity: &Identity) -> Self {
        let enough = CancellationToken::new();
        let (mut raw, stop) = (open(world, identity).await, enough.clone());
        let calling = tokio::spawn(async move {
            let mut calls = 0;
            while !stop.is_cancelled() {
                let answer = raw.call(WHO_AM_I, b"").await.unwrap();
                assert_eq!(answer.status().code(), Code::Ok);
                calls += 1;
            }
            calls
        });
        Self { idle: open(world, identity).await, stream: watch(world, identity).await, calling, enough }
    }

    async fn stays_well(mut self) {
        assert_eq!(self.idle.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
        tokio::select! {
            biased;
            said = self.stream.message() => panic!("{said:?}"),
            () = tokio::task::yield_now() => {}
        }
        self.enough.cancel();
        assert!(self.calling.await.unwrap() > 0);
    }
}

fn figures(what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let (half, most) = (took[took.len() / 2], took[took.len() - 1]);
    println!("revocation, {what}: p50 {half:.2?}, p100 {most:.2?} over {} rounds", took.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_ends_connections_calls_and_streams_of_that_certificate_alone() {
    let rounds = std::env::var("ESERVICES_REVOCATION_ROUNDS").map_or(3, |n| n.parse().unwrap());
    let world = world().await;
    world.operator(SIRENS[0], &[RIGHT]).await;
    let untouched = world.operator(SIRENS[1], &[RIGHT]).await;
    let bystander = Bystander::new(&world, &untouched).await;
    let (mut idles, mut loops, mut streams) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let holder = operator(0);
        let certificate = || world.certificate(&holder, &[RIGHT], Environment::NonProduction);
        let (first, second, third) = (certificate().await, certificate().await, certificate().await);
        // The operator's other certificate goes on working.
        let mut other = open(&world, &certificate().await).await;
        let took = tokio::join!(idle(&world, &first), calls(&world, &second), stream(&world, &third));
        idles.push(took.0);
        loops.push(took.1);
        streams.push(took.2);
        assert_eq!(other.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
    }
    bystander.stays_well().await;
    figures("idle connection closed", idles);
    figures("calls refused and connection closed", loops);
    figures("stream ended", streams);
}

/// What a generated client sees that makes one call after the other and never tries again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_calls_on_is_told_why_and_nothing_else() {
    let world = world().await;
    let identity = world.operator(SIRENS[0], &[RIGHT]).await;
    let client = world.client(&identity).await;
    client.identity().who_am_i(WhoAmIRequest {}).await.unwrap();
    revoke(&world, &identity).await;
    let refused = timeout(PROMISE, async {
        loop {
            if let Err(status) = client.identity().who_am_i(WhoAmIRequest {}).await {
                return status;
            }
        }
    });
    let refused = refused.await.expect("the calls go on");
    assert_eq!(told(refused), (Code::Unauthenticated, "CERTIFICATE_REVOKED".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_that_is_withdrawn_closes_and_opens_again_on_one_connection() {
    let world = world().await;
    let identity = world.operator(SIRENS[0], &[RIGHT]).await;
    let bystander = Bystander::new(&world, &world.operator(SIRENS[1], &[RIGHT]).await).await;
    let mut raw = open(&world, &identity).await;
    assert_eq!(raw.call(BOOKING_FORM, b"").await.unwrap().status().code(), Code::Ok);
    let network = world.platform.network.load();
    let (db, catalogue, names) = (&world.platform.db, network.reference.eservices(), [RIGHT.to_owned()]);
    let id = new_request_id();

    let start = Instant::now();
    let withdrawn = registry::withdraw(db, world.by(&id), &operator(0), &names, catalogue).await.unwrap();
    assert_eq!(withdrawn, names);
    let refused =
        timeout(PROMISE, until_refused(&mut raw, BOOKING_FORM)).await.expect("the calls go on").unwrap();
    println!("withdrawn: {:.2?}", start.elapsed());
    assert_eq!(told(refused.status()), (Code::PermissionDenied, "E_SERVICE_NOT_SUBSCRIBED".to_owned()));

    let start = Instant::now();
    registry::grant(db, world.by(&id), &operator(0), &names, catalogue).await.unwrap();
    let opened = timeout(PROMISE, until_code(&mut raw, BOOKING_FORM, Code::Ok));
    opened.await.expect("the subscription stays closed");
    println!("granted again: {:.2?}", start.elapsed());
    bystander.stays_well().await;
}

/// Calls until the answer has this code.
async fn until_code(raw: &mut Raw, path: &str, code: Code) {
    while raw.call(path, b"").await.unwrap().status().code() != code {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspended_operator_is_told_so_and_comes_back() {
    let world = world().await;
    let identity = world.operator(SIRENS[0], &[RIGHT]).await;
    let bystander = Bystander::new(&world, &world.operator(SIRENS[1], &[RIGHT]).await).await;
    let mut raw = open(&world, &identity).await;
    let (db, id) = (&world.platform.db, new_request_id());

    let start = Instant::now();
    registry::set_status(db, world.by(&id), &operator(0), Standing::Suspended).await.unwrap();
    let refused =
        timeout(PROMISE, until_refused(&mut raw, WHO_AM_I)).await.expect("the calls go on").unwrap();
    println!("suspended: {:.2?}", start.elapsed());
    assert_eq!(told(refused.status()), (Code::PermissionDenied, "CALLER_SUSPENDED".to_owned()));

    registry::set_status(db, world.by(&id), &operator(0), Standing::Active).await.unwrap();
    // Its connections may have been ended meanwhile.
    let root = world.pki.root.certificate_pem();
    let opened = timeout(PROMISE, async {
        loop {
            let mut raw = Raw::open(world.address, root, Some(&identity), &[&TLS13]).await.unwrap();
            if raw.call(WHO_AM_I, b"").await.unwrap().status().code() == Code::Ok {
                return;
            }
        }
    });
    opened.await.expect("the operator stays suspended");
    bystander.stays_well().await;
}

/// A certificate of the first operator that ends so many seconds from now.
async fn short_lived(world: &World, seconds: i64) -> Identity {
    let validity = Validity::lasting(real_now(), SignedDuration::from_secs(seconds)).unwrap();
    let (identity, issued) =
        issue(&world.pki.non_production, &operator(0), &[RIGHT], Environment::NonProduction, validity);
    let (id, registration) = (new_request_id(), issued.registration.unwrap());
    let network = world.platform.network.load();
    let catalogue = network.reference.eservices();
    registry::register_certificate(&world.platform.db, world.by(&id), &registration, catalogue)
        .await
        .unwrap();
    world.look().await;
    identity
}

/// The end of validity, by the timer of the connection: machine time stands at the real instant of the handshake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_does_not_outlive_its_certificate() {
    const SECONDS: i64 = 3;
    let world = world().await;
    let lasting = world.operator(SIRENS[0], &[RIGHT]).await;
    let identity = short_lived(&world, SECONDS).await;
    world.machine.store(real_now().as_microsecond(), Ordering::Relaxed);
    let mut other = open(&world, &lasting).await;
    let (raw, mut stream) = (open(&world, &identity).await, watch(&world, &identity).await);
    let patience = Duration::from_secs(SECONDS.unsigned_abs()) + PROMISE;
    let ended = timeout(patience, stream.message()).await.expect("the stream goes on").unwrap_err();
    assert_eq!(told(ended), (Code::Unauthenticated, "CERTIFICATE_EXPIRED".to_owned()));
    timeout(PROMISE, raw.driver).await.expect("the idle connection stays open").unwrap().unwrap();
    assert_eq!(other.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
}

/// The end of validity, by machine time alone: it jumps (a machine that slept, a clock that was set).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_does_not_outlive_its_certificate_when_the_clock_jumps() {
    let world = world().await;
    let lasting = world.operator(SIRENS[0], &[RIGHT]).await;
    let identity = short_lived(&world, 3_600).await;
    let mut other = open(&world, &lasting).await;
    let (idle, mut calling, mut stream) =
        (open(&world, &identity).await, open(&world, &identity).await, watch(&world, &identity).await);
    world.machine.fetch_add(3_601 * 1_000_000, Ordering::Relaxed);
    // The next call, without waiting for any look. The registry as last read is an hour old, but the certificate comes
    // first.
    let refused = calling.call(WHO_AM_I, b"").await.unwrap();
    assert_eq!(told(refused.status()), (Code::Unauthenticated, "CERTIFICATE_EXPIRED".to_owned()));
    timeout(PROMISE, calling.driver).await.expect("the connection stays open").unwrap().unwrap();
    let ended = timeout(PROMISE, stream.message()).await.expect("the stream goes on").unwrap_err();
    assert_eq!(told(ended), (Code::Unauthenticated, "CERTIFICATE_EXPIRED".to_owned()));
    timeout(PROMISE, idle.driver).await.expect("the idle connection stays open").unwrap().unwrap();
    timeout(PROMISE, until_code(&mut other, WHO_AM_I, Code::Ok)).await.expect("the other certificate passes");
}

/// Runs one statement past the server.
async fn run(db: &Db, text: &'static str) {
    match db {
        Db::Sqlite { writer, .. } => drop(sqlx::query(text).execute(writer).await.unwrap()),
        Db::Postgres(pool) => drop(sqlx::query(text).execute(pool).await.unwrap()),
    }
}

/// What `/readyz` answers.
async fn readyz(address: std::net::SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Fails unless a call is refused for now, with a time to try again.
fn refused_for_now<T: std::fmt::Debug>(answer: Result<T, Status>) {
    let status = answer.unwrap_err();
    assert_eq!(refusal(Err::<(), _>(status.clone())).retry_after(), Some(Duration::from_secs(5)));
    assert_eq!(told(status), (Code::Unavailable, "TEMPORARILY_UNAVAILABLE".to_owned()));
}

async fn list(client: &Client) -> Result<usize, Status> {
    let answer = client.appointments().list_appointments(ListAppointmentsRequest::default()).await?;
    Ok(answer.into_inner().appointments.len())
}

/// The registry cannot be read, the rest of the database can: its table has another name for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_cannot_be_read_stops_writes_then_everything() {
    let world = world().await;
    world.capacity(5).await;
    let identity = world.operator(SIRENS[0], &[RIGHT]).await;
    let client = world.client(&identity).await;
    let held = hold(&client, &slot_id(8, "08:00")).await;
    let get = || GetAppointmentRequest { reference: held.reference.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (local, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let probes = tokio::spawn(probes::serve(listener, Arc::clone(&world.platform), None, stop.clone()));
    assert!(readyz(local).await.starts_with("HTTP/1.1 200 OK"));
    let db = &world.platform.db;
    // No look that ends after this statement reads anything, so none is dated later than now.
    run(db, "ALTER TABLE registry_version RENAME TO registry_version_away").await;

    let on = |seconds: i64| world.machine.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    on(30);
    assert_eq!(world.platform.standing.age_seconds(world.platform.clock.machine()), 30);
    hold(&client, &slot_id(8, "08:00")).await;
    on(1);
    refused_for_now(client.appointments().hold_appointment(hold_request(&slot_id(8, "08:00"))).await);
    client.appointments().get_appointment(get()).await.unwrap();
    assert_eq!(list(&client).await.unwrap(), 2);
    let said = readyz(local).await;
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(
        said.ends_with("not ready\n- the registry was last read 31 s ago: writes are refused\n"),
        "{said}"
    );

    on(569);
    client.appointments().get_appointment(get()).await.unwrap();
    on(1);
    refused_for_now(client.appointments().get_appointment(get()).await);
    refused_for_now(client.identity().who_am_i(WhoAmIRequest {}).await);
    refused_for_now(client.appointments().hold_appointment(hold_request(&slot_id(8, "08:00"))).await);
    let said = readyz(local).await;
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    assert!(
        said.ends_with("not ready\n- the registry was last read 601 s ago: every call is refused\n"),
        "{said}"
    );

    run(db, "ALTER TABLE registry_version_away RENAME TO registry_version").await;
    let back =
        timeout(PROMISE, async { while client.identity().who_am_i(WhoAmIRequest {}).await.is_err() {} });
    back.await.expect("calls stay refused");
    hold(&client, &slot_id(8, "08:00")).await;
    assert!(readyz(local).await.starts_with("HTTP/1.1 200 OK"));
    stop.cancel();
    probes.await.unwrap().unwrap();
}

/// A connection that comes after the revocation and never calls is not left open: it would hold a seat for ever.
#[tokio::test]
async fn a_silent_connection_of_a_revoked_certificate_is_ended() {
    let world = world().await;
    let identity = world.operator(SIRENS[0], &[RIGHT]).await;
    revoke(&world, &identity).await;
    world.look().await;
    let root = world.pki.root.certificate_pem().to_owned();
    let silent = Raw::open(world.address, &root, Some(&identity), &[&TLS13]).await.unwrap();
    let ended = timeout(PROMISE, silent.driver).await;
    assert!(ended.is_ok(), "a connection of nobody is open after {PROMISE:?}");
}

/// One certificate has so many connections and no more; another is not kept out by it.
#[tokio::test]
async fn a_certificate_has_its_share_of_connections() {
    let mut plan = Plan::default();
    plan.config.limits.connections_per_certificate = 2;
    let world = World::from(plan).await;
    let (alpha, beta) =
        (world.operator(SIRENS[0], &[RIGHT]).await, world.operator(SIRENS[1], &[RIGHT]).await);
    let root = world.pki.root.certificate_pem().to_owned();
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut raw = Raw::open(world.address, &root, Some(&alpha), &[&TLS13]).await.unwrap();
        assert_eq!(raw.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
        open.push(raw);
    }
    let third = match Raw::open(world.address, &root, Some(&alpha), &[&TLS13]).await {
        Ok(mut raw) => raw.call(WHO_AM_I, b"").await.map(|answer| answer.status().code()),
        Err(refused) => Err(refused),
    };
    assert!(third.is_err(), "a third connection was let in: {third:?}");
    let mut other = Raw::open(world.address, &root, Some(&beta), &[&TLS13]).await.unwrap();
    assert_eq!(other.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
    assert_eq!(open[0].call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
}
