//! What a tenant's people choose from when they make a pod, and whether it would fit. Nothing here tells of servers.

pub mod routes;

use std::collections::BTreeMap;

use super::create::{pod_new, taken};
use super::service::{Service, request_of};
use super::{CloudPodCreate, Wish};
use crate::domain::audit::Scope;
use crate::domain::scheduling::{Request, place};
use crate::domain::servers::ServerCapacity;
use crate::domain::tenants::quotas;
use crate::error::{NO_ROOM, Result};

/// Whether a pod would fit at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// It would.
    pub fits: bool,
    /// The region that it would go to; `None`: it would not fit.
    pub region: Option<String>,
    /// Why it fits or does not, and what may help; no server is named.
    pub reason: String,
}

impl Fit {
    fn not(reason: impl Into<String>) -> Self {
        Self { fits: false, region: None, reason: reason.into() }
    }
}

impl Service {
    /// Whether a pod like this could be made at present, and in which region; nothing is held. What could not be made at any time is
    /// `Invalid`.
    pub async fn placement_fit(&self, scope: Scope, mut input: CloudPodCreate) -> Result<Fit> {
        "preview".clone_into(&mut input.name);
        // One moment: what is used of a quota is counted by several statements.
        let mut at = self.db.snapshot().await?;
        let resolved = self.create_resolve(at.conn(), scope, &input).await?;
        let pod = pod_new(&input.name, resolved, self.books.clock.now());
        if let Err(refused) = quotas::look(at.conn(), pod.tenant, taken(&pod, pod.wish.pools.len())).await? {
            return Ok(Fit::not(refused.to_string()));
        }
        let request = request_of(&self.books, at.conn(), &pod).await?;
        let servers = self.books.servers.server_snapshot(at.conn()).await?;
        Ok(fit(&request, &pod.wish, &servers))
    }
}

/// Whether one of the servers can take it; if not, which wish keeps it from all of them.
fn fit(request: &Request, wish: &Wish, servers: &[ServerCapacity]) -> Fit {
    let region_of = |request: &Request| {
        let chosen = place(request, servers).chosen?;
        servers.iter().find(|server| server.id == chosen.server).map(|server| server.region.clone())
    };
    if let Some(region) = region_of(request) {
        let reason = format!("there is room for it in the region {region}");
        return Fit { fits: true, region: Some(region), reason };
    }
    if let Some(wanted) = &wish.region {
        if !servers.iter().any(|server| server.region == *wanted) {
            return Fit::not(format!("there is no region {wanted}: name another one, or none"));
        }
        if let Some(other) = region_of(&Request { region: None, ..request.clone() }) {
            return Fit::not(format!("there is no room for it in the region {wanted} at present, but in {other}"));
        }
    }
    if request.anti_affinity && region_of(&Request { anti_affinity: false, ..request.clone() }).is_some() {
        return Fit::not(
            "there is room for it only beside another pod of yours: leave anti_affinity out, or try again later",
        );
    }
    if !request.labels.is_empty() && region_of(&Request { labels: BTreeMap::new(), ..request.clone() }).is_some() {
        return Fit::not("there is room for it, but not with these labels: leave some out, or try again later");
    }
    if request.templates.is_empty() {
        return Fit::not("the image is nowhere at present: choose another one, or try again later");
    }
    Fit::not(NO_ROOM)
}
