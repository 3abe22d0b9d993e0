//! The handler of `EventService`. It is not generated: a generated one encodes each message for each stream, here a message is
//! bytes that all who watch a party share.

mod feed;
mod watch;

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{BufMut as _, Bytes};
use eservices::events::v1::{WatchEventsRequest, event_service_server::SERVICE_NAME};
use futures_util::{future::BoxFuture, stream::BoxStream};
use prost::Message as _;
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, NamedService, ServerStreamingService},
};

use self::{
    feed::Feed,
    watch::{Beginning, Watch},
};
use super::wire;
use crate::platform::{Platform, identity::Caller};

/// Answers those who watch.
#[derive(Clone)]
pub struct Service {
    feed: Arc<Feed>,
}

impl Service {
    /// With a feed of its own: one a node.
    #[must_use]
    pub fn new(platform: &Arc<Platform>) -> Self {
        Self { feed: Arc::new(Feed::new(Arc::clone(platform))) }
    }

    async fn watch_events(&self, request: Request<WatchEventsRequest>) -> Result<Response<Messages>, Status> {
        let caller = Caller::of(&request)?;
        let platform = self.feed.platform();
        let (filter, position) = wire::question(request.into_inner(), &platform.tokens, caller.party_id())?;
        filter.e_services.iter().try_for_each(|e_service| caller.require(e_service))?;
        let watch = Watch::begin(&self.feed, Beginning { caller, filter, position }).await?;
        Ok(Response::new(watch.messages()))
    }
}

/// Encoded messages.
type Messages = BoxStream<'static, Result<Bytes, Status>>;

impl NamedService for Service {
    const NAME: &'static str = SERVICE_NAME;
}

impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// There is one method; the pipeline lets no path through that the contract does not know.
    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let limits = &self.feed.platform().config.limits;
        let mut grpc = Grpc::new(Encoded)
            .max_decoding_message_size(limits.max_request_bytes)
            .max_encoding_message_size(limits.max_answer_bytes);
        let service = self.clone();
        Box::pin(async move { Ok(grpc.server_streaming(service, request).await) })
    }
}

impl ServerStreamingService<WatchEventsRequest> for Service {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = BoxFuture<'static, Result<Response<Messages>, Status>>;

    fn call(&mut self, request: Request<WatchEventsRequest>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { service.watch_events(request).await })
    }
}

/// Requests are decoded, answers are encoded already.
#[derive(Clone, Copy, Debug, Default)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = WatchEventsRequest;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }

    /// A message has some 200 bytes; a watch keeps its buffer for as long as it lasts.
    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::new(512, 16 * 1024)
    }
}

impl Decoder for Encoded {
    type Item = WatchEventsRequest;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<WatchEventsRequest>, Status> {
        WatchEventsRequest::decode(from)
            .map(Some)
            .map_err(|error| Status::invalid_argument(error.to_string()))
    }
}
