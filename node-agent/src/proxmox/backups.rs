//! Backups: each bears in its notes the stamp of the pod and of the command that made it.

use proxmox_api::client::Client;
use proxmox_api::nodes::node::qemu::vmid::DeleteParams;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::amend::{stamp_of, stamped};
use super::error::{ErrorKind, PveError, Result};
use super::node::{Pve, upid_of};
use super::specs::{Backup, BackupMode, Volume};
use super::stamp::Stamp;
use super::types::{Begun, Operation, Power, Presence, Progress, Request, Target};
use super::verdict::failure_of;
use super::wire::{Flag, List, Num, Text, VmConfig, encode};

/// An entry of `/nodes/N/storage/S/content`. Of the notes Proxmox tells the first line, which is the stamp.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ContentEntry {
    pub volid: Text,
    pub content: Text,
    pub size: Num,
    pub ctime: Num,
    pub notes: Text,
    pub protected: Flag,
}

#[derive(Serialize)]
struct ContentQuery<'a> {
    content: Option<&'a str>,
    vmid: Option<u32>,
}

impl ContentEntry {
    fn created_ms(&self) -> i64 {
        (self.ctime.whole() as i64).saturating_mul(1000)
    }

    fn stamp(&self) -> Option<Stamp> {
        Stamp::find(self.notes.0.as_deref().unwrap_or_default())
    }

    fn backup(self) -> Option<Backup> {
        let stamp = self.stamp()?;
        Some(Backup {
            created_ms: self.created_ms(),
            size_bytes: self.size.whole(),
            volid: self.volid.0?,
            pod_id: stamp.pod_id,
            command_id: stamp.command_id,
        })
    }
}

impl Pve {
    pub(super) async fn content(
        &self,
        storage: &str,
        content: Option<&str>,
        vmid: Option<u32>,
    ) -> Result<Vec<ContentEntry>> {
        let path = self.path(&format!("/storage/{}/content", encode(storage))).await?;
        self.client.get::<_, List<ContentEntry>>(&path, &ContentQuery { content, vmid }).await.map(|list| list.0)
    }

    /// What there is on a storage, or on all of the node that are active.
    pub(super) async fn volumes(&self, storage: Option<&str>, content: &str) -> Result<Vec<Volume>> {
        let storages = match storage {
            Some(storage) => vec![storage.to_owned()],
            None => self.storage_list().await?.into_iter().filter(|s| s.active).map(|s| s.name).collect(),
        };
        let content = Some(content).filter(|content| !content.is_empty());
        let mut volumes = Vec::new();
        for storage in storages {
            let entries = self.content(&storage, content, None).await?.into_iter();
            volumes.extend(entries.filter_map(|entry| {
                Some(Volume {
                    created_ms: entry.created_ms(),
                    size_bytes: entry.size.whole(),
                    content: entry.content.or_empty(),
                    volid: entry.volid.0?,
                })
            }));
        }
        volumes.sort_by(|a, b| a.volid.cmp(&b.volid));
        Ok(volumes)
    }

    /// All of a pod's backups on a storage, the oldest first.
    pub(super) async fn backups(&self, storage: &str, pod_id: Uuid) -> Result<Vec<Backup>> {
        let entries = self.content(storage, Some("backup"), None).await?.into_iter();
        let mut backups: Vec<Backup> =
            entries.filter_map(ContentEntry::backup).filter(|backup| backup.pod_id == pod_id).collect();
        backups.sort_by(|a, b| (a.created_ms, &a.volid).cmp(&(b.created_ms, &b.volid)));
        Ok(backups)
    }

    /// The backup that this command made.
    pub(super) async fn backup_made(&self, request: &Request, storage: &str) -> Result<Option<Backup>> {
        let backups = self.backups(storage, request.target.pod_id).await?;
        Ok(backups.into_iter().find(|backup| backup.command_id == Some(request.command_id)))
    }

    pub(super) async fn backup_begin(
        &self,
        request: &Request,
        storage: &str,
        mode: BackupMode,
        protected: bool,
    ) -> Result<Begun> {
        let vmid = request.target.vmid;
        self.own_state(request.target).await?;
        // One that runs may be this command's of before a crash: whose it is its notes tell when it has ended.
        if let Some(upid) = self.running_task(vmid, &["vzdump"]).await? {
            return Ok(Begun::Step(upid));
        }
        if self.backup_made(request, storage).await?.is_some() {
            return Ok(Begun::Done);
        }
        let mode = match mode {
            BackupMode::Snapshot => "snapshot",
            BackupMode::Suspend => "suspend",
            BackupMode::Stop => "stop",
        };
        let body = json!({
            "vmid": vmid.to_string(),
            "storage": storage,
            "mode": mode,
            "compress": "zstd",
            "protected": u8::from(protected),
            // How many are kept is the control plane's to say.
            "remove": 0,
            // One line without variables and backslashes: it needs no escaping, and lists tell no more than the first line.
            "notes-template": stamp_of(request).to_string(),
        });
        let path = self.path("/vzdump").await?;
        Ok(Begun::Task(upid_of(&self.client.post::<_, String>(&path, &body).await?)?))
    }

