//! P8, P9, P10 under kill -9: the real binary, killed at random points under ten clients that hold, move, cancel and order.
//!
//! `ESERVICES_KILLS` sets how often (3 unless set, 20 by hand), `ESERVICES_KILL_SEED` repeats the dice of a run (the
//! interleaving of processes stays its own). On SQLite, and on PostgreSQL where `ESERVICES_TEST_DATABASE` names a server.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod clients;
mod history;
mod process;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use self::{
    clients::{Clients, Shared},
    history::{Operation, Outcome, Tables, Violation},
    process::{Process, World},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kills_on_sqlite() {
    run(World::new(None).await, "sqlite").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_kills_on_postgres() {
    if let Some(url) = process::postgres().await {
        run(World::new(Some(url)).await, "postgres").await;
    }
}

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|n| n.parse().unwrap())
}

async fn run(world: World, engine: &str) {
    let kills = from_env("ESERVICES_KILLS").unwrap_or(3);
    let seed = from_env("ESERVICES_KILL_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    println!("{engine}: {kills} kills, ESERVICES_KILL_SEED={seed}");
    let begin = Instant::now();
    let mut dice = StdRng::seed_from_u64(seed);
    let mut process = Process::new(world.dir.path(), |grpc, local| world.config(grpc, local));
    process.start().await;
    let shared = Arc::new(Shared::default());
    let clients = Clients::start(&world, process.grpc, &shared, seed);
    for _ in 0..kills {
        // At a random point of the work, and of one call: that much is answered, and then a moment that nothing announces.
        shared.after_answers(dice.random_range(100..400)).await;
        tokio::time::sleep(Duration::from_micros(dice.random_range(0..4_000))).await;
        process.kill();
        process.start().await;
    }
    shared.after_lapse().await;
    shared.stopping.store(true, Ordering::Relaxed);
    let history = clients.finish().await;
    process.kill();

    let tables = history::read(&world.database_url).await.unwrap();
    let violations = history::check(&history, &tables);
    println!("{engine}: {} in {:.1?}", summary(&history, &tables), begin.elapsed());
    report(&violations);
    assert!(
        violations.is_empty(),
        "{} promises broken (seed {seed})\n{}",
        violations.len(),
        process.last_words()
    );
}

fn summary(history: &[Operation], tables: &Tables) -> String {
    let attempts = || history.iter().flat_map(|o| &o.attempts);
    let acknowledged = attempts().filter(|a| matches!(a, Outcome::Acknowledged(_))).count();
    let unknown = attempts().filter(|a| **a == Outcome::Unknown).count();
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for attempt in attempts() {
        if let Outcome::Refused(reason) = attempt {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let events = tables.events.len();
    let (orders, over) = (tables.orders.len(), tables.orders.iter().filter(|o| o.state == "failed").count());
    let lapses = tables.events.iter().filter(|e| e.kind == "appointments.lapsed").count();
    format!(
        "{} operations, attempts: {acknowledged} acknowledged, {unknown} unknown, refused {reasons:?}; {events} events, \
         {lapses} of them lapses; {orders} orders, {over} of them cancelled",
        history.len()
    )
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
