//! A world for one test: PKI, database, demo reference data, a server on port 0, clients.
//!
//! Machine time stands still at the real instant of the start; business time starts on Tuesday 24 November 2026, 10 h in
//! Paris, and moves only when a test moves it.

pub mod database;
pub mod field;
pub mod node;
pub mod orders;
pub mod raw;
pub mod trial;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicI64, Ordering},
    },
};

use eservices::{
    appointments::v1 as ap,
    common::v1::AppointmentType,
    fulfilment::v1::{DayCapacity, PublishCapacityRequest, PublishZonesRequest, SlotCapacity, Zone},
};
use eservices_client::{Client, RetryPolicy, new_request_id};
use eservices_reference::{Reference, Store};
use eservices_server::{
    Server,
    platform::{
        Parts, Platform, access,
        clock::{Clock, Machine},
        config::{Config, Environment, Quota},
        db::Db,
        ids::Ids,
        pki::{Authority, Issued, KeySource, Profile, Validity},
        registry::{self, Brand, By, Holder, NewOperator, NewSystem},
        tls::Tls,
    },
    routes, start,
};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Business time at the start of every test.
pub const START: &str = "2026-11-24T09:00:00Z";

/// SIRENs that pass Luhn and belong to nobody.
pub const SIRENS: [&str; 9] = [
    "900000001",
    "900000019",
    "900000027",
    "900000035",
    "900000043",
    "900000050",
    "900000068",
    "900000076",
    "900000084",
];

/// Every right there is: eligibility, TAO, both of e-RDV, both of orders and the sandbox.
pub const ALL: &[&str] = &[
    "eligibilite",
    "tao",
    "e-rdv-grand-public",
    "e-rdv-entreprise",
    "e-just-fibre",
    "e-just",
    "sandbox",
    "sandbox-clock",
];

/// Certificates: a root, an issuing authority per environment, and a foreign root.
pub struct Pki {
    pub root: Authority,
    pub non_production: Authority,
    pub production: Authority,
    pub foreign: Authority,
}

/// A certificate with its key, and the party it stands for.
#[derive(Clone, Debug)]
pub struct Identity {
    pub party_id: String,
    pub serial: String,
    pub chain_pem: String,
    pub key_pem: String,
}

/// What a world is built with.
pub struct Plan {
    pub config: Config,
    pub methods: access::Table,
    pub extra: Option<fn(tonic::service::Routes) -> tonic::service::Routes>,
    pub database_url: Option<String>,
}

/// A running server and all around it.
pub struct World {
    pub server: Option<Server>,
    pub platform: Arc<Platform>,
    pub address: SocketAddr,
    pub pki: Pki,
    pub dir: TempDir,
    pub machine: Arc<AtomicI64>,
    pub database_url: String,
}

impl Default for Plan {
    fn default() -> Self {
        let mut config = Config::default();
        config.tokens.current = "a secret of the tests, long enough for a key".into();
        config.orders.ipv4_pools = "192.0.2.0/24".into();
        config.timings.registry_poll_millis = 50;
        // Below the folder of the world.
        config.reference.inbox = "inbox".into();
        config.reference.import_megabytes = 64;
        config.timings.sweep_millis = 60_000;
        config.timings.tls_poll_millis = 50;
        config.quota.insert(
            "standard".into(),
            Quota { calls_per_second: 100_000, burst: 100_000, concurrent_calls: 1_000 },
        );
        Self { config, methods: access::Table::default(), extra: None, database_url: None }
    }
}

pub fn repo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test's machine clock starts at the real instant: certificates are real"
)]
pub fn real_now() -> Timestamp {
    Timestamp::now()
}

impl Pki {
    pub fn new() -> Self {
        let (from, to) = span(real_now(), 3_650);
        let root = Authority::new_root("Test Root", from, to).unwrap();
        let non_production = root.issue_authority("Test Non-production CA", from, to).unwrap();
        let production = root.issue_authority("Test Production CA", from, to).unwrap();
        let foreign = Authority::new_root("Foreign Root", from, to).unwrap();
        Self { root, non_production, production, foreign }
    }

    pub fn server(&self) -> Issued {
        let profile = Profile::Server {
            dns: vec!["localhost".into()],
            ips: vec![std::net::Ipv4Addr::LOCALHOST.into()],
        };
        self.non_production
            .issue(&profile, KeySource::Generate, Validity::days(real_now(), 397).unwrap())
            .unwrap()
    }

