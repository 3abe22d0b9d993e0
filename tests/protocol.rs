//! What is no proper call, or no proper answer, ends with a status of the catalogue: code, reason, remedy, call id, and
//! details that every gRPC stack can take. What is expected of each scenario is written here by hand.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use eservices::{
    METHODS, Method,
    appointments::v1::{HoldAppointmentRequest, Intervention},
    eligibility::v1::{CheckEligibilityRequest, check_eligibility_request::Key},
    fulfilment::v1::{DayCapacity, PublishCapacityRequest, PublishZonesRequest, SlotCapacity, Zone},
};
use eservices_client::new_request_id;
use eservices_server::platform::{
    access::{self, STATIC_METHODS},
    config::{Environment, Quota},
    pki::Validity,
    registry::{self, Holder},
};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use jiff::SignedDuration;
use prost::Message as _;
use rustls::version::TLS13;
use tokio::time::timeout;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::harness::{
    ALL, Identity, Plan, SIRENS, World, day_after, issue,
    raw::{Answer, Raw, framed, grpc},
    real_now, slot_id,
    trial::{self, FIRST, SECRET},
};

/// Whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// The most bytes of `grpc-status-details-bin`, decoded.
const MOST_DETAILS: usize = 4_096;

const WHO_AM_I: &str = "/eservices.identity.v1.IdentityService/WhoAmI";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// What a refusal says.
struct Refusal {
    details: Vec<prost_types::Any>,
    metadata: std::collections::HashMap<String, String>,
}

/// Checks that an answer is a refusal with this code and reason, and all that every refusal has.
fn declared(case: &str, answer: &Answer, code: Code, reason: &str) -> Refusal {
    assert_eq!(answer.http_status, 200, "{case}");
    assert_eq!(answer.headers["content-type"], "application/grpc", "{case}");
    let status = answer.status();
    assert_eq!(status.code(), code, "{case}: {status:?}");
    assert!(status.details().len() <= MOST_DETAILS, "{case}: {} bytes", status.details().len());
    assert!(
        !status.message().is_empty() && !status.message().contains(SECRET),
        "{case}: {}",
        status.message()
    );
    assert!(!status.details().windows(SECRET.len()).any(|w| w == SECRET.as_bytes()), "{case}");
    let body = pb::Status::decode(status.details()).unwrap();
    assert_eq!((body.code, body.message.as_str()), (code as i32, status.message()), "{case}");
    let infos: Vec<_> =
        body.details.iter().filter(|d| d.type_url.ends_with("/google.rpc.ErrorInfo")).collect();
    let [info] = infos.as_slice() else { panic!("{case}: {infos:?}") };
    let info = pb::ErrorInfo::decode(info.value.as_slice()).unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "eservices"), "{case}");
    let catalogue = eservices::REASONS.iter().find(|r| r.name == reason).unwrap();
    assert_eq!((catalogue.code, catalogue.remedy), (code, info.metadata["remedy"].as_str()), "{case}");
    let keys: BTreeSet<&str> = info.metadata.keys().map(String::as_str).collect();
    let expected = catalogue.metadata_keys.iter().copied().chain(["remedy", "request_id"]).collect();
    assert_eq!(keys, expected, "{case}");
    let call_id = &info.metadata["request_id"];
    assert_eq!((call_id.len(), &answer.headers["x-request-id"]), (36, &call_id.parse().unwrap()), "{case}");
    Refusal { details: body.details, metadata: info.metadata }
}

impl Refusal {
    fn detail<M: prost::Message + Default>(&self, name: &str) -> Option<M> {
        let found =
            self.details.iter().find(|d| d.type_url == format!("type.googleapis.com/google.rpc.{name}"));
        found.map(|d| M::decode(d.value.as_slice()).unwrap())
    }

    /// Paths of the violations listed.
    fn fields(&self) -> Vec<String> {
        let found = self.detail::<pb::BadRequest>("BadRequest").unwrap();
        found.field_violations.into_iter().map(|v| v.field).collect()
    }

    /// When to try again.
    fn retry_after(&self) -> Option<Duration> {
        self.detail::<pb::RetryInfo>("RetryInfo").map(|i| i.retry_delay.unwrap().try_into().unwrap())
    }
}

