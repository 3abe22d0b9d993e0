//! How a client is described and connected. Knows neither retry nor messages: it hands the policy on.

use std::{fmt, future::Future, io, net::IpAddr, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

use crate::{Client, RetryPolicy, Transport, fault::describe};

/// Describes a [`Client`]; see [`Client::builder`].
///
/// An `https` endpoint needs the CA, the certificate chain and its key. An `http` one is for tests and for a TLS proxy
/// on the same machine only: its host must be a loopback address, and it takes no certificates.
#[derive(Clone, Debug)]
pub struct Builder {
    endpoint: String,
    ca: Option<Pem>,
    chain: Option<Pem>,
    key: Option<Pem>,
    domain_name: Option<String>,
    connect_timeout: Duration,
    timeout: Duration,
    keep_alive: (Duration, Duration),
    policy: RetryPolicy,
    dialer: Option<Dialer>,
}

/// A client that could not be built or connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The endpoint is not one that a client can call.
    #[error("endpoint {endpoint:?}: {problem}")]
    Endpoint {
        /// The endpoint as it was given.
        endpoint: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Something is missing for mutual TLS.
    #[error("no {0} was given, and mutual TLS needs it")]
    Missing(&'static str),
    /// A file could not be read.
    #[error("cannot read the {what} from {}: {source}", path.display())]
    File {
        /// What was read.
        what: &'static str,
        /// Where from.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A PEM text does not hold what it should.
    #[error("the {what} is not usable: {problem}")]
    Pem {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// TLS could not be set up, or the server not be reached.
    #[error("cannot connect to {endpoint}: {problem}")]
    Connect {
        /// The endpoint as it was given.
        endpoint: String,
        /// Why not, the whole chain of causes.
        problem: String,
    },
}

const CA: &str = "CA certificate";
const CHAIN: &str = "certificate chain";
const KEY: &str = "private key";

impl Builder {
    pub(crate) fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            ca: None,
            chain: None,
            key: None,
            domain_name: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            keep_alive: (Duration::from_secs(60), Duration::from_secs(20)),
            policy: RetryPolicy::default(),
            dialer: None,
        }
    }

    /// The certificates that the server's chain must end in, PEM.
    #[must_use]
    pub fn ca_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { ca: Some(Pem::Text(pem.into())), ..self }
    }

    /// Like [`Builder::ca_pem`], read from a file when the client connects.
    #[must_use]
    pub fn ca_file(self, path: impl Into<PathBuf>) -> Self {
        Self { ca: Some(Pem::File(path.into())), ..self }
    }

    /// The client's certificate and its intermediate ones, PEM, the client's first.
    #[must_use]
    pub fn certificate_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { chain: Some(Pem::Text(pem.into())), ..self }
    }

    /// Like [`Builder::certificate_pem`], read from a file when the client connects.
    #[must_use]
    pub fn certificate_file(self, path: impl Into<PathBuf>) -> Self {
        Self { chain: Some(Pem::File(path.into())), ..self }
    }

    /// The certificate's private key, PEM: PKCS#8, PKCS#1 or SEC 1, not encrypted.
    #[must_use]
    pub fn key_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(Pem::Text(pem.into())), ..self }
    }

    /// Like [`Builder::key_pem`], read from a file when the client connects.
    #[must_use]
    pub fn key_file(self, path: impl Into<PathBuf>) -> Self {
        Self { key: Some(Pem::File(path.into())), ..self }
    }

    /// The name that the server's certificate must carry, where it is not the endpoint's host.
    #[must_use]
    pub fn domain_name(self, name: impl Into<String>) -> Self {
        Self { domain_name: Some(name.into()), ..self }
    }

    /// How long a connection may take, TLS included. Default: 5 s.
    #[must_use]
    pub fn connect_timeout(self, limit: Duration) -> Self {
        Self { connect_timeout: limit, ..self }
    }

    /// How long a call may take, all attempts together; sent to the server as `grpc-timeout`. Default: 10 s. A call's
    /// own [`Request::set_timeout`](tonic::Request::set_timeout) comes first. Calls that answer with a stream have
    /// only their own.
    #[must_use]
    pub fn timeout(self, limit: Duration) -> Self {
        Self { timeout: limit, ..self }
    }

    /// After how much silence to ask whether the connection lives, idle or not, and how long to wait for the answer
    /// before it counts as broken. Default: 60 s and 20 s.
    #[must_use]
    pub fn keep_alive(self, interval: Duration, patience: Duration) -> Self {
        Self { keep_alive: (interval, patience), ..self }
    }

    /// When calls are sent again. [`RetryPolicy::off`] for never.
    #[must_use]
    pub fn retry(self, policy: RetryPolicy) -> Self {
        Self { policy, ..self }
    }

    /// Opens the byte stream beneath TLS in place of TCP: through an egress proxy, a Unix socket, a test's pipe.
    #[must_use]
    pub fn dialer<D, F, S>(self, dial: D) -> Self
    where
        D: Fn(Uri) -> F + Send + Sync + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let dial = move |uri| -> Dialing {
            let opening = dial(uri);
            Box::pin(async move { Ok(Box::new(opening.await?) as Box<dyn Stream>) })
        };
        Self { dialer: Some(Dialer(Arc::new(dial))), ..self }
    }

    /// Connects now, so that a wrong address or server certificate shows at once. (With TLS 1.3 a refused client
    /// certificate shows at the first call.)
    ///
    /// # Errors
    /// If the description is incomplete or wrong, or the server cannot be reached within the connect timeout.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let endpoint = self.endpoint()?;
        let connecting = async {
            match self.dialer.clone() {
                None => endpoint.connect().await,
                Some(dialer) => endpoint.connect_with_connector(dialer.connector()).await,
            }
        };
        let start = Instant::now();
        // The connector's own limits do not cover everything, name resolution for instance.
        let channel = match tokio::time::timeout(self.connect_timeout, connecting).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(error)) if start.elapsed() < self.connect_timeout => {
                return Err(self.refused(describe(&error)));
            }
            _ => return Err(self.refused(format!("no connection within {:?}", self.connect_timeout))),
        };
        Ok(Client::new(Transport::new(channel, self.timeout, self.policy)))
    }

    /// Connects at the first call. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the description is incomplete or wrong.
    pub fn connect_lazy(self) -> Result<Client, ConnectError> {
        let endpoint = self.endpoint()?;
        let channel = match self.dialer {
            None => endpoint.connect_lazy(),
            Some(dialer) => endpoint.connect_with_connector_lazy(dialer.connector()),
        };
        Ok(Client::new(Transport::new(channel, self.timeout, self.policy)))
    }

    fn endpoint(&self) -> Result<Endpoint, ConnectError> {
        let wrong = |problem: String| ConnectError::Endpoint { endpoint: self.endpoint.clone(), problem };
        let uri: Uri = self.endpoint.parse().map_err(|e: http::uri::InvalidUri| wrong(e.to_string()))?;
        let host = uri.host().unwrap_or_default().to_owned();
        let endpoint = Endpoint::from(uri.clone())
            .user_agent(concat!("eservices-client/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| wrong(describe(&error)))?
            .connect_timeout(self.connect_timeout)
            .http2_keep_alive_interval(self.keep_alive.0)
            .keep_alive_timeout(self.keep_alive.1)
            .keep_alive_while_idle(true);
        match uri.scheme_str() {
            Some("https") => endpoint.tls_config(self.tls()?).map_err(|error| self.refused(describe(&error))),
            Some("http") if !is_loopback(&host) => {
                Err(wrong("http is for loopback addresses only, use https".into()))
            }
            Some("http") if self.ca.is_some() || self.chain.is_some() || self.key.is_some() => {
                Err(wrong("certificates were given, use https".into()))
            }
            Some("http") => Ok(endpoint),
            _ => Err(wrong("it must look like https://host:port".into())),
        }
    }

    fn tls(&self) -> Result<ClientTlsConfig, ConnectError> {
        let ca = certificates(&self.ca, CA)?;
        let chain = certificates(&self.chain, CHAIN)?;
        let key = read(&self.key, KEY)?;
        PrivateKeyDer::from_pem_slice(&key)
            .map_err(|error| ConnectError::Pem { what: KEY, problem: error.to_string() })?;
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(ca))
            .identity(Identity::from_pem(chain, key))
            .timeout(self.connect_timeout);
        Ok(match &self.domain_name {
            Some(name) => tls.domain_name(name),
            None => tls,
        })
    }

    fn refused(&self, problem: String) -> ConnectError {
        ConnectError::Connect { endpoint: self.endpoint.clone(), problem }
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A PEM text that holds at least one certificate, and only readable ones: TLS itself would skip the others in silence.
fn certificates(pem: &Option<Pem>, what: &'static str) -> Result<Vec<u8>, ConnectError> {
    let text = read(pem, what)?;
    let unusable = |problem: String| ConnectError::Pem { what, problem };
    let found = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() { Err(unusable("it holds no certificate".into())) } else { Ok(text) }
}

fn read(pem: &Option<Pem>, what: &'static str) -> Result<Vec<u8>, ConnectError> {
    match pem {
        None => Err(ConnectError::Missing(what)),
        Some(Pem::Text(text)) => Ok(text.clone()),
        Some(Pem::File(path)) => {
            std::fs::read(path).map_err(|source| ConnectError::File { what, path: path.clone(), source })
        }
    }
}

#[derive(Clone)]
enum Pem {
    Text(Vec<u8>),
    File(PathBuf),
}

/// Never shows the text: it may be a private key.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{} bytes", text.len()),
            Self::File(path) => path.fmt(f),
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Dialing = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>;

#[derive(Clone)]
struct Dialer(Arc<dyn Fn(Uri) -> Dialing + Send + Sync>);

impl Dialer {
    fn connector(
        self,
    ) -> impl tower::Service<
        Uri,
        Response = TokioIo<Box<dyn Stream>>,
        Error = io::Error,
        Future = impl Future<Output = io::Result<TokioIo<Box<dyn Stream>>>> + Send,
    > + Send
    + 'static {
        tower::service_fn(move |uri| {
            let opening = (self.0)(uri);
            async move { Ok(TokioIo::new(opening.await?)) }
        })
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}
