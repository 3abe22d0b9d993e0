//! The stored answer of a request: what was answered once is not worked out again.
//!
//! The unit of work looks under its lock; a handler may look before work that is dear. Knows no method.

use prost::Message;
use sqlx::FromRow;

use super::Origin;
use crate::{
    platform::{
        db::Conn,
        error::{Error, Reason},
    },
    sql,
};

#[derive(FromRow)]
struct Stored {
    body_hash: String,
    response: Vec<u8>,
}

/// The answer that a request got before, if it did.
pub async fn answered<A: Message + Default>(
    conn: &mut Conn<'_>,
    origin: &Origin,
) -> Result<Option<A>, Error> {
    let stored = sql!(
        optional,
        conn,
        Stored,
        "SELECT body_hash, response FROM requests WHERE party_id = $1 AND method = $2 AND request_id = $3",
        origin.caller.party_id(),
        origin.method,
        &origin.request_id,
    )?;
    let Some(stored) = stored else { return Ok(None) };
    if stored.body_hash != origin.body_hash {
        return Err(Error::new(Reason::RequestIdReused, "the request_id was used before with another body"));
    }
    metrics::counter!("eservices_replays_total").increment(1);
    A::decode(stored.response.as_slice()).map(Some).map_err(Error::internal)
}
