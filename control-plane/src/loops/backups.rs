//! Begins the backups that are due by their pods' policies, and prunes those that nothing keeps any more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::cloudpods::service::Service;
use crate::error::Result;

/// See the module.
pub struct Backups {
    /// The pods.
    pub cloudpods: Arc<Service>,
}

#[async_trait]
impl Loop for Backups {
    fn name(&self) -> &'static str {
        "backups"
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run_once(&self) -> Result<Report> {
        let report = self.cloudpods.backups_upkeep().await?;
        metrics::counter!("mpanel_backups_skipped_total").increment(report.skipped);
        Ok(Report { done: report.begun + report.skipped + report.pruned, more: report.more })
    }
}
