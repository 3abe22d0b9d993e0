//! Keys of places: proto → checked values, or errors with the fields' paths.

use eservices::common::v1 as pb;
use eservices_reference::{
    address::Point,
    building::Projection,
    geo,
    ids::{Insee, Rivoli},
};

use crate::platform::error::Violations;

/// The longest address in free text, characters.
const LONGEST: usize = 200;

/// The radius where none is given, metres.
const RADIUS: u32 = 50;

/// Coordinates and how far around them to look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    /// The centre.
    pub point: Point,
    /// Metres.
    pub radius: u32,
}

/// An address by codes: what of it was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Codes {
    /// Key of the national address base.
    pub ban: Option<String>,
    /// Hexaclé of the number.
    pub hexacle: Option<String>,
    /// Commune and street by code.
    pub street: Option<(Insee, Rivoli)>,
    /// Hexaclé of the street.
    pub street_hexacle: Option<String>,
    /// Number in the street, and what follows it.
    pub number: Option<(u32, String)>,
    /// Coordinates.
    pub position: Option<Point>,
}

/// Free text of `least` to 200 characters.
pub fn address_text(field: &str, text: &str, least: usize, violations: &mut Violations) -> Option<String> {
    let text = text.trim();
    let length = text.chars().count();
    if !(least..=LONGEST).contains(&length) || text.chars().any(char::is_control) {
        violations.push(
            field,
            format!("expected {least} to {LONGEST} characters, for instance 6 rue Etienne Ganneron"),
        );
        return None;
    }
    Some(text.to_owned())
}

/// Coordinates in any of the contract's projections → degrees.
pub fn near(field: &str, point: &pb::GeoPoint, violations: &mut Violations) -> Option<Point> {
    let projection = match point.projection() {
        pb::Projection::Unspecified | pb::Projection::Wgs84 => Projection::Wgs84,
        pb::Projection::Rgf93 => Projection::Rgf93,
        pb::Projection::Rgaf09 => Projection::Rgaf09,
        pb::Projection::Rgfg95 => Projection::Rgfg95,
        pb::Projection::Rgr92 => Projection::Rgr92,
        pb::Projection::Rgm04 => Projection::Rgm04,
        pb::Projection::Rgspm06 => Projection::Rgspm06,
    };
    if pb::Projection::try_from(point.projection).is_err() {
        violations.push(format!("{field}.projection"), "expected a projection of the contract");
        return None;
    }
    let found = (point.x.is_finite() && point.y.is_finite())
        .then(|| geo::to_wgs84(projection, point.x, point.y))
        .flatten()
        .filter(|p| p.lon.abs() <= 180.0 && p.lat.abs() <= 90.0);
    if found.is_none() {
        violations
            .push(field, "expected coordinates of the projection, for instance x 2.7107, y 48.8446 in WGS84");
    }
    found
}

/// Coordinates with a radius.
pub fn surroundings(field: &str, asked: &pb::Surroundings, violations: &mut Violations) -> Option<Near> {
    let radius = match asked.radius_metres {
        0 => RADIUS,
        1..=1_000 => asked.radius_metres,
        _ => {
            violations.push(format!("{field}.radius_metres"), "expected 0 to 1000");
            RADIUS
        }
    };
    let path = format!("{field}.point");
    let point = match &asked.point {
        None => {
            violations.push(path, "expected coordinates");
            None
        }
        Some(point) => near(&path, point, violations),
    };
    point.map(|point| Near { point, radius })
}

/// An address by codes: each as it must be, and at least one that can be looked up.
pub fn codes(field: &str, asked: &pb::NormalisedAddress, violations: &mut Violations) -> Option<Codes> {
    let path = |name: &str| format!("{field}.{name}");
    let some = |text: &str| Some(text.to_owned()).filter(|t| !t.is_empty());
    let hexacle = |name: &str, text: &str, violations: &mut Violations| {
        let hexacle = some(text)?;
        if hexacle.len() != 10 || !hexacle.bytes().all(|b| b.is_ascii_alphanumeric()) {
            violations.push(path(name), "expected 10 letters or digits");
        }
        Some(hexacle)
    };
    let mut codes = Codes {
        ban: some(&asked.ban_id),
        hexacle: hexacle("hexacle", &asked.hexacle, violations),
        street_hexacle: hexacle("street_hexacle", &asked.street_hexacle, violations),
        ..Codes::default()
    };
    if codes.ban.as_ref().is_some_and(|id| id.len() > 60) {
        violations.push(path("ban_id"), "expected at most 60 characters, for instance 77058_0361_00006");
    }
    match (some(&asked.commune_code), some(&asked.street_code)) {
        (None, None) => {}
        (Some(commune), Some(street)) => {
            let commune = violations.take(&path("commune_code"), Insee::parse(&commune));
            let street = violations.take(&path("street_code"), Rivoli::parse(&street));
            codes.street = commune.zip(street);
        }
        (None, Some(_)) => violations.push(path("commune_code"), "expected with street_code"),
        (Some(_), None) => violations.push(path("street_code"), "expected with commune_code"),
    }
    codes.number = number(field, asked, violations);
    codes.position = asked.position.as_ref().and_then(|p| near(&path("position"), p, violations));
    let by_street = asked.street_code.is_empty() && asked.street_hexacle.is_empty();
    if !by_street && asked.number.is_empty() {
        violations
            .push(path("number"), "expected with street_code or street_hexacle; 0 where the street has none");
    }
    let empty = asked.hexacle.is_empty() && asked.ban_id.is_empty() && by_street && asked.position.is_none();
    if empty && asked.commune_code.is_empty() {
        violations.push(
            field,
            "expected hexacle, street_code with number, street_hexacle with number, position or ban_id",
        );
    }
    Some(codes)
}

fn number(field: &str, asked: &pb::NormalisedAddress, violations: &mut Violations) -> Option<(u32, String)> {
    if asked.number.is_empty() {
        if !asked.complement.is_empty() {
            violations.push(format!("{field}.number"), "expected with complement");
        }
        return None;
    }
    let digits = asked.number.len() <= 6 && asked.number.bytes().all(|b| b.is_ascii_digit());
    let number = asked.number.parse().ok().filter(|_| digits);
    if number.is_none() {
        violations.push(format!("{field}.number"), "expected up to 6 digits, for instance 6");
    }
    let suffix = complement(&asked.complement);
    if suffix.is_none() {
        violations.push(format!("{field}.complement"), "expected one letter, or BIS, TER, QUATER");
    }
    number.zip(suffix)
}

/// A complement in lower case: one letter, or the word that it is short for; the look-up knows that they are the same.
fn complement(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase();
    let letter = lower.len() <= 1 && lower.bytes().all(|b| b.is_ascii_lowercase());
    (letter || matches!(lower.as_str(), "bis" | "ter" | "quater")).then_some(lower)
}
