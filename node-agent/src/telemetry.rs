//! Logging.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};
use crate::error::{Error, Result};

/// Sets up logging to standard error, once per process.
///
/// # Errors
/// When the filter cannot be read or logging was set up before.
pub fn init(log: &LogSection) -> Result<()> {
    let filter = EnvFilter::try_new(&log.filter).map_err(|e| {
        Error::Config(format!("log.filter {:?} cannot be read: {e}; for example info,node_agent=debug", log.filter))
    })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let outcome = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
        LogFormat::Text => builder.with_ansi(stderr().is_terminal()).with_target(false).try_init(),
    };
    outcome.map_err(|e| Error::System(format!("logging cannot be set up: {e}")))
}
