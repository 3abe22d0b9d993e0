//! What a release folder says about itself.
//!
//! Does not know the records.

use super::FORMAT;
use crate::reference::Release;
use crate::text::{MAX_WHOLE, hex};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read as _;
use std::path::Path;

/// Name of the manifest in its folder.
pub const FILE: &str = "manifest.toml";

/// A file of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the folder.
    pub name: String,
    /// Hex SHA-256 of what it holds; of a file of records without its header, which is checked by itself.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// Its records; of a text file its lines.
    pub records: u64,
}

/// A release: what it is, where it comes from and which files it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the format of the files.
    pub format: u32,
    /// The day of the import, as the caller gave it.
    pub imported: Date,
    /// What the data are.
    pub release: Release,
    /// The files, the manifest itself aside.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// The name of the release, which is that of its folder.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.release.name
    }

    /// The file of that name.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<&FileEntry> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The manifest as it is written: its own checksum first.
    pub(crate) fn write(&self) -> Result<String, String> {
        let text = toml::to_string(self).map_err(|error| error.to_string())?;
        Ok(format!("# sha256 of all below: {}\n{text}", hex(&Sha256::digest(&text))))
    }

    /// Reads the manifest of a folder.
    ///
    /// # Errors
    /// Why it is none that this program can use.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let text = bounded(&folder.join(FILE)).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("{FILE}: the file is missing"),
            _ => format!("{FILE}: cannot be read: {error}"),
        })?;
        // The version first: another one may have another form.
        let version = text.lines().find_map(|line| line.strip_prefix("format = "));
        if version.is_some_and(|version| version != FORMAT.to_string()) {
            let version = version.unwrap_or_default();
            return Err(format!("{FILE}: format version {version}, this program reads {FORMAT}"));
        }
        let (first, rest) = text.split_once('\n').unwrap_or_default();
        if first.strip_prefix("# sha256 of all below: ") != Some(&hex(&Sha256::digest(rest))) {
            return Err(format!("{FILE}: does not have its own checksum"));
        }
        let manifest: Self = toml::from_str(rest).map_err(|error| format!("{FILE}: {error}"))?;
        if folder.file_name().is_none_or(|name| name.to_str() != Some(manifest.id())) {
            return Err(format!("{FILE}: is that of release {}", manifest.id()));
        }
        Ok(manifest)
    }
}

/// The text of a file that is not too long to be held.
fn bounded(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    if file.take(MAX_WHOLE as u64 + 1).read_to_string(&mut text)? > MAX_WHOLE {
        return Err(std::io::Error::other(format!("is larger than {MAX_WHOLE} bytes")));
    }
    Ok(text)
}

/// The checksum over the records: that of the files which hold them, with their names and counts.
pub(crate) fn sum(files: &[FileEntry]) -> String {
    let mut sum = Sha256::new();
    sum.update(format!("eservices-reference {FORMAT}\n"));
    for FileEntry { name, sha256, bytes: _, records } in files {
        sum.update(format!("{name} {records} {sha256}\n"));
    }
    hex(&sum.finalize())
}
