//! Does what other control planes ask of the agents that are connected here, and brings what they answered to those who asked.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::task::TaskTracker;

use super::{Loop, Report};
use crate::domain::cluster::{Call, service::Service as Cluster};
use crate::domain::servers::service::Service as Servers;
use crate::error::Result;
use crate::events::Topic;
use crate::grpc::hub::SessionHub;

/// See the module.
pub struct Calls {
    /// Keeps the mailbox.
    pub cluster: Arc<Cluster>,
    /// Holds the sessions of this process.
    pub hub: Arc<SessionHub>,
    /// Knows which session of a server is the newest.
    pub servers: Arc<Servers>,
    /// An agent may take its time: each call is a task. The asking side bounds how many there are.
    pub tasks: TaskTracker,
}

#[async_trait]
impl Loop for Calls {
    fn name(&self) -> &'static str {
        "calls"
    }

    fn interval(&self) -> Duration {
        if self.cluster.is_alone() { Duration::from_hours(1) } else { Duration::from_millis(500) }
    }

    fn topic(&self) -> Option<Topic> {
        Some(Topic::Calls)
    }

    async fn run_once(&self) -> Result<Report> {
        if self.cluster.is_alone() {
            return Ok(Report::default());
        }
        let calls = self.cluster.exchange().await?;
        let done = calls.len() as u64;
        for call in calls {
            let (cluster, hub, servers) = (self.cluster.clone(), self.hub.clone(), self.servers.clone());
            self.tasks.spawn(async move {
                if let Err(error) = answer(&cluster, &hub, &servers, &call).await {
                    tracing::warn!(server = %call.server, %error, "what another control plane asked was left unanswered");
                }
            });
        }
        Ok(Report { done, more: done > 0 })
    }
}

async fn answer(cluster: &Cluster, hub: &SessionHub, servers: &Servers, call: &Call) -> Result<()> {
    let newest = servers.session_epoch(call.server).await?;
    cluster.answer(call.id, &hub.call_answer(call, newest).await).await
}
