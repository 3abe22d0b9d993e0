//! A gRPC server that answers by a script, written on bare HTTP/2: it shares no code with what it tests.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use eservices_client::{Builder, Client};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    sync::Notify,
    time::Instant,
};

/// What the server does with one call.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// OK with this message.
    Reply(&'static [u8]),
    /// A head that is the whole answer: `grpc-status` and, if any, `grpc-status-details-bin`.
    Refuse(u16, &'static str),
    /// A head, then trailers with this status.
    Late(u16),
    /// An HTTP status without anything of gRPC.
    Http(u16),
    /// Resets the stream.
    Reset(h2::Reason),
    /// Closes the connection without an answer.
    Break,
    /// Never answers.
    Hang,
    /// A head and a message, and no end.
    Stall(&'static [u8]),
}

/// What the server saw of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub path: String,
    pub timeout: Option<String>,
    pub attempts_before: Option<String>,
    pub body: Vec<u8>,
    pub at: Duration,
}

#[derive(Clone)]
pub struct Fake(Arc<State>);

struct State {
    start: Instant,
    dials: AtomicUsize,
    refused_dials: usize,
    steps: Mutex<VecDeque<Step>>,
    seen: Mutex<Vec<Seen>>,
}

impl Fake {
    /// A server that takes one step a call and hangs after the last one.
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::refusing(0, steps)
    }

    /// Like [`Fake::new`], and refuses that many connections first.
    pub fn refusing(refused_dials: usize, steps: impl IntoIterator<Item = Step>) -> Self {
        Self(Arc::new(State {
            start: Instant::now(),
            dials: AtomicUsize::new(0),
            refused_dials,
            steps: Mutex::new(steps.into_iter().collect()),
            seen: Mutex::default(),
        }))
    }

    pub fn builder(&self) -> Builder {
        let fake = self.clone();
        Client::builder("http://localhost:50051").dialer(move |_| {
            let fake = fake.clone();
            async move { fake.dial() }
        })
    }

    pub fn client(&self) -> Client {
        self.builder().connect_lazy().unwrap()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.0.seen.lock().unwrap().clone()
    }

    pub fn dials(&self) -> usize {
        self.0.dials.load(SeqCst)
    }

    pub fn elapsed(&self) -> Duration {
        self.0.start.elapsed()
    }

    /// Counts one more connection, and says how many came before.
    pub fn count_dial(&self) -> usize {
        self.0.dials.fetch_add(1, SeqCst)
    }

    fn dial(&self) -> io::Result<DuplexStream> {
        if self.count_dial() < self.0.refused_dials {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        let (ours, theirs) = duplex(1 << 16);
        tokio::spawn(self.clone().serve(theirs));
        Ok(ours)
    }

    /// Serves one connection until it ends or a step breaks it.
    pub async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let broken = Arc::new(Notify::new());
        let (fake, signal) = (self, broken.clone());
        let service = service_fn(move |request| fake.clone().answer(request, signal.clone()));
        let connection =
            http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            _ = connection => {}
            () = broken.notified() => {}
        }
    }

    async fn answer(
        self,
        request: Request<Incoming>,
        broken: Arc<Notify>,
    ) -> Result<Response<UnsyncBoxBody<Bytes, Infallible>>, h2::Error> {
        let (head, body) = request.into_parts();
        let text = |name| head.headers.get(name).map(|v: &HeaderValue| v.to_str().unwrap().to_owned());
        let seen = Seen {
            path: head.uri.path().to_owned(),
            timeout: text("grpc-timeout"),
            attempts_before: text("grpc-previous-rpc-attempts"),
            body: body.collect().await.unwrap().to_bytes().to_vec(),
            at: self.elapsed(),
        };
        self.0.seen.lock().unwrap().push(seen);
        let step = self.0.steps.lock().unwrap().pop_front().unwrap_or(Step::Hang);

        let grpc = Response::builder().header("content-type", "application/grpc");
        let trailers = |status: u16| async move {
            Some(Ok(HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from(status))])))
        };
        let empty = || Full::new(Bytes::new()).boxed_unsync();
        let answer = match step {
            Step::Reply(message) => grpc.body(framed(message).with_trailers(trailers(0)).boxed_unsync()),
            Step::Late(status) => {
                grpc.body(Full::new(Bytes::new()).with_trailers(trailers(status)).boxed_unsync())
            }
            Step::Refuse(status, "") => grpc.header("grpc-status", status).body(empty()),
            Step::Refuse(status, details) => {
                let grpc = grpc.header("grpc-status", status).header("grpc-message", "as%20scripted");
                grpc.header("grpc-status-details-bin", details).body(empty())
            }
            Step::Http(status) => Response::builder().status(status).body(empty()),
            Step::Reset(reason) => return Err(reason.into()),
            Step::Stall(message) => grpc.body(framed(message).with_trailers(pending()).boxed_unsync()),
            Step::Break => {
                broken.notify_one();
                pending().await
            }
            Step::Hang => pending().await,
        };
        Ok(answer.unwrap())
    }
}

