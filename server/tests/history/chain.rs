//! The hash of an audit line, from the published field order alone.

use sha2::{Digest as _, Sha256};

use super::AuditRow;

/// SHA-256, lower-case hex, over party, position, actor, method, request id, resource, detail, instant and the hash
/// before, in this order; before each field its length in bytes, and every number, as eight bytes, the first the highest.
pub fn hash_of(line: &AuditRow, previous: &str) -> String {
    let (position, instant) = (line.position.to_be_bytes(), line.recorded_at.to_be_bytes());
    let fields: [&[u8]; 9] = [
        line.party_id.as_bytes(),
        &position,
        line.actor.as_bytes(),
        line.method.as_bytes(),
        line.request_id.as_bytes(),
        line.resource.as_bytes(),
        line.detail.as_bytes(),
        &instant,
        previous.as_bytes(),
    ];
    let mut text = Vec::new();
    for field in fields {
        text.extend_from_slice(&(field.len() as u64).to_be_bytes());
        text.extend_from_slice(field);
    }
    Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect()
}
