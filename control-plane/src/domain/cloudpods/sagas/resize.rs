//! Changes a pod's size: reserve → configure → resize_disk → commit → restart → wait_running.
//!
//! What it grows by is held before anything is changed, what it shrinks by is free only when its VM has certainly shrunk:
//! at once, or at its next restart. A disk only grows, and one that grew stays so, whatever becomes of the rest. Once the
//! new size is stored it stands: a restart that fails fails the job, but changes nothing of that.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::restart::{IfNeeded, RestartParams, restart_note, restart_undone};
use super::running::{Restart, WaitRunning};
use super::vm::{configuration_of, macs_note};
use super::{Books, QUICK, active_pod_of, kind, order, params_of, pod_of, tenant_of};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, RestartCause, State, store};
use crate::domain::jobs::{Action, CommandFailure, CommandKind, CommandOutput, FailureKind, Job, Saga, Step, Verdict};
use crate::domain::servers::Held;
use crate::domain::tenants::quotas::Amounts;
use crate::error::{Error, Result};
use crate::ids::PlanId;

const RESIZE_TIMEOUT: Duration = Duration::from_mins(10);
const WANTED: &str = "be resized";

/// The new size; `None`: as it is when the job's turn comes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct ResizeParams {
    pub plan: Option<PlanId>,
    pub vcpu: Option<u32>,
    pub memory_mib: Option<u64>,
    pub disk_gib: Option<u64>,
    #[serde(flatten)]
    pub restart: RestartParams,
}

impl ResizeParams {
    /// What the pod is to be. Disks only grow.
    pub(in crate::domain::cloudpods) fn target(&self, pod: &CloudPod) -> Held {
        Held {
            vcpu: self.vcpu.unwrap_or(pod.vcpu),
            memory_mib: self.memory_mib.unwrap_or(pod.memory_mib),
            disk_gib: self.disk_gib.unwrap_or(pod.disk_gib).max(pod.disk_gib),
        }
    }
}

/// The size that a pod has.
pub(in crate::domain::cloudpods) fn size_of(pod: &CloudPod) -> Held {
    Held { vcpu: pod.vcpu, memory_mib: pod.memory_mib, disk_gib: pod.disk_gib }
}

/// What a pod that has, or holds, so much takes more of its tenant's quotas for a size.
pub(in crate::domain::cloudpods) fn growth(from: Held, to: Held) -> Amounts {
    Amounts {
        vcpu: to.vcpu.saturating_sub(from.vcpu).into(),
        memory_mib: to.memory_mib.saturating_sub(from.memory_mib),
        disk_gib: to.disk_gib.saturating_sub(from.disk_gib),
        ..Amounts::default()
    }
}

/// The saga.
pub(super) struct Resize {
    steps: Vec<Box<dyn Step>>,
}

impl Resize {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: hold what it grows by; undo: give back what it did not grow by.
            Box::new(Reserve(b())),
            // do: configure the new size; undo: the old one, unless the new one stands.
            Box::new(Configure(b())),
            // do: grow the disk; undo: where it may have grown, that is held.
            Box::new(ResizeDisk(b())),
            // do: the new size stands.
            Box::new(Commit(b())),
            Box::new(Restart(IfNeeded(WANTED, RestartCause::Size))),
            Box::new(WaitRunning::restarted(books, IfNeeded(WANTED, RestartCause::Size))),
        ];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Resize {
    fn kind(&self) -> &'static str {
        kind::RESIZE
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

/// Whether there is nothing to put back: the new size stands, or the pod is on its way out.
fn stands(pod: &CloudPod, target: Held) -> bool {
    (pod.vcpu, pod.memory_mib) == (target.vcpu, target.memory_mib) || pod.state != State::Active
}

struct Reserve(Arc<Books>);

#[async_trait]
impl Step for Reserve {
    fn name(&self) -> &'static str {
        "reserve"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let tenant = tenant_of(tx, job).await?;
        let pod = active_pod_of(tx, job, WANTED).await?;
        let target = params_of::<ResizeParams>(job)?.target(&pod);
        let held = self.0.servers.reservation_get(tx.conn(), pod.id).await?.unwrap_or_else(|| size_of(&pod));
        // Again, now that it grows: others may have grown since it was asked for.
        tenant.require(tx, growth(held.max(size_of(&pod)), target)).await?;
        if !self.0.servers.reservation_change(tx, pod.id, held.max(target)).await? {
            let lacks = self.0.servers.reservation_shortage(tx.conn(), pod.id, target).await?;
            return Err(Error::NoCapacity(lacks));
        }
        let Held { vcpu, memory_mib, disk_gib } = target;
        Ok(Action::Done(format!("{vcpu} vCPU, {memory_mib} MiB memory, {disk_gib} GiB disk")))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        let Some(held) = self.0.servers.reservation_get(tx.conn(), pod.id).await? else {
            return Ok(Action::Done("it holds nothing".to_owned()));
        };
        // While it runs with another size than its row says, both are held: until it is restarted.
        if pod.condition.restart_causes.contains(&RestartCause::Size) {
            return Ok(Action::Done("held until it is restarted".to_owned()));
        }
        let size = size_of(&pod);
        self.0
            .servers
            .reservation_change(tx, pod.id, Held { disk_gib: size.disk_gib.min(held.disk_gib), ..size })
            .await?;
        Ok(Action::Done("what it did not grow by is given back".to_owned()))
    }
}