/// One uncompressed gRPC message.
fn framed(message: &[u8]) -> Full<Bytes> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    Full::new(frame.into())
}

// `google.rpc.Status` in base64, written with Python's protobuf and grpcio-status.

/// 14; ErrorInfo { TEMPORARILY_UNAVAILABLE, request_id: req-7 }, RetryInfo { 3 s }.
pub const AWAY: &str = "CA4SFHRoZSBkYXRhYmFzZSBpcyBhd2F5GpcBCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEmsK\
F1RFTVBPUkFSSUxZX1VOQVZBSUxBQkxFEgllc2VydmljZXMaEwoKcmVxdWVzdF9pZBIFcmVxLTcaMAoGcmVtZWR5EiZTZW5kIHRoZSBjYWxsIGFnYWlu\
IGFmdGVyIHJldHJ5X2RlbGF5LhowCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuUmV0cnlJbmZvEgQKAggD";
/// 9; ErrorInfo { FRDV02, slot_id }, PreconditionFailure { 1 violation }, SlotAlternatives { 1 slot }.
pub const NO_ROOM: &str = "CAkSFHRoZSBzbG90IGhhcyBubyByb29tGq4BCih0eXBlLmdvb2dsZWFwaXMuY29tL2dvb2dsZS5ycGMuRXJyb3JJbmZvEoEB\
CgZGUkRWMDISCWVzZXJ2aWNlcxoTCgpyZXF1ZXN0X2lkEgVyZXEtOBodCgdzbG90X2lkEhJaTUxWLTIwMjYxMjA0LTA4MDAaOAoGcmVtZWR5Ei5Ib2xk\
IG9uZSBvZiB0aGUgYWx0ZXJuYXRpdmVzLCBvciBzZWFyY2ggYWdhaW4uGmMKMnR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5QcmVjb25kaXRp\
b25GYWlsdXJlEi0KKwoGRlJEVjAyEhJaTUxWLTIwMjYxMjA0LTA4MDAaDW5vIHBsYWNlIGxlZnQadAo+dHlwZS5nb29nbGVhcGlzLmNvbS9lc2Vydmlj\
ZXMuYXBwb2ludG1lbnRzLnYxLlNsb3RBbHRlcm5hdGl2ZXMSMgowChJaTUxWLTIwMjYxMjA0LTEzMDAiCjIwMjYtMTItMDQqBTEzOjAwMgUxNzowMDgC";
/// 3; ErrorInfo { FIELDS_INVALID, violation_count: 2 }, BadRequest { 2 violations }.
pub const FIELDS: &str = "CAMSGHR3byBmaWVsZHMgYXJlIG5vdCB2YWxpZBqYAQoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkVycm9ySW5m\
bxJsCg5GSUVMRFNfSU5WQUxJRBIJZXNlcnZpY2VzGhMKCnJlcXVlc3RfaWQSBXJlcS05GhQKD3Zpb2xhdGlvbl9jb3VudBIBMhokCgZyZW1lZHkSGkNv\
cnJlY3QgdGhlIGxpc3RlZCBmaWVsZHMuGmYKKXR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5CYWRSZXF1ZXN0EjkKGAoKcmVxdWVzdF9pZBIK\
bm90IGEgVVVJRAodChJpbnRlcnZlbnRpb24ucGxhY2USB21pc3Npbmc";
/// 9; ErrorInfo { FRDV99 }: a reason newer than this client.
pub const NEWER: &str = "CAkSB25vdCB5ZXQaUAoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLkVycm9ySW5mbxIkCgZGUkRWOTkSCWVzZXJ2\
aWNlcxoPCgZyZW1lZHkSBVdhaXQu";
/// 7; ErrorInfo { FRDV02 } of the domain `proxy.example`.
pub const FOREIGN: &str = "CAcSAm5vGlMKKHR5cGUuZ29vZ2xlYXBpcy5jb20vZ29vZ2xlLnJwYy5FcnJvckluZm8SJwoGRlJEVjAyEg1wcm94eS5leGFt\
cGxlGg4KBnJlbWVkeRIEUGF5Lg";
