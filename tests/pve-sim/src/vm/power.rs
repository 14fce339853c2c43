//! `…/status/*`: start, stop, shutdown, reboot, reset, suspend, resume.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::app::Ctx;
use crate::clock;
use crate::config::Flavour;
use crate::error::{ApiError, ApiResult};
use crate::faults::TaskAction;
use crate::formats;
use crate::schema::{COUNT, Kind, Params, check, opt};
use crate::state::{Run, Vm};
use crate::tasks::{self, TaskError, TaskResult, Worker};
use crate::vm::volume::{self, Extent};
use crate::vm::{path_vmid, refuse_skiplock};

/// How long a shutdown waits for the guest unless told, in seconds.
const SHUTDOWN_SECONDS: i64 = 60;

pub(crate) fn action(ctx: &Ctx, vmid: &str, action: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.PowerMgmt")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, spec_of(action))?;
    refuse_skiplock(ctx, params.flag("skiplock"))?;
    match action {
        "start" => Ok(json!(tasks::spawn(ctx, "qmstart", vmid, |worker| start(worker, number, params)))),
        "stop" => Ok(json!(tasks::spawn(ctx, "qmstop", vmid, |worker| stop(worker, number, params)))),
        "shutdown" => {
            ctx.vm(number, |_| ())?;
            let paused = ctx.vm(number, |vm| vm.run.as_ref().is_some_and(|run| run.paused))?;
            if paused && !params.flag("forceStop") {
                return Err(ApiError::internal("VM is paused - cannot shutdown"));
            }
            Ok(json!(tasks::spawn(ctx, "qmshutdown", vmid, |worker| shutdown(worker, number, params, false))))
        }
        "reboot" => {
            require_running(ctx, number)?;
            Ok(json!(tasks::spawn(ctx, "qmreboot", vmid, |worker| shutdown(worker, number, params, true))))
        }
        "suspend" if params.flag("todisk") => {
            require_running(ctx, number)?;
            Ok(json!(tasks::spawn(ctx, "qmsuspend", vmid, |worker| hibernate(worker, number))))
        }
        "suspend" => pause(ctx, vmid, number, "qmpause", true),
        "resume" => pause(ctx, vmid, number, "qmresume", false),
        _ => {
            require_running(ctx, number)?;
            Ok(json!(tasks::spawn(ctx, "qmreset", vmid, |worker| async move {
                let _guard = worker.lock(number).await?;
                worker.work().await?;
                worker.vm_mut(number, |vm| {
                    if let Some(run) = &mut vm.run {
                        run.booted_ms = clock::now_ms();
                    }
                })
            })))
        }
    }
}

fn spec_of(action: &str) -> &'static [crate::schema::Param] {
    const SKIPLOCK: crate::schema::Param = opt("skiplock", Kind::Bool);
    const TIMEOUT: crate::schema::Param = opt("timeout", COUNT);
    const KEEP: crate::schema::Param = opt("keepActive", Kind::Bool);
    match action {
        "start" => const { &[SKIPLOCK, TIMEOUT, opt("machine", Kind::Text), opt("force-cpu", Kind::Text)] },
        "stop" => const { &[SKIPLOCK, TIMEOUT, KEEP, opt("overrule-shutdown", Kind::Bool)] },
        "shutdown" => const { &[SKIPLOCK, TIMEOUT, KEEP, opt("forceStop", Kind::Bool)] },
        "reboot" => const { &[TIMEOUT] },
        "suspend" => const { &[SKIPLOCK, opt("todisk", Kind::Bool), opt("statestorage", Kind::Text)] },
        "resume" => const { &[SKIPLOCK, opt("nocheck", Kind::Bool)] },
        _ => const { &[SKIPLOCK] },
    }
}

fn require_running(ctx: &Ctx, vmid: u32) -> ApiResult<()> {
    let running = ctx.vm(vmid, |vm| vm.run.is_some())?;
    if running { Ok(()) } else { Err(ApiError::internal(format!("VM {vmid} not running"))) }
}

fn pause(ctx: &Ctx, vmid: &str, number: u32, kind: &str, paused: bool) -> ApiResult {
    require_running(ctx, number)?;
    let upid = tasks::spawn(ctx, kind, vmid, |worker| async move {
        let _guard = worker.lock(number).await?;
        worker.vm(number, Vm::check_lock)??;
        worker.work().await?;
        worker.vm_mut(number, |vm| {
            if let Some(run) = &mut vm.run {
                run.paused = paused;
            }
        })
    });
    Ok(json!(upid))
}

