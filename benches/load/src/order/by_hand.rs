//! The yardstick: what a `CreateOrder` leaves, written by hand. One transaction with as few statements as its rows need, no
//! checks, straight through the driver on a database of the same settings.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU64, Ordering},
};

use eservices_server::{
    many,
    platform::{
        audit::hex,
        clock::Clock,
        db::{Conn, Db},
        ids::Ids,
    },
    sql,
};
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use super::{PBO, PM, POOL, POOL_BASE};
use crate::{Failure, stage::IMB};

/// Who orders by hand.
pub struct ByHand {
    /// Where it is written.
    pub db: Db,
    /// Instants of the rows.
    pub clock: Clock,
    /// Numbers of the rows.
    pub ids: Ids,
    /// The answer that is stored for a repeated request: as long as the server's.
    pub answer: Vec<u8>,
    /// Statements so far, `BEGIN` and `COMMIT` included.
    pub statements: AtomicU64,
}

/// A party's row.
#[derive(FromRow)]
struct Party {
    revision: i64,
    audit_length: i64,
    audit_head: String,
}

#[derive(FromRow)]
struct Taken {
    taken: i64,
}

/// A statement that is counted.
macro_rules! said {
    ($hand:expr, $how:ident, $($rest:tt)*) => {{
        $hand.statements.fetch_add(1, Ordering::Relaxed);
        sql!($how, $($rest)*).map_err(Failure::from)
    }};
}

/// Several rows in one statement that is counted.
macro_rules! said_many {
    ($hand:expr, $($rest:tt)*) => {{
        $hand.statements.fetch_add(1, Ordering::Relaxed);
        many!($($rest)*).map_err(Failure::from)
    }};
}

impl ByHand {
    /// Orders with an appointment that the party holds.
    pub async fn order(&self, siren: &str, appointment: &str, reference: &str) -> Result<(), Failure> {
        self.statements.fetch_add(2, Ordering::Relaxed);
        match &self.db {
            Db::Sqlite { writer, .. } => {
                let mut tx = writer.begin_with("BEGIN IMMEDIATE").await?;
                self.write(&mut Conn::Sqlite(&mut tx), siren, appointment, reference).await?;
                Ok(tx.commit().await?)
            }
            Db::Postgres(pool) => {
                let mut tx = pool.begin().await?;
                self.write(&mut Conn::Postgres(&mut tx), siren, appointment, reference).await?;
                Ok(tx.commit().await?)
            }
        }
    }

    async fn write(
        &self,
        conn: &mut Conn<'_>,
        siren: &str,
        appointment: &str,
        reference: &str,
    ) -> Result<(), Failure> {
        let party_id = format!("o-{siren}");
        const STEP: &str = "UPDATE parties SET revision = revision + 2, audit_length = audit_length + 2 WHERE party_id = $1 \
                            RETURNING revision, audit_length, audit_head";
        let party: Party = said!(self, one, conn, Party, STEP, &party_id)?;
        let now = self.clock.machine().as_microsecond();
        let number = format!("CMD{:012}", self.ids.twelve_digits());
        const CONFIRM: &str = "UPDATE appointments SET state = 'confirmed', version = version + 1, revision = $3, order_ref = $4, \
                               updated_at = $5 WHERE reference = $1 AND party_id = $2 AND state = 'held'";
        let confirmed =
            said!(self, execute, conn, CONFIRM, appointment, &party_id, party.revision - 1, &number, now)?;
        if confirmed != 1 {
            return Err(format!("appointment {appointment} is not held").into());
        }
        self.order_rows(conn, &party_id, &number, appointment, reference, (party.revision, now)).await?;
        const HOLD: &str = "INSERT INTO network_fibres (pm, pbo, held) VALUES ($1, $2, 1) \
                            ON CONFLICT (pm, pbo) DO UPDATE SET held = network_fibres.held + 1";
        said!(self, execute, conn, HOLD, PM, PBO)?;
        said!(self, execute, conn, "UPDATE network SET revision = revision + 1 WHERE id = 1")?;
        self.trail(
            conn,
            &party_id,
            &party,
            [&format!("appointments/{appointment}"), &format!("orders/{number}")],
            now,
        )
        .await
    }

