//! The store: a folder of releases. A release is a folder of checksummed files that is never changed.
//!
//! `releases/<id>/` holds the releases; a new one is built in `staging/` and renamed when it is whole, so that a kill at
//! any point leaves no half release. `lock` keeps two writers apart. Does not know which release is in use, nor the clock.

mod check;
mod compare;
mod load;
mod manifest;
mod records;

use crate::import::{Built, Change, Heed, ImportError, Imported, Input, Meter, Options, Phase, build, sum};
use crate::reference::{Release, Source};
use crate::{SourceKind, derived, eservices, offers, text};
use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

pub use compare::{Comparison, Difference, Example};
pub use load::{LINES_FILE, LoadError, STRUCTURE_FILE};
pub use manifest::{FileEntry, Manifest};

pub(crate) use records::{Writer, write_all};

/// Version of the format of a release's files.
pub const FORMAT: u32 = 1;

/// The file of problems in a release: `;`, by file and line.
pub const PROBLEMS_FILE: &str = "problems.csv";

pub(crate) const COLUMNS_FILE: &str = "columns.rec";
pub(crate) const BUILDINGS_FILE: &str = "buildings.rec";
pub(crate) const STRUCTURE_RECORDS: &str = "structure.rec";
pub(crate) const LINES_RECORDS: &str = "lines.rec";
pub(crate) const PBOS_FILE: &str = "pbos.rec";
pub(crate) const STREETS_FILE: &str = "streets.rec";
pub(crate) const COMMUNES_FILE: &str = "communes.rec";
pub(crate) const POSTAL_NAMES_FILE: &str = "postal_names.rec";

/// A release that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("release {id}: {reason}")]
pub struct Refused {
    /// Its name.
    pub id: String,
    /// Why.
    pub reason: String,
}

/// Why a release was not read to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It cannot be used.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Who asked for it does not want it any more.
    #[error("stopped")]
    Stopped,
}

impl Unread {
    fn or_stopped(self, id: &str) -> Refused {
        match self {
            Self::Refused(refused) => refused,
            Self::Stopped => Refused { id: id.to_owned(), reason: "stopped".to_owned() },
        }
    }
}

