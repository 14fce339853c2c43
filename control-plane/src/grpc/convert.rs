//! Between the contract with the agents and the domain. Whatever an agent sends is cut to a bounded size and freed of what a
//! database cannot store; a kind or value that this build does not know becomes "unknown", never a failure.

use std::collections::BTreeMap;

use proto::agent::v1 as wire;
use tonic::Status;

use super::convert_command;
use crate::clock::Ms;
use crate::domain::jobs::command::FirewallAction;
use crate::domain::jobs::engine::ResultReport;
use crate::domain::jobs::{
    AgentCommand, BackupSeen, CommandFailure, CommandOutput, FailureKind, Order, Power, Presence, SnapshotSeen,
};
use crate::domain::servers::{
    Card, Check, CheckState, FirewallOptions, Heartbeat, Hello, Inventory, InventoryVm, ProbeSpec, StorageSeen,
};
use crate::domain::traffic::Sample;
use crate::ids::CommandId;

/// Names, ids and versions.
const NAME_CHARS_MAX: usize = 255;
/// Messages and log lines.
const TEXT_CHARS_MAX: usize = 4096;
/// Lines of one message.
const LINES_MAX: usize = 1000;
/// Entries of a list.
const LIST_MAX: usize = 4096;
/// Proxmox's cards are `net0` to `net31`.
const CARDS_MAX: usize = 32;
/// The largest amount that is believed; everything stays far from the ends of BIGINT.
const AMOUNT_MAX: u64 = 1 << 52;

/// What an agent says first.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) hello: Hello,
    pub(super) protocol: std::ops::RangeInclusive<u32>,
    /// How many commands stand in its ledger, and how many of them have ended.
    pub(super) open: usize,
    pub(super) finished: usize,
}

/// How far a command is.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) command: CommandId,
    pub(super) epoch: u64,
    pub(super) percent: u8,
    pub(super) log: Vec<String>,
}

fn name(text: String) -> String {
    cut(text, NAME_CHARS_MAX)
}

fn text(text: String) -> String {
    cut(text, TEXT_CHARS_MAX)
}

/// PostgreSQL stores no NUL.
fn cut(text: String, chars_max: usize) -> String {
    if text.len() <= chars_max && !text.contains('\0') {
        return text;
    }
    text.chars().filter(|c| *c != '\0').take(chars_max).collect()
}

fn lines(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().take(LINES_MAX).map(text).collect()
}

fn amount(amount: u64) -> u64 {
    amount.min(AMOUNT_MAX)
}

fn time(ms: i64) -> Ms {
    Ms(ms.clamp(0, AMOUNT_MAX as i64))
}

fn command_id(id: &str) -> Result<CommandId, Status> {
    id.parse().map_err(|_| Status::invalid_argument("command_id: must be a UUID"))
}

pub(super) fn opening(hello: wire::Hello) -> Opening {
    let wire::Hello { agent_version, protocol_min, protocol_max, boot_id, open, clock_ms: _, machine_id } = hello;
    Opening {
        hello: Hello { agent_version: name(agent_version), boot_id: name(boot_id), machine_id: name(machine_id) },
        protocol: protocol_min..=protocol_max,
        finished: open.iter().filter(|entry| entry.finished).count(),
        open: open.len(),
    }
}

pub(super) fn heartbeat(heartbeat: wire::Heartbeat) -> Heartbeat {
    let datacenter_firewall = match heartbeat.datacenter_firewall() {
        wire::FirewallState::Unknown => None,
        wire::FirewallState::On => Some(true),
        wire::FirewallState::Off => Some(false),
    };
    let wire::Heartbeat {
        clock_ms,
        cpu_load,
        cpu_threads,
        memory_total_mib,
        memory_used_mib,
        storages,
        pve_version,
        node_name,
        cluster_name,
        quorate,
        certificate_not_after_ms,
        pve_error,
        ledger_error,
        ledger_free_mib,
        uptime_s,
        datacenter_firewall: _,
    } = heartbeat;
    // Two entries of one name would be two rows of one key; the later one counts.
    let storages: BTreeMap<_, _> =
        storages.into_iter().take(LIST_MAX).map(storage).map(|seen| (seen.name.clone(), seen)).collect();
    Heartbeat {
        clock: time(clock_ms),
        cpu_load: if cpu_load.is_nan() { 0.0 } else { cpu_load.clamp(0.0, 1.0) },
        cpu_threads: cpu_threads.min(1 << 20),
        memory_total_mib: amount(memory_total_mib),
        memory_used_mib: amount(memory_used_mib),
        storages: storages.into_values().collect(),
        pve_version: name(pve_version),
        node_name: name(node_name),
        cluster_name: name(cluster_name),
        quorate,
        certificate_not_after: (certificate_not_after_ms > 0).then(|| time(certificate_not_after_ms)),
        pve_error: text(pve_error),
        ledger_error: text(ledger_error),
        ledger_free_mib: amount(ledger_free_mib),
        uptime_s: amount(uptime_s),
        datacenter_firewall,
    }
}

