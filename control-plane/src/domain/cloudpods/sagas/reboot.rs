//! Asks the guest of a pod's VM to restart: reboot.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{BESIDE_GUEST, Books, active_pod_of, kind, order, params_of, power_store};
use crate::db::Tx;
use crate::domain::jobs::{
    Action, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Saga, Step, Verdict,
};
use crate::error::Result;

/// How the guest is asked.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct RebootParams {
    /// How long the guest gets, in seconds.
    pub timeout_s: u64,
}

/// The saga.
pub(super) struct Reboot {
    steps: Vec<Box<dyn Step>>,
}

impl Reboot {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![Box::new(RebootVm(books.clone()))];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Reboot {
    fn kind(&self) -> &'static str {
        kind::REBOOT
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    /// What is wanted and what the pod is stay as they are.
    async fn ended(&self, _tx: &mut Tx, _job: &Job, _end: &End) -> Result<()> {
        Ok(())
    }
}

struct RebootVm(Arc<Books>);

#[async_trait]
impl Step for RebootVm {
    fn name(&self) -> &'static str {
        "reboot"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "be rebooted").await?;
        let RebootParams { timeout_s } = params_of(job)?;
        let kind = CommandKind::Reboot { timeout_s };
        Ok(Action::Command(order(&pod, kind, Duration::from_secs(timeout_s) + BESIDE_GUEST)?))
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
