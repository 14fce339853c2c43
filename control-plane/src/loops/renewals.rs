//! Renews the certificate of the agents' listener before it ends, and ends the sessions of agents that let theirs expire.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::clock::Clock;
use crate::error::Result;
use crate::grpc::ca::Authority;
use crate::grpc::hub::SessionHub;
use crate::grpc::tls::ServingCertificate;

/// See the module.
pub struct Renewals {
    /// Issues.
    pub authority: Arc<Authority>,
    /// What the listener shows.
    pub serving: Arc<ServingCertificate>,
    /// The sessions of this process.
    pub hub: Arc<SessionHub>,
    /// Tells the time.
    pub clock: Clock,
}

#[async_trait]
impl Loop for Renewals {
    fn name(&self) -> &'static str {
        "renewals"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(30)
    }

    async fn run_once(&self) -> Result<Report> {
        let now = self.clock.now();
        let renewed = self.serving.renew(&self.authority, now)?;
        if renewed {
            tracing::info!("the certificate of the agents' listener was renewed");
        }
        let expired = self.hub.expired_end(now);
        Ok(Report { done: u64::from(renewed) + expired as u64, more: false })
    }
}
