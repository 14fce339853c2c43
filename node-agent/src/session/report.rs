//! What the agent tells of its own accord: heartbeats, the inventory and results.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::v1::agent_message::Body;
use proto::agent::v1::{AgentMessage, Heartbeat, Inventory, Traffic, Vm};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tracing::{debug, warn};
use uuid::Uuid;

use super::Agent;
use crate::clock::now_ms;
use crate::convert;
use crate::executor::message;
use crate::proxmox::PveError;

/// When Proxmox has not answered for this long, the heartbeat says so.
const FIGURES_MAX: Duration = Duration::from_secs(5);
/// The longest an inventory may take.
const INVENTORY_MAX: Duration = Duration::from_mins(1);
/// How often it is looked for changes between two full inventories.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Not more looks than one in this time, however much changes.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// A result that was not acknowledged in this time is told again.
const RESULT_REPEATED_AFTER: Duration = Duration::from_secs(30);
/// The longest that the control plane may not take a message before the session is given up.
const SEND_MAX: Duration = Duration::from_secs(30);

/// The way out of one session.
#[derive(Clone)]
pub(super) struct Out(pub(super) mpsc::Sender<AgentMessage>);

/// Nothing can be said in this session any more, and why.
#[derive(Debug)]
pub(super) struct Silenced(pub(super) &'static str);

impl Out {
    pub(super) async fn send(&self, message: AgentMessage) -> Result<(), Silenced> {
        match self.0.send_timeout(message, SEND_MAX).await {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendTimeoutError::Timeout(_)) => Err(Silenced("the control plane takes no messages")),
            Err(mpsc::error::SendTimeoutError::Closed(_)) => Err(Silenced("the stream is closed")),
        }
    }
}

/// Sends heartbeats until the session ends, on time whatever Proxmox does: a Proxmox that hangs must not make the agent look dead.
pub(super) async fn heartbeats(agent: Arc<Agent>, out: Out, every: Duration) -> Silenced {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = Heartbeat { pve_error: "Proxmox has not answered yet".to_owned(), ..Heartbeat::default() };
    loop {
        ticks.tick().await;
        let asked = Instant::now();
        let mut asking = Box::pin(figures(&agent));
        // A heartbeat waits for its figures a little; while they take longer, the next ones go out without.
        let mut due = Box::pin(sleep(FIGURES_MAX.min(every) / 2));
        loop {
            let answer = tokio::select! {
                biased;
                answer = &mut asking => Some(answer),
                () = &mut due => None,
            };
            let is_answered = answer.is_some();
            match answer {
                Some(Ok(figures)) => last = figures,
                Some(Err(error)) => {
                    warn!(cause = %error, "Proxmox does not answer");
                    last = Heartbeat { pve_error: error.message, ..Heartbeat::default() };
                }
                None if asked.elapsed() >= FIGURES_MAX => {
                    warn!("Proxmox has not answered for {:?}", asked.elapsed());
                    let pve_error = format!("Proxmox has not answered for {} s", asked.elapsed().as_secs());
                    last = Heartbeat { pve_error, ..Heartbeat::default() };
                }
                // Not yet late: the figures of before are told again.
                None => {}
            }
            if let Err(silenced) = out.send(message(Body::Heartbeat(completed(&agent, last.clone())))).await {
                return silenced;
            }
            if agent.executor.ledger().error().is_some() && agent.executor.revive().await {
                return Silenced("the ledger can be read again, which the control plane learns with a new session");
            }
            if is_answered {
                break;
            }
            due.as_mut().reset(Instant::now() + every);
        }
    }
}

/// Adds what the agent knows without Proxmox.
fn completed(agent: &Agent, figures: Heartbeat) -> Heartbeat {
    let ledger = agent.executor.ledger();
    Heartbeat {
        clock_ms: now_ms(),
        certificate_not_after_ms: agent.identity.current().not_after_ms,
        ledger_error: ledger.error().unwrap_or_default(),
        ledger_free_mib: ledger.free_mib().unwrap_or_default(),
        ..figures
    }
}

