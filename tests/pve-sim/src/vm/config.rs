//! `…/config` and `…/pending`.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::Rights;
use crate::app::{App, Ctx};
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::formats;
use crate::schema::{CONFIG_ID, Kind, Params, check, check_with, opt};
use crate::state::{Cluster, VmConfig};
use crate::tasks;
use crate::vm::keys::{self, Need, need_of};
use crate::vm::snapshot::shown_snapshot;
use crate::vm::{digest, path_vmid, refuse_skiplock, shown_config, shown_value, volume};

const CONFIG_PRIVS: &[&str] = &[
    "VM.Config.Disk",
    "VM.Config.CDROM",
    "VM.Config.CPU",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.HWType",
    "VM.Config.Options",
    "VM.Config.Cloudinit",
];

pub(crate) fn get(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &[opt("current", Kind::Bool), opt("snapshot", CONFIG_ID)])?;
    let shown = ctx.vm(number, |vm| {
        let mut shown = match params.get("snapshot") {
            Some(name) => {
                let snapshot = vm.snapshots.get(name).ok_or_else(|| format!("snapshot '{name}' does not exist"))?;
                shown_snapshot(snapshot)
            }
            None if params.flag("current") => shown_config(&vm.config),
            None => {
                let mut config = vm.config.clone();
                apply(&mut config, &vm.pending);
                shown_config(&config)
            }
        };
        shown.insert("digest".to_owned(), json!(digest(&vm.config)));
        Ok(Value::Object(shown))
    })?;
    shown.map_err(|text: String| ApiError::internal(text))
}

fn apply(config: &mut VmConfig, pending: &std::collections::BTreeMap<String, Option<String>>) {
    for (key, value) in pending {
        match value {
            Some(value) => config.insert(key.clone(), value.clone()),
            None => config.remove(key),
        };
    }
}

pub(crate) fn pending(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[])?;
    ctx.vm(number, |vm| {
        let mut rows: Vec<Value> = Vec::new();
        for (key, value) in &vm.config {
            let mut row = json!({ "key": key, "value": shown_value(key, value) });
            match vm.pending.get(key) {
                Some(Some(new)) => row["pending"] = json!(new),
                Some(None) => row["delete"] = json!(1),
                None => {}
            }
            rows.push(row);
        }
        let added = vm.pending.iter().filter(|(key, _)| !vm.config.contains_key(*key));
        rows.extend(added.filter_map(|(key, value)| Some(json!({ "key": key, "pending": value.as_ref()? }))));
        rows.push(json!({ "key": "digest", "value": digest(&vm.config) }));
        Value::Array(rows)
    })
}

/// A checked change of a configuration.
#[derive(Clone)]
struct Change {
    vmid: u32,
    set: Vec<(String, String)>,
    delete: Vec<String>,
    revert: Vec<String>,
    digest: Option<String>,
    skiplock: bool,
    force: bool,
}

/// `PUT` is synchronous and answers null; `POST` starts a task.
pub(crate) async fn update(ctx: &Ctx, vmid: &str, synchronous: bool) -> ApiResult {
    ctx.require_any(&format!("/vms/{vmid}"), CONFIG_PRIVS)?;
    let number = path_vmid(vmid)?;
    let spec = [
        opt("delete", Kind::Text),
        opt("revert", Kind::Text),
        opt("digest", Kind::Text),
        opt("skiplock", Kind::Bool),
        opt("force", Kind::Bool),
        opt("background_delay", Kind::Int(Some(1), Some(30))),
        opt("import-working-storage", Kind::Text),
    ];
    let params = check_with(&ctx.params, &spec, keys::kind_of)?;
    let change = change_of(ctx, number, params)?;
    check_rights(ctx, &change)?;
    ctx.vm(number, |_| ())?;
    let wait = ctx.app.timings().vm_lock;
    let guard = ctx.app.locks.exclusive(number, wait).await.map_err(ApiError::internal)?;
    ctx.vm(number, |vm| {
        if change.digest.as_ref().is_some_and(|wanted| *wanted != digest(&vm.config)) {
            return Err("checksum mismatch (file change by other user?)".to_owned());
        }
        if change.skiplock { Ok(()) } else { vm.check_lock() }
    })?
    .map_err(ApiError::internal)?;
    if synchronous {
        let mut log = Vec::new();
        commit(&ctx.app, &ctx.node, &change, &mut log).map_err(ApiError::internal)?;
        return Ok(Value::Null);
    }
    let upid = tasks::spawn(ctx, "qmconfig", vmid, |worker| {
        let worker = Arc::clone(&worker);
        async move {
            let _guard = guard;
            worker.log(log_line(&change));
            worker.work().await?;
            let mut log = Vec::new();
            let result = commit(&worker.app, &worker.node, &change, &mut log);
            for line in log {
                worker.log(line);
            }
            result.map_err(Into::into)
        }
    });
    Ok(json!(upid))
}

