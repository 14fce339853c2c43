//! The steps that sagas share: a pod's VM is made what its row says (configure, media, resize_disk) and brought to run (start,
//! restart, wait_running). They differ in which pods they are for, and when: that is the saga's own, its [`Subject`].

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::media::insert;
use super::reboot::reboot_verdict;
use super::rescue::drive_of;
use super::restart::{restart_note, restarted};
use super::vm::{configuration_of, macs_note};
use super::{BESIDE_GUEST, Books, QUICK, active_pod_of, order, pod_of, power_store};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, RestartCause, State};
use crate::domain::jobs::{Action, CommandFailure, CommandKind, CommandOutput, Job, Power, Step, Verdict};
use crate::error::Result;

/// How long a guest gets to restart, in seconds.
const GUEST_S: u64 = 180;
/// Proxmox says so at once, but for a VM that its high availability starts.
const RUNNING_WITHIN_S: u64 = 60;
const RESIZE_TIMEOUT: Duration = Duration::from_mins(10);

/// Whether a step has something to do.
pub(super) enum Turn {
    /// With this pod's VM.
    Go(Box<CloudPod>),
    /// No: why, for the job's log.
    Rest(String),
}

impl Turn {
    pub(super) fn go(pod: CloudPod) -> Self {
        Self::Go(Box::new(pod))
    }

    pub(super) fn rest(why: impl Into<String>) -> Self {
        Self::Rest(why.into())
    }

    fn action(self, kind: CommandKind, timeout: Duration) -> Result<Action> {
        self.command(|_| (kind, timeout))
    }

    fn command(self, of: impl FnOnce(&CloudPod) -> (CommandKind, Duration)) -> Result<Action> {
        match self {
            Self::Go(pod) => {
                let (kind, timeout) = of(&pod);
                Ok(Action::Command(order(&pod, kind, timeout)?))
            }
            Self::Rest(why) => Ok(Action::Done(why)),
        }
    }
}

/// Which pod a saga works on, and under which conditions.
#[async_trait]
pub(super) trait Subject: Send + Sync {
    /// The job's pod, if it is its turn.
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn>;

    /// The job's pod, if the undo of its start is to stop it.
    async fn to_stop(&self, _tx: &mut Tx, _job: &Job) -> Result<Turn> {
        Ok(Turn::rest(String::new()))
    }

    /// As [`Step::cancellable`].
    fn cancellable(&self) -> bool {
        true
    }
}

/// An active pod, whatever else holds. What the job does to it, for its refusal: `be started`.
pub(super) struct Active(pub(super) &'static str);

#[async_trait]
impl Subject for Active {
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        Ok(Turn::go(active_pod_of(tx, job, self.0).await?))
    }
}

/// The same in a job that has passed the point of no return.
pub(super) struct Committed(pub(super) &'static str);

#[async_trait]
impl Subject for Committed {
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        Active(self.0).turn(tx, job).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}

/// Gives its VM the size, the addresses and the keys that its row has.
pub(super) struct Configure<S>(pub(super) Arc<Books>, pub(super) S);

#[async_trait]
impl<S: Subject> Step for Configure<S> {
    fn name(&self) -> &'static str {
        "configure"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = match self.1.turn(tx, job).await? {
            Turn::Go(pod) => pod,
            Turn::Rest(why) => return Ok(Action::Done(why)),
        };
        let mut configure = configuration_of(tx, &self.0, &pod).await?;
        // A new VM's other cards are its template's, and lead into networks that the pod was never given.
        let is_new = pod.state == State::Provisioning || pod.condition.rebuilding;
        configure.exact_nics = is_new && !pod.condition.as_found;
        Ok(Action::Command(order(&pod, CommandKind::Configure(Box::new(configure)), QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        macs_note(tx, &pod, output).await?;
        restart_note(tx, &self.0, &pod, RestartCause::Size, output.restart_needed).await
    }

    fn cancellable(&self) -> bool {
        self.1.cancellable()
    }
}

/// Puts into its VM's drive what its row says.
pub(super) struct InsertMedia<S>(pub(super) Arc<Books>, pub(super) S);

#[async_trait]
impl<S: Subject> Step for InsertMedia<S> {
    fn name(&self) -> &'static str {
        "set_media"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        self.1.turn(tx, job).await?.command(|pod| (insert(&drive_of(pod)), QUICK))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        restart_note(tx, &self.0, &pod, RestartCause::Media, output.restart_needed).await
    }

    fn cancellable(&self) -> bool {
        self.1.cancellable()
    }
}

/// Grows its VM's disk to the size that its row has.
pub(super) struct ResizeDisk<S>(pub(super) S);

#[async_trait]
impl<S: Subject> Step for ResizeDisk<S> {
    fn name(&self) -> &'static str {
        "resize_disk"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        self.0.turn(tx, job).await?.command(|pod| (CommandKind::ResizeDisk { size_gib: pod.disk_gib }, RESIZE_TIMEOUT))
    }

    fn cancellable(&self) -> bool {
        self.0.cancellable()
    }
}

/// Starts it.
pub(super) struct Start<S>(pub(super) Arc<Books>, pub(super) S);

#[async_trait]
impl<S: Subject> Step for Start<S> {
    fn name(&self) -> &'static str {
        "start"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        self.1.turn(tx, job).await?.action(CommandKind::Start, QUICK)
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        self.1.to_stop(tx, job).await?.action(CommandKind::Stop, QUICK)
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    fn cancellable(&self) -> bool {
        self.1.cancellable()
    }
}

/// Restarts its guest. What power the VM has in the midst of it is not stored: [`WaitRunning`] stores that it runs again.
pub(super) struct Restart<S>(pub(super) S);

#[async_trait]
impl<S: Subject> Step for Restart<S> {
    fn name(&self) -> &'static str {
        "restart"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let kind = CommandKind::Reboot { timeout_s: GUEST_S };
        self.0.turn(tx, job).await?.action(kind, Duration::from_secs(GUEST_S) + BESIDE_GUEST)
    }

    async fn failed(&self, _tx: &mut Tx, _job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        reboot_verdict(failure)
    }
}

/// Waits until it runs, starts it again where it does not, and stores that.
pub(super) struct WaitRunning<S> {
    books: Arc<Books>,
    subject: S,
    restarted: bool,
}

impl<S> WaitRunning<S> {
    pub(super) fn started(books: &Arc<Books>, subject: S) -> Self {
        Self { books: books.clone(), subject, restarted: false }
    }

    /// After a restart: what waited for one is in effect then.
    pub(super) fn restarted(books: &Arc<Books>, subject: S) -> Self {
        Self { books: books.clone(), subject, restarted: true }
    }
}

#[async_trait]
impl<S: Subject> Step for WaitRunning<S> {
    fn name(&self) -> &'static str {
        "wait_running"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        // What was stopped since it was started, by itself or by hand, would be waited for in vain.
        let kind = match job.attempt {
            1 => CommandKind::WaitPower { power: Power::Running, timeout_s: RUNNING_WITHIN_S },
            _ => CommandKind::Start,
        };
        self.subject.turn(tx, job).await?.action(kind, QUICK)
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.books, job, output).await?;
        if self.restarted {
            let pod = pod_of(tx, job).await?;
            restarted(tx, &self.books, &pod).await?;
        }
        Ok(())
    }

    fn cancellable(&self) -> bool {
        self.subject.cancellable()
    }
}
