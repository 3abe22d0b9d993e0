//! SIGTERM under load, with the real binary: it ends with exit code 0, every call is answered with OK or UNAVAILABLE, and
//! what was acknowledged is in the table. The same in process, call by call: `tests/drain.rs`.

#![expect(clippy::unwrap_used, reason = "a test ends where it is surprised")]

use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use eservices::{
    appointments::v1::{HoldAppointmentRequest, Intervention, Place, Street, place::Designation},
    common::v1::AppointmentType,
    identity::v1::WhoAmIRequest,
};
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
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// Whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long calls under way get.
const DRAIN: Duration = Duration::from_secs(10);

/// SIRENs that pass Luhn and belong to nobody; each takes places of a slot of its own.
const OPERATORS: [(&str, &str); 4] = [
    ("900000001", "ZMLV-20261207-0800"),
    ("900000019", "ZMLV-20261207-1300"),
    ("900000027", "ZMLV-20261208-0800"),
    ("900000035", "ZMLV-20261208-1300"),
];

#[expect(clippy::disallowed_methods, reason = "certificates and the clock's anchor are real")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn demo_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("demo-data")
}

fn demo_files() -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(demo_data()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|file| file.extension().is_some_and(|end| end == "csv")).collect()
}

/// The process, and what it logs, line by line until it ends.
struct Server {
    child: Child,
    log: mpsc::UnboundedReceiver<String>,
}

impl Server {
    fn terminate(&self) {
        let told = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status();
        assert!(told.unwrap().success());
    }

    /// Waits for its end; answers the exit code and the rest of its log.
    async fn end(&mut self) -> (Option<i32>, Vec<String>) {
        let mut lines = Vec::new();
        while let Some(line) = self.log.recv().await {
            lines.push(line);
        }
        (self.child.wait().unwrap().code(), lines)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Root, server certificate, configuration and database in one folder.
struct World {
    dir: tempfile::TempDir,
    root: Authority,
    issuing: Authority,
    database: Database,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) =
            (now() - SignedDuration::from_mins(5), now() + SignedDuration::from_hours(24 * 3_000));
        let root = Authority::new_root("Drain Root", from, to).unwrap();
        let issuing = root.issue_authority("Drain CA", from, to).unwrap();
        let profile = Profile::Server { dns: vec!["localhost".into()], ips: Vec::new() };
        let server =
            issuing.issue(&profile, KeySource::Generate, Validity::days(now(), 397).unwrap()).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write("server.pem", &server.chain_pem);
        write("server.key", server.key_pem.as_deref().unwrap());
        write("root.pem", root.certificate_pem());
        let path = dir.path().display();
        let url = format!("sqlite:{path}/drain.db");
        write(
            "server.toml",
            &format!(
                "[listen]\ngrpc = \"127.0.0.1:0\"\nlocal = \"127.0.0.1:0\"\n\
                 [tls]\ncertificate = \"{path}/server.pem\"\nkey = \"{path}/server.key\"\n\
                 client_ca = \"{path}/root.pem\"\n\
                 [database]\nurl = \"{url}\"\n\
                 [reference]\nfolder = \"{path}/reference\"\n\
                 [log]\nformat = \"json\"\n\
                 [quota.standard]\ncalls_per_second = 100000\nburst = 100000\nconcurrent_calls = 1000\n\
                 [tokens]\ncurrent = \"a secret of the tests, long enough for a key\"\n",
            ),
        );
        let database = Database { url, ..Config::default().database };
        Self { dir, root, issuing, database }
    }

    /// Business time, a zone and a slot an operator, written by hand: publishing is not what this test is about.
    async fn furnish(&self, db: &Db) {
        let Db::Sqlite { writer, .. } = db else { panic!("the configuration names a file") };
        let start: Timestamp = "2026-11-24T09:00:00Z".parse().unwrap();
        let (base, anchor) = (start.as_microsecond(), now().as_microsecond());
        let mut statements = vec![
            format!("UPDATE business_clock SET base = {base}, anchor = {anchor}, speed = 1 WHERE id = 1"),
            "INSERT INTO appointments_zones (code, label, updated_at) VALUES ('ZMLV', 'Marne', 0)".to_owned(),
            "INSERT INTO appointments_communes (commune_code, zone_code) VALUES ('77058', 'ZMLV')".to_owned(),
        ];
        for (_, slot) in OPERATORS {
            let day = format!("{}-{}-{}", &slot[5..9], &slot[9..11], &slot[11..13]);
            let (from, to) = if slot.ends_with("0800") { ("08:00", "12:00") } else { ("13:00", "17:00") };
            statements.push(format!(
                "INSERT INTO appointments_slots (slot_id, zone_code, day, local_start, local_end, capacity, booked) \
                 VALUES ('{slot}', 'ZMLV', '{day}', '{from}', '{to}', 1000, 0)"
            ));
        }
        for statement in statements {
            sqlx::query(sqlx::AssertSqlSafe(statement)).execute(writer).await.unwrap();
        }
    }

