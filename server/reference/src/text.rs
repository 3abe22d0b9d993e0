//! Bytes of a file → lines of text, streamed: plain, zip (one CSV inside) or gzip; UTF-8, UTF-8 with BOM, Windows-1252,
//! Latin-1. Never holds more than one line.
//!
//! Does not know what the lines say.

mod file;

use sha2::{Digest as _, Sha256};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use file::{Digest, digest};

pub(crate) use file::{Stamp, stamp};

/// The most that one file may unpack to: 64 GiB, against zip bombs.
pub const MAX_BYTES: u64 = 64 << 30;

/// The longest line that is read, in bytes: 1 MiB.
pub const MAX_LINE: usize = 1 << 20;

/// The longest text that is held as a whole, in bytes: 64 MiB.
pub const MAX_WHOLE: usize = 64 << 20;

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

impl Encoding {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf8Bom => "UTF-8 with BOM",
            Self::Windows1252 => "Windows-1252",
            Self::Latin1 => "Latin-1",
        }
    }
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
    /// The archive is damaged, or its content too large.
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
    /// A file that must be right as a whole has a line that is no text.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// Who asked for it does not want it any more.
    #[error("stopped")]
    Stopped,
}

/// Opens a file, unpacks it by its first bytes and hands the content to `read`, with a counter of the bytes read from
/// disk.
///
/// # Errors
/// The file cannot be opened, its zip does not hold exactly one CSV, or `read` fails.
pub fn open<T, E: From<Error>>(
    path: &Path,
    read: impl FnOnce(&mut dyn BufRead, &Cell<u64>) -> Result<T, E>,
) -> Result<T, E> {
    let failed = |source| Error::Read { path: path.into(), source };
    let mut file = file::open(path).map_err(failed)?;
    let mut start = Vec::new();
    file.by_ref().take(4).read_to_end(&mut start).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let at = Rc::new(Cell::new(0));
    let mut file = Counted { file, at: Rc::clone(&at) };
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        let unpack = |reason: String| Error::Unpack { path: path.into(), reason };
        let mut archive =
            zip::ZipArchive::new(BufReader::new(file)).map_err(|error| unpack(error.to_string()))?;
        let index = one_csv(path, &mut archive)?;
        let entry = archive.by_index(index).map_err(|error| unpack(error.to_string()))?;
        read(&mut bounded(entry), &at)
    } else if start.starts_with(&[0x1f, 0x8b]) {
        read(&mut bounded(flate2::bufread::MultiGzDecoder::new(BufReader::new(file))), &at)
    } else {
        read(&mut bounded(file.by_ref()), &at)
    }
}

fn one_csv<R: Read + Seek>(path: &Path, archive: &mut zip::ZipArchive<R>) -> Result<usize, Error> {
    let unpack = |reason: String| Error::Unpack { path: path.into(), reason };
    let mut csv = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| unpack(error.to_string()))?;
        let name = entry.name().map_err(|error| unpack(error.to_string()))?;
        if entry.is_file() && name.to_ascii_lowercase().ends_with(".csv") {
            csv.push(index);
        }
    }
    match csv[..] {
        [index] => Ok(index),
        _ => Err(Error::NotOneCsv { path: path.into(), found: csv.len() }),
    }
}

/// A file that counts how far it is read.
struct Counted {
    file: File,
    at: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.at.set(self.at.get() + read as u64);
        Ok(read)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let at = self.file.seek(to)?;
        self.at.set(at);
        Ok(at)
    }
}

fn bounded<R: Read>(reader: R) -> BufReader<Bounded<R>> {
    BufReader::with_capacity(1 << 17, Bounded { reader, left: MAX_BYTES })
}

struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(format!("content is larger than {MAX_BYTES} bytes")))?;
        Ok(read)
    }
}

/// One line, without its end.
#[derive(Debug)]
pub struct Line<'a> {
    /// Counted from 1.
    pub number: u64,
    /// Its text, or why it is none.
    pub text: Result<&'a str, String>,
}

/// The lines of a stream, decoded one by one.
pub struct Lines<'a> {
    input: &'a mut dyn BufRead,
    encoding: Encoding,
    number: u64,
    raw: Vec<u8>,
    decoded: String,
}

impl<'a> Lines<'a> {
    /// Starts at the beginning of a stream in that encoding.
    pub fn new(input: &'a mut dyn BufRead, encoding: Encoding) -> Self {
        Self { input, encoding, number: 0, raw: Vec::new(), decoded: String::new() }
    }

