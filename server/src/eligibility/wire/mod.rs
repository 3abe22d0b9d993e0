//! proto → question or errors with the fields' paths; explained answers → proto.

mod qualification;

use eservices::{
    common::v1::AppointmentType as WireType,
    eligibility::v1::{self as pb, check_eligibility_request::Key as WireKey},
};
use eservices_reference::{
    Reference,
    building::Kind,
    derived::kind,
    ids::{Imb, Pto},
    offers::{MOST as MOST_OFFERS, Offer},
};
use jiff::{ToSpan as _, civil::Date};

pub use qualification::Qualification;

use super::rules::{Answer, Finding, Place, Verdict};
use crate::{
    addresses::{
        rules::find::{By, Found, Hit, Key},
        wire::{self as keys, building_candidate, candidate, wire_visit},
    },
    platform::{
        error::{Error, Violations},
        form,
        network::Network,
    },
};

/// The most candidates of one answer.
const CANDIDATES: usize = 20;

/// The first day that a question may be for: no offer of the market is older.
const FIRST_DAY: Date = Date::constant(2000, 1, 1);

/// How far ahead of today it may be, years: nothing is announced for later.
const YEARS_AHEAD: i64 = 10;

/// A question, checked.
pub struct Question<'a> {
    /// The place.
    pub key: Key,
    /// The offers, in the order of the answer.
    pub offers: Vec<&'a Offer>,
    /// The day.
    pub day: Date,
}

/// Checks a question; all form errors at once.
pub fn question<'a>(
    request: &pb::CheckEligibilityRequest,
    reference: &'a Reference,
    today: Date,
) -> Result<Question<'a>, Error> {
    let mut violations = Violations::default();
    let key = match &request.key {
        None => {
            violations.push("key", "expected imb, pto, address, normalised_address or surroundings");
            None
        }
        Some(WireKey::Imb(text)) => violations.take("imb", Imb::parse(text)).map(Key::Imb),
        Some(WireKey::Pto(text)) => violations.take("pto", Pto::parse(text)).map(Key::Pto),
        Some(WireKey::Address(text)) => {
            keys::address_text("address", text, 3, &mut violations).map(Key::Text)
        }
        Some(WireKey::NormalisedAddress(asked)) => {
            keys::codes("normalised_address", asked, &mut violations).map(Key::Codes)
        }
        Some(WireKey::Surroundings(asked)) => {
            keys::surroundings("surroundings", asked, &mut violations).map(Key::Around)
        }
    };
    if request.offer_codes.len() > MOST_OFFERS {
        violations.push("offer_codes", format!("expected {MOST_OFFERS} codes at most"));
    }
    let catalogue = reference.offers();
    let mut offers: Vec<&Offer> = Vec::new();
    for (n, code) in request.offer_codes.iter().enumerate().take(MOST_OFFERS) {
        let field = || format!("offer_codes[{n}]");
        match catalogue.get(code) {
            None => violations.push(field(), "expected a code of the catalogue, for instance JUST_FIBRE"),
            Some(offer) if offers.iter().any(|known| known.code == offer.code) => {
                violations.push(field(), "expected codes that differ");
            }
            Some(offer) => offers.push(offer),
        }
    }
    if request.offer_codes.is_empty() {
        offers.extend(catalogue.all());
    }
    let span = FIRST_DAY..=today.saturating_add(YEARS_AHEAD.years());
    let day = form::day_within("as_of_day", &request.as_of_day, span, &mut violations).unwrap_or(today);
    let key = violations.finish(key)?;
    Ok(Question { key, offers, day })
}

/// The one building that was found; none where a person must choose.
pub fn place<'a>(found: &Found<'a>, network: &'a Network) -> Option<Place<'a>> {
    let [Hit { building, .. }] = found.buildings[..] else { return None };
    Some(Place::new(building, found.socket, network))
}

/// The answer to a question that fits several buildings, or none well.
pub fn unsure(found: &Found<'_>, question: &Question<'_>, network: &Network) -> pb::CheckEligibilityResponse {
    // Several buildings at one place are told apart by their references; a text that fits none well has candidates only.
    let candidates = match found.buildings.is_empty() {
        true => found.candidates.iter().map(candidate).collect(),
        false => found.buildings.iter().take(CANDIDATES).map(building_candidate).collect(),
    };
    pb::CheckEligibilityResponse {
        candidates,
        found_by: found.by.map_or("", By::as_str).to_owned(),
        reference_release: network.reference.release().name.clone(),
        network_revision: network.overlay.revision(),
        as_of_day: question.day.to_string(),
        ..pb::CheckEligibilityResponse::default()
    }
}

