//! The address search over a few hand-written towns, and over real numbers of Nice where the shared data are.

use eservices_reference::address::{
    Candidate, Commune, Found, Grade, Level, Number, Point, PostalName, Query, Reason, Search, Street,
    StreetKind, inside_building, street_key,
};
use eservices_reference::ids::{Insee, Rivoli};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// Code, name, postcodes, inhabitants, longitude, latitude, the commune it is a part of.
const COMMUNES: &[(&str, &str, &str, u32, f64, f64, &str)] = &[
    ("06088", "Nice", "06000 06100 06200 06300", 348_085, 7.262, 43.71, ""),
    ("13055", "Marseille", "13001 13008", 873_076, 5.405, 43.284, ""),
    ("13208", "Marseille 8e Arrondissement", "13008", 84_683, 5.365, 43.228, "13055"),
    ("2A004", "Ajaccio", "20000 20090", 73_822, 8.706, 41.922, ""),
    ("35238", "Rennes", "35000 35200 35700", 225_081, -1.682, 48.116, ""),
    ("37003", "Amboise", "37400", 12_500, 0.983, 47.411, ""),
    ("54430", "Pont-à-Mousson", "54700", 14_000, 6.053, 48.905, ""),
    ("57288", "Ham-sous-Varsberg", "57880", 2_800, 6.645, 49.182, ""),
    ("59009", "Villeneuve-d'Ascq", "59491 59493 59650", 62_868, 3.13, 50.632, ""),
    ("59350", "Lille", "59000 59160 59800", 238_246, 3.047, 50.631, ""),
    ("59527", "Saint-André-lez-Lille", "59350", 12_900, 3.041, 50.66, ""),
    ("69123", "Lyon", "69003 69009", 520_774, 4.835, 45.758, ""),
    ("69383", "Lyon 3e Arrondissement", "69003", 100_679, 4.868, 45.751, "69123"),
    ("71076", "Chalon-sur-Saône", "71100", 45_000, 4.852, 46.79, ""),
    ("75056", "Paris", "75009 75116", 2_103_778, 2.347, 48.859, ""),
    ("75109", "Paris 9e Arrondissement", "75009", 57_271, 2.338, 48.877, "75056"),
    ("77058", "Bussy-Saint-Georges", "77600", 28_000, 2.721, 48.828, ""),
    ("93066", "Saint-Denis", "93200 93210", 150_000, 2.359, 48.93, ""),
    ("97411", "Saint-Denis", "97400 97417 97490", 156_000, 55.446, -20.934, ""),
];

/// Commune, postcode, routing label, former commune or place in it.
const POSTAL: &[(&str, &str, &str, &str)] = &[
    ("59350", "59000", "LILLE", ""),
    ("59350", "59160", "LILLE", "LOMME"),
    ("69383", "69003", "LYON", ""),
    ("75109", "75009", "PARIS", ""),
    ("77058", "77600", "BUSSY ST GEORGES", ""),
];

