//! Gives a suspended pod back to its customer: boot_again → start → wait_running → unlock.
//!
//! It stays locked until it is as it was; undone, it is as a suspended pod is.

use std::sync::Arc;

use async_trait::async_trait;

use super::suspend::{runs_otherwise, suspended_pod_of};
use super::{Books, QUICK, kind, order, pod_of, power_store, state_store};
use crate::db::Tx;
use crate::domain::cloudpods::{State, store};
use crate::domain::jobs::{Action, CommandKind, CommandOutput, End, Job, Power, Saga, Step};
use crate::error::Result;

const RUNNING_WITHIN_S: u64 = 120;

/// The saga.
pub(super) struct Unsuspend {
    steps: Vec<Box<dyn Step>>,
}

impl Unsuspend {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: it starts with its host; undo: it does not.
            Box::new(BootAgain),
            // do: start it, if it was wanted running before; undo: stop it.
            Box::new(Start(b())),
            Box::new(WaitRunning(b())),
            // do: its customer may use it, and what was wanted before is wanted again.
            Box::new(Unlock(b())),
        ];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Unsuspend {
    fn kind(&self) -> &'static str {
        kind::UNSUSPEND
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    /// What its steps did not do or have undone stays as it was.
    async fn ended(&self, _tx: &mut Tx, _job: &Job, _end: &End) -> Result<()> {
        Ok(())
    }
}

struct BootAgain;

#[async_trait]
impl Step for BootAgain {
    fn name(&self) -> &'static str {
        "boot_again"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = suspended_pod_of(tx, job).await?;
        let kind = CommandKind::SetOptions { start_on_boot: Some(true), protection: None };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.state != State::Suspended {
            return Ok(Action::Done(format!("it is {}", pod.state.as_str())));
        }
        let kind = CommandKind::SetOptions { start_on_boot: Some(false), protection: None };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }
}

struct Start(Arc<Books>);

#[async_trait]
impl Step for Start {
    fn name(&self) -> &'static str {
        "start"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = suspended_pod_of(tx, job).await?;
        if !runs_otherwise(&pod) {
            return Ok(Action::Done("it was not wanted running".to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Start, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.state != State::Suspended || !runs_otherwise(&pod) {
            return Ok(Action::Done("it was not started".to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Stop, QUICK)?))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }
}

struct WaitRunning(Arc<Books>);

#[async_trait]
impl Step for WaitRunning {
    fn name(&self) -> &'static str {
        "wait_running"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = suspended_pod_of(tx, job).await?;
        if !runs_otherwise(&pod) {
            return Ok(Action::Done("it was not started".to_owned()));
        }
        let kind = CommandKind::WaitPower { power: Power::Running, timeout_s: RUNNING_WITHIN_S };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }
}

struct Unlock(Arc<Books>);

#[async_trait]
impl Step for Unlock {
    fn name(&self) -> &'static str {
        "unlock"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        // Done already: what follows a step that was done is never asked again, but it may be repeated.
        if pod.state != State::Active || pod.condition.suspension.is_some() {
            let pod = suspended_pod_of(tx, job).await?;
            state_store(tx, &self.0, job, &pod, pod.state.clone().suspend_end()).await?;
            store::pod_suspension_clear(tx, pod.id, self.0.clock.now()).await?;
        }
        Ok(Action::Done("it is its customer's again".to_owned()))
    }
}
