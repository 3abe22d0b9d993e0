use std::{ffi::OsString, path::PathBuf};

use super::*;

const SECRET: &str = "tokens.current=0123456789abcdef0123456789abcdef";

struct Case {
    folder: tempfile::TempDir,
    file: Option<PathBuf>,
    variables: Vec<(OsString, OsString)>,
    flags: Vec<String>,
}

fn case() -> Case {
    Case {
        folder: tempfile::tempdir().unwrap(),
        file: None,
        variables: Vec::new(),
        flags: vec![SECRET.to_owned()],
    }
}

impl Case {
    fn file(mut self, text: &str) -> Self {
        let path = self.folder.path().join("eservices.toml");
        std::fs::write(&path, text).unwrap();
        self.file = Some(path);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    fn load(self) -> Result<Config, Invalid> {
        Config::load_with(self.file.as_deref(), self.variables, &self.flags)
    }

    /// The faults, with the folder cut off the file's name.
    fn faults(self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let faults = self.load().unwrap_err();
        faults.faults().iter().map(|f| f.replace(&folder, "")).collect()
    }
}

#[test]
fn defaults_and_a_secret_are_enough() {
    let config = case().load().unwrap();
    assert_eq!(config.environment, Environment::NonProduction);
    assert_eq!(config.certificates.longest_days, 397);
}

#[test]
fn flag_goes_before_variable_before_file() {
    let text = "[limits]\nmax_connections = 1\nmax_request_bytes = 1\nmax_answer_bytes = 1\n";
    let config = case()
        .file(text)
        .variable("ESERVICES_LIMITS__MAX_REQUEST_BYTES", "2")
        .variable("ESERVICES_LIMITS__MAX_ANSWER_BYTES", "2")
        .flag("limits.max_answer_bytes=3")
        .load()
        .unwrap();
    let limits = config.limits;
    assert_eq!((limits.max_connections, limits.max_request_bytes, limits.max_answer_bytes), (1, 2, 3));
}

#[test]
fn environment_and_quota_by_variable() {
    let config = case()
        .variable("ESERVICES_ENVIRONMENT", "production")
        .variable("ESERVICES_QUOTA__GOLD__CALLS_PER_SECOND", "9")
        .variable("ESERVICES_QUOTA__GOLD__BURST", "8")
        .variable("ESERVICES_QUOTA__GOLD__CONCURRENT_CALLS", "7")
        .load()
        .unwrap();
    assert_eq!(config.environment, Environment::Production);
    assert_eq!(config.quota["gold"], Quota { calls_per_second: 9, burst: 8, concurrent_calls: 7 });
}

#[test]
fn other_variables_are_no_configuration() {
    case().variable("ESERVICES_TEST_DATABASE", "postgres://").variable("PATH", "/bin").load().unwrap();
}

#[test]
fn text_of_digits_stays_text() {
    let secret = "12345678901234567890123456789012";
    let config = case().variable("ESERVICES_TOKENS__PREVIOUS", secret).flag("tls.key=7").load().unwrap();
    assert_eq!(config.tokens.previous, secret);
    assert_eq!(config.tls.key, PathBuf::from("7"));
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let faults = case().file("[listen]\ngrpc = \"0.0.0.0:443\"\n\nhttp = 80\n").faults();
    assert_eq!(faults, ["eservices.toml line 4: listen.http: no such key, expected one of grpc, local"]);
}

#[test]
fn an_unknown_key_of_a_variable_names_the_variable() {
    let faults = case().variable("ESERVICES_DATABASE__ULR", "sqlite:a.db").faults();
    let expected = "variable ESERVICES_DATABASE__ULR: database.ulr: no such key, expected one of url, connections, \
                    acquire_timeout_seconds";
    assert_eq!(faults, [expected]);
}

#[test]
fn a_wrong_type_is_named_with_what_was_expected() {
    let faults = case().file("[database]\nconnections = \"many\"\n").faults();
    let expected = "eservices.toml line 2: database.connections: expected a whole number from 0 to 4294967295, \
                    found \"many\", for instance 8";
    assert_eq!(faults, [expected]);
}

#[test]
fn a_wrong_flag_is_named() {
    let faults = case().flag("limits.max_connections=-1").faults();
    let expected = "--set limits.max_connections: limits.max_connections: expected a whole number from 0 on, found -1, \
                    for instance 10000";
    assert_eq!(faults, [expected]);
}

#[test]
fn a_flag_without_value_is_refused() {
    let expected = "--set listen.grpc: expected key=value, for instance listen.grpc=0.0.0.0:443";
    assert_eq!(case().flag("listen.grpc").faults(), [expected]);
}

#[test]
fn an_address_without_port_is_refused() {
    let expected = "variable ESERVICES_LISTEN__GRPC: listen.grpc: expected an address with a port, for instance 127.0.0.1:50051";
    assert_eq!(case().variable("ESERVICES_LISTEN__GRPC", "localhost").faults(), [expected]);
}

#[test]
fn a_bad_word_is_named_with_those_that_exist() {
    let faults = case().file("environment = \"test\"\n").faults();
    let expected = "eservices.toml line 1: environment: expected production or non-production, found \"test\", \
                    for instance non-production";
    assert_eq!(faults, [expected]);
}

#[test]
fn a_section_that_is_no_table_is_refused() {
    let faults = case().file("listen = 5\n").faults();
    assert_eq!(faults, ["eservices.toml line 1: listen: expected a table of keys, found 5"]);
}

#[test]
fn a_tier_lacks_a_key() {
    let faults = case().file("[quota.gold]\nburst = 1\ncalls_per_second = 1\n").faults();
    assert_eq!(faults, ["eservices.toml line 3: quota.gold.concurrent_calls: expected a value, found none"]);
}

#[test]
fn short_secrets_are_refused_and_not_shown() {
    let short = case().flag("tokens.current=hush").flag("tokens.previous=hush too").faults();
    let expected = [
        "--set tokens.current: tokens.current: expected a secret of 32 characters or more",
        "--set tokens.previous: tokens.previous: expected nothing, or a secret of 32 characters or more",
    ];
    assert_eq!(short, expected);
    let number = case().file("[tokens]\nprevious = 123456\n").faults();
    assert_eq!(
        number,
        ["eservices.toml line 2: tokens.previous: expected text, found another kind of value"]
    );
}

#[test]
fn a_secret_that_nobody_set_is_asked_for() {
    let none = Config::load_with(None, [], &[]).unwrap_err();
    assert_eq!(none.to_string(), "default: tokens.current: expected a secret of 32 characters or more");
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = case()
        .file("environment = \"test\"\ncolour = 1\n[database]\nconnections = 0\n[limits]\nmax_connections = true\n")
        .variable("ESERVICES_LISTEN__GRPC", "here")
        .flag("certificates.longest_days=2000")
        .flag("fulfilment.lease_seconds=9")
        .faults();
    let keys: Vec<&str> = faults.iter().map(|f| f.split(": ").nth(1).unwrap()).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    let expected = [
        "certificates.longest_days",
        "colour",
        "database.connections",
        "environment",
        "fulfilment.lease_seconds",
        "limits.max_connections",
        "listen.grpc",
    ];
    assert_eq!(sorted, expected, "{faults:#?}");
}

#[test]
fn a_watch_needs_its_figures() {
    let zero = |key: &str| format!("events.{key}=0");
    let keys = ["heartbeat_seconds", "poll_millis", "retention_days", "watches_per_certificate"];
    let faults = keys.iter().fold(case(), |case, key| case.flag(&zero(key))).faults();
    let mut found: Vec<&str> =
        faults.iter().map(|f| f.split(": ").find(|p| p.starts_with("events.")).unwrap()).collect();
    found.sort_unstable();
    assert_eq!(found, keys.map(|key| format!("events.{key}")), "{faults:#?}");
}

#[test]
fn broken_toml_names_its_line() {
    let faults = case().file("[listen]\ngrpc = \n").faults();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("eservices.toml line 2: "), "{faults:?}");
}

