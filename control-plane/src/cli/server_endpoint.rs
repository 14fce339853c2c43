//! `mpanel server endpoint`: where hosts of other Proxmox clusters send VMs to.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::common::{Context, text};
use super::failure::{Failure, Result};
use super::humane::when;
use super::output::document;
use super::table::Table;
use crate::clock::Clock;

/// A token's file holds one line.
const TOKEN_BYTES_MAX: u64 = 4096;

/// A host as the target of moves from other Proxmox clusters.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("change").multiple(true).requires_all(["host", "fingerprint", "proxmox_token_file"]))]
pub struct Endpoint {
    /// Name or id
    server: String,
    /// Set it: the name or address under which other hosts reach this one
    #[arg(long, group = "change")]
    host: Option<String>,
    /// The port of its Proxmox API
    #[arg(long, default_value_t = 8006, requires = "host")]
    port: u16,
    /// SHA-256 of its certificate, as `pvenode cert info` shows it
    #[arg(long, group = "change", value_name = "AA:BB:…")]
    fingerprint: Option<String>,
    /// A file with an API token of its cluster, user@realm!id=secret
    #[arg(long, group = "change", value_name = "FILE")]
    proxmox_token_file: Option<PathBuf>,
    /// Take it away
    #[arg(long, conflicts_with = "change")]
    remove: bool,
}

impl Endpoint {
    /// Runs it.
    pub async fn run(self, context: &Context) -> Result<()> {
        let path = ["platform", "servers", &self.server, "migration-endpoint"];
        if self.remove {
            context.client.delete(&path).await?;
            context.out.note(format!("no VM of another cluster goes to {} any more", self.server));
            return Ok(());
        }
        let answer = match (&self.host, &self.fingerprint, &self.proxmox_token_file) {
            (Some(host), Some(fingerprint), Some(file)) => {
                let wrong = |why: String| Failure::usage(format!("--proxmox-token-file: {}: {why}", file.display()));
                let length = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
                if length > TOKEN_BYTES_MAX {
                    return Err(wrong("is far too large to hold a token".to_owned()));
                }
                let token = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
                let body = json!({
                    "host": host, "port": self.port, "fingerprint": fingerprint, "token": token.trim(),
                });
                context.client.put(&path, &body, None).await?
            }
            _ => match context.client.get(&path, &[]).await {
                Err(Failure::Problem(problem)) if problem.status == 404 => return Err(self.missing(context).await?),
                answer => answer?,
            },
        };
        if context.out.json {
            return document(&answer.body);
        }
        let mut table = Table::fields();
        table.field("Host", text(&answer.body["host"]));
        table.field("Port", text(&answer.body["port"]));
        table.field("Fingerprint", text(&answer.body["fingerprint"]));
        table.field("Set", when(&answer.body["updated_at"], Clock::system().now()));
        context.out.table(&table)
    }

    /// That none is set, unless there is no such server.
    async fn missing(&self, context: &Context) -> Result<Failure> {
        context.client.get(&["platform", "servers", &self.server], &[]).await?;
        Ok(Failure::missing(&format!(
            "no migration endpoint of the server {} is set; set it with `mpanel server endpoint {} --host … --fingerprint … \
             --proxmox-token-file …`",
            self.server, self.server
        )))
    }
}
