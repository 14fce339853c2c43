//! Processors, memory, network cards and cloud-init.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU64;

use proxmox_api::nodes::node::qemu::vmid::config::{DigestStr, PutParams};

use super::error::{ErrorKind, PveError, Result};
use super::node::Pve;
use super::types::{Begun, ConfigureSpec, Nic, Presence, Target};
use super::wire::{VmConfig, encode, is_mac};

/// How often a configuration is read again because somebody else changed it in between.
const TRIES_MAX: u32 = 4;

impl Pve {
    /// Writes what differs, in one synchronous call.
    pub(super) async fn configure(&self, target: Target, spec: &ConfigureSpec) -> Result<Begun> {
        let mut tries = 1;
        loop {
            self.own_state(target).await?;
            let config = self.vm_config(target.vmid).await?;
            let Some(params) = changes(&config, spec).map_err(|text| bad(&text))? else {
                return Ok(Begun::Done);
            };
            match self.vm(target.vmid).await?.config().put(params).await {
                Ok(()) => return Ok(Begun::Done),
                Err(error) if error.is_stale_digest() && tries < TRIES_MAX => tries += 1,
                Err(error) => {
                    let presence = if error.status.is_some() { Presence::Present } else { Presence::Unknown };
                    return Err(error.with_presence(presence));
                }
            }
        }
    }
}

fn bad(text: &str) -> PveError {
    PveError::new(ErrorKind::BadParameter, text).with_presence(Presence::Present)
}

/// The parameters that make `config` what `spec` asks for; `None` when it is so already.
fn changes(config: &VmConfig, spec: &ConfigureSpec) -> std::result::Result<Option<PutParams>, String> {
    let mut any = false;
    let mut differs = |key: &str, wanted: &str| {
        let differs = config.get(key).as_deref() != Some(wanted);
        any |= differs;
        differs
    };
    let mut params = PutParams::default();
    // However they are spread over sockets: that is the VM's own.
    let number = |key: &str| config.get(key).and_then(|number| number.parse::<u64>().ok()).unwrap_or(1);
    let processors = number("cores").saturating_mul(number("sockets"));
    if let Some(cores) = NonZeroU64::new(u64::from(spec.vcpu)).filter(|cores| cores.get() != processors) {
        params.cores = differs("cores", &cores.to_string()).then_some(cores);
        if config.get("sockets").is_some() {
            params.sockets = differs("sockets", "1").then_some(NonZeroU64::MIN);
        }
    }
    if spec.memory_mib > 0 {
        let memory = spec.memory_mib.to_string();
        // A balloon target above the memory would be refused.
        let balloon = config.get("balloon").and_then(|balloon| balloon.parse::<u64>().ok()).unwrap_or(0);
        if balloon > spec.memory_mib {
            params.balloon = Some(spec.memory_mib);
        }
        params.memory = differs("memory", &memory).then_some(memory);
    }
    let onboot = config.get("onboot").is_some_and(|flag| flag == "1");
    if onboot != spec.start_on_boot {
        params.onboot = differs("onboot", if spec.start_on_boot { "1" } else { "0" }).then_some(spec.start_on_boot);
    }
    for nic in &spec.nics {
        check_nic(nic)?;
        let key = format!("net{}", nic.index);
        let wanted = network_card(config.get(&key).as_deref(), nic, spec.exact || spec.exact_nics);
        if differs(&key, &wanted) {
            params.nets.insert(nic.index, wanted);
        }
        if let Some(wanted) = ip_config(nic)?
            && differs(&format!("ipconfig{}", nic.index), &wanted)
        {
            params.ipconfigs.insert(nic.index, wanted);
        }
    }
    let mut set = |key: &str, wanted: Option<String>| wanted.filter(|wanted| differs(key, wanted));
    params.ciuser = set("ciuser", spec.cloud_init_user.clone().filter(|user| !user.is_empty()));
    params.nameserver = set("nameserver", Some(spec.nameservers.join(" ")).filter(|list| !list.is_empty()));
    params.name = set("name", spec.name.clone());
    params.searchdomain = set("searchdomain", spec.search_domain.clone().filter(|domain| !domain.is_empty()));
    params.sshkeys = set("sshkeys", ssh_keys(&spec.ssh_keys)?);
    let surplus = surplus(config, spec);
    if !surplus.is_empty() {
        params.delete = Some(surplus.join(","));
        any = true;
    }
    if let Some(password) = spec.password.as_ref().filter(|password| !password.reveal().is_empty()) {
        // It reads back masked: whether it differs cannot be known.
        params.cipassword = Some(password.reveal().to_owned());
        any = true;
    }
    if wants_cloud_init(spec) && config.cloud_init_drive().is_none() {
        params.ides = cloud_init_drive(config)?;
        any = true;
    }
    if !any {
        return Ok(None);
    }
    params.digest = config.get("digest").and_then(|digest| DigestStr::try_from(digest).ok());
    Ok(Some(params))
}

