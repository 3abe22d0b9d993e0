//! One client: what it does next, by its dice and by what it was told so far.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use eservices::{appointments::v1 as ap, orders::v1 as od};
use eservices_client::{Client, new_request_id};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::{
    Shared,
    intent::{self, Intent},
};
use crate::{
    history::{Operation, Outcome, READ},
    process::slots,
};

/// A client leaves a hold alone for at least so long, 3 s: it lapses after 2 s.
const NEGLECT: Duration = Duration::from_secs(3);
/// A client that gets no answer for so long gives up: 20 s.
const ATTEMPTS: u32 = 1_000;
/// The pause before a client asks again.
const PAUSE: Duration = Duration::from_millis(20);
/// How the field plays an order, one as often as the other.
const SCENARIOS: [&str; 9] = [
    "",
    "",
    "NOMINAL",
    "CUSTOMER_ABSENT",
    "CUSTOMER_ABSENT",
    "BUILDING_NOT_FOUND",
    "OPTICAL_BUDGET_TOO_LOW",
    "BOX_LOST",
    "WORKER_LOST",
];

pub struct Agent {
    client: Client,
    party_id: String,
    shared: Arc<Shared>,
    dice: StdRng,
    /// Reference and etag of what this client holds, as far as it was told.
    alive: Vec<(String, String)>,
    /// One that is left to lapse, and since when.
    neglected: Option<(Instant, String, String)>,
    /// The order that it follows: at most one, for confirmed appointments do not lapse, and places are few.
    order: Option<String>,
    /// An access that was delivered, and with which something can be done.
    access: Option<String>,
    done: Vec<(Intent, Operation)>,
    /// Orders of its own that it was not let read.
    unread: Vec<Operation>,
}

impl Agent {
    pub fn new(client: Client, party_id: &str, shared: &Arc<Shared>, seed: u64) -> Self {
        Self {
            client,
            party_id: party_id.to_owned(),
            shared: Arc::clone(shared),
            dice: StdRng::seed_from_u64(seed),
            alive: Vec::new(),
            neglected: None,
            order: None,
            access: None,
            done: Vec::new(),
            unread: Vec::new(),
        }
    }

    pub async fn work(mut self) -> Vec<Operation> {
        while !self.shared.stops() {
            if !self.done.is_empty() && self.dice.random_ratio(1, 8) {
                // Out of nothing but doubt: the answer must be the first one, also over a kill in between.
                let last = self.done.len() - 1;
                let back = self.dice.random_range(0..=last.min(20));
                self.again(last - back).await;
            } else {
                let intent = self.next().await;
                self.pursue(intent).await;
            }
        }
        for _ in 0..5.min(self.done.len()) {
            let n = self.dice.random_range(0..self.done.len());
            self.again(n).await;
        }
        self.done.into_iter().map(|(_, operation)| operation).chain(self.unread).collect()
    }

    async fn next(&mut self) -> Intent {
        let request_id = new_request_id();
        if let Some((_, reference, etag)) = self.neglected.take_if(|(since, ..)| since.elapsed() > NEGLECT) {
            return Intent::Cancel(ap::CancelAppointmentRequest { request_id, reference, etag });
        }
        if self.order.is_some()
            && self.dice.random_ratio(1, 4)
            && let Some(intent) = self.follow(&request_id).await
        {
            return intent;
        }
        if self.order.is_none()
            && self.dice.random_ratio(1, 2)
            && let Some(aid) = self.access.take()
        {
            return self.on_access(request_id, aid);
        }
        let slots = slots(self.shared.season.load(Ordering::Relaxed));
        let slot_id = slots[self.dice.random_range(0..slots.len())].clone();
        if self.alive.is_empty() || (self.alive.len() < 4 && self.dice.random_ratio(1, 2)) {
            let intervention = Some(intent::intervention());
            return Intent::Hold(ap::HoldAppointmentRequest { request_id, intervention, slot_id });
        }
        let (reference, etag) = self.one_alive();
        if self.order.is_none() && self.dice.random_ratio(1, 2) {
            let scenario = SCENARIOS[self.dice.random_range(0..SCENARIOS.len())];
            let order = Some(intent::order(&request_id[..30], &reference, scenario));
            return Intent::Order(Box::new(od::CreateOrderRequest { request_id, order }));
        }
        if self.dice.random_ratio(1, 2) {
            Intent::Move(ap::RescheduleAppointmentRequest { request_id, reference, etag, slot_id })
        } else {
            Intent::Cancel(ap::CancelAppointmentRequest { request_id, reference, etag })
        }
    }

