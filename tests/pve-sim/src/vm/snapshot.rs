//! `…/snapshot`: making, listing, deleting and going back.

use serde_json::{Map, Value, json};

use crate::app::Ctx;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::schema::{CONFIG_ID, Kind, check, opt, req};
use crate::state::{Run, Snapshot, Vm};
use crate::tasks::{self, TaskError};
use crate::vm::keys::is_cloudinit;
use crate::vm::volume::{self, Extent};
use crate::vm::{digest, path_vmid, shown_config};

pub(crate) fn list(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[])?;
    ctx.vm(number, |vm| {
        let mut rows: Vec<Value> = vm
            .snapshots
            .iter()
            .map(|(name, snapshot)| {
                let mut row = json!({
                    "name": name, "snaptime": snapshot.time, "description": snapshot.description,
                    "vmstate": u8::from(snapshot.vmstate),
                });
                if let Some(parent) = snapshot.config.get("parent") {
                    row["parent"] = json!(parent);
                }
                row
            })
            .collect();
        rows.sort_by_key(|row| row["snaptime"].as_i64());
        let mut here = json!({
            "name": "current", "description": "You are here!", "digest": digest(&vm.config),
            "running": u8::from(vm.run.is_some()),
        });
        if let Some(parent) = vm.config.get("parent") {
            here["parent"] = json!(parent);
        }
        rows.push(here);
        Value::Array(rows)
    })
}

pub(crate) fn config(ctx: &Ctx, vmid: &str, name: &str) -> ApiResult {
    ctx.require_any(&format!("/vms/{vmid}"), &["VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit"])?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[])?;
    let snapshot = ctx.vm(number, |vm| vm.snapshots.get(name).cloned())?;
    let snapshot = snapshot.ok_or_else(|| ApiError::internal(missing(name)))?;
    let mut shown = shown_snapshot(&snapshot);
    shown.remove("digest");
    Ok(Value::Object(shown))
}

/// A snapshot's configuration with what the snapshot itself adds.
pub(crate) fn shown_snapshot(snapshot: &Snapshot) -> Map<String, Value> {
    let mut shown = shown_config(&snapshot.config);
    shown.insert("snaptime".to_owned(), json!(snapshot.time));
    shown.insert("description".to_owned(), json!(snapshot.description));
    shown
}

pub(crate) fn update(ctx: &Ctx, vmid: &str, name: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Snapshot")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &[opt("description", Kind::Text)])?;
    ctx.vm(number, |_| ())?;
    let node = &ctx.node;
    ctx.app.write(|cluster| {
        let vm = cluster.nodes.get_mut(node).and_then(|node| node.vms.get_mut(&number));
        let snapshot = vm.and_then(|vm| vm.snapshots.get_mut(name));
        let snapshot = snapshot.ok_or_else(|| ApiError::internal(missing(name)))?;
        params.text("description").clone_into(&mut snapshot.description);
        Ok(Value::Null)
    })
}

fn missing(name: &str) -> String {
    format!("snapshot '{name}' does not exist")
}

pub(crate) fn create(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Snapshot")?;
    let number = path_vmid(vmid)?;
    let spec = [req("snapname", CONFIG_ID), opt("description", Kind::Text), opt("vmstate", Kind::Bool)];
    let params = check(&ctx.params, &spec)?;
    let name = params.text("snapname").to_owned();
    if name == "current" || name == "pending" {
        return Err(ApiError::internal(format!("unable to use snapshot name '{name}' (reserved name)")));
    }
    let upid = tasks::spawn(ctx, "qmsnapshot", vmid, |worker| async move {
        let _guard = worker.lock(number).await?;
        worker.vm(number, |vm| {
            vm.check_lock()?;
            if vm.is_template() {
                return Err("snapshots of a template are not possible".to_owned());
            }
            let taken = vm.snapshots.contains_key(&name);
            if taken { Err(format!("snapshot name '{name}' already used")) } else { Ok(()) }
        })??;
        let before = worker.vm(number, Clone::clone)?;
        let with_ram = params.flag("vmstate") && before.run.is_some();
        worker.vm_mut(number, |vm| vm.config.insert("lock".to_owned(), "snapshot".to_owned()))?;
        if let Err(err) = worker.work().await {
            if err != TaskError::Killed {
                worker.vm_mut(number, |vm| vm.config.remove("lock"))?;
            }
            return Err(err);
        }
        let state = if with_ram { Some(save_ram(&worker, number, &before, &name)?) } else { None };
        for (key, drive) in disks(&before) {
            worker.log(format!("snapshotting 'drive-{key}' ({drive})"));
        }
        worker.vm_mut(number, |vm| {
            vm.config.remove("lock");
            let mut config = vm.config.clone();
            config.extend(state.map(|volid| ("vmstate".to_owned(), volid)));
            let description = params.get("description").unwrap_or_default().to_owned();
            let snapshot = Snapshot { config, description, time: clock::now_s(), vmstate: with_ram };
            vm.snapshots.insert(name.clone(), snapshot);
            vm.config.insert("parent".to_owned(), name);
        })
    });
    Ok(json!(upid))
}

