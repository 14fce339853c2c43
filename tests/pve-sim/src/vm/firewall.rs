//! `…/firewall`: options, rules, IP sets and aliases of one VM. Reading was recorded on an empty firewall only; for the rest words
//! and order follow the API's schema.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::app::Ctx;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::formats::numbered;
use crate::schema::{COUNT, Kind, Param, Params, check, opt, req};
use crate::state::{Entry, Firewall, IpSet};
use crate::vm::path_vmid;

/// What an empty file hashes to.
const EMPTY_DIGEST: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
const LEVELS: Kind = Kind::Enum(&["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "nolog"]);
const POLICY: Kind = Kind::Enum(&["ACCEPT", "REJECT", "DROP"]);
const NAME: Kind = Kind::Pattern(is_name);
const DIGEST: Param = opt("digest", Kind::Length(0, 64));
const ICMP: &[&str] = &["icmp", "icmpv6", "ipv6-icmp"];
const PROTOCOLS: &[&str] =
    &["tcp", "udp", "icmp", "icmpv6", "ipv6-icmp", "sctp", "dccp", "udplite", "esp", "ah", "gre", "igmp"];
const WITH_PORTS: &[&str] = &["tcp", "udp", "sctp", "dccp", "udplite"];
const MACROS: &[&str] =
    &["DNS", "FTP", "HTTP", "HTTPS", "IMAP", "Mail", "NTP", "Ping", "POP3", "RDP", "SMTP", "SSH", "Web"];

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (2..=64).contains(&text.len()) && text.as_bytes()[0].is_ascii_alphabetic() && text.bytes().all(plain)
}

/// `None` when there is no such path or method.
pub(crate) fn answer(ctx: &Ctx, method: &str, vmid: &str, parts: &[&str]) -> Option<ApiResult> {
    Some(match (method, parts) {
        ("GET", []) => read(ctx, vmid, &[], |_, _| Ok(index())),
        ("GET", ["options"]) => read(ctx, vmid, &[], |firewall, _| Ok(shown_options(firewall))),
        ("PUT", ["options"]) => set_options(ctx, vmid),
        ("GET", ["rules"]) => {
            read(ctx, vmid, &[], |firewall, _| Ok((0..firewall.rules.len()).map(|at| rule(firewall, at)).collect()))
        }
        ("POST", ["rules"]) => add_rule(ctx, vmid),
        ("GET", ["rules", pos]) => one_rule(ctx, vmid, pos),
        ("PUT", ["rules", pos]) => change_rule(ctx, vmid, pos),
        ("DELETE", ["rules", pos]) => delete_rule(ctx, vmid, pos),
        ("GET", ["ipset"]) => read(ctx, vmid, &[], |firewall, _| Ok(sets(firewall))),
        ("POST", ["ipset"]) => add_set(ctx, vmid),
        ("GET", ["ipset", name]) => read(ctx, vmid, &[], |firewall, _| members(firewall, name)),
        ("POST", ["ipset", name]) => add_member(ctx, vmid, name),
        ("DELETE", ["ipset", name]) => delete_set(ctx, vmid, name),
        ("GET", ["ipset", name, cidr]) => read(ctx, vmid, &[], |firewall, _| member(firewall, name, cidr)),
        ("PUT", ["ipset", name, cidr]) => change_member(ctx, vmid, name, cidr),
        ("DELETE", ["ipset", name, cidr]) => delete_member(ctx, vmid, name, cidr),
        ("GET", ["aliases"]) => read(ctx, vmid, &[], |firewall, _| {
            Ok(firewall.aliases.keys().filter_map(|name| alias(firewall, name)).collect())
        }),
        ("POST", ["aliases"]) => add_alias(ctx, vmid),
        ("GET", ["aliases", name]) => read(ctx, vmid, &[], |firewall, _| {
            alias(firewall, name).ok_or_else(|| ApiError::param("name", "no such alias"))
        }),
        ("PUT", ["aliases", name]) => change_alias(ctx, vmid, name),
        ("DELETE", ["aliases", name]) => change(ctx, vmid, &[DIGEST], |firewall, _| {
            firewall.aliases.remove(*name);
            Ok(())
        }),
        _ => return None,
    })
}

fn index() -> Value {
    ["aliases", "ipset", "log", "options", "refs", "rules"].iter().map(|name| json!({ "name": name })).collect()
}

/// A VM that is not there has an empty firewall.
fn read(ctx: &Ctx, vmid: &str, spec: &[Param], read: impl FnOnce(&Firewall, &Params) -> ApiResult) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Audit")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, spec)?;
    let firewall = ctx.read(|cluster| cluster.vm(number).map(|vm| vm.firewall.clone())).unwrap_or_default();
    read(&firewall, &params)
}

