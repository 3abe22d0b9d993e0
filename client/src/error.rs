//! A refused call, read: reason, remedy, violations, and what else the server says about it.
//!
//! Knows the shape of `google.rpc` details and the catalogue of reasons; decides nothing, and in particular not whether
//! a call should be sent again.

use std::{collections::HashMap, fmt, time::Duration};

use eservices::{ERROR_DOMAIN, appointments::v1::SlotAlternatives, errors::v1::Reason};
use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::pb;

/// A call that did not succeed.
///
/// Built from the [`Status`] that every call returns, so `?` converts:
///
/// ```no_run
/// use eservices_client::{Client, Error, contract::appointments::v1::GetAppointmentRequest};
///
/// async fn state(client: &Client, reference: String) -> Result<i32, Error> {
///     let answer = client.appointments().get_appointment(GetAppointmentRequest { reference }).await?;
///     Ok(answer.into_inner().appointment.unwrap_or_default().state)
/// }
/// ```
///
/// A failure that no server answered (deadline, lost connection) has a code and a message, and no reason.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    status: Status,
    details: Vec<Any>,
    info: Option<pb::ErrorInfo>,
}

/// A field that the server did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Path of the field in the request, for instance `intervention.place.street.street_number`.
    pub field: String,
    /// What is wrong with it.
    pub description: String,
    /// Code of what is wrong, for instance `FIMP16`; empty where the market has none.
    pub code: String,
}

/// A condition that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreconditionViolation {
    /// Name of the condition, for instance `FRDV02`.
    pub kind: String,
    /// What it was checked on, for instance a slot's id.
    pub subject: String,
    /// What is wrong with it.
    pub description: String,
}

impl Error {
    /// The gRPC status code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.status.code()
    }

    /// Why the server refused. None for a failure that no server answered, and for a reason newer than this client:
    /// see [`Error::reason_name`].
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        Reason::from_str_name(&format!("REASON_{}", self.reason_name()?))
    }

    /// The reason as it came, for instance `FRDV02`.
    #[must_use]
    pub fn reason_name(&self) -> Option<&str> {
        self.0.info.as_ref().map(|info| info.reason.as_str())
    }

    /// What went wrong, one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        self.0.status.message()
    }

    /// What to do next, one sentence.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.metadata("remedy")
    }

    /// The call's id on the server, to quote to the support. Not the `request_id` field of the request.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.metadata("request_id")
    }

    /// One value that comes with the reason; the contract lists the keys of each (`ReasonInfo::metadata_keys`).
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.all_metadata()?.get(key).map(String::as_str)
    }

    /// All values that come with the reason.
    #[must_use]
    pub fn all_metadata(&self) -> Option<&HashMap<String, String>> {
        self.0.info.as_ref().map(|info| &info.metadata)
    }

    /// Fields that were not accepted, with `FIELDS_INVALID`. At most 20: `violation_count` in the metadata is the total.
    #[must_use]
    pub fn field_violations(&self) -> Vec<FieldViolation> {
        let found = self.detail::<pb::BadRequest>("google.rpc.BadRequest").unwrap_or_default();
        let read = |v: pb::bad_request::FieldViolation| FieldViolation {
            field: v.field,
            description: v.description,
            code: v.reason,
        };
        found.field_violations.into_iter().map(read).collect()
    }

    /// Conditions that were not met, in the published order, with FAILED_PRECONDITION.
    #[must_use]
    pub fn precondition_violations(&self) -> Vec<PreconditionViolation> {
        let found =
            self.detail::<pb::PreconditionFailure>("google.rpc.PreconditionFailure").unwrap_or_default();
        let read = |v: pb::precondition_failure::Violation| PreconditionViolation {
            kind: v.r#type,
            subject: v.subject,
            description: v.description,
        };
        found.violations.into_iter().map(read).collect()
    }

    /// How long to wait before the call is worth sending again. The client itself has waited that long where its
    /// policy and the deadline let it.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        std_duration(self.detail::<pb::RetryInfo>("google.rpc.RetryInfo")?.retry_delay)
    }

    /// Other slots with room, with `FRDV02`.
    #[must_use]
    pub fn alternatives(&self) -> Option<SlotAlternatives> {
        self.detail("eservices.appointments.v1.SlotAlternatives")
    }

    /// Any detail by the full name of its message, for instance `google.rpc.ResourceInfo`. None if it is not there or
    /// does not decode.
    #[must_use]
    pub fn detail<M: Message + Default>(&self, full_name: &str) -> Option<M> {
        find(&self.0.details, full_name)
    }

    /// The status that the error was read from.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.0.status
    }
}

/// The first detail of that name that decodes.
pub(crate) fn find<M: Message + Default>(details: &[Any], full_name: &str) -> Option<M> {
    let named = |any: &&Any| any.type_url.rsplit('/').next() == Some(full_name);
    details.iter().filter(named).find_map(|any| M::decode(any.value.as_slice()).ok())
}

/// None if absent or negative.
pub(crate) fn std_duration(wire: Option<prost_types::Duration>) -> Option<Duration> {
    wire?.try_into().ok()
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let details = pb::Status::decode(status.details()).unwrap_or_default().details;
        let info =
            find::<pb::ErrorInfo>(&details, "google.rpc.ErrorInfo").filter(|i| i.domain == ERROR_DOMAIN);
        Self(Box::new(Inner { status, details, info }))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        error.0.status
    }
}

/// `FAILED_PRECONDITION/FRDV02: the slot has no room (hold one of the alternatives) [request 0199…]`
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(eservices::code_name(self.code()))?;
        if let Some(reason) = self.reason_name() {
            write!(f, "/{reason}")?;
        }
        write!(f, ": {}", self.message())?;
        if let Some(remedy) = self.remedy() {
            write!(f, " ({remedy})")?;
        }
        self.request_id().map_or(Ok(()), |id| write!(f, " [request {id}]"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details: Vec<_> = self.0.details.iter().map(|any| any.type_url.as_str()).collect();
        f.debug_struct("Error")
            .field("code", &self.code())
            .field("reason", &self.reason_name())
            .field("message", &self.message())
            .field("metadata", &self.all_metadata())
            .field("details", &details)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.status)
    }
}
