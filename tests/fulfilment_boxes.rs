//! Boxes that go astray: lost on their way or on the way back, sent for an order that ended meanwhile; an access that cannot
//! be switched on; a visit that learns what changed.

use eservices::{
    appointments::v1 as ap,
    fulfilment::v1::{self as pb, Capability, WorkState},
    orders::v1::{self as orders, OrderState as State},
};
use eservices_client::{Client, new_request_id};
use eservices_server::platform::{config::Environment, registry::Holder};

use crate::harness::{
    ALL, SIRENS, World, database,
    field::{
        Field, absent, completed, disconnected, failed, handle, installed, lease, lost, not_activated,
        not_shipped, report_request, returned, say, shipped, started,
    },
    hold,
    orders::{cancelled, create, exchange, get, kinds, new_order, place, terminate},
    reason, refusal, slot_id,
};

const PTO: &str = "FI-0A1B-2C3D";

async fn world(boxes: usize) -> (World, Field, Client) {
    let world = World::start().await;
    let field = Field::set(&world, 5, boxes).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    (world, field, alpha)
}

async fn boxes(world: &World) -> Vec<String> {
    let text = "SELECT serial || ' ' || state FROM orders_boxes ORDER BY serial";
    database::texts(&world.platform.db, text).await
}

async fn events(world: &World) -> Vec<String> {
    let text =
        "SELECT kind FROM events WHERE party_id = 'o-900000001' AND kind LIKE 'orders.%' ORDER BY revision";
    database::texts(&world.platform.db, text).await
}

async fn none_open(world: &World) {
    let open = "SELECT COUNT(*) FROM orders_work WHERE state IN ('open', 'leased')";
    assert_eq!(database::number(&world.platform.db, open).await, 0);
}

#[tokio::test]
async fn another_box_is_sent_for_one_that_never_arrived() {
    let (world, field, alpha) = world(2).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let visit = field.lease(Capability::Installation).await;
    assert_eq!(visit.details.clone().unwrap().box_serial, "", "no box has left");
    let error = refusal(say(&field.workforce, &visit, lost("BX-0001")).await);
    assert_eq!((error.reason_name(), error.metadata("expected_serial")), (Some("BOX_UNEXPECTED"), Some("")));
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    assert_eq!(field.kept(&visit).await.details.unwrap().box_serial, "BX-0001", "the worker learns of it");
    let error = refusal(say(&field.workforce, &visit, lost("BX-0002")).await);
    assert_eq!(error.metadata("expected_serial"), Some("BX-0001"));
    assert_eq!(boxes(&world).await, ["BX-0001 shipped", "BX-0002 in_stock"]);

    let answer = say(&field.workforce, &visit, lost("BX-0001")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Leased, State::InProgress));
    assert_eq!(boxes(&world).await, ["BX-0001 lost", "BX-0002 in_stock"]);
    let found = get(&alpha, &order.number).await.order.unwrap();
    assert_eq!((found.box_serial.as_str(), found.parcel_number.as_str()), ("", ""));
    // The visit goes on; the access is on once the other box has left.
    say(&field.workforce, &visit, started()).await.unwrap();
    say(&field.workforce, &visit, installed(PTO)).await.unwrap();
    assert_eq!(lease(&field.workforce, Capability::Activation, 1).await.unwrap(), []);
    let parcel = field.lease(Capability::Shipping).await;
    assert_eq!(reason(say(&field.logistics, &parcel, shipped("BX-0001")).await), "BOX_NOT_IN_STOCK");
    say(&field.logistics, &parcel, shipped("BX-0002")).await.unwrap();
    // Lost again, and seen when the access is to be switched on.
    field.stock(3).await;
    let activation = field.lease(Capability::Activation).await;
    assert_eq!(activation.details.clone().unwrap().box_serial, "BX-0002");
    let answer = say(&field.workforce, &activation, lost("BX-0002")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Installed));
    field.does(Capability::Shipping, shipped("BX-0003")).await;
    let answer = field.does(Capability::Activation, completed()).await;
    assert_eq!(answer.order_state(), State::Completed);
    assert_eq!(get(&alpha, &order.number).await.order.unwrap().box_serial, "BX-0003");
    assert_eq!(
        kinds(&alpha, &order.number).await,
        "ACCEPTED BOX_SHIPPED BOX_LOST CONSTRUCTION INTERVENTION_OK BOX_SHIPPED BOX_LOST BOX_SHIPPED COMPLETED"
    );
    assert_eq!(events(&world).await.iter().filter(|kind| *kind == "orders.box_lost").count(), 2);
    let access = "SELECT state || ' ' || box_serial FROM orders_accesses";
    assert_eq!(database::texts(&world.platform.db, access).await, ["active BX-0003"]);
    none_open(&world).await;
}

