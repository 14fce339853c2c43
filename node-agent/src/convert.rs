//! Between the wire contract and the agent's own words. Conversions name every field, so that a new one cannot be forgotten.

use proto::agent::v1 as wire;
use proto::agent::v1::run_command::Kind;
use uuid::Uuid;

use crate::convert_commands::day_two;
use crate::fault;
use crate::proxmox::{
    Backup, Card, Check, CheckState, CloneSpec, ConfigureSpec, ErrorKind, FirewallAction, FirewallOptions, Look,
    MigrateSpec, Nic, Operation, Outcome, Power, Presence, PveError, Request, Secret, Snapshot, Storage, Target, Vm,
};

/// A command as the executor runs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The command.
    pub id: Uuid,
    /// The VM.
    pub target: Target,
    /// What to do.
    pub action: Action,
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Change the VM.
    Change(Operation),
    /// Wait until it has this power.
    WaitPower {
        /// Which.
        power: Power,
        /// How long at most; 0: until the command's deadline.
        timeout_s: u64,
    },
    /// Look.
    Inspect,
    /// Look closer.
    Look(Look),
}

impl Job {
    /// What Proxmox is asked for; `None` where nothing is changed.
    pub fn request(&self) -> Option<Request> {
        match &self.action {
            Action::Change(operation) => {
                Some(Request { target: self.target, command_id: self.id, operation: operation.clone() })
            }
            Action::WaitPower { .. } | Action::Inspect | Action::Look(_) => None,
        }
    }
}

/// A command that cannot be run as it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why, for the control plane's logic.
    pub kind: wire::ErrorKind,
    /// Why, for people.
    pub message: String,
}

pub(crate) fn refuse(field: &str, cause: &str) -> Refusal {
    Refusal { kind: wire::ErrorKind::BadParameter, message: format!("{field}: {cause}") }
}

pub(crate) fn unsupported() -> Refusal {
    let message = format!("this agent ({}) does not know the command: update the agent", env!("CARGO_PKG_VERSION"));
    Refusal { kind: wire::ErrorKind::Unsupported, message }
}

/// The command's name, as it is logged.
pub fn kind_name(command: &wire::RunCommand) -> &'static str {
    match &command.kind {
        None => "unknown",
        Some(Kind::Clone(_)) => "clone",
        Some(Kind::Configure(_)) => "configure",
        Some(Kind::ConfigureExactly(_)) => "configure_exactly",
        Some(Kind::ResizeDisk(_)) => "resize_disk",
        Some(Kind::Start(_)) => "start",
        Some(Kind::Stop(_)) => "stop",
        Some(Kind::Shutdown(_)) => "shutdown",
        Some(Kind::Reboot(_)) => "reboot",
        Some(Kind::Destroy(_)) => "destroy",
        Some(Kind::WaitPower(_)) => "wait_power",
        Some(Kind::Inspect(_)) => "inspect",
        Some(Kind::SetOptions(_)) => "set_options",
        Some(Kind::SetPassword(_)) => "set_password",
        Some(Kind::TakeSnapshot(_)) => "take_snapshot",
        Some(Kind::Rollback(_)) => "rollback",
        Some(Kind::DeleteSnapshot(_)) => "delete_snapshot",
        Some(Kind::ListSnapshots(_)) => "list_snapshots",
        Some(Kind::MakeBackup(_)) => "make_backup",
        Some(Kind::RestoreBackup(_)) => "restore_backup",
        Some(Kind::DeleteBackup(_)) => "delete_backup",
        Some(Kind::ListBackups(_)) => "list_backups",
        Some(Kind::Migrate(_)) => "migrate",
        Some(Kind::RemoteMigrate(_)) => "remote_migrate",
        Some(Kind::MakeTemplate(_)) => "make_template",
        Some(Kind::SetMedia(_)) => "set_media",
        Some(Kind::SetFirewall(_)) => "set_firewall",
        Some(Kind::Adopt(_)) => "adopt",
        Some(Kind::Release(_)) => "release",
        Some(Kind::CheckMigrate(_)) => "check_migrate",
    }
}

