//! The database: one SQL text for SQLite and PostgreSQL.
//!
//! SQLite has one writer connection and readers apart; PostgreSQL one pool. Reading is open to every slice ([`Db::read`]);
//! a transaction that writes is begun by `unit_of_work` alone. Knows no table.

use std::{str::FromStr as _, time::Duration};

use sqlx::{
    Connection as _, Executor as _, PgPool, Postgres, Sqlite, SqlitePool, Transaction,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::config::Database;

/// The database behind one server.
#[derive(Clone)]
pub enum Db {
    /// A file.
    Sqlite {
        /// The one connection that writes.
        writer: SqlitePool,
        /// Connections that read.
        readers: SqlitePool,
    },
    /// A server.
    Postgres(PgPool),
}

/// A connection that reads.
pub enum Reader {
    /// To a file.
    Sqlite(PoolConnection<Sqlite>),
    /// To a server.
    Postgres(PoolConnection<Postgres>),
}

/// A transaction that writes; rolled back unless committed.
pub enum Tx {
    /// On a file.
    Sqlite(Transaction<'static, Sqlite>),
    /// On a server.
    Postgres(Transaction<'static, Postgres>),
}

/// What a store function runs its statements on: borrowed from a [`Reader`] or a [`Tx`].
pub enum Conn<'c> {
    /// SQLite.
    Sqlite(&'c mut sqlx::SqliteConnection),
    /// PostgreSQL.
    Postgres(&'c mut sqlx::PgConnection),
}

/// Why a database can not be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL is neither `sqlite:` nor `postgres:`.
    #[error("database.url: expected sqlite:<path> or postgres://…, found scheme {0:?}")]
    Scheme(String),
    /// A setting that durability needs is off.
    #[error("the database would lose acknowledged writes: {0}")]
    NotDurable(String),
    /// The driver says no.
    #[error("cannot open the database: {0}")]
    Driver(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("cannot migrate the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

/// The oldest SQLite without the WAL corruption bug.
const SQLITE_FLOOR: (u32, u32, u32) = (3, 51, 3);

impl Db {
    /// Opens the database and refuses one that would not keep what it acknowledged.
    pub async fn open(config: &Database) -> Result<Self, OpenError> {
        let scheme = config.url.split(':').next().unwrap_or_default();
        let db = match scheme {
            "sqlite" => Self::open_sqlite(config).await?,
            "postgres" | "postgresql" => Self::open_postgres(config).await?,
            other => return Err(OpenError::Scheme(other.to_owned())),
        };
        db.check_durable().await?;
        Ok(db)
    }

    async fn open_sqlite(config: &Database) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::from_str(&config.url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(5));
        let wait = Duration::from_secs(config.acquire_timeout_seconds);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(wait)
            .connect_with(options.clone())
            .await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(config.connections)
            .acquire_timeout(wait)
            .connect_with(options.read_only(false))
            .await?;
        Ok(Self::Sqlite { writer, readers })
    }

    async fn open_postgres(config: &Database) -> Result<Self, OpenError> {
        let options = PgConnectOptions::from_str(&config.url)?.options([
            ("default_transaction_isolation", "read committed"),
            ("statement_timeout", "10s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "30s"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(config.connections)
            .acquire_timeout(Duration::from_secs(config.acquire_timeout_seconds))
            // A caller cancelled while it began a transaction must not leave it open for the next one.
            .after_release(|connection, _| {
                Box::pin(async move {
                    connection.execute("ROLLBACK").await?;
                    Ok(true)
                })
            })
            .connect_with(options)
            .await?;
        Ok(Self::Postgres(pool))
    }

    async fn check_durable(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite { writer, .. } => {
                let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(writer).await?;
                let sync: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(writer).await?;
                let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(writer).await?;
                if mode != "wal" || sync != 2 {
                    return Err(OpenError::NotDurable(format!("journal_mode {mode}, synchronous {sync}")));
                }
                if parse_version(&version) < SQLITE_FLOOR {
                    return Err(OpenError::NotDurable(format!("SQLite {version} is older than 3.51.3")));
                }
            }
            Self::Postgres(pool) => {
                for setting in ["SHOW fsync", "SHOW synchronous_commit"] {
                    let value: String = sqlx::query_scalar(setting).fetch_one(pool).await?;
                    if value == "off" {
                        return Err(OpenError::NotDurable(format!("{setting} answers off")));
                    }
                }
            }
        }
        Ok(())
    }

    /// Brings the schema up to date; migrations only go forward.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        match self {
            Self::Sqlite { writer, .. } => sqlx::migrate!("migrations/sqlite").run(writer).await?,
            Self::Postgres(pool) => sqlx::migrate!("migrations/postgres").run(pool).await?,
        }
        Ok(())
    }

    /// A connection to read with.
    pub async fn read(&self) -> Result<Reader, sqlx::Error> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Reader::Sqlite(readers.acquire().await?),
            Self::Postgres(pool) => Reader::Postgres(pool.acquire().await?),
        })
    }

    /// A transaction to write with. For `unit_of_work` and the registry only.
    pub(super) async fn begin(&self) -> Result<Tx, sqlx::Error> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Closes every connection.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Reader {
    /// What store functions take.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(c) => Conn::Sqlite(c),
            Self::Postgres(c) => Conn::Postgres(c),
        }
    }

    /// Whether the database answers.
    pub async fn ping(&mut self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(c) => c.ping().await,
            Self::Postgres(c) => c.ping().await,
        }
    }
}

