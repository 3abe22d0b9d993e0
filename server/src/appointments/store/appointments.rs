//! Appointments of one operator; the sweeper and the back office have functions of their own.

use eservices_reference::{calendar::Territory, ids::Insee};
use jiff::{Timestamp, civil::Date};
use sqlx::FromRow;

use super::slots::Day;
use crate::{
    appointments::rules::{State, VisitType},
    many,
    platform::{clock::instant, db::Conn},
    sql,
};

/// One appointment.
#[derive(Clone, Debug, FromRow)]
pub struct Appointment {
    /// Reference.
    pub reference: String,
    /// Owner.
    pub party_id: String,
    /// State as stored; see [`Appointment::state_at`].
    #[sqlx(try_from = "String")]
    pub state: State,
    /// Code of the product nature.
    pub product_nature: String,
    /// Code of the operation.
    pub operation: String,
    /// Type of visit.
    #[sqlx(try_from = "String")]
    pub appointment_type: VisitType,
    /// Copper pairs.
    pub pair_count: i64,
    /// Access id; empty for the natures without.
    pub access_id: String,
    /// INSEE code of the commune.
    pub commune_code: String,
    /// Rivoli code; empty if the building's is unknown.
    pub street_code: String,
    /// Number in the street; may be empty.
    pub street_number: String,
    /// Building, if the place was named by it; empty otherwise.
    pub imb: String,
    /// Zone.
    pub zone_code: String,
    /// Slot.
    pub slot_id: String,
    /// Local day of the slot.
    #[sqlx(try_from = "String")]
    pub slot_day: Day,
    /// Local start of the slot.
    pub slot_start: String,
    /// Local end of the slot.
    pub slot_end: String,
    /// End of the hold, business time, microseconds.
    pub expires_at: i64,
    /// Changes so far.
    pub changes: i64,
    /// Changes allowed.
    pub max_changes: i64,
    /// Version, the etag.
    pub version: i64,
    /// Owner's revision of the last change.
    pub revision: i64,
    /// Order that confirmed it; empty before.
    pub order_ref: String,
    /// First held, business time, microseconds.
    pub created_at: i64,
    /// Last changed, business time, microseconds.
    pub updated_at: i64,
}

/// A hold whose time is over.
#[derive(Clone, Debug, FromRow)]
pub struct Due {
    /// Reference.
    pub reference: String,
    /// Owner.
    pub party_id: String,
}

/// A hold that is not due.
#[derive(Clone, Debug, FromRow)]
pub struct Alive {
    /// Reference.
    pub reference: String,
    /// Slot.
    pub slot_id: String,
    /// Product nature.
    pub product_nature: String,
}

/// A booking with the operator that has it.
#[derive(Debug, FromRow)]
pub struct ZoneBooking {
    /// SIREN of the operator.
    pub operator_siren: String,
    /// The appointment.
    #[sqlx(flatten)]
    pub appointment: Appointment,
}

/// What a list is narrowed to.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Stored names of states, `,held,confirmed,`; empty: all.
    pub states: String,
    /// Natures, `,FTTH,JUST_FIBRE,`.
    pub natures: String,
    /// First day, ISO; empty: no bound.
    pub first_day: String,
    /// Last day, ISO; empty: no bound.
    pub last_day: String,
    /// Where the page before ended: creation instant and reference.
    pub after: Option<(i64, String)>,
}

impl Appointment {
    /// The state that the rules see.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> State {
        self.state.at(instant(self.expires_at), now)
    }

    /// The territory of the place.
    #[must_use]
    pub fn territory(&self) -> Territory {
        Insee::parse(&self.commune_code).map_or(Territory::Metropole, |insee| Territory::of_insee(&insee))
    }

    /// The etag.
    #[must_use]
    pub fn etag(&self) -> String {
        self.version.to_string()
    }
}

macro_rules! columns {
    () => {
        "a.reference, a.party_id, a.state, a.product_nature, a.operation, a.appointment_type, a.pair_count, a.access_id, \
         a.commune_code, a.street_code, a.street_number, a.imb, a.zone_code, a.slot_id, a.slot_day, a.slot_start, \
         a.slot_end, a.expires_at, a.changes, a.max_changes, a.version, a.revision, a.order_ref, a.created_at, a.updated_at"
    };
}

