//! What `mpanel server add` and `mpanel server edit` take, and the requests that it becomes.

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::common::{labels, object, parse_label};
use super::failure::{Failure, Result};
use super::humane;

/// A host to be registered.
#[derive(Args)]
pub struct Add {
    /// Its name here; best the node's name in Proxmox
    pub name: String,
    /// The bridge that pods are attached to [default: vmbr0]
    #[arg(long)]
    bridge: Option<String>,
    /// Where it stands [default: default]
    #[arg(long)]
    region: Option<String>,
    /// For placement; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// The VMIDs given to pods [default: 10000-999999]
    #[arg(long, value_name = "A-B", value_parser = parse_range)]
    vmid_range: Option<(u32, u32)>,
    /// A storage that pods may be placed on, with a limit in GiB if not all of it; may be repeated
    #[arg(long = "storage", value_name = "NAME[:GIB]", value_parser = parse_storage, required = true)]
    storages: Vec<Storage>,
    /// Virtual CPUs per hardware thread [default: 1]
    #[arg(long, value_name = "RATIO", value_parser = parse_ratio)]
    cpu_overcommit: Option<f64>,
    /// Hardware threads to count with [default: all that the agent reports]
    #[arg(long, value_name = "N")]
    cpu_threads: Option<u32>,
    /// Memory to give to pods, such as 120G [default: all that the agent reports]
    #[arg(long, value_name = "SIZE", value_parser = humane::parse_mib)]
    memory: Option<u64>,
    /// The most pods [default: no limit]
    #[arg(long, value_name = "N")]
    pod_limit: Option<u32>,
    /// The storage that backups of its pods go to [default: each request names one]
    #[arg(long, value_name = "NAME")]
    backup_storage: Option<String>,
    /// Wait until its agent is connected
    #[arg(long)]
    pub wait: bool,
    /// Wait no longer than this
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humane::parse_duration)]
    pub timeout: Duration,
}

impl Add {
    /// As the API wants it.
    pub fn body(&self) -> Value {
        object([
            ("name", self.name.clone().into()),
            ("region", self.region.clone().into()),
            ("labels", labels(&self.labels)),
            ("bridge", self.bridge.clone().into()),
            ("vmid_min", self.vmid_range.map(|(min, _)| min).into()),
            ("vmid_max", self.vmid_range.map(|(_, max)| max).into()),
            ("cpu_threads", self.cpu_threads.into()),
            ("cpu_overcommit", self.cpu_overcommit.into()),
            ("memory_mib", self.memory.into()),
            ("pod_limit", self.pod_limit.into()),
            ("backup_storage", self.backup_storage.clone().into()),
            ("storages", self.storages.iter().map(Storage::body).collect()),
        ])
    }
}

/// A change of a host's record.
#[derive(Args)]
pub struct Edit {
    /// Name or id
    pub server: String,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// Another bridge for pods to come
    #[arg(long)]
    bridge: Option<String>,
    /// Another region
    #[arg(long)]
    region: Option<String>,
    /// Add or change a label; may be repeated
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
    /// Take a label away; may be repeated
    #[arg(long = "remove-label", value_name = "KEY")]
    remove_labels: Vec<String>,
    /// The VMIDs given to pods to come
    #[arg(long, value_name = "A-B", value_parser = parse_range)]
    vmid_range: Option<(u32, u32)>,
    /// Offer a storage, or change its limit; may be repeated
    #[arg(long = "storage", value_name = "NAME[:GIB]", value_parser = parse_storage)]
    storages: Vec<Storage>,
    /// Offer a storage no longer; what is on it stays; may be repeated
    #[arg(long = "remove-storage", value_name = "NAME")]
    remove_storages: Vec<String>,
    /// Virtual CPUs per hardware thread
    #[arg(long, value_name = "RATIO", value_parser = parse_ratio)]
    cpu_overcommit: Option<f64>,
    /// Hardware threads to count with; `none`: all that the agent reports
    #[arg(long, value_name = "N|none", value_parser = parse_number_limit)]
    cpu_threads: Option<LimitTo>,
    /// Memory to give to pods, such as 120G; `none`: all that the agent reports
    #[arg(long, value_name = "SIZE|none", value_parser = parse_memory_limit)]
    memory: Option<LimitTo>,
    /// The most pods; `none`: no limit
    #[arg(long, value_name = "N|none", value_parser = parse_number_limit)]
    pod_limit: Option<LimitTo>,
    /// The storage that backups of its pods go to; `none`: each request names one
    #[arg(long, value_name = "NAME|none")]
    backup_storage: Option<String>,
}

impl Edit {
    /// The change of `present`, as the API wants it.
    pub fn body(&self, present: &Value) -> Result<Value> {
        let mut body = object([
            ("name", self.name.clone().into()),
            ("region", self.region.clone().into()),
            ("bridge", self.bridge.clone().into()),
            ("vmid_min", self.vmid_range.map(|(min, _)| min).into()),
            ("vmid_max", self.vmid_range.map(|(_, max)| max).into()),
            ("cpu_overcommit", self.cpu_overcommit.into()),
        ]);
        if let Some(storage) = &self.backup_storage {
            body["backup_storage"] = if storage == "none" { Value::Null } else { storage.clone().into() };
        }
        for (name, limit) in
            [("cpu_threads", self.cpu_threads), ("memory_mib", self.memory), ("pod_limit", self.pod_limit)]
        {
            if let Some(LimitTo(limit)) = limit {
                // A null takes the limit away, so it is sent.
                body[name] = limit.into();
            }
        }
        if !self.labels.is_empty() || !self.remove_labels.is_empty() {
            body["labels"] = self.labels_of(present)?;
        }
        if !self.storages.is_empty() || !self.remove_storages.is_empty() {
            body["storages"] = self.storages_of(present)?;
        }
        if body.as_object().is_some_and(serde_json::Map::is_empty) {
            return Err(Failure::usage("nothing to change: name at least one option"));
        }
        Ok(body)
    }

