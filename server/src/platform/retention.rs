//! What is kept for a while only: replies for replay. Retention is machine time, never business time.
//!
//! Knows no slice.

use super::Platform;
use crate::sql;

/// Deletes replies that are older than their retention (machine time); answers how many.
pub async fn forget_old_replies(platform: &Platform) -> Result<u64, sqlx::Error> {
    const DAY: i64 = 86_400_000_000;
    let before =
        platform.clock.machine().as_microsecond() - i64::from(platform.config.timings.replay_days) * DAY;
    let mut tx = platform.db.begin().await?;
    let rows = sql!(execute, &mut tx.conn(), "DELETE FROM requests WHERE created_at < $1", before)?;
    tx.commit().await?;
    Ok(rows)
}
