//! What is checked of orders: their events, their history, their appointments.

use std::collections::BTreeMap;

use super::{AppointmentRow, EntryRow, EventRow, Findings, OrderRow, Rule};

/// Reading an order: no write, in a history only where it was refused.
pub const READ: &str = "/eservices.orders.v1.OrderService/GetOrder";
pub const CREATE: &str = "/eservices.orders.v1.OrderService/CreateOrder";
pub const CANCEL: &str = "/eservices.orders.v1.OrderService/CancelOrder";
pub const RETAKE: &str = "/eservices.orders.v1.OrderService/RetakeAppointment";
pub const TERMINATE: &str = "/eservices.orders.v1.OrderService/TerminateAccess";
pub const EXCHANGE: &str = "/eservices.orders.v1.OrderService/ExchangeBox";

/// What each line of a history is announced as.
const KINDS: [(&str, &str); 13] = [
    ("ACCEPTED", "orders.accepted"),
    ("BOX_SHIPPED", "orders.box_shipped"),
    ("CONSTRUCTION", "orders.construction_started"),
    ("INTERVENTION_OK", "orders.intervention_done"),
    ("CUSTOMER_ABSENT", "orders.customer_absent"),
    ("APPOINTMENT_RETAKEN", "orders.appointment_retaken"),
    ("INTERVENTION_FAILED", "orders.intervention_failed"),
    ("EXPIRED", "orders.expired"),
    ("CANCELLED", "orders.cancelled"),
    ("COMPLETED", "orders.completed"),
    ("DISCONNECTED", "orders.disconnected"),
    ("BOX_RETURNED", "orders.box_returned"),
    ("BOX_LOST", "orders.box_lost"),
];

/// Type, state, line of the history, state after it: docs/orders.md, by hand, and what is heard of a box once its order has
/// failed: that it had left all the same, that it is back.
const STEPS: [(&str, &str, &str, &str); 28] = [
    ("creation", "in_progress", "CANCELLED", "failed"),
    ("creation", "in_progress", "BOX_SHIPPED", "in_progress"),
    ("creation", "in_progress", "BOX_LOST", "in_progress"),
    ("creation", "in_progress", "CONSTRUCTION", "under_construction"),
    ("creation", "in_progress", "CUSTOMER_ABSENT", "appointment_to_retake"),
    ("creation", "in_progress", "INTERVENTION_FAILED", "failed"),
    ("creation", "under_construction", "BOX_SHIPPED", "under_construction"),
    ("creation", "under_construction", "BOX_LOST", "under_construction"),
    ("creation", "under_construction", "INTERVENTION_OK", "installed"),
    ("creation", "under_construction", "CUSTOMER_ABSENT", "appointment_to_retake"),
    ("creation", "under_construction", "INTERVENTION_FAILED", "failed"),
    ("creation", "installed", "BOX_SHIPPED", "installed"),
    ("creation", "installed", "BOX_LOST", "installed"),
    ("creation", "installed", "COMPLETED", "completed"),
    ("creation", "appointment_to_retake", "CANCELLED", "failed"),
    ("creation", "appointment_to_retake", "APPOINTMENT_RETAKEN", "in_progress"),
    ("creation", "appointment_to_retake", "EXPIRED", "failed"),
    ("creation", "appointment_to_retake", "BOX_SHIPPED", "appointment_to_retake"),
    ("creation", "failed", "BOX_SHIPPED", "failed"),
    ("creation", "failed", "BOX_RETURNED", "failed"),
    ("termination", "in_progress", "CANCELLED", "failed"),
    ("termination", "in_progress", "DISCONNECTED", "waiting_for_box_return"),
    ("termination", "waiting_for_box_return", "BOX_RETURNED", "completed"),
    ("box_exchange", "in_progress", "CANCELLED", "failed"),
    ("box_exchange", "in_progress", "BOX_SHIPPED", "waiting_for_box_return"),
    ("box_exchange", "waiting_for_box_return", "BOX_RETURNED", "completed"),
    ("box_exchange", "failed", "BOX_SHIPPED", "failed"),
    ("box_exchange", "failed", "BOX_RETURNED", "failed"),
];

/// What can happen to an order more than once.
const REPEATED: [&str; 3] = ["CONSTRUCTION", "CUSTOMER_ABSENT", "APPOINTMENT_RETAKEN"];

/// Whether a method is one of orders.
pub fn is_about(method: &str) -> bool {
    method.starts_with("/eservices.orders.v1.OrderService/")
}