/// Reads a command.
///
/// # Errors
/// Names the field that is wrong, or says that this agent does not know the command.
pub fn job_of(command: &wire::RunCommand) -> Result<Job, Refusal> {
    let id = Uuid::parse_str(&command.command_id).map_err(|e| refuse("command_id", &e.to_string()))?;
    let pod_id = Uuid::parse_str(&command.pod_id).map_err(|e| refuse("pod_id", &e.to_string()))?;
    if !(100..=999_999_999).contains(&command.vmid) {
        return Err(refuse("vmid", &format!("{} is not between 100 and 999999999", command.vmid)));
    }
    let known = command.kind.as_ref().filter(|_| fault::knows(kind_name(command)));
    let Some(kind) = known else { return Err(unsupported()) };
    let action = match kind {
        Kind::Clone(clone) => Action::Change(Operation::Clone(clone_of(clone))),
        Kind::Configure(configure) => Action::Change(Operation::Configure(configure_of(configure, false)?)),
        Kind::ConfigureExactly(configure) => Action::Change(Operation::Configure(configure_of(configure, true)?)),
        Kind::ResizeDisk(wire::ResizeDisk { disk, size_gib }) => {
            Action::Change(Operation::ResizeDisk { disk: given(disk), size_gib: *size_gib })
        }
        Kind::Start(wire::Start {}) => Action::Change(Operation::Start),
        Kind::Stop(wire::Stop {}) => Action::Change(Operation::Stop),
        Kind::Shutdown(wire::Shutdown { timeout_s, force }) => {
            Action::Change(Operation::Shutdown { timeout_s: *timeout_s, force: *force })
        }
        Kind::Reboot(wire::Reboot { timeout_s }) => Action::Change(Operation::Reboot { timeout_s: *timeout_s }),
        Kind::Destroy(wire::Destroy {}) => Action::Change(Operation::Destroy),
        Kind::WaitPower(wire::WaitPower { power, timeout_s }) => {
            let power = match wire::Power::try_from(*power) {
                Ok(wire::Power::Running) => Power::Running,
                Ok(wire::Power::Stopped) => Power::Stopped,
                Ok(wire::Power::Paused) => Power::Paused,
                Ok(wire::Power::Unknown) | Err(_) => {
                    return Err(refuse("wait_power.power", &format!("{power} is no power that can be waited for")));
                }
            };
            Action::WaitPower { power, timeout_s: *timeout_s }
        }
        Kind::Inspect(wire::Inspect {}) => Action::Inspect,
        Kind::SetOptions(_)
        | Kind::SetPassword(_)
        | Kind::TakeSnapshot(_)
        | Kind::Rollback(_)
        | Kind::DeleteSnapshot(_)
        | Kind::MakeBackup(_)
        | Kind::RestoreBackup(_)
        | Kind::DeleteBackup(_)
        | Kind::Migrate(_)
        | Kind::RemoteMigrate(_)
        | Kind::MakeTemplate(_)
        | Kind::SetMedia(_)
        | Kind::SetFirewall(_)
        | Kind::Adopt(_)
        | Kind::Release(_) => Action::Change(day_two(kind)?),
        Kind::ListSnapshots(wire::ListSnapshots {}) => Action::Look(Look::Snapshots),
        Kind::ListBackups(wire::ListBackups { storage }) => {
            Action::Look(Look::Backups { storage: needed("list_backups.storage", storage)? })
        }
        Kind::CheckMigrate(wire::CheckMigrate { target_node, online, with_local_disks }) => {
            Action::Look(Look::CheckMigrate(MigrateSpec {
                target_node: needed("check_migrate.target_node", target_node)?,
                online: *online,
                with_local_disks: *with_local_disks,
                ..MigrateSpec::default()
            }))
        }
    };
    Ok(Job { id, target: Target { vmid: command.vmid, pod_id }, action })
}

