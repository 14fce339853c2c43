//! What the control plane orders of an agent, in terms of neither wire nor Proxmox.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outcome::Power;
use crate::clock::Ms;
use crate::ids::{CloudPodId, CommandId, ServerId};

/// An order for the agent of one server about one pod's VM.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentCommand {
    /// Whose agent.
    pub server: ServerId,
    /// Whose VM.
    pub pod: CloudPodId,
    /// Which VM on that server.
    pub vmid: u32,
    /// What to do.
    pub kind: CommandKind,
    /// After this the agent gives up and stops Proxmox's task.
    pub timeout: Duration,
}

/// What to do to a VM.
#[derive(Clone, PartialEq)]
pub enum CommandKind {
    /// Make it from a template, stamped with pod id and command id.
    Clone {
        /// The template.
        template_vmid: u32,
        /// The VM's name, a DNS label.
        name: String,
        /// A full clone; otherwise a linked one where the storage can.
        full: bool,
        /// Target storage of a full clone; empty: the template's.
        storage: String,
    },
    /// Set size, cloud-init and network.
    Configure(Box<Configure>),
    /// Grow the boot disk to at least so many GiB; a larger one is left alone.
    ResizeDisk {
        /// The wanted size.
        size_gib: u64,
    },
    /// Start it; running already is a success.
    Start,
    /// Cut its power; stopped already is a success.
    Stop,
    /// Ask its guest to shut down.
    Shutdown {
        /// How long to wait for the guest, in seconds.
        timeout_s: u64,
        /// Cut the power afterwards.
        force: bool,
    },
    /// Ask its guest to restart.
    Reboot {
        /// How long to wait for the guest, in seconds.
        timeout_s: u64,
    },
    /// Remove it and its disks, if and only if it bears this pod's stamp; absent already is a success.
    Destroy,
    /// Wait until it is in this power state.
    WaitPower {
        /// The state to wait for.
        power: Power,
        /// How long, in seconds.
        timeout_s: u64,
    },
    /// Look and change nothing.
    Inspect,
    /// Change what is `Some`.
    SetOptions {
        /// Start it with the host.
        start_on_boot: Option<bool>,
        /// Let Proxmox refuse to remove it.
        protection: Option<bool>,
    },
    /// Set a user's password through the guest agent. Never logged.
    SetPassword {
        /// The user in the guest.
        user: String,
        /// The password.
        password: String,
    },
    /// Take a snapshot.
    TakeSnapshot {
        /// Its name: a letter, then letters, digits, `-` and `_`.
        name: String,
        /// For people.
        description: String,
        /// The guest's memory too.
        memory: bool,
    },
    /// Go back to a snapshot. It is not started.
    Rollback {
        /// Its name.
        name: String,
    },
    /// Delete a snapshot; absent already is a success.
    DeleteSnapshot {
        /// Its name.
        name: String,
    },
    /// List the snapshots.
    ListSnapshots,
    /// Make a backup whose notes bear pod and command.
    MakeBackup {
        /// Where to.
        storage: String,
        /// How consistent.
        mode: BackupMode,
        /// Proxmox's own pruning leaves it alone.
        protected: bool,
    },
    /// Make the VM of a backup; a stopped VM of this pod at that VMID is replaced.
    RestoreBackup {
        /// The backup.
        volid: String,
        /// Target storage; empty: as the backup says.
        storage: String,
        /// New MAC addresses.
        unique: bool,
    },
    /// Delete a backup of this pod; absent already is a success.
    DeleteBackup {
        /// The backup.
        volid: String,
    },
    /// List this pod's backups on a storage.
    ListBackups {
        /// The storage.
        storage: String,
    },
    /// Move it to another node of its cluster; being there already is a success.
    Migrate(Migrate),
    /// Move it to another Proxmox cluster.
    RemoteMigrate(Box<RemoteMigrate>),
    /// Look whether [`CommandKind::Migrate`] would be possible: `Refused` with every blocker if not.
    CheckMigrate(Migrate),
    /// Make the stopped VM a template without anybody's identity.
    MakeTemplate,
    /// The CD drive, and what is booted from.
    SetMedia {
        /// Such as `local:iso/rescue.iso`; empty: no CD.
        iso_volid: String,
        /// Before the disk.
        boot_from_cd: bool,
    },
    /// The VM's firewall as a whole.
    SetFirewall(Box<Firewall>),
    /// Put the pod's stamp on a VM that bears none.
    Adopt,
    /// Take the pod's stamp off a VM; one that does not bear it, or is absent, is a success.
    Release,
}

