//! What a failure below gRPC means: a status code, and whether another attempt can help. Knows no method.

use std::{error::Error, fmt, io, sync::Arc};

use h2::Reason;
use tonic::{Code, Status, TimeoutExpired};

/// A failure that no server answer came with.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What the caller reads.
    pub(crate) status: Status,
    /// True where the same call may pass a moment later.
    pub(crate) transient: bool,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Fault {
    /// Of a call that ended before any answer.
    pub(crate) fn of_call(error: BoxError) -> Self {
        match error.downcast::<Status>() {
            Ok(status) => Self { status: *status, transient: false },
            Err(error) => Self::of(error.as_ref()),
        }
    }

    /// Of a body that ended before its trailers. What the server or the codec said stays as it is.
    pub(crate) fn of_body(status: Status) -> Self {
        match (status.code(), status.source()) {
            (Code::Unknown | Code::Cancelled, Some(source)) => Self::of(source),
            _ => Self { status, transient: false },
        }
    }

    fn of(error: &(dyn Error + 'static)) -> Self {
        let mut link = Some(error);
        while let Some(current) = link {
            if let Some(fault) = Self::of_link(current, error) {
                return fault;
            }
            link = current.source();
        }
        Self::new(Code::Unavailable, true, error)
    }

    /// The meaning of one link of the chain, if it has one of its own.
    fn of_link(link: &(dyn Error + 'static), whole: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(status) = link.downcast_ref::<Status>() {
            return Some(Self { status: status.clone(), transient: false });
        }
        if link.is::<TimeoutExpired>() {
            return Some(Self::new(Code::DeadlineExceeded, false, whole));
        }
        if let Some(h2) = link.downcast_ref::<h2::Error>() {
            return match (h2.reason(), h2.get_io()) {
                (_, Some(io)) => Self::of_io(io, whole),
                (Some(reason), _) => {
                    let code = code_of(reason, h2.is_go_away());
                    Some(Self::new(code, code == Code::Unavailable, whole))
                }
                _ => None,
            };
        }
        link.downcast_ref::<io::Error>().and_then(|io| Self::of_io(io, whole))
    }

    /// TLS refuses with `InvalidData`: a wrong certificate on either side, which no repetition rights.
    fn of_io(io: &io::Error, whole: &(dyn Error + 'static)) -> Option<Self> {
        (io.kind() == io::ErrorKind::InvalidData).then(|| Self::new(Code::Unavailable, false, whole))
    }

    fn new(code: Code, transient: bool, error: &(dyn Error + 'static)) -> Self {
        let mut status = Status::new(code, format!("no answer: {}", describe(error)));
        if !transient {
            status.set_source(Arc::new(Lasting));
        }
        Self { status, transient }
    }
}

/// Marks the status of a failure that no repetition rights, as its source.
#[derive(Debug)]
struct Lasting;

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another attempt would end alike")
    }
}

impl Error for Lasting {}

/// Whether a call failed below gRPC in a way that no repetition rights, for instance for its certificate.
pub(crate) fn lasts(status: &Status) -> bool {
    status.source().is_some_and(|source| source.is::<Lasting>())
}

/// The code of a stream or connection that the server ended: gRPC over HTTP/2, section Errors.
fn code_of(reason: Reason, connection: bool) -> Code {
    match reason {
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ if connection => Code::Unavailable,
        Reason::CANCEL => Code::Cancelled,
        _ => Code::Internal,
    }
}

/// The whole chain in one line, without links that say nothing new.
pub(crate) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    let mut link = Some(error);
    while let Some(current) = link {
        let said = current.to_string();
        if !text.contains(&said) && said != "transport error" {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        link = current.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(error: impl Error + Send + Sync + 'static) -> (Code, bool) {
        let fault = Fault::of_call(Box::new(error));
        (fault.status.code(), fault.transient)
    }

    #[test]
    fn a_connection_that_broke_may_come_back_and_a_refused_certificate_does_not() {
        assert_eq!(judged(io::Error::from(io::ErrorKind::ConnectionRefused)), (Code::Unavailable, true));
        assert_eq!(judged(io::Error::from(io::ErrorKind::ConnectionReset)), (Code::Unavailable, true));
        assert_eq!(judged(io::Error::from(io::ErrorKind::UnexpectedEof)), (Code::Unavailable, true));
        let refused = io::Error::new(io::ErrorKind::InvalidData, "received fatal alert: UnknownCA");
        let fault = Fault::of_call(Box::new(refused));
        assert_eq!(
            (fault.status.code(), fault.transient, lasts(&fault.status)),
            (Code::Unavailable, false, true)
        );
        let reset = Fault::of_call(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)));
        assert!(!lasts(&reset.status));
    }

    #[test]
    fn a_stream_that_the_server_reset_means_what_grpc_says() {
        assert_eq!(judged(h2::Error::from(Reason::REFUSED_STREAM)), (Code::Unavailable, true));
        assert_eq!(judged(h2::Error::from(Reason::INTERNAL_ERROR)), (Code::Internal, false));
        assert_eq!(judged(h2::Error::from(Reason::PROTOCOL_ERROR)), (Code::Internal, false));
        assert_eq!(judged(h2::Error::from(Reason::CANCEL)), (Code::Cancelled, false));
        assert_eq!(judged(h2::Error::from(Reason::ENHANCE_YOUR_CALM)), (Code::ResourceExhausted, false));
        assert_eq!(judged(h2::Error::from(Reason::INADEQUATE_SECURITY)), (Code::PermissionDenied, false));
        assert_eq!(code_of(Reason::NO_ERROR, true), Code::Unavailable);
    }

    #[test]
    fn a_status_on_the_way_stays_as_it_is() {
        assert_eq!(judged(Status::out_of_range("too large")), (Code::OutOfRange, false));
        assert_eq!(judged(TimeoutExpired(())), (Code::DeadlineExceeded, false));
    }

    #[test]
    fn a_chain_reads_as_one_line_without_repetition() {
        let inner = io::Error::new(io::ErrorKind::ConnectionRefused, "refused");
        let outer = tonic::ConnectError(Box::new(inner));
        assert_eq!(describe(&outer), "refused");
        assert_eq!(Fault::of(&outer).status.message(), "no answer: refused");
    }
}
