//! proto → typed values or errors with the fields' paths; domain → proto.

use eservices::{
    appointments::v1::{self as pb, place::Designation},
    common::v1::AppointmentType,
};
use eservices_reference::{
    Reference,
    calendar::Territory,
    ids::{Aid, AppointmentRef, Imb, Insee, Rivoli},
};
use jiff::Timestamp;

use super::{
    rules::{
        CATALOGUE, Nature, State, VisitType,
        catalogue::Needs,
        search::{Moment, Offered},
    },
    store::{Appointment, Slot, at_place},
};
use crate::platform::{
    clock::{instant, to_wire},
    error::{Error, Violations},
};

/// What for and where, checked and resolved.
#[derive(Clone, Debug)]
pub struct Intervention {
    /// The product nature.
    pub nature: &'static Nature,
    /// Code of the operation.
    pub operation: String,
    /// Type of visit.
    pub visit: VisitType,
    /// Copper pairs.
    pub pair_count: i64,
    /// Access id; empty for the natures without.
    pub access_id: String,
    /// Where.
    pub place: Place,
}

/// A place as the rules need it.
#[derive(Clone, Debug)]
pub struct Place {
    /// INSEE code of the commune.
    pub commune: Insee,
    /// Rivoli code; empty if the building's is unknown.
    pub street_code: String,
    /// Number in the street; may be empty.
    pub street_number: String,
    /// Building, if named by it.
    pub imb: Option<Imb>,
    /// Territory of the commune.
    pub territory: Territory,
}

/// Parses an intervention; form errors are noted, an unknown building is a refusal of its own (after the form).
pub fn intervention(
    found: Option<pb::Intervention>,
    reference: &Reference,
    violations: &mut Violations,
) -> Result<Option<Intervention>, Error> {
    let Some(found) = found else {
        violations.push("intervention", "expected an intervention");
        return Ok(None);
    };
    let nature = CATALOGUE.nature(&found.product_nature);
    if nature.is_none() {
        violations.push(
            "intervention.product_nature",
            "expected a code of GetBookingForm, for instance JUST_FIBRE",
        );
    }
    if !CATALOGUE.has_operation(&found.operation) {
        violations.push("intervention.operation", "expected a code of GetBookingForm, for instance CREATION");
    }
    let visit = visit_type(found.appointment_type(), violations);
    if let Some(nature) = nature {
        access_id(&found.access_id, nature, violations);
        if found.pair_count > nature.max_pairs {
            violations.push("intervention.pair_count", format!("expected 0 to {}", nature.max_pairs));
        }
    }
    let place = place(found.place, nature, reference, violations)?;
    let (Some(nature), Some(visit), Some(place)) = (nature, visit, place) else { return Ok(None) };
    Ok(Some(Intervention {
        nature,
        operation: found.operation,
        visit,
        pair_count: i64::from(found.pair_count),
        access_id: found.access_id,
        place,
    }))
}

fn access_id(text: &str, nature: &Nature, violations: &mut Violations) {
    const PATH: &str = "intervention.access_id";
    match nature.needs {
        Needs::StreetNumber if !text.is_empty() => {
            violations.push(PATH, format!("expected nothing for the nature {}", nature.code));
        }
        Needs::StreetNumber => {}
        Needs::AccessId => drop(violations.take(PATH, Aid::parse(text))),
    }
}

fn place(
    found: Option<pb::Place>,
    nature: Option<&Nature>,
    reference: &Reference,
    violations: &mut Violations,
) -> Result<Option<Place>, Error> {
    match found.and_then(|p| p.designation) {
        None => {
            violations.push("intervention.place", "expected a street or an imb");
            Ok(None)
        }
        Some(Designation::Street(street)) => {
            let commune =
                violations.take("intervention.place.street.commune_code", Insee::parse(&street.commune_code));
            violations.take("intervention.place.street.street_code", Rivoli::parse(&street.street_code));
            let needed = nature.is_some_and(|n| n.needs == Needs::StreetNumber);
            if (needed || !street.street_number.is_empty()) && !is_street_number(&street.street_number) {
                violations.push(
                    "intervention.place.street.street_number",
                    "expected one to five digits and an optional letter, for instance 12B",
                );
            }
            Ok(commune.map(|commune| Place {
                territory: Territory::of_insee(&commune),
                commune,
                street_code: street.street_code,
                street_number: street.street_number,
                imb: None,
            }))
        }
        Some(Designation::Imb(text)) => {
            let Some(imb) = violations.take("intervention.place.imb", Imb::parse(&text)) else {
                return Ok(None);
            };
            let building = reference.building(&imb).ok_or_else(|| Error::not_found("Building", text))?;
            Ok(Some(Place {
                territory: Territory::of_insee(&building.insee),
                commune: building.insee.clone(),
                street_code: building.rivoli.as_ref().map_or_else(String::new, ToString::to_string),
                street_number: street_number(building),
                imb: Some(imb),
            }))
        }
    }
}

/// Number and complement of a building; empty where the street has no numbers or the number is unknown.
#[must_use]
pub fn street_number(building: &eservices_reference::Building) -> String {
    let number = building.number.filter(|n| *n > 0).map_or_else(String::new, |n| n.to_string());
    number + building.complement.map_or_else(String::new, |c| c.to_string()).as_str()
}

fn is_street_number(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_uppercase());
    (1..=5).contains(&digits.len())
        && text.len() - digits.len() <= 1
        && digits.bytes().all(|b| b.is_ascii_digit())
}

