//! The body of a request that may last: one that stops coming is given up.
//!
//! A unary call has its deadline; a stream may be open for days, and must not hold a place for a peer that went silent
//! without a word. Time counts only while the service waits for more. Knows no method.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Status, body::Body};

use super::error::{Error, Reason};

/// A request's body with its patience.
pub struct Watched {
    inner: Body,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Tells the answer's side, whatever the service makes of a body that breaks off.
    stalled: CancellationToken,
}

impl Watched {
    /// Gives the body so long between two frames; cancels `stalled` when nothing came.
    #[must_use]
    pub fn new(inner: Body, patience: Duration, stalled: CancellationToken) -> Self {
        Self { inner, patience, waiting: None, stalled }
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            this.waiting = None;
            return Poll::Ready(frame);
        }
        let patience = this.patience;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        if waiting.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        this.stalled.cancel();
        Poll::Ready(Some(Err(stalled().into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The refusal of a request that stopped coming.
#[must_use]
pub fn stalled() -> Error {
    Error::new(Reason::RequestStalled, "the request stopped coming before its end")
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    /// A body whose frames come after so many seconds each.
    fn body(seconds: &'static [u64]) -> Body {
        let frames = futures_util::stream::iter(seconds).then(|&seconds| async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok::<_, Status>(Frame::data(Bytes::from_static(b"x")))
        });
        Body::new(StreamBody::new(Box::pin(frames)))
    }

    #[tokio::test(start_paused = true)]
    async fn each_frame_gets_the_whole_patience() {
        let stalled = CancellationToken::new();
        let watched = Watched::new(body(&[29, 29, 29]), Duration::from_secs(30), stalled.clone());
        assert_eq!(watched.collect().await.unwrap().to_bytes(), "xxx");
        assert!(!stalled.is_cancelled());
        let mut watched = Watched::new(body(&[29, 31]), Duration::from_secs(30), stalled.clone());
        assert!(watched.frame().await.unwrap().is_ok());
        let status = watched.frame().await.unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        assert!(stalled.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_the_service_takes_itself_is_not_the_peers() {
        let stalled = CancellationToken::new();
        let mut watched = Watched::new(body(&[1, 29]), Duration::from_secs(30), stalled.clone());
        assert!(watched.frame().await.unwrap().is_ok());
        sleep(Duration::from_secs(3_600)).await;
        assert!(watched.frame().await.unwrap().is_ok());
        assert!(!stalled.is_cancelled());
    }
}
