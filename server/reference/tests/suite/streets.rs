//! Streets of the address base and the buildings that stand at their numbers.

use eservices_reference::address::{Street, StreetKind};
use eservices_reference::{Imported, Options, Reference, Store, ipe};
use jiff::civil::date;
use std::path::{Path, PathBuf};

const IPE: &str = "x_77_ESVC_PM_IPE_V30_20261101.csv";
const BAN: &str =
    "id;id_fantoir;numero;rep;nom_voie;code_postal;code_insee;nom_commune;x;y;lon;lat;type_position";

fn import(folder: &Path, files: &[(&str, String)]) -> (Imported, Reference) {
    let mut paths: Vec<PathBuf> = Vec::new();
    for (name, text) in files {
        paths.push(folder.join(name));
        std::fs::write(folder.join(name), text).unwrap();
    }
    let store = Store::open(folder.join("store")).unwrap();
    let options = Options { memory_bytes: 1 << 20, dry_run: false, today: date(2026, 11, 2) };
    let imported = store.import(&paths, &options, &mut |_| eservices_reference::GO_ON).unwrap();
    let reference = store.load(imported.manifest.id()).unwrap();
    (imported, reference)
}

/// A building: its last digit, then BAN key, hexaclé, Rivoli, number, letter, type and name of the street.
fn building(last: u32, address: &str) -> String {
    format!("IMB/77058/X/000{last};CIBLE;;;77058;77600;BUSSY-ST-GEORGES;1;WGS84;2.7;48.83;{address}")
}

fn ipe(buildings: &[String]) -> String {
    let columns = "CodeBAN;CodeAdresseImmeuble;CodeVoieRivoliImmeuble;NumeroVoieImmeuble;\
                   ComplementNumeroVoieImmeuble;TypeVoieImmeuble;NomVoieImmeuble";
    let required: Vec<_> = ipe::REQUIRED.iter().filter(|name| **name != "NomVoieImmeuble").copied().collect();
    format!("{};{columns}\n{}\n", required.join(";"), buildings.join("\n"))
}

fn number(key: &str, number: &str, suffix: &str, street: &str, lat: &str, kind: &str) -> String {
    format!(
        "77058_{key};77058_0361;{number};{suffix};{street};77600;77058;Bussy-Saint-Georges;;;2.71;{lat};{kind}"
    )
}

fn ban(rows: &[String]) -> String {
    format!("{BAN}\n{}\n", rows.join("\n"))
}

/// Its numbers with the last digits of the buildings there.
fn numbers(street: &Street) -> Vec<(String, String)> {
    let digits = |imbs: &[eservices_reference::ids::Imb]| {
        imbs.iter().map(|imb| imb.as_str().chars().last().unwrap()).collect::<String>()
    };
    let numbers = street.numbers.iter();
    numbers.map(|n| (format!("{}{}", n.number, n.suffix), digits(&n.buildings))).collect()
}

fn expected(numbers: &[(&str, &str)]) -> Vec<(String, String)> {
    numbers.iter().map(|(number, buildings)| ((*number).to_owned(), (*buildings).to_owned())).collect()
}

