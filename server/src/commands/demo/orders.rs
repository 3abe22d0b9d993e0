//! The demo's orders: checked, placed, followed live while the simulator plays the field, exchanged, terminated, erased.

use std::time::{Duration, Instant};

use eservices::{
    addresses::v1 as ad,
    appointments::v1 as ap,
    events::v1::{WatchEventsRequest, watch_events_response::Message},
    orders::v1 as pb,
    sandbox::v1 as sa,
};
use eservices_client::{Client, Watch, new_request_id};
use tokio::time::timeout;

use super::{
    journey::{ALPHA, Outcome, hold_first, intervention},
    show::Show,
};

/// The house that is ordered for: 10 rue Etienne Ganneron. The one that eligibility is shown on stays as it is.
const HOUSE: &str = "IMB/77058/X/0414";

/// Whoever waits longer waits for ever.
const PATIENCE: Duration = Duration::from_secs(30);

/// From an appointment to a delivered access, another box, and the end of it.
pub async fn orders(alpha: &Client, show: &Show) -> Outcome<()> {
    lifecycle(alpha, show).await?;
    let place = place(alpha).await?;
    let house = ap::Place { designation: Some(ap::place::Designation::Imb(HOUSE.into())) };
    let visit =
        ap::Intervention { place: Some(house), appointment_type: place.appointment_type, ..intervention() };
    let held = hold_first(alpha, visit).await?;
    let wanted = wanted(&place, &held);
    validate(alpha, &wanted, show).await?;
    let mut watch = watch(alpha, show).await?;
    let order = create(alpha, wanted, show).await?;
    on_the_day(alpha, &held, show).await?;
    follow(&mut watch, &order, show).await?;
    read(alpha, &order, show).await?;
    dashboard(alpha, show).await?;
    let exchange = exchange(alpha, &order, show).await?;
    follow(&mut watch, &exchange, show).await?;
    let end = terminate(alpha, &order, show).await?;
    follow(&mut watch, &end, show).await?;
    erase(alpha, &order, show).await?;
    address_holder(alpha, &order, show).await?;
    list(alpha, show).await
}

async fn lifecycle(alpha: &Client, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let answer = alpha.orders().get_order_lifecycle(pb::GetOrderLifecycleRequest {}).await?.into_inner();
    let creation = |t: &&pb::Transition| t.r#type() == pb::OrderType::Creation;
    let count = answer.transitions.iter().filter(creation).count();
    let lines = [format!("{} transitions, {count} of them of a creation", answer.transitions.len())];
    show.answered("OrderService/GetOrderLifecycle", ALPHA, started.elapsed(), &lines);
    Ok(())
}

/// A reference of its own for each run: it must be new.
fn reference(what: &str) -> String {
    format!("DEMO-{what}-{}", &new_request_id()[24..])
}

fn contact() -> pb::Contact {
    pb::Contact {
        last_name: "Martin".into(),
        first_name: "Camille".into(),
        phone: "0199000001".into(),
        other_phone: String::new(),
    }
}

fn delivery() -> pb::PostalAddress {
    pb::PostalAddress {
        number: "10".into(),
        street: "RUE ETIENNE GANNERON".into(),
        complement: String::new(),
        postcode: "77600".into(),
        commune: "BUSSY-ST-GEORGES".into(),
    }
}

/// The place of the house: an earlier run of the demo left a socket there, and the order then names it.
async fn place(alpha: &Client) -> Outcome<ad::Place> {
    let key = Some(ad::translate_address_request::Key::Imb(HOUSE.into()));
    let answer = alpha.addresses().translate_address(ad::TranslateAddressRequest { key }).await?.into_inner();
    let building = answer.buildings.into_iter().next().ok_or("the building is not there")?;
    building.places.into_iter().next().ok_or_else(|| "the building has no place".into())
}

fn wanted(place: &ad::Place, held: &ap::Appointment) -> pb::NewOrder {
    pb::NewOrder {
        operator_reference: reference("NEW"),
        offer_code: "JUST_FIBRE".into(),
        qualification_reference: String::new(),
        appointment_reference: held.reference.clone(),
        contact: Some(contact()),
        imb: HOUSE.into(),
        pm: place.pm.clone(),
        pto: place.lines.first().map_or_else(String::new, |line| line.pto.clone()),
        place: Some(pb::PlaceInBuilding {
            batiment: place.batiment.clone(),
            escalier: place.escalier.clone(),
            etage: place.etage.clone(),
        }),
        delivery_address: Some(delivery()),
        comment: "Sonnette au portail.".into(),
        scenario: String::new(),
    }
}

