//! Proxmox's JSON as it really comes: numbers as strings, booleans as 0 and 1, nulls, fields that come and go between versions.
//!
//! Nothing here refuses an answer for a field's type: a field that makes no sense is as good as missing.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::stamp::Stamp;
use super::types::Card;

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes one segment of a path, or a value that Proxmox wants encoded by itself.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// A text, whatever JSON type it came as.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text(pub Option<String>);

/// A number that may come as a string.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Num(pub Option<f64>);

/// A boolean that may come as 0 or 1, as a number or a string.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Flag(pub Option<bool>);

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(u8::from(*flag).to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn flag_of(text: &str) -> Option<bool> {
    match text.trim() {
        "1" | "yes" | "on" | "true" => Some(true),
        "0" | "no" | "off" | "false" | "" => Some(false),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(text_of(&value)))
    }
}

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(Self(text_of(&value).and_then(|text| text.trim().parse().ok()).filter(|number: &f64| number.is_finite())))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(text_of(&value).and_then(|text| flag_of(&text))))
    }
}

impl Num {
    /// The number; 0 where there is none or it is negative.
    pub(super) fn whole(self) -> u64 {
        self.0.map_or(0, |number| number.max(0.0) as u64)
    }

    /// Bytes, in MiB.
    pub(super) fn mib(self) -> u64 {
        self.whole() >> 20
    }
}

impl Flag {
    /// Set; a missing flag is not.
    pub(super) fn is_set(self) -> bool {
        self.0 == Some(true)
    }
}

impl Text {
    /// The text; empty where there is none.
    pub(super) fn or_empty(self) -> String {
        self.0.unwrap_or_default()
    }
}

/// A list; `null` is an empty one.
#[derive(Debug, Default)]
pub(super) struct List<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Vec<T>>::deserialize(deserializer).map(|list| Self(list.unwrap_or_default()))
    }
}

/// An entry of `/nodes/N/qemu`, or `/nodes/N/qemu/V/status/current`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VmEntry {
    pub vmid: Num,
    pub name: Text,
    pub status: Text,
    pub qmpstatus: Text,
    pub template: Flag,
    pub lock: Text,
    pub cpus: Num,
    pub maxmem: Num,
    pub maxdisk: Num,
    pub uptime: Num,
    pub netin: Num,
    pub netout: Num,
}

/// An entry of `/nodes/N/tasks`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskEntry {
    pub upid: Text,
}

/// `/nodes/N/tasks/U/status`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TaskStatus {
    pub status: Text,
    pub exitstatus: Text,
}

/// One line of a task's log.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LogLine {
    pub n: Num,
    pub t: Text,
}

/// A VM's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct VmConfig(Map<String, Value>);

