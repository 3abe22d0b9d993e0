//! Certificates, registry, zones and slots, written before the first start, and the configuration of the server.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use eservices_client::{Client, RetryPolicy, new_request_id};
use eservices_reference::Reference;
use eservices_server::commands::import;
use eservices_server::platform::{
    config::{Config, Database, Environment},
    db::Db,
    pki::{Authority, KeySource, Profile, Validity},
    registry::{self, Brand, By, Holder, NewOperator, NewSystem},
};
use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, date, time},
    tz::TimeZone,
};
use tempfile::TempDir;

/// The business instant at which the world starts: Tuesday 24 November 2026, 10 h in Paris.
const START: &str = "2026-11-24T09:00:00Z";
/// Business seconds per machine second: holds of 30 minutes lapse after 2 s, and a season's slots can be booked for longer
/// than any season lasts.
const SPEED: f64 = 900.0;
/// How long a worker has its work, seconds: the least that can be configured.
pub const LEASE_SECONDS: u32 = 10;
/// Operators of the world; none of these SIRENs is anybody's.
const SIRENS: [&str; 4] = ["900000001", "900000019", "900000027", "900000035"];
/// First day of the slots of the first season, a Wednesday.
const FIRST_DAY: Date = date(2026, 12, 16);
/// From a season's slots to the next one's: they can be booked once the clock has gone past those before.
const SEASON_DAYS: i64 = 21;
/// What the house of all orders has in the demo's structure, fibres and housings, and what it has here: nobody runs out.
const ROOM: [&str; 2] =
    ["GANNERON;8;77243LAG_FI-77058-000B;1\n", "GANNERON;90000;77243LAG_FI-77058-000B;90000\n"];

/// An operator with its certificate.
#[derive(Clone)]
pub struct Operator {
    pub party_id: String,
    pub chain_pem: String,
    pub key_pem: String,
}

/// What all server processes of one run share.
pub struct World {
    pub dir: TempDir,
    pub database_url: String,
    pub operators: Vec<Operator>,
    /// A system that keeps the reference data.
    pub keeper: Operator,
    /// Systems of the field, each with both roles: they take each other's work over.
    pub field: Vec<Operator>,
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
    /// On the PostgreSQL database, or on a new SQLite file; with the slots of the first season.
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
        let files = roomy(&demo_files(), dir.path());
        import::and_serve(&dir.path().join("reference"), files, &db, now()).await.unwrap();
        let reference = Reference::from_files(&demo_data()).unwrap();
        let mut operators = Vec::new();
        for siren in SIRENS {
            operators.push(operator(&db, &issuing, &reference, siren).await);
        }
        let keeper = system(&db, &issuing, &reference, "catalogue", &["reference"]).await;
        let mut field = Vec::new();
        for code in ["field-a", "field-b"] {
            field.push(system(&db, &issuing, &reference, code, &["workforce", "logistics"]).await);
        }
        furnish(&db).await;
        db.close().await;
        Self { dir, database_url, operators, keeper, field, root_pem: root.certificate_pem().to_owned() }
    }

    /// Moves the business clock to the evening after a season's slots: what was booked there is due, and the next season's
    /// slots can be booked. `still`: from then on it runs as the machine's, so that nothing more falls due by itself.
    pub async fn turn(&self, season: usize, still: bool) {
        let db = self.db().await;
        let evening = days_of(season)[2].to_datetime(time(17, 0, 0, 0));
        let base = TimeZone::get("Europe/Paris").unwrap().to_timestamp(evening).unwrap();
        set_clock(&db, base, if still { 1.0 } else { SPEED }).await;
        publish(&db, season + 1).await;
        db.close().await;
    }

    /// A connection of our own.
    pub(super) async fn db(&self) -> Db {
        let database = Database { url: self.database_url.clone(), ..Config::default().database };
        Db::open(&database).await.unwrap()
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
             [reference]\nfolder = \"{dir}/reference\"\ninbox = \"{dir}/inbox\"\nimport_silent_seconds = 3\n\
             [quota.standard]\ncalls_per_second = 100000\nburst = 100000\nconcurrent_calls = 1000\n\
             [timings]\nsweep_millis = 100\nregistry_poll_millis = 100\n\
             [events]\nheartbeat_seconds = 1\n\
             [fulfilment]\nlease_seconds = {LEASE_SECONDS}\n\
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

fn demo_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data")
}

fn demo_files() -> Vec<PathBuf> {
    let files = std::fs::read_dir(demo_data()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "csv")).collect()
}

