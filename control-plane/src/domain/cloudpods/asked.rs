//! How any job of a pod is asked for.

use serde_json::json;

use super::sagas::kind;
use super::service::{JOBS_PER_POD_MAX, Service, not_found};
use super::{CloudPod, Detail, store};
use crate::db::Tx;
use crate::domain::audit::{Actor, Scope};
use crate::domain::jobs::Job;
use crate::domain::tenants::quotas;
use crate::error::{Error, Result};
use crate::ids::CloudPodId;

/// A job to be queued.
pub(super) struct Asked {
    /// Names the saga.
    pub(super) kind: &'static str,
    /// The saga's own.
    pub(super) params: serde_json::Value,
    /// What is written to the audit log and the outbox: `cloudpod.snapshot_requested`.
    pub(super) event: &'static str,
    /// What is written beside it; an object.
    pub(super) detail: serde_json::Value,
}

impl Service {
    /// The pod, held against other writers until the transaction ends.
    pub(super) async fn pod_held(&self, tx: &mut Tx, scope: Scope, id: CloudPodId) -> Result<CloudPod> {
        store::pod_lock(tx, scope, id).await?.ok_or_else(|| not_found(id))
    }

    /// As [`Service::pod_held`], of a pod whose tenant is to get more: the tenant is held before it.
    pub(super) async fn pod_held_to_grow(
        &self,
        tx: &mut Tx,
        scope: Scope,
        id: CloudPodId,
    ) -> Result<(CloudPod, quotas::Held)> {
        let tenant = store::pod_get(tx.conn(), scope, id).await?.ok_or_else(|| not_found(id))?.tenant;
        let tenant = quotas::hold(tx, tenant).await?;
        Ok((self.pod_held(tx, scope, id).await?, tenant))
    }

    /// Refuses when too many jobs of the pod wait already.
    pub(super) async fn room_for_job(&self, tx: &mut Tx, id: CloudPodId) -> Result<()> {
        if self.jobs.jobs_live_of_pod(tx.conn(), id).await?.len() < JOBS_PER_POD_MAX {
            return Ok(());
        }
        let detail = format!("{JOBS_PER_POD_MAX} jobs of this pod wait already: wait for some to end, or cancel them");
        Err(Error::conflict("cloudpod_busy", detail))
    }

    /// Queues a job of a pod that is held, with its audit record and event. A conflict when too many of its jobs wait already.
    pub(super) async fn job_ask(&self, tx: &mut Tx, actor: &Actor, pod: &CloudPod, asked: Asked) -> Result<Job> {
        // What waits already must not keep the platform from suspending a pod.
        if asked.kind != kind::SUSPEND {
            self.room_for_job(tx, pod.id).await?;
        }
        let Asked { kind, params, event, mut detail } = asked;
        let job = self.job(tx, actor, pod, kind, params).await?;
        detail["job_id"] = json!(job.id);
        self.record(tx, actor, pod, event, &detail).await?;
        Ok(job)
    }

    /// What is answered to who asked for a job, once it is committed.
    pub(super) async fn asked(&self, scope: Scope, pod: CloudPodId, job: Job) -> Result<(Detail, Job)> {
        Ok((self.cloudpod_get(scope, pod).await?, job))
    }
}
