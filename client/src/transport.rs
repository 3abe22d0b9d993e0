//! The tower service beneath every accessor: sets the deadline, repeats what the contract lets it repeat.
//!
//! Knows no message: a request is a path and bytes, an answer is a head and a body. An answer whose head has come is
//! never asked for again, even if its body breaks.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use eservices::Method;
use http::{HeaderName, HeaderValue, StatusCode, request::Parts};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use rand::RngExt as _;
use tonic::{Code, Status, body::Body, transport::Channel};
use tonic_types::pb;
use tower::{Service, ServiceExt as _};

use crate::{
    RetryPolicy,
    body::Bounded,
    error::{find, std_duration},
    fault::Fault,
    retry::Bucket,
    timeout::Deadline,
};

type Request = http::Request<Body>;
type Response = http::Response<Body>;

const ATTEMPTS_BEFORE: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// What calls go through: deadline and retry over one connection. Cheap to clone; clones share the retry budget.
///
/// Its error is always a [`Status`].
#[derive(Clone, Debug)]
pub struct Transport {
    channel: Channel,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    timeout: Duration,
    policy: RetryPolicy,
    bucket: Bucket,
}

impl Transport {
    pub(crate) fn new(channel: Channel, timeout: Duration, policy: RetryPolicy) -> Self {
        let bucket = policy.bucket();
        Self { channel, shared: Arc::new(Shared { timeout, policy, bucket }) }
    }

    pub(crate) fn policy(&self) -> &RetryPolicy {
        &self.shared.policy
    }

    async fn answer(self, request: Request) -> Result<Response, Status> {
        let (parts, body) = request.into_parts();
        let method = eservices::method(parts.uri.path());
        // A stream of answers has no end of its own: only its caller knows how long it may last.
        let default = (!method.is_some_and(|m| m.server_streaming)).then_some(self.shared.timeout);
        let deadline = Deadline::from_now(&parts.headers, default);
        let answer = match method {
            Some(method) if !method.client_streaming => self.repeat(method, parts, body, deadline).await?,
            _ => match self.attempt(parts, body, deadline).await? {
                Outcome::Answered(answer) | Outcome::Unavailable { last: Ok(answer), .. } => answer,
                Outcome::Unavailable { last: Err(status), .. } => return Err(status),
            },
        };
        Ok(answer.map(|body| Bounded::wrap(body, deadline)))
    }

    /// Sends the same bytes until they are answered, or nothing allows to send them once more.
    async fn repeat(
        &self,
        method: &Method,
        parts: Parts,
        body: Body,
        deadline: Deadline,
    ) -> Result<Response, Status> {
        let Shared { policy, bucket, .. } = &*self.shared;
        // One frame: `to_bytes` hands it over without a copy, and every attempt shares it.
        let bytes = deadline.bound(body.collect()).await??.to_bytes();
        let mut sent = 0;
        loop {
            let mut head = parts.clone();
            if sent > 0 {
                head.headers.insert(ATTEMPTS_BEFORE, HeaderValue::from(sent));
            }
            let outcome = self.attempt(head, whole(&bytes), deadline).await?;
            sent += 1;
            let (last, transient, server) = match outcome {
                Outcome::Answered(answer) => {
                    bucket.give();
                    return Ok(answer);
                }
                Outcome::Unavailable { last, transient, server } => (last, transient, server),
            };
            let wait = policy.wait(sent, server, rand::rng().random_range(0.0..1.0));
            if !(transient && policy.allows(sent) && deadline.allows(wait) && bucket.take()) {
                return last;
            }
            tracing::debug!(method = method.path, sent, ?wait, "server unavailable, sending the call again");
            drop(last);
            tokio::time::sleep(wait).await;
        }
    }

    /// One attempt. An `Err` is final: time is up, or the failure is none that another attempt could right.
    async fn attempt(&self, mut parts: Parts, body: Body, deadline: Deadline) -> Result<Outcome, Status> {
        deadline.announce(&mut parts.headers);
        let call = self.channel.clone().oneshot(Request::from_parts(parts, body));
        match deadline.bound(call).await? {
            Ok(answer) => Ok(Outcome::of(answer)),
            Err(error) => {
                let Fault { status, transient } = Fault::of_call(error.into());
                match status.code() {
                    Code::Unavailable => {
                        Ok(Outcome::Unavailable { last: Err(status), transient, server: None })
                    }
                    Code::DeadlineExceeded => Err(deadline.exceeded()),
                    _ => Err(status),
                }
            }
        }
    }
}

/// What an attempt came to.
enum Outcome {
    /// The server dealt with the call.
    Answered(Response),
    /// Nothing dealt with the call; `last` is what the caller reads if it was the last attempt.
    Unavailable { last: Result<Response, Status>, transient: bool, server: Option<Duration> },
}

impl Outcome {
    fn of(answer: Response) -> Self {
        let status =
            answer.headers().contains_key("grpc-status").then(|| Status::from_header_map(answer.headers()));
        match status.flatten() {
            Some(status) if status.code() == Code::Unavailable => {
                Self::Unavailable { server: named_delay(&status), last: Ok(answer), transient: true }
            }
            None if is_unavailable(answer.status()) => {
                Self::Unavailable { server: None, last: Ok(answer), transient: true }
            }
            _ => Self::Answered(answer),
        }
    }
}

/// HTTP statuses of a proxy in between that gRPC reads as UNAVAILABLE.
fn is_unavailable(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// The delay that the server asks for.
fn named_delay(status: &Status) -> Option<Duration> {
    let details = pb::Status::decode(status.details()).ok()?.details;
    std_duration(find::<pb::RetryInfo>(&details, "google.rpc.RetryInfo")?.retry_delay)
}

fn whole(bytes: &Bytes) -> Body {
    Body::new(Full::new(bytes.clone()))
}

impl Service<Request> for Transport {
    type Response = Response;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Status>> + Send>>;

    /// Always ready: each attempt waits for the connection itself, within its deadline.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}
