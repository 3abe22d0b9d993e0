//! The second half of the journey: order the access, follow it live until it is delivered, read its history.

use std::{error::Error as StdError, time::Duration};

use eservices_client::{
    Client, Error,
    contract::{
        addresses::v1::{Place as Floor, TranslateAddressRequest, translate_address_request},
        appointments::v1::{
            HoldAppointmentRequest, Intervention, Place, SearchSlotsRequest, place::Designation,
        },
        events::v1::{WatchEventsRequest, watch_events_response::Message},
        orders::v1::{
            Contact, CreateOrderRequest, GetOrderRequest, NewOrder, Order, PlaceInBuilding, PostalAddress,
            ValidateOrderRequest,
        },
        sandbox::v1::{AdvanceClockRequest, advance_clock_request::Target},
    },
    new_request_id,
};

/// Another house than the one of the first half.
const HOUSE: &str = "IMB/77058/X/036D";

/// How long the field may take from one change to the next once the day of the visit has come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Orders and follows.
pub async fn order(client: &Client) -> Result<(), Box<dyn StdError>> {
    let floor = floor(client).await?;
    let (reference, start) = hold(client, &floor).await?;
    let new = new_order(&floor, reference);

    // What speaks against the order, all at once; nothing changes by it.
    let request = ValidateOrderRequest { order: Some(new.clone()) };
    let answer = client.orders().validate_order(request).await.map_err(Error::from)?.into_inner();
    for finding in &answer.findings {
        println!("against it   {} {}: {}", finding.code, finding.field, finding.remedy);
    }

    let token = token(client).await?;
    let request = CreateOrderRequest { request_id: new_request_id(), order: Some(new) };
    let answer = client.orders().create_order(request).await.map_err(Error::from)?;
    let order = answer.into_inner().order.unwrap_or_default();
    println!("ordered      {}, access {}, address {}", order.number, order.aid, order.ipv4);

    // The sandbox's clock, so that the day of the visit comes now; in production it comes by itself.
    let target = start.map(Target::To);
    let request = AdvanceClockRequest { request_id: new_request_id(), target };
    client.sandbox().advance_clock(request).await.map_err(Error::from)?;
    follow(client, &order, token).await?;

    let request = GetOrderRequest { number: order.number };
    let answer = client.orders().get_order(request).await.map_err(Error::from)?.into_inner();
    for entry in &answer.history {
        println!("history      {}. {} {}", entry.position, entry.kind, entry.code);
    }
    Ok(())
}

/// The floor that is ordered for, as TAO says it is: its sharing point, its sockets, the visit that it needs.
async fn floor(client: &Client) -> Result<Floor, Box<dyn StdError>> {
    let key = Some(translate_address_request::Key::Imb(HOUSE.to_owned()));
    let request = TranslateAddressRequest { key };
    let answer = client.addresses().translate_address(request).await.map_err(Error::from)?.into_inner();
    let building = answer.buildings.into_iter().next().ok_or("the house is not in the reference")?;
    building.places.into_iter().next().ok_or_else(|| "the house has no place".into())
}

/// A held appointment of the type that the floor needs, and when it begins.
async fn hold(
    client: &Client,
    floor: &Floor,
) -> Result<(String, Option<prost_types::Timestamp>), Box<dyn StdError>> {
    let intervention = Intervention {
        place: Some(Place { designation: Some(Designation::Imb(HOUSE.to_owned())) }),
        product_nature: "JUST_FIBRE".to_owned(),
        operation: "CREATION".to_owned(),
        appointment_type: floor.appointment_type,
        ..Intervention::default()
    };
    let search = SearchSlotsRequest {
        intervention: Some(intervention.clone()),
        max_slots: 1,
        ..SearchSlotsRequest::default()
    };
    let found = client.appointments().search_slots(search).await.map_err(Error::from)?.into_inner();
    let slot = found.slots.first().ok_or("no slot has room")?;
    let request = HoldAppointmentRequest {
        request_id: new_request_id(),
        intervention: Some(intervention),
        slot_id: slot.slot_id.clone(),
    };
    let answer = client.appointments().hold_appointment(request).await.map_err(Error::from)?.into_inner();
    Ok((answer.appointment.unwrap_or_default().reference, slot.start_time))
}

fn new_order(floor: &Floor, appointment_reference: String) -> NewOrder {
    NewOrder {
        operator_reference: format!("EXAMPLE-{}", &new_request_id()[24..]),
        offer_code: super::OFFER.to_owned(),
        appointment_reference,
        contact: Some(Contact {
            last_name: "Martin".to_owned(),
            first_name: "Camille".to_owned(),
            phone: "0199000001".to_owned(),
            ..Contact::default()
        }),
        imb: HOUSE.to_owned(),
        pm: floor.pm.clone(),
        // A house that has its socket is ordered for by it.
        pto: floor.lines.first().map_or_else(String::new, |line| line.pto.clone()),
        place: Some(PlaceInBuilding {
            batiment: floor.batiment.clone(),
            escalier: floor.escalier.clone(),
            etage: floor.etage.clone(),
        }),
        delivery_address: Some(PostalAddress {
            number: "17".to_owned(),
            street: "RUE ETIENNE GANNERON".to_owned(),
            postcode: "77600".to_owned(),
            commune: "BUSSY-ST-GEORGES".to_owned(),
            ..PostalAddress::default()
        }),
        ..NewOrder::default()
    }
}

/// Where the operator's events stand now: a watch from here on misses nothing of what is ordered next.
async fn token(client: &Client) -> Result<String, Box<dyn StdError>> {
    let service = client.events().service().watch_events(WatchEventsRequest::default()).await;
    let first = service.map_err(Error::from)?.into_inner().message().await.map_err(Error::from)?;
    match first.and_then(|answer| answer.message) {
        Some(Message::Heartbeat(stands)) => Ok(stands.resume_token),
        _ => Err("a watch begins with a heartbeat".into()),
    }
}

/// Each change of the order as it is committed, once and in order, until it is over. The watch comes back by itself when it
/// is cut.
async fn follow(client: &Client, order: &Order, resume_token: String) -> Result<(), Box<dyn StdError>> {
    let resources = vec![format!("orders/{}", order.number)];
    let mut watch = client.events().watch(WatchEventsRequest {
        resources,
        resume_token,
        ..WatchEventsRequest::default()
    });
    loop {
        let event = tokio::time::timeout(PATIENCE, watch.next()).await??;
        println!("event        {} {} → {}", event.revision, event.kind, event.state);
        if matches!(event.state.as_str(), "completed" | "failed") {
            return Ok(());
        }
    }
}