#[test]
fn buildings_stand_at_the_numbers_of_the_address_base() {
    let folder = tempfile::tempdir().unwrap();
    let name = "Rue Étienne Ganneron";
    let mut entries = vec![
        number("0361_00006", "6", "", name, "48.831", "segment"),
        number("0361_00006", "6", "", name, "48.832", "entrée"),
        number("0361_00008", "8", "", name, "48.833", ""),
        number("0361_00008_bis", "8", "bis", name, "48.834", ""),
        number("0361_00010_b", "10", "b", name, "48.835", ""),
    ];
    let mut buildings = vec![
        // By BAN key, whatever the rest says.
        building(1, "77058_0361_00006;77058X0006;;99;;R;AUTRE"),
        // By the hexaclé of that one.
        building(2, ";77058X0006;;98;;AV;ENCORE AUTRE"),
        // By Rivoli and number; B is bis.
        building(3, ";;0361;8;B;;E. GANNERON"),
        // By name and number, the letter as the base has it.
        building(4, ";;;10;B;RUE;ETIENNE GANNERON"),
        // A number that the base lacks.
        building(5, ";;;12;;RUE;ETIENNE GANNERON"),
        // Another street: the house without a number, and one whose number is not known.
        building(6, ";;;0;;CHEMIN;VERT"),
        building(7, ";;;;;CHEMIN;VERT"),
    ];
    let files = |buildings: &[String], entries: &[String]| [(IPE, ipe(buildings)), ("ban.csv", ban(entries))];
    let (imported, reference) = import(folder.path(), &files(&buildings, &entries));
    let reasons: Vec<_> = imported.problems.iter().map(|p| (p.line, p.reason.as_str())).collect();
    assert_eq!(reasons, [(3, "has the hexaclé and the bâtiment of IMB/77058/X/0001")]);
    let [green, ganneron] = &reference.addresses().streets()[..] else {
        panic!("{:#?}", reference.addresses().streets())
    };
    assert_eq!(
        numbers(ganneron),
        expected(&[("6", "12"), ("8", ""), ("8bis", "3"), ("10b", "4"), ("12", "5")])
    );
    assert_eq!(numbers(green), expected(&[("0", "67")]));
    assert_eq!((&*ganneron.name, ganneron.kind), (name, StreetKind::Street));
    let others: Vec<_> = ganneron.other_names.iter().map(|name| &**name).collect();
    assert_eq!(others, ["AV ENCORE AUTRE", "E. GANNERON", "R AUTRE", "RUE ETIENNE GANNERON"]);
    assert_eq!((&*ganneron.commune, &*ganneron.postcodes), ("Bussy-Saint-Georges", &["77600".into()][..]));
    assert_eq!(ganneron.rivoli.as_ref().map(|rivoli| rivoli.as_str()), Some("0361"));
    let six = &ganneron.numbers[0];
    assert_eq!(six.position.map(|point| point.lat), Some(48.832), "the entrance");
    assert_eq!((six.ban.as_deref(), six.hexacle.as_deref()), (Some("77058_0361_00006"), Some("77058X0006")));
    assert_eq!(ganneron.numbers[4].position.map(|point| point.lat), Some(48.83), "the building's own");
    let counts = imported.manifest.release.counts;
    assert_eq!((counts.streets, counts.numbers), (2, 6));

    buildings.reverse();
    entries.reverse();
    let other = tempfile::tempdir().unwrap();
    let (turned, _) = import(other.path(), &files(&buildings, &entries));
    assert_eq!(turned.manifest.id(), imported.manifest.id());
}

#[test]
fn without_the_address_base_buildings_make_the_streets() {
    let folder = tempfile::tempdir().unwrap();
    let buildings = [
        building(1, ";77058X0006;0361;6;;RUE;ETIENNE GANNERON"),
        // The hexaclé says that it is the same number, however it is spelled.
        building(2, ";77058X0006;0361;6;;R;E GANNERON"),
        building(3, ";;0361;6;T;RUE;ETIENNE GANNERON"),
        building(4, ";;0361;8;;RUE;ÉTIENNE-GANNERON"),
    ];
    let (_, reference) = import(folder.path(), &[(IPE, ipe(&buildings))]);
    let [street] = &reference.addresses().streets()[..] else {
        panic!("{:#?}", reference.addresses().streets())
    };
    assert_eq!(&*street.name, "RUE ETIENNE GANNERON", "what most say");
    assert_eq!(numbers(street), expected(&[("6", "12"), ("6ter", "3"), ("8", "4")]));
    assert_eq!(street.position.map(|point| (point.lon, point.lat)), Some((2.7, 48.83)));
}

