//! What lists and `status/current` show of a VM, and its rrddata.

use serde_json::{Map, Value, json};

use crate::app::{App, Ctx};
use crate::clock;
use crate::config::Flavour;
use crate::error::ApiResult;
use crate::formats::{agent_enabled, is_drive_key, numbered};
use crate::schema::{Kind, Params, check, opt, req};
use crate::state::{Run, Stale, Vm};
use crate::vm::{path_vmid, volume};

/// Memory of a VM in bytes.
pub(crate) fn memory_bytes(vm: &Vm) -> u64 {
    let text = vm.config.get("memory").map_or("512", String::as_str);
    let digits: String = text.trim_start_matches("current=").chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u64>().unwrap_or(512) << 20
}

pub(crate) fn cpus(vm: &Vm) -> u64 {
    let number = |key: &str| vm.config.get(key).and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
    number("cores") * number("sockets")
}

fn uptime(vm: &Vm) -> i64 {
    vm.run.as_ref().map_or(0, |run| ((clock::now_ms() - run.started_ms) / 1000).max(0))
}

/// Bytes received and sent by all of a VM's networks since its process began.
fn traffic(vm: &Vm) -> (u64, u64) {
    let nets = vm.config.keys().filter(|key| numbered(key, "net", 32)).count() as u64;
    let (received, sent) = vm.run.as_ref().map_or((0, 0), Run::traffic);
    (received * nets, sent * nets)
}

/// What both lists and the single status have.
fn common(app: &App, vmid: u32, vm: &Vm) -> Map<String, Value> {
    let running = vm.run.is_some();
    let memory = memory_bytes(vm);
    let used = if running { memory / 8 } else { 0 };
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    put("vmid", json!(vmid));
    put("name", json!(vm.name(vmid)));
    put("status", json!(vm.status()));
    put("cpus", json!(cpus(vm)));
    put("cpu", if running { json!(0.0285) } else { json!(0) });
    put("maxmem", json!(memory));
    put("mem", json!(used));
    put("maxdisk", json!(volume::max_disk(vm)));
    put("disk", json!(0));
    put("uptime", json!(uptime(vm)));
    let (received, sent) = traffic(vm);
    put("netin", json!(received));
    put("netout", json!(sent));
    if let Some(tags) = vm.config.get("tags") {
        put("tags", json!(tags));
    }
    if let Some(lock) = vm.lock() {
        put("lock", json!(lock));
    }
    if vm.is_template() {
        put("template", json!(1));
    }
    if vm.config.contains_key("serial0") {
        put("serial", json!(1));
    }
    if let Some(run) = &vm.run {
        put("pid", json!(run.pid));
    }
    if app.flavour() == Flavour::V9_1 {
        put("memhost", json!(used));
        for key in [
            "pressurecpusome",
            "pressurecpufull",
            "pressureiosome",
            "pressureiofull",
            "pressurememorysome",
            "pressurememoryfull",
        ] {
            put(key, json!(0));
        }
    }
    out
}

/// What a running VM's full status adds.
fn extended(app: &App, vmid: u32, vm: &Vm, out: &mut Map<String, Value>) {
    let paused = vm.run.as_ref().is_some_and(|run| run.paused);
    out.insert("qmpstatus".to_owned(), json!(if paused { "paused" } else { vm.status() }));
    let Some(run) = &vm.run else { return };
    let (received, sent) = run.traffic();
    let nics = vm.config.keys().filter(|key| numbered(key, "net", 32)).map(|key| key.trim_start_matches("net"));
    let nics: Map<String, Value> =
        nics.map(|number| (format!("tap{vmid}i{number}"), json!({ "netin": received, "netout": sent }))).collect();
    let drives = vm.config.keys().filter(|key| is_drive_key(key));
    let stats: Map<String, Value> = drives.map(|key| (key.clone(), block_statistics())).collect();
    let support = json!({
        "pbs-dirty-bitmap": true, "pbs-dirty-bitmap-savevm": true, "pbs-dirty-bitmap-migration": true,
        "pbs-masterkey": true, "query-bitmap-info": true, "backup-fleecing": true, "backup-max-workers": true,
        "pbs-library-version": "1.5.2 (UNKNOWN)",
    });
    for (key, map) in [("nics", nics), ("blockstat", stats)] {
        if !map.is_empty() {
            out.insert(key.to_owned(), Value::Object(map));
        }
    }
    out.insert("proxmox-support".to_owned(), support);
    out.insert("running-qemu".to_owned(), json!(app.flavour().qemu()));
    out.insert("running-machine".to_owned(), json!("pc-i440fx-10.0"));
    out.insert("diskread".to_owned(), json!(19_889_664));
    out.insert("diskwrite".to_owned(), json!(0));
}