/// The files with room at the house of all orders.
fn roomy(files: &[PathBuf], dir: &Path) -> Vec<PathBuf> {
    let structure = |file: &PathBuf| file.ends_with("structure.csv");
    let text = std::fs::read_to_string(files.iter().find(|file| structure(file)).unwrap()).unwrap();
    assert!(text.contains(ROOM[0]), "the demo's structure has another house");
    let ours = dir.join("structure.csv");
    std::fs::write(&ours, text.replace(ROOM[0], ROOM[1])).unwrap();
    files.iter().map(|file| if structure(file) { ours.clone() } else { file.clone() }).collect()
}

/// The days of a season's slots.
pub(super) fn days_of(season: usize) -> [Date; 3] {
    let first = FIRST_DAY.saturating_add((SEASON_DAYS * i64::try_from(season).unwrap()).days());
    [0, 1, 2].map(|day: i64| first.saturating_add(day.days()))
}

/// The slots of a season, six with four places each: fewer places than ten clients want.
pub fn slots(season: usize) -> Vec<String> {
    let of_day = |day: Date| ["0800", "1300"].map(|at| format!("ZMLV-{}-{at}", day.strftime("%Y%m%d")));
    days_of(season).into_iter().flat_map(of_day).collect()
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
    certified(db, issuing, reference, holder, &rights).await
}

async fn system(db: &Db, issuing: &Authority, reference: &Reference, code: &str, roles: &[&str]) -> Operator {
    let id = new_request_id();
    let new = NewSystem {
        code: code.into(),
        display_name: format!("System {code}"),
        quota_tier: "standard".into(),
    };
    registry::create_system(db, By::cli(&id, now()), &new).await.unwrap();
    let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
    certified(db, issuing, reference, Holder::system(code).unwrap(), &roles).await
}

/// Grants a party what it needs and issues a certificate that names it.
async fn certified(
    db: &Db,
    issuing: &Authority,
    reference: &Reference,
    holder: Holder,
    rights: &[String],
) -> Operator {
    let id = new_request_id();
    let by = By::cli(&id, now());
    registry::grant(db, by, &holder, rights, reference.eservices()).await.unwrap();
    let profile = Profile::Client {
        holder: holder.clone(),
        display_name: "Kill".into(),
        environment: Environment::NonProduction,
        names: rights.into(),
        label: format!("{}_kill", holder.code()),
    };
    let issued = issuing.issue(&profile, KeySource::Generate, Validity::days(now(), 397).unwrap()).unwrap();
    registry::register_certificate(db, by, issued.registration.as_ref().unwrap(), reference.eservices())
        .await
        .unwrap();
    Operator { party_id: holder.party_id(), chain_pem: issued.chain_pem, key_pem: issued.key_pem.unwrap() }
}

/// Zone, first slots and the course of business time, written by hand: publishing is not what this test is about.
async fn furnish(db: &Db) {
    set_clock(db, START.parse().unwrap(), SPEED).await;
    run(db, "INSERT INTO appointments_zones (code, label, updated_at) VALUES ('ZMLV', 'Marne', 0)").await;
    run(db, "INSERT INTO appointments_communes (commune_code, zone_code) VALUES ('77058', 'ZMLV')").await;
    publish(db, 0).await;
}

/// The slots of a season.
async fn publish(db: &Db, season: usize) {
    for slot in slots(season) {
        let (day, morning) =
            (format!("{}-{}-{}", &slot[5..9], &slot[9..11], &slot[11..13]), slot.ends_with("0800"));
        let (from, to) = if morning { ("08:00", "12:00") } else { ("13:00", "17:00") };
        run(
            db,
            &format!(
                "INSERT INTO appointments_slots (slot_id, zone_code, day, local_start, local_end, capacity, booked) \
                 VALUES ('{slot}', 'ZMLV', '{day}', '{from}', '{to}', 4, 0)"
            ),
        )
        .await;
    }
}

async fn set_clock(db: &Db, base: Timestamp, speed: f64) {
    let (base, anchor) = (base.as_microsecond(), now().as_microsecond());
    run(
        db,
        &format!("UPDATE business_clock SET base = {base}, anchor = {anchor}, speed = {speed} WHERE id = 1"),
    )
    .await;
}

async fn run(db: &Db, statement: &str) {
    let text = sqlx::AssertSqlSafe(statement.to_owned());
    match db {
        Db::Sqlite { writer, .. } => drop(sqlx::query(text).execute(writer).await.unwrap()),
        Db::Postgres(pool) => drop(sqlx::query(text).execute(pool).await.unwrap()),
    }
}
