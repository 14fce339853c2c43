//! Making a new pod of a backup, whose own pod may be gone.

use serde_json::json;

use super::ready;
use crate::db::Conn;
use crate::domain::access::{Permission, Permissions};
use crate::domain::audit::{Actor, Scope};
use crate::domain::cloudpods::create::pod_new;
use crate::domain::cloudpods::sagas::{RestoreParams, kind, request_for};
use crate::domain::cloudpods::service::{Service, not_found};
use crate::domain::cloudpods::{CloudPod, CloudPodCreate, Detail, PlacementInput, State, store};
use crate::domain::jobs::{Job, NewJob};
use crate::error::{Error, Result};
use crate::ids::BackupId;

/// A pod that is to be made of a backup; what is `None` is as the pod is, or was, that the backup is of.
#[derive(Clone, Debug, Default)]
pub struct Recreate {
    /// A DNS label.
    pub name: String,
    /// Id or name of its plan, with that plan's size. Its disk must be at least as large as that pod's.
    pub plan: Option<String>,
    /// Id or name of the image that its record names, and that a rebuild would take.
    pub image: Option<String>,
    /// OpenSSH public keys.
    pub ssh_keys: Option<Vec<String>>,
    /// Where.
    pub placement: PlacementInput,
    /// Ids or names.
    pub ip_pools: Vec<String>,
    /// As [`CloudPodCreate::private_pools`].
    pub private_pools: bool,
}

impl Service {
    /// Makes a pod of a backup: like [`Service::cloudpod_create`], on a server that sees the backup, with a disk of that in place
    /// of an image's.
    pub async fn cloudpod_recreate(
        &self,
        actor: &Actor,
        (scope, grant): (Scope, Permissions),
        backup: BackupId,
        input: Recreate,
    ) -> Result<(Detail, Job)> {
        let Recreate { name, plan, image, ssh_keys, placement, ip_pools, private_pools } = input;
        let mut read = self.db.read().await?;
        let backup = self.books.backups.backup_get(read.conn(), scope, backup).await?;
        ready(&backup)?;
        let of = store::pod_get(read.conn(), scope, backup.pod).await?.ok_or_else(|| not_found(backup.pod))?;
        if !grant.has(Permission::CloudpodsManage) {
            self.require_not_suspended(read.conn(), &of).await?;
        }
        let sized = plan.is_some();
        let wanted = CloudPodCreate {
            tenant: Some(backup.tenant),
            name: name.clone(),
            plan: plan.unwrap_or_else(|| of.plan.id.to_string()),
            image: image.unwrap_or_else(|| of.image.id.to_string()),
            ssh_keys: ssh_keys.unwrap_or_else(|| of.ssh_keys.clone()),
            user: Some(of.cloud_init_user.clone()).filter(|user| !user.is_empty()),
            placement,
            ip_pools,
            private_pools,
        };
        let resolved = self.create_resolve(read.conn(), scope, &wanted).await?;
        let mut pod = pod_new(&name, resolved, self.books.clock.now());
        if !sized {
            // It may have been resized since it was made of its plan.
            (pod.vcpu, pod.memory_mib, pod.disk_gib) = (of.vcpu, of.memory_mib, of.disk_gib);
        }
        if pod.disk_gib < of.disk_gib {
            let detail = format!(
                "its disk of {} GiB is smaller than the {} GiB of the pod that the backup is of: choose a larger one",
                pod.disk_gib, of.disk_gib
            );
            return Err(Error::invalid("plan", detail));
        }
        self.name_free(read.conn(), &pod).await?;
        let request = request_for(&self.books, read.conn(), &pod, &backup).await?;
        let decision = self.books.scheduling.placement_decide(read.conn(), &request).await?;
        if decision.chosen.is_none() {
            return Err(decision.explanation.no_capacity());
        }
        drop(read);
        let params = RestoreParams { backup: backup.id, in_place: false, target: None, addresses: false, start: true };
        let params = serde_json::to_value(params).map_err(Error::internal)?;
        let new = NewJob { kind: kind::RECREATE, tenant: Some(pod.tenant), pod: Some(pod.id), server: None, params };
        let detail = json!({ "name": pod.name, "plan": pod.plan.name, "image": pod.image.name, "backup_id": backup.id,
            "volid": backup.volid, "of_cloudpod_id": backup.pod });
        self.pod_begin(actor, pod, new, detail, Some(backup.id)).await
    }

    /// What the platform took away does not come back under another name, also once the pod is deleted or its host is lost.
    async fn require_not_suspended(&self, conn: Conn<'_>, of: &CloudPod) -> Result<()> {
        let suspends = |job: &Job| job.kind == kind::SUSPEND && !job.cancel_requested;
        let noted = of.state == State::Suspended || of.condition.suspension.is_some();
        if noted || self.jobs.jobs_live_of_pod(conn, of.id).await?.iter().any(suspends) {
            let detail =
                "the pod that the backup is of is suspended by the platform: no other is made of it until that is over";
            return Err(Error::conflict("cloudpod_suspended", detail));
        }
        Ok(())
    }
}
