//! Files that must not be half written, nor be readable by others for a moment. Knows no content.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::Failure;

/// A file that takes its name only once it is whole; gone if it never was.
pub(super) struct Staged {
    file: File,
    partial: PathBuf,
    target: PathBuf,
}

impl Staged {
    /// `<prefix><ending>` with a mode; one that exists is replaced only by force.
    pub(super) fn new(prefix: &Path, ending: &str, mode: u32, force: bool) -> Result<Self, Failure> {
        let with = |ending: &str| {
            let mut name = prefix.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        let (target, partial) = (with(ending), with(&format!("{ending}.partial")));
        if !force && target.symlink_metadata().is_ok() {
            return Err(Failure::new(format!(
                "{}: exists already: use another --out, or --force",
                target.display()
            )));
        }
        let _ = fs::remove_file(&partial);
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&partial);
        let file = file.map_err(|e| Failure::file(&partial, &e))?;
        Ok(Self { file, partial, target })
    }

    /// Writes the text and gives the file its name, which is answered.
    pub(super) fn finish(mut self, text: &str) -> Result<String, Failure> {
        let done = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        done.and_then(|()| fs::rename(&self.partial, &self.target))
            .map_err(|e| Failure::file(&self.target, &e))?;
        Ok(self.target.display().to_string())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.partial);
    }
}
