//! How well a name explains words of a query: which of its words are there, spelled how, in which order.
//!
//! Does not know whose name it is.

use super::parse::{Meaning, Parsed};

/// The most words of a name that count.
pub(super) const MOST: usize = 16;

/// What one more gap or one step back in the order costs.
const DISORDER: f32 = 0.03;

/// A name laid against a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aligned {
    /// The words of the query that the name explains.
    pub mask: u32,
    /// What is left to wish: words of the name that are not in the query, corrected letters, disorder.
    pub cost: f32,
    /// The weight of the name's words that are in the query.
    pub matched: f32,
    /// The weight of all the name's words.
    pub total: f32,
    /// A word of the name that is no street type is in the query, or the name has none.
    pub named: bool,
    /// Place in the query of the first word that is explained.
    pub first: usize,
    /// For each word of the name the number of the meaning that it matches.
    pub pairs: [Option<u16>; MOST],
}

/// Lays `name` against the words of `query` that are not in `excluded`.
pub(super) fn align(name: &[u32], query: &Parsed, excluded: u32, weigh: impl Fn(u32) -> f32) -> Aligned {
    let pairs = [None; MOST];
    let mut all =
        Aligned { mask: 0, cost: 0.0, matched: 0.0, total: 0.0, named: false, first: usize::MAX, pairs };
    let mut found = 0;
    let mut last: Option<usize> = None;
    let mut shared = 0;
    for (word, pair) in name.iter().zip(&mut all.pairs) {
        let worth = weigh(*word);
        all.total += worth;
        let mut best: Option<(usize, &Meaning, f32)> = None;
        for (number, meaning) in query.meaning(*word) {
            let taken = all.mask & meaning.mask != 0 && !(meaning.shared && shared & meaning.mask != 0);
            if meaning.mask & excluded != 0 || taken {
                continue;
            }
            // A word after the one before is preferred, right after it most of all.
            let place = match last {
                Some(last) if meaning.at > last => 0.02 / (meaning.at - last) as f32,
                _ => 0.0,
            };
            let rank = meaning.quality + place;
            if best.is_none_or(|(_, _, other)| rank > other) {
                best = Some((number, meaning, rank));
            }
        }
        let Some((number, meaning, _)) = best else {
            all.cost += 0.8 * worth;
            continue;
        };
        *pair = u16::try_from(number).ok();
        all.mask |= meaning.mask;
        found += 1;
        all.named |= meaning.leads && !query.words[meaning.at].token.is_type;
        if meaning.shared {
            shared |= meaning.mask;
        }
        all.matched += worth * meaning.quality;
        all.cost += (1.0 - meaning.quality) * worth.max(0.3);
        if last.is_some_and(|last| meaning.at < last) {
            all.cost += DISORDER;
        }
        all.first = all.first.min(meaning.at);
        last = Some(meaning.at);
    }
    all.named |= found > 0 && found == name.len();
    all.cost += DISORDER * gaps(query, all.mask) as f32;
    all
}

/// Words amid those of `mask` that are not of it, articles aside.
fn gaps(query: &Parsed, mask: u32) -> usize {
    if mask == 0 {
        return 0;
    }
    let (from, to) = (mask.trailing_zeros() as usize, 31 - mask.leading_zeros() as usize);
    query.telling().filter(|at| (from..=to).contains(at) && mask & (1 << at) == 0).count()
}
