//! The registry: parties, what they are granted, and their certificates. The only authority over who may call.
//!
//! This file holds the words, [`write`](create_operator) the changes, [`read`](read_all) the look-ups. A change and its
//! audit line are one transaction, and every change moves `registry_version`, so that nodes read again. Knows neither
//! keys nor TLS, and not which method needs which right.

mod read;
#[cfg(test)]
mod tests;
mod write;

use eservices_reference::{eservices::EServices, ids::Siren};
use jiff::Timestamp;
use sqlx::FromRow;

use super::config::Environment;

pub use read::{
    find_certificates, find_party, grants_of, list_certificates, list_parties, normalised_serial, read_all,
    version,
};
pub use write::{
    create_operator, create_system, grant, register_certificate, revoke_certificate, set_status, withdraw,
};

/// The party that changes made on the command line are recorded under.
pub const CLI_ACTOR: &str = "s-cli";

/// Every role that a back-office system can hold.
pub const ROLES: &[&str] = &["logistics", "workforce"];

/// System codes that stand for the server itself in audit lines.
const RESERVED_CODES: &[&str] = &["cli", "eservices"];

/// The most characters of a display name or a label: what X.509 leaves for them in a subject.
pub const MAX_NAME: usize = 64;

/// Who a party is: an operator by its SIREN, a back-office system by its code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// An operator.
    Operator(Siren),
    /// A back-office system: code of small letters, digits and hyphens.
    System(String),
}

impl Holder {
    /// An operator.
    pub fn operator(siren: &str) -> Result<Self, Error> {
        let parsed = Siren::parse(siren);
        parsed.map(Self::Operator).map_err(|e| Error::Invalid(format!("siren: {e}, found {siren:?}")))
    }

    /// A back-office system.
    pub fn system(code: &str) -> Result<Self, Error> {
        let form = code.len() <= 32
            && code.starts_with(|c: char| c.is_ascii_lowercase())
            && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !form {
            return Err(Error::Invalid(format!(
                "code: expected a small letter and up to 31 small letters, digits or hyphens, for instance workforce, found {code:?}"
            )));
        }
        if RESERVED_CODES.contains(&code) {
            return Err(Error::Invalid(format!("code: {code} stands for the server itself")));
        }
        Ok(Self::System(code.to_owned()))
    }

    /// A party as people name it: digits are a SIREN, anything else a system's code.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.starts_with(|c: char| c.is_ascii_digit()) { Self::operator(text) } else { Self::system(text) }
    }

    /// `operator` or `system`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Operator(_) => "operator",
            Self::System(_) => "system",
        }
    }

    /// SIREN or code.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Operator(siren) => siren.as_str(),
            Self::System(code) => code,
        }
    }

    /// Its id in every table: `o-<siren>` or `s-<code>`.
    #[must_use]
    pub fn party_id(&self) -> String {
        match self {
            Self::Operator(siren) => format!("o-{siren}"),
            Self::System(code) => format!("s-{code}"),
        }
    }

    /// Refuses a name that is no e-service (for an operator) or no role (for a system).
    pub fn check_name(&self, name: &str, catalogue: &EServices) -> Result<(), Error> {
        let (known, what, all) = match self {
            Self::Operator(_) => {
                let all = catalogue.all().iter().map(|s| &*s.code).collect();
                (catalogue.get(name).is_some(), "e-service", all)
            }
            Self::System(_) => (ROLES.contains(&name), "role", ROLES.to_vec()),
        };
        if known {
            Ok(())
        } else {
            Err(Error::Invalid(format!("no such {what} {name:?}, expected one of {}", all.join(", "))))
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind(), self.code())
    }
}

/// Whether a party's calls pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// They do.
    Active,
    /// They do not.
    Suspended,
}

impl Status {
    /// As in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// An operator to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOperator {
    /// SIREN, nine digits.
    pub siren: String,
    /// Display name, for instance `Opérateur Alpha`.
    pub display_name: String,
    /// Interop quadrigram, for instance `ALPH`.
    pub quadrigram: String,
    /// What its end customers see.
    pub brand: Brand,
    /// Name of a quota tier of the configuration.
    pub quota_tier: String,
}

