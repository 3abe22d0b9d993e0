use eservices_reference::address::{Point, StreetKind};
use eservices_reference::ban::{Entry, Error, Walk, ndjson_line, read_localities, read_numbers};
use eservices_reference::building::Projection;
use eservices_reference::geo::{distance_metres, from_wgs84};
use eservices_reference::{Outcome, Problem};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;

const HEADER: &str = "id;id_fantoir;numero;rep;nom_voie;code_postal;code_insee;nom_commune;\
    code_insee_ancienne_commune;nom_ancienne_commune;x;y;lon;lat;type_position;alias;nom_ld;libelle_acheminement;\
    nom_afnor;source_position;source_nom_voie;certification_commune;cad_parcelles";
/// A row as published.
const PESE_LAIT: &str = "01002_w4ld4h_00006;;6;;Place du Pese Lait;01640;01002;L'Abergement-de-Varey;;;887643.67;\
    6547960.53;5.425179;46.005447;entrée;;;ABERGEMENT-DE-VAREY (L );PLACE DU PESE LAIT;commune;commune;1;\
    01002000AE0005";

fn numbers(text: &str) -> (Vec<Entry>, Walk) {
    let mut entries = Vec::new();
    let walk = read_numbers("adresses-01.csv", text, |entry| entries.push(entry)).unwrap();
    (entries, walk)
}

/// A row by column; what is not given is empty.
fn row(values: &[(&str, &str)]) -> String {
    let fields: Vec<_> = HEADER
        .split(';')
        .map(|column| values.iter().find(|(name, _)| *name == column).map_or("", |(_, value)| *value))
        .collect();
    format!("{HEADER}\n{}\n", fields.join(";"))
}

const NICE: &[(&str, &str)] = &[
    ("id", "06088_3505_00012_bis"),
    ("id_fantoir", "06088_3505"),
    ("numero", "12"),
    ("rep", "bis"),
    ("nom_voie", "Rue Jules Gilly"),
    ("code_postal", "06300"),
    ("code_insee", "06088"),
    ("nom_commune", "Nice"),
    ("lon", "7.277205"),
    ("lat", "43.695929"),
];

fn nice(changes: &[(&str, &str)]) -> String {
    row(&[changes, NICE].concat())
}

fn kept(text: &str) -> Entry {
    let (entries, walk) = numbers(text);
    assert_eq!(walk.problems, [], "{text}");
    assert_eq!(entries.len(), 1);
    entries.into_iter().next().unwrap()
}

fn number(entry: &Entry) -> Option<(u32, &str)> {
    entry.number.as_ref().map(|(number, suffix)| (*number, &**suffix))
}

#[test]
fn reads_the_published_row() {
    let entry = kept(&format!("{HEADER}\n{PESE_LAIT}\n"));
    assert_eq!((entry.insee.as_str(), &*entry.street), ("01002", "Place du Pese Lait"));
    assert_eq!((entry.kind, entry.postcode.as_deref()), (StreetKind::Street, Some("01640")));
    assert_eq!((&*entry.commune, entry.former_commune.as_deref()), ("L'Abergement-de-Varey", None));
    assert_eq!((number(&entry), entry.priority), (Some((6, "")), 10));
    assert_eq!((entry.rivoli.clone(), entry.locality.clone()), (None, None));
    assert_eq!(entry.position, Some(Point { lon: 5.425179, lat: 46.005447 }));
    assert_eq!(entry.ban.as_deref(), Some("01002_w4ld4h_00006"));
}

#[test]
fn tolerates_the_columns_with_ids() {
    let text = format!("{HEADER};id_ban_adresse;id_ban_toponyme;id_ban_commune\n{PESE_LAIT};a;b;c\n");
    let (entries, walk) = numbers(&text);
    assert_eq!((entries.len(), walk.rows, walk.problems.len()), (1, 1, 0));
    assert!(walk.unknown_columns.iter().any(|column| column == "id_ban_toponyme"));
    let short = read_numbers("a", "id;numero\n", |_| ());
    assert!(matches!(short, Err(Error::MissingColumn { .. })));
}

