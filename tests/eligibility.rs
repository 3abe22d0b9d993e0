//! Eligibility at the demo buildings; expected values read off the files and the slides by hand.

use eservices::{
    common::v1::AppointmentType,
    eligibility::v1::{
        CheckEligibilityRequest, CheckEligibilityResponse, Verdict, check_eligibility_request::Key,
    },
};
use eservices_client::Client;

use crate::harness::{SIRENS, World, reason, refusal};

async fn world() -> (World, Client) {
    let world = World::start().await;
    let identity = world.operator(SIRENS[0], &["eligibilite"]).await;
    let client = world.client(&identity).await;
    (world, client)
}

async fn ask(client: &Client, key: Key, offers: &[&str]) -> Result<CheckEligibilityResponse, tonic::Status> {
    let request = CheckEligibilityRequest {
        key: Some(key),
        offer_codes: offers.iter().map(|o| (*o).to_owned()).collect(),
        as_of_day: String::new(),
    };
    client.eligibility().check_eligibility(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn every_demo_case_gets_its_verdict() {
    let (_world, client) = world().await;
    use AppointmentType as T;
    use Verdict as V;
    // (building, verdict for Just Fibre, codes of the findings, type of visit, first day)
    let cases: &[(&str, V, &[&str], T, &str)] = &[
        ("IMB/77058/X/0218", V::Eligible, &[], T::House, ""),
        ("IMB/77058/X/0302", V::Eligible, &[], T::Short, ""),
        ("IMB/77058/C/0301", V::EligibleUnderConditions, &["FINT01"], T::Building, ""),
        ("IMB/77058/X/0401", V::NotEligible, &["FIMP10", "FIMP07"], T::Unspecified, ""),
        ("IMB/77058/X/0405", V::EligibleUnderConditions, &["FIMP10"], T::House, ""),
        ("IMB/77058/C/0406", V::NotEligible, &["FIMP10", "AGREEMENT_MISSING"], T::Unspecified, ""),
        ("IMB/77058/C/0407", V::EligibleFromDay, &["FIMP10"], T::Building, "2027-03-01"),
        ("IMB/77058/C/0408", V::EligibleFromDay, &["FIMP09"], T::Building, "2027-02-15"),
        ("IMB/77058/C/0409", V::NeedsStudy, &["RESOURCE_UNKNOWN"], T::Unspecified, ""),
        ("IMB/77058/C/0411", V::NeedsStudy, &["RESOURCE_UNKNOWN"], T::Unspecified, ""),
        ("IMB/77058/C/0412", V::NotEligible, &["AGREEMENT_MISSING"], T::Unspecified, ""),
        ("IMB/77058/C/0413", V::Eligible, &[], T::BuildingComplex, ""),
    ];
    for (imb, verdict, codes, visit, from) in cases {
        let answer = ask(&client, Key::Imb((*imb).into()), &["JUST_FIBRE"]).await.unwrap();
        let offer = &answer.answers[0];
        let found: Vec<_> = offer.findings.iter().map(|f| f.code.as_str()).collect();
        let seen =
            (offer.verdict(), found.as_slice(), offer.appointment_type(), offer.eligible_from_day.as_str());
        assert_eq!(seen, (*verdict, *codes, *visit, *from), "{imb}: {offer:?}");
        assert_eq!(answer.as_of_day, "2026-11-24");
        for finding in &offer.findings {
            assert!(
                !finding.rule_id.is_empty() && !finding.remedy.is_empty() && !finding.facts.is_empty(),
                "{finding:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_building_of_the_slide_reads_as_on_the_slide() {
    let (_world, client) = world().await;
    let answer = ask(&client, Key::Imb("IMB/77058/X/0218".into()), &[]).await.unwrap();
    let premises = answer.premises.unwrap();
    assert_eq!(premises.building_state, "DEPLOYE");
    assert_eq!((premises.commune_code.as_str(), premises.street_code.as_str()), ("77058", "0361"));
    assert_eq!(premises.street_address, "6 RUE ETIENNE GANNERON");
    assert_eq!((premises.postcode.as_str(), premises.commune.as_str()), ("77600", "BUSSY-ST-GEORGES"));
    assert_eq!(premises.pm, "FI-77058-000B");
    assert_eq!(
        (premises.order_open_day.as_str(), premises.delivery_open_day.as_str()),
        ("2019-03-06", "2019-03-06")
    );
    assert_eq!((premises.housing_count, premises.existing_line_count), (1, 0));
    assert_eq!(premises.pbos, ["PT 002053"]);
    assert!(premises.detached_house);
    assert_eq!(answer.answers.len(), 10, "every fibre offer of the catalogue");
}

#[tokio::test]
async fn a_socket_leads_to_its_building_and_a_short_visit() {
    let (_world, client) = world().await;
    let answer = ask(&client, Key::Pto("FI-1A00-0002".into()), &["JUST_FIBRE"]).await.unwrap();
    assert_eq!(answer.premises.unwrap().imb, "IMB/75109/C/2182");
    assert_eq!(answer.answers[0].appointment_type(), AppointmentType::Short);
    assert_eq!(answer.answers[0].verdict(), Verdict::Eligible);
}

#[tokio::test]
async fn an_offer_is_not_open_before_its_day() {
    let (_world, client) = world().await;
    let request = CheckEligibilityRequest {
        key: Some(Key::Imb("IMB/77058/X/0218".into())),
        offer_codes: vec!["JUST_FIBRE".into()],
        as_of_day: "2019-12-31".into(),
    };
    let answer = client.eligibility().check_eligibility(request).await.unwrap().into_inner();
    assert_eq!(answer.answers[0].verdict(), Verdict::EligibleFromDay);
    assert_eq!(answer.answers[0].eligible_from_day, "2020-01-01");
    assert_eq!(answer.answers[0].findings[0].code, "OFFER_NOT_OPEN_YET");
}

#[tokio::test]
async fn bad_questions_list_every_field_and_unknown_keys_are_not_found() {
    let (_world, client) = world().await;
    let request = CheckEligibilityRequest {
        key: Some(Key::Imb("IMB/7705/X/0218".into())),
        offer_codes: vec!["JUST_FIBRE".into(), "NO_SUCH".into(), "JUST_FIBRE".into()],
        as_of_day: "2026-13-01".into(),
    };
    let error = refusal(client.eligibility().check_eligibility(request).await);
    let fields: Vec<_> = error.field_violations().into_iter().map(|v| v.field).collect();
    assert_eq!(fields, ["imb", "offer_codes[1]", "offer_codes[2]", "as_of_day"]);
    assert_eq!(
        reason(client.eligibility().check_eligibility(CheckEligibilityRequest::default()).await),
        "FIELDS_INVALID"
    );
    assert_eq!(reason(ask(&client, Key::Imb("IMB/77058/X/ZZZZ".into()), &[]).await), "RESOURCE_NOT_FOUND");
    assert_eq!(reason(ask(&client, Key::Pto("FI-ZZZZ-ZZZZ".into()), &[]).await), "RESOURCE_NOT_FOUND");
}

/// An announced day is kept: on that day the answer is never stricter than what was announced.
#[tokio::test]
async fn the_day_that_was_announced_is_kept() {
    let (world, client) = world().await;
    let mut announced = 0;
    for building in world.platform.network.load().reference.buildings() {
        let imb = building.imb.to_string();
        let today = ask(&client, Key::Imb(imb.clone()), &["JUST_FIBRE"]).await.unwrap();
        if today.answers[0].verdict() != Verdict::EligibleFromDay {
            continue;
        }
        announced += 1;
        let request = CheckEligibilityRequest {
            key: Some(Key::Imb(imb.clone())),
            offer_codes: vec!["JUST_FIBRE".into()],
            as_of_day: today.answers[0].eligible_from_day.clone(),
        };
        let then = client.eligibility().check_eligibility(request).await.unwrap().into_inner();
        let kept = [Verdict::Eligible, Verdict::EligibleUnderConditions];
        assert!(kept.contains(&then.answers[0].verdict()), "{imb}: {:?}", then.answers[0]);
    }
    // At least the two demo cases of rules: orders from 2027-03-01, sharing point in service on 2027-02-15.
    assert!(announced >= 2, "{announced}");
}

/// Business today is 2026-11-24.
#[tokio::test]
async fn a_question_is_for_a_day_of_the_market() {
    let (_world, client) = world().await;
    let on = |day: &str| CheckEligibilityRequest {
        key: Some(Key::Imb("IMB/77058/X/0218".into())),
        offer_codes: vec!["JUST_FIBRE".into()],
        as_of_day: day.into(),
    };
    for day in ["2000-01-01", "2036-11-24"] {
        let answer = client.eligibility().check_eligibility(on(day)).await.unwrap().into_inner();
        assert_eq!(answer.as_of_day, day);
    }
    for day in ["1999-12-31", "2036-11-25", "0000-01-01", "9999-12-31"] {
        let error = refusal(client.eligibility().check_eligibility(on(day)).await);
        let found: Vec<_> = error.field_violations().into_iter().map(|v| (v.field, v.description)).collect();
        let expected = ("as_of_day".to_owned(), "expected a day from 2000-01-01 to 2036-11-24".to_owned());
        assert_eq!(found, [expected], "{day}");
    }
}
