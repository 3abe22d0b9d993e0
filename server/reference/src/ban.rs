//! Files of the national address base (*Base Adresse Nationale*): CSV of numbers, CSV of places (*lieux-dits*), and
//! one JSON street a line. Each number, or street or place without numbers, becomes one flat [`Entry`].
//!
//! Does not know which entries are of one street: that is for whoever sorts them.

mod ndjson;

use crate::address::{Point, StreetKind};
use crate::communes::{insee, point};
use crate::geo;
use crate::ids::{Insee, Rivoli};
use crate::ipe::postcode;
use crate::problem::Problem;
use crate::table::{self, Layout, Row};
use deunicode::deunicode;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

pub use crate::table::{Error, Walk};
pub use ndjson::line as ndjson_line;

/// Columns that a file of numbers must have.
pub const NUMBER_REQUIRED: &[&str] =
    &["id", "numero", "rep", "nom_voie", "code_postal", "code_insee", "nom_commune", "lon", "lat"];

/// Columns that are read where a file of numbers has them.
pub const NUMBER_OPTIONAL: &[&str] =
    &["id_fantoir", "nom_ancienne_commune", "x", "y", "type_position", "nom_ld"];

/// Columns that a file of places must have.
pub const LOCALITY_REQUIRED: &[&str] =
    &["id", "nom_lieu_dit", "code_postal", "code_insee", "nom_commune", "lon", "lat"];

/// Columns that are read where a file of places has them.
pub const LOCALITY_OPTIONAL: &[&str] = &["nom_ancienne_commune", "x", "y"];

/// How a file of numbers is laid out.
pub(crate) const NUMBERS: Layout = Layout { required: NUMBER_REQUIRED, optional: NUMBER_OPTIONAL, kept: &[] };

/// How a file of places is laid out.
pub(crate) const LOCALITIES: Layout =
    Layout { required: LOCALITY_REQUIRED, optional: LOCALITY_OPTIONAL, kept: &[] };

/// The highest number that a street can have.
const HIGHEST: u32 = 9999;
/// The number of a row that only names its street or place (*toponyme*).
const TOPONYM: u32 = 99_999;

/// A number of a street, or a street or place without numbers.
///
/// Entries are ordered by their fields, one after the other; the order of places only serves to tell them apart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The commune or municipal arrondissement.
    pub insee: Insee,
    /// Name of the street or place.
    pub street: Box<str>,
    /// Other names of it, in the order of the file.
    pub other_names: Vec<Box<str>>,
    /// Street or place.
    pub kind: StreetKind,
    /// The postcode; a few communes have none.
    pub postcode: Option<Box<str>>,
    /// Name of the commune.
    pub commune: Box<str>,
    /// Name of the commune that it belonged to before a merger.
    pub former_commune: Option<Box<str>>,
    /// The place (*lieu-dit*) in which the number is.
    pub locality: Option<Box<str>>,
    /// Street code. None where the file has only one of a commune that was merged.
    pub rivoli: Option<Rivoli>,
    /// The number and what follows it, for instance `bis`; none for a street or place as a whole.
    pub number: Option<(u32, Box<str>)>,
    /// Where it is.
    pub position: Option<Point>,
    /// How near to the door the position is: 10 for the entrance, 1 for the street segment, 0 where not told.
    pub priority: u8,
    /// Its key.
    pub ban: Option<Box<str>>,
}