    pub(super) async fn backup_delete_begin(&self, target: Target, volid: &str) -> Result<Begun> {
        let storage = storage_of(volid)?;
        let entries = self.content(storage, Some("backup"), None).await?;
        let none_listed = entries.is_empty();
        let Some(entry) = entries.into_iter().find(|entry| entry.volid.0.as_deref() == Some(volid)) else {
            if none_listed {
                self.require_gone(storage, volid).await?;
            }
            return Ok(Begun::Done);
        };
        if entry.stamp().is_none_or(|stamp| stamp.pod_id != target.pod_id) {
            let text = format!("the backup {volid} does not bear this pod's id in its notes; it was left alone");
            return Err(PveError::new(ErrorKind::Refused, text));
        }
        // As it is in Proxmox's own console: the slash of a volume's name stays one.
        let path = self.path(&format!("/storage/{}/content/{volid}", encode(storage))).await?;
        if entry.protected.is_set() {
            self.client.put::<_, Value>(&path, &json!({ "protected": 0 })).await?;
        }
        let answer: Text = self.client.delete(&path, &()).await?;
        match answer.0 {
            Some(upid) => Ok(Begun::Task(upid_of(&upid)?)),
            None => Ok(Begun::Done),
        }
    }

    /// A storage that shows no backups at all may be away itself. Proxmox mounts network storages and says when it cannot, but shows a
    /// directory as it finds it, mounted or not: then only other things on it, or our own task that removed the backup, tell.
    async fn require_gone(&self, storage: &str, volid: &str) -> Result<()> {
        let known = self.storage_list().await?.into_iter().find(|known| known.name == storage);
        let may_be_away = known.is_none_or(|known| !known.active || ["dir", "btrfs"].contains(&known.kind.as_str()));
        if !may_be_away || !self.content(storage, None, None).await?.is_empty() || self.is_removed(volid).await? {
            return Ok(());
        }
        let text = format!(
            "the storage {storage} shows nothing at all, as one that is not mounted does: whether the backup {volid} is gone is not known;              mount it, or, if it is mounted and the backup is gone, delete the backup again once there is anything else on the storage"
        );
        Err(PveError::new(ErrorKind::Unavailable, text))
    }

    pub(super) async fn restore_begin(
        &self,
        request: &Request,
        volid: &str,
        storage: Option<&str>,
        unique: bool,
    ) -> Result<Begun> {
        let target = request.target;
        storage_of(volid)?;
        let existing = match self.vm_config(target.vmid).await {
            Ok(config) => {
                if let Some(begun) = self.restore_found(request, &config).await? {
                    return Ok(begun);
                }
                Some(config)
            }
            Err(error) if error.says_no_such_vm() => None,
            Err(error) => return Err(error),
        };
        let description = existing.as_ref().map(VmConfig::description).unwrap_or_default();
        let mut body = json!({
            "vmid": target.vmid,
            "archive": volid,
            // The VM is ours from the moment on at which it is there.
            "description": stamped(&description, request),
        });
        if let Some(storage) = storage {
            body["storage"] = storage.into();
        }
        if unique {
            body["unique"] = 1.into();
        }
        if existing.is_some() {
            body["force"] = 1.into();
        }
        let path = self.path("/qemu").await?;
        let answer = self.client.post::<_, String>(&path, &body).await;
        let upid = answer.and_then(|upid| upid_of(&upid).map_err(|error| PveError { is_open: true, ..error }));
        if existing.is_none() {
            self.clone_called(target.vmid, upid.as_ref());
        }
        Ok(Begun::Task(upid?))
    }

    /// There is a VM at the VMID: is it what this command has restored, or is restoring, or may it be replaced (`None`)?
    async fn restore_found(&self, request: &Request, config: &VmConfig) -> Result<Option<Begun>> {
        let vmid = request.target.vmid;
        let refuse = |kind, text: String| Err(PveError::new(kind, text).with_presence(Presence::Present));
        if config.lock().as_deref() == Some("create") {
            if let Some(upid) = self.running_task(vmid, &["qmrestore"]).await? {
                return Ok(Some(Begun::Step(upid)));
            }
            return match self.vm_config(vmid).await {
                Ok(config) if config.lock().as_deref() == Some("create") => Err(left_of_restore(vmid)),
                Ok(_) => refuse(ErrorKind::Locked, format!("a restore to VM {vmid} has just ended")),
                Err(error) if error.says_no_such_vm() => {
                    let text = format!("a restore to VM {vmid} has just failed and was cleaned up");
                    Err(PveError::new(ErrorKind::Locked, text))
                }
                Err(error) => Err(error),
            };
        }
        if self.is_left_of_restore(vmid, config).await? {
            return Ok(None);
        }
        let stamp = config.stamp();
        if stamp == Some(stamp_of(request)) {
            return Ok(Some(Begun::Done));
        }
        let name = config.get("name").unwrap_or_else(|| "without a name".to_owned());
        if stamp.is_none_or(|stamp| stamp.pod_id != request.target.pod_id) {
            return refuse(ErrorKind::VmidTaken, format!("the VMID {vmid} is taken by another VM ({name})"));
        }
        if config.is_set("template") {
            return refuse(ErrorKind::Refused, format!("VM {vmid} ({name}) is a template; it is not replaced"));
        }
        if self.vm_power(vmid).await? != Power::Stopped {
            return refuse(ErrorKind::Refused, format!("VM {vmid} ({name}) runs: stop it before it is replaced"));
        }
        Ok(None)
    }
}

