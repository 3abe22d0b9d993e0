//! A file of 40 hostile rows: each gives one problem with its reason, and every good row around them is kept.

use eservices_reference::ids::Imb;
use eservices_reference::{Change, Options, Outcome, Store};
use jiff::civil::date;
use proptest::prelude::*;

const COLUMNS: [&str; 23] = [
    "IdentifiantImmeuble",
    "EtatImmeuble",
    "ReferencePM",
    "EtatPM",
    "CodeInseeImmeuble",
    "CodePostalImmeuble",
    "CommuneImmeuble",
    "NomVoieImmeuble",
    "NombreLogementsAdresseIPE",
    "TypeProjectionGeographique",
    "CoordonneeImmeubleX",
    "CoordonneeImmeubleY",
    "BatimentImmeuble",
    "DateCablageAdresse",
    "NumeroVoieImmeuble",
    "ComplementNumeroVoieImmeuble",
    "AccordGestionnaireImmeubleNecessaire",
    "DatePremiereMADPM",
    "DateMiseEnServiceCommercialePM",
    "CodeAdresseImmeuble",
    "NombreLogementsPM",
    "CodeVoieRivoliImmeuble",
    "TypeZone",
];
const COMMUNES: &str = "code;nom;type;departement;region;commune_parente;siren;population;codes_postaux;lon;lat;bbox_w;\
    bbox_s;bbox_e;bbox_n\n77058;Bussy-Saint-Georges;commune-actuelle;77;11;;217700582;27379;77600;2.712;48.839;2.676;\
    48.812;2.75;48.858\n";

/// A good row with some values replaced.
fn row(imb: &str, changes: &[(&str, &str)]) -> String {
    let good = |column| match column {
        "IdentifiantImmeuble" => imb,
        "EtatImmeuble" | "EtatPM" => "DEPLOYE",
        "ReferencePM" => "FI-77058-000B",
        "CodeInseeImmeuble" => "77058",
        "CodePostalImmeuble" => "77600",
        "CommuneImmeuble" => "BUSSY-ST-GEORGES",
        "NomVoieImmeuble" => "ÉTIENNE GANNERON",
        "NombreLogementsAdresseIPE" => "1",
        "TypeProjectionGeographique" => "RGF93",
        "CoordonneeImmeubleX" => "678771,23",
        "CoordonneeImmeubleY" => "6860548,07",
        _ => "",
    };
    let changed = |column: &&'static str| {
        changes.iter().find(|(name, _)| name == column).map_or_else(|| good(column), |(_, value)| *value)
    };
    COLUMNS.iter().map(changed).collect::<Vec<_>>().join(";")
}

struct Hostile {
    line: Vec<u8>,
    column: &'static str,
    outcome: Outcome,
    reason: &'static str,
}

const NUMBER: &str = "expected a whole number, 0 or more";
const COORDINATE: &str = "expected a number, for instance 678771,23";
const DATE: &str = "expected a date AAAAMMJJ, for instance 20190306";
const NO_DAY: &str = "there is no such day";
const UTF8: &str = "not in the file's encoding UTF-8";
const IMB: &str =
    "not a valid IMB: expected IMB/<INSEE>/<letter>/<4 digits or capitals>, for instance IMB/77058/X/0218";

