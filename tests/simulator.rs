//! Every scenario of the simulator, played against a server by its own player: what the operator is told, by hand.

use eservices::{
    orders::v1::{self as orders, OrderState as State},
    sandbox::v1::{AdvanceClockRequest, advance_clock_request::Target},
};
use eservices_client::{Client, new_request_id};
use eservices_server::commands::simulate::Player;

use crate::harness::{
    ALL, SIRENS, World, hold,
    orders::{create, get, kinds, new_order},
    slot_id,
};

/// A world with an operator and a player, and an order that names the scenario.
async fn ordered(scenario: &str) -> (World, Client, Player, orders::Order) {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let roles = ["workforce", "logistics"];
    let player = Player::new(world.client(&world.system("simulator", &roles).await).await, "simulator");
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    let wanted = orders::NewOrder { scenario: scenario.into(), ..new_order("ALPHA-1", &held.reference) };
    let order = create(&alpha, wanted).await.unwrap();
    (world, alpha, player, order)
}

/// Plays until nothing is left to play now.
async fn play(player: &mut Player) {
    while player.round().await.unwrap() > 0 {}
}

/// Business time at the beginning of a slot.
async fn on_the_day(alpha: &Client, day: &str) {
    let at: jiff::Timestamp = format!("{day}T07:00:00Z").parse().unwrap();
    let target = Target::To(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 });
    let request = AdvanceClockRequest { request_id: new_request_id(), target: Some(target) };
    alpha.sandbox().advance_clock(request).await.unwrap();
}

/// How an order that names a scenario ends on the day of its visit: state, code, and all that happened.
async fn played(scenario: &str) -> (State, String, String) {
    let (_world, alpha, mut player, order) = ordered(scenario).await;
    play(&mut player).await;
    assert_eq!(kinds(&alpha, &order.number).await, "ACCEPTED BOX_SHIPPED", "no visit before its slot");
    // Eight days from 24 November, eight o'clock in Paris.
    on_the_day(&alpha, "2026-12-02").await;
    play(&mut player).await;
    let found = get(&alpha, &order.number).await.order.unwrap();
    (found.state(), found.failure_code, kinds(&alpha, &order.number).await)
}

fn ends(state: State, code: &str, kinds: &str) -> (State, String, String) {
    (state, code.to_owned(), kinds.to_owned())
}

#[tokio::test]
async fn all_goes_well() {
    let kinds = "ACCEPTED BOX_SHIPPED CONSTRUCTION INTERVENTION_OK COMPLETED";
    assert_eq!(played("NOMINAL").await, ends(State::Completed, "", kinds));
    assert_eq!(played("").await, ends(State::Completed, "", kinds));
}

#[tokio::test]
async fn the_building_is_not_found() {
    let kinds = "ACCEPTED BOX_SHIPPED INTERVENTION_FAILED BOX_RETURNED";
    assert_eq!(played("BUILDING_NOT_FOUND").await, ends(State::Failed, "FADR01", kinds));
}

#[tokio::test]
async fn the_optical_budget_is_too_low() {
    let kinds = "ACCEPTED BOX_SHIPPED CONSTRUCTION INTERVENTION_FAILED BOX_RETURNED";
    assert_eq!(played("OPTICAL_BUDGET_TOO_LOW").await, ends(State::Failed, "FINT05", kinds));
}

#[tokio::test]
async fn the_box_is_lost() {
    let kinds = "ACCEPTED BOX_SHIPPED BOX_LOST CONSTRUCTION BOX_SHIPPED INTERVENTION_OK COMPLETED";
    assert_eq!(played("BOX_LOST").await, ends(State::Completed, "", kinds));
}

/// An integrator must not keep the first one.
#[tokio::test]
async fn the_second_parcel_has_another_number() {
    let (_world, alpha, mut player, order) = ordered("BOX_LOST").await;
    play(&mut player).await;
    on_the_day(&alpha, "2026-12-02").await;
    play(&mut player).await;
    let read = get(&alpha, &order.number).await;
    let facts = read.history.iter().filter(|e| e.kind == "BOX_SHIPPED").flat_map(|e| &e.facts);
    let parcels: Vec<_> = facts.filter(|f| f.name == "parcel_number").map(|f| f.value.clone()).collect();
    assert!(parcels.len() == 2 && parcels[0] != parcels[1], "{parcels:?}");
    assert_eq!(read.order.unwrap().parcel_number, parcels[1]);
}

#[tokio::test]
async fn the_customer_is_absent_once() {
    let (_world, alpha, mut player, order) = ordered("CUSTOMER_ABSENT").await;
    on_the_day(&alpha, "2026-12-02").await;
    play(&mut player).await;
    let found = get(&alpha, &order.number).await.order.unwrap();
    assert_eq!((found.state(), found.failure_code.as_str()), (State::AppointmentToRetake, "FCLI07"));
    let new = hold(&alpha, "ZMLV-20261211-0800").await;
    let request = orders::RetakeAppointmentRequest {
        request_id: new_request_id(),
        number: order.number.clone(),
        etag: found.etag,
        appointment_reference: new.reference,
    };
    alpha.orders().retake_appointment(request).await.unwrap();
    play(&mut player).await;
    assert_eq!(get(&alpha, &order.number).await.order.unwrap().state(), State::InProgress);
    on_the_day(&alpha, "2026-12-11").await;
    play(&mut player).await;
    assert_eq!(
        kinds(&alpha, &order.number).await.split_once(' ').unwrap().1.replace("BOX_SHIPPED ", ""),
        "CUSTOMER_ABSENT APPOINTMENT_RETAKEN CONSTRUCTION INTERVENTION_OK COMPLETED"
    );
}

/// The lease of the worker that vanished must end first, by machine time; the next one goes on where the order stands.
#[tokio::test]
async fn a_worker_is_lost() {
    let (world, alpha, mut player, order) = ordered("WORKER_LOST").await;
    play(&mut player).await;
    on_the_day(&alpha, "2026-12-02").await;
    play(&mut player).await;
    let found = get(&alpha, &order.number).await.order.unwrap();
    assert_eq!(found.state(), State::UnderConstruction);
    play(&mut player).await;
    assert_eq!(get(&alpha, &order.number).await.order.unwrap().state(), State::UnderConstruction);
    world.machine_on(301).await;
    play(&mut player).await;
    let done = kinds(&alpha, &order.number).await;
    assert_eq!(done, "ACCEPTED BOX_SHIPPED CONSTRUCTION INTERVENTION_OK COMPLETED");
}
