//! Real data in one release: the address base's extract of Nice, five of the regulator's rows made an IPE file, every
//! commune and postcode. They lie beside the repository; without them this does not run, and says so.

use crate::address::{ask, published_in_nice};
use eservices_reference::address::{Found, Point};
use eservices_reference::building::{Kind, PmState, State};
use eservices_reference::ids::{Imb, Insee};
use eservices_reference::{Change, Imported, Options, Reference, Store};
use jiff::civil::date;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const IPE: &str = "ARCEP_PM_IPE.csv";

/// The column of an IPE file and what of the regulator's row (*carte fibre immeubles*) stands in it.
type Column = (&'static str, fn(&csv::StringRecord) -> String);

/// The regulator's columns, in its order: x 0, y 1, imb_id 2, num_voie 3, cp_no_voie 4, type_voie 5, nom_voie 6,
/// batiment 7, code_poste 8, nom_com 9, catg_loc_imb 10, imb_etat 11, pm_ref 12, pm_etat 13, code_l331 14, geom_mod 15,
/// type_imb 16. `geom_mod` has no place in an IPE file.
const COLUMNS: &[Column] = &[
    ("IdentifiantImmeuble", |row| row[2].to_owned()),
    // The same words, which an IPE file has in capitals.
    ("EtatImmeuble", |row| row[11].to_uppercase()),
    ("ReferencePM", |row| row[12].to_owned()),
    ("EtatPM", |row| row[13].to_uppercase()),
    // The code under which the operator of the network is declared.
    ("CodeOI", |row| row[14].to_owned()),
    // Not in the regulator's row: the commune's part of the building's identifier.
    ("CodeInseeImmeuble", |row| row[2][4..9].to_owned()),
    ("CodePostalImmeuble", |row| row[8].to_owned()),
    ("CommuneImmeuble", |row| row[9].to_owned()),
    ("TypeVoieImmeuble", |row| row[5].to_owned()),
    ("NomVoieImmeuble", |row| row[6].to_owned()),
    ("NumeroVoieImmeuble", |row| row[3].to_owned()),
    ("ComplementNumeroVoieImmeuble", |row| row[4].to_owned()),
    ("BatimentImmeuble", |row| row[7].to_owned()),
    ("TypeImmeuble", |row| row[16].to_uppercase()),
    // The regulator tells a class, not a number: the least of the class.
    ("NombreLogementsAdresseIPE", |row| match &row[10] {
        "individuel" => "1".to_owned(),
        "entre 2 et 11" => "2".to_owned(),
        other => panic!("a class of housings that the five rows do not have: {other}"),
    }),
    // Not in the regulator's row: the file is in longitude and latitude.
    ("TypeProjectionGeographique", |_| "WGS84".to_owned()),
    // Degrees with a decimal comma, as IPE files have it.
    ("CoordonneeImmeubleX", |row| row[0].replace('.', ",")),
    ("CoordonneeImmeubleY", |row| row[1].replace('.', ",")),
    // The regulator has no dates: empty, as is all that is left out (Rivoli, hexaclés, housings of the PM, zone).
    ("DateMiseEnServiceCommercialePM", |_| String::new()),
    ("DateCablageAdresse", |_| String::new()),
];

/// Writes the IPE file.
fn ipe(arcep: &Path, folder: &Path) -> PathBuf {
    let mut out = COLUMNS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    for row in csv::Reader::from_path(arcep).unwrap().records() {
        let row = row.unwrap();
        out.push('\n');
        out += &COLUMNS.iter().map(|(_, of)| of(&row)).collect::<Vec<_>>().join(";");
    }
    let path = folder.join(IPE);
    std::fs::write(&path, out + "\n").unwrap();
    path
}

/// The release of all of it, made once a process.
fn release() -> Option<&'static (Imported, Reference)> {
    static RELEASE: LazyLock<Option<(Imported, Reference)>> = LazyLock::new(made);
    RELEASE.as_ref()
}

fn made() -> Option<(Imported, Reference)> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let arcep = shared.join("arcep/immeubles_ftth_5_real_rows.csv");
    if !arcep.exists() {
        eprintln!("not run: {} is absent", arcep.display());
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ipe(&arcep, folder.path()),
        shared.join("addresses/ban_nice_50_streets_633_numbers.ndjson"),
        shared.join("communes/communes_2026.csv.gz"),
        shared.join("communes/laposte_codes_postaux_20250619.csv.gz"),
    ];
    let store = Store::open(folder.path().join("store")).unwrap();
    let options = Options { memory_bytes: 1 << 24, dry_run: false, today: date(2026, 11, 2) };
    let imported = store.import(&files, &options, &mut |_| eservices_reference::GO_ON).unwrap();
    let reference = store.load(imported.manifest.id()).unwrap();
    Some((imported, reference))
}

/// A building as the regulator's row has it, read by eye.
struct Expected {
    imb: &'static str,
    text: &'static str,
    lon: f64,
    lat: f64,
    state: State,
    pm: &'static str,
    housings: u32,
    kind: Kind,
}

