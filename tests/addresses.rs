//! TAO at the demo's buildings: searching, translating, exporting. Expected values are read off the slides and the demo's
//! files by hand.

use eservices::{
    addresses::v1::{
        self as ad, ExportStructureRequest, ListCommunesRequest, ListNumbersRequest, ListStreetsRequest,
        ResourceStatus, SearchAddressesRequest, TranslateAddressRequest, TranslateAddressResponse,
        translate_address_request::Key,
    },
    common::v1::{
        AppointmentType, GeoPoint, MatchGrade, MatchLevel, NormalisedAddress, Projection, Surroundings,
    },
    eligibility::v1::{CheckEligibilityRequest, Verdict, check_eligibility_request::Key as Asked},
};
use eservices_client::Client;
use eservices_reference::{
    Line, Reference,
    ids::{Imb, Pm, Pto},
    structure::Place,
};
use eservices_server::platform::network::{Changed, Overlay};

use crate::harness::{SIRENS, World, reason, refusal};

const SLIDE: &str = "IMB/77058/X/0218";

async fn world() -> (World, Client) {
    let world = World::start().await;
    let identity = world.operator(SIRENS[0], &["tao", "eligibilite"]).await;
    let client = world.client(&identity).await;
    (world, client)
}

async fn translate(client: &Client, key: Key) -> Result<TranslateAddressResponse, tonic::Status> {
    let request = TranslateAddressRequest { key: Some(key) };
    client.addresses().translate_address(request).await.map(tonic::Response::into_inner)
}

async fn search(client: &Client, text: &str) -> Vec<eservices::common::v1::AddressCandidate> {
    let request = SearchAddressesRequest { text: text.into(), ..SearchAddressesRequest::default() };
    client.addresses().search_addresses(request).await.unwrap().into_inner().candidates
}

fn imbs(answer: &TranslateAddressResponse) -> Vec<&str> {
    answer.buildings.iter().map(|b| b.imb.as_str()).collect()
}

#[tokio::test]
async fn the_building_of_the_slide_reads_as_on_the_slide() {
    let (_world, client) = world().await;
    let answer = translate(&client, Key::Imb(SLIDE.into())).await.unwrap();
    assert_eq!(answer.found_by, "IMB");
    let [building] = answer.buildings.as_slice() else { panic!("{answer:?}") };
    let states = (building.state.as_str(), building.headline.as_str(), building.availability.as_str());
    assert_eq!(states, ("DEPLOYE", "RACCORDABLE", "MIS A DISPOSITION"));
    assert_eq!((building.oi_code.as_str(), building.pm.as_str()), ("FI", "FI-77058-000B"));
    assert_eq!(building.street_address, "6 RUE ETIENNE GANNERON");
    let position = building.position.unwrap();
    assert_eq!((position.x, position.y), (678_771.23, 6_860_548.07));
    assert_eq!(position.projection(), Projection::Rgf93);
    // INTEROP-FACTS §3, computed with PROJ.
    let wgs84 = building.position_wgs84.unwrap();
    assert!((wgs84.x - 2.710_742_010).abs() < 1e-8 && (wgs84.y - 48.844_629_060).abs() < 1e-8, "{wgs84:?}");
    let works = building.works.as_ref().unwrap();
    assert_eq!((works.code.as_str(), works.label.as_str()), ("SOUTERRAIN", "SOUTERRAIN"));
    assert_eq!((building.order_open_day.as_str(), building.housing_count), ("2019-03-06", 1));
    let [place] = building.places.as_slice() else { panic!("{building:?}") };
    let parts = (place.batiment.as_str(), place.escalier.as_str(), place.etage.as_str());
    assert_eq!(parts, ("_NA_", "_NA_", "_NA_"));
    assert_eq!((place.pmt.as_str(), place.pbo.as_str()), ("PT 001113", "PT 002053"));
    assert_eq!(place.pm_prdm_link, "77243LAG_FI-77058-000B");
    let kind = place.pbo_type.as_ref().unwrap();
    assert_eq!((kind.code.as_str(), kind.label.as_str()), ("CH", "EN CHAMBRE"));
    let resource = place.resource.as_ref().unwrap();
    // Eight fibres, and the socket of number 8 hangs from the same box.
    assert_eq!((resource.status(), resource.free_fibre_count), (ResourceStatus::Free, Some(7)));
    assert_eq!(place.appointment_type(), AppointmentType::House);
    assert_eq!(place.appointment_rule_id, "visit.house");
}

