//! Compares what hosts show with what is wanted where the two differ, and puts right what may be put right by itself: the power
//! and the network of pods, if so configured. Nothing is ever deleted to match.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::drift::service::Service;
use crate::error::Result;

/// See the module.
pub struct Reconciler {
    /// What differs.
    pub drift: Arc<Service>,
}

#[async_trait]
impl Loop for Reconciler {
    fn name(&self) -> &'static str {
        "reconciler"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn run_once(&self) -> Result<Report> {
        let done = self.drift.reconcile().await?;
        Ok(Report { done: done.compared + done.healed, more: false })
    }
}
