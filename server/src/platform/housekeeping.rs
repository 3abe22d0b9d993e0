//! What a node does by itself again and again: looks at the registry and the clock row, ends connections of certificates
//! that stand for nobody any more, forgets replies past their retention.

use std::{sync::Arc, time::Duration};

use super::{Platform, registry, unit_of_work};

/// How often old replies are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);

/// Looks at the registry and the clock once.
pub async fn look(platform: &Arc<Platform>) -> Result<(), sqlx::Error> {
    let mut reader = platform.db.read().await?;
    let looked_at = platform.clock.machine();
    let found = registry::version(&mut reader.conn()).await?;
    if platform.clock.movable() {
        platform.clock.follow(unit_of_work::course(&mut reader.conn()).await?);
    }
    if found != platform.standing.directory().version() {
        let snapshot = registry::read_all(&mut reader.conn()).await?;
        platform.standing.replace(snapshot, &platform.config);
        let directory = platform.standing.directory();
        let environment = platform.config.environment;
        let refused = |peer: &super::identity::Peer| {
            directory
                .resolve(peer, environment, looked_at)
                .is_err_and(|e| e.reason().info().code == tonic::Code::Unauthenticated)
        };
        let ended = platform.connections.end_where(refused);
        tracing::info!(version = found, ended, "registry read");
    }
    platform.standing.seen(looked_at);
    Ok(())
}

/// Looks again and again until the server stops.
pub async fn run(platform: Arc<Platform>) {
    // Side by side: a purge that takes long must not hold up a revocation.
    tokio::join!(looks(&platform), purges(&platform));
}

async fn looks(platform: &Arc<Platform>) {
    let every = Duration::from_millis(platform.config.timings.registry_poll_millis);
    while pause(platform, every).await {
        // A connection has a timer of its own; a machine that slept, or a clock that was set, is ahead of it.
        let now = platform.clock.machine();
        platform.connections.end_where(|peer| peer.not_after < now);
        if let Err(error) = look(platform).await {
            tracing::error!(%error, "the registry cannot be read");
        }
    }
}

async fn purges(platform: &Platform) {
    loop {
        match unit_of_work::forget_old_replies(platform).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "old replies were forgotten"),
            Err(error) => tracing::error!(%error, "old replies cannot be forgotten"),
        }
        if !pause(platform, PURGE_EVERY).await {
            return;
        }
    }
}

/// Waits; says no at once when the server stops.
async fn pause(platform: &Platform, time: Duration) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => true,
        () = platform.draining.cancelled() => false,
    }
}