fn hostile() -> Vec<Hostile> {
    use Outcome::{Kept, Refused};
    let whole = |line: Vec<u8>, reason| Hostile { line, column: "", outcome: Refused, reason };
    let mut rows = vec![
        whole(b"IMB/77058/X/B001;DEPLOYE".to_vec(), "2 fields where the header has 23"),
        whole(format!("{};more", row("IMB/77058/X/B002", &[])).into(), "24 fields where the header has 23"),
        whole(row("IMB/77058/X/B003", &[("CommuneImmeuble", "BUS\0SY")]).into(), "the line holds a NUL byte"),
        whole(
            row("IMB/77058/X/B004", &[("NomVoieImmeuble", "\"GANNERON")]).into(),
            "a quote is never closed",
        ),
        whole(
            row("IMB/77058/X/B005", &[("NomVoieImmeuble", &"x".repeat(10 << 20))]).into(),
            "the line is longer than 1048576 bytes",
        ),
        // The bytes of Windows-1252 for É, and one that is in no encoding's text.
        whole([b"IMB/77058/X/B006;\xc9".as_slice(), b"TIENNE"].concat(), UTF8),
        whole(b"IMB/77058/X/B007;\xff".to_vec(), UTF8),
    ];
    let mut number = 8;
    let mut add = |outcome, column: &'static str, value: &str, more: &[(&str, &str)], reason| {
        let imb = format!("IMB/77058/X/B{number:03}");
        number += 1;
        let line = row(&imb, &[&[(column, value)], more].concat()).into();
        rows.push(Hostile { line, column, outcome, reason });
    };
    let none: &[(&str, &str)] = &[];
    add(Refused, "IdentifiantImmeuble", "", none, "is empty");
    add(Refused, "IdentifiantImmeuble", "imb/77058/x/b009", none, IMB);
    add(
        Refused,
        "EtatImmeuble",
        "DEPLOYÉ",
        none,
        "expected one of CIBLE, RACCORDABLE DEMANDE, RAD EN COURS DE DEPLOIEMENT, SIGNE, EN COURS DE DEPLOIEMENT, \
         DEPLOYE, ABANDONNE",
    );
    add(
        Refused,
        "ReferencePM",
        "FI-77058-B",
        none,
        "not a valid PM: expected FI-<INSEE>-<4 digits or capitals>, for instance FI-77058-000B",
    );
    add(Refused, "EtatPM", "", none, "is empty though the row names a PM");
    add(
        Refused,
        "EtatPM",
        "PRET",
        none,
        "expected one of PLANIFIE, EN COURS DE DEPLOIEMENT, DEPLOYE, ABANDONNE",
    );
    add(
        Refused,
        "CodeInseeImmeuble",
        "7705",
        none,
        "not a valid INSEE: expected 5 digits, or 2A or 2B and 3 digits, for instance 77058",
    );
    add(Kept, "CodeInseeImmeuble", "99999", none, "is not in the list of communes");
    add(Refused, "CodePostalImmeuble", "7760O", none, "expected 5 digits, for instance 77600");
    add(Kept, "CodePostalImmeuble", "01000", none, "is no postcode of 77058 Bussy-Saint-Georges");
    let wgs84 = ("TypeProjectionGeographique", "WGS84");
    // A hundredth of a degree of latitude north of the commune's rectangle.
    add(
        Kept,
        "CoordonneeImmeubleX",
        "2.7",
        &[wgs84, ("CoordonneeImmeubleY", "48.868")],
        "the place is 1112 m outside 77058 Bussy-Saint-Georges",
    );
    add(Refused, "CoordonneeImmeubleX", "200", &[wgs84], "a longitude is between -180 and 180");
    add(
        Refused,
        "CoordonneeImmeubleY",
        "91",
        &[wgs84, ("CoordonneeImmeubleX", "2,7")],
        "a latitude is between -90 and 90",
    );
    add(Refused, "CoordonneeImmeubleX", "NaN", none, COORDINATE);
    add(Refused, "CoordonneeImmeubleY", "1e999", none, COORDINATE);
    add(
        Refused,
        "TypeProjectionGeographique",
        "LAMBERT",
        none,
        "expected one of WGS84, RGF93, RGAF09, RGFG95, RGR92, RGM04, RGSPM06, LAMB2E",
    );
    add(Refused, "NombreLogementsAdresseIPE", "-1", none, NUMBER);
    add(Refused, "NombreLogementsAdresseIPE", "4294967296", none, NUMBER);
    add(Refused, "CommuneImmeuble", "  ", none, "is empty");
    add(Refused, "NomVoieImmeuble", "", none, "is empty");
    add(Refused, "NumeroVoieImmeuble", "12 BIS", none, "expected a street number of up to 6 digits");
    add(Refused, "ComplementNumeroVoieImmeuble", "BIS", none, "expected one capital letter, for instance B");
    add(Refused, "DateCablageAdresse", "20190229", none, NO_DAY);
    add(Refused, "DateCablageAdresse", "00000000", none, NO_DAY);
    add(Refused, "DateCablageAdresse", "06/03/2019", none, DATE);
    add(Refused, "AccordGestionnaireImmeubleNecessaire", "OUI", none, "expected O or N");
    add(Refused, "CodeAdresseImmeuble", "77058X021", none, "expected 10 letters or digits");
    add(
        Refused,
        "CodeVoieRivoliImmeuble",
        "36",
        none,
        "not a valid Rivoli: expected a digit or capital and 3 digits, for instance 0361",
    );
    add(Refused, "TypeZone", "4", none, "expected one of 1, 2, 3");
    add(
        Kept,
        "AccordGestionnaireImmeubleNecessaire",
        "N",
        &[("EtatImmeuble", "SIGNE")],
        "state SIGNE is only for buildings that need an agreement",
    );
    add(
        Kept,
        "DateMiseEnServiceCommercialePM",
        "20190401",
        &[("DatePremiereMADPM", "20181206")],
        "is not three months after DatePremiereMADPM",
    );
    add(
        Kept,
        "NombreLogementsPM",
        "7",
        &[("ReferencePM", "FI-77058-00ZZ")],
        "the usable rows of FI-77058-00ZZ have 1 housings",
    );
    // The good row number 3 stands there once more, with another street.
    add(
        Refused,
        "IdentifiantImmeuble",
        "IMB/77058/X/G003",
        &[("NomVoieImmeuble", "ÉTIENNE GANNEROZ")],
        "stands twice for one bâtiment",
    );
    rows
}

