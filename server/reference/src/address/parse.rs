//! A query in words, with what each may mean in the index: itself, how it was written, a near word, a beginning.
//!
//! Does not know streets or communes beyond the words that they have.

use super::dictionary::Dictionary;
use super::normal::{Kind, Token, query_tokens};
use super::words;

/// The most words of a query that count; the mask of words has a bit for each.
pub(super) const MOST_WORDS: usize = 24;

/// The most characters of a query that are read.
const MOST_CHARS: usize = 200;

/// The most near words that a word is taken for.
const MOST_NEAR: usize = 16;

/// How telling a word is that the index lacks.
const UNKNOWN_WEIGHT: f32 = 0.7;

/// Something that words of the query may mean: a range of dictionary words, mostly one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Meaning {
    /// First word of the range.
    pub from: u32,
    /// One past the last.
    pub to: u32,
    /// Place of the first word of the query that means it.
    pub at: usize,
    /// All the words of the query that mean it.
    pub mask: u32,
    /// 1 when it is what was written.
    pub quality: f32,
    /// Whether to look for what holds the word; otherwise it only counts where something was found by other words.
    pub leads: bool,
    /// The query's word may mean another dictionary word as well in the same name: it was two words written as one.
    pub shared: bool,
}

/// A word of the query.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// The word itself.
    pub token: Token,
    /// What it costs to leave it unexplained.
    pub weight: f32,
    /// Its digits when it can be a postcode or commune code.
    pub code: bool,
    /// The index knows it.
    pub known: bool,
}

/// A query, read.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Its words.
    pub words: Vec<Word>,
    /// What they may mean.
    pub meanings: Vec<Meaning>,
    /// The dictionary words that are meant, each with the meaning's number; sorted.
    single: Vec<(u32, u16)>,
    /// The numbers of the meanings that are ranges.
    ranges: Vec<u16>,
}

impl Parsed {
    /// Reads a query; `weigh` tells how telling a dictionary word is. With `typing` the last word may be a beginning.
    pub(super) fn new(text: &str, dictionary: &Dictionary, weigh: &dyn Fn(u32) -> f32, typing: bool) -> Self {
        let text = text.char_indices().nth(MOST_CHARS).map_or(text, |(end, _)| &text[..end]);
        let open_end = typing && text.chars().next_back().is_some_and(char::is_alphanumeric);
        let (mut tokens, _) = query_tokens(text);
        tokens.truncate(MOST_WORDS);
        let mut parsed = Self {
            words: Vec::with_capacity(tokens.len()),
            meanings: Vec::new(),
            single: vec![],
            ranges: vec![],
        };
        let last = tokens.len().saturating_sub(1);
        for (at, token) in tokens.into_iter().enumerate() {
            parsed.push(at, token, dictionary, weigh, open_end && at == last);
        }
        parsed.join_neighbours(dictionary);
        parsed
    }

    /// What a dictionary word may be meant by, with the meanings' numbers.
    pub(super) fn meaning(&self, word: u32) -> impl Iterator<Item = (usize, &Meaning)> {
        let from = self.single.partition_point(|pair| pair.0 < word);
        let single =
            self.single[from..].iter().take_while(move |pair| pair.0 == word).map(|pair| usize::from(pair.1));
        let ranges = self.ranges.iter().map(|number| usize::from(*number));
        single.chain(ranges).filter_map(move |number| {
            let meaning = self.meanings.get(number)?;
            (meaning.from..meaning.to).contains(&word).then_some((number, meaning))
        })
    }

    /// Sorts the meanings for [`Self::meaning`], when they have changed.
    fn sort(&mut self) {
        self.single.clear();
        self.ranges.clear();
        for (number, meaning) in (0u16..).zip(&self.meanings) {
            if meaning.to - meaning.from == 1 {
                self.single.push((meaning.from, number));
            } else {
                self.ranges.push(number);
            }
        }
        self.single.sort_unstable();
    }

    fn push(
        &mut self,
        at: usize,
        token: Token,
        dictionary: &Dictionary,
        weigh: &dyn Fn(u32) -> f32,
        open: bool,
    ) {
        let itself = dictionary.number(&token.text);
        let code = is_code(&token.text);
        let weight = match token.kind {
            Kind::Article => 0.02,
            Kind::Word | Kind::Number => itself.map_or(UNKNOWN_WEIGHT, weigh),
        };
        if let Some(word) = itself {
            self.mean(at, word, 1.0, true);
        }
        // `12 rue 3a`: the name may hold the number with its letter.
        if let Some(house) = token.house.as_ref().filter(|h| !h.suffix.is_empty())
            && let Some(word) = dictionary.number(&format!("{}{}", house.number, house.suffix))
        {
            self.mean(at, word, 1.0, true);
        }
        if token.kind == Kind::Word {
            if let Some(word) = token.written.as_deref().and_then(|written| dictionary.number(written)) {
                self.mean(at, word, 0.97, true);
            }
            // What is no abbreviation in its place may be meant as one: `col de gaulle`.
            if token.written.is_none() {
                for (long, _) in words::expansions(&token.text) {
                    if let Some(word) = dictionary.number(long) {
                        self.mean(at, word, 0.95, true);
                    }
                }
            }
            self.initial(at, &token.text, dictionary);
        }
        if open && (token.kind != Kind::Article || token.text.len() > 1) {
            let beginning =
                token.written.as_deref().filter(|_| token.kind == Kind::Word).unwrap_or(&token.text);
            let (from, to) = dictionary.prefix(beginning);
            self.meanings.push(Meaning {
                from,
                to,
                at,
                mask: 1 << at,
                quality: 0.97,
                leads: true,
                shared: false,
            });
        }
        self.words.push(Word { known: itself.is_some(), token, weight, code });
    }

