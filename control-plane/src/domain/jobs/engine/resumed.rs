//! What was stuck and is worth another look.

use super::super::store::{self, NewLine};
use super::{Engine, step_of};
use crate::clock::Ms;
use crate::db::Tx;
use crate::domain::audit::Scope;
use crate::domain::jobs::service::{is_beside_another, job_event};
use crate::domain::jobs::{Job, JobState};
use crate::error::Result;
use crate::events::Topic;
use crate::ids::CloudPodId;

impl Engine {
    /// When a job of a pod has ended: the next of its stuck ones that is to be looked at again, one at a time. One that still
    /// cannot be undone is stuck again, and the next one has its turn.
    pub(super) async fn stuck_resume(&self, tx: &mut Tx, pod: CloudPodId, now: Ms) -> Result<()> {
        let Some(id) = store::stuck_next(tx.conn(), pod).await? else { return Ok(()) };
        let Some(mut job) = store::job_hold_any(tx, now, Scope::Platform, id).await? else { return Ok(()) };
        if job.state != JobState::Stuck || is_beside_another(tx.conn(), &job).await? {
            return Ok(());
        }
        undo_anew(tx, &mut job).await?;
        (job.run_at, job.updated_at) = (now, now);
        job.epoch += 1;
        store::job_store(tx, &job, None).await?;
        let saga = self.0.registry.get(&job.kind)?;
        let line = NewLine { level: "info", line: "what it may have waited for is over: it is undone anew" };
        store::log_append(tx, now, &job, step_of(saga, &job)?.name(), &[line]).await?;
        job_event(tx, now, "job.undoing", &job).await?;
        tx.wake(Topic::Jobs);
        Ok(())
    }
}

/// From the top: what an undo saw before may have changed since.
pub(in crate::domain::jobs) async fn undo_anew(tx: &mut Tx, job: &mut Job) -> Result<()> {
    job.state = JobState::Undoing;
    job.step = store::step_last(tx.conn(), job.id).await?.unwrap_or(job.step);
    job.attempt = 1;
    job.retries += 1;
    Ok(())
}
