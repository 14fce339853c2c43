//! `POST /nodes/{node}/qemu/{vmid}/clone`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{App, Ctx, node_vm};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::formats::{self, PropertyString, render_size};
use crate::schema::{CONFIG_ID, COUNT, Kind, Params, check, opt, req};
use crate::state::{Cluster, Snapshot, Vm, VmConfig};
use crate::tasks::{self, TaskError, TaskResult, Worker};
use crate::vm::keys::is_cloudinit;
use crate::vm::volume::{self, Extent};
use crate::vm::{fresh_identity, path_vmid};

/// How long a clone's worker waits for the locks of source and target: 1 s on real servers.
const TARGET_LOCK_PART: u32 = 10;

/// The comment in a configuration that a clone has only claimed, as the API shows it.
const CLAIM: &str = "qmclone temporary file\n";

/// What a checked request asks for.
#[derive(Clone)]
struct Plan {
    source: u32,
    target: u32,
    full: bool,
    storage: Option<String>,
    format: Option<String>,
    name: Option<String>,
    description: Option<String>,
    pool: Option<String>,
    snapshot: Option<String>,
    /// The node that the new VM is on, if not this one.
    node: Option<String>,
    /// KiB/s; 0 for no limit.
    bwlimit: u64,
}

/// One drive to be copied.
struct DriveCopy {
    key: String,
    from: PropertyString,
    size: u64,
    used: u64,
    linked: bool,
    storage: String,
    volume: String,
}

pub(crate) fn start(ctx: &Ctx, vmid: &str) -> ApiResult {
    let path = format!("/vms/{vmid}");
    ctx.require(&path, "VM.Clone")?;
    let spec = [
        req("newid", Kind::VmId),
        opt("name", Kind::Format(formats::dns_name)),
        opt("description", Kind::Text),
        opt("pool", Kind::Text),
        opt("snapname", CONFIG_ID),
        opt("storage", Kind::Text),
        opt("format", Kind::Enum(&["raw", "qcow2", "vmdk"])),
        opt("full", Kind::Bool),
        opt("target", Kind::Text),
        opt("bwlimit", COUNT),
    ];
    let source = path_vmid(vmid)?;
    let params = check(&ctx.params, &spec)?;
    let target = params.vmid("newid").unwrap_or_default();
    let pool = params.get("pool");
    if let Some(pool) = pool {
        ctx.rights(|rights| rights.require_pool(pool))?;
    }
    ctx.rights(|rights| rights.require_allocate(target, pool))?;
    let plan = check_plan(ctx, source, target, &params)?;
    let upid = tasks::spawn(ctx, "qmclone", vmid, |worker| run(worker, plan));
    Ok(json!(upid))
}

fn check_plan(ctx: &Ctx, source: u32, target: u32, params: &Params) -> ApiResult<Plan> {
    let text = |name: &str| params.get(name).map(str::to_owned);
    ctx.read(|cluster| {
        if let Some(name) = params.get("storage") {
            volume::storage(cluster, &ctx.node, name).map_err(ApiError::internal)?;
        }
        if let Some(node) = params.get("target").filter(|node| !cluster.nodes.contains_key(*node)) {
            return Err(ApiError::internal(format!("no such cluster node '{node}'")));
        }
        let vm = node_vm(cluster, &ctx.node, source);
        let vm = vm.ok_or_else(|| {
            ApiError::internal(format!("unable to find configuration file for VM {source} on node '{}'", ctx.node))
        })?;
        vm.check_lock().map_err(ApiError::internal)?;
        if let Some(name) = params.get("snapname").filter(|name| !vm.snapshots.contains_key(*name)) {
            return Err(ApiError::internal(format!("snapshot '{name}' does not exist")));
        }
        if cluster.vm_exists(target) {
            return Err(ApiError::internal(format!("unable to create VM {target}: config file already exists")));
        }
        let full = params.get("full").map_or(!vm.is_template(), |flag| flag == "1");
        if !full && params.get("storage").is_some() {
            return Err(ApiError::internal("parameter 'storage' not allowed for linked clones"));
        }
        let plan = Plan {
            source,
            target,
            full,
            storage: text("storage"),
            format: text("format"),
            name: text("name"),
            description: text("description"),
            pool: text("pool"),
            snapshot: text("snapname"),
            node: text("target").filter(|node| *node != ctx.node),
            bwlimit: params.int("bwlimit").unwrap_or(0) as u64,
        };
        let copies = copies(cluster, &ctx.node, vm, &plan).map_err(ApiError::internal)?;
        let is_local =
            |copy: &DriveCopy| cluster.storage(&ctx.node, &copy.storage).is_none_or(|storage| !storage.shared);
        if let Some(node) = plan.node.as_ref().filter(|_| copies.iter().any(is_local)) {
            return Err(ApiError::internal(format!("Can't clone VM to node '{node}' (VM uses local storage)")));
        }
        let rights = crate::access::Rights { cluster, flavour: ctx.app.flavour(), who: &ctx.who };
        for copy in &copies {
            rights.require_space(&copy.storage)?;
        }
        for bridge in bridges(&vm.config) {
            rights.require_bridge(&bridge)?;
        }
        Ok(plan)
    })
}

