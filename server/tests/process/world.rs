//! Certificates, registry, zones and slots, written before the first start, and the configuration of the server.

use std::{net::SocketAddr, path::Path};

use eservices_client::{Client, RetryPolicy, new_request_id};
use eservices_reference::Reference;
use eservices_server::commands::import;
use eservices_server::platform::{
    config::{Config, Database, Environment},
    db::Db,
    pki::{Authority, KeySource, Profile, Validity},
    registry::{self, Brand, By, Holder, NewOperator},
};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

/// The business instant at which the world starts: Tuesday 24 November 2026, 10 h in Paris.
const START: &str = "2026-11-24T09:00:00Z";
/// Business seconds per machine second: holds of 30 minutes lapse after 2 s, and the slots can be booked for 20 minutes.
const SPEED: f64 = 900.0;
/// Operators of the world; none of these SIRENs is anybody's.
const SIRENS: [&str; 4] = ["900000001", "900000019", "900000027", "900000035"];
/// Six slots with four places each: fewer places than ten clients want.
pub const SLOTS: [&str; 6] = [
    "ZMLV-20261216-0800",
    "ZMLV-20261216-1300",
    "ZMLV-20261217-0800",
    "ZMLV-20261217-1300",
    "ZMLV-20261218-0800",
    "ZMLV-20261218-1300",
];

/// An operator with its certificate.
#[derive(Clone)]
pub struct Operator {
    pub party_id: String,
    chain_pem: String,
    key_pem: String,
}

/// What all server processes of one run share.
pub struct World {
    pub dir: TempDir,
    pub database_url: String,
    pub operators: Vec<Operator>,
    root_pem: String,
}

#[expect(clippy::disallowed_methods, reason = "certificates and the clock's anchor are real")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// The PostgreSQL server to test on: a new database on it. None where only SQLite is asked for.
pub async fn postgres() -> Option<String> {
    let named = std::env::var("ESERVICES_TEST_DATABASE").ok();
    assert!(
        named.is_some() || std::env::var_os("CI").is_none(),
        "ESERVICES_TEST_DATABASE must be set under CI"
    );
    let Some(server) = named.filter(|url| url.starts_with("postgres")) else {
        println!("PostgreSQL is not tried: ESERVICES_TEST_DATABASE names none");
        return None;
    };
    let name = format!("es_kill_{}", new_request_id().replace('-', ""));
    let admin = sqlx::PgPool::connect(&server).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    admin.close().await;
    Some(format!("{}/{name}", server.rsplit_once('/').unwrap().0))
}

impl World {
    /// On the PostgreSQL database, or on a new SQLite file.
    pub async fn new(database_url: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = format!("sqlite:{}", dir.path().join("kill.db").display());
        let database_url = database_url.unwrap_or(file);
        let database = Database { url: database_url.clone(), ..Config::default().database };
        let db = Db::open(&database).await.unwrap();
        db.migrate().await.unwrap();
        let (from, to) =
            (now() - SignedDuration::from_mins(5), now() + SignedDuration::from_hours(24 * 3_000));
        let root = Authority::new_root("Kill Root", from, to).unwrap();
        let issuing = root.issue_authority("Kill CA", from, to).unwrap();
        server_files(&issuing, &root, dir.path());
        import::and_serve(&dir.path().join("reference"), demo_files(), &db, now()).await.unwrap();
        let reference = Reference::from_files(&demo_data()).unwrap();
        let mut operators = Vec::new();
        for siren in SIRENS {
            operators.push(operator(&db, &issuing, &reference, siren).await);
        }
        furnish(&db).await;
        db.close().await;
        Self { dir, database_url, operators, root_pem: root.certificate_pem().to_owned() }
    }

    /// What the server reads.
    pub fn config(&self, grpc: SocketAddr, local: SocketAddr) -> String {
        let dir = self.dir.path().display();
        let url = &self.database_url;
        format!(
            "environment = \"non-production\"\n\
             [listen]\ngrpc = \"{grpc}\"\nlocal = \"{local}\"\n\
             [tls]\ncertificate = \"{dir}/server.pem\"\nkey = \"{dir}/server.key\"\nclient_ca = \"{dir}/root.pem\"\n\
             [database]\nurl = \"{url}\"\n\
             [reference]\nfolder = \"{dir}/reference\"\n\
             [quota.standard]\ncalls_per_second = 100000\nburst = 100000\nconcurrent_calls = 1000\n\
             [timings]\nsweep_millis = 100\n\
             [orders]\nipv4_pools = \"10.0.0.0/16\"\n\
             [log]\nfilter = \"warn\"\n\
             [tokens]\ncurrent = \"a secret of the tests, long enough for a key\"\n",
        )
    }

