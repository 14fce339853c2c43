//! `mpanel job`: what was asked for, how it goes and why it failed.

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;

use super::common::{Context, Limit, Wait, parse_id, text};
use super::failure::Result;
use super::humane::{self, when};
use super::output::{document, line, printable};
use super::table::Table;
use super::wait::step_took;
use super::{pod, server};
use crate::clock::Clock;

const JOBS: [&str; 2] = ["provisioning", "jobs"];

/// What was asked for, how it goes and why it failed.
#[derive(Subcommand)]
pub enum Command {
    /// List jobs, newest first
    #[command(after_help = "Example:\n  mpanel job list --state failed --limit 20")]
    List {
        /// Only in this state
        #[arg(long, value_parser = ["queued", "running", "undoing", "succeeded", "failed", "cancelled", "stuck"])]
        state: Option<String>,
        /// Only those whose undo cannot finish; as --state stuck
        #[arg(long, conflicts_with = "state")]
        stuck: bool,
        /// Only those that wait for this server's agent: name or id
        #[arg(long, value_name = "SERVER")]
        waits_for: Option<String>,
        /// Only of this kind, such as provision
        #[arg(long)]
        kind: Option<String>,
        /// Only of this pod: name or id
        #[arg(long)]
        pod: Option<String>,
        /// Only on this server: name or id
        #[arg(long)]
        server: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a job with its steps
    #[command(after_help = "Example:\n  mpanel job show 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01")]
    Show {
        /// Its id
        #[arg(value_parser = parse_id)]
        job: String,
    },
    /// Show what a job said: each try of each step, and Proxmox's task log
    #[command(after_help = "Example:\n  mpanel job log 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01")]
    Log {
        /// Its id
        #[arg(value_parser = parse_id)]
        job: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Follow a job to its end; ends with 0 if it succeeds, 1 if it does not
    #[command(after_help = "Example:\n  mpanel job watch 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01 --timeout 5m")]
    Watch {
        /// Its id
        #[arg(value_parser = parse_id)]
        job: String,
        /// Follow it no longer than this; it goes on
        #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = humane::parse_duration)]
        timeout: Duration,
    },
    /// Try again now: a stuck undo, or a step that waits for its next try
    #[command(
        after_help = "Example:\n  mpanel job retry 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01 --wait\n  mpanel job retry --all --state stuck"
    )]
    Retry {
        /// Its id
        #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = parse_id)]
        job: Option<String>,
        #[command(flatten)]
        bulk: super::upkeep::Bulk,
        #[command(flatten)]
        wait: Wait,
    },
    /// Cancel a job and undo what it did
    #[command(
        after_help = "Example:\n  mpanel job cancel 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01\n  mpanel job cancel --all --state queued --server pve1 --yes"
    )]
    Cancel {
        /// Its id
        #[arg(required_unless_present = "all", conflicts_with = "all", value_parser = parse_id)]
        job: Option<String>,
        #[command(flatten)]
        bulk: super::upkeep::Bulk,
        #[command(flatten)]
        wait: Wait,
    },
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List { state, stuck, waits_for, kind, pod, server, limit } => {
                let mut filter = Vec::new();
                let state = if stuck { Some("stuck".to_owned()) } else { state };
                if let Some(server) = waits_for {
                    filter.push(("waits_for", server::id_of(context, &server).await?));
                }
                filter.extend(state.map(|state| ("state", state)));
                filter.extend(kind.map(|kind| ("kind", kind)));
                if let Some(pod) = pod {
                    filter.push(("cloudpod_id", pod::id_of(context, &pod).await?));
                }
                if let Some(server) = server {
                    filter.push(("server_id", server::id_of(context, &server).await?));
                }
                let page = context.client.list(&JOBS, &filter, limit.limit as usize).await?;
                context.list(&page, "id", list_table)
            }
            Self::Show { job } => {
                let job = context.client.get(&path(&job, &[]), &[]).await?.body;
                show(context, &job)
            }
            Self::Log { job, limit } => {
                let page = context.client.list(&path(&job, &["log"]), &[], limit.limit as usize).await?;
                log(context, &page)
            }
            Self::Watch { job, timeout } => context.job_follow(&job, timeout).await,
            Self::Retry { job: None, bulk, wait } => bulk.run(context, "retry", &wait).await,
            Self::Cancel { job: None, bulk, wait } => bulk.run(context, "cancel", &wait).await,
            Self::Retry { job: Some(job), bulk: _, wait } => {
                let answer = context.client.post(&path(&job, &["retry"]), None).await?;
                context.job(&answer.body, &wait, "it is tried again").await
            }
            Self::Cancel { job: Some(job), bulk: _, wait } => cancel(context, &job, &wait).await,
        }
    }
}

