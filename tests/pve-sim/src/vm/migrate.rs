//! `…/migrate`: to another node of the cluster. Only an unknown target was recorded; for the rest words and order follow the API's
//! schema and the tool's known log. What is wrong shows in the task's log: its status only says `migration aborted`, or
//! `migration problems` where a live migration fails.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::app::Ctx;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::formats::{PropertyString, is_drive_key, parse_size};
use crate::schema::{COUNT, Kind, Params, check, opt, req};
use crate::state::{Cluster, Run, Vm, VmConfig};
use crate::tasks::{self, TaskError, TaskResult, Worker};
use crate::vm::keys::is_cloudinit;
use crate::vm::volume;
use crate::vm::{clone, path_vmid};

/// Where the volumes of a storage go: to one of the same name unless mapped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StorageMap {
    pub(crate) default: Option<String>,
    pub(crate) entries: Vec<(String, String)>,
    pub(crate) identity: bool,
}

impl StorageMap {
    /// `1`, `tank`, `local:tank,other:local`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut map = Self::default();
        for item in text.split([',', ';', ' ']).filter(|item| !item.is_empty()) {
            match item.split_once(':') {
                Some((from, to)) if !from.is_empty() && !to.is_empty() => map.entries.push((from.into(), to.into())),
                Some(_) => return Err(format!("failed to parse storage map: entry '{item}' is no valid mapping")),
                None if item == "1" => map.identity = true,
                None if map.default.is_some() => {
                    return Err("failed to parse storage map: default target set more than once".into());
                }
                None => map.default = Some(item.to_owned()),
            }
        }
        Ok(map)
    }

    pub(crate) fn target<'a>(&'a self, name: &'a str) -> &'a str {
        let entry = self.entries.iter().find(|(from, _)| from == name).map(|(_, to)| to.as_str());
        entry.or(self.default.as_deref()).unwrap_or(name)
    }

    fn named(&self) -> impl Iterator<Item = &String> {
        self.entries.iter().map(|(_, to)| to).chain(&self.default)
    }
}

/// What of a configuration ties a VM to its host.
pub(crate) fn local_resources(config: &VmConfig) -> Vec<String> {
    let tied = config.iter().filter(|(key, value)| {
        let device = ["hostpci", "usb", "serial", "parallel", "virtiofs"].iter().any(|prefix| {
            key.strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        });
        let mapped = value.contains("mapping=") || value.starts_with("spice") || value.contains("host=spice");
        device && !mapped && *value != "socket"
    });
    tied.map(|(key, _)| key.clone()).collect()
}

/// A volume that a VM has on a storage of its node alone, or of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) key: String,
    pub(crate) volid: String,
    pub(crate) cdrom: bool,
    pub(crate) local: bool,
    pub(crate) size: u64,
}

pub(crate) fn attached(cluster: &Cluster, node: &str, vm: &Vm) -> Vec<Attached> {
    let drives =
        vm.config.iter().filter(|(key, _)| is_drive_key(key) || key.starts_with("unused") || *key == "vmstate");
    let parsed = drives.filter_map(|(key, value)| Some((key.clone(), PropertyString::parse(value, "file").ok()?)));
    let row = |(key, drive): (String, PropertyString)| {
        let (name, _) = volume::split_volid(&drive.first)?;
        let local = cluster.storage(node, name).is_none_or(|storage| !storage.shared);
        let found = volume::lookup(cluster, node, &drive.first).map(|volume| volume.size);
        let size = found.or_else(|| parse_size(drive.get("size")?)).unwrap_or(0);
        Some(Attached { key, cdrom: drive.get("media") == Some("cdrom"), volid: drive.first, local, size })
    };
    parsed.filter_map(row).collect()
}

