//! Says that this control plane is alive. Whoever does not for a lease is dead to the others, and they take over.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::cluster::service::Service;
use crate::error::Result;

/// See the module.
pub struct Instances {
    /// Knows the control planes.
    pub cluster: Arc<Service>,
    /// A third of the lease, so that two runs may fail.
    pub interval: Duration,
}

#[async_trait]
impl Loop for Instances {
    fn name(&self) -> &'static str {
        "instances"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    async fn run_once(&self) -> Result<Report> {
        self.cluster.instance_seen().await?;
        Ok(Report { done: 1, more: false })
    }
}
