//! Starts a pod's VM and waits until it runs: start → wait_running.

use std::sync::Arc;

use async_trait::async_trait;

use super::restart::restarted;
use super::{Books, QUICK, active_pod_of, kind, order, pod_of, power_ended, power_store};
use crate::db::Tx;
use crate::domain::jobs::{Action, CommandKind, CommandOutput, End, Job, Power, Saga, Step};
use crate::error::Result;

const RUNNING_WITHIN_S: u64 = 120;

/// The saga.
pub(super) struct Start {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Start {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> =
            vec![Box::new(StartVm(books.clone())), Box::new(WaitRunning::new(books, "be started"))];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Start {
    fn kind(&self) -> &'static str {
        kind::START
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        power_ended(tx, &self.books, job, end).await
    }
}

struct StartVm(Arc<Books>);

#[async_trait]
impl Step for StartVm {
    fn name(&self) -> &'static str {
        "start"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "be started").await?;
        Ok(Action::Command(order(&pod, CommandKind::Start, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }
}

/// Waits until the VM runs, and stores that.
pub(super) struct WaitRunning {
    books: Arc<Books>,
    /// What the job does to the pod: `be started`.
    wanted: &'static str,
}

impl WaitRunning {
    pub(super) fn new(books: &Arc<Books>, wanted: &'static str) -> Self {
        Self { books: books.clone(), wanted }
    }
}

#[async_trait]
impl Step for WaitRunning {
    fn name(&self) -> &'static str {
        "wait_running"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, self.wanted).await?;
        let kind = CommandKind::WaitPower { power: Power::Running, timeout_s: RUNNING_WITHIN_S };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.books, job, output).await?;
        if job.kind == kind::REBOOT {
            let pod = pod_of(tx, job).await?;
            restarted(tx, &self.books, &pod).await?;
        }
        Ok(())
    }
}
