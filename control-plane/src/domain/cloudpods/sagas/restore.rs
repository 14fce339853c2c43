//! Takes a pod back to a backup: reserve → check → address → vmid → stop → restore → configure → set_media → resize_disk →
//! firewall → power.
//!
//! In place, into the VM that the pod has, when it has one: nothing is placed, and what the VM was is lost once `restore` may
//! have begun. Elsewhere, when the pod is nowhere because its host was declared lost: it is placed anew on a server that sees
//! the backup's storage, keeps its addresses, and everything can be undone as in `provision`.
//!
//! `recreate` is the same for a pod that is new: it is placed like any other, on a server that sees the backup of another pod, which
//! may be gone. Its VM gets its own identity, addresses, MAC addresses and firewall.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::firewall::ApplyFirewall;
use super::media::insert;
use super::rescue::drive_of;
use super::vm::{addresses_take, brought_back, configuration_of, macs_note, server_of, vm_missing, vmid_replace};
use super::{
    Books, QUICK, kind, order, params_of, pod_of, power_store, require_absent, require_settled, state_store, tenant_of,
};
use crate::db::{Conn, Tx};
use crate::domain::backups::Backup;
use crate::domain::cloudpods::upkeep::require_unseen;
use crate::domain::cloudpods::{CloudPod, Media, State, service, store};
use crate::domain::jobs::{
    Action, AgentCommand, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, Saga, Step, Verdict,
};
use crate::domain::scheduling::{Reason, Request};
use crate::error::{Error, NO_CAPACITY, Result};
use crate::ids::{BackupId, ServerId};

/// A large disk from a slow storage.
const RESTORE_TIMEOUT: Duration = Duration::from_hours(12);
const RESIZE_TIMEOUT: Duration = Duration::from_mins(10);
const DESTROY_TIMEOUT: Duration = Duration::from_mins(15);

/// What is restored, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RestoreParams {
    /// The backup.
    pub backup: BackupId,
    /// Into the VM that the pod has.
    pub in_place: bool,
    /// Elsewhere: only on this server.
    pub target: Option<ServerId>,
    /// The pod held addresses before: they stay its own.
    pub addresses: bool,
    /// Whether it shall run afterwards.
    pub start: bool,
}

/// The saga.
pub(super) struct Restore {
    kind: &'static str,
    books: Arc<Books>,
    steps: Vec<Box<dyn Step>>,
}

impl Restore {
    /// Of a pod that is there. What came back with the backup is as old as the backup, also its firewall.
    pub(super) fn new(books: &Arc<Books>) -> Self {
        Self::with(books, kind::RESTORE, ApplyFirewall::keeping(books))
    }

    /// Of a pod that is new.
    pub(super) fn anew(books: &Arc<Books>) -> Self {
        Self::with(books, kind::RECREATE, ApplyFirewall::making(books, false))
    }

    fn with(books: &Arc<Books>, kind: &'static str, firewall: ApplyFirewall) -> Self {
        let b = || books.clone();
        let steps: Vec<Box<dyn Step>> = vec![
            // do: hold room on a server that sees the backup; undo: give it back.
            Box::new(Reserve(b())),
            // Before anything is stopped: the server has to see the backup.
            Box::new(Look(b())),
            // do: allocate addresses to a pod that has none; undo: release them.
            Box::new(Address(b())),
            // do: take a VMID; undo: release it.
            Box::new(Vmid(b())),
            // do: stop the VM; undo: start it.
            Box::new(Stop(b())),
            // do: make the VM of the backup; undo, elsewhere: destroy it.
            Box::new(RestoreVm(b())),
            // The rest changes that VM alone.
            Box::new(Configure(b())),
            Box::new(InsertMedia(b())),
            Box::new(ResizeDisk),
            Box::new(firewall),
            Box::new(Power(b())),
        ];
        Self { kind, books: books.clone(), steps }
    }
}