#[tokio::test]
async fn every_place_of_a_building_has_its_lines_and_its_visit() {
    let (_world, client) = world().await;
    let answer = translate(&client, Key::Pto("FI-1A00-0002".into())).await.unwrap();
    assert_eq!((answer.found_by.as_str(), imbs(&answer)), ("PTO", vec!["IMB/75109/C/2182"]));
    use AppointmentType as T;
    use ResourceStatus as R;
    // Floor, sockets, free fibres of the box, resource, visit: PT 003001 has 12 fibres and 3 sockets, PT 003002 12 and 1.
    let expected = [
        ("1", 1, 9, R::Free, T::Building),
        ("2", 2, 9, R::SocketPresent, T::Short),
        ("3", 0, 11, R::Free, T::Building),
        ("4", 1, 11, R::Free, T::Building),
        ("5", 0, 11, R::Free, T::Building),
        ("RDC", 0, 9, R::Free, T::BuildingComplex),
    ];
    let seen: Vec<_> = answer.buildings[0]
        .places
        .iter()
        .map(|p| {
            let resource = p.resource.as_ref().unwrap();
            let free = resource.free_fibre_count.unwrap();
            (p.etage.as_str(), p.lines.len(), free, resource.status(), p.appointment_type())
        })
        .collect();
    assert_eq!(seen, expected);
    // PT 003201 serves all places of the other building, and is full.
    let full = translate(&client, Key::Imb("IMB/77058/C/0301".into())).await.unwrap();
    let resource = full.buildings[0].places.iter().filter_map(|p| p.resource.as_ref());
    let codes: Vec<_> = resource.map(|r| (r.status(), r.code.as_str())).collect();
    assert!(codes.contains(&(R::Saturated, "FINT01")), "{codes:?}");
}

#[tokio::test]
async fn an_address_is_found_however_it_is_said() {
    let (_world, client) = world().await;
    let ways = [
        "6 rue Etienne Ganneron 77600 Bussy-Saint-Georges",
        "6 RUE ETIENNE GANNERON",
        "6 r. etienne ganneron, bussy st georges",
        "6 rue étienne gannerron bussy",
        "6 rue etienne ganneron 77058",
    ];
    for way in ways {
        let found = search(&client, way).await;
        let best = found.first().unwrap_or_else(|| panic!("{way}: nothing"));
        assert_eq!(
            (best.level(), best.imbs.as_slice()),
            (MatchLevel::Number, &[SLIDE.to_owned()][..]),
            "{way}"
        );
        let answer = translate(&client, Key::Address(way.into())).await.unwrap();
        let seen = (answer.found_by.as_str(), imbs(&answer));
        assert_eq!(seen, ("ADDRESS", vec![SLIDE]), "{way}: {best:?}");
        let request = CheckEligibilityRequest {
            key: Some(Asked::Address(way.into())),
            offer_codes: vec!["JUST_FIBRE".into()],
            as_of_day: String::new(),
        };
        let answer = client.eligibility().check_eligibility(request).await.unwrap().into_inner();
        assert_eq!(answer.premises.unwrap().imb, SLIDE, "{way}");
        assert_eq!(answer.answers[0].verdict(), Verdict::Eligible, "{way}");
    }
    // The number behind the street, or a word less: found, and left to a person.
    for way in ["etienne ganneron 6 bussy saint georges", "6 rue ganneron 77600"] {
        let found = search(&client, way).await;
        let best = (found[0].level(), found[0].grade(), found[0].imbs.join(","));
        assert_eq!(best, (MatchLevel::Number, MatchGrade::Possible, SLIDE.to_owned()), "{way}");
        assert_eq!(translate(&client, Key::Address(way.into())).await.unwrap().buildings.len(), 0, "{way}");
    }
    let exact = search(&client, ways[0]).await;
    assert_eq!(exact[0].grade(), MatchGrade::Exact, "{exact:?}");
    let corrected = search(&client, ways[3]).await;
    assert_eq!(corrected[0].grade(), MatchGrade::Good);
    let reason = &corrected[0].reasons.iter().find(|r| r.code == "WORD_CORRECTED").unwrap();
    assert_eq!((reason.said.as_str(), reason.known.as_str()), ("gannerron", "ganneron"));
}

