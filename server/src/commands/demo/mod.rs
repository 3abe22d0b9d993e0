//! `demo`: a whole small wholesaler under one folder, its calls shown, then left running to be called from outside.

mod address;
mod journey;
mod orders;
mod reference;
mod show;
mod world;

use std::{error::Error, path::PathBuf, time::Duration};

use clap::Parser;
use tokio_util::sync::CancellationToken;

use super::{serve, simulate::Player};

/// Make a demo under a folder, run the calls, then keep serving.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  eservices-server demo\n  eservices-server demo --once\n  eservices-server demo --dir /tmp/demo --port 6000"
)]
pub struct Args {
    /// End after the calls, with a summary; exit code 0 if all went as shown.
    #[arg(long)]
    once: bool,
    /// Folder of the demo; kept, and used again by the next run.
    #[arg(long, default_value = "var/demo")]
    dir: PathBuf,
    /// Port to serve on; with --once any free one unless given.
    #[arg(long)]
    port: Option<u16>,
    /// Port of the probes (`/readyz`, `/metrics`) on this machine; with --once any free one unless given.
    #[arg(long)]
    local_port: Option<u16>,
}

/// Runs the demo.
pub async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let port = args.port.unwrap_or(if args.once { 0 } else { 50_051 });
    let local_port = args.local_port.unwrap_or(if args.once { 0 } else { 9_464 });
    let show = show::Show::new();
    show.title("Making the demo", &args.dir.display().to_string());
    let world = world::prepare(&args.dir, port, local_port)?;
    world.import().await?;
    let node = serve::launch(world.config.clone()).await?;
    world.register(&node.server.platform).await?;
    show.title("Serving", &format!("https://localhost:{} (gRPC, mutual TLS)", node.server.address.port()));
    let port = node.server.address.port();
    let field = journey::connect(&world, port, "simulator").await?;
    let stop = CancellationToken::new();
    let simulator = tokio::spawn({
        let stop = stop.clone();
        async move { Player::new(field, "demo").play(Duration::from_millis(200), &stop).await }
    });
    let mut outcome = journey::run(&world, port, &show).await;
    if outcome.is_ok() {
        show.summary();
        if !args.once {
            show.how_to_call(&args.dir, port, &node.local.to_string());
            outcome = serve::told_to_stop().await.map_err(Into::into);
        }
    }
    stop.cancel();
    simulator.await?;
    node.stop().await;
    outcome
}
