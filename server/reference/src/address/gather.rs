//! The streets that are worth weighing against a query, by the words that they share with it.
//!
//! Does not know what a candidate is worth in the end (`judge`).

use super::judge::Asked;

/// Streets of one commune that are weighed.
const OF_COMMUNE: usize = 24;
/// Streets of the whole country that are weighed.
const OF_ALL: usize = 150;
/// A word that more streets hold is only looked for together with another.
const RARE: usize = 1000;
/// With no more communes than these, a short beginning of a word is looked for among all of their streets.
const FEW_COMMUNES: usize = 3;
/// The most streets of such a commune.
const WHOLE_COMMUNE: u32 = 2000;
/// What a number that may be the house's is worth as a word of a street's name.
const NUMBER_LEADS: f32 = 0.3;
/// Words that one beginning may stand for.
const BEGINNINGS: u32 = 64;
/// Of a beginning of more words these, the commonest.
const COMMONEST: usize = 8;
/// A word that so many times more streets hold is not worth a look.
const EVERYWHERE: usize = 12;
/// How much shorter a degree of longitude is than one of latitude, in France.
const NARROW: f32 = 0.69;
/// Common words that are looked for together.
const MOST_SHARING: usize = 12;

/// The streets of the country that hold a word, and what it is worth that they do.
type Lead<'a> = (&'a [u32], f32);

impl<'a> Asked<'a> {
    /// The streets of some communes, sorted by code, that share telling words with the query. When the beginning of a
    /// word may be too many words and the communes are few, all of their streets.
    pub(super) fn streets_in(&self, communes: &[u32]) -> Vec<u32> {
        let (leads, any) = self.leads();
        let mut sums: Vec<Vec<(u32, f32)>> = vec![Vec::new(); communes.len()];
        for (streets, worth) in leads {
            // Communes and streets are in one order: what lies behind is not looked at again.
            let mut rest = streets;
            for (commune, sums) in communes.iter().zip(&mut sums) {
                let (from, to) = self.search.range(*commune);
                rest = after(rest, from);
                let here = rest.iter().take_while(|street| **street < to);
                sums.extend(here.map(|street| (*street, worth)));
            }
        }
        let all = any && communes.len() <= FEW_COMMUNES;
        let most = match communes.len() {
            0..=8 if all => WHOLE_COMMUNE as usize,
            0..=8 => OF_COMMUNE,
            _ => OF_COMMUNE / 3,
        };
        let mut out = Vec::new();
        for (commune, mut sums) in communes.iter().zip(sums) {
            if all {
                let (from, to) = self.search.range(*commune);
                sums.extend((from..to.min(from + WHOLE_COMMUNE)).map(|street| (street, 0.0)));
            }
            out.extend(best_sums(sums, most, |_| 0.0));
        }
        out
    }

    /// For each telling word and all it may mean a lead; whether a word is the beginning of too many.
    fn leads(&self) -> (Vec<Lead<'a>>, bool) {
        let (mut leads, mut any) = (Vec::new(), false);
        for meaning in self.query.meanings.iter().filter(|m| m.leads) {
            if meaning.to - meaning.from > BEGINNINGS {
                any = true;
                continue;
            }
            let house = if self.query.words[meaning.at].token.house.is_some() { NUMBER_LEADS } else { 1.0 };
            for word in meaning.from..meaning.to {
                let streets = self.search.holding.get(word);
                if !streets.is_empty() {
                    leads.push((streets, self.search.weigh(word) * meaning.quality * house));
                }
            }
        }
        (leads, any)
    }

