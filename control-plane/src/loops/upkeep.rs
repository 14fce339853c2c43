//! Folds what was measured into its histograms, so that memory stays flat where nobody reads `/metrics`.

use std::time::Duration;

use async_trait::async_trait;
use metrics_exporter_prometheus::PrometheusHandle;

use super::{Loop, Report};
use crate::error::Result;

/// See the module.
pub struct Upkeep {
    /// Holds the measurements.
    pub metrics: PrometheusHandle,
}

#[async_trait]
impl Loop for Upkeep {
    fn name(&self) -> &'static str {
        "upkeep"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(5)
    }

    async fn run_once(&self) -> Result<Report> {
        self.metrics.run_upkeep();
        Ok(Report::default())
    }
}
