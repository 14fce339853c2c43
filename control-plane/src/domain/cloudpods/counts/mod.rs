//! How many pods there are, and how they are.

pub mod routes;
mod store;

use serde::Serialize;

use super::service::Service;
use crate::domain::audit::Scope;
use crate::error::Result;

/// How many pods there are; the deleted are not counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodCounts)]
pub struct Counts {
    /// All but the deleted.
    pub total: u64,
    /// By where they are in their lives; each is in one of them.
    pub by_state: ByState,
    /// The active ones by what their hosts last said of their power.
    pub active_by_power: ByPower,
}

/// Pods by where they are in their lives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodsByState)]
pub struct ByState {
    /// Asked for; their jobs have not begun.
    pub requested: u64,
    /// Being made.
    pub provisioning: u64,
    /// There.
    pub active: u64,
    /// There, and not to be used.
    pub suspended: u64,
    /// Being removed.
    pub deleting: u64,
    /// Could not be made, or not be removed.
    pub failed: u64,
}

/// Pods by what their hosts last said of their power.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodsByPower)]
pub struct ByPower {
    /// Running.
    pub running: u64,
    /// Stopped.
    pub stopped: u64,
    /// Paused.
    pub paused: u64,
    /// Nobody knows.
    pub unknown: u64,
}

impl Service {
    /// How many pods there are in this scope, and how they are.
    pub async fn cloudpod_counts(&self, scope: Scope) -> Result<Counts> {
        store::counts(self.db.read().await?.conn(), scope).await
    }
}
