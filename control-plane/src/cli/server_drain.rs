//! `mpanel server drain` and `mpanel server online`: emptying a host, and filling it again.

use std::collections::HashMap;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::common::{Context, Wait, object, text};
use super::failure::{Failure, Result};
use super::humane::{self, parse_duration, span};
use super::output::document;
use super::table::Table;
use super::wait::patiently_get;
use crate::clock::{Clock, Ms};

const POLL: Duration = Duration::from_millis(500);
const MIB: u64 = 1 << 20;

/// A host to be emptied.
#[derive(Args)]
pub struct Drain {
    /// Name or id
    server: String,
    /// Why; shown with its state
    #[arg(long, default_value = "", conflicts_with_all = ["preview", "cancel"])]
    reason: String,
    /// Begin no move after this: a time such as 2026-01-31T12:00:00Z, or how long from now, such as 2h
    #[arg(long, value_name = "TIME|DURATION", value_parser = parse_deadline, conflicts_with_all = ["preview", "cancel"])]
    deadline: Option<Deadline>,
    /// Let the guests of VMs that cannot be moved while they run shut down; they are started again afterwards
    #[arg(long, conflicts_with = "cancel")]
    allow_shutdown: bool,
    /// How long a guest gets for that, from 5s to 1h [default: 3m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, conflicts_with_all = ["preview", "cancel"])]
    grace: Option<Duration>,
    /// Only show what would become of each pod
    #[arg(long, conflicts_with_all = ["cancel", "wait"])]
    preview: bool,
    /// Begin no further move; those under way end, and the host stays locked
    #[arg(long)]
    cancel: bool,
    #[command(flatten)]
    wait: Wait,
}

/// A host to be opened.
#[derive(Args)]
pub struct Online {
    /// Name or id
    server: String,
    /// Why; shown with its state
    #[arg(long, default_value = "")]
    reason: String,
    /// Move the pods back that its last drain moved away
    #[arg(long)]
    fill_back: bool,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deadline {
    At(Ms),
    In(Duration),
}

impl Deadline {
    fn at(self, now: Ms) -> String {
        match self {
            Self::At(at) => at,
            Self::In(duration) => now.plus(duration),
        }
        .to_rfc3339()
    }
}

fn parse_deadline(text: &str) -> Result<Deadline, String> {
    if let Some(at) = Ms::from_rfc3339(text) {
        return Ok(Deadline::At(at));
    }
    parse_duration(text)
        .map(Deadline::In)
        .map_err(|_| format!("`{text}` is neither a time nor a duration: write 2026-01-31T12:00:00Z or 2h"))
}

fn path<'a>(server: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["platform", "servers", server], rest].concat()
}

impl Drain {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let server = &self.server;
        let allowed = if self.allow_shutdown { true.into() } else { Value::Null };
        if self.preview {
            let body = object([("allow_shutdown", allowed)]);
            let plan = context.client.post(&path(server, &["drain", "preview"]), Some(&body)).await?.body;
            return preview_show(context, server, &plan);
        }
        if self.cancel {
            let drain = context.client.delete(&path(server, &["drain"])).await?.body;
            if context.out.json && !self.wait.wait {
                return document(&drain);
            }
            let moving = text(&drain["counts"]["moving"]);
            context.out.note(format!("the drain of {server} is cancelled; {moving} move(s) under way end"));
            return if self.wait.wait { follow(context, server, &self.wait).await } else { Ok(()) };
        }
        let body = object([
            ("status", "draining".into()),
            ("reason", self.reason.clone().into()),
            ("deadline", self.deadline.map(|deadline| deadline.at(Clock::system().now())).into()),
            ("allow_shutdown", allowed),
            ("shutdown_s", self.grace.map(|grace| grace.as_secs()).into()),
        ]);
        let answer = context.client.post(&path(server, &["status"]), Some(&body)).await?.body;
        begun(context, server, "cordoned", &answer, &self.wait).await
    }
}

impl Online {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let fill_back = if self.fill_back { true.into() } else { Value::Null };
        let body = object([("status", "online".into()), ("reason", self.reason.into()), ("fill_back", fill_back)]);
        let answer = context.client.post(&path(&self.server, &["status"]), Some(&body)).await?.body;
        begun(context, &self.server, "open", &answer, &self.wait).await
    }
}

