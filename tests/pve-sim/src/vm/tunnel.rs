//! `…/mtunnel` and `…/mtunnelwebsocket`: the far end of a migration to another cluster. The socket carries lines of JSON, each
//! answered by one, as the real tunnel's do; a disk's bytes are not sent, as there are none. Nothing of it was recorded.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::app::Ctx;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::http::{Reply, Request};
use crate::schema::{Kind, check, opt, req};
use crate::state::{Cluster, Firewall, Run, Vm, VmConfig};
use crate::tasks::{self, TaskError, TaskResult, Worker};
use crate::vm::path_vmid;
use crate::vm::volume::{self, Extent};
use crate::websocket::{Upgrade, Wire};

/// The longest line.
const LINE_BYTES_MAX: usize = 1 << 20;

/// What the near end says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case")]
pub(crate) enum Command {
    /// Asks for the protocol's.
    Version,
    /// Makes room for a drive; its volume's name comes back.
    Disk { storage: String, drive: String, format: String, size: u64, used: u64 },
    /// The whole configuration, with the names of the volumes as they came back.
    Config { conf: VmConfig, firewall: Firewall },
    /// Brings the guest up as the process that takes over.
    Start { booted_ms: i64, paused: bool },
    /// Takes the lock away: the VM is whole, and belongs here now.
    Unlock,
    /// Ends the tunnel; a VM that is not unlocked by then is removed again.
    Quit,
}

/// Tunnels that wait for their near end, by ticket.
#[derive(Debug, Default)]
pub(crate) struct Tunnels(Mutex<BTreeMap<String, Waiting>>);

#[derive(Debug)]
struct Waiting {
    vmid: u32,
    node: String,
    /// Gives the socket to the task that works it.
    claim: oneshot::Sender<Wire>,
}

