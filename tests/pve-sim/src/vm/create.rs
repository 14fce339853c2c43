//! `POST /nodes/{node}/qemu`.

use std::sync::Arc;

use serde_json::json;

use crate::access::Rights;
use crate::app::Ctx;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::formats;
use crate::schema::{COUNT, Kind, Params, check_with, opt, req};
use crate::state::{Vm, VmConfig};
use crate::tasks::{self, TaskError, TaskResult, Worker};
use crate::vm::config::{check_drive, check_key, value_for};
use crate::vm::{fresh_identity, keys, power, restore, volume};

pub(crate) async fn start(ctx: &Ctx) -> ApiResult {
    let spec = [
        req("vmid", Kind::VmId),
        opt("pool", Kind::Text),
        opt("start", Kind::Bool),
        opt("storage", Kind::Text),
        opt("archive", Kind::Text),
        opt("force", Kind::Bool),
        opt("unique", Kind::Bool),
        opt("live-restore", Kind::Bool),
        opt("bwlimit", COUNT),
        opt("import-working-storage", Kind::Text),
        opt("ha-managed", Kind::Bool),
    ];
    let nine = ctx.app.flavour() == crate::config::Flavour::V9_1;
    let spec = if nine { &spec[..] } else { &spec[..spec.len() - 1] };
    let params = check_with(&ctx.params, spec, keys::kind_of)?;
    let vmid = params.vmid("vmid").unwrap_or_default();
    if params.get("archive").is_some() {
        return restore::start(ctx, vmid, &params).await;
    }
    check_allowed(ctx, vmid, &params)?;
    let wait = ctx.app.timings().create_lock;
    let guard = ctx.app.locks.exclusive(vmid, wait).await;
    let guard = guard.map_err(|text| ApiError::internal(format!("unable to create VM {vmid} - {text}")))?;
    reserve(ctx, vmid, &params)?;
    let upid = tasks::spawn(ctx, "qmcreate", &vmid.to_string(), |worker| async move {
        let done = build(&worker, vmid, &params).await;
        drop(guard);
        done?;
        if params.flag("start") {
            worker.log("Execute autostart");
            power::boot(&worker, vmid)?;
        }
        Ok(())
    });
    Ok(json!(upid))
}

fn settings(params: &Params) -> impl Iterator<Item = (&str, &str)> {
    params.iter().filter(|(key, _)| keys::kind_of(key).is_some())
}

fn check_allowed(ctx: &Ctx, vmid: u32, params: &Params) -> ApiResult<()> {
    let path = format!("/vms/{vmid}");
    let pool = params.get("pool");
    ctx.read(|cluster| {
        let rights = Rights { cluster, flavour: ctx.app.flavour(), who: &ctx.who };
        if let Some(pool) = pool {
            rights.require_pool(pool)?;
        }
        rights.require_allocate(vmid, pool)?;
        for (key, value) in settings(params).filter(|(key, _)| formats::is_drive_key(key)) {
            check_drive(&rights, &ctx.node, key, value)?;
        }
        for (key, value) in settings(params) {
            check_key(&rights, &path, key, value)?;
        }
        Ok(())
    })
}

/// Takes the VMID with a configuration that is locked until the task is done.
fn reserve(ctx: &Ctx, vmid: u32, params: &Params) -> ApiResult<()> {
    ctx.app.write(|cluster| {
        if let Some(node) = cluster.node_of(vmid) {
            let text = format!("unable to create VM {vmid} - VM {vmid} already exists on node '{node}'");
            return Err(ApiError::internal(text));
        }
        let mut config = VmConfig::new();
        config.insert("lock".to_owned(), "create".to_owned());
        if let Some(name) = params.get("name") {
            config.insert("name".to_owned(), name.to_owned());
        }
        cluster.insert_vm(&ctx.node, vmid, Vm { config, ..Vm::default() }, "create", None);
        if let Some(pool) = params.get("pool").and_then(|pool| cluster.pools.get_mut(pool)) {
            pool.vms.push(vmid);
        }
        Ok(())
    })
}

async fn build(worker: &Arc<Worker>, vmid: u32, params: &Params) -> TaskResult {
    let result = fill(worker, vmid, params).await;
    match result {
        Ok(()) | Err(TaskError::Killed) => result,
        Err(err) => {
            worker.write(|cluster| {
                let vm = crate::app::node_vm(cluster, &worker.node, vmid).cloned().unwrap_or_default();
                for (_, drive) in volume::own_drives(&vm) {
                    volume::remove(cluster, &worker.node, &drive.first);
                }
                cluster.remove_vm(vmid);
            });
            Err(match err {
                TaskError::Failed(text) => TaskError::Failed(format!("unable to create VM {vmid} - {text}")),
                other => other,
            })
        }
    }
}

async fn fill(worker: &Worker, vmid: u32, params: &Params) -> TaskResult {
    for (key, value) in settings(params) {
        let mut log = Vec::new();
        let made = worker.write(|cluster| {
            let value = value_for(cluster, &worker.node, vmid, &VmConfig::new(), (key, value), &mut log)?;
            let vm = cluster.nodes.get_mut(&worker.node).and_then(|node| node.vms.get_mut(&vmid));
            let vm = vm.ok_or_else(|| crate::app::no_config(&worker.node, vmid))?;
            vm.config.insert(key.to_owned(), value);
            Ok::<(), String>(())
        });
        for line in log {
            worker.log(line);
        }
        made?;
    }
    worker.work().await?;
    let qemu = worker.app.flavour().qemu();
    worker.vm_mut(vmid, |vm| {
        fresh_identity(&mut vm.config);
        vm.config.insert("meta".to_owned(), format!("creation-qemu={qemu},ctime={}", clock::now_s()));
        vm.config.remove("lock");
        if !vm.config.contains_key("boot")
            && let Some(order) = boot_order(&vm.config)
        {
            vm.config.insert("boot".to_owned(), order);
        }
    })
}

/// The order that a VM boots in unless told: its first disk, its first CD drive, its first network.
fn boot_order(config: &VmConfig) -> Option<String> {
    let drives =
        config.iter().filter(|(key, _)| formats::is_drive_key(key) && *key != "efidisk0" && *key != "tpmstate0");
    let drives: Vec<_> = drives.filter(|(_, value)| !keys::is_cloudinit(value)).collect();
    let is_cd = |value: &str| value.contains("media=cdrom");
    let first = |cd: bool| drives.iter().find(|(_, value)| is_cd(value) == cd).map(|(key, _)| key.as_str());
    let net = config.keys().find(|key| formats::numbered(key, "net", 32)).map(String::as_str);
    let order: Vec<&str> = [first(false), first(true), net].into_iter().flatten().collect();
    (!order.is_empty()).then(|| format!("order={}", order.join(";")))
}
