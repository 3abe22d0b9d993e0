//! The tables as they are, read with a connection of our own while no server runs.

use sqlx::FromRow;

/// What the tables hold.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub parties: Vec<PartyRow>,
    pub requests: Vec<RequestRow>,
    pub events: Vec<EventRow>,
    pub audit: Vec<AuditRow>,
    pub slots: Vec<SlotRow>,
    pub appointments: Vec<AppointmentRow>,
    pub orders: Vec<OrderRow>,
    pub addresses: Vec<AddressRow>,
    pub entries: Vec<EntryRow>,
    pub accesses: Vec<AccessRow>,
    pub work: Vec<WorkRow>,
    pub boxes: Vec<BoxRow>,
    pub lines: Vec<LineRow>,
    pub fibres: Vec<FibresRow>,
    /// Slots as they were at some moments of the run.
    pub samples: Vec<SampleRow>,
}

#[derive(Clone, Debug, FromRow)]
pub struct PartyRow {
    pub party_id: String,
    pub revision: i64,
    pub audit_length: i64,
    pub audit_head: String,
}

#[derive(Clone, Debug, FromRow)]
pub struct RequestRow {
    pub party_id: String,
    pub method: String,
    pub request_id: String,
    pub resource: String,
    pub response: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct EventRow {
    pub party_id: String,
    pub revision: i64,
    pub kind: String,
    pub resource: String,
    pub state: String,
}

#[derive(Clone, Debug, FromRow)]
pub struct AuditRow {
    pub party_id: String,
    pub position: i64,
    pub actor: String,
    pub method: String,
    pub request_id: String,
    pub resource: String,
    pub detail: String,
    pub recorded_at: i64,
    pub previous: String,
    pub hash: String,
}

#[derive(Clone, Debug, FromRow)]
pub struct SlotRow {
    pub slot_id: String,
    pub capacity: i64,
    pub booked: i64,
}

/// A slot at one moment: one statement sees one state.
#[derive(Clone, Debug, FromRow)]
pub struct SampleRow {
    pub slot_id: String,
    pub capacity: i64,
    pub booked: i64,
    /// Appointments that are held or confirmed there.
    pub alive: i64,
}

#[derive(Clone, Debug, FromRow)]
pub struct AppointmentRow {
    pub reference: String,
    pub party_id: String,
    pub state: String,
    pub slot_id: String,
    pub version: i64,
    pub revision: i64,
    /// The order that it was confirmed for; empty if none.
    pub order_ref: String,
}

#[derive(Clone, Debug, FromRow)]
pub struct OrderRow {
    pub number: String,
    pub party_id: String,
    /// `creation`, `termination`, `box_exchange`.
    #[sqlx(rename = "type")]
    pub kind: String,
    pub state: String,
    /// Empty where none is attached.
    pub appointment_ref: String,
    pub aid: String,
    pub ipv4: String,
    pub pm: String,
    pub pbo: String,
    pub pto: String,
    pub fibre_held: i64,
    pub entries: i64,
    pub version: i64,
    pub revision: i64,
}

/// A line of an order's history.
#[derive(Clone, Debug, FromRow)]
pub struct EntryRow {
    pub number: String,
    pub position: i64,
    pub kind: String,
    pub author: String,
    pub state: String,
    /// `name=value`, one a line.
    pub facts: String,
}

#[derive(Clone, Debug, FromRow)]
pub struct AccessRow {
    pub aid: String,
    /// The creation that it comes of.
    pub number: String,
    pub state: String,
    pub ipv4: String,
}

/// A piece of work.
#[derive(Clone, Debug, FromRow)]
pub struct WorkRow {
    pub work_id: String,
    pub number: String,
    pub capability: String,
    pub state: String,
    pub token: i64,
}

#[derive(Clone, Debug, FromRow)]
pub struct BoxRow {
    pub serial: String,
    pub state: String,
    pub number: String,
}

/// A socket that an order laid.
#[derive(Clone, Debug, FromRow)]
pub struct LineRow {
    pub pto: String,
    pub state: String,
}

/// Fibres of a box that orders hold.
#[derive(Clone, Debug, FromRow)]
pub struct FibresRow {
    pub pm: String,
    pub pbo: String,
    pub held: i64,
}

/// A fixed address that is in use.
#[derive(Clone, Debug, FromRow)]
pub struct AddressRow {
    pub ipv4: String,
    pub aid: String,
}

/// Reads every row from one pool, whatever its engine.
macro_rules! from {
    ($pool:expr) => {{
        let pool = $pool;
        let tables = Tables {
            parties: sqlx::query_as("SELECT party_id, revision, audit_length, audit_head FROM parties").fetch_all(&pool).await?,
            requests: sqlx::query_as("SELECT party_id, method, request_id, resource, response FROM requests")
                .fetch_all(&pool)
                .await?,
            events: sqlx::query_as("SELECT party_id, revision, kind, resource, state FROM events").fetch_all(&pool).await?,
            audit: sqlx::query_as(
                "SELECT party_id, position, actor, method, request_id, resource, detail, recorded_at, previous, hash FROM audit",
            )
            .fetch_all(&pool)
            .await?,
            slots: sqlx::query_as("SELECT slot_id, capacity, booked FROM appointments_slots").fetch_all(&pool).await?,
            appointments: sqlx::query_as(
                "SELECT reference, party_id, state, slot_id, version, revision, order_ref FROM appointments",
            )
            .fetch_all(&pool)
            .await?,
            orders: sqlx::query_as(
                "SELECT number, party_id, type, state, appointment_ref, aid, ipv4, pm, pbo, pto, fibre_held, entries, version, \
                 revision FROM orders",
            )
            .fetch_all(&pool)
            .await?,
            addresses: sqlx::query_as("SELECT ipv4, aid FROM orders_addresses WHERE released_at IS NULL")
                .fetch_all(&pool)
                .await?,
            entries: sqlx::query_as("SELECT number, position, kind, author, state, facts FROM orders_history")
                .fetch_all(&pool)
                .await?,
            accesses: sqlx::query_as("SELECT aid, number, state, ipv4 FROM orders_accesses").fetch_all(&pool).await?,
            work: sqlx::query_as("SELECT work_id, number, capability, state, token FROM orders_work")
                .fetch_all(&pool)
                .await?,
            boxes: sqlx::query_as("SELECT serial, state, number FROM orders_boxes").fetch_all(&pool).await?,
            lines: sqlx::query_as("SELECT pto, state FROM network_lines").fetch_all(&pool).await?,
            fibres: sqlx::query_as("SELECT pm, pbo, held FROM network_fibres").fetch_all(&pool).await?,
            samples: Vec::new(),
        };
        pool.close().await;
        Ok(tables)
    }};
}

/// What the database at `url` holds.
pub async fn read(url: &str) -> Result<Tables, sqlx::Error> {
    if url.starts_with("sqlite:") {
        from!(sqlx::SqlitePool::connect(url).await?)
    } else {
        from!(sqlx::PgPool::connect(url).await?)
    }
}

/// The slots as they are now, while the server runs.
pub async fn sample(url: &str) -> Result<Vec<SampleRow>, sqlx::Error> {
    const SLOTS: &str = "SELECT slot_id, capacity, booked, (SELECT COUNT(*) FROM appointments a \
                         WHERE a.slot_id = s.slot_id AND a.state IN ('held', 'confirmed')) AS alive \
                         FROM appointments_slots s";
    if url.starts_with("sqlite:") {
        let pool = sqlx::SqlitePool::connect(url).await?;
        let rows = sqlx::query_as(SLOTS).fetch_all(&pool).await?;
        pool.close().await;
        Ok(rows)
    } else {
        let pool = sqlx::PgPool::connect(url).await?;
        let rows = sqlx::query_as(SLOTS).fetch_all(&pool).await?;
        pool.close().await;
        Ok(rows)
    }
}
