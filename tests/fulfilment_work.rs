//! Work of orders end to end: leases, fencing, milestones; every way that an order can go.

use std::{collections::BTreeSet, sync::Arc};

use eservices::{
    fulfilment::v1::{self as pb, Capability, WorkState, report_work_request::Report},
    orders::v1::{self as orders, OrderState as State},
    sandbox::v1::{AdvanceClockRequest, advance_clock_request::Target},
};
use eservices_client::{Client, new_request_id};
use eservices_server::platform::registry::{self, Brand, Holder, NewOperator};
use tokio::sync::Barrier;
use tonic::Code;

use crate::harness::{
    ALL, SIRENS, World, database,
    field::{
        Field, absent, completed, disconnected, failed, handle, installed, lease, lease_request, lost,
        not_activated, not_shipped, report_request, returned, say, shipped, started,
    },
    hold,
    orders::{exchange, exchange_request, get, kinds, place, terminate},
    reason, refusal, slot_id,
};

const PTO: &str = "FI-0A1B-2C3D";

/// How long a lease is, seconds: the configuration's default.
const LEASE: i64 = 300;

async fn state(client: &Client, number: &str) -> State {
    get(client, number).await.order.unwrap().state()
}

/// Every piece of work: kind, state and token.
async fn work(world: &World) -> Vec<String> {
    let text = "SELECT capability || ' ' || state || ' ' || CAST(token AS TEXT) FROM orders_work ORDER BY capability, token";
    database::texts(&world.platform.db, text).await
}

/// An operator whose brand is not its name.
async fn branded(world: &World) -> Client {
    let request_id = new_request_id();
    let new = NewOperator {
        siren: SIRENS[0].into(),
        display_name: "Grande Société SA".into(),
        quadrigram: "GRSO".into(),
        brand: Brand { name: "Alpha Box".into(), phone: "0199000100".into(), sender: "AlphaBox".into() },
        quota_tier: "standard".into(),
    };
    registry::create_operator(&world.platform.db, world.by(&request_id), &new).await.unwrap();
    world.client(&world.party(&Holder::operator(SIRENS[0]).unwrap(), ALL, ALL).await).await
}

#[tokio::test]
async fn an_order_is_delivered() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = branded(&world).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    assert_eq!(work(&world).await, ["installation open 0", "shipping open 0"]);

    let parcel = field.lease(Capability::Shipping).await;
    assert_eq!(parcel.work_id, format!("{}-S1", order.number));
    let known = parcel.details.clone().unwrap();
    assert_eq!(known.order_number, order.number);
    let brand = known.brand.clone().unwrap();
    assert_eq!(
        [brand.name.as_str(), brand.phone.as_str(), brand.sender.as_str()],
        ["Alpha Box", "0199000100", "AlphaBox"]
    );
    assert!(!format!("{parcel:?}").contains("Grande Société"), "the end customer knows the brand alone");
    assert_eq!(known.contact.unwrap().last_name, "Martin");
    assert_eq!(known.delivery_address.unwrap().street, "RUE ETIENNE GANNERON");
    assert!(known.slot.is_none(), "who sends a box needs no appointment");
    let answer = say(&field.logistics, &parcel, shipped("BX-0001")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::InProgress));

    let visit = field.lease(Capability::Installation).await;
    let known = visit.details.clone().unwrap();
    assert_eq!(known.slot.unwrap().slot_id, slot_id(8, "08:00"));
    assert_eq!((known.imb.as_str(), known.pm.as_str()), ("IMB/77058/X/0218", "FI-77058-000B"));
    assert_eq!((known.pbo.as_str(), known.pto.as_str()), ("PT 002053", ""));
    assert_eq!(known.contact.unwrap().phone, "0199000001");
    assert!(known.delivery_address.is_none());
    let answer = say(&field.workforce, &visit, started()).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Leased, State::UnderConstruction));
    let answer = say(&field.workforce, &visit, installed(PTO)).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Installed));

    let activation = field.lease(Capability::Activation).await;
    let known = activation.details.clone().unwrap();
    assert!(known.contact.is_none() && known.delivery_address.is_none() && known.slot.is_none());
    assert_eq!((known.pto.as_str(), known.aid.as_str()), (PTO, order.aid.as_str()));
    let answer = say(&field.workforce, &activation, completed()).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Completed));

    let read = get(&alpha, &order.number).await;
    let found = read.order.unwrap();
    assert_eq!((found.state(), found.pto.as_str()), (State::Completed, PTO));
    assert_eq!((found.parcel_number.as_str(), found.box_serial.as_str()), ("XW161155304JB", "BX-0001"));
    assert_eq!(
        read.history.iter().map(|e| e.kind.as_str()).collect::<Vec<_>>(),
        ["ACCEPTED", "BOX_SHIPPED", "CONSTRUCTION", "INTERVENTION_OK", "COMPLETED"]
    );
    assert!(read.history[1..].iter().all(|e| e.author() == orders::Author::Field));
    let facts: Vec<_> = read.history[3].facts.iter().map(|f| format!("{}={}", f.name, f.value)).collect();
    assert_eq!(facts, ["ont_serial=HWTC0172629D", "pto=FI-0A1B-2C3D", "received_power_dbm=-18.4"]);
    assert_eq!(work(&world).await, ["activation done 1", "installation done 1", "shipping done 1"]);

    // Stored replies of the field hold nothing of the end customer: once the contact is erased nothing is left.
    let db = &world.platform.db;
    assert!(database::holds(&database::dump(db).await, "Martin"));
    let request = orders::EraseContactRequest { request_id: new_request_id(), number: order.number };
    alpha.orders().erase_contact(request).await.unwrap();
    let dump = database::dump(db).await;
    assert!(!database::holds(&dump, "Martin") && !database::holds(&dump, "0199000001"));
}

