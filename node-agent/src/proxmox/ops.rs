//! Power, disk size and removal of a VM that exists.

use std::time::Duration;

use proxmox_api::nodes::node::qemu::vmid::{DeleteParams, resize, status};
use tokio::time::{Instant, sleep_until};

use super::backups::left_of_restore;
use super::clone::{is_just_begun, unclear_clone};
use super::error::{ErrorKind, PveError, Result};
use super::node::{Pve, upid_of};
use super::tasks::CloneRunning;
use super::types::{Begun, Operation, Power, Presence, Request, Target, VmState, Watch};
use super::upid::Upid;
use super::wire::disk_bytes;

/// How often a VM's power is asked while it is waited for.
const POWER_POLL_FIRST: Duration = Duration::from_millis(100);
const POWER_POLL_MAX: Duration = Duration::from_secs(2);

impl Pve {
    pub(super) async fn start_begin(&self, target: Target) -> Result<Begun> {
        let state = self.own_state(target).await?;
        let vm = self.vm(target.vmid).await?.status();
        let upid = match state.power {
            Power::Running => return Ok(Begun::Done),
            Power::Paused => vm.resume().post(status::resume::PostParams::default()).await?,
            Power::Stopped | Power::Unknown => vm.start().post(status::start::PostParams::default()).await?,
        };
        Ok(Begun::Task(upid_of(&upid)?))
    }

    pub(super) async fn stop_begin(&self, target: Target) -> Result<Begun> {
        let state = self.own_state(target).await?;
        if state.power == Power::Stopped {
            return Ok(Begun::Done);
        }
        Ok(Begun::Task(self.stop_now(target.vmid).await?))
    }

    async fn stop_now(&self, vmid: u32) -> Result<Upid> {
        let upid = self.vm(vmid).await?.status().stop().post(status::stop::PostParams::default()).await?;
        upid_of(&upid)
    }

    pub(super) async fn shutdown_begin(&self, target: Target, timeout_s: u64, force: bool) -> Result<Begun> {
        let state = self.own_state(target).await?;
        match state.power {
            Power::Stopped => return Ok(Begun::Done),
            // A guest that is held cannot shut itself down, and Proxmox refuses to ask it.
            Power::Paused if force => return Ok(Begun::Task(self.stop_now(target.vmid).await?)),
            Power::Paused | Power::Running | Power::Unknown => {}
        }
        let params = status::shutdown::PostParams {
            timeout: Some(timeout_s.max(1)),
            forcestop: force.then_some(true),
            ..Default::default()
        };
        let upid = self.vm(target.vmid).await?.status().shutdown().post(params).await?;
        Ok(Begun::Task(upid_of(&upid)?))
    }

    pub(super) async fn reboot_begin(&self, target: Target, timeout_s: u64) -> Result<Begun> {
        self.own_state(target).await?;
        let params = status::reboot::PostParams { timeout: Some(timeout_s.max(1)), ..Default::default() };
        let upid = self.vm(target.vmid).await?.status().reboot().post(params).await?;
        Ok(Begun::Task(upid_of(&upid)?))
    }

    pub(super) async fn resize_begin(&self, target: Target, disk: Option<&str>, size_gib: u64) -> Result<Begun> {
        let missing = |text: String| PveError::new(ErrorKind::NotFound, text).with_presence(Presence::Present);
        self.own_state(target).await?;
        let config = self.vm_config(target.vmid).await?;
        let (key, setting) = match disk {
            Some(key) => config
                .disks()
                .into_iter()
                .find(|(found, _)| found == key)
                .ok_or_else(|| missing(format!("VM {} has no disk {key}", target.vmid)))?,
            None => {
                config.boot_disk().ok_or_else(|| missing(format!("VM {} has no disk to boot from", target.vmid)))?
            }
        };
        if size_gib == 0 || disk_bytes(&setting).is_some_and(|bytes| bytes >= size_gib << 30) {
            return Ok(Begun::Done);
        }
        let refuse =
            |e: String| PveError::new(ErrorKind::BadParameter, format!("the disk {key} cannot be resized: {e}"));
        let drive = resize::Disk::try_from(key.as_str()).map_err(refuse)?;
        let size = resize::SizeStr::try_from(format!("{size_gib}G")).map_err(|e| refuse(format!("{e:?}")))?;
        let upid = self.vm(target.vmid).await?.resize().put(resize::PutParams::new(drive, size)).await?;
        Ok(Begun::Task(upid_of(&upid)?))
    }

