//! `…/resize`, `…/move_disk`, `…/unlink`.

use serde_json::{Value, json};

use crate::access::Rights;
use crate::app::Ctx;
use crate::error::{ApiError, ApiResult};
use crate::formats::{self, PropertyString, parse_size, render_size};
use crate::schema::{COUNT, Kind, Params, check, opt, req};
use crate::tasks::{self, TaskError};
use crate::vm::config::delete_key;
use crate::vm::keys::is_cloudinit;
use crate::vm::volume::{self, Extent};
use crate::vm::{digest, path_vmid, refuse_skiplock};

fn slot(name: &str, value: &str) -> Result<(), String> {
    let known = formats::is_drive_key(value) || formats::numbered(value, "unused", 256);
    if known { Ok(()) } else { Err(format!("'{value}' is no disk slot ({name})\n")) }
}

pub(crate) fn resize(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Config.Disk")?;
    let number = path_vmid(vmid)?;
    let spec = [
        req("disk", Kind::Format(slot)),
        req("size", Kind::Pattern(formats::resize_size)),
        opt("digest", Kind::Text),
        opt("skiplock", Kind::Bool),
    ];
    let params = check(&ctx.params, &spec)?;
    let skiplock = params.flag("skiplock");
    refuse_skiplock(ctx, skiplock)?;
    let who = ctx.who.clone();
    let upid = tasks::spawn(ctx, "resize", vmid, |worker| async move {
        let _guard = worker.lock(number).await?;
        let vm = worker.vm(number, Clone::clone)?;
        if params.get("digest").is_some_and(|wanted| wanted != digest(&vm.config)) {
            return Err("checksum mismatch (file change by other user?)".into());
        }
        if !skiplock {
            vm.check_lock()?;
        }
        let (disk, asked) = (params.text("disk").to_owned(), params.text("size").to_owned());
        let value = vm.config.get(&disk).ok_or_else(|| format!("disk '{disk}' does not exist"))?;
        let mut drive = PropertyString::parse(value, "file")?;
        if drive.get("media") == Some("cdrom") {
            return Err("you can't resize a cdrom".into());
        }
        let (storage, name) = volume::split_volid(&drive.first).ok_or("no volume to resize")?;
        let flavour = worker.app.flavour();
        let allowed = worker.app.read(|cluster| Rights { cluster, flavour, who: &who }.require_space(storage));
        allowed.map_err(|err| TaskError::Failed(err.reason))?;
        let old =
            worker.app.read(|cluster| volume::lookup(cluster, &worker.node, &drive.first).map(|found| found.size));
        let old = old.ok_or_else(|| format!("volume '{}' does not exist", drive.first))?;
        let new = match asked.strip_prefix('+') {
            Some(more) => parse_size(more).and_then(|more| old.checked_add(more)),
            None => parse_size(&asked),
        };
        let new = new.ok_or("size is too large")?;
        if new < old {
            return Err("shrinking disks is not supported".into());
        }
        if new == old {
            return Ok(());
        }
        worker.work().await?;
        let (storage, name) = (storage.to_owned(), name.to_owned());
        worker.write(|cluster| {
            let place = cluster.storage_mut(&worker.node, &storage);
            if let Some(volume) = place.and_then(|place| place.volumes.get_mut(&name)) {
                volume.size = new;
            }
        });
        drive.rest.insert("size".to_owned(), render_size(new));
        worker.vm_mut(number, |vm| vm.config.insert(disk, drive.render()))?;
        if vm.run.is_none() {
            worker.log("Image resized.");
        }
        Ok(())
    });
    Ok(json!(upid))
}

