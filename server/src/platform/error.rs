//! One error for the whole server, and its one translation into a status with google.rpc details.
//!
//! A reason comes from the contract's catalogue and brings its gRPC code and remedy. What must not leave the server (SQL,
//! file names, addresses) stays in `source`, for the log. Knows no slice.

use std::{error::Error as StdError, fmt, time::Duration};

pub use eservices::errors::v1::Reason;
use prost::Message as _;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::pb;

/// The most violations one status lists; the rest is a total in the metadata.
pub const MAX_VIOLATIONS: usize = 20;

/// A refusal or a fault.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Reason,
    message: String,
    metadata: Vec<(&'static str, String)>,
    fields: Vec<Violation>,
    preconditions: Vec<Precondition>,
    retry_after: Option<Duration>,
    detail: Option<Any>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    transient: bool,
}

/// One field that is missing or malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path from the request, for instance `intervention.place.street.street_number`.
    pub field: String,
    /// What was expected, with an example.
    pub description: String,
    /// The market's code for it; empty if there is none.
    pub code: &'static str,
}

/// One condition of the data that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Precondition {
    /// Reason that it stands for.
    pub kind: Reason,
    /// The object it speaks of.
    pub subject: String,
    /// Rule and figures.
    pub description: String,
    /// What its reason promises; sent where it gives the refusal its reason.
    pub facts: Vec<(&'static str, String)>,
}

impl Error {
    /// A refusal with a reason and a message that may be shown to the caller.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            reason,
            message: message.into(),
            metadata: Vec::new(),
            fields: Vec::new(),
            preconditions: Vec::new(),
            retry_after: None,
            detail: None,
            source: None,
            transient: false,
        }))
    }

    /// Form errors: all of them at once.
    #[must_use]
    pub fn fields(violations: Vec<Violation>) -> Self {
        let message = match violations.as_slice() {
            [one] => format!("{}: {}", one.field, one.description),
            many => format!("{} fields are invalid", many.len()),
        };
        let mut error =
            Self::new(Reason::FieldsInvalid, message).with("violation_count", violations.len().to_string());
        error.0.fields = violations;
        error
    }

    /// Business errors: all of them at once; the first one gives the reason.
    #[must_use]
    pub fn preconditions(violations: Vec<Precondition>) -> Self {
        let reason = violations.first().map_or(Reason::Internal, |v| v.kind);
        let message = match violations.as_slice() {
            [one] => format!("{}: {}", one.subject, one.description),
            many => format!("{} conditions are not met", many.len()),
        };
        let mut error = Self::new(reason, message).with("violation_count", violations.len().to_string());
        let facts = violations.first().map(|v| v.facts.clone()).unwrap_or_default();
        error.0.metadata.extend(facts);
        error.0.preconditions = violations;
        error
    }

    /// No such object for this caller; the same answer for a foreign one.
    #[must_use]
    pub fn not_found(resource_type: &'static str, name: impl Into<String>) -> Self {
        Self::new(Reason::ResourceNotFound, format!("no such {resource_type}"))
            .with("resource_type", resource_type)
            .with("resource_name", name)
    }

    /// A fault of ours: the caller learns nothing but the request id.
    #[must_use]
    pub fn internal(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let mut error = Self::new(Reason::Internal, "internal error");
        error.0.source = Some(source.into());
        error
    }

    /// Somebody else changed what this work was decided on: it runs again.
    #[must_use]
    pub fn overtaken() -> Self {
        let mut error = Self::new(Reason::TemporarilyUnavailable, "overtaken by another change")
            .retry_after(Duration::from_secs(1));
        error.0.transient = true;
        error
    }

    /// Adds a fact to the `ErrorInfo`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.metadata.push((key, value.into()));
        self
    }

    /// The same as one condition among others: what it speaks of, its message and its facts.
    #[must_use]
    pub fn condition(self, subject: impl Into<String>) -> Precondition {
        let Inner { reason, message, metadata, .. } = *self.0;
        Precondition { kind: reason, subject: subject.into(), description: message, facts: metadata }
    }

    /// Adds when to try again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// Adds a typed message of the slice, for instance alternatives.
    #[must_use]
    pub fn detail(mut self, type_name: &str, message: &impl prost::Message) -> Self {
        self.0.detail = Some(any(type_name, message));
        self
    }

    /// What it is refused for, condition by condition; empty where there is one reason alone.
    #[must_use]
    pub fn conditions(&self) -> &[Precondition] {
        &self.0.preconditions
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.0.reason
    }

    /// Whether the same unit of work may pass if it runs again at once.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.0.transient
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|e| e.code()).unwrap_or_default().into_owned();
        let transient = matches!(code.as_str(), "40001" | "40P01" | "5" | "261" | "517" | "773");
        let away = transient
            || matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            )
            || code.starts_with("57P")
            || code.starts_with("08")
            || matches!(code.as_str(), "53300" | "57014" | "55P03" | "25P03");
        let mut mapped = if away {
            Self::new(Reason::TemporarilyUnavailable, "the database cannot be reached for now")
                .retry_after(Duration::from_secs(1))
        } else {
            Self::new(Reason::Internal, "internal error")
        };
        mapped.0.transient = transient;
        mapped.0.source = Some(error.into());
        mapped
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.reason.info().name, self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let inner = *error.0;
        let info = inner.reason.info();
        if let Some(source) = &inner.source {
            tracing::error!(reason = info.name, error = %source, "call failed");
        }
        let mut details = Vec::with_capacity(4);
        let mut metadata: std::collections::HashMap<String, String> =
            inner.metadata.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        metadata.insert("remedy".to_owned(), info.remedy.to_owned());
        details.push(any(
            "google.rpc.ErrorInfo",
            &pb::ErrorInfo {
                reason: info.name.to_owned(),
                domain: eservices::ERROR_DOMAIN.to_owned(),
                metadata,
            },
        ));
        if !inner.fields.is_empty() {
            let field_violations =
                inner.fields.into_iter().take(MAX_VIOLATIONS).map(|v| pb::bad_request::FieldViolation {
                    field: v.field,
                    description: clipped(v.description),
                    reason: v.code.to_owned(),
                    ..Default::default()
                });
            details.push(any(
                "google.rpc.BadRequest",
                &pb::BadRequest { field_violations: field_violations.collect() },
            ));
        }
        if !inner.preconditions.is_empty() {
            let violations = inner.preconditions.into_iter().take(MAX_VIOLATIONS).map(|v| {
                pb::precondition_failure::Violation {
                    r#type: v.kind.info().name.to_owned(),
                    subject: v.subject,
                    description: clipped(v.description),
                }
            });
            details.push(any(
                "google.rpc.PreconditionFailure",
                &pb::PreconditionFailure { violations: violations.collect() },
            ));
        }
        if let Some(delay) = inner.retry_after {
            let retry_delay = prost_types::Duration::try_from(delay).ok();
            details.push(any("google.rpc.RetryInfo", &pb::RetryInfo { retry_delay }));
        }
        details.extend(inner.detail);
        status(info.code, clipped(inner.message), details)
    }
}

