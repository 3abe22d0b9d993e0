//! Whole or absent: replay rows, audit lines and events stand for each other, whoever acted.

use std::collections::BTreeMap;

use eservices::fulfilment::v1::LeaseWorkResponse;
use prost::Message as _;

use super::{AuditRow, Findings, RequestRow, Rule, orders, work};

/// The server itself in audit lines.
const SERVER: &str = "s-eservices";
/// What the server does to an appointment by itself.
const LAPSE: &str = "appointments.lapse";

impl Findings<'_> {
    /// Replay rows, audit lines and events stand for each other, but for what the server and the registry did.
    pub(super) fn whole_or_absent(&mut self) {
        let tables = self.tables;
        let key = |party: &str, method: &str, id: &str| (party.to_owned(), method.to_owned(), id.to_owned());
        let mut lines: BTreeMap<_, Vec<&AuditRow>> = BTreeMap::new();
        let mut lapses: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut balance: BTreeMap<(&str, &str), (i64, usize)> = BTreeMap::new();
        for line in tables.audit.iter().filter(|l| !l.method.starts_with("registry.")) {
            if (line.actor.as_str(), line.method.as_str()) == (SERVER, LAPSE) {
                *lapses.entry((&line.party_id, &line.resource)).or_default() += 1;
                continue;
            }
            balance.entry((&line.party_id, &line.resource)).or_default().0 -= 1;
            if line.actor != SERVER {
                // Who acts writes into the chain of whoever owns the object: an operator's, where the field reports.
                lines.entry(key(&line.actor, &line.method, &line.request_id)).or_default().push(line);
            }
        }
        for row in &tables.requests {
            let written = lines.remove(&key(&row.party_id, &row.method, &row.request_id)).unwrap_or_default();
            self.expect(fit(row, &written), Rule::WholeOrAbsent, || {
                format!("{} of {}: audit lines {written:?}", row.request_id, row.method)
            });
        }
        for (orphan, written) in lines {
            self.expect(false, Rule::WholeOrAbsent, || {
                format!("{orphan:?}: {} audit lines, no replay row", written.len())
            });
        }
        for event in &tables.events {
            let (announced, lapsed) = balance.entry((&event.party_id, &event.resource)).or_default();
            if event.kind == "appointments.lapsed" { *lapsed += 1 } else { *announced += 1 }
        }
        for ((party, resource), (more, lapsed)) in balance {
            self.expect(more == 0, Rule::WholeOrAbsent, || {
                format!("{party} {resource}: {more} events more than audit lines")
            });
            let lines = lapses.remove(&(party, resource)).unwrap_or_default();
            self.expect(lapsed == lines && lapsed <= 1, Rule::WholeOrAbsent, || {
                format!("{resource}: {lapsed} lapses announced, {lines} audit lines of them")
            });
        }
        for (left, count) in lapses {
            self.expect(false, Rule::WholeOrAbsent, || {
                format!("{left:?}: {count} audit lines of lapses never announced")
            });
        }
    }
}

/// Whether a replay row has the audit lines that its method writes: of the order, of its appointment, of the work.
fn fit(row: &RequestRow, written: &[&AuditRow]) -> bool {
    let of = |what: &str| written.iter().filter(|l| l.resource.starts_with(what)).count();
    let (appointments, of_orders, of_work) = (of("appointments/"), of("orders/"), of("work"));
    let counts = match row.method.as_str() {
        // What found no work leaves no line.
        work::LEASE => {
            let empty = LeaseWorkResponse::decode(row.response.as_slice()).is_ok_and(|a| a.items.is_empty());
            of_work == usize::from(!empty) && (appointments, of_orders) == (0, 0)
        }
        work::EXTEND => (appointments, of_orders, of_work) == (0, 0, 1),
        work::ADD_BOXES => (appointments, of_orders, of_work) == (0, 0, 0) && of("boxes") == 1,
        // A visit that came to nothing gives its place back; an order whose days were over expires before its box is heard of.
        work::REPORT => {
            let expired = written.iter().filter(|l| work::is_expiry(l)).count();
            appointments <= 1 && expired <= 1 && (of_orders, of_work) == (1 + expired, 1)
        }
        orders::CREATE | orders::RETAKE => (appointments, of_orders, of_work) == (1, 1, 0),
        // Where an appointment is to be retaken there is none any more.
        orders::CANCEL => appointments <= 1 && (of_orders, of_work) == (1, 0),
        orders::TERMINATE | orders::EXCHANGE => (appointments, of_orders, of_work) == (0, 1, 0),
        _ => (appointments, of_orders, of_work) == (1, 0, 0),
    };
    let all = appointments + of_orders + of_work + of("boxes");
    let named =
        written.iter().any(|l| l.resource == row.resource) || (written.is_empty() && row.resource.is_empty());
    counts && all == written.len() && named
}
