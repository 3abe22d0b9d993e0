//! Rows that an order adds or changes, a table: both sides must come to as many, and to as much text in them, or nothing is
//! compared.

use std::collections::{BTreeMap, HashSet};

use eservices_server::platform::db::Db;
use sqlx::AssertSqlSafe;

use crate::Failure;

/// Every row of every table, as text.
pub struct Rows(BTreeMap<String, HashSet<String>>);

impl Rows {
    /// Reads them all.
    pub async fn of(db: &Db) -> Result<Self, Failure> {
        let mut rows = BTreeMap::new();
        for table in tables(db).await? {
            let found = match db {
                Db::Sqlite { readers, .. } => {
                    let columns = "SELECT name FROM pragma_table_info($1)";
                    let columns: Vec<String> =
                        sqlx::query_scalar(columns).bind(&table).fetch_all(readers).await?;
                    let quoted: Vec<String> = columns.iter().map(|name| format!("quote({name})")).collect();
                    let text = format!("SELECT {} FROM {table}", quoted.join(" || ',' || "));
                    sqlx::query_scalar::<_, String>(AssertSqlSafe(text)).fetch_all(readers).await?
                }
                Db::Postgres(pool) => {
                    let text = format!("SELECT t::text FROM {table} t");
                    sqlx::query_scalar::<_, String>(AssertSqlSafe(text)).fetch_all(pool).await?
                }
            };
            rows.insert(table, found.into_iter().collect());
        }
        Ok(Self(rows))
    }

    /// What is in `later` that is not here, by table.
    pub fn new_in(&self, later: &Self) -> BTreeMap<String, New> {
        let none = HashSet::new();
        let count = |(table, rows): (&String, &HashSet<String>)| {
            let new = rows.difference(self.0.get(table).unwrap_or(&none));
            let new = new.fold(New::default(), |New { rows, text }, row| New {
                rows: rows + 1,
                text: text + row.chars().count(),
            });
            (new.rows > 0).then(|| (table.clone(), new))
        };
        later.0.iter().filter_map(count).collect()
    }
}

/// New rows of a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct New {
    /// How many.
    pub rows: usize,
    /// How long they are as text, all together.
    pub text: usize,
}

impl New {
    /// Whether these are as many rows as those, and about as much text: not a tenth less.
    pub const fn is_like(self, other: Self) -> bool {
        let (less, more) =
            if self.text < other.text { (self.text, other.text) } else { (other.text, self.text) };
        self.rows == other.rows && less * 10 >= more * 9
    }
}

async fn tables(db: &Db) -> Result<Vec<String>, Failure> {
    let names: Vec<String> = match db {
        Db::Sqlite { readers, .. } => {
            let text = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
            sqlx::query_scalar(text).fetch_all(readers).await?
        }
        Db::Postgres(pool) => {
            let text = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
            sqlx::query_scalar(text).fetch_all(pool).await?
        }
    };
    Ok(names.into_iter().filter(|name| !name.starts_with("_sqlx")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_less_text_is_alike_and_more_is_not() {
        let new = |rows, text| New { rows, text };
        for (one, other, alike) in [
            (new(1, 100), new(1, 90), true),
            (new(1, 90), new(1, 100), true),
            (new(1, 100), new(1, 89), false),
            (new(1, 89), new(1, 100), false),
            (new(1, 100), new(2, 100), false),
        ] {
            assert_eq!(one.is_like(other), alike, "{one:?}, {other:?}");
        }
    }
}