/// What the answer is given on.
pub fn qualification(
    place: &Place<'_>,
    question: &Question<'_>,
    network: &Network,
    today: Date,
    days: u16,
) -> Qualification {
    Qualification {
        release: network.reference.release().name.clone(),
        network_revision: network.overlay.revision(),
        imb: place.building.imb.clone(),
        pto: place.socket.map(|line| line.pto.clone()),
        offers: question.offers.iter().map(|offer| offer.code.to_string()).collect(),
        as_of: question.day,
        // Of a day ahead from today on: nobody can put an end off by asking for a later day.
        expires_on: question.day.min(today).saturating_add(i32::from(days).days()),
    }
}

/// The explained answer.
pub fn answer(
    place: &Place<'_>,
    answers: &[Answer<'_>],
    on: &Qualification,
    qualification_reference: String,
    by: Option<By>,
) -> pb::CheckEligibilityResponse {
    pb::CheckEligibilityResponse {
        premises: Some(premises(place)),
        answers: answers.iter().map(offer_answer).collect(),
        reference_release: on.release.clone(),
        as_of_day: on.as_of.to_string(),
        candidates: Vec::new(),
        found_by: by.map_or("", By::as_str).to_owned(),
        network_revision: on.network_revision,
        qualification_reference,
        qualification_expires_on: on.expires_on.to_string(),
    }
}

fn premises(place: &Place<'_>) -> pb::Premises {
    let building = place.building;
    let mut pbos: Vec<String> =
        place.structure.iter().filter_map(|row| row.pbo.as_deref()).map(str::to_owned).collect();
    pbos.sort_unstable();
    pbos.dedup();
    pb::Premises {
        imb: building.imb.to_string(),
        building_state: building.state.to_string(),
        detached_house: kind(building) == Kind::House,
        commune_code: building.insee.to_string(),
        street_code: building.rivoli.as_ref().map_or_else(String::new, ToString::to_string),
        street_address: building.street_line(),
        postcode: building.postcode.to_string(),
        commune: building.commune.to_string(),
        pm: building.pm.as_ref().map_or_else(String::new, ToString::to_string),
        pm_service_day: day_text(building.pm_in_service),
        order_open_day: day_text(building.orders_from),
        delivery_open_day: day_text(building.delivery_from),
        housing_count: building.housings,
        existing_line_count: u32::try_from(place.lines.len()).unwrap_or(u32::MAX),
        pbos,
        free_fibre_count: place.free_fibres,
    }
}

fn offer_answer(answer: &Answer<'_>) -> pb::OfferAnswer {
    let offer = answer.offer;
    pb::OfferAnswer {
        offer_code: offer.code.to_string(),
        label_fr: offer.label_fr.to_string(),
        label_en: offer.label_en.to_string(),
        verdict: verdict(answer.verdict).into(),
        findings: answer.findings.iter().map(finding).collect(),
        eligible_from_day: day_text(answer.from_day),
        best_down_kbps: offer.best_down_kbps,
        best_up_kbps: offer.best_up_kbps,
        appointment_type: answer.visit.map_or(WireType::Unspecified, wire_visit).into(),
        delay_days: offer.delay_days,
        order_fields: offer.order_form.iter().map(ToString::to_string).collect(),
        product_nature: offer.product_nature.to_string(),
        ordered_elsewhere_fr: offer
            .where_fr
            .as_deref()
            .filter(|_| !offer.ordered_here)
            .unwrap_or_default()
            .to_owned(),
    }
}

fn finding(found: &Finding) -> pb::Finding {
    let fact =
        |(name, value): &(&'static str, String)| pb::Fact { name: (*name).to_owned(), value: value.clone() };
    pb::Finding {
        code: found.code.to_owned(),
        rule_id: found.rule_id.to_owned(),
        effect: verdict(found.effect).into(),
        facts: found.facts.iter().map(fact).collect(),
        remedy: found.remedy.to_owned(),
        expected_day: day_text(found.expected),
    }
}

const fn verdict(verdict: Verdict) -> pb::Verdict {
    match verdict {
        Verdict::Eligible => pb::Verdict::Eligible,
        Verdict::UnderConditions => pb::Verdict::EligibleUnderConditions,
        Verdict::FromDay => pb::Verdict::EligibleFromDay,
        Verdict::NeedsStudy => pb::Verdict::NeedsStudy,
        Verdict::NotEligible => pb::Verdict::NotEligible,
    }
}

fn day_text(day: Option<Date>) -> String {
    day.map_or_else(String::new, |d| d.to_string())
}
