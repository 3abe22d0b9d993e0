//! What is checked of work: leases that do not overlap, words that only who has the lease can say, each piece done once, and
//! nothing left undone.

use std::collections::BTreeMap;

use super::{AuditRow, Findings, Rule};
use crate::process::LEASE_SECONDS;

pub const LEASE: &str = "/eservices.fulfilment.v1.WorkService/LeaseWork";
pub const EXTEND: &str = "/eservices.fulfilment.v1.WorkService/ExtendLease";
pub const REPORT: &str = "/eservices.fulfilment.v1.WorkService/ReportWork";
pub const ADD_BOXES: &str = "/eservices.fulfilment.v1.WorkService/AddBoxes";

/// How long a lease lasts from the last word on, machine time.
const LASTS: i64 = LEASE_SECONDS as i64 * 1_000_000;

/// What each report is in the history of its order.
const REPORTS: [(&str, &str); 9] = [
    ("SHIP_BOX", "BOX_SHIPPED"),
    ("START_CONSTRUCTION", "CONSTRUCTION"),
    ("FINISH_INTERVENTION", "INTERVENTION_OK"),
    ("REPORT_ABSENCE", "CUSTOMER_ABSENT"),
    ("FAIL_INTERVENTION", "INTERVENTION_FAILED"),
    ("COMPLETE", "COMPLETED"),
    ("DISCONNECT", "DISCONNECTED"),
    ("RETURN_BOX", "BOX_RETURNED"),
    ("LOSE_BOX", "BOX_LOST"),
];

/// One word of a worker about its work, as the audit keeps it.
struct Word<'a> {
    token: i64,
    what: What,
    line: &'a AuditRow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Leased,
    /// The lease goes on: extended, or a milestone that does not end the work.
    Kept,
    Done,
}

