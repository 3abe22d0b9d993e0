//! e-RDV end to end: the life of an appointment, search, lists, capacity, the clock.

use eservices::{
    appointments::v1::{self as ap, AppointmentState as State},
    common::v1::AppointmentType,
    fulfilment::v1 as fu,
    sandbox::v1 as sa,
};
use eservices_client::{Client, new_request_id};
use eservices_server::{
    appointments::store::{Appointment, Quote, confirm, find},
    platform::{
        error::{Error, Reason},
        unit_of_work::{self, Command, Work},
    },
};

use crate::harness::{
    ALL, SIRENS, World, database, day_after, hold, hold_request, intervention, publish_days, publish_zone,
    reason, refusal, slot_id,
};

/// What an order will do, without the order.
struct Confirm(Quote);

impl Command for Confirm {
    type Answer = ap::Appointment;

    async fn run(&self, work: &mut Work) -> Result<ap::Appointment, Error> {
        let found = find(&mut work.conn(), &self.0.party_id, &self.0.reference).await?;
        let found = found.ok_or_else(|| Error::not_found("Appointment", &self.0.reference))?;
        let confirmed: Appointment = confirm(work, found, &self.0).await?;
        Ok(ap::Appointment { reference: confirmed.reference, ..Default::default() })
    }
}

fn quote(party_id: &str, reference: &str) -> Quote {
    Quote {
        party_id: party_id.into(),
        reference: reference.into(),
        order_ref: "JF-1".into(),
        product_nature: "JUST_FIBRE".into(),
        imb: String::new(),
        commune_code: "77058".into(),
        street_code: "0361".into(),
        street_number: "6".into(),
    }
}

async fn confirm_for(world: &World, quote: Quote) -> Result<(), Reason> {
    let owner = quote.party_id.clone();
    let outcome = unit_of_work::execute_own(&world.platform, owner, "test.confirm", Confirm(quote)).await;
    outcome.map(drop).map_err(|e| e.reason())
}

async fn get(client: &Client, reference: &str) -> ap::Appointment {
    let request = ap::GetAppointmentRequest { reference: reference.into() };
    client.appointments().get_appointment(request).await.unwrap().into_inner().appointment.unwrap()
}

fn cancel_request(a: &ap::Appointment) -> ap::CancelAppointmentRequest {
    ap::CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: a.reference.clone(),
        etag: a.etag.clone(),
    }
}

fn reschedule_request(a: &ap::Appointment, slot_id: &str) -> ap::RescheduleAppointmentRequest {
    ap::RescheduleAppointmentRequest {
        request_id: new_request_id(),
        reference: a.reference.clone(),
        etag: a.etag.clone(),
        slot_id: slot_id.into(),
    }
}

async fn advance(client: &Client, seconds: i64) {
    let by = sa::advance_clock_request::Target::By(prost_types::Duration { seconds, nanos: 0 });
    let request = sa::AdvanceClockRequest { request_id: new_request_id(), target: Some(by) };
    client.sandbox().advance_clock(request).await.unwrap();
}

async fn booked(world: &World) -> i64 {
    database::number(
        &world.platform.db,
        "SELECT CAST(COALESCE(SUM(booked), 0) AS BIGINT) FROM appointments_slots",
    )
    .await
}

#[tokio::test]
async fn a_hold_takes_a_place_and_reads_back() {
    let world = World::start().await;
    world.capacity(2).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    assert!(
        held.reference.starts_with("ITP-DOA-20261124-") && held.reference.ends_with("-ERDV"),
        "{}",
        held.reference
    );
    assert_eq!(held.state(), State::Held);
    // 30 minutes after 2026-11-24T09:00:00Z.
    assert_eq!(held.hold_expire_time.as_ref().unwrap().seconds, 1_795_512_600);
    // 2 December 2026, 8 h in Paris (UTC+1).
    assert_eq!(held.slot.as_ref().unwrap().start_time.as_ref().unwrap().seconds, 1_796_194_800);
    assert_eq!((held.changes_left, held.etag.as_str(), held.revision), (3, "1", 1));
    assert_eq!(get(&alpha, &held.reference).await, held);
    assert_eq!(booked(&world).await, 1);
}

