//! Locks a pod against its customer and powers it off: lock → keep_off → power_off.
//!
//! The customer is locked out first, so that an offline host delays the power-off alone. Undone, the pod is its customer's
//! again and runs if it ran before.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{BESIDE_GUEST, Books, QUICK, kind, order, params_of, pod_of, power_store, require_settled, state_store};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::cloudpods::{CloudPod, DesiredPower, State, store};
use crate::domain::jobs::{Action, CommandKind, CommandOutput, Job, Saga, Step};
use crate::error::{Error, Result};

/// How and why it is suspended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct SuspendParams {
    /// In the words of whoever asked for it.
    pub reason: String,
    /// How long the guest gets to shut down, in seconds.
    pub timeout_s: u64,
}

/// The saga.
pub(super) struct Suspend {
    steps: Vec<Box<dyn Step>>,
}

impl Suspend {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: the customer may not use it, stopped is wanted; undo: as before.
            Box::new(Lock(b())),
            // do: it does not start with its host; undo: it does.
            Box::new(KeepOff),
            // do: shut down, then cut the power; undo: start it if it was wanted running.
            Box::new(PowerOff(b())),
        ];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Suspend {
    fn kind(&self) -> &'static str {
        kind::SUSPEND
    }

    fn permission(&self, _job: &Job) -> Permission {
        Permission::CloudpodsManage
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

/// The job's pod, if it is suspended.
pub(super) async fn suspended_pod_of(tx: &mut Tx, job: &Job) -> Result<CloudPod> {
    let pod = pod_of(tx, job).await?;
    require_settled(&pod)?;
    if pod.state == State::Suspended {
        return Ok(pod);
    }
    let detail = format!("the pod {} is {} meanwhile, not suspended", pod.name, pod.state.as_str());
    Err(Error::conflict(if pod.state == State::Deleting { "cloudpod_deleting" } else { "cloudpod_state" }, detail))
}

/// Whether it is to run once it is not suspended any more.
pub(super) fn runs_otherwise(pod: &CloudPod) -> bool {
    pod.condition.suspension.as_ref().is_some_and(|s| s.power_before == DesiredPower::Running)
}

struct Lock(Arc<Books>);

#[async_trait]
impl Step for Lock {
    fn name(&self) -> &'static str {
        "lock"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        let SuspendParams { reason, .. } = params_of(job)?;
        if pod.state != State::Suspended {
            let to = pod.state.clone().suspend_begin()?;
            state_store(tx, &self.0, job, &pod, to).await?;
            store::pod_suspension_set(tx, pod.id, &reason, self.0.clock.now()).await?;
        }
        Ok(Action::Done(format!("suspended: {reason}")))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        let to = pod.state.clone().suspend_end();
        state_store(tx, &self.0, job, &pod, to).await?;
        store::pod_suspension_clear(tx, pod.id, self.0.clock.now()).await?;
        Ok(Action::Done("it is its customer's again".to_owned()))
    }
}

struct KeepOff;

#[async_trait]
impl Step for KeepOff {
    fn name(&self) -> &'static str {
        "keep_off"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = suspended_pod_of(tx, job).await?;
        let kind = CommandKind::SetOptions { start_on_boot: Some(false), protection: None };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.state != State::Suspended {
            return Ok(Action::Done(format!("it is {}", pod.state.as_str())));
        }
        let kind = CommandKind::SetOptions { start_on_boot: Some(pod.start_on_boot), protection: None };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }
}

struct PowerOff(Arc<Books>);

#[async_trait]
impl Step for PowerOff {
    fn name(&self) -> &'static str {
        "power_off"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = suspended_pod_of(tx, job).await?;
        let SuspendParams { timeout_s, .. } = params_of(job)?;
        // Asked once; whatever came of that, its power is cut the next time.
        Ok(Action::Command(if job.attempt == 1 {
            let kind = CommandKind::Shutdown { timeout_s, force: true };
            order(&pod, kind, Duration::from_secs(timeout_s) + BESIDE_GUEST)?
        } else {
            order(&pod, CommandKind::Stop, QUICK)?
        }))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if pod.state != State::Suspended || !runs_otherwise(&pod) {
            return Ok(Action::Done("it is not to run".to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Start, QUICK)?))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }
}