pub(crate) async fn move_disk(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Config.Disk")?;
    let number = path_vmid(vmid)?;
    let spec = [
        req("disk", Kind::Format(slot)),
        req("storage", Kind::Text),
        opt("format", Kind::Enum(&["raw", "qcow2", "vmdk"])),
        opt("delete", Kind::Bool),
        opt("digest", Kind::Text),
        opt("bwlimit", COUNT),
    ];
    let params = check(&ctx.params, &spec)?;
    let target = params.text("storage").to_owned();
    ctx.rights(|rights| rights.require_space(&target))?;
    ctx.vm(number, |_| ())?;
    let wait = ctx.app.timings().vm_lock;
    let guard = ctx.app.locks.exclusive(number, wait).await.map_err(ApiError::internal)?;
    let disk = params.text("disk").to_owned();
    let drive = ctx
        .vm(number, |vm| {
            vm.check_lock()?;
            let value = vm.config.get(&disk).ok_or_else(|| format!("disk '{disk}' does not exist"))?;
            let drive = PropertyString::parse(value, "file")?;
            if is_cloudinit(&drive.first) || drive.get("media") == Some("cdrom") {
                return Err("you can't move a cdrom".to_owned());
            }
            Ok(drive)
        })?
        .map_err(ApiError::internal)?;
    ctx.read(|cluster| volume::storage(cluster, &ctx.node, &target).map(drop)).map_err(ApiError::internal)?;
    let upid = tasks::spawn(ctx, "qmmove", vmid, |worker| async move {
        let _guard = guard;
        copy_disk(&worker, number, disk, &drive, &params).await
    });
    Ok(json!(upid))
}

async fn copy_disk(
    worker: &tasks::Worker,
    vmid: u32,
    disk: String,
    drive: &PropertyString,
    params: &Params,
) -> tasks::TaskResult {
    let target = params.text("storage");
    worker.log(format!("create full clone of drive {disk} ({})", drive.first));
    let (source, name, path, room) = worker.app.read(|cluster| {
        let source = volume::lookup(cluster, &worker.node, &drive.first).cloned();
        let source = source.ok_or_else(|| format!("volume '{}' does not exist", drive.first))?;
        let place = volume::storage(cluster, &worker.node, target)?;
        let format = params.get("format").unwrap_or(&source.format);
        let name = volume::free_name(place, vmid, format);
        let path = volume::path_of(place, &name);
        Ok::<_, String>((source, name, path, place.avail()))
    })?;
    worker.log(volume::formatting_line(&path, source.size, None));
    worker.work().await?;
    if source.used > room {
        let at = room / 65536 * 65536;
        worker.log(format!("qemu-img.real: error while writing at byte {at}: No space left on device"));
        return Err("storage migration failed: copy failed: exit code 1".into());
    }
    for line in volume::transfer_lines(source.size) {
        worker.log(line);
    }
    let extent = Extent { size: source.size, used: Some(source.used) };
    worker.write(|cluster| volume::add(cluster, &worker.node, target, &name, vmid, &extent))?;
    let mut moved = drive.clone();
    moved.first = format!("{target}:{name}");
    moved.rest.insert("size".to_owned(), render_size(source.size));
    worker.write(|cluster| {
        let delete = params.flag("delete");
        if delete {
            volume::remove(cluster, &worker.node, &drive.first);
        }
        let vm = cluster.nodes.get_mut(&worker.node).and_then(|node| node.vms.get_mut(&vmid));
        let Some(vm) = vm else { return };
        vm.config.insert(disk, moved.render());
        let slot = (0..256).map(|slot| format!("unused{slot}")).find(|slot| !vm.config.contains_key(slot));
        if let Some(slot) = slot.filter(|_| !delete) {
            vm.config.insert(slot, drive.first.clone());
        }
    });
    Ok(())
}

pub(crate) async fn unlink(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Config.Disk")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &[req("idlist", Kind::Text), opt("force", Kind::Bool)])?;
    ctx.vm(number, |_| ())?;
    let wait = ctx.app.timings().vm_lock;
    let _guard = ctx.app.locks.exclusive(number, wait).await.map_err(ApiError::internal)?;
    ctx.vm(number, crate::state::Vm::check_lock)?.map_err(ApiError::internal)?;
    let keys: Vec<&str> = params.text("idlist").split([',', ';', ' ']).filter(|key| !key.is_empty()).collect();
    if let Some(key) = keys.iter().find(|key| slot("", key).is_err()) {
        return Err(ApiError::param("idlist", format!("unknown option '{key}'")));
    }
    ctx.app.write(|cluster| {
        let vm = cluster.nodes.get(&ctx.node).and_then(|node| node.vms.get(&number));
        let mut config = vm.map(|vm| vm.config.clone()).unwrap_or_default();
        for key in keys {
            delete_key(cluster, &ctx.node, &mut config, key, params.flag("force"));
        }
        if let Some(vm) = cluster.nodes.get_mut(&ctx.node).and_then(|node| node.vms.get_mut(&number)) {
            vm.config = config;
        }
    });
    Ok(Value::Null)
}
