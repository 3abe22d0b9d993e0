use eservices_reference::building::{Building, Kind, PmState, State};
use eservices_reference::derived::*;
use eservices_reference::structure::read_structure;
use eservices_reference::{StructureRow, ipe};
use jiff::civil::date;

fn building(kind: Option<Kind>, housings: u32) -> Building {
    let text = format!(
        "{}\nIMB/77058/X/0218;DEPLOYE;FI-77058-000B;DEPLOYE;77058;77600;BUSSY;GANNERON;{housings};RGF93;1;2\n",
        ipe::REQUIRED.join(";")
    );
    let mut building = ipe::read("x", &text).unwrap().buildings[0].1.clone();
    building.kind = kind;
    building
}

fn row(floor: &str, pbo_type: &str) -> StructureRow {
    let text = format!(
        "IMB;batiment;escalier;etage;PM;PMT;PBO;type_PBO;localisation_PBO;fibres_PBO;lien_PM_PRDM;logements\n\
         IMB/77058/X/0218;;;{floor};FI-77058-000B;;PT 002053;{pbo_type};;8;;1\n"
    );
    read_structure("x", &text).unwrap().rows[0].1.clone()
}

fn shipped() -> Rules {
    parse(FILE, DEFAULT).unwrap()
}

#[test]
fn word_lists_are_validated() {
    let wrong = |text: &str| {
        let problems = parse("appointments.toml", text).unwrap_err().problems;
        problems.iter().map(|p| format!("{} {} {}", p.line, p.column, p.reason)).collect::<Vec<_>>()
    };
    assert_eq!(wrong("appointment = []\n"), ["1 appointment there is no [[appointment]]"]);
    assert_eq!(
        wrong("[[appointment]]\ncode = \"COURT\"\noutside_pbo_types = [\"\"]\n"),
        [
            "1 appointment COURT: ground_floors is missing",
            "2 appointment COURT: code the only appointment with word lists is IMMEUBLE_RDC_COMPLEXE",
            "3 appointment COURT: outside_pbo_types unknown value",
        ]
    );
    assert_eq!(
        wrong(&DEFAULT.repeat(2)),
        ["14 appointment IMMEUBLE_RDC_COMPLEXE: code stands twice in the file"]
    );
    assert_eq!(shipped().outside_pbo_types, ["CH".into(), "PO".into(), "FA".into(), "BR".into()]);
}

#[test]
fn appointment_types() {
    let inside = "GT:GAINE TECHNIQUE";
    for (kind, floor, pbo_type, has_pto, expected) in [
        (Kind::House, "", "CH:EN CHAMBRE", true, AppointmentType::Short),
        (Kind::Block, "RDC", "CH:EN CHAMBRE", true, AppointmentType::Short),
        (Kind::House, "", "CH:EN CHAMBRE", false, AppointmentType::House),
        (Kind::House, "RDC", inside, false, AppointmentType::House),
        (Kind::Block, "2", inside, false, AppointmentType::Block),
        (Kind::Block, "", "", false, AppointmentType::Block),
        (Kind::Block, "RDC", inside, false, AppointmentType::BlockComplex),
        (Kind::Block, "rdc", inside, false, AppointmentType::BlockComplex),
        (Kind::Block, "0", inside, false, AppointmentType::BlockComplex),
        (Kind::Block, "10", inside, false, AppointmentType::Block),
        (Kind::Block, "2", "CH:EN CHAMBRE", false, AppointmentType::BlockComplex),
        (Kind::Block, "2", "PO", false, AppointmentType::BlockComplex),
    ] {
        let found =
            appointment_type(&shipped(), &building(Some(kind), 4), Some(&row(floor, pbo_type)), has_pto);
        assert_eq!(found, expected, "{kind} {floor} {pbo_type} {has_pto}");
    }
}

#[test]
fn without_kind_the_housings_decide_and_without_structure_it_is_simple() {
    let rules = shipped();
    assert_eq!(appointment_type(&rules, &building(None, 1), None, false), AppointmentType::House);
    assert_eq!(appointment_type(&rules, &building(None, 2), None, false), AppointmentType::Block);
    assert_eq!(
        appointment_type(&rules, &building(Some(Kind::Block), 1), None, false),
        AppointmentType::Block
    );
}

#[test]
fn other_word_lists() {
    let rules = Rules { outside_pbo_types: Vec::new(), ground_floors: vec!["REZ".into()] };
    let block = building(Some(Kind::Block), 4);
    assert_eq!(appointment_type(&rules, &block, Some(&row("RDC", "CH")), false), AppointmentType::Block);
    assert_eq!(
        appointment_type(&rules, &block, Some(&row("rez", "GT")), false),
        AppointmentType::BlockComplex
    );
}

#[test]
fn headlines() {
    let all: Vec<_> = State::ALL.iter().map(|state| headline(*state).as_str()).collect();
    assert_eq!(
        all,
        [
            "PREVU",
            "RACCORDABLE SUR DEMANDE",
            "EN COURS DE DEPLOIEMENT",
            "PREVU",
            "EN COURS DE DEPLOIEMENT",
            "RACCORDABLE",
            "ABANDONNE"
        ]
    );
}

#[test]
fn available_when_both_dates_are_reached() {
    let mut building = building(None, 1);
    building.orders_from = Some(date(2019, 3, 6));
    building.pm_in_service = Some(date(2019, 4, 1));
    assert_eq!(available_from(&building), Some(date(2019, 4, 1)));
    assert_eq!(availability(&building, date(2019, 3, 31)), Availability::Coming);
    assert_eq!(availability(&building, date(2019, 4, 1)), Availability::Available);
    building.orders_from = None;
    assert_eq!(availability(&building, date(2030, 1, 1)), Availability::Coming);
    building.pm_state = Some(PmState::Deploying);
    assert_eq!(availability(&building, date(2030, 1, 1)), Availability::NotAvailable);
    building.state = State::Signed;
    assert_eq!(available_from(&building), None);
}
