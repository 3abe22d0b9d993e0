//! One request, top to bottom: call id, drain, protocol guard, identity, status, access, quota, deadline, panic, service,
//! mapper. What a call may not do is decided here before its message is decoded.
//!
//! Knows no slice; the slices are behind `routes`.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use eservices::{Method, code_name};
use futures_util::FutureExt as _;
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, body::Body, service::Routes};
use tower::Service as _;
use tracing::Instrument as _;

use super::{
    Platform, access,
    body::{Ends, Guarded, shutting_down},
    connection::Connection,
    error::{Error, Reason},
    identity::{Caller, Peer, expired},
    intake::{self, Patience, Watched},
    mapper,
    quota::Permit,
};

/// How much of a refused call's message is read, bytes.
const SWALLOWED: usize = 64 * 1024;

/// How long it is waited for.
const SWALLOW_TIME: Duration = Duration::from_millis(100);

/// The layers around the services of one server.
#[derive(Clone)]
pub struct Pipeline {
    platform: Arc<Platform>,
    routes: Routes,
}

/// How one call ended: counted and logged once, at the end.
pub struct Outcome {
    request_id: String,
    path: &'static str,
    party_id: String,
    mutates: bool,
    started: Instant,
}

impl Outcome {
    /// Of a call that began now.
    #[must_use]
    pub fn new(request_id: String) -> Self {
        Self { request_id, path: "unknown", party_id: String::new(), mutates: false, started: Instant::now() }
    }

    /// The call's id.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// Counts and logs the end.
    pub fn note(&self, status: &Status) {
        let code = status.code();
        let elapsed = self.started.elapsed();
        metrics::counter!("eservices_calls_total", "method" => self.path, "code" => code_name(code))
            .increment(1);
        metrics::histogram!("eservices_call_seconds", "method" => self.path).record(elapsed.as_secs_f64());
        let (request_id, method, party) = (&self.request_id, self.path, &self.party_id);
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        if code == Code::Ok && !self.mutates {
            tracing::debug!(request_id, method, party, elapsed_us, "call answered");
        } else if code == Code::Ok {
            tracing::info!(request_id, method, party, elapsed_us, "write answered");
        } else {
            tracing::info!(request_id, method, party, elapsed_us, code = code_name(code), "call refused");
        }
    }
}

impl Pipeline {
    /// The layers around `routes`.
    #[must_use]
    pub fn new(platform: Arc<Platform>, routes: Routes) -> Self {
        Self { platform, routes }
    }

    /// Answers one request of one connection.
    pub async fn answer(
        &self,
        request: Request<hyper::body::Incoming>,
        connection: &Arc<Connection>,
    ) -> Response<Body> {
        let mut outcome = Outcome::new(self.platform.ids.call().to_string());
        let span = tracing::info_span!("call", request_id = %outcome.request_id);
        async {
            let answered = match self.admit(&request, connection, &mut outcome) {
                Ok(admitted) => self.serve(request, connection, admitted, outcome).await,
                Err(error) => {
                    swallow(request.into_body()).await;
                    Err((error.into(), outcome))
                }
            };
            answered.unwrap_or_else(|(status, outcome)| refused(status, &outcome))
        }
        .instrument(span)
        .await
    }

    /// Everything that is decided before the message is read.
    fn admit(
        &self,
        request: &Request<hyper::body::Incoming>,
        connection: &Arc<Connection>,
        outcome: &mut Outcome,
    ) -> Result<Admitted, Error> {
        let platform = &self.platform;
        if platform.draining.is_cancelled() {
            return Err(shutting_down());
        }
        guard(request)?;
        let machine_now = platform.clock.machine();
        let directory = platform.standing.directory();
        let caller = directory
            .resolve(&connection.peer, platform.config.environment, machine_now)
            .inspect_err(|e| {
                if e.reason().info().code == Code::Unauthenticated {
                    connection.close_after_answer()
                }
            })?;
        outcome.party_id.push_str(caller.party_id());
        // What is refused below costs quota too: a caller without the right is a caller still.
        let permit = caller.admit()?;
        let method = platform.methods.find(request.uri().path())?;
        outcome.path = method.path;
        outcome.mutates = method.mutates();
        let age = platform.standing.age_seconds(machine_now);
        let timings = &platform.config.timings;
        if age > timings.registry_dead_seconds || (method.mutates() && age > timings.registry_stale_seconds) {
            return Err(Error::new(Reason::TemporarilyUnavailable, "the registry cannot be read for now")
                .retry_after(Duration::from_secs(5)));
        }
        access::check(method, &caller, platform.config.environment)?;
        Ok(Admitted { caller, method, permit, deadline: self.deadline(request, method)? })
    }

    fn deadline(
        &self,
        request: &Request<hyper::body::Incoming>,
        method: &Method,
    ) -> Result<Option<Duration>, Error> {
        let asked = match request.headers().get("grpc-timeout") {
            None => None,
            Some(value) => Some(
                value
                    .to_str()
                    .ok()
                    .and_then(parse_timeout)
                    .ok_or_else(|| Error::new(Reason::NotGrpc, "the header grpc-timeout is malformed"))?,
            ),
        };
        if method.client_streaming || method.server_streaming {
            return Ok(asked);
        }
        let most = Duration::from_secs(self.platform.config.limits.max_deadline_seconds);
        Ok(Some(asked.map_or(most, |a| a.min(most))))
    }

