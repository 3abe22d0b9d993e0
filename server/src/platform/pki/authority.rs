//! Authorities, and the certificates that they issue.
//!
//! Does not know who may ask for which certificate, nor where keys are kept.

use std::net::IpAddr;

use jiff::Timestamp;
use rand::Rng as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
    SubjectPublicKeyInfo,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, pem::PemObject as _};
use time::OffsetDateTime;
use x509_parser::{certification_request::X509CertificationRequest, prelude::FromDer as _};

use super::{
    Error, Validity,
    peer::{Peer, parse, sha256},
};
use crate::platform::{
    config::Environment,
    registry::{Holder, MAX_NAME, Registration},
};

/// Signature algorithms of a certificate request: SHA-2 and Ed25519 only.
const REQUEST_ALGORITHMS: &[&str] = &[
    "1.2.840.113549.1.1.10",
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.3.101.112",
];

/// A certificate that issues others, and its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, and above it those that came with it.
    chain_pem: String,
    /// Length of its own certificate in `chain_pem`.
    own_length: usize,
    name_hash: String,
    not_after: Timestamp,
    issues_authorities: bool,
}

/// What a certificate is for.
#[derive(Clone, Debug)]
pub enum Profile {
    /// A server: serverAuth only.
    Server {
        /// Names that clients call it by.
        dns: Vec<String>,
        /// Addresses that clients call it by.
        ips: Vec<IpAddr>,
    },
    /// An operator or a back-office system: clientAuth only.
    Client {
        /// Who it stands for.
        holder: Holder,
        /// Its name, for people.
        display_name: String,
        /// The one environment it opens.
        environment: Environment,
        /// E-services or roles that it names.
        names: Vec<String>,
        /// Free label, for instance `900000019_eRDV_test`.
        label: String,
    },
}

/// Where the key of a certificate comes from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// Made here.
    Generate,
    /// From a certificate request in PEM. Only its public key is taken, and only if its holder signed the request.
    Csr(String),
}

/// A certificate that was issued.
pub struct Issued {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// The certificate and its issuer's, PEM.
    pub chain_pem: String,
    /// The private key, PKCS#8 in PEM, where it was made here.
    pub key_pem: Option<String>,
    /// What the certificate says of itself.
    pub peer: Peer,
    /// What the registry needs to know; nothing for a server's certificate.
    pub registration: Option<Registration>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({})", self.name_hash)
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Issued({:?})", self.peer)
    }
}

impl Authority {
    /// A root: it signs itself, and may issue authorities that issue no others.
    pub fn new_root(common_name: &str, not_before: Timestamp, not_after: Timestamp) -> Result<Self, Error> {
        let validity = Validity { not_before, not_after }.checked()?;
        let params = authority_params(common_name, validity, 1)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.self_signed(&key)?;
        Self::assemble(Issuer::new(params, key), certificate.der(), certificate.pem(), "")
    }

    /// An authority below this one, for client or server certificates.
    pub fn issue_authority(
        &self,
        common_name: &str,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<Self, Error> {
        if !self.issues_authorities {
            return Err(Error::NotAnAuthority("its path length allows no authority below it"));
        }
        let validity = self.within(Validity { not_before, not_after })?;
        let params = authority_params(common_name, validity, 0)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        self.check_issuer(&Peer::parse(certificate.der())?)?;
        Self::assemble(Issuer::new(params, key), certificate.der(), certificate.pem(), "")
    }

    /// One made before: its certificate (with those above it, if any) and its key, in PEM.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, Error> {
        let mut ders = CertificateDer::pem_slice_iter(certificate.as_bytes());
        let der = match ders.next() {
            Some(der) => der.map_err(|e| Error::Certificate(format!("not PEM: {e}")))?,
            None => return Err(Error::Certificate("no certificate in PEM is in it".to_owned())),
        };
        let mut sections = sections(certificate);
        let own = sections.next().unwrap_or_default();
        let above: String = sections.collect();
        let key = KeyPair::from_pem(key).map_err(|e| Error::Key(e.to_string()))?;
        let parsed = parse(&der)?;
        if key.subject_public_key_info() != parsed.public_key().raw {
            return Err(Error::NotAnAuthority("the private key is that of another certificate"));
        }
        Self::assemble(Issuer::from_ca_cert_der(&der, key)?, &der, own, &above)
    }

