//! Certificate → caller: the registry as last read decides, for every call anew.
//!
//! Only this file makes a [`Caller`]; a handler without one cannot exist. Knows the registry's rows, no method.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use super::{
    clock::instant,
    config::{Config, Environment},
    error::{Error, Reason},
    quota::{Desk, Desks, Permit},
    registry::{CertificateRow, PartyRow, Snapshot},
};

/// What the TLS handshake proved: the certificate of one connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// `<issuer hash>:<serial>`: the key of the registry.
    pub registry_key: String,
    /// SHA-256 of its public key, hex.
    pub key_hash: String,
    /// Serial, hex.
    pub serial: String,
    /// End of validity.
    pub not_after: Timestamp,
}

impl Peer {
    /// The key of a registry row.
    #[must_use]
    pub fn registry_key(issuer_hash: &str, serial: &str) -> String {
        format!("{issuer_hash}:{serial}")
    }
}

/// Who calls, as far as one call needs it. Cheap to clone.
#[derive(Clone)]
pub struct Caller(Arc<Entry>);

struct Entry {
    party: Arc<PartyRow>,
    certificate: CertificateRow,
    names: BTreeSet<String>,
    grants: Arc<BTreeSet<String>>,
    desk: Arc<Desk>,
}

/// The registry as last read.
pub struct Directory {
    version: i64,
    entries: HashMap<String, Arc<Entry>>,
}

/// One e-service and the links of the chain that gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right<'a> {
    /// Code.
    pub e_service: &'a str,
    /// The operator subscribes to it.
    pub subscribed: bool,
    /// The certificate names it.
    pub in_certificate: bool,
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Caller({})", self.party_id())
    }
}

impl Caller {
    /// The caller that the identity layer put into a request.
    pub fn of<T>(request: &tonic::Request<T>) -> Result<Self, Error> {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Error::internal("a handler was reached without a caller"))
    }

    /// Id of the party: the owner of what it writes.
    #[must_use]
    pub fn party_id(&self) -> &str {
        &self.0.party.party_id
    }

    /// The party's row.
    #[must_use]
    pub fn party(&self) -> &PartyRow {
        &self.0.party
    }

    /// The certificate's row.
    #[must_use]
    pub fn certificate(&self) -> &CertificateRow {
        &self.0.certificate
    }

    /// The certificate's key in the registry.
    #[must_use]
    pub fn registry_key(&self) -> String {
        Peer::registry_key(&self.0.certificate.issuer_hash, &self.0.certificate.serial)
    }

    /// Whether it is an operator.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.0.party.kind == "operator"
    }

    /// Whether it holds an e-service or a role: granted and named, both.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.0.grants.contains(name) && self.0.names.contains(name)
    }

    /// Refuses where an e-service is not held, naming the link that misses.
    pub fn require(&self, e_service: &str) -> Result<(), Error> {
        if !self.0.grants.contains(e_service) {
            return Err(Error::new(
                Reason::EServiceNotSubscribed,
                format!("the operator does not subscribe to {e_service}"),
            )
            .with("e_service", e_service));
        }
        if !self.0.names.contains(e_service) {
            return Err(Error::new(
                Reason::EServiceNotInCertificate,
                format!("the certificate does not name {e_service}"),
            )
            .with("e_service", e_service));
        }
        Ok(())
    }

    /// Every e-service or role that the party has or the certificate names, sorted.
    #[must_use]
    pub fn rights(&self) -> Vec<Right<'_>> {
        let all: BTreeSet<&str> = self.0.grants.iter().chain(&self.0.names).map(String::as_str).collect();
        let right = |name| Right {
            e_service: name,
            subscribed: self.0.grants.contains(name),
            in_certificate: self.0.names.contains(name),
        };
        all.into_iter().map(right).collect()
    }

    /// Its limits.
    #[must_use]
    pub fn desk(&self) -> &Desk {
        &self.0.desk
    }

    /// Takes one call.
    pub fn admit(&self) -> Result<Permit, Error> {
        self.0.desk.admit()
    }

    /// Waits for its turn to write.
    pub async fn write_turn(&self) -> OwnedMutexGuard<()> {
        self.0.desk.write_turn().await
    }
}

impl Directory {
    /// Nobody is registered.
    #[must_use]
    pub fn empty() -> Self {
        Self { version: 0, entries: HashMap::new() }
    }

