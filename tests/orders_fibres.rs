//! Fibres that come and go elsewhere: an order is not refused for what this node has not looked at yet.

use eservices::orders::v1 as pb;
use eservices_client::Client;
use eservices_server::platform::network::store::look;

use crate::harness::{
    ALL, SIRENS, World, database, hold,
    orders::{create, new_order},
    reason, slot_id,
};

/// What another node does to the box of the house.
async fn elsewhere(world: &World, held: &'static str) {
    let db = &world.platform.db;
    database::execute(db, held).await;
    database::execute(db, "UPDATE network SET revision = revision + 1 WHERE id = 1").await;
}

const TAKEN: &str = "INSERT INTO network_fibres (pm, pbo, held) VALUES ('FI-77058-000B', 'PT 002053', 1000) \
                     ON CONFLICT (pm, pbo) DO UPDATE SET held = 1000";
const GIVEN_BACK: &str = "UPDATE network_fibres SET held = 0";

async fn findings(client: &Client, order: pb::NewOrder) -> Vec<String> {
    let request = pb::ValidateOrderRequest { order: Some(order) };
    let answer = client.orders().validate_order(request).await.unwrap().into_inner();
    answer.findings.into_iter().map(|finding| finding.code).collect()
}

#[tokio::test]
async fn a_fibre_that_was_given_back_elsewhere_can_be_ordered_at_once() {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    let wanted = |reference: &str| new_order(reference, &held.reference);

    elsewhere(&world, TAKEN).await;
    look(&world.platform).await.unwrap();
    assert_eq!(findings(&alpha, wanted("ALPHA-1")).await, ["FINT02"]);
    assert_eq!(reason(create(&alpha, wanted("ALPHA-1")).await), "FINT02");
    elsewhere(&world, GIVEN_BACK).await;
    assert_eq!(findings(&alpha, wanted("ALPHA-1")).await, [""; 0], "a check looks again");

    elsewhere(&world, TAKEN).await;
    look(&world.platform).await.unwrap();
    elsewhere(&world, GIVEN_BACK).await;
    // Whoever else is refused looks too: both find what one of them read.
    let (first, check) = tokio::join!(
        create(&alpha, wanted("ALPHA-1")),
        findings(&alpha, new_order("ALPHA-2", &held.reference)),
    );
    first.unwrap();
    assert!(!check.contains(&"FINT02".to_owned()), "{check:?}");
}
