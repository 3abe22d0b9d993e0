//! A server that stops, and one whose certificate files are replaced, under load: nobody who was let in is let down.
//!
//! The same with the real binary and SIGTERM: `server/tests/drain.rs`.

use std::{collections::BTreeSet, path::Path, sync::atomic::Ordering, time::Duration};

use eservices::identity::v1::WhoAmIRequest;
use eservices_client::{Client, new_request_id};
use eservices_server::platform::{
    config::{Database, Environment},
    db::{Db, Tx},
    pki::Validity,
    registry::{self, Holder, Registration},
    tls::{Tls, TlsError},
};
use http_body_util::BodyExt as _;
use rustls::{
    pki_types::{CertificateDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_client::HealthClient};

use crate::harness::{
    Identity, Pki, Plan, SIRENS, World, database, hold_request, issue,
    raw::{Raw, framed, grpc},
    real_now, reason, slot_id,
};

/// Whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long calls under way get.
const DRAIN: Duration = Duration::from_secs(10);
/// What counts as at once.
const AT_ONCE: Duration = Duration::from_secs(1);

const RIGHT: &str = "e-rdv-grand-public";
const WHO_AM_I: &str = "/eservices.identity.v1.IdentityService/WhoAmI";

fn entered(world: &World) -> u64 {
    world.platform.entered.load(Ordering::Relaxed)
}

async fn watch(client: &Client) -> Streaming<HealthCheckResponse> {
    let mut health = HealthClient::new(client.transport());
    let mut stream = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    stream
}

/// Fails unless a refusal is one of a server that stops, or of a connection that is not there.
fn stopping(status: Status) {
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    if !status.details().is_empty() {
        assert_eq!(reason(Err::<(), _>(status)), "SHUTTING_DOWN");
    }
}

/// What one caller was told, and what it holds.
#[derive(Default)]
struct Told {
    answered: u64,
    refused: u64,
    references: Vec<String>,
}

/// Holds and reads in turn until the server is gone, and once more then.
async fn caller(client: Client, slot: String, under_way: mpsc::Sender<()>, gone: CancellationToken) -> Told {
    let mut told = Told::default();
    for n in 0_u64.. {
        let last = gone.is_cancelled();
        let answer = if n % 2 == 0 {
            let held = client.appointments().hold_appointment(hold_request(&slot)).await;
            held.map(|a| told.references.push(a.into_inner().appointment.unwrap().reference))
        } else {
            client.identity().who_am_i(WhoAmIRequest {}).await.map(drop)
        };
        match answer {
            Ok(()) => told.answered += 1,
            Err(status) => {
                stopping(status);
                told.refused += 1;
            }
        }
        if n == 20 {
            under_way.send(()).await.unwrap();
        }
        if last {
            break;
        }
    }
    told
}

/// The database after the server closed it.
async fn reopened(world: &World) -> Db {
    let config = Database { url: world.database_url.clone(), ..world.platform.config.database.clone() };
    Db::open(&config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_that_was_let_in_is_answered_and_later_ones_are_unavailable() {
    let mut world = World::start().await;
    world.capacity(1_000).await;
    let (ready, mut under_way) = mpsc::channel(8);
    let gone = CancellationToken::new();
    let (mut callers, mut streams) = (JoinSet::new(), JoinSet::new());
    let before = entered(&world);
    for (siren, day) in SIRENS.iter().zip([8, 9, 10, 13]) {
        let identity = world.operator(siren, &[RIGHT]).await;
        for half_day in ["08:00", "13:00"] {
            // Each on a connection of its own; a stream shares one of them.
            let client = world.client(&identity).await;
            let mut stream = watch(&client).await;
            streams.spawn(async move { (stream.message().await.unwrap_err(), Instant::now()) });
            callers.spawn(caller(client, slot_id(day, half_day), ready.clone(), gone.clone()));
        }
    }
    for _ in 0..8 {
        timeout(PATIENCE, under_way.recv()).await.unwrap().unwrap();
    }
    let start = Instant::now();
    world.stop().await;
    let took = start.elapsed();
    gone.cancel();

    for (status, at) in streams.join_all().await {
        assert_eq!(reason(Err::<(), _>(status)), "SHUTTING_DOWN");
        assert!(at - start < AT_ONCE, "{:?}", at - start);
    }
    let told = timeout(PATIENCE, callers.join_all()).await.unwrap();
    let answered: u64 = told.iter().map(|t| t.answered).sum();
    let refused: u64 = told.iter().map(|t| t.refused).sum();
    println!("stopped in {took:.2?}: {answered} calls answered, {refused} refused");
    assert!(took < DRAIN, "{took:?}");
    assert_eq!(
        entered(&world) - before,
        answered + 8,
        "every call that was let in is answered; the streams are 8"
    );
    assert!(told.iter().all(|t| t.refused > 0));
    let acknowledged: BTreeSet<String> = told.into_iter().flat_map(|t| t.references).collect();
    let db = reopened(&world).await;
    let there = database::texts(&db, "SELECT reference FROM appointments").await.into_iter().collect();
    assert_eq!(acknowledged, there, "written and acknowledged are the same");
    db.close().await;
}

/// Whether a call was held back because the server had said farewell: GOAWAY with NO_ERROR, never for a call that the
/// server has taken.
fn after_farewell(error: &hyper::Error) -> bool {
    format!("{error:?}").contains("GoAway(b\"\", NO_ERROR, Remote)")
}

/// Calls that leave at the very moment of the stop: whatever was sent is answered, with an answer or with SHUTTING_DOWN.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_cross_the_farewell_are_answered() {
    let mut world = World::start().await;
    let identity = world.operator(SIRENS[0], &[RIGHT]).await;
    let root = world.pki.root.certificate_pem();
    let mut calls = JoinSet::new();
    let mut drivers = Vec::new();
    for version in [&TLS12, &TLS13] {
        for _ in 0..10 {
            let mut raw = Raw::open(world.address, root, Some(&identity), &[version]).await.unwrap();
            assert_eq!(raw.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
            for _ in 0..4 {
                let mut sender = raw.sender.clone();
                calls.spawn(async move {
                    let (mut answered, mut told) = (0, 0);
                    loop {
                        let sent = match sender.ready().await {
                            Ok(()) => sender.send_request(grpc(WHO_AM_I, framed(b""))).await,
                            Err(_) => return (answered, told),
                        };
                        let response = match sent {
                            Ok(response) => response,
                            // It never left: the connection takes no new calls, and a client opens another one.
                            Err(error) if error.is_canceled() || after_farewell(&error) => {
                                return (answered, told);
                            }
                            Err(error) => panic!("a call that was sent has no answer: {error:?}"),
                        };
                        let (head, body) = response.into_parts();
                        let body = body.collect().await.expect("an answer ends");
                        match Status::from_header_map(&head.headers)
                            .or_else(|| Status::from_header_map(body.trailers()?))
                        {
                            Some(status) if status.code() == Code::Ok => answered += 1,
                            Some(status) => {
                                assert_eq!(reason(Err::<(), _>(status)), "SHUTTING_DOWN");
                                told += 1;
                            }
                            None => panic!("an answer without a status"),
                        }
                    }
                });
            }
            drivers.push(raw.driver);
        }
    }
    // Every caller is in the midst of it.
    let target = entered(&world) + 800;
    timeout(PATIENCE, async {
        while entered(&world) < target {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    world.stop().await;
    let told = timeout(PATIENCE, calls.join_all()).await.unwrap();
    let (answered, told) = told.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    println!("{answered} calls answered, {told} told that the server stops");
    // 20 calls opened the connections.
    assert_eq!(entered(&world), answered + 20);
    for driver in drivers {
        timeout(PATIENCE, driver).await.unwrap().unwrap().expect("connections end in the order of HTTP/2");
    }
}

/// A transaction of somebody else that holds one party's row.
async fn hold_row(db: &Db, party_id: &str) -> Tx {
    const TEXT: &str = "UPDATE parties SET revision = revision WHERE party_id = $1";
    match db {
        Db::Sqlite { writer, .. } => {
            let mut tx = writer.begin().await.unwrap();
            sqlx::query(TEXT).bind(party_id).execute(&mut *tx).await.unwrap();
            Tx::Sqlite(tx)
        }
        Db::Postgres(pool) => {
            let mut tx = pool.begin().await.unwrap();
            sqlx::query(TEXT).bind(party_id).execute(&mut *tx).await.unwrap();
            Tx::Postgres(tx)
        }
    }
}

async fn let_go(tx: Tx) {
    match tx {
        Tx::Sqlite(tx) => tx.commit().await.unwrap(),
        Tx::Postgres(tx) => tx.commit().await.unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_write_is_waited_for_while_streams_end_at_once() {
    let mut world = World::start().await;
    world.capacity(5).await;
    let identity = world.operator(SIRENS[0], &[RIGHT]).await;
    let client = world.client(&identity).await;
    let mut stream = watch(&client).await;
    let outside = reopened(&world).await;
    let row = hold_row(&outside, &identity.party_id).await;
    let before = entered(&world);
    let slow = tokio::spawn(async move {
        let answer = client.appointments().hold_appointment(hold_request(&slot_id(8, "08:00"))).await;
        answer.unwrap().into_inner().appointment.unwrap().reference
    });
    timeout(PATIENCE, async {
        while entered(&world) == before {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let server = world.server.take().unwrap();
    let start = Instant::now();
    let stop = tokio::spawn(server.stop());
    let ended = timeout(AT_ONCE, stream.message()).await.expect("the stream goes on").unwrap_err();
    assert_eq!(reason(Err::<(), _>(ended)), "SHUTTING_DOWN");
    // Nobody new is let in.
    timeout(AT_ONCE, async { while TcpStream::connect(world.address).await.is_ok() {} }).await.unwrap();
    assert!(!slow.is_finished() && !stop.is_finished());
    let_go(row).await;
    let reference = timeout(DRAIN, slow).await.unwrap().unwrap();
    timeout(DRAIN, stop).await.unwrap().unwrap();
    assert!(start.elapsed() < DRAIN, "{:?}", start.elapsed());
    assert_eq!(database::texts(&outside, "SELECT reference FROM appointments").await, [reference]);
    outside.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_never_ends_does_not_keep_the_server() {
    let mut plan = Plan::default();
    plan.config.timings.drain_seconds = 1;
    let mut world = World::from(plan).await;
    world.capacity(5).await;
    let identity = world.operator(SIRENS[0], &[RIGHT]).await;
    let client = world.client(&identity).await;
    let outside = reopened(&world).await;
    let row = hold_row(&outside, &identity.party_id).await;
    let stuck = tokio::spawn(async move {
        client.appointments().hold_appointment(hold_request(&slot_id(8, "08:00"))).await
    });
    timeout(PATIENCE, async {
        while world.platform.tasks.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("a work is under way");
    let stop = tokio::spawn(world.server.take().unwrap().stop());
    let left = timeout(DRAIN, stop).await.expect("the server stops in time").unwrap();
    assert_eq!(left, 1);
    assert!(timeout(AT_ONCE, stuck).await.expect("its caller was told").unwrap().is_err());
    assert!(database::texts(&outside, "SELECT reference FROM appointments").await.is_empty());
    let_go(row).await;
    outside.close().await;
}

/// A file as a careful administrator replaces it: whole, or not at all.
fn replace(dir: &Path, name: &str, text: &str) {
    let new = dir.join(format!("{name}.new"));
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, dir.join(name)).unwrap();
}

/// The certificate and then the key, as a server's own; answers the certificate's bytes.
fn replace_server(world: &World) -> Vec<u8> {
    let server = world.pki.server();
    replace(world.dir.path(), "server.pem", &server.chain_pem);
    replace(world.dir.path(), "server.key", server.key_pem.as_deref().unwrap());
    server.der.to_vec()
}

/// Ten calls a connection, one connection after the other; says which certificate each was answered under.
async fn reconnecting(
    root: String,
    address: std::net::SocketAddr,
    identity: Identity,
    n: usize,
    seen: mpsc::UnboundedSender<(usize, Vec<u8>)>,
) {
    let version = if n.is_multiple_of(2) { &TLS13 } else { &TLS12 };
    loop {
        let mut raw = Raw::open(address, &root, Some(&identity), &[version]).await.unwrap();
        for _ in 0..10 {
            assert_eq!(raw.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
        }
        if seen.send((n, raw.server_certificate)).is_err() {
            return;
        }
    }
}

const RECONNECTING: usize = 4;

/// Waits until every client has seen this certificate; before, they may see the one of before.
async fn all_see(seen: &mut mpsc::UnboundedReceiver<(usize, Vec<u8>)>, old: &[u8], new: &[u8]) {
    let mut those = BTreeSet::new();
    while those.len() < RECONNECTING {
        let (n, certificate) =
            timeout(PATIENCE, seen.recv()).await.expect("in time").expect("all clients live");
        if certificate == new {
            those.insert(n);
        } else {
            assert_eq!(certificate, old);
            assert!(!those.contains(&n), "the old certificate came back");
        }
    }
}

/// Waits until the server has looked at its files a few times: all that time clients go on, under this certificate.
async fn all_go_on(seen: &mut mpsc::UnboundedReceiver<(usize, Vec<u8>)>, world: &World, certificate: &[u8]) {
    let looks = Duration::from_millis(5 * world.platform.config.timings.tls_poll_millis);
    let start = Instant::now();
    while start.elapsed() < looks {
        let (_, found) = timeout(PATIENCE, seen.recv()).await.expect("in time").expect("all clients live");
        assert_eq!(found, certificate);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_files_are_replaced_while_clients_reconnect() {
    let world = World::start().await;
    let files = world.platform.config.tls.clone();
    let own = Tls::load(&files).unwrap();
    let first = CertificateDer::from_pem_file(&files.certificate).unwrap().to_vec();
    // Of the root that comes later: registered already, but not trusted.
    let later = Pki::new();
    let early = world.operator(SIRENS[0], &[RIGHT]).await;
    let holder = Holder::operator(SIRENS[0]).unwrap();
    let validity = Validity::days(real_now(), 397).unwrap();
    let (renewed, issued) =
        issue(&later.non_production, &holder, &[RIGHT], Environment::NonProduction, validity);
    register(&world, &issued.registration.unwrap()).await;
    let root = world.pki.root.certificate_pem().to_owned();
    let enters = async |identity: &Identity, version| match Raw::open(
        world.address,
        &root,
        Some(identity),
        &[version],
    )
    .await
    {
        Ok(mut raw) => raw.call(WHO_AM_I, b"").await.is_ok_and(|a| a.status().code() == Code::Ok),
        Err(_) => false,
    };
    for version in [&TLS12, &TLS13] {
        assert!(!enters(&renewed, version).await && enters(&early, version).await);
    }

    let (report, mut seen) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for n in 0..RECONNECTING {
        clients.spawn(reconnecting(root.clone(), world.address, early.clone(), n, report.clone()));
    }
    drop(report);
    all_see(&mut seen, &first, &first).await;
    assert!(!own.refresh().unwrap());

    // Both roots, then the server's own: who sees the new certificate is served by a server that trusts both.
    replace(world.dir.path(), "root.pem", &format!("{root}{}", later.root.certificate_pem()));
    let second = replace_server(&world);
    all_see(&mut seen, &first, &second).await;
    assert!(own.refresh().unwrap() && !own.refresh().unwrap());
    for version in [&TLS12, &TLS13] {
        assert!(enters(&renewed, version).await && enters(&early, version).await);
    }

    let good = ["server.pem", "server.key", "root.pem"]
        .map(|name| (name, std::fs::read_to_string(world.dir.path().join(name)).unwrap()));
    for (name, text) in &good {
        let other_key = world.pki.server().key_pem.unwrap();
        let cut = &text[..text.len() - 40];
        let broken = ["", "nothing of that kind", cut, if *name == "server.key" { &other_key } else { "" }];
        for broken in broken {
            replace(world.dir.path(), name, broken);
            assert!(own.refresh().is_err(), "{name}: {broken:?}");
            all_go_on(&mut seen, &world, &second).await;
        }
        std::fs::remove_file(world.dir.path().join(name)).unwrap();
        assert!(matches!(own.refresh(), Err(TlsError::Read { .. })), "{name}");
        all_go_on(&mut seen, &world, &second).await;
        replace(world.dir.path(), name, text);
        assert!(!own.refresh().unwrap(), "{name}");
    }
    // It looks on, and takes over what can be used again.
    let third = replace_server(&world);
    all_see(&mut seen, &second, &third).await;
    drop(seen);
    timeout(PATIENCE, clients.join_all()).await.unwrap();
}

async fn register(world: &World, registration: &Registration) {
    let network = world.platform.network.load();
    let (db, id, catalogue) = (&world.platform.db, new_request_id(), network.reference.eservices());
    registry::register_certificate(db, world.by(&id), registration, catalogue).await.unwrap();
    world.look().await;
}
