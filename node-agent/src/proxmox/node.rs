//! One Proxmox VE node: what every operation needs of it.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use proxmox_api::client::Client;
use proxmox_api::nodes::NodesClient;
use proxmox_api::nodes::node::qemu::vmid::VmidClient;
use proxmox_api::types::VmId;
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::Hypervisor;
use super::client::PveClient;
use super::config::{BadSetting, PveConfig};
use super::console::Console;
use super::error::{ErrorKind, PveError, Result};
use super::inventory::StampCache;
use super::specs::{ConsoleKind, Fenced, Look, MigrateCheck, Outcome, Volume};
use super::taken::Taken;
use super::types::{
    Begun, Check, Cluster, HostStatus, Operation, Power, Presence, ProbeSpec, Request, Storage, Target, TaskEnd, Vm,
    VmState, Watch,
};
use super::unanswered::Unanswered;
use super::upid::Upid;
use super::wire::{List, Text, VmConfig, VmEntry, encode};

/// The real hypervisor: Proxmox VE's HTTP API.
pub struct Pve {
    pub(super) client: PveClient,
    pub(super) token_id: String,
    pub(super) stamps: Mutex<StampCache>,
    pub(super) unanswered: Mutex<Unanswered>,
    pub(super) taken: Mutex<Taken>,
    node: OnceCell<String>,
}