#[async_trait]
impl Saga for Restore {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn began(&self, tx: &mut Tx, job: &Job) -> Result<()> {
        if params_of::<RestoreParams>(job)?.in_place {
            return Ok(());
        }
        // Its first step wants it too, in the same transaction: before the pod is held.
        tenant_of(tx, job).await?;
        let pod = pod_of(tx, job).await?;
        let to = pod.state.clone().provision_begin()?;
        state_store(tx, &self.books, job, &pod, to).await
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        if params_of::<RestoreParams>(job)?.in_place {
            // It is its customer's as before; what became of its VM is in the job and in what is observed.
            return Ok(());
        }
        let pod = pod_of(tx, job).await?;
        let to = match end {
            // What the platform took away stays away, wherever it is: only its lifting gives it back.
            End::Succeeded if pod.condition.suspension.is_some() => {
                pod.state.clone().provision_succeed()?.suspend_begin()?
            }
            End::Succeeded => pod.state.clone().provision_succeed()?,
            End::Failed(error) => {
                let backup = self.books.backups.backup_find(tx.conn(), params_of::<RestoreParams>(job)?.backup).await?;
                let full = error.code == NO_CAPACITY;
                if let Some(backup) = backup.filter(|_| full) {
                    let request = request_for(&self.books, tx.conn(), &pod, &backup).await?;
                    self.books.scheduling.placement_refuse(tx, pod.id, &request).await?;
                }
                // Its customer reads this: what is said of each server stays with the placement and the job.
                let why = if full { "there was no room for it; its placement says why" } else { &error.detail };
                pod.state.clone().provision_fail(format!("it could not be restored: {why}"))
            }
            End::Cancelled => pod.state.clone().provision_fail("its restore was cancelled".to_owned()),
            End::Stuck(error) => pod.state.clone().provision_fail(format!(
                "it could not be restored: {}; and the undoing of that cannot finish: see the job {}",
                error.detail, job.id
            )),
        };
        state_store(tx, &self.books, job, &pod, to).await
    }
}

/// The job's pod, if it may still be restored, and what is to be done.
async fn restored(tx: &mut Tx, job: &Job) -> Result<(CloudPod, RestoreParams)> {
    let (pod, params) = (pod_of(tx, job).await?, params_of::<RestoreParams>(job)?);
    if params.in_place {
        pod.state.power_change("be restored")?;
        require_settled(&pod)?;
    } else if pod.state != State::Provisioning {
        let detail = format!("the pod {} is {} meanwhile", pod.name, pod.state.as_str());
        return Err(Error::conflict("cloudpod_deleting", detail));
    }
    Ok((pod, params))
}

async fn backup_of(tx: &mut Tx, books: &Books, params: &RestoreParams) -> Result<(Backup, String)> {
    let found = books.backups.backup_find(tx.conn(), params.backup).await?;
    match found.map(|backup| (backup.volid.clone(), backup)) {
        Some((Some(volid), backup)) => Ok((backup, volid)),
        _ => Err(Error::conflict("backup_gone", "the backup was deleted meanwhile: choose another one")),
    }
}

fn in_place(what: &str) -> Action {
    Action::Done(format!("{what}: in place"))
}

/// What has to be placed, and only where the backup may be seen.
pub(in crate::domain::cloudpods) async fn request_for(
    books: &Books,
    mut conn: Conn<'_>,
    pod: &CloudPod,
    backup: &Backup,
) -> Result<Request> {
    let mut request = service::request_of(books, conn.again(), pod).await?;
    request.templates = servers_seeing(books, conn, backup).await?;
    // What is made of a backup is of no template.
    request.barred.clear();
    request.template_else = Some(Reason::BackupUnseen(backup.storage.clone()));
    Ok(request)
}

/// The same, only where the backup was made: there it is seen, wherever else it may be.
fn at_its_own(request: &Request, backup: &Backup) -> Request {
    let mut own = request.clone();
    own.templates.retain(|server, _| *server == backup.server);
    own
}

/// The servers that see a backup's storage, as far as is known before one is asked: its own, those of the same cluster, and
/// those whose own backups go to a storage of that name.
pub(in crate::domain::cloudpods) async fn servers_seeing(
    books: &Books,
    mut conn: Conn<'_>,
    backup: &Backup,
) -> Result<HashMap<ServerId, u32>> {
    let servers = books.servers.server_snapshot(conn.again()).await?;
    let targets = books.servers.backup_storages(conn).await?;
    let space = servers.iter().find(|server| server.id == backup.server).map(|server| server.vmid_space.clone());
    let sees = |id: ServerId, its_space: &str| {
        id == backup.server
            || space.as_deref() == Some(its_space)
            || targets.get(&id).is_some_and(|storage| *storage == backup.storage)
    };
    // No template is cloned; the scheduler asks for the servers where one is.
    Ok(servers.into_iter().filter(|s| sees(s.id, &s.vmid_space)).map(|s| (s.id, 0)).collect())
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
        let (pod, params) = restored(tx, job).await?;
        if let (Some(server), Some(storage)) = (&pod.server, &pod.storage) {
            return Ok(Action::Done(format!("server {}, storage {storage}", server.name)));
        }
        require_unseen(tx, &self.0, &pod).await?;
        let (backup, _) = backup_of(tx, &self.0, &params).await?;
        let mut request = request_for(&self.0, tx.conn(), &pod, &backup).await?;
        if backup.pod == pod.id {
            // Where its owner once wanted it may be the host that was lost.
            request.server = params.target.or(request.server.filter(|wish| *wish != backup.server));
        }
        let own = self.0.scheduling.placement_commit(tx, pod.id, at_its_own(&request, &backup)).await;
        let choice = match own {
            Err(Error::NoCapacity(_) | Error::Retry { .. }) => {
                self.0.scheduling.placement_commit(tx, pod.id, request).await?
            }
            decided => decided?,
        };
        store::pod_place(tx, pod.id, &choice, self.0.clock.now()).await?;
        Ok(Action::Done(format!("server {}, storage {}", choice.name, choice.storage)))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        if params_of::<RestoreParams>(job)?.in_place {
            return Ok(in_place("its room is its own"));
        }
        let pod = pod_of(tx, job).await?;
        if let Some(done) = brought_back(&pod) {
            return Ok(done);
        }
        self.0.servers.reservation_release(tx, pod.id).await?;
        store::pod_unplace(tx, pod.id, self.0.clock.now()).await?;
        Ok(Action::Done("the reservation is released".to_owned()))
    }
}