    /// Address, order, access, contact, history and work.
    async fn order_rows(
        &self,
        conn: &mut Conn<'_>,
        party_id: &str,
        number: &str,
        appointment: &str,
        reference: &str,
        (revision, now): (i64, i64),
    ) -> Result<(), Failure> {
        const TAKE: &str = "INSERT INTO orders_pools (pool, taken) VALUES ($1, 1) \
                            ON CONFLICT (pool) DO UPDATE SET taken = orders_pools.taken + 1 RETURNING taken";
        let taken: Taken = said!(self, one, conn, Taken, TAKE, POOL)?;
        let ipv4 = Ipv4Addr::from(u32::from(POOL_BASE) + u32::try_from(taken.taken)?).to_string();
        let via = format!("VIA{:012}", self.ids.twelve_digits());
        // Eight digits at random meet sooner or later; the server draws again, this counts.
        let aid = format!("F{:08}", taken.taken);
        const ADDRESS: &str = "INSERT INTO orders_addresses (ipv4, assigned_at, released_at, aid, party_id) VALUES ($1, $2, NULL, $3, $4)";
        said!(self, execute, conn, ADDRESS, &ipv4, now, &aid, party_id)?;
        const ORDER: &str = "INSERT INTO orders (number, party_id, type, state, operator_reference, offer_code, e_service, \
            product_nature, via, aid, ipv4, appointment_ref, appointment_type, imb, pm, pbo, pto, batiment, escalier, etage, \
            number_in_street, street, postcode, commune, commune_code, street_code, fibre_held, parcel_number, box_serial, \
            failure_code, retake_until, release, scenario, entries, version, revision, created_at, updated_at) \
            VALUES ($1, $2, 'creation', 'in_progress', $3, 'JUST_FIBRE', 'e-just-fibre', 'JUST_FIBRE', $4, $5, $6, $7, 'HOUSE', \
            $8, $9, $10, '', '_NA_', '_NA_', '_NA_', '6', 'RUE ETIENNE GANNERON', '77600', 'BUSSY-ST-GEORGES', '77058', \
            '0361', 1, '', '', '', '', '20261101-0123456789ab', '', 1, 1, $11, $12, $12)";
        said!(
            self,
            execute,
            conn,
            ORDER,
            number,
            party_id,
            reference,
            &via,
            &aid,
            &ipv4,
            appointment,
            IMB,
            PM,
            PBO,
            revision,
            now
        )?;
        const ACCESS: &str = "INSERT INTO orders_accesses (aid, via, party_id, number, state, ipv4, box_serial, updated_at) \
                              VALUES ($1, $2, $3, $4, 'pending', $5, '', $6)";
        said!(self, execute, conn, ACCESS, &aid, &via, party_id, number, &ipv4, now)?;
        const CONTACT: &str = "INSERT INTO orders_contacts (number, last_name, first_name, phone, other_phone, box_number, \
            box_street, box_complement, box_postcode, box_commune) \
            VALUES ($1, 'Martin', 'Camille', '0199000001', '', '6', 'RUE ETIENNE GANNERON', '', '77600', 'BUSSY-SAINT-GEORGES')";
        said!(self, execute, conn, CONTACT, number)?;
        const ENTRY: &str = "INSERT INTO orders_history (number, position, kind, author, state, code, comment, facts, occurred_at) \
                             VALUES ($1, 1, 'ACCEPTED', 'operator', 'in_progress', '', '', '', $2)";
        said!(self, execute, conn, ENTRY, number, now)?;
        let work = [("S", "shipping"), ("I", "installation")];
        said_many!(
            self,
            conn,
            "INSERT INTO orders_work (work_id, number, party_id, capability, department, state, box_serial, available_from, \
             lease_owner, worker, token, lease_until) ",
            work,
            "",
            |(letter, capability)| (
                format!("{number}-{letter}1"),
                number,
                party_id,
                *capability,
                "77",
                "open",
                "",
                now,
                "",
                "",
                0_i64,
                0_i64
            )
        )?;
        Ok(())
    }

    /// Events, audit lines with their chain, the party's row, the replay row.
    async fn trail(
        &self,
        conn: &mut Conn<'_>,
        party_id: &str,
        party: &Party,
        [appointment, order]: [&str; 2],
        now: i64,
    ) -> Result<(), Failure> {
        let request_id = self.ids.call().to_string();
        let events = [
            (party.revision - 1, "e-rdv-grand-public", "appointments.confirmed", appointment, "confirmed"),
            (party.revision, "e-just-fibre", "orders.accepted", order, "in_progress"),
        ];
        said_many!(
            self,
            conn,
            "INSERT INTO events (party_id, revision, e_service, kind, resource, state, occurred_at, recorded_at) ",
            events,
            "",
            |(revision, e_service, kind, resource, state)| (
                party_id, *revision, *e_service, *kind, *resource, *state, now, now
            )
        )?;
        let mut lines = Vec::new();
        let mut head = party.audit_head.clone();
        let details = [
            (appointment, format!("state=confirmed {order}")),
            (order, "action=CREATE state=in_progress".into()),
        ];
        for (position, (resource, detail)) in (party.audit_length - 1..).zip(details) {
            let text =
                format!("{party_id} {position} {METHOD} {request_id} {resource} {detail} {now} {head}");
            let hash = hex(&Sha256::digest(text.as_bytes()));
            lines.push((position, resource, detail, std::mem::replace(&mut head, hash.clone()), hash));
        }
        said_many!(
            self,
            conn,
            "INSERT INTO audit (party_id, position, actor, method, request_id, resource, detail, recorded_at, previous, hash) ",
            lines,
            "",
            |(position, resource, detail, previous, hash)| (
                party_id,
                *position,
                party_id,
                METHOD,
                &request_id,
                *resource,
                detail,
                now,
                previous,
                hash
            )
        )?;
        const END: &str = "UPDATE parties SET audit_head = $2 WHERE party_id = $1";
        said!(self, execute, conn, END, party_id, &head)?;
        const REQUEST: &str = "INSERT INTO requests (party_id, method, request_id, body_hash, resource, response, created_at) \
                               VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let body = hex(&Sha256::digest(request_id.as_bytes()));
        said!(
            self,
            execute,
            conn,
            REQUEST,
            party_id,
            METHOD,
            &request_id,
            &body,
            order,
            self.answer.as_slice(),
            now
        )?;
        Ok(())
    }
}

/// The method that the rows name.
const METHOD: &str = "/eservices.orders.v1.OrderService/CreateOrder";
