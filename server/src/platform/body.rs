//! The body of a streamed answer: whatever happens, it ends with trailers of ours.
//!
//! Deadline → DEADLINE_EXCEEDED, panic → INTERNAL, revoked certificate → UNAUTHENTICATED, drain → UNAVAILABLE, a status
//! from below → translated. Holds the call's permit. Knows no method.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::{Code, Status, body::Body};

use super::{
    error::{Error, Reason},
    mapper,
    pipeline::Outcome,
    quota::Permit,
};

/// A streamed answer with its ends.
pub struct Guarded {
    inner: Body,
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    deadline: Option<Pin<Box<Sleep>>>,
    outcome: Outcome,
    ended: bool,
    _permit: Permit,
}

/// What can end a stream from outside.
pub struct Ends {
    /// The certificate was revoked.
    pub killed: WaitForCancellationFutureOwned,
    /// The server stops.
    pub drained: WaitForCancellationFutureOwned,
    /// Time left.
    pub deadline: Option<Duration>,
}

impl Guarded {
    /// Wraps the body of a streamed answer.
    #[must_use]
    pub fn new(inner: Body, ends: Ends, outcome: Outcome, permit: Permit) -> Self {
        Self {
            inner,
            killed: Box::pin(ends.killed),
            drained: Box::pin(ends.drained),
            deadline: ends.deadline.map(|left| Box::pin(tokio::time::sleep(left))),
            outcome,
            ended: false,
            _permit: permit,
        }
    }

    fn cut(&mut self, context: &mut Context<'_>) -> Option<Error> {
        if self.killed.as_mut().poll(context).is_ready() {
            return Some(Error::new(Reason::CertificateRevoked, "the certificate was revoked"));
        }
        if self.drained.as_mut().poll(context).is_ready() {
            return Some(shutting_down());
        }
        let late = self.deadline.as_mut().is_some_and(|d| d.as_mut().poll(context).is_ready());
        late.then(|| Error::new(Reason::DeadlineExceeded, "the deadline passed"))
    }

    fn end(&mut self, found: Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.ended = true;
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

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        if let Some(error) = this.cut(context) {
            return this.end(error.into());
        }
        let polled = catch_unwind(AssertUnwindSafe(|| http_body::Body::poll_frame(Pin::new(&mut this.inner), context)));
        match polled {
            Err(_) => this.end(Error::internal("a stream panicked").into()),
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(None)) => this.end(Error::internal("a stream ended without trailers").into()),
            Ok(Poll::Ready(Some(Err(status)))) => this.end(status),
            Ok(Poll::Ready(Some(Ok(frame)))) => {
                let Some(trailers) = frame.trailers_ref() else { return Poll::Ready(Some(Ok(frame))) };
                match Status::from_header_map(trailers) {
                    Some(status) if status.code() != Code::Ok => this.end(status),
                    _ => {
                        this.ended = true;
                        this.outcome.note(&Status::ok(""));
                        Poll::Ready(Some(Ok(frame)))
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

/// The refusal of a server that stops.
#[must_use]
pub fn shutting_down() -> Error {
    Error::new(Reason::ShuttingDown, "the server is stopping").retry_after(Duration::from_secs(1))
}
