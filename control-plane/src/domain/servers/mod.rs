//! Servers: registered Proxmox VE hosts with an agent each. What the operator wants of one ([`Scheduling`]) and what is
//! known of it ([`Connection`]) are kept apart and both always shown.
//!
//! ```text
//!   connection    pending ──session──▶ online ──lost──▶ offline
//!                                        ▲                │
//!                                        └────session─────┘
//!   scheduling    online ⇄ locked ⇄ draining ⇄ online      (the operator's word alone)
//! ```

pub mod capacity;
mod check;
pub mod endpoint;
pub mod facts;
pub mod history;
pub mod holdings;
pub mod identity;
pub mod lost;
pub mod overview;
pub mod probe;
pub mod query;
pub mod routes;
pub mod service;
pub mod stamped;
mod store;
pub mod view;
pub mod watch;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::clock::Ms;
use crate::ids::ServerId;

pub use capacity::change::Held;
pub use capacity::moves::{IdleMove, Method, Move, MoveNew, Sighting};
pub use capacity::{ServerCapacity, StorageCapacity, TemplateSeen};
pub use check::{ServerCreate, ServerPatch, StatusChange, StorageOffer};
pub use facts::{
    Card, Check, CheckState, CloseReason, FirewallOptions, Heartbeat, Hello, Inventory, InventoryVm, ProbeReport,
    ProbeSpec, Prober, Sessions, StorageSeen,
};
pub use history::HealthStep;
pub use identity::{EnrolmentCommand, Redemption};
pub use probe::TestReport;
pub use watch::{Admission, HealthSample};

/// A registered host.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Unique among the servers there are.
    pub name: String,
    /// Where it stands, in the operator's words.
    pub region: String,
    /// For placement.
    pub labels: BTreeMap<String, String>,
    /// The bridge that pods are attached to.
    pub bridge: String,
    /// The lowest VMID given to a pod on it.
    pub vmid_min: u32,
    /// The highest.
    pub vmid_max: u32,
    /// The space that its VMIDs are unique in: the cluster's name, or its own id.
    pub vmid_space: String,
    /// The storage that backups of its pods go to when nobody says otherwise.
    pub backup_storage: Option<String>,
    /// The operator's limits.
    pub limits: Limits,
    /// What reservations hold.
    pub reserved: Reserved,
    /// What the operator wants of it.
    pub scheduling: Scheduling,
    /// Whether its agent is there.
    pub connection: Connection,
    /// What its agent told.
    pub seen: Seen,
    /// By name.
    pub storages: Vec<ServerStorage>,
    /// What is wrong with it, for people; empty: nothing known.
    pub problem: String,
    /// When it was declared lost; `None`: it was not, or is back and fenced.
    pub lost_at: Option<Ms>,
    /// Raised by each such declaration.
    pub generation: u64,
    /// Raised by every change of the operator's.
    pub version: i64,
    /// When it was registered.
    pub created_at: Ms,
    /// When the operator last changed it.
    pub updated_at: Ms,
}

/// The operator's limits; `None`: what the agent reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Hardware threads to count with.
    pub cpu_threads: Option<u32>,
    /// Virtual CPUs per thread.
    pub cpu_overcommit: f64,
    /// Memory to give to pods.
    pub memory_mib: Option<u64>,
    /// The most pods; `None`: no limit.
    pub pod_limit: Option<u32>,
}

/// What reservations hold of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Reserved {
    /// Virtual CPUs.
    pub vcpu: u64,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Pods.
    pub pods: u64,
}

/// What the operator wants of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduling {
    /// The state asked for.
    pub state: SchedulingState,
    /// Why, in the operator's words.
    pub reason: String,
    /// Since when.
    pub since: Ms,
    /// When a drain is to be over.
    pub deadline: Option<Ms>,
}

/// Whether anything may be placed on a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchedulingState {
    /// Open.
    Online,
    /// Nothing new; what runs stays.
    Locked,
    /// Nothing new; what runs is to go elsewhere.
    Draining,
}