/// The access is switched on when its socket and its box are both there, whichever comes last.
#[tokio::test]
async fn the_box_may_leave_after_the_visit() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let visit = field.lease(Capability::Installation).await;
    assert_eq!(reason(say(&field.workforce, &visit, installed(PTO)).await), "ORDER_STATE_FORBIDS");
    say(&field.workforce, &visit, started()).await.unwrap();
    say(&field.workforce, &visit, installed(PTO)).await.unwrap();
    assert_eq!(lease(&field.workforce, Capability::Activation, 1).await.unwrap(), []);
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    let answer = field.does(Capability::Activation, completed()).await;
    assert_eq!(answer.order_state(), State::Completed);
    assert_eq!(state(&alpha, &order.number).await, State::Completed);
}

#[tokio::test]
async fn an_absence_a_new_appointment_and_delivery() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let visit = field.lease(Capability::Installation).await;
    let mut request = report_request(&visit, absent());
    request.comment = "Nobody opened.".into();
    let answer = field.workforce.work().report_work(request).await.unwrap().into_inner();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::AppointmentToRetake));
    assert_eq!(lease(&field.workforce, Capability::Installation, 1).await.unwrap(), []);
    let read = get(&alpha, &order.number).await;
    let last = read.history.last().unwrap();
    assert_eq!((last.code.as_str(), last.comment.as_str()), ("FCLI07", "Nobody opened."));

    let new = hold(&alpha, &slot_id(9, "13:00")).await;
    let request = orders::RetakeAppointmentRequest {
        request_id: new_request_id(),
        number: order.number.clone(),
        etag: read.order.unwrap().etag,
        appointment_reference: new.reference,
    };
    alpha.orders().retake_appointment(request).await.unwrap();
    let visit = field.lease(Capability::Installation).await;
    assert_eq!(visit.work_id, format!("{}-I3", order.number));
    assert_eq!(visit.details.clone().unwrap().slot.unwrap().slot_id, slot_id(9, "13:00"));
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    say(&field.workforce, &visit, started()).await.unwrap();
    say(&field.workforce, &visit, installed(PTO)).await.unwrap();
    field.does(Capability::Activation, completed()).await;
    assert_eq!(
        kinds(&alpha, &order.number).await,
        "ACCEPTED CUSTOMER_ABSENT APPOINTMENT_RETAKEN BOX_SHIPPED CONSTRUCTION INTERVENTION_OK COMPLETED"
    );
}

/// 30 days from 24 November: the last day is 24 December, and the order fails when that is over.
#[tokio::test]
async fn an_order_expires_when_no_new_appointment_comes() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    field.does(Capability::Installation, absent()).await;
    let to = async |instant: &str| {
        let at: jiff::Timestamp = instant.parse().unwrap();
        let target = Target::To(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 });
        let request = AdvanceClockRequest { request_id: new_request_id(), target: Some(target) };
        alpha.sandbox().advance_clock(request).await.unwrap();
    };
    to("2026-12-24T22:59:00Z").await;
    assert_eq!(state(&alpha, &order.number).await, State::AppointmentToRetake);
    to("2026-12-24T23:00:00Z").await;
    let read = get(&alpha, &order.number).await;
    let found = read.order.unwrap();
    assert_eq!((found.state(), found.failure_code.as_str()), (State::Failed, "FCLI07"));
    assert_eq!(found.retake_until, "");
    let last = read.history.last().unwrap();
    assert_eq!((last.kind.as_str(), last.author()), ("EXPIRED", orders::Author::Server));
    // Its box comes back.
    let parcel = field.lease(Capability::Returns).await;
    assert_eq!(parcel.details.clone().unwrap().box_serial, "BX-0001");
    let answer = say(&field.logistics, &parcel, returned("BX-0001")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Failed));
}

/// Days that are over count before the sweeper comes by.
#[tokio::test]
async fn a_late_new_appointment_is_refused() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.does(Capability::Installation, absent()).await;
    let etag = get(&alpha, &order.number).await.order.unwrap().etag;
    world.machine_on(30 * 86_400 + 14 * 3_600).await;
    let request =
        orders::CancelOrderRequest { request_id: new_request_id(), number: order.number.clone(), etag };
    let error = refusal(alpha.orders().cancel_order(request).await);
    assert_eq!((error.reason_name(), error.metadata("state")), (Some("ORDER_STATE_FORBIDS"), Some("failed")));
    assert_eq!(eservices_server::orders::expire_due(&world.platform).await.unwrap(), 1);
    assert_eq!(eservices_server::orders::expire_due(&world.platform).await.unwrap(), 0);
    assert_eq!(state(&alpha, &order.number).await, State::Failed);
}