#[tokio::test]
async fn what_awaited_a_box_ends_without_it() {
    let (world, field, alpha) = world(3).await;
    let creation = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.deliver("BX-0001", PTO).await;
    let change = exchange(&alpha, &creation.aid, "ALPHA-2").await.unwrap();
    field.does(Capability::Shipping, shipped("BX-0003")).await;
    // The new one never arrives: it is sent anew, and the old one is not awaited meanwhile.
    let item = field.lease(Capability::Returns).await;
    assert_eq!(reason(say(&field.logistics, &item, lost("BX-0002")).await), "BOX_UNEXPECTED");
    assert_eq!(reason(say(&field.logistics, &item, returned("BX-0003")).await), "BOX_UNEXPECTED");
    let answer = say(&field.logistics, &item, lost("BX-0003")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::InProgress));
    assert_eq!(get(&alpha, &change.number).await.order.unwrap().box_serial, "");
    assert_eq!(lease(&field.logistics, Capability::Returns, 1).await.unwrap(), []);
    field.does(Capability::Shipping, shipped("BX-0002")).await;
    let item = field.lease(Capability::Returns).await;
    let answer = say(&field.logistics, &item, lost("BX-0001")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Completed));
    assert_eq!(
        kinds(&alpha, &change.number).await,
        "ACCEPTED BOX_SHIPPED BOX_LOST BOX_SHIPPED BOX_NOT_RETURNED"
    );
    let access = "SELECT state || ' ' || box_serial FROM orders_accesses";
    assert_eq!(database::texts(&world.platform.db, access).await, ["active BX-0002"]);

    let end = terminate(&alpha, &creation.aid, "ALPHA-3").await.unwrap();
    field.does(Capability::Disconnection, disconnected()).await;
    let answer = field.does(Capability::Returns, lost("BX-0002")).await;
    assert_eq!(answer.order_state(), State::Completed);
    assert_eq!(kinds(&alpha, &end.number).await, "ACCEPTED DISCONNECTED BOX_NOT_RETURNED");
    assert_eq!(boxes(&world).await, ["BX-0001 lost", "BX-0002 lost", "BX-0003 lost"]);
    none_open(&world).await;
}

#[tokio::test]
async fn a_failed_order_gives_its_box_up() {
    let (world, field, alpha) = world(1).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    field.does(Capability::Installation, failed("FINT04")).await;
    let item = field.lease(Capability::Returns).await;
    let request =
        pb::ReportWorkRequest { comment: "Moved away.".into(), ..report_request(&item, lost("BX-0001")) };
    let answer = field.logistics.work().report_work(request).await.unwrap().into_inner();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Failed));
    assert_eq!(
        kinds(&alpha, &order.number).await,
        "ACCEPTED BOX_SHIPPED INTERVENTION_FAILED BOX_NOT_RETURNED"
    );
    assert_eq!(get(&alpha, &order.number).await.history.last().unwrap().comment, "Moved away.");
    assert_eq!(events(&world).await.last().unwrap(), "orders.box_not_returned");
    assert_eq!(boxes(&world).await, ["BX-0001 lost"]);
    none_open(&world).await;
}

