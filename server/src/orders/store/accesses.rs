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

/// How far an access of one operator is.
#[derive(Clone, Debug, FromRow)]
pub struct Standing {
    /// The creation it comes of.
    pub number: String,
    /// `pending`, `active` or `terminated`.
    pub state: String,
}

/// One access of one operator.
pub async fn standing(conn: &mut Conn<'_>, party: &str, aid: &str) -> Result<Option<Standing>, sqlx::Error> {
    const TEXT: &str = "SELECT number, state FROM orders_accesses WHERE aid = $1 AND party_id = $2";
    sql!(optional, conn, Standing, TEXT, aid, party)
}

/// The number of the order on a delivered access that is not over.
pub async fn order_under_way(
    conn: &mut Conn<'_>,
    party: &str,
    aid: &str,
) -> Result<Option<String>, sqlx::Error> {
    #[derive(FromRow)]
    struct Number {
        number: String,
    }
    const TEXT: &str = "SELECT number FROM orders WHERE aid = $1 AND party_id = $2 AND type <> 'creation' \
                        AND state NOT IN ('completed', 'failed') LIMIT 1";
    Ok(sql!(optional, conn, Number, TEXT, aid, party)?.map(|row| row.number))
}