/// Every code that a visit can fail with, by hand from the market's list; what the operator reads of it.
#[tokio::test]
async fn a_visit_fails_with_each_code() {
    let codes = [
        "FCLI01", "FCLI02", "FCLI03", "FCLI04", "FCLI05", "FCLI06", "FCLI07", "FINT01", "FINT02", "FINT03",
        "FINT04", "FINT05", "FINT06", "FINT07", "FINT08", "FINT09", "FINT10", "FINT11", "FINT12", "FINT13",
        "FIMP17", "FAUT01",
    ];
    let world = World::start().await;
    let field = Field::set(&world, 50, 0).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    for (n, code) in codes.iter().enumerate() {
        let order = place(&alpha, &format!("ALPHA-{n}"), &slot_id(8, "08:00")).await;
        let visit = field.lease(Capability::Installation).await;
        // Some fail at the door, some while it is built.
        if n % 2 == 1 {
            say(&field.workforce, &visit, started()).await.unwrap();
        }
        let mut request = report_request(&visit, failed(code));
        request.comment = "The duct is broken.".into();
        let answer = field.workforce.work().report_work(request).await.unwrap().into_inner();
        assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Failed), "{code}");
        let read = get(&alpha, &order.number).await;
        assert_eq!(read.order.unwrap().failure_code, *code);
        let last = read.history.last().unwrap();
        assert_eq!((last.kind.as_str(), last.code.as_str()), ("INTERVENTION_FAILED", *code));
        assert_eq!((last.comment.as_str(), last.author()), ("The duct is broken.", orders::Author::Field));
    }
    let booked = "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots";
    assert_eq!(database::number(&world.platform.db, booked).await, 0, "the places are free");
    let open = "SELECT COUNT(*) FROM orders_work WHERE state IN ('open', 'leased')";
    assert_eq!(database::number(&world.platform.db, open).await, 0);
    let held = "SELECT CAST(SUM(held) AS BIGINT) FROM network_fibres";
    assert_eq!(database::number(&world.platform.db, held).await, 0);
}

#[tokio::test]
async fn a_failed_creation_gets_its_box_back() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 2).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    field.does(Capability::Installation, failed("FINT04")).await;
    // Its box is at the end customer's still when that is forgotten.
    let request = orders::EraseContactRequest { request_id: new_request_id(), number: order.number.clone() };
    alpha.orders().erase_contact(request).await.unwrap();
    let item = field.lease(Capability::Returns).await;
    let known = item.details.clone().unwrap();
    assert_eq!((known.box_serial.as_str(), known.order_state()), ("BX-0001", State::Failed));
    let error = refusal(say(&field.logistics, &item, returned("BX-0002")).await);
    assert_eq!(error.reason_name(), Some("BOX_UNEXPECTED"));
    assert_eq!(error.metadata("expected_serial"), Some("BX-0001"));
    let mut request = report_request(&item, returned("BX-0001"));
    request.comment = "Without its cable.".into();
    field.logistics.work().report_work(request).await.unwrap();
    let boxes = "SELECT serial || ' ' || state FROM orders_boxes ORDER BY serial";
    assert_eq!(database::texts(&world.platform.db, boxes).await, ["BX-0001 returned", "BX-0002 in_stock"]);
    let told = "SELECT kind FROM events WHERE party_id = 'o-900000001' ORDER BY revision DESC LIMIT 1";
    assert_eq!(database::texts(&world.platform.db, told).await, ["orders.box_returned"]);
    let read = get(&alpha, &order.number).await;
    assert_eq!(read.order.unwrap().state(), State::Failed);
    let last = read.history.last().unwrap();
    assert_eq!((last.kind.as_str(), last.comment.as_str()), ("BOX_RETURNED", ""), "no word more is kept");
    assert_eq!((last.state(), last.author()), (State::Failed, orders::Author::Field));
}

#[tokio::test]
async fn a_cancelled_order_takes_its_work_along() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let visit = field.lease(Capability::Installation).await;
    let request = orders::CancelOrderRequest {
        request_id: new_request_id(),
        number: order.number.clone(),
        etag: order.etag,
    };
    alpha.orders().cancel_order(request).await.unwrap();
    assert_eq!(work(&world).await, ["installation cancelled 1", "shipping cancelled 0"]);
    let error = refusal(say(&field.workforce, &visit, started()).await);
    assert_eq!(error.reason_name(), Some("WORK_LEASE_LOST"));
    assert_eq!(error.metadata("work_state"), Some("cancelled"));
    assert_eq!(lease(&field.logistics, Capability::Shipping, 1).await.unwrap(), []);
}

