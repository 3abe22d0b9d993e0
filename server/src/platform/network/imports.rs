//! Imports that calls started: their rows in the database.
//!
//! One runs at a time, over all nodes: the database holds that, not a node. Knows no file, and not who runs it.

use sqlx::FromRow;

use crate::{
    many,
    platform::db::{Conn, Db},
    sql,
};

/// The state of an import that runs; the other states are the slice's words.
pub const RUNNING: &str = "running";

/// Imports whose problems are kept.
const KEPT: i64 = 20;

/// An import.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
pub struct ImportRow {
    /// Its id.
    pub import_id: String,
    /// Who started it.
    pub party_id: String,
    /// `running`, `done`, `same_records`, `refused`, `cancelled` or `failed`.
    pub state: String,
    /// Names of its files, one a line.
    pub files: String,
    /// 1: the release is to be served.
    pub serve: i64,
    /// 1: no release is to be kept.
    pub dry_run: i64,
    /// Which process runs it.
    pub node: String,
    /// 1: told to stop.
    pub cancelled: i64,
    /// What it is at, as in the contract.
    pub phase: i64,
    /// How much of the phase is done.
    pub done: i64,
    /// How much there is to do.
    pub total: i64,
    /// Rows read.
    pub row_count: i64,
    /// Rows refused.
    pub refused: i64,
    /// Remarks.
    pub remarks: i64,
    /// The release; empty if none.
    pub release: String,
    /// 1: it had the release served.
    pub served: i64,
    /// Why there is no release.
    pub fault: String,
    /// Machine time, microseconds.
    pub started_at: i64,
    /// Machine time, microseconds.
    pub ended_at: Option<i64>,
}

macro_rules! columns {
    () => {
        "SELECT import_id, party_id, state, files, serve, dry_run, node, cancelled, phase, done, total, row_count, refused, \
         remarks, release, served, fault, started_at, ended_at FROM reference_imports "
    };
}

/// Writes an import that is to run, unless another one does; says whether it did.
pub async fn insert(conn: &mut Conn<'_>, row: &ImportRow) -> Result<bool, sqlx::Error> {
    let rows = sql!(
        execute,
        conn,
        "INSERT INTO reference_imports (import_id, party_id, state, files, serve, dry_run, node, heartbeat, cancelled, \
         phase, done, total, row_count, refused, remarks, release, served, fault, started_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 0, 0, 0, 0, 0, '', 0, '', $8) ON CONFLICT DO NOTHING",
        &row.import_id,
        &row.party_id,
        &row.state,
        &row.files,
        row.serve,
        row.dry_run,
        &row.node,
        row.started_at,
    )?;
    Ok(rows == 1)
}

/// One import.
pub async fn find(conn: &mut Conn<'_>, import_id: &str) -> Result<Option<ImportRow>, sqlx::Error> {
    sql!(optional, conn, ImportRow, concat!(columns!(), "WHERE import_id = $1"), import_id)
}

/// Those that come after one (instant, id), the last to be started first.
pub async fn page(
    conn: &mut Conn<'_>,
    after: (i64, &str),
    limit: i64,
) -> Result<Vec<ImportRow>, sqlx::Error> {
    const TEXT: &str = concat!(
        columns!(),
        "WHERE started_at < $1 OR (started_at = $1 AND import_id > $2) \
         ORDER BY started_at DESC, import_id LIMIT $3"
    );
    sql!(all, conn, ImportRow, TEXT, after.0, after.1, limit)
}

/// The import that runs, as those see it who watch for its death.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Running {
    /// Its id.
    pub import_id: String,
    /// Who started it.
    pub party_id: String,
    /// Counts up while its node lives.
    pub heartbeat: i64,
}

/// The import that runs.
pub async fn running(conn: &mut Conn<'_>) -> Result<Option<Running>, sqlx::Error> {
    const TEXT: &str = "SELECT import_id, party_id, heartbeat FROM reference_imports WHERE state = 'running'";
    sql!(optional, conn, Running, TEXT)
}

/// Tells an import that runs to stop; says whether one does.
pub async fn cancel(conn: &mut Conn<'_>, import_id: &str) -> Result<bool, sqlx::Error> {
    const TEXT: &str =
        "UPDATE reference_imports SET cancelled = 1 WHERE import_id = $1 AND state = 'running'";
    Ok(sql!(execute, conn, TEXT, import_id)? == 1)
}

/// Whether an import was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct Told {
    /// 1 if so.
    pub cancelled: i64,
}