impl Tx {
    /// What store functions take.
    pub fn conn(&mut self) -> Conn<'_> {
        match self {
            Self::Sqlite(t) => Conn::Sqlite(t),
            Self::Postgres(t) => Conn::Postgres(t),
        }
    }

    pub(super) async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(t) => t.commit().await,
            Self::Postgres(t) => t.commit().await,
        }
    }

    pub(super) async fn rollback(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(t) => t.rollback().await,
            Self::Postgres(t) => t.rollback().await,
        }
    }
}

fn parse_version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|p| p.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

/// Runs one statement on either engine: `sql!(optional | all | one | execute, conn, [Row,] text, binds…)`.
///
/// `optional`, `all` and `one` read rows into a `FromRow` type; `execute` answers the number of rows it changed.
#[macro_export]
macro_rules! sql {
    (execute, $conn:expr, $text:expr $(, $bind:expr)* $(,)?) => {
        match $conn {
            $crate::platform::db::Conn::Sqlite(c) => {
                sqlx::query::<sqlx::Sqlite>($text)$(.bind($bind))*.execute(&mut **c).await.map(|r| r.rows_affected())
            }
            $crate::platform::db::Conn::Postgres(c) => {
                sqlx::query::<sqlx::Postgres>($text)$(.bind($bind))*.execute(&mut **c).await.map(|r| r.rows_affected())
            }
        }
    };
    (optional, $conn:expr, $row:ty, $text:expr $(, $bind:expr)* $(,)?) => {
        $crate::sql!(@fetch fetch_optional, $conn, $row, $text $(, $bind)*)
    };
    (one, $conn:expr, $row:ty, $text:expr $(, $bind:expr)* $(,)?) => {
        $crate::sql!(@fetch fetch_one, $conn, $row, $text $(, $bind)*)
    };
    (all, $conn:expr, $row:ty, $text:expr $(, $bind:expr)* $(,)?) => {
        $crate::sql!(@fetch fetch_all, $conn, $row, $text $(, $bind)*)
    };
    (@fetch $how:ident, $conn:expr, $row:ty, $text:expr $(, $bind:expr)*) => {
        match $conn {
            $crate::platform::db::Conn::Sqlite(c) => {
                sqlx::query_as::<sqlx::Sqlite, $row>($text)$(.bind($bind))*.$how(&mut **c).await
            }
            $crate::platform::db::Conn::Postgres(c) => {
                sqlx::query_as::<sqlx::Postgres, $row>($text)$(.bind($bind))*.$how(&mut **c).await
            }
        }
    };
}

/// Sends many rows with one statement a thousand on either engine, `head VALUES (…), (…) tail`; answers the number of rows
/// changed: `many!(conn, "INSERT INTO t (a, b) ", rows, " ON CONFLICT …", |row| (row.a, row.b))`.
#[macro_export]
macro_rules! many {
    ($conn:expr, $head:expr, $rows:expr, $tail:expr, |$row:pat_param| ($($value:expr),+ $(,)?)) => {{
        let mut outcome: Result<u64, sqlx::Error> = Ok(0);
        for chunk in $rows.chunks(1_000) {
            let done = match &mut *$conn {
                $crate::platform::db::Conn::Sqlite(c) => {
                    $crate::many!(@run sqlx::Sqlite, c, $head, chunk, $tail, $row, $($value),+)
                }
                $crate::platform::db::Conn::Postgres(c) => {
                    $crate::many!(@run sqlx::Postgres, c, $head, chunk, $tail, $row, $($value),+)
                }
            };
            outcome = match (outcome, done) {
                (Ok(before), Ok(rows)) => Ok(before + rows),
                (_, Err(error)) | (Err(error), _) => Err(error),
            };
            if outcome.is_err() {
                break;
            }
        }
        outcome
    }};
    (@run $engine:ty, $c:expr, $head:expr, $chunk:expr, $tail:expr, $row:pat_param, $($value:expr),+) => {{
        let mut query = sqlx::QueryBuilder::<$engine>::new($head);
        query.push_values($chunk, |mut bound, $row| {
            $(bound.push_bind($value);)+
        });
        query.push($tail);
        query.build().execute(&mut **$c).await.map(|r| r.rows_affected())
    }};
}
