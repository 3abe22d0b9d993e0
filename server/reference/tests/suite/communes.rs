use eservices_reference::address::{Commune, Point};
use eservices_reference::communes::{Error, has_postcode, outside, read_communes, read_postal_names};
use eservices_reference::text;
use std::path::{Path, PathBuf};

const COMMUNES: &str = "\
code;nom;type;departement;region;commune_parente;siren;population;codes_postaux;lon;lat;bbox_w;bbox_s;bbox_e;bbox_n
77058;Bussy-Saint-Georges;commune-actuelle;77;11;;217700582;27379;77600;2.712;48.839;2.676;48.812;2.75;48.858
75056;Paris;commune-actuelle;75;11;;217500016;2103778;75015|75116|75016|75016;2.347;48.859;2.224;48.816;2.47;48.902
75116;Paris 16e Arrondissement;arrondissement-municipal;75;11;75056;;159733;75016|75116;;;;;;
98411;Îles Saint-Paul et Nouvelle-Amsterdam;commune-actuelle;984;984;;;;;77.551;-38.266;77.504;-38.739;77.597;-37.792
";

const POSTAL: &str = "\
\"code_commune_insee\",\"nom_de_la_commune\",\"code_postal\",\"libelle_d_acheminement\",\"ligne_5\",\"_geopoint\"
\"01015\",\"ARBOYS EN BUGEY\",\"01300\",\"ARBOYS EN BUGEY\",\"ARBIGNIEU\",\"45.7,5.6\"
\"77058\",\"BUSSY ST GEORGES\",\"77600\",\"BUSSY ST GEORGES\",,
\"77058\",\"BUSSY ST GEORGES\",\"77607\",\"BUSSY ST GEORGES\",,
";

fn communes(text: &str) -> Vec<Commune> {
    let file = read_communes("communes.csv", text).unwrap();
    assert_eq!(file.problems, []);
    file.rows.into_iter().map(|(_, commune)| commune).collect()
}

fn shared(name: &str) -> Option<String> {
    let path: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/communes").join(name);
    if !path.exists() {
        eprintln!("not run: {} is absent", path.display());
        return None;
    }
    Some(text::whole(&path).unwrap())
}

#[test]
fn reads_communes() {
    let found = communes(COMMUNES);
    assert_eq!((found[0].insee.as_str(), &*found[0].name), ("77058", "Bussy-Saint-Georges"));
    assert_eq!((found[0].population, found[0].parent.clone()), (27_379, None));
    assert_eq!(found[0].centre, Some(Point { lon: 2.712, lat: 48.839 }));
    let bounds = found[0].bounds.unwrap();
    assert_eq!(
        (bounds.min.lon, bounds.min.lat, bounds.max.lon, bounds.max.lat),
        (2.676, 48.812, 2.75, 48.858)
    );
    assert_eq!(found[1].postcodes, ["75015", "75016", "75116"].map(Into::into));
    assert_eq!(found[2].parent.as_ref().map(|parent| parent.as_str()), Some("75056"));
    assert_eq!((found[2].centre, found[2].bounds), (None, None));
    assert_eq!((found[3].population, found[3].postcodes.len()), (0, 0));
}

#[test]
fn refuses_bad_communes() {
    let header = COMMUNES.lines().next().unwrap();
    for (row, column) in [
        ("7705;A;;;;;;1;77600;2;48;2;48;3;49", "code"),
        ("77058;;;;;;;1;77600;2;48;2;48;3;49", "nom"),
        ("77058;A;;;;;;many;77600;2;48;2;48;3;49", "population"),
        ("77058;A;;;;;;1;77600|7760;2;48;2;48;3;49", "codes_postaux"),
        ("77058;A;;;;;;1;77600;200;48;2;48;3;49", "lon"),
        ("77058;A;;;;;;1;77600;2;;2;48;3;49", "lat"),
        ("77058;A;;;;;;1;77600;2;48;3;48;2;49", "bbox_e"),
        ("77058;A;;;;;;1;77600;2;48;2;49;3;48", "bbox_n"),
        ("77058;A;;;;Paris;;1;77600;2;48;2;48;3;49", "commune_parente"),
    ] {
        let file = read_communes("communes.csv", &format!("{header}\n{row}\n")).unwrap();
        assert_eq!((file.rows.len(), file.count), (0, 1), "{row}");
        assert_eq!((file.problems[0].column.as_str(), file.problems[0].line), (column, 2), "{row}");
    }
    assert!(matches!(read_communes("c", "code;nom\n"), Err(Error::MissingColumn { .. })));
}

