//! Making a VM from a template, once.

use proxmox_api::nodes::node::qemu::vmid::clone::{NewidInt, PostParams};

use super::error::{ErrorKind, PveError, Result};
use super::node::{Pve, upid_of};
use super::ops::orphaned_clone;
use super::stamp::Stamp;
use super::tasks::CloneRunning;
use super::types::{Begun, CloneSpec, Presence, Request};
use super::upid::Upid;
use super::wire::VmConfig;

/// What Proxmox writes as the description of a VM whose clone has only begun: our own description follows with the first disk.
const BEGUN_MARK: &str = "qmclone temporary file";

impl Pve {
    pub(super) async fn clone_begin(&self, request: &Request, spec: &CloneSpec) -> Result<Begun> {
        match self.vm_config(request.target.vmid).await {
            Ok(config) => return self.clone_found(request, spec, &config).await,
            Err(error) if error.says_no_such_vm() => {}
            Err(error) => return Err(error),
        }
        match self.clone_post(request, spec, spec.full).await {
            Ok(upid) => Ok(Begun::Task(upid)),
            Err(error) if error.kind == ErrorKind::VmidTaken => match self.vm_config(request.target.vmid).await {
                Ok(config) => self.clone_found(request, spec, &config).await,
                // On another node of the cluster, or a container.
                Err(missing) if missing.says_no_such_vm() => Err(error.with_presence(Presence::Present)),
                Err(unclear) => Err(unclear),
            },
            Err(error) if !spec.full && is_no_linked_clone(&error) => {
                tracing::info!(vmid = request.target.vmid, "this storage makes no linked clones; making a full one");
                self.clone_post(request, spec, true).await.map(Begun::Task)
            }
            Err(error) => Err(error),
        }
    }

    async fn clone_post(&self, request: &Request, spec: &CloneSpec, full: bool) -> Result<Upid> {
        let stamp = Stamp { pod_id: request.target.pod_id, command_id: Some(request.command_id) };
        let newid = NewidInt::try_from(i128::from(request.target.vmid)).map_err(|_| {
            PveError::new(ErrorKind::BadParameter, format!("the VMID {} is out of range", request.target.vmid))
        })?;
        let params = PostParams {
            description: Some(stamp.to_string()),
            full: Some(full),
            name: Some(spec.name.clone()),
            pool: spec.pool.clone(),
            // Proxmox refuses a storage for a linked clone.
            storage: spec.storage.clone().filter(|_| full && spec.full),
            ..PostParams::new(newid)
        };
        let answer = self.vm(spec.template_vmid).await?.clone().post(params).await;
        let upid = answer.and_then(|upid| upid_of(&upid).map_err(|error| PveError { is_open: true, ..error }));
        self.clone_called(request.target.vmid, upid.as_ref());
        upid
    }

    /// There is a VM at the VMID: is it the one we want, on its way, or somebody else's?
    async fn clone_found(&self, request: &Request, spec: &CloneSpec, config: &VmConfig) -> Result<Begun> {
        let vmid = request.target.vmid;
        let is_clone_locked = config.lock().as_deref() == Some("clone");
        let is_just_begun = is_just_begun(config);
        let is_ours = config.stamp().is_some_and(|stamp| stamp.pod_id == request.target.pod_id);
        if !is_ours && !is_just_begun {
            let name = config.get("name").unwrap_or_else(|| "without a name".to_owned());
            let text = format!("the VMID {vmid} is taken by another VM ({name})");
            return Err(PveError::new(ErrorKind::VmidTaken, text).with_presence(Presence::Present));
        }
        if is_clone_locked {
            return match self.clone_running(Some(spec.template_vmid), vmid).await? {
                CloneRunning::Yes(upid) => Ok(Begun::Task(upid)),
                CloneRunning::Unclear => Err(unclear_clone(vmid).with_presence(Presence::Present)),
                // It may have ended since its configuration was read.
                CloneRunning::No => self.clone_left(request, spec, is_ours).await,
            };
        }
        self.clone_complete(vmid, spec, config).await
    }

    /// The VM was locked by a clone and no clone of ours runs (any more).
    async fn clone_left(&self, request: &Request, spec: &CloneSpec, was_ours: bool) -> Result<Begun> {
        let vmid = request.target.vmid;
        let config = match self.vm_config(vmid).await {
            Ok(config) => config,
            Err(error) if error.says_no_such_vm() => {
                let text = format!("a clone to VM {vmid} has just failed and was cleaned up");
                return Err(PveError::new(ErrorKind::Locked, text));
            }
            Err(error) => return Err(error),
        };
        let is_ours = config.stamp().is_some_and(|stamp| stamp.pod_id == request.target.pod_id);
        match (config.lock().as_deref() == Some("clone"), is_ours) {
            (false, true) => self.clone_complete(vmid, spec, &config).await,
            (true, true) => Err(orphaned_clone(vmid)),
            (_, false) if was_ours => Err(orphaned_clone(vmid)),
            (_, false) => {
                let text = format!("the VMID {vmid} is taken by another clone, or by what a killed one left behind");
                Err(PveError::new(ErrorKind::VmidTaken, text).with_presence(Presence::Present))
            }
        }
    }

    /// The VM is ours and unlocked. It is done, unless somebody took the lock off a clone that had been killed midway.
    async fn clone_complete(&self, vmid: u32, spec: &CloneSpec, config: &VmConfig) -> Result<Begun> {
        let template = match self.vm_config(spec.template_vmid).await {
            Ok(template) => template,
            // The template may be gone by now: the VM stands on its own.
            Err(error) if error.says_no_such_vm() => return Ok(Begun::Done),
            Err(error) => return Err(error),
        };
        match template.boot_disk() {
            Some((key, _)) if config.get(&key).is_none() => {
                let text = format!(
                    "VM {vmid} was unlocked before its clone was complete: it lacks the disk {key}; destroy it and make it anew"
                );
                Err(PveError::new(ErrorKind::TaskFailed, text).with_presence(Presence::Present))
            }
            Some(_) | None => Ok(Begun::Done),
        }
    }
}

/// A clone that has written nothing yet but its claim: nobody can tell whose it is.
pub(super) fn is_just_begun(config: &VmConfig) -> bool {
    let description = config.description();
    let is_bare = description.trim().is_empty() && config.get("name").is_none() && config.disks().is_empty();
    config.lock().as_deref() == Some("clone") && (is_bare || description.trim() == BEGUN_MARK)
}

/// A clone runs of which nobody can tell whether it makes this VM.
pub(super) fn unclear_clone(vmid: u32) -> PveError {
    let text = format!("VM is locked (clone): a clone has just begun and does not tell yet whether it makes VM {vmid}");
    PveError::new(ErrorKind::Locked, text)
}

fn is_no_linked_clone(error: &PveError) -> bool {
    error.status == Some(500) && error.message.contains("Linked clone feature is not supported")
}