/// What is there and shall not be, as far as the request says everything.
fn surplus(config: &VmConfig, spec: &ConfigureSpec) -> Vec<String> {
    let card = |key: &str, prefix| key.strip_prefix(prefix).and_then(|index: &str| index.parse::<u32>().ok());
    let is_surplus = |key: &str| {
        let is_named = |index| spec.nics.iter().any(|nic| nic.index == index);
        if let Some(index) = card(key, "net") {
            return (spec.exact || spec.exact_nics) && !is_named(index);
        }
        if let Some(index) = card(key, "ipconfig") {
            let is_addressed = spec.nics.iter().any(|nic| nic.index == index && !nic.addresses.is_empty());
            return spec.exact && !is_addressed || spec.exact_nics && !is_named(index);
        }
        match key {
            "sshkeys" => spec.exact_ssh_keys && spec.ssh_keys.is_empty(),
            "nameserver" => spec.exact && spec.nameservers.is_empty(),
            "searchdomain" => spec.exact && spec.search_domain.is_none(),
            "cipassword" => spec.exact && spec.password.is_none(),
            _ => false,
        }
    };
    let mut keys: Vec<String> = config
        .iter()
        .filter(|(key, value)| !value.trim().is_empty() && is_surplus(key))
        .map(|(key, _)| key.to_owned())
        .collect();
    keys.sort_unstable();
    keys
}

fn wants_cloud_init(spec: &ConfigureSpec) -> bool {
    spec.cloud_init_user.is_some()
        || spec.password.is_some()
        || !spec.ssh_keys.is_empty()
        || spec.nics.iter().any(|nic| !nic.addresses.is_empty())
}

/// A drive for cloud-init's data, on the storage of the boot disk.
fn cloud_init_drive(config: &VmConfig) -> std::result::Result<HashMap<u32, String>, String> {
    let boot = config.boot_disk().ok_or("the VM has no disk, so there is no storage for a cloud-init drive")?;
    let storage = boot.1.split_once(':').map(|(storage, _)| storage).ok_or("the boot disk is on no storage")?;
    // A q35 machine has ide0 and ide2 only.
    let free = [2, 0].into_iter().find(|index| config.get(&format!("ide{index}")).is_none());
    let index = free.ok_or("the template has no cloud-init drive and neither ide2 nor ide0 is free for one")?;
    Ok(HashMap::from([(index, format!("{storage}:cloudinit"))]))
}

