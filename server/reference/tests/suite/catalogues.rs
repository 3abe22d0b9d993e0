use eservices_reference::building::Zone;
use eservices_reference::offers::{self, Criterion, Support};
use eservices_reference::{eservices, eservices::Stage};
use jiff::civil::date;

const OFFER: &str = r#"
[[offer]]
code = "JUST_FIBRE"
label_fr = "Just Fibre"
label_en = "Just Fibre"
support = "fibre"
valid_from = 2020-01-01
ordered_here = true
best_down_kbps = 1_000_000
best_up_kbps = 300_000
delay_days = 21
criteria = ["building_deployed"]
order_form = ["imb"]
product_nature = "JUST FIBRE"
e_service = "e-just-fibre"
"#;

/// What is wrong with the offer after `from` was replaced by `to`, as `line field reason`.
fn wrong(from: &str, to: &str) -> Vec<String> {
    assert!(OFFER.contains(from), "{from}");
    problems(&OFFER.replacen(from, to, 1))
}

fn problems(text: &str) -> Vec<String> {
    let error = offers::parse("offers.toml", text).unwrap_err();
    assert!(!error.problems.is_empty());
    error.problems.iter().map(|p| format!("{} {} {}", p.line, p.column, p.reason)).collect()
}

#[test]
fn the_offers_that_ship() {
    let catalogue = offers::parse(offers::FILE, offers::DEFAULT).unwrap();
    let dates: Vec<_> = catalogue.all().iter().map(|offer| (&*offer.code, offer.valid_from)).collect();
    assert_eq!(
        dates,
        [
            ("C2E_OPTICAL", date(2019, 4, 1)),
            ("CE2O", date(2019, 4, 1)),
            ("CELAN_OPTICAL", date(2019, 4, 1)),
            ("FTTH_ACTIVE_BLOM_RIP", date(2019, 10, 1)),
            ("JUST_FIBRE", date(2020, 1, 1)),
            ("JUST_INTERNET", date(2020, 1, 1)),
            ("OPTIMUM_ACCESS", date(2018, 7, 1)),
            ("OPTIMUM_ETHERNET_ACCESS", date(2018, 10, 1)),
            ("OPTIMUM_ETHERNET_LAN", date(2018, 10, 1)),
            ("OPTIMUM_PM", date(2018, 7, 1)),
        ]
    );
    let assumed: Vec<_> =
        catalogue.all().iter().filter(|offer| offer.is_assumed()).map(|o| &*o.code).collect();
    assert_eq!(assumed, ["JUST_FIBRE", "JUST_INTERNET"]);
    let just_fibre = catalogue.get("JUST_FIBRE").unwrap();
    assert!(just_fibre.ordered_here);
    assert_eq!(just_fibre.e_service.as_deref(), Some("e-just-fibre"));
    assert_eq!(just_fibre.best_down_kbps, 1_000_000);
    assert_eq!(just_fibre.support, Support::Fibre);
    assert!(just_fibre.criteria.contains(&Criterion::ResourceFree));
    assert!(!just_fibre.is_open(date(2019, 12, 31)));
    assert!(just_fibre.is_open(date(2020, 1, 1)));
    assert_eq!(catalogue.get("FTTH_ACTIVE_BLOM_RIP").unwrap().zones, [Zone::LessDense]);
    assert!(catalogue.get("NONE").is_none());
    assert!(catalogue.all().iter().all(|offer| offer.support != Support::Copper));
}

#[test]
fn the_last_day_is_included() {
    let text = OFFER.replacen("valid_from", "valid_until = 2020-06-30\nvalid_from", 1);
    let offer = offers::parse("x", &text).unwrap().all()[0].clone();
    assert!(offer.is_open(date(2020, 6, 30)));
    assert!(!offer.is_open(date(2020, 7, 1)));
}

