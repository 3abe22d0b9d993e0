//! Orders as lines of CSV. Nothing of the end customer is in them but where the access is.

use crate::{
    orders::store::Order,
    platform::{clock::instant, csv},
};

use super::{state_to_wire, type_to_wire};

/// Columns, in order.
pub const HEADER: &str = "numero;type;etat;reference;offre;VIA;AID;IPv4;RDV;IMB;PM;PBO;PTO;batiment;escalier;etage;numero_voie;voie;\
code_postal;commune;INSEE;colis;box;code_echec;RDV_a_reprendre_avant;acceptee_le;modifiee_le\n";

/// The line of one order; instants in UTC.
pub fn push(o: &Order, into: &mut String) {
    let kind = type_to_wire(o.kind).as_str_name().trim_start_matches("ORDER_TYPE_");
    let state = state_to_wire(o.state).as_str_name().trim_start_matches("ORDER_STATE_");
    let (created, updated) = (instant(o.created_at).to_string(), instant(o.updated_at).to_string());
    let head =
        [o.number.as_str(), kind, state, &o.operator_reference, &o.offer_code, &o.via, &o.aid, &o.ipv4];
    let network = [&o.appointment_ref, &o.imb, &o.pm, &o.pbo, &o.pto, &o.batiment, &o.escalier, &o.etage];
    let address = [&o.number_in_street, &o.street, &o.postcode, &o.commune, &o.commune_code];
    let ends = [&o.parcel_number, &o.box_serial, &o.failure_code, &o.retake_until, &created, &updated];
    let rest = network.into_iter().chain(address).chain(ends).map(String::as_str);
    csv::line(head.into_iter().chain(rest), into);
}
