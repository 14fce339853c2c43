//! `mpanel invariants`: what must hold, and whether it does.

use clap::Args;
use serde_json::Value;

use super::common::{Context, text};
use super::failure::{Failure, Result};
use super::humane::when;
use super::output::{document, line};
use super::table::Table;
use crate::clock::Clock;

/// Look whether everything holds that must hold; ends with 1 if something does not
#[derive(Args)]
#[command(after_help = "Example:\n  mpanel invariants")]
pub struct Command {
    /// Show only this check, such as addresses
    #[arg(long, value_name = "NAME")]
    check: Option<String>,
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let mut report = context.client.get(&["platform", "invariants"], &[]).await?.body;
        if let Some(name) = &self.check
            && let Some(checks) = report["checks"].as_array_mut()
        {
            checks.retain(|check| check["name"] == **name);
            if checks.is_empty() {
                return Err(Failure::not_found("check", name));
            }
        }
        let checks: Vec<&Value> = report["checks"].as_array().into_iter().flatten().collect();
        let broken: Vec<String> =
            checks.iter().filter(|check| check["ok"] != true).map(|check| text(&check["name"])).collect();
        if context.out.json {
            document(&report)?;
        } else if context.out.quiet {
            broken.iter().try_for_each(line)?;
        } else {
            show(context, &checks)?;
        }
        if broken.is_empty() {
            return Ok(());
        }
        Err(Failure::Failed(format!("{} of {} checks do not hold: {}", broken.len(), checks.len(), broken.join(", "))))
    }
}

fn show(context: &Context, checks: &[&Value]) -> Result<()> {
    let mut table = Table::new(&["CHECK", "STATE", "HOLDS"]);
    for check in checks {
        let state = if check["ok"] == true { "ok" } else { "fail" };
        table.row([text(&check["name"]), state.to_owned(), text(&check["holds"])]);
    }
    context.out.table(&table)?;
    let now = Clock::system().now();
    for check in checks.iter().filter(|check| check["ok"] != true) {
        line(format!("\n{}:", text(&check["name"])))?;
        for found in check["items"].as_array().into_iter().flatten() {
            let since = when(&found["since"], now);
            let since = if since.is_empty() { since } else { format!(" (since {since})") };
            let text = format!(
                "  {}{since}: {}\n    → {}",
                text(&found["subject"]),
                text(&found["detail"]),
                text(&found["cure"])
            );
            line(super::output::printable(&text))?;
        }
        if check["more"] == true {
            line("  … and more")?;
        }
    }
    Ok(())
}