/// How consistent a backup is, against how much the guest notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupMode {
    /// While it runs.
    Snapshot,
    /// Paused for the time of it.
    Suspend,
    /// Shut down, and started again.
    Stop,
}

/// A move within a Proxmox cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrate {
    /// Proxmox's name of the node.
    pub target_node: String,
    /// While it runs; otherwise it has to be stopped.
    pub online: bool,
    /// Copy disks that are not on a shared storage.
    pub with_local_disks: bool,
    /// For local disks; empty: the same name.
    pub target_storage: String,
    /// In MiB/s; 0: Proxmox's own limit.
    pub bandwidth_mibps: u64,
    /// What it strains beside its own host's storage; the agent is not told.
    pub copy: Copying,
}

/// From where to where a move copies disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copying {
    /// The storage that they are on.
    pub source_storage: String,
    /// The server that they go to.
    pub target: ServerId,
}

/// A move to another Proxmox cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct RemoteMigrate {
    /// Its address.
    pub target_host: String,
    /// Its API's port.
    pub target_port: u16,
    /// An API token of it, `user@realm!id=secret`. Never logged.
    pub target_token: String,
    /// SHA-256 of its certificate, `AA:BB:…`.
    pub target_fingerprint: String,
    /// The VM's number there.
    pub target_vmid: u32,
    /// The bridge there.
    pub target_bridge: String,
    /// The storage there.
    pub target_storage: String,
    /// While it runs.
    pub online: bool,
    /// What it strains beside its own host's storage; the agent is not told.
    pub copy: Copying,
}

/// A VM's firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// Whether it filters at all.
    pub enabled: bool,
    /// What happens to inbound traffic that no rule names.
    pub policy_in: FirewallAction,
    /// What happens to outbound traffic that no rule names.
    pub policy_out: FirewallAction,
    /// In order; the first match decides.
    pub rules: Vec<FirewallRule>,
    /// Only from the VM's own MAC addresses.
    pub mac_filter: bool,
    /// Only from `addresses`.
    pub ip_filter: bool,
    /// What each network card, by its index, may send from.
    pub addresses: Vec<(u32, Vec<String>)>,
}

/// What a firewall does to a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirewallAction {
    /// Lets it pass.
    #[default]
    Accept,
    /// Drops it silently.
    Drop,
    /// Refuses it.
    Reject,
}

/// One rule of a firewall. Empty texts mean any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirewallRule {
    /// Inbound, else outbound.
    pub inbound: bool,
    /// What to do.
    pub action: FirewallAction,
    /// `tcp`, `udp`, `icmp`, `ipv6-icmp`.
    pub protocol: String,
    /// CIDR.
    pub source: String,
    /// CIDR.
    pub destination: String,
    /// `80`, `8000:8100`, or a list of such with commas.
    pub source_ports: String,
    /// Likewise.
    pub destination_ports: String,
    /// For people.
    pub comment: String,
}

/// Size, cloud-init and network of a VM.
#[derive(Clone, PartialEq, Default)]
pub struct Configure {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The user that cloud-init makes.
    pub cloud_init_user: String,
    /// Public SSH keys for that user.
    pub ssh_keys: Vec<String>,
    /// Those and no others: where there are none, what is there is taken away.
    pub exact_ssh_keys: bool,
    /// Its network cards, by index.
    pub nics: Vec<Nic>,
    /// Name servers.
    pub nameservers: Vec<String>,
    /// Search domain; empty: none.
    pub search_domain: String,
    /// For cloud-init; empty: none. Never logged.
    pub password: String,
    /// Start it with the host.
    pub start_on_boot: bool,
    /// What Proxmox, and by cloud-init the guest, calls it; empty: as it is.
    pub name: String,
    /// No other cards, addresses, resolvers and password: what else is there is taken away.
    pub exact: bool,
    /// No other cards, with their addresses: what else is there is taken away, trunks and pulled plugs too.
    pub exact_nics: bool,
}

