//! Who is alive on a socket: one order or access at most, whoever orders at the same time.

use sqlx::FromRow;

use super::Order;
use crate::{orders::rules::checks::Holder, platform::db::Conn, sql};

#[derive(FromRow)]
struct Row {
    party_id: String,
    number: String,
}

/// Who is alive on a socket, as far as one operator may know.
pub async fn holder(conn: &mut Conn<'_>, party: &str, pto: &str) -> Result<Option<Holder>, sqlx::Error> {
    let row = sql!(optional, conn, Row, "SELECT party_id, number FROM orders_sockets WHERE pto = $1", pto)?;
    Ok(row.map(|row| Holder { own: (row.party_id == party).then_some(row.number) }))
}

/// Takes a socket for an order and its access; false where somebody is on it.
pub async fn take(conn: &mut Conn<'_>, pto: &str, order: &Order) -> Result<bool, sqlx::Error> {
    let Order { party_id: party, number, aid, .. } = order;
    let rows = sql!(
        execute,
        conn,
        "INSERT INTO orders_sockets (pto, party_id, number, aid) VALUES ($1, $2, $3, $4) ON CONFLICT (pto) DO NOTHING",
        pto,
        party,
        number,
        aid,
    )?;
    Ok(rows == 1)
}

/// Frees the socket of an access, if it has one.
pub async fn free(conn: &mut Conn<'_>, aid: &str) -> Result<(), sqlx::Error> {
    sql!(execute, conn, "DELETE FROM orders_sockets WHERE aid = $1", aid)?;
    Ok(())
}
