//! One commune on paper: its streets, where their numbers stand, and what is built there.
//!
//! Does not know the network ([`super::zones`]), nor the files.

use super::config::Config;
use super::dice::Dice;
use super::names::{Name, Namer, plain};
use super::towns::Town;
use super::zones::Zone;
use crate::address::Point;
use crate::building::{Kind, State};
use std::ops::Range;

/// Metres of one degree of latitude.
const DEGREE: f64 = 111_320.0;
/// The most numbers that one street has.
const MOST_NUMBERS: u32 = 400;

/// What follows a number, in three spellings: none, then *bis* and *ter*.
pub(super) const SUFFIXES: [&str; 3] = ["", "bis", "ter"];
/// The same in the IPE file.
pub(super) const LETTERS: [&str; 3] = ["", "B", "T"];

/// A commune with everything that stands in it.
pub(super) struct Plan<'a> {
    pub town: &'a Town,
    pub streets: Vec<Street>,
    /// By street, then number, then suffix.
    pub addresses: Vec<Address>,
    pub zones: Vec<Zone>,
}

/// A street.
pub(super) struct Street {
    pub name: Name,
    /// Street code, as long as the commune has not used up all 36,000.
    pub rivoli: Option<String>,
    /// What the keys of its numbers start with, for instance `77900_0012`.
    pub ban: String,
    /// Hexaclé of the street.
    pub hexacle: String,
    pub postcode: Box<str>,
    /// Place in [`super::network::OUTSIDE`]: what kind of box feeds its houses.
    pub outside: usize,
    pub numbered: bool,
    /// Its part of [`Plan::addresses`].
    pub addresses: Range<usize>,
}

/// A number and the building that stands there.
pub(super) struct Address {
    pub street: u32,
    /// 0 where the street has no numbers.
    pub number: u32,
    /// Place in [`SUFFIXES`].
    pub suffix: u8,
    pub point: Point,
    pub kind: Kind,
    /// *Bâtiments* of the address: 0 = one without a name.
    pub batiments: u8,
    pub housings: u32,
    /// Place in [`Plan::zones`].
    pub zone: u32,
    pub state: State,
    pub agreement_needed: bool,
    /// A box outside feeds it, not one in the building.
    pub from_outside: bool,
    /// The structure file has it.
    pub structure: bool,
    /// Days before (-) or after the day of the file.
    pub dates: Dates,
}

/// The days of a building, counted from the day of the file.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Dates {
    pub agreement: Option<i32>,
    pub cabled: Option<i32>,
    pub modified: i32,
    pub open: Option<i32>,
    pub new_building: Option<i32>,
}

impl Plan<'_> {
    pub fn street(&self, address: &Address) -> &Street {
        &self.streets[address.street as usize]
    }

    /// Key of the number in the address base, for instance `77900_0012_00006_bis`.
    pub fn ban_key(&self, address: &Address) -> String {
        let (number, suffix) = (address.number, SUFFIXES[usize::from(address.suffix)]);
        let link = if suffix.is_empty() { "" } else { "_" };
        format!("{}_{number:05}{link}{suffix}", self.street(address).ban)
    }

    /// Identifier of the building: the place of its address in the commune makes it unique.
    pub fn imb(&self, place: usize) -> String {
        let letter = if self.addresses[place].kind == Kind::House { 'X' } else { 'C' };
        format!("IMB/{}/{letter}/{}", self.town.commune.insee, base36(place as u64, 4))
    }

    pub fn hexacle(&self, place: usize) -> String {
        format!("{}{}", self.town.commune.insee, base36(place as u64, 5))
    }
}

/// A number in digits and capitals, right-aligned in `width` places.
pub(super) fn base36(number: u64, width: usize) -> String {
    let mut rest = number;
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(rest % 36) as usize];
        rest /= 36;
    }
    digits.into_iter().map(char::from).collect()
}

/// Draws streets and buildings until `premises` housings are there, and lays them out.
pub(super) fn plan<'a>(town: &'a Town, premises: u32, config: &Config, dice: &mut Dice) -> Plan<'a> {
    let mut plan = Plan { town, streets: Vec::new(), addresses: Vec::new(), zones: Vec::new() };
    let mut namer = Namer::default();
    let mut left = premises;
    while left > 0 {
        let first = plan.addresses.len();
        let numbered = !dice.chance(config.streets.without_numbers);
        let street = street(&plan, namer.next(dice), numbered, config, dice);
        plan.streets.push(street);
        numbers(&mut plan, &mut left, numbered, config, dice);
        let last = plan.addresses.len();
        if let Some(street) = plan.streets.last_mut() {
            street.addresses = first..last;
        }
    }
    lay_out(&mut plan, dice);
    plan
}

