//! Questions to an address search with the one right answer, drawn from the addresses of a commune.
//!
//! A question that another street of the commune, or another commune of that name, would answer as well is not asked;
//! where a small commune has none of a kind, there is one less. Does not know the search.

use super::Error;
use super::dice::Dice;
use super::names::{plain, short};
use super::place::push_degrees;
use super::plan::{Address, Plan, SUFFIXES, Street, plain_name};
use super::sink::Sink;
use crate::address::Point;
use deunicode::deunicode;
use std::fmt::Write as _;

/// Every column, in the file's order.
pub const COLUMNS: &[&str] =
    &["kind", "query", "lon", "lat", "ban", "insee", "street", "number", "suffix", "postcode", "city"];

/// How often another address is tried where one gives no fair question.
const TRIES: usize = 50;

/// The kinds of questions; they come in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Full,
    NoPostcode,
    NoCity,
    Abbreviated,
    Typo,
    TypoTwice,
    Reordered,
    MissingWord,
    Prefix,
}

const KINDS: [(Kind, &str); 9] = [
    (Kind::Full, "full"),
    (Kind::NoPostcode, "no_postcode"),
    (Kind::NoCity, "no_city"),
    (Kind::Abbreviated, "abbreviated"),
    (Kind::Typo, "typo"),
    (Kind::TypoTwice, "typo_street_and_city"),
    (Kind::Reordered, "reordered"),
    (Kind::MissingWord, "missing_word"),
    (Kind::Prefix, "prefix"),
];

/// What one question is made from.
struct Asked<'a> {
    number: String,
    street: String,
    postcode: &'a str,
    city: &'a str,
    /// All streets of the commune in plain words, this one among them.
    others: &'a [String],
    point: Point,
}

/// Writes the questions `from` to `to` of the whole file, about this commune.
pub(super) fn write(
    plan: &Plan<'_>,
    from: u64,
    to: u64,
    dice: &mut Dice,
    out: &mut Sink,
) -> Result<(), Error> {
    if from == to {
        return Ok(());
    }
    let others: Vec<String> = plan.streets.iter().map(plain_name).collect();
    for index in from..to {
        let (kind, name) = KINDS[(index % KINDS.len() as u64) as usize];
        for _ in 0..TRIES {
            let address = dice.pick(&plan.addresses);
            let street = plan.street(address);
            if !street.numbered {
                continue;
            }
            if let Some((query, point)) = ask(kind, plan, street, address, &others, dice) {
                row(&mut out.text, plan, address, name, &query, point);
                out.end_row()?;
                break;
            }
        }
    }
    Ok(())
}

fn row(text: &mut String, plan: &Plan<'_>, address: &Address, kind: &str, query: &str, near: Option<Point>) {
    let (street, commune) = (plan.street(address), &plan.town.commune);
    let _ = write!(text, "{kind};{query};");
    match near {
        Some(point) => push_degrees(text, point, ";"),
        None => text.push(';'),
    }
    let _ = write!(
        text,
        ";{key};{insee};{street};{number};{suffix};{postcode};{city}",
        key = plan.ban_key(address),
        insee = commune.insee,
        street = street.name.shown(),
        number = address.number,
        suffix = SUFFIXES[usize::from(address.suffix)],
        postcode = street.postcode,
        city = commune.name,
    );
}

/// The question and the place that it is asked from, where it needs one.
fn ask(
    kind: Kind,
    plan: &Plan<'_>,
    street: &Street,
    address: &Address,
    others: &[String],
    dice: &mut Dice,
) -> Option<(String, Option<Point>)> {
    let suffix = SUFFIXES[usize::from(address.suffix)];
    let asked = Asked {
        number: format!("{} {suffix}", address.number).trim_end().to_owned(),
        street: street.name.shown(),
        postcode: &street.postcode,
        city: &plan.town.commune.name,
        others,
        point: address.point,
    };
    let Asked { number, street, postcode, city, .. } = &asked;
    let mut near = None;
    let text = match kind {
        Kind::Full => format!("{number} {street} {postcode} {city}"),
        // Nothing else tells communes of one name apart.
        Kind::NoPostcode if plan.town.homonym => return None,
        Kind::NoPostcode => format!("{number} {street} {city}"),
        Kind::NoCity => {
            near = Some(asked.nearby(dice));
            format!("{number} {street}")
        }
        Kind::Abbreviated => asked.abbreviated()?,
        Kind::Typo => format!("{number} {} {postcode} {city}", asked.street_with_typo(dice)?),
        Kind::TypoTwice => {
            format!("{number} {} {postcode} {}", asked.street_with_typo(dice)?, typo(city, 0, dice)?)
        }
        Kind::Reordered => match dice.below(3) {
            0 => format!("{postcode} {city} {number} {street}"),
            1 if !plan.town.homonym => format!("{city} {street} {number}"),
            _ => format!("{street} {number} {postcode} {city}"),
        },
        Kind::MissingWord => format!("{number} {} {postcode} {city}", asked.street_without_word(dice)?),
        Kind::Prefix => {
            near = Some(asked.nearby(dice));
            asked.prefix(dice)
        }
    };
    Some((as_typed(&text, dice), near))
}

/// As it stands, in lower case, or in lower case without accents.
fn as_typed(text: &str, dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => text.to_owned(),
        1 => text.to_lowercase(),
        _ => deunicode(text).to_lowercase(),
    }
}

