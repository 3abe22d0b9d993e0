//! What a street or a commune costs as the answer to a query: everything that is left to wish, in one sum.
//!
//! A cost of 0 is an address that says all that the query says and nothing else; one telling word amiss is about 1.
//! Does not know which streets are looked at (`find`).

use super::align::{Aligned, align};
use super::index::Search;
use super::normal::Kind;
use super::parse::Parsed;
use super::places::{Hit, NameKind, metres, name_words};
use super::record::{Point, Street};

/// A street without the number that is asked for, while it has others.
const NOT_IN_STREET: f32 = 0.35;
/// A street without any number.
const NO_NUMBERS: f32 = 0.3;
/// The number is there with another suffix.
const OTHER_SUFFIX: f32 = 0.15;
/// A second number that nothing explains.
const SPARE_NUMBER: f32 = 0.15;
/// A commune where a street or a number is asked for.
const ONLY_COMMUNE: f32 = 0.8;
/// A street of another part of the commune than the one named.
const OTHER_PART: f32 = 0.15;
/// A street that may lie in the former commune that was named.
const PART_OF: f32 = 0.03;
/// A street of which less than half is in the query.
const HARDLY_NAMED: f32 = 0.25;
/// A street of which nothing but the type is in the query.
const NOT_NAMED: f32 = 1.0;
/// A street elsewhere than in the commune on which a name and a postcode of the query agree.
const NOT_IN_CONFIRMED: f32 = 0.5;
/// A commune whose code is the postcode of another, or the whole city for its part and the part for the whole.
const SECOND_MEANING: f32 = 0.06;

/// A query against an index.
pub(super) struct Asked<'a> {
    pub search: &'a Search,
    pub query: Parsed,
    pub near: Option<Point>,
    /// Place, digits, and the communes of each word that can be a postcode or code.
    pub codes: Vec<(usize, String, Vec<u32>)>,
    /// What names communes, by commune.
    pub hits: Vec<Hit>,
    /// A name and a code of the query agree on a commune.
    pub confirmed: bool,
}

/// A street or commune, weighed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    pub commune: u32,
    pub street: Option<u32>,
    /// Place of the number in the street.
    pub number: Option<u32>,
    /// What words and codes leave to wish.
    pub words: f32,
    /// What the number leaves to wish.
    pub house: f32,
    /// What place and importance speak for it; orders equals.
    pub bonus: f32,
    /// How the words name the commune.
    pub hit: Option<Hit>,
    /// How they name the street.
    pub aligned: Option<Aligned>,
    /// The spelling that was laid against them.
    pub spelling: u32,
    /// Place in the query of the house number.
    pub house_at: Option<usize>,
    /// Places of other numbers that may be the house's.
    pub spare: u32,
    /// The words of the query that nothing explains.
    pub unexplained: u32,
}

impl Judged {
    /// All that is left to wish.
    pub(super) fn cost(&self) -> f32 {
        self.words + self.house
    }

    /// What candidates are ordered by.
    pub(super) fn rank(&self) -> f32 {
        self.cost() - self.bonus
    }
}

/// What of a query nothing explains.
struct Left {
    cost: f32,
    house_at: Option<usize>,
    spare: u32,
    unexplained: u32,
}

