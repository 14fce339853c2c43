//! The CD in a VM's drive and what it boots from; and a VM that becomes a template.

use proxmox_api::client::Client;
use serde_json::{Map, Value};

use super::error::{ErrorKind, PveError, Result};
use super::node::{Pve, upid_of};
use super::types::{Begun, Power, Presence, Target};
use super::wire::VmConfig;

/// An empty drive. A drive that stays can be filled while the VM runs; one that is added or removed waits for its next start.
const EMPTY: &str = "none,media=cdrom";
/// What cloud-init is told of the guest that was, beside its addresses.
const IDENTITY: [&str; 5] = ["ciuser", "cipassword", "sshkeys", "nameserver", "searchdomain"];

impl Pve {
    pub(super) async fn media_set(&self, target: Target, iso: Option<&str>, boot_from_cd: bool) -> Result<Begun> {
        self.own_state(target).await?;
        if let Some(iso) = iso {
            self.check_iso(iso).await?;
        }
        let changes = |config: &VmConfig| {
            Self::check_own(target, config)?;
            media_changes(config, iso, boot_from_cd).map_err(unfit)
        };
        self.amend(target.vmid, changes).await?;
        Ok(Begun::Done)
    }

    /// Proxmox takes an image that is missing, and the VM does not start then.
    async fn check_iso(&self, iso: &str) -> Result<()> {
        let Some((storage, _)) = iso.split_once(':').filter(|(storage, name)| !storage.is_empty() && !name.is_empty())
        else {
            let text = format!("iso_volid: {iso:?} does not look like storage:iso/name.iso");
            return Err(PveError::new(ErrorKind::BadParameter, text));
        };
        let images = self.content(storage, Some("iso"), None).await?;
        if images.iter().any(|entry| entry.volid.0.as_deref() == Some(iso)) {
            return Ok(());
        }
        let text = format!("there is no CD image {iso} on this node");
        Err(PveError::new(ErrorKind::NotFound, text).with_presence(Presence::Present))
    }

    pub(super) async fn template_begin(&self, target: Target) -> Result<Begun> {
        let state = self.own_state(target).await?;
        let vmid = target.vmid;
        if self.vm_config(vmid).await?.is_set("template") {
            return Ok(Begun::Done);
        }
        let refuse = |text: String| Err(PveError::new(ErrorKind::Refused, text).with_presence(Presence::Present));
        if state.power != Power::Stopped {
            return refuse(format!("VM {vmid} runs: stop it before it becomes a template"));
        }
        if let Some(upid) = self.running_task(vmid, &["qmtemplate"]).await? {
            return Ok(Begun::Step(upid));
        }
        if !self.snapshots(vmid).await?.is_empty() {
            return refuse(format!("VM {vmid} has snapshots: delete them before it becomes a template"));
        }
        let changes = |config: &VmConfig| {
            Self::check_own(target, config)?;
            let mut changes = identity_removal(config);
            // A CD that is only its guest's, such as the one that it is rescued with, is not what the next one boots from.
            changes.extend(media_changes(config, None, false).map_err(unfit)?);
            Ok(changes)
        };
        self.amend(vmid, changes).await?;
        let path = self.path(&format!("/qemu/{vmid}/template")).await?;
        Ok(Begun::Task(upid_of(&self.client.post::<_, String>(&path, &Value::Null).await?)?))
    }
}

fn unfit(text: String) -> PveError {
    PveError::new(ErrorKind::Refused, text).with_presence(Presence::Present)
}

/// Takes off what cloud-init would tell the next guest of this one.
fn identity_removal(config: &VmConfig) -> Map<String, Value> {
    let mut keys: Vec<&str> = config.iter().map(|(key, _)| key).collect();
    keys.retain(|key| IDENTITY.contains(key) || key.starts_with("ipconfig"));
    keys.sort_unstable();
    if keys.is_empty() {
        return Map::new();
    }
    Map::from_iter([("delete".to_owned(), keys.join(",").into())])
}

/// Our drive: the last SATA one that is no disk and not cloud-init's. SATA there is on every kind of machine.
fn our_drive(config: &VmConfig) -> std::result::Result<(String, Option<String>), String> {
    let slots = (0..6).rev().map(|index| format!("sata{index}"));
    let mut slots = slots.map(|slot| (config.get(&slot), slot));
    let free = slots.find_map(|(setting, slot)| match setting {
        Some(setting) if !setting.contains("media=cdrom") || setting.contains("cloudinit") => None,
        setting => Some((slot, setting)),
    });
    free.ok_or_else(|| "all SATA slots of the VM hold disks: there is none left for a CD drive".to_owned())
}

