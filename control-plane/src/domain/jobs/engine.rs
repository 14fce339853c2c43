//! The engine: takes due jobs, does their steps, stores what agents report. It knows no job kinds.
//!
//! A step's local work commits in the transaction that advances the job. A command is committed before it is sent, and no
//! transaction is open while an agent works. Whoever writes holds the job's row by its present epoch ([`store::job_hold`]),
//! so that a control plane that was stopped past its lease changes nothing when it continues.

pub(super) mod declared;
mod queue;
pub(super) mod resumed;
mod sessions;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use self::queue::Looked;
use self::sessions::Reach;
use super::service::job_event;
use super::state::{self, Ended, Next};
use super::store::{self, NewLine};
use super::{
    Action, AgentCommand, AgentPort, CommandFailure, CommandOutput, End, FailureKind, Job, JobError, JobState, Order,
    Pace, Registry, Saga, Verdict,
};
use crate::clock::{Clock, Ms};
use crate::db::{Db, Tx};
use crate::domain::audit::{Actor, Record, audit_append};
use crate::error::{Error, Result};
use crate::events::Topic;
use crate::fault;
use crate::ids::{CommandId, InstanceId, JobId, ServerId, TenantId};

/// So often a step is tried again while the database does not answer, before it is left to its lease.
const UNANSWERED_MAX: u32 = 6;
/// A step's transactions take milliseconds; after this the database is taken not to answer.
const STEP_TIME_MAX: Duration = Duration::from_secs(30);

/// What an agent reports of a command.
#[derive(Clone, Debug)]
pub struct ResultReport {
    /// Which command.
    pub command: CommandId,
    /// The epoch under which it was last sent.
    pub epoch: u64,
    /// How it ended.
    pub outcome: Result<CommandOutput, CommandFailure>,
    /// The last lines of Proxmox's task log.
    pub log: Vec<String>,
}

/// Does jobs. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    pace: Pace,
    registry: Registry,
    agents: Arc<dyn AgentPort>,
    instance: InstanceId,
    tasks: TaskTracker,
    /// One for each job that may be advanced at once: the database is not asked for more than it can take.
    slots: Arc<Semaphore>,
    /// What this process really sent and still awaits: only that is renewed. What was stored and never sent lapses, and is
    /// sent again by whoever claims it.
    sent: Mutex<HashMap<JobId, Sent>>,
    /// The tenant that the last claim served last: the next one goes on behind it.
    served: Mutex<TenantId>,
    looked: Mutex<Looked>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Sent {
    epoch: u64,
    server: ServerId,
}

/// What to do with a job after one of its steps was looked at.
#[allow(clippy::large_enum_variant, reason = "it lives for one step")]
enum Moved {
    /// Go on with it at once.
    On(Job),
    /// Nothing more to do here now: a command is out, it waits, it has ended, or somebody else has it.
    Parked,
}

