//! `serve`: one node, until SIGTERM or Ctrl-C.

use std::{error::Error, net::SocketAddr, sync::Arc};

use eservices_reference::{Reference, Store};
use tokio::{net::TcpListener, signal::unix, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    Server,
    platform::{
        Parts, Platform, access,
        clock::{Clock, Machine},
        config::{Config, Environment},
        db::Db,
        ids::Ids,
        network::releases::{self, Served},
        probes, telemetry,
        tls::Tls,
    },
    routes, start,
};

/// A node that runs: the server and its probes.
pub struct Node {
    /// The server.
    pub server: Server,
    /// Where the probes are.
    pub local: SocketAddr,
    probes: JoinHandle<std::io::Result<()>>,
    stop_probes: CancellationToken,
}

/// Serves until the process is told to stop, then lets calls under way finish.
pub async fn run(config: Config) -> Result<(), Box<dyn Error>> {
    telemetry::start_logs(&config.log);
    let node = launch(config).await?;
    tracing::info!(grpc = %node.server.address, local = %node.local, "serving");
    told_to_stop().await?;
    tracing::info!("stopping");
    node.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Opens everything that the configuration names and serves.
pub async fn launch(config: Config) -> Result<Node, Box<dyn Error>> {
    let metrics = telemetry::start_metrics();
    let tls = Arc::new(Tls::load(&config.tls)?);
    let db = Db::open(&config.database).await?;
    db.migrate().await?;
    let releases = Arc::new(Store::open(&config.reference.folder)?);
    let served = releases::served(&mut db.read().await?.conn()).await?;
    if served.release.is_empty() {
        return Err(
            "no reference release is served yet: import files with eservices-server import --serve".into()
        );
    }
    let to_serve = served.release.clone();
    let reference = first_release(&releases, served).await?;
    tracing::info!(release = %reference.0.release().name, "reference loaded");
    let (grpc, local) = (config.listen.grpc, config.listen.local);
    let clock = Clock::new(Machine::System, config.environment == Environment::NonProduction);
    let methods = access::Table::default();
    let platform =
        Platform::start(Parts { config, db, reference, releases, clock, ids: Ids::default(), methods })
            .await?;
    platform.network.should_serve(&to_serve);
    let listener = listen("listen.grpc", grpc).await?;
    let local = listen("listen.local", local).await?;
    let local_address = local.local_addr()?;
    let stop_probes = CancellationToken::new();
    if let Some(handle) = metrics.clone() {
        tokio::spawn(telemetry::keep_metrics(handle, stop_probes.clone()));
    }
    let probes = tokio::spawn(probes::serve(local, Arc::clone(&platform), metrics, stop_probes.clone()));
    let server = start(listener, Arc::clone(&platform), tls, routes(&platform)).await?;
    Ok(Node { server, local: local_address, probes, stop_probes })
}

/// The release to begin with: the one that is served or, where this node cannot read it, the one before. The node then
/// tries the one that it should serve again and again.
pub(super) async fn first_release(
    store: &Arc<Store>,
    served: Served,
) -> Result<(Arc<Reference>, i64), Box<dyn Error>> {
    let load = |release: String| {
        let store = Arc::clone(store);
        tokio::task::spawn_blocking(move || store.load(&release))
    };
    match load(served.release).await? {
        Ok(reference) => Ok((Arc::new(reference), served.activation)),
        Err(refused) if served.previous.is_empty() => Err(refused.into()),
        Err(refused) => {
            tracing::error!(fault = %refused, "the release to serve cannot be read; the one before is tried");
            Ok((Arc::new(load(served.previous).await??), served.activation - 1))
        }
    }
}

impl Node {
    /// Lets calls under way finish; `/readyz` says no meanwhile.
    pub async fn stop(self) {
        self.server.stop().await;
        self.stop_probes.cancel();
        if let Ok(Err(error)) = self.probes.await {
            tracing::error!(%error, "the probes failed");
        }
    }
}

/// Until SIGTERM or Ctrl-C.
pub async fn told_to_stop() -> std::io::Result<()> {
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn listen(key: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|e| format!("{key}: cannot listen on {address}: {e}"))
}
