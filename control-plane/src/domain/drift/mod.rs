//! Drift: what hosts show against what is wanted. A difference is opened and closed by the inventories; nothing is ever
//! deleted to match, and only the power and the network of a pod are put right by itself, if so configured.
//!
//! A difference is *settling* until it has lasted for a while: an inventory may be older than what a job did meanwhile.

mod compare;
mod network;
pub mod routes;
pub mod service;
mod store;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Ms;
use crate::ids::{CloudPodId, DriftId, JobId, ServerId, TenantId};

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DriftKind)]
pub enum Kind {
    /// A pod's VM is not on its host, nor anywhere else.
    VmMissing,
    /// It runs and should not, or the other way round.
    Power,
    /// CPUs, memory or disk.
    Size,
    /// A pod's VM is on another host, or under another number.
    Moved,
    /// It bears another name.
    Renamed,
    /// It starts with its host and should not, or the other way round.
    Autostart,
    /// Its network cards are not those that it was given.
    Network,
    /// Its firewall is not set as it was.
    Firewall,
    /// A Proxmox lock was left on it.
    Locked,
    /// Another VM bears the stamp of a pod that has its own.
    Duplicate,
    /// A VM bears our stamp, and its pod is gone or has no VM.
    Orphan,
}

impl Kind {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VmMissing => "vm_missing",
            Self::Power => "power",
            Self::Size => "size",
            Self::Moved => "moved",
            Self::Renamed => "renamed",
            Self::Autostart => "autostart",
            Self::Network => "network",
            Self::Firewall => "firewall",
            Self::Locked => "locked",
            Self::Duplicate => "duplicate",
            Self::Orphan => "orphan",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "vm_missing" => Self::VmMissing,
            "power" => Self::Power,
            "size" => Self::Size,
            "moved" => Self::Moved,
            "renamed" => Self::Renamed,
            "autostart" => Self::Autostart,
            "network" => Self::Network,
            "firewall" => Self::Firewall,
            "locked" => Self::Locked,
            "duplicate" => Self::Duplicate,
            "orphan" => Self::Orphan,
            _ => return None,
        })
    }

    /// How long it has to last before it counts. Backups lock a VM for as long as they take.
    fn settles(self, grace: Duration) -> Duration {
        if self == Self::Locked { grace.max(LOCK_SETTLES) } else { grace }
    }

    /// What can be done about it.
    #[must_use]
    pub fn actions(self) -> &'static [Action] {
        match self {
            Self::Power | Self::Autostart => &[Action::Accept, Action::Heal],
            // What nobody wanted in a tenant's network is not to be wanted by a click.
            Self::Network | Self::Firewall => &[Action::Heal],
            Self::Size | Self::Moved | Self::Renamed => &[Action::Accept],
            Self::Orphan => &[Action::Accept, Action::Release, Action::Destroy],
            Self::Duplicate => &[Action::Release, Action::Destroy],
            Self::VmMissing | Self::Locked => &[],
        }
    }

    /// What to do, for people.
    #[must_use]
    pub fn cure(self) -> &'static str {
        match self {
            Self::VmMissing => {
                "bring the VM back by hand or restore the pod from a backup; or destroy the pod, which frees what it holds"
            }
            Self::Power => "`mpanel drift heal` starts or stops it; `mpanel drift accept` wants it as it is",
            Self::Size => "`mpanel drift accept` takes the size that was seen; or give the VM its size back by hand",
            Self::Moved => {
                "`mpanel drift accept` takes its new place, once both hosts confirm it, or the old one was declared lost; or move it back by hand"
            }
            Self::Renamed => "`mpanel drift accept` takes the new name; or rename it back by hand",
            Self::Autostart => {
                "`mpanel drift heal` sets whether it starts with its host as it is wanted; `mpanel drift accept` wants it as it is"
            }
            Self::Network => {
                "`mpanel drift heal` gives it the network cards again that it was given, and no others: until then its guest may be cut \
                 off, or in a network that is not its own"
            }
            Self::Firewall => {
                "a matter of security: without its filters the guest can send from addresses that are not its own, and what its rules \
                 keep off may reach it; `mpanel drift heal` sets its firewall again as it is wanted"
            }
            Self::Locked => "look for a task that still runs; if none does, `qm unlock` on the host",
            Self::Duplicate => {
                "find out which of the two is the customer's; `mpanel drift destroy` removes this copy, `mpanel drift release` takes \
                 our stamp off it and leaves it to you"
            }
            Self::Orphan => {
                "`mpanel drift accept` gives it back to its pod, if that is failed and has no other VM; `mpanel drift release` takes \
                 our stamp off it and leaves it to you; `mpanel drift destroy` removes it for good"
            }
        }
    }
}

/// A lock counts as left over after so long.
const LOCK_SETTLES: Duration = Duration::from_mins(30);

/// What can be done about a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DriftAction)]
pub enum Action {
    /// What is seen becomes what is wanted.
    Accept,
    /// A job puts it back as it is wanted.
    Heal,
    /// A job takes our stamp off the VM, on a typed confirmation: it is somebody else's from then on.
    Release,
    /// A job removes the VM, on a typed confirmation.
    Destroy,
}

/// How drift is dealt with: section `[drift]`.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// How long a difference has to last before it counts.
    pub grace: Duration,
    /// Whether pods are started and stopped by itself as they are wanted.
    pub heal_power: bool,
    /// Whether their network cards and firewalls are set again by itself as they are wanted.
    pub heal_network: bool,
    /// How often that is tried for one difference.
    pub heal_tries: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self { grace: Duration::from_mins(1), heal_power: false, heal_network: false, heal_tries: 3 }
    }
}

/// A difference as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    /// Its id.
    pub id: DriftId,
    /// What differs.
    pub kind: Kind,
    /// The pod, as the VM's stamp says.
    pub pod: CloudPodId,
    /// Its name; `None`: there never was such a pod.
    pub pod_name: Option<String>,
    /// Whose it is.
    pub tenant: Option<TenantId>,
    /// On which host the VM is, or should be.
    pub server: ServerId,
    /// The host's name.
    pub server_name: String,
    /// The VM's number there.
    pub vmid: u32,
    /// What is wanted; an object.
    pub expected: serde_json::Value,
    /// What is seen; an object.
    pub seen: serde_json::Value,
    /// When it was first seen.
    pub since: Ms,
    /// When it was last confirmed; at most a minute is left out.
    pub last_seen: Ms,
    /// When it was over.
    pub closed_at: Option<Ms>,
    /// How often it was tried to put it right.
    pub heal_tries: u32,
    /// When that was last.
    pub healed_at: Option<Ms>,
    /// The newest job that tries.
    pub heal_job: Option<JobId>,
}

/// Which differences to list.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// On this host.
    pub server: Option<ServerId>,
    /// Of this pod.
    pub pod: Option<CloudPodId>,
    /// Those that are over instead of those that are open.
    pub closed: bool,
}
