//! Golden cases of eligibility: building, offer, day → verdict, codes, first day; written by hand from the rules of the
//! market (INTEROP-FACTS §1.4 and §1.6) and the demo's files, before the server was asked.

use std::collections::BTreeSet;

use eservices::eligibility::v1::{CheckEligibilityRequest, Verdict as V, check_eligibility_request::Key};
use eservices_server::platform::network::Overlay;

use crate::harness::{SIRENS, World};

/// Building (the last part where it is of Bussy-Saint-Georges), offer, day (empty: 2026-11-24), verdict, codes, first day.
type Case = (&'static str, &'static str, &'static str, V, &'static [&'static str], &'static str);

const CASES: &[Case] = &[
    // A house, deployed; sharing point in service and orders accepted from 2019-03-06; zone 3; eight free fibres.
    ("X/0218", "JUST_FIBRE", "", V::Eligible, &[], ""),
    ("X/0218", "JUST_FIBRE", "2020-01-01", V::Eligible, &[], ""),
    ("X/0218", "JUST_FIBRE", "2019-12-31", V::EligibleFromDay, &["OFFER_NOT_OPEN_YET"], "2020-01-01"),
    (
        "X/0218",
        "JUST_FIBRE",
        "2019-03-05",
        V::EligibleFromDay,
        &["OFFER_NOT_OPEN_YET", "FIMP09", "FIMP10"],
        "2020-01-01",
    ),
    ("X/0218", "OPTIMUM_PM", "2019-03-06", V::Eligible, &[], ""),
    ("X/0218", "OPTIMUM_PM", "2019-03-05", V::EligibleFromDay, &["FIMP09"], "2019-03-06"),
    ("X/0218", "OPTIMUM_ACCESS", "2019-03-05", V::EligibleFromDay, &["FIMP09", "FIMP10"], "2019-03-06"),
    (
        "X/0218",
        "OPTIMUM_ACCESS",
        "2018-06-30",
        V::EligibleFromDay,
        &["OFFER_NOT_OPEN_YET", "FIMP09", "FIMP10"],
        "2019-03-06",
    ),
    ("X/0218", "CELAN_OPTICAL", "", V::NeedsStudy, &["STUDY_NEEDED"], ""),
    ("X/0218", "CE2O", "2019-03-31", V::NeedsStudy, &["OFFER_NOT_OPEN_YET", "STUDY_NEEDED"], ""),
    ("X/0218", "FTTH_ACTIVE_BLOM_RIP", "", V::Eligible, &[], ""),
    // Zone 1; agreement signed on 2018-01-10; sharing point and orders from 2013-08-01; boxes with 9 and 11 free fibres.
    ("IMB/75109/C/2182", "JUST_FIBRE", "", V::Eligible, &[], ""),
    ("IMB/75109/C/2182", "JUST_FIBRE", "2020-01-01", V::Eligible, &[], ""),
    ("IMB/75109/C/2182", "FTTH_ACTIVE_BLOM_RIP", "", V::NotEligible, &["ZONE_NOT_SERVED"], ""),
    (
        "IMB/75109/C/2182",
        "FTTH_ACTIVE_BLOM_RIP",
        "2018-01-09",
        V::NotEligible,
        &["OFFER_NOT_OPEN_YET", "ZONE_NOT_SERVED", "AGREEMENT_MISSING"],
        "",
    ),
    ("IMB/75109/C/2182", "C2E_OPTICAL", "", V::NeedsStudy, &["STUDY_NEEDED"], ""),
    // Its one box is full of lines; sharing point and orders from 2021-09-01.
    ("C/0301", "JUST_FIBRE", "", V::EligibleUnderConditions, &["FINT01"], ""),
    ("C/0301", "OPTIMUM_PM", "", V::Eligible, &[], ""),
    ("C/0301", "OPTIMUM_ETHERNET_LAN", "", V::EligibleUnderConditions, &["FINT01"], ""),
    ("C/0301", "JUST_FIBRE", "2021-08-31", V::EligibleFromDay, &["FIMP09", "FIMP10", "FINT01"], "2021-09-01"),
    // CIBLE, without a sharing point.
    ("X/0401", "JUST_FIBRE", "", V::NotEligible, &["FIMP10", "FIMP07"], ""),
    ("X/0401", "OPTIMUM_PM", "", V::NotEligible, &["FIMP10", "FIMP07"], ""),
    ("X/0401", "CE2O", "", V::NeedsStudy, &["STUDY_NEEDED"], ""),
    // SIGNE on 2026-09-14, cabling planned for 2027-03-10; its sharing point is being deployed, without a day of service.
    ("C/0402", "JUST_FIBRE", "", V::NotEligible, &["FIMP10", "FIMP09", "FIMP09"], ""),
    (
        "C/0402",
        "JUST_FIBRE",
        "2026-09-13",
        V::NotEligible,
        &["FIMP10", "FIMP09", "FIMP09", "AGREEMENT_MISSING"],
        "",
    ),
    ("C/0403", "OPTIMUM_PM", "", V::NotEligible, &["FIMP10", "FIMP09", "FIMP09"], ""),
    // Being connected on an operator's demand, until 2026-12-20.
    ("X/0404", "JUST_FIBRE", "", V::EligibleFromDay, &["FIMP10"], "2026-12-20"),
    ("X/0404", "JUST_FIBRE", "2026-12-19", V::EligibleFromDay, &["FIMP10"], "2026-12-20"),
    ("X/0404", "JUST_FIBRE", "2026-12-20", V::EligibleUnderConditions, &["FIMP10"], ""),
    // Connectable on demand.
    ("X/0405", "JUST_FIBRE", "", V::EligibleUnderConditions, &["FIMP10"], ""),
    ("X/0405", "FTTH_ACTIVE_BLOM_RIP", "", V::EligibleUnderConditions, &["FIMP10"], ""),
    // Given up, and no agreement was ever signed.
    ("C/0406", "JUST_FIBRE", "", V::NotEligible, &["FIMP10", "AGREEMENT_MISSING"], ""),
    ("C/0406", "CELAN_OPTICAL", "", V::NotEligible, &["FIMP10", "STUDY_NEEDED"], ""),
    ("C/0406", "OPTIMUM_PM", "", V::NotEligible, &["FIMP10"], ""),
    // Orders accepted from 2027-03-01.
    ("C/0407", "JUST_FIBRE", "", V::EligibleFromDay, &["FIMP10"], "2027-03-01"),
    ("C/0407", "JUST_FIBRE", "2027-03-01", V::Eligible, &[], ""),
    ("C/0407", "OPTIMUM_PM", "", V::Eligible, &[], ""),
    // Sharing point in service on 2027-02-15.
    ("C/0408", "JUST_FIBRE", "", V::EligibleFromDay, &["FIMP09"], "2027-02-15"),
    ("C/0408", "JUST_FIBRE", "2027-02-15", V::Eligible, &[], ""),
    ("C/0408", "OPTIMUM_PM", "", V::EligibleFromDay, &["FIMP09"], "2027-02-15"),
    // The size of the box is not known; no structure is known.
    ("C/0409", "JUST_FIBRE", "", V::NeedsStudy, &["RESOURCE_UNKNOWN"], ""),
    ("C/0409", "OPTIMUM_PM", "", V::Eligible, &[], ""),
    ("C/0411", "JUST_FIBRE", "", V::NeedsStudy, &["RESOURCE_UNKNOWN"], ""),
    // The agreement is needed and not signed.
    ("C/0412", "JUST_FIBRE", "", V::NotEligible, &["AGREEMENT_MISSING"], ""),
    ("C/0413", "JUST_FIBRE", "", V::Eligible, &[], ""),
    ("IMB/69383/C/0020", "JUST_FIBRE", "", V::Eligible, &[], ""),
    ("IMB/69383/C/0020", "FTTH_ACTIVE_BLOM_RIP", "", V::NotEligible, &["ZONE_NOT_SERVED"], ""),
];

/// The same once orders hold all eight fibres of the box in front of the house.
const HELD: &[Case] = &[
    ("X/0218", "JUST_FIBRE", "", V::NotEligible, &["FINT02"], ""),
    ("X/0218", "OPTIMUM_PM", "", V::Eligible, &[], ""),
    // Its own socket hangs from the same box.
    ("X/0302", "JUST_FIBRE", "", V::EligibleUnderConditions, &["FINT02"], ""),
];

#[tokio::test]
async fn golden_cases_get_their_verdicts() {
    let world = World::start().await;
    let first = world.client(&world.operator(SIRENS[0], &["eligibilite"]).await).await;
    let second = world.client(&world.operator(SIRENS[1], &["eligibilite"]).await).await;
    let mut codes = BTreeSet::new();
    for cases in [CASES, HELD] {
        for (building, offer, day, verdict, expected, from) in cases {
            let imb = if building.starts_with("IMB") {
                (*building).to_owned()
            } else {
                format!("IMB/77058/{building}")
            };
            let case = format!("{imb}, {offer}, {day:?}");
            let request = CheckEligibilityRequest {
                key: Some(Key::Imb(imb)),
                offer_codes: vec![(*offer).to_owned()],
                as_of_day: (*day).to_owned(),
            };
            let one = first.eligibility().check_eligibility(request.clone()).await.unwrap().into_inner();
            let two = second.eligibility().check_eligibility(request).await.unwrap().into_inner();
            assert_eq!(one, two, "{case}: the same for every operator");
            let answer = &one.answers[0];
            let found: Vec<&str> = answer.findings.iter().map(|f| f.code.as_str()).collect();
            let seen = (answer.verdict(), found.as_slice(), answer.eligible_from_day.as_str());
            assert_eq!(seen, (*verdict, *expected, *from), "{case}: {answer:?}");
            codes.extend(expected.iter().copied());
        }
        let held = (Box::from("FI-77058-000B"), Box::from("PT 002053"), 8);
        world.platform.network.follow(Overlay::new(1, [], [held]));
    }
    assert!(CASES.len() + HELD.len() >= 40);
    // Every code that a fibre offer can be refused with; OFFER_CLOSED has a test of the rules: no offer ends yet.
    let all = [
        "AGREEMENT_MISSING",
        "FIMP07",
        "FIMP09",
        "FIMP10",
        "FINT01",
        "FINT02",
        "OFFER_NOT_OPEN_YET",
        "RESOURCE_UNKNOWN",
        "STUDY_NEEDED",
        "ZONE_NOT_SERVED",
    ];
    assert_eq!(codes, all.into());
}