    fn one_alive(&mut self) -> (String, String) {
        self.alive[self.dice.random_range(0..self.alive.len())].clone()
    }

    /// Looks how far the order is, and does what it asks for, if anything.
    async fn follow(&mut self, request_id: &str) -> Option<Intent> {
        let number = self.order.clone()?;
        let order = self.read(&number).await?;
        let (request_id, etag) = (request_id.to_owned(), order.etag.clone());
        match order.state() {
            od::OrderState::InProgress if self.dice.random_ratio(1, 20) => {
                Some(Intent::CancelOrder(od::CancelOrderRequest { request_id, number, etag }))
            }
            od::OrderState::AppointmentToRetake if self.dice.random_ratio(1, 8) => {
                Some(Intent::CancelOrder(od::CancelOrderRequest { request_id, number, etag }))
            }
            od::OrderState::AppointmentToRetake if !self.alive.is_empty() => {
                let (appointment_reference, _) = self.one_alive();
                Some(Intent::Retake(od::RetakeAppointmentRequest {
                    request_id,
                    number,
                    etag,
                    appointment_reference,
                }))
            }
            od::OrderState::Completed => {
                let there = order.r#type() != od::OrderType::Termination;
                self.access = there.then_some(order.aid);
                self.order = None;
                None
            }
            od::OrderState::Failed => {
                self.order = None;
                None
            }
            _ => None,
        }
    }

    /// An order of its own, which it can always read: a refusal is kept for the checker, and the order is left alone.
    async fn read(&mut self, number: &str) -> Option<od::Order> {
        for _ in 0..ATTEMPTS {
            let request = od::GetOrderRequest { number: number.to_owned() };
            match self.client.orders().get_order(request).await.map_err(intent::refused) {
                Ok(answer) => return answer.into_inner().order,
                Err(Outcome::Unknown) => tokio::time::sleep(PAUSE).await,
                Err(refusal) => {
                    self.unread.push(Operation {
                        party_id: self.party_id.clone(),
                        method: READ,
                        request_id: number.to_owned(),
                        attempts: vec![refusal],
                    });
                    self.order = None;
                    return None;
                }
            }
        }
        panic!("{} reads {number}: {ATTEMPTS} times no answer", self.party_id);
    }

    fn on_access(&mut self, request_id: String, aid: String) -> Intent {
        let operator_reference = request_id[..30].to_owned();
        if self.dice.random_ratio(1, 2) {
            return Intent::Terminate(od::TerminateAccessRequest {
                request_id,
                aid,
                operator_reference,
                ..od::TerminateAccessRequest::default()
            });
        }
        Intent::Exchange(od::ExchangeBoxRequest {
            request_id,
            aid,
            operator_reference,
            contact: Some(intent::contact()),
            delivery_address: Some(intent::delivery_address()),
            ..od::ExchangeBoxRequest::default()
        })
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
                self.shared.note(intent, &outcome);
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn learn(&mut self, intent: &Intent, outcome: Option<&Outcome>) {
        let about = intent.reference();
        if intent.is_about_held() {
            self.learn_of_held(intent, outcome);
            return;
        }
        if let (true, Some(Outcome::Acknowledged(answer))) = (intent.begins_order(), outcome) {
            self.order = Some(answer.reference.clone());
        }
        match outcome {
            // No fibre: the appointment is still there. Else it is attached, or not what this client knew.
            Some(Outcome::Refused(reason)) if reason == "FINT02" => {}
            _ => self.alive.retain(|(reference, _)| Some(reference) != about),
        }
    }

    fn learn_of_held(&mut self, intent: &Intent, outcome: Option<&Outcome>) {
        match outcome {
            Some(Outcome::Acknowledged(answer)) => {
                self.alive.retain(|(reference, _)| *reference != answer.reference);
                if matches!(intent, Intent::Hold(_)) && self.neglected.is_none() {
                    self.neglected = Some((Instant::now(), answer.reference.clone(), answer.etag()));
                } else if answer.state == "held" {
                    self.alive.push((answer.reference.clone(), answer.etag()));
                }
            }
            // No move left, no room, or the slot that it is in: it is still there. Else it is not what this client knew.
            Some(Outcome::Refused(reason))
                if ["FRDV01", "FRDV02", "FIELDS_INVALID"].contains(&reason.as_str()) => {}
            _ => self.alive.retain(|(reference, _)| Some(reference) != intent.reference()),
        }
    }
}