    pub(super) async fn destroy_begin(&self, target: Target) -> Result<Begun> {
        let mut state = self.vm_state(target.vmid).await?;
        if state.presence == Presence::Absent {
            return self.destroyed_unless_cloned(target.vmid).await;
        }
        if state.lock.as_deref() == Some("clone") && state.stamp.is_none() {
            self.refuse_just_begun(target.vmid).await?;
            // It has its stamp by now, or is somebody else's.
            state = self.vm_state(target.vmid).await?;
            if state.presence == Presence::Absent {
                return self.destroyed_unless_cloned(target.vmid).await;
            }
        }
        if state.lock.as_deref() == Some("create") {
            self.refuse_restoring(target, &state).await?;
        }
        if !self.is_left_bare(target.vmid, &state).await? {
            Self::check_stamp(target, &state)?;
        }
        if matches!(state.power, Power::Running | Power::Paused) {
            return Ok(Begun::Step(self.stop_now(target.vmid).await?));
        }
        if state.lock.as_deref() == Some("clone") {
            return Err(orphaned_clone(target.vmid));
        }
        // Not what else bears its number: on a storage that hosts of another cluster see too, that may be another VM's disk.
        let params = DeleteParams { purge: Some(true), ..Default::default() };
        match self.vm(target.vmid).await?.delete(params).await {
            Ok(upid) => Ok(Begun::Task(upid_of(&upid)?)),
            // Removed by somebody else in between.
            Err(error) if error.says_no_such_vm() => Ok(Begun::Done),
            Err(error) if error.message.contains("protection mode enabled") => {
                Err(PveError { kind: ErrorKind::Refused, presence: Presence::Present, ..error })
            }
            // Started by somebody else in between: the next try stops it again.
            Err(error) if error.message.contains("is running - destroy failed") => {
                Err(PveError { kind: ErrorKind::Locked, presence: Presence::Present, ..error })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether there is nothing but what a restore of ours has left.
    async fn is_left_bare(&self, vmid: u32, state: &VmState) -> Result<bool> {
        if state.stamp.is_some() || state.name.is_some() || state.lock.is_some() || state.other_node.is_some() {
            return Ok(false);
        }
        match self.vm_config(vmid).await {
            Ok(config) => self.is_left_of_restore(vmid, &config).await,
            // The call to remove it will tell.
            Err(error) if error.says_no_such_vm() => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// There is no VM. It may be that a clone which was called off has just come to run and has not made it yet.
    async fn destroyed_unless_cloned(&self, vmid: u32) -> Result<Begun> {
        match self.clone_running(None, vmid).await? {
            CloneRunning::No => Ok(Begun::Done),
            CloneRunning::Unclear => Err(unclear_clone(vmid)),
            CloneRunning::Yes(upid) => {
                let text = format!("VM is locked (clone): VM {vmid} is being made by {upid}");
                Err(PveError { upid: Some(upid), ..PveError::new(ErrorKind::Locked, text) })
            }
        }
    }

    /// A clone that has just begun, or was killed as soon, bears no stamp yet: it is not known to be somebody else's.
    async fn refuse_just_begun(&self, vmid: u32) -> Result<()> {
        let config = match self.vm_config(vmid).await {
            Ok(config) => config,
            Err(error) if error.says_no_such_vm() => {
                return Err(PveError::new(
                    ErrorKind::Locked,
                    format!("a clone to VM {vmid} has just failed and was cleaned up"),
                ));
            }
            Err(error) => return Err(error),
        };
        if !is_just_begun(&config) {
            return Ok(());
        }
        match self.clone_running(None, vmid).await? {
            CloneRunning::No => Err(orphaned_clone(vmid)),
            CloneRunning::Unclear => Err(unclear_clone(vmid).with_presence(Presence::Present)),
            CloneRunning::Yes(upid) => {
                let text = format!("VM is locked (clone): VM {vmid} is being made by {upid}");
                let error = PveError { upid: Some(upid), ..PveError::new(ErrorKind::Locked, text) };
                Err(error.with_presence(Presence::Present))
            }
        }
    }

    /// A restore of ours holds the VM, or did and was killed.
    async fn refuse_restoring(&self, target: Target, state: &VmState) -> Result<()> {
        let vmid = target.vmid;
        if let Some(upid) = self.running_task(vmid, &["qmrestore"]).await? {
            let text = format!("VM is locked (create): VM {vmid} is being restored by {upid}");
            let error = PveError { upid: Some(upid), ..PveError::new(ErrorKind::Locked, text) };
            return Err(error.with_presence(Presence::Present));
        }
        let is_bare = state.stamp.is_none() && state.name.is_none();
        let is_ours = state.stamp.is_some_and(|stamp| stamp.pod_id == target.pod_id);
        if is_bare || is_ours { Err(left_of_restore(vmid)) } else { Ok(()) }
    }

    /// After a task that ended well: what it was for must be so. A clone must bear our stamp (it may have been joined by its VMID
    /// alone), a destroyed VM must be gone, and one that was rebooted must run: Proxmox ends that task when the guest is off.
    pub(super) async fn verify_effect(&self, request: &Request, upid: &Upid, watch: &Watch<'_>) -> Result<()> {
        match &request.operation {
            Operation::Clone(_) => {
                let state = self.vm_state(request.target.vmid).await?;
                Self::check_stamp(request.target, &state).map_err(|error| match error.kind {
                    ErrorKind::ForeignVm => PveError { kind: ErrorKind::VmidTaken, ..error },
                    _ => error,
                })
            }
            Operation::Destroy if upid.kind() == "qmdestroy" => {
                let state = self.vm_state(request.target.vmid).await?;
                if state.presence == Presence::Absent {
                    return Ok(());
                }
                let text = format!("Proxmox removed VM {} and it is still there", request.target.vmid);
                Err(PveError::new(ErrorKind::TaskFailed, text).with_presence(state.presence))
            }
            Operation::Reboot { .. } => match self.power_wait(request.target, Power::Running, watch).await {
                Ok(_) => Ok(()),
                Err(error) if error.kind == ErrorKind::Deadline => {
                    let message = format!("the guest was shut down and did not come back: {error}");
                    Err(PveError { message, ..error })
                }
                Err(error) => Err(error),
            },
            Operation::Destroy
            | Operation::Configure(_)
            | Operation::ResizeDisk { .. }
            | Operation::Start
            | Operation::Stop
            | Operation::Shutdown { .. }
            | Operation::SetOptions(_)
            | Operation::SetPassword { .. }
            | Operation::TakeSnapshot { .. }
            | Operation::Rollback { .. }
            | Operation::DeleteSnapshot { .. }
            | Operation::MakeBackup { .. }
            | Operation::RestoreBackup { .. }
            | Operation::DeleteBackup { .. }
            | Operation::Migrate(_)
            | Operation::RemoteMigrate(_)
            | Operation::MakeTemplate
            | Operation::SetMedia { .. }
            | Operation::SetFirewall(_)
            | Operation::Adopt
            | Operation::Release => Ok(()),
        }
    }

    pub(super) async fn power_wait(&self, target: Target, power: Power, watch: &Watch<'_>) -> Result<VmState> {
        let mut pause = POWER_POLL_FIRST;
        // What the last look that was answered found; the deadline may pass in the middle of the next one.
        let mut last: Option<VmState> = None;
        loop {
            let look = async {
                match self.own_state(target).await {
                    Ok(state) => Ok(Some(state)),
                    Err(error) if error.is_transient() => Ok(None),
                    Err(error) => Err(error),
                }
            };
            let looked = tokio::select! {
                biased;
                () = watch.cancel.cancelled() => return Err(PveError::new(ErrorKind::Cancelled, "cancelled while waiting for the VM's power")),
                () = sleep_until(watch.deadline) => None,
                looked = look => looked?,
            };
            match looked {
                Some(state) if state.power == power => return Ok(state),
                Some(state) => last = Some(state),
                None => {}
            }
            if Instant::now() + pause >= watch.deadline {
                let presence = last.as_ref().map_or(Presence::Unknown, |state| state.presence);
                let found = last.map_or("not known".to_owned(), |state| format!("{:?}", state.power).to_lowercase());
                let text = format!("VM {} is not {power:?} in time; its power is {found}", target.vmid);
                return Err(PveError::new(ErrorKind::Deadline, text).with_presence(presence));
            }
            tokio::select! {
                biased;
                () = watch.cancel.cancelled() => {}
                () = sleep_until(Instant::now() + pause) => {}
            }
            pause = (pause * 3 / 2).min(POWER_POLL_MAX);
        }
    }
}

/// The lock that a killed clone leaves behind. No token may remove it, not even root's.
pub(super) fn orphaned_clone(vmid: u32) -> PveError {
    let text = format!(
        "VM is locked (clone): VM {vmid} is being cloned, or its clone was killed; if no clone of it runs, remove what is left of it \
         on the host with: qm destroy {vmid} --skiplock --purge"
    );
    PveError::new(ErrorKind::Locked, text).with_presence(Presence::Present)
}