impl Tunnels {
    fn table(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST …/mtunnel`: takes the VMID and waits for the socket.
pub(crate) fn open(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Allocate")?;
    ctx.require("/", "Sys.Incoming")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &[opt("storages", Kind::Text), opt("bridges", Kind::Text)])?;
    let list = |name: &str| -> Vec<String> {
        let items = params.get(name).unwrap_or_default().split([',', ';', ' ']).filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    };
    for name in list("storages") {
        let content =
            ctx.read(|cluster| volume::storage(cluster, &ctx.node, &name).map(|storage| storage.content.clone()));
        ctx.rights(|rights| rights.require_space(&name))?;
        if !content.map_err(ApiError::internal)?.iter().any(|kind| kind == "images") {
            return Err(ApiError::internal(format!("storage '{name}' does not support vm images")));
        }
    }
    for name in list("bridges") {
        ctx.rights(|rights| rights.require_bridge(&name))?;
        if !ctx.node_state(|node| node.bridges.contains(&name))? {
            return Err(ApiError::internal(format!("bridge '{name}' does not exist")));
        }
    }
    ctx.app.write(|cluster| {
        if let Some(node) = cluster.node_of(number) {
            let text = format!("unable to create empty VM config - VM {number} already exists on node '{node}'");
            return Err(ApiError::param("vmid", text));
        }
        let config = VmConfig::from([("lock".to_owned(), "create".to_owned())]);
        cluster.insert_vm(&ctx.node, number, Vm { config, ..Vm::default() }, "migrate", None);
        Ok(())
    })?;
    let ticket = format!("PVETUNNEL:{:08X}::{}", clock::now_s(), clock::hex(&clock::random::<24>()));
    let (claim, claimed) = oneshot::channel();
    let waiting = Waiting { vmid: number, node: ctx.node.clone(), claim };
    ctx.app.tunnels.table().insert(ticket.clone(), waiting);
    let key = ticket.clone();
    let upid = tasks::spawn(ctx, "qmtunnel", vmid, |worker| async move {
        let done = serve(&worker, number, claimed).await;
        worker.app.tunnels.table().remove(&key);
        done
    });
    Ok(json!({ "socket": format!("/run/qemu-server/{vmid}.mtunnel"), "ticket": ticket, "upid": upid }))
}

/// `GET …/mtunnelwebsocket`: the ticket is all that it asks for.
pub(crate) fn connect(ctx: &Ctx, request: &Request, vmid: &str) -> ApiResult<Reply> {
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &[req("socket", Kind::Text), req("ticket", Kind::Text)])?;
    let invalid = || ApiError::empty(401, "permission denied - invalid PVETUNNEL ticket");
    let mut table = ctx.app.tunnels.table();
    let ticket = params.text("ticket");
    if table.get(ticket).is_none_or(|waiting| waiting.vmid != number || waiting.node != ctx.node) {
        return Err(invalid());
    }
    let waiting = table.remove(ticket).ok_or_else(invalid)?;
    drop(table);
    let session = Box::new(move |wire: Wire| {
        let future = async move {
            if waiting.claim.send(wire).is_err() {
                tracing::debug!("the tunnel's task had ended");
            }
        };
        Box::pin(future) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
    });
    Ok(Reply::Upgrade(Upgrade::grant(request, session)?))
}

/// The tunnel's task. Unless the near end says that the VM is whole, nothing of it stays.
async fn serve(worker: &Worker, vmid: u32, claimed: oneshot::Receiver<Wire>) -> TaskResult {
    worker.log("mtunnel started");
    let mut whole = false;
    let served = worker.unless_stopped(talk(worker, vmid, claimed, &mut whole)).await;
    if served == Err(TaskError::Killed) {
        return served;
    }
    if whole {
        worker.log("mtunnel exited");
        return Ok(());
    }
    worker.write(|cluster| clean_up(cluster, &worker.node, vmid));
    worker.log("mtunnel exited, the VM was not taken over: removing it");
    served.and_then(|()| Err("mtunnel exited unexpectedly".into()))
}

async fn talk(worker: &Worker, vmid: u32, claimed: oneshot::Receiver<Wire>, whole: &mut bool) {
    let patience = worker.app.timings().console;
    let Ok(Ok(mut wire)) = tokio::time::timeout(patience, claimed).await else { return };
    while let Some(line) = wire.read_until(b'\n', LINE_BYTES_MAX).await {
        let command = serde_json::from_slice::<Command>(&line).map_err(|err| format!("unknown command: {err}"));
        let quits = matches!(command, Ok(Command::Quit));
        let unlocks = matches!(command, Ok(Command::Unlock));
        let done = command.and_then(|command| run(worker, vmid, command));
        *whole |= unlocks && done.is_ok();
        let mut reply = match done {
            Ok(mut reply) => {
                reply["success"] = json!(1);
                reply.to_string()
            }
            Err(text) => json!({ "success": 0, "msg": text }).to_string(),
        };
        reply.push('\n');
        // What was answered must still be so after a kill.
        worker.app.persist_or_log();
        if wire.write(reply.into_bytes()).await.is_none() || quits {
            break;
        }
    }
    wire.close().await;
}

fn run(worker: &Worker, vmid: u32, command: Command) -> Result<Value, String> {
    let node = &worker.node;
    let vm = |change: &mut dyn FnMut(&mut Vm)| {
        let changed = worker.vm_mut(vmid, |vm| change(vm));
        changed.map(|()| json!({})).map_err(|_| crate::app::no_config(node, vmid))
    };
    match command {
        Command::Version => Ok(json!({ "tunnel": "2", "api": 2, "age": 0 })),
        Command::Disk { storage, drive, format, size, used } => {
            let volid = worker.write(|cluster| {
                allocate(cluster, node, vmid, &storage, &format, &Extent { size, used: Some(used) })
            })?;
            worker.log(format!("allocated '{volid}' for {drive}"));
            Ok(json!({ "volid": volid }))
        }
        Command::Config { conf, firewall } => vm(&mut |vm| {
            vm.config = conf.clone();
            vm.config.insert("lock".to_owned(), "migrate".to_owned());
            vm.firewall = firewall.clone();
        }),
        Command::Start { booted_ms, paused } => {
            let config = worker.vm(vmid, |vm| vm.config.clone()).map_err(|_| crate::app::no_config(node, vmid))?;
            let known = worker.app.read(|cluster| cluster.nodes.get(node).map(|node| node.bridges.clone()));
            let missing = crate::vm::clone::bridges(&config)
                .into_iter()
                .find(|name| !known.iter().flatten().any(|known| known == name));
            if let Some(bridge) = missing {
                return Err(format!("bridge '{bridge}' does not exist"));
            }
            let pid = worker.write(Cluster::take_pid);
            vm(&mut |vm| vm.set_run(Some(Run { booted_ms, paused, ..Run::new(pid) })))
        }
        Command::Unlock => vm(&mut |vm| drop(vm.config.remove("lock"))),
        Command::Quit => Ok(json!({})),
    }
}

fn allocate(
    cluster: &mut Cluster,
    node: &str,
    vmid: u32,
    storage: &str,
    format: &str,
    extent: &Extent,
) -> Result<String, String> {
    let place = volume::storage(cluster, node, storage)?;
    if extent.used.unwrap_or(0) > place.avail() {
        return Err(format!("unable to allocate image on storage '{storage}': No space left on device"));
    }
    let file = match format {
        "cloudinit" => format!("{vmid}/vm-{vmid}-cloudinit.qcow2"),
        format => volume::free_name(place, vmid, format),
    };
    volume::add(cluster, node, storage, &file, vmid, extent)?;
    Ok(format!("{storage}:{file}"))
}

fn clean_up(cluster: &mut Cluster, node: &str, vmid: u32) {
    let names: Vec<String> = cluster.storages(node).map(|(name, _)| name.clone()).collect();
    for name in names {
        if let Some(storage) = cluster.storage_mut(node, &name) {
            storage.volumes.retain(|_, volume| volume.vmid != Some(vmid) || volume.content != "images");
        }
    }
    cluster.remove_vm(vmid);
}
