//! The events table, read: how far it goes, and pages of it. Knows no filter.

use sqlx::FromRow;

use super::rules::Extent;
use crate::{platform::db::Conn, sql};

/// An event as written.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct EventRow {
    /// Of its party.
    pub revision: i64,
    /// E-service or role that it belongs to.
    pub e_service: String,
    /// What happened.
    pub kind: String,
    /// Name of the object.
    pub resource: String,
    /// State of the object.
    pub state: String,
    /// Business time, microseconds.
    pub occurred_at: i64,
}

#[derive(FromRow)]
struct Party {
    revision: i64,
    events_kept_from: i64,
}

/// How far the events of a party go.
pub async fn extent(conn: &mut Conn<'_>, party: &str) -> Result<Extent, sqlx::Error> {
    let row =
        sql!(one, conn, Party, "SELECT revision, events_kept_from FROM parties WHERE party_id = $1", party,)?;
    Ok(Extent { last: row.revision, kept_from: row.events_kept_from })
}

/// The events of a party after a revision, in order, so many at most. One statement sees one state of the database, and a
/// revision is committed after the one before it: there is no gap but what retention took.
pub async fn after(
    conn: &mut Conn<'_>,
    party: &str,
    revision: i64,
    most: i64,
) -> Result<Vec<EventRow>, sqlx::Error> {
    sql!(
        all,
        conn,
        EventRow,
        "SELECT revision, e_service, kind, resource, state, occurred_at FROM events \
         WHERE party_id = $1 AND revision > $2 ORDER BY revision LIMIT $3",
        party,
        revision,
        most,
    )
}