fn street(plan: &Plan<'_>, name: Name, numbered: bool, config: &Config, dice: &mut Dice) -> Street {
    let commune = &plan.town.commune;
    let place = plan.streets.len();
    let rivoli = (place + 1 < 36_000).then(|| {
        let first = base36(((place + 1) / 1000) as u64, 1);
        format!("{first}{:03}", (place + 1) % 1000)
    });
    // A street without a code has six characters of its own in the keys of the address base.
    let own = rivoli.clone().unwrap_or_else(|| base36(place as u64, 6));
    Street {
        name,
        rivoli,
        ban: format!("{}_{own}", commune.insee).to_lowercase(),
        hexacle: format!("{}V{}", commune.insee, base36(place as u64, 4)),
        postcode: dice.pick(&commune.postcodes).clone(),
        outside: dice.weighted(&config.boxes.weights()),
        numbered,
        addresses: 0..0,
    }
}

/// The numbers of the street that comes last in the plan.
fn numbers(plan: &mut Plan<'_>, left: &mut u32, numbered: bool, config: &Config, dice: &mut Dice) {
    let mean = if numbered { config.streets.numbers } else { config.streets.numbers.min(3.0) };
    let street = (plan.streets.len() - 1) as u32;
    let urban = plan.town.commune.population >= 10_000;
    let blocks = if urban { config.buildings.blocks_urban } else { config.buildings.blocks_rural };
    let (mut number, mut suffix) = (u32::from(numbered), 0_u8);
    for _ in 0..dice.around(mean).min(MOST_NUMBERS) {
        if *left == 0 {
            break;
        }
        let block = *left > 1 && dice.chance(blocks);
        let housings =
            if block { 1 + dice.around(config.buildings.block_housings - 1.0).min(400) } else { 1 }
                .min(*left);
        *left -= housings;
        let several = block && housings >= 8 && dice.chance(config.buildings.several_batiments);
        plan.addresses.push(Address {
            street,
            number,
            suffix,
            point: Point { lon: 0.0, lat: 0.0 },
            kind: if block { Kind::Block } else { Kind::House },
            batiments: if several { 2 + dice.below(3) as u8 } else { 0 },
            housings,
            zone: 0,
            state: State::Target,
            agreement_needed: block && dice.chance(config.buildings.agreement_needed),
            from_outside: !block || dice.chance(config.boxes.blocks_from_outside),
            structure: !dice.chance(config.buildings.without_structure),
            dates: Dates::default(),
        });
        let after = if suffix == 0 { config.streets.suffixed } else { 0.25 };
        if numbered && suffix < 2 && dice.chance(after) {
            suffix += 1;
        } else if numbered {
            (number, suffix) = (number + [1, 1, 1, 2, 2, 3][dice.below(6)], 0);
        }
    }
}

/// Streets take the cells of a grid row by row, to and fro, so that neighbours in the list are neighbours on the ground;
/// the numbers of one follow each other along a line, odd ones on its left, even ones on its right.
fn lay_out(plan: &mut Plan<'_>, dice: &mut Dice) {
    let bounds = plan.town.bounds;
    let (width, height) = (bounds.max.lon - bounds.min.lon, bounds.max.lat - bounds.min.lat);
    let middle = Point { lon: bounds.min.lon + width / 2.0, lat: bounds.min.lat + height / 2.0 };
    let side = (plan.streets.len() as f64).sqrt().ceil().max(1.0);
    let metre = Point { lon: 1.0 / (DEGREE * middle.lat.to_radians().cos()), lat: 1.0 / DEGREE };
    for (place, street) in plan.streets.iter().enumerate() {
        let (row, along) = ((place as f64 / side).floor(), place as f64 % side);
        let column = if row % 2.0 == 0.0 { along } else { side - 1.0 - along };
        let start = Point {
            lon: bounds.min.lon + width * (column + 0.2 + 0.6 * dice.unit()) / side,
            lat: bounds.min.lat + height * (row + 0.2 + 0.6 * dice.unit()) / side,
        };
        // Inwards, so that it does not run out of the commune.
        let inwards = ((middle.lat - start.lat) / metre.lat).atan2((middle.lon - start.lon) / metre.lon);
        let heading = inwards + (dice.unit() - 0.5);
        let step = 5.0 + 5.0 * dice.unit();
        for (order, address) in plan.addresses[street.addresses.clone()].iter_mut().enumerate() {
            let order = if street.numbered { f64::from(address.number) } else { order as f64 };
            let ahead = step * order + 3.0 * f64::from(address.suffix);
            let aside = if address.number % 2 == 1 { 9.0 } else { -9.0 };
            let east = ahead * heading.cos() - aside * heading.sin();
            let north = ahead * heading.sin() + aside * heading.cos();
            address.point = Point {
                lon: (start.lon + east * metre.lon).clamp(bounds.min.lon, bounds.max.lon),
                lat: (start.lat + north * metre.lat).clamp(bounds.min.lat, bounds.max.lat),
            };
        }
    }
}

/// Words of a street's name as they are compared: without accents, in lower case.
pub(super) fn plain_name(street: &Street) -> String {
    plain(&street.name.shown())
}
