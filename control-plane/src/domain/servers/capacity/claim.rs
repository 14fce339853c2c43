//! What is there already comes into the books: room and a VMID that a VM uses, whether there is room for it or not.

use super::{Hold, store};
use crate::db::{Conn, Tx};
use crate::domain::servers::Server;
use crate::domain::servers::service::Service;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

impl Service {
    /// Counts what a pod's VM uses of a server, in place of what the pod held before. Repeatable. `Invalid` when the server
    /// has no such storage.
    #[expect(clippy::too_many_arguments, reason = "who, where and how much; a struct would only rename them")]
    pub async fn reservation_claim(
        &self,
        tx: &mut Tx,
        pod: CloudPodId,
        server: ServerId,
        storage: &str,
        vcpu: u32,
        memory_mib: u64,
        disk_gib: u64,
    ) -> Result<()> {
        self.reservation_release(tx, pod).await?;
        let hold = Hold { pod, server, storage, vcpu, memory_mib, disk_gib };
        if !store::totals_claim(tx, &hold).await? {
            return Err(Error::not_found("server", server));
        }
        if !store::storage_claim(tx, &hold).await? {
            return Err(Error::invalid(
                "storage",
                format!("the server has no storage {storage}; `mpanel server show` lists them"),
            ));
        }
        store::reservation_insert(tx, &hold, self.clock.now()).await
    }

    /// The storage that a VM on a server is counted on: the preferred one if the server has it, else one that is offered.
    pub async fn storage_for(&self, conn: Conn<'_>, server: ServerId, preferred: Option<&str>) -> Result<String> {
        let server = self.server_get(conn, server).await?;
        let own = server.storages.iter().find(|storage| Some(storage.name.as_str()) == preferred);
        let found = own.or_else(|| server.storages.iter().find(|storage| storage.offered));
        found.or(server.storages.first()).map(|storage| storage.name.clone()).ok_or_else(|| {
            let detail = format!("no storage of {} is known: offer one with `mpanel server edit`", server.name);
            Error::conflict("storage_unknown", detail)
        })
    }

    /// The server's only storage for pods; `Invalid` when there are several, or none.
    pub fn storage_only(&self, server: &Server) -> Result<String> {
        let mut offered = server.storages.iter().filter(|storage| storage.offered);
        match (offered.next(), offered.next()) {
            (Some(only), None) => Ok(only.name.clone()),
            (None, _) => {
                Err(Error::invalid("storage", "the server offers none: name the one that the VM's disk is on"))
            }
            (Some(_), Some(_)) => {
                Err(Error::invalid("storage", "the server offers several: name the one that the VM's disk is on"))
            }
        }
    }

    /// Corrects how much a pod holds, where it holds it.
    pub async fn reservation_correct(
        &self,
        tx: &mut Tx,
        pod: CloudPodId,
        vcpu: u32,
        memory_mib: u64,
        disk_gib: u64,
    ) -> Result<()> {
        let Some(held) = store::reservation_of(tx.conn(), pod).await? else {
            return Err(Error::conflict("reservation_missing", format!("CloudPod {pod} holds no capacity")));
        };
        self.reservation_claim(tx, pod, held.server_id, &held.storage, vcpu, memory_mib, disk_gib).await
    }

    /// Gives a pod the VMID that its VM has on a server, in place of the one that it had. Repeatable. A conflict when another
    /// pod has it.
    pub async fn vmid_claim(&self, tx: &mut Tx, server: ServerId, vmid: u32, pod: CloudPodId) -> Result<()> {
        let record = crate::domain::servers::store::server_get(tx.conn(), server).await?;
        let own = store::vmid_of(tx.conn(), pod).await?;
        if own.as_ref().is_some_and(|own| own.server_id == server && own.vmid == i64::from(vmid)) {
            return Ok(());
        }
        self.vmid_release(tx, pod).await?;
        if store::vmid_claim(tx, &record, vmid, pod, self.clock.now()).await? {
            return Ok(());
        }
        let detail = format!("VMID {vmid} of server {} is another CloudPod's", record.name);
        Err(Error::conflict("vmid_taken", detail))
    }
}