fn storage(storage: wire::Storage) -> StorageSeen {
    let wire::Storage { name: id, active, shared, holds_images, holds_backups, total_mib, used_mib, kind } = storage;
    StorageSeen {
        name: name(id),
        active,
        shared,
        holds_images,
        holds_backups,
        total_mib: amount(total_mib),
        used_mib: amount(used_mib),
        kind: name(kind),
    }
}

pub(super) fn inventory(inventory: wire::Inventory) -> Inventory {
    let wire::Inventory { full, vms, gone, observed_ms, bridges } = inventory;
    let vms: BTreeMap<_, _> = vms.into_iter().map(vm).map(|vm| (vm.vmid, vm)).collect();
    Inventory {
        full,
        vms: vms.into_values().collect(),
        gone,
        observed: time(observed_ms),
        bridges: bridges.into_iter().take(LIST_MAX).map(name).collect(),
    }
}

fn vm(vm: wire::Vm) -> InventoryVm {
    let power = power(vm.power());
    let wire::Vm {
        vmid,
        name: label,
        power: _,
        template,
        pod_id,
        command_id,
        lock,
        vcpu,
        memory_mib,
        disk_mib,
        uptime_s,
        start_on_boot,
        cards,
        firewall,
    } = vm;
    InventoryVm {
        vmid,
        name: name(label),
        power,
        template,
        // A stamp that is no id of ours was written by somebody else.
        pod: pod_id.parse().ok(),
        command: command_id.parse().ok(),
        lock: name(lock),
        vcpu: vcpu.min(1 << 20),
        memory_mib: amount(memory_mib),
        disk_mib: amount(disk_mib),
        uptime_s: amount(uptime_s),
        start_on_boot,
        cards: cards.map(|wire::VmCards { cards }| cards.into_iter().take(CARDS_MAX).map(card).collect()),
        firewall: firewall.map(|firewall| {
            let (policy_in, policy_out) = (action(firewall.policy_in()), action(firewall.policy_out()));
            let wire::VmFirewall { enabled, policy_in: _, policy_out: _, mac_filter, ip_filter } = firewall;
            FirewallOptions { enabled, policy_in, policy_out, mac_filter, ip_filter }
        }),
    }
}

fn card(card: wire::VmCard) -> Card {
    let wire::VmCard { index, bridge, vlan, mac, firewall, link_down, trunks } = card;
    let (bridge, mac, trunks) = (name(bridge), name(mac), name(trunks));
    Card { index, bridge, vlan: Some(vlan).filter(|tag| *tag > 0), mac, firewall, link_down, trunks }
}

fn action(action: wire::FirewallAction) -> Option<FirewallAction> {
    match action {
        wire::FirewallAction::Unspecified => None,
        wire::FirewallAction::Accept => Some(FirewallAction::Accept),
        wire::FirewallAction::Drop => Some(FirewallAction::Drop),
        wire::FirewallAction::Reject => Some(FirewallAction::Reject),
    }
}

fn power(power: wire::Power) -> Power {
    match power {
        wire::Power::Unknown => Power::Unknown,
        wire::Power::Running => Power::Running,
        wire::Power::Stopped => Power::Stopped,
        wire::Power::Paused => Power::Paused,
    }
}

fn presence(presence: wire::Presence) -> Presence {
    match presence {
        wire::Presence::Unknown => Presence::Unknown,
        wire::Presence::Present => Presence::Present,
        wire::Presence::Absent => Presence::Absent,
    }
}

pub(super) fn progress(progress: wire::CommandProgress) -> Result<Progress, Status> {
    let wire::CommandProgress { command_id: id, epoch, percent, log, upid: _ } = progress;
    Ok(Progress {
        command: command_id(&id)?,
        epoch,
        percent: u8::try_from(percent.min(100)).unwrap_or(100),
        log: lines(log),
    })
}

