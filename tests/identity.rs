//! `WhoAmI`: the answer is what the registry and the configuration say.

use eservices::{
    common::v1::Environment,
    identity::v1::{WhoAmIRequest, who_am_i_response::Caller},
};

use crate::harness::{SIRENS, World};

#[tokio::test]
async fn an_operator_sees_itself_and_the_chain_of_each_right() {
    let world = World::start().await;
    let identity =
        world.operator_with(SIRENS[0], &["eligibilite", "tao"], &["eligibilite", "e-rdv-grand-public"]).await;
    let answer =
        world.client(&identity).await.identity().who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    let Some(Caller::Operator(operator)) = answer.caller else { panic!("{:?}", answer.caller) };
    assert_eq!(operator.siren, "900000001");
    assert_eq!(operator.quadrigram, "T001");
    assert_eq!(answer.environment, i32::from(Environment::NonProduction));
    let certificate = answer.certificate.unwrap();
    assert_eq!(certificate.serial, identity.serial);
    let rights: Vec<_> = answer
        .rights
        .iter()
        .map(|r| (r.e_service.as_str(), r.subscribed, r.in_certificate, r.held))
        .collect();
    assert_eq!(
        rights,
        [
            ("e-rdv-grand-public", false, true, false),
            ("eligibilite", true, true, true),
            ("tao", true, false, false),
        ]
    );
    let clock = answer.business_clock.unwrap();
    assert_eq!(clock.business_time.unwrap().seconds, 1_795_510_800, "2026-11-24T09:00:00Z");
    assert!((clock.speed - 1.0).abs() < f64::EPSILON);
    assert_eq!(answer.limits.unwrap().max_request_bytes, 1_048_576);
    assert!(answer.reference_release.starts_with("20261101-"), "{}", answer.reference_release);
}

#[tokio::test]
async fn a_back_office_system_sees_its_roles() {
    let world = World::start().await;
    let identity = world.workforce().await;
    let answer =
        world.client(&identity).await.identity().who_am_i(WhoAmIRequest {}).await.unwrap().into_inner();
    let Some(Caller::System(system)) = answer.caller else { panic!("{:?}", answer.caller) };
    assert_eq!((system.code.as_str(), system.roles), ("workforce", vec!["workforce".to_owned()]));
    assert!(answer.rights.is_empty());
}