/// What QEMU counts of one drive.
fn block_statistics() -> Value {
    let mut out = Map::new();
    for operation in ["rd", "wr", "flush", "unmap", "zone_append"] {
        let names = ["failed_{}_operations", "invalid_{}_operations", "{}_operations", "{}_total_time_ns"];
        for name in names.map(|name| name.replace("{}", operation)) {
            out.insert(name, json!(0));
        }
        for name in ["bytes", "merged"].into_iter().filter(|_| operation != "flush") {
            out.insert(format!("{operation}_{name}"), json!(0));
        }
    }
    let others = [
        ("account_failed", json!(true)),
        ("account_invalid", json!(true)),
        ("idle_time_ns", json!(4_227_925_053_i64)),
        ("rd_bytes", json!(19_889_664)),
        ("rd_operations", json!(1216)),
        ("timed_stats", json!([])),
        ("wr_highest_offset", json!(0)),
    ];
    out.extend(others.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(out)
}

pub(crate) fn current(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[])?;
    ctx.vm(number, |vm| {
        let mut out = common(&ctx.app, number, vm);
        extended(&ctx.app, number, vm, &mut out);
        out.insert("ha".to_owned(), json!({ "managed": 0 }));
        if vm.config.get("agent").is_some_and(|value| agent_enabled(value)) {
            out.insert("agent".to_owned(), json!(1));
        }
        if vm.config.get("vga").is_some_and(|vga| vga.starts_with("serial")) {
            out.insert("clipboard".to_owned(), Value::Null);
        }
        Value::Object(out)
    })
}

/// `GET /nodes/{node}/qemu`: VMs without `VM.Audit` are left out, not refused.
pub(crate) fn list(ctx: &Ctx) -> ApiResult {
    let params = check(&ctx.params, &[opt("full", Kind::Bool)])?;
    let visible = ctx.rights(|rights| {
        let vms = rights.cluster.nodes.get(&ctx.node).map(|node| node.vms.clone()).unwrap_or_default();
        vms.into_iter().filter(|(vmid, _)| rights.has(&format!("/vms/{vmid}"), "VM.Audit")).collect::<Vec<_>>()
    });
    let rows = visible.iter().map(|(vmid, vm)| {
        let mut row = common(&ctx.app, *vmid, vm);
        if params.flag("full") {
            extended(&ctx.app, *vmid, vm, &mut row);
        }
        Value::Object(row)
    });
    Ok(rows.collect())
}

/// A VM in `/cluster/resources`, as far as that view has caught up.
pub(crate) fn resource(app: &App, node: &str, vmid: u32, vm: &Vm) -> Value {
    let stale = vm.stale.as_ref().filter(|stale| is_behind(app, stale));
    let head = json!({ "id": format!("qemu/{vmid}"), "type": "qemu", "vmid": vmid, "node": node });
    let Value::Object(mut out) = head else { return head };
    if let Some(Stale { status: None, .. }) = stale {
        out.insert("status".to_owned(), json!("unknown"));
        return Value::Object(out);
    }
    let mut row = common(app, vmid, vm);
    row.insert("maxcpu".to_owned(), row.get("cpus").cloned().unwrap_or_default());
    row.insert("template".to_owned(), json!(u8::from(vm.is_template())));
    row.insert("diskread".to_owned(), json!(0));
    row.insert("diskwrite".to_owned(), json!(0));
    for key in ["cpus", "serial", "pid"] {
        row.remove(key);
    }
    if let Some(Stale { status: Some(status), .. }) = stale {
        row.insert("status".to_owned(), json!(status));
        if status == "stopped" {
            row.insert("uptime".to_owned(), json!(0));
        }
    }
    out.extend(row);
    Value::Object(out)
}

/// Old for most of the lag, then to and fro between old and new.
fn is_behind(app: &App, stale: &Stale) -> bool {
    let lag = app.timings().resources_lag.as_millis() as i64;
    let age = clock::now_ms() - stale.since_ms;
    if age >= lag {
        return false;
    }
    let settled = lag * 3 / 4;
    age < settled || ((age - settled) * 8 / (lag - settled).max(1)) % 2 == 1
}

pub(crate) fn rrddata(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &RRD_SPEC)?;
    let vm = ctx.vm(number, Clone::clone)?;
    Ok(rrd_rows(&params, |time| {
        let Some(run) = vm.run.as_ref().filter(|run| run.started_ms / 1000 <= time) else {
            return json!({ "time": time });
        };
        tracing::trace!(pid = run.pid, "rrd row");
        json!({
            "time": time, "cpu": 0.0285, "maxcpu": cpus(&vm), "mem": memory_bytes(&vm) / 8, "maxmem": memory_bytes(&vm),
            "disk": 0, "maxdisk": volume::max_disk(&vm), "netin": 0, "netout": 516, "diskread": 0, "diskwrite": 0,
        })
    }))
}

pub(crate) const RRD_SPEC: [crate::schema::Param; 2] = [
    req("timeframe", Kind::Enum(&["hour", "day", "week", "month", "year"])),
    opt("cf", Kind::Enum(&["AVERAGE", "MAX"])),
];

/// The seventy rows of a time frame; rows before there was anything have only their time.
pub(crate) fn rrd_rows(params: &Params, row: impl Fn(i64) -> Value) -> Value {
    let step = match params.text("timeframe") {
        "hour" => 60,
        "day" => 1800,
        "week" => 10_800,
        "month" => 43_200,
        _ => 604_800,
    };
    let last = clock::now_s() / step * step;
    (0..70).map(|number| row(last - (69 - number) * step)).collect()
}
