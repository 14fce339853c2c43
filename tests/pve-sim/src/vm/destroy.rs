//! `DELETE /nodes/{node}/qemu/{vmid}` and `POST …/template`.

use serde_json::json;

use crate::app::Ctx;
use crate::error::{ApiError, ApiResult};
use crate::schema::{Kind, check, opt};
use crate::tasks::{self, TaskError};
use crate::vm::keys::is_cloudinit;
use crate::vm::{path_vmid, refuse_skiplock, volume};

pub(crate) fn destroy(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Allocate")?;
    let number = path_vmid(vmid)?;
    let spec = [opt("purge", Kind::Bool), opt("destroy-unreferenced-disks", Kind::Bool), opt("skiplock", Kind::Bool)];
    let params = check(&ctx.params, &spec)?;
    let skiplock = params.flag("skiplock");
    refuse_skiplock(ctx, skiplock)?;
    ctx.vm(number, |vm| {
        if vm.config.get("protection").is_some_and(|value| value == "1") {
            return Err(format!("can't remove VM {number} - protection mode enabled"));
        }
        if vm.run.is_some() {
            return Err(format!("VM {number} is running - destroy failed"));
        }
        Ok(())
    })?
    .map_err(ApiError::internal)?;
    let purge = params.flag("purge");
    let unreferenced = params.flag("destroy-unreferenced-disks");
    let upid = tasks::spawn(ctx, "qmdestroy", vmid, |worker| async move {
        let _guard = worker.lock(number).await?;
        worker.vm(number, |vm| if skiplock { Ok(()) } else { vm.check_lock() })??;
        worker.vm(number, |vm| match vm.run {
            Some(_) => Err(format!("VM {number} is running - destroy failed")),
            None => Ok(()),
        })??;
        worker.work().await?;
        worker.write(|cluster| {
            let vm = crate::app::node_vm(cluster, &worker.node, number).cloned();
            let vm = vm.ok_or_else(|| crate::app::no_config(&worker.node, number))?;
            if let Some(volid) = volume::base_in_use(cluster, &worker.node, &vm) {
                return Err(TaskError::Failed(format!("base volume '{volid}' is still in use by linked cloned")));
            }
            for (_, drive) in volume::own_drives(&vm) {
                volume::remove(cluster, &worker.node, &drive.first);
            }
            // What its snapshots hold of its memory goes with it; what else bears its number, only if that was asked for; its backups stay.
            let goes = |name: &str| unreferenced || name.contains("-state-");
            let names: Vec<String> = cluster.storages(&worker.node).map(|(name, _)| name.clone()).collect();
            for name in names {
                if let Some(storage) = cluster.storage_mut(&worker.node, &name) {
                    storage.volumes.retain(|name, volume| {
                        volume.vmid != Some(number) || volume.content != "images" || !goes(name)
                    });
                }
            }
            cluster.remove_vm(number);
            Ok(())
        })?;
        if purge {
            worker.log(format!("purging VM {number} from related configurations.."));
        }
        Ok(())
    });
    Ok(json!(upid))
}

pub(crate) async fn template(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Allocate")?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[opt("disk", Kind::Text)])?;
    ctx.vm(number, |_| ())?;
    let wait = ctx.app.timings().vm_lock;
    let guard = ctx.app.locks.exclusive(number, wait).await.map_err(ApiError::internal)?;
    ctx.vm(number, |vm| {
        vm.check_lock()?;
        if vm.is_template() {
            return Err("you can't convert a template to a template".to_owned());
        }
        if vm.run.is_some() {
            return Err("you can't convert a VM to template if VM is running".to_owned());
        }
        if !vm.snapshots.is_empty() {
            return Err("unable to create template, because VM contains snapshots".to_owned());
        }
        Ok(())
    })?
    .map_err(ApiError::internal)?;
    let upid = tasks::spawn(ctx, "qmtemplate", vmid, |worker| async move {
        let _guard = guard;
        worker.work().await?;
        worker.write(|cluster| make_base(cluster, &worker.node, number));
        Ok(())
    });
    Ok(json!(upid))
}

/// Turns a VM into a template: its disks become base images.
pub(crate) fn make_base(cluster: &mut crate::state::Cluster, node: &str, vmid: u32) {
    let Some(mut vm) = crate::app::node_vm(cluster, node, vmid).cloned() else { return };
    vm.config.insert("template".to_owned(), "1".to_owned());
    for (key, mut drive) in volume::own_drives(&vm) {
        if is_cloudinit(&drive.first) {
            continue;
        }
        let Some((name, old)) = drive.first.split_once(':') else { continue };
        let new = old.replace(&format!("/vm-{vmid}-"), &format!("/base-{vmid}-"));
        if let Some(storage) = cluster.storage_mut(node, name)
            && let Some(volume) = storage.volumes.remove(old)
        {
            storage.volumes.insert(new.clone(), volume);
        }
        drive.first = format!("{name}:{new}");
        vm.config.insert(key, drive.render());
    }
    if let Some(place) = cluster.nodes.get_mut(node) {
        place.vms.insert(vmid, vm);
    }
}
