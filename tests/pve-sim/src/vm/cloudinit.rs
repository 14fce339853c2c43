//! `…/cloudinit`: the settings and the files made from them.

use serde_json::{Value, json};

use crate::app::Ctx;
use crate::codec::decode_segment;
use crate::error::{ApiError, ApiResult};
use crate::formats::{PropertyString, parse_net};
use crate::schema::{Kind, check, req};
use crate::state::Vm;
use crate::vm::{path_vmid, shown_value};

const KEYS: &[&str] =
    &["cicustom", "cipassword", "citype", "ciupgrade", "ciuser", "nameserver", "searchdomain", "sshkeys"];

pub(crate) fn dump(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, &[req("type", Kind::Enum(&["user", "network", "meta"]))])?;
    let text = ctx.vm(number, |vm| match params.text("type") {
        "user" => user(number, vm),
        "network" => network(vm),
        _ => format!("instance-id: {}\n", crate::vm::digest(&vm.config)),
    })?;
    Ok(json!(text))
}

pub(crate) fn settings(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[])?;
    ctx.vm(number, |vm| {
        let ours = vm.config.iter().filter(|(key, _)| KEYS.contains(&key.as_str()) || key.starts_with("ipconfig"));
        ours.map(|(key, value)| json!({ "key": key, "value": shown_value(key, value) })).collect::<Value>()
    })
}

pub(crate) async fn regenerate(ctx: &Ctx, vmid: &str) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Config.Cloudinit")?;
    let number = path_vmid(vmid)?;
    check(&ctx.params, &[])?;
    ctx.vm(number, |_| ())?;
    let wait = ctx.app.timings().vm_lock;
    let _guard = ctx.app.locks.exclusive(number, wait).await.map_err(ApiError::internal)?;
    ctx.vm(number, Vm::check_lock)?.map_err(ApiError::internal)?;
    Ok(Value::Null)
}

fn user(vmid: u32, vm: &Vm) -> String {
    let name = vm.name(vmid);
    let host = name.split('.').next().unwrap_or_default();
    let domain = vm.config.get("searchdomain");
    let fqdn = domain.map_or_else(|| name.clone(), |domain| format!("{host}.{domain}"));
    let mut out = format!("#cloud-config\nhostname: {host}\nmanage_etc_hosts: true\nfqdn: {fqdn}\n");
    if let Some(user) = vm.config.get("ciuser") {
        out.push_str(&format!("user: {user}\n"));
    }
    if let Some(password) = vm.config.get("cipassword") {
        out.push_str(&format!("password: {password}\n"));
    }
    if let Some(keys) = vm.config.get("sshkeys") {
        out.push_str("ssh_authorized_keys:\n");
        for key in decode_segment(keys).lines().filter(|line| !line.trim().is_empty()) {
            out.push_str(&format!("  - {key}\n"));
        }
    }
    out.push_str("chpasswd:\n  expire: False\nusers:\n  - default\npackage_upgrade: true\n");
    out
}

fn network(vm: &Vm) -> String {
    let mut out = "version: 1\nconfig:\n".to_owned();
    for number in 0..32 {
        let Some(net) = vm.config.get(&format!("net{number}")).and_then(|text| parse_net(text).ok()) else { continue };
        let mac = net.get("macaddr").unwrap_or_default().to_lowercase();
        out.push_str(&format!("    - type: physical\n      name: eth{number}\n      mac_address: '{mac}'\n"));
        let setup = vm.config.get(&format!("ipconfig{number}")).map_or("", String::as_str);
        let setup = PropertyString::parse(setup, "").unwrap_or_default();
        if setup.rest.is_empty() {
            continue;
        }
        out.push_str("      subnets:\n");
        for (key, gateway, dhcp) in [("ip", "gw", "dhcp4"), ("ip6", "gw6", "dhcp6")] {
            out.push_str(&subnet(&setup, key, gateway, dhcp));
        }
    }
    let servers: Vec<&str> = vm.config.get("nameserver").map_or(vec![], |text| text.split([' ', ',', ';']).collect());
    if !servers.is_empty() {
        out.push_str("    - type: nameserver\n      address:\n");
        for server in servers {
            out.push_str(&format!("      - '{server}'\n"));
        }
        if let Some(domain) = vm.config.get("searchdomain") {
            out.push_str(&format!("      search:\n      - '{domain}'\n"));
        }
    }
    out
}

fn subnet(setup: &PropertyString, key: &str, gateway: &str, dhcp: &str) -> String {
    let mut out = String::new();
    match setup.get(key) {
        None => return out,
        Some("dhcp") => out.push_str(&format!("      - type: {dhcp}\n")),
        Some("auto") => out.push_str("      - type: ipv6_slaac\n"),
        Some(text) => {
            let (address, bits) = text.split_once('/').unwrap_or((text, "24"));
            if key == "ip" {
                let mask =
                    bits.parse::<u32>().ok().map_or(0, |bits| u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0));
                let mask = std::net::Ipv4Addr::from(mask);
                out.push_str(&format!(
                    "      - type: static\n        address: '{address}'\n        netmask: '{mask}'\n"
                ));
            } else {
                out.push_str(&format!("      - type: static6\n        address: '{text}'\n"));
            }
            if let Some(gateway) = setup.get(gateway) {
                out.push_str(&format!("        gateway: '{gateway}'\n"));
            }
        }
    }
    out
}
