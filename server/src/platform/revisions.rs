//! How far the revisions of watched parties have come, as far as this node knows: its own commits at once, those of other
//! nodes by one question a tick for all parties that somebody follows.
//!
//! Knows no event.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::FromRow;
use tokio::sync::watch;

use super::{
    Platform,
    db::{Conn, Reader},
};

/// How many parties one statement names.
const MANY: usize = 1_000;

/// The last known revision of each party that somebody follows.
#[derive(Debug, Default)]
pub struct Revisions(Mutex<HashMap<String, watch::Sender<i64>>>);

#[derive(FromRow)]
struct Row {
    party_id: String,
    revision: i64,
}

impl Revisions {
    /// A party came to a revision; of several the highest counts. Nothing, if nobody follows it.
    pub fn reached(&self, party_id: &str, revision: i64) {
        let parties = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(party) = parties.get(party_id) {
            party.send_if_modified(|known| {
                let further = revision > *known;
                *known = revision.max(*known);
                further
            });
        }
    }

    /// Follows a party from now on; 0 is what is known at first.
    pub fn follow(&self, party_id: &str) -> watch::Receiver<i64> {
        let mut parties = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parties.entry(party_id.to_owned()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// The parties that somebody follows; the others are forgotten.
    fn followed(&self) -> Vec<String> {
        let mut parties = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parties.retain(|_, party| !party.is_closed());
        parties.keys().cloned().collect()
    }
}

/// Asks how far all followed parties have come: one statement, however many watch.
pub async fn look(platform: &Platform) -> Result<(), sqlx::Error> {
    let followed = platform.revisions.followed();
    if followed.is_empty() {
        return Ok(());
    }
    let mut reader = platform.db.read().await?;
    for some in followed.chunks(MANY) {
        for row in read(&mut reader, some).await? {
            platform.revisions.reached(&row.party_id, row.revision);
        }
    }
    Ok(())
}

async fn read(reader: &mut Reader, parties: &[String]) -> Result<Vec<Row>, sqlx::Error> {
    macro_rules! fetched {
        ($engine:ty, $conn:expr) => {{
            let mut query = sqlx::QueryBuilder::<$engine>::new(
                "SELECT party_id, revision FROM parties WHERE party_id IN (",
            );
            let mut names = query.separated(", ");
            parties.iter().for_each(|party| {
                names.push_bind(party);
            });
            query.push(")");
            query.build_query_as().fetch_all(&mut **$conn).await
        }};
    }
    match &mut reader.conn() {
        Conn::Sqlite(c) => fetched!(sqlx::Sqlite, c),
        Conn::Postgres(c) => fetched!(sqlx::Postgres, c),
    }
}

/// Looks again and again until the server stops.
pub async fn run(platform: Arc<Platform>) {
    let every = Duration::from_millis(platform.config.events.poll_millis);
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = platform.draining.cancelled() => return,
        }
        if let Err(error) = look(&platform).await {
            tracing::error!(%error, "how far the watched parties have come cannot be read");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_revision_counts_and_nobody_is_followed_for_nothing() {
        let revisions = Revisions::default();
        revisions.reached("o-1", 5);
        assert_eq!(revisions.followed(), Vec::<String>::new());
        let mut seen = revisions.follow("o-1");
        revisions.reached("o-1", 7);
        assert!(seen.has_changed().unwrap());
        assert_eq!(*seen.borrow_and_update(), 7);
        revisions.reached("o-1", 6);
        assert!(!seen.has_changed().unwrap(), "a late word of an earlier revision");
        assert_eq!(*seen.borrow(), 7);
        let other = revisions.follow("o-1");
        drop(seen);
        assert_eq!(revisions.followed(), ["o-1"]);
        drop(other);
        assert_eq!(revisions.followed(), Vec::<String>::new());
    }
}