/// The card's setting: what is there stays, model and address included, but for what the request says; where that says everything,
/// also but for what else decides which network the card is in.
fn network_card(existing: Option<&str>, nic: &Nic, exact: bool) -> String {
    const OURS: [&str; 3] = ["bridge", "tag", "rate"];
    const NOBODYS: [&str; 2] = ["link_down", "trunks"];
    let mut parts = existing.unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty());
    let (model, old_mac) = match parts.next().unwrap_or("virtio") {
        first if first.contains('=') => first.split_once('=').map_or((first, None), |(model, mac)| (model, Some(mac))),
        first => (first, None),
    };
    let is_kept = |part: &&str| {
        let key = part.split('=').next().unwrap_or_default();
        !(OURS.contains(&key) || exact && NOBODYS.contains(&key))
    };
    let mut settings: Vec<String> = parts.filter(is_kept).map(str::to_owned).collect();
    settings.push(format!("bridge={}", nic.bridge));
    settings.extend(nic.rate_mbps.map(|rate| format!("rate={rate}")));
    settings.extend(nic.vlan.map(|vlan| format!("tag={vlan}")));
    // In Proxmox's own order, so that what is read back compares equal.
    settings.sort();
    let mac = nic.mac.as_deref().map(str::to_ascii_uppercase).or_else(|| old_mac.map(str::to_owned));
    let card = mac.map_or_else(|| model.to_owned(), |mac| format!("{model}={mac}"));
    format!("{card},{}", settings.join(","))
}

fn check_nic(nic: &Nic) -> std::result::Result<(), String> {
    let field = |name: &str, cause: &str| Err(format!("nics[{}].{name}: {cause}", nic.index));
    if nic.index > 31 {
        return field("index", "a VM has the cards 0 to 31");
    }
    if nic.bridge.is_empty() || !nic.bridge.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c)) {
        return field("bridge", "a bridge's name holds letters, digits and - _ . only");
    }
    if nic.vlan.is_some_and(|vlan| !(1..=4094).contains(&vlan)) {
        return field("vlan", "a VLAN tag is between 1 and 4094");
    }
    if nic.mac.as_deref().is_some_and(|mac| !is_mac(mac)) {
        return field("mac", "a MAC address looks like BC:24:11:00:00:01");
    }
    if nic.rate_mbps.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
        return field("rate_mbps", "a rate is more than 0");
    }
    Ok(())
}

/// `ip=…,gw=…,ip6=…,gw6=…`; `None` when the request gives the card no addresses.
fn ip_config(nic: &Nic) -> std::result::Result<Option<String>, String> {
    let field = |name: &str, cause: &str| format!("nics[{}].{name}: {cause}", nic.index);
    let mut parts: [Option<String>; 4] = Default::default();
    for address in &nic.addresses {
        let (ip, length) =
            address.split_once('/').ok_or_else(|| field("addresses", &format!("{address:?} has no prefix length")))?;
        let ip: IpAddr = ip.parse().map_err(|_| field("addresses", &format!("{address:?} is no address")))?;
        let length: u8 =
            length.parse().map_err(|_| field("addresses", &format!("{address:?} has no prefix length")))?;
        let (slot, key, length_max) = if ip.is_ipv4() { (0, "ip", 32) } else { (2, "ip6", 128) };
        if length > length_max {
            return Err(field("addresses", &format!("the prefix of {address:?} is too long")));
        }
        if parts[slot].replace(format!("{key}={ip}/{length}")).is_some() {
            return Err(field("addresses", "Proxmox's cloud-init takes one IPv4 and one IPv6 address a card"));
        }
    }
    let gateways = [(1, "gateway4", "gw", &nic.gateway4), (3, "gateway6", "gw6", &nic.gateway6)];
    for (slot, name, key, gateway) in gateways {
        let Some(gateway) = gateway.as_deref().filter(|gateway| !gateway.is_empty()) else { continue };
        let ip: IpAddr = gateway.parse().map_err(|_| field(name, &format!("{gateway:?} is no address")))?;
        if ip.is_ipv4() != (slot == 1) || parts[slot - 1].is_none() {
            return Err(field(name, "a gateway needs an address of its own family on the same card"));
        }
        parts[slot] = Some(format!("{key}={ip}"));
    }
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    Ok((!parts.is_empty()).then(|| parts.join(",")))
}

/// The keys as Proxmox stores them: percent-encoded lines.
fn ssh_keys(keys: &[String]) -> std::result::Result<Option<String>, String> {
    let mut lines = String::new();
    for key in keys.iter().map(|key| key.trim()).filter(|key| !key.is_empty()) {
        if key.contains(['\n', '\r']) || key.split_whitespace().count() < 2 {
            return Err("ssh_keys: each must be one line such as: ssh-ed25519 AAAA… name".to_owned());
        }
        lines.push_str(key);
        lines.push('\n');
    }
    Ok((!lines.is_empty()).then(|| encode(&lines)))
}

