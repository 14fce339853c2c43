//! Takes due jobs and starts on them.

use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::jobs::engine::Engine;
use crate::error::Result;
use crate::events::Topic;

/// See the module.
pub struct Dispatcher {
    /// Does the jobs.
    pub engine: Engine,
}

#[async_trait]
impl Loop for Dispatcher {
    fn name(&self) -> &'static str {
        "dispatcher"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    fn topic(&self) -> Option<Topic> {
        Some(Topic::Jobs)
    }

    async fn run_once(&self) -> Result<Report> {
        let taken = self.engine.dispatch().await?;
        Ok(Report { done: taken as u64, more: taken > 0 })
    }
}
