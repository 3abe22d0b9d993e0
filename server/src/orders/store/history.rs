//! The history of an order: entries without gap from 1, never changed but for an erased comment.

use sqlx::FromRow;

use crate::{
    orders::rules::{Action, Actor, State},
    platform::db::Conn,
    sql,
};

/// One entry.
#[derive(Clone, FromRow)]
pub struct Entry {
    /// Position, from 1.
    pub position: i64,
    /// What happened.
    pub kind: String,
    /// Who said so.
    #[sqlx(try_from = "String")]
    pub author: Actor,
    /// State of the order after it.
    #[sqlx(try_from = "String")]
    pub state: State,
    /// Interop code of what went wrong; empty if nothing did.
    pub code: String,
    /// Comment; empty if none.
    pub comment: String,
    /// `name=value`, one a line, sorted.
    pub facts: String,
    /// When, business time, microseconds.
    pub occurred_at: i64,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry {{ position: {}, kind: {}, .. }}", self.position, self.kind)
    }
}

#[derive(FromRow)]
struct Position {
    position: i64,
}

/// Adds an entry.
pub async fn add(conn: &mut Conn<'_>, number: &str, e: &Entry) -> Result<(), sqlx::Error> {
    sql!(
        execute,
        conn,
        "INSERT INTO orders_history (number, position, kind, author, state, code, comment, facts, occurred_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        number,
        e.position,
        &e.kind,
        e.author.as_str(),
        e.state.as_str(),
        &e.code,
        &e.comment,
        &e.facts,
        e.occurred_at,
    )?;
    Ok(())
}

/// Erases the text of an order's comments; answers how many had one.
pub async fn erase_comments(conn: &mut Conn<'_>, number: &str) -> Result<u64, sqlx::Error> {
    const TEXT: &str = "UPDATE orders_history SET comment = '' WHERE number = $1 AND comment <> ''";
    sql!(execute, conn, TEXT, number)
}

/// Whether the end customer of an order was forgotten.
pub async fn is_erased(conn: &mut Conn<'_>, number: &str) -> Result<bool, sqlx::Error> {
    const TEXT: &str = "SELECT position FROM orders_history WHERE number = $1 AND kind = $2 LIMIT 1";
    let found = sql!(optional, conn, Position, TEXT, number, Action::EraseContact.entry())?;
    Ok(found.is_some_and(|entry| entry.position > 0))
}

/// The history of an order, oldest first. The order itself was read in the caller's scope.
pub async fn of(conn: &mut Conn<'_>, number: &str) -> Result<Vec<Entry>, sqlx::Error> {
    sql!(
        all,
        conn,
        Entry,
        "SELECT position, kind, author, state, code, comment, facts, occurred_at FROM orders_history WHERE number = $1 \
         ORDER BY position",
        number,
    )
}
