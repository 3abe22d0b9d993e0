//! The handlers of `OrderService`: parse, load, decide, store, answer.
//!
//! Which e-service a call needs follows from the offer of the order; [`require_offer`] decides, and nowhere else.

mod accesses;
mod changes;
mod create;
mod expire;
mod export;
mod privacy;
mod read;

use std::sync::Arc;

use eservices::orders::v1::{self as pb, order_service_server::OrderService};
use tonic::{Request, Response, Status};

pub use self::expire::{expire_due, sweep};
use self::{
    accesses::Ask,
    changes::{Change, What},
    create::Create,
};
use super::{rules::Type, wire};
use crate::platform::{
    Platform,
    error::{Error, Violations},
    form,
    identity::Caller,
    network::Network,
    unit_of_work,
};

/// Answers for the operators' orders.
pub struct Service(pub Arc<Platform>);

/// The e-services that open orders: those of the contract's options.
const E_SERVICES: [&str; 2] = ["e-just-fibre", "e-just"];

/// The right that a new order needs follows from its offer; the order keeps it.
fn require_offer(caller: &Caller, network: &Network, offer_code: &str) -> Result<(), Error> {
    let offer = network.reference.offers().get(offer_code);
    match offer.and_then(|offer| offer.e_service.as_deref()) {
        Some(e_service) => caller.require(e_service),
        None => Ok(()),
    }
}

