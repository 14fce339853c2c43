use serde_json::json;

use crate::domain::audit::{Actor, Scope};
use crate::domain::check::Checks;
use crate::domain::cloudpods::Detail;
use crate::domain::cloudpods::sagas::{SuspendParams, kind};
use crate::domain::cloudpods::service::Service;
use crate::domain::jobs::Job;
use crate::error::Result;
use crate::ids::CloudPodId;

impl Service {
    /// Locks a pod against its customer and powers it off; its guest gets `timeout_s` to shut down. Asked again while that
    /// is under way it gives the same job.
    pub async fn cloudpod_suspend(
        &self,
        actor: &Actor,
        scope: Scope,
        id: CloudPodId,
        reason: &str,
        timeout_s: u64,
    ) -> Result<(Detail, Job)> {
        let mut checks = Checks::new();
        checks.text("reason", reason, 1..=500);
        checks.range("timeout_s", timeout_s, 5..=3600);
        checks.finish()?;
        let mut tx = self.db.begin().await?;
        let pod = self.pod_held(&mut tx, scope, id).await?;
        let live = self.jobs.jobs_live_of_pod(tx.conn(), id).await?;
        if let Some(job) = live.into_iter().find(|job| job.kind == kind::SUSPEND && !job.cancel_requested) {
            drop(tx);
            return self.asked(scope, id, job).await;
        }
        pod.state.clone().suspend_begin()?;
        let params = SuspendParams { reason: reason.to_owned(), timeout_s };
        let named = (kind::SUSPEND, "cloudpod.suspend_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &params, json!({ "reason": reason })).await
    }

    /// Gives a suspended pod back to its customer: it runs again if it was wanted running before. A conflict while its tenant is
    /// suspended.
    pub async fn cloudpod_unsuspend(&self, actor: &Actor, scope: Scope, id: CloudPodId) -> Result<(Detail, Job)> {
        let mut tx = self.db.begin().await?;
        let (pod, tenant) = self.pod_held_to_grow(&mut tx, scope, id).await?;
        pod.state.unsuspend()?;
        tenant.open()?;
        let named = (kind::UNSUSPEND, "cloudpod.unsuspend_requested");
        self.operation_store(tx, (actor, scope), &pod, named, &json!({}), json!({})).await
    }
}
