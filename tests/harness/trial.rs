//! A service that misbehaves, behind the layers of the product: it hangs, panics and answers too much.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use eservices::{Caller, Method, Retry};
use tokio_stream::Stream;
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Service},
    server::{Grpc, NamedService, ServerStreamingService, UnaryService},
    service::Routes,
};
use tonic_prost::ProstCodec;

/// Unary: never answers.
pub const HANG: &str = "/eservices.trial.v1.TrialService/Hang";
/// Unary: panics.
pub const PANIC: &str = "/eservices.trial.v1.TrialService/Panic";
/// Unary: refuses with a status that is none of ours and tells too much.
pub const LEAK: &str = "/eservices.trial.v1.TrialService/Leak";
/// Unary: an answer of more than 4 MiB.
pub const HUGE: &str = "/eservices.trial.v1.TrialService/Huge";
/// Stream: one message, then nothing.
pub const STREAM_HANG: &str = "/eservices.trial.v1.TrialService/StreamHang";
/// Stream: one message, then a panic.
pub const STREAM_PANIC: &str = "/eservices.trial.v1.TrialService/StreamPanic";
/// Stream: one message, then a status that is none of ours and tells too much.
pub const STREAM_LEAK: &str = "/eservices.trial.v1.TrialService/StreamLeak";
/// Stream: one message, then one of more than 4 MiB.
pub const STREAM_HUGE: &str = "/eservices.trial.v1.TrialService/StreamHuge";

/// What no caller may ever read.
pub const SECRET: &str = "SELECT secret FROM parties";

/// The first message of each stream.
pub const FIRST: &str = "first";

/// Its methods, for [`eservices_server::platform::access::Table`].
pub static METHODS: &[Method] = &[
    open(HANG, false),
    open(PANIC, false),
    open(LEAK, false),
    open(HUGE, false),
    open(STREAM_HANG, true),
    open(STREAM_PANIC, true),
    open(STREAM_LEAK, true),
    open(STREAM_HUGE, true),
];

const fn open(path: &'static str, server_streaming: bool) -> Method {
    Method {
        path,
        caller: Caller::Any,
        e_services: &[],
        roles: &[],
        retry: Retry::Idempotent,
        non_production_only: false,
        client_streaming: false,
        server_streaming,
    }
}

/// Adds the service, for `Plan::extra`.
pub fn added(routes: Routes) -> Routes {
    routes.add_service(Trial)
}

/// The service.
#[derive(Clone, Debug)]
struct Trial;

impl NamedService for Trial {
    const NAME: &'static str = "eservices.trial.v1.TrialService";
}

impl Service<http::Request<Body>> for Trial {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let path = request.uri().path().to_owned();
            let found = METHODS.iter().find(|m| m.path == path).unwrap();
            let mut grpc = Grpc::new(ProstCodec::<String, ()>::default())
                .apply_max_message_size_config(Some(1 << 20), Some(4 << 20));
            Ok(match found.server_streaming {
                false => grpc.unary(Act(found.path), request).await,
                true => grpc.server_streaming(Act(found.path), request).await,
            })
        })
    }
}

/// One call of the method with this path.
struct Act(&'static str);

impl UnaryService<()> for Act {
    type Response = String;
    type Future = BoxFuture<Response<String>, Status>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let path = self.0;
        Box::pin(async move {
            tokio::task::yield_now().await;
            match path {
                HANG => std::future::pending().await,
                HUGE => Ok(Response::new(huge())),
                LEAK => Err(Status::unknown(SECRET)),
                _ => panic!("{SECRET}"),
            }
        })
    }
}

impl ServerStreamingService<()> for Act {
    type Response = String;
    type ResponseStream = Script;
    type Future = Ready<Result<Response<Script>, Status>>;

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Script { path: self.0, polls: 0 })))
    }
}

/// One message, a pause in which it is sent, and then what the method is for.
struct Script {
    path: &'static str,
    polls: u8,
}

impl Stream for Script {
    type Item = Result<String, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.polls += 1;
        match (self.polls, self.path) {
            (1, _) => Poll::Ready(Some(Ok(FIRST.to_owned()))),
            (2, _) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            (_, STREAM_HANG) => Poll::Pending,
            (_, STREAM_LEAK) => Poll::Ready(Some(Err(Status::unknown(SECRET)))),
            (_, STREAM_HUGE) => Poll::Ready(Some(Ok(huge()))),
            _ => panic!("{SECRET}"),
        }
    }
}

fn huge() -> String {
    "x".repeat((4 << 20) + 1)
}
