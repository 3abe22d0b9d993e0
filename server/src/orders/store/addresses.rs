//! Fixed IPv4 addresses: each pool is handed out from its first address on; what came back is given again after its
//! quarantine. Who held which when is kept.

use jiff::SignedDuration;
use sqlx::FromRow;

use crate::{
    platform::{
        config::Orders,
        db::Conn,
        error::{Error, Reason},
        unit_of_work::Work,
    },
    sql,
};

#[derive(FromRow)]
struct Taken {
    taken: i64,
}

#[derive(FromRow)]
struct Number {
    addresses: i64,
}

#[derive(FromRow)]
struct Address {
    ipv4: String,
}

/// An access and the time that it held an address.
#[derive(Clone, Debug, FromRow)]
pub struct Held {
    /// Access id.
    pub aid: String,
    /// Service id.
    pub via: String,
    /// The order that created it.
    pub number: String,
    /// From when, business time, microseconds.
    pub assigned_at: i64,
    /// Until when; none while it holds it.
    pub released_at: Option<i64>,
}

/// Which access of one operator held an address at an instant, if its e-service is one of those.
pub async fn held(
    conn: &mut Conn<'_>,
    (party, e_services): (&str, &str),
    ipv4: &str,
    at: i64,
) -> Result<Option<Held>, sqlx::Error> {
    sql!(
        optional,
        conn,
        Held,
        "SELECT a.aid, s.via, s.number, a.assigned_at, a.released_at FROM orders_addresses a \
         JOIN orders_accesses s ON s.aid = a.aid JOIN orders o ON o.number = s.number \
         WHERE a.ipv4 = $1 AND a.party_id = $2 AND a.assigned_at <= $3 \
         AND (a.released_at IS NULL OR a.released_at > $3) AND $4 LIKE '%,' || o.e_service || ',%'",
        ipv4,
        party,
        at,
        e_services,
    )
}

/// Gives an access its address, or refuses: NO_ADDRESS_LEFT.
pub async fn assign(work: &mut Work, config: &Orders, aid: &str, party: &str) -> Result<String, Error> {
    let now = work.now.as_microsecond();
    let conn = &mut work.conn();
    let ipv4 = match fresh(conn, config).await? {
        Some(ipv4) => ipv4,
        None => returned(conn, config, now)
            .await?
            .ok_or_else(|| Error::new(Reason::NoAddressLeft, "no fixed IPv4 address is free"))?,
    };
    sql!(
        execute,
        conn,
        "INSERT INTO orders_addresses (ipv4, assigned_at, released_at, aid, party_id) VALUES ($1, $2, NULL, $3, $4)",
        &ipv4,
        now,
        aid,
        party,
    )?;
    Ok(ipv4)
}

/// Takes the address of an access back: it is given again after the quarantine.
pub async fn release(work: &mut Work, config: &Orders, aid: &str) -> Result<(), Error> {
    let quarantine = SignedDuration::from_hours(24 * i64::from(config.quarantine_days));
    let (now, free_from) = (work.now, work.now.saturating_add(quarantine).unwrap_or(work.now));
    let conn = &mut work.conn();
    const END: &str =
        "UPDATE orders_addresses SET released_at = $2 WHERE aid = $1 AND released_at IS NULL RETURNING ipv4";
    if let Some(address) = sql!(optional, conn, Address, END, aid, now.as_microsecond())? {
        sql!(
            execute,
            conn,
            "INSERT INTO orders_free_addresses (ipv4, free_from) VALUES ($1, $2) \
             ON CONFLICT (ipv4) DO UPDATE SET free_from = excluded.free_from",
            &address.ipv4,
            free_from.as_microsecond(),
        )?;
    }
    Ok(())
}

/// The next address that no access ever had. A pool that was cut anew meets addresses that are in use, or at rest: they are
/// passed over.
async fn fresh(conn: &mut Conn<'_>, config: &Orders) -> Result<Option<String>, sqlx::Error> {
    for pool in config.pools() {
        let name = pool.to_string();
        const TAKE: &str = "INSERT INTO orders_pools (pool, taken) VALUES ($1, 1) ON CONFLICT (pool) DO UPDATE \
                            SET taken = orders_pools.taken + 1 WHERE orders_pools.taken < $2 RETURNING taken";
        while let Some(row) = sql!(optional, conn, Taken, TAKE, &name, i64::from(pool.size()))? {
            let place = u32::try_from(row.taken - 1).ok();
            let Some(address) = place.and_then(|place| pool.address(place)) else { break };
            let ipv4 = address.to_string();
            const KNOWN: &str = "SELECT (SELECT COUNT(*) FROM orders_addresses WHERE ipv4 = $1 AND released_at IS NULL) \
                                 + (SELECT COUNT(*) FROM orders_free_addresses WHERE ipv4 = $1) AS addresses";
            if sql!(one, conn, Number, KNOWN, &ipv4)?.addresses == 0 {
                return Ok(Some(ipv4));
            }
        }
    }
    Ok(None)
}

/// The address that rested longest, if its quarantine is over.
async fn returned(conn: &mut Conn<'_>, config: &Orders, now: i64) -> Result<Option<String>, Error> {
    loop {
        const TAKE: &str = "DELETE FROM orders_free_addresses WHERE ipv4 = (SELECT ipv4 FROM orders_free_addresses \
                            WHERE free_from <= $1 ORDER BY free_from, ipv4 LIMIT 1) RETURNING ipv4";
        if let Some(address) = sql!(optional, conn, Address, TAKE, now)? {
            let ours = address.ipv4.parse().is_ok_and(|ip| config.pools().any(|pool| pool.contains(ip)));
            if ours {
                return Ok(Some(address.ipv4));
            }
            // Of a pool that is not configured any more: it is dropped, the next one may do.
            continue;
        }
        const LEFT: &str = "SELECT COUNT(*) AS addresses FROM orders_free_addresses WHERE free_from <= $1";
        if sql!(one, conn, Number, LEFT, now)?.addresses == 0 {
            return Ok(None);
        }
        // Another work took the one that was looked at, and others are left.
        return Err(Error::overtaken());
    }
}
