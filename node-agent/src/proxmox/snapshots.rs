//! Snapshots of a VM: each bears the stamp of the command that took it, so that a repeated command finds its own.

use proxmox_api::client::Client;
use serde::Deserialize;
use serde_json::{Value, json};

use super::amend::{stamp_of, stamped};
use super::error::{ErrorKind, PveError, Result};
use super::node::{Pve, upid_of};
use super::specs::Snapshot;
use super::stamp::Stamp;
use super::types::{Begun, Presence, Request, Target};
use super::wire::{Flag, List, Num, Text, encode};

/// Proxmox's name for the present.
const CURRENT: &str = "current";

/// An entry of `/nodes/N/qemu/V/snapshot`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SnapshotEntry {
    name: Text,
    description: Text,
    snaptime: Num,
    vmstate: Flag,
    parent: Text,
}

impl SnapshotEntry {
    fn is(&self, name: &str) -> bool {
        self.name.0.as_deref() == Some(name)
    }
}

impl Pve {
    async fn snapshot_entries(&self, vmid: u32) -> Result<Vec<SnapshotEntry>> {
        let path = self.path(&format!("/qemu/{vmid}/snapshot")).await?;
        let mut entries: List<SnapshotEntry> = self.client.read(&path).await?;
        entries.0.retain(|entry| entry.name.0.is_some() && !entry.is(CURRENT));
        Ok(entries.0)
    }

    /// All snapshots of a VM.
    pub(super) async fn snapshots(&self, vmid: u32) -> Result<Vec<Snapshot>> {
        let entries = self.snapshot_entries(vmid).await?.into_iter();
        let snapshots = entries.map(|entry| Snapshot {
            description: Stamp::without(&entry.description.or_empty()),
            created_ms: (entry.snaptime.whole() as i64).saturating_mul(1000),
            memory: entry.vmstate.is_set(),
            parent: entry.parent.0.filter(|parent| !parent.is_empty()),
            name: entry.name.or_empty(),
        });
        Ok(snapshots.collect())
    }

    pub(super) async fn snapshot_begin(
        &self,
        request: &Request,
        name: &str,
        description: &str,
        memory: bool,
    ) -> Result<Begun> {
        let vmid = request.target.vmid;
        self.own_state(request.target).await?;
        let entries = self.snapshot_entries(vmid).await?;
        if let Some(entry) = entries.into_iter().find(|entry| entry.is(name)) {
            if Stamp::find(&entry.description.or_empty()) != Some(stamp_of(request)) {
                let text = format!("VM {vmid} has a snapshot {name} already, which another command or a person took");
                return Err(PveError::new(ErrorKind::Refused, text).with_presence(Presence::Present));
            }
            // It is listed as soon as it is begun.
            return self.ended_unless_locked(vmid, "snapshot", &["qmsnapshot"]).await;
        }
        let path = self.path(&format!("/qemu/{vmid}/snapshot")).await?;
        let body = json!({
            "snapname": name,
            "description": stamped(description, request),
            "vmstate": u8::from(memory),
        });
        Ok(Begun::Task(upid_of(&self.client.post::<_, String>(&path, &body).await?)?))
    }

    /// What an operation made is there. It is done, unless its task still runs or was killed and left its lock.
    pub(super) async fn ended_unless_locked(&self, vmid: u32, lock: &str, kinds: &[&str]) -> Result<Begun> {
        if self.vm_config(vmid).await?.lock().as_deref() != Some(lock) {
            return Ok(Begun::Done);
        }
        if let Some(upid) = self.running_task(vmid, kinds).await? {
            return Ok(Begun::Task(upid));
        }
        // It may have ended since.
        if self.vm_config(vmid).await?.lock().as_deref() != Some(lock) {
            return Ok(Begun::Done);
        }
        Err(left_locked(vmid, lock))
    }

    pub(super) async fn rollback_begin(&self, target: Target, name: &str, start: bool) -> Result<Begun> {
        let vmid = target.vmid;
        self.own_state(target).await?;
        if !self.snapshot_entries(vmid).await?.iter().any(|entry| entry.is(name)) {
            let text = format!("VM {vmid} has no snapshot {name}");
            return Err(PveError::new(ErrorKind::NotFound, text).with_presence(Presence::Present));
        }
        if let Some(upid) = self.running_task(vmid, &["qmrollback"]).await? {
            return Ok(Begun::Step(upid));
        }
        let path = self.path(&format!("/qemu/{vmid}/snapshot/{}/rollback", encode(name))).await?;
        let body = if start { json!({ "start": 1 }) } else { Value::Null };
        Ok(Begun::Task(upid_of(&self.client.post::<_, String>(&path, &body).await?)?))
    }

    pub(super) async fn snapshot_delete_begin(&self, target: Target, name: &str) -> Result<Begun> {
        let vmid = target.vmid;
        let state = self.vm_state(vmid).await?;
        if state.presence == Presence::Absent {
            return Ok(Begun::Done);
        }
        Self::check_stamp(target, &state)?;
        if let Some(upid) = self.running_task(vmid, &["qmdelsnapshot"]).await? {
            return Ok(Begun::Step(upid));
        }
        if !self.snapshot_entries(vmid).await?.iter().any(|entry| entry.is(name)) {
            return Ok(Begun::Done);
        }
        let path = self.path(&format!("/qemu/{vmid}/snapshot/{}", encode(name))).await?;
        Ok(Begun::Task(upid_of(&self.client.delete::<_, String>(&path, &()).await?)?))
    }
}

/// The lock that a killed task left: no token may remove it.
pub(super) fn left_locked(vmid: u32, lock: &str) -> PveError {
    let text = format!(
        "VM is locked ({lock}): no task of that kind runs on VM {vmid}, so it was killed; look at the VM and unlock it on the host \
         with: qm unlock {vmid}"
    );
    PveError::new(ErrorKind::Locked, text).with_presence(Presence::Present)
}
