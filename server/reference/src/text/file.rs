//! A file as it lies on disk: opened without waiting for anybody, stamped, summed.
//!
//! Does not know what it holds.

use super::{Error, hex};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What a file is as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// Hex SHA-256.
    pub sha256: String,
    /// Size.
    pub bytes: u64,
}

/// What tells whether a file was written to, or another one was put in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub bytes: u64,
    /// Nanoseconds.
    modified: (i64, i64),
    device: u64,
    inode: u64,
}

/// The stamp of a file as it is now.
pub(crate) fn stamp(path: &Path) -> Result<Stamp, Error> {
    let metadata = path.metadata().map_err(|source| Error::Read { path: path.into(), source })?;
    Ok(Stamp {
        bytes: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        device: metadata.dev(),
        inode: metadata.ino(),
    })
}

/// Opens a file to be read. A pipe or a device is none, and is not waited for.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("is no regular file")),
    }
}

/// Sums a file; `progress` hears how many bytes are read, and may say that it is enough.
///
/// # Errors
/// The file cannot be read; [`Error::Stopped`].
pub fn digest(path: &Path, progress: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<Digest, Error> {
    let failed = |source| Error::Read { path: path.into(), source };
    let mut file = open(path).map_err(failed)?;
    let (mut sum, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 1 << 18]);
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        sum.update(&buffer[..read]);
        bytes += read as u64;
        if progress(bytes).is_break() {
            return Err(Error::Stopped);
        }
    }
    Ok(Digest { sha256: hex(&sum.finalize()), bytes })
}
