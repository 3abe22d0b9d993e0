//! proto → question or errors with the fields' paths; explained answers → proto.

use eservices::{
    common::v1::AppointmentType as WireType,
    eligibility::v1::{self as pb, check_eligibility_request::Key as WireKey},
};
use eservices_reference::{
    Reference,
    building::Kind,
    derived::{AppointmentType, kind},
    ids::{Imb, Pto},
    offers::Offer,
};
use jiff::civil::Date;

use super::rules::{Answer, Finding, Place, Verdict};
use crate::platform::{
    error::{Error, Violations},
    form,
};

/// A question, checked.
pub struct Question<'a> {
    /// The place.
    pub key: Key,
    /// The offers, in the order of the answer.
    pub offers: Vec<&'a Offer>,
    /// The day.
    pub day: Date,
}

/// What a place is named by.
pub enum Key {
    /// A building.
    Imb(Imb),
    /// A socket.
    Pto(Pto),
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
            violations.push("key", "expected imb or pto");
            None
        }
        Some(WireKey::Imb(text)) => violations.take("imb", Imb::parse(text)).map(Key::Imb),
        Some(WireKey::Pto(text)) => violations.take("pto", Pto::parse(text)).map(Key::Pto),
    };
    if request.offer_codes.len() > 50 {
        violations.push("offer_codes", "expected 50 codes at most");
    }
    let catalogue = reference.offers();
    let mut offers: Vec<&Offer> = Vec::new();
    for (n, code) in request.offer_codes.iter().enumerate().take(50) {
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
    let day = form::day("as_of_day", &request.as_of_day, &mut violations).unwrap_or(today);
    let key = violations.finish(key)?;
    Ok(Question { key, offers, day })
}

/// The place, as the reference knows it.
pub fn place<'a>(key: &Key, reference: &'a Reference) -> Result<Place<'a>, Error> {
    let (imb, socket) = match key {
        Key::Imb(imb) => (imb, None),
        Key::Pto(pto) => {
            let line = reference.line(pto).ok_or_else(|| Error::not_found("Socket", pto.as_str()))?;
            (&line.imb, Some(line))
        }
    };
    let building = reference.building(imb).ok_or_else(|| Error::not_found("Building", imb.as_str()))?;
    Ok(Place {
        building,
        structure: reference.structure(imb),
        lines: reference.lines(imb),
        socket,
        reference,
    })
}

/// The explained answer.
pub fn answer(
    place: &Place<'_>,
    answers: &[Answer<'_>],
    day: Date,
    reference: &Reference,
) -> pb::CheckEligibilityResponse {
    pb::CheckEligibilityResponse {
        premises: Some(premises(place)),
        answers: answers.iter().map(offer_answer).collect(),
        reference_release: reference.release().name.to_string(),
        as_of_day: day.to_string(),
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
        free_fibre_count: place.free_fibres(),
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
        appointment_type: visit(answer.visit).into(),
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

const fn visit(found: Option<AppointmentType>) -> WireType {
    match found {
        None => WireType::Unspecified,
        Some(AppointmentType::Short) => WireType::Short,
        Some(AppointmentType::House) => WireType::House,
        Some(AppointmentType::Block) => WireType::Building,
        Some(AppointmentType::BlockComplex) => WireType::BuildingComplex,
    }
}

fn day_text(day: Option<Date>) -> String {
    day.map_or_else(String::new, |d| d.to_string())
}
