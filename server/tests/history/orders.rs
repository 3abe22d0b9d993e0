//! What is checked of orders: their events, their appointments, their addresses.

use std::collections::BTreeMap;

use super::{AppointmentRow, EventRow, Findings, OrderRow, Rule};

pub const CREATE: &str = "/eservices.orders.v1.OrderService/CreateOrder";
pub const CANCEL: &str = "/eservices.orders.v1.OrderService/CancelOrder";

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
            self.appointment_of(order);
        }
        for (orphan, own) in events {
            self.expect(false, Rule::OrderIsItsEvents, || {
                format!("{orphan:?}: {} events, no row", own.len())
            });
        }
        for party in &tables.parties {
            let placed = tables.orders.iter().filter(|o| o.party_id == party.party_id).count();
            let asked = tables.requests.iter().filter(|r| r.method == CREATE && r.party_id == party.party_id);
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

    fn appointment_of(&mut self, order: &OrderRow) {
        let tables = self.tables;
        let own: Vec<&AppointmentRow> = tables.appointments.iter().filter(|a| quotes(order, a)).collect();
        let expected = if order.state == "failed" { "cancelled" } else { "confirmed" };
        let fits = matches!(own[..], [a] if a.state == expected && a.order_ref == order.number);
        self.expect(fits, Rule::AppointmentOfOrder, || format!("{order:?}: {own:?}"));
        let resource = format!("appointments/{}", order.appointment_ref);
        let confirmed =
            tables.events.iter().filter(|e| e.party_id == order.party_id && e.resource == resource);
        let confirmed = confirmed.filter(|e| e.kind == "appointments.confirmed").count();
        self.expect(confirmed == 1, Rule::AppointmentOfOrder, || {
            format!("{}: confirmed {confirmed} times", order.appointment_ref)
        });
    }

    pub(super) fn addresses(&mut self) {
        let tables = self.tables;
        let mut used: BTreeMap<&str, usize> = BTreeMap::new();
        for address in &tables.addresses {
            *used.entry(&address.ipv4).or_default() += 1;
        }
        for (ipv4, times) in used {
            self.expect(times == 1, Rule::Addresses, || format!("{ipv4}: in use {times} times"));
        }
        for order in &tables.orders {
            let own: Vec<&str> =
                tables.addresses.iter().filter(|a| a.aid == order.aid).map(|a| a.ipv4.as_str()).collect();
            let expected: &[&str] = if order.state == "failed" { &[] } else { &[&order.ipv4] };
            self.expect(own == expected, Rule::Addresses, || format!("{order:?}: {own:?} in use"));
        }
        for address in &tables.addresses {
            let known = tables.orders.iter().any(|o| o.aid == address.aid);
            self.expect(known, Rule::Addresses, || format!("{address:?}: of no order"));
        }
    }
}

fn quotes(order: &OrderRow, appointment: &AppointmentRow) -> bool {
    order.party_id == appointment.party_id && order.appointment_ref == appointment.reference
}
