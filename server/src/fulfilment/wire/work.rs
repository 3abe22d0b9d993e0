//! proto → typed values for `WorkService`; domain → proto.

use std::collections::BTreeSet;

use eservices::{fulfilment::v1 as pb, orders::v1 as orders};
use eservices_reference::{
    calendar::Territory,
    ids::{Insee, OntSerial, Parcel, Pto},
};

use crate::{
    appointments::{slot_to_wire, store::Slot},
    fulfilment::rules::{Brand, Kind, LANGUAGE, Visit, texts},
    orders::{
        contact_to_wire, order_number, order_state_to_wire, order_type_to_wire,
        rules::work::{Capability, Milestone, WorkState, is_absence_code, is_failure_code},
        store::{Details, Lease, Wanted, WorkRow},
    },
    platform::{
        clock::{instant, to_wire},
        error::Violations,
    },
};

/// The most leases of one request.
const MOST_LEASES: usize = 20;

/// The longest comment, characters.
const LONGEST_COMMENT: usize = 512;

/// A kind of work that must be named.
pub fn capability(found: pb::Capability, violations: &mut Violations) -> Option<Capability> {
    let known = Capability::ALL.iter().copied().find(|c| capability_to_wire(*c) == found);
    if known.is_none() {
        violations
            .push("capability", "expected one of SHIPPING, INSTALLATION, ACTIVATION, DISCONNECTION, RETURNS");
    }
    known
}

/// A kind of work in a filter: none is every kind.
pub fn any_capability(found: i32, violations: &mut Violations) -> Option<Capability> {
    match pb::Capability::try_from(found) {
        Ok(pb::Capability::Unspecified) => None,
        Ok(named) => capability(named, violations),
        Err(_) => capability(pb::Capability::Unspecified, violations),
    }
}

/// States in a filter, `,open,`; empty: all.
pub fn states(found: &[i32], violations: &mut Violations) -> String {
    let mut wanted = String::new();
    for (n, state) in found.iter().enumerate().take(WorkState::ALL.len() + 1) {
        let known = WorkState::ALL.iter().find(|s| i32::from(state_to_wire(**s)) == *state);
        match known {
            Some(state) => wanted = format!("{},{}", wanted.trim_end_matches(','), state.as_str()) + ",",
            None => violations.push(format!("states[{n}]"), "expected OPEN, LEASED, DONE or CANCELLED"),
        }
    }
    if found.len() > WorkState::ALL.len() {
        violations.push("states", "expected each state once");
    }
    wanted
}

/// What a worker asks for.
pub fn wanted(request: &pb::LeaseWorkRequest, violations: &mut Violations) -> Option<Wanted> {
    let capability = capability(request.capability(), violations);
    let departments = departments(&request.departments, violations);
    if request.max_items > 20 {
        violations.push("max_items", "expected 0 to 20");
    }
    let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if !(1..=64).contains(&request.worker_id.len()) || !request.worker_id.bytes().all(word) {
        violations.push("worker_id", "expected 1 to 64 of A-Z a-z 0-9 . _ -, for instance tech-12");
    }
    Some(Wanted {
        capability: capability?,
        departments,
        most: usize::try_from(request.max_items.max(1)).unwrap_or(1),
        worker: request.worker_id.clone(),
    })
}

fn departments(found: &[String], violations: &mut Violations) -> String {
    const MOST: usize = 110;
    if found.len() > MOST {
        violations.push("departments", "expected 110 departments at most");
    }
    let mut seen = BTreeSet::new();
    for (n, text) in found.iter().enumerate().take(MOST) {
        let commune = format!("{text}{}", if text.len() == 3 { "01" } else { "001" });
        let known = Insee::parse(&commune).is_ok_and(|insee| insee.department() == text);
        if !known {
            violations.push(format!("departments[{n}]"), "expected a department, for instance 77, 2A or 971");
        } else if !seen.insert(text) {
            violations.push(format!("departments[{n}]"), "expected each department once");
        }
    }
    if found.is_empty() { String::new() } else { format!(",{},", found.join(",")) }
}

