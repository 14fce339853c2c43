//! `mpanel backup`: copies of pods on another storage.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::common::{Confirm, Context, Limit, Wait, object, only, parse_id, text};
use super::failure::{Failure, Result};
use super::humane::{mib, parse_duration, when};
use super::output::{document, line};
use super::pod;
use super::table::Table;
use crate::clock::Clock;

const BACKUPS: [&str; 3] = ["admin", "hosting", "backups"];

/// The newest that is ready.
const LATEST: &str = "latest";

/// Copies of pods on another storage, and when they are made by themselves.
#[derive(Subcommand)]
pub enum Command {
    /// Make a backup of a pod
    #[command(after_help = "Example:\n  mpanel backup make web-1 --note 'before the move' --protect --wait")]
    Make(Box<Make>),
    /// List backups: all, or a pod's; those of pods that are gone are among them
    #[command(after_help = "Example:\n  mpanel backup list web-1")]
    List {
        /// The pod: name or id
        pod: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Take a pod back to a backup; what it was since is lost
    #[command(after_help = "Example:\n  mpanel backup restore web-1 latest --yes --wait")]
    Restore {
        #[command(flatten)]
        one: One,
        /// For a pod whose host was declared lost: only on this server, by name or id
        #[arg(long)]
        server: Option<String>,
        #[command(flatten)]
        confirm: Confirm,
        #[command(flatten)]
        wait: Wait,
    },
    /// Make a new pod of a backup; the pod that it is of may be gone
    #[command(after_help = "Example:\n  mpanel backup recreate web-1 latest web-2 --wait")]
    Recreate(Box<Recreate>),
    /// Delete a backup that is not protected
    #[command(after_help = "Example:\n  mpanel backup delete web-1 0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10 --yes --wait")]
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        confirm: Confirm,
        #[command(flatten)]
        wait: Wait,
    },
    /// Keep a backup until it is unprotected
    #[command(after_help = "Example:\n  mpanel backup protect web-1 latest")]
    Protect(One),
    /// Let a backup be pruned and deleted again
    #[command(after_help = "Example:\n  mpanel backup unprotect web-1 latest")]
    Unprotect(One),
    /// Show or change when backups of a pod are made by themselves, and how long they are kept
    #[command(after_help = "Example:\n  mpanel backup policy web-1 --every 24h --keep-last 7")]
    Policy(Box<Policy>),
}

/// One backup.
#[derive(Args)]
pub struct One {
    /// The pod, which may be gone: name or id
    pod: String,
    /// The backup's id, or `latest`
    #[arg(value_parser = parse_backup)]
    backup: String,
}

/// A pod to be made of a backup.
#[derive(Args)]
pub struct Recreate {
    #[command(flatten)]
    one: One,
    /// The new pod's name, a DNS label such as web-2
    name: String,
    /// Another size: name or id of a plan [default: that of the pod that the backup is of]
    #[arg(long)]
    plan: Option<String>,
    /// The image that its record names: name or id [default: likewise]
    #[arg(long)]
    image: Option<String>,
    /// Only on this server: name or id
    #[arg(long)]
    server: Option<String>,
    /// Only on this storage
    #[arg(long)]
    storage: Option<String>,
    /// An address from this pool: name or id; may be repeated [default: from the pools of the region]
    #[arg(long = "ip-pool", value_name = "POOL")]
    ip_pools: Vec<String>,
    #[command(flatten)]
    wait: Wait,
}

/// A backup to be made.
#[derive(Args)]
pub struct Make {
    /// The pod: name or id
    pod: String,
    /// Where to [default: the server's backup storage]
    #[arg(long)]
    storage: Option<String>,
    /// How consistent, against how much the guest notices [default: snapshot]
    #[arg(long, value_parser = ["snapshot", "suspend", "stop"])]
    mode: Option<String>,
    /// What it is for
    #[arg(long)]
    note: Option<String>,
    /// Never prune it
    #[arg(long)]
    protect: bool,
    /// Prune it after so many days [default: as the pod's policy says]
    #[arg(long, value_name = "DAYS", conflicts_with = "protect")]
    keep_days: Option<u32>,
    #[command(flatten)]
    wait: Wait,
}

