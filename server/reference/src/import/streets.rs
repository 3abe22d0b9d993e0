//! Entries of the national address base and the buildings' own addresses → streets with their numbers.
//!
//! A building stands at the number that its BAN key names, else its hexaclé, else commune, Rivoli and number, else street
//! name and number. Does not know how streets are searched.

mod group;

use super::sorter::{Room, Sorted, Sorter};
use super::{ImportError, Meter};
use crate::address::{Point, StreetKind, street_key};
use crate::ban::Entry;
use crate::building::Building;
use crate::geo;
use crate::ids::{Imb, Insee, Rivoli};
use crate::store::{FileEntry, STREETS_FILE, Writer};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::Path;

/// What one source tells about one number, or about a street as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Spot {
    insee: Insee,
    /// The street's name, normalised.
    street: String,
    number: Option<(u32, Box<str>)>,
    /// From the address base.
    listed: bool,
    /// Listed, or put at the number of a listed one.
    settled: bool,
    kind: StreetKind,
    name: Box<str>,
    other_names: Vec<Box<str>>,
    postcode: Option<Box<str>>,
    commune: Box<str>,
    former_commune: Option<Box<str>>,
    rivoli: Option<Rivoli>,
    street_hexacle: Option<Box<str>>,
    position: Option<Point>,
    priority: u8,
    ban: Option<Box<str>>,
    hexacle: Option<Box<str>>,
    building: Option<Imb>,
}

impl Spot {
    fn of_entry(entry: Entry) -> Self {
        Self {
            street: street_key(&entry.street),
            number: entry.number,
            listed: true,
            settled: true,
            kind: entry.kind,
            name: entry.street,
            other_names: entry.other_names,
            postcode: entry.postcode,
            commune: entry.commune,
            former_commune: entry.former_commune,
            rivoli: entry.rivoli,
            street_hexacle: None,
            position: entry.position,
            priority: entry.priority,
            ban: entry.ban,
            hexacle: None,
            building: None,
            insee: entry.insee,
        }
    }

    fn of_building(building: Building) -> Self {
        let parts = [&*building.street_type, &*building.street_name];
        let name = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let position = building.position;
        // No number and an unknown one: the street as far as it is known.
        let suffix = building.complement.map(suffix).unwrap_or_default();
        Self {
            insee: building.insee,
            street: street_key(&name),
            number: Some((building.number.unwrap_or_default(), suffix)),
            listed: false,
            settled: false,
            kind: StreetKind::Street,
            name: name.into(),
            other_names: Vec::new(),
            postcode: Some(building.postcode),
            commune: building.commune,
            former_commune: None,
            rivoli: building.rivoli,
            street_hexacle: building.street_hexacle,
            position: geo::to_wgs84(position.projection, position.x, position.y),
            priority: 0,
            ban: building.ban,
            hexacle: building.hexacle,
            building: Some(building.imb),
        }
    }

    /// Puts a building at the number of another spot; a street or place as a whole leaves it its own.
    fn settle(&mut self, at: &Self) {
        self.insee.clone_from(&at.insee);
        self.street.clone_from(&at.street);
        if at.number.is_some() {
            self.number.clone_from(&at.number);
        }
        self.former_commune.clone_from(&at.former_commune);
        self.rivoli = at.rivoli.clone().or_else(|| self.rivoli.take());
        self.settled = at.settled;
    }
}

/// The IPE's letter as the address base writes it.
fn suffix(letter: char) -> Box<str> {
    match letter {
        'B' => "bis".into(),
        'T' => "ter".into(),
        'Q' => "quater".into(),
        other => other.to_ascii_lowercase().to_string().into(),
    }
}

/// The letter of what follows a number: `bis` and `b` are often the same.
fn letter(suffix: &str) -> &str {
    match suffix {
        "bis" => "b",
        "ter" => "t",
        "quater" => "q",
        other => other,
    }
}

/// The ways to find a building's number, best first; the last is for all that are found.
#[derive(Clone, Copy)]
enum By {
    Ban,
    Hexacle,
    Rivoli,
    Street,
}

impl By {
    /// What spots of one number, or of one street, have in common; none where the spot cannot be found this way. Spots
    /// that may give their place come before those that seek one.
    fn key(self, spot: &Spot) -> Option<Vec<u8>> {
        let rank = u8::from(!spot.settled);
        let insee = spot.insee.as_str().as_bytes();
        Some(match self {
            Self::Ban => [spot.ban.as_ref()?.as_bytes(), &[0, rank]].concat(),
            Self::Hexacle => [spot.hexacle.as_ref()?.as_bytes(), &[0, rank]].concat(),
            Self::Rivoli => {
                let (number, suffix) = spot.number.as_ref()?;
                let rivoli = spot.rivoli.as_ref()?.as_str().as_bytes();
                let number = number.to_be_bytes();
                [insee, rivoli, number.as_slice(), letter(suffix).as_bytes(), &[0, rank]].concat()
            }
            Self::Street => [insee, spot.street.as_bytes(), &[0]].concat(),
        })
    }
}

