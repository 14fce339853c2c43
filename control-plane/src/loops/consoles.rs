//! Closes, in the books, the consoles of control planes that are no more: their browsers were cut off with them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::consoles::service::Service;
use crate::error::Result;

/// See the module.
pub struct Consoles {
    /// Keeps the consoles.
    pub consoles: Arc<Service>,
    /// The lease, after which a control plane that is silent is no more.
    pub interval: Duration,
}

#[async_trait]
impl Loop for Consoles {
    fn name(&self) -> &'static str {
        "consoles"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    async fn run_once(&self) -> Result<Report> {
        Ok(Report { done: self.consoles.consoles_abandoned_close().await?, more: false })
    }
}
