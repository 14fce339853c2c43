//! What takes effect only at a pod's next start: noted, and brought about by the last steps of jobs that were allowed to
//! restart it: restart → wait_running.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::reboot::reboot_verdict;
use super::{BESIDE_GUEST, Books, QUICK, active_pod_of, order, params_of, pod_of, power_store};
use crate::db::Tx;
use crate::domain::cloudpods::{CloudPod, store};
use crate::domain::jobs::{Action, CommandFailure, CommandKind, CommandOutput, Job, Power, Step, Verdict};
use crate::domain::servers::Held;
use crate::error::Result;

/// How long a guest gets to restart, in seconds.
const GUEST_S: u64 = 180;
const RUNNING_WITHIN_S: u64 = 120;

/// Whether a job may restart the pod.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::domain::cloudpods) struct RestartParams {
    pub restart: bool,
}

/// Notes that something waits for the next start, if the agent says so or the caller knows it.
pub(super) async fn restart_note(tx: &mut Tx, books: &Books, pod: &CloudPod, needed: bool) -> Result<()> {
    if needed {
        store::pod_restart_needed_set(tx, pod.id, true, books.clock.now()).await?;
    }
    Ok(())
}

/// The VM was stopped or started anew, so that nothing waits for that any more: what it held of its old size is free.
pub(super) async fn restarted(tx: &mut Tx, books: &Books, pod: &CloudPod) -> Result<()> {
    if !pod.condition.restart_needed {
        return Ok(());
    }
    store::pod_restart_needed_set(tx, pod.id, false, books.clock.now()).await?;
    let size = Held { vcpu: pod.vcpu, memory_mib: pod.memory_mib, disk_gib: pod.disk_gib };
    if let Some(held) = books.servers.reservation_get(tx.conn(), pod.id).await? {
        // Only ever less: what it grew by was held before.
        let to = Held { vcpu: size.vcpu.min(held.vcpu), memory_mib: size.memory_mib.min(held.memory_mib), ..held };
        books.servers.reservation_change(tx, pod.id, to).await?;
    }
    Ok(())
}

fn due(pod: &CloudPod, job: &Job) -> Result<bool> {
    let RestartParams { restart } = params_of(job)?;
    // Only a pod that runs is ever said to need one.
    Ok(restart && pod.condition.restart_needed)
}

/// Restarts the guest, if the job may and something waits for it.
pub(super) struct Restart(pub(super) &'static str);

#[async_trait]
impl Step for Restart {
    fn name(&self) -> &'static str {
        "restart"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, self.0).await?;
        if !due(&pod, job)? {
            let later = if pod.condition.restart_needed {
                "not asked for: it takes effect at the next restart"
            } else {
                "not needed"
            };
            return Ok(Action::Done(later.to_owned()));
        }
        let kind = CommandKind::Reboot { timeout_s: GUEST_S };
        Ok(Action::Command(order(&pod, kind, Duration::from_secs(GUEST_S) + BESIDE_GUEST)?))
    }

    async fn failed(&self, _tx: &mut Tx, _job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        reboot_verdict(failure)
    }
}

/// Waits until it runs again, and notes that nothing waits for its restart any more.
pub(super) struct WaitRestarted(pub(super) Arc<Books>, pub(super) &'static str);

#[async_trait]
impl Step for WaitRestarted {
    fn name(&self) -> &'static str {
        "wait_running"
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let pod = active_pod_of(tx, job, self.1).await?;
        if !due(&pod, job)? {
            return Ok(Action::Done("it was not restarted".to_owned()));
        }
        let kind = CommandKind::WaitPower { power: Power::Running, timeout_s: RUNNING_WITHIN_S };
        Ok(Action::Command(order(&pod, kind, QUICK)?))
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        power_store(tx, &self.0, job, output).await?;
        let pod = pod_of(tx, job).await?;
        restarted(tx, &self.0, &pod).await
    }
}
