//! What the agent says to Proxmox VE and hears from it, in its own words: neither Proxmox's JSON nor the wire contract.

use std::collections::BTreeMap;
use std::fmt;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::specs::{BackupMode, FirewallOptions, FirewallSpec, MigrateSpec, OptionsSpec, RemoteSpec};
use super::stamp::Stamp;
use super::upid::Upid;

/// A text that must not be shown: a password or a token's secret. `Debug` prints `***`; memory is wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The VM an operation is about. Nothing but a clone is done to a VM that does not bear `pod_id` in its stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Proxmox's VMID: 100 to 999,999,999, one space per cluster.
    pub vmid: u32,
    /// The pod whose VM it must be.
    pub pod_id: Uuid,
}

/// One command to Proxmox: what is done to which VM, on whose behalf.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The VM.
    pub target: Target,
    /// The control plane's command; a clone stamps it on the VM.
    pub command_id: Uuid,
    /// What to do.
    pub operation: Operation,
}

/// Everything that changes a VM.
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// Makes the VM from a template and stamps it.
    Clone(CloneSpec),
    /// Sets processors, memory, network cards and cloud-init.
    Configure(ConfigureSpec),
    /// Grows a disk; never shrinks one.
    ResizeDisk {
        /// Such as `scsi0`; `None` is the boot disk.
        disk: Option<String>,
        /// The least size it shall have.
        size_gib: u64,
    },
    /// Starts the VM; one that runs is left alone.
    Start,
    /// Stops it hard; one that is stopped is left alone.
    Stop,
    /// Asks the guest to shut down.
    Shutdown {
        /// How long the guest may take.
        timeout_s: u64,
        /// Stop it hard after that.
        force: bool,
    },
    /// Asks the guest to shut down and starts it again.
    Reboot {
        /// How long the guest may take to shut down.
        timeout_s: u64,
    },
    /// Stops the VM if it runs, then removes it and its disks.
    Destroy,
    /// Sets what is given.
    SetOptions(OptionsSpec),
    /// Sets a user's password through the guest agent.
    SetPassword {
        /// Whose.
        user: String,
        /// Which.
        password: Secret,
    },
    /// Takes a snapshot and stamps it.
    TakeSnapshot {
        /// Its name.
        name: String,
        /// For people.
        description: String,
        /// With the guest's memory.
        memory: bool,
    },
    /// Goes back to a snapshot.
    Rollback {
        /// Which.
        name: String,
        /// Start it afterwards.
        start: bool,
    },
    /// Removes a snapshot; one that is not there is removed.
    DeleteSnapshot {
        /// Which.
        name: String,
    },
    /// Makes a backup whose notes bear our stamp.
    MakeBackup {
        /// Where.
        storage: String,
        /// How.
        mode: BackupMode,
        /// Proxmox's own pruning leaves it alone.
        protected: bool,
    },
    /// Makes the VM of a backup, or the stopped VM anew.
    RestoreBackup {
        /// Which.
        volid: String,
        /// Where its disks go; `None`: as the backup says.
        storage: Option<String>,
        /// With new MAC addresses.
        unique: bool,
    },
    /// Removes a backup of this pod; one that is not there is removed. The VM need not exist.
    DeleteBackup {
        /// Which.
        volid: String,
    },
    /// Moves the VM to another node of the cluster.
    Migrate(MigrateSpec),
    /// Moves the VM to another cluster.
    RemoteMigrate(RemoteSpec),
    /// Makes the stopped VM a template without a cloud-init identity.
    MakeTemplate,
    /// Puts a CD in, or takes it out, and sets what is booted from.
    SetMedia {
        /// `None`: no CD.
        iso_volid: Option<String>,
        /// From the CD before the disk.
        boot_from_cd: bool,
    },
    /// Sets the VM's firewall as a whole.
    SetFirewall(FirewallSpec),
    /// Stamps a VM that bears no stamp.
    Adopt,
    /// Takes the pod's stamp off.
    Release,
}

