//! `POST /nodes/{node}/vzdump`, and what can be changed about a backup afterwards. No recording shows a backup: words and order
//! follow the API's schema and the tool's known log.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::{Ctx, node_vm};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::formats::{PropertyString, is_drive_key, render_size};
use crate::schema::{COUNT, INT, Kind, Param, Params, check, opt, req};
use crate::state::{Archive, ArchivedDisk, Cluster, Run, Vm, Volume};
use crate::tasks::{self, TaskError, TaskResult, Worker};
use crate::vm::volume;

/// Only root by ticket may say these.
const ROOT_ONLY: &[&str] = &["tmpdir", "dumpdir", "script", "job-id"];
/// What of written data an archive takes, in tenths: none, gzip or lzo, zstd.
const TENTHS: [(&str, &str, u64); 5] =
    [("0", "vma", 10), ("gzip", "vma.gz", 5), ("1", "vma.lzo", 6), ("lzo", "vma.lzo", 6), ("zstd", "vma.zst", 4)];

fn spec() -> Vec<Param> {
    let texts = [
        "exclude",
        "fleecing",
        "mailto",
        "notification-target",
        "performance",
        "pool",
        "prune-backups",
        "script",
        "storage",
        "tmpdir",
        "dumpdir",
        "vmid",
        "job-id",
    ];
    let flags = ["all", "protected", "quiet", "remove", "stdexcludes", "stdout", "stop"];
    let numbers = ["bwlimit", "ionice", "lockwait", "stopwait", "maxfiles"];
    let mut spec: Vec<Param> = texts.map(|name| opt(name, Kind::Text)).into();
    spec.extend(flags.map(|name| opt(name, Kind::Bool)));
    spec.extend(numbers.map(|name| opt(name, COUNT)));
    spec.extend([
        opt("pigz", INT),
        opt("zstd", INT),
        opt("exclude-path", Kind::Array),
        opt("compress", Kind::Enum(&["0", "1", "gzip", "lzo", "zstd"])),
        opt("mailnotification", Kind::Enum(&["always", "failure"])),
        opt("mode", Kind::Enum(&["snapshot", "suspend", "stop"])),
        opt("notes-template", Kind::Length(0, 1024)),
        opt("notification-mode", Kind::Enum(&["auto", "legacy-sendmail", "notification-system"])),
        opt("notification-policy", Kind::Enum(&["always", "failure", "never"])),
        opt("pbs-change-detection-mode", Kind::Enum(&["legacy", "data", "metadata"])),
    ]);
    spec
}

/// Answers a UPID, or the word `OK` when all of the VMs are on other nodes.
pub(crate) fn dump(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &spec())?;
    let vmids = asked(ctx, &params)?;
    allowed(ctx, &params, &vmids)?;
    // A VM that is nowhere fails visibly later; one of another node is left to that node.
    let here: Vec<u32> = ctx.read(|cluster| {
        vmids.into_iter().filter(|vmid| cluster.node_of(*vmid).is_none_or(|at| at == ctx.node)).collect()
    });
    if here.is_empty() && !params.flag("all") {
        return Ok(json!("OK"));
    }
    let id = if let [vmid] = here[..] { vmid.to_string() } else { String::new() };
    let upid = tasks::spawn(ctx, "vzdump", &id, |worker| async move { job(&worker, &here, &params).await });
    Ok(json!(upid))
}

fn asked(ctx: &Ctx, params: &Params) -> ApiResult<Vec<u32>> {
    for name in ["notes-template", "protected"] {
        if params.get(name).is_some() && params.get("storage").is_none() {
            return Err(ApiError::param("storage", format!("missing property - '{name}' requires this property")));
        }
    }
    if params.flag("all") {
        if params.get("vmid").is_some() {
            return Err(ApiError::param("all", "option conflicts with option 'vmid'"));
        }
        return ctx.node_state(|node| node.vms.keys().copied().collect());
    }
    let Some(text) = params.get("vmid") else { return Err(ApiError::param("vmid", "property is missing")) };
    let parsed = text.split([',', ';', ' ']).filter(|item| !item.is_empty()).map(crate::vm::path_vmid);
    parsed.collect()
}

