//! Orders: read and written whole. The operator's queries are bound to the operator.

use jiff::civil::Date;
use sqlx::FromRow;

use crate::{
    appointments::rules::VisitType,
    orders::rules::{State, Type},
    platform::db::Conn,
    sql,
};

/// One order.
#[derive(Clone, Debug, FromRow)]
pub struct Order {
    /// Number.
    pub number: String,
    /// Owner.
    pub party_id: String,
    /// What it is about.
    #[sqlx(rename = "type", try_from = "String")]
    pub kind: Type,
    /// How far it is.
    #[sqlx(try_from = "String")]
    pub state: State,
    /// The operator's own reference.
    pub operator_reference: String,
    /// Code of the offer.
    pub offer_code: String,
    /// The e-service that opens the offer.
    pub e_service: String,
    /// Product nature of the offer.
    pub product_nature: String,
    /// Service id.
    pub via: String,
    /// Access id.
    pub aid: String,
    /// Fixed address of the access.
    pub ipv4: String,
    /// Appointment that is attached; empty if none.
    pub appointment_ref: String,
    /// Type of visit that the installation needs.
    #[sqlx(try_from = "String")]
    pub appointment_type: VisitType,
    /// Building.
    pub imb: String,
    /// Sharing point.
    pub pm: String,
    /// Box; empty if not known.
    pub pbo: String,
    /// Socket; empty until one is laid.
    pub pto: String,
    /// Building at the address.
    pub batiment: String,
    /// Staircase.
    pub escalier: String,
    /// Floor.
    pub etage: String,
    /// Number of the installation address.
    pub number_in_street: String,
    /// Its street.
    pub street: String,
    /// Its postcode.
    pub postcode: String,
    /// Its commune.
    pub commune: String,
    /// INSEE code of that.
    pub commune_code: String,
    /// Rivoli code of the street; empty if not known.
    pub street_code: String,
    /// Whether it holds a fibre of the box.
    pub fibre_held: i64,
    /// Parcel of the box; empty until shipped.
    pub parcel_number: String,
    /// Serial of the box; empty until shipped.
    pub box_serial: String,
    /// Why it failed, or why an appointment is to be retaken.
    pub failure_code: String,
    /// Last day for a new appointment; empty unless one is wanted.
    pub retake_until: String,
    /// Release that the checks were made on.
    pub release: String,
    /// How the simulator plays it.
    pub scenario: String,
    /// Entries of its history.
    pub entries: i64,
    /// Version, the etag.
    pub version: i64,
    /// Owner's revision of the last change.
    pub revision: i64,
    /// Accepted, business time, microseconds.
    pub created_at: i64,
    /// Last changed, business time, microseconds.
    pub updated_at: i64,
}

/// What a list is narrowed to.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Types, `,creation,`; empty: all.
    pub types: String,
    /// States, `,failed,`; empty: all.
    pub states: String,
    /// E-services that the caller holds, `,e-just-fibre,`.
    pub e_services: String,
    /// The operator's own reference; empty: any.
    pub operator_reference: String,
    /// Access id; empty: any.
    pub aid: String,
    /// Accepted from this instant on.
    pub from: i64,
    /// Accepted before this instant.
    pub before: i64,
    /// Where the page before ended: creation instant and number.
    pub after: Option<(i64, String)>,
}

/// How many orders are in a state.
#[derive(Clone, Debug, FromRow)]
pub struct Count {
    /// What they are about.
    #[sqlx(rename = "type", try_from = "String")]
    pub kind: Type,
    /// How far they are.
    #[sqlx(try_from = "String")]
    pub state: State,
    /// How many.
    pub orders: i64,
}

#[derive(FromRow)]
struct Number {
    number: String,
}

impl Order {
    /// The version as callers carry it.
    #[must_use]
    pub fn etag(&self) -> String {
        self.version.to_string()
    }

    /// Whether the days for a new appointment are over, business day.
    #[must_use]
    pub fn is_overdue(&self, today: Date) -> bool {
        self.state == State::AppointmentToRetake && self.retake_until < today.to_string()
    }

    /// The name that events and audit lines carry.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("orders/{}", self.number)
    }
}

macro_rules! columns {
    () => {
        "number, party_id, type, state, operator_reference, offer_code, e_service, product_nature, via, aid, ipv4, appointment_ref, \
         appointment_type, imb, pm, pbo, pto, batiment, escalier, etage, number_in_street, street, postcode, commune, \
         commune_code, street_code, fibre_held, parcel_number, box_serial, failure_code, retake_until, release, scenario, \
         entries, version, revision, created_at, updated_at"
    };
}

/// One order of one operator.
pub async fn find(conn: &mut Conn<'_>, party: &str, number: &str) -> Result<Option<Order>, sqlx::Error> {
    const TEXT: &str = concat!("SELECT ", columns!(), " FROM orders WHERE number = $1 AND party_id = $2");
    sql!(optional, conn, Order, TEXT, number, party)
}

