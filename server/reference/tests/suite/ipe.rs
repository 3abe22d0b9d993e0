use eservices_reference::building::{Kind, PmState, Projection, State, Zone};
use eservices_reference::ipe::{self, Error};
use eservices_reference::{Outcome, Problem};
use jiff::civil::date;

const HEADER: &str = "IdentifiantImmeuble;EtatImmeuble;ReferencePM;EtatPM;CodeInseeImmeuble;CodePostalImmeuble;\
    CommuneImmeuble;NomVoieImmeuble;NombreLogementsAdresseIPE;TypeProjectionGeographique;CoordonneeImmeubleX;\
    CoordonneeImmeubleY";
const ROW: &str = "IMB/77058/X/0218;DEPLOYE;FI-77058-000B;DEPLOYE;77058;77600;BUSSY-ST-GEORGES;ETIENNE GANNERON;1;RGF93;\
    678771,23;6860548.07";

fn read(extra_columns: &str, rows: &[&str]) -> ipe::File {
    let header =
        if extra_columns.is_empty() { HEADER.to_owned() } else { format!("{HEADER};{extra_columns}") };
    ipe::read("ipe.csv", &format!("{header}\r\n{}\r\n", rows.join("\r\n"))).unwrap()
}

/// The one problem of a row whose field `from` was replaced by `to`.
fn problem(from: &str, to: &str) -> Problem {
    let file = read("", &[&ROW.replacen(from, to, 1), ROW]);
    assert_eq!(file.buildings.len(), 1, "only the good row is kept");
    let [problem] = &file.problems[..] else { panic!("{:?}", file.problems) };
    assert_eq!((problem.line, problem.outcome, problem.file.as_str()), (2, Outcome::Refused, "ipe.csv"));
    problem.clone()
}

#[test]
fn the_smallest_file() {
    let file = read("", &[ROW]);
    assert_eq!((file.rows, file.problems.len(), file.unknown_columns.len()), (1, 0, 0));
    let (line, building) = &file.buildings[0];
    assert_eq!(*line, 2);
    assert_eq!(building.imb.as_str(), "IMB/77058/X/0218");
    assert_eq!(building.pm.as_ref().map(AsRef::as_ref), Some("FI-77058-000B"));
    assert_eq!((building.state, building.pm_state), (State::Deployed, Some(PmState::Deployed)));
    assert_eq!((building.position.x, building.position.y), (678771.23, 6860548.07));
    assert_eq!((building.kind, building.number, building.orders_from), (None, None, None));
}

#[test]
fn every_column_that_is_read() {
    let extra = "CodeOI;DateMiseEnServiceCommercialePM;TypeEmplacementPM;TypeImmeuble;CodeVoieRivoliImmeuble;\
        CodeAdresseImmeuble;TypeVoieImmeuble;NumeroVoieImmeuble;ComplementNumeroVoieImmeuble;BatimentImmeuble;\
        DateDebutAcceptationCmdAcces;DateDebutFournitureCRCmdAcces;AccordGestionnaireImmeubleNecessaire;\
        DateSignatureConvention;TypePBO;TypeRaccoPBPTO;TypeZone;DateCablageAdresse;NombreLogementsPM";
    let row = format!(
        "{ROW};FI;20190306;PME;PAVILLON;0361;77058X0218;RUE;6;B;A;20190306;20190307;O;20180110;CH:EN CHAMBRE;\
         SOUTERRAIN;3;20190215;120"
    );
    let file = read(extra, &[&row]);
    assert_eq!(file.problems, []);
    let building = &file.buildings[0].1;
    assert_eq!(&*building.oi, "FI");
    assert_eq!(building.pm_in_service, Some(date(2019, 3, 6)));
    assert_eq!((building.pm_location.as_deref(), building.pm_housings), (Some("PME"), Some(120)));
    assert_eq!((building.kind, building.zone), (Some(Kind::House), Some(Zone::LessDense)));
    assert_eq!(building.rivoli.as_ref().map(AsRef::as_ref), Some("0361"));
    assert_eq!(building.hexacle.as_deref(), Some("77058X0218"));
    assert_eq!(building.street_line(), "6 B RUE ETIENNE GANNERON");
    assert_eq!(building.batiments, ["A".into()]);
    assert_eq!(
        (building.orders_from, building.delivery_from),
        (Some(date(2019, 3, 6)), Some(date(2019, 3, 7)))
    );
    assert_eq!((building.agreement_needed, building.agreement_signed), (Some(true), Some(date(2018, 1, 10))));
    assert_eq!(building.pbo_type.as_deref(), Some("CH:EN CHAMBRE"));
    assert_eq!(building.drop_type.as_deref(), Some("SOUTERRAIN"));
    assert_eq!((building.cabled, building.planned_cabling()), (Some(date(2019, 2, 15)), None));
}

