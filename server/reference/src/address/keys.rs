//! Streets and numbers by key: key of the national base, Rivoli code, street key, hexaclé.
//!
//! Does not know free text.

use super::index::Search;
use super::normal::street_key;
use super::record::{Number, Street};
use crate::ids::{Insee, Rivoli};
use std::hash::{DefaultHasher, Hash, Hasher};

/// A street and, when asked for, its number: places in [`Search::streets`] and [`Street::numbers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Found {
    /// The street.
    pub street: u32,
    /// Its number.
    pub number: Option<u32>,
}

/// Hashes of keys with the street, sorted. A hash is only a hint: the street tells whether it has the key.
#[derive(Debug, Default)]
pub(super) struct Keys {
    by_ban: Vec<(u32, u32)>,
    by_hexacle: Vec<(u32, u32)>,
    by_name: Vec<(u32, u32)>,
    by_rivoli: Vec<u32>,
}

impl Keys {
    pub(super) fn new(streets: &[Street]) -> Self {
        let mut keys = Self::default();
        for (at, street) in (0u32..).zip(streets) {
            let mut ban: Vec<u32> = street
                .numbers
                .iter()
                .filter_map(|n| n.ban.as_deref())
                .map(|ban| hash(street_of(ban)))
                .collect();
            ban.sort_unstable();
            ban.dedup();
            keys.by_ban.extend(ban.into_iter().map(|hash| (hash, at)));
            let of_numbers = street.numbers.iter().filter_map(|n| n.hexacle.as_deref());
            keys.by_hexacle.extend(of_numbers.chain(street.hexacle.as_deref()).map(|text| (hash(text), at)));
            for name in std::iter::once(&street.name).chain(&street.other_names) {
                keys.by_name.push((hash(&(street.insee.as_str(), street_key(name).as_str())), at));
            }
            if street.rivoli.is_some() {
                keys.by_rivoli.push(at);
            }
        }
        for pairs in [&mut keys.by_ban, &mut keys.by_hexacle, &mut keys.by_name] {
            pairs.sort_unstable();
            pairs.dedup();
            pairs.shrink_to_fit();
        }
        keys.by_rivoli.sort_by_key(|at| {
            let street = &streets[*at as usize];
            (&street.insee, &street.rivoli)
        });
        keys
    }
}

/// `06088_3505_00012_bis` → `06088_3505`.
fn street_of(ban: &str) -> &str {
    let end = ban.match_indices('_').nth(1).map_or(ban.len(), |(at, _)| at);
    &ban[..end]
}

fn hash<T: Hash + ?Sized>(key: &T) -> u32 {
    let mut state = DefaultHasher::new();
    key.hash(&mut state);
    state.finish() as u32
}

fn with_hash(pairs: &[(u32, u32)], hash: u32) -> impl Iterator<Item = u32> {
    let from = pairs.partition_point(|pair| pair.0 < hash);
    pairs[from..].iter().take_while(move |pair| pair.0 == hash).map(|pair| pair.1)
}

/// Whether two suffixes say the same: `b` is short for `bis`, `t` for `ter`, `q` for `quater`, `c` for `quinquies`.
pub(super) fn same_suffix(a: &str, b: &str) -> bool {
    fn folded(text: &str) -> &str {
        match text {
            "bis" => "b",
            "ter" => "t",
            "quater" => "q",
            "quinquies" => "c",
            "sexies" => "s",
            _ => text,
        }
    }
    folded(a) == folded(b)
}

impl Street {
    /// The place among the numbers of this number and suffix; of two spellings of the suffix the very one first.
    #[must_use]
    pub fn number(&self, number: u32, suffix: &str) -> Option<u32> {
        let from = self.numbers.partition_point(|n| n.number < number);
        let run = self.numbers[from..].iter().take_while(|n| n.number == number);
        let mut like = None;
        for (at, found) in (from as u32..).zip(run) {
            if *found.suffix == *suffix {
                return Some(at);
            }
            if like.is_none() && same_suffix(&found.suffix, suffix) {
                like = Some(at);
            }
        }
        like
    }
}

impl Search {
    /// The number with a key of the national address base.
    #[must_use]
    pub fn by_ban(&self, ban: &str) -> Option<Found> {
        with_hash(&self.keys.by_ban, hash(street_of(ban)))
            .find_map(|street| self.number_where(street, |n| n.ban.as_deref() == Some(ban)))
    }

    /// The street or the number with a hexaclé.
    #[must_use]
    pub fn by_hexacle(&self, hexacle: &str) -> Option<Found> {
        with_hash(&self.keys.by_hexacle, hash(hexacle)).find_map(|street| {
            if self.streets[street as usize].hexacle.as_deref() == Some(hexacle) {
                return Some(Found { street, number: None });
            }
            self.number_where(street, |n| n.hexacle.as_deref() == Some(hexacle))
        })
    }

    /// The street with a Rivoli code in a commune.
    #[must_use]
    pub fn by_rivoli(&self, insee: &Insee, rivoli: &Rivoli) -> Option<u32> {
        let key = |at: &u32| {
            let street = &self.streets[*at as usize];
            (&street.insee, street.rivoli.as_ref())
        };
        let at = self.keys.by_rivoli.binary_search_by(|at| key(at).cmp(&(insee, Some(rivoli)))).ok()?;
        self.keys.by_rivoli.get(at).copied()
    }

    /// The street with a name in a commune, in whatever spelling.
    #[must_use]
    pub fn by_name(&self, insee: &Insee, name: &str) -> Option<u32> {
        let key = street_key(name);
        let is_it = |street: &Street| {
            street.insee == *insee
                && std::iter::once(&street.name)
                    .chain(&street.other_names)
                    .any(|name| street_key(name) == key)
        };
        with_hash(&self.keys.by_name, hash(&(insee.as_str(), key.as_str())))
            .find(|street| is_it(&self.streets[*street as usize]))
    }

    /// A number of the street with a Rivoli code.
    #[must_use]
    pub fn number_by_rivoli(
        &self,
        insee: &Insee,
        rivoli: &Rivoli,
        number: u32,
        suffix: &str,
    ) -> Option<Found> {
        self.number_of(self.by_rivoli(insee, rivoli)?, number, suffix)
    }

    /// A number of the street with a name.
    #[must_use]
    pub fn number_by_name(&self, insee: &Insee, name: &str, number: u32, suffix: &str) -> Option<Found> {
        self.number_of(self.by_name(insee, name)?, number, suffix)
    }

    fn number_of(&self, street: u32, number: u32, suffix: &str) -> Option<Found> {
        let number = self.streets[street as usize].number(number, suffix)?;
        Some(Found { street, number: Some(number) })
    }

    fn number_where(&self, street: u32, is_it: impl Fn(&Number) -> bool) -> Option<Found> {
        let at = self.streets[street as usize].numbers.iter().position(is_it)?;
        Some(Found { street, number: Some(at as u32) })
    }
}
