//! The calls of the demo, through the client crate, in the order in which an operator meets them.

use std::{error::Error, time::Instant};

use eservices::{
    appointments::v1::{self as ap, place::Designation},
    common::v1::AppointmentType,
    eligibility::v1::{CheckEligibilityRequest, CheckEligibilityResponse, check_eligibility_request::Key},
    fulfilment::v1::{self as fu},
    identity::v1::{WhoAmIRequest, WhoAmIResponse},
    sandbox::v1 as sa,
};
use eservices_client::{Client, Status, new_request_id};
use jiff::{Timestamp, ToSpan as _};

use super::{address::address, orders::orders, reference::reference, show::Show, world::World};
use crate::platform::clock::paris_day;

pub(super) const ALPHA: &str = "Opérateur Alpha";
const BETA: &str = "Opérateur Bêta";
pub(super) const WORKFORCE: &str = "workforce system";
const BUILDING: &str = "IMB/77058/X/0218";

pub(super) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Runs all calls; an answer that is not as it should be ends the demo.
pub async fn run(world: &World, port: u16, show: &Show) -> Outcome<()> {
    let alpha = connect(world, port, "operator-alpha").await?;
    let beta = connect(world, port, "operator-beta").await?;
    let workforce = connect(world, port, "workforce").await?;
    let today = who_am_i(&alpha, show).await?;
    publish(&workforce, today, show).await?;
    reference(&workforce, show).await?;
    reset(&alpha, show).await?;
    address(&alpha, show).await?;
    eligibility(&alpha, show).await?;
    let held = book(&alpha, show).await?;
    let moved = change(&alpha, held, show).await?;
    foreign(&beta, &moved, show).await?;
    zone_bookings(&workforce, &moved, show).await?;
    cancel(&alpha, moved, show).await?;
    lapse(&alpha, show).await?;
    list(&alpha, show).await?;
    orders(&alpha, show).await
}

pub(super) async fn connect(world: &World, port: u16, file: &str) -> Outcome<Client> {
    let client = Client::builder(format!("https://localhost:{port}"))
        .ca_file(world.file("root.pem"))
        .certificate_file(world.file(&format!("{file}.pem")))
        .key_file(world.file(&format!("{file}.key")))
        .connect()
        .await?;
    Ok(client)
}

async fn who_am_i(alpha: &Client, show: &Show) -> Outcome<jiff::civil::Date> {
    let started = Instant::now();
    let answer: WhoAmIResponse = alpha.identity().who_am_i(WhoAmIRequest {}).await?.into_inner();
    let held: Vec<&str> = answer.rights.iter().filter(|r| r.held).map(|r| r.e_service.as_str()).collect();
    let clock = answer.business_clock.unwrap_or_default();
    let now = clock.business_time.unwrap_or_default();
    let now = Timestamp::new(now.seconds, 0)?;
    let lines = [
        format!("certificate {} of {ALPHA}", answer.certificate.unwrap_or_default().label),
        format!("holds {}", held.join(", ")),
        format!("business time {now}, reference release {}", answer.reference_release),
    ];
    show.answered("IdentityService/WhoAmI", ALPHA, started.elapsed(), &lines);
    Ok(paris_day(now))
}

async fn publish(workforce: &Client, today: jiff::civil::Date, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let zone = fu::Zone {
        code: "ZMLV".into(),
        label: "Marne-la-Vallée".into(),
        commune_codes: vec!["77058".into(), "77243".into()],
    };
    let request = fu::PublishZonesRequest { request_id: new_request_id(), zones: vec![zone] };
    let answer = workforce.fulfilment().publish_zones(request).await?.into_inner();
    let lines = [format!("zone ZMLV covers {} communes", answer.commune_count)];
    show.answered("FulfilmentService/PublishZones", WORKFORCE, started.elapsed(), &lines);

    let started = Instant::now();
    let slot = |start: &str, end: &str| fu::SlotCapacity {
        start_time: start.into(),
        end_time: end.into(),
        capacity: 40,
    };
    let day = |n: i64| fu::DayCapacity {
        day: today.saturating_add(n.days()).to_string(),
        slots: vec![slot("08:00", "12:00"), slot("13:00", "17:00")],
    };
    let request = fu::PublishCapacityRequest {
        request_id: new_request_id(),
        zone_code: "ZMLV".into(),
        days: (8..=40).map(day).collect(),
    };
    let answer = workforce.fulfilment().publish_capacity(request).await?.into_inner();
    let lines = [format!("{} slots with {} places", answer.slot_count, answer.place_count)];
    show.answered("FulfilmentService/PublishCapacity", WORKFORCE, started.elapsed(), &lines);
    Ok(())
}

