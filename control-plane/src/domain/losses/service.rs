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
    /// their addresses, to be restored elsewhere or destroyed. A conflict while its agent is connected.
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
        let jobs = self.jobs.jobs_at_server(tx.conn(), id).await?;
        let pods = self.cloudpods.pods_on_server(tx.conn(), id).await?;
        // A VM on its way may be on either side.
        let moving: Vec<CloudPodId> = jobs.iter().filter_map(|job| job.pod).collect();
        let moving = self.cloudpods.pods_brief(tx.conn(), &moving).await?;
        let mut vms: Vec<FencedVm> = Vec::new();
        for pod in pods.iter().chain(moving.values()) {
            if let Some(vmid) = pod.vmid {
                vms.push(FencedVm { pod: pod.id, vmid });
            }
        }
        vms.sort_unstable_by_key(|vm| (vm.vmid, vm.pod));
        vms.dedup();
        // What is on its way to another host may have arrived: its job looks there, and settles it.
        let mut settling = Vec::new();
        for pod in &pods {
            if moving.contains_key(&pod.id) && self.servers.move_of(tx.conn(), pod.id).await?.is_some() {
                settling.push(pod.id);
            }
        }
        let lost = self.jobs.jobs_lose(&mut tx, actor, id, &jobs, &why).await?;
        self.servers.fences_put(&mut tx, &server, &vms).await?;
        for pod in pods.iter().filter(|pod| !settling.contains(&pod.id)) {
            self.servers.move_release(&mut tx, pod.id).await?;
            self.cloudpods.pod_lose(&mut tx, actor, pod.id, &why).await?;
        }
        self.servers.lost_declare(&mut tx, actor, &server, reason, &vms).await?;
        let server = self.servers.server_get(tx.conn(), id).await?;
        tx.commit().await?;
        tracing::warn!(server = %server.name, pods = pods.len(), jobs = lost, reason, "a server was declared lost");
        Ok(Declared { server, cloudpods: pods.len(), jobs: lost })
    }
}
