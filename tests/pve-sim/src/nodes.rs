//! `/nodes` and what a node says of itself.

use serde_json::{Value, json};

use crate::app::Ctx;
use crate::clock;
use crate::config::Flavour;
use crate::error::ApiResult;
use crate::schema::{Kind, check, opt};
use crate::vm::status::{RRD_SPEC, memory_bytes, rrd_rows};

/// What the host itself takes of its memory.
const HOST_MEMORY_PART: u64 = 16;

fn used_memory(ctx: &Ctx, node: &str) -> (u64, u64) {
    ctx.read(|cluster| {
        let Some(node) = cluster.nodes.get(node) else { return (0, 0) };
        let guests: u64 = node.vms.values().filter(|vm| vm.run.is_some()).map(|vm| memory_bytes(vm) / 8).sum();
        (node.memory_bytes / HOST_MEMORY_PART + guests, node.memory_bytes)
    })
}

fn disk(ctx: &Ctx, node: &str) -> (u64, u64) {
    ctx.read(|cluster| {
        let storage = cluster.nodes.get(node).and_then(|node| node.storages.values().next());
        storage.map_or((0, 0), |storage| (storage.used(), storage.total))
    })
}

/// The figures of a node that a list shows to those who may audit it.
pub(crate) fn figures(ctx: &Ctx, node: &str) -> Value {
    let (mem, maxmem) = used_memory(ctx, node);
    let (disk, maxdisk) = disk(ctx, node);
    let cpus = ctx.read(|cluster| cluster.nodes.get(node).map_or(0, |node| node.cpus));
    json!({
        "maxcpu": cpus, "cpu": 0.0427, "mem": mem, "maxmem": maxmem, "disk": disk, "maxdisk": maxdisk,
        "uptime": ctx.read(crate::state::Cluster::uptime),
    })
}

pub(crate) fn list(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    let names: Vec<String> = ctx.read(|cluster| cluster.nodes.keys().cloned().collect());
    let rows = names.iter().map(|name| {
        let reachable = ctx.read(|cluster| cluster.is_reachable(name));
        let mut row = json!({
            "node": name, "id": format!("node/{name}"), "type": "node", "level": "",
            "status": if reachable { "online" } else { "offline" },
            "ssl_fingerprint": ctx.app.fingerprint(name),
        });
        if reachable && ctx.rights(|rights| rights.has(&format!("/nodes/{name}"), "Sys.Audit")) {
            merge(&mut row, figures(ctx, name));
        }
        row
    });
    let mut rows: Vec<Value> = rows.collect();
    for name in &ctx.app.config.unreachable_nodes {
        rows.push(
            json!({ "node": name, "id": format!("node/{name}"), "type": "node", "status": "offline", "level": "" }),
        );
    }
    Ok(Value::Array(rows))
}

pub(crate) fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

pub(crate) fn index(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    let parts = [
        "capabilities",
        "network",
        "qemu",
        "rrddata",
        "services",
        "status",
        "storage",
        "subscription",
        "tasks",
        "time",
        "version",
    ];
    Ok(parts.iter().map(|part| json!({ "name": part })).collect())
}

pub(crate) fn status(ctx: &Ctx) -> ApiResult {
    ctx.require(&format!("/nodes/{}", ctx.node), "Sys.Audit")?;
    check(&ctx.params, &[])?;
    let (used, total) = used_memory(ctx, &ctx.node);
    let (disk_used, disk_total) = disk(ctx, &ctx.node);
    let cpus = ctx.node_state(|node| node.cpus)?;
    let flavour = ctx.app.flavour();
    let release = if flavour == Flavour::V8_4 { "6.8.12-8-pve" } else { "6.14.11-4-pve" };
    let mut memory = json!({ "total": total, "used": used, "free": total.saturating_sub(used) });
    if flavour == Flavour::V9_1 {
        memory["available"] = json!(total.saturating_sub(used));
    }
    Ok(json!({
        "uptime": ctx.read(crate::state::Cluster::uptime),
        "cpu": 0.0427, "idle": 0, "wait": 0,
        "loadavg": ["0.35", "0.28", "0.21"],
        "memory": memory,
        "swap": { "total": 0, "used": 0, "free": 0 },
        "rootfs": {
            "total": disk_total, "used": disk_used, "free": disk_total.saturating_sub(disk_used),
            "avail": disk_total.saturating_sub(disk_used),
        },
        "ksm": { "shared": 0 },
        "cpuinfo": {
            "cpus": cpus, "cores": cpus, "sockets": 1, "model": "AMD EPYC", "mhz": "2596.120", "user_hz": 100,
            "hvm": "1", "flags": "fpu vme de pse tsc msr svm",
        },
        "boot-info": { "mode": "legacy-bios" },
        "current-kernel": {
            "sysname": "Linux", "release": release, "version": "#1 SMP PREEMPT_DYNAMIC @0", "machine": "x86_64",
        },
        "kversion": format!("Linux {release} #1 SMP PREEMPT_DYNAMIC @0"),
        "pveversion": format!("pve-manager/{}/{}", flavour.version(), flavour.repo_id()),
    }))
}

pub(crate) fn version(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    let flavour = ctx.app.flavour();
    Ok(json!({ "version": flavour.version(), "release": flavour.release(), "repoid": flavour.repo_id() }))
}