#[test]
fn the_street_code_comes_from_either_key() {
    let rivoli = |id_fantoir, id| {
        let entry = kept(&nice(&[("id_fantoir", id_fantoir), ("id", id)]));
        entry.rivoli.map(String::from)
    };
    assert_eq!(rivoli("06088_3505", "").as_deref(), Some("3505"));
    assert_eq!(rivoli("", "06088_3506_00012_bis").as_deref(), Some("3506"));
    assert_eq!(rivoli("", "06088_b016").as_deref(), Some("B016"));
    assert_eq!(rivoli("06088_3505", "06088_w4ld4h_00012").as_deref(), Some("3505"));
    assert_eq!(rivoli("", "06088_xxxx_00001_bis"), None);
    assert_eq!(rivoli("", "06088_0000_00001"), None);
    assert_eq!(rivoli("06089_3505", "ADRNIVX_0000000261624047"), None, "a code of another commune");
}

#[test]
fn numbers_and_what_follows_them() {
    let read = |numero, rep| kept(&nice(&[("numero", numero), ("rep", rep)]));
    assert_eq!(number(&read("12", "bis")), Some((12, "bis")));
    assert_eq!(number(&read("9999", " B ")), Some((9999, "b")));
    assert_eq!(number(&read("0", "")), Some((0, "")));
    assert_eq!(number(&read("12", "A 2")), Some((12, "a2")));
    assert_eq!(number(&read("99999", "")), None, "only names the street");
    assert_eq!(number(&read("", "")), None);
}

#[test]
fn positions() {
    let entry = kept(&nice(&[("lon", ""), ("lat", ""), ("x", "1044720"), ("y", "6297882.6")]));
    let away = distance_metres(entry.position.unwrap(), Point { lon: 7.277205, lat: 43.695929 });
    assert!(away < 0.15, "{away}");
    assert_eq!(kept(&nice(&[("lon", ""), ("lat", "")])).position, None);
    let (entries, walk) = numbers(&nice(&[("lon", ""), ("lat", ""), ("x", "0"), ("y", "0")]));
    assert_eq!(entries[0].position, None);
    assert_eq!((walk.problems[0].outcome, walk.problems[0].column.as_str()), (Outcome::Kept, "x"));
    for (text, expected) in [
        ("entrée", 10),
        ("bâtiment", 8),
        ("cage d’escalier", 7),
        ("cage d'escalier", 7),
        ("logement", 6),
        ("service technique", 5),
        ("délivrance postale", 3),
        ("parcelle", 2),
        ("segment", 1),
        ("inconnue", 0),
        ("", 0),
    ] {
        assert_eq!(kept(&nice(&[("type_position", text)])).priority, expected, "{text}");
    }
}

#[test]
fn names_of_places_around() {
    let entry =
        kept(&nice(&[("nom_ld", "Les Iscles"), ("nom_ancienne_commune", "Cimiez"), ("code_postal", "")]));
    assert_eq!(
        (entry.locality.as_deref(), entry.former_commune.as_deref()),
        (Some("Les Iscles"), Some("Cimiez"))
    );
    assert_eq!(entry.postcode, None);
}

#[test]
fn refuses_bad_rows() {
    for (column, value) in [
        ("code_insee", "6088"),
        ("code_insee", ""),
        ("code_postal", "630O0"),
        ("nom_voie", ""),
        ("nom_commune", ""),
        ("numero", "12bis"),
        ("numero", "10000"),
        ("numero", "+12"),
        ("numero", "+99999"),
        ("numero", "-1"),
        ("rep", "bis/ter"),
        ("rep", "quinquagies"),
        ("lon", "181"),
        ("lon", ""),
        ("lat", "-90.1"),
        ("lat", "NaN"),
    ] {
        let (entries, walk) = numbers(&nice(&[(column, value)]));
        let [problem] = &walk.problems[..] else { panic!("{column} {value}: {:?}", walk.problems) };
        assert_eq!((problem.column.as_str(), problem.line, problem.outcome), (column, 2, Outcome::Refused));
        assert_eq!(entries, [], "{column} {value}");
    }
}

#[test]
fn reads_places() {
    let text = "id;nom_lieu_dit;code_postal;code_insee;nom_commune;code_insee_ancienne_commune;nom_ancienne_commune;\
        x;y;lon;lat;source_position;source_nom_voie\n\
        01015_b016;Le Mollard;01300;01015;Arboys en Bugey;01340;Saint-Bois;;;5.62;45.7;commune;commune\n\
        01015_B017;;01300;01015;Arboys en Bugey;;;;;;;commune;commune\n";
    let mut entries = Vec::new();
    let walk = read_localities("lieux-dits-01.csv", text, |entry| entries.push(entry)).unwrap();
    assert_eq!((walk.rows, walk.problems.len(), entries.len()), (2, 1, 1));
    assert_eq!((&*entries[0].street, entries[0].kind), ("Le Mollard", StreetKind::Locality));
    assert_eq!(entries[0].rivoli.as_ref().map(AsRef::as_ref), Some("B016"));
    assert_eq!((entries[0].former_commune.as_deref(), number(&entries[0])), (Some("Saint-Bois"), None));
    assert_eq!((walk.problems[0].column.as_str(), walk.problems[0].line), ("nom_lieu_dit", 3));
}

