//! `mpanel pod console`: a ticket for the WebSocket of a pod's screen or terminal.

use serde_json::{Value, json};

use super::common::{Context, text};
use super::failure::Result;
use super::humane::when;
use super::output::{document, line};
use super::pod;
use super::table::Table;
use crate::clock::Clock;

/// Asks for a ticket and prints what opens the console with it.
pub async fn ask(context: &Context, given: &str, kind: &str) -> Result<()> {
    let id = pod::id_of(context, given).await?;
    let answer = context.client.post(&pod::path(&id, &["console"]), Some(&json!({ "kind": kind }))).await?;
    let ticket = &answer.body;
    if context.out.json {
        return document(ticket);
    }
    if context.out.quiet {
        return line(text(&ticket["ticket"]));
    }
    let mut table = Table::fields();
    table.field("WebSocket", text(&ticket["url"]));
    table.field("Subprotocols", protocols(ticket));
    table.field("Until", when(&ticket["expires_at"], Clock::system().now()));
    context.out.table(&table)
}

fn protocols(ticket: &Value) -> String {
    format!("mpanel.console, ticket.{}", text(&ticket["ticket"]))
}
