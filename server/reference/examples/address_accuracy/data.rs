//! The real queries and the addresses that they mean.

use eservices_reference::address::{Commune, Number, Point, PostalName, Street, StreetKind, street_key};
use eservices_reference::ids::Insee;
use std::collections::HashMap;
use std::path::Path;

/// A query and the address that it means.
pub struct Expected {
    pub kind: String,
    pub group: String,
    pub text: String,
    pub near: Option<Point>,
    pub insee: Insee,
    pub city: String,
    pub postcode: Box<str>,
    /// Street key; empty when only the commune is known.
    pub key: String,
    pub number: u32,
    pub suffix: String,
    /// The query has no postcode: a commune of the same name is as right.
    pub by_city: bool,
    /// The query has no city: a commune of the same postcode is as right.
    pub by_postcode: bool,
}

pub struct Data {
    pub communes: Vec<Commune>,
    pub postal: Vec<PostalName>,
    pub streets: Vec<Street>,
    pub queries: Vec<Expected>,
    pub real: usize,
    pub left_out: usize,
}

type Row = csv::StringRecord;

/// Columns of the file of queries.
const SET: usize = 0;
const QUERY: usize = 1;
const LON: usize = 2;
const LAT: usize = 3;
const HOUSE: usize = 6;
const STREET: usize = 7;
const CITY: usize = 8;
const POSTCODE: usize = 9;

impl Data {
    pub fn read(folder: &Path) -> Self {
        let communes =
            rows(&folder.join("communes/communes_2026.csv.gz"), b';').iter().map(commune).collect();
        let postal = rows(&folder.join("communes/laposte_codes_postaux_20250619.csv.gz"), b',')
            .iter()
            .filter_map(|row| {
                Some(PostalName {
                    insee: Insee::parse(&row[0]).ok()?,
                    postcode: row[2].into(),
                    label: row[3].into(),
                    line5: (!row[4].is_empty()).then(|| row[4].into()),
                })
            })
            .collect();
        let mut data = Self { communes, postal, streets: vec![], queries: vec![], real: 0, left_out: 0 };
        let all = rows(&folder.join("addresses/geocoder_queries.csv"), b',');
        data.take_real(&all);
        data
    }

    /// Consecutive rows of one street and number, with a postcode and a city among them, give an address.
    fn take_real(&mut self, all: &[Row]) {
        let cities = self.cities();
        let mut streets: HashMap<(Insee, String), Street> = HashMap::new();
        for group in all.chunk_by(|a, b| (&a[SET], &a[HOUSE], &a[STREET]) == (&b[SET], &b[HOUSE], &b[STREET]))
        {
            let first = |column: usize| group.iter().map(|row| &row[column]).find(|text| !text.is_empty());
            let address = first(HOUSE).zip(first(STREET)).zip(first(POSTCODE).zip(first(CITY)));
            let Some(((house, street), (postcode, city))) = address else {
                self.take_communes(group, &cities);
                continue;
            };
            let Some((at, former)) = cities.get(&(postcode.to_owned(), street_key(city))).copied() else {
                self.left_out += group.len();
                continue;
            };
            let commune = &self.communes[at];
            let Some((number, suffix)) = split_house(house) else {
                self.left_out += group.len();
                continue;
            };
            let near = group.iter().find_map(point);
            let position = near.or(commune.centre);
            let key = street_key(street);
            let record = streets.entry((commune.insee.clone(), key.clone())).or_insert_with(|| Street {
                insee: commune.insee.clone(),
                name: street.into(),
                other_names: vec![],
                kind: StreetKind::Street,
                postcodes: vec![postcode.into()],
                commune: commune.name.clone(),
                former_commune: former.then(|| city.into()),
                rivoli: None,
                hexacle: None,
                position,
                numbers: vec![],
            });
            if !record.postcodes.iter().any(|p| **p == *postcode) {
                record.postcodes.push(postcode.into());
                record.postcodes.sort();
            }
            if !record.numbers.iter().any(|n| n.number == number && *n.suffix == *suffix) {
                record.numbers.push(a_number(number, &suffix, position));
                self.real += 1;
            }
            let (insee, city) = (commune.insee.clone(), street_key(city));
            for row in group {
                let has_postcode = row[QUERY].contains(postcode);
                let has_city = street_key(&row[QUERY]).contains(city.as_str());
                let kind = match (has_postcode, has_city, point(row)) {
                    (true, true, _) => "real: full",
                    (false, true, _) => "real: without postcode",
                    (true, false, _) => "real: without city",
                    (false, false, Some(_)) => "real: with a place",
                    (false, false, None) => "real: street only",
                };
                self.queries.push(Expected {
                    kind: kind.into(),
                    group: format!("set {}", &row[SET]),
                    text: row[QUERY].into(),
                    near: point(row),
                    insee: insee.clone(),
                    city: city.clone(),
                    postcode: postcode.into(),
                    key: key.clone(),
                    number,
                    suffix: suffix.clone(),
                    by_city: false,
                    by_postcode: false,
                });
            }
        }
        self.streets = streets.into_values().collect();
        self.streets
            .iter_mut()
            .for_each(|s| s.numbers.sort_by(|a, b| (a.number, &a.suffix).cmp(&(b.number, &b.suffix))));
        self.streets.sort_by(|a, b| (&a.insee, &a.name).cmp(&(&b.insee, &b.name)));
    }

