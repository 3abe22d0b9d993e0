//! The command line: what can be asked of the binary, one file each.
//!
//! A command answers text or JSON on standard output and notes on standard error; one that fails says why in one line
//! (a configuration: one line a fault) and ends with exit code 2. This file reads arguments and prints; it knows no
//! command's business.

pub mod certificate;
pub mod check_config;
pub mod demo;
pub mod export_descriptors;
pub mod generate;
pub mod import;
pub mod migrate;
pub mod operator;
mod output;
pub mod reference;
pub mod serve;
pub mod simulate;
mod staged;
#[cfg(test)]
mod tests;

use std::{ffi::OsString, path::PathBuf, process::ExitCode, str::FromStr as _};

use clap::{Args, Parser, Subcommand, error::ErrorKind};
use eservices_reference::{
    Store,
    eservices::{self, EServices},
};
use sqlx::sqlite::SqliteConnectOptions;

pub use self::output::{Answer, Failure};
use crate::platform::{
    clock::{Clock, Machine},
    config::Config,
    db::Db,
    ids::Ids,
    network::releases,
};

const EXAMPLES: &str = "\
Examples:
  eservices-server demo
  eservices-server serve --config eservices.toml
  eservices-server check-config --config eservices.toml
  eservices-server migrate --config eservices.toml
  eservices-server import --config eservices.toml --serve files/*
  eservices-server operator create --siren 900000019 --name 'Opérateur Alpha' --quadrigram ALPH
  eservices-server operator subscribe --operator 900000019 e-rdv-grand-public eligibilite
  eservices-server certificate issue --operator 900000019 --e-service e-rdv-grand-public \\
      --csr alpha.csr --ca-cert issuing.pem --ca-key issuing.key --out alpha
  eservices-server generate --premises 20000 --out data

Every key of the configuration can be set by variable (ESERVICES_DATABASE__URL=…) and by flag (--set database.url=…);
the flag goes before the variable, the variable before the file.";

/// The e-services of a wholesale telecom operator, over gRPC with mutual TLS.
#[derive(Debug, Parser)]
#[command(name = "eservices-server", version, after_help = EXAMPLES, max_term_width = 110)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "For every command")]
pub struct Global {
    /// The configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE", env = "ESERVICES_CONFIG")]
    pub config: Option<PathBuf>,
    /// One key of the configuration, for instance database.url=sqlite:eservices.db; may be repeated.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Answer in JSON, for machines.
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a small wholesaler in a folder, show the calls, then serve it (--once: end after the calls).
    Demo(demo::Args),
    /// Serve, until SIGTERM or Ctrl-C.
    Serve,
    /// Import files of reference data: a release, checked, registered and, if asked, served.
    Import(import::Import),
    /// List, compare, serve and remove releases of the reference data.
    #[command(subcommand)]
    Reference(reference::Action),
    /// Create operators and back-office systems, and say what they may use.
    #[command(subcommand)]
    Operator(operator::Action),
    /// Issue, list and revoke client certificates.
    #[command(subcommand)]
    Certificate(certificate::Action),
    /// Print the configuration as it takes effect, or every fault in it.
    CheckConfig,
    /// Bring the database's schema up to date; it only goes forward.
    Migrate,
    /// Write the contract's descriptor set (google.protobuf.FileDescriptorSet), for grpcurl and code generators.
    ExportDescriptors(export_descriptors::Export),
    /// Play the field outside production: lease work and report it by the scenario that each order names.
    Simulate(simulate::Simulate),
    /// Generate invented reference data of any size: IPE, structure, lines, addresses, questions.
    Generate(generate::Generate),
}

impl Cli {
    /// Reads arguments, the program's name first.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(settings_last(args))
    }
}

/// Every `--set` after the rest, in its order: of a global option that stands both before and after a subcommand, clap
/// keeps those after alone, and a setting must not be lost in silence.
fn settings_last(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let (mut rest, mut settings) = (Vec::new(), Vec::new());
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            rest.append(&mut settings);
            rest.push(arg);
            rest.extend(args.by_ref());
        } else if arg == "--set" {
            settings.push(arg);
            settings.extend(args.next());
        } else if arg.as_encoded_bytes().starts_with(b"--set=") {
            settings.push(arg);
        } else {
            rest.push(arg);
        }
    }
    rest.append(&mut settings);
    rest
}

/// Reads the process's arguments. Help and version are printed; anything else that is no command ends the process.
#[must_use]
pub fn parse() -> Cli {
    Cli::read(std::env::args_os()).unwrap_or_else(|error| {
        if error.use_stderr() && error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
            Failure::usage(&error).print();
            std::process::exit(2);
        }
        error.exit()
    })
}

/// Does what the command line asks, prints the answer, and tells the exit code: 0, or 2 with the reason printed.
pub async fn run(cli: Cli) -> ExitCode {
    match answer(cli).await {
        Ok(answer) => {
            answer.print();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            failure.print();
            ExitCode::from(2)
        }
    }
}

/// Does what the command line asks.
pub async fn answer(cli: Cli) -> Result<Answer, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Demo(args) => shown(demo::run(args).await),
        Command::Serve => shown(serve::run(Context::load(global)?.config).await),
        Command::Import(import) => import::run(import, &Context::load(global)?).await,
        Command::Reference(action) => reference::run(action, &Context::load(global)?).await,
        Command::Operator(action) => operator::run(action, &Context::load(global)?).await,
        Command::Certificate(action) => certificate::run(action, &Context::load(global)?).await,
        Command::CheckConfig => check_config::run(global),
        Command::Migrate => migrate::run(&Context::load(global)?).await,
        Command::ExportDescriptors(export) => export_descriptors::run(&export, global),
        Command::Simulate(args) => shown(simulate::run(args).await),
        Command::Generate(asked) => generate::run(asked, global),
    }
}

/// The end of a command that shows what it does while it does it.
fn shown(outcome: Result<(), Box<dyn std::error::Error>>) -> Result<Answer, Failure> {
    outcome.map(|()| Answer::default()).map_err(|e| Failure::new(e.to_string()))
}

/// What a command works with.
pub struct Context {
    /// The settings.
    pub config: Config,
    /// Machine time.
    pub clock: Clock,
    /// Makes identifiers.
    pub ids: Ids,
    /// Whether machines read the answer.
    pub json: bool,
}

impl Context {
    /// Reads the configuration.
    pub fn load(global: &Global) -> Result<Self, Failure> {
        let config = Config::load(global.config.as_deref(), &global.set)?;
        Ok(Self { config, clock: Clock::new(Machine::System, false), ids: Ids::default(), json: global.json })
    }

    /// The database, which must exist: a mistyped path would otherwise make an empty one.
    pub async fn database(&self) -> Result<Db, Failure> {
        let url = &self.config.database.url;
        if url.starts_with("sqlite:")
            && let Ok(options) = SqliteConnectOptions::from_str(url)
            && !options.get_filename().exists()
        {
            let path = options.get_filename().display().to_string();
            return Err(Failure::new(format!(
                "{path}: no such database: make it with eservices-server migrate"
            )));
        }
        Ok(Db::open(&self.config.database).await?)
    }

    /// The e-services: those of the release that is served, those of the binary before there is one.
    pub async fn catalogue(&self, db: &Db) -> Result<EServices, Failure> {
        let served = releases::served(&mut db.read().await?.conn()).await?;
        let found = match served.release.is_empty() {
            true => eservices::parse(eservices::FILE, eservices::DEFAULT).map_err(|e| e.to_string()),
            false => Store::open(&self.config.reference.folder)
                .map_err(|e| e.to_string())
                .and_then(|store| store.eservices(&served.release).map_err(|e| e.to_string())),
        };
        found.map_err(Failure::new)
    }
}

/// E-services as people name them: a code, or a certificate's name (`e-RDV`), which opens several.
fn e_services(names: &[String], catalogue: &EServices) -> Vec<String> {
    let mut codes = Vec::new();
    for name in names {
        let before = codes.len();
        if catalogue.get(name).is_none() {
            codes.extend(catalogue.opened_by(name).map(|service| service.code.to_string()));
        }
        if codes.len() == before {
            codes.push(name.clone());
        }
    }
    codes.sort_unstable();
    codes.dedup();
    codes
}