/// Commune, name, postcode, numbers.
const STREETS: &[(&str, &str, &str, &str)] = &[
    ("06088", "Avenue Jean Médecin", "06000", "1 2 2bis 12 14"),
    ("06088", "Rue Jules Gilly", "06300", "1 3 10 12"),
    ("06088", "Rue du Maréchal Joffre", "06000", "5 7"),
    ("13208", "Rue Paradis", "13008", "400 402"),
    ("13208", "Avenue du Prado", "13008", "3 8"),
    ("2A004", "Cours Napoléon", "20000", "1 33"),
    ("2A004", "Avenue du Premier Consul", "20000", "2 4"),
    ("35238", "Rue de Paris", "35000", "7 9"),
    ("35238", "Rue de Saint-Malo", "35000", "12"),
    ("35238", "Place Hoche", "35000", "1 2 3"),
    ("35238", "Boulevard de la Liberté", "35000", "20"),
    ("35238", "Rue du Pré Botté", "35000", "6"),
    ("35238", "Kerloc'h", "35700", "0"),
    ("37003", "Avenue Vingt Deux Aout 1944", "37400", "59"),
    ("37003", "Rue François 1er", "37400", "4 6"),
    ("37003", "Quai du Général de Gaulle", "37400", "8"),
    ("54430", "Rue du Pont-Neuf", "54700", "9"),
    ("54430", "Place Duroc", "54700", "1 2"),
    ("57288", "Place de la Gare", "57880", "2"),
    ("59009", "Allée du Colibri", "59650", "5"),
    ("59009", "Rue des Quatre Vents", "59493", "4"),
    ("59009", "Rue de Lille", "59493", "15"),
    ("59350", "Rue Nationale", "59000", "12 12bis 14"),
    ("59350", "Rue de Cambrai", "59000", "72 74"),
    ("59350", "Boulevard du Maréchal Vaillant", "59000", "3"),
    ("59350", "Place du Général de Gaulle", "59000", "1 2"),
    ("59350", "Rue de Paris", "59000", "7 15"),
    ("59350", "Rue Faidherbe", "59000", "9 11"),
    ("59350", "Rue du Docteur Calmette", "59160", "1a 1b 3"),
    ("59527", "Rue Sadi Carnot", "59350", "21"),
    ("59527", "Rue du 11 Novembre 1918", "59350", "11"),
    ("69383", "Cours Lafayette", "69003", "100 102"),
    ("69383", "Rue Garibaldi", "69003", "3 200"),
    ("71076", "Grande Rue", "71100", "7 9"),
    ("71076", "Rue aux Fèvres", "71100", "30"),
    ("75109", "Rue de Paradis", "75009", "5"),
    ("75109", "Rue Notre-Dame de Lorette", "75009", "60"),
    ("75109", "Rue Jean-Baptiste Pigalle", "75009", "2 4"),
    ("77058", "Boulevard de Lagny", "77600", "10 12"),
    ("77058", "Rue Jean Monnet", "77600", "1"),
    ("93066", "Rue de la République", "93200", "18 20"),
    ("93066", "Rue Gabriel Péri", "93200", "8"),
    ("97411", "Rue de Paris", "97400", "18"),
    ("97411", "Rue Jean Châtel", "97400", "8"),
];

fn point(lon: f64, lat: f64) -> Point {
    Point { lon, lat }
}

fn number(text: &str, position: Option<Point>) -> Number {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Number {
        number: text[..digits].parse().unwrap(),
        suffix: text[digits..].into(),
        position,
        ban: None,
        hexacle: None,
        buildings: vec![],
    }
}

fn street(insee: &str, name: &str, postcode: &str, commune: &str, numbers: Vec<Number>) -> Street {
    Street {
        insee: Insee::parse(insee).unwrap(),
        name: name.into(),
        other_names: vec![],
        kind: StreetKind::Street,
        postcodes: vec![postcode.into()],
        commune: commune.into(),
        former_commune: None,
        rivoli: None,
        hexacle: None,
        position: None,
        numbers,
    }
}

fn towns() -> Search {
    let communes: Vec<Commune> = COMMUNES
        .iter()
        .map(|(insee, name, postcodes, population, lon, lat, parent)| Commune {
            insee: Insee::parse(insee).unwrap(),
            name: (*name).into(),
            postcodes: postcodes.split(' ').map(Into::into).collect(),
            population: *population,
            centre: Some(point(*lon, *lat)),
            bounds: None,
            parent: Insee::parse(parent).ok(),
        })
        .collect();
    let postal = POSTAL.iter().map(|(insee, postcode, label, line5)| PostalName {
        insee: Insee::parse(insee).unwrap(),
        postcode: (*postcode).into(),
        label: (*label).into(),
        line5: (!line5.is_empty()).then(|| (*line5).into()),
    });
    let streets = STREETS.iter().map(|(insee, name, postcode, numbers)| {
        let commune = communes.iter().find(|c| c.insee.as_str() == *insee).unwrap();
        let numbers = numbers.split(' ').map(|text| number(text, commune.centre)).collect();
        let mut street = street(insee, name, postcode, &commune.name, numbers);
        street.rivoli = (*name == "Rue Jules Gilly").then(|| Rivoli::parse("3505").unwrap());
        if *name == "Rue Jules Gilly" {
            street.other_names = vec!["Rue du Malonat Vieux".into()];
            street.hexacle = Some("06300222AA".into());
            street.numbers[3].hexacle = Some("06300333BB".into());
            street.numbers[3].ban = Some("06088_3505_00012".into());
        }
        if *postcode == "59160" {
            street.former_commune = Some("Lomme".into());
        }
        street
    });
    let streets = streets.collect();
    Search::build(communes.clone(), postal.collect(), streets)
}

