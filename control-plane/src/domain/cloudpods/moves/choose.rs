//! Where a pod that is on a server already may be moved to: pure functions on a snapshot of the servers.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::super::sagas::Books;
use super::super::{CloudPod, service};
use crate::db::{Conn, Window};
use crate::domain::scheduling::{Choice, Decision, Explanation, Reason, Request, place};
use crate::domain::servers::{Method, ServerCapacity};
use crate::error::{Error, Result};
use crate::ids::ServerId;

/// What somebody wants of a move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveWish {
    /// Only to this server.
    pub target: Option<ServerId>,
    /// Only onto this storage.
    pub storage: Option<String>,
    /// Only so.
    pub method: Option<Method>,
    /// Not to these.
    #[serde(default)]
    pub avoid: Vec<ServerId>,
}

/// The servers around the one that pods are moved from.
#[derive(Clone, Debug)]
pub struct Terrain {
    /// Itself.
    pub source: ServerCapacity,
    /// The other nodes of its Proxmox cluster.
    cluster: Vec<ServerCapacity>,
    /// The servers of other clusters, or of none.
    others: Vec<ServerCapacity>,
    /// Those that VMs of other clusters can be sent to.
    endpoints: HashSet<ServerId>,
}

/// A pod that is to be moved, and what has to hold of its target.
#[derive(Clone, Debug)]
pub struct MoveAsk {
    request: Request,
    wish: MoveWish,
    /// The storage that its disk is on.
    storage: Option<String>,
    /// The bridges of its network cards, one of each.
    bridges: Vec<String>,
    /// The one that its cards are on in another cluster; `None`: whichever the server there has for pods.
    bridge_there: Option<String>,
    /// It holds addresses, which only its own region routes.
    addressed: bool,
    /// It has snapshots.
    snapshots: bool,
    /// Its name.
    name: String,
}

/// Where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveChoice {
    /// The server and the storage.
    pub choice: Choice,
    /// In another Proxmox cluster.
    pub remote: bool,
    /// The disk stays on a storage that both share.
    pub disk_stays: bool,
    /// Why there.
    pub explanation: Explanation,
}

impl MoveAsk {
    /// What `pod` needs, and what somebody wants of its move.
    pub async fn read(books: &Books, mut conn: Conn<'_>, pod: &CloudPod, wish: MoveWish) -> Result<Self> {
        let mut request = service::request_of(books, conn.again(), pod).await?;
        let one = Window { limit: 1, after: None };
        let snapshots = !books.snapshots.snapshot_list(conn.again(), pod.id, &one).await?.is_empty();
        let addresses = books.ipam.addresses_of(conn.again(), pod.id).await?;
        request.server = wish.target.or(request.server);
        request.storage = wish.storage.clone().or(request.storage);
        let mut bridges: Vec<_> = addresses.iter().filter_map(|address| address.bridge.clone()).collect();
        let bridge_there = bridges.first().cloned();
        if (addresses.is_empty() || addresses.iter().any(|address| address.bridge.is_none()))
            && let Some(server) = &pod.server
        {
            bridges.push(books.servers.server_get(conn, server.id).await?.bridge);
        }
        bridges.sort();
        bridges.dedup();
        let (storage, addressed, name) = (pod.storage.clone(), !addresses.is_empty(), pod.name.clone());
        Ok(Self { request, wish, storage, bridges, bridge_there, addressed, snapshots, name })
    }
}

impl Terrain {
    /// The servers as they are now.
    pub async fn read(books: &Books, mut conn: Conn<'_>, source: ServerId) -> Result<Self> {
        let servers = books.servers.server_snapshot(conn.again()).await?;
        let endpoints = books.servers.endpoints_known(conn).await?;
        let (here, rest): (Vec<_>, Vec<_>) = servers.into_iter().partition(|server| server.id == source);
        let source = here.into_iter().next().ok_or_else(|| Error::not_found("server", source))?;
        let (cluster, others) = rest.into_iter().partition(|server| server.vmid_space == source.vmid_space);
        Ok(Self { source, cluster, others, endpoints })
    }

    /// Refuses a wish for another storage within a cluster that shares the one that the pod's disk is on: Proxmox moves no disk
    /// that is on shared storage, whatever storage it is told.
    pub fn storage_check(&self, ask: &MoveAsk) -> Result<()> {
        let MoveWish { target, storage, method, avoid: _ } = &ask.wish;
        let leaves = *method == Some(Method::Remote)
            || target.is_some_and(|target| !self.cluster.iter().any(|server| server.id == target));
        match (storage, &ask.storage) {
            (Some(wished), Some(own)) if wished != own && !leaves && self.is_shared(own) => {
                let detail = format!(
                    "is {wished}, but the pod's disk is on `{own}`, which its Proxmox cluster shares, and stays there when the pod \
                     is moved within the cluster: leave it out, or name a server of another cluster too"
                );
                Err(Error::invalid("storage", detail))
            }
            _ => Ok(()),
        }
    }

