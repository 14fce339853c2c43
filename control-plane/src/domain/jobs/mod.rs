//! Jobs: one thing to do to one pod or server, and the engine that does it. The engine knows no job kinds.
//!
//! ```text
//! queued ──▶ running ──▶ succeeded
//!    │ ▲        │ │
//!    │ └────────┘ │   a failed try with attempts left goes back to queued, its step kept, run_at later
//!    │            ▼
//!    │         undoing ──▶ failed | cancelled      everything done is undone
//!    │            │
//!    ▼            ▼
//! cancelled     stuck ──▶ undoing                  an undo that cannot finish: shown, retryable
//! ```
//!
//! A **saga** ([`Saga`]) is an ordered list of **steps** ([`Step`]). A step is either local (it runs inside the transaction
//! that advances the job, so it happens exactly once) or a command to an agent (the agent runs each command id at most once
//! and repeats its result). Every claim and every send raises the job's epoch; what comes with an older one changes nothing.

mod backoff_policy;
pub mod bulk;
pub mod command;
pub mod engine;
pub mod history;
mod lost;
mod outcome;
pub mod routes;
pub mod service;
mod state;
mod store;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Serialize;

use crate::clock::Ms;
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::ids::{CloudPodId, CommandId, JobId, ServerId, TenantId};

pub use state::overall_percent;

pub(crate) use engine::declared::SERVER_LOST;

pub use command::{AgentCommand, AgentPort, CommandKind, Order};
pub use outcome::{BackupSeen, CommandFailure, CommandOutput, FailureKind, Power, Presence, SnapshotSeen};

/// Where a job is in its life. See the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its turn, or for the time of its next try.
    Queued,
    /// Its steps are being done.
    Running,
    /// What was done is being undone.
    Undoing,
    /// All steps are done.
    Succeeded,
    /// A step failed for good and everything done was undone.
    Failed,
    /// Somebody cancelled it and everything done was undone.
    Cancelled,
    /// An undo could not finish: what the job holds stays held until somebody retries.
    Stuck,
}

/// A job as it is stored.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose it is; `None`: the platform's.
    pub tenant: Option<TenantId>,
    /// Names the saga: `provision`, `start`, ….
    pub kind: String,
    /// The pod that it changes.
    pub pod: Option<CloudPodId>,
    /// The server that it changes, for jobs on servers.
    pub server: Option<ServerId>,
    /// Where it is.
    pub state: JobState,
    /// What was asked for; the saga's own shape.
    pub params: serde_json::Value,
    /// The step that is next or under way.
    pub step: usize,
    /// How many steps its saga has.
    pub step_count: usize,
    /// Which try of the present step this is, from 1.
    pub attempt: u32,
    /// How many tries a step gets.
    pub attempts_max: u32,
    /// How often its undo, which was stuck, was begun anew.
    pub retries: u32,
    /// Not before.
    pub run_at: Ms,
    /// Raised by every claim and every send.
    pub epoch: u64,
    /// The order that is out at an agent.
    pub command: Option<(CommandId, ServerId)>,
    /// The server whose agent has to come back before this can go on.
    pub waits_for: Option<ServerId>,
    /// Somebody asked for it to be cancelled.
    pub cancel_requested: bool,
    /// 0..=100 of the present step.
    pub step_progress: u8,
    /// The newest error: a stable code and the cause in full.
    pub error: Option<JobError>,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    pub created_at: Ms,
    /// When it was first claimed.
    pub started_at: Option<Ms>,
    /// When it ended.
    pub finished_at: Option<Ms>,
    /// When it last changed.
    pub updated_at: Ms,
}

impl Job {
    /// How it comes to its end, for people who wait for that.
    #[must_use]
    pub fn way_out(&self) -> String {
        match self.state {
            JobState::Stuck => {
                format!("it is stuck: put right what its log tells, then `mpanel job retry {}`", self.id)
            }
            JobState::Undoing => "what it did is being undone: wait for it".to_owned(),
            _ => "wait for it, or cancel it".to_owned(),
        }
    }
}

