//! Problems → `problems.csv`, by file and line. There may be more than fit in memory.
//!
//! Does not decide what is one.

use super::sorter::{Room, Sorter};
use super::{ImportError, Meter, Read};
use crate::problem::{COLUMNS, Outcome, Problem};
use crate::store::{FileEntry, PROBLEMS_FILE};
use crate::text;
use std::fs::File;
use std::path::Path;

/// How many problems are handed back in memory.
pub(crate) const MOST: usize = 10_000;

/// Collects problems.
pub(super) struct Problems {
    files: Vec<String>,
    sorter: Sorter<Problem>,
    pub refused: usize,
    pub remarks: usize,
}

impl Problems {
    /// `files` are the names of the sources by place.
    pub fn new(files: Vec<String>, room: &Room<'_>) -> Self {
        Self { files, sorter: room.sorter("problems"), refused: 0, remarks: 0 }
    }

    pub fn push(&mut self, problem: &Problem) -> Result<(), ImportError> {
        match problem.outcome {
            Outcome::Refused => self.refused += 1,
            Outcome::Kept => self.remarks += 1,
        }
        let mut key = problem.file.clone().into_bytes();
        key.push(0);
        key.extend_from_slice(&problem.line.to_be_bytes());
        key.extend_from_slice(problem.column.as_bytes());
        key.push(0);
        self.sorter.push(&key, problem)
    }

    /// A refusal of a row that was read before.
    pub fn refuse<T>(
        &mut self,
        row: &Read<T>,
        column: &str,
        value: &str,
        reason: impl Into<String>,
    ) -> Result<(), ImportError> {
        self.push(&Problem::refused(self.file(row), row.line, column, value, reason))
    }

    /// A remark on a row that was read before.
    pub fn remark<T>(
        &mut self,
        row: &Read<T>,
        column: &str,
        value: &str,
        reason: impl Into<String>,
    ) -> Result<(), ImportError> {
        self.push(&Problem::kept(self.file(row), row.line, column, value, reason))
    }

    fn file<T>(&self, row: &Read<T>) -> &str {
        self.files.get(usize::from(row.file)).map_or("", String::as_str)
    }

    /// Writes them all; the first ones are handed back.
    pub fn write(
        self,
        folder: &Path,
        meter: &mut Meter<'_>,
    ) -> Result<(FileEntry, Vec<Problem>), ImportError> {
        let path = folder.join(PROBLEMS_FILE);
        let failed = |error| ImportError::io(&path, error);
        let mut out = csv::WriterBuilder::new()
            .delimiter(b';')
            .from_path(&path)
            .map_err(|error| ImportError::record(&path, error))?;
        out.write_record(COLUMNS).map_err(|error| ImportError::record(&path, error))?;
        let (mut first, mut count) = (Vec::new(), 0);
        let mut sorted = self.sorter.finish()?;
        while let Some(problem) = sorted.next()? {
            meter.row(0)?;
            problem.write(&mut out).map_err(|error| ImportError::record(&path, error))?;
            count += 1;
            if first.len() < MOST {
                first.push(problem);
            }
        }
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        File::sync_all(&file).map_err(failed)?;
        let digest = text::digest(&path, &mut |_| meter.read(0))?;
        let name = PROBLEMS_FILE.to_owned();
        Ok((FileEntry { name, sha256: digest.sha256, bytes: digest.bytes, records: count }, first))
    }
}
