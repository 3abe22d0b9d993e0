//! Which release is served: its row in the database, and the node that follows it.
//!
//! A release is registered when it was imported, and activated when it was found whole. A node that cannot read the one
//! that it should serve keeps the one it has, and says so. Knows no file format.

use std::sync::Arc;

use eservices_reference::store::Manifest;
use jiff::Timestamp;
use sqlx::FromRow;

use crate::{
    platform::{
        Platform,
        db::{Conn, Db},
    },
    sql,
};

/// A release that was imported.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ReleaseRow {
    /// Its name.
    pub release: String,
    /// Hex SHA-256 over its records.
    pub sha256: String,
    /// Names of its files, one a line.
    pub sources: String,
    /// Its buildings.
    pub buildings: i64,
    /// Day of the import.
    pub imported_on: String,
    /// When it was registered, machine time, microseconds.
    pub registered_at: i64,
    /// Who did.
    pub registered_by: String,
    /// When its files were removed, machine time, microseconds; 0: they are there.
    pub removed_at: i64,
}

/// What nodes should serve.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Served {
    /// Name of the release; empty before the first.
    pub release: String,
    /// The one before it; empty if there was none.
    pub previous: String,
    /// Changes of release so far.
    pub activation: i64,
}

impl ReleaseRow {
    /// The row of a release that was imported.
    #[must_use]
    pub fn of(manifest: &Manifest, by: &str, now: Timestamp) -> Self {
        let release = &manifest.release;
        let sources: Vec<&str> = release.sources.iter().map(|source| source.name.as_str()).collect();
        Self {
            release: release.name.clone(),
            sha256: release.sha256.clone(),
            sources: sources.join("\n"),
            buildings: i64::try_from(release.counts.buildings).unwrap_or(i64::MAX),
            imported_on: manifest.imported.to_string(),
            registered_at: now.as_microsecond(),
            registered_by: by.to_owned(),
            removed_at: 0,
        }
    }
}

/// Registers a release, or that it is there again; says whether either is new.
pub async fn register(conn: &mut Conn<'_>, row: &ReleaseRow) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "INSERT INTO reference_releases (release, sha256, sources, buildings, imported_on, registered_at, registered_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (release) DO UPDATE SET removed_at = 0 WHERE reference_releases.removed_at <> 0",
        &row.release,
        &row.sha256,
        &row.sources,
        row.buildings,
        &row.imported_on,
        row.registered_at,
        &row.registered_by,
    )?;
    Ok(rows == 1)
}

/// The columns of a [`ReleaseRow`].
macro_rules! columns {
    () => {
        "SELECT release, sha256, sources, buildings, imported_on, registered_at, registered_by, removed_at \
         FROM reference_releases "
    };
}

/// Every release, the last to be registered first.
pub async fn list(conn: &mut Conn<'_>) -> Result<Vec<ReleaseRow>, sqlx::Error> {
    sql!(all, conn, ReleaseRow, concat!(columns!(), "ORDER BY registered_at DESC, release"))
}

/// Those that come after one (instant, name), the last to be registered first.
pub async fn page(
    conn: &mut Conn<'_>,
    after: (i64, &str),
    limit: i64,
) -> Result<Vec<ReleaseRow>, sqlx::Error> {
    const TEXT: &str = concat!(
        columns!(),
        "WHERE registered_at < $1 OR (registered_at = $1 AND release > $2) \
         ORDER BY registered_at DESC, release LIMIT $3"
    );
    sql!(all, conn, ReleaseRow, TEXT, after.0, after.1, limit)
}

/// One release.
pub async fn find(conn: &mut Conn<'_>, release: &str) -> Result<Option<ReleaseRow>, sqlx::Error> {
    sql!(optional, conn, ReleaseRow, concat!(columns!(), "WHERE release = $1"), release)
}

/// What nodes should serve.
pub async fn served(conn: &mut Conn<'_>) -> Result<Served, sqlx::Error> {
    sql!(one, conn, Served, "SELECT release, previous, activation FROM network WHERE id = 1")
}

/// The same, its row locked: who changes it, and who takes a release away, comes one after the other.
pub async fn served_locked(conn: &mut Conn<'_>) -> Result<Served, sqlx::Error> {
    const TEXT: &str =
        "UPDATE network SET activation = activation WHERE id = 1 RETURNING release, previous, activation";
    sql!(one, conn, Served, TEXT)
}

