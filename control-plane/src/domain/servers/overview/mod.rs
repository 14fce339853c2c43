//! The fleet at a glance: how the servers are, how much of them is reserved, and which are the fullest. All of it is added up by the
//! database, so that it costs the same for a thousand servers as for ten.

pub mod routes;
mod store;

use serde::Serialize;

use super::service::Service;
use crate::db::Window;
use crate::error::Result;
use crate::ids::ServerId;

/// So many of the fullest servers are named.
const FULLEST: u32 = 12;

/// The fleet at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = PlatformOverview)]
pub struct Overview {
    /// How many there are, and how they are.
    pub servers: Counts,
    /// Of all servers together, whatever their state; a storage that several servers share counts once.
    pub capacity: Room,
    /// At most 12, the fullest first: by the highest of their three shares, then by name.
    pub fullest: Vec<Full>,
}

/// How many servers there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ServerCounts)]
pub struct Counts {
    /// All.
    pub total: u64,
    /// By whether their agents are there.
    pub by_connection: ByConnection,
    /// By what the operator wants of them.
    pub by_scheduling: ByScheduling,
}

/// Servers by whether their agents are there; each is in one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ServersByConnection)]
pub struct ByConnection {
    /// No agent ever came.
    pub pending: u64,
    /// Their agents are heard.
    pub online: u64,
    /// Their agents hold sessions and have not been heard for two heartbeats.
    pub suspect: u64,
    /// Their agents are not heard.
    pub offline: u64,
}

/// Servers by what the operator wants of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ServersByScheduling)]
pub struct ByScheduling {
    /// Open to new pods.
    pub online: u64,
    /// Nothing new; what runs stays.
    pub locked: u64,
    /// Nothing new; what runs is to go elsewhere.
    pub draining: u64,
}

/// What is reserved, and what may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CapacityShare)]
pub struct Share {
    /// What pods hold.
    pub reserved: u64,
    /// What may be reserved in all; 0: not known yet.
    pub total: u64,
}

/// What is reserved and may be, of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CapacityRoom)]
pub struct Room {
    /// Virtual CPUs: threads times overcommit.
    pub vcpu: Share,
    /// Memory in MiB.
    pub memory_mib: Share,
    /// The storages that are offered, in GiB.
    pub disk_gib: Share,
}

/// One of the fullest servers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = FullServer)]
pub struct Full {
    /// The server.
    pub id: ServerId,
    /// Its name.
    pub name: String,
    /// Of it alone; a shared storage counts as a whole.
    #[serde(flatten)]
    pub room: Room,
}

impl Service {
    /// The fleet at a glance, of one moment.
    pub async fn overview_get(&self) -> Result<Overview> {
        let mut at = self.db.snapshot().await?;
        let mut servers = store::counts(at.conn()).await?;
        let silent = store::silent_since(at.conn(), self.suspect_before()).await?;
        let suspect = silent.into_iter().filter(|server| self.is_unheard(*server)).count() as u64;
        servers.by_connection.online = servers.by_connection.online.saturating_sub(suspect);
        servers.by_connection.suspect = suspect;
        let capacity = store::capacity(at.conn()).await?;
        let fullest = store::fullest(at.conn(), FULLEST).await?;
        Ok(Overview { servers, capacity, fullest })
    }

    /// The regions in which there are servers, by name.
    pub async fn region_list(&self, window: Window<String>) -> Result<Vec<String>> {
        store::regions(self.db.read().await?.conn(), window).await
    }
}