pub(super) fn result(result: wire::CommandResult) -> Result<ResultReport, Status> {
    let wire::CommandResult { command_id: id, epoch, outcome, log, started_ms: _, finished_ms: _, cancelled: _ } =
        result;
    let outcome = match outcome {
        Some(wire::command_result::Outcome::Ok(done)) => Ok(output(done)),
        Some(wire::command_result::Outcome::Error(error)) => Err(failure(error)),
        None => Err(CommandFailure {
            kind: FailureKind::Lost,
            message: "the agent reported neither success nor failure".into(),
            upid: String::new(),
            presence: Presence::Unknown,
        }),
    };
    Ok(ResultReport { command: command_id(&id)?, epoch, outcome, log: lines(log) })
}

fn output(output: wire::CommandOutput) -> CommandOutput {
    let (presence, power) = (presence(output.presence()), power(output.power()));
    let wire::CommandOutput {
        presence: _,
        power: _,
        vmid,
        warnings,
        upid,
        snapshots,
        backups,
        node,
        restart_needed,
        macs,
    } = output;
    CommandOutput {
        presence,
        power,
        vmid,
        warnings: lines(warnings),
        upid: name(upid),
        snapshots: snapshots.into_iter().take(LIST_MAX).map(snapshot).collect(),
        backups: backups.into_iter().take(LIST_MAX).map(backup).collect(),
        node: name(node),
        restart_needed,
        macs: macs.into_iter().take(CARDS_MAX).map(|(index, mac)| (index, name(mac))).collect(),
    }
}

fn snapshot(snapshot: wire::Snapshot) -> SnapshotSeen {
    let wire::Snapshot { name: label, description, created_ms, memory, parent } = snapshot;
    SnapshotSeen {
        name: name(label),
        description: text(description),
        created_at: time(created_ms),
        memory,
        parent: Some(name(parent)).filter(|parent| !parent.is_empty()),
    }
}

fn backup(backup: wire::Backup) -> BackupSeen {
    let wire::Backup { volid, created_ms, size_bytes, pod_id, command_id } = backup;
    BackupSeen {
        volid: name(volid),
        created_at: time(created_ms),
        size_bytes: amount(size_bytes),
        pod: pod_id.parse().ok(),
        command: command_id.parse().ok(),
    }
}

fn failure(error: wire::CommandError) -> CommandFailure {
    let (kind, presence) = (failure_kind(error.kind()), presence(error.presence()));
    let wire::CommandError { kind: _, message, upid, presence: _ } = error;
    CommandFailure { kind, message: text(message), upid: name(upid), presence }
}

fn failure_kind(kind: wire::ErrorKind) -> FailureKind {
    match kind {
        // A kind newer than this build: what it means for the outcome is not known.
        wire::ErrorKind::Unspecified | wire::ErrorKind::Lost => FailureKind::Lost,
        wire::ErrorKind::Timeout => FailureKind::Timeout,
        wire::ErrorKind::Locked => FailureKind::Locked,
        wire::ErrorKind::Unavailable => FailureKind::Unavailable,
        wire::ErrorKind::BadParameter => FailureKind::BadParameter,
        wire::ErrorKind::NotFound => FailureKind::NotFound,
        wire::ErrorKind::Permission => FailureKind::Permission,
        wire::ErrorKind::VmidTaken => FailureKind::VmidTaken,
        wire::ErrorKind::NoSpace => FailureKind::NoSpace,
        wire::ErrorKind::TaskFailed => FailureKind::TaskFailed,
        wire::ErrorKind::Unsupported => FailureKind::Unsupported,
        wire::ErrorKind::Ledger => FailureKind::Ledger,
        wire::ErrorKind::Cancelled => FailureKind::Cancelled,
        wire::ErrorKind::ForeignVm => FailureKind::ForeignVm,
        wire::ErrorKind::Deadline => FailureKind::Deadline,
        wire::ErrorKind::GuestAgent => FailureKind::GuestAgent,
        wire::ErrorKind::Refused => FailureKind::Refused,
    }
}

pub(super) fn check(check: wire::Check) -> Check {
    let state = match check.state() {
        wire::CheckState::Ok => CheckState::Ok,
        wire::CheckState::Unspecified | wire::CheckState::Warn => CheckState::Warn,
        wire::CheckState::Fail => CheckState::Fail,
    };
    let wire::Check { name: id, state: _, took_ms, message, advice } = check;
    Check { name: name(id), state, took_ms: amount(took_ms), message: text(message), advice: text(advice) }
}

