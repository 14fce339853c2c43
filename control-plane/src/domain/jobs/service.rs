//! What others may do with jobs: make them, look at them, retry and cancel them.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::engine::resumed::undo_anew;
use super::store::{self, NewLine};
use super::{AgentPort, Job, JobNames, JobState, LogLine, NewJob, Registry, StepRow};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::access::{Permission, Permissions};
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::sort::Age;
use crate::error::{Error, Result};
use crate::events::{Event, Topic, event_append};
use crate::ids::{CloudPodId, JobId, ServerId};

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Of this pod.
    pub pod: Option<CloudPodId>,
    /// On this server.
    pub server: Option<ServerId>,
    /// Of this kind.
    pub kind: Option<String>,
    /// In this state.
    pub state: Option<JobState>,
    /// That waits for this server's agent.
    pub waits_for: Option<ServerId>,
    /// In this order.
    pub sort: Age,
}

/// The service of the jobs slice.
#[derive(Clone)]
pub struct Service {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) registry: Registry,
    agents: Arc<dyn AgentPort>,
}

#[derive(Serialize)]
struct JobFacts<'a> {
    kind: &'a str,
    pod_id: Option<CloudPodId>,
    server_id: Option<ServerId>,
    state: JobState,
}

/// What the outbox says of a job.
pub(super) async fn job_event(tx: &mut Tx, at: Ms, name: &str, job: &Job) -> Result<()> {
    let facts = JobFacts { kind: &job.kind, pod_id: job.pod, server_id: job.server, state: job.state };
    event_append(tx, at, Event { tenant: job.tenant, name, subject: job.id.to_string() }, &facts).await
}

impl Service {
    /// Over these sagas; `agents` carries cancellations.
    #[must_use]
    pub fn new(db: Db, clock: Clock, registry: Registry, agents: Arc<dyn AgentPort>) -> Self {
        Self { db, clock, registry, agents }
    }

    /// Queues a job in the caller's transaction.
    pub async fn job_create(&self, tx: &mut Tx, actor: &Actor, new: NewJob) -> Result<Job> {
        let saga = self.registry.get(new.kind)?;
        let insert = store::Insert {
            id: JobId::generate(),
            new: &new,
            step_count: saga.steps().len(),
            attempts_max: saga.attempts_max(),
            created_by: actor.to_string(),
        };
        let now = self.clock.now();
        let job = store::job_insert(tx, now, insert).await?;
        self.audit(tx, actor, "job.created", &job).await?;
        job_event(tx, now, "job.created", &job).await?;
        tx.wake(Topic::Jobs);
        Ok(job)
    }

    /// A job with the steps that have begun; steps that have not are in the saga ([`Service::step_names`]).
    pub async fn job_get(&self, scope: Scope, id: JobId) -> Result<(Job, Vec<StepRow>)> {
        let mut read = self.db.read().await?;
        let job = store::job_get(read.conn(), scope, id).await?.ok_or_else(|| Error::not_found("job", id))?;
        let steps = store::steps_of(read.conn(), id).await?;
        Ok((job, steps))
    }

    /// A page of jobs.
    pub async fn job_list(&self, scope: Scope, filter: &JobFilter, window: Window<JobId>) -> Result<Vec<Job>> {
        store::job_list(self.db.read().await?.conn(), scope, filter, window).await
    }

    /// The jobs of a pod that are not over, oldest first.
    pub async fn jobs_live_of_pod(&self, conn: Conn<'_>, pod: CloudPodId) -> Result<Vec<Job>> {
        store::jobs_live_of_pod(conn, pod).await
    }

    /// The jobs of pods that are of this kind and not over.
    pub async fn jobs_live_of_kind(&self, conn: Conn<'_>, kind: &str) -> Result<Vec<Job>> {
        store::jobs_live_of_kind(conn, kind).await
    }

    /// The newest job of a pod of this kind, whatever its state.
    pub async fn job_newest_of_pod(&self, conn: Conn<'_>, pod: CloudPodId, kind: &str) -> Result<Option<Job>> {
        let filter = JobFilter { pod: Some(pod), kind: Some(kind.to_owned()), ..JobFilter::default() };
        Ok(store::job_list(conn, Scope::Platform, &filter, Window { limit: 1, after: None }).await?.pop())
    }

