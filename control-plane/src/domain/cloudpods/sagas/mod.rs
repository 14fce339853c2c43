//! How pods are made, run and removed: one saga a file, reading top to bottom.
//!
//! A pod's row is what the steps share: a step reads there what the steps before it brought, so that it says the same
//! however often it is asked. What a pod holds is freed by one function, [`release_all`], and by the undos of `provision`,
//! and both run only behind a `Destroy` that an agent answered with *absent*.

mod adopt;
mod autostart;
mod backups;
mod capture;
mod destroy;
mod firewall;
mod media;
mod migrate;
mod migrate_orders;
mod migrate_undo;
mod network;
mod orphan;
mod password;
mod provision;
mod reboot;
mod rebuild;
mod rehome;
mod rescue;
mod resize;
mod restart;
mod restore;
mod running;
mod shutdown;
mod snapshots;
mod ssh_keys;
mod start;
mod stop;
mod suspend;
mod unsuspend;
mod vm;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{CloudPod, DesiredPower, State, store};
use crate::clock::Clock;
use crate::db::Tx;
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::backups::service::Service as Backups;
use crate::domain::firewall::service::Service as Firewalls;
use crate::domain::images::service::Service as Images;
use crate::domain::ipam::service::Service as Ipam;
use crate::domain::jobs::{AgentCommand, CommandKind, CommandOutput, End, Job, Power, Presence, Saga};
use crate::domain::scheduling::service::Service as Scheduling;
use crate::domain::secrets::service::Service as Secrets;
use crate::domain::servers::service::Service as Servers;
use crate::domain::snapshots::service::Service as Snapshots;
use crate::domain::tenants::quotas;
use crate::domain::traffic::service::Service as Traffic;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};

pub use adopt::AdoptParams;
pub use backups::BackupParams;
pub use capture::ImageParams;
pub use destroy::DestroyParams;
pub(super) use media::{MediaParams, not_in_rescue};
pub use migrate::MigrateParams;
pub use orphan::OrphanParams;
pub(super) use password::{PasswordParams, secret_name};
pub use reboot::RebootParams;
pub(super) use rebuild::{RebuildParams, template_on};
pub use rehome::RehomeParams;
pub(super) use rescue::{RescueParams, in_rescue};
pub(super) use resize::{ResizeParams, growth, size_of};
pub(super) use restart::RestartParams;
pub use restore::RestoreParams;
pub(super) use restore::{request_for, servers_seeing};
pub use shutdown::ShutdownParams;
pub use snapshots::{RollbackParams, SnapshotParams};
pub(super) use ssh_keys::SshKeysParams;
pub(super) use suspend::SuspendParams;

/// The job kinds of this slice.
pub mod kind {
    /// Makes a pod's VM and starts it.
    pub const PROVISION: &str = "provision";
    /// Starts it.
    pub const START: &str = "start";
    /// Cuts its power.
    pub const STOP: &str = "stop";
    /// Asks its guest to shut down.
    pub const SHUTDOWN: &str = "shutdown";
    /// Asks its guest to restart.
    pub const REBOOT: &str = "reboot";
    /// Locks it against its customer and powers it off.
    pub const SUSPEND: &str = "suspend";
    /// Gives it back to its customer.
    pub const UNSUSPEND: &str = "unsuspend";
    /// Changes its size.
    pub const RESIZE: &str = "resize";
    /// Moves it to another server.
    pub const MIGRATE: &str = "migrate";
    /// Makes its VM anew from another image.
    pub const REBUILD: &str = "rebuild";
    /// Sets a user's password.
    pub const RESET_PASSWORD: &str = "reset_password";
    /// Replaces its SSH keys.
    pub const SSH_KEYS: &str = "ssh_keys";
    /// Changes what is in its CD drive.
    pub const MEDIA: &str = "media";
    /// Starts it from a rescue CD.
    pub const RESCUE: &str = "rescue";
    /// Starts it from its disk again.
    pub const UNRESCUE: &str = "unrescue";
    /// Brings its firewall to its host.
    pub const FIREWALL: &str = "firewall";
    /// Removes it and frees what it held.
    pub const DESTROY: &str = "destroy";
    /// Takes a snapshot.
    pub const SNAPSHOT: &str = "snapshot";
    /// Goes back to one.
    pub const ROLLBACK: &str = "rollback";
    /// Deletes one.
    pub const DELETE_SNAPSHOT: &str = "delete_snapshot";
    /// Makes a backup.
    pub const BACKUP: &str = "backup";
    /// Deletes one.
    pub const DELETE_BACKUP: &str = "delete_backup";
    /// Takes the pod back to one.
    pub const RESTORE: &str = "restore";
    /// Makes a new pod of another one's backup.
    pub const RECREATE: &str = "recreate";
    /// Makes an image of it.
    pub const CAPTURE: &str = "capture";
    /// Removes such an image.
    pub const DELETE_IMAGE: &str = "delete_image";
    /// Has its VM start with its host, or not, as it is wanted.
    pub const AUTOSTART: &str = "autostart";
    /// Gives its VM the network cards again that it was given.
    pub const NETWORK: &str = "network";
    /// Makes a pod of a VM that is there.
    pub const ADOPT: &str = "adopt";
    /// Takes a pod's VM where it was found.
    pub const REHOME: &str = "rehome";
    /// Removes a VM that bears our stamp and is no pod's.
    pub const DESTROY_ORPHAN: &str = "destroy_orphan";
    /// Takes our stamp off a VM that is no pod's.
    pub const RELEASE_ORPHAN: &str = "release_orphan";
}