impl SchedulingState {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Locked => "locked",
            Self::Draining => "draining",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "online" => Some(Self::Online),
            "locked" => Some(Self::Locked),
            "draining" => Some(Self::Draining),
            _ => None,
        }
    }
}

/// Whether a server's agent is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where it is in the diagram above.
    pub state: ConnectionState,
    /// Since when.
    pub since: Ms,
}

/// The states of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// No agent ever came.
    Pending,
    /// Its agent holds a session.
    Online,
    /// Its agent is not heard. Unreachable is not dead: its VMs may well run.
    Offline,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// The agent opened a session, or was heard in the newest one.
    Heard,
    /// The newest session ended, or fell silent.
    Lost,
}

impl ConnectionState {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Online => "online",
            Self::Offline => "offline",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "pending" => Some(Self::Pending),
            "online" => Some(Self::Online),
            "offline" => Some(Self::Offline),
            _ => None,
        }
    }
}

impl Connection {
    /// What the connection is after `event`; `since` moves only when the state does.
    #[must_use]
    pub fn after(self, event: ConnectionEvent, at: Ms) -> Self {
        let state = match (self.state, event) {
            (_, ConnectionEvent::Heard) => ConnectionState::Online,
            (ConnectionState::Online | ConnectionState::Offline, ConnectionEvent::Lost) => ConnectionState::Offline,
            // A server that never had a session has none to lose.
            (ConnectionState::Pending, ConnectionEvent::Lost) => ConnectionState::Pending,
        };
        if state == self.state { self } else { Self { state, since: at } }
    }
}

/// What a server's agent told of it; `None`: nothing yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// When it was last heard.
    pub last_seen_at: Option<Ms>,
    /// Raised by every session.
    pub session_epoch: u64,
    /// Of `mpanel-agent`.
    pub agent_version: Option<String>,
    /// Of the run of the agent.
    pub boot_id: Option<String>,
    /// Of the host.
    pub machine_id: Option<String>,
    /// Of Proxmox VE.
    pub pve_version: Option<String>,
    /// Proxmox's name of the host.
    pub node_name: Option<String>,
    /// Of the Proxmox cluster; empty: it is in none.
    pub cluster_name: Option<String>,
    /// Hardware threads.
    pub cpu_threads: Option<u32>,
    /// All memory.
    pub memory_mib: Option<u64>,
    /// The host's bridges.
    pub bridges: Vec<String>,
    /// Whether the firewall of its datacenter is on, without which no VM's filters anything.
    pub datacenter_firewall: Option<bool>,
    /// When the last inventory came.
    pub inventory_at: Option<Ms>,
    /// Why nothing that is ordered there would be done; empty: nothing known.
    pub refuses: String,
    /// Since when its agent is heard without an answer of Proxmox.
    pub proxmox_silent_since: Option<Ms>,
    /// The storages that may hold backups.
    pub backup_storages: Option<Vec<String>>,
}

/// One storage of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStorage {
    /// Proxmox's id of it.
    pub name: String,
    /// Whether pods may be placed on it.
    pub offered: bool,
    /// The operator's limit; `None`: what the agent reports.
    pub disk_gib: Option<u64>,
    /// All of it, as the agent saw it.
    pub seen_total_gib: Option<u64>,
    /// What is taken of it, as the agent saw it.
    pub seen_used_gib: Option<u64>,
    /// Enabled, and it answers.
    pub active: bool,
    /// The same on all nodes of the cluster.
    pub shared: bool,
    /// Proxmox's type; empty: not seen yet.
    pub kind: String,
    /// What reservations hold.
    pub reserved_gib: u64,
}

