//! The tables behind the overlay: what orders change in the network, inside their own transaction.
//!
//! Each change moves the revision, last of all locks (`network` comes after every resource row). Knows no order.

use eservices_reference::{
    Line, Pbo, Reference,
    ids::{Imb, Pm, Pto},
    structure::Place,
};
use sqlx::FromRow;

use super::{Changed, Overlay};
use crate::{
    platform::{Platform, db::Conn, error::Error},
    sql,
};

#[derive(FromRow)]
struct Revision {
    revision: i64,
}

#[derive(FromRow)]
struct LineRow {
    pto: String,
    imb: String,
    batiment: String,
    escalier: String,
    etage: String,
    pm: String,
    pbo: String,
    state: String,
    release: String,
}

#[derive(FromRow)]
struct Socket {
    pto: String,
}

#[derive(FromRow)]
struct FibreRow {
    pm: String,
    pbo: String,
    held: i64,
}

/// The revision of the last change.
pub async fn revision(conn: &mut Conn<'_>) -> Result<i64, sqlx::Error> {
    let row = sql!(one, conn, Revision, "SELECT revision FROM network WHERE id = 1")?;
    Ok(row.revision)
}

/// How often tables that move meanwhile are read again at once.
const ATTEMPTS: u32 = 5;

/// Looks at the tables, and reads them if they have moved.
pub async fn look(platform: &Platform) -> Result<(), sqlx::Error> {
    let mut reader = platform.db.read().await?;
    let conn = &mut reader.conn();
    if revision(conn).await? <= platform.network.load().overlay.revision() {
        return Ok(());
    }
    for _ in 0..ATTEMPTS {
        if let Some(overlay) = read(conn).await? {
            platform.network.follow(overlay);
            return Ok(());
        }
    }
    tracing::warn!("the network moves faster than it is read; the next look tries again");
    Ok(())
}

/// What the tables say; nothing if they moved meanwhile: an overlay is exactly what its revision says.
pub async fn read(conn: &mut Conn<'_>) -> Result<Option<Overlay>, sqlx::Error> {
    const LINES: &str =
        "SELECT pto, imb, batiment, escalier, etage, pm, pbo, state, release FROM network_lines";
    let before = revision(conn).await?;
    let lines = sql!(all, conn, LineRow, LINES)?;
    let fibres = sql!(all, conn, FibreRow, "SELECT pm, pbo, held FROM network_fibres WHERE held > 0")?;
    if revision(conn).await? != before {
        return Ok(None);
    }
    let held = fibres
        .into_iter()
        .map(|row| (row.pm.into(), row.pbo.into(), u32::try_from(row.held).unwrap_or(u32::MAX)));
    Ok(Some(Overlay::new(before, lines.into_iter().filter_map(line), held)))
}

fn line(row: LineRow) -> Option<Changed> {
    let (Ok(pto), Ok(imb)) = (Pto::parse(&row.pto), Imb::parse(&row.imb)) else {
        tracing::error!("a line of the network cannot be read");
        return None;
    };
    let place =
        Place { batiment: row.batiment.into(), escalier: row.escalier.into(), etage: row.etage.into() };
    let pbo = Some(row.pbo).filter(|pbo| !pbo.is_empty()).map(Into::into);
    let line = Line { imb, place, pto, pbo, state: row.state.into() };
    Some(Changed { pm: row.pm.into(), line, release: row.release.into() })
}

/// Records a line that was laid, or whose state changed. `pm` is the one of its box, `release` the one that is served.
pub async fn put_line(conn: &mut Conn<'_>, line: &Line, pm: &Pm, release: &str) -> Result<(), Error> {
    sql!(
        execute,
        conn,
        "INSERT INTO network_lines (pto, imb, batiment, escalier, etage, pm, pbo, state, release) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
         ON CONFLICT (pto) DO UPDATE SET imb = excluded.imb, batiment = excluded.batiment, \
         escalier = excluded.escalier, etage = excluded.etage, pm = excluded.pm, pbo = excluded.pbo, \
         state = excluded.state, release = excluded.release",
        line.pto.as_str(),
        line.imb.as_str(),
        &*line.place.batiment,
        &*line.place.escalier,
        &*line.place.etage,
        pm.as_str(),
        line.pbo.as_deref().unwrap_or_default(),
        &*line.state,
        release,
    )?;
    step(conn).await
}

/// Holds a fibre of a box for an order, unless none is left; says whether it does. The box's row is locked first: what other
/// transactions hold or laid there is counted, whatever this node has in memory.
pub async fn hold_fibre(
    conn: &mut Conn<'_>,
    pm: &Pm,
    pbo: &str,
    reference: &Reference,
) -> Result<bool, Error> {
    let Some(free) = reference.pbo(pm, pbo).and_then(Pbo::free) else { return Ok(false) };
    sql!(
        execute,
        conn,
        "INSERT INTO network_fibres (pm, pbo, held) VALUES ($1, $2, 0) \
         ON CONFLICT (pm, pbo) DO UPDATE SET held = network_fibres.held",
        pm.as_str(),
        pbo,
    )?;
    const LAID: &str = "SELECT pto FROM network_lines WHERE pm = $1 AND pbo = $2";
    let sockets = sql!(all, conn, Socket, LAID, pm.as_str(), pbo)?;
    let known = |socket: &Socket| Pto::parse(&socket.pto).is_ok_and(|pto| reference.line(&pto).is_some());
    let laid = sockets.iter().filter(|socket| !known(socket)).count();
    let most = i64::from(free).saturating_sub(i64::try_from(laid).unwrap_or(i64::MAX));
    const TAKE: &str = "UPDATE network_fibres SET held = held + 1 WHERE pm = $1 AND pbo = $2 AND held < $3";
    let rows = sql!(execute, conn, TAKE, pm.as_str(), pbo, most)?;
    step(conn).await?;
    Ok(rows == 1)
}

/// Gives a held fibre back: the socket was laid, or the order ended without it; says whether one was held.
pub async fn release_fibre(conn: &mut Conn<'_>, pm: &Pm, pbo: &str) -> Result<bool, Error> {
    const GIVE: &str = "UPDATE network_fibres SET held = held - 1 WHERE pm = $1 AND pbo = $2 AND held > 0";
    let rows = sql!(execute, conn, GIVE, pm.as_str(), pbo)?;
    step(conn).await?;
    Ok(rows == 1)
}

/// Moves the revision: its row is locked until the end of the transaction, after every other row.
async fn step(conn: &mut Conn<'_>) -> Result<(), Error> {
    sql!(execute, conn, "UPDATE network SET revision = revision + 1 WHERE id = 1")?;
    Ok(())
}
