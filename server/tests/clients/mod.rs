//! Ten clients of several operators that hold, move, cancel and order, and write down all that they were told.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use eservices::{appointments::v1 as ap, common::v1::AppointmentType, orders::v1 as od};
use eservices_client::{Client, Code, Error, Status, new_request_id};
use prost::Message as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    history::{Answer, Operation, Outcome},
    process::{SLOTS, World},
};

const CLIENTS: usize = 10;
/// How long the one who kills waits for the clients before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);
/// A client leaves a hold alone for at least so long, 3 s: it lapses after 2 s.
const NEGLECT: Duration = Duration::from_secs(3);
/// A client that gets no answer for so long gives up: 20 s.
const ATTEMPTS: u32 = 1_000;

/// What clients and the one who kills know of each other.
pub struct Shared {
    answers: watch::Sender<u64>,
    lapses: watch::Sender<u64>,
    pub stopping: AtomicBool,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            answers: watch::Sender::new(0),
            lapses: watch::Sender::new(0),
            stopping: AtomicBool::new(false),
        }
    }
}

impl Shared {
    /// Until so many answers more have come.
    pub async fn after_answers(&self, more: u64) {
        let goal = *self.answers.borrow() + more;
        until(&self.answers, goal, "answers").await;
    }

    /// Until a client has found that something of its own lapsed, since the run began.
    pub async fn after_lapse(&self) {
        until(&self.lapses, 1, "a hold that lapsed").await;
    }

    fn note(&self, outcome: &Outcome) {
        self.answers.send_modify(|n| *n += 1);
        if matches!(outcome, Outcome::Refused(reason) if reason == "FRDV03" || reason == "ETAG_MISMATCH") {
            self.lapses.send_modify(|n| *n += 1);
        }
    }
}

async fn until(counter: &watch::Sender<u64>, goal: u64, what: &str) {
    let mut counter = counter.subscribe();
    let waited = tokio::time::timeout(PATIENCE, counter.wait_for(|n| *n >= goal)).await;
    assert!(waited.is_ok(), "{what}: not seen within {PATIENCE:?}");
}

/// The clients at work.
pub struct Clients(Vec<JoinHandle<Vec<Operation>>>);

impl Clients {
    pub fn start(world: &World, grpc: SocketAddr, shared: &Arc<Shared>, seed: u64) -> Self {
        let start = |n: usize| {
            let operator = &world.operators[n % world.operators.len()];
            let worker = Worker {
                client: world.client(grpc, operator),
                party_id: operator.party_id.clone(),
                shared: Arc::clone(shared),
                dice: StdRng::seed_from_u64(seed ^ (n as u64 + 1)),
                alive: Vec::new(),
                neglected: None,
                orders: Vec::new(),
                done: Vec::new(),
            };
            tokio::spawn(worker.work())
        };
        Self((0..CLIENTS).map(start).collect())
    }

    /// Everything that they did, once all know what became of it.
    pub async fn finish(self) -> Vec<Operation> {
        let mut history = Vec::new();
        for client in self.0 {
            history.extend(client.await.unwrap());
        }
        history
    }
}

/// A request as it is sent, again and again with the same bytes.
#[derive(Clone)]
enum Intent {
    Hold(ap::HoldAppointmentRequest),
    Move(ap::RescheduleAppointmentRequest),
    Cancel(ap::CancelAppointmentRequest),
    Order(Box<od::CreateOrderRequest>),
    CancelOrder(od::CancelOrderRequest),
}

struct Worker {
    client: Client,
    party_id: String,
    shared: Arc<Shared>,
    dice: StdRng,
    /// Reference and etag of what this client holds, as far as it was told.
    alive: Vec<(String, String)>,
    /// One that is left to lapse, and since when.
    neglected: Option<(Instant, String, String)>,
    /// Number and etag of its orders under way.
    orders: Vec<(String, String)>,
    done: Vec<(Intent, Operation)>,
}

impl Worker {
    async fn work(mut self) -> Vec<Operation> {
        while !self.shared.stopping.load(Ordering::Relaxed) {
            if !self.done.is_empty() && self.dice.random_ratio(1, 8) {
                // Out of nothing but doubt: the answer must be the first one, also over a kill in between.
                let last = self.done.len() - 1;
                let back = self.dice.random_range(0..=last.min(20));
                self.again(last - back).await;
            } else {
                let intent = self.next();
                self.pursue(intent).await;
            }
        }
        for _ in 0..5.min(self.done.len()) {
            let n = self.dice.random_range(0..self.done.len());
            self.again(n).await;
        }
        self.done.into_iter().map(|(_, operation)| operation).collect()
    }

