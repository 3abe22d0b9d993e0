//! The requests of a client as they are sent, and what is kept of their answers.

use eservices::{appointments::v1 as ap, common::v1::AppointmentType, orders::v1 as od};
use eservices_client::{Client, Code, Error, Status};
use prost::Message as _;

use crate::history::{Answer, Outcome};

/// A request as it is sent, again and again with the same bytes.
#[derive(Clone)]
pub enum Intent {
    Hold(ap::HoldAppointmentRequest),
    Move(ap::RescheduleAppointmentRequest),
    Cancel(ap::CancelAppointmentRequest),
    Order(Box<od::CreateOrderRequest>),
    CancelOrder(od::CancelOrderRequest),
    Retake(od::RetakeAppointmentRequest),
    Terminate(od::TerminateAccessRequest),
    Exchange(od::ExchangeBoxRequest),
}

impl Intent {
    /// Path of the method, and the request's id.
    pub fn name(&self) -> (&'static str, String) {
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
            Self::Retake(r) => ("/eservices.orders.v1.OrderService/RetakeAppointment", r.request_id.clone()),
            Self::Terminate(r) => ("/eservices.orders.v1.OrderService/TerminateAccess", r.request_id.clone()),
            Self::Exchange(r) => ("/eservices.orders.v1.OrderService/ExchangeBox", r.request_id.clone()),
        }
    }

    /// The appointment that it is about.
    pub fn reference(&self) -> Option<&String> {
        match self {
            Self::Hold(_) | Self::CancelOrder(_) | Self::Terminate(_) | Self::Exchange(_) => None,
            Self::Retake(r) => Some(&r.appointment_reference),
            Self::Order(r) => r.order.as_ref().map(|order| &order.appointment_reference),
            Self::Move(r) => Some(&r.reference),
            Self::Cancel(r) => Some(&r.reference),
        }
    }

    /// Whether it is about an appointment that is held, and about no order.
    pub const fn is_about_held(&self) -> bool {
        matches!(self, Self::Hold(_) | Self::Move(_) | Self::Cancel(_))
    }

    /// Whether an order comes of it.
    pub const fn begins_order(&self) -> bool {
        matches!(self, Self::Order(_) | Self::Terminate(_) | Self::Exchange(_))
    }

    pub async fn send(&self, client: &Client) -> Outcome {
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
            Self::Retake(r) => {
                let answered = client.orders().retake_appointment(r).await;
                answered.map(|a| read_order(&a.get_ref().order, a.get_ref()))
            }
            Self::Terminate(r) => {
                let answered = client.orders().terminate_access(r).await;
                answered.map(|a| read_order(&a.get_ref().order, a.get_ref()))
            }
            Self::Exchange(r) => {
                let answered = client.orders().exchange_box(r).await;
                answered.map(|a| read_order(&a.get_ref().order, a.get_ref()))
            }
        };
        answered.map_or_else(refused, Outcome::Acknowledged)
    }
}

impl Answer {
    /// Of the appointment in it.
    pub fn etag(&self) -> String {
        let decoded = ap::HoldAppointmentResponse::decode(self.bytes.as_slice()).unwrap();
        decoded.appointment.unwrap().etag
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

/// All five answers hold the order, and nothing else.
fn read_order(order: &Option<od::Order>, whole: &impl prost::Message) -> Answer {
    let order = order.as_ref().unwrap();
    let state = match order.state() {
        od::OrderState::InProgress => "in_progress",
        od::OrderState::Failed => "failed",
        other => panic!("no answer takes an order to {other:?}"),
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
pub fn refused(status: Status) -> Outcome {
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
pub fn intervention() -> ap::Intervention {
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

/// An order of the same place, to be played like the scenario.
pub fn order(operator_reference: &str, appointment_reference: &str, scenario: &str) -> od::NewOrder {
    let none = || "_NA_".to_owned();
    od::NewOrder {
        operator_reference: operator_reference.into(),
        offer_code: "JUST_FIBRE".into(),
        appointment_reference: appointment_reference.into(),
        contact: Some(contact()),
        imb: "IMB/77058/X/0218".into(),
        pm: "FI-77058-000B".into(),
        place: Some(od::PlaceInBuilding { batiment: none(), escalier: none(), etage: none() }),
        delivery_address: Some(delivery_address()),
        scenario: scenario.into(),
        ..od::NewOrder::default()
    }
}

pub fn contact() -> od::Contact {
    od::Contact { last_name: "Martin".into(), phone: "0199000001".into(), ..od::Contact::default() }
}

pub fn delivery_address() -> od::PostalAddress {
    od::PostalAddress {
        street: "RUE ETIENNE GANNERON".into(),
        postcode: "77600".into(),
        commune: "BUSSY-SAINT-GEORGES".into(),
        ..od::PostalAddress::default()
    }
}
