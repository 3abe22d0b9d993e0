//! From a key to buildings: the one place where every e-service does it.
//!
//! An exact key (building, socket) that nothing has is NOT_FOUND. An address that fits several places, or none well, is no
//! error: it gives candidates. Knows no tonic, no clock, no database.

use eservices_reference::{
    Building, Line,
    address::{self, Commune, Grade, Level, Number, Point, Query, Reason, Street},
    geo,
    ids::{Imb, Pto},
};

use crate::{
    addresses::wire::{Codes, Near},
    platform::{error::Error, network::Network},
};

/// What a place is named by.
#[derive(Clone, Debug)]
pub enum Key {
    /// A building.
    Imb(Imb),
    /// A socket.
    Pto(Pto),
    /// Free text.
    Text(String),
    /// Codes, tried in the market's order.
    Codes(Codes),
    /// Coordinates with a radius.
    Around(Near),
}

/// The look-up that found a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The building's reference.
    Imb,
    /// The socket's reference.
    Pto,
    /// Free text.
    Address,
    /// Key of the national address base.
    BanId,
    /// Hexaclé of the number.
    Hexacle,
    /// INSEE and Rivoli codes with the number.
    StreetCode,
    /// Hexaclé of the street with the number.
    StreetHexacle,
    /// Coordinates.
    Position,
}

impl By {
    /// As the contract spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Imb => "IMB",
            Self::Pto => "PTO",
            Self::Address => "ADDRESS",
            Self::BanId => "BAN_ID",
            Self::Hexacle => "HEXACLE",
            Self::StreetCode => "STREET_CODE",
            Self::StreetHexacle => "STREET_HEXACLE",
            Self::Position => "POSITION",
        }
    }
}

/// What a key led to.
#[derive(Debug, Default)]
pub struct Found<'a> {
    /// The buildings, nearest first where a position was asked for, by reference otherwise.
    pub buildings: Vec<Hit<'a>>,
    /// The socket, if it was the key.
    pub socket: Option<&'a Line>,
    /// What an address may mean, best first.
    pub candidates: Vec<Candidate<'a>>,
    /// The look-up that found something.
    pub by: Option<By>,
}

/// A building that was found.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    /// The building.
    pub building: &'a Building,
    /// From the position asked for, metres.
    pub distance: Option<f64>,
}

/// An address that may be meant.
#[derive(Debug)]
pub struct Candidate<'a> {
    /// The match.
    pub matched: address::Candidate,
    /// Its street; none for a commune alone.
    pub street: Option<&'a Street>,
    /// Its commune.
    pub commune: Option<&'a Commune>,
    /// Its number.
    pub number: Option<&'a Number>,
    /// From the position asked for, metres.
    pub distance: Option<f64>,
}

/// Candidates of one text.
const CANDIDATES: usize = 5;

/// How far around a position of [`Codes`] is looked, metres.
const AROUND: u32 = 50;

/// Buildings at a key.
pub fn find<'a>(key: &Key, network: &'a Network) -> Result<Found<'a>, Error> {
    match key {
        Key::Imb(imb) => {
            let building = building(imb, network)?;
            Ok(Found { buildings: vec![exactly(building)], by: Some(By::Imb), ..Found::default() })
        }
        Key::Pto(pto) => {
            let line = network.line(pto).ok_or_else(|| Error::not_found("Socket", pto.as_str()))?;
            let building = building(&line.imb, network)?;
            Ok(Found {
                buildings: vec![exactly(building)],
                socket: Some(line),
                by: Some(By::Pto),
                ..Found::default()
            })
        }
        Key::Text(text) => Ok(by_text(text, network)),
        Key::Codes(codes) => Ok(by_codes(codes, network)),
        Key::Around(near) => Ok(around(near, network)),
    }
}

const fn exactly(building: &Building) -> Hit<'_> {
    Hit { building, distance: None }
}

fn building<'a>(imb: &Imb, network: &'a Network) -> Result<&'a Building, Error> {
    network.reference.building(imb).ok_or_else(|| Error::not_found("Building", imb.as_str()))
}

/// The best candidate decides if it is a number, fits well, and has buildings; else a person must choose.
fn by_text<'a>(text: &str, network: &'a Network) -> Found<'a> {
    let query = Query { text, near: None, insee: None, limit: CANDIDATES };
    let candidates = candidates(&query, network);
    let sure = candidates.first().filter(|c| {
        c.matched.level() == Level::Number && matches!(c.matched.grade, Grade::Exact | Grade::Good)
    });
    let buildings = sure.and_then(|c| c.number).map(|number| at(number, network)).unwrap_or_default();
    let by = (!buildings.is_empty()).then_some(By::Address);
    Found { buildings, candidates, by, socket: None }
}

/// Candidates of a free text, best first.
#[must_use]
pub fn candidates<'a>(query: &Query<'_>, network: &'a Network) -> Vec<Candidate<'a>> {
    let found = network.reference.addresses().find(query);
    with_records(found, query, network)
}

