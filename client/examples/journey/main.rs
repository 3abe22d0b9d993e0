//! An operator's first journey: who am I, may this house have fibre, find a slot, hold it, move it, give it back; then order
//! an access and follow it until it is delivered.
//!
//! ```text
//! cargo run -p eservices-server -- demo          # in one terminal
//! cargo run -p eservices-client --example journey
//! ```
//!
//! Arguments come first, then the environment, then the demo's own files:
//! `journey [ENDPOINT] [CERTIFICATE] [KEY] [CA]`, `ESERVICES_{ENDPOINT,CERTIFICATE,KEY,CA}`.

mod order;

use std::{env, error::Error as StdError, process::ExitCode};

use eservices_client::{
    Client, Error,
    contract::{
        appointments::v1::{
            Appointment, AppointmentState, CancelAppointmentRequest, GetAppointmentRequest,
            HoldAppointmentRequest, Intervention, Moment, Place, RescheduleAppointmentRequest,
            SearchSlotsRequest, Slot, place::Designation,
        },
        eligibility::v1::{CheckEligibilityRequest, Verdict, check_eligibility_request::Key},
        identity::v1::{WhoAmIRequest, who_am_i_response::Caller},
    },
    new_request_id,
};

const IMB: &str = "IMB/77058/X/0218";
const OFFER: &str = "JUST_FIBRE";

#[tokio::main]
async fn main() -> ExitCode {
    match journey().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn journey() -> Result<(), Box<dyn StdError>> {
    let endpoint = setting(1, "ESERVICES_ENDPOINT", "https://localhost:50051");
    let client = Client::builder(endpoint.clone())
        .certificate_file(setting(2, "ESERVICES_CERTIFICATE", "./var/demo/operator-alpha.pem"))
        .key_file(setting(3, "ESERVICES_KEY", "./var/demo/operator-alpha.key"))
        .ca_file(setting(4, "ESERVICES_CA", "./var/demo/root.pem"))
        .connect()
        .await?;
    println!("connected    {endpoint}");
    who_am_i(&client).await?;
    let intervention = check_eligibility(&client).await?;
    appointment(&client, intervention).await?;
    order::order(&client).await
}

fn setting(position: usize, variable: &str, default: &str) -> String {
    env::args().nth(position).or_else(|| env::var(variable).ok()).unwrap_or_else(|| default.to_owned())
}

async fn who_am_i(client: &Client) -> Result<(), Error> {
    let answer = client.identity().who_am_i(WhoAmIRequest {}).await?.into_inner();
    match answer.caller {
        Some(Caller::Operator(operator)) => {
            println!("i am         {} ({})", operator.display_name, operator.siren)
        }
        Some(Caller::System(system)) => println!("i am         {} ({})", system.display_name, system.code),
        None => println!("i am         unknown"),
    }
    let held: Vec<_> = answer.rights.iter().filter(|r| r.held).map(|r| r.e_service.as_str()).collect();
    println!("i may call   {}", held.join(", "));
    println!("reference    {}", answer.reference_release);
    Ok(())
}

/// Asks for one building and one offer, and says what a technician would come for.
async fn check_eligibility(client: &Client) -> Result<Intervention, Box<dyn StdError>> {
    let request = CheckEligibilityRequest {
        key: Some(Key::Imb(IMB.to_owned())),
        offer_codes: vec![OFFER.to_owned()],
        ..CheckEligibilityRequest::default()
    };
    let answer = client.eligibility().check_eligibility(request).await.map_err(Error::from)?.into_inner();
    let premises = answer.premises.unwrap_or_default();
    println!("place        {IMB}: {}, {} {}", premises.street_address, premises.postcode, premises.commune);
    let offer = answer.answers.into_iter().next().ok_or("no answer for the offer")?;
    println!("{OFFER}   {}, up to {} Mbit/s", offer.verdict().as_str_name(), offer.best_down_kbps / 1_000);
    for finding in &offer.findings {
        println!("             {}: {}", finding.code, finding.remedy);
    }
    if matches!(offer.verdict(), Verdict::NotEligible | Verdict::NeedsStudy | Verdict::Unspecified) {
        return Err("nothing to book a visit for".into());
    }
    Ok(Intervention {
        place: Some(Place { designation: Some(Designation::Imb(IMB.to_owned())) }),
        product_nature: offer.product_nature,
        operation: "CREATION".to_owned(),
        appointment_type: offer.appointment_type,
        ..Intervention::default()
    })
}

async fn appointment(client: &Client, intervention: Intervention) -> Result<(), Box<dyn StdError>> {
    let mut appointments = client.appointments();
    let search = SearchSlotsRequest {
        intervention: Some(intervention.clone()),
        preferred_moment: Moment::Morning.into(),
        max_slots: 2,
        ..SearchSlotsRequest::default()
    };
    let found = appointments.search_slots(search).await.map_err(Error::from)?.into_inner();
    println!("window       {} to {}", found.window_first_day, found.window_last_day);
    let [first, second, ..] = found.slots.as_slice() else {
        return Err(format!("fewer than two slots, next day with room {:?}", found.next_day_with_room).into());
    };

    // One request_id an intent: the client sends it again by itself when the server is away, with no second effect.
    let request = HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(intervention),
        slot_id: first.slot_id.clone(),
    };
    let answer = appointments.hold_appointment(request).await.map_err(Error::from)?;
    let held = show("held", answer.into_inner().appointment);

    let request = GetAppointmentRequest { reference: held.reference.clone() };
    let answer = appointments.get_appointment(request).await.map_err(Error::from)?;
    let read = show("read", answer.into_inner().appointment);

    let request = RescheduleAppointmentRequest {
        request_id: new_request_id(),
        reference: read.reference,
        etag: read.etag,
        slot_id: second.slot_id.clone(),
    };
    let answer = appointments.reschedule_appointment(request).await.map_err(Error::from)?;
    let moved = show("moved", answer.into_inner().appointment);

    let cancel = |of: Appointment| CancelAppointmentRequest {
        request_id: new_request_id(),
        reference: of.reference,
        etag: of.etag,
    };
    let answer = appointments.cancel_appointment(cancel(moved)).await.map_err(Error::from)?;
    let cancelled = show("cancelled", answer.into_inner().appointment);

    // What is over can not be cancelled again: the refusal says why, and what to do instead.
    match appointments.cancel_appointment(cancel(cancelled)).await.map_err(Error::from) {
        Ok(_) => Err("cancelled twice".into()),
        Err(refusal) => {
            println!("refused      {}: {}", refusal.reason_name().unwrap_or("unknown"), refusal.message());
            println!("remedy       {}", refusal.remedy().unwrap_or("none"));
            println!("request id   {}", refusal.request_id().unwrap_or("none"));
            Ok(())
        }
    }
}

fn show(what: &str, appointment: Option<Appointment>) -> Appointment {
    let appointment = appointment.unwrap_or_default();
    let Slot { day, local_start, local_end, .. } = appointment.slot.clone().unwrap_or_default();
    let state = AppointmentState::try_from(appointment.state).unwrap_or_default().as_str_name();
    println!("{what:<12} {} on {day} {local_start}-{local_end}, {state}", appointment.reference);
    appointment
}
