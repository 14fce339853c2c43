//! `mpanel user`: a tenant's people.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::Value;
use uuid::Uuid;

use super::account;
use super::common::{Confirm, Context, Limit, object, text};
use super::failure::{Failure, NONE_ASKED, Result};
use super::humane::when;
use super::login::ask;
use super::output::{document, line};
use super::table::Table;
use crate::clock::Clock;

const USERS: [&str; 1] = ["users"];
const ROLES: [&str; 4] = ["OWNER", "ADMIN", "BILLING", "MEMBER"];

/// Reads a role in any case, as the API writes it.
fn roles() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(ROLES).map(|role| role.to_ascii_uppercase())
}

/// A tenant's people.
#[derive(Subcommand)]
pub enum Command {
    /// List people
    #[command(after_help = "Example:\n  mpanel user list --role OWNER")]
    List {
        /// Only of this role
        #[arg(long, value_parser = roles(), ignore_case = true)]
        role: Option<String>,
        /// Only in this state
        #[arg(long, value_parser = ["active", "suspended"])]
        state: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a person
    #[command(after_help = "Example:\n  mpanel user show anna@example.net")]
    Show {
        /// Address or id
        user: String,
    },
    /// Invite somebody, by mail; where the control plane sends none, what they accept with is printed, this once
    #[command(after_help = "Example:\n  mpanel user invite anna@example.net --role MEMBER")]
    Invite {
        /// Their address
        email: String,
        /// What they are to be
        #[arg(long, value_parser = roles(), ignore_case = true, default_value = "MEMBER")]
        role: String,
    },
    /// Accept an invitation, with its secret from standard input: what stands after # in the mailed link
    #[command(after_help = "Example:
  mpanel user accept --name Anna                     makes an account, whose password is asked for
  mpanel login anna@example.net && mpanel user accept    by the account that there is")]
    Accept {
        /// What you are called: makes an account [default: the account that has signed in accepts]
        #[arg(long)]
        name: Option<String>,
    },
    /// Make somebody something else
    #[command(after_help = "Example:\n  mpanel user role anna@example.net ADMIN")]
    Role {
        /// Address or id
        user: String,
        /// What they are to be
        #[arg(value_parser = roles(), ignore_case = true)]
        role: String,
    },
    /// Shut somebody out at once, their API tokens included
    #[command(after_help = "Example:\n  mpanel user suspend anna@example.net --yes")]
    Suspend {
        /// Address or id
        user: String,
        #[command(flatten)]
        confirm: Confirm,
    },
    /// Let somebody in again
    #[command(after_help = "Example:\n  mpanel user reactivate anna@example.net")]
    Reactivate {
        /// Address or id
        user: String,
    },
    /// Make a tenant's first owner, or with --staff one of the platform's staff. For staff
    #[command(
        after_help = "Example:\n  mpanel user create-owner anna@example.net --name Anna --password-file password"
    )]
    CreateOwner(Create),
    /// Accounts, whatever tenants they belong to. For staff
    #[command(subcommand)]
    Account(account::Command),
}

/// An account to be made.
#[derive(Args)]
pub struct Create {
    /// Their address
    email: String,
    /// What they are called [default: their address]
    #[arg(long)]
    name: Option<String>,
    /// A file that holds their first password; - reads it from standard input [default: none; they set one by a mailed link, or
    /// sign in by an OIDC provider]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Make them one of the platform's staff, who may do everything
    #[arg(long)]
    staff: bool,
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::List { role, state, limit } => {
                let filter: Vec<_> = [("role", role), ("state", state)]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name, value?)))
                    .collect();
                let page = context.client.list(&USERS, &filter, limit.limit as usize).await?;
                context.list(&page, "email", list_table)
            }
            Self::Show { user } => {
                let id = id_of(context, &user).await?;
                show(context, &context.client.get(&[USERS[0], &id], &[]).await?.body)
            }
            Self::Invite { email, role } => {
                let body = object([("email", email.into()), ("role", role.into())]);
                let made = context.client.post(&[USERS[0], "invite"], Some(&body)).await?.body;
                invited(context, &made)
            }
            Self::Accept { name } => accept(context, name).await,
            Self::Role { user, role } => {
                let id = id_of(context, &user).await?;
                let body = object([("role", role.into())]);
                show(context, &context.client.patch(&[USERS[0], &id, "role"], &body, None).await?.body)
            }
            Self::Suspend { user, confirm } => {
                confirm.ask(&format!("Shut {user} out, and end their API tokens?"))?;
                let id = id_of(context, &user).await?;
                show(context, &context.client.post(&[USERS[0], &id, "suspend"], None).await?.body)
            }
            Self::Reactivate { user } => {
                let id = id_of(context, &user).await?;
                show(context, &context.client.post(&[USERS[0], &id, "reactivate"], None).await?.body)
            }
            Self::CreateOwner(create) => create.run(context).await,
            Self::Account(command) => command.run(context).await,
        }
    }
}