/// Every state and what each action comes to, through the API and through the confirmation that orders will call.
#[tokio::test]
async fn every_state_meets_every_action() {
    let world = World::start().await;
    world.capacity(50).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let alpha = world.client(&identity).await;
    let (here, there) = (slot_id(8, "08:00"), slot_id(9, "13:00"));
    // (state to start from, confirm, reschedule, cancel): "" passes.
    let by_hand = [
        ("held", "", "", ""),
        // It goes with its order.
        ("confirmed", "FRDV04", "", "FRDV04"),
        ("cancelled", "FRDV04", "FRDV04", "FRDV04"),
        ("due", "FRDV03", "FRDV03", "FRDV03"),
        ("lapsed", "FRDV03", "FRDV03", "FRDV03"),
    ];
    for (state, confirmed, rescheduled, cancelled) in by_hand {
        for (action, expected) in [("confirm", confirmed), ("reschedule", rescheduled), ("cancel", cancelled)]
        {
            let mut a = hold(&alpha, &here).await;
            match state {
                "confirmed" => confirm_for(&world, quote(&identity.party_id, &a.reference)).await.unwrap(),
                "cancelled" => {
                    drop(alpha.appointments().cancel_appointment(cancel_request(&a)).await.unwrap())
                }
                // Due, but nobody swept: the machine clock moves on, and the sweeper of the tests sleeps.
                "due" => world.machine_on(1_800).await,
                "lapsed" => advance(&alpha, 1_800).await,
                _ => {}
            }
            a = get(&alpha, &a.reference).await;
            let before = booked(&world).await;
            let outcome = match action {
                "confirm" => match confirm_for(&world, quote(&identity.party_id, &a.reference)).await {
                    Ok(()) => String::new(),
                    Err(reason) => reason.info().name.to_owned(),
                },
                "reschedule" => {
                    let answer =
                        alpha.appointments().reschedule_appointment(reschedule_request(&a, &there)).await;
                    if answer.is_ok() { String::new() } else { reason(answer) }
                }
                _ => {
                    let answer = alpha.appointments().cancel_appointment(cancel_request(&a)).await;
                    if answer.is_ok() { String::new() } else { reason(answer) }
                }
            };
            assert_eq!(outcome, expected, "{action} of {state}");
            let freed = i64::from(expected.is_empty() && action == "cancel");
            assert_eq!(booked(&world).await, before - freed, "{action} of {state}: places");
        }
    }
}

#[tokio::test]
async fn an_order_confirms_its_own_fibre_appointment_at_its_address_only() {
    let world = World::start().await;
    world.capacity(5).await;
    let identity = world.operator(SIRENS[0], ALL).await;
    let other = world.operator(SIRENS[1], ALL).await;
    let alpha = world.client(&identity).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    let ours = quote(&identity.party_id, &held.reference);
    let elsewhere = Quote { street_number: "8".into(), ..ours.clone() };
    assert_eq!(confirm_for(&world, elsewhere).await, Err(Reason::Frdv06));
    let foreign = Quote { party_id: other.party_id.clone(), ..ours.clone() };
    assert_eq!(confirm_for(&world, foreign).await, Err(Reason::ResourceNotFound));
    let copper = ap::HoldAppointmentRequest {
        intervention: Some(ap::Intervention {
            product_nature: "CELAN".into(),
            access_id: "F00000021".into(),
            pair_count: 2,
            ..intervention()
        }),
        ..hold_request(&slot_id(8, "08:00"))
    };
    let copper =
        alpha.appointments().hold_appointment(copper).await.unwrap().into_inner().appointment.unwrap();
    assert_eq!(confirm_for(&world, quote(&identity.party_id, &copper.reference)).await, Err(Reason::Frdv05));
    assert_eq!(confirm_for(&world, ours).await, Ok(()));
    let confirmed = get(&alpha, &held.reference).await;
    assert_eq!((confirmed.state(), confirmed.etag.as_str()), (State::Confirmed, "2"));
    assert_eq!(confirmed.hold_expire_time, None);
    advance(&alpha, 86_400).await;
    assert_eq!(
        get(&alpha, &held.reference).await.state(),
        State::Confirmed,
        "a confirmed appointment does not lapse"
    );
}

