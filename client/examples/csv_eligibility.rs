//! A table of addresses in, a table of answers out, for one offer.
//!
//! ```text
//! cargo run -p eservices-server -- demo          # in one terminal
//! cargo run -p eservices-client --example csv_eligibility -- addresses.csv answers.csv --offer JUST_FIBRE
//! ```
//!
//! In: UTF-8, `;` or `,`, a header line; the column `address`, else the first one, is asked about. Out: the same columns
//! and rows in their order, then `found_by`, `grade`, `imb`, `verdict`, `codes`, `eligible_from_day`, `visit`,
//! `qualification_expires_on`, `error`. A row that cannot be answered has its `error` and never stops the rest.
//!
//! `csv_eligibility IN OUT [ENDPOINT] [CERTIFICATE] [KEY] [CA] [--offer CODE] [--at-once N]`; what is not given comes from
//! `ESERVICES_{ENDPOINT,CERTIFICATE,KEY,CA}`, then from the demo's own files.

use std::{
    collections::{BTreeMap, VecDeque},
    env,
    error::Error as StdError,
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use csv::ByteRecord;
use eservices_client::{
    Client, Code, Error, Response, Status,
    contract::{
        addresses::v1::SearchAddressesRequest,
        common::v1::{AddressCandidate, MatchGrade, MatchLevel},
        eligibility::v1::{
            CheckEligibilityRequest, CheckEligibilityResponse, check_eligibility_request::Key,
        },
    },
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinHandle;

/// The columns that are added.
const ADDED: [&str; 9] = [
    "found_by",
    "grade",
    "imb",
    "verdict",
    "codes",
    "eligible_from_day",
    "visit",
    "qualification_expires_on",
    "error",
];

#[tokio::main]
async fn main() -> ExitCode {
    match answer_table().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line says.
struct Asked {
    /// Files, then endpoint and certificate files.
    words: Vec<String>,
    offer: String,
    at_once: usize,
}

impl Asked {
    fn read() -> Result<Self, Box<dyn StdError>> {
        let mut asked = Self { words: Vec::new(), offer: "JUST_FIBRE".to_owned(), at_once: 8 };
        let mut args = env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--offer" => {
                    asked.offer = args.next().ok_or("--offer: expected a code, for instance CE2O")?
                }
                "--at-once" => {
                    let count = args.next().and_then(|n| n.parse().ok()).filter(|n| *n > 0);
                    asked.at_once = count.ok_or("--at-once: expected a number above 0")?;
                }
                _ => asked.words.push(arg),
            }
        }
        Ok(asked)
    }

    fn file(&self, position: usize) -> Result<&Path, &'static str> {
        self.words.get(position).map(Path::new).ok_or("expected two files: addresses in, answers out")
    }

    fn setting(&self, position: usize, variable: &str, default: &str) -> String {
        let given = self.words.get(position).cloned();
        given.or_else(|| env::var(variable).ok()).unwrap_or_else(|| default.to_owned())
    }
}

/// What is known of one row.
#[derive(Default)]
struct Answer {
    found_by: String,
    grade: String,
    imb: String,
    verdict: String,
    codes: String,
    eligible_from_day: String,
    visit: String,
    qualification_expires_on: String,
    error: String,
}

impl Answer {
    fn fields(&self) -> [&str; ADDED.len()] {
        [
            &self.found_by,
            &self.grade,
            &self.imb,
            &self.verdict,
            &self.codes,
            &self.eligible_from_day,
            &self.visit,
            &self.qualification_expires_on,
            &self.error,
        ]
    }
}

/// A row whose answer is awaited.
type Awaited = (ByteRecord, JoinHandle<Answer>);