#[tokio::test]
async fn an_access_is_terminated() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let creation = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let error = refusal(terminate(&alpha, &creation.aid, "ALPHA-2").await);
    assert_eq!(error.reason_name(), Some("ACCESS_STATE_FORBIDS"));
    assert_eq!(error.metadata("state"), Some("pending"));
    assert_eq!(error.metadata("order_number"), Some(creation.number.as_str()));
    field.deliver("BX-0001", PTO).await;

    assert_eq!(reason(terminate(&beta, &creation.aid, "BETA-1").await), "RESOURCE_NOT_FOUND");
    let error = refusal(terminate(&alpha, &creation.aid, "ALPHA-1").await);
    assert_eq!((error.code(), error.reason_name()), (Code::AlreadyExists, Some("FIMP13")));
    assert_eq!(error.metadata("order_number"), Some(creation.number.as_str()));
    let order = terminate(&alpha, &creation.aid, "ALPHA-2").await.unwrap();
    assert_eq!((order.r#type(), order.state()), (orders::OrderType::Termination, State::InProgress));
    assert_eq!((order.aid.as_str(), order.via.as_str()), (creation.aid.as_str(), creation.via.as_str()));
    assert_eq!((order.pto.as_str(), order.box_serial.as_str()), (PTO, ""));
    let error = refusal(exchange(&alpha, &creation.aid, "ALPHA-3").await);
    assert_eq!(error.reason_name(), Some("ACCESS_ORDER_UNDER_WAY"));
    assert_eq!(error.metadata("order_number"), Some(order.number.as_str()));

    let item = field.lease(Capability::Disconnection).await;
    let known = item.details.clone().unwrap();
    assert_eq!((known.pto.as_str(), known.order_type()), (PTO, orders::OrderType::Termination));
    assert!(known.contact.is_none());
    let answer = say(&field.workforce, &item, disconnected()).await.unwrap();
    assert_eq!(answer.order_state(), State::WaitingForBoxReturn);
    let db = &world.platform.db;
    let access = "SELECT state FROM orders_accesses";
    assert_eq!(database::texts(db, access).await, ["terminated"]);
    let lines = "SELECT pto || ' ' || state FROM network_lines";
    assert_eq!(database::texts(db, lines).await, [format!("{PTO} INACTIVE")]);
    assert_eq!(database::number(db, "SELECT COUNT(*) FROM orders_sockets").await, 0);
    let addresses = "SELECT COUNT(*) FROM orders_addresses WHERE released_at IS NULL";
    assert_eq!(database::number(db, addresses).await, 0);

    let item = field.lease(Capability::Returns).await;
    assert_eq!(item.details.clone().unwrap().box_serial, "BX-0001");
    let answer = say(&field.logistics, &item, returned("BX-0001")).await.unwrap();
    assert_eq!((answer.work_state(), answer.order_state()), (WorkState::Done, State::Completed));
    assert_eq!(kinds(&alpha, &order.number).await, "ACCEPTED DISCONNECTED BOX_RETURNED");
    let error = refusal(terminate(&alpha, &creation.aid, "ALPHA-4").await);
    assert_eq!(
        (error.reason_name(), error.metadata("state")),
        (Some("ACCESS_STATE_FORBIDS"), Some("terminated"))
    );
}

#[tokio::test]
async fn a_termination_can_be_cancelled_before_the_access_is_off() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let creation = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.deliver("BX-0001", PTO).await;
    let order = terminate(&alpha, &creation.aid, "ALPHA-2").await.unwrap();
    let request =
        orders::CancelOrderRequest { request_id: new_request_id(), number: order.number, etag: order.etag };
    let ended = alpha.orders().cancel_order(request).await.unwrap().into_inner().order.unwrap();
    assert_eq!((ended.state(), ended.failure_code.as_str()), (State::Failed, "FCLI04"));
    assert_eq!(lease(&field.workforce, Capability::Disconnection, 1).await.unwrap(), []);
    assert_eq!(lease(&field.logistics, Capability::Returns, 1).await.unwrap(), []);
    assert_eq!(database::texts(&world.platform.db, "SELECT state FROM orders_accesses").await, ["active"]);
    terminate(&alpha, &creation.aid, "ALPHA-3").await.unwrap();
}