impl Findings<'_> {
    pub(super) fn work(&mut self) {
        let tables = self.tables;
        let mut words = words(&tables.audit);
        for work in &tables.work {
            let mut own = words.remove(&*work.work_id).unwrap_or_default();
            // The audit has an order within a party: this one is by tokens, and within a token by it.
            own.sort_by_key(|w| (w.token, w.line.position));
            self.leases(&work.work_id, work.token, &own);
            let done: Vec<i64> = own.iter().filter(|w| w.what == What::Done).map(|w| w.token).collect();
            let expected: &[i64] = if work.state == "done" { &[work.token] } else { &[] };
            self.expect(done == expected, Rule::Fencing, || format!("{work:?}: done with tokens {done:?}"));
        }
        for (orphan, own) in words {
            self.expect(false, Rule::Leases, || format!("{orphan}: {} words about it, no row", own.len()));
        }
        self.reports();
        self.ends();
    }

    /// Each token was leased once, and when the one before was over; every other word is of whoever leased, and follows.
    fn leases(&mut self, id: &str, last: i64, own: &[Word<'_>]) {
        let tokens = own.iter().filter(|w| w.what == What::Leased).map(|w| w.token);
        let each = tokens.clone().eq(1..=last);
        let tokens: Vec<i64> = tokens.collect();
        self.expect(each, Rule::Leases, || format!("{id}: leased {tokens:?}, its row says {last}"));
        let mut lease: Option<(i64, &AuditRow)> = None;
        // How far the last one reaches.
        let mut until = i64::MIN;
        for word in own {
            let at = word.line.recorded_at;
            if word.what == What::Leased {
                self.expect(at >= until, Rule::Leases, || {
                    format!("{id}: token {} leased {} µs before its time", word.token, until - at)
                });
                (lease, until) = (Some((word.token, word.line)), at.saturating_add(LASTS));
                continue;
            }
            let mine = lease.is_some_and(|(token, l)| {
                token == word.token && l.party_id == word.line.party_id && l.position < word.line.position
            });
            self.expect(mine, Rule::Fencing, || {
                format!("{id}: {} of {} without the lease", word.line.detail, word.line.party_id)
            });
            if word.what == What::Kept {
                until = at.saturating_add(LASTS);
            }
        }
    }

    /// What the field reported is what the histories say of it, one after the other.
    fn reports(&mut self) {
        let tables = self.tables;
        let mut lines: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
        for line in tables.audit.iter().filter(|l| l.method == REPORT && !is_expiry(l)) {
            if let Some(number) = line.resource.strip_prefix("orders/") {
                let action = line.detail.split_whitespace().find_map(|w| w.strip_prefix("action="));
                let kind =
                    REPORTS.iter().find(|(name, _)| Some(*name) == action).map_or("", |(_, kind)| *kind);
                lines.entry(number).or_default().push((line.position, kind));
            }
        }
        let mut entries: BTreeMap<&str, Vec<(i64, &str)>> = BTreeMap::new();
        for entry in tables.entries.iter().filter(|e| e.author == "field") {
            entries.entry(&entry.number).or_default().push((entry.position, &entry.kind));
        }
        let kinds = |mut rows: Vec<(i64, &'_ str)>| {
            rows.sort_unstable();
            rows.into_iter().map(|(_, kind)| kind.to_owned()).collect::<Vec<String>>()
        };
        for order in &tables.orders {
            let reported = kinds(lines.remove(&*order.number).unwrap_or_default());
            let written = kinds(entries.remove(&*order.number).unwrap_or_default());
            self.expect(reported == written, Rule::ReportIsEntry, || {
                format!("{}: reported {reported:?}, its history says {written:?}", order.number)
            });
        }
    }

    /// Once the field had its time nothing is left to do, but for who awaits the end customer's new appointment.
    fn ends(&mut self) {
        let tables = self.tables;
        for order in &tables.orders {
            let rests = matches!(&*order.state, "completed" | "failed" | "appointment_to_retake");
            self.expect(rests, Rule::JourneysEnd, || format!("{order:?}"));
        }
        for work in tables.work.iter().filter(|w| matches!(&*w.state, "open" | "leased")) {
            self.expect(false, Rule::JourneysEnd, || format!("{work:?}"));
            let order = tables.orders.iter().find(|o| o.number == work.number);
            let over = order.is_none_or(|o| matches!(&*o.state, "completed" | "failed"));
            self.expect(!over || work.capability == "returns", Rule::WorkOfOrder, || {
                format!("{work:?} of {order:?}")
            });
        }
    }
}

/// Whether it tells of an order whose days for a new appointment were over: written with what is reported of it, if nobody
/// came by before, and no word of the field.
pub fn is_expiry(line: &AuditRow) -> bool {
    line.resource.starts_with("orders/") && line.detail.split_whitespace().any(|word| word == "action=EXPIRE")
}

/// What workers said, by the work that it is about.
fn words(audit: &[AuditRow]) -> BTreeMap<&str, Vec<Word<'_>>> {
    let mut words: BTreeMap<&str, Vec<Word<'_>>> = BTreeMap::new();
    for line in audit.iter().filter(|l| l.resource.starts_with("work")) {
        let what = match line.method.as_str() {
            LEASE => What::Leased,
            REPORT if line.detail.contains(" state=done ") => What::Done,
            _ => What::Kept,
        };
        for (id, token) in words_of(line) {
            words.entry(id).or_default().push(Word { token, what, line });
        }
    }
    words
}

/// The pieces of work in an audit line, each with its token.
fn words_of(line: &AuditRow) -> impl Iterator<Item = (&str, i64)> {
    let value = |name: &str| line.detail.split_whitespace().find_map(|w| w.strip_prefix(name));
    let listed = value("leased=").or_else(|| value("extended=")).unwrap_or_default();
    let listed = listed.split(',').filter_map(|w| w.rsplit_once(':'));
    let listed = listed.filter_map(|(id, token)| Some((id, token.parse().ok()?)));
    let single = line.resource.strip_prefix("work/");
    let single = single.and_then(|id| Some((id, value("token=")?.parse().ok()?)));
    listed.chain(single)
}
