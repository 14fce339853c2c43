//! Sends events to webhooks: makes the deliveries of new events, and sends those that are due.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::webhooks::service::Service;
use crate::error::Result;

/// See the module.
pub struct Webhooks {
    /// Knows the webhooks.
    pub webhooks: Arc<Service>,
}

#[async_trait]
impl Loop for Webhooks {
    fn name(&self) -> &'static str {
        "webhooks"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn run_once(&self) -> Result<Report> {
        let spread = self.webhooks.events_spread().await?;
        let (done, more) = self.webhooks.deliveries_send().await?;
        Ok(Report { done, more: spread || more })
    }
}
