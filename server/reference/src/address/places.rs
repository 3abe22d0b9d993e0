//! The communes by their names — official, postal, former, those of arrondissements —, by postcode and by place.
//!
//! Does not know streets.

use super::lists::{Collected, Lists, weight};
use super::normal::{Kind, Token, key_words, tokens};
use super::parse::Parsed;
use super::record::{Commune, Point, PostalName};
use super::words;

/// What a name says of a commune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameKind {
    /// The commune's own name or routing label.
    Own,
    /// The commune that an arrondissement belongs to.
    Whole,
    /// A former commune or a place within it.
    Former,
}

/// A name of a commune.
#[derive(Debug, Clone)]
pub(super) struct Name {
    /// Number of the commune.
    pub commune: u32,
    /// What it says.
    pub kind: NameKind,
    /// Its words.
    pub words: Box<[u32]>,
}

/// A commune that words of the query name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hit {
    /// Number of the commune.
    pub commune: u32,
    /// The words of the query that name it.
    pub mask: u32,
    /// What the words leave to wish: corrected letters, words of the name that the query lacks.
    pub cost: f32,
    /// Number of the name.
    pub name: u32,
}

/// The communes, indexed.
#[derive(Debug)]
pub(super) struct Places {
    /// All communes, sorted by code.
    pub communes: Vec<Commune>,
    /// All names.
    pub names: Vec<Name>,
    by_key: Vec<(u64, u32)>,
    holding: Lists,
    by_postcode: Vec<(u32, u32)>,
    by_cell: Vec<((i16, i16), u32)>,
    /// Longitude and latitude (not a number where unknown) and inhabitants of each commune, close together.
    pub prior: Vec<(f32, f32, f32)>,
}

/// The most names of which one word that several share is looked at.
const MOST_SHARED: usize = 600;

/// The same for a word that was taken for another.
const MOST_SHARED_CORRECTED: usize = 60;

/// The most names that are looked at for parts in all.
const MOST_HELD: usize = 4000;

/// A meaning of less quality is another word than the one written.
const CORRECTED: f32 = 0.94;

/// The most communes of which only a part of the name is in the query.
const MOST_PARTIAL: usize = 16;

impl Places {
    /// Collects the names of the communes, sorted by code; `former` are names with the commune's number.
    pub(super) fn collect(
        communes: &[Commune],
        postal: &[PostalName],
        former: Vec<(u32, String)>,
        words: &mut Collected,
    ) -> Vec<Name> {
        let number = |insee: &str| communes.binary_search_by(|c| c.insee.as_str().cmp(insee)).ok();
        let mut names = Vec::with_capacity(communes.len() * 2);
        let mut add = |commune: usize, kind: NameKind, text: &str| {
            let words: Box<[u32]> = name_words(text).into_iter().map(|word| words.number(word)).collect();
            if !words.is_empty() {
                names.push((commune as u32, kind, words));
            }
        };
        for (at, commune) in communes.iter().enumerate() {
            add(at, NameKind::Own, &commune.name);
            if let Some(parent) = commune.parent.as_ref().and_then(|p| number(p.as_str())) {
                add(at, NameKind::Whole, &communes[parent].name);
                add(at, NameKind::Own, commune.name.trim_end_matches(" Arrondissement"));
            }
        }
        for name in postal {
            let Some(at) = number(name.insee.as_str()) else { continue };
            // The label of an arrondissement is the whole city's.
            let whole = communes[at].parent.as_ref().and_then(|parent| number(parent.as_str()));
            let is_whole =
                whole.is_some_and(|parent| name_words(&communes[parent].name) == name_words(&name.label));
            add(at, if is_whole { NameKind::Whole } else { NameKind::Own }, &name.label);
            if let Some(line5) = &name.line5 {
                add(at, NameKind::Former, line5);
            }
        }
        for (at, name) in former {
            add(at as usize, NameKind::Former, &name);
        }
        // One name a commune and spelling, of the first kind that it has.
        names.sort_unstable_by(|a, b| (a.0, &a.2, a.1).cmp(&(b.0, &b.2, b.1)));
        names.dedup_by(|a, b| a.0 == b.0 && a.2 == b.2);
        names.into_iter().map(|(commune, kind, words)| Name { commune, kind, words }).collect()
    }