/// `GET …/migrate`.
pub(crate) fn preconditions(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Migrate")?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[opt("target", Kind::Text)])?;
    let vm = ctx.vm(number, Clone::clone)?;
    ctx.read(|cluster| {
        let volumes = attached(cluster, &ctx.node, &vm);
        let disk = |volume: &Attached| {
            json!({
                "volid": volume.volid, "size": volume.size, "cdrom": u8::from(volume.cdrom),
                "is_unused": u8::from(volume.key.starts_with("unused")), "is_vmstate": u8::from(volume.key == "vmstate"),
                "is_tpmstate": u8::from(volume.key == "tpmstate0"), "shared": 0, "referenced_in_config": 1,
            })
        };
        let mut out = json!({
            "running": u8::from(vm.run.is_some()),
            "local_disks": volumes.iter().filter(|volume| volume.local).map(disk).collect::<Vec<_>>(),
            "local_resources": local_resources(&vm.config), "mapped-resources": [], "mapped-resource-info": {},
        });
        if vm.run.is_none() {
            let (mut allowed, mut others) = (Vec::new(), Map::new());
            for name in cluster.nodes.keys().filter(|name| **name != ctx.node) {
                let storages = volumes.iter().filter_map(|volume| volume::split_volid(&volume.volid)).map(|(name, _)| name);
                let mut missing: Vec<&str> = storages.filter(|storage| cluster.storage(name, storage).is_none()).collect();
                missing.dedup();
                if missing.is_empty() {
                    allowed.push(name);
                } else {
                    others.insert(name.clone(), json!({ "unavailable_storages": missing }));
                }
            }
            out["allowed_nodes"] = json!(allowed);
            out["not_allowed_nodes"] = Value::Object(others);
        }
        Ok(out)
    })
}

/// What a checked request asks for.
#[derive(Clone)]
struct Plan {
    vmid: u32,
    target: String,
    online: bool,
    with_local_disks: bool,
    force: bool,
    storages: StorageMap,
    /// KiB/s; 0 for no limit.
    bwlimit: u64,
}

/// `POST …/migrate`.
pub(crate) fn start(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Migrate")?;
    let number = path_vmid(vmid)?;
    let spec = [
        req("target", Kind::Text),
        opt("bwlimit", COUNT),
        opt("force", Kind::Bool),
        opt("migration_network", Kind::Text),
        opt("migration_type", Kind::Enum(&["secure", "insecure"])),
        opt("online", Kind::Bool),
        opt("targetstorage", Kind::Text),
        opt("with-local-disks", Kind::Bool),
    ];
    let params = check(&ctx.params, &spec)?;
    let plan = check_plan(ctx, number, &params)?;
    Ok(json!(tasks::spawn(ctx, "qmigrate", vmid, |worker| run(worker, plan))))
}

fn check_plan(ctx: &Ctx, vmid: u32, params: &Params) -> ApiResult<Plan> {
    let target = params.text("target").to_owned();
    if target == ctx.node {
        return Err(ApiError::param("target", "target is local node."));
    }
    if !ctx.read(|cluster| cluster.nodes.contains_key(&target)) && !ctx.app.config.unreachable_nodes.contains(&target) {
        return Err(ApiError::internal(format!("no such cluster node '{target}'")));
    }
    let root_only =
        ["force", "migration_type", "migration_network"].into_iter().find(|name| params.get(name).is_some());
    if let Some(name) = root_only.filter(|_| !ctx.who.is_root()) {
        return Err(ApiError::param(name, "Only root may use this option."));
    }
    let vm = ctx.vm(vmid, Clone::clone)?;
    vm.check_lock().map_err(ApiError::internal)?;
    if vm.run.is_some() && !params.flag("online") {
        return Err(ApiError::internal("can't migrate running VM without --online"));
    }
    let map = params.get("targetstorage").map_or_else(|| Ok(StorageMap::default()), StorageMap::parse);
    let storages = map.map_err(|text| ApiError::param("targetstorage", text))?;
    if params.get("targetstorage").is_some() && !storages.identity {
        ctx.require(&format!("/vms/{vmid}"), "VM.Config.Disk")?;
    }
    for name in storages.named() {
        ctx.rights(|rights| rights.require_space(name))?;
        let on_target = ctx.read(|cluster| cluster.storage(&target, name).map(|storage| storage.content.clone()));
        let content = on_target.ok_or_else(|| ApiError::internal(not_available(name, &target)))?;
        if !content.iter().any(|kind| kind == "images") {
            return Err(ApiError::internal(format!("storage '{name}' does not support vm images")));
        }
    }
    ctx.read(|cluster| {
        if params.get("targetstorage").is_some() || !cluster.nodes.contains_key(&target) {
            return Ok(());
        }
        let names = attached(cluster, &ctx.node, &vm);
        let missing = names
            .iter()
            .filter_map(|volume| volume::split_volid(&volume.volid))
            .find(|(name, _)| cluster.storage(&target, name).is_none());
        missing.map_or(Ok(()), |(name, _)| Err(ApiError::internal(not_available(name, &target))))
    })?;
    Ok(Plan {
        vmid,
        target,
        online: vm.run.is_some(),
        with_local_disks: params.flag("with-local-disks"),
        force: params.flag("force"),
        storages,
        bwlimit: params.int("bwlimit").unwrap_or(0) as u64,
    })
}

