//! An appointment that gets another slot, whoever asks: places, row, event and audit line in one.

use super::{Appointment, Slot, at_place, give_back, move_to_slot, take};
use crate::{
    appointments::rules::{Action, CATALOGUE, machine},
    platform::{
        clock::instant,
        error::{Error, Reason, Violations},
        unit_of_work::Work,
    },
};

/// The slot has no room or is not offered.
pub fn no_room(slot_id: &str) -> Error {
    Error::new(Reason::Frdv02, "the slot has no room or is not offered").with("slot_id", slot_id)
}

/// Refuses to move what is over or has begun: FRDV03, FRDV04.
pub fn movable(work: &Work, appointment: &Appointment) -> Result<(), Error> {
    let now = work.now;
    machine::next(appointment.state_at(now), Action::Reschedule, instant(appointment.expires_at))?;
    let begins = at_place(appointment.territory(), appointment.slot_day.0, &appointment.slot_start);
    if begins <= now {
        return Err(Error::new(Reason::Frdv04, "the visit has begun")
            .with("state", appointment.state.as_str())
            .with("allowed_states", "held,confirmed"));
    }
    Ok(())
}

/// Refuses the slot that it has already.
pub fn another(appointment: &Appointment, slot_id: &str) -> Result<(), Error> {
    let mut violations = Violations::default();
    if appointment.slot_id == slot_id {
        violations.push("slot_id", "expected another slot than the one the appointment has");
    }
    violations.check()
}

/// Moves it to a slot of `zone`, told to its owner as `kind`: FRDV02 where there is no room.
pub async fn relocate(
    work: &mut Work,
    appointment: &mut Appointment,
    zone: String,
    slot: Slot,
    kind: &'static str,
) -> Result<(), Error> {
    exchange(work, &appointment.slot_id, &slot.slot_id).await?;
    let version = appointment.version;
    let resource = format!("appointments/{}", appointment.reference);
    let detail = format!("slot={} was={}", slot.slot_id, appointment.slot_id);
    let nature = CATALOGUE.nature(&appointment.product_nature).ok_or_else(|| {
        Error::internal(format!("nature {} is in no catalogue", appointment.product_nature))
    })?;
    appointment.zone_code = zone;
    appointment.slot_id = slot.slot_id;
    appointment.slot_day = slot.day;
    appointment.slot_start = slot.local_start;
    appointment.slot_end = slot.local_end;
    appointment.version += 1;
    appointment.updated_at = work.now.as_microsecond();
    let (owner, state) = (appointment.party_id.clone(), appointment.state.as_str());
    appointment.revision = work.announce(&owner, &nature.e_service, kind, &resource, state).await?;
    if !move_to_slot(&mut work.conn(), appointment, version, appointment.updated_at).await? {
        return Err(Error::overtaken());
    }
    work.note(&owner, resource, detail);
    Ok(())
}

/// Takes a place in one slot and gives one back in another, in the order of their ids: no two calls wait for each other.
async fn exchange(work: &mut Work, from: &str, to: &str) -> Result<(), Error> {
    if from < to {
        give_back(work, from).await?;
    }
    if !take(&mut work.conn(), to).await? {
        return Err(no_room(to));
    }
    if from >= to {
        give_back(work, from).await?;
    }
    Ok(())
}
