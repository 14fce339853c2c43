//! `mpanel user account`: accounts, for the platform's staff.

use clap::Subcommand;
use serde_json::Value;
use uuid::Uuid;

use super::common::{Confirm, Context, Limit, object, text};
use super::failure::{Failure, Result};
use super::humane::when;
use super::output::{document, line};
use super::table::Table;
use crate::clock::Clock;

const ACCOUNTS: [&str; 2] = ["platform", "users"];

/// Accounts, whatever tenants they belong to.
#[derive(Subcommand)]
pub enum Command {
    /// List accounts
    #[command(after_help = "Example:\n  mpanel user account list --staff")]
    List {
        /// Only the platform's staff
        #[arg(long)]
        staff: bool,
        /// Only in this state
        #[arg(long, value_parser = ["active", "suspended"])]
        state: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show an account
    #[command(after_help = "Example:\n  mpanel user account show anna@example.net")]
    Show {
        /// Address or id
        user: String,
    },
    /// Shut somebody out everywhere, at once: sign-ins, API tokens and the invitations that they gave end
    #[command(after_help = "Example:\n  mpanel user account suspend anna@example.net --yes")]
    Suspend {
        /// Address or id
        user: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Let somebody in again where they belong
    #[command(after_help = "Example:\n  mpanel user account reactivate anna@example.net")]
    Reactivate {
        /// Address or id
        user: String,
    },
    /// Make somebody who has an account one of the platform's staff, or with --remove no longer
    #[command(after_help = "Example:
  mpanel user account staff anna@example.net --yes
  mpanel user account staff anna@example.net --remove --yes    ends their sign-ins and API tokens at once")]
    Staff {
        /// Address or id
        user: String,
        /// They are of the staff no longer
        #[arg(long)]
        remove: bool,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Let somebody in anew who has lost their second factor or password: takes both away, ends their sign-ins and API tokens, and mails
    /// them a link for a new password; where the control plane sends no mail, what ends the link is printed, this once
    #[command(after_help = "Example:\n  mpanel user account recover anna@example.net --yes")]
    Recover {
        /// Address or id
        user: String,
        #[command(flatten)]
        confirm: Confirm,
    },
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List { staff, state, limit } => {
                let filter: Vec<_> = [("staff", staff.then(|| "true".to_owned())), ("state", state)]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect();
                let page = context.client.list(&ACCOUNTS, &filter, limit.limit as usize).await?;
                context.list(&page, "email", list_table)
            }
            Self::Show { user } => {
                let id = id_of(context, &user).await?;
                show(context, &context.client.get(&[ACCOUNTS[0], ACCOUNTS[1], &id], &[]).await?.body)
            }
            Self::Suspend { user, confirm } => {
                confirm.ask(&format!("Shut {user} out everywhere, and end their sign-ins and API tokens?"))?;
                act(context, &user, "suspend").await
            }
            Self::Reactivate { user } => act(context, &user, "reactivate").await,
            Self::Staff { user, remove, confirm } => {
                confirm.ask(&if remove {
                    format!("Take {user} from the platform's staff, and end their sign-ins and API tokens?")
                } else {
                    format!("Make {user} one of the platform's staff, who may do everything?")
                })?;
                let id = id_of(context, &user).await?;
                let body = object([("staff", (!remove).into())]);
                show(context, &context.client.patch(&[ACCOUNTS[0], ACCOUNTS[1], &id], &body, None).await?.body)
            }
            Self::Recover { user, confirm } => {
                confirm
                    .ask(&format!("Take away the password and the second factor of {user}, and end their sign-ins?"))?;
                let id = id_of(context, &user).await?;
                let path = [ACCOUNTS[0], ACCOUNTS[1], &id, "recover"];
                recovered(context, &context.client.post(&path, None).await?.body)
            }
        }
    }
}

async fn act(context: &Context, user: &str, what: &str) -> Result<()> {
    let id = id_of(context, user).await?;
    show(context, &context.client.post(&[ACCOUNTS[0], ACCOUNTS[1], &id, what], None).await?.body)
}

/// The id of who has this address; an id stands for itself.
async fn id_of(context: &Context, given: &str) -> Result<String> {
    if given.parse::<Uuid>().is_ok() {
        return Ok(given.to_owned());
    }
    let wanted = given.trim().to_lowercase();
    let page = context.client.list(&ACCOUNTS, &[("email", wanted)], 1).await?;
    page["items"]
        .as_array()
        .and_then(|found| found.first())
        .map(|one| text(&one["id"]))
        .ok_or_else(|| Failure::not_found("account", given))
}

fn recovered(context: &Context, made: &Value) -> Result<()> {
    let (email, until) = (text(&made["account"]["email"]), text(&made["expires_at"]));
    match (context.out.json, made["secret"].as_str()) {
        (true, _) => document(made),
        (false, Some(secret)) => {
            context.out.note(format!(
                "give {email} this until {until}; the console's page /reset-password#… takes it, and it is shown this once:"
            ));
            line(secret)
        }
        (false, None) => {
            context.out.note(format!("{email} was mailed a link for a new password, which is good until {until}"));
            Ok(())
        }
    }
}

fn list_table(accounts: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["EMAIL", "NAME", "STAFF", "STATE", "2ND FACTOR", "LAST SIGN-IN", "MADE"]);
    for account in accounts {
        table.row([
            text(&account["email"]),
            text(&account["name"]),
            text(&account["staff"]),
            text(&account["state"]),
            text(&account["totp_enabled"]),
            when(&account["last_sign_in_at"], now),
            when(&account["created_at"], now),
        ]);
    }
    table
}

fn show(context: &Context, account: &Value) -> Result<()> {
    if context.out.json {
        return document(account);
    }
    if context.out.quiet {
        return line(text(&account["email"]));
    }
    let mut table = Table::fields();
    for name in [
        "email",
        "name",
        "id",
        "staff",
        "state",
        "suspended_at",
        "totp_enabled",
        "email_proven",
        "last_sign_in_at",
        "created_at",
    ] {
        table.field(name, text(&account[name]));
    }
    context.out.table(&table)
}