/// What the order had is free again: socket, address; the line is dark, and the box asked back.
#[tokio::test]
async fn an_access_that_cannot_be_switched_on_fails_its_order() {
    let (world, field, alpha) = world(1).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    let visit = field.lease(Capability::Installation).await;
    assert_eq!(reason(say(&field.workforce, &visit, not_activated("FINT10")).await), "WORK_REPORT_UNFIT");
    say(&field.workforce, &visit, started()).await.unwrap();
    say(&field.workforce, &visit, installed(PTO)).await.unwrap();
    let answer = field.does(Capability::Activation, not_activated("FINT10")).await;
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Failed));
    let read = get(&alpha, &order.number).await;
    assert_eq!(read.order.unwrap().failure_code, "FINT10");
    let last = read.history.last().unwrap();
    assert_eq!((last.kind.as_str(), last.code.as_str()), ("ACTIVATION_FAILED", "FINT10"));
    assert_eq!(events(&world).await.last().unwrap(), "orders.activation_failed");
    let db = &world.platform.db;
    assert_eq!(database::texts(db, "SELECT state FROM orders_accesses").await, ["terminated"]);
    assert_eq!(
        database::texts(db, "SELECT pto || ' ' || state FROM network_lines").await,
        [format!("{PTO} INACTIVE")]
    );
    assert_eq!(database::number(db, "SELECT COUNT(*) FROM orders_sockets").await, 0);
    let addresses = "SELECT COUNT(*) FROM orders_addresses WHERE released_at IS NULL";
    assert_eq!(database::number(db, addresses).await, 0);
    field.does(Capability::Returns, returned("BX-0001")).await;
    none_open(&world).await;
    // The socket is there for the next one, whether or not the node has looked by itself.
    let held = ap::HoldAppointmentRequest { request_id: new_request_id(), ..short_hold() };
    let held = alpha.appointments().hold_appointment(held).await.unwrap().into_inner().appointment.unwrap();
    let again = orders::NewOrder { pto: PTO.into(), ..new_order("ALPHA-2", &held.reference) };
    create(&alpha, again).await.unwrap();
}

fn short_hold() -> ap::HoldAppointmentRequest {
    let mut request = crate::harness::hold_request(&slot_id(9, "08:00"));
    if let Some(intervention) = &mut request.intervention {
        intervention.set_appointment_type(eservices::common::v1::AppointmentType::Short);
    }
    request
}

/// The parcel is gone when its order ends: the box is asked back, and belongs to nobody else.
#[tokio::test]
async fn a_parcel_handed_over_while_its_order_ended_comes_back() {
    let (world, field, alpha) = world(3).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let lapsed = field.lease(Capability::Shipping).await;
    world.machine_on(301).await;
    let parcel = field.lease(Capability::Shipping).await;
    let number = cancelled(&alpha, order).await.number;
    none_open(&world).await;
    // The word of who had it before, or of somebody else, counts no more than ever.
    assert_eq!(reason(say(&field.logistics, &lapsed, shipped("BX-0001")).await), "WORK_LEASE_LOST");
    let other = world.client(&world.system("carrier", &["logistics"]).await).await;
    assert_eq!(reason(say(&other, &parcel, shipped("BX-0001")).await), "WORK_LEASE_LOST");
    assert_eq!(reason(say(&field.logistics, &parcel, shipped("BX-0009")).await), "BOX_UNKNOWN");
    let request = report_request(&parcel, shipped("BX-0001"));
    let answer = field.logistics.work().report_work(request.clone()).await.unwrap().into_inner();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Failed));
    let again = field.logistics.work().report_work(request).await.unwrap().into_inner();
    assert_eq!(again, answer, "the same request again is the same report");
    assert_eq!(reason(say(&field.logistics, &parcel, shipped("BX-0002")).await), "WORK_LEASE_LOST");
    assert_eq!(kinds(&alpha, &number).await, "ACCEPTED CANCELLED BOX_SHIPPED");
    let found = get(&alpha, &number).await.order.unwrap();
    assert_eq!((found.box_serial.as_str(), found.parcel_number.as_str()), ("BX-0001", "XW161155304JB"));
    let item = field.lease(Capability::Returns).await;
    assert_eq!(item.details.clone().unwrap().box_serial, "BX-0001");
    say(&field.logistics, &item, returned("BX-0001")).await.unwrap();
    assert_eq!(boxes(&world).await, ["BX-0001 returned", "BX-0002 in_stock", "BX-0003 in_stock"]);
    none_open(&world).await;
}