async fn figures(agent: &Agent) -> Result<Heartbeat, PveError> {
    let hypervisor = &agent.hypervisor;
    // Not to be allowed to see the last is no reason to tell nothing.
    let firewall = async { Ok(hypervisor.datacenter_firewall().await.ok()) };
    let (host, storages, cluster, firewall) =
        tokio::try_join!(hypervisor.host_status(), hypervisor.storages(), hypervisor.cluster(), firewall)?;
    let pve_version = if host.pve_version.is_empty() { hypervisor.version().await? } else { host.pve_version };
    Ok(Heartbeat {
        cpu_load: host.cpu_load,
        cpu_threads: host.cpu_threads,
        memory_total_mib: host.memory_total_mib,
        memory_used_mib: host.memory_used_mib,
        storages: storages.into_iter().map(convert::storage).collect(),
        pve_version,
        node_name: cluster.node,
        cluster_name: cluster.name.unwrap_or_default(),
        quorate: cluster.quorate,
        uptime_s: host.uptime_s,
        datacenter_firewall: convert::firewall_state(firewall).into(),
        ..Heartbeat::default()
    })
}

/// Sends inventories until the session ends: a full one first and at every interval, and in between what changes, soon after it did.
pub(super) async fn inventories(agent: Arc<Agent>, out: Out, full_every: Duration) -> Silenced {
    let pause = LOOK_EVERY.min(full_every);
    let mut told: Option<(Told, Instant)> = None;
    loop {
        let before = told.as_ref().filter(|(_, full_at)| full_at.elapsed() < full_every);
        // A full one tells what only configurations do, as it is by then. What was read since it fell due is not read again, so
        // that a host of many VMs gets through them in the end.
        if let (Some((_, full_at)), None) = (&told, before) {
            agent.hypervisor.read_anew(*full_at + full_every);
        }
        match timeout(INVENTORY_MAX, look(&agent)).await {
            Ok(Ok(seen)) => {
                let (inventory, full_at) = match before {
                    Some((before, full_at)) => (seen.since(before), *full_at),
                    None => (Some(seen.full()), Instant::now()),
                };
                if let Some(inventory) = inventory
                    && let Err(silenced) = out.send(message(Body::Inventory(inventory))).await
                {
                    return silenced;
                }
                told = Some((seen, full_at));
            }
            // What cannot be seen is unknown, not gone: nothing is told. The heartbeat tells the error.
            Ok(Err(error)) => warn!(cause = %error, "the inventory could not be read"),
            Err(_) => warn!("the inventory could not be read within {INVENTORY_MAX:?}"),
        }
        sleep(LOOK_PAUSE.min(pause)).await;
        tokio::select! {
            () = sleep(pause.saturating_sub(LOOK_PAUSE)) => {}
            () = agent.executor.touched() => debug!("a command changed something: looking again"),
        }
    }
}

/// What the control plane knows after an inventory.
struct Told {
    vms: HashMap<u32, Vm>,
    bridges: Vec<String>,
    observed_ms: i64,
}

async fn look(agent: &Agent) -> Result<Told, PveError> {
    let observed_ms = now_ms();
    let (vms, bridges) = tokio::try_join!(agent.hypervisor.list_vms(), agent.hypervisor.bridges())?;
    let vms = vms.into_iter().map(|vm| (vm.vmid, convert::vm(vm))).collect();
    Ok(Told { vms, bridges, observed_ms })
}

impl Told {
    fn full(&self) -> Inventory {
        Inventory {
            full: true,
            vms: self.vms.values().cloned().collect(),
            gone: Vec::new(),
            observed_ms: self.observed_ms,
            bridges: self.bridges.clone(),
        }
    }