/// A policy, shown where nothing of it is changed.
#[derive(Args)]
pub struct Policy {
    /// The pod: name or id
    pod: String,
    /// Make one so often, in whole hours
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with = "never")]
    every: Option<Duration>,
    /// Make none by themselves
    #[arg(long)]
    never: bool,
    /// Where to
    #[arg(long)]
    storage: Option<String>,
    /// How consistent
    #[arg(long, value_parser = ["snapshot", "suspend", "stop"])]
    mode: Option<String>,
    /// Keep the newest so many; 0: do not keep by number
    #[arg(long, value_name = "N")]
    keep_last: Option<u32>,
    /// Keep those younger than so many days; 0: do not keep by age
    #[arg(long, value_name = "DAYS")]
    keep_days: Option<u32>,
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Make(make) => make.run(context).await,
            Self::List { pod: None, limit } => {
                let page = context.client.list(&BACKUPS, &[], limit.limit as usize).await?;
                context.list(&page, "id", list_table)
            }
            Self::List { pod: Some(pod), limit } => {
                let id = pod_id(context, &pod).await?;
                let page = context.client.list(&pod::path(&id, &["backups"]), &[], limit.limit as usize).await?;
                context.list(&page, "id", list_table)
            }
            Self::Restore { one, server, confirm, wait } => {
                let (pod, backup) = one.ids(context).await?;
                confirm.ask(&format!("Take {} back to the backup {backup}? What it was since is lost.", one.pod))?;
                let body = object([("server", server.into())]);
                let path = pod::path(&pod, &["backups", &backup, "restore"]);
                let answer = context.client.post(&path, Some(&body)).await?;
                context.job(&answer.body, &wait, &format!("restore of {}", one.pod)).await
            }
            Self::Recreate(recreate) => recreate.run(context).await,
            Self::Delete { one, confirm, wait } => {
                let (pod, backup) = one.ids(context).await?;
                confirm.ask(&format!("Delete the backup {backup} of {}?", one.pod))?;
                let answer = context.client.delete(&pod::path(&pod, &["backups", &backup])).await?;
                context.job(&answer.body, &wait, &format!("the backup {backup} is being deleted")).await
            }
            Self::Protect(one) => protect(context, &one, true).await,
            Self::Unprotect(one) => protect(context, &one, false).await,
            Self::Policy(policy) => policy.run(context).await,
        }
    }
}

fn parse_backup(text: &str) -> Result<String, String> {
    if text == LATEST { Ok(text.to_owned()) } else { parse_id(text).map_err(|why| format!("{why}, or say `{LATEST}`")) }
}

/// The id of a pod that is given by name or id; of one that is gone, as its backups know it.
async fn pod_id(context: &Context, given: &str) -> Result<String> {
    match pod::id_of(context, given).await {
        Err(Failure::Problem(problem)) if problem.status == 404 => {}
        found => return found,
    }
    let page = context.client.list(&BACKUPS, &[], usize::MAX).await?;
    let pods = page["items"].as_array().into_iter().flatten().map(|backup| &backup["cloudpod"]);
    only("pod", given, pods.filter(|pod| pod["name"] == given).map(|pod| text(&pod["id"])))
}

impl One {
    async fn ids(&self, context: &Context) -> Result<(String, String)> {
        let pod = pod_id(context, &self.pod).await?;
        if self.backup != LATEST {
            return Ok((pod, self.backup.clone()));
        }
        let page = context.client.list(&pod::path(&pod, &["backups"]), &[], 1000).await?;
        let mut ready = page["items"].as_array().into_iter().flatten().filter(|backup| backup["state"] == "ready");
        match ready.next() {
            Some(newest) => Ok((pod, text(&newest["id"]))),
            None => Err(Failure::usage(format!("{} has no backup that is ready", self.pod))),
        }
    }
}

impl Make {
    async fn run(self, context: &Context) -> Result<()> {
        let id = pod::id_of(context, &self.pod).await?;
        let body = object([
            ("storage", self.storage.into()),
            ("mode", self.mode.into()),
            ("note", self.note.into()),
            ("protected", if self.protect { true.into() } else { Value::Null }),
            ("keep_days", self.keep_days.into()),
        ]);
        let answer = context.client.post(&pod::path(&id, &["backups"]), Some(&body)).await?;
        context.job(&answer.body, &self.wait, &format!("backup of {}", self.pod)).await
    }
}

impl Recreate {
    async fn run(self, context: &Context) -> Result<()> {
        let (_, backup) = self.one.ids(context).await?;
        let placement = object([("server", self.server.into()), ("storage", self.storage.into())]);
        let body = object([
            ("name", self.name.clone().into()),
            ("plan", self.plan.into()),
            ("image", self.image.into()),
            ("placement", placement),
            ("ip_pools", self.ip_pools.into()),
        ]);
        let path = [&BACKUPS[..], &[&backup, "recreate"]].concat();
        let answer = context.client.post(&path, Some(&body)).await?;
        context.job(&answer.body, &self.wait, &format!("{} is being made of the backup {backup}", self.name)).await
    }
}

