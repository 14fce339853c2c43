//! What a tenant's suspension does to its pods: each is suspended by a job, and its reactivation gives back those that it took, and no
//! others.
//!
//! The request takes the first of them in its own transaction; a loop goes on, and catches what comes later: a pod that was just being
//! made, one whose suspension failed. It looks at what is stored and not at what it did before, so that any control plane may run it.
//! That a pod goes with its tenant is noted on the pod when its job is queued.

mod store;

use std::time::Duration;

use serde_json::json;

use super::asked::Asked;
use super::sagas::{SuspendParams, kind};
use super::service::Service;
use super::{CloudPod, State, store as pods};
use crate::db::Tx;
use crate::domain::audit::{Actor, Scope};
use crate::domain::jobs::Job;
use crate::domain::tenants::{Tenant, quotas};
use crate::error::{Error, Result};
use crate::events::Topic;
use crate::ids::{CloudPodId, JobId, TenantId};

/// The pods that are taken in one transaction, and that one run of the loop looks at of each kind.
const BATCH: i64 = 50;
/// How long a guest gets to shut down, in seconds.
const GUEST_S: u64 = 180;
/// A pod whose job failed is tried again after this.
const AGAIN: Duration = Duration::from_mins(10);

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Pods that now go with their tenant.
    pub done: u64,
    /// There are more at once.
    pub more: bool,
}

/// What has to be done for a pod to be as its tenant is.
enum Due {
    /// Nothing, or it was done in this transaction.
    Done(bool),
    /// This job has to be cancelled, which takes its row before the pod's.
    Cancel(JobId),
}

impl Service {
    /// Suspends a tenant: from now on its people may only read, nothing new is made for it, and its pods are suspended by jobs.
    /// Repeatable: one that is suspended already stays so for the same reason.
    pub async fn tenant_suspend(&self, actor: &Actor, id: TenantId, reason: &str) -> Result<Tenant> {
        let mut tx = self.db.begin().await?;
        let (tenant, new) = self.tenants.tenant_suspend_in(&mut tx, actor, id, reason).await?;
        if new {
            self.pods_follow_in(&mut tx, actor, id).await?;
        }
        tx.commit().await?;
        Ok(tenant)
    }

    /// Ends a tenant's suspension: its people may do again what their roles say, and jobs give back the pods that its suspension took.
    /// Those that were suspended for another reason stay so. Repeatable.
    pub async fn tenant_reactivate(&self, actor: &Actor, id: TenantId) -> Result<Tenant> {
        let mut tx = self.db.begin().await?;
        let (tenant, was_suspended) = self.tenants.tenant_reactivate_in(&mut tx, actor, id).await?;
        if was_suspended {
            self.pods_follow_in(&mut tx, actor, id).await?;
        }
        tx.commit().await?;
        Ok(tenant)
    }