async fn open(world: &World, identity: &Identity) -> Raw {
    Raw::open(world.address, world.pki.root.certificate_pem(), Some(identity), &[&TLS13]).await.unwrap()
}

async fn send(raw: &mut Raw, request: Request<Full<Bytes>>) -> Answer {
    timeout(PATIENCE, raw.send(request)).await.expect("an answer in time").unwrap()
}

/// A call that lasts: its head and first message are there.
struct Open {
    headers: HeaderMap,
    body: Incoming,
}

async fn start(raw: &mut Raw, request: Request<Full<Bytes>>) -> Result<Open, Answer> {
    timeout(PATIENCE, async {
        raw.sender.ready().await.unwrap();
        let (head, mut body) = raw.sender.send_request(request).await.unwrap().into_parts();
        if head.headers.contains_key("grpc-status") {
            let answer =
                Answer { http_status: 200, headers: head.headers, body: Bytes::new(), trailers: None };
            return Err(answer);
        }
        let first = body.frame().await.unwrap().unwrap();
        assert!(first.is_data(), "{first:?}");
        Ok(Open { headers: head.headers, body })
    })
    .await
    .expect("a first message in time")
}

impl Open {
    /// The end of the call.
    async fn end(self) -> Answer {
        let rest = timeout(PATIENCE, self.body.collect()).await.expect("an end in time").unwrap();
        let trailers = rest.trailers().cloned();
        Answer { http_status: 200, headers: self.headers, body: rest.to_bytes(), trailers }
    }
}

fn with_timeout(path: &str, value: &str) -> Request<Full<Bytes>> {
    let mut request = grpc(path, framed(b""));
    request.headers_mut().insert("grpc-timeout", value.parse().unwrap());
    request
}

/// Two callers, so that between them every method is open.
struct Callers {
    operator: Identity,
    workforce: Identity,
}

impl Callers {
    async fn of(world: &World) -> Self {
        Self {
            operator: world.operator(SIRENS[0], ALL).await,
            workforce: world.system("workforce", &["logistics", "workforce"]).await,
        }
    }

    fn of_method(&self, method: &Method) -> &Identity {
        if method.caller == eservices::Caller::BackOffice { &self.workforce } else { &self.operator }
    }
}

fn frame(flag: u8, length: u32, bytes: &[u8]) -> Bytes {
    [&[flag], length.to_be_bytes().as_slice(), bytes].concat().into()
}

