//! Two clocks: machine time, never virtual, and business time, which can be moved outside production.
//!
//! Business = base + speed × (machine − anchor), never backwards. The three numbers live in one database row; this file
//! holds the copy that calls read. Knows nothing of what time is used for.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use arc_swap::ArcSwap;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use sqlx::FromRow;

/// The three numbers of business time.
#[derive(Clone, Copy, Debug, PartialEq, FromRow)]
pub struct Course {
    /// Business instant at the anchor, microseconds.
    pub base: i64,
    /// Machine instant of the anchor, microseconds.
    pub anchor: i64,
    /// Business seconds per machine second.
    pub speed: f64,
}

impl Course {
    /// Business time = machine time.
    pub const REAL: Self = Self { base: 0, anchor: 0, speed: 1.0 };

    /// Business time at a machine instant.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "a span of microseconds, rounded"
    )]
    pub fn at(&self, machine: i64) -> i64 {
        let elapsed = machine.saturating_sub(self.anchor).max(0);
        if self.speed.to_bits() == 1.0_f64.to_bits() {
            return self.base.saturating_add(elapsed);
        }
        self.base.saturating_add((elapsed as f64 * self.speed) as i64)
    }
}

/// Where machine time comes from.
#[derive(Clone, Debug)]
pub enum Machine {
    /// The operating system.
    System,
    /// A test's hand, microseconds.
    Manual(Arc<AtomicI64>),
}

/// The clocks of one server.
#[derive(Clone)]
pub struct Clock {
    machine: Machine,
    course: Arc<ArcSwap<Course>>,
    /// The latest business time that anybody was told, microseconds.
    latest: Arc<AtomicI64>,
    movable: bool,
}

impl Clock {
    /// Clocks over a source of machine time; `movable` outside production.
    #[must_use]
    pub fn new(machine: Machine, movable: bool) -> Self {
        Self {
            machine,
            course: Arc::new(ArcSwap::from_pointee(Course::REAL)),
            latest: Arc::new(AtomicI64::new(i64::MIN)),
            movable,
        }
    }

    /// Machine time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the operating system")]
    pub fn machine(&self) -> Timestamp {
        match &self.machine {
            Machine::System => Timestamp::now(),
            Machine::Manual(micros) => instant(micros.load(Ordering::Relaxed)),
        }
    }

    /// Business time; never earlier than what was answered before.
    #[must_use]
    pub fn business(&self) -> Timestamp {
        let now = self.course.load().at(self.machine().as_microsecond());
        instant(now.max(self.latest.fetch_max(now, Ordering::Relaxed)))
    }

    /// How business time runs now.
    #[must_use]
    pub fn course(&self) -> Course {
        **self.course.load()
    }

    /// Takes over what the database row says, unless a later change is known already.
    pub fn follow(&self, course: Course) {
        if self.movable {
            let age = |c: &Course| (c.anchor, c.base);
            self.course
                .rcu(|known| if age(&course) >= age(known) { Arc::new(course) } else { Arc::clone(known) });
        }
    }

    /// Whether business time can differ from machine time.
    #[must_use]
    pub const fn movable(&self) -> bool {
        self.movable
    }
}

/// The instant of a number of microseconds; out of range reads as the last or the first there is.
#[must_use]
pub fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros > 0 { Timestamp::MAX } else { Timestamp::MIN })
}

/// An instant as the contract carries it.
#[must_use]
pub fn to_wire(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() }
}

/// The day that it is in Europe/Paris.
#[must_use]
pub fn paris_day(now: Timestamp) -> Date {
    let paris = TimeZone::get("Europe/Paris").unwrap_or(TimeZone::UTC);
    paris.to_datetime(now).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn business_time_runs_from_its_base() {
        let course = Course { base: 1_000, anchor: 50, speed: 2.0 };
        assert_eq!(course.at(50), 1_000);
        assert_eq!(course.at(60), 1_020);
        assert_eq!(course.at(40), 1_000, "a machine clock that steps back does not take business time along");
    }

    #[test]
    fn production_does_not_follow() {
        let clock = Clock::new(Machine::Manual(Arc::new(AtomicI64::new(7))), false);
        clock.follow(Course { base: 99, anchor: 0, speed: 3.0 });
        assert_eq!(clock.business().as_microsecond(), 7);
    }

    #[test]
    fn the_day_turns_at_midnight_in_paris() {
        assert_eq!(paris_day("2026-06-30T21:59:59Z".parse().unwrap()).to_string(), "2026-06-30");
        assert_eq!(paris_day("2026-06-30T22:00:00Z".parse().unwrap()).to_string(), "2026-07-01");
    }
}
