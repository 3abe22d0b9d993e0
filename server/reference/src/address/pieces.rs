//! Text → pieces: folded runs of letters and digits and what stood between them; what only mail uses, and what says
//! where in a building, taken out of a query.
//!
//! Does not know abbreviations' meaning nor numbers' (`normal`).

use super::words;

/// What stood between a piece and the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    Start,
    Space,
    Apostrophe,
    Hyphen,
    Slash,
    Comma,
    Dot,
}

/// A run of letters and digits as it stands, folded.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub text: String,
    pub gap: Gap,
}

/// One text in lower case letters and digits; everything else separates.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(8);
    let mut gap = Gap::Start;
    let mut open = false;
    for char in text.chars() {
        let folded = match char {
            'a'..='z' | '0'..='9' | 'A'..='Z' => None,
            '°' | 'º' | '’' | '‘' | 'ʼ' | '`' | '´' => Some(""),
            _ if char.is_alphanumeric() => deunicode::deunicode_char(char),
            _ => Some(""),
        };
        let mut push = |c: char| {
            if !open {
                out.push(Piece { text: String::new(), gap });
                open = true;
            }
            if let Some(piece) = out.last_mut() {
                piece.text.push(c.to_ascii_lowercase());
            }
        };
        match folded {
            None if char.is_ascii() => push(char),
            Some(letters) if !letters.is_empty() => {
                letters.chars().filter(char::is_ascii_alphanumeric).for_each(push);
            }
            _ => {
                let new = match char {
                    '\'' | '’' | '‘' | 'ʼ' | '`' | '´' => Gap::Apostrophe,
                    '-' | '–' | '—' => Gap::Hyphen,
                    '/' => Gap::Slash,
                    ',' | ';' | '\n' | '(' => Gap::Comma,
                    '.' => Gap::Dot,
                    _ => Gap::Space,
                };
                // A comma among blanks stays a comma; a hyphen among blanks is a blank.
                gap = if open || (gap == Gap::Space && new == Gap::Comma) {
                    new
                } else if gap == Gap::Start || gap == Gap::Comma {
                    gap
                } else if new == Gap::Comma {
                    Gap::Comma
                } else {
                    Gap::Space
                };
                open = false;
            }
        }
    }
    join_breton(&mut out);
    join_acronyms(&mut out);
    slashes(&mut out);
    out
}

/// `Kerloc'h` is one word: the Breton letter *c'h* is none of the French elisions.
fn join_breton(pieces: &mut Vec<Piece>) {
    let mut at = 1;
    while at < pieces.len() {
        let letter = pieces[at].gap == Gap::Apostrophe && pieces[at].text.starts_with('h');
        if letter && pieces[at - 1].text.len() > 1 && pieces[at - 1].text.ends_with('c') {
            let rest = pieces.remove(at).text;
            pieces[at - 1].text.push_str(&rest);
        } else {
            at += 1;
        }
    }
}

/// `Z.A.` → `za`, `H.L.M.` → `hlm`; initials such as `J.B.` stay apart.
fn join_acronyms(pieces: &mut Vec<Piece>) {
    const ACRONYMS: &[&str] = &["za", "zac", "zi", "zup", "hlm", "rn", "rd", "bp", "cs", "ld", "nd"];
    let mut at = 0;
    while at < pieces.len() {
        let run = pieces[at..]
            .iter()
            .enumerate()
            .take_while(|(n, p)| p.text.len() == 1 && (*n == 0 || p.gap == Gap::Dot))
            .count();
        if run > 1 {
            let joined: String = pieces[at..at + run].iter().map(|p| p.text.as_str()).collect();
            if ACRONYMS.contains(&joined.as_str()) {
                pieces[at].text = joined;
                pieces.drain(at + 1..at + run);
            }
        }
        at += 1;
    }
}

/// `s/` → `sur`, `s/s` → `sous`; `n°` before a number goes.
fn slashes(pieces: &mut Vec<Piece>) {
    let mut at = 0;
    while at < pieces.len() {
        let next = pieces.get(at + 1).map(|p| (p.gap, p.text.clone()));
        match (pieces[at].text.as_str(), next) {
            ("s", Some((Gap::Slash, text))) if text == "s" => {
                pieces[at].text = "sous".into();
                pieces.remove(at + 1);
            }
            ("s", Some((Gap::Slash, _))) => pieces[at].text = "sur".into(),
            ("ss", Some(_)) if at > 0 => pieces[at].text = "sous".into(),
            ("n" | "no" | "num" | "numero", Some((_, text))) if starts_with_digit(&text) => {
                pieces.remove(at);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

pub(super) fn starts_with_digit(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Takes out BP 29, CS 40012, TSA 12345, CIDEX 3, CEDEX, CEDEX 9.
pub(super) fn drop_mail(pieces: &mut Vec<Piece>) {
    let mut at = 0;
    while at < pieces.len() {
        if words::is_mail(&pieces[at].text) {
            let is_cedex = matches!(pieces[at].text.as_str(), "cedex" | "cdx");
            let number =
                pieces.get(at + 1).is_some_and(|p| is_digits(&p.text) && (!is_cedex || p.text.len() <= 2));
            if number || is_cedex {
                pieces.drain(at..at + 1 + usize::from(number));
                continue;
            }
        }
        at += 1;
    }
}

/// Takes out `bat a`, `3e etage`, `appt 12`, `rdc` and returns them.
pub(super) fn split_inside(pieces: &mut Vec<Piece>) -> Vec<String> {
    let mut inside = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        let after_article = at > 0 && words::is_article(&pieces[at - 1].text) && pieces[at - 1].text != "a";
        let short = |p: &Piece| {
            p.gap != Gap::Comma
                && ((is_digits(&p.text) && p.text.len() <= 4)
                    || (p.text.len() == 1 && p.text != "d" && p.text != "l"))
        };
        let text = pieces[at].text.as_str();
        if matches!(text, "rdc") {
            inside.push(text.to_owned());
            pieces.remove(at);
            continue;
        }
        if text == "etage" && at > 0 && starts_with_digit(&pieces[at - 1].text) {
            inside.push(format!("{} etage", pieces[at - 1].text));
            pieces.drain(at - 1..=at);
            at -= 1;
            continue;
        }
        if words::is_inside(text) && !after_article && pieces.get(at + 1).is_some_and(short) {
            // `porte 12 rue` is a door and no number; `hall 12 rue X` would lose its number, so look one further.
            let number_of_street = pieces
                .get(at + 2)
                .is_some_and(|p| words::is_type(&p.text) || !words::expansions(&p.text).is_empty())
                && !pieces[..at].iter().any(|p| starts_with_digit(&p.text))
                && starts_with_digit(&pieces[at + 1].text);
            if !number_of_street {
                inside.push(format!("{text} {}", pieces[at + 1].text));
                pieces.drain(at..at + 2);
                continue;
            }
        }
        at += 1;
    }
    inside
}
