//! A TOML file walked by hand, so that every defect is reported with its line and field, not just the first.
//!
//! Does not know which fields there are.

use crate::problem::Problem;
use jiff::civil::Date;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A data file that was refused, with all that is wrong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Every defect, by line. Never empty.
    pub problems: Vec<Problem>,
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

/// The file being read and what was found wrong so far.
pub(crate) struct Document<'a> {
    file: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

/// One `[[array]]` element. `name` says which in the field of a problem.
pub(crate) struct Entry<'d> {
    pub name: String,
    table: &'d DeTable<'d>,
    span: Range<usize>,
}

impl<'a> Document<'a> {
    /// Reads the elements of the one array of tables `array`, hands each to `parse`, and sums up.
    ///
    /// `parse` gets the entry and returns `None` after it reported why.
    pub fn read<T>(
        file: &'a str,
        text: &'a str,
        array: &str,
        fields: &[&str],
        mut parse: impl FnMut(&mut Self, &Entry<'_>) -> Option<T>,
    ) -> Result<Vec<T>, Invalid> {
        let mut document = Self { file, text, problems: Vec::new() };
        let (root, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            document.problem(&error.span().unwrap_or(0..0), "", error.message().to_owned());
        }
        let mut found = Vec::new();
        // A text that is no TOML is reported as such; its half-read fields would only add noise.
        if document.problems.is_empty() {
            for entry in document.entries(root.get_ref(), array) {
                document.refuse_unknown(&entry, fields);
                found.extend(parse(&mut document, &entry));
            }
        }
        if document.problems.is_empty() {
            Ok(found)
        } else {
            document.problems.sort();
            Err(Invalid { problems: document.problems })
        }
    }

    fn entries<'d>(&mut self, root: &'d DeTable<'d>, array: &str) -> Vec<Entry<'d>> {
        for (key, _) in root.iter().filter(|(key, _)| key.get_ref().as_ref() != array) {
            self.problem(&key.span(), key.get_ref(), format!("unknown key, expected only [[{array}]]"));
        }
        let Some(value) = root.get(array) else {
            self.problem(&(0..0), array, format!("there is no [[{array}]]"));
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.problem(&value.span(), array, format!("expected [[{array}]] tables"));
            return Vec::new();
        };
        if items.is_empty() {
            self.problem(&value.span(), array, format!("there is no [[{array}]]"));
        }
        let mut entries = Vec::new();
        for item in items.iter() {
            match item.get_ref().as_table() {
                Some(table) => {
                    let code = table.get("code").and_then(|code| code.get_ref().as_str()).unwrap_or("?");
                    entries.push(Entry { name: format!("{array} {code}"), table, span: item.span() });
                }
                None => self.problem(&item.span(), array, "expected a table".to_owned()),
            }
        }
        entries
    }

    fn refuse_unknown(&mut self, entry: &Entry<'_>, fields: &[&str]) {
        for (key, _) in entry.table.iter() {
            if !fields.contains(&key.get_ref().as_ref()) {
                let column = format!("{}: {}", entry.name, key.get_ref());
                self.problem(&key.span(), &column, "unknown field".to_owned());
            }
        }
    }

    fn problem(&mut self, span: &Range<usize>, column: &str, reason: String) {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.bytes().filter(|b| *b == b'\n').count() as u64 + 1;
        let value = self.text.get(span.clone()).unwrap_or_default();
        self.problems.push(Problem::refused(
            self.file,
            line,
            column,
            value.lines().next().unwrap_or_default(),
            reason,
        ));
    }

    /// Reports the entry's field (or, where it is absent, the entry).
    pub fn refuse(&mut self, entry: &Entry<'_>, field: &str, reason: impl Into<String>) {
        let span = entry.table.get(field).map_or_else(|| entry.span.clone(), Spanned::span);
        self.problem(&span, &format!("{}: {field}", entry.name), reason.into());
    }

    fn value<'d, T>(
        &mut self,
        entry: &Entry<'d>,
        field: &str,
        expected: &str,
        read: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<T> {
        let value = entry.table.get(field)?;
        let read = read(value.get_ref());
        if read.is_none() {
            self.refuse(entry, field, format!("expected {expected}"));
        }
        read
    }

    /// Reports that a mandatory field is absent.
    pub fn need<T>(&mut self, entry: &Entry<'_>, field: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !entry.has(field) {
            self.refuse(entry, field, "is missing");
        }
        value
    }

    /// A non-empty text.
    pub fn text(&mut self, entry: &Entry<'_>, field: &str) -> Option<Box<str>> {
        let text = self.value(entry, field, "a text", DeValue::as_str)?.trim();
        if text.is_empty() {
            self.refuse(entry, field, "is empty");
            return None;
        }
        Some(text.into())
    }

    /// A day, written as a TOML date.
    pub fn date(&mut self, entry: &Entry<'_>, field: &str) -> Option<Date> {
        self.value(entry, field, "a date, for instance 2019-10-01", |value| {
            let moment = value.as_datetime()?;
            let date = moment.date.filter(|_| moment.time.is_none())?;
            Date::new(i16::try_from(date.year).ok()?, date.month as i8, date.day as i8).ok()
        })
    }

    /// A boolean.
    pub fn flag(&mut self, entry: &Entry<'_>, field: &str) -> Option<bool> {
        self.value(entry, field, "true or false", DeValue::as_bool)
    }

    /// A whole number above zero.
    pub fn count(&mut self, entry: &Entry<'_>, field: &str) -> Option<u32> {
        self.value(entry, field, "a whole number above 0", |value| {
            let integer = value.as_integer()?;
            u32::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|count| *count > 0)
        })
    }

    /// A word of a vocabulary.
    pub fn word<T>(&mut self, entry: &Entry<'_>, field: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
        let text = self.text(entry, field)?;
        let word = parse(&text);
        if word.is_none() {
            self.refuse(entry, field, "unknown value");
        }
        word
    }

    /// A list without repetition, each item read by `parse`.
    pub fn list<T: PartialEq>(
        &mut self,
        entry: &Entry<'_>,
        field: &str,
        parse: impl Fn(&DeValue<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.value(entry, field, "a list", DeValue::as_array)?;
        let column = format!("{}: {field}", entry.name);
        let mut found = Vec::new();
        for item in items.iter() {
            match parse(item.get_ref()) {
                None => self.problem(&item.span(), &column, "unknown value".to_owned()),
                Some(value) if found.contains(&value) => {
                    self.problem(&item.span(), &column, "stands twice in the list".to_owned());
                }
                Some(value) => found.push(value),
            }
        }
        Some(found)
    }
}

impl Entry<'_> {
    /// Whether the field is there.
    pub fn has(&self, field: &str) -> bool {
        self.table.contains_key(field)
    }
}