    /// Where the pod goes, without the servers that were `lost` to somebody who was faster; or why nowhere. A node of its own
    /// cluster goes before all others.
    pub fn choose(&self, ask: &MoveAsk, lost: &HashSet<ServerId>) -> Result<MoveChoice, Box<Explanation>> {
        let (mut explanation, disk_stays) = (Explanation::default(), self.disk_stays(ask));
        if ask.wish.method != Some(Method::Remote) {
            let mut request = self.request(ask, &self.cluster, lost);
            if disk_stays {
                request.storage.clone_from(&ask.storage);
                request.disk_gib = 0;
            }
            for server in &self.cluster {
                let missing = ask.bridges.iter().find(|bridge| lacks(server, bridge));
                if let Some(bridge) = missing {
                    request.barred.insert(server.id, Reason::Bridge(bridge.clone()));
                }
            }
            let decision = place(&request, &self.cluster);
            if let Some(choice) = decision.chosen {
                let explanation = decision.explanation;
                return Ok(MoveChoice { choice, remote: false, disk_stays, explanation });
            }
            explanation = decision.explanation;
        }
        let mut request = self.request(ask, &self.others, lost);
        for server in &self.others {
            let reason = if matches!(ask.wish.method, Some(Method::Live | Method::Offline)) {
                Reason::OtherCluster
            } else if !self.endpoints.contains(&server.id) {
                Reason::NoEndpoint(server.name.clone())
            } else if ask.snapshots {
                Reason::Snapshots
            } else if ask.bridges.len() > 1 {
                Reason::Bridges
            } else if let Some(bridge) = ask.bridge_there.as_ref().filter(|bridge| lacks(server, bridge)) {
                Reason::Bridge(bridge.clone())
            } else {
                continue;
            };
            request.barred.insert(server.id, reason);
        }
        let Decision { chosen, explanation: beyond } = place(&request, &self.others);
        let explanation = joined(explanation, beyond);
        match chosen {
            Some(choice) => Ok(MoveChoice { choice, remote: true, disk_stays: false, explanation }),
            None => Err(Box::new(explanation)),
        }
    }

    /// Takes the room that a chosen move needs, for a plan of many.
    pub fn take(&mut self, ask: &MoveAsk, chosen: &MoveChoice) {
        let Request { vcpu, memory_mib, disk_gib, .. } = &ask.request;
        let mut all = self.cluster.iter_mut().chain(&mut self.others);
        let Some(server) = all.find(|server| server.id == chosen.choice.server) else { return };
        server.reserved_vcpu += u64::from(*vcpu);
        server.reserved_memory_mib += memory_mib;
        server.reserved_pods += 1;
        let storage = server.storages.iter_mut().find(|storage| storage.name == chosen.choice.storage);
        if let Some(storage) = storage.filter(|_| !chosen.disk_stays) {
            storage.reserved_gib += disk_gib;
        }
    }

    /// Whether the pod's disk is on a storage that its whole cluster shares, and nobody wants it elsewhere.
    fn disk_stays(&self, ask: &MoveAsk) -> bool {
        let wanted_here = ask.wish.storage.is_none() || ask.wish.storage == ask.storage;
        wanted_here && ask.storage.as_ref().is_some_and(|storage| self.is_shared(storage))
    }

    fn server_name(&self, id: ServerId) -> String {
        let mut all = std::iter::once(&self.source).chain(&self.cluster).chain(&self.others);
        all.find(|server| server.id == id).map_or_else(|| id.to_string(), |server| server.name.clone())
    }

    fn is_shared(&self, storage: &str) -> bool {
        self.source.storages.iter().any(|known| known.shared && known.name == storage)
    }

    fn request(&self, ask: &MoveAsk, servers: &[ServerCapacity], lost: &HashSet<ServerId>) -> Request {
        let mut request = ask.request.clone();
        // A VM that is there needs no template.
        request.templates = servers.iter().map(|server| (server.id, 0)).collect();
        request.lost.clone_from(lost);
        if ask.addressed {
            request.region = request.region.or_else(|| Some(self.source.region.clone()));
        }
        request.barred = ask.wish.avoid.iter().map(|server| (*server, Reason::Avoided)).collect();
        // A wish of today's goes before the one that the pod was made with.
        if let Some(pinned) = request.server.take_if(|_| ask.wish.target.is_none()) {
            let to = self.server_name(pinned);
            let others = servers.iter().filter(|server| server.id != pinned);
            let reason = || Reason::Pinned { pod: ask.name.clone(), server: to.clone() };
            request.barred.extend(others.map(|server| (server.id, reason())));
        }
        request
    }
}

/// Whether its agent has told its bridges, and this is none of them.
fn lacks(server: &ServerCapacity, bridge: &String) -> bool {
    !server.bridges.is_empty() && !server.bridges.contains(bridge)
}

fn joined(mut first: Explanation, second: Explanation) -> Explanation {
    let Explanation { servers, fitting, rejected_by_reason, considered } = second;
    first.servers += servers;
    first.fitting += fitting;
    for (reason, count) in rejected_by_reason {
        *first.rejected_by_reason.entry(reason).or_default() += count;
    }
    first.considered.extend(considered);
    first
}

/// As the error of a pod that can go nowhere.
pub fn nowhere(explanation: &Explanation) -> Error {
    match explanation.waits_for() {
        Some(why) => Error::retry(why),
        None if explanation.servers == 0 => {
            Error::conflict("no_other_server", "there is no other server that it could be moved to; register one")
        }
        None => explanation.no_capacity(),
    }
}
