//! Takes drains further: begins the next moves, takes in what became of those before, and says when one is over. What is left
//! of a drain is stored, so that whichever control plane runs this goes on with it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::drains::service::Service;
use crate::error::Result;

/// See the module.
pub struct Drains {
    /// The drains.
    pub drains: Arc<Service>,
}

#[async_trait]
impl Loop for Drains {
    fn name(&self) -> &'static str {
        "drains"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn run_once(&self) -> Result<Report> {
        let done = self.drains.drains_run().await?;
        Ok(Report { done, more: false })
    }
}
