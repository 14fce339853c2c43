//! What somebody does by hand on the host, behind the agent's back; and looking at the state.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::app::App;
use crate::state::{CreatedVm, Run, Vm, Volume};
use crate::vm::{fresh_identity, shown_config, volume};

/// Reaches into a server's state, past its API.
#[derive(Debug, Clone)]
pub struct Hand {
    app: Arc<App>,
}

/// What is on a storage that was taken away.
#[derive(Debug)]
pub struct Unmounted {
    storage: String,
    volumes: std::collections::BTreeMap<String, Volume>,
}

/// A VM as it is, without lag.
#[derive(Debug, Clone, PartialEq)]
pub struct VmView {
    /// Its VMID.
    pub vmid: u32,
    /// The node that it is on.
    pub node: String,
    /// Its name.
    pub name: String,
    /// Whether it runs (paused counts as running).
    pub running: bool,
    /// The lock in its configuration.
    pub lock: Option<String>,
    /// Whether it is a template.
    pub template: bool,
    /// Its configuration as the API shows it.
    pub config: Value,
}

impl Hand {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    pub(crate) fn app(&self) -> &App {
        &self.app
    }

    fn change<T>(&self, vmid: u32, change: impl FnOnce(&mut Vm) -> T) -> Option<T> {
        let out = self.app.write(|cluster| cluster.vm_mut(vmid).map(change));
        self.app.persist_or_log();
        out
    }

    /// One VM, `None` when there is none.
    pub fn vm(&self, vmid: u32) -> Option<VmView> {
        self.app.read(|cluster| cluster.node_of(vmid).zip(cluster.vm(vmid)).map(|(node, vm)| view(node, vmid, vm)))
    }

    /// Every VM, templates included.
    pub fn vms(&self) -> Vec<VmView> {
        self.app.read(|cluster| {
            let vms = cluster.nodes.iter().flat_map(|(name, node)| node.vms.iter().map(move |vm| (name, vm)));
            vms.map(|(node, (vmid, vm))| view(node, *vmid, vm)).collect()
        })
    }

    /// Every VM that ever was made, oldest first, deleted ones included.
    pub fn history(&self) -> Vec<CreatedVm> {
        self.app.read(|cluster| cluster.history.iter().cloned().collect())
    }

    /// Makes a VM that is nobody's on the first node; false when the VMID is taken.
    pub fn create_vm(&self, vmid: u32, name: &str) -> bool {
        self.create_vm_on(&self.app.config.node, vmid, name)
    }

    /// The same on a node; false also when there is no such node.
    pub fn create_vm_on(&self, node: &str, vmid: u32, name: &str) -> bool {
        let made = self.app.write(|cluster| {
            if cluster.vm_exists(vmid) || !cluster.nodes.contains_key(node) {
                return false;
            }
            let mut vm = Vm::default();
            vm.config.insert("name".to_owned(), name.to_owned());
            vm.config.insert("memory".to_owned(), "512".to_owned());
            fresh_identity(&mut vm.config);
            cluster.insert_vm(node, vmid, vm, "hand", None);
            true
        });
        self.app.persist_or_log();
        made
    }

    /// Renames a VM; false when there is none. So for all below.
    pub fn rename_vm(&self, vmid: u32, name: &str) -> bool {
        self.set_config(vmid, "name", Some(name))
    }

    /// Sets or deletes a configuration key.
    pub fn set_config(&self, vmid: u32, key: &str, value: Option<&str>) -> bool {
        let changed = self.change(vmid, |vm| match value {
            Some(value) => vm.config.insert(key.to_owned(), value.to_owned()),
            None => vm.config.remove(key),
        });
        changed.is_some()
    }

    /// Sets or deletes an option of a VM's firewall.
    pub fn set_firewall_option(&self, vmid: u32, key: &str, value: Option<&str>) -> bool {
        let changed = self.change(vmid, |vm| match value {
            Some(value) => vm.firewall.options.insert(key.to_owned(), value.to_owned()),
            None => vm.firewall.options.remove(key),
        });
        changed.is_some()
    }

    /// An option of a VM's firewall; `None` where it is not set.
    pub fn firewall_option(&self, vmid: u32, key: &str) -> Option<String> {
        self.app.read(|cluster| cluster.vm(vmid)?.firewall.options.get(key).cloned())
    }

    /// Starts a VM.
    pub fn start_vm(&self, vmid: u32) -> bool {
        let pid = self.app.write(crate::state::Cluster::take_pid);
        let run = Run::new(pid);
        self.change(vmid, |vm| vm.set_run(Some(run))).is_some()
    }

    /// Stops a VM.
    pub fn stop_vm(&self, vmid: u32) -> bool {
        self.change(vmid, |vm| vm.set_run(None)).is_some()
    }

