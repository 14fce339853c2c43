//! Commits what [`place`] decides.

use std::sync::Arc;

use super::{Choice, Decision, Placement, Request, place, store};
use crate::clock::Clock;
use crate::db::{Conn, Tx};
use crate::domain::servers::service::Service as Servers;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

/// How often a pod is placed anew because somebody else was faster, before its job has to try again later.
const ATTEMPTS_MAX: usize = 8;

/// The scheduler.
#[derive(Clone)]
pub struct Service {
    clock: Clock,
    servers: Arc<Servers>,
}

impl Service {
    /// On the servers' books.
    #[must_use]
    pub fn new(clock: Clock, servers: Arc<Servers>) -> Self {
        Self { clock, servers }
    }

    /// Where it would go at present; commits nothing.
    pub async fn placement_decide(&self, conn: Conn<'_>, request: &Request) -> Result<Decision> {
        let servers = self.servers.server_snapshot(conn).await?;
        Ok(place(request, &servers))
    }

    /// Places a pod: decides, holds what it needs, stores why. Optimistic: when another transaction was faster on the
    /// chosen server, it decides again on a fresh snapshot.
    ///
    /// `NoCapacity` with a line per server when none can take it, `Retry` when one could but for its agent, which may be
    /// back or well any moment; nothing is held or stored then.
    pub async fn placement_commit(&self, tx: &mut Tx, pod: CloudPodId, mut request: Request) -> Result<Choice> {
        for _ in 0..ATTEMPTS_MAX {
            let decision = self.placement_decide(tx.conn(), &request).await?;
            let Some(choice) = decision.chosen.clone() else {
                return Err(match decision.explanation.waits_for() {
                    Some(why) => Error::retry(why),
                    None => decision.explanation.no_capacity(),
                });
            };
            let held = self
                .servers
                .reservation_hold(
                    tx,
                    pod,
                    choice.server,
                    &choice.storage,
                    request.vcpu,
                    request.memory_mib,
                    request.disk_gib,
                )
                .await?;
            if held {
                store::placement_insert(tx, pod, &decision, self.clock.now()).await?;
                return Ok(choice);
            }
            request.lost.insert(choice.server);
        }
        Err(Error::retry("other requests took the room on every server that was chosen; try again"))
    }

    /// Stores why a pod that was moved is where it is now: what was decided when the move began.
    pub async fn placement_settle(
        &self,
        tx: &mut Tx,
        pod: CloudPodId,
        server: ServerId,
        explanation: &serde_json::Value,
    ) -> Result<()> {
        let explanation = serde_json::from_value(explanation.clone()).map_err(Error::internal)?;
        store::placement_moved(tx, pod, server, &explanation, self.clock.now()).await
    }

    /// Stores why a pod was placed nowhere, for those who ask later.
    pub async fn placement_refuse(&self, tx: &mut Tx, pod: CloudPodId, request: &Request) -> Result<()> {
        let mut decision = self.placement_decide(tx.conn(), request).await?;
        decision.chosen = None;
        store::placement_insert(tx, pod, &decision, self.clock.now()).await
    }

    /// Why a pod is where it is: the newest decision. `None`: none was made yet.
    pub async fn placement_get(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<Option<Placement>> {
        store::placement_get(conn, pod).await
    }
}