async fn protect(context: &Context, one: &One, protected: bool) -> Result<()> {
    let (pod, backup) = one.ids(context).await?;
    let body = object([("protected", protected.into())]);
    let answer = context.client.patch(&pod::path(&pod, &["backups", &backup]), &body, None).await?;
    if context.out.json {
        return document(&answer.body);
    }
    line(format!("the backup {backup} is {}", if protected { "protected" } else { "not protected any more" }))
}

impl Policy {
    fn body(&self) -> Result<serde_json::Map<String, Value>> {
        let mut body = serde_json::Map::new();
        if let Some(every) = self.every {
            let hours = every.as_secs() / 3600;
            if hours == 0 || hours * 3600 != every.as_secs() {
                return Err(Failure::usage("--every: backups are made every so many whole hours, such as 24h"));
            }
            body.insert("every_hours".into(), hours.into());
        }
        if self.never {
            body.insert("every_hours".into(), Value::Null);
        }
        for (name, value) in [("storage", &self.storage), ("mode", &self.mode)] {
            if let Some(value) = value {
                body.insert(name.into(), value.clone().into());
            }
        }
        for (name, value) in [("keep_last", self.keep_last), ("keep_days", self.keep_days)] {
            if let Some(value) = value {
                body.insert(name.into(), if value == 0 { Value::Null } else { value.into() });
            }
        }
        Ok(body)
    }

    async fn run(self, context: &Context) -> Result<()> {
        let id = pod::id_of(context, &self.pod).await?;
        let body = self.body()?;
        let path = pod::path(&id, &["backup-policy"]);
        let policy = if body.is_empty() {
            context.client.get(&path, &[]).await?.body
        } else {
            context.client.patch(&path, &Value::Object(body), None).await?.body
        };
        if context.out.json {
            return document(&policy);
        }
        let mut table = Table::fields();
        let or = |value: &Value, none: &str| if value.is_null() { none.to_owned() } else { text(value) };
        table.field(
            "Every",
            or(&policy["every_hours"], "never by itself") + if policy["every_hours"].is_null() { "" } else { " h" },
        );
        table.field("Next", when(&policy["next_at"], Clock::system().now()));
        table.field("Storage", or(&policy["storage"], "the server's backup storage"));
        table.field("Mode", text(&policy["mode"]));
        let (last, days) = (&policy["keep_last"], &policy["keep_days"]);
        let kept = match (last.is_null(), days.is_null()) {
            (true, true) => "all".to_owned(),
            (false, true) => format!("the newest {last}"),
            (true, false) => format!("those of the last {days} days"),
            (false, false) => format!("the newest {last}, and those of the last {days} days"),
        };
        table.field("Kept", kept);
        context.out.table(&table)
    }
}

fn list_table(backups: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["ID", "POD", "STATE", "SIZE", "SERVER", "STORAGE", "KEPT", "CREATED", "NOTE"]);
    for backup in backups {
        let kept = match (backup["protected"] == true, when(&backup["kept_until"], now)) {
            (true, _) => "protected".to_owned(),
            (false, until) if until.is_empty() => "by policy".to_owned(),
            (false, until) => format!("until {until}"),
        };
        table.row([
            text(&backup["id"]),
            text(&backup["cloudpod"]),
            text(&backup["state"]),
            backup["size_bytes"].as_u64().map_or_else(String::new, |bytes| mib(&(bytes >> 20).into())),
            text(&backup["server"]),
            text(&backup["storage"]),
            kept,
            when(&backup["created_at"], now),
            text(&backup["note"]),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Policies {
        #[command(flatten)]
        policy: Policy,
    }

    #[test]
    fn a_policy_is_changed_only_where_something_was_given() {
        let body = |line: &str| Policies::parse_from(line.split(' ')).policy.body().map(Value::Object);
        assert_eq!(body("x web-1").unwrap(), json!({}));
        assert_eq!(
            body("x web-1 --every 24h --keep-last 7 --keep-days 0").unwrap(),
            json!({ "every_hours": 24, "keep_last": 7, "keep_days": null })
        );
        assert_eq!(body("x web-1 --never --mode stop").unwrap(), json!({ "every_hours": null, "mode": "stop" }));
        assert!(matches!(body("x web-1 --every 90m"), Err(Failure::Usage(_))));
    }
}
