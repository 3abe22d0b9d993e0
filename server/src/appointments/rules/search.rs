//! Which slots may be offered, and in which order.

use eservices_reference::calendar::{Territory, is_working_day};
use jiff::{ToSpan as _, civil::Date};

use super::Nature;

/// Half a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Starts before noon.
    Morning,
    /// Starts at noon or later.
    Afternoon,
}

/// What ranking looks at.
pub trait Offered {
    /// Local day.
    fn day(&self) -> Date;
    /// Local start, `HH:MM`.
    fn local_start(&self) -> &str;

    /// Half day that it starts in.
    fn moment(&self) -> Moment {
        if self.local_start() < "12:00" { Moment::Morning } else { Moment::Afternoon }
    }
}

/// The bookable days of a nature, both included, counted in calendar days from today (Europe/Paris).
#[must_use]
pub fn window(nature: &Nature, today: Date) -> (Date, Date) {
    let after = |days: u32| today.saturating_add(i64::from(days).days());
    (after(nature.window_first), after(nature.window_last))
}

/// Whether a day can be booked: inside the window, and a working day of the place.
#[must_use]
pub fn is_bookable(nature: &Nature, today: Date, territory: Territory, day: Date) -> bool {
    let (first, last) = window(nature, today);
    (first..=last).contains(&day) && is_working_day(territory, day)
}

/// Sorts slots: preferred day and moment, then preferred day, then preferred moment, then the rest; inside a rank by the
/// distance to the preferred day (to the earliest without one), then by start.
pub fn rank<S: Offered>(slots: &mut [S], preferred_day: Option<Date>, preferred_moment: Option<Moment>) {
    let origin = preferred_day.unwrap_or(Date::MIN);
    slots.sort_by(|a, b| {
        let key = |slot: &S| {
            let on_day = preferred_day == Some(slot.day());
            let in_moment = preferred_moment.is_none_or(|m| m == slot.moment());
            let rank = match (on_day, in_moment) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            (rank, distance(origin, slot.day()), slot.day())
        };
        key(a).cmp(&key(b)).then_with(|| a.local_start().cmp(b.local_start()))
    });
}

/// The first day with room after `last`, or else the first one before `first`.
pub fn next_day_with_room(days: impl IntoIterator<Item = Date>, first: Date, last: Date) -> Option<Date> {
    let (mut after, mut before) = (None, None);
    for day in days {
        let slot = if day > last {
            &mut after
        } else if day < first {
            &mut before
        } else {
            continue;
        };
        *slot = Some(slot.map_or(day, |known: Date| known.min(day)));
    }
    after.or(before)
}

fn distance(a: Date, b: Date) -> i64 {
    (b.duration_since(a).as_hours() / 24).abs()
}
