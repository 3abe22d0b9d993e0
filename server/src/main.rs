//! The binary: arguments → command → exit code.

use std::process::ExitCode;

use eservices_server::commands;

#[tokio::main]
async fn main() -> ExitCode {
    commands::run(commands::parse()).await
}
