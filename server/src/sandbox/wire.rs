//! proto → typed values for `SandboxService`.

use std::time::Duration;

use eservices::sandbox::v1::advance_clock_request::Target;
use jiff::Timestamp;

use crate::platform::error::Violations;

/// The farthest jump, seconds.
const FARTHEST: u64 = 400 * 86_400;

/// Where the clock is to go.
#[derive(Clone, Copy, Debug)]
pub enum Jump {
    /// This much further.
    By(Duration),
    /// To this instant.
    To(Timestamp),
}

/// A jump of the clock.
pub fn jump(found: Option<Target>, now: Timestamp, violations: &mut Violations) -> Option<Jump> {
    match found {
        None => {
            violations.push("target", "expected by or to");
            None
        }
        Some(Target::By(by)) => {
            let by = Duration::try_from(by).ok().filter(|d| !d.is_zero() && d.as_secs() <= FARTHEST);
            if by.is_none() {
                violations.push("by", "expected more than zero, 400 days at most");
            }
            by.map(Jump::By)
        }
        Some(Target::To(to)) => {
            let to = Timestamp::new(to.seconds, to.nanos).ok().filter(|to| {
                let ahead = to.duration_since(now).as_secs();
                u64::try_from(ahead).unwrap_or(0) <= FARTHEST
            });
            if to.is_none() {
                violations.push("to", "expected an instant, 400 days ahead at most");
            }
            to.map(Jump::To)
        }
    }
}

/// A speed of the clock.
pub fn speed(found: f64, violations: &mut Violations) -> f64 {
    if !(0.0..=86_400.0).contains(&found) {
        violations.push("speed", "expected 0 to 86,400");
    }
    found
}
