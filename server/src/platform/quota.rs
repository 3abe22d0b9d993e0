//! What one caller may use: a token bucket, a number of calls at once, and one write at a time.
//!
//! The state outlives the registry's snapshots. Knows no method.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::{DefaultDirectRateLimiter, RateLimiter, clock::Clock as _};
use tokio::sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

use super::{
    config::Quota,
    error::{Error, Reason},
};

/// Leave to have one call under way; freed with its last copy.
#[derive(Clone, Debug)]
pub struct Permit(#[expect(dead_code, reason = "held for its drop")] Arc<OwnedSemaphorePermit>);

/// The state of one caller.
#[derive(Debug)]
pub struct Desk {
    /// The tier it was made for.
    pub quota: Quota,
    limiter: DefaultDirectRateLimiter,
    under_way: Arc<Semaphore>,
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Desk {
    fn new(quota: Quota) -> Self {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let rate = governor::Quota::per_second(at_least_one(quota.calls_per_second))
            .allow_burst(at_least_one(quota.burst));
        Self {
            quota,
            limiter: RateLimiter::direct(rate),
            under_way: Arc::new(Semaphore::new(quota.concurrent_calls as usize)),
            writing: Arc::default(),
        }
    }

    /// Takes one call, or says when to try again.
    pub fn admit(&self) -> Result<Permit, Error> {
        if let Err(until) = self.limiter.check() {
            let wait = until.wait_time_from(governor::clock::DefaultClock::default().now());
            return Err(Error::new(Reason::QuotaExceeded, "too many calls a second")
                .with("limit_per_second", self.quota.calls_per_second.to_string())
                .retry_after(wait.max(Duration::from_millis(1))));
        }
        let permit = Arc::clone(&self.under_way).try_acquire_owned().map_err(|_| {
            Error::new(Reason::TooManyCallsAtOnce, "too many calls at once")
                .with("limit", self.quota.concurrent_calls.to_string())
                .retry_after(Duration::from_millis(100))
        })?;
        Ok(Permit(Arc::new(permit)))
    }

    /// Waits for this caller's turn to write: its writes wait here, not for connections.
    pub async fn write_turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.writing).lock_owned().await
    }
}

/// The states of all callers, by party.
#[derive(Debug, Default)]
pub struct Desks(Mutex<HashMap<String, Arc<Desk>>>);

impl Desks {
    /// The state of a party, made anew when its tier's figures changed.
    pub fn of(&self, party_id: &str, quota: Quota) -> Arc<Desk> {
        let mut desks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match desks.get(party_id) {
            Some(desk) if desk.quota == quota => Arc::clone(desk),
            _ => {
                let desk = Arc::new(Desk::new(quota));
                desks.insert(party_id.to_owned(), Arc::clone(&desk));
                desk
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_then_refusal_with_a_delay() {
        let desk = Desk::new(Quota { calls_per_second: 1, burst: 2, concurrent_calls: 10 });
        assert!(desk.admit().is_ok());
        assert!(desk.admit().is_ok());
        assert_eq!(desk.admit().unwrap_err().reason(), Reason::QuotaExceeded);
    }

    #[test]
    fn a_permit_is_freed_with_its_last_copy() {
        let desk = Desk::new(Quota { calls_per_second: 100, burst: 100, concurrent_calls: 1 });
        let first = desk.admit().unwrap();
        let copy = first.clone();
        assert_eq!(desk.admit().unwrap_err().reason(), Reason::TooManyCallsAtOnce);
        drop(first);
        assert_eq!(desk.admit().unwrap_err().reason(), Reason::TooManyCallsAtOnce);
        drop(copy);
        assert!(desk.admit().is_ok());
    }
}
