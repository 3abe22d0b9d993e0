//! What may be imported, how an import ends, and when one is taken for dead.
//!
//! Pure: knows no call, no database, no clock.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use eservices_reference::{Change, ImportError, Imported, Problem};

/// The role that opens all of it.
pub const ROLE: &str = "reference";

/// The most characters of a fault.
pub const MOST_FAULT: usize = 1_000;

/// Longest name of a file, bytes: what file systems take.
const MOST_NAME: usize = 255;

/// How an import can end, as its row says it.
pub const DONE: &str = "done";
/// See [`DONE`].
pub const SAME_RECORDS: &str = "same_records";
/// See [`DONE`].
pub const REFUSED: &str = "refused";
/// See [`DONE`].
pub const CANCELLED: &str = "cancelled";
/// See [`DONE`].
pub const FAILED: &str = "failed";

/// Whether a name is that of one file: no way into another folder, not hidden.
pub fn is_file_name(name: &str) -> bool {
    (1..=MOST_NAME).contains(&name.len())
        && !name.starts_with('.')
        && !name.contains(|c: char| c.is_control() || matches!(c, '/' | '\\'))
}

/// A text of others to be shown: without control characters, and not too long.
pub fn clean(text: &str, most: usize) -> String {
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(most + 1).collect();
    if let Some((end, _)) = shown.char_indices().nth(most) {
        let keep = shown[..end].char_indices().next_back().map_or(0, |(last, _)| last);
        shown.truncate(keep);
        shown.push('…');
    }
    shown
}

/// Why an import was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A call asked for it.
    Cancelled,
    /// The server stops.
    Server,
    /// The database did not answer for too long.
    Database,
    /// Another node took it for dead.
    Buried,
}

/// State and fault of an import that stopped before its end.
pub fn stopped(stop: Option<Stop>) -> (&'static str, &'static str) {
    match stop {
        Some(Stop::Cancelled) => (CANCELLED, "cancelled"),
        Some(Stop::Server) => (CANCELLED, "the server stopped"),
        Some(Stop::Database) => (FAILED, "the database could not be reached"),
        Some(Stop::Buried) | None => (FAILED, NODE_STOPPED),
    }
}

/// The fault of an import whose node is gone.
pub const NODE_STOPPED: &str = "the node stopped";

/// State and fault of an import that came to its end, or could not. `inbox` is left out of what is said.
pub fn ending(
    outcome: &Result<Imported, ImportError>,
    stop: Option<Stop>,
    inbox: &Path,
) -> (&'static str, String) {
    match outcome {
        Ok(_) if stop == Some(Stop::Cancelled) => (CANCELLED, "cancelled".to_owned()),
        Ok(imported) => match imported.change {
            Change::New | Change::Mended | Change::DryRun => (DONE, String::new()),
            Change::SameFiles | Change::SameRecords => (SAME_RECORDS, String::new()),
        },
        Err(ImportError::Stopped) => {
            let (state, fault) = stopped(stop);
            (state, fault.to_owned())
        }
        Err(ImportError::Busy { .. }) => (FAILED, "another import, or a removal, is under way".to_owned()),
        // The folders of the server are nobody's business.
        Err(ImportError::Io { source, .. }) => {
            (FAILED, clean(&format!("the release cannot be written: {source}"), MOST_FAULT))
        }
        Err(ImportError::Record { reason, .. }) => {
            (FAILED, clean(&format!("the release cannot be written: {reason}"), MOST_FAULT))
        }
        Err(ImportError::Refused(refused)) => (FAILED, clean(&refused.to_string(), MOST_FAULT)),
        Err(
            error @ (ImportError::SameName { .. }
            | ImportError::Unrecognised { .. }
            | ImportError::Changed { .. }
            | ImportError::NoIpe
            | ImportError::Text(_)
            | ImportError::Table(_)
            | ImportError::Data(_)),
        ) => {
            let folder = format!("{}/", inbox.display());
            (REFUSED, clean(&error.to_string().replace(&folder, ""), MOST_FAULT))
        }
    }
}