/// How a VM is made from a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneSpec {
    /// The template on the same node.
    pub template_vmid: u32,
    /// The VM's name, a DNS label.
    pub name: String,
    /// A copy of the disks of its own; otherwise a linked clone, where the storage can.
    pub full: bool,
    /// Where a full clone's disks go; `None`: where the template's are.
    pub storage: Option<String>,
    /// Proxmox's resource pool.
    pub pool: Option<String>,
}

/// How a VM shall be configured. What is `None` or empty is left as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigureSpec {
    /// Processors of one socket; 0 leaves them as they are.
    pub vcpu: u32,
    /// Memory; 0 leaves it as it is.
    pub memory_mib: u64,
    /// The user that cloud-init makes.
    pub cloud_init_user: Option<String>,
    /// OpenSSH public keys of that user, one line each.
    pub ssh_keys: Vec<String>,
    /// Those and no others: where there are none, what is there is taken away.
    pub exact_ssh_keys: bool,
    /// Network cards by index; others stay as they are.
    pub nics: Vec<Nic>,
    /// Resolvers.
    pub nameservers: Vec<String>,
    /// The domain that the resolver searches.
    pub search_domain: Option<String>,
    /// That user's password.
    pub password: Option<Secret>,
    /// Start the VM when the host boots.
    pub start_on_boot: bool,
    /// Its name, a DNS name.
    pub name: Option<String>,
    /// No other cards, addresses, resolvers and password: what else is there is taken away.
    pub exact: bool,
    /// No other cards, with their addresses: what else is there is taken away, trunks and pulled plugs too.
    pub exact_nics: bool,
}

/// One network card.
#[derive(Debug, Clone, PartialEq)]
pub struct Nic {
    /// 0 to 31: `net0`, `ipconfig0` ...
    pub index: u32,
    /// A bridge of the node, such as `vmbr0`.
    pub bridge: String,
    /// VLAN tag; `None` is untagged.
    pub vlan: Option<u16>,
    /// `None` keeps the card's address, or lets Proxmox choose one.
    pub mac: Option<String>,
    /// In CIDR notation; one IPv4 and one IPv6 at most, as Proxmox's cloud-init has room for no more.
    pub addresses: Vec<String>,
    /// The IPv4 router.
    pub gateway4: Option<String>,
    /// The IPv6 router.
    pub gateway6: Option<String>,
    /// Megabytes per second, as Proxmox counts; `None` is unlimited.
    pub rate_mbps: Option<f64>,
}

/// What [`super::Hypervisor::begin`] led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing is left to do.
    Done,
    /// A Proxmox task runs: write the UPID down, then follow it. The operation is over when the task ends well.
    Task(Upid),
    /// A Proxmox task runs that is not the last one: write the UPID down, follow it, then begin the request again.
    Step(Upid),
}

/// A Proxmox task that ended well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskEnd {
    /// What a task that ended `WARNINGS: n` warned of.
    pub warnings: Vec<String>,
    /// The last lines of its log.
    pub log: Vec<String>,
}

/// News of a running task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// 0 to 100, where the log tells; it never falls.
    pub percent: Option<u8>,
    /// New lines of the task's log, in order.
    pub log: Vec<String>,
}

/// How long and for whom a task is followed.
pub struct Watch<'a> {
    /// At this instant the task is stopped and the error is [`super::ErrorKind::Deadline`].
    pub deadline: Instant,
    /// When this is cancelled the task is stopped and the error is [`super::ErrorKind::Cancelled`]. To leave a task running (the
    /// agent shuts down), drop the future instead.
    pub cancel: CancellationToken,
    /// Called with what is new; must not block.
    pub progress: &'a (dyn Fn(Progress) + Send + Sync),
}

/// Three-valued truth about a VM: only `Absent` frees what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// It was not possible to tell.
    #[default]
    Unknown,
    /// A VM with this VMID exists, here or on another node of the cluster.
    Present,
    /// The node's list, read with the rights to see it, lacks it, and Proxmox says that its configuration does not exist.
    Absent,
}

/// Whether a VM runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Power {
    /// Not told.
    #[default]
    Unknown,
    /// QEMU runs.
    Running,
    /// There is no QEMU process (hibernated VMs too).
    Stopped,
    /// QEMU runs and the guest's processors are held.
    Paused,
}

