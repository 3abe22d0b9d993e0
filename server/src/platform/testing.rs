//! Databases for tests: every store test runs on both engines.
//!
//! SQLite on a file in a temporary folder; PostgreSQL where `ESERVICES_TEST_DATABASE` holds the URL of a database in which
//! the user may create others, as for the end-to-end tests. Knows no table.

use std::{io::Write as _, panic::resume_unwind, str::FromStr as _, sync::Once};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, PgConnection,
    postgres::PgConnectOptions,
};
use tempfile::TempDir;

use super::{
    config::{Config, Database},
    db::Db,
    ids::Ids,
};

/// The variable that names the PostgreSQL server.
pub const POSTGRES: &str = "ESERVICES_TEST_DATABASE";

/// A migrated SQLite database in a folder that goes with the value.
pub async fn sqlite() -> (Db, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    (opened(url).await, folder)
}

/// Runs a test on a fresh, migrated database of each engine; says so where PostgreSQL is not tried.
pub async fn on_each_engine<F, Fut>(test: F)
where
    F: Fn(Db) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (db, _folder) = sqlite().await;
    tokio::spawn(test(db.clone())).await.unwrap_or_else(|e| resume_unwind(e.into_panic()));
    db.close().await;

    let Some(admin) = std::env::var(POSTGRES).ok().filter(|url| url.starts_with("postgres")) else {
        say_not_tried();
        return;
    };
    let name = format!("es_{:012}", Ids::default().twelve_digits());
    let mut connection = PgConnection::connect(&admin).await.unwrap();
    connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let url = PgConnectOptions::from_str(&admin).unwrap().database(&name).to_url_lossy();
    let outcome = tokio::spawn(async move { opened(url.to_string()).await }).await;
    let outcome = match outcome {
        Ok(db) => {
            let outcome = tokio::spawn(test(db.clone())).await;
            db.close().await;
            outcome
        }
        Err(error) => Err(error),
    };
    connection.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.unwrap();
    outcome.unwrap_or_else(|e| resume_unwind(e.into_panic()));
}

/// Once a process, and past the capture of test output: a skipped engine must not be skipped in silence.
fn say_not_tried() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = writeln!(std::io::stderr(), "PostgreSQL is not tried: {POSTGRES} names none");
    });
}

async fn opened(url: String) -> Db {
    let config = Database { url, connections: 4, ..Config::default().database };
    let db = Db::open(&config).await.unwrap();
    db.migrate().await.unwrap();
    db
}