fn allowed(ctx: &Ctx, params: &Params, vmids: &[u32]) -> ApiResult<()> {
    if let Some(name) = ROOT_ONLY.iter().find(|name| params.get(name).is_some() && !ctx.who.is_root()) {
        return Err(ApiError::param(name, "Only root may set this option."));
    }
    for vmid in vmids {
        ctx.require(&format!("/vms/{vmid}"), "VM.Backup")?;
    }
    let Some(storage) = params.get("storage") else { return Ok(()) };
    ctx.require(&format!("/storage/{storage}"), "Datastore.AllocateSpace")?;
    if let Some(prune) = params.get("prune-backups") {
        ctx.require(&format!("/storage/{storage}"), "Datastore.Allocate")?;
        keep_last(prune).map_err(|text| ApiError::param("prune-backups", text))?;
    }
    Ok(())
}

/// How many unprotected backups stay; `None`: all. The simulator knows no calendar.
fn keep_last(text: &str) -> Result<Option<usize>, String> {
    let parsed = PropertyString::parse(text, "keep-all")?;
    if let Some(key) = parsed.rest.keys().find(|key| *key != "keep-last") {
        return Err(format!("the simulator prunes by keep-last alone, not by '{key}'"));
    }
    Ok(parsed.get("keep-last").and_then(|number| number.parse().ok()).filter(|number| *number > 0))
}

async fn job(worker: &Arc<Worker>, vmids: &[u32], params: &Params) -> TaskResult {
    let lock = worker.app.dump_lock(&worker.node);
    let _only_one = tokio::select! {
        () = worker.app.stop.cancelled() => return Err(TaskError::Killed),
        guard = lock.lock() => guard,
    };
    let ids: Vec<String> = vmids.iter().map(u32::to_string).collect();
    let mut words = vec![ids.join(" ")];
    words.extend(params.iter().filter(|(key, _)| *key != "vmid").map(|(key, value)| format!("--{key} '{value}'")));
    worker.log(format!("INFO: starting new backup job: vzdump {}", words.join(" ")));
    let storage = params.get("storage").unwrap_or("local");
    let usable = worker.app.read(|cluster| {
        let holds = volume::storage(cluster, &worker.node, storage)?.content.iter().any(|content| content == "backup");
        if holds { Ok(()) } else { Err(format!("can't use storage '{storage}' for backups - wrong content type")) }
    });
    usable.map_err(|text| format!("could not get storage information for '{storage}': {text}"))?;
    let mut failed = false;
    for vmid in vmids {
        worker.log(format!("INFO: Starting Backup of VM {vmid} (qemu)"));
        worker.log(format!("INFO: Backup started at {}", clock::date_time()));
        match one(worker, *vmid, storage, params).await {
            Ok(()) => worker.log(format!("INFO: Finished Backup of VM {vmid} (00:00:01)")),
            Err(TaskError::Failed(text)) => {
                failed = true;
                worker.log(format!("ERROR: Backup of VM {vmid} failed - {text}"));
                worker.log(format!("INFO: Failed at {}", clock::date_time()));
                continue;
            }
            Err(TaskError::Interrupted) => {
                worker.log(format!("ERROR: Backup of VM {vmid} failed - interrupted by signal"));
                return Err("interrupted by signal".into());
            }
            Err(TaskError::Killed) => return Err(TaskError::Killed),
        }
        worker.log(format!("INFO: Backup finished at {}", clock::date_time()));
    }
    if failed {
        worker.log("INFO: Backup job finished with errors");
        return Err("job errors".into());
    }
    worker.log("INFO: Backup job finished successfully");
    Ok(())
}