/// The bridges that a configuration's networks are on.
pub(crate) fn bridges(config: &VmConfig) -> Vec<String> {
    let nets = config.iter().filter(|(key, _)| formats::numbered(key, "net", 32));
    nets.filter_map(|(_, value)| Some(formats::parse_net(value).ok()?.get("bridge")?.to_owned())).collect()
}

/// What has to be copied, in the order of the drives' keys.
fn copies(cluster: &Cluster, node: &str, vm: &Vm, plan: &Plan) -> Result<Vec<DriveCopy>, String> {
    let mut out = Vec::new();
    for (key, drive) in volume::own_drives(vm).into_iter().filter(|(key, _)| !key.starts_with("unused")) {
        let Some((from_storage, from_volume)) = volume::split_volid(&drive.first) else { continue };
        let cloudinit = is_cloudinit(&drive.first);
        let storage = plan.storage.clone().unwrap_or_else(|| from_storage.to_owned());
        let source = volume::lookup(cluster, node, &drive.first);
        let source = source.ok_or_else(|| format!("volume '{}' does not exist", drive.first))?;
        let linked = !plan.full && !cloudinit;
        if linked && (!from_volume.contains("/base-") || from_volume.matches('/').count() > 1) {
            return Err(format!("Linked clone feature is not supported for '{}' ({key})", drive.first));
        }
        let target = plan.target;
        let number = out.iter().filter(|copy: &&DriveCopy| !is_cloudinit(&copy.volume)).count();
        let format = plan.format.clone().unwrap_or_else(|| source.format.clone());
        let volume = match (cloudinit, linked) {
            (true, _) => format!("{target}/vm-{target}-cloudinit.qcow2"),
            (false, true) => format!("{from_volume}/{target}/vm-{target}-disk-{number}.qcow2"),
            (false, false) => format!("{target}/vm-{target}-disk-{number}.{format}"),
        };
        let (size, used) = (source.size, source.used);
        out.push(DriveCopy { key, from: drive, size, used, linked, storage, volume });
    }
    Ok(out)
}

async fn run(worker: Arc<Worker>, plan: Plan) -> TaskResult {
    let app: &App = &worker.app;
    let wait = app.timings().vm_lock / TARGET_LOCK_PART;
    let running = app.read(|cluster| cluster.vm(plan.source).is_some_and(|vm| vm.run.is_some()));
    let _source = if running {
        app.locks.exclusive(plan.source, wait).await?
    } else {
        app.locks.shared(plan.source, wait).await?
    };
    let _target = app.locks.exclusive(plan.target, wait).await?;
    let (copies, config) = begin(&worker, &plan)?;
    worker.claimed().await?;
    worker.vm_mut(plan.target, |vm| vm.config = config)?;
    let result = copy_all(&worker, &plan, &copies).await;
    match result {
        Ok(()) => finish(&worker, &plan),
        Err(TaskError::Killed) => Err(TaskError::Killed),
        Err(err) => {
            clean_up(&worker, &plan, &copies);
            Err(failed(&worker, err, &plan, &copies))
        }
    }
}

