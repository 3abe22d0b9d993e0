//! How far a run has come, read from the tables while the server runs: what was seen in its course, and what is left of it.

use std::time::{Duration, Instant};

use eservices_server::platform::db::Db;

use super::{World, world::days_of};

/// How often the tables are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What a run is not worth much without, each with the count that says whether it was seen: a journey of each type of order
/// that came to its good end, a visit in vain and the one after it, a box that was lost, work that a second worker took over.
const SIGHTS: [(&str, &str); 7] = [
    ("a creation that is completed", "orders WHERE type = 'creation' AND state = 'completed'"),
    ("a termination that is completed", "orders WHERE type = 'termination' AND state = 'completed'"),
    ("an exchange that is completed", "orders WHERE type = 'box_exchange' AND state = 'completed'"),
    ("CUSTOMER_ABSENT", "orders_history WHERE kind = 'CUSTOMER_ABSENT'"),
    ("APPOINTMENT_RETAKEN", "orders_history WHERE kind = 'APPOINTMENT_RETAKEN'"),
    ("BOX_LOST", "orders_history WHERE kind = 'BOX_LOST'"),
    ("work that was taken over", "orders_work WHERE token > 1 AND state = 'done'"),
];

/// What the field reported so far: it ends, whatever is leased and lost again.
const REPORTS: &str = "SELECT COUNT(*) FROM orders_history WHERE author = 'field'";

impl World {
    /// What was not seen yet.
    pub async fn unseen(&self) -> Vec<&'static str> {
        let db = self.db().await;
        let mut unseen = Vec::new();
        for (what, rows) in SIGHTS {
            if count(&db, &format!("SELECT COUNT(*) FROM {rows}")).await == 0 {
                unseen.push(what);
            }
        }
        db.close().await;
        unseen
    }

    /// Until the field has reported something more; false if it does not for so long.
    pub async fn field_goes_on(&self, patience: Duration) -> bool {
        let db = self.db().await;
        let (begin, before) = (Instant::now(), count(&db, REPORTS).await);
        let mut goes_on = false;
        while !goes_on && begin.elapsed() < patience {
            tokio::time::sleep(LOOK).await;
            goes_on = count(&db, REPORTS).await > before;
        }
        db.close().await;
        goes_on
    }

    /// Until the evening after a season has nothing left for anybody: no work, no order that waits for the field, nothing
    /// that is due. However long that takes, as long as it goes on; if for so long nothing more was reported and no less is
    /// left, answers how much that is.
    pub async fn rest(&self, season: usize, patience: Duration) -> Result<(), i64> {
        let left = format!(
            "SELECT (SELECT COUNT(*) FROM orders_work WHERE state IN ('open', 'leased')) \
             + (SELECT COUNT(*) FROM orders WHERE state NOT IN ('completed', 'failed', 'appointment_to_retake')) \
             + (SELECT COUNT(*) FROM orders WHERE retake_until <> '' AND retake_until < '{}') \
             + (SELECT COUNT(*) FROM appointments WHERE state = 'held')",
            days_of(season)[2]
        );
        let db = self.db().await;
        let (mut least, mut most, mut since) = (i64::MAX, 0, Instant::now());
        let rested = loop {
            let (left, reports) = (count(&db, &left).await, count(&db, REPORTS).await);
            if left == 0 {
                break Ok(());
            }
            if left < least || reports > most {
                (least, most, since) = (least.min(left), reports, Instant::now());
            } else if since.elapsed() > patience {
                break Err(left);
            }
            tokio::time::sleep(LOOK).await;
        };
        db.close().await;
        rested
    }
}

async fn count(db: &Db, statement: &str) -> i64 {
    let text = sqlx::AssertSqlSafe(statement.to_owned());
    match db {
        Db::Sqlite { writer, .. } => sqlx::query_scalar(text).fetch_one(writer).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(text).fetch_one(pool).await.unwrap(),
    }
}
