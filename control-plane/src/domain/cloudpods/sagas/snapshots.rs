//! Snapshots of a pod's VM: taken (check → take), gone back to (check → rollback → doubt → configure → set_media →
//! resize_disk → firewall → power), deleted (check → delete).
//!
//! After each command the rows are made to say what the host has. Before one is taken the host is asked for what there is, so
//! that one of the same name that somebody made by hand is found, and left to them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::firewall::{ApplyFirewall, bring_again};
use super::running::{Committed, Configure, InsertMedia, ResizeDisk};
use super::vm::server_of;
use super::{Books, QUICK, UNSTARTED, active_pod_of, is_last_try, kind, order, params_of, pod_of, power_store};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, State};
use crate::domain::jobs::{
    Action, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Saga, Step, Verdict,
};
use crate::domain::snapshots::{Snapshot, SnapshotState};
use crate::error::{Error, Result};

/// The guest's memory is written to disk, or read from there.
const TIMEOUT: Duration = Duration::from_mins(30);
const ROLLED_BACK: &str = "be rolled back";

/// Which snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotParams {
    /// Its name.
    pub name: String,
}

/// Which snapshot, and what power is wanted afterwards.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RollbackParams {
    /// Its name.
    pub name: String,
    /// What was wanted when it was asked for: later wishes have jobs of their own, which come after this one.
    pub start: bool,
}

/// Takes a snapshot.
pub(super) struct TakeSnapshot {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl TakeSnapshot {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let steps: Vec<Box<dyn Step>> = vec![
            // Nothing to undo.
            Box::new(Look(books.clone())),
            // do: take it; undo: delete it.
            Box::new(Take(books.clone())),
        ];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for TakeSnapshot {
    fn kind(&self) -> &'static str {
        kind::SNAPSHOT
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        match end {
            End::Failed(_) | End::Cancelled => {
                let (pod, SnapshotParams { name }) = (pod_of(tx, job).await?, params_of(job)?);
                self.books.snapshots.snapshot_forget(tx, pod.id, &name).await
            }
            // What it may have left on the host is shown as what it is: not yet taken.
            End::Stuck(_) | End::Succeeded => Ok(()),
        }
    }
}

async fn rows_store(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<CloudPod> {
    let pod = pod_of(tx, job).await?;
    books.snapshots.snapshots_reconcile(tx, pod.id, &output.snapshots).await?;
    Ok(pod)
}

async fn snapshot_of(tx: &mut Tx, books: &Books, pod: &CloudPod, name: &str) -> Result<Option<Snapshot>> {
    books.snapshots.snapshot_find(tx.conn(), pod.id, name).await
}

/// Asks the host for what there is.
struct Look(Arc<Books>);

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "be snapshotted").await?;
        Ok(Action::Command(order(&pod, CommandKind::ListSnapshots, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        rows_store(tx, &self.0, job, output).await.map(|_| ())
    }
}

struct Take(Arc<Books>);

#[async_trait]
impl Step for Take {
    fn name(&self) -> &'static str {
        "take"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "be snapshotted").await?;
        let SnapshotParams { name } = params_of(job)?;
        match snapshot_of(tx, &self.0, &pod, &name).await? {
            Some(Snapshot { state: SnapshotState::Creating, description, memory, .. }) => {
                let kind = CommandKind::TakeSnapshot { name, description, memory };
                Ok(Action::Command(order(&pod, kind, TIMEOUT)?))
            }
            Some(_) => Err(Error::conflict(
                "snapshot_name_taken",
                format!("the VM has a snapshot {name} that was made on the host by hand: choose another name"),
            )),
            None => Err(Error::internal(format!("the row of the snapshot {name} of {} is gone", pod.id))),
        }
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = rows_store(tx, &self.0, job, output).await?;
        let SnapshotParams { name } = params_of(job)?;
        match snapshot_of(tx, &self.0, &pod, &name).await? {
            Some(Snapshot { state: SnapshotState::Creating, .. }) | None => {
                Err(Error::retry(format!("the host does not list the snapshot {name} that it is said to have taken")))
            }
            Some(_) => Ok(()),
        }
    }

    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        // Refused at once: somebody made one of that name since the host was asked. It is theirs, and not to be undone.
        if failure.kind == FailureKind::Refused && job.attempt == 1 {
            let (pod, SnapshotParams { name }) = (pod_of(tx, job).await?, params_of(job)?);
            self.0.snapshots.snapshot_forget(tx, pod.id, &name).await?;
        }
        Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail })
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, SnapshotParams { name }) = (pod_of(tx, job).await?, params_of(job)?);
        match snapshot_of(tx, &self.0, &pod, &name).await? {
            Some(Snapshot { state: SnapshotState::Creating, .. }) if pod.vmid.is_some() => {
                Ok(Action::Command(order(&pod, CommandKind::DeleteSnapshot { name }, TIMEOUT)?))
            }
            _ => Ok(Action::Done("there is none of ours".to_owned())),
        }
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        rows_store(tx, &self.0, job, output).await.map(|_| ())
    }
}

/// Goes back to a snapshot. What the VM was before is lost, so there is no way back, and no cancelling once it may have begun;
/// a failure leaves it as the snapshot has it, and running if that is wanted.
pub(super) struct Rollback {
    steps: Vec<Box<dyn Step>>,
}