#[test]
fn forty_hostile_rows() {
    let hostile = hostile();
    assert_eq!(hostile.len(), 40);
    let mut text = format!("{}\n", COLUMNS.join(";")).into_bytes();
    for (index, bad) in hostile.iter().enumerate() {
        text.extend(format!("{}\n", row(&format!("IMB/77058/X/G{index:03}"), &[])).bytes());
        text.extend(&bad.line);
        text.push(b'\n');
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "x_77_ESVC_PM_IPE_V30_20261101.csv";
    let files = [folder.path().join(name), folder.path().join("communes.csv")];
    std::fs::write(&files[0], &text).unwrap();
    std::fs::write(&files[1], COMMUNES).unwrap();
    let store = Store::open(folder.path().join("store")).unwrap();
    let options = Options { memory_bytes: 1 << 20, dry_run: false, today: date(2026, 11, 2) };
    let imported = store.import(&files, &options, &mut |_| eservices_reference::GO_ON).unwrap();
    assert_eq!(imported.change, Change::New);

    for (index, (bad, problem)) in hostile.iter().zip(&imported.problems).enumerate() {
        let found = (problem.line, problem.column.as_str(), problem.reason.as_str(), problem.outcome);
        assert_eq!(found, (3 + 2 * index as u64, bad.column, bad.reason, bad.outcome));
        assert_eq!(problem.file, name);
    }
    assert_eq!(imported.problems.len(), 40);
    let reference = store.load(imported.manifest.id()).unwrap();
    assert_eq!(reference.report().problems, imported.problems, "the file of problems says the same");
    for index in 0..40 {
        let imb = Imb::parse(&format!("IMB/77058/X/G{index:03}")).unwrap();
        let building = reference.building(&imb).unwrap_or_else(|| panic!("{imb} is gone"));
        assert_eq!(&*building.street_name, "ÉTIENNE GANNERON", "{imb}");
    }
    let kept = hostile.iter().filter(|bad| bad.outcome == Outcome::Kept).count();
    assert_eq!((kept, reference.buildings().len()), (6, 46));
    let counts = imported.manifest.release.counts;
    assert_eq!((counts.refused, counts.remarks), (34, 6));
    assert_eq!(reference.report().rows, [("communes.csv".to_owned(), 1), (name.to_owned(), 80)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever stands between two good rows, on lines of its own, they are kept.
    #[test]
    fn any_bytes_between_good_rows(noise in proptest::collection::vec(any::<u8>(), 0..400)) {
        let good = |last: u32| row(&format!("IMB/77058/X/000{last}"), &[("NomVoieImmeuble", "GANNERON")]);
        let head = format!("{}\n{}\n", COLUMNS.join(";"), good(1));
        let text = [head.as_bytes(), &noise, b"\n", good(2).as_bytes()].concat();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x_77_ESVC_PM_IPE_V30_20261101.csv");
        std::fs::write(&file, text).unwrap();
        let store = Store::open(folder.path().join("store")).unwrap();
        let options = Options { memory_bytes: 0, dry_run: false, today: date(2026, 11, 2) };
        let imported = store.import(&[file], &options, &mut |_| eservices_reference::GO_ON).unwrap();
        prop_assert_eq!(store.load(imported.manifest.id()).unwrap().buildings().len(), 2);
    }
}
