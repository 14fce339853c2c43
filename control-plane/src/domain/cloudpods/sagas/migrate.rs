//! Moves a pod's VM to another server: reserve → vmid → locate → check → shutdown → migrate → confirm_target →
//! confirm_source → settle → firewall → start.
//!
//! The pod holds room on both sides until both agents have confirmed the move; only then does its record name the target.
//! Once the move may have been ordered, nobody's word but the agents' tells where the VM is. So the undo first looks at both
//! sides (with the target down to the source: the undos of `shutdown` and `check`), and then either gives the target back or,
//! where the VM had arrived all the same, records it there. What only one side could tell stays held, and the job is stuck.
//! A side that was declared lost counts as one that has no VM; with none on the other side either, the pod is lost.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::firewall::ApplyFirewall;
use super::migrate_orders::{at_source, at_target, local_move, remote_bridge, remote_move, sighting};
use super::migrate_undo as undoing;
use super::vm::bridge_note;
use super::{BESIDE_GUEST, Books, QUICK, kind, params_of, pod_of, tenant_of};
use crate::db::Tx;
use crate::domain::access::Permission;
use crate::domain::audit::{Actor, Record, audit_append};
use crate::domain::cloudpods::moves::{MoveAsk, MoveWish, Terrain, nowhere, placed};
use crate::domain::cloudpods::{CloudPod, DesiredPower, State, store};
use crate::domain::jobs::{
    Action, CommandFailure, CommandKind, CommandOutput, FailureKind, Job, Power, SERVER_LOST, Saga, Step, Verdict,
};
use crate::domain::servers::{Method, Move, MoveNew, Sighting};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};

/// Local disks are copied whole, and a busy guest's memory again and again.
const MIGRATE_TIMEOUT: Duration = Duration::from_hours(12);
/// How often a target is chosen anew because somebody else was faster.
const CHOICES_MAX: usize = 8;

/// What is wanted of the move.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MigrateParams {
    /// Where to and how.
    #[serde(flatten)]
    pub wish: MoveWish,
    /// Whether local disks may be copied.
    pub with_local_disks: bool,
    /// Whether the guest may be asked to shut down.
    pub allow_shutdown: bool,
    /// How long it gets for that, in seconds.
    pub shutdown_s: u64,
}

/// The saga.
pub(super) struct Migrate {
    steps: Vec<Box<dyn Step>>,
}

impl Migrate {
    pub(super) fn new(books: &Arc<Books>) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: hold room on the target; undo: give it back, or record the VM there if it had arrived.
            Box::new(Reserve(b())),
            // do: take a VMID of the target's cluster; undo: start the guest again if it was shut down for the move.
            Box::new(Vmid(b())),
            // do: look where the VM is and whether it runs; undo: remove what a broken move left on the other cluster, or bring the
            // firewall to the VM that had arrived.
            Box::new(Locate(b())),
            // do: ask Proxmox whether it can be moved; undo: look at the source.
            Box::new(Check(b())),
            // do: shut the guest down where that is needed and allowed; undo: look at the target.
            Box::new(Shutdown(b())),
            Box::new(MoveVm(b())),
            // From here on the VM is believed to be on the target: what is left is to hear so from both sides.
            Box::new(ConfirmTarget(b())),
            Box::new(ConfirmSource(b())),
            Box::new(Settle(b())),
            // It came along, also to another cluster if Proxmox carries it there: this makes sure of it. Where the target does not
            // take it the job fails, and the undo of `vmid` starts the guest.
            Box::new(ApplyFirewall::keeping(books)),
            Box::new(StartAgain(b())),
        ];
        Self { steps }
    }
}

#[async_trait]
impl Saga for Migrate {
    fn kind(&self) -> &'static str {
        kind::MIGRATE
    }

    fn permission(&self, _job: &Job) -> Permission {
        Permission::CloudpodsManage
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }
}

