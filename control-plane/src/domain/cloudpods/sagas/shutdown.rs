//! Asks the guest of a pod's VM to shut down: shutdown.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{BESIDE_GUEST, Books, PowerParams, active_pod_of, kind, order, params_of, power_ended, power_store};
use crate::db::Tx;
use crate::domain::jobs::{
    Action, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Saga, Step, Verdict,
};
use crate::error::Result;

/// How the guest is asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ShutdownParams {
    /// What was wanted before.
    #[serde(flatten)]
    pub power: PowerParams,
    /// How long the guest gets, in seconds.
    pub timeout_s: u64,
    /// Cut the power afterwards.
    pub force: bool,
}

/// The saga.
pub(super) struct Shutdown {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Shutdown {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![Box::new(ShutdownVm(books.clone()))];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Shutdown {
    fn kind(&self) -> &'static str {
        kind::SHUTDOWN
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        power_ended(tx, &self.books, job, end).await
    }
}

struct ShutdownVm(Arc<Books>);

#[async_trait]
impl Step for ShutdownVm {
    fn name(&self) -> &'static str {
        "shutdown"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "be shut down").await?;
        let ShutdownParams { timeout_s, force, .. } = params_of(job)?;
        let kind = CommandKind::Shutdown { timeout_s, force };
        let timeout = Duration::from_secs(timeout_s) + BESIDE_GUEST;
        Ok(Action::Command(order(&pod, kind, timeout)?))
    }

    async fn failed(&self, _tx: &mut Tx, _job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        // A guest that did not answer in all that time will not do so in the same time again: somebody has to decide.
        let waited = matches!(failure.kind, FailureKind::Deadline | FailureKind::TaskFailed);
        Ok(if failure.kind.retryable() && !waited { Verdict::Retry } else { Verdict::Fail })
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }
}
