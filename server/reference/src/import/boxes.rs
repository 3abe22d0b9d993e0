//! Branching boxes: how many fibres each has and how many lines use one.
//!
//! Does not know buildings.

use super::join::{Fed, place_key};
use super::problems::Problems;
use super::sorter::{Room, Sorter};
use super::{ImportError, Meter, Read};
use crate::ids::Pm;
use crate::reference::Pbo;
use crate::store::{FileEntry, PBOS_FILE, Writer};
use crate::structure::Row;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A row that names a box, or a line that it feeds.
#[derive(Serialize, Deserialize)]
struct Use {
    pm: Pm,
    pbo: Box<str>,
    /// The fibres that the row tells, if it tells; none inside for a line.
    row: Option<Option<u32>>,
}

/// Collects what is told about boxes.
pub(super) struct Boxes(Sorter<Read<Use>>);

impl Boxes {
    pub fn new(room: &Room<'_>) -> Self {
        Self(room.sorter("boxes"))
    }

    /// A row of the structure.
    pub fn add_row(&mut self, row: &Read<Row>) -> Result<(), ImportError> {
        let Row { imb, place, pm, pbo, pbo_fibres, .. } = &row.record;
        let Some(pbo) = pbo.clone() else { return Ok(()) };
        let told = Use { pm: pm.clone(), pbo, row: Some(*pbo_fibres) };
        self.add(told, 0, &place_key(imb, place), row.file, row.line)
    }

    /// A line. It names no PM: its box is the one of that reference in its building's structure.
    pub fn add_line(&mut self, row: &Read<Fed>, problems: &mut Problems) -> Result<(), ImportError> {
        let Fed { line, pm } = &row.record;
        let Some(pbo) = line.pbo.clone() else { return Ok(()) };
        let Some(pm) = pm.clone() else {
            return problems.remark(row, "PBO", &pbo, "no such box in the structure of the building");
        };
        let mut place = place_key(&line.imb, &line.place);
        place.extend_from_slice(line.pto.as_str().as_bytes());
        self.add(Use { pm, pbo, row: None }, 1, &place, row.file, row.line)
    }

    /// Rows come before lines, both by place.
    fn add(&mut self, record: Use, rank: u8, place: &[u8], file: u16, line: u64) -> Result<(), ImportError> {
        let mut key = record.pm.as_str().as_bytes().to_vec();
        key.extend_from_slice(record.pbo.as_bytes());
        key.extend_from_slice(&[0, rank]);
        key.extend_from_slice(place);
        key.push(0);
        self.0.push(&key, &Read { record, file, line })
    }

    /// Writes the boxes that the structure names, by PM and reference.
    pub fn write(
        self,
        folder: &Path,
        problems: &mut Problems,
        meter: &mut Meter<'_>,
    ) -> Result<FileEntry, ImportError> {
        let failed = |error| ImportError::io(folder, error);
        let mut out = Writer::create(folder, PBOS_FILE).map_err(failed)?;
        let mut sorted = self.0.finish()?;
        let mut current: Option<Pbo> = None;
        while let Some(row) = sorted.next()? {
            meter.row(0)?;
            let Use { pm, pbo, row: told } = &row.record;
            if current.as_ref().is_none_or(|last| last.pm != *pm || last.pbo != *pbo) {
                let fibres = told.flatten();
                let new = Pbo { pm: pm.clone(), pbo: pbo.clone(), fibres, lines: 0 };
                if let Some(done) = current.replace(new) {
                    out.push(&done).map_err(failed)?;
                }
            }
            let Some(last) = current.as_mut() else { continue };
            match told {
                Some(fibres) => {
                    if last.fibres != *fibres {
                        let text = fibres.map_or(String::new(), |fibres| fibres.to_string());
                        let reason = format!("{pbo} has another total elsewhere");
                        problems.remark(&row, "fibres_PBO", &text, reason)?;
                    }
                    last.fibres = [last.fibres, *fibres].into_iter().flatten().min();
                }
                None => {
                    last.lines += 1;
                    if last.fibres.is_some_and(|fibres| last.lines == fibres.saturating_add(1)) {
                        problems.remark(&row, "PBO", pbo, "more lines than fibres on this box")?;
                    }
                }
            }
        }
        if let Some(done) = current {
            out.push(&done).map_err(failed)?;
        }
        out.finish().map_err(failed)
    }
}