impl Asked<'_> {
    /// Weighs a street, its number aside; `hits` are those of its commune.
    pub(super) fn street(&self, street: u32, hits: &[Hit]) -> Judged {
        let commune = self.search.commune_of[street as usize];
        let record = &self.search.streets[street as usize];
        let (codes, code_mask) = self.codes_cost(commune, Some(record));
        let coded = self.codes.iter().any(|(_, _, communes)| communes.contains(&commune));
        let mut best: Option<Judged> = None;
        for spelling in self.search.spellings_of.get(street) {
            let name = self.search.spellings.get(*spelling);
            let free = align(name, &self.query, 0, |word| self.search.weigh(word));
            for hit in std::iter::once(None).chain(hits.iter().map(Some)) {
                let aligned = match hit {
                    Some(hit) if free.mask & hit.mask != 0 => {
                        align(name, &self.query, hit.mask, |word| self.search.weigh(word))
                    }
                    _ => free,
                };
                let explained = aligned.mask | code_mask | hit.map_or(0, |h| h.mask);
                let Left { cost: left, house_at, spare, unexplained } =
                    self.left(explained, aligned.first, commune);
                let hardly = match aligned {
                    Aligned { named: false, .. } => NOT_NAMED,
                    Aligned { matched, total, .. } if matched < 0.4 * total => HARDLY_NAMED,
                    _ => 0.0,
                };
                let part = hit.map_or(0.0, |hit| self.part_cost(hit, record));
                let elsewhere =
                    if self.confirmed && hit.is_none() && !coded { NOT_IN_CONFIRMED } else { 0.0 };
                let words =
                    aligned.cost + hit.map_or(0.0, |h| h.cost) + part + left + codes + hardly + elsewhere;
                if best.as_ref().is_none_or(|b| words < b.words) {
                    best = Some(Judged {
                        commune,
                        street: Some(street),
                        number: None,
                        words,
                        house: 0.0,
                        bonus: 0.0,
                        hit: hit.copied(),
                        aligned: Some(aligned),
                        spelling: *spelling,
                        house_at,
                        spare,
                        unexplained,
                    });
                }
            }
        }
        best.unwrap_or_else(|| self.commune(commune, None))
    }

    /// Weighs a commune alone.
    pub(super) fn commune(&self, commune: u32, hit: Option<&Hit>) -> Judged {
        let (codes, code_mask) = self.codes_cost(commune, None);
        let explained = code_mask | hit.map_or(0, |h| h.mask);
        let Left { cost: left, house_at, spare, unexplained } = self.left(explained, usize::MAX, commune);
        // `Paris` is the whole city rather than each of its arrondissements.
        let is_part = |hit: &Hit| self.search.places.names[hit.name as usize].kind == NameKind::Whole;
        let part = if self.codes.is_empty() && hit.is_some_and(is_part) { SECOND_MEANING } else { 0.0 };
        let only = part + if self.query.asks_street() { ONLY_COMMUNE } else { 0.0 };
        Judged {
            commune,
            street: None,
            number: None,
            words: hit.map_or(0.0, |h| h.cost) + left + codes + only,
            house: 0.0,
            bonus: self.bonus(commune, None),
            hit: hit.copied(),
            aligned: None,
            spelling: 0,
            house_at,
            spare,
            unexplained,
        }
    }

    /// Adds the number and what place and importance say.
    pub(super) fn finish(&self, judged: &mut Judged) {
        let Some(street) = judged.street else { return };
        let record = &self.search.streets[street as usize];
        judged.bonus = self.bonus(judged.commune, record.position);
        let Some(at) = judged.house_at else {
            // A place without numbers has the one number 0.
            judged.number = record.numbers.first().filter(|n| n.number == 0).map(|_| 0);
            return;
        };
        (judged.house, judged.number) = self.house(record, at);
        // Another number of the query may be the house's after all.
        for other in
            (0..self.query.words.len()).filter(|other| judged.house > 0.0 && judged.spare & (1 << other) != 0)
        {
            if let (0.0, Some(number)) = self.house(record, other) {
                (judged.house, judged.number, judged.house_at) = (0.0, Some(number), Some(other));
                return;
            }
        }
    }

    /// What the number at `at` costs in a street, and its place there.
    fn house(&self, street: &Street, at: usize) -> (f32, Option<u32>) {
        let Some(house) = &self.query.words[at].token.house else { return (0.0, None) };
        if let Some(found) = street.number(house.number, &house.suffix) {
            return (0.0, Some(found));
        }
        let end =
            self.query.words.get(at + 1).filter(|w| w.token.range_end).and_then(|w| w.token.house.as_ref());
        if let Some(found) = end.and_then(|end| street.number(end.number, &end.suffix)) {
            return (OTHER_SUFFIX / 3.0, Some(found));
        }
        if let Ok(any) = street.numbers.binary_search_by_key(&house.number, |n| n.number) {
            let first =
                street.numbers[..=any].iter().rposition(|n| n.number != house.number).map_or(0, |n| n + 1);
            return (OTHER_SUFFIX, Some(first as u32));
        }
        let none = street.numbers.iter().all(|n| n.number == 0);
        (if none { NO_NUMBERS } else { NOT_IN_STREET }, None)
    }

    /// What is near or large comes first among equals.
    fn bonus(&self, commune: u32, position: Option<Point>) -> f32 {
        let commune = &self.search.places.communes[commune as usize];
        let large = 0.03 * (1.0 + commune.population as f32).log10() / 6.3;
        match (self.near, position.or(commune.centre)) {
            (Some(near), Some(position)) => {
                let km = (metres(near, position) / 1000.0) as f32;
                0.1 * large + 0.20 * (-(km / 50.0).powi(2)).exp() + 0.05 * (-km / 5.0).exp()
            }
            _ => large,
        }
    }

    /// What the postcodes and codes of the query cost in a commune or street, and those that fit.
    fn codes_cost(&self, commune: u32, street: Option<&Street>) -> (f32, u32) {
        let (mut cost, mut mask) = (0.0, 0);
        for (at, code, communes) in &self.codes {
            mask |= 1 << at;
            let record = &self.search.places.communes[commune as usize];
            let elsewhere = street
                .is_some_and(|s| !s.postcodes.is_empty() && !s.postcodes.iter().any(|p| **p == **code))
                && !record.insee.as_str().eq_ignore_ascii_case(code);
            cost += if communes.contains(&commune) {
                let part = |at: &u32| {
                    self.search.places.communes[*at as usize].parent.as_ref() == Some(&record.insee)
                };
                let as_code = record.insee.as_str() == code && communes.len() > 1;
                // The postcode of an arrondissement means it rather than the whole city.
                let as_code = as_code || communes.iter().any(part);
                if as_code {
                    SECOND_MEANING
                } else if elsewhere {
                    0.08
                } else {
                    0.0
                }
            } else if street.is_some_and(|s| s.postcodes.iter().any(|p| **p == **code)) {
                0.0
            } else {
                let department = record.insee.department();
                let same = code.starts_with(department)
                    || (code.starts_with("20")
                        && department.starts_with('2')
                        && department.len() == 2
                        && department > "2")
                    || record.postcodes.iter().any(|p| p.get(..2) == code.get(..2));
                match (same, communes.is_empty()) {
                    // A code that no commune has, such as a CEDEX, still tells the department.
                    (true, true) => 0.1,
                    (true, false) => 0.6,
                    (false, true) => 0.5,
                    (false, false) => 1.1,
                }
            };
        }
        (cost, mask)
    }

    /// What the words that nothing explains cost, and which number is the house's: the one before a street type,
    /// else one before the street.
    fn left(&self, explained: u32, first: usize, commune: u32) -> Left {
        let words = &self.query.words;
        let mut left = Left { cost: 0.0, house_at: None, spare: 0, unexplained: 0 };
        let mut best = 0;
        for (at, word) in words.iter().enumerate().filter(|(at, _)| explained & (1 << at) == 0) {
            match word.token.kind {
                Kind::Number if word.token.house.is_some() => {
                    if word.token.range_end {
                        continue;
                    }
                    let before_type = words.get(at + 1).is_some_and(|next| next.token.is_type);
                    let rank = 4 * u32::from(before_type) + 2 * u32::from(at < first);
                    let place = if left.house_at.is_none() || rank > best {
                        left.house_at.replace(at)
                    } else {
                        Some(at)
                    };
                    best = best.max(rank);
                    if let Some(other) = place {
                        left.spare |= 1 << other;
                        let explains_itself = self.is_department(&words[other].token.text, commune);
                        left.cost += if explains_itself { 0.0 } else { SPARE_NUMBER };
                    }
                }
                Kind::Article => left.cost += word.weight,
                Kind::Word | Kind::Number => {
                    left.cost += word.weight;
                    left.unexplained |= 1 << at;
                }
            }
        }
        left
    }

    /// `59` for a commune of the North, `6000` for a postcode that lost its zero.
    fn is_department(&self, digits: &str, commune: u32) -> bool {
        let commune = &self.search.places.communes[commune as usize];
        digits == commune.insee.department().trim_start_matches('0')
            || (digits.len() == 4 && commune.postcodes.iter().any(|p| p.strip_prefix('0') == Some(digits)))
    }

    /// A former commune was named: its streets come before those of the other parts.
    fn part_cost(&self, hit: &Hit, street: &Street) -> f32 {
        let name = &self.search.places.names[hit.name as usize];
        match &street.former_commune {
            Some(former) if name.kind == NameKind::Former => {
                let words = name_words(former);
                let same = words.len() == name.words.len()
                    && words.iter().zip(&name.words).all(|(a, b)| a == self.search.dictionary.word(*b));
                if same { 0.0 } else { OTHER_PART }
            }
            // Of two that are named alike the commune comes before the part of one.
            None if name.kind == NameKind::Former => PART_OF,
            _ => 0.0,
        }
    }
}
