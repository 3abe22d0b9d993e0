use super::*;
use crate::building::{Building, Kind, PmState, Projection, State};
use crate::ids::{Imb, Pm, Pto};
use crate::{Reference, ipe as ipe_reader, structure, text};
use jiff::civil::date;
use std::collections::{BTreeMap, BTreeSet};
use tempfile::TempDir;

fn order(premises: u64) -> Order {
    Order {
        premises,
        seed: 42,
        day: date(2026, 11, 1),
        queries: 450,
        ndjson: true,
        encoding: Encoding::Windows1252,
        packing: Packing::None,
        force: false,
        config: Config::default(),
    }
}

fn built_in() -> Communes {
    Communes::parse("communes.csv", BUILT_IN).unwrap()
}

fn made(order: &Order) -> (TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let summary = generate(order, &built_in(), folder.path(), |_| {}).unwrap();
    (folder, summary)
}

const IPE: &str = "GENERE_00_ESVC_PM_IPEZMD_V30_20261101.csv";

fn read(folder: &TempDir, name: &str) -> String {
    text::whole(&folder.path().join(name)).unwrap()
}

/// Rows by column name.
fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = |record: csv::StringRecord| {
        header.iter().map(Into::into).zip(record.iter().map(Into::into)).collect()
    };
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn readers_take_every_row_and_have_no_remark() {
    let (folder, summary) = made(&order(2_000));
    let file = ipe_reader::read(IPE, &read(&folder, IPE)).unwrap();
    assert_eq!(file.problems, []);
    assert_eq!(file.buildings.iter().map(|(_, building)| u64::from(building.housings)).sum::<u64>(), 2_000);
    let reference = Reference::from_files(folder.path()).unwrap();
    assert_eq!(reference.report().problems, []);
    let counts = reference.release().counts;
    assert_eq!(counts.buildings as u64, summary.buildings);
    assert!(counts.structure > 500 && counts.lines > 500 && counts.pbos > 100, "{counts:?}");
    assert_eq!(summary.premises, 2_000);
    for written in &summary.files {
        assert_eq!(std::fs::metadata(folder.path().join(&written.name)).unwrap().len(), written.bytes);
        let lines = read(&folder, &written.name).lines().count() as u64;
        let header = u64::from(!written.name.ends_with("ndjson"));
        assert_eq!(lines - header, written.rows, "{}", written.name);
    }
}

#[test]
fn every_commune_counts_as_its_population_says() {
    let (folder, summary) = made(&order(100_000));
    let mut housings: BTreeMap<String, f64> = BTreeMap::new();
    for row in rows(&read(&folder, IPE)) {
        *housings.entry(row["CodeInseeImmeuble"].clone()).or_default() +=
            row["NombreLogementsAdresseIPE"].parse::<f64>().unwrap();
    }
    // 214,000 of the 1,394,029 inhabitants of the built-in list.
    assert!((housings["77912"] - 100_000.0 * 214_000.0 / 1_394_029.0).abs() <= 1.0);
    assert_eq!(housings.values().sum::<f64>(), 100_000.0);
    assert_eq!(summary.communes, 60);
}