// ---- control plane → agent ----

pub(super) fn message(body: wire::control_message::Body) -> wire::ControlMessage {
    wire::ControlMessage { body: Some(body) }
}

pub(super) fn run(order: Order) -> wire::ControlMessage {
    let Order { id, epoch, deadline, command } = order;
    // The timeout is in the deadline, the server is the one that this goes to.
    let AgentCommand { server: _, pod, vmid, kind, timeout: _ } = command;
    message(wire::control_message::Body::Run(wire::RunCommand {
        command_id: id.to_string(),
        epoch,
        deadline_ms: deadline.0,
        pod_id: pod.to_string(),
        vmid,
        kind: Some(convert_command::command_kind(kind)),
    }))
}

pub(super) fn cancel(command: CommandId, epoch: u64) -> wire::ControlMessage {
    message(wire::control_message::Body::Cancel(wire::CancelCommand { command_id: command.to_string(), epoch }))
}

pub(super) fn acknowledge(command: CommandId, epoch: u64) -> wire::ControlMessage {
    message(wire::control_message::Body::Ack(wire::AckResult { command_id: command.to_string(), epoch }))
}

pub(super) fn probe(nonce: u64, spec: ProbeSpec, deadline: Ms) -> wire::ControlMessage {
    let ProbeSpec { storages, bridges, templates } = spec;
    message(wire::control_message::Body::Probe(wire::Probe {
        nonce,
        storages,
        bridges,
        templates,
        deadline_ms: deadline.0,
    }))
}

pub(super) fn ping(nonce: u64) -> wire::ControlMessage {
    message(wire::control_message::Body::Ping(wire::Ping { nonce }))
}

/// What an agent says of its VMs' traffic. What bears no pod's stamp is nobody's.
pub(super) fn traffic(traffic: wire::Traffic) -> Vec<Sample> {
    let wire::Traffic { samples, observed_ms: _ } = traffic;
    let sample = |sample: wire::TrafficSample| {
        let wire::TrafficSample { vmid, pod_id, in_bytes, out_bytes, uptime_s } = sample;
        let [in_bytes, out_bytes, uptime_s] = [in_bytes, out_bytes, uptime_s].map(|amount| amount.min(AMOUNT_MAX));
        Some(Sample { vmid, pod: pod_id.parse().ok()?, in_bytes, out_bytes, uptime_s })
    };
    samples.into_iter().take(LIST_MAX).filter_map(sample).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_writes_is_cut_and_freed_of_nul() {
        let seen = heartbeat(wire::Heartbeat {
            pve_error: "\0".to_owned() + &"é".repeat(10_000),
            cpu_load: f64::NAN,
            memory_total_mib: u64::MAX,
            clock_ms: i64::MIN,
            ..Default::default()
        });
        assert_eq!(seen.pve_error, "é".repeat(TEXT_CHARS_MAX));
        assert_eq!((seen.cpu_load, seen.memory_total_mib, seen.clock), (0.0, AMOUNT_MAX, Ms(0)));
    }

    #[test]
    fn a_vm_that_is_listed_twice_counts_once_and_a_foreign_stamp_is_no_pod() {
        let vm =
            |label: &str| wire::Vm { vmid: 7, name: label.into(), pod_id: "x".into(), power: 99, ..Default::default() };
        let seen = inventory(wire::Inventory { vms: vec![vm("a"), vm("b")], ..Default::default() });
        let [only] = seen.vms.as_slice() else { panic!("{:?}", seen.vms) };
        assert_eq!((only.name.as_str(), only.pod, only.power), ("b", None, Power::Unknown));
    }

    #[test]
    fn a_result_of_an_unknown_kind_leaves_the_outcome_unknown() {
        let id = CommandId::generate();
        let from = |outcome| {
            result(wire::CommandResult { command_id: id.to_string(), outcome, ..Default::default() }).unwrap().outcome
        };
        let newer = wire::CommandError { kind: 999, presence: 999, ..Default::default() };
        for outcome in [None, Some(wire::command_result::Outcome::Error(newer))] {
            let failure = from(outcome).unwrap_err();
            assert_eq!((failure.kind, failure.presence), (FailureKind::Lost, Presence::Unknown));
        }
        assert!(result(wire::CommandResult { command_id: "7".into(), ..Default::default() }).is_err());
    }
}