/// Changes it under its digest, or leaves it as it was.
fn change(
    ctx: &Ctx,
    vmid: &str,
    spec: &[Param],
    change: impl FnOnce(&mut Firewall, &Params) -> ApiResult<()>,
) -> ApiResult {
    ctx.require(&format!("/vms/{vmid}"), "VM.Config.Network")?;
    let number = path_vmid(vmid)?;
    let params = check(&ctx.params, spec)?;
    ctx.app.write(|cluster| {
        let node = &ctx.node;
        let vm = cluster.vm_mut(number).ok_or_else(|| ApiError::internal(crate::app::no_config(node, number)))?;
        check_digest(&vm.firewall, &params)?;
        let mut firewall = vm.firewall.clone();
        change(&mut firewall, &params)?;
        vm.firewall = firewall;
        Ok(Value::Null)
    })
}

/// Refuses what was meant for another state of the file.
pub(crate) fn check_digest(firewall: &Firewall, params: &Params) -> ApiResult<()> {
    if params.get("digest").is_some_and(|wanted| wanted != digest(firewall)) {
        let text = "detected modified configuration - file changed by other user? Try again.";
        return Err(ApiError::internal(text));
    }
    Ok(())
}

fn digest(firewall: &Firewall) -> String {
    if *firewall == Firewall::default() {
        return EMPTY_DIGEST.to_owned();
    }
    // Strings throughout: this cannot fail.
    let text = serde_json::to_vec(firewall).unwrap_or_default();
    clock::hex(&Sha256::digest(&text))[..40].to_owned()
}

fn shown(entry: &Entry) -> Map<String, Value> {
    let number = |key: &str| matches!(key, "enable" | "dhcp" | "ipfilter" | "macfilter" | "ndp" | "radv" | "nomatch");
    let value = |(key, text): (&String, &String)| match text.parse::<i64>() {
        Ok(whole) if number(key) => (key.clone(), json!(whole)),
        _ => (key.clone(), json!(text)),
    };
    entry.iter().map(value).collect()
}

pub(crate) fn shown_options(firewall: &Firewall) -> Value {
    with_digest(firewall, &firewall.options)
}

fn with_digest(firewall: &Firewall, entry: &Entry) -> Value {
    let mut out = shown(entry);
    out.insert("digest".to_owned(), json!(digest(firewall)));
    Value::Object(out)
}

