//! CSV with `;` read by header name: the part that the IPE, structure and line files share.
//!
//! Does not know what the columns mean.

use crate::problem::Problem;
use jiff::civil::Date;

/// The file as a whole cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A column that every row needs is not in the header.
    #[error("{file}: column {column} is missing")]
    MissingColumn {
        /// File name.
        file: String,
        /// The missing column.
        column: String,
    },
    /// A column that is read stands twice in the header.
    #[error("{file}: column {column} stands twice in the header")]
    RepeatedColumn {
        /// File name.
        file: String,
        /// The repeated column.
        column: String,
    },
    /// The header line cannot be read.
    #[error("{file}: no header line: {reason}")]
    NoHeader {
        /// File name.
        file: String,
        /// Why.
        reason: String,
    },
}

/// One data row: values by column name.
pub(crate) struct Row<'a> {
    pub file: &'a str,
    pub line: u64,
    record: &'a csv::StringRecord,
    places: &'a [(&'static str, Option<usize>)],
}

impl Row<'_> {
    /// The trimmed value; empty where the file lacks the optional column.
    pub fn get(&self, column: &str) -> &str {
        let place = self.places.iter().find(|(name, _)| *name == column).and_then(|(_, place)| *place);
        place.and_then(|place| self.record.get(place)).map_or("", str::trim)
    }

    /// A refusal of this row because of that column.
    pub fn refuse(&self, column: &str, reason: impl Into<String>) -> Problem {
        Problem::refused(self.file, self.line, column, self.get(column), reason)
    }

    /// A mandatory value.
    pub fn text(&self, column: &str) -> Result<&str, Problem> {
        match self.get(column) {
            "" => Err(self.refuse(column, "is empty")),
            value => Ok(value),
        }
    }

    /// An optional value read by `parse`; an error text refuses the row.
    pub fn read<T>(
        &self,
        column: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Problem> {
        match self.get(column) {
            "" => Ok(None),
            value => parse(value).map(Some).map_err(|reason| self.refuse(column, reason)),
        }
    }

    /// As [`Row::read`], but mandatory.
    pub fn need<T>(&self, column: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, Problem> {
        parse(self.text(column)?).map_err(|reason| self.refuse(column, reason))
    }

    /// A day, `AAAAMMJJ`.
    pub fn date(&self, column: &str) -> Result<Option<Date>, Problem> {
        self.read(column, date)
    }

    /// Optional free text.
    pub fn optional(&self, column: &str) -> Option<Box<str>> {
        Some(self.get(column)).filter(|value| !value.is_empty()).map(Into::into)
    }
}

/// Reads `AAAAMMJJ`.
pub(crate) fn date(value: &str) -> Result<Date, String> {
    let wrong = || "expected a date AAAAMMJJ, for instance 20190306".to_owned();
    if value.len() != 8 || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let part = |range: std::ops::Range<usize>| value[range].parse::<i16>().map_err(|_| wrong());
    let (year, month, day) = (part(0..4)?, part(4..6)?, part(6..8)?);
    Date::new(year, month as i8, day as i8).map_err(|_| "there is no such day".to_owned())
}

/// Reads a count.
pub(crate) fn count(value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| "expected a whole number, 0 or more".to_owned())
}

/// Reads `O` or `N`.
pub(crate) fn flag(value: &str) -> Result<bool, String> {
    match value {
        "O" => Ok(true),
        "N" => Ok(false),
        _ => Err("expected O or N".to_owned()),
    }
}

/// Reads a number with a decimal comma or point.
pub(crate) fn decimal(value: &str) -> Result<f64, String> {
    let plain = value.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'-'));
    let number = if plain { value.replace(',', ".").parse::<f64>().ok() } else { None };
    number.ok_or_else(|| "expected a number, for instance 678771,23".to_owned())
}

/// What a walk through a file found besides the rows.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    pub rows: u64,
    pub problems: Vec<Problem>,
    pub unknown_columns: Vec<String>,
}

/// Walks through the rows of `text`. `keep` sees each well-formed row and says why it refuses one.
pub(crate) fn walk(
    file: &str,
    text: &str,
    required: &[&'static str],
    optional: &[&'static str],
    mut keep: impl FnMut(&Row<'_>) -> Result<Option<Problem>, Problem>,
) -> Result<Walk, Error> {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').flexible(true).from_reader(text.as_bytes());
    let no_header = |reason: String| Error::NoHeader { file: file.to_owned(), reason };
    let header = reader.headers().map_err(|e| no_header(e.to_string()))?.clone();
    if header.iter().all(|name| name.trim().is_empty()) {
        return Err(no_header("the file is empty".to_owned()));
    }
    let places = places(file, &header, required, optional)?;
    let known = |name: &str| places.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let mut walk = Walk {
        unknown_columns: header.iter().map(str::trim).filter(|name| !known(name)).map(Into::into).collect(),
        ..Walk::default()
    };
    let mut lines = Lines::new(text);
    for record in reader.records() {
        walk.rows += 1;
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = lines.at(error.position());
                walk.problems.push(Problem::refused(file, line, "", "", format!("cannot be read: {error}")));
                continue;
            }
        };
        let line = lines.at(record.position());
        if record.len() != header.len() {
            let reason = format!("{} fields where the header has {}", record.len(), header.len());
            walk.problems.push(Problem::refused(file, line, "", record.get(0).unwrap_or_default(), reason));
            continue;
        }
        match keep(&Row { file, line, record: &record, places: &places }) {
            Ok(remark) => walk.problems.extend(remark),
            Err(problem) => walk.problems.push(problem),
        }
    }
    Ok(walk)
}

/// Counts lines up to a record. The csv crate's own count is one short where lines end in CR LF: it takes a record to
/// start at the LF of the line before.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1 }
    }

    /// The line of a record; records come in file order.
    fn at(&mut self, position: Option<&csv::Position>) -> u64 {
        let target = position.and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or(self.at);
        while let Some(byte) = self.text.get(self.at) {
            if self.at >= target && !matches!(byte, b'\r' | b'\n') {
                break;
            }
            self.line += u64::from(*byte == b'\n');
            self.at += 1;
        }
        self.line
    }
}

type Places = Vec<(&'static str, Option<usize>)>;

fn places(
    file: &str,
    header: &csv::StringRecord,
    required: &[&'static str],
    optional: &[&'static str],
) -> Result<Places, Error> {
    let mut places = Vec::with_capacity(required.len() + optional.len());
    for (index, column) in required.iter().chain(optional).enumerate() {
        let mut found =
            header.iter().enumerate().filter(|(_, name)| name.trim().eq_ignore_ascii_case(column));
        let place = found.next().map(|(place, _)| place);
        if found.next().is_some() {
            return Err(Error::RepeatedColumn { file: file.to_owned(), column: (*column).to_owned() });
        }
        if place.is_none() && index < required.len() {
            return Err(Error::MissingColumn { file: file.to_owned(), column: (*column).to_owned() });
        }
        places.push((*column, place));
    }
    Ok(places)
}
