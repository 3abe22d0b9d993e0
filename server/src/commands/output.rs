//! What a command says: an answer for people or machines, or why there is none. Knows no command.

use std::{error::Error, io::Write as _, path::Path};

use crate::platform::{config::Invalid, db::OpenError, pki, registry};

/// What a command answers.
#[derive(Debug, Default)]
pub struct Answer {
    /// For standard output.
    pub body: Vec<u8>,
    /// One line each, for standard error: the command did what it should, and this is worth knowing.
    pub notes: Vec<String>,
}

impl Answer {
    /// Text for people, or the same for machines.
    #[must_use]
    pub fn of(json: bool, text: impl FnOnce() -> String, value: impl FnOnce() -> serde_json::Value) -> Self {
        let mut body = if json { format!("{:#}", value()) } else { text() };
        if !body.is_empty() && !body.ends_with('\n') {
            body.push('\n');
        }
        Self { body: body.into_bytes(), notes: Vec::new() }
    }

    /// Prints it. A reader that went away (`| head`) is no failure.
    pub fn print(&self) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(&self.body).and_then(|()| out.flush());
        let mut err = std::io::stderr().lock();
        for note in &self.notes {
            let _ = writeln!(err, "note: {note}");
        }
    }
}

/// Why a command could not do what it should: one line, or one a fault.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure(Vec<String>);

impl Failure {
    /// One reason.
    #[must_use]
    pub fn new(reason: impl Into<String>) -> Self {
        Self(vec![reason.into().trim_end().replace('\n', "; ")])
    }

    /// A file that can not be read or written.
    #[must_use]
    pub fn file(path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("{}: {error}", path.display()))
    }

    /// Arguments that are none: what is wrong, and where to read more.
    #[must_use]
    pub fn usage(error: &clap::Error) -> Self {
        let text = error.to_string();
        let mut parts = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
        let first = parts.next().unwrap_or_default();
        let tip =
            parts.find(|part| part.starts_with("tip: ")).map_or_else(String::new, |tip| format!("; {tip}"));
        let what = first.strip_prefix("error: ").unwrap_or(&first);
        Self::new(format!("{what}{tip} (more: --help)"))
    }

    /// Prints it on standard error.
    pub fn print(&self) {
        let mut err = std::io::stderr().lock();
        for line in &self.0 {
            let _ = writeln!(err, "eservices-server: {line}");
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self(invalid.faults().to_vec())
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let database = error.as_database_error();
        let no_schema = database.is_some_and(|e| {
            e.code().as_deref() == Some("42P01") || e.message().starts_with("no such table")
        });
        if no_schema {
            return Self::new("the database has no schema yet: make it with eservices-server migrate");
        }
        Self::new(format!("the database refuses: {error}"))
    }
}

impl From<registry::Error> for Failure {
    fn from(error: registry::Error) -> Self {
        match error {
            registry::Error::Database(error) => error.into(),
            other => Self::new(other.to_string()),
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<pki::Error> for Failure {
    fn from(error: pki::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<Box<dyn Error>> for Failure {
    fn from(error: Box<dyn Error>) -> Self {
        Self::new(error.to_string())
    }
}

/// Rows under their heads, aligned; the last column runs free.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let heads: Vec<String> = heads.iter().map(|h| (*h).to_owned()).collect();
    let lines = || std::iter::once(&heads).chain(rows);
    let width = |column: usize| lines().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let mut text = String::new();
    for line in lines() {
        let mut row = String::new();
        for (cell, width) in line.iter().zip(&widths) {
            row += cell;
            row.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
        }
        text += row.trim_end();
        text.push('\n');
    }
    text
}
