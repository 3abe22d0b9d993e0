//! Watchers of many operators on one node, while appointments are held and cancelled: what is lost, how late it comes, what a
//! watcher takes of memory.
//!
//! An event holds the instant at which its work began to decide, on the same machine's clock: what is measured from there to
//! the moment at which the watcher has it contains the commit itself, so it is an upper bound of commit → delivery.

mod operator;
mod watcher;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use eservices_server::platform::clock::{Clock, Machine};
use tokio::task::JoinSet;

use self::{
    operator::Operator,
    watcher::{Seen, Tally},
};
use crate::{
    Failure,
    load::Wire,
    process::{self, Served},
    report,
    stage::Stage,
    world,
};

/// How many watch what.
#[derive(Debug)]
pub struct Plan {
    /// Operators.
    pub operators: u64,
    /// Watchers.
    pub watchers: u64,
    /// Changes a second.
    pub per_second: u64,
    /// For so long.
    pub window: Duration,
    /// PostgreSQL; a SQLite file otherwise.
    pub database: Option<String>,
}

/// What operators hold.
const RIGHT: &str = "e-rdv-grand-public";

/// What watchers may take to get the last event.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a server rests before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// Watchers on one connection: as many streams as the server lets one have.
const PER_CONNECTION: u64 = 100;

/// Measures and prints.
pub async fn measure(plan: &Plan) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let mut config = world::configuration(folder.path());
    world::on(&mut config, plan.database.as_deref());
    config.events.watches_per_certificate = usize::try_from(plan.watchers)?;
    config.limits.max_connections = 100_000;
    config.limits.connections_per_certificate = 100_000;
    let files = world::demo_files()?;
    let stage = Stage::make(folder.path(), &config, files, plan.operators, &[RIGHT]).await?;
    let served = Served::start("child-eligibility", folder.path()).await?;
    let id = served.id()?;
    let slots = stage.publish(served.port).await?;
    let mut operators = Vec::new();
    for (n, tls) in stage.operators.iter().enumerate() {
        operators.push(Operator::enter(served.port, tls, slots[n % slots.len()].clone()).await?);
    }
    // Every path has been walked once, and every connection for writing stands, before memory counts.
    write(&mut operators, plan.per_second, Duration::from_secs(2)).await?;
    tokio::time::sleep(REST).await;
    let before = process::memory_kib(id, "VmRSS")?;

    let tally = Arc::new(Tally::default());
    let clock = Clock::new(Machine::System, false);
    let mut watchers = JoinSet::new();
    let starts: Vec<i64> = operators.iter().map(|o| o.revision).collect();
    for (n, tls) in stage.operators.iter().enumerate() {
        let share = share(plan.watchers, plan.operators, n);
        let mut left = share;
        while left > 0 {
            let wire = Wire::open(served.port, tls).await?;
            for _ in 0..left.min(PER_CONNECTION) {
                watchers.spawn(watcher::run(wire.clone(), clock.clone(), Arc::clone(&tally), n, starts[n]));
            }
            left = left.saturating_sub(PER_CONNECTION);
        }
    }
    until(|| tally.standing.load(Ordering::Relaxed) == plan.watchers, "watchers that stand").await?;
    tokio::time::sleep(REST).await;
    let standing = process::memory_kib(id, "VmRSS")?;

    let (cpu, started) = (process::cpu(id)?, Instant::now());
    let written = write(&mut operators, plan.per_second, plan.window).await?;
    let took = started.elapsed();
    let expected: u64 = operators
        .iter()
        .enumerate()
        .map(|(n, o)| (o.revision - starts[n]).unsigned_abs() * share(plan.watchers, plan.operators, n))
        .sum();
    drop(until(|| tally.delivered.load(Ordering::Relaxed) >= expected, "events delivered").await);
    let cpu = process::cpu(id)? - cpu;
    let after = process::memory_kib(id, "VmRSS")?;
    tally.over.cancel();
    let mut all = Seen::default();
    while let Some(seen) = watchers.join_next().await {
        all.add(seen??);
    }
    print(plan, &Figures { written, took, expected, cpu, before, standing, after }, &mut all);
    let faultless = all.micros.len() as u64 == expected && all.out_of_order == 0;
    if faultless { Ok(()) } else { Err("events were lost, or came twice".into()) }
}

