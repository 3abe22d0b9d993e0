//! When a call is sent again and how long to wait before. Knows no request, no status and no clock.

use std::{
    sync::atomic::{AtomicU32, Ordering::Relaxed},
    time::Duration,
};

/// How the client repeats a call that the server could not take.
///
/// Only UNAVAILABLE and connections that broke before an answer are repeated, only methods that the contract declares
/// safe are (a write with the same `request_id` and the same bytes), and never past the call's deadline. A delay that
/// the server names (`google.rpc.RetryInfo`) is respected.
///
/// The default is 4 attempts, 100 ms doubled up to 2 s between them, and a budget of 10 with 0.1 per success.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    attempts: u32,
    base: Duration,
    cap: Duration,
    budget: Option<(u32, u32)>,
}

/// Tokens are counted in thousandths.
const TOKEN: u32 = 1_000;

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(2),
            budget: Some((10 * TOKEN, TOKEN / 10)),
        }
    }
}

impl RetryPolicy {
    /// No call is ever repeated.
    #[must_use]
    pub fn off() -> Self {
        Self { attempts: 1, ..Self::default() }
    }

    /// How often a call is sent at most, the first time included. 0 reads as 1.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts: attempts.max(1), ..self }
    }

    /// The wait before the second attempt and the longest one: it doubles from `base` to `cap`, and a random part of
    /// up to one half is taken off, so that clients do not come back all at once.
    #[must_use]
    pub fn back_off(self, base: Duration, cap: Duration) -> Self {
        Self { base, cap, ..self }
    }

    /// How many calls the client may repeat during an outage: every repetition takes one of `tokens`, every call that
    /// the server answers gives `per_success` of one back. Without tokens a call is sent once, so that an outage is
    /// not amplified. All clones of a client share one budget.
    #[must_use]
    pub fn budget(self, tokens: u32, per_success: f32) -> Self {
        let refill = (per_success.max(0.0) * TOKEN as f32) as u32;
        Self { budget: Some((tokens.saturating_mul(TOKEN), refill)), ..self }
    }

    /// Lifts the budget: only attempts and deadline bound the repetitions.
    #[must_use]
    pub fn without_budget(self) -> Self {
        Self { budget: None, ..self }
    }

    /// True if a call that was sent `sent` times may be sent once more.
    pub(crate) const fn allows(&self, sent: u32) -> bool {
        sent < self.attempts
    }

    /// The wait before the next attempt after `sent` ones; `chance` lies between 0 and 1.
    ///
    /// The server's own delay is a lower bound, to which up to half a step is added.
    pub(crate) fn wait(&self, sent: u32, server: Option<Duration>, chance: f64) -> Duration {
        let doublings = sent.saturating_sub(1).min(31);
        let step = self.base.saturating_mul(1 << doublings).min(self.cap);
        let spread = (step / 2).mul_f64(chance.clamp(0.0, 1.0));
        server.unwrap_or(step - step / 2).saturating_add(spread)
    }

    pub(crate) fn bucket(&self) -> Bucket {
        let (capacity, refill) = self.budget.unwrap_or_default();
        Bucket { limited: self.budget.is_some(), capacity, refill, tokens: AtomicU32::new(capacity) }
    }
}

/// The retry budget: a token bucket that answered calls fill.
#[derive(Debug)]
pub(crate) struct Bucket {
    limited: bool,
    capacity: u32,
    refill: u32,
    tokens: AtomicU32,
}

impl Bucket {
    /// Takes one token; false if there is none.
    pub(crate) fn take(&self) -> bool {
        !self.limited || self.tokens.fetch_update(Relaxed, Relaxed, |t| t.checked_sub(TOKEN)).is_ok()
    }

    /// A call was answered.
    pub(crate) fn give(&self) {
        if self.limited {
            let fill = |t: u32| Some(t.saturating_add(self.refill).min(self.capacity));
            // Never an error: `fill` always has a value.
            let _ = self.tokens.fetch_update(Relaxed, Relaxed, fill);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn waits_double_up_to_the_cap_and_lose_up_to_one_half() {
        let policy = RetryPolicy::default().back_off(ms(100), ms(500));
        let longest: Vec<_> = (1..=5).map(|sent| policy.wait(sent, None, 1.0)).collect();
        assert_eq!(longest, [ms(100), ms(200), ms(400), ms(500), ms(500)]);
        let shortest: Vec<_> = (1..=5).map(|sent| policy.wait(sent, None, 0.0)).collect();
        assert_eq!(shortest, [ms(50), ms(100), ms(200), ms(250), ms(250)]);
        assert_eq!(policy.wait(u32::MAX, None, 1.0), ms(500));
    }

    #[test]
    fn the_servers_delay_is_a_lower_bound() {
        let policy = RetryPolicy::default().back_off(ms(100), ms(500));
        assert_eq!(policy.wait(1, Some(ms(3_000)), 0.0), ms(3_000));
        assert_eq!(policy.wait(1, Some(ms(3_000)), 1.0), ms(3_050));
        assert_eq!(policy.wait(1, Some(Duration::MAX), 1.0), Duration::MAX);
    }

    #[test]
    fn attempts_count_the_first_one() {
        assert!(!RetryPolicy::off().allows(1));
        assert!(!RetryPolicy::default().attempts(0).allows(1));
        let three = RetryPolicy::default().attempts(3);
        assert!(three.allows(1) && three.allows(2) && !three.allows(3));
    }

    #[test]
    fn a_budget_runs_out_and_answered_calls_fill_it() {
        let bucket = RetryPolicy::default().budget(2, 0.5).bucket();
        assert!(bucket.take() && bucket.take() && !bucket.take());
        bucket.give();
        assert!(!bucket.take(), "half a token is not enough");
        bucket.give();
        assert!(bucket.take() && !bucket.take());
        (0..100).for_each(|_| bucket.give());
        assert!(bucket.take() && bucket.take() && !bucket.take(), "never more than the capacity");
        let unlimited = RetryPolicy::default().without_budget().bucket();
        assert!((0..1_000).all(|_| unlimited.take()));
    }
}