    async fn serve(
        &self,
        request: Request<hyper::body::Incoming>,
        connection: &Arc<Connection>,
        admitted: Admitted,
        outcome: Outcome,
    ) -> Result<Response<Body>, (Status, Outcome)> {
        let Admitted { caller, method, permit, deadline } = admitted;
        let started = outcome.started;
        let stalled = (method.client_streaming || method.server_streaming).then(CancellationToken::new);
        let mut request = request.map(|body| match &stalled {
            None => Body::new(body),
            Some(stalled) => {
                let patience = self.platform.config.limits.stalled_request_seconds;
                let patience = Duration::from_secs(patience.into());
                let patience = if method.client_streaming { Patience::Each } else { Patience::All }(patience);
                Body::new(Watched::new(Body::new(body), patience, stalled.clone()))
            }
        });
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(permit.clone());
        let mut routes = self.routes.clone();
        self.platform.entered.fetch_add(1, Ordering::Relaxed);
        let handled = AssertUnwindSafe(async move { routes.call(request).await }).catch_unwind();
        let response = match in_time(handled, deadline, stalled.as_ref()).await {
            Ok(Ok(Ok(response))) => response,
            Ok(Ok(Err(never))) => match never {},
            Ok(Err(_)) => return Err((Error::internal("a handler panicked").into(), outcome)),
            Err(error) => return Err((error.into(), outcome)),
        };
        if let Some(status) = Status::from_header_map(response.headers()).filter(|s| s.code() != Code::Ok) {
            return Err((status, outcome));
        }
        let (mut head, body) = response.into_parts();
        if let Ok(id) = outcome.request_id.parse() {
            head.headers.insert("x-request-id", id);
        }
        let ends = stalled.map(|stalled| {
            Ends::new(
                stalled,
                connection.killed.clone().cancelled_owned(),
                why_killed(Arc::clone(&self.platform), connection.peer.clone()),
                self.platform.draining.clone().cancelled_owned(),
                deadline.map(|d| d.saturating_sub(started.elapsed())),
            )
        });
        let lasts = ends.is_some();
        let mut body = Guarded::new(body, ends, outcome, permit);
        if lasts {
            let patience = Duration::from_secs(self.platform.config.limits.stalled_answer_seconds.into());
            let connection = Arc::clone(connection);
            body = body.watched(patience, move || connection.close_after_answer());
        }
        Ok(Response::from_parts(head, Body::new(body)))
    }
}

/// What a service makes of a request, unless the deadline passes or the request stops coming first.
async fn in_time<T>(
    handled: impl Future<Output = T>,
    deadline: Option<Duration>,
    stalled: Option<&CancellationToken>,
) -> Result<T, Error> {
    let given_up = async {
        match stalled {
            None => std::future::pending().await,
            Some(stalled) => stalled.cancelled().await,
        }
    };
    let handled = async {
        tokio::select! {
            biased;
            () = given_up => Err(intake::stalled()),
            handled = handled => match stalled {
                Some(stalled) if stalled.is_cancelled() => Err(intake::stalled()),
                _ => Ok(handled),
            },
        }
    };
    match deadline {
        None => handled.await,
        Some(left) => tokio::time::timeout(left, handled)
            .await
            .unwrap_or_else(|_| Err(Error::new(Reason::DeadlineExceeded, "the deadline passed"))),
    }
}

struct Admitted {
    caller: Caller,
    method: &'static Method,
    permit: Permit,
    deadline: Option<Duration>,
}

/// Why a connection was ended: what its next call would be told, or that its certificate's last second has passed.
fn why_killed(platform: Arc<Platform>, peer: Peer) -> impl Fn() -> Error + Send {
    move || {
        let directory = platform.standing.directory();
        let told = directory.resolve(&peer, platform.config.environment, platform.clock.machine());
        told.err().unwrap_or_else(|| expired(&peer))
    }
}

/// Reads what a refused call brings along, if it is little and there already: a message that comes for a stream which is
/// answered and gone counts as a broken frame, and an honest caller above its quota would be taken for a flood.
async fn swallow(mut body: hyper::body::Incoming) {
    let read = async {
        let mut left = SWALLOWED;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, bytes::Bytes::len));
            if left == 0 {
                return;
            }
        }
    };
    drop(tokio::time::timeout(SWALLOW_TIME, read).await);
}

fn refused(found: Status, outcome: &Outcome) -> Response<Body> {
    let status = mapper::finished(found, &outcome.request_id);
    outcome.note(&status);
    let mut response = status.into_http();
    if let Ok(id) = outcome.request_id.parse() {
        response.headers_mut().insert("x-request-id", id);
    }
    response
}

/// Refuses what is not a gRPC call; tonic would answer it with OK.
fn guard<B>(request: &Request<B>) -> Result<(), Error> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let grpc = matches!(content_type.split(';').next(), Some("application/grpc" | "application/grpc+proto"));
    if request.method() == http::Method::POST && grpc {
        return Ok(());
    }
    Err(Error::new(Reason::NotGrpc, "expected POST with content-type application/grpc"))
}

/// `grpc-timeout`: up to eight digits and a unit.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(n * 3_600),
        "M" => Duration::from_secs(n * 60),
        "S" => Duration::from_secs(n),
        "m" => Duration::from_millis(n),
        "u" => Duration::from_micros(n),
        "n" => Duration::from_nanos(n),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_read_as_the_specification_says() {
        assert_eq!(parse_timeout("5S"), Some(Duration::from_secs(5)));
        assert_eq!(parse_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse_timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3_600)));
        for bad in ["", "S", "5", "5x", "-5S", "123456789S", "5 S", "é"] {
            assert_eq!(parse_timeout(bad), None, "{bad:?}");
        }
    }
}
