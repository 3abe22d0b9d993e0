//! What is kept for a while only: replies for replay, events for those who watch. Retention is machine time, never business
//! time.
//!
//! Knows no slice.

use sqlx::FromRow;

use super::Platform;
use crate::sql;

/// A day, microseconds.
const DAY: i64 = 86_400_000_000;

/// The most events that are looked at in one turn, and the most of one party that go in one transaction.
const BATCH: i64 = 1_000;

/// Deletes replies that are older than their retention (machine time); answers how many.
pub async fn forget_old_replies(platform: &Platform) -> Result<u64, sqlx::Error> {
    let before =
        platform.clock.machine().as_microsecond() - i64::from(platform.config.timings.replay_days) * DAY;
    let mut tx = platform.db.begin().await?;
    let rows = sql!(execute, &mut tx.conn(), "DELETE FROM requests WHERE created_at < $1", before)?;
    tx.commit().await?;
    Ok(rows)
}

/// A party, and the last of its events that is to go.
#[derive(FromRow)]
struct Old {
    party_id: String,
    last: i64,
}

/// Deletes events that are older than their retention (machine time), and notes at their party from where on they are kept;
/// answers how many. A transaction is of one party and of bounded length: nobody's write waits long for it.
pub async fn forget_old_events(platform: &Platform) -> Result<u64, sqlx::Error> {
    let before =
        platform.clock.machine().as_microsecond() - i64::from(platform.config.events.retention_days) * DAY;
    let mut total = 0;
    loop {
        let mut reader = platform.db.read().await?;
        let old = sql!(
            all,
            &mut reader.conn(),
            Old,
            "SELECT party_id, MAX(revision) AS last FROM (SELECT party_id, revision FROM events WHERE recorded_at < $1 \
             ORDER BY recorded_at LIMIT $2) AS oldest GROUP BY party_id ORDER BY party_id",
            before,
            BATCH,
        )?;
        drop(reader);
        if old.is_empty() || platform.draining.is_cancelled() {
            return Ok(total);
        }
        for old in old {
            total += forget(platform, &old).await?;
        }
    }
}

/// Everything of one party up to a revision: what is kept has no gap, though clocks of nodes may differ.
async fn forget(platform: &Platform, old: &Old) -> Result<u64, sqlx::Error> {
    let mut tx = platform.db.begin().await?;
    sql!(
        execute,
        &mut tx.conn(),
        "UPDATE parties SET events_kept_from = $2 WHERE party_id = $1 AND events_kept_from < $2",
        &old.party_id,
        old.last + 1,
    )?;
    let rows = sql!(
        execute,
        &mut tx.conn(),
        "DELETE FROM events WHERE party_id = $1 AND revision <= $2",
        &old.party_id,
        old.last,
    )?;
    tx.commit().await?;
    Ok(rows)
}
