//! What is sent again, what is not, when, and how often.

use std::time::Duration;

use eservices_client::{
    Code, Error, RetryPolicy,
    contract::{
        appointments::v1::{HoldAppointmentRequest, HoldAppointmentResponse},
        errors::v1::Reason,
        identity::v1::WhoAmIRequest,
    },
};
use tonic::body::Body;
use tower::ServiceExt as _;

use crate::fake::{
    AWAY, Fake,
    Step::{Break, Http, Late, Refuse, Reply, Reset},
};

const HOLD: &str = "/eservices.appointments.v1.AppointmentService/HoldAppointment";
/// `{request_id: "r-1", slot_id: "s-1"}`, framed: fields 1 and 3.
const HOLD_BYTES: &[u8] = b"\0\0\0\0\x0a\x0a\x03r-1\x1a\x03s-1";
/// `{appointment: {reference: "A-1"}}`.
const HELD: &[u8] = b"\x0a\x05\x0a\x03A-1";
const UNAVAILABLE: u16 = 14;

async fn hold(client: &eservices_client::Client) -> Result<HoldAppointmentResponse, Error> {
    let request = HoldAppointmentRequest {
        request_id: "r-1".to_owned(),
        slot_id: "s-1".to_owned(),
        ..HoldAppointmentRequest::default()
    };
    Ok(client.appointments().hold_appointment(request).await?.into_inner())
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_server_gets_the_same_bytes_again_after_growing_waits() {
    let fake = Fake::new([Refuse(UNAVAILABLE, ""), Refuse(UNAVAILABLE, ""), Reply(HELD)]);
    let held = hold(&fake.client()).await.unwrap();
    assert_eq!(held.appointment.unwrap().reference, "A-1");

    let seen = fake.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|call| call.path == HOLD && call.body == HOLD_BYTES), "{seen:?}");
    let before: Vec<_> = seen.iter().map(|call| call.attempts_before.as_deref()).collect();
    assert_eq!(before, [None, Some("1"), Some("2")]);
    let (first, second) = (seen[1].at - seen[0].at, seen[2].at - seen[1].at);
    // tokio's timers round up to the next millisecond.
    assert!((ms(50)..=ms(101)).contains(&first), "{first:?}");
    assert!((ms(100)..=ms(201)).contains(&second), "{second:?}");
}

#[tokio::test(start_paused = true)]
async fn a_read_is_sent_again_too() {
    let fake = Fake::new([Refuse(UNAVAILABLE, ""), Reply(b"")]);
    fake.client().identity().who_am_i(WhoAmIRequest {}).await.unwrap();
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_dialled_again() {
    let fake = Fake::refusing(2, [Reply(HELD)]);
    hold(&fake.client()).await.unwrap();
    assert_eq!((fake.dials(), fake.seen().len()), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn connections_refused_to_the_end_read_as_unavailable() {
    let fake = Fake::refusing(usize::MAX, []);
    let error = hold(&fake.client()).await.unwrap_err();
    assert_eq!((error.code(), fake.dials()), (Code::Unavailable, 4));
    assert!(error.message().contains("connection refused"), "{error}");
    assert_eq!(error.reason(), None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_before_the_answer_is_dialled_again() {
    let fake = Fake::new([Break, Reply(HELD)]);
    hold(&fake.client()).await.unwrap();
    assert_eq!((fake.dials(), fake.seen().len()), (2, 2));
    assert_eq!(fake.seen()[1].body, HOLD_BYTES);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_the_server_refused_is_sent_again_and_one_that_it_broke_is_not() {
    let fake = Fake::new([Reset(h2::Reason::REFUSED_STREAM), Reply(HELD)]);
    hold(&fake.client()).await.unwrap();
    assert_eq!(fake.seen().len(), 2);

    let fake = Fake::new([Reset(h2::Reason::INTERNAL_ERROR), Reply(HELD)]);
    let error = hold(&fake.client()).await.unwrap_err();
    assert_eq!((error.code(), fake.seen().len()), (Code::Internal, 1));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_without_a_server_behind_it_counts_as_unavailable() {
    let fake = Fake::new([Http(503), Http(502), Reply(HELD)]);
    hold(&fake.client()).await.unwrap();
    assert_eq!(fake.seen().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn no_other_code_is_sent_again() {
    for code in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16] {
        let fake = Fake::new([Refuse(code, ""), Reply(HELD)]);
        let error = hold(&fake.client()).await.unwrap_err();
        assert_eq!((error.code() as u16, fake.seen().len()), (code, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_sent_again_once_its_head_has_come() {
    let fake = Fake::new([Late(UNAVAILABLE), Reply(HELD)]);
    let error = hold(&fake.client()).await.unwrap_err();
    assert_eq!((error.code(), fake.seen().len()), (Code::Unavailable, 1));
}

#[tokio::test(start_paused = true)]
async fn the_servers_own_delay_is_waited_for() {
    let fake = Fake::new([Refuse(UNAVAILABLE, AWAY), Reply(HELD)]);
    hold(&fake.client()).await.unwrap();
    let waited = fake.seen()[1].at;
    assert!((ms(3_000)..=ms(3_051)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn attempts_end_and_the_last_answer_is_the_callers() {
    let fake = Fake::new([Refuse(UNAVAILABLE, AWAY); 9]);
    let client = fake.builder().timeout(Duration::from_secs(60)).connect_lazy().unwrap();
    let error = hold(&client).await.unwrap_err();
    assert_eq!(fake.seen().len(), 4);
    assert_eq!(error.reason(), Some(Reason::TemporarilyUnavailable));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));

    let fake = Fake::new([Refuse(UNAVAILABLE, "")]);
    let client = fake.builder().retry(RetryPolicy::off()).connect_lazy().unwrap();
    assert_eq!(hold(&client).await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_not_amplified_beyond_the_budget_that_all_clones_share() {
    let fake = Fake::new([Refuse(UNAVAILABLE, ""); 20]);
    let policy = RetryPolicy::default().attempts(3).budget(3, 0.5);
    let client = fake.builder().retry(policy).connect_lazy().unwrap();
    let mut sent = Vec::new();
    for _ in 0..4 {
        let before = fake.seen().len();
        hold(&client.clone()).await.unwrap_err();
        sent.push(fake.seen().len() - before);
    }
    assert_eq!(sent, [3, 2, 1, 1]);
}

#[tokio::test(start_paused = true)]
async fn answered_calls_fill_the_budget_again() {
    let down = Refuse(UNAVAILABLE, "");
    let fake = Fake::new([down, down, down, Reply(HELD), Refuse(9, ""), down, Reply(HELD)]);
    let client = fake.builder().retry(RetryPolicy::default().budget(1, 0.5)).connect_lazy().unwrap();
    hold(&client).await.unwrap_err();
    assert_eq!(fake.seen().len(), 2, "the only token is spent");
    hold(&client).await.unwrap_err();
    assert_eq!(fake.seen().len(), 3);
    hold(&client).await.unwrap();
    assert_eq!(hold(&client).await.unwrap_err().code(), Code::FailedPrecondition, "an answer all the same");
    hold(&client).await.unwrap();
    assert_eq!(fake.seen().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_method_outside_the_contract_is_sent_once_with_the_deadline() {
    let fake = Fake::new([Refuse(UNAVAILABLE, ""), Reply(b"")]);
    let request = http::Request::post("/grpc.health.v1.Health/Check").body(Body::empty()).unwrap();
    let answer = fake.client().transport().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["grpc-status"], "14");
    let seen = fake.seen();
    assert_eq!((seen.len(), seen[0].timeout.as_deref()), (1, Some("10000000u")));
}
