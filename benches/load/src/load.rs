//! The client: raw HTTP/2 over TLS 1.3 with questions that are encoded already, as cheap as a client can be.

use std::{
    net::Ipv4Addr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::TlsConnector;

use crate::Failure;

/// One question, ready to be sent.
#[derive(Clone, Debug)]
pub struct Question {
    head: http::Request<()>,
    body: Bytes,
}

impl Question {
    /// A unary call of `path` with an encoded message.
    pub fn new(path: &str, message: &[u8]) -> Result<Self, Failure> {
        let head = http::Request::post(format!("https://localhost{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut body = vec![0];
        body.extend_from_slice(&u32::try_from(message.len())?.to_be_bytes());
        body.extend_from_slice(message);
        Ok(Self { head, body: body.into() })
    }

    fn request(&self) -> http::Request<Full<Bytes>> {
        self.head.clone().map(|()| Full::new(self.body.clone()))
    }
}

/// One connection; clones share it.
#[derive(Clone)]
pub struct Wire(SendRequest<Full<Bytes>>);

impl Wire {
    /// Connects to a port of this machine, and does both handshakes.
    pub async fn open(port: u16, tls: &Arc<ClientConfig>) -> Result<Self, Failure> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        let stream = TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?;
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// An answer that lasts.
    pub async fn stream(&mut self, question: &Question) -> Result<hyper::body::Incoming, Failure> {
        self.0.ready().await?;
        Ok(self.0.send_request(question.request()).await?.into_body())
    }

    /// The answer's message; an error unless the status is OK.
    pub async fn ask(&mut self, question: &Question) -> Result<Bytes, Failure> {
        self.0.ready().await?;
        let response = self.0.send_request(question.request()).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().unwrap_or(&head.headers);
        let status =
            trailers.get("grpc-status").map_or("none".into(), |s| String::from_utf8_lossy(s.as_bytes()));
        if status != "0" {
            return Err(format!("{}: grpc-status {status}", question.head.uri().path()).into());
        }
        let bytes = body.to_bytes();
        if bytes.len() < 5 { Err("an answer without a message".into()) } else { Ok(bytes.slice(5..)) }
    }
}

/// What one window came to.
#[derive(Debug)]
pub struct Window {
    /// From the first question to the last answer.
    pub elapsed: Duration,
    /// Microseconds of every call, sorted.
    pub micros: Vec<u32>,
}

impl Window {
    /// The latency that this share of the calls did not exceed.
    pub fn quantile(&self, share: f64) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = ((self.micros.len() as f64 * share) as usize).min(self.micros.len().saturating_sub(1));
        self.micros.get(at).copied().unwrap_or(0)
    }
}

/// Asks over every connection with so many calls at once until the time is over; every call begun is answered.
pub async fn run(
    wires: &[Wire],
    streams: u64,
    question: &Question,
    answer_bytes: usize,
    window: Duration,
) -> Result<Window, Failure> {
    let question = Arc::new(question.clone());
    let started = Instant::now();
    let end = started + window;
    let mut tasks = JoinSet::new();
    for wire in wires {
        for _ in 0..streams {
            tasks.spawn(stream(wire.clone(), Arc::clone(&question), answer_bytes, end));
        }
    }
    let mut micros = Vec::new();
    while let Some(done) = tasks.join_next().await {
        micros.append(&mut done??);
    }
    let elapsed = started.elapsed();
    micros.sort_unstable();
    Ok(Window { elapsed, micros })
}

async fn stream(
    mut wire: Wire,
    question: Arc<Question>,
    answer_bytes: usize,
    end: Instant,
) -> Result<Vec<u32>, Failure> {
    let mut micros = Vec::with_capacity(4_096);
    loop {
        let asked = Instant::now();
        if asked >= end {
            return Ok(micros);
        }
        let answer = wire.ask(&question).await?;
        if answer.len() != answer_bytes {
            return Err(format!("an answer of {} bytes, expected {answer_bytes}", answer.len()).into());
        }
        micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
}
