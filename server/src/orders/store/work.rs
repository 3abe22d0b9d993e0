//! Work of orders: opened and closed as an order moves, leased and given back by a condition on its own row.
//!
//! A lease is one conditional UPDATE a piece of work, in one order for every worker: no two have the same work, and no two
//! wait for each other. The token counts the leases; what names an older one changes nothing.

use eservices_reference::ids::Insee;
use sqlx::FromRow;

use super::{Order, boxes};
use crate::{
    many,
    orders::rules::{
        Action, Type,
        work::{Capability, WorkState, ended, gives_up, opened},
    },
    platform::{db::Conn, error::Error, unit_of_work::Work},
    sql,
};

/// A piece of work.
#[derive(Clone, Debug, FromRow)]
pub struct WorkRow {
    /// Id.
    pub work_id: String,
    /// Order.
    pub number: String,
    /// Owner of the order.
    pub party_id: String,
    /// Kind.
    #[sqlx(try_from = "String")]
    pub capability: Capability,
    /// Department.
    pub department: String,
    /// State.
    #[sqlx(try_from = "String")]
    pub state: WorkState,
    /// Box that is to come back; empty but for returns.
    pub box_serial: String,
    /// From when on it can be leased, business time, microseconds.
    pub available_from: i64,
    /// Party that has or had it last.
    pub lease_owner: String,
    /// Worker of that party.
    pub worker: String,
    /// Times that it was leased.
    pub token: i64,
    /// End of the last lease, machine time, microseconds; 0 if there was none.
    pub lease_until: i64,
}

/// One lease.
#[derive(Clone, Debug, FromRow)]
pub struct Lease {
    /// Work.
    pub work_id: String,
    /// Fencing token.
    pub token: i64,
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Kind.
    pub capability: Capability,
    /// Departments, `,77,2A,`; empty: all.
    pub departments: String,
    /// Most pieces.
    pub most: usize,
    /// The worker, in its system's words.
    pub worker: String,
}

/// What a list is narrowed to.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Kinds, `,shipping,returns,`.
    pub capabilities: String,
    /// States, `,open,`; empty: all.
    pub states: String,
    /// Order; empty: any.
    pub number: String,
    /// Where the page before ended.
    pub after: (i64, String),
}

macro_rules! columns {
    () => {
        "work_id, number, party_id, capability, department, state, box_serial, available_from, lease_owner, worker, token, \
         lease_until"
    };
}

/// One piece of work.
pub async fn find(conn: &mut Conn<'_>, work_id: &str) -> Result<Option<WorkRow>, sqlx::Error> {
    sql!(
        optional,
        conn,
        WorkRow,
        concat!("SELECT ", columns!(), " FROM orders_work WHERE work_id = $1"),
        work_id
    )
}

/// Opens what an order that was accepted asks for.
pub async fn open(work: &mut Work, order: &Order) -> Result<(), Error> {
    follow(work, order, None).await
}

/// Opens and closes work after `action` left the order as it is.
pub async fn follow(work: &mut Work, order: &Order, action: Option<Action>) -> Result<(), Error> {
    // A report has ended its own work before; this is what the step leaves nothing of.
    if let Some(capability) = action.and_then(ended) {
        const END: &str = "UPDATE orders_work SET state = 'done' \
                           WHERE number = $1 AND capability = $2 AND state IN ('open', 'leased')";
        sql!(execute, &mut work.conn(), END, &order.number, capability.as_str())?;
    }
    if order.state.is_over() && action.is_some_and(gives_up) {
        const CLOSE: &str =
            "UPDATE orders_work SET state = 'cancelled' WHERE number = $1 AND state IN ('open', 'leased')";
        sql!(execute, &mut work.conn(), CLOSE, &order.number)?;
    }
    // Nothing that an order opens at once asks for the box at the end customer's.
    let with_customer = match action {
        None => None,
        Some(_) => {
            let new = if order.kind == Type::BoxExchange { order.box_serial.as_str() } else { "" };
            boxes::at_customer(&mut work.conn(), &order.aid, new).await?
        }
    };
    let serial = with_customer.as_deref().unwrap_or_default();
    let opens = opened(order.kind, action, order.state, with_customer.is_some());
    insert(work, order, opens, serial).await
}

/// Opens the way back of a box that left for an order that is over.
pub async fn ask_back(work: &mut Work, order: &Order, serial: &str) -> Result<(), Error> {
    insert(work, order, &[Capability::Returns], serial).await
}

/// `serial`: the box that returns are about.
async fn insert(work: &mut Work, order: &Order, opens: &[Capability], serial: &str) -> Result<(), Error> {
    let insee = Insee::parse(&order.commune_code);
    let department = insee.as_ref().map_or("", |insee| insee.department());
    let now = work.now.as_microsecond();
    many!(
        &mut work.conn(),
        "INSERT INTO orders_work (work_id, number, party_id, capability, department, state, box_serial, available_from, \
         lease_owner, worker, token, lease_until) ",
        opens,
        "",
        |kind| (
            format!("{}-{}{}", order.number, kind.letter(), order.entries),
            &order.number,
            &order.party_id,
            kind.as_str(),
            department,
            WorkState::Open.as_str(),
            if *kind == Capability::Returns { serial } else { "" },
            now,
            "",
            "",
            0_i64,
            0_i64
        )
    )?;
    Ok(())
}