/// Leases, by id: no two requests wait for each other.
pub fn leases(found: &[pb::Lease], violations: &mut Violations) -> Vec<Lease> {
    if found.is_empty() || found.len() > MOST_LEASES {
        violations.push("leases", "expected 1 to 20 leases");
    }
    let mut seen = BTreeSet::new();
    let mut leases = Vec::new();
    for (n, lease) in found.iter().enumerate().take(MOST_LEASES) {
        let path = format!("leases[{n}].");
        if let Some(lease) = one_lease(&path, &lease.work_id, lease.fencing_token, violations) {
            if !seen.insert(lease.work_id.clone()) {
                violations.push(format!("{path}work_id"), "expected each work once");
            }
            leases.push(lease);
        }
    }
    leases.sort_by(|a, b| a.work_id.cmp(&b.work_id));
    leases
}

/// One lease; `path` is empty or ends with a dot.
pub fn one_lease(path: &str, work_id: &str, token: i64, violations: &mut Violations) -> Option<Lease> {
    let shaped = work_id.split_once('-').is_some_and(|(number, rest)| {
        let (letter, place) = rest.split_at_checked(1).unwrap_or_default();
        order_number(number, &mut Violations::default()).is_some()
            && Capability::ALL.iter().any(|c| letter.starts_with(c.letter()))
            && (1..=6).contains(&place.len())
            && place.bytes().all(|b| b.is_ascii_digit())
    });
    if !shaped {
        violations.push(format!("{path}work_id"), "expected a work id, for instance CMD000482910057-I1");
    }
    if token < 1 {
        violations
            .push(format!("{path}fencing_token"), "expected the token that LeaseWork answered, 1 or more");
    }
    (shaped && token >= 1).then(|| Lease { work_id: work_id.to_owned(), token })
}

/// What is reported, and what is said with it.
pub fn milestone(
    found: Option<pb::report_work_request::Report>,
    comment: &str,
    violations: &mut Violations,
) -> Option<(Milestone, String)> {
    use pb::report_work_request::Report as R;
    let Some(found) = found else {
        violations.push("report", "expected what happened, for instance box_shipped");
        return None;
    };
    let milestone = match found {
        R::BoxShipped(said) => {
            let parcel = violations.take("box_shipped.parcel_number", Parcel::parse(&said.parcel_number));
            let serial = box_serial("box_shipped.box_serial", &said.box_serial, violations);
            Milestone::BoxShipped { parcel: parcel?, serial: serial? }
        }
        R::ConstructionStarted(_) => Milestone::ConstructionStarted,
        R::InterventionOk(said) => intervention(&said, violations)?,
        R::CustomerAbsent(said) => {
            if !is_absence_code(&said.code) {
                violations.push("customer_absent.code", "expected FCLI01, FCLI02 or FCLI07");
            }
            Milestone::CustomerAbsent { code: said.code }
        }
        R::InterventionFailed(said) => {
            failure_code("intervention_failed.code", &said.code, comment, violations);
            Milestone::InterventionFailed { code: said.code }
        }
        R::Completed(_) => Milestone::Completed,
        R::Disconnected(_) => Milestone::Disconnected,
        R::BoxReturned(said) => {
            let serial = box_serial("box_returned.box_serial", &said.box_serial, violations);
            Milestone::BoxReturned { serial: serial? }
        }
        R::ActivationFailed(said) => {
            failure_code("activation_failed.code", &said.code, comment, violations);
            Milestone::ActivationFailed { code: said.code }
        }
        R::ShippingFailed(said) => {
            failure_code("shipping_failed.code", &said.code, comment, violations);
            Milestone::ShippingFailed { code: said.code }
        }
        R::BoxLost(said) => {
            let serial = box_serial("box_lost.box_serial", &said.box_serial, violations);
            Milestone::BoxLost { serial: serial? }
        }
    };
    let comment = if comment.is_empty() { Some(String::new()) } else { self::comment(comment, violations) };
    Some((milestone, comment?))
}

