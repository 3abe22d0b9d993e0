//! Accuracy and speed of the address search on real queries and on queries made from the addresses indexed.
//!
//! `ESERVICES_DATA` names the folder with `addresses/` and `communes/` (default `../shared/data` beside the repository),
//! `ESERVICES_NUMBERS` how many numbers to index (default 1,000,000), `ESERVICES_SEED` which noise,
//! `ESERVICES_MISSES` how many misses of a kind to print.
#![expect(clippy::unwrap_used, reason = "a tool for developers: it stops at the first thing that is wrong")]

mod data;
mod made;
mod noise;

use data::{Data, Expected};
use eservices_reference::address::{Candidate, Point, Query, Search, street_key};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[derive(Default)]
struct Tally {
    asked: usize,
    first: usize,
    five: usize,
    times: Vec<Duration>,
}

impl Tally {
    fn add(&mut self, place: Option<usize>, took: Duration) {
        self.asked += 1;
        self.first += usize::from(place == Some(0));
        self.five += usize::from(place.is_some_and(|place| place < 5));
        self.times.push(took);
    }

    fn print(&mut self, name: &str) {
        self.times.sort_unstable();
        let at = |share: f64| {
            self.times[((self.times.len() - 1) as f64 * share) as usize].as_nanos() as f64 / 1000.0
        };
        let mean = self.times.iter().sum::<Duration>().as_nanos() as f64 / 1000.0 / self.times.len() as f64;
        println!(
            "{name:<44} {:>6} {:.4} {:.4} {mean:>8.1} {:>8.1} {:>8.1}",
            self.asked,
            self.first as f64 / self.asked as f64,
            self.five as f64 / self.asked as f64,
            at(0.5),
            at(0.99)
        );
    }
}

fn main() {
    let folder = std::env::var("ESERVICES_DATA")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data").to_owned());
    let setting =
        |name: &str, default: usize| std::env::var(name).ok().map_or(default, |text| text.parse().unwrap());
    let mut data = Data::read(folder.as_ref());
    println!(
        "real addresses {}, queries usable {}, rows left out {}",
        data.real,
        data.queries.len(),
        data.left_out
    );
    let seed = setting("ESERVICES_SEED", 0x5eed) as u64;
    data.add_noise(setting("ESERVICES_NUMBERS", 1_000_000), seed);
    let numbers: usize = data.streets.iter().map(|s| s.numbers.len()).sum();
    println!("streets {}, numbers {numbers}", data.streets.len());
    let made = made::queries(&data, 3000, seed);

    let before = resident();
    let start = Instant::now();
    let (communes, postal) = (data.communes.clone(), data.postal.clone());
    let search = Search::build(communes, postal, std::mem::take(&mut data.streets));
    println!("build {:.2?}, resident {} -> {} MB (records with it)", start.elapsed(), before, resident());

    println!("{:<44} {:>6} {:>6} {:>6} {:>8} {:>8} {:>8}", "", "asked", "@1", "@5", "mean us", "p50", "p99");
    let mut by_kind: BTreeMap<String, Tally> = BTreeMap::new();
    let mut misses = Vec::new();
    let mut slowest: Vec<(Duration, &str)> = Vec::new();
    for expected in data.queries.iter().chain(&made) {
        let query = Query { text: &expected.text, near: expected.near, insee: None, limit: 5 };
        let (found, took) = timed(|| search.find(&query));
        let place = found.iter().position(|candidate| is_right(&search, expected, candidate));
        for kind in [expected.kind.clone(), expected.group.clone(), "all".to_owned()] {
            by_kind.entry(kind).or_default().add(place, took);
        }
        slowest.push((took, &expected.text));
        if place != Some(0) {
            misses.push((expected, found));
        }
    }
    for (kind, tally) in &mut by_kind {
        tally.print(kind);
    }
    slowest.sort_unstable_by(|a, b| b.cmp(a));
    for (took, text) in slowest.iter().take(5) {
        println!("slow: {took:?} {text}");
    }
    typing(&search, &data);
    nearest(&search);
    hostile(&search, seed);
    print_misses(&search, &misses, setting("ESERVICES_MISSES", 30));
}

/// The result, and the best time of three: on a shared machine the others measure who else runs.
fn timed<T>(work: impl Fn() -> T) -> (T, Duration) {
    let mut best = Duration::MAX;
    let mut run = || {
        let start = Instant::now();
        let result = work();
        best = best.min(start.elapsed());
        result
    };
    run();
    run();
    let result = run();
    (result, best)
}