struct Figures {
    written: u64,
    took: Duration,
    expected: u64,
    cpu: Duration,
    before: u64,
    standing: u64,
    after: u64,
}

#[expect(clippy::cast_precision_loss, reason = "figures to be shown")]
fn print(plan: &Plan, figures: &Figures, all: &mut Seen) {
    let here = report::Report::here();
    let engine = if plan.database.is_some() { "PostgreSQL" } else { "SQLite" };
    let Figures { written, took, expected, cpu, before, standing, after } = *figures;
    all.micros.sort_unstable();
    let at = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
        let at = (all.micros.len() as f64 * share) as usize;
        f64::from(all.micros.get(at.min(all.micros.len().saturating_sub(1))).copied().unwrap_or(0)) / 1e3
    };
    println!("{} cores, {}; {engine}", here.cores, here.cpu);
    println!(
        "{} watchers of {} operators; {written} changes in {:.1} s, {:.0} a second",
        plan.watchers,
        plan.operators,
        took.as_secs_f64(),
        written as f64 / took.as_secs_f64()
    );
    let delivered = all.micros.len() as u64;
    println!(
        "events expected {expected}, delivered {delivered}, lost {}, twice or out of order {}; heartbeats {}",
        expected.saturating_sub(delivered),
        all.out_of_order,
        all.heartbeats
    );
    println!(
        "decision (before commit) to delivery, ms: p50 {:.2}, p99 {:.2}, p99.9 {:.2}, most {:.2}",
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    println!(
        "server CPU: {:.0} µs a change, its deliveries included; {:.2} cores",
        cpu.as_micros() as f64 / written.max(1) as f64,
        cpu.as_secs_f64() / took.as_secs_f64()
    );
    let each = |from: u64, to: u64| to.saturating_sub(from) as f64 / plan.watchers as f64;
    println!(
        "resident: {before} KiB without watchers, {standing} KiB with them ({:.1} KiB a watcher, its share of a connection included), \
         {after} KiB after the load ({:.1} KiB a watcher)",
        each(before, standing),
        each(before, after)
    );
}

/// How many of them are the n-th operator's.
fn share(watchers: u64, operators: u64, n: usize) -> u64 {
    watchers / operators + u64::from((n as u64) < watchers % operators)
}

/// Has every operator make its part of the changes, at its pace; answers how many were made.
async fn write(operators: &mut Vec<Operator>, per_second: u64, window: Duration) -> Result<u64, Failure> {
    let pause = Duration::from_secs(1).mul_f64(operators.len() as f64) / u32::try_from(per_second)?;
    let end = Instant::now() + window;
    let mut tasks = JoinSet::new();
    let count = u32::try_from(operators.len())?;
    for (n, mut operator) in std::mem::take(operators).into_iter().enumerate() {
        let offset = pause * u32::try_from(n)? / count;
        tasks.spawn(async move {
            let made = operator.keep_changing(offset, pause, end).await?;
            Ok::<_, Failure>((n, operator, made))
        });
    }
    let (mut back, mut total) = (Vec::new(), 0);
    while let Some(done) = tasks.join_next().await {
        let (n, operator, made) = done??;
        back.push((n, operator));
        total += made;
    }
    back.sort_by_key(|(n, _)| *n);
    operators.extend(back.into_iter().map(|(_, operator)| operator));
    Ok(total)
}

async fn until(holds: impl Fn() -> bool, what: &str) -> Result<(), Failure> {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        if Instant::now() >= end {
            return Err(format!("{what}: not within {PATIENCE:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
