//! Is a release on disk what its manifest tells? Every byte is summed, nothing is taken into memory.
//!
//! Does not know the records, nor what is done about a damaged release.

use super::manifest::{self, FileEntry};
use super::{PROBLEMS_FILE, Store, Unread, records};
use crate::import::GO_ON;
use crate::store::{Manifest, Refused};
use crate::text::hex;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;

impl Store {
    /// What a release says about itself, if every file is as it was written.
    ///
    /// # Errors
    /// There is no such release, or a file is not what the manifest tells.
    pub fn check(&self, id: &str) -> Result<Manifest, Refused> {
        self.check_while(id, &mut |_| GO_ON).map_err(|unread| unread.or_stopped(id))
    }

    /// The same; `progress` hears how many bytes are read, and may say that it is enough.
    ///
    /// # Errors
    /// As [`Store::check`]; [`Unread::Stopped`].
    pub fn check_while(
        &self,
        id: &str,
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Manifest, Unread> {
        let manifest = self.manifest(id)?;
        let refused = |reason| Refused { id: id.to_owned(), reason };
        files_of_release(&manifest).map_err(refused)?;
        let folder = self.release_folder(id);
        let mut read = 0;
        for entry in &manifest.files {
            let mut part = |bytes| {
                read += bytes;
                progress(read)
            };
            match file(&folder, entry, &mut part) {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Err(Unread::Stopped),
                Err(reason) => return Err(refused(format!("{}: {reason}", entry.name)).into()),
            }
        }
        Ok(manifest)
    }
}

/// Does the manifest name the files that the release is named after?
pub(super) fn files_of_release(manifest: &Manifest) -> Result<(), String> {
    let summed: Vec<_> = manifest.files.iter().filter(|file| file.name != PROBLEMS_FILE).cloned().collect();
    if manifest::sum(&summed) == manifest.release.sha256 {
        return Ok(());
    }
    Err(format!("{}: its files do not give its checksum", manifest::FILE))
}

/// Opens a file of a release that has the size which the manifest tells.
pub(super) fn open(folder: &Path, expected: &FileEntry) -> Result<BufReader<File>, String> {
    let file = File::open(folder.join(&expected.name)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "the file is missing".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    let bytes = file.metadata().map_err(|error| error.to_string())?.len();
    if bytes != expected.bytes {
        return Err(format!("has {bytes} bytes where the manifest tells {}", expected.bytes));
    }
    Ok(BufReader::with_capacity(1 << 18, file))
}

/// Sums one file, unless `progress` says that it is enough.
pub(super) fn file(
    folder: &Path,
    expected: &FileEntry,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, String> {
    let mut file = open(folder, expected)?;
    if expected.name.ends_with(records::EXTENSION) {
        records::header_of(&mut file, expected)?;
    }
    let (mut sum, mut part) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut part) {
            Ok(0) => break,
            Ok(bytes) => {
                sum.update(&part[..bytes]);
                if progress(bytes as u64).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("cannot be read: {error}")),
        }
    }
    if hex(&sum.finalize()) != expected.sha256 {
        return Err("does not have the checksum of the manifest".to_owned());
    }
    Ok(GO_ON)
}