impl Engine {
    /// An engine for this control plane, `instance`. Its work runs on `tasks`, which shutdown waits for.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        pace: Pace,
        registry: Registry,
        agents: Arc<dyn AgentPort>,
        instance: InstanceId,
        tasks: TaskTracker,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(pace.claim_batch as usize));
        let (sent, served, looked) = (Mutex::default(), Mutex::new(TenantId(uuid::Uuid::nil())), Mutex::default());
        Self(Arc::new(Inner { db, clock, pace, registry, agents, instance, tasks, slots, sent, served, looked }))
    }

    /// Stores how far a command is. What comes from another server or with an older epoch changes nothing.
    pub async fn progress_record(
        &self,
        server: ServerId,
        command: CommandId,
        epoch: u64,
        percent: u8,
        log: &[String],
    ) -> Result<()> {
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        let Some(job) = store::progress_store(&mut tx, now, command, epoch, server, percent.min(100)).await? else {
            return Ok(());
        };
        self.log(&mut tx, &job, log.iter().map(|line| NewLine { level: "info", line })).await?;
        tx.commit().await
    }

    /// Stores a result and goes on with its job. `Ok` means that the agent may forget it: it is stored, or it is late and
    /// counts for nothing. `Unavailable`: it is not stored, and is to be brought again.
    pub async fn result_record(&self, server: ServerId, report: ResultReport) -> Result<()> {
        fault::point("result.received");
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        let Some(job) = store::job_hold_by_command(&mut tx, now, report.command).await? else {
            metrics::counter!("mpanel_results_late_total").increment(1);
            return Ok(());
        };
        if job.command.is_some_and(|(_, owner)| owner != server) {
            return self.refuse(tx, server, &job).await;
        }
        if job.epoch != report.epoch {
            metrics::counter!("mpanel_results_late_total").increment(1);
            tracing::info!(job = %job.id, epoch = job.epoch, late = report.epoch, "a late result changes nothing");
            return Ok(());
        }
        let Ok(saga) = self.0.registry.get(&job.kind).cloned() else {
            tracing::error!(job = %job.id, kind = job.kind, "this version does not know the job's kind: the result is left out");
            return Ok(());
        };
        self.log(&mut tx, &job, report.log.iter().map(|line| NewLine { level: "info", line })).await?;
        let moved = match report.outcome {
            Ok(output) => self.command_done(&saga, tx, job.clone(), &output).await,
            Err(failure) => self.command_failed(&saga, tx, job.clone(), &failure).await,
        };
        let moved = match moved {
            Ok(moved) => moved,
            // The database does not answer: the same result is stored when it does.
            Err(error @ Error::Unavailable { .. }) => return Err(error),
            Err(error) => self.try_failed(job.clone(), &error).await?,
        };
        self.sent().remove(&job.id);
        fault::point("result.stored");
        if let Moved::On(job) = moved {
            self.spawn(job, None);
        }
        Ok(())
    }

    fn sent(&self) -> MutexGuard<'_, HashMap<JobId, Sent>> {
        self.0.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, job: Job, slot: Option<OwnedSemaphorePermit>) {
        let engine = self.clone();
        self.0.tasks.spawn(async move {
            let _slot = match slot {
                Some(slot) => Some(slot),
                None => engine.0.slots.clone().acquire_owned().await.ok(),
            };
            engine.advance(job).await;
        });
    }

    fn lease(&self) -> (InstanceId, Ms) {
        (self.0.instance, self.0.clock.now().plus(self.0.pace.lease))
    }

    /// Does step after step until there is nothing more to do here. While the database does not answer it tries again, which
    /// is no try of the step; in the end the job is left to its lease.
    async fn advance(&self, mut job: Job) {
        let mut unanswered = 0;
        loop {
            let stepped = tokio::time::timeout(STEP_TIME_MAX, self.step(job.clone())).await;
            let moved = match stepped.unwrap_or_else(|_| Err(Error::unavailable("the database took too long"))) {
                Err(error) if !matches!(error, Error::Unavailable { .. }) => self.try_failed(job.clone(), &error).await,
                moved => moved,
            };
            match moved {
                Ok(Moved::On(next)) => {
                    job = next;
                    unanswered = 0;
                }
                Ok(Moved::Parked) => return,
                Err(Error::Unavailable { .. }) if unanswered < UNANSWERED_MAX && !self.0.tasks.is_closed() => {
                    unanswered += 1;
                    let wait = state::retry_wait(unanswered + 1, self.0.pace.retry_first, self.0.pace.lease);
                    tokio::time::sleep(wait.min(Duration::from_secs(5))).await;
                }
                Err(error) => {
                    tracing::warn!(job = %job.id, %error, cause = ?error, "left to its lease");
                    return;
                }
            }
        }
    }

    async fn step(&self, job: Job) -> Result<Moved> {
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        let Some(mut job) = store::job_hold(&mut tx, now, job.id, job.epoch).await? else { return Ok(Moved::Parked) };
        let saga = self.0.registry.get(&job.kind)?.clone();
        let step = step_of(&saga, &job)?;
        if job.state == JobState::Running && job.cancel_requested && job.command.is_none() && step.cancellable() {
            self.log(&mut tx, &job, [NewLine { level: "warn", line: "cancelled: undoing what was done" }]).await?;
            let next = state::after_cancel(&job);
            return self.go(&saga, tx, job, next).await;
        }
        // At each try of the first step: a try that failed took what it had begun with it.
        if job.state == JobState::Running && job.step == 0 && job.command.is_none() {
            saga.began(&mut tx, &job).await?;
            job_event(&mut tx, now, "job.started", &job).await?;
        }
        let undoing = job.state == JobState::Undoing;
        if let (Some((command, server)), true, false) = (job.command, job.cancel_requested, undoing) {
            return self.cancel_out(tx, job, command, server).await;
        }
        let action = if undoing { step.undo(&mut tx, &job).await } else { step.begin(&mut tx, &job).await };
        let action = match (action, job.command) {
            // What is out cannot be said again: its end has to be known before anything else is done.
            (Err(error), Some((command, server))) if !undoing && !matches!(error, Error::Unavailable { .. }) => {
                drop(tx);
                tracing::warn!(job = %job.id, %error, "what is out at the agent is wanted no more");
                let mut tx = self.0.db.begin().await?;
                return match store::job_hold(&mut tx, now, job.id, job.epoch).await? {
                    Some(job) => self.cancel_out(tx, job, command, server).await,
                    None => Ok(Moved::Parked),
                };
            }
            (action, _) => action?,
        };
        match action {
            Action::Done(detail) => {
                job.command = None;
                let (shown, detail) = if undoing { ("undone", None) } else { ("done", Some(detail)) };
                store::step_store(&mut tx, &job, step.name(), shown, detail.as_deref(), now).await?;
                let next = state::after_done(&job);
                let name = step.name();
                let moved = self.go(&saga, tx, job, next).await?;
                fault::point(&format!("{name}.done"));
                Ok(moved)
            }
            Action::Command(command) => {
                let shown = if undoing { "undoing" } else { "running" };
                store::step_store(&mut tx, &job, step.name(), shown, None, now).await?;
                self.send(tx, job, step.name(), command).await
            }
        }
    }

    /// Commits that a command is out, then sends it.
    async fn send(&self, mut tx: Tx, mut job: Job, step: &'static str, command: AgentCommand) -> Result<Moved> {
        let now = self.0.clock.now();
        let server = command.server;
        job.server = Some(server);
        job.updated_at = now;
        let reach = self.reach(&mut tx, server).await?;
        if reach == Reach::Nowhere && self.0.registry.is_declared_lost(&mut tx, &command).await? {
            return self.declared(tx, job, &command).await;
        }
        if reach != Reach::Here {
            return self.hand_over(tx, job, server, reach).await;
        }
        let rooms = store::rooms_of(&mut tx, &command).await?;
        let missing = match job.command {
            None => self.place_missing(&mut tx, server, &rooms).await?,
            Some(_) => None,
        };
        if let Some(missing) = missing {
            // The next claim that finds room takes it, and may find it taken again: that is not said again.
            let line = format!("{step} waits for a place: {missing}");
            store::log_append_once(&mut tx, now, &job, step, &NewLine { level: "info", line: &line }).await?;
            job.waits_for = None;
            store::job_store_strained(&mut tx, &job, None, None, &rooms).await?;
            tx.commit().await?;
            return Ok(Moved::Parked);
        }
        let id = job.command.map_or_else(CommandId::generate, |(id, _)| id);
        job.command = Some((id, server));
        job.epoch += 1;
        job.waits_for = None;
        let deadline = now.plus(command.timeout);
        let until = Some(deadline.plus(self.0.pace.lease));
        store::job_store_strained(&mut tx, &job, Some(self.lease()), until, &rooms).await?;
        tx.commit().await?;
        fault::point(&format!("{step}.committed"));
        self.sent().insert(job.id, Sent { epoch: job.epoch, server });
        let sent = self.0.agents.send(Order { id, epoch: job.epoch, deadline, command });
        fault::point(&format!("{step}.sent"));
        if sent.is_err() {
            self.wait_for(job, server).await?;
        }
        Ok(Moved::Parked)
    }

    /// Asks the agent, under a new epoch, to abort what is out at it; how it ended comes as its result.
    async fn cancel_out(&self, mut tx: Tx, mut job: Job, command: CommandId, server: ServerId) -> Result<Moved> {
        job.updated_at = self.0.clock.now();
        let reach = self.reach(&mut tx, server).await?;
        if reach != Reach::Here {
            return self.hand_over(tx, job, server, reach).await;
        }
        job.epoch += 1;
        job.waits_for = None;
        store::job_store(&mut tx, &job, Some(self.lease())).await?;
        tx.commit().await?;
        self.sent().insert(job.id, Sent { epoch: job.epoch, server });
        if self.0.agents.cancel(server, command, job.epoch).is_err() {
            self.wait_for(job, server).await?;
        }
        Ok(Moved::Parked)
    }

    /// The agent left between the look and the send.
    async fn wait_for(&self, job: Job, server: ServerId) -> Result<()> {
        self.sent().remove(&job.id);
        let now = self.0.clock.now();
        let mut tx = self.0.db.begin().await?;
        if let Some(mut job) = store::job_hold(&mut tx, now, job.id, job.epoch).await? {
            job.waits_for = Some(server);
            store::job_store(&mut tx, &job, None).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn command_done(
        &self,
        saga: &Arc<dyn Saga>,
        mut tx: Tx,
        mut job: Job,
        output: &CommandOutput,
    ) -> Result<Moved> {
        let step = step_of(saga, &job)?;
        for warning in &output.warnings {
            self.log(&mut tx, &job, [NewLine { level: "warn", line: warning }]).await?;
        }
        job.command = None;
        let shown = if job.state == JobState::Undoing {
            step.undone(&mut tx, &job, output).await?;
            "undone"
        } else {
            step.complete(&mut tx, &job, output).await?;
            "done"
        };
        store::step_store(&mut tx, &job, step.name(), shown, None, self.0.clock.now()).await?;
        let next = state::after_done(&job);
        self.go(saga, tx, job, next).await
    }

    async fn command_failed(
        &self,
        saga: &Arc<dyn Saga>,
        mut tx: Tx,
        mut job: Job,
        failure: &CommandFailure,
    ) -> Result<Moved> {
        let step = step_of(saga, &job)?;
        job.command = None;
        let retryable = job.state == JobState::Undoing
            || (failure.kind != FailureKind::Cancelled && step.failed(&mut tx, &job, failure).await? == Verdict::Retry);
        let error = JobError { code: failure.kind.code().to_owned(), detail: failure.message.clone() };
        if failure.kind != FailureKind::Ledger {
            return self.failed(saga, tx, job, error, retryable).await;
        }
        // Said only while the waits grow: it may be so for hours, until somebody frees the agent's disk.
        if state::attempt_later(&job) > job.attempt {
            let line = format!("{} waits: {} ({})", step.name(), error.detail, error.code);
            self.log(&mut tx, &job, [NewLine { level: "warn", line: &line }]).await?;
            store::step_store(&mut tx, &job, step.name(), "failed", Some(&error.detail), self.0.clock.now()).await?;
        }
        if job.state == JobState::Running || job.error.is_none() {
            job.error = Some(error);
        }
        let next = state::after_refusal(&job, retryable);
        self.go(saga, tx, job, next).await
    }

    /// A try ended with an error of ours: nothing of it was committed.
    async fn try_failed(&self, tried: Job, error: &Error) -> Result<Moved> {
        if let Error::Internal(cause) = error {
            tracing::error!(job = %tried.id, %cause, "a step failed");
        }
        let mut tx = self.0.db.begin().await?;
        let Some(mut job) = store::job_hold(&mut tx, self.0.clock.now(), tried.id, tried.epoch).await? else {
            return Ok(Moved::Parked);
        };
        if (job.state, job.step, job.attempt) != (tried.state, tried.step, tried.attempt) {
            // Its commit had come through after all: that step is done.
            return Ok(Moved::On(job));
        }
        let saga = self.0.registry.get(&job.kind)?.clone();
        job.command = None;
        // That there is no room or no address is an answer, not an accident.
        let retryable = error.retryable() && !matches!(error, Error::NoCapacity(_) | Error::NoAddresses(_));
        self.failed(&saga, tx, job, JobError::of(error), retryable).await
    }

    async fn failed(
        &self,
        saga: &Arc<dyn Saga>,
        mut tx: Tx,
        mut job: Job,
        error: JobError,
        retryable: bool,
    ) -> Result<Moved> {
        let step = step_of(saga, &job)?;
        let line = format!("{} failed: {} ({})", step.name(), error.detail, error.code);
        self.log(&mut tx, &job, [NewLine { level: "error", line: &line }]).await?;
        store::step_store(&mut tx, &job, step.name(), "failed", Some(&error.detail), self.0.clock.now()).await?;
        // The first cause is the one to show: an undo that fails later does not replace it.
        if job.state == JobState::Running || job.error.is_none() {
            job.error = Some(error);
        }
        let next = state::after_failure(&job, retryable);
        self.go(saga, tx, job, next).await
    }

    /// Stores where a held job goes and commits.
    async fn go(&self, saga: &Arc<dyn Saga>, mut tx: Tx, mut job: Job, next: Next) -> Result<Moved> {
        let now = self.0.clock.now();
        job.updated_at = now;
        job.step_progress = 0;
        let freed = job.command.is_none();
        let moved = match next {
            Next::Step(step) => {
                job.step = step;
                job.attempt = 1;
                if job.state == JobState::Running {
                    job.error = None;
                }
                store::job_store(&mut tx, &job, Some(self.lease())).await?;
                Moved::On(job)
            }
            Next::Undo(step) => {
                job.state = JobState::Undoing;
                job.step = step;
                job.attempt = 1;
                store::job_store(&mut tx, &job, Some(self.lease())).await?;
                job_event(&mut tx, now, "job.undoing", &job).await?;
                Moved::On(job)
            }
            Next::Again | Next::Later => {
                job.attempt = if next == Next::Again { job.attempt + 1 } else { state::attempt_later(&job) };
                job.run_at = now.plus(state::retry_wait(job.attempt, self.0.pace.retry_first, self.0.pace.retry_max));
                if job.state == JobState::Running {
                    job.state = JobState::Queued;
                }
                store::job_store(&mut tx, &job, None).await?;
                Moved::Parked
            }
            Next::End(ended) => {
                self.end(saga, &mut tx, job, ended, now).await?;
                Moved::Parked
            }
        };
        if freed {
            tx.wake(Topic::Jobs);
        }
        tx.commit().await?;
        Ok(moved)
    }

    async fn end(&self, saga: &Arc<dyn Saga>, tx: &mut Tx, mut job: Job, ended: Ended, now: Ms) -> Result<()> {
        let error = || job.error.clone().unwrap_or_else(|| JobError { code: "unknown".into(), detail: String::new() });
        let (state, end, event) = match ended {
            Ended::Succeeded => (JobState::Succeeded, End::Succeeded, "job.succeeded"),
            Ended::Undone if job.cancel_requested => (JobState::Cancelled, End::Cancelled, "job.cancelled"),
            Ended::Undone => (JobState::Failed, End::Failed(error()), "job.failed"),
            Ended::Stuck => (JobState::Stuck, End::Stuck(error()), "job.stuck"),
        };
        job.state = state;
        job.finished_at = state.is_final().then_some(now);
        store::job_store(tx, &job, None).await?;
        saga.ended(tx, &job, &end).await?;
        if let Some(pod) = job.pod {
            if state == JobState::Succeeded && saga.ends_pod() {
                // What they could not undo went with the pod.
                store::stuck_want(tx, pod).await?;
            }
            self.stuck_resume(tx, pod, now).await?;
        }
        let actor = Actor::system("engine");
        let record = Record {
            actor: &actor,
            tenant: job.tenant,
            action: event,
            target_kind: "job",
            target_id: job.id.to_string(),
        };
        // Its tenant reads this; what an error says of hosts is told with the job, to whom hosts are shown.
        let code = job.error.as_ref().map(|error| &error.code);
        audit_append(tx, now, record, &serde_json::json!({ "kind": job.kind, "error": code })).await?;
        metrics::counter!("mpanel_jobs_ended_total", "kind" => job.kind.clone(), "state" => state.as_str())
            .increment(1);
        job_event(tx, now, event, &job).await
    }

    async fn refuse(&self, mut tx: Tx, server: ServerId, job: &Job) -> Result<()> {
        let actor = Actor::agent(server);
        let record = Record {
            actor: &actor,
            tenant: job.tenant,
            action: "job.result_refused",
            target_kind: "job",
            target_id: job.id.to_string(),
        };
        audit_append(&mut tx, self.0.clock.now(), record, &serde_json::json!({ "reason": "another server's command" }))
            .await?;
        tx.commit().await?;
        Err(Error::Forbidden("that command was given to another server".into()))
    }

    async fn log<'a>(&self, tx: &mut Tx, job: &Job, lines: impl IntoIterator<Item = NewLine<'a>>) -> Result<()> {
        let saga = self.0.registry.get(&job.kind)?;
        let lines: Vec<_> = lines.into_iter().collect();
        store::log_append(tx, self.0.clock.now(), job, step_of(saga, job)?.name(), &lines).await
    }
}

fn step_of<'a>(saga: &'a Arc<dyn Saga>, job: &Job) -> Result<&'a dyn super::Step> {
    saga.steps().get(job.step).map(AsRef::as_ref).ok_or_else(|| {
        Error::internal(format!("job {} is at step {}, but {} has {}", job.id, job.step, job.kind, saga.steps().len()))
    })
}