/// The rules of INTEROP-FACTS §1.3 and §1.4, from the file's own columns.
#[test]
fn the_rules_of_the_ipe_file_hold() {
    let mut large = order(60_000);
    large.encoding = Encoding::Utf8;
    let (folder, _) = made(&large);
    let rows = rows(&read(&folder, IPE));
    let mut behind: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut states: BTreeSet<&str> = BTreeSet::new();
    let mut pm_states: BTreeSet<&str> = BTreeSet::new();
    for row in &rows {
        let get = |column: &str| row[column].as_str();
        let is_day = |column: &str| get(column).len() == 8;
        let (state, pm_state) = (get("EtatImmeuble"), get("EtatPM"));
        states.insert(state);
        pm_states.insert(pm_state);
        let housings: u32 = get("NombreLogementsAdresseIPE").parse().unwrap();
        assert!(housings > 0);
        if get("ReferencePM").is_empty() {
            assert_eq!(state, "CIBLE");
            assert_eq!(pm_state, "");
        } else {
            let total = get("NombreLogementsPM").parse().unwrap();
            let point = behind.entry(get("ReferencePM")).or_insert((total, 0));
            assert_eq!(point.0, total);
            point.1 += housings;
            assert!(get("CapaciteMaxPM").parse::<u32>().unwrap() >= total);
            assert!(is_day("DateInstallationPM"));
        }
        assert_eq!(pm_state == "DEPLOYE", is_day("DatePremiereMADPM"));
        assert_eq!(pm_state == "DEPLOYE", is_day("DateMiseEnServiceCommercialePM"));
        if pm_state == "DEPLOYE" {
            let months =
                |day: &str| day[..4].parse::<i32>().unwrap() * 12 + day[4..6].parse::<i32>().unwrap();
            let (first, service) = (get("DatePremiereMADPM"), get("DateMiseEnServiceCommercialePM"));
            assert_eq!(months(service) - months(first), 3, "{first} {service}");
            assert!(first[6..] == service[6..] || service[6..].parse::<u32>().unwrap() >= 28);
            assert!(get("DateInstallationPM") <= first && first <= "20261101");
        } else if !pm_state.is_empty() && pm_state != "ABANDONNE" {
            assert!(get("DateInstallationPM") > "20261101");
        }
        assert_eq!(pm_state == "ABANDONNE", pm_state == "ABANDONNE" && state == "ABANDONNE");
        let agreed = get("AccordGestionnaireImmeubleNecessaire") == "O";
        assert!(state != "SIGNE" || agreed);
        let signed = agreed && !matches!(state, "CIBLE" | "ABANDONNE");
        assert_eq!(is_day("DateSignatureConvention"), signed, "{state}");
        for column in
            ["GestionnaireImmeuble", "CodePostalGestionnaire", "CommuneGestionnaire", "NomVoieGestionnaire"]
        {
            assert_eq!(get(column).is_empty(), !signed);
        }
        if signed && is_day("DateCablageAdresse") {
            let day = |column: &str| jiff::civil::Date::strptime("%Y%m%d", get(column)).unwrap();
            let (from, to) = (day("DateSignatureConvention"), day("DateCablageAdresse"));
            assert!(from <= to && to <= from.saturating_add(jiff::Span::new().months(6)), "{from} {to}");
        }
        match state {
            "DEPLOYE" => {
                assert!(is_day("DateCablageAdresse") && get("DateCablageAdresse") <= "20261101");
                assert_eq!(pm_state, "DEPLOYE");
                assert!(get("DateDebutFournitureCRCmdAcces") >= get("DateMiseEnServiceCommercialePM"));
                assert!(!get("TypePBO").is_empty() && !get("TypeRaccoPBPTO").is_empty());
            }
            "ABANDONNE" => assert!(get("DateDerniereModification") >= "20260801"),
            "RACCORDABLE DEMANDE" | "RAD EN COURS DE DEPLOIEMENT" => {
                assert_eq!(get("SusceptibleRaccordableDemande"), "O")
            }
            _ => assert!(get("DateCablageAdresse").is_empty() || get("DateCablageAdresse") > "20261101"),
        }
        assert!(get("DateDerniereModification") <= "20261101");
        assert_eq!(get("TypeImmeuble") == "PAVILLON", get("IdentifiantImmeuble").as_bytes()[10] == b'X');
    }
    assert!(behind.values().all(|(total, sum)| total == sum));
    assert_eq!(states.len(), 7, "{states:?}");
    assert_eq!(pm_states.len(), 5, "{pm_states:?}");
    let by_zone = |zone: &str| rows.iter().filter(|row| row["TypeZone"] == zone).count();
    assert!(by_zone("1") > 0 && by_zone("3") > by_zone("1"));
    assert!(rows.iter().any(|row| row["TypeEmplacementPM"] == "PMI"));
}