fn path<'a>(job: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&JOBS, [job].as_slice(), rest].concat()
}

async fn cancel(context: &Context, job: &str, wait: &Wait) -> Result<()> {
    let answer = context.client.post(&path(job, &["cancel"]), None).await?;
    if !wait.wait {
        return context.job(&answer.body, wait, "it is being cancelled, and what it did is undone").await;
    }
    let last = super::wait::job_wait(&context.client, context.out, job, wait.timeout).await?;
    if context.out.json {
        document(&last)?;
    }
    // Here it is a cancelled job that is the success.
    if last["state"] == "cancelled" {
        context.out.note(format!("job {job} is cancelled; what it had done is undone"));
        return Ok(());
    }
    super::wait::outcome(&last)?;
    Err(super::failure::Failure::Failed(format!("job {job} was past cancelling and succeeded")))
}

fn list_table(jobs: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table =
        Table::new(&["ID", "KIND", "POD", "SERVER", "STATE", "PROGRESS", "STEP", "TRY", "CREATED", "ERROR"]);
    for job in jobs {
        table.row([
            text(&job["id"]),
            text(&job["kind"]),
            text(&job["cloudpod_name"]),
            text(&job["server_name"]),
            text(&job["state"]),
            format!("{} %", text(&job["progress"])),
            text(&job["step"]),
            text(&job["attempt"]),
            when(&job["created_at"], now),
            text(&job["error"]["code"]),
        ]);
    }
    table
}

fn show(context: &Context, job: &Value) -> Result<()> {
    if context.out.json {
        return document(job);
    }
    let now = Clock::system().now();
    let mut table = Table::fields();
    table.field("Id", text(&job["id"]));
    table.field("Kind", text(&job["kind"]));
    table.field("State", text(&job["state"]));
    table.field("Progress", format!("{} %", text(&job["progress"])));
    table.field("Error", text(&job["error"]["detail"]));
    table.field("Waits", text(&job["waits_for"]["detail"]));
    table.field("Pod", named(job, "cloudpod"));
    table.field("Server", named(job, "server"));
    table.field("Created", when(&job["created_at"], now));
    table.field("By", text(&job["created_by"]));
    table.field("Started", when(&job["started_at"], now));
    table.field("Finished", when(&job["finished_at"], now));
    table.field("Took", step_took(job).unwrap_or_default());
    context.out.table(&table)?;
    let mut steps = Table::new(&["STEP", "STATE", "TRY", "TOOK", "DETAIL"]);
    for step in job["steps"].as_array().into_iter().flatten() {
        steps.row([
            text(&step["name"]),
            text(&step["state"]),
            text(&step["attempt"]),
            step_took(step).unwrap_or_default(),
            text(&step["detail"]),
        ]);
    }
    line("")?;
    context.out.table(&steps)
}

/// What the job is about, by its name and its id.
fn named(job: &Value, what: &str) -> String {
    let (name, id) = (text(&job[format!("{what}_name")]), text(&job[format!("{what}_id")]));
    if name.is_empty() { id } else { format!("{name} ({id})") }
}

/// Which try a line of a log is of: `clone #1`, `undo clone #2`, `undo clone #1, retry 1`.
fn try_of(said: &Value) -> String {
    let undo = if said["phase"] == "undo" { "undo " } else { "" };
    let retry = said["retry"].as_u64().filter(|retry| *retry > 0);
    let retry = retry.map_or_else(String::new, |retry| format!(", retry {retry}"));
    format!("{undo}{} #{}{retry}", text(&said["step"]), text(&said["attempt"]))
}

fn log(context: &Context, page: &Value) -> Result<()> {
    if context.out.json {
        return document(page);
    }
    for said in page["items"].as_array().into_iter().flatten() {
        let of = |name: &str| text(&said[name]);
        let text = format!("{}  {:<5} {}  {}", of("at"), of("level"), try_of(said), of("line"));
        line(printable(&text))?;
    }
    if page["next_page_token"].is_string() {
        context.out.note("there is more: raise --limit");
    }
    Ok(())
}