impl Asked<'_> {
    /// Within some 200 metres.
    fn nearby(&self, dice: &mut Dice) -> Point {
        let mut off = |most: f64| (dice.unit() - 0.5) * most;
        Point { lon: self.point.lon + off(0.004), lat: self.point.lat + off(0.003) }
    }

    fn abbreviated(&self) -> Option<String> {
        let mut any = false;
        let mut shorten = |text: &str, separator: char| {
            let words = text.split(separator).map(|word| match short(&plain(word)) {
                Some(short) => {
                    any = true;
                    short.to_owned()
                }
                None => word.to_owned(),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        let (street, city) = (shorten(&self.street, ' '), shorten(self.city, '-'));
        any.then(|| format!("{} {street} {} {city}", self.number, self.postcode))
    }

    fn street_with_typo(&self, dice: &mut Dice) -> Option<String> {
        let first = self.street.find(' ')?;
        let wrong = typo(&self.street, first, dice)?;
        let typed = plain(&wrong);
        let own = plain(&self.street);
        let rivals = self.others.iter().filter(|other| **other != own);
        rivals.into_iter().all(|other| !nearly_same(&typed, other)).then_some(wrong)
    }

    fn street_without_word(&self, dice: &mut Dice) -> Option<String> {
        let words: Vec<&str> = self.street.split(' ').collect();
        let dropped = dice.below(words.len());
        if words.len() < 3 || words[dropped].chars().count() < 4 {
            return None;
        }
        let kept = words.iter().enumerate().filter(|(place, _)| *place != dropped);
        let kept = kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ");
        let plain_kept = plain(&kept);
        let own = plain(&self.street);
        let rival =
            self.others.iter().filter(|other| **other != own).any(|other| {
                plain_kept.split(' ').all(|word| other.split(' ').any(|of_other| of_other == word))
            });
        (!rival).then_some(kept)
    }

    /// The start of the address: up to somewhere in the street's name, but far enough to know it, or up to somewhere
    /// in the commune's.
    fn prefix(&self, dice: &mut Dice) -> String {
        if dice.chance(0.5) {
            let letters = self.city.chars().count();
            let city: String = self.city.chars().take(3 + dice.below(letters)).collect();
            return format!("{} {} {city}", self.number, self.street);
        }
        let own = plain(&self.street);
        let letters: Vec<char> = self.street.chars().collect();
        let kind = letters.iter().position(|letter| *letter == ' ').unwrap_or(0);
        let known = (kind + 5..letters.len()).find(|length| {
            let start = plain(&letters[..*length].iter().collect::<String>());
            self.others.iter().all(|other| *other == own || !other.starts_with(&start))
        });
        let length = known.map_or(letters.len(), |known| known + dice.below(4)).min(letters.len());
        format!("{} {}", self.number, letters[..length].iter().collect::<String>().trim_end())
    }
}

/// One slip in a word of four letters or more that starts behind the byte `from`; the first letter stays.
fn typo(text: &str, from: usize, dice: &mut Dice) -> Option<String> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut words: Vec<std::ops::Range<usize>> = Vec::new();
    let mut start = None;
    for place in 0..=chars.len() {
        let letter = chars.get(place).is_some_and(|(_, char)| char.is_alphabetic());
        match (start, letter) {
            (None, true) => start = Some(place),
            (Some(first), false) => {
                start = None;
                if place - first >= 4 && chars[first].0 >= from {
                    words.push(first..place);
                }
            }
            _ => {}
        }
    }
    if words.is_empty() {
        return None;
    }
    let word = dice.pick(&words).clone();
    let mut letters: Vec<char> = chars.iter().map(|(_, char)| *char).collect();
    let place = word.start + 1 + dice.below(word.len() - 1);
    let other = char::from(b'a' + dice.below(26) as u8);
    match dice.below(4) {
        0 => letters[place] = other,
        1 => letters.insert(place, other),
        2 => {
            letters.remove(place);
        }
        _ if place + 1 < word.end => letters.swap(place, place + 1),
        _ => letters.swap(place - 1, place),
    }
    let wrong: String = letters.into_iter().collect();
    (plain(&wrong) != plain(text)).then_some(wrong)
}

/// Whether two names have the same words, all but one equal and that one within a slip.
fn nearly_same(a: &str, b: &str) -> bool {
    let (mut left, mut right) = (a.split(' '), b.split(' '));
    let mut slips = 0;
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) if slips == 0 && one_slip(a.as_bytes(), b.as_bytes()) => slips = 1,
            _ => return false,
        }
    }
}

/// Whether one letter more, less, other, or two swapped make one of the other.
fn one_slip(a: &[u8], b: &[u8]) -> bool {
    let (long, short) = if a.len() >= b.len() { (a, b) } else { (b, a) };
    let Some(at) = (0..short.len()).find(|at| long[*at] != short[*at]) else {
        return long.len() - short.len() <= 1;
    };
    match long.len() - short.len() {
        0 => {
            let swapped = at + 1 < long.len()
                && long[at] == short[at + 1]
                && long[at + 1] == short[at]
                && long[at + 2..] == short[at + 2..];
            long[at + 1..] == short[at + 1..] || swapped
        }
        1 => long[at + 1..] == short[at..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slip_is_a_letter_more_less_other_or_swapped() {
        for (a, b) in [("martin", "martn"), ("martin", "marttin"), ("martin", "mortin"), ("martin", "matrin")]
        {
            assert!(one_slip(a.as_bytes(), b.as_bytes()), "{a} {b}");
            assert!(one_slip(b.as_bytes(), a.as_bytes()), "{b} {a}");
        }
        assert!(!one_slip(b"martin", b"mratni"));
        assert!(!one_slip(b"martin", b"mart"));
        assert!(nearly_same("rue jean morin", "rue jean marin"));
        assert!(!nearly_same("rue jean morin", "rue jeanne morel"));
        assert!(!nearly_same("rue jean morin", "rue morin"));
    }
}
