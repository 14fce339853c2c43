//! The mPanel node agent: runs the control plane's commands on one Proxmox VE host.
//!
//! ```text
//! control plane ◀── session/ (one stream, mutual TLS) ──▶ executor/ ──▶ proxmox/ (trait Hypervisor) ──▶ Proxmox VE
//!                                                            │
//!                                                         ledger (on disk before anything is promised or begun)
//! ```
//!
//! What always holds:
//! - A command runs at most once, however often it is delivered and whenever the agent dies: the ledger is written before Proxmox is
//!   called, the task's id before it is waited for, the end before it is reported.
//! - A lost session stops no command; a result is repeated until it is acknowledged.
//! - What Proxmox does not tell is unknown, never absent.
//! - Keys, passwords and tokens are in no log, and passwords, tokens and SSH keys not in the ledger.
//! - Whatever is started is awaited or ended before the agent ends.
//!
//! `tonic` is used in `session/` only, the `backoff` crate in `backoff_policy` only.

pub mod backoff_policy;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod convert;
mod convert_commands;
pub mod enroll;
pub mod error;
pub mod executor;
pub mod fault;
pub mod files;
pub mod identity;
pub mod ledger;
pub mod proxmox;
pub mod session;
pub mod telemetry;
pub mod tls;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

pub use config::Config;
pub use error::{Error, Result};

use clock::Offset;
use executor::{Executor, Limits};
use identity::IdentityStore;
use ledger::{Ledger, OpenError, Opened};
use proxmox::Hypervisor;
use session::Agent;

/// How long calls to Proxmox and writes under way may take when the agent stops.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// A ledger in use is waited for this long: the agent that had it may just be ending.
const LEDGER_PATIENCE: Duration = Duration::from_secs(3);
/// How often old commands are forgotten.
const PRUNE_EVERY: Duration = Duration::from_hours(1);

/// Runs the agent until `shutdown`. It must have been enrolled into `config.agent.state_dir`.
///
/// # Errors
/// When there is no identity or another agent uses the state directory. Whatever happens later is logged and waited out.
pub async fn run(config: Config, hypervisor: Arc<dyn Hypervisor>, shutdown: CancellationToken) -> Result<()> {
    let state_dir = config.agent.state_dir.clone();
    let identity = IdentityStore::open(&state_dir)?;
    let (ledger, opened) = open_ledger(&state_dir).await?;
    let offset = Arc::new(Offset::default());
    let limits = Limits { at_once: config.agent.commands_at_once, open_max: config.agent.commands_open_max };
    let executor = Executor::start(hypervisor.clone(), ledger, opened, offset.clone(), limits);
    let agent = Arc::new(Agent {
        config,
        identity,
        hypervisor,
        executor: executor.clone(),
        offset,
        boot_id: Uuid::new_v4().to_string(),
        machine_id: machine_id(),
        stopping: shutdown.clone(),
        consoles: session::Consoles::default(),
    });
    info!(version = env!("CARGO_PKG_VERSION"), server = %agent.identity.current().server_name, "the agent runs");
    let pruning = async {
        loop {
            executor.prune().await;
            tokio::time::sleep(PRUNE_EVERY).await;
        }
    };
    tokio::select! {
        () = session::run(agent) => {}
        () = pruning => {}
    }
    info!("the agent stops; what runs in Proxmox runs on");
    executor.stop(STOP_GRACE).await;
    Ok(())
}

async fn open_ledger(state_dir: &Path) -> Result<(Ledger, Opened)> {
    let begin = tokio::time::Instant::now();
    loop {
        match Ledger::open(state_dir).await {
            Ok(opened) => return Ok(opened),
            Err(OpenError::InUse(_)) if begin.elapsed() < LEDGER_PATIENCE => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(Error::Ledger(error.to_string())),
        }
    }
}

/// A mark of this host that tells two hosts with one identity apart. Hashed, as the machine id itself is nobody's business.
fn machine_id() -> String {
    let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    if id.trim().is_empty() {
        return String::new();
    }
    let hash = Sha256::new().chain_update(b"mpanel-agent:").chain_update(id.trim()).finalize();
    identity::hex(&hash[..16])
}
