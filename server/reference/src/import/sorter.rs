//! Sorts more records than fit in memory: sorted runs in a file of the staging folder, merged while they are read.
//!
//! An entry is a key and a postcard record; entries are ordered by the bytes of both, so that the order in which they
//! come changes nothing. Does not know what the records are.

use super::ImportError;
use serde::{Serialize, de::DeserializeOwned};
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::marker::PhantomData;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The least memory that a sort works with.
const LEAST: usize = 16 << 10;

/// Where sorts put their runs, and how much memory each may take.
pub(super) struct Room<'a> {
    pub folder: &'a Path,
    pub each: usize,
}

impl Room<'_> {
    /// A sort with a name of its own.
    pub fn sorter<T>(&self, name: &str) -> Sorter<T> {
        Sorter {
            path: self.folder.join(format!("{name}.runs")),
            budget: self.each.max(LEAST),
            bytes: Vec::new(),
            places: Vec::new(),
            runs: Vec::new(),
            file: None,
            records: PhantomData,
        }
    }
}

/// Where an entry lies in memory. The first bytes decide most comparisons without a look at it.
struct Place {
    first: u128,
    start: usize,
    key: u32,
    end: usize,
}

/// A stretch of the run file.
#[derive(Clone, Copy)]
struct Run {
    start: u64,
    end: u64,
}

/// Takes entries in any order.
pub(super) struct Sorter<T> {
    path: PathBuf,
    budget: usize,
    bytes: Vec<u8>,
    places: Vec<Place>,
    runs: Vec<Run>,
    file: Option<BufWriter<File>>,
    records: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Sorter<T> {
    /// Adds an entry. A key must not be the beginning of another.
    pub fn push(&mut self, key: &[u8], record: &T) -> Result<(), ImportError> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let bytes = std::mem::take(&mut self.bytes);
        self.bytes =
            postcard::to_extend(record, bytes).map_err(|error| ImportError::record(&self.path, error))?;
        let mut first = [0; 16];
        let head = (self.bytes.len() - start).min(16);
        first[..head].copy_from_slice(&self.bytes[start..start + head]);
        let key =
            u32::try_from(key.len()).map_err(|_| ImportError::record(&self.path, "a key is too long"))?;
        self.places.push(Place { first: u128::from_be_bytes(first), start, key, end: self.bytes.len() });
        if self.bytes.len() + self.places.len() * size_of::<Place>() >= self.budget {
            self.spill()?;
        }
        Ok(())
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.places.sort_unstable_by(|a, b| {
            a.first.cmp(&b.first).then_with(|| bytes[a.start..a.end].cmp(&bytes[b.start..b.end]))
        });
    }

    fn spill(&mut self) -> Result<(), ImportError> {
        self.sort();
        let failed = |error| ImportError::io(&self.path, error);
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                let options = File::options().read(true).write(true).create_new(true).open(&self.path);
                BufWriter::with_capacity(1 << 17, options.map_err(failed)?)
            }
        };
        let start = self.runs.last().map_or(0, |run| run.end);
        let mut end = start;
        for place in &self.places {
            let entry = &self.bytes[place.start..place.end];
            file.write_all(&(entry.len() as u32).to_le_bytes()).map_err(failed)?;
            file.write_all(&place.key.to_le_bytes()).map_err(failed)?;
            file.write_all(entry).map_err(failed)?;
            end += entry.len() as u64 + 8;
        }
        self.runs.push(Run { start, end });
        self.file = Some(file);
        self.bytes.clear();
        self.places.clear();
        Ok(())
    }

    /// All entries in order.
    pub fn finish(mut self) -> Result<Sorted<T>, ImportError> {
        let Some(_) = &self.file else {
            self.sort();
            let in_memory = InMemory { bytes: self.bytes, places: self.places.into_iter() };
            let source = Source::Memory(in_memory);
            return Ok(Sorted { path: self.path, source, entry: Vec::new(), key: 0, records: PhantomData });
        };
        if !self.places.is_empty() {
            self.spill()?;
        }
        let failed = |error: io::Error| ImportError::io(&self.path, error);
        let file = self.file.take().map(BufWriter::into_inner).transpose();
        let Some(file) = file.map_err(|error| failed(error.into_error()))? else {
            return Err(failed(io::Error::other("the runs are gone")));
        };
        // What was collected is given back before the merge takes its buffers.
        (self.bytes, self.places) = (Vec::new(), Vec::new());
        let file = Rc::new(file);
        let buffer = (self.budget / self.runs.len()).clamp(4 << 10, 1 << 18);
        let mut heads = BinaryHeap::with_capacity(self.runs.len());
        for run in &self.runs {
            let mut head = Head::new(Rc::clone(&file), *run, buffer);
            if head.advance().map_err(failed)? {
                heads.push(Reverse(head));
            }
        }
        Ok(Sorted {
            source: Source::Merge(heads),
            entry: Vec::new(),
            key: 0,
            path: self.path,
            records: PhantomData,
        })
    }
}

