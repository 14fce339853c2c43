//! Spans and metrics. Both are the process's own by nature: the first to set them up wins.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::app::App;
use crate::config::{Log, LogFormat};
use crate::domain::jobs::JobState;
use crate::error::{Error, Result};

const SECONDS: [f64; 9] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0];

/// Sends the log to standard error.
pub fn log(config: &Log) -> Result<()> {
    let filter = config.filter.parse::<EnvFilter>().map_err(|error| Error::invalid("log.filter", error.to_string()))?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match config.format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().try_init(),
    }
    .map_err(Error::internal)
}

/// Where the process's metrics are counted.
pub fn metrics() -> Result<PrometheusHandle> {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    if let Some(handle) = HANDLE.get() {
        return Ok(handle.clone());
    }
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(Error::internal)?
        .build_recorder();
    let handle = HANDLE.get_or_init(|| recorder.handle()).clone();
    // Lost to another thread that did the same at this moment, or to a program that has its own: nothing to be done.
    if let Err(error) = metrics::set_global_recorder(recorder) {
        tracing::debug!(%error, "metrics are counted elsewhere");
    }
    Ok(handle)
}

/// Sets the gauges that are read and not counted.
pub async fn observe(app: &App) -> Result<()> {
    let counts = app.jobs.counts_by_state().await?;
    for state in [JobState::Queued, JobState::Running, JobState::Undoing, JobState::Stuck] {
        // A state that no job is in is told too: an alert ends with it.
        let count = counts.iter().find(|(counted, _)| counted == state.as_str()).map_or(0, |(_, count)| *count);
        metrics::gauge!("mpanel_jobs", "state" => state.as_str()).set(count as f64);
    }
    for (pool, size, idle) in app.db.connections() {
        metrics::gauge!("mpanel_db_connections", "pool" => pool).set(f64::from(size));
        metrics::gauge!("mpanel_db_connections_idle", "pool" => pool).set(idle as f64);
    }
    Ok(())
}