struct Look(Arc<Books>);

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "check"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, params) = restored(tx, job).await?;
        let (backup, _) = backup_of(tx, &self.0, &params).await?;
        let kind = CommandKind::ListBackups { storage: backup.storage };
        let vmid = pod.vmid.unwrap_or(backup.vmid);
        // Backups bear the id of the pod that they are of.
        Ok(Action::Command(AgentCommand { server: server_of(&pod)?, pod: backup.pod, vmid, kind, timeout: QUICK }))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let (pod, params) = restored(tx, job).await?;
        let (backup, volid) = backup_of(tx, &self.0, &params).await?;
        if output.backups.iter().any(|seen| seen.volid == volid && seen.pod == Some(backup.pod)) {
            return Ok(());
        }
        let (server, storage) = (pod.server.map_or_else(String::new, |server| server.name), backup.storage);
        Err(Error::conflict(
            "backup_not_seen",
            format!(
                "server {server} does not see the backup {volid} on its storage {storage}: choose another backup, or a server that shares that storage"
            ),
        ))
    }
}

struct Address(Arc<Books>);

#[async_trait]
impl Step for Address {
    fn name(&self) -> &'static str {
        "address"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let tenant = tenant_of(tx, job).await?;
        let (pod, params) = restored(tx, job).await?;
        if params.in_place {
            return Ok(in_place("its addresses are its own"));
        }
        Ok(Action::Done(addresses_take(tx, &self.0, &tenant, &pod).await?))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let RestoreParams { in_place, addresses, .. } = params_of(job)?;
        if in_place || addresses {
            return Ok(Action::Done("its addresses are its own, as before".to_owned()));
        }
        let pod = pod_of(tx, job).await?;
        if let Some(done) = brought_back(&pod) {
            return Ok(done);
        }
        self.0.ipam.addresses_release(tx, pod.id).await?;
        Ok(Action::Done("the addresses are released".to_owned()))
    }
}

struct Vmid(Arc<Books>);

#[async_trait]
impl Step for Vmid {
    fn name(&self) -> &'static str {
        "vmid"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, params) = restored(tx, job).await?;
        if params.in_place {
            return Ok(in_place("its VMID is its own"));
        }
        let vmid = self.0.servers.vmid_take(tx, server_of(&pod)?, pod.id).await?;
        store::pod_vmid_set(tx, pod.id, Some(vmid), self.0.clock.now()).await?;
        Ok(Action::Done(format!("VMID {vmid}")))
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        if params_of::<RestoreParams>(job)?.in_place {
            return Ok(in_place("its VMID is its own"));
        }
        let pod = pod_of(tx, job).await?;
        if let Some(done) = brought_back(&pod) {
            return Ok(done);
        }
        self.0.servers.vmid_release(tx, pod.id).await?;
        store::pod_vmid_set(tx, pod.id, None, self.0.clock.now()).await?;
        Ok(Action::Done("the VMID is released".to_owned()))
    }
}

struct Stop(Arc<Books>);

