//! What a well-behaved client never does on a connection: floods of broken frames, requests that stop coming, answers that it
//! does not take.

use std::{future::poll_fn, task::Poll, time::Duration};

use bytes::Bytes;
use eservices::{
    addresses::v1::ExportStructureRequest,
    eligibility::v1::{CheckEligibilityRequest, check_eligibility_request::Key},
};
use eservices_server::platform::{
    config::{Environment, Quota},
    registry::Holder,
};
use prost::Message as _;
use rustls::version::TLS13;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};
use tonic::{Code, Status};

use crate::harness::{
    ALL, Identity, Plan, SIRENS, World,
    raw::{Raw, dial, framed},
};

/// Whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

const WHO_AM_I: &str = "/eservices.identity.v1.IdentityService/WhoAmI";
const WATCH: &str = "/grpc.health.v1.Health/Watch";
const EXPORT: &str = "/eservices.addresses.v1.AddressService/ExportStructure";
const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";

/// A frame of HTTP/2, as RFC 9113 §4.1 lays it out.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// What comes before the flood.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    /// The peer's settings, as it must be.
    Settings,
    /// A GOAWAY of the peer's own too: h2 would then report that one, not ours.
    Goaway,
}

/// Sends 300 requests with two methods each (an error of each stream, not of the connection) and reads to the end; answers
/// the error code of the GOAWAY, if one came.
async fn flood(world: &World, identity: &Identity, before: Before) -> Option<u32> {
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    const END_STREAM_AND_HEADERS: u8 = 5;
    const PROTOCOL_ERROR: u8 = 1;
    let root = world.pki.root.certificate_pem();
    let mut tls = dial(world.address, root, Some(identity), &[&TLS13]).await.ok()?;
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    if before == Before::Goaway {
        bytes.extend(frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, PROTOCOL_ERROR]));
    }
    for n in 0..300 {
        // HPACK's static table: `:method: GET` twice, `:scheme: https`, `:path: /`.
        bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, 2 * n + 1, &[0x82, 0x82, 0x87, 0x84]));
    }
    // The server may end the connection before it has read all, and a connection that is reset may lose its last words.
    drop(tls.write_all(&bytes).await);
    let mut answer = Vec::new();
    drop(timeout(PATIENCE, tls.read_to_end(&mut answer)).await.expect("an end in time"));
    let mut rest = answer.as_slice();
    let mut code = None;
    while let [a, b, c, kind, ..] = *rest {
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let payload = rest.get(9..9 + length)?;
        if kind == GOAWAY {
            code = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
        rest = &rest[9 + length..];
    }
    code
}

/// Waits until the server has done with the connections so far: it counts them after the peer saw the end.
async fn until_idle(world: &World) {
    let idle = async {
        while !world.platform.connections.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, idle).await.expect("no connection is left");
}

/// Whether the server takes a call on a new connection.
async fn served(world: &World, identity: &Identity) -> bool {
    let root = world.pki.root.certificate_pem();
    let answered = async {
        let mut raw = Raw::open(world.address, root, Some(identity), &[&TLS13]).await.ok()?;
        raw.call(WHO_AM_I, b"").await.ok()
    };
    let answer = timeout(PATIENCE, answered).await.expect("an answer or an end in time");
    answer.inspect(|a| assert_eq!(a.status().code(), Code::Ok)).is_some()
}

#[tokio::test]
async fn a_certificate_whose_connections_are_ended_for_abuse_cools_down() {
    const ENHANCE_YOUR_CALM: u32 = 11;
    let mut plan = Plan::default();
    plan.config.limits.abuses_per_certificate = 2;
    let world = World::from(plan).await;
    let abuser = world.operator(SIRENS[0], ALL).await;
    let holder = Holder::operator(SIRENS[0]).unwrap();
    let sibling = world.certificate(&holder, ALL, Environment::NonProduction).await;
    assert_eq!(flood(&world, &abuser, Before::Settings).await, Some(ENHANCE_YOUR_CALM));
    until_idle(&world).await;
    assert!(served(&world, &abuser).await, "one is no habit");
    let root = world.pki.root.certificate_pem();
    let mut before = Raw::open(world.address, root, Some(&abuser), &[&TLS13]).await.unwrap();
    assert_eq!(before.call(WHO_AM_I, b"").await.unwrap().status().code(), Code::Ok);
    flood(&world, &abuser, Before::Goaway).await;
    // The connection that it had open beside ends too.
    timeout(PATIENCE, before.driver).await.expect("an end in time").unwrap().unwrap();
    until_idle(&world).await;
    assert!(!served(&world, &abuser).await);
    assert!(flood(&world, &abuser, Before::Settings).await.is_none(), "nothing is read of it");
    assert!(served(&world, &sibling).await, "another certificate of the operator");
    world.machine_on(59).await;
    assert!(!served(&world, &abuser).await);
    world.machine_on(1).await;
    assert!(served(&world, &abuser).await, "a minute after the last abuse");
}