#[tokio::test]
async fn a_box_is_exchanged() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 2).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let creation = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.deliver("BX-0001", PTO).await;
    let wrong = orders::ExchangeBoxRequest {
        contact: None,
        aid: "F1".into(),
        ..exchange_request(&creation.aid, "ALPHA-2")
    };
    let error = refusal(alpha.orders().exchange_box(wrong).await);
    let fields: Vec<_> =
        error.field_violations().into_iter().map(|v| format!("{} {}", v.field, v.code)).collect();
    assert_eq!(fields, ["aid FIMP16", "contact.last_name FIMP15", "contact.phone FIMP15"]);

    let order = exchange(&alpha, &creation.aid, "ALPHA-2").await.unwrap();
    assert_eq!((order.r#type(), order.state()), (orders::OrderType::BoxExchange, State::InProgress));
    let parcel = field.lease(Capability::Shipping).await;
    assert_eq!(parcel.details.clone().unwrap().contact.unwrap().last_name, "Martin");
    let answer = say(&field.logistics, &parcel, shipped("BX-0002")).await.unwrap();
    assert_eq!(answer.order_state(), State::WaitingForBoxReturn);
    let back = field.lease(Capability::Returns).await;
    assert_eq!(back.details.clone().unwrap().box_serial, "BX-0001", "the old one");
    assert_eq!(reason(say(&field.logistics, &back, returned("BX-0002")).await), "BOX_UNEXPECTED");
    let answer = say(&field.logistics, &back, returned("BX-0001")).await.unwrap();
    assert_eq!(answer.order_state(), State::Completed);
    let access = "SELECT state || ' ' || box_serial FROM orders_accesses";
    assert_eq!(database::texts(&world.platform.db, access).await, ["active BX-0002"]);
    // What is to come back at the end is the new one.
    terminate(&alpha, &creation.aid, "ALPHA-3").await.unwrap();
    field.does(Capability::Disconnection, disconnected()).await;
    assert_eq!(field.lease(Capability::Returns).await.details.unwrap().box_serial, "BX-0002");
}

#[tokio::test]
async fn a_lost_worker_loses_its_work_and_its_late_word_is_refused() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 0).await;
    let other = world.client(&world.system("planning", &["workforce"]).await).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let first = field.lease(Capability::Installation).await;
    assert_eq!(first.fencing_token, 1);
    assert_eq!(lease(&other, Capability::Installation, 1).await.unwrap(), [], "it has an owner");
    world.machine_on(LEASE - 1).await;
    assert_eq!(lease(&other, Capability::Installation, 1).await.unwrap(), []);
    // A word of life: the lease goes on for a whole time from now.
    let extend = pb::ExtendLeaseRequest { request_id: new_request_id(), leases: vec![handle(&first)] };
    let until =
        field.workforce.work().extend_lease(extend).await.unwrap().into_inner().lease_end_time.unwrap();
    assert_eq!(until.seconds - first.lease_end_time.unwrap().seconds, LEASE - 1);
    world.machine_on(LEASE - 1).await;
    assert_eq!(lease(&other, Capability::Installation, 1).await.unwrap(), []);
    world.machine_on(1).await;
    let second = lease(&other, Capability::Installation, 1).await.unwrap().remove(0);
    assert_eq!((second.work_id.as_str(), second.fencing_token), (first.work_id.as_str(), 2));

    for late in [started(), absent(), failed("FINT04")] {
        let error = refusal(say(&field.workforce, &first, late).await);
        assert_eq!(error.reason_name(), Some("WORK_LEASE_LOST"));
        assert_eq!(error.metadata("work_id"), Some(first.work_id.as_str()));
    }
    let extend = pb::ExtendLeaseRequest { request_id: new_request_id(), leases: vec![handle(&first)] };
    assert_eq!(reason(field.workforce.work().extend_lease(extend).await), "WORK_LEASE_LOST");
    let release = pb::ReleaseLeaseRequest { request_id: new_request_id(), leases: vec![handle(&first)] };
    assert_eq!(reason(field.workforce.work().release_lease(release).await), "WORK_LEASE_LOST");
    // A token that another system guessed is worth nothing.
    assert_eq!(reason(say(&field.workforce, &second, started()).await), "WORK_LEASE_LOST");
    assert_eq!(kinds(&alpha, &order.number).await, "ACCEPTED", "nothing of it reached the order");
    say(&other, &second, started()).await.unwrap();

    // As long as nobody took the work over, a late word is welcome.
    world.machine_on(2 * LEASE).await;
    say(&other, &second, absent()).await.unwrap();
    assert_eq!(state(&alpha, &order.number).await, State::AppointmentToRetake);
    let done = refusal(say(&other, &second, absent()).await);
    assert_eq!((done.reason_name(), done.metadata("work_state")), (Some("WORK_LEASE_LOST"), Some("done")));
}

#[tokio::test]
async fn work_is_given_back_and_taken_by_the_next() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 0).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let first = field.lease(Capability::Installation).await;
    let absent_one = pb::Lease { work_id: "CMD000000000000-I1".into(), fencing_token: 1 };
    let release =
        pb::ReleaseLeaseRequest { request_id: new_request_id(), leases: vec![handle(&first), absent_one] };
    assert_eq!(reason(field.workforce.work().release_lease(release).await), "RESOURCE_NOT_FOUND");
    assert_eq!(work(&world).await, ["installation leased 1", "shipping open 0"], "all of it, or none");
    let release = pb::ReleaseLeaseRequest { request_id: new_request_id(), leases: vec![handle(&first)] };
    let answer = field.workforce.work().release_lease(release).await.unwrap().into_inner();
    assert_eq!(answer.released_count, 1);
    assert_eq!(reason(say(&field.workforce, &first, started()).await), "WORK_LEASE_LOST");
    let second = field.lease(Capability::Installation).await;
    assert_eq!(second.fencing_token, 2);
    say(&field.workforce, &second, started()).await.unwrap();
}

#[tokio::test]
async fn the_same_request_is_the_same_lease_and_the_same_report() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let request = lease_request(Capability::Shipping, 5);
    let first = field.logistics.work().lease_work(request.clone()).await.unwrap().into_inner();
    let again = field.logistics.work().lease_work(request.clone()).await.unwrap().into_inner();
    assert_eq!((again.items.len(), &again), (1, &first));
    assert_eq!(first.items[0].details.clone().unwrap().contact.unwrap().last_name, "Martin");
    let report = report_request(&first.items[0], shipped("BX-0001"));
    let said = field.logistics.work().report_work(report.clone()).await.unwrap().into_inner();
    assert_eq!(field.logistics.work().report_work(report).await.unwrap().into_inner(), said);
    assert_eq!(kinds(&alpha, &order.number).await, "ACCEPTED BOX_SHIPPED");
    // The work is done: who asks again learns the lease, and nothing of the end customer.
    let later = field.logistics.work().lease_work(request).await.unwrap().into_inner();
    assert_eq!(handle(&later.items[0]), handle(&first.items[0]));
    assert!(later.items[0].details.is_none());
}