    pub fn write_files(&self, dir: &Path) {
        let server = self.server();
        std::fs::write(dir.join("server.pem"), &server.chain_pem).unwrap();
        std::fs::write(dir.join("server.key"), server.key_pem.as_deref().unwrap()).unwrap();
        std::fs::write(dir.join("root.pem"), self.root.certificate_pem()).unwrap();
    }
}

fn span(now: Timestamp, days: i64) -> (Timestamp, Timestamp) {
    (now - SignedDuration::from_mins(5), now + SignedDuration::from_hours(24 * days))
}

impl World {
    pub async fn start() -> Self {
        Self::from(Plan::default()).await
    }

    pub async fn from(plan: Plan) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::new();
        pki.write_files(dir.path());
        let database_url = match plan.database_url {
            Some(url) => url,
            None => database::fresh(dir.path()).await,
        };
        let mut config = plan.config;
        config.database.url = database_url.clone();
        config.tls.certificate = dir.path().join("server.pem");
        config.tls.key = dir.path().join("server.key");
        config.tls.client_ca = dir.path().join("root.pem");
        config.reference.folder = dir.path().join("reference");
        if !config.reference.inbox.as_os_str().is_empty() {
            config.reference.inbox = dir.path().join(&config.reference.inbox);
        }
        let db = Db::open(&config.database).await.unwrap();
        db.migrate().await.unwrap();
        let machine = Arc::new(AtomicI64::new(real_now().as_microsecond()));
        let business: Timestamp = START.parse().unwrap();
        database::set_course(&db, business.as_microsecond(), machine.load(Ordering::Relaxed)).await;
        let parts = Parts {
            reference: (demo_reference(), 0),
            releases: Arc::new(Store::open(&config.reference.folder).unwrap()),
            clock: Clock::new(
                Machine::Manual(Arc::clone(&machine)),
                config.environment == Environment::NonProduction,
            ),
            ids: Ids::default(),
            methods: plan.methods,
            db,
            config,
        };
        let tls = Arc::new(Tls::load(&parts.config.tls).unwrap());
        let platform = Platform::start(parts).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut served = routes(&platform);
        if let Some(extra) = plan.extra {
            served = extra(served);
        }
        let server = start(listener, Arc::clone(&platform), tls, served).await.unwrap();
        Self { address: server.address, server: Some(server), platform, pki, dir, machine, database_url }
    }

    /// Stops the server; the database stays.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    pub fn by<'a>(&self, request_id: &'a str) -> By<'a> {
        By::cli(request_id, real_now())
    }

    /// Registers an operator that subscribes to `subscribed`, with a certificate that names `named`.
    pub async fn operator_with(&self, siren: &str, subscribed: &[&str], named: &[&str]) -> Identity {
        let request_id = new_request_id();
        let new = NewOperator {
            siren: siren.into(),
            display_name: format!("Opérateur {siren}"),
            quadrigram: format!("T{}", &siren[6..]),
            brand: Brand { name: String::new(), phone: String::new(), sender: String::new() },
            quota_tier: "standard".into(),
        };
        registry::create_operator(&self.platform.db, self.by(&request_id), &new).await.unwrap();
        self.party(&Holder::operator(siren).unwrap(), subscribed, named).await
    }

    /// An operator that holds `e_services`.
    pub async fn operator(&self, siren: &str, e_services: &[&str]) -> Identity {
        self.operator_with(siren, e_services, e_services).await
    }

    /// A workforce system.
    pub async fn workforce(&self) -> Identity {
        self.system("workforce", &["workforce"]).await
    }

    /// A back-office system with roles.
    pub async fn system(&self, code: &str, roles: &[&str]) -> Identity {
        let request_id = new_request_id();
        let new = NewSystem {
            code: code.into(),
            display_name: format!("Système {code}"),
            quota_tier: "standard".into(),
        };
        registry::create_system(&self.platform.db, self.by(&request_id), &new).await.unwrap();
        self.party(&Holder::system(code).unwrap(), roles, roles).await
    }

    pub async fn party(&self, holder: &Holder, granted: &[&str], named: &[&str]) -> Identity {
        let request_id = new_request_id();
        let names: Vec<String> = granted.iter().map(|n| (*n).to_owned()).collect();
        let network = self.platform.network.load();
        let catalogue = network.reference.eservices();
        if !names.is_empty() {
            registry::grant(&self.platform.db, self.by(&request_id), holder, &names, catalogue)
                .await
                .unwrap();
        }
        self.certificate(holder, named, Environment::NonProduction).await
    }

    /// Issues and registers a certificate.
    pub async fn certificate(&self, holder: &Holder, named: &[&str], environment: Environment) -> Identity {
        let authority = match environment {
            Environment::Production => &self.pki.production,
            Environment::NonProduction => &self.pki.non_production,
        };
        let identity = issue(authority, holder, named, environment, Validity::days(real_now(), 397).unwrap());
        let request_id = new_request_id();
        let network = self.platform.network.load();
        let catalogue = network.reference.eservices();
        let registration = identity.1.registration.as_ref().unwrap();
        registry::register_certificate(&self.platform.db, self.by(&request_id), registration, catalogue)
            .await
            .unwrap();
        self.look().await;
        identity.0
    }

    /// Has the server look at the registry now instead of at its next turn.
    pub async fn look(&self) {
        eservices_server::platform::housekeeping::look(&self.platform).await.unwrap();
    }

    /// Moves machine time on (business time goes along), and has the server look at the registry at the new instant.
    pub async fn machine_on(&self, seconds: i64) {
        self.machine.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        self.look().await;
    }

    /// A client with retries off: a test sees each answer.
    pub async fn client(&self, identity: &Identity) -> Client {
        Client::builder(format!("https://localhost:{}", self.address.port()))
            .ca_pem(self.pki.root.certificate_pem())
            .certificate_pem(identity.chain_pem.clone())
            .key_pem(identity.key_pem.clone())
            .retry(RetryPolicy::off())
            .connect()
            .await
            .unwrap()
    }

    /// Publishes the zone of Bussy-Saint-Georges (77058) and one slot a half day on every day of the booking window.
    pub async fn capacity(&self, places: u32) -> Client {
        let workforce = self.client(&self.workforce().await).await;
        publish_zone(&workforce, "ZMLV", &["77058", "77243"]).await;
        publish_days(&workforce, "ZMLV", (8..=26).map(day_after).collect(), places).await;
        workforce
    }
}