    /// Pauses or resumes a running VM.
    pub fn pause_vm(&self, vmid: u32, paused: bool) -> bool {
        let changed = self.change(vmid, |vm| vm.run.as_mut().map(|run| run.paused = paused));
        changed.flatten().is_some()
    }

    /// Deletes a VM and its disks.
    pub fn delete_vm(&self, vmid: u32) -> bool {
        let gone = self.app.write(|cluster| {
            let Some(vm) = cluster.vm(vmid).cloned() else { return false };
            let node = cluster.node_of(vmid).unwrap_or_default().to_owned();
            for (_, drive) in volume::own_drives(&vm) {
                volume::remove(cluster, &node, &drive.first);
            }
            cluster.remove_vm(vmid);
            true
        });
        self.app.persist_or_log();
        gone
    }

    /// Leaves a lock in a VM's configuration, or takes it away.
    pub fn lock_vm(&self, vmid: u32, lock: Option<&str>) -> bool {
        self.set_config(vmid, "lock", lock)
    }

    /// Makes the guest deaf to shutdown, or not.
    pub fn ignore_shutdown(&self, vmid: u32, ignores: bool) -> bool {
        self.change(vmid, |vm| vm.guest.ignores_shutdown = ignores).is_some()
    }

    /// Whether the guest agent ever answers.
    pub fn guest_agent(&self, vmid: u32, answers: bool) -> bool {
        self.change(vmid, |vm| vm.guest.agent = answers).is_some()
    }

    /// The password that was set for a user through the guest agent.
    pub fn guest_password(&self, vmid: u32, user: &str) -> Option<String> {
        self.app.read(|cluster| cluster.vm(vmid)?.guest.passwords.get(user).cloned())
    }

    /// What each network of a running VM has received and sent; it stays so until it is set anew or the VM is started.
    pub fn set_traffic(&self, vmid: u32, in_bytes: u64, out_bytes: u64) -> bool {
        let traffic = Some((in_bytes, out_bytes));
        self.change(vmid, |vm| vm.run.as_mut().map(|run| run.traffic = traffic)).flatten().is_some()
    }

    /// Puts an ISO image on a storage of the first node; false when there is none.
    pub fn add_iso(&self, storage: &str, file: &str, size_bytes: u64) -> bool {
        let node = self.app.config.node.clone();
        let volume = crate::storage::file("iso", file, size_bytes);
        let put = self.app.write(|cluster| {
            let storage = cluster.storage_mut(&node, storage)?;
            storage.volumes.insert(format!("iso/{file}"), volume);
            Some(())
        });
        self.app.persist_or_log();
        put.is_some()
    }

    /// Takes a storage of the first node away: it shows nothing from now on, and no error, as a directory that is not mounted.
    pub fn unmount(&self, storage: &str) -> Unmounted {
        let node = self.app.config.node.clone();
        let taken = self.app.write(|cluster| {
            cluster.storage_mut(&node, storage).map(|storage| std::mem::take(&mut storage.volumes)).unwrap_or_default()
        });
        self.app.persist_or_log();
        Unmounted { storage: storage.to_owned(), volumes: taken }
    }

    /// Brings it back as it was; false when there is no such storage any more.
    pub fn mount(&self, unmounted: Unmounted) -> bool {
        let node = self.app.config.node.clone();
        let Unmounted { storage, volumes } = unmounted;
        let mounted =
            self.app.write(|cluster| cluster.storage_mut(&node, &storage).map(|found| found.volumes = volumes));
        self.app.persist_or_log();
        mounted.is_some()
    }

    /// Puts a disk on a storage of the first node that bears a VM's number and is in no configuration here, as on a storage that hosts
    /// of another cluster use too; false when there is none.
    pub fn add_disk(&self, storage: &str, vmid: u32, file: &str) -> bool {
        let node = self.app.config.node.clone();
        let volume = Volume { vmid: Some(vmid), ..crate::storage::file("images", file, 1 << 30) };
        let put = self.app.write(|cluster| {
            let storage = cluster.storage_mut(&node, storage)?;
            storage.volumes.insert(format!("{vmid}/{file}"), volume);
            Some(())
        });
        self.app.persist_or_log();
        put.is_some()
    }

    /// Cuts a node off, or brings it back: 595 through the others, and whoever asks it is cut off. False when there is none.
    pub fn unreachable(&self, node: &str, unreachable: bool) -> bool {
        let changed = self.app.write(|cluster| {
            cluster.nodes.get_mut(node)?.unreachable = unreachable;
            Some(())
        });
        self.app.persist_or_log();
        changed.is_some()
    }

