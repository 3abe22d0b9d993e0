//! proto → typed values or errors with the fields' paths and codes; domain → proto.

mod access;
pub mod export;
mod order;

use eservices::orders::v1 as pb;
use eservices_reference::{
    ids::{AppointmentRef, Imb, Pm, Pto},
    structure::Place,
};

pub use access::{OnAccess, exchange, termination};
pub use order::{contact_to_wire, entry, order, state_to_wire, transition, type_to_wire};

use super::{
    rules::{State, Type, checks::Wanted},
    store::Contact,
};
use crate::platform::{error::Violations, page};

/// The longest comment, characters.
pub const LONGEST_COMMENT: usize = 512;

/// How the simulator can play an order.
pub const SCENARIOS: [&str; 6] =
    ["NOMINAL", "BUILDING_NOT_FOUND", "CUSTOMER_ABSENT", "OPTICAL_BUDGET_TOO_LOW", "BOX_LOST", "WORKER_LOST"];

/// The code of a mandatory field that is missing, and of one that is malformed.
const MISSING: &str = "FIMP15";
const MALFORMED: &str = "FIMP16";

/// An order as it was sent, checked for form.
#[derive(Clone, Debug)]
pub struct New {
    /// What the checks look at.
    pub wanted: Wanted,
    /// Reference of the qualification; empty if none was given.
    pub qualification: String,
    /// Who lives there, and where the box goes.
    pub contact: Contact,
    /// For the technician.
    pub comment: String,
    /// How the simulator plays it.
    pub scenario: String,
}

/// Parses an order; every field that is missing or malformed is noted with its code.
pub fn new_order(found: Option<pb::NewOrder>, violations: &mut Violations) -> Option<New> {
    let Some(found) = found else {
        violations.push_coded("order", MISSING, "expected an order");
        return None;
    };
    let mut form = Form { violations, prefix: "order." };
    let operator_reference = form.text("operator_reference", &found.operator_reference, 1, 30);
    let offer_code = form.text("offer_code", &found.offer_code, 1, 24);
    let qualification = form.text("qualification_reference", &found.qualification_reference, 0, 2_000);
    let appointment = form.id("appointment_reference", &found.appointment_reference, AppointmentRef::parse);
    let imb = form.id("imb", &found.imb, Imb::parse);
    let pm = form.id("pm", &found.pm, Pm::parse);
    let pto = match found.pto.as_str() {
        "" => Some(None),
        text => form.id("pto", text, Pto::parse).map(Some),
    };
    let place = form.place(found.place);
    let contact = form.contact(found.contact, found.delivery_address);
    let comment = form.text("comment", &found.comment, 0, LONGEST_COMMENT);
    let scenario = form.scenario(&found.scenario);
    Some(New {
        wanted: Wanted {
            operator_reference: operator_reference?,
            offer_code: offer_code?,
            imb: imb?,
            pm: pm?,
            pto: pto?,
            place: place?,
            appointment: appointment?.to_string(),
        },
        qualification: qualification?,
        contact: contact?,
        comment: comment?,
        scenario: scenario?,
    })
}

/// Collects what is wrong with the fields of an order.
struct Form<'v> {
    violations: &'v mut Violations,
    /// Of the paths of its fields, for instance `order.`.
    prefix: &'static str,
}

