//! The catalogue of offers: data, validated when it is loaded, so that an offer is added without a line of code.
//!
//! Carries the criteria of each offer; does not know how a building meets one: the eligibility service decides.

use crate::building::{Zone, vocabulary};
use crate::document::{Document, Entry};
use jiff::civil::Date;

pub use crate::document::Invalid;

/// The catalogue that ships with the crate.
pub const DEFAULT: &str = include_str!("../data/offers.toml");

/// The name of the catalogue file, in a data folder and in messages.
pub const FILE: &str = "offers.toml";

vocabulary!(
    /// What an offer runs on.
    Support {
        /// Shared fibre of the local loop.
        Fibre = "fibre",
        /// Copper pairs.
        Copper = "copper",
        /// Dedicated optical access.
        Optical = "optical",
    }
);
vocabulary!(
    /// A condition that a building must meet for an offer. The set is closed: the rule behind each is code.
    Criterion {
        /// The building's state is deployed.
        BuildingDeployed = "building_deployed",
        /// The building is not abandoned.
        BuildingNotAbandoned = "building_not_abandoned",
        /// The building's PM is known and its state is deployed.
        PmDeployed = "pm_deployed",
        /// The PM's date of commercial service is reached.
        PmInService = "pm_in_service",
        /// The date from which access orders are accepted is reached.
        AccessOpen = "access_open",
        /// The agreement of the building manager is signed where one is needed.
        AgreementSigned = "agreement_signed",
        /// A socket exists, or a fibre of the branching box is free.
        ResourceFree = "resource_free",
        /// The building's zone is one of the offer's zones.
        ZoneServed = "zone_served",
        /// A study decides (distance to the optical node).
        Study = "study",
    }
);

/// One offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Code, capitals with underscores, for instance `JUST_FIBRE`.
    pub code: Box<str>,
    /// Name in French.
    pub label_fr: Box<str>,
    /// Name in English.
    pub label_en: Box<str>,
    /// What it runs on.
    pub support: Support,
    /// First day on which it can be asked for.
    pub valid_from: Date,
    /// Last day, included.
    pub valid_until: Option<Date>,
    /// What was announced where no exact day was: then `valid_from` is an assumption.
    pub announced: Option<Box<str>>,
    /// Whether this server takes its orders.
    pub ordered_here: bool,
    /// The e-service that opens its orders; with `ordered_here`.
    pub e_service: Option<Box<str>>,
    /// Where it is ordered instead, in French.
    pub where_fr: Option<Box<str>>,
    /// Where it is ordered instead, in English.
    pub where_en: Option<Box<str>>,
    /// Best rate towards the customer, kbit/s.
    pub best_down_kbps: u32,
    /// Best rate from the customer, kbit/s.
    pub best_up_kbps: u32,
    /// Usual days from order to delivery.
    pub delay_days: u32,
    /// What the building must meet, in the order in which it is checked.
    pub criteria: Vec<Criterion>,
    /// Regulatory zones where it is sold; empty = everywhere.
    pub zones: Vec<Zone>,
    /// Fields that the order form will ask for, in form order.
    pub order_form: Vec<Box<str>>,
    /// Product nature for an appointment, for instance `JUST_FIBRE`.
    pub product_nature: Box<str>,
}

impl Offer {
    /// Whether the offer can be asked for on that day.
    #[must_use]
    pub fn is_open(&self, day: Date) -> bool {
        self.valid_from <= day && self.valid_until.is_none_or(|until| day <= until)
    }

    /// Whether its first day is an assumption of ours.
    #[must_use]
    pub fn is_assumed(&self) -> bool {
        self.announced.is_some()
    }
}

/// All offers, by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalogue {
    offers: Vec<Offer>,
}

impl Catalogue {
    /// The offer with that code.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&Offer> {
        self.offers.binary_search_by(|offer| (*offer.code).cmp(code)).ok().map(|at| &self.offers[at])
    }

    /// Every offer, sorted by code.
    #[must_use]
    pub fn all(&self) -> &[Offer] {
        &self.offers
    }
}

/// The most offers of a catalogue, and of one question: a qualification reference names each that was asked about.
pub const MOST: usize = 50;

/// The longest code, characters.
pub const LONGEST_CODE: usize = 24;

const FIELDS: &[&str] = &[
    "code",
    "label_fr",
    "label_en",
    "support",
    "valid_from",
    "valid_until",
    "announced",
    "ordered_here",
    "e_service",
    "where_fr",
    "where_en",
    "best_down_kbps",
    "best_up_kbps",
    "delay_days",
    "criteria",
    "zones",
    "order_form",
    "product_nature",
];

