//! Input files: what each is, told by its name or by its header.
//!
//! Does not read rows.

use super::{ImportError, Meter, Phase};
use crate::store::{LINES_FILE, STRUCTURE_FILE};
use crate::table::{Layout, header_names};
use crate::text::{self, Digest, Encoding, Stamp};
use crate::{ban, communes, derived, eservices, ipe, offers, structure};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What an input file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// IPE file of Interop'Fibre.
    Ipe,
    /// Our structure file.
    Structure,
    /// Our line file.
    Lines,
    /// Numbers of the national address base, CSV.
    BanNumbers,
    /// Places of the national address base, CSV.
    BanLocalities,
    /// Streets of the national address base, one JSON object a line.
    BanStreets,
    /// List of communes.
    Communes,
    /// Postcodes and routing labels of La Poste.
    PostalNames,
    /// Catalogue of offers.
    Offers,
    /// List of e-services.
    EServices,
    /// Word lists behind the appointment types.
    Appointments,
}

impl SourceKind {
    /// The layout of a kind that is a table.
    pub(super) fn layout(self) -> Option<&'static Layout> {
        match self {
            Self::Ipe => Some(&ipe::LAYOUT),
            Self::Structure => Some(&structure::STRUCTURE),
            Self::Lines => Some(&structure::LINES),
            Self::BanNumbers => Some(&ban::NUMBERS),
            Self::BanLocalities => Some(&ban::LOCALITIES),
            Self::Communes => Some(&communes::COMMUNES),
            Self::PostalNames => Some(&communes::POSTAL_NAMES),
            Self::BanStreets | Self::Offers | Self::EServices | Self::Appointments => None,
        }
    }

    /// Whether it has rows.
    pub(crate) fn is_table(self) -> bool {
        self.layout().is_some() || self == Self::BanStreets
    }

    fn by_name(name: &str) -> Option<Self> {
        match name {
            offers::FILE => Some(Self::Offers),
            eservices::FILE => Some(Self::EServices),
            derived::FILE => Some(Self::Appointments),
            STRUCTURE_FILE => Some(Self::Structure),
            LINES_FILE => Some(Self::Lines),
            _ if ipe::is_ipe_name(name) => Some(Self::Ipe),
            _ if [".ndjson", ".ndjson.gz"].iter().any(|end| name.ends_with(end)) => Some(Self::BanStreets),
            _ => None,
        }
    }
}

/// The kinds that a header tells.
const BY_HEADER: &[SourceKind] = &[
    SourceKind::Ipe,
    SourceKind::Structure,
    SourceKind::Lines,
    SourceKind::BanNumbers,
    SourceKind::BanLocalities,
    SourceKind::Communes,
    SourceKind::PostalNames,
];

/// What a file may be, for the message on one that is nothing of it.
const EXPECTED: &str = "an IPE file (a name with _PM_IPE), a CSV file with the header of the IPE, of the structure or \
                        line file, of the address base's numbers or places, of the list of communes or of the \
                        postcodes, an .ndjson file of the address base, offers.toml, eservices.toml or \
                        appointments.toml";

/// An input file that is summed.
pub(crate) struct Input {
    pub path: PathBuf,
    pub name: String,
    pub digest: Digest,
    /// What it was when it was summed.
    pub stamp: Stamp,
}

/// An input file that is recognised.
pub(super) struct Recognised {
    pub path: PathBuf,
    pub name: String,
    pub digest: Digest,
    pub stamp: Stamp,
    pub kind: SourceKind,
    pub encoding: Encoding,
}

/// Sums every file. The files are put in order of their names, which must differ.
pub(crate) fn sum(paths: &[PathBuf], meter: &mut Meter<'_>) -> Result<Vec<Input>, ImportError> {
    let mut inputs = Vec::with_capacity(paths.len());
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stamp = text::stamp(path)?;
        meter.start(Phase::Sum, &name, stamp.bytes)?;
        let digest = text::digest(path, &mut |read| meter.read(read))?;
        inputs.push(Input { path: path.clone(), name, digest, stamp });
    }
    inputs.sort_by(|a, b| a.name.cmp(&b.name));
    match inputs.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(ImportError::SameName { name: pair[0].name.clone() }),
        None => Ok(inputs),
    }
}

/// Tells what a file is.
pub(super) fn recognise(input: Input, meter: &mut Meter<'_>) -> Result<Recognised, ImportError> {
    let Input { path, name, digest, stamp } = input;
    meter.start(Phase::Recognise, &name, digest.bytes)?;
    let encoding = text::encoding(&path, &mut |read| meter.read(read))?;
    let kind = match SourceKind::by_name(&name) {
        Some(kind) => Some(kind),
        None => by_header(&path, &name, encoding)?,
    };
    let kind = kind.ok_or_else(|| ImportError::Unrecognised { name: name.clone(), expected: EXPECTED })?;
    Ok(Recognised { path, name, digest, stamp, kind, encoding })
}

fn by_header(path: &Path, name: &str, encoding: Encoding) -> Result<Option<SourceKind>, ImportError> {
    let names = text::open(path, |input, _| {
        // A file without a header line is recognised as nothing.
        Ok::<_, ImportError>(header_names(name, input, encoding).unwrap_or_default())
    })?;
    let has = |column: &str| names.iter().any(|name| name.eq_ignore_ascii_case(column));
    let all = |kind: &&SourceKind| kind.layout().is_some_and(|layout| layout.required.iter().all(|c| has(c)));
    Ok(BY_HEADER.iter().find(all).copied())
}
