//! What rows of the IPE must be among themselves and against the lists of communes.
//!
//! All of it gives remarks: the rows are kept. Does not know rows that are refused on their own.

use super::problems::Problems;
use super::sorter::{Room, Sorter};
use super::{ImportError, Meter, Read};
use crate::address::{Commune, PostalName};
use crate::building::Building;
use crate::communes::{has_postcode, outside};
use crate::geo;
use crate::ids::{Imb, Pm};
use crate::problem::Problem;
use crate::table::Row;
use serde::{Deserialize, Serialize};

/// A row's share of its PM.
#[derive(Serialize, Deserialize)]
struct Share {
    pm: Pm,
    housings: u32,
    told: Option<u32>,
}

/// Checks over all rows.
pub(super) struct Checks {
    shares: Sorter<Read<Share>>,
    hexacles: Sorter<Read<Imb>>,
}

impl Checks {
    pub fn new(room: &Room<'_>) -> Self {
        Self { shares: room.sorter("shares"), hexacles: room.sorter("hexacles") }
    }

    pub fn add(&mut self, row: &Read<Building>) -> Result<(), ImportError> {
        let Read { record: building, file, line } = row;
        let (file, line) = (*file, *line);
        if let Some(pm) = &building.pm {
            let mut key = pm.as_str().as_bytes().to_vec();
            key.extend_from_slice(&file.to_be_bytes());
            key.extend_from_slice(&line.to_be_bytes());
            let share = Share { pm: pm.clone(), housings: building.housings, told: building.pm_housings };
            self.shares.push(&key, &Read { record: share, file, line })?;
        }
        if let Some(hexacle) = &building.hexacle {
            let mut key = hexacle.as_bytes().to_vec();
            key.extend_from_slice(building.batiments.first().map_or("", |name| name).as_bytes());
            key.push(0);
            self.hexacles.push(&key, &Read { record: building.imb.clone(), file, line })?;
        }
        Ok(())
    }

    pub fn finish(self, problems: &mut Problems, meter: &mut Meter<'_>) -> Result<(), ImportError> {
        shares(self.shares, problems, meter)?;
        hexacles(self.hexacles, problems, meter)
    }
}

/// The file says how many housings a PM serves; its rows must add up to that. Told once per PM, on its first row.
fn shares(
    shares: Sorter<Read<Share>>,
    problems: &mut Problems,
    meter: &mut Meter<'_>,
) -> Result<(), ImportError> {
    let mut sorted = shares.finish()?;
    let mut next = sorted.next()?;
    while let Some(first) = next {
        let mut sum = u64::from(first.record.housings);
        next = sorted.next()?;
        meter.row(0)?;
        while let Some(row) = next.take_if(|row| row.record.pm == first.record.pm) {
            meter.row(0)?;
            sum += u64::from(row.record.housings);
            next = sorted.next()?;
        }
        if let Some(told) = first.record.told.filter(|told| u64::from(*told) != sum) {
            let reason = format!("the usable rows of {} have {sum} housings", first.record.pm);
            problems.remark(&first, "NombreLogementsPM", &told.to_string(), reason)?;
        }
    }
    Ok(())
}

/// Rows that share a hexaclé are bâtiments of one number: two buildings with the same bâtiment there contradict.
fn hexacles(
    hexacles: Sorter<Read<Imb>>,
    problems: &mut Problems,
    meter: &mut Meter<'_>,
) -> Result<(), ImportError> {
    let mut sorted = hexacles.finish()?;
    let mut first: Option<(Vec<u8>, Imb)> = None;
    while let Some(row) = sorted.next()? {
        meter.row(0)?;
        match &first {
            Some((key, imb)) if key == sorted.key() => {
                if *imb != row.record {
                    let reason = format!("has the hexaclé and the bâtiment of {imb}");
                    problems.remark(&row, "CodeAdresseImmeuble", row.record.as_str(), reason)?;
                }
            }
            _ => first = Some((sorted.key().to_vec(), row.record)),
        }
    }
    Ok(())
}

/// How many rows a list may have: France has 35 thousand communes, and 39 thousand postal names.
const MOST_LISTED: usize = 500_000;

/// The communes and the names under which mail reaches them: few enough to be held.
#[derive(Default)]
pub(super) struct Lists {
    pub communes: Vec<Read<Commune>>,
    pub postal_names: Vec<PostalName>,
    /// Rows of a commune that is there already.
    repeated: Vec<Read<Commune>>,
}

impl Lists {
    /// Refuses a row of a list that is too long to be held.
    pub fn room(&self, row: &Row<'_>) -> Result<(), Problem> {
        let full = self.communes.len().max(self.postal_names.len()) >= MOST_LISTED;
        let reason = || format!("the list has more than {MOST_LISTED} rows");
        if full { Err(Problem::refused(row.file, row.line, "", "", reason())) } else { Ok(()) }
    }

    /// To be called when both lists are read.
    pub fn sort(&mut self) {
        let bytes = |row: &Read<Commune>| postcard::to_stdvec(row).unwrap_or_default();
        self.communes.sort_by_cached_key(|row| (row.record.insee.clone(), bytes(row)));
        let mut last = None;
        let (first, repeated) = std::mem::take(&mut self.communes)
            .into_iter()
            .partition(|row| last.replace(row.record.insee.clone()).as_ref() != Some(&row.record.insee));
        (self.communes, self.repeated) = (first, repeated);
        self.postal_names.sort_unstable();
        self.postal_names.dedup();
    }

    /// What is odd about a building's commune, postcode and place. Nothing where there is no list of communes.
    pub fn remarks(&self, row: &Row<'_>, building: &Building) -> Vec<Problem> {
        let mut found = Vec::new();
        if self.communes.is_empty() {
            return found;
        }
        let mut kept = |column, reason: String| {
            found.push(Problem::kept(row.file, row.line, column, row.get(column), reason));
        };
        let at = self.communes.binary_search_by(|commune| commune.record.insee.cmp(&building.insee));
        let Some(commune) = at.ok().map(|at| &self.communes[at].record) else {
            kept("CodeInseeImmeuble", "is not in the list of communes".to_owned());
            return found;
        };
        if !has_postcode(commune, &self.postal_names, &building.postcode) {
            kept("CodePostalImmeuble", format!("is no postcode of {} {}", commune.insee, commune.name));
        }
        let position = building.position;
        let point = geo::to_wgs84(position.projection, position.x, position.y);
        if let Some(metres) = point.and_then(|point| outside(commune, point)) {
            kept(
                "CoordonneeImmeubleX",
                format!("the place is {metres:.0} m outside {} {}", commune.insee, commune.name),
            );
        }
        found
    }

    /// The lists, sorted.
    pub fn finish(self, problems: &mut Problems) -> Result<(Vec<Commune>, Vec<PostalName>), ImportError> {
        for row in &self.repeated {
            problems.refuse(row, "code", row.record.insee.as_str(), "stands twice")?;
        }
        Ok((self.communes.into_iter().map(|row| row.record).collect(), self.postal_names))
    }
}