    /// Indexes communes and names whose words have their final numbers; `more_postcodes` come from the streets.
    pub(super) fn new(
        communes: Vec<Commune>,
        names: Vec<Name>,
        more_postcodes: Vec<(u32, u32)>,
        dictionary_size: usize,
    ) -> Self {
        let mut by_key: Vec<(u64, u32)> = (0u32..)
            .zip(&names)
            .map(|(at, name)| (name.words.iter().fold(0, |key, word| mix(key, *word)), at))
            .collect();
        by_key.sort_unstable();
        let pairs = (0u32..)
            .zip(&names)
            .flat_map(|(at, name)| name.words.iter().map(move |word| (*word, at)))
            .collect();
        let mut by_postcode = more_postcodes;
        for (at, commune) in (0u32..).zip(&communes) {
            by_postcode.extend(commune.postcodes.iter().filter_map(|code| Some((code.parse().ok()?, at))));
        }
        by_postcode.sort_unstable();
        by_postcode.dedup();
        let mut by_cell: Vec<_> =
            (0u32..).zip(&communes).filter_map(|(at, commune)| Some((cell(commune.centre?), at))).collect();
        by_cell.sort_unstable();
        let prior = communes.iter().map(|commune| {
            let (lon, lat) = commune.centre.map_or((f32::NAN, f32::NAN), |c| (c.lon as f32, c.lat as f32));
            (lon, lat, commune.population as f32)
        });
        Self {
            prior: prior.collect(),
            by_key,
            holding: Lists::from_pairs(dictionary_size, pairs),
            by_postcode,
            by_cell,
            names,
            communes,
        }
    }

    /// The number of the commune with a code.
    pub(super) fn number(&self, insee: &str) -> Option<u32> {
        self.communes.binary_search_by(|c| c.insee.as_str().cmp(insee)).ok().map(|at| at as u32)
    }

    /// How many names hold a word.
    pub(super) fn count(&self, word: u32) -> usize {
        self.holding.get(word).len()
    }

    fn weight(&self, word: u32) -> f32 {
        weight(self.count(word), self.names.len())
    }

    /// The communes of a postcode, or the one with that code.
    pub(super) fn with_code(&self, code: &str) -> Vec<u32> {
        let mut found = self.with_postcode(code);
        let insee = code.to_ascii_uppercase();
        if let Some(at) = self.number(&insee).filter(|at| !found.contains(at)) {
            found.push(at);
        }
        found
    }

    /// The communes of a postcode.
    pub(super) fn with_postcode(&self, code: &str) -> Vec<u32> {
        let Ok(code) = code.parse::<u32>() else { return Vec::new() };
        let from = self.by_postcode.partition_point(|pair| pair.0 < code);
        self.by_postcode[from..].iter().take_while(|pair| pair.0 == code).map(|pair| pair.1).collect()
    }

    /// The communes of which a name starts with words of these ranges.
    pub(super) fn starting(&self, words: &[(u32, u32)]) -> Vec<u32> {
        let Some((from, to)) = words.first() else { return Vec::new() };
        let names =
            (*from..*to).flat_map(|word| self.holding.get(word)).map(|name| &self.names[*name as usize]);
        let starts = |name: &&Name| {
            name.words.len() >= words.len()
                && name.words.iter().zip(words).all(|(w, (a, b))| (*a..*b).contains(w))
        };
        names.filter(starts).map(|name| name.commune).collect()
    }

    /// The `most` communes whose centres are nearest, of those within some 50 km.
    pub(super) fn around(&self, point: Point, most: usize) -> Vec<u32> {
        let (x, y) = cell(point);
        let mut found: Vec<(f64, u32)> = Vec::new();
        for column in x - 1..=x + 1 {
            let from = self.by_cell.partition_point(|pair| pair.0 < (column, y - 1));
            for ((_, row), at) in self.by_cell[from..].iter().take_while(|pair| pair.0 <= (column, y + 1)) {
                if (y - 1..=y + 1).contains(row)
                    && let Some(centre) = self.communes[*at as usize].centre
                {
                    found.push((metres(point, centre), *at));
                }
            }
        }
        found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        found.truncate(most);
        found.into_iter().map(|(_, at)| at).collect()
    }

    /// The communes that words of the query name: a whole name in a row, or a telling part of one.
    pub(super) fn hits(&self, query: &Parsed) -> Vec<Hit> {
        let mut hits = Vec::new();
        let places: Vec<usize> = query.telling().collect();
        for start in 0..places.len() {
            self.extend(query, &places, start, Run::default(), &mut hits);
        }
        self.parts(query, &mut hits);
        hits.sort_unstable_by(|a, b| {
            (a.commune, a.mask).cmp(&(b.commune, b.mask)).then(a.cost.total_cmp(&b.cost))
        });
        hits.dedup_by(|b, a| a.commune == b.commune && a.mask == b.mask);
        hits
    }

    fn extend(&self, query: &Parsed, places: &[usize], next: usize, run: Run, hits: &mut Vec<Hit>) {
        let Some(at) = places.get(next) else { return };
        for meaning in
            query.meanings.iter().filter(|m| m.at == *at && m.leads && !m.shared && m.to - m.from == 1)
        {
            let corrected = run.corrected + u8::from(meaning.quality < CORRECTED);
            let doubted = run.doubted + u8::from(meaning.quality < CORRECTED && query.words[*at].known);
            if self.count(meaning.from) == 0 || corrected > 2 || doubted > 1 {
                continue;
            }
            let run = Run {
                key: mix(run.key, meaning.from),
                mask: run.mask | meaning.mask,
                cost: run.cost + (1.0 - meaning.quality) * self.weight(meaning.from),
                words: run.words + 1,
                corrected,
                doubted,
            };
            let from = self.by_key.partition_point(|pair| pair.0 < run.key);
            for (_, name) in self.by_key[from..].iter().take_while(|pair| pair.0 == run.key) {
                let commune = self.names[*name as usize].commune;
                hits.push(Hit { commune, mask: run.mask, cost: run.cost, name: *name });
            }
            if run.words < 7 {
                let after = next + meaning.mask.count_ones() as usize;
                self.extend(query, places, after, run, hits);
            }
        }
    }