/// The code of what failed for good.
fn failure_code(field: &str, code: &str, comment: &str, violations: &mut Violations) {
    if !is_failure_code(code) {
        violations.push(field, "expected a code of ACCES, for instance FINT04");
    } else if code == "FAUT01" && comment.is_empty() {
        violations.push("comment", "expected what happened: FAUT01 says nothing by itself");
    }
}

fn intervention(said: &pb::InterventionOk, violations: &mut Violations) -> Option<Milestone> {
    let ont = violations.take("intervention_ok.ont_serial", OntSerial::parse(&said.ont_serial));
    let pto = violations.take("intervention_ok.pto", Pto::parse(&said.pto));
    let mut figures = Vec::new();
    let bounds = [
        ("received_power_dbm", said.received_power_dbm, -40.0..=0.0, "expected -40 to 0 dBm"),
        ("optical_loss_db", said.optical_loss_db, 0.0..=40.0, "expected 0 to 40 dB"),
    ];
    for (name, value, within, expected) in bounds {
        let Some(value) = value else { continue };
        if within.contains(&value) {
            figures.push((name, format!("{value:.1}")));
        } else {
            violations.push(format!("intervention_ok.{name}"), expected);
        }
    }
    Some(Milestone::InterventionOk { ont: ont?, pto: pto?, figures })
}

/// A comment that is not empty.
pub fn comment(text: &str, violations: &mut Violations) -> Option<String> {
    let plain = text.chars().all(|c| !c.is_control() || c == '\n');
    if !(1..=LONGEST_COMMENT).contains(&text.chars().count()) || !plain || text.trim().is_empty() {
        violations.push("comment", format!("expected 1 to {LONGEST_COMMENT} characters of text"));
        return None;
    }
    Some(text.to_owned())
}

/// The serial of a box.
pub fn box_serial(field: &str, text: &str, violations: &mut Violations) -> Option<String> {
    let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    if !(4..=32).contains(&text.len()) || !text.bytes().all(plain) {
        violations.push(field, "expected 4 to 32 capitals, digits or hyphens, for instance BX-2026-000017");
        return None;
    }
    Some(text.to_owned())
}

/// Serials of new boxes.
pub fn serials(found: &[String], violations: &mut Violations) -> Vec<String> {
    const MOST: usize = 1_000;
    if found.is_empty() || found.len() > MOST {
        violations.push("serials", "expected 1 to 1,000 serials");
    }
    let mut seen = BTreeSet::new();
    for (n, serial) in found.iter().enumerate().take(MOST) {
        let field = format!("serials[{n}]");
        if box_serial(&field, serial, violations).is_some() && !seen.insert(serial.clone()) {
            violations.push(field, "expected each serial once");
        }
    }
    seen.into_iter().collect()
}

/// A kind of work as the contract names it.
#[must_use]
pub const fn capability_to_wire(capability: Capability) -> pb::Capability {
    match capability {
        Capability::Shipping => pb::Capability::Shipping,
        Capability::Installation => pb::Capability::Installation,
        Capability::Activation => pb::Capability::Activation,
        Capability::Disconnection => pb::Capability::Disconnection,
        Capability::Returns => pb::Capability::Returns,
    }
}

/// How far a piece of work is, as the contract names it.
#[must_use]
pub const fn state_to_wire(state: WorkState) -> pb::WorkState {
    match state {
        WorkState::Open => pb::WorkState::Open,
        WorkState::Leased => pb::WorkState::Leased,
        WorkState::Done => pb::WorkState::Done,
        WorkState::Cancelled => pb::WorkState::Cancelled,
    }
}