impl VmConfig {
    /// One setting, as text; what is blank counts as unset.
    pub(super) fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).and_then(text_of).filter(|text| !text.trim().is_empty())
    }

    /// Whether a flag is set; a missing one is not.
    pub(super) fn is_set(&self, key: &str) -> bool {
        self.get(key).and_then(|text| flag_of(&text)) == Some(true)
    }

    /// All settings that have a text.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().filter_map(|(key, value)| text_of(value).map(|text| (key.as_str(), text)))
    }

    /// Nothing is set that a VM would consist of: no name, no description, no disk, no card, no lock.
    pub(super) fn is_bare(&self) -> bool {
        self.iter().all(|(key, value)| matches!(key, "digest" | "memory") || value.trim().is_empty())
    }

    pub(super) fn description(&self) -> String {
        self.get("description").unwrap_or_default()
    }

    pub(super) fn stamp(&self) -> Option<Stamp> {
        Stamp::find(&self.description())
    }

    pub(super) fn lock(&self) -> Option<String> {
        self.get("lock")
    }

    /// The disks (not CD-ROMs, not cloud-init drives, not EFI variables), by key, in Proxmox's order of buses.
    pub(super) fn disks(&self) -> Vec<(String, String)> {
        let mut disks: Vec<(usize, u32, String, String)> = self
            .iter()
            .filter_map(|(key, value)| {
                let (bus, index) = disk_key(key)?;
                let media = value.contains("media=cdrom") || value.contains("cloudinit") || value.starts_with("none");
                (!media).then(|| (bus, index, key.to_owned(), value))
            })
            .collect();
        disks.sort();
        disks.into_iter().map(|(_, _, key, value)| (key, value)).collect()
    }

    /// The disk the VM boots from: the first disk of `boot: order=`, else `bootdisk`, else the first one there is.
    pub(super) fn boot_disk(&self) -> Option<(String, String)> {
        let disks = self.disks();
        let find = |wanted: &str| disks.iter().find(|(key, _)| key == wanted).cloned();
        let order = self.get("boot").unwrap_or_default();
        let order = order.split(',').find_map(|part| part.trim().strip_prefix("order=")).unwrap_or_default();
        order
            .split(';')
            .find_map(|key| find(key.trim()))
            .or_else(|| self.get("bootdisk").and_then(|key| find(key.trim())))
            .or_else(|| disks.first().cloned())
    }

    /// The network cards, in the order of their indices: `net0: virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=7`.
    pub(super) fn cards(&self) -> Vec<Card> {
        let card = |(key, value): (&str, String)| {
            let index = card_index(key)?;
            let mut parts = value.split(',').map(str::trim);
            let mac = parts.next().and_then(|model| model.split_once('=')).map(|(_, mac)| mac);
            let settings: BTreeMap<&str, &str> = parts.filter_map(|part| part.split_once('=')).collect();
            let text = |key: &str| settings.get(key).copied().unwrap_or_default().to_owned();
            let is_set = |key: &str| settings.get(key).and_then(|flag| flag_of(flag)) == Some(true);
            Some(Card {
                index,
                bridge: text("bridge"),
                vlan: settings.get("tag").and_then(|tag| tag.parse().ok()),
                mac: mac.filter(|mac| is_mac(mac)).unwrap_or_default().to_owned(),
                firewall: is_set("firewall"),
                link_down: is_set("link_down"),
                trunks: text("trunks"),
            })
        };
        let mut cards: Vec<Card> = self.iter().filter_map(card).collect();
        cards.sort_by_key(|card| card.index);
        cards
    }

    /// The MAC addresses of the network cards, by index.
    pub(super) fn macs(&self) -> BTreeMap<u32, String> {
        let cards = self.cards().into_iter().filter(|card| !card.mac.is_empty());
        cards.map(|card| (card.index, card.mac)).collect()
    }

    /// The drive that carries cloud-init's data.
    pub(super) fn cloud_init_drive(&self) -> Option<String> {
        self.iter()
            .find(|(key, value)| disk_key(key).is_some() && value.contains("cloudinit"))
            .map(|(key, _)| key.to_owned())
    }
}

/// The number in `net0`.
pub(super) fn card_index(key: &str) -> Option<u32> {
    key.strip_prefix("net").and_then(|index| index.parse().ok())
}

/// Whether this is six octets in hexadecimal.
pub(super) fn is_mac(text: &str) -> bool {
    let octets: Vec<&str> = text.split(':').collect();
    octets.len() == 6 && octets.iter().all(|octet| octet.len() == 2 && octet.bytes().all(|c| c.is_ascii_hexdigit()))
}

/// Splits `scsi0` into its bus (in the order in which Proxmox looks for a boot disk) and index.
pub(super) fn disk_key(key: &str) -> Option<(usize, u32)> {
    const BUSES: [&str; 4] = ["ide", "scsi", "virtio", "sata"];
    BUSES.iter().enumerate().find_map(|(order, bus)| {
        let index = key.strip_prefix(bus)?;
        index.bytes().all(|c| c.is_ascii_digit()).then(|| index.parse().ok()).flatten().map(|index| (order, index))
    })
}