/// Seven pieces of work, eight workers of eight systems at once, five times: each piece has one owner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_workers_race() {
    let world = World::start().await;
    world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    for n in 0..7 {
        place(&alpha, &format!("ALPHA-{n}"), &slot_id(8, "08:00")).await;
    }
    let mut workers = Vec::new();
    for n in 0..8 {
        workers.push(world.client(&world.system(&format!("team-{n}"), &["workforce"]).await).await);
    }
    for round in 1..=5 {
        // One each, then as many as there are.
        let most = if round % 2 == 1 { 1 } else { 20 };
        let start = Arc::new(Barrier::new(workers.len()));
        let calls = workers.iter().map(|client| {
            let (client, start) = (client.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                let items = lease(&client, Capability::Installation, most).await.unwrap();
                (client, items)
            })
        });
        let (mut taken, mut given_back) = (BTreeSet::new(), Vec::new());
        for call in calls.collect::<Vec<_>>() {
            let (client, items) = call.await.unwrap();
            for item in &items {
                assert_eq!(item.fencing_token, round, "{}", item.work_id);
                assert!(item.details.is_some());
                assert!(taken.insert(item.work_id.clone()), "{} has two owners", item.work_id);
            }
            if !items.is_empty() {
                let leases = items.iter().map(handle).collect();
                given_back.push((client, pb::ReleaseLeaseRequest { request_id: new_request_id(), leases }));
            }
        }
        assert_eq!(taken.len(), 7, "round {round}");
        // Once the round is over, so that nobody takes it twice in one.
        for (client, release) in given_back {
            client.work().release_lease(release).await.unwrap();
        }
    }
    println!("leases on {}: 5 rounds of 8 workers on 7 pieces, one owner each", world.platform.db.engine());
}

/// Two workers report of one lease at once: one word counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_reports_at_once_are_one_step() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 4).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let item = field.lease(Capability::Shipping).await;
    let start = Arc::new(Barrier::new(4));
    let calls = (1..=4).map(|n| {
        let (client, start, item) = (field.logistics.clone(), Arc::clone(&start), item.clone());
        tokio::spawn(async move {
            start.wait().await;
            say(&client, &item, shipped(&format!("BX-000{n}"))).await
        })
    });
    let mut done = 0;
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            Ok(_) => done += 1,
            refused => assert_eq!(reason(refused), "WORK_LEASE_LOST"),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(kinds(&alpha, &order.number).await, "ACCEPTED BOX_SHIPPED");
    let left = "SELECT COUNT(*) FROM orders_boxes WHERE state = 'in_stock'";
    assert_eq!(database::number(&world.platform.db, left).await, 3);
}

#[tokio::test]
async fn each_role_has_its_kinds_of_work() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    for (capability, role) in [
        (Capability::Shipping, "logistics"),
        (Capability::Returns, "logistics"),
        (Capability::Installation, "workforce"),
        (Capability::Activation, "workforce"),
        (Capability::Disconnection, "workforce"),
    ] {
        let other = if role == "logistics" { &field.workforce } else { &field.logistics };
        let error = refusal(lease(other, capability, 1).await);
        assert_eq!(error.code(), Code::PermissionDenied);
        assert_eq!((error.reason_name(), error.metadata("role")), (Some("ROLE_MISSING"), Some(role)));
        let list = pb::ListWorkRequest { capability: capability.into(), ..Default::default() };
        assert_eq!(reason(other.work().list_work(list).await), "ROLE_MISSING");
        lease(field.of(capability), capability, 1).await.unwrap();
    }
    // Of another's lease nothing can be said either.
    let parcel = pb::LeasedWork {
        work_id: database::texts(
            &world.platform.db,
            "SELECT work_id FROM orders_work WHERE capability = 'shipping'",
        )
        .await
        .remove(0),
        fencing_token: 1,
        ..Default::default()
    };
    assert_eq!(reason(say(&field.workforce, &parcel, shipped("BX-0001")).await), "ROLE_MISSING");
    let extend = pb::ExtendLeaseRequest { request_id: new_request_id(), leases: vec![handle(&parcel)] };
    assert_eq!(reason(field.workforce.work().extend_lease(extend).await), "ROLE_MISSING");
    // The wrong word of the right work.
    let error = refusal(say(&field.logistics, &parcel, returned("BX-0001")).await);
    assert_eq!(error.reason_name(), Some("WORK_REPORT_UNFIT"));
    assert_eq!(error.metadata("expected_reports"), Some("box_shipped,shipping_failed"));
    // A list shows what the role opens.
    let listed = async |client: &Client| {
        let answer = client.work().list_work(pb::ListWorkRequest::default()).await.unwrap().into_inner();
        answer.items.iter().map(|item| item.capability()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&field.logistics).await, [Capability::Shipping]);
    assert_eq!(listed(&field.workforce).await, [Capability::Installation]);
}

