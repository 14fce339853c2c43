//! Moving a VM to another node of the cluster, or to another cluster, and what keeps it from being moved.

use proxmox_api::client::Client;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::{ApiToken, PveConfig, Trust};
use super::error::{ErrorKind, PveError, Result};
use super::migrate_checks::{Plan, Preconditions, blockers_of, bridges_needed};
use super::node::{Pve, power_of, upid_of};
use super::snapshots::left_locked;
use super::specs::{MigrateCheck, MigrateSpec, Outcome, RemoteSpec};
use super::types::{Begun, Power, Presence, Target, VmState};
use super::wire::{List, Num, Text, VmConfig, VmEntry, encode};

#[derive(Serialize)]
struct TargetQuery<'a> {
    target: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Located {
    vmid: Num,
    node: Text,
}

impl Pve {
    pub(super) async fn migrate_begin(&self, target: Target, spec: &MigrateSpec) -> Result<Begun> {
        let vmid = target.vmid;
        let config = match self.vm_config(vmid).await {
            Ok(config) => config,
            Err(error) if error.says_no_such_vm() => return self.migrate_gone(target, spec).await,
            Err(error) => return Err(error),
        };
        if let Some(begun) = self.migrate_here(target, &config, spec.online).await? {
            return Ok(begun);
        }
        let mut body = json!({ "target": spec.target_node });
        if spec.online {
            body["online"] = 1.into();
        }
        if spec.with_local_disks {
            body["with-local-disks"] = 1.into();
        }
        if let Some(storage) = &spec.target_storage {
            body["targetstorage"] = storage.as_str().into();
        }
        if let Some(mibps) = spec.bandwidth_mibps {
            body["bwlimit"] = mibps.saturating_mul(1024).into();
        }
        let path = self.path(&format!("/qemu/{vmid}/migrate")).await?;
        let upid = self.client.post::<_, String>(&path, &body).await.map_err(refusal)?;
        Ok(Begun::Task(upid_of(&upid)?))
    }

    /// The VM is here: it is moved now, or why it cannot be.
    async fn migrate_here(&self, target: Target, config: &VmConfig, online: bool) -> Result<Option<Begun>> {
        let vmid = target.vmid;
        Self::check_own(target, config)?;
        if config.lock().as_deref() == Some("migrate") {
            return match self.running_task(vmid, &["qmigrate"]).await? {
                Some(upid) => Ok(Some(Begun::Step(upid))),
                None if self.vm_config(vmid).await?.lock().is_some() => Err(left_locked(vmid, "migrate")),
                None => Ok(None),
            };
        }
        if !online && self.vm_power(vmid).await? != Power::Stopped {
            let text = format!("VM {vmid} runs: stop it, or move it online");
            return Err(PveError::new(ErrorKind::Refused, text).with_presence(Presence::Present));
        }
        Ok(None)
    }

    /// The VM is not here (any more).
    async fn migrate_gone(&self, target: Target, spec: &MigrateSpec) -> Result<Begun> {
        let vmid = target.vmid;
        if let Some((config, _)) = self.on_node(target, &spec.target_node).await? {
            if config.lock().as_deref() != Some("migrate") {
                return Ok(Begun::Done);
            }
            return match self.running_task(vmid, &["qmigrate"]).await? {
                Some(upid) => Ok(Begun::Step(upid)),
                None => Err(left_locked(vmid, "migrate").with_presence(Presence::Unknown)),
            };
        }
        let state = self.vm_state(vmid).await?;
        Err(match (state.presence, state.other_node) {
            (Presence::Absent, _) => {
                PveError::new(ErrorKind::NotFound, format!("there is no VM {vmid}")).with_presence(Presence::Absent)
            }
            (presence, node) => {
                let node = node.unwrap_or_else(|| "another node, or it is a container".to_owned());
                let text = format!("VM {vmid} is neither here nor on {}; it is on {node}", spec.target_node);
                PveError::new(ErrorKind::Refused, text).with_presence(presence)
            }
        })
    }