#[test]
fn entries_sort_by_commune_street_and_number_and_survive_a_file() {
    let entry = |changes| kept(&nice(changes));
    let mut entries = [
        entry(&[("numero", "2")]),
        entry(&[("numero", "12")]),
        entry(&[("nom_voie", "Rue A")]),
        entry(&[("code_insee", "01002")]),
    ];
    entries.sort();
    let seen: Vec<_> = entries.iter().map(|e| (e.insee.as_str(), &*e.street, number(e).unwrap().0)).collect();
    let gilly = "Rue Jules Gilly";
    assert_eq!(
        seen,
        [("01002", gilly, 12), ("06088", "Rue A", 12), ("06088", gilly, 2), ("06088", gilly, 12)]
    );
    let back: Entry = postcard::from_bytes(&postcard::to_stdvec(&entries[0]).unwrap()).unwrap();
    assert_eq!(back, entries[0]);
}

const STREET: &str = r#"{"id":"06088_3505_5a04b0","type":"street","name":["Rue Jules Gilly","Carriera Jules Gilly"],
    "postcode":"06300","citycode":["06088"],"lon":7.277119,"lat":43.695935,"city":"Nice","oldcity":"Cimiez",
    "housenumbers":{"1":{"lat":43.696130,"lon":7.277025,"id":"ADRNIVX_1","x":1044704.3,"y":6297904.2},
    "3":{"lat":43.696073,"lon":7.277016,"id":"ADRNIVX_2"},"3":{"lat":43.695935,"lon":7.277119,"id":"ADRNIVX_3"},
    "39 BIS":{"x":1044713,"y":6297882.9}}}"#;

fn street(text: &str) -> (Vec<Entry>, Vec<Problem>) {
    ndjson_line("ban.ndjson", 7, text)
}

#[test]
fn a_street_a_line_keeps_a_number_that_stands_twice() {
    let (entries, problems) = street(STREET);
    assert_eq!(problems, []);
    let seen: Vec<_> = entries.iter().map(|entry| (number(entry).unwrap(), entry.ban.as_deref())).collect();
    let ids = [Some("ADRNIVX_1"), Some("ADRNIVX_2"), Some("ADRNIVX_3"), None];
    assert_eq!(seen, [((1, ""), ids[0]), ((3, ""), ids[1]), ((3, ""), ids[2]), ((39, "bis"), ids[3])]);
    for entry in &entries {
        assert_eq!(
            (&*entry.street, &*entry.commune, entry.insee.as_str()),
            ("Rue Jules Gilly", "Nice", "06088")
        );
        assert_eq!(entry.other_names, ["Carriera Jules Gilly".into()]);
        assert_eq!(
            (entry.postcode.as_deref(), entry.former_commune.as_deref()),
            (Some("06300"), Some("Cimiez"))
        );
        assert_eq!(entry.rivoli.as_ref().map(AsRef::as_ref), Some("3505"));
    }
    assert_eq!(entries[0].position, Some(Point { lon: 7.277025, lat: 43.696130 }));
    let projected = distance_metres(entries[3].position.unwrap(), entries[2].position.unwrap());
    assert!(projected < 0.15, "{projected}");
}

#[test]
fn a_bad_number_costs_only_itself() {
    for (from, to, value) in [
        ("\"1\":", "\"x1\":", "x1"),
        ("\"1\":", "\"10000\":", "10000"),
        ("\"1\":", "\"1-3\":", "1-3"),
        ("\"lat\":43.696130", "\"lat\":143.696130", "1"),
        ("\"lat\":43.696130", "\"lat\":\"north\"", "1"),
        ("\"lat\":43.696130,", "", "1"),
    ] {
        let (entries, problems) = street(&STREET.replacen(from, to, 1));
        assert_eq!((entries.len(), problems.len()), (3, 1), "{to}");
        let problem = &problems[0];
        assert_eq!((problem.line, &*problem.column, &*problem.value), (7, "housenumbers", value), "{to}");
    }
}

