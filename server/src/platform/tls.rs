//! TLS 1.2 and 1.3 with a client certificate, from files that are read again when they change.
//!
//! The handshake checks the chain to a trusted root, validity and clientAuth; who the certificate stands for is
//! `identity`'s business. No resumption: a ticket would outlive a revocation.

use std::{fs, path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject as _},
    server::{
        NoServerSessionStorage, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{config, pki};

/// The TLS side of one server.
pub struct Tls {
    files: config::Tls,
    current: ArcSwap<Loaded>,
}

struct Loaded {
    acceptor: TlsAcceptor,
    /// The bytes it was made from: certificate, key, client CA.
    sources: [Vec<u8>; 3],
}

/// Why the files can not be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{key} ({path}): {source}")]
    Read {
        /// Key of the configuration.
        key: &'static str,
        /// Path of the file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{key}: expected {expected}")]
    Content {
        /// Key of the configuration.
        key: &'static str,
        /// What was expected.
        expected: &'static str,
    },
    /// The pieces do not fit.
    #[error("tls: {0}")]
    Rustls(#[from] rustls::Error),
    /// The roots cannot be used.
    #[error("tls.client_ca: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

impl Tls {
    /// Reads the files.
    pub fn load(files: &config::Tls) -> Result<Self, TlsError> {
        let loaded = Loaded::from(read(files)?)?;
        Ok(Self { files: files.clone(), current: ArcSwap::from_pointee(loaded) })
    }

    /// What the next handshake is done with.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.current.load().acceptor.clone()
    }

    /// Looks whether the files changed; takes them over if they can be used, keeps the old ones if not.
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let sources = read(&self.files)?;
        if self.current.load().sources == sources {
            return Ok(false);
        }
        self.current.store(Arc::new(Loaded::from(sources)?));
        Ok(true)
    }

    /// Looks at the files again and again until `stop`.
    pub async fn watch(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = stop.cancelled() => return,
            }
            match self.refresh() {
                Ok(false) => {}
                Ok(true) => tracing::info!("certificate files were taken over"),
                Err(error) => tracing::error!(%error, "certificate files cannot be used, the old ones stay"),
            }
        }
    }
}

fn read(files: &config::Tls) -> Result<[Vec<u8>; 3], TlsError> {
    let get = |key, path: &Path| {
        fs::read(path).map_err(|source| TlsError::Read { key, path: path.display().to_string(), source })
    };
    Ok([
        get("tls.certificate", &files.certificate)?,
        get("tls.key", &files.key)?,
        get("tls.client_ca", &files.client_ca)?,
    ])
}

impl Loaded {
    fn from(sources: [Vec<u8>; 3]) -> Result<Self, TlsError> {
        let chain = certificates("tls.certificate", &sources[0])?;
        let key = PrivateKeyDer::from_pem_slice(&sources[1])
            .map_err(|_| TlsError::Content { key: "tls.key", expected: "a PEM private key" })?;
        let mut roots = RootCertStore::empty();
        for root in certificates("tls.client_ca", &sources[2])? {
            roots.add(root)?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let webpki =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_client_cert_verifier(Arc::new(ClientAuthOnly(webpki)))
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), sources })
    }
}

fn certificates(key: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = || TlsError::Content { key, expected: "one or more PEM certificates" };
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>().map_err(|_| wrong())?;
    if found.is_empty() { Err(wrong()) } else { Ok(found) }
}

/// webpki takes clientAuth as needed only where extended key usages are present; here they must be.
#[derive(Debug)]
struct ClientAuthOnly(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for ClientAuthOnly {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self.0.verify_client_cert(leaf, intermediates, now)?;
        match pki::Peer::parse(leaf) {
            Ok(peer) if peer.client_auth => Ok(verified),
            Ok(_) => Err(CertificateError::InvalidPurpose.into()),
            Err(_) => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
