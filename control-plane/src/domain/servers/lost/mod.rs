//! Hosts that were declared lost, and what happens when they return.
//!
//! A declaration is the one thing beside *absent* that frees what a VM held, and it may be wrong. So each VM gets a fence: when
//! the host's agent is back, it stops these VMs before it is given any order, and their numbers are given to nobody until they
//! are seen to be gone.

mod store;

use std::time::Duration;

use serde_json::json;

use async_trait::async_trait;

use self::store::OpenFence;
use super::service::Service;
use super::{ConnectionState, Server};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::audit::Actor;
use crate::domain::check::clipped;
use crate::domain::jobs::{AgentCommand, Declarations};
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

/// After so many heartbeats that did not come a server is suspect.
const SUSPECT_AFTER: u32 = 2;

/// A VM that was declared lost with its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FencedVm {
    /// The pod of its stamp.
    pub pod: CloudPodId,
    /// Its number.
    pub vmid: u32,
}

/// What an agent says of one fence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceOutcome {
    /// Which VM.
    pub vm: FencedVm,
    /// `None`: it is certainly stopped, or absent. Otherwise why not.
    pub error: Option<String>,
    /// Because another VM has the number, with another stamp or none: it was left alone.
    pub foreign: bool,
}

impl Service {
    /// Whether a server counts as online, and has not been heard for so long that it may not be.
    #[must_use]
    pub fn is_suspect(&self, server: &Server) -> bool {
        let heard = self.heartbeat_newest(server.id).map(|(_, at)| at).max(server.seen.last_seen_at);
        let silent = heard.map_or(Duration::ZERO, |at| self.clock.now().since(at));
        server.connection.state == ConnectionState::Online && silent > self.facts.heartbeat * SUSPECT_AFTER
    }

    /// A server that was last heard before this is suspect, if it counts as online.
    pub(super) fn suspect_before(&self) -> Ms {
        self.clock.now().minus(self.facts.heartbeat * SUSPECT_AFTER)
    }

    /// Whether this process, which may know more than the books, has not heard the server since it would be suspect.
    pub(super) fn is_unheard(&self, server: ServerId) -> bool {
        self.heartbeat_newest(server).is_none_or(|(_, at)| at < self.suspect_before())
    }

    /// How many VMs of a server have fences.
    pub async fn fences_count(&self, conn: Conn<'_>, server: ServerId) -> Result<usize> {
        Ok(store::fences(conn, server).await?.len())
    }

    /// Declares a server lost: raises its generation, keeps everything new away from it, and puts a fence around each of these
    /// VMs. A conflict when its agent is there. What the pods hold is the caller's to free.
    pub async fn lost_declare(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        server: &Server,
        reason: &str,
        vms: &[FencedVm],
    ) -> Result<u64> {
        let now = self.clock.now();
        let mut fenced = store::fences(tx.conn(), server.id).await?;
        fenced.extend(vms.iter().filter(|vm| !fenced.contains(vm)).copied().collect::<Vec<_>>());
        let count = fenced.len();
        let problem = format!(
            "it was declared lost at {} ({reason}): when its agent is back, {count} VM(s) are stopped there before \
             anything else",
            now.to_rfc3339()
        );
        let Some(generation) = store::lost_set(tx, server.id, reason, &problem, now).await? else {
            let detail = format!(
                "the agent of {} is connected: a host that answers is not lost. Drain it, or stop its agent first",
                server.name
            );
            return Err(Error::conflict("server_online", detail));
        };
        for vm in vms {
            store::fence_put(tx, server.id, *vm, generation, now).await?;
        }
        // Only whoever typed its name comes here.
        let detail = json!({
            "name": server.name, "reason": reason, "confirmed": server.name, "generation": generation, "cloudpods": vms.len(),
        });
        self.note(tx, actor, "server.declared_lost", server.id, &detail).await?;
        Ok(generation)
    }

    /// Puts fences around VMs, before what their pods hold is freed.
    pub async fn fences_put(&self, tx: &mut Tx, server: &Server, vms: &[FencedVm]) -> Result<()> {
        for vm in vms {
            store::fence_put(tx, server.id, *vm, server.generation + 1, self.clock.now()).await?;
        }
        Ok(())
    }

    /// The fences of a server: all of them, for a VM that was stopped once may have been started since.
    pub async fn fences(&self, conn: Conn<'_>, server: ServerId) -> Result<Vec<FencedVm>> {
        store::fences(conn, server).await
    }

    /// Stores what an agent said of its server's fences. `true`: every VM is fenced, and the agent may be given orders.
    pub async fn fences_record(&self, server: ServerId, outcomes: &[FenceOutcome]) -> Result<bool> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        for FenceOutcome { vm, error, foreign } in outcomes {
            let error = error.as_deref().map(|text| clipped(text, 1000));
            store::fence_answer(&mut tx, server, *vm, error.as_deref(), *foreign, now).await?;
        }
        let (left, open): (Vec<_>, Vec<_>) =
            store::fences_open(tx.conn(), server).await?.into_iter().partition(|fence| fence.foreign_vm);
        if let Some(OpenFence { vmid, error, .. }) = open.first() {
            let (count, why) = (open.len(), if error.is_empty() { "no answer yet" } else { error });
            let problem = format!(
                "it was declared lost and is back, and {count} VM(s) are not fenced, VM {vmid} first ({why}): it is \
                 given no orders before they are; this is tried again"
            );
            store::fence_problem_set(&mut tx, server, &problem).await?;
        } else {
            // Who bears another stamp is not stopped, and does not keep the host from its work; but a person has to look.
            let problem = left.first().map_or_else(String::new, |OpenFence { vmid, error, .. }| {
                format!(
                    "{} VM number(s) of pods that were declared lost here are another VM's now, {vmid} first ({error}), which \
                     was not stopped. If it is the pod's own without its stamp, stop it by hand: the pod may run elsewhere. \
                     Otherwise adopt it as a pod, or give it another number",
                    left.len()
                )
            });
            if store::lost_clear(&mut tx, server, &problem).await? {
                let vmids = |foreign: bool| outcomes.iter().filter(move |o| o.foreign == foreign).map(|o| o.vm.vmid);
                let detail =
                    json!({ "vmids": vmids(false).collect::<Vec<_>>(), "left_alone": vmids(true).collect::<Vec<_>>() });
                self.note(&mut tx, &Actor::agent(server), "server.fenced", server, &detail).await?;
            }
        }
        let all = open.is_empty();
        tx.commit().await?;
        Ok(all)
    }

    /// Whether what a pod has there was declared lost, and does not count whatever its host says of it.
    pub async fn is_fenced(&self, conn: Conn<'_>, server: ServerId, pod: CloudPodId, vmid: u32) -> Result<bool> {
        store::is_fenced(conn, server, FencedVm { pod, vmid }).await
    }
}

#[async_trait]
impl Declarations for Service {
    async fn is_declared_lost(&self, tx: &mut Tx, command: &AgentCommand) -> Result<bool> {
        if store::lost_since(tx.conn(), command.server).await?.is_none() {
            return Ok(false);
        }
        let vm = FencedVm { pod: command.pod, vmid: command.vmid };
        store::fence_ensure(tx, command.server, vm, self.clock.now()).await?;
        Ok(true)
    }
}

pub(super) use store::fences_prune;
