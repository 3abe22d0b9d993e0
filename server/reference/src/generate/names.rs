//! Street names, no two alike in one commune, and the spellings that the files have of them.
//!
//! Does not know numbers, nor places.

use super::dice::Dice;
use super::people::{FAMILY, GIVEN};
use super::words::{KINDS, THINGS, TITLES};
use deunicode::deunicode;
use std::collections::HashSet;

/// The longest street name on an envelope (NF Z10-011).
const ENVELOPE: usize = 32;

/// A street name in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// Type, for instance `Rue`.
    pub kind: &'static str,
    /// The rest, for instance `de l'Église`.
    pub rest: String,
}

impl Name {
    /// As signs have it: `Rue de l'Église`.
    pub fn shown(&self) -> String {
        format!("{} {}", self.kind, self.rest)
    }

    /// In capitals without accents and punctuation, shortened word by word until it fits an envelope (*nom AFNOR*).
    pub fn envelope(&self) -> String {
        let plain = plain(&self.shown()).to_uppercase();
        let mut words: Vec<String> = plain.split(' ').map(Into::into).collect();
        let last = words.len() - 1;
        for place in 0..last {
            if words.iter().map(|word| word.len() + 1).sum::<usize>() <= ENVELOPE + 1 {
                break;
            }
            let lower = words[place].to_lowercase();
            if let Some(short) = short(&lower) {
                words[place] = short.to_uppercase();
            } else if GIVEN.iter().any(|given| plain_eq(given, &lower)) {
                words[place].truncate(1);
            }
        }
        words.join(" ")
    }
}

fn plain_eq(word: &str, lower: &str) -> bool {
    plain(word) == lower
}

/// Lower case without accents, anything but letters and digits a space: how two spellings are compared.
pub(super) fn plain(text: &str) -> String {
    let flat = deunicode(text).to_lowercase();
    let mut out = String::with_capacity(flat.len());
    for part in flat.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out += part;
    }
    out
}

/// The routing label of a commune (*libellé d'acheminement*): `Bussy-Saint-Georges` → `BUSSY ST GEORGES`.
pub(super) fn routing_label(commune: &str) -> String {
    let words = plain(commune).to_uppercase();
    let short = words.split(' ').map(|word| match word {
        "SAINT" => "ST",
        "SAINTE" => "STE",
        word => word,
    });
    short.collect::<Vec<_>>().join(" ")
}

/// How people shorten a type or a title, given without accents in lower case.
pub(super) fn short(word: &str) -> Option<&'static str> {
    let kinds = KINDS.iter().map(|(long, _, short)| (*long, *short));
    let titles = TITLES.iter().map(|(_, long, short)| (*long, *short));
    kinds
        .chain(titles)
        .find(|(long, short)| !short.is_empty() && plain_eq(long, word))
        .map(|(_, short)| short)
}

/// Gives names, none twice.
#[derive(Default)]
pub(super) struct Namer {
    used: HashSet<String>,
}

impl Namer {
    /// The next name. The more often chance repeats itself, the more parts a name gets, so that this always ends.
    pub fn next(&mut self, dice: &mut Dice) -> Name {
        let weights: [f64; KINDS.len()] = std::array::from_fn(|place| KINDS[place].1);
        let mut tries = 0_u32;
        loop {
            let (kind, ..) = KINDS[dice.weighted(&weights)];
            let name = Name { kind, rest: rest(dice, tries / 16) };
            if self.used.insert(plain(&name.shown())) {
                return name;
            }
            tries += 1;
        }
    }
}

fn rest(dice: &mut Dice, parts: u32) -> String {
    let family = |dice: &mut Dice| {
        let mut family = (*dice.pick(FAMILY)).to_owned();
        for _ in 0..parts {
            family.push('-');
            family += *dice.pick(FAMILY);
        }
        family
    };
    match dice.weighted(&[0.45, 0.35, 0.15]) {
        0 if parts == 0 => (*dice.pick(THINGS)).to_owned(),
        2 => {
            let (link, title, _) = dice.pick(TITLES);
            if link.is_empty() {
                return format!("{title} {}", dice.pick(GIVEN));
            }
            format!("{link} {title} {}", family(dice))
        }
        _ => format!("{} {}", dice.pick(GIVEN), family(dice)),
    }
}