struct Configure(Arc<Books>);

impl Configure {
    async fn configure(&self, tx: &mut Tx, pod: &CloudPod, size: Held) -> Result<Action> {
        let mut configure = configuration_of(tx, &self.0, pod).await?;
        (configure.vcpu, configure.memory_mib) = (size.vcpu, size.memory_mib);
        Ok(Action::Command(order(pod, CommandKind::Configure(Box::new(configure)), QUICK)?))
    }
}

#[async_trait]
impl Step for Configure {
    fn name(&self) -> &'static str {
        "configure"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let target = params_of::<ResizeParams>(job)?.target(&pod);
        self.configure(tx, &pod, target).await
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        macs_note(tx, &pod, output).await?;
        restart_note(tx, &self.0, &pod, RestartCause::Size, output.restart_needed).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if stands(&pod, params_of::<ResizeParams>(job)?.target(&pod)) {
            return Ok(Action::Done("its size stands".to_owned()));
        }
        self.configure(tx, &pod, size_of(&pod)).await
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        restart_undone(tx, &self.0, &pod, RestartCause::Size, output.restart_needed).await
    }
}

struct ResizeDisk(Arc<Books>);

/// Whether a step that failed with this code certainly did nothing.
fn nothing_was_done(code: &str) -> bool {
    [
        FailureKind::Locked,
        FailureKind::BadParameter,
        FailureKind::NotFound,
        FailureKind::NoSpace,
        FailureKind::Unsupported,
        FailureKind::Ledger,
        FailureKind::ForeignVm,
        FailureKind::Refused,
    ]
    .iter()
    .any(|kind| kind.code() == code)
}

#[async_trait]
impl Step for ResizeDisk {
    fn name(&self) -> &'static str {
        "resize_disk"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let Some(size_gib) = params_of::<ResizeParams>(job)?.disk_gib.filter(|wanted| *wanted >= pod.disk_gib) else {
            return Ok(Action::Done("the disk stays as it is".to_owned()));
        };
        Ok(Action::Command(order(&pod, CommandKind::ResizeDisk { size_gib }, RESIZE_TIMEOUT)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, _output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        let target = params_of::<ResizeParams>(job)?.target(&pod);
        store::pod_disk_set(tx, pod.id, target.disk_gib, self.0.clock.now()).await
    }

    /// Whatever comes of later tries: what may have been done stays held.
    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        if !nothing_was_done(failure.kind.code()) {
            let pod = pod_of(tx, job).await?;
            let target = params_of::<ResizeParams>(job)?.target(&pod);
            store::pod_disk_set(tx, pod.id, target.disk_gib, self.0.clock.now()).await?;
        }
        Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail })
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        let target = params_of::<ResizeParams>(job)?.target(&pod);
        if target.disk_gib == pod.disk_gib || job.error.as_ref().is_some_and(|error| nothing_was_done(&error.code)) {
            return Ok(Action::Done(format!("its disk has {} GiB", pod.disk_gib)));
        }
        // Nobody can shrink it, and nobody knows: the room that it may take stays its own.
        store::pod_disk_set(tx, pod.id, target.disk_gib, self.0.clock.now()).await?;
        Ok(Action::Done(format!("the disk may have grown: {} GiB stay held for it", target.disk_gib)))
    }
}

struct Commit(Arc<Books>);

#[async_trait]
impl Step for Commit {
    fn name(&self) -> &'static str {
        "commit"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, WANTED).await?;
        let params: ResizeParams = params_of(job)?;
        let Held { vcpu, memory_mib, disk_gib } = params.target(&pod);
        store::pod_size_set(tx, pod.id, vcpu, memory_mib, params.plan, self.0.clock.now()).await?;
        if pod.condition.restart_causes.contains(&RestartCause::Size) {
            return Ok(Action::Done(
                "a restart is needed: until then it runs, and is counted, with the larger size".to_owned(),
            ));
        }
        self.0.servers.reservation_change(tx, pod.id, Held { vcpu, memory_mib, disk_gib }).await?;
        Ok(Action::Done("in effect; no restart is needed".to_owned()))
    }
}
