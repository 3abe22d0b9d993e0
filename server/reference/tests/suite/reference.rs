use eservices_reference::building::State;
use eservices_reference::ids::{Imb, Pm, Pto};
use eservices_reference::{ImportError, LoadError, Outcome, Reference, ipe};
use std::path::Path;

const STRUCTURE: &str =
    "IMB;batiment;escalier;etage;PM;PMT;PBO;type_PBO;localisation_PBO;fibres_PBO;lien_PM_PRDM;logements";
const LINES: &str = "PTO;IMB;batiment;escalier;etage;PBO;etat";
const IPE: &str = "DEMO_77_ESVC_PM_IPE_V30_20261101.csv";

fn ipe_row(imb: &str, batiment: &str, state: &str, housings: u32) -> String {
    format!(
        "{imb};{state};FI-77058-000B;DEPLOYE;77058;77600;BUSSY;GANNERON;{housings};RGF93;1,5;2;{batiment}"
    )
}

fn structure_row(imb: &str, floor: &str, pm: &str, pbo: &str, fibres: &str) -> String {
    format!("{imb};;;{floor};{pm};;{pbo};;;{fibres};;1")
}

fn line(pto: &str, imb: &str, floor: &str, pbo: &str) -> String {
    format!("{pto};{imb};;;{floor};{pbo};ACTIVE")
}

fn write(folder: &Path, name: &str, header: &str, rows: &[String]) {
    std::fs::write(folder.join(name), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
}

fn load(buildings: &[String], structure: &[String], lines: &[String]) -> Reference {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), IPE, &format!("{};BatimentImmeuble", ipe::REQUIRED.join(";")), buildings);
    write(folder.path(), "structure.csv", STRUCTURE, structure);
    write(folder.path(), "lignes.csv", LINES, lines);
    Reference::from_files(folder.path()).unwrap()
}

fn reasons(reference: &Reference) -> Vec<(String, u64, &str, Outcome)> {
    let problems = reference.report().problems.iter();
    problems.map(|p| (p.file.clone(), p.line, p.reason.as_str(), p.outcome)).collect()
}

const A: &str = "IMB/77058/X/000A";
const B: &str = "IMB/77058/X/000B";
const C: &str = "IMB/77058/X/000C";
const PM: &str = "FI-77058-000B";

fn imb(text: &str) -> Imb {
    Imb::parse(text).unwrap()
}

#[test]
fn look_ups() {
    let reference = load(
        &[ipe_row(B, "", "DEPLOYE", 2), ipe_row(A, "", "CIBLE", 1)],
        &[
            structure_row(B, "2", PM, "P1", "2"),
            structure_row(B, "1", PM, "P1", "2"),
            structure_row(A, "1", PM, "", ""),
        ],
        &[line("FI-0000-0002", B, "1", "P1"), line("FI-0000-0001", B, "2", "P1")],
    );
    assert_eq!(reasons(&reference), []);
    assert_eq!(reference.building(&imb(A)).map(|b| b.state), Some(State::Target));
    assert_eq!(reference.building(&imb(C)), None);
    let floors: Vec<_> = reference.structure(&imb(B)).iter().map(|row| &*row.place.etage).collect();
    assert_eq!(floors, ["1", "2"]);
    assert_eq!(reference.structure(&imb(C)), []);
    let sockets: Vec<_> = reference.lines(&imb(B)).iter().map(|line| line.pto.as_str()).collect();
    assert_eq!(sockets, ["FI-0000-0002", "FI-0000-0001"]);
    assert_eq!(reference.lines(&imb(A)), []);
    let row = &reference.structure(&imb(B))[0];
    let at: Vec<_> = reference.lines_at(&imb(B), &row.place).iter().map(|line| line.pto.as_str()).collect();
    assert_eq!(at, ["FI-0000-0002"]);
    let found = reference.line(&Pto::parse("FI-0000-0001").unwrap()).unwrap();
    assert_eq!((found.imb.as_str(), &*found.place.etage), (B, "2"));
    assert!(reference.line(&Pto::parse("FI-0000-0003").unwrap()).is_none());
    assert_eq!(reference.free_fibres(row), Some(0));
    assert_eq!(reference.free_fibres(&reference.structure(&imb(A))[0]), None);
    let pbo = reference.pbo(&Pm::parse(PM).unwrap(), "P1").unwrap();
    assert_eq!((pbo.fibres, pbo.lines, pbo.free()), (Some(2), 2, Some(0)));
    assert!(reference.pbo(&Pm::parse("FI-77058-000C").unwrap(), "P1").is_none());
    assert_eq!(reference.buildings().len(), 2);
}

