//! Release folder → [`Reference`]; and a folder of input files → [`Reference`] by way of a store that is thrown away.
//!
//! Does not know how releases are made.

use super::records::Reader;
use super::{
    BUILDINGS_FILE, COLUMNS_FILE, COMMUNES_FILE, FileEntry, LINES_RECORDS, Manifest, PBOS_FILE,
    POSTAL_NAMES_FILE, PROBLEMS_FILE, Refused, STREETS_FILE, STRUCTURE_RECORDS, Store, check,
};
use crate::address::{Point, Search};
use crate::building::{Building, Position};
use crate::grid::Grid;
use crate::import::{GO_ON, ImportError, MOST_PROBLEMS, Options};
use crate::problem::{Outcome, Problem};
use crate::reference::{Reference, Report};
use crate::{derived, eservices, geo, ipe, offers, text};
use jiff::civil::Date;
use serde::de::DeserializeOwned;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Name of the structure file in a folder of input files.
pub const STRUCTURE_FILE: &str = "structure.csv";
/// Name of the line file in a folder of input files.
pub const LINES_FILE: &str = "lignes.csv";

/// A folder of input files that gives no release.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The folder cannot be listed.
    #[error("{}: cannot list the folder: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that must be there is not.
    #[error("{}: no {what}", folder.display())]
    Absent {
        /// The folder.
        folder: PathBuf,
        /// The missing file.
        what: &'static str,
    },
    /// No place for the store, or a file cannot be used.
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl Store {
    /// Reads a release into memory, checking every byte of it.
    ///
    /// # Errors
    /// There is no such release, it has another format version, or a file is not what the manifest tells.
    pub fn load(&self, id: &str) -> Result<Reference, Refused> {
        let manifest = self.manifest(id)?;
        let folder = self.release_folder(id);
        load(&folder, manifest).map_err(|reason| Refused { id: id.to_owned(), reason })
    }
}

impl Store {
    /// The e-services of a release, without the rest of it.
    ///
    /// # Errors
    /// There is no such release, or its file of e-services is not what the manifest tells.
    pub fn eservices(&self, id: &str) -> Result<eservices::EServices, Refused> {
        let manifest = self.manifest(id)?;
        let folder = self.release_folder(id);
        let files = Files { folder: &folder, manifest: &manifest };
        let read = files.text(eservices::FILE);
        read.and_then(|text| eservices::parse(eservices::FILE, &text).map_err(|e| e.to_string()))
            .map_err(|reason| Refused { id: id.to_owned(), reason })
    }
}

/// The files of a release.
struct Files<'a> {
    folder: &'a Path,
    manifest: &'a Manifest,
}

impl Files<'_> {
    fn entry(&self, name: &str) -> Result<&FileEntry, String> {
        self.manifest.file(name).ok_or_else(|| format!("{name}: the manifest does not name it"))
    }

    fn records<T: DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, String> {
        let read = Reader::open(self.folder, self.entry(name)?).and_then(Reader::all);
        read.map_err(|reason| format!("{name}: {reason}"))
    }

    fn text(&self, name: &str) -> Result<String, String> {
        let entry = self.entry(name)?;
        // Its size is the manifest's.
        let mut file = check::open(self.folder, entry).map_err(|reason| format!("{name}: {reason}"))?;
        if entry.bytes > text::MAX_WHOLE as u64 {
            return Err(format!("{name}: is larger than {} bytes", text::MAX_WHOLE));
        }
        let mut bytes = Vec::new();
        let read = file.by_ref().take(entry.bytes).read_to_end(&mut bytes);
        read.map_err(|error| format!("{name}: cannot be read: {error}"))?;
        if text::sha256(&bytes) != entry.sha256 {
            return Err(format!("{name}: does not have the checksum of the manifest"));
        }
        String::from_utf8(bytes).map_err(|_| format!("{name}: is not UTF-8"))
    }
}

fn load(folder: &Path, manifest: Manifest) -> Result<Reference, String> {
    let files = Files { folder, manifest: &manifest };
    check::files_of_release(&manifest)?;
    let invalid = |error: crate::document::Invalid| error.to_string();
    let lines: Vec<crate::structure::Line> = files.records(LINES_RECORDS)?;
    let mut by_pto: Vec<u32> = (0..).take(lines.len()).collect();
    by_pto.sort_unstable_by(|a, b| lines[*a as usize].pto.cmp(&lines[*b as usize].pto));
    let report = report(&files)?;
    let buildings: Vec<Building> = files.records(BUILDINGS_FILE)?;
    Ok(Reference {
        positions: Grid::new(buildings.iter().map(position)),
        buildings,
        structure: files.records(STRUCTURE_RECORDS)?,
        lines,
        by_pto,
        pbos: files.records(PBOS_FILE)?,
        extra_columns: files.records(COLUMNS_FILE)?,
        addresses: Search::build(
            files.records(COMMUNES_FILE)?,
            files.records(POSTAL_NAMES_FILE)?,
            files.records(STREETS_FILE)?,
        ),
        offers: offers::parse(offers::FILE, &files.text(offers::FILE)?).map_err(invalid)?,
        eservices: eservices::parse(eservices::FILE, &files.text(eservices::FILE)?).map_err(invalid)?,
        rules: derived::parse(derived::FILE, &files.text(derived::FILE)?).map_err(invalid)?,
        report,
        release: manifest.release,
    })
}