const BUILDINGS: &[Expected] = &[
    Expected {
        imb: "IMB/76056/X/0098",
        text: "45 rue Bouchée 76480 Bardouville",
        lon: 0.926_180_288_429_449,
        lat: 49.440_586_652_621_2,
        state: State::Target,
        pm: "FI-76056-0003",
        housings: 1,
        kind: Kind::House,
    },
    Expected {
        imb: "IMB/77350/X/029D",
        text: "3 rue Lavoisier 77330 Ozoir-la-Ferrière",
        lon: 2.681_715_721_037_89,
        lat: 48.769_550_950_964_5,
        state: State::Target,
        pm: "FI-77350-000K",
        housings: 2,
        kind: Kind::Block,
    },
    Expected {
        imb: "IMB/77288/S/02OK",
        text: "46 avenue Thiers 77000 Melun",
        lon: 2.654_265_735_894_52,
        lat: 48.529_388_583_421_2,
        state: State::Deploying,
        pm: "FI-77288-001A",
        housings: 2,
        kind: Kind::House,
    },
    Expected {
        imb: "IMB/69151/X/00JG",
        text: "23 chemin d'Emilienne 69460 Le Perréon",
        lon: 4.582_168_208_439_11,
        lat: 46.062_850_317_703_4,
        state: State::Target,
        pm: "FI-69151-0006",
        housings: 1,
        kind: Kind::House,
    },
    Expected {
        imb: "IMB/76056/X/000O",
        text: "2390 chemin du Roy 76480 Bardouville",
        lon: 0.932_963_897_800_278,
        lat: 49.434_368_074_447_9,
        state: State::Target,
        pm: "FI-76056-0003",
        housings: 1,
        kind: Kind::House,
    },
];

#[test]
fn five_real_buildings_are_found_by_identifier_place_and_text() {
    let Some((imported, reference)) = release() else { return };
    assert_eq!((imported.change, reference.buildings().len()), (Change::New, BUILDINGS.len()));
    for expected in BUILDINGS {
        let imb = Imb::parse(expected.imb).unwrap();
        let building = reference.building(&imb).unwrap();
        assert_eq!((building.state, building.pm_state), (expected.state, Some(PmState::Deployed)), "{imb}");
        assert_eq!(building.pm.as_ref().unwrap().as_str(), expected.pm, "{imb}");
        assert_eq!((building.housings, building.kind), (expected.housings, Some(expected.kind)), "{imb}");
        assert_eq!(&*building.oi, "FRTE");
        assert_eq!((building.pm_in_service, building.cabled, building.pm_housings), (None, None, None));
        assert!(reference.structure(&imb).is_empty() && reference.lines(&imb).is_empty());

        let place = Point { lon: expected.lon, lat: expected.lat };
        let around = reference.around(place, 1.0);
        assert_eq!(around.iter().map(|(_, found)| &found.imb).collect::<Vec<_>>(), [&imb]);
        assert!(around[0].0 < 0.01, "{imb}: {} m away", around[0].0);
        let nearest = reference.addresses().nearest(place, 1.0, 5);
        assert_eq!(nearest.iter().map(|n| at(reference, n.found)).collect::<Vec<_>>(), [[imb.clone()]]);

        let found = &ask(reference.addresses(), expected.text)[0];
        let found = Found { street: found.street.unwrap(), number: found.number };
        assert_eq!(at(reference, found), [imb], "{}", expected.text);
    }
}

/// The buildings at a number.
fn at(reference: &Reference, found: Found) -> Vec<Imb> {
    let street = &reference.addresses().streets()[found.street as usize];
    street.numbers[found.number.unwrap() as usize].buildings.clone()
}

#[test]
fn every_number_of_nice_is_found_in_the_release() {
    let Some((_, reference)) = release() else { return };
    let addresses = reference.addresses();
    let insee = Insee::parse("06088").unwrap();
    let (mut asked, mut torn) = (0, 0);
    for street in published_in_nice().unwrap() {
        let mut places: BTreeMap<(u32, &str), Vec<Point>> = BTreeMap::new();
        for number in &street.numbers {
            places.entry((number.number, &number.suffix)).or_default().push(number.position.unwrap());
        }
        for ((number, suffix), places) in places {
            asked += 1;
            let is_it = |found: Found| {
                let of = &addresses.streets()[found.street as usize];
                let there = &of.numbers[found.number.unwrap() as usize];
                (&of.insee, &of.name, there.number, &*there.suffix) == (&insee, &street.name, number, suffix)
            };
            let text = format!("{number} {suffix} {} {} Nice", street.name, street.postcodes[0]);
            let found = &ask(addresses, &text)[0];
            assert!(
                is_it(Found { street: found.street.unwrap(), number: found.number }),
                "{text}: {found:?}"
            );
            let named = addresses.number_by_name(&insee, &street.name, number, suffix).unwrap();
            assert!(is_it(named), "{text}: {named:?}");
            // Several numbers may stand at one point: it must be among those.
            let is_at = |place: &Point| {
                let near = addresses.nearest(*place, 1.0, 99);
                near.iter().take_while(|n| n.metres <= near[0].metres).any(|n| is_it(n.found))
            };
            assert!(places.iter().any(is_at), "{text}: {places:?}");
            torn += usize::from(!places.iter().all(is_at));
        }
    }
    // The extract has these at two places more than a metre apart, up to 225 m: a number keeps one of them.
    assert_eq!((asked, torn), (633, 22));
}

#[test]
fn real_data_are_imported_without_a_refusal_or_remark() {
    let Some((imported, reference)) = release() else { return };
    // The extract names some numbers several times: 744 entries are 633 numbers. That is no remark.
    assert_eq!(imported.problems, []);
    let counts = reference.release().counts;
    assert_eq!((counts.refused, counts.remarks, counts.buildings), (0, 0, BUILDINGS.len()));
    // Five streets of the regulator's rows beside the fifty of Nice.
    assert_eq!((counts.communes, counts.streets, counts.numbers), (35_014, 55, 633 + BUILDINGS.len()));
    let unread: Vec<_> = reference.release().sources.iter().flat_map(|s| &s.unknown_columns).collect();
    println!("columns that nothing reads: {unread:?}");
    let ipe = reference.release().sources.iter().find(|source| source.name == IPE).unwrap();
    assert_eq!((ipe.rows, ipe.unknown_columns.len()), (5, 0));
}
