//! What a certificate says of itself. Does not know whether it is true: chain and signature are the handshake's business,
//! rights the registry's.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer as _};

use super::Error;
use crate::platform::audit::hex;

/// One certificate, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Serial, lower-case hex.
    pub serial: String,
    /// SHA-256 of the issuer's DER name, hex.
    pub issuer_hash: String,
    /// SHA-256 of the subject public key info, hex.
    pub key_hash: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Subject, for display.
    pub subject: String,
    /// URI names, for display.
    pub uri_sans: Vec<String>,
    /// Whether it may stand for a client: it has an extended key usage, and clientAuth is in it.
    pub client_auth: bool,
}

impl Peer {
    /// Reads one certificate in DER.
    pub fn parse(der: &[u8]) -> Result<Self, Error> {
        let certificate = parse(der)?;
        let refused = |what: &str| Error::Certificate(what.to_owned());
        let usage =
            certificate.extended_key_usage().map_err(|_| refused("its extended key usage is malformed"))?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|_| refused("its alternative names are malformed"))?;
        let uri_sans = names.iter().flat_map(|ext| &ext.value.general_names).filter_map(|name| match name {
            GeneralName::URI(uri) => Some((*uri).to_owned()),
            _ => None,
        });
        Ok(Self {
            serial: serial(&certificate)?,
            issuer_hash: sha256(certificate.issuer().as_raw()),
            key_hash: sha256(certificate.public_key().raw),
            not_before: instant(certificate.validity().not_before.timestamp())?,
            not_after: instant(certificate.validity().not_after.timestamp())?,
            subject: certificate.subject().to_string(),
            uri_sans: uri_sans.collect(),
            client_auth: usage.is_some_and(|ext| ext.value.client_auth),
        })
    }
}

/// Reads the X.509 structure; what follows it is refused.
pub(super) fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Error> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err(Error::Certificate("bytes follow it".to_owned())),
        Err(error) => Err(Error::Certificate(format!("not X.509: {error}"))),
    }
}

/// SHA-256, hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A negative serial is refused: without its sign it would read like a positive one.
fn serial(certificate: &X509Certificate<'_>) -> Result<String, Error> {
    let raw = certificate.raw_serial();
    match raw {
        [first, ..] if first & 0x80 == 0 => {}
        _ => return Err(Error::Certificate("its serial is not positive".to_owned())),
    }
    let zeros = raw.iter().take(raw.len() - 1).take_while(|b| **b == 0).count();
    Ok(hex(&raw[zeros..]))
}

fn instant(seconds: i64) -> Result<Timestamp, Error> {
    Timestamp::from_second(seconds).map_err(|_| Error::Certificate("its validity is out of range".to_owned()))
}
