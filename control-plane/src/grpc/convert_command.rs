//! What agents are told to do, as it goes over the wire.

use proto::agent::v1 as wire;

use crate::domain::jobs::command::{
    BackupMode, Configure, Firewall, FirewallAction, FirewallRule, Migrate, Nic, RemoteMigrate,
};
use crate::domain::jobs::{CommandKind, Power};

/// What an agent is told to do.
pub(super) fn command_kind(kind: CommandKind) -> wire::run_command::Kind {
    use wire::run_command::Kind;
    match kind {
        CommandKind::Clone { template_vmid, name, full, storage } => {
            Kind::Clone(wire::Clone { template_vmid, name, full, storage, pool: String::new() })
        }
        CommandKind::Configure(configure) if configure.exact => Kind::ConfigureExactly(self::configure(*configure)),
        CommandKind::Configure(configure) => Kind::Configure(self::configure(*configure)),
        CommandKind::ResizeDisk { size_gib } => Kind::ResizeDisk(wire::ResizeDisk { disk: String::new(), size_gib }),
        CommandKind::Start => Kind::Start(wire::Start {}),
        CommandKind::Stop => Kind::Stop(wire::Stop {}),
        CommandKind::Shutdown { timeout_s, force } => Kind::Shutdown(wire::Shutdown { timeout_s, force }),
        CommandKind::Reboot { timeout_s } => Kind::Reboot(wire::Reboot { timeout_s }),
        CommandKind::Destroy => Kind::Destroy(wire::Destroy {}),
        CommandKind::WaitPower { power, timeout_s } => {
            Kind::WaitPower(wire::WaitPower { power: wire_power(power).into(), timeout_s })
        }
        CommandKind::Inspect => Kind::Inspect(wire::Inspect {}),
        CommandKind::SetOptions { start_on_boot, protection } => {
            Kind::SetOptions(wire::SetOptions { start_on_boot, protection })
        }
        CommandKind::SetPassword { user, password } => Kind::SetPassword(wire::SetPassword { user, password }),
        CommandKind::TakeSnapshot { name, description, memory } => {
            Kind::TakeSnapshot(wire::TakeSnapshot { name, description, memory })
        }
        CommandKind::Rollback { name } => Kind::Rollback(wire::Rollback { name, start: false }),
        CommandKind::DeleteSnapshot { name } => Kind::DeleteSnapshot(wire::DeleteSnapshot { name }),
        CommandKind::ListSnapshots => Kind::ListSnapshots(wire::ListSnapshots {}),
        CommandKind::MakeBackup { storage, mode, protected } => {
            Kind::MakeBackup(wire::MakeBackup { storage, mode: backup_mode(mode).into(), protected })
        }
        CommandKind::RestoreBackup { volid, storage, unique } => {
            Kind::RestoreBackup(wire::RestoreBackup { volid, storage, unique })
        }
        CommandKind::DeleteBackup { volid } => Kind::DeleteBackup(wire::DeleteBackup { volid }),
        CommandKind::ListBackups { storage } => Kind::ListBackups(wire::ListBackups { storage }),
        CommandKind::Migrate(Migrate {
            target_node,
            online,
            with_local_disks,
            target_storage,
            bandwidth_mibps,
            copy: _,
        }) => Kind::Migrate(wire::Migrate { target_node, online, with_local_disks, target_storage, bandwidth_mibps }),
        // Where to and how is for the move itself.
        CommandKind::CheckMigrate(Migrate {
            target_node,
            online,
            with_local_disks,
            target_storage: _,
            bandwidth_mibps: _,
            copy: _,
        }) => Kind::CheckMigrate(wire::CheckMigrate { target_node, online, with_local_disks }),
        CommandKind::RemoteMigrate(migrate) => Kind::RemoteMigrate(remote_migrate(*migrate)),
        CommandKind::MakeTemplate => Kind::MakeTemplate(wire::MakeTemplate {}),
        CommandKind::SetMedia { iso_volid, boot_from_cd } => Kind::SetMedia(wire::SetMedia { iso_volid, boot_from_cd }),
        CommandKind::SetFirewall(firewall) => Kind::SetFirewall(self::firewall(*firewall)),
        CommandKind::Adopt => Kind::Adopt(wire::Adopt {}),
        CommandKind::Release => Kind::Release(wire::Release {}),
    }
}

fn configure(configure: Configure) -> wire::Configure {
    let Configure {
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
        exact: _,
        exact_nics,
    } = configure;
    let nics = nics.into_iter().map(nic).collect();
    wire::Configure {
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
    }
}

fn nic(nic: Nic) -> wire::Nic {
    let Nic { index, bridge, vlan, mac, addresses, gateway4, gateway6, rate_mbps } = nic;
    wire::Nic { index, bridge, vlan: vlan.unwrap_or(0), mac, addresses, gateway4, gateway6, rate_mbps }
}

fn wire_power(power: Power) -> wire::Power {
    match power {
        Power::Unknown => wire::Power::Unknown,
        Power::Running => wire::Power::Running,
        Power::Stopped => wire::Power::Stopped,
        Power::Paused => wire::Power::Paused,
    }
}

fn backup_mode(mode: BackupMode) -> wire::BackupMode {
    match mode {
        BackupMode::Snapshot => wire::BackupMode::Snapshot,
        BackupMode::Suspend => wire::BackupMode::Suspend,
        BackupMode::Stop => wire::BackupMode::Stop,
    }
}

fn remote_migrate(migrate: RemoteMigrate) -> wire::RemoteMigrate {
    let RemoteMigrate {
        target_host,
        target_port,
        target_token,
        target_fingerprint,
        target_vmid,
        target_bridge,
        target_storage,
        online,
        copy: _,
    } = migrate;
    wire::RemoteMigrate {
        target_host,
        target_port: u32::from(target_port),
        target_token,
        target_fingerprint,
        target_vmid,
        target_bridge,
        target_storage,
        online,
    }
}

fn firewall(firewall: Firewall) -> wire::SetFirewall {
    let Firewall { enabled, policy_in, policy_out, rules, mac_filter, ip_filter, addresses } = firewall;
    wire::SetFirewall {
        enabled,
        policy_in: firewall_action(policy_in).into(),
        policy_out: firewall_action(policy_out).into(),
        rules: rules.into_iter().map(firewall_rule).collect(),
        mac_filter,
        ip_filter,
        addresses: addresses.into_iter().map(|(nic, addresses)| wire::NicAddresses { nic, addresses }).collect(),
    }
}

fn firewall_rule(rule: FirewallRule) -> wire::FirewallRule {
    let FirewallRule { inbound, action, protocol, source, destination, source_ports, destination_ports, comment } =
        rule;
    wire::FirewallRule {
        inbound,
        action: firewall_action(action).into(),
        protocol,
        source,
        destination,
        source_ports,
        destination_ports,
        comment,
    }
}

fn firewall_action(action: FirewallAction) -> wire::FirewallAction {
    match action {
        FirewallAction::Accept => wire::FirewallAction::Accept,
        FirewallAction::Drop => wire::FirewallAction::Drop,
        FirewallAction::Reject => wire::FirewallAction::Reject,
    }
}
