//! Files of a folder → [`Reference`].
//!
//! Does not know where the folder comes from, nor whether another release is in use.

use crate::build::Parts;
use crate::store::{Reference, Source};
use crate::{derived, eservices, ipe, offers, structure, text};
use std::path::{Path, PathBuf};

/// Name of the structure file.
pub const STRUCTURE_FILE: &str = "structure.csv";
/// Name of the line file.
pub const LINES_FILE: &str = "lignes.csv";

/// A folder that gives no release.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder cannot be listed.
    #[error("{}: cannot list the folder: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that must be there is not.
    #[error("{}: no {what}", folder.display())]
    Absent {
        /// The folder.
        folder: PathBuf,
        /// The missing file.
        what: &'static str,
    },
    /// A file cannot be read, unpacked or decoded.
    #[error(transparent)]
    Text(#[from] text::Error),
    /// A CSV file lacks its header or a column.
    #[error(transparent)]
    Table(#[from] crate::table::Error),
    /// The catalogue or the e-services file has defects.
    #[error(transparent)]
    Data(#[from] crate::document::Invalid),
}

impl Reference {
    /// Reads a folder: one or more IPE files (`*_PM_IPE*`, `.csv`, `.zip` or `.gz`), `structure.csv`, `lignes.csv`,
    /// and `offers.toml`, `eservices.toml`, `appointments.toml`, for which the built-in ones stand in.
    ///
    /// # Errors
    /// A file is absent, unreadable, lacks a column, or (the TOML files) has any defect. Bad CSV rows are no error:
    /// see [`Reference::report`].
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let names = names(folder)?;
        let mut parts = Parts::default();
        let absent = |what| LoadError::Absent { folder: folder.into(), what };
        for name in names.iter().filter(|name| ipe::is_ipe_name(name)) {
            let source = read(folder, name, &mut parts)?;
            parts.add_ipe(name, ipe::read(name, &source)?);
        }
        if !names.iter().any(|name| ipe::is_ipe_name(name)) {
            return Err(absent("IPE file (a name with _PM_IPE, .csv, .zip or .gz)"));
        }
        for what in [STRUCTURE_FILE, LINES_FILE] {
            if !names.iter().any(|name| name == what) {
                return Err(absent(what));
            }
        }
        let source = read(folder, STRUCTURE_FILE, &mut parts)?;
        parts.add_structure(STRUCTURE_FILE, structure::read_structure(STRUCTURE_FILE, &source)?);
        let source = read(folder, LINES_FILE, &mut parts)?;
        parts.add_lines(LINES_FILE, structure::read_lines(LINES_FILE, &source)?);
        let source = read_or(folder, offers::FILE, offers::DEFAULT, &names, &mut parts)?;
        let offers = offers::parse(offers::FILE, &source)?;
        let source = read_or(folder, eservices::FILE, eservices::DEFAULT, &names, &mut parts)?;
        let eservices = eservices::parse(eservices::FILE, &source)?;
        let source = read_or(folder, derived::FILE, derived::DEFAULT, &names, &mut parts)?;
        let rules = derived::parse(derived::FILE, &source)?;
        Ok(parts.build(offers, eservices, rules))
    }
}

fn names(folder: &Path) -> Result<Vec<String>, LoadError> {
    let failed = |source| LoadError::Folder { folder: folder.into(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn read(folder: &Path, name: &str, parts: &mut Parts) -> Result<String, LoadError> {
    let source = text::read(&folder.join(name))?;
    parts.add_source(Source { name: source.name, sha256: source.sha256, bytes: source.bytes });
    Ok(source.text)
}

fn read_or(
    folder: &Path,
    name: &str,
    default: &str,
    names: &[String],
    parts: &mut Parts,
) -> Result<String, LoadError> {
    if names.iter().any(|found| found == name) {
        return read(folder, name, parts);
    }
    let sha256 = crate::canonical::sha256(default.as_bytes());
    parts.add_source(Source { name: format!("(built in) {name}"), sha256, bytes: default.len() as u64 });
    Ok(default.to_owned())
}