#[tonic::async_trait]
impl OrderService for Service {
    async fn validate_order(
        &self,
        request: Request<pb::ValidateOrderRequest>,
    ) -> Result<Response<pb::ValidateOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut violations = Violations::default();
        let new = create::parse(request.into_inner().order, &self.0, &mut violations);
        let new = violations.finish(new)?;
        Ok(Response::new(create::validate(&self.0, &caller, &new).await?))
    }

    async fn create_order(
        &self,
        request: Request<pb::CreateOrderRequest>,
    ) -> Result<Response<pb::CreateOrderResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let new = create::parse(request.order, &self.0, &mut violations);
        let (request_id, new) = violations.finish(request_id.zip(new))?;
        require_offer(&sender.caller, &self.0.network.load(), &new.wanted.offer_code)?;
        let create = Create::new(&self.0, sender.caller.party_id(), new);
        let origin = sender.origin("/eservices.orders.v1.OrderService/CreateOrder", request_id);
        Ok(Response::new(create.run_with_a_look(&self.0, origin).await?))
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Result<Response<pb::CancelOrderResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let number = wire::number(&request.number, &mut violations);
        let etag = wire::etag(&request.etag, &mut violations);
        let (request_id, (number, etag)) = violations.finish(request_id.zip(number.zip(etag)))?;
        let change = Change::new(&self.0, &sender.caller, number, Some(etag), What::Cancel);
        let origin = sender.origin("/eservices.orders.v1.OrderService/CancelOrder", request_id);
        let answer = unit_of_work::execute(&self.0, origin, change.answering(changes::cancelled)).await?;
        Ok(Response::new(answer))
    }

    async fn retake_appointment(
        &self,
        request: Request<pb::RetakeAppointmentRequest>,
    ) -> Result<Response<pb::RetakeAppointmentResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let number = wire::number(&request.number, &mut violations);
        let etag = wire::etag(&request.etag, &mut violations);
        let appointment = wire::appointment(&request.appointment_reference, &mut violations);
        let form = request_id.zip(number.zip(etag)).zip(appointment);
        let ((request_id, (number, etag)), appointment) = violations.finish(form)?;
        let what = What::Retake(appointment);
        let change = Change::new(&self.0, &sender.caller, number, Some(etag), what);
        let origin = sender.origin("/eservices.orders.v1.OrderService/RetakeAppointment", request_id);
        let answer = unit_of_work::execute(&self.0, origin, change.answering(changes::retaken)).await?;
        Ok(Response::new(answer))
    }

    async fn add_comment(
        &self,
        request: Request<pb::AddCommentRequest>,
    ) -> Result<Response<pb::AddCommentResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let number = wire::number(&request.number, &mut violations);
        let comment = wire::comment(&request.comment, &mut violations);
        let (request_id, (number, comment)) = violations.finish(request_id.zip(number.zip(comment)))?;
        let change = Change::new(&self.0, &sender.caller, number, None, What::Comment(comment));
        let origin = sender.origin("/eservices.orders.v1.OrderService/AddComment", request_id);
        let answer = unit_of_work::execute(&self.0, origin, change.answering(changes::commented)).await?;
        Ok(Response::new(answer))
    }

    async fn erase_contact(
        &self,
        request: Request<pb::EraseContactRequest>,
    ) -> Result<Response<pb::EraseContactResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let number = wire::number(&request.number, &mut violations);
        let (request_id, number) = violations.finish(request_id.zip(number))?;
        let erase = privacy::Erase { platform: Arc::clone(&self.0), caller: sender.caller.clone(), number };
        let origin = sender.origin("/eservices.orders.v1.OrderService/EraseContact", request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, erase).await?))
    }

    async fn find_address_holder(
        &self,
        request: Request<pb::FindAddressHolderRequest>,
    ) -> Result<Response<pb::FindAddressHolderResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let find = privacy::Find::parse(&request, &sender.caller, &mut violations);
        let (request_id, find) = violations.finish(request_id.zip(find))?;
        let origin = sender.origin("/eservices.orders.v1.OrderService/FindAddressHolder", request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, find).await?))
    }

    async fn terminate_access(
        &self,
        request: Request<pb::TerminateAccessRequest>,
    ) -> Result<Response<pb::TerminateAccessResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let asked = wire::termination(request, &mut violations);
        asked.iter().for_each(|asked| accesses::without_scenario(&self.0, asked, &mut violations));
        let (request_id, asked) = violations.finish(request_id.zip(asked))?;
        let ask = Ask::new(&self.0, &sender.caller, asked, Type::Termination, accesses::terminated);
        let origin = sender.origin("/eservices.orders.v1.OrderService/TerminateAccess", request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, ask).await?))
    }

    async fn exchange_box(
        &self,
        request: Request<pb::ExchangeBoxRequest>,
    ) -> Result<Response<pb::ExchangeBoxResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let asked = wire::exchange(request, &mut violations);
        asked.iter().for_each(|asked| accesses::without_scenario(&self.0, asked, &mut violations));
        let (request_id, asked) = violations.finish(request_id.zip(asked))?;
        let ask = Ask::new(&self.0, &sender.caller, asked, Type::BoxExchange, accesses::exchanged);
        let origin = sender.origin("/eservices.orders.v1.OrderService/ExchangeBox", request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, ask).await?))
    }

    async fn get_order(
        &self,
        request: Request<pb::GetOrderRequest>,
    ) -> Result<Response<pb::GetOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut violations = Violations::default();
        let number = wire::number(&request.get_ref().number, &mut violations);
        let number = violations.finish(number)?;
        Ok(Response::new(read::get(&self.0, &caller, &number).await?))
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let question = read::List::parse(request.into_inner(), &self.0, &caller)?;
        Ok(Response::new(question.answer(&self.0, &caller).await?))
    }

    type ExportOrdersStream = export::Pieces;

    async fn export_orders(
        &self,
        request: Request<pb::ExportOrdersRequest>,
    ) -> Result<Response<Self::ExportOrdersStream>, Status> {
        let caller = Caller::of(&request)?;
        let export = export::Export::parse(request.get_ref(), &self.0, &caller)?;
        Ok(Response::new(export.pieces()))
    }

    async fn count_orders(
        &self,
        request: Request<pb::CountOrdersRequest>,
    ) -> Result<Response<pb::CountOrdersResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(read::count(&self.0, &caller).await?))
    }

    async fn get_order_lifecycle(
        &self,
        _request: Request<pb::GetOrderLifecycleRequest>,
    ) -> Result<Response<pb::GetOrderLifecycleResponse>, Status> {
        Ok(Response::new(read::lifecycle()))
    }
}
