//! `…/agent/*` and `…/monitor`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::Ctx;
use crate::clock;
use crate::config::Flavour;
use crate::error::{ApiError, ApiResult};
use crate::formats::{self, agent_enabled, parse_net};
use crate::schema::{INT, Kind, Params, check, opt, req};
use crate::state::Vm;
use crate::vm::path_vmid;

/// The privilege of an agent command; 9 has several where 8 had one.
fn privileges(ctx: &Ctx, command: &str) -> &'static [&'static str] {
    if ctx.app.flavour() == Flavour::V8_4 {
        return &["VM.Monitor"];
    }
    match command {
        "exec" | "exec-status" | "set-user-password" | "shutdown" => &["VM.GuestAgent.Unrestricted"],
        "file-read" => &["VM.GuestAgent.FileRead", "VM.GuestAgent.Unrestricted"],
        "file-write" => &["VM.GuestAgent.FileWrite", "VM.GuestAgent.Unrestricted"],
        "fsfreeze-freeze" | "fsfreeze-thaw" | "fstrim" => {
            &["VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.Unrestricted"]
        }
        _ => &["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"],
    }
}

/// Method and parameters of an agent command, `None` for one that there is not.
fn command_spec(command: &str) -> Option<(&'static str, Vec<crate::schema::Param>)> {
    Some(match command {
        "ping" | "shutdown" | "fstrim" | "fsfreeze-freeze" | "fsfreeze-thaw" | "fsfreeze-status" => ("POST", vec![]),
        "exec" => ("POST", vec![req("command", Kind::Array), opt("input-data", Kind::Text)]),
        "set-user-password" => (
            "POST",
            vec![req("username", Kind::Text), req("password", Kind::Length(5, 1024)), opt("crypted", Kind::Bool)],
        ),
        "file-write" => ("POST", vec![req("file", Kind::Text), req("content", Kind::Text), opt("encode", Kind::Bool)]),
        "exec-status" => ("GET", vec![req("pid", INT)]),
        "file-read" => ("GET", vec![req("file", Kind::Text)]),
        "network-get-interfaces"
        | "get-osinfo"
        | "get-host-name"
        | "get-fsinfo"
        | "get-time"
        | "get-timezone"
        | "info" => ("GET", vec![]),
        _ => return None,
    })
}

/// `None` when there is no such command for this method.
pub(crate) async fn agent(ctx: &Ctx, method: &str, vmid: &str, command: &str) -> Option<ApiResult> {
    let (wanted, spec) = command_spec(command)?;
    if wanted != method {
        return None;
    }
    Some(run_command(ctx, vmid, command, &spec).await)
}

async fn run_command(ctx: &Ctx, vmid: &str, command: &str, spec: &[crate::schema::Param]) -> ApiResult {
    ctx.require_any(&format!("/vms/{vmid}"), privileges(ctx, command))?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, spec)?;
    let vm = ctx.vm(number, Clone::clone)?;
    if !vm.config.get("agent").is_some_and(|value| agent_enabled(value)) {
        return Err(ApiError::internal("No QEMU guest agent configured"));
    }
    let Some(run) = vm.run.clone() else {
        return Err(ApiError::internal(format!("VM {number} is not running")));
    };
    let booted = run.booted_ms + ctx.app.timings().guest_boot.as_millis() as i64 <= clock::now_ms();
    if !vm.guest.agent || run.paused || !booted {
        wait(ctx.app.timings().agent).await;
        return Err(ApiError::internal("QEMU guest agent is not running"));
    }
    answer(ctx, number, &vm, command, &params)
}

async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

fn answer(ctx: &Ctx, vmid: u32, vm: &Vm, command: &str, params: &Params) -> ApiResult {
    let result = match command {
        "exec" => return exec(ctx, vmid, params),
        "exec-status" => return exec_status(vm, params),
        "set-user-password" => return set_password(ctx, vmid, vm, params),
        "file-read" => {
            let content = format!("# {}\nhostname {}\n", params.text("file"), vm.name(vmid));
            return Ok(json!({ "bytes-read": content.len(), "content": content }));
        }
        "file-write" => return Ok(Value::Null),
        "network-get-interfaces" => interfaces(vm),
        "get-osinfo" => json!({
            "id": "debian", "name": "Debian GNU/Linux", "version-id": "12", "version": "12 (bookworm)",
            "pretty-name": "Debian GNU/Linux 12 (bookworm)", "machine": "x86_64",
            "kernel-release": "6.1.0-56-cloud-amd64", "kernel-version": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2",
        }),
        "get-host-name" => json!({ "host-name": vm.name(vmid) }),
        "get-time" => json!(clock::now_ms() * 1_000_000),
        "get-timezone" => json!({ "zone": "UTC", "offset": 0 }),
        "get-fsinfo" => json!([{ "name": "sda1", "mountpoint": "/", "type": "ext4", "disk": [] }]),
        "info" => json!({ "version": "7.2.0", "supported_commands": [] }),
        "fsfreeze-status" => json!("thawed"),
        "fsfreeze-freeze" | "fsfreeze-thaw" => json!(1),
        "fstrim" => json!({ "paths": [] }),
        _ => json!({}),
    };
    Ok(json!({ "result": result }))
}