async fn one(worker: &Arc<Worker>, vmid: u32, storage: &str, params: &Params) -> TaskResult {
    let vm = worker.vm(vmid, Clone::clone).map_err(|_| format!("unable to find VM '{vmid}'"))?;
    {
        let _guard = worker.lock(vmid).await?;
        worker.vm_mut(vmid, |vm| {
            vm.check_lock()?;
            vm.config.insert("lock".to_owned(), "backup".to_owned());
            Ok::<(), String>(())
        })??;
    }
    let result = write_archive(worker, vmid, &vm, storage, params).await;
    if result == Err(TaskError::Killed) {
        return result;
    }
    // It may have been deleted past the lock meanwhile.
    let unlocked = worker.vm_mut(vmid, |vm| vm.config.remove("lock"));
    result?;
    unlocked.map(drop)
}

fn say_what(worker: &Worker, vmid: u32, vm: &Vm, mode: &str) {
    worker.log(format!("INFO: status = {}", vm.status()));
    worker.log(format!("INFO: backup mode: {}", if vm.run.is_some() { mode } else { "stop" }));
    worker.log("INFO: ionice priority: 7");
    worker.log(format!("INFO: VM Name: {}", vm.name(vmid)));
    for (key, drive) in volume::own_drives(vm).into_iter().filter(|(key, _)| is_drive_key(key)) {
        let size = drive.get("size").unwrap_or_default();
        match (drive.get("media"), drive.get("backup")) {
            (Some("cdrom"), _) => {}
            (_, Some("0")) => worker.log(format!("INFO: exclude disk '{key}' '{}' (backup=no)", drive.first)),
            _ => worker.log(format!("INFO: include disk '{key}' '{}' {size}", drive.first)),
        }
    }
}

async fn write_archive(worker: &Arc<Worker>, vmid: u32, vm: &Vm, storage: &str, params: &Params) -> TaskResult {
    let mode = params.get("mode").unwrap_or("snapshot");
    say_what(worker, vmid, vm, mode);
    let archive = worker.app.read(|cluster| archive_of(cluster, &worker.node, vm))?;
    let (name, path) = worker.app.read(|cluster| {
        let place = volume::storage(cluster, &worker.node, storage)?;
        let name = free_name(place, vmid, suffix(params).1);
        Ok::<_, String>((name.clone(), volume::path_of(place, &name)))
    })?;
    worker.log(format!("INFO: creating vzdump archive '{path}'"));
    hold_guest(worker, vmid, mode, vm)?;
    let worked = worker.work().await;
    if worked != Err(TaskError::Killed) {
        release_guest(worker, vmid, mode, vm)?;
    }
    worked?;
    let size: u64 = archive.disks.iter().map(|disk| disk.size).sum();
    let written: u64 = archive.disks.iter().map(|disk| disk.used).sum();
    let bytes = written / 10 * suffix(params).2 + 4096;
    let room =
        worker.app.read(|cluster| volume::storage(cluster, &worker.node, storage).map(crate::state::Storage::avail))?;
    if bytes > room {
        worker.log("zstd: error 70 : Write error : cannot write block : No space left on device");
        worker.log("ERROR: vma_queue_write: write error - Broken pipe");
        worker.log("INFO: aborting backup job");
        return Err("vma_queue_write: write error - Broken pipe".into());
    }
    worker.log(format!("INFO: 100% ({} of {}) in 1s", render_size(size), render_size(size)));
    worker.log(format!("INFO: archive file size: {}", render_size(bytes)));
    let notes = params.get("notes-template").map(|template| notes(template, worker, vmid, vm));
    if notes.is_some() {
        worker.log("INFO: adding notes to backup");
    }
    let protected = params.flag("protected");
    if protected {
        worker.log("INFO: marking backup as protected");
    }
    let made = Volume {
        size: bytes,
        used: bytes,
        format: suffix(params).1.to_owned(),
        content: "backup".to_owned(),
        vmid: Some(vmid),
        ctime: clock::now_s(),
        notes,
        protected,
        archive: Some(archive),
        ..Volume::default()
    };
    worker.write(|cluster| {
        if let Some(place) = cluster.storage_mut(&worker.node, storage) {
            place.volumes.insert(name.clone(), made);
        }
    });
    prune(worker, vmid, storage, params);
    Ok(())
}

fn suffix(params: &Params) -> (&'static str, &'static str, u64) {
    let asked = params.get("compress").unwrap_or("0");
    TENTHS.into_iter().find(|(name, ..)| *name == asked).unwrap_or(TENTHS[0])
}