#[tokio::test]
async fn an_address_from_which_several_certificates_abuse_cools_down() {
    let mut plan = Plan::default();
    plan.config.limits.abuses_per_certificate = 1;
    plan.config.limits.abusers_per_address = 3;
    let world = World::from(plan).await;
    let innocent = world.operator(SIRENS[3], ALL).await;
    for siren in &SIRENS[..3] {
        assert!(served(&world, &innocent).await, "before {siren}");
        let abuser = world.operator(siren, ALL).await;
        assert!(flood(&world, &abuser, Before::Settings).await.is_some(), "{siren}");
        until_idle(&world).await;
    }
    assert!(!served(&world, &innocent).await);
    let root = world.pki.root.certificate_pem();
    let dialled = dial(world.address, root, Some(&innocent), &[&TLS13]).await;
    assert!(dialled.is_err(), "not even a handshake");
    world.machine_on(60).await;
    assert!(served(&world, &innocent).await);
}

#[tokio::test]
async fn who_speaks_another_protocol_is_no_abuser() {
    let mut plan = Plan::default();
    plan.config.limits.abuses_per_certificate = 1;
    let world = World::from(plan).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let root = world.pki.root.certificate_pem();
    for words in [&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], b"\0\0\0", b""] {
        let mut tls = dial(world.address, root, Some(&identity), &[&TLS13]).await.unwrap();
        tls.write_all(words).await.unwrap();
        tls.shutdown().await.unwrap();
        let mut rest = Vec::new();
        drop(timeout(PATIENCE, tls.read_to_end(&mut rest)).await.expect("an end in time"));
        drop(tls);
        until_idle(&world).await;
        assert!(served(&world, &identity).await, "{words:?}");
    }
}

/// What a request brings before it falls silent.
const SILENCES: [(&str, &[&[u8]]); 4] = [
    ("nothing", &[]),
    ("half a frame's head", &[&[0, 0]]),
    ("half a message", &[&[0, 0, 0, 0, 9, 1]]),
    ("a message without the stream's end", &[&[0, 0, 0, 0, 3, 0x3a, 1, 0x2a]]),
];

