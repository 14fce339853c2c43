//! `mpanel pod …`: what is done to a pod beside its power.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::common::{Context, Wait, object};
use super::failure::Result;
use super::humane::parse_duration;
use super::pod::{Act, act};

/// What is done to a pod beside its power.
#[derive(Subcommand)]
pub enum Operation {
    /// Lock a pod against its customer and power it off
    #[command(after_help = "Example:\n  mpanel pod suspend web-1 --reason 'invoice 118 is overdue' --wait")]
    Suspend {
        /// Name or id
        pod: String,
        /// Why; shown with the pod
        #[arg(long)]
        reason: String,
        /// How long the guest gets to shut down before its power is cut, from 5s to 1h [default: 1m]
        #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
        grace: Option<Duration>,
        #[command(flatten)]
        wait: Wait,
    },
    /// Give a suspended pod back to its customer
    #[command(after_help = "Example:\n  mpanel pod unsuspend web-1 --wait")]
    Unsuspend(Act),
    /// Change a pod's size: to that of a plan, or by single figures
    #[command(after_help = "Example:\n  mpanel pod resize web-1 --plan large --restart --wait")]
    Resize(Resize),
}

/// A new size.
#[derive(Args)]
pub struct Resize {
    /// Name or id
    pod: String,
    /// The size of this plan: name or id
    #[arg(long, conflicts_with_all = ["vcpu", "memory", "disk"])]
    plan: Option<String>,
    /// Virtual CPUs
    #[arg(long, value_name = "N")]
    vcpu: Option<u32>,
    /// Memory in MiB
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// Disk in GiB; it only grows
    #[arg(long, value_name = "GIB")]
    disk: Option<u64>,
    /// Restart it, if the new size needs that
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    wait: Wait,
}

/// What is only said when it is so.
fn flag(set: bool) -> Value {
    if set { true.into() } else { Value::Null }
}

impl Operation {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        match self {
            Self::Suspend { pod, reason, grace, wait } => {
                let timeout_s = grace.map(|grace| grace.as_secs()).into();
                let body = object([("reason", reason.into()), ("timeout_s", timeout_s)]);
                act(context, &pod, "suspend", Some(body), &wait).await
            }
            Self::Unsuspend(Act { pod, wait }) => act(context, &pod, "unsuspend", None, &wait).await,
            Self::Resize(Resize { pod, plan, vcpu, memory, disk, restart, wait }) => {
                let body = object([
                    ("plan", plan.into()),
                    ("vcpu", vcpu.into()),
                    ("memory_mib", memory.into()),
                    ("disk_gib", disk.into()),
                    ("restart", flag(restart)),
                ]);
                act(context, &pod, "resize", Some(body), &wait).await
            }
        }
    }
}
