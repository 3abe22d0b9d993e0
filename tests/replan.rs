//! `ReplanAppointment`: the back office moves what an operator booked, and both know.

use eservices::{
    appointments::v1::{self as ap, AppointmentState as State},
    fulfilment::v1::{self as pb, Capability},
    sandbox::v1::{AdvanceClockRequest, advance_clock_request::Target},
};
use eservices_client::{Client, new_request_id};
use tonic::Code;

use crate::harness::{
    ALL, SIRENS, World, database, day_after,
    field::{Field, installed, say, started},
    hold,
    orders::{cancelled, place},
    publish_days, publish_zone, reason, refusal, slot_id,
};

fn request(reference: &str, etag: &str, slot: &str) -> pb::ReplanAppointmentRequest {
    pb::ReplanAppointmentRequest {
        request_id: new_request_id(),
        appointment_reference: reference.into(),
        etag: etag.into(),
        slot_id: slot.into(),
    }
}

async fn replan(
    client: &Client,
    request: pb::ReplanAppointmentRequest,
) -> Result<pb::Booking, tonic::Status> {
    client.fulfilment().replan_appointment(request).await.map(|answer| answer.into_inner().booking.unwrap())
}

async fn read(client: &Client, reference: &str) -> ap::Appointment {
    let request = ap::GetAppointmentRequest { reference: reference.into() };
    client.appointments().get_appointment(request).await.unwrap().into_inner().appointment.unwrap()
}

/// Places taken, slot by slot, where there are any.
async fn booked(world: &World) -> Vec<String> {
    let text = "SELECT slot_id || ' ' || CAST(booked AS TEXT) FROM appointments_slots WHERE booked > 0 ORDER BY slot_id";
    database::texts(&world.platform.db, text).await
}

#[tokio::test]
async fn a_visit_is_moved_and_everybody_knows() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 1).await;
    // Far beyond the days in which operators book.
    publish_days(&field.workforce, "ZMLV", vec![day_after(40)], 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let order = place(&alpha, "ALPHA-1", &slot_id(8, "08:00")).await;
    let visit = field.lease(Capability::Installation).await;
    let listed =
        pb::ListZoneBookingsRequest { zone_code: "ZMLV".into(), day: day_after(8), ..Default::default() };
    let bookings =
        field.workforce.fulfilment().list_zone_bookings(listed).await.unwrap().into_inner().bookings;
    let [booking] = &bookings[..] else { panic!("{bookings:?}") };
    let before = read(&alpha, &order.appointment_reference).await;
    assert_eq!((&booking.reference, &booking.etag), (&before.reference, &before.etag));

    let to = slot_id(40, "13:00");
    let sent = request(&booking.reference, &booking.etag, &to);
    let moved = replan(&field.workforce, sent.clone()).await.unwrap();
    assert_eq!(moved.slot.clone().unwrap().slot_id, to);
    assert_eq!(replan(&field.workforce, sent).await.unwrap(), moved, "the same request again");
    let after = read(&alpha, &order.appointment_reference).await;
    assert_eq!(after.slot.unwrap().slot_id, to);
    assert_eq!((after.state, after.changes_left), (before.state, before.changes_left), "nothing is used up");
    assert_eq!(after.etag, moved.etag);
    assert_eq!(booked(&world).await, [format!("{to} 1")]);
    let told = "SELECT kind FROM events WHERE party_id = 'o-900000001' ORDER BY revision DESC LIMIT 1";
    assert_eq!(database::texts(&world.platform.db, told).await, ["appointments.replanned"]);
    assert_eq!(field.kept(&visit).await.details.unwrap().slot.unwrap().slot_id, to);
    // It still is the order's: it goes with it.
    cancelled(&alpha, order).await;
    assert_eq!(booked(&world).await, [""; 0]);
}

#[tokio::test]
async fn what_speaks_against_it_is_said() {
    let world = World::start().await;
    let workforce = world.capacity(1).await;
    publish_zone(&workforce, "ZBRI", &["77053"]).await;
    publish_days(&workforce, "ZBRI", vec![day_after(9)], 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    hold(&alpha, &slot_id(9, "08:00")).await;
    let (first, other) = (slot_id(8, "08:00"), slot_id(9, "13:00"));
    let asked =
        async |etag: &str, slot: &str| reason(replan(&workforce, request(&held.reference, etag, slot)).await);

    let error = refusal(replan(&workforce, request(&held.reference, "9", &other)).await);
    assert_eq!((error.code(), error.reason_name()), (Code::Aborted, Some("ETAG_MISMATCH")));
    assert_eq!(error.metadata("current_etag"), Some(held.etag.as_str()));
    assert_eq!(asked(&held.etag, &first).await, "FIELDS_INVALID", "it is there");
    assert_eq!(asked(&held.etag, &slot_id(9, "08:00")).await, "FRDV02", "full");
    assert_eq!(asked(&held.etag, "ZMLV-20261204-0730").await, "FRDV02", "no such slot");
    assert_eq!(asked(&held.etag, &other.replace("ZMLV", "ZBRI")).await, "FRDV06", "another zone");
    let unknown = held.reference.replace("ITP", "ITC");
    assert_eq!(reason(replan(&workforce, request(&unknown, "1", &other)).await), "RESOURCE_NOT_FOUND");
    let error = refusal(replan(&workforce, pb::ReplanAppointmentRequest::default()).await);
    let fields: Vec<String> = error.field_violations().into_iter().map(|v| v.field).collect();
    assert_eq!(fields, ["request_id", "appointment_reference", "etag", "slot_id"]);
    assert_eq!(booked(&world).await, [format!("{first} 1"), format!("{} 1", slot_id(9, "08:00"))]);

    // What is due lapses where its place is wanted.
    let due = hold(&alpha, &slot_id(10, "08:00")).await;
    world.machine_on(1_000).await;
    let fresh = hold(&alpha, &slot_id(10, "13:00")).await;
    world.machine_on(801).await;
    assert_eq!(read(&alpha, &due.reference).await.state(), State::Lapsed);
    let moved =
        replan(&workforce, request(&fresh.reference, &fresh.etag, &slot_id(10, "08:00"))).await.unwrap();
    assert_eq!(moved.slot.unwrap().slot_id, slot_id(10, "08:00"));
    assert_eq!(asked(&held.etag, &other).await, "FRDV03", "a hold that has run out");
    let request = ap::CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: fresh.reference.clone(),
        etag: moved.etag,
    };
    let etag = alpha
        .appointments()
        .cancel_appointment(request)
        .await
        .unwrap()
        .into_inner()
        .appointment
        .unwrap()
        .etag;
    assert_eq!(reason(replan(&workforce, self::request(&fresh.reference, &etag, &other)).await), "FRDV04");
}

