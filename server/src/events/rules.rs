//! What a watch shows, and where it may go on. Knows no stream and no table.

use std::collections::BTreeSet;

/// A kind of event: what happened, of which e-services.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// As announced, for instance `appointments.held`.
    pub name: &'static str,
    /// The e-services that it can belong to.
    pub e_services: &'static [&'static str],
    /// What it tells, for the table of docs/watch.md.
    pub tells: &'static str,
}

/// Both rights of e-RDV: the appointment's product nature says which.
const E_RDV: &[&str] = &["e-rdv-grand-public", "e-rdv-entreprise"];

/// Both rights of orders: the offer says which.
const ORDERS: &[&str] = &["e-just-fibre", "e-just"];

/// Every kind that an operator can watch. A slice that announces another one adds its line here (a test looks), and its
/// e-service to the options of `WatchEvents` if it exists in production.
pub const KINDS: &[Kind] = &[
    Kind { name: "appointments.held", e_services: E_RDV, tells: "a slot is held" },
    Kind { name: "appointments.rescheduled", e_services: E_RDV, tells: "moved to another slot" },
    Kind { name: "appointments.replanned", e_services: E_RDV, tells: "moved by the wholesaler" },
    Kind { name: "appointments.confirmed", e_services: E_RDV, tells: "an order quoted it" },
    Kind { name: "appointments.cancelled", e_services: E_RDV, tells: "its slot is free again" },
    Kind { name: "appointments.lapsed", e_services: E_RDV, tells: "the hold ended without an order" },
    Kind {
        name: "orders.accepted",
        e_services: ORDERS,
        tells: "a creation, termination or exchange was accepted",
    },
    Kind { name: "orders.commented", e_services: ORDERS, tells: "either side said something" },
    Kind { name: "orders.box_shipped", e_services: ORDERS, tells: "the box left, with its parcel number" },
    Kind {
        name: "orders.construction_started",
        e_services: ORDERS,
        tells: "the point of no return is passed",
    },
    Kind { name: "orders.intervention_done", e_services: ORDERS, tells: "the technician is done" },
    Kind { name: "orders.customer_absent", e_services: ORDERS, tells: "a new appointment is wanted" },
    Kind { name: "orders.appointment_retaken", e_services: ORDERS, tells: "a new appointment is attached" },
    Kind { name: "orders.intervention_failed", e_services: ORDERS, tells: "the order failed; it says why" },
    Kind { name: "orders.activation_failed", e_services: ORDERS, tells: "the order failed; it says why" },
    Kind { name: "orders.expired", e_services: ORDERS, tells: "no new appointment came in time" },
    Kind { name: "orders.cancelled", e_services: ORDERS, tells: "cancelled by the operator" },
    Kind { name: "orders.completed", e_services: ORDERS, tells: "the access is delivered" },
    Kind { name: "orders.disconnected", e_services: ORDERS, tells: "the access is off" },
    Kind { name: "orders.box_returned", e_services: ORDERS, tells: "the old box came back" },
    Kind { name: "orders.box_lost", e_services: ORDERS, tells: "the box never arrived: another one is sent" },
    Kind { name: "orders.box_not_returned", e_services: ORDERS, tells: "the old box will not come back" },
    Kind { name: "orders.shipping_failed", e_services: ORDERS, tells: "the order failed; it says why" },
    Kind { name: "orders.contact_erased", e_services: ORDERS, tells: "the end customer's data are gone" },
    Kind { name: "sandbox.clock_changed", e_services: &["sandbox-clock"], tells: "business time was moved" },
    Kind {
        name: "sandbox.appointments_reset",
        e_services: &["sandbox"],
        tells: "all appointments were cancelled",
    },
];

/// What a watch leaves out: an event passes where each set that is not empty holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// E-services.
    pub e_services: BTreeSet<String>,
    /// Kinds.
    pub kinds: BTreeSet<String>,
    /// Names of objects.
    pub resources: BTreeSet<String>,
}

impl Filter {
    /// Whether an event passes.
    #[must_use]
    pub fn passes(&self, e_service: &str, kind: &str, resource: &str) -> bool {
        let among = |set: &BTreeSet<String>, value: &str| set.is_empty() || set.contains(value);
        among(&self.e_services, e_service) && among(&self.kinds, kind) && among(&self.resources, resource)
    }
}

/// How far a party has come, and from where on its events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Revision of the last event; 0 before the first.
    pub last: i64,
    /// The first revision that is kept; one more than `last` if none is.
    pub kept_from: i64,
}

impl Extent {
    /// Whether a watch can go on after a revision: everything after it is there, and so is the revision itself.
    #[must_use]
    pub const fn goes_on_after(self, revision: i64) -> bool {
        revision <= self.last && revision + 1 >= self.kept_from
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|v| (*v).to_owned()).collect()
    }

    #[test]
    fn an_empty_set_leaves_nothing_out() {
        let all = Filter::default();
        assert!(all.passes("e-rdv-entreprise", "appointments.held", "appointments/1"));
        let some = Filter {
            e_services: set(&["e-rdv-entreprise"]),
            kinds: set(&["appointments.held", "appointments.lapsed"]),
            resources: BTreeSet::new(),
        };
        assert!(some.passes("e-rdv-entreprise", "appointments.lapsed", "appointments/2"));
        assert!(!some.passes("e-rdv-grand-public", "appointments.lapsed", "appointments/2"));
        assert!(!some.passes("e-rdv-entreprise", "appointments.cancelled", "appointments/2"));
        let one = Filter { resources: set(&["appointments/1"]), ..Filter::default() };
        assert!(
            one.passes("sandbox", "any", "appointments/1")
                && !one.passes("sandbox", "any", "appointments/11")
        );
    }

    #[test]
    fn a_watch_goes_on_where_nothing_is_missing() {
        let extent = Extent { last: 9, kept_from: 5 };
        assert!(!extent.goes_on_after(3), "4 is gone");
        assert!(extent.goes_on_after(4) && extent.goes_on_after(9));
        assert!(!extent.goes_on_after(10), "ahead of the database");
        let empty = Extent { last: 9, kept_from: 10 };
        assert!(empty.goes_on_after(9) && !empty.goes_on_after(8));
        assert!(Extent { last: 0, kept_from: 1 }.goes_on_after(0));
    }

    #[test]
    fn kinds_are_named_once() {
        assert_eq!(KINDS.iter().map(|k| k.name).collect::<BTreeSet<_>>().len(), KINDS.len());
        assert!(KINDS.iter().all(|k| !k.e_services.is_empty() && k.name.contains('.')));
    }
}
