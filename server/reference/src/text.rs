//! Bytes of a file → text: plain, zip (one CSV inside) or gzip; UTF-8, UTF-8 with BOM, Windows-1252, Latin-1.
//!
//! Does not know what the text says.

use sha2::{Digest, Sha256};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};

/// The most text that one file may unpack to: 4 GiB, against zip bombs.
pub const MAX_BYTES: u64 = 4 << 30;

/// How the bytes were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-8 after a byte order mark.
    Utf8Bom,
    /// Windows-1252.
    Windows1252,
    /// ISO 8859-1: the bytes that Windows-1252 leaves undefined occur.
    Latin1,
}

/// A file could not be read as text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed.
    #[error("{}: cannot read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The archive is damaged.
    #[error("{}: cannot unpack: {reason}", path.display())]
    Unpack {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// An archive must hold exactly one CSV file.
    #[error("{}: expected one csv file inside, found {found}", path.display())]
    NotOneCsv {
        /// The file.
        path: PathBuf,
        /// How many were found.
        found: usize,
    },
    /// The content is larger than [`MAX_BYTES`].
    #[error("{}: content is larger than {MAX_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// A file read as text.
#[derive(Debug, Clone)]
pub struct Source {
    /// File name without its folder.
    pub name: String,
    /// The text, without byte order mark.
    pub text: String,
    /// How it was encoded.
    pub encoding: Encoding,
    /// Hex SHA-256 of the file as it lies on disk.
    pub sha256: String,
    /// Size of the file as it lies on disk.
    pub bytes: u64,
}

/// Reads a file, unpacks it by its first bytes and decodes it.
///
/// # Errors
/// The file cannot be read or unpacked, is too large, or its zip does not hold exactly one CSV.
pub fn read(path: &Path) -> Result<Source, Error> {
    let raw = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    let sha256 = hex(&Sha256::digest(&raw));
    let bytes = raw.len() as u64;
    let (text, encoding) = decode(unpack(path, raw)?);
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Source { name, text, encoding, sha256, bytes })
}

/// Decodes text, trying UTF-8 (with or without mark), then Windows-1252, then Latin-1, which always succeeds.
#[must_use]
pub fn decode(bytes: Vec<u8>) -> (String, Encoding) {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => {
            return match text.strip_prefix('\u{feff}') {
                Some(rest) => (rest.to_owned(), Encoding::Utf8Bom),
                None => (text, Encoding::Utf8),
            };
        }
        Err(error) => error.into_bytes(),
    };
    if bytes.iter().any(|b| matches!(b, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d)) {
        return (bytes.iter().map(|b| char::from(*b)).collect(), Encoding::Latin1);
    }
    let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
    (text.into_owned(), Encoding::Windows1252)
}

fn unpack(path: &Path, raw: Vec<u8>) -> Result<Vec<u8>, Error> {
    if raw.starts_with(b"PK\x03\x04") || raw.starts_with(b"PK\x05\x06") {
        unzip(path, raw)
    } else if raw.starts_with(&[0x1f, 0x8b]) {
        bounded(path, flate2::read::MultiGzDecoder::new(raw.as_slice()))
    } else {
        Ok(raw)
    }
}

fn unzip(path: &Path, raw: Vec<u8>) -> Result<Vec<u8>, Error> {
    let unpack = |reason: String| Error::Unpack { path: path.into(), reason };
    let mut archive = zip::ZipArchive::new(Cursor::new(raw)).map_err(|e| unpack(e.to_string()))?;
    let mut csv = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| unpack(e.to_string()))?;
        let name = entry.name().map_err(|e| unpack(e.to_string()))?;
        if entry.is_file() && name.to_ascii_lowercase().ends_with(".csv") {
            csv.push(index);
        }
    }
    let [index] = csv[..] else {
        return Err(Error::NotOneCsv { path: path.into(), found: csv.len() });
    };
    bounded(path, archive.by_index(index).map_err(|e| unpack(e.to_string()))?)
}

fn bounded(path: &Path, reader: impl Read) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    reader
        .take(MAX_BYTES + 1)
        .read_to_end(&mut content)
        .map_err(|e| Error::Unpack { path: path.into(), reason: e.to_string() })?;
    if content.len() as u64 > MAX_BYTES { Err(Error::TooLarge { path: path.into() }) } else { Ok(content) }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{b:02x}");
        out
    })
}