#[test]
fn each_defect_has_line_and_field() {
    assert_eq!(
        wrong("valid_from", "valid_form"),
        ["2 offer JUST_FIBRE: valid_from is missing", "7 offer JUST_FIBRE: valid_form unknown field",]
    );
    assert_eq!(
        wrong("valid_from", "valid_until = 2019-12-31\nvalid_from"),
        ["7 offer JUST_FIBRE: valid_until is before valid_from"]
    );
    assert_eq!(
        wrong("[\"building_deployed\"]", "[\n  \"building_deployed\",\n  \"building_red\",\n]"),
        ["14 offer JUST_FIBRE: criteria unknown value"]
    );
    assert_eq!(wrong("[\"building_deployed\"]", "[]"), ["12 offer JUST_FIBRE: criteria is empty"]);
    assert_eq!(
        wrong("label_en = \"Just Fibre\"", "label_en = \" \""),
        ["5 offer JUST_FIBRE: label_en is empty"]
    );
    assert_eq!(wrong("\"fibre\"", "\"radio\""), ["6 offer JUST_FIBRE: support unknown value"]);
    assert_eq!(
        wrong("2020-01-01", "\"2020-01-01\""),
        ["7 offer JUST_FIBRE: valid_from expected a date, for instance 2019-10-01"]
    );
    assert_eq!(
        wrong("2020-01-01", "2020-01-01T00:00:00"),
        ["7 offer JUST_FIBRE: valid_from expected a date, for instance 2019-10-01"]
    );
    assert_eq!(
        wrong("delay_days = 21", "delay_days = 0"),
        ["11 offer JUST_FIBRE: delay_days expected a whole number above 0"]
    );
    assert_eq!(
        wrong("ordered_here = true", "ordered_here = false"),
        [
            "2 offer JUST_FIBRE: where_en is missing: the offer is not ordered here",
            "2 offer JUST_FIBRE: where_fr is missing: the offer is not ordered here",
            "15 offer JUST_FIBRE: e_service must be absent: the offer is not ordered here",
        ]
    );
    assert_eq!(
        wrong("e_service = \"e-just-fibre\"\n", ""),
        ["2 offer JUST_FIBRE: e_service is missing: the offer is ordered here"]
    );
    assert_eq!(
        wrong("ordered_here = true", "ordered_here = true\nwhere_fr = \"ici\""),
        ["9 offer JUST_FIBRE: where_fr must be absent: the offer is ordered here"]
    );
    assert_eq!(
        wrong("[\"imb\"]", "[\"imb\", \"imb\", \"IMB\"]"),
        [
            "13 offer JUST_FIBRE: order_form unknown value",
            "13 offer JUST_FIBRE: order_form stands twice in the list",
        ]
    );
    assert_eq!(
        wrong("order_form", "zones = [3]\norder_form"),
        ["13 offer JUST_FIBRE: zones zones and the criterion zone_served go together"]
    );
    assert_eq!(
        wrong("JUST_FIBRE", "Just_Fibre"),
        [
            "3 offer Just_Fibre: code expected capitals, digits and single underscores, at most 24, for instance \
             JUST_FIBRE"
        ]
    );
}

#[test]
fn a_catalogue_has_as_many_offers_as_a_reference_can_name() {
    let code = |length: usize| format!("J{}", "X".repeat(length - 1));
    let longest = code(offers::LONGEST_CODE);
    let text = OFFER.replace("JUST_FIBRE", &longest);
    assert_eq!(&*offers::parse("x", &text).unwrap().all()[0].code, longest);
    assert_eq!(wrong("JUST_FIBRE", &code(offers::LONGEST_CODE + 1)).len(), 1);
    let many = |count: usize| -> String {
        (0..count).map(|n| OFFER.replace("JUST_FIBRE", &format!("OFFER_{n}"))).collect()
    };
    assert_eq!(offers::parse("x", &many(offers::MOST)).unwrap().all().len(), offers::MOST);
    let expected = "code is one too many: a catalogue has at most 50 offers";
    assert_eq!(problems(&many(offers::MOST + 5)), [format!("753 offer OFFER_50: {expected}")]);
}

#[test]
fn all_defects_are_listed() {
    let two = format!("{OFFER}{}", OFFER.replace("21", "-1").replace("label_fr", "label"));
    assert_eq!(
        problems(&two),
        [
            "17 offer JUST_FIBRE: label_fr is missing",
            "18 offer JUST_FIBRE: code stands twice in the catalogue",
            "19 offer JUST_FIBRE: label unknown field",
            "26 offer JUST_FIBRE: delay_days expected a whole number above 0",
        ]
    );
}

