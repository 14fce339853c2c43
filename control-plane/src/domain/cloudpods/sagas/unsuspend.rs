//! Gives a suspended pod back to its customer: boot_again → start → wait_running → unlock.
//!
//! It stays locked until it is as it was; undone, it is as a suspended pod is.

use std::sync::Arc;

use async_trait::async_trait;

use super::running::{Start, Subject, Turn, WaitRunning};
use super::suspend::{runs_otherwise, suspended_pod_of};
use super::{Books, QUICK, kind, order, pod_of, state_store};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::cloudpods::{State, store};
use crate::domain::jobs::{Action, CommandKind, Job, Saga, Step};
use crate::error::Result;

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
            Box::new(Start(b(), Suspended)),
            Box::new(WaitRunning::started(books, Suspended)),
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

    fn permission(&self, _job: &Job) -> Permission {
        Permission::CloudpodsManage
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
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
        let kind = CommandKind::SetOptions { start_on_boot: Some(pod.start_on_boot), protection: None };
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

/// It runs again, if it was wanted running before.
struct Suspended;

#[async_trait]
impl Subject for Suspended {
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        let pod = suspended_pod_of(tx, job).await?;
        if runs_otherwise(&pod) {
            return Ok(Turn::go(pod));
        }
        Ok(Turn::rest("it was not wanted running"))
    }

    async fn to_stop(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        let pod = pod_of(tx, job).await?;
        if pod.state == State::Suspended && runs_otherwise(&pod) {
            return Ok(Turn::go(pod));
        }
        Ok(Turn::rest("it was not started"))
    }
}
