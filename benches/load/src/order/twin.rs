//! A second database that is equal to the first: what both sides find is the same to the byte.

use std::str::FromStr as _;

use eservices_server::platform::{config::Database, db::Db};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::Failure;

/// Copies a database that nobody uses; answers where the copy is.
pub async fn copy(first: &Database) -> Result<Database, Failure> {
    // The last connection that closes brings SQLite's log into its file.
    Db::open(first).await?.close().await;
    let mut second = first.clone();
    if let Some(path) = first.url.strip_prefix("sqlite:") {
        let copy = format!("{path}.by-hand");
        if std::fs::metadata(format!("{path}-wal")).is_ok_and(|log| log.len() > 0) {
            return Err("the database's log did not go into its file".into());
        }
        std::fs::copy(path, &copy)?;
        second.url = format!("sqlite:{copy}");
        return Ok(second);
    }
    let options = PgConnectOptions::from_str(&first.url)?;
    let (from, to) = names(&options)?;
    let mut conn = PgConnection::connect_with(&options.clone().database("postgres")).await?;
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE \"{to}\" TEMPLATE \"{from}\"")))
        .execute(&mut conn)
        .await?;
    conn.close().await?;
    second.url = options.database(&to).to_url_lossy().to_string();
    Ok(second)
}

/// Drops the copy of a PostgreSQL database; a SQLite file goes with its folder.
pub async fn drop_copy(first: &Database) -> Result<(), Failure> {
    if first.url.starts_with("sqlite:") {
        return Ok(());
    }
    let options = PgConnectOptions::from_str(&first.url)?;
    let (_, to) = names(&options)?;
    let mut conn = PgConnection::connect_with(&options.database("postgres")).await?;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE IF EXISTS \"{to}\" WITH (FORCE)")))
        .execute(&mut conn)
        .await?;
    Ok(conn.close().await?)
}

fn names(options: &PgConnectOptions) -> Result<(String, String), Failure> {
    let name = options.get_database().ok_or("--database names no database")?;
    if name == "postgres" || name.contains('"') {
        return Err("--database: expected an empty database of its own, not `postgres`".into());
    }
    Ok((name.to_owned(), format!("{name}_by_hand")))
}
