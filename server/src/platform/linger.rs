//! The end of a connection: the last bytes are out, and the peer's are read until it ends, too. What goes out is looked at
//! for the verdict of our side.
//!
//! A socket that is closed with bytes unread is reset, and a peer that is writing then fails before it has read the last
//! answers and the GOAWAY: it could not tell a call that was never taken from one that was lost.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};
use tokio_rustls::server::TlsStream;

use super::verdict::{Frames, Verdict};

/// A stream that waits a while for the peer's end when it is shut down.
pub struct Lingering {
    stream: TlsStream<TcpStream>,
    patience: Duration,
    left: Option<Pin<Box<Sleep>>>,
    frames: Frames,
    verdict: Arc<Verdict>,
}

impl Lingering {
    /// Waits for the peer's end at most so long.
    #[must_use]
    pub fn new(stream: TlsStream<TcpStream>, patience: Duration) -> Self {
        Self { stream, patience, left: None, frames: Frames::default(), verdict: Arc::default() }
    }

    /// What our side says of the peer at the end.
    #[must_use]
    pub fn verdict(&self) -> Arc<Verdict> {
        Arc::clone(&self.verdict)
    }

    /// Looks at what went out; at all of it where writing failed: what would have been said counts too.
    fn look(&mut self, outcome: &Poll<io::Result<usize>>, parts: &[io::IoSlice<'_>]) {
        let mut left = match outcome {
            Poll::Pending => return,
            Poll::Ready(Ok(written)) => *written,
            Poll::Ready(Err(_)) => usize::MAX,
        };
        for part in parts {
            let taken = part.len().min(left);
            self.frames.read(&part[..taken], &self.verdict);
            left -= taken;
        }
    }
}

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.look(&outcome, &[io::IoSlice::new(bytes)]);
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Says the end, then reads and forgets until the peer's end.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.left.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let patience = this.patience;
        let left = this.left.get_or_insert_with(|| Box::pin(sleep(patience)));
        let mut room = [0; 1_024];
        loop {
            if left.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut into = ReadBuf::new(&mut room);
            let read = ready!(Pin::new(&mut *this.stream.get_mut().0).poll_read(context, &mut into));
            if read.is_err() || into.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.look(&outcome, parts);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