#[test]
fn a_street_or_place_without_numbers_is_one_entry() {
    let place = r#"{"id":"06088_b123","type":"locality","name":"Les Iscles","postcode":["06200","06300"],
        "citycode":"06088","lon":7.2,"lat":43.7,"city":["Nice","Nissa"]}"#;
    let (entries, problems) = street(place);
    assert_eq!((entries.len(), problems.len()), (1, 0));
    assert_eq!((entries[0].kind, number(&entries[0])), (StreetKind::Locality, None));
    assert_eq!((entries[0].postcode.as_deref(), &*entries[0].commune), (Some("06200"), "Nice"));
    assert_eq!((entries[0].ban.as_deref(), entries[0].priority), (Some("06088_b123"), 0));
    let only_bad = place.replace("\"lon\":7.2", "\"housenumbers\":{\"x\":{}},\"lon\":7.2");
    let (entries, problems) = street(&only_bad);
    assert_eq!((entries.len(), number(&entries[0]), problems.len()), (1, None, 1));
    assert_eq!(street(&place.replace("locality", "municipality")), (vec![], vec![]));
    assert_eq!(street("  "), (vec![], vec![]));
}

#[test]
fn refuses_bad_lines() {
    for (from, to, column) in [
        ("{\"id\"", "{id", ""),
        ("\"city\":\"Nice\",", "", ""),
        ("\"lon\":7.277119", "\"lon\":\"east\"", ""),
        ("[\"06088\"]", "[\"6088\"]", "citycode"),
        ("[\"06088\"]", "[]", "citycode"),
        ("\"06300\"", "\"6300\"", "postcode"),
        ("\"city\":\"Nice\"", "\"city\":\" \"", "city"),
        ("[\"Rue Jules Gilly\",\"Carriera Jules Gilly\"]", "\"\"", "name"),
        ("\"street\"", "\"road\"", "type"),
        ("\"lon\":7.277119", "\"lon\":187.277119", "lon"),
    ] {
        let (entries, problems) = street(&STREET.replacen(from, to, 1));
        assert_eq!((entries, problems.len()), (vec![], 1), "{to}");
        assert_eq!((&*problems[0].column, problems[0].line), (column, 7), "{to}");
    }
}

proptest! {
    #[test]
    fn a_number_of_any_text_is_kept_or_told(key in "\\PC{0,12}") {
        let name = serde_json::to_string(&key).unwrap();
        let (entries, problems) = street(&STREET.replacen("\"1\"", &name, 1));
        prop_assert_eq!(entries.len() + problems.len(), 4, "{:?}", key);
    }
}

/// Nice, where the shared data folder is there. Its name counts numbers that stand twice in a street once.
#[test]
fn the_real_streets_of_nice() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/addresses/ban_nice_50_streets_633_numbers.ndjson");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("not run: {} is absent", path.display());
        return;
    };
    let (mut entries, mut away, mut published) = (Vec::new(), 0.0_f64, 0);
    for (line, text) in (1..).zip(text.lines()) {
        let (found, problems) = ndjson_line("ban.ndjson", line, text);
        assert_eq!(problems, []);
        // Every pair of x and y, after the street's own, is that of the number at the same place.
        let values = |key: &str| text.split(key).skip(2).map(leading_number).collect::<Vec<_>>();
        let (x, y) = (values("\"x\":"), values("\"y\":"));
        assert_eq!((x.len(), y.len()), (found.len(), found.len()));
        for (entry, (x, y)) in found.iter().zip(x.into_iter().zip(y)) {
            let computed = from_wgs84(Projection::Rgf93, entry.position.unwrap()).unwrap();
            away = away.max((computed.0 - x).abs()).max((computed.1 - y).abs());
            published += 1;
        }
        entries.extend(found);
    }
    assert!(away <= 0.1, "{away} m");
    let distinct: BTreeSet<_> = entries.iter().map(|entry| (&entry.street, &entry.number)).collect();
    assert_eq!((published, entries.len(), distinct.len()), (744, 744, 633));
    let streets: BTreeSet<_> = entries.iter().map(|entry| (&entry.street, &entry.rivoli)).collect();
    assert_eq!(streets.len(), 50);
    assert!(entries.iter().all(|entry| entry.rivoli.is_some()));
}

fn leading_number(text: &str) -> f64 {
    text.split([',', '}']).next().unwrap().trim().parse().unwrap()
}