    /// From the registry's rows.
    #[must_use]
    pub fn build(snapshot: Snapshot, config: &Config, desks: &Desks) -> Self {
        let mut grants: HashMap<String, BTreeSet<String>> = HashMap::new();
        for grant in snapshot.grants {
            grants.entry(grant.party_id).or_default().insert(grant.name);
        }
        let standard = config.quota.get("standard");
        let parties: HashMap<String, _> = snapshot
            .parties
            .into_iter()
            .filter_map(|party| {
                let quota = *config.quota.get(&party.quota_tier).or(standard)?;
                let granted = Arc::new(grants.remove(&party.party_id).unwrap_or_default());
                let desk = desks.of(&party.party_id, quota);
                Some((party.party_id.clone(), (Arc::new(party), granted, desk)))
            })
            .collect();
        let entries = snapshot.certificates.into_iter().filter_map(|certificate| {
            let (party, granted, desk) = parties.get(&certificate.party_id)?;
            let names = certificate.names.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect();
            let key = Peer::registry_key(&certificate.issuer_hash, &certificate.serial);
            let entry = Entry {
                party: Arc::clone(party),
                certificate,
                names,
                grants: Arc::clone(granted),
                desk: Arc::clone(desk),
            };
            Some((key, Arc::new(entry)))
        });
        Self { version: snapshot.version, entries: entries.collect() }
    }

    /// Version of the registry it was read at.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The same caller as the registry says now: for a call that lasts.
    pub fn again(
        &self,
        caller: &Caller,
        environment: Environment,
        machine_now: Timestamp,
    ) -> Result<Caller, Error> {
        let row = caller.certificate();
        let peer = Peer {
            registry_key: caller.registry_key(),
            key_hash: row.key_hash.clone(),
            serial: row.serial.clone(),
            not_after: instant(row.not_after),
        };
        self.resolve(&peer, environment, machine_now)
    }

    /// Who a certificate stands for now, or why it stands for nobody.
    pub fn resolve(
        &self,
        peer: &Peer,
        environment: Environment,
        machine_now: Timestamp,
    ) -> Result<Caller, Error> {
        let entry = self
            .entries
            .get(&peer.registry_key)
            .filter(|e| e.certificate.key_hash == peer.key_hash)
            .ok_or_else(|| {
                Error::new(Reason::CertificateUnregistered, "the certificate is not registered")
            })?;
        if entry.certificate.status != "active" {
            return Err(Error::new(Reason::CertificateRevoked, "the certificate was revoked")
                .with("serial", &peer.serial));
        }
        if entry.certificate.environment != environment.as_str() {
            return Err(Error::new(
                Reason::WrongEnvironment,
                "the certificate was issued for the other environment",
            )
            .with("certificate_environment", &entry.certificate.environment)
            .with("server_environment", environment.as_str()));
        }
        if peer.not_after < machine_now {
            return Err(expired(peer));
        }
        if entry.party.status != "active" {
            return Err(Error::new(Reason::CallerSuspended, "the caller is suspended"));
        }
        Ok(Caller(Arc::clone(entry)))
    }
}

/// The refusal of a certificate whose validity ended.
#[must_use]
pub fn expired(peer: &Peer) -> Error {
    Error::new(Reason::CertificateExpired, "the certificate expired").with("serial", &peer.serial)
}

/// The registry as last read, and when that was.
pub struct Standing {
    directory: ArcSwap<Directory>,
    read_at: std::sync::atomic::AtomicI64,
    looking: tokio::sync::Mutex<()>,
    desks: Desks,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            directory: ArcSwap::from_pointee(Directory::empty()),
            read_at: std::sync::atomic::AtomicI64::new(i64::MIN),
            looking: tokio::sync::Mutex::default(),
            desks: Desks::default(),
        }
    }
}

impl Standing {
    /// The directory to resolve with.
    pub fn directory(&self) -> arc_swap::Guard<Arc<Directory>> {
        self.directory.load()
    }

    /// Waits for the turn to look: of two looks at once, the one that began first must not overwrite the other.
    pub async fn turn_to_look(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.looking.lock().await
    }

    /// Takes over a new reading.
    pub fn replace(&self, snapshot: Snapshot, config: &Config) {
        self.directory.store(Arc::new(Directory::build(snapshot, config, &self.desks)));
    }

    /// Notes that the registry was looked at.
    pub fn seen(&self, machine_now: Timestamp) {
        self.read_at.store(machine_now.as_microsecond(), std::sync::atomic::Ordering::Relaxed);
    }

    /// Seconds since the registry was last looked at.
    #[must_use]
    pub fn age_seconds(&self, machine_now: Timestamp) -> u64 {
        let read_at = self.read_at.load(std::sync::atomic::Ordering::Relaxed);
        let age = machine_now.as_microsecond().saturating_sub(read_at) / 1_000_000;
        u64::try_from(age).unwrap_or(0)
    }
}
