//! String formats of the API and of the VM configuration: property strings, disks, networks, sizes.

use std::collections::BTreeMap;

use crate::schema::not_in_enumeration;

const NET_MODELS: &[&str] = &[
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "virtio",
    "vmxnet3",
];
const NET_KEYS: &[&str] =
    &["bridge", "firewall", "link_down", "macaddr", "model", "mtu", "queues", "rate", "tag", "trunks"];
const DRIVE_PREFIXES: &[(&str, u32)] = &[("ide", 4), ("sata", 6), ("scsi", 31), ("virtio", 16)];

/// A parsed `first,key=value,…` string. The first item may stand without a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PropertyString {
    pub(crate) first: String,
    pub(crate) rest: BTreeMap<String, String>,
}

impl PropertyString {
    /// Parses; `default_key` is the key that the bare item stands for.
    pub(crate) fn parse(text: &str, default_key: &str) -> Result<Self, String> {
        let mut out = Self::default();
        let mut seen_first = false;
        for item in text.split(',').filter(|item| !item.is_empty()) {
            let (key, value) = item.split_once('=').unwrap_or((default_key, item));
            let duplicate = || format!("duplicate key in comma-separated list property: {key}\n");
            if key == default_key {
                if seen_first {
                    return Err(duplicate());
                }
                seen_first = true;
                value.clone_into(&mut out.first);
            } else if out.rest.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(duplicate());
            }
        }
        Ok(out)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.rest.get(key).map(String::as_str)
    }

    /// The server writes the options in alphabetical order.
    pub(crate) fn render(&self) -> String {
        let mut out = self.first.clone();
        for (key, value) in &self.rest {
            out.push_str(&format!(",{key}={value}"));
        }
        out
    }
}

/// Whether a configuration key is a disk slot (`scsi0`, `ide2`; also `efidisk0` and `tpmstate0`).
pub(crate) fn is_drive_key(key: &str) -> bool {
    key == "efidisk0" || key == "tpmstate0" || DRIVE_PREFIXES.iter().any(|(prefix, max)| numbered(key, prefix, *max))
}

/// Whether `key` is `prefix` and a plain number below `max`.
pub(crate) fn numbered(key: &str, prefix: &str, max: u32) -> bool {
    key.strip_prefix(prefix)
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse::<u32>().ok())
        .is_some_and(|number| number < max)
}

/// A parsed network device: the model and MAC are one item, `virtio=BC:24:…`.
pub(crate) fn parse_net(text: &str) -> Result<PropertyString, String> {
    let mut out = PropertyString::parse(text, "model")?;
    let model = out.rest.keys().find(|key| NET_MODELS.contains(&key.as_str())).cloned();
    if let Some(model) = model {
        let mac = out.rest.remove(&model).unwrap_or_default();
        out.rest.insert("macaddr".to_owned(), mac);
        out.first = model;
    }
    Ok(out)
}

/// Renders a network device the way the configuration file has it.
pub(crate) fn render_net(net: &PropertyString, mac: &str) -> String {
    let mut rest = net.clone();
    rest.rest.remove("macaddr");
    rest.first = format!("{}={mac}", net.first);
    rest.render()
}

pub(crate) fn net(name: &str, value: &str) -> Result<(), String> {
    let parsed = parse_net(value)?;
    if !NET_MODELS.contains(&parsed.first.as_str()) {
        return Err(format!("format error\n{name}.model: {}\n", not_in_enumeration(&parsed.first, NET_MODELS)));
    }
    if let Some(key) = parsed.rest.keys().find(|key| !NET_KEYS.contains(&key.as_str())) {
        let text = "property is not defined in schema and the schema does not allow additional properties";
        return Err(format!("format error\n{name}.{key}: {text}\n"));
    }
    Ok(())
}

pub(crate) fn drive(name: &str, value: &str) -> Result<(), String> {
    let parsed = PropertyString::parse(value, "file")?;
    let file = parsed.first.as_str();
    if file.contains(':') || file == "none" || file == "cdrom" || file.starts_with('/') {
        return Ok(());
    }
    Err(format!("format error\n{name}.file: invalid format - unable to parse volume ID '{file}'\n\n"))
}

pub(crate) fn memory(name: &str, value: &str) -> Result<(), String> {
    let parsed = PropertyString::parse(value, "current")?;
    if !parsed.first.is_empty() && parsed.first.bytes().all(|byte| byte.is_ascii_digit()) {
        return match parsed.first.parse::<i64>() {
            Ok(number) if number >= 16 => Ok(()),
            _ => Err(format!("format error\n{name}.current: value must have a minimum value of 16\n")),
        };
    }
    Err(format!("format error\n{name}.current: type check ('integer') failed - got '{}'\n", parsed.first))
}

pub(crate) fn agent(name: &str, value: &str) -> Result<(), String> {
    let parsed = PropertyString::parse(value, "enabled")?;
    match parsed.first.as_str() {
        "0" | "1" => Ok(()),
        other => Err(format!("format error\n{name}.enabled: type check ('boolean') failed - got '{other}'\n")),
    }
}

/// Whether an `agent` value switches the guest agent on.
pub(crate) fn agent_enabled(value: &str) -> bool {
    PropertyString::parse(value, "enabled").is_ok_and(|parsed| parsed.first == "1")
}

