//! Suspends the pods of suspended tenants, and gives back those of reactivated ones: what a request began, and what came later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::cloudpods::service::Service;
use crate::error::Result;
use crate::events::Topic;

/// See the module.
pub struct Tenants {
    /// The pods.
    pub cloudpods: Arc<Service>,
}

#[async_trait]
impl Loop for Tenants {
    fn name(&self) -> &'static str {
        "tenants"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn topic(&self) -> Option<Topic> {
        Some(Topic::Tenants)
    }

    async fn run_once(&self) -> Result<Report> {
        let followed = self.cloudpods.tenants_follow().await?;
        Ok(Report { done: followed.done, more: followed.more })
    }
}