#[test]
fn identifiers_have_their_form_and_come_once() {
    let (folder, summary) = made(&order(20_000));
    let (mut hexacles, mut keys) = (BTreeMap::new(), BTreeMap::new());
    let (mut imbs, mut streets) = (BTreeSet::new(), BTreeMap::new());
    for row in rows(&read(&folder, IPE)) {
        let imb = row["IdentifiantImmeuble"].clone();
        assert!(Imb::is_valid(&imb) && imb[4..9] == row["CodeInseeImmeuble"]);
        assert!(row["ReferencePM"].is_empty() || Pm::is_valid(&row["ReferencePM"]));
        assert_eq!(row["CodeHexacleVoie"].len(), 10);
        assert!(crate::ids::Rivoli::is_valid(&row["CodeVoieRivoliImmeuble"]));
        let street = (row["CodeInseeImmeuble"].clone(), row["CodeVoieRivoliImmeuble"].clone());
        let name =
            (row["TypeVoieImmeuble"].clone(), row["NomVoieImmeuble"].clone(), row["CodeHexacleVoie"].clone());
        assert_eq!(*streets.entry(street).or_insert_with(|| name.clone()), name);
        if row["NumeroVoieImmeuble"] == "0" {
            assert_eq!((row["CodeAdresseImmeuble"].as_str(), row["CodeBAN"].as_str()), ("", ""));
        } else {
            assert_eq!(row["CodeAdresseImmeuble"].len(), 10);
            assert_eq!(
                hexacles.entry(row["CodeAdresseImmeuble"].clone()).or_insert_with(|| imb.clone()),
                &imb
            );
            assert_eq!(keys.entry(row["CodeBAN"].clone()).or_insert_with(|| imb.clone()), &imb);
        }
        imbs.insert(imb);
    }
    assert_eq!(imbs.len() as u64, summary.buildings);
    assert_eq!(streets.len() as u64, summary.streets);
    let names: BTreeSet<_> =
        streets.iter().map(|((insee, _), (kind, name, _))| (insee, kind, name)).collect();
    assert_eq!(names.len(), streets.len(), "a name stands twice in a commune");
    let ban: BTreeSet<String> =
        rows(&read(&folder, ADDRESSES_FILE)).iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ban, keys.into_keys().collect());
    let lines = rows(&read(&folder, LINES_FILE));
    let sockets: BTreeSet<_> = lines.iter().map(|row| row["PTO"].clone()).collect();
    assert_eq!(sockets.len(), lines.len());
    assert!(sockets.iter().all(|pto| Pto::is_valid(pto)));
    for row in rows(&read(&folder, STRUCTURE_FILE)) {
        for column in ["PMT", "PBO"] {
            assert!(row[column].len() == 9 && row[column].starts_with("PT "), "{}", row[column]);
        }
        let link = &row["lien_PM_PRDM"];
        assert!(link.len() == 22 && link[9..] == row["PM"] && link.starts_with(&row["IMB"][4..9]), "{link}");
    }
}

#[test]
fn the_structure_tells_what_the_ipe_file_tells() {
    let (folder, _) = made(&order(20_000));
    let file = ipe_reader::read(IPE, &read(&folder, IPE)).unwrap();
    let mut buildings: BTreeMap<&Imb, Vec<&Building>> = BTreeMap::new();
    for (_, building) in &file.buildings {
        buildings.entry(&building.imb).or_default().push(building);
    }
    let structure = structure::read_structure(STRUCTURE_FILE, &read(&folder, STRUCTURE_FILE)).unwrap();
    let mut housings: BTreeMap<&Imb, u32> = BTreeMap::new();
    let mut full: BTreeMap<(&Pm, &str), (Option<u32>, u32)> = BTreeMap::new();
    for (_, row) in &structure.rows {
        let building = buildings[&row.imb][0];
        assert_eq!((building.state, building.pm_state), (State::Deployed, Some(PmState::Deployed)));
        assert_eq!(building.pm.as_ref(), Some(&row.pm));
        assert_eq!(building.pbo_type, row.pbo_type);
        *housings.entry(&row.imb).or_default() += row.housings.unwrap();
        full.entry((&row.pm, row.pbo.as_deref().unwrap())).or_insert((row.pbo_fibres, 0));
    }
    for (imb, housings) in &housings {
        assert_eq!(buildings[imb].iter().map(|building| building.housings).sum::<u32>(), *housings);
    }
    let lines = structure::read_lines(LINES_FILE, &read(&folder, LINES_FILE)).unwrap();
    for (_, line) in &lines.rows {
        let pm = buildings[&line.imb][0].pm.as_ref().unwrap();
        full.get_mut(&(pm, line.pbo.as_deref().unwrap())).unwrap().1 += 1;
    }
    assert!(full.values().all(|(fibres, lines)| fibres.is_none_or(|fibres| *lines <= fibres)));
    let saturated = full.values().filter(|(fibres, lines)| *fibres == Some(*lines)).count() as f64;
    assert!((0.01..0.06).contains(&(saturated / full.len() as f64)), "{saturated} of {}", full.len());
    let deployed = buildings.values().filter(|rows| rows[0].state == State::Deployed).count();
    assert!((0.97..1.0).contains(&(housings.len() as f64 / deployed as f64)));
    assert!(buildings.values().any(|rows| rows.len() > 1), "no address with two bâtiments");
    assert!(buildings.values().all(|rows| rows[0].kind == Some(Kind::Block) || rows[0].housings == 1));
}

