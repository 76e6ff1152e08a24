//! Log and metrics.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};

/// Buckets of every `_seconds` histogram: from a P-256 signature to the last resort of the HTTP side.
const SECONDS: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];
/// Buckets of row counts: a ledger group has 512 at most.
const ROWS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// How often samples are folded into their buckets; they pile up in between.
const UPKEEP: Duration = Duration::from_secs(2);

/// Sets the log up, once a process; standard error, so that standard output stays the verbs'.
pub(super) fn start_log(section: &LogSection) -> Result<(), String> {
    let filter =
        EnvFilter::try_new(&section.filter).map_err(|error| format!("[log] filter = {:?}: {error}", section.filter))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(true);
    let started = match section.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| error.to_string())
}

/// Installs the metrics' recorder and keeps it in shape.
pub(super) fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), &ROWS)?
        .install_recorder()?;
    crate::keys::describe_pool_metrics();
    let upkeep = handle.clone();
    let started = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(UPKEEP);
            upkeep.run_upkeep();
        }
    });
    if let Err(error) = started {
        tracing::error!(%error, "the metrics' upkeep could not be started");
    }
    Ok(handle)
}
