//! What agents without hosts keep in memory: the VMs of all servers of a test, and what each command does to one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};

use control_plane::clock::Ms;
use control_plane::domain::jobs::command::{Configure, Firewall, Migrate, RemoteMigrate};
use control_plane::domain::jobs::{
    BackupSeen, CommandFailure, CommandKind, CommandOutput, FailureKind, Order, Power, Presence, SnapshotSeen,
};
use control_plane::ids::{CloudPodId, ServerId};

type Outcome = Result<CommandOutput, CommandFailure>;

/// A VM on a host that does not exist.
#[derive(Clone, PartialEq)]
pub struct ScriptedVm {
    /// The pod of its stamp; `None`: somebody made it by hand.
    pub pod: Option<CloudPodId>,
    /// Its name.
    pub name: String,
    /// Its power.
    pub power: Power,
    /// Its disk.
    pub disk_gib: u64,
    /// What it was last configured with.
    pub configure: Option<Configure>,
    /// The CPUs and the memory that it was started with.
    pub started_with: (u32, u64),
    /// Whether it starts with its host.
    pub start_on_boot: bool,
    /// Its snapshots, by name.
    pub snapshots: BTreeMap<String, SnapshotSeen>,
    /// What Proxmox keeps with each of them, and goes back to: the configuration and the drive.
    pub saved: BTreeMap<String, (Option<Configure>, (String, bool))>,
    /// The CD in its drive, and whether it boots from there.
    pub media: (String, bool),
    /// Its firewall.
    pub firewall: Option<Firewall>,
    /// What its firewall was when each snapshot was taken.
    pub snapshot_firewalls: BTreeMap<String, Option<Firewall>>,
    /// The passwords of its users.
    pub passwords: BTreeMap<String, String>,
    /// The MAC addresses of its network cards.
    pub macs: BTreeMap<u32, String>,
    /// Nobody's any more.
    pub template: bool,
}

impl ScriptedVm {
    /// A stopped VM.
    #[must_use]
    pub fn new(pod: Option<CloudPodId>, name: &str) -> Self {
        Self {
            pod,
            name: name.to_owned(),
            power: Power::Stopped,
            disk_gib: 2,
            configure: None,
            started_with: (0, 0),
            start_on_boot: false,
            snapshots: BTreeMap::new(),
            saved: BTreeMap::new(),
            media: (String::new(), false),
            firewall: None,
            snapshot_firewalls: BTreeMap::new(),
            passwords: BTreeMap::new(),
            macs: BTreeMap::from([(0, mac_new())]),
            template: false,
        }
    }
}

/// No two are the same.
fn mac_new() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [_, a, b, c] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    format!("BC:24:11:{a:02X}:{b:02X}:{c:02X}")
}

#[derive(Default)]
pub(crate) struct Host {
    pub(crate) vms: BTreeMap<(ServerId, u32), ScriptedVm>,
    /// By volid, wherever they lie.
    pub(crate) backups: BTreeMap<String, BackupSeen>,
    /// What each backup's VM had for a firewall: it comes back with it.
    backup_firewalls: BTreeMap<String, Option<Firewall>>,
    /// What was in the drive of each backup's VM: likewise.
    backup_media: BTreeMap<String, (String, bool)>,
    /// CD images that a server does not have.
    pub(crate) isos_away: HashSet<(ServerId, String)>,
    /// Proxmox's names of the servers.
    pub(crate) nodes: HashMap<String, ServerId>,
    /// Pods whose VMs cannot be moved while they run.
    pub(crate) pinned: HashSet<CloudPodId>,
    /// A VM that is not found is answered with *unknown*.
    pub(crate) vague: bool,
}

pub(crate) fn failure(kind: FailureKind, message: &str) -> CommandFailure {
    CommandFailure { kind, message: message.to_owned(), upid: String::new(), presence: Presence::Unknown }
}