    fn assemble(
        issuer: Issuer<'static, KeyPair>,
        der: &CertificateDer<'_>,
        own: String,
        above: &str,
    ) -> Result<Self, Error> {
        let parsed = parse(der)?;
        let constraints = parsed.basic_constraints().ok().flatten().map(|ext| ext.value);
        let Some(constraints) = constraints.filter(|c| c.ca) else {
            return Err(Error::NotAnAuthority("it is not marked as an authority"));
        };
        if !parsed.key_usage().ok().flatten().is_some_and(|ext| ext.value.key_cert_sign()) {
            return Err(Error::NotAnAuthority("its key usage lacks keyCertSign"));
        }
        let peer = Peer::parse(der)?;
        Ok(Self {
            issuer,
            own_length: own.len(),
            chain_pem: own + above,
            name_hash: sha256(parsed.subject().as_raw()),
            not_after: peer.not_after,
            issues_authorities: constraints.path_len_constraint != Some(0),
        })
    }

    /// Its certificate.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.chain_pem[..self.own_length]
    }

    /// Its private key, PKCS#8.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// SHA-256 of its name, hex: what the registry knows it by.
    #[must_use]
    pub fn name_hash(&self) -> &str {
        &self.name_hash
    }

    /// Issues one certificate.
    pub fn issue(&self, profile: &Profile, key: KeySource, validity: Validity) -> Result<Issued, Error> {
        let mut params = params(self.within(validity)?)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        profile.fill(&mut params)?;
        let (certificate, key_pem) = match key {
            KeySource::Generate => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                (params.signed_by(&key, &self.issuer)?, Some(key.serialize_pem()))
            }
            KeySource::Csr(pem) => (params.signed_by(&public_key(&pem)?, &self.issuer)?, None),
        };
        let peer = Peer::parse(certificate.der())?;
        self.check_issuer(&peer)?;
        let chain_pem = certificate.pem() + &self.chain_pem;
        let registration = profile.registration(&peer, &chain_pem);
        Ok(Issued { der: certificate.into(), chain_pem, key_pem, peer, registration })
    }

    /// A certificate that outlives its issuer would stop working without warning.
    fn within(&self, validity: Validity) -> Result<Validity, Error> {
        let validity = validity.checked()?;
        if validity.not_after.as_second() > self.not_after.as_second() {
            return Err(Error::Validity(format!(
                "it ends at {}, after that of the issuer ({})",
                validity.not_after, self.not_after
            )));
        }
        Ok(validity)
    }

    /// rcgen writes the issuer's name anew; a name of another tool that it cannot keep byte for byte breaks the chain.
    fn check_issuer(&self, peer: &Peer) -> Result<(), Error> {
        if peer.issuer_hash == self.name_hash {
            Ok(())
        } else {
            Err(Error::NotAnAuthority("its name uses an encoding that cannot be repeated"))
        }
    }
}

impl Profile {
    fn fill(&self, params: &mut CertificateParams) -> Result<(), Error> {
        match self {
            Self::Server { dns, ips } => {
                let common_name = dns.first().cloned().or_else(|| ips.first().map(IpAddr::to_string));
                let Some(common_name) = common_name else {
                    return Err(Error::Profile("expected a name or an address of the server".to_owned()));
                };
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
                params.distinguished_name = subject(&common_name, None)?;
                for name in dns {
                    params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
                }
                params.subject_alt_names.extend(ips.iter().map(|ip| SanType::IpAddress(*ip)));
            }
            Self::Client { holder, display_name, environment, names, label } => {
                if names.is_empty() {
                    return Err(Error::Profile(
                        "expected an e-service or role that the certificate names".to_owned(),
                    ));
                }
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                params.distinguished_name = subject(label, Some(display_name))?;
                let uri = display_uri(holder, *environment, names)?;
                params.subject_alt_names.push(SanType::URI(uri.as_str().try_into()?));
            }
        }
        Ok(())
    }

