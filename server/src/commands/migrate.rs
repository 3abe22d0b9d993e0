//! `migrate`: brings the schema up to date, and makes the database where it is a file. Knows no migration.

use serde_json::json;

use super::{Answer, Context, Failure};
use crate::platform::db::Db;

/// Runs the migrations that were not run yet.
pub async fn run(context: &Context) -> Result<Answer, Failure> {
    let db = Db::open(&context.config.database).await?;
    let outcome = db.migrate().await;
    let engine = db.engine();
    db.close().await;
    outcome?;
    Ok(Answer::of(
        context.json,
        || format!("the schema is up to date ({engine})"),
        || json!({"engine": engine, "schema": "up to date"}),
    ))
}