/// The demo's release, made once a process.
pub fn demo_reference() -> Arc<Reference> {
    static DEMO: OnceLock<Arc<Reference>> = OnceLock::new();
    let make = || Arc::new(Reference::from_files(&repo().join("server/demo-data")).unwrap());
    Arc::clone(DEMO.get_or_init(make))
}

/// Buildings of the test's releases, by the street that they stand in.
pub const BUILDINGS: [&str; 3] = ["IMB/77058/X/0001", "IMB/77058/X/0002", "IMB/77058/X/0003"];

/// The files of a release in which every record says which release it is of: street, PM, box and socket.
pub fn ipe_files(folder: &Path, version: u32) -> Vec<PathBuf> {
    let header = "IdentifiantImmeuble;EtatImmeuble;ReferencePM;EtatPM;CodeInseeImmeuble;CodePostalImmeuble;CommuneImmeuble;\
                  NomVoieImmeuble;NumeroVoieImmeuble;NombreLogementsAdresseIPE;TypeProjectionGeographique;\
                  CoordonneeImmeubleX;CoordonneeImmeubleY\n";
    let pm = format!("FI-77058-{version:04}");
    let pbo = format!("PT {version:06}");
    let (mut ipe, mut structure, mut lines) = (
        header.to_owned(),
        "IMB;batiment;escalier;etage;PM;PMT;PBO;type_PBO;localisation_PBO;fibres_PBO;lien_PM_PRDM;logements\n".to_owned(),
        "PTO;IMB;batiment;escalier;etage;PBO;etat\n".to_owned(),
    );
    for (n, imb) in BUILDINGS.iter().enumerate() {
        ipe += &format!(
            "{imb};DEPLOYE;{pm};DEPLOYE;77058;77600;BUSSY;RUE NUMERO {version};{n};1;WGS84;2.71;48.84\n"
        );
        structure += &format!("{imb};_NA_;_NA_;_NA_;{pm};;{pbo};CH:V{version};LIEU {version};8;;1\n");
        lines += &format!("FI-{version:04}-{n:04};{imb};_NA_;_NA_;_NA_;{pbo};V{version}\n");
    }
    std::fs::create_dir_all(folder).unwrap();
    let named = [
        (format!("T_77_ESVC_PM_IPEZMD_V30_202611{version:02}.csv"), ipe),
        ("structure.csv".to_owned(), structure),
        ("lignes.csv".to_owned(), lines),
    ];
    named
        .into_iter()
        .map(|(name, text)| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect()
}

/// A certificate that nobody registered.
pub fn issue(
    authority: &Authority,
    holder: &Holder,
    named: &[&str],
    environment: Environment,
    validity: Validity,
) -> (Identity, Issued) {
    let profile = Profile::Client {
        holder: holder.clone(),
        display_name: "Test".into(),
        environment,
        names: named.iter().map(|n| (*n).to_owned()).collect(),
        label: format!("{}_test", holder.code()),
    };
    let issued = authority.issue(&profile, KeySource::Generate, validity).unwrap();
    let identity = Identity {
        party_id: holder.party_id(),
        serial: issued.peer.serial.clone(),
        chain_pem: issued.chain_pem.clone(),
        key_pem: issued.key_pem.clone().unwrap(),
    };
    (identity, issued)
}

/// The day `n` days after the start, `YYYY-MM-DD`.
pub fn day_after(n: i64) -> String {
    let start: jiff::civil::Date = START[..10].parse().unwrap();
    (start + n.days()).to_string()
}

/// The id of a slot of [`World::capacity`].
pub fn slot_id(day: i64, start: &str) -> String {
    format!("ZMLV-{}-{}", day_after(day).replace('-', ""), start.replace(':', ""))
}

pub async fn publish_zone(workforce: &Client, code: &str, communes: &[&str]) {
    let zone = Zone {
        code: code.into(),
        label: format!("Zone {code}"),
        commune_codes: communes.iter().map(|c| (*c).to_owned()).collect(),
    };
    let request = PublishZonesRequest { request_id: new_request_id(), zones: vec![zone] };
    workforce.fulfilment().publish_zones(request).await.unwrap();
}

pub async fn publish_days(workforce: &Client, zone: &str, days: Vec<String>, places: u32) {
    let slot = |start: &str, end: &str| SlotCapacity {
        start_time: start.into(),
        end_time: end.into(),
        capacity: places,
    };
    let day = |day: String| DayCapacity { day, slots: vec![slot("08:00", "12:00"), slot("13:00", "17:00")] };
    let request = PublishCapacityRequest {
        request_id: new_request_id(),
        zone_code: zone.into(),
        days: days.into_iter().map(day).collect(),
    };
    workforce.fulfilment().publish_capacity(request).await.unwrap();
}

/// A creation of Just Fibre at 6 rue Etienne Ganneron, by its street.
pub fn intervention() -> ap::Intervention {
    let street =
        ap::Street { commune_code: "77058".into(), street_code: "0361".into(), street_number: "6".into() };
    ap::Intervention {
        place: Some(ap::Place { designation: Some(ap::place::Designation::Street(street)) }),
        product_nature: "JUST_FIBRE".into(),
        operation: "CREATION".into(),
        appointment_type: AppointmentType::House.into(),
        pair_count: 0,
        access_id: String::new(),
    }
}

pub fn hold_request(slot_id: &str) -> ap::HoldAppointmentRequest {
    ap::HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(intervention()),
        slot_id: slot_id.into(),
    }
}

pub async fn hold(client: &Client, slot_id: &str) -> ap::Appointment {
    client
        .appointments()
        .hold_appointment(hold_request(slot_id))
        .await
        .unwrap()
        .into_inner()
        .appointment
        .unwrap()
}

/// What the server says of a refusal.
pub fn refusal<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> eservices_client::Error {
    eservices_client::Error::from(answer.unwrap_err())
}

/// The reason of a refusal, and that its code is the catalogue's.
pub fn reason<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> String {
    let error = refusal(answer);
    let name = error.reason_name().unwrap_or_else(|| panic!("no ErrorInfo: {error:?}")).to_owned();
    let info = eservices::REASONS.iter().find(|r| r.name == name).unwrap();
    assert_eq!(error.code(), info.code, "{name}");
    assert_eq!(error.remedy(), Some(info.remedy), "{name}");
    assert!(error.request_id().is_some_and(|id| id.len() == 36), "{name}");
    name
}