pub(crate) fn time(ctx: &Ctx) -> ApiResult {
    ctx.require(&format!("/nodes/{}", ctx.node), "Sys.Audit")?;
    check(&ctx.params, &[])?;
    let now = clock::now_s();
    Ok(json!({ "timezone": "Etc/UTC", "time": now, "localtime": now }))
}

pub(crate) fn services(ctx: &Ctx) -> ApiResult {
    ctx.require(&format!("/nodes/{}", ctx.node), "Sys.Audit")?;
    check(&ctx.params, &[])?;
    let names = ["pveproxy", "pvedaemon", "pvestatd", "pve-cluster", "qmeventd"];
    let row = |name: &&str| {
        json!({
            "service": name, "name": name, "desc": format!("{name} daemon"), "state": "running",
            "active-state": "active", "unit-state": "enabled",
        })
    };
    Ok(names.iter().map(row).collect())
}

pub(crate) fn network(ctx: &Ctx) -> ApiResult {
    let kinds = &[
        "bridge",
        "bond",
        "eth",
        "alias",
        "vlan",
        "OVSBridge",
        "OVSBond",
        "OVSPort",
        "OVSIntPort",
        "vnet",
        "any_bridge",
        "any_local_bridge",
    ];
    let params = check(&ctx.params, &[opt("type", Kind::Enum(kinds))])?;
    let wanted = params.get("type");
    let bridges_only = matches!(wanted, Some("any_bridge" | "any_local_bridge" | "bridge"));
    let mut rows = Vec::new();
    if wanted.is_none() || wanted == Some("eth") {
        rows.push(json!({
            "iface": "eno1", "type": "eth", "active": 1, "method": "manual", "method6": "manual", "priority": 3,
            "families": ["inet"],
        }));
    }
    if wanted.is_none() || bridges_only {
        let bridges = ctx.node_state(|node| node.bridges.clone())?;
        for (number, bridge) in bridges.iter().enumerate() {
            rows.push(json!({
                "iface": bridge, "type": "bridge", "active": 1, "autostart": 1, "method": "static", "method6": "manual",
                "bridge_ports": if number == 0 { "eno1" } else { "" }, "bridge_stp": "off", "bridge_fd": "0",
                "address": format!("192.168.{}.2", 77 + number), "netmask": "24", "families": ["inet"],
                "cidr": format!("192.168.{}.2/24", 77 + number), "gateway": format!("192.168.{}.1", 77 + number),
                "priority": 4 + number,
            }));
        }
    }
    Ok(Value::Array(rows))
}

pub(crate) fn rrddata(ctx: &Ctx) -> ApiResult {
    ctx.require(&format!("/nodes/{}", ctx.node), "Sys.Audit")?;
    let params = check(&ctx.params, &RRD_SPEC)?;
    let (used, total) = used_memory(ctx, &ctx.node);
    let (disk_used, disk_total) = disk(ctx, &ctx.node);
    let cpus = ctx.node_state(|node| node.cpus)?;
    let booted = ctx.read(|cluster| cluster.boot_ms) / 1000;
    let flavour = ctx.app.flavour();
    Ok(rrd_rows(&params, |time| {
        if time < booted {
            return json!({ "time": time });
        }
        let mut row = json!({
            "time": time, "cpu": 0.0427, "maxcpu": cpus, "iowait": 0.001, "loadavg": 0.35, "memused": used,
            "memtotal": total, "swapused": 0, "swaptotal": 0, "rootused": disk_used, "roottotal": disk_total,
            "netin": 0, "netout": 0,
        });
        if flavour == Flavour::V9_1 {
            merge(
                &mut row,
                json!({ "memavailable": total.saturating_sub(used), "pressurecpusome": 0, "pressurememorysome": 0 }),
            );
        }
        row
    }))
}

pub(crate) fn subscription(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    Ok(json!({
        "status": "notfound", "message": "There is no subscription key",
        "serverid": "A6A1249A36DEC7231539C130928F8681",
        "url": "https://www.proxmox.com/en/proxmox-virtual-environment/pricing",
    }))
}

pub(crate) fn cpu_models(ctx: &Ctx) -> ApiResult {
    check(&ctx.params, &[])?;
    let models = [
        ("host", "default"),
        ("max", "default"),
        ("kvm64", "default"),
        ("qemu64", "default"),
        ("x86-64-v2", "default"),
        ("x86-64-v2-AES", "default"),
        ("x86-64-v3", "default"),
        ("x86-64-v4", "default"),
        ("EPYC", "AuthenticAMD"),
        ("EPYC-Rome", "AuthenticAMD"),
        ("EPYC-Rome-v3", "AuthenticAMD"),
        ("EPYC-Milan", "AuthenticAMD"),
        ("EPYC-Milan-v2", "AuthenticAMD"),
        ("EPYC-Genoa", "AuthenticAMD"),
        ("Haswell", "GenuineIntel"),
        ("Broadwell-noTSX", "GenuineIntel"),
        ("Skylake-Server-v4", "GenuineIntel"),
        ("Cascadelake-Server", "GenuineIntel"),
        ("Icelake-Client-noTSX", "GenuineIntel"),
        ("Icelake-Server", "GenuineIntel"),
        ("SapphireRapids", "GenuineIntel"),
    ];
    Ok(models.iter().map(|(name, vendor)| json!({ "name": name, "vendor": vendor, "custom": 0 })).collect())
}