pub(crate) fn ipconfig(name: &str, value: &str) -> Result<(), String> {
    let parsed = PropertyString::parse(value, "")?;
    let bad = |key: &str, what: &str| {
        format!("format error\n{name}.{key}: invalid format - value does not look like a valid {what}\n\n")
    };
    for (key, value) in &parsed.rest {
        let ok = match key.as_str() {
            "ip" => value == "dhcp" || cidr(value, |ip| ip.parse::<std::net::Ipv4Addr>().is_ok(), 32),
            "ip6" => {
                matches!(value.as_str(), "dhcp" | "auto")
                    || cidr(value, |ip| ip.parse::<std::net::Ipv6Addr>().is_ok(), 128)
            }
            "gw" => value.parse::<std::net::Ipv4Addr>().is_ok(),
            "gw6" => value.parse::<std::net::Ipv6Addr>().is_ok(),
            _ => {
                let text = "property is not defined in schema and the schema does not allow additional properties";
                return Err(format!("format error\n{name}.{key}: {text}\n"));
            }
        };
        if !ok {
            let what = if key.starts_with("gw") { "IP address" } else { "CIDR network" };
            return Err(bad(key, what));
        }
    }
    for (gateway, address) in [("gw", "ip"), ("gw6", "ip6")] {
        if parsed.rest.contains_key(gateway) && !parsed.rest.contains_key(address) {
            return Err(format!(
                "format error\n{name}.{gateway}: missing property - '{address}' required by this property\n"
            ));
        }
    }
    Ok(())
}

fn cidr(text: &str, address: impl Fn(&str) -> bool, max: u8) -> bool {
    text.split_once('/').is_some_and(|(ip, bits)| address(ip) && bits.parse::<u8>().is_ok_and(|bits| bits <= max))
}

pub(crate) fn dns_name(_: &str, value: &str) -> Result<(), String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if value.split('.').all(label) { Ok(()) } else { Err("value does not look like a valid DNS name\n".to_owned()) }
}

pub(crate) fn url_encoded(_: &str, value: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-%_.!~*'()".contains(&byte);
    if value.bytes().all(plain) { Ok(()) } else { Err(format!("invalid urlencoded string: {value}\n")) }
}

pub(crate) fn config_id(_: &str, value: &str) -> Result<(), String> {
    let mut bytes = value.bytes();
    let head = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic());
    let tail = bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if head && tail && value.len() > 1 { Ok(()) } else { Err(format!("invalid configuration ID '{value}'\n")) }
}

pub(crate) fn tag_list(_: &str, value: &str) -> Result<(), String> {
    let ok = |tag: &str| {
        tag.bytes().next().is_none_or(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.+".contains(&byte))
    };
    if value.split([';', ',', ' ']).all(ok) {
        Ok(())
    } else {
        Err(format!("invalid characters in tag\nvalue '{value}'\n"))
    }
}

pub(crate) fn address_list(_: &str, value: &str) -> Result<(), String> {
    let ok = |item: &str| item.parse::<std::net::IpAddr>().is_ok() || dns_name("", item).is_ok();
    if value.split([';', ',', ' ']).filter(|item| !item.is_empty()).all(ok) {
        Ok(())
    } else {
        Err(format!("value does not look like a valid server address: {value}\n"))
    }
}

/// What `resize` takes: an absolute size or a growth, `+64M`.
pub(crate) fn resize_size(value: &str) -> bool {
    let digits = value.strip_prefix('+').unwrap_or(value);
    let digits = digits.strip_suffix(['K', 'M', 'G', 'T']).unwrap_or(digits);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    number(whole) && number(fraction)
}

/// Bytes of `27592K`, `1G`, `64M` or a plain number; `None` when it is none of these.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.chars().last()? {
        'K' => (&text[..text.len() - 1], 1_u64 << 10),
        'M' => (&text[..text.len() - 1], 1 << 20),
        'G' => (&text[..text.len() - 1], 1 << 30),
        'T' => (&text[..text.len() - 1], 1 << 40),
        _ => (text, 1),
    };
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let value: f64 = digits.parse().ok()?;
    (value >= 0.0).then_some((value * unit as f64) as u64)
}

/// The shortest whole number of K, M, G or T, as the configuration shows sizes.
pub(crate) fn render_size(bytes: u64) -> String {
    let mut value = bytes;
    for unit in ["", "K", "M", "G", "T"] {
        if !value.is_multiple_of(1024) || value == 0 || unit == "T" {
            return format!("{value}{unit}");
        }
        value /= 1024;
    }
    bytes.to_string()
}

#[cfg(test)]
mod tests {
    use super::{net, parse_size, render_size, resize_size};

    #[test]
    fn sizes_go_both_ways() {
        for (text, bytes) in [("27592K", 28_254_208), ("1G", 1 << 30), ("4M", 4 << 20), ("512", 512)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
            assert_eq!(render_size(bytes), text);
        }
        assert_eq!(parse_size("x"), None);
    }

    #[test]
    fn a_resize_takes_growth_and_absolute_sizes_only() {
        for good in ["+64M", "10G", "1.5T", "4096"] {
            assert!(resize_size(good), "{good}");
        }
        for bad in ["1Q", "", "+", "-1G", "1G1"] {
            assert!(!resize_size(bad), "{bad}");
        }
    }

    #[test]
    fn a_network_without_a_model_is_refused_by_name() {
        assert!(net("net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=5").is_ok());
        let twice = net("net0", "virtio,bridge").unwrap_err();
        assert_eq!(twice, "duplicate key in comma-separated list property: model\n");
        let bogus = net("net0", "bogusmodel,bridge=vmbr0").unwrap_err();
        assert!(bogus.starts_with("format error\nnet0.model: value 'bogusmodel' does not have"), "{bogus}");
    }
}