/// Why a try failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct JobError {
    /// Stable, for programs.
    pub code: String,
    /// The cause in full, in Proxmox's own words where it is Proxmox's.
    pub detail: String,
}

/// A job to be made.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Names the saga.
    pub kind: &'static str,
    /// Whose it is.
    pub tenant: Option<TenantId>,
    /// The pod that it changes.
    pub pod: Option<CloudPodId>,
    /// The server that it changes.
    pub server: Option<ServerId>,
    /// What is asked for; an object.
    pub params: serde_json::Value,
}

/// What a step does when its turn has come.
#[derive(Debug)]
pub enum Action {
    /// It is done, by this very transaction. The text is shown with the step: `10.0.0.7 from pool public`.
    Done(String),
    /// An agent is to do this.
    Command(AgentCommand),
}

/// What to do after a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Try the step again, later, as long as there are attempts left.
    Retry,
    /// Fail the job and undo what was done.
    Fail,
}

/// How a job ended, for [`Saga::ended`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All steps are done.
    Succeeded,
    /// It failed and was undone.
    Failed(JobError),
    /// It was cancelled and undone.
    Cancelled,
    /// Its undo cannot finish.
    Stuck(JobError),
}

/// One step of a saga: how it is done and how it is undone. Both may be repeated at any time.
#[async_trait]
pub trait Step: Send + Sync {
    /// Stable, lower case, a verb: `reserve`, `clone`.
    fn name(&self) -> &'static str;

    /// Does a local step, or says what the agent is to do. Called again, before every send, for a command that is already
    /// out: it then has to say the same again. What it writes beside answering with a command needs no undo.
    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action>;

    /// Stores what a command brought.
    async fn complete(&self, _tx: &mut Tx, _job: &Job, _output: &CommandOutput) -> Result<()> {
        Ok(())
    }

    /// Judges a command's failure, and may prepare the next try (another VMID, say).
    async fn failed(&self, _tx: &mut Tx, _job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail })
    }

    /// Undoes what [`Step::begin`] may have done; called also when it is not known whether it did anything.
    async fn undo(&self, _tx: &mut Tx, _job: &Job) -> Result<Action> {
        Ok(Action::Done(String::new()))
    }

    /// Stores what an undoing command brought.
    async fn undone(&self, _tx: &mut Tx, _job: &Job, _output: &CommandOutput) -> Result<()> {
        Ok(())
    }

    /// Whether the job can still be cancelled while this step is next or under way. `false` marks the point of no return.
    fn cancellable(&self) -> bool {
        true
    }

    /// Whether it is enough for this step, where it looks for a VM or removes it, that the host was declared lost: the VM counts as
    /// absent, and the job goes on. Otherwise the job fails, and is undone.
    fn takes_declaration(&self) -> bool {
        !self.cancellable()
    }
}

/// How a job kind is done. One file each, beside the slice whose rows it changes.
#[async_trait]
pub trait Saga: Send + Sync {
    /// The job kind that it does.
    fn kind(&self) -> &'static str;

    /// Its steps in order.
    fn steps(&self) -> &[Box<dyn Step>];

    /// In the transaction of each try of the first step, so that it may be repeated.
    async fn began(&self, _tx: &mut Tx, _job: &Job) -> Result<()> {
        Ok(())
    }

    /// In the transaction in which the job ends. By default nothing is left to do: what its steps did, or undid, stands.
    async fn ended(&self, _tx: &mut Tx, _job: &Job, _end: &End) -> Result<()> {
        Ok(())
    }

    /// Whether its pod is gone once it has succeeded: what was stuck of the pod is undone anew then.
    fn ends_pod(&self) -> bool {
        false
    }

    /// How many tries each step gets.
    fn attempts_max(&self) -> u32 {
        8
    }

