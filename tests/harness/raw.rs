//! A client that is not ours: rustls and hyper alone, for what a well-behaved client never does.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Identity;

/// One connection.
pub struct Raw {
    pub sender: SendRequest<Full<Bytes>>,
    pub driver: tokio::task::JoinHandle<Result<(), hyper::Error>>,
    /// Serial of the server's certificate, DER bytes as hex.
    pub server_certificate: Vec<u8>,
}

/// What came back, whatever it was.
#[derive(Debug)]
pub struct Answer {
    pub http_status: u16,
    pub headers: http::HeaderMap,
    pub body: Bytes,
    pub trailers: Option<http::HeaderMap>,
}

/// Why there is no connection.
#[derive(Debug)]
#[expect(dead_code, reason = "shown where a test is surprised")]
pub enum Refused {
    /// The TLS handshake, or the first read after it, failed.
    Tls(String),
    /// HTTP/2 failed.
    Http(String),
}

impl Raw {
    /// Connects and does the HTTP/2 handshake; with TLS 1.3 a refused certificate shows at the first answer.
    pub async fn open(
        address: SocketAddr,
        root_pem: &str,
        identity: Option<&Identity>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self, Refused> {
        let tls = dial(address, root_pem, identity, versions).await?;
        let server_certificate = tls.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls))
                .await
                .map_err(|e| Refused::Http(format!("{e:?}")))?;
        Ok(Self { sender, driver: tokio::spawn(connection), server_certificate })
    }

    /// Sends one request and reads the whole answer.
    pub async fn send(&mut self, request: http::Request<Full<Bytes>>) -> Result<Answer, Refused> {
        let failed = |e: hyper::Error| Refused::Tls(format!("{e:?}"));
        self.sender.ready().await.map_err(failed)?;
        let response = self.sender.send_request(request).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        let collected = body.collect().await.map_err(failed)?;
        let trailers = collected.trailers().cloned();
        Ok(Answer {
            http_status: head.status.as_u16(),
            headers: head.headers,
            body: collected.to_bytes(),
            trailers,
        })
    }

    /// A unary gRPC call with a message as bytes.
    pub async fn call(&mut self, path: &str, message: &[u8]) -> Result<Answer, Refused> {
        self.send(grpc(path, framed(message))).await
    }
}

/// A connection after its TLS handshake, before anything is said.
pub async fn dial(
    address: SocketAddr,
    root_pem: &str,
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<TlsStream<TcpStream>, Refused> {
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(tls(root_pem, identity, versions)));
    connector.connect(name, tcp).await.map_err(|e| Refused::Tls(e.to_string()))
}

/// The client's side of a handshake, with a certificate or without.
pub fn tls(
    root_pem: &str,
    identity: Option<&Identity>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain: Vec<_> =
                CertificateDer::pem_slice_iter(identity.chain_pem.as_bytes()).map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// A gRPC request.
pub fn grpc(path: &str, body: Bytes) -> http::Request<Full<Bytes>> {
    http::Request::post(format!("https://localhost{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(body))
        .unwrap()
}

/// The five bytes before a message, and the message.
pub fn framed(message: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.into()
}

impl Answer {
    /// The status, from the trailers or from a head that is all there is.
    pub fn status(&self) -> tonic::Status {
        let from = self.trailers.as_ref().and_then(tonic::Status::from_header_map);
        from.or_else(|| tonic::Status::from_header_map(&self.headers)).unwrap()
    }

    /// The message without its frame.
    pub fn message(&self) -> &[u8] {
        &self.body[5..]
    }
}
