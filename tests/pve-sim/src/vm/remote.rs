//! `…/remote_migrate`: to another cluster, through a tunnel to its API. Nothing of it was recorded: words and order follow the API's
//! schema and the tool's known log.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::app::Ctx;
use crate::client::Remote;
use crate::error::{ApiError, ApiResult};
use crate::formats;
use crate::schema::{COUNT, Kind, check, opt, req};
use crate::state::{Vm, VmConfig};
use crate::tasks::{self, TaskError, TaskResult, Worker};
use crate::vm::keys::is_cloudinit;
use crate::vm::migrate::{Attached, Failure, StorageMap, attached, conclude, copying_time, local_resources, say};
use crate::vm::tunnel::Command;
use crate::vm::{clone, path_vmid, volume};
use crate::websocket::Wire;

/// What a checked request asks for.
struct Plan {
    vmid: u32,
    target: u32,
    remote: Remote,
    storages: StorageMap,
    bridges: StorageMap,
    online: bool,
    delete: bool,
    /// KiB/s; 0 for no limit.
    bwlimit: u64,
}

pub(crate) fn start(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Migrate")?;
    let number = path_vmid(vmid)?;
    let spec = [
        opt("bwlimit", COUNT),
        opt("delete", Kind::Bool),
        opt("online", Kind::Bool),
        req("target-bridge", Kind::Text),
        req("target-endpoint", Kind::Text),
        req("target-storage", Kind::Text),
        opt("target-vmid", Kind::VmId),
    ];
    let params = check(&ctx.params, &spec)?;
    let vm = ctx.vm(number, Clone::clone)?;
    vm.check_lock().map_err(ApiError::internal)?;
    if vm.run.is_some() && !params.flag("online") {
        return Err(ApiError::internal("can't migrate running VM without --online"));
    }
    let endpoint = Remote::parse(params.text("target-endpoint")).map_err(|text| {
        ApiError::param("target-endpoint", format!("invalid format - format error\ntarget-endpoint.{text}\n"))
    })?;
    let map = |name: &str| StorageMap::parse(params.text(name)).map_err(|text| ApiError::param(name, text));
    let (storages, bridges) = (map("target-storage")?, map("target-bridge")?);
    if storages.identity {
        return Err(ApiError::internal("remote migration requires explicit storage mapping!"));
    }
    let plan = Plan {
        vmid: number,
        target: params.vmid("target-vmid").unwrap_or(number),
        remote: endpoint,
        storages,
        bridges,
        online: vm.run.is_some(),
        delete: params.flag("delete"),
        bwlimit: params.int("bwlimit").unwrap_or(0) as u64,
    };
    let upid = tasks::spawn(ctx, "qmigrate", vmid, |worker| async move {
        let begun = Instant::now();
        let result = work(&worker, &plan).await;
        conclude(&worker, begun, result)
    });
    Ok(json!(upid))
}

async fn work(worker: &Arc<Worker>, plan: &Plan) -> Result<(), Failure> {
    let _guard = worker.lock(plan.vmid).await?;
    let vm = worker.vm(plan.vmid, Clone::clone)?;
    vm.check_lock()?;
    let tied = local_resources(&vm.config);
    if !tied.is_empty() {
        return Err(format!("can't migrate VM which uses local devices: {}", tied.join(", ")).into());
    }
    let volumes = scan(worker, &vm).map_err(|text| format!("Problem found while scanning volumes - {text}"))?;
    let mut wire = worker.unless_stopped(open(worker, plan, &vm, &volumes)).await??;
    worker.vm_mut(plan.vmid, |vm| vm.config.insert("lock".to_owned(), "migrate".to_owned()))?;
    let result = transfer(worker, plan, &vm, &volumes, &mut wire).await;
    let killed = matches!(result, Err(Failure::Aborted(TaskError::Killed) | Failure::Online(TaskError::Killed)));
    if killed {
        return result;
    }
    // Whatever came of it, the far end hears that it is over; if that is lost, it sees the tunnel's end.
    if let Err(text) = send(worker, &mut wire, &Command::Quit).await {
        say(worker, &format!("tunnel: {text}"));
    }
    wire.close().await;
    match result {
        Ok(()) => leave(worker, plan, &vm)?,
        Err(_) => drop(worker.vm_mut(plan.vmid, |vm| vm.config.remove("lock"))?),
    }
    result
}

/// All that has to be on the other side, or why it cannot be.
fn scan(worker: &Worker, vm: &Vm) -> Result<Vec<Attached>, String> {
    if !vm.snapshots.is_empty() {
        return Err("remote migration with snapshots not supported yet".to_owned());
    }
    let volumes = worker.app.read(|cluster| attached(cluster, &worker.node, vm));
    for from in &volumes {
        if from.cdrom && !is_cloudinit(&from.volid) {
            say(worker, &format!("can't migrate local disk '{}': local cdrom image", from.volid));
            return Err("can't migrate VM - check log".to_owned());
        }
        let parent = worker.app.read(|cluster| {
            let found = volume::lookup(cluster, &worker.node, &from.volid);
            found.map(|volume| volume.parent.clone()).ok_or_else(|| format!("volume '{}' does not exist", from.volid))
        })?;
        if let Some(base) = parent {
            let base = base.rsplit('/').next().unwrap_or_default().to_owned();
            return Err(format!("can't migrate '{}' as it's a clone of '{base}'", from.volid));
        }
    }
    Ok(volumes)
}

