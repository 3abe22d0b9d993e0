//! What is checked of appointments: their events, their places.

use std::collections::BTreeMap;

use super::{AppointmentRow, EventRow, Findings, Rule, SampleRow};

impl Findings<'_> {
    pub(super) fn appointments(&mut self) {
        let mut events: BTreeMap<(&str, &str), Vec<&EventRow>> = BTreeMap::new();
        for event in self.tables.events.iter().filter(|e| e.resource.starts_with("appointments/")) {
            events
                .entry((&event.party_id, &event.resource["appointments/".len()..]))
                .or_default()
                .push(event);
        }
        for appointment in &self.tables.appointments {
            let mut own = events
                .remove(&(appointment.party_id.as_str(), appointment.reference.as_str()))
                .unwrap_or_default();
            own.sort_by_key(|e| e.revision);
            let version = i64::try_from(own.len()).unwrap_or(i64::MAX);
            let held_once = own.iter().filter(|e| e.kind == "appointments.held").count() == 1
                && own.first().is_some_and(|e| e.kind == "appointments.held");
            let last = own
                .last()
                .is_some_and(|e| e.revision == appointment.revision && e.state == appointment.state);
            self.expect(
                held_once && last && version == appointment.version,
                Rule::AppointmentIsItsEvents,
                || format!("{appointment:?}: {own:?}"),
            );
        }
        for (orphan, own) in events {
            self.expect(false, Rule::AppointmentIsItsEvents, || {
                format!("{orphan:?}: {} events, no row", own.len())
            });
        }
    }

    pub(super) fn places(&mut self) {
        for slot in &self.tables.slots {
            let alive = |a: &&AppointmentRow| {
                a.slot_id == slot.slot_id && matches!(a.state.as_str(), "held" | "confirmed")
            };
            let alive = self.tables.appointments.iter().filter(alive).count();
            let taken = usize::try_from(slot.booked).unwrap_or(usize::MAX);
            self.expect(taken == alive && slot.booked <= slot.capacity, Rule::Places, || {
                format!("{}: {} booked of {}, {alive} alive", slot.slot_id, slot.booked, slot.capacity)
            });
        }
        for sample in &self.tables.samples {
            let SampleRow { slot_id, capacity, booked, alive } = sample;
            self.expect(booked == alive && booked <= capacity, Rule::Places, || {
                format!("{slot_id} in the course of the run: {booked} booked of {capacity}, {alive} alive")
            });
        }
    }
}
