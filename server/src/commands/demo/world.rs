//! The folder of the demo: certificates, configuration, database, reference data. What is there and still good is kept.

use std::{
    error::Error,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};

use crate::{
    commands::import,
    platform::{
        Platform,
        audit::hex,
        clock::{Clock, Machine},
        config::{Config, Environment},
        db::Db,
        ids::Ids,
        pki::{Authority, Issued, KeySource, Peer, Profile, Validity},
        registry::{self, Brand, By, CertificateRow, Holder, NewOperator, NewSystem, Registration},
    },
};

/// The reference data that goes with the binary.
const REFERENCE: [(&str, &[u8]); 3] = [
    (
        "DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv",
        include_bytes!("../../../demo-data/DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv"),
    ),
    ("structure.csv", include_bytes!("../../../demo-data/structure.csv")),
    ("lignes.csv", include_bytes!("../../../demo-data/lignes.csv")),
];

/// Certificates with less time left than this are made anew.
const LEFT: SignedDuration = SignedDuration::from_hours(24 * 30);

/// Who plays in the demo: file name, SIREN or code, name, quadrigram, rights or roles (sorted).
const CAST: [(&str, &str, &str, &str, &[&str]); 4] = [
    (
        "operator-alpha",
        "900000019",
        "Opérateur Alpha",
        "ALPH",
        &[
            "e-just-fibre",
            "e-rdv-entreprise",
            "e-rdv-grand-public",
            "eligibilite",
            "sandbox",
            "sandbox-clock",
            "tao",
        ],
    ),
    ("operator-beta", "900000027", "Opérateur Bêta", "BETA", &["e-rdv-grand-public", "eligibilite"]),
    ("workforce", "workforce", "Planification des interventions", "", &["reference", "workforce"]),
    ("simulator", "simulator", "Simulateur du terrain", "", &["logistics", "workforce"]),
];

/// The demo, ready to be served.
pub struct World {
    /// The folder.
    pub dir: PathBuf,
    /// The configuration of its server.
    pub config: Config,
    clock: Clock,
    issuer: Authority,
}

/// Makes what misses in the folder.
pub fn prepare(dir: &Path, port: u16, local_port: u16) -> Result<World, Box<dyn Error>> {
    fs::create_dir_all(dir.join("files"))?;
    for (name, bytes) in REFERENCE {
        fs::write(dir.join("files").join(name), bytes)?;
    }
    let clock = Clock::new(Machine::System, false);
    let now = clock.machine();
    let root = root(dir, now)?;
    let non_production = authority(dir, "non-production-ca", "Demo Non-production CA", &root, now)?;
    authority(dir, "production-ca", "Demo Production CA", &root, now)?;
    let server = Profile::Server { dns: vec!["localhost".into()], ips: vec![Ipv4Addr::LOCALHOST.into()] };
    if kept_leaf(dir, "server", &non_production, now)?.is_none() {
        new_leaf(dir, "server", &non_production, &server, now)?;
    }
    let config = configuration(dir, port, local_port)?;
    Ok(World { dir: dir.to_owned(), config, clock, issuer: non_production })
}

impl World {
    /// Imports the reference data and has them served; the same files again change nothing.
    pub async fn import(&self) -> Result<(), Box<dyn Error>> {
        let files = REFERENCE.map(|(name, _)| self.dir.join("files").join(name)).to_vec();
        let db = Db::open(&self.config.database).await?;
        db.migrate().await?;
        let done = import::and_serve(&self.config.reference.folder, files, &db, self.clock.machine()).await;
        db.close().await;
        Ok(done.map_err(|e| e.to_string())?)
    }