/// A name of this second, or of the next that is free: here backups take less than one.
fn free_name(storage: &crate::state::Storage, vmid: u32, suffix: &str) -> String {
    let names = (0..).map(|ahead| format!("backup/vzdump-qemu-{vmid}-{}.{suffix}", clock::file_time(ahead)));
    let mut free = names.filter(|name| !storage.volumes.contains_key(name));
    free.next().unwrap_or_default()
}

/// `stop` switches a running guest off for its backup, `suspend` pauses it.
fn hold_guest(worker: &Worker, vmid: u32, mode: &str, vm: &Vm) -> TaskResult {
    if vm.run.is_none() || mode == "snapshot" {
        return Ok(());
    }
    worker.log(if mode == "stop" { "INFO: stopping virtual guest" } else { "INFO: suspending guest" });
    worker.vm_mut(vmid, |vm| match &mut vm.run {
        Some(run) if mode == "suspend" => run.paused = true,
        _ => vm.set_run(None),
    })
}

fn release_guest(worker: &Worker, vmid: u32, mode: &str, before: &Vm) -> TaskResult {
    if before.run.is_none() || mode == "snapshot" {
        return Ok(());
    }
    worker.log(if mode == "stop" { "INFO: restarting vm" } else { "INFO: resume vm" });
    let pid = worker.write(Cluster::take_pid);
    let paused = before.run.as_ref().is_some_and(|run| run.paused);
    worker.vm_mut(vmid, |vm| match &mut vm.run {
        Some(run) => run.paused = paused,
        None => vm.set_run(Some(Run::new(pid))),
    })
}

/// The VM as it is now: what a restore will give back.
fn archive_of(cluster: &Cluster, node: &str, vm: &Vm) -> Result<Archive, String> {
    let mut config = vm.config.clone();
    for key in ["lock", "parent", "vmstate", "snaptime"] {
        config.remove(key);
    }
    config.retain(|key, _| !key.starts_with("unused"));
    let mut disks = Vec::new();
    for (key, drive) in volume::own_drives(vm).into_iter().filter(|(key, _)| is_drive_key(key)) {
        if drive.get("media") == Some("cdrom") || drive.get("backup") == Some("0") {
            continue;
        }
        let found = volume::lookup(cluster, node, &drive.first);
        let found = found.ok_or_else(|| format!("volume '{}' does not exist", drive.first))?;
        let storage = volume::split_volid(&drive.first).map(|(storage, _)| storage.to_owned()).unwrap_or_default();
        let (size, used, format) = (found.size, found.used, found.format.clone());
        disks.push(ArchivedDisk { key, storage, size, used, format });
    }
    Ok(Archive { config, disks, firewall: vm.firewall.clone() })
}