fn disks(vm: &Vm) -> Vec<(String, String)> {
    let drives = volume::own_drives(vm).into_iter();
    let real = drives.filter(|(key, drive)| !key.starts_with("unused") && !is_cloudinit(&drive.first));
    real.map(|(key, drive)| (key, drive.first)).collect()
}

fn save_ram(worker: &tasks::Worker, vmid: u32, vm: &Vm, name: &str) -> Result<String, TaskError> {
    let storage = disks(vm).first().and_then(|(_, volid)| Some(volid.split_once(':')?.0.to_owned()));
    let storage = storage.unwrap_or_else(|| "local".to_owned());
    let file = format!("{vmid}/vm-{vmid}-state-{name}.raw");
    let size = crate::vm::status::memory_bytes(vm) * 2 + (500 << 20);
    let path = worker
        .app
        .read(|cluster| volume::storage(cluster, &worker.node, &storage).map(|found| volume::path_of(found, &file)))?;
    worker.log(volume::formatting_line(&path, size, None));
    worker.log(format!("saving VM state and RAM using storage '{storage}'"));
    worker.log("10.40 MiB in 0s");
    worker.log("completed saving the VM state in 1s, saved 89.38 MiB");
    let extent = Extent { size, used: Some(90 << 20) };
    worker.write(|cluster| volume::add(cluster, &worker.node, &storage, &file, vmid, &extent))?;
    Ok(format!("{storage}:{file}"))
}

pub(crate) fn delete(ctx: &Ctx, vmid: &str, name: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Snapshot")?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[opt("force", Kind::Bool)])?;
    let name = name.to_owned();
    let upid = tasks::spawn(ctx, "qmdelsnapshot", vmid, |worker| async move {
        let _guard = worker.lock(number).await?;
        worker.vm(number, |vm| {
            vm.check_lock()?;
            if vm.snapshots.contains_key(&name) { Ok(()) } else { Err(missing(&name)) }
        })??;
        worker.work().await?;
        let removed = worker.vm_mut(number, |vm| {
            let removed = vm.snapshots.remove(&name)?;
            let parent = removed.config.get("parent").cloned();
            let heirs = vm.snapshots.values_mut().map(|snapshot| &mut snapshot.config).chain([&mut vm.config]);
            for heir in heirs.filter(|heir| heir.get("parent") == Some(&name)) {
                match &parent {
                    Some(parent) => heir.insert("parent".to_owned(), parent.clone()),
                    None => heir.remove("parent"),
                };
            }
            Some(removed)
        })?;
        if let Some(state) = removed.and_then(|snapshot| snapshot.config.get("vmstate").cloned()) {
            worker.write(|cluster| volume::remove(cluster, &worker.node, &state));
        }
        Ok(())
    });
    Ok(json!(upid))
}

pub(crate) fn rollback(ctx: &Ctx, vmid: &str, name: &str) -> ApiResult {
    ctx.require_any(&format!("/vms/{vmid}"), &["VM.Snapshot", "VM.Snapshot.Rollback"])?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &[opt("start", Kind::Bool)])?;
    let name = name.to_owned();
    let upid = tasks::spawn(ctx, "qmrollback", vmid, |worker| async move {
        let _guard = worker.lock(number).await?;
        worker.vm(number, |vm| {
            vm.check_lock()?;
            if vm.snapshots.contains_key(&name) { Ok(()) } else { Err(missing(&name)) }
        })??;
        worker.work().await?;
        let pid = worker.write(crate::state::Cluster::take_pid);
        let start = params.flag("start");
        let with_ram = worker.vm_mut(number, |vm| {
            let Some(snapshot) = vm.snapshots.get(&name).cloned() else { return false };
            vm.set_run(None);
            vm.pending.clear();
            vm.config = snapshot.config;
            vm.config.remove("vmstate");
            vm.config.insert("vmgenid".to_owned(), clock::uuid());
            vm.config.insert("parent".to_owned(), name.clone());
            if snapshot.vmstate || start {
                vm.set_run(Some(Run::new(pid)));
            }
            snapshot.vmstate
        })?;
        if with_ram {
            worker.log("generating cloud-init ISO");
        }
        Ok(())
    });
    Ok(json!(upid))
}
