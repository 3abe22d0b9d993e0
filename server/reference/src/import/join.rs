//! Sorted rows of buildings, structure and lines → one record per building, place and line.
//!
//! The three are read side by side, building by building. Does not know how full a box is ([`super::boxes`]).

use super::boxes::Boxes;
use super::problems::Problems;
use super::sorter::{Room, Sorted, Sorter};
use super::streets::Spots;
use super::{ImportError, Meter, Read};
use crate::building::Building;
use crate::ids::{Imb, Pm};
use crate::reference::Counts;
use crate::store::{BUILDINGS_FILE, FileEntry, LINES_RECORDS, STRUCTURE_RECORDS, Writer};
use crate::structure::{Line, Place, Row};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;

/// What the join wrote.
pub(super) struct Joined {
    pub files: Vec<FileEntry>,
    pub counts: Counts,
}

/// A line of a known building and the PM that its box hangs from, as far as the structure tells.
#[derive(Serialize, Deserialize)]
pub(super) struct Fed {
    pub line: Line,
    pub pm: Option<Pm>,
}

/// Merges the rows and writes the records. Buildings go on to the streets.
#[expect(clippy::too_many_arguments, reason = "three inputs, three outputs, a place to work and a meter")]
pub(super) fn join(
    mut buildings: Sorted<Read<Building>>,
    structure: Sorted<Read<Row>>,
    lines: Sorted<Read<Line>>,
    folder: &Path,
    room: &Room<'_>,
    spots: &mut Spots,
    problems: &mut Problems,
    meter: &mut Meter<'_>,
) -> Result<Joined, ImportError> {
    let failed = |error| ImportError::io(folder, error);
    let mut out = Writer::create(folder, BUILDINGS_FILE).map_err(failed)?;
    let mut places = Places {
        structure: Ahead::new(structure)?,
        lines: Ahead::new(lines)?,
        out: Writer::create(folder, STRUCTURE_RECORDS).map_err(failed)?,
        by_pto: room.sorter("ptos"),
        boxes: Boxes::new(room),
        folder,
    };
    let mut current: Option<Merge> = None;
    while let Some(row) = buildings.next()? {
        meter.row(0)?;
        if let Some(merge) = current.as_mut().filter(|merge| merge.building.imb == row.record.imb) {
            merge.add(row, problems)?;
        } else if let Some(done) = current.replace(Merge::new(row)) {
            out.push(&done.building).map_err(failed)?;
            places.of(&done.building.imb, problems, meter)?;
            spots.add_building(done.building)?;
        }
    }
    if let Some(done) = current {
        out.push(&done.building).map_err(failed)?;
        places.of(&done.building.imb, problems, meter)?;
        spots.add_building(done.building)?;
    }
    let buildings = out.finish().map_err(failed)?;
    let Places { mut structure, mut lines, out, by_pto, mut boxes, folder: _ } = places;
    while let Some(row) = structure.take(|_| true)? {
        meter.row(0)?;
        unknown(&row, &row.record.imb, problems)?;
    }
    while let Some(row) = lines.take(|_| true)? {
        meter.row(0)?;
        unknown(&row, &row.record.imb, problems)?;
    }
    let structure = out.finish().map_err(failed)?;
    let lines = once_each(by_pto, folder, room, &mut boxes, problems, meter)?;
    let pbos = boxes.write(folder, problems, meter)?;
    let counts = Counts {
        buildings: buildings.records as usize,
        structure: structure.records as usize,
        lines: lines.records as usize,
        pbos: pbos.records as usize,
        ..Counts::default()
    };
    Ok(Joined { files: vec![buildings, structure, lines, pbos], counts })
}

/// One record per building. Rows of one IMB are bâtiments of one address: the first by bâtiment is kept, their housings
/// are added up, and a row whose state contradicts it is reported. A second row of the same bâtiment is refused.
struct Merge {
    building: Building,
    previous: Vec<Box<str>>,
}

impl Merge {
    fn new(row: Read<Building>) -> Self {
        Self { previous: row.record.batiments.clone(), building: row.record }
    }

    fn add(&mut self, row: Read<Building>, problems: &mut Problems) -> Result<(), ImportError> {
        let first = &mut self.building;
        if self.previous == row.record.batiments {
            let imb = row.record.imb.as_str();
            return problems.refuse(&row, "IdentifiantImmeuble", imb, "stands twice for one bâtiment");
        }
        if first.state != row.record.state {
            let batiment = row.record.batiments.first().map_or("", |name| name);
            let reason = format!(
                "bâtiment {batiment} contradicts the state {} of the address's first row",
                first.state
            );
            problems.remark(&row, "EtatImmeuble", row.record.state.as_str(), reason)?;
        }
        first.housings = first.housings.saturating_add(row.record.housings);
        for (column, value) in row.record.extra {
            if let Err(at) = first.extra.binary_search_by_key(&column, |(column, _)| *column) {
                first.extra.insert(at, (column, value));
            }
        }
        self.previous.clone_from(&row.record.batiments);
        first.batiments.extend(row.record.batiments);
        Ok(())
    }
}

