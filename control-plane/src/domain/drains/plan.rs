//! What would become of each pod of a server.

use std::collections::{HashMap, HashSet};

use super::Options;
use super::service::Service;
use crate::db::Conn;
use crate::domain::cloudpods::moves::{MoveAsk, MoveChoice, MoveWish, Terrain, nowhere};
use crate::domain::cloudpods::{CloudPod, Named};
use crate::domain::jobs::Power;
use crate::domain::scheduling::unreachable;
use crate::domain::servers::Method;
use crate::domain::servers::query::MigrateCheck;
use crate::error::{Error, Result};
use crate::ids::{CloudPodId, ServerId};

/// What keeps a pod that is on no host.
pub(super) const NO_VM: &str = "it has no VM";

/// What would become of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    /// The pod.
    pub pod: CloudPodId,
    /// Its name.
    pub name: String,
    /// How it would be moved; `None`: it cannot be.
    pub method: Option<Method>,
    /// Where to.
    pub target: Option<Named<ServerId>>,
    /// What would have to be copied; `None`: not known.
    pub bytes: Option<u64>,
    /// What keeps it here; empty: nothing.
    pub blocker: String,
    /// Proxmox itself says that it cannot be moved: trying changes nothing.
    pub refused: bool,
}

impl PlanRow {
    /// A pod of which nothing is known yet but that it is to be moved.
    pub(super) fn unplanned(pod: CloudPodId, name: String) -> Self {
        Self { pod, name, method: None, target: None, bytes: None, blocker: String::new(), refused: false }
    }

    /// A pod that cannot be moved as things are.
    fn blocked(pod: &CloudPod, blocker: String) -> Self {
        Self { blocker, ..Self::unplanned(pod.id, pod.name.clone()) }
    }
}

/// Where a pod of the terrain's server goes, or what keeps it there: the preview and the drain itself go by this.
pub(super) fn destination(
    pod: &CloudPod,
    terrain: &Terrain,
    ask: &MoveAsk,
    full: &HashSet<ServerId>,
) -> Result<MoveChoice, String> {
    if let Err(refused) = pod.state.migrate() {
        return Err(Error::from(refused).to_string());
    }
    if pod.vmid.is_none() {
        return Err(NO_VM.to_owned());
    }
    if let Some(target) = &pod.moving_to {
        return Err(format!("a move of it to {} is not over: see that its `migrate` job ends", target.name));
    }
    if let Some(reason) = unreachable(&terrain.source) {
        return Err(format!("nothing can be moved from server {} at present: {reason}", terrain.source.name));
    }
    terrain.choose(ask, full).map_err(|explanation| nowhere(&explanation).to_string())
}

/// How it would be moved, as far as its last observation tells.
pub(super) fn method_of(pod: &CloudPod, remote: bool) -> Method {
    match pod.observed_power {
        _ if remote => Method::Remote,
        Power::Stopped => Method::Offline,
        Power::Running | Power::Paused | Power::Unknown => Method::Live,
    }
}

impl Service {
    /// Plans for every pod of a server, each with the room in mind that those before it take. Writes nothing.
    pub(super) async fn plan_make(
        &self,
        mut conn: Conn<'_>,
        server: ServerId,
        pods: &[CloudPod],
        checks: &HashMap<u32, MigrateCheck>,
        options: &Options,
    ) -> Result<Vec<PlanRow>> {
        let mut terrain = self.pods.move_terrain(conn.again(), server).await?;
        let mut rows = Vec::new();
        for pod in pods {
            let ask = self.pods.move_ask(conn.again(), pod, MoveWish::default()).await?;
            let check = pod.vmid.and_then(|vmid| checks.get(&vmid));
            let chosen = match (destination(pod, &terrain, &ask, &HashSet::new()), check) {
                (Ok(_), Some(check)) if !check.error.is_empty() => {
                    rows.push(PlanRow::blocked(pod, format!("its host says of VM {}: {}", check.vmid, check.error)));
                    continue;
                }
                (Ok(chosen), _) => chosen,
                (Err(blocker), _) => {
                    rows.push(PlanRow::blocked(pod, blocker));
                    continue;
                }
            };
            let check = check.filter(|_| !chosen.remote);
            if let Some(check) = check.filter(|check| !check.blockers.is_empty() && !options.allow_shutdown) {
                let blocker = check.blockers.join("; ");
                rows.push(PlanRow { refused: true, ..PlanRow::blocked(pod, blocker) });
                continue;
            }
            terrain.take(&ask, &chosen);
            let whole = if chosen.disk_stays { 0 } else { pod.disk_gib << 30 };
            rows.push(PlanRow {
                pod: pod.id,
                name: pod.name.clone(),
                method: Some(method_of(pod, chosen.remote)),
                target: Some(Named { id: chosen.choice.server, name: chosen.choice.name }),
                bytes: Some(check.map_or(whole, |check| check.local_disk_mib << 20)),
                blocker: String::new(),
                refused: false,
            });
        }
        Ok(rows)
    }
}