/// A network card.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Nic {
    /// `net0` is 0.
    pub index: u32,
    /// The host's bridge.
    pub bridge: String,
    /// VLAN tag; `None`: untagged.
    pub vlan: Option<u32>,
    /// MAC address; empty: as the clone got it.
    pub mac: String,
    /// Addresses in CIDR notation, v4 or v6.
    pub addresses: Vec<String>,
    /// IPv4 gateway; empty: none.
    pub gateway4: String,
    /// IPv6 gateway; empty: none.
    pub gateway6: String,
    /// Megabytes per second, as Proxmox counts; 0: unlimited.
    pub rate_mbps: f64,
}

// Written by hand, because a password must not reach a log.
impl std::fmt::Debug for CommandKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl CommandKind {
    /// The storage of its host that it strains for long, because it copies a whole disk; empty: the one that the host chooses.
    /// `None`: it does not.
    #[must_use]
    pub fn strains(&self) -> Option<&str> {
        match self {
            Self::Clone { full: true, storage, .. }
            | Self::MakeBackup { storage, .. }
            | Self::RestoreBackup { storage, .. } => Some(storage),
            Self::Migrate(Migrate { with_local_disks: true, copy, .. }) => Some(&copy.source_storage),
            Self::RemoteMigrate(remote) => Some(&remote.copy.source_storage),
            _ => None,
        }
    }

    /// The storage of another host that it strains as well.
    #[must_use]
    pub fn strains_there(&self) -> Option<(ServerId, &str)> {
        match self {
            Self::Migrate(Migrate { with_local_disks: true, target_storage, copy, .. }) => {
                let storage = if target_storage.is_empty() { &copy.source_storage } else { target_storage };
                Some((copy.target, storage))
            }
            Self::RemoteMigrate(remote) => Some((remote.copy.target, &remote.target_storage)),
            _ => None,
        }
    }

    /// Its name in logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Clone { .. } => "clone",
            Self::Configure(_) => "configure",
            Self::ResizeDisk { .. } => "resize_disk",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Shutdown { .. } => "shutdown",
            Self::Reboot { .. } => "reboot",
            Self::Destroy => "destroy",
            Self::WaitPower { .. } => "wait_power",
            Self::Inspect => "inspect",
            Self::SetOptions { .. } => "set_options",
            Self::SetPassword { .. } => "set_password",
            Self::TakeSnapshot { .. } => "take_snapshot",
            Self::Rollback { .. } => "rollback",
            Self::DeleteSnapshot { .. } => "delete_snapshot",
            Self::ListSnapshots => "list_snapshots",
            Self::MakeBackup { .. } => "make_backup",
            Self::RestoreBackup { .. } => "restore_backup",
            Self::DeleteBackup { .. } => "delete_backup",
            Self::ListBackups { .. } => "list_backups",
            Self::Migrate(_) => "migrate",
            Self::RemoteMigrate(_) => "remote_migrate",
            Self::CheckMigrate(_) => "check_migrate",
            Self::MakeTemplate => "make_template",
            Self::SetMedia { .. } => "set_media",
            Self::SetFirewall(_) => "set_firewall",
            Self::Adopt => "adopt",
            Self::Release => "release",
        }
    }
}

/// A command as it is sent.
#[derive(Clone, Debug)]
pub struct Order {
    /// The same id is the same command: run at most once, its result repeated.
    pub id: CommandId,
    /// To be repeated in the result.
    pub epoch: u64,
    /// When the agent gives up.
    pub deadline: Ms,
    /// What to do.
    pub command: AgentCommand,
}

/// No agent of that server is connected to this control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotConnected;

/// The way to the agents; the gRPC sessions implement it.
pub trait AgentPort: Send + Sync {
    /// Puts an order on the way; a full queue closes the session, so that whatever is sent is either delivered or repeated.
    fn send(&self, order: Order) -> Result<(), NotConnected>;

    /// Asks the agent to abort; the result still comes.
    fn cancel(&self, server: ServerId, command: CommandId, epoch: u64) -> Result<(), NotConnected>;

    /// The same through the control plane that holds the agent's session, if another one does. It may get lost: then the
    /// agent hears of it in its next session.
    fn cancel_elsewhere(&self, _server: ServerId, _command: CommandId, _epoch: u64) {}

    /// The servers whose agents are connected here.
    fn connected(&self) -> Vec<ServerId>;

    /// Whether that server's agent is connected here.
    fn is_connected(&self, server: ServerId) -> bool {
        self.connected().contains(&server)
    }
}
