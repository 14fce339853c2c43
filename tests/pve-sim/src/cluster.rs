//! `/cluster`.

use serde_json::{Value, json};

use crate::app::Ctx;
use crate::error::{ApiError, ApiResult};
use crate::nodes::{figures, merge};
use crate::schema::{Kind, Param, check, check_with, opt};
use crate::state::Task;
use crate::vm::firewall::{apply, check_digest, shown_options};
use crate::vm::status::resource;

/// Finished tasks that `/cluster/tasks` shows.
const TASKS_SHOWN: usize = 25;

pub(crate) fn index(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    let parts = ["config", "ha", "nextid", "options", "resources", "status", "tasks"];
    Ok(parts.iter().map(|part| json!({ "name": part })).collect())
}

/// The lowest free VMID, as a string. It reserves nothing.
pub(crate) fn next_id(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &[opt("vmid", Kind::VmId)])?;
    ctx.read(|cluster| match params.vmid("vmid") {
        Some(vmid) if cluster.vm_exists(vmid) => Err(ApiError::param("vmid", format!("VM {vmid} already exists"))),
        Some(vmid) => Ok(json!(vmid.to_string())),
        None => {
            let free = (100..1_000_000_u32).find(|vmid| !cluster.vm_exists(*vmid));
            free.map(|vmid| json!(vmid.to_string()))
                .ok_or_else(|| ApiError::internal("unable to get any free VMID in range [100, 1000000]"))
        }
    })
}

pub(crate) fn resources(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &[opt("type", Kind::Enum(&["vm", "storage", "node", "sdn"]))])?;
    let wanted = |kind: &str| params.get("type").is_none_or(|asked| asked == kind);
    let wanted_row = |kind: &str| wanted(if kind == "qemu" { "vm" } else { kind });
    let mut rows: Vec<Value> = Vec::new();
    let names: Vec<String> = ctx.read(|cluster| cluster.nodes.keys().cloned().collect());
    for name in &names {
        if ctx.read(|cluster| !cluster.is_reachable(name)) {
            rows.extend(unreachable(ctx, name).into_iter().filter(|row| row["type"].as_str().is_some_and(wanted_row)));
            continue;
        }
        if wanted("vm") {
            rows.extend(ctx.rights(|rights| {
                let vms = rights.cluster.nodes.get(name).into_iter().flat_map(|node| &node.vms);
                let visible = vms.filter(|(vmid, _)| rights.has(&format!("/vms/{vmid}"), "VM.Audit"));
                visible.map(|(vmid, vm)| resource(&ctx.app, name, *vmid, vm)).collect::<Vec<_>>()
            }));
        }
        if wanted("node") {
            let mut row = json!({
                "node": name, "id": format!("node/{name}"), "type": "node", "status": "online", "level": "",
                "cgroup-mode": 2,
            });
            if ctx.rights(|rights| rights.has(&format!("/nodes/{name}"), "Sys.Audit")) {
                merge(&mut row, figures(ctx, name));
            }
            rows.push(row);
        }
        if wanted("storage") {
            rows.extend(storages(ctx, name));
        }
        if wanted("sdn") && ctx.rights(|rights| rights.has("/sdn/zones/localnetwork", "SDN.Audit")) {
            let id = format!("sdn/{name}/localnetwork");
            rows.push(json!({ "id": id, "node": name, "sdn": "localnetwork", "status": "ok", "type": "sdn" }));
        }
    }
    Ok(Value::Array(rows))
}

/// What is still known of a node that does not answer.
fn unreachable(ctx: &Ctx, node: &str) -> Vec<Value> {
    ctx.rights(|rights| {
        let mut rows = vec![
            json!({ "node": node, "id": format!("node/{node}"), "type": "node", "status": "offline", "level": "" }),
        ];
        let vms = rights.cluster.nodes.get(node).into_iter().flat_map(|node| node.vms.keys());
        let visible = vms.filter(|vmid| rights.has(&format!("/vms/{vmid}"), "VM.Audit"));
        rows.extend(visible.map(|vmid| {
            json!({ "id": format!("qemu/{vmid}"), "type": "qemu", "vmid": vmid, "node": node, "status": "unknown" })
        }));
        let storages = rights.cluster.storages(node);
        let visible = storages.filter(|(name, _)| rights.has(&format!("/storage/{name}"), "Datastore.Audit"));
        rows.extend(visible.map(|(name, storage)| {
            json!({
                "id": format!("storage/{node}/{name}"), "type": "storage", "storage": name, "node": node,
                "status": "unknown", "plugintype": storage.kind, "shared": u8::from(storage.shared),
                "content": storage.content.join(","),
            })
        }));
        rows
    })
}

fn storages(ctx: &Ctx, node: &str) -> Vec<Value> {
    ctx.rights(|rights| {
        let visible = rights.cluster.storages(node).filter(|(name, _)| {
            let path = format!("/storage/{name}");
            rights.has(&path, "Datastore.Audit") || rights.has(&path, "Datastore.AllocateSpace")
        });
        let row = |(name, storage): (&String, &crate::state::Storage)| {
            json!({
                "id": format!("storage/{node}/{name}"), "type": "storage", "storage": name, "node": node,
                "status": "available", "plugintype": storage.kind, "shared": u8::from(storage.shared),
                "content": storage.content.join(","), "disk": storage.used(), "maxdisk": storage.total,
            })
        };
        visible.map(row).collect()
    })
}

