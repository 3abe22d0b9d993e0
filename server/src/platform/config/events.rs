//! What is configured of the Watch.

use serde::{Deserialize, Serialize};

/// The Watch; machine time.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// A watch that has nothing to show says so after so long, seconds.
    pub heartbeat_seconds: u32,
    /// How often it is asked what other nodes committed, milliseconds.
    pub poll_millis: u64,
    /// Watches open at once with one certificate, on one node.
    pub watches_per_certificate: usize,
    /// How long events are kept, days.
    pub retention_days: u32,
}

impl Default for Events {
    fn default() -> Self {
        Self { heartbeat_seconds: 15, poll_millis: 250, watches_per_certificate: 20, retention_days: 30 }
    }
}

impl Events {
    /// Keys that can not be used, and what was expected.
    pub(super) fn faults(self) -> Vec<(&'static str, &'static str)> {
        let heartbeat = (1..=3_600).contains(&self.heartbeat_seconds);
        [
            (heartbeat, "events.heartbeat_seconds", "expected 1 to 3600 seconds"),
            (self.poll_millis > 0, "events.poll_millis", "expected a number above 0"),
            (self.watches_per_certificate > 0, "events.watches_per_certificate", "expected a number above 0"),
            (self.retention_days > 0, "events.retention_days", "expected a number above 0"),
        ]
        .into_iter()
        .filter_map(|(holds, key, expected)| (!holds).then_some((key, expected)))
        .collect()
    }
}
