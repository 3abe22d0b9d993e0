//! The shared rooms: transport, identity, access, errors, the write path. One file each; none knows a slice.

pub mod access;
pub mod audit;
pub mod body;
pub mod clock;
pub mod config;
pub mod connection;
pub mod cool_down;
pub mod course;
pub mod csv;
pub mod db;
pub mod error;
pub mod form;
pub mod housekeeping;
pub mod identity;
pub mod ids;
pub mod intake;
pub mod linger;
pub mod mapper;
pub mod network;
pub mod page;
pub mod pipeline;
pub mod pki;
pub mod probes;
pub mod quota;
pub mod registry;
pub mod retention;
pub mod revisions;
pub mod telemetry;
#[cfg(test)]
pub mod testing;
pub mod tls;
pub mod token;
pub mod unit_of_work;
pub mod verdict;

use std::sync::{Arc, atomic::AtomicU64};

use eservices_reference::{Reference, Store};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{
    clock::Clock,
    config::Config,
    connection::Connections,
    cool_down::CoolDown,
    db::Db,
    identity::Standing,
    ids::Ids,
    network::{Current, reading::Reading},
    revisions::Revisions,
    token::Keys,
};

/// What every slice stands on.
pub struct Platform {
    /// The settings.
    pub config: Config,
    /// The database.
    pub db: Db,
    /// Reference data of one release, and what changed since.
    pub network: Current,
    /// Where releases lie.
    pub releases: Arc<Store>,
    /// Leave to read a release whole.
    pub reading: Reading,
    /// Which process this is, for others who see its traces in the database.
    pub node: String,
    /// Machine time and business time.
    pub clock: Clock,
    /// Makes identifiers.
    pub ids: Ids,
    /// Signs tokens.
    pub tokens: Keys,
    /// The registry as last read.
    pub standing: Standing,
    /// How far watched parties have come.
    pub revisions: Revisions,
    /// Open connections.
    pub connections: Arc<Connections>,
    /// Who is not served for a while.
    pub cool_down: CoolDown,
    /// Methods that the server knows.
    pub methods: access::Table,
    /// Calls that passed every layer and were handed to a service.
    pub entered: AtomicU64,
    /// Units of work under way; they finish before the process ends.
    pub tasks: TaskTracker,
    /// Cancelled when the server stops.
    pub draining: CancellationToken,
}

/// What a platform is made from.
pub struct Parts {
    /// The settings.
    pub config: Config,
    /// The database, migrated.
    pub db: Db,
    /// The release to begin with, and the change of release that asked for it.
    pub reference: (Arc<Reference>, i64),
    /// Where releases lie.
    pub releases: Arc<Store>,
    /// The clocks.
    pub clock: Clock,
    /// Makes identifiers.
    pub ids: Ids,
    /// Methods that the server knows.
    pub methods: access::Table,
}

impl Platform {
    /// Puts the parts together and reads the registry once.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, sqlx::Error> {
        let Parts { config, db, reference, releases, clock, ids, methods } = parts;
        let platform = Arc::new(Self {
            tokens: Keys::new(&config.tokens),
            cool_down: CoolDown::new(&config.limits),
            config,
            db,
            network: Current::new(reference.0, reference.1),
            releases,
            reading: Reading::default(),
            node: ids.call().to_string(),
            clock,
            ids,
            standing: Standing::default(),
            revisions: Revisions::default(),
            connections: Arc::default(),
            methods,
            entered: AtomicU64::new(0),
            tasks: TaskTracker::new(),
            draining: CancellationToken::new(),
        });
        course::mend(&platform).await?;
        housekeeping::look(&platform).await?;
        network::store::look(&platform).await?;
        Ok(platform)
    }
}