#[test]
fn numbers_lie_within_the_commune_and_follow_each_other() {
    let (folder, _) = made(&order(20_000));
    let bounds: BTreeMap<_, _> =
        built_in().towns.iter().map(|town| (town.commune.insee.to_string(), town.bounds)).collect();
    let mut last: Option<(String, f64, f64)> = None;
    for row in rows(&read(&folder, ADDRESSES_FILE)) {
        let (lon, lat): (f64, f64) = (row["lon"].parse().unwrap(), row["lat"].parse().unwrap());
        let bounds = bounds[&row["code_insee"]];
        assert!(
            bounds.min.lon <= lon && lon <= bounds.max.lon && bounds.min.lat <= lat && lat <= bounds.max.lat
        );
        let street = format!("{} {}", row["code_insee"], row["nom_voie"]);
        if let Some((_, from_lon, from_lat)) = last.filter(|(last, ..)| *last == street) {
            let (east, north) =
                ((lon - from_lon) * 111_320.0 * lat.to_radians().cos(), (lat - from_lat) * 111_320.0);
            assert!(east.hypot(north) < 60.0, "{street} {}", row["numero"]);
        }
        last = Some((street, lon, lat));
        assert!(
            row["nom_afnor"].len() <= 38
                && row["nom_afnor"]
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ')
        );
    }
}

#[test]
fn other_readers_find_the_same_places() {
    let (folder, summary) = made(&order(20_000));
    let mut points = BTreeMap::new();
    let csv = crate::ban::read_numbers(ADDRESSES_FILE, &read(&folder, ADDRESSES_FILE), |entry| {
        points.insert(entry.ban.clone(), entry.position.unwrap());
    });
    assert_eq!(csv.unwrap().problems, []);
    let mut count = 0;
    for (line, text) in read(&folder, STREETS_FILE).lines().enumerate() {
        let (entries, problems) = crate::ban::ndjson_line(STREETS_FILE, line as u64 + 1, text);
        assert_eq!(problems, []);
        for entry in entries {
            assert_eq!(points[&entry.ban], entry.position.unwrap());
            count += 1;
        }
    }
    assert_eq!(count, points.len());
    assert!(points.len() as u64 > summary.buildings * 9 / 10);
    // The IPE file has metres, the address base degrees.
    let mut projections = BTreeSet::new();
    for (_, building) in ipe_reader::read(IPE, &read(&folder, IPE)).unwrap().buildings {
        let Some(key) = &building.ban else { continue };
        let position = building.position;
        projections.insert(position.projection);
        let point = crate::geo::to_wgs84(position.projection, position.x, position.y).unwrap();
        assert!(crate::geo::distance_metres(point, points[&Some(key.clone())]) < 0.2);
    }
    assert_eq!(projections, BTreeSet::from([Projection::Wgs84, Projection::Rgf93, Projection::Rgr92]));
}