#[tokio::test]
async fn what_is_not_sure_is_a_choice_and_no_error() {
    let (_world, client) = world().await;
    for text in
        ["rue etienne ganneron bussy", "99 rue etienne ganneron bussy", "qwertz uiop", "bussy saint georges"]
    {
        let answer = translate(&client, Key::Address(text.into())).await.unwrap();
        assert_eq!((answer.buildings.len(), answer.found_by.as_str()), (0, ""), "{text}");
        let request = CheckEligibilityRequest {
            key: Some(Asked::Address(text.into())),
            ..CheckEligibilityRequest::default()
        };
        let answer = client.eligibility().check_eligibility(request).await.unwrap().into_inner();
        assert_eq!((answer.premises, answer.answers.len()), (None, 0), "{text}");
        assert!(answer.qualification_reference.is_empty(), "{text}");
        if text.contains("ganneron") {
            let best = &answer.candidates[0];
            assert_eq!(best.address.as_ref().unwrap().street_code, "0361", "{text}");
            assert_eq!(best.level(), MatchLevel::Street, "{text}");
        }
    }
    let missing = search(&client, "99 rue etienne ganneron bussy").await;
    assert!(
        missing[0].reasons.iter().any(|r| r.code == "NUMBER_NOT_IN_STREET" && !r.known.is_empty()),
        "{missing:?}"
    );
}

#[tokio::test]
async fn codes_are_tried_in_the_markets_order() {
    let (_world, client) = world().await;
    let hexacle = |h: &str| NormalisedAddress { hexacle: h.into(), ..NormalisedAddress::default() };
    let street = NormalisedAddress {
        commune_code: "77058".into(),
        street_code: "0361".into(),
        number: "6".into(),
        ..NormalisedAddress::default()
    };
    let by_street_hexacle = NormalisedAddress {
        street_hexacle: "77058V0000".into(),
        number: "8".into(),
        ..NormalisedAddress::default()
    };
    let point = GeoPoint { x: 678_771.23, y: 6_860_548.07, projection: Projection::Rgf93.into() };
    let position = NormalisedAddress { position: Some(point), ..NormalisedAddress::default() };
    // The hexaclé goes before the codes of the street, which go before the position.
    let both = NormalisedAddress { hexacle: "77058X0302".into(), position: Some(point), ..street.clone() };
    let fallback = NormalisedAddress { hexacle: "77058XZZZZ".into(), ..street.clone() };
    let cases = [
        (hexacle("77058X0218"), "HEXACLE", "IMB/77058/X/0218"),
        (street.clone(), "STREET_CODE", "IMB/77058/X/0218"),
        (by_street_hexacle, "STREET_HEXACLE", "IMB/77058/X/0302"),
        (position, "POSITION", "IMB/77058/X/0218"),
        (both, "HEXACLE", "IMB/77058/X/0302"),
        (fallback, "STREET_CODE", "IMB/77058/X/0218"),
    ];
    for (codes, by, imb) in cases {
        let answer = translate(&client, Key::NormalisedAddress(codes.clone())).await.unwrap();
        assert_eq!((answer.found_by.as_str(), answer.buildings[0].imb.as_str()), (by, imb), "{codes:?}");
    }
    let unknown = NormalisedAddress { number: "98".into(), ..street };
    let answer = translate(&client, Key::NormalisedAddress(unknown)).await.unwrap();
    assert_eq!((answer.buildings.len(), answer.found_by.as_str()), (0, ""), "no such number is no error");
    assert_eq!(answer.candidates[0].address.as_ref().unwrap().street_code, "0361");
}

