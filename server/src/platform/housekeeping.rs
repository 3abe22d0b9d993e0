//! What a node does by itself again and again: looks at the registry, the clock row and the network, ends connections of
//! certificates that stand for nobody any more, takes the release that it should serve, forgets replies
//! and events past their retention.

use std::{sync::Arc, time::Duration};

use super::{
    Platform, course,
    network::{releases, store},
    registry, retention,
};

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often old replies and events are looked for.
const PURGE_EVERY: Duration = Duration::from_secs(3_600);

/// How long after a release that could not be served it is tried again.
const RELEASE_AGAIN: Duration = Duration::from_secs(60);

/// Looks at the registry and the clock once.
pub async fn look(platform: &Arc<Platform>) -> Result<(), sqlx::Error> {
    let _turn = platform.standing.turn_to_look().await;
    let mut reader = platform.db.read().await?;
    let looked_at = platform.clock.machine();
    let found = registry::version(&mut reader.conn()).await?;
    if platform.clock.movable() {
        platform.clock.follow(course::read(&mut reader.conn()).await?);
    }
    if found != platform.standing.directory().version() {
        let snapshot = registry::read_all(&mut reader.conn()).await?;
        platform.standing.replace(snapshot, &platform.config);
        tracing::info!(version = found, "registry read");
    }
    platform.standing.seen(looked_at);
    // At every look, not only after a change: a connection may have come since with a certificate of nobody.
    let directory = platform.standing.directory();
    let environment = platform.config.environment;
    let ended =
        platform.connections.end_where(|peer| directory.resolve(peer, environment, looked_at).is_err());
    if ended > 0 {
        tracing::info!(ended, "connections ended: their certificates stand for nobody");
    }
    Ok(())
}

/// Looks again and again until the server stops.
pub async fn run(platform: Arc<Platform>) {
    // Side by side: a purge, a release or a large overlay that takes long must not hold up a revocation.
    tokio::join!(looks(&platform), network(&platform), purges(&platform));
}

async fn looks(platform: &Arc<Platform>) {
    let every = Duration::from_millis(platform.config.timings.registry_poll_millis);
    while pause(platform, every).await {
        // A connection has a timer of its own; a machine that slept, or a clock that was set, is ahead of it.
        let now = platform.clock.machine();
        platform.connections.end_where(|peer| peer.not_after < now);
        // A database that does not answer must not keep the next look from being made.
        match tokio::time::timeout(PATIENCE, look(platform)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the registry cannot be read"),
            Err(_) => tracing::error!("the registry cannot be read: the database does not answer"),
        }
    }
}

async fn network(platform: &Arc<Platform>) {
    let every = Duration::from_millis(platform.config.timings.registry_poll_millis);
    let mut not_before = tokio::time::Instant::now();
    while pause(platform, every).await {
        if let Err(error) = store::look(platform).await {
            tracing::error!(%error, "what changed in the network cannot be read");
        }
        if tokio::time::Instant::now() < not_before {
            continue;
        }
        match releases::follow(platform).await {
            Ok(true) => {}
            // Its files may be on their way to this node.
            Ok(false) => not_before = tokio::time::Instant::now() + RELEASE_AGAIN,
            Err(error) => tracing::error!(%error, "the release to serve cannot be read"),
        }
    }
}

async fn purges(platform: &Platform) {
    loop {
        match retention::forget_old_replies(platform).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "old replies were forgotten"),
            Err(error) => tracing::error!(%error, "old replies cannot be forgotten"),
        }
        match retention::forget_old_events(platform).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "old events were forgotten"),
            Err(error) => tracing::error!(%error, "old events cannot be forgotten"),
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
