//! What pods hold of servers, looked at as a whole: whether totals are the sums of their rows, who holds what, and which
//! certificates end soon.

mod store;

use std::collections::HashMap;

use super::service::Service;
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::finding::{FINDINGS_MAX, Finding, Findings};
use crate::error::Result;
use crate::ids::{CloudPodId, ServerId};

/// What one pod holds: room or a VMID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Who holds it.
    pub pod: CloudPodId,
    /// Of which server.
    pub server: ServerId,
    /// The VMID, where it is one.
    pub vmid: Option<u32>,
    /// Since when.
    pub since: Ms,
}

/// Which pods hold room and VMIDs, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldBy {
    /// Pods with a reservation.
    pub reservations: HashMap<CloudPodId, ServerId>,
    /// Pods with a VMID.
    pub vmids: HashMap<CloudPodId, (ServerId, u32)>,
}

/// What keeps pods' firewalls from having any effect.
pub const FIREWALL_OFF: &str = "the firewall of its Proxmox datacenter is off, so that no pod's firewall has any effect: \
                                neither rules, nor the filters against forged addresses";
/// What to do about it.
pub const FIREWALL_SWITCH_ON: &str = "in Proxmox, allow what has to reach the hosts under Datacenter → Firewall, then set Datacenter → \
                                      Firewall → Options → Firewall to Yes";

/// One row more than are listed, so that it is known whether there are more.
const LIMIT: i64 = FINDINGS_MAX as i64 + 1;

impl Service {
    /// A page of reservations in the order of the pods' ids.
    pub async fn reservations_page(
        &self,
        conn: Conn<'_>,
        after: Option<CloudPodId>,
        limit: i64,
    ) -> Result<Vec<Holding>> {
        store::reservations_page(conn, after, limit).await
    }

    /// A page of the VMIDs that pods have, in the order of the pods' ids.
    pub async fn vmids_page(&self, conn: Conn<'_>, after: Option<CloudPodId>, limit: i64) -> Result<Vec<Holding>> {
        store::vmids_page(conn, after, limit).await
    }

    /// What these pods hold.
    pub async fn held_by(&self, conn: Conn<'_>, pods: &[CloudPodId]) -> Result<HeldBy> {
        store::held_by(conn, pods).await
    }

    /// Finds servers and storages whose totals are not the sums of their reservations.
    pub async fn totals_check(&self, mut conn: Conn<'_>) -> Result<Findings> {
        let servers = store::servers_off(conn.again(), LIMIT).await?.into_iter().map(|row| {
            let store::ServerOff { name, held, sum } = row;
            let shown = |(vcpu, memory, pods): (i64, i64, i64)| format!("{vcpu} vCPU, {memory} MiB, {pods} pods");
            off(format!("server {name}"), &shown(held), &shown(sum))
        });
        let storages = store::storages_off(conn, LIMIT).await?.into_iter().map(|row| {
            let store::StorageOff { server, storage, held, sum } = row;
            off(format!("storage {storage} of server {server}"), &format!("{held} GiB"), &format!("{sum} GiB"))
        });
        Ok(servers.chain(storages).collect())
    }

    /// Finds servers that have pods, and whose datacenter's firewall is off: no pod's firewall has any effect there.
    pub async fn firewalls_check(&self, conn: Conn<'_>) -> Result<Findings> {
        let off = store::servers_unfiltered(conn, LIMIT).await?;
        Ok(off
            .into_iter()
            .map(|(name, since)| Finding {
                subject: format!("server {name}"),
                since,
                detail: FIREWALL_OFF.to_owned(),
                cure: FIREWALL_SWITCH_ON.to_owned(),
            })
            .collect())
    }

    /// Finds servers whose agent's newest certificate has less than a quarter of its life left: agents renew at half of it.
    pub async fn certificates_check(&self, conn: Conn<'_>) -> Result<Findings> {
        let now = self.clock.now();
        let ending = store::certificates_ending(conn, now, LIMIT).await?;
        Ok(ending
            .into_iter()
            .map(|store::Ending { name, connection, issued_at, not_after }| {
                let life = not_after.since(issued_at);
                let ended = not_after <= now;
                let cure = if ended {
                    format!("enrol it anew with `mpanel server token {name}`")
                } else if connection == "online" {
                    format!("see the log of mpanel-agent on {name} for why it does not renew")
                } else {
                    format!("bring the agent of {name} back before then; afterwards it has to enrol anew")
                };
                Finding {
                    subject: format!("server {name}"),
                    since: Some(issued_at.plus(life * 3 / 4)),
                    detail: format!(
                        "its agent's certificate {} at {} and the agent is {connection}",
                        if ended { "ended" } else { "ends" },
                        not_after.to_rfc3339()
                    ),
                    cure,
                }
            })
            .collect())
    }
}

fn off(subject: String, held: &str, sum: &str) -> Finding {
    Finding {
        subject,
        since: None,
        detail: format!("its totals say that {held} are held, its reservations that {sum} are"),
        cure: "a defect of mPanel: report it with this text; placement counts with the totals until they are corrected"
            .to_owned(),
    }
}