/// What a worker needs to know, and no more: who lives there only where somebody goes or something is sent.
#[must_use]
pub fn details(d: Details) -> pb::WorkDetails {
    let capability = d.capability;
    let territory = Insee::parse(&d.commune_code).map_or(Territory::Metropole, |i| Territory::of_insee(&i));
    let visit = capability == Capability::Installation;
    let slot = d.slot().filter(|_| visit);
    let customer_texts = customer_texts(&d, slot.as_ref());
    let slot = slot.map(|slot| slot_to_wire(&slot, territory));
    let known = !d.contact.last_name.is_empty();
    let (contact, delivery) = contact_to_wire(d.contact);
    let shipping = capability == Capability::Shipping;
    pb::WorkDetails {
        capability: capability_to_wire(capability).into(),
        order_number: d.number,
        order_type: order_type_to_wire(d.kind).into(),
        order_state: order_state_to_wire(d.state).into(),
        offer_code: d.offer_code,
        aid: d.aid,
        brand: Some(pb::Brand { name: d.brand_name, phone: d.brand_phone, sender: d.brand_sender }),
        imb: d.imb,
        place: Some(orders::PlaceInBuilding { batiment: d.batiment, escalier: d.escalier, etage: d.etage }),
        installation_address: Some(orders::PostalAddress {
            number: d.number_in_street,
            street: d.street,
            complement: String::new(),
            postcode: d.postcode,
            commune: d.commune,
        }),
        pm: d.pm,
        pbo: d.pbo,
        pto: d.pto,
        slot,
        contact: Some(contact).filter(|_| known && (shipping || visit)),
        delivery_address: Some(delivery).filter(|_| known && shipping),
        box_serial: match capability {
            Capability::Returns => d.return_serial,
            Capability::Installation | Capability::Activation => d.sent_serial,
            Capability::Shipping | Capability::Disconnection => String::new(),
        },
        scenario: d.scenario,
        customer_texts,
    }
}

fn customer_texts(d: &Details, slot: Option<&Slot>) -> Vec<pb::CustomerText> {
    use pb::CustomerTextKind as K;
    let brand = Brand { name: &d.brand_name, phone: &d.brand_phone };
    let visit = slot.map(|s| Visit { day: s.day.0, start: &s.local_start, end: &s.local_end });
    let to_wire = |(kind, text)| pb::CustomerText {
        kind: match kind {
            Kind::ParcelSender => K::ParcelSender,
            Kind::BoxOnItsWay => K::BoxOnItsWay,
            Kind::BoxNotSent => K::BoxNotSent,
            Kind::BoxSentAgain => K::BoxSentAgain,
            Kind::VisitAnnounced => K::VisitAnnounced,
            Kind::TechnicianOnTheWay => K::TechnicianOnTheWay,
            Kind::VisitMissed => K::VisitMissed,
            Kind::VisitFailed => K::VisitFailed,
            Kind::AccessOn => K::AccessOn,
            Kind::AccessNotOn => K::AccessNotOn,
            Kind::AccessOff => K::AccessOff,
            Kind::BoxAwaited => K::BoxAwaited,
            Kind::ReturnAddressee => K::ReturnAddressee,
        }
        .into(),
        language: LANGUAGE.to_owned(),
        text,
        sender: d.brand_sender.clone(),
    };
    let latest = d.return_serial == d.sent_serial;
    texts(d.capability, d.kind, latest, brand, visit).into_iter().map(to_wire).collect()
}

/// A piece of work in a list.
#[must_use]
pub fn item(row: WorkRow) -> pb::WorkItem {
    pb::WorkItem {
        work_id: row.work_id,
        capability: capability_to_wire(row.capability).into(),
        state: state_to_wire(row.state).into(),
        order_number: row.number,
        department: row.department,
        available_from: Some(to_wire(instant(row.available_from))),
        system_code: row.lease_owner.strip_prefix("s-").unwrap_or_default().to_owned(),
        worker_id: row.worker,
        fencing_token: row.token,
        lease_end_time: (row.token > 0).then(|| to_wire(instant(row.lease_until))),
    }
}
