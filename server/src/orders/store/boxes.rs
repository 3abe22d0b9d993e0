//! The stock of boxes: a serial ships once, and comes back or is lost once, by a condition on its own row.

use sqlx::FromRow;

use crate::{
    many,
    platform::{
        db::Conn,
        error::{Error, Reason},
    },
    sql,
};

#[derive(FromRow)]
struct Standing {
    state: String,
}

#[derive(FromRow)]
struct Serial {
    serial: String,
}

/// Takes new boxes into stock; answers how many were new.
pub async fn add(conn: &mut Conn<'_>, serials: &[String], now: i64) -> Result<u64, sqlx::Error> {
    many!(
        conn,
        "INSERT INTO orders_boxes (serial, state, aid, number, updated_at) ",
        serials,
        " ON CONFLICT (serial) DO NOTHING",
        |serial| (serial, "in_stock", "", "", now)
    )
}

/// Ships a box that is in stock for an order of an access: BOX_UNKNOWN, BOX_NOT_IN_STOCK.
pub async fn ship(conn: &mut Conn<'_>, serial: &str, aid: &str, number: &str, now: i64) -> Result<(), Error> {
    const SHIP: &str = "UPDATE orders_boxes SET state = 'shipped', aid = $2, number = $3, updated_at = $4 \
                        WHERE serial = $1 AND state = 'in_stock'";
    if sql!(execute, conn, SHIP, serial, aid, number, now)? == 1 {
        return Ok(());
    }
    const STANDING: &str = "SELECT state FROM orders_boxes WHERE serial = $1";
    Err(match sql!(optional, conn, Standing, STANDING, serial)? {
        None => Error::new(Reason::BoxUnknown, "no box of this serial is known").with("box_serial", serial),
        Some(standing) => Error::new(Reason::BoxNotInStock, "the box is not in stock")
            .with("box_serial", serial)
            .with("box_state", standing.state),
    })
}

/// The box that the end customer of an access has besides `new`; none if there is none. One that left for an order that was
/// over is awaited by that order's own work, and is not meant.
pub async fn at_customer(conn: &mut Conn<'_>, aid: &str, new: &str) -> Result<Option<String>, sqlx::Error> {
    const OTHER: &str = "SELECT serial FROM orders_boxes b WHERE aid = $1 AND aid <> '' AND state = 'shipped' AND serial <> $2 \
         AND NOT EXISTS (SELECT 1 FROM orders_work w WHERE w.number = b.number AND w.capability = 'returns' \
         AND w.state IN ('open', 'leased') AND w.box_serial = b.serial)";
    let row = sql!(optional, conn, Serial, OTHER, aid, new)?;
    Ok(row.map(|row| row.serial))
}

/// What becomes of a box that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is back.
    Returned,
    /// It is lost, and stays so.
    Lost,
}

/// Books a box out that is on its way or at an end customer; false if it is not.
pub async fn settle(conn: &mut Conn<'_>, serial: &str, fate: Fate, now: i64) -> Result<bool, sqlx::Error> {
    const SETTLE: &str =
        "UPDATE orders_boxes SET state = $2, updated_at = $3 WHERE serial = $1 AND state = 'shipped'";
    let state = match fate {
        Fate::Returned => "returned",
        Fate::Lost => "lost",
    };
    Ok(sql!(execute, conn, SETTLE, serial, state, now)? == 1)
}
