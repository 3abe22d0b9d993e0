//! Parsed rows → sorted records, merged, checked against each other, and summed.
//!
//! Everything is sorted before anything is decided, so that the order of the input rows changes nothing. Does not know
//! files or folders.

use crate::building::Building;
use crate::canonical::{self, Canonical};
use crate::derived::Rules;
use crate::eservices::EServices;
use crate::ids::{Imb, Pm};
use crate::ipe;
use crate::offers::Catalogue;
use crate::problem::Problem;
use crate::store::{Counts, Pbo, Reference, Release, Report, Source};
use crate::structure::{self, Line, Row};
use std::sync::Arc;

/// A record and where it was read.
#[derive(Debug, Clone)]
struct Read<T> {
    file: Arc<str>,
    line: u64,
    record: T,
}

impl<T> Read<T> {
    fn refused(&self, column: &str, value: &str, reason: impl Into<String>) -> Problem {
        Problem::refused(&self.file, self.line, column, value, reason)
    }

    fn kept(&self, column: &str, value: &str, reason: impl Into<String>) -> Problem {
        Problem::kept(&self.file, self.line, column, value, reason)
    }
}

/// What a release is made of: filled file by file, then built.
#[derive(Debug, Default)]
pub struct Parts {
    buildings: Vec<Read<Building>>,
    structure: Vec<Read<Row>>,
    lines: Vec<Read<Line>>,
    sources: Vec<Source>,
    report: Report,
    day: String,
}

impl Parts {
    /// Notes an input file.
    pub fn add_source(&mut self, source: Source) {
        self.sources.push(source);
    }

    /// Adds the rows of an IPE file.
    pub fn add_ipe(&mut self, name: &str, file: ipe::File) {
        self.day = self.day.as_str().max(ipe::day_in_name(name).unwrap_or_default()).to_owned();
        self.note(name, file.rows, file.problems, file.unknown_columns);
        self.buildings.extend(reads(name, file.buildings));
    }

    /// Adds the rows of a structure file.
    pub fn add_structure(&mut self, name: &str, file: structure::File<Row>) {
        self.note(name, file.count, file.problems, file.unknown_columns);
        self.structure.extend(reads(name, file.rows));
    }

    /// Adds the rows of a line file.
    pub fn add_lines(&mut self, name: &str, file: structure::File<Line>) {
        self.note(name, file.count, file.problems, file.unknown_columns);
        self.lines.extend(reads(name, file.rows));
    }

    fn note(&mut self, name: &str, rows: u64, problems: Vec<Problem>, unknown: Vec<String>) {
        self.report.rows.push((name.to_owned(), rows));
        self.report.problems.extend(problems);
        self.report.unknown_columns.extend(unknown.into_iter().map(|column| (name.to_owned(), column)));
    }

    /// Sorts, merges, checks and sums.
    #[must_use]
    pub fn build(mut self, offers: Catalogue, eservices: EServices, rules: Rules) -> Reference {
        let problems = &mut self.report.problems;
        check_pm_housings(&self.buildings, problems);
        let buildings = merge(self.buildings, problems);
        let structure = known_structure(self.structure, &buildings, problems);
        let (pbos, structure) = pbos(structure, problems);
        let lines = known_lines(self.lines, &buildings, problems);
        let (pbos, lines) = fill(pbos, lines, &structure, problems);
        let mut by_pto: Vec<u32> = (0..).take(lines.len()).collect();
        by_pto.sort_by(|a, b| lines[*a as usize].pto.cmp(&lines[*b as usize].pto));
        problems.sort();
        self.report.rows.sort();
        self.report.unknown_columns.sort();
        self.sources.sort();
        let sha256 = canonical::sum(&buildings, &structure, &lines, &offers, &eservices, &rules);
        let short = &sha256[..12];
        let release = Release {
            name: if self.day.is_empty() { short.to_owned() } else { format!("{}-{short}", self.day) },
            counts: Counts {
                buildings: buildings.len(),
                structure: structure.len(),
                lines: lines.len(),
                pbos: pbos.len(),
                offers: offers.all().len(),
                eservices: eservices.all().len(),
            },
            sha256,
            sources: self.sources,
        };
        let report = self.report;
        Reference { buildings, structure, lines, by_pto, pbos, offers, eservices, rules, release, report }
    }
}