impl Pve {
    /// Whether this is what a restore of ours to a number without a VM has left, as it failed: Proxmox frees the disks and leaves a
    /// configuration without anything, so without our stamp too.
    pub(super) async fn is_left_of_restore(&self, vmid: u32, config: &VmConfig) -> Result<bool> {
        Ok(config.is_bare() && self.has_failed_last(vmid, "qmrestore").await?)
    }

    /// Removes what a restore of ours that has failed left. If that does not succeed, the next restore to the number takes it for what it
    /// is, as does a removal.
    pub(super) async fn restore_failed(
        &self,
        vmid: u32,
        progress: &(dyn Fn(Progress) + Send + Sync),
        error: PveError,
    ) -> PveError {
        match self.restore_left_remove(vmid, progress).await {
            Ok(Some(presence)) => error.with_presence(presence),
            Ok(None) => error,
            Err(left) => {
                let message = format!("{error}; the empty VM {vmid} that it left could not be removed: {left}");
                PveError { message, ..error }
            }
        }
    }

    /// `None`: there is none.
    async fn restore_left_remove(
        &self,
        vmid: u32,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Option<Presence>> {
        match self.vm_config(vmid).await {
            Ok(config) if self.is_left_of_restore(vmid, &config).await? => {}
            Ok(_) => return Ok(None),
            Err(error) if error.says_no_such_vm() => return Ok(None),
            Err(error) => return Err(error),
        }
        let params = DeleteParams { purge: Some(true), ..Default::default() };
        let upid = upid_of(&self.vm(vmid).await?.delete(params).await?)?;
        let exit = self.task_wait(&upid, progress).await?;
        match failure_of(&Operation::Destroy, upid.kind(), &exit, &[]) {
            Some(failure) => Err(failure),
            None => self.vm_state(vmid).await.map(|state| Some(state.presence)),
        }
    }
}

/// What a restore whose worker was killed leaves.
pub(super) fn left_of_restore(vmid: u32) -> PveError {
    let text = format!(
        "VM is locked (create): no restore to VM {vmid} runs, so one was killed midway; remove what is left of it on the host with: \
         qm destroy {vmid} --skiplock --purge"
    );
    PveError::new(ErrorKind::Locked, text).with_presence(Presence::Present)
}

/// The storage in `local:backup/…`.
fn storage_of(volid: &str) -> Result<&str> {
    let parts = volid.split_once(':').filter(|(storage, name)| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        !storage.is_empty() && storage.chars().all(is_plain) && name.starts_with("backup/")
    });
    let is_safe = !volid.contains("..") && volid.chars().all(|c| c.is_ascii_graphic() && !"?#%\\".contains(c));
    match parts {
        Some((storage, _)) if is_safe => Ok(storage),
        _ => Err(PveError::new(
            ErrorKind::BadParameter,
            format!("volid: {volid:?} does not look like storage:backup/vzdump-qemu-…"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_backups_name_is_taken_for_one() {
        assert_eq!(storage_of("local:backup/vzdump-qemu-101-2026_01_31-01_02_03.vma.zst").unwrap(), "local");
        assert_eq!(storage_of("pbs-1:backup/vm/101/2026-01-31T01:02:03Z").unwrap(), "pbs-1");
        for bad in ["", "local:iso/x.iso", "backup/x", ":backup/x", "local:backup/../../x", "local:backup/x?y=1"] {
            assert_eq!(storage_of(bad).unwrap_err().kind, ErrorKind::BadParameter, "{bad}");
        }
    }

    #[test]
    fn a_backup_is_known_by_its_notes() {
        let notes = "mpanel: pod=0190c2d8-6b5e-7c2f-9a53-3f6a6b1c2d3e command=0190c2d8-6b5e-7c2f-9a53-aaaaaaaaaaaa";
        let json = format!(r#"{{"volid":"local:backup/x","ctime":"1795175276","size":7,"notes":"{notes}"}}"#);
        let backup = serde_json::from_str::<ContentEntry>(&json).unwrap().backup().unwrap();
        assert_eq!((backup.created_ms, backup.size_bytes), (1_795_175_276_000, 7));
        assert!(backup.command_id.is_some());
        assert!(serde_json::from_str::<ContentEntry>(r#"{"volid":"local:backup/x"}"#).unwrap().backup().is_none());
    }
}
