//! `POST /nodes/{node}/qemu` with `archive`: a VM from its backup. No recording shows one: words and order follow the API's schema
//! and the tool's known log.

use std::sync::Arc;

use serde_json::json;

use crate::app::Ctx;
use crate::backup::{require_backup, restorable};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::formats::{self, PropertyString, render_size};
use crate::schema::Params;
use crate::state::{Archive, ArchivedDisk, Cluster, Vm, VmConfig};
use crate::tasks::{self, TaskError, TaskResult, Worker};
use crate::vm::config::check_key;
use crate::vm::volume::{self, CLOUDINIT_BYTES, Extent};
use crate::vm::{destroy, keys, power};

/// What a checked request asks for.
struct Plan {
    vmid: u32,
    archive: Archive,
    /// The archive's file, as the log shows it.
    path: String,
    storage: Option<String>,
    unique: bool,
    start: bool,
    settings: Vec<(String, String)>,
}

pub(crate) async fn start(ctx: &Ctx, vmid: u32, params: &Params) -> ApiResult {
    let plan = check_plan(ctx, vmid, params)?;
    let force = params.flag("force");
    let failed = |text: String| ApiError::internal(format!("unable to restore VM {vmid} - {text}"));
    let guard = ctx.app.locks.exclusive(vmid, ctx.app.timings().create_lock).await.map_err(failed)?;
    ctx.app.write(|cluster| {
        let old = restorable(cluster, &ctx.node, vmid, force).map_err(failed)?;
        if old.is_none() {
            cluster.insert_vm(&ctx.node, vmid, Vm::default(), "restore", None);
            if let Some(pool) = params.get("pool").and_then(|pool| cluster.pools.get_mut(pool)) {
                pool.vms.push(vmid);
            }
        }
        if let Some(vm) = cluster.vm_mut(vmid) {
            vm.config.insert("lock".to_owned(), "create".to_owned());
        }
        Ok::<(), ApiError>(())
    })?;
    drop(guard);
    let upid = tasks::spawn(ctx, "qmrestore", &vmid.to_string(), |worker| async move {
        let done = run(&worker, &plan).await;
        if done.is_err() && done != Err(TaskError::Killed) {
            // Nothing but the lock goes: of a VM that was not there before an empty configuration stays.
            worker.write(|cluster| cluster.vm_mut(vmid).map(|vm| vm.config.remove("lock")));
            worker.log(format!(
                "error before or during data restore, some or all disks were not completely restored. VM {vmid} state is NOT cleaned up."
            ));
        }
        done?;
        if plan.start {
            worker.log("Execute autostart");
            power::boot(&worker, vmid)?;
        }
        Ok(())
    });
    Ok(json!(upid))
}

fn check_plan(ctx: &Ctx, vmid: u32, params: &Params) -> ApiResult<Plan> {
    let volid = params.text("archive");
    let settings: Vec<(String, String)> = params
        .iter()
        .filter(|(key, _)| keys::kind_of(key).is_some())
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    if let Some((key, _)) = settings.iter().find(|(key, _)| formats::is_drive_key(key)) {
        return Err(ApiError::param(key, "option conflicts with option 'archive'"));
    }
    if params.flag("live-restore") {
        let text = "live-restore is only compatible with backup images from a Proxmox Backup Server";
        return Err(ApiError::internal(text));
    }
    let storage = params.get("storage");
    ctx.rights(|rights| {
        if let Some(pool) = params.get("pool") {
            rights.require_pool(pool)?;
        }
        storage.map_or(Ok(()), |storage| rights.require_space(storage))?;
        // Over a VM that is there, its own backup may be restored without the right to make VMs.
        let over =
            params.flag("force") && rights.has(&format!("/vms/{vmid}"), "VM.Backup") && rights.cluster.vm_exists(vmid);
        if !over {
            rights.require_allocate(vmid, params.get("pool"))?;
        }
        let path = format!("/vms/{vmid}");
        settings.iter().try_for_each(|(key, value)| check_key(rights, &path, key, value))
    })?;
    let found = ctx.read(|cluster| {
        let (name, file) = volume::split_volid(volid)?;
        let place = cluster.storage(&ctx.node, name)?;
        let volume = place.volumes.get(file)?;
        Some((name.to_owned(), volume.vmid, volume.archive.clone()?, volume::path_of(place, file)))
    });
    let missing = || ApiError::internal(format!("volume '{volid}' does not exist"));
    let (name, owner, archive, path) = found.ok_or_else(missing)?;
    require_backup(ctx, &name, owner)?;
    let (storage, unique, start) = (storage.map(str::to_owned), params.flag("unique"), params.flag("start"));
    Ok(Plan { vmid, archive, path, storage, unique, start, settings })
}

async fn run(worker: &Arc<Worker>, plan: &Plan) -> TaskResult {
    let vmid = plan.vmid;
    let _guard = worker.lock(vmid).await?;
    let old = worker.vm(vmid, Clone::clone)?;
    if old.config.get("protection").is_some_and(|value| value == "1") {
        // Both dashes are the server's own.
        return Err(format!("unable to restore VM {vmid} - - protection mode enabled").into());
    }
    if old.run.is_some() {
        return Err(format!("unable to restore VM {vmid} - vm is running").into());
    }
    let pid = worker.write(Cluster::take_pid);
    worker.log(format!(
        "restore vma archive: zstd -q -d -c {} | vma extract -v -r /var/tmp/vzdumptmp{pid}.fifo - /var/tmp/vzdumptmp{pid}",
        plan.path
    ));
    let targets = worker.app.read(|cluster| targets(cluster, &worker.node, plan))?;
    // What was there is gone from here on, whether this succeeds or not.
    worker.write(|cluster| {
        for (_, drive) in volume::own_drives(&old) {
            volume::remove(cluster, &worker.node, &drive.first);
        }
        for snapshot in old.snapshots.values() {
            if let Some(state) = snapshot.config.get("vmstate") {
                volume::remove(cluster, &worker.node, state);
            }
        }
    });
    let mut made = Vec::new();
    let result = fill(worker, plan, &targets, &mut made, pid).await;
    if result.is_err() && result != Err(TaskError::Killed) {
        worker.write(|cluster| made.iter().for_each(|volid| volume::remove(cluster, &worker.node, volid)));
    }
    result
}

