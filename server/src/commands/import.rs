//! `import`: files in, a release of the reference data out, registered and, if asked, served.
//!
//! Shows progress on a terminal. Knows no file format.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use eservices_reference::{Change, GO_ON, Imported, Options, Phase, Progress, Store, report};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use serde_json::json;

use super::{Answer, Context, Failure};
use crate::platform::{
    clock::paris_day,
    db::Db,
    network::releases::{self, ReleaseRow},
    registry::CLI_ACTOR,
};

const EXAMPLES: &str = "\
Files: IPE (*_PM_IPE*), structure and lines, addresses of the national base (CSV, NDJSON), communes, postcodes; plain, zip
or gzip; and offers.toml, eservices.toml, appointments.toml (built-in ones stand in). A release is made of all files of
one import. The same files again change nothing; an import that was killed is begun anew by the same command.

Examples:
  eservices-server import --dry-run IPE_77_PM_IPEZMD_V30_20261101.zip structure.csv lignes.csv
  eservices-server import --serve reference-2026-11/*";

/// What to import.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Import {
    /// The files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Check the files and say what an import would give, but keep no release.
    #[arg(long, conflicts_with = "serve")]
    dry_run: bool,
    /// Serve the release at once.
    #[arg(long)]
    serve: bool,
    /// Memory that sorting may take, MB.
    #[arg(long, default_value_t = 512, value_name = "MB", value_parser = clap::value_parser!(u32).range(16..))]
    memory: u32,
    /// Write refused rows and remarks to this file (CSV).
    #[arg(long, value_name = "FILE")]
    problems: Option<PathBuf>,
}

/// Does it.
pub async fn run(import: Import, context: &Context) -> Result<Answer, Failure> {
    let now = context.clock.machine();
    let options = Options {
        memory_bytes: import.memory as usize * 1_000_000,
        dry_run: import.dry_run,
        today: paris_day(now),
    };
    let store =
        Arc::new(Store::open(&context.config.reference.folder).map_err(|e| Failure::new(e.to_string()))?);
    // Before hours of work: a database that cannot be reached.
    let db = if import.dry_run { None } else { Some(context.database().await?) };
    if let Some(db) = &db {
        releases::served(&mut db.read().await?.conn()).await?;
    }
    let imported = imported(Arc::clone(&store), import.files, options).await?;
    let mut changed = false;
    if let Some(db) = &db {
        if import.serve {
            // A release is only served once it was read back whole.
            store.load(imported.manifest.id()).map_err(|e| Failure::new(e.to_string()))?;
        }
        let row = ReleaseRow::of(&imported.manifest, CLI_ACTOR, now);
        changed = releases::bring_in(db, &row, import.serve, now).await?;
        db.close().await;
    }
    if let Some(path) = &import.problems {
        let written = match imported.change {
            // A dry run keeps the first of them only.
            Change::DryRun => {
                std::fs::File::create(path).and_then(|file| Ok(report(&imported.problems, file)?))
            }
            _ => std::fs::copy(store.problems_file(imported.manifest.id()), path).map(drop),
        };
        written.map_err(|e| Failure::file(path, &e))?;
    }
    Ok(answer(context.json, &imported, changed, import.serve))
}

/// Imports files into a store and has them served: what `import --serve` does, without a word.
pub async fn and_serve(store: &Path, files: Vec<PathBuf>, db: &Db, now: Timestamp) -> Result<(), Failure> {
    let store = Arc::new(Store::open(store).map_err(|e| Failure::new(e.to_string()))?);
    let options = Options { memory_bytes: 64 << 20, dry_run: false, today: paris_day(now) };
    let imported = imported(store, files, options).await?;
    releases::bring_in(db, &ReleaseRow::of(&imported.manifest, CLI_ACTOR, now), true, now).await?;
    Ok(())
}

/// Imports on a thread of its own, with a bar where there is a terminal.
async fn imported(store: Arc<Store>, files: Vec<PathBuf>, options: Options) -> Result<Imported, Failure> {
    let work = move || {
        let mut shown = Shown::default();
        let imported = store.import(&files, &options, &mut |progress| {
            shown.show(&progress);
            GO_ON
        });
        shown.bar.finish_and_clear();
        imported
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| Failure::new(e.to_string()))?.map_err(|e| Failure::new(e.to_string()))
}

/// The bar: one a phase and file.
struct Shown {
    bar: ProgressBar,
    at: Option<(Phase, String)>,
}

impl Default for Shown {
    fn default() -> Self {
        // indicatif draws nothing where standard error is no terminal.
        Self { bar: ProgressBar::no_length(), at: None }
    }
}

impl Shown {
    fn show(&mut self, progress: &Progress<'_>) {
        let at = (progress.phase, progress.file.to_owned());
        if self.at.as_ref() != Some(&at) {
            self.bar.finish_and_clear();
            self.bar = ProgressBar::new(progress.total);
            // What does not fit the terminal is cut from the message: a bar that wraps is drawn again and again below itself.
            let template = "{prefix:>9} {bar:24} {percent:>3} %  left {eta:>3}  {wide_msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                self.bar.set_style(style);
            }
            self.bar.set_prefix(match progress.phase {
                Phase::Sum => "summing",
                Phase::Recognise => "looking",
                Phase::Read => "reading",
                Phase::Join => "joining",
                Phase::Streets => "streets",
                Phase::Problems => "problems",
                Phase::Prove => "proving",
            });
            self.at = Some(at);
        }
        let seconds = self.bar.elapsed().as_secs_f64();
        let rate = if seconds > 0.0 { progress.rows as f64 / seconds } else { 0.0 };
        self.bar.set_message(format!("{} rows, {rate:.0}/s  {}", progress.rows, progress.file));
        self.bar.set_position(progress.read);
    }
}

fn answer(as_json: bool, imported: &Imported, changed: bool, served: bool) -> Answer {
    let release = &imported.manifest.release;
    let what = match imported.change {
        Change::New => "new release",
        Change::Mended => "the release was damaged: built again",
        Change::SameFiles => "these files gave this release before: nothing to do",
        Change::SameRecords => "other files with the same records: the release stays",
        Change::DryRun => "dry run: no release was kept",
    };
    let counts = release.counts;
    let (refused, remarks) = (imported.refused, imported.remarks);
    let mut answer = Answer::of(
        as_json,
        || {
            let mut text = format!("{}: {what}\n", release.name);
            text += &format!(
                "{} buildings, {} places, {} lines, {} boxes; {} streets, {} numbers, {} communes; {} offers\n",
                counts.buildings,
                counts.structure,
                counts.lines,
                counts.pbos,
                counts.streets,
                counts.numbers,
                counts.communes,
                counts.offers
            );
            for source in &release.sources {
                text += &format!("  {} ({}): {} rows\n", source.name, source.encoding, source.rows);
            }
            text += &format!("{refused} rows refused, {remarks} remarks\n");
            for problem in imported.problems.iter().take(SHOWN) {
                text += &format!("  {problem}\n");
            }
            if served {
                text += if changed { "served from now on\n" } else { "served already\n" };
            }
            text
        },
        || {
            json!({
                "release": release.name,
                "sha256": release.sha256,
                "change": what,
                "buildings": counts.buildings,
                "refused": refused,
                "remarks": remarks,
                "served": served,
            })
        },
    );
    if imported.problems.len() > SHOWN {
        answer.notes.push(format!("{} more problems: see --problems FILE", imported.problems.len() - SHOWN));
    }
    answer
}

/// Problems that are shown.
const SHOWN: usize = 10;
