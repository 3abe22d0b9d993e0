//! `RescheduleAppointment` and `CancelAppointment`: a change of one appointment that the caller read before.

use std::sync::Arc;

use eservices::appointments::v1 as pb;
use eservices_reference::ids::Insee;

use super::{
    hold::{bookable_slot, zone_of},
    lapse::wanting_room,
    read::alternatives,
    require_nature,
};
use crate::{
    appointments::{
        rules::{Action, CATALOGUE, Nature, State, machine},
        store::{self, Appointment},
        wire,
    },
    platform::{
        Platform,
        clock::instant,
        error::{Error, Reason},
        identity::Caller,
        unit_of_work::{self, Command, Origin, Work},
    },
};

/// Move to another slot.
#[derive(Clone)]
pub struct Reschedule {
    /// Who asks.
    pub caller: Caller,
    /// Which appointment.
    pub reference: String,
    /// The version it was decided on.
    pub etag: String,
    /// The slot wanted.
    pub slot_id: String,
}

/// Give up.
pub struct Cancel {
    /// Who asks.
    pub caller: Caller,
    /// Which appointment.
    pub reference: String,
    /// The version it was decided on.
    pub etag: String,
}

impl Reschedule {
    /// Runs; where the slot is full, lets lapse what is due there and runs once more.
    pub async fn run_with_lapse(
        self,
        platform: &Arc<Platform>,
        origin: Origin,
    ) -> Result<pb::RescheduleAppointmentResponse, Error> {
        let run = || unit_of_work::execute(platform, origin.clone(), self.clone());
        match wanting_room(platform, &self.slot_id, run).await {
            Err(error) if error.reason() == Reason::Frdv02 => self.with_alternatives(platform, error).await,
            outcome => outcome,
        }
    }

    async fn with_alternatives<T>(&self, platform: &Platform, error: Error) -> Result<T, Error> {
        let mut reader = platform.db.read().await?;
        let found = store::find(&mut reader.conn(), self.caller.party_id(), &self.reference).await?;
        drop(reader);
        let Some(appointment) = found else { return Err(error) };
        let (Some(nature), Ok(commune)) =
            (CATALOGUE.nature(&appointment.product_nature), Insee::parse(&appointment.commune_code))
        else {
            return Err(error);
        };
        Err(alternatives(platform, error, nature, &commune, appointment.territory(), &self.slot_id).await?)
    }
}

impl Command for Reschedule {
    type Answer = pb::RescheduleAppointmentResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let (mut appointment, nature) = decided_on(work, &self.caller, &self.reference, &self.etag).await?;
        store::movable(work, &appointment)?;
        if appointment.changes >= appointment.max_changes {
            return Err(Error::new(Reason::Frdv01, "the appointment can not be changed any more")
                .with("max_changes", appointment.max_changes.to_string()));
        }
        store::another(&appointment, &self.slot_id)?;
        let territory = appointment.territory();
        let zone = zone_of(work, &appointment.commune_code).await?;
        let slot = bookable_slot(work, &self.slot_id, &zone, nature, territory).await?;
        appointment.changes += 1;
        store::relocate(work, &mut appointment, zone, slot, "appointments.rescheduled").await?;
        let now = work.now;
        Ok(pb::RescheduleAppointmentResponse { appointment: Some(wire::appointment(&appointment, now)) })
    }
}

impl Command for Cancel {
    type Answer = pb::CancelAppointmentResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let now = work.now;
        let (mut appointment, nature) = decided_on(work, &self.caller, &self.reference, &self.etag).await?;
        appointment.state =
            machine::next(appointment.state_at(now), Action::Cancel, instant(appointment.expires_at))?;
        let version = appointment.version;
        let resource = format!("appointments/{}", appointment.reference);
        appointment.version += 1;
        appointment.updated_at = now.as_microsecond();
        appointment.revision = work
            .announce(
                self.caller.party_id(),
                &nature.e_service,
                "appointments.cancelled",
                &resource,
                State::Cancelled.as_str(),
            )
            .await?;
        if !store::set_state(&mut work.conn(), &appointment, version, appointment.updated_at).await? {
            return Err(Error::overtaken());
        }
        store::give_back(work, &appointment.slot_id).await?;
        work.note(self.caller.party_id(), resource, format!("state=cancelled slot={}", appointment.slot_id));
        Ok(pb::CancelAppointmentResponse { appointment: Some(wire::appointment(&appointment, now)) })
    }
}

/// The appointment, if it is the caller's, its nature is open to the caller, and it is still the version decided on.
async fn decided_on(
    work: &mut Work,
    caller: &Caller,
    reference: &str,
    etag: &str,
) -> Result<(Appointment, &'static Nature), Error> {
    let appointment = store::find(&mut work.conn(), caller.party_id(), reference)
        .await?
        .ok_or_else(|| Error::not_found("Appointment", reference))?;
    let nature = CATALOGUE.nature(&appointment.product_nature).ok_or_else(|| {
        Error::internal(format!("nature {} is in no catalogue", appointment.product_nature))
    })?;
    require_nature(caller, nature)?;
    if appointment.etag() != etag {
        return Err(Error::new(Reason::EtagMismatch, "the appointment changed since it was read")
            .with("current_etag", appointment.etag()));
    }
    Ok((appointment, nature))
}
