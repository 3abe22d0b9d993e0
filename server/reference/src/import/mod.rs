//! Files of any size → a release folder, in bounded memory: read, sorted in runs, merged and checked against each other.
//!
//! Everything is sorted before anything is decided, so that the order of the input changes nothing. Does not know where
//! releases are kept ([`crate::store`]), nor the clock.

mod boxes;
mod checks;
mod join;
mod problems;
mod read;
mod sorter;
mod sources;
mod streets;

use crate::problem::Problem;
use crate::store::{Manifest, Refused};
use crate::{document, table, text};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub use sources::SourceKind;

pub(crate) use problems::MOST as MOST_PROBLEMS;
pub(crate) use read::{Built, build};
pub(crate) use sources::{Input, sum};

/// How to import.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How much memory the sorts may take together.
    pub memory_bytes: usize,
    /// Do everything but keep no release.
    pub dry_run: bool,
    /// The day of the import, noted in the manifest.
    pub today: Date,
}

/// What an import is at, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Summing the input files.
    Sum,
    /// Finding out what each file is and how it is encoded.
    Recognise,
    /// Reading rows.
    Read,
    /// Merging the rows of buildings, structure and lines, and checking them against each other.
    Join,
    /// Grouping addresses into streets.
    Streets,
    /// Writing refused rows and remarks.
    Problems,
    /// Reading a release back: it is compared with its checksums.
    Prove,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What it is at.
    pub phase: Phase,
    /// The file that is read; empty where it is none.
    pub file: &'a str,
    /// Bytes of it that are read.
    pub read: u64,
    /// Its size.
    pub total: u64,
    /// Rows or records done in this phase, of this file.
    pub rows: u64,
}

/// What an import changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// There is a new release.
    New,
    /// The release of these files was damaged on disk: it was built again, and replaced.
    Mended,
    /// There is a whole release of the same files: they were not read, nothing was written.
    SameFiles,
    /// Other files gave the records of a whole release that is there: it stays as it is.
    SameRecords,
    /// A dry run: there would be a new release.
    DryRun,
}

/// An import that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What it changed.
    pub change: Change,
    /// The release that it made or found.
    pub manifest: Manifest,
    /// Rows of the files; of files that were not read those that they had when they were.
    pub rows: u64,
    /// Refused rows of these files, not of other files that gave the release before.
    pub refused: u64,
    /// Remarks on rows of these files.
    pub remarks: u64,
    /// The first 10,000 problems of the files; empty where they were not read.
    pub problems: Vec<Problem>,
}

/// An import that gave nothing. No release was changed.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Another import, or a removal, is under way in the same store.
    #[error("{}: another import is under way", folder.display())]
    Busy {
        /// The store.
        folder: PathBuf,
    },
    /// A file of the store cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A record cannot be written or read back.
    #[error("{}: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Two files have the same name, so that a problem could not say which it means.
    #[error("two files are called {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// A file is none that an import takes.
    #[error("{name}: not recognised; expected {expected}")]
    Unrecognised {
        /// Its name.
        name: String,
        /// What it could be.
        expected: &'static str,
    },
    /// A file was written to while it was imported.
    #[error("{name}: changed while it was read")]
    Changed {
        /// Its name.
        name: String,
    },
    /// There is no IPE file.
    #[error("no IPE file among the files")]
    NoIpe,
    /// Who asked for it does not want it any more.
    #[error("stopped")]
    Stopped,
    /// A file cannot be read, unpacked or decoded.
    #[error(transparent)]
    Text(text::Error),
    /// A CSV file lacks its header or a column.
    #[error(transparent)]
    Table(#[from] table::Error),
    /// The catalogue, the e-services or the word lists have defects.
    #[error(transparent)]
    Data(#[from] document::Invalid),
    /// A release that is there cannot be used.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl From<text::Error> for ImportError {
    fn from(error: text::Error) -> Self {
        match error {
            text::Error::Stopped => Self::Stopped,
            other => Self::Text(other),
        }
    }
}

impl ImportError {
    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    fn record(path: &Path, reason: impl ToString) -> Self {
        Self::Record { path: path.into(), reason: reason.to_string() }
    }
}

/// Rows between two calls.
const STEP: u64 = 10_000;

/// Hears how far an import is, and may say that it is to end.
pub type Heed<'a> = &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>;

/// What one says who lets an import go on.
pub const GO_ON: ControlFlow<()> = ControlFlow::Continue(());

/// Tells the caller how far the import is.
pub(crate) struct Meter<'a> {
    tell: Heed<'a>,
    phase: Phase,
    file: String,
    read: u64,
    total: u64,
    rows: u64,
}

impl<'a> Meter<'a> {
    pub fn new(tell: Heed<'a>) -> Self {
        Self { tell, phase: Phase::Sum, file: String::new(), read: 0, total: 0, rows: 0 }
    }

    pub fn start(&mut self, phase: Phase, file: &str, total: u64) -> Result<(), ImportError> {
        file.clone_into(&mut self.file);
        (self.phase, self.total, self.read, self.rows) = (phase, total, 0, 0);
        self.tell()
    }

    /// So many bytes are read; as the caller's say.
    pub fn read(&mut self, bytes: u64) -> ControlFlow<()> {
        self.read = bytes;
        match self.tell() {
            Ok(()) => GO_ON,
            Err(_) => ControlFlow::Break(()),
        }
    }

    fn row(&mut self, bytes: u64) -> Result<(), ImportError> {
        self.rows += 1;
        self.read = bytes;
        if self.rows.is_multiple_of(STEP) { self.tell() } else { Ok(()) }
    }

    fn tell(&mut self) -> Result<(), ImportError> {
        let Self { tell, phase, file, read, total, rows } = self;
        let said = tell(Progress { phase: *phase, file, read: *read, total: *total, rows: *rows });
        if said.is_break() { Err(ImportError::Stopped) } else { Ok(()) }
    }
}

/// A record and where it was read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Read<T> {
    record: T,
    /// Place of the file among the sources.
    file: u16,
    line: u64,
}
