//! The commands that talk to a control plane over its REST API, and to nothing else.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::client::Client;
use super::common::{Context, parse_id};
use super::connection::Connection;
use super::failure::Result;
use super::output::{Out, finish};
use super::{
    audit, backup, customer, drift, image, invariants, ip_pool, job, login, plan, pod, server, snapshot, tenant, token,
    user,
};

/// What `--help` says of all of them.
pub const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  it was done and failed: a job failed or was cancelled, a check failed
  2  wrong command line
  3  refused: not valid, not allowed, a conflict, no capacity (4xx and 507)
  4  no such thing (404)
  5  the control plane cannot be reached or has a defect (5xx)
  6  it still runs: the wait was over first, or somebody stopped waiting

Example:
  export MPANEL_URL=https://mpanel.example.net MPANEL_TOKEN_FILE=~/.mpanel-token
  mpanel pod create web-1 --plan small --image debian-12 --ssh-key @~/.ssh/id_ed25519.pub --wait";

/// A command to a control plane.
#[derive(Subcommand)]
pub enum Remote {
    /// Sign in with e-mail and password: the commands that follow need no token
    Login(login::Login),
    /// Sign out
    Logout(login::Logout),
    /// Say who you are, where you belong and whether you have a second factor
    Whoami(login::Whoami),
    /// Registered Proxmox VE hosts
    #[command(subcommand)]
    Server(server::Command),
    /// Customers' VMs
    #[command(subcommand)]
    Pod(pod::Command),
    /// Pods as they were at a moment, on the disks of their hosts
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Copies of pods on another storage, and when they are made by themselves
    #[command(subcommand)]
    Backup(backup::Command),
    /// What was asked for, how it goes and why it failed
    #[command(subcommand)]
    Job(job::Command),
    /// Sizes and prices that pods are sold in
    #[command(subcommand)]
    Plan(plan::Command),
    /// What pods are made from
    #[command(subcommand)]
    Image(image::Command),
    /// Addresses that pods get
    #[command(subcommand)]
    IpPool(ip_pool::Command),
    /// What must hold, and whether it does
    Invariants(invariants::Command),
    /// What hosts show against what is wanted
    #[command(subcommand)]
    Drift(drift::Command),
    /// A tenant's people
    #[command(subcommand)]
    User(user::Command),
    /// Customer accounts, how much they may use, and whether they are suspended
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Tenants as customers: what they use and bring, and how they are doing. For staff
    #[command(subcommand)]
    Customer(customer::Command),
    /// API tokens, which stand beside `token rotate`
    #[command(skip)]
    Token(token::Command),
    /// Who did what, and the proof that nobody changed it
    #[command(subcommand)]
    Audit(audit::Command),
}

/// What all of them take.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    connection: Connection,
    /// Send this key with what creates or acts: the same command with the same key has one effect [default: a new one]
    #[arg(long, global = true, value_name = "KEY", help_heading = "Connection")]
    idempotency_key: Option<String>,
    /// Print the API's JSON; lists are one document with all their pages up to --limit
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
    /// Print only what was asked for: names and ids, no notes, no progress
    #[arg(long, short, global = true, help_heading = "Output")]
    quiet: bool,
}

/// Runs one.
pub fn run(remote: Remote, options: Options) -> ExitCode {
    let Options { connection, idempotency_key, json, quiet } = options;
    let out = Out::new(json, quiet);
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(send(remote, &connection, idempotency_key, out)));
    finish(out, done)
}

/// Looks up the id of a tenant that was named; nothing is looked up for who is not known yet.
async fn tenant_find(remote: &Remote, context: &mut Context) -> Result<()> {
    let Some(name) = context.client.tenant().filter(|name| parse_id(name).is_err()).map(str::to_owned) else {
        return Ok(());
    };
    context.client.tenant_set(None);
    let unknown = matches!(remote, Remote::Login(_) | Remote::Logout(_) | Remote::Whoami(_))
        || matches!(remote, Remote::User(user::Command::Accept { .. }));
    if !unknown {
        let id = tenant::id_of(context, &name).await?;
        context.client.tenant_set(Some(id));
    }
    Ok(())
}

async fn send(remote: Remote, connection: &Connection, idempotency_key: Option<String>, out: Out) -> Result<()> {
    let mut context = Context { client: Client::new(connection, idempotency_key, out)?, out };
    tenant_find(&remote, &mut context).await?;
    match remote {
        Remote::Login(command) => command.run(&context).await,
        Remote::Logout(command) => command.run(context).await,
        Remote::Whoami(command) => command.run(&context).await,
        Remote::Server(command) => command.run(&context).await,
        Remote::Pod(command) => command.run(&context).await,
        Remote::Snapshot(command) => command.run(&context).await,
        Remote::Backup(command) => command.run(&context).await,
        Remote::Job(command) => command.run(&context).await,
        Remote::Plan(command) => command.run(&context).await,
        Remote::Image(command) => command.run(&context).await,
        Remote::IpPool(command) => command.run(&context).await,
        Remote::Invariants(command) => command.run(&context).await,
        Remote::Drift(command) => command.run(&context).await,
        Remote::User(command) => command.run(&context).await,
        Remote::Tenant(command) => command.run(&context).await,
        Remote::Customer(command) => command.run(&context).await,
        Remote::Token(command) => command.run(&context).await,
        Remote::Audit(command) => command.run(&context).await,
    }
}
