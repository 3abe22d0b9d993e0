//! A weighed street or commune → what the caller gets: score, grade, and the reasons in a form that a program can read.
//!
//! Does not know how candidates were found.

use super::judge::{Asked, Judged};
use super::normal::Kind;
use super::places::NameKind;

/// How much of an address a candidate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A commune.
    Commune,
    /// A street or place.
    Street,
    /// A number of a street.
    Number,
}

/// What is claimed of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Something to show, no more: half of what was asked is not in it, or it is not in what was asked.
    Weak,
    /// Right as far as it goes, a person has to choose or complete: another candidate is as good, the number is not
    /// in the street, or the postcode or commune differs.
    Partial,
    /// The one that is meant: as much as was asked for, alone, with letters corrected or words missing.
    Good,
    /// Says all that was asked and nothing else, in the commune that was named, and no other candidate does.
    Exact,
}

/// What differs between a candidate and the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The query has no number, the street has some.
    NumberMissing,
    /// The street lacks the number; those nearest to it, as places in the street's numbers.
    NumberNotInStreet {
        /// Numbers of the street, nearest first.
        nearest: Vec<u32>,
    },
    /// The number has another suffix.
    SuffixDiffers {
        /// As asked.
        asked: String,
        /// As it is.
        found: String,
    },
    /// A word was taken for another.
    WordCorrected {
        /// As written.
        from: String,
        /// As it is.
        to: String,
    },
    /// A word was short for another.
    Abbreviated {
        /// As written.
        from: String,
        /// As it is.
        to: String,
    },
    /// A word of the street's name is not in the query.
    WordMissing {
        /// The word.
        word: String,
    },
    /// A word of the query is not in the candidate.
    WordUnknown {
        /// The word.
        word: String,
    },
    /// The candidate has another postcode.
    PostcodeDiffers {
        /// As asked.
        asked: String,
    },
    /// The query names another commune.
    CommuneDiffers {
        /// The commune that it names.
        asked: String,
    },
    /// The query names a former commune or a part of the commune.
    FormerCommune,
    /// Another candidate is as good.
    Ambiguous,
}

/// An answer to a query: a number of a street, a street, or a commune.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Place in [`super::Search::communes`].
    pub commune: u32,
    /// Place in [`super::Search::streets`].
    pub street: Option<u32>,
    /// Place in the street's numbers.
    pub number: Option<u32>,
    /// 1 for all that was asked and nothing else, towards 0 the more is left to wish.
    pub score: f32,
    /// What is claimed.
    pub grade: Grade,
    /// What differs.
    pub reasons: Vec<Reason>,
}

impl Candidate {
    /// How much of an address it is.
    #[must_use]
    pub fn level(&self) -> Level {
        match (self.street, self.number) {
            (Some(_), Some(_)) => Level::Number,
            (Some(_), None) => Level::Street,
            (None, _) => Level::Commune,
        }
    }
}

/// Costs closer than this are as good as each other.
const TIE: f32 = 0.05;
/// The most that words may leave to wish in a good candidate.
const GOOD: f32 = 0.5;
/// The most that words may leave to wish in a partial candidate.
const PARTIAL: f32 = 1.0;
/// How many numbers are named when the one asked for is not there.
const NEAREST: usize = 3;