async fn validate(alpha: &Client, right: &pb::NewOrder, show: &Show) -> Outcome<()> {
    let mut wrong = right.clone();
    wrong.pm = "FI-77058-000C".into();
    if let Some(place) = &mut wrong.place {
        place.etage = "9".into();
    }
    for (order, acceptable) in [(wrong, false), (right.clone(), true)] {
        let started = Instant::now();
        let request = pb::ValidateOrderRequest { order: Some(order) };
        let answer = alpha.orders().validate_order(request).await?.into_inner();
        if answer.acceptable != acceptable {
            return Err(format!("a validation came out otherwise: {:?}", answer.findings).into());
        }
        let mut lines: Vec<String> =
            answer.findings.iter().map(|f| format!("{} {}: {}", f.code, f.field, f.description)).collect();
        if acceptable {
            lines.push("nothing speaks against it".to_owned());
        }
        show.answered("OrderService/ValidateOrder", ALPHA, started.elapsed(), &lines);
    }
    Ok(())
}

/// A watch that begins before the order is placed, so that it shows all of it.
async fn watch(alpha: &Client, show: &Show) -> Outcome<Watch> {
    let started = Instant::now();
    let e_services = vec!["e-just-fibre".to_owned()];
    let request = WatchEventsRequest { e_services, ..WatchEventsRequest::default() };
    let mut stream = alpha.events().service().watch_events(request.clone()).await?.into_inner();
    let first = timeout(PATIENCE, stream.message()).await??;
    let Some(Message::Heartbeat(stands)) = first.and_then(|answer| answer.message) else {
        return Err("a watch did not begin with a heartbeat".into());
    };
    let lines = [format!("from revision {} on, cut or not", stands.revision)];
    show.answered("EventService/WatchEvents", ALPHA, started.elapsed(), &lines);
    Ok(alpha.events().watch(WatchEventsRequest { resume_token: stands.resume_token, ..request }))
}

async fn create(alpha: &Client, wanted: pb::NewOrder, show: &Show) -> Outcome<pb::Order> {
    let started = Instant::now();
    let request = pb::CreateOrderRequest { request_id: new_request_id(), order: Some(wanted) };
    let order = alpha.orders().create_order(request).await?.into_inner().order.unwrap_or_default();
    let lines = [
        format!("{} {:?}, {} {}", order.number, order.state(), order.via, order.aid),
        format!("fixed address {}, {} confirmed", order.ipv4, order.appointment_reference),
    ];
    show.answered("OrderService/CreateOrder", ALPHA, started.elapsed(), &lines);

    let started = Instant::now();
    let request = pb::AddCommentRequest {
        request_id: new_request_id(),
        number: order.number.clone(),
        comment: "Appeler avant de venir.".into(),
    };
    alpha.orders().add_comment(request).await?;
    show.answered(
        "OrderService/AddComment",
        ALPHA,
        started.elapsed(),
        &["the technician will read it".to_owned()],
    );
    Ok(order)
}

/// The business clock on the day of the visit: the technician comes.
async fn on_the_day(alpha: &Client, held: &ap::Appointment, show: &Show) -> Outcome<()> {
    let slot = held.slot.clone().unwrap_or_default();
    let start = slot.start_time.ok_or("the slot has no start")?;
    let started = Instant::now();
    let request = sa::AdvanceClockRequest {
        request_id: new_request_id(),
        target: Some(sa::advance_clock_request::Target::To(start)),
    };
    alpha.sandbox().advance_clock(request).await?;
    let lines = [format!("it is {} {}: the technician comes", slot.day, slot.local_start)];
    show.answered("SandboxService/AdvanceClock", ALPHA, started.elapsed(), &lines);
    Ok(())
}

/// Shows the events of an order as they come, until it is over.
async fn follow(watch: &mut Watch, order: &pb::Order, show: &Show) -> Outcome<()> {
    let resource = format!("orders/{}", order.number);
    loop {
        let event = timeout(PATIENCE, watch.next()).await??;
        if event.resource != resource {
            continue;
        }
        show.event(event.revision, &event.kind, &event.state);
        match event.state.as_str() {
            "completed" => return Ok(()),
            "failed" => return Err(format!("order {} failed", order.number).into()),
            _ => {}
        }
    }
}

