//! What an order does to the appointment it quotes, inside the order's own transaction: confirm it, let it go.

use jiff::Timestamp;

use super::{Appointment, find, free, set_state};
use crate::{
    appointments::rules::{
        Action, CATALOGUE, State,
        machine::{self, Step},
    },
    platform::{
        clock::instant,
        error::{Error, Reason},
        unit_of_work::Work,
    },
};

/// What an order says of the appointment it quotes.
#[derive(Clone, Debug)]
pub struct Quote {
    /// Owner of order and appointment.
    pub party_id: String,
    /// Reference of the appointment.
    pub reference: String,
    /// The order, for instance its number.
    pub order_ref: String,
    /// Product nature of the order, for instance `JUST_FIBRE`.
    pub product_nature: String,
    /// Building of the order; empty if it names a street.
    pub imb: String,
    /// INSEE code of the order's commune.
    pub commune_code: String,
    /// Rivoli code of the order's street.
    pub street_code: String,
    /// Number in the street.
    pub street_number: String,
}

/// Whether an order may quote the appointment now: FRDV03/04 (state), FRDV05 (another nature), FRDV06 (other address), in
/// this order; answers the state that it gets.
pub fn fits(appointment: &Appointment, quote: &Quote, now: Timestamp) -> Result<State, Error> {
    let next = machine::next(appointment.state_at(now), Action::Confirm, instant(appointment.expires_at))?;
    if appointment.product_nature != quote.product_nature {
        return Err(Error::new(
            Reason::Frdv05,
            "the appointment is for another product nature than the order",
        )
        .with("product_nature", &appointment.product_nature));
    }
    if !same_address(appointment, quote) {
        return Err(Error::new(Reason::Frdv06, "the appointment is for another address")
            .with("zone_code", &appointment.zone_code));
    }
    Ok(next)
}

/// Confirms the appointment, as it was read in this work, for an order, or says why not: what [`fits`] says. The caller
/// announces its own change; this announces the appointment's.
pub async fn confirm(
    work: &mut Work,
    mut appointment: Appointment,
    quote: &Quote,
) -> Result<Appointment, Error> {
    appointment.state = fits(&appointment, quote, work.now)?;
    appointment.order_ref.clone_from(&quote.order_ref);
    changed(work, &mut appointment, "appointments.confirmed", format!("order={}", quote.order_ref)).await?;
    Ok(appointment)
}

/// Lets go of the appointment that an order quoted: its place comes free. One that is not confirmed stays as it is.
pub async fn release(work: &mut Work, party_id: &str, reference: &str) -> Result<(), Error> {
    let Some(mut appointment) = find(&mut work.conn(), party_id, reference).await? else { return Ok(()) };
    let Step::To(next) = machine::step(appointment.state_at(work.now), Action::Release) else {
        return Ok(());
    };
    appointment.state = next;
    let detail = format!("slot={} order={}", appointment.slot_id, appointment.order_ref);
    changed(work, &mut appointment, "appointments.cancelled", detail).await?;
    give_back(work, &appointment.slot_id).await
}

/// Gives a place back; one that was not taken is a fault of ours.
pub async fn give_back(work: &mut Work, slot_id: &str) -> Result<(), Error> {
    if free(&mut work.conn(), slot_id).await? {
        return Ok(());
    }
    Err(Error::internal(format!("slot {slot_id} has no place to give back")))
}

/// Announces and stores a new state.
async fn changed(
    work: &mut Work,
    appointment: &mut Appointment,
    kind: &'static str,
    detail: String,
) -> Result<(), Error> {
    let version = appointment.version;
    let resource = format!("appointments/{}", appointment.reference);
    let state = appointment.state.as_str();
    appointment.version += 1;
    appointment.updated_at = work.now.as_microsecond();
    let e_service = CATALOGUE.e_service(&appointment.product_nature);
    appointment.revision = work.announce(&appointment.party_id, e_service, kind, &resource, state).await?;
    if !set_state(&mut work.conn(), appointment, version, appointment.updated_at).await? {
        return Err(Error::overtaken());
    }
    work.note(&appointment.party_id, resource, format!("state={state} {detail}"));
    Ok(())
}

fn same_address(appointment: &Appointment, quote: &Quote) -> bool {
    if !appointment.imb.is_empty() && !quote.imb.is_empty() {
        return appointment.imb == quote.imb;
    }
    appointment.commune_code == quote.commune_code
        && appointment.street_code == quote.street_code
        && appointment.street_number == quote.street_number
}