impl Asked<'_> {
    /// The first `limit` of the weighed candidates, explained. `filtered`: the caller gave the commune.
    pub(super) fn answers(&self, judged: &[Judged], limit: usize, filtered: bool) -> Vec<Candidate> {
        let best = judged.first().map_or(0.0, Judged::cost);
        let second = judged.get(1).map_or(f32::MAX, Judged::cost);
        judged
            .iter()
            .take(limit)
            .enumerate()
            .map(|(at, one)| {
                let tied = if at == 0 { second - best < TIE } else { one.cost() - best < TIE };
                let mut answer = self.answer(one, tied, filtered);
                // Only the first can be the one that is meant.
                if at > 0 {
                    answer.grade = answer.grade.min(Grade::Partial);
                }
                answer
            })
            .collect()
    }

    fn answer(&self, judged: &Judged, tied: bool, filtered: bool) -> Candidate {
        let mut reasons = Vec::new();
        self.name_reasons(judged, &mut reasons);
        self.word_reasons(judged, &mut reasons);
        self.commune_reasons(judged, &mut reasons);
        self.number_reasons(judged, &mut reasons);
        if tied {
            reasons.push(Reason::Ambiguous);
        }
        let named = filtered || judged.hit.is_some() || !self.codes.is_empty();
        Candidate {
            commune: judged.commune,
            street: judged.street,
            number: judged.number,
            score: (-0.8 * judged.cost()).exp(),
            grade: grade(judged, &reasons, named, judged.street.is_none() && self.query.asks_street()),
            reasons,
        }
    }

    fn name_reasons(&self, judged: &Judged, reasons: &mut Vec<Reason>) {
        let Some(aligned) = &judged.aligned else { return };
        let name = self.search.spellings.get(judged.spelling);
        for (word, pair) in name.iter().zip(&aligned.pairs) {
            let to = self.search.dictionary.word(*word).to_owned();
            let Some(meaning) = pair.and_then(|number| self.query.meanings.get(usize::from(number))) else {
                reasons.push(Reason::WordMissing { word: to });
                continue;
            };
            let token = &self.query.words[meaning.at].token;
            match &token.written {
                Some(written) if token.text == to && token.kind == Kind::Word => {
                    reasons.push(Reason::Abbreviated { from: written.clone(), to });
                }
                _ if meaning.quality >= 1.0 || token.text == to => {}
                Some(written) if *written == to => {}
                _ if to.starts_with(&token.text) => {
                    reasons.push(Reason::Abbreviated { from: token.text.clone(), to })
                }
                _ => reasons.push(Reason::WordCorrected { from: token.text.clone(), to }),
            }
        }
    }

    fn word_reasons(&self, judged: &Judged, reasons: &mut Vec<Reason>) {
        for (at, word) in self.query.words.iter().enumerate() {
            if judged.unexplained & (1 << at) != 0 {
                reasons.push(Reason::WordUnknown { word: word.token.text.clone() });
            }
        }
    }

    fn commune_reasons(&self, judged: &Judged, reasons: &mut Vec<Reason>) {
        let commune = &self.search.places.communes[judged.commune as usize];
        let street = judged.street.map(|street| &self.search.streets[street as usize]);
        for (_, code, communes) in &self.codes {
            let own = street.is_some_and(|s| s.postcodes.iter().any(|p| **p == **code));
            let whole = street.is_none_or(|s| s.postcodes.is_empty()) && communes.contains(&judged.commune);
            if !own && !whole && !commune.insee.as_str().eq_ignore_ascii_case(code) {
                reasons.push(Reason::PostcodeDiffers { asked: code.clone() });
            }
        }
        let Some(hit) = &judged.hit else {
            // Words that nothing explains may name another commune.
            let by_code = self.codes.iter().any(|(_, _, communes)| communes.contains(&judged.commune));
            if judged.unexplained != 0 && !by_code {
                let other = self.hits.iter().find(|hit| {
                    let only_type = self
                        .query
                        .words
                        .iter()
                        .enumerate()
                        .all(|(at, w)| hit.mask & (1 << at) == 0 || w.token.is_type);
                    hit.cost < TIE
                        && hit.mask & !judged.unexplained == 0
                        && hit.commune != judged.commune
                        && !only_type
                });
                reasons.extend(other.map(|hit| Reason::CommuneDiffers {
                    asked: self.search.places.communes[hit.commune as usize].name.to_string(),
                }));
            }
            return;
        };
        let name = &self.search.places.names[hit.name as usize];
        if name.kind == NameKind::Former {
            reasons.push(Reason::FormerCommune);
        }
        if hit.cost > 0.0 {
            for meaning in self.query.meanings.iter().filter(|m| m.mask & hit.mask != 0 && m.quality < 1.0) {
                let token = &self.query.words[meaning.at].token;
                let to = name.words.iter().find(|word| (meaning.from..meaning.to).contains(word));
                if let Some(to) =
                    to.map(|to| self.search.dictionary.word(*to)).filter(|to| **to != *token.text)
                {
                    reasons.push(Reason::WordCorrected { from: token.text.clone(), to: to.to_owned() });
                }
            }
        }
    }

    fn number_reasons(&self, judged: &Judged, reasons: &mut Vec<Reason>) {
        let Some(street) = judged.street.map(|street| &self.search.streets[street as usize]) else { return };
        let house = judged.house_at.and_then(|at| self.query.words[at].token.house.as_ref());
        let Some(house) = house else {
            if judged.number.is_none() && street.numbers.iter().any(|n| n.number != 0) {
                reasons.push(Reason::NumberMissing);
            }
            return;
        };
        match judged.number.and_then(|at| street.numbers.get(at as usize)) {
            Some(found) if judged.house > 0.0 => reasons.push(Reason::SuffixDiffers {
                asked: format!("{}{}", house.number, house.suffix),
                found: format!("{}{}", found.number, found.suffix),
            }),
            Some(_) => {}
            None => {
                let mut nearest: Vec<u32> = (0..street.numbers.len() as u32).collect();
                // Of two as near the one on the same side of the street.
                nearest.sort_by_key(|at| {
                    let far = street.numbers[*at as usize].number.abs_diff(house.number);
                    (far + far % 2, *at)
                });
                nearest.truncate(NEAREST);
                reasons.push(Reason::NumberNotInStreet { nearest });
            }
        }
    }
}

fn grade(judged: &Judged, reasons: &[Reason], named: bool, only_commune: bool) -> Grade {
    let has = |test: fn(&Reason) -> bool| reasons.iter().any(test);
    let elsewhere = has(|r| matches!(r, Reason::PostcodeDiffers { .. } | Reason::CommuneDiffers { .. }));
    let less = judged.house > 0.0 || only_commune;
    let differs = has(|r| {
        matches!(r, Reason::WordCorrected { .. } | Reason::WordMissing { .. } | Reason::WordUnknown { .. })
    });
    if judged.words > PARTIAL {
        Grade::Weak
    } else if has(|r| *r == Reason::Ambiguous) || elsewhere || less || judged.words > GOOD {
        Grade::Partial
    } else if differs || !named {
        Grade::Good
    } else {
        Grade::Exact
    }
}