impl Host {
    pub(crate) fn obey(&mut self, order: &Order) -> Outcome {
        let command = &order.command;
        let (key, ours) = ((command.server, command.vmid), Some(command.pod));
        let output = |presence, power| CommandOutput::of(presence, power, command.vmid);
        let absent = if self.vague { Presence::Unknown } else { Presence::Absent };
        match &command.kind {
            CommandKind::Clone { name, .. } => {
                if self.vms.get(&key).is_some_and(|vm| vm.pod != ours) {
                    return Err(failure(FailureKind::VmidTaken, "config file already exists"));
                }
                self.vms.entry(key).or_insert_with(|| ScriptedVm::new(ours, name));
                return Ok(output(Presence::Present, Power::Stopped));
            }
            CommandKind::RestoreBackup { volid, .. } => return self.restore(order, volid),
            CommandKind::Migrate(migrate) => return self.migrate(order, migrate),
            CommandKind::RemoteMigrate(migrate) => return self.remote_migrate(order, migrate),
            CommandKind::CheckMigrate(migrate) if migrate.online && self.pinned.contains(&command.pod) => {
                return Err(failure(FailureKind::Refused, "hostpci0: a passed-through device cannot be moved"));
            }
            CommandKind::ListBackups { .. } => {
                let backups = self.backups.values().filter(|backup| backup.pod == ours).cloned().collect();
                return Ok(CommandOutput { backups, ..output(Presence::Unknown, Power::Unknown) });
            }
            CommandKind::DeleteBackup { volid } => {
                self.backups.remove(volid);
                return Ok(output(Presence::Unknown, Power::Unknown));
            }
            _ => {}
        }
        let elsewhere = self.node_of(order).filter(|_| !self.vague && !self.vms.contains_key(&key));
        if let (CommandKind::Inspect, Some(node)) = (&command.kind, elsewhere) {
            return Ok(CommandOutput { node, ..output(Presence::Present, Power::Unknown) });
        }
        let Some(vm) = self.vms.get_mut(&key) else {
            return match command.kind {
                CommandKind::Destroy | CommandKind::Inspect | CommandKind::Release => {
                    Ok(output(absent, Power::Unknown))
                }
                _ => Err(failure(FailureKind::NotFound, "Configuration file does not exist")),
            };
        };
        if matches!(command.kind, CommandKind::Adopt) && vm.pod.is_none() {
            vm.pod = ours;
        }
        if matches!(command.kind, CommandKind::Release) {
            vm.pod = vm.pod.filter(|pod| *pod != command.pod);
            return Ok(output(Presence::Present, vm.power));
        }
        if vm.pod != ours {
            return Err(failure(FailureKind::ForeignVm, "it does not bear this pod's stamp"));
        }
        if matches!(command.kind, CommandKind::Destroy) {
            self.vms.remove(&key);
            return Ok(output(absent, Power::Unknown));
        }
        if self.isos_away.contains(&(command.server, vm.iso_for(&command.kind).to_owned())) {
            return Err(failure(FailureKind::NotFound, "volume does not exist"));
        }
        vm.obey(&command.kind)?;
        let mut done = output(Presence::Present, vm.power);
        done.restart_needed = vm.power == Power::Running && vm.started_with != vm.size();
        done.snapshots = vm.snapshots.values().cloned().collect();
        done.macs.clone_from(&vm.macs);
        if let CommandKind::MakeBackup { storage, .. } = &command.kind {
            let (firewall, media) = (vm.firewall.clone(), vm.media.clone());
            done.backups = vec![self.back_up(order, storage, firewall, media)];
        }
        Ok(done)
    }

    fn back_up(
        &mut self,
        order: &Order,
        storage: &str,
        firewall: Option<Firewall>,
        media: (String, bool),
    ) -> BackupSeen {
        let made = BackupSeen {
            volid: format!("{storage}:backup/vzdump-qemu-{}-{}.vma.zst", order.command.vmid, order.id),
            created_at: Ms(1),
            size_bytes: 1 << 30,
            pod: Some(order.command.pod),
            command: Some(order.id),
        };
        self.backup_firewalls.insert(made.volid.clone(), firewall);
        self.backup_media.insert(made.volid.clone(), media);
        self.backups.insert(made.volid.clone(), made.clone());
        made
    }