/// A sorted stream with a look at its next record.
struct Ahead<T> {
    sorted: Sorted<T>,
    next: Option<T>,
}

impl<T: DeserializeOwned> Ahead<T> {
    fn new(mut sorted: Sorted<T>) -> Result<Self, ImportError> {
        let next = sorted.next()?;
        Ok(Self { sorted, next })
    }

    /// The next record, where it is one of those.
    fn take(&mut self, those: impl FnOnce(&T) -> bool) -> Result<Option<T>, ImportError> {
        if !self.next.as_ref().is_some_and(those) {
            return Ok(None);
        }
        Ok(std::mem::replace(&mut self.next, self.sorted.next()?))
    }
}

fn unknown<T>(row: &Read<T>, imb: &Imb, problems: &mut Problems) -> Result<(), ImportError> {
    problems.refuse(row, "IMB", imb.as_str(), "no such building in the IPE file")
}

/// The places and lines of the buildings.
struct Places<'a> {
    structure: Ahead<Read<Row>>,
    lines: Ahead<Read<Line>>,
    out: Writer<Row>,
    by_pto: Sorter<Read<Fed>>,
    boxes: Boxes,
    folder: &'a Path,
}

impl Places<'_> {
    /// Takes those of a building, which comes after the ones before.
    fn of(&mut self, imb: &Imb, problems: &mut Problems, meter: &mut Meter<'_>) -> Result<(), ImportError> {
        while let Some(row) = self.structure.take(|row| row.record.imb < *imb)? {
            meter.row(0)?;
            unknown(&row, &row.record.imb, problems)?;
        }
        let mut rows: Vec<Read<Row>> = Vec::new();
        while let Some(row) = self.structure.take(|row| row.record.imb == *imb)? {
            rows.push(row);
        }
        rows.sort_by(|a, b| (&a.record, a.file, a.line).cmp(&(&b.record, b.file, b.line)));
        let mut kept: Vec<Read<Row>> = Vec::with_capacity(rows.len());
        for row in rows {
            if kept.last().is_some_and(|last| last.record == row.record) {
                problems.refuse(&row, "", "", "the same row stands twice")?;
                continue;
            }
            self.out.push(&row.record).map_err(|error| ImportError::io(self.folder, error))?;
            self.boxes.add_row(&row)?;
            kept.push(row);
        }
        while let Some(row) = self.lines.take(|row| row.record.imb < *imb)? {
            meter.row(0)?;
            unknown(&row, &row.record.imb, problems)?;
        }
        while let Some(Read { record: line, file, line: number }) =
            self.lines.take(|row| row.record.imb == *imb)?
        {
            let pm = kept.iter().map(|row| &row.record).find(|row| line.pbo.is_some() && row.pbo == line.pbo);
            let pm = pm.map(|row| row.pm.clone());
            let key = line.pto.as_str().as_bytes().to_vec();
            self.by_pto.push(&key, &Read { record: Fed { line, pm }, file, line: number })?;
        }
        Ok(())
    }
}

/// Writes the lines in order of building, place and socket, one per socket.
fn once_each(
    by_pto: Sorter<Read<Fed>>,
    folder: &Path,
    room: &Room<'_>,
    boxes: &mut Boxes,
    problems: &mut Problems,
    meter: &mut Meter<'_>,
) -> Result<FileEntry, ImportError> {
    let mut sorted = by_pto.finish()?;
    let mut in_order: Sorter<Read<Fed>> = room.sorter("fed");
    let mut last = None;
    while let Some(row) = sorted.next()? {
        meter.row(0)?;
        let line = &row.record.line;
        if last.as_ref() == Some(&line.pto) {
            problems.refuse(&row, "PTO", line.pto.as_str(), "stands twice")?;
            continue;
        }
        last = Some(line.pto.clone());
        in_order.push(&place_key(&line.imb, &line.place), &row)?;
    }
    let failed = |error| ImportError::io(folder, error);
    let mut out = Writer::create(folder, LINES_RECORDS).map_err(failed)?;
    let mut sorted = in_order.finish()?;
    while let Some(row) = sorted.next()? {
        meter.row(0)?;
        out.push(&row.record.line).map_err(failed)?;
        boxes.add_line(&row, problems)?;
    }
    out.finish().map_err(failed)
}

/// A key in the order of buildings and places: no text in a row holds NUL.
pub(super) fn place_key(imb: &Imb, place: &Place) -> Vec<u8> {
    let mut key = imb.as_str().as_bytes().to_vec();
    for part in [&place.batiment, &place.escalier, &place.etage] {
        key.extend_from_slice(part.as_bytes());
        key.push(0);
    }
    key
}
