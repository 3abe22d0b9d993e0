//! What was measured, for people and for machines.

use std::fs;

use serde::Serialize;

use crate::Failure;

/// One window of one server.
#[derive(Debug)]
pub struct Measured {
    /// Calls answered.
    pub requests: usize,
    /// User and system time of the server per call.
    pub cpu_micros: f64,
    /// Calls a second.
    pub per_second: f64,
    /// Median latency.
    pub p50_micros: f64,
    /// 99 % of the calls were answered within.
    pub p99_micros: f64,
    /// Cores that neither the server nor the client used, and that were not idle: how noisy the window was.
    pub others_cores: f64,
}

/// Everything that one run says.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Model of the CPU.
    pub cpu: String,
    /// Cores that the process may use.
    pub cores: usize,
    /// How it was measured.
    pub settings: Option<String>,
    /// One a question.
    pub figures: Vec<Figure>,
    /// The whole stack's memory under load.
    pub memory: Option<Memory>,
    /// Of the server's binary.
    pub launch: Option<Launched>,
}

/// One question, asked to every server.
#[derive(Debug, Serialize)]
pub struct Figure {
    /// What was asked.
    pub question: &'static str,
    /// Size of the question's message.
    pub question_bytes: usize,
    /// Size of the answer's message.
    pub answer_bytes: usize,
    /// Medians over the rounds.
    pub servers: Vec<Row>,
    /// The whole stack to the others.
    pub ratios: Vec<Ratio>,
    /// CPU microseconds per request of every round, by server.
    pub rounds: Vec<Vec<f64>>,
}

/// Medians of one server.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Which.
    pub server: &'static str,
    /// User and system time per call.
    pub cpu_micros: f64,
    /// Calls a second.
    pub per_second: f64,
    /// Median latency.
    pub p50_micros: f64,
    /// 99 % of the calls were answered within.
    pub p99_micros: f64,
    /// Cores busy with neither server nor client.
    pub others_cores: f64,
}

/// The whole stack to another server: taken within each round.
#[derive(Debug, Serialize)]
pub struct Ratio {
    /// To which.
    pub to: &'static str,
    /// Of CPU per call.
    pub cpu: Spread,
    /// Of calls a second.
    pub throughput: Spread,
}

/// A figure over the rounds.
#[derive(Debug, Serialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The lowest.
    pub least: f64,
    /// The highest.
    pub most: f64,
}

/// Resident memory of the whole stack before and after so many calls.
#[derive(Debug, Serialize)]
pub struct Memory {
    /// Calls in between.
    pub requests: usize,
    /// After the warm-up.
    pub resident_before_kib: u64,
    /// At the end.
    pub resident_after_kib: u64,
}

/// Figures of the server's binary.
#[derive(Debug, Serialize)]
pub struct Launched {
    /// From the start of the process to the first answer, TLS handshake included.
    pub start_millis: f64,
    /// Resident memory when idle, pages of the binary included.
    pub idle_resident_mib: f64,
    /// Of it, memory that no file backs.
    pub idle_anonymous_mib: f64,
    /// The file.
    pub binary_mib: f64,
}

impl Report {
    /// Of this machine, with nothing measured yet.
    pub fn here() -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = text.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
        Self {
            cpu: model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            settings: None,
            figures: Vec::new(),
            memory: None,
            launch: None,
        }
    }
}

impl Spread {
    /// Over these.
    pub fn of(values: &[f64]) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        Self { median: median(values), least, most }
    }
}

/// The middle value; of an even number the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.get(half), sorted.len() % 2) {
        (None, _) => 0.0,
        (Some(upper), 0) => f64::midpoint(sorted[half - 1], *upper),
        (Some(middle), _) => *middle,
    }
}

/// Prints it.
pub fn print(report: &Report, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string_pretty(report)?);
        return Ok(());
    }
    println!("{} cores, {}", report.cores, report.cpu);
    if let Some(settings) = &report.settings {
        println!("{settings}; medians");
    }
    for figure in &report.figures {
        println!();
        println!(
            "{}: question {} bytes, answer {} bytes",
            figure.question, figure.question_bytes, figure.answer_bytes
        );
        println!();
        println!("| server              | CPU µs/request | requests/s | p50 ms | p99 ms | others' cores |");
        println!("| ------------------- | -------------: | ---------: | -----: | -----: | ------------: |");
        for row in &figure.servers {
            println!(
                "| {:<19} | {:>14.1} | {:>10.0} | {:>6.2} | {:>6.2} | {:>13.2} |",
                row.server,
                row.cpu_micros,
                row.per_second,
                row.p50_micros / 1e3,
                row.p99_micros / 1e3,
                row.others_cores
            );
        }
        println!();
        println!("| whole stack to      | CPU                | throughput         |");
        println!("| ------------------- | ------------------ | ------------------ |");
        for ratio in &figure.ratios {
            println!("| {:<19} | {} | {} |", ratio.to, spread(&ratio.cpu), spread(&ratio.throughput));
        }
    }
    if let Some(memory) = &report.memory {
        println!();
        println!(
            "whole stack, resident: {} KiB after the warm-up, {} KiB after {} more requests",
            memory.resident_before_kib, memory.resident_after_kib, memory.requests
        );
    }
    if let Some(launch) = &report.launch {
        println!();
        println!("start to first WhoAmI answered: {:.0} ms", launch.start_millis);
        println!(
            "idle resident: {:.1} MiB, of which anonymous {:.1} MiB",
            launch.idle_resident_mib, launch.idle_anonymous_mib
        );
        println!("binary: {:.1} MiB", launch.binary_mib);
    }
    Ok(())
}

/// A figure with its spread, for people.
pub fn spread(figure: &Spread) -> String {
    format!("{:>4.2} ({:.2} to {:.2})", figure.median, figure.least, figure.most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!(median(&[]).abs() < f64::EPSILON);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
    }
}