impl Create {
    async fn run(self, context: &Context) -> Result<()> {
        let Self { email, name, password_file, staff } = self;
        let password = password_file.map(|file| password_of(&file)).transpose()?;
        let tenant = if staff { context.client.tenant().map(str::to_owned) } else { Some(tenant_of(context).await?) };
        let body = object([
            ("name", name.unwrap_or_else(|| email.clone()).into()),
            ("email", email.into()),
            ("password", password.into()),
            ("tenant_id", tenant.into()),
            ("staff", staff.into()),
        ]);
        let made = context.client.post(&["platform", "users"], Some(&body)).await?.body;
        if body["password"].is_null() {
            context.out.note(format!(
                "no password was set: until there is one they can sign in by an OIDC provider alone; `mpanel user account recover {}` \
                 mails them a link for it, or prints what ends it where no mail is sent",
                text(&made["email"])
            ));
        }
        match (context.out.json, context.out.quiet) {
            (true, _) => document(&made),
            (_, true) => line(text(&made["id"])),
            _ => line(format!("{} has an account: {}", text(&made["email"]), text(&made["id"]))),
        }
    }
}

/// The tenant that was named, or the only one there is.
async fn tenant_of(context: &Context) -> Result<String> {
    if let Some(tenant) = context.client.tenant() {
        return Ok(tenant.to_owned());
    }
    let page = context.client.list(&["admin", "tenants"], &[], 2).await?;
    match page["items"].as_array().map(Vec::as_slice) {
        Some([only]) => Ok(text(&only["id"])),
        _ => Err(Failure::usage("there are several tenants: name one with --tenant NAME")),
    }
}

fn password_of(file: &std::path::Path) -> Result<String> {
    let read =
        if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    let text =
        read.map_err(|error| Failure::usage(format!("--password-file: cannot read {}: {error}", file.display())))?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}

/// The id of who has this address; an id stands for itself.
async fn id_of(context: &Context, given: &str) -> Result<String> {
    if given.parse::<Uuid>().is_ok() {
        return Ok(given.to_owned());
    }
    let wanted = given.trim().to_lowercase();
    let page = context.client.list(&USERS, &[("email_prefix", wanted.clone())], usize::MAX).await?;
    let mut found = page["items"].as_array().into_iter().flatten().filter(|one| one["email"] == wanted);
    found.next().map(|one| text(&one["id"])).ok_or_else(|| Failure::not_found("user", given))
}

fn invited(context: &Context, made: &Value) -> Result<()> {
    let invitation = &made["invitation"];
    let (email, until) = (text(&invitation["email"]), text(&invitation["expires_at"]));
    match (context.out.json, made["token"].as_str()) {
        (true, _) => document(made),
        (false, Some(token)) => {
            context.out.note(format!(
                "{email} is invited until {until}; give them this for `mpanel user accept`, it is shown this once:"
            ));
            line(token)
        }
        (false, None) => {
            context.out.note(format!("{email} is invited until {until}, by mail"));
            Ok(())
        }
    }
}

/// Joins a tenant: as a new account of this name, or as who has signed in.
async fn accept(context: &Context, name: Option<String>) -> Result<()> {
    let token = ask("Secret of the invitation: ", true)?;
    // The link is as good as its end.
    let token = token.rsplit('#').next().unwrap_or_default();
    let path = [USERS[0], "invite", "accept"];
    let joined = if let Some(name) = name {
        let password = ask("Password of your new account: ", true)?;
        let body = object([("token", token.into()), ("name", name.into()), ("password", password.as_str().into())]);
        context.client.post_open(&path, &body).await?
    } else {
        // What it says of a refusal is of the invitation: that no token was given is not what is wrong.
        let answer = context.client.post(&path, Some(&object([("token", token.into())]))).await;
        answer.map_err(|failure| failure.with_token_source(NONE_ASKED))?.body
    };
    show(context, &joined)
}

fn list_table(users: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["EMAIL", "NAME", "TENANT", "ROLE", "STATE", "LAST SIGN-IN", "JOINED"]);
    for user in users {
        table.row([
            text(&user["email"]),
            text(&user["name"]),
            text(&user["tenant_name"]),
            text(&user["role"]),
            text(&user["state"]),
            when(&user["last_sign_in_at"], now),
            when(&user["joined_at"], now),
        ]);
    }
    table
}

fn show(context: &Context, user: &Value) -> Result<()> {
    if context.out.json {
        return document(user);
    }
    if context.out.quiet {
        return line(text(&user["email"]));
    }
    let mut table = Table::fields();
    for name in
        ["email", "name", "id", "tenant_id", "role", "state", "account_suspended_at", "last_sign_in_at", "joined_at"]
    {
        table.field(name, text(&user[name]));
    }
    context.out.table(&table)
}
