//! What a node does by itself again and again: looks at the registry and the clock row, ends connections of certificates
//! that stand for nobody any more, forgets replies past their retention.

use std::{sync::Arc, time::Duration};

use sqlx::FromRow;

use super::{Platform, registry, unit_of_work};
use crate::sql;

#[derive(FromRow)]
struct Version {
    version: i64,
}

/// How often old replies are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);

/// Looks at the registry and the clock once.
pub async fn look(platform: &Arc<Platform>) -> Result<(), sqlx::Error> {
    let mut reader = platform.db.read().await?;
    let looked_at = platform.clock.machine();
    let found =
        sql!(one, &mut reader.conn(), Version, "SELECT version FROM registry_version WHERE id = 1")?.version;
    if platform.clock.movable() {
        platform.clock.follow(unit_of_work::course(&mut reader.conn()).await?);
    }
    if found != platform.standing.directory().version() {
        let snapshot = registry::read_all(&mut reader.conn()).await?;
        platform.standing.replace(snapshot, &platform.config);
        let directory = platform.standing.directory();
        let environment = platform.config.environment;
        let refused = |peer: &super::identity::Peer| {
            directory.resolve(peer, environment, looked_at).is_err_and(|e| e.reason().info().code == tonic::Code::Unauthenticated)
        };
        let ended = platform.connections.end_where(refused);
        tracing::info!(version = found, ended, "registry read");
    }
    platform.standing.seen(looked_at);
    Ok(())
}

/// Looks again and again until the server stops.
pub async fn run(platform: Arc<Platform>) {
    let every = Duration::from_millis(platform.config.timings.registry_poll_millis);
    let mut purged: Option<tokio::time::Instant> = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = platform.draining.cancelled() => return,
        }
        if let Err(error) = look(&platform).await {
            tracing::error!(%error, "the registry cannot be read");
        }
        if purged.is_none_or(|at| at.elapsed() >= PURGE_EVERY) {
            purged = Some(tokio::time::Instant::now());
            match unit_of_work::forget_old_replies(&platform).await {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "old replies were forgotten"),
                Err(error) => tracing::error!(%error, "old replies cannot be forgotten"),
            }
        }
    }
}