impl Entry {
    fn key(&self) -> impl Ord + '_ {
        let name = (&self.insee, &self.street, &self.other_names, self.kind, &self.postcode);
        let within = (&self.commune, &self.former_commune, &self.locality, &self.rivoli);
        let position = self.position.map(|point| (point.lon.to_bits(), point.lat.to_bits()));
        (name, within, &self.number, position, self.priority, &self.ban)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Reads a CSV file of numbers; `keep` gets each entry.
///
/// # Errors
/// The header is missing or lacks a column. Bad rows are in [`Walk::problems`].
pub fn read_numbers(file: &str, text: &str, mut keep: impl FnMut(Entry)) -> Result<Walk, Error> {
    table::walk(file, text, &NUMBERS, |row| {
        let (entry, remark) = number(row)?;
        keep(entry);
        Ok(remark)
    })
}

/// Reads a CSV file of places; `keep` gets each entry.
///
/// # Errors
/// The header is missing or lacks a column. Bad rows are in [`Walk::problems`].
pub fn read_localities(file: &str, text: &str, mut keep: impl FnMut(Entry)) -> Result<Walk, Error> {
    table::walk(file, text, &LOCALITIES, |row| {
        let (entry, remark) = locality(row)?;
        keep(entry);
        Ok(remark)
    })
}

/// A row of the file of numbers, and a remark where its X and Y say nothing.
pub(crate) fn number(row: &Row<'_>) -> Result<(Entry, Option<Problem>), Problem> {
    let (mut entry, remark) = entry(row, "nom_voie", StreetKind::Street)?;
    entry.rivoli = rivoli(&entry.insee, row.get("id_fantoir")).or(entry.rivoli);
    entry.locality = row.optional("nom_ld");
    entry.priority = priority(row.get("type_position"));
    if let Some(number) = row.read("numero", house_number)?.flatten() {
        entry.number = Some((number, row.read("rep", suffix)?.unwrap_or_default()));
    }
    Ok((entry, remark))
}

/// A row of the file of places, and a remark where its X and Y say nothing.
pub(crate) fn locality(row: &Row<'_>) -> Result<(Entry, Option<Problem>), Problem> {
    entry(row, "nom_lieu_dit", StreetKind::Locality)
}

/// What rows of both files have.
fn entry(row: &Row<'_>, name: &str, kind: StreetKind) -> Result<(Entry, Option<Problem>), Problem> {
    let insee = row.need("code_insee", insee)?;
    let (position, remark) = position(row, &insee)?;
    let entry = Entry {
        street: row.text(name)?.into(),
        other_names: Vec::new(),
        kind,
        postcode: row.read("code_postal", postcode)?,
        commune: row.text("nom_commune")?.into(),
        former_commune: row.optional("nom_ancienne_commune"),
        locality: None,
        rivoli: rivoli(&insee, row.get("id")),
        number: None,
        position,
        priority: 0,
        ban: row.optional("id"),
        insee,
    };
    Ok((entry, remark))
}

/// Longitude and latitude, else X and Y in the legal projection.
fn position(row: &Row<'_>, insee: &Insee) -> Result<(Option<Point>, Option<Problem>), Problem> {
    if let Some(point) = point(row, "lon", "lat")? {
        return Ok((Some(point), None));
    }
    let (Some(x), Some(y)) = (row.read("x", table::decimal)?, row.read("y", table::decimal)?) else {
        return Ok((None, None));
    };
    let projection = geo::legal_projection(insee);
    let point = geo::to_wgs84(projection, x, y);
    let remark = point.is_none().then(|| {
        let reason = format!("x and y are not a place in {projection}: kept without position");
        Problem::kept(row.file, row.line, "x", row.get("x"), reason)
    });
    Ok((point, remark))
}

/// The street code in `06088_3505` or a longer key. A commune that was merged had its own codes: they mean nothing in
/// the new one.
fn rivoli(insee: &Insee, key: &str) -> Option<Rivoli> {
    let mut parts = key.split('_');
    if parts.next() != Some(insee.as_str()) {
        return None;
    }
    // Codes start at 0001: 0000 stands for an unknown one.
    let code = parts.next().filter(|code| *code != "0000")?;
    Rivoli::parse(&code.to_ascii_uppercase()).ok()
}

/// None for the number that stands for the street as a whole.
fn house_number(value: &str) -> Result<Option<u32>, String> {
    // A sign would parse too.
    let digits = value.bytes().all(|b| b.is_ascii_digit());
    match value.parse().ok().filter(|_| digits) {
        Some(TOPONYM) => Ok(None),
        Some(number) if number <= HIGHEST => Ok(Some(number)),
        _ => Err(format!("expected a street number from 0 to {HIGHEST}")),
    }
}

/// What follows a number, in lower case without accents and spaces.
fn suffix(value: &str) -> Result<Box<str>, String> {
    let mut plain = deunicode(value).to_ascii_lowercase();
    plain.retain(|c| !c.is_whitespace());
    if plain.len() <= 9 && plain.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(plain.into())
    } else {
        Err("expected up to 9 letters or digits after the number, for instance bis".to_owned())
    }
}

/// The base's own order of the kinds of position.
fn priority(kind: &str) -> u8 {
    match deunicode(kind).to_ascii_lowercase().as_str() {
        "entree" => 10,
        "batiment" => 8,
        "cage d'escalier" => 7,
        "logement" => 6,
        "service technique" => 5,
        "delivrance postale" => 3,
        "parcelle" => 2,
        "segment" => 1,
        _ => 0,
    }
}
