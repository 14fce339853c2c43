//! What takes effect only at a pod's next start: noted, and brought about by the last steps of jobs that were allowed to
//! restart it: restart → wait_running.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::running::{Subject, Turn};
use super::{Books, active_pod_of, params_of};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, RestartCause, store};
use crate::domain::jobs::Job;
use crate::domain::servers::Held;
use crate::error::Result;

/// Whether a job may restart the pod.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct RestartParams {
    pub restart: bool,
}

/// Notes that something waits for the next start, if the agent says so or the caller knows it.
pub(super) async fn restart_note(
    tx: &mut Tx,
    books: &Books,
    pod: &CloudPod,
    cause: RestartCause,
    needed: bool,
) -> Result<()> {
    let mut causes = pod.condition.restart_causes.clone();
    if needed && causes.insert(cause) {
        store::pod_restart_causes_set(tx, pod.id, causes, books.clock.now()).await?;
    }
    Ok(())
}

/// What was changed was put back: it waits only if the agent says that something does all the same. What other changes wait for
/// stays noted.
pub(super) async fn restart_undone(
    tx: &mut Tx,
    books: &Books,
    pod: &CloudPod,
    cause: RestartCause,
    needed: bool,
) -> Result<()> {
    let mut causes = pod.condition.restart_causes.clone();
    let is_other = if needed { causes.insert(cause) } else { causes.remove(&cause) };
    if is_other {
        store::pod_restart_causes_set(tx, pod.id, causes, books.clock.now()).await?;
    }
    Ok(())
}

/// The VM was stopped or started anew, so that nothing waits for that any more: what it held of its old size is free.
pub(super) async fn restarted(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<()> {
    if pod.condition.restart_causes.is_empty() {
        return Ok(());
    }
    store::pod_restart_causes_set(tx, pod.id, BTreeSet::new(), books.clock.now()).await?;
    let size = Held { vcpu: pod.vcpu, memory_mib: pod.memory_mib, disk_gib: pod.disk_gib };
    if let Some(held) = books.servers.reservation_get(tx.conn(), pod.id).await? {
        // Only ever less: what it grew by was held before.
        let to = Held { vcpu: size.vcpu.min(held.vcpu), memory_mib: size.memory_mib.min(held.memory_mib), ..held };
        books.servers.reservation_change(tx, pod.id, to).await?;
    }
    Ok(())
}

/// If the job may restart it, and what it changed waits for that. What the job does to it, for its refusal: `be resized`.
pub(super) struct IfNeeded(pub(super) &'static str, pub(super) RestartCause);

#[async_trait]
impl Subject for IfNeeded {
    async fn turn(&self, tx: &mut Tx, job: &Job) -> Result<Turn> {
        let pod = active_pod_of(tx, job, self.0).await?;
        let RestartParams { restart } = params_of(job)?;
        // Only a pod that runs is ever said to need one.
        Ok(match (pod.condition.restart_causes.contains(&self.1), restart) {
            (true, true) => Turn::go(pod),
            (true, false) => Turn::rest("not asked for: it takes effect at the next restart"),
            (false, _) => Turn::rest("not needed"),
        })
    }
}