/// One appointment of one operator.
pub async fn find(
    conn: &mut Conn<'_>,
    party: &str,
    reference: &str,
) -> Result<Option<Appointment>, sqlx::Error> {
    sql!(
        optional,
        conn,
        Appointment,
        concat!("SELECT ", columns!(), " FROM appointments a WHERE a.reference = $1 AND a.party_id = $2"),
        reference,
        party,
    )
}

/// One appointment with who booked it, whoever that is: for the back office.
pub async fn find_any(conn: &mut Conn<'_>, reference: &str) -> Result<Option<ZoneBooking>, sqlx::Error> {
    const TEXT: &str = concat!(
        "SELECT p.code AS operator_siren, ",
        columns!(),
        " FROM appointments a JOIN parties p ON p.party_id = a.party_id WHERE a.reference = $1"
    );
    sql!(optional, conn, ZoneBooking, TEXT, reference)
}

/// Stores a new appointment.
pub async fn insert(conn: &mut Conn<'_>, a: &Appointment) -> Result<(), sqlx::Error> {
    sql!(
        execute,
        conn,
        "INSERT INTO appointments (reference, party_id, state, product_nature, operation, appointment_type, pair_count, \
         access_id, commune_code, street_code, street_number, imb, zone_code, slot_id, slot_day, slot_start, slot_end, \
         expires_at, changes, max_changes, version, revision, order_ref, created_at, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
         $23, $24, $25)",
        &a.reference,
        &a.party_id,
        a.state.as_str(),
        &a.product_nature,
        &a.operation,
        a.appointment_type.as_str(),
        a.pair_count,
        &a.access_id,
        &a.commune_code,
        &a.street_code,
        &a.street_number,
        &a.imb,
        &a.zone_code,
        &a.slot_id,
        a.slot_day.0.to_string(),
        &a.slot_start,
        &a.slot_end,
        a.expires_at,
        a.changes,
        a.max_changes,
        a.version,
        a.revision,
        &a.order_ref,
        a.created_at,
        a.updated_at,
    )?;
    Ok(())
}

/// Moves an appointment that is still what the caller decided on; false if it is not.
pub async fn move_to_slot(
    conn: &mut Conn<'_>,
    a: &Appointment,
    version: i64,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "UPDATE appointments SET slot_id = $4, slot_day = $5, slot_start = $6, slot_end = $7, changes = $8, version = $9, \
         revision = $10, updated_at = $11, zone_code = $12 \
         WHERE reference = $1 AND party_id = $2 AND version = $3 \
         AND (state = 'confirmed' OR (state = 'held' AND expires_at > $11))",
        &a.reference,
        &a.party_id,
        version,
        &a.slot_id,
        a.slot_day.0.to_string(),
        &a.slot_start,
        &a.slot_end,
        a.changes,
        a.version,
        a.revision,
        now,
        &a.zone_code,
    )?;
    Ok(rows == 1)
}

/// Confirms or cancels an appointment that is still what the caller decided on; false if it is not.
pub async fn set_state(
    conn: &mut Conn<'_>,
    a: &Appointment,
    version: i64,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "UPDATE appointments SET state = $4, version = $5, revision = $6, order_ref = $7, updated_at = $8 \
         WHERE reference = $1 AND party_id = $2 AND version = $3 \
         AND (state = 'confirmed' OR (state = 'held' AND expires_at > $8))",
        &a.reference,
        &a.party_id,
        version,
        a.state.as_str(),
        a.version,
        a.revision,
        &a.order_ref,
        now,
    )?;
    Ok(rows == 1)
}

/// Lets a due hold lapse; false if it is not held or not due.
pub async fn lapse(
    conn: &mut Conn<'_>,
    a: &Appointment,
    revision: i64,
    now: i64,
) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "UPDATE appointments SET state = 'lapsed', version = version + 1, revision = $2, updated_at = $3 \
         WHERE reference = $1 AND state = 'held' AND expires_at <= $3",
        &a.reference,
        revision,
        now,
    )?;
    Ok(rows == 1)
}

