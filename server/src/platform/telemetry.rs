//! Logs and metrics of the process. Knows no field of any request: what is logged is said at the boundary.

use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::config::{Log, LogFormat};

/// Starts logging to standard error; a second start changes nothing.
pub fn start_logs(config: &Log) {
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let filter = match "sqlx=error".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
}

/// Starts counting; none if the process counts already.
#[must_use]
pub fn start_metrics() -> Option<PrometheusHandle> {
    /// From a tenth of a millisecond to half a minute.
    const SECONDS: [f64; 12] =
        [0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];
    PrometheusBuilder::new().set_buckets(&SECONDS).ok()?.install_recorder().ok()
}

/// Drains what was recorded again and again, so that it does not pile up where nobody reads `/metrics`.
pub async fn keep_metrics(handle: PrometheusHandle, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(5)) => handle.run_upkeep(),
            () = stop.cancelled() => return,
        }
    }
}