/// Reads a catalogue; `file` names it in messages.
///
/// # Errors
/// Every defect of the file with line and field; a file with one defect gives no catalogue.
pub fn parse(file: &str, text: &str) -> Result<Catalogue, Invalid> {
    let mut codes = Vec::new();
    let mut offers = Document::read(file, text, "offer", FIELDS, |doc, entry| {
        let code = code(doc, entry);
        if let Some(code) = &code {
            if codes.contains(code) {
                doc.refuse(entry, "code", "stands twice in the catalogue");
            }
            codes.push(code.clone());
            if codes.len() == MOST + 1 {
                doc.refuse(entry, "code", "is one too many: a catalogue has at most 50 offers");
            }
        }
        offer(doc, entry, code)
    })?;
    offers.sort_by(|a, b| a.code.cmp(&b.code));
    Ok(Catalogue { offers })
}

fn code(doc: &mut Document<'_>, entry: &Entry<'_>) -> Option<Box<str>> {
    let text = doc.text(entry, "code");
    let code = doc.need(entry, "code", text)?;
    if !is_upper_snake(&code) || code.len() > LONGEST_CODE {
        doc.refuse(
            entry,
            "code",
            "expected capitals, digits and single underscores, at most 24, for instance JUST_FIBRE",
        );
    }
    Some(code)
}

fn offer(doc: &mut Document<'_>, entry: &Entry<'_>, code: Option<Box<str>>) -> Option<Offer> {
    macro_rules! need {
        ($field:literal, $value:expr) => {{
            let value = $value;
            doc.need(entry, $field, value)
        }};
    }
    let label_fr = need!("label_fr", doc.text(entry, "label_fr"));
    let label_en = need!("label_en", doc.text(entry, "label_en"));
    let support = need!("support", doc.word(entry, "support", Support::parse));
    let valid_from = need!("valid_from", doc.date(entry, "valid_from"));
    let valid_until = doc.date(entry, "valid_until");
    if let (Some(from), Some(until)) = (valid_from, valid_until)
        && until < from
    {
        doc.refuse(entry, "valid_until", "is before valid_from");
    }
    let announced = doc.text(entry, "announced");
    let ordered_here = need!("ordered_here", doc.flag(entry, "ordered_here"));
    let (where_fr, where_en) = (doc.text(entry, "where_fr"), doc.text(entry, "where_en"));
    for field in ["where_fr", "where_en"] {
        match ordered_here {
            Some(false) if !entry.has(field) => {
                doc.refuse(entry, field, "is missing: the offer is not ordered here")
            }
            Some(true) if entry.has(field) => {
                doc.refuse(entry, field, "must be absent: the offer is ordered here")
            }
            _ => {}
        }
    }
    let e_service = doc.text(entry, "e_service");
    match ordered_here {
        Some(true) if !entry.has("e_service") => {
            doc.refuse(entry, "e_service", "is missing: the offer is ordered here");
        }
        Some(false) if entry.has("e_service") => {
            doc.refuse(entry, "e_service", "must be absent: the offer is not ordered here");
        }
        _ => {}
    }
    let best_down_kbps = need!("best_down_kbps", doc.count(entry, "best_down_kbps"));
    let best_up_kbps = need!("best_up_kbps", doc.count(entry, "best_up_kbps"));
    let delay_days = need!("delay_days", doc.count(entry, "delay_days"));
    let criteria = need!("criteria", doc.list(entry, "criteria", |v| v.as_str().and_then(Criterion::parse)));
    if criteria.as_ref().is_some_and(Vec::is_empty) {
        doc.refuse(entry, "criteria", "is empty");
    }
    let zones = doc.list(entry, "zones", |v| v.as_integer().and_then(|i| Zone::parse(i.as_str())));
    let serves = criteria.as_ref().is_some_and(|list| list.contains(&Criterion::ZoneServed));
    if criteria.is_some() && serves == zones.as_ref().is_none_or(Vec::is_empty) {
        doc.refuse(entry, "zones", "zones and the criterion zone_served go together");
    }
    let order_form = need!("order_form", doc.list(entry, "order_form", field_name));
    let product_nature = need!("product_nature", doc.text(entry, "product_nature"));
    Some(Offer {
        code: code?,
        label_fr: label_fr?,
        label_en: label_en?,
        support: support?,
        valid_from: valid_from?,
        valid_until,
        announced,
        ordered_here: ordered_here?,
        e_service,
        where_fr,
        where_en,
        best_down_kbps: best_down_kbps?,
        best_up_kbps: best_up_kbps?,
        delay_days: delay_days?,
        criteria: criteria?,
        zones: zones.unwrap_or_default(),
        order_form: order_form?,
        product_nature: product_nature?,
    })
}

fn field_name(value: &toml::de::DeValue<'_>) -> Option<Box<str>> {
    let name = value.as_str()?;
    let snake = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    snake.then(|| name.into())
}

fn is_upper_snake(code: &str) -> bool {
    code.starts_with(|c: char| c.is_ascii_uppercase())
        && code.split('_').all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        })
}
