//! `mpanel server`: registered Proxmox VE hosts.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::common::{Confirm, Context, Limit, text};
use super::failure::{Failure, Result};
use super::humane::{self, gib, mib, when};
use super::output::{document, line};
use super::server_args::{Add, Edit};
use super::table::Table;
use super::wait;
use crate::clock::Clock;

const SERVERS: [&str; 2] = ["platform", "servers"];

/// Registered Proxmox VE hosts.
#[derive(Subcommand)]
pub enum Command {
    /// Register a host, and get the command that enrols its agent
    #[command(
        after_help = "Example:\n  mpanel server add pve1 --storage local-lvm --label disk=nvme --cpu-overcommit 4 --wait"
    )]
    Add(Add),
    /// List the hosts
    #[command(after_help = "Example:\n  mpanel server list --region eu")]
    List {
        /// Only in this region
        #[arg(long)]
        region: Option<String>,
        /// Only open, locked or draining ones
        #[arg(long, value_parser = ["online", "locked", "draining"])]
        scheduling: Option<String>,
        /// Only those whose agent is in this state
        #[arg(long, value_parser = ["pending", "online", "offline"])]
        connection: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a host: its state, capacity and storages
    #[command(after_help = "Example:\n  mpanel server show pve1")]
    Show {
        /// Name or id
        server: String,
    },
    /// Change a host's record
    #[command(after_help = "Example:\n  mpanel server edit pve1 --cpu-overcommit 6 --memory none --remove-label disk")]
    Edit(Edit),
    /// Remove a host's record; refused while pods are on it
    #[command(after_help = "Example:\n  mpanel server remove pve1 --yes")]
    Remove {
        /// Name or id
        server: String,
        /// The host's name, typed again: for one that was declared lost with VMs on it
        #[arg(long = "confirm", value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Make a new one-time enrolment command; the one before is void
    #[command(after_help = "Example:\n  mpanel server token pve1")]
    Token {
        /// Name or id
        server: String,
    },
    /// Void the agent's certificates: its session ends, and it has to enrol again
    #[command(after_help = "Example:\n  mpanel server revoke pve1 --yes")]
    Revoke {
        /// Name or id
        server: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Test everything between here and the host; ends with 1 if a check fails
    #[command(after_help = "Example:\n  mpanel server test-connection pve1")]
    TestConnection {
        /// Name or id
        server: String,
    },
    /// Wait until a host's agent is connected and has told what is on the host
    #[command(after_help = "Example:\n  mpanel server wait pve1 --timeout 5m")]
    Wait {
        /// Name or id
        server: String,
        /// Wait no longer than this
        #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = humane::parse_duration)]
        timeout: Duration,
    },
    /// Place nothing new on a host; what runs stays
    #[command(after_help = "Example:\n  mpanel server lock pve1 --reason 'new RAM on Tuesday'")]
    Lock {
        /// Name or id
        server: String,
        /// Why; shown with its state
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Empty a host: nothing new is placed on it, and what is on it is moved to other hosts
    #[command(
        after_help = "Example:\n  mpanel server drain pve1 --preview\n  mpanel server drain pve1 --deadline 2h --wait\n  mpanel server drain pve1 --cancel"
    )]
    Drain(super::server_drain::Drain),
    /// Open a locked or draining host again
    #[command(after_help = "Example:\n  mpanel server online pve1 --fill-back --wait")]
    Online(super::server_drain::Online),
    /// Show or set where hosts of other Proxmox clusters send VMs to when they go to this host
    #[command(
        after_help = "Example:\n  mpanel server endpoint pve9 --host pve9.example.net --fingerprint AA:BB:… --proxmox-token-file pve9.token"
    )]
    Endpoint(super::server_endpoint::Endpoint),
    /// Declare that a host will not come back: the only way to free what its VMs held there
    #[command(after_help = "Example:\n  mpanel server declare-lost pve1 --reason 'disks burnt' --confirm pve1")]
    DeclareLost(super::upkeep::DeclareLost),
    /// Show a host's load, memory and storage over time
    #[command(after_help = "Example:\n  mpanel server health pve1 --limit 20")]
    Health {
        /// Name or id
        server: String,
        /// The most samples, the newest ones; of the last day
        #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=3000))]
        limit: u32,
    },
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Add(add) => add_run(context, add).await,
            Self::List { region, scheduling, connection, limit } => {
                let filter = [("region", region), ("scheduling", scheduling), ("connection", connection)];
                let filter: Vec<_> = filter.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
                let page = context.client.list(&SERVERS, &filter, limit.limit as usize).await?;
                context.list(&page, "name", list_table)
            }
            Self::Show { server } => {
                let answer = context.client.get(&path(&server, &[]), &[]).await?;
                show(context, &answer.body)
            }
            Self::Edit(edit) => edit_run(context, edit).await,
            Self::Remove { server, name, confirm } => {
                confirm.ask(&format!(
                    "Remove the record of {server}? Its agent is cut off; the host's VMs stay as they are."
                ))?;
                context
                    .client
                    .delete_with(
                        &path(&server, &[]),
                        &name.map(|name| ("confirm", name)).into_iter().collect::<Vec<_>>(),
                    )
                    .await?;
                context.out.note(format!(
                    "{server} is removed; on the host, `systemctl disable --now mpanel-agent` ends its agent"
                ));
                Ok(())
            }
            Self::Token { server } => {
                let answer = context.client.post(&path(&server, &["enrolment-token"]), None).await?;
                enrolment_show(context, &answer.body, &server)
            }
            Self::Revoke { server, confirm } => revoke(context, &server, confirm).await,
            Self::TestConnection { server } => test_connection(context, &server).await,
            Self::Wait { server, timeout } => {
                let body = wait::server_online(&context.client, context.out, &server, timeout).await?;
                if context.out.json {
                    return document(&body);
                }
                context.out.note(format!("{server} is online"));
                Ok(())
            }
            Self::Lock { server, reason } => {
                status(context, &server, json!({ "status": "locked", "reason": reason }), "locked").await
            }
            Self::Drain(drain) => drain.run(context).await,
            Self::Online(online) => online.run(context).await,
            Self::Endpoint(endpoint) => endpoint.run(context).await,
            Self::DeclareLost(lost) => lost.run(context).await,
            Self::Health { server, limit } => {
                let limit = [("limit", limit.to_string())];
                let samples = context.client.get(&path(&server, &["health"]), &limit).await?.body;
                context.list(&samples, "at", health_table)?;
                if samples["truncated"] == true {
                    context.out.note("there are older ones: raise --limit");
                }
                Ok(())
            }
        }
    }
}