#[test]
fn a_box_belongs_to_its_pm() {
    let other = "FI-77058-000C";
    let reference = load(
        &[ipe_row(A, "", "DEPLOYE", 1), ipe_row(B, "", "DEPLOYE", 1)],
        &[structure_row(A, "1", PM, "P1", "4"), structure_row(B, "1", other, "P1", "6")],
        &[line("FI-0000-0001", A, "1", "P1")],
    );
    assert_eq!(reasons(&reference), []);
    assert_eq!(reference.free_fibres(&reference.structure(&imb(A))[0]), Some(3));
    assert_eq!(reference.free_fibres(&reference.structure(&imb(B))[0]), Some(6));
}

#[test]
fn batiments_of_one_address_are_one_building() {
    let reference = load(
        &[
            ipe_row(A, "B", "DEPLOYE", 6),
            ipe_row(A, "A", "DEPLOYE", 10),
            ipe_row(A, "C", "SIGNE", 1),
            ipe_row(A, "A", "DEPLOYE", 10),
        ],
        &[],
        &[],
    );
    let building = reference.building(&imb(A)).unwrap();
    assert_eq!((building.housings, building.state), (17, State::Deployed));
    assert_eq!(building.batiments, ["A".into(), "B".into(), "C".into()]);
    let found = reasons(&reference);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[1].2, "bâtiment C contradicts the state DEPLOYE of the address's first row");
    assert_eq!(found[1].3, Outcome::Kept);
    assert_eq!((found[2].1, found[2].2, found[2].3), (5, "stands twice for one bâtiment", Outcome::Refused));
}

#[test]
fn housings_of_a_pm_must_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let rows = [(A, 1, 4), (B, 3, 4), (C, 5, 4)].map(|(imb, housings, told)| {
        let pm = if imb == C { "FI-77058-000C" } else { PM };
        format!("{};{told}", ipe_row(imb, "", "DEPLOYE", housings).replace(PM, pm))
    });
    write(
        folder.path(),
        IPE,
        &format!("{};BatimentImmeuble;NombreLogementsPM", ipe::REQUIRED.join(";")),
        &rows,
    );
    write(folder.path(), "structure.csv", STRUCTURE, &[]);
    write(folder.path(), "lignes.csv", LINES, &[]);
    let reference = Reference::from_files(folder.path()).unwrap();
    let found = reasons(&reference);
    assert_eq!(
        found,
        [(IPE.to_owned(), 4, "the usable rows of FI-77058-000C have 5 housings", Outcome::Kept)]
    );
}

#[test]
fn dangling_and_repeated_rows() {
    let reference = load(
        &[ipe_row(A, "", "DEPLOYE", 1)],
        &[
            structure_row(B, "1", PM, "P1", "4"),
            structure_row(A, "1", PM, "P1", "1"),
            structure_row(A, "1", PM, "P1", "1"),
            structure_row(A, "2", PM, "P1", "2"),
        ],
        &[
            line("FI-0000-0001", B, "1", "P1"),
            line("FI-0000-0002", A, "1", "P1"),
            line("FI-0000-0002", A, "2", "P1"),
            line("FI-0000-0003", A, "1", "P9"),
            line("FI-0000-0004", A, "1", "P1"),
        ],
    );
    let found = reasons(&reference);
    let found: Vec<_> =
        found.iter().map(|(file, line, reason, outcome)| (file.as_str(), *line, *reason, *outcome)).collect();
    assert_eq!(
        found,
        [
            ("lignes.csv", 2, "no such building in the IPE file", Outcome::Refused),
            ("lignes.csv", 4, "stands twice", Outcome::Refused),
            ("lignes.csv", 5, "no such box in the structure of the building", Outcome::Kept),
            ("lignes.csv", 6, "more lines than fibres on this box", Outcome::Kept),
            ("structure.csv", 2, "no such building in the IPE file", Outcome::Refused),
            ("structure.csv", 4, "the same row stands twice", Outcome::Refused),
            ("structure.csv", 5, "P1 has another total elsewhere", Outcome::Kept),
        ]
    );
    assert_eq!(reference.structure(&imb(B)), []);
    let pbo = reference.pbo(&Pm::parse(PM).unwrap(), "P1").unwrap();
    assert_eq!(
        (pbo.fibres, pbo.lines, pbo.free()),
        (Some(1), 2, Some(0)),
        "the smaller total, never below zero"
    );
}