/// What became of the wish to have a release served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activated {
    /// It is from now on.
    Now,
    /// It was already.
    Already,
    /// It was removed since it was proved, or never registered.
    Gone,
}

/// Has nodes serve another release, which the caller found whole.
pub async fn activate(
    conn: &mut Conn<'_>,
    release: &str,
    by: &str,
    now: Timestamp,
) -> Result<Activated, sqlx::Error> {
    // Locked first: a removal that came before is seen below, one that comes after finds the release served.
    let served = served_locked(conn).await?;
    if find(conn, release).await?.is_none_or(|row| row.removed_at != 0) {
        return Ok(Activated::Gone);
    }
    if served.release == release {
        return Ok(Activated::Already);
    }
    const SERVE: &str =
        "UPDATE network SET previous = release, release = $1, activation = activation + 1 WHERE id = 1";
    sql!(execute, &mut *conn, SERVE, release)?;
    const NOTE: &str = "INSERT INTO reference_activations (activation, release, activated_at, activated_by) \
                        SELECT activation, release, $1, $2 FROM network WHERE id = 1";
    sql!(execute, conn, NOTE, now.as_microsecond(), by)?;
    Ok(Activated::Now)
}

/// What became of the wish to have a release removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// Its files may go.
    Now,
    /// It is served, or is what a rollback goes back to: the caller undoes its transaction.
    InUse,
    /// It was removed before, or never registered.
    Unknown,
}

/// Notes that a release is removed. Its own row is locked before the network's.
pub async fn remove(conn: &mut Conn<'_>, release: &str, now: Timestamp) -> Result<Removed, sqlx::Error> {
    const TEXT: &str = "UPDATE reference_releases SET removed_at = $2 WHERE release = $1 AND removed_at = 0";
    if sql!(execute, &mut *conn, TEXT, release, now.as_microsecond())? == 0 {
        return Ok(Removed::Unknown);
    }
    let served = served_locked(conn).await?;
    let in_use = release == served.release || release == served.previous;
    Ok(if in_use { Removed::InUse } else { Removed::Now })
}

/// [`remove`] in a transaction of its own, for the command line.
pub async fn take_away(db: &Db, release: &str, now: Timestamp) -> Result<Removed, sqlx::Error> {
    let mut tx = db.begin().await?;
    let removed = remove(&mut tx.conn(), release, now).await?;
    match removed {
        Removed::InUse => tx.rollback().await?,
        Removed::Now | Removed::Unknown => tx.commit().await?,
    }
    Ok(removed)
}

/// Registers a release and, if asked, has nodes serve it, in one transaction; says whether anything changed.
pub async fn bring_in(
    db: &Db,
    row: &ReleaseRow,
    and_serve: bool,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    let mut changed = register(&mut tx.conn(), row).await?;
    if and_serve {
        let activated = activate(&mut tx.conn(), &row.release, &row.registered_by, now).await?;
        changed |= activated == Activated::Now;
    }
    tx.commit().await?;
    Ok(changed)
}

/// Takes the release that nodes should serve, if it is another one than this node's; says whether the node serves what it
/// should now.
pub async fn follow(platform: &Arc<Platform>) -> Result<bool, sqlx::Error> {
    let served = served(&mut platform.db.read().await?.conn()).await?;
    let known = served.activation <= platform.network.load().activation || served.release.is_empty();
    let follows = known || take(platform, &served).await;
    platform.network.should_serve(&served.release);
    Ok(follows)
}

/// Reads a release and serves it; one that cannot be read leaves the one before.
async fn take(platform: &Arc<Platform>, served: &Served) -> bool {
    let (store, release) = (Arc::clone(&platform.releases), served.release.clone());
    let loaded = tokio::task::spawn_blocking(move || store.load(&release)).await;
    let fault = match loaded {
        Ok(Ok(reference)) => {
            platform.network.activate(Arc::new(reference), served.activation);
            tracing::info!(release = %served.release, "reference release taken");
            return true;
        }
        Ok(Err(refused)) => refused.to_string(),
        Err(panicked) => panicked.to_string(),
    };
    metrics::counter!("eservices_releases_refused_total").increment(1);
    let kept = platform.network.load().reference.release().name.clone();
    tracing::error!(release = %served.release, %kept, %fault, "the release cannot be served; the one before stays");
    false
}