#[tokio::test]
async fn a_streamed_request_that_stops_coming_is_given_up_and_frees_its_place() {
    let mut plan = Plan::default();
    plan.config.limits.stalled_request_seconds = 1;
    let quota = Quota { calls_per_second: 1_000, burst: 1_000, concurrent_calls: 2 };
    plan.config.quota.insert("standard".into(), quota);
    let world = World::from(plan).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let root = world.pki.root.certificate_pem();
    let tls = dial(world.address, root, Some(&identity), &[&TLS13]).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(tls).await.unwrap();
    tokio::spawn(connection);
    // Its request came whole: it stays open all the while.
    let (head, mut body) = sender.send_request(http_request(WATCH), false).unwrap();
    body.send_data(framed(b""), true).unwrap();
    let mut watch = timeout(PATIENCE, head).await.expect("a head in time").unwrap().into_body();
    assert!(watch.data().await.unwrap().is_ok());
    for path in [WATCH, REFLECTION] {
        for (case, frames) in SILENCES {
            let case = format!("{path}: {case}");
            let request = http_request(path);
            let (head, mut body) = sender.send_request(request, false).unwrap();
            for bytes in frames {
                body.send_data(Bytes::from_static(bytes), false).unwrap();
            }
            let status = timeout(PATIENCE, end(head)).await.expect("an end in time");
            assert_eq!(status.code(), Code::DeadlineExceeded, "{case}: {status:?}");
            let error = eservices_client::Error::from(status);
            assert_eq!(error.reason_name(), Some("REQUEST_STALLED"), "{case}");
        }
    }
    let (head, mut body) = sender.send_request(http_request(WHO_AM_I), false).unwrap();
    body.send_data(framed(b""), true).unwrap();
    assert_eq!(end(head).await.code(), Code::Ok, "the other place is free");
    let more = poll_fn(|context| Poll::Ready(watch.poll_data(context).is_pending())).await;
    assert!(more, "the watch goes on");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_frees_its_place_and_one_that_is_silent_goes_on() {
    let mut plan = Plan::default();
    plan.config.limits.stalled_answer_seconds = 1;
    let quota = Quota { calls_per_second: 100_000, burst: 100_000, concurrent_calls: 2 };
    plan.config.quota.insert("standard".into(), quota);
    let world = World::from(plan).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let root = world.pki.root.certificate_pem();
    let tls = dial(world.address, root, Some(&identity), &[&TLS13]).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(tls).await.unwrap();
    tokio::spawn(connection);
    let (head, mut body) = sender.send_request(http_request(WATCH), false).unwrap();
    body.send_data(framed(b""), true).unwrap();
    let mut watch = timeout(PATIENCE, head).await.expect("a head in time").unwrap().into_body();
    assert!(watch.data().await.unwrap().is_ok());

    // An export of two pieces, of which its peer has room for a part of the first.
    let tls = dial(world.address, root, Some(&identity), &[&TLS13]).await.unwrap();
    let mut small = h2::client::Builder::new();
    small.initial_window_size(1_000);
    let (mut idle, connection) = small.handshake(tls).await.unwrap();
    let ended = tokio::spawn(connection);
    let network = world.platform.network.load();
    let imbs = network.reference.buildings().iter().map(|building| building.imb.to_string()).collect();
    let (head, mut body) = idle.send_request(http_request(EXPORT), false).unwrap();
    body.send_data(framed(&ExportStructureRequest { imbs }.encode_to_vec()), true).unwrap();
    let mut export = timeout(PATIENCE, head).await.expect("a head in time").unwrap().into_body();
    assert_eq!(export.data().await.unwrap().unwrap().len(), 1_000);

    let mut calls = 0;
    let free = async {
        loop {
            let (head, mut body) = sender.send_request(http_request(WHO_AM_I), false).unwrap();
            body.send_data(framed(b""), true).unwrap();
            let status = end(head).await;
            if status.code() == Code::Ok {
                return;
            }
            let error = eservices_client::Error::from(status);
            assert_eq!(error.reason_name(), Some("TOO_MANY_CALLS_AT_ONCE"));
            calls += 1;
        }
    };
    timeout(PATIENCE, free).await.expect("the place is free in time");
    assert!(calls > 0, "it had a place");
    drop(timeout(PATIENCE, ended).await.expect("the connection ends in time"));
    let more = poll_fn(|context| Poll::Ready(watch.poll_data(context).is_pending())).await;
    assert!(more, "the watch goes on");
}

fn http_request(path: &str) -> http::Request<()> {
    http::Request::post(format!("https://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

/// The status that a call ends with.
async fn end(head: h2::client::ResponseFuture) -> Status {
    let (head, mut body) = head.await.unwrap().into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return status;
    }
    while let Some(data) = body.data().await {
        let length = data.unwrap().len();
        body.flow_control().release_capacity(length).unwrap();
    }
    Status::from_header_map(&body.trailers().await.unwrap().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_caller_far_above_its_quota_is_told_so_and_is_no_abuser() {
    const CALLS: usize = 3_000;
    let mut plan = Plan::default();
    plan.config.limits.abuses_per_certificate = 1;
    let quota = Quota { calls_per_second: 1, burst: 5, concurrent_calls: 1_000 };
    plan.config.quota.insert("standard".into(), quota);
    let world = World::from(plan).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let client = world.client(&identity).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let client = client.clone();
        calls.spawn(async move {
            let request = CheckEligibilityRequest {
                key: Some(Key::Imb("IMB/77058/X/0218".into())),
                ..CheckEligibilityRequest::default()
            };
            let answer = client.eligibility().check_eligibility(request).await;
            answer.map_err(|status| eservices_client::Error::from(status).reason_name().map(str::to_owned))
        });
    }
    let mut told = 0;
    for answer in timeout(PATIENCE, calls.join_all()).await.expect("answers in time") {
        if let Err(reason) = answer {
            assert_eq!(reason.as_deref(), Some("QUOTA_EXCEEDED"));
            told += 1;
        }
    }
    assert!(told > CALLS / 2, "{told}");
    assert!(!world.platform.connections.is_empty(), "the connection goes on");
}