async fn reset(alpha: &Client, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let request = sa::ResetAppointmentsRequest { request_id: new_request_id() };
    let answer = alpha.sandbox().reset_appointments(request).await?.into_inner();
    let lines = [format!("{} appointments of an earlier run cancelled", answer.cancelled_count)];
    show.answered("SandboxService/ResetAppointments", ALPHA, started.elapsed(), &lines);
    Ok(())
}

async fn eligibility(alpha: &Client, show: &Show) -> Outcome<()> {
    for imb in [BUILDING, "IMB/77058/C/0301", "IMB/77058/C/0407"] {
        let started = Instant::now();
        let request = CheckEligibilityRequest {
            key: Some(Key::Imb(imb.into())),
            offer_codes: vec!["JUST_FIBRE".into()],
            as_of_day: String::new(),
        };
        let answer = alpha.eligibility().check_eligibility(request).await?.into_inner();
        show.answered("EligibilityService/CheckEligibility", ALPHA, started.elapsed(), &explained(&answer));
    }
    Ok(())
}

pub(super) fn explained(answer: &CheckEligibilityResponse) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(place) = &answer.premises {
        lines.push(format!("{}: {}, {} {}", place.imb, place.street_address, place.postcode, place.commune));
    }
    for offer in &answer.answers {
        lines.push(format!(
            "{}: {:?}, visit {:?}",
            offer.label_en,
            offer.verdict(),
            offer.appointment_type()
        ));
        for finding in &offer.findings {
            let facts: Vec<String> =
                finding.facts.iter().map(|f| format!("{}={}", f.name, f.value)).collect();
            lines.push(format!(
                "{} ({}): {}; {}",
                finding.code,
                finding.rule_id,
                facts.join(", "),
                finding.remedy
            ));
        }
    }
    lines
}

pub(super) fn intervention() -> ap::Intervention {
    ap::Intervention {
        place: Some(ap::Place { designation: Some(Designation::Imb(BUILDING.into())) }),
        product_nature: "JUST_FIBRE".into(),
        operation: "CREATION".into(),
        appointment_type: AppointmentType::House.into(),
        pair_count: 0,
        access_id: String::new(),
    }
}

