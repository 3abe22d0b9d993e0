//! An import under way: on a thread of its own, with signs of life for the other nodes; and the watch for imports whose node
//! is gone.
//!
//! It ends at the word of a call, when the server stops, or when the database is lost, and always leaves its row as it ended.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use eservices_reference::{GO_ON, ImportError, Imported, Options, Progress};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::imports::{Bury, Finish};
use crate::{
    platform::{
        Platform,
        clock::paris_day,
        network::imports::{self, ImportRow},
        unit_of_work,
    },
    reference::{
        rules::{Silence, Stop},
        wire,
    },
};

/// How long one look at the database may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the end of an import is written until it is: a second apart.
const TRIES: u32 = 600;

/// How far an import is, as its thread tells.
#[derive(Debug, Default)]
struct Seen {
    phase: AtomicI64,
    done: AtomicI64,
    total: AtomicI64,
}

impl Seen {
    fn note(&self, progress: &Progress<'_>) {
        let amount = if progress.read == 0 { progress.rows } else { progress.read };
        let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.phase.store(wire::phase(progress.phase), Ordering::Relaxed);
        self.done.store(number(amount), Ordering::Relaxed);
        self.total.store(number(progress.total), Ordering::Relaxed);
    }

    fn now(&self) -> (i64, i64, i64) {
        let load = |n: &AtomicI64| n.load(Ordering::Relaxed);
        (load(&self.phase), load(&self.done), load(&self.total))
    }
}

/// Runs an import whose row is written, in a task that the server waits for when it stops.
pub fn launch(platform: &Arc<Platform>, row: ImportRow, inbox: PathBuf) {
    let server = Arc::clone(platform);
    platform.tasks.spawn(async move {
        tracing::info!(import = %row.import_id, "import started");
        let (outcome, stop) = follow(&server, &row, &inbox).await;
        if let Err(error) = &outcome {
            tracing::warn!(import = %row.import_id, %error, ?stop, "the import gives no release");
        }
        if stop != Some(Stop::Buried) {
            finish(&server, Finish::of(&row, outcome, stop, &inbox)).await;
        }
    });
}

/// Waits for the end of an import, with a sign of life again and again.
async fn follow(
    platform: &Arc<Platform>,
    row: &ImportRow,
    inbox: &std::path::Path,
) -> (Result<Imported, ImportError>, Option<Stop>) {
    let (token, seen) = (platform.draining.child_token(), Arc::new(Seen::default()));
    let mut work = tokio::task::spawn_blocking(import(platform, row, inbox, &token, &seen));
    let every = Duration::from_millis(platform.config.timings.registry_poll_millis);
    // Well before another node takes it for dead.
    let lost_after = Duration::from_secs(platform.config.reference.import_silent_seconds) * 2 / 3;
    let (mut stop, mut alive) = (None, Instant::now());
    let outcome = loop {
        tokio::select! {
            done = &mut work => break done,
            () = token.cancelled(), if stop.is_none() => {
                stop = Some(Stop::Server);
                continue;
            }
            () = tokio::time::sleep(every) => {}
        }
        let beat = imports::beat(&platform.db, &row.import_id, &platform.node, seen.now());
        let why = match timeout(PATIENCE, beat).await {
            Ok(Ok(Some(told))) => {
                alive = Instant::now();
                (told.cancelled != 0).then_some(Stop::Cancelled)
            }
            Ok(Ok(None)) => Some(Stop::Buried),
            Ok(Err(_)) | Err(_) => (alive.elapsed() >= lost_after).then_some(Stop::Database),
        };
        if let Some(why) = why
            && stop.is_none_or(|before| before == Stop::Server)
        {
            stop = Some(why);
            token.cancel();
        }
    };
    let outcome = outcome.unwrap_or_else(|panicked| {
        tracing::error!(error = %panicked, "an import panicked");
        Err(ImportError::Stopped)
    });
    (outcome, stop)
}

/// What the thread does: import, and prove the release if it is to be served.
fn import(
    platform: &Arc<Platform>,
    row: &ImportRow,
    inbox: &std::path::Path,
    token: &CancellationToken,
    seen: &Arc<Seen>,
) -> impl FnOnce() -> Result<Imported, ImportError> + Send + 'static {
    let (store, token, seen) = (Arc::clone(&platform.releases), token.clone(), Arc::clone(seen));
    let files: Vec<PathBuf> = row.files.lines().map(|name| inbox.join(name)).collect();
    let options = Options {
        memory_bytes: platform.config.reference.import_megabytes as usize * 1_000_000,
        dry_run: row.dry_run != 0,
        today: paris_day(platform.clock.machine()),
    };
    let prove = row.serve != 0;
    move || {
        let go_on = || if token.is_cancelled() { std::ops::ControlFlow::Break(()) } else { GO_ON };
        let imported = store.import(&files, &options, &mut |progress| {
            seen.note(&progress);
            go_on()
        })?;
        if prove {
            seen.phase.store(wire::phase(eservices_reference::Phase::Prove), Ordering::Relaxed);
            store.check_while(imported.manifest.id(), &mut |_| go_on()).map_err(|unread| match unread {
                eservices_reference::Unread::Refused(refused) => refused.into(),
                eservices_reference::Unread::Stopped => ImportError::Stopped,
            })?;
        }
        Ok(imported)
    }
}

/// Writes how an import ended; where the database does not take it, again and again while the server runs.
async fn finish(platform: &Arc<Platform>, command: Finish) {
    let owner = command.party_id().to_owned();
    for _ in 0..TRIES {
        let done = unit_of_work::execute_own(platform, owner.clone(), "reference.import", command.clone());
        match done.await {
            Ok(_) => return,
            Err(error) => tracing::error!(%error, "the end of an import cannot be written"),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = platform.draining.cancelled() => return,
        }
    }
}

/// Watches for imports whose node is gone, until the server stops.
pub async fn sweep(platform: Arc<Platform>) {
    let every = Duration::from_millis(platform.config.timings.registry_poll_millis);
    let patience = Duration::from_secs(platform.config.reference.import_silent_seconds);
    let mut silence = Silence::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = platform.draining.cancelled() => return,
        }
        match timeout(PATIENCE, look(&platform, &mut silence, patience)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                silence.nothing();
                tracing::error!(%error, "the import that runs cannot be looked at");
            }
            Err(_) => {
                silence.nothing();
                tracing::error!("the import that runs cannot be looked at: the database does not answer");
            }
        }
    }
}

async fn look(
    platform: &Arc<Platform>,
    silence: &mut Silence,
    patience: Duration,
) -> Result<(), crate::platform::error::Error> {
    let found = imports::running(&mut platform.db.read().await?.conn()).await?;
    let Some(found) = found else {
        silence.nothing();
        return Ok(());
    };
    if silence.looked(&found.import_id, found.heartbeat, Instant::now(), patience) {
        tracing::warn!(import = %found.import_id, "the node of an import is gone");
        let owner = found.party_id.clone();
        unit_of_work::execute_own(platform, owner, "reference.sweep", Bury(found)).await?;
    }
    Ok(())
}