impl Rollback {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            Box::new(Check { books: b(), wanted: ROLLED_BACK }),
            // do: go back, which stops it; undo: start it, if it was wanted running.
            Box::new(RollbackVm(b())),
            // do: note that its firewall may be gone; undo: bring it, before it is started.
            Box::new(Doubt(b())),
            // Proxmox goes back to the configuration too: what the pod is now is what its row says.
            Box::new(Configure(b(), Committed(ROLLED_BACK))),
            Box::new(InsertMedia(b(), Committed(ROLLED_BACK))),
            Box::new(ResizeDisk(Committed(ROLLED_BACK))),
            // Its network cards are as they were then, and may not lead through the firewall.
            Box::new(ApplyFirewall::keeping(books)),
            Box::new(Power(b())),
        ];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Rollback {
    fn kind(&self) -> &'static str {
        kind::ROLLBACK
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

/// The last step before the point of no return.
struct Check {
    books: Arc<Books>,
    wanted: &'static str,
}

#[async_trait]
impl Step for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, self.wanted).await?;
        // Of the parameters of either job only the name is of interest here.
        let SnapshotParams { name } = params_of(job)?;
        match snapshot_of(tx, &self.books, &pod, &name).await? {
            Some(Snapshot { state: SnapshotState::Creating, .. }) | None => {
                let detail = format!("the pod has no snapshot {name} any more; see which it has");
                Err(Error::conflict("snapshot_gone", detail))
            }
            Some(_) => Ok(Action::Done(format!("snapshot {name}"))),
        }
    }
}

struct RollbackVm(Arc<Books>);

#[async_trait]
impl Step for RollbackVm {
    fn name(&self) -> &'static str {
        "rollback"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, ROLLED_BACK).await?;
        let RollbackParams { name, start: _ } = params_of(job)?;
        // It is started once it is configured, and its firewall is there.
        Ok(Action::Command(order(&pod, CommandKind::Rollback { name }, TIMEOUT)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        rows_store(tx, &self.0, job, output).await?;
        power_store(tx, &self.0, job, output).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, RollbackParams { name: _, start }) = (pod_of(tx, job).await?, params_of(job)?);
        if !start || pod.state != State::Active {
            return Ok(Action::Done("it is not to run".to_owned()));
        }
        // What Proxmox left half rolled back stays locked.
        if is_last_try(job) {
            return Ok(Action::Done(UNSTARTED.to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Start, QUICK)?))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}

struct Doubt(Arc<Books>);

#[async_trait]
impl Step for Doubt {
    fn name(&self) -> &'static str {
        "doubt"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, ROLLED_BACK).await?;
        self.0.firewalls.firewall_doubt(tx, pod.id).await?;
        Ok(Action::Done("its network cards are as they were then: its firewall is brought anew".to_owned()))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        match pod.vmid {
            Some(vmid) if pod.state == State::Active => {
                bring_again(tx, &self.0, job, &pod, (server_of(&pod)?, vmid)).await
            }
            _ => Ok(Action::Done("it is not to run".to_owned())),
        }
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, _output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        self.0.firewalls.firewall_applied(tx, pod.id).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}

/// A snapshot with memory comes back running, one without comes back stopped: neither is what is wanted by itself.
struct Power(Arc<Books>);

#[async_trait]
impl Step for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, ROLLED_BACK).await?;
        let RollbackParams { name: _, start } = params_of(job)?;
        Ok(Action::Command(order(&pod, if start { CommandKind::Start } else { CommandKind::Stop }, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}

/// Deletes a snapshot. It cannot be made again, so there is no undo, and no cancelling once it may have begun.
pub(super) struct DeleteSnapshot {
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl DeleteSnapshot {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> =
            vec![Box::new(Check { books: b(), wanted: "lose a snapshot" }), Box::new(Delete(b()))];
        Self { books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for DeleteSnapshot {
    fn kind(&self) -> &'static str {
        kind::DELETE_SNAPSHOT
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        match end {
            End::Failed(_) | End::Cancelled | End::Stuck(_) => {
                let (pod, SnapshotParams { name }) = (pod_of(tx, job).await?, params_of(job)?);
                let (from, to) = (SnapshotState::Deleting, SnapshotState::Ready);
                // It may be gone by now, with its VM.
                self.books.snapshots.snapshot_state_set(tx, pod.id, &name, from, to).await.map(|_| ())
            }
            End::Succeeded => Ok(()),
        }
    }
}

struct Delete(Arc<Books>);

#[async_trait]
impl Step for Delete {
    fn name(&self) -> &'static str {
        "delete"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, "lose a snapshot").await?;
        let SnapshotParams { name } = params_of(job)?;
        Ok(Action::Command(order(&pod, CommandKind::DeleteSnapshot { name }, TIMEOUT)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = rows_store(tx, &self.0, job, output).await?;
        let SnapshotParams { name } = params_of(job)?;
        match snapshot_of(tx, &self.0, &pod, &name).await? {
            None => Ok(()),
            Some(_) => Err(Error::retry(format!("the host still lists the snapshot {name}"))),
        }
    }

    fn cancellable(&self) -> bool {
        false
    }
}