fn log_line(change: &Change) -> String {
    let mut line = format!("update VM {}:", change.vmid);
    for (key, value) in &change.set {
        let shown = if key == "cipassword" { "<hidden>" } else { value.as_str() };
        line.push_str(&format!(" -{key} {shown}"));
    }
    if !change.delete.is_empty() {
        line.push_str(&format!(" -delete {}", change.delete.join(",")));
    }
    line
}

fn change_of(ctx: &Ctx, vmid: u32, mut params: Params) -> ApiResult<Change> {
    let skiplock = params.flag("skiplock");
    refuse_skiplock(ctx, skiplock)?;
    let force = params.flag("force");
    let digest = params.remove("digest");
    let list = |text: Option<String>, name: &str| -> ApiResult<Vec<String>> {
        let text = text.unwrap_or_default();
        let names: Vec<String> =
            text.split([',', ';', ' ']).filter(|item| !item.is_empty()).map(str::to_owned).collect();
        let unknown = names.iter().find(|key| keys::kind_of(key).is_none());
        unknown.map_or(Ok(()), |key| Err(ApiError::param(name, format!("unknown option '{key}'"))))?;
        Ok(names)
    };
    let delete = list(params.remove("delete"), "delete")?;
    let revert = list(params.remove("revert"), "revert")?;
    for name in ["skiplock", "force", "background_delay", "import-working-storage"] {
        params.remove(name);
    }
    if params.is_empty() && delete.is_empty() && revert.is_empty() {
        return Err(ApiError::internal("no options specified"));
    }
    let set: Vec<(String, String)> = params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    if let Some((key, _)) = set.iter().find(|(key, _)| delete.contains(key)) {
        return Err(ApiError::param("delete", format!("you can't use '-{key}' and -delete {key}' at the same time")));
    }
    Ok(Change { vmid, set, delete, revert, digest, skiplock, force })
}

fn check_rights(ctx: &Ctx, change: &Change) -> ApiResult<()> {
    let path = format!("/vms/{}", change.vmid);
    ctx.read(|cluster| {
        let rights = Rights { cluster, flavour: ctx.app.flavour(), who: &ctx.who };
        let old = |key: &str| cluster.vm(change.vmid).and_then(|vm| vm.config.get(key)).map_or("", String::as_str);
        for (key, value) in &change.set {
            check_key(&rights, &path, key, value)?;
        }
        for key in change.delete.iter().chain(&change.revert) {
            check_key(&rights, &path, key, old(key))?;
        }
        for (key, value) in change.set.iter().filter(|(key, _)| formats::is_drive_key(key)) {
            check_drive(&rights, &ctx.node, key, value)?;
        }
        Ok(())
    })
}

/// The privileges of one key, and of the bridge that it puts a network on.
pub(crate) fn check_key(rights: &Rights<'_>, path: &str, key: &str, value: &str) -> ApiResult<()> {
    let root_only = |suffix: &str| ApiError::internal(format!("only root can set '{key}' config{suffix}"));
    match need_of(key, value) {
        Need::AnyOf(privileges) => rights.require_any(path, privileges)?,
        Need::Root | Need::RootUnlessMapped if rights.who.is_root() => {}
        Need::Root => return Err(root_only("")),
        Need::RootUnlessMapped => return Err(root_only(" for non-mapped devices")),
    }
    if formats::numbered(key, "net", 32)
        && let Some(bridge) = formats::parse_net(value).ok().as_ref().and_then(|net| net.get("bridge"))
    {
        rights.require_bridge(bridge)?;
    }
    Ok(())
}

/// The storage of a drive must exist and be allowed; paths are for root alone.
pub(crate) fn check_drive(rights: &Rights<'_>, node: &str, key: &str, value: &str) -> ApiResult<()> {
    let drive = formats::PropertyString::parse(value, "file").map_err(|text| ApiError::param(key, text))?;
    let named = [Some(drive.first.as_str()), drive.get("import-from")];
    for file in named.into_iter().flatten() {
        if file.starts_with('/') && !rights.who.is_root() {
            let text = "Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 581.";
            return Err(ApiError::internal(text));
        }
        let Some((name, what)) = volume::split_volid(file) else { continue };
        volume::storage(rights.cluster, node, name).map_err(ApiError::internal)?;
        if what == "cloudinit" || what.parse::<f64>().is_ok() {
            rights.require_space(name)?;
        }
    }
    Ok(())
}

