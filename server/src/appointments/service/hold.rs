//! `HoldAppointment`: take a place, store the appointment, announce it.

use std::sync::Arc;

use eservices::appointments::v1 as pb;
use eservices_reference::calendar::Territory;
use jiff::{Timestamp, ToSpan as _, civil::Date};

use super::{lapse::wanting_room, read::alternatives};
use crate::{
    appointments::{
        rules::{CATALOGUE, Nature, State, search},
        store::{self, Appointment, Slot},
        wire::{self, Intervention},
    },
    platform::{
        Platform,
        clock::paris_day,
        error::{Error, Reason},
        ids::Ids,
        unit_of_work::{self, Command, Origin, Work},
    },
};

/// A place that is wanted.
#[derive(Clone)]
pub struct Hold {
    party_id: String,
    intervention: Intervention,
    slot_id: String,
    ids: Ids,
}

impl Hold {
    /// For one operator.
    pub fn new(platform: &Platform, party_id: &str, intervention: Intervention, slot_id: String) -> Self {
        Self { party_id: party_id.to_owned(), intervention, slot_id, ids: platform.ids.clone() }
    }

    /// Runs; where the slot is full, lets lapse what is due there and runs once more; a refusal for want of room names
    /// other slots.
    pub async fn run_with_lapse(
        self,
        platform: &Arc<Platform>,
        origin: Origin,
    ) -> Result<pb::HoldAppointmentResponse, Error> {
        let run = || unit_of_work::execute(platform, origin.clone(), self.clone());
        match wanting_room(platform, &self.slot_id, run).await {
            Err(error) if error.reason() == Reason::Frdv02 => {
                let place = &self.intervention.place;
                Err(alternatives(
                    platform,
                    error,
                    self.intervention.nature,
                    &place.commune,
                    place.territory,
                    &self.slot_id,
                )
                .await?)
            }
            outcome => outcome,
        }
    }

    fn appointment(&self, zone: String, slot: &Slot, now: Timestamp) -> Appointment {
        let intervention = &self.intervention;
        let place = &intervention.place;
        let nature = intervention.nature;
        let ends = now.saturating_add(nature.hold_minutes.minutes()).unwrap_or(now);
        Appointment {
            reference: reference(
                CATALOGUE.prefix(intervention.visit),
                paris_day(now),
                self.ids.twelve_digits(),
            ),
            party_id: self.party_id.clone(),
            state: State::Held,
            product_nature: nature.code.clone(),
            operation: intervention.operation.clone(),
            appointment_type: intervention.visit,
            pair_count: intervention.pair_count,
            access_id: intervention.access_id.clone(),
            commune_code: place.commune.to_string(),
            street_code: place.street_code.clone(),
            street_number: place.street_number.clone(),
            imb: place.imb.as_ref().map_or_else(String::new, ToString::to_string),
            zone_code: zone,
            slot_id: slot.slot_id.clone(),
            slot_day: slot.day,
            slot_start: slot.local_start.clone(),
            slot_end: slot.local_end.clone(),
            expires_at: ends.as_microsecond(),
            changes: 0,
            max_changes: nature.max_changes,
            version: 1,
            revision: 0,
            order_ref: String::new(),
            created_at: now.as_microsecond(),
            updated_at: now.as_microsecond(),
        }
    }
}

impl Command for Hold {
    type Answer = pb::HoldAppointmentResponse;

    async fn run(&self, work: &mut Work) -> Result<Self::Answer, Error> {
        let now = work.now;
        let zone = zone_of(work, self.intervention.place.commune.as_str()).await?;
        let territory = self.intervention.place.territory;
        let slot = bookable_slot(work, &self.slot_id, &zone, self.intervention.nature, territory).await?;
        if !store::take(&mut work.conn(), &slot.slot_id).await? {
            return Err(store::no_room(&slot.slot_id));
        }
        let mut appointment = self.appointment(zone, &slot, now);
        let resource = format!("appointments/{}", appointment.reference);
        let e_service = &self.intervention.nature.e_service;
        appointment.revision =
            work.announce(&self.party_id, e_service, "appointments.held", &resource, "held").await?;
        store::insert(&mut work.conn(), &appointment).await?;
        work.note(&self.party_id, resource, format!("state=held slot={}", slot.slot_id));
        Ok(pb::HoldAppointmentResponse { appointment: Some(wire::appointment(&appointment, now)) })
    }
}

/// The zone of a commune.
pub async fn zone_of(work: &mut Work, commune: &str) -> Result<String, Error> {
    store::zone_of(&mut work.conn(), commune).await?.ok_or_else(|| no_zone(commune))
}

/// No zone covers the commune.
pub fn no_zone(commune: &str) -> Error {
    Error::new(Reason::ZoneUnknown, "no intervention zone covers the commune").with("commune_code", commune)
}

/// The slot, if it may be booked for this zone, nature and place: FRDV06, then FRDV02.
pub async fn bookable_slot(
    work: &mut Work,
    slot_id: &str,
    zone: &str,
    nature: &Nature,
    territory: Territory,
) -> Result<Slot, Error> {
    let slot = store::slot(&mut work.conn(), slot_id).await?.ok_or_else(|| store::no_room(slot_id))?;
    if slot.zone_code != zone {
        return Err(Error::new(Reason::Frdv06, "the slot is of another zone than the address")
            .with("zone_code", zone));
    }
    if !search::is_bookable(nature, paris_day(work.now), territory, slot.day.0) {
        return Err(store::no_room(slot_id));
    }
    Ok(slot)
}

/// `IT[CPL]-DOA-` day `-` twelve digits `-ERDV`.
fn reference(prefix: &str, day: Date, number: u64) -> String {
    format!("{prefix}-DOA-{}-{number:012}-ERDV", day.strftime("%Y%m%d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_have_the_published_form() {
        assert_eq!(reference("ITP", jiff::civil::date(2026, 3, 7), 42), "ITP-DOA-20260307-000000000042-ERDV");
    }
}