    fn next(&mut self) -> Intent {
        let slot_id = SLOTS[self.dice.random_range(0..SLOTS.len())].to_owned();
        let request_id = new_request_id();
        if let Some((_, reference, etag)) = self.neglected.take_if(|(since, ..)| since.elapsed() > NEGLECT) {
            return Intent::Cancel(ap::CancelAppointmentRequest { request_id, reference, etag });
        }
        if self.alive.is_empty() || (self.alive.len() < 4 && self.dice.random_ratio(1, 2)) {
            return Intent::Hold(ap::HoldAppointmentRequest {
                request_id,
                intervention: Some(intervention()),
                slot_id,
            });
        }
        // At most one order a client: confirmed appointments do not lapse, and places are few.
        if !self.orders.is_empty() && self.dice.random_ratio(1, 3) {
            let (number, etag) = self.orders[0].clone();
            return Intent::CancelOrder(od::CancelOrderRequest { request_id, number, etag });
        }
        if self.orders.is_empty() && self.dice.random_ratio(1, 2) {
            let (reference, _) = &self.alive[self.dice.random_range(0..self.alive.len())];
            let order = Some(order(&request_id[..30], reference));
            return Intent::Order(Box::new(od::CreateOrderRequest { request_id, order }));
        }
        let (reference, etag) = self.alive[self.dice.random_range(0..self.alive.len())].clone();
        if self.dice.random_ratio(1, 2) {
            Intent::Move(ap::RescheduleAppointmentRequest { request_id, reference, etag, slot_id })
        } else {
            Intent::Cancel(ap::CancelAppointmentRequest { request_id, reference, etag })
        }
    }

    /// Sends until it is known what became of it.
    async fn pursue(&mut self, intent: Intent) {
        let (method, request_id) = intent.name();
        let mut operation =
            Operation { party_id: self.party_id.clone(), method, request_id, attempts: Vec::new() };
        self.send(&intent, &mut operation).await;
        self.learn(&intent, operation.attempts.last());
        self.done.push((intent, operation));
    }

    /// Sends one again that an answer came for.
    async fn again(&mut self, n: usize) {
        let (intent, mut operation) = self.done[n].clone();
        if operation.attempts.iter().any(|a| matches!(a, Outcome::Acknowledged(_))) {
            self.send(&intent, &mut operation).await;
            self.done[n].1 = operation;
        }
    }

