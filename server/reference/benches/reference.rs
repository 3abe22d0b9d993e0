//! What look-ups cost in process: search, completion, nearest, identifiers, structure, on invented networks.
//!
//! Every case is measured twice: call by call (p50, p99, a table on standard output) and by criterion (means). One thread,
//! a release imported once into a temporary folder and loaded, every case run through once before it is timed.
//! `ESERVICES_BENCH_NUMBERS` tells how many house numbers, about, one or several (default `100000,1000000`),
//! `ESERVICES_BENCH_COMMUNES` names a list of real communes (`.csv.gz`) in place of the built-in invented ones. The figures stand in
//! `benches/RESULTS.md`. Knows no server: what a whole call costs is measured by `benches/load`.
#![expect(clippy::unwrap_used, reason = "a tool for developers: it stops at the first thing that is wrong")]

use criterion::Criterion;
use eservices_reference::address::{Found, Point, Query, Search, Street};
use eservices_reference::generate::{self, BUILT_IN, Communes, Config, Encoding, Order, Packing};
use eservices_reference::ids::{Imb, Insee, Pto};
use eservices_reference::{Options, Reference, Store};
use jiff::civil::date;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

const SEED: u64 = 20_261_125;
/// Premises for each number of the address base, blocks have several: in the built-in communes, which are large, and in
/// the real ones.
const PREMISES_A_NUMBER: [f64; 2] = [1.87, 1.44];
/// Questions of all nine kinds together.
const QUESTIONS: u64 = 18_000;
/// Keys of a kind that are looked up.
const KEYS: usize = 20_000;
/// Questions that are typed letter by letter.
const TYPED: usize = 300;
/// Times that a case is timed call by call.
const ROUNDS: usize = 5;

/// A question of the generator and its one right answer.
struct Question {
    kind: String,
    text: String,
    near: Option<Point>,
    ban: String,
}

/// One kind of look-up: `calls` different ones, each of which says whether it found what it should.
struct Case<'a> {
    name: String,
    calls: usize,
    run: Box<dyn Fn(usize) -> bool + 'a>,
}

impl<'a> Case<'a> {
    fn new(name: impl Into<String>, calls: usize, run: impl Fn(usize) -> bool + 'a) -> Self {
        Self { name: name.into(), calls, run: Box::new(run) }
    }
}

