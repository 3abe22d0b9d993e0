//! Start time, idle memory and size of the server's own binary.

use std::{
    net::Ipv4Addr,
    path::Path,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{net::TcpListener, process::Command, time::sleep};

use crate::{
    Failure,
    load::{Question, Wire},
    process,
    report::{Launched, median},
    world,
};

/// What a start may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a server idles before its memory is read.
const IDLE: Duration = Duration::from_secs(3);

/// Starts the binary again and again on one folder: its database exists, its certificate is registered.
pub async fn measure(server: &Path, rounds: u64) -> Result<Launched, Failure> {
    let size = std::fs::metadata(server).map_err(|e| format!("{}: {e}", server.display()))?.len();
    let folder = tempfile::tempdir()?;
    world::make(folder.path()).await?;
    let tls = Arc::new(world::client(folder.path())?);
    let (mut starts, mut resident, mut anonymous) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port();
        let started = Instant::now();
        let child = Command::new(server)
            .arg("serve")
            .arg("--config")
            .arg(folder.path().join("eservices.toml"))
            .arg("--set")
            .arg(format!("listen.grpc=127.0.0.1:{port}"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        first_answer(port, &tls, started + PATIENCE)
            .await
            .map_err(|e| format!("the server did not start: {e}"))?;
        starts.push(started.elapsed().as_secs_f64() * 1_000.0);
        sleep(IDLE).await;
        let id = child.id().ok_or("the server ended too early")?;
        resident.push(mib(process::memory_kib(id, "VmRSS")?));
        anonymous.push(mib(process::memory_kib(id, "RssAnon")?));
    }
    Ok(Launched {
        start_millis: median(&starts),
        idle_resident_mib: median(&resident),
        idle_anonymous_mib: median(&anonymous),
        binary_mib: mib(size / 1_024),
    })
}

/// Until `WhoAmI` is answered.
async fn first_answer(port: u16, tls: &Arc<rustls::ClientConfig>, end: Instant) -> Result<(), Failure> {
    let question = Question::new("/eservices.identity.v1.IdentityService/WhoAmI", &[])?;
    loop {
        match Wire::open(port, tls).await {
            Ok(mut wire) => return wire.ask(&question).await.map(drop),
            Err(error) if Instant::now() >= end => return Err(error),
            Err(_) => sleep(Duration::from_millis(1)).await,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size to be shown")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}
