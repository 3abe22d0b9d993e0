//! Configuration: one TOML file, every key overridable by environment (`ESERVICES_DATABASE__URL`) and by flag
//! (`--set database.url=…`). Errors name the source, the key and what was expected.
//!
//! Knows the keys and their defaults, not what they are used for.

mod events;
mod load;
mod orders;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use events::Events;
pub use load::Invalid;
pub use orders::{Fulfilment, Orders, Pool};

/// Everything that can be set.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `production` or `non-production`.
    pub environment: Environment,
    /// Where to listen.
    pub listen: Listen,
    /// Server certificate and trust in clients.
    pub tls: Tls,
    /// The database.
    pub database: Database,
    /// Reference data.
    pub reference: Reference,
    /// Limits of one connection and one call.
    pub limits: Limits,
    /// Quota tiers by name; `standard` must exist.
    pub quota: BTreeMap<String, Quota>,
    /// Intervals and patience, machine time.
    pub timings: Timings,
    /// The Watch.
    pub events: Events,
    /// Log output.
    pub log: Log,
    /// Eligibility.
    pub eligibility: Eligibility,
    /// Orders.
    pub orders: Orders,
    /// Work of the field.
    pub fulfilment: Fulfilment,
    /// Keys that sign tokens.
    pub tokens: Tokens,
    /// What is issued on the command line.
    pub certificates: Certificates,
}

/// The environment that this server serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// Production.
    Production,
    /// Non-production (hors-production).
    NonProduction,
}

impl Environment {
    /// As in the registry and the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::NonProduction => "non-production",
        }
    }
}

/// Where to listen.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// gRPC with mutual TLS.
    pub grpc: SocketAddr,
    /// `/livez`, `/readyz`, `/metrics`: plain HTTP, for this machine or its pod only.
    pub local: SocketAddr,
}

/// Server certificate and trust in clients; PEM files, read again when they change.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Certificate chain of the server.
    pub certificate: PathBuf,
    /// Private key of the server.
    pub key: PathBuf,
    /// Roots that client certificates must chain to.
    pub client_ca: PathBuf,
}

/// The database.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:<path>` or `postgres://…`.
    pub url: String,
    /// Connections of the pool (SQLite: that read).
    pub connections: u32,
    /// How long a call waits for a connection.
    pub acquire_timeout_seconds: u64,
}

/// Reference data.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Folder of the releases, which imports make.
    pub folder: PathBuf,
    /// Folder of files that calls may import; empty: calls import nothing.
    pub inbox: PathBuf,
    /// Memory that the sorts of an import that a call started may take, MB.
    pub import_megabytes: u32,
    /// An import that shows no sign of life for so long is taken for dead by the other nodes, seconds.
    pub import_silent_seconds: u64,
}

/// Limits of one connection and one call.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest request message, bytes.
    pub max_request_bytes: usize,
    /// Largest answer message, bytes.
    pub max_answer_bytes: usize,
    /// Longest deadline of a unary call, seconds.
    pub max_deadline_seconds: u64,
    /// Connections open at once.
    pub max_connections: usize,
    /// Connections open at once with one certificate.
    pub connections_per_certificate: usize,
    /// A TLS handshake that takes longer is ended, seconds.
    pub handshake_timeout_seconds: u64,
    /// Streams at once on one connection.
    pub streams_per_connection: u32,
    /// A streamed request that brings nothing for longer is given up, seconds; where one message is all that it brings, so
    /// long for all of it.
    pub stalled_request_seconds: u32,
    /// A streamed answer of which the peer takes nothing for longer is given up, seconds; after as long again its connection
    /// ends. An answer that has nothing to say for now is not meant.
    pub stalled_answer_seconds: u32,
    /// Connections of one certificate that are ended for abuse (floods of resets, of broken or empty frames) before it is
    /// not served for a while.
    pub abuses_per_certificate: u32,
    /// Certificates that are held off so at one address before the address is; 0: never, for instance behind a load
    /// balancer that gives all peers its own.
    pub abusers_per_address: u32,
    /// How long after the last abuse nothing is served, seconds; 0: no cool-down.
    pub cool_down_seconds: u32,
}