fn notes(template: &str, worker: &Worker, vmid: u32, vm: &Vm) -> String {
    let text = template.replace("\\n", "\n").replace("\\\\", "\\");
    let cluster = worker.app.config.cluster_name.as_str();
    let values =
        [("cluster", cluster), ("guestname", &vm.name(vmid)), ("node", &worker.node), ("vmid", &vmid.to_string())];
    values.iter().fold(text, |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

fn prune(worker: &Worker, vmid: u32, storage: &str, params: &Params) {
    let keep = params.get("prune-backups").and_then(|text| keep_last(text).ok()).flatten();
    let Some(keep) = keep.filter(|_| params.get("remove") != Some("0")) else { return };
    worker.log(format!("INFO: prune older backups with retention: keep-last={keep}"));
    let pruned = worker.write(|cluster| {
        let Some(place) = cluster.storage_mut(&worker.node, storage) else { return Vec::new() };
        let ours = place
            .volumes
            .iter()
            .filter(|(_, volume)| volume.content == "backup" && volume.vmid == Some(vmid) && !volume.protected);
        // The time is in the name.
        let mut names: Vec<String> = ours.map(|(name, _)| name.clone()).collect();
        names.sort_by(|a, b| b.cmp(a));
        let old: Vec<String> = names.into_iter().skip(keep).collect();
        for name in &old {
            place.volumes.remove(name);
        }
        old
    });
    for name in &pruned {
        worker.log(format!("INFO: removing backup '{storage}:{name}'"));
    }
    worker.log(format!("INFO: pruned {} backup(s) not covered by keep-retention policy", pruned.len()));
}

/// What working with a backup of this VM needs: the run of its storage, or the backing up of the VM.
pub(crate) fn require_backup(ctx: &Ctx, storage: &str, owner: Option<u32>) -> ApiResult<()> {
    let path = format!("/storage/{storage}");
    let Some(vmid) = owner else { return ctx.require(&path, "Datastore.Allocate") };
    if ctx.rights(|rights| rights.has(&path, "Datastore.Allocate")) {
        return Ok(());
    }
    ctx.require(&path, "Datastore.AllocateSpace")?;
    ctx.require(&format!("/vms/{vmid}"), "VM.Backup")
}

/// `PUT /nodes/{node}/storage/{storage}/content/{volume}`.
pub(crate) fn update(ctx: &Ctx, storage: &str, name: &str) -> ApiResult {
    let params = check(&ctx.params, &[opt("notes", Kind::Text), opt("protected", Kind::Bool)])?;
    let found = ctx.read(|cluster| {
        let place = volume::storage(cluster, &ctx.node, storage).map_err(ApiError::internal)?;
        let missing = || ApiError::internal(format!("volume '{storage}:{name}' does not exist"));
        place.volumes.get(name).map(|volume| (volume.content.clone(), volume.vmid)).ok_or_else(missing)
    });
    let (content, owner) = found?;
    require_backup(ctx, storage, owner)?;
    if content != "backup" {
        let attribute = if params.get("notes").is_some() { "notes" } else { "protected" };
        return Err(ApiError::internal(format!("only backups support attribute '{attribute}'")));
    }
    ctx.app.write(|cluster| {
        let volume = cluster.storage_mut(&ctx.node, storage).and_then(|place| place.volumes.get_mut(name));
        let Some(volume) = volume else { return };
        if let Some(notes) = params.get("notes") {
            volume.notes = Some(notes.to_owned()).filter(|notes| !notes.is_empty());
        }
        if params.get("protected").is_some() {
            volume.protected = params.flag("protected");
        }
    });
    Ok(Value::Null)
}

/// `GET /nodes/{node}/vzdump/extractconfig`: the configuration inside a backup, as its file has it.
pub(crate) fn extract_config(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &[req("volume", Kind::Text)])?;
    let volid = params.text("volume");
    let found = ctx.read(|cluster| {
        let volume = volume::lookup(cluster, &ctx.node, volid)?;
        Some((volume.vmid, volume.archive.clone()?))
    });
    let missing = || ApiError::internal(format!("volume '{volid}' does not exist"));
    let (owner, archive) = found.ok_or_else(missing)?;
    require_backup(ctx, volid.split(':').next().unwrap_or_default(), owner)?;
    let mut text = String::new();
    for line in archive.config.get("description").map_or("", String::as_str).lines() {
        text.push_str(&format!("#{line}\n"));
    }
    for (key, value) in archive.config.iter().filter(|(key, _)| *key != "description") {
        text.push_str(&format!("{key}: {value}\n"));
    }
    for disk in &archive.disks {
        text.push_str(&format!("#qmdump#map:{0}:drive-{0}:{1}:{2}:\n", disk.key, disk.storage, disk.format));
    }
    Ok(json!(text))
}

/// The VM of a node, if it may be restored over.
pub(crate) fn restorable(cluster: &Cluster, node: &str, vmid: u32, force: bool) -> Result<Option<Vm>, String> {
    match cluster.node_of(vmid) {
        Some(at) if !force || at != node => Err(format!("VM {vmid} already exists on node '{at}'")),
        Some(_) => {
            let vm = node_vm(cluster, node, vmid).cloned();
            vm.as_ref().map_or(Ok(()), Vm::check_lock)?;
            Ok(vm)
        }
        None => Ok(None),
    }
}
