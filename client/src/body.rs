//! The body of an answer, bounded by the call's deadline. Knows no message.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep_until};
use tonic::{Status, body::Body};

use crate::{fault::Fault, timeout::Deadline};

/// Passes the frames on; ends with DEADLINE_EXCEEDED when time is up, and with UNAVAILABLE when the connection breaks.
pub(crate) struct Bounded {
    inner: Body,
    deadline: Deadline,
    timer: Option<Pin<Box<Sleep>>>,
    over: bool,
}

impl Bounded {
    pub(crate) fn wrap(inner: Body, deadline: Deadline) -> Body {
        let timer = deadline.instant().map(|at| Box::pin(sleep_until(at)));
        Body::new(Self { inner, deadline, timer, over: false })
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let status = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Err(broken))) => Fault::of_body(broken).status,
            Poll::Ready(frame) => return Poll::Ready(frame),
            Poll::Pending => match self.timer.as_mut().map(|timer| timer.as_mut().poll(cx)) {
                Some(Poll::Ready(())) => self.deadline.exceeded(),
                _ => return Poll::Pending,
            },
        };
        // Dropping the inner body resets the stream, so that the server stops as well.
        self.over = true;
        self.inner = Body::empty();
        Poll::Ready(Some(Err(status)))
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