/// A folder of releases.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// Opens a store; an empty or absent folder becomes one.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, ImportError> {
        let store = Self { folder: folder.into() };
        let releases = store.folder.join("releases");
        std::fs::create_dir_all(&releases).map_err(|error| ImportError::io(&releases, error))?;
        Ok(store)
    }

    fn release_folder(&self, id: &str) -> PathBuf {
        self.folder.join("releases").join(id)
    }

    /// The report of refused rows and remarks of a release (CSV).
    #[must_use]
    pub fn problems_file(&self, id: &str) -> PathBuf {
        self.release_folder(id).join(PROBLEMS_FILE)
    }

    /// The releases by name; one whose manifest cannot be used stands there with the reason.
    #[must_use]
    pub fn releases(&self) -> Vec<Result<Manifest, Refused>> {
        let folder = self.folder.join("releases");
        let names = std::fs::read_dir(&folder).and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
                .collect::<Result<Vec<_>, _>>()
        });
        match names {
            Ok(mut names) => {
                names.sort();
                names.iter().map(|id| self.manifest(id)).collect()
            }
            Err(error) => {
                let reason = format!("{}: {error}", folder.display());
                vec![Err(Refused { id: "*".to_owned(), reason })]
            }
        }
    }

    /// What a release says about itself.
    ///
    /// # Errors
    /// There is no such release, or its manifest cannot be used.
    pub fn manifest(&self, id: &str) -> Result<Manifest, Refused> {
        let refused = |reason: String| Refused { id: id.to_owned(), reason };
        // An id is one name, not a way to another folder.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(refused("no such release".to_owned()));
        }
        let folder = self.release_folder(id);
        if !folder.is_dir() {
            return Err(refused("no such release".to_owned()));
        }
        Manifest::read(&folder).map_err(refused)
    }

    /// Removes a release.
    ///
    /// # Errors
    /// There is no such release, an import is under way, or the files cannot be removed.
    pub fn remove(&self, id: &str) -> Result<(), ImportError> {
        self.removal(id)?.complete()
    }

    /// Finds a release that is to be removed, and keeps imports and other removals out until it is, or the value is
    /// dropped.
    ///
    /// # Errors
    /// There is no such release, or an import is under way.
    pub fn removal(&self, id: &str) -> Result<Removal, ImportError> {
        let (lock, staging) = self.lock()?;
        let known = self.releases().into_iter().any(|found| match found {
            Ok(manifest) => manifest.id() == id,
            Err(refused) => refused.id == id,
        });
        if !known {
            return Err(Refused { id: id.to_owned(), reason: "no such release".to_owned() }.into());
        }
        let (from, to) = (self.release_folder(id), staging.0.join(id));
        Ok(Removal { from, to, _staging: staging, _lock: lock })
    }

    /// Makes a release of files, or finds that there is a whole one of them. One that is damaged is built again.
    ///
    /// `progress` is called at least every 10,000 rows, and may say that the import is to end.
    ///
    /// # Errors
    /// [`ImportError`]; then the store is as it was. Bad rows are no error: see [`Imported::problems`].
    pub fn import(
        &self,
        files: &[PathBuf],
        options: &Options,
        progress: Heed<'_>,
    ) -> Result<Imported, ImportError> {
        let (_lock, staging) = self.lock()?;
        let mut meter = Meter::new(progress);
        let inputs = sum(files, &mut meter)?;
        let texts = texts(&inputs)?;
        if let Some(manifest) = self.made_of(&inputs, &texts)
            && self.is_whole(manifest.id(), &mut meter)?
        {
            let rows = manifest.release.sources.iter().map(|source| source.rows).sum();
            let (refused, remarks) = problems_of(&manifest);
            let (change, problems) = (Change::SameFiles, Vec::new());
            return Ok(Imported { change, manifest, rows, refused, remarks, problems });
        }
        let (folder, work) = (staging.0.join("release"), staging.0.join("work"));
        for folder in [&folder, &work] {
            std::fs::create_dir(folder).map_err(|error| ImportError::io(folder, error))?;
        }
        let mut built = build(inputs, &folder, &work, options, &mut meter)?;
        let problems = std::mem::take(&mut built.problems);
        let manifest = complete(&folder, built, texts, options)?;
        let rows = manifest.release.sources.iter().map(|source| source.rows).sum();
        let (refused, remarks) = problems_of(&manifest);
        let change = self.publish(&folder, &manifest, &staging, options.dry_run, &mut meter)?;
        let manifest = if change == Change::SameRecords { self.manifest(manifest.id())? } else { manifest };
        Ok(Imported { change, manifest, rows, refused, remarks, problems })
    }

    /// Whether a release is on disk as its manifest tells.
    fn is_whole(&self, id: &str, meter: &mut Meter<'_>) -> Result<bool, ImportError> {
        meter.start(Phase::Prove, "", 0)?;
        match self.check_while(id, &mut |read| meter.read(read)) {
            Ok(_) => Ok(true),
            Err(Unread::Refused(_)) => Ok(false),
            Err(Unread::Stopped) => Err(ImportError::Stopped),
        }
    }

    /// The release that was made of the same files.
    fn made_of(&self, inputs: &[Input], texts: &[Text]) -> Option<Manifest> {
        let given = inputs.iter().map(|input| (input.name.as_str(), input.digest.sha256.as_str()));
        let built_in = texts.iter().filter_map(|text| text.built_in.as_ref());
        let mut given: Vec<_> =
            given.chain(built_in.map(|source| (source.name.as_str(), source.sha256.as_str()))).collect();
        given.sort_unstable();
        self.releases().into_iter().flatten().find(|manifest| {
            let sources = &manifest.release.sources;
            let mut sources: Vec<_> =
                sources.iter().map(|source| (source.name.as_str(), source.sha256.as_str())).collect();
            sources.sort_unstable();
            sources == given
        })
    }

    /// Puts a release in its place, unless a whole one is there.
    fn publish(
        &self,
        folder: &Path,
        manifest: &Manifest,
        staging: &Staging,
        dry_run: bool,
        meter: &mut Meter<'_>,
    ) -> Result<Change, ImportError> {
        let to = self.release_folder(manifest.id());
        let damaged = to.exists();
        if damaged && self.is_whole(manifest.id(), meter)? {
            return Ok(Change::SameRecords);
        }
        if dry_run {
            return Ok(Change::DryRun);
        }
        sync(folder)?;
        let renamed =
            |from: &Path, to: &Path| std::fs::rename(from, to).map_err(|error| ImportError::io(from, error));
        if damaged {
            // A kill between the two leaves no release of that name: the same import makes it.
            renamed(&to, &staging.0.join("damaged"))?;
        }
        renamed(folder, &to)?;
        sync(&self.folder.join("releases"))?;
        Ok(if damaged { Change::Mended } else { Change::New })
    }

    /// Keeps others from writing until the lock is dropped, and clears what an import that was killed left.
    fn lock(&self) -> Result<(File, Staging), ImportError> {
        let path = self.folder.join("lock");
        let failed = |error| ImportError::io(&path, error);
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ImportError::Busy { folder: self.folder.clone() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let staging = Staging(self.folder.join("staging"));
        staging.clear().map_err(|error| ImportError::io(&staging.0, error))?;
        std::fs::create_dir(&staging.0).map_err(|error| ImportError::io(&staging.0, error))?;
        Ok((lock, staging))
    }
}