    /// The pod's VM as another node of the cluster itself has it: the cluster's own view lags.
    async fn on_node(&self, target: Target, node: &str) -> Result<Option<(VmConfig, Power)>> {
        let vmid = target.vmid;
        let base = format!("/nodes/{}/qemu", encode(node));
        let list: List<VmEntry> = self.client.read(&base).await?;
        if !list.0.iter().any(|entry| entry.vmid.whole() == u64::from(vmid)) {
            return Ok(None);
        }
        let config: VmConfig = self.client.read(&format!("{base}/{vmid}/config")).await?;
        Self::check_own(target, &config)?;
        let entry: VmEntry = self.client.read(&format!("{base}/{vmid}/status/current")).await?;
        Ok(Some((config, power_of(&entry))))
    }

    /// After a move: where the VM is, and how. As seen from this node it is absent.
    pub(super) async fn moved(&self, target: Target, node: &str) -> Result<Outcome> {
        let Some((_, power)) = self.on_node(target, node).await? else {
            let text = format!("Proxmox moved VM {} to {node}, which does not list it", target.vmid);
            return Err(PveError::new(ErrorKind::TaskFailed, text));
        };
        let state = VmState { presence: Presence::Absent, power, ..VmState::default() };
        Ok(Outcome { node: Some(node.to_owned()), ..Outcome::from(state) })
    }

    /// Everything that would keep the VM from going there.
    pub(super) async fn migrate_blockers(
        &self,
        vmid: u32,
        target_node: Option<&str>,
        online: Option<bool>,
        with_local_disks: bool,
    ) -> Result<MigrateCheck> {
        let config = self.vm_config(vmid).await?;
        let path = self.path(&format!("/qemu/{vmid}/migrate")).await?;
        let preconditions: Preconditions = self.client.get(&path, &TargetQuery { target: target_node }).await?;
        let cluster = self.cluster_state().await?;
        let plan = Plan { target_node, online, with_local_disks };
        let mut check = blockers_of(&config, &preconditions, &cluster, &plan);
        if let Some(node) = target_node.filter(|node| check.allowed_nodes.iter().any(|allowed| allowed == node)) {
            let missing = self.bridges_missing(&config, node).await?;
            if !missing.is_empty() {
                check.allowed_nodes.retain(|allowed| allowed != node);
                check
                    .blockers
                    .push(format!("the node {node} does not have what the VM is attached to: {}", missing.join(", ")));
            }
        }
        Ok(check)
    }