#[test]
fn columns_go_by_name() {
    let names: Vec<_> = HEADER.split(';').collect();
    let values: Vec<_> = ROW.split(';').collect();
    let turned = |list: &[&str]| list.iter().rev().copied().collect::<Vec<_>>().join(";");
    let file =
        ipe::read("ipe.csv", &format!("Code_RNB;Etoile;{}\nX;7;{}\n", turned(&names), turned(&values)))
            .unwrap();
    assert_eq!(file.unknown_columns, ["Etoile"]);
    assert_eq!(file.extra_columns, ["Code_RNB", "Etoile"]);
    let mut building = file.buildings[0].1.clone();
    assert_eq!(std::mem::take(&mut building.extra), [(0, "X".into()), (1, "7".into())]);
    assert_eq!(building, read("", &[ROW]).buildings[0].1);
}

#[test]
fn a_file_without_a_needed_column_is_refused() {
    for column in ipe::REQUIRED {
        let header = HEADER.replacen(column, "Autre", 1);
        let error = ipe::read("ipe.csv", &format!("{header}\n{ROW}\n")).unwrap_err();
        assert_eq!(error.to_string(), format!("ipe.csv: column {column} is missing"));
    }
    assert!(matches!(ipe::read("ipe.csv", ""), Err(Error::NoHeader { .. })));
    let twice = ipe::read("ipe.csv", &format!("{HEADER};EtatPM\n")).unwrap_err();
    assert_eq!(twice.to_string(), "ipe.csv: column EtatPM stands twice in the header");
    let many = ipe::read("ipe.csv", &format!("{HEADER}{}\n", ";X".repeat(989))).unwrap_err();
    assert_eq!(many.to_string(), "ipe.csv: no header line: 1001 columns, more than 1000");
}

#[test]
fn bad_values_name_line_column_value_and_reason() {
    let found = problem("DEPLOYE", "DEPLOYÉ");
    assert_eq!((found.column.as_str(), found.value.as_str()), ("EtatImmeuble", "DEPLOYÉ"));
    assert_eq!(
        found.reason,
        "expected one of CIBLE, RACCORDABLE DEMANDE, RAD EN COURS DE DEPLOIEMENT, SIGNE, EN COURS DE DEPLOIEMENT, \
         DEPLOYE, ABANDONNE"
    );
    assert_eq!(problem("IMB/77058/X/0218", "IMB/77058").column, "IdentifiantImmeuble");
    assert_eq!(problem("IMB/77058/X/0218", "").reason, "is empty");
    assert_eq!(problem("FI-77058-000B", "XX").column, "ReferencePM");
    assert_eq!(problem(";FI-77058-000B;DEPLOYE", ";FI-77058-000B;").column, "EtatPM");
    assert_eq!(problem(";77058;", ";7705;").column, "CodeInseeImmeuble");
    assert_eq!(problem("77600", "7760A").column, "CodePostalImmeuble");
    assert_eq!(problem(";1;", ";-1;").reason, "expected a whole number, 0 or more");
    assert_eq!(problem("RGF93", "LAMBERT").column, "TypeProjectionGeographique");
    assert_eq!(problem("678771,23", "6 78771").column, "CoordonneeImmeubleX");
    assert_eq!(problem("678771,23", "1e5").column, "CoordonneeImmeubleX");
    assert_eq!(problem("RGF93;678771,23", "WGS84;678771,23").reason, "a longitude is between -180 and 180");
    assert_eq!(
        problem("678771,23", "x").to_string(),
        "ipe.csv:2: CoordonneeImmeubleX: expected a number, for instance 678771,23 (found `x`)"
    );
}