    /// Streets of the whole country: those with rare words of the query, and those that share its common words.
    pub(super) fn streets_anywhere(&self) -> Vec<u32> {
        let mut leads: Vec<(usize, Lead<'_>)> = Vec::new();
        for meaning in self.query.meanings.iter().filter(|m| m.leads && !self.query.words[m.at].code) {
            let house = if self.query.words[meaning.at].token.house.is_some() { NUMBER_LEADS } else { 1.0 };
            let mut words: Vec<(usize, u32)> = (meaning.from..meaning.to)
                .map(|word| (self.search.holding.get(word).len(), word))
                .filter(|(count, _)| *count > 0)
                .collect();
            if words.len() > BEGINNINGS as usize {
                words.select_nth_unstable_by(COMMONEST, |a, b| b.cmp(a));
                words.truncate(COMMONEST);
            }
            leads.extend(words.into_iter().map(|(_, word)| {
                let worth = self.search.weigh(word) * meaning.quality * house;
                (meaning.at, (self.search.holding.get(word), worth))
            }));
        }
        leads.sort_by_key(|(_, (streets, _))| streets.len());
        let rare = leads.partition_point(|(_, (streets, _))| streets.len() <= RARE);
        let mut sums: Vec<(u32, f32)> = Vec::new();
        for (_, (streets, worth)) in &leads[..rare] {
            if sums.len() > 3 * RARE {
                break;
            }
            sums.extend(streets.iter().map(|street| (*street, *worth)));
        }
        self.sharing(&leads[rare..], &mut sums);
        best_sums(sums, OF_ALL, |street| self.prior(street))
    }

    /// Streets that share the common words of the query, from the rarest of them on.
    fn sharing(&self, common: &[(usize, Lead<'_>)], sums: &mut Vec<(u32, f32)>) {
        let Some((at, (streets, worth))) = common.first() else { return };
        let (mut streets, mut total, mut used) = (streets.to_vec(), *worth, 1u32 << at);
        for (at, (others, worth)) in common[1..].iter().take(MOST_SHARING) {
            // A word that is everywhere (`rue`) tells nothing apart and takes long to lay against the others.
            if used & (1 << at) == 0 && others.len() / EVERYWHERE < streets.len() {
                let both = intersect(&streets, others);
                if !both.is_empty() {
                    streets = both;
                    total += worth;
                    used |= 1 << at;
                }
            }
        }
        if streets.len() > OF_ALL {
            let mut keyed: Vec<(f32, u32)> =
                streets.into_iter().map(|street| (self.prior(street), street)).collect();
            keyed.select_nth_unstable_by(OF_ALL, |a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            keyed.truncate(OF_ALL);
            streets = keyed.into_iter().map(|(_, street)| street).collect();
        }
        sums.extend(streets.into_iter().map(|street| (street, total)));
    }

    /// What speaks for a street before it is weighed: it is near, or its commune is large.
    fn prior(&self, street: u32) -> f32 {
        let commune = self.search.commune_of[street as usize] as usize;
        let Some((lon, lat, population)) = self.search.places.prior.get(commune) else { return 0.0 };
        match self.near {
            Some(near) if !lon.is_nan() => {
                let (x, y) = ((near.lon as f32 - lon) * NARROW, near.lat as f32 - lat);
                -(x * x + y * y)
            }
            _ => *population,
        }
    }
}

/// The `most` streets with the highest sums; of equal ones those with the higher prior.
fn best_sums(mut sums: Vec<(u32, f32)>, most: usize, prior: impl Fn(u32) -> f32) -> Vec<u32> {
    sums.sort_unstable_by_key(|pair| pair.0);
    let merged =
        sums.chunk_by(|a, b| a.0 == b.0).map(|run| (run.iter().map(|pair| pair.1).sum::<f32>(), run[0].0));
    let mut keyed: Vec<(f32, f32, u32)> = merged.map(|(sum, street)| (sum, prior(street), street)).collect();
    if keyed.len() > most {
        keyed.select_nth_unstable_by(most, |a, b| {
            b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2))
        });
        keyed.truncate(most);
    }
    keyed.into_iter().map(|(_, _, street)| street).collect()
}

/// The part of a sorted list from `least` on. Steps double while they fall short: near parts are found at once.
fn after(list: &[u32], least: u32) -> &[u32] {
    let mut step = 1;
    while step < list.len() && list[step] < least {
        step *= 2;
    }
    let window = &list[..list.len().min(step + 1)];
    &list[window.partition_point(|street| *street < least)..]
}

/// What two sorted lists share.
fn intersect(a: &[u32], b: &[u32]) -> Vec<u32> {
    let (short, mut long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut both = Vec::new();
    for street in short {
        long = after(long, *street);
        if long.first() == Some(street) {
            both.push(*street);
        }
    }
    both
}