    /// An operator, subscribed, with a registered certificate: chain and key.
    async fn operator(&self, db: &Db, reference: &Reference, siren: &str) -> (String, String) {
        let (id, right) = (new_request_id(), "e-rdv-grand-public".to_owned());
        let by = By::cli(&id, now());
        let new = NewOperator {
            siren: siren.into(),
            display_name: format!("Operator {siren}"),
            quadrigram: format!("D{}", &siren[6..]),
            brand: Brand::default(),
            quota_tier: "standard".into(),
        };
        registry::create_operator(db, by, &new).await.unwrap();
        let holder = Holder::operator(siren).unwrap();
        registry::grant(db, by, &holder, std::slice::from_ref(&right), reference.eservices()).await.unwrap();
        let profile = Profile::Client {
            holder,
            display_name: "Drain".into(),
            environment: Environment::NonProduction,
            names: vec![right],
            label: format!("{siren}_drain"),
        };
        let validity = Validity::days(now(), 397).unwrap();
        let issued = self.issuing.issue(&profile, KeySource::Generate, validity).unwrap();
        let registration = issued.registration.unwrap();
        registry::register_certificate(db, by, &registration, reference.eservices()).await.unwrap();
        (issued.chain_pem, issued.key_pem.unwrap())
    }

    /// Starts the binary; answers it with its port.
    async fn serve(&self) -> (Server, u16) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_eservices-server"))
            .args(["serve", "--config"])
            .arg(self.dir.path().join("server.toml"))
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (report, log) = mpsc::unbounded_channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| report.send(line)));
        let mut server = Server { child, log };
        let port = timeout(PATIENCE, async {
            loop {
                let line = server.log.recv().await.expect("the server ended at its start");
                let line: serde_json::Value = serde_json::from_str(&line).unwrap();
                if line["message"] == "serving" {
                    let address = line["grpc"].as_str().unwrap().to_owned();
                    return address.rsplit_once(':').unwrap().1.parse().unwrap();
                }
            }
        });
        let port = port.await.expect("the server starts in time");
        (server, port)
    }

    fn client(&self, port: u16, (chain, key): (String, String)) -> Client {
        Client::builder(format!("https://localhost:{port}"))
            .ca_pem(self.root.certificate_pem())
            .certificate_pem(chain)
            .key_pem(key)
            .retry(RetryPolicy::off())
            .connect_lazy()
            .unwrap()
    }
}

fn hold_request(slot_id: &str) -> HoldAppointmentRequest {
    let street =
        Street { commune_code: "77058".into(), street_code: "0361".into(), street_number: "6".into() };
    let intervention = Intervention {
        place: Some(Place { designation: Some(Designation::Street(street)) }),
        product_nature: "JUST_FIBRE".into(),
        operation: "CREATION".into(),
        appointment_type: AppointmentType::House.into(),
        ..Intervention::default()
    };
    HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(intervention),
        slot_id: slot_id.into(),
    }
}

/// What one client was told.
#[derive(Default)]
struct Told {
    answered: u32,
    refused: u32,
    references: Vec<String>,
}

/// Holds and reads in turn until the server is gone, and once more then.
async fn caller(
    client: Client,
    slot: &'static str,
    under_way: mpsc::Sender<()>,
    gone: CancellationToken,
) -> Told {
    let mut told = Told::default();
    for n in 0_u32.. {
        let last = gone.is_cancelled();
        let answer = if n % 2 == 0 {
            let held = client.appointments().hold_appointment(hold_request(slot)).await;
            held.map(|a| told.references.push(a.into_inner().appointment.unwrap().reference))
        } else {
            client.identity().who_am_i(WhoAmIRequest {}).await.map(drop)
        };
        match answer {
            Ok(()) => told.answered += 1,
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                told.refused += 1;
            }
        }
        if n == 20 {
            under_way.send(()).await.unwrap();
        }
        if last {
            break;
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_told_to_stop_answers_what_it_took() {
    let world = World::new().await;
    let db = Db::open(&world.database).await.unwrap();
    db.migrate().await.unwrap();
    world.furnish(&db).await;
    import::and_serve(&world.dir.path().join("reference"), demo_files(), &db, now()).await.unwrap();
    let reference = Reference::from_files(&demo_data()).unwrap();
    let mut operators = Vec::new();
    for (siren, slot) in OPERATORS {
        operators.push((world.operator(&db, &reference, siren).await, slot));
    }
    let (mut server, port) = world.serve().await;
    let (ready, mut under_way) = mpsc::channel(OPERATORS.len());
    let gone = CancellationToken::new();
    let mut callers = JoinSet::new();
    for (identity, slot) in operators {
        callers.spawn(caller(world.client(port, identity), slot, ready.clone(), gone.clone()));
    }
    for _ in OPERATORS {
        timeout(PATIENCE, under_way.recv()).await.expect("calls are answered").unwrap();
    }

    let start = Instant::now();
    server.terminate();
    let ended = timeout(DRAIN + Duration::from_secs(5), server.end()).await;
    let (code, log) = ended.expect("the server ends");
    let took = start.elapsed();
    gone.cancel();
    assert_eq!(code, Some(0), "{log:#?}");
    assert!(log.last().is_some_and(|l| l.contains("\"stopped\"")), "{log:#?}");

    let told = timeout(PATIENCE, callers.join_all()).await.unwrap();
    assert!(told.iter().all(|t| t.refused > 0));
    let (answered, refused) = told.iter().fold((0, 0), |sum, t| (sum.0 + t.answered, sum.1 + t.refused));
    println!("exit code 0 after {took:.2?}: {answered} calls answered, {refused} refused as UNAVAILABLE");
    assert!(took < DRAIN, "{took:?}");
    let acknowledged: BTreeSet<String> = told.into_iter().flat_map(|t| t.references).collect();
    let Db::Sqlite { readers, .. } = &db else { panic!("the configuration names a file") };
    let there: Vec<String> =
        sqlx::query_scalar("SELECT reference FROM appointments").fetch_all(readers).await.unwrap();
    assert_eq!(acknowledged, there.into_iter().collect(), "written and acknowledged are the same");
    db.close().await;
}