    /// A client that never sends anything twice by itself: the history must know every attempt.
    pub fn client(&self, grpc: SocketAddr, operator: &Operator) -> Client {
        Client::builder(format!("https://localhost:{}", grpc.port()))
            .ca_pem(self.root_pem.clone())
            .certificate_pem(operator.chain_pem.clone())
            .key_pem(operator.key_pem.clone())
            .retry(RetryPolicy::off())
            .connect_lazy()
            .unwrap()
    }
}

fn demo_data() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data")
}

fn demo_files() -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(demo_data()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "csv")).collect()
}

fn server_files(issuing: &Authority, root: &Authority, dir: &Path) {
    let profile =
        Profile::Server { dns: vec!["localhost".into()], ips: vec![std::net::Ipv4Addr::LOCALHOST.into()] };
    let server = issuing.issue(&profile, KeySource::Generate, Validity::days(now(), 397).unwrap()).unwrap();
    std::fs::write(dir.join("server.pem"), &server.chain_pem).unwrap();
    std::fs::write(dir.join("server.key"), server.key_pem.unwrap()).unwrap();
    std::fs::write(dir.join("root.pem"), root.certificate_pem()).unwrap();
}

async fn operator(db: &Db, issuing: &Authority, reference: &Reference, siren: &str) -> Operator {
    let rights = ["e-rdv-grand-public", "e-just-fibre"].map(str::to_owned);
    let id = new_request_id();
    let by = By::cli(&id, now());
    let new = NewOperator {
        siren: siren.into(),
        display_name: format!("Operator {siren}"),
        quadrigram: format!("K{}", &siren[6..]),
        brand: Brand::default(),
        quota_tier: "standard".into(),
    };
    registry::create_operator(db, by, &new).await.unwrap();
    let holder = Holder::operator(siren).unwrap();
    registry::grant(db, by, &holder, &rights, reference.eservices()).await.unwrap();
    let profile = Profile::Client {
        holder: holder.clone(),
        display_name: "Kill".into(),
        environment: Environment::NonProduction,
        names: rights.into(),
        label: format!("{siren}_kill"),
    };
    let issued = issuing.issue(&profile, KeySource::Generate, Validity::days(now(), 397).unwrap()).unwrap();
    registry::register_certificate(db, by, issued.registration.as_ref().unwrap(), reference.eservices())
        .await
        .unwrap();
    Operator { party_id: holder.party_id(), chain_pem: issued.chain_pem, key_pem: issued.key_pem.unwrap() }
}

/// Zone, slots and the course of business time, written by hand: publishing is not what this test is about.
async fn furnish(db: &Db) {
    let start: Timestamp = START.parse().unwrap();
    let mut statements = vec![
        format!(
            "UPDATE business_clock SET base = {}, anchor = {}, speed = {SPEED} WHERE id = 1",
            start.as_microsecond(),
            now().as_microsecond()
        ),
        "INSERT INTO appointments_zones (code, label, updated_at) VALUES ('ZMLV', 'Marne', 0)".to_owned(),
        "INSERT INTO appointments_communes (commune_code, zone_code) VALUES ('77058', 'ZMLV')".to_owned(),
    ];
    for slot in SLOTS {
        let (day, morning) =
            (format!("{}-{}-{}", &slot[5..9], &slot[9..11], &slot[11..13]), slot.ends_with("0800"));
        let (from, to) = if morning { ("08:00", "12:00") } else { ("13:00", "17:00") };
        statements.push(format!(
            "INSERT INTO appointments_slots (slot_id, zone_code, day, local_start, local_end, capacity, booked) \
             VALUES ('{slot}', 'ZMLV', '{day}', '{from}', '{to}', 4, 0)"
        ));
    }
    for statement in statements {
        let text = sqlx::AssertSqlSafe(statement);
        match db {
            Db::Sqlite { writer, .. } => drop(sqlx::query(text).execute(writer).await.unwrap()),
            Db::Postgres(pool) => drop(sqlx::query(text).execute(pool).await.unwrap()),
        }
    }
}
