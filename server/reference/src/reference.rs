//! The reference data in memory: sorted, checksummed, immutable; look-ups by binary search without allocation.
//!
//! Does not know the file formats ([`crate::store`] reads releases), what changes between releases (the server's
//! overlay), nor which offer fits a building.

use crate::address::{Point, Search};
use crate::building::Building;
use crate::derived::Rules;
use crate::eservices::EServices;
use crate::grid::Grid;
use crate::ids::{Imb, Pm, Pto};
use crate::import::SourceKind;
use crate::offers::Catalogue;
use crate::problem::Problem;
use crate::structure::{Line, Place, Row};
use serde::{Deserialize, Serialize};

/// One input file of a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// File name, or `(built in)` and the name for data that ships with the crate.
    pub name: String,
    /// Hex SHA-256 of the file as it lies on disk.
    pub sha256: String,
    /// Size on disk.
    pub bytes: u64,
    /// What it is.
    pub kind: SourceKind,
    /// Its encoding, for instance `UTF-8`.
    pub encoding: String,
    /// Data rows, refused ones included; 0 for a TOML file.
    pub rows: u64,
    /// Columns that its format does not have.
    pub unknown_columns: Vec<String>,
}

/// How much a release holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Buildings.
    pub buildings: usize,
    /// Structure rows.
    pub structure: usize,
    /// Existing lines.
    pub lines: usize,
    /// Branching boxes.
    pub pbos: usize,
    /// Offers.
    pub offers: usize,
    /// E-services.
    pub eservices: usize,
    /// Streets and places.
    pub streets: usize,
    /// Numbers of the streets.
    pub numbers: usize,
    /// Communes of the official list.
    pub communes: usize,
    /// Names under which mail reaches them.
    pub postal_names: usize,
    /// Rows that were refused.
    pub refused: usize,
    /// Remarks on rows that were kept.
    pub remarks: usize,
}

/// What these data are, so that an answer can name them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Day of the newest IPE file and the first 12 digits of the checksum, for instance `20261101-0a1b2c3d4e5f`.
    pub name: String,
    /// Hex SHA-256 over the sorted records: the same records give the same sum, whatever the order of the input.
    pub sha256: String,
    /// How much it holds.
    pub counts: Counts,
    /// The files that it was built from, by name.
    pub sources: Vec<Source>,
}

/// What was noticed while the data were imported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Refused rows and remarks, by file and line: the first 10,000. [`Counts`] tells how many there are, the release's
    /// `problems.csv` has them all.
    pub problems: Vec<Problem>,
    /// Columns that nothing reads: (file, column).
    pub unknown_columns: Vec<(String, String)>,
    /// Data rows by CSV file, refused ones included.
    pub rows: Vec<(String, u64)>,
}

/// A branching box and how full it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pbo {
    /// The PM that it hangs from; a box's reference is unique within its PM.
    pub pm: Pm,
    /// Its reference.
    pub pbo: Box<str>,
    /// Fibres in total; where rows disagree, the smallest, so that none is sold twice.
    pub fibres: Option<u32>,
    /// Existing lines, each using one fibre.
    pub lines: u32,
}

impl Pbo {
    /// Fibres left: none when there are more lines than fibres; unknown when the total is.
    #[must_use]
    pub fn free(&self) -> Option<u32> {
        self.fibres.map(|fibres| fibres.saturating_sub(self.lines))
    }
}

/// All reference data of one release. Immutable; share it by `Arc`.
#[derive(Debug)]
pub struct Reference {
    pub(crate) buildings: Vec<Building>,
    pub(crate) structure: Vec<Row>,
    pub(crate) lines: Vec<Line>,
    /// Places in `lines`, by PTO.
    pub(crate) by_pto: Vec<u32>,
    pub(crate) pbos: Vec<Pbo>,
    pub(crate) extra_columns: Vec<Box<str>>,
    pub(crate) addresses: Search,
    /// Where the buildings stand.
    pub(crate) positions: Grid,
    pub(crate) offers: Catalogue,
    pub(crate) eservices: EServices,
    pub(crate) rules: Rules,
    pub(crate) release: Release,
    pub(crate) report: Report,
}

