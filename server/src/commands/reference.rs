//! `reference`: the releases of the reference data: list, compare, serve, go back, remove.
//!
//! A release is served only once it was read whole. Knows no record.

use clap::{Args, Subcommand};
use eservices_reference::{Comparison, Store};
use jiff::Timestamp;
use serde_json::json;

use super::{Answer, Context, Failure, output::table};
use crate::platform::{
    clock::instant,
    db::Db,
    network::releases::{self, ReleaseRow, Removed, Served},
    registry::CLI_ACTOR,
};

const EXAMPLES: &str = "\
Examples:
  eservices-server reference list
  eservices-server reference compare 20261101-0a1b2c3d4e5f 20261201-9f8e7d6c5b4a
  eservices-server reference serve 20261201-9f8e7d6c5b4a
  eservices-server reference rollback";

/// What to do with releases.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub enum Action {
    /// List every release, the last to come first.
    List,
    /// Say what differs between two releases: buildings added, changed, removed, and moves of state.
    Compare(Two),
    /// Have every node serve a release.
    Serve(Which),
    /// Have every node serve the release before.
    Rollback,
    /// Remove a release's files; neither the one that is served nor the one before.
    Remove(Which),
}

/// One release.
#[derive(Debug, Args)]
pub struct Which {
    /// Its name.
    #[arg(value_name = "RELEASE")]
    release: String,
}

/// Two releases.
#[derive(Debug, Args)]
pub struct Two {
    /// The earlier one.
    #[arg(value_name = "FROM")]
    from: String,
    /// The later one.
    #[arg(value_name = "TO")]
    to: String,
}

/// Does it.
pub async fn run(action: Action, context: &Context) -> Result<Answer, Failure> {
    let store = Store::open(&context.config.reference.folder).map_err(|e| Failure::new(e.to_string()))?;
    let db = context.database().await?;
    let answer = with_database(action, &store, &db, context).await;
    db.close().await;
    answer
}

async fn with_database(action: Action, store: &Store, db: &Db, context: &Context) -> Result<Answer, Failure> {
    let served = releases::served(&mut db.read().await?.conn()).await?;
    match action {
        Action::List => list(store, db, &served, context.json).await,
        Action::Compare(two) => compare(&two, store, context.json),
        Action::Serve(which) => serve(&which.release, store, db, context).await,
        Action::Rollback if served.previous.is_empty() => {
            Err(Failure::new("no other release was served before"))
        }
        Action::Rollback => serve(&served.previous, store, db, context).await,
        Action::Remove(which) => remove(&which.release, store, db, &served, context).await,
    }
}

async fn remove(
    release: &str,
    store: &Store,
    db: &Db,
    served: &Served,
    context: &Context,
) -> Result<Answer, Failure> {
    let in_use = |why: &str| Err(Failure::new(format!("{release}: {why}: serve another one first")));
    // Locked against imports from before the database says so until the files are gone.
    let removal = store.removal(release).map_err(|e| Failure::new(e.to_string()))?;
    match releases::take_away(db, release, context.clock.machine()).await? {
        Removed::InUse if release == served.previous => {
            return in_use("was served before, and a rollback would go back to it");
        }
        Removed::InUse => return in_use("is served"),
        Removed::Now | Removed::Unknown => {}
    }
    removal.complete().map_err(|e| Failure::new(e.to_string()))?;
    Ok(Answer::of(
        context.json,
        || format!("{release}: removed"),
        || json!({"release": release, "removed": true}),
    ))
}

async fn list(store: &Store, db: &Db, served: &Served, as_json: bool) -> Result<Answer, Failure> {
    let rows = releases::list(&mut db.read().await?.conn()).await?;
    let state = |row: &ReleaseRow| match store.manifest(&row.release) {
        _ if row.removed_at != 0 => "removed".to_owned(),
        _ if row.release == served.release => "served".to_owned(),
        Ok(_) if row.release == served.previous => "served before".to_owned(),
        Ok(_) => "ready".to_owned(),
        Err(refused) => refused.reason,
    };
    let on = |at: i64| instant(at).strftime("%Y-%m-%d %H:%M").to_string();
    Ok(Answer::of(
        as_json,
        || {
            let lines: Vec<Vec<String>> = rows
                .iter()
                .map(|row| {
                    let sources = row.sources.lines().count().to_string();
                    vec![
                        row.release.clone(),
                        state(row),
                        row.buildings.to_string(),
                        sources,
                        on(row.registered_at),
                    ]
                })
                .collect();
            table(&["RELEASE", "STATE", "BUILDINGS", "FILES", "REGISTERED (UTC)"], &lines)
        },
        || {
            let row = |row: &ReleaseRow| {
                json!({
                    "release": row.release,
                    "state": state(row),
                    "sha256": row.sha256,
                    "buildings": row.buildings,
                    "sources": row.sources.lines().collect::<Vec<_>>(),
                    "imported_on": row.imported_on,
                    "registered_by": row.registered_by,
                })
            };
            rows.iter().map(row).collect()
        },
    ))
}

async fn serve(release: &str, store: &Store, db: &Db, context: &Context) -> Result<Answer, Failure> {
    store.load(release).map_err(|e| Failure::new(e.to_string()))?;
    let manifest = store.manifest(release).map_err(|e| Failure::new(e.to_string()))?;
    let now: Timestamp = context.clock.machine();
    let row = ReleaseRow::of(&manifest, CLI_ACTOR, now);
    let changed = releases::bring_in(db, &row, true, now).await?;
    Ok(Answer::of(
        context.json,
        || format!("{release}: {}", if changed { "served from now on" } else { "is served already" }),
        || json!({"release": release, "changed": changed}),
    ))
}

fn compare(two: &Two, store: &Store, as_json: bool) -> Result<Answer, Failure> {
    let found: Comparison = store.compare(&two.from, &two.to).map_err(|e| Failure::new(e.to_string()))?;
    let moves: Vec<_> = found.states.iter().filter(|((a, b), _)| a != b).collect();
    Ok(Answer::of(
        as_json,
        || {
            let mut text = format!(
                "{} → {}: {} buildings added, {} changed, {} removed, {} the same\n",
                two.from, two.to, found.added, found.changed, found.removed, found.same
            );
            let lines: Vec<Vec<String>> =
                moves.iter().map(|((a, b), n)| vec![a.to_string(), b.to_string(), n.to_string()]).collect();
            if !lines.is_empty() {
                text += &table(&["STATE BEFORE", "STATE AFTER", "BUILDINGS"], &lines);
            }
            for example in &found.examples {
                text += &format!("  {}: {:?}\n", example.imb, example.difference);
            }
            text
        },
        || {
            let moved = |((a, b), n): &(&(_, _), &u64)| json!({"before": state(a), "after": state(b), "buildings": n});
            json!({
                "from": two.from, "to": two.to,
                "added": found.added, "changed": found.changed, "removed": found.removed, "same": found.same,
                "state_moves": moves.iter().map(moved).collect::<Vec<_>>(),
            })
        },
    ))
}

fn state(state: &eservices_reference::building::State) -> &'static str {
    state.as_str()
}
