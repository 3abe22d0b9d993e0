//! `ReplanAppointment`: the back office moves an appointment that an operator booked.

use std::sync::Arc;

use eservices::fulfilment::v1 as pb;

use super::ROLE;
use crate::{
    appointments::{
        store::{self, at_place, no_room},
        wanting_room,
    },
    fulfilment::wire,
    orders::{rules::State, store as orders},
    platform::{
        Platform,
        error::{Error, Reason},
        unit_of_work::{self, Command, Origin, Work},
    },
};

/// One appointment to another slot.
#[derive(Clone)]
pub struct Replan {
    /// Who asks.
    pub party_id: String,
    /// Which appointment.
    pub reference: String,
    /// The version it was decided on.
    pub etag: String,
    /// The slot wanted.
    pub slot_id: String,
}

impl Replan {
    /// Runs; where the slot is full, lets lapse what is due there and runs once more.
    pub async fn run_with_lapse(
        self,
        platform: &Arc<Platform>,
        origin: Origin,
    ) -> Result<pb::ReplanAppointmentResponse, Error> {
        let run = || unit_of_work::execute(platform, origin.clone(), self.clone());
        wanting_room(platform, &self.slot_id, run).await
    }

    /// Refuses to move the visit of an order that awaits none any more.
    async fn still_awaited(&self, work: &mut Work, order: &str) -> Result<(), Error> {
        if order.is_empty() {
            return Ok(());
        }
        let found = orders::find_any(&mut work.conn(), order).await?;
        match found.map(|order| order.state) {
            None | Some(State::InProgress | State::UnderConstruction) => Ok(()),
            Some(state) => Err(Error::new(Reason::Frdv04, "the visit was made")
                .with("state", state.as_str())
                .with("allowed_states", "in_progress,under_construction")),
        }
    }
}

impl Command for Replan {
    type Answer = pb::ReplanAppointmentResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let gone = || Error::not_found("Appointment", &self.reference);
        let seen = store::find_any(&mut work.conn(), &self.reference).await?.ok_or_else(gone)?;
        work.lock_owner(&seen.appointment.party_id).await?;
        // As it is under the lock.
        let mut booking = store::find_any(&mut work.conn(), &self.reference).await?.ok_or_else(gone)?;
        let appointment = &mut booking.appointment;
        if appointment.etag() != self.etag {
            return Err(Error::new(Reason::EtagMismatch, "the appointment changed since it was read")
                .with("current_etag", appointment.etag()));
        }
        store::movable(work, appointment)?;
        self.still_awaited(work, &appointment.order_ref).await?;
        store::another(appointment, &self.slot_id)?;
        let zone = store::zone_of(&mut work.conn(), &appointment.commune_code).await?;
        let zone = zone.unwrap_or_else(|| appointment.zone_code.clone());
        let slot =
            store::slot(&mut work.conn(), &self.slot_id).await?.ok_or_else(|| no_room(&self.slot_id))?;
        if slot.zone_code != zone {
            return Err(Error::new(Reason::Frdv06, "the slot is of another zone than the address")
                .with("zone_code", zone));
        }
        if at_place(appointment.territory(), slot.day.0, &slot.local_start) <= work.now {
            return Err(no_room(&self.slot_id));
        }
        store::relocate(work, appointment, zone, slot, "appointments.replanned").await?;
        let resource = format!("appointments/{}", appointment.reference);
        let state = appointment.state.as_str();
        work.announce(&self.party_id, ROLE, "fulfilment.appointment_replanned", &resource, state).await?;
        work.note(&self.party_id, resource, format!("slot={}", self.slot_id));
        Ok(pb::ReplanAppointmentResponse { booking: Some(wire::booking(&booking)) })
    }
}
