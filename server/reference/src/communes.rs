//! The list of communes and the postal names of La Poste, and what they say about the place and postcode of a
//! building.
//!
//! Does not know streets.

use crate::address::{Bounds, Commune, Point, PostalName};
use crate::ids::Insee;
use crate::ipe::postcode;
use crate::problem::Problem;
use crate::structure::{self, File};
use crate::table::{self, Layout, Row};

pub use crate::table::Error;

/// Columns of the list of communes, all required.
pub const COMMUNE_COLUMNS: &[&str] = &[
    "code",
    "nom",
    "commune_parente",
    "population",
    "codes_postaux",
    "lon",
    "lat",
    "bbox_w",
    "bbox_s",
    "bbox_e",
    "bbox_n",
];

/// Columns of La Poste's file, all required.
pub const POSTAL_COLUMNS: &[&str] =
    &["code_commune_insee", "code_postal", "libelle_d_acheminement", "ligne_5"];

/// How the list of communes is laid out.
pub(crate) const COMMUNES: Layout = Layout { required: COMMUNE_COLUMNS, optional: &[], kept: &[] };

/// How La Poste's file is laid out.
pub(crate) const POSTAL_NAMES: Layout = Layout { required: POSTAL_COLUMNS, optional: &[], kept: &[] };

/// How far beyond the rectangle of its commune a building may stand: the rectangles are rounded, borders move.
pub const MARGIN_METRES: f64 = 500.0;

/// Reads the list of communes: communes of today and municipal arrondissements.
///
/// # Errors
/// The header is missing or lacks a column. Bad rows are in [`File::problems`].
pub fn read_communes(file: &str, text: &str) -> Result<File<Commune>, Error> {
    structure::read(file, text, &COMMUNES, commune)
}

/// Reads La Poste's postcodes and routing labels.
///
/// # Errors
/// The header is missing or lacks a column. Bad rows are in [`File::problems`].
pub fn read_postal_names(file: &str, text: &str) -> Result<File<PostalName>, Error> {
    structure::read(file, text, &POSTAL_NAMES, postal_name)
}

/// Metres from a place to the rectangle of the commune, where that is more than [`MARGIN_METRES`].
#[must_use]
pub fn outside(commune: &Commune, point: Point) -> Option<f64> {
    commune.bounds.map(|bounds| bounds.metres_beyond(point)).filter(|metres| *metres > MARGIN_METRES)
}

/// Whether mail with this postcode can be for the commune. `names` is sorted, all communes together.
#[must_use]
pub fn has_postcode(commune: &Commune, names: &[PostalName], postcode: &str) -> bool {
    let from = names.partition_point(|name| name.insee < commune.insee);
    let mut own = names[from..].iter().take_while(|name| name.insee == commune.insee);
    commune.postcodes.iter().any(|known| **known == *postcode) || own.any(|name| *name.postcode == *postcode)
}

/// A row of the list of communes.
pub(crate) fn commune(row: &Row<'_>) -> Result<Commune, Problem> {
    Ok(Commune {
        insee: row.need("code", insee)?,
        name: row.text("nom")?.into(),
        postcodes: row.read("codes_postaux", postcodes)?.unwrap_or_default(),
        population: row.read("population", table::count)?.unwrap_or_default(),
        centre: point(row, "lon", "lat")?,
        bounds: bounds(row)?,
        parent: row.read("commune_parente", insee)?,
    })
}

/// A row of La Poste's file.
pub(crate) fn postal_name(row: &Row<'_>) -> Result<PostalName, Problem> {
    Ok(PostalName {
        insee: row.need("code_commune_insee", insee)?,
        postcode: row.need("code_postal", postcode)?,
        label: row.text("libelle_d_acheminement")?.into(),
        line5: row.optional("ligne_5"),
    })
}

fn bounds(row: &Row<'_>) -> Result<Option<Bounds>, Problem> {
    let (Some(min), Some(max)) = (point(row, "bbox_w", "bbox_s")?, point(row, "bbox_e", "bbox_n")?) else {
        return Ok(None);
    };
    if min.lon > max.lon {
        return Err(row.refuse("bbox_e", "is west of bbox_w"));
    }
    if min.lat > max.lat {
        return Err(row.refuse("bbox_n", "is south of bbox_s"));
    }
    Ok(Some(Bounds { min, max }))
}

/// A place from two columns; none where both are empty.
pub(crate) fn point(row: &Row<'_>, lon: &str, lat: &str) -> Result<Option<Point>, Problem> {
    if row.get(lon).is_empty() && row.get(lat).is_empty() {
        return Ok(None);
    }
    Ok(Some(Point { lon: row.need(lon, longitude)?, lat: row.need(lat, latitude)? }))
}

fn longitude(value: &str) -> Result<f64, String> {
    degrees(value, 180.0).ok_or_else(|| "a longitude is between -180 and 180".to_owned())
}

fn latitude(value: &str) -> Result<f64, String> {
    degrees(value, 90.0).ok_or_else(|| "a latitude is between -90 and 90".to_owned())
}

fn degrees(value: &str, most: f64) -> Option<f64> {
    table::decimal(value).ok().filter(|degrees| degrees.abs() <= most)
}

/// Reads the code of a commune.
pub(crate) fn insee(value: &str) -> Result<Insee, String> {
    Insee::parse(value).map_err(|e| e.to_string())
}

fn postcodes(value: &str) -> Result<Vec<Box<str>>, String> {
    let mut postcodes = value.split('|').map(postcode).collect::<Result<Vec<_>, _>>()?;
    postcodes.sort_unstable();
    postcodes.dedup();
    Ok(postcodes)
}
