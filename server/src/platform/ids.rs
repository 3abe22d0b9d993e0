//! Identifiers that the server makes: call ids and appointment numbers. The one place with randomness.

use std::sync::Arc;

use rand::RngExt as _;

/// Makes identifiers.
#[derive(Clone)]
pub struct Ids {
    digits: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Default for Ids {
    fn default() -> Self {
        Self { digits: Arc::new(|| rand::rng().random_range(0..1_000_000_000_000)) }
    }
}

impl Ids {
    /// Identifiers from a given source of twelve-digit numbers (for tests).
    #[must_use]
    pub fn from_source(digits: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self { digits: Arc::new(digits) }
    }

    /// A number below 10^12.
    #[must_use]
    pub fn twelve_digits(&self) -> u64 {
        (self.digits)() % 1_000_000_000_000
    }

    /// The id of a call, sortable by time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that makes them")]
    pub fn call(&self) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }
}
