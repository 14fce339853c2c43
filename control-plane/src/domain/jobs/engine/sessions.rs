//! Where agents are, and what follows when they come and go.

use std::collections::HashSet;

use super::super::store;
use super::{Engine, Moved, Sent};
use crate::db::Tx;
use crate::domain::cluster::{Holder, service::session_holder};
use crate::domain::jobs::{Job, Pace};
use crate::error::Result;
use crate::events::Topic;
use crate::ids::{JobId, ServerId};

/// Leases renewed in one transaction.
const RENEWALS_BATCH: usize = 500;

/// Where a server's agent is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Connected to this control plane.
    Here,
    /// Connected to another one, which is alive.
    Elsewhere,
    /// Connected to none.
    Nowhere,
}

impl Engine {
    pub(super) async fn reach(&self, tx: &mut Tx, server: ServerId) -> Result<Reach> {
        let connected = self.0.agents.is_connected(server);
        if self.0.db.is_embedded() {
            return Ok(if connected { Reach::Here } else { Reach::Nowhere });
        }
        // A session of this process may be left over from before the agent went to another one.
        let alive = self.0.clock.now().minus(self.0.pace.lease);
        Ok(match session_holder(tx.conn(), server, self.0.instance, alive).await? {
            Holder::Elsewhere(_) => Reach::Elsewhere,
            Holder::Here | Holder::Nobody if connected => Reach::Here,
            Holder::Here | Holder::Nobody => Reach::Nowhere,
        })
    }

    /// What there is no place for to send one more order to a server, which strains these storages.
    pub(super) async fn place_missing(
        &self,
        tx: &mut Tx,
        server: ServerId,
        rooms: &store::Rooms,
    ) -> Result<Option<String>> {
        let Pace { per_server, per_storage, .. } = self.0.pace;
        if store::commands_out(tx, self.0.clock.now(), server).await? >= per_server {
            return Ok(Some(format!("its host does {per_server} orders at once, and has them")));
        }
        for room in rooms.in_order() {
            if store::room_taken(tx, room).await? >= per_storage {
                return Ok(Some(format!(
                    "a storage that it copies on bears {per_storage} copies at once, and has them"
                )));
            }
        }
        Ok(None)
    }

    /// Lets go of a job that needs an agent which is not connected here. Another control plane claims what its agents are to do;
    /// what no agent can do now waits.
    pub(super) async fn hand_over(&self, mut tx: Tx, mut job: Job, server: ServerId, reach: Reach) -> Result<Moved> {
        job.waits_for = (reach == Reach::Nowhere).then_some(server);
        store::job_store(&mut tx, &job, None).await?;
        if reach == Reach::Elsewhere {
            tx.wake(Topic::Jobs);
        }
        tx.commit().await?;
        // It may have come between the look and the commit, and have released nothing yet.
        if reach == Reach::Nowhere && self.0.agents.is_connected(server) {
            self.release(server).await?;
        }
        Ok(Moved::Parked)
    }

    /// What waits for an agent that is connected here may be claimed.
    async fn release(&self, server: ServerId) -> Result<u64> {
        let mut tx = self.0.db.begin().await?;
        let released = store::waiting_release(&mut tx, self.0.clock.now(), server).await?;
        tx.wake(Topic::Jobs);
        tx.commit().await?;
        Ok(released)
    }

    /// Renews the leases on what is out at agents.
    pub async fn leases_renew(&self) -> Result<u64> {
        let mut out: Vec<(JobId, Sent)> = self.sent().iter().map(|(job, sent)| (*job, *sent)).collect();
        // In the order in which all who change many jobs at once take them.
        out.sort_by_key(|(job, _)| *job);
        let mut renewed = 0;
        for batch in out.chunks(RENEWALS_BATCH) {
            let now = self.0.clock.now();
            let mut gone = Vec::new();
            let mut tx = self.0.db.begin().await?;
            for (job, sent) in batch {
                if store::lease_renew(&mut tx, now, *job, sent.epoch, self.lease()).await? {
                    renewed += 1;
                } else {
                    gone.push((*job, *sent));
                }
            }
            tx.commit().await?;
            // Past its deadline, or somebody else's by now.
            let mut all = self.sent();
            for (job, sent) in gone {
                if all.get(&job) == Some(&sent) {
                    all.remove(&job);
                }
            }
        }
        Ok(renewed)
    }

    /// Lets go of what is waiting for agents that are connected here: a wake-up may have been missed.
    pub async fn waiting_release(&self) -> Result<u64> {
        let waited_for = store::servers_waited_for(self.0.db.read().await?.conn()).await?;
        if waited_for.is_empty() {
            return Ok(0);
        }
        let connected: HashSet<ServerId> = self.0.agents.connected().into_iter().collect();
        let mut released = 0;
        for server in waited_for.into_iter().filter(|server| connected.contains(server)) {
            released += self.release(server).await?;
        }
        Ok(released)
    }

    /// At start, on a database that no other control plane can be using: what an earlier process held is free now.
    pub async fn leases_free(&self) -> Result<()> {
        let mut tx = self.0.db.begin().await?;
        let freed = store::leases_free(&mut tx).await?;
        tx.commit().await?;
        if freed > 0 {
            tracing::info!(freed, "took over the jobs of an earlier process");
        }
        Ok(())
    }

    /// An agent is back: what is out at it becomes this control plane's, then `open` lets it be given orders, what is out is sent
    /// again and what waits for it goes on. An order that went out before would be taken over too, and be sent twice.
    pub async fn session_started(&self, server: ServerId, open: impl FnOnce()) -> Result<()> {
        let mut tx = self.0.db.begin().await?;
        let out = store::commands_take_over(&mut tx, self.0.clock.now(), server, self.lease()).await?;
        tx.commit().await?;
        open();
        for job in out {
            self.spawn(job, None);
        }
        self.release(server).await.map(drop)
    }

    /// An agent is gone: what is out at it waits for it.
    pub async fn session_ended(&self, server: ServerId) -> Result<()> {
        self.sent().retain(|_, sent| sent.server != server);
        let mut tx = self.0.db.begin().await?;
        store::commands_wait(&mut tx, self.0.clock.now(), server, self.0.instance).await?;
        tx.commit().await
    }
}
