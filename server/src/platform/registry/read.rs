//! Look-ups in the registry, for the identity layer and for administration. Changes nothing.

use sqlx::FromRow;

use super::{CertificateRow, Error, GrantRow, Holder, PartyRow, Snapshot};
use crate::{platform::db::Conn, sql};

macro_rules! parties {
    ($rest:literal) => {
        concat!(
            "SELECT party_id, kind, code, display_name, quadrigram, brand_name, brand_phone, brand_sender, status, \
             quota_tier, created_at FROM parties ",
            $rest
        )
    };
}

macro_rules! certificates {
    ($rest:literal) => {
        concat!(
            "SELECT issuer_hash, serial, key_hash, party_id, environment, names, label, status, not_before, not_after, \
             created_at, revoked_at FROM certificates ",
            $rest
        )
    };
}

#[derive(FromRow)]
struct Version {
    version: i64,
}

/// The version that every change moves.
pub async fn version(conn: &mut Conn<'_>) -> Result<i64, sqlx::Error> {
    let row = sql!(one, conn, Version, "SELECT version FROM registry_version WHERE id = 1")?;
    Ok(row.version)
}

/// The whole registry.
///
/// The version is read first: what a change adds between two statements shows under the version before it, and is read
/// again at the next look. A certificate may then name a party that is not in the list yet.
pub async fn read_all(conn: &mut Conn<'_>) -> Result<Snapshot, sqlx::Error> {
    Ok(Snapshot {
        version: version(conn).await?,
        parties: list_parties(conn).await?,
        grants: sql!(all, conn, GrantRow, "SELECT party_id, name FROM party_grants ORDER BY party_id, name")?,
        certificates: list_certificates(conn, None).await?,
    })
}

/// Every party, operators first, by code.
pub async fn list_parties(conn: &mut Conn<'_>) -> Result<Vec<PartyRow>, sqlx::Error> {
    sql!(all, conn, PartyRow, parties!("ORDER BY kind, code"))
}

/// One party.
pub async fn find_party(conn: &mut Conn<'_>, holder: &Holder) -> Result<Option<PartyRow>, sqlx::Error> {
    sql!(optional, conn, PartyRow, parties!("WHERE party_id = $1"), holder.party_id())
}

/// What a party subscribes to or which roles it holds, sorted.
pub async fn grants_of(conn: &mut Conn<'_>, party_id: &str) -> Result<Vec<String>, sqlx::Error> {
    let text = "SELECT party_id, name FROM party_grants WHERE party_id = $1 ORDER BY name";
    let rows = sql!(all, conn, GrantRow, text, party_id)?;
    Ok(rows.into_iter().map(|row| row.name).collect())
}

/// Every certificate, or one party's, the last to expire first.
pub async fn list_certificates(
    conn: &mut Conn<'_>,
    party_id: Option<&str>,
) -> Result<Vec<CertificateRow>, sqlx::Error> {
    match party_id {
        Some(id) => {
            let text = certificates!("WHERE party_id = $1 ORDER BY not_after DESC, serial");
            sql!(all, conn, CertificateRow, text, id)
        }
        None => sql!(all, conn, CertificateRow, certificates!("ORDER BY party_id, not_after DESC, serial")),
    }
}

/// The certificates with a serial, at most one an issuer.
pub async fn find_certificates(
    conn: &mut Conn<'_>,
    serial: &str,
) -> Result<Vec<CertificateRow>, sqlx::Error> {
    sql!(all, conn, CertificateRow, certificates!("WHERE serial = $1 ORDER BY issuer_hash"), serial)
}

/// A serial as the table holds it, from any of the ways that tools print one (`5F:0A…`, `0x5f0a…`, `5F0A…`).
pub fn normalised_serial(text: &str) -> Result<String, Error> {
    let bare = text.strip_prefix("0x").unwrap_or(text);
    let mut digits: String = bare.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    digits.make_ascii_lowercase();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Error::Invalid(format!(
            "serial: expected hexadecimal digits, for instance 5f0a27c1, found {text:?}"
        )));
    }
    if digits.len() % 2 == 1 {
        digits.insert(0, '0');
    }
    while digits.len() > 2 && digits.starts_with("00") {
        digits.drain(..2);
    }
    Ok(digits)
}
