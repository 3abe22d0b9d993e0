//! The file with one street a line: a JSON object with its numbers in `housenumbers`.
//!
//! A number may stand there several times (several positions, each with its key): all are kept.

use super::{Entry, house_number, rivoli, suffix};
use crate::address::{Point, StreetKind};
use crate::communes::insee;
use crate::geo;
use crate::ids::Insee;
use crate::ipe::postcode;
use crate::problem::Problem;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fmt;

#[derive(Deserialize)]
struct Street {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    name: Texts,
    postcode: Option<Texts>,
    citycode: Texts,
    city: Texts,
    oldcity: Option<Texts>,
    #[serde(flatten)]
    place: Place,
    housenumbers: Option<Numbers>,
}

#[derive(Deserialize)]
struct Number {
    id: Option<Box<str>>,
    #[serde(flatten)]
    place: Place,
}

#[derive(Deserialize)]
struct Place {
    lon: Option<f64>,
    lat: Option<f64>,
    x: Option<f64>,
    y: Option<f64>,
}

/// A text, or a list whose first text is the one in use.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
enum Texts {
    One(String),
    Several(Vec<String>),
}

impl Texts {
    fn all(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts,
        }
    }

    fn first(&self) -> &str {
        self.all().first().map_or("", |text| text.trim())
    }
}

/// The members of `housenumbers` as they stand: a map would keep one of two with the same number.
struct Numbers(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Numbers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of numbers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Numbers, A::Error> {
        let mut numbers = Vec::new();
        while let Some(member) = map.next_entry()? {
            numbers.push(member);
        }
        Ok(Numbers(numbers))
    }
}

/// Reads one line. A bad number is left out and its street's others are kept; a line that names a whole commune, or
/// is empty, gives nothing.
#[must_use]
pub fn line(file: &str, line: u64, text: &str) -> (Vec<Entry>, Vec<Problem>) {
    if text.trim().is_empty() {
        return Default::default();
    }
    let mut problems = Vec::new();
    let refuse =
        |column: &str, value: &str, reason: String| Problem::refused(file, line, column, value, reason);
    let street = match serde_json::from_str::<Street>(text) {
        Ok(street) => street,
        Err(error) => return (Vec::new(), vec![refuse("", text, format!("cannot be read: {error}"))]),
    };
    let whole = match whole(&street) {
        Ok(Some(whole)) => whole,
        Ok(None) => return Default::default(),
        Err((column, value, reason)) => return (Vec::new(), vec![refuse(column, &value, reason)]),
    };
    let mut entries = Vec::new();
    for (key, value) in street.housenumbers.into_iter().flat_map(|numbers| numbers.0) {
        match number(&whole, &key, value) {
            Ok(entry) => entries.push(entry),
            Err(reason) => problems.push(refuse("housenumbers", &key, reason)),
        }
    }
    if entries.is_empty() {
        entries.push(whole);
    }
    (entries, problems)
}

/// Column, value, reason.
type Refusal = (&'static str, String, String);

/// The street or place as a whole; none for a commune.
fn whole(street: &Street) -> Result<Option<Entry>, Refusal> {
    let kind = match street.kind.as_str() {
        "street" => StreetKind::Street,
        "locality" => StreetKind::Locality,
        "municipality" => return Ok(None),
        _ => {
            let reason = "expected street, locality or municipality".to_owned();
            return Err(("type", street.kind.clone(), reason));
        }
    };
    let code = street.citycode.first();
    let insee = insee(code).map_err(|reason| ("citycode", code.to_owned(), reason))?;
    let position = street.place.position(&insee).map_err(|reason| ("lon", street.id.clone(), reason))?;
    Ok(Some(Entry {
        street: filled("name", &street.name)?,
        other_names: street.name.all().iter().skip(1).map(|name| name.trim().into()).collect(),
        kind,
        postcode: first_postcode(street)?,
        commune: filled("city", &street.city)?,
        former_commune: street
            .oldcity
            .as_ref()
            .map(Texts::first)
            .filter(|name| !name.is_empty())
            .map(Into::into),
        locality: None,
        rivoli: rivoli(&insee, &street.id),
        number: None,
        position,
        priority: 0,
        ban: Some(street.id.as_str().into()),
        insee,
    }))
}

fn first_postcode(street: &Street) -> Result<Option<Box<str>>, Refusal> {
    match street.postcode.as_ref().map_or("", Texts::first) {
        "" => Ok(None),
        value => postcode(value).map(Some).map_err(|reason| ("postcode", value.to_owned(), reason)),
    }
}

fn filled(column: &'static str, texts: &Texts) -> Result<Box<str>, Refusal> {
    match texts.first() {
        "" => Err((column, String::new(), "is empty".to_owned())),
        text => Ok(text.into()),
    }
}

fn number(whole: &Entry, key: &str, value: Value) -> Result<Entry, String> {
    let key = key.trim();
    let digits = key.bytes().take_while(u8::is_ascii_digit).count();
    let number = house_number(&key[..digits])?;
    let suffix = suffix(&key[digits..])?;
    let found = Number::deserialize(value).map_err(|error| error.to_string())?;
    Ok(Entry {
        number: number.map(|number| (number, suffix)),
        position: found.place.position(&whole.insee)?,
        ban: found.id,
        ..whole.clone()
    })
}

impl Place {
    /// Longitude and latitude, else X and Y in the legal projection.
    fn position(&self, insee: &Insee) -> Result<Option<Point>, String> {
        match (self.lon, self.lat) {
            (Some(lon), Some(lat)) if lon.abs() <= 180.0 && lat.abs() <= 90.0 => Ok(Some(Point { lon, lat })),
            (Some(_), Some(_)) => Err("longitude or latitude is out of range".to_owned()),
            (None, None) => {
                let xy = self.x.zip(self.y);
                Ok(xy.and_then(|(x, y)| geo::to_wgs84(geo::legal_projection(insee), x, y)))
            }
            _ => Err("longitude or latitude is missing".to_owned()),
        }
    }
}