    fn labels_of(&self, present: &Value) -> Result<Value> {
        let mut labels = present["labels"].as_object().cloned().unwrap_or_default();
        for key in &self.remove_labels {
            labels
                .remove(key)
                .ok_or_else(|| Failure::usage(format!("--remove-label: {} has no label {key}", self.server)))?;
        }
        labels.extend(self.labels.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))));
        Ok(labels.into())
    }

    fn storages_of(&self, present: &Value) -> Result<Value> {
        let offered = present["storages"].as_array().into_iter().flatten().filter(|storage| storage["offered"] == true);
        let mut storages: Vec<Value> =
            offered.map(|storage| json!({ "name": storage["name"], "disk_gib": storage["disk_gib"] })).collect();
        for name in &self.remove_storages {
            let place = storages.iter().position(|storage| storage["name"] == name.as_str());
            let place = place
                .ok_or_else(|| Failure::usage(format!("--remove-storage: {} does not offer {name}", self.server)))?;
            storages.remove(place);
        }
        for storage in &self.storages {
            storages.retain(|other| other["name"] != storage.name.as_str());
            storages.push(storage.body());
        }
        Ok(storages.into())
    }
}

/// A storage to be offered.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Storage {
    name: String,
    disk_gib: Option<u64>,
}

impl Storage {
    fn body(&self) -> Value {
        object([("name", self.name.clone().into()), ("disk_gib", self.disk_gib.into())])
    }
}

/// A limit, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LimitTo(Option<u64>);

fn parse_storage(text: &str) -> Result<Storage, String> {
    let (name, gib) = text.split_once(':').map_or((text, None), |(name, gib)| (name, Some(gib)));
    if name.is_empty() {
        return Err(format!("`{text}` names no storage: write local-lvm or local-lvm:500"));
    }
    Ok(Storage { name: name.to_owned(), disk_gib: gib.map(humane::parse_gib).transpose()? })
}

fn parse_range(text: &str) -> Result<(u32, u32), String> {
    let range = text.split_once('-').and_then(|(min, max)| Some((min.trim().parse().ok()?, max.trim().parse().ok()?)));
    range.ok_or_else(|| format!("`{text}` is no range: write 10000-19999"))
}

/// JSON has no other numbers than finite ones: NaN would be sent as if nothing had been given.
fn parse_ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse::<f64>().ok().filter(|ratio| ratio.is_finite());
    ratio.ok_or_else(|| format!("`{text}` is no ratio: write 4 or 1.5"))
}

fn parse_number_limit(text: &str) -> Result<LimitTo, String> {
    if text == "none" {
        return Ok(LimitTo(None));
    }
    text.parse()
        .map(|number| LimitTo(Some(number)))
        .map_err(|_| format!("`{text}` is neither a whole number nor `none`"))
}

fn parse_memory_limit(text: &str) -> Result<LimitTo, String> {
    if text == "none" { Ok(LimitTo(None)) } else { humane::parse_mib(text).map(|mib| LimitTo(Some(mib))) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Adds {
        #[command(flatten)]
        add: Add,
    }

    #[derive(Parser)]
    struct Edits {
        #[command(flatten)]
        edit: Edit,
    }

    #[test]
    fn a_host_is_registered_with_what_was_given_and_no_more() {
        let line = "x pve1 --vmid-range 10000-19999 --storage local:200 --storage lvm --label a=b --memory 64G --cpu-overcommit 4 --backup-storage pbs";
        let body = Adds::parse_from(line.split(' ')).add.body();
        let expected = json!({
            "name": "pve1", "vmid_min": 10000, "vmid_max": 19999, "labels": { "a": "b" }, "memory_mib": 65536,
            "cpu_overcommit": 4.0, "backup_storage": "pbs", "storages": [{ "name": "local", "disk_gib": 200 }, { "name": "lvm" }],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let present = json!({
            "labels": { "a": "1", "b": "2" },
            "storages": [
                { "name": "local", "offered": true, "disk_gib": 100 },
                { "name": "lvm", "offered": true, "disk_gib": null },
                { "name": "iso", "offered": false, "disk_gib": null },
            ],
        });
        let edit = |line: &str| Edits::parse_from(line.split(' ')).edit.body(&present);
        assert_eq!(edit("x pve1 --label c=3 --remove-label a").unwrap(), json!({ "labels": { "b": "2", "c": "3" } }));
        assert_eq!(
            edit("x pve1 --storage local:50 --remove-storage lvm").unwrap(),
            json!({ "storages": [{ "name": "local", "disk_gib": 50 }] })
        );
        assert_eq!(edit("x pve1 --memory none --pod-limit 5").unwrap(), json!({ "memory_mib": null, "pod_limit": 5 }));
        for line in ["x pve1", "x pve1 --remove-label z", "x pve1 --remove-storage iso"] {
            assert!(matches!(edit(line), Err(Failure::Usage(_))), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for text in ["10000", "a-b", "-5", "1-"] {
            assert!(parse_range(text).is_err(), "{text}");
        }
        assert!(parse_storage(":5").is_err());
        assert!(parse_storage("local:x").is_err());
        assert!(parse_number_limit("some").is_err());
        assert_eq!(parse_ratio("1.5"), Ok(1.5));
        for text in ["nan", "NaN", "inf", "-infinity", "1e999", "x", ""] {
            assert!(parse_ratio(text).is_err(), "{text}");
        }
    }
}
