//! Days counted from the day of the file, and how the files write them.
//!
//! Does not know today.

use jiff::{ToSpan as _, civil::Date};

/// How far back and ahead the generated dates reach.
const REACH: std::ops::Range<i32> = -4_000..1_000;

/// A calendar around one day.
pub(super) struct Days {
    dates: Vec<Date>,
    texts: Vec<String>,
}

impl Days {
    /// None when the calendar ends too near to that day.
    pub fn around(day: Date) -> Option<Self> {
        let dates: Option<Vec<Date>> = REACH.map(|offset| day.checked_add(offset.days()).ok()).collect();
        let dates = dates?;
        let texts = dates.iter().map(|day| day.strftime("%Y%m%d").to_string()).collect();
        Some(Self { dates, texts })
    }

    fn place(&self, offset: i32) -> usize {
        (offset.clamp(REACH.start, REACH.end - 1) - REACH.start) as usize
    }

    /// `AAAAMMJJ`; empty for no day.
    pub fn text(&self, offset: Option<i32>) -> &str {
        offset.map_or("", |offset| &self.texts[self.place(offset)])
    }

    /// The same day of the third month after, or the last one of that month.
    pub fn three_months_after(&self, offset: i32) -> i32 {
        let date = self.dates[self.place(offset)];
        let after = date.saturating_add(3.months());
        offset + self.dates[self.place(offset)..].iter().take_while(|day| **day < after).count() as i32
    }
}
