//! `generate`: invented networks of any size for trials and measurements. Needs no configuration of the server.

use std::{
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::{Args, ValueEnum};
use eservices_reference::{
    generate::{self, BUILT_IN, Communes, Config, Encoding, Order, Packing, Summary},
    text,
};
use jiff::civil::Date;
use serde_json::json;

use super::{Answer, Failure, Global, output::table};

const EXAMPLES: &str = "\
Examples:
  eservices-server generate --premises 20000 --out data
  eservices-server generate --premises 1000000 --seed 7 --queries 5000 --out data
  eservices-server generate --premises 40000000 --communes communes_2026.csv.gz --gzip --out country
  eservices-server generate --premises 5000 --shares full-boxes.toml --encoding windows1252 --out data

Files: GENERE_00_ESVC_PM_IPEZMD_V30_<day>.csv, structure.csv, lignes.csv, adresses.csv, communes.csv, and when asked for
adresses.ndjson and queries.txt. The tables of the folder can be imported as they are. Without --communes the communes are invented, their
INSEE codes too (77900, 2A901…). Streets, persons, buildings and dates always are.

The file of shares is TOML; a key that it does not name keeps its default:
  [streets]    numbers = 11, suffixed = 0.04, without_numbers = 0.01
  [buildings]  blocks_rural = 0.03, blocks_urban = 0.13, block_housings = 8, several_batiments = 0.06,
               agreement_needed = 0.9, new = 0.1, without_structure = 0.01
  [pms]        housings = 400, very_dense_from = 200000; weights none = 0.04, planned = 0.02, deploying = 0.04,
               deployed = 0.89, abandoned = 0.01
  [states]     weights target = 0.03, on_demand = 0.02, on_demand_deploying = 0.01, signed = 0.02, deploying = 0.04,
               deployed = 0.87, abandoned = 0.01
  [boxes]      sockets = 0.55, inactive = 0.15, saturated = 0.03, size_unknown = 0.01, blocks_from_outside = 0.03;
               weights in_chambers = 0.5, on_poles = 0.35, on_walls = 0.15";

/// How long progress keeps still between two lines.
const EVERY: Duration = Duration::from_millis(200);

/// What to generate, and where to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Generate {
    /// Homes and business premises, spread over the communes by population.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    premises: u64,
    /// The same seed gives the same bytes.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The folder to write to; it is made where it is not there.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Communes to use, a CSV (.gz and .zip too) with code, nom, population, codes_postaux and a bounding box.
    #[arg(long, value_name = "FILE")]
    communes: Option<PathBuf>,
    /// Shares and sizes, TOML; see below.
    #[arg(long, value_name = "FILE")]
    shares: Option<PathBuf>,
    /// The day of the files: every date is counted from it.
    #[arg(long, value_name = "AAAA-MM-JJ", default_value = "2026-11-01")]
    day: Date,
    /// Questions for an address search, with their answers.
    #[arg(long, value_name = "K", default_value_t = 0)]
    queries: u64,
    /// Write the addresses as one JSON street a line too.
    #[arg(long)]
    ndjson: bool,
    /// Encoding of the IPE file.
    #[arg(long, value_enum, default_value_t = Charset::Utf8)]
    encoding: Charset,
    /// Pack the IPE file as zip.
    #[arg(long, conflicts_with = "gzip")]
    zip: bool,
    /// Pack the IPE file and the addresses with gzip.
    #[arg(long)]
    gzip: bool,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
}

/// Encodings that IPE files come in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Charset {
    Utf8,
    Utf8Bom,
    Windows1252,
    Latin1,
}

/// Generates.
pub fn run(asked: Generate, global: &Global) -> Result<Answer, Failure> {
    let communes = match &asked.communes {
        Some(path) => {
            let text = text::whole(path).map_err(|e| Failure::new(e.to_string()))?;
            Communes::parse(&path.display().to_string(), &text)
        }
        None => Communes::parse("built-in communes", BUILT_IN),
    };
    let communes = communes.map_err(|e| Failure::new(e.to_string()))?;
    let (out, premises) = (asked.out.clone(), asked.premises);
    let order = order(asked)?;
    let start = Instant::now();
    let mut progress = Progress::new(premises);
    let summary = generate::generate(&order, &communes, &out, |done| progress.show(done));
    progress.clear();
    let summary = summary.map_err(|e| match e {
        generate::Error::Exists { .. } => Failure::new(format!("{e}: use another --out, or --force")),
        other => Failure::new(other.to_string()),
    })?;
    Ok(answer(&summary, &out, order.seed, start.elapsed(), global.json))
}

fn order(asked: Generate) -> Result<Order, Failure> {
    let config = match &asked.shares {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|e| Failure::file(path, &e))?;
            Config::parse(&path.display().to_string(), &text).map_err(|e| Failure::new(e.to_string()))?
        }
        None => Config::default(),
    };
    Ok(Order {
        premises: asked.premises,
        seed: asked.seed,
        day: asked.day,
        queries: asked.queries,
        ndjson: asked.ndjson,
        encoding: match asked.encoding {
            Charset::Utf8 => Encoding::Utf8,
            Charset::Utf8Bom => Encoding::Utf8Bom,
            Charset::Windows1252 => Encoding::Windows1252,
            Charset::Latin1 => Encoding::Latin1,
        },
        packing: match (asked.zip, asked.gzip) {
            (true, _) => Packing::Zip,
            (_, true) => Packing::Gzip,
            _ => Packing::None,
        },
        force: asked.force,
        config,
    })
}

fn answer(summary: &Summary, out: &Path, seed: u64, took: Duration, json: bool) -> Answer {
    let rate = (summary.premises as f64 / took.as_secs_f64().max(0.001)).round();
    let Summary { communes, streets, buildings, premises, pms, files } = summary;
    Answer::of(
        json,
        || {
            let rows: Vec<Vec<String>> = files
                .iter()
                .map(|file| vec![file.name.clone(), file.rows.to_string(), file.bytes.to_string()])
                .collect();
            format!(
                "{}\n{premises} premises in {buildings} buildings on {streets} streets of {communes} communes, \
                 behind {pms} PM; seed {seed}\n{:.1} s, {rate} premises/s, in {}",
                table(&["FILE", "ROWS", "BYTES"], &rows),
                took.as_secs_f64(),
                out.display()
            )
        },
        || {
            let files: Vec<_> = files
                .iter()
                .map(|file| json!({"name": file.name, "rows": file.rows, "bytes": file.bytes}))
                .collect();
            json!({
                "folder": out.display().to_string(),
                "seed": seed,
                "premises": premises,
                "buildings": buildings,
                "streets": streets,
                "communes": communes,
                "pms": pms,
                "files": files,
                "seconds": took.as_secs_f64(),
                "premises_per_second": rate,
            })
        },
    )
}

/// One line that is written over and over, on a terminal only.
struct Progress {
    total: u64,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    fn new(total: u64) -> Self {
        Self { total, shown: None, terminal: std::io::stderr().is_terminal() }
    }

    fn show(&mut self, done: u64) {
        if self.terminal && self.shown.is_none_or(|at| at.elapsed() >= EVERY) {
            let percent = u128::from(done) * 100 / u128::from(self.total.max(1));
            let _ = write!(std::io::stderr(), "\r{percent:3} %  {done} of {} premises", self.total);
            self.shown = Some(Instant::now());
        }
    }

    fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