async fn answer_table() -> Result<(), Box<dyn StdError>> {
    let asked = Asked::read()?;
    let (from, to) = (asked.file(0)?, asked.file(1)?);
    let delimiter = delimiter(from).map_err(|error| format!("{}: {error}", from.display()))?;
    let mut input = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_path(from)?;
    let header = input.byte_headers()?.clone();
    let column = header.iter().position(|name| name.eq_ignore_ascii_case(b"address")).unwrap_or(0);
    let client = Client::builder(asked.setting(2, "ESERVICES_ENDPOINT", "https://localhost:50051"))
        .certificate_file(asked.setting(3, "ESERVICES_CERTIFICATE", "./var/demo/operator-alpha.pem"))
        .key_file(asked.setting(4, "ESERVICES_KEY", "./var/demo/operator-alpha.key"))
        .ca_file(asked.setting(5, "ESERVICES_CA", "./var/demo/root.pem"))
        .connect()
        .await?;
    let mut output = csv::WriterBuilder::new().delimiter(delimiter).from_path(to)?;
    output.write_byte_record(&with(&header, header.len(), ADDED))?;

    let bar = bar(fs::metadata(from)?.len())?;
    let started = Instant::now();
    let (mut rows, mut verdicts) = (0_u64, BTreeMap::<String, u64>::new());
    // The oldest row is written first: order is kept, and at most so many rows are asked about at once.
    let mut under_way: VecDeque<Awaited> = VecDeque::with_capacity(asked.at_once);
    let mut records = input.byte_records();
    loop {
        let record = records.next().transpose()?;
        let full = under_way.len() == asked.at_once;
        if let Some((row, answer)) = (full || record.is_none()).then(|| under_way.pop_front()).flatten() {
            // A task that fell over is the row's error as any other.
            let answer =
                answer.await.unwrap_or_else(|e| Answer { error: e.to_string(), ..Answer::default() });
            output.write_byte_record(&with(&row, header.len(), answer.fields()))?;
            rows += 1;
            let kind = if answer.verdict.is_empty() { "no verdict" } else { answer.verdict.as_str() };
            *verdicts.entry(kind.to_owned()).or_default() += 1;
            bar.set_message(format!("{rows} rows, {:.0}/s", rate(rows, started.elapsed())));
        } else if record.is_none() {
            break;
        }
        if let Some(record) = record {
            bar.set_position(record.position().map_or(0, csv::Position::byte));
            let (client, offer) = (client.clone(), asked.offer.clone());
            let address = address(&record, column, header.len());
            let answer = tokio::spawn(async move {
                match address {
                    Ok(address) => answer_row(&client, address, offer).await,
                    Err(error) => Answer { error, ..Answer::default() },
                }
            });
            under_way.push_back((record, answer));
        }
    }
    output.flush()?;
    bar.finish_and_clear();
    println!(
        "{rows} rows in {:.1} s, {:.0} a second",
        started.elapsed().as_secs_f64(),
        rate(rows, started.elapsed())
    );
    for (verdict, count) in verdicts {
        println!("{count:>8}  {verdict}");
    }
    Ok(())
}

/// What the header line has more of.
fn delimiter(file: &Path) -> io::Result<u8> {
    let mut header = Vec::new();
    BufReader::new(File::open(file)?).read_until(b'\n', &mut header)?;
    let count = |delimiter: u8| header.iter().filter(|byte| **byte == delimiter).count();
    Ok(if count(b',') > count(b';') { b',' } else { b';' })
}

/// The address of a row, or why it has none.
fn address(row: &ByteRecord, column: usize, width: usize) -> Result<String, String> {
    if row.len() > width {
        return Err(format!("{} fields where the header has {width}", row.len()));
    }
    let text = std::str::from_utf8(row.get(column).unwrap_or_default()).map_err(|_| "not UTF-8")?;
    Ok(text.trim().to_owned())
}

/// A row as wide as the header, then the added columns.
fn with(row: &ByteRecord, width: usize, added: [&str; ADDED.len()]) -> ByteRecord {
    let own = row.iter().chain(std::iter::repeat(&b""[..])).take(width);
    own.chain(added.into_iter().map(str::as_bytes)).collect()
}

fn rate(rows: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { rows as f64 / elapsed.as_secs_f64() }
}

