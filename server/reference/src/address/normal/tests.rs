use super::*;

#[test]
fn one_street_has_one_key_in_every_spelling() {
    for (key, spellings) in [
        (
            "avenue general leclerc",
            &["Avenue du Général Leclerc", "AV DU GAL LECLERC", "av. gén. Leclerc", "Ave du Gal. Leclerc"][..],
        ),
        (
            "boulevard marechal foch",
            &["Bd du Mal Foch", "BOULEVARD DU MARECHAL FOCH", "Bvd Mal. Foch", "blvd du maréchal Foch"],
        ),
        ("rue 8 mai 1945", &["Rue du 8 Mai 1945", "RUE DU HUIT MAI 1945", "r. du 8 mai 1945"]),
        ("place 11 novembre 1918", &["Place du Onze Novembre 1918", "PL DU 11 NOVEMBRE 1918"]),
        ("rue saint pierre", &["Rue Saint-Pierre", "R ST PIERRE", "rue St. Pierre"]),
        ("rue sainte anne", &["Rue Ste Anne", "rue sainte-anne"]),
        ("rue eglise", &["Rue de l'Église", "RUE DE L EGLISE", "Rue de l’Eglise"]),
        (
            "avenue francois 1",
            &["Avenue François 1er", "Av François Ier", "AVENUE FRANCOIS I", "avenue François Premier"],
        ),
        ("rue louis 14", &["Rue Louis XIV", "rue Louis 14"]),
        ("rue 4 vents", &["Rue des Quatre Vents", "RUE DES 4 VENTS"]),
        ("avenue 22 aout 1944", &["Avenue Vingt Deux Aout 1944", "Avenue du 22 Août 1944"]),
        ("rue pont neuf", &["Rue du Pont-Neuf", "RUE DU PONT NEUF"]),
        ("rue colonel fabien", &["Rue du Colonel Fabien", "RUE DU COL FABIEN"]),
        ("route col schlucht", &["Route du Col de la Schlucht", "RTE DU COL DE LA SCHLUCHT"]),
        ("grande rue", &["Grande Rue", "Grand'Rue", "GRAND RUE"]),
        ("bourg", &["Le Bourg", "Lieu-dit Le Bourg", "LE BOURG"]),
        ("rue 1 armee", &["Rue de la Première Armée", "RUE DE LA 1ERE ARMEE", "Rue de la 1re Armée"]),
        ("zone artisanale moulin", &["ZA du Moulin", "Z.A. du Moulin", "Zone Artisanale du Moulin"]),
        ("rue notre dame", &["Rue Notre-Dame", "RUE ND", "rue N.D."]),
        ("rue j b clement", &["Rue J.-B. Clément", "RUE J B CLEMENT"]),
        ("quai oeillets", &["Quai des Œillets", "QUAI DES OEILLETS"]),
        (
            "rue 75 regiment infanterie",
            &["Rue du 75e Régiment d'Infanterie", "RUE DU SOIXANTE QUINZE RGT INF"],
        ),
        (
            "avenue marechal lattre tassigny",
            &["Avenue du Maréchal de Lattre de Tassigny", "AV DU MAL DE LATTRE DE TASSIGNY"],
        ),
        ("place general gaulle", &["Place du Général de Gaulle", "PL DU GAL DE GAULLE"]),
        ("la", &["La"]),
        ("kerloch", &["Kerloc'h", "KERLOCH"]),
        ("boulevard marechal jean marie lattre tassigny", &["BD DU MAL JEAN MARIE DE LATTRE DE TASSIGNY"]),
    ] {
        for spelling in spellings {
            assert_eq!(street_key(spelling), key, "{spelling}");
        }
    }
}

#[test]
fn two_streets_have_two_keys() {
    for (a, b) in [
        ("Rue de Paris", "Avenue de Paris"),
        ("Rue Saint-Jean", "Rue Sainte-Jeanne"),
        ("Rue du Bois", "Rue sous Bois"),
        ("Chemin sur l'Eau", "Chemin de l'Eau"),
        ("Rue A", "Rue B"),
        ("Rue A", "Rue D"),
        ("Rue 12a", "Rue 12b"),
    ] {
        assert_ne!(street_key(a), street_key(b), "{a} and {b}");
    }
}

fn houses(text: &str) -> Vec<(u32, String)> {
    query_tokens(text).0.into_iter().filter_map(|t| t.house).map(|h| (h.number, h.suffix)).collect()
}

#[test]
fn house_numbers_and_their_suffixes() {
    for (text, number, suffix) in [
        ("12 rue X", 12, ""),
        ("12bis rue X", 12, "bis"),
        ("12 bis, rue X", 12, "bis"),
        ("12 B rue X", 12, "b"),
        ("12b rue X", 12, "b"),
        ("3A Rue X", 3, "a"),
        ("2 e rue X", 2, "e"),
        ("2e rue X", 2, "e"),
        ("rue X 7 ter", 7, "ter"),
        ("n° 5 rue X", 5, ""),
        ("0012 rue X", 12, ""),
        ("9 r X", 9, ""),
        ("9 r grande rue", 9, ""),
        ("4 a avneue X", 4, "a"),
        ("5 à 7 rue X", 5, ""),
        ("4 l'Orée", 4, ""),
    ] {
        assert_eq!(houses(text).first(), Some(&(number, suffix.to_owned())), "{text}");
    }
    let range: Vec<_> = tokens("12-14 rue X").into_iter().map(|t| t.range_end).collect();
    assert_eq!(range, [false, true, false, false]);
}

#[test]
fn mail_words_go_and_places_inside_are_apart() {
    for (text, left, inside) in [
        ("3 rue X BP 29 59129 Y", "3 rue x 59129 y", &[][..]),
        ("74 rue X 59043 Lille Cedex 9", "74 rue x 59043 lille", &[]),
        ("74 rue X CS 40012 59043 Lille cedex", "74 rue x 59043 lille", &[]),
        ("bat A esc 2 3e etage 12 rue X", "12 rue x", &["bat a", "esc 2", "3e etage"]),
        ("12 rue X appt 7", "12 rue x", &["appt 7"]),
        ("5 rue du Bat d'Argent", "5 rue bat d argent", &[]),
        ("rue de la Porte Neuve", "rue porte neuve", &[]),
    ] {
        let (tokens, found) = query_tokens(text);
        let kept: Vec<_> = tokens
            .iter()
            .filter(|t| !matches!(t.text.as_str(), "de" | "la" | "du"))
            .map(|t| t.text.as_str())
            .collect();
        assert_eq!(kept.join(" "), left, "{text}");
        assert_eq!(found, inside, "{text}");
    }
}
