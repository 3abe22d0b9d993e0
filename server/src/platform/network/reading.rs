//! Reading a release whole, to prove it or to compare it: one at a time a node, on a thread of its own.
//!
//! The leave goes with the thread: a caller that goes away does not free it early. What was compared is kept, for a caller
//! whose deadline came first. Knows no call.

use std::{
    collections::VecDeque,
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
};

use eservices_reference::{Comparison, Manifest, Store, Unread};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::platform::{
    Platform,
    error::{Error, Reason},
};

/// How many comparisons are kept.
const KEPT: usize = 8;

/// Leave to read whole releases.
pub type Turn = OwnedSemaphorePermit;

/// Who reads, and what was compared.
#[derive(Debug)]
pub struct Reading {
    turn: Arc<Semaphore>,
    compared: Mutex<VecDeque<(String, String, Arc<Comparison>)>>,
}

impl Default for Reading {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(1)), compared: Mutex::default() }
    }
}

impl Reading {
    /// Waits for the leave to read.
    pub async fn turn(&self) -> Result<Turn, Error> {
        Arc::clone(&self.turn).acquire_owned().await.map_err(Error::internal)
    }

    fn known(&self, from: &str, to: &str) -> Option<Arc<Comparison>> {
        let compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        compared.iter().find(|(a, b, _)| a == from && b == to).map(|(_, _, found)| Arc::clone(found))
    }

    fn keep(&self, from: &str, to: &str, found: &Arc<Comparison>) {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        compared.truncate(KEPT - 1);
        compared.push_front((from.to_owned(), to.to_owned(), Arc::clone(found)));
    }

    /// Forgets what was compared with a release that is no more.
    pub fn forget(&self, release: &str) {
        let mut compared = self.compared.lock().unwrap_or_else(PoisonError::into_inner);
        compared.retain(|(a, b, _)| a != release && b != release);
    }
}

/// Reads every byte of a release; gives the leave back for what follows.
pub async fn prove(platform: &Arc<Platform>, turn: Turn, release: &str) -> Result<(Turn, Manifest), Error> {
    let id = release.to_owned();
    let (turn, read) = on_a_thread(platform, turn, move |store, go_on| store.check_while(&id, go_on)).await?;
    Ok((turn, read.map_err(|unread| refusal(release, unread))?))
}

/// What differs between two releases.
pub async fn compare(platform: &Arc<Platform>, from: &str, to: &str) -> Result<Arc<Comparison>, Error> {
    let turn = platform.reading.turn().await?;
    if let Some(found) = platform.reading.known(from, to) {
        return Ok(found);
    }
    let (a, b) = (from.to_owned(), to.to_owned());
    let (_turn, found) =
        on_a_thread(platform, turn, move |store, go_on| store.compare_while(&a, &b, go_on)).await?;
    let found = Arc::new(found.map_err(|unread| refusal(to, unread))?);
    platform.reading.keep(from, to, &found);
    Ok(found)
}

type GoOn<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

async fn on_a_thread<T: Send + 'static>(
    platform: &Arc<Platform>,
    turn: Turn,
    read: impl FnOnce(&Store, GoOn<'_>) -> Result<T, Unread> + Send + 'static,
) -> Result<(Turn, Result<T, Unread>), Error> {
    let (store, stop) = (Arc::clone(&platform.releases), platform.draining.clone());
    let work = move || {
        let mut go_on =
            |_| if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        (turn, read(&store, &mut go_on))
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}

fn refusal(release: &str, unread: Unread) -> Error {
    match unread {
        Unread::Refused(refused) => {
            let release = if refused.id.is_empty() { release.to_owned() } else { refused.id };
            tracing::warn!(%release, fault = %refused.reason, "a release cannot be used");
            Error::new(Reason::ReleaseDamaged, format!("release {release}: {}", refused.reason))
                .with("release", release)
                .with("fault", refused.reason)
        }
        Unread::Stopped => Error::new(Reason::ShuttingDown, "the server is stopping")
            .retry_after(std::time::Duration::from_secs(1)),
    }
}