/// The appointments of one operator that are held and not due, oldest first.
pub async fn alive(conn: &mut Conn<'_>, party: &str, now: i64) -> Result<Vec<Alive>, sqlx::Error> {
    sql!(
        all,
        conn,
        Alive,
        "SELECT reference, slot_id, product_nature FROM appointments WHERE party_id = $1 \
         AND state = 'held' AND expires_at > $2 ORDER BY created_at, reference",
        party,
        now,
    )
}

/// Cancels appointments of one operator, each under its own revision; answers how many were held.
pub async fn cancel_all(conn: &mut Conn<'_>, rows: &[(String, i64)], now: i64) -> Result<u64, sqlx::Error> {
    many!(
        conn,
        "UPDATE appointments SET state = 'cancelled', version = version + 1, revision = done.column2, \
         updated_at = done.column3 FROM (",
        rows,
        ") AS done WHERE reference = done.column1 AND state = 'held'",
        |(reference, revision)| (reference, revision, now)
    )
}

/// Holds whose time is over, oldest first, a hundred at most.
pub async fn due(conn: &mut Conn<'_>, now: i64) -> Result<Vec<Due>, sqlx::Error> {
    sql!(
        all,
        conn,
        Due,
        "SELECT reference, party_id FROM appointments WHERE state = 'held' AND expires_at <= $1 \
         ORDER BY expires_at, reference LIMIT 100",
        now,
    )
}

/// Holds on one slot whose time is over, a hundred at most.
pub async fn due_in_slot(conn: &mut Conn<'_>, slot_id: &str, now: i64) -> Result<Vec<Due>, sqlx::Error> {
    sql!(
        all,
        conn,
        Due,
        "SELECT reference, party_id FROM appointments WHERE slot_id = $1 AND state = 'held' AND expires_at <= $2 \
         ORDER BY expires_at, reference LIMIT 100",
        slot_id,
        now,
    )
}

/// A page of one operator's appointments, newest first.
pub async fn list(
    conn: &mut Conn<'_>,
    party: &str,
    filter: &Filter,
    now: i64,
    limit: i64,
) -> Result<Vec<Appointment>, sqlx::Error> {
    let (before, reference) = filter.after.clone().unwrap_or((i64::MAX, String::new()));
    sql!(
        all,
        conn,
        Appointment,
        concat!(
            "SELECT ",
            columns!(),
            " FROM appointments a WHERE a.party_id = $1 \
             AND ($2 = '' OR $2 LIKE '%,' || CASE WHEN a.state = 'held' AND a.expires_at <= $3 THEN 'lapsed' ELSE a.state END || ',%') \
             AND $4 LIKE '%,' || a.product_nature || ',%' \
             AND ($5 = '' OR a.slot_day >= $5) AND ($6 = '' OR a.slot_day <= $6) \
             AND (a.created_at < $7 OR (a.created_at = $7 AND a.reference > $8)) \
             ORDER BY a.created_at DESC, a.reference LIMIT $9"
        ),
        party,
        &filter.states,
        now,
        &filter.natures,
        &filter.first_day,
        &filter.last_day,
        before,
        &reference,
        limit,
    )
}

/// A page of what is booked in a zone on a day, whoever booked: for the back office.
pub async fn list_zone_day(
    conn: &mut Conn<'_>,
    zone: &str,
    day: Date,
    after: (&str, &str),
    now: i64,
    limit: i64,
) -> Result<Vec<ZoneBooking>, sqlx::Error> {
    sql!(
        all,
        conn,
        ZoneBooking,
        concat!(
            "SELECT p.code AS operator_siren, ",
            columns!(),
            " FROM appointments a JOIN parties p ON p.party_id = a.party_id \
             WHERE a.zone_code = $1 AND a.slot_day = $2 AND (a.state = 'confirmed' OR (a.state = 'held' AND a.expires_at > $3)) \
             AND (a.slot_start > $4 OR (a.slot_start = $4 AND a.reference > $5)) \
             ORDER BY a.slot_start, a.reference LIMIT $6"
        ),
        zone,
        day.to_string(),
        now,
        after.0,
        after.1,
        limit,
    )
}