/// Whether a candidate is what the query says; places that it does not tell apart are as right.
fn is_right(search: &Search, expected: &Expected, candidate: &Candidate) -> bool {
    let Some(street) = candidate.street.map(|s| &search.streets()[s as usize]) else {
        return expected.key.is_empty()
            && search.communes()[candidate.commune as usize].insee == expected.insee;
    };
    let commune = &search.communes()[candidate.commune as usize];
    let place = street.insee == expected.insee
        || commune.parent.as_ref() == Some(&expected.insee)
        || (expected.by_city && street_key(&street.commune) == expected.city)
        || (expected.by_postcode && street.postcodes.contains(&expected.postcode));
    let number = candidate.number.map(|n| &street.numbers[n as usize]);
    expected.key.is_empty() && place
        || place
            && street_key(&street.name) == expected.key
            && number.is_some_and(|n| n.number == expected.number && *n.suffix == *expected.suffix)
}

fn typing(search: &Search, data: &Data) {
    let mut tally = Tally::default();
    let mut letters = 0;
    for expected in data.queries.iter().filter(|q| q.kind == "real: without postcode").step_by(3) {
        let mut seen = None;
        for (end, _) in expected.text.char_indices().skip(1).chain([(expected.text.len(), ' ')]) {
            let (found, took) = timed(|| search.complete(&expected.text[..end], None, 10));
            if found.iter().take(5).any(|c| is_right(search, expected, c)) && seen.is_none() {
                seen = Some(end);
            }
            tally.times.push(took);
        }
        letters += seen.unwrap_or(expected.text.len());
        tally.asked += 1;
        tally.five += usize::from(seen.is_some());
    }
    tally.print("typing: seen among five before the end");
    println!("letters typed until seen, mean {:.1}", letters as f64 / tally.asked as f64);
}

/// Long queries of common words and letters that fit nothing: they must not take long either.
fn hostile(search: &Search, seed: u64) {
    let mut random = data::Random(seed);
    let mut one = |long: bool| {
        let street = &search.streets()[random.below(search.streets().len() as u64) as usize];
        let text = if long { &street.name } else { &street.commune };
        let words: Vec<&str> = text.split([' ', '-', '\'']).collect();
        words[random.below(words.len() as u64) as usize].to_owned()
    };
    let (mut words, mut letters) = (Tally::default(), Tally::default());
    for _ in 0..500 {
        let text: Vec<String> = (0..30).map(|n| one(n % 3 != 0)).collect();
        let ask = |text: &str| timed(|| search.find(&Query { text, near: None, insee: None, limit: 5 }));
        words.add(None, ask(&text.join(" ")).1);
        let misspelt: Vec<String> = text.iter().map(|w| w.chars().rev().collect()).collect();
        letters.add(None, ask(&misspelt.join(" ")).1);
    }
    words.print("hostile: thirty words of anywhere");
    letters.print("hostile: the same spelt backwards");
}

fn nearest(search: &Search) {
    let mut tally = Tally::default();
    for street in search.streets().iter().step_by(20) {
        let Some(Point { lon, lat }) = street.numbers.first().and_then(|n| n.position) else { continue };
        let point = Point { lon: lon + 0.0003, lat: lat - 0.0002 };
        let (found, took) = timed(|| search.nearest(point, 1000.0, 10));
        tally.add((!found.is_empty()).then_some(0), took);
    }
    tally.print("nearest ten within 1 km");
}

fn print_misses(search: &Search, misses: &[(&Expected, Vec<Candidate>)], most: usize) {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for (expected, found) in misses {
        let printed = left.entry(&expected.kind).or_default();
        *printed += 1;
        if *printed > most {
            continue;
        }
        println!(
            "\nMISS {} | {} | {} {}{} {}",
            expected.kind, expected.text, expected.key, expected.number, expected.suffix, expected.insee
        );
        for candidate in found.iter().take(3) {
            let commune = &search.communes()[candidate.commune as usize];
            let street = candidate.street.map(|s| &search.streets()[s as usize]);
            let number = street.zip(candidate.number).map(|(s, n)| &s.numbers[n as usize]);
            println!(
                "   {:.3} {:?} {} {} {} {} {:?}",
                candidate.score,
                candidate.grade,
                number.map(|n| format!("{}{}", n.number, n.suffix)).unwrap_or_default(),
                street.map_or("", |s| &s.name),
                commune.name,
                street.map(|s| s.postcodes.join(",")).unwrap_or_default(),
                candidate.reasons
            );
        }
    }
}

/// Resident memory in MB, where the system tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