/// One volume to be made: its slot, its storage, its extent and format.
struct Target {
    key: String,
    storage: String,
    size: u64,
    used: u64,
    format: String,
}

fn targets(cluster: &Cluster, node: &str, plan: &Plan) -> Result<Vec<Target>, String> {
    let place = |wanted: &str| {
        let storage = plan.storage.as_deref().unwrap_or(wanted);
        // A storage that is not known here gives way to the one that every host has.
        let known = plan.storage.is_some() || cluster.storage(node, storage).is_some();
        let storage = if known { storage } else { "local" };
        let found = volume::storage(cluster, node, storage)?;
        if found.content.iter().any(|content| content == "images") {
            return Ok(storage.to_owned());
        }
        Err(format!("storage '{storage}' does not support content-type 'images'"))
    };
    let mut out = Vec::new();
    for ArchivedDisk { key, storage, size, used, format } in plan.archive.disks.clone() {
        out.push(Target { key, storage: place(&storage)?, size, used, format });
    }
    for (key, value) in
        plan.archive.config.iter().filter(|(key, value)| formats::is_drive_key(key) && keys::is_cloudinit(value))
    {
        let storage = place(value.split(':').next().unwrap_or_default())?;
        let (key, format) = (key.clone(), "qcow2".to_owned());
        out.push(Target { key, storage, size: CLOUDINIT_BYTES, used: 196_608, format });
    }
    Ok(out)
}

async fn fill(worker: &Arc<Worker>, plan: &Plan, targets: &[Target], made: &mut Vec<String>, pid: u32) -> TaskResult {
    let vmid = plan.vmid;
    let mut config = plan.archive.config.clone();
    for target in targets {
        let is_cloudinit = plan.archive.config.get(&target.key).is_some_and(|value| keys::is_cloudinit(value));
        let (volid, line) = worker.write(|cluster| {
            let place = volume::storage(cluster, &worker.node, &target.storage)?;
            let file = if is_cloudinit {
                format!("{vmid}/vm-{vmid}-cloudinit.qcow2")
            } else {
                volume::free_name(place, vmid, &target.format)
            };
            let line = volume::formatting_line(&volume::path_of(place, &file), target.size, None);
            volume::add(
                cluster,
                &worker.node,
                &target.storage,
                &file,
                vmid,
                &Extent { size: target.size, used: None },
            )?;
            Ok::<_, String>((format!("{}:{file}", target.storage), line))
        })?;
        worker.log(line);
        worker.log(format!("new volume ID is '{volid}'"));
        made.push(volid.clone());
        let mut drive = PropertyString::parse(config.get(&target.key).map_or("", String::as_str), "file")?;
        drive.first = volid;
        drive.rest.insert("size".to_owned(), render_size(target.size));
        config.insert(target.key.clone(), drive.render());
    }
    worker.work().await?;
    for (target, volid) in targets.iter().zip(made.iter()) {
        write_disk(worker, target, volid, pid)?;
    }
    config.extend(plan.settings.iter().cloned());
    finish(worker, plan, config)
}

fn write_disk(worker: &Worker, target: &Target, volid: &str, pid: u32) -> TaskResult {
    worker
        .write(|cluster| {
            let room = volume::storage(cluster, &worker.node, &target.storage)?.avail();
            if target.used > room {
                return Err(TaskError::Failed(format!(
                    "command 'set -o pipefail && zstd -q -d -c | vma extract -v -r /var/tmp/vzdumptmp{pid}.fifo - \
                 /var/tmp/vzdumptmp{pid}' failed: exit code 133"
                )));
            }
            let file = volid.split_once(':').map_or("", |(_, file)| file);
            let volume =
                cluster.storage_mut(&worker.node, &target.storage).and_then(|place| place.volumes.get_mut(file));
            if let Some(volume) = volume {
                volume.used = target.used;
            }
            Ok(())
        })
        .inspect_err(|_| worker.log("vma: blk_flush drive failed: No space left on device"))?;
    worker.log(format!("progress 100% (read {} bytes, duration 1 sec)", target.size));
    Ok(())
}

fn finish(worker: &Worker, plan: &Plan, mut config: VmConfig) -> TaskResult {
    let was_template = config.remove("template").is_some_and(|value| value == "1");
    // A restored guest can tell that it went back in time.
    config.insert("vmgenid".to_owned(), clock::uuid());
    if plan.unique {
        config.insert("smbios1".to_owned(), format!("uuid={}", clock::uuid()));
        for (_, value) in config.iter_mut().filter(|(key, _)| formats::numbered(key, "net", 32)) {
            if let Ok(net) = formats::parse_net(value) {
                *value = formats::render_net(&net, &clock::mac());
            }
        }
    }
    worker.vm_mut(plan.vmid, |vm| {
        vm.config = config;
        vm.pending.clear();
        vm.snapshots.clear();
        vm.guest = crate::state::Guest { agent: vm.guest.agent, ..crate::state::Guest::default() };
        vm.firewall = plan.archive.firewall.clone();
    })?;
    worker.log("rescan volumes...");
    if was_template {
        worker.log("Convert to template.");
        worker.write(|cluster| destroy::make_base(cluster, &worker.node, plan.vmid));
    }
    Ok(())
}