/// A status whose details are these.
pub(super) fn status(code: Code, message: String, details: Vec<Any>) -> Status {
    let body = pb::Status { code: code as i32, message: message.clone(), details };
    Status::with_details(code, message, body.encode_to_vec().into())
}

fn any(type_name: &str, message: &impl prost::Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{type_name}"), value: message.encode_to_vec() }
}

/// Keeps one sentence short: details stay below 4 KiB.
fn clipped(mut text: String) -> String {
    const MOST: usize = 120;
    if text.len() > MOST {
        let end = (0..=MOST - 4).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Collects form errors while a request is parsed; nothing stops at the first.
#[derive(Debug, Default)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Notes one.
    pub fn push(&mut self, field: impl Into<String>, description: impl Into<String>) {
        self.push_coded(field, "", description);
    }

    /// Notes one that the market has a code for.
    pub fn push_coded(
        &mut self,
        field: impl Into<String>,
        code: &'static str,
        description: impl Into<String>,
    ) {
        self.0.push(Violation { field: field.into(), description: description.into(), code });
    }

    /// Takes the value, or notes why it is none.
    pub fn take<T>(&mut self, field: &str, parsed: Result<T, impl fmt::Display>) -> Option<T> {
        parsed.map_err(|e| self.push(field, e.to_string())).ok()
    }

    /// All of them as one refusal, or nothing.
    pub fn check(self) -> Result<(), Error> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::fields(self.0)) }
    }

    /// The value if nothing was noted, the refusal otherwise.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Error> {
        self.check()?;
        value.ok_or_else(|| Error::internal("a value is missing though nothing was noted"))
    }
}