impl Findings<'_> {
    pub(super) fn orders(&mut self) {
        let tables = self.tables;
        let mut events: BTreeMap<(&str, &str), Vec<&EventRow>> = BTreeMap::new();
        for event in tables.events.iter().filter(|e| e.resource.starts_with("orders/")) {
            events.entry((&event.party_id, &event.resource["orders/".len()..])).or_default().push(event);
        }
        let mut entries: BTreeMap<&str, Vec<&EntryRow>> = BTreeMap::new();
        for entry in &tables.entries {
            entries.entry(&entry.number).or_default().push(entry);
        }
        for order in &tables.orders {
            let mut own = events.remove(&(&*order.party_id, &*order.number)).unwrap_or_default();
            own.sort_by_key(|e| e.revision);
            let accepted = own.iter().filter(|e| e.kind == "orders.accepted").count() == 1
                && own.first().is_some_and(|e| e.kind == "orders.accepted");
            let last = own.last().is_some_and(|e| e.revision == order.revision && e.state == order.state);
            let version = i64::try_from(own.len()).unwrap_or(i64::MAX);
            self.expect(accepted && last && version == order.version, Rule::OrderIsItsEvents, || {
                format!("{order:?}: {own:?}")
            });
            let mut entries = entries.remove(&*order.number).unwrap_or_default();
            entries.sort_by_key(|e| e.position);
            self.history(order, &entries, &own);
            self.appointment_of(order, &entries);
        }
        for (orphan, own) in events {
            self.expect(false, Rule::OrderIsItsEvents, || {
                format!("{orphan:?}: {} events, no row", own.len())
            });
        }
        for (orphan, _) in entries {
            self.expect(false, Rule::History, || format!("{orphan}: a history, and no order"));
        }
        for party in &tables.parties {
            let placed = tables.orders.iter().filter(|o| o.party_id == party.party_id).count();
            let asks = |method: &str| [CREATE, TERMINATE, EXCHANGE].contains(&method);
            let asked = tables.requests.iter().filter(|r| asks(&r.method) && r.party_id == party.party_id);
            let asked = asked.count();
            self.expect(placed == asked, Rule::OneOrderARequest, || {
                format!("{}: {placed} orders of {asked} requests", party.party_id)
            });
        }
        for appointment in tables.appointments.iter().filter(|a| a.state == "confirmed") {
            let quoting =
                tables.orders.iter().filter(|o| quotes(o, appointment) && o.state != "failed").count();
            self.expect(quoting == 1, Rule::AppointmentOfOrder, || {
                format!("{appointment:?}: {quoting} orders")
            });
        }
    }

    /// Positions 1..n, line by line what was announced, each step one of the table, what happens once once.
    fn history(&mut self, order: &OrderRow, entries: &[&EntryRow], events: &[&EventRow]) {
        let number = &order.number;
        let gapless = entries.iter().map(|e| e.position).eq(1..=order.entries);
        self.expect(gapless, Rule::History, || format!("{order:?}: {entries:?}"));
        let announced = |(entry, event): (&&EntryRow, &&EventRow)| {
            entry.state == event.state && KINDS.contains(&(&entry.kind, &event.kind))
        };
        let alike = entries.len() == events.len() && entries.iter().zip(events).all(announced);
        self.expect(alike, Rule::History, || format!("{number}: {entries:?}, announced {events:?}"));
        let begins = entries.first().is_some_and(|e| (&*e.kind, &*e.state) == ("ACCEPTED", "in_progress"));
        self.expect(begins, Rule::History, || format!("{number} begins with {:?}", entries.first()));
        for pair in entries.windows(2) {
            let step = (&*order.kind, &*pair[0].state, &*pair[1].kind, &*pair[1].state);
            self.expect(STEPS.contains(&step), Rule::History, || format!("{number}: {step:?} is no step"));
        }
        let times = |kind: &str| entries.iter().filter(|e| e.kind == kind).count();
        for (kind, _) in KINDS.iter().filter(|(kind, _)| !REPEATED.contains(kind)) {
            // Another box is sent for one that is lost.
            let most = if *kind == "BOX_SHIPPED" { 1 + times("BOX_LOST") } else { 1 };
            let times = times(kind);
            self.expect(times <= most, Rule::Once, || format!("{number}: {kind} {times} times"));
        }
    }

    /// The appointments that an order ever had: each confirmed once, all let go but the one that it has.
    fn appointment_of(&mut self, order: &OrderRow, entries: &[&EntryRow]) {
        let tables = self.tables;
        let ever: Vec<&AppointmentRow> =
            tables.appointments.iter().filter(|a| a.order_ref == order.number).collect();
        if order.kind != "creation" {
            let none = ever.is_empty() && order.appointment_ref.is_empty();
            self.expect(none, Rule::AppointmentOfOrder, || format!("{order:?}: {ever:?}"));
            return;
        }
        let retaken = entries.iter().filter(|e| e.kind == "APPOINTMENT_RETAKEN").count();
        let wanted = ever.len() == 1 + retaken
            && ever.iter().all(|a| a.party_id == order.party_id)
            && ever.iter().all(|a| a.state == "confirmed" || a.state == "cancelled");
        self.expect(wanted, Rule::AppointmentOfOrder, || format!("{order:?}: {ever:?}"));
        let now = ever.iter().filter(|a| a.state == "confirmed").map(|a| &*a.reference);
        let expected = match order.state.as_str() {
            "failed" | "appointment_to_retake" => "",
            _ => &order.appointment_ref,
        };
        let fits = now.eq(Some(expected).filter(|reference| !reference.is_empty()))
            && (order.state != "appointment_to_retake" || order.appointment_ref.is_empty())
            && (expected.is_empty() == matches!(&*order.state, "failed" | "appointment_to_retake"));
        self.expect(fits, Rule::AppointmentOfOrder, || format!("{order:?}: {ever:?}"));
        for appointment in ever {
            let resource = format!("appointments/{}", appointment.reference);
            let confirmed = tables.events.iter().filter(|e| e.kind == "appointments.confirmed");
            let confirmed = confirmed.filter(|e| e.resource == resource && e.party_id == order.party_id);
            let confirmed = confirmed.count();
            self.expect(confirmed == 1, Rule::AppointmentOfOrder, || {
                format!("{}: confirmed {confirmed} times", appointment.reference)
            });
        }
    }
}

fn quotes(order: &OrderRow, appointment: &AppointmentRow) -> bool {
    order.party_id == appointment.party_id && order.appointment_ref == appointment.reference
}
