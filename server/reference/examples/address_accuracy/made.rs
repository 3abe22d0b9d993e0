//! Queries made from the addresses indexed: as they are, shortened, misspelt, out of order, with a word less.

use crate::data::{Data, Expected, Random};
use eservices_reference::address::{Number, Street, street_key};

/// `each` queries of every kind.
pub fn queries(data: &Data, each: usize, seed: u64) -> Vec<Expected> {
    let mut random = Random(seed ^ 0xadd7e55);
    let mut out = Vec::new();
    for kind in KINDS {
        let mut made = 0;
        while made < each {
            let street = &data.streets[random.below(data.streets.len() as u64) as usize];
            if street.numbers.is_empty() {
                continue;
            }
            let number = &street.numbers[random.below(street.numbers.len() as u64) as usize];
            if let Some(query) = make(kind, street, number, &mut random) {
                out.push(query);
                made += 1;
            }
        }
    }
    out
}

const KINDS: &[&str] = &[
    "full",
    "without postcode",
    "without city",
    "abbreviated",
    "one typo",
    "typo in street and city",
    "as heard",
    "words reordered",
    "a word missing",
];

fn make(kind: &str, street: &Street, number: &Number, random: &mut Random) -> Option<Expected> {
    let house = match &*number.suffix {
        "" => number.number.to_string(),
        suffix => format!("{} {suffix}", number.number),
    };
    let (name, city, postcode) = (&*street.name, &*street.commune, &*street.postcodes[0]);
    let (mut by_city, mut by_postcode) = (false, false);
    let text = match kind {
        "full" => format!("{house} {name} {postcode} {city}"),
        "without postcode" => {
            by_city = true;
            format!("{house} {name} {city}")
        }
        "without city" => {
            by_postcode = true;
            format!("{house} {name} {postcode}")
        }
        "abbreviated" => {
            let short = shorten(&format!("{name}|{city}"));
            let (name, city) = short.split_once('|')?;
            if short == format!("{name}|{city}") && name == &*street.name {
                return None;
            }
            format!("{house} {name} {postcode} {city}")
        }
        "one typo" => {
            let (one, other) = (typo(name, random), typo(city, random));
            if random.below(2) == 0 {
                format!("{house} {} {postcode} {city}", one?)
            } else {
                format!("{house} {name} {postcode} {}", other?)
            }
        }
        "typo in street and city" => {
            by_city = true;
            format!("{house} {} {}", typo(name, random)?, typo(city, random)?)
        }
        "as heard" => {
            let heard = heard(name);
            if street_key(&heard) == street_key(name) {
                return None;
            }
            format!("{house} {heard} {postcode} {city}")
        }
        "words reordered" => {
            let mut words: Vec<&str> = name.split(' ').collect();
            let last = words.pop()?;
            format!("{city} {last} {} {house} {postcode}", words.join(" "))
        }
        _ => {
            let words: Vec<&str> = name.split(' ').collect();
            let telling: Vec<usize> =
                (1..words.len()).filter(|at| words[*at].len() > 3 && !words[*at].contains('\'')).collect();
            if telling.len() < 2 {
                return None;
            }
            let gone = telling[random.below(telling.len() as u64) as usize];
            let kept: Vec<&str> =
                words.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, w)| *w).collect();
            format!("{house} {} {postcode} {city}", kept.join(" "))
        }
    };
    Some(Expected {
        kind: format!("made: {kind}"),
        group: "made".into(),
        text,
        near: None,
        insee: street.insee.clone(),
        city: street_key(&street.commune),
        postcode: street.postcodes[0].clone(),
        key: street_key(&street.name),
        number: number.number,
        suffix: number.suffix.to_string(),
        by_city,
        by_postcode,
    })
}

fn shorten(text: &str) -> String {
    const SHORT: &[(&str, &str)] = &[
        ("Avenue ", "av "),
        ("Boulevard ", "bd "),
        ("Rue ", "r "),
        ("Chemin ", "ch "),
        ("Impasse ", "imp "),
        ("Place ", "pl "),
        ("Route ", "rte "),
        ("Allée ", "all "),
        ("Square ", "sq "),
        ("Général ", "gal "),
        ("Maréchal ", "mal "),
        ("Docteur ", "dr "),
        ("Colonel ", "col "),
        ("Capitaine ", "cne "),
        ("Commandant ", "cdt "),
        ("Saint-", "st "),
        ("Sainte-", "ste "),
        ("Saint ", "st "),
        ("Résidence ", "res "),
        ("Faubourg ", "fg "),
        ("Lotissement ", "lot "),
    ];
    SHORT.iter().fold(text.to_owned(), |text, (long, short)| text.replace(long, short))
}

/// One letter more, less, other, or two swapped, in a word of at least five letters.
fn typo(text: &str, random: &mut Random) -> Option<String> {
    let words: Vec<&str> = text.split_inclusive([' ', '-', '\'']).collect();
    let long: Vec<usize> = (0..words.len())
        .filter(|at| words[*at].trim_end_matches([' ', '-', '\'']).chars().count() >= 5)
        .filter(|at| words[*at].chars().all(|c| !c.is_ascii_digit()))
        .collect();
    if long.is_empty() {
        return None;
    }
    let chosen = long[random.below(long.len() as u64) as usize];
    let mut letters: Vec<char> = words[chosen].chars().collect();
    let end = words[chosen].trim_end_matches([' ', '-', '\'']).chars().count();
    let at = 1 + random.below(end as u64 - 2) as usize;
    let letter = char::from(b'a' + random.below(26) as u8);
    match random.below(4) {
        0 => letters.insert(at, letter),
        1 => {
            letters.remove(at);
        }
        2 => letters[at] = letter,
        _ => letters.swap(at, at + 1),
    }
    let word: String = letters.into_iter().collect();
    if word == words[chosen] {
        return None;
    }
    Some(words.iter().enumerate().map(|(at, w)| if at == chosen { word.as_str() } else { *w }).collect())
}

/// As one writes what one hears.
fn heard(text: &str) -> String {
    const HEARD: &[(&str, &str)] = &[
        ("eaux", "o"),
        ("eau", "o"),
        ("ph", "f"),
        ("mm", "m"),
        ("tt", "t"),
        ("ll", "l"),
        ("nn", "n"),
        ("rr", "r"),
        ("ss", "s"),
        ("th", "t"),
        ("qu", "k"),
        ("y", "i"),
        ("ai", "é"),
        ("au", "o"),
    ];
    HEARD
        .iter()
        .find(|(written, _)| text.contains(written))
        .map_or(text.to_owned(), |(written, same)| text.replacen(written, same, 1))
}