/// Nothing is drawn where standard error is no terminal.
fn bar(bytes: u64) -> Result<ProgressBar, Box<dyn StdError>> {
    let style = ProgressStyle::with_template("{bar:32} {percent:>3} %  {msg}  left {eta}")?;
    Ok(ProgressBar::new(bytes).with_style(style))
}

async fn answer_row(client: &Client, address: String, offer: String) -> Answer {
    let mut answer = Answer::default();
    if let Err(error) = ask(client, address, offer, &mut answer).await {
        answer.error = error.to_string();
    }
    answer
}

/// Two calls: how well the address is known, and what can be ordered there. The server decides which building is meant.
async fn ask(client: &Client, address: String, offer: String, answer: &mut Answer) -> Result<(), Error> {
    let request =
        SearchAddressesRequest { text: address.clone(), limit: 1, ..SearchAddressesRequest::default() };
    let search = || {
        let (mut addresses, request) = (client.addresses(), request.clone());
        async move { addresses.search_addresses(request).await }
    };
    let best = patient(search).await?.candidates.into_iter().next();
    answer.grade = best.map_or("", |best| name(best.grade().as_str_name(), "MATCH_GRADE_")).to_owned();

    let request = CheckEligibilityRequest {
        key: Some(Key::Address(address)),
        offer_codes: vec![offer],
        ..CheckEligibilityRequest::default()
    };
    let check = || {
        let (mut eligibility, request) = (client.eligibility(), request.clone());
        async move { eligibility.check_eligibility(request).await }
    };
    fill(answer, patient(check).await?);
    Ok(())
}

/// Sends a call again each time the quota is used up, when it is worth it.
async fn patient<T, F>(call: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    loop {
        let error = match call().await {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => Error::from(status),
        };
        // Without a time to wait it is another limit: waiting would not help.
        match error.retry_after().filter(|_| error.code() == Code::ResourceExhausted) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return Err(error),
        }
    }
}

fn fill(answer: &mut Answer, found: CheckEligibilityResponse) {
    answer.found_by = found.found_by;
    answer.qualification_expires_on = found.qualification_expires_on;
    let Some(premises) = found.premises else {
        answer.error = choice(&found.candidates);
        return;
    };
    answer.imb = premises.imb;
    let Some(offer) = found.answers.into_iter().next() else { return };
    answer.verdict = name(offer.verdict().as_str_name(), "VERDICT_").to_owned();
    answer.visit = name(offer.appointment_type().as_str_name(), "APPOINTMENT_TYPE_").to_owned();
    // Two rules may have one code.
    let mut codes: Vec<_> = offer.findings.iter().map(|finding| finding.code.as_str()).collect();
    codes.dedup();
    answer.codes = codes.join(" ");
    answer.eligible_from_day = offer.eligible_from_day;
}

/// Why no building was decided on, for a person to choose.
fn choice(candidates: &[AddressCandidate]) -> String {
    let Some(best) = candidates.first() else { return "no such address".to_owned() };
    let certain = matches!(best.grade(), MatchGrade::Exact | MatchGrade::Good);
    if certain && best.level() == MatchLevel::Number && best.imbs.is_empty() {
        return format!("no building at {}", words(best));
    }
    let reasons: Vec<_> = best.reasons.iter().map(|reason| reason.code.as_str()).collect();
    // Weak ones are worth a look only where there is nothing else.
    let likely =
        |one: &&AddressCandidate| one.grade() != MatchGrade::Weak || best.grade() == MatchGrade::Weak;
    let choices: Vec<_> = candidates.iter().filter(likely).take(3).map(words).collect();
    format!("choose {}: {}", reasons.join(" "), choices.join(" | "))
}

fn words(candidate: &AddressCandidate) -> String {
    let address = candidate.address.clone().unwrap_or_default();
    let imbs = candidate.imbs.join(" ");
    let words = [address.number, address.complement, address.street, address.postcode, address.commune, imbs]
        .join(" ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The name of a value without its enumeration's; empty where nothing is said.
fn name<'a>(value: &'a str, prefix: &str) -> &'a str {
    Some(value.trim_start_matches(prefix)).filter(|name| *name != "UNSPECIFIED").unwrap_or_default()
}
