//! The database of one test, and looks into its tables that no code of ours stands between.

use std::path::Path;

use eservices_server::platform::db::Db;

/// A database of its own: a SQLite file, or a new PostgreSQL database where the variable names a server.
pub async fn fresh(dir: &Path) -> String {
    match configured() {
        None => format!("sqlite:{}", dir.join("test.db").display()),
        Some(server) => {
            let name = format!("es_{}", eservices_client::new_request_id().replace('-', ""));
            let admin = sqlx::PgPool::connect(&server).await.unwrap();
            sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
                .execute(&admin)
                .await
                .unwrap();
            admin.close().await;
            let (base, _) = server.rsplit_once('/').unwrap();
            format!("{base}/{name}")
        }
    }
}

/// The PostgreSQL server to test on, if any.
fn configured() -> Option<String> {
    let named = std::env::var("ESERVICES_TEST_DATABASE").ok();
    match named.as_deref() {
        Some("sqlite") => None,
        Some(url) if url.starts_with("postgres") => named,
        Some(other) => panic!("ESERVICES_TEST_DATABASE: expected sqlite or postgres://…, found {other}"),
        None if std::env::var_os("CI").is_some() => panic!("ESERVICES_TEST_DATABASE must be set under CI"),
        None => {
            static SAID: std::sync::Once = std::sync::Once::new();
            SAID.call_once(|| {
                println!("on SQLite; PostgreSQL is not tried: ESERVICES_TEST_DATABASE names none")
            });
            None
        }
    }
}

/// Starts business time at `base` at the machine instant `anchor`.
pub async fn set_course(db: &Db, base: i64, anchor: i64) {
    const TEXT: &str = "UPDATE business_clock SET base = $1, anchor = $2, speed = 1 WHERE id = 1";
    let changed = match db {
        Db::Sqlite { writer, .. } => {
            sqlx::query(TEXT).bind(base).bind(anchor).execute(writer).await.unwrap().rows_affected()
        }
        Db::Postgres(pool) => {
            sqlx::query(TEXT).bind(base).bind(anchor).execute(pool).await.unwrap().rows_affected()
        }
    };
    assert_eq!(changed, 1);
}

/// One number out of the database.
pub async fn number(db: &Db, text: &'static str) -> i64 {
    match db {
        Db::Sqlite { readers, .. } => sqlx::query_scalar(text).fetch_one(readers).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(text).fetch_one(pool).await.unwrap(),
    }
}

/// Rows of text out of the database.
pub async fn texts(db: &Db, text: &'static str) -> Vec<String> {
    match db {
        Db::Sqlite { readers, .. } => sqlx::query_scalar(text).fetch_all(readers).await.unwrap(),
        Db::Postgres(pool) => sqlx::query_scalar(text).fetch_all(pool).await.unwrap(),
    }
}

/// Every value of every table, as text or as hex digits: what a dump of the database would show.
pub async fn dump(db: &Db) -> String {
    let mut dump = String::new();
    match db {
        Db::Sqlite { readers, .. } => {
            let tables: Vec<String> =
                sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
                    .fetch_all(readers)
                    .await
                    .unwrap();
            for table in tables {
                let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1)")
                    .bind(&table)
                    .fetch_all(readers)
                    .await
                    .unwrap();
                let shown: Vec<String> = columns.iter().map(|column| format!("hex(\"{column}\")")).collect();
                let text = format!("SELECT {} FROM \"{table}\"", shown.join(" || ' ' || "));
                let rows: Vec<String> =
                    sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_all(readers).await.unwrap();
                dump += &rows.join("\n");
            }
        }
        Db::Postgres(pool) => {
            let tables: Vec<String> =
                sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                    .fetch_all(pool)
                    .await
                    .unwrap();
            for table in tables {
                let text = format!("SELECT t::text FROM \"{table}\" t");
                let rows: Vec<String> =
                    sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_all(pool).await.unwrap();
                dump += &rows.join("\n");
            }
        }
    }
    dump.to_lowercase()
}

/// Whether a dump has a text, plainly or in hex digits.
pub fn holds(dump: &str, text: &str) -> bool {
    let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    dump.contains(&text.to_lowercase()) || dump.contains(&hex)
}
