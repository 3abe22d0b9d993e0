//! Our own structure and line files: which staircases and floors a building has, which boxes and sockets serve them.
//!
//! `_NA_` (not applicable) is kept as it stands; an empty place is read as `_NA_`. Does not know whether the building
//! exists, nor how many fibres are free ([`crate::store`]).

use crate::ids::{Imb, Pm, Pto};
use crate::problem::Problem;
use crate::table::{self, Layout};
use serde::{Deserialize, Serialize};

pub use crate::table::Error;

/// The market's word for a building part that an address does not have.
pub const NA: &str = "_NA_";

/// Columns of the structure file, all required.
pub const STRUCTURE_COLUMNS: &[&str] = &[
    "IMB",
    "batiment",
    "escalier",
    "etage",
    "PM",
    "PMT",
    "PBO",
    "type_PBO",
    "localisation_PBO",
    "fibres_PBO",
    "lien_PM_PRDM",
    "logements",
];

/// Columns of the line file, all required.
pub const LINE_COLUMNS: &[&str] = &["PTO", "IMB", "batiment", "escalier", "etage", "PBO", "etat"];

/// A place in a building.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Building at the address (*bâtiment*), or [`NA`].
    pub batiment: Box<str>,
    /// Staircase (*escalier*), or [`NA`].
    pub escalier: Box<str>,
    /// Floor (*étage*), or [`NA`].
    pub etage: Box<str>,
}

/// One floor (or the whole house) and the network that serves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Row {
    /// The building.
    pub imb: Imb,
    /// Where in the building.
    pub place: Place,
    /// Concentration point that serves it.
    pub pm: Pm,
    /// Technical concentration point (*PMT*), for instance `PT 001113`.
    pub pmt: Option<Box<str>>,
    /// Branching box (*PBO*), for instance `PT 002053`. Unique within its PM.
    pub pbo: Option<Box<str>>,
    /// Kind of box, `code:label`, for instance `CH:EN CHAMBRE`; open vocabulary, see [`coded`].
    pub pbo_type: Option<Box<str>>,
    /// Where the box is, free text.
    pub pbo_location: Option<Box<str>>,
    /// Fibres of the box in total, used ones included.
    pub pbo_fibres: Option<u32>,
    /// Link between PM and PRDM, for instance `77243LAG_FI-77058-000B`.
    pub pm_prdm_link: Option<Box<str>>,
    /// FTTH housings of this place.
    pub housings: Option<u32>,
}

/// An existing line: a socket and the box that feeds it. It uses one fibre of that box.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Line {
    /// The building.
    pub imb: Imb,
    /// Where in the building.
    pub place: Place,
    /// The socket.
    pub pto: Pto,
    /// The box that feeds it.
    pub pbo: Option<Box<str>>,
    /// State of the line, open vocabulary; the demo data has `ACTIVE` and `INACTIVE`.
    pub state: Box<str>,
}

/// What a file of records holds.
#[derive(Debug, Clone)]
pub struct File<T> {
    /// The usable rows with their line, in file order.
    pub rows: Vec<(u64, T)>,
    /// Data rows in the file, refused ones included.
    pub count: u64,
    /// Refused rows.
    pub problems: Vec<Problem>,
    /// Columns of the file that nothing here reads.
    pub unknown_columns: Vec<String>,
}

/// How the structure file is laid out.
pub(crate) const STRUCTURE: Layout = Layout { required: STRUCTURE_COLUMNS, optional: &[], kept: &[] };

/// How the line file is laid out.
pub(crate) const LINES: Layout = Layout { required: LINE_COLUMNS, optional: &[], kept: &[] };

/// Reads a structure file that lies in memory.
///
/// # Errors
/// The header is missing or lacks a column. Bad rows are in [`File::problems`].
pub fn read_structure(file: &str, text: &str) -> Result<File<Row>, Error> {
    read(file, text, &STRUCTURE, structure)
}

/// Reads a line file that lies in memory.
///
/// # Errors
/// The header is missing or lacks a column. Bad rows are in [`File::problems`].
pub fn read_lines(file: &str, text: &str) -> Result<File<Line>, Error> {
    read(file, text, &LINES, line)
}

/// Reads a row of the structure file.
pub(crate) fn structure(row: &table::Row<'_>) -> Result<Row, Problem> {
    Ok(Row {
        imb: row.need("IMB", |v| Imb::parse(v).map_err(|e| e.to_string()))?,
        place: place(row),
        pm: row.need("PM", |v| Pm::parse(v).map_err(|e| e.to_string()))?,
        pmt: row.read("PMT", short)?,
        pbo: row.read("PBO", short)?,
        pbo_type: row.optional("type_PBO"),
        pbo_location: row.optional("localisation_PBO"),
        pbo_fibres: row.read("fibres_PBO", table::count)?,
        pm_prdm_link: row.optional("lien_PM_PRDM"),
        housings: row.read("logements", table::count)?,
    })
}

/// Reads a row of the line file.
pub(crate) fn line(row: &table::Row<'_>) -> Result<Line, Problem> {
    Ok(Line {
        imb: row.need("IMB", |v| Imb::parse(v).map_err(|e| e.to_string()))?,
        place: place(row),
        pto: row.need("PTO", |v| Pto::parse(v).map_err(|e| e.to_string()))?,
        pbo: row.read("PBO", short)?,
        state: row.text("etat")?.into(),
    })
}

/// Splits an open vocabulary value: `CH:EN CHAMBRE` → (`CH`, `EN CHAMBRE`); without a colon both are the value.
#[must_use]
pub fn coded(value: &str) -> (&str, &str) {
    value.split_once(':').map_or((value, value), |(code, label)| (code.trim(), label.trim()))
}

/// Reads a file of records that lies in memory, one record a row.
pub(crate) fn read<T>(
    file: &str,
    text: &str,
    layout: &Layout,
    parse: impl Fn(&table::Row<'_>) -> Result<T, Problem>,
) -> Result<File<T>, Error> {
    let mut rows = Vec::new();
    let walk = table::walk(file, text, layout, |row| {
        rows.push((row.line, parse(row)?));
        Ok(None)
    })?;
    Ok(File { rows, count: walk.rows, problems: walk.problems, unknown_columns: walk.unknown_columns })
}

fn place(row: &table::Row<'_>) -> Place {
    let part = |column| row.optional(column).unwrap_or_else(|| NA.into());
    Place { batiment: part("batiment"), escalier: part("escalier"), etage: part("etage") }
}

fn short(value: &str) -> Result<Box<str>, String> {
    if value.chars().count() <= 100 {
        Ok(value.into())
    } else {
        Err("is longer than 100 characters".to_owned())
    }
}
