//! Virtual machines: everything below `/nodes/{node}/qemu`.

pub(crate) mod clone;
pub(crate) mod cloudinit;
pub(crate) mod config;
pub(crate) mod console;
pub(crate) mod create;
pub(crate) mod destroy;
pub(crate) mod disk;
pub(crate) mod firewall;
pub(crate) mod guest;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod power;
pub(crate) mod remote;
pub(crate) mod restore;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod tunnel;
pub(crate) mod volume;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::app::Ctx;
use crate::clock;
use crate::error::{ApiError, ApiResult};
use crate::schema::{Kind, check_value};
use crate::state::VmConfig;

/// The VMID of a path.
pub(crate) fn path_vmid(text: &str) -> ApiResult<u32> {
    check_value("vmid", text, Kind::VmId).map_err(|err| ApiError::param("vmid", err))?;
    text.parse().map_err(|_| ApiError::param("vmid", format!("type check ('integer') failed - got '{text}'")))
}

/// `skiplock` is for root by ticket alone.
pub(crate) fn refuse_skiplock(ctx: &Ctx, asked: bool) -> ApiResult<()> {
    if asked && !ctx.who.is_root() {
        return Err(ApiError::param("skiplock", "Only root may use this option."));
    }
    Ok(())
}

/// Forty hexadecimal digits that change with the configuration.
pub(crate) fn digest(config: &VmConfig) -> String {
    let mut hasher = Sha256::new();
    for (key, value) in config {
        hasher.update(key);
        hasher.update([0]);
        hasher.update(value);
        hasher.update([0]);
    }
    clock::hex(&hasher.finalize())[..40].to_owned()
}

/// A value as the API shows it: numbers for numeric keys, the password masked.
pub(crate) fn shown_value(key: &str, value: &str) -> Value {
    if key == "cipassword" {
        return json!("**********");
    }
    let numeric = matches!(key, "snaptime") || keys::kind_of(key).is_some_and(Kind::is_numeric);
    if !numeric {
        return json!(value);
    }
    match (value.parse::<i64>(), value.parse::<f64>()) {
        (Ok(whole), _) => json!(whole),
        (Err(_), Ok(number)) => json!(number),
        _ => json!(value),
    }
}

/// A configuration as the API shows it.
pub(crate) fn shown_config(config: &VmConfig) -> Map<String, Value> {
    let mut out: Map<String, Value> =
        config.iter().map(|(key, value)| (key.clone(), shown_value(key, value))).collect();
    out.insert("digest".to_owned(), json!(digest(config)));
    // An unset boot order reads as a blank.
    out.entry("boot").or_insert(json!(" "));
    out
}

/// The parts of a configuration that every VM is given at its making.
pub(crate) fn fresh_identity(config: &mut VmConfig) {
    config.insert("vmgenid".to_owned(), clock::uuid());
    config.insert("smbios1".to_owned(), format!("uuid={}", clock::uuid()));
}