async fn start(worker: Arc<Worker>, vmid: u32, params: Params) -> TaskResult {
    // A VM that is not there has no lock to wait for.
    worker.vm(vmid, |_| ())?;
    let _guard = worker.lock(vmid).await?;
    worker.vm(vmid, |vm| {
        if vm.is_template() {
            return Err("you can't start a vm if it's a template".to_owned());
        }
        let hibernated = vm.lock() == Some("suspended");
        if !hibernated && !params.flag("skiplock") {
            vm.check_lock()?;
        }
        if vm.run.is_some() { Err(format!("VM {vmid} already running")) } else { Ok(()) }
    })??;
    worker.work().await?;
    boot(&worker, vmid)
}

/// The checks and effects of a start, without its time.
pub(crate) fn boot(worker: &Worker, vmid: u32) -> TaskResult {
    bring_up(worker, vmid, false)
}

/// As [`boot`]; a reboot says nothing of the cloud-init drive.
fn bring_up(worker: &Worker, vmid: u32, quiet: bool) -> TaskResult {
    worker.vm_mut(vmid, Vm::apply_pending)?;
    let vm = worker.vm(vmid, Clone::clone)?;
    for (_, value) in vm.config.iter().filter(|(key, _)| formats::is_drive_key(key)) {
        let file = value.split(',').next().unwrap_or_default();
        let missing =
            file.contains(':') && worker.app.read(|cluster| volume::lookup(cluster, &worker.node, file).is_none());
        if missing {
            return Err(TaskError::Failed(format!("volume '{file}' does not exist")));
        }
        if !quiet && crate::vm::keys::is_cloudinit(value) && vm.lock() != Some("suspended") {
            worker.log("generating cloud-init ISO");
        }
    }
    check_bridges(worker, &vm, vmid)?;
    let (memory, host) = worker.app.read(|cluster| {
        let host = cluster.nodes.get(&worker.node).map_or(0, |node| node.memory_bytes);
        (crate::vm::status::memory_bytes(&vm), host)
    });
    if memory > host {
        worker.log("qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory");
        return Err("start failed: QEMU exited with code 1".into());
    }
    if vm.config.get("bios").is_some_and(|bios| bios == "ovmf") && !vm.config.contains_key("efidisk0") {
        worker.warn("no efidisk configured! Using temporary efivars disk.");
    }
    let woken = wake(worker, vmid, &vm)?;
    let pid = worker.write(crate::state::Cluster::take_pid);
    worker.vm_mut(vmid, |vm| vm.set_run(Some(Run::new(pid))))?;
    if woken {
        worker.log("Resumed VM, removing state");
    }
    Ok(())
}

fn check_bridges(worker: &Worker, vm: &Vm, vmid: u32) -> TaskResult {
    let known = worker.app.read(|cluster| cluster.nodes.get(&worker.node).map(|node| node.bridges.clone()));
    let known = known.unwrap_or_default();
    let missing = crate::vm::clone::bridges(&vm.config).into_iter().find(|bridge| !known.contains(bridge));
    let Some(bridge) = missing else { return Ok(()) };
    if worker.app.flavour() == Flavour::V9_1 {
        return Err(TaskError::Failed(format!("bridge '{bridge}' does not exist")));
    }
    worker.log(format!("bridge '{bridge}' does not exist"));
    let script = "/usr/libexec/qemu-server/pve-bridge";
    worker.log(format!(
        "qemu-system-x86_64: -netdev type=tap,id=net0,ifname=tap{vmid}i0,script={script},downscript={script}down: \
         network script {script} failed with status 512"
    ));
    Err("start failed: QEMU exited with code 1".into())
}

/// Brings a hibernated VM back: its saved state is used up.
fn wake(worker: &Worker, vmid: u32, vm: &Vm) -> TaskResult<bool> {
    if vm.lock() != Some("suspended") {
        return Ok(false);
    }
    let state = vm.config.get("vmstate").cloned().unwrap_or_default();
    worker.log("Resuming suspended VM");
    worker.log(format!("activating and using '{state}' as vmstate"));
    worker.write(|cluster| volume::remove(cluster, &worker.node, &state));
    worker.vm_mut(vmid, |vm| {
        for key in ["lock", "vmstate", "runningcpu", "runningmachine"] {
            vm.config.remove(key);
        }
    })?;
    Ok(true)
}

async fn stop(worker: Arc<Worker>, vmid: u32, params: Params) -> TaskResult {
    worker.vm(vmid, |_| ())?;
    let _guard = worker.lock(vmid).await?;
    if !worker.vm(vmid, |vm| vm.run.is_some())? {
        return Ok(());
    }
    worker.vm(vmid, |vm| if params.flag("skiplock") { Ok(()) } else { vm.check_lock() })??;
    worker.work().await?;
    power_off(&worker, vmid)
}

