//! A file of records: a header (magic, format version, count), then postcard records, each after its length.
//!
//! Does not know what the records are, nor whether they are sorted.

use super::manifest::FileEntry;
use super::{FORMAT, check};
use crate::text::hex;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use std::path::Path;

/// How the name of a file of records ends.
pub(super) const EXTENSION: &str = ".rec";
const MAGIC: &[u8; 8] = b"ESVCREC\n";
/// Magic, version and count.
const HEADER: usize = 20;
/// No record is longer; a damaged length must not take the memory.
const LONGEST: u32 = 1 << 28;

fn header(count: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&FORMAT.to_le_bytes());
    header[12..].copy_from_slice(&count.to_le_bytes());
    header
}

/// Reads the header and compares it with the manifest entry.
pub(super) fn header_of(file: &mut impl Read, expected: &FileEntry) -> Result<(), String> {
    let mut found = [0; HEADER];
    file.read_exact(&mut found).map_err(|error| format!("has no whole header: {error}"))?;
    if found[..8] != MAGIC[..] {
        return Err("is no file of records".to_owned());
    }
    if found[8..12] != FORMAT.to_le_bytes() {
        return Err(format!("is not in format version {FORMAT}"));
    }
    if found != header(expected.records) {
        return Err("has another count of records than the manifest tells".to_owned());
    }
    Ok(())
}

/// Writes a file of records.
pub(crate) struct Writer<T> {
    name: &'static str,
    file: BufWriter<File>,
    sum: Sha256,
    bytes: u64,
    count: u64,
    scratch: Vec<u8>,
    records: PhantomData<T>,
}

impl<T: Serialize> Writer<T> {
    /// Starts a new file in a folder.
    pub fn create(folder: &Path, name: &'static str) -> io::Result<Self> {
        let file = File::create_new(folder.join(name))?;
        let mut file = BufWriter::with_capacity(1 << 18, file);
        file.write_all(&header(0))?;
        let (sum, scratch) = (Sha256::new(), Vec::new());
        Ok(Self { name, file, sum, bytes: HEADER as u64, count: 0, scratch, records: PhantomData })
    }

    /// Adds a record.
    pub fn push(&mut self, record: &T) -> io::Result<()> {
        self.scratch.clear();
        self.scratch.extend_from_slice(&[0; 4]);
        let scratch = std::mem::take(&mut self.scratch);
        self.scratch = postcard::to_extend(record, scratch).map_err(io::Error::other)?;
        let length = u32::try_from(self.scratch.len() - 4).ok().filter(|length| *length <= LONGEST);
        let length = length.ok_or_else(|| io::Error::other("a record is too long"))?;
        self.scratch[..4].copy_from_slice(&length.to_le_bytes());
        self.file.write_all(&self.scratch)?;
        self.sum.update(&self.scratch);
        self.bytes += self.scratch.len() as u64;
        self.count += 1;
        Ok(())
    }

    /// Completes the header and waits until all is on disk.
    pub fn finish(self) -> io::Result<FileEntry> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header(self.count))?;
        file.sync_all()?;
        Ok(FileEntry {
            name: self.name.to_owned(),
            sha256: hex(&self.sum.finalize()),
            bytes: self.bytes,
            records: self.count,
        })
    }
}

/// Reads a file of records and checks it against its manifest entry on the way: after the last record the whole file
/// is known to be as it was written.
pub(crate) struct Reader<T> {
    file: BufReader<File>,
    sum: Sha256,
    expected: FileEntry,
    left: u64,
    ended: bool,
    scratch: Vec<u8>,
    records: PhantomData<T>,
}

impl<T: DeserializeOwned> Reader<T> {
    /// Opens the file of that entry.
    ///
    /// # Errors
    /// Why it is not that file.
    pub fn open(folder: &Path, expected: &FileEntry) -> Result<Self, String> {
        let mut file = check::open(folder, expected)?;
        header_of(&mut file, expected)?;
        let (expected, left) = (expected.clone(), expected.records);
        let (sum, scratch) = (Sha256::new(), Vec::new());
        Ok(Self { file, sum, expected, left, ended: false, scratch, records: PhantomData })
    }

    /// The next record.
    ///
    /// # Errors
    /// Why the file is not the one of the manifest.
    pub fn next(&mut self) -> Result<Option<T>, String> {
        if self.ended {
            return Ok(None);
        }
        if self.left == 0 {
            self.ended = true;
            return self.end().map(|()| None);
        }
        let cut = |error: io::Error| format!("ends within a record: {error}");
        let mut length = [0; 4];
        self.file.read_exact(&mut length).map_err(cut)?;
        let size = u32::from_le_bytes(length);
        if size > LONGEST {
            return Err("has a record of an impossible length".to_owned());
        }
        self.scratch.resize(size as usize, 0);
        self.file.read_exact(&mut self.scratch).map_err(cut)?;
        self.sum.update(length);
        self.sum.update(&self.scratch);
        self.left -= 1;
        let record = postcard::from_bytes(&self.scratch);
        record.map(Some).map_err(|_| "does not have the checksum of the manifest".to_owned())
    }

    fn end(&mut self) -> Result<(), String> {
        if self.file.read(&mut [0]).map_err(|error| error.to_string())? != 0 {
            return Err("goes on after its last record".to_owned());
        }
        if hex(&self.sum.finalize_reset()) != self.expected.sha256 {
            return Err("does not have the checksum of the manifest".to_owned());
        }
        Ok(())
    }

    /// Every record.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub fn all(mut self) -> Result<Vec<T>, String> {
        let mut records = Vec::new();
        while let Some(record) = self.next()? {
            records.push(record);
        }
        Ok(records)
    }
}

/// Writes a file of the given records.
pub(crate) fn write_all<T: Serialize>(
    folder: &Path,
    name: &'static str,
    records: &[T],
) -> io::Result<FileEntry> {
    let mut out = Writer::create(folder, name)?;
    records.iter().try_for_each(|record| out.push(record))?;
    out.finish()
}
