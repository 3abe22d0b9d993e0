//! The folder that every server here serves from: certificates, configuration, a database with one operator, and the
//! answers that the echoes give.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use eservices_server::commands::{Context, import};
use eservices_server::platform::{
    clock::{Clock, Machine},
    config::{Config, Environment, Quota},
    db::Db,
    ids::Ids,
    pki::{Authority, Issued, KeySource, Profile, Validity},
    registry::{self, Brand, By, Holder, NewOperator},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::Failure;

/// The reference data that is asked about.
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../server/demo-data");

/// A SIREN that belongs to nobody.
const SIREN: &str = "900000019";

/// The right that eligibility needs.
const RIGHTS: [&str; 1] = ["eligibilite"];

/// Makes the folder's content: files of a server that nobody has started yet.
pub async fn make(folder: &Path) -> Result<(), Failure> {
    let clock = Clock::new(Machine::System, false);
    let authority = authority(folder, &clock)?;
    let profile = Profile::Client {
        holder: Holder::operator(SIREN)?,
        display_name: "Load".into(),
        environment: Environment::NonProduction,
        names: RIGHTS.iter().map(|n| (*n).to_owned()).collect(),
        label: format!("{SIREN}_load_test"),
    };
    let client = authority.issue(&profile, KeySource::Generate, Validity::days(clock.machine(), 20)?)?;
    write_pair(folder, "client", &client)?;
    let config = configuration(folder);
    write_configuration(folder, &config)?;
    register(&config, &clock, &client).await
}

/// A root and an authority below it; the folder gets the root and the server's certificate.
pub fn authority(folder: &Path, clock: &Clock) -> Result<Authority, Failure> {
    let validity = Validity::days(clock.machine(), 30)?;
    let root = Authority::new_root("Load Root", validity.not_before, validity.not_after)?;
    let authority = root.issue_authority("Load CA", validity.not_before, validity.not_after)?;
    fs::write(folder.join("root.pem"), root.certificate_pem())?;
    let profile = Profile::Server { dns: vec!["localhost".into()], ips: vec![Ipv4Addr::LOCALHOST.into()] };
    let server = authority.issue(&profile, KeySource::Generate, Validity::days(clock.machine(), 20)?)?;
    write_pair(folder, "server", &server)?;
    Ok(authority)
}

fn write_pair(folder: &Path, name: &str, issued: &Issued) -> Result<(), Failure> {
    fs::write(folder.join(format!("{name}.pem")), &issued.chain_pem)?;
    let key = issued.key_pem.as_deref().ok_or("a certificate was issued without its key")?;
    Ok(fs::write(folder.join(format!("{name}.key")), key)?)
}

/// Defaults everywhere, but for a quota that no benchmark reaches.
pub fn configuration(folder: &Path) -> Config {
    let mut config = Config::default();
    config.listen.grpc = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.listen.local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.tls.certificate = folder.join("server.pem");
    config.tls.key = folder.join("server.key");
    config.tls.client_ca = folder.join("root.pem");
    config.database.url = format!("sqlite:{}", folder.join("eservices.db").display());
    config.reference.folder = folder.join("reference");
    config.tokens.current = "a key of the benchmark, which signs nothing".into();
    let boundless = Quota { calls_per_second: 10_000_000, burst: 10_000_000, concurrent_calls: 100_000 };
    config.quota = BTreeMap::from([("standard".to_owned(), boundless)]);
    config
}

/// What the folder's server reads when it starts.
pub fn write_configuration(folder: &Path, config: &Config) -> Result<(), Failure> {
    Ok(fs::write(folder.join("eservices.toml"), toml::to_string(config)?)?)
}

/// Has a server use a PostgreSQL database, if one is named.
pub fn on(config: &mut Config, database: Option<&str>) {
    if let Some(url) = database {
        url.clone_into(&mut config.database.url);
        config.database.connections = 32;
    }
}

/// The files of the demo's reference data.
pub fn demo_files() -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for entry in fs::read_dir(REFERENCE)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "csv") {
            files.push(path);
        }
    }
    Ok(files)
}

/// The folder's database, with reference data that is served.
pub async fn database(config: &Config, clock: &Clock, files: Vec<PathBuf>) -> Result<Db, Failure> {
    let db = Db::open(&config.database).await?;
    db.migrate().await?;
    import::and_serve(&config.reference.folder, files, &db, clock.machine())
        .await
        .map_err(|e| e.to_string())?;
    Ok(db)
}

async fn register(config: &Config, clock: &Clock, client: &Issued) -> Result<(), Failure> {
    let db = database(config, clock, demo_files()?).await?;
    let request_id = Ids::default().call().to_string();
    let by = || By::cli(&request_id, clock.machine());
    let operator = NewOperator {
        siren: SIREN.into(),
        display_name: "Load".into(),
        quadrigram: "LOAD".into(),
        brand: Brand::default(),
        quota_tier: "standard".into(),
    };
    registry::create_operator(&db, by(), &operator).await?;
    let context = Context { config: config.clone(), clock: clock.clone(), ids: Ids::default(), json: false };
    let catalogue = context.catalogue(&db).await.map_err(|e| e.to_string())?;
    let names = RIGHTS.map(str::to_owned);
    registry::grant(&db, by(), &Holder::operator(SIREN)?, &names, &catalogue).await?;
    let registration = client.registration.as_ref().ok_or("a client's certificate has no registration")?;
    registry::register_certificate(&db, by(), registration, &catalogue).await?;
    db.close().await;
    Ok(())
}

/// The configuration of the folder's server.
pub fn config(folder: &Path) -> Result<Config, Failure> {
    Ok(Config::load(Some(&folder.join("eservices.toml")), &[])?)
}

/// The client's side of the handshake: TLS 1.3, with the operator's certificate.
pub fn client(folder: &Path) -> Result<ClientConfig, Failure> {
    let read = |name: &str| fs::read(folder.join(name));
    client_with(folder, &read("client.pem")?, &read("client.key")?)
}

/// The same with another certificate, PEM.
pub fn client_with(folder: &Path, chain: &[u8], key: &[u8]) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("root.pem"))?)?;
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