#[async_trait]
impl Step for Stop {
    fn name(&self) -> &'static str {
        "stop"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, params) = restored(tx, job).await?;
        if !params.in_place {
            return Ok(Action::Done("there is no VM yet".to_owned()));
        }
        if vm_missing(tx, &self.0, &pod).await? {
            // Unless it is somewhere else, where it may run.
            require_unseen(tx, &self.0, &pod).await?;
            return Ok(Action::Done("its VM is missing: there is nothing to stop".to_owned()));
        }
        Ok(Action::Command(order(&pod, CommandKind::Stop, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    /// A VM that is half restored stays locked by Proxmox, so that it cannot start: then the job is stuck, and says why.
    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, RestoreParams { in_place, start, .. }) = (pod_of(tx, job).await?, params_of(job)?);
        if !in_place || !start || pod.state != State::Active {
            return Ok(Action::Done("it is not to run".to_owned()));
        }
        if vm_missing(tx, &self.0, &pod).await? {
            return Ok(Action::Done("its VM is missing: there is nothing to start".to_owned()));
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

struct RestoreVm(Arc<Books>);

#[async_trait]
impl Step for RestoreVm {
    fn name(&self) -> &'static str {
        "restore"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, params) = restored(tx, job).await?;
        let (backup, volid) = backup_of(tx, &self.0, &params).await?;
        self.0.firewalls.firewall_doubt(tx, pod.id).await?;
        let storage = pod.storage.clone().unwrap_or_default();
        // The pod that it is of may still run.
        let kind = CommandKind::RestoreBackup { volid, storage, unique: backup.pod != pod.id };
        Ok(Action::Command(order(&pod, kind, RESTORE_TIMEOUT)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        // They went with the disks that were replaced.
        self.0.snapshots.snapshots_forget(tx, pod.id).await?;
        power_store(tx, &self.0, job, output).await
    }

    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        let foreign = matches!(failure.kind, FailureKind::VmidTaken | FailureKind::ForeignVm);
        if foreign && !params_of::<RestoreParams>(job)?.in_place {
            let pod = pod_of(tx, job).await?;
            return vmid_replace(tx, &self.0, &pod).await;
        }
        Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail })
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = pod_of(tx, job).await?;
        if params_of::<RestoreParams>(job)?.in_place || pod.vmid.is_none() {
            return Ok(Action::Done("what its VM was before is lost: restore it again".to_owned()));
        }
        if let Some(done) = brought_back(&pod) {
            return Ok(done);
        }
        Ok(Action::Command(order(&pod, CommandKind::Destroy, DESTROY_TIMEOUT)?))
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        require_absent(&pod, output)
    }

    fn cancellable(&self) -> bool {
        false
    }
}

/// What is in the backup is as old as the backup: size, addresses and keys are what the pod's row says.
struct Configure(Arc<Books>);

#[async_trait]
impl Step for Configure {
    fn name(&self) -> &'static str {
        "configure"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, _) = restored(tx, job).await?;
        // Their MAC addresses are the backup's.
        store::pod_cards_set(tx, pod.id, None).await?;
        let mut configure = configuration_of(tx, &self.0, &pod).await?;
        if job.kind == kind::RECREATE {
            // It came with the name of the pod that the backup is of, and with its addresses, which that one may still have.
            configure.name.clone_from(&pod.name);
            configure.exact = true;
        }
        Ok(Action::Command(order(&pod, CommandKind::Configure(Box::new(configure)), QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        macs_note(tx, &pod, output).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}

/// What was in the drive is as old as the backup too, and a CD of another server need not be here: in place it is what the pod's row
/// says, elsewhere the drive is empty.
struct InsertMedia(Arc<Books>);

impl InsertMedia {
    async fn drive_empty(&self, tx: &mut Tx, pod: &CloudPod) -> Result<()> {
        if drive_of(pod) == Media::default() {
            return Ok(());
        }
        let now = self.0.clock.now();
        store::pod_media_set(tx, pod.id, &Media::default(), now).await?;
        store::pod_rescue_set(tx, pod.id, None, now).await
    }
}

#[async_trait]
impl Step for InsertMedia {
    fn name(&self) -> &'static str {
        "set_media"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, params) = restored(tx, job).await?;
        let media = if params.in_place { drive_of(&pod) } else { Media::default() };
        Ok(Action::Command(order(&pod, insert(&media), QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, _output: &CommandOutput) -> Result<()> {
        let pod = pod_of(tx, job).await?;
        if params_of::<RestoreParams>(job)?.in_place { Ok(()) } else { self.drive_empty(tx, &pod).await }
    }

    /// A CD that somebody removed meanwhile keeps no pod from its backup.
    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        let pod = pod_of(tx, job).await?;
        if failure.kind == FailureKind::NotFound && drive_of(&pod) != Media::default() {
            self.drive_empty(tx, &pod).await?;
            return Ok(Verdict::Retry);
        }
        Ok(if failure.kind.retryable() { Verdict::Retry } else { Verdict::Fail })
    }

    fn cancellable(&self) -> bool {
        false
    }
}

struct ResizeDisk;

#[async_trait]
impl Step for ResizeDisk {
    fn name(&self) -> &'static str {
        "resize_disk"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, _) = restored(tx, job).await?;
        let kind = CommandKind::ResizeDisk { size_gib: pod.disk_gib };
        Ok(Action::Command(order(&pod, kind, RESIZE_TIMEOUT)?))
    }

    fn cancellable(&self) -> bool {
        false
    }
}

struct Power(Arc<Books>);

#[async_trait]
impl Step for Power {
    fn name(&self) -> &'static str {
        "power"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let (pod, params) = restored(tx, job).await?;
        let kind = if params.start { CommandKind::Start } else { CommandKind::Stop };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await
    }

    fn cancellable(&self) -> bool {
        false
    }
}