async fn book(alpha: &Client, show: &Show) -> Outcome<ap::Appointment> {
    let started = Instant::now();
    let form = alpha.appointments().get_booking_form(ap::GetBookingFormRequest {}).await?.into_inner();
    let natures: Vec<&str> = form.natures.iter().map(|n| n.code.as_str()).collect();
    let lines = [format!("natures {}", natures.join(", "))];
    show.answered("AppointmentService/GetBookingForm", ALPHA, started.elapsed(), &lines);

    let refused = ap::SearchSlotsRequest { first_day: "tomorrow".into(), ..Default::default() };
    let refused = alpha.appointments().search_slots(refused).await;
    show.refused("AppointmentService/SearchSlots", ALPHA, &refusal(refused, "FIELDS_INVALID")?);

    let started = Instant::now();
    let request = ap::SearchSlotsRequest {
        intervention: Some(intervention()),
        preferred_moment: ap::Moment::Morning.into(),
        max_slots: 3,
        ..Default::default()
    };
    let slots = alpha.appointments().search_slots(request).await?.into_inner();
    let mut lines = vec![format!("bookable from {} to {}", slots.window_first_day, slots.window_last_day)];
    lines.extend(
        slots.slots.iter().map(|s| format!("{}  {} {}–{}", s.slot_id, s.day, s.local_start, s.local_end)),
    );
    show.answered("AppointmentService/SearchSlots", ALPHA, started.elapsed(), &lines);
    let slot = slots.slots.first().ok_or("no slot has room")?;

    let started = Instant::now();
    let request = ap::HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(intervention()),
        slot_id: slot.slot_id.clone(),
    };
    let held = alpha.appointments().hold_appointment(request.clone()).await?.into_inner();
    show.answered(
        "AppointmentService/HoldAppointment",
        ALPHA,
        started.elapsed(),
        &appointment(&held.appointment),
    );

    let started = Instant::now();
    let again = alpha.appointments().hold_appointment(request).await?.into_inner();
    if again != held {
        return Err("the same request_id got another answer".into());
    }
    let lines = ["the same request_id again: the same answer, nothing booked twice".to_owned()];
    show.answered("AppointmentService/HoldAppointment", ALPHA, started.elapsed(), &lines);
    held.appointment.ok_or_else(|| "no appointment in the answer".into())
}

async fn change(alpha: &Client, held: ap::Appointment, show: &Show) -> Outcome<ap::Appointment> {
    let started = Instant::now();
    let request = ap::GetAppointmentRequest { reference: held.reference.clone() };
    let read = alpha.appointments().get_appointment(request).await?.into_inner();
    show.answered(
        "AppointmentService/GetAppointment",
        ALPHA,
        started.elapsed(),
        &appointment(&read.appointment),
    );

    let started = Instant::now();
    let search =
        ap::SearchSlotsRequest { intervention: Some(intervention()), max_slots: 100, ..Default::default() };
    let slots = alpha.appointments().search_slots(search).await?.into_inner().slots;
    let other = slots.last().ok_or("no other slot has room")?;
    let mut request = ap::RescheduleAppointmentRequest {
        request_id: new_request_id(),
        reference: held.reference.clone(),
        etag: held.etag.clone(),
        slot_id: other.slot_id.clone(),
    };
    let moved = alpha.appointments().reschedule_appointment(request.clone()).await?.into_inner();
    show.answered(
        "AppointmentService/RescheduleAppointment",
        ALPHA,
        started.elapsed(),
        &appointment(&moved.appointment),
    );

    request.request_id = new_request_id();
    let stale = alpha.appointments().reschedule_appointment(request).await;
    show.refused("AppointmentService/RescheduleAppointment", ALPHA, &refusal(stale, "ETAG_MISMATCH")?);
    moved.appointment.ok_or_else(|| "no appointment in the answer".into())
}

async fn foreign(beta: &Client, moved: &ap::Appointment, show: &Show) -> Outcome<()> {
    let request = ap::GetAppointmentRequest { reference: moved.reference.clone() };
    let refused = beta.appointments().get_appointment(request).await;
    show.refused("AppointmentService/GetAppointment", BETA, &refusal(refused, "RESOURCE_NOT_FOUND")?);
    Ok(())
}

async fn zone_bookings(workforce: &Client, moved: &ap::Appointment, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let day = moved.slot.clone().unwrap_or_default().day;
    let request =
        fu::ListZoneBookingsRequest { zone_code: "ZMLV".into(), day: day.clone(), ..Default::default() };
    let answer = workforce.fulfilment().list_zone_bookings(request).await?.into_inner();
    let mut lines = vec![format!("{day}:")];
    lines.extend(answer.bookings.iter().map(|b| format!("{} of operator {}", b.reference, b.operator_siren)));
    show.answered("FulfilmentService/ListZoneBookings", WORKFORCE, started.elapsed(), &lines);
    Ok(())
}

