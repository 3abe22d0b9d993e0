//! What a worker needs to know of the work that it has: read on the way out, never stored with an answer.

use sqlx::FromRow;

use super::Contact;
use crate::{
    appointments::store::{Day, Slot},
    orders::rules::{State, Type, work::Capability},
    platform::db::Conn,
};

/// Work that is leased, with its order as it is now.
#[derive(FromRow)]
pub struct Details {
    /// Id.
    pub work_id: String,
    /// Fencing token.
    pub token: i64,
    /// End of the lease, machine time, microseconds.
    pub lease_until: i64,
    /// Kind.
    #[sqlx(try_from = "String")]
    pub capability: Capability,
    /// Box that is to come back.
    pub return_serial: String,
    /// Box that was sent.
    pub sent_serial: String,
    /// Order.
    pub number: String,
    /// What the order is about.
    #[sqlx(try_from = "String")]
    pub kind: Type,
    /// How far it is.
    #[sqlx(try_from = "String")]
    pub state: State,
    /// Offer.
    pub offer_code: String,
    /// Access.
    pub aid: String,
    /// Building.
    pub imb: String,
    /// Sharing point.
    pub pm: String,
    /// Branching box.
    pub pbo: String,
    /// Socket.
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
    /// How the simulator plays it.
    pub scenario: String,
    /// The operator as its end customers know it: its own name where it has no brand.
    pub brand_name: String,
    /// Telephone of its support.
    pub brand_phone: String,
    /// Sender of its messages.
    pub brand_sender: String,
    /// Who lives there; empty names once erased.
    #[sqlx(flatten)]
    pub contact: Contact,
    slot_id: String,
    slot_zone: String,
    slot_day: String,
    slot_start: String,
    slot_end: String,
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Details {{ work_id: {}, .. }}", self.work_id)
    }
}

impl Details {
    /// When the end customer awaits the technician, if an appointment is attached.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        let day = Day::try_from(self.slot_day.clone()).ok()?;
        Some(Slot {
            slot_id: self.slot_id.clone(),
            zone_code: self.slot_zone.clone(),
            day,
            local_start: self.slot_start.clone(),
            local_end: self.slot_end.clone(),
            capacity: 0,
            booked: 0,
        })
    }
}

const SELECT: &str = "SELECT w.work_id, w.token, w.lease_until, w.capability, w.box_serial AS return_serial, o.box_serial AS sent_serial, o.number, \
    o.type AS kind, o.state, o.offer_code, o.aid, o.imb, o.pm, o.pbo, o.pto, o.batiment, o.escalier, o.etage, \
    o.number_in_street, o.street, o.postcode, o.commune, o.commune_code, o.scenario, \
    p.brand_name, p.brand_phone, \
    p.brand_sender, COALESCE(c.last_name, '') AS last_name, COALESCE(c.first_name, '') AS first_name, \
    COALESCE(c.phone, '') AS phone, COALESCE(c.other_phone, '') AS other_phone, \
    COALESCE(c.box_number, '') AS box_number, COALESCE(c.box_street, '') AS box_street, \
    COALESCE(c.box_complement, '') AS box_complement, COALESCE(c.box_postcode, '') AS box_postcode, \
    COALESCE(c.box_commune, '') AS box_commune, COALESCE(a.slot_id, '') AS slot_id, \
    COALESCE(a.zone_code, '') AS slot_zone, COALESCE(a.slot_day, '') AS slot_day, \
    COALESCE(a.slot_start, '') AS slot_start, COALESCE(a.slot_end, '') AS slot_end \
    FROM orders_work w JOIN orders o ON o.number = w.number JOIN parties p ON p.party_id = o.party_id \
    LEFT JOIN orders_contacts c ON c.number = o.number LEFT JOIN appointments a ON a.reference = o.appointment_ref \
    WHERE w.state = 'leased' AND w.lease_owner = ";

macro_rules! among {
    ($engine:ty, $conn:expr, $party:expr, $ids:expr) => {{
        let mut query = sqlx::QueryBuilder::<$engine>::new(SELECT);
        query.push_bind($party).push(" AND w.work_id IN (");
        let mut list = query.separated(", ");
        for id in $ids {
            list.push_bind(id);
        }
        query.push(")").build_query_as::<Details>().fetch_all(&mut **$conn).await
    }};
}

/// The work among `ids` that the party has now.
pub async fn details(conn: &mut Conn<'_>, party: &str, ids: &[&str]) -> Result<Vec<Details>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    match conn {
        Conn::Sqlite(c) => among!(sqlx::Sqlite, c, party, ids),
        Conn::Postgres(c) => among!(sqlx::Postgres, c, party, ids),
    }
}
