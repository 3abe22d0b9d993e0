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

/// One row of what the tables say: `what` it is, and what belongs to that.
#[derive(FromRow)]
struct Row {
    what: String,
    number: i64,
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

/// The revision of the last change.
pub async fn revision(conn: &mut Conn<'_>) -> Result<i64, sqlx::Error> {
    let row = sql!(one, conn, Revision, "SELECT revision FROM network WHERE id = 1")?;
    Ok(row.revision)
}

/// Looks at the tables, and reads them if they have moved. Whoever asks meanwhile waits, and finds what was read.
pub async fn look(platform: &Platform) -> Result<(), sqlx::Error> {
    let _turn = platform.network.turn_to_look().await;
    let mut reader = platform.db.read().await?;
    let conn = &mut reader.conn();
    if revision(conn).await? > platform.network.load().overlay.revision() {
        platform.network.follow(read(conn).await?);
    }
    Ok(())
}

/// Looks at the tables; says whether this node knows more of them than at the revision `before`.
pub async fn knows_more(platform: &Platform, before: i64) -> Result<bool, sqlx::Error> {
    look(platform).await?;
    Ok(platform.network.load().overlay.revision() > before)
}

/// What the tables say: one statement is one snapshot, so an overlay is exactly what its revision says.
pub async fn read(conn: &mut Conn<'_>) -> Result<Overlay, sqlx::Error> {
    const READ: &str = "SELECT 'revision' AS what, revision AS number, '' AS pto, '' AS imb, '' AS batiment, '' AS escalier, \
                        '' AS etage, '' AS pm, '' AS pbo, '' AS state, '' AS release FROM network WHERE id = 1 \
                        UNION ALL SELECT 'line', 0, pto, imb, batiment, escalier, etage, pm, pbo, state, release \
                        FROM network_lines \
                        UNION ALL SELECT 'held', held, '', '', '', '', '', pm, pbo, '', '' FROM network_fibres WHERE held > 0";
    let (mut revision, mut lines, mut held) = (0, Vec::new(), Vec::new());
    for row in sql!(all, conn, Row, READ)? {
        match row.what.as_str() {
            "revision" => revision = row.number,
            "held" => {
                let fibres = u32::try_from(row.number).unwrap_or(u32::MAX);
                held.push((row.pm.into(), row.pbo.into(), fibres));
            }
            _ => lines.extend(line(row)),
        }
    }
    Ok(Overlay::new(revision, lines, held))
}

fn line(row: Row) -> Option<Changed> {
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