/// One order, whoever owns it: for what the field reports.
pub async fn find_any(conn: &mut Conn<'_>, number: &str) -> Result<Option<Order>, sqlx::Error> {
    const TEXT: &str = concat!("SELECT ", columns!(), " FROM orders WHERE number = $1");
    sql!(optional, conn, Order, TEXT, number)
}

/// The number of the operator's order with that reference of its own.
pub async fn number_of(
    conn: &mut Conn<'_>,
    party: &str,
    operator_reference: &str,
) -> Result<Option<String>, sqlx::Error> {
    const TEXT: &str = "SELECT number FROM orders WHERE party_id = $1 AND operator_reference = $2";
    let found = sql!(optional, conn, Number, TEXT, party, operator_reference)?;
    Ok(found.map(|row| row.number))
}

/// Stores a new order; false where its number is taken.
pub async fn insert(conn: &mut Conn<'_>, o: &Order) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        concat!(
            "INSERT INTO orders (",
            columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, \
             $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38) ON CONFLICT (number) DO NOTHING"
        ),
        &o.number,
        &o.party_id,
        o.kind.as_str(),
        o.state.as_str(),
        &o.operator_reference,
        &o.offer_code,
        &o.e_service,
        &o.product_nature,
        &o.via,
        &o.aid,
        &o.ipv4,
        &o.appointment_ref,
        o.appointment_type.as_str(),
        &o.imb,
        &o.pm,
        &o.pbo,
        &o.pto,
        &o.batiment,
        &o.escalier,
        &o.etage,
        &o.number_in_street,
        &o.street,
        &o.postcode,
        &o.commune,
        &o.commune_code,
        &o.street_code,
        o.fibre_held,
        &o.parcel_number,
        &o.box_serial,
        &o.failure_code,
        &o.retake_until,
        &o.release,
        &o.scenario,
        o.entries,
        o.version,
        o.revision,
        o.created_at,
        o.updated_at,
    )?;
    Ok(rows == 1)
}

/// Stores what can change of an order that is still what was decided on; false if it is not.
pub async fn update(conn: &mut Conn<'_>, o: &Order, version: i64) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "UPDATE orders SET state = $3, appointment_ref = $4, pto = $5, fibre_held = $6, parcel_number = $7, \
         box_serial = $8, failure_code = $9, retake_until = $10, entries = $11, version = $12, revision = $13, \
         updated_at = $14 WHERE number = $1 AND version = $2",
        &o.number,
        version,
        o.state.as_str(),
        &o.appointment_ref,
        &o.pto,
        o.fibre_held,
        &o.parcel_number,
        &o.box_serial,
        &o.failure_code,
        &o.retake_until,
        o.entries,
        o.version,
        o.revision,
        o.updated_at,
    )?;
    Ok(rows == 1)
}

/// A page of one operator's orders, newest first.
pub async fn list(
    conn: &mut Conn<'_>,
    party: &str,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Order>, sqlx::Error> {
    // One bound, from which the index is walked: the request's, or where the page before ended.
    let (at, number) = match &filter.after {
        Some((at, number)) => (*at, number.as_str()),
        None => (filter.before.saturating_sub(1), ""),
    };
    sql!(
        all,
        conn,
        Order,
        concat!(
            "SELECT ",
            columns!(),
            " FROM orders WHERE party_id = $1 AND ($2 = '' OR $2 LIKE '%,' || type || ',%') \
             AND ($3 = '' OR $3 LIKE '%,' || state || ',%') AND $4 LIKE '%,' || e_service || ',%' \
             AND ($5 = '' OR operator_reference = $5) AND ($6 = '' OR aid = $6) AND created_at >= $7 \
             AND created_at <= $8 AND (created_at < $8 OR number > $9) ORDER BY created_at DESC, number LIMIT $10"
        ),
        party,
        &filter.types,
        &filter.states,
        &filter.e_services,
        &filter.operator_reference,
        &filter.aid,
        filter.from,
        at,
        number,
        limit,
    )
}

/// One operator's orders by type and state.
pub async fn count(conn: &mut Conn<'_>, party: &str, e_services: &str) -> Result<Vec<Count>, sqlx::Error> {
    sql!(
        all,
        conn,
        Count,
        "SELECT type, state, COUNT(*) AS orders FROM orders WHERE party_id = $1 AND $2 LIKE '%,' || e_service || ',%' \
         GROUP BY type, state",
        party,
        e_services,
    )
}

/// An order whose days for a new appointment are over.
#[derive(Clone, Debug, FromRow)]
pub struct Overdue {
    /// Number.
    pub number: String,
    /// Owner.
    pub party_id: String,
}

/// Orders whose days for a new appointment are over, a hundred at most.
pub async fn overdue(conn: &mut Conn<'_>, today: Date) -> Result<Vec<Overdue>, sqlx::Error> {
    const TEXT: &str = "SELECT number, party_id FROM orders WHERE retake_until <> '' AND retake_until < $1 \
                        AND state = 'appointment_to_retake' ORDER BY retake_until, number LIMIT 100";
    sql!(all, conn, Overdue, TEXT, today.to_string())
}