#[test]
fn rows_of_another_width_are_refused() {
    let file = read("", &[&format!("{ROW};surplus"), "IMB/77058/X/0218;DEPLOYE", ROW]);
    let reasons: Vec<_> = file.problems.iter().map(|p| (p.line, p.reason.as_str())).collect();
    assert_eq!(reasons, [(2, "13 fields where the header has 12"), (3, "2 fields where the header has 12")]);
    assert_eq!((file.rows, file.buildings.len()), (3, 1));
}

#[test]
fn dates_flags_numbers() {
    let bad = |column: &str, value: &str| {
        let file = read(column, &[&format!("{ROW};{value}")]);
        assert_eq!(file.buildings.len(), 0, "{column} {value}");
        file.problems[0].reason.clone()
    };
    assert_eq!(bad("DateCablageAdresse", "06/03/2019"), "expected a date AAAAMMJJ, for instance 20190306");
    assert_eq!(bad("DateCablageAdresse", "2019030"), "expected a date AAAAMMJJ, for instance 20190306");
    assert_eq!(bad("DateCablageAdresse", "20190229"), "there is no such day");
    assert_eq!(bad("AccordGestionnaireImmeubleNecessaire", "1"), "expected O or N");
    assert_eq!(bad("ComplementNumeroVoieImmeuble", "BIS"), "expected one capital letter, for instance B");
    assert_eq!(bad("NumeroVoieImmeuble", "6B"), "expected a street number of up to 6 digits");
    let good = |value: &str| read("NumeroVoieImmeuble", &[&format!("{ROW};{value}")]).buildings[0].1.number;
    assert_eq!((good("166170"), good("0"), good("")), (Some(166_170), Some(0), None));
}

#[test]
fn the_misspelt_projection_is_rgf93() {
    let file = read("", &[&ROW.replacen("RGF93", "RFG93", 1)]);
    assert_eq!(file.buildings[0].1.position.projection, Projection::Rgf93);
}

#[test]
fn signed_without_agreement_is_a_remark() {
    let signed = ROW.replacen("DEPLOYE", "SIGNE", 1);
    let file =
        read("AccordGestionnaireImmeubleNecessaire", &[&format!("{signed};N"), &format!("{signed};O")]);
    assert_eq!(file.buildings.len(), 2);
    assert_eq!(file.problems.len(), 1);
    assert_eq!((file.problems[0].line, file.problems[0].outcome), (2, Outcome::Kept));
}

#[test]
fn file_names() {
    for (name, is, day) in [
        ("LIAIN_01_SIEA_PM_IPEZMD_V20_20220914_00_PBOOK.csv", true, Some("20220914")),
        ("IPE_Forbach_FIBA_PM_IPEZMD_V30_20210419.zip", true, Some("20210419")),
        ("x_75_FTEL_PM_IPE_V30_20261101.csv.gz", true, Some("20261101")),
        ("x_75_FTEL_PM_IPE_V30_20261101.txt", false, Some("20261101")),
        ("structure.csv", false, None),
    ] {
        assert_eq!(ipe::is_ipe_name(name), is, "{name}");
        assert_eq!(ipe::day_in_name(name), day, "{name}");
    }
}

