//! The demo folder holds what its README says.

use eservices_reference::building::{Building, Projection, State, Zone};
use eservices_reference::calendar::Territory;
use eservices_reference::derived::{
    AppointmentType, Availability, appointment_type, availability, available_from,
};
use eservices_reference::ids::{Imb, Pto};
use eservices_reference::{Reference, StructureRow};
use jiff::civil::{Date, date};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const TODAY: Date = date(2026, 11, 1);
static DEMO: LazyLock<Reference> = LazyLock::new(|| Reference::from_files(&folder()).unwrap());

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo-data")
}

fn building(imb: &str) -> &'static Building {
    DEMO.building(&Imb::parse(imb).unwrap()).unwrap_or_else(|| panic!("no {imb}"))
}

fn structure(imb: &str) -> &'static [StructureRow] {
    DEMO.structure(&Imb::parse(imb).unwrap())
}

fn floor(imb: &str, etage: &str) -> &'static StructureRow {
    structure(imb).iter().find(|row| &*row.place.etage == etage).unwrap_or_else(|| panic!("no {imb} {etage}"))
}

fn appointment(row: &StructureRow) -> AppointmentType {
    let has_pto = !DEMO.lines_at(&row.imb, &row.place).is_empty();
    appointment_type(DEMO.rules(), building(row.imb.as_str()), Some(row), has_pto)
}

#[test]
fn no_problem_and_the_counts() {
    assert_eq!(DEMO.report().problems, []);
    let counts = DEMO.release().counts;
    assert_eq!((counts.buildings, counts.structure, counts.lines), (301, 416, 262));
    let mut rows = DEMO.report().rows.clone();
    rows.retain(|(name, _)| name.contains("_PM_IPE"));
    assert_eq!(rows, [("DEMO_77_ESVC_PM_IPEZMD_V30_20261101.csv".to_owned(), 302)]);
    assert!(DEMO.release().name.starts_with("20261101-"));
    for state in State::ALL {
        assert!(DEMO.buildings().iter().any(|building| building.state == *state), "no {state}");
    }
    let size: u64 = std::fs::read_dir(folder()).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 200_000, "{size}");
}

#[test]
fn the_slide_house() {
    let house = building("IMB/77058/X/0218");
    assert_eq!(house.street_line(), "6 RUE ETIENNE GANNERON");
    assert_eq!((&*house.postcode, &*house.commune, house.housings), ("77600", "BUSSY-ST-GEORGES", 1));
    assert_eq!((house.position.x, house.position.y), (678771.23, 6860548.07));
    assert_eq!(
        (house.position.projection, house.state, &*house.oi),
        (Projection::Rgf93, State::Deployed, "FI")
    );
    assert_eq!(house.rivoli.as_ref().map(AsRef::as_ref), Some("0361"));
    assert_eq!((house.orders_from, house.delivery_from), (Some(date(2019, 3, 6)), Some(date(2019, 3, 6))));
    assert_eq!(
        (house.pm_location.as_deref(), house.drop_type.as_deref()),
        (Some("PME-Armoire de rue"), Some("SOUTERRAIN"))
    );
    assert_eq!(availability(house, TODAY), Availability::Available);
    let [row] = structure("IMB/77058/X/0218") else { panic!() };
    assert_eq!(
        (row.pm.as_str(), row.pmt.as_deref(), row.pbo.as_deref()),
        ("FI-77058-000B", Some("PT 001113"), Some("PT 002053"))
    );
    assert_eq!(row.pbo_type.as_deref(), Some("CH:EN CHAMBRE"));
    assert_eq!(row.pm_prdm_link.as_deref(), Some("77243LAG_FI-77058-000B"));
    assert!(DEMO.lines(&row.imb).is_empty());
    assert_eq!((DEMO.free_fibres(row), appointment(row)), (Some(7), AppointmentType::House));
}

#[test]
fn the_slide_buildings() {
    let paris = building("IMB/75109/C/2182");
    assert_eq!(paris.street_line(), "55 RUE DE CHÂTEAUDUN");
    assert_eq!(
        (paris.pm.as_ref().map(AsRef::as_ref), paris.zone),
        (Some("FI-75109-00IN"), Some(Zone::VeryDense))
    );
    let floors: Vec<_> = structure("IMB/75109/C/2182").iter().map(|row| &*row.place.etage).collect();
    assert_eq!(floors, ["1", "2", "3", "4", "5", "RDC"]);
    assert_eq!(DEMO.lines(&paris.imb).len(), 4);
    assert_eq!(DEMO.lines_at(&paris.imb, &floor("IMB/75109/C/2182", "2").place).len(), 2);
    assert_eq!(appointment(floor("IMB/75109/C/2182", "2")), AppointmentType::Short);
    assert_eq!(appointment(floor("IMB/75109/C/2182", "3")), AppointmentType::Block);
    assert_eq!(appointment(floor("IMB/75109/C/2182", "RDC")), AppointmentType::BlockComplex);
    let lyon = building("IMB/69383/C/0020");
    assert_eq!(lyon.street_line(), "20 RUE GÉNÉRAL MOUTON DUVERNET");
    assert_eq!((&*lyon.postcode, &*lyon.commune), ("69003", "LYON 03"));
    let line = DEMO.line(&Pto::parse("FI-1B00-0001").unwrap()).unwrap();
    assert_eq!(
        (line.imb.as_str(), &*line.place.batiment, &*line.place.escalier, &*line.place.etage),
        ("IMB/69383/C/0020", "COLLECTIF", "Co", "6")
    );
}

