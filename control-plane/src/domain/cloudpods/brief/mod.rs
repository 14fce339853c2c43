//! Pods in brief, many at once, for those who compare: what is wanted of them and where they are said to be; and whether
//! what is held is held by pods that may hold it.

mod store;

use std::collections::HashMap;

use super::service::Service;
use super::{DesiredPower, GivenCard};
use crate::clock::Ms;
use crate::db::Conn;
use crate::domain::finding::{Finding, Findings};
use crate::domain::firewall::{NOT_TAKEN, NOT_TAKEN_CURE};
use crate::domain::servers::{FirewallOptions, IdleMove};
use crate::error::Result;
use crate::ids::{CloudPodId, ServerId, TenantId};

/// What is compared of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodBrief {
    /// Its id.
    pub id: CloudPodId,
    /// Whose it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// The name that its VM is known to have; `None`: not seen yet.
    pub vm_name: Option<String>,
    /// Its state's name.
    pub state: String,
    /// What somebody wants.
    pub desired_power: DesiredPower,
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Disk in GiB.
    pub disk_gib: u64,
    /// Where it is said to be.
    pub server: Option<ServerId>,
    /// Its number there.
    pub vmid: Option<u32>,
    /// Its size was changed, which takes effect only at its next restart.
    pub size_waits: bool,
    /// Whether its VM is to start with its host.
    pub start_on_boot: bool,
    /// The network cards that its VM was given; `None`: mPanel gave it none.
    pub cards: Option<Vec<GivenCard>>,
    /// The options of the firewall that its host has taken; `None`: it has none from mPanel, or not the newest.
    pub firewall: Option<FirewallOptions>,
    /// When its host took it.
    pub firewall_at: Option<Ms>,
    /// When it last changed.
    pub updated_at: Ms,
}

/// Pods that are looked at at once.
const PAGE: i64 = 500;

impl Service {
    /// These pods, deleted ones included; those that never were are missing.
    pub async fn pods_brief(&self, conn: Conn<'_>, pods: &[CloudPodId]) -> Result<HashMap<CloudPodId, PodBrief>> {
        if pods.is_empty() {
            return Ok(HashMap::new());
        }
        Ok(store::pods_by_ids(conn, pods).await?.into_iter().map(|pod| (pod.id, pod)).collect())
    }

    /// The pods that are said to be on a server.
    pub async fn pods_on_server(&self, conn: Conn<'_>, server: ServerId) -> Result<Vec<PodBrief>> {
        store::pods_on_server(conn, server).await
    }

    /// Finds reservations and VMIDs of pods that are gone or elsewhere, and pods with a VM that hold neither: others could
    /// be given what they use. `conn` is to be a snapshot's: what is read by turns has to fit together.
    pub async fn capacity_check(&self, mut conn: Conn<'_>) -> Result<Findings> {
        let mut found = Findings::default();
        for vmids in [false, true] {
            let mut after = None;
            loop {
                let page = if vmids {
                    self.books.servers.vmids_page(conn.again(), after, PAGE).await?
                } else {
                    self.books.servers.reservations_page(conn.again(), after, PAGE).await?
                };
                let Some(last) = page.last() else { break };
                after = Some(last.pod);
                let ids: Vec<_> = page.iter().map(|held| held.pod).collect();
                let pods = self.pods_brief(conn.again(), &ids).await?;
                let busy = self.jobs.pods_busy(conn.again(), &ids).await?;
                for held in page {
                    let what = held.vmid.map_or_else(|| "a reservation".to_owned(), |vmid| format!("VMID {vmid}"));
                    let here = pods.get(&held.pod).filter(|pod| pod.state != "deleted");
                    let detail = match here {
                        None => format!("it is gone, and still holds {what} of server {}", held.server),
                        // A job may hold room elsewhere before the pod is there.
                        Some(pod) if pod.server != Some(held.server) && !busy.contains(&held.pod) => {
                            format!("it holds {what} of server {}, where it is not", held.server)
                        }
                        Some(pod) if held.vmid.is_some() && pod.vmid != held.vmid && !busy.contains(&held.pod) => {
                            format!("it holds {what}, which is not its VM's")
                        }
                        Some(_) => continue,
                    };
                    if !found.push(leaked(held.pod, Some(held.since), detail)) {
                        return Ok(found);
                    }
                }
            }
        }
        self.unheld_find(conn.again(), &mut found).await?;
        self.idle_moves_find(conn, &mut found).await?;
        Ok(found)
    }

