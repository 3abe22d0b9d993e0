//! Confirmation: what an order does to the appointment it quotes, inside the order's own transaction.

use super::{Appointment, find, set_state};
use crate::{
    appointments::rules::{Action, CATALOGUE, machine},
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

/// Confirms the appointment for an order, or says why not: NOT_FOUND, FRDV03/04 (state), FRDV05 (another nature),
/// FRDV06 (other address), in this order. The caller announces its own change; this announces the appointment's.
pub async fn confirm(work: &mut Work, quote: &Quote) -> Result<Appointment, Error> {
    let now = work.now;
    let mut appointment = find(&mut work.conn(), &quote.party_id, &quote.reference)
        .await?
        .ok_or_else(|| Error::not_found("Appointment", &quote.reference))?;
    let next = machine::next(appointment.state_at(now), Action::Confirm, instant(appointment.expires_at))?;
    if appointment.product_nature != quote.product_nature {
        return Err(Error::new(
            Reason::Frdv05,
            "the appointment is for another product nature than the order",
        )
        .with("product_nature", &appointment.product_nature));
    }
    if !same_address(&appointment, quote) {
        return Err(Error::new(Reason::Frdv06, "the appointment is for another address")
            .with("zone_code", &appointment.zone_code));
    }
    let version = appointment.version;
    let resource = format!("appointments/{}", appointment.reference);
    appointment.state = next;
    appointment.version += 1;
    appointment.order_ref.clone_from(&quote.order_ref);
    appointment.updated_at = now.as_microsecond();
    let e_service = CATALOGUE.e_service(&appointment.product_nature);
    appointment.revision =
        work.announce(&quote.party_id, e_service, "appointments.confirmed", &resource, next.as_str()).await?;
    if !set_state(&mut work.conn(), &appointment, version, appointment.updated_at).await? {
        return Err(Error::overtaken());
    }
    work.note(&quote.party_id, resource, format!("state={} order={}", next.as_str(), quote.order_ref));
    Ok(appointment)
}

fn same_address(appointment: &Appointment, quote: &Quote) -> bool {
    if !appointment.imb.is_empty() && !quote.imb.is_empty() {
        return appointment.imb == quote.imb;
    }
    appointment.commune_code == quote.commune_code
        && appointment.street_code == quote.street_code
        && appointment.street_number == quote.street_number
}
