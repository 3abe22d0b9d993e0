//! Orders of the easy building: 6 rue Etienne Ganneron, a house without socket whose box has fibres left.

use std::sync::Arc;

use eservices::orders::v1::{
    CancelOrderRequest, Contact, CreateOrderRequest, ExchangeBoxRequest, GetOrderRequest, GetOrderResponse,
    NewOrder, Order, PlaceInBuilding, PostalAddress, TerminateAccessRequest,
};
use eservices_client::{Client, new_request_id};
use eservices_server::{
    orders::{
        order_to_wire,
        rules::{Action, Actor},
        store::{Report, advance},
    },
    platform::{
        Platform,
        error::Error,
        unit_of_work::{self, Command, Work},
    },
};
use tonic::Status;

use super::{World, hold};

/// An order that nothing speaks against but its appointment.
pub fn new_order(operator_reference: &str, appointment_reference: &str) -> NewOrder {
    let none = || "_NA_".to_owned();
    NewOrder {
        operator_reference: operator_reference.into(),
        offer_code: "JUST_FIBRE".into(),
        qualification_reference: String::new(),
        appointment_reference: appointment_reference.into(),
        contact: Some(Contact {
            last_name: "Martin".into(),
            first_name: "Camille".into(),
            phone: "0199000001".into(),
            other_phone: String::new(),
        }),
        imb: "IMB/77058/X/0218".into(),
        pm: "FI-77058-000B".into(),
        pto: String::new(),
        place: Some(PlaceInBuilding { batiment: none(), escalier: none(), etage: none() }),
        delivery_address: Some(PostalAddress {
            number: "6".into(),
            street: "RUE ETIENNE GANNERON".into(),
            complement: String::new(),
            postcode: "77600".into(),
            commune: "BUSSY-SAINT-GEORGES".into(),
        }),
        comment: String::new(),
        scenario: String::new(),
    }
}

/// Sends an order as a request of its own.
pub async fn create(client: &Client, order: NewOrder) -> Result<Order, Status> {
    let request = CreateOrderRequest { request_id: new_request_id(), order: Some(order) };
    client.orders().create_order(request).await.map(|answer| answer.into_inner().order.unwrap())
}

/// Holds an appointment in the slot and places an order with it.
pub async fn place(client: &Client, operator_reference: &str, slot: &str) -> Order {
    let held = hold(client, slot).await;
    create(client, new_order(operator_reference, &held.reference)).await.unwrap()
}

/// An order with its history.
pub async fn get(client: &Client, number: &str) -> GetOrderResponse {
    let request = GetOrderRequest { number: number.into() };
    client.orders().get_order(request).await.unwrap().into_inner()
}

/// What happened to an order, oldest first.
pub async fn kinds(client: &Client, number: &str) -> String {
    let history = get(client, number).await.history;
    history.iter().map(|e| e.kind.as_str()).collect::<Vec<_>>().join(" ")
}

/// Orders the end of an access.
pub async fn terminate(client: &Client, aid: &str, reference: &str) -> Result<Order, Status> {
    let request = TerminateAccessRequest {
        request_id: new_request_id(),
        aid: aid.into(),
        operator_reference: reference.into(),
        ..Default::default()
    };
    client.orders().terminate_access(request).await.map(|answer| answer.into_inner().order.unwrap())
}

/// Another box for an access, sent to where the first one went.
pub fn exchange_request(aid: &str, reference: &str) -> ExchangeBoxRequest {
    let new = new_order(reference, "");
    ExchangeBoxRequest {
        request_id: new_request_id(),
        aid: aid.into(),
        operator_reference: reference.into(),
        contact: new.contact,
        delivery_address: new.delivery_address,
        ..Default::default()
    }
}

/// Orders another box for an access.
pub async fn exchange(client: &Client, aid: &str, reference: &str) -> Result<Order, Status> {
    let request = exchange_request(aid, reference);
    client.orders().exchange_box(request).await.map(|answer| answer.into_inner().order.unwrap())
}

/// Cancels an order.
pub async fn cancelled(client: &Client, order: Order) -> Order {
    let request = CancelOrderRequest { request_id: new_request_id(), number: order.number, etag: order.etag };
    client.orders().cancel_order(request).await.unwrap().into_inner().order.unwrap()
}

/// A report from the field that an order's customer was not there.
struct Absence {
    platform: Arc<Platform>,
    number: String,
}

impl Command for Absence {
    type Answer = Order;

    async fn run(&self, work: &mut Work) -> Result<Order, Error> {
        let mut report = Report::of(Action::ReportAbsence, Actor::Field);
        report.code = "FCLI07".into();
        Ok(order_to_wire(&advance(work, &self.platform, &self.number, &report).await?))
    }
}

/// Has the field report that the customer was not there; answers the order, which wants a new appointment now.
pub async fn absent(world: &World, owner: &str, number: &str) -> Order {
    let absence = Absence { platform: Arc::clone(&world.platform), number: number.into() };
    unit_of_work::execute_own(&world.platform, owner.into(), "test.absence", absence).await.unwrap()
}
