//! Writes down which servers were heard, and takes those for offline that were not heard for three heartbeats, whichever
//! control plane held their session: one that vanished writes nothing down any more.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::servers::service::Service;
use crate::error::Result;

/// See the module.
pub struct Health {
    /// The servers.
    pub servers: Arc<Service>,
    /// Half a heartbeat, so that what is written is never much older than what was heard.
    pub interval: Duration,
}

#[async_trait]
impl Loop for Health {
    fn name(&self) -> &'static str {
        "health"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    async fn run_once(&self) -> Result<Report> {
        let report = self.servers.health_run().await?;
        if report.lost > 0 || report.back > 0 || report.fenced > 0 {
            tracing::info!(?report, "servers went or came back");
        }
        metrics::counter!("mpanel_servers_lost_total").increment(report.lost);
        Ok(Report { done: report.heard + report.back + report.lost + report.fenced, more: false })
    }
}
