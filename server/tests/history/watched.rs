//! What is checked of a watch that was cut again and again: it showed what the tables hold, each event once, in order.

use super::{EventRow, Findings, Rule};

/// What one watch of an operator saw, over all its streams.
#[derive(Clone, Debug, Default)]
pub struct Watched {
    pub party_id: String,
    /// The revision at which it began.
    pub after: i64,
    /// As they came.
    pub seen: Vec<EventRow>,
    /// How often a stream was cut that had begun.
    pub cuts: usize,
    /// Reasons of refusals that no cut explains.
    pub refusals: Vec<String>,
}

impl Findings<'_> {
    /// Up to the last event that the tables hold; what came after they were read is not looked at.
    pub(super) fn watched(&mut self, watched: &Watched) {
        let tables = self.tables;
        let party = &watched.party_id;
        self.expect(watched.refusals.is_empty(), Rule::Watch, || {
            format!("{party}: its watch was refused {:?}", watched.refusals)
        });
        let own = |e: &&EventRow| e.party_id == *party && e.revision > watched.after;
        let mut expected: Vec<&EventRow> = tables.events.iter().filter(own).collect();
        expected.sort_by_key(|e| e.revision);
        let last = expected.last().map_or(watched.after, |e| e.revision);
        let seen: Vec<&EventRow> = watched.seen.iter().filter(|e| e.revision <= last).collect();
        let at = seen.iter().zip(&expected).position(|(s, e)| s != e);
        let at = at.unwrap_or_else(|| seen.len().min(expected.len()));
        self.expect(seen == expected, Rule::Watch, || {
            format!(
                "{party}: {} of {} events seen, the first that differs {:?}, expected {:?}",
                seen.len(),
                expected.len(),
                seen.get(at),
                expected.get(at)
            )
        });
    }
}