    /// Registers those who play; what is registered already and still good stays.
    pub async fn register(&self, platform: &Arc<Platform>) -> Result<(), Box<dyn Error>> {
        let request_id = Ids::default().call().to_string();
        let by = || By::cli(&request_id, self.clock.machine());
        let network = platform.network.load();
        let (db, catalogue) = (&platform.db, network.reference.eservices());
        let known = registry::list_certificates(&mut db.read().await?.conn(), None).await?;
        for (file, code, name, quadrigram, names) in CAST {
            let registration = self.certificate(file, code, name, names, &known)?;
            let (display_name, quota_tier) = (name.to_owned(), "standard".to_owned());
            if registration.holder.kind() == "operator" {
                let brand = Brand {
                    name: name.to_owned(),
                    phone: "01 99 00 00 00".to_owned(),
                    sender: String::new(),
                };
                let new = NewOperator {
                    siren: code.to_owned(),
                    display_name,
                    quadrigram: quadrigram.to_owned(),
                    brand,
                    quota_tier,
                };
                registry::create_operator(db, by(), &new).await?;
            } else {
                registry::create_system(
                    db,
                    by(),
                    &NewSystem { code: code.to_owned(), display_name, quota_tier },
                )
                .await?;
            }
            let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
            registry::grant(db, by(), &registration.holder, &names, catalogue).await?;
            registry::register_certificate(db, by(), &registration, catalogue).await?;
        }
        crate::platform::housekeeping::look(platform).await?;
        Ok(())
    }

    fn certificate(
        &self,
        file: &str,
        code: &str,
        name: &str,
        names: &[&str],
        known: &[CertificateRow],
    ) -> Result<Registration, Box<dyn Error>> {
        let holder = Holder::parse(code)?;
        let label = format!("{code}_demo_test");
        let profile = Profile::Client {
            display_name: name.to_owned(),
            environment: Environment::NonProduction,
            names: names.iter().map(|n| (*n).to_owned()).collect(),
            label: label.clone(),
            holder: holder.clone(),
        };
        let now = self.clock.machine();
        let kept = kept_leaf(&self.dir, file, &self.issuer, now)?;
        // One that was revoked, or that an earlier version of the demo issued for other rights, gets a successor.
        let stale = |serial: &str| {
            let row = known.iter().find(|row| row.serial == serial);
            row.is_some_and(|row| row.status == "revoked" || row.names != names.join(","))
        };
        let (peer, pem) = match kept.filter(|(peer, _)| !stale(&peer.serial)) {
            Some(kept) => kept,
            None => new_leaf(&self.dir, file, &self.issuer, &profile, now)?,
        };
        Ok(registration(peer, pem, holder, names, label))
    }