pub(crate) fn given(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

pub(crate) fn needed(field: &str, text: &str) -> Result<String, Refusal> {
    given(text).ok_or_else(|| refuse(field, "it is missing"))
}

fn clone_of(wire::Clone { template_vmid, name, full, storage, pool }: &wire::Clone) -> CloneSpec {
    CloneSpec {
        template_vmid: *template_vmid,
        name: name.clone(),
        full: *full,
        storage: given(storage),
        pool: given(pool),
    }
}

fn configure_of(configure: &wire::Configure, exact: bool) -> Result<ConfigureSpec, Refusal> {
    let wire::Configure {
        vcpu,
        memory_mib,
        cloud_init_user,
        ssh_keys,
        exact_ssh_keys,
        nics,
        nameservers,
        search_domain,
        password,
        start_on_boot,
        name,
        exact_nics,
    } = configure;
    Ok(ConfigureSpec {
        vcpu: *vcpu,
        memory_mib: *memory_mib,
        cloud_init_user: given(cloud_init_user),
        ssh_keys: ssh_keys.clone(),
        exact_ssh_keys: *exact_ssh_keys,
        nics: nics.iter().map(nic_of).collect::<Result<_, _>>()?,
        nameservers: nameservers.clone(),
        search_domain: given(search_domain),
        password: given(password).map(Secret::new),
        start_on_boot: *start_on_boot,
        name: given(name),
        exact,
        exact_nics: *exact_nics,
    })
}

fn nic_of(nic: &wire::Nic) -> Result<Nic, Refusal> {
    let wire::Nic { index, bridge, vlan, mac, addresses, gateway4, gateway6, rate_mbps } = nic;
    let tag = u16::try_from(*vlan).ok().filter(|tag| *tag <= 4094);
    let tag = tag.ok_or_else(|| refuse(&format!("configure.nics[{index}].vlan"), "a VLAN tag is 1 to 4094, or 0"))?;
    Ok(Nic {
        index: *index,
        bridge: bridge.clone(),
        vlan: Some(tag).filter(|tag| *tag != 0),
        mac: given(mac),
        addresses: addresses.clone(),
        gateway4: given(gateway4),
        gateway6: given(gateway6),
        rate_mbps: Some(*rate_mbps).filter(|rate| *rate > 0.0),
    })
}

/// Presence, on the wire.
pub fn presence(presence: Presence) -> wire::Presence {
    match presence {
        Presence::Unknown => wire::Presence::Unknown,
        Presence::Present => wire::Presence::Present,
        Presence::Absent => wire::Presence::Absent,
    }
}

/// Power, on the wire.
pub fn power(power: Power) -> wire::Power {
    match power {
        Power::Unknown => wire::Power::Unknown,
        Power::Running => wire::Power::Running,
        Power::Stopped => wire::Power::Stopped,
        Power::Paused => wire::Power::Paused,
    }
}

/// A failure's kind, on the wire.
pub fn error_kind(kind: ErrorKind) -> wire::ErrorKind {
    match kind {
        ErrorKind::Timeout => wire::ErrorKind::Timeout,
        ErrorKind::Locked => wire::ErrorKind::Locked,
        ErrorKind::Unavailable => wire::ErrorKind::Unavailable,
        ErrorKind::BadParameter => wire::ErrorKind::BadParameter,
        ErrorKind::NotFound => wire::ErrorKind::NotFound,
        ErrorKind::Permission => wire::ErrorKind::Permission,
        ErrorKind::VmidTaken => wire::ErrorKind::VmidTaken,
        ErrorKind::NoSpace => wire::ErrorKind::NoSpace,
        ErrorKind::TaskFailed => wire::ErrorKind::TaskFailed,
        ErrorKind::Cancelled => wire::ErrorKind::Cancelled,
        ErrorKind::ForeignVm => wire::ErrorKind::ForeignVm,
        ErrorKind::Lost => wire::ErrorKind::Lost,
        ErrorKind::Deadline => wire::ErrorKind::Deadline,
        ErrorKind::GuestAgent => wire::ErrorKind::GuestAgent,
        ErrorKind::Refused => wire::ErrorKind::Refused,
    }
}

/// A failure, on the wire; its log goes beside it.
pub fn command_error(error: &PveError) -> wire::CommandError {
    wire::CommandError {
        kind: error_kind(error.kind).into(),
        message: error.message.clone(),
        upid: error.upid.as_ref().map(ToString::to_string).unwrap_or_default(),
        presence: presence(error.presence).into(),
    }
}

/// A VM, on the wire.
pub fn vm(vm: Vm) -> wire::Vm {
    let Vm {
        vmid,
        name,
        power: state,
        template,
        stamp,
        lock,
        vcpu,
        memory_mib,
        disk_mib,
        uptime_s,
        start_on_boot,
        cards,
        firewall,
        in_bytes: _,
        out_bytes: _,
    } = vm;
    let command_id = stamp.and_then(|stamp| stamp.command_id).map(|id| id.to_string());
    wire::Vm {
        vmid,
        name,
        power: power(state).into(),
        template,
        pod_id: stamp.map(|stamp| stamp.pod_id.to_string()).unwrap_or_default(),
        command_id: command_id.unwrap_or_default(),
        lock: lock.unwrap_or_default(),
        vcpu,
        memory_mib,
        disk_mib,
        uptime_s,
        start_on_boot,
        cards: cards.map(|cards| wire::VmCards { cards: cards.into_iter().map(card).collect() }),
        firewall: firewall.map(firewall_options),
    }
}

fn card(card: Card) -> wire::VmCard {
    let Card { index, bridge, vlan, mac, firewall, link_down, trunks } = card;
    wire::VmCard { index, bridge, vlan: vlan.map_or(0, u32::from), mac, firewall, link_down, trunks }
}

fn firewall_options(options: FirewallOptions) -> wire::VmFirewall {
    let FirewallOptions { enabled, policy_in, policy_out, mac_filter, ip_filter } = options;
    let action = |action: Option<FirewallAction>| {
        let action = match action {
            None => wire::FirewallAction::Unspecified,
            Some(FirewallAction::Accept) => wire::FirewallAction::Accept,
            Some(FirewallAction::Drop) => wire::FirewallAction::Drop,
            Some(FirewallAction::Reject) => wire::FirewallAction::Reject,
        };
        action.into()
    };
    wire::VmFirewall { enabled, policy_in: action(policy_in), policy_out: action(policy_out), mac_filter, ip_filter }
}

/// What a running VM with our stamp has sent and received; `None` of any other.
pub fn traffic(vm: &Vm) -> Option<wire::TrafficSample> {
    let stamp = vm.stamp.filter(|_| matches!(vm.power, Power::Running | Power::Paused))?;
    Some(wire::TrafficSample {
        vmid: vm.vmid,
        pod_id: stamp.pod_id.to_string(),
        in_bytes: vm.in_bytes,
        out_bytes: vm.out_bytes,
        uptime_s: vm.uptime_s,
    })
}

/// What came of a command that ended well.
pub fn command_output(vmid: u32, outcome: Outcome, upid: String) -> wire::CommandOutput {
    let Outcome { state, snapshots, backups, node, restart_needed, warnings } = outcome;
    wire::CommandOutput {
        presence: presence(state.presence).into(),
        power: power(state.power).into(),
        vmid,
        warnings,
        upid,
        snapshots: snapshots.into_iter().map(snapshot).collect(),
        backups: backups.into_iter().map(backup).collect(),
        // Also of a VM that was only looked for: it is present, and not here.
        node: node.or(state.other_node).unwrap_or_default(),
        restart_needed,
        macs: state.macs.into_iter().collect(),
    }
}

fn snapshot(snapshot: Snapshot) -> wire::Snapshot {
    let Snapshot { name, description, created_ms, memory, parent } = snapshot;
    wire::Snapshot { name, description, created_ms, memory, parent: parent.unwrap_or_default() }
}

fn backup(backup: Backup) -> wire::Backup {
    let Backup { volid, created_ms, size_bytes, pod_id, command_id } = backup;
    let command_id = command_id.map(|id| id.to_string()).unwrap_or_default();
    wire::Backup { volid, created_ms, size_bytes, pod_id: pod_id.to_string(), command_id }
}

/// Whether the datacenter's firewall is on; `None`: not known.
pub(crate) fn firewall_state(on: Option<bool>) -> wire::FirewallState {
    match on {
        None => wire::FirewallState::Unknown,
        Some(true) => wire::FirewallState::On,
        Some(false) => wire::FirewallState::Off,
    }
}

/// A storage, on the wire.
pub fn storage(storage: Storage) -> wire::Storage {
    let Storage { name, kind, active, shared, holds_images, holds_backups, total_mib, used_mib } = storage;
    let holds_backups = Some(holds_backups);
    wire::Storage { name, active, shared, holds_images, holds_backups, total_mib, used_mib, kind }
}

/// A check, on the wire.
pub fn check(check: Check) -> wire::Check {
    let Check { name, state, took_ms, message, advice } = check;
    let state = match state {
        CheckState::Ok => wire::CheckState::Ok,
        CheckState::Warn => wire::CheckState::Warn,
        CheckState::Fail => wire::CheckState::Fail,
    };
    wire::Check { name: name.to_owned(), state: state.into(), took_ms, message, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(kind: Option<Kind>) -> wire::RunCommand {
        wire::RunCommand {
            command_id: Uuid::from_u128(1).to_string(),
            epoch: 1,
            deadline_ms: 0,
            pod_id: Uuid::from_u128(2).to_string(),
            vmid: 100,
            kind,
        }
    }

    #[test]
    fn what_is_wrong_is_refused_by_its_field() {
        let start = || command(Some(Kind::Start(wire::Start {})));
        assert!(job_of(&start()).is_ok());
        let nic = wire::Nic { vlan: 5000, ..wire::Nic::default() };
        let configure = wire::Configure { nics: vec![nic], ..wire::Configure::default() };
        let cases = [
            (wire::RunCommand { command_id: "x".to_owned(), ..start() }, "command_id"),
            (wire::RunCommand { pod_id: String::new(), ..start() }, "pod_id"),
            (wire::RunCommand { vmid: 99, ..start() }, "vmid"),
            (command(Some(Kind::WaitPower(wire::WaitPower { power: 7, timeout_s: 1 }))), "wait_power.power"),
            (command(Some(Kind::Configure(configure))), "configure.nics[0].vlan"),
        ];
        for (command, field) in cases {
            let refusal = job_of(&command).unwrap_err();
            assert_eq!(refusal.kind, wire::ErrorKind::BadParameter);
            assert!(refusal.message.contains(field), "{refusal:?} does not name {field}");
        }
        assert_eq!(job_of(&command(None)).unwrap_err().kind, wire::ErrorKind::Unsupported);
    }
}