fn position(building: &Building) -> Option<Point> {
    let Position { x, y, projection } = building.position;
    geo::to_wgs84(projection, x, y)
}

fn report(files: &Files<'_>) -> Result<Report, String> {
    // There may be more of them than fit in memory.
    let entry = files.entry(PROBLEMS_FILE)?;
    let named = |reason| format!("{PROBLEMS_FILE}: {reason}");
    let _ = check::file(files.folder, entry, &mut |_| GO_ON).map_err(named)?;
    let file = check::open(files.folder, entry).map_err(named)?;
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(file);
    let mut problems = Vec::new();
    for row in reader.records().take(MOST_PROBLEMS) {
        let row = row.map_err(|error| format!("{PROBLEMS_FILE}: {error}"))?;
        let field = |at: usize| row.get(at).unwrap_or_default().to_owned();
        let unusable = || format!("{PROBLEMS_FILE}: a row cannot be used");
        problems.push(Problem {
            file: field(0),
            line: field(1).parse().map_err(|_| unusable())?,
            column: field(2),
            value: field(3),
            reason: field(4),
            outcome: Outcome::parse(&field(5)).ok_or_else(unusable)?,
        });
    }
    let sources = &files.manifest.release.sources;
    let tables = sources.iter().filter(|source| source.kind.is_table());
    let unknown = sources
        .iter()
        .flat_map(|source| source.unknown_columns.iter().map(|column| (source.name.clone(), column.clone())));
    Ok(Report {
        problems,
        unknown_columns: unknown.collect(),
        rows: tables.map(|source| (source.name.clone(), source.rows)).collect(),
    })
}

/// How much memory the sorts of [`Reference::from_files`] may take.
const MEMORY: usize = 256 << 20;

impl Reference {
    /// Imports a folder of files into a store that is thrown away, and loads the release: one or more IPE files
    /// (`*_PM_IPE*`, `.csv`, `.zip` or `.gz`), `structure.csv`, `lignes.csv`, other tables that an import takes, and
    /// `offers.toml`, `eservices.toml`, `appointments.toml`, for which the built-in ones stand in. Files that are no
    /// tables are left aside.
    ///
    /// # Errors
    /// A file is absent, unreadable, lacks a column, or (the TOML files) has any defect. Bad CSV rows are no error:
    /// see [`Reference::report`].
    pub fn from_files(folder: &Path) -> Result<Self, LoadError> {
        let names = names(folder)?;
        let absent = |what| LoadError::Absent { folder: folder.into(), what };
        if !names.iter().any(|name| ipe::is_ipe_name(name)) {
            return Err(absent("IPE file (a name with _PM_IPE, .csv, .zip or .gz)"));
        }
        for what in [STRUCTURE_FILE, LINES_FILE] {
            if !names.iter().any(|name| name == what) {
                return Err(absent(what));
            }
        }
        let texts = [offers::FILE, eservices::FILE, derived::FILE];
        let tables = [".csv", ".csv.gz", ".zip", ".ndjson", ".ndjson.gz"];
        let wanted = |name: &&String| {
            ipe::is_ipe_name(name)
                || texts.contains(&name.as_str())
                || tables.iter().any(|end| name.ends_with(end))
        };
        let files: Vec<_> = names.iter().filter(wanted).map(|name| folder.join(name)).collect();
        let place = Scratch::new()?;
        let store = Store::open(&place.0)?;
        let options = Options { memory_bytes: MEMORY, dry_run: false, today: Date::constant(1970, 1, 1) };
        let imported = store.import(&files, &options, &mut |_| GO_ON)?;
        Ok(store.load(imported.manifest.id()).map_err(ImportError::from)?)
    }
}

/// A folder of this process among the system's temporary ones; gone when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Result<Self, ImportError> {
        let base = std::env::temp_dir();
        for attempt in 0_u32.. {
            let path = base.join(format!("eservices-{}-{attempt}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(ImportError::io(&path, error)),
            }
        }
        Err(ImportError::io(&base, std::io::ErrorKind::AlreadyExists.into()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The system clears what cannot be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn names(folder: &Path) -> Result<Vec<String>, LoadError> {
    let failed = |source| LoadError::Folder { folder: folder.into(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
