//! Renews the leases on what is out at agents, and lets go of what waits for an agent that is here. What nobody renews
//! lapses, and the dispatcher of any control plane takes it.

use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::jobs::engine::Engine;
use crate::error::Result;

/// See the module.
pub struct Leases {
    /// Holds the leases.
    pub engine: Engine,
    /// A third of the lease, so that two runs may fail.
    pub interval: Duration,
}

#[async_trait]
impl Loop for Leases {
    fn name(&self) -> &'static str {
        "leases"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    async fn run_once(&self) -> Result<Report> {
        let renewed = self.engine.leases_renew().await?;
        let released = self.engine.waiting_release().await?;
        Ok(Report { done: renewed + released, more: false })
    }
}
