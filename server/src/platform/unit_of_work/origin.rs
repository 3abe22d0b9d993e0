//! Which request a command comes from: its sender, its id, the hash of its body. What a replay is told by.
//!
//! Knows no transaction.

use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::platform::{audit::hex, error::Error, identity::Caller, quota::Permit};

/// Who sent a mutating request, and the hash of its body without its id.
pub struct Sender {
    /// Who calls.
    pub caller: Caller,
    body_hash: String,
    permit: Option<Permit>,
}

/// Which request a command comes from.
#[derive(Clone, Debug)]
pub struct Origin {
    pub(super) caller: Caller,
    pub(super) method: &'static str,
    pub(super) request_id: String,
    pub(super) body_hash: String,
    /// Held until the work is done, so that a reset does not free it early.
    _permit: Option<Permit>,
}

/// Takes a mutating request apart: its sender, its id as it was written, and the rest.
pub fn open<T: Message>(
    request: tonic::Request<T>,
    id: impl FnOnce(&mut T) -> &mut String,
) -> Result<(Sender, String, T), Error> {
    let (caller, permit) = (Caller::of(&request)?, request.extensions().get().cloned());
    let mut request = request.into_inner();
    // Without the id: the same UUID in other letters is the same request.
    let request_id = std::mem::take(id(&mut request));
    let body_hash = hex(&Sha256::digest(request.encode_to_vec()));
    Ok((Sender { caller, body_hash, permit }, request_id, request))
}

impl Sender {
    /// The origin of the command that the request asks for.
    #[must_use]
    pub fn origin(self, method: &'static str, request_id: String) -> Origin {
        let Self { caller, body_hash, permit } = self;
        Origin { caller, method, request_id, body_hash, _permit: permit }
    }
}
