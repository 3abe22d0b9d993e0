//! Text → words in one form: no accents, lower case, abbreviations written out, numbers as digits.
//!
//! The index and the queries go through the same function, so that two spellings meet. Does not know which words
//! name a street and which a commune (`find`).

use super::pieces::{Gap, Piece, drop_mail, pieces, split_inside, starts_with_digit};
use super::words::{self, Place};

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word.
    Word,
    /// A word that only joins others.
    Article,
    /// Digits, or a number that was written in words.
    Number,
}

/// A house number that a token may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct House {
    /// The number.
    pub number: u32,
    /// What follows it: empty, `bis`, `b`, `a2`.
    pub suffix: String,
}

/// One word in the one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// The form, for instance `boulevard`.
    pub text: String,
    /// How it was written where that is another word, for instance `bd`.
    pub written: Option<String>,
    /// What it is.
    pub kind: Kind,
    /// The house number that it may be.
    pub house: Option<House>,
    /// It is the second number of a range such as `12-14`.
    pub range_end: bool,
    /// It can start a street's name.
    pub is_type: bool,
}

/// The canonical key of a street's name within its commune: types and titles written out, numbers as digits, no
/// articles, no accents. Two spellings of one street give one key.
#[must_use]
pub fn street_key(name: &str) -> String {
    key_words(&tokens(name)).join(" ")
}

/// What a text says of the place inside the building — floor, staircase, flat —, which a search leaves aside.
#[must_use]
pub fn inside_building(text: &str) -> Vec<String> {
    query_tokens(text).1
}

/// The words that tell a name from others: all but articles, a number's suffix with it.
pub(super) fn key_words(tokens: &[Token]) -> Vec<String> {
    let left_out = |t: &&Token| t.kind == Kind::Article && words::is_left_out_of_key(&t.text);
    let all_left_out = tokens.iter().all(|t| left_out(&t));
    tokens
        .iter()
        .filter(|t| all_left_out || !left_out(t))
        .map(|token| match &token.house {
            Some(house) if token.written.is_none() => format!("{}{}", token.text, house.suffix),
            _ => token.text.clone(),
        })
        .collect()
}

/// The words of a text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    expand(&pieces(text))
}

/// The words of a query, without what only mail uses (BP, CEDEX), and apart from them where in the building.
pub(super) fn query_tokens(text: &str) -> (Vec<Token>, Vec<String>) {
    let mut pieces = pieces(text);
    drop_mail(&mut pieces);
    let inside = split_inside(&mut pieces);
    (expand(&pieces), inside)
}

/// `1er`, `3e`, `8eme`, `2nd` → the number.
fn ordinal(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[digits..];
    let is_rank = matches!(rest, "e" | "er" | "ere" | "re" | "eme" | "ieme" | "em" | "d" | "nd" | "nde");
    (digits > 0 && digits <= 3 && is_rank).then(|| text[..digits].parse().ok()).flatten()
}

/// `12`, `12bis`, `3a`, `10b2` → the house number.
fn house(text: &str) -> Option<House> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[digits..];
    let suffix = rest.is_empty()
        || is_suffix_word(rest)
        || (rest.len() <= 3 && rest.as_bytes()[0].is_ascii_lowercase());
    if digits == 0 || digits > 5 || !suffix {
        return None;
    }
    Some(House { number: text[..digits].parse().ok()?, suffix: rest.to_owned() })
}

/// Whether `text` follows a house number: `bis`, `ter`, …
fn is_suffix_word(text: &str) -> bool {
    matches!(text, "bis" | "ter" | "quater" | "quinquies" | "sexies" | "septies")
}

/// Whether `text` starts a street's name, written out or not.
fn opens_street(pieces: &[Piece], at: usize) -> bool {
    let Some(piece) = pieces.get(at) else { return false };
    words::is_type(&piece.text)
        || words::expansions(&piece.text).iter().any(|(long, _)| words::is_type(first(long)))
}

fn first(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

/// Pieces → tokens.
fn expand(pieces: &[Piece]) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::with_capacity(pieces.len() + 2);
    let mut at = 0;
    while at < pieces.len() {
        at += if starts_with_digit(&pieces[at].text) {
            push_digits(&mut out, pieces, at)
        } else if let Some((value, used)) = number_in_words(pieces, at, out.last()) {
            let written: Vec<&str> = pieces[at..at + used].iter().map(|p| p.text.as_str()).collect();
            out.push(Token {
                text: value.to_string(),
                written: Some(written.join(" ")),
                kind: Kind::Number,
                house: None,
                range_end: false,
                is_type: false,
            });
            used
        } else {
            push_word(&mut out, pieces, at);
            1
        };
    }
    out
}

