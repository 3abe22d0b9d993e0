//! The binary: arguments → configuration → platform → run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use eservices_server::{commands, platform::config::Config};

#[derive(Parser)]
struct Cli {
    #[arg(long, global = true)]
    config: Option<std::path::PathBuf>,
    #[arg(long = "set", global = true)]
    set: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve,
    Demo(commands::demo::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve => match Config::load(cli.config.as_deref(), &cli.set) {
            Ok(config) => commands::serve::run(config).await,
            Err(error) => Err(error.into()),
        },
        Command::Demo(args) => commands::demo::run(args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("eservices-server: {error}");
            ExitCode::from(2)
        }
    }
}