    /// Path of a file of the demo.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

fn registration(peer: Peer, pem: String, holder: Holder, names: &[&str], label: String) -> Registration {
    Registration {
        issuer_hash: peer.issuer_hash,
        serial: peer.serial,
        key_hash: peer.key_hash,
        holder,
        environment: Environment::NonProduction,
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        label,
        not_before: peer.not_before,
        not_after: peer.not_after,
        pem,
    }
}

fn root(dir: &Path, now: Timestamp) -> Result<Authority, Box<dyn Error>> {
    if let Some(kept) = kept_authority(dir, "root", now)? {
        return Ok(kept);
    }
    let (from, to) = (now - SignedDuration::from_mins(5), now + SignedDuration::from_hours(24 * 3_650));
    let root = Authority::new_root("Demo Root", from, to)?;
    write_pair(dir, "root", root.certificate_pem(), &root.key_pem())?;
    Ok(root)
}

fn authority(
    dir: &Path,
    file: &str,
    name: &str,
    root: &Authority,
    now: Timestamp,
) -> Result<Authority, Box<dyn Error>> {
    if let Some(kept) = kept_authority(dir, file, now)? {
        return Ok(kept);
    }
    let (from, to) = (now - SignedDuration::from_mins(5), now + SignedDuration::from_hours(24 * 1_800));
    let authority = root.issue_authority(name, from, to)?;
    write_pair(dir, file, authority.certificate_pem(), &authority.key_pem())?;
    Ok(authority)
}

/// An authority of an earlier run, if it lasts longer than what it would issue.
fn kept_authority(dir: &Path, file: &str, now: Timestamp) -> Result<Option<Authority>, Box<dyn Error>> {
    let (pem, key) = (dir.join(format!("{file}.pem")), dir.join(format!("{file}.key")));
    if !pem.is_file() || !key.is_file() {
        return Ok(None);
    }
    let (pem, key) = (fs::read_to_string(pem)?, fs::read_to_string(key)?);
    let lasts = peer(&pem)?.not_after > now + SignedDuration::from_hours(24 * 400);
    Ok(if lasts { Some(Authority::from_pem(&pem, &key)?) } else { None })
}

/// A certificate of an earlier run, if it is still good.
fn kept_leaf(
    dir: &Path,
    file: &str,
    authority: &Authority,
    now: Timestamp,
) -> Result<Option<(Peer, String)>, Box<dyn Error>> {
    let (pem, key) = (dir.join(format!("{file}.pem")), dir.join(format!("{file}.key")));
    if !pem.is_file() || !key.is_file() {
        return Ok(None);
    }
    let chain = fs::read_to_string(&pem)?;
    let kept = peer(&chain)?;
    let good = kept.not_after > now + LEFT
        && kept.issuer_hash == authority.name_hash()
        && chain.contains(authority.certificate_pem().trim());
    Ok(good.then_some((kept, chain)))
}

fn new_leaf(
    dir: &Path,
    file: &str,
    authority: &Authority,
    profile: &Profile,
    now: Timestamp,
) -> Result<(Peer, String), Box<dyn Error>> {
    let issued: Issued = authority.issue(profile, KeySource::Generate, Validity::days(now, 397)?)?;
    write_pair(dir, file, &issued.chain_pem, issued.key_pem.as_deref().unwrap_or_default())?;
    Ok((issued.peer, issued.chain_pem))
}

fn peer(chain_pem: &str) -> Result<Peer, Box<dyn Error>> {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let der = CertificateDer::from_pem_slice(chain_pem.as_bytes())
        .map_err(|e| format!("not a PEM certificate: {e}"))?;
    Ok(Peer::parse(&der)?)
}

fn write_pair(dir: &Path, file: &str, pem: &str, key: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    fs::write(dir.join(format!("{file}.pem")), pem)?;
    let path = dir.join(format!("{file}.key"));
    drop(fs::remove_file(&path));
    let mut private = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    std::io::Write::write_all(&mut private, key.as_bytes())
}

/// `demo.toml`, which `serve --config` takes too; its token key stays from run to run.
fn configuration(dir: &Path, port: u16, local_port: u16) -> Result<Config, Box<dyn Error>> {
    let path = dir.join("demo.toml");
    let key = match fs::read_to_string(&path).ok().and_then(|t| t.parse::<toml::Table>().ok()) {
        Some(old) => {
            old.get("tokens").and_then(|t| t.get("current")).and_then(|k| k.as_str()).map(str::to_owned)
        }
        None => None,
    };
    let mut config = Config::default();
    config.tls.certificate = dir.join("server.pem");
    config.tls.key = dir.join("server.key");
    config.tls.client_ca = dir.join("root.pem");
    config.database.url = format!("sqlite:{}", dir.join("eservices.db").display());
    config.reference.folder = dir.join("reference");
    config.reference.inbox = dir.join("files");
    config.tokens.current = key.unwrap_or_else(new_key);
    config.orders.ipv4_pools = "192.0.2.0/24,198.51.100.0/24,203.0.113.0/24".into();
    config.orders.quarantine_days = 1;
    config.log.filter = "warn".into();
    fs::write(&path, toml::to_string(&config)?)?;
    config.listen.grpc = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    config.listen.local = SocketAddr::from((Ipv4Addr::LOCALHOST, local_port));
    Ok(config)
}

fn new_key() -> String {
    let ids = Ids::default();
    hex(&[ids.call().into_bytes(), ids.call().into_bytes()].concat())
}