#[test]
fn a_text_that_is_no_toml() {
    let found = problems("[[offer]]\ncode = \n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("2 "), "{found:?}");
    assert_eq!(
        problems("x = 1\n"),
        ["1 offer there is no [[offer]]", "1 x unknown key, expected only [[offer]]"]
    );
    assert_eq!(problems("offer = 3\n"), ["1 offer expected [[offer]] tables"]);
}

#[test]
fn the_message_of_a_refused_file() {
    let error = offers::parse("offers.toml", &OFFER.replace("21", "0")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "offers.toml:11: offer JUST_FIBRE: delay_days: expected a whole number above 0 (found `0`)"
    );
}

#[test]
fn the_eservices_that_ship() {
    let services = eservices::parse(eservices::FILE, eservices::DEFAULT).unwrap();
    let codes: Vec<_> = services.all().iter().map(|service| &*service.code).collect();
    assert_eq!(
        codes,
        [
            "certificats",
            "comptes",
            "e-blc",
            "e-just",
            "e-just-fibre",
            "e-mutation",
            "e-pricer",
            "e-rdv-entreprise",
            "e-rdv-grand-public",
            "e-sav-signalisation",
            "e-sav-test",
            "eep-depot-visualisation",
            "eep-recuperation",
            "eligibilite",
            "eligibilite-degroupage",
            "factures-annexes",
            "fci",
            "grafic",
            "sandbox",
            "sandbox-clock",
            "setiar",
            "site-particulier",
            "suivi-commandes-data",
            "tao",
        ]
    );
    let opened = |name| services.opened_by(name).map(|service| &*service.code).collect::<Vec<_>>();
    assert_eq!(opened("e-RDV"), ["e-rdv-entreprise", "e-rdv-grand-public"]);
    assert_eq!(opened("e-SAV"), ["e-sav-signalisation", "e-sav-test"]);
    assert_eq!(opened("WebEligibilité"), ["eligibilite", "eligibilite-degroupage"]);
    assert_eq!(opened("TAO"), ["tao"]);
    assert_eq!(&*services.get("e-rdv-entreprise").unwrap().label_token, "eRDV");
    assert_eq!(services.get("tao").unwrap().stage, Stage::PreSale);
    let hidden: Vec<_> = services.all().iter().filter(|s| s.non_production_only).map(|s| &*s.code).collect();
    assert_eq!(hidden, ["sandbox", "sandbox-clock"]);
}

#[test]
fn eservices_are_validated_too() {
    let entry = |code: &str, token: &str| {
        format!(
            "[[eservice]]\ncode = \"{code}\"\nlabel_fr = \"x\"\nlabel_en = \"x\"\nstage = \"apres-vente\"\n\
             certificate_name = \"e-SAV\"\nlabel_token = \"{token}\"\naccount_tick = true\n"
        )
    };
    let wrong = |text: &str| {
        let problems = eservices::parse("eservices.toml", text).unwrap_err().problems;
        problems.iter().map(|p| format!("{} {} {}", p.line, p.column, p.reason)).collect::<Vec<_>>()
    };
    assert_eq!(
        wrong(&entry("E-SAV", "eSAV")),
        [
            "2 eservice E-SAV: code expected small letters, digits and single hyphens, for instance e-rdv-entreprise"
        ]
    );
    assert_eq!(
        wrong(&entry("e-sav", "e_SAV")),
        ["7 eservice e-sav: label_token expected letters and digits only, for instance eRDV"]
    );
    assert_eq!(
        wrong(&(entry("a", "eSAV") + &entry("a", "eSAV"))),
        ["10 eservice a: code stands twice in the file"]
    );
    assert_eq!(
        wrong(&(entry("a", "eSAV") + &entry("b", "SAV"))),
        ["15 eservice b: label_token differs from that of a: same certificate"]
    );
    assert_eq!(
        wrong(&entry("a", "eSAV").replace("apres-vente", "after")),
        ["5 eservice a: stage unknown value"]
    );
    assert_eq!(
        wrong(&entry("a", "eSAV").replace("true", "\"yes\"")),
        ["8 eservice a: account_tick expected true or false"]
    );
}