    fn registration(&self, peer: &Peer, chain_pem: &str) -> Option<Registration> {
        let Self::Client { holder, environment, names, label, .. } = self else { return None };
        Some(Registration {
            issuer_hash: peer.issuer_hash.clone(),
            serial: peer.serial.clone(),
            key_hash: peer.key_hash.clone(),
            holder: holder.clone(),
            environment: *environment,
            names: sorted(names),
            label: label.clone(),
            not_before: peer.not_before,
            not_after: peer.not_after,
            pem: chain_pem.to_owned(),
        })
    }
}

/// `urn:eservices:<operator|system>:<SIREN or code>:<environment>:<name>+<name>…`, for instance
/// `urn:eservices:operator:900000019:non-production:e-rdv-grand-public+eligibilite`. Display only: no server decides by it.
fn display_uri(holder: &Holder, environment: Environment, names: &[String]) -> Result<String, Error> {
    let plain =
        |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !name.is_empty();
    if let Some(name) = names.iter().find(|name| !plain(name)) {
        return Err(Error::Profile(format!(
            "expected a code of letters, digits and hyphens, found {name:?}"
        )));
    }
    let (kind, code, environment) = (holder.kind(), holder.code(), environment.as_str());
    Ok(format!("urn:eservices:{kind}:{code}:{environment}:{}", sorted(names).join("+")))
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

fn subject(common_name: &str, organization: Option<&str>) -> Result<DistinguishedName, Error> {
    let mut name = DistinguishedName::new();
    let parts = [(DnType::CommonName, Some(common_name)), (DnType::OrganizationName, organization)];
    for (kind, text) in parts {
        let Some(text) = text else { continue };
        if text.is_empty() || text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
            return Err(Error::Profile(format!(
                "expected a name of 1 to {MAX_NAME} characters, found {text:?}"
            )));
        }
        name.push(kind, text);
    }
    Ok(name)
}

fn authority_params(common_name: &str, validity: Validity, below: u8) -> Result<CertificateParams, Error> {
    let mut params = params(validity)?;
    params.distinguished_name = subject(common_name, None)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// What every certificate has, whatever rcgen's defaults are.
fn params(validity: Validity) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::default();
    params.not_before = moment(validity.not_before)?;
    params.not_after = moment(validity.not_after)?;
    params.serial_number = Some(random_serial());
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::Sha256;
    params.name_constraints = None;
    Ok(params)
}

/// 16 bytes, positive, the first never zero: always 32 hexadecimal digits.
fn random_serial() -> SerialNumber {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn moment(instant: Timestamp) -> Result<OffsetDateTime, Error> {
    OffsetDateTime::from_unix_timestamp(instant.as_second()).map_err(|e| Error::Validity(e.to_string()))
}

/// The public key of a certificate request whose signature proves that the sender holds the private one.
fn public_key(pem: &str) -> Result<SubjectPublicKeyInfo, Error> {
    let refused = |what: String| Error::Request(what);
    let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
        .map_err(|e| refused(format!("expected one in PEM: {e}")))?;
    let request = match X509CertificationRequest::from_der(&der) {
        Ok(([], request)) => request,
        Ok(_) => return Err(refused("bytes follow it".to_owned())),
        Err(error) => return Err(refused(format!("not PKCS#10: {error}"))),
    };
    let algorithm = request.signature_algorithm.algorithm.to_id_string();
    if !REQUEST_ALGORITHMS.contains(&algorithm.as_str()) {
        return Err(refused(format!(
            "expected a signature with SHA-2 or Ed25519, found algorithm {algorithm}"
        )));
    }
    request.verify_signature().map_err(|_| refused("its signature is not that of its key".to_owned()))?;
    let key = request.certification_request_info.subject_pki.raw;
    SubjectPublicKeyInfo::from_der(key).map_err(|_| {
        refused(
            "expected a key of type ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more".to_owned(),
        )
    })
}

/// The certificates of a PEM file one by one, without what stands between them.
fn sections(pem: &str) -> impl Iterator<Item = String> + '_ {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    pem.split(BEGIN).skip(1).filter_map(|rest| {
        let (body, _) = rest.split_once(END)?;
        Some(format!("{BEGIN}{body}{END}\n"))
    })
}
