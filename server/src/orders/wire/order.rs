//! Orders, their history and their life as the contract carries them.

use eservices::orders::v1 as pb;

use crate::{
    appointments::visit_to_wire,
    orders::{
        rules::{Action, Actor, State, Type},
        store::{Contact, Entry, Order},
    },
    platform::clock::{instant, to_wire},
};

/// An order without what is said of the end customer.
#[must_use]
pub fn order(o: &Order) -> pb::Order {
    pb::Order {
        number: o.number.clone(),
        r#type: type_to_wire(o.kind).into(),
        state: state_to_wire(o.state).into(),
        operator_reference: o.operator_reference.clone(),
        offer_code: o.offer_code.clone(),
        via: o.via.clone(),
        aid: o.aid.clone(),
        ipv4: o.ipv4.clone(),
        appointment_reference: o.appointment_ref.clone(),
        contact: None,
        imb: o.imb.clone(),
        pm: o.pm.clone(),
        pbo: o.pbo.clone(),
        pto: o.pto.clone(),
        place: Some(pb::PlaceInBuilding {
            batiment: o.batiment.clone(),
            escalier: o.escalier.clone(),
            etage: o.etage.clone(),
        }),
        installation_address: Some(pb::PostalAddress {
            number: o.number_in_street.clone(),
            street: o.street.clone(),
            complement: String::new(),
            postcode: o.postcode.clone(),
            commune: o.commune.clone(),
        }),
        delivery_address: None,
        parcel_number: o.parcel_number.clone(),
        box_serial: o.box_serial.clone(),
        failure_code: o.failure_code.clone(),
        retake_until: o.retake_until.clone(),
        etag: o.etag(),
        create_time: Some(to_wire(instant(o.created_at))),
        update_time: Some(to_wire(instant(o.updated_at))),
        revision: o.revision,
        reference_release: o.release.clone(),
        appointment_type: visit_to_wire(o.appointment_type).into(),
    }
}

/// Who lives there, and where the box goes.
#[must_use]
pub fn contact_to_wire(c: Contact) -> (pb::Contact, pb::PostalAddress) {
    let contact = pb::Contact {
        last_name: c.last_name,
        first_name: c.first_name,
        phone: c.phone,
        other_phone: c.other_phone,
    };
    let address = pb::PostalAddress {
        number: c.box_number,
        street: c.box_street,
        complement: c.box_complement,
        postcode: c.box_postcode,
        commune: c.box_commune,
    };
    (contact, address)
}

/// One entry of a history.
#[must_use]
pub fn entry(e: Entry) -> pb::HistoryEntry {
    let fact = |line: &str| {
        let (name, value) = line.split_once('=')?;
        Some(pb::Fact { name: name.to_owned(), value: value.to_owned() })
    };
    pb::HistoryEntry {
        position: u32::try_from(e.position).unwrap_or(0),
        kind: e.kind,
        author: actor(e.author).into(),
        occur_time: Some(to_wire(instant(e.occurred_at))),
        state: state_to_wire(e.state).into(),
        code: e.code,
        comment: e.comment,
        facts: e.facts.lines().filter_map(fact).collect(),
    }
}

/// One step of the life of an order.
#[must_use]
pub fn transition(step: &(Type, State, Action, State)) -> pb::Transition {
    let (kind, state, action, next) = *step;
    pb::Transition {
        r#type: type_to_wire(kind).into(),
        state: state_to_wire(state).into(),
        action: action.as_str().to_owned(),
        actor: actor(action.actor()).into(),
        next: state_to_wire(next).into(),
    }
}

/// What an order is about, as the contract names it.
#[must_use]
pub const fn type_to_wire(kind: Type) -> pb::OrderType {
    match kind {
        Type::Creation => pb::OrderType::Creation,
        Type::Termination => pb::OrderType::Termination,
        Type::BoxExchange => pb::OrderType::BoxExchange,
    }
}

/// How far an order is, as the contract names it.
#[must_use]
pub const fn state_to_wire(state: State) -> pb::OrderState {
    match state {
        State::InProgress => pb::OrderState::InProgress,
        State::UnderConstruction => pb::OrderState::UnderConstruction,
        State::Installed => pb::OrderState::Installed,
        State::AppointmentToRetake => pb::OrderState::AppointmentToRetake,
        State::WaitingForBoxReturn => pb::OrderState::WaitingForBoxReturn,
        State::Completed => pb::OrderState::Completed,
        State::Failed => pb::OrderState::Failed,
    }
}

const fn actor(actor: Actor) -> pb::Author {
    match actor {
        Actor::Operator => pb::Author::Operator,
        Actor::Field => pb::Author::Field,
        Actor::Server => pb::Author::Server,
    }
}