/// What of the parameters is kept: all but those about the request itself.
fn kept(params: &Params) -> Entry {
    let about = ["digest", "delete", "pos", "moveto", "rename", "force"];
    let kept = params.iter().filter(|(key, _)| !about.contains(key));
    kept.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

pub(crate) fn apply(entry: &mut Entry, params: &Params) {
    entry.extend(kept(params));
    for key in params.get("delete").unwrap_or_default().split([',', ';', ' ']) {
        entry.remove(key);
    }
}

fn set_options(ctx: &Ctx, vmid: &str) -> ApiResult {
    let spec = [
        DIGEST,
        opt("delete", Kind::Text),
        opt("dhcp", Kind::Bool),
        opt("enable", Kind::Bool),
        opt("ipfilter", Kind::Bool),
        opt("log_level_in", LEVELS),
        opt("log_level_out", LEVELS),
        opt("macfilter", Kind::Bool),
        opt("ndp", Kind::Bool),
        opt("policy_in", POLICY),
        opt("policy_out", POLICY),
        opt("radv", Kind::Bool),
    ];
    change(ctx, vmid, &spec, |firewall, params| {
        apply(&mut firewall.options, params);
        Ok(())
    })
}

fn rule_spec(is_new: bool) -> Vec<Param> {
    let kind = Kind::Enum(&["in", "out", "forward", "group"]);
    let (action, side) = (Kind::Pattern(is_name), kind);
    let mut spec: Vec<Param> =
        ["comment", "dport", "sport", "icmp-type", "proto", "macro", "iface"].map(|name| opt(name, Kind::Text)).into();
    spec.extend(["source", "dest"].map(|name| opt(name, Kind::Length(0, 512))));
    spec.extend([DIGEST, opt("enable", COUNT), opt("log", LEVELS)]);
    if is_new {
        spec.extend([req("action", action), req("type", side), opt("pos", COUNT)]);
    } else {
        spec.extend([opt("action", action), opt("type", side), opt("delete", Kind::Text), opt("moveto", COUNT)]);
    }
    spec
}

fn rule(firewall: &Firewall, at: usize) -> Value {
    let mut out = firewall.rules.get(at).map(shown).unwrap_or_default();
    out.insert("pos".to_owned(), json!(at));
    out.insert("digest".to_owned(), json!(digest(firewall)));
    Value::Object(out)
}

/// A new rule is the first, whatever `pos` says, and off unless told.
fn add_rule(ctx: &Ctx, vmid: &str) -> ApiResult {
    change(ctx, vmid, &rule_spec(true), |firewall, params| {
        let mut rule = kept(params);
        rule.entry("enable".to_owned()).or_insert_with(|| "0".to_owned());
        verify(firewall, &mut rule)?;
        firewall.rules.insert(0, rule);
        Ok(())
    })
}

fn position(firewall: &Firewall, pos: &str) -> ApiResult<usize> {
    let at = pos
        .parse::<usize>()
        .map_err(|_| ApiError::param("pos", format!("type check ('integer') failed - got '{pos}'")))?;
    if at < firewall.rules.len() { Ok(at) } else { Err(ApiError::internal(format!("no rule at position {at}"))) }
}

fn one_rule(ctx: &Ctx, vmid: &str, pos: &str) -> ApiResult {
    read(ctx, vmid, &[], |firewall, _| position(firewall, pos).map(|at| rule(firewall, at)))
}

fn change_rule(ctx: &Ctx, vmid: &str, pos: &str) -> ApiResult {
    change(ctx, vmid, &rule_spec(false), |firewall, params| {
        let at = position(firewall, pos)?;
        if let Some(to) = params.int("moveto").and_then(|to| usize::try_from(to).ok()) {
            // Before what is there now: further down that is one place less once it is taken out.
            let rule = firewall.rules.remove(at);
            let to = if to > at { to - 1 } else { to };
            firewall.rules.insert(to.min(firewall.rules.len()), rule);
            return Ok(());
        }
        let mut rule = firewall.rules[at].clone();
        apply(&mut rule, params);
        verify(firewall, &mut rule)?;
        firewall.rules[at] = rule;
        Ok(())
    })
}

fn delete_rule(ctx: &Ctx, vmid: &str, pos: &str) -> ApiResult {
    change(ctx, vmid, &[DIGEST], |firewall, _| {
        let at = position(firewall, pos)?;
        firewall.rules.remove(at);
        Ok(())
    })
}

/// The rule as it may stand in the file, or the refusal naming the property.
fn verify(firewall: &Firewall, rule: &mut Entry) -> ApiResult<()> {
    let get = |key: &str| rule.get(key).map(String::as_str);
    let refuse = |key: &str, text: String| Err(ApiError::param(key, text));
    let action = get("action").unwrap_or_default().to_uppercase();
    if get("type") != Some("group") {
        if !matches!(action.as_str(), "ACCEPT" | "DROP" | "REJECT") {
            return refuse("action", format!("unknown action '{}'", get("action").unwrap_or_default()));
        }
        if let Some(name) = get("macro").filter(|name| !MACROS.contains(name)) {
            return refuse("macro", format!("unknown macro '{name}'"));
        }
    }
    let proto = get("proto");
    if let Some(name) = proto.filter(|name| !PROTOCOLS.contains(name) && name.parse::<u8>().is_err()) {
        return refuse("proto", format!("invalid format - invalid protocol '{name}'\n"));
    }
    for key in ["dport", "sport"] {
        let Some(ports) = get(key) else { continue };
        match proto {
            None => return refuse("proto", format!("missing property - '{key}' requires this property")),
            Some(name) if !WITH_PORTS.contains(&name) && !ICMP.contains(&name) => {
                return refuse(key, format!("protocol '{name}' does not support ports"));
            }
            Some(_) => {}
        }
        if let Some(port) = ports.split(',').find(|port| !is_port(port)) {
            return refuse(key, format!("invalid format - invalid port '{port}'\n"));
        }
    }
    for key in ["source", "dest"] {
        let bad = get(key).and_then(|list| list.split(',').find(|item| !is_address(firewall, item)).map(str::to_owned));
        if let Some(item) = bad {
            return refuse(key, format!("invalid format - invalid address or alias '{item}'\n"));
        }
    }
    if let Some(name) = get("iface").filter(|name| !numbered(name, "net", 32)) {
        return refuse("iface", format!("unable to find network interface '{name}': a VM's are net0 to net31"));
    }
    if get("type") != Some("group") {
        rule.insert("action".to_owned(), action);
    }
    Ok(())
}

/// `80`, `8000:8100` or the name of a service.
fn is_port(text: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().is_ok_and(|port| port <= 65_535);
    let name = |text: &str| is_name(text) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    match text.split_once(':') {
        Some((first, last)) => number(first) && number(last) && first.parse::<u32>().ok() <= last.parse::<u32>().ok(),
        None => number(text) || name(text),
    }
}

/// An address, a network, a range, `+ipset` or an alias.
fn is_address(firewall: &Firewall, text: &str) -> bool {
    if let Some(set) = text.strip_prefix('+') {
        return firewall.ipsets.contains_key(set.strip_prefix("guest/").unwrap_or(set)) || set.starts_with("dc/");
    }
    let range = |text: &str| {
        let ends = text
            .split_once('-')
            .map(|(first, last)| (first.parse::<std::net::IpAddr>(), last.parse::<std::net::IpAddr>()));
        ends.is_some_and(|(first, last)| first.is_ok() && last.is_ok())
    };
    is_cidr(text) || range(text) || has_alias(firewall, text)
}

fn has_alias(firewall: &Firewall, text: &str) -> bool {
    let name = text.strip_prefix("guest/").unwrap_or(text).to_lowercase();
    firewall.aliases.keys().any(|alias| alias.to_lowercase() == name) || text.starts_with("dc/")
}

fn is_cidr(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<std::net::IpAddr>() else { return false };
    let max = if address.is_ipv4() { 32 } else { 128 };
    bits.is_none_or(|bits| bits.parse::<u8>().is_ok_and(|bits| bits <= max))
}

fn sets(firewall: &Firewall) -> Value {
    let row = |(name, set): (&String, &IpSet)| {
        let mut row = json!({ "name": name, "digest": digest(firewall) });
        if let Some(comment) = &set.comment {
            row["comment"] = json!(comment);
        }
        row
    };
    firewall.ipsets.iter().map(row).collect()
}

fn add_set(ctx: &Ctx, vmid: &str) -> ApiResult {
    let spec = [DIGEST, req("name", NAME), opt("comment", Kind::Text), opt("rename", NAME)];
    change(ctx, vmid, &spec, |firewall, params| {
        let name = params.text("name");
        let comment = params.get("comment").map(str::to_owned);
        if let Some(old) = params.get("rename") {
            let mut set =
                firewall.ipsets.remove(old).ok_or_else(|| ApiError::internal(format!("no such IPSet '{old}'")))?;
            set.comment = comment.or(set.comment);
            firewall.ipsets.insert(name.to_owned(), set);
            return Ok(());
        }
        if firewall.ipsets.contains_key(name) {
            return Err(ApiError::param("name", format!("IPSet '{name}' already exists")));
        }
        firewall.ipsets.insert(name.to_owned(), IpSet { comment, entries: Vec::new() });
        Ok(())
    })
}

fn delete_set(ctx: &Ctx, vmid: &str, name: &str) -> ApiResult {
    change(ctx, vmid, &[opt("force", Kind::Bool)], |firewall, params| {
        let set = set_mut(firewall, name)?;
        if !set.entries.is_empty() && !params.flag("force") {
            return Err(ApiError::internal(format!("IPSet '{name}' is not empty")));
        }
        firewall.ipsets.remove(name);
        Ok(())
    })
}

fn set_mut<'a>(firewall: &'a mut Firewall, name: &str) -> ApiResult<&'a mut IpSet> {
    firewall.ipsets.get_mut(name).ok_or_else(|| ApiError::internal(format!("no such IPSet '{name}'")))
}