    async fn send(&self, intent: &Intent, operation: &mut Operation) {
        for _ in 0..ATTEMPTS {
            let outcome = intent.send(&self.client).await;
            operation.attempts.push(outcome.clone());
            if outcome != Outcome::Unknown {
                self.shared.note(&outcome);
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn learn(&mut self, intent: &Intent, outcome: Option<&Outcome>) {
        let about = intent.reference();
        if let Intent::CancelOrder(_) = intent {
            self.orders.clear();
            return;
        }
        if let (Intent::Order(_), Some(Outcome::Acknowledged(answer))) = (intent, outcome) {
            self.orders.push((answer.reference.clone(), answer.order_etag()));
            self.alive.retain(|(reference, _)| Some(reference) != about);
            return;
        }
        match outcome {
            Some(Outcome::Acknowledged(answer)) => {
                self.alive.retain(|(reference, _)| *reference != answer.reference);
                if matches!(intent, Intent::Hold(_)) && self.neglected.is_none() {
                    self.neglected = Some((Instant::now(), answer.reference.clone(), answer.etag()));
                } else if answer.state == "held" {
                    self.alive.push((answer.reference.clone(), answer.etag()));
                }
            }
            // No move left, no room, no fibre, or the slot that it is in: it is still there. Else it is not what this client knew.
            Some(Outcome::Refused(reason))
                if ["FRDV01", "FRDV02", "FINT02", "FIELDS_INVALID"].contains(&reason.as_str()) => {}
            _ => self.alive.retain(|(reference, _)| Some(reference) != about),
        }
    }
}

impl Intent {
    fn name(&self) -> (&'static str, String) {
        match self {
            Self::Hold(r) => {
                ("/eservices.appointments.v1.AppointmentService/HoldAppointment", r.request_id.clone())
            }
            Self::Move(r) => {
                ("/eservices.appointments.v1.AppointmentService/RescheduleAppointment", r.request_id.clone())
            }
            Self::Cancel(r) => {
                ("/eservices.appointments.v1.AppointmentService/CancelAppointment", r.request_id.clone())
            }
            Self::Order(r) => ("/eservices.orders.v1.OrderService/CreateOrder", r.request_id.clone()),
            Self::CancelOrder(r) => ("/eservices.orders.v1.OrderService/CancelOrder", r.request_id.clone()),
        }
    }

    /// The appointment that it is about.
    fn reference(&self) -> Option<&String> {
        match self {
            Self::Hold(_) | Self::CancelOrder(_) => None,
            Self::Order(r) => r.order.as_ref().map(|order| &order.appointment_reference),
            Self::Move(r) => Some(&r.reference),
            Self::Cancel(r) => Some(&r.reference),
        }
    }

    async fn send(&self, client: &Client) -> Outcome {
        let mut service = client.appointments();
        let answered = match self.clone() {
            Self::Hold(r) => {
                service.hold_appointment(r).await.map(|a| read(&a.get_ref().appointment, a.get_ref()))
            }
            Self::Move(r) => {
                service.reschedule_appointment(r).await.map(|a| read(&a.get_ref().appointment, a.get_ref()))
            }
            Self::Cancel(r) => {
                service.cancel_appointment(r).await.map(|a| read(&a.get_ref().appointment, a.get_ref()))
            }
            Self::Order(r) => {
                let answered = client.orders().create_order(*r).await;
                answered.map(|a| read_order(&a.get_ref().order, a.get_ref()))
            }
            Self::CancelOrder(r) => {
                let answered = client.orders().cancel_order(r).await;
                answered.map(|a| read_order(&a.get_ref().order, a.get_ref()))
            }
        };
        answered.map_or_else(refused, Outcome::Acknowledged)
    }
}

impl Answer {
    fn etag(&self) -> String {
        let decoded = ap::HoldAppointmentResponse::decode(self.bytes.as_slice()).unwrap();
        decoded.appointment.unwrap().etag
    }

    fn order_etag(&self) -> String {
        od::CreateOrderResponse::decode(self.bytes.as_slice()).unwrap().order.unwrap().etag
    }
}

/// All three answers hold the appointment, and nothing else.
fn read(appointment: &Option<ap::Appointment>, whole: &impl prost::Message) -> Answer {
    let appointment = appointment.as_ref().unwrap();
    let state = match appointment.state() {
        ap::AppointmentState::Held => "held",
        ap::AppointmentState::Cancelled => "cancelled",
        ap::AppointmentState::Confirmed => "confirmed",
        // A hold that is due reads as lapsed before the sweeper came by, in a move's answer never.
        ap::AppointmentState::Lapsed | ap::AppointmentState::Unspecified => "lapsed",
    };
    Answer {
        reference: appointment.reference.clone(),
        revision: appointment.revision,
        state: state.into(),
        slot_id: appointment.slot.clone().unwrap().slot_id,
        bytes: whole.encode_to_vec(),
    }
}

/// Both answers hold the order, and nothing else.
fn read_order(order: &Option<od::Order>, whole: &impl prost::Message) -> Answer {
    let order = order.as_ref().unwrap();
    let state = match order.state() {
        od::OrderState::InProgress => "in_progress",
        od::OrderState::Failed => "failed",
        other => panic!("nobody takes an order to {other:?}"),
    };
    Answer {
        reference: order.number.clone(),
        revision: order.revision,
        state: state.into(),
        slot_id: String::new(),
        bytes: whole.encode_to_vec(),
    }
}

/// A refusal says that it did not happen; a call that nobody answered, or a server that could not go on, says nothing.
fn refused(status: Status) -> Outcome {
    let code = status.code();
    let error = Error::from(status);
    match error.reason_name() {
        Some(reason) if !matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled) => {
            Outcome::Refused(reason.to_owned())
        }
        _ => Outcome::Unknown,
    }
}

/// A creation of Just Fibre at 6 rue Etienne Ganneron, by its street.
fn intervention() -> ap::Intervention {
    let street =
        ap::Street { commune_code: "77058".into(), street_code: "0361".into(), street_number: "6".into() };
    ap::Intervention {
        place: Some(ap::Place { designation: Some(ap::place::Designation::Street(street)) }),
        product_nature: "JUST_FIBRE".into(),
        operation: "CREATION".into(),
        appointment_type: AppointmentType::House.into(),
        pair_count: 0,
        access_id: String::new(),
    }
}

/// An order of the same place.
fn order(operator_reference: &str, appointment_reference: &str) -> od::NewOrder {
    let none = || "_NA_".to_owned();
    od::NewOrder {
        operator_reference: operator_reference.into(),
        offer_code: "JUST_FIBRE".into(),
        appointment_reference: appointment_reference.into(),
        contact: Some(od::Contact {
            last_name: "Martin".into(),
            phone: "0199000001".into(),
            ..od::Contact::default()
        }),
        imb: "IMB/77058/X/0218".into(),
        pm: "FI-77058-000B".into(),
        place: Some(od::PlaceInBuilding { batiment: none(), escalier: none(), etage: none() }),
        delivery_address: Some(od::PostalAddress {
            street: "RUE ETIENNE GANNERON".into(),
            postcode: "77600".into(),
            commune: "BUSSY-SAINT-GEORGES".into(),
            ..od::PostalAddress::default()
        }),
        ..od::NewOrder::default()
    }
}