#[tokio::test]
async fn every_form_error_is_named_at_once() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 0).await;
    let fields = |error: eservices_client::Error| {
        assert_eq!(error.reason_name(), Some("FIELDS_INVALID"));
        error.field_violations().into_iter().map(|v| v.field).collect::<Vec<_>>()
    };
    let item =
        pb::LeasedWork { work_id: "CMD000000000001-S1".into(), fencing_token: 1, ..Default::default() };
    let said = async |report| fields(refusal(say(&field.logistics, &item, report).await));
    let parcel = |number: &str, serial: &str| {
        Report::BoxShipped(pb::BoxShipped { parcel_number: number.into(), box_serial: serial.into() })
    };
    // The check digit of XW16115530 is 4.
    assert_eq!(said(parcel("XW161155305JB", "BX-0001")).await, ["box_shipped.parcel_number"]);
    assert_eq!(said(parcel("", "bx")).await, ["box_shipped.parcel_number", "box_shipped.box_serial"]);
    assert_eq!(said(absent_with("FCLI04")).await, ["customer_absent.code"]);
    assert_eq!(said(failed("FINT14")).await, ["intervention_failed.code"]);
    assert_eq!(said(failed("FAUT01")).await, ["comment"]);
    assert_eq!(said(returned("")).await, ["box_returned.box_serial"]);
    assert_eq!(said(lost("bx")).await, ["box_lost.box_serial"]);
    assert_eq!(said(not_activated("FINT14")).await, ["activation_failed.code"]);
    assert_eq!(said(not_activated("FAUT01")).await, ["comment"]);
    assert_eq!(said(not_shipped("FINT14")).await, ["shipping_failed.code"]);
    let wrong = pb::InterventionOk {
        ont_serial: "1234".into(),
        pto: "FI".into(),
        received_power_dbm: Some(3.0),
        optical_loss_db: Some(f64::NAN),
    };
    let expected = ["ont_serial", "pto", "received_power_dbm", "optical_loss_db"];
    assert_eq!(said(Report::InterventionOk(wrong)).await, expected.map(|f| format!("intervention_ok.{f}")));
    let nothing = pb::ReportWorkRequest { comment: "x".repeat(513), ..Default::default() };
    assert_eq!(
        fields(refusal(field.logistics.work().report_work(nothing).await)),
        ["request_id", "work_id", "fencing_token", "report"]
    );
    let request = pb::LeaseWorkRequest {
        request_id: "1".into(),
        departments: vec!["77".into(), "2a".into(), "977".into(), "77".into(), "7".into(), "99".into()],
        max_items: 21,
        worker_id: "Jean Martin".into(),
        ..Default::default()
    };
    assert_eq!(
        fields(refusal(field.logistics.work().lease_work(request).await)),
        [
            "request_id",
            "capability",
            "departments[1]",
            "departments[3]",
            "departments[4]",
            "max_items",
            "worker_id"
        ]
    );
    let request = pb::ExtendLeaseRequest {
        request_id: new_request_id(),
        leases: vec![handle(&item), handle(&item), pb::Lease::default()],
    };
    assert_eq!(
        fields(refusal(field.logistics.work().extend_lease(request).await)),
        ["leases[1].work_id", "leases[2].work_id", "leases[2].fencing_token"]
    );
    let request = pb::AddBoxesRequest {
        request_id: new_request_id(),
        serials: vec!["BX-1".into(), "BX-1".into(), "é".into()],
    };
    assert_eq!(
        fields(refusal(field.logistics.work().add_boxes(request).await)),
        ["serials[1]", "serials[2]"]
    );
    let request = pb::ListWorkRequest {
        capability: 9,
        states: vec![0, 1],
        order_number: "CMD".into(),
        page_size: 101,
        page_token: "x".into(),
    };
    assert_eq!(
        fields(refusal(field.logistics.work().list_work(request).await)),
        ["capability", "states[0]", "order_number", "page_size", "page_token"]
    );
}

fn absent_with(code: &str) -> Report {
    Report::CustomerAbsent(pb::CustomerAbsent { code: code.into() })
}

#[tokio::test]
async fn a_box_ships_once() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    field.does(Capability::Shipping, shipped("BX-0001")).await;
    place(&alpha, "ALPHA-2", &slot_id(8, "08:00")).await;
    let item = field.lease(Capability::Shipping).await;
    let error = refusal(say(&field.logistics, &item, shipped("BX-0001")).await);
    assert_eq!(
        (error.reason_name(), error.metadata("box_state")),
        (Some("BOX_NOT_IN_STOCK"), Some("shipped"))
    );
    assert_eq!(reason(say(&field.logistics, &item, shipped("BX-9999")).await), "BOX_UNKNOWN");
    let serials = vec!["BX-0001".to_owned(), "BX-9999".to_owned()];
    let request = pb::AddBoxesRequest { request_id: new_request_id(), serials };
    let added = field.logistics.work().add_boxes(request).await.unwrap().into_inner();
    assert_eq!((added.added_count, added.known_count), (1, 1));
    assert_eq!(reason(say(&field.logistics, &item, shipped("BX-0001")).await), "BOX_NOT_IN_STOCK");
    say(&field.logistics, &item, shipped("BX-9999")).await.unwrap();
}

