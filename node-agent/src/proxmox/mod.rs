//! Proxmox VE, behind one trait.
//!
//! [`Hypervisor`] is all that the rest of the agent knows of Proxmox. Whatever it starts, it *begins* first and *follows* after, so
//! that the caller can write its ledger in between: accepted → `begin` → UPID written → `follow` → finished written.
//!
//! ```text
//! loop {
//!     match hypervisor.begin(&request).await? {
//!         Begun::Done => break,
//!         Begun::Task(upid) => { ledger(upid); hypervisor.follow(&request, &upid, watch).await?; break }
//!         Begun::Step(upid) => { ledger(upid); hypervisor.follow(&request, &upid, watch).await?; }
//!     }
//! }
//! let outcome = hypervisor.outcome(&request).await?;
//! ```
//!
//! After a crash: a command with a UPID is followed (and, if it was a step, begun again: beginning twice is harmless for all but a
//! reboot); one without is looked up with [`Hypervisor::find_task`], then begun.

mod amend;
mod backups;
mod client;
mod clone;
mod config;
mod configure;
mod console;
mod error;
mod fence;
mod firewall;
mod firewall_plan;
mod inventory;
mod media;
mod migrate;
mod migrate_checks;
mod node;
mod ops;
mod outcome;
mod probe;
mod snapshots;
mod specs;
mod stamp;
mod taken;
mod tasks;
mod tls;
mod types;
mod unanswered;
mod upid;
mod verdict;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

pub use config::{ApiToken, BadSetting, Fingerprint, PveConfig, Trust};
pub use console::Console;
pub use error::{ErrorKind, PveError, Result};
pub use node::Pve;
pub use probe::{PRIVILEGES, guest_privilege};
pub use specs::*;
pub use stamp::Stamp;
pub use tls::fetch_fingerprint;
pub use types::*;
pub use upid::{NotAUpid, Upid};

/// One Proxmox VE node. Every call has a timeout of its own; dropping a future abandons the call but undoes nothing.
#[async_trait]
pub trait Hypervisor: Send + Sync {
    /// Starts what the request asks for, or finds that it is done already. May be repeated: a clone whose VM bears the pod's stamp is
    /// done, a clone that runs is joined, a VM that is gone is destroyed. Only a reboot, repeated, reboots again.
    ///
    /// # Errors
    /// `ForeignVm` when the VM does not bear the pod's stamp, `VmidTaken` when a clone finds another VM at its VMID; `Timeout` and
    /// `Unavailable` leave open whether it was started.
    async fn begin(&self, request: &Request) -> Result<Begun>;

    /// Waits for a task's end, telling of its log. `request` is what it was begun for: it decides how a failure is read.
    ///
    /// # Errors
    /// `Deadline` and `Cancelled` after the task was stopped (a task that ended well before the stop reached it is a success);
    /// `Lost` when the task vanished or was killed; else what the exit status and the log tell.
    async fn follow(&self, request: &Request, upid: &Upid, watch: Watch<'_>) -> Result<TaskEnd>;

    /// Finds the task that `begin` started for this request, running or ended, not older than `since_ms` (Unix milliseconds, the
    /// host's clock): for a command whose UPID was not written down before the agent died.
    async fn find_task(&self, request: &Request, since_ms: i64) -> Result<Option<Upid>>;

    /// Asks a task to end and waits until it has; one that has ended already is a success.
    async fn stop_task(&self, upid: &Upid) -> Result<()>;

    /// Waits until the VM has this power.
    ///
    /// # Errors
    /// `Deadline` when it does not get there in time, `Cancelled`, `ForeignVm`, `NotFound`.
    async fn wait_power(&self, target: Target, power: Power, watch: Watch<'_>) -> Result<VmState>;

    /// Looks at one VMID and changes nothing. A foreign VM is reported as it is: compare the stamp.
    ///
    /// # Errors
    /// Whatever keeps Proxmox from answering; that is never `Absent`. `Locked` where no VM is found and a clone to the VMID may still
    /// come, as its call was not answered.
    async fn inspect(&self, vmid: u32) -> Result<VmState>;

    /// What there is to tell after an operation that ended well.
    ///
    /// # Errors
    /// Whatever keeps Proxmox from answering; `TaskFailed` when what the operation made is not there.
    async fn outcome(&self, request: &Request) -> Result<Outcome>;

    /// Looks at what a pod has and changes nothing.
    ///
    /// # Errors
    /// `Refused`, with every blocker, where a move is not possible; `ForeignVm`; whatever keeps Proxmox from answering.
    async fn look(&self, target: Target, look: &Look) -> Result<Outcome>;

    /// Stops the VM, if it bears the pod's stamp, and takes its start-on-boot away; tries until the deadline. Removes nothing.
    async fn fence(&self, target: Target, deadline: Instant) -> Fenced;

    /// What keeps a VM from being moved, whosever it is; without a node: to any of the cluster.
    async fn migrate_checks(&self, vmid: u32, target_node: Option<&str>) -> Result<MigrateCheck>;

    /// What there is on a storage, or on all of the node.
    async fn storage_content(&self, storage: Option<&str>, content: &str) -> Result<Vec<Volume>>;

    /// Opens the screen or a serial terminal of the pod's VM.
    ///
    /// # Errors
    /// `ForeignVm`; `Refused` where the VM does not run or has no such console.
    async fn open_console(&self, target: Target, kind: ConsoleKind) -> Result<Console>;

    /// Before the agent's restart a call that makes this VM was sent, and it is not known whether it was answered: for a while
    /// [`Self::inspect`] does not call the VMID free.
    fn may_come(&self, vmid: u32, called: Duration);

    /// All VMs of the node, with their stamps.
    async fn list_vms(&self) -> Result<Vec<Vm>>;

    /// What was read of VMs' configurations before this does not count any more: the next list reads them anew.
    fn read_anew(&self, before: Instant);

    /// The host's load and memory.
    async fn host_status(&self) -> Result<HostStatus>;

    /// The node's storages, also those that are disabled or do not answer.
    async fn storages(&self) -> Result<Vec<Storage>>;

    /// The node's bridges.
    async fn bridges(&self) -> Result<Vec<String>>;

    /// Proxmox VE's version, such as `8.4.21`.
    async fn version(&self) -> Result<String>;

    /// The node's place in its cluster.
    async fn cluster(&self) -> Result<Cluster>;

    /// Whether the datacenter's firewall is on: without it no VM's filters anything.
    async fn datacenter_firewall(&self) -> Result<bool>;

    /// Checks what provisioning needs, telling each result as it comes. What cannot be checked is a failed check.
    async fn probe(&self, spec: &ProbeSpec, tell: &(dyn Fn(Check) + Send + Sync));
}
