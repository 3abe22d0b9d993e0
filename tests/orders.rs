//! Orders end to end: every refusal off the wire, what an order takes and gives back, its history and lists.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use eservices::{
    appointments::v1 as ap,
    common::v1::AppointmentType,
    eligibility::v1 as el,
    orders::v1::{self as pb, OrderState as State, OrderType as Type},
    sandbox::v1 as sa,
};
use eservices_client::{Client, new_request_id};
use eservices_server::{
    orders::{
        rules::{Action, Actor},
        store::{Report, advance},
    },
    platform::{
        config::Environment,
        error::Error,
        registry::Holder,
        unit_of_work::{self, Command, Work},
    },
};
use tonic::Code;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::harness::{
    ALL, SIRENS, World, database, hold, intervention,
    orders::{create, new_order, place},
    reason, refusal, slot_id,
};

/// What the field reports, without the field.
struct Reported(Arc<eservices_server::platform::Platform>, String, Report);

impl Command for Reported {
    type Answer = pb::Order;

    async fn run(&self, work: &mut Work) -> Result<pb::Order, Error> {
        let order = advance(work, &self.0, &self.1, &self.2).await?;
        Ok(eservices_server::orders::order_to_wire(&order))
    }
}

/// Has the field report of an order of one owner.
async fn reported(
    world: &World,
    order: &pb::Order,
    action: Action,
    code: &str,
    facts: &[(&'static str, &str)],
) -> Result<pb::Order, Error> {
    let facts = facts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let report = Report { action, author: Actor::Field, code: code.into(), comment: String::new(), facts };
    let owner = format!("o-{}", SIRENS[0]);
    let command = Reported(world.platform.clone(), order.number.clone(), report);
    unit_of_work::execute_own(&world.platform, owner, "test.report", command).await
}

async fn get(client: &Client, number: &str) -> pb::GetOrderResponse {
    let request = pb::GetOrderRequest { number: number.into() };
    client.orders().get_order(request).await.unwrap().into_inner()
}

async fn validate(client: &Client, order: pb::NewOrder) -> Vec<String> {
    let request = pb::ValidateOrderRequest { order: Some(order) };
    let answer = client.orders().validate_order(request).await.unwrap().into_inner();
    assert_eq!(answer.acceptable, answer.findings.is_empty());
    answer.findings.iter().map(|finding| format!("{} {}", finding.code, finding.field)).collect()
}

async fn cancel(client: &Client, order: &pb::Order) -> Result<pb::Order, tonic::Status> {
    let request = pb::CancelOrderRequest {
        request_id: new_request_id(),
        number: order.number.clone(),
        etag: order.etag.clone(),
    };
    client.orders().cancel_order(request).await.map(|answer| answer.into_inner().order.unwrap())
}

/// Holds an appointment at a building, of the type that the place needs.
async fn hold_at(client: &Client, imb: &str, visit: AppointmentType, slot: &str) -> String {
    let place = ap::Place { designation: Some(ap::place::Designation::Imb(imb.into())) };
    let wanted = ap::Intervention { place: Some(place), appointment_type: visit.into(), ..intervention() };
    let request = ap::HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(wanted),
        slot_id: slot.into(),
    };
    let held = client.appointments().hold_appointment(request).await.unwrap().into_inner();
    held.appointment.unwrap().reference
}

/// The order of the slides' house, at another place.
fn at(order: &pb::NewOrder, imb: &str, pm: &str, place: [&str; 3]) -> pb::NewOrder {
    let [batiment, escalier, etage] = place.map(str::to_owned);
    pb::NewOrder {
        imb: imb.into(),
        pm: pm.into(),
        place: Some(pb::PlaceInBuilding { batiment, escalier, etage }),
        ..order.clone()
    }
}

/// (orders, live appointments, live addresses, sockets, held fibres, contacts)
async fn taken(world: &World) -> [i64; 6] {
    let db = &world.platform.db;
    [
        database::number(db, "SELECT COUNT(*) FROM orders").await,
        database::number(db, "SELECT COUNT(*) FROM appointments WHERE state = 'confirmed'").await,
        database::number(db, "SELECT COUNT(*) FROM orders_addresses WHERE released_at IS NULL").await,
        database::number(db, "SELECT COUNT(*) FROM orders_sockets").await,
        database::number(db, "SELECT CAST(COALESCE(SUM(held), 0) AS BIGINT) FROM network_fibres").await,
        database::number(db, "SELECT COUNT(*) FROM orders_contacts").await,
    ]
}

/// Has the server read what orders changed in the network now instead of at its next turn.
async fn network(world: &World) {
    eservices_server::platform::network::store::look(&world.platform).await.unwrap();
}

const NA: [&str; 3] = ["_NA_", "_NA_", "_NA_"];

#[tokio::test]
async fn an_order_is_accepted_with_all_that_it_needs() {
    let world = World::start().await;
    world.capacity(2).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    let wanted = new_order("ALPHA-1", &held.reference);
    assert_eq!(validate(&alpha, wanted.clone()).await, Vec::<String>::new());
    assert_eq!(taken(&world).await, [0; 6], "a validation changes nothing");
    let request = pb::CreateOrderRequest { request_id: new_request_id(), order: Some(wanted.clone()) };
    let order = alpha.orders().create_order(request.clone()).await.unwrap().into_inner().order.unwrap();
    assert_eq!((order.r#type(), order.state()), (Type::Creation, State::InProgress));
    assert!(order.number.len() == 15 && order.number.starts_with("CMD"), "{}", order.number);
    assert!(order.via.len() == 15 && order.via.starts_with("VIA"), "{}", order.via);
    assert!(order.aid.len() == 9 && order.aid.starts_with('F'), "{}", order.aid);
    assert_eq!(order.ipv4, "192.0.2.1", "the first of the pool");
    assert_eq!((order.pbo.as_str(), order.pto.as_str(), order.etag.as_str()), ("PT 002053", "", "1"));
    assert_eq!(order.appointment_type(), AppointmentType::House);
    let installed = order.installation_address.clone().unwrap();
    assert_eq!(
        [installed.number, installed.street, installed.postcode, installed.commune],
        ["6", "RUE ETIENNE GANNERON", "77600", "BUSSY-ST-GEORGES"]
    );
    // Two changes of the caller's own: the appointment's, then the order's; the hold was the first.
    assert_eq!(order.revision, 3);
    assert!(
        order.contact.is_none() && order.delivery_address.is_none(),
        "replies are kept: no personal data"
    );
    assert_eq!(taken(&world).await, [1, 1, 1, 0, 1, 1]);

    let again = alpha.orders().create_order(request).await.unwrap().into_inner().order.unwrap();
    assert_eq!(again, order);
    assert_eq!(taken(&world).await, [1, 1, 1, 0, 1, 1]);

    let read = get(&alpha, &order.number).await;
    let found = read.order.unwrap();
    assert_eq!(
        (found.contact.clone(), found.delivery_address.clone()),
        (wanted.contact, wanted.delivery_address)
    );
    assert_eq!(pb::Order { contact: None, delivery_address: None, ..found }, order);
    let [accepted] = &read.history[..] else { panic!("{:?}", read.history) };
    assert_eq!(
        (accepted.position, accepted.kind.as_str(), accepted.author()),
        (1, "ACCEPTED", pb::Author::Operator)
    );
    let request = ap::GetAppointmentRequest { reference: held.reference.clone() };
    let appointment =
        alpha.appointments().get_appointment(request).await.unwrap().into_inner().appointment.unwrap();
    assert_eq!(appointment.state(), ap::AppointmentState::Confirmed);
    // It goes with its order.
    let request = ap::CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: held.reference,
        etag: appointment.etag,
    };
    assert_eq!(reason(alpha.appointments().cancel_appointment(request).await), "FRDV04");
}

/// One wrong thing at a time; the code by hand from the market's list, off the wire.
#[tokio::test]
async fn every_condition_is_refused_with_its_code() {
    let world = World::start().await;
    world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let slot = slot_id(8, "08:00");
    let house = new_order("ALPHA-1", &hold(&alpha, &slot).await.reference);
    let with = |change: fn(&mut pb::NewOrder)| {
        let mut order = house.clone();
        change(&mut order);
        order
    };
    let block = |imb: &'static str, pm: &'static str, place: [&'static str; 3]| at(&house, imb, pm, place);
    let foreign = hold(&beta, &slot).await.reference;
    let mut short = hold_at(&alpha, "IMB/77058/X/0302", AppointmentType::Short, &slot).await;
    let of_another_operator = pb::NewOrder { appointment_reference: foreign, ..house.clone() };
    let too_short = pb::NewOrder {
        appointment_reference: hold_at(&alpha, "IMB/77058/X/0218", AppointmentType::Short, &slot).await,
        ..house.clone()
    };
    let ftth = ap::Intervention { product_nature: "FTTH".into(), ..intervention() };
    let request = ap::HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(ftth),
        slot_id: slot.clone(),
    };
    let other_nature = alpha.appointments().hold_appointment(request).await.unwrap().into_inner();
    let other_nature =
        pb::NewOrder { appointment_reference: other_nature.appointment.unwrap().reference, ..house.clone() };
    // (order, everything that is found in its order)
    let by_hand: Vec<(pb::NewOrder, &[&str])> = vec![
        (with(|o| o.offer_code = "CE2O".into()), &["OFFER_NOT_ORDERED_HERE", "NOT_ELIGIBLE", "FRDV05"]),
        (with(|o| o.qualification_reference = "AAAA".into()), &["QUALIFICATION_REFUSED"]),
        (with(|o| o.imb = "IMB/77058/X/9999".into()), &["FADR01"]),
        (with(|o| o.place.as_mut().unwrap().batiment = "Z".into()), &["FADR02"]),
        (block("IMB/77058/C/0301", "FI-77058-000C", ["_NA_", "Z", "1"]), &["FADR03", "FRDV06"]),
        (block("IMB/77058/C/0301", "FI-77058-000C", ["_NA_", "A", "9"]), &["FADR04", "FRDV06"]),
        (with(|o| o.pm = "FI-77058-ZZZZ".into()), &["FIMP07"]),
        (with(|o| o.pm = "FI-77058-000C".into()), &["FIMP08"]),
        (block("IMB/77058/C/0408", "FI-77058-000D", ["_NA_", "_NA_", "1"]), &["FIMP09", "FRDV06"]),
        (block("IMB/77058/C/0407", "FI-77058-000C", ["_NA_", "_NA_", "1"]), &["FIMP10", "FRDV06"]),
        (block("IMB/77058/C/0412", "FI-77058-000C", ["_NA_", "_NA_", "1"]), &["NOT_ELIGIBLE", "FRDV06"]),
        (block("IMB/77058/C/0411", "FI-77058-000C", ["_NA_", "_NA_", "1"]), &["NOT_ELIGIBLE", "FRDV06"]),
        (with(|o| o.pto = "FI-ZZZZ-9999".into()), &["FIMP02", "APPOINTMENT_TYPE_WRONG"]),
        (with(|o| o.pto = "FI-1D00-0001".into()), &["FIMP03", "APPOINTMENT_TYPE_WRONG"]),
        (
            pb::NewOrder {
                appointment_reference: std::mem::take(&mut short),
                ..block("IMB/77058/X/0302", "FI-77058-000B", NA)
            },
            &["FIMP18"],
        ),
        (block("IMB/77058/C/0301", "FI-77058-000C", ["_NA_", "A", "3"]), &["FINT01", "FRDV06"]),
        (of_another_operator, &["APPOINTMENT_UNKNOWN"]),
        (other_nature, &["FRDV05"]),
        (too_short, &["APPOINTMENT_TYPE_WRONG"]),
    ];
    for (order, expected) in by_hand {
        let found = validate(&alpha, order.clone()).await;
        let codes: Vec<&str> = found.iter().map(|line| line.split(' ').next().unwrap()).collect();
        // A type of visit may be wrong besides where the place is another one.
        let without = |code: &&&str| **code != "APPOINTMENT_TYPE_WRONG" || expected.contains(*code);
        let seen: Vec<&str> = codes.iter().filter(without).copied().collect();
        assert_eq!(seen, expected, "{found:?} {order:?}");
        let before = taken(&world).await;
        let error = refusal(create(&alpha, order).await);
        assert_eq!(error.reason_name(), Some(codes[0]));
        assert_eq!(error.code(), Code::FailedPrecondition);
        let violations = error.precondition_violations();
        assert_eq!(violations.iter().map(|v| v.kind.as_str()).collect::<Vec<_>>(), codes);
        assert!(violations.iter().all(|v| v.subject.starts_with("order.")), "{violations:?}");
        assert_eq!(taken(&world).await, before);
    }
}

/// What depends on other orders: own reference, sockets, the last fibre.
#[tokio::test]
async fn what_other_orders_took_is_refused() {
    let world = World::start().await;
    world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let slot = slot_id(8, "08:00");
    let first = place(&alpha, "ALPHA-1", &slot).await;
    let twice = new_order("ALPHA-1", &hold(&alpha, &slot).await.reference);
    let error = refusal(create(&alpha, twice).await);
    assert_eq!((error.code(), error.reason_name()), (Code::AlreadyExists, Some("FIMP13")));
    assert_eq!(error.metadata("order_number"), Some(first.number.as_str()));
    let quoted = new_order("ALPHA-2", &first.appointment_reference);
    assert_eq!(reason(create(&alpha, quoted).await), "FRDV04");
    // Another operator may use the same reference of its own.
    place(&beta, "ALPHA-1", &slot).await;

    // The socket of the house next door: a short visit.
    let imb = "IMB/77058/X/0302";
    let socket = |reference: &str, appointment: String| pb::NewOrder {
        pto: "FI-1D00-0001".into(),
        ..at(&new_order(reference, &appointment), imb, "FI-77058-000B", NA)
    };
    let visit = AppointmentType::Short;
    let order = create(&alpha, socket("ALPHA-3", hold_at(&alpha, imb, visit, &slot).await)).await.unwrap();
    let error = refusal(create(&alpha, socket("ALPHA-4", hold_at(&alpha, imb, visit, &slot).await)).await);
    assert_eq!(error.reason_name(), Some("FIMP19"));
    assert_eq!(error.metadata("order_number"), Some(order.number.as_str()));
    let error = refusal(create(&beta, socket("BETA-3", hold_at(&beta, imb, visit, &slot).await)).await);
    assert_eq!((error.reason_name(), error.metadata("order_number")), (Some("FIMP11"), None));
    assert!(!format!("{error:?} {error}").contains(&order.number));
    // Once it is free again, whoever comes first has it.
    cancel(&alpha, &order).await.unwrap();
    create(&beta, socket("BETA-5", hold_at(&beta, imb, visit, &slot).await)).await.unwrap();

    // One fibre is left on PT 005045: floor 1 takes it.
    let imb = "IMB/77058/S/037L";
    let floor = |reference: &str, etage: &'static str, appointment: String| {
        at(&new_order(reference, &appointment), imb, "FI-77058-000C", ["_NA_", "_NA_", etage])
    };
    let visit = AppointmentType::Building;
    create(&alpha, floor("ALPHA-6", "1", hold_at(&alpha, imb, visit, &slot).await)).await.unwrap();
    network(&world).await;
    let error =
        refusal(create(&alpha, floor("ALPHA-7", "3", hold_at(&alpha, imb, visit, &slot).await)).await);
    assert_eq!(error.reason_name(), Some("FINT02"));
    let error =
        refusal(create(&alpha, floor("ALPHA-8", "4", hold_at(&alpha, imb, visit, &slot).await)).await);
    assert_eq!((error.reason_name(), error.metadata("known")), (Some("FIMP01"), Some("FI-09J5-0KS9")));
}

#[tokio::test]
async fn form_errors_come_all_at_once_with_their_codes() {
    let world = World::start().await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let found = |order: pb::NewOrder| {
        let alpha = alpha.clone();
        async move {
            let error = refusal(create(&alpha, order).await);
            assert_eq!(error.reason_name(), Some("FIELDS_INVALID"));
            let read = |v: eservices_client::FieldViolation| format!("{} {}", v.code, v.field);
            error.field_violations().into_iter().map(read).collect::<BTreeSet<_>>()
        }
    };
    let missing: BTreeSet<String> = [
        "operator_reference",
        "offer_code",
        "appointment_reference",
        "contact.last_name",
        "contact.phone",
        "imb",
        "pm",
        "place.batiment",
        "place.escalier",
        "place.etage",
        "delivery_address.street",
        "delivery_address.postcode",
        "delivery_address.commune",
    ]
    .iter()
    .map(|field| format!("FIMP15 order.{field}"))
    .collect();
    assert_eq!(found(pb::NewOrder::default()).await, missing);
    let mut wrong = new_order("ALPHA-1", "ITP-DOA-2026");
    wrong.imb = "IMB".into();
    wrong.pm = "PM".into();
    wrong.pto = "PTO".into();
    wrong.operator_reference = "x".repeat(31);
    wrong.contact.as_mut().unwrap().phone = "12".into();
    wrong.contact.as_mut().unwrap().last_name = "a\nb".into();
    wrong.place.as_mut().unwrap().etage = "x".repeat(26);
    wrong.delivery_address.as_mut().unwrap().postcode = "7760".into();
    wrong.comment = "x".repeat(513);
    wrong.scenario = "SOMETHING_ELSE".into();
    let malformed: BTreeSet<String> = [
        "operator_reference",
        "appointment_reference",
        "imb",
        "pm",
        "pto",
        "contact.phone",
        "contact.last_name",
        "place.etage",
        "delivery_address.postcode",
        "comment",
        "scenario",
    ]
    .iter()
    .map(|field| format!("FIMP16 order.{field}"))
    .collect();
    assert_eq!(found(wrong).await, malformed);
    let unknown =
        pb::NewOrder { offer_code: "NOTHING".into(), ..new_order("A", "ITP-DOA-20261124-482910057713-ERDV") };
    assert_eq!(found(unknown).await, BTreeSet::from(["FIMP16 order.offer_code".to_owned()]));
}

#[tokio::test]
async fn a_qualification_is_quoted_for_what_it_is_about() {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let ask = |imb: &str, offer: &str| {
        let request = el::CheckEligibilityRequest {
            key: Some(el::check_eligibility_request::Key::Imb(imb.into())),
            offer_codes: vec![offer.into()],
            ..Default::default()
        };
        let alpha = alpha.clone();
        async move {
            alpha.eligibility().check_eligibility(request).await.unwrap().into_inner().qualification_reference
        }
    };
    let wanted = new_order("ALPHA-1", &hold(&alpha, &slot_id(8, "08:00")).await.reference);
    let quoting = |qualification_reference| pb::NewOrder { qualification_reference, ..wanted.clone() };
    let house = "IMB/77058/X/0218";
    let field = "QUALIFICATION_REFUSED order.qualification_reference".to_owned();
    let elsewhere = quoting(ask("IMB/77058/X/0302", "JUST_FIBRE").await);
    assert_eq!(validate(&alpha, elsewhere).await, std::slice::from_ref(&field));
    assert_eq!(validate(&alpha, quoting(ask(house, "OPTIMUM_PM").await)).await, std::slice::from_ref(&field));
    let right = quoting(ask(house, "JUST_FIBRE").await);
    assert_eq!(validate(&alpha, right.clone()).await, Vec::<String>::new());
    create(&alpha, right.clone()).await.unwrap();
    // 30 days later it is over, and so is the hold; the reference of the order is taken.
    world.machine_on(31 * 86_400).await;
    assert_eq!(
        validate(&alpha, right).await,
        [
            "FIMP13 order.operator_reference",
            "QUALIFICATION_REFUSED order.qualification_reference",
            "FRDV04 order.appointment_reference"
        ]
    );
}

#[tokio::test]
async fn a_cancelled_order_gives_everything_back() {
    let world = World::start().await;
    world.capacity(1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let slot = slot_id(8, "08:00");
    let order = place(&alpha, "ALPHA-1", &slot).await;
    let reset = sa::ResetAppointmentsRequest { request_id: new_request_id() };
    let reset = alpha.sandbox().reset_appointments(reset).await.unwrap().into_inner();
    assert_eq!(reset.cancelled_count, 0, "an order keeps its appointment");
    let stale = pb::Order { etag: "7".into(), ..order.clone() };
    let error = refusal(cancel(&alpha, &stale).await);
    assert_eq!((error.reason_name(), error.metadata("current_etag")), (Some("ETAG_MISMATCH"), Some("1")));
    let cancelled = cancel(&alpha, &order).await.unwrap();
    assert_eq!((cancelled.state(), cancelled.failure_code.as_str()), (State::Failed, "FCLI04"));
    assert_eq!(taken(&world).await, [1, 0, 0, 0, 0, 1]);
    let error = refusal(cancel(&alpha, &cancelled).await);
    assert_eq!(error.reason_name(), Some("ORDER_STATE_FORBIDS"));
    assert_eq!(error.metadata("state"), Some("failed"));
    assert_eq!(error.metadata("allowed_states"), Some("in_progress,appointment_to_retake"));
    // The only place of the slot is free again; the address rests, the next order has the next one.
    let next = place(&alpha, "ALPHA-2", &slot).await;
    assert_eq!(next.ipv4, "192.0.2.2");
    let history = get(&alpha, &order.number).await.history;
    let kinds: Vec<_> = history.iter().map(|e| (e.position, e.kind.as_str(), e.code.as_str())).collect();
    assert_eq!(kinds, [(1, "ACCEPTED", ""), (2, "CANCELLED", "FCLI04")]);
}

/// A house from order to delivery as the field reports it, with an absence in between.
#[tokio::test]
async fn a_journey_with_an_absence() {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let parcel = [("parcel_number", "XW161155304JB"), ("box_serial", "N7180104R001091")];
    reported(&world, &order, Action::ShipBox, "", &parcel).await.unwrap();
    reported(&world, &order, Action::StartConstruction, "", &[]).await.unwrap();
    let started = get(&alpha, &order.number).await.order.unwrap();
    assert_eq!(started.state(), State::UnderConstruction);
    assert_eq!(reason(cancel(&alpha, &started).await), "ORDER_STATE_FORBIDS");
    let absent = reported(&world, &order, Action::ReportAbsence, "FCLI07", &[]).await.unwrap();
    assert_eq!((absent.state(), absent.failure_code.as_str()), (State::AppointmentToRetake, "FCLI07"));
    // 30 days from 24 November 2026.
    assert_eq!((absent.retake_until.as_str(), absent.appointment_reference.as_str()), ("2026-12-24", ""));
    // The visit came to nothing: its place is free, and it is not moved any more.
    assert_eq!(taken(&world).await, [1, 0, 1, 0, 1, 1]);
    let booked = "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots";
    assert_eq!(database::number(&world.platform.db, booked).await, 0);
    let request = ap::GetAppointmentRequest { reference: order.appointment_reference.clone() };
    let missed =
        alpha.appointments().get_appointment(request).await.unwrap().into_inner().appointment.unwrap();
    let moved = ap::RescheduleAppointmentRequest {
        request_id: new_request_id(),
        reference: missed.reference,
        etag: missed.etag,
        slot_id: slot_id(10, "08:00"),
    };
    assert_eq!(reason(alpha.appointments().reschedule_appointment(moved).await), "FRDV04");

    let retake = |appointment: String, etag: String| {
        let request = pb::RetakeAppointmentRequest {
            request_id: new_request_id(),
            number: order.number.clone(),
            etag,
            appointment_reference: appointment,
        };
        let alpha = alpha.clone();
        async move { alpha.orders().retake_appointment(request).await.map(|a| a.into_inner().order.unwrap()) }
    };
    let slot = slot_id(9, "08:00");
    let wrong = hold_at(&alpha, "IMB/77058/X/0218", AppointmentType::Short, &slot).await;
    assert_eq!(reason(retake(wrong, absent.etag.clone()).await), "APPOINTMENT_TYPE_WRONG");
    assert_eq!(reason(retake(order.appointment_reference.clone(), absent.etag.clone()).await), "FRDV04");
    let unknown = "ITP-DOA-20261124-000000000000-ERDV".to_owned();
    assert_eq!(reason(retake(unknown, absent.etag.clone()).await), "APPOINTMENT_UNKNOWN");
    let new = hold(&alpha, &slot).await.reference;
    let going_on = retake(new.clone(), absent.etag).await.unwrap();
    assert_eq!(
        (going_on.state(), going_on.appointment_reference.as_str()),
        (State::InProgress, new.as_str())
    );
    assert_eq!((going_on.failure_code.as_str(), going_on.retake_until.as_str()), ("", ""));

    reported(&world, &order, Action::StartConstruction, "", &[]).await.unwrap();
    let facts = [("ont_serial", "HWTC0172629D"), ("pto", "FI-0A1B-2C3D")];
    let done = reported(&world, &order, Action::FinishIntervention, "", &facts).await.unwrap();
    assert_eq!((done.state(), done.pto.as_str()), (State::Installed, "FI-0A1B-2C3D"));
    let delivered = reported(&world, &order, Action::Complete, "", &[]).await.unwrap();
    assert_eq!(delivered.state(), State::Completed);
    // The socket is laid: it takes the fibre that was held, and is alive.
    assert_eq!(taken(&world).await, [1, 1, 1, 1, 0, 1]);
    let lines =
        database::texts(&world.platform.db, "SELECT pto || ' ' || pbo || ' ' || state FROM network_lines")
            .await;
    assert_eq!(lines, ["FI-0A1B-2C3D PT 002053 ACTIVE"]);
    let access = "SELECT aid || ' ' || state || ' ' || box_serial FROM orders_accesses";
    assert_eq!(
        database::texts(&world.platform.db, access).await,
        [format!("{} active N7180104R001091", order.aid)]
    );
    assert_eq!(reason(cancel(&alpha, &delivered).await), "ORDER_STATE_FORBIDS");
    let history = get(&alpha, &order.number).await.history;
    let kinds: Vec<_> = history.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "ACCEPTED",
            "BOX_SHIPPED",
            "CONSTRUCTION",
            "CUSTOMER_ABSENT",
            "APPOINTMENT_RETAKEN",
            "CONSTRUCTION",
            "INTERVENTION_OK",
            "COMPLETED"
        ]
    );
    let shipped: Vec<_> = history[1].facts.iter().map(|f| format!("{}={}", f.name, f.value)).collect();
    assert_eq!(shipped, ["box_serial=N7180104R001091", "parcel_number=XW161155304JB"]);
    // The house has its socket now: who orders there must name it.
    network(&world).await;
    let again = new_order("ALPHA-2", &hold(&alpha, &slot).await.reference);
    assert_eq!(validate(&alpha, again).await[0], "FIMP18 order.pto");
}

