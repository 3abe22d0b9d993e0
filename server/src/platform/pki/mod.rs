//! Certificates: making authorities and what they issue, and reading what a peer presents.
//!
//! ECDSA P-256 for every key made here; nothing is left to rcgen's defaults. A name in a certificate is for people and
//! tools to read; the registry alone says what a certificate opens. Knows no database, no socket, no clock: instants
//! come in as values.

mod authority;
mod peer;
#[cfg(test)]
mod tests;

use jiff::{SignedDuration, Timestamp};

pub use authority::{Authority, Issued, KeySource, Profile};
pub use peer::Peer;

/// How far validity starts before the moment of issue, for clients whose clock is slow.
pub const BACKDATE: SignedDuration = SignedDuration::from_mins(5);

/// The days that a certificate is valid unless asked otherwise.
pub const DEFAULT_DAYS: u16 = 397;

/// Why a certificate can not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a certificate that can be read.
    #[error("cannot read the certificate: {0}")]
    Certificate(String),
    /// Not a private key that can be used.
    #[error("cannot read the private key: {0}; expected PKCS#8 in PEM")]
    Key(String),
    /// The certificate can not issue.
    #[error("the certificate cannot issue: {0}")]
    NotAnAuthority(&'static str),
    /// The certificate request is refused.
    #[error("the certificate request is refused: {0}")]
    Request(String),
    /// A value of the profile has not the form that it needs.
    #[error("{0}")]
    Profile(String),
    /// A validity that no certificate should have.
    #[error("validity: {0}")]
    Validity(String),
    /// The library says no.
    #[error("cannot make the certificate: {0}")]
    Making(#[from] rcgen::Error),
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Start.
    pub not_before: Timestamp,
    /// End.
    pub not_after: Timestamp,
}

impl Validity {
    /// This many days in all, from [`BACKDATE`] before `now` on.
    pub fn days(now: Timestamp, days: u16) -> Result<Self, Error> {
        let span = SignedDuration::from_hours(24 * i64::from(days));
        Self::lasting(now, span - BACKDATE)
    }

    /// From [`BACKDATE`] before `now` until a while after it.
    pub fn lasting(now: Timestamp, span: SignedDuration) -> Result<Self, Error> {
        let out_of_range = |e: jiff::Error| Error::Validity(e.to_string());
        let not_before = now.checked_sub(BACKDATE).map_err(out_of_range)?;
        let not_after = now.checked_add(span).map_err(out_of_range)?;
        Self { not_before, not_after }.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        if self.not_before < self.not_after {
            Ok(self)
        } else {
            Err(Error::Validity(format!("it ends at {}, before it starts", self.not_after)))
        }
    }
}
