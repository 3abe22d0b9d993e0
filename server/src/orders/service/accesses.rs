//! `TerminateAccess`, `ExchangeBox`: orders on an access that was delivered. They take nothing new: place, network and offer
//! are those of its creation.

use std::sync::Arc;

use eservices::orders::v1 as pb;
use prost::Message;

use crate::{
    orders::{
        rules::{Actor, State, Type},
        store::{self, Entry, Order},
        wire::{self, OnAccess},
    },
    platform::{
        Platform,
        config::Environment,
        error::{Error, Reason, Violations},
        identity::Caller,
        unit_of_work::{Command, Work},
    },
};

/// Refuses a scenario where none is played.
pub fn without_scenario(platform: &Platform, asked: &OnAccess, violations: &mut Violations) {
    if !asked.scenario.is_empty() && platform.config.environment == Environment::Production {
        violations.push("scenario", "expected nothing in production");
    }
}

/// An order on an access, and the answer that is made of it.
pub struct Ask<A> {
    platform: Arc<Platform>,
    caller: Caller,
    asked: OnAccess,
    kind: Type,
    answer: fn(Order) -> A,
}

impl<A> Ask<A> {
    /// For one operator.
    pub fn new(
        platform: &Arc<Platform>,
        caller: &Caller,
        asked: OnAccess,
        kind: Type,
        answer: fn(Order) -> A,
    ) -> Self {
        Self { platform: Arc::clone(platform), caller: caller.clone(), asked, kind, answer }
    }

    /// The creation that the access comes of, if nothing speaks against another order on the access.
    async fn creation(&self, work: &mut Work) -> Result<Order, Error> {
        let (party, aid) = (self.caller.party_id(), &self.asked.aid);
        let conn = &mut work.conn();
        let standing = store::access_standing(conn, party, aid).await?;
        let standing = standing.ok_or_else(|| Error::not_found("Access", aid))?;
        let creation = store::find(conn, party, &standing.number).await?;
        let creation = creation.ok_or_else(|| Error::internal("an access without its creation"))?;
        self.caller.require(&creation.e_service)?;
        if let Some(number) = store::number_of(conn, party, &self.asked.operator_reference).await? {
            let used = Error::new(Reason::Fimp13, "the operator's reference was used before");
            let condition = used.with("order_number", number).condition("operator_reference");
            return Err(Error::preconditions(vec![condition]));
        }
        if standing.state != "active" {
            return Err(Error::new(Reason::AccessStateForbids, format!("the access is {}", standing.state))
                .with("state", standing.state)
                .with("order_number", standing.number));
        }
        if let Some(number) = store::order_under_way(conn, party, aid).await? {
            return Err(Error::new(Reason::AccessOrderUnderWay, "another order on the access is under way")
                .with("order_number", number));
        }
        Ok(creation)
    }

    fn order(&self, work: &Work, creation: Order) -> Order {
        let now = work.now.as_microsecond();
        Order {
            number: format!("CMD{:012}", self.platform.ids.twelve_digits()),
            kind: self.kind,
            state: State::InProgress,
            operator_reference: self.asked.operator_reference.clone(),
            appointment_ref: String::new(),
            fibre_held: 0,
            parcel_number: String::new(),
            box_serial: String::new(),
            failure_code: String::new(),
            retake_until: String::new(),
            release: self.platform.network.load().reference.release().name.clone(),
            scenario: self.asked.scenario.clone(),
            entries: 1,
            version: 1,
            revision: 0,
            created_at: now,
            updated_at: now,
            ..creation
        }
    }

    async fn place(&self, work: &mut Work) -> Result<Order, Error> {
        let creation = self.creation(work).await?;
        let mut order = self.order(work, creation);
        let party = self.caller.party_id();
        order.revision = work
            .announce(party, &order.e_service, "orders.accepted", order.resource(), order.state.as_str())
            .await?;
        let conn = &mut work.conn();
        if !store::insert(conn, &order).await? {
            // A number that was drawn before: the work runs again with another.
            return Err(Error::overtaken());
        }
        if let Some(contact) = &self.asked.contact {
            store::insert_contact(conn, &order.number, contact).await?;
        }
        let entry = Entry {
            position: order.entries,
            kind: "ACCEPTED".to_owned(),
            author: Actor::Operator,
            state: order.state,
            code: String::new(),
            comment: self.asked.comment.clone(),
            facts: String::new(),
            occurred_at: order.created_at,
        };
        store::add_entry(conn, &order.number, &entry).await?;
        store::open_work(work, &order).await?;
        work.note(party, order.resource(), format!("action=ACCEPT type={}", self.kind.as_str()));
        Ok(order)
    }
}

impl<A: Message + Default + Send + 'static> Command for Ask<A> {
    type Answer = A;

    async fn run(&self, work: &mut Work) -> Result<A, Error> {
        self.place(work).await.map(self.answer)
    }
}

/// The answer of a termination.
pub fn terminated(order: Order) -> pb::TerminateAccessResponse {
    pb::TerminateAccessResponse { order: Some(wire::order(&order)) }
}

/// The answer of an exchange.
pub fn exchanged(order: Order) -> pb::ExchangeBoxResponse {
    pb::ExchangeBoxResponse { order: Some(wire::order(&order)) }
}
