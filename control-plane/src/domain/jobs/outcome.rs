//! What comes back from an agent, in terms of neither wire nor Proxmox.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Ms;
use crate::ids::{CloudPodId, CommandId};

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
    /// After a command about snapshots: all that the VM has.
    pub snapshots: Vec<SnapshotSeen>,
    /// After a backup the one made, after a listing all of the pod's.
    pub backups: Vec<BackupSeen>,
    /// The node that has the VM, by Proxmox's name, where it is not the agent's own: after a migration, or found by a look.
    pub node: String,
    /// What was changed takes effect only once the VM is stopped and started.
    pub restart_needed: bool,
    /// The MAC addresses of the VM's network cards, by index; empty: not told.
    pub macs: BTreeMap<u32, String>,
}

impl CommandOutput {
    /// What every command brings, without what only some do.
    #[must_use]
    pub fn of(presence: Presence, power: Power, vmid: u32) -> Self {
        Self {
            presence,
            power,
            vmid,
            warnings: Vec::new(),
            upid: String::new(),
            snapshots: Vec::new(),
            backups: Vec::new(),
            node: String::new(),
            restart_needed: false,
            macs: BTreeMap::new(),
        }
    }
}

/// A snapshot as its host lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotSeen {
    /// Its name, one of the VM each.
    pub name: String,
    /// For people.
    pub description: String,
    /// When it was taken, by the host's clock.
    pub created_at: Ms,
    /// With the guest's memory.
    pub memory: bool,
    /// The one before it.
    pub parent: Option<String>,
}

/// A backup as its host lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupSeen {
    /// Proxmox's name of it.
    pub volid: String,
    /// When it was made, by the host's clock.
    pub created_at: Ms,
    /// In bytes.
    pub size_bytes: u64,
    /// Whose it is, by its notes.
    pub pod: Option<CloudPodId>,
    /// What made it, by its notes.
    pub command: Option<CommandId>,
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
    /// The guest agent does not run, or the VM has none configured.
    GuestAgent,
    /// It cannot be done as things are, with the reason.
    Refused,
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
            | Self::ForeignVm
            | Self::GuestAgent
            | Self::Refused => false,
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
            Self::GuestAgent => "guest_agent",
            Self::Refused => "proxmox_refused",
        }
    }
}
