//! Declares a host lost: one transaction over its pods, their jobs and its own record.

use std::sync::Arc;

use super::Declared;
use crate::db::Db;
use crate::domain::audit::Actor;
use crate::domain::check::Checks;
use crate::domain::cloudpods::service::Service as CloudPods;
use crate::domain::jobs::service::Service as Jobs;
use crate::domain::servers::ConnectionState;
use crate::domain::servers::lost::FencedVm;
use crate::domain::servers::service::Service as Servers;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

/// The service of this slice.
pub struct Service {
    db: Db,
    servers: Arc<Servers>,
    cloudpods: Arc<CloudPods>,
    jobs: Arc<Jobs>,
}

impl Service {
    /// Over these slices.
    #[must_use]
    pub fn new(db: Db, servers: Arc<Servers>, cloudpods: Arc<CloudPods>, jobs: Arc<Jobs>) -> Self {
        Self { db, servers, cloudpods, jobs }
    }

    /// Declares a server lost. `confirm` is its name, typed by a person. Its pods are `failed` and nowhere afterwards; they keep
    /// their addresses, to be restored elsewhere or destroyed. A conflict while its agent is connected. Declared again, with nothing
    /// more to free, it stays as it is.
    pub async fn server_declare_lost(
        &self,
        actor: &Actor,
        id: ServerId,
        reason: &str,
        confirm: &str,
    ) -> Result<Declared> {
        let mut tx = self.db.begin().await?;
        let server = self.servers.server_get(tx.conn(), id).await?;
        let mut checks = Checks::new();
        checks.text("reason", reason, 1..=500);
        let message = format!("must be {}: what its VMs held is freed, whether or not they still run", server.name);
        checks.require(confirm == server.name, "confirm", &message);
        checks.finish()?;
        if server.connection.state == ConnectionState::Online {
            let detail = format!(
                "the agent of {} is connected: a host that answers is not lost. Drain it, or stop its agent first",
                server.name
            );
            return Err(Error::conflict("server_online", detail));
        }
        let why = format!("its server {} was declared lost: {reason}", server.name);
        // Jobs, then pods, then the server: in the order in which jobs hold these rows.
        let moving = self.servers.moves_at(tx.conn(), id).await?.into_iter().map(|under_way| under_way.job);
        let jobs = self.jobs.jobs_at_server(tx.conn(), id, &moving.collect::<Vec<_>>()).await?;
        let lost = self.jobs.jobs_lose(&mut tx, actor, id, &jobs, &why).await?;
        let pods = self.cloudpods.pods_on_server(tx.conn(), id).await?;
        let moves = self.servers.moves_at(tx.conn(), id).await?;
        // What was ordered hither may have arrived.
        let arrivals = moves.iter().filter(|under_way| under_way.target == id && under_way.ordered);
        let arrivals = arrivals.filter_map(|under_way| Some(FencedVm { pod: under_way.pod, vmid: under_way.vmid? }));
        let mut vms: Vec<FencedVm> =
            pods.iter().filter_map(|pod| Some(FencedVm { pod: pod.id, vmid: pod.vmid? })).chain(arrivals).collect();
        vms.sort_unstable_by_key(|vm| (vm.vmid, vm.pod));
        vms.dedup();
        if let Some(since) = server.lost_at.filter(|_| lost == 0 && pods.is_empty() && vms.is_empty()) {
            let fenced = self.servers.fences_count(tx.conn(), id).await?;
            return Ok(Declared { server, cloudpods: 0, jobs: 0, already: Some((since, fenced)) });
        }
        self.servers.fences_put(&mut tx, &server, &vms).await?;
        // What was ordered to another host may have arrived there: its job looks, and settles it.
        let settles = |pod: CloudPodId| moves.iter().any(|m| m.pod == pod && m.source == id && m.ordered);
        for pod in pods.iter().filter(|pod| !settles(pod.id)) {
            self.cloudpods.pod_lose(&mut tx, actor, pod.id, &why).await?;
            self.servers.move_release(&mut tx, pod.id).await?;
        }
        self.servers.lost_declare(&mut tx, actor, &server, reason, &vms).await?;
        let server = self.servers.server_get(tx.conn(), id).await?;
        tx.commit().await?;
        tracing::warn!(server = %server.name, pods = pods.len(), jobs = lost, reason, "a server was declared lost");
        Ok(Declared { server, cloudpods: pods.len(), jobs: lost, already: None })
    }
}