async fn open(worker: &Worker, plan: &Plan, vm: &Vm, volumes: &[Attached]) -> Result<Wire, String> {
    let remote = &plan.remote;
    say(worker, &format!("Establishing API connection with remote at '{}'", remote.host));
    let storage_of =
        |volume: &Attached| plan.storages.target(volume.volid.split(':').next().unwrap_or_default()).to_owned();
    let mut storages: Vec<String> = volumes.iter().map(storage_of).collect();
    storages.dedup();
    let bridges: Vec<String> =
        clone::bridges(&vm.config).iter().map(|name| plan.bridges.target(name).to_owned()).collect();
    let path = format!("/nodes/localhost/qemu/{}/mtunnel", plan.target);
    let form = format!("storages={}&bridges={}", storages.join("%2C"), bridges.join("%2C"));
    let info = remote.post(&path, &form).await.map_err(|text| format!("failed to open tunnel - {text}"))?;
    let text = |key: &str| info[key].as_str().unwrap_or_default().to_owned();
    say(worker, &format!("remote: started tunnel worker '{}'", text("upid")));
    let escaped =
        |key: &str| percent_encoding::utf8_percent_encode(&text(key), percent_encoding::NON_ALPHANUMERIC).to_string();
    let path = format!("{path}websocket?ticket={}&socket={}", escaped("ticket"), escaped("socket"));
    let mut wire = remote.socket(&path).await.map_err(|text| format!("failed to open tunnel - {text}"))?;
    let version = send(worker, &mut wire, &Command::Version).await?;
    say(worker, "local WS tunnel version: 2");
    say(worker, &format!("remote WS tunnel version: {}", version["tunnel"].as_str().unwrap_or_default()));
    Ok(wire)
}

/// One command and its answer.
async fn send(worker: &Worker, wire: &mut Wire, command: &Command) -> Result<Value, String> {
    let mut line = serde_json::to_string(command).map_err(|err| err.to_string())?;
    line.push('\n');
    let lost = || "the tunnel is broken".to_owned();
    wire.write(line.into_bytes()).await.ok_or_else(lost)?;
    let answer = tokio::select! {
        () = worker.app.stop.cancelled() => None,
        line = wire.read_until(b'\n', 1 << 20) => line,
    };
    let answer: Value = serde_json::from_slice(&answer.ok_or_else(lost)?).map_err(|err| err.to_string())?;
    if answer["success"] == 1 {
        return Ok(answer);
    }
    Err(format!("error - tunnel command failed - {}", answer["msg"].as_str().unwrap_or_default()))
}

async fn transfer(
    worker: &Arc<Worker>,
    plan: &Plan,
    vm: &Vm,
    volumes: &[Attached],
    wire: &mut Wire,
) -> Result<(), Failure> {
    let failure: fn(TaskError) -> Failure = if plan.online { Failure::Online } else { Failure::Aborted };
    let mut config = vm.config.clone();
    for from in volumes {
        let found = worker.app.read(|cluster| volume::lookup(cluster, &worker.node, &from.volid).cloned());
        let found = found.ok_or_else(|| format!("volume '{}' does not exist", from.volid))?;
        let storage = plan.storages.target(from.volid.split(':').next().unwrap_or_default()).to_owned();
        let format = if is_cloudinit(&from.volid) { "cloudinit".to_owned() } else { found.format };
        let disk = Command::Disk { storage, drive: from.key.clone(), format, size: found.size, used: found.used };
        let answer = send(worker, wire, &disk).await?;
        let volid = answer["volid"].as_str().unwrap_or_default();
        say(worker, &format!("volume '{}' is '{volid}' on the target", from.volid));
        let rest =
            config.get(&from.key).and_then(|value| value.strip_prefix(&from.volid)).unwrap_or_default().to_owned();
        config.insert(from.key.clone(), format!("{volid}{rest}"));
    }
    let bytes: u64 = volumes.iter().map(|volume| volume.size).sum();
    worker.work_for(copying_time(worker, plan.bwlimit, bytes)).await.map_err(failure)?;
    map_bridges(worker, plan, &mut config);
    let told = async {
        send(worker, wire, &Command::Config { conf: config, firewall: vm.firewall.clone() }).await?;
        if let Some(run) = &vm.run {
            send(worker, wire, &Command::Start { booted_ms: run.booted_ms, paused: run.paused }).await?;
        }
        send(worker, wire, &Command::Unlock).await.map(drop)
    };
    told.await.map_err(|text: String| failure(text.into()))
}

fn map_bridges(worker: &Worker, plan: &Plan, config: &mut VmConfig) {
    for (key, value) in config.iter_mut().filter(|(key, _)| formats::numbered(key, "net", 32)) {
        let Ok(mut net) = formats::parse_net(value) else { continue };
        let Some(bridge) = net.get("bridge").map(str::to_owned) else { continue };
        let target = plan.bridges.target(&bridge).to_owned();
        say(worker, &format!("mapped: {key} from {bridge} to {target}"));
        net.rest.insert("bridge".to_owned(), target);
        let mac = net.get("macaddr").unwrap_or_default().to_owned();
        *value = formats::render_net(&net, &mac);
    }
    config.remove("lock");
}

/// The VM is elsewhere: here it goes, or stays stopped and locked.
fn leave(worker: &Worker, plan: &Plan, vm: &Vm) -> TaskResult {
    if !plan.delete {
        return worker.vm_mut(plan.vmid, |vm| vm.set_run(None));
    }
    worker.write(|cluster| {
        for (_, drive) in volume::own_drives(vm) {
            volume::remove(cluster, &worker.node, &drive.first);
        }
        cluster.remove_vm(plan.vmid);
    });
    Ok(())
}