    /// The next line.
    ///
    /// # Errors
    /// The stream cannot be read. A line that is no text is no error: it says so.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        let Some(whole) = raw_line(self.input, &mut self.raw)? else { return Ok(None) };
        self.number += 1;
        let number = self.number;
        let text =
            if whole { self.decode() } else { Err(format!("the line is longer than {MAX_LINE} bytes")) };
        Ok(Some(Line { number, text }))
    }

    fn decode(&mut self) -> Result<&str, String> {
        let mut bytes = self.raw.as_slice();
        if self.number == 1 {
            bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        }
        if bytes.contains(&0) {
            return Err("the line holds a NUL byte".to_owned());
        }
        let other = || Err(format!("not in the file's encoding {}", self.encoding.as_str()));
        let utf8 = std::str::from_utf8(bytes);
        match (self.encoding, utf8) {
            (Encoding::Utf8 | Encoding::Utf8Bom, Ok(text)) => return Ok(text),
            (Encoding::Utf8 | Encoding::Utf8Bom, Err(_)) => return other(),
            (_, Ok(text)) if text.is_ascii() => return Ok(text),
            (_, Ok(_)) => return other(),
            (_, Err(_)) => {}
        }
        self.decoded.clear();
        if self.encoding == Encoding::Latin1 {
            self.decoded.extend(bytes.iter().map(|byte| char::from(*byte)));
        } else {
            self.decoded.push_str(&encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0);
        }
        Ok(&self.decoded)
    }
}

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads one line without its end into `line`; false where it is too long: then it is passed over.
fn raw_line(input: &mut dyn BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    if input.take(MAX_LINE as u64 + 2).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    let ended = line.last() == Some(&b'\n');
    if ended {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    if line.len() <= MAX_LINE {
        return Ok(Some(true));
    }
    if !ended {
        input.skip_until(b'\n')?;
    }
    Ok(Some(false))
}

/// The encoding that most of the lines that are not plain ASCII are in: UTF-8 (before a mark, and where as many lines
/// are not), else Windows-1252, else Latin-1.
///
/// # Errors
/// The stream cannot be read.
pub fn detect(input: &mut dyn BufRead) -> io::Result<Encoding> {
    let (mut utf8, mut other, mut undefined, mut marked, mut first) = (0_u64, 0_u64, false, false, true);
    let mut line = Vec::new();
    while let Some(whole) = raw_line(input, &mut line)? {
        let mut bytes = line.as_slice();
        if std::mem::take(&mut first)
            && let Some(rest) = bytes.strip_prefix(BOM)
        {
            (marked, bytes) = (true, rest);
        }
        if !whole || bytes.is_ascii() {
            continue;
        }
        if std::str::from_utf8(bytes).is_ok() {
            utf8 += 1;
        } else {
            other += 1;
            undefined |= bytes.iter().any(|byte| matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d));
        }
    }
    Ok(match (utf8 >= other, marked, undefined) {
        (true, true, _) => Encoding::Utf8Bom,
        (true, false, _) => Encoding::Utf8,
        (false, _, false) => Encoding::Windows1252,
        (false, _, true) => Encoding::Latin1,
    })
}

/// The encoding of a file; `progress` hears how many bytes are read, and may say that it is enough.
///
/// # Errors
/// As [`open`]; [`Error::Stopped`].
pub fn encoding(path: &Path, progress: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<Encoding, Error> {
    open(path, |input, at| {
        let mut told = Told { input, at, progress, stopped: false };
        // The buffer makes the calls few.
        let found = detect(&mut BufReader::with_capacity(1 << 20, &mut told));
        if told.stopped { Err(Error::Stopped) } else { found.map_err(|error| unreadable(path, &error)) }
    })
}

/// A stream that tells how far the file below it is read.
struct Told<'a> {
    input: &'a mut dyn BufRead,
    at: &'a Cell<u64>,
    progress: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
    stopped: bool,
}

impl Read for Told<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.progress)(self.at.get()).is_break() {
            self.stopped = true;
            return Err(io::Error::other("stopped"));
        }
        self.input.read(buffer)
    }
}

/// A small file as one text.
///
/// # Errors
/// As [`open`], a file of more than 64 MiB, and a line that is not in the file's encoding, too long, or holds NUL.
pub fn whole(path: &Path) -> Result<String, Error> {
    let encoding = encoding(path, &mut |_| ControlFlow::Continue(()))?;
    open(path, |input, _| {
        let mut lines = Lines::new(input, encoding);
        let mut text = String::new();
        while let Some(line) = lines.next_line().map_err(|error| unreadable(path, &error))? {
            let number = line.number;
            let line = line.text.map_err(|reason| Error::Line { path: path.into(), line: number, reason })?;
            if text.len() + line.len() > MAX_WHOLE {
                let reason = format!("content is larger than {MAX_WHOLE} bytes");
                return Err(Error::Unpack { path: path.into(), reason });
            }
            text.push_str(line);
            text.push('\n');
        }
        Ok(text)
    })
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::Unpack { path: path.into(), reason: error.to_string() }
}

/// Hex SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
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
