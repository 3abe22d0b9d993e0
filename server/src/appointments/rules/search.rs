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

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::appointments::rules::CATALOGUE;

    #[derive(Clone, Debug, PartialEq)]
    struct Plain(Date, String);

    impl Offered for Plain {
        fn day(&self) -> Date {
            self.0
        }

        fn local_start(&self) -> &str {
            &self.1
        }
    }

    fn just_fibre() -> &'static Nature {
        CATALOGUE.nature("JUST_FIBRE").unwrap()
    }

    #[test]
    fn the_window_of_the_slide() {
        // INTEROP-FACTS §7: J = 17 June 2019, calendar days.
        assert_eq!(window(just_fibre(), date(2019, 6, 17)), (date(2019, 6, 25), date(2019, 7, 13)));
    }

    #[test]
    fn holidays_are_those_of_the_place() {
        // 26 December is a holiday in Alsace-Moselle and nowhere else in mainland France; 2026-12-26 is a Saturday.
        let today = date(2026, 12, 10);
        assert!(is_bookable(just_fibre(), today, Territory::Metropole, date(2026, 12, 26)));
        assert!(!is_bookable(just_fibre(), today, Territory::AlsaceMoselle, date(2026, 12, 26)));
        assert!(!is_bookable(just_fibre(), today, Territory::Metropole, date(2026, 12, 25)), "Christmas");
        assert!(!is_bookable(just_fibre(), today, Territory::Metropole, date(2026, 12, 27)), "a Sunday");
    }

    #[test]
    fn preferred_day_and_moment_come_first() {
        let slot = |day, start: &str| Plain(date(2026, 12, day), start.to_owned());
        let mut slots =
            vec![slot(3, "08:00"), slot(3, "13:00"), slot(4, "08:00"), slot(4, "13:00"), slot(7, "13:00")];
        rank(&mut slots, Some(date(2026, 12, 4)), Some(Moment::Afternoon));
        let order =
            [slot(4, "13:00"), slot(4, "08:00"), slot(3, "13:00"), slot(7, "13:00"), slot(3, "08:00")];
        assert_eq!(slots, order);
        rank(&mut slots, None, None);
        let order =
            [slot(3, "08:00"), slot(3, "13:00"), slot(4, "08:00"), slot(4, "13:00"), slot(7, "13:00")];
        assert_eq!(slots, order);
    }

    #[test]
    fn the_next_day_with_room_is_after_or_else_before() {
        let d = |day| date(2026, 12, day);
        assert_eq!(next_day_with_room([d(3), d(9), d(12)], d(4), d(8)), Some(d(9)));
        assert_eq!(next_day_with_room([d(3), d(2)], d(4), d(8)), Some(d(2)));
        assert_eq!(next_day_with_room([d(5)], d(4), d(8)), None, "room inside is no next day");
        assert_eq!(next_day_with_room([], d(4), d(8)), None);
    }

    proptest! {
        /// Nothing outside [J+8 ; J+26], no Sunday, and never fewer than 12 working days inside: whatever the day.
        #[test]
        fn bookable_days_lie_in_the_window(offset in 0_i64..4_000) {
            let today = date(2020, 1, 1).saturating_add(offset.days());
            let mut bookable = 0;
            for n in -5_i64..60 {
                let day = today.saturating_add(n.days());
                if is_bookable(just_fibre(), today, Territory::Metropole, day) {
                    bookable += 1;
                    prop_assert!((8..=26).contains(&n), "J+{n}");
                    prop_assert_ne!(day.weekday(), jiff::civil::Weekday::Sunday);
                }
            }
            prop_assert!((12..=17).contains(&bookable), "{bookable}");
        }

        /// Ranking loses and adds nothing, and never puts a slot before one that fits better.
        #[test]
        fn ranking_is_a_sorted_permutation(
            picks in proptest::collection::vec((0_i64..19, 0_usize..4), 0..40),
            preferred in 0_i64..19,
            afternoon in any::<bool>(),
        ) {
            const STARTS: [&str; 4] = ["08:00", "10:00", "12:00", "15:30"];
            let first = date(2026, 12, 2);
            let given: Vec<Plain> =
                picks.iter().map(|(d, s)| Plain(first.saturating_add(d.days()), STARTS[*s].to_owned())).collect();
            let day = first.saturating_add(preferred.days());
            let moment = if afternoon { Moment::Afternoon } else { Moment::Morning };
            let mut ranked = given.clone();
            rank(&mut ranked, Some(day), Some(moment));
            let mut left = given;
            for slot in &ranked {
                let at = left.iter().position(|other| other == slot);
                prop_assert!(at.is_some());
                left.remove(at.unwrap());
            }
            prop_assert!(left.is_empty());
            let fits = |s: &Plain| (s.0 != day, s.moment() != moment);
            for pair in ranked.windows(2) {
                prop_assert!(fits(&pair[0]) <= fits(&pair[1]), "{pair:?}");
                if fits(&pair[0]) == fits(&pair[1]) {
                    let away = |s: &Plain| s.0.duration_since(day).as_hours().abs();
                    prop_assert!(away(&pair[0]) <= away(&pair[1]), "{pair:?}");
                }
            }
        }
    }
}