fn main() {
    // Without --bench (cargo test --benches) it only has to run.
    let measured = std::env::args().any(|argument| argument == "--bench");
    let default = if measured { "100000,1000000" } else { "2000" };
    let sizes = std::env::var("ESERVICES_BENCH_NUMBERS").unwrap_or_else(|_| default.to_owned());
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    for size in sizes.split(',') {
        let folder = tempfile::tempdir().unwrap();
        let (reference, questions) = world(size.trim().parse().unwrap(), folder.path());
        let keys = Keys::of(&reference);
        let cases = cases(&reference, &questions, &keys);
        if measured {
            table(&cases);
        }
        let mut group = criterion.benchmark_group(size.trim());
        for case in &cases {
            let mut at = 0;
            group.bench_function(&case.name, |bencher| {
                bencher.iter(|| {
                    at = (at + 1) % case.calls;
                    (case.run)(black_box(at))
                });
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

/// Generates, imports and loads.
fn world(numbers: u64, folder: &Path) -> (Reference, Vec<Question>) {
    let (communes, premises) = match std::env::var("ESERVICES_BENCH_COMMUNES") {
        Ok(path) => {
            let mut text = Vec::new();
            let file = std::fs::File::open(&path).unwrap();
            std::io::copy(&mut flate2::read::MultiGzDecoder::new(file), &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            (Communes::parse(&path, &text).unwrap(), PREMISES_A_NUMBER[1])
        }
        Err(_) => (Communes::parse("(built in)", BUILT_IN).unwrap(), PREMISES_A_NUMBER[0]),
    };
    let order = Order {
        premises: (numbers as f64 * premises) as u64,
        seed: SEED,
        day: date(2026, 11, 1),
        queries: QUESTIONS,
        ndjson: false,
        encoding: Encoding::Utf8,
        packing: Packing::None,
        force: false,
        config: Config::default(),
    };
    let start = Instant::now();
    let made = generate::generate(&order, &communes, &folder.join("files"), |_| {}).unwrap();
    let generated = start.elapsed();
    let names = made.files.iter().map(|file| file.name.as_str()).filter(|n| *n != generate::QUERIES_FILE);
    let files: Vec<_> = names.map(|name| folder.join("files").join(name)).collect();
    let rows: u64 = made.files.iter().map(|file| file.rows).sum();

    let store = Store::open(folder.join("store")).unwrap();
    let options = Options { memory_bytes: 512 << 20, dry_run: false, today: date(2026, 11, 2) };
    let start = Instant::now();
    let imported = store.import(&files, &options, &mut |_| eservices_reference::GO_ON).unwrap();
    let import = start.elapsed();
    let start = Instant::now();
    let reference = store.load(imported.manifest.id()).unwrap();
    let load = start.elapsed();

    let counts = reference.release().counts;
    println!(
        "\n{} numbers, {} streets, {} communes, {} premises, {} buildings, {} lines, {} boxes, {} structure rows",
        counts.numbers,
        counts.streets,
        made.communes,
        made.premises,
        counts.buildings,
        counts.lines,
        counts.pbos,
        counts.structure,
    );
    println!(
        "generated {rows} rows in {generated:.1?}, imported in {import:.1?}, loaded in {load:.1?}, resident {} MB\n",
        resident()
    );
    let questions = std::fs::read_to_string(folder.join("files").join(generate::QUERIES_FILE)).unwrap();
    (reference, questions.lines().skip(1).map(question).collect())
}

fn question(line: &str) -> Question {
    let fields: Vec<&str> = line.split(';').collect();
    let near = fields[2].parse().ok().zip(fields[3].parse().ok());
    Question {
        kind: fields[0].to_owned(),
        text: fields[1].to_owned(),
        near: near.map(|(lon, lat)| Point { lon, lat }),
        ban: fields[4].to_owned(),
    }
}

/// What is looked up by key, strewn over the whole release.
struct Keys {
    imbs: Vec<Imb>,
    /// Those of them whose structure is known.
    known: Vec<Imb>,
    ptos: Vec<Pto>,
    /// BAN key, commune, street, number, suffix, some 40 m beside it.
    numbers: Vec<(String, Insee, String, u32, String, Point)>,
}

impl Keys {
    fn of(reference: &Reference) -> Self {
        let buildings = reference.buildings();
        let imbs: Vec<Imb> = strewn(buildings.len()).map(|at| buildings[at].imb.clone()).collect();
        let lines = imbs.iter().filter_map(|imb| reference.lines(imb).first());
        let streets = reference.addresses().streets();
        let numbers = strewn(streets.len()).filter_map(|at| {
            let street = &streets[at];
            let number = street.numbers.get(at % street.numbers.len().max(1))?;
            let Point { lon, lat } = number.position?;
            let beside = Point { lon: lon + 0.0003, lat: lat - 0.0002 };
            let ban = number.ban.as_deref()?.to_owned();
            Some((
                ban,
                street.insee.clone(),
                street.name.to_string(),
                number.number,
                number.suffix.to_string(),
                beside,
            ))
        });
        let known = imbs.iter().filter(|imb| !reference.structure(imb).is_empty()).cloned();
        Self {
            known: known.collect(),
            ptos: lines.map(|line| line.pto.clone()).collect(),
            numbers: numbers.collect(),
            imbs,
        }
    }
}

/// [`KEYS`] places among `count`, in no order.
fn strewn(count: usize) -> impl Iterator<Item = usize> {
    (1..=KEYS).map(move |n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % count)
}

fn cases<'a>(reference: &'a Reference, questions: &'a [Question], keys: &'a Keys) -> Vec<Case<'a>> {
    let mut cases = vec![Case::new("nothing: what the clock itself costs", KEYS, |_| true)];
    cases.extend(texts(reference.addresses(), questions));
    cases.extend(places(reference, keys));
    cases.extend(by_key(reference, keys));
    cases
}

fn texts<'a>(search: &'a Search, questions: &'a [Question]) -> Vec<Case<'a>> {
    let of_kind = |kind: &str| questions.iter().filter(|q| q.kind == kind).collect::<Vec<_>>();
    let mut kinds: Vec<&str> = Vec::new();
    for question in questions {
        if !kinds.contains(&&*question.kind) {
            kinds.push(&question.kind);
        }
    }
    let mut cases: Vec<Case<'a>> = Vec::new();
    for kind in kinds {
        let asked = of_kind(kind);
        if kind == "prefix" {
            let run = move |at: usize| {
                let found = search.complete(&asked[at].text, asked[at].near, 10);
                found.iter().any(|c| is_number(search, c.street, c.number, &asked[at].ban))
            };
            cases.push(Case::new("complete: the start of an address", of_kind(kind).len(), run));
        } else {
            let run = move |at: usize| {
                let Question { text, near, ban, .. } = asked[at];
                let found = search.find(&Query { text, near: *near, insee: None, limit: 5 });
                found.first().is_some_and(|c| is_number(search, c.street, c.number, ban))
            };
            cases.push(Case::new(format!("find: {kind}"), of_kind(kind).len(), run));
        }
    }
    let typed = of_kind("no_postcode").into_iter().take(TYPED).flat_map(|question| {
        let ends = question.text.char_indices().map(|(end, _)| end).skip(1).chain([question.text.len()]);
        ends.map(|end| &question.text[..end])
    });
    let typed: Vec<&str> = typed.collect();
    let calls = typed.len();
    // A number alone has no answer, and what the first letters mean nobody knows: found is that there is something.
    cases.push(Case::new("complete: each keystroke of an address", calls, move |at| {
        !search.complete(typed[at], None, 10).is_empty()
    }));
    cases
}

fn is_number(search: &Search, street: Option<u32>, number: Option<u32>, ban: &str) -> bool {
    let at = street.zip(number).map(|(street, number)| Found { street, number: Some(number) });
    at.is_some_and(|found| of_ban(search, found, ban))
}

fn of_ban(search: &Search, found: Found, ban: &str) -> bool {
    let street: &Street = &search.streets()[found.street as usize];
    found.number.is_some_and(|number| street.numbers[number as usize].ban.as_deref() == Some(ban))
}

fn places<'a>(reference: &'a Reference, keys: &'a Keys) -> Vec<Case<'a>> {
    let search = reference.addresses();
    let calls = keys.numbers.len();
    let mut cases = vec![
        Case::new("nearest: one number", calls, |at| {
            !search.nearest(keys.numbers[at].5, 1000.0, 1).is_empty()
        }),
        Case::new("nearest: ten numbers", calls, |at| {
            !search.nearest(keys.numbers[at].5, 1000.0, 10).is_empty()
        }),
    ];
    for radius in [50.0, 500.0] {
        let run = move |at: usize| !reference.around(keys.numbers[at].5, radius).is_empty();
        cases.push(Case::new(format!("around: buildings within {radius} m"), calls.min(2000), run));
    }
    cases
}

fn by_key<'a>(reference: &'a Reference, keys: &'a Keys) -> Vec<Case<'a>> {
    let search = reference.addresses();
    let Keys { imbs, known, ptos, numbers } = keys;
    vec![
        Case::new("building by IMB", imbs.len(), |at| {
            reference.building(&imbs[at]).is_some_and(|building| building.imb == imbs[at])
        }),
        Case::new("line by PTO", ptos.len(), |at| {
            reference.line(&ptos[at]).is_some_and(|line| line.pto == ptos[at])
        }),
        Case::new("structure, free fibres and lines of a building", known.len(), |at| {
            let structure = reference.structure(&known[at]);
            let free: u32 = structure.iter().filter_map(|row| reference.free_fibres(row)).sum();
            black_box(free + reference.lines(&known[at]).len() as u32);
            !structure.is_empty()
        }),
        Case::new("number by BAN key", numbers.len(), |at| {
            search.by_ban(&numbers[at].0).is_some_and(|found| of_ban(search, found, &numbers[at].0))
        }),
        Case::new("number by commune, street and number", numbers.len(), |at| {
            let (ban, insee, street, number, suffix, _) = &numbers[at];
            let found = search.number_by_name(insee, street, *number, suffix);
            found.is_some_and(|found| of_ban(search, found, ban))
        }),
    ]
}

/// Times every call of every case by itself and prints a table; µs.
///
/// The percentiles are over the medians of each call's rounds: a call that another process interrupts (a time slice is
/// 4 ms) would otherwise be the p99 of a busy machine. What the rounds were as they came stands beside it.
fn table(cases: &[Case<'_>]) {
    println!(
        "| look-up | calls | found | p50 µs | p99 µs | worst µs | p99 of the {ROUNDS} rounds as they came |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
    for case in cases {
        let right = (0..case.calls).filter(|at| (case.run)(*at)).count();
        let rounds: Vec<Vec<Duration>> = (0..ROUNDS).map(|_| round(case)).collect();
        let medians = (0..case.calls)
            .map(|at| percentile(&sorted(rounds.iter().map(|round| round[at]).collect()), 0.5))
            .collect();
        let medians = sorted(medians);
        let came = sorted(rounds.into_iter().map(|round| percentile(&sorted(round), 0.99)).collect());
        println!(
            "| {} | {} | {:.4} | {:.2} | {:.2} | {:.0} | {:.2} to {:.2} |",
            case.name,
            case.calls,
            right as f64 / case.calls as f64,
            us(percentile(&medians, 0.5)),
            us(percentile(&medians, 0.99)),
            us(percentile(&medians, 1.0)),
            us(came[0]),
            us(came[ROUNDS - 1]),
        );
    }
}

fn us(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1000.0
}

/// The time of every call, in their order.
fn round(case: &Case<'_>) -> Vec<Duration> {
    (0..case.calls)
        .map(|at| {
            let start = Instant::now();
            black_box((case.run)(black_box(at)));
            start.elapsed()
        })
        .collect()
}

fn sorted(mut times: Vec<Duration>) -> Vec<Duration> {
    times.sort_unstable();
    times
}

fn percentile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Resident memory in MB, where the system tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
}
