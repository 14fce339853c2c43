//! What agents tell of their hosts, and the ways to reach an agent that a service needs.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Ms;
use crate::domain::jobs::Power;
use crate::domain::jobs::command::{FirewallAction, NotConnected};
use crate::ids::{CloudPodId, CommandId, ServerId};

/// Who an agent says that it is, at the beginning of its session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Of `mpanel-agent`.
    pub agent_version: String,
    /// Of this run of the agent: a new one at every start.
    pub boot_id: String,
    /// Of the host: tells two hosts with one identity apart.
    pub machine_id: String,
}

/// How a host is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heartbeat {
    /// The host's clock when it was sent.
    pub clock: Ms,
    /// 0..=1, of all threads.
    pub cpu_load: f64,
    /// Hardware threads; 0: not known.
    pub cpu_threads: u32,
    /// All memory; 0: not known.
    pub memory_total_mib: u64,
    /// Memory in use.
    pub memory_used_mib: u64,
    /// Proxmox's storages.
    pub storages: Vec<StorageSeen>,
    /// Such as `8.4.21`; empty while Proxmox does not answer.
    pub pve_version: String,
    /// Proxmox's name of the host; empty while Proxmox does not answer.
    pub node_name: String,
    /// Empty on a host that is in no cluster.
    pub cluster_name: String,
    /// Whether the node may write its configuration.
    pub quorate: bool,
    /// When the agent's certificate ends.
    pub certificate_not_after: Option<Ms>,
    /// Why Proxmox does not answer; empty when it does.
    pub pve_error: String,
    /// Why the agent can accept no command; empty when it can.
    pub ledger_error: String,
    /// Free space beside the ledger.
    pub ledger_free_mib: u64,
    /// Since the host booted.
    pub uptime_s: u64,
    /// Whether the datacenter's firewall is on, without which no VM's filters anything; `None`: not known.
    pub datacenter_firewall: Option<bool>,
}

impl Heartbeat {
    /// Whether Proxmox answered, so that what is said of the host is true.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.pve_error.is_empty() && !self.node_name.is_empty()
    }

    /// What keeps the host from working, for people; empty when nothing does.
    #[must_use]
    pub fn problem(&self) -> String {
        if self.pve_error.is_empty() {
            self.refusal()
        } else {
            format!("Proxmox does not answer the agent: {}", self.pve_error)
        }
    }

    /// Why nothing that is ordered there would be done, for people; empty: nothing known.
    #[must_use]
    pub fn refusal(&self) -> String {
        if !self.ledger_error.is_empty() {
            format!("the agent accepts no commands, because its ledger cannot be written: {}", self.ledger_error)
        } else if !self.quorate && !self.node_name.is_empty() {
            "the node has lost the quorum of its cluster: Proxmox refuses every change until it is back".to_owned()
        } else {
            String::new()
        }
    }

    /// The storages that may hold backups; `None`: not told.
    #[must_use]
    pub fn backup_storages(&self) -> Option<Vec<String>> {
        if !self.is_complete() || self.storages.iter().all(|storage| storage.holds_backups.is_none()) {
            return None;
        }
        let holding = self.storages.iter().filter(|storage| storage.holds_backups == Some(true));
        Some(holding.map(|storage| storage.name.clone()).collect())
    }
}

/// One of Proxmox's storages as the agent saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StorageSeen {
    /// Its id.
    pub name: String,
    /// Enabled, and it answers.
    pub active: bool,
    /// The same on all nodes of the cluster.
    pub shared: bool,
    /// It may hold VM disks.
    pub holds_images: bool,
    /// It may hold backups; `None`: its agent does not tell.
    pub holds_backups: Option<bool>,
    /// All of it.
    pub total_mib: u64,
    /// What is taken.
    pub used_mib: u64,
    /// Proxmox's type: `dir`, `lvmthin`, `zfspool`, ….
    pub kind: String,
}

/// The VMs on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// What is not listed does not exist; otherwise only what changed is listed.
    pub full: bool,
    /// VMs, ours or not, templates included.
    pub vms: Vec<InventoryVm>,
    /// VMIDs seen to be absent since the last inventory; only where `full` is false.
    pub gone: Vec<u32>,
    /// The host's clock when it looked.
    pub observed: Ms,
    /// The host's bridges.
    pub bridges: Vec<String>,
}