fn media_changes(
    config: &VmConfig,
    iso: Option<&str>,
    boot_from_cd: bool,
) -> std::result::Result<Map<String, Value>, String> {
    let (slot, existing) = match our_drive(config) {
        Ok(drive) => drive,
        Err(_) if iso.is_none() && !boot_from_cd => return Ok(Map::new()),
        Err(text) => return Err(text),
    };
    let mut body = Map::new();
    let in_drive = existing.as_deref().and_then(|setting| setting.split(',').next()).map(str::to_owned);
    let wanted = iso.map_or_else(|| EMPTY.to_owned(), |iso| format!("{iso},media=cdrom"));
    let is_same = match (&in_drive, iso) {
        (None, None) => true,
        (Some(found), None) => found == "none",
        (found, Some(iso)) => found.as_deref() == Some(iso),
    };
    if !is_same {
        body.insert(slot.clone(), wanted.into());
    }
    let boot = config.get("boot").unwrap_or_default();
    let found = boot.split(',').find_map(|part| part.trim().strip_prefix("order="));
    let order: Vec<String> = match found {
        Some(order) => order.split(';').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect(),
        // An order of before version 6.3, or none.
        None => config.boot_disk().map(|(key, _)| key).into_iter().collect(),
    };
    let mut wanted: Vec<String> = order.iter().filter(|key| **key != slot).cloned().collect();
    if boot_from_cd {
        wanted.insert(0, slot);
    }
    // Without a change to make, an order that is not spelled out stays so.
    if wanted != order {
        body.insert("boot".to_owned(), format!("order={}", wanted.join(";")).into());
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(config: &str, iso: Option<&str>, boot_from_cd: bool, expected: &str) {
        let changes = media_changes(&serde_json::from_str(config).unwrap(), iso, boot_from_cd).unwrap();
        assert_eq!(Value::Object(changes), serde_json::from_str::<Value>(expected).unwrap(), "{config}");
    }

    const PLAIN: &str = r#"{"boot":"order=scsi0","scsi0":"tank:vm-1-disk-0","ide2":"tank:vm-1-cloudinit,media=cdrom"}"#;
    const RESCUED: &str = r#"{"boot":"order=sata5;scsi0","scsi0":"a:1","sata5":"local:iso/x.iso,media=cdrom,size=5M"}"#;

    #[test]
    fn a_cd_is_put_in_and_taken_out() {
        check(PLAIN, Some("local:iso/x.iso"), false, r#"{"sata5":"local:iso/x.iso,media=cdrom"}"#);
        check(
            PLAIN,
            Some("local:iso/x.iso"),
            true,
            r#"{"sata5":"local:iso/x.iso,media=cdrom","boot":"order=sata5;scsi0"}"#,
        );
        check(PLAIN, None, false, "{}");
        check(RESCUED, Some("local:iso/x.iso"), true, "{}");
        check(RESCUED, None, false, r#"{"sata5":"none,media=cdrom","boot":"order=scsi0"}"#);
        check(r#"{"boot":" ","scsi0":"a:1"}"#, None, false, "{}");
    }

    #[test]
    fn disks_and_cloud_init_keep_their_slots() {
        let config = r#"{"boot":"order=sata5","sata5":"a:1","sata4":"a:cloudinit,media=cdrom"}"#;
        check(config, Some("l:iso/y.iso"), false, r#"{"sata3":"l:iso/y.iso,media=cdrom"}"#);
        let full: Vec<String> = (0..6).map(|index| format!(r#""sata{index}":"a:{index}""#)).collect();
        let full = serde_json::from_str(&format!("{{{}}}", full.join(","))).unwrap();
        assert!(media_changes(&full, Some("l:iso/y.iso"), false).is_err());
        assert_eq!(media_changes(&full, None, false), Ok(Map::new()));
    }

    #[test]
    fn a_template_loses_its_guests_identity() {
        let config = r#"{"ciuser":"anna","cipassword":"****","sshkeys":"x","ipconfig0":"ip=dhcp","ipconfig3":"ip=dhcp",
            "nameserver":"9.9.9.9","description":"mpanel","memory":"512"}"#;
        let removal = identity_removal(&serde_json::from_str(config).unwrap());
        assert_eq!(removal["delete"], "cipassword,ciuser,ipconfig0,ipconfig3,nameserver,sshkeys");
        assert!(identity_removal(&serde_json::from_str(r#"{"memory":"1"}"#).unwrap()).is_empty());
    }
}