#[test]
fn a_hexacle_of_zeros_is_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let buildings: Vec<_> = (1..=1100)
        .map(|number| {
            let address = format!(";0000000000;;{number};;RUE;LONGUE");
            building(0, &address).replacen("X/0000", &format!("X/{number:04}"), 1)
        })
        .collect();
    let (_, reference) = import(folder.path(), &[(IPE, ipe(&buildings))]);
    let streets = reference.addresses().streets();
    let [street] = &streets[..] else { panic!("{streets:#?}") };
    assert_eq!(street.numbers.len(), 1100);
    assert!(street.numbers.iter().all(|number| number.buildings.len() == 1));
}

#[test]
fn places_and_former_communes() {
    let folder = tempfile::tempdir().unwrap();
    let header = "id;nom_lieu_dit;code_postal;code_insee;nom_commune;nom_ancienne_commune;lon;lat";
    let places = format!("{header}\n77058_b1;Le Bourg;77600;77058;Bussy;;2.7;48.8\n");
    let header = format!("{BAN};nom_ancienne_commune");
    let row = |number: &str, former: &str| {
        format!("77058_0001_{number};;{number};;Rue de l'Église;77600;77058;Bussy;;;2.7;48.8;;{former}")
    };
    let numbers_file = format!("{header}\n{}\n{}\n", row("1", "Avant"), row("2", "Après"));
    let files = [
        (
            IPE,
            ipe(&[
                building(1, ";;;2;;RUE;DE L'EGLISE"),
                building(2, ";;;0;;;LE BOURG"),
                building(3, "77058_b1;;;7;;;X"),
            ]),
        ),
        ("lieux-dits.csv", places),
        ("ban.csv", numbers_file),
    ];
    let (_, reference) = import(folder.path(), &files);
    let found: Vec<_> = reference
        .addresses()
        .streets()
        .iter()
        .map(|street| (&*street.name, street.kind, street.former_commune.as_deref(), numbers(street)))
        .collect();
    let church = "Rue de l'Église";
    let mut wanted = [
        ("Le Bourg", StreetKind::Street, None, expected(&[("0", "2"), ("7", "3")])),
        (church, StreetKind::Street, Some("Après"), expected(&[("2", "1")])),
        (church, StreetKind::Street, Some("Avant"), expected(&[("1", "")])),
    ];
    // The order of the keys is not what is looked at here.
    wanted.sort_by_key(|street| found.iter().position(|other| other.0 == street.0 && other.2 == street.2));
    assert_eq!(found, wanted);
}

/// The demo network with the real lists and the extract of the address base beside the repository, where they are.
#[test]
fn with_the_real_lists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = root.join("../shared/data");
    if !shared.exists() {
        println!("did not run: there is no ../shared/data beside the repository");
        return;
    }
    let files = [
        root.join("server/demo-data/DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv"),
        root.join("server/demo-data/structure.csv"),
        root.join("server/demo-data/lignes.csv"),
        shared.join("addresses/ban_nice_50_streets_633_numbers.ndjson"),
        shared.join("communes/communes_2026.csv.gz"),
        shared.join("communes/laposte_codes_postaux_20250619.csv.gz"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let options = Options { memory_bytes: 1 << 24, dry_run: false, today: date(2026, 11, 2) };
    let imported = store.import(&files, &options, &mut |_| eservices_reference::GO_ON).unwrap();
    println!("{:#?}", imported.problems);
    let reference = store.load(imported.manifest.id()).unwrap();
    let nice: Vec<_> =
        reference.addresses().streets().iter().filter(|street| street.insee.as_str() == "06088").collect();
    assert_eq!(nice.len(), 50);
    assert_eq!(nice.iter().map(|street| street.numbers.len()).sum::<usize>(), 633);
    assert_eq!(reference.addresses().communes().len(), 35_014);
    let attached: usize = reference
        .addresses()
        .streets()
        .iter()
        .flat_map(|street| &street.numbers)
        .map(|n| n.buildings.len())
        .sum();
    assert_eq!(attached, reference.buildings().len());
}