/// Leases what is open or was lost, oldest first, until `until` (machine time).
pub async fn lease(work: &mut Work, wanted: &Wanted, party: &str, until: i64) -> Result<Vec<Lease>, Error> {
    let (machine, business) = (work.machine_now().as_microsecond(), work.now.as_microsecond());
    let mut leased = Vec::new();
    while leased.len() < wanted.most {
        let found =
            candidates(&mut work.conn(), wanted, (machine, business), wanted.most - leased.len()).await?;
        if found.is_empty() {
            break;
        }
        for candidate in found {
            // What another worker took meanwhile is looked for anew.
            leased.extend(take(&mut work.conn(), &candidate, (party, &wanted.worker), machine, until).await?);
        }
    }
    Ok(leased)
}

async fn candidates(
    conn: &mut Conn<'_>,
    wanted: &Wanted,
    (machine, business): (i64, i64),
    most: usize,
) -> Result<Vec<Lease>, sqlx::Error> {
    sql!(
        all,
        conn,
        Lease,
        "SELECT work_id, token FROM orders_work WHERE state IN ('open', 'leased') AND capability = $1 \
         AND (state = 'open' OR lease_until <= $2) AND available_from <= $3 \
         AND ($4 = '' OR $4 LIKE '%,' || department || ',%') \
         ORDER BY available_from, work_id LIMIT $5",
        wanted.capability.as_str(),
        machine,
        business,
        &wanted.departments,
        i64::try_from(most).unwrap_or(i64::MAX),
    )
}

async fn take(
    conn: &mut Conn<'_>,
    candidate: &Lease,
    (party, worker): (&str, &str),
    machine: i64,
    until: i64,
) -> Result<Option<Lease>, sqlx::Error> {
    sql!(
        optional,
        conn,
        Lease,
        "UPDATE orders_work SET state = 'leased', lease_owner = $2, worker = $3, token = token + 1, lease_until = $4 \
         WHERE work_id = $1 AND (state = 'open' OR (state = 'leased' AND lease_until <= $5)) \
         RETURNING work_id, token",
        &candidate.work_id,
        party,
        worker,
        until,
        machine,
    )
}

/// Lets a lease end at `until`; none if it is not the party's any more.
pub async fn extend(
    conn: &mut Conn<'_>,
    party: &str,
    lease: &Lease,
    until: i64,
) -> Result<Option<WorkRow>, sqlx::Error> {
    change(conn, party, lease, (WorkState::Leased, WorkState::Leased), until).await
}

/// Ends a lease at `now` (machine time) with its work open again or done; none if it is not the party's any more.
pub async fn end(
    conn: &mut Conn<'_>,
    party: &str,
    lease: &Lease,
    state: WorkState,
    now: i64,
) -> Result<Option<WorkRow>, sqlx::Error> {
    change(conn, party, lease, (WorkState::Leased, state), now).await
}

/// What was done although the work was given up meanwhile: done; none if the party was not the last to have it.
pub async fn done_in_vain(
    conn: &mut Conn<'_>,
    party: &str,
    lease: &Lease,
    now: i64,
) -> Result<Option<WorkRow>, sqlx::Error> {
    change(conn, party, lease, (WorkState::Cancelled, WorkState::Done), now).await
}

async fn change(
    conn: &mut Conn<'_>,
    party: &str,
    lease: &Lease,
    (from, to): (WorkState, WorkState),
    until: i64,
) -> Result<Option<WorkRow>, sqlx::Error> {
    const CHANGE: &str = concat!(
        "UPDATE orders_work SET state = $5, lease_until = $6 \
         WHERE work_id = $1 AND state = $4 AND lease_owner = $2 AND token = $3 RETURNING ",
        columns!()
    );
    sql!(
        optional,
        conn,
        WorkRow,
        CHANGE,
        &lease.work_id,
        party,
        lease.token,
        from.as_str(),
        to.as_str(),
        until
    )
}

/// A page of work, oldest first.
pub async fn list(conn: &mut Conn<'_>, filter: &Filter, limit: i64) -> Result<Vec<WorkRow>, sqlx::Error> {
    let (from, work_id) = &filter.after;
    sql!(
        all,
        conn,
        WorkRow,
        concat!(
            "SELECT ",
            columns!(),
            " FROM orders_work WHERE $1 LIKE '%,' || capability || ',%' AND ($2 = '' OR $2 LIKE '%,' || state || ',%') \
             AND ($3 = '' OR number = $3) AND (available_from > $4 OR (available_from = $4 AND work_id > $5)) \
             ORDER BY available_from, work_id LIMIT $6"
        ),
        &filter.capabilities,
        &filter.states,
        &filter.number,
        *from,
        work_id,
        limit,
    )
}