/// One quota tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Calls a second, sustained.
    pub calls_per_second: u32,
    /// Calls at once above that rate.
    pub burst: u32,
    /// Calls under way at once.
    pub concurrent_calls: u32,
}

/// Intervals and patience, machine time.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timings {
    /// How often the registry is looked at, milliseconds.
    pub registry_poll_millis: u64,
    /// Age of the registry from which writes are refused, seconds.
    pub registry_stale_seconds: u64,
    /// Age of the registry from which everything is refused, seconds.
    pub registry_dead_seconds: u64,
    /// How often due holds are looked for, milliseconds.
    pub sweep_millis: u64,
    /// How often certificate files are looked at, milliseconds.
    pub tls_poll_millis: u64,
    /// How long calls under way may finish after SIGTERM, seconds; what they leave behind in the database gets as long again.
    pub drain_seconds: u64,
    /// How long replies are kept for replay, days.
    pub replay_days: u32,
}

/// Log output.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `text` for people, `json` for machines.
    pub format: LogFormat,
    /// Filter, for instance `info` or `info,eservices_server=debug`.
    pub filter: String,
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Eligibility.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eligibility {
    /// How long an order may quote an answer, days from the day that it is for.
    pub qualification_days: u16,
}

/// Keys that sign tokens: text of 32 characters or more.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    /// Signs and verifies.
    pub current: String,
    /// Verifies only; empty if there is none.
    pub previous: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens { .. }")
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database {{ url: {:?}, connections: {}, .. }}", masked_url(&self.url), self.connections)
    }
}

/// What is issued on the command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificates {
    /// The longest validity of a certificate, days.
    pub longest_days: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            environment: Environment::NonProduction,
            listen: Listen {
                grpc: SocketAddr::from(([127, 0, 0, 1], 50051)),
                local: SocketAddr::from(([127, 0, 0, 1], 9464)),
            },
            tls: Tls {
                certificate: "server.pem".into(),
                key: "server.key".into(),
                client_ca: "root.pem".into(),
            },
            database: Database {
                url: "sqlite:eservices.db".into(),
                connections: 8,
                acquire_timeout_seconds: 5,
            },
            reference: Reference {
                folder: "reference".into(),
                inbox: PathBuf::new(),
                import_megabytes: 512,
                import_silent_seconds: 30,
            },
            limits: Limits {
                max_request_bytes: 1 << 20,
                max_answer_bytes: 4 << 20,
                max_deadline_seconds: 30,
                max_connections: 10_000,
                connections_per_certificate: 200,
                handshake_timeout_seconds: 5,
                streams_per_connection: 100,
                stalled_request_seconds: 30,
                stalled_answer_seconds: 30,
                abuses_per_certificate: 3,
                abusers_per_address: 4,
                cool_down_seconds: 60,
            },
            quota: BTreeMap::from([(
                "standard".to_owned(),
                Quota { calls_per_second: 500, burst: 1_000, concurrent_calls: 200 },
            )]),
            timings: Timings {
                registry_poll_millis: 1_000,
                registry_stale_seconds: 30,
                registry_dead_seconds: 600,
                sweep_millis: 1_000,
                tls_poll_millis: 1_000,
                drain_seconds: 10,
                replay_days: 30,
            },
            events: Events::default(),
            log: Log { format: LogFormat::Text, filter: "info".into() },
            eligibility: Eligibility { qualification_days: 30 },
            orders: Orders::default(),
            fulfilment: Fulfilment { lease_seconds: 300 },
            tokens: Tokens { current: String::new(), previous: String::new() },
            certificates: Certificates { longest_days: 397 },
        }
    }
}

