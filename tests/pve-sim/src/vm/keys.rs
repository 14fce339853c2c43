//! The keys of a VM's configuration: their types, and the privilege that each needs.

use crate::formats;
use crate::schema::Kind;

const BIOS: &[&str] = &["seabios", "ovmf"];
const SCSIHW: &[&str] = &["lsi", "lsi53c810", "virtio-scsi-pci", "virtio-scsi-single", "megasas", "pvscsi"];
const OSTYPE: &[&str] =
    &["other", "wxp", "w2k", "w2k3", "w2k8", "wvista", "win7", "win8", "win10", "win11", "l24", "l26", "solaris"];
const CITYPE: &[&str] = &["configdrive2", "nocloud", "opennebula"];
const LOCK: &[&str] =
    &["backup", "clone", "create", "migrate", "rollback", "snapshot", "snapshot-delete", "suspending", "suspended"];
const HUGEPAGES: &[&str] = &["any", "2", "1024"];
const ARCH: &[&str] = &["x86_64", "aarch64"];

const AT_LEAST_ONE: Kind = Kind::Int(Some(1), None);
const FROM_ZERO: Kind = Kind::Int(Some(0), None);

/// The type of a configuration key, `None` for a name that is none.
pub(crate) fn kind_of(key: &str) -> Option<Kind> {
    plain_kind(key).or_else(|| numbered_kind(key))
}

fn plain_kind(key: &str) -> Option<Kind> {
    Some(match key {
        "acpi" | "autostart" | "ciupgrade" | "freeze" | "keephugepages" | "kvm" | "localtime" | "numa" | "onboot"
        | "protection" | "reboot" | "tablet" | "tdf" | "template" => Kind::Bool,
        "cores" | "sockets" | "smp" | "vcpus" => AT_LEAST_ONE,
        "balloon" => FROM_ZERO,
        "cpuunits" => Kind::Int(Some(1), Some(262_144)),
        "shares" => Kind::Int(Some(0), Some(50_000)),
        "cpulimit" => Kind::Num(Some(0.0), Some(128.0)),
        "migrate_downtime" | "migrate_speed" => Kind::Num(Some(0.0), None),
        "name" => Kind::Format(formats::dns_name),
        "memory" => Kind::Format(formats::memory),
        "agent" => Kind::Format(formats::agent),
        "sshkeys" => Kind::Format(formats::url_encoded),
        "tags" => Kind::Format(formats::tag_list),
        "nameserver" => Kind::Format(formats::address_list),
        "bios" => Kind::Enum(BIOS),
        "scsihw" => Kind::Enum(SCSIHW),
        "ostype" => Kind::Enum(OSTYPE),
        "citype" => Kind::Enum(CITYPE),
        "lock" => Kind::Enum(LOCK),
        "hugepages" => Kind::Enum(HUGEPAGES),
        "arch" => Kind::Enum(ARCH),
        "efidisk0" | "tpmstate0" | "cdrom" => Kind::Format(formats::drive),
        "affinity" | "amd-sev" | "args" | "audio0" | "boot" | "bootdisk" | "cicustom" | "cipassword" | "ciuser"
        | "cpu" | "description" | "hookscript" | "hotplug" | "ivshmem" | "keyboard" | "machine" | "rng0"
        | "searchdomain" | "smbios1" | "spice_enhancements" | "startdate" | "startup" | "vga" | "vmgenid"
        | "vmstatestorage" | "watchdog" => Kind::Text,
        _ => return None,
    })
}

fn numbered_kind(key: &str) -> Option<Kind> {
    if formats::is_drive_key(key) {
        return Some(Kind::Format(formats::drive));
    }
    if formats::numbered(key, "net", 32) {
        return Some(Kind::Format(formats::net));
    }
    if formats::numbered(key, "ipconfig", 32) {
        return Some(Kind::Format(formats::ipconfig));
    }
    let others =
        [("hostpci", 16), ("usb", 14), ("serial", 4), ("parallel", 3), ("numa", 8), ("unused", 256), ("virtiofs", 10)];
    others.iter().any(|(prefix, max)| formats::numbered(key, prefix, *max)).then_some(Kind::Text)
}

