//! Compact lists: words in a collection before they get their numbers, and for each word the things that hold it.
//!
//! Does not know what the words and things are.

use std::collections::HashMap;

/// Words in order of first sight, and their numbers.
#[derive(Debug, Default)]
pub(super) struct Collected {
    numbers: HashMap<String, u32>,
}

impl Collected {
    /// The number of a word for now.
    pub(super) fn number(&mut self, word: String) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(word).or_insert(next)
    }

    /// The words sorted, and for each number of before the number in that order.
    pub(super) fn sorted(self) -> (Vec<String>, Vec<u32>) {
        let mut words: Vec<(String, u32)> = self.numbers.into_iter().collect();
        words.sort_unstable();
        let mut order = vec![0; words.len()];
        for (new, (_, old)) in (0u32..).zip(&words) {
            order[*old as usize] = new;
        }
        (words.into_iter().map(|(word, _)| word).collect(), order)
    }
}

/// For each key of a small range its values, one after the other.
#[derive(Debug, Default)]
pub(super) struct Lists {
    starts: Vec<u32>,
    values: Vec<u32>,
}

impl Lists {
    /// From pairs of key and value in any order; the values of a key come out sorted and distinct.
    pub(super) fn from_pairs(keys: usize, mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut starts = Vec::with_capacity(keys + 1);
        let mut at = 0;
        for key in 0..keys as u32 {
            starts.push(at as u32);
            at += pairs[at..].iter().take_while(|pair| pair.0 == key).count();
        }
        starts.push(at as u32);
        Self { starts, values: pairs.into_iter().map(|pair| pair.1).collect() }
    }

    /// From one list after another, as they are.
    pub(super) fn from_lists<L: IntoIterator<Item = u32>>(lists: impl IntoIterator<Item = L>) -> Self {
        let mut all = Self { starts: vec![0], values: Vec::new() };
        for list in lists {
            all.values.extend(list);
            all.starts.push(all.values.len() as u32);
        }
        all.starts.shrink_to_fit();
        all.values.shrink_to_fit();
        all
    }

    /// The values of a key.
    pub(super) fn get(&self, key: u32) -> &[u32] {
        let at = key as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(from), Some(to)) => &self.values[*from as usize..*to as usize],
            _ => &[],
        }
    }
}

/// How telling a word is that `count` of `total` things hold: 1 for a single one, near 0 for one that most hold.
pub(super) fn weight(count: usize, total: usize) -> f32 {
    let total = total.max(1000) as f32;
    let count = (count.max(1) as f32).min(total);
    0.06 + 0.94 * (total / count).ln() / total.ln()
}