/// Completions of a text that is being typed, best first.
#[must_use]
pub fn completions<'a>(query: &Query<'_>, network: &'a Network) -> Vec<Candidate<'a>> {
    let found = network.reference.addresses().complete(query.text, query.near, query.limit);
    with_records(found, query, network)
}

fn with_records<'a>(
    found: Vec<address::Candidate>,
    query: &Query<'_>,
    network: &'a Network,
) -> Vec<Candidate<'a>> {
    // Beside one that fits, those that hardly do are noise.
    let fits = found.first().is_some_and(|best| best.grade >= Grade::Good);
    let shown = found.into_iter().filter(|one| !fits || one.grade > Grade::Weak);
    shown.map(|matched| with_record(matched, query.near, network)).collect()
}

fn with_record(matched: address::Candidate, near: Option<Point>, network: &Network) -> Candidate<'_> {
    let addresses = network.reference.addresses();
    let commune = addresses.communes().get(matched.commune as usize);
    let street = matched.street.and_then(|at| addresses.streets().get(at as usize));
    let number = street.zip(matched.number).and_then(|(street, at)| street.numbers.get(at as usize));
    let position = number.and_then(|n| n.position).or_else(|| street.and_then(|s| s.position));
    let distance = near.zip(position).map(|(a, b)| geo::distance_metres(a, b));
    Candidate { matched, commune, street, number, distance }
}

fn at<'a>(number: &Number, network: &'a Network) -> Vec<Hit<'a>> {
    number.buildings.iter().filter_map(|imb| network.reference.building(imb)).map(exactly).collect()
}

/// The look-ups in the market's order (FADR01); the first that finds an address with buildings decides.
fn by_codes<'a>(codes: &Codes, network: &'a Network) -> Found<'a> {
    let addresses = network.reference.addresses();
    let number = codes.number.as_ref().map(|(number, suffix)| (*number, suffix.as_str()));
    let by_street_code = || {
        let ((insee, rivoli), (number, suffix)) = codes.street.as_ref().zip(number)?;
        addresses.number_by_rivoli(insee, rivoli, number, suffix)
    };
    let by_street_hexacle = || {
        let (hexacle, (number, suffix)) = codes.street_hexacle.as_deref().zip(number)?;
        let street = addresses.by_hexacle(hexacle)?.street;
        let number = addresses.streets().get(street as usize)?.number(number, suffix);
        Some(address::Found { street, number })
    };
    let lookups: [(By, &dyn Fn() -> Option<address::Found>); 4] = [
        (By::BanId, &|| addresses.by_ban(codes.ban.as_deref()?)),
        (By::Hexacle, &|| addresses.by_hexacle(codes.hexacle.as_deref()?)),
        (By::StreetCode, &by_street_code),
        (By::StreetHexacle, &by_street_hexacle),
    ];
    let mut located = None;
    for (by, look) in lookups {
        let Some(found) = look() else { continue };
        let number = addresses.streets().get(found.street as usize).zip(found.number);
        let number = number.and_then(|(street, at)| street.numbers.get(at as usize));
        let buildings = number.map(|number| at(number, network)).unwrap_or_default();
        if !buildings.is_empty() {
            return Found { buildings, by: Some(by), ..Found::default() };
        }
        located = located.or(Some(found));
    }
    if let Some(point) = codes.position {
        let found = around(&Near { point, radius: AROUND }, network);
        if !found.buildings.is_empty() {
            return found;
        }
    }
    // The address without a building, or the street without the number: a person sees what is known.
    let street = || {
        let (insee, rivoli) = codes.street.as_ref()?;
        Some(address::Found { street: addresses.by_rivoli(insee, rivoli)?, number: None })
    };
    let candidate = located.or_else(street).and_then(|found| {
        let street = addresses.streets().get(found.street as usize)?;
        let (grade, reasons) = match found.number {
            Some(_) => (Grade::Exact, Vec::new()),
            None => (Grade::Partial, vec![Reason::NumberNotInStreet { nearest: Vec::new() }]),
        };
        Some(address::Candidate {
            commune: addresses.commune(&street.insee)?,
            street: Some(found.street),
            number: found.number,
            score: if found.number.is_some() { 1.0 } else { 0.5 },
            grade,
            reasons,
        })
    });
    let candidates = candidate.map(|matched| with_record(matched, None, network));
    Found { candidates: candidates.into_iter().collect(), ..Found::default() }
}

/// Buildings around a position, nearest first.
fn around<'a>(near: &Near, network: &'a Network) -> Found<'a> {
    let found = network.reference.around(near.point, f64::from(near.radius));
    let by = (!found.is_empty()).then_some(By::Position);
    let hit = |(metres, building)| Hit { building, distance: Some(metres) };
    Found { buildings: found.into_iter().map(hit).collect(), by, ..Found::default() }
}
