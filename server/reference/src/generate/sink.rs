//! A file that is written row by row: text in, encoded and packed bytes out, memory bounded.
//!
//! It takes its name only once it is whole. Does not know what the rows say.

use super::Error;
use deunicode::deunicode_char;
use flate2::{Compression, write::GzEncoder};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use zip::{ZipWriter, write::SimpleFileOptions};

/// Text that waits before it is encoded.
const WAITING: usize = 256 << 10;

/// How the text of a file becomes bytes. What an encoding lacks is written without its accent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8.
    #[default]
    Utf8,
    /// UTF-8 after a byte order mark.
    Utf8Bom,
    /// Windows-1252.
    Windows1252,
    /// ISO 8859-1.
    Latin1,
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// Not at all.
    #[default]
    None,
    /// gzip: `.gz` is appended to the name.
    Gzip,
    /// zip with the one file inside: `.zip` takes the place of `.csv`.
    Zip,
}

/// One file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name in the folder.
    pub name: String,
    /// Rows, the header not counted.
    pub rows: u64,
    /// Size on disk.
    pub bytes: u64,
}

enum Out {
    Plain(BufWriter<File>),
    Gzip(Box<GzEncoder<BufWriter<File>>>),
    Zip(Box<ZipWriter<BufWriter<File>>>),
}

/// A file on its way.
pub(super) struct Sink {
    /// What comes next; rows end in a line feed.
    pub text: String,
    bytes: Vec<u8>,
    out: Out,
    encoding: Encoding,
    rows: u64,
    name: String,
    target: PathBuf,
    partial: Partial,
}

/// The name of a file on its way; the file is gone with it unless it was renamed.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Sink {
    /// Starts `name` in `folder`; one that exists is replaced only by `force`.
    pub fn create(
        folder: &Path,
        name: &str,
        encoding: Encoding,
        packing: Packing,
        force: bool,
    ) -> Result<Self, Error> {
        let packed = match packing {
            Packing::None => name.to_owned(),
            Packing::Gzip => format!("{name}.gz"),
            Packing::Zip => format!("{}.zip", name.strip_suffix(".csv").unwrap_or(name)),
        };
        let target = folder.join(&packed);
        if !force && target.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: target });
        }
        let partial = Partial(folder.join(format!("{packed}.partial")));
        let file = File::create(&partial.0).map_err(|source| Error::write(&partial.0, source))?;
        let file = BufWriter::with_capacity(WAITING, file);
        let out = match packing {
            Packing::None => Out::Plain(file),
            Packing::Gzip => Out::Gzip(Box::new(GzEncoder::new(file, Compression::fast()))),
            Packing::Zip => {
                let mut zip = ZipWriter::new(file);
                // The default time is fixed: the same rows give the same bytes.
                let options = SimpleFileOptions::default().large_file(true).compression_level(Some(1));
                zip.start_file(name, options).map_err(|e| Error::write(&partial.0, e.into()))?;
                Out::Zip(Box::new(zip))
            }
        };
        let text = if encoding == Encoding::Utf8Bom { "\u{feff}".to_owned() } else { String::new() };
        Ok(Self { text, bytes: Vec::new(), out, encoding, rows: 0, name: packed, target, partial })
    }

    /// Ends the row that stands in [`Sink::text`].
    pub fn end_row(&mut self) -> Result<(), Error> {
        self.text.push('\n');
        self.rows += 1;
        if self.text.len() >= WAITING { self.pass_on() } else { Ok(()) }
    }

    /// Writes a header line, which is no row.
    pub fn header(&mut self, columns: &[&str]) {
        self.text += &columns.join(";");
        self.text.push('\n');
    }

    fn pass_on(&mut self) -> Result<(), Error> {
        let bytes = match self.encoding {
            Encoding::Utf8 | Encoding::Utf8Bom => self.text.as_bytes(),
            encoding => {
                self.bytes.clear();
                encode(&self.text, encoding, &mut self.bytes);
                &self.bytes
            }
        };
        let done = match &mut self.out {
            Out::Plain(out) => out.write_all(bytes),
            Out::Gzip(out) => out.write_all(bytes),
            Out::Zip(out) => out.write_all(bytes),
        };
        self.text.clear();
        done.map_err(|source| Error::write(&self.partial.0, source))
    }

    /// Gives the file its name.
    pub fn finish(mut self) -> Result<Written, Error> {
        self.pass_on()?;
        let done = match self.out {
            Out::Plain(out) => Ok(out),
            Out::Gzip(out) => out.finish(),
            Out::Zip(out) => out.finish().map_err(io::Error::from),
        };
        let finish = |out: BufWriter<File>| {
            let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
            let bytes = file.metadata()?.len();
            std::fs::rename(&self.partial.0, &self.target)?;
            Ok(bytes)
        };
        let bytes = done.and_then(finish).map_err(|source| Error::write(&self.target, source))?;
        Ok(Written { name: self.name, rows: self.rows, bytes })
    }
}

fn encode(text: &str, encoding: Encoding, bytes: &mut Vec<u8>) {
    for char in text.chars() {
        match (u32::from(char), encoding) {
            (code @ (0..0x80 | 0xa0..=0xff), _) => bytes.push(code as u8),
            (_, Encoding::Windows1252) => {
                let mut utf8 = [0; 4];
                let (encoded, _, lacking) = encoding_rs::WINDOWS_1252.encode(char.encode_utf8(&mut utf8));
                if lacking { plain(char, bytes) } else { bytes.extend_from_slice(&encoded) }
            }
            _ => plain(char, bytes),
        }
    }
}

fn plain(char: char, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(deunicode_char(char).unwrap_or("?").as_bytes());
}

/// Appends a number with that many decimals.
pub(super) fn push_decimal(out: &mut String, value: f64, decimals: u32, comma: char) {
    use std::fmt::Write as _;
    let scale = 10_i64.pow(decimals);
    let scaled = (value * scale as f64).round() as i64;
    if scaled < 0 {
        out.push('-');
    }
    let (whole, part) = (scaled.abs() / scale, scaled.abs() % scale);
    // Writing to a String cannot fail.
    let _ = write!(out, "{whole}{comma}{part:0width$}", width = decimals as usize);
}