/// The job's move, if it holds one.
pub(super) async fn own_move(tx: &mut Tx, books: &Books, job: &Job) -> Result<Option<(CloudPod, Move)>> {
    let pod = pod_of(tx, job).await?;
    let under_way = books.servers.move_of(tx.conn(), pod.id).await?;
    Ok(under_way.filter(|under_way| under_way.job == job.id).map(|under_way| (pod, under_way)))
}

/// The job's pod and move, if the pod may still be moved.
async fn wanted_move(tx: &mut Tx, books: &Books, job: &Job) -> Result<(CloudPod, Move)> {
    if let State::Failed { cause } = pod_of(tx, job).await?.state {
        return Err(Error::conflict(SERVER_LOST, cause));
    }
    let (pod, under_way) = own_move(tx, books, job)
        .await?
        .ok_or_else(|| Error::internal(format!("the job {} has begun and holds nothing of its target", job.id)))?;
    pod.state.migrate()?;
    Ok((pod, under_way))
}

/// As [`wanted_move`], while the target was not declared lost. What is out already is said again all the same: its end is awaited.
async fn arriving_move(tx: &mut Tx, books: &Books, job: &Job) -> Result<(CloudPod, Move)> {
    let (pod, under_way) = wanted_move(tx, books, job).await?;
    let target = books.servers.server_get(tx.conn(), under_way.target).await?;
    let lost = target.lost_at.is_some() || undoing::is_target_lost(tx, books, &under_way).await?;
    if lost && job.command.is_none() {
        let detail =
            format!("the server {} that it goes to was declared lost: no VM counts that comes there", target.name);
        return Err(Error::conflict(SERVER_LOST, detail));
    }
    Ok((pod, under_way))
}

struct Reserve(Arc<Books>);

#[async_trait]
impl Step for Reserve {
    fn name(&self) -> &'static str {
        "reserve"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        // Pods that keep away from each other are placed one after the other.
        tenant_of(tx, job).await?;
        let books = &self.0;
        if let Some((_, held)) = own_move(tx, books, job).await? {
            return Ok(Action::Done(format!("storage {} is held", held.storage)));
        }
        let pod = pod_of(tx, job).await?;
        pod.state.migrate()?;
        let (source, source_vmid) = placed(&pod)?;
        let MigrateParams { wish, .. } = params_of(job)?;
        let ask = MoveAsk::read(books, tx.conn(), &pod, wish).await?;
        let mut lost = std::collections::HashSet::new();
        for _ in 0..CHOICES_MAX {
            let terrain = Terrain::read(books, tx.conn(), source).await?;
            terrain.storage_check(&ask)?;
            let chosen = terrain.choose(&ask, &lost).map_err(|explanation| nowhere(&explanation))?;
            let new = MoveNew {
                pod: pod.id,
                job: job.id,
                // What it is in truth, `locate` finds out.
                method: if chosen.remote { Method::Remote } else { Method::Offline },
                source,
                source_vmid,
                target: chosen.choice.server,
                storage: &chosen.choice.storage,
                disk_stays: chosen.disk_stays,
                explanation: serde_json::to_value(&chosen.explanation).map_err(Error::internal)?,
            };
            if books.servers.move_hold(tx, &new).await? {
                return Ok(Action::Done(format!("server {}, storage {}", chosen.choice.name, new.storage)));
            }
            lost.insert(chosen.choice.server);
        }
        Err(Error::retry("other requests took the room on every server that was chosen; try again"))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        undoing::end(tx, &self.0, job).await
    }
}

struct Vmid(Arc<Books>);

#[async_trait]
impl Step for Vmid {
    fn name(&self) -> &'static str {
        "vmid"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (_, under_way) = wanted_move(tx, &self.0, job).await?;
        let vmid = self.0.servers.move_vmid_take(tx, &under_way).await?;
        let kept = under_way.method != Method::Remote;
        Ok(Action::Done(format!("VMID {vmid}{}", if kept { ", as it is" } else { " on the target" })))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        undoing::start_again(tx, &self.0, job).await
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        undoing::started_again(tx, &self.0, job, output).await
    }
}

struct Locate(Arc<Books>);