#[test]
fn the_checksum_does_not_depend_on_row_order() {
    let mut buildings = vec![
        ipe_row(A, "B", "DEPLOYE", 1),
        ipe_row(A, "A", "SIGNE", 2),
        ipe_row(B, "", "CIBLE", 3),
        ipe_row(A, "A", "SIGNE", 9),
    ];
    let mut structure = vec![structure_row(A, "1", PM, "P1", "2"), structure_row(A, "2", PM, "P1", "3")];
    let mut lines = vec![line("FI-0000-0001", A, "1", "P1"), line("FI-0000-0001", A, "2", "P1")];
    let one = load(&buildings, &structure, &lines);
    for list in [&mut buildings, &mut structure, &mut lines] {
        list.reverse();
    }
    let other = load(&buildings, &structure, &lines);
    assert_eq!(one.release().sha256, other.release().sha256);
    assert_eq!(one.release().name, other.release().name);
    assert_eq!(one.buildings(), other.buildings());
    assert_ne!(one.release().sources, other.release().sources, "the files differ");
}

#[test]
fn the_checksum_depends_on_every_record() {
    let sum = |buildings: &[String], structure: &[String], lines: &[String]| {
        load(buildings, structure, lines).release().sha256.clone()
    };
    let (b, s) = ([ipe_row(A, "", "DEPLOYE", 1)], [structure_row(A, "1", PM, "P1", "2")]);
    let l = [line("FI-0000-0001", A, "1", "P1")];
    let mut sums = vec![
        sum(&b, &s, &l),
        sum(&[ipe_row(A, "", "DEPLOYE", 2)], &s, &l),
        sum(&[ipe_row(A, "X", "DEPLOYE", 1)], &s, &l),
        sum(&b, &[structure_row(A, "1", PM, "P1", "3")], &l),
        sum(&b, &[structure_row(A, "1", PM, "P1", "")], &l),
        sum(&b, &s, &[]),
        sum(&b, &s, &[line("FI-0000-0002", A, "1", "P1")]),
    ];
    sums.sort();
    sums.dedup();
    assert_eq!(sums.len(), 7);
    assert!(sums.iter().all(|sum| sum.len() == 64));
}

#[test]
fn the_release_says_what_it_was_built_from() {
    let reference = load(&[ipe_row(A, "", "DEPLOYE", 1)], &[], &[]);
    let release = reference.release();
    assert_eq!(release.name, format!("20261101-{}", &release.sha256[..12]));
    let names: Vec<_> = release.sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "(built in) appointments.toml",
            "(built in) eservices.toml",
            "(built in) offers.toml",
            IPE,
            "lignes.csv",
            "structure.csv"
        ]
    );
    assert_eq!((release.counts.buildings, release.counts.offers, release.counts.eservices), (1, 10, 24));
    assert_eq!(
        reference.report().rows,
        [(IPE.to_owned(), 1), ("lignes.csv".into(), 0), ("structure.csv".into(), 0)]
    );
}

#[test]
fn own_catalogue_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), IPE, &ipe::REQUIRED.join(";"), &[]);
    write(folder.path(), "structure.csv", STRUCTURE, &[]);
    write(folder.path(), "lignes.csv", LINES, &[]);
    write(folder.path(), "offers.toml", "[[offer]]", &["code = \"X\"".into()]);
    let error = Reference::from_files(folder.path()).unwrap_err();
    let LoadError::Import(ImportError::Data(invalid)) = &error else { panic!("{error}") };
    assert_eq!(invalid.problems.len(), 11, "{error}");
    assert_eq!(invalid.problems[0].file, "offers.toml");
}

#[test]
fn a_folder_that_lacks_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let error = |what: &str| {
        let error = Reference::from_files(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with(what), "{error}");
    };
    error(": no IPE file (a name with _PM_IPE, .csv, .zip or .gz)");
    write(folder.path(), IPE, &ipe::REQUIRED.join(";"), &[]);
    error(": no structure.csv");
    write(folder.path(), "structure.csv", STRUCTURE, &[]);
    error(": no lignes.csv");
    write(folder.path(), "lignes.csv", "PTO", &[]);
    error("lignes.csv: column IMB is missing");
    assert!(matches!(Reference::from_files(&folder.path().join("absent")), Err(LoadError::Folder { .. })));
}
