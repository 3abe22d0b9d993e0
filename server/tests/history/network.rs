//! What is checked of what orders hold: accesses, fixed addresses, sockets, fibres, boxes.

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, OrderRow, Rule, Tables};

impl<'a> Findings<'a> {
    /// Each creation has its access, as far as its orders brought it, with its one address while it is alive.
    pub(super) fn accesses(&mut self) {
        let tables = self.tables;
        let mut used: BTreeMap<&str, usize> = BTreeMap::new();
        for address in &tables.addresses {
            *used.entry(&address.ipv4).or_default() += 1;
        }
        for (ipv4, times) in used {
            self.expect(times == 1, Rule::Addresses, || format!("{ipv4}: in use {times} times"));
        }
        for order in self.creations() {
            let expected = self.access_state(order);
            let states = tables.accesses.iter().filter(|a| a.aid == order.aid && a.number == order.number);
            let states: Vec<(&str, &str)> = states.map(|a| (&*a.state, &*a.ipv4)).collect();
            self.expect(states == [(expected, &*order.ipv4)], Rule::Accesses, || {
                format!("{order:?}: {states:?}, expected {expected}")
            });
            let own: Vec<&str> =
                tables.addresses.iter().filter(|a| a.aid == order.aid).map(|a| a.ipv4.as_str()).collect();
            let expected: &[&str] = if expected == "terminated" { &[] } else { &[&order.ipv4] };
            self.expect(own == expected, Rule::Addresses, || format!("{order:?}: {own:?} in use"));
        }
        for address in &tables.addresses {
            let known = tables.orders.iter().any(|o| o.aid == address.aid);
            self.expect(known, Rule::Addresses, || format!("{address:?}: of no order"));
        }
        let creations = self.creations().count();
        self.expect(tables.accesses.len() == creations, Rule::Accesses, || {
            format!("{} accesses of {creations} creations", tables.accesses.len())
        });
    }

    /// A socket is lit by its installation until its access is off; a fibre is held until then by who waits for one.
    pub(super) fn network(&mut self) {
        let tables = self.tables;
        let mut laid: BTreeSet<&str> = BTreeSet::new();
        let mut held: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for order in self.creations() {
            let waits =
                matches!(&*order.state, "in_progress" | "under_construction" | "appointment_to_retake");
            self.expect(order.fibre_held == i64::from(waits), Rule::Network, || {
                format!("{order:?}: holds a fibre, or none")
            });
            *held.entry((&order.pm, &order.pbo)).or_default() += order.fibre_held;
            if !matches!(&*order.state, "installed" | "completed") {
                continue;
            }
            let new = laid.insert(&order.pto);
            let expected = if self.access_state(order) == "terminated" { "INACTIVE" } else { "ACTIVE" };
            let states = tables.lines.iter().filter(|l| l.pto == order.pto).map(|l| &*l.state);
            let right = new && states.eq([expected]);
            self.expect(right, Rule::Network, || format!("{order:?}: its socket is not {expected}"));
        }
        for line in &tables.lines {
            let known = laid.contains(&*line.pto);
            self.expect(known, Rule::Network, || format!("{line:?}: no order laid it"));
        }
        for fibres in &tables.fibres {
            let expected = held.remove(&(&*fibres.pm, &*fibres.pbo)).unwrap_or(0);
            self.expect(fibres.held == expected, Rule::Network, || {
                format!("{fibres:?}: orders hold {expected}")
            });
        }
        for (left, count) in held {
            self.expect(count == 0, Rule::Network, || format!("{left:?}: orders hold {count}, no row"));
        }
    }

    /// A box leaves the stock once, and comes back or is lost once, and the histories say so.
    pub(super) fn boxes(&mut self) {
        let tables = self.tables;
        let mut shipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut settled: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for entry in &tables.entries {
            let serial = entry.facts.lines().find_map(|f| f.strip_prefix("box_serial=")).unwrap_or_default();
            match entry.kind.as_str() {
                "BOX_SHIPPED" => shipped.entry(serial).or_default().push(&entry.number),
                "BOX_RETURNED" => *settled.entry((serial, "returned")).or_default() += 1,
                "BOX_LOST" => *settled.entry((serial, "lost")).or_default() += 1,
                _ => {}
            }
        }
        for found in &tables.boxes {
            let left = shipped.remove(&*found.serial).unwrap_or_default();
            let [back, lost] =
                ["returned", "lost"].map(|fate| settled.remove(&(&*found.serial, fate)).unwrap_or_default());
            let expected: &[&str] = if found.state == "in_stock" { &[] } else { &[&found.number] };
            let right = left == expected
                && back == usize::from(found.state == "returned")
                && lost == usize::from(found.state == "lost");
            self.expect(right, Rule::Boxes, || {
                format!("{found:?}: shipped for {left:?}, {back} times returned, {lost} times lost")
            });
        }
        for serial in shipped.keys().chain(settled.keys().map(|(serial, _)| serial)) {
            self.expect(false, Rule::Boxes, || format!("{serial}: in a history, and no box"));
        }
    }

    fn creations(&self) -> impl Iterator<Item = &'a OrderRow> + use<'a> {
        let tables: &'a Tables = self.tables;
        tables.orders.iter().filter(|o| o.kind == "creation")
    }

    /// What the orders on an access made of it.
    fn access_state(&self, creation: &OrderRow) -> &'static str {
        let off = |o: &OrderRow| {
            o.kind == "termination" && matches!(&*o.state, "waiting_for_box_return" | "completed")
        };
        let ended = self.tables.orders.iter().any(|o| o.aid == creation.aid && off(o));
        match creation.state.as_str() {
            "failed" => "terminated",
            _ if ended => "terminated",
            "completed" => "active",
            _ => "pending",
        }
    }
}