    /// Deletes up to `limit` jobs that ended before `before`, with their logs; how many.
    pub async fn jobs_prune(&self, before: Ms, limit: u32) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let pruned = store::jobs_prune(&mut tx, before, limit).await?;
        tx.commit().await?;
        Ok(pruned)
    }

    /// How many live jobs there are in each state.
    pub async fn counts_by_state(&self) -> Result<Vec<(String, i64)>> {
        store::counts_by_state(self.db.read().await?.conn()).await
    }

    /// Refuses (403) who may not retry and cancel this job: what the platform does with a pod is not its customer's to stop.
    pub async fn job_permit(&self, scope: Scope, grant: Permissions, id: JobId) -> Result<()> {
        let job = store::job_get(self.db.read().await?.conn(), scope, id).await?;
        let job = job.ok_or_else(|| Error::not_found("job", id))?;
        // A kind that only another version knows is nobody's but the platform's.
        let permission =
            self.registry.get(&job.kind).map_or(Permission::ProvisioningManage, |saga| saga.permission(&job));
        if grant.has(permission) {
            return Ok(());
        }
        let whose = if permission == Permission::ProvisioningWrite { "" } else { "the platform ordered this job: " };
        Err(Error::Forbidden(format!("{whose}retrying and cancelling it needs the permission {permission}")))
    }

    /// The names of the steps of a job's saga, in order; empty when this version has no such saga.
    #[must_use]
    pub fn step_names(&self, job: &Job) -> Vec<&'static str> {
        self.registry
            .get(&job.kind)
            .map(|saga| saga.steps().iter().map(|step| step.name()).collect())
            .unwrap_or_default()
    }

    /// What these jobs' pods and servers are called.
    pub async fn job_names(&self, jobs: &[Job]) -> Result<HashMap<JobId, JobNames>> {
        if jobs.is_empty() {
            return Ok(HashMap::new());
        }
        store::job_names(self.db.read().await?.conn(), jobs).await
    }

    /// The lines of its log, oldest first; `whole`: also what went well.
    pub async fn job_log(
        &self,
        scope: Scope,
        id: JobId,
        whole: bool,
        window: Window<uuid::Uuid>,
    ) -> Result<Vec<LogLine>> {
        let mut read = self.db.read().await?;
        store::job_get(read.conn(), scope, id).await?.ok_or_else(|| Error::not_found("job", id))?;
        store::log_of(read.conn(), id, whole, window).await
    }

    /// Tries again: a stuck undo begins anew with the last step; a wait for the next try ends now. A job that is over stays over: its pod's next
    /// job is made by asking for it.
    pub async fn job_retry(&self, actor: &Actor, scope: Scope, id: JobId) -> Result<Job> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let mut job = self.hold(&mut tx, scope, id).await?;
        match job.state {
            JobState::Stuck if is_beside_another(tx.conn(), &job).await? => {
                let detail = "another job of its pod is being worked on: retry it when that one has ended";
                return Err(Error::conflict("cloudpod_busy", detail));
            }
            JobState::Stuck => undo_anew(&mut tx, &mut job).await?,
            JobState::Queued => {}
            JobState::Undoing if job.run_at > now => {}
            JobState::Running | JobState::Undoing => {
                return Err(Error::conflict("job_running", "it is being worked on; there is nothing to retry"));
            }
            JobState::Succeeded | JobState::Failed | JobState::Cancelled => {
                return Err(Error::conflict(
                    "job_over",
                    format!("it has {}; ask for the operation again, which makes a new job", job.state.as_str()),
                ));
            }
        }
        job.run_at = now;
        job.updated_at = now;
        job.epoch += 1;
        store::job_store(&mut tx, &job, None).await?;
        self.audit(&mut tx, actor, "job.retried", &job).await?;
        job_event(&mut tx, now, "job.retried", &job).await?;
        tx.wake(Topic::Jobs);
        tx.commit().await?;
        Ok(job)
    }

    /// Cancels: at once before a step; during one, the step ends or is aborted. Everything done is undone.
    pub async fn job_cancel(&self, actor: &Actor, scope: Scope, id: JobId) -> Result<Job> {
        let mut tx = self.db.begin().await?;
        let job = self.job_cancel_in(&mut tx, actor, scope, id).await?;
        tx.commit().await?;
        self.job_cancel_tell(&job);
        Ok(job)
    }

    /// Tells the agent that has an order of the job out that it is cancelled. To be called after the commit.
    pub fn job_cancel_tell(&self, job: &Job) {
        if let Some((command, server)) = job.command
            && self.agents.cancel(server, command, job.epoch).is_err()
        {
            tracing::info!(job = %job.id, %server, "the agent is not connected here: it is told elsewhere, or when it returns");
            self.agents.cancel_elsewhere(server, command, job.epoch);
        }
    }

    /// Whether it has no order out, and nobody has asked for it to be cancelled yet: so it stays until the transaction ends.
    pub async fn is_idle(&self, tx: &mut Tx, id: JobId) -> Result<bool> {
        let job = self.hold(tx, Scope::Platform, id).await?;
        Ok(job.command.is_none() && !job.cancel_requested)
    }

    /// As [`Service::job_cancel`], in the caller's transaction; [`Service::job_cancel_tell`] follows its commit.
    pub async fn job_cancel_in(&self, tx: &mut Tx, actor: &Actor, scope: Scope, id: JobId) -> Result<Job> {
        let now = self.clock.now();
        let mut job = self.hold(tx, scope, id).await?;
        if job.state.is_final() {
            return Err(Error::conflict("job_over", format!("it has {} already", job.state.as_str())));
        }
        if matches!(job.state, JobState::Undoing | JobState::Stuck) {
            return Err(Error::conflict(
                "job_undoing",
                "what it did is being undone already; `retry` resumes a stuck one",
            ));
        }
        let saga = self.registry.get(&job.kind)?.clone();
        if !saga.steps().get(job.step).is_none_or(|step| step.cancellable()) {
            return Err(Error::conflict("job_past_return", "it is past the point where it could be undone"));
        }
        job.cancel_requested = true;
        job.updated_at = now;
        // Epoch 0: never claimed, so there is nothing to undo. Otherwise the engine undoes it when it next has the job.
        if job.state == JobState::Queued && job.epoch == 0 {
            job.state = JobState::Cancelled;
            job.finished_at = Some(now);
            store::job_store(tx, &job, None).await?;
            saga.ended(tx, &job, &super::End::Cancelled).await?;
        } else {
            job.run_at = if job.state == JobState::Queued { now } else { job.run_at };
            store::cancel_request(tx, now, job.id, job.run_at).await?;
        }
        let line = format!("{actor} asked for it to be cancelled");
        let step = saga.steps().get(job.step).map_or("", |step| step.name());
        store::log_append(tx, now, &job, step, &[NewLine { level: "warn", line: &line }]).await?;
        self.audit(tx, actor, "job.cancel_requested", &job).await?;
        job_event(tx, now, "job.cancel_requested", &job).await?;
        tx.wake(Topic::Jobs);
        Ok(job)
    }

    async fn hold(&self, tx: &mut Tx, scope: Scope, id: JobId) -> Result<Job> {
        store::job_hold_any(tx, self.clock.now(), scope, id).await?.ok_or_else(|| Error::not_found("job", id))
    }

    pub(super) async fn audit(&self, tx: &mut Tx, actor: &Actor, action: &str, job: &Job) -> Result<()> {
        let record = Record { actor, tenant: job.tenant, action, target_kind: "job", target_id: job.id.to_string() };
        let facts = JobFacts { kind: &job.kind, pod_id: job.pod, server_id: job.server, state: job.state };
        audit_append(tx, self.clock.now(), record, &facts).await
    }
}

/// Whether another job of its pod has begun and is not over: that is done one at a time.
pub(super) async fn is_beside_another(conn: Conn<'_>, job: &Job) -> Result<bool> {
    let Some(pod) = job.pod else { return Ok(false) };
    let live = store::jobs_live_of_pod(conn, pod).await?;
    Ok(live.iter().any(|other| other.id != job.id && (other.state != JobState::Queued || other.epoch > 0)))
}