/// A visit that has begun, or was made, stays where it is; nor is one moved into the past.
#[tokio::test]
async fn what_is_over_stays_where_it_is() {
    let world = World::start().await;
    let field = Field::set(&world, 5, 2).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let made = place(&alpha, "ALPHA-1", &slot_id(9, "08:00")).await;
    let visit = field.lease(Capability::Installation).await;
    let begun = place(&alpha, "ALPHA-2", &slot_id(8, "08:00")).await;
    let ahead = place(&alpha, "ALPHA-3", &slot_id(9, "08:00")).await;
    say(&field.workforce, &visit, started()).await.unwrap();
    say(&field.workforce, &visit, installed("FI-0A1B-2C3D")).await.unwrap();
    let booked = read(&alpha, &made.appointment_reference).await;
    let error = refusal(
        replan(&field.workforce, request(&booked.reference, &booked.etag, &slot_id(9, "13:00"))).await,
    );
    assert_eq!((error.reason_name(), error.metadata("state")), (Some("FRDV04"), Some("installed")));

    // Eight days from 24 November, an hour after the visit began.
    let at: jiff::Timestamp = "2026-12-02T08:00:00Z".parse().unwrap();
    let target = Target::To(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 });
    let request = AdvanceClockRequest { request_id: new_request_id(), target: Some(target) };
    alpha.sandbox().advance_clock(request).await.unwrap();
    let booked = read(&alpha, &begun.appointment_reference).await;
    let error = refusal(
        replan(&field.workforce, self::request(&booked.reference, &booked.etag, &slot_id(9, "13:00"))).await,
    );
    assert_eq!((error.reason_name(), error.metadata("state")), (Some("FRDV04"), Some("confirmed")));
    let booked = read(&alpha, &ahead.appointment_reference).await;
    let past =
        replan(&field.workforce, self::request(&booked.reference, &booked.etag, &slot_id(8, "08:00"))).await;
    assert_eq!(reason(past), "FRDV02");
}

/// Visits of two operators change places, both at once and crosswise: neither waits for the other for ever.
#[tokio::test]
async fn crossing_moves_pass() {
    let world = World::start().await;
    let workforce = world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    for _ in 0..10 {
        let (first, second) = (slot_id(8, "08:00"), slot_id(9, "08:00"));
        let (one, two) = (hold(&alpha, &first).await, hold(&beta, &second).await);
        let (there, back) = tokio::join!(
            replan(&workforce, request(&one.reference, &one.etag, &second)),
            replan(&workforce, request(&two.reference, &two.etag, &first)),
        );
        assert_eq!(there.unwrap().slot.unwrap().slot_id, second);
        assert_eq!(back.unwrap().slot.unwrap().slot_id, first);
    }
}

/// Operator and back office move the same visit at once: one of them does, the other is told what it is now.
#[tokio::test]
async fn one_of_two_moves_at_once_wins() {
    let world = World::start().await;
    let workforce = world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    for _ in 0..10 {
        let held = hold(&alpha, &slot_id(8, "08:00")).await;
        let mine = ap::RescheduleAppointmentRequest {
            request_id: new_request_id(),
            reference: held.reference.clone(),
            etag: held.etag.clone(),
            slot_id: slot_id(9, "08:00"),
        };
        let service = alpha.clone();
        let (operator, office) = tokio::join!(
            async move { service.appointments().reschedule_appointment(mine).await },
            replan(&workforce, request(&held.reference, &held.etag, &slot_id(9, "13:00"))),
        );
        let there = read(&alpha, &held.reference).await.slot.unwrap().slot_id;
        match (operator, office) {
            (Ok(_), Err(status)) => {
                assert_eq!((reason::<()>(Err(status)), there), ("ETAG_MISMATCH".into(), slot_id(9, "08:00")));
            }
            (Err(status), Ok(_)) => {
                assert_eq!((reason::<()>(Err(status)), there), ("ETAG_MISMATCH".into(), slot_id(9, "13:00")));
            }
            both => panic!("{both:?}"),
        }
    }
    let places = "SELECT CAST(SUM(booked) AS BIGINT) FROM appointments_slots";
    assert_eq!(database::number(&world.platform.db, places).await, 10);
}
