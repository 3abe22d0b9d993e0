//! The fifty Interop codes of the access order, read off the wire and counted: refusals of real calls, a cancellation, what
//! the field reports of visits. Whatever is not read is explained in docs/orders.md.
//!
//! Each code that is expected stands here by hand, from the market's list. What is read comes as bytes to a client that is not
//! ours: a refusal from `grpc-status-details-bin`, the rest from the operator's own `GetOrder` and `CancelOrder`.

use std::collections::{BTreeMap, BTreeSet};

use eservices::{
    appointments::v1 as ap, common::v1::AppointmentType, fulfilment::v1 as fu, orders::v1 as pb,
};
use eservices_client::{Client, new_request_id};
use prost::Message;
use tonic_types::pb as rpc;

use crate::harness::{
    ALL, Identity, SIRENS, World, day_after,
    field::{Field, failed, report_request},
    hold, hold_request, intervention,
    orders::new_order,
    publish_days,
    raw::Raw,
    repo, slot_id,
};

const ORDERS: &str = "/eservices.orders.v1.OrderService/";
const APPOINTMENTS: &str = "/eservices.appointments.v1.AppointmentService/";

/// The house without a socket, and the one next door that has one.
const HOUSE: &str = "IMB/77058/X/0218";
const NEXT_DOOR: &str = "IMB/77058/X/0302";

/// An operator: bytes on the wire for what is read, our client for what goes before.
struct Operator {
    raw: Raw,
    client: Client,
    orders: usize,
}

impl Operator {
    async fn enter(world: &World, identity: &Identity) -> Self {
        let root = world.pki.root.certificate_pem();
        let raw = Raw::open(world.address, root, Some(identity), &[&rustls::version::TLS13]).await.unwrap();
        Self { raw, client: world.client(identity).await, orders: 0 }
    }

    async fn ask<A: Message + Default>(&mut self, path: &str, question: &impl Message) -> A {
        let answer = self.raw.call(path, &question.encode_to_vec()).await.unwrap();
        assert_eq!(answer.status().code(), tonic::Code::Ok, "{:?}", answer.status());
        A::decode(answer.message()).unwrap()
    }

    /// The details of a refusal: the reason, and the reasons of fields.
    async fn refused(&mut self, path: &str, question: &impl Message) -> (String, BTreeSet<String>) {
        let answer = self.raw.call(path, &question.encode_to_vec()).await.unwrap();
        let status = rpc::Status::decode(answer.status().details()).unwrap();
        let (mut reason, mut fields) = (String::new(), BTreeSet::new());
        for detail in status.details {
            if detail.type_url.ends_with("/google.rpc.ErrorInfo") {
                reason = rpc::ErrorInfo::decode(detail.value.as_slice()).unwrap().reason;
            } else if detail.type_url.ends_with("/google.rpc.BadRequest") {
                let violations = rpc::BadRequest::decode(detail.value.as_slice()).unwrap().field_violations;
                fields = violations.into_iter().map(|v| v.reason).collect();
            }
        }
        (reason, fields)
    }

    fn named(&mut self, appointment: &str) -> pb::NewOrder {
        self.orders += 1;
        new_order(&format!("OWN-{}", self.orders), appointment)
    }

    /// An order at the house, with an appointment of its own.
    async fn at_the_house(&mut self) -> pb::NewOrder {
        let held = hold(&self.client, &slot_id(8, "08:00")).await.reference;
        self.named(&held)
    }

    /// An order at a place, with an appointment of its own there.
    async fn at(&mut self, imb: &str, pm: &str, place: [&str; 3], visit: AppointmentType) -> pb::NewOrder {
        let designation = ap::Place { designation: Some(ap::place::Designation::Imb(imb.into())) };
        let wanted =
            ap::Intervention { place: Some(designation), appointment_type: visit.into(), ..intervention() };
        let held = self.held(wanted).await;
        elsewhere(self.named(&held), imb, pm, place)
    }

    async fn held(&mut self, wanted: ap::Intervention) -> String {
        let request =
            ap::HoldAppointmentRequest { intervention: Some(wanted), ..hold_request(&slot_id(8, "08:00")) };
        let answer = self.client.appointments().hold_appointment(request).await.unwrap().into_inner();
        answer.appointment.unwrap().reference
    }