impl Pve {
    /// Sets it up; connects to nothing yet.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(config: &PveConfig) -> std::result::Result<Self, BadSetting> {
        let well_formed =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        if let Some(name) = config.node.as_deref().filter(|name| !well_formed(name)) {
            return Err(BadSetting(format!("the node's name may hold letters, digits and - only, not {name:?}")));
        }
        Ok(Self {
            client: PveClient::new(config)?,
            token_id: config.token.id.clone(),
            stamps: Mutex::default(),
            unanswered: Mutex::default(),
            taken: Mutex::default(),
            node: config.node.clone().map_or_else(OnceCell::new, |node| OnceCell::new_with(Some(node))),
        })
    }

    /// A VM's configuration as Proxmox shows it, for diagnosis.
    ///
    /// # Errors
    /// Whatever keeps Proxmox from answering; a VM that does not exist is an error too.
    pub async fn settings(&self, vmid: u32) -> Result<serde_json::Value> {
        self.client.read(&self.path(&format!("/qemu/{vmid}/config")).await?).await
    }

    /// A part of a VM's firewall as Proxmox shows it, for diagnosis: `rules`, `options`, `ipset` …
    ///
    /// # Errors
    /// As [`Self::settings`].
    pub async fn firewall(&self, vmid: u32, part: &str) -> Result<serde_json::Value> {
        self.client.read(&self.path(&format!("/qemu/{vmid}/firewall/{part}")).await?).await
    }

    /// The node's name: as configured, or the one that answers.
    pub(super) async fn node(&self) -> Result<&str> {
        self.node.get_or_try_init(|| self.node_find()).await.map(String::as_str)
    }

    async fn node_find(&self) -> Result<String> {
        let status = self.cluster_entries().await?;
        let local = status.into_iter().find(|entry| entry.kind.0.as_deref() == Some("node") && entry.local.is_set());
        local.and_then(|entry| entry.name.0).ok_or_else(|| {
            PveError::new(
                ErrorKind::NotFound,
                "Proxmox does not tell which node answers: set the node's name in the configuration",
            )
        })
    }

    /// The path of one of the node's resources.
    pub(super) async fn path(&self, rest: &str) -> Result<String> {
        Ok(format!("/nodes/{}{rest}", encode(self.node().await?)))
    }

    /// The crate's typed calls for one VM.
    pub(super) async fn vm(&self, vmid: u32) -> Result<VmidClient<PveClient>> {
        let id = VmId::try_from(i128::from(vmid)).map_err(|_| bad_vmid(vmid))?;
        Ok(NodesClient::new(self.client.clone()).node(self.node().await?).qemu().vmid(id))
    }

    /// A VM's configuration.
    pub(super) async fn vm_config(&self, vmid: u32) -> Result<VmConfig> {
        if !(100..=999_999_999).contains(&vmid) {
            return Err(bad_vmid(vmid));
        }
        let config = self.client.read(&self.path(&format!("/qemu/{vmid}/config")).await?).await?;
        self.clone_seen(vmid);
        Ok(config)
    }

    /// A VM's power, as QEMU has it now.
    pub(super) async fn vm_power(&self, vmid: u32) -> Result<Power> {
        let entry: VmEntry = self.client.read(&self.path(&format!("/qemu/{vmid}/status/current")).await?).await?;
        Ok(power_of(&entry))
    }

    /// All there is to know of one VMID. See [`Hypervisor::inspect`].
    pub(super) async fn vm_state(&self, vmid: u32) -> Result<VmState> {
        let config = match self.vm_config(vmid).await {
            Ok(config) => config,
            Err(error) if error.says_no_such_vm() => return self.vm_elsewhere(vmid).await,
            Err(error) => return Err(error),
        };
        let power = match self.vm_power(vmid).await {
            // It went away between the two calls.
            Err(error) if error.says_no_such_vm() => return self.vm_elsewhere(vmid).await,
            power => power?,
        };
        Ok(VmState {
            presence: Presence::Present,
            power,
            stamp: config.stamp(),
            lock: config.lock(),
            name: config.get("name"),
            other_node: None,
            macs: config.macs(),
        })
    }

    /// The node says that it has no such VM. It is absent only if the node's list lacks it too and Proxmox says that the number is free in
    /// the whole cluster. (That the node said so, and did not answer 403, proves the right to see it.)
    async fn vm_elsewhere(&self, vmid: u32) -> Result<VmState> {
        let list: List<VmEntry> = self.client.read(&self.path("/qemu").await?).await?;
        if list.0.iter().any(|entry| entry.vmid.whole() == u64::from(vmid)) {
            // It came or went in between: the next look will tell.
            return Err(PveError::new(
                ErrorKind::Unavailable,
                format!("Proxmox contradicts itself about VM {vmid}: it is listed without a configuration"),
            ));
        }
        if self.vmid_is_free(vmid).await? {
            if let Some(error) = self.clone_may_come(vmid) {
                return Err(error);
            }
            return Ok(VmState { presence: Presence::Absent, ..VmState::default() });
        }
        let other_node = self.cluster_hint(vmid).await;
        Ok(VmState { presence: Presence::Present, other_node, ..VmState::default() })
    }

    async fn vmid_is_free(&self, vmid: u32) -> Result<bool> {
        #[derive(Serialize)]
        struct Query {
            vmid: u32,
        }
        match self.client.get::<_, Text>("/cluster/nextid", &Query { vmid }).await {
            Ok(free) if free.0.as_deref() == Some(vmid.to_string().as_str()) => Ok(true),
            Ok(_) => Err(PveError::new(
                ErrorKind::Unavailable,
                format!("Proxmox did not tell whether the VMID {vmid} is free"),
            )),
            Err(error) if error.status == Some(400) && error.message.contains("already exists") => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Refuses whatever does not bear the pod's stamp.
    pub(super) fn check_stamp(target: Target, state: &VmState) -> Result<()> {
        match (state.presence, state.stamp, &state.other_node) {
            (Presence::Absent, _, _) => {
                Err(PveError::new(ErrorKind::NotFound, format!("there is no VM {}", target.vmid))
                    .with_presence(Presence::Absent))
            }
            (_, Some(stamp), _) if stamp.pod_id == target.pod_id => Ok(()),
            (_, _, Some(node)) => {
                let text = format!("VM {} is on the node {node}, not on this one; it was left alone", target.vmid);
                Err(PveError::new(ErrorKind::ForeignVm, text).with_presence(state.presence))
            }
            (_, stamp, None) => {
                let owner = stamp.map_or("bears no stamp of mPanel's".to_owned(), |stamp| {
                    format!("belongs to the pod {}", stamp.pod_id)
                });
                let name = state.name.as_deref().unwrap_or("without a name");
                let text = format!("VM {} ({name}) {owner}; it was left alone", target.vmid);
                Err(PveError::new(ErrorKind::ForeignVm, text).with_presence(state.presence))
            }
        }
    }

    /// The VM's state, if it is this pod's.
    pub(super) async fn own_state(&self, target: Target) -> Result<VmState> {
        let state = self.vm_state(target.vmid).await?;
        Self::check_stamp(target, &state)?;
        Ok(state)
    }
}

fn bad_vmid(vmid: u32) -> PveError {
    PveError::new(ErrorKind::BadParameter, format!("the VMID must be between 100 and 999999999, not {vmid}"))
}

/// `status` tells running from stopped; only `qmpstatus` knows of a pause.
pub(super) fn power_of(entry: &VmEntry) -> Power {
    match (entry.status.0.as_deref(), entry.qmpstatus.0.as_deref()) {
        (Some("running"), Some("paused" | "suspended")) => Power::Paused,
        (Some("running"), _) => Power::Running,
        (Some("stopped"), _) => Power::Stopped,
        _ => Power::Unknown,
    }
}

/// A UPID that a call answered.
pub(super) fn upid_of(answer: &str) -> Result<Upid> {
    answer
        .parse()
        .map_err(|e| PveError::new(ErrorKind::Unavailable, format!("Proxmox's answer is not understood: {e}")))
}

impl Pve {
    async fn operation_begin(&self, request: &Request) -> Result<Begun> {
        match &request.operation {
            Operation::Clone(spec) => self.clone_begin(request, spec).await,
            Operation::Configure(spec) => self.configure(request.target, spec).await,
            Operation::ResizeDisk { disk, size_gib } => {
                self.resize_begin(request.target, disk.as_deref(), *size_gib).await
            }
            Operation::Start => self.start_begin(request.target).await,
            Operation::Stop => self.stop_begin(request.target).await,
            Operation::Shutdown { timeout_s, force } => self.shutdown_begin(request.target, *timeout_s, *force).await,
            Operation::Reboot { timeout_s } => self.reboot_begin(request.target, *timeout_s).await,
            Operation::Destroy => self.destroy_begin(request.target).await,
            Operation::SetOptions(spec) => self.options_set(request.target, *spec).await,
            Operation::SetPassword { user, password } => self.password_set(request.target, user, password).await,
            Operation::TakeSnapshot { name, description, memory } => {
                self.snapshot_begin(request, name, description, *memory).await
            }
            Operation::Rollback { name, start } => self.rollback_begin(request.target, name, *start).await,
            Operation::DeleteSnapshot { name } => self.snapshot_delete_begin(request.target, name).await,
            Operation::MakeBackup { storage, mode, protected } => {
                self.backup_begin(request, storage, *mode, *protected).await
            }
            Operation::RestoreBackup { volid, storage, unique } => {
                self.restore_begin(request, volid, storage.as_deref(), *unique).await
            }
            Operation::DeleteBackup { volid } => self.backup_delete_begin(request.target, volid).await,
            Operation::Migrate(spec) => self.migrate_begin(request.target, spec).await,
            Operation::RemoteMigrate(spec) => self.remote_migrate_begin(request.target, spec).await,
            Operation::MakeTemplate => self.template_begin(request.target).await,
            Operation::SetMedia { iso_volid, boot_from_cd } => {
                self.media_set(request.target, iso_volid.as_deref(), *boot_from_cd).await
            }
            Operation::SetFirewall(spec) => self.firewall_set(request.target, spec).await,
            Operation::Adopt => self.adopt(request).await,
            Operation::Release => self.release(request.target).await,
        }
    }
}

#[async_trait]
impl Hypervisor for Pve {
    async fn begin(&self, request: &Request) -> Result<Begun> {
        self.stamp_forget(request.target.vmid);
        let begun = self.operation_begin(request).await;
        self.stamp_forget(request.target.vmid);
        if let Ok(Begun::Task(upid) | Begun::Step(upid)) = &begun {
            self.task_taken(upid, request.command_id);
        }
        begun
    }

    async fn follow(&self, request: &Request, upid: &Upid, watch: Watch<'_>) -> Result<TaskEnd> {
        let end = self.task_follow(request, upid, &watch).await;
        self.stamp_forget(request.target.vmid);
        end
    }

    async fn find_task(&self, request: &Request, since_ms: i64) -> Result<Option<Upid>> {
        self.task_find(request, since_ms).await
    }

    async fn stop_task(&self, upid: &Upid) -> Result<()> {
        self.task_stop(upid).await
    }

    async fn wait_power(&self, target: Target, power: Power, watch: Watch<'_>) -> Result<VmState> {
        self.power_wait(target, power, &watch).await
    }

    async fn inspect(&self, vmid: u32) -> Result<VmState> {
        self.vm_state(vmid).await
    }

    async fn outcome(&self, request: &Request) -> Result<Outcome> {
        self.outcome_of(request).await
    }

    async fn look(&self, target: Target, look: &Look) -> Result<Outcome> {
        self.look_at(target, look).await
    }

    async fn fence(&self, target: Target, deadline: Instant) -> Fenced {
        self.fence_vm(target, deadline).await
    }

    async fn migrate_checks(&self, vmid: u32, target_node: Option<&str>) -> Result<MigrateCheck> {
        self.migrate_blockers(vmid, target_node, None, true).await
    }

    async fn storage_content(&self, storage: Option<&str>, content: &str) -> Result<Vec<Volume>> {
        self.volumes(storage, content).await
    }

    async fn open_console(&self, target: Target, kind: ConsoleKind) -> Result<Console> {
        self.console_open(target, kind).await
    }

    fn may_come(&self, vmid: u32, called: Duration) {
        self.call_recalled(vmid, called);
    }

    async fn list_vms(&self) -> Result<Vec<Vm>> {
        self.vms().await
    }

    fn read_anew(&self, before: Instant) {
        self.stamps_expire(before);
    }

    async fn host_status(&self) -> Result<HostStatus> {
        self.host().await
    }

    async fn storages(&self) -> Result<Vec<Storage>> {
        self.storage_list().await
    }

    async fn bridges(&self) -> Result<Vec<String>> {
        self.bridge_list().await
    }

    async fn version(&self) -> Result<String> {
        self.pve_version().await
    }

    async fn cluster(&self) -> Result<Cluster> {
        self.cluster_state().await
    }

    async fn datacenter_firewall(&self) -> Result<bool> {
        self.is_filtering().await
    }

    async fn probe(&self, spec: &ProbeSpec, tell: &(dyn Fn(Check) + Send + Sync)) {
        self.probe_all(spec, tell).await;
    }
}
