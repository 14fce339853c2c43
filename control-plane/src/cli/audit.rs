//! `mpanel audit`: who did what, and the proof that nobody changed what is written of it.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::common::{Context, Limit, text};
use super::failure::{Failure, Result};
use super::humane::when;
use super::output::{document, line, raw};
use super::table::Table;
use crate::clock::Clock;

const AUDIT: [&str; 2] = ["admin", "audit"];

/// Who did what, and the proof of it.
#[derive(Subcommand)]
pub enum Command {
    /// List records, the newest first
    #[command(after_help = "Example:\n  mpanel audit list --action server.updated --from 2026-01-31T00:00:00Z")]
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a record with all that it holds
    #[command(after_help = "Example:\n  mpanel audit show 0198c0de-5d5c-7c2e-9c0b-3f1f6d1f7a01")]
    Show {
        /// Its id
        record: String,
    },
    /// Prove that no record was changed, removed or put in; ends with 1 and says where if one was
    #[command(after_help = "Example:\n  mpanel audit verify --known 1042:6f1c0a…")]
    Verify {
        /// Also prove that the chain still holds what was noted some time ago: COUNT:HEAD
        #[arg(long, value_name = "COUNT:HEAD", value_parser = parse_known)]
        known: Option<(String, String)>,
    },
    /// Write records to standard output, the oldest first
    #[command(after_help = "Example:\n  mpanel audit export --format csv --from 2026-01-01T00:00:00Z > audit.csv")]
    Export {
        /// One JSON object a line, or comma-separated values
        #[arg(long, value_parser = ["ndjson", "csv"], default_value = "ndjson")]
        format: String,
        #[command(flatten)]
        filter: Filter,
    },
}

/// Which records.
#[derive(Args)]
pub struct Filter {
    /// Only of this actor, as `audit show` and --json have it: user:<id>, token:<id>, agent:<id>, system:<part>
    #[arg(long)]
    actor: Option<String>,
    /// Only of this action, such as server.created
    #[arg(long)]
    action: Option<String>,
    /// Only about this noun, such as server
    #[arg(long, value_name = "NOUN")]
    target_kind: Option<String>,
    /// Only about the one with this id
    #[arg(long, value_name = "ID")]
    target: Option<String>,
    /// Only from this time on (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Filter {
    fn query(self) -> Vec<(&'static str, String)> {
        let Self { actor, action, target_kind, target, from, until } = self;
        let given = [
            ("actor", actor),
            ("action", action),
            ("target_kind", target_kind),
            ("target_id", target),
            ("from", from),
            ("until", until),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

fn parse_known(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((count, head)) if count.parse::<u64>().is_ok() && head.len() == 64 => {
            Ok((count.to_owned(), head.to_owned()))
        }
        _ => Err(format!("`{text}` is no place in the chain: write COUNT:HEAD as `audit verify` shows them")),
    }
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List { filter, limit } => {
                let page = context.client.list(&AUDIT, &filter.query(), limit.limit as usize).await?;
                context.list(&page, "id", list_table)
            }
            Self::Show { record } => {
                let path = [&AUDIT, ["records", record.as_str()].as_slice()].concat();
                show(context, &context.client.get(&path, &[]).await?.body)
            }
            Self::Verify { known } => verify(context, known).await,
            Self::Export { format, filter } => {
                let path = [&AUDIT, ["export"].as_slice()].concat();
                let mut query = filter.query();
                query.push(("format", format));
                context.client.download(&path, &query, raw).await
            }
        }
    }
}

/// Who did it, as people call them; by id who has no name any more.
fn actor(record: &Value) -> String {
    text(if record["actor_name"].is_string() { &record["actor_name"] } else { &record["actor"] })
}

fn list_table(records: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["WHEN", "ACTOR", "FROM", "ACTION", "TARGET", "NO", "ID"]);
    for record in records {
        table.row([
            when(&record["created_at"], now),
            actor(record),
            text(&record["address"]),
            text(&record["action"]),
            format!("{} {}", text(&record["target_kind"]), text(&record["target_id"])),
            text(&record["seq"]),
            text(&record["id"]),
        ]);
    }
    table
}

fn show(context: &Context, record: &Value) -> Result<()> {
    if context.out.json {
        return document(record);
    }
    let mut table = Table::fields();
    for (name, field) in [
        ("Id", "id"),
        ("When", "created_at"),
        ("Actor", "actor"),
        ("Called", "actor_name"),
        ("From", "address"),
        ("Request", "request_id"),
        ("Action", "action"),
        ("Noun", "target_kind"),
        ("Target", "target_id"),
        ("Tenant", "tenant_id"),
        ("Number", "seq"),
        ("Hash", "hash"),
    ] {
        table.field(name, text(&record[field]));
    }
    for (name, value) in record["detail"].as_object().into_iter().flatten() {
        table.field(name, value.to_string());
    }
    context.out.table(&table)
}

/// Asks for one part after the other, and puts them together.
async fn verify(context: &Context, known: Option<(String, String)>) -> Result<()> {
    let path = [&AUDIT, ["verify"].as_slice()].concat();
    let mut query: Vec<(&str, String)> = Vec::new();
    if let Some((count, head)) = known {
        query.extend([("known_count", count), ("known_head", head)]);
    }
    let mut breaks: Vec<Value> = Vec::new();
    let mut proof = loop {
        let mut part = context.client.get(&path, &query).await?.body;
        if let Some(found) = part["breaks"].as_array_mut() {
            breaks.append(found);
        }
        let next = &part["next"];
        if next.is_null() {
            break part;
        }
        if context.out.shows_progress() {
            context.out.note(format!("{} of {} links", text(&part["checked"]), text(&part["count"])));
        }
        query = vec![("after_seq", text(&next["after_seq"]))];
        if next["after_record"].is_string() {
            query.push(("after_record", text(&next["after_record"])));
        }
    };
    let count = breaks.len();
    proof["ok"] = breaks.is_empty().into();
    proof["breaks"] = breaks.into();
    let place = format!("{}:{}", text(&proof["count"]), text(&proof["head"]));
    if context.out.json {
        document(&proof)?;
    } else if context.out.quiet {
        line(&place)?;
    } else {
        for found in proof["breaks"].as_array().into_iter().flatten() {
            line(super::output::printable(&format!("{}: {}", text(&found["kind"]), text(&found["detail"]))))?;
        }
        line(format!("{place} proven, {} not sealed yet", text(&proof["unsealed"])))?;
    }
    if count == 0 {
        return Ok(());
    }
    Err(Failure::Failed(format!("the audit was changed: {count} break(s) in its chain")))
}