/// Looks once more, and claims the VMID with a configuration that holds the lock alone. The one that follows has no drives yet.
fn begin(worker: &Worker, plan: &Plan) -> TaskResult<(Vec<DriveCopy>, VmConfig)> {
    worker.write(|cluster| {
        let vm = node_vm(cluster, &worker.node, plan.source).cloned();
        let vm = vm.ok_or_else(|| crate::app::no_config(&worker.node, plan.source))?;
        if cluster.vm_exists(plan.target) {
            return Err(TaskError::Failed(format!("unable to create VM {}: config file already exists", plan.target)));
        }
        let vm = match plan.snapshot.as_ref().and_then(|name| vm.snapshots.get(name)) {
            Some(snapshot) => Vm { firewall: vm.firewall.clone(), ..at_snapshot(snapshot) },
            None => vm,
        };
        let copies = copies(cluster, &worker.node, &vm, plan)?;
        let config = target_config(&vm, plan);
        let made =
            Vm { config: config.clone(), guest: vm.guest.clone(), firewall: vm.firewall.clone(), ..Vm::default() };
        cluster.insert_vm(&worker.node, plan.target, made, "clone", Some(&worker.upid));
        let claimed = cluster.nodes.get_mut(&worker.node).and_then(|node| node.vms.get_mut(&plan.target));
        if let Some(vm) = claimed {
            let claim = [("lock", "clone"), ("description", CLAIM)];
            vm.config = claim.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
        }
        if let Some(pool) = plan.pool.as_ref().and_then(|pool| cluster.pools.get_mut(pool)) {
            pool.vms.push(plan.target);
        }
        Ok((copies, config))
    })
}

fn at_snapshot(snapshot: &Snapshot) -> Vm {
    Vm { config: snapshot.config.clone(), ..Vm::default() }
}

fn target_config(vm: &Vm, plan: &Plan) -> VmConfig {
    let skipped = |key: &str| {
        formats::is_drive_key(key)
            && vm.config.get(key).is_some_and(|value| value.contains(':') && !value.contains(":iso/"))
            || key.starts_with("unused")
            || matches!(key, "template" | "lock" | "parent" | "snaptime" | "protection")
    };
    let kept = vm.config.iter().filter(|(key, _)| !skipped(key));
    let mut config: VmConfig = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, value) in &mut config {
        if formats::numbered(key, "net", 32)
            && let Ok(net) = formats::parse_net(value)
        {
            *value = formats::render_net(&net, &clock::mac());
        }
    }
    fresh_identity(&mut config);
    config.insert("lock".to_owned(), "clone".to_owned());
    let name = plan.name.clone().unwrap_or_else(|| format!("Copy-of-VM-{}", vm.name(plan.source).replace(' ', "-")));
    config.insert("name".to_owned(), name);
    if let Some(description) = &plan.description {
        config.insert("description".to_owned(), description.clone());
    }
    config
}

async fn copy_all(worker: &Worker, plan: &Plan, copies: &[DriveCopy]) -> TaskResult {
    // The time of the whole clone goes into its largest copy; small drives are done at once.
    let largest = copies.iter().map(|copy| copy.size).max().unwrap_or(0);
    let mut worked = false;
    for copy in copies {
        announce(worker, copy)?;
        let mut shown = 0;
        if copy.size == largest && !worked {
            worked = true;
            if !copy.linked {
                let lines = volume::transfer_lines(copy.size);
                shown = lines.len() / 2;
                lines[..shown].iter().for_each(|line| worker.log(line.clone()));
            }
            wait_for_copy(worker, plan, copy).await?;
        }
        complete(worker, plan, copy, shown)?;
    }
    if worked { Ok(()) } else { worker.work().await }
}

async fn wait_for_copy(worker: &Worker, plan: &Plan, copy: &DriveCopy) -> TaskResult {
    if copy.linked || plan.bwlimit == 0 {
        return worker.work().await;
    }
    worker.work_for(Duration::from_secs_f64(copy.size as f64 / 1024.0 / plan.bwlimit as f64)).await
}

fn announce(worker: &Worker, copy: &DriveCopy) -> TaskResult {
    let kind = if copy.linked { "linked" } else { "full" };
    worker.log(format!("create {kind} clone of drive {} ({})", copy.key, copy.from.first));
    let path = worker.app.read(|cluster| {
        volume::storage(cluster, &worker.node, &copy.storage).map(|storage| volume::path_of(storage, &copy.volume))
    })?;
    let file = copy.volume.rsplit('/').next().unwrap_or_default();
    if copy.linked {
        let base = copy.from.first.split_once(':').map_or("", |(_, base)| base);
        let target = copy.volume.rsplit('/').nth(1).unwrap_or_default();
        worker.log(format!("clone {base}: images, {file}, {target} to {file} (base=../{base})"));
        worker.log(volume::formatting_line(&path, copy.size, Some(&format!("../{base}"))));
    } else {
        worker.log(volume::formatting_line(&path, copy.size, None));
    }
    Ok(())
}