    /// Names of which the query has a telling part: `villeneuve` for `Villeneuve-d'Ascq`.
    fn parts(&self, query: &Parsed, hits: &mut Vec<Hit>) {
        let mut held: Vec<(u32, u32, f32)> = Vec::new();
        for meaning in query.meanings.iter().filter(|m| m.leads) {
            for word in meaning.from..meaning.to.min(meaning.from + 64) {
                let names = self.holding.get(word);
                let most = if meaning.quality < CORRECTED { MOST_SHARED_CORRECTED } else { MOST_SHARED };
                // A beginning may be very many names: those of its first words must do.
                if names.len() <= most && held.len() < MOST_HELD {
                    let worth = self.weight(word) * meaning.quality;
                    held.extend(names.iter().map(|name| (*name, meaning.mask, worth)));
                }
            }
        }
        held.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)));
        let mut found: Vec<Hit> = Vec::new();
        for run in held.chunk_by(|a, b| a.0 == b.0) {
            let name = &self.names[run[0].0 as usize];
            let (mut mask, mut matched) = (0, 0.0);
            for (_, bits, worth) in run {
                if mask & bits == 0 {
                    mask |= bits;
                    matched += worth;
                }
            }
            // A number is the commune's (`Lyon 3`) right after its name only; elsewhere it is a house's.
            for (at, word) in query.words.iter().enumerate() {
                let held = mask & (1 << at) != 0;
                let after = at > 0 && mask & (1 << (at - 1)) != 0;
                if held && word.token.kind == Kind::Number && !after {
                    mask &= !(1 << at);
                    matched -= run.iter().find(|r| r.1 == 1 << at).map_or(0.0, |r| r.2);
                }
            }
            let total: f32 = name.words.iter().map(|word| self.weight(*word)).sum();
            // People call a commune by the beginning of its name: `Bussy`, not `Saint-Georges`.
            let begun = query.meanings.iter().any(|m| {
                mask & m.mask == m.mask && (m.from..m.to).contains(&name.words[0]) && m.quality >= CORRECTED
            });
            let (least, lack) = if begun { (0.25, 0.1) } else { (0.4, 0.35) };
            if name.words.len() > 1 && matched >= least * total {
                let cost = lack * (total - matched).max(0.0);
                found.push(Hit { commune: name.commune, mask, cost, name: run[0].0 });
            }
        }
        let population = |hit: &Hit| self.communes[hit.commune as usize].population;
        found.sort_unstable_by(|a, b| a.cost.total_cmp(&b.cost).then(population(b).cmp(&population(a))));
        found.truncate(MOST_PARTIAL);
        hits.append(&mut found);
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Run {
    key: u64,
    mask: u32,
    cost: f32,
    words: usize,
    /// Words that were taken for others, at most two a name, and those of them that the index knows, at most one:
    /// every one more would multiply the names to look up.
    corrected: u8,
    doubted: u8,
}

/// The words of a commune's name that the index holds: none that only join, unless there are no others.
pub(super) fn name_words(text: &str) -> Vec<String> {
    let tokens = tokens(text);
    // A commune starts with no street type: `Ham` is not short for a hamlet.
    let word = |token: &Token| match &token.written {
        Some(written) if token.kind == Kind::Word && !words::is_always_short(written) => written.clone(),
        _ => token.text.clone(),
    };
    let joins = |token: &&Token| token.kind == Kind::Article || words::is_article(&token.text);
    let words: Vec<String> = tokens.iter().filter(|token| !joins(token)).map(word).collect();
    if words.is_empty() { key_words(&tokens) } else { words }
}

fn mix(key: u64, word: u32) -> u64 {
    (key.rotate_left(23) ^ u64::from(word).wrapping_add(0x9e37_79b9)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Metres between two places that are not far apart.
pub(super) fn metres(a: Point, b: Point) -> f64 {
    const DEGREE: f64 = 111_194.93;
    let x = (a.lon - b.lon) * ((a.lat + b.lat) / 2.0).to_radians().cos();
    let y = a.lat - b.lat;
    DEGREE * x.hypot(y)
}

/// A quarter of a degree each way.
fn cell(point: Point) -> (i16, i16) {
    ((point.lon * 4.0).floor() as i16, (point.lat * 4.0).floor() as i16)
}
