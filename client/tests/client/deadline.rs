//! One deadline bounds a call, whatever happens on its way.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use eservices_client::{Builder, Code, Error, Request, RetryPolicy, contract::identity::v1::WhoAmIRequest};

use tokio::io::duplex;

use crate::fake::{
    AWAY, Fake,
    Step::{Hang, Refuse, Reply, Stall},
};

const UNAVAILABLE: u16 = 14;

async fn who_am_i(client: &eservices_client::Client) -> Result<(), Error> {
    let call = async { client.identity().who_am_i(WhoAmIRequest {}).await };
    // So that a call without an end fails its test.
    tokio::time::timeout(Duration::from_secs(3_600), call).await.unwrap()?;
    Ok(())
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// The elapsed time is the limit, up to the millisecond that tokio's timers round to.
#[track_caller]
fn took(fake: &Fake, limit: Duration) {
    let elapsed = fake.elapsed();
    assert!((limit..=limit + ms(1)).contains(&elapsed), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_server_is_told_the_clients_deadline_or_the_calls_own() {
    let fake = Fake::new([Reply(b""), Reply(b"")]);
    let client = fake.client();
    who_am_i(&client).await.unwrap();
    let mut request = Request::new(WhoAmIRequest {});
    request.set_timeout(ms(1_500));
    client.identity().who_am_i(request).await.unwrap();
    let told: Vec<_> = fake.seen().into_iter().map(|call| call.timeout.unwrap()).collect();
    assert_eq!(told, ["10000000u", "1500000u"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_attempt_is_told_what_is_left() {
    let fake = Fake::new([Refuse(UNAVAILABLE, AWAY), Reply(b"")]);
    who_am_i(&fake.client()).await.unwrap();
    let seen = fake.seen();
    let left = Duration::from_secs(10) - seen[1].at;
    assert_eq!(seen[1].timeout, Some(format!("{}u", left.as_micros())));
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_ends_in_deadline_exceeded_and_is_not_asked_again() {
    let fake = Fake::new([Hang]);
    let error = who_am_i(&fake.client()).await.unwrap_err();
    assert_eq!((error.code(), fake.seen().len()), (Code::DeadlineExceeded, 1));
    assert_eq!(
        error.message(),
        "no answer within 10s; a write may have happened: send it again with the same request_id"
    );
    took(&fake, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_stops_half_way_ends_in_deadline_exceeded() {
    let fake = Fake::new([Stall(b"")]);
    let error = who_am_i(&fake.client()).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    took(&fake, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn attempts_stop_when_no_time_is_left_for_another() {
    let fake = Fake::new([Refuse(UNAVAILABLE, ""); 50]);
    let policy = RetryPolicy::default().attempts(50).back_off(ms(100), ms(100)).without_budget();
    let client = fake.builder().timeout(ms(450)).retry(policy).connect_lazy().unwrap();
    let error = who_am_i(&client).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable, "what the server said, not a wait for nothing");
    assert!(fake.elapsed() < ms(450), "{:?}", fake.elapsed());
    // Waits of 50 to 100 ms.
    assert!((5..=9).contains(&fake.seen().len()), "{}", fake.seen().len());
}

#[tokio::test(start_paused = true)]
async fn a_delay_beyond_the_deadline_is_handed_to_the_caller_at_once() {
    let fake = Fake::new([Refuse(UNAVAILABLE, AWAY), Reply(b"")]);
    let client = fake.builder().timeout(Duration::from_secs(2)).connect_lazy().unwrap();
    let error = who_am_i(&client).await.unwrap_err();
    assert_eq!((error.code(), error.retry_after()), (Code::Unavailable, Some(Duration::from_secs(3))));
    assert_eq!((fake.seen().len(), fake.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_network_that_swallows_connections_does_not_outlast_the_deadline() {
    let fake = Fake::new([]);
    let swallowing =
        fake.builder().dialer(|_| std::future::pending::<std::io::Result<tokio::io::DuplexStream>>());
    let error = who_am_i(&swallowing.connect_lazy().unwrap()).await.unwrap_err();
    assert_eq!(error.code(), Code::DeadlineExceeded);
    took(&fake, Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn an_eager_connection_is_bounded_too() {
    let fake = Fake::new([]);
    let swallowing =
        fake.builder().dialer(|_| std::future::pending::<std::io::Result<tokio::io::DuplexStream>>());
    let error = swallowing.connect().await.unwrap_err();
    assert_eq!(error.to_string(), "cannot connect to http://localhost:50051: no connection within 5s");
    took(&fake, Duration::from_secs(5));
}

/// The first connection takes everything and says nothing. How long a call takes that begins on it.
async fn after_silence(describe: impl FnOnce(Builder) -> Builder) -> Duration {
    let fake = Fake::new([Reply(b"")]);
    let silent = Arc::new(Mutex::new(None));
    let builder = describe(fake.builder().timeout(Duration::from_secs(300))).dialer({
        let fake = fake.clone();
        move |_| {
            let (ours, theirs) = duplex(1 << 16);
            match fake.count_dial() {
                0 => *silent.lock().unwrap() = Some(theirs),
                _ => drop(tokio::spawn(fake.clone().serve(theirs))),
            }
            async move { Ok(ours) }
        }
    });
    who_am_i(&builder.connect_lazy().unwrap()).await.unwrap();
    assert_eq!(fake.dials(), 2);
    fake.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_fell_silent_is_given_up_and_dialled_again() {
    let near = |seconds| Duration::from_secs(seconds)..Duration::from_secs(seconds + 1);
    let elapsed = after_silence(|builder| builder).await;
    assert!(near(60 + 20).contains(&elapsed), "{elapsed:?}");
    let elapsed = after_silence(|b| b.keep_alive(Duration::from_secs(30), Duration::from_secs(7))).await;
    assert!(near(30 + 7).contains(&elapsed), "{elapsed:?}");
}