/// One VM on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoryVm {
    /// Its number, one space per Proxmox cluster.
    pub vmid: u32,
    /// Its name; may be empty.
    pub name: String,
    /// Its power.
    pub power: Power,
    /// A template cannot run.
    pub template: bool,
    /// The pod of our stamp; `None` on a foreign VM.
    pub pod: Option<CloudPodId>,
    /// The command of our stamp.
    pub command: Option<CommandId>,
    /// Proxmox's lock, such as `clone`; empty: none.
    pub lock: String,
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory that it may have.
    pub memory_mib: u64,
    /// Size of its boot disk.
    pub disk_mib: u64,
    /// Since QEMU was started.
    pub uptime_s: u64,
    /// It starts with its host.
    pub start_on_boot: bool,
    /// Its network cards, where the host tells of them: of a VM of ours that is no template.
    pub cards: Option<Vec<Card>>,
    /// The options of its firewall, likewise.
    pub firewall: Option<FirewallOptions>,
}

/// A network card that a VM has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// `net0` is 0.
    pub index: u32,
    /// The host's bridge; empty: it is attached to none.
    pub bridge: String,
    /// VLAN tag; `None`: untagged.
    pub vlan: Option<u32>,
    /// MAC address; empty: not told.
    pub mac: String,
    /// It leads through the VM's firewall.
    pub firewall: bool,
    /// Its plug is pulled. An agent from before this is told says `false`.
    #[serde(default)]
    pub link_down: bool,
    /// The VLANs that pass through with their tags, as in `5;7-9`; empty: none. Likewise.
    #[serde(default)]
    pub trunks: String,
}

/// The options of a VM's firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirewallOptions {
    /// Whether anything is filtered at all.
    pub enabled: bool,
    /// What happens to inbound traffic that no rule names; `None`: not known.
    pub policy_in: Option<FirewallAction>,
    /// What happens to outbound traffic that no rule names; `None`: not known.
    pub policy_out: Option<FirewallAction>,
    /// It sends only from its own MAC addresses.
    pub mac_filter: bool,
    /// It sends only from the addresses that it holds.
    pub ip_filter: bool,
}

/// What a probe of a host shall look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeSpec {
    /// Storages that must be usable.
    pub storages: Vec<String>,
    /// Bridges that must exist.
    pub bridges: Vec<String>,
    /// Templates that must exist, by VMID.
    pub templates: Vec<u32>,
}

/// What an agent's probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeReport {
    /// In the order in which they were made.
    pub checks: Vec<Check>,
    /// From the question to the first answer.
    pub round_trip: Duration,
    /// The host's clock when it answered.
    pub clock: Option<Ms>,
    /// Every check answered in time.
    pub complete: bool,
}

/// One line of a connection test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Check {
    /// Stable, for programs: `session`, `proxmox`, `storage`, ….
    pub name: String,
    /// How it went.
    pub state: CheckState,
    /// Milliseconds that it took.
    pub took_ms: u64,
    /// What was found.
    pub message: String,
    /// What to do; empty when all is well.
    pub advice: String,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// It works, but look at it.
    Warn,
    /// Provisioning will fail.
    Fail,
}

/// Lets an agent look at its host; the gRPC sessions implement it.
#[async_trait]
pub trait Prober: Send + Sync {
    /// Asks the agent and waits at most `within`; what has not answered by then is missing from the report.
    async fn probe(&self, server: ServerId, spec: ProbeSpec, within: Duration) -> Result<ProbeReport, NotConnected>;
}

/// Why a session is closed from this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// Its certificate counts no more: the agent must enrol again.
    Revoked,
    /// A newer session than this one of the same server exists. Only this one is closed: the newer may be here as well.
    Superseded {
        /// Which.
        epoch: u64,
    },
}

/// The agents' sessions of this process; the gRPC sessions implement it.
pub trait Sessions: Send + Sync {
    /// Closes the session of that server, if this process holds one.
    fn close(&self, server: ServerId, reason: CloseReason);
}
