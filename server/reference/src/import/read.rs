//! Input files → sorts, row by row; then what is left to do in its order, and the record files of the release.
//!
//! Does not know how rows are merged.

use super::checks::{Checks, Lists};
use super::join::{Joined, join};
use super::problems::Problems;
use super::sorter::{Room, Sorter};
use super::sources::{Input, Recognised, recognise};
use super::streets::Spots;
use super::{ImportError, Meter, Options, Phase, Read, SourceKind};
use crate::building::Building;
use crate::problem::Problem;
use crate::reference::{Counts, Source};
use crate::store::{COLUMNS_FILE, COMMUNES_FILE, FileEntry, POSTAL_NAMES_FILE, write_all};
use crate::structure::{self, Line};
use crate::table::{self, Layout, Row, Table};
use crate::text::{self, Encoding, Lines};
use crate::{ban, communes, ipe};
use std::collections::BTreeSet;
use std::path::Path;

/// How many sorts may hold memory at once.
const SORTS: usize = 12;

/// The record files of a release and what they hold.
pub(crate) struct Built {
    /// Files of records, in the order in which they are summed.
    pub files: Vec<FileEntry>,
    /// The file of problems.
    pub report: FileEntry,
    pub sources: Vec<Source>,
    /// Without offers and e-services.
    pub counts: Counts,
    /// The newest day in the name of an IPE file; empty where none has one.
    pub day: String,
    pub problems: Vec<Problem>,
}

/// Reads the files into `folder`, with `work` for what is in between.
pub(crate) fn build(
    inputs: Vec<Input>,
    folder: &Path,
    work: &Path,
    options: &Options,
    meter: &mut Meter<'_>,
) -> Result<Built, ImportError> {
    let inputs = inputs.into_iter().map(|input| recognise(input, meter)).collect::<Result<Vec<_>, _>>()?;
    if !inputs.iter().any(|input| input.kind == SourceKind::Ipe) {
        return Err(ImportError::NoIpe);
    }
    let room = Room { folder: work, each: options.memory_bytes / SORTS };
    let columns = extra_columns(&inputs)?;
    let listed = |input: &Recognised| {
        matches!(input.kind, SourceKind::BanNumbers | SourceKind::BanLocalities | SourceKind::BanStreets)
    };
    let mut reading = Reading {
        problems: Problems::new(inputs.iter().map(|input| input.name.clone()).collect(), &room),
        checks: Checks::new(&room),
        lists: Lists::default(),
        spots: Spots::new(inputs.iter().any(listed), &room),
        buildings: room.sorter("buildings"),
        structure: room.sorter("structure"),
        lines: room.sorter("lines"),
        columns,
    };
    let mut sources = Vec::with_capacity(inputs.len());
    // The lists first: the rows of buildings are checked against them.
    let (lists, others): (Vec<_>, Vec<_>) = (0_u16..)
        .zip(&inputs)
        .partition(|(_, input)| matches!(input.kind, SourceKind::Communes | SourceKind::PostalNames));
    for (place, input) in lists {
        sources.push(reading.read(input, place, meter)?);
    }
    reading.lists.sort();
    for (place, input) in others {
        sources.push(reading.read(input, place, meter)?);
    }
    let days = inputs.iter().filter(|input| input.kind == SourceKind::Ipe);
    let day = days.filter_map(|input| ipe::day_in_name(&input.name)).max().unwrap_or_default().to_owned();
    reading.finish(folder, &room, sources, day, meter)
}

/// The names of the columns that nothing reads, all IPE files together.
fn extra_columns(inputs: &[Recognised]) -> Result<Vec<Box<str>>, ImportError> {
    let mut columns = BTreeSet::new();
    for input in inputs.iter().filter(|input| input.kind == SourceKind::Ipe) {
        text::open(&input.path, |stream, _| {
            let table = Table::open(&input.name, stream, input.encoding, &ipe::LAYOUT)?;
            columns.extend(table.header.others.into_iter().map(|other| other.name));
            Ok::<_, ImportError>(())
        })?;
    }
    if columns.len() > usize::from(u16::MAX) {
        let reason = format!("{} columns in all IPE files together", columns.len());
        return Err(table::Error::NoHeader { file: "IPE".to_owned(), reason }.into());
    }
    Ok(columns.into_iter().collect())
}

struct Reading {
    problems: Problems,
    checks: Checks,
    lists: Lists,
    spots: Spots,
    buildings: Sorter<Read<Building>>,
    structure: Sorter<Read<structure::Row>>,
    lines: Sorter<Read<Line>>,
    columns: Vec<Box<str>>,
}

impl Reading {
    fn read(&mut self, input: &Recognised, place: u16, meter: &mut Meter<'_>) -> Result<Source, ImportError> {
        meter.start(Phase::Read, &input.name, input.digest.bytes)?;
        let (rows, unknown_columns) = match (input.kind, input.kind.layout()) {
            (SourceKind::BanStreets, _) => (self.streets(input, meter)?, Vec::new()),
            (_, Some(layout)) => self.table(input, place, layout, meter)?,
            (_, None) => (0, Vec::new()),
        };
        if text::stamp(&input.path)? != input.stamp {
            return Err(ImportError::Changed { name: input.name.clone() });
        }
        Ok(Source {
            name: input.name.clone(),
            sha256: input.digest.sha256.clone(),
            bytes: input.digest.bytes,
            kind: input.kind,
            encoding: input.encoding.as_str().to_owned(),
            rows,
            unknown_columns,
        })
    }