fn members(firewall: &Firewall, name: &str) -> ApiResult {
    let set = firewall.ipsets.get(name).ok_or_else(|| ApiError::internal(format!("no such IPSet '{name}'")))?;
    Ok(set.entries.iter().map(|entry| with_digest(firewall, entry)).collect())
}

fn member(firewall: &Firewall, name: &str, cidr: &str) -> ApiResult {
    let set = firewall.ipsets.get(name).ok_or_else(|| ApiError::internal(format!("no such IPSet '{name}'")))?;
    let found = set.entries.iter().find(|entry| entry.get("cidr").is_some_and(|known| known == cidr));
    found.map(|entry| with_digest(firewall, entry)).ok_or_else(|| ApiError::param("cidr", "no such IP/Network"))
}

fn add_member(ctx: &Ctx, vmid: &str, name: &str) -> ApiResult {
    let spec = [req("cidr", Kind::Text), opt("comment", Kind::Text), opt("nomatch", Kind::Bool)];
    change(ctx, vmid, &spec, |firewall, params| {
        let cidr = params.text("cidr");
        if !is_cidr(cidr) && !has_alias(firewall, cidr) {
            let text = format!(
                "invalid format - value does not look like a valid IP address, CIDR network or alias: '{cidr}'\n"
            );
            return Err(ApiError::param("cidr", text));
        }
        let set = set_mut(firewall, name)?;
        if set.entries.iter().any(|entry| entry.get("cidr").is_some_and(|known| known == cidr)) {
            return Err(ApiError::param("cidr", format!("address '{cidr}' already exists")));
        }
        set.entries.insert(0, kept(params));
        Ok(())
    })
}

