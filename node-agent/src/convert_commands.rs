//! The commands for a VM that exists, read from the wire. Every field is named, so that a new one cannot be forgotten.

use proto::agent::v1 as wire;
use proto::agent::v1::run_command::Kind;

use crate::convert::{Refusal, given, needed, refuse, unsupported};
use crate::proxmox::{
    BackupMode, FirewallAction, FirewallRule, FirewallSpec, MigrateSpec, Operation, OptionsSpec, RemoteSpec, Secret,
};

/// What a command changes.
///
/// # Errors
/// Names the field that is wrong.
pub(crate) fn day_two(kind: &Kind) -> Result<Operation, Refusal> {
    Ok(match kind {
        Kind::SetOptions(wire::SetOptions { start_on_boot, protection }) => {
            Operation::SetOptions(OptionsSpec { start_on_boot: *start_on_boot, protection: *protection })
        }
        // After a restart the password is not known until it comes again.
        Kind::SetPassword(wire::SetPassword { user, password }) => Operation::SetPassword {
            user: needed("set_password.user", user)?,
            password: Secret::new(password.as_str()),
        },
        Kind::TakeSnapshot(wire::TakeSnapshot { name, description, memory }) => Operation::TakeSnapshot {
            name: snapshot_name("take_snapshot.name", name)?,
            description: description.clone(),
            memory: *memory,
        },
        Kind::Rollback(wire::Rollback { name, start }) => {
            Operation::Rollback { name: snapshot_name("rollback.name", name)?, start: *start }
        }
        Kind::DeleteSnapshot(wire::DeleteSnapshot { name }) => {
            Operation::DeleteSnapshot { name: snapshot_name("delete_snapshot.name", name)? }
        }
        Kind::MakeBackup(wire::MakeBackup { storage, mode, protected }) => Operation::MakeBackup {
            storage: needed("make_backup.storage", storage)?,
            mode: mode_of(*mode)?,
            protected: *protected,
        },
        Kind::RestoreBackup(wire::RestoreBackup { volid, storage, unique }) => Operation::RestoreBackup {
            volid: needed("restore_backup.volid", volid)?,
            storage: given(storage),
            unique: *unique,
        },
        Kind::DeleteBackup(wire::DeleteBackup { volid }) => {
            Operation::DeleteBackup { volid: needed("delete_backup.volid", volid)? }
        }
        Kind::Migrate(wire::Migrate { target_node, online, with_local_disks, target_storage, bandwidth_mibps }) => {
            Operation::Migrate(MigrateSpec {
                target_node: needed("migrate.target_node", target_node)?,
                online: *online,
                with_local_disks: *with_local_disks,
                target_storage: given(target_storage),
                bandwidth_mibps: Some(*bandwidth_mibps).filter(|mibps| *mibps > 0),
            })
        }
        Kind::RemoteMigrate(remote) => Operation::RemoteMigrate(remote_of(remote)?),
        Kind::MakeTemplate(wire::MakeTemplate {}) => Operation::MakeTemplate,
        Kind::SetMedia(wire::SetMedia { iso_volid, boot_from_cd }) => {
            if *boot_from_cd && iso_volid.is_empty() {
                return Err(refuse("set_media.boot_from_cd", "there is no CD to boot from: name one in iso_volid"));
            }
            Operation::SetMedia { iso_volid: given(iso_volid), boot_from_cd: *boot_from_cd }
        }
        Kind::SetFirewall(firewall) => Operation::SetFirewall(firewall_of(firewall)?),
        Kind::Adopt(wire::Adopt {}) => Operation::Adopt,
        Kind::Release(wire::Release {}) => Operation::Release,
        Kind::Clone(_)
        | Kind::Configure(_)
        | Kind::ConfigureExactly(_)
        | Kind::ResizeDisk(_)
        | Kind::Start(_)
        | Kind::Stop(_)
        | Kind::Shutdown(_)
        | Kind::Reboot(_)
        | Kind::Destroy(_)
        | Kind::WaitPower(_)
        | Kind::Inspect(_)
        | Kind::ListSnapshots(_)
        | Kind::ListBackups(_)
        | Kind::CheckMigrate(_) => return Err(unsupported()),
    })
}

fn mode_of(mode: i32) -> Result<BackupMode, Refusal> {
    match wire::BackupMode::try_from(mode) {
        Ok(wire::BackupMode::Unspecified | wire::BackupMode::Snapshot) => Ok(BackupMode::Snapshot),
        Ok(wire::BackupMode::Suspend) => Ok(BackupMode::Suspend),
        Ok(wire::BackupMode::Stop) => Ok(BackupMode::Stop),
        Err(_) => Err(refuse("make_backup.mode", &format!("{mode} is no mode that is known"))),
    }
}

/// Proxmox's own rule, and the two names that mean something else to it.
fn snapshot_name(field: &str, name: &str) -> Result<String, Refusal> {
    let mut chars = name.chars();
    let is_well_formed = chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
        && (2..=40).contains(&name.len());
    if !is_well_formed || matches!(name, "current" | "pending") {
        let rule = "a snapshot's name has 2 to 40 letters, digits, - and _, begins with a letter, and is neither current nor pending";
        return Err(refuse(field, rule));
    }
    Ok(name.to_owned())
}