    /// As a real agent in a cluster sees it: the other node that has this pod's VM, under the same number.
    fn node_of(&self, order: &Order) -> Option<String> {
        let command = &order.command;
        let has = |server: ServerId| {
            server != command.server
                && self.vms.get(&(server, command.vmid)).is_some_and(|vm| vm.pod == Some(command.pod))
        };
        self.nodes.iter().find(|(_, server)| has(**server)).map(|(name, _)| name.clone())
    }

    fn restore(&mut self, order: &Order, volid: &str) -> Outcome {
        let command = &order.command;
        let key = (command.server, command.vmid);
        if !self.backups.contains_key(volid) {
            return Err(failure(FailureKind::NotFound, "no such backup"));
        }
        match self.vms.get(&key) {
            Some(vm) if vm.pod != Some(command.pod) => Err(failure(FailureKind::ForeignVm, "another's VM")),
            Some(vm) if vm.power == Power::Running => Err(failure(FailureKind::Refused, "it runs")),
            _ => {
                let firewall = self.backup_firewalls.get(volid).cloned().flatten();
                let media = self.backup_media.get(volid).cloned().unwrap_or_default();
                let vm = ScriptedVm { media, firewall, ..ScriptedVm::new(Some(command.pod), "restored") };
                self.vms.insert(key, vm);
                Ok(CommandOutput::of(Presence::Present, Power::Stopped, command.vmid))
            }
        }
    }

    fn migrate(&mut self, order: &Order, migrate: &Migrate) -> Outcome {
        let (command, node) = (&order.command, migrate.target_node.as_str());
        let Some(target) = self.nodes.get(node).copied() else {
            return Err(failure(FailureKind::NotFound, "no such cluster node"));
        };
        let (from, to) = ((command.server, command.vmid), (target, command.vmid));
        let running = self.vms.get(&from).is_some_and(|vm| vm.power == Power::Running);
        if running && (!migrate.online || self.pinned.contains(&command.pod)) {
            return Err(failure(FailureKind::Refused, "can't migrate running VM"));
        }
        if let Some(vm) = self.vms.remove(&from) {
            self.vms.insert(to, vm);
        }
        let Some(vm) = self.vms.get(&to) else {
            return Err(failure(FailureKind::NotFound, "Configuration file does not exist"));
        };
        // As seen from the source: it is not there any more.
        Ok(CommandOutput { node: node.to_owned(), ..CommandOutput::of(Presence::Absent, vm.power, command.vmid) })
    }
}

impl Host {
    fn remote_migrate(&mut self, order: &Order, migrate: &RemoteMigrate) -> Outcome {
        let command = &order.command;
        let Some(target) = self.nodes.get(&migrate.target_host).copied() else {
            return Err(failure(FailureKind::Unavailable, "no route to host"));
        };
        let (from, to) = ((command.server, command.vmid), (target, migrate.target_vmid));
        if let Some(mut vm) = self.vms.remove(&from) {
            // An older Proxmox does not carry it.
            vm.firewall = None;
            self.vms.insert(to, vm);
        }
        let Some(vm) = self.vms.get(&to) else {
            return Err(failure(FailureKind::NotFound, "Configuration file does not exist"));
        };
        Ok(CommandOutput::of(Presence::Absent, vm.power, command.vmid))
    }
}

impl ScriptedVm {
    /// The CD image that the command needs; empty: none.
    fn iso_for<'a>(&'a self, kind: &'a CommandKind) -> &'a str {
        match kind {
            CommandKind::SetMedia { iso_volid, .. } => iso_volid,
            CommandKind::Start => &self.media.0,
            _ => "",
        }
    }