/// The same with an exchange: the box of the access is another one, and goes its own way.
#[tokio::test]
async fn a_box_sent_for_an_exchange_that_ended_is_not_that_of_the_access() {
    let (world, field, alpha) = world(2).await;
    let creation = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.deliver("BX-0002", PTO).await;
    let change = exchange(&alpha, &creation.aid, "ALPHA-2").await.unwrap();
    let parcel = field.lease(Capability::Shipping).await;
    cancelled(&alpha, change).await;
    say(&field.logistics, &parcel, shipped("BX-0001")).await.unwrap();
    terminate(&alpha, &creation.aid, "ALPHA-3").await.unwrap();
    field.does(Capability::Disconnection, disconnected()).await;
    let mut serials = Vec::new();
    for item in lease(&field.logistics, Capability::Returns, 20).await.unwrap() {
        let details = item.details.clone().unwrap();
        let asked =
            details.customer_texts.iter().find(|t| t.kind() == pb::CustomerTextKind::BoxAwaited).unwrap();
        let latest = asked.text.contains("la box que vous venez de recevoir");
        assert_eq!(latest, details.box_serial == "BX-0001", "the one that works stays: {}", asked.text);
        let state = say(&field.logistics, &item, returned(&details.box_serial)).await.unwrap().order_state();
        let kind = details.order_type();
        serials.push((details.box_serial, kind, state));
    }
    serials.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        serials,
        [
            ("BX-0001".to_owned(), orders::OrderType::BoxExchange, State::Failed),
            ("BX-0002".to_owned(), orders::OrderType::Termination, State::Completed)
        ]
    );
    none_open(&world).await;
}

/// Days that are over count for the parcel too, whether or not the sweeper came by.
#[tokio::test]
async fn a_parcel_of_an_order_whose_days_are_over_comes_back() {
    let (world, field, alpha) = world(1).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.does(Capability::Installation, absent()).await;
    let parcel = field.lease(Capability::Shipping).await;
    let late = "UPDATE orders SET retake_until = '2026-11-23' WHERE retake_until <> ''";
    assert_eq!(database::execute(&world.platform.db, late).await, 1);
    let answer = say(&field.logistics, &parcel, shipped("BX-0001")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Failed));
    assert_eq!(kinds(&alpha, &order.number).await, "ACCEPTED CUSTOMER_ABSENT EXPIRED BOX_SHIPPED");
    field.does(Capability::Returns, returned("BX-0001")).await;
    none_open(&world).await;
}

/// Nothing can be sent, after the visit too: what the order had is free again.
#[tokio::test]
async fn an_order_whose_box_cannot_be_sent_fails() {
    let (world, field, alpha) = world(1).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    let visit = field.lease(Capability::Installation).await;
    say(&field.workforce, &visit, started()).await.unwrap();
    assert_eq!(
        say(&field.workforce, &visit, lost("BX-0001")).await.unwrap().order_state(),
        State::UnderConstruction
    );
    say(&field.workforce, &visit, installed(PTO)).await.unwrap();
    let parcel = field.lease(Capability::Shipping).await;
    let answer = say(&field.logistics, &parcel, not_shipped("FCLI03")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Failed));
    assert_eq!(get(&alpha, &order.number).await.order.unwrap().failure_code, "FCLI03");
    assert_eq!(
        kinds(&alpha, &order.number).await,
        "ACCEPTED BOX_SHIPPED CONSTRUCTION BOX_LOST INTERVENTION_OK SHIPPING_FAILED"
    );
    assert_eq!(events(&world).await.last().unwrap(), "orders.shipping_failed");
    let db = &world.platform.db;
    assert_eq!(database::texts(db, "SELECT state FROM orders_accesses").await, ["terminated"]);
    assert_eq!(
        database::texts(db, "SELECT pto || ' ' || state FROM network_lines").await,
        [format!("{PTO} INACTIVE")]
    );
    assert_eq!(database::number(db, "SELECT COUNT(*) FROM orders_sockets").await, 0);
    // The visit was made: its appointment is not given back.
    assert_eq!(database::texts(db, "SELECT state FROM appointments").await, ["confirmed"]);
    none_open(&world).await;
}

