//! `mpanel pod migrate`: a pod to another host.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::common::{Context, Wait, object};
use super::failure::Result;
use super::humane::parse_duration;
use super::pod::{id_of, path};

/// A pod to be moved.
#[derive(Args)]
pub struct Migrate {
    /// Name or id
    pod: String,
    /// To this host: name or id [default: wherever it fits best]
    #[arg(long, value_name = "SERVER")]
    to: Option<String>,
    /// Onto this storage there; within a cluster a disk on storage that it shares stays on that
    #[arg(long)]
    storage: Option<String>,
    /// How [default: live if it runs, otherwise offline; remote, to another Proxmox cluster, if its own has no room]
    #[arg(long, value_parser = ["live", "offline", "remote"])]
    method: Option<String>,
    /// Only if its disks are on a storage that both hosts share
    #[arg(long)]
    no_local_disks: bool,
    /// If it cannot be moved while it runs, let its guest shut down, and start it again afterwards
    #[arg(long)]
    allow_shutdown: bool,
    /// How long the guest gets for that, from 5s to 1h [default: 3m]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    grace: Option<Duration>,
    #[command(flatten)]
    wait: Wait,
}

impl Migrate {
    fn body(&self) -> Value {
        let told = |flag: bool, value: bool| if flag { value.into() } else { Value::Null };
        object([
            ("server", self.to.clone().into()),
            ("storage", self.storage.clone().into()),
            ("method", self.method.clone().into()),
            ("with_local_disks", told(self.no_local_disks, false)),
            ("allow_shutdown", told(self.allow_shutdown, true)),
            ("shutdown_s", self.grace.map(|grace| grace.as_secs()).into()),
        ])
    }

    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let id = id_of(context, &self.pod).await?;
        let answer = context.client.post(&path(&id, &["migrate"]), Some(&self.body())).await?;
        context.job(&answer.body, &self.wait, &format!("{} is being moved", self.pod)).await
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Parser)]
    struct Migrates {
        #[command(flatten)]
        migrate: Migrate,
    }

    #[test]
    fn a_move_is_asked_for_with_what_was_given_and_no_more() {
        let body = |line: &str| Migrates::parse_from(line.split(' ')).migrate.body();
        assert_eq!(body("x web-1"), json!({}));
        assert_eq!(
            body("x web-1 --to pve2 --method offline --no-local-disks --allow-shutdown --grace 1m"),
            json!({ "server": "pve2", "method": "offline", "with_local_disks": false, "allow_shutdown": true, "shutdown_s": 60 })
        );
    }
}
