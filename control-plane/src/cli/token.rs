//! `mpanel token`: API tokens for one's programs.

use clap::Subcommand;
use serde_json::Value;
use uuid::Uuid;

use super::common::{Confirm, Context, Limit, object, text, texts};
use super::failure::{Failure, Result};
use super::humane::when;
use super::output::{document, line};
use super::table::Table;
use crate::clock::Clock;

const TOKENS: [&str; 2] = ["auth", "tokens"];

/// API tokens for one's programs.
#[derive(Subcommand)]
pub enum Command {
    /// Make an API token and print it, this once
    #[command(after_help = "Example:\n  mpanel token create nightly --permission cloudpods:read --days 30 > token")]
    Create {
        /// What it is for
        name: String,
        /// What it may do, such as cloudpods:read; may be given several times
        #[arg(long = "permission", value_name = "PERMISSION", required = true)]
        permissions: Vec<String>,
        /// How many days it is good [default: 90]
        #[arg(long)]
        days: Option<u32>,
    },
    /// List your API tokens
    #[command(after_help = "Example:\n  mpanel token list")]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Revoke one of your API tokens at once, with all that were made with it
    #[command(after_help = "Example:\n  mpanel token revoke nightly --yes")]
    Revoke {
        /// Its name or id
        #[arg(id = "which", value_name = "TOKEN")]
        token: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Create { name, permissions, days } => {
                let body = object([
                    ("name", name.into()),
                    ("permissions", texts(&permissions)),
                    ("expires_in_days", days.into()),
                    ("tenant_id", context.client.tenant().into()),
                ]);
                let made = context.client.post(&TOKENS, Some(&body)).await?.body;
                if context.out.json {
                    return document(&made);
                }
                let until = text(&made["token"]["expires_at"]);
                context.out.note(format!("it is good until {until}, and shown this once:"));
                line(text(&made["secret"]))
            }
            Self::List { limit } => {
                let page = context.client.list(&TOKENS, &[], limit.limit as usize).await?;
                context.list(&page, "name", list_table)
            }
            Self::Revoke { token, confirm } => {
                let id = id_of(context, &token).await?;
                confirm.ask(&format!("Revoke the token {token}?"))?;
                context.client.delete(&[TOKENS[0], TOKENS[1], &id]).await?;
                context.out.note(format!("the token {token} is revoked"));
                Ok(())
            }
        }
    }
}

/// The id of the only token of this name; an id stands for itself.
async fn id_of(context: &Context, given: &str) -> Result<String> {
    if given.parse::<Uuid>().is_ok() {
        return Ok(given.to_owned());
    }
    let page = context.client.list(&TOKENS, &[], usize::MAX).await?;
    let mut found = page["items"].as_array().into_iter().flatten().filter(|one| one["name"] == given);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(text(&one["id"])),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("several of your tokens are called {given}; name it by its id")))
        }
        (None, _) => Err(Failure::not_found("token", given)),
    }
}

fn list_table(tokens: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["NAME", "PERMISSIONS", "EXPIRES", "LAST USED", "ID"]);
    for token in tokens {
        table.row([
            text(&token["name"]),
            text(&token["permissions"]),
            text(&token["expires_at"]),
            when(&token["last_used_at"], now),
            text(&token["id"]),
        ]);
    }
    table
}
