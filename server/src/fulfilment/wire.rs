//! proto → typed values for `FulfilmentService`; domain → proto.

pub mod work;

use std::collections::BTreeSet;

use eservices::fulfilment::v1 as pb;
use eservices_reference::ids::Insee;
use jiff::civil::Date;

use crate::{
    appointments::{
        booked_slot_to_wire, intervention_to_wire, state_to_wire,
        store::{Change, ZoneBooking, ZoneRow},
    },
    platform::{
        error::{Error, Violations},
        form,
    },
};

/// The slots of one day, as they are to be.
#[derive(Clone, Debug)]
pub struct DayPlan {
    /// Local day.
    pub day: Date,
    /// Slots.
    pub slots: Vec<Change>,
}

/// Zones to publish.
pub fn zones(found: &[pb::Zone], violations: &mut Violations) -> Vec<ZoneRow> {
    if found.is_empty() || found.len() > 100 {
        violations.push("zones", "expected 1 to 100 zones");
    }
    let (mut codes, mut communes) = (BTreeSet::new(), BTreeSet::new());
    for (z, zone) in found.iter().enumerate().take(100) {
        if !is_zone_code(&zone.code) {
            violations
                .push(format!("zones[{z}].code"), "expected two to eight of A-Z and 0-9, for instance ZMLV");
        } else if !codes.insert(&zone.code) {
            violations.push(format!("zones[{z}].code"), "expected codes that differ");
        }
        if zone.label.trim().is_empty()
            || zone.label.chars().count() > 80
            || zone.label.contains(char::is_control)
        {
            violations
                .push(format!("zones[{z}].label"), "expected 1 to 80 characters, no control characters");
        }
        if zone.commune_codes.is_empty() || zone.commune_codes.len() > 2_000 {
            violations.push(format!("zones[{z}].commune_codes"), "expected 1 to 2,000 INSEE codes");
        }
        for (c, code) in zone.commune_codes.iter().enumerate().take(2_000) {
            let field = format!("zones[{z}].commune_codes[{c}]");
            if violations.take(&field, Insee::parse(code)).is_some() && !communes.insert(code) {
                violations.push(field, "expected each commune once");
            }
        }
    }
    let row = |z: &pb::Zone| ZoneRow {
        code: z.code.clone(),
        label: z.label.clone(),
        communes: z.commune_codes.clone(),
    };
    found.iter().map(row).collect()
}

/// A zone's code.
pub fn zone_code(text: &str, violations: &mut Violations) -> String {
    if !is_zone_code(text) {
        violations.push("zone_code", "expected two to eight of A-Z and 0-9, for instance ZMLV");
    }
    text.to_owned()
}

fn is_zone_code(text: &str) -> bool {
    (2..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Days to publish.
pub fn days(found: &[pb::DayCapacity], zone: &str, violations: &mut Violations) -> Vec<DayPlan> {
    if found.is_empty() || found.len() > 62 {
        violations.push("days", "expected 1 to 62 days");
    }
    let mut seen = BTreeSet::new();
    let mut plans = Vec::new();
    for (d, plan) in found.iter().enumerate().take(62) {
        let path = format!("days[{d}]");
        let Some(day) = form::day(&format!("{path}.day"), &plan.day, violations) else {
            if plan.day.is_empty() {
                violations.push(format!("{path}.day"), "expected a day YYYY-MM-DD");
            }
            continue;
        };
        if !seen.insert(day) {
            violations.push(format!("{path}.day"), "expected days that differ");
        }
        plans.push(DayPlan { day, slots: slots(plan, zone, day, &path, violations) });
    }
    plans
}

/// Refuses days that are over. Not a part of [`days`]: what day it is may differ when the same request comes again, and
/// that gets its first answer.
pub fn not_over(days: &[DayPlan], today: Date) -> Result<(), Error> {
    let mut violations = Violations::default();
    for (d, _) in days.iter().enumerate().filter(|(_, plan)| plan.day < today) {
        violations.push(format!("days[{d}].day"), format!("expected {today} or later"));
    }
    violations.check()
}

fn slots(
    plan: &pb::DayCapacity,
    zone: &str,
    day: Date,
    path: &str,
    violations: &mut Violations,
) -> Vec<Change> {
    if plan.slots.len() > 48 {
        violations.push(format!("{path}.slots"), "expected 48 slots at most");
    }
    let mut starts = BTreeSet::new();
    let mut changes = Vec::new();
    for (s, slot) in plan.slots.iter().enumerate().take(48) {
        let field = |name: &str| format!("{path}.slots[{s}].{name}");
        if !is_time(&slot.start_time) {
            violations.push(field("start_time"), "expected HH:MM, for instance 08:00");
        } else if !starts.insert(&slot.start_time) {
            violations.push(field("start_time"), "expected starts that differ");
        }
        if !is_time(&slot.end_time) || slot.end_time <= slot.start_time {
            violations.push(field("end_time"), "expected HH:MM after the start");
        }
        if slot.capacity > 1_000 {
            violations.push(field("capacity"), "expected 0 to 1,000");
        }
        changes.push(Change {
            slot_id: format!("{zone}-{}-{}", day.strftime("%Y%m%d"), slot.start_time.replace(':', "")),
            day,
            local_start: slot.start_time.clone(),
            local_end: slot.end_time.clone(),
            capacity: i64::from(slot.capacity),
        });
    }
    changes
}

fn is_time(text: &str) -> bool {
    let shaped = text.len() == 5 && text.is_ascii() && text.as_bytes()[2] == b':';
    shaped
        && matches!((text[..2].parse::<u8>(), text[3..].parse::<u8>()), (Ok(h), Ok(m)) if h < 24 && m < 60)
        && text.bytes().all(|b| b.is_ascii_digit() || b == b':')
}

/// A booking as the workforce needs it.
pub fn booking(found: &ZoneBooking) -> pb::Booking {
    let a = &found.appointment;
    pb::Booking {
        reference: a.reference.clone(),
        operator_siren: found.operator_siren.clone(),
        state: state_to_wire(a.state).into(),
        slot: Some(booked_slot_to_wire(a)),
        intervention: Some(intervention_to_wire(a)),
        etag: a.etag(),
    }
}
