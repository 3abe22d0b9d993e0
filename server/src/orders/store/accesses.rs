//! Accesses: what an order of a creation becomes.

use sqlx::FromRow;

use crate::{platform::db::Conn, sql};

/// One access.
#[derive(Clone, Debug, FromRow)]
pub struct Access {
    /// Access id.
    pub aid: String,
    /// Service id.
    pub via: String,
    /// Owner.
    pub party_id: String,
    /// The creation it comes of.
    pub number: String,
    /// Fixed address.
    pub ipv4: String,
}

/// Stores a new access that is still to be delivered; false where one of its ids is taken.
pub async fn insert(conn: &mut Conn<'_>, a: &Access, now: i64) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "INSERT INTO orders_accesses (aid, via, party_id, number, state, ipv4, box_serial, updated_at) \
         VALUES ($1, $2, $3, $4, 'pending', $5, '', $6) ON CONFLICT DO NOTHING",
        &a.aid,
        &a.via,
        &a.party_id,
        &a.number,
        &a.ipv4,
        now,
    )?;
    Ok(rows == 1)
}

/// Delivers or ends an access.
pub async fn set_state(
    conn: &mut Conn<'_>,
    aid: &str,
    state: &'static str,
    box_serial: &str,
    now: i64,
) -> Result<(), sqlx::Error> {
    sql!(
        execute,
        conn,
        "UPDATE orders_accesses SET state = $2, box_serial = $3, updated_at = $4 WHERE aid = $1",
        aid,
        state,
        box_serial,
        now,
    )?;
    Ok(())
}