    /// Switches the datacenter's firewall on or off: only where it is on do VMs' firewalls filter.
    pub fn datacenter_firewall(&self, on: bool) {
        self.app.write(|cluster| cluster.firewall.options.insert("enable".to_owned(), u8::from(on).to_string()));
        self.app.persist_or_log();
    }

    /// Gives a node these bridges and no others; false when there is no such node.
    pub fn set_bridges(&self, node: &str, bridges: &[&str]) -> bool {
        let changed = self.app.write(|cluster| {
            cluster.nodes.get_mut(node)?.bridges = bridges.iter().map(|bridge| (*bridge).to_owned()).collect();
            Some(())
        });
        self.app.persist_or_log();
        changed.is_some()
    }

    /// Takes a VM and its local volumes to another node at once, as somebody does by hand; false when there is no such VM or node.
    pub fn move_vm(&self, vmid: u32, target: &str) -> bool {
        let moved = self.app.write(|cluster| {
            let node = cluster.node_of(vmid)?.to_owned();
            cluster.nodes.get(target)?;
            let vm = cluster.nodes.get_mut(&node)?.vms.remove(&vmid)?;
            for (_, drive) in volume::own_drives(&vm) {
                let Some((name, file)) = volume::split_volid(&drive.first) else { continue };
                let taken = cluster.storage_mut(&node, name).and_then(|storage| storage.volumes.remove(file));
                if let (Some(taken), Some(storage)) = (taken, cluster.storage_mut(target, name)) {
                    storage.volumes.insert(file.to_owned(), taken);
                }
            }
            cluster.nodes.get_mut(target)?.vms.insert(vmid, vm);
            Some(())
        });
        self.app.persist_or_log();
        moved.is_some()
    }

    /// Leaves this many bytes free on a storage of the first node; false when there is none.
    pub fn leave_free(&self, storage: &str, free_bytes: u64) -> bool {
        self.leave_free_on(&self.app.config.node, storage, free_bytes)
    }

    /// The same on a node.
    pub fn leave_free_on(&self, node: &str, storage: &str, free_bytes: u64) -> bool {
        let changed = self.app.write(|cluster| {
            let storage = cluster.storage_mut(node, storage)?;
            let volumes = storage.used() - storage.base_used;
            storage.base_used = storage.total.saturating_sub(volumes).saturating_sub(free_bytes);
            Some(())
        });
        self.app.persist_or_log();
        changed.is_some()
    }

    /// Bytes used on a storage.
    pub fn storage_used(&self, storage: &str) -> Option<u64> {
        let node = &self.app.config.node;
        self.app.read(|cluster| Some(cluster.storage(node, storage)?.used()))
    }

    /// Names of the volumes on a storage of the first node.
    pub fn volumes(&self, storage: &str) -> Vec<String> {
        self.volumes_on(&self.app.config.node, storage)
    }

    /// The same on a node.
    pub fn volumes_on(&self, node: &str, storage: &str) -> Vec<String> {
        self.app.read(|cluster| {
            cluster.storage(node, storage).map(|storage| storage.volumes.keys().cloned().collect()).unwrap_or_default()
        })
    }

    /// Tasks so far, oldest first: UPID and exit status, `None` while running.
    pub fn tasks(&self) -> Vec<(String, Option<String>)> {
        self.app.read(|cluster| {
            let tasks = cluster.nodes.values().flat_map(|node| &node.tasks);
            tasks.map(|task| (task.upid.clone(), task.exit.clone())).collect()
        })
    }

    /// Forgets a task, as the server does with old ones; false when it was not known.
    pub fn forget_task(&self, upid: &str) -> bool {
        let known = self.app.write(|cluster| {
            let known = cluster.task(upid).is_some();
            for node in cluster.nodes.values_mut() {
                node.tasks.retain(|task| task.upid != upid);
            }
            known
        });
        self.app.persist_or_log();
        known
    }

    /// Waits until no task runs.
    pub async fn wait_idle(&self) {
        let mut ended = self.app.task_ended.subscribe();
        let busy = || {
            self.app.read(|cluster| cluster.nodes.values().any(|node| node.tasks.iter().any(|task| task.end.is_none())))
        };
        while busy() {
            // The sender lives as long as the server does.
            if ended.changed().await.is_err() {
                return;
            }
        }
    }

    /// The whole state as JSON, secrets included.
    pub fn dump(&self) -> Value {
        self.app.read(|cluster| serde_json::to_value(cluster).unwrap_or_else(|err| json!({ "error": err.to_string() })))
    }
}

fn view(node: &str, vmid: u32, vm: &Vm) -> VmView {
    VmView {
        vmid,
        node: node.to_owned(),
        name: vm.name(vmid),
        running: vm.run.is_some(),
        lock: vm.lock().map(str::to_owned),
        template: vm.is_template(),
        config: Value::Object(shown_config(&vm.config)),
    }
}