#[async_trait]
impl Step for Locate {
    fn name(&self) -> &'static str {
        "locate"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (_, under_way) = wanted_move(tx, &self.0, job).await?;
        Ok(at_source(&under_way, CommandKind::Inspect, QUICK))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let (pod, mut under_way) = wanted_move(tx, &self.0, job).await?;
        let Sighting::Present(power) = sighting(output, "source")? else {
            return Err(Error::conflict(
                "vm_missing",
                format!("there is no VM {} on the server that the pod {} is on", under_way.source_vmid, pod.name),
            ));
        };
        store::pod_observe(tx, pod.id, power, self.0.clock.now()).await?;
        let MigrateParams { wish, allow_shutdown, .. } = params_of(job)?;
        under_way.was_running = power != Power::Stopped;
        if under_way.method != Method::Remote {
            under_way.method = match (under_way.was_running, wish.method) {
                (true, Some(Method::Offline)) if allow_shutdown => Method::Offline,
                (true, Some(Method::Offline)) => {
                    return Err(Error::conflict(
                        "cloudpod_running",
                        "it runs, and an offline move needs it stopped: shut it down, allow its shutdown, or move it live",
                    ));
                }
                (true, _) => Method::Live,
                (false, _) => Method::Offline,
            };
        }
        self.0.servers.move_note(tx, &under_way).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        undoing::target_tidy(tx, &self.0, job).await
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        undoing::target_tidied(tx, &self.0, job, output).await
    }
}

struct Check(Arc<Books>);

#[async_trait]
impl Step for Check {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (_, under_way) = arriving_move(tx, &self.0, job).await?;
        if under_way.method == Method::Remote {
            return Ok(Action::Done("Proxmox checks a move to another cluster when it begins".to_owned()));
        }
        let migrate = local_move(tx, &self.0, job, &under_way).await?;
        Ok(at_source(&under_way, CommandKind::CheckMigrate(migrate), QUICK))
    }

    /// What cannot be moved while it runs may be moved after its shutdown, if that was allowed.
    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        let (_, mut under_way) = wanted_move(tx, &self.0, job).await?;
        let MigrateParams { wish, allow_shutdown, .. } = params_of(job)?;
        let refused = failure.kind == FailureKind::Refused && under_way.method == Method::Live;
        if refused && allow_shutdown && wish.method != Some(Method::Live) {
            under_way.method = Method::Offline;
            self.0.servers.move_note(tx, &under_way).await?;
            return Ok(Verdict::Retry);
        }
        Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail })
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        undoing::source_look(tx, &self.0, job).await
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        undoing::source_looked(tx, &self.0, job, output).await
    }
}

struct Shutdown(Arc<Books>);

#[async_trait]
impl Step for Shutdown {
    fn name(&self) -> &'static str {
        "shutdown"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (_, mut under_way) = arriving_move(tx, &self.0, job).await?;
        let MigrateParams { allow_shutdown, shutdown_s, .. } = params_of(job)?;
        if !(under_way.method == Method::Offline && under_way.was_running && allow_shutdown) {
            return Ok(Action::Done("it stays as it is".to_owned()));
        }
        under_way.shut_down = true;
        self.0.servers.move_note(tx, &under_way).await?;
        let kind = CommandKind::Shutdown { timeout_s: shutdown_s, force: false };
        Ok(at_source(&under_way, kind, Duration::from_secs(shutdown_s) + BESIDE_GUEST))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let (pod, _) = wanted_move(tx, &self.0, job).await?;
        store::pod_observe(tx, pod.id, output.power, self.0.clock.now()).await
    }

    async fn failed(&self, _tx: &mut Tx, _job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        // A guest that did not answer in all that time will not do so in the same time again, and its power is not cut.
        let waited = matches!(failure.kind, FailureKind::Deadline | FailureKind::TaskFailed);
        Ok(if failure.kind.retryable() && !waited { Verdict::Retry } else { Verdict::Fail })
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        undoing::target_look(tx, &self.0, job).await
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        undoing::target_looked(tx, &self.0, job, output).await
    }
}