/// What an operator's end customers see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brand {
    /// Name; empty: the operator's display name.
    pub name: String,
    /// Telephone of its support.
    pub phone: String,
    /// Who messages come from.
    pub sender: String,
}

/// A back-office system to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSystem {
    /// Code, for instance `workforce`.
    pub code: String,
    /// Display name, for instance `Planification des interventions`.
    pub display_name: String,
    /// Name of a quota tier of the configuration.
    pub quota_tier: String,
}

/// A certificate to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// SHA-256 of the issuer's DER name, hex.
    pub issuer_hash: String,
    /// Serial, lower-case hex.
    pub serial: String,
    /// SHA-256 of the subject public key info, hex.
    pub key_hash: String,
    /// Who it stands for.
    pub holder: Holder,
    /// The one environment it opens.
    pub environment: Environment,
    /// E-services or roles that it names, sorted.
    pub names: Vec<String>,
    /// Free label, never parsed.
    pub label: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// The certificate and its chain, PEM.
    pub pem: String,
}

/// Who changes the registry, in answer to which request, and when.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// Party that acts.
    pub actor: &'a str,
    /// Its id of the request.
    pub request_id: &'a str,
    /// Machine time.
    pub now: Timestamp,
}

impl<'a> By<'a> {
    /// Someone at the command line.
    #[must_use]
    pub const fn cli(request_id: &'a str, now: Timestamp) -> Self {
        Self { actor: CLI_ACTOR, request_id, now }
    }
}

/// What a change did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It changed the registry.
    Changed,
    /// Everything was so already: nothing was written.
    Unchanged,
}

/// Why the registry refuses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value has not the form that it needs.
    #[error("{0}")]
    Invalid(String),
    /// It exists, and is not what was asked for.
    #[error("{what} exists already with another {fields}")]
    Exists {
        /// The object.
        what: String,
        /// What differs.
        fields: String,
    },
    /// It does not exist.
    #[error("no such {0}")]
    NotFound(String),
    /// More than one is meant.
    #[error("{0}")]
    Ambiguous(String),
    /// The database says no.
    #[error("the database refuses: {0}")]
    Database(#[from] sqlx::Error),
}

/// A row of `parties`, without the ends of its chains.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct PartyRow {
    /// `o-<siren>` or `s-<code>`.
    pub party_id: String,
    /// `operator` or `system`.
    pub kind: String,
    /// SIREN or code.
    pub code: String,
    /// Display name.
    pub display_name: String,
    /// Interop quadrigram; empty for a system.
    pub quadrigram: String,
    /// Name that end customers see.
    pub brand_name: String,
    /// Telephone of the support that end customers see.
    pub brand_phone: String,
    /// Who messages to end customers come from.
    pub brand_sender: String,
    /// `active` or `suspended`.
    pub status: String,
    /// Name of its quota tier.
    pub quota_tier: String,
    /// Machine time, microseconds.
    pub created_at: i64,
}

/// A row of `party_grants`.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct GrantRow {
    /// Whose.
    pub party_id: String,
    /// E-service or role.
    pub name: String,
}

/// A row of `certificates`, without its PEM.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct CertificateRow {
    /// SHA-256 of the issuer's DER name, hex.
    pub issuer_hash: String,
    /// Serial, lower-case hex.
    pub serial: String,
    /// SHA-256 of the subject public key info, hex.
    pub key_hash: String,
    /// Who it stands for.
    pub party_id: String,
    /// `production` or `non-production`.
    pub environment: String,
    /// E-services or roles that it names, comma separated, sorted.
    pub names: String,
    /// Free label.
    pub label: String,
    /// `active` or `revoked`.
    pub status: String,
    /// Start of validity, microseconds.
    pub not_before: i64,
    /// End of validity, microseconds.
    pub not_after: i64,
    /// When it was registered, machine time, microseconds.
    pub created_at: i64,
    /// When it was revoked, machine time, microseconds.
    pub revoked_at: Option<i64>,
}

/// The whole registry at one version, or newer where it moved meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Of `registry_version`.
    pub version: i64,
    /// Every party.
    pub parties: Vec<PartyRow>,
    /// Every grant.
    pub grants: Vec<GrantRow>,
    /// Every certificate.
    pub certificates: Vec<CertificateRow>,
}
