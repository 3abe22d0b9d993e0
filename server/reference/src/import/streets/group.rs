//! The spots of one commune and one street name → its streets.
//!
//! More than one where a commune was merged from others that had a street of that name each.

use super::{Spot, letter};
use crate::address::{Number, Point, Street, StreetKind};
use std::collections::{BTreeMap, BTreeSet};

/// Makes streets of spots that come in one order whatever the order of the input.
pub(super) fn streets(spots: Vec<Spot>) -> Vec<Street> {
    let mut by_former: BTreeMap<Option<Box<str>>, Both> = BTreeMap::new();
    let (listed, buildings): (Vec<_>, Vec<_>) = spots.into_iter().partition(|spot| spot.listed);
    for spot in listed {
        by_former.entry(spot.former_commune.clone()).or_default().listed.push(spot);
    }
    for building in buildings {
        let former = match building.settled {
            true => building.former_commune.clone(),
            false => former(&by_former, &building),
        };
        by_former.entry(former).or_default().buildings.push(building);
    }
    let all = |Both { mut listed, buildings }: Both| {
        listed.extend(buildings);
        listed
    };
    by_former.into_iter().filter_map(|(former, both)| street(former, &all(both))).collect()
}

/// The spots of one former commune. Apart, so that looking among the listed ones does not pass by every building.
#[derive(Default)]
struct Both {
    listed: Vec<Spot>,
    buildings: Vec<Spot>,
}

/// The former commune that a building is in: the one whose street has its number, else its postcode, else the first.
fn former(by_former: &BTreeMap<Option<Box<str>>, Both>, building: &Spot) -> Option<Box<str>> {
    let one = |test: &dyn Fn(&Spot) -> bool| {
        by_former.iter().find(|(_, both)| both.listed.iter().any(test)).map(|(former, _)| former.clone())
    };
    one(&|spot| same_number(spot, building))
        .or_else(|| one(&|spot| spot.postcode == building.postcode))
        .or_else(|| by_former.keys().next().cloned())
        .flatten()
}

fn same_number(a: &Spot, b: &Spot) -> bool {
    match (&a.number, &b.number) {
        (Some((a, x)), Some((b, y))) => a == b && letter(x) == letter(y),
        _ => false,
    }
}

fn street(former_commune: Option<Box<str>>, spots: &[Spot]) -> Option<Street> {
    // The address base says how a street is called; of several spellings the most frequent.
    let best = |listed: bool| most_frequent(spots.iter().filter(|spot| spot.listed == listed));
    let shown = best(true).or_else(|| best(false))?;
    let mut names: BTreeSet<&Box<str>> =
        spots.iter().flat_map(|spot| std::iter::once(&spot.name).chain(&spot.other_names)).collect();
    names.remove(&shown.name);
    let mut listed = spots.iter().filter(|spot| spot.listed);
    let locality = |spot: &Spot| spot.kind == StreetKind::Locality;
    let numbered = spots.iter().any(|spot| spot.number.as_ref().is_some_and(|(number, _)| *number > 0));
    let is_street = listed.clone().any(|spot| !locality(spot)) || numbered || !spots.iter().any(locality);
    let numbers = numbers(spots);
    let whole = listed.find(|spot| spot.number.is_none()).and_then(|spot| spot.position);
    let postcodes: BTreeSet<_> = spots.iter().filter_map(|spot| spot.postcode.clone()).collect();
    Some(Street {
        insee: shown.insee.clone(),
        name: shown.name.clone(),
        other_names: names.into_iter().cloned().collect(),
        kind: if is_street { StreetKind::Street } else { StreetKind::Locality },
        postcodes: postcodes.into_iter().collect(),
        commune: shown.commune.clone(),
        former_commune,
        rivoli: spots.iter().find_map(|spot| spot.rivoli.clone()),
        hexacle: spots.iter().find_map(|spot| spot.street_hexacle.clone()),
        position: whole.or_else(|| middle(&numbers)),
        numbers,
    })
}

/// The first spot of the name that most have.
fn most_frequent<'a>(spots: impl Iterator<Item = &'a Spot>) -> Option<&'a Spot> {
    let mut by_name: BTreeMap<&str, (usize, &Spot)> = BTreeMap::new();
    for spot in spots {
        by_name.entry(&spot.name).or_insert((0, spot)).0 += 1;
    }
    // Of equals the first by name.
    by_name.into_values().rev().max_by_key(|(count, _)| *count).map(|(_, spot)| spot)
}

fn numbers(spots: &[Spot]) -> Vec<Number> {
    let mut numbers: BTreeMap<(u32, Box<str>), (u8, Number)> = BTreeMap::new();
    for spot in spots.iter().filter(|spot| spot.listed) {
        let Some((number, suffix)) = &spot.number else { continue };
        let new = Number {
            number: *number,
            suffix: suffix.clone(),
            position: spot.position,
            ban: spot.ban.clone(),
            hexacle: None,
            buildings: Vec::new(),
        };
        let key = (*number, suffix.clone());
        // Of several positions the nearest to the door counts.
        match numbers.get(&key) {
            Some((priority, old)) if *priority >= spot.priority && old.position.is_some() => {}
            _ => drop(numbers.insert(key, (spot.priority, new))),
        }
    }
    for spot in spots {
        let (Some(imb), Some((number, suffix))) = (&spot.building, &spot.number) else { continue };
        let exact = (*number, suffix.clone());
        let short = (*number, Box::from(letter(suffix)));
        let key = if !numbers.contains_key(&exact) && numbers.contains_key(&short) { short } else { exact };
        let (number, suffix) = key.clone();
        let empty = Number {
            number,
            suffix,
            position: spot.position,
            ban: spot.ban.clone(),
            hexacle: None,
            buildings: Vec::new(),
        };
        let (_, entry) = numbers.entry(key).or_insert((0, empty));
        entry.position = entry.position.or(spot.position);
        if entry.hexacle.is_none() {
            entry.hexacle.clone_from(&spot.hexacle);
        }
        entry.buildings.push(imb.clone());
    }
    let mut numbers: Vec<_> = numbers.into_values().map(|(_, number)| number).collect();
    for number in &mut numbers {
        number.buildings.sort_unstable();
    }
    numbers
}

/// The middle of the numbers that have a place.
fn middle(numbers: &[Number]) -> Option<Point> {
    let mut points = numbers.iter().filter_map(|number| number.position);
    let first = points.next()?;
    let (mut count, mut lon, mut lat) = (1.0, 0.0, 0.0);
    for point in points {
        (count, lon, lat) = (count + 1.0, lon + point.lon - first.lon, lat + point.lat - first.lat);
    }
    Some(Point { lon: first.lon + lon / count, lat: first.lat + lat / count })
}