/// What is known of one VMID.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VmState {
    /// Whether there is a VM.
    pub presence: Presence,
    /// Its power, where it is present on this node.
    pub power: Power,
    /// Our stamp; `None` on a foreign VM.
    pub stamp: Option<Stamp>,
    /// Proxmox's lock, such as `clone`.
    pub lock: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// The node it is on, where that is another one of the cluster.
    pub other_node: Option<String>,
    /// The MAC addresses of its network cards, by index.
    pub macs: BTreeMap<u32, String>,
}

/// One VM of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vm {
    /// Its number.
    pub vmid: u32,
    /// Its name; may be empty.
    pub name: String,
    /// Its power.
    pub power: Power,
    /// A template cannot run.
    pub template: bool,
    /// Our stamp; `None` on a foreign VM.
    pub stamp: Option<Stamp>,
    /// Proxmox's lock.
    pub lock: Option<String>,
    /// Processors.
    pub vcpu: u32,
    /// Memory it may have.
    pub memory_mib: u64,
    /// Size of its boot disk.
    pub disk_mib: u64,
    /// Since QEMU was started; 0 when stopped.
    pub uptime_s: u64,
    /// It starts when the host boots.
    pub start_on_boot: bool,
    /// Its network cards, in the order of their indices; `None` of a VM that is not ours, and of a template.
    pub cards: Option<Vec<Card>>,
    /// The options of its firewall; `None` likewise, and where they could not be read.
    pub firewall: Option<FirewallOptions>,
    /// Received by the guest since QEMU was started.
    pub in_bytes: u64,
    /// Sent by the guest since QEMU was started.
    pub out_bytes: u64,
}

/// A network card that a VM has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// `net0` is 0.
    pub index: u32,
    /// Empty: it is attached to none.
    pub bridge: String,
    /// VLAN tag; `None`: untagged.
    pub vlan: Option<u16>,
    /// MAC address, in Proxmox's spelling; empty: none is told.
    pub mac: String,
    /// It leads through the VM's firewall.
    pub firewall: bool,
    /// Its plug is pulled.
    pub link_down: bool,
    /// The VLANs that pass through with their tags, as Proxmox writes them, `5;7-9`; empty: none.
    pub trunks: String,
}

/// The host's own figures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HostStatus {
    /// 0 to 1, of all threads.
    pub cpu_load: f64,
    /// Hardware threads.
    pub cpu_threads: u32,
    /// All memory.
    pub memory_total_mib: u64,
    /// Memory in use.
    pub memory_used_mib: u64,
    /// Since the host booted.
    pub uptime_s: u64,
    /// Such as `8.4.21`; empty where the node did not tell.
    pub pve_version: String,
}

/// The node's place in its cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cluster {
    /// `None` on a host that is in no cluster.
    pub name: Option<String>,
    /// Whether the node may write its configuration; always so outside a cluster.
    pub quorate: bool,
    /// This node's name.
    pub node: String,
    /// All nodes, with whether they are online.
    pub nodes: Vec<(String, bool)>,
}

/// One storage of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Its name.
    pub name: String,
    /// Proxmox's type: `dir`, `lvmthin`, `zfspool`, `rbd` ...
    pub kind: String,
    /// It is enabled and answers.
    pub active: bool,
    /// The same on all nodes of the cluster.
    pub shared: bool,
    /// It may hold VM disks.
    pub holds_images: bool,
    /// It may hold backups.
    pub holds_backups: bool,
    /// All of it.
    pub total_mib: u64,
    /// What is taken.
    pub used_mib: u64,
}

/// What a probe shall look for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbeSpec {
    /// Storages that must be usable.
    pub storages: Vec<String>,
    /// Bridges that must exist.
    pub bridges: Vec<String>,
    /// Templates that must exist.
    pub templates: Vec<u32>,
}

/// One line of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Stable: `proxmox`, `permissions`, `quorum`, `storage`, `bridge`, `template`.
    pub name: &'static str,
    /// How it went.
    pub state: CheckState,
    /// What it took.
    pub took_ms: u64,
    /// What was found.
    pub message: String,
    /// What to do; empty when all is well.
    pub advice: String,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// Works, but look at it.
    Warn,
    /// Provisioning will fail.
    Fail,
}