#[tokio::test]
async fn lists_counts_and_comments() {
    let world = World::start().await;
    world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let slot = slot_id(8, "08:00");
    let mut numbers = Vec::new();
    for n in 0..5 {
        numbers.insert(0, place(&alpha, &format!("ALPHA-{n}"), &slot).await.number);
        world.machine_on(1).await;
    }
    let foreign = place(&beta, "BETA-1", &slot).await;
    let list = |request: pb::ListOrdersRequest| {
        let alpha = alpha.clone();
        async move { alpha.orders().list_orders(request).await.unwrap().into_inner() }
    };
    let named =
        |page: &pb::ListOrdersResponse| page.orders.iter().map(|o| o.number.clone()).collect::<Vec<_>>();
    let mut request = pb::ListOrdersRequest { page_size: 2, ..Default::default() };
    let mut found = Vec::new();
    loop {
        let page = list(request.clone()).await;
        found.extend(named(&page));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(found, numbers, "newest first, each once, nobody else's");
    let by_reference = pb::ListOrdersRequest { operator_reference: "ALPHA-3".into(), ..Default::default() };
    assert_eq!(named(&list(by_reference).await), [numbers[1].clone()]);
    let first = get(&alpha, &numbers[4]).await.order.unwrap();
    cancel(&alpha, &first).await.unwrap();
    let failed = pb::ListOrdersRequest { states: vec![State::Failed.into()], ..Default::default() };
    assert_eq!(named(&list(failed).await), [numbers[4].clone()]);

    let counts = alpha.orders().count_orders(pb::CountOrdersRequest {}).await.unwrap().into_inner().counts;
    let shown: Vec<_> =
        counts.iter().filter(|c| c.orders > 0).map(|c| (c.r#type(), c.state(), c.orders)).collect();
    assert_eq!(shown, [(Type::Creation, State::InProgress, 4), (Type::Creation, State::Failed, 1)]);
    assert_eq!(counts.len(), 6 + 4 + 4, "every state that a type can be in");

    let comment = |number: &str, text: &str| pb::AddCommentRequest {
        request_id: new_request_id(),
        number: number.into(),
        comment: text.into(),
    };
    let said = alpha.orders().add_comment(comment(&numbers[0], "Appeler avant.")).await.unwrap().into_inner();
    assert_eq!(said.entry.unwrap().position, 2);
    let history = get(&alpha, &numbers[0]).await.history;
    assert_eq!((history[1].kind.as_str(), history[1].comment.as_str()), ("COMMENT", "Appeler avant."));
    let over = alpha.orders().add_comment(comment(&numbers[4], "Trop tard.")).await;
    assert_eq!(reason(over), "ORDER_STATE_FORBIDS");
    let theirs = alpha.orders().add_comment(comment(&foreign.number, "Bonjour")).await;
    assert_eq!(reason(theirs), "RESOURCE_NOT_FOUND");
}

/// The last address of a pool, and one that comes back after its quarantine.
#[tokio::test]
async fn addresses_are_given_once_and_again_after_a_quarantine() {
    let mut plan = crate::harness::Plan::default();
    plan.config.orders.ipv4_pools = "198.51.100.8/31".into();
    plan.config.orders.quarantine_days = 10;
    let world = World::from(plan).await;
    world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let slot = slot_id(8, "08:00");
    let first = place(&alpha, "ALPHA-1", &slot).await;
    let second = place(&alpha, "ALPHA-2", &slot).await;
    assert_eq!((first.ipv4.as_str(), second.ipv4.as_str()), ("198.51.100.8", "198.51.100.9"));
    let third = new_order("ALPHA-3", &hold(&alpha, &slot).await.reference);
    let before = taken(&world).await;
    assert_eq!(reason(create(&alpha, third.clone()).await), "NO_ADDRESS_LEFT");
    assert_eq!(taken(&world).await, before, "the appointment is still held, not confirmed");
    cancel(&alpha, &first).await.unwrap();
    assert_eq!(reason(create(&alpha, third.clone()).await), "NO_ADDRESS_LEFT");
    // A pool that is cut anew begins at its first address: one is in use, the other rests.
    assert_eq!(database::execute(&world.platform.db, "DELETE FROM orders_pools").await, 1);
    assert_eq!(reason(create(&alpha, third).await), "NO_ADDRESS_LEFT");
    // What came back of pools that are gone is passed over, however much it is.
    for address in 0..20 {
        let other = format!(
            "INSERT INTO orders_free_addresses (ipv4, free_from) VALUES ('203.0.113.{address}', {address})"
        );
        database::execute(&world.platform.db, Box::leak(other.into_boxed_str())).await;
    }
    world.machine_on(10 * 86_400).await;
    let late = new_order("ALPHA-4", &hold(&alpha, &slot_id(18, "08:00")).await.reference);
    assert_eq!(create(&alpha, late).await.unwrap().ipv4, "198.51.100.8");
    let held = "SELECT ipv4 || ' ' || CASE WHEN released_at IS NULL THEN 'held' ELSE 'released' END \
                FROM orders_addresses ORDER BY assigned_at, ipv4";
    assert_eq!(
        database::texts(&world.platform.db, held).await,
        ["198.51.100.8 released", "198.51.100.9 held", "198.51.100.8 held"]
    );
}

#[tokio::test]
async fn the_right_follows_from_the_offer() {
    let world = World::start().await;
    world.capacity(5).await;
    let e_just = ["e-just", "e-rdv-grand-public"];
    let beta = world.client(&world.operator(SIRENS[1], &e_just).await).await;
    let order = new_order("BETA-1", &hold(&beta, &slot_id(8, "08:00")).await.reference);
    let error = refusal(create(&beta, order.clone()).await);
    assert_eq!(error.reason_name(), Some("E_SERVICE_NOT_SUBSCRIBED"));
    assert_eq!(error.metadata("e_service"), Some("e-just-fibre"));
    let request = pb::ValidateOrderRequest { order: Some(order.clone()) };
    assert_eq!(reason(beta.orders().validate_order(request).await), "E_SERVICE_NOT_SUBSCRIBED");
    let list = || {
        let beta = beta.clone();
        async move { beta.orders().list_orders(pb::ListOrdersRequest::default()).await.unwrap().into_inner() }
    };
    assert_eq!(list().await.orders, []);
    // Just Internet, the second entry of the catalogue, is e-Just's.
    let ftth = ap::Intervention { product_nature: "FTTH".into(), ..intervention() };
    let request = ap::HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(ftth),
        slot_id: slot_id(8, "08:00"),
    };
    let held = beta.appointments().hold_appointment(request).await.unwrap().into_inner().appointment.unwrap();
    let order =
        pb::NewOrder { offer_code: "JUST_INTERNET".into(), appointment_reference: held.reference, ..order };
    let order = create(&beta, order).await.unwrap();
    assert_eq!(list().await.orders, [order]);
}

/// A word that stands in nothing else, in every field that is said of an end customer.
fn with_canaries(order: pb::NewOrder) -> pb::NewOrder {
    let canary = |n: u32| format!("Canari{n}Zq");
    pb::NewOrder {
        contact: Some(pb::Contact {
            last_name: canary(1),
            first_name: canary(2),
            phone: "0199731501".into(),
            other_phone: "+33731599731".into(),
        }),
        delivery_address: Some(pb::PostalAddress {
            number: "7315Q".into(),
            street: canary(3),
            complement: canary(4),
            postcode: "97150".into(),
            commune: canary(5),
        }),
        comment: canary(6),
        ..order
    }
}

const CANARIES: [&str; 10] = [
    "Canari1Zq",
    "Canari2Zq",
    "0199731501",
    "+33731599731",
    "7315Q",
    "Canari3Zq",
    "Canari4Zq",
    "Canari5Zq",
    "Canari6Zq",
    "Canari7Zq",
];

/// Everything that this thread's server logs, at its most talkative.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_is_said_of_an_end_customer_can_be_erased() {
    let logged = Logged::default();
    let writer = logged.clone();
    // The runtime of a test has one thread: what the server does is logged here. Frames as h2 sees them are not ours. Two
    // subscribers: with one alone, tracing asks the thread that meets a log line first, which may be another test's.
    let logs = || {
        let writer = writer.clone();
        tracing_subscriber::fmt()
            .with_env_filter("trace,h2=info,hyper=info")
            .with_writer(move || writer.clone())
            .set_default()
    };
    let _logs = (logs(), logs());
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let slot = slot_id(8, "08:00");
    let order = with_canaries(new_order("ALPHA-1", &hold(&alpha, &slot).await.reference));
    let order = create(&alpha, order).await.unwrap();
    let comment = pb::AddCommentRequest {
        request_id: new_request_id(),
        number: order.number.clone(),
        comment: "Canari7Zq".into(),
    };
    alpha.orders().add_comment(comment).await.unwrap();
    let found = |dump: &str| CANARIES.iter().filter(|c| database::holds(dump, c)).count();
    assert_eq!(found(&database::dump(&world.platform.db).await), CANARIES.len());

    let erase = |client: &Client| {
        let request = pb::EraseContactRequest { request_id: new_request_id(), number: order.number.clone() };
        let client = client.clone();
        async move { client.orders().erase_contact(request).await.map(tonic::Response::into_inner) }
    };
    let error = refusal(erase(&alpha).await);
    assert_eq!(error.reason_name(), Some("ORDER_STATE_FORBIDS"), "the field still needs the contact");
    assert_eq!(error.metadata("allowed_states"), Some("completed,failed"));
    let read = get(&alpha, &order.number).await.order.unwrap();
    cancel(&alpha, &read).await.unwrap();
    assert_eq!(reason(erase(&beta).await), "RESOURCE_NOT_FOUND");
    assert_eq!(erase(&alpha).await.unwrap(), pb::EraseContactResponse { contact: true, comments: 2 });
    assert_eq!(found(&database::dump(&world.platform.db).await), 0);
    let left = get(&alpha, &order.number).await;
    let order_left = left.order.unwrap();
    assert!(order_left.contact.is_none() && order_left.delivery_address.is_none());
    assert!(left.history.iter().all(|entry| entry.comment.is_empty()));
    let kinds: Vec<_> = left.history.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(kinds, ["ACCEPTED", "COMMENT", "CANCELLED", "CONTACT_ERASED"]);
    assert_eq!(erase(&alpha).await.unwrap(), pb::EraseContactResponse { contact: false, comments: 0 });
    let logged = String::from_utf8_lossy(&logged.0.lock().unwrap()).into_owned();
    assert!(logged.contains("OrderService/CreateOrder"), "the log is that of the journey");
    assert_eq!(CANARIES.iter().filter(|canary| logged.contains(**canary)).count(), 0);
}

#[tokio::test]
async fn who_held_an_address_is_told_to_its_operator_and_noted() {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let from = order.create_time.unwrap();
    world.machine_on(3_600).await;
    cancel(&alpha, &order).await.unwrap();
    let ask = |client: &Client, seconds: i64| {
        let request = pb::FindAddressHolderRequest {
            request_id: new_request_id(),
            ipv4: "192.0.2.1".into(),
            at_time: Some(prost_types::Timestamp { seconds: from.seconds + seconds, nanos: from.nanos }),
        };
        let client = client.clone();
        async move { client.orders().find_address_holder(request).await.unwrap().into_inner().holder }
    };
    for (seconds, held) in [(-1, false), (0, true), (3_599, true), (3_600, false)] {
        assert_eq!(ask(&alpha, seconds).await.is_some(), held, "{seconds}");
    }
    let holder = ask(&alpha, 60).await.unwrap();
    assert_eq!((holder.aid, holder.via, holder.order_number), (order.aid, order.via, order.number));
    assert_eq!(holder.until_time.unwrap().seconds, from.seconds + 3_600);
    assert_eq!(ask(&beta, 60).await, None, "as if nobody had held it");
    // A certificate of the same operator that does not open the access's e-service.
    let holder = Holder::operator(SIRENS[0]).unwrap();
    let narrow = world.certificate(&holder, &["e-just"], Environment::NonProduction).await;
    assert_eq!(ask(&world.client(&narrow).await, 60).await, None);
    let noted =
        "SELECT COUNT(*) FROM audit WHERE method = '/eservices.orders.v1.OrderService/FindAddressHolder'";
    assert_eq!(database::number(&world.platform.db, noted).await, 7, "every question, answered or not");
}