    fn mean(&mut self, at: usize, word: u32, quality: f32, leads: bool) {
        self.meanings.push(Meaning {
            from: word,
            to: word + 1,
            at,
            mask: 1 << at,
            quality,
            leads,
            shared: false,
        });
    }

    /// `j` may be any word with that letter, and any word may be `j` in the index.
    fn initial(&mut self, at: usize, text: &str, dictionary: &Dictionary) {
        if text.len() == 1 {
            let (from, to) = dictionary.prefix(text);
            self.meanings.push(Meaning {
                from,
                to,
                at,
                mask: 1 << at,
                quality: 0.8,
                leads: false,
                shared: false,
            });
        } else if let Some(word) = text.get(..1).and_then(|letter| dictionary.number(letter)) {
            self.mean(at, word, 0.8, false);
        }
    }

    /// Two words that the index has as one: `mont martre`.
    fn join_neighbours(&mut self, dictionary: &Dictionary) {
        for at in 1..self.words.len() {
            let (one, two) = (&self.words[at - 1], &self.words[at]);
            if one.token.kind == Kind::Number
                || two.token.kind == Kind::Number
                || (one.known && two.known && one.token.is_type)
            {
                continue;
            }
            let joined = format!("{}{}", one.token.text, two.token.text);
            if let Some(word) = dictionary.number(&joined) {
                let (from, to, mask) = (word, word + 1, 0b11 << (at - 1));
                self.meanings.push(Meaning {
                    from,
                    to,
                    at: at - 1,
                    mask,
                    quality: 0.95,
                    leads: true,
                    shared: false,
                });
            }
        }
    }

    /// Adds the near words of the words that the index lacks or, with `all`, of every word.
    pub(super) fn correct(&mut self, dictionary: &Dictionary, weigh: &dyn Fn(u32) -> f32, all: bool) {
        for at in 0..self.words.len() {
            let Word { token, known, .. } = &self.words[at];
            if token.kind != Kind::Word || token.text.len() < 3 || *known != all || (all && token.is_type) {
                continue;
            }
            let text = token.text.clone();
            for near in dictionary.near(&text, MOST_NEAR, weigh) {
                self.mean(at, near.word, near.quality, true);
            }
            if let Some(word) = words::near_number_word(&text).and_then(|n| dictionary.number(&n.to_string()))
            {
                self.mean(at, word, 0.85, true);
            }
            if !all {
                self.shortened_or_split(at, &text, dictionary);
            }
        }
        self.sort();
    }

    /// `repub` for `republique`, `jeanjaures` for `jean jaures`.
    fn shortened_or_split(&mut self, at: usize, text: &str, dictionary: &Dictionary) {
        let (from, to) = dictionary.prefix(text);
        if from < to {
            let leads = to - from <= 64;
            self.meanings.push(Meaning { from, to, at, mask: 1 << at, quality: 0.75, leads, shared: false });
        }
        for cut in 2..text.len().saturating_sub(2) {
            let (Some(one), Some(two)) = (text.get(..cut), text.get(cut..)) else { continue };
            if let (Some(one), Some(two)) = (dictionary.number(one), dictionary.number(two)) {
                for word in [one, two] {
                    let (from, to, mask) = (word, word + 1, 1 << at);
                    self.meanings.push(Meaning {
                        from,
                        to,
                        at,
                        mask,
                        quality: 0.9,
                        leads: true,
                        shared: true,
                    });
                }
            }
        }
    }

    /// The places of the words that are no article.
    pub(super) fn telling(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().filter(|(_, word)| word.token.kind != Kind::Article).map(|(at, _)| at)
    }

    /// Whether a street rather than a commune is asked for: a street type followed by a word, or a house number.
    pub(super) fn asks_street(&self) -> bool {
        self.words.iter().enumerate().any(|(at, word)| {
            word.token.is_type && at + 1 < self.words.len()
                || (word.token.house.is_some() && !word.code && at == 0)
        })
    }
}

/// Five digits, or a Corsican commune's code.
fn is_code(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 5
        && bytes[0].is_ascii_digit()
        && (bytes[1].is_ascii_digit() || (bytes[0] == b'2' && matches!(bytes[1], b'a' | b'b')))
        && bytes[2..].iter().all(u8::is_ascii_digit)
}
