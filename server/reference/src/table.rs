//! CSV with `;` (or `,`) read by header name, one record a line: the part that all CSV files share.
//!
//! A quoted field may not span lines, so that a quote that is never closed costs its own row only. Does not know what
//! the columns mean.

mod fields;

use crate::problem::Problem;
use crate::text::{Encoding, Lines};
use fields::Fields;
use jiff::civil::Date;
use std::cell::Cell;
use std::io::BufRead;

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
    /// Reading failed on the way.
    #[error("{file}: cannot be read: {reason}")]
    Read {
        /// File name.
        file: String,
        /// Why.
        reason: String,
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

/// The columns of a kind of file.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Columns without which the file is refused.
    pub required: &'static [&'static str],
    /// Columns that are read where they are there.
    pub optional: &'static [&'static str],
    /// Columns that are known but only kept as they stand.
    pub kept: &'static [&'static str],
}

/// The most columns that a file may have.
const MOST_COLUMNS: usize = 1000;

/// One data row: values by column name.
pub(crate) struct Row<'a> {
    pub file: &'a str,
    pub line: u64,
    fields: &'a Fields,
    /// What the fields are pieces of.
    text: &'a str,
    header: &'a Header,
    /// The column read last: columns are mostly read in their order.
    last: Cell<usize>,
}

impl<'a> Row<'a> {
    /// The trimmed value; empty where the file lacks the optional column.
    pub fn get(&self, column: &str) -> &'a str {
        let places = &self.header.places;
        let (before, after) = places.split_at(self.last.get().min(places.len()));
        let found = after
            .iter()
            .position(|(name, _)| *name == column)
            .map(|at| at + before.len())
            .or_else(|| before.iter().position(|(name, _)| *name == column));
        let Some(at) = found else { return "" };
        self.last.set(at + 1);
        places[at].1.map_or("", |place| self.at(place))
    }

    fn at(&self, place: usize) -> &'a str {
        self.fields.spans.get(place).map_or("", |(start, end)| self.text[*start..*end].trim())
    }

    /// The values that are there of the columns that nothing reads: (place in [`Header::others`], value).
    pub fn others(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let values = self.header.others.iter().map(|other| self.at(other.place));
        values.enumerate().filter(|(_, value)| !value.is_empty())
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

/// A column that nothing reads.
#[derive(Debug, Clone)]
pub(crate) struct Other {
    pub name: Box<str>,
    /// Whether [`Layout::kept`] names it.
    pub known: bool,
    place: usize,
}

/// The header line of a file.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    delimiter: u8,
    width: usize,
    places: Vec<(&'static str, Option<usize>)>,
    /// The named columns that nothing reads.
    pub others: Vec<Other>,
}

impl Header {
    /// The names of the columns that the layout does not know.
    pub fn unknown(&self) -> Vec<String> {
        self.others.iter().filter(|other| !other.known).map(|other| other.name.to_string()).collect()
    }

    fn read(file: &str, names: &[String], delimiter: u8, layout: &Layout) -> Result<Self, Error> {
        if names.len() > MOST_COLUMNS {
            let reason = format!("{} columns, more than {MOST_COLUMNS}", names.len());
            return Err(Error::NoHeader { file: file.to_owned(), reason });
        }
        let mut places = Vec::with_capacity(layout.required.len() + layout.optional.len());
        for (index, column) in layout.required.iter().chain(layout.optional).enumerate() {
            let mut found = names.iter().enumerate().filter(|(_, name)| name.eq_ignore_ascii_case(column));
            let place = found.next().map(|(place, _)| place);
            if found.next().is_some() {
                return Err(Error::RepeatedColumn { file: file.to_owned(), column: (*column).to_owned() });
            }
            if place.is_none() && index < layout.required.len() {
                return Err(Error::MissingColumn { file: file.to_owned(), column: (*column).to_owned() });
            }
            places.push((*column, place));
        }
        let kept = |name: &str| layout.kept.iter().any(|known| known.eq_ignore_ascii_case(name));
        let others = names
            .iter()
            .enumerate()
            .filter(|(place, name)| !name.is_empty() && !places.iter().any(|(_, read)| *read == Some(*place)))
            .map(|(place, name)| Other { name: name.as_str().into(), known: kept(name), place })
            .collect();
        Ok(Self { delimiter, width: names.len(), places, others })
    }
}

/// A file whose header is read and whose rows are to come.
pub(crate) struct Table<'a> {
    file: &'a str,
    lines: Lines<'a>,
    pub header: Header,
}

