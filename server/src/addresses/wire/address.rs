//! Addresses and candidates → proto.

use eservices::{addresses::v1::Commune as Row, common::v1 as pb};
use eservices_reference::{
    address::{Commune, Grade, Level, Number, Reason, Street, street_key},
    geo,
};

use super::building::point;
use crate::addresses::rules::find::{Candidate, Hit};

/// An address that may be meant.
#[must_use]
pub fn candidate(found: &Candidate<'_>) -> pb::AddressCandidate {
    let matched = &found.matched;
    let address = match found.street {
        Some(street) => address(street, found.number),
        None => found.commune.map(commune).unwrap_or_default(),
    };
    pb::AddressCandidate {
        address: Some(address),
        level: level(matched.level()).into(),
        grade: grade(matched.grade).into(),
        score_permille: permille(matched.score),
        reasons: matched.reasons.iter().map(|why| reason(why, found.street)).collect(),
        imbs: found.number.map(imbs).unwrap_or_default(),
        distance_metres: found.distance.map(metres),
    }
}

/// One of several buildings at the place that was asked for.
#[must_use]
pub fn building_candidate(hit: &Hit<'_>) -> pb::AddressCandidate {
    let building = hit.building;
    let street = [&*building.street_type, &*building.street_name];
    pb::AddressCandidate {
        address: Some(pb::Address {
            number: building.number.filter(|n| *n != 0).map_or_else(String::new, |n| n.to_string()),
            complement: building.complement.map_or_else(String::new, |c| c.to_ascii_lowercase().to_string()),
            street: street.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
            postcode: building.postcode.to_string(),
            commune: building.commune.to_string(),
            commune_code: building.insee.to_string(),
            street_code: building.rivoli.as_ref().map_or_else(String::new, ToString::to_string),
            hexacle: building.hexacle.as_deref().unwrap_or_default().to_owned(),
            ban_id: building.ban.as_deref().unwrap_or_default().to_owned(),
            position: geo::to_wgs84(building.position.projection, building.position.x, building.position.y)
                .map(point),
            ..pb::Address::default()
        }),
        level: pb::MatchLevel::Number.into(),
        grade: pb::MatchGrade::Possible.into(),
        imbs: vec![building.imb.to_string()],
        distance_metres: hit.distance.map(metres),
        ..pb::AddressCandidate::default()
    }
}

/// The references of the buildings at a number.
#[must_use]
pub fn imbs(number: &Number) -> Vec<String> {
    number.buildings.iter().map(ToString::to_string).collect()
}

/// A street, or a number of it.
#[must_use]
pub fn address(street: &Street, number: Option<&Number>) -> pb::Address {
    let position = number.and_then(|n| n.position).or(street.position);
    pb::Address {
        number: number.filter(|n| n.number != 0).map_or_else(String::new, |n| n.number.to_string()),
        complement: number.map_or_else(String::new, |n| n.suffix.to_string()),
        street: street.name.to_string(),
        postcode: street.postcodes.first().map_or_else(String::new, ToString::to_string),
        commune: street.commune.to_string(),
        commune_code: street.insee.to_string(),
        street_code: street.rivoli.as_ref().map_or_else(String::new, ToString::to_string),
        former_commune: street.former_commune.as_deref().unwrap_or_default().to_owned(),
        hexacle: number.and_then(|n| n.hexacle.as_deref()).unwrap_or_default().to_owned(),
        ban_id: number.and_then(|n| n.ban.as_deref()).unwrap_or_default().to_owned(),
        position: position.map(point),
        street_id: street_id(street),
    }
}

fn commune(commune: &Commune) -> pb::Address {
    pb::Address {
        postcode: commune.postcodes.first().map_or_else(String::new, ToString::to_string),
        commune: commune.name.to_string(),
        commune_code: commune.insee.to_string(),
        position: commune.centre.map(point),
        ..pb::Address::default()
    }
}

/// A commune of a list.
#[must_use]
pub fn commune_row(commune: &Commune) -> Row {
    Row {
        code: commune.insee.to_string(),
        name: commune.name.to_string(),
        postcodes: commune.postcodes.iter().map(ToString::to_string).collect(),
    }
}

/// Commune, name and former commune in one form: stable as long as the street keeps its name.
#[must_use]
pub fn street_id(street: &Street) -> String {
    let former = street.former_commune.as_deref().map(street_key);
    let former = former.map_or_else(String::new, |former| format!("/{former}"));
    format!("{}:{}{former}", street.insee, street_key(&street.name))
}

const fn level(level: Level) -> pb::MatchLevel {
    match level {
        Level::Commune => pb::MatchLevel::Commune,
        Level::Street => pb::MatchLevel::Street,
        Level::Number => pb::MatchLevel::Number,
    }
}

const fn grade(grade: Grade) -> pb::MatchGrade {
    match grade {
        Grade::Exact => pb::MatchGrade::Exact,
        Grade::Good => pb::MatchGrade::Good,
        Grade::Partial => pb::MatchGrade::Possible,
        Grade::Weak => pb::MatchGrade::Weak,
    }
}

fn reason(reason: &Reason, street: Option<&Street>) -> pb::MatchReason {
    let (code, said, known) = match reason {
        Reason::NumberMissing => ("NUMBER_MISSING", "", String::new()),
        Reason::NumberNotInStreet { nearest } => {
            let numbers = street.map_or(&[][..], |street| &street.numbers);
            let named = nearest.iter().filter_map(|at| numbers.get(*at as usize));
            let near: Vec<String> = named.map(|n| format!("{}{}", n.number, n.suffix)).collect();
            ("NUMBER_NOT_IN_STREET", "", near.join(", "))
        }
        Reason::SuffixDiffers { asked, found } => ("SUFFIX_DIFFERS", asked.as_str(), found.clone()),
        Reason::WordCorrected { from, to } => ("WORD_CORRECTED", from.as_str(), to.clone()),
        Reason::Abbreviated { from, to } => ("ABBREVIATED", from.as_str(), to.clone()),
        Reason::WordMissing { word } => ("WORD_MISSING", "", word.clone()),
        Reason::WordUnknown { word } => ("WORD_UNKNOWN", word.as_str(), String::new()),
        Reason::PostcodeDiffers { asked } => ("POSTCODE_DIFFERS", asked.as_str(), String::new()),
        Reason::CommuneDiffers { asked } => ("COMMUNE_DIFFERS", asked.as_str(), String::new()),
        Reason::FormerCommune => ("FORMER_COMMUNE", "", String::new()),
        Reason::Ambiguous => ("AMBIGUOUS", "", String::new()),
    };
    pb::MatchReason { code: code.to_owned(), said: said.to_owned(), known }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
fn permille(score: f32) -> u32 {
    (score.clamp(0.0, 1.0) * 1_000.0).round() as u32
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a distance on earth")]
fn metres(distance: f64) -> u32 {
    distance.clamp(0.0, 4e7).round() as u32
}
