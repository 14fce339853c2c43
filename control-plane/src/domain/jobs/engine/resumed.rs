//! What was stuck and is worth another look.

use super::super::store::{self, NewLine};
use super::{Engine, step_of};
use crate::clock::Ms;
use crate::db::Tx;
use crate::domain::audit::Scope;
use crate::domain::jobs::JobState;
use crate::domain::jobs::service::job_event;
use crate::error::Result;
use crate::events::Topic;
use crate::ids::CloudPodId;

impl Engine {
    /// The stuck jobs of a pod that is gone are undone anew: what they could not undo went with it. One that holds something
    /// beside the pod, and still cannot give it back, is stuck again.
    pub(super) async fn stuck_resume(&self, tx: &mut Tx, pod: CloudPodId, now: Ms) -> Result<()> {
        for id in store::jobs_stuck_of_pod(tx.conn(), pod).await? {
            let Some(mut job) = store::job_hold_any(tx, now, Scope::Platform, id).await? else { continue };
            if job.state != JobState::Stuck {
                continue;
            }
            job.state = JobState::Undoing;
            job.step = store::step_last(tx.conn(), job.id).await?.unwrap_or(job.step);
            (job.attempt, job.run_at, job.updated_at) = (1, now, now);
            job.epoch += 1;
            store::job_store(tx, &job, None).await?;
            let saga = self.0.registry.get(&job.kind)?;
            let line = NewLine { level: "info", line: "its pod is gone: what was stuck is undone anew" };
            store::log_append(tx, now, &job, step_of(saga, &job)?.name(), &[line]).await?;
            job_event(tx, now, "job.undoing", &job).await?;
        }
        tx.wake(Topic::Jobs);
        Ok(())
    }
}