/// The size in a disk's setting, `size=27592K`, in bytes.
pub(super) fn disk_bytes(setting: &str) -> Option<u64> {
    let size = setting.split(',').find_map(|part| part.trim().strip_prefix("size="))?;
    let (digits, unit) = size.split_at(size.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(size.len()));
    let shift = match unit.trim() {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<f64>().ok().map(|number| (number * f64::from(1 << 10_u32).powi(shift / 10)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> VmConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_mixture_of_types_is_read() {
        let entry: VmEntry = serde_json::from_str(
            r#"{"vmid":"105","name":17,"status":"running","template":"","cpus":"2","maxmem":268435456.0,"maxdisk":null,
                "uptime":{"odd":1},"lock":null,"new-in-9.9":[1,2]}"#,
        )
        .unwrap();
        assert_eq!((entry.vmid.whole(), entry.name.or_empty().as_str(), entry.cpus.whole()), (105, "17", 2));
        assert_eq!((entry.maxmem.mib(), entry.maxdisk.whole(), entry.uptime.whole()), (256, 0, 0));
        assert!(!entry.template.is_set() && entry.lock.0.is_none());
        assert!(serde_json::from_str::<List<VmEntry>>("null").unwrap().0.is_empty());
    }

    #[test]
    fn the_boot_disk_is_found_however_it_is_told() {
        let check = |json: &str, expected: Option<&str>| {
            assert_eq!(config(json).boot_disk().map(|(key, _)| key).as_deref(), expected, "{json}");
        };
        check(
            r#"{"boot":"order=ide2;scsi1;net0","ide2":"none,media=cdrom","scsi0":"a:1","scsi1":"a:2"}"#,
            Some("scsi1"),
        );
        check(r#"{"boot":"cdn","bootdisk":"virtio0","scsi0":"a:1","virtio0":"a:2"}"#, Some("virtio0"));
        check(r#"{"boot":" ","scsi10":"a:1","scsi2":"a:2","sata0":"a:3"}"#, Some("scsi2"));
        check(r#"{"ide2":"local:9000/vm-9000-cloudinit.qcow2,media=cdrom","scsihw":"virtio-scsi-pci"}"#, None);
    }

    #[test]
    fn a_configuration_is_bare_only_without_anything_of_a_vm() {
        assert!(config(r#"{"digest":"aa","boot":" "}"#).is_bare());
        for set in
            ["name", "description", "lock", "scsi0", "unused0", "net0", "efidisk0", "meta", "smbios1", "template"]
        {
            assert!(!config(&format!(r#"{{"digest":"aa","{set}":"1"}}"#)).is_bare(), "{set}");
        }
    }

    #[test]
    fn the_cards_are_read() {
        let found = config(
            r#"{"net0":"virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,queues=2,tag=7","net12":"e1000=bc:24:11:00:00:02",
                "net1":"virtio,bridge=a,firewall=0,link_down=0","net13":"virtio,link_down=1,trunks=5;7-9","netdev":"x"}"#,
        );
        let card = |index, bridge: &str, vlan, mac: &str, firewall| Card {
            index,
            bridge: bridge.to_owned(),
            vlan,
            mac: mac.to_owned(),
            firewall,
            link_down: false,
            trunks: String::new(),
        };
        let cards = [
            card(0, "vmbr0", Some(7), "BC:24:11:00:00:01", true),
            card(1, "a", None, "", false),
            card(12, "", None, "bc:24:11:00:00:02", false),
            Card { link_down: true, trunks: "5;7-9".to_owned(), ..card(13, "", None, "", false) },
        ];
        assert_eq!(found.cards(), cards);
        let expected = [(0, "BC:24:11:00:00:01".to_owned()), (12, "bc:24:11:00:00:02".to_owned())];
        assert_eq!(found.macs(), BTreeMap::from(expected));
    }

    #[test]
    fn disk_sizes_are_read_in_all_units() {
        let check = |setting: &str, expected: Option<u64>| assert_eq!(disk_bytes(setting), expected, "{setting}");
        check("local:9000/base-9000-disk-0.qcow2,size=27592K", Some(27592 << 10));
        check("local:1/x.raw,discard=on,size=8G,ssd=1", Some(8 << 30));
        check("tank:vm-1-disk-0,size=2T", Some(2 << 40));
        check("tank:vm-1-disk-0,size=512M", Some(512 << 20));
        check("tank:vm-1-disk-0", None);
        check("tank:vm-1-disk-0,size=big", None);
    }

    #[test]
    fn the_cloud_init_drive_is_told_from_other_cdroms() {
        let with = config(r#"{"ide0":"local:iso/x.iso,media=cdrom","ide2":"tank:vm-9-cloudinit,media=cdrom"}"#);
        assert_eq!(with.cloud_init_drive().as_deref(), Some("ide2"));
        assert_eq!(config(r#"{"ide2":"none,media=cdrom","name":"cloudinit"}"#).cloud_init_drive(), None);
    }
}
