//! Lists to choose from: communes by the beginning of their name or by postcode, the streets of a commune.
//!
//! Does not know free text.

use super::index::Search;
use super::normal::{Kind, tokens};
use super::places::name_words;
use crate::ids::Insee;

impl Search {
    /// The commune with a code, as a place in [`Search::communes`].
    #[must_use]
    pub fn commune(&self, insee: &Insee) -> Option<u32> {
        self.places.number(insee.as_str())
    }

    /// The communes of which a name starts with `beginning`, the largest first, at most `limit`.
    #[must_use]
    pub fn communes_by_name(&self, beginning: &str, limit: usize) -> Vec<u32> {
        let words = name_words(beginning);
        let mut found: Vec<u32> = self.places.starting(&self.numbers(&words));
        found.sort_unstable();
        found.dedup();
        let population = |at: &u32| self.communes()[*at as usize].population;
        found.sort_by_key(|at| std::cmp::Reverse(population(at)));
        found.truncate(limit);
        found
    }

    /// The communes of a postcode, by code.
    #[must_use]
    pub fn communes_by_postcode(&self, postcode: &str) -> Vec<u32> {
        self.places.with_postcode(postcode)
    }

    /// Up to `limit` streets of a commune, by name, after the street `after`; with a `beginning`, those in whose name
    /// its words stand one after the other, the last of them maybe unfinished.
    #[must_use]
    pub fn streets_of_commune(
        &self,
        insee: &Insee,
        beginning: &str,
        after: Option<u32>,
        limit: usize,
    ) -> Vec<u32> {
        let Some(commune) = self.commune(insee) else { return Vec::new() };
        let (from, to) = self.range(commune);
        let telling = tokens(beginning).into_iter().filter(|t| t.kind != Kind::Article);
        let words = self.numbers(&telling.map(|t| t.text).collect::<Vec<_>>());
        let holds = |street: &u32| {
            words.is_empty()
                || self.spellings_of.get(*street).iter().any(|spelling| {
                    let name = self.spellings.get(*spelling);
                    name.windows(words.len())
                        .any(|run| run.iter().zip(&words).all(|(w, (a, b))| (*a..*b).contains(w)))
                })
        };
        (from.max(after.map_or(0, |after| after + 1))..to).filter(holds).take(limit).collect()
    }

    /// For each word the range of dictionary words that it is: itself, and for the last all that start with it.
    fn numbers(&self, words: &[String]) -> Vec<(u32, u32)> {
        let last = words.len().saturating_sub(1);
        let whole = |word: &str| self.dictionary.number(word).map_or((0, 0), |number| (number, number + 1));
        words
            .iter()
            .enumerate()
            .map(|(at, word)| if at == last { self.dictionary.prefix(word) } else { whole(word) })
            .collect()
    }
}
