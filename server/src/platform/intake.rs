//! The body of a request that may last: one that stops coming is given up.
//!
//! A unary call has its deadline; a stream may be open for days, and must not hold a place for a peer that went silent
//! without a word. Knows no method.

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
    patience: Patience,
    waiting: Option<Pin<Box<Sleep>>>,
    /// Tells the answer's side, whatever the service makes of a body that breaks off.
    stalled: CancellationToken,
}

/// How long is waited.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    /// For each piece, from when the service begins to wait for it.
    Each(Duration),
    /// For all of it: one message is all that is to come.
    All(Duration),
}

impl Watched {
    /// Waits so long for the body; cancels `stalled` when it did not come.
    #[must_use]
    pub fn new(inner: Body, patience: Patience, stalled: CancellationToken) -> Self {
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
        if this.stalled.is_cancelled() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(context) {
            let something = !matches!(&frame, Some(Ok(f)) if f.data_ref().is_some_and(Bytes::is_empty));
            if something && matches!(this.patience, Patience::Each(_)) {
                this.waiting = None;
            }
            return Poll::Ready(frame);
        }
        let (Patience::Each(patience) | Patience::All(patience)) = this.patience;
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
        let watched =
            Watched::new(body(&[29, 29, 29]), Patience::Each(Duration::from_secs(30)), stalled.clone());
        assert_eq!(watched.collect().await.unwrap().to_bytes(), "xxx");
        assert!(!stalled.is_cancelled());
        let mut watched =
            Watched::new(body(&[29, 31]), Patience::Each(Duration::from_secs(30)), stalled.clone());
        assert!(watched.frame().await.unwrap().is_ok());
        let status = watched.frame().await.unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded);
        assert!(stalled.is_cancelled());
        assert!(watched.frame().await.is_none(), "and no more of it");
    }

    #[tokio::test(start_paused = true)]
    async fn one_message_has_one_patience_for_all_of_it() {
        let stalled = CancellationToken::new();
        let whole =
            |seconds| Watched::new(body(seconds), Patience::All(Duration::from_secs(30)), stalled.clone());
        assert_eq!(whole(&[14, 15]).collect().await.unwrap().to_bytes(), "xx");
        assert!(whole(&[14, 17]).collect().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_piece_is_nothing() {
        let frames = futures_util::stream::iter([20, 20]).then(|seconds| async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok::<_, Status>(Frame::data(Bytes::new()))
        });
        let body = Body::new(StreamBody::new(Box::pin(frames)));
        let patience = Patience::Each(Duration::from_secs(30));
        assert!(Watched::new(body, patience, CancellationToken::new()).collect().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn time_that_the_service_takes_itself_is_not_the_peers() {
        let stalled = CancellationToken::new();
        let mut watched =
            Watched::new(body(&[1, 29]), Patience::Each(Duration::from_secs(30)), stalled.clone());
        assert!(watched.frame().await.unwrap().is_ok());
        sleep(Duration::from_secs(3_600)).await;
        assert!(watched.frame().await.unwrap().is_ok());
        assert!(!stalled.is_cancelled());
    }
}
