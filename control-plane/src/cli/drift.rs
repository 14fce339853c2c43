//! `mpanel drift`: what hosts show against what is wanted.

use clap::Subcommand;
use serde_json::{Value, json};

use super::common::{Confirm, Context, Limit, Wait, parse_id, text};
use super::failure::Result;
use super::humane::when;
use super::output::document;
use super::table::Table;
use super::{pod, server};
use crate::clock::Clock;

const DRIFT: [&str; 2] = ["platform", "drift"];

/// What hosts show against what is wanted.
#[derive(Subcommand)]
pub enum Command {
    /// List what differs, newest first
    #[command(after_help = "Example:\n  mpanel drift list --kind orphan")]
    List {
        /// Only of this kind
        #[arg(long, value_parser = ["vm_missing", "power", "size", "moved", "renamed", "autostart", "network", "firewall", "locked",
                                           "duplicate", "orphan"])]
        kind: Option<String>,
        /// Only on this server: name or id
        #[arg(long)]
        server: Option<String>,
        /// Only of this pod: name or id
        #[arg(long)]
        pod: Option<String>,
        /// What is over instead of what is open
        #[arg(long)]
        closed: bool,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a difference and what can be done about it
    #[command(after_help = "Example:\n  mpanel drift show 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01")]
    Show {
        /// Its id
        #[arg(value_parser = parse_id)]
        drift: String,
    },
    /// Put the pod back as it is wanted: start or stop it, or have it start with its host or not
    #[command(after_help = "Example:\n  mpanel drift heal 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01 --wait")]
    Heal {
        /// Its id
        #[arg(value_parser = parse_id)]
        drift: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Make what is seen what is wanted
    #[command(after_help = "Example:\n  mpanel drift accept 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01 --wait")]
    Accept {
        /// Its id
        #[arg(value_parser = parse_id)]
        drift: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Take our stamp off an orphan, or off a second VM of a pod, and leave the VM as it is
    #[command(
        after_help = "Example:\n  mpanel drift release 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01 --confirm pve1/10012 --yes"
    )]
    Release {
        /// Its id
        #[arg(value_parser = parse_id)]
        drift: String,
        /// The VM, typed: SERVER/VMID
        #[arg(long, value_name = "SERVER/VMID")]
        confirm: String,
        #[command(flatten)]
        ask: Confirm,
        #[command(flatten)]
        wait: Wait,
    },
    /// Remove an orphan, or a second VM of a pod, for good
    #[command(
        after_help = "Example:\n  mpanel drift destroy 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01 --confirm pve1/10012 --yes"
    )]
    Destroy {
        /// Its id
        #[arg(value_parser = parse_id)]
        drift: String,
        /// The VM, typed: SERVER/VMID
        #[arg(long, value_name = "SERVER/VMID")]
        confirm: String,
        #[command(flatten)]
        ask: Confirm,
        #[command(flatten)]
        wait: Wait,
    },
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List { kind, server, pod, closed, limit } => {
                let mut filter = Vec::new();
                filter.extend(kind.map(|kind| ("kind", kind)));
                if let Some(server) = server {
                    filter.push(("server_id", server::id_of(context, &server).await?));
                }
                if let Some(pod) = pod {
                    filter.push(("cloudpod_id", pod::id_of(context, &pod).await?));
                }
                filter.push(("closed", closed.to_string()));
                let page = context.client.list(&DRIFT, &filter, limit.limit as usize).await?;
                context.list(&page, "id", list_table)
            }
            Self::Show { drift } => {
                let drift = context.client.get(&path(&drift, &[]), &[]).await?.body;
                show(context, &drift)
            }
            Self::Heal { drift, wait } => {
                let answer = context.client.post(&path(&drift, &["heal"]), None).await?.body;
                context.job(&answer, &wait, "the pod is put back as it is wanted").await
            }
            Self::Accept { drift, wait } => {
                let answer = context.client.post(&path(&drift, &["accept"]), None).await?.body;
                if answer["job"].is_object() {
                    return context.job(&answer, &wait, "the hosts are asked to confirm it").await;
                }
                if context.out.json {
                    return document(&answer);
                }
                context.out.note("what is seen is wanted from now on");
                Ok(())
            }
            Self::Release { drift, confirm, ask, wait } => {
                ask.ask(&format!("Let go of the VM {confirm}, so that mPanel knows nothing of it any more?"))?;
                let body = json!({ "confirm": confirm });
                let answer = context.client.post(&path(&drift, &["release"]), Some(&body)).await?.body;
                context.job(&answer, &wait, "our stamp is taken off the VM").await
            }
            Self::Destroy { drift, confirm, ask, wait } => {
                ask.ask(&format!("Destroy the VM {confirm} and its disks for good?"))?;
                let body = json!({ "confirm": confirm });
                let answer = context.client.post(&path(&drift, &["destroy"]), Some(&body)).await?.body;
                context.job(&answer, &wait, "the VM is destroyed").await
            }
        }
    }
}

fn path<'a>(drift: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&DRIFT, [drift].as_slice(), rest].concat()
}

fn list_table(drifts: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["ID", "KIND", "POD", "SERVER", "VMID", "SINCE", "EXPECTED", "SEEN"]);
    for drift in drifts {
        let settling = if drift["settling"] == true { " (settling)" } else { "" };
        let pod = &drift["cloudpod"];
        table.row([
            text(&drift["id"]),
            format!("{}{settling}", text(&drift["kind"])),
            if pod["name"].is_string() { text(&pod["name"]) } else { text(&pod["id"]) },
            text(&drift["server"]),
            text(&drift["vmid"]),
            when(&drift["since"], now),
            pairs(&drift["expected"]),
            pairs(&drift["seen"]),
        ]);
    }
    table
}

/// An object with a field `name` is no thing of that name here.
fn pairs(object: &Value) -> String {
    let pairs = object.as_object().into_iter().flatten().map(|(name, value)| format!("{name}={}", text(value)));
    pairs.collect::<Vec<_>>().join(", ")
}

fn show(context: &Context, drift: &Value) -> Result<()> {
    if context.out.json {
        return document(drift);
    }
    let now = Clock::system().now();
    let mut table = Table::fields();
    table.field("Id", text(&drift["id"]));
    table.field("Kind", text(&drift["kind"]));
    table.field("Pod", format!("{} {}", text(&drift["cloudpod"]["name"]), text(&drift["cloudpod"]["id"])));
    table.field("Server", text(&drift["server"]));
    table.field("VMID", text(&drift["vmid"]));
    table.field("Since", when(&drift["since"], now));
    table.field("Last seen", when(&drift["last_seen"], now));
    table.field("Over", when(&drift["closed_at"], now));
    table.field("Expected", pairs(&drift["expected"]));
    table.field("Seen", pairs(&drift["seen"]));
    table.field("Tries", text(&drift["heal_tries"]));
    table.field("Job", text(&drift["heal_job_id"]));
    table.field("Can be done", text(&drift["actions"]));
    table.field("What to do", text(&drift["cure"]));
    context.out.table(&table)
}
