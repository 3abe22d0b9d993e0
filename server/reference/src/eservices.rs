//! The e-services: one data file that names each, its stage, its certificate and its tick in an account.
//!
//! Does not know which method needs which e-service; the contract's own options say that.

use crate::building::vocabulary;
use crate::document::{Document, Entry};

pub use crate::document::Invalid;

/// The list that ships with the crate.
pub const DEFAULT: &str = include_str!("../data/eservices.toml");

/// The name of the file, in a data folder and in messages.
pub const FILE: &str = "eservices.toml";

vocabulary!(
    /// Where in an operator's journey an e-service is used.
    Stage {
        /// Before the sale.
        PreSale = "avant-vente",
        /// Order, production, delivery.
        Order = "commande-production-livraison",
        /// After the sale.
        AfterSale = "apres-vente",
        /// Everywhere: certificates, accounts, sandbox.
        Transverse = "transverse",
    }
);

/// One e-service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EService {
    /// Code, small letters with hyphens, for instance `e-rdv-grand-public`.
    pub code: Box<str>,
    /// Name in French.
    pub label_fr: Box<str>,
    /// Name in English.
    pub label_en: Box<str>,
    /// Where it is used.
    pub stage: Stage,
    /// Certificate that opens it, for instance `e-RDV`; several e-services may share one.
    pub certificate_name: Box<str>,
    /// Middle part of a certificate's default label, for instance `eRDV`.
    pub label_token: Box<str>,
    /// Whether an administrator can tick it in an account.
    pub account_tick: bool,
    /// Whether it exists in non-production only.
    pub non_production_only: bool,
}

/// All e-services, by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EServices {
    services: Vec<EService>,
}

impl EServices {
    /// The e-service with that code.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&EService> {
        self.services.binary_search_by(|service| (*service.code).cmp(code)).ok().map(|at| &self.services[at])
    }

    /// Every e-service, sorted by code.
    #[must_use]
    pub fn all(&self) -> &[EService] {
        &self.services
    }

    /// The e-services that one certificate name opens.
    pub fn opened_by<'a>(&'a self, certificate_name: &'a str) -> impl Iterator<Item = &'a EService> {
        self.services.iter().filter(move |service| &*service.certificate_name == certificate_name)
    }
}

const FIELDS: &[&str] = &[
    "code",
    "label_fr",
    "label_en",
    "stage",
    "certificate_name",
    "label_token",
    "account_tick",
    "non_production_only",
];

/// Reads the list; `file` names it in messages.
///
/// # Errors
/// Every defect of the file with line and field.
pub fn parse(file: &str, text: &str) -> Result<EServices, Invalid> {
    let mut seen: Vec<EService> = Vec::new();
    Document::read(file, text, "eservice", FIELDS, |doc, entry| {
        let service = service(doc, entry)?;
        for other in &seen {
            if other.code == service.code {
                doc.refuse(entry, "code", "stands twice in the file");
            } else if other.certificate_name == service.certificate_name
                && other.label_token != service.label_token
            {
                doc.refuse(
                    entry,
                    "label_token",
                    format!("differs from that of {}: same certificate", other.code),
                );
            }
        }
        seen.push(service);
        Some(())
    })?;
    seen.sort_by(|a, b| a.code.cmp(&b.code));
    Ok(EServices { services: seen })
}

fn service(doc: &mut Document<'_>, entry: &Entry<'_>) -> Option<EService> {
    let mut text = |field| {
        let text = doc.text(entry, field);
        doc.need(entry, field, text)
    };
    let code = text("code");
    let (label_fr, label_en) = (text("label_fr"), text("label_en"));
    let (certificate_name, label_token) = (text("certificate_name"), text("label_token"));
    let stage = doc.word(entry, "stage", Stage::parse);
    let stage = doc.need(entry, "stage", stage);
    let account_tick = doc.flag(entry, "account_tick");
    let account_tick = doc.need(entry, "account_tick", account_tick);
    let non_production_only = doc.flag(entry, "non_production_only").unwrap_or(false);
    if code.as_deref().is_some_and(|code| !is_kebab(code)) {
        doc.refuse(
            entry,
            "code",
            "expected small letters, digits and single hyphens, for instance e-rdv-entreprise",
        );
    }
    if label_token.as_deref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_alphanumeric())) {
        doc.refuse(entry, "label_token", "expected letters and digits only, for instance eRDV");
    }
    Some(EService {
        code: code?,
        label_fr: label_fr?,
        label_en: label_en?,
        stage: stage?,
        certificate_name: certificate_name?,
        label_token: label_token?,
        account_tick: account_tick?,
        non_production_only,
    })
}

fn is_kebab(code: &str) -> bool {
    code.split('-')
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
}