async fn cancel(alpha: &Client, moved: ap::Appointment, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let request = ap::CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: moved.reference,
        etag: moved.etag,
    };
    let answer = alpha.appointments().cancel_appointment(request).await?.into_inner();
    show.answered(
        "AppointmentService/CancelAppointment",
        ALPHA,
        started.elapsed(),
        &appointment(&answer.appointment),
    );
    Ok(())
}

/// Holds the first slot with room.
pub(super) async fn hold_first(alpha: &Client, wanted: ap::Intervention) -> Outcome<ap::Appointment> {
    let search =
        ap::SearchSlotsRequest { intervention: Some(wanted.clone()), max_slots: 1, ..Default::default() };
    let slots = alpha.appointments().search_slots(search).await?.into_inner().slots;
    let slot_id = slots.first().map(|s| s.slot_id.clone()).ok_or("no slot has room")?;
    let request =
        ap::HoldAppointmentRequest { request_id: new_request_id(), intervention: Some(wanted), slot_id };
    Ok(alpha.appointments().hold_appointment(request).await?.into_inner().appointment.unwrap_or_default())
}

async fn lapse(alpha: &Client, show: &Show) -> Outcome<()> {
    let held = hold_first(alpha, intervention()).await?;
    let started = Instant::now();
    let half_an_hour = prost_types::Duration { seconds: 1_860, nanos: 0 };
    let request = sa::AdvanceClockRequest {
        request_id: new_request_id(),
        target: Some(sa::advance_clock_request::Target::By(half_an_hour)),
    };
    let answer = alpha.sandbox().advance_clock(request).await?.into_inner();
    let now = Timestamp::new(answer.business_time.unwrap_or_default().seconds, 0)?;
    let lines = [format!("31 minutes on, business time {now}: the hold on {} ran out", held.reference)];
    show.answered("SandboxService/AdvanceClock", ALPHA, started.elapsed(), &lines);

    let request = ap::GetAppointmentRequest { reference: held.reference };
    let read =
        alpha.appointments().get_appointment(request).await?.into_inner().appointment.unwrap_or_default();
    let request = ap::CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: read.reference,
        etag: read.etag,
    };
    let refused = alpha.appointments().cancel_appointment(request).await;
    show.refused("AppointmentService/CancelAppointment", ALPHA, &refusal(refused, "FRDV03")?);

    let started = Instant::now();
    let request = sa::SetClockSpeedRequest { request_id: new_request_id(), speed: 1.0 };
    alpha.sandbox().set_clock_speed(request).await?;
    let lines = ["a business second a machine second".to_owned()];
    show.answered("SandboxService/SetClockSpeed", ALPHA, started.elapsed(), &lines);
    Ok(())
}

async fn list(alpha: &Client, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let request = ap::ListAppointmentsRequest { page_size: 5, ..Default::default() };
    let answer = alpha.appointments().list_appointments(request).await?.into_inner();
    let lines: Vec<String> = answer.appointments.into_iter().flat_map(|a| appointment(&Some(a))).collect();
    show.answered("AppointmentService/ListAppointments", ALPHA, started.elapsed(), &lines);
    Ok(())
}

fn appointment(found: &Option<ap::Appointment>) -> Vec<String> {
    let Some(a) = found else { return Vec::new() };
    let slot = a.slot.clone().unwrap_or_default();
    vec![format!(
        "{} {:?}, {} {}–{}, {} changes left, etag {}, revision {}",
        a.reference,
        a.state(),
        slot.day,
        slot.local_start,
        slot.local_end,
        a.changes_left,
        a.etag,
        a.revision
    )]
}

/// The refusal that a call should get.
fn refusal<T>(answer: Result<T, Status>, reason: &str) -> Outcome<eservices_client::Error> {
    match answer {
        Ok(_) => Err(format!("a call passed that should have been refused with {reason}").into()),
        Err(status) => {
            let error = eservices_client::Error::from(status);
            if error.reason_name() == Some(reason) { Ok(error) } else { Err(error.into()) }
        }
    }
}
