//! The handlers of `AppointmentService`: parse, load, decide, store, answer.
//!
//! Which of the two rights a call needs is decided by [`require_nature`], and nowhere else.

mod hold;
mod lapse;
mod moves;
mod read;

use std::sync::Arc;

use eservices::appointments::v1::{self as pb, appointment_service_server::AppointmentService};
use tonic::{Request, Response, Status};

pub use self::lapse::{lapse_due, sweep, wanting_room};
use self::{
    hold::Hold,
    moves::{Cancel, Reschedule},
};
use super::{rules::Nature, wire};
use crate::platform::{
    Platform,
    error::{Error, Violations},
    form,
    identity::Caller,
    unit_of_work,
};

/// Answers for the operators' appointments.
pub struct Service(pub Arc<Platform>);

/// The right that an appointment needs follows from its nature.
fn require_nature(caller: &Caller, nature: &Nature) -> Result<(), Error> {
    caller.require(&nature.e_service)
}

#[tonic::async_trait]
impl AppointmentService for Service {
    async fn get_booking_form(
        &self,
        request: Request<pb::GetBookingFormRequest>,
    ) -> Result<Response<pb::GetBookingFormResponse>, Status> {
        let caller = Caller::of(&request)?;
        Ok(Response::new(read::booking_form(&caller)))
    }

    async fn search_slots(
        &self,
        request: Request<pb::SearchSlotsRequest>,
    ) -> Result<Response<pb::SearchSlotsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let question = read::Search::parse(request.into_inner(), &self.0, &caller)?;
        Ok(Response::new(question.answer(&self.0).await?))
    }

    async fn hold_appointment(
        &self,
        request: Request<pb::HoldAppointmentRequest>,
    ) -> Result<Response<pb::HoldAppointmentResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let slot_id = wire::slot_id(&request.slot_id, &mut violations);
        let intervention =
            wire::intervention(request.intervention, &self.0.network.load().reference, &mut violations)?;
        let (request_id, slot_id, intervention) =
            violations.finish(request_id.zip(slot_id).zip(intervention).map(|((a, b), c)| (a, b, c)))?;
        require_nature(&sender.caller, intervention.nature)?;
        let method = "/eservices.appointments.v1.AppointmentService/HoldAppointment";
        let hold = Hold::new(&self.0, sender.caller.party_id(), intervention, slot_id);
        let origin = sender.origin(method, request_id);
        Ok(Response::new(hold.run_with_lapse(&self.0, origin).await?))
    }

    async fn reschedule_appointment(
        &self,
        request: Request<pb::RescheduleAppointmentRequest>,
    ) -> Result<Response<pb::RescheduleAppointmentResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let slot_id = wire::slot_id(&request.slot_id, &mut violations);
        let target = target(&request.reference, &request.etag, &mut violations);
        let (request_id, slot_id, (reference, etag)) =
            violations.finish(request_id.zip(slot_id).zip(target).map(|((a, b), c)| (a, b, c)))?;
        let method = "/eservices.appointments.v1.AppointmentService/RescheduleAppointment";
        let reschedule = Reschedule { caller: sender.caller.clone(), reference, etag, slot_id };
        let origin = sender.origin(method, request_id);
        Ok(Response::new(reschedule.run_with_lapse(&self.0, origin).await?))
    }

    async fn cancel_appointment(
        &self,
        request: Request<pb::CancelAppointmentRequest>,
    ) -> Result<Response<pb::CancelAppointmentResponse>, Status> {
        let (sender, request_id, request) = unit_of_work::open(request, |r| &mut r.request_id)?;
        let mut violations = Violations::default();
        let request_id = form::request_id(&request_id, &mut violations);
        let target = target(&request.reference, &request.etag, &mut violations);
        let (request_id, (reference, etag)) = violations.finish(request_id.zip(target))?;
        let method = "/eservices.appointments.v1.AppointmentService/CancelAppointment";
        let cancel = Cancel { caller: sender.caller.clone(), reference, etag };
        let origin = sender.origin(method, request_id);
        Ok(Response::new(unit_of_work::execute(&self.0, origin, cancel).await?))
    }

    async fn get_appointment(
        &self,
        request: Request<pb::GetAppointmentRequest>,
    ) -> Result<Response<pb::GetAppointmentResponse>, Status> {
        let caller = Caller::of(&request)?;
        let mut violations = Violations::default();
        let reference = wire::appointment_ref(&request.get_ref().reference, &mut violations);
        let reference = violations.finish(reference)?;
        Ok(Response::new(read::get(&self.0, &caller, &reference).await?))
    }

    async fn list_appointments(
        &self,
        request: Request<pb::ListAppointmentsRequest>,
    ) -> Result<Response<pb::ListAppointmentsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let question = read::List::parse(request.into_inner(), &self.0, &caller)?;
        Ok(Response::new(question.answer(&self.0, &caller).await?))
    }
}

/// The appointment that a change speaks of, and the version it was decided on.
fn target(reference: &str, etag: &str, violations: &mut Violations) -> Option<(String, String)> {
    let reference = wire::appointment_ref(reference, violations);
    let etag = wire::etag(etag, violations);
    reference.zip(etag)
}