/// Does a change, at once or, for a running VM, at its next start.
fn commit(app: &App, node: &str, change: &Change, log: &mut Vec<String>) -> Result<(), String> {
    app.write(|cluster| {
        let vm = crate::app::node_vm(cluster, node, change.vmid).cloned();
        let mut vm = vm.ok_or_else(|| crate::app::no_config(node, change.vmid))?;
        let running = vm.run.is_some();
        check_boot(change, &vm)?;
        for key in &change.revert {
            vm.pending.remove(key);
        }
        for key in &change.delete {
            if running && !is_hot(&vm.config, key, None) {
                vm.pending.insert(key.clone(), None);
            } else {
                delete_key(cluster, node, &mut vm.config, key, change.force);
                vm.pending.remove(key);
            }
        }
        for (key, value) in &change.set {
            let value = value_for(cluster, node, change.vmid, &vm.config, (key, value), log)?;
            if running && !is_hot(&vm.config, key, Some(&value)) {
                vm.pending.insert(key.clone(), Some(value));
                continue;
            }
            vm.pending.remove(key);
            replace_drive(cluster, node, &mut vm.config, key, &value);
            vm.config.insert(key.clone(), value);
        }
        let node = cluster.nodes.get_mut(node);
        if let Some(place) = node.and_then(|node| node.vms.get_mut(&change.vmid)) {
            *place = vm;
        }
        Ok(())
    })
}

/// Whether a running VM takes a change at once. IDE and SATA drives neither come nor go, but a CD in a drive does.
fn is_hot(config: &VmConfig, key: &str, new: Option<&str>) -> bool {
    let cold_bus = formats::is_drive_key(key) && (key.starts_with("ide") || key.starts_with("sata"));
    let is_cd = |value: &str| value.contains("media=cdrom");
    keys::applies_while_running(key)
        && (!cold_bus || config.get(key).is_some_and(|old| is_cd(old)) && new.is_some_and(is_cd))
}

/// What is booted from must be there after the change.
fn check_boot(change: &Change, vm: &crate::state::Vm) -> Result<(), String> {
    let boot = change.set.iter().find(|(key, _)| key == "boot").map_or("", |(_, value)| value.as_str());
    let order = formats::PropertyString::parse(boot, "legacy")?;
    let devices = order.get("order").unwrap_or_default().split(';').filter(|device| !device.is_empty());
    for device in devices {
        let set = change.set.iter().any(|(key, _)| key == device);
        let has = vm.config.contains_key(device) || vm.pending.get(device).is_some_and(Option::is_some);
        if !set && (!has || change.delete.iter().any(|key| key == device)) {
            // The quotation mark at its end is the server's own.
            return Err(format!("invalid bootorder: device '{device}' does not exist'"));
        }
    }
    Ok(())
}

/// What the configuration keeps of a value: volumes made, MAC addresses given.
pub(crate) fn value_for(
    cluster: &mut Cluster,
    node: &str,
    vmid: u32,
    config: &VmConfig,
    (key, value): (&str, &str),
    log: &mut Vec<String>,
) -> Result<String, String> {
    if formats::is_drive_key(key) {
        return volume::realise(cluster, node, vmid, key, value, log);
    }
    if formats::numbered(key, "net", 32) {
        let net = formats::parse_net(value)?;
        let old = config.get(key).and_then(|old| formats::parse_net(old).ok());
        let kept = old.filter(|old| old.first == net.first).and_then(|old| old.get("macaddr").map(str::to_owned));
        let mac = net.get("macaddr").filter(|mac| !mac.is_empty()).map(str::to_owned).or(kept);
        return Ok(formats::render_net(&net, &mac.unwrap_or_else(clock::mac)));
    }
    Ok(value.to_owned())
}

/// A disk that another takes the place of stays, as `unusedN`; a cloud-init drive goes.
fn replace_drive(cluster: &mut Cluster, node: &str, config: &mut VmConfig, key: &str, new: &str) {
    let file = |value: &str| value.split(',').next().unwrap_or_default().to_owned();
    let Some(old) = config.get(key).filter(|_| formats::is_drive_key(key)).map(|value| file(value)) else { return };
    if old != file(new) {
        detach(cluster, node, config, &old);
    }
}

fn detach(cluster: &mut Cluster, node: &str, config: &mut VmConfig, volid: &str) {
    if keys::is_cloudinit(volid) {
        volume::remove(cluster, node, volid);
    } else if volume::lookup(cluster, node, volid).is_some_and(|volume| volume.content == "images") {
        let free = (0..256).map(|number| format!("unused{number}")).find(|slot| !config.contains_key(slot));
        if let Some(slot) = free {
            config.insert(slot, volid.to_owned());
        }
    }
}

pub(crate) fn delete_key(cluster: &mut Cluster, node: &str, config: &mut VmConfig, key: &str, force: bool) {
    let Some(old) = config.remove(key) else { return };
    let volid = old.split(',').next().unwrap_or_default();
    if key.starts_with("unused") || (force && formats::is_drive_key(key)) {
        volume::remove(cluster, node, volid);
    } else if formats::is_drive_key(key) {
        detach(cluster, node, config, volid);
    }
}