fn change_member(ctx: &Ctx, vmid: &str, name: &str, cidr: &str) -> ApiResult {
    let spec = [DIGEST, opt("comment", Kind::Text), opt("nomatch", Kind::Bool)];
    change(ctx, vmid, &spec, |firewall, params| {
        let set = set_mut(firewall, name)?;
        let found = set.entries.iter_mut().find(|entry| entry.get("cidr").is_some_and(|known| known == cidr));
        let entry = found.ok_or_else(|| ApiError::param("cidr", "no such IP/Network"))?;
        apply(entry, params);
        Ok(())
    })
}

/// What is not in it is as good as deleted.
fn delete_member(ctx: &Ctx, vmid: &str, name: &str, cidr: &str) -> ApiResult {
    change(ctx, vmid, &[DIGEST], |firewall, _| {
        set_mut(firewall, name)?.entries.retain(|entry| entry.get("cidr").is_none_or(|known| known != cidr));
        Ok(())
    })
}

fn alias(firewall: &Firewall, name: &str) -> Option<Value> {
    let mut out = with_digest(firewall, firewall.aliases.get(name)?);
    out["name"] = json!(name);
    Some(out)
}

fn alias_entry(params: &Params) -> ApiResult<Entry> {
    let cidr = params.text("cidr");
    if !is_cidr(cidr) {
        let text = format!("invalid format - value does not look like a valid IP address or CIDR network: '{cidr}'\n");
        return Err(ApiError::param("cidr", text));
    }
    let mut entry = kept(params);
    entry.remove("name");
    Ok(entry)
}

fn add_alias(ctx: &Ctx, vmid: &str) -> ApiResult {
    let spec = [req("name", NAME), req("cidr", Kind::Text), opt("comment", Kind::Text)];
    change(ctx, vmid, &spec, |firewall, params| {
        let name = params.text("name");
        if has_alias(firewall, name) {
            return Err(ApiError::param("name", format!("alias '{name}' already exists")));
        }
        firewall.aliases.insert(name.to_owned(), alias_entry(params)?);
        Ok(())
    })
}

fn change_alias(ctx: &Ctx, vmid: &str, name: &str) -> ApiResult {
    let spec = [DIGEST, req("cidr", Kind::Text), opt("comment", Kind::Text), opt("rename", NAME)];
    change(ctx, vmid, &spec, |firewall, params| {
        let entry = alias_entry(params)?;
        if firewall.aliases.remove(name).is_none() {
            return Err(ApiError::param("name", "no such alias"));
        }
        firewall.aliases.insert(params.get("rename").unwrap_or(name).to_owned(), entry);
        Ok(())
    })
}