impl<'a> Table<'a> {
    /// Reads the header line.
    pub fn open(
        file: &'a str,
        input: &'a mut dyn BufRead,
        encoding: Encoding,
        layout: &Layout,
    ) -> Result<Self, Error> {
        let mut lines = Lines::new(input, encoding);
        let (names, delimiter) = header_line(file, &mut lines)?;
        let header = Header::read(file, &names, delimiter, layout)?;
        Ok(Self { file, lines, header })
    }

    /// Walks through the rows. `each` gets a well-formed row, or why a line is none. Tells how many rows there are.
    pub fn rows<E: From<Error>>(
        mut self,
        mut each: impl FnMut(Result<&Row<'_>, Problem>) -> Result<(), E>,
    ) -> Result<u64, E> {
        let mut fields = Fields::default();
        let mut rows = 0;
        loop {
            let line = match self.lines.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(rows),
                Err(error) => {
                    return Err(Error::Read { file: self.file.to_owned(), reason: error.to_string() }.into());
                }
            };
            let number = line.number;
            let refused = |value: &str, reason| Problem::refused(self.file, number, "", value, reason);
            let line = match line.text {
                Ok("") => continue,
                Ok(text) => text,
                Err(reason) => {
                    rows += 1;
                    each(Err(refused("", reason)))?;
                    continue;
                }
            };
            rows += 1;
            if let Err(reason) = fields.split(line, self.header.delimiter) {
                each(Err(refused(line, reason)))?;
                continue;
            }
            let text = fields.text(line);
            if fields.spans.len() != self.header.width {
                let (found, expected) = (fields.spans.len(), self.header.width);
                let first = fields.spans.first().map_or("", |(start, end)| &text[*start..*end]);
                each(Err(refused(first, format!("{found} fields where the header has {expected}"))))?;
                continue;
            }
            let (fields, header) = (&fields, &self.header);
            each(Ok(&Row { file: self.file, line: number, fields, text, header, last: Cell::new(0) }))?;
        }
    }
}

/// The trimmed names of the header line, the first line that is not empty.
pub(crate) fn header_names(
    file: &str,
    input: &mut dyn BufRead,
    encoding: Encoding,
) -> Result<Vec<String>, Error> {
    header_line(file, &mut Lines::new(input, encoding)).map(|(names, _)| names)
}

/// The names and the delimiter: `;`, unless the header has none and has `,`: La Poste and the regulator write commas.
fn header_line(file: &str, lines: &mut Lines<'_>) -> Result<(Vec<String>, u8), Error> {
    let no_header = |reason: &str| Error::NoHeader { file: file.to_owned(), reason: reason.to_owned() };
    loop {
        let line = lines.next_line().map_err(|error| no_header(&error.to_string()))?;
        let text = line.ok_or_else(|| no_header("the file is empty"))?.text;
        let text = match text.map_err(|reason| no_header(&reason))? {
            "" => continue,
            text => text,
        };
        let delimiter = if text.contains(',') && !text.contains(';') { b',' } else { b';' };
        let mut fields = Fields::default();
        fields.split(text, delimiter).map_err(|reason| no_header(&reason))?;
        let text = fields.text(text);
        let names: Vec<_> =
            fields.spans.iter().map(|(start, end)| text[*start..*end].trim().to_owned()).collect();
        if names.iter().all(String::is_empty) {
            return Err(no_header("the file is empty"));
        }
        return Ok((names, delimiter));
    }
}

/// What a walk through a file found besides the rows.
#[derive(Debug, Default)]
pub struct Walk {
    /// Data rows in the file, refused ones included.
    pub rows: u64,
    /// Refused rows, and remarks on kept ones.
    pub problems: Vec<Problem>,
    /// Columns of the file that nothing here reads.
    pub unknown_columns: Vec<String>,
}

/// Walks through the rows of a file that lies in memory. `keep` sees each well-formed row and says why it refuses one.
pub(crate) fn walk(
    file: &str,
    text: &str,
    layout: &Layout,
    mut keep: impl FnMut(&Row<'_>) -> Result<Option<Problem>, Problem>,
) -> Result<Walk, Error> {
    let mut input = text.as_bytes();
    let table = Table::open(file, &mut input, Encoding::Utf8, layout)?;
    let unknown_columns = table.header.unknown();
    let mut problems = Vec::new();
    let rows = table.rows(|row| {
        match row.and_then(&mut keep) {
            Ok(remark) => problems.extend(remark),
            Err(problem) => problems.push(problem),
        }
        Ok::<_, Error>(())
    })?;
    Ok(Walk { rows, problems, unknown_columns })
}