/// Collects spots.
pub(super) struct Spots {
    /// The sorts that are still to be gone through.
    later: VecDeque<(By, Sorter<Spot>)>,
}

impl Spots {
    /// `listed` tells whether entries of the address base will come.
    pub fn new(listed: bool, room: &Room<'_>) -> Self {
        let mut later = VecDeque::new();
        if listed {
            later.push_back((By::Ban, room.sorter("spots_by_ban")));
        }
        later.push_back((By::Hexacle, room.sorter("spots_by_hexacle")));
        if listed {
            later.push_back((By::Rivoli, room.sorter("spots_by_rivoli")));
        }
        later.push_back((By::Street, room.sorter("spots_by_street")));
        Self { later }
    }

    pub fn add_entry(&mut self, entry: Entry) -> Result<(), ImportError> {
        self.route(&Spot::of_entry(entry))
    }

    pub fn add_building(&mut self, building: Building) -> Result<(), ImportError> {
        self.route(&Spot::of_building(building))
    }

    /// Hands a spot to the first sort that can use it.
    fn route(&mut self, spot: &Spot) -> Result<(), ImportError> {
        let sort = self.later.iter_mut().find_map(|(by, sorter)| Some((by.key(spot)?, sorter)));
        sort.map_or(Ok(()), |(key, sorter)| sorter.push(&key, spot))
    }

    /// Puts buildings at their numbers and writes the streets; tells how many numbers they have.
    pub fn write(mut self, folder: &Path, meter: &mut Meter<'_>) -> Result<(FileEntry, usize), ImportError> {
        while self.later.len() > 1 {
            let Some((_, sorter)) = self.later.pop_front() else { break };
            self.settle(&mut sorter.finish()?, meter)?;
        }
        let failed = |error| ImportError::io(folder, error);
        let mut out = Writer::create(folder, STREETS_FILE).map_err(failed)?;
        let mut numbers = 0;
        let mut spots: Vec<Spot> = Vec::new();
        let mut write = |spots: Vec<Spot>| {
            group::streets(spots).into_iter().try_for_each(|street| {
                numbers += street.numbers.len();
                out.push(&street).map_err(failed)
            })
        };
        if let Some((_, sorter)) = self.later.pop_front() {
            let mut sorted = sorter.finish()?;
            while let Some(spot) = sorted.next()? {
                meter.row(0)?;
                if spots.last().is_some_and(|last| last.insee != spot.insee || last.street != spot.street) {
                    write(std::mem::take(&mut spots))?;
                }
                spots.push(spot);
            }
        }
        write(spots)?;
        Ok((out.finish().map_err(failed)?, numbers))
    }

    /// Walks through runs of one key and hands each on to the sorts that are left, gathered unless it is too long to
    /// be one number.
    fn settle(&mut self, sorted: &mut Sorted<Spot>, meter: &mut Meter<'_>) -> Result<(), ImportError> {
        let (mut key, mut run, mut run_length): (Vec<u8>, Vec<Spot>, _) = (Vec::new(), Vec::new(), 0);
        while let Some(spot) = sorted.next()? {
            meter.row(0)?;
            // The last byte is the rank.
            let same = sorted.key().split_last().map_or(&[][..], |(_, same)| same);
            if same != key {
                key = same.to_vec();
                gather(&mut run);
                run.drain(..).try_for_each(|spot| self.route(&spot))?;
                run_length = 0;
            }
            run.push(spot);
            run_length += 1;
            if run_length > MOST_OF_A_NUMBER {
                run.drain(..).try_for_each(|spot| self.route(&spot))?;
            }
        }
        gather(&mut run);
        run.drain(..).try_for_each(|spot| self.route(&spot))
    }
}

/// A key that more spots have stands for nothing, for instance a hexaclé of zeros.
const MOST_OF_A_NUMBER: usize = 1000;

/// Puts the spots of one run at one number: that of a settled one, with the same suffix if there is one; else, as none
/// is, that which most have, of equals the one with the fuller name.
fn gather(run: &mut [Spot]) {
    if run.len() < 2 {
        return;
    }
    let (settled, loose) = run.split_at_mut(run.iter().take_while(|spot| spot.settled).count());
    if let Some(first) = settled.first() {
        for spot in loose {
            let place = settled.iter().find(|place| place.number == spot.number);
            spot.settle(place.unwrap_or(first));
        }
        return;
    }
    let votes = |spot: &Spot| loose.iter().filter(|other| other.street == spot.street).count();
    let best = loose.iter().rev().max_by_key(|spot| (votes(spot), spot.street.len())).cloned();
    if let Some(best) = best {
        loose.iter_mut().for_each(|spot| spot.settle(&best));
    }
}
