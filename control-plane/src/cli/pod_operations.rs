//! `mpanel pod …`: what is done to a pod beside its power.

use std::io::{BufRead as _, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::common::{Confirm, Context, Wait, object, text, texts};
use super::failure::{Failure, Result};
use super::humane::{parse_duration, parse_gib, parse_mib};
use super::output::{document, line};
use super::pod::{Act, act, id_of, keys_of, path};
use super::table::Table;

/// A file that holds more is no firewall.
const FIREWALL_BYTES_MAX: u64 = 1 << 20;
/// What is shown of a firewall and not set, so that what was shown can be given back.
const FIREWALL_SHOWN: [&str; 4] = ["version", "applied", "not_applied_because", "applied_at"];

/// What is done to a pod beside its power.
#[derive(Subcommand)]
pub enum Operation {
    /// Lock a pod against its customer and power it off
    #[command(after_help = "Example:\n  mpanel pod suspend web-1 --reason 'invoice 118 is overdue' --wait")]
    Suspend {
        /// Name or id
        pod: String,
        /// Why; shown with the pod
        #[arg(long)]
        reason: String,
        /// How long the guest gets to shut down before its power is cut, from 5s to 1h [default: 1m]
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        grace: Option<Duration>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Give a suspended pod back to its customer
    #[command(after_help = "Example:\n  mpanel pod unsuspend web-1 --wait")]
    Unsuspend(Act),
    /// Change a pod's size: to that of a plan or, for staff, by single figures
    #[command(after_help = "Example:\n  mpanel pod resize web-1 --plan large --restart --wait")]
    Resize(Resize),
    /// Make a pod anew from an image: all that is on its disk is lost, its addresses stay
    #[command(after_help = "Example:\n  mpanel pod rebuild web-1 --image debian-13 --yes --wait")]
    Rebuild {
        /// Name or id
        pod: String,
        /// What it is made from: name or id of an image
        #[arg(long)]
        image: String,
        /// A public SSH key, or @FILE with one a line; may be repeated [default: as before]
        #[arg(long = "ssh-key", value_name = "KEY|@FILE")]
        ssh_keys: Vec<String>,
        /// The user that the keys are for [default: as before, or the image's]
        #[arg(long)]
        user: Option<String>,
        #[command(flatten)]
        confirm: Confirm,
        #[command(flatten)]
        wait: Wait,
    },
    /// Set a user's password in a pod: one that is made up and shown once, or one from standard input
    #[command(after_help = "Example:\n  mpanel pod reset-password web-1 --wait")]
    ResetPassword {
        /// Name or id
        pod: String,
        /// Whose [default: the user's that cloud-init made]
        #[arg(long)]
        user: Option<String>,
        /// Read the password from standard input, its first line
        #[arg(long)]
        password_stdin: bool,
        /// Where no guest agent answers, set it by cloud-init and restart the pod
        #[arg(long)]
        reboot: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Replace a pod's SSH keys; they count from its next start on
    #[command(after_help = "Example:\n  mpanel pod ssh-keys web-1 --ssh-key @~/.ssh/id_ed25519.pub --reboot --wait")]
    SshKeys {
        /// Name or id
        pod: String,
        /// A public SSH key, or @FILE with one a line; may be repeated
        #[arg(long = "ssh-key", value_name = "KEY|@FILE", required_unless_present = "none", conflicts_with = "none")]
        ssh_keys: Vec<String>,
        /// Take all keys away
        #[arg(long)]
        none: bool,
        /// Restart it, so that they count at once
        #[arg(long)]
        reboot: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Put a CD into a pod's drive; without --iso, take it out
    #[command(after_help = "Example:\n  mpanel pod media web-1 --iso local:iso/debian-13.iso --boot-from-cd --wait")]
    Media {
        /// Name or id
        pod: String,
        /// An ISO image on its host, such as local:iso/debian-13.iso
        #[arg(long)]
        iso: Option<String>,
        /// Boot from it before the disk
        #[arg(long, requires = "iso")]
        boot_from_cd: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Restart a pod from a rescue CD
    #[command(after_help = "Example:\n  mpanel pod rescue web-1 --iso local:iso/rescue.iso --wait")]
    Rescue {
        /// Name or id
        pod: String,
        /// An ISO image on its host
        #[arg(long)]
        iso: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Restart a pod that is being rescued from its disk
    #[command(after_help = "Example:\n  mpanel pod unrescue web-1 --wait")]
    Unrescue(Act),
    /// Show a pod's firewall, or set it from a file
    #[command(after_help = "Example:\n  mpanel pod firewall web-1 --set rules.json --wait")]
    Firewall {
        /// Name or id
        pod: String,
        /// The whole firewall as JSON, as --json shows it; `-` reads standard input. One rule: {"direction": "in", "action":
        /// "accept", "protocol": "tcp", "destination_ports": "443"}
        #[arg(long, value_name = "FILE")]
        set: Option<PathBuf>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Show what a pod received and sent, by month
    #[command(after_help = "Example:\n  mpanel pod traffic web-1 --months 3")]
    Traffic {
        /// Name or id
        pod: String,
        /// How many months
        #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=36))]
        months: u32,
    },
}

/// A new size.
#[derive(Args)]
pub struct Resize {
    /// Name or id
    pod: String,
    /// The size of this plan: name or id
    #[arg(long, conflicts_with_all = ["vcpu", "memory", "disk"])]
    plan: Option<String>,
    /// Virtual CPUs
    #[arg(long, value_name = "N")]
    vcpu: Option<u32>,
    /// Memory, such as 512M or 4G
    #[arg(long, value_name = "SIZE", value_parser = parse_mib)]
    memory: Option<u64>,
    /// Disk; a bare number is GiB; it only grows
    #[arg(long, value_name = "SIZE", value_parser = parse_gib)]
    disk: Option<u64>,
    /// Restart it, if the new size needs that
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    wait: Wait,
}

/// What is only said when it is so.
fn flag(set: bool) -> Value {
    if set { true.into() } else { Value::Null }
}

impl Operation {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Suspend { pod, reason, grace, wait } => {
                let timeout_s = grace.map(|grace| grace.as_secs()).into();
                let body = object([("reason", reason.into()), ("timeout_s", timeout_s)]);
                act(context, &pod, "suspend", Some(body), &wait).await
            }
            Self::Unsuspend(Act { pod, wait }) => act(context, &pod, "unsuspend", None, &wait).await,
            Self::Resize(Resize { pod, plan, vcpu, memory, disk, restart, wait }) => {
                let body = object([
                    ("plan", plan.into()),
                    ("vcpu", vcpu.into()),
                    ("memory_mib", memory.into()),
                    ("disk_gib", disk.into()),
                    ("restart", flag(restart)),
                ]);
                act(context, &pod, "resize", Some(body), &wait).await
            }
            Self::Rebuild { pod, image, ssh_keys, user, confirm, wait } => {
                let body = object([
                    ("image", image.into()),
                    ("ssh_keys", texts(&all_keys(&ssh_keys)?)),
                    ("user", user.into()),
                ]);
                confirm.ask(&format!("Rebuild the pod {pod}? All that is on its disk and its snapshots are lost."))?;
                act(context, &pod, "rebuild", Some(body), &wait).await
            }
            Self::ResetPassword { pod, user, password_stdin, reboot, wait } => {
                let password = if password_stdin { first_line()?.into() } else { Value::Null };
                let body = object([("user", user.into()), ("password", password), ("reboot", flag(reboot))]);
                reset_password(context, &pod, &body, &wait).await
            }
            Self::SshKeys { pod, ssh_keys, none: _, reboot, wait } => {
                let body = object([("ssh_keys", all_keys(&ssh_keys)?.into()), ("reboot", flag(reboot))]);
                let id = id_of(context, &pod).await?;
                let answer = context.client.put(&path(&id, &["ssh-keys"]), &body, None).await?;
                context.job(&answer.body, &wait, &format!("SSH keys of {pod}")).await
            }
            Self::Media { pod, iso, boot_from_cd, wait } => {
                let body = object([("iso", iso.into()), ("boot_from_cd", flag(boot_from_cd))]);
                act(context, &pod, "media", Some(body), &wait).await
            }
            Self::Rescue { pod, iso, wait } => {
                act(context, &pod, "rescue", Some(object([("iso", iso.into())])), &wait).await
            }
            Self::Firewall { pod, set: None, wait: _ } => firewall_show(context, &pod).await,
            Self::Firewall { pod, set: Some(file), wait } => {
                let body = firewall_read(&file)?;
                let id = id_of(context, &pod).await?;
                let answer = context.client.put(&path(&id, &["firewall"]), &body, None).await?;
                context.job(&answer.body, &wait, &format!("firewall of {pod}")).await
            }
            Self::Traffic { pod, months } => traffic_show(context, &pod, months).await,
            Self::Unrescue(Act { pod, wait }) => act(context, &pod, "unrescue", None, &wait).await,
        }
    }
}

fn all_keys(given: &[String]) -> Result<Vec<String>> {
    let mut keys = Vec::new();
    for key in given {
        keys.extend(keys_of(key)?);
    }
    Ok(keys)
}

/// The first line of standard input, without its end.
fn first_line() -> Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::usage("--password-stdin: standard input holds no password"));
    }
    Ok(password.to_owned())
}

async fn reset_password(context: &Context, pod: &str, body: &Value, wait: &Wait) -> Result<()> {
    let id = id_of(context, pod).await?;
    let answer = context.client.post(&path(&id, &["reset-password"]), Some(body)).await?.body;
    let told = || match (context.out.json, answer["password"].as_str()) {
        (false, Some(password)) => line(format!("password of {}: {password}", text(&answer["user"]))),
        _ => Ok(()),
    };
    // It is told once: before anything else may fail.
    if !wait.wait {
        told()?;
        if answer["password"].is_string() {
            context.out.note("it counts once the job has succeeded");
        }
    } else if context.out.json {
        document(&answer)?;
    }
    let done = context.job(&answer, wait, &format!("password of {pod}")).await;
    // A job that failed has set none; whatever else ended the wait, the job may still set it.
    if wait.wait && !matches!(done, Err(Failure::Failed(_))) {
        told()?;
    }
    done
}

/// A firewall as the API takes it, from a file or from standard input.
fn firewall_read(file: &Path) -> Result<Value> {
    let wrong = |why: String| Failure::usage(format!("--set: {}: {why}", file.display()));
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(FIREWALL_BYTES_MAX).read_to_string(&mut text)
    } else {
        let opened = std::fs::File::open(file).map_err(|error| wrong(error.to_string()))?;
        opened.take(FIREWALL_BYTES_MAX).read_to_string(&mut text)
    };
    read.map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map(settable).map_err(|error| wrong(format!("is no JSON: {error}")))
}

/// What can be set of what is shown of a firewall.
fn settable(mut firewall: Value) -> Value {
    if let Some(fields) = firewall.as_object_mut() {
        fields.retain(|name, _| !FIREWALL_SHOWN.contains(&name.as_str()));
    }
    firewall
}

async fn firewall_show(context: &Context, pod: &str) -> Result<()> {
    let id = id_of(context, pod).await?;
    let firewall = context.client.get(&path(&id, &["firewall"]), &[]).await?.body;
    if context.out.json {
        return document(&firewall);
    }
    let mut fields = Table::fields();
    fields.field("Inbound", text(&firewall["policy_in"]));
    fields.field("Outbound", text(&firewall["policy_out"]));
    fields.field("MAC filter", text(&firewall["mac_filter"]));
    fields.field("IP filter", text(&firewall["ip_filter"]));
    let lack = &firewall["not_applied_because"];
    fields.field("In effect", if lack.is_null() { "yes".to_owned() } else { format!("no: {}", text(lack)) });
    context.out.table(&fields)?;
    let mut table = Table::new(&["DIRECTION", "ACTION", "PROTOCOL", "FROM", "TO", "PORTS", "COMMENT"]);
    for rule in firewall["rules"].as_array().into_iter().flatten() {
        table.row([
            text(&rule["direction"]),
            text(&rule["action"]),
            text(&rule["protocol"]),
            [text(&rule["source"]), text(&rule["source_ports"])].join(" ").trim().to_owned(),
            text(&rule["destination"]),
            text(&rule["destination_ports"]),
            text(&rule["comment"]),
        ]);
    }
    context.out.table(&table)
}

async fn traffic_show(context: &Context, pod: &str, months: u32) -> Result<()> {
    let id = id_of(context, pod).await?;
    let traffic = context.client.get(&path(&id, &["traffic"]), &[("months", months.to_string())]).await?.body;
    if context.out.json {
        return document(&traffic);
    }
    let mut table = Table::new(&["MONTH", "RECEIVED", "SENT"]);
    for month in traffic["months"].as_array().into_iter().flatten() {
        table.row([text(&month["month"]), in_gib(&month["in_bytes"]), in_gib(&month["out_bytes"])]);
    }
    context.out.table(&table)?;
    let limit = match traffic["limit_gib"].as_u64() {
        Some(limit) => format!("of {limit} GiB"),
        None => "without a limit".to_owned(),
    };
    line(format!("{} used in {}, {limit}", in_gib(&traffic["used_bytes"]), text(&traffic["month"])))
}

/// Bytes in GiB, to the hundredth.
fn in_gib(bytes: &Value) -> String {
    let hundredths = bytes.as_u64().unwrap_or(0) / ((1 << 30) / 100);
    format!("{}.{:02} GiB", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_firewall_can_be_given_back_as_it_was_shown() {
        let shown = json!({
            "policy_in": "drop", "rules": [{ "direction": "in", "action": "accept" }], "version": 3, "applied": true,
            "not_applied_because": null, "applied_at": "2026-01-01T00:00:00Z",
        });
        let set = json!({ "policy_in": "drop", "rules": [{ "direction": "in", "action": "accept" }] });
        assert_eq!(settable(shown), set);
        assert_eq!(settable(json!({ "polcy": 1 })), json!({ "polcy": 1 }), "a mistake is the API's to name");
    }
}