#[cfg(test)]
mod tests {
    use super::super::types::Secret;
    use super::*;

    fn nic(index: u32) -> Nic {
        Nic {
            index,
            bridge: "vmbr0".to_owned(),
            vlan: None,
            mac: None,
            addresses: Vec::new(),
            gateway4: None,
            gateway6: None,
            rate_mbps: None,
        }
    }

    fn empty() -> ConfigureSpec {
        ConfigureSpec {
            vcpu: 0,
            memory_mib: 0,
            cloud_init_user: None,
            ssh_keys: Vec::new(),
            exact_ssh_keys: false,
            nics: Vec::new(),
            nameservers: Vec::new(),
            search_domain: None,
            password: None,
            start_on_boot: false,
            name: None,
            exact: false,
            exact_nics: false,
        }
    }

    fn config() -> VmConfig {
        let json = r#"{"cores":1,"memory":"256","boot":"order=scsi0","scsi0":"tank:vm-1-disk-0,size=8G","digest":"aa",
            "net0":"virtio=BC:24:11:00:00:01,bridge=vmbr9,firewall=1,tag=7,queues=2"}"#;
        serde_json::from_str(json).unwrap()
    }

    fn sent(spec: &ConfigureSpec) -> serde_json::Value {
        changes(&config(), spec)
            .unwrap()
            .map_or(serde_json::Value::Null, |params| serde_json::to_value(params).unwrap())
    }

    #[test]
    fn only_what_differs_is_sent() {
        assert_eq!(sent(&empty()), serde_json::Value::Null);
        assert_eq!(sent(&ConfigureSpec { vcpu: 1, memory_mib: 256, ..empty() }), serde_json::Value::Null);
        let wanted = serde_json::json!({"cores": 2, "memory": "512", "onboot": 1, "digest": "aa"});
        assert_eq!(sent(&ConfigureSpec { vcpu: 2, memory_mib: 512, start_on_boot: true, ..empty() }), wanted);
    }

    #[test]
    fn what_is_not_said_goes_only_where_everything_is_said() {
        let config = r#"{"net0":"virtio=BC:24:11:00:00:01,bridge=vmbr0","net1":"virtio=BC:24:11:00:00:02,bridge=vmbr0","digest":"aa",
            "ipconfig0":"ip=192.0.2.5/24","ipconfig1":"ip=dhcp","nameserver":"9.9.9.9","cipassword":"***","sshkeys":"x","netdev":"1"}"#;
        let config = serde_json::from_str(config).unwrap();
        let spec = ConfigureSpec { nics: vec![nic(0)], ..empty() };
        assert!(surplus(&config, &spec).is_empty());
        let exact = ConfigureSpec { exact: true, ..spec };
        assert_eq!(surplus(&config, &exact), ["cipassword", "ipconfig0", "ipconfig1", "nameserver", "net1"]);
        let cards = ConfigureSpec { exact_nics: true, exact: false, ..exact.clone() };
        assert_eq!(surplus(&config, &cards), ["ipconfig1", "net1"]);
        let addresses = vec!["192.0.2.6/24".to_owned()];
        let nameservers = vec!["192.0.2.53".to_owned()];
        let said =
            ConfigureSpec { nics: vec![Nic { addresses, ..nic(0) }], nameservers, exact_ssh_keys: true, ..exact };
        assert_eq!(surplus(&config, &said), ["cipassword", "ipconfig1", "net1", "sshkeys"]);
    }

    #[test]
    fn a_card_keeps_what_the_request_does_not_name() {
        let card = Nic { vlan: Some(100), rate_mbps: Some(12.5), ..nic(0) };
        let expected = "virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,queues=2,rate=12.5,tag=100";
        assert_eq!(network_card(config().get("net0").as_deref(), &card, true), expected);
        assert_eq!(network_card(None, &nic(1), false), "virtio,bridge=vmbr0");
        let named = Nic { mac: Some("bc:24:11:00:00:02".to_owned()), ..nic(1) };
        let other = Some("e1000=BC:24:11:00:00:01,bridge=a,tag=3");
        assert_eq!(network_card(other, &named, false), "e1000=BC:24:11:00:00:02,bridge=vmbr0");
        let cut_off = "virtio=BC:24:11:00:00:01,bridge=vmbr0,link_down=1,mtu=1,trunks=5;7-9";
        assert_eq!(network_card(Some(cut_off), &nic(0), false), cut_off);
        assert_eq!(network_card(Some(cut_off), &nic(0), true), "virtio=BC:24:11:00:00:01,bridge=vmbr0,mtu=1");
    }

    #[test]
    fn cloud_init_gets_a_drive_where_the_template_has_none() {
        let sent = sent(&ConfigureSpec {
            cloud_init_user: Some("anna".to_owned()),
            password: Some(Secret::new("pw")),
            ..empty()
        });
        let wanted =
            serde_json::json!({"ciuser": "anna", "cipassword": "pw", "ide2": "tank:cloudinit", "digest": "aa"});
        assert_eq!(sent, wanted);
    }

    #[test]
    fn addresses_become_an_ipconfig() {
        let check =
            |addresses: &[&str], gateways: [Option<&str>; 2], expected: std::result::Result<Option<&str>, &str>| {
                let [gateway4, gateway6] = gateways.map(|gateway| gateway.map(str::to_owned));
                let addresses = addresses.iter().map(|address| (*address).to_owned()).collect();
                let found = ip_config(&Nic { addresses, gateway4, gateway6, ..nic(0) });
                let expected = expected.map(|text| text.map(str::to_owned));
                match (found, expected) {
                    (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                    (found, expected) => assert_eq!(found, expected.map_err(str::to_owned)),
                }
            };
        check(&[], [None, None], Ok(None));
        check(&["10.0.0.5/24"], [Some("10.0.0.1"), None], Ok(Some("ip=10.0.0.5/24,gw=10.0.0.1")));
        let both = "ip=10.0.0.5/24,ip6=2001:db8::5/64,gw6=fe80::1";
        check(&["2001:db8::5/64", "10.0.0.5/24"], [None, Some("fe80::1")], Ok(Some(both)));
        check(&["10.0.0.5"], [None, None], Err("addresses"));
        check(&["10.0.0.5/33"], [None, None], Err("too long"));
        check(&["10.0.0.5/24", "10.0.0.6/24"], [None, None], Err("one IPv4"));
        check(&["10.0.0.5/24"], [None, Some("fe80::1")], Err("gateway6"));
        check(&["10.0.0.5/24"], [Some("fe80::1"), None], Err("gateway4"));
    }

    #[test]
    fn keys_are_encoded_and_checked() {
        let keys = |keys: &[&str]| ssh_keys(&keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(keys(&[]), Ok(None));
        assert_eq!(keys(&["ssh-ed25519 AA+/= a@b", " "]), Ok(Some("ssh-ed25519%20AA%2B%2F%3D%20a%40b%0A".to_owned())));
        assert!(keys(&["AAAA"]).is_err());
        assert!(keys(&["ssh-ed25519 AA\nssh-rsa BB"]).is_err());
    }

    #[test]
    fn bad_cards_name_their_field() {
        let check = |nic: Nic, field: &str| assert!(check_nic(&nic).unwrap_err().contains(field));
        check(Nic { index: 32, ..nic(0) }, "index");
        check(Nic { bridge: "vmbr0,tag=5".to_owned(), ..nic(0) }, "bridge");
        check(Nic { vlan: Some(4095), ..nic(0) }, "vlan");
        check(Nic { mac: Some("BC:24:11".to_owned()), ..nic(0) }, "mac");
        check(Nic { rate_mbps: Some(f64::NAN), ..nic(0) }, "rate");
    }
}