struct MoveVm(Arc<Books>);

#[async_trait]
impl Step for MoveVm {
    fn name(&self) -> &'static str {
        "migrate"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, mut under_way) = arriving_move(tx, &self.0, job).await?;
        // After an order whose end is not known, a look at the target comes before the next one, in a try of its own. A look
        // that found the VM has ended the step, one that failed was forgotten: after any other, the source's agent is asked again,
        // which looks itself before it calls Proxmox.
        if under_way.doubted && (under_way.looked == 0 || under_way.looked == job.attempt) {
            under_way.looked = job.attempt;
            self.0.servers.move_note(tx, &under_way).await?;
            return at_target(&under_way, CommandKind::Inspect, QUICK);
        }
        let kind = match under_way.method {
            Method::Remote => remote_move(tx, &self.0, &pod, &under_way).await?,
            Method::Live | Method::Offline => CommandKind::Migrate(local_move(tx, &self.0, job, &under_way).await?),
        };
        under_way.ordered = true;
        under_way.doubted = false;
        under_way.looked = 0;
        self.0.servers.move_note(tx, &under_way).await?;
        Ok(at_source(&under_way, kind, MIGRATE_TIMEOUT))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let (_, under_way) = wanted_move(tx, &self.0, job).await?;
        if under_way.doubted && sighting(output, "target")? == Sighting::Absent {
            return Err(Error::retry("the VM has not come to the target; it is ordered again"));
        }
        Ok(())
    }

    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        let (_, mut under_way) = wanted_move(tx, &self.0, job).await?;
        if under_way.doubted {
            under_way.looked = 0;
            self.0.servers.move_note(tx, &under_way).await?;
            return Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail });
        }
        match failure.kind {
            FailureKind::Locked | FailureKind::Ledger => Ok(Verdict::Retry),
            FailureKind::Timeout | FailureKind::Lost | FailureKind::Unavailable => {
                under_way.doubted = true;
                self.0.servers.move_note(tx, &under_way).await?;
                Ok(Verdict::Retry)
            }
            // Proxmox began and gave up: another target may do better than another try. The undo looks where the VM is.
            FailureKind::TaskFailed
            | FailureKind::Deadline
            | FailureKind::BadParameter
            | FailureKind::NotFound
            | FailureKind::Permission
            | FailureKind::VmidTaken
            | FailureKind::NoSpace
            | FailureKind::Unsupported
            | FailureKind::Cancelled
            | FailureKind::ForeignVm
            | FailureKind::GuestAgent
            | FailureKind::Refused => Ok(Verdict::Fail),
        }
    }
}

struct ConfirmTarget(Arc<Books>);

#[async_trait]
impl Step for ConfirmTarget {
    fn name(&self) -> &'static str {
        "confirm_target"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (_, under_way) = arriving_move(tx, &self.0, job).await?;
        at_target(&under_way, CommandKind::Inspect, QUICK)
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let (_, mut under_way) = wanted_move(tx, &self.0, job).await?;
        let seen = sighting(output, "target")?;
        if !seen.is_present() {
            return Err(Error::retry("the source says that the VM was moved, and the target does not see it"));
        }
        under_way.target_seen = Some(seen);
        self.0.servers.move_note(tx, &under_way).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}

struct ConfirmSource(Arc<Books>);

#[async_trait]
impl Step for ConfirmSource {
    fn name(&self) -> &'static str {
        "confirm_source"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (_, mut under_way) = wanted_move(tx, &self.0, job).await?;
        if undoing::is_source_lost(tx, &self.0, &under_way).await? {
            under_way.source_seen = Some(Sighting::Absent);
            self.0.servers.move_note(tx, &under_way).await?;
            return Ok(Action::Done(undoing::LOST.to_owned()));
        }
        Ok(at_source(&under_way, CommandKind::Inspect, QUICK))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let (_, mut under_way) = wanted_move(tx, &self.0, job).await?;
        if sighting(output, "source")?.is_present() {
            return Err(Error::retry("the VM is on the target, and the source still has it too"));
        }
        under_way.source_seen = Some(Sighting::Absent);
        self.0.servers.move_note(tx, &under_way).await
    }

    /// While the cluster's own view lags, the source's agent sees that the number is taken and not yet by which node.
    async fn failed(&self, _tx: &mut Tx, _job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        let lags = failure.kind == FailureKind::ForeignVm;
        Ok(if lags || failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail })
    }

    fn cancellable(&self) -> bool {
        false
    }
}