struct InMemory {
    bytes: Vec<u8>,
    places: std::vec::IntoIter<Place>,
}

enum Source {
    Memory(InMemory),
    Merge(BinaryHeap<Reverse<Head>>),
}

/// Gives entries in order, once.
pub(super) struct Sorted<T> {
    path: PathBuf,
    source: Source,
    entry: Vec<u8>,
    key: usize,
    records: PhantomData<T>,
}

impl<T: DeserializeOwned> Sorted<T> {
    /// The next record.
    pub fn next(&mut self) -> Result<Option<T>, ImportError> {
        self.entry.clear();
        match &mut self.source {
            Source::Memory(memory) => {
                let Some(place) = memory.places.next() else { return Ok(None) };
                self.entry.extend_from_slice(&memory.bytes[place.start..place.end]);
                self.key = place.key as usize;
            }
            Source::Merge(heads) => {
                let Some(mut head) = heads.peek_mut() else { return Ok(None) };
                std::mem::swap(&mut self.entry, &mut head.0.entry);
                self.key = head.0.key;
                if !head.0.advance().map_err(|error| ImportError::io(&self.path, error))? {
                    std::collections::binary_heap::PeekMut::pop(head);
                }
            }
        }
        let record = self.entry.get(self.key..).unwrap_or_default();
        postcard::from_bytes(record).map(Some).map_err(|error| ImportError::record(&self.path, error))
    }

    /// The key of the record that came last.
    pub fn key(&self) -> &[u8] {
        &self.entry[..self.key.min(self.entry.len())]
    }
}

impl<T> Drop for Sorted<T> {
    fn drop(&mut self) {
        // Frees the disk early; where that fails the staging folder goes as a whole.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// The next entry of a run.
struct Head {
    file: Rc<File>,
    run: Run,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    entry: Vec<u8>,
    key: usize,
}

impl Head {
    fn new(file: Rc<File>, run: Run, buffer: usize) -> Self {
        Self { file, run, buffer: vec![0; buffer], at: 0, filled: 0, entry: Vec::new(), key: 0 }
    }

    /// Reads the next entry; false at the end of the run.
    fn advance(&mut self) -> io::Result<bool> {
        if self.at == self.filled && self.run.start == self.run.end {
            return Ok(false);
        }
        let mut sizes = [0; 8];
        self.read(&mut sizes)?;
        let [a, b, c, d, e, f, g, h] = sizes;
        let (length, key) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        let mut entry = std::mem::take(&mut self.entry);
        entry.resize(length as usize, 0);
        self.read(&mut entry)?;
        (self.entry, self.key) = (entry, key as usize);
        Ok(true)
    }

    fn read(&mut self, mut into: &mut [u8]) -> io::Result<()> {
        while !into.is_empty() {
            if self.at == self.filled {
                let left = usize::try_from(self.run.end - self.run.start).unwrap_or(usize::MAX);
                let size = left.min(self.buffer.len());
                if size == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.file.read_exact_at(&mut self.buffer[..size], self.run.start)?;
                self.run.start += size as u64;
                (self.at, self.filled) = (0, size);
            }
            let size = into.len().min(self.filled - self.at);
            into[..size].copy_from_slice(&self.buffer[self.at..self.at + size]);
            self.at += size;
            into = &mut into[size..];
        }
        Ok(())
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.entry == other.entry
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.entry.cmp(&other.entry)
    }
}
