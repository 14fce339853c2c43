//! Questions of the control plane that need no command: answered at once, without ledger or job.

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body;
use proto::agent::v1::query::Kind;
use proto::agent::v1::{Query, QueryResult};
use tokio::sync::Semaphore;

use super::Agent;
use super::report::Out;
use crate::convert::given;
use crate::executor::message;
use crate::proxmox::{Hypervisor, MigrateCheck, Volume};

/// Questions at once; more are told to come later.
pub(super) const AT_ONCE_MAX: usize = 4;
/// A question that names no deadline.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(30);
/// So long before the deadline the answer is sent, so that it arrives in time.
const MARGIN: Duration = Duration::from_millis(300);
/// VMs looked at together.
const VMS_AT_ONCE: usize = 4;
/// VMs in one question, and volumes in one answer: it must fit into a message.
const VMS_MAX: usize = 5_000;
const VOLUMES_MAX: usize = 5_000;

/// Answers one question; always, and with its nonce.
pub(super) async fn answer(agent: Arc<Agent>, out: Out, query: Query, places: Arc<Semaphore>) {
    let Query { nonce, deadline_ms, kind } = query;
    let deadline = match deadline_ms {
        0 => tokio::time::Instant::now() + DEADLINE_DEFAULT,
        ms => agent.offset.instant_of(ms),
    };
    let failed = |error: String| QueryResult { error, ..QueryResult::default() };
    let found = match (places.try_acquire(), kind) {
        (Err(_), _) => failed("this agent has too many other questions to answer: ask again".to_owned()),
        (Ok(_), None) => {
            failed(format!("this agent ({}) does not know the question: update the agent", env!("CARGO_PKG_VERSION")))
        }
        (Ok(_place), Some(kind)) => {
            let asking = ask(&*agent.hypervisor, kind);
            match tokio::time::timeout_at(deadline.checked_sub(MARGIN).unwrap_or(deadline), asking).await {
                Ok(found) => found.unwrap_or_else(failed),
                Err(_) => failed("Proxmox did not answer in time".to_owned()),
            }
        }
    };
    // Where the session has ended there is nobody to tell.
    let _ = out.send(message(Body::QueryResult(QueryResult { nonce, ..found }))).await;
}

async fn ask(hypervisor: &dyn Hypervisor, kind: Kind) -> Result<QueryResult, String> {
    match kind {
        Kind::MigrateChecks(wire::MigrateChecks { vmids, target_node }) => {
            if vmids.len() > VMS_MAX {
                return Err(format!("vmids: at most {VMS_MAX} in one question"));
            }
            let target = given(&target_node);
            let checks = stream::iter(vmids).map(|vmid| migrate_check(hypervisor, vmid, target.as_deref()));
            let migrate_checks = checks.buffered(VMS_AT_ONCE).collect().await;
            Ok(QueryResult { migrate_checks, ..QueryResult::default() })
        }
        Kind::StorageContent(wire::StorageContent { storage, content }) => {
            let volumes = hypervisor.storage_content(given(&storage).as_deref(), &content).await;
            let volumes = volumes.map_err(|error| error.message)?;
            if volumes.len() > VOLUMES_MAX {
                return Err(format!("there are {} volumes, more than can be told: name a storage", volumes.len()));
            }
            Ok(QueryResult { volumes: volumes.into_iter().map(volume).collect(), ..QueryResult::default() })
        }
    }
}

async fn migrate_check(hypervisor: &dyn Hypervisor, vmid: u32, target: Option<&str>) -> wire::MigrateCheck {
    match hypervisor.migrate_checks(vmid, target).await {
        Ok(MigrateCheck { allowed_nodes, blockers, local_disk_mib, running }) => {
            wire::MigrateCheck { vmid, allowed_nodes, blockers, local_disk_mib, running, error: String::new() }
        }
        Err(error) => wire::MigrateCheck { vmid, error: error.message, ..wire::MigrateCheck::default() },
    }
}

fn volume(volume: Volume) -> wire::Volume {
    let Volume { volid, content, size_bytes, created_ms } = volume;
    wire::Volume { volid, content, size_bytes, created_ms }
}