    fn table(
        &mut self,
        input: &Recognised,
        place: u16,
        layout: &Layout,
        meter: &mut Meter<'_>,
    ) -> Result<(u64, Vec<String>), ImportError> {
        text::open(&input.path, |stream, at| {
            let table = Table::open(&input.name, stream, input.encoding, layout)?;
            let unknown = table.header.unknown();
            let others = table.header.others.iter();
            // In a file that is no IPE file nothing is kept.
            let places: Vec<u16> = others
                .filter_map(|other| self.columns.binary_search(&other.name).ok()?.try_into().ok())
                .collect();
            let rows = table.rows(|row| {
                meter.row(at.get())?;
                match row.and_then(|row| self.row(input.kind, row, place, &places)) {
                    Ok(result) => result,
                    Err(problem) => self.problems.push(&problem),
                }
            })?;
            Ok((rows, unknown))
        })
    }

    /// Reads a row: refused by a problem, or taken, which may fail for want of disk.
    fn row(
        &mut self,
        kind: SourceKind,
        row: &Row<'_>,
        file: u16,
        places: &[u16],
    ) -> Result<Result<(), ImportError>, Problem> {
        let line = row.line;
        Ok(match kind {
            SourceKind::Ipe => {
                let building = ipe::building(row, places)?;
                let remarks = ipe::remarks(row, &building);
                let remarks = remarks.into_iter().chain(self.lists.remarks(row, &building));
                self.building(remarks.collect(), Read { record: building, file, line })
            }
            SourceKind::Structure => {
                let record = structure::structure(row)?;
                let key = record.imb.as_str().as_bytes().to_vec();
                self.structure.push(&key, &Read { record, file, line })
            }
            SourceKind::Lines => {
                let record = structure::line(row)?;
                let key = record.imb.as_str().as_bytes().to_vec();
                self.lines.push(&key, &Read { record, file, line })
            }
            SourceKind::BanNumbers => self.entry(ban::number(row)?),
            SourceKind::BanLocalities => self.entry(ban::locality(row)?),
            SourceKind::Communes => {
                self.lists.room(row)?;
                self.lists.communes.push(Read { record: communes::commune(row)?, file, line });
                Ok(())
            }
            SourceKind::PostalNames => {
                self.lists.room(row)?;
                self.lists.postal_names.push(communes::postal_name(row)?);
                Ok(())
            }
            // These are no tables.
            SourceKind::BanStreets
            | SourceKind::Offers
            | SourceKind::EServices
            | SourceKind::Appointments => Ok(()),
        })
    }

    fn building(&mut self, remarks: Vec<Problem>, row: Read<Building>) -> Result<(), ImportError> {
        for remark in remarks {
            self.problems.push(&remark)?;
        }
        self.checks.add(&row)?;
        // Rows of one building lie together, by bâtiment.
        let mut key = row.record.imb.as_str().as_bytes().to_vec();
        key.extend_from_slice(row.record.batiments.first().map_or("", |name| name).as_bytes());
        key.push(0);
        self.buildings.push(&key, &row)
    }

    fn entry(&mut self, (entry, remark): (ban::Entry, Option<Problem>)) -> Result<(), ImportError> {
        if let Some(remark) = remark {
            self.problems.push(&remark)?;
        }
        self.spots.add_entry(entry)
    }

    fn streets(&mut self, input: &Recognised, meter: &mut Meter<'_>) -> Result<u64, ImportError> {
        text::open(&input.path, |stream, at| {
            // JSON is UTF-8.
            let mut lines = Lines::new(stream, Encoding::Utf8);
            let mut rows = 0;
            while let Some(line) = lines.next_line().map_err(|error| ImportError::io(&input.path, error))? {
                rows += 1;
                meter.row(at.get())?;
                match line.text {
                    Err(reason) => {
                        self.problems.push(&Problem::refused(&input.name, line.number, "", "", reason))?;
                    }
                    Ok(text) => {
                        let (entries, problems) = ban::ndjson_line(&input.name, line.number, text);
                        for entry in entries {
                            self.spots.add_entry(entry)?;
                        }
                        for problem in &problems {
                            self.problems.push(problem)?;
                        }
                    }
                }
            }
            Ok(rows)
        })
    }

    fn finish(
        self,
        folder: &Path,
        room: &Room<'_>,
        mut sources: Vec<Source>,
        day: String,
        meter: &mut Meter<'_>,
    ) -> Result<Built, ImportError> {
        let Self { mut problems, checks, lists, mut spots, buildings, structure, lines, columns } = self;
        sources.sort();
        meter.start(Phase::Join, "", sources.iter().map(|source| source.rows).sum())?;
        let (communes, postal_names) = lists.finish(&mut problems)?;
        checks.finish(&mut problems, meter)?;
        let failed = |error| ImportError::io(folder, error);
        let mut files = vec![write_all(folder, COLUMNS_FILE, &columns).map_err(failed)?];
        let (buildings, structure, lines) = (buildings.finish()?, structure.finish()?, lines.finish()?);
        let Joined { files: joined, counts } =
            join(buildings, structure, lines, folder, room, &mut spots, &mut problems, meter)?;
        files.extend(joined);
        meter.start(Phase::Streets, "", 0)?;
        let (streets, numbers) = spots.write(folder, meter)?;
        let counts = Counts {
            streets: streets.records as usize,
            numbers,
            communes: communes.len(),
            postal_names: postal_names.len(),
            refused: problems.refused,
            remarks: problems.remarks,
            ..counts
        };
        files.push(streets);
        files.push(write_all(folder, COMMUNES_FILE, &communes).map_err(failed)?);
        files.push(write_all(folder, POSTAL_NAMES_FILE, &postal_names).map_err(failed)?);
        meter.start(Phase::Problems, "", (problems.refused + problems.remarks) as u64)?;
        let (report, problems) = problems.write(folder, meter)?;
        Ok(Built { files, report, sources, counts, day, problems })
    }
}