fn remote_of(remote: &wire::RemoteMigrate) -> Result<RemoteSpec, Refusal> {
    let wire::RemoteMigrate {
        target_host,
        target_port,
        target_token,
        target_fingerprint,
        target_vmid,
        target_bridge,
        target_storage,
        online,
    } = remote;
    // They become parts of one setting of Proxmox's, which commas end.
    let plain = |field: &str, text: &str| {
        let field = format!("remote_migrate.{field}");
        let text = needed(&field, text)?;
        if text.contains([',', ' ', '=', '\n']) {
            return Err(refuse(&field, "it holds characters that cannot be in it"));
        }
        Ok(text)
    };
    if target_token.contains([',', ' ', '\n']) {
        return Err(refuse("remote_migrate.target_token", "it must look like user@realm!id=secret"));
    }
    let port = u16::try_from(*target_port).map_err(|_| refuse("remote_migrate.target_port", "it is no port"))?;
    Ok(RemoteSpec {
        host: plain("target_host", target_host)?,
        port: if port == 0 { 8006 } else { port },
        token: Secret::new(target_token.as_str()),
        fingerprint: plain("target_fingerprint", target_fingerprint)?,
        vmid: *target_vmid,
        bridge: plain("target_bridge", target_bridge)?,
        storage: plain("target_storage", target_storage)?,
        online: *online,
    })
}

fn firewall_of(firewall: &wire::SetFirewall) -> Result<FirewallSpec, Refusal> {
    let wire::SetFirewall { enabled, policy_in, policy_out, rules, mac_filter, ip_filter, addresses } = firewall;
    let action = |field: &str, action: i32| match wire::FirewallAction::try_from(action) {
        Ok(wire::FirewallAction::Accept) => Ok(Some(FirewallAction::Accept)),
        Ok(wire::FirewallAction::Drop) => Ok(Some(FirewallAction::Drop)),
        Ok(wire::FirewallAction::Reject) => Ok(Some(FirewallAction::Reject)),
        Ok(wire::FirewallAction::Unspecified) => Ok(None),
        Err(_) => Err(refuse(&format!("set_firewall.{field}"), &format!("{action} is no action that is known"))),
    };
    let rule_of = |(index, rule): (usize, &wire::FirewallRule)| {
        let wire::FirewallRule {
            inbound,
            action: wanted,
            protocol,
            source,
            destination,
            source_ports,
            destination_ports,
            comment,
        } = rule;
        let field = format!("rules[{index}].action");
        let wanted = action(&field, *wanted)?;
        Ok(FirewallRule {
            inbound: *inbound,
            action: wanted.ok_or_else(|| refuse(&format!("set_firewall.{field}"), "it is missing"))?,
            protocol: protocol.clone(),
            source: source.clone(),
            destination: destination.clone(),
            source_ports: source_ports.clone(),
            destination_ports: destination_ports.clone(),
            // A rule is one line in Proxmox.
            comment: comment.replace(['\n', '\r'], " "),
        })
    };
    Ok(FirewallSpec {
        enabled: *enabled,
        // Proxmox's own defaults.
        policy_in: action("policy_in", *policy_in)?.unwrap_or(FirewallAction::Drop),
        policy_out: action("policy_out", *policy_out)?.unwrap_or(FirewallAction::Accept),
        rules: rules.iter().enumerate().map(rule_of).collect::<Result<_, _>>()?,
        mac_filter: *mac_filter,
        ip_filter: *ip_filter,
        addresses: addresses.iter().map(|wire::NicAddresses { nic, addresses }| (*nic, addresses.clone())).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_refused_by_its_field() {
        let rule = wire::FirewallRule::default();
        let cases = [
            (Kind::SetPassword(wire::SetPassword::default()), "set_password.user"),
            (
                Kind::TakeSnapshot(wire::TakeSnapshot { name: "current".to_owned(), ..Default::default() }),
                "take_snapshot.name",
            ),
            (Kind::DeleteSnapshot(wire::DeleteSnapshot { name: "a/../b".to_owned() }), "delete_snapshot.name"),
            (Kind::MakeBackup(wire::MakeBackup { storage: "s".to_owned(), mode: 9, protected: false }), "mode"),
            (Kind::Migrate(wire::Migrate::default()), "migrate.target_node"),
            (
                Kind::RemoteMigrate(wire::RemoteMigrate {
                    target_host: "h,apitoken=x".to_owned(),
                    ..Default::default()
                }),
                "remote_migrate.target_host",
            ),
            (Kind::SetMedia(wire::SetMedia { iso_volid: String::new(), boot_from_cd: true }), "boot_from_cd"),
            (Kind::SetFirewall(wire::SetFirewall { rules: vec![rule], ..Default::default() }), "rules[0].action"),
        ];
        for (kind, field) in cases {
            let refusal = day_two(&kind).unwrap_err();
            assert_eq!(refusal.kind, wire::ErrorKind::BadParameter, "{refusal:?}");
            assert!(refusal.message.contains(field), "{refusal:?} does not name {field}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let kind =
            Kind::SetPassword(wire::SetPassword { user: "anna".to_owned(), password: "correct horse".to_owned() });
        assert!(!format!("{:?}", day_two(&kind).unwrap()).contains("correct"));
    }
}