#[test]
fn lines_are_counted_as_an_editor_does() {
    for end in ["\n", "\r\n"] {
        let text = format!("{HEADER}{end}{end}x{end}\"y{end}y\"{end}z{end}");
        let file = ipe::read("ipe.csv", &text).unwrap();
        let found: Vec<_> = file.problems.iter().map(|p| (p.line, p.reason.as_str())).collect();
        let one = "1 fields where the header has 12";
        assert_eq!(found, [(3, one), (4, "a quote is never closed"), (5, one), (6, one)], "{end:?}");
    }
}

#[test]
fn quotes() {
    let quoted = ROW.replacen("BUSSY-ST-GEORGES", "\"BUSSY;\"\"ST\"\"\" GEORGES", 1);
    let file = read("", &[&quoted, &ROW.replacen("BUSSY-ST-GEORGES", "\"\"", 1), ROW]);
    assert_eq!(&*file.buildings[0].1.commune, "BUSSY;\"ST\" GEORGES");
    assert_eq!(file.problems[0].to_string(), "ipe.csv:3: CommuneImmeuble: is empty");
    assert_eq!(file.buildings.len(), 2);
}

#[test]
fn a_pm_goes_into_service_three_months_after_its_first_handover() {
    let columns = "DatePremiereMADPM;DateMiseEnServiceCommercialePM";
    let rows = ["20181130;20190228", "20181206;20190306", "20181206;20190307", ";20190306", "20181206;"];
    let rows = rows.map(|dates| format!("{ROW};{dates}"));
    let file = read(columns, &rows.each_ref().map(String::as_str));
    let found: Vec<_> = file.problems.iter().map(ToString::to_string).collect();
    let expected = "ipe.csv:4: DateMiseEnServiceCommercialePM: is not three months after DatePremiereMADPM (found \
                    `20190307`)";
    assert_eq!(found, [expected]);
    assert_eq!((file.buildings.len(), file.problems[0].outcome), (5, Outcome::Kept));
}

/// The catalogue of columns beside the repository, where it is there.
#[test]
fn every_column_of_the_catalogue_is_read_or_kept() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let Ok(catalogue) = std::fs::read_to_string(root.join("../shared/data/interop/ipe_columns.csv")) else {
        println!("did not run: there is no ../shared/data/interop/ipe_columns.csv beside the repository");
        return;
    };
    let names: Vec<_> = catalogue.lines().skip(1).filter_map(|line| line.split(';').nth(1)).collect();
    assert_eq!(names.len(), 75);
    let mine: Vec<_> = HEADER.split(';').zip(ROW.split(';')).collect();
    let value = |name: &&str| {
        let own = mine.iter().find(|(column, _)| column == name).map(|(_, value)| *value);
        let other = match *name {
            "DateMiseEnServiceCommercialePM" => "20190606",
            name if name.starts_with("Date") => "20190306",
            _ => "",
        };
        own.unwrap_or(other).to_owned()
    };
    let typed = |name: &&&str| ipe::REQUIRED.contains(name) || ipe::OPTIONAL.contains(name);
    let mut values: Vec<_> = names.iter().map(value).collect();
    let kept: Vec<_> = names.iter().filter(|name| !typed(name)).copied().collect();
    for (name, value) in names.iter().zip(&mut values).filter(|(name, _)| kept.contains(name)) {
        *value = format!("value of {name}");
    }
    let file = ipe::read("ipe.csv", &format!("{}\n{}\n", names.join(";"), values.join(";"))).unwrap();
    assert_eq!((file.problems, file.unknown_columns), (vec![], vec![]));
    assert_eq!(file.extra_columns, kept);
    let extra: Vec<_> = file.buildings[0].1.extra.iter().map(|(_, value)| value.to_string()).collect();
    assert_eq!(extra, kept.iter().map(|name| format!("value of {name}")).collect::<Vec<_>>());
}
