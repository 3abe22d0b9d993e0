//! The index over streets: a dictionary, for each word the streets that hold it, and the names in words.
//!
//! Does not know how candidates are weighed against a query (`judge`) nor which are looked at (`find`).

use super::dictionary::Dictionary;
use super::grid::Grid;
use super::keys::Keys;
use super::lists::{Collected, Lists, weight};
use super::normal::{key_words, tokens};
use super::places::Places;
use super::record::{Commune, PostalName, Street};
use crate::ids::Insee;
use std::collections::HashMap;
use std::sync::Arc;

/// The most that a single letter tells: it mostly stands for a given name.
const INITIAL: f32 = 0.3;

/// The addresses of a release, ready to be searched.
#[derive(Debug)]
pub struct Search {
    pub(super) streets: Arc<[Street]>,
    pub(super) places: Places,
    pub(super) dictionary: Dictionary,
    /// For each word the streets that hold it in a name.
    pub(super) holding: Lists,
    /// For each spelling its words.
    pub(super) spellings: Lists,
    /// For each street its spellings, the shown one first.
    pub(super) spellings_of: Lists,
    /// For each street its commune.
    pub(super) commune_of: Vec<u32>,
    /// For each commune its first street; one more at the end.
    pub(super) first_street: Vec<u32>,
    /// How telling each word is.
    pub(super) weights: Vec<f32>,
    pub(super) keys: Keys,
    pub(super) grid: Grid,
}

impl Search {
    /// Indexes the communes, their postal names and their streets. A street whose commune is not among the communes
    /// brings it along.
    #[must_use]
    pub fn build(communes: Vec<Commune>, postal: Vec<PostalName>, streets: Vec<Street>) -> Self {
        let mut streets = streets;
        streets.sort_by(|a, b| (&a.insee, &a.name).cmp(&(&b.insee, &b.name)));
        let streets: Arc<[Street]> = streets.into();
        let communes = complete(communes, &streets);
        let number = |insee: &Insee| communes.binary_search_by(|c| c.insee.cmp(insee)).unwrap_or(0) as u32;

        let mut commune_of = Vec::with_capacity(streets.len());
        for street in streets.iter() {
            let same = commune_of.last().filter(|at| communes[**at as usize].insee == street.insee).copied();
            commune_of.push(same.unwrap_or_else(|| number(&street.insee)));
        }
        let first_street =
            (0..=communes.len() as u32).map(|c| commune_of.partition_point(|of| *of < c) as u32).collect();

        let mut words = Collected::default();
        let (spellings, spellings_of) = spell(&streets, &mut words);
        let Told { former, postcodes } = what_streets_tell(&streets, &commune_of, &communes);
        let mut names = Places::collect(&communes, &postal, former, &mut words);

        let (words, order) = words.sorted();
        let dictionary = Dictionary::new(&words);
        let spellings: Vec<Vec<u32>> =
            spellings.into_iter().map(|s| s.into_iter().map(|word| order[word as usize]).collect()).collect();
        for name in &mut names {
            name.words.iter_mut().for_each(|word| *word = order[*word as usize]);
        }
        let postcodes = postcodes
            .into_iter()
            .chain(postal.iter().filter_map(|p| Some((p.postcode.parse().ok()?, number(&p.insee)))));
        let places = Places::new(communes.clone(), names, postcodes.collect(), words.len());
        let pairs = (0u32..)
            .zip(&spellings_of)
            .flat_map(|(street, of)| of.iter().map(move |spelling| (street, *spelling)))
            .flat_map(|(street, spelling)| {
                spellings[spelling as usize].iter().map(move |word| (*word, street))
            })
            .collect();
        let holding = Lists::from_pairs(words.len(), pairs);
        let weights = (0..words.len() as u32)
            .zip(&words)
            .map(|(number, word)| {
                let all = weight(holding.get(number).len().max(places.count(number)), streets.len());
                if word.len() == 1 { all.min(INITIAL) } else { all }
            })
            .collect();
        Self {
            keys: Keys::new(&streets),
            grid: Grid::new(&streets),
            places,
            dictionary,
            holding,
            spellings: Lists::from_lists(spellings),
            spellings_of: Lists::from_lists(spellings_of),
            commune_of,
            first_street,
            weights,
            streets,
        }
    }

