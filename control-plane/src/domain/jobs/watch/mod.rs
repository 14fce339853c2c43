//! Whether the work goes on: jobs that nobody works on, jobs that cannot go on, and who waits for whom.

mod store;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::Job;
use super::service::Service;
use crate::db::Conn;
use crate::domain::finding::{FINDINGS_MAX, Finding, Findings};
use crate::error::Result;
use crate::ids::{CloudPodId, ServerId};

/// A lease may be over for so long before somebody has to have noticed.
const LEASE_GRACE: Duration = Duration::from_mins(1);
/// A job may be due for so long while nothing that could hold it up is being worked on.
const QUEUE_GRACE: Duration = Duration::from_mins(2);
const LIMIT: i64 = FINDINGS_MAX as i64 + 1;

impl Service {
    /// Finds jobs that somebody should work on and nobody does.
    pub async fn overdue_check(&self, conn: Conn<'_>) -> Result<Findings> {
        let now = self.clock.now();
        let jobs = store::jobs_overdue(conn, now.minus(LEASE_GRACE), now.minus(QUEUE_GRACE), LIMIT).await?;
        Ok(jobs
            .into_iter()
            .map(|job| Finding {
                subject: subject(&job),
                since: Some(job.run_at.max(job.updated_at)),
                detail: format!("it is {} and due, and nobody works on it", job.state.as_str()),
                cure: "see whether a control plane runs, and its log; it takes the job up by itself".to_owned(),
            })
            .collect())
    }

    /// Finds jobs whose undo cannot finish.
    pub async fn stuck_check(&self, conn: Conn<'_>) -> Result<Findings> {
        let jobs = store::jobs_stuck(conn, LIMIT).await?;
        Ok(jobs
            .into_iter()
            .map(|job| Finding {
                subject: subject(&job),
                since: Some(job.updated_at),
                detail: job.error.as_ref().map_or_else(
                    || "its undo cannot finish".to_owned(),
                    |error| format!("its undo cannot finish: {} ({})", error.detail, error.code),
                ),
                cure: format!("see `mpanel job log {}`, remove the cause, then `mpanel job retry {}`", job.id, job.id),
            })
            .collect())
    }

    /// A job of the pod that is not over, or is stuck.
    pub async fn job_busy(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<Option<Job>> {
        store::job_busy(conn, pod).await
    }

    /// Those of these pods that a job is not over for, or is stuck for.
    pub async fn pods_busy(&self, conn: Conn<'_>, pods: &[CloudPodId]) -> Result<HashSet<CloudPodId>> {
        if pods.is_empty() {
            return Ok(HashSet::new());
        }
        store::pods_busy(conn, pods).await
    }

    /// How many live jobs wait for the agent of each server.
    pub async fn waiting_counts(&self, conn: Conn<'_>) -> Result<HashMap<ServerId, i64>> {
        store::waiting_counts(conn).await
    }
}

fn subject(job: &Job) -> String {
    let what = job.pod.map_or_else(String::new, |pod| format!(" of cloudpod {pod}"));
    format!("job {} ({}{what})", job.id, job.kind)
}