    /// The bridges that the VM needs and the node lacks: Proxmox's own preconditions do not tell of them. A bridge that is not
    /// shown here either is hidden from the token, and nothing is known of it.
    async fn bridges_missing(&self, config: &VmConfig, node: &str) -> Result<Vec<String>> {
        let mut needed = bridges_needed(config);
        if needed.is_empty() {
            return Ok(needed);
        }
        let (here, there) = match tokio::try_join!(self.bridge_list(), self.bridges_of(node)) {
            Ok(lists) => lists,
            Err(error) if error.kind == ErrorKind::Permission => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        needed.retain(|bridge| here.contains(bridge) && !there.contains(bridge));
        Ok(needed)
    }

    /// See [`super::specs::Look::CheckMigrate`].
    pub(super) async fn migrate_check(&self, target: Target, spec: &MigrateSpec) -> Result<VmState> {
        let state = self.own_state(target).await?;
        let check = self
            .migrate_blockers(target.vmid, Some(&spec.target_node), Some(spec.online), spec.with_local_disks)
            .await?;
        if check.blockers.is_empty() {
            return Ok(state);
        }
        Err(PveError::new(ErrorKind::Refused, check.blockers.join("; ")).with_presence(Presence::Present))
    }

    pub(super) async fn remote_migrate_begin(&self, target: Target, spec: &RemoteSpec) -> Result<Begun> {
        let vmid = target.vmid;
        let config = match self.vm_config(vmid).await {
            Ok(config) => config,
            Err(error) if error.says_no_such_vm() => {
                // Proxmox removes the VM here only once it is there.
                return self.remote_found(target, spec).await.map(|_| Begun::Done);
            }
            Err(error) => return Err(error),
        };
        if let Some(begun) = self.migrate_here(target, &config, spec.online).await? {
            return Ok(begun);
        }
        let endpoint = format!(
            "apitoken=PVEAPIToken={},host={},port={},fingerprint={}",
            spec.token.reveal(),
            spec.host,
            spec.port,
            spec.fingerprint
        );
        let mut body = json!({
            "target-endpoint": endpoint,
            "target-vmid": spec.vmid,
            "target-bridge": spec.bridge,
            "target-storage": spec.storage,
            "delete": 1,
        });
        if spec.online {
            body["online"] = 1.into();
        }
        let path = self.path(&format!("/qemu/{vmid}/remote_migrate")).await?;
        let answer = self.client.post::<_, String>(&path, &body).await;
        let upid = answer.map_err(|error| refusal(without_secret(error, spec)))?;
        Ok(Begun::Task(upid_of(&upid)?))
    }

    /// The pod's VM in the other cluster: its node and power.
    pub(super) async fn remote_found(&self, target: Target, spec: &RemoteSpec) -> Result<Outcome> {
        let look = async {
            let other = remote(spec)?;
            let entries: List<Located> = other.client.read("/cluster/resources?type=vm").await?;
            let located = entries.0.into_iter().find(|entry| entry.vmid.whole() == u64::from(spec.vmid));
            let node = located.and_then(|entry| entry.node.0);
            let there = Target { vmid: spec.vmid, pod_id: target.pod_id };
            let found = match &node {
                Some(node) => other.on_node(there, node).await?,
                None => None,
            };
            let (Some(node), Some((_, power))) = (node, found) else {
                let text = format!(
                    "VM {} is not here any more, and the cluster at {} has no VM {} of this pod (yet)",
                    target.vmid, spec.host, spec.vmid
                );
                return Err(PveError::new(ErrorKind::Lost, text));
            };
            let state = VmState { presence: Presence::Absent, power, ..VmState::default() };
            Ok(Outcome { node: Some(node), ..Outcome::from(state) })
        };
        look.await.map_err(|error| without_secret(error, spec))
    }
}

/// The other cluster, by its own token and certificate.
fn remote(spec: &RemoteSpec) -> Result<Pve> {
    let bad = |cause: String| PveError::new(ErrorKind::BadParameter, format!("remote_migrate: {cause}"));
    let host = if spec.host.contains(':') { format!("[{}]", spec.host) } else { spec.host.clone() };
    let url = format!("https://{host}:{}", spec.port).parse().map_err(|e| bad(format!("target_host: {e}")))?;
    let token: ApiToken = spec.token.reveal().parse().map_err(|e: super::BadSetting| bad(e.0))?;
    let fingerprint = spec.fingerprint.parse().map_err(|e: super::BadSetting| bad(e.0))?;
    Pve::new(&PveConfig::new(url, token, Trust::Fingerprint(fingerprint))).map_err(|e| bad(e.0))
}

/// An error may repeat the endpoint as it was sent.
fn without_secret(error: PveError, spec: &RemoteSpec) -> PveError {
    let token = spec.token.reveal();
    let secret = token.split_once('=').map_or(token, |(_, secret)| secret);
    if secret.is_empty() {
        return error;
    }
    PveError { message: error.message.replace(secret, "***"), ..error }
}

/// What Proxmox refuses at once it would refuse again.
fn refusal(error: PveError) -> PveError {
    let words = [
        "can't migrate",
        "cannot migrate",
        "Cannot migrate",
        "target is local node",
        "not allowed",
        "not available on",
    ];
    let is_refusal = matches!(error.kind, ErrorKind::TaskFailed | ErrorKind::BadParameter)
        && words.iter().any(|words| error.message.contains(words));
    if is_refusal { PveError { kind: ErrorKind::Refused, ..error }.with_presence(Presence::Present) } else { error }
}

/// What a list or an object of texts says, whichever it came as.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Value::Object(items) => items.keys().cloned().collect(),
        _ => Vec::new(),
    }
}