    /// What is other than before; `None` when nothing is.
    fn since(&self, before: &Self) -> Option<Inventory> {
        let is_new = |vm: &&Vm| before.vms.get(&vm.vmid).is_none_or(|old| !is_same(old, vm));
        let vms: Vec<Vm> = self.vms.values().filter(is_new).cloned().collect();
        let gone: Vec<u32> = before.vms.keys().filter(|vmid| !self.vms.contains_key(vmid)).copied().collect();
        if vms.is_empty() && gone.is_empty() && self.bridges == before.bridges {
            return None;
        }
        let (observed_ms, bridges) = (self.observed_ms, self.bridges.clone());
        Some(Inventory { full: false, vms, gone, observed_ms, bridges })
    }
}

/// Whether nothing worth telling has changed: a running VM's uptime always does, and counts only when it fell, after a restart.
fn is_same(old: &Vm, new: &Vm) -> bool {
    new.uptime_s >= old.uptime_s && *old == Vm { uptime_s: old.uptime_s, ..new.clone() }
}

/// Sends what each running VM of ours has sent and received, until the session ends.
pub(super) async fn traffic(agent: Arc<Agent>, out: Out, every: Duration) -> Silenced {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let observed_ms = now_ms();
        let vms = match timeout(INVENTORY_MAX, agent.hypervisor.list_vms()).await {
            Ok(Ok(vms)) => vms,
            // The counters go on: the next look tells what this one did not.
            Ok(Err(error)) => {
                warn!(cause = %error, "the VMs' traffic could not be read");
                continue;
            }
            Err(_) => {
                warn!("the VMs' traffic could not be read within {INVENTORY_MAX:?}");
                continue;
            }
        };
        let samples = vms.iter().filter_map(convert::traffic).collect();
        if let Err(silenced) = out.send(message(Body::Traffic(Traffic { samples, observed_ms }))).await {
            return silenced;
        }
    }
}

/// Sends every result that is not acknowledged, again and again, until the session ends.
pub(super) async fn results(agent: Arc<Agent>, out: Out) -> Silenced {
    let mut changed = agent.executor.results_changed();
    let mut sent: HashMap<Uuid, (u64, Instant)> = HashMap::new();
    loop {
        changed.borrow_and_update();
        let waiting = agent.executor.results();
        sent.retain(|id, _| waiting.iter().any(|(other, ..)| other == id));
        for (id, epoch, result) in waiting {
            let is_sent = sent.get(&id).is_some_and(|(e, at)| *e == epoch && at.elapsed() < RESULT_REPEATED_AFTER);
            if !is_sent {
                if let Err(silenced) = out.send(result).await {
                    return silenced;
                }
                sent.insert(id, (epoch, Instant::now()));
            }
        }
        tokio::select! {
            changed = changed.changed() => if changed.is_err() {
                return Silenced("the executor has ended");
            },
            () = sleep(RESULT_REPEATED_AFTER) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(vms: &[(u32, &str, u64)]) -> Told {
        let vm = |(vmid, name, uptime_s): &(u32, &str, u64)| {
            (*vmid, Vm { vmid: *vmid, name: (*name).to_owned(), uptime_s: *uptime_s, ..Vm::default() })
        };
        Told { vms: vms.iter().map(vm).collect(), bridges: vec!["vmbr0".to_owned()], observed_ms: 7 }
    }

    #[test]
    fn an_inventory_of_changes_tells_what_is_new_other_restarted_or_gone() {
        let before = told(&[(100, "same", 5), (101, "renamed", 5), (102, "restarted", 5), (103, "gone", 5)]);
        let after = told(&[(100, "same", 65), (101, "new name", 65), (102, "restarted", 1), (104, "new", 0)]);
        let mut inventory = after.since(&before).unwrap();
        inventory.vms.sort_by_key(|vm| vm.vmid);
        assert_eq!(inventory.vms.iter().map(|vm| vm.vmid).collect::<Vec<_>>(), [101, 102, 104]);
        assert_eq!((inventory.gone, inventory.full, inventory.observed_ms), (vec![103], false, 7));
        assert_eq!(after.full().vms.len(), 4);
        assert_eq!(after.since(&after), None);
    }
}