fn exec(ctx: &Ctx, vmid: u32, params: &Params) -> ApiResult {
    let command = params.text("command").replace('\0', " ");
    // `/bin/echo a b` prints `a b`; any other command prints nothing.
    let output = match command.split_once("echo") {
        Some((_, text)) => format!("{}\n", text.trim_start()),
        None => String::new(),
    };
    let pid = ctx.app.write(|cluster| {
        let vm = cluster.nodes.get_mut(&ctx.node).and_then(|node| node.vms.get_mut(&vmid))?;
        let pid = vm.guest.commands.keys().next_back().map_or(122, |last| last + 1);
        vm.guest.commands.insert(pid, output);
        Some(pid)
    });
    let pid = pid.ok_or_else(|| ApiError::internal(format!("VM {vmid} is not running")))?;
    Ok(json!({ "pid": pid }))
}

/// Where no recording shows it: the guest's own tool refuses a user that is not there.
fn set_password(ctx: &Ctx, vmid: u32, vm: &Vm, params: &Params) -> ApiResult {
    let user = params.text("username");
    let first_user = vm.config.get("ciuser").map_or("debian", String::as_str);
    if user != "root" && user != first_user {
        return Err(ApiError::internal("Agent error: child process has failed to set user password"));
    }
    ctx.app.write(|cluster| {
        let vm = cluster.nodes.get_mut(&ctx.node).and_then(|node| node.vms.get_mut(&vmid));
        vm.map(|vm| vm.guest.passwords.insert(user.to_owned(), params.text("password").to_owned()))
    });
    Ok(json!({ "result": {} }))
}

fn exec_status(vm: &Vm, params: &Params) -> ApiResult {
    let pid = params.int("pid").and_then(|pid| u32::try_from(pid).ok());
    let output = pid.and_then(|pid| vm.guest.commands.get(&pid));
    // The real agent prints its own format string here.
    let output = output.ok_or_else(|| ApiError::internal("Agent error: PID ld does not exist"))?;
    let mut shown = json!({ "exited": 1, "exitcode": 0 });
    if !output.is_empty() {
        shown["out-data"] = json!(output);
    }
    Ok(shown)
}

fn interfaces(vm: &Vm) -> Value {
    let statistics = json!({
        "rx-bytes": 0, "rx-packets": 0, "rx-errs": 0, "rx-dropped": 0, "tx-bytes": 266, "tx-packets": 3, "tx-errs": 0,
        "tx-dropped": 0,
    });
    let mut out = vec![json!({
        "name": "lo", "hardware-address": "00:00:00:00:00:00", "statistics": statistics,
        "ip-addresses": [
            { "ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8 },
            { "ip-address": "::1", "ip-address-type": "ipv6", "prefix": 128 },
        ],
    })];
    for number in 0..32 {
        let Some(net) = vm.config.get(&format!("net{number}")).and_then(|text| parse_net(text).ok()) else { continue };
        let setup = vm.config.get(&format!("ipconfig{number}")).map_or("ip=dhcp", String::as_str);
        let setup = formats::PropertyString::parse(setup, "").unwrap_or_default();
        let mut addresses = Vec::new();
        for (key, kind, by_dhcp) in [("ip", "ipv4", "192.168.77.50/24"), ("ip6", "ipv6", "fd00::50/64")] {
            let text = match setup.get(key) {
                Some("dhcp" | "auto") => by_dhcp,
                Some(text) => text,
                None => continue,
            };
            let (address, prefix) = text.split_once('/').unwrap_or((text, "24"));
            let prefix: u8 = prefix.parse().unwrap_or(24);
            addresses.push(json!({ "ip-address": address, "ip-address-type": kind, "prefix": prefix }));
        }
        let mac = net.get("macaddr").unwrap_or_default().to_lowercase();
        out.push(json!({
            "name": format!("eth{number}"), "hardware-address": mac, "ip-addresses": addresses,
            "statistics": statistics,
        }));
    }
    Value::Array(out)
}

pub(crate) fn monitor(ctx: &Ctx, vmid: &str) -> ApiResult {
    let privilege = if ctx.app.flavour() == Flavour::V8_4 { "VM.Monitor" } else { "VM.Audit" };
    ctx.require(&format!("/vms/{vmid}"), privilege)?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &[req("command", Kind::Text)])?;
    let run = ctx.vm(number, |vm| vm.run.clone())?;
    let run = run.ok_or_else(|| ApiError::internal(format!("VM {number} not running")))?;
    let text = match (params.text("command"), run.paused) {
        ("info status", false) => "VM status: running\r\n".to_owned(),
        ("info status", true) => "VM status: paused\r\n".to_owned(),
        (other, _) => format!("unknown command: '{other}'\r\n"),
    };
    Ok(json!(text))
}
