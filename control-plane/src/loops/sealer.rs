//! Links the audit's new records to the chain. It looks by itself some times a second and is not woken: a transaction after each
//! one of the others would cost them more than the seal is worth sooner.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::domain::audit::service::Service;
use crate::error::Result;

/// See the module.
pub struct Sealer {
    /// Keeps the records.
    pub audit: Arc<Service>,
}

#[async_trait]
impl Loop for Sealer {
    fn name(&self) -> &'static str {
        "sealer"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(250)
    }

    async fn run_once(&self) -> Result<Report> {
        let (done, more) = self.audit.records_seal().await?;
        Ok(Report { done, more })
    }
}
