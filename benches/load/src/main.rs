//! What a call costs the server: eligibility through the whole stack against bare echoes of the same answer; and what a watch
//! costs it, and how late it is; and what a committed order costs beside the same rows written by hand.
//!
//! Each server is a process of its own, so that the kernel counts its CPU time apart from the client's. Everything
//! stays on 127.0.0.1, in a temporary folder, and ends after the time that was asked for.

mod child;
mod compare;
mod echo;
mod launch;
mod load;
mod order;
mod process;
mod report;
mod stage;
mod watch;
mod world;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Args, Parser, Subcommand};

/// Why something could not be measured.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measure CPU per request, throughput and latency; start time, idle memory and size of the server.
#[derive(Debug, Parser)]
#[command(name = "eservices-load", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Eligibility through the whole stack, an echo on our own loop and an echo on tonic's default, in turns.
    Compare(Compare),
    /// Start time, idle memory and size of the server's binary, alone.
    Launch(Launch),
    /// Watchers of many operators while changes are made: lost, late, memory.
    Watch(Watched),
    /// A committed order through the whole server, and a hand-written transaction of the same rows, in turns.
    #[command(after_help = ORDER_EXAMPLES)]
    Order(Ordered),
    /// The whole server, as `eservices-server serve` runs it.
    #[command(hide = true)]
    ChildEligibility(Child),
    /// An echo on our own accept loop, TLS and HTTP/2 settings, without the pipeline.
    #[command(hide = true)]
    ChildEchoOwn(Child),
    /// An echo on tonic's default server.
    #[command(hide = true)]
    ChildEchoTonic(Child),
}

/// How to measure.
#[derive(Debug, Args)]
struct Compare {
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=50))]
    rounds: u64,
    /// Connections.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=64))]
    connections: u64,
    /// Calls at once on each connection.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u64).range(1..=100))]
    streams: u64,
    /// JSON, for machines.
    #[arg(long)]
    json: bool,
    /// The server's release binary [default: `eservices-server` beside this one; without one nothing is launched].
    #[arg(long)]
    server: Option<PathBuf>,
}

/// What to start.
#[derive(Debug, Args)]
struct Launch {
    /// Starts; figures are medians over them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=50))]
    rounds: u64,
    /// JSON, for machines.
    #[arg(long)]
    json: bool,
    /// The server's release binary [default: `eservices-server` beside this one].
    #[arg(long)]
    server: Option<PathBuf>,
}

/// How many watch what.
#[derive(Debug, Args)]
struct Watched {
    /// Operators.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=2_000))]
    operators: u64,
    /// Watchers, shared out evenly; those of one operator share a connection, a hundred at most.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=50_000))]
    watchers: u64,
    /// Changes a second, shared out evenly.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=5_000))]
    per_second: u64,
    /// For so long, seconds.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// An empty PostgreSQL database [default: a SQLite file in a temporary folder].
    #[arg(long)]
    database: Option<String>,
}

/// Shown below the help of `order`.
const ORDER_EXAMPLES: &str = "Examples:
  eservices-load order
  eservices-load order --rounds 9 --json
  eservices-load order --database postgres://postgres@127.0.0.1:5432/load

It prints medians and ratios of latency, orders a second and CPU, and the round trips of one order to the database on each
side. PostgreSQL: the database must be empty; a copy of it, <name>_by_hand, is made beside it and dropped at the end.";

/// How to order.
#[derive(Debug, Args)]
struct Ordered {
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=50))]
    rounds: u16,
    /// Orders of a round that are placed one after the other, on each side.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    alone: u16,
    /// Operators that order at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=32))]
    at_once: u16,
    /// Orders of each of them in a round.
    #[arg(long, default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..=200))]
    each: u16,
    /// JSON, for machines.
    #[arg(long)]
    json: bool,
    /// An empty PostgreSQL database [default: a SQLite file in a temporary folder].
    #[arg(long)]
    database: Option<String>,
}

/// What a child process serves from.
#[derive(Debug, Args)]
struct Child {
    /// Folder with certificates, configuration and answers.
    #[arg(long)]
    folder: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Compare(args) => compare(args).await,
        Command::Launch(args) => {
            let server = args.server.map_or_else(beside, Ok)?;
            let launched = launch::measure(&server, args.rounds).await?;
            report::print(&report::Report { launch: Some(launched), ..report::Report::here() }, args.json)
        }
        Command::Watch(args) => {
            let plan = watch::Plan {
                operators: args.operators,
                watchers: args.watchers,
                per_second: args.per_second,
                window: Duration::from_secs(args.seconds),
                database: args.database,
            };
            watch::measure(&plan).await
        }
        Command::Order(args) => {
            let plan = order::Plan {
                rounds: args.rounds.into(),
                alone: args.alone.into(),
                at_once: args.at_once.into(),
                each: args.each.into(),
                database: args.database,
                json: args.json,
            };
            order::measure(&plan).await
        }
        Command::ChildEligibility(args) => child::eligibility(&args.folder).await,
        Command::ChildEchoOwn(args) => child::echo_own(&args.folder).await,
        Command::ChildEchoTonic(args) => child::echo_tonic(&args.folder).await,
    }
}

async fn compare(args: Compare) -> Result<(), Failure> {
    let server = match args.server {
        Some(named) => Some(named),
        None => Some(beside()?).filter(|path| path.is_file()),
    };
    let launch = match &server {
        Some(path) => Some(launch::measure(path, 5).await?),
        None => None,
    };
    let plan = compare::Plan {
        window: Duration::from_secs(args.seconds),
        rounds: args.rounds,
        connections: args.connections,
        streams: args.streams,
    };
    let mut report = compare::measure(&plan).await?;
    report.launch = launch;
    report::print(&report, args.json)
}

/// The server's binary in the folder of this one.
fn beside() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe()?;
    Ok(own.parent().unwrap_or(Path::new(".")).join("eservices-server"))
}