/// A sign of life of the node that runs an import, with how far it is (phase, done, total); what it was told meanwhile.
/// Nothing where the import is not the node's any more.
pub async fn beat(
    db: &Db,
    import_id: &str,
    node: &str,
    (phase, done, total): (i64, i64, i64),
) -> Result<Option<Told>, sqlx::Error> {
    const TEXT: &str = "UPDATE reference_imports SET heartbeat = heartbeat + 1, phase = $3, done = $4, total = $5 \
                        WHERE import_id = $1 AND node = $2 AND state = 'running' RETURNING cancelled";
    let mut tx = db.begin().await?;
    let told = sql!(optional, &mut tx.conn(), Told, TEXT, import_id, node, phase, done, total)?;
    tx.commit().await?;
    Ok(told)
}

/// Locks the row of an import that the node still runs; what it was told.
pub async fn lock(conn: &mut Conn<'_>, import_id: &str, node: &str) -> Result<Option<Told>, sqlx::Error> {
    const TEXT: &str = "UPDATE reference_imports SET heartbeat = heartbeat + 1 \
                        WHERE import_id = $1 AND node = $2 AND state = 'running' RETURNING cancelled";
    sql!(optional, conn, Told, TEXT, import_id, node)
}

/// How an import ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Its last state.
    pub state: &'static str,
    /// Rows read.
    pub row_count: u64,
    /// Rows refused.
    pub refused: u64,
    /// Remarks.
    pub remarks: u64,
    /// The release; empty if none.
    pub release: String,
    /// Why there is none.
    pub fault: String,
}

/// Writes the end of an import that is locked.
pub async fn end(
    conn: &mut Conn<'_>,
    import_id: &str,
    end: &End,
    served: bool,
    now: i64,
) -> Result<(), sqlx::Error> {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    sql!(
        execute,
        conn,
        "UPDATE reference_imports SET state = $2, row_count = $3, refused = $4, remarks = $5, release = $6, fault = $7, \
         served = $8, ended_at = $9 WHERE import_id = $1 AND state = 'running'",
        import_id,
        end.state,
        count(end.row_count),
        count(end.refused),
        count(end.remarks),
        &end.release,
        &end.fault,
        i64::from(served),
        now,
    )
    .map(drop)
}

/// Writes the end of an import whose heart stands still at a count; says whether it did.
pub async fn bury(
    conn: &mut Conn<'_>,
    found: &Running,
    (state, fault): (&str, &str),
    now: i64,
) -> Result<bool, sqlx::Error> {
    const TEXT: &str = "UPDATE reference_imports SET state = $3, fault = $4, ended_at = $5 \
                        WHERE import_id = $1 AND heartbeat = $2 AND state = 'running'";
    Ok(sql!(execute, conn, TEXT, &found.import_id, found.heartbeat, state, fault, now)? == 1)
}

/// A refused row, or a remark.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ProblemRow {
    /// Its place among the problems of the import, from 0.
    pub position: i64,
    /// The file.
    pub file: String,
    /// The line.
    pub line: i64,
    /// The column; empty for a whole row.
    pub field: String,
    /// The value.
    pub value: String,
    /// Why it is not right.
    pub reason: String,
    /// 0: a remark.
    pub refused: i64,
}

/// Writes the problems of an import, and forgets those of imports of long ago.
pub async fn put_problems(
    conn: &mut Conn<'_>,
    import_id: &str,
    rows: &[ProblemRow],
) -> Result<(), sqlx::Error> {
    many!(
        conn,
        "INSERT INTO reference_import_problems (import_id, position, file, line, field, value, reason, refused) ",
        rows,
        "",
        |p| (import_id, p.position, &p.file, p.line, &p.field, &p.value, &p.reason, p.refused)
    )?;
    const FORGET: &str = "DELETE FROM reference_import_problems WHERE import_id NOT IN \
                          (SELECT import_id FROM reference_imports ORDER BY started_at DESC, import_id LIMIT $1)";
    sql!(execute, conn, FORGET, KEPT).map(drop)
}

/// Problems of an import from one place on.
pub async fn problems(
    conn: &mut Conn<'_>,
    import_id: &str,
    from: i64,
    limit: i64,
) -> Result<Vec<ProblemRow>, sqlx::Error> {
    const TEXT: &str = "SELECT position, file, line, field, value, reason, refused FROM reference_import_problems \
                        WHERE import_id = $1 AND position >= $2 ORDER BY position LIMIT $3";
    sql!(all, conn, ProblemRow, TEXT, import_id, from, limit)
}
