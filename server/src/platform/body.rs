//! The body of an answer: whatever happens, it ends with trailers of ours.
//!
//! A status from below → translated, panic → INTERNAL; a stream ends from outside too: deadline, a request that stops
//! coming, or a peer that takes nothing → DEADLINE_EXCEEDED, certificate that stands for nobody any more →
//! UNAUTHENTICATED, drain → UNAVAILABLE. Holds the call's permit. Knows no method.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::{Instant, Sleep};
use tokio_util::{
    sync::{CancellationToken, WaitForCancellationFutureOwned},
    task::AbortOnDropHandle,
};
use tonic::{Code, Status, body::Body};

use super::{
    error::{Error, Reason},
    intake, mapper,
    pipeline::Outcome,
    quota::Permit,
};

/// An answer with its ends.
pub struct Guarded {
    answer: Arc<Mutex<Answer>>,
    /// Ended with the body.
    watch: Option<AbortOnDropHandle<()>>,
}

struct Answer {
    inner: Body,
    ends: Option<Ends>,
    outcome: Outcome,
    /// Given back with the last frame, not when hyper drops the body: the caller's next call must find its place free.
    permit: Option<Permit>,
    /// When a piece was handed over. The next one is asked for when the peer has room for this one: at once, as a rule.
    handed: Option<Instant>,
    /// Nobody takes the answer: the next thing to be said is that it ended.
    given_up: bool,
}

/// What can end a stream from outside.
pub struct Ends {
    stalled: CancellationToken,
    has_stalled: Pin<Box<WaitForCancellationFutureOwned>>,
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
    why_killed: Box<dyn Fn() -> Error + Send>,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Ends {
    /// The request's coming to a stop, the connection's end with its reason, the server's stop, and the time left.
    #[must_use]
    pub fn new(
        stalled: CancellationToken,
        killed: WaitForCancellationFutureOwned,
        why_killed: impl Fn() -> Error + Send + 'static,
        drained: WaitForCancellationFutureOwned,
        left: Option<Duration>,
    ) -> Self {
        Self {
            has_stalled: Box::pin(stalled.clone().cancelled_owned()),
            stalled,
            killed: Box::pin(killed),
            why_killed: Box::new(why_killed),
            drained: Box::pin(drained),
            deadline: left.map(|left| Box::pin(tokio::time::sleep(left))),
        }
    }

    fn cut(&mut self, context: &mut Context<'_>) -> Option<Error> {
        if self.killed.as_mut().poll(context).is_ready() {
            return Some((self.why_killed)());
        }
        if self.drained.as_mut().poll(context).is_ready() {
            return Some(shutting_down());
        }
        if self.has_stalled.as_mut().poll(context).is_ready() {
            return Some(intake::stalled());
        }
        let late = self.deadline.as_mut().is_some_and(|d| d.as_mut().poll(context).is_ready());
        late.then(|| Error::new(Reason::DeadlineExceeded, "the deadline passed"))
    }
}

impl Guarded {
    /// Wraps the body of an answer; one that is ready at once (unary) needs no ends from outside.
    #[must_use]
    pub fn new(inner: Body, ends: Option<Ends>, outcome: Outcome, permit: Permit) -> Self {
        let answer = Answer { inner, ends, outcome, permit: Some(permit), handed: None, given_up: false };
        Self { answer: Arc::new(Mutex::new(answer)), watch: None }
    }

    /// Gives the answer up when the peer takes nothing of it for so long. hyper asks for no piece meanwhile, so the peer is
    /// told when it goes on; where it does not, for as long again, `close` ends its connection: what waits for it on the
    /// way out is not kept for ever, and counts as a call of the caller as long as it is.
    #[must_use]
    pub fn watched(mut self, patience: Duration, close: impl FnOnce() + Send + 'static) -> Self {
        let answer = Arc::downgrade(&self.answer);
        self.watch = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            untaken(&answer, patience, Answer::give_up).await;
            untaken(&answer, patience * 2, |_| close()).await;
        })));
        self
    }
}

/// Until nothing was taken of an answer for so long; then does that to it.
async fn untaken(answer: &Weak<Mutex<Answer>>, patience: Duration, then: impl FnOnce(&mut Answer)) {
    loop {
        let Some(answer) = answer.upgrade() else { return };
        let left = {
            let mut answer = locked(&answer);
            let left = answer.handed.map_or(patience, |handed| patience.saturating_sub(handed.elapsed()));
            if left.is_zero() {
                return then(&mut answer);
            }
            left
        };
        drop(answer);
        tokio::time::sleep(left).await;
    }
}

