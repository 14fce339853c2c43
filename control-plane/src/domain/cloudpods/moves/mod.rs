//! Moving a pod to another server: where to, and the job that does it.

mod choose;
pub mod routes;

use serde_json::json;

use super::create::found;
use super::sagas::{MigrateParams, kind};
use super::service::{JOBS_PER_POD_MAX, Service, not_found};
use super::{CloudPod, Detail, store};
use crate::db::{Conn, Tx};
use crate::domain::audit::{Actor, Scope};
use crate::domain::check::Checks;
use crate::domain::jobs::Job;
use crate::domain::servers::Method;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

pub use choose::{MoveAsk, MoveChoice, MoveWish, Terrain, nowhere};

/// A move as somebody asks for it.
#[derive(Clone, Debug)]
pub struct Migrate {
    /// To this server, id or name; `None`: wherever it fits best.
    pub server: Option<String>,
    /// Onto this storage; `None`: within the cluster the same, where that is shared, else whichever fits.
    pub storage: Option<String>,
    /// So; `None`: live if it runs, else offline, and to another cluster only if there is no room in its own.
    pub method: Option<Method>,
    /// Whether disks that are on a storage of the host alone may be copied.
    pub with_local_disks: bool,
    /// Whether the guest of a VM that cannot be moved while it runs may be asked to shut down.
    pub allow_shutdown: bool,
    /// How long the guest gets for that, in seconds.
    pub shutdown_s: u64,
}

impl Service {
    /// Queues the move of a pod. `NoCapacity` with a line per server when at present none can take it: nothing is made then.
    pub async fn cloudpod_migrate(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        input: Migrate,
    ) -> Result<(Detail, Job)> {
        let Migrate { server, storage, method, with_local_disks, allow_shutdown, shutdown_s } = input;
        let mut tx = self.db.begin().await?;
        let pod = store::pod_lock(&mut tx, scope, id).await?.ok_or_else(|| not_found(id))?;
        let mut checks = Checks::new();
        if let Some(storage) = &storage {
            checks.storage_name("storage", storage);
        }
        checks.range("shutdown_s", shutdown_s, 5..=3600);
        let target = match &server {
            None => None,
            Some(server) => found(&mut checks, "server", self.books.servers.server_find(tx.conn(), server).await)?,
        };
        let (from, _) = placed(&pod)?;
        checks.require(
            target.as_ref().is_none_or(|target| target.id != from),
            "server",
            "is the one that the pod is on; name another one, or none",
        );
        checks.finish()?;
        let wish = MoveWish { target: target.map(|target| target.id), storage, method, avoid: Vec::new() };
        let ask = MoveAsk::read(&self.books, tx.conn(), &pod, wish.clone()).await?;
        let terrain = Terrain::read(&self.books, tx.conn(), from).await?;
        terrain.storage_check(&ask)?;
        if let Err(explanation) = terrain.choose(&ask, &std::collections::HashSet::new()) {
            return Err(nowhere(&explanation));
        }
        let params = MigrateParams { wish, with_local_disks, allow_shutdown, shutdown_s };
        let job = self.migrate_queue(&mut tx, actor, &pod, &params).await?;
        tx.commit().await?;
        Ok((self.cloudpod_get(scope, id).await?, job))
    }

    /// Queues the move of a pod in the caller's transaction.
    pub async fn migrate_queue(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        pod: &CloudPod,
        params: &MigrateParams,
    ) -> Result<Job> {
        pod.state.migrate()?;
        placed(pod)?;
        if self.jobs.jobs_live_of_pod(tx.conn(), pod.id).await?.len() >= JOBS_PER_POD_MAX {
            let detail =
                format!("{JOBS_PER_POD_MAX} jobs of this pod wait already: wait for some to end, or cancel them");
            return Err(Error::conflict("cloudpod_busy", detail));
        }
        let params = serde_json::to_value(params).map_err(Error::internal)?;
        let detail = json!({ "wanted": params });
        let job = self.job(tx, actor, pod, kind::MIGRATE, params).await?;
        let detail = json!({ "job_id": job.id, "wanted": detail["wanted"] });
        self.record(tx, actor, pod, "cloudpod.migrate_requested", &detail).await?;
        Ok(job)
    }

    /// A pod, whoever's it is.
    pub async fn pod_read(&self, conn: Conn<'_>, id: CloudPodId) -> Result<CloudPod> {
        store::pod_get(conn, Scope::Platform, id).await?.ok_or_else(|| not_found(id))
    }

    /// What a move of the pod needs, and what somebody wants of it.
    pub async fn move_ask(&self, conn: Conn<'_>, pod: &CloudPod, wish: MoveWish) -> Result<MoveAsk> {
        MoveAsk::read(&self.books, conn, pod, wish).await
    }

    /// The servers around one, as they are now.
    pub async fn move_terrain(&self, conn: Conn<'_>, source: ServerId) -> Result<Terrain> {
        Terrain::read(&self.books, conn, source).await
    }

    /// The pods that are on a server, the oldest first.
    pub async fn pods_of_server(&self, conn: Conn<'_>, server: ServerId) -> Result<Vec<CloudPod>> {
        store::pods_of_server(conn, server).await
    }
}

/// Where the pod's VM is.
pub(super) fn placed(pod: &CloudPod) -> Result<(ServerId, u32)> {
    match (&pod.server, pod.vmid) {
        (Some(server), Some(vmid)) => Ok((server.id, vmid)),
        _ => Err(Error::conflict(
            "cloudpod_without_vm",
            format!("the pod {} has no VM that could be moved: delete the pod and create another one", pod.name),
        )),
    }
}