/// Case, body, `grpc-encoding`, and what is said.
type BrokenBody = (&'static str, Bytes, Option<&'static str>, (Code, &'static str));

fn broken_bodies() -> Vec<BrokenBody> {
    const MALFORMED: (Code, &str) = (Code::InvalidArgument, "MESSAGE_MALFORMED");
    const TOO_LARGE: (Code, &str) = (Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    const COMPRESSED: (Code, &str) = (Code::Unimplemented, "COMPRESSION_UNSUPPORTED");
    let mib = vec![0; (1 << 20) + 1];
    vec![
        ("no protobuf", framed(&[0xff, 0xff]), None, MALFORMED),
        ("a field without its end", framed(&[0x0a, 0x05, b'a']), None, MALFORMED),
        ("no message", Bytes::new(), None, MALFORMED),
        ("half a frame's head", Bytes::from_static(&[0, 0, 0]), None, MALFORMED),
        ("half a message", frame(0, 10, b"abc"), None, MALFORMED),
        ("compressed flag without encoding", frame(1, 0, b""), None, MALFORMED),
        ("unknown flag", frame(2, 0, b""), None, MALFORMED),
        ("compressed with gzip", frame(1, 3, b"abc"), Some("gzip"), COMPRESSED),
        ("encoding of our own making", frame(1, 3, b"abc"), Some("zip"), COMPRESSED),
        ("1 MiB and a byte", framed(&mib), None, TOO_LARGE),
        ("a claim of 4 GiB", frame(0, u32::MAX, b"abc"), None, TOO_LARGE),
    ]
}

#[tokio::test]
async fn a_broken_body_is_told_what_is_wrong_with_it() {
    let world = World::start().await;
    let callers = Callers::of(&world).await;
    for method in METHODS.iter().chain(STATIC_METHODS) {
        let mut raw = open(&world, callers.of_method(method)).await;
        for (case, body, encoding, (code, reason)) in broken_bodies() {
            let case = format!("{}: {case}", method.path);
            let mut request = grpc(method.path, body);
            if let Some(encoding) = encoding {
                request.headers_mut().insert("grpc-encoding", encoding.parse().unwrap());
            }
            let answer = send(&mut raw, request).await;
            if method.client_streaming && encoding.is_none() {
                // tonic's reflection ends its stream at a message that it cannot read, and answers none.
                assert_eq!((answer.status().code(), answer.body.len()), (Code::Ok, 0), "{case}");
                continue;
            }
            let refusal = declared(&case, &answer, code, reason);
            assert_eq!(refusal.retry_after(), None, "{case}");
        }
    }
}

#[tokio::test]
async fn text_that_is_no_utf_8_and_a_wrong_type_are_malformed_and_a_whole_mebibyte_is_read() {
    let world = World::start().await;
    let callers = Callers::of(&world).await;
    let mut raw = open(&world, &callers.operator).await;
    let path = "/eservices.appointments.v1.AppointmentService/GetAppointment";
    for (case, message) in
        [("no UTF-8", vec![0x0a, 0x02, 0xff, 0xfe]), ("a number for a text", vec![0x08, 0x01])]
    {
        let answer = send(&mut raw, grpc(path, framed(&message))).await;
        declared(case, &answer, Code::InvalidArgument, "MESSAGE_MALFORMED");
    }
    let request = CheckEligibilityRequest {
        key: Some(Key::Imb("é".repeat(524_286))),
        ..CheckEligibilityRequest::default()
    };
    let message = request.encode_to_vec();
    assert_eq!(message.len(), 1 << 20);
    let answer = send(
        &mut raw,
        grpc("/eservices.eligibility.v1.EligibilityService/CheckEligibility", framed(&message)),
    );
    let refusal = declared("1 MiB", &answer.await, Code::InvalidArgument, "FIELDS_INVALID");
    assert_eq!(refusal.fields(), ["imb"]);
}

#[tokio::test]
async fn what_is_no_grpc_is_refused_before_anything_else() {
    let world = World::start().await;
    let callers = Callers::of(&world).await;
    let stranger = Holder::operator(SIRENS[8]).unwrap();
    let validity = Validity::days(real_now(), 397).unwrap();
    let stranger = issue(&world.pki.non_production, &stranger, ALL, Environment::NonProduction, validity).0;
    let verbs = ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"];
    let types = [
        "application/json",
        "application/grpc+json",
        "application/grpc-web",
        "application/grpcx",
        "text/plain",
        "",
    ];
    let timeouts = ["5x", "", "S", "-1S", "123456789S", "1.5S", " 5S", "5", "%"];
    let mut count = 0;
    for method in METHODS.iter().chain(STATIC_METHODS) {
        let path = method.path;
        let mut raw = open(&world, callers.of_method(method)).await;
        let mut cases = Vec::new();
        for verb in verbs {
            let mut request = grpc(path, framed(b""));
            *request.method_mut() = verb.parse().unwrap();
            cases.push((format!("{verb} {path}"), request));
        }
        for kind in types {
            let mut request = grpc(path, Bytes::from_static(b"{}"));
            request.headers_mut().insert("content-type", kind.parse().unwrap());
            cases.push((format!("{path} as {kind:?}"), request));
        }
        let mut request = grpc(path, framed(b""));
        request.headers_mut().remove("content-type");
        cases.push((format!("{path} without a type"), request));
        cases.extend(timeouts.map(|t| (format!("{path} within {t:?}"), with_timeout(path, t))));
        for (case, request) in cases {
            let answer = send(&mut raw, request).await;
            let refusal = declared(&case, &answer, Code::InvalidArgument, "NOT_GRPC");
            assert_eq!(refusal.retry_after(), None, "{case}");
            count += 1;
        }
    }
    assert_eq!(count, (METHODS.len() + STATIC_METHODS.len()) * 21);
    // Nobody at all is told the same of a GET, and learns of no method.
    let mut raw = open(&world, &stranger).await;
    let mut request = grpc(WHO_AM_I, Bytes::new());
    *request.method_mut() = http::Method::GET;
    declared("a stranger's GET", &send(&mut raw, request).await, Code::InvalidArgument, "NOT_GRPC");
    let answer = send(&mut raw, grpc("/no.such.Service/Method", framed(b""))).await;
    declared("a stranger's unknown method", &answer, Code::Unauthenticated, "CERTIFICATE_UNREGISTERED");
    assert_eq!(world.platform.entered.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn unknown_methods_are_named_so() {
    let world = World::start().await;
    let callers = Callers::of(&world).await;
    let mut raw = open(&world, &callers.operator).await;
    let paths = [
        "/",
        "/metrics",
        "/eservices.identity.v1.IdentityService",
        "/eservices.identity.v1.IdentityService/",
        "/eservices.identity.v1.IdentityService/Nothing",
        "/eservices.identity.v1.IdentityService/whoami",
        "/eservices.identity.v1.IdentityService/WhoAmI/",
        "/eservices.identity.v1.IdentityService/WhoAmI%20",
        "//eservices.identity.v1.IdentityService/WhoAmI",
        "/eservices.identity.v2.IdentityService/WhoAmI",
        "/eservices.trial.v1.TrialService/Panic",
        "/grpc.health.v1.Health/Nothing",
        "/grpc.reflection.v1.ServerReflection/Nothing",
    ];
    for path in paths {
        let answer = send(&mut raw, grpc(path, framed(b""))).await;
        declared(path, &answer, Code::Unimplemented, "METHOD_UNKNOWN");
    }
    // The content types of gRPC are taken.
    for kind in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
        let mut request = grpc(WHO_AM_I, framed(b""));
        request.headers_mut().insert("content-type", kind.parse().unwrap());
        assert_eq!(send(&mut raw, request).await.status().code(), Code::Ok, "{kind}");
    }
    let answer = send(&mut raw, grpc("/grpc.health.v1.Health/Check", framed(b"\x0a\x04none"))).await;
    declared("health of no service", &answer, Code::NotFound, "RESOURCE_NOT_FOUND");
    let answer =
        send(&mut raw, grpc("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", framed(b""))).await;
    declared("reflection asked nothing", &answer, Code::InvalidArgument, "MESSAGE_MALFORMED");
}

async fn trial_world(change: impl FnOnce(&mut Plan)) -> World {
    let methods = access::Table { extra: trial::METHODS };
    let mut plan = Plan { methods, extra: Some(trial::added), ..Plan::default() };
    plan.config.limits.max_deadline_seconds = 1;
    change(&mut plan);
    World::from(plan).await
}

#[tokio::test]
async fn a_deadline_a_panic_and_a_fault_end_a_call_by_the_catalogue() {
    const LATE: (Code, &str) = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    const FAULT: (Code, &str) = (Code::Internal, "INTERNAL");
    const TOO_LARGE: (Code, &str) = (Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    let world = trial_world(|_| {}).await;
    let mut raw = open(&world, &Callers::of(&world).await.operator).await;
    let cases = [
        (trial::HANG, Some("50m"), LATE),
        (trial::HANG, Some("0n"), LATE),
        (trial::HANG, Some("50000u"), LATE),
        (trial::HANG, Some("99999999H"), LATE),
        (trial::HANG, None, LATE),
        (trial::PANIC, None, FAULT),
        (trial::LEAK, None, FAULT),
        (trial::HUGE, None, TOO_LARGE),
    ];
    for (path, within, (code, reason)) in cases {
        let case = format!("{path} within {within:?}");
        let request = within.map_or_else(|| grpc(path, framed(b"")), |t| with_timeout(path, t));
        let answer = send(&mut raw, request).await;
        assert_eq!(answer.body.len(), 0, "{case}");
        declared(&case, &answer, code, reason);
    }
    let cases = [
        (trial::STREAM_HANG, Some("200m"), LATE),
        (trial::STREAM_PANIC, None, FAULT),
        (trial::STREAM_LEAK, None, FAULT),
        (trial::STREAM_HUGE, None, TOO_LARGE),
    ];
    for (path, within, (code, reason)) in cases {
        let case = format!("{path} within {within:?}");
        let request = within.map_or_else(|| grpc(path, framed(b"")), |t| with_timeout(path, t));
        let answer = send(&mut raw, request).await;
        // A text in field 1, as google.protobuf.StringValue.
        assert_eq!(
            answer.message(),
            [b"\x0a\x05", FIRST.as_bytes()].concat(),
            "{case}: the message before the end"
        );
        assert!(answer.trailers.is_some(), "{case}");
        declared(&case, &answer, code, reason);
    }
    // A watch whose deadline passes ends the same way, and the connection has survived it all.
    let answer = send(&mut raw, with_timeout(WATCH, "100m")).await;
    declared("a watch", &answer, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    assert_eq!(send(&mut raw, grpc(WHO_AM_I, framed(b""))).await.status().code(), Code::Ok);
}

#[tokio::test]
async fn more_calls_than_the_quota_are_told_when_to_come_back() {
    let world = trial_world(|plan| {
        let quota = Quota { calls_per_second: 1, burst: 3, concurrent_calls: 100 };
        plan.config.quota.insert("standard".into(), quota);
    })
    .await;
    let callers = Callers::of(&world).await;
    let mut raw = open(&world, &callers.operator).await;
    let mut answered = 0;
    let refused = loop {
        let answer = send(&mut raw, grpc(WHO_AM_I, framed(b""))).await;
        if answer.status().code() != Code::Ok {
            break answer;
        }
        answered += 1;
        assert!(answered < 100, "a call a second and three at once");
    };
    assert!(answered >= 3, "{answered}");
    let refusal = declared("quota", &refused, Code::ResourceExhausted, "QUOTA_EXCEEDED");
    assert_eq!(refusal.metadata["limit_per_second"], "1");
    let wait = refusal.retry_after().unwrap();
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1), "{wait:?}");
    // Another caller has its own.
    let mut other = open(&world, &callers.workforce).await;
    assert_eq!(send(&mut other, grpc(WHO_AM_I, framed(b""))).await.status().code(), Code::Ok);
}

#[tokio::test]
async fn more_calls_at_once_than_the_limit_wait_for_one_to_end() {
    let world = trial_world(|plan| {
        let quota = Quota { calls_per_second: 100_000, burst: 100_000, concurrent_calls: 2 };
        plan.config.quota.insert("standard".into(), quota);
    })
    .await;
    let callers = Callers::of(&world).await;
    let (mut first, mut second) =
        (open(&world, &callers.operator).await, open(&world, &callers.operator).await);
    let hang = || grpc(trial::STREAM_HANG, framed(b""));
    let held =
        [start(&mut first, hang()).await.ok().unwrap(), start(&mut second, hang()).await.ok().unwrap()];
    for path in [WHO_AM_I, WATCH] {
        let answer = send(&mut second, grpc(path, framed(b""))).await;
        let refusal = declared(path, &answer, Code::ResourceExhausted, "TOO_MANY_CALLS_AT_ONCE");
        assert_eq!(refusal.metadata["limit"], "2", "{path}");
        assert!(refusal.retry_after().unwrap() > Duration::ZERO, "{path}");
    }
    let mut other = open(&world, &callers.workforce).await;
    assert_eq!(
        send(&mut other, grpc(WHO_AM_I, framed(b""))).await.status().code(),
        Code::Ok,
        "another caller"
    );
    drop(held);
    let freed = timeout(PATIENCE, async {
        while send(&mut first, grpc(WHO_AM_I, framed(b""))).await.status().code() != Code::Ok {}
    });
    freed.await.expect("a stream that the caller gave up frees its place");
}

#[tokio::test]
async fn a_call_has_freed_its_place_when_its_end_is_read() {
    let world = trial_world(|plan| {
        let quota = Quota { calls_per_second: 100_000, burst: 100_000, concurrent_calls: 1 };
        plan.config.quota.insert("standard".into(), quota);
    })
    .await;
    let mut raw = open(&world, &Callers::of(&world).await.operator).await;
    for n in 0..50 {
        assert_eq!(send(&mut raw, grpc(WHO_AM_I, framed(b""))).await.status().code(), Code::Ok, "{n}");
        let late = send(&mut raw, with_timeout(trial::STREAM_HANG, "1m")).await;
        declared("late", &late, Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
        let fault = send(&mut raw, grpc(trial::PANIC, framed(b""))).await;
        declared("fault", &fault, Code::Internal, "INTERNAL");
    }
}

#[tokio::test]
async fn a_stop_ends_streams_with_unavailable_and_lets_unary_calls_finish() {
    let mut world = trial_world(|_| {}).await;
    let callers = Callers::of(&world).await;
    let mut raws = Vec::new();
    let mut streams = Vec::new();
    for path in [WATCH, trial::STREAM_HANG] {
        let mut raw = open(&world, &callers.operator).await;
        streams.push((path, start(&mut raw, grpc(path, framed(b""))).await.ok().unwrap()));
        raws.push(raw);
    }
    let mut raw = open(&world, &callers.operator).await;
    let unary = raw.sender.send_request(grpc(trial::HANG, framed(b"")));
    let entered = || world.platform.entered.load(std::sync::atomic::Ordering::Relaxed);
    let unary = tokio::spawn(unary);
    timeout(PATIENCE, async {
        while entered() < 3 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the unary call is under way");
    let platform = std::sync::Arc::clone(&world.platform);
    platform.draining.cancel();
    for (path, stream) in streams {
        let refusal = declared(path, &stream.end().await, Code::Unavailable, "SHUTTING_DOWN");
        assert!(refusal.retry_after().unwrap() > Duration::ZERO, "{path}");
    }
    // It ends by its own deadline of a second, not by the stop.
    let response = timeout(PATIENCE, unary).await.unwrap().unwrap().unwrap();
    let status = Status::from_header_map(response.headers()).unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    timeout(PATIENCE, world.stop()).await.expect("the server stops");
}

#[tokio::test]
async fn a_certificate_that_stands_for_nobody_any_more_ends_its_streams_with_the_reason() {
    let world = trial_world(|_| {}).await;
    let holder = Holder::operator(SIRENS[0]).unwrap();
    let staying = world.operator(SIRENS[0], ALL).await;
    let revoked = world.certificate(&holder, ALL, Environment::NonProduction).await;
    let now = real_now();
    let validity = Validity {
        not_before: now - SignedDuration::from_hours(1),
        not_after: now + SignedDuration::from_secs(4),
    };
    let (expiring, issued) =
        issue(&world.pki.non_production, &holder, ALL, Environment::NonProduction, validity);
    let registration = issued.registration.unwrap();
    let request_id = new_request_id();
    let network = world.platform.network.load();
    let catalogue = network.reference.eservices();
    registry::register_certificate(&world.platform.db, world.by(&request_id), &registration, catalogue)
        .await
        .unwrap();
    world.look().await;
    let mut stay = open(&world, &staying).await;
    let stays = start(&mut stay, grpc(WATCH, framed(b""))).await.ok().unwrap();
    let mut first = open(&world, &revoked).await;
    let mut second = open(&world, &expiring).await;
    let mut streams = Vec::new();
    for path in [WATCH, trial::STREAM_HANG] {
        let one = start(&mut first, grpc(path, framed(b""))).await.ok().unwrap();
        streams.push(("CERTIFICATE_REVOKED", &revoked.serial, one));
        let one = start(&mut second, grpc(path, framed(b""))).await.ok().unwrap();
        streams.push(("CERTIFICATE_EXPIRED", &expiring.serial, one));
    }
    let request_id = new_request_id();
    registry::revoke_certificate(&world.platform.db, world.by(&request_id), &revoked.serial, None)
        .await
        .unwrap();
    world.look().await;
    for (reason, serial, stream) in streams {
        let refusal = declared(reason, &stream.end().await, Code::Unauthenticated, reason);
        assert_eq!(&refusal.metadata["serial"], serial, "{reason}");
    }
    world.platform.draining.cancel();
    declared("another certificate of the operator", &stays.end().await, Code::Unavailable, "SHUTTING_DOWN");
}

#[tokio::test]
async fn the_largest_form_errors_stay_small_and_count_all() {
    let world = World::start().await;
    let callers = Callers::of(&world).await;
    let mut workforce = open(&world, &callers.workforce).await;
    let mut operator = open(&world, &callers.operator).await;

    // 62 days of 48 slots, three fields of each wrong; request id and zone code.
    let slot = SlotCapacity { start_time: "é".repeat(100), end_time: "8h".into(), capacity: 2_000 };
    let day = |n| DayCapacity { day: day_after(n), slots: vec![slot.clone(); 48] };
    let request = PublishCapacityRequest {
        request_id: "x".repeat(1_000),
        zone_code: "x".repeat(1_000),
        days: (0..62).map(day).collect(),
    };
    let path = "/eservices.fulfilment.v1.FulfilmentService/PublishCapacity";
    let answer = send(&mut workforce, grpc(path, framed(&request.encode_to_vec()))).await;
    let refusal = declared(path, &answer, Code::InvalidArgument, "FIELDS_INVALID");
    assert_eq!(refusal.metadata["violation_count"], "8930");
    let fields = refusal.fields();
    assert_eq!(fields.len(), 20);
    assert_eq!(fields[..3], ["request_id", "zone_code", "days[0].slots[0].start_time"]);

    // 100 zones with code, label and 20 communes wrong; request id.
    let zone = Zone {
        code: "é".repeat(100),
        label: String::new(),
        commune_codes: vec!["é\n\u{1}\"".repeat(30); 20],
    };
    let request = PublishZonesRequest { request_id: String::new(), zones: vec![zone; 100] };
    let path = "/eservices.fulfilment.v1.FulfilmentService/PublishZones";
    let answer = send(&mut workforce, grpc(path, framed(&request.encode_to_vec()))).await;
    let refusal = declared(path, &answer, Code::InvalidArgument, "FIELDS_INVALID");
    assert_eq!(refusal.metadata["violation_count"], "2201");
    assert_eq!(refusal.fields().len(), 20);

    // 60 unknown offers (one error for their number, 50 looked at), the building, the day.
    let request = CheckEligibilityRequest {
        key: Some(Key::Imb("\u{1f600}".repeat(1_000))),
        offer_codes: vec!["\u{1f600}".repeat(1_000); 60],
        as_of_day: "\u{1f600}".repeat(1_000),
    };
    let path = "/eservices.eligibility.v1.EligibilityService/CheckEligibility";
    let answer = send(&mut operator, grpc(path, framed(&request.encode_to_vec()))).await;
    let refusal = declared(path, &answer, Code::InvalidArgument, "FIELDS_INVALID");
    assert_eq!(refusal.metadata["violation_count"], "53");
    assert_eq!(refusal.fields().len(), 20);

    // A hold with nothing right in it.
    let intervention = Intervention {
        product_nature: "\u{1f600}".repeat(9_000),
        operation: "\u{1f600}".repeat(9_000),
        access_id: "\u{1f600}".repeat(9_000),
        ..Intervention::default()
    };
    let request = HoldAppointmentRequest {
        request_id: "\u{1f600}".repeat(9_000),
        intervention: Some(intervention),
        slot_id: slot_id(8, "08:00").repeat(1_000),
    };
    let path = "/eservices.appointments.v1.AppointmentService/HoldAppointment";
    let answer = send(&mut operator, grpc(path, framed(&request.encode_to_vec()))).await;
    let refusal = declared(path, &answer, Code::InvalidArgument, "FIELDS_INVALID");
    assert_eq!(
        refusal.fields(),
        [
            "request_id",
            "slot_id",
            "intervention.product_nature",
            "intervention.operation",
            "intervention.appointment_type",
            "intervention.place",
        ]
    );
}

#[tokio::test]
async fn the_largest_business_errors_stay_small_and_count_all() {
    let world = World::start().await;
    let callers = Callers::of(&world).await;
    let mut raw = open(&world, &callers.workforce).await;
    let path = "/eservices.fulfilment.v1.FulfilmentService/PublishZones";
    let publish = |code: &str| {
        let zone = Zone {
            code: code.into(),
            label: "é".repeat(80),
            commune_codes: (1..=150).map(|n| format!("77{n:03}")).collect(),
        };
        let request = PublishZonesRequest { request_id: new_request_id(), zones: vec![zone] };
        grpc(path, framed(&request.encode_to_vec()))
    };
    assert_eq!(send(&mut raw, publish("ZONEAAAA")).await.status().code(), Code::Ok);
    let answer = send(&mut raw, publish("ZONEBBBB")).await;
    let refusal = declared(path, &answer, Code::FailedPrecondition, "COMMUNE_IN_OTHER_ZONE");
    assert_eq!(refusal.metadata["violation_count"], "150");
    let listed = refusal.detail::<pb::PreconditionFailure>("PreconditionFailure").unwrap().violations;
    assert_eq!(listed.len(), 20);
    assert!(listed.iter().all(|v| v.r#type == "COMMUNE_IN_OTHER_ZONE"), "{listed:?}");
}