/// Puts the copied volume in place, or fails for want of room; `shown` progress lines are in the log already.
fn complete(worker: &Worker, plan: &Plan, copy: &DriveCopy, shown: usize) -> TaskResult {
    let (kept, room) = worker.app.read(|cluster| {
        let room = volume::storage(cluster, &worker.node, &copy.storage).map(crate::state::Storage::avail);
        (if copy.linked { 200_704.min(copy.size) } else { copy.used }, room)
    });
    let room = room?;
    let plain_copy = !copy.linked && !is_cloudinit(&copy.volume);
    if plain_copy {
        let lines = volume::transfer_lines(copy.size);
        let fits = if kept > room { lines.len() * 3 / 4 } else { lines.len() };
        for line in &lines[shown..fits] {
            worker.log(line.clone());
        }
    }
    if kept > room {
        let at = room / 65536 * 65536;
        worker.log(format!("qemu-img.real: error while writing at byte {at}: No space left on device"));
        return Err(TaskError::Failed(format!("{} failed: exit code 1", copy_command(worker, plan, copy))));
    }
    let mut drive = copy.from.clone();
    drive.first = format!("{}:{}", copy.storage, copy.volume);
    drive.rest.insert("size".to_owned(), render_size(copy.size));
    worker.write(|cluster| {
        let extent = Extent { size: copy.size, used: Some(kept) };
        volume::add(cluster, &worker.node, &copy.storage, &copy.volume, plan.target, &extent)
    })?;
    worker.vm_mut(plan.target, |vm| vm.config.insert(copy.key.clone(), drive.render())).map(drop)
}

fn copy_command(worker: &Worker, plan: &Plan, copy: &DriveCopy) -> String {
    let path = |name: &str, volume: &str| {
        let found = |cluster: &Cluster| {
            volume::storage(cluster, &worker.node, name).map(|storage| volume::path_of(storage, volume))
        };
        worker.app.read(found).unwrap_or_default()
    };
    let (from_storage, from_volume) = volume::split_volid(&copy.from.first).unwrap_or_default();
    let format = |volume: &str| volume.rsplit('.').next().unwrap_or("raw").to_owned();
    let limit = if plan.bwlimit > 0 { format!(" -r {}K", plan.bwlimit) } else { String::new() };
    format!(
        "copy failed: command '/usr/bin/qemu-img convert -p -n{limit} -f {} -O {} {} {}'",
        format(from_volume),
        format(&copy.volume),
        path(from_storage, from_volume),
        path(&copy.storage, &copy.volume)
    )
}

/// The last word of a clone that did not work: `clone failed: …`.
fn failed(worker: &Worker, err: TaskError, plan: &Plan, copies: &[DriveCopy]) -> TaskError {
    let text = match err {
        TaskError::Failed(text) if text.starts_with("clone failed") => text,
        TaskError::Failed(text) => format!("clone failed: {text}"),
        TaskError::Interrupted => match copies.iter().max_by_key(|copy| copy.size) {
            Some(copy) => format!("clone failed: {} failed: interrupted by signal", copy_command(worker, plan, copy)),
            None => "clone failed: interrupted by signal".to_owned(),
        },
        TaskError::Killed => return TaskError::Killed,
    };
    TaskError::Failed(text)
}

fn clean_up(worker: &Worker, plan: &Plan, copies: &[DriveCopy]) {
    worker.write(|cluster| {
        for copy in copies {
            volume::remove(cluster, &worker.node, &format!("{}:{}", copy.storage, copy.volume));
        }
        cluster.remove_vm(plan.target);
    });
}

fn finish(worker: &Worker, plan: &Plan) -> TaskResult {
    worker.vm_mut(plan.target, |vm| vm.config.remove("lock"))?;
    let Some(node) = &plan.node else { return Ok(()) };
    worker.write(|cluster| {
        let vm = cluster.nodes.get_mut(&worker.node).and_then(|here| here.vms.remove(&plan.target));
        if let (Some(vm), Some(there)) = (vm, cluster.nodes.get_mut(node)) {
            there.vms.insert(plan.target, vm);
        }
    });
    Ok(())
}

/// What a clone would need, for `feature`: `{"hasFeature":1,"nodes":[…]}`.
pub(crate) fn feature(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    let spec = [req("feature", Kind::Enum(&["snapshot", "clone", "copy"])), opt("snapname", CONFIG_ID)];
    check(&ctx.params, &spec)?;
    ctx.vm(number, |_| ())?;
    let nodes: Value = json!([ctx.node]);
    Ok(json!({ "hasFeature": 1, "nodes": nodes }))
}