#[tokio::test]
async fn changes_are_bounded_and_stale_versions_refused() {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let first = hold(&alpha, &slot_id(8, "08:00")).await;
    let mut a = first.clone();
    for (day, left) in [(9, 2), (10, 1), (11, 0)] {
        let request = reschedule_request(&a, &slot_id(day, "08:00"));
        a = alpha
            .appointments()
            .reschedule_appointment(request)
            .await
            .unwrap()
            .into_inner()
            .appointment
            .unwrap();
        assert_eq!(a.changes_left, left);
        assert_eq!(a.hold_expire_time, first.hold_expire_time, "a hold's end does not move");
    }
    let exhausted = reschedule_request(&a, &slot_id(12, "08:00"));
    assert_eq!(reason(alpha.appointments().reschedule_appointment(exhausted).await), "FRDV01");
    let error = refusal(alpha.appointments().cancel_appointment(cancel_request(&first)).await);
    assert_eq!(error.reason_name(), Some("ETAG_MISMATCH"));
    assert_eq!(error.metadata("current_etag"), Some("4"));
    assert_eq!(booked(&world).await, 1, "one place, wherever it moved");
}

#[tokio::test]
async fn a_slot_of_another_zone_a_full_one_and_one_outside_the_window() {
    let world = World::start().await;
    let workforce = world.capacity(1).await;
    publish_zone(&workforce, "ZPAR", &["75109"]).await;
    publish_days(&workforce, "ZPAR", vec![day_after(8)], 1).await;
    publish_days(&workforce, "ZMLV", vec![day_after(7), day_after(27)], 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let paris = slot_id(8, "08:00").replace("ZMLV", "ZPAR");
    assert_eq!(reason(alpha.appointments().hold_appointment(hold_request(&paris)).await), "FRDV06");
    // J+7 and J+27 lie outside; J+12 is a Sunday; the last one does not exist.
    for slot in [slot_id(7, "08:00"), slot_id(27, "08:00"), slot_id(12, "08:00"), "ZMLV-20261202-0900".into()]
    {
        assert_eq!(
            reason(alpha.appointments().hold_appointment(hold_request(&slot)).await),
            "FRDV02",
            "{slot}"
        );
    }
    hold(&alpha, &slot_id(8, "08:00")).await;
    let error = refusal(alpha.appointments().hold_appointment(hold_request(&slot_id(8, "08:00"))).await);
    let others: Vec<_> = error.alternatives().unwrap().slots.into_iter().map(|s| s.slot_id).collect();
    let nearest = [(8, "13:00"), (9, "08:00"), (9, "13:00"), (10, "08:00"), (10, "13:00")];
    assert_eq!(others, nearest.map(|(day, start)| slot_id(day, start)));
    let mut unserved = hold_request(&slot_id(8, "13:00"));
    unserved.intervention = Some(ap::Intervention {
        place: Some(ap::Place { designation: Some(ap::place::Designation::Imb("IMB/67482/C/0001".into())) }),
        appointment_type: AppointmentType::Building.into(),
        ..intervention()
    });
    let error = refusal(alpha.appointments().hold_appointment(unserved).await);
    assert_eq!((error.reason_name(), error.metadata("commune_code")), (Some("ZONE_UNKNOWN"), Some("67482")));
}

#[tokio::test]
async fn a_full_slot_gives_what_is_due_there_to_the_next_caller() {
    let world = World::start().await;
    world.capacity(1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let due = hold(&alpha, &slot_id(8, "08:00")).await;
    world.machine_on(1_800).await;
    hold(&beta, &slot_id(8, "08:00")).await;
    assert_eq!(booked(&world).await, 1);
    assert_eq!(get(&alpha, &due.reference).await.state(), State::Lapsed);
    let kinds = database::texts(
        &world.platform.db,
        "SELECT kind FROM events WHERE party_id = 'o-900000001' ORDER BY revision",
    )
    .await;
    assert_eq!(kinds, ["appointments.held", "appointments.lapsed"]);
}

#[tokio::test]
async fn a_clock_jump_frees_each_lapsed_place_exactly_once() {
    let world = World::start().await;
    world.capacity(3).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    for day in 8..12 {
        hold(&alpha, &slot_id(day, "08:00")).await;
        hold(&beta, &slot_id(day, "08:00")).await;
    }
    assert_eq!(booked(&world).await, 8);
    // Two callers jump at once while the sweeper's own function runs: each place comes free once.
    let sweeping = eservices_server::appointments::lapse_due(&world.platform);
    let (_, _, swept) = tokio::join!(advance(&alpha, 1_801), advance(&beta, 1_802), sweeping);
    swept.unwrap();
    assert_eq!(booked(&world).await, 0);
    let db = &world.platform.db;
    assert_eq!(
        database::number(db, "SELECT COUNT(*) FROM events WHERE kind = 'appointments.lapsed'").await,
        8
    );
    assert_eq!(
        database::number(db, "SELECT COUNT(*) FROM appointments WHERE state = 'lapsed' AND version = 2")
            .await,
        8
    );
    let again = eservices_server::appointments::lapse_due(&world.platform).await.unwrap();
    assert_eq!(again, 0);
}

#[tokio::test]
async fn search_ranks_and_names_the_next_day_with_room() {
    let world = World::start().await;
    let workforce = world.capacity(1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let ask = ap::SearchSlotsRequest {
        intervention: Some(intervention()),
        preferred_day: day_after(10),
        preferred_moment: ap::Moment::Afternoon.into(),
        max_slots: 4,
        ..Default::default()
    };
    let found = alpha.appointments().search_slots(ask.clone()).await.unwrap().into_inner();
    assert_eq!(
        (found.window_first_day.as_str(), found.window_last_day.as_str()),
        ("2026-12-02", "2026-12-20")
    );
    let ids: Vec<_> = found.slots.iter().map(|s| s.slot_id.clone()).collect();
    let ranked = [(10, "13:00"), (10, "08:00"), (9, "13:00"), (11, "13:00")];
    assert_eq!(ids, ranked.map(|(day, start)| slot_id(day, start)));
    assert_eq!(found.next_day_with_room, "");

    // Close two days: an empty list, and the day after with room; not an error.
    let closed = [9, 10].map(|n| fu::DayCapacity { day: day_after(n), slots: vec![] });
    let request = fu::PublishCapacityRequest {
        request_id: new_request_id(),
        zone_code: "ZMLV".into(),
        days: closed.into(),
    };
    workforce.fulfilment().publish_capacity(request).await.unwrap();
    let narrow = ap::SearchSlotsRequest { first_day: day_after(9), last_day: day_after(10), ..ask.clone() };
    let found = alpha.appointments().search_slots(narrow).await.unwrap().into_inner();
    assert_eq!((found.slots.len(), found.next_day_with_room.as_str()), (0, "2026-12-05"));

    let outside = ap::SearchSlotsRequest {
        first_day: day_after(7),
        last_day: day_after(27),
        preferred_day: day_after(30),
        max_slots: 101,
        ..ask
    };
    let error = refusal(alpha.appointments().search_slots(outside).await);
    let fields: Vec<_> = error.field_violations().into_iter().map(|v| v.field).collect();
    assert_eq!(fields, ["max_slots", "first_day", "last_day", "preferred_day"]);
}

#[tokio::test]
async fn form_errors_come_all_at_once_with_their_paths() {
    let world = World::start().await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let street =
        ap::Street { commune_code: "7705".into(), street_code: "36".into(), street_number: String::new() };
    let bad = ap::HoldAppointmentRequest {
        request_id: "not a uuid".into(),
        slot_id: "a slot".into(),
        intervention: Some(ap::Intervention {
            place: Some(ap::Place { designation: Some(ap::place::Designation::Street(street)) }),
            product_nature: "FTTH".into(),
            operation: "DEMOLITION".into(),
            appointment_type: 0,
            pair_count: 1,
            access_id: "F00000021".into(),
        }),
    };
    let error = refusal(alpha.appointments().hold_appointment(bad).await);
    let mut fields: Vec<_> = error.field_violations().into_iter().map(|v| v.field).collect();
    fields.sort_unstable();
    let expected = [
        "intervention.access_id",
        "intervention.appointment_type",
        "intervention.operation",
        "intervention.pair_count",
        "intervention.place.street.commune_code",
        "intervention.place.street.street_code",
        "intervention.place.street.street_number",
        "request_id",
        "slot_id",
    ];
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn lists_page_through_everything_once_and_filter() {
    let world = World::start().await;
    world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let mut references = Vec::new();
    for n in 0..7 {
        let held = hold(&alpha, &slot_id(8 + n % 2, "08:00")).await;
        references.push(held.reference.clone());
        if n == 3 {
            alpha.appointments().cancel_appointment(cancel_request(&held)).await.unwrap();
        }
        advance(&alpha, 1).await;
    }
    references.reverse();
    let mut ask = ap::ListAppointmentsRequest { page_size: 3, ..Default::default() };
    let mut seen = Vec::new();
    loop {
        let page = alpha.appointments().list_appointments(ask.clone()).await.unwrap().into_inner();
        assert!(page.appointments.len() <= 3);
        seen.extend(page.appointments.into_iter().map(|a| a.reference));
        if page.next_page_token.is_empty() {
            break;
        }
        ask.page_token = page.next_page_token;
    }
    assert_eq!(seen, references, "newest first, each once");
    ask.states = vec![State::Cancelled.into()];
    assert_eq!(
        reason(alpha.appointments().list_appointments(ask.clone()).await),
        "FIELDS_INVALID",
        "another list's token"
    );
    ask.page_token.clear();
    let cancelled = alpha.appointments().list_appointments(ask).await.unwrap().into_inner().appointments;
    assert_eq!(cancelled.len(), 1);
    let day =
        ap::ListAppointmentsRequest { first_day: day_after(9), last_day: day_after(9), ..Default::default() };
    assert_eq!(alpha.appointments().list_appointments(day).await.unwrap().into_inner().appointments.len(), 3);
    advance(&alpha, 1_800).await;
    let lapsed = ap::ListAppointmentsRequest { states: vec![State::Lapsed.into()], ..Default::default() };
    assert_eq!(
        alpha.appointments().list_appointments(lapsed).await.unwrap().into_inner().appointments.len(),
        6
    );
}

#[tokio::test]
async fn capacity_never_goes_below_what_is_booked_and_a_commune_has_one_zone() {
    let world = World::start().await;
    let workforce = world.capacity(2).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    hold(&alpha, &slot_id(8, "08:00")).await;
    let slots = vec![fu::SlotCapacity { start_time: "08:00".into(), end_time: "12:00".into(), capacity: 1 }];
    let mut request = fu::PublishCapacityRequest {
        request_id: new_request_id(),
        zone_code: "ZMLV".into(),
        days: vec![fu::DayCapacity { day: day_after(8), slots }],
    };
    let error = refusal(workforce.fulfilment().publish_capacity(request.clone()).await);
    assert_eq!(error.reason_name(), Some("CAPACITY_BELOW_BOOKINGS"));
    let violations = error.precondition_violations();
    assert_eq!(violations[0].subject, format!("slots/{}", slot_id(8, "08:00")));
    assert_eq!(violations[0].description, "capacity 1 is below 2 booked");
    alpha.appointments().cancel_appointment(cancel_request(&held)).await.unwrap();
    workforce.fulfilment().publish_capacity(request.clone()).await.unwrap();
    request.zone_code = "ZNONE".into();
    request.request_id = new_request_id();
    assert_eq!(reason(workforce.fulfilment().publish_capacity(request).await), "RESOURCE_NOT_FOUND");

    let zone = fu::Zone {
        code: "ZTWO".into(),
        label: "Two".into(),
        commune_codes: vec!["77243".into(), "77001".into()],
    };
    let taken = fu::PublishZonesRequest { request_id: new_request_id(), zones: vec![zone] };
    let error = refusal(workforce.fulfilment().publish_zones(taken).await);
    assert_eq!(error.reason_name(), Some("COMMUNE_IN_OTHER_ZONE"));
    assert_eq!(error.precondition_violations()[0].subject, "communes/77243");
    let zones = database::number(&world.platform.db, "SELECT COUNT(*) FROM appointments_zones").await;
    assert_eq!(zones, 1, "all zones or none");
}

#[tokio::test]
async fn the_workforce_reads_the_bookings_of_a_zone_and_day_in_pages() {
    let world = World::start().await;
    let workforce = world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let mut expected = Vec::new();
    for start in ["08:00", "13:00"] {
        let mut half_day = Vec::new();
        for (client, siren) in [(&alpha, SIRENS[0]), (&beta, SIRENS[1]), (&alpha, SIRENS[0])] {
            half_day.push((hold(client, &slot_id(8, start)).await.reference, siren.to_owned()));
        }
        half_day.sort();
        expected.extend(half_day);
    }
    let mut ask = fu::ListZoneBookingsRequest {
        zone_code: "ZMLV".into(),
        day: day_after(8),
        page_size: 4,
        page_token: String::new(),
    };
    let first = workforce.fulfilment().list_zone_bookings(ask.clone()).await.unwrap().into_inner();
    assert_eq!(first.bookings.len(), 4);
    ask.page_token = first.next_page_token;
    let second = workforce.fulfilment().list_zone_bookings(ask).await.unwrap().into_inner();
    assert_eq!((second.bookings.len(), second.next_page_token.as_str()), (2, ""));
    let seen: Vec<_> =
        first.bookings.into_iter().chain(second.bookings).map(|b| (b.reference, b.operator_siren)).collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_sandbox_resets_only_the_callers_bookings() {
    let world = World::start().await;
    world.capacity(50).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let beta = world.client(&world.operator(SIRENS[1], ALL).await).await;
    let theirs = hold(&beta, &slot_id(8, "08:00")).await;
    for day in [8, 8, 9] {
        hold(&alpha, &slot_id(day, "08:00")).await;
    }
    let request = sa::ResetAppointmentsRequest { request_id: new_request_id() };
    let answer = alpha.sandbox().reset_appointments(request).await.unwrap().into_inner();
    // Three holds, three cancellations, the reset itself.
    assert_eq!((answer.cancelled_count, answer.revision), (3, 7));
    assert_eq!(booked(&world).await, 1);
    assert_eq!(get(&beta, &theirs.reference).await, theirs);
    let mismatched = "SELECT COUNT(*) FROM appointments a JOIN events e ON e.party_id = a.party_id \
                      AND e.revision = a.revision AND e.resource = 'appointments/' || a.reference";
    assert_eq!(database::number(&world.platform.db, mismatched).await, 4, "each under its own revision");
    let to = prost_types::Timestamp { seconds: 1_795_510_799, nanos: 0 };
    let back = sa::AdvanceClockRequest {
        request_id: new_request_id(),
        target: Some(sa::advance_clock_request::Target::To(to)),
    };
    assert_eq!(reason(alpha.sandbox().advance_clock(back).await), "CLOCK_BACKWARDS");
}

#[tokio::test]
async fn an_appointment_follows_its_commune_to_another_zone() {
    let world = World::start().await;
    let workforce = world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    let zone = |code: &str, commune: &str| fu::Zone {
        code: code.into(),
        label: code.into(),
        commune_codes: vec![commune.into()],
    };
    let zones = vec![zone("ZMLV", "77243"), zone("ZNEW", "77058")];
    let request = fu::PublishZonesRequest { request_id: new_request_id(), zones };
    workforce.fulfilment().publish_zones(request).await.unwrap();
    publish_days(&workforce, "ZNEW", vec![day_after(9)], 1).await;
    let (old, new) = (slot_id(9, "08:00"), slot_id(9, "08:00").replace("ZMLV", "ZNEW"));
    let refused = alpha.appointments().reschedule_appointment(reschedule_request(&held, &old)).await;
    assert_eq!(reason(refused), "FRDV06");
    let moved = alpha.appointments().reschedule_appointment(reschedule_request(&held, &new)).await;
    assert_eq!(moved.unwrap().into_inner().appointment.unwrap().slot.unwrap().slot_id, new);
    let ask =
        fu::ListZoneBookingsRequest { zone_code: "ZNEW".into(), day: day_after(9), ..Default::default() };
    let there = workforce.fulfilment().list_zone_bookings(ask).await.unwrap().into_inner().bookings;
    assert_eq!(there.into_iter().map(|b| b.reference).collect::<Vec<_>>(), [held.reference]);
    assert_eq!(booked(&world).await, 1);
}

#[tokio::test]
async fn a_booked_slot_keeps_its_end_and_a_move_goes_elsewhere() {
    let world = World::start().await;
    let workforce = world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let held = hold(&alpha, &slot_id(8, "08:00")).await;
    let slots = vec![fu::SlotCapacity { start_time: "08:00".into(), end_time: "11:00".into(), capacity: 5 }];
    let days = vec![fu::DayCapacity { day: day_after(8), slots }];
    let request = fu::PublishCapacityRequest { request_id: new_request_id(), zone_code: "ZMLV".into(), days };
    let error = refusal(workforce.fulfilment().publish_capacity(request).await);
    assert_eq!(error.reason_name(), Some("CAPACITY_BELOW_BOOKINGS"));
    assert_eq!(error.precondition_violations()[0].description, "1 booked until 12:00, not until 11:00");
    let same = reschedule_request(&held, &slot_id(8, "08:00"));
    let error = refusal(alpha.appointments().reschedule_appointment(same).await);
    assert_eq!(error.field_violations()[0].field, "slot_id");
    assert_eq!(get(&alpha, &held.reference).await, held, "nothing moved, no change used up");
}

#[tokio::test]
async fn without_room_in_the_window_the_next_day_after_it_is_named() {
    let world = World::start().await;
    let workforce = world.client(&world.workforce().await).await;
    publish_zone(&workforce, "ZMLV", &["77058"]).await;
    // J+26 is a Sunday, J+27 Monday 21 December 2026: after the window.
    publish_days(&workforce, "ZMLV", vec![day_after(8), day_after(26), day_after(27)], 1).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    for start in ["08:00", "13:00"] {
        hold(&alpha, &slot_id(8, start)).await;
    }
    let ask = ap::SearchSlotsRequest { intervention: Some(intervention()), ..Default::default() };
    let found = alpha.appointments().search_slots(ask).await.unwrap().into_inner();
    assert_eq!((found.slots.len(), found.next_day_with_room.as_str()), (0, "2026-12-21"));
    let error = refusal(alpha.appointments().hold_appointment(hold_request(&slot_id(8, "08:00"))).await);
    let others = error.alternatives().unwrap();
    assert_eq!((others.slots.len(), others.next_day_with_room.as_str()), (0, "2026-12-21"));
}

#[tokio::test]
async fn the_same_uuid_in_other_letters_is_the_same_request() {
    let world = World::start().await;
    world.capacity(5).await;
    let alpha = world.client(&world.operator(SIRENS[0], ALL).await).await;
    let mut request = hold_request(&slot_id(8, "08:00"));
    let first = alpha.appointments().hold_appointment(request.clone()).await.unwrap().into_inner();
    request.request_id = request.request_id.to_uppercase();
    let second = alpha.appointments().hold_appointment(request).await.unwrap().into_inner();
    assert_eq!(first, second);
    assert_eq!(booked(&world).await, 1);
}