    /// Rows that only tell the commune ask for that much.
    fn take_communes(&mut self, group: &[Row], cities: &HashMap<(String, String), (usize, bool)>) {
        for row in group {
            let code = row[QUERY]
                .split_whitespace()
                .rfind(|w| w.len() == 5 && w.bytes().all(|b| b.is_ascii_digit()));
            let found = code.and_then(|code| cities.get(&(code.to_owned(), street_key(&row[CITY]))));
            let (Some((at, _)), true) = (found, row[STREET].is_empty()) else {
                self.left_out += 1;
                continue;
            };
            self.queries.push(Expected {
                kind: "commune: of a street not indexed".into(),
                group: format!("set {} (commune)", &row[SET]),
                text: row[QUERY].into(),
                near: point(row),
                insee: self.communes[*at].insee.clone(),
                city: street_key(&row[CITY]),
                postcode: code.unwrap_or_default().into(),
                key: String::new(),
                number: 0,
                suffix: String::new(),
                by_city: true,
                by_postcode: false,
            });
        }
    }

    /// Commune by postcode and the key of its name; whether it is a former commune's.
    fn cities(&self) -> HashMap<(String, String), (usize, bool)> {
        let by_insee: HashMap<&str, usize> =
            self.communes.iter().enumerate().map(|(at, c)| (c.insee.as_str(), at)).collect();
        let mut cities = HashMap::new();
        for name in &self.postal {
            if let Some(at) = by_insee.get(name.insee.as_str()) {
                for (text, former) in [(Some(&name.label), false), (name.line5.as_ref(), true)] {
                    if let Some(text) = text {
                        cities.insert((name.postcode.to_string(), street_key(text)), (*at, former));
                    }
                }
            }
        }
        for (at, commune) in self.communes.iter().enumerate() {
            for code in &commune.postcodes {
                cities.entry((code.to_string(), street_key(&commune.name))).or_insert((at, false));
            }
        }
        cities
    }
}

/// A small generator of which the next value is known: the same addresses each time.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most
    }
}

pub fn a_number(number: u32, suffix: &str, position: Option<Point>) -> Number {
    Number { number, suffix: suffix.into(), position, ban: None, hexacle: None, buildings: vec![] }
}

fn point(row: &Row) -> Option<Point> {
    Some(Point { lon: row[LON].parse().ok()?, lat: row[LAT].parse().ok()? })
}

/// `12BIS` → 12, `bis`.
fn split_house(text: &str) -> Option<(u32, String)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let suffix = text[digits..].trim().to_lowercase();
    if !suffix.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    Some((text[..digits].parse().ok()?, suffix))
}

fn commune(row: &Row) -> Commune {
    let degree = |column: usize| row[column].parse::<f64>().ok();
    let at = |lon: usize, lat: usize| Some(Point { lon: degree(lon)?, lat: degree(lat)? });
    Commune {
        insee: Insee::parse(&row[0]).unwrap(),
        name: row[1].into(),
        postcodes: row[8].split('|').filter(|p| !p.is_empty()).map(Into::into).collect(),
        population: row[7].parse().unwrap_or(0),
        centre: at(9, 10),
        bounds: at(11, 12)
            .zip(at(13, 14))
            .map(|(min, max)| eservices_reference::address::Bounds { min, max }),
        parent: Insee::parse(&row[5]).ok(),
    }
}

fn rows(path: &Path, delimiter: u8) -> Vec<Row> {
    let source = eservices_reference::text::whole(path).unwrap();
    csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(source.as_bytes())
        .records()
        .map(Result::unwrap)
        .collect()
}