impl Form<'_> {
    fn note(&mut self, field: &str, code: &'static str, expected: impl Into<String>) {
        self.violations.push_coded(format!("{}{field}", self.prefix), code, expected);
    }

    fn text(&mut self, field: &str, text: &str, least: usize, most: usize) -> Option<String> {
        let length = text.chars().count();
        if length < least {
            self.note(field, MISSING, format!("expected {least} to {most} characters"));
            return None;
        }
        if length > most || text.chars().any(char::is_control) || text.trim() != text {
            let expected = format!("expected at most {most} characters on one line, without space around");
            self.note(field, MALFORMED, expected);
            return None;
        }
        Some(text.to_owned())
    }

    fn id<T, E: std::fmt::Display>(
        &mut self,
        field: &str,
        text: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let code = if text.is_empty() { MISSING } else { MALFORMED };
        parse(text).map_err(|e| self.note(field, code, e.to_string())).ok()
    }

    fn place(&mut self, found: Option<pb::PlaceInBuilding>) -> Option<Place> {
        let found = found.unwrap_or_default();
        let batiment = self.text("place.batiment", &found.batiment, 1, 60);
        let escalier = self.text("place.escalier", &found.escalier, 1, 25);
        let etage = self.text("place.etage", &found.etage, 1, 25);
        Some(Place { batiment: batiment?.into(), escalier: escalier?.into(), etage: etage?.into() })
    }

    fn contact(
        &mut self,
        contact: Option<pb::Contact>,
        address: Option<pb::PostalAddress>,
    ) -> Option<Contact> {
        let (contact, address) = (contact.unwrap_or_default(), address.unwrap_or_default());
        let last_name = self.text("contact.last_name", &contact.last_name, 1, 60);
        let first_name = self.text("contact.first_name", &contact.first_name, 0, 60);
        let phone = self.phone("contact.phone", &contact.phone, true);
        let other_phone = self.phone("contact.other_phone", &contact.other_phone, false);
        let number = self.text("delivery_address.number", &address.number, 0, 10);
        let street = self.text("delivery_address.street", &address.street, 1, 60);
        let complement = self.text("delivery_address.complement", &address.complement, 0, 60);
        let postcode = self.postcode("delivery_address.postcode", &address.postcode);
        let commune = self.text("delivery_address.commune", &address.commune, 1, 60);
        Some(Contact {
            last_name: last_name?,
            first_name: first_name?,
            phone: phone?,
            other_phone: other_phone?,
            box_number: number?,
            box_street: street?,
            box_complement: complement?,
            box_postcode: postcode?,
            box_commune: commune?,
        })
    }

    fn phone(&mut self, field: &str, text: &str, needed: bool) -> Option<String> {
        if text.is_empty() && !needed {
            return Some(String::new());
        }
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let national = text.len() == 10 && text.starts_with('0') && digits(text);
        let abroad =
            text.strip_prefix('+').is_some_and(|rest| (8..=15).contains(&rest.len()) && digits(rest));
        if national || abroad {
            return Some(text.to_owned());
        }
        let code = if text.is_empty() { MISSING } else { MALFORMED };
        let expected = "expected ten digits from 0, or + and 8 to 15 digits, for instance 0199000001";
        self.note(field, code, expected);
        None
    }

    fn postcode(&mut self, field: &str, text: &str) -> Option<String> {
        if text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit()) {
            return Some(text.to_owned());
        }
        let code = if text.is_empty() { MISSING } else { MALFORMED };
        self.note(field, code, "expected five digits, for instance 77600");
        None
    }

    fn scenario(&mut self, text: &str) -> Option<String> {
        if text.is_empty() || SCENARIOS.contains(&text) {
            return Some(text.to_owned());
        }
        let expected = format!("expected nothing or one of {}", SCENARIOS.join(", "));
        self.note("scenario", MALFORMED, expected);
        None
    }
}

/// The number of an order.
pub fn number(text: &str, violations: &mut Violations) -> Option<String> {
    let shaped = text.len() == 15
        && text.strip_prefix("CMD").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    if !shaped {
        violations.push("number", "expected CMD and 12 digits, for instance CMD000482910057");
        return None;
    }
    Some(text.to_owned())
}

/// A version, as the server gave it out.
pub fn etag(text: &str, violations: &mut Violations) -> Option<String> {
    if text.is_empty() || text.len() > 32 {
        violations.push("etag", "expected the etag of the order that the change was decided on");
        return None;
    }
    Some(text.to_owned())
}

/// A reference of an appointment that is to be attached.
pub fn appointment(text: &str, violations: &mut Violations) -> Option<String> {
    violations.take("appointment_reference", AppointmentRef::parse(text)).map(|found| found.to_string())
}

/// A comment that is not empty.
pub fn comment(text: &str, violations: &mut Violations) -> Option<String> {
    let length = text.chars().count();
    let plain = text.chars().all(|c| !c.is_control() || c == '\n');
    if !(1..=LONGEST_COMMENT).contains(&length) || !plain || text.trim().is_empty() {
        violations.push("comment", format!("expected 1 to {LONGEST_COMMENT} characters of text"));
        return None;
    }
    Some(text.to_owned())
}

/// Types in a filter, `,creation,`; empty: all.
pub fn types(found: &[i32], violations: &mut Violations) -> String {
    let known = |wanted: &i32| Type::ALL.iter().find(|kind| i32::from(type_to_wire(**kind)) == *wanted);
    let types: Vec<&str> = found.iter().filter_map(known).map(|kind| kind.as_str()).collect();
    if types.len() != found.len() {
        violations.push("types", "expected types other than unspecified");
    }
    page::listed(&types)
}

/// States in a filter, `,failed,`; empty: all.
pub fn states(found: &[i32], violations: &mut Violations) -> String {
    let known = |wanted: &i32| State::ALL.iter().find(|state| i32::from(state_to_wire(**state)) == *wanted);
    let states: Vec<&str> = found.iter().filter_map(known).map(|state| state.as_str()).collect();
    if states.len() != found.len() {
        violations.push("states", "expected states other than unspecified");
    }
    page::listed(&states)
}