/// What setting or deleting a key needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// One of these on the VM.
    AnyOf(&'static [&'static str]),
    /// Root by ticket.
    Root,
    /// Root by ticket, unless a mapped device is named.
    RootUnlessMapped,
}

const OPTIONS: Need = Need::AnyOf(&["VM.Config.Options"]);
const CPU: Need = Need::AnyOf(&["VM.Config.CPU"]);
const MEMORY: Need = Need::AnyOf(&["VM.Config.Memory"]);
const DISK: Need = Need::AnyOf(&["VM.Config.Disk"]);
const CDROM: Need = Need::AnyOf(&["VM.Config.CDROM"]);
const NETWORK: Need = Need::AnyOf(&["VM.Config.Network"]);
const HARDWARE: Need = Need::AnyOf(&["VM.Config.HWType"]);
const CLOUDINIT: Need = Need::AnyOf(&["VM.Config.Cloudinit", "VM.Config.Network"]);

/// The need of a key; `value` is the new one, or the old one when the key is deleted.
pub(crate) fn need_of(key: &str, value: &str) -> Need {
    match key {
        "args" | "lock" | "hookscript" | "ivshmem" | "amd-sev" => Need::Root,
        "cores" | "sockets" | "smp" | "vcpus" | "cpu" | "cpulimit" | "cpuunits" | "numa" | "affinity" => CPU,
        "memory" | "balloon" | "shares" | "hugepages" | "keephugepages" => MEMORY,
        "boot" | "bootdisk" | "vmstatestorage" => DISK,
        "acpi" | "hotplug" | "kvm" | "machine" | "scsihw" | "smbios1" | "tablet" | "vga" | "watchdog" | "audio0"
        | "rng0" | "arch" | "vmgenid" => HARDWARE,
        "cicustom" | "cipassword" | "citype" | "ciupgrade" | "ciuser" | "nameserver" | "searchdomain" | "sshkeys" => {
            CLOUDINIT
        }
        _ if key.starts_with("ipconfig") => CLOUDINIT,
        _ if formats::numbered(key, "net", 32) => NETWORK,
        _ if key == "cdrom"
            || (formats::is_drive_key(key) && value.contains("media=cdrom") && !is_cloudinit(value)) =>
        {
            CDROM
        }
        _ if formats::is_drive_key(key) || key.starts_with("unused") => DISK,
        _ if key.starts_with("hostpci") || key.starts_with("usb") => {
            if value.contains("mapping=") || value.starts_with("spice") { HARDWARE } else { Need::RootUnlessMapped }
        }
        _ if key.starts_with("serial") && value == "socket" => HARDWARE,
        _ if key.starts_with("serial") || key.starts_with("parallel") => Need::Root,
        _ if key.starts_with("numa") => CPU,
        _ => OPTIONS,
    }
}

/// Whether a drive's value names, or asks for, a cloud-init drive.
pub(crate) fn is_cloudinit(value: &str) -> bool {
    value.split(',').next().is_some_and(|file| file.ends_with(":cloudinit") || file.contains("-cloudinit"))
}

/// Whether a change takes effect in a running VM without a restart.
pub(crate) fn applies_while_running(key: &str) -> bool {
    formats::is_drive_key(key)
        || key.starts_with("net")
        || key.starts_with("ipconfig")
        || key.starts_with("unused")
        || matches!(
            key,
            "name"
                | "description"
                | "tags"
                | "onboot"
                | "startup"
                | "protection"
                | "shares"
                | "lock"
                | "ciuser"
                | "cipassword"
                | "sshkeys"
                | "nameserver"
                | "searchdomain"
                | "citype"
                | "cicustom"
                | "ciupgrade"
                | "hookscript"
                | "cpulimit"
                | "cpuunits"
        )
}
