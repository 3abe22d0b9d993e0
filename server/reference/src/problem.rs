//! What is wrong with an input file, line by line: one shape for CSV rows and TOML fields.
//!
//! Does not know the formats, nor who reads the report.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What became of the row or field that a [`Problem`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// It was left out: no look-up returns it.
    Refused,
    /// It was kept: the problem is a remark.
    Kept,
}

impl Outcome {
    /// One word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Kept => "kept",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Refused, Self::Kept].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// One defect of one input file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// File name, without its folder.
    pub file: String,
    /// Line in the file, counted from 1.
    pub line: u64,
    /// Column of a CSV file, or field of a TOML file (`offer JUST_FIBRE: valid_until`). Empty for a whole row.
    pub column: String,
    /// The value as it stands in the file, shortened to 80 characters.
    pub value: String,
    /// Why it is not right: lower case, no full stop.
    pub reason: String,
    /// Left out, or kept with a remark.
    pub outcome: Outcome,
}

impl Problem {
    /// A refused row or field.
    #[must_use]
    pub fn refused(file: &str, line: u64, column: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::new(Outcome::Refused, file, line, column, value, reason.into())
    }

    /// A remark on a row that is kept.
    #[must_use]
    pub fn kept(file: &str, line: u64, column: &str, value: &str, reason: impl Into<String>) -> Self {
        Self::new(Outcome::Kept, file, line, column, value, reason.into())
    }

    fn new(outcome: Outcome, file: &str, line: u64, column: &str, value: &str, reason: String) -> Self {
        let value = match value.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &value[..end]),
            None => value.to_owned(),
        };
        Self { file: file.to_owned(), line, column: column.to_owned(), value, reason, outcome }
    }
}

/// Columns of a report of problems.
pub(crate) const COLUMNS: [&str; 6] = ["file", "line", "column", "value", "reason", "outcome"];

impl Problem {
    /// Its row in a report, in the order of [`COLUMNS`].
    pub(crate) fn write(&self, out: &mut csv::Writer<impl std::io::Write>) -> csv::Result<()> {
        let Self { file, line, column, value, reason, outcome } = self;
        out.write_record([file, line.to_string().as_str(), column, value, reason, outcome.as_str()])
    }
}

/// A report of problems as CSV with `;`, as in the `problems.csv` of a release.
///
/// # Errors
/// Writing fails.
pub fn report<'a>(
    problems: impl IntoIterator<Item = &'a Problem>,
    into: impl std::io::Write,
) -> csv::Result<()> {
    let mut out = csv::WriterBuilder::new().delimiter(b';').from_writer(into);
    out.write_record(COLUMNS)?;
    for problem in problems {
        problem.write(&mut out)?;
    }
    Ok(out.flush()?)
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.column.is_empty() {
            write!(f, "{}: ", self.column)?;
        }
        f.write_str(&self.reason)?;
        if !self.value.is_empty() {
            write!(f, " (found `{}`)", self.value)?;
        }
        Ok(())
    }
}