#[test]
fn a_file_that_is_missing_is_named() {
    let missing = PathBuf::from("/nonexistent/eservices.toml");
    let fault = Config::load_with(Some(&missing), [], &[SECRET.to_owned()]).unwrap_err();
    let expected = "/nonexistent/eservices.toml: cannot read the configuration file: No such file or directory (os error 2)";
    assert_eq!(fault.to_string(), expected);
}

#[test]
fn what_is_shown_holds_no_secret_and_can_not_be_used() {
    let url = "database.url=postgres://es:hush@db.example:5432/es?sslmode=require&password=hush";
    let shown = case().flag(url).load().unwrap().masked();
    assert_eq!(
        shown.database.url,
        "postgres://es:********@db.example:5432/es?sslmode=require&password=********"
    );
    let text = toml::to_string_pretty(&shown).unwrap();
    assert!(!text.contains("hush") && !text.contains("0123456789abcdef"), "{text}");
    assert!(!format!("{shown:?}").contains("hush"));
    let again = case().file(&text).load();
    assert!(again.is_ok(), "the flag still gives the secret");
    let alone = Config::load_with(Some(&case().file(&text).file.unwrap()), [], &[]);
    assert!(alone.is_err());
}

#[test]
fn addresses_of_files_stay_as_they_are() {
    assert_eq!(masked_url("sqlite:/var/lib/eservices.db"), "sqlite:/var/lib/eservices.db");
    assert_eq!(masked_url("postgres://es@db/es"), "postgres://es@db/es");
}
