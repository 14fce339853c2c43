//! `mpanel login`, `logout`, `whoami`: commands as a person, without a token of their own.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::client::Client;
use super::common::{Context, text};
use super::failure::{Failure, Result};
use super::output::{Out, document, line};
use super::session::{Saved, Store};
use super::table::Table;

/// Sign in.
#[derive(Args)]
#[command(after_help = "Example:\n  mpanel login ann@example.net")]
pub struct Login {
    /// Your address; asked for when left out
    email: Option<String>,
}

/// Sign out.
#[derive(Args)]
#[command(after_help = "Example:\n  mpanel logout")]
pub struct Logout {}

/// Say who one is.
#[derive(Args)]
#[command(after_help = "Example:\n  mpanel whoami")]
pub struct Whoami {}

impl Login {
    /// Asks for what is needed and keeps what the control plane gives for it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let email = match self.email {
            Some(email) => email,
            None => ask("E-mail: ", false)?.to_string(),
        };
        let password = ask("Password: ", true)?;
        let mut body = json!({"email": email, "password": password.as_str()});
        let answer = match context.client.post_open(&["auth", "login"], &body).await {
            Err(Failure::Problem(problem)) if wants_second(&problem.body) => {
                let code = ask("Code of your authenticator, or a recovery code: ", true)?;
                let is_code = code.chars().filter(|c| !c.is_whitespace()).all(|c| c.is_ascii_digit());
                body[if is_code { "totp_code" } else { "recovery_code" }] = code.as_str().into();
                context.client.post_open(&["auth", "login"], &body).await?
            }
            other => other?,
        };
        let saved =
            Saved::of(&email, &answer).ok_or_else(|| Failure::Failed("its answer holds no tokens".to_owned()))?;
        store()?.lock()?.put(&context.client.address(), Some(saved))?;
        context.out.note(format!("signed in to {} as {email}", context.client.address()));
        token_warn(&context.client, context.out, "not as who has signed in");
        Ok(())
    }
}

impl Logout {
    /// Ends the sign-in there, and forgets it here even if it had ended by itself.
    pub async fn run(self, Context { client, out }: Context) -> Result<()> {
        let (store, url) = (store()?, client.address());
        token_warn(&client, out, "signed in or not");
        if store.find(&url)?.is_none() {
            out.note(format!("you are not signed in to {url}"));
            return Ok(());
        }
        let ended = client.into_signed_in()?.post(&["auth", "logout"], None).await;
        if let Err(failure) = ended
            && !matches!(&failure, Failure::Problem(problem) if problem.status == 401)
        {
            return Err(failure);
        }
        store.lock()?.put(&url, None)?;
        out.note(format!("signed out of {url}"));
        Ok(())
    }
}

impl Whoami {
    /// Shows it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let me = context.client.get(&["auth", "me"], &[]).await?.body;
        if context.out.json {
            return document(&me);
        }
        if context.out.quiet {
            return line(text(&me["user"]["email"]));
        }
        let mut table = Table::fields();
        if me["user"].is_null() {
            table.field("Token", "the platform's own");
        } else {
            table.field("E-mail", text(&me["user"]["email"]));
            table.field("Name", me["user"]["name"].as_str().unwrap_or_default());
            table.field("Id", text(&me["user"]["id"]));
            let second = if me["user"]["totp_enabled"] == true { "yes" } else { "no" };
            table.field("Second factor", second);
        }
        table.field("Staff", if me["staff"] == true { "yes" } else { "no" });
        for membership in me["memberships"].as_array().into_iter().flatten() {
            let suspended = if membership["active"] == true { "" } else { ", suspended" };
            table.field(
                "Tenant",
                format!("{} ({}{suspended})", text(&membership["tenant_id"]), text(&membership["role"])),
            );
        }
        context.out.table(&table)
    }
}

/// A token of the environment goes before the sign-in: who does not know that wonders whom the commands speak for.
fn token_warn(client: &Client, out: Out, instead: &str) {
    if client.token_source().starts_with("MPANEL_") {
        out.note(format!(
            "warning: your commands go on as the token from {}, {instead}, until you `unset MPANEL_TOKEN MPANEL_TOKEN_FILE`",
            client.token_source()
        ));
    }
}

fn store() -> Result<Store> {
    Store::of_user().ok_or_else(|| Failure::usage("there is no place to keep a sign-in: set HOME or XDG_STATE_HOME"))
}

fn wants_second(problem: &Value) -> bool {
    problem["errors"].as_array().is_some_and(|errors| errors.iter().any(|error| error["field"] == "totp_code"))
}

/// Asks a person; where there is none, takes the next line of standard input.
pub(super) fn ask(question: &str, hidden: bool) -> Result<Zeroizing<String>> {
    let stdin = io::stdin();
    let is_asked = stdin.is_terminal();
    if is_asked {
        let mut err = io::stderr().lock();
        write!(err, "{question}")?;
        err.flush()?;
    }
    let before = if is_asked && hidden { Some(tcgetattr(&stdin).map_err(io::Error::from)?) } else { None };
    if let Some(before) = &before {
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(io::Error::from)?;
    }
    let mut answer = Zeroizing::new(String::new());
    let read = stdin.lock().read_line(&mut answer);
    if let Some(before) = &before {
        tcsetattr(&stdin, OptionalActions::Flush, before).map_err(io::Error::from)?;
        writeln!(io::stderr().lock())?;
    }
    read?;
    let line = Zeroizing::new(answer.trim_end_matches(['\n', '\r']).to_owned());
    if line.is_empty() {
        return Err(Failure::usage(format!("{}nothing was given", question.to_lowercase())));
    }
    Ok(line)
}
