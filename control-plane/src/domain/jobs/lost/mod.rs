//! What becomes of jobs whose host was declared lost.

mod store;

use super::engine::declared::SERVER_LOST;
use super::engine::resumed::undo_anew;
use super::service::{Service, job_event};
use super::store::{NewLine, job_hold_any, job_store, log_append};
use super::{Job, JobError, JobState};
use crate::db::{Conn, Tx};
use crate::domain::audit::{Actor, Scope};
use crate::error::Result;
use crate::events::Topic;
use crate::ids::{JobId, ServerId};

impl Service {
    /// The jobs that are not over and have an order out at a server, wait for its agent, or belong to it; and of `others` those
    /// that are not over.
    pub async fn jobs_at_server(&self, mut conn: Conn<'_>, server: ServerId, others: &[JobId]) -> Result<Vec<Job>> {
        let mut jobs = store::jobs_at_server(conn.again(), server).await?;
        for id in others {
            if jobs.iter().all(|job| job.id != *id)
                && let Some(job) = super::store::job_get(conn.again(), Scope::Platform, *id).await?
                && !job.state.is_final()
            {
                jobs.push(job);
            }
        }
        // In one order for everybody who holds several.
        jobs.sort_unstable_by_key(|job| job.id);
        Ok(jobs)
    }

    /// Takes the orders of these jobs back that are out at a server that was declared lost: nobody will answer them. What can
    /// be undone is undone, with the code `server_lost`; what is past its point of no return is looked at anew, and so is what
    /// was stuck, for the declaration may be all that it waited for: one job of a pod after the other.
    pub async fn jobs_lose(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        server: ServerId,
        jobs: &[Job],
        why: &str,
    ) -> Result<u64> {
        let now = self.clock.now();
        let mut lost = 0;
        for job in jobs {
            let Some(mut job) = job_hold_any(tx, now, Scope::Platform, job.id).await? else { continue };
            let waits = job.waits_for == Some(server) || job.command.is_some_and(|(_, at)| at == server);
            let beside = job.state == JobState::Stuck && super::service::is_beside_another(tx.conn(), &job).await?;
            if beside {
                super::store::stuck_want_one(tx, job.id).await?;
            }
            let stuck = job.state == JobState::Stuck && !beside;
            // One that has not begun looks at its pod when it does.
            if job.state.is_final() || job.epoch == 0 || !(waits || stuck) {
                continue;
            }
            let saga = self.registry.get(&job.kind)?.clone();
            if stuck {
                undo_anew(tx, &mut job).await?;
            }
            let step = saga.steps().get(job.step);
            if job.state != JobState::Undoing && !step.is_some_and(|step| step.takes_declaration()) {
                job.state = JobState::Undoing;
                job.attempt = 1;
                job.error = Some(JobError { code: SERVER_LOST.to_owned(), detail: why.to_owned() });
            }
            (job.command, job.waits_for, job.run_at, job.updated_at) = (None, None, now, now);
            job.epoch += 1;
            job_store(tx, &job, None).await?;
            log_append(tx, now, &job, step.map_or("", |step| step.name()), &[NewLine { level: "error", line: why }])
                .await?;
            self.audit(tx, actor, "job.server_lost", &job).await?;
            job_event(tx, now, "job.server_lost", &job).await?;
            lost += 1;
        }
        tx.wake(Topic::Jobs);
        Ok(lost)
    }
}
