//! The body of an answer: whatever happens, it ends with trailers of ours.
//!
//! A status from below → translated, panic → INTERNAL; a stream ends from outside too: deadline, or a request that stops
//! coming → DEADLINE_EXCEEDED, certificate that stands for nobody any more → UNAUTHENTICATED, drain → UNAVAILABLE. Holds
//! the call's permit. Knows no method.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status, body::Body};

use super::{
    error::{Error, Reason},
    intake, mapper,
    pipeline::Outcome,
    quota::Permit,
};

/// An answer with its ends.
pub struct Guarded {
    inner: Body,
    ends: Option<Ends>,
    outcome: Outcome,
    /// Given back with the last frame, not when hyper drops the body: the caller's next call must find its place free.
    permit: Option<Permit>,
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
        Self { inner, ends, outcome, permit: Some(permit) }
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
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.permit.is_none() {
            return Poll::Ready(None);
        }
        if let Some(error) = this.ends.as_mut().and_then(|ends| ends.cut(context)) {
            return this.end(error.into());
        }
        let polled = catch_unwind(AssertUnwindSafe(|| {
            http_body::Body::poll_frame(Pin::new(&mut this.inner), context)
        }));
        // A service may take a request that broke off for one that ended.
        let over = matches!(&polled, Ok(Poll::Ready(_)))
            && !matches!(&polled, Ok(Poll::Ready(Some(Ok(f)))) if f.is_data());
        if over && this.ends.as_ref().is_some_and(|ends| ends.stalled.is_cancelled()) {
            return this.end(intake::stalled().into());
        }
        match polled {
            Err(_) => this.end(Error::internal("the making of an answer panicked").into()),
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(None)) => this.end(Error::internal("an answer ended without trailers").into()),
            Ok(Poll::Ready(Some(Err(status)))) => this.end(status),
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                let Some(trailers) = frame.trailers_ref() else { return Poll::Ready(Some(Ok(frame))) };
                match Status::from_header_map(trailers) {
                    Some(status) if status.code() != Code::Ok => this.end(status),
                    _ => {
                        this.permit = None;
                        this.outcome.note(&Status::ok(""));
                        Poll::Ready(Some(Ok(frame)))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.permit.is_none()
    }
}

impl Drop for Guarded {
    /// The caller went away before the end.
    fn drop(&mut self) {
        if self.permit.is_some() {
            self.outcome.note(&Status::cancelled(""));
        }
    }
}

/// The refusal of a server that stops.
#[must_use]
pub fn shutting_down() -> Error {
    Error::new(Reason::ShuttingDown, "the server is stopping").retry_after(Duration::from_secs(1))
}
