//! The records of the address part of a release.
//!
//! Does not know the files that they come from, nor how they are searched.

use crate::ids::{Imb, Insee, Rivoli};
use serde::{Deserialize, Serialize};

/// A place on earth, WGS84 degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Longitude, east positive.
    pub lon: f64,
    /// Latitude, north positive.
    pub lat: f64,
}

/// A rectangle of WGS84 degrees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// South-west corner.
    pub min: Point,
    /// North-east corner.
    pub max: Point,
}

/// A commune or municipal arrondissement of the official list (*code officiel géographique*).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commune {
    /// Its code.
    pub insee: Insee,
    /// Its name with accents, for instance `Bussy-Saint-Georges`.
    pub name: Box<str>,
    /// Its postcodes, sorted.
    pub postcodes: Vec<Box<str>>,
    /// Inhabitants; 0 where the file does not tell.
    pub population: u32,
    /// Its centre.
    pub centre: Option<Point>,
    /// The rectangle around it.
    pub bounds: Option<Bounds>,
    /// The commune that an arrondissement belongs to, for instance `69123` for `69383`.
    pub parent: Option<Insee>,
}

/// A name under which mail reaches a commune (*libellé d'acheminement*), and the part of it that the name may mean.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PostalName {
    /// The commune.
    pub insee: Insee,
    /// The postcode.
    pub postcode: Box<str>,
    /// The routing label in capitals, for instance `BUSSY ST GEORGES`.
    pub label: Box<str>,
    /// A former commune or a place within it (*ligne 5*).
    pub line5: Option<Box<str>>,
}

/// What a named way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum StreetKind {
    /// A street with or without numbers (*voie*).
    Street,
    /// A place without a street (*lieu-dit*).
    Locality,
}

/// A street of one commune, with its numbers. Two sources that spell it differently give one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Street {
    /// The commune.
    pub insee: Insee,
    /// Its name as shown, for instance `Rue Jules Gilly`.
    pub name: Box<str>,
    /// Other spellings that the sources have, sorted.
    pub other_names: Vec<Box<str>>,
    /// Street or place.
    pub kind: StreetKind,
    /// Its postcodes, sorted.
    pub postcodes: Vec<Box<str>>,
    /// The commune's name as shown.
    pub commune: Box<str>,
    /// The commune that it belonged to before a merger (*ancienne commune*).
    pub former_commune: Option<Box<str>>,
    /// Street code of the tax office (*code Rivoli*).
    pub rivoli: Option<Rivoli>,
    /// Hexaclé of the street (*hexaclé voie*).
    pub hexacle: Option<Box<str>>,
    /// Where it is.
    pub position: Option<Point>,
    /// Its numbers, sorted by number, then suffix.
    pub numbers: Vec<Number>,
}

/// A number of a street.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Number {
    /// The number; 0 where the street has none.
    pub number: u32,
    /// What follows it, lower case without accents: empty, `bis`, `ter`, `b`, `a2`.
    pub suffix: Box<str>,
    /// Where it is.
    pub position: Option<Point>,
    /// Key of the national address base (*clé d'interopérabilité BAN*), for instance `06088_3505_00012_bis`.
    pub ban: Option<Box<str>>,
    /// Hexaclé of the number.
    pub hexacle: Option<Box<str>>,
    /// The buildings that stand there, sorted.
    pub buildings: Vec<Imb>,
}