fn power_off(worker: &Worker, vmid: u32) -> TaskResult {
    worker.vm_mut(vmid, |vm| {
        vm.set_run(None);
        vm.guest.commands.clear();
        vm.apply_pending();
    })
}

async fn shutdown(worker: Arc<Worker>, vmid: u32, params: Params, reboot: bool) -> TaskResult {
    let _guard = worker.lock(vmid).await?;
    if !worker.vm(vmid, |vm| vm.run.is_some())? {
        return Ok(());
    }
    worker.vm(vmid, |vm| if params.flag("skiplock") { Ok(()) } else { vm.check_lock() })??;
    let deaf = worker.vm(vmid, |vm| {
        let disk = vm.config.keys().any(|key| formats::is_drive_key(key));
        vm.guest.ignores_shutdown || !disk || vm.run.as_ref().is_some_and(|run| run.paused)
    })?;
    if !deaf {
        worker.work().await?;
    } else if !wait_in_vain(&worker, &params).await? {
        return Err("VM quit/powerdown failed - got timeout".into());
    }
    power_off(&worker, vmid)?;
    if reboot {
        start_again(worker, vmid);
    }
    Ok(())
}

/// A reboot's task ends when the guest is off. What cleans up after QEMU on the host then starts the VM again, without a task of its
/// own; a fault for `qmstart` strikes it all the same.
fn start_again(worker: Arc<Worker>, vmid: u32) {
    let app = Arc::clone(&worker.app);
    let fault = app.faults.take_task("qmstart", &vmid.to_string());
    app.tracker.clone().spawn(async move {
        let start = async {
            let pause = match fault {
                Some(TaskAction::Slow { ms }) => Duration::from_millis(ms),
                Some(TaskAction::Fail { exit, .. }) => return Err(TaskError::Failed(exit)),
                _ => app.timings().of_task("qmstart"),
            };
            tokio::time::sleep(pause).await;
            let _guard = app.locks.exclusive(vmid, app.timings().vm_lock).await?;
            if worker.vm(vmid, |vm| vm.run.is_some())? { Ok(()) } else { bring_up(&worker, vmid, true) }
        };
        tokio::select! {
            () = app.stop.cancelled() => return,
            outcome = start => {
                if let Err(err) = outcome {
                    tracing::warn!(vmid, ?err, "the VM was not started again");
                }
            }
        }
        app.persist_or_log();
    });
}

/// Waits for a guest that does not listen; true when it is to be killed then.
async fn wait_in_vain(worker: &Worker, params: &Params) -> TaskResult<bool> {
    let seconds = params.int("timeout").unwrap_or(SHUTDOWN_SECONDS).clamp(0, 86_400);
    let second: Duration = worker.app.timings().second;
    worker.work_for(second * u32::try_from(seconds).unwrap_or(u32::MAX)).await?;
    let force = params.flag("forceStop");
    if force {
        worker.log("VM still running - terminating now with SIGTERM");
    }
    Ok(force)
}

async fn hibernate(worker: Arc<Worker>, vmid: u32) -> TaskResult {
    let _guard = worker.lock(vmid).await?;
    worker.vm(vmid, Vm::check_lock)??;
    let vm = worker.vm(vmid, Clone::clone)?;
    let drives = volume::own_drives(&vm);
    let storage = drives.first().and_then(|(_, drive)| volume::split_volid(&drive.first)).map(|(name, _)| name);
    let storage = storage.unwrap_or("local").to_owned();
    let file = format!("{vmid}/vm-{vmid}-state-suspend-{}.raw", clock::date());
    let size = crate::vm::status::memory_bytes(&vm) * 2 + (500 << 20);
    let path = worker
        .app
        .read(|cluster| volume::storage(cluster, &worker.node, &storage).map(|found| volume::path_of(found, &file)))?;
    worker.log(volume::formatting_line(&path, size, None));
    worker.vm_mut(vmid, |vm| vm.config.insert("lock".to_owned(), "suspending".to_owned()))?;
    let worked = worker.work().await;
    if let Err(err) = worked {
        if err != TaskError::Killed {
            worker.vm_mut(vmid, |vm| vm.config.remove("lock"))?;
        }
        return Err(err);
    }
    let extent = Extent { size, used: Some(size / 8) };
    worker.write(|cluster| volume::add(cluster, &worker.node, &storage, &file, vmid, &extent))?;
    worker.vm_mut(vmid, |vm| {
        vm.set_run(None);
        let kept = [
            ("lock", "suspended".to_owned()),
            ("vmstate", format!("{storage}:{file}")),
            ("runningcpu", "max".to_owned()),
            ("runningmachine", "pc-i440fx-10.0".to_owned()),
        ];
        vm.config.extend(kept.map(|(key, value)| (key.to_owned(), value)));
    })?;
    worker.log("State saved, quitting");
    Ok(())
}