    /// All streets, sorted by commune and name: what a candidate's street is a place in.
    #[must_use]
    pub fn streets(&self) -> &Arc<[Street]> {
        &self.streets
    }

    /// All communes, sorted by code: what a candidate's commune is a place in.
    #[must_use]
    pub fn communes(&self) -> &[Commune] {
        &self.places.communes
    }

    /// How telling a word of the dictionary is.
    pub(super) fn weigh(&self, word: u32) -> f32 {
        self.weights.get(word as usize).copied().unwrap_or(0.5)
    }

    /// The streets of a commune: from, and one past the last.
    pub(super) fn range(&self, commune: u32) -> (u32, u32) {
        let at = commune as usize;
        match (self.first_street.get(at), self.first_street.get(at + 1)) {
            (Some(from), Some(to)) => (*from, *to),
            _ => (0, 0),
        }
    }
}

/// The communes sorted by code, with those that only streets name.
fn complete(mut communes: Vec<Commune>, streets: &[Street]) -> Vec<Commune> {
    communes.sort_by(|a, b| a.insee.cmp(&b.insee));
    communes.dedup_by(|a, b| a.insee == b.insee);
    let known = communes.len();
    for of_one in streets.chunk_by(|a, b| a.insee == b.insee) {
        let street = &of_one[0];
        if communes[..known].binary_search_by(|c| c.insee.cmp(&street.insee)).is_err() {
            communes.push(Commune {
                insee: street.insee.clone(),
                name: street.commune.clone(),
                postcodes: street.postcodes.clone(),
                population: 0,
                centre: street.position,
                bounds: None,
                parent: None,
            });
        }
    }
    communes.sort_by(|a, b| a.insee.cmp(&b.insee));
    communes
}

/// The distinct spellings in words, and for each street the numbers of its spellings.
fn spell(streets: &[Street], words: &mut Collected) -> (Vec<Vec<u32>>, Vec<Vec<u32>>) {
    let mut by_text: HashMap<&str, u32> = HashMap::new();
    let mut by_words: HashMap<Vec<u32>, u32> = HashMap::new();
    let mut of_streets = Vec::with_capacity(streets.len());
    for street in streets {
        let mut own = Vec::with_capacity(1);
        for text in std::iter::once(&street.name).chain(&street.other_names) {
            let spelling = *by_text.entry(text).or_insert_with(|| {
                let key = key_words(&tokens(text)).into_iter().map(|word| words.number(word)).collect();
                let next = by_words.len() as u32;
                *by_words.entry(key).or_insert(next)
            });
            if !own.contains(&spelling) {
                own.push(spelling);
            }
        }
        of_streets.push(own);
    }
    let mut spellings = vec![Vec::new(); by_words.len()];
    for (key, at) in by_words {
        spellings[at as usize] = key;
    }
    (spellings, of_streets)
}

/// Former communes and postcodes that streets name, each with the commune.
#[derive(Default)]
struct Told {
    former: Vec<(u32, String)>,
    postcodes: Vec<(u32, u32)>,
}

/// What the streets tell of their communes that the communes' own records do not.
fn what_streets_tell(streets: &[Street], commune_of: &[u32], communes: &[Commune]) -> Told {
    let Told { mut former, mut postcodes } = Told::default();
    for (street, commune) in streets.iter().zip(commune_of) {
        if let Some(name) = &street.former_commune
            && former.last().is_none_or(|(of, last): &(u32, String)| of != commune || **last != **name)
        {
            former.push((*commune, name.to_string()));
        }
        let known = &communes[*commune as usize].postcodes;
        let others = street.postcodes.iter().filter(|code| !known.contains(code));
        postcodes.extend(others.filter_map(|code| Some((code.parse().ok()?, *commune))));
    }
    former.sort_unstable();
    former.dedup();
    Told { former, postcodes }
}
