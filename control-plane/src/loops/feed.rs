//! Brings new events to the streams of this process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::feed::service::Service;
use crate::error::Result;
use crate::events::Topic;

/// See the module.
pub struct Feed {
    /// Knows the events.
    pub feed: Arc<Service>,
}

#[async_trait]
impl Loop for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn topic(&self) -> Option<Topic> {
        Some(Topic::Events)
    }

    async fn run_once(&self) -> Result<Report> {
        let (done, more) = self.feed.events_pull().await?;
        Ok(Report { done, more })
    }
}