impl Reference {
    /// The building with that identifier.
    #[must_use]
    pub fn building(&self, imb: &Imb) -> Option<&Building> {
        self.buildings.binary_search_by(|building| building.imb.cmp(imb)).ok().map(|at| &self.buildings[at])
    }

    /// Every building, sorted by identifier.
    #[must_use]
    pub fn buildings(&self) -> &[Building] {
        &self.buildings
    }

    /// Its places and the network that serves them, sorted by place; empty when the structure is not known.
    #[must_use]
    pub fn structure(&self, imb: &Imb) -> &[Row] {
        run(&self.structure, |row| row.imb.cmp(imb))
    }

    /// Its existing lines, sorted by place.
    #[must_use]
    pub fn lines(&self, imb: &Imb) -> &[Line] {
        run(&self.lines, |line| line.imb.cmp(imb))
    }

    /// The existing lines of one place of it, sorted by socket.
    #[must_use]
    pub fn lines_at(&self, imb: &Imb, place: &Place) -> &[Line] {
        run(&self.lines, |line| (&line.imb, &line.place).cmp(&(imb, place)))
    }

    /// The line that ends at that socket.
    #[must_use]
    pub fn line(&self, pto: &Pto) -> Option<&Line> {
        let at = self.by_pto.binary_search_by(|at| self.lines[*at as usize].pto.cmp(pto)).ok()?;
        Some(&self.lines[self.by_pto[at] as usize])
    }

    /// The branching box with that reference below that PM.
    #[must_use]
    pub fn pbo(&self, pm: &Pm, pbo: &str) -> Option<&Pbo> {
        let found = self.pbos.binary_search_by(|box_| (&box_.pm, &*box_.pbo).cmp(&(pm, pbo)));
        found.ok().map(|at| &self.pbos[at])
    }

    /// Whether a box hangs from that sharing point.
    #[must_use]
    pub fn has_pm(&self, pm: &Pm) -> bool {
        let at = self.pbos.partition_point(|box_| box_.pm < *pm);
        self.pbos.get(at).is_some_and(|box_| box_.pm == *pm)
    }

    /// Fibres left on the box that serves a place; `None` when the place has no box or its size is not known.
    #[must_use]
    pub fn free_fibres(&self, row: &Row) -> Option<u32> {
        self.pbo(&row.pm, row.pbo.as_deref()?)?.free()
    }

    /// The names of the columns behind [`Building::extra`], sorted.
    #[must_use]
    pub fn extra_columns(&self) -> &[Box<str>] {
        &self.extra_columns
    }

    /// What the file says of a building in columns that nothing reads: (column, value).
    pub fn extra<'a>(&'a self, building: &'a Building) -> impl Iterator<Item = (&'a str, &'a str)> {
        let named = |(place, value): &'a (u16, Box<str>)| {
            Some((&**self.extra_columns.get(usize::from(*place))?, &**value))
        };
        building.extra.iter().filter_map(named)
    }

    /// The communes, streets and numbers.
    #[must_use]
    pub fn addresses(&self) -> &Search {
        &self.addresses
    }

    /// The buildings at most `radius` metres from a place, nearest first.
    #[must_use]
    pub fn around(&self, centre: Point, radius: f64) -> Vec<(f64, &Building)> {
        let found = self.positions.around(centre, radius);
        found.into_iter().map(|(metres, at)| (metres, &self.buildings[at])).collect()
    }

    /// The catalogue of offers.
    #[must_use]
    pub fn offers(&self) -> &Catalogue {
        &self.offers
    }

    /// The e-services.
    #[must_use]
    pub fn eservices(&self) -> &EServices {
        &self.eservices
    }

    /// The word lists behind [`crate::derived::appointment_type`].
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Which data these are.
    #[must_use]
    pub fn release(&self) -> &Release {
        &self.release
    }

    /// What was noticed while they were read.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }
}

/// The run of equal elements in a sorted slice.
fn run<T>(sorted: &[T], order: impl Fn(&T) -> std::cmp::Ordering) -> &[T] {
    let start = sorted.partition_point(|item| order(item).is_lt());
    let length = sorted[start..].partition_point(|item| order(item).is_eq());
    &sorted[start..start + length]
}
