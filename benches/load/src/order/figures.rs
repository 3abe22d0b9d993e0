//! Turns and what they come to, for people and for machines.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use serde::Serialize;

use super::{
    Plan,
    side::{Quotes, Side},
};
use crate::{
    Failure, process,
    report::{Report, Spread, median, spread},
};

/// One turn of one side.
pub struct Turn {
    alone: f64,
    at_once: f64,
    per_second: f64,
    cpu: f64,
}

impl Turn {
    /// Orders alone, then at once; `id` is the process whose CPU time is the side's.
    pub async fn take(side: &Arc<Side>, quotes: &mut Quotes, id: u32, plan: &Plan) -> Result<Self, Failure> {
        let cpu = process::cpu(id)?;
        let alone = side.alone(quotes, plan.alone).await?;
        let begun = Instant::now();
        let at_once = side.at_once(quotes, plan.each).await?;
        let took = begun.elapsed();
        let cpu = process::cpu(id)? - cpu;
        let count = |of: &[f64]| -> Result<f64, Failure> { Ok(f64::from(u32::try_from(of.len())?)) };
        Ok(Self {
            alone: median(&alone),
            at_once: median(&at_once),
            per_second: count(&at_once)? / took.as_secs_f64(),
            cpu: cpu.as_secs_f64() * 1e6 / (count(&alone)? + count(&at_once)?),
        })
    }
}

/// Everything that one run says.
#[derive(Debug, Serialize)]
pub struct Figures {
    cpu: String,
    cores: usize,
    engine: &'static str,
    settings: String,
    /// Rows that one order adds or changes, by table, on both sides.
    rows: BTreeMap<String, usize>,
    /// The server, then by hand.
    round_trips: [f64; 2],
    /// Median of a call that asks no database.
    bare_call_micros: f64,
    sides: [Row; 2],
    /// The server to the one by hand, within each round.
    ratios: Ratios,
}

#[derive(Debug, Serialize)]
struct Row {
    side: &'static str,
    alone_p50_micros: f64,
    at_once_p50_micros: f64,
    at_once_per_second: f64,
    cpu_micros: f64,
}

#[derive(Debug, Serialize)]
struct Ratios {
    alone: Spread,
    alone_without_the_call: Spread,
    at_once: Spread,
    per_second: Spread,
    cpu: Spread,
    round_trips: f64,
}

impl Figures {
    /// Medians over the rounds.
    pub fn of(
        plan: &Plan,
        rows: BTreeMap<String, usize>,
        round_trips: [f64; 2],
        bare_call: f64,
        turns: &[[Turn; 2]],
    ) -> Self {
        let here = Report::here();
        let ratio = |of: fn(&Turn) -> f64| {
            Spread::of(&turns.iter().map(|[server, hand]| of(server) / of(hand)).collect::<Vec<_>>())
        };
        let row = |n: usize, side| {
            let middle =
                |of: fn(&Turn) -> f64| median(&turns.iter().map(|turn| of(&turn[n])).collect::<Vec<_>>());
            Row {
                side,
                alone_p50_micros: middle(|t| t.alone),
                at_once_p50_micros: middle(|t| t.at_once),
                at_once_per_second: middle(|t| t.per_second),
                cpu_micros: middle(|t| t.cpu),
            }
        };
        let without =
            turns.iter().map(|[server, hand]| (server.alone - bare_call) / hand.alone).collect::<Vec<_>>();
        Self {
            cpu: here.cpu,
            cores: here.cores,
            engine: if plan.database.is_some() { "PostgreSQL" } else { "SQLite" },
            settings: format!(
                "{} rounds of {} orders alone and {} at once of {} operators, server and by hand in turns",
                plan.rounds,
                plan.alone,
                plan.each * plan.at_once,
                plan.at_once
            ),
            rows,
            round_trips,
            bare_call_micros: bare_call,
            sides: [row(0, "CreateOrder"), row(1, "by hand")],
            ratios: Ratios {
                alone: ratio(|t| t.alone),
                alone_without_the_call: Spread::of(&without),
                at_once: ratio(|t| t.at_once),
                per_second: ratio(|t| t.per_second),
                cpu: ratio(|t| t.cpu),
                round_trips: round_trips[0] / round_trips[1],
            },
        }
    }
}

/// Prints it.
pub fn print(figures: &Figures, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(figures)?);
        return Ok(());
    }
    println!("{} cores, {}; {}; {}", figures.cores, figures.cpu, figures.engine, figures.settings);
    let rows: Vec<String> = figures.rows.iter().map(|(table, rows)| format!("{table} {rows}")).collect();
    println!("rows that an order adds or changes, the same on both sides: {}", rows.join(", "));
    println!();
    println!(
        "|             | round trips | alone, p50 µs | at once, p50 µs | at once, orders/s | CPU µs/order |"
    );
    println!(
        "| ----------- | ----------: | ------------: | --------------: | ----------------: | -----------: |"
    );
    for (row, round_trips) in figures.sides.iter().zip(figures.round_trips) {
        println!(
            "| {:<11} | {round_trips:>11} | {:>13.0} | {:>15.0} | {:>17.0} | {:>12.0} |",
            row.side, row.alone_p50_micros, row.at_once_p50_micros, row.at_once_per_second, row.cpu_micros
        );
    }
    println!();
    let ratios = &figures.ratios;
    println!("the server to the one by hand, within each round:");
    println!("  latency alone              {}", spread(&ratios.alone));
    println!(
        "  without a call's own part  {}   ({:.0} µs: WhoAmI, which asks no database)",
        spread(&ratios.alone_without_the_call),
        figures.bare_call_micros
    );
    println!("  latency at once            {}", spread(&ratios.at_once));
    println!("  orders a second            {}", spread(&ratios.per_second));
    println!("  CPU of the process         {}", spread(&ratios.cpu));
    println!("  round trips                {:>4.2}", ratios.round_trips);
    Ok(())
}