#[test]
fn resources() {
    let with_socket = floor("IMB/77058/X/0302", "_NA_");
    assert_eq!(appointment(with_socket), AppointmentType::Short);
    let full = floor("IMB/77058/C/0301", "3");
    assert_eq!((DEMO.free_fibres(full), DEMO.lines_at(&full.imb, &full.place).len()), (Some(0), 0));
    let unknown = floor("IMB/77058/C/0411", "1");
    assert_eq!(DEMO.free_fibres(unknown), None);
    assert_eq!(structure("IMB/77058/C/0409"), []);
    assert_eq!(building("IMB/77058/C/0409").state, State::Deployed);
    assert_eq!(appointment(floor("IMB/77058/C/0413", "1")), AppointmentType::BlockComplex);
    let pole = building("IMB/77058/X/0414");
    assert_eq!((pole.street_line().as_str(), pole.complement), ("10 B RUE ETIENNE GANNERON", Some('B')));
    assert_eq!(DEMO.free_fibres(floor("IMB/77058/X/0414", "_NA_")), Some(4));
}

#[test]
fn states_and_dates() {
    for (imb, state) in [
        ("IMB/77058/X/0401", State::Target),
        ("IMB/77058/C/0402", State::Signed),
        ("IMB/77058/C/0403", State::Deploying),
        ("IMB/77058/X/0404", State::OnDemandDeploying),
        ("IMB/77058/X/0405", State::ConnectableOnDemand),
        ("IMB/77058/C/0406", State::Abandoned),
    ] {
        assert_eq!(building(imb).state, state, "{imb}");
        assert_eq!(availability(building(imb), TODAY), Availability::NotAvailable, "{imb}");
    }
    assert_eq!(building("IMB/77058/X/0401").pm, None);
    assert_eq!(building("IMB/77058/C/0402").agreement_signed, Some(date(2026, 9, 14)));
    assert_eq!(building("IMB/77058/C/0403").planned_cabling(), Some(date(2027, 1, 20)));
    assert_eq!(building("IMB/77058/X/0404").planned_cabling(), Some(date(2026, 12, 20)));
    let later = building("IMB/77058/C/0407");
    assert_eq!(
        (availability(later, TODAY), available_from(later)),
        (Availability::Coming, Some(date(2027, 3, 1)))
    );
    let pm_later = building("IMB/77058/C/0408");
    assert_eq!(
        (pm_later.orders_from, pm_later.pm_in_service),
        (Some(date(2026, 10, 1)), Some(date(2027, 2, 15)))
    );
    assert_eq!(
        (availability(pm_later, TODAY), available_from(pm_later)),
        (Availability::Coming, Some(date(2027, 2, 15)))
    );
    let unsigned = building("IMB/77058/C/0412");
    assert_eq!((unsigned.agreement_needed, unsigned.agreement_signed), (Some(true), None));
    assert_eq!(
        availability(unsigned, TODAY),
        Availability::Available,
        "the agreement is a criterion of its own"
    );
}

#[test]
fn addresses_and_territories() {
    let two = building("IMB/77058/C/0410");
    assert_eq!((two.housings, &two.batiments[..]), (16, &["A".into(), "B".into()][..]));
    assert_eq!(structure("IMB/77058/C/0410").len(), 4);
    let territory = |imb| Territory::of_insee(&building(imb).insee);
    assert_eq!(territory("IMB/67482/C/0001"), Territory::AlsaceMoselle);
    assert_eq!(territory("IMB/97105/X/0001"), Territory::Guadeloupe);
    let there = building("IMB/97105/X/0001").position;
    assert_eq!((there.x, there.y, there.projection), (-61.729512, 15.998204, Projection::Wgs84));
}

/// Facts that every row must keep, so that a question to the demo has one answer.
#[test]
fn the_data_agree_with_themselves() {
    for building in DEMO.buildings() {
        assert_eq!(building.insee, building.imb.insee(), "{}", building.imb);
        let rows = DEMO.structure(&building.imb);
        assert!(rows.is_empty() || building.state == State::Deployed, "{}", building.imb);
        assert!(rows.iter().all(|row| Some(&row.pm) == building.pm.as_ref()), "{}", building.imb);
        let twin = DEMO.buildings().iter().find(|other| {
            other.imb != building.imb
                && other.insee == building.insee
                && other.street_line() == building.street_line()
        });
        assert!(twin.is_none(), "{} has the address of {}", building.imb, twin.unwrap().imb);
    }
    let without: Vec<_> = DEMO
        .buildings()
        .iter()
        .filter(|building| building.state == State::Deployed && DEMO.structure(&building.imb).is_empty())
        .map(|building| building.imb.as_str())
        .collect();
    assert_eq!(without, ["IMB/77058/C/0409"]);
}

#[test]
fn the_readme_names_buildings_that_exist() {
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let named: Vec<_> = readme.split('`').filter(|word| Imb::is_valid(word)).collect();
    assert_eq!(named.len(), 21);
    for imb in named {
        building(imb);
    }
}
