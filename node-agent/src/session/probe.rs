//! Test-connection: the checks that only the agent can make, each told as soon as it is made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::agent::v1::agent_message::Body;
use proto::agent::v1::{Probe, ProbeResult};
use tokio::sync::{Semaphore, mpsc};

use super::Agent;
use super::report::Out;
use crate::clock::now_ms;
use crate::convert;
use crate::executor::message;
use crate::ledger::Ledger;
use crate::proxmox::{Check, CheckState, ProbeSpec};

/// Probes at once; more are told to come later.
pub(super) const AT_ONCE_MAX: usize = 2;
/// A probe that names no deadline.
const DEADLINE_DEFAULT: Duration = Duration::from_secs(9);
/// So long before the deadline the answer is sent, so that it arrives in time.
const MARGIN: Duration = Duration::from_millis(300);

/// The most checks of a probe beside those of names that it was given.
const CHECKS_OWN_MAX: usize = 64;

/// Makes the checks and tells each; ends with a message that no more follow.
pub(super) async fn answer(agent: Arc<Agent>, out: Out, probe: Probe, places: Arc<Semaphore>) {
    let Probe { nonce, storages, bridges, templates, deadline_ms } = probe;
    let tell = async |checks: Vec<Check>, partial: bool| {
        let checks = checks.into_iter().map(convert::check).collect();
        // Where the session has ended there is nobody to tell.
        let _ = out.send(message(Body::ProbeResult(ProbeResult { nonce, checks, clock_ms: now_ms(), partial }))).await;
    };
    let Ok(_place) = places.try_acquire() else {
        let busy = failed("proxmox", "other connection tests are under way on this agent", "try again in ten seconds");
        return tell(vec![busy], false).await;
    };
    let deadline = match deadline_ms {
        0 => tokio::time::Instant::now() + DEADLINE_DEFAULT,
        ms => agent.offset.instant_of(ms),
    };
    tell(vec![ledger_check(agent.executor.ledger())], true).await;
    // A probe makes a few checks and one for each name that it was given.
    let (found, mut checks) = mpsc::channel(CHECKS_OWN_MAX + storages.len() + bridges.len() + templates.len());
    let spec = ProbeSpec { storages, bridges, templates };
    let begin = Instant::now();
    let send = move |check: Check| {
        if let Err(error) = found.try_send(check) {
            tracing::error!(%error, "a probe made more checks than it can; this one is not told");
        }
    };
    let probing = async move { agent.hypervisor.probe(&spec, &send).await };
    let telling = async {
        while let Some(check) = checks.recv().await {
            tell(vec![check], true).await;
        }
    };
    let both = async { tokio::join!(probing, telling) };
    let in_time = tokio::time::timeout_at(deadline.checked_sub(MARGIN).unwrap_or(deadline), both).await.is_ok();
    let late = || {
        let text = format!("Proxmox did not answer all checks within {} ms", begin.elapsed().as_millis());
        failed("proxmox", &text, "look at the load of the host and at `systemctl status pveproxy pvedaemon` there")
    };
    tell(if in_time { Vec::new() } else { vec![late()] }, false).await;
}

fn failed(name: &'static str, message: &str, advice: &str) -> Check {
    Check { name, state: CheckState::Fail, took_ms: 0, message: message.to_owned(), advice: advice.to_owned() }
}

/// Whether commands can be accepted.
pub(crate) fn ledger_check(ledger: &Ledger) -> Check {
    let begin = Instant::now();
    let (state, message, advice) = match (ledger.error(), ledger.free_mib()) {
        (Some(error), _) => {
            (CheckState::Fail, error, "free space on that disk, or make it writable for the agent's user")
        }
        (None, Ok(free)) => (CheckState::Ok, format!("writable, {free} MiB free"), ""),
        (None, Err(error)) => (CheckState::Warn, error, "look at the agent's state directory"),
    };
    Check { name: "ledger", state, took_ms: begin.elapsed().as_millis() as u64, message, advice: advice.to_owned() }
}