async fn read(alpha: &Client, order: &pb::Order, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let request = pb::GetOrderRequest { number: order.number.clone() };
    let answer = alpha.orders().get_order(request).await?.into_inner();
    let found = answer.order.unwrap_or_default();
    let mut lines = vec![
        format!("{} {:?}, socket {}", found.number, found.state(), found.pto),
        format!("box {}, parcel {}", found.box_serial, found.parcel_number),
    ];
    let entry = |e: &pb::HistoryEntry| format!("{}. {} by {:?}", e.position, e.kind, e.author());
    lines.extend(answer.history.iter().map(entry));
    show.answered("OrderService/GetOrder", ALPHA, started.elapsed(), &lines);
    Ok(())
}

async fn dashboard(alpha: &Client, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let answer = alpha.orders().count_orders(pb::CountOrdersRequest {}).await?.into_inner();
    let line = |c: &pb::OrderCount| format!("{:?} {:?}: {}", c.r#type(), c.state(), c.orders);
    let lines: Vec<String> = answer.counts.iter().filter(|c| c.orders > 0).map(line).collect();
    show.answered("OrderService/CountOrders", ALPHA, started.elapsed(), &lines);
    Ok(())
}

async fn exchange(alpha: &Client, order: &pb::Order, show: &Show) -> Outcome<pb::Order> {
    let started = Instant::now();
    let request = pb::ExchangeBoxRequest {
        request_id: new_request_id(),
        aid: order.aid.clone(),
        operator_reference: reference("BOX"),
        contact: Some(contact()),
        delivery_address: Some(delivery()),
        ..pb::ExchangeBoxRequest::default()
    };
    let answer = alpha.orders().exchange_box(request).await?.into_inner();
    Ok(placed("OrderService/ExchangeBox", answer.order, started, show))
}

async fn terminate(alpha: &Client, order: &pb::Order, show: &Show) -> Outcome<pb::Order> {
    let started = Instant::now();
    let request = pb::TerminateAccessRequest {
        request_id: new_request_id(),
        aid: order.aid.clone(),
        operator_reference: reference("END"),
        ..pb::TerminateAccessRequest::default()
    };
    let answer = alpha.orders().terminate_access(request).await?.into_inner();
    Ok(placed("OrderService/TerminateAccess", answer.order, started, show))
}

fn placed(method: &str, order: Option<pb::Order>, started: Instant, show: &Show) -> pb::Order {
    let order = order.unwrap_or_default();
    let lines = [format!("{} {:?} of access {}", order.number, order.state(), order.aid)];
    show.answered(method, ALPHA, started.elapsed(), &lines);
    order
}

async fn erase(alpha: &Client, order: &pb::Order, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let request = pb::EraseContactRequest { request_id: new_request_id(), number: order.number.clone() };
    let answer = alpha.orders().erase_contact(request).await?.into_inner();
    let lines = [format!("the contact and {} comments are gone, the order stays", answer.comments)];
    show.answered("OrderService/EraseContact", ALPHA, started.elapsed(), &lines);
    Ok(())
}

async fn address_holder(alpha: &Client, order: &pb::Order, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let request = pb::FindAddressHolderRequest {
        request_id: new_request_id(),
        ipv4: order.ipv4.clone(),
        at_time: order.create_time,
    };
    let answer = alpha.orders().find_address_holder(request).await?.into_inner();
    let holder = answer.holder.ok_or("nobody held the address")?;
    let lines = [format!("{} was held by access {}; the question is noted", order.ipv4, holder.aid)];
    show.answered("OrderService/FindAddressHolder", ALPHA, started.elapsed(), &lines);
    Ok(())
}

async fn list(alpha: &Client, show: &Show) -> Outcome<()> {
    let started = Instant::now();
    let request = pb::ListOrdersRequest { page_size: 3, ..pb::ListOrdersRequest::default() };
    let answer = alpha.orders().list_orders(request).await?.into_inner();
    let line = |o: &pb::Order| format!("{} {:?} {:?}", o.number, o.r#type(), o.state());
    let lines: Vec<String> = answer.orders.iter().map(line).collect();
    show.answered("OrderService/ListOrders", ALPHA, started.elapsed(), &lines);
    Ok(())
}