/// The socket of an order that names one; one at another place; one that is taken.
#[tokio::test]
async fn the_socket_must_be_the_right_one() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 0).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    for reference in ["ALPHA-1", "ALPHA-2"] {
        place(&alpha, reference, &slot_id(8, "08:00")).await;
    }
    let both = lease(&field.workforce, Capability::Installation, 2).await.unwrap();
    let [first, second] = &both[..] else { panic!("{both:?}") };
    say(&field.workforce, first, started()).await.unwrap();
    // FI-1D00-0001 is next door.
    assert_eq!(reason(say(&field.workforce, first, installed("FI-1D00-0001")).await), "FIMP03");
    say(&field.workforce, first, installed(PTO)).await.unwrap();
    say(&field.workforce, second, started()).await.unwrap();
    assert_eq!(reason(say(&field.workforce, second, installed(PTO)).await), "FIMP19");
    say(&field.workforce, second, installed("FI-0A1B-2C3E")).await.unwrap();
}

#[tokio::test]
async fn work_is_leased_by_department_and_oldest_first() {
    let world = World::start().await;
    let field = Field::set(&world, 50, 0).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let mut numbers = Vec::new();
    for n in 0..3 {
        numbers.push(place(&alpha, &format!("ALPHA-{n}"), &slot_id(8, "08:00")).await.number);
        world.machine_on(1).await;
    }
    let ask = |departments: &[&str], max_items: u32| pb::LeaseWorkRequest {
        departments: departments.iter().map(|d| (*d).to_owned()).collect(),
        ..lease_request(Capability::Installation, max_items)
    };
    let none = field.workforce.work().lease_work(ask(&["75", "2A", "971"], 20)).await.unwrap().into_inner();
    assert_eq!(none.items, []);
    let two = field.workforce.work().lease_work(ask(&["75", "77"], 2)).await.unwrap().into_inner().items;
    let ids: Vec<_> = two.iter().map(|item| item.work_id.clone()).collect();
    assert_eq!(ids, [format!("{}-I1", numbers[0]), format!("{}-I1", numbers[1])]);
    let one = field.workforce.work().lease_work(ask(&[], 0)).await.unwrap().into_inner().items;
    assert_eq!(one[0].work_id, format!("{}-I1", numbers[2]));
}

#[tokio::test]
async fn people_list_work_in_pages_and_comment() {
    let world = World::start().await;
    let field = Field::set(&world, 50, 0).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let mut numbers = Vec::new();
    for n in 0..3 {
        numbers.push(place(&alpha, &format!("ALPHA-{n}"), &slot_id(8, "08:00")).await.number);
        world.machine_on(1).await;
    }
    lease(&field.workforce, Capability::Installation, 1).await.unwrap();
    let list = async |request: pb::ListWorkRequest| {
        field.workforce.work().list_work(request).await.unwrap().into_inner()
    };
    let ask = pb::ListWorkRequest { page_size: 2, ..Default::default() };
    let first = list(ask.clone()).await;
    assert_eq!(first.items.len(), 2);
    let next = list(pb::ListWorkRequest { page_token: first.next_page_token.clone(), ..ask.clone() }).await;
    assert_eq!(next.next_page_token, "");
    let all: Vec<_> = first.items.iter().chain(&next.items).collect();
    assert_eq!(all.iter().map(|i| &i.order_number).collect::<Vec<_>>(), numbers.iter().collect::<Vec<_>>());
    let leased = all[0];
    assert_eq!((leased.state(), leased.department.as_str()), (WorkState::Leased, "77"));
    assert_eq!((leased.system_code.as_str(), leased.worker_id.as_str()), ("workforce", "worker-1"));
    assert!(leased.lease_end_time.is_some() && all[1].lease_end_time.is_none());
    let open = list(pb::ListWorkRequest { states: vec![WorkState::Open.into()], ..Default::default() }).await;
    assert_eq!(open.items.len(), 2);
    let of_one = pb::ListWorkRequest { order_number: numbers[1].clone(), ..Default::default() };
    assert_eq!(list(of_one).await.items.len(), 1);
    let foreign = pb::ListWorkRequest { page_token: first.next_page_token, ..Default::default() };
    field.workforce.work().list_work(foreign.clone()).await.unwrap();
    let other = world.client(&world.system("planning", &["workforce"]).await).await;
    assert_eq!(reason(other.work().list_work(foreign).await), "FIELDS_INVALID");

    let request = pb::CommentOrderRequest {
        request_id: new_request_id(),
        number: numbers[0].clone(),
        comment: "Key at the keeper's.".into(),
    };
    let answer = field.logistics.work().comment_order(request.clone()).await.unwrap().into_inner();
    assert_eq!(answer.order_state(), State::InProgress);
    field.logistics.work().comment_order(request).await.unwrap();
    let history = get(&alpha, &numbers[0]).await.history;
    assert_eq!(history.len(), 2);
    assert_eq!(
        (history[1].kind.as_str(), history[1].author(), history[1].comment.as_str()),
        ("COMMENT", orders::Author::Field, "Key at the keeper's.")
    );
    let request = pb::CommentOrderRequest {
        request_id: new_request_id(),
        number: "CMD000000000000".into(),
        comment: "x".into(),
    };
    assert_eq!(reason(field.logistics.work().comment_order(request).await), "RESOURCE_NOT_FOUND");
}