#[tokio::test]
async fn before_the_visit_its_place_and_fibre_are_free_again() {
    let (world, field, alpha) = world(1).await;
    place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let answer = field.does(Capability::Shipping, not_shipped("FADR01")).await;
    assert_eq!(answer.order_state(), State::Failed);
    let db = &world.platform.db;
    assert_eq!(database::texts(db, "SELECT state FROM appointments").await, ["cancelled"]);
    assert_eq!(database::number(db, "SELECT CAST(SUM(held) AS BIGINT) FROM network_fibres").await, 0);
    assert_eq!(database::number(db, "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots").await, 0);
    none_open(&world).await;
}

#[tokio::test]
async fn an_exchange_that_cannot_be_sent_leaves_the_access_its_box() {
    let (world, field, alpha) = world(1).await;
    let creation = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.deliver("BX-0001", PTO).await;
    exchange(&alpha, &creation.aid, "ALPHA-2").await.unwrap();
    let answer = field.does(Capability::Shipping, not_shipped("FCLI03")).await;
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Failed));
    let access = "SELECT state || ' ' || box_serial FROM orders_accesses";
    assert_eq!(database::texts(&world.platform.db, access).await, ["active BX-0001"]);
    none_open(&world).await;
    exchange(&alpha, &creation.aid, "ALPHA-3").await.unwrap();
}

#[tokio::test]
async fn a_worker_learns_that_its_visit_was_moved() {
    let (world, field, alpha) = world(1).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    create(&alpha, new_order("ALPHA-1", &held.reference)).await.unwrap();
    let visit = field.lease(Capability::Installation).await;
    let appointment = alpha
        .appointments()
        .get_appointment(ap::GetAppointmentRequest { reference: held.reference.clone() })
        .await
        .unwrap()
        .into_inner()
        .appointment
        .unwrap();
    let request = ap::RescheduleAppointmentRequest {
        request_id: new_request_id(),
        reference: held.reference,
        etag: appointment.etag,
        slot_id: slot_id(9, "13:00"),
    };
    alpha.appointments().reschedule_appointment(request).await.unwrap();
    let kept = field.kept(&visit).await;
    assert_eq!(kept.details.unwrap().slot.unwrap().slot_id, slot_id(9, "13:00"));
    // The answer again, once the lease is over: who lives there is not for it any more.
    let request = pb::ExtendLeaseRequest { request_id: new_request_id(), leases: vec![handle(&visit)] };
    let first = field.workforce.work().extend_lease(request.clone()).await.unwrap().into_inner();
    assert!(first.items[0].details.as_ref().unwrap().contact.is_some());
    world.machine_on(301).await;
    let again = field.workforce.work().extend_lease(request).await.unwrap().into_inner();
    assert_eq!((again.lease_end_time, again.items[0].details.is_none()), (first.lease_end_time, true));
}

/// A stored answer shows nothing that the certificate does not open: the same request again, by another certificate.
#[tokio::test]
async fn a_repeated_answer_shows_what_the_certificate_opens() {
    let (world, _field, alpha) = world(1).await;
    place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let both = world.client(&world.system("dispatch", &["workforce", "logistics"]).await).await;
    let visit = lease(&both, Capability::Installation, 1).await.unwrap().remove(0);
    let request = pb::ExtendLeaseRequest { request_id: new_request_id(), leases: vec![handle(&visit)] };
    let first = both.work().extend_lease(request.clone()).await.unwrap().into_inner();
    assert_eq!(first.items[0].details.clone().unwrap().contact.unwrap().last_name, "Martin");
    let holder = Holder::system("dispatch").unwrap();
    let narrow = world.certificate(&holder, &["logistics"], Environment::NonProduction).await;
    let narrow = world.client(&narrow).await;
    let again = narrow.work().extend_lease(request).await.unwrap().into_inner();
    assert_eq!(again.items[0].fencing_token, visit.fencing_token, "it is the stored answer");
    assert_eq!(again.items[0].details, None);
}