pub(crate) fn status(ctx: &Ctx) -> ApiResult {
    ctx.require("/", "Sys.Audit")?;
    check(&ctx.params, &[])?;
    let others = &ctx.app.config.unreachable_nodes;
    ctx.read(|cluster| {
        let count = cluster.nodes.len() + others.len();
        let mut rows = Vec::new();
        if count > 1 {
            // A node that is part of a cluster has an entry for the cluster, and a number.
            rows.push(json!({
                "type": "cluster", "id": "cluster", "name": ctx.app.config.cluster_name, "version": 2, "nodes": count,
                "quorate": u8::from(cluster.is_quorate()),
            }));
        }
        let known = cluster.nodes.iter().map(|(name, node)| (name, !node.unreachable));
        for (at, (name, online)) in known.chain(others.iter().map(|name| (name, false))).enumerate() {
            rows.push(json!({
                "type": "node", "id": format!("node/{name}"), "name": name, "nodeid": if count > 1 { at + 1 } else { 0 },
                "ip": format!("192.168.77.{}", at + 2), "local": u8::from(*name == ctx.local),
                "online": u8::from(online), "level": "",
            }));
        }
        Ok(Value::Array(rows))
    })
}

/// Whether the caller may see a task that is not its own.
pub(crate) fn may_see(ctx: &Ctx, task: &Task) -> bool {
    let owner = task.user.split('!').next().unwrap_or_default();
    owner == ctx.who.user || ctx.rights(|rights| rights.has(&format!("/nodes/{}", task.node), "Sys.Audit"))
}

pub(crate) fn tasks(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    let all: Vec<Task> = ctx.read(|cluster| cluster.nodes.values().flat_map(|node| node.tasks.clone()).collect());
    let visible: Vec<Task> = all.into_iter().rev().filter(|task| may_see(ctx, task)).collect();
    let (running, done): (Vec<&Task>, Vec<&Task>) = visible.iter().partition(|task| task.end.is_none());
    let row = |task: &Task| {
        let (user, token) = task.user.split_once('!').map_or((task.user.as_str(), None), |(user, id)| (user, Some(id)));
        let mut row = json!({
            "upid": task.upid, "node": task.node, "type": task.kind, "id": task.id, "user": user, "starttime": task.start,
        });
        if let Some(token) = token {
            row["tokenid"] = json!(token);
        }
        match task.end {
            Some(end) => merge(&mut row, json!({ "endtime": end, "status": task.exit, "saved": "1" })),
            None => row["pid"] = json!(task.pid),
        }
        row
    };
    Ok(running.into_iter().chain(done.into_iter().take(TASKS_SHOWN)).map(row).collect())
}

pub(crate) fn options(ctx: &Ctx) -> ApiResult {
    ctx.require("/", "Sys.Audit")?;
    check(&ctx.params, &[])?;
    Ok(json!({ "description": "", "allowed-tags": [], "mac_prefix": "BC:24:11" }))
}

pub(crate) fn ha_status(ctx: &Ctx) -> ApiResult {
    ctx.require("/", "Sys.Audit")?;
    check(&ctx.params, &[])?;
    Ok(json!([{ "id": "quorum", "type": "quorum", "node": ctx.node, "status": "OK", "quorate": 1 }]))
}

pub(crate) fn config_nodes(ctx: &Ctx) -> ApiResult {
    ctx.require("/", "Sys.Audit")?;
    check(&ctx.params, &[])?;
    Ok(json!([]))
}

pub(crate) fn firewall_options(ctx: &Ctx) -> ApiResult {
    ctx.require("/", "Sys.Audit")?;
    check(&ctx.params, &[])?;
    ctx.read(|cluster| Ok(shown_options(&cluster.firewall)))
}

/// `PUT /cluster/firewall/options`; no recording shows it.
pub(crate) fn set_firewall_options(ctx: &Ctx) -> ApiResult {
    const POLICY: Kind = Kind::Enum(&["ACCEPT", "REJECT", "DROP"]);
    const SPEC: [Param; 8] = [
        opt("delete", Kind::Text),
        opt("digest", Kind::Length(0, 64)),
        opt("ebtables", Kind::Bool),
        opt("enable", Kind::Int(Some(0), None)),
        opt("log_ratelimit", Kind::Text),
        opt("policy_forward", Kind::Enum(&["ACCEPT", "DROP"])),
        opt("policy_in", POLICY),
        opt("policy_out", POLICY),
    ];
    ctx.require("/", "Sys.Modify")?;
    let params = check(&ctx.params, &SPEC)?;
    ctx.app.write(|cluster| {
        check_digest(&cluster.firewall, &params)?;
        apply(&mut cluster.firewall.options, &params);
        Ok(Value::Null)
    })
}

/// `POST /cluster/backup`: backup jobs are checked, and not kept.
pub(crate) fn backup(ctx: &Ctx) -> ApiResult {
    const SPEC: [Param; 2] = [opt("schedule", Kind::Text), opt("starttime", Kind::Text)];
    ctx.require("/", "Sys.Modify")?;
    let params = check_with(&ctx.params, &SPEC, |_| Some(Kind::Text))?;
    if params.get("schedule").or(params.get("starttime")).is_none() {
        return Err(ApiError::param("schedule", "neither 'starttime' nor 'schedule' were set"));
    }
    Err(ApiError::internal("the simulator keeps no backup jobs"))
}
