//! What the control plane orders of an agent and what comes back, in terms of neither wire nor Proxmox.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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

/// Whether a VM is there. Only `Absent` frees what it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Nobody knows.
    Unknown,
    /// It is there.
    Present,
    /// It is certainly not there.
    Absent,
}

/// The power state of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Nobody knows.
    Unknown,
    /// Running.
    Running,
    /// Stopped.
    Stopped,
    /// Paused in memory.
    Paused,
}

impl Power {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
        }
    }

    /// As it was stored; anything else is unknown.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "running" => Self::Running,
            "stopped" => Self::Stopped,
            "paused" => Self::Paused,
            _ => Self::Unknown,
        }
    }
}

/// What a command brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// Whether the VM is there now.
    pub presence: Presence,
    /// Its power state now.
    pub power: Power,
    /// The VM.
    pub vmid: u32,
    /// Warnings of a Proxmox task that succeeded with warnings.
    pub warnings: Vec<String>,
    /// Proxmox's task; empty: none.
    pub upid: String,
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandFailure {
    /// What kind of failure: decides whether to try again.
    pub kind: FailureKind,
    /// Proxmox's own words.
    pub message: String,
    /// Proxmox's task; empty: none.
    pub upid: String,
    /// What is known of the VM after it.
    pub presence: Presence,
}

/// The kinds of failure, as in the contract with the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No answer in time: the outcome is unknown.
    Timeout,
    /// The VM, or its configuration file, is locked.
    Locked,
    /// Proxmox does not answer, or with 5xx and no cause.
    Unavailable,
    /// Proxmox refused a parameter.
    BadParameter,
    /// Template, storage, bridge or VM missing.
    NotFound,
    /// The agent's token may not do it.
    Permission,
    /// Another VM has this VMID.
    VmidTaken,
    /// The storage is full.
    NoSpace,
    /// A Proxmox task failed for another reason.
    TaskFailed,
    /// The agent is too old for the command.
    Unsupported,
    /// The agent's ledger cannot be written: nothing was started.
    Ledger,
    /// Aborted on request.
    Cancelled,
    /// The VM at this VMID does not bear this pod's stamp: it was left alone.
    ForeignVm,
    /// A Proxmox task vanished or was killed: the outcome is unknown.
    Lost,
    /// The command's deadline passed.
    Deadline,
}

impl FailureKind {
    /// Whether the same command may succeed later without anybody changing anything.
    #[must_use]
    pub fn retryable(self) -> bool {
        match self {
            Self::Timeout
            | Self::Locked
            | Self::Unavailable
            | Self::TaskFailed
            | Self::Ledger
            | Self::Lost
            | Self::Deadline => true,
            Self::BadParameter
            | Self::NotFound
            | Self::Permission
            | Self::VmidTaken
            | Self::NoSpace
            | Self::Unsupported
            | Self::Cancelled
            | Self::ForeignVm => false,
        }
    }

    /// Stable, for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Timeout => "proxmox_timeout",
            Self::Locked => "vm_locked",
            Self::Unavailable => "proxmox_unavailable",
            Self::BadParameter => "proxmox_bad_parameter",
            Self::NotFound => "proxmox_not_found",
            Self::Permission => "proxmox_permission",
            Self::VmidTaken => "vmid_taken",
            Self::NoSpace => "storage_full",
            Self::TaskFailed => "proxmox_task_failed",
            Self::Unsupported => "agent_unsupported",
            Self::Ledger => "agent_ledger",
            Self::Cancelled => "cancelled",
            Self::ForeignVm => "foreign_vm",
            Self::Lost => "proxmox_task_lost",
            Self::Deadline => "deadline",
        }
    }
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

    /// The servers whose agents are connected here.
    fn connected(&self) -> Vec<ServerId>;

    /// Whether that server's agent is connected here.
    fn is_connected(&self, server: ServerId) -> bool {
        self.connected().contains(&server)
    }
}