#[test]
fn reads_postal_names_with_commas() {
    let file = read_postal_names("postal.csv", POSTAL).unwrap();
    assert_eq!((file.count, file.problems.len()), (3, 0));
    let first = &file.rows[0].1;
    assert_eq!(
        (first.insee.as_str(), &*first.postcode, &*first.label),
        ("01015", "01300", "ARBOYS EN BUGEY")
    );
    assert_eq!(first.line5.as_deref(), Some("ARBIGNIEU"));
    assert_eq!(file.rows[1].1.line5, None);
    assert_eq!(file.unknown_columns, ["nom_de_la_commune", "_geopoint"]);
    let bad = POSTAL.replace("\"77600\"", "\"7760\"").replace("\"01015\"", "\"1015\"");
    let columns: Vec<_> =
        read_postal_names("p", &bad).unwrap().problems.into_iter().map(|p| (p.line, p.column)).collect();
    assert_eq!(columns, [(2, "code_commune_insee".to_owned()), (3, "code_postal".to_owned())]);
}

#[test]
fn a_building_outside_its_commune_is_told() {
    let bussy = &communes(COMMUNES)[0];
    assert_eq!(outside(bussy, Point { lon: 2.710742, lat: 48.844629 }), None);
    // 0.004° of latitude north of the rectangle: 445 m; 0.01°: 1112 m.
    assert_eq!(outside(bussy, Point { lon: 2.7, lat: 48.862 }), None);
    let metres = outside(bussy, Point { lon: 2.7, lat: 48.868 }).unwrap();
    assert!((metres - 1112.0).abs() < 1.0, "{metres}");
    assert_eq!(
        outside(&communes(COMMUNES)[2], Point { lon: 0.0, lat: 0.0 }),
        None,
        "no rectangle, no opinion"
    );
}

#[test]
fn a_postcode_belongs_by_either_list() {
    let mut names: Vec<_> =
        read_postal_names("p", POSTAL).unwrap().rows.into_iter().map(|(_, name)| name).collect();
    names.sort();
    let bussy = &communes(COMMUNES)[0];
    assert!(has_postcode(bussy, &names, "77600"));
    assert!(has_postcode(bussy, &names, "77607"), "only La Poste has it");
    assert!(has_postcode(bussy, &[], "77600"), "only the list of communes has it");
    assert!(!has_postcode(bussy, &names, "01300") && !has_postcode(bussy, &names, ""));
}

#[test]
fn the_real_lists() {
    let (Some(list), Some(postal)) =
        (shared("communes_2026.csv.gz"), shared("laposte_codes_postaux_20250619.csv.gz"))
    else {
        return;
    };
    let communes = communes(&list);
    assert_eq!(communes.len(), 35_014);
    let parents: Vec<_> = communes.iter().filter_map(|commune| commune.parent.as_ref()).collect();
    assert_eq!(parents.len(), 45);
    for (parent, count) in [("75056", 20), ("69123", 9), ("13055", 16)] {
        assert_eq!(parents.iter().filter(|found| found.as_str() == parent).count(), count, "{parent}");
    }
    let off = communes.iter().filter(|c| c.centre.is_some_and(|centre| outside(c, centre).is_some())).count();
    assert_eq!(off, 0, "every centre is in its rectangle");
    let file = read_postal_names("postal.csv", &postal).unwrap();
    assert_eq!((file.count, file.rows.len(), file.problems.len()), (39_201, 39_201, 0));
}