fn reads<T>(file: &str, rows: Vec<(u64, T)>) -> impl Iterator<Item = Read<T>> {
    let file: Arc<str> = file.into();
    rows.into_iter().map(move |(line, record)| Read { file: Arc::clone(&file), line, record })
}

/// The file says how many housings a PM serves; its rows must add up to that. Told once per PM, on its first row.
fn check_pm_housings(rows: &[Read<Building>], problems: &mut Vec<Problem>) {
    let mut by_pm: Vec<_> = rows.iter().filter_map(|row| Some((row.record.pm.as_ref()?, row))).collect();
    by_pm.sort_by(|(a, x), (b, y)| (a, &x.file, x.line).cmp(&(b, &y.file, y.line)));
    for served in by_pm.chunk_by(|(a, _), (b, _)| a == b) {
        let Some((pm, row)) = served.first() else { continue };
        let sum: u64 = served.iter().map(|(_, row)| u64::from(row.record.housings)).sum();
        if let Some(told) = row.record.pm_housings.filter(|told| u64::from(*told) != sum) {
            let reason = format!("the usable rows of {pm} have {sum} housings");
            problems.push(row.kept("NombreLogementsPM", &told.to_string(), reason));
        }
    }
}

/// One record per building. Rows of one IMB are bâtiments of one address: the first by bâtiment is kept, their housings
/// are added up, and a row whose state contradicts it is reported. A second row of the same bâtiment is refused.
fn merge(mut rows: Vec<Read<Building>>, problems: &mut Vec<Problem>) -> Vec<Building> {
    rows.sort_by(|a, b| {
        let named = (&a.record.imb, &a.record.batiments).cmp(&(&b.record.imb, &b.record.batiments));
        named
            .then_with(|| a.record.canonical().cmp(&b.record.canonical()))
            .then_with(|| (&a.file, a.line).cmp(&(&b.file, b.line)))
    });
    let mut merged: Vec<Building> = Vec::with_capacity(rows.len());
    let mut previous: Vec<Box<str>> = Vec::new();
    for row in rows {
        let Some(first) = merged.last_mut().filter(|first| first.imb == row.record.imb) else {
            previous.clone_from(&row.record.batiments);
            merged.push(row.record);
            continue;
        };
        let batiment = row.record.batiments.first().map_or("", |b| b);
        if previous == row.record.batiments {
            problems.push(row.refused(
                "IdentifiantImmeuble",
                row.record.imb.as_str(),
                "stands twice for one bâtiment",
            ));
            continue;
        }
        if first.state != row.record.state {
            let reason = format!(
                "bâtiment {batiment} contradicts the state {} of the address's first row",
                first.state
            );
            problems.push(row.kept("EtatImmeuble", row.record.state.as_str(), reason));
        }
        first.housings = first.housings.saturating_add(row.record.housings);
        previous.clone_from(&row.record.batiments);
        first.batiments.extend(row.record.batiments);
    }
    merged
}

fn is_known(buildings: &[Building], imb: &Imb) -> bool {
    buildings.binary_search_by(|building| building.imb.cmp(imb)).is_ok()
}

fn known_structure(
    mut rows: Vec<Read<Row>>,
    buildings: &[Building],
    problems: &mut Vec<Problem>,
) -> Vec<Read<Row>> {
    rows.sort_by(|a, b| (&a.record, &a.file, a.line).cmp(&(&b.record, &b.file, b.line)));
    let mut known: Vec<Read<Row>> = Vec::with_capacity(rows.len());
    for row in rows {
        if !is_known(buildings, &row.record.imb) {
            problems.push(row.refused("IMB", row.record.imb.as_str(), "no such building in the IPE file"));
        } else if known.last().is_some_and(|last| last.record == row.record) {
            problems.push(row.refused("", "", "the same row stands twice"));
        } else {
            known.push(row);
        }
    }
    known
}

