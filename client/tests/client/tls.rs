//! Mutual TLS: what passes, what is refused and how it reads.

use std::{fs, future::pending, io, sync::Arc, time::Duration};

use eservices_client::{Builder, Client, Code, ConnectError, Error, contract::identity::v1::WhoAmIRequest};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, copy, duplex, split};
use tokio_rustls::TlsAcceptor;

use crate::fake::{Fake, Step::Reply};

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Certificate and key, PEM.
type Credentials = (String, String);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn issue(&self, name: &str) -> Credentials {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        Arc::new(roots)
    }
}

/// A server for `localhost` that trusts one authority's clients, and what a client needs to call it.
struct Stage {
    fake: Fake,
    authority: Authority,
    acceptor: TlsAcceptor,
}

impl Stage {
    fn new() -> Self {
        let authority = Authority::new("ours");
        let trusted = authority.roots();
        Self::trusting(authority, trusted)
    }

    fn trusting(authority: Authority, clients: Arc<RootCertStore>) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let (chain, key) = authority.issue("localhost");
        let verifier =
            WebPkiClientVerifier::builder_with_provider(clients, provider.clone()).build().unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self { fake: Fake::new([Reply(b""); 3]), authority, acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// A client that dials this server under the endpoint's name, without certificates yet.
    fn builder(&self, endpoint: &str) -> Builder {
        let (fake, acceptor) = (self.fake.clone(), self.acceptor.clone());
        Client::builder(endpoint).dialer(move |_| {
            fake.count_dial();
            let (fake, acceptor) = (fake.clone(), acceptor.clone());
            let (ours, mut far) = duplex(1 << 16);
            let (mut near, theirs) = duplex(1 << 16);
            tokio::spawn(async move { delay(&mut far, &mut near).await });
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(theirs).await {
                    fake.serve(stream).await;
                }
            });
            async move { Ok(ours) }
        })
    }

    fn with_certificates(&self, endpoint: &str) -> Builder {
        let (chain, key) = self.authority.issue("operator-alpha");
        self.builder(endpoint).ca_pem(self.authority.pem.clone()).certificate_pem(chain).key_pem(key)
    }
}

/// A network: what the server says takes 5 ms to arrive.
async fn delay(client: &mut DuplexStream, server: &mut DuplexStream) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(client);
    let (mut from_server, mut to_server) = split(server);
    let back = async {
        let mut bytes = [0; 4096];
        loop {
            let count = from_server.read(&mut bytes).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
            if count == 0 {
                return to_client.shutdown().await;
            }
            to_client.write_all(&bytes[..count]).await?;
        }
    };
    let forth = async {
        // The server may be gone while its last word is still on the way.
        let _ = copy(&mut from_client, &mut to_server).await;
        pending().await
    };
    tokio::select! {
        done = forth => done,
        done = back => done,
    }
}

async fn who_am_i(client: &Client) -> Result<(), Error> {
    client.identity().who_am_i(WhoAmIRequest {}).await?;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_with_the_right_certificates_connects_from_text_and_from_files() {
    let stage = Stage::new();
    let client = stage.with_certificates("https://localhost:50051").connect().await.unwrap();
    who_am_i(&client).await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let (chain, key) = stage.authority.issue("operator-alpha");
    let client = stage
        .builder("https://localhost:50051")
        .ca_file(file("root.pem", &stage.authority.pem))
        .certificate_file(file("chain.pem", &chain))
        .key_file(file("key.pem", &key))
        .connect()
        .await
        .unwrap();
    who_am_i(&client).await.unwrap();
    assert_eq!(stage.fake.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_of_another_authority_is_refused() {
    let stage = Stage::new();
    let builder = stage.with_certificates("https://localhost:50051").ca_pem(Authority::new("theirs").pem);
    let error = builder.clone().connect().await.unwrap_err().to_string();
    assert!(error.starts_with("cannot connect to https://localhost:50051: "), "{error}");
    assert!(error.contains("invalid peer certificate"), "{error}");

    let before = stage.fake.dials();
    let error = who_am_i(&builder.connect_lazy().unwrap()).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(error.message().contains("invalid peer certificate"), "{error}");
    assert_eq!(stage.fake.dials() - before, 1, "a wrong certificate is not worth another attempt");
}

#[tokio::test(start_paused = true)]
async fn the_servers_name_can_be_told_apart_from_its_address() {
    let stage = Stage::new();
    let builder = stage.with_certificates("https://127.0.0.1:50051");
    let error = builder.clone().connect().await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
    let client = builder.domain_name("localhost").connect().await.unwrap();
    who_am_i(&client).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_of_another_authority_reads_why_and_does_not_insist() {
    let stage = Stage::trusting(Authority::new("ours"), Authority::new("theirs").roots());
    let client = stage.with_certificates("https://localhost:50051").connect_lazy().unwrap();
    let error = who_am_i(&client).await.unwrap_err();
    assert_eq!((error.code(), stage.fake.dials()), (Code::Unavailable, 1));
    assert!(error.message().contains("received fatal alert"), "{error}");
    assert_eq!(stage.fake.seen().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_or_unreadable_is_named() {
    let stage = Stage::new();
    let lazy = |builder: Builder| builder.connect_lazy().unwrap_err().to_string();
    let tls = || stage.with_certificates("https://localhost:50051");
    let bare = || Client::builder("https://localhost:50051");

    assert_eq!(lazy(bare()), "no CA certificate was given, and mutual TLS needs it");
    assert_eq!(
        lazy(bare().ca_pem(stage.authority.pem.clone())),
        "no certificate chain was given, and mutual TLS needs it"
    );
    assert_eq!(
        lazy(tls().certificate_pem("nothing here")),
        "the certificate chain is not usable: it holds no certificate"
    );
    assert!(lazy(tls().key_pem(stage.authority.pem.clone())).starts_with("the private key is not usable: "));
    assert!(
        lazy(tls().key_file("/nowhere/a.key"))
            .starts_with("cannot read the private key from /nowhere/a.key: ")
    );
    let (_, other_key) = stage.authority.issue("operator-beta");
    let mismatch = tls().key_pem(other_key).connect_lazy().unwrap_err();
    assert!(matches!(mismatch, ConnectError::Connect { .. }), "{mismatch}");

    assert_eq!(
        lazy(Client::builder("http://eservices.example:50051")),
        "endpoint \"http://eservices.example:50051\": http is for loopback addresses only, use https"
    );
    assert_eq!(
        lazy(stage.with_certificates("http://[::1]:50051")),
        "endpoint \"http://[::1]:50051\": certificates were given, use https"
    );
    for wrong in ["localhost:50051", "ftp://localhost", "/somewhere"] {
        let error = lazy(Client::builder(wrong));
        assert!(error.ends_with("it must look like https://host:port"), "{error}");
    }
    assert!(Client::builder("http://127.0.0.1:1").connect_lazy().is_ok());
}

#[test]
fn a_builder_does_not_show_its_key() {
    let shown = format!("{:?}", Client::builder("https://localhost").key_pem("SECRET").key_pem("SECRET"));
    assert!(shown.contains("6 bytes") && !shown.contains("SECRET"), "{shown}");
}