    fn size(&self) -> (u32, u64) {
        self.configure.as_ref().map_or((0, 0), |configure| (configure.vcpu, configure.memory_mib))
    }

    fn configured(&mut self, configure: &Configure) {
        self.start_on_boot = configure.start_on_boot;
        if !configure.name.is_empty() {
            self.name.clone_from(&configure.name);
        }
        for nic in &configure.nics {
            let mac = self.macs.entry(nic.index).or_insert_with(mac_new);
            if !nic.mac.is_empty() {
                mac.clone_from(&nic.mac);
            }
        }
        self.configure = Some(configure.clone());
    }

    fn obey(&mut self, kind: &CommandKind) -> Result<(), CommandFailure> {
        match kind {
            CommandKind::Configure(configure) => self.configured(configure),
            CommandKind::ResizeDisk { size_gib } => self.disk_gib = self.disk_gib.max(*size_gib),
            CommandKind::Start if self.power == Power::Running => {}
            CommandKind::Start => {
                self.power = Power::Running;
                self.started_with = self.size();
            }
            CommandKind::Stop | CommandKind::Shutdown { .. } => self.power = Power::Stopped,
            CommandKind::Reboot { .. } | CommandKind::SetPassword { .. } if self.power != Power::Running => {
                return Err(failure(FailureKind::GuestAgent, "VM is not running"));
            }
            CommandKind::Reboot { .. } => self.started_with = self.size(),
            CommandKind::SetPassword { user, password } => {
                self.passwords.insert(user.clone(), password.clone());
            }
            CommandKind::WaitPower { power, .. } if self.power != *power => {
                return Err(failure(FailureKind::Deadline, "it did not come to that power state in time"));
            }
            CommandKind::SetOptions { start_on_boot, protection: _ } => {
                self.start_on_boot = start_on_boot.unwrap_or(self.start_on_boot);
            }
            CommandKind::TakeSnapshot { name, description, memory } => {
                let (name, description, memory) = (name.clone(), description.clone(), *memory);
                let taken = SnapshotSeen { name: name.clone(), description, created_at: Ms(1), memory, parent: None };
                self.saved.insert(name.clone(), (self.configure.clone(), self.media.clone()));
                self.snapshot_firewalls.insert(name.clone(), self.firewall.clone());
                self.snapshots.insert(name, taken);
            }
            CommandKind::Rollback { name } => {
                if !self.snapshots.contains_key(name) {
                    return Err(failure(FailureKind::NotFound, "no such snapshot"));
                }
                // One that was made by hand has nothing to go back to here.
                if let Some((configure, media)) = self.saved.get(name).cloned() {
                    (self.configure, self.media) = (configure, media);
                }
                if let Some(firewall) = self.snapshot_firewalls.get(name).cloned() {
                    self.firewall = firewall;
                }
                self.power = Power::Stopped;
            }
            CommandKind::DeleteSnapshot { name } => {
                self.snapshots.remove(name);
            }
            CommandKind::MakeTemplate => self.template = true,
            CommandKind::SetMedia { iso_volid, boot_from_cd } => self.media = (iso_volid.clone(), *boot_from_cd),
            CommandKind::SetFirewall(firewall) => self.firewall = Some((**firewall).clone()),
            CommandKind::WaitPower { .. }
            | CommandKind::Inspect
            | CommandKind::ListSnapshots
            | CommandKind::MakeBackup { .. }
            | CommandKind::CheckMigrate(_)
            | CommandKind::Adopt
            | CommandKind::Release
            | CommandKind::Clone { .. }
            | CommandKind::Destroy
            | CommandKind::RestoreBackup { .. }
            | CommandKind::DeleteBackup { .. }
            | CommandKind::ListBackups { .. }
            | CommandKind::RemoteMigrate(_)
            | CommandKind::Migrate(_) => {}
        }
        Ok(())
    }
}