impl Config {
    /// Reads the file (if one is named), then the environment, then `key=value` flags; checks the whole.
    ///
    /// Variables are `ESERVICES_` and the key in capitals, with two underscores for the dot: `ESERVICES_LISTEN__GRPC`.
    pub fn load(file: Option<&std::path::Path>, flags: &[String]) -> Result<Self, Invalid> {
        Self::load_with(file, std::env::vars_os(), flags)
    }

    /// What no single key shows: key and what was expected.
    fn faults(&self) -> Vec<(String, &'static str)> {
        let mut faults = Vec::new();
        let mut need = |holds: bool, key: &str, expected: &'static str| {
            if !holds {
                faults.push((key.to_owned(), expected));
            }
        };
        need(self.quota.contains_key("standard"), "quota.standard", "expected a tier of this name");
        for (name, tier) in &self.quota {
            let positive = tier.calls_per_second > 0 && tier.burst > 0 && tier.concurrent_calls > 0;
            need(positive, &format!("quota.{name}"), "expected numbers above 0");
        }
        let Tokens { current, previous } = &self.tokens;
        need(current.len() >= 32, "tokens.current", "expected a secret of 32 characters or more");
        let usable = previous.is_empty() || previous.len() >= 32;
        need(usable, "tokens.previous", "expected nothing, or a secret of 32 characters or more");
        for (key, expected) in self.orders.faults() {
            need(false, key, expected);
        }
        need(self.database.connections > 0, "database.connections", "expected a number above 0");
        let Limits { abuses_per_certificate, stalled_request_seconds, stalled_answer_seconds, .. } =
            self.limits;
        need(abuses_per_certificate > 0, "limits.abuses_per_certificate", "expected a number above 0");
        need(stalled_request_seconds > 0, "limits.stalled_request_seconds", "expected a number above 0");
        need(stalled_answer_seconds > 0, "limits.stalled_answer_seconds", "expected a number above 0");
        let Reference { import_megabytes, import_silent_seconds, .. } = self.reference;
        need(import_megabytes >= 16, "reference.import_megabytes", "expected 16 or more");
        let beats = import_silent_seconds.saturating_mul(1_000) / self.timings.registry_poll_millis.max(1);
        let expected = "expected ten times timings.registry_poll_millis or more";
        need(beats >= 10, "reference.import_silent_seconds", expected);
        for (key, expected) in self.events.faults() {
            need(false, key, expected);
        }
        let days = self.certificates.longest_days;
        need((1..=1_096).contains(&days), "certificates.longest_days", "expected 1 to 1096 days");
        let lease = (10..=86_400).contains(&self.fulfilment.lease_seconds);
        need(lease, "fulfilment.lease_seconds", "expected 10 to 86400 seconds");
        faults
    }

    /// The same with every secret hidden, to be shown. It can not be used: the mask is too short to be a secret.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mask = |secret: &str| if secret.is_empty() { String::new() } else { MASK.to_owned() };
        let mut shown = self.clone();
        shown.tokens = Tokens { current: mask(&self.tokens.current), previous: mask(&self.tokens.previous) };
        shown.database.url = masked_url(&self.database.url);
        shown
    }
}

const MASK: &str = "********";

/// A database URL without its password.
fn masked_url(url: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(a, q)| (a, Some(q)));
    let mut shown = address.to_owned();
    if let Some((scheme, rest)) = address.split_once("://")
        && let Some((credentials, host)) = rest.rsplit_once('@')
        && let Some((user, _)) = credentials.split_once(':')
    {
        shown = format!("{scheme}://{user}:{MASK}@{host}");
    }
    for (at, pair) in query.iter().flat_map(|q| q.split('&')).enumerate() {
        shown.push(if at == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((key, _)) if key.to_ascii_lowercase().contains("password") => {
                shown += &format!("{key}={MASK}")
            }
            _ => shown += pair,
        }
    }
    shown
}
