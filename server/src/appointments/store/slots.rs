//! Slots and their places. A place is taken by a condition on the slot's own row, so that it is never sold twice.

use jiff::{Timestamp, civil::Date};
use sqlx::FromRow;

use crate::{appointments::rules::search::Offered, many, platform::db::Conn, sql};

/// One slot.
#[derive(Clone, Debug, FromRow)]
pub struct Slot {
    /// `<zone>-<yyyymmdd>-<hhmm>`.
    pub slot_id: String,
    /// Zone.
    pub zone_code: String,
    /// Local day.
    #[sqlx(try_from = "String")]
    pub day: Day,
    /// Local start, `HH:MM`.
    pub local_start: String,
    /// Local end, `HH:MM`.
    pub local_end: String,
    /// Places.
    pub capacity: i64,
    /// Places taken.
    pub booked: i64,
}

/// A day as stored: ISO text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub Date);

impl TryFrom<String> for Day {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, jiff::Error> {
        text.parse().map(Self)
    }
}

/// A slot as it is published.
#[derive(Clone, Debug)]
pub struct Change {
    /// `<zone>-<yyyymmdd>-<hhmm>`.
    pub slot_id: String,
    /// Local day.
    pub day: Date,
    /// Local start, `HH:MM`.
    pub local_start: String,
    /// Local end, `HH:MM`.
    pub local_end: String,
    /// Places.
    pub capacity: i64,
}

impl Offered for Slot {
    fn day(&self) -> Date {
        self.day.0
    }

    fn local_start(&self) -> &str {
        &self.local_start
    }
}

macro_rules! slots_where {
    ($rest:literal) => {
        concat!(
            "SELECT slot_id, zone_code, day, local_start, local_end, capacity, booked FROM appointments_slots WHERE ",
            $rest
        )
    };
}

/// The slot with this id.
pub async fn slot(conn: &mut Conn<'_>, slot_id: &str) -> Result<Option<Slot>, sqlx::Error> {
    sql!(optional, conn, Slot, slots_where!("slot_id = $1"), slot_id,)
}

/// Slots of a zone with room, between two days, by start.
pub async fn with_room(
    conn: &mut Conn<'_>,
    zone: &str,
    first: Date,
    last: Date,
) -> Result<Vec<Slot>, sqlx::Error> {
    sql!(
        all,
        conn,
        Slot,
        slots_where!(
            "zone_code = $1 AND day >= $2 AND day <= $3 AND booked < capacity ORDER BY day, local_start"
        ),
        zone,
        first.to_string(),
        last.to_string(),
    )
}

/// Every slot of a zone between two days.
pub async fn in_zone(
    conn: &mut Conn<'_>,
    zone: &str,
    first: Date,
    last: Date,
) -> Result<Vec<Slot>, sqlx::Error> {
    sql!(
        all,
        conn,
        Slot,
        slots_where!("zone_code = $1 AND day >= $2 AND day <= $3 ORDER BY day, local_start"),
        zone,
        first.to_string(),
        last.to_string(),
    )
}

/// Takes one place; false if there is none.
pub async fn take(conn: &mut Conn<'_>, slot_id: &str) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "UPDATE appointments_slots SET booked = booked + 1 WHERE slot_id = $1 AND booked < capacity",
        slot_id,
    )?;
    Ok(rows == 1)
}

/// Gives one place back; false if none was taken.
pub async fn free(conn: &mut Conn<'_>, slot_id: &str) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "UPDATE appointments_slots SET booked = booked - 1 WHERE slot_id = $1 AND booked > 0",
        slot_id,
    )?;
    Ok(rows == 1)
}

/// Gives many places back, so many a slot.
pub async fn free_many(conn: &mut Conn<'_>, slots: &[(String, i64)]) -> Result<u64, sqlx::Error> {
    if slots.is_empty() {
        return Ok(0);
    }
    many!(
        conn,
        "UPDATE appointments_slots SET booked = booked - freed.column2 FROM (",
        slots,
        ") AS freed WHERE slot_id = freed.column1",
        |(slot_id, places)| (slot_id, places)
    )
}

/// Publishes slots; answers how many rows took the new capacity (fewer than given: some have more bookings, or bookings
/// that end at another time).
pub async fn publish(conn: &mut Conn<'_>, zone: &str, changes: &[Change]) -> Result<u64, sqlx::Error> {
    many!(
        conn,
        "INSERT INTO appointments_slots (slot_id, zone_code, day, local_start, local_end, capacity, booked) ",
        changes,
        " ON CONFLICT (slot_id) DO UPDATE SET local_end = excluded.local_end, capacity = excluded.capacity \
         WHERE appointments_slots.booked <= excluded.capacity \
         AND (appointments_slots.booked = 0 OR appointments_slots.local_end = excluded.local_end)",
        |c| (&c.slot_id, zone, c.day.to_string(), &c.local_start, &c.local_end, c.capacity, 0_i64)
    )
}

/// Instant of a local time of day at a place.
#[must_use]
pub fn at_place(territory: eservices_reference::calendar::Territory, day: Date, local: &str) -> Timestamp {
    let (hour, minute) = local.split_once(':').unwrap_or(("0", "0"));
    let zone = jiff::tz::TimeZone::get(territory.time_zone()).unwrap_or(jiff::tz::TimeZone::UTC);
    let local = day.at(hour.parse().unwrap_or(0), minute.parse().unwrap_or(0), 0, 0);
    zone.to_timestamp(local).unwrap_or_default()
}