    async fn idle_moves_find(&self, mut conn: Conn<'_>, found: &mut Findings) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.books.servers.moves_idle_page(conn.again(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.pod);
            for IdleMove { pod, job, target, since } in page {
                let detail = format!(
                    "its move to server {target} by the job {job} is over, or it is gone, and room is held for it there still"
                );
                if !found.push(leaked(pod, Some(since), detail)) {
                    return Ok(());
                }
            }
        }
    }

    async fn unheld_find(&self, mut conn: Conn<'_>, found: &mut Findings) -> Result<()> {
        let mut after = None;
        loop {
            let page = store::pods_placed_page(conn.again(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            let ids: Vec<_> = page.iter().map(|pod| pod.id).collect();
            let held = self.books.servers.held_by(conn.again(), &ids).await?;
            for pod in page {
                let missing = match (held.reservations.get(&pod.id), held.vmids.get(&pod.id)) {
                    (Some(_), Some(_)) => continue,
                    (None, _) => "no reservation",
                    (Some(_), None) => "no VMID",
                };
                let detail =
                    format!("it is {} and has a VM, but {missing}: others may be given what it uses", pod.state);
                if !found.push(leaked(pod.id, Some(pod.updated_at), detail)) {
                    return Ok(());
                }
            }
        }
    }

    /// Finds pods whose host has not taken the firewall that is wanted, though no job is on its way with it.
    pub async fn firewalls_check(&self, mut conn: Conn<'_>) -> Result<Findings> {
        let mut found = Findings::default();
        let mut after = None;
        loop {
            let page = store::pods_unfiltered_page(conn.again(), after, PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            after = Some(*last);
            let ids: Vec<_> = page.iter().map(|(pod, _)| *pod).collect();
            let busy = self.jobs.pods_busy(conn.again(), &ids).await?;
            for (pod, since) in page.into_iter().filter(|(pod, _)| !busy.contains(pod)) {
                let finding = Finding {
                    subject: format!("cloudpod {pod}"),
                    since: Some(since),
                    detail: NOT_TAKEN.to_owned(),
                    cure: NOT_TAKEN_CURE.to_owned(),
                };
                if !found.push(finding) {
                    return Ok(found);
                }
            }
        }
    }

    /// Finds addresses of pods that are gone. `conn` is to be a snapshot's.
    pub async fn addresses_check(&self, mut conn: Conn<'_>) -> Result<Findings> {
        let mut found = self.books.ipam.addresses_check(conn.again()).await?;
        let mut after = None;
        loop {
            let page = self.books.ipam.holdings_page(conn.again(), after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = Some(last.pod);
            let ids: Vec<_> = page.iter().map(|held| held.pod).collect();
            let pods = self.pods_brief(conn.again(), &ids).await?;
            for held in page {
                if pods.get(&held.pod).is_some_and(|pod| pod.state != "deleted") {
                    continue;
                }
                let more = if held.count > 1 { format!(" and {} more", held.count - 1) } else { String::new() };
                let detail = format!("it is gone, and still holds the address {}{more}", held.address);
                if !found.push(leaked(held.pod, Some(held.since), detail)) {
                    return Ok(found);
                }
            }
        }
    }
}

fn leaked(pod: CloudPodId, since: Option<Ms>, detail: String) -> Finding {
    let cure = "a defect of mPanel: report it with the pod's jobs (`mpanel job list --pod …`)".to_owned();
    Finding { subject: format!("cloudpod {pod}"), since, detail, cure }
}