fn visit_type(found: AppointmentType, violations: &mut Violations) -> Option<VisitType> {
    match found {
        AppointmentType::Short => Some(VisitType::Short),
        AppointmentType::House => Some(VisitType::House),
        AppointmentType::Building => Some(VisitType::Building),
        AppointmentType::BuildingComplex => Some(VisitType::BuildingComplex),
        AppointmentType::Unspecified => {
            violations.push("intervention.appointment_type", "expected one of the types of GetBookingForm");
            None
        }
    }
}

/// A reference of an appointment.
pub fn appointment_ref(text: &str, violations: &mut Violations) -> Option<String> {
    violations.take("reference", AppointmentRef::parse(text)).map(|r| r.to_string())
}

/// A version, as the server gave it out.
pub fn etag(text: &str, violations: &mut Violations) -> Option<String> {
    if text.is_empty() || text.len() > 32 {
        violations.push("etag", "expected the etag of the appointment that the change was decided on");
        return None;
    }
    Some(text.to_owned())
}

/// The id of a slot; whether there is one is for the store to say.
pub fn slot_id(text: &str, violations: &mut Violations) -> Option<String> {
    let shaped =
        (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !shaped {
        violations.push("slot_id", "expected a slot_id of SearchSlots, for instance ZMLV-20261204-0800");
        return None;
    }
    Some(text.to_owned())
}

/// Half a day wanted; nothing is indifferent.
pub fn moment(found: pb::Moment) -> Option<Moment> {
    match found {
        pb::Moment::Unspecified => None,
        pb::Moment::Morning => Some(Moment::Morning),
        pb::Moment::Afternoon => Some(Moment::Afternoon),
    }
}

/// A state wanted in a filter.
pub fn state(found: pb::AppointmentState) -> Option<State> {
    match found {
        pb::AppointmentState::Unspecified => None,
        pb::AppointmentState::Held => Some(State::Held),
        pb::AppointmentState::Confirmed => Some(State::Confirmed),
        pb::AppointmentState::Cancelled => Some(State::Cancelled),
        pb::AppointmentState::Lapsed => Some(State::Lapsed),
    }
}

/// A state as the contract names it.
#[must_use]
pub fn state_to_wire(state: State) -> pb::AppointmentState {
    match state {
        State::Held => pb::AppointmentState::Held,
        State::Confirmed => pb::AppointmentState::Confirmed,
        State::Cancelled => pb::AppointmentState::Cancelled,
        State::Lapsed => pb::AppointmentState::Lapsed,
    }
}

/// A type of visit as the contract names it.
#[must_use]
pub fn visit_to_wire(visit: VisitType) -> AppointmentType {
    match visit {
        VisitType::Short => AppointmentType::Short,
        VisitType::House => AppointmentType::House,
        VisitType::Building => AppointmentType::Building,
        VisitType::BuildingComplex => AppointmentType::BuildingComplex,
    }
}

/// A slot at a place.
#[must_use]
pub fn slot_to_wire(slot: &Slot, territory: Territory) -> pb::Slot {
    let at = |local: &str| to_wire(at_place(territory, slot.day.0, local));
    pb::Slot {
        slot_id: slot.slot_id.clone(),
        start_time: Some(at(&slot.local_start)),
        end_time: Some(at(&slot.local_end)),
        day: slot.day.0.to_string(),
        local_start: slot.local_start.clone(),
        local_end: slot.local_end.clone(),
        moment: match slot.moment() {
            Moment::Morning => pb::Moment::Morning,
            Moment::Afternoon => pb::Moment::Afternoon,
        }
        .into(),
    }
}

/// What for and where, as it was asked.
#[must_use]
pub fn intervention_to_wire(a: &Appointment) -> pb::Intervention {
    let designation = if a.imb.is_empty() {
        Designation::Street(pb::Street {
            commune_code: a.commune_code.clone(),
            street_code: a.street_code.clone(),
            street_number: a.street_number.clone(),
        })
    } else {
        Designation::Imb(a.imb.clone())
    };
    pb::Intervention {
        place: Some(pb::Place { designation: Some(designation) }),
        product_nature: a.product_nature.clone(),
        operation: a.operation.clone(),
        appointment_type: visit_to_wire(a.appointment_type).into(),
        pair_count: u32::try_from(a.pair_count).unwrap_or(0),
        access_id: a.access_id.clone(),
    }
}

/// The slot of an appointment, at its place.
#[must_use]
pub fn booked_slot_to_wire(a: &Appointment) -> pb::Slot {
    slot_to_wire(&booked_slot(a), a.territory())
}

fn booked_slot(a: &Appointment) -> Slot {
    Slot {
        slot_id: a.slot_id.clone(),
        zone_code: a.zone_code.clone(),
        day: a.slot_day,
        local_start: a.slot_start.clone(),
        local_end: a.slot_end.clone(),
        capacity: 0,
        booked: 0,
    }
}

/// An appointment as it is at an instant.
#[must_use]
pub fn appointment(a: &Appointment, now: Timestamp) -> pb::Appointment {
    let state = a.state_at(now);
    pb::Appointment {
        reference: a.reference.clone(),
        state: state_to_wire(state).into(),
        intervention: Some(intervention_to_wire(a)),
        slot: Some(booked_slot_to_wire(a)),
        hold_expire_time: (state == State::Held).then(|| to_wire(instant(a.expires_at))),
        changes_left: u32::try_from(a.max_changes - a.changes).unwrap_or(0),
        etag: a.etag(),
        create_time: Some(to_wire(instant(a.created_at))),
        update_time: Some(to_wire(instant(a.updated_at))),
        revision: a.revision,
    }
}