pub(crate) fn ask(search: &Search, text: &str) -> Vec<Candidate> {
    search.find(&Query { text, near: None, insee: None, limit: 5 })
}

/// `12bis Rue Nationale, Lille`, without what is not there.
fn shown(search: &Search, candidate: &Candidate) -> String {
    let street = candidate.street.map(|at| &search.streets()[at as usize]);
    let number = street.zip(candidate.number).map(|(s, at)| &s.numbers[at as usize]);
    let commune = &search.communes()[candidate.commune as usize].name;
    let number = number.map(|n| format!("{}{} ", n.number, n.suffix)).unwrap_or_default();
    street.map_or(commune.to_string(), |s| format!("{number}{}, {commune}", s.name))
}

fn first(search: &Search, text: &str) -> String {
    ask(search, text).first().map_or("nothing".into(), |candidate| shown(search, candidate))
}

#[test]
fn finds_what_is_meant() {
    let search = towns();
    let mut wrong = Vec::new();
    for (text, expected) in [
        // As it should be written, and in capitals.
        ("12 Rue Jules Gilly 06300 Nice", "12 Rue Jules Gilly, Nice"),
        ("12 RUE JULES GILLY 06300 NICE", "12 Rue Jules Gilly, Nice"),
        // Without postcode, without city, by the commune's code.
        ("12 rue Jules Gilly Nice", "12 Rue Jules Gilly, Nice"),
        ("12 rue Jules Gilly 06300", "12 Rue Jules Gilly, Nice"),
        ("12 rue Jules Gilly 06088", "12 Rue Jules Gilly, Nice"),
        ("33 cours Napoléon 2A004", "33 Cours Napoléon, Ajaccio"),
        // Another name of the street.
        ("3 rue du Malonat Vieux Nice", "3 Rue Jules Gilly, Nice"),
        // Types and titles, short and long.
        ("12 av J Médecin Nice", "12 Avenue Jean Médecin, Nice"),
        ("5 r. du Mal Joffre, 06000 Nice", "5 Rue du Maréchal Joffre, Nice"),
        ("3 bd Mal Vaillant Lille", "3 Boulevard du Maréchal Vaillant, Lille"),
        ("1 pl gal de gaulle lille", "1 Place du Général de Gaulle, Lille"),
        ("3 rue du dr calmette lille", "3 Rue du Docteur Calmette, Lille"),
        ("12 r St Malo Rennes", "12 Rue de Saint-Malo, Rennes"),
        ("60 rue ND de Lorette Paris", "60 Rue Notre-Dame de Lorette, Paris 9e Arrondissement"),
        ("4 rue J.-B. Pigalle 75009", "4 Rue Jean-Baptiste Pigalle, Paris 9e Arrondissement"),
        ("10 blvd de lagny bussy st georges", "10 Boulevard de Lagny, Bussy-Saint-Georges"),
        // Numbers in words and as digits.
        ("4 rue des 4 vents villeneuve d'ascq", "4 Rue des Quatre Vents, Villeneuve-d'Ascq"),
        ("59 av du 22 août 1944 Amboise", "59 Avenue Vingt Deux Aout 1944, Amboise"),
        ("11 rue du onze novembre saint andré", "11 Rue du 11 Novembre 1918, Saint-André-lez-Lille"),
        ("4 rue François Ier Amboise", "4 Rue François 1er, Amboise"),
        ("6 rue françois premier amboise", "6 Rue François 1er, Amboise"),
        ("2 av du 1er consul ajaccio", "2 Avenue du Premier Consul, Ajaccio"),
        ("9 rue du pont neuf pont a mousson", "9 Rue du Pont-Neuf, Pont-à-Mousson"),
        // Suffixes and ranges.
        ("12 bis rue nationale lille", "12bis Rue Nationale, Lille"),
        ("12b rue nationale lille", "12bis Rue Nationale, Lille"),
        ("12 B, rue nationale lille", "12bis Rue Nationale, Lille"),
        ("1b rue du docteur calmette lille", "1b Rue du Docteur Calmette, Lille"),
        ("12-14 rue nationale lille", "12 Rue Nationale, Lille"),
        ("13/14 rue nationale lille", "14 Rue Nationale, Lille"),
        ("rue nationale 14 lille", "14 Rue Nationale, Lille"),
        ("n° 14 rue nationale, lille", "14 Rue Nationale, Lille"),
        // Arrondissements.
        ("3 rue garibaldi lyon 3", "3 Rue Garibaldi, Lyon 3e Arrondissement"),
        ("200 rue Garibaldi 69003 LYON 03", "200 Rue Garibaldi, Lyon 3e Arrondissement"),
        ("8 avenue du prado marseille 8ème", "8 Avenue du Prado, Marseille 8e Arrondissement"),
        ("5 rue de paradis paris 9e", "5 Rue de Paradis, Paris 9e Arrondissement"),
        ("400 rue paradis marseille", "400 Rue Paradis, Marseille 8e Arrondissement"),
        ("Marseille 8 rue Paradis 402", "402 Rue Paradis, Marseille 8e Arrondissement"),
        // What only mail uses, and what is inside the building.
        ("74, rue de Cambrai 59043 Lille Cedex 9", "74 Rue de Cambrai, Lille"),
        ("74 rue de Cambrai BP 29 59000 Lille", "74 Rue de Cambrai, Lille"),
        ("Bât A 3e étage 74 rue de Cambrai 59000 Lille", "74 Rue de Cambrai, Lille"),
        ("Mairie 1 place Hoche 35000 Rennes", "1 Place Hoche, Rennes"),
        // Streets named after towns.
        ("7 rue de paris rennes", "7 Rue de Paris, Rennes"),
        ("7 rue de paris lille", "7 Rue de Paris, Lille"),
        ("15 rue de lille villeneuve d ascq", "15 Rue de Lille, Villeneuve-d'Ascq"),
        ("18 rue de paris 97400 saint denis", "18 Rue de Paris, Saint-Denis"),
        // Former communes, short forms of a commune's name, s/.
        ("3 rue du docteur calmette lomme", "3 Rue du Docteur Calmette, Lille"),
        ("7 grande rue chalon s/ saone", "7 Grande Rue, Chalon-sur-Saône"),
        ("7 grand'rue chalon", "7 Grande Rue, Chalon-sur-Saône"),
        ("2 place de la gare ham sous varsberg", "2 Place de la Gare, Ham-sous-Varsberg"),
        ("5 allée du colibri villeneuve", "5 Allée du Colibri, Villeneuve-d'Ascq"),
        // Letters wrong, words joined and parted, in another order, missing.
        ("12 rue jule gily nice", "12 Rue Jules Gilly, Nice"),
        ("9 rue faiderbe lile", "9 Rue Faidherbe, Lille"),
        ("100 cours lafayete lyon", "100 Cours Lafayette, Lyon 3e Arrondissement"),
        ("21 rue sadicarnot saint andre lez lille", "21 Rue Sadi Carnot, Saint-André-lez-Lille"),
        ("kerloc h rennes", "0 Kerloc'h, Rennes"),
        ("lille nationale rue 12", "12 Rue Nationale, Lille"),
        ("8 rue péri saint-denis", "8 Rue Gabriel Péri, Saint-Denis"),
        ("3 bd mal j m vaillant lille", "3 Boulevard du Maréchal Vaillant, Lille"),
        ("8 rue des quattre vents", "Rue des Quatre Vents, Villeneuve-d'Ascq"),
        ("20 bd de la liber 35000", "20 Boulevard de la Liberté, Rennes"),
        // Communes alone.
        ("Lille", "Lille"),
        ("59000", "Lille"),
        ("bussy saint georges 77600", "Bussy-Saint-Georges"),
        ("paris", "Paris"),
        ("75009 Paris", "Paris 9e Arrondissement"),
    ] {
        let found = first(&search, text);
        if found != expected {
            wrong.push(format!("{text}: {found} instead of {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn says_how_sure_it_is_and_why() {
    let search = towns();
    let best = |text: &str| ask(&search, text).remove(0);

    let exact = best("12 rue Jules Gilly 06300 Nice");
    assert_eq!((exact.grade, exact.level(), exact.reasons.len()), (Grade::Exact, Level::Number, 0));
    assert!(exact.score > 0.99);

    let short = best("5 r du mal joffre nice");
    assert_eq!(short.grade, Grade::Exact);
    assert!(short.reasons.contains(&Reason::Abbreviated { from: "mal".into(), to: "marechal".into() }));

    let corrected = best("12 rue jules gily nice");
    assert_eq!(corrected.grade, Grade::Good);
    assert!(corrected.reasons.contains(&Reason::WordCorrected { from: "gily".into(), to: "gilly".into() }));

    let street = best("rue jules gilly nice");
    assert_eq!((street.grade, street.level()), (Grade::Exact, Level::Street));
    assert_eq!(street.reasons, [Reason::NumberMissing]);

    let lacking = best("11 rue jules gilly nice");
    assert_eq!((lacking.grade, lacking.level()), (Grade::Partial, Level::Street));
    assert_eq!(lacking.reasons, [Reason::NumberNotInStreet { nearest: vec![2, 3, 1] }]);

    let suffix = best("14 ter rue nationale lille");
    assert_eq!(suffix.grade, Grade::Partial);
    assert_eq!(suffix.reasons, [Reason::SuffixDiffers { asked: "14ter".into(), found: "14".into() }]);

    let ambiguous = best("7 rue de paris");
    assert_eq!(ambiguous.grade, Grade::Partial);
    assert!(ambiguous.reasons.contains(&Reason::Ambiguous));

    for (asked, grade) in [("06999", Grade::Partial), ("35000", Grade::Weak)] {
        let postcode = best(&format!("12 rue Jules Gilly {asked}"));
        assert_eq!(postcode.grade, grade);
        assert!(postcode.reasons.contains(&Reason::PostcodeDiffers { asked: asked.into() }));
    }

    let commune = best("12 rue Jules Gilly Rennes");
    assert!(commune.reasons.contains(&Reason::CommuneDiffers { asked: "Rennes".into() }), "{commune:?}");
    assert!(commune.grade <= Grade::Partial);

    // The whole city rather than any of its parts.
    assert_eq!(best("paris").grade, Grade::Exact);
    assert_eq!(best("75009 paris").grade, Grade::Exact);

    // A place without numbers is found as its one number, 0.
    let place = best("kerloch rennes");
    assert_eq!((place.level(), place.number), (Level::Number, Some(0)));

    let former = best("3 rue du docteur calmette lomme");
    assert!(former.reasons.contains(&Reason::FormerCommune));

    let missing = best("8 rue péri 93200 saint-denis");
    assert!(missing.reasons.contains(&Reason::WordMissing { word: "gabriel".into() }));

    let unknown = best("zzyzx 12 rue jules gilly nice");
    assert!(unknown.reasons.contains(&Reason::WordUnknown { word: "zzyzx".into() }));
    assert!(unknown.grade < Grade::Exact);

    let fallback = best("12 rue qui n'existe pas 35000 Rennes");
    assert_eq!(shown(&search, &fallback), "Rennes");
    assert_eq!(fallback.grade, Grade::Weak);
}

#[test]
fn place_and_commune_decide_among_equals() {
    let search = towns();
    let near = |lon, lat| {
        let query = Query { text: "7 rue de paris", near: Some(point(lon, lat)), insee: None, limit: 1 };
        shown(&search, &search.find(&query)[0])
    };
    assert_eq!(near(-1.68, 48.12), "7 Rue de Paris, Rennes");
    assert_eq!(near(3.05, 50.63), "7 Rue de Paris, Lille");
    let insee = Insee::parse("59350").unwrap();
    let inside = |text| {
        let found = search.find(&Query { text, near: None, insee: Some(&insee), limit: 9 });
        found.iter().map(|c| shown(&search, c)).collect::<Vec<_>>()
    };
    assert_eq!(inside("7 rue de paris")[0], "7 Rue de Paris, Lille");
    assert!(inside("12 rue jules gilly").iter().all(|place| place.ends_with("Lille")));
}

#[test]
fn completes_while_typing() {
    let search = towns();
    for (text, expected) in [
        ("12 rue jul", "12 Rue Jules Gilly, Nice"),
        ("12 rue jules g", "12 Rue Jules Gilly, Nice"),
        ("12 rue nationale li", "12 Rue Nationale, Lille"),
        ("100 cours laf", "100 Cours Lafayette, Lyon 3e Arrondissement"),
        ("bussy-s", "Bussy-Saint-Georges"),
        ("ren", "Rennes"),
        ("place hoc", "Place Hoche, Rennes"),
    ] {
        let found: Vec<String> = search.complete(text, None, 5).iter().map(|c| shown(&search, c)).collect();
        assert!(found.iter().any(|place| place == expected), "{text}: {found:?}");
    }
    for text in ["", " ", "1", "12 rue ", "é", "-", "a b c d e f g h i j k l m n o p q r s t u v w x y z"] {
        assert!(search.complete(text, None, 5).len() <= 5);
        assert!(ask(&search, text).len() <= 5);
    }
}

proptest! {
    /// Whatever is typed gets an answer, with scores in order of what is claimed.
    #[test]
    fn any_text_is_answered(text in "(\\PC{0,12}|[0-9]{1,6}|rue|st|bis|[a-zé]{1,9}|[ ,'/-]){0,12}") {
        let search = SEARCH.get_or_init(towns);
        for found in [ask(search, &text), search.complete(&text, Some(point(2.0, 48.0)), 5)] {
            prop_assert!(found.len() <= 5);
            prop_assert!(found.iter().all(|c| c.score >= 0.0 && c.score <= 1.0), "{found:?}");
        }
        prop_assert!(street_key(&text).len() <= 12 * text.len() + 1);
    }
}

static SEARCH: OnceLock<Search> = OnceLock::new();

#[test]
fn looks_up_by_key() {
    let search = towns();
    let nice = Insee::parse("06088").unwrap();
    let name = |at: u32| search.streets()[at as usize].name.to_string();
    let gilly = search.by_name(&nice, "R. JULES GILLY").unwrap();
    assert_eq!(name(gilly), "Rue Jules Gilly");
    assert_eq!(search.by_name(&nice, "rue du malonat vieux"), Some(gilly));
    assert_eq!(search.by_name(&nice, "Rue de Paris"), None);
    assert_eq!(search.by_rivoli(&nice, &Rivoli::parse("3505").unwrap()), Some(gilly));
    assert_eq!(search.by_rivoli(&nice, &Rivoli::parse("3506").unwrap()), None);
    let twelve = Some(Found { street: gilly, number: Some(3) });
    assert_eq!(search.number_by_rivoli(&nice, &Rivoli::parse("3505").unwrap(), 12, ""), twelve);
    assert_eq!(search.number_by_name(&nice, "rue jules gilly", 12, ""), twelve);
    assert_eq!(search.number_by_name(&nice, "rue jules gilly", 12, "bis"), None);
    assert_eq!(search.by_ban("06088_3505_00012"), twelve);
    assert_eq!(search.by_ban("06088_3505_00013"), None);
    assert_eq!(search.by_hexacle("06300333BB"), twelve);
    assert_eq!(search.by_hexacle("06300222AA"), Some(Found { street: gilly, number: None }));
    assert_eq!(search.by_hexacle("0"), None);
}

#[test]
fn lists_communes_and_streets() {
    let search = towns();
    let names = |found: Vec<u32>| {
        found.into_iter().map(|at| search.communes()[at as usize].name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(search.communes_by_name("Ren", 5)), ["Rennes"]);
    assert_eq!(names(search.communes_by_name("st den", 5)), ["Saint-Denis", "Saint-Denis"]);
    assert_eq!(names(search.communes_by_name("lomm", 5)), ["Lille"]);
    assert_eq!(names(search.communes_by_postcode("59160")), ["Lille"]);
    assert!(search.communes_by_name("", 5).is_empty());
    let rennes = Insee::parse("35238").unwrap();
    let streets = |beginning: &str, after, limit| {
        let found = search.streets_of_commune(&rennes, beginning, after, limit);
        (
            found.iter().map(|at| search.streets()[*at as usize].name.to_string()).collect::<Vec<_>>(),
            found.last().copied(),
        )
    };
    let (page, last) = streets("", None, 3);
    assert_eq!(page, ["Boulevard de la Liberté", "Kerloc'h", "Place Hoche"]);
    assert_eq!(streets("", last, 9).0, ["Rue de Paris", "Rue de Saint-Malo", "Rue du Pré Botté"]);
    assert_eq!(streets("rue de p", None, 9).0, ["Rue de Paris", "Rue du Pré Botté"]);
    assert_eq!(streets("hoc", None, 9).0, ["Place Hoche"]);
}

#[test]
fn nearest_numbers_come_in_order() {
    let towns = vec![street(
        "35238",
        "Rue Droite",
        "35000",
        "Rennes",
        (1..=20u32)
            .map(|n| number(&n.to_string(), Some(point(-1.68 + f64::from(n) * 0.001, 48.1))))
            .collect(),
    )];
    let search = Search::build(vec![], vec![], towns);
    let found = search.nearest(point(-1.6702, 48.1), 300.0, 3);
    let numbers: Vec<_> = found.iter().map(|n| n.found.number.unwrap() + 1).collect();
    assert_eq!(numbers, [10, 9, 11]);
    // A thousandth of a degree of longitude is 74.26 m at 48.1 degrees north.
    assert!((found[0].metres - 0.2 * 74.26).abs() < 0.1, "{found:?}");
    assert_eq!(search.nearest(point(-1.6702, 48.1), 10.0, 3).len(), 0);
    assert_eq!(search.nearest(point(-1.6702, 48.1), 1e9, 99).len(), 20);
    assert!(search.nearest(point(f64::NAN, 48.1), 10.0, 3).is_empty());
    assert!(search.nearest(point(2.0, 48.1), f64::NAN, 3).is_empty());
}

#[test]
fn floor_and_flat_are_told_apart() {
    assert_eq!(inside_building("12 rue X esc B appt 7"), ["esc b", "appt 7"]);
    assert!(inside_building("12 rue de la Porte Neuve").is_empty());
}

/// The numbers of a real extract as published, in the order of the file. A number may stand several times in its street,
/// even at several places.
pub(crate) fn published_in_nice() -> Option<Vec<Street>> {
    let file = "../../../shared/data/addresses/ban_nice_50_streets_633_numbers.ndjson";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("not run: {} is absent", path.display());
        return None;
    };
    let between = |text: &str, from: &str, to: &str| {
        let rest = &text[text.find(from)? + from.len()..];
        Some(rest[..rest.find(to)?].to_owned())
    };
    let streets = text.lines().map(|line| {
        let (head, numbers) = line.split_once("\"housenumbers\":{").unwrap();
        let name = between(head, "\"name\":[\"", "\"").unwrap();
        let postcode = between(head, "\"postcode\":\"", "\"").unwrap();
        let list = numbers.split("},").filter_map(|one| {
            let label = between(one, "\"", "\"")?;
            let degree =
                |name: &str| between(one, &format!("\"{name}\":"), ",").unwrap().trim().parse().unwrap();
            let place = point(degree("lon"), degree("lat"));
            Some(number(&label.to_lowercase().replace(' ', ""), Some(place)))
        });
        street("06088", &name, &postcode, "Nice", list.collect())
    });
    Some(streets.collect())
}

/// Its 633 numbers: one that stands twice in a street counts once, where it stands last, as in any JSON object.
fn nice() -> Option<Vec<Street>> {
    let mut streets = published_in_nice()?;
    for street in &mut streets {
        let list = street.numbers.drain(..).map(|n| ((n.number, n.suffix.clone()), n));
        let list: BTreeMap<_, _> = list.collect();
        street.numbers = list.into_values().collect();
    }
    Some(streets)
}

#[test]
fn every_real_number_of_nice_is_found() {
    let Some(streets) = nice() else { return };
    assert_eq!(streets.iter().map(|s| s.numbers.len()).sum::<usize>(), 633);
    let search = Search::build(vec![], vec![], streets);
    let insee = Insee::parse("06088").unwrap();
    for (at, street) in (0u32..).zip(search.streets().iter()) {
        for number in &street.numbers {
            let text = format!("{} {} {}, {}", number.number, number.suffix, street.name, street.commune);
            let found = &ask(&search, &text)[0];
            let same = |at: Option<u32>| {
                let found = &street.numbers[at.unwrap() as usize];
                (found.number, &found.suffix) == (number.number, &number.suffix)
            };
            assert!(found.street == Some(at) && same(found.number), "{text}: {found:?}");
            let by_name = search.number_by_name(&insee, &street.name, number.number, &number.suffix).unwrap();
            assert!(by_name.street == at && same(by_name.number), "{text}");
            // Several numbers may stand at one point: it must be among those.
            let tied = search.nearest(number.position.unwrap(), 1.0, 99);
            let there = tied
                .iter()
                .filter(|n| n.metres <= tied[0].metres)
                .any(|n| n.found.street == at && same(n.found.number));
            assert!(there, "{text}: {tied:?}");
        }
    }
}

#[test]
fn one_key_for_one_street() {
    assert_eq!(street_key("AV DU GAL LECLERC"), street_key("Avenue du Général Leclerc"));
    assert_ne!(street_key("Rue de Paris"), street_key("Avenue de Paris"));
}
