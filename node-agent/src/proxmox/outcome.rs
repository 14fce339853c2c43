//! What is told of a VM after an operation, and what is only looked at.

use super::amend::stamp_of;
use super::error::{ErrorKind, PveError, Result};
use super::node::Pve;
use super::specs::{Look, Outcome, RemoteSpec};
use super::types::{Operation, Power, Presence, Request, Target, VmState};

impl Pve {
    /// See [`super::Hypervisor::outcome`].
    pub(super) async fn outcome_of(&self, request: &Request) -> Result<Outcome> {
        let vmid = request.target.vmid;
        match &request.operation {
            Operation::Migrate(spec) => return self.moved(request.target, &spec.target_node).await,
            Operation::RemoteMigrate(spec) => return self.moved_away(request.target, spec).await,
            _ => {}
        }
        let mut outcome = Outcome::from(self.vm_state(vmid).await?);
        let is_here = outcome.state.presence == Presence::Present && outcome.state.other_node.is_none();
        match &request.operation {
            Operation::TakeSnapshot { .. } | Operation::Rollback { .. } | Operation::DeleteSnapshot { .. }
                if is_here =>
            {
                outcome.snapshots = self.snapshots(vmid).await?;
            }
            Operation::MakeBackup { storage, .. } => {
                outcome.backups.extend(self.backup_made(request, storage).await?);
                if outcome.backups.is_empty() {
                    let text = format!("the backup of VM {vmid} is not on {storage} any more, or bears other notes");
                    return Err(PveError::new(ErrorKind::TaskFailed, text).with_presence(outcome.state.presence));
                }
            }
            // The stamp came with the restore itself; another one there says that another restore came in between.
            Operation::RestoreBackup { volid, .. } if outcome.state.stamp != Some(stamp_of(request)) => {
                let text = format!("VM {vmid} is not what this command restored from {volid}");
                return Err(PveError::new(ErrorKind::TaskFailed, text).with_presence(outcome.state.presence));
            }
            Operation::Configure(_) | Operation::SetOptions(_) | Operation::SetMedia { .. } => {
                outcome.restart_needed = self.restart_needed(&outcome, vmid).await?;
            }
            Operation::SetFirewall(spec) => {
                outcome.restart_needed = self.restart_needed(&outcome, vmid).await?;
                outcome.warnings.extend(self.firewall_warning(spec).await?);
            }
            _ => {}
        }
        Ok(outcome)
    }

    /// After a move to another cluster: the VM is not here any more, and is there.
    async fn moved_away(&self, target: Target, spec: &RemoteSpec) -> Result<Outcome> {
        match self.vm_config(target.vmid).await {
            Err(error) if error.says_no_such_vm() => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let text = format!("Proxmox moved VM {} and it is still here", target.vmid);
                return Err(PveError::new(ErrorKind::TaskFailed, text).with_presence(Presence::Present));
            }
        }
        if spec.token.reveal().is_empty() {
            // After the agent's restart the token is not known any more; that the task ended well is.
            return Ok(Outcome::from(VmState { presence: Presence::Absent, ..VmState::default() }));
        }
        self.remote_found(target, spec).await
    }

    async fn restart_needed(&self, outcome: &Outcome, vmid: u32) -> Result<bool> {
        // What is set while a VM is off is in effect at once.
        Ok(matches!(outcome.state.power, Power::Running | Power::Paused) && self.has_pending(vmid).await?)
    }

    /// See [`super::Hypervisor::look`].
    pub(super) async fn look_at(&self, target: Target, look: &Look) -> Result<Outcome> {
        match look {
            Look::Snapshots => {
                let state = self.own_state(target).await?;
                Ok(Outcome { snapshots: self.snapshots(target.vmid).await?, ..Outcome::from(state) })
            }
            Look::Backups { storage } => {
                let backups = self.backups(storage, target.pod_id).await?;
                // The VM may be gone; it is told as far as it can be seen.
                let state = self.vm_state(target.vmid).await.unwrap_or_default();
                Ok(Outcome { backups, ..Outcome::from(state) })
            }
            Look::CheckMigrate(spec) => self.migrate_check(target, spec).await.map(Outcome::from),
        }
    }
}

impl Operation {
    /// Whether its outcome is asked for until it is told: without it the answer would lack what the operation was for.
    pub fn must_be_told(&self) -> bool {
        match self {
            Self::Clone(_)
            | Self::ResizeDisk { .. }
            | Self::Start
            | Self::Stop
            | Self::Shutdown { .. }
            | Self::Reboot { .. }
            | Self::Destroy
            | Self::SetPassword { .. }
            | Self::DeleteBackup { .. }
            | Self::MakeTemplate
            | Self::Adopt
            | Self::Release => false,
            Self::Configure(_)
            | Self::SetOptions(_)
            | Self::TakeSnapshot { .. }
            | Self::Rollback { .. }
            | Self::DeleteSnapshot { .. }
            | Self::MakeBackup { .. }
            | Self::RestoreBackup { .. }
            | Self::Migrate(_)
            | Self::RemoteMigrate(_)
            | Self::SetMedia { .. }
            | Self::SetFirewall(_) => true,
        }
    }

    /// Whether it may be begun again after a task of it was found: it is not known whether that was its last task, and beginning finds
    /// out. A reboot would be done twice, and a guest that went back to a snapshot would lose what it did since.
    pub fn is_repeatable(&self) -> bool {
        !matches!(self, Self::Reboot { .. } | Self::Rollback { .. })
    }
}
