mod certificate;
mod generate;
mod import;

use std::{fs, path::Path};

use clap::CommandFactory as _;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::platform::{audit, pki::Authority};

/// A folder with a configuration, an authority and, once migrated, a database.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let desk = Self { folder };
        let config = format!(
            "[database]\nurl = \"sqlite:{}\"\n[reference]\nfolder = \"{}\"\n[tokens]\ncurrent = \"{}\"\n",
            desk.path("es.db"),
            desk.path("reference"),
            "s".repeat(32)
        );
        fs::write(desk.path("eservices.toml"), config).unwrap();
        let now: Timestamp = Clock::new(Machine::System, false).machine();
        let root = Authority::new_root("root", now, now + SignedDuration::from_hours(24 * 3_000)).unwrap();
        let issuing =
            root.issue_authority("issuing", now, now + SignedDuration::from_hours(24 * 2_000)).unwrap();
        fs::write(desk.path("ca.pem"), issuing.certificate_pem()).unwrap();
        fs::write(desk.path("ca.key"), issuing.key_pem()).unwrap();
        desk
    }

    async fn new() -> Self {
        let desk = Self::bare();
        desk.says("migrate").await;
        desk
    }

    async fn with_alpha() -> Self {
        let desk = Self::new().await;
        desk.says("operator create --siren 900000019 --name Alpha --quadrigram ALPH").await;
        desk
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Runs a line whose words have no spaces; `@name` is a file of the folder.
    async fn run(&self, line: &str) -> Result<Answer, Failure> {
        let config = self.path("eservices.toml");
        let words = line.split_whitespace().map(|word| match word.strip_prefix('@') {
            Some(name) => self.path(name),
            None => word.to_owned(),
        });
        let start = ["eservices-server".to_owned(), "--config".to_owned(), config];
        let args = start.into_iter().chain(words).map(OsString::from);
        let cli = Cli::read(args).map_err(|e| Failure::usage(&e))?;
        answer(cli).await
    }

    /// What a line answers, with the folder cut off file names.
    async fn says(&self, line: &str) -> String {
        let answer = self.run(line).await.unwrap();
        let notes: String = answer.notes.iter().map(|n| format!("note: {n}\n")).collect();
        self.cut(String::from_utf8(answer.body).unwrap() + &notes)
    }

    async fn refuses(&self, line: &str) -> String {
        self.cut(self.run(line).await.unwrap_err().to_string())
    }

    async fn json(&self, line: &str) -> Value {
        serde_json::from_slice(&self.run(&format!("{line} --json")).await.unwrap().body).unwrap()
    }

    fn cut(&self, text: String) -> String {
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

#[test]
fn the_arguments_fit_together() {
    Cli::command().debug_assert();
}

#[tokio::test]
async fn operators_and_systems() {
    let desk = Desk::new().await;
    let create = "operator create --siren 900000019 --name Alpha --quadrigram ALPH --brand-phone 0199000001";
    assert_eq!(desk.says(create).await, "operator 900000019 (Alpha): created\n");
    assert_eq!(
        desk.says(create).await,
        "operator 900000019 (Alpha): exists already, just so: nothing changed\n"
    );
    assert_eq!(
        desk.refuses("operator create --siren 900000019 --name Alpha --quadrigram BETA").await,
        "operator 900000019 exists already with another quadrigram, brand phone"
    );
    desk.says("operator create-system --code workforce --name Planification").await;
    assert_eq!(
        desk.says("operator subscribe --operator 900000019 e-RDV tao").await,
        "operator 900000019: granted e-rdv-entreprise, e-rdv-grand-public, tao\n\
         it has now: e-rdv-entreprise, e-rdv-grand-public, tao\n"
    );
    assert_eq!(
        desk.says("operator withdraw --operator 900000019 e-rdv-entreprise tao").await,
        "operator 900000019: withdrawn e-rdv-entreprise, tao\nit has now: e-rdv-grand-public\n"
    );
    assert_eq!(
        desk.says("operator subscribe --operator workforce workforce").await,
        "system workforce: granted workforce\nit has now: workforce\n"
    );
    assert_eq!(
        desk.says("operator suspend --operator 900000019").await,
        "operator 900000019 is now suspended\n"
    );
    assert_eq!(
        desk.says("operator suspend --operator 900000019").await,
        "operator 900000019 was already suspended\n"
    );
    assert_eq!(
        desk.says("operator list").await,
        "KIND      CODE       NAME           QUADRIGRAM  STATUS     TIER      E-SERVICES OR ROLES\n\
         operator  900000019  Alpha          ALPH        suspended  standard  e-rdv-grand-public\n\
         system    workforce  Planification              active     standard  workforce\n"
    );
    let listed = desk.json("operator list").await;
    assert_eq!(listed[0]["brand"], json!({"name": "Alpha", "phone": "0199000001", "sender": ""}));
    assert_eq!(listed[1]["grants"], json!(["workforce"]));
    assert_eq!(
        desk.json("operator activate --operator 900000019").await,
        json!({"party_id": "o-900000019", "status": "active", "changed": true})
    );
}

#[tokio::test]
async fn a_change_is_in_the_audit_chain() {
    let desk = Desk::with_alpha().await;
    let config = Config::load(Some(Path::new(&desk.path("eservices.toml"))), &[]).unwrap();
    let db = Db::open(&config.database).await.unwrap();
    let mut reader = db.read().await.unwrap();
    assert_eq!(audit::verify(&mut reader.conn(), "o-900000019").await.unwrap(), Ok(1));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_in_one_line() {
    let desk = Desk::with_alpha().await;
    let cases = [
        (
            "operator create --siren 900000018 --name Beta --quadrigram BETA",
            "siren: not a valid SIREN: expected 9 digits whose Luhn sum is right, for instance 397480930, found \"900000018\"",
        ),
        (
            "operator create --siren 900000027 --name Beta --quadrigram BETA --quota-tier gold",
            "no such quota tier \"gold\", expected one of standard",
        ),
        ("operator subscribe --operator 900000027 tao", "no such operator 900000027"),
        ("operator suspend --operator logistics", "no such system logistics"),
        ("certificate revoke --serial 5f0a", "no such certificate 5f0a"),
        ("certificate list --operator logistics", "no such system logistics"),
        (
            "operator create --name Beta",
            "the following required arguments were not provided: --siren <SIREN> --quadrigram <QUADRIGRAM> (more: --help)",
        ),
        (
            "operator lst",
            "unrecognized subcommand 'lst'; tip: a similar subcommand exists: 'list' (more: --help)",
        ),
        (
            "operator list --set colour=1",
            "--set colour: colour: no such key, expected one of environment, listen, tls, \
          database, reference, limits, quota, timings, log, eligibility, orders, tokens, certificates, \
          fulfilment",
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(desk.refuses(line).await, expected, "{line}");
    }
}

#[tokio::test]
async fn a_database_is_made_by_migrate_alone() {
    let desk = Desk::bare();
    assert_eq!(
        desk.refuses("operator list").await,
        "es.db: no such database: make it with eservices-server migrate"
    );
    assert!(!Path::new(&desk.path("es.db")).exists());
    fs::write(desk.path("es.db"), "").unwrap();
    assert_eq!(
        desk.refuses("operator list").await,
        "the database has no schema yet: make it with eservices-server migrate"
    );
    assert_eq!(desk.says("migrate").await, "the schema is up to date (sqlite)\n");
    assert_eq!(desk.says("migrate").await, "the schema is up to date (sqlite)\n");
    assert_eq!(desk.json("certificate list").await, json!([]));
}

#[tokio::test]
async fn the_configuration_is_shown_without_secrets() {
    let desk = Desk::bare();
    let shown = desk.says("check-config --set database.connections=3").await;
    assert!(shown.starts_with("environment = \"non-production\"\n"), "{shown}");
    assert!(shown.contains("\nconnections = 3\n") && shown.contains("\ncurrent = \"********\"\n"), "{shown}");
    assert_eq!(desk.json("check-config").await["tokens"]["current"], "********");
    let faults = desk
        .run("check-config --set database.connections=0 --set limits.max_connections=x")
        .await
        .unwrap_err();
    assert_eq!(
        faults.to_string(),
        "--set limits.max_connections: limits.max_connections: expected a whole number from 0 on, found \"x\", \
         for instance 10000\n\
         --set database.connections: database.connections: expected a number above 0"
    );
}

#[tokio::test]
async fn flags_count_before_and_after_the_command() {
    let desk = Desk::bare();
    let shown = desk.says("--set=database.connections=3 check-config --set limits.max_connections=4").await;
    assert!(shown.contains("\nmax_connections = 4\n"), "{shown}");
    assert!(shown.contains("\nconnections = 3\n"), "{shown}");
}

#[test]
fn settings_stay_in_order_and_before_the_end_of_options() {
    let args =
        ["es", "--set", "a=1", "operator", "--set=a=2", "list", "--", "--set", "b"].map(OsString::from);
    assert_eq!(
        settings_last(args),
        ["es", "operator", "list", "--set", "a=1", "--set=a=2", "--", "--set", "b"]
    );
}

#[tokio::test]
async fn descriptors_are_the_contract() {
    let desk = Desk::bare();
    let said = desk.json("export-descriptors --out @es.binpb").await;
    assert_eq!(fs::read(desk.path("es.binpb")).unwrap(), ::eservices::DESCRIPTORS);
    assert_eq!(said["methods"], ::eservices::METHODS.len());
    let piped = desk.run("export-descriptors --out -").await.unwrap();
    assert_eq!(piped.body, ::eservices::DESCRIPTORS);
    let failure = desk.refuses("export-descriptors --out @no/es.binpb").await;
    assert_eq!(failure, "no/es.binpb: No such file or directory (os error 2)");
}