impl ServerStorage {
    /// What may be reserved in all. Without a limit of the operator's that is the storage's size, but never more than what
    /// is held already and what is free: others may use the storage too.
    #[must_use]
    pub fn capacity_gib(&self) -> u64 {
        if let Some(limit) = self.disk_gib {
            return limit;
        }
        let total = self.seen_total_gib.unwrap_or(0);
        let free = total.saturating_sub(self.seen_used_gib.unwrap_or(0));
        total.min(self.reserved_gib.saturating_add(free))
    }
}

impl Server {
    /// Virtual CPUs that may be reserved in all.
    #[must_use]
    pub fn vcpu_capacity(&self) -> u64 {
        vcpu_capacity(self.limits.cpu_threads.or(self.seen.cpu_threads), self.limits.cpu_overcommit)
    }

    /// Memory that may be reserved in all, in MiB.
    #[must_use]
    pub fn memory_capacity_mib(&self) -> u64 {
        self.limits.memory_mib.or(self.seen.memory_mib).unwrap_or(0)
    }

    /// Whether backups can be made on this storage, as far as its agent has told; else why not, and what to do.
    pub fn takes_backups(&self, storage: &str) -> std::result::Result<(), String> {
        let Some(known) = &self.seen.backup_storages else { return Ok(()) };
        if known.iter().any(|name| name == storage) {
            return Ok(());
        }
        let cure = if known.is_empty() {
            "it has none: let one hold backups in Proxmox (content `backup`)".to_owned()
        } else {
            format!("choose one of: {}", known.join(", "))
        };
        Err(format!("server {} has no storage `{storage}` that may hold backups; {cure}", self.name))
    }

    /// Whether its agent has told enough for anything to be placed on it: figures, and which VMIDs are in use.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.seen.node_name.is_some() && self.seen.inventory_at.is_some()
    }
}

/// Threads × overcommit, rounded down. The small addend keeps 3 × 1.1 × 10 from being 32.
pub(super) fn vcpu_capacity(threads: Option<u32>, overcommit: f64) -> u64 {
    (f64::from(threads.unwrap_or(0)) * overcommit + VCPU_ROUNDING).floor() as u64
}

/// Smaller than any real difference between two products of a thread count and an overcommit ratio.
pub(super) const VCPU_ROUNDING: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_moves_only_along_the_diagram() {
        use ConnectionEvent::{Heard, Lost};
        use ConnectionState::{Offline, Online, Pending};
        for (from, event, to) in [
            (Pending, Heard, Online),
            (Pending, Lost, Pending),
            (Online, Heard, Online),
            (Online, Lost, Offline),
            (Offline, Heard, Online),
            (Offline, Lost, Offline),
        ] {
            let before = Connection { state: from, since: Ms(1) };
            let after = before.after(event, Ms(2));
            assert_eq!(after.state, to, "{from:?} after {event:?}");
            assert_eq!(after.since, if from == to { Ms(1) } else { Ms(2) }, "{from:?} after {event:?}");
        }
    }

    #[test]
    fn virtual_cpus_are_rounded_down_but_not_for_a_float_s_sake() {
        assert_eq!(vcpu_capacity(Some(3), 1.1), 3);
        assert_eq!(vcpu_capacity(Some(30), 1.1), 33);
        assert_eq!(vcpu_capacity(Some(7), 0.5), 3);
        assert_eq!(vcpu_capacity(None, 4.0), 0);
    }

    #[test]
    fn a_storage_without_a_limit_counts_what_others_use() {
        let mut storage = ServerStorage {
            name: "local".into(),
            offered: true,
            disk_gib: None,
            seen_total_gib: Some(100),
            seen_used_gib: Some(90),
            active: true,
            shared: false,
            kind: "dir".into(),
            reserved_gib: 20,
        };
        assert_eq!(storage.capacity_gib(), 30);
        storage.seen_used_gib = Some(0);
        assert_eq!(storage.capacity_gib(), 100);
        storage.disk_gib = Some(500);
        assert_eq!(storage.capacity_gib(), 500);
        storage.disk_gib = None;
        storage.seen_total_gib = None;
        assert_eq!(storage.capacity_gib(), 0);
    }
}
