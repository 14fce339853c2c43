//! What is asked for beyond a VM's making and power, and what is told after it.

use super::types::{Secret, VmState};
use uuid::Uuid;

/// What a VM is told beside its configuration; `None` is left as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OptionsSpec {
    /// Start the VM when the host boots.
    pub start_on_boot: Option<bool>,
    /// Proxmox refuses to remove the VM.
    pub protection: Option<bool>,
}

/// How a backup treats a VM that runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BackupMode {
    /// It runs on.
    #[default]
    Snapshot,
    /// It is held for a while.
    Suspend,
    /// It is shut down for a while.
    Stop,
}

/// A move to another node of the same cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrateSpec {
    /// Where to.
    pub target_node: String,
    /// While it runs; otherwise it has to be stopped.
    pub online: bool,
    /// With disks that only this node has.
    pub with_local_disks: bool,
    /// Where such disks go; `None`: to the storage of the same name.
    pub target_storage: Option<String>,
    /// `None`: as Proxmox limits it.
    pub bandwidth_mibps: Option<u64>,
}

/// A move to another cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteSpec {
    /// A node of that cluster.
    pub host: String,
    /// Of its API.
    pub port: u16,
    /// `user@realm!id=secret` of that cluster.
    pub token: Secret,
    /// SHA-256 of that node's certificate.
    pub fingerprint: String,
    /// The VM's number there.
    pub vmid: u32,
    /// Where its network cards go.
    pub bridge: String,
    /// Where its disks go.
    pub storage: String,
    /// While it runs.
    pub online: bool,
}

/// What a firewall does to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirewallAction {
    /// Lets it through.
    Accept,
    /// Drops it silently.
    Drop,
    /// Refuses it.
    Reject,
}

/// The options of a VM's firewall that are in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirewallOptions {
    /// Whether anything is filtered at all.
    pub enabled: bool,
    /// What becomes of packets to the VM that no rule names; `None`: a word that is not known here.
    pub policy_in: Option<FirewallAction>,
    /// Likewise from it.
    pub policy_out: Option<FirewallAction>,
    /// Only from its own MAC addresses.
    pub mac_filter: bool,
    /// Only from the addresses in the sets of its cards.
    pub ip_filter: bool,
}

/// One rule. What is empty matches everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallRule {
    /// To the VM; otherwise from it.
    pub inbound: bool,
    /// What becomes of the packet.
    pub action: FirewallAction,
    /// Such as `tcp`.
    pub protocol: String,
    /// CIDR.
    pub source: String,
    /// CIDR.
    pub destination: String,
    /// Such as `80`, `8000:8100` or a list with commas.
    pub source_ports: String,
    /// Likewise.
    pub destination_ports: String,
    /// For people.
    pub comment: String,
}

/// A VM's firewall as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallSpec {
    /// Whether it filters at all.
    pub enabled: bool,
    /// For what no inbound rule matches.
    pub policy_in: FirewallAction,
    /// For what no outbound rule matches.
    pub policy_out: FirewallAction,
    /// The first that matches decides.
    pub rules: Vec<FirewallRule>,
    /// Only packets from the VM's own MAC addresses leave it.
    pub mac_filter: bool,
    /// Only packets from `addresses` leave it.
    pub ip_filter: bool,
    /// By network card: single addresses or CIDR.
    pub addresses: Vec<(u32, Vec<String>)>,
}

/// What is looked at without changing anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The VM's snapshots.
    Snapshots,
    /// The pod's backups on a storage; the VM need not exist.
    Backups {
        /// Which storage.
        storage: String,
    },
    /// Whether a move would be possible.
    CheckMigrate(MigrateSpec),
}

/// One snapshot of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: String,
    /// Without our stamp.
    pub description: String,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// It holds the guest's memory too.
    pub memory: bool,
    /// The one before it.
    pub parent: Option<String>,
}

/// One backup of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Such as `local:backup/vzdump-qemu-101-2026_01_31-01_02_03.vma.zst`.
    pub volid: String,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Its size.
    pub size_bytes: u64,
    /// Of its notes.
    pub pod_id: Uuid,
    /// Of its notes: the command that made it.
    pub command_id: Option<Uuid>,
}

/// What is told after an operation that ended well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The VM.
    pub state: VmState,
    /// All that it has, after an operation on snapshots.
    pub snapshots: Vec<Snapshot>,
    /// After a backup the one made, after a listing all.
    pub backups: Vec<Backup>,
    /// The node that has the VM after a move.
    pub node: Option<String>,
    /// Something takes effect only once the VM is stopped and started.
    pub restart_needed: bool,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl From<VmState> for Outcome {
    fn from(state: VmState) -> Self {
        Self { state, ..Self::default() }
    }
}

/// What keeps a VM where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrateCheck {
    /// Nodes to which it may go.
    pub allowed_nodes: Vec<String>,
    /// What keeps it from being moved, in words for people.
    pub blockers: Vec<String>,
    /// What would have to be copied.
    pub local_disk_mib: u64,
    /// Whether it runs.
    pub running: bool,
}

/// Something on a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub volid: String,
    /// `iso`, `backup`, `images` ...
    pub content: String,
    /// Its size.
    pub size_bytes: u64,
    /// Unix milliseconds; 0 where the storage does not tell.
    pub created_ms: i64,
}

/// What became of a VM that was declared lost here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    /// The VM as it was last seen.
    pub state: VmState,
    /// Why it cannot be said that it is off for good.
    pub error: Option<String>,
    /// Because a VM that does not bear the pod's stamp has the number: it was left alone.
    pub foreign: bool,
}

/// Which console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsoleKind {
    /// The screen.
    Vnc,
    /// A serial terminal.
    Terminal,
}