/// A piece that starts with a digit, with the suffix that may follow it. Returns how many pieces it took.
fn push_digits(out: &mut Vec<Token>, pieces: &[Piece], at: usize) -> usize {
    let text = pieces[at].text.as_str();
    let mut used = 1;
    let mut house = house(text);
    let rank = ordinal(text);
    if let (Some(house), Some(next)) = (&mut house, pieces.get(at + 1)) {
        let after = pieces.get(at + 2);
        // Before a street, or before any word when the number comes first: `4 a avneue`; but not `5 à 7 rue`, `4 l'Orée`.
        let before_street = match after {
            None => true,
            Some(after) if after.gap == Gap::Apostrophe => false,
            Some(after) if opens_street(pieces, at + 2) || after.gap == Gap::Comma => true,
            Some(after) => {
                at == 0 && !starts_with_digit(&after.text) && !matches!(next.text.as_str(), "d" | "l")
            }
        };
        let letter = next.text.len() == 1
            && next.text.as_bytes()[0].is_ascii_lowercase()
            && next.text != "r"
            && next.gap != Gap::Comma
            && before_street;
        if text.len() < 5
            && house.suffix.is_empty()
            && rank.is_none()
            && (is_suffix_word(&next.text) || letter)
        {
            house.suffix.clone_from(&next.text);
            used = 2;
        }
    }
    let range_end = matches!(pieces[at].gap, Gap::Hyphen | Gap::Slash)
        && at > 0
        && starts_with_digit(&pieces[at - 1].text);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let is_number = house.is_some() || rank.is_some() || digits == text.len();
    let shown = match (&house, rank) {
        (_, Some(value)) => value.to_string(),
        // A postcode keeps its zero; `03` is 3.
        (Some(house), None) if digits < 5 => house.number.to_string(),
        (Some(_), None) => text[..digits].to_owned(),
        (None, None) => text.to_owned(),
    };
    // `1er` is no house number, `2e` and `2d` may be one, before a street.
    let house =
        house.filter(|_| rank.is_none() || (opens_street(pieces, at + 1) && text.len() == digits + 1));
    let written = rank.is_some().then(|| text.to_owned());
    let kind = if is_number { Kind::Number } else { Kind::Word };
    out.push(Token { text: shown, written, kind, house, range_end, is_type: false });
    used
}

/// Number words from `at` on: their value and how many pieces they take.
fn number_in_words(pieces: &[Piece], at: usize, before: Option<&Token>) -> Option<(u32, usize)> {
    let word = |n: usize| pieces.get(at + n).map_or("", |p| p.text.as_str());
    let value = |n: usize| words::number_word(word(n));
    let regnal = before.is_some_and(|t| words::takes_roman(&t.text));
    if let Some(rank) = words::ordinal_word(word(0)) {
        return Some((rank, 1));
    }
    if regnal && pieces[at].gap != Gap::Hyphen {
        if word(0) == "ier" {
            return Some((1, 1));
        }
        if let Some(roman) = words::roman(word(0)) {
            return Some((roman, 1));
        }
    }
    let head = value(0)?;
    if head == 4 && matches!(word(1), "vingt" | "vingts") {
        return match value(2) {
            Some(rest) if rest < 17 => Some((80 + rest, 3)),
            _ => Some((80, 2)),
        };
    }
    if head >= 20 {
        return match (word(1), value(1)) {
            ("et", _) if word(2) == "un" => Some((head + 1, 3)),
            ("et", _) if word(2) == "onze" => Some((head + 11, 3)),
            (_, Some(rest)) if rest < 10 || (head == 60 && rest < 17) => Some((head + rest, 2)),
            _ => Some((head, 1)),
        };
    }
    if head == 10
        && let Some(rest @ 7..=9) = value(1)
    {
        return Some((10 + rest, 2));
    }
    // `neuf` alone is new rather than nine, unless a month follows.
    (head != 9 || words::is_month(word(1))).then_some((head, 1))
}

/// A word, written out where it is an abbreviation.
fn push_word(out: &mut Vec<Token>, pieces: &[Piece], at: usize) {
    let text = pieces[at].text.as_str();
    let next = pieces.get(at + 1).map(|p| p.text.as_str());
    let before_article = next.is_some_and(words::is_article);
    let type_place = next.is_some()
        && (at == 0
            || out.last().is_some_and(|t| t.kind == Kind::Number)
            || pieces[at].gap == Gap::Comma
            || before_article);
    let stands = |place: &Place| match place {
        Place::Anywhere => true,
        Place::First => type_place,
        Place::NotLast => next.is_some(),
        Place::BeforeName => next.is_some() && !before_article,
    };
    let long = match text {
        "grand" if matches!(next, Some("rue" | "place")) => Some("grande"),
        "lieu" if next == Some("dit") => Some("lieudit"),
        "dit" if at > 0 && pieces[at - 1].text == "lieu" => return,
        _ => words::expansions(text).iter().find(|(_, place)| stands(place)).map(|(long, _)| *long),
    };
    let written = long.filter(|long| *long != text).map(|_| text.to_owned());
    for word in long.unwrap_or(text).split(' ') {
        // The last word joins nothing: `Rue A` is a name.
        let joins = words::is_article(word) && !(word.len() == 1 && next.is_none());
        let kind = if joins { Kind::Article } else { Kind::Word };
        out.push(Token {
            text: word.to_owned(),
            written: written.clone(),
            kind,
            house: None,
            range_end: false,
            is_type: words::is_type(word),
        });
    }
}

#[cfg(test)]
mod tests;
