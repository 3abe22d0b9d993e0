//! The least that a gRPC server can do: a question of bytes, an answer of bytes that are ready in memory.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    future::Future,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf as _, BufMut as _, Bytes};
use tonic::{
    Request, Response, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    codegen::Service,
    server::{Grpc, NamedService, UnaryService},
};

use crate::Failure;

/// Answers each of its paths with the same bytes, whatever it is asked.
#[derive(Clone, Debug)]
pub struct Echo {
    answers: Arc<BTreeMap<String, Bytes>>,
}

impl Echo {
    /// The folder's answers: one method each.
    pub fn load(folder: &Path) -> Result<Self, Failure> {
        let mut answers = BTreeMap::new();
        for entry in fs::read_dir(folder.join("answers"))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            answers.insert(path(&name), fs::read(entry.path())?.into());
        }
        Ok(Self { answers: Arc::new(answers) })
    }
}

/// The path that answers with the bytes of this name.
pub fn path(name: &str) -> String {
    format!("/{}/{name}", Echo::NAME)
}

impl NamedService for Echo {
    const NAME: &'static str = "eservices.load.v1.EchoService";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.answers.get(request.uri().path()).cloned().unwrap_or_default();
        Box::pin(async move { Ok(Grpc::new(Raw).unary(Same(answer), request).await) })
    }
}

struct Same(Bytes);

impl UnaryService<Bytes> for Same {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.clone())))
    }
}

/// Messages as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
