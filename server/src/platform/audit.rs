//! The audit trail: one SHA-256 chain a party, written in the transaction of the change.
//!
//! A line holds ids, field names and states, never personal values. Knows no slice.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use super::db::Conn;
use crate::sql;

/// What happened, and who did it.
#[derive(Clone, Debug)]
pub struct AuditLine<'a> {
    /// Whose chain.
    pub party_id: &'a str,
    /// Who acted: a party, or `s-eservices` for the server itself.
    pub actor: &'a str,
    /// Method, or the name of the server's own action.
    pub method: &'a str,
    /// The caller's `request_id`; empty for the server's own action.
    pub request_id: &'a str,
    /// The resource that changed.
    pub resource: &'a str,
    /// Field names and states.
    pub detail: &'a str,
    /// Machine time.
    pub recorded_at: Timestamp,
}

/// The end of a party's chain.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Chain {
    /// Lines so far.
    pub audit_length: i64,
    /// Hash of the last line, hex; empty before the first.
    pub audit_head: String,
}

/// One stored line.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Row {
    /// Position in the chain, from 1.
    pub position: i64,
    /// See [`AuditLine`].
    pub actor: String,
    /// See [`AuditLine`].
    pub method: String,
    /// See [`AuditLine`].
    pub request_id: String,
    /// See [`AuditLine`].
    pub resource: String,
    /// See [`AuditLine`].
    pub detail: String,
    /// Machine time, microseconds.
    pub recorded_at: i64,
    /// Hash of the line before, hex.
    pub previous: String,
    /// Hash of this line, hex.
    pub hash: String,
}

impl Chain {
    /// Adds a line at the end: its position and hash are in the chain afterwards.
    pub async fn push(&mut self, conn: &mut Conn<'_>, line: &AuditLine<'_>) -> Result<(), sqlx::Error> {
        let position = self.audit_length + 1;
        let recorded_at = line.recorded_at.as_microsecond();
        let hash = hash_of(
            line.party_id,
            position,
            [line.actor, line.method, line.request_id, line.resource, line.detail],
            recorded_at,
            &self.audit_head,
        );
        sql!(
            execute,
            conn,
            "INSERT INTO audit (party_id, position, actor, method, request_id, resource, detail, recorded_at, previous, hash) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            line.party_id,
            position,
            line.actor,
            line.method,
            line.request_id,
            line.resource,
            line.detail,
            recorded_at,
            &self.audit_head,
            &hash,
        )?;
        self.audit_length = position;
        self.audit_head = hash;
        Ok(())
    }
}

/// Adds one line to a party's chain where no unit of work holds the party's row (the registry's changes).
pub async fn append(conn: &mut Conn<'_>, line: AuditLine<'_>) -> Result<(), sqlx::Error> {
    let mut chain = sql!(
        one,
        conn,
        Chain,
        "UPDATE parties SET audit_length = audit_length WHERE party_id = $1 RETURNING audit_length, audit_head",
        line.party_id,
    )?;
    chain.push(conn, &line).await?;
    sql!(
        execute,
        conn,
        "UPDATE parties SET audit_length = $2, audit_head = $3 WHERE party_id = $1",
        line.party_id,
        chain.audit_length,
        &chain.audit_head,
    )?;
    Ok(())
}

/// Where a chain breaks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("audit chain of {party_id} breaks at position {position}")]
pub struct Broken {
    /// Whose chain.
    pub party_id: String,
    /// First position that does not follow from the one before, or that misses.
    pub position: i64,
}

/// Checks a party's whole chain against the end that its row remembers; answers the number of lines.
pub async fn verify(conn: &mut Conn<'_>, party_id: &str) -> Result<Result<i64, Broken>, sqlx::Error> {
    let end =
        sql!(one, conn, Chain, "SELECT audit_length, audit_head FROM parties WHERE party_id = $1", party_id)?;
    let rows = sql!(
        all,
        conn,
        Row,
        "SELECT position, actor, method, request_id, resource, detail, recorded_at, previous, hash FROM audit \
         WHERE party_id = $1 ORDER BY position",
        party_id,
    )?;
    let mut head = String::new();
    for (expected, row) in (1_i64..).zip(&rows) {
        let texts =
            [&row.actor, &row.method, &row.request_id, &row.resource, &row.detail].map(String::as_str);
        let hash = hash_of(party_id, row.position, texts, row.recorded_at, &head);
        if row.position != expected || row.previous != head || row.hash != hash {
            return Ok(Err(Broken { party_id: party_id.to_owned(), position: expected }));
        }
        head = hash;
    }
    let length = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if end.audit_length != length || end.audit_head != head {
        return Ok(Err(Broken { party_id: party_id.to_owned(), position: length + 1 }));
    }
    Ok(Ok(length))
}

/// SHA-256 over every field with its length, so that no two lines read alike.
fn hash_of(party_id: &str, position: i64, texts: [&str; 5], recorded_at: i64, previous: &str) -> String {
    let mut hasher = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    field(party_id.as_bytes());
    field(&position.to_be_bytes());
    for text in texts {
        field(text.as_bytes());
    }
    field(&recorded_at.to_be_bytes());
    field(previous.as_bytes());
    hex(&hasher.finalize())
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
