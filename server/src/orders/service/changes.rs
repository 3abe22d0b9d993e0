//! `CancelOrder`, `RetakeAppointment`, `AddComment`: a change of one order of the caller.

use std::sync::Arc;

use eservices::orders::v1 as pb;
use eservices_reference::ids::Imb;
use prost::Message;

use crate::{
    appointments::store as appointments,
    orders::{
        rules::{Action, Actor, checks, machine},
        store::{self, Order, Report},
        wire,
    },
    platform::{
        Platform,
        error::{Error, Reason},
        identity::Caller,
        unit_of_work::{Command, Work},
    },
};

/// What is to be changed.
#[derive(Clone)]
pub enum What {
    /// Give up.
    Cancel,
    /// Attach this appointment.
    Retake(String),
    /// Say this.
    Comment(String),
}

/// A change that an operator asks for.
pub struct Change {
    platform: Arc<Platform>,
    caller: Caller,
    number: String,
    etag: Option<String>,
    what: What,
}

/// A change and the answer that is made of it.
pub struct Answering<A> {
    change: Change,
    answer: fn(&Order) -> A,
}

impl Change {
    /// Of one order; with the version it was decided on, where the change depends on it.
    pub fn new(
        platform: &Arc<Platform>,
        caller: &Caller,
        number: String,
        etag: Option<String>,
        what: What,
    ) -> Self {
        Self { platform: Arc::clone(platform), caller: caller.clone(), number, etag, what }
    }

    /// The same with its answer.
    pub fn answering<A>(self, answer: fn(&Order) -> A) -> Answering<A> {
        Answering { change: self, answer }
    }

    /// The order, if it is the caller's, its offer is open to the caller, and it is still the version decided on.
    async fn decided_on(&self, work: &mut Work) -> Result<Order, Error> {
        let order = store::find(&mut work.conn(), self.caller.party_id(), &self.number)
            .await?
            .ok_or_else(|| Error::not_found("Order", &self.number))?;
        self.caller.require(&order.e_service)?;
        if self.etag.as_ref().is_some_and(|etag| *etag != order.etag()) {
            return Err(Error::new(Reason::EtagMismatch, "the order changed since it was read")
                .with("current_etag", order.etag()));
        }
        Ok(order)
    }

    async fn run(&self, work: &mut Work) -> Result<Order, Error> {
        let mut order = self.decided_on(work).await?;
        let mut report = match &self.what {
            What::Cancel => Report::of(Action::Cancel, Actor::Operator),
            What::Retake(_) => Report::of(Action::RetakeAppointment, Actor::Operator),
            What::Comment(_) => Report::of(Action::Comment, Actor::Operator),
        };
        match &self.what {
            What::Cancel => {}
            What::Comment(text) => report.comment.clone_from(text),
            What::Retake(reference) => {
                machine::next(order.kind, order.state, report.action)?;
                self.attach(work, &mut order, reference).await?;
                report.facts.push(("appointment_reference", reference.clone()));
            }
        }
        store::step(work, &self.platform, order, &report).await
    }

    /// Confirms the new appointment for the order: all that speaks against it at once.
    async fn attach(&self, work: &mut Work, order: &mut Order, reference: &str) -> Result<(), Error> {
        const FIELD: &str = "appointment_reference";
        let network = self.platform.network.load();
        let unreadable = || Error::internal(format!("order {}: its building cannot be read", order.number));
        let imb = Imb::parse(&order.imb).map_err(|_| unreadable())?;
        let Some(building) = network.reference.building(&imb) else {
            let gone = Error::new(Reason::Fadr01, "the building is not in the reference any more");
            return Err(Error::preconditions(vec![gone.with("imb", &order.imb).condition("number")]));
        };
        let quote = checks::quote(&order.party_id, reference, &order.number, &order.product_nature, building);
        let found = appointments::find(&mut work.conn(), &order.party_id, reference).await?;
        let Some(appointment) = found else {
            let unknown = Error::new(Reason::AppointmentUnknown, "no such appointment");
            return Err(Error::preconditions(vec![unknown.condition(FIELD)]));
        };
        let refused = appointments::fits(&appointment, &quote, work.now).err();
        let unlike = checks::wrong_visit(&appointment, order.appointment_type);
        let against: Vec<_> = refused.into_iter().chain(unlike).map(|error| error.condition(FIELD)).collect();
        if !against.is_empty() {
            return Err(Error::preconditions(against));
        }
        appointments::confirm(work, appointment, &quote).await?;
        reference.clone_into(&mut order.appointment_ref);
        Ok(())
    }
}

impl<A: Message + Default + Send + 'static> Command for Answering<A> {
    type Answer = A;

    async fn run(&self, work: &mut Work) -> Result<A, Error> {
        let order = self.change.run(work).await?;
        Ok((self.answer)(&order))
    }
}

/// The answer of a cancellation.
pub fn cancelled(order: &Order) -> pb::CancelOrderResponse {
    pb::CancelOrderResponse { order: Some(wire::order(order)) }
}

/// The answer of an appointment that was retaken.
pub fn retaken(order: &Order) -> pb::RetakeAppointmentResponse {
    pb::RetakeAppointmentResponse { order: Some(wire::order(order)) }
}

/// The answer of a comment: its entry without its text, which is not kept twice.
pub fn commented(order: &Order) -> pb::AddCommentResponse {
    let entry = store::Entry {
        position: order.entries,
        kind: Action::Comment.entry().to_owned(),
        author: Actor::Operator,
        state: order.state,
        code: String::new(),
        comment: String::new(),
        facts: String::new(),
        occurred_at: order.updated_at,
    };
    pb::AddCommentResponse { entry: Some(wire::entry(entry)) }
}
