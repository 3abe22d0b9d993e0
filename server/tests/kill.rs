//! P8, P9, P10 under kill -9: the real binary, killed at random points under ten clients that hold, move, cancel, order and
//! follow their orders; then the field's workers, killed at random points of their work; watches run through all of it.
//!
//! A run goes on after that until every kind of journey was seen to its end (`process/course.rs`), and comes to rest.
//!
//! `ESERVICES_KILLS` sets how often of each (3 unless set, 20 by hand), `ESERVICES_KILL_SEED` repeats the dice of a run (the
//! interleaving of processes stays its own). On SQLite, and on PostgreSQL where `ESERVICES_TEST_DATABASE` names a server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clients;
mod history;
mod imports;
mod process;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use self::{
    clients::{Clients, PATIENCE, Shared, Watches},
    history::{Operation, Outcome, Tables, Violation, Watched},
    process::{Field, Process, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kills_on_sqlite() {
    run(None, "sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kills_on_postgres() {
    if let Some(url) = process::postgres().await {
        run(Some(url), "postgres").await;
    }
}

/// How many seasons a run goes on for what it has not seen yet. Some five orders are placed in each, of nine scenarios: what
/// fifty do not bring does not come.
const MORE_SEASONS: usize = 50;

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|n| n.parse().unwrap())
}

async fn run(database_url: Option<String>, engine: &str) {
    let kills = from_env("ESERVICES_KILLS").unwrap_or(3);
    let seed = from_env("ESERVICES_KILL_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    println!("{engine}: {kills} kills of the server, {kills} of workers, ESERVICES_KILL_SEED={seed}");
    let begin = Instant::now();
    let mut dice = StdRng::seed_from_u64(seed);
    let kills = usize::try_from(kills).unwrap();
    let world = World::new(database_url).await;
    let mut process = Process::new(world.dir.path(), |grpc, local| world.config(grpc, local));
    process.start().await;
    let shared = Arc::new(Shared::default());
    let watches = Watches::start(&world, process.grpc).await;
    let clients = Clients::start(&world, process.grpc, &shared, seed);
    let mut field = Field::start(&world, process.grpc);
    let mut samples = Vec::new();
    for round in 0..2 * kills {
        // The visits of the season are due somewhere in its course.
        shared.after_answers(dice.random_range(40..150)).await;
        samples.extend(history::sample(&world.database_url).await.unwrap());
        world.turn(round, false).await;
        shared.season.store(round + 1, Ordering::Relaxed);
        // At a random point of the work, and of one call: that much is answered, and then a moment that nothing announces.
        shared.after_answers(dice.random_range(40..150)).await;
        tokio::time::sleep(Duration::from_micros(dice.random_range(0..4_000))).await;
        if round < kills {
            watches.stand(round).await;
            process.kill();
            process.start().await;
        } else {
            field.replace(dice.random_range(0..field.size()));
        }
    }
    let (last, unseen) = go_on(&world, &shared, 2 * kills).await;
    shared.after_lapse().await;
    shared.stopping.store(true, Ordering::Relaxed);
    let history = clients.finish().await;
    // What is still left is found by the checker.
    world.turn(last, true).await;
    let rested = world.rest(last, PATIENCE).await;
    field.stop();
    process.kill();

    let tables = Tables { samples, ..history::read(&world.database_url).await.unwrap() };
    process.start().await;
    let watched =
        watches.finish(tables.parties.iter().map(|p| (p.party_id.clone(), p.revision)).collect()).await;
    process.kill();
    let violations = history::check(&history, &watched, &tables);
    println!("{engine}: {}", summary(&history, &tables));
    println!("{engine}: {} in {:.1?}", summary_of_field(&watched, &tables), begin.elapsed());
    report(&violations);
    assert!(
        violations.is_empty(),
        "{} promises broken (seed {seed})\n{}",
        violations.len(),
        process.last_words()
    );
    assert_eq!(
        rested,
        Ok(()),
        "the run does not come to rest: so much is left, and nothing moved for {PATIENCE:?}"
    );
    assert_eq!(unseen, [""; 0], "a run without it says little (seed {seed})");
    for watch in &watched {
        let (seen, cuts) = (watch.seen.len(), watch.cuts);
        assert!(seen > 0 && cuts >= kills, "{}: its watch saw {seen} events, {cuts} cuts", watch.party_id);
    }
}

/// Season after season until everything was seen that a run is for; answers the last season, and what was not seen.
async fn go_on(world: &World, shared: &Shared, mut season: usize) -> (usize, Vec<&'static str>) {
    let mut unseen = world.unseen().await;
    for _ in 0..MORE_SEASONS {
        if unseen.is_empty() {
            break;
        }
        println!("season {season}, to see {unseen:?}");
        shared.after_answers(100).await;
        world.turn(season, false).await;
        season += 1;
        shared.season.store(season, Ordering::Relaxed);
        if !world.field_goes_on(PATIENCE).await {
            break;
        }
        unseen = world.unseen().await;
    }
    (season, unseen)
}

fn summary(history: &[Operation], tables: &Tables) -> String {
    let attempts = || history.iter().flat_map(|o| &o.attempts);
    let acknowledged = attempts().filter(|a| matches!(a, Outcome::Acknowledged(_))).count();
    let unknown = attempts().filter(|a| **a == Outcome::Unknown).count();
    let reasons = count(attempts().filter_map(|a| match a {
        Outcome::Refused(reason) => Some(reason.as_str()),
        _ => None,
    }));
    let events = tables.events.len();
    let lapses = tables.events.iter().filter(|e| e.kind == "appointments.lapsed").count();
    format!(
        "{} operations, attempts: {acknowledged} acknowledged, {unknown} unknown, refused {reasons:?}; {events} events, \
         {lapses} of them lapses",
        history.len()
    )
}

fn summary_of_field(watched: &[Watched], tables: &Tables) -> String {
    let orders = count(tables.orders.iter().map(|o| format!("{} {}", o.kind, o.state)));
    let entries = count(tables.entries.iter().filter(|e| e.author != "operator").map(|e| e.kind.as_str()));
    let over = tables.work.iter().filter(|w| w.token > 1).count();
    let (seen, cuts) = watched.iter().fold((0, 0), |(seen, cuts), w| (seen + w.seen.len(), cuts + w.cuts));
    format!(
        "orders {orders:?}; {} pieces of work, {over} of them taken over, milestones {entries:?}; {} watches cut {cuts} \
         times saw {seen} events",
        tables.work.len(),
        watched.len()
    )
}

fn count<T: Ord>(things: impl Iterator<Item = T>) -> BTreeMap<T, usize> {
    let mut count = BTreeMap::new();
    for thing in things {
        *count.entry(thing).or_default() += 1;
    }
    count
}

fn report(violations: &[Violation]) {
    let mut count: BTreeMap<history::Rule, usize> = BTreeMap::new();
    for violation in violations {
        let seen = count.entry(violation.rule).or_default();
        *seen += 1;
        if *seen <= 3 {
            println!("BROKEN {:?}: {}", violation.rule, violation.what);
        }
    }
    if !violations.is_empty() {
        println!("BROKEN in all: {count:?}");
    }
}