#[tokio::test]
async fn coordinates_find_what_is_around_nearest_first() {
    let (_world, client) = world().await;
    // The slide's house, 5 m to the east; number 8 stands 22 m east and 4 m north of it, in Lambert-93.
    let around = |radius_metres| {
        let point = GeoPoint { x: 678_776.23, y: 6_860_548.07, projection: Projection::Rgf93.into() };
        Surroundings { point: Some(point), radius_metres }
    };
    for (radius, expected) in
        [(10, &["IMB/77058/X/0218"][..]), (20, &["IMB/77058/X/0218", "IMB/77058/X/0302"])]
    {
        let answer = translate(&client, Key::Surroundings(around(radius))).await.unwrap();
        assert_eq!(imbs(&answer), expected, "{radius}");
    }
    let request = |radius| CheckEligibilityRequest {
        key: Some(Asked::Surroundings(around(radius))),
        ..CheckEligibilityRequest::default()
    };
    let one = client.eligibility().check_eligibility(request(10)).await.unwrap().into_inner();
    assert_eq!((one.premises.unwrap().imb.as_str(), one.found_by.as_str()), (SLIDE, "POSITION"));
    let two = client.eligibility().check_eligibility(request(20)).await.unwrap().into_inner();
    assert_eq!(two.premises, None);
    let imbs: Vec<_> = two.candidates.iter().map(|c| (c.imbs.join(","), c.distance_metres)).collect();
    assert_eq!(imbs, [(SLIDE.to_owned(), Some(5)), ("IMB/77058/X/0302".to_owned(), Some(17))]);
    let nowhere = Surroundings {
        point: Some(GeoPoint { x: -4.5, y: 48.4, projection: Projection::Wgs84.into() }),
        radius_metres: 1_000,
    };
    let answer = translate(&client, Key::Surroundings(nowhere)).await.unwrap();
    assert_eq!((answer.buildings.len(), answer.found_by.as_str()), (0, ""));
}