    /// What whoever retries or cancels such a job has to be allowed to do. It stays the same for as long as there is the job.
    fn permission(&self, _job: &Job) -> Permission {
        Permission::ProvisioningWrite
    }
}

/// Knows which hosts were declared lost: what was there counts as absent.
#[async_trait]
pub trait Declarations: Send + Sync {
    /// Whether the command's server was declared lost and is not back. Its VM is fenced from then on.
    async fn is_declared_lost(&self, tx: &mut Tx, command: &AgentCommand) -> Result<bool>;
}

/// The sagas by the job kind that they do.
#[derive(Clone, Default)]
pub struct Registry {
    sagas: HashMap<&'static str, Arc<dyn Saga>>,
    declarations: Option<Arc<dyn Declarations>>,
}

impl Registry {
    /// Of these sagas; each kind once.
    #[must_use]
    pub fn new(sagas: Vec<Arc<dyn Saga>>) -> Self {
        Self { sagas: sagas.into_iter().map(|saga| (saga.kind(), saga)).collect(), declarations: None }
    }

    /// The same, with somebody to ask for declarations.
    #[must_use]
    pub fn with_declarations(self, declarations: Arc<dyn Declarations>) -> Self {
        Self { declarations: Some(declarations), ..self }
    }

    async fn is_declared_lost(&self, tx: &mut Tx, command: &AgentCommand) -> Result<bool> {
        match &self.declarations {
            Some(declarations) => declarations.is_declared_lost(tx, command).await,
            None => Ok(false),
        }
    }

    /// The saga that does this kind of job.
    pub fn get(&self, kind: &str) -> Result<&Arc<dyn Saga>> {
        self.sagas.get(kind).ok_or_else(|| crate::error::Error::internal(format!("no saga does jobs of kind {kind}")))
    }
}

/// What a job's tenant, pod and server are called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobNames {
    /// `None`: it is the platform's own.
    pub tenant: Option<String>,
    /// `None`: it has none.
    pub pod: Option<String>,
    /// `None`: it has none.
    pub server: Option<String>,
}

/// What is shown of a step that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRow {
    /// Its place in the saga, from 0.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// `running`, `done`, `failed`, `undoing`, `undone`.
    pub state: String,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// When its first try began.
    pub started_at: Option<Ms>,
    /// When it was done, failed or was undone.
    pub finished_at: Option<Ms>,
    /// What it did, for people.
    pub detail: String,
}

/// Which way a step is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is done.
    Do,
    /// It is undone.
    Undo,
}

/// A line of a job's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Orders the lines.
    pub id: uuid::Uuid,
    /// The step that said it.
    pub step: String,
    /// Whether that was being done or undone; `None`: from before this was written down.
    pub phase: Option<Phase>,
    /// The try of that step, from 1 in each phase and after each retry.
    pub attempt: u32,
    /// How often the undo had been begun anew by then, after it was stuck.
    pub retry: u32,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// What it said.
    pub line: String,
    /// When it was stored.
    pub at: Ms,
}

/// How the engine is paced.
#[derive(Clone, Debug)]
pub struct Pace {
    /// A claim that is not renewed for so long is anybody's.
    pub lease: Duration,
    /// The wait before the second try; it doubles, with jitter, up to `retry_max`.
    pub retry_first: Duration,
    /// The longest wait between two tries.
    pub retry_max: Duration,
    /// How many jobs one claim takes.
    pub claim_batch: u32,
    /// How many commands may be out at one agent.
    pub per_server: u32,
    /// How many jobs of one tenant may run at once.
    pub per_tenant: u32,
    /// How many orders that copy disks (clones, backups, moves) may strain one storage at once.
    pub per_storage: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            retry_first: Duration::from_secs(1),
            retry_max: Duration::from_mins(1),
            claim_batch: 64,
            per_server: 8,
            per_tenant: 64,
            per_storage: 4,
        }
    }
}