/// The boxes that the structure names, by PM and reference.
fn pbos(rows: Vec<Read<Row>>, problems: &mut Vec<Problem>) -> (Vec<Pbo>, Vec<Row>) {
    let mut named: Vec<&Read<Row>> = rows.iter().filter(|row| row.record.pbo.is_some()).collect();
    named.sort_by(|a, b| (&a.record.pm, &a.record.pbo).cmp(&(&b.record.pm, &b.record.pbo)));
    let mut pbos: Vec<Pbo> = Vec::new();
    for row in named {
        let Some(pbo) = row.record.pbo.clone() else { continue };
        let fibres = row.record.pbo_fibres;
        match pbos.last_mut().filter(|last| last.pm == row.record.pm && last.pbo == pbo) {
            None => pbos.push(Pbo { pm: row.record.pm.clone(), pbo, fibres, lines: 0 }),
            Some(last) => {
                if last.fibres != fibres {
                    let text = fibres.map_or(String::new(), |fibres| fibres.to_string());
                    problems.push(row.kept(
                        "fibres_PBO",
                        &text,
                        format!("{pbo} has another total elsewhere"),
                    ));
                }
                last.fibres = [last.fibres, fibres].into_iter().flatten().min();
            }
        }
    }
    (pbos, rows.into_iter().map(|row| row.record).collect())
}

fn known_lines(
    mut rows: Vec<Read<Line>>,
    buildings: &[Building],
    problems: &mut Vec<Problem>,
) -> Vec<Read<Line>> {
    rows.sort_by(|a, b| {
        (&a.record.pto, &a.record, &a.file, a.line).cmp(&(&b.record.pto, &b.record, &b.file, b.line))
    });
    let mut known: Vec<Read<Line>> = Vec::with_capacity(rows.len());
    for row in rows {
        if !is_known(buildings, &row.record.imb) {
            problems.push(row.refused("IMB", row.record.imb.as_str(), "no such building in the IPE file"));
        } else if known.last().is_some_and(|last| last.record.pto == row.record.pto) {
            problems.push(row.refused("PTO", row.record.pto.as_str(), "stands twice"));
        } else {
            known.push(row);
        }
    }
    known.sort_by(|a, b| a.record.cmp(&b.record));
    known
}

/// Counts the lines on each box. A line names no PM: its box is the one of that reference in its building's structure.
fn fill(
    mut pbos: Vec<Pbo>,
    lines: Vec<Read<Line>>,
    structure: &[Row],
    problems: &mut Vec<Problem>,
) -> (Vec<Pbo>, Vec<Line>) {
    for line in &lines {
        let Some(name) = line.record.pbo.as_deref() else { continue };
        let Some(pm) = pm_of(structure, &line.record.imb, name) else {
            problems.push(line.kept("PBO", name, "no such box in the structure of the building"));
            continue;
        };
        let Ok(at) = pbos.binary_search_by(|pbo| (&pbo.pm, &*pbo.pbo).cmp(&(pm, name))) else { continue };
        pbos[at].lines += 1;
        if pbos[at].fibres.is_some_and(|fibres| pbos[at].lines == fibres.saturating_add(1)) {
            problems.push(line.kept("PBO", name, "more lines than fibres on this box"));
        }
    }
    (pbos, lines.into_iter().map(|line| line.record).collect())
}

fn pm_of<'a>(structure: &'a [Row], imb: &Imb, pbo: &str) -> Option<&'a Pm> {
    let start = structure.partition_point(|row| row.imb < *imb);
    let of_building = structure[start..].iter().take_while(|row| row.imb == *imb);
    of_building.into_iter().find(|row| row.pbo.as_deref() == Some(pbo)).map(|row| &row.pm)
}