async fn begun(context: &Context, server: &str, word: &str, answer: &Value, wait: &Wait) -> Result<()> {
    let follows = wait.wait && answer["drain"].is_object();
    if context.out.json && !follows {
        return document(answer);
    }
    context.out.note(format!("{server} is {word}: {}", text(&answer["detail"])));
    if follows { follow(context, server, wait).await } else { Ok(()) }
}

/// Shows how a drain goes until it goes no further.
async fn follow(context: &Context, server: &str, wait: &Wait) -> Result<()> {
    let mut said = HashMap::new();
    let watch = async {
        loop {
            let drain = patiently_get(&context.client, context.out, &path(server, &["drain"])).await?;
            news(context, &drain, &mut said);
            let moving = drain["counts"]["moving"].as_u64().unwrap_or(0);
            match drain["state"].as_str() {
                Some("running") => {}
                _ if moving > 0 => {}
                _ => return Ok(drain),
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let goes_on = |why: String| {
        Failure::StillRunning(format!(
            "{why}, but the moves go on: `mpanel server drain {server} --wait` follows them, `--cancel` ends them"
        ))
    };
    let drain: Value = tokio::select! {
        drain = tokio::time::timeout(wait.timeout, watch) => {
            drain.unwrap_or_else(|_| Err(goes_on(format!("it is not over within {}", span(wait.timeout)))))?
        }
        _ = tokio::signal::ctrl_c() => return Err(goes_on("you stopped waiting".to_owned())),
    };
    if context.out.json {
        document(&drain)?;
    } else {
        plan_show(context, &drain["pods"])?;
    }
    let note = text(&drain["note"]);
    match drain["state"].as_str() {
        Some("done") => {
            context
                .out
                .note(format!("{server}: {} pod(s) moved, nothing is left to do", text(&drain["counts"]["moved"])));
            Ok(())
        }
        Some("cancelled") => Err(Failure::Failed(format!("the drain of {server} was cancelled"))),
        _ => Err(Failure::Failed(format!("{server} is not empty: {note}"))),
    }
}

/// Says what is new of each pod.
fn news(context: &Context, drain: &Value, said: &mut HashMap<String, String>) {
    if !context.out.shows_progress() {
        return;
    }
    for pod in drain["pods"].as_array().into_iter().flatten() {
        let (id, name) = (text(&pod["cloudpod"]["id"]), text(&pod["cloudpod"]));
        let (target, method) = (text(&pod["target"]), text(&pod["method"]));
        let line = match pod["state"].as_str() {
            Some("moving") => format!("… {name} → {target} ({method}) {}", text(&pod["blocker"])),
            Some("moved") => format!("✓ {name} is on {target}"),
            Some("gone") => format!("✓ {name} is gone"),
            Some("blocked") => format!("✗ {name} stays: {}", text(&pod["blocker"])),
            Some("left") => format!("- {name} stays where it is"),
            _ => continue,
        };
        if said.get(&id) != Some(&line) {
            context.out.note(super::output::printable(line.trim_end()));
            said.insert(id, line);
        }
    }
}

fn size(bytes: &Value) -> String {
    bytes.as_u64().map_or_else(|| "?".to_owned(), |bytes| humane::mib(&json!(bytes.div_ceil(MIB))))
}

fn plan_show(context: &Context, pods: &Value) -> Result<()> {
    let mut table = Table::new(&["POD", "STATE", "METHOD", "TARGET", "COPY", "BLOCKER"]);
    for pod in pods.as_array().into_iter().flatten() {
        table.row([
            text(&pod["cloudpod"]),
            text(&pod["state"]),
            text(&pod["method"]),
            text(&pod["target"]),
            size(&pod["bytes"]),
            text(&pod["blocker"]),
        ]);
    }
    context.out.table(&table)
}

fn preview_show(context: &Context, server: &str, plan: &Value) -> Result<()> {
    if context.out.json {
        return document(plan);
    }
    plan_show(context, &plan["pods"])?;
    context.out.note(format!(
        "{} of the pods on {server} can be moved, {} cannot; {} would be copied. Nothing was changed",
        text(&plan["movable"]),
        text(&plan["blocked"]),
        size(&plan["bytes"])
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_time_or_how_long_from_now() {
        assert_eq!(parse_deadline("2h"), Ok(Deadline::In(Duration::from_hours(2))));
        assert_eq!(parse_deadline("1970-01-01T00:00:01Z"), Ok(Deadline::At(Ms(1000))));
        assert!(parse_deadline("soon").is_err());
        assert_eq!(Deadline::In(Duration::from_secs(1)).at(Ms(0)), Ms(1000).to_rfc3339());
    }
}