struct Settle(Arc<Books>);

#[async_trait]
impl Step for Settle {
    fn name(&self) -> &'static str {
        "settle"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let Some((pod, under_way)) = own_move(tx, &self.0, job).await? else {
            return Ok(Action::Done("it is settled".to_owned()));
        };
        arriving_move(tx, &self.0, job).await?;
        self.0.firewalls.firewall_doubt(tx, pod.id).await?;
        settle(tx, &self.0, job, &pod, &under_way).await.map(Action::Done)
    }

    fn cancellable(&self) -> bool {
        false
    }
}

/// Records that the VM is on the target, which both sides have said. What to show of it.
pub(super) async fn settle(tx: &mut Tx, books: &Books, job: &Job, pod: &CloudPod, under_way: &Move) -> Result<String> {
    let (Some(Sighting::Present(power)), Some(Sighting::Absent), Some(vmid)) =
        (under_way.target_seen, under_way.source_seen, under_way.vmid)
    else {
        return Err(Error::internal(format!("the move of CloudPod {} is not confirmed by both sides", pod.id)));
    };
    let now = books.clock.now();
    let target = books.servers.server_get(tx.conn(), under_way.target).await?;
    books.servers.move_settle(tx, pod.id).await?;
    let templates = books.images.image_templates(tx.conn(), pod.image.id).await?;
    let template = templates.get(&target.id).copied().or(pod.template_vmid);
    store::pod_move(tx, pod.id, under_way, vmid, template, now).await?;
    if under_way.method == Method::Remote {
        let bridge = remote_bridge(tx, books, under_way).await?;
        bridge_note(tx, pod, &bridge).await?;
    }
    store::pod_observe(tx, pod.id, power, now).await?;
    books.scheduling.placement_settle(tx, pod.id, target.id, &under_way.explanation).await?;
    let detail = json!({
        "name": pod.name, "job_id": job.id, "method": under_way.method, "storage": under_way.storage,
        "before": { "server_id": under_way.source, "vmid": under_way.source_vmid },
        "after": { "server_id": under_way.target, "vmid": vmid },
    });
    let (actor, action, target_id) = (Actor::system("engine"), "cloudpod.moved", pod.id.to_string());
    let tenant = Some(pod.tenant);
    let record = Record { actor: &actor, tenant, action, target_kind: "cloudpod", target_id: target_id.clone() };
    audit_append(tx, now, record, &detail).await?;
    event_append(tx, now, Event { tenant, name: action, subject: target_id }, &detail).await?;
    Ok(format!("VM {vmid} is on server {}", target.name))
}

/// A guest that may have been shut down for the move runs where its VM came to, if that is wanted.
pub(super) async fn started_there(tx: &mut Tx, job: &Job) -> Result<Action> {
    let pod = pod_of(tx, job).await?;
    let MigrateParams { allow_shutdown, .. } = params_of(job)?;
    let wanted = pod.state == State::Active && pod.desired_power == DesiredPower::Running;
    if !allow_shutdown || !wanted || pod.observed_power == Power::Running {
        return Ok(Action::Done("nothing is to be started".to_owned()));
    }
    Ok(Action::Command(super::order(&pod, CommandKind::Start, QUICK)?))
}

struct StartAgain(Arc<Books>);

#[async_trait]
impl Step for StartAgain {
    fn name(&self) -> &'static str {
        "start"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        started_there(tx, job).await
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        super::power_store(tx, &self.0, job, output).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}