/// How long an agent may try a quick change: start, stop, a configuration.
const QUICK: Duration = Duration::from_mins(5);
/// What an agent gets on top of the time that its guest gets.
const BESIDE_GUEST: Duration = Duration::from_mins(1);

/// The services that the sagas need.
#[derive(Clone)]
pub struct Books {
    /// The time.
    pub clock: Clock,
    /// Hosts, reservations, VMIDs.
    pub servers: Arc<Servers>,
    /// Templates.
    pub images: Arc<Images>,
    /// Addresses.
    pub ipam: Arc<Ipam>,
    /// Placement.
    pub scheduling: Arc<Scheduling>,
    /// Snapshots.
    pub snapshots: Arc<Snapshots>,
    /// Opens what is sealed.
    pub secrets: Secrets,
    /// What may pass.
    pub firewalls: Arc<Firewalls>,
    /// What passed.
    pub traffic: Arc<Traffic>,
    /// What one move may use of the network, in MiB/s; 0: Proxmox's own limit.
    pub move_bandwidth_mibps: u64,
    /// Backups.
    pub backups: Arc<Backups>,
}

/// The sagas of this slice, for the engine.
#[must_use]
pub fn all(books: &Arc<Books>) -> Vec<Arc<dyn Saga>> {
    vec![
        Arc::new(provision::Provision::new(books)),
        Arc::new(start::Start::new(books)),
        Arc::new(stop::Stop::new(books)),
        Arc::new(shutdown::Shutdown::new(books)),
        Arc::new(reboot::Reboot::new(books)),
        Arc::new(migrate::Migrate::new(books)),
        Arc::new(destroy::Destroy::new(books)),
        Arc::new(snapshots::TakeSnapshot::new(books)),
        Arc::new(snapshots::Rollback::new(books)),
        Arc::new(snapshots::DeleteSnapshot::new(books)),
        Arc::new(suspend::Suspend::new(books)),
        Arc::new(unsuspend::Unsuspend::new(books)),
        Arc::new(resize::Resize::new(books)),
        Arc::new(rebuild::Rebuild::new(books)),
        Arc::new(password::ResetPassword::new(books)),
        Arc::new(ssh_keys::SshKeys::new(books)),
        Arc::new(media::SetMedia::new(books)),
        Arc::new(rescue::Rescue::begin(books)),
        Arc::new(rescue::Rescue::end(books)),
        Arc::new(backups::MakeBackup::new(books)),
        Arc::new(backups::DeleteBackup::new(books)),
        Arc::new(restore::Restore::new(books)),
        Arc::new(restore::Restore::anew(books)),
        Arc::new(firewall::SetFirewall::new(books)),
        Arc::new(capture::Capture::new(books)),
        Arc::new(capture::DeleteImage::new(books)),
        Arc::new(autostart::Autostart::new()),
        Arc::new(network::Network::new(books)),
        Arc::new(adopt::Adopt::new(books)),
        Arc::new(rehome::Rehome::new(books)),
        Arc::new(orphan::Orphan::destroy(books)),
        Arc::new(orphan::Orphan::release(books)),
    ]
}

/// What a job that changes the wanted power remembers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PowerParams {
    /// What was wanted before.
    pub was: DesiredPower,
}

/// The job's tenant, held until the transaction ends: before its pod is.
async fn tenant_of(tx: &mut Tx, job: &Job) -> Result<quotas::Held> {
    let none = || Error::internal(format!("job {} of kind {} names no tenant", job.id, job.kind));
    quotas::hold(tx, job.tenant.ok_or_else(none)?).await
}

/// The job's pod, held against other writers.
async fn pod_of(tx: &mut Tx, job: &Job) -> Result<CloudPod> {
    let id = job.pod.ok_or_else(|| Error::internal(format!("job {} of kind {} names no pod", job.id, job.kind)))?;
    let found = store::pod_lock(tx, Scope::Platform, id).await?;
    found.ok_or_else(|| Error::internal(format!("job {} is about the pod {id}, which does not exist", job.id)))
}

/// The job's pod, if its power may be changed.
async fn active_pod_of(tx: &mut Tx, job: &Job, wanted: &'static str) -> Result<CloudPod> {
    let pod = pod_of(tx, job).await?;
    pod.state.power_change(wanted)?;
    require_settled(&pod)?;
    Ok(pod)
}