/// Refused rows and remarks of a release.
fn problems_of(manifest: &Manifest) -> (u64, u64) {
    let counts = &manifest.release.counts;
    (counts.refused as u64, counts.remarks as u64)
}

/// A release that is about to be removed; the store is locked meanwhile.
pub struct Removal {
    from: PathBuf,
    to: PathBuf,
    // Cleared before the lock is let go.
    _staging: Staging,
    _lock: File,
}

impl Removal {
    /// Removes it: away at once, then piece by piece.
    ///
    /// # Errors
    /// The files cannot be removed.
    pub fn complete(self) -> Result<(), ImportError> {
        std::fs::rename(&self.from, &self.to).map_err(|error| ImportError::io(&self.from, error))?;
        sync(self.from.parent().unwrap_or(&self.from))
    }
}

/// The folder in which a release is built; gone when the import ends.
struct Staging(PathBuf);

impl Staging {
    fn clear(&self) -> std::io::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What is left is cleared by the next import.
        let _ = self.clear();
    }
}

/// Waits until the names in a folder are on disk.
fn sync(folder: &Path) -> Result<(), ImportError> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| ImportError::io(folder, error))
}

/// A TOML file of a release.
struct Text {
    name: &'static str,
    text: String,
    /// The source, where the built-in text stands in.
    built_in: Option<Source>,
}

/// The three TOML files: checked, the built-in ones where none is given.
fn texts(inputs: &[Input]) -> Result<Vec<Text>, ImportError> {
    let mut texts = Vec::new();
    for (name, default, kind) in [
        (offers::FILE, offers::DEFAULT, SourceKind::Offers),
        (eservices::FILE, eservices::DEFAULT, SourceKind::EServices),
        (derived::FILE, derived::DEFAULT, SourceKind::Appointments),
    ] {
        let given = inputs.iter().find(|input| input.name == name);
        let text = given.map_or(Ok(default.to_owned()), |input| text::whole(&input.path))?;
        let built_in = given.is_none().then(|| Source {
            name: format!("(built in) {name}"),
            sha256: text::sha256(default.as_bytes()),
            bytes: default.len() as u64,
            kind,
            encoding: text::Encoding::Utf8.as_str().to_owned(),
            rows: 0,
            unknown_columns: Vec::new(),
        });
        texts.push(Text { name, text, built_in });
    }
    Ok(texts)
}

/// Adds the TOML files and the manifest.
fn complete(
    folder: &Path,
    built: Built,
    texts: Vec<Text>,
    options: &Options,
) -> Result<Manifest, ImportError> {
    let Built { mut files, report, mut sources, mut counts, day, problems: _ } = built;
    for Text { name, text, built_in } in texts {
        match name {
            offers::FILE => counts.offers = offers::parse(name, &text)?.all().len(),
            eservices::FILE => counts.eservices = eservices::parse(name, &text)?.all().len(),
            _ => drop(derived::parse(name, &text)?),
        }
        files.push(write_text(folder, name, &text)?);
        sources.extend(built_in);
    }
    sources.sort();
    let sha256 = manifest::sum(&files);
    files.push(report);
    let short = &sha256[..12];
    let name = if day.is_empty() { short.to_owned() } else { format!("{day}-{short}") };
    let release = Release { name, sha256, counts, sources };
    let manifest = Manifest { format: FORMAT, imported: options.today, release, files };
    let text = manifest.write();
    let text = text.map_err(|reason| ImportError::Record { path: folder.join(manifest::FILE), reason })?;
    write_text(folder, manifest::FILE, &text)?;
    Ok(manifest)
}

fn write_text(folder: &Path, name: &str, text: &str) -> Result<FileEntry, ImportError> {
    let path = folder.join(name);
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| ImportError::io(&path, error))?;
    Ok(FileEntry {
        name: name.to_owned(),
        sha256: text::sha256(text.as_bytes()),
        bytes: text.len() as u64,
        records: text.lines().count() as u64,
    })
}