    /// Takes the first pods of a tenant that is held along; the loop does the rest.
    async fn pods_follow_in(&self, tx: &mut Tx, actor: &Actor, id: TenantId) -> Result<()> {
        // The request's key is the tenant's, not its pods'.
        let actor = Actor { idempotency_key: None, ..actor.clone() };
        let tenant = quotas::hold(tx, id).await?;
        let due = if tenant.suspension().is_some() {
            store::pods_to_suspend(tx.conn(), Some(id), self.again_before(), BATCH).await?
        } else {
            store::pods_to_give_back(tx.conn(), Some(id), self.again_before(), BATCH).await?
        };
        for pod in due {
            match self.pod_follow_in(tx, &actor, &tenant, pod).await {
                // What cannot go along now is the loop's to try.
                Ok(_) | Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        tx.wake(Topic::Tenants);
        Ok(())
    }

    /// Brings pods on their way to where their tenants are. May run on any number of control planes at once.
    pub async fn tenants_follow(&self) -> Result<Followed> {
        let actor = Actor::system("tenants");
        let before = self.again_before();
        let mut read = self.db.read().await?;
        let suspend = store::pods_to_suspend(read.conn(), None, before, BATCH).await?;
        let keep = store::pods_to_keep(read.conn(), BATCH).await?;
        let give_back = store::pods_to_give_back(read.conn(), None, before, BATCH).await?;
        drop(read);
        let full = [&suspend, &keep, &give_back].iter().any(|due| due.len() as i64 >= BATCH);
        let mut done = 0;
        for pod in suspend.into_iter().chain(keep).chain(give_back) {
            match self.pod_follow(&actor, pod).await {
                Ok(followed) => done += u64::from(followed),
                // The database is away: the next run comes soon.
                Err(error) if error.retryable() => return Err(error),
                // One that cannot go along keeps no other from it.
                Err(error) => tracing::warn!(%pod, %error, "a pod cannot go along with its tenant yet"),
            }
        }
        Ok(Followed { done, more: full && done > 0 })
    }

    /// Does what is due for one pod, whatever was read before. `true`: something was.
    async fn pod_follow(&self, actor: &Actor, id: CloudPodId) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let (_, tenant) = self.pod_held_to_grow(&mut tx, Scope::Platform, id).await?;
        match self.pod_follow_in(&mut tx, actor, &tenant, id).await? {
            Due::Done(done) => {
                tx.commit().await?;
                Ok(done)
            }
            Due::Cancel(job) => {
                drop(tx);
                match self.jobs.job_cancel(actor, Scope::Platform, job).await {
                    Ok(_) => Ok(true),
                    // It is over, or cannot be stopped: what comes of it is seen in the next run.
                    Err(Error::Conflict { .. }) => Ok(false),
                    Err(error) => Err(error),
                }
            }
        }
    }

    async fn pod_follow_in(&self, tx: &mut Tx, actor: &Actor, tenant: &quotas::Held, id: CloudPodId) -> Result<Due> {
        let pod = self.pod_held(tx, Scope::Platform, id).await?;
        let live = self.jobs.jobs_live_of_pod(tx.conn(), id).await?;
        let under_way = |kind: &str| live.iter().find(|job| job.kind == kind);
        let (suspending, lifting) = (under_way(kind::SUSPEND), under_way(kind::UNSUSPEND));
        let cancel = |job: &Job| if job.cancel_requested { Due::Done(false) } else { Due::Cancel(job.id) };
        let with_tenant = pod.condition.suspended_with_tenant;
        Ok(match (tenant.suspension(), &pod.state) {
            (Some(reason), State::Active) if suspending.is_none() => {
                self.pod_take(tx, actor, &pod, reason).await?;
                Due::Done(true)
            }
            (Some(_), State::Suspended) if with_tenant => lifting.map_or(Due::Done(false), cancel),
            (None, State::Suspended | State::Active) if with_tenant => match (suspending, lifting, &pod.state) {
                (Some(job), _, _) => cancel(job),
                (None, Some(_), _) => Due::Done(false),
                (None, None, State::Suspended) => {
                    let (event, detail) = ("cloudpod.unsuspend_requested", json!({ "with_tenant": true }));
                    let asked = Asked { kind: kind::UNSUSPEND, params: json!({}), event, detail };
                    self.job_ask(tx, actor, &pod, asked).await?;
                    Due::Done(true)
                }
                (None, None, _) => {
                    pods::pod_with_tenant_set(tx, id, false, self.books.clock.now()).await?;
                    Due::Done(true)
                }
            },
            _ => Due::Done(false),
        })
    }

    /// Queues the job that suspends a pod with its tenant.
    async fn pod_take(&self, tx: &mut Tx, actor: &Actor, pod: &CloudPod, reason: &str) -> Result<()> {
        pods::pod_with_tenant_set(tx, pod.id, true, self.books.clock.now()).await?;
        let reason = format!("its tenant is suspended: {reason}");
        let (event, detail) = ("cloudpod.suspend_requested", json!({ "reason": reason, "with_tenant": true }));
        let params = serde_json::to_value(SuspendParams { reason, timeout_s: GUEST_S }).map_err(Error::internal)?;
        self.job_ask(tx, actor, pod, Asked { kind: kind::SUSPEND, params, event, detail }).await?;
        Ok(())
    }

    fn again_before(&self) -> crate::clock::Ms {
        self.books.clock.now().minus(AGAIN)
    }
}