    async fn accepted(&mut self, order: pb::NewOrder) -> pb::Order {
        let answer: pb::CreateOrderResponse = self.ask(&create_path(), &create(order)).await;
        answer.order.unwrap()
    }

    /// The code that `CreateOrder` refuses with.
    async fn refusal(&mut self, order: pb::NewOrder) -> String {
        self.refused(&create_path(), &create(order)).await.0
    }
}

fn create_path() -> String {
    format!("{ORDERS}CreateOrder")
}

fn create(order: pb::NewOrder) -> pb::CreateOrderRequest {
    pb::CreateOrderRequest { request_id: new_request_id(), order: Some(order) }
}

fn elsewhere(order: pb::NewOrder, imb: &str, pm: &str, place: [&str; 3]) -> pb::NewOrder {
    let [batiment, escalier, etage] = place.map(str::to_owned);
    let place = Some(pb::PlaceInBuilding { batiment, escalier, etage });
    pb::NewOrder { imb: imb.into(), pm: pm.into(), place, ..order }
}

fn reschedule(held: &ap::Appointment, slot: &str) -> ap::RescheduleAppointmentRequest {
    ap::RescheduleAppointmentRequest {
        request_id: new_request_id(),
        reference: held.reference.clone(),
        etag: held.etag.clone(),
        slot_id: slot.into(),
    }
}