fn path<'a>(server: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&SERVERS, [server].as_slice(), rest].concat()
}

async fn add_run(context: &Context, add: Add) -> Result<()> {
    let (name, wait, timeout) = (add.name.clone(), add.wait, add.timeout);
    let answer = context.client.post(&SERVERS, Some(&add.body())).await?;
    enrolment_show(context, &answer.body, &name)?;
    if !wait {
        return Ok(());
    }
    let server = super::wait::server_online(&context.client, context.out, &name, timeout).await?;
    context.out.note(format!("{name} is online: Proxmox VE {}", text(&server["host"]["pve_version"])));
    Ok(())
}

async fn edit_run(context: &Context, edit: Edit) -> Result<()> {
    let path = path(&edit.server, &[]);
    let present = context.client.get(&path, &[]).await?;
    let change = edit.body(&present.body)?;
    let answer = context.client.patch(&path, &change, present.etag.as_deref()).await?;
    if context.out.quiet && !context.out.json { Ok(()) } else { show(context, &answer.body) }
}

fn enrolment_show(context: &Context, body: &Value, server: &str) -> Result<()> {
    let enrolment = if body["enrolment"].is_object() { &body["enrolment"] } else { body };
    let command = text(&enrolment["command"]);
    if context.out.json {
        return document(body);
    }
    if context.out.quiet {
        return line(command);
    }
    let expires = when(&enrolment["expires_at"], Clock::system().now());
    context.out.note(format!(
        "Run this on the host {server}, where mpanel-agent is installed (once; it is worth nothing after that, and it expires {expires}):\n"
    ));
    line(format!("  {command}"))?;
    context
        .out
        .note(format!("\nThen: systemctl enable --now mpanel-agent\nAnd:  mpanel server test-connection {server}"));
    Ok(())
}

async fn status(context: &Context, server: &str, body: Value, word: &str) -> Result<()> {
    let answer = context.client.post(&path(server, &["status"]), Some(&body)).await?.body;
    if context.out.json {
        return document(&answer);
    }
    context.out.note(format!("{server} is {word}: {}", text(&answer["detail"])));
    Ok(())
}

async fn revoke(context: &Context, server: &str, confirm: Confirm) -> Result<()> {
    confirm.ask(&format!("Cut off the agent of {server} until it is enrolled again?"))?;
    context.client.post(&path(server, &["revoke"]), None).await?;
    context.out.note(format!("the agent of {server} is cut off; `mpanel server token {server}` enrols it again"));
    Ok(())
}

async fn test_connection(context: &Context, server: &str) -> Result<()> {
    let body = context.client.post(&path(server, &["test-connection"]), None).await?.body;
    let checks = body["checks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if context.out.json {
        document(&body)?;
    } else {
        let mut table = Table::new(&["CHECK", "STATE", "TOOK", "FOUND"]);
        for check in checks {
            let (found, advice) = (text(&check["message"]), text(&check["advice"]));
            let found = if advice.is_empty() { found } else { format!("{found}\n→ {advice}") };
            table.row([text(&check["name"]), text(&check["state"]), format!("{} ms", text(&check["took_ms"])), found]);
        }
        context.out.table(&table)?;
    }
    match checks.iter().filter(|check| check["state"] == "fail").count() {
        0 => Ok(()),
        failed => Err(Failure::Failed(format!("{failed} of {} checks of {server} failed", checks.len()))),
    }
}

