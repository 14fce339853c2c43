//! Renews the certificate of the agents' listener before it ends, and ends the sessions of agents that let theirs expire.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::clock::Clock;
use crate::db::Db;
use crate::domain::servers::service::Service as Servers;
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
    /// The store.
    pub db: Db,
    /// Knows the certificates that were issued, by any control plane.
    pub servers: Arc<Servers>,
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
        let mut done = u64::from(renewed);
        for server in self.hub.expired(now) {
            // The agent may have renewed at another control plane.
            let mut read = self.db.read().await?;
            match self.servers.certificate_ends_at(read.conn(), server).await? {
                Some(not_after) if not_after > now => self.hub.renewed(server, not_after),
                _ => {
                    self.hub.expired_end(server);
                    done += 1;
                }
            }
        }
        Ok(Report { done, more: false })
    }
}
