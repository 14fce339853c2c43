//! VMs that bear the stamp of a pod, as the last inventories have them.

mod store;

use serde::{Deserialize, Serialize};

use super::service::Service;
use super::{Card, FirewallOptions};
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::jobs::Power;
use crate::error::Result;
use crate::ids::{CloudPodId, ServerId};

/// A VM that bears the stamp of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StampedVm {
    /// On whose host it was seen.
    pub server: ServerId,
    /// The space that its number is unique in.
    pub space: String,
    /// Its number.
    pub vmid: u32,
    /// Its name.
    pub name: String,
    /// Its power.
    pub power: Power,
    /// The pod of its stamp.
    pub pod: CloudPodId,
    /// Proxmox's lock; empty: none.
    pub lock: String,
    /// Virtual CPUs; 0: not known.
    pub vcpu: u32,
    /// Memory in MiB; 0: not known.
    pub memory_mib: u64,
    /// Its boot disk in MiB; 0: not known.
    pub disk_mib: u64,
    /// It starts with its host.
    pub start_on_boot: bool,
    /// Its network cards; `None`: not told.
    pub cards: Option<Vec<Card>>,
    /// The options of its firewall; `None`: not told.
    pub firewall: Option<FirewallOptions>,
    /// When the host last told of it. It tells what changes.
    pub observed_at: Ms,
}

/// JSONB holds objects only.
#[derive(Serialize, Deserialize)]
pub(super) struct Cards {
    pub(super) cards: Vec<Card>,
}

/// A VM of an inventory, ours or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmSeen {
    /// Its power.
    pub power: Power,
    /// It cannot run.
    pub template: bool,
    /// The pod of its stamp.
    pub pod: Option<CloudPodId>,
    /// Virtual CPUs; 0: not known.
    pub vcpu: u32,
    /// Memory in MiB; 0: not known.
    pub memory_mib: u64,
    /// Its boot disk in MiB; 0: not known.
    pub disk_mib: u64,
    /// It starts with its host.
    pub start_on_boot: bool,
}

impl Service {
    /// A VM of a server's last inventory.
    pub async fn vm_seen(&self, conn: Conn<'_>, server: ServerId, vmid: u32) -> Result<Option<VmSeen>> {
        store::vm_seen(conn, server, vmid).await
    }

    /// The stamped VMs on a host, templates left out. `None`: the host has not told all its VMs yet, is deleted, or was declared lost and is
    /// not back, so that nobody knows what is on it.
    pub async fn vms_stamped(&self, mut conn: Conn<'_>, server: ServerId) -> Result<Option<Vec<StampedVm>>> {
        if !store::is_inventoried(conn.again(), server).await? {
            return Ok(None);
        }
        store::vms_stamped(conn, server).await.map(Some)
    }

    /// A VM with the pod's stamp on a host that was not declared lost, without a fence around it, where the last inventory has one.
    pub async fn vm_unfenced(&self, mut conn: Conn<'_>, pod: CloudPodId) -> Result<Option<StampedVm>> {
        for vm in store::vms_of_pods(conn.again(), &[pod]).await? {
            let lost = self.server_get(conn.again(), vm.server).await?.lost_at.is_some();
            if !lost && !self.is_fenced(conn.again(), vm.server, pod, vm.vmid).await? {
                return Ok(Some(vm));
            }
        }
        Ok(None)
    }

    /// The VMs with the stamps of these pods, wherever they were last seen but on hosts that were declared lost and are not back.
    pub async fn vms_of_pods(&self, conn: Conn<'_>, pods: &[CloudPodId]) -> Result<Vec<StampedVm>> {
        if pods.is_empty() {
            return Ok(Vec::new());
        }
        store::vms_of_pods(conn, pods).await
    }
}