fn not_available(storage: &str, node: &str) -> String {
    format!("storage '{storage}' is not available on node '{node}'")
}

/// How far a migration came when it failed.
pub(crate) enum Failure {
    /// Nothing was changed, or all of it was undone.
    Aborted(TaskError),
    /// The guest was on its way, and goes on where it was.
    Online(TaskError),
}

impl From<TaskError> for Failure {
    fn from(err: TaskError) -> Self {
        Self::Aborted(err)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Aborted(text.into())
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::Aborted(text.into())
    }
}

pub(crate) fn say(worker: &Worker, text: &str) {
    worker.log(format!("{} {text}", clock::date_time()));
}

fn text_of(err: &TaskError) -> String {
    match err {
        TaskError::Failed(text) => text.clone(),
        TaskError::Interrupted | TaskError::Killed => "interrupted by signal".to_owned(),
    }
}

fn lasted(since: Instant) -> String {
    let seconds = since.elapsed().as_secs();
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

async fn run(worker: Arc<Worker>, plan: Plan) -> TaskResult {
    let begun = Instant::now();
    let ip = worker.app.read(|cluster| cluster.node_ip(&plan.target));
    say(&worker, &format!("starting migration of VM {} to node '{}' ({ip})", plan.vmid, plan.target));
    let result = work(&worker, &plan, &ip).await;
    conclude(&worker, begun, result)
}

/// Says how it ended; the task's own end says less.
pub(crate) fn conclude(worker: &Worker, begun: Instant, result: Result<(), Failure>) -> TaskResult {
    match result {
        Ok(()) => {
            say(worker, &format!("migration finished successfully (duration {})", lasted(begun)));
            Ok(())
        }
        Err(Failure::Aborted(TaskError::Killed) | Failure::Online(TaskError::Killed)) => Err(TaskError::Killed),
        Err(Failure::Aborted(err)) => {
            say(worker, &format!("ERROR: migration aborted (duration {}): {}", lasted(begun), text_of(&err)));
            Err("migration aborted".into())
        }
        Err(Failure::Online(err)) => {
            say(worker, &format!("ERROR: online migrate failure - {}", text_of(&err)));
            say(worker, "aborting phase 2 - cleanup resources");
            say(worker, "migrate_cancel");
            say(worker, &format!("ERROR: migration finished with problems (duration {})", lasted(begun)));
            Err("migration problems".into())
        }
    }
}

async fn work(worker: &Arc<Worker>, plan: &Plan, ip: &str) -> Result<(), Failure> {
    let _guard = worker.lock(plan.vmid).await?;
    let vm = worker.vm(plan.vmid, Clone::clone)?;
    vm.check_lock()?;
    if vm.run.is_some() && !plan.online {
        return Err("can't migrate running VM without --online".into());
    }
    let tied = local_resources(&vm.config);
    if !tied.is_empty() && (vm.run.is_some() || !plan.force) {
        return Err(format!("can't migrate VM which uses local devices: {}", tied.join(", ")).into());
    }
    if !worker.app.read(|cluster| cluster.is_reachable(&plan.target)) {
        worker.work_for(worker.app.timings().unreachable).await?;
        say(
            worker,
            &format!("# /usr/bin/ssh -e none -o 'BatchMode=yes' -o 'HostKeyAlias={}' root@{ip} /bin/true", plan.target),
        );
        say(worker, &format!("ssh: connect to host {ip} port 22: No route to host"));
        return Err("Can't connect to destination address using public key".into());
    }
    worker.vm_mut(plan.vmid, |vm| vm.config.insert("lock".to_owned(), "migrate".to_owned()))?;
    let result = move_vm(worker, plan, &vm).await;
    let killed = matches!(result, Err(Failure::Aborted(TaskError::Killed) | Failure::Online(TaskError::Killed)));
    if result.is_err() && !killed {
        if let Err(Failure::Aborted(err)) = &result {
            say(worker, &format!("ERROR: {}", text_of(err)));
            say(worker, "aborting phase 1 - cleanup resources");
        }
        worker.vm_mut(plan.vmid, |vm| vm.config.remove("lock"))?;
    }
    result
}

/// A volume and where it goes.
struct Transfer {
    from: Attached,
    storage: String,
    /// Made anew on the target rather than copied.
    generated: bool,
}

async fn move_vm(worker: &Arc<Worker>, plan: &Plan, vm: &Vm) -> Result<(), Failure> {
    let transfers = scan(worker, plan, vm).map_err(|text| format!("Problem found while scanning volumes - {text}"))?;
    let failure: fn(TaskError) -> Failure = if plan.online { Failure::Online } else { Failure::Aborted };
    if plan.online {
        start_on_target(worker, plan, vm).map_err(Failure::Online)?;
    }
    let bytes: u64 = transfers.iter().filter(|transfer| !transfer.generated).map(|transfer| transfer.from.size).sum();
    for transfer in transfers.iter().filter(|transfer| !transfer.generated) {
        say(
            worker,
            &if plan.online {
                format!(
                    "{}: start migration to nbd:unix:/run/qemu-server/{}_nbd.migrate:exportname=drive-{}",
                    transfer.from.key, plan.vmid, transfer.from.key
                )
            } else {
                format!("copying local disk '{}' to storage '{}'", transfer.from.volid, transfer.storage)
            },
        );
    }
    worker.work_for(copying_time(worker, plan.bwlimit, bytes)).await.map_err(failure)?;
    check_room(worker, plan, &transfers).map_err(failure)?;
    if plan.online {
        say(worker, &format!("starting online/live migration on unix:/run/qemu-server/{}.migrate", plan.vmid));
        say(worker, "average migration speed: 264.2 MiB/s - downtime 32 ms");
        say(worker, "migration status: completed");
    }
    worker.write(|cluster| hand_over(cluster, &worker.node, plan, &transfers));
    Ok(())
}

/// What a migration takes: a task's own time, and that of the data, at so many KiB/s unless 0.
pub(crate) fn copying_time(worker: &Worker, bwlimit: u64, bytes: u64) -> Duration {
    let timings = worker.app.timings();
    let copied = match bwlimit {
        0 => timings.migrate_gib.mul_f64(bytes as f64 / f64::from(1 << 30)),
        limit => Duration::from_secs_f64(bytes as f64 / 1024.0 / limit as f64),
    };
    timings.of_task("qmigrate") + copied
}

/// What has to be copied, or why it cannot be.
fn scan(worker: &Worker, plan: &Plan, vm: &Vm) -> Result<Vec<Transfer>, String> {
    let volumes = worker.app.read(|cluster| attached(cluster, &worker.node, vm));
    let (mut transfers, mut refused) = (Vec::new(), Vec::new());
    for from in volumes.into_iter().filter(|volume| volume.local) {
        let Some((name, file)) = volume::split_volid(&from.volid) else { continue };
        let storage = plan.storages.target(name).to_owned();
        let generated = is_cloudinit(&from.volid);
        let problem = worker.app.read(|cluster| problem(cluster, worker, plan, &from, &storage));
        match problem {
            Some(text) => refused.push(format!("can't migrate local disk '{}': {text}", from.volid)),
            None if generated => say(worker, &format!("found generated disk '{}' (in current VM config)", from.volid)),
            None if plan.online && !plan.with_local_disks => {
                return Err("can't live migrate attached local disks without with-local-disks option".to_owned());
            }
            None => say(worker, &format!("found local disk '{}' (attached)", from.volid)),
        }
        let base = worker
            .app
            .read(|cluster| volume::lookup(cluster, &worker.node, &from.volid).and_then(|found| found.parent.clone()));
        if let Some(base) = base {
            let base = base.rsplit('/').next().unwrap_or_default().to_owned();
            return Err(format!("can't migrate '{name}:{file}' as it's a clone of '{base}'"));
        }
        transfers.push(Transfer { from, storage, generated });
    }
    if !refused.is_empty() {
        for line in &refused {
            say(worker, line);
        }
        return Err("can't migrate VM - check log".to_owned());
    }
    if plan.online && !vm.snapshots.is_empty() && transfers.iter().any(|transfer| !transfer.generated) {
        return Err("online storage migration not possible if non-replicated snapshot exists".to_owned());
    }
    Ok(transfers)
}

fn problem(cluster: &Cluster, worker: &Worker, plan: &Plan, from: &Attached, storage: &str) -> Option<String> {
    if from.cdrom && !is_cloudinit(&from.volid) {
        return Some("local cdrom image".to_owned());
    }
    let Some(target) = cluster.storage(&plan.target, storage) else {
        return Some(not_available(storage, &plan.target));
    };
    if !target.content.iter().any(|kind| kind == "images") {
        return Some(format!("content type 'images' is not available on storage '{storage}'"));
    }
    let Some(volume) = volume::lookup(cluster, &worker.node, &from.volid) else {
        return Some(format!("volume '{}' does not exist", from.volid));
    };
    if volume.vmid != Some(plan.vmid) {
        let owner = volume.vmid.map_or_else(String::new, |vmid| vmid.to_string());
        return Some(format!("owned by other VM (owner = VM {owner})"));
    }
    volume::is_base_in_use(cluster, &worker.node, &from.volid).then(|| "referenced by linked clone(s)".to_owned())
}

fn start_on_target(worker: &Worker, plan: &Plan, vm: &Vm) -> TaskResult {
    let (vmid, target) = (plan.vmid, &plan.target);
    say(worker, &format!("starting VM {vmid} on remote node '{target}'"));
    let known =
        worker.app.read(|cluster| cluster.nodes.get(target).map(|node| node.bridges.clone())).unwrap_or_default();
    if let Some(bridge) = clone::bridges(&vm.config).into_iter().find(|bridge| !known.contains(bridge)) {
        say(worker, &format!("[{target}] bridge '{bridge}' does not exist"));
        return Err(
            format!("command '/usr/bin/ssh root@{target} qm start {vmid} --skiplock' failed: exit code 255").into()
        );
    }
    say(worker, "start remote tunnel");
    say(worker, "ssh tunnel ver 1");
    Ok(())
}

fn check_room(worker: &Worker, plan: &Plan, transfers: &[Transfer]) -> TaskResult {
    for transfer in transfers {
        let fits = worker.app.read(|cluster| {
            let used = volume::lookup(cluster, &worker.node, &transfer.from.volid).map_or(0, |volume| volume.used);
            cluster.storage(&plan.target, &transfer.storage).is_some_and(|storage| used <= storage.avail())
        });
        if !fits {
            say(worker, &format!("[{}] qemu-img: error while writing: No space left on device", plan.target));
            let (from, to) = (&transfer.from.volid, &transfer.storage);
            return Err(format!(
                "storage migration for '{from}' to storage '{to}' failed - command 'pvesm import' failed: exit code 1"
            )
            .into());
        }
    }
    Ok(())
}

/// The VM and its local volumes leave this node and are on the other.
fn hand_over(cluster: &mut Cluster, node: &str, plan: &Plan, transfers: &[Transfer]) {
    let Some(mut vm) = cluster.nodes.get_mut(node).and_then(|node| node.vms.remove(&plan.vmid)) else { return };
    for transfer in transfers {
        let Some((name, file)) = volume::split_volid(&transfer.from.volid) else { continue };
        let Some(moved) = cluster.storage_mut(node, name).and_then(|storage| storage.volumes.remove(file)) else {
            continue;
        };
        let Some(storage) = cluster.storage_mut(&plan.target, &transfer.storage) else { continue };
        let taken = storage.volumes.contains_key(file);
        let new = if taken { volume::free_name(storage, plan.vmid, &moved.format) } else { file.to_owned() };
        storage.volumes.insert(new.clone(), moved);
        let volid = format!("{}:{new}", transfer.storage);
        let configs = vm.snapshots.values_mut().map(|snapshot| &mut snapshot.config).chain([&mut vm.config]);
        for value in configs.flat_map(|config| config.values_mut()) {
            let names_it =
                value.strip_prefix(&transfer.from.volid).is_some_and(|rest| rest.is_empty() || rest.starts_with(','));
            if names_it {
                *value = format!("{volid}{}", &value[transfer.from.volid.len()..]);
            }
        }
    }
    vm.config.remove("lock");
    let pid = cluster.take_pid();
    // The process is another, so its counters begin anew; the guest inside goes on.
    vm.run = vm.run.map(|run| Run { booted_ms: run.booted_ms, paused: run.paused, ..Run::new(pid) });
    if let Some(target) = cluster.nodes.get_mut(&plan.target) {
        target.vms.insert(plan.vmid, vm);
    }
}