/// The problems to be kept: of files that were read those of their rows, of a TOML file with defects all of them.
pub fn problems(outcome: &Result<Imported, ImportError>) -> &[Problem] {
    match outcome {
        Ok(imported) => &imported.problems,
        Err(ImportError::Data(invalid)) => &invalid.problems,
        Err(_) => &[],
    }
}

/// How long the import that runs shows no sign of life: by one's own clock, and only since one looks oneself.
#[derive(Debug, Default)]
pub struct Silence {
    seen: Option<(String, i64, Instant)>,
}

impl Silence {
    /// Notes a look at the import that runs; says whether its heart stood still for `patience`.
    pub fn looked(&mut self, import_id: &str, heartbeat: i64, now: Instant, patience: Duration) -> bool {
        match &self.seen {
            Some((id, beat, since)) if id == import_id && *beat == heartbeat => {
                now.saturating_duration_since(*since) >= patience
            }
            _ => {
                self.seen = Some((import_id.to_owned(), heartbeat, now));
                false
            }
        }
    }

    /// Notes that no import runs, or that one could not look: what was seen before counts no more.
    pub fn nothing(&mut self) {
        self.seen = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_file_in_the_inbox() {
        for good in ["a.csv", "T_77_ESVC_PM_IPEZMD_V30_20261101.csv", "é à.zip", "a..b"] {
            assert!(is_file_name(good), "{good}");
        }
        let long = "x".repeat(256);
        for bad in ["", ".", "..", "../a.csv", "/etc/passwd", "a/b", "a\\b", ".hidden", "a\nb", "a\0b", &long]
        {
            assert!(!is_file_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_fault_is_short_and_has_no_control_characters() {
        assert_eq!(clean("a\nb\u{1b}[0m\u{85}c", 100), "ab[0mc");
        assert_eq!(clean("éééé", 4), "éééé");
        assert_eq!(clean("ééééé", 4), "ééé…");
        assert_eq!(clean(&"x".repeat(5_000), MOST_FAULT).chars().count(), 1_000);
    }

    #[test]
    fn endings_by_hand() {
        let inbox = Path::new("/srv/inbox");
        let ending = |error, stop| ending(&Err(error), stop, inbox);
        let refused = ImportError::NoIpe;
        assert_eq!(ending(refused, None), ("refused", "no IPE file among the files".to_owned()));
        let path = Path::new("/srv/inbox/a.zip").to_owned();
        let unpack = eservices_reference::text::Error::NotOneCsv { path, found: 2 };
        assert_eq!(
            ending(ImportError::Text(unpack), None),
            ("refused", "a.zip: expected one csv file inside, found 2".to_owned())
        );
        let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let full = ImportError::Io { path: "/srv/reference/staging".into(), source };
        assert_eq!(
            ending(full, None),
            ("failed", "the release cannot be written: no storage space".to_owned())
        );
        for (stop, expected) in [
            (Some(Stop::Cancelled), ("cancelled", "cancelled")),
            (Some(Stop::Server), ("cancelled", "the server stopped")),
            (Some(Stop::Database), ("failed", "the database could not be reached")),
            (Some(Stop::Buried), ("failed", "the node stopped")),
        ] {
            let (state, fault) = ending(ImportError::Stopped, stop);
            assert_eq!((state, fault.as_str()), expected);
        }
    }

    #[test]
    fn an_import_is_dead_when_its_heart_was_seen_still_for_long_enough() {
        let (start, patience) = (Instant::now(), Duration::from_secs(30));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut silence = Silence::default();
        assert!(!silence.looked("a", 7, at(0), patience), "seen for the first time, however old it is");
        assert!(!silence.looked("a", 7, at(29), patience));
        assert!(!silence.looked("a", 8, at(31), patience), "it beats");
        assert!(!silence.looked("a", 8, at(60), patience));
        assert!(silence.looked("a", 8, at(61), patience));
        assert!(!silence.looked("b", 8, at(62), patience), "another import");
        silence.nothing();
        assert!(!silence.looked("b", 8, at(100), patience), "what was not seen does not count");
    }
}