#[test]
fn questions_have_their_answer_among_the_addresses() {
    let (folder, _) = made(&order(20_000));
    let addresses: BTreeMap<String, BTreeMap<String, String>> =
        rows(&read(&folder, ADDRESSES_FILE)).into_iter().map(|row| (row["id"].clone(), row)).collect();
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    for row in rows(&read(&folder, QUERIES_FILE)) {
        let answer = &addresses[&row["ban"]];
        for (here, there) in [
            ("insee", "code_insee"),
            ("street", "nom_voie"),
            ("number", "numero"),
            ("suffix", "rep"),
            ("postcode", "code_postal"),
            ("city", "nom_commune"),
        ] {
            assert_eq!(row[here], answer[there]);
        }
        let kind = row["kind"].as_str();
        let query = names::plain(&row["query"]);
        let full = names::plain(&format!(
            "{} {} {} {} {}",
            row["number"], row["suffix"], row["street"], row["postcode"], row["city"]
        ));
        assert_eq!(query == full, kind == "full", "{kind}: {query}");
        assert_eq!(row["lon"].is_empty(), !matches!(kind, "no_city" | "prefix"));
        assert!(row["query"].chars().count() <= 200);
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    assert_eq!(kinds.len(), 9);
    assert!(kinds.values().all(|count| *count >= 45), "{kinds:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |order: &Order| {
        let (folder, summary) = made(order);
        let read = |written: &Written| std::fs::read(folder.path().join(&written.name)).unwrap();
        summary.files.iter().map(|file| (file.name.clone(), read(file))).collect::<Vec<_>>()
    };
    for packing in [Packing::None, Packing::Gzip, Packing::Zip] {
        let order = Order { packing, ..order(2_000) };
        let first = bytes(&order);
        assert_eq!(first, bytes(&order));
        let other = bytes(&Order { seed: 43, ..order.clone() });
        let differ = first.iter().zip(&other).filter(|(a, b)| a != b).count();
        assert_eq!(differ, first.len() - 1, "all but the communes differ");
        // More questions change no other file.
        let more = bytes(&Order { queries: 900, ..order });
        assert_eq!(first[..first.len() - 1], more[..first.len() - 1]);
    }
}

#[test]
fn packings_and_encodings_say_the_same() {
    let plain = read(&made(&Order { encoding: Encoding::Utf8, ..order(10_000) }).0, IPE);
    assert!(plain.contains("BŒURS-SOUS-LORMES"));
    for (encoding, packing, name, read_as) in [
        (Encoding::Utf8Bom, Packing::None, IPE.to_owned(), text::Encoding::Utf8Bom),
        (Encoding::Windows1252, Packing::Gzip, format!("{IPE}.gz"), text::Encoding::Windows1252),
        (Encoding::Utf8, Packing::Zip, IPE.replace(".csv", ".zip"), text::Encoding::Utf8),
    ] {
        let (folder, _) = made(&Order { encoding, packing, ..order(10_000) });
        let path = folder.path().join(&name);
        assert_eq!(text::encoding(&path, &mut |_| crate::GO_ON).unwrap(), read_as);
        assert!(text::whole(&path).unwrap() == plain, "{encoding:?} {packing:?}");
    }
    // Latin-1 has no Œ.
    let latin = read(&made(&Order { encoding: Encoding::Latin1, ..order(10_000) }).0, IPE);
    assert_eq!(latin, plain.replace('Œ', "OE"));
}

#[test]
fn communes_of_one_name_are_not_asked_for_without_a_postcode() {
    let header = BUILT_IN.lines().next().unwrap();
    let row = |code: &str, postcode: &str| {
        format!("{code};Bourg-Neuf;commune-actuelle;01;84;;;8600;{postcode};4.9;46.1;4.8;46.0;5.0;46.2\n")
    };
    let text = format!("{header}\n{}{}", row("01901", "01998"), row("01902", "01999"));
    let folder = tempfile::tempdir().unwrap();
    let communes = Communes::parse("c.csv", &text).unwrap();
    generate(&order(2_000), &communes, folder.path(), |_| {}).unwrap();
    let queries = rows(&read(&folder, QUERIES_FILE));
    assert!(queries.len() >= 390, "{}", queries.len());
    for row in queries {
        let kind = row["kind"].as_str();
        assert!(row["query"].contains(&row["postcode"]) || matches!(kind, "no_city" | "prefix"), "{kind}");
    }
}

#[test]
fn no_file_is_replaced_unless_forced_and_none_stays_half_written() {
    let (folder, _) = made(&order(100));
    let names = || -> BTreeSet<_> {
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let before = names();
    let again = generate(&order(100), &built_in(), folder.path(), |_| {});
    assert!(matches!(again, Err(Error::Exists { .. })), "{again:?}");
    assert_eq!(names(), before);
    generate(&Order { force: true, ..order(100) }, &built_in(), folder.path(), |_| {}).unwrap();
    assert_eq!(names(), before);
}

#[test]
fn a_commune_has_an_end() {
    let communes = built_in();
    let folder = tempfile::tempdir().unwrap();
    let error = generate(&order(20_000_000), &communes, &folder.path().join("out"), |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("commune 67905 would get 20"), "{error}");
    assert!(!folder.path().join("out").exists());
}

#[test]
fn configurations_are_checked() {
    let text = "[states]\ndeployed = 1\n[buildings]\nblocks_urban = 0.5\n";
    let config = Config::parse("g.toml", text).unwrap();
    assert_eq!(
        (config.states.deployed, config.buildings.blocks_urban, config.streets.numbers),
        (1.0, 0.5, 11.0)
    );
    for (text, reason) in [
        ("[states]\ndeploye = 1", "unknown field"),
        ("[etats]\n", "unknown field"),
        ("[boxes]\nsaturated = 1.5", "boxes.saturated is 1.5, expected a share between 0 and 1"),
        ("[streets]\nnumbers = 0.5", "streets.numbers is 0.5, expected 1 to 150"),
        ("[pms]\nnone=0\nplanned=0\ndeploying=0\ndeployed=0\nabandoned=0", "the weights of [pms]"),
    ] {
        let error = Config::parse("g.toml", text).unwrap_err().to_string();
        assert!(error.starts_with("g.toml: ") && error.contains(reason), "{error}");
    }
}

#[test]
fn a_configuration_changes_what_is_made() {
    let mut order = order(2_000);
    order.config = Config::parse("g.toml", "[boxes]\nsaturated = 1.0\nsize_unknown = 0.0\n[pms]\nnone = 0\nplanned = 0\ndeploying = 0\nabandoned = 0\n[states]\ntarget = 0\non_demand = 0\non_demand_deploying = 0\nsigned = 0\ndeploying = 0\nabandoned = 0").unwrap();
    let (folder, _) = made(&order);
    let reference = Reference::from_files(folder.path()).unwrap();
    assert!(reference.buildings().iter().all(|building| building.state == State::Deployed));
    for building in reference.buildings() {
        for row in reference.structure(&building.imb) {
            assert_eq!(reference.free_fibres(row), Some(0));
        }
    }
}

#[test]
fn communes_of_a_file_are_checked() {
    let header = BUILT_IN.lines().next().unwrap();
    let parse = |rows: &str| Communes::parse("c.csv", &format!("{header}\n{rows}"));
    let usable = "01001;Bourg-Neuf;commune-actuelle;01;84;;;860;01400;4.931;46.152;4.903;46.12;4.958;46.184";
    assert_eq!(parse(usable).unwrap().towns.len(), 1);
    // A commune in arrondissements gives way to them.
    let split = "69123;Lyon;commune-actuelle;69;84;;;519127;69001|69002;4.835;45.758;4.772;45.708;4.898;45.808\n\
                 69381;Lyon 1er;arrondissement-municipal;69;84;69123;;28717;69001;4.826;45.77;4.813;45.765;4.84;45.775";
    let towns = parse(split).unwrap().towns;
    assert_eq!(towns.iter().map(|town| town.commune.insee.as_str()).collect::<Vec<_>>(), ["69381"]);
    for (rows, reason) in [
        ("", "c.csv: no commune has inhabitants, a postcode and bounds"),
        (
            &*usable.replace("860", "many"),
            "c.csv:2: population: expected a whole number, 0 or more (found `many`)",
        ),
        (
            &*usable.replace("Bourg-Neuf", "\"Bourg;Neuf\""),
            "c.csv:2: nom: holds ; or a quote (found `Bourg;Neuf`)",
        ),
        (&*format!("{usable}\n{usable}"), "c.csv:3: commune 01001 stands twice"),
    ] {
        assert_eq!(parse(rows).unwrap_err().to_string(), reason);
    }
    assert_eq!(Communes::parse("c.csv", "a;b\n").unwrap_err().to_string(), "c.csv: column code is missing");
}

/// Name, type and length of every column as the catalogue beside the repository has them, where it is there.
#[test]
fn columns_are_those_of_the_catalogue() {
    assert_eq!(IPE_COLUMNS.len(), 75);
    assert_eq!(BAN_COLUMNS.len(), 23);
    let catalogue =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/interop/ipe_columns.csv");
    let Ok(text) = std::fs::read_to_string(&catalogue) else {
        eprintln!("not run: {} is not there", catalogue.display());
        return;
    };
    let columns = rows(&text);
    assert_eq!(columns.iter().map(|row| row["name"].as_str()).collect::<Vec<_>>(), IPE_COLUMNS);
    let (folder, _) = made(&order(5_000));
    for row in rows(&read(&folder, IPE)) {
        for column in &columns {
            let value = &row[&column["name"]];
            if let Ok(most) = column["max_len"].parse::<usize>() {
                assert!(value.chars().count() <= most, "{}: {value}", column["name"]);
            }
        }
    }
}

#[test]
fn real_communes_do_too() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/communes/communes_2026.csv.gz");
    if !path.exists() {
        eprintln!("not run: {} is not there", path.display());
        return;
    }
    let communes = Communes::parse("communes", &text::whole(&path).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let summary = generate(&order(50_000), &communes, folder.path(), |_| {}).unwrap();
    assert_eq!(summary.premises, 50_000);
    assert_eq!(Reference::from_files(folder.path()).unwrap().report().problems, []);
}
