//! `mpanel snapshot`: a pod as it was at a moment.

use clap::Subcommand;
use serde_json::Value;

use super::common::{Confirm, Context, Limit, Wait, object, text};
use super::failure::Result;
use super::humane::when;
use super::pod;
use super::table::Table;
use crate::clock::Clock;

/// A pod as it was at a moment, on the disk of its own host.
#[derive(Subcommand)]
pub enum Command {
    /// Take a snapshot of a pod
    #[command(after_help = "Example:\n  mpanel snapshot take web-1 before-upgrade --wait")]
    Take {
        /// The pod: name or id
        pod: String,
        /// 2 to 40 letters, digits, _ or -, beginning with a letter
        name: String,
        /// What it is for
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
        /// With the guest's memory: going back to it, the guest goes on where it was
        #[arg(long)]
        memory: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// List a pod's snapshots
    #[command(after_help = "Example:\n  mpanel snapshot list web-1")]
    List {
        /// The pod: name or id
        pod: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Take a pod back to a snapshot; what came after it is lost
    #[command(after_help = "Example:\n  mpanel snapshot rollback web-1 before-upgrade --yes --wait")]
    Rollback(One),
    /// Delete a snapshot; the pod stays as it is
    #[command(after_help = "Example:\n  mpanel snapshot delete web-1 before-upgrade --yes --wait")]
    Delete(One),
}

/// One snapshot.
#[derive(clap::Args)]
pub struct One {
    /// The pod: name or id
    pod: String,
    /// The snapshot
    name: String,
    #[command(flatten)]
    confirm: Confirm,
    #[command(flatten)]
    wait: Wait,
}

impl Command {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Take { pod, name, description, memory, wait } => {
                let id = pod::id_of(context, &pod).await?;
                let memory = if memory { true.into() } else { Value::Null };
                let description = if description.is_empty() { Value::Null } else { description.into() };
                let body = object([("name", name.clone().into()), ("description", description), ("memory", memory)]);
                let answer = context.client.post(&pod::path(&id, &["snapshots"]), Some(&body)).await?;
                context.job(&answer.body, &wait, &format!("snapshot {name} of {pod}")).await
            }
            Self::List { pod, limit } => {
                let id = pod::id_of(context, &pod).await?;
                let page = context.client.list(&pod::path(&id, &["snapshots"]), &[], limit.limit as usize).await?;
                context.list(&page, "name", list_table)
            }
            Self::Rollback(One { pod, name, confirm, wait }) => {
                let id = pod::id_of(context, &pod).await?;
                confirm.ask(&format!("Take {pod} back to {name}? What came after it is lost."))?;
                let answer = context.client.post(&pod::path(&id, &["snapshots", &name, "rollback"]), None).await?;
                context.job(&answer.body, &wait, &format!("rollback of {pod} to {name}")).await
            }
            Self::Delete(One { pod, name, confirm, wait }) => {
                let id = pod::id_of(context, &pod).await?;
                confirm.ask(&format!("Delete the snapshot {name} of {pod}?"))?;
                let answer = context.client.delete(&pod::path(&id, &["snapshots", &name])).await?;
                context.job(&answer.body, &wait, &format!("the snapshot {name} of {pod} is being deleted")).await
            }
        }
    }
}

fn list_table(snapshots: &[Value]) -> Table {
    let now = Clock::system().now();
    let mut table = Table::new(&["NAME", "STATE", "MEMORY", "PARENT", "CREATED", "DESCRIPTION"]);
    for snapshot in snapshots {
        table.row([
            text(&snapshot["name"]),
            text(&snapshot["state"]),
            if snapshot["memory"] == true { "yes".to_owned() } else { "no".to_owned() },
            text(&snapshot["parent"]),
            when(&snapshot["created_at"], now),
            text(&snapshot["description"]),
        ]);
    }
    table
}