fn locked(answer: &Mutex<Answer>) -> MutexGuard<'_, Answer> {
    answer.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Answer {
    /// What it holds goes at once; the peer is told when it takes something again.
    fn give_up(&mut self) {
        self.given_up = true;
        self.inner = Body::empty();
    }

    fn end(&mut self, found: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.permit = None;
        let status = mapper::finished(found, self.outcome.request_id());
        self.outcome.note(&status);
        let mut trailers = http::HeaderMap::new();
        Poll::Ready(match status.add_header(&mut trailers) {
            Ok(()) => Some(Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(error)),
        })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.handed = None;
        if self.permit.is_none() {
            return Poll::Ready(None);
        }
        if self.given_up {
            return self.end(not_taken().into());
        }
        if let Some(error) = self.ends.as_mut().and_then(|ends| ends.cut(context)) {
            return self.end(error.into());
        }
        let polled = catch_unwind(AssertUnwindSafe(|| {
            http_body::Body::poll_frame(Pin::new(&mut self.inner), context)
        }));
        // A service may take a request that broke off for one that ended.
        let over = matches!(&polled, Ok(Poll::Ready(_)))
            && !matches!(&polled, Ok(Poll::Ready(Some(Ok(f)))) if f.is_data());
        if over && self.ends.as_ref().is_some_and(|ends| ends.stalled.is_cancelled()) {
            return self.end(intake::stalled().into());
        }
        match polled {
            Err(_) => self.end(Error::internal("the making of an answer panicked").into()),
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(None)) => self.end(Error::internal("an answer ended without trailers").into()),
            Ok(Poll::Ready(Some(Err(status)))) => self.end(status),
            Ok(Poll::Ready(Some(Ok(frame)))) => self.hand(frame),
        }
    }

    fn hand(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(trailers) = frame.trailers_ref() else {
            self.handed = Some(Instant::now());
            return Poll::Ready(Some(Ok(frame)));
        };
        match Status::from_header_map(trailers) {
            Some(status) if status.code() != Code::Ok => self.end(status),
            _ => {
                self.permit = None;
                self.outcome.note(&Status::ok(""));
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        locked(&self.answer).poll(context)
    }

    fn is_end_stream(&self) -> bool {
        locked(&self.answer).permit.is_none()
    }
}

impl Drop for Answer {
    /// The caller went away before the end.
    fn drop(&mut self) {
        if self.permit.is_some() {
            let status = if self.given_up { not_taken().into() } else { Status::cancelled("") };
            self.outcome.note(&status);
        }
    }
}

/// The refusal of a peer that does not take its answer.
fn not_taken() -> Error {
    Error::new(Reason::AnswerStalled, "the answer was not taken before its end")
}

/// The refusal of a server that stops.
#[must_use]
pub fn shutting_down() -> Error {
    Error::new(Reason::ShuttingDown, "the server is stopping").retry_after(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::time::sleep;

    use super::*;
    use crate::platform::{config::Quota, quota::Desks};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// A watched answer whose pieces come after so many seconds each, the place that it has, and whether its connection is to
    /// end.
    fn answer(seconds: &'static [u64]) -> (Guarded, impl Fn() -> bool, CancellationToken) {
        let pieces = futures_util::stream::iter(seconds).then(|&seconds| async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok::<_, Status>(Frame::data(Bytes::from_static(b"x")))
        });
        let mut trailers = http::HeaderMap::new();
        Status::ok("").add_header(&mut trailers).unwrap();
        let end = futures_util::stream::iter([Ok(Frame::trailers(trailers))]);
        let inner = Body::new(StreamBody::new(Box::pin(pieces.chain(end))));
        let quota = Quota { calls_per_second: 1_000, burst: 1_000, concurrent_calls: 1 };
        let desk = Desks::default().of("o-1", quota);
        let permit = desk.admit().unwrap();
        let closed = CancellationToken::new();
        let close = closed.clone();
        let body = Guarded::new(inner, None, Outcome::new("0".into()), permit)
            .watched(PATIENCE, move || close.cancel());
        (body, move || desk.admit().is_ok(), closed)
    }

    async fn trailers(body: &mut Guarded) -> Status {
        let frame = body.frame().await.unwrap().unwrap();
        Status::from_header_map(frame.trailers_ref().unwrap()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_is_given_up() {
        let (mut body, free, closed) = answer(&[0, 0, 0]);
        for _ in 0..2 {
            assert!(body.frame().await.unwrap().unwrap().is_data());
            sleep(PATIENCE - Duration::from_secs(1)).await;
        }
        sleep(Duration::from_secs(2)).await;
        assert!(!free(), "what waits on the way out counts");
        let status = trailers(&mut body).await;
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(eservices_client::Error::from(status).reason_name(), Some("ANSWER_STALLED"));
        assert!(free() && body.frame().await.is_none());
        sleep(PATIENCE * 3).await;
        assert!(!closed.is_cancelled(), "it went on in time");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_go_on_loses_its_connection() {
        let (mut body, free, closed) = answer(&[0, 0]);
        assert!(body.frame().await.unwrap().unwrap().is_data());
        sleep(PATIENCE * 2 - Duration::from_secs(1)).await;
        assert!(!closed.is_cancelled());
        sleep(Duration::from_secs(2)).await;
        assert!(closed.is_cancelled() && !free());
        drop(body);
        assert!(free());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_has_nothing_to_say_is_waited_for() {
        let (mut body, free, closed) = answer(&[0, 3_600, 3_600]);
        for _ in 0..3 {
            assert!(body.frame().await.unwrap().unwrap().is_data());
        }
        assert_eq!(trailers(&mut body).await.code(), Code::Ok);
        assert!(free() && !closed.is_cancelled());
    }
}