/// The job's pod, if its VM is to be as it is wanted: also while it is suspended.
async fn kept_pod_of(tx: &mut Tx, job: &Job, wanted: &'static str) -> Result<CloudPod> {
    let pod = pod_of(tx, job).await?;
    if pod.state != State::Suspended {
        pod.state.power_change(wanted)?;
    }
    require_settled(&pod)?;
    Ok(pod)
}

/// Refuses to touch a VM of which it is not known on which server it is: the job that moves it comes first.
fn require_settled(pod: &CloudPod) -> Result<()> {
    match &pod.moving_to {
        None => Ok(()),
        Some(target) => Err(Error::conflict(
            "cloudpod_moving",
            format!(
                "a move of the pod {} to {} is not over, so that it is not certain where its VM is: see that its `migrate` job \
                 ends, and ask again",
                pod.name, target.name
            ),
        )),
    }
}

fn params_of<T: serde::de::DeserializeOwned>(job: &Job) -> Result<T> {
    serde_json::from_value(job.params.clone()).map_err(Error::internal)
}

/// An order about the pod's VM.
fn order(pod: &CloudPod, kind: CommandKind, timeout: Duration) -> Result<AgentCommand> {
    match (&pod.server, pod.vmid) {
        (Some(server), Some(vmid)) => Ok(AgentCommand { server: server.id, pod: pod.id, vmid, kind, timeout }),
        _ => Err(Error::conflict(
            "cloudpod_without_vm",
            format!("the pod {} has no VM to {}: delete the pod and create another one", pod.name, kind.name()),
        )),
    }
}

/// Stores a transition with its audit record and event, if it is one.
async fn state_store(tx: &mut Tx, books: &Books, job: &Job, pod: &CloudPod, to: State) -> Result<()> {
    if to == pod.state {
        return Ok(());
    }
    let now = books.clock.now();
    if !store::pod_state_set(tx, pod.id, pod.state.as_str(), &to, now).await? {
        return Err(Error::unavailable("the pod changed meanwhile; it is read anew"));
    }
    let detail = json!({ "name": pod.name, "before": pod.state.as_str(), "after": to.as_str(), "job_id": job.id,
                         "failure": if let State::Failed { cause } = &to { Some(cause) } else { None } });
    let action = format!("cloudpod.{}", to.as_str());
    let actor = Actor::system("engine");
    let record = Record {
        actor: &actor,
        tenant: Some(pod.tenant),
        action: &action,
        target_kind: "cloudpod",
        target_id: pod.id.to_string(),
    };
    audit_append(tx, now, record, &detail).await?;
    event_append(tx, now, Event { tenant: Some(pod.tenant), name: &action, subject: pod.id.to_string() }, &detail).await
}

/// Stores the power that a command of the pod's own brought.
async fn power_store(tx: &mut Tx, books: &Books, job: &Job, output: &CommandOutput) -> Result<()> {
    let pod = pod_of(tx, job).await?;
    store::pod_observe(tx, pod.id, output.power, books.clock.now()).await?;
    // It is off, or was and runs now: what waited for its next start is in effect.
    let (before, now) = (pod.observed_power, output.power);
    if now == Power::Stopped || (before, now) == (Power::Stopped, Power::Running) {
        restart::restarted(tx, books, &pod).await?;
    }
    Ok(())
}

/// Puts back what was wanted before a cancelled job.
async fn power_ended(tx: &mut Tx, books: &Books, job: &Job, end: &End) -> Result<()> {
    match end {
        End::Cancelled => {
            let PowerParams { was } = params_of(job)?;
            let pod = pod_of(tx, job).await?;
            store::pod_desire(tx, pod.id, was, books.clock.now()).await
        }
        // What was wanted stays wanted: a failure is shown with the job, and beside it what is observed.
        End::Succeeded | End::Failed(_) | End::Stuck(_) => Ok(()),
    }
}

/// Said where an undo gives up starting a guest again.
const UNSTARTED: &str = "it does not start: the log says why; put that right, and start it";

/// Whether the step is tried no more after this. An undo whose guest does not start ends then: nothing is held, and that it is
/// off is shown as drift, which a stuck job would excuse.
fn is_last_try(job: &Job) -> bool {
    job.attempt >= job.attempts_max
}

/// Refuses to go on unless the VM is certainly gone: nothing that it held may be freed before.
fn require_absent(pod: &CloudPod, output: &CommandOutput) -> Result<()> {
    if output.presence == Presence::Absent {
        return Ok(());
    }
    let vmid = output.vmid;
    Err(Error::retry(format!(
        "the agent does not say that the VM {vmid} of the pod {} is absent: what it holds stays held",
        pod.name
    )))
}

/// Frees all that a pod holds. Only to be called when its VM is known to be absent, or was never asked for.
async fn release_all(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<()> {
    books.snapshots.snapshots_forget(tx, pod.id).await?;
    books.ipam.addresses_release(tx, pod.id).await?;
    books.servers.vmid_release(tx, pod.id).await?;
    books.servers.reservation_release(tx, pod.id).await?;
    store::pod_unplace(tx, pod.id, books.clock.now()).await
}
