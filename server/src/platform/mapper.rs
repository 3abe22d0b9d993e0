//! Statuses that came from below (tonic, health, reflection) → our catalogue; every refusal gets the call's id.
//!
//! Knows the wording of tonic's own statuses, and nothing of any slice.

use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::pb;

use super::error::{Error, Reason, status};

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// The status as the caller gets it.
#[must_use]
pub fn finished(found: Status, request_id: &str) -> Status {
    let mut body = match pb::Status::decode(found.details()) {
        Ok(body) if body.details.iter().any(|d| d.type_url == ERROR_INFO) => body,
        _ => return finished(Status::from(translated(&found)), request_id),
    };
    for detail in body.details.iter_mut().filter(|d| d.type_url == ERROR_INFO) {
        if let Ok(mut info) = pb::ErrorInfo::decode(detail.value.as_slice()) {
            info.metadata.insert("request_id".to_owned(), request_id.to_owned());
            detail.value = info.encode_to_vec();
        }
    }
    status(found.code(), found.message().to_owned(), body.details)
}

/// What a status without our `ErrorInfo` means.
fn translated(found: &Status) -> Error {
    let text = found.message();
    match found.code() {
        Code::Internal
            if text.contains("decode Protobuf")
                || text.contains("protocol error")
                || text.contains("Missing request")
                || text.contains("Unexpected EOF") =>
        {
            Error::new(Reason::MessageMalformed, "the message does not decode as the method's request")
        }
        Code::InvalidArgument => {
            Error::new(Reason::MessageMalformed, "the message is not a request of the method")
        }
        Code::Unknown if text.contains("h2 protocol error") || text.contains("stream error") => {
            Error::new(Reason::Cancelled, "the caller ended the call")
        }
        Code::OutOfRange | Code::ResourceExhausted => {
            Error::new(Reason::MessageTooLarge, "a message is larger than the server takes or sends")
        }
        Code::Unimplemented if text.contains("compress") => {
            Error::new(Reason::CompressionUnsupported, "the message's compression is not supported")
        }
        Code::Unimplemented => Error::new(Reason::MethodUnknown, "the server knows no such method"),
        Code::NotFound => Error::not_found("service", ""),
        Code::Cancelled => Error::new(Reason::Cancelled, "the caller ended the call"),
        Code::DeadlineExceeded => Error::new(Reason::DeadlineExceeded, "the deadline passed"),
        Code::Unavailable => Error::new(Reason::TemporarilyUnavailable, "temporarily unavailable"),
        code => Error::internal(format!("untranslated status {code:?}: {text}")),
    }
}
