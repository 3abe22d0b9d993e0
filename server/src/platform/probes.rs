//! `/livez`, `/readyz`, `/metrics`: plain HTTP on a local port, for those who have no certificate.
//!
//! Knows whether the parts answer, not what they do.

use std::{fmt::Write as _, sync::Arc};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Platform;

#[derive(Clone)]
struct Probes {
    platform: Arc<Platform>,
    metrics: Option<PrometheusHandle>,
}

/// Answers probes until `stop`.
pub async fn serve(
    listener: TcpListener,
    platform: Arc<Platform>,
    metrics: Option<PrometheusHandle>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(exposition))
        .with_state(Probes { platform, metrics });
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}

async fn readyz(State(probes): State<Probes>) -> (StatusCode, String) {
    let faults = faults(&probes.platform).await;
    let (status, mut text) = match faults.is_empty() {
        true => (StatusCode::OK, String::from("ready\n")),
        false => (StatusCode::SERVICE_UNAVAILABLE, String::from("not ready\n")),
    };
    for line in faults.into_iter().chain(behind(&probes.platform)) {
        let _ = writeln!(text, "- {line}");
    }
    (status, text)
}

/// A node that cannot read the release that it should serve answers from a whole one: that is worth more than no answer, and
/// where the files are broken for all nodes there would be none. So it is ready, but says so.
fn behind(platform: &Platform) -> Option<String> {
    let missed = platform.network.missed()?;
    let network = platform.network.load();
    let kept = &network.reference.release().name;
    Some(format!("serves release {kept}: {missed}, which it should serve, cannot be read here"))
}

/// Why the server should not get calls now; nothing if it should.
async fn faults(platform: &Platform) -> Vec<String> {
    let mut faults = Vec::new();
    if platform.draining.is_cancelled() {
        faults.push("stopping".to_owned());
    }
    let answer = async { platform.db.read().await?.ping().await };
    match tokio::time::timeout(std::time::Duration::from_secs(2), answer).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => faults.push("the database does not answer".to_owned()),
        Err(_) => faults.push("the database does not answer in 2 s".to_owned()),
    }
    let (age, timings) = (platform.standing.age_seconds(platform.clock.machine()), &platform.config.timings);
    if age > timings.registry_dead_seconds {
        faults.push(format!("the registry was last read {age} s ago: every call is refused"));
    } else if age > timings.registry_stale_seconds {
        faults.push(format!("the registry was last read {age} s ago: writes are refused"));
    }
    faults
}

async fn exposition(State(probes): State<Probes>) -> (StatusCode, String) {
    match &probes.metrics {
        Some(handle) => (StatusCode::OK, handle.render()),
        None => (StatusCode::NOT_FOUND, "metrics are off\n".to_owned()),
    }
}