#[tokio::test]
async fn one_walks_from_the_commune_to_the_building() {
    let (_world, client) = world().await;
    let mut addresses = client.addresses();
    let request = ListCommunesRequest { prefix: "bussy".into(), ..ListCommunesRequest::default() };
    let communes = addresses.list_communes(request).await.unwrap().into_inner().communes;
    assert_eq!(communes.iter().map(|c| c.code.as_str()).collect::<Vec<_>>(), ["77058"]);
    let mut streets = Vec::new();
    let mut request = ListStreetsRequest {
        commune_code: "77058".into(),
        prefix: String::new(),
        page_size: 2,
        page_token: String::new(),
    };
    loop {
        let page = addresses.list_streets(request.clone()).await.unwrap().into_inner();
        assert!(page.streets.len() <= 2);
        streets.extend(page.streets);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let mut names: Vec<_> = streets.iter().map(|s| s.street.as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
    names.dedup();
    assert_eq!(names.len(), streets.len(), "each street once");
    let street = streets.iter().find(|s| s.street_code == "0361").unwrap();
    let prefix = ListStreetsRequest { prefix: "gann".into(), page_token: String::new(), ..request.clone() };
    let found = addresses.list_streets(prefix).await.unwrap().into_inner().streets;
    assert_eq!(found.iter().map(|s| &s.street_id).collect::<Vec<_>>(), [&street.street_id]);
    let request =
        ListNumbersRequest { street_id: street.street_id.clone(), page_size: 100, page_token: String::new() };
    let numbers = addresses.list_numbers(request.clone()).await.unwrap().into_inner().numbers;
    let six = numbers.iter().find(|n| n.address.as_ref().unwrap().number == "6").unwrap();
    assert_eq!(six.imbs, [SLIDE]);

    let foreign = ListNumbersRequest { page_token: "00".into(), ..request };
    assert_eq!(reason(addresses.list_numbers(foreign).await), "FIELDS_INVALID");
    let unknown = ListStreetsRequest { commune_code: "01001".into(), ..ListStreetsRequest::default() };
    assert_eq!(reason(addresses.list_streets(unknown).await), "RESOURCE_NOT_FOUND");
    let request =
        ListNumbersRequest { street_id: "77058:no such street".into(), ..ListNumbersRequest::default() };
    assert_eq!(reason(addresses.list_numbers(request).await), "RESOURCE_NOT_FOUND");
}

#[tokio::test]
async fn a_word_is_completed_while_it_is_typed() {
    let (_world, client) = world().await;
    let mut found_from = None;
    let whole = "6 rue etienne ganneron";
    for end in 1..=whole.len() {
        let request = ad::CompleteAddressRequest { text: whole[..end].into(), near: None, limit: 5 };
        let answer = client.addresses().complete_address(request).await.unwrap().into_inner();
        let hit = answer.completions.iter().any(|c| c.address.as_ref().unwrap().street_code == "0361");
        match (hit, found_from) {
            (true, None) => found_from = Some(end),
            (false, Some(since)) => panic!("{:?}: found since {since}, and lost again", &whole[..end]),
            _ => {}
        }
    }
    assert!(found_from.is_some_and(|end| end <= "6 rue etienne g".len()), "{found_from:?}");
}

#[tokio::test]
async fn an_export_has_a_line_for_each_place_and_loses_nothing() {
    let (_world, client) = world().await;
    let request = ExportStructureRequest {
        imbs: [SLIDE, "IMB/77058/X/ZZZZ", "IMB/75109/C/2182"].map(str::to_owned).to_vec(),
    };
    let mut stream = client.addresses().export_structure(request).await.unwrap().into_inner();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.message().await.unwrap() {
        assert!(piece.lines.ends_with(b"\n") && piece.lines.len() <= 64 * 1024);
        bytes.extend_from_slice(&piece.lines);
    }
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(';').collect()).collect();
    assert_eq!(lines.len(), 1 + 1 + 1 + 6);
    assert!(lines.iter().all(|fields| fields.len() == lines[0].len()), "{text}");
    let column = |name: &str| lines[0].iter().position(|head| *head == name).unwrap();
    let value = |line: usize, name: &str| lines[line][column(name)];
    assert_eq!((value(1, "IMB"), value(1, "PBO"), value(1, "ressource")), (SLIDE, "PT 002053", "LIBRE"));
    assert_eq!((value(1, "type_PBO"), value(1, "type_RDV")), ("CH:EN CHAMBRE", "HOUSE"));
    assert_eq!((value(2, "IMB"), value(2, "etat"), value(2, "PBO")), ("IMB/77058/X/ZZZZ", "INCONNU", ""));
    assert_eq!((value(4, "etage"), value(4, "PTO")), ("2", "FI-1A00-0002,FI-1A00-0003"));
}

#[tokio::test]
async fn what_changed_since_the_release_is_in_every_answer() {
    let (world, client) = world().await;
    let before = translate(&client, Key::Imb(SLIDE.into())).await.unwrap();
    assert_eq!(before.network_revision, 0);
    let na = || Box::from("_NA_");
    let line = Line {
        imb: Imb::parse(SLIDE).unwrap(),
        place: Place { batiment: na(), escalier: na(), etage: na() },
        pto: Pto::parse("FI-ZZZZ-0001").unwrap(),
        pbo: Some("PT 002053".into()),
        state: "ACTIVE".into(),
    };
    let pm = Pm::parse("FI-77058-000B").unwrap();
    let held = (Box::from(pm.as_str()), Box::from("PT 002053"), 7);
    let release = before.reference_release.as_str().into();
    let changed = Changed { pm: pm.as_str().into(), line, release };
    world.platform.network.follow(Overlay::new(1, [changed], [held]));
    let after = translate(&client, Key::Pto("FI-ZZZZ-0001".into())).await.unwrap();
    assert_eq!((after.network_revision, imbs(&after)), (1, vec![SLIDE]));
    let place = &after.buildings[0].places[0];
    assert_eq!((place.lines.len(), place.appointment_type()), (1, AppointmentType::Short));
    let request = CheckEligibilityRequest {
        key: Some(Asked::Imb(SLIDE.into())),
        offer_codes: vec!["JUST_FIBRE".into()],
        as_of_day: String::new(),
    };
    let answer = client.eligibility().check_eligibility(request).await.unwrap().into_inner();
    assert_eq!((answer.network_revision, answer.premises.unwrap().existing_line_count), (1, 1));
    assert_eq!(answer.answers[0].appointment_type(), AppointmentType::Short);
}

#[tokio::test]
async fn the_same_question_of_two_operators_has_one_answer_and_one_reference() {
    let (world, first) = world().await;
    let identity = world.operator(SIRENS[1], &["eligibilite"]).await;
    let second = world.client(&identity).await;
    let request = || CheckEligibilityRequest {
        key: Some(Asked::Imb(SLIDE.into())),
        ..CheckEligibilityRequest::default()
    };
    let one = first.eligibility().check_eligibility(request()).await.unwrap().into_inner();
    let two = second.eligibility().check_eligibility(request()).await.unwrap().into_inner();
    assert_eq!(one, two);
    assert_eq!((one.as_of_day.as_str(), one.qualification_expires_on.as_str()), ("2026-11-24", "2026-12-24"));
    let length = one.qualification_reference.len();
    assert!((100..=2_000).contains(&length), "{length}");
}

#[tokio::test]
async fn bad_keys_list_every_field() {
    let (_world, client) = world().await;
    let bad = NormalisedAddress {
        hexacle: "é".into(),
        commune_code: "7705".into(),
        street_code: "03612".into(),
        number: "six".into(),
        complement: "BISTER".into(),
        street_hexacle: "1".into(),
        position: Some(GeoPoint { x: f64::NAN, y: 1e9, projection: 99 }),
        ban_id: "x".repeat(61),
    };
    let error = refusal(translate(&client, Key::NormalisedAddress(bad)).await);
    let fields: Vec<_> = error.field_violations().into_iter().map(|v| v.field).collect();
    let expected = [
        "hexacle",
        "street_hexacle",
        "ban_id",
        "commune_code",
        "street_code",
        "number",
        "complement",
        "position.projection",
    ];
    assert_eq!(fields, expected.map(|f| format!("normalised_address.{f}")));
    for (key, field) in [
        (Key::Address("é".into()), "address"),
        (Key::Address("x".repeat(201)), "address"),
        (Key::Surroundings(Surroundings::default()), "surroundings.point"),
        (Key::NormalisedAddress(NormalisedAddress::default()), "normalised_address"),
    ] {
        let error = refusal(translate(&client, key.clone()).await);
        let fields: Vec<_> = error.field_violations().into_iter().map(|v| v.field).collect();
        assert_eq!(fields, [field], "{key:?}");
    }
    let request =
        SearchAddressesRequest { text: "6 rue".into(), limit: 21, ..SearchAddressesRequest::default() };
    assert_eq!(reason(client.addresses().search_addresses(request).await), "FIELDS_INVALID");
    assert_eq!(reason(translate(&client, Key::Imb("IMB/77058/X/ZZZZ".into())).await), "RESOURCE_NOT_FOUND");
}

/// A merged commune with two streets of one name, and a city with an arrondissement.
fn merged() -> Reference {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let building = |n: u32, ban: &str| {
        format!("IMB/77058/X/000{n};CIBLE;;;77058;77600;BUSSY;RUE DE L'EGLISE;{n};1;WGS84;2.71;48.84;{ban}\n")
    };
    let header = "IdentifiantImmeuble;EtatImmeuble;ReferencePM;EtatPM;CodeInseeImmeuble;CodePostalImmeuble;CommuneImmeuble;\
                  NomVoieImmeuble;NumeroVoieImmeuble;NombreLogementsAdresseIPE;TypeProjectionGeographique;\
                  CoordonneeImmeubleX;CoordonneeImmeubleY;CodeBAN\n";
    let buildings = building(1, "77058_0001_00001") + &building(2, "77058_0002_00002");
    write("T_77_ESVC_PM_IPEZMD_V30_20261101.csv", format!("{header}{buildings}"));
    let columns = |columns: &[&str]| columns.join(";") + "\n";
    write("structure.csv", columns(eservices_reference::structure::STRUCTURE_COLUMNS));
    write("lignes.csv", columns(eservices_reference::structure::LINE_COLUMNS));
    let ban = |street: &str, n: u32, insee: &str, former: &str, name: &str| {
        format!("{insee}_{street}_0000{n};{n};;{name};77600;{insee};Commune;2.71;48.84;{former}\n")
    };
    let church = "Rue de l'Église";
    let numbers = [
        ban("0001", 1, "77058", "Avant", church),
        ban("0001", 3, "77058", "Avant", church),
        ban("0002", 2, "77058", "Après", church),
        ban("0003", 5, "69381", "", "Rue Mercière"),
    ];
    let header = "id;numero;rep;nom_voie;code_postal;code_insee;nom_commune;lon;lat;nom_ancienne_commune\n";
    write("ban.csv", format!("{header}{}", numbers.concat()));
    let commune = |code: &str, name: &str, parent: &str| format!("{code};{name};{parent};1000;77600;;;;;;\n");
    let communes = [
        commune("77058", "Bussy", ""),
        commune("69123", "Lyon", ""),
        commune("69381", "Lyon 1er Arrondissement", "69123"),
    ];
    let header = columns(eservices_reference::communes::COMMUNE_COLUMNS);
    write("communes.csv", format!("{header}{}", communes.concat()));
    Reference::from_files(folder.path()).unwrap()
}

#[tokio::test]
async fn streets_of_one_name_and_streets_of_a_city_are_all_reached() {
    let (world, client) = world().await;
    world.platform.network.activate(std::sync::Arc::new(merged()), 1);
    let mut addresses = client.addresses();
    let list =
        |commune: &str| ListStreetsRequest { commune_code: commune.into(), ..ListStreetsRequest::default() };
    let streets = addresses.list_streets(list("77058")).await.unwrap().into_inner().streets;
    let mut seen = Vec::new();
    for street in &streets {
        let request =
            ListNumbersRequest { street_id: street.street_id.clone(), ..ListNumbersRequest::default() };
        let numbers = addresses.list_numbers(request).await.unwrap().into_inner().numbers;
        let numbers: Vec<_> = numbers
            .iter()
            .map(|n| format!("{} {}", n.address.as_ref().unwrap().number, n.imbs.join(",")))
            .collect();
        seen.push((street.former_commune.as_str(), numbers.join("; ")));
    }
    seen.sort_unstable();
    let expected = [("Après", "2 IMB/77058/X/0002"), ("Avant", "1 IMB/77058/X/0001; 3 ")];
    assert_eq!(seen, expected.map(|(former, numbers)| (former, numbers.to_owned())));
    let streets = addresses.list_streets(list("69123")).await.unwrap().into_inner().streets;
    assert_eq!(streets.iter().map(|s| s.street.as_str()).collect::<Vec<_>>(), ["Rue Mercière"]);

    // A number that is known and has no building: it is there, and nothing is said to be missing.
    let key = NormalisedAddress { ban_id: "77058_0001_00003".into(), ..NormalisedAddress::default() };
    let answer = translate(&client, Key::NormalisedAddress(key)).await.unwrap();
    assert_eq!((answer.buildings.len(), answer.candidates.len()), (0, 1));
    let known = &answer.candidates[0];
    assert_eq!((known.level(), known.grade()), (MatchLevel::Number, MatchGrade::Exact));
    assert_eq!((known.address.as_ref().unwrap().number.as_str(), known.reasons.len()), ("3", 0));
}