fn list_table(servers: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table =
        Table::new(&["NAME", "REGION", "AGENT", "SCHEDULING", "PODS", "VCPU", "MEMORY", "PROXMOX", "SEEN", "PROBLEM"]);
    for server in servers {
        let (reserved, capacity) = (&server["reserved"], &server["capacity"]);
        table.row([
            text(&server["name"]),
            text(&server["region"]),
            text(&server["connection"]["state"]),
            text(&server["scheduling"]["state"]),
            text(&reserved["pods"]),
            format!("{}/{}", text(&reserved["vcpu"]), text(&capacity["vcpu"])),
            format!("{}/{}", mib(&reserved["memory_mib"]), mib(&capacity["memory_mib"])),
            text(&server["host"]["pve_version"]),
            when(&server["connection"]["last_seen_at"], now),
            text(&server["problem"]),
        ]);
    }
    table
}

fn show(context: &Context, server: &Value) -> Result<()> {
    if context.out.json {
        return document(server);
    }
    let now = Clock::system().now();
    let (connection, scheduling, host) = (&server["connection"], &server["scheduling"], &server["host"]);
    let (reserved, capacity) = (&server["reserved"], &server["capacity"]);
    let mut table = Table::fields();
    table.field("Name", text(&server["name"]));
    table.field("Id", text(&server["id"]));
    table.field("Problem", text(&server["problem"]));
    table.field("Agent", format!("{} since {}", text(&connection["state"]), when(&connection["since"], now)));
    table.field("Declared lost", when(&server["lost_at"], now));
    if server["waiting_jobs"] != 0 {
        let id = text(&server["name"]);
        table.field("Waiting", format!("{} jobs: mpanel job list --waits-for {id}", text(&server["waiting_jobs"])));
    }
    table.field("Last seen", when(&connection["last_seen_at"], now));
    table.field("Scheduling", format!("{} since {}", text(&scheduling["state"]), when(&scheduling["since"], now)));
    table.field("Reason", text(&scheduling["reason"]));
    table.field("Deadline", when(&scheduling["deadline"], now));
    table.field("Region", text(&server["region"]));
    table.field("Labels", text(&server["labels"]));
    table.field("Pods", limited(&text(&reserved["pods"]), &text(&server["pod_limit"])));
    table.field("vCPU", limited(&text(&reserved["vcpu"]), &text(&capacity["vcpu"])));
    table.field("Memory", limited(&mib(&reserved["memory_mib"]), &mib(&capacity["memory_mib"])));
    table.field("Overcommit", format!("{} vCPU a thread", text(&server["cpu_overcommit"])));
    table.field("VMIDs", format!("{}-{}", text(&server["vmid_min"]), text(&server["vmid_max"])));
    table.field("Bridge", text(&server["bridge"]));
    table.field("Backups to", text(&server["backup_storage"]));
    table.field("Bridges seen", text(&host["bridges"]));
    table.field("Proxmox VE", text(&host["pve_version"]));
    table.field("Node", text(&host["node_name"]));
    table.field("Cluster", text(&host["cluster_name"]));
    table.field("Agent version", text(&host["agent_version"]));
    let load = &server["load"];
    table
        .field("CPU load", load["cpu_load"].as_f64().map_or_else(String::new, |load| format!("{:.0} %", load * 100.0)));
    table.field("Memory used", mib(&load["memory_used_mib"]));
    table.field("Registered", when(&server["created_at"], now));
    context.out.table(&table)?;
    let mut storages = Table::new(&["STORAGE", "OFFERED", "ACTIVE", "KIND", "RESERVED", "CAPACITY", "USED", "TOTAL"]);
    for storage in server["storages"].as_array().into_iter().flatten() {
        let yes = |name: &str| if storage[name] == true { "yes" } else { "no" }.to_owned();
        storages.row([
            text(&storage["name"]),
            yes("offered"),
            yes("active"),
            text(&storage["kind"]),
            gib(&storage["reserved_gib"]),
            gib(&storage["capacity_gib"]),
            gib(&storage["seen_used_gib"]),
            gib(&storage["seen_total_gib"]),
        ]);
    }
    line("")?;
    context.out.table(&storages)
}

fn limited(held: &str, of: &str) -> String {
    if of.is_empty() { held.to_owned() } else { format!("{held} of {of}") }
}

fn health_table(samples: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["AT", "CPU", "MEMORY", "STORAGE"]);
    for sample in samples {
        table.row([
            when(&sample["at"], now),
            sample["cpu_load"].as_f64().map_or_else(String::new, |load| format!("{:.0} %", load * 100.0)),
            format!("{} of {}", mib(&sample["memory_used_mib"]), mib(&sample["memory_total_mib"])),
            format!("{} of {}", gib(&sample["storage_used_gib"]), gib(&sample["storage_total_gib"])),
        ]);
    }
    table
}

/// The id of a server that is given by name or id.
pub async fn id_of(context: &Context, server: &str) -> Result<String> {
    Ok(text(&context.client.get(&path(server, &[]), &[]).await?.body["id"]))
}
