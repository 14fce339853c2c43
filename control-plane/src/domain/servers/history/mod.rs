//! How a server was doing over a longer time: its samples, several as one.

mod store;

use std::time::Duration;

use serde::Serialize;

use super::HealthSample;
use super::service::Service;
use crate::clock::Ms;
use crate::domain::buckets::Buckets;
use crate::error::{Error, Result};
use crate::ids::ServerId;

/// The steps that there are, in seconds: the longest shows all that is kept.
const STEPS_S: [u32; 5] = [60, 300, 3600, 10_800, 86_400];
/// The most steps of one answer.
const STEPS_MAX: u32 = 300;

/// How a server was doing in one step of time, or at one: means, and the highest values.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = HealthSample)]
pub struct HealthStep {
    /// When it was heard, or the step begins.
    pub at: Ms,
    /// So many samples are one here.
    pub samples: u64,
    /// 0..=1, of all threads.
    pub cpu_load: f64,
    /// The highest.
    pub cpu_load_max: f64,
    /// Memory in use.
    pub memory_used_mib: u64,
    /// The most.
    pub memory_used_max_mib: u64,
    /// All memory, at its most.
    pub memory_total_mib: u64,
    /// What is taken of all storages together.
    pub storage_used_gib: u64,
    /// The most.
    pub storage_used_max_gib: u64,
    /// All storages together, at their most.
    pub storage_total_gib: u64,
}

impl From<HealthSample> for HealthStep {
    fn from(sample: HealthSample) -> Self {
        let HealthSample { at, cpu_load, memory_used_mib, memory_total_mib, storage_used_gib, storage_total_gib } =
            sample;
        Self {
            at,
            samples: 1,
            cpu_load,
            cpu_load_max: cpu_load,
            memory_used_mib,
            memory_used_max_mib: memory_used_mib,
            memory_total_mib,
            storage_used_gib,
            storage_used_max_gib: storage_used_gib,
            storage_total_gib,
        }
    }
}

impl Service {
    /// How a server was doing in each step of `step_s` seconds in which it was heard, the earliest first. `Invalid` when that is no
    /// such step, no stretch of time, or more than 300 of them.
    pub async fn server_health_steps(
        &self,
        server: ServerId,
        since: Option<Ms>,
        until: Option<Ms>,
        step_s: u32,
    ) -> Result<Vec<HealthStep>> {
        if !STEPS_S.contains(&step_s) {
            return Err(Error::invalid("step", "must be 60, 300, 3600, 10800 or 86400 (seconds)"));
        }
        let step = Duration::from_secs(step_s.into());
        let buckets = Buckets::new(self.clock.now(), since, until, step, STEPS_MAX)?;
        store::steps(self.db.read().await?.conn(), server, &buckets).await
    }
}
