//! The Watch from the client's side: it reconnects and goes on by itself, and hands each event over once.
//!
//! Knows the resume token and heartbeats of `events.v1`; not what an event means.

use std::time::Duration;

use eservices::events::v1::{
    Event, Heartbeat, WatchEventsRequest, WatchEventsResponse, event_service_client::EventServiceClient,
    watch_events_response::Message,
};
use rand::RngExt as _;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Code, Status, Streaming};

use crate::{Error, Transport, fault};

/// How much longer than the server's interval a silent stream is waited for, besides twice the interval.
const GRACE: Duration = Duration::from_secs(2);

/// How long the first message is waited for: the server sends it at once.
const FIRST: Duration = Duration::from_secs(30);

/// What an operator can ask about its events.
#[derive(Clone, Debug)]
pub struct Events {
    transport: Transport,
}

impl Events {
    pub(crate) const fn new(transport: Transport) -> Self {
        Self { transport }
    }

    /// Watches: from `resume_token` on, or from now on where it is empty. Nothing is sent before [`Watch::next`].
    ///
    /// ```no_run
    /// use eservices_client::{Client, contract::events::v1::WatchEventsRequest};
    ///
    /// # async fn example(client: &Client, mut stored: String) -> Result<(), eservices_client::Error> {
    /// let request = WatchEventsRequest { resume_token: stored.clone(), ..WatchEventsRequest::default() };
    /// let mut watch = client.events().watch(request);
    /// loop {
    ///     let event = watch.next().await?;
    ///     println!("{} {} {}", event.revision, event.resource, event.state);
    ///     // Together with what was made of the event: then each event counts once, whatever happens to this process.
    ///     stored = event.resume_token;
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn watch(&self, request: WatchEventsRequest) -> Watch {
        Watch {
            transport: self.transport.clone(),
            request,
            stream: None,
            last: None,
            not_before: None,
            silent_at: Instant::now(),
            patience: FIRST,
            established: false,
            failures: 0,
            connects: 0,
        }
    }

    /// The generated client: one stream, which ends when it is cut.
    #[must_use]
    pub fn service(&self) -> EventServiceClient<Transport> {
        EventServiceClient::new(self.transport.clone())
    }
}

/// A watch that goes on by itself.
///
/// It reconnects after everything that passes by itself: a broken connection, a server that stops, a stream that falls
/// silent; after a while that doubles with each attempt in vain, by the client's [`RetryPolicy`], or that the server names. It
/// ends with a refusal that time does not right, for instance `EVENTS_NOT_KEPT_ANY_MORE`, and with a certificate that is
/// not accepted.
#[derive(Debug)]
pub struct Watch {
    transport: Transport,
    request: WatchEventsRequest,
    stream: Option<Streaming<WatchEventsResponse>>,
    /// The last revision that was taken.
    last: Option<i64>,
    /// When the next attempt is due.
    not_before: Option<Instant>,
    /// When a stream that says nothing counts as broken.
    silent_at: Instant,
    /// How long after a message that is.
    patience: Duration,
    /// The server has answered once.
    established: bool,
    failures: u32,
    connects: u64,
}

impl Watch {
    /// The next event, in the order of revisions. Waits as long as there is none.
    ///
    /// It may be dropped before it is ready (in a `select!`, say): nothing is lost.
    ///
    /// # Errors
    /// A refusal that another attempt does not right. The next call tries again all the same.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            match self.message().await {
                Ok(Message::Event(event)) => {
                    self.failures = 0;
                    // What was taken is not handed over again, whatever a server does.
                    let new = self.last.is_none_or(|last| event.revision > last);
                    if new {
                        self.request.resume_token.clone_from(&event.resume_token);
                        self.last = Some(event.revision);
                        return Ok(event);
                    }
                }
                Ok(Message::Heartbeat(heartbeat)) => self.take(heartbeat),
                Err(status) => {
                    self.stream = None;
                    self.back_off(status)?;
                }
            }
        }
    }

    /// Where the watch stands: continues it after the last event that [`Watch::next`] handed over, and what was left out since.
    /// Empty before the server has answered.
    #[must_use]
    pub fn resume_token(&self) -> &str {
        &self.request.resume_token
    }

    /// How often a stream was opened.
    #[must_use]
    pub const fn connects(&self) -> u64 {
        self.connects
    }

    fn take(&mut self, heartbeat: Heartbeat) {
        self.failures = 0;
        self.established = true;
        self.patience = Duration::from_secs(heartbeat.interval_seconds.into()) * 2 + GRACE;
        self.silent_at = Instant::now() + self.patience;
        if self.last.is_none_or(|last| heartbeat.revision >= last) {
            self.request.resume_token = heartbeat.resume_token;
            self.last = Some(heartbeat.revision);
        }
    }

    async fn message(&mut self) -> Result<Message, Status> {
        let silent = || Status::unavailable("the stream fell silent");
        if let Some(at) = self.not_before {
            sleep_until(at).await;
            self.not_before = None;
        }
        if self.stream.is_none() {
            let mut service = EventServiceClient::new(self.transport.clone());
            let answer = timeout_at(Instant::now() + FIRST, service.watch_events(self.request.clone()));
            self.stream = Some(answer.await.map_err(|_| silent())??.into_inner());
            self.connects += 1;
            self.silent_at = Instant::now() + FIRST;
        }
        let Some(stream) = self.stream.as_mut() else { return Err(silent()) };
        loop {
            let answer = timeout_at(self.silent_at, stream.message()).await;
            let answer = answer.map_err(|_| silent())??;
            self.silent_at = Instant::now() + self.patience;
            match answer {
                Some(WatchEventsResponse { message: Some(message) }) => return Ok(message),
                // Something newer than this client.
                Some(WatchEventsResponse { message: None }) => {}
                None => return Err(Status::unavailable("the stream ended")),
            }
        }
    }

    /// Sets when the next attempt is due, or says that there is no point in one.
    fn back_off(&mut self, status: Status) -> Result<(), Error> {
        let passes = passes(&status, self.established);
        let error = Error::from(status);
        if !passes {
            return Err(error);
        }
        self.failures = self.failures.saturating_add(1);
        let chance = rand::rng().random_range(0.0..1.0);
        let wait = self.transport.policy().wait(self.failures, error.retry_after(), chance);
        tracing::debug!(%error, ?wait, "the watch was cut, going on");
        self.not_before = Some(Instant::now() + wait);
        Ok(())
    }
}

/// Whether a refusal passes by itself. `established`: the same watch stood before, so a place too few is its own former one.
fn passes(status: &Status, established: bool) -> bool {
    let error = Error::from(status.clone());
    match (status.code(), error.reason_name()) {
        (Code::Unavailable, _) => !fault::lasts(status),
        (Code::ResourceExhausted, Some("TOO_MANY_WATCHES")) => established,
        (Code::ResourceExhausted, Some(_)) => error.retry_after().is_some(),
        (Code::DeadlineExceeded, Some("ANSWER_STALLED" | "REQUEST_STALLED")) => true,
        // Reset on the way, by a proxy for instance: what our server says has a reason.
        (Code::Cancelled | Code::Internal | Code::Unknown, None) => established,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself() {
        assert!(passes(&Status::unavailable("no answer"), false));
        assert!(passes(&Status::cancelled("reset"), true) && !passes(&Status::cancelled("reset"), false));
        for code in [Code::InvalidArgument, Code::OutOfRange, Code::Unauthenticated, Code::PermissionDenied] {
            assert!(!passes(&Status::new(code, ""), true), "{code:?}");
        }
        assert!(!passes(&Status::resource_exhausted("no reason, so none of ours"), true));
    }
}