/// What was read, by what showed it.
#[derive(Default)]
struct Seen(BTreeMap<&'static str, BTreeSet<String>>);

impl Seen {
    fn note(&mut self, kind: &'static str, expected: &str, found: &str) {
        assert_eq!(found, expected);
        assert!(self.0.entry(kind).or_default().insert(found.to_owned()), "{found} twice");
    }

    fn all(&self) -> BTreeSet<&str> {
        self.0.values().flatten().map(String::as_str).collect()
    }
}

const NA: [&str; 3] = ["_NA_", "_NA_", "_NA_"];

/// What a place refuses by itself.
async fn refused_by_the_reference(alpha: &mut Operator, seen: &mut Seen) {
    const BUSSY: &str = "FI-77058-000C";
    let house = alpha.at_the_house().await;
    let block = |imb, pm, place| elsewhere(house.clone(), imb, pm, place);
    let changed = |change: fn(&mut pb::NewOrder)| {
        let mut order = house.clone();
        change(&mut order);
        order
    };
    let another_nature = ap::Intervention { product_nature: "FTTH".into(), ..intervention() };
    let another_nature = alpha.held(another_nature).await;
    let mut at_next_door = alpha.at(NEXT_DOOR, "FI-77058-000B", NA, AppointmentType::House).await;
    let of_next_door = std::mem::take(&mut at_next_door.appointment_reference);
    let without_naming_it = alpha.at(NEXT_DOOR, "FI-77058-000B", NA, AppointmentType::Short).await;
    let by_hand: Vec<(&str, pb::NewOrder)> = vec![
        ("FADR01", changed(|o| o.imb = "IMB/77058/X/9999".into())),
        ("FADR02", changed(|o| o.place.as_mut().unwrap().batiment = "Z".into())),
        ("FADR03", block("IMB/77058/C/0301", BUSSY, ["_NA_", "Z", "1"])),
        ("FADR04", block("IMB/77058/C/0301", BUSSY, ["_NA_", "A", "9"])),
        ("FIMP07", changed(|o| o.pm = "FI-77058-ZZZZ".into())),
        ("FIMP08", changed(|o| o.pm = "FI-77058-000C".into())),
        ("FIMP09", block("IMB/77058/C/0408", "FI-77058-000D", ["_NA_", "_NA_", "1"])),
        ("FIMP10", block("IMB/77058/C/0407", BUSSY, ["_NA_", "_NA_", "1"])),
        ("FIMP02", changed(|o| o.pto = "FI-ZZZZ-9999".into())),
        ("FIMP03", changed(|o| o.pto = "FI-1D00-0001".into())),
        ("FIMP18", without_naming_it),
        ("FINT01", block("IMB/77058/C/0301", BUSSY, ["_NA_", "A", "3"])),
        ("FRDV05", pb::NewOrder { appointment_reference: another_nature, ..house.clone() }),
        ("FRDV06", pb::NewOrder { appointment_reference: of_next_door, ..house.clone() }),
    ];
    for (code, order) in by_hand {
        seen.note("refusal", code, &alpha.refusal(order).await);
    }
    let (reason, fields) = alpha.refused(&create_path(), &create(pb::NewOrder::default())).await;
    assert_eq!((reason.as_str(), fields.len()), ("FIELDS_INVALID", 1));
    seen.note("refusal", "FIMP15", fields.first().unwrap());
    let malformed = changed(|o| o.pm = "PM".into());
    let (reason, fields) = alpha.refused(&create_path(), &create(malformed)).await;
    assert_eq!((reason.as_str(), fields.len()), ("FIELDS_INVALID", 1));
    seen.note("refusal", "FIMP16", fields.first().unwrap());
}

/// What other orders took, and the cancellation that gives it back.
async fn refused_by_other_orders(world: &World, alpha: &mut Operator, beta: &mut Operator, seen: &mut Seen) {
    let wanted = alpha.at_the_house().await;
    let first = alpha.accepted(wanted).await;
    let mut twice = alpha.at_the_house().await;
    twice.operator_reference.clone_from(&first.operator_reference);
    seen.note("refusal", "FIMP13", &alpha.refusal(twice).await);
    let quoted = alpha.named(&first.appointment_reference);
    seen.note("refusal", "FRDV04", &alpha.refusal(quoted).await);

    let socket = |order| pb::NewOrder { pto: "FI-1D00-0001".into(), ..order };
    let short = AppointmentType::Short;
    let wanted = socket(alpha.at(NEXT_DOOR, "FI-77058-000B", NA, short).await);
    alpha.accepted(wanted).await;
    let again = socket(alpha.at(NEXT_DOOR, "FI-77058-000B", NA, short).await);
    seen.note("refusal", "FIMP19", &alpha.refusal(again).await);
    let again = socket(beta.at(NEXT_DOOR, "FI-77058-000B", NA, short).await);
    seen.note("refusal", "FIMP11", &beta.refusal(again).await);

    // One fibre is left on PT 005045: floor 1 takes it, and floor 4 has a socket.
    let (imb, pm, visit) = ("IMB/77058/S/037L", "FI-77058-000C", AppointmentType::Building);
    let wanted = alpha.at(imb, pm, ["_NA_", "_NA_", "1"], visit).await;
    let last = alpha.accepted(wanted).await;
    eservices_server::platform::network::store::look(&world.platform).await.unwrap();
    let late = alpha.at(imb, pm, ["_NA_", "_NA_", "3"], visit).await;
    seen.note("refusal", "FINT02", &alpha.refusal(late).await);
    let unnamed = alpha.at(imb, pm, ["_NA_", "_NA_", "4"], visit).await;
    seen.note("refusal", "FIMP01", &alpha.refusal(unnamed).await);

    for order in [first, last] {
        let request =
            pb::CancelOrderRequest { request_id: new_request_id(), number: order.number, etag: order.etag };
        let answer: pb::CancelOrderResponse = alpha.ask(&format!("{ORDERS}CancelOrder"), &request).await;
        let order = answer.order.unwrap();
        assert_eq!(order.state(), pb::OrderState::Failed);
        if order.imb == HOUSE {
            seen.note("cancellation", "FCLI04", &order.failure_code);
        }
    }
}

/// What a visit fails with: the code that the operator reads of its order and in its history.
async fn reported(field: &Field, alpha: &mut Operator, seen: &mut Seen) {
    use fu::report_work_request::Report;
    let absences = ["FCLI01", "FCLI02", "FCLI07"];
    let failures = [
        "FCLI03", "FCLI05", "FCLI06", "FIMP17", "FINT03", "FINT04", "FINT05", "FINT06", "FINT07", "FINT08",
        "FINT09", "FINT10", "FINT11", "FINT12", "FINT13", "FAUT01",
    ];
    let again = |code: &str| Report::CustomerAbsent(fu::CustomerAbsent { code: code.into() });
    let all = absences.iter().map(|c| (*c, again(c), pb::OrderState::AppointmentToRetake));
    let all = all.chain(failures.iter().map(|c| (*c, failed(c), pb::OrderState::Failed)));
    for (code, report, state) in all {
        let wanted = alpha.at_the_house().await;
        let order = alpha.accepted(wanted).await;
        let work =
            crate::harness::field::lease(&field.workforce, fu::Capability::Installation, 20).await.unwrap();
        let visit = work.iter().find(|w| w.details.as_ref().unwrap().order_number == order.number).unwrap();
        let mut request = report_request(visit, report);
        request.comment = "Le fourreau est cassé.".into();
        field.workforce.work().report_work(request).await.unwrap();
        let request = pb::GetOrderRequest { number: order.number };
        let read: pb::GetOrderResponse = alpha.ask(&format!("{ORDERS}GetOrder"), &request).await;
        let (order, last) = (read.order.unwrap(), read.history.last().unwrap().clone());
        assert_eq!((order.state(), last.code.as_str()), (state, order.failure_code.as_str()), "{code}");
        assert_eq!((last.author(), last.comment.as_str()), (pb::Author::Field, "Le fourreau est cassé."));
        seen.note("report", code, &order.failure_code);
    }
}

/// What appointments refuse by themselves; business time moves on at the end.
async fn refused_by_appointments(world: &World, field: &Field, alpha: &mut Operator, seen: &mut Seen) {
    let mut held = hold(&alpha.client, &slot_id(10, "08:00")).await;
    for day in [11, 14, 15] {
        let request = reschedule(&held, &slot_id(day, "08:00"));
        let answer = alpha.client.appointments().reschedule_appointment(request).await.unwrap().into_inner();
        held = answer.appointment.unwrap();
    }
    let path = format!("{APPOINTMENTS}RescheduleAppointment");
    seen.note("refusal", "FRDV01", &alpha.refused(&path, &reschedule(&held, &slot_id(16, "08:00"))).await.0);

    publish_days(&field.workforce, "ZMLV", vec![day_after(17)], 1).await;
    hold(&alpha.client, &slot_id(17, "08:00")).await;
    let full = hold_request(&slot_id(17, "08:00"));
    seen.note("refusal", "FRDV02", &alpha.refused(&format!("{APPOINTMENTS}HoldAppointment"), &full).await.0);

    let late = alpha.at_the_house().await;
    // A hold of this nature lasts 30 minutes.
    world.machine_on(31 * 60).await;
    seen.note("refusal", "FRDV03", &alpha.refusal(late).await);
}

#[tokio::test]
async fn the_codes_of_the_access_order_are_read_off_the_wire() {
    let world = World::start().await;
    let field = Field::set(&world, 200, 0).await;
    let mut alpha = Operator::enter(&world, &world.operator(SIRENS[0], ALL).await).await;
    let mut beta = Operator::enter(&world, &world.operator(SIRENS[1], ALL).await).await;
    let mut seen = Seen::default();
    refused_by_the_reference(&mut alpha, &mut seen).await;
    refused_by_other_orders(&world, &mut alpha, &mut beta, &mut seen).await;
    reported(&field, &mut alpha, &mut seen).await;
    refused_by_appointments(&world, &field, &mut alpha, &mut seen).await;

    // Whatever was not read says in the docs why it cannot be.
    let page = std::fs::read_to_string(repo().join("docs/orders.md")).unwrap();
    let lines: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| F") && line.matches('|').count() == 4)
        .map(|line| line.split('|').map(str::trim).collect())
        .filter(|cells: &Vec<&str>| cells[1].len() == 6)
        .collect();
    let read = seen.all();
    let (shown, rest): (Vec<_>, Vec<_>) = lines.iter().partition(|cells| read.contains(cells[1]));
    for cells in &rest {
        assert!(cells[3].starts_with("cannot happen: "), "{} was not read: {}", cells[1], cells[3]);
    }
    for cells in &shown {
        assert!(!cells[3].starts_with("cannot happen"), "{} was read: {}", cells[1], cells[3]);
    }
    let rest: Vec<&str> = rest.iter().map(|cells| cells[1]).collect();
    for (kind, codes) in &seen.0 {
        println!("{} by {kind}: {}", codes.len(), codes.iter().cloned().collect::<Vec<_>>().join(" "));
    }
    println!("{} of 50 read off the wire; cannot happen: {}", read.len(), rest.join(" "));
    assert!(read.len() >= 35);
    let counts: Vec<(&str, usize)> = seen.0.iter().map(|(kind, codes)| (*kind, codes.len())).collect();
    assert_eq!(counts, [("cancellation", 1), ("refusal", 25), ("report", 19)]);
    assert_eq!(rest, ["FIMP04", "FIMP05", "FIMP06", "FIMP12", "FIMP14"]);
    assert_eq!(lines.len(), 50);
}
