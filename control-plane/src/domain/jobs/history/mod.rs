//! How many jobs ended when, and how.

pub mod routes;
mod store;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::service::Service;
use crate::clock::Ms;
use crate::domain::audit::Scope;
use crate::domain::buckets::Buckets;
use crate::error::{Error, Result};

/// The steps that there are, in seconds.
const STEPS_S: [u32; 3] = [60, 300, 3600];
/// The one that is taken when nobody says otherwise: a day has 288 of them.
const STEP_S_DEFAULT: u32 = 300;
/// The most steps of one answer.
const STEPS_MAX: u32 = 288;

/// How many jobs ended in each step of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = JobHistory)]
pub struct History {
    /// How long each step is, in seconds.
    pub step_s: u32,
    /// Every step, also those in which nothing ended, the earliest first; at most 288. The last one may not be over.
    pub items: Vec<Ended>,
}

/// How many jobs ended within one step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = JobsEnded)]
pub struct Ended {
    /// When it begins.
    pub at: Ms,
    /// Did what they were to.
    pub succeeded: u64,
    /// Failed; what they had done was undone.
    pub failed: u64,
    /// Were cancelled.
    pub cancelled: u64,
    /// Got stuck then, and still are.
    pub stuck: u64,
}

impl Service {
    /// How many jobs of this scope ended in each step of `step_s` seconds, from `since` to `until`. `Invalid` when that is no
    /// such step, no stretch of time, or more than 288 of them.
    pub async fn job_history(
        &self,
        scope: Scope,
        since: Option<Ms>,
        until: Option<Ms>,
        step_s: Option<u32>,
    ) -> Result<History> {
        let step_s = step_s.unwrap_or(STEP_S_DEFAULT);
        if !STEPS_S.contains(&step_s) {
            return Err(Error::invalid("step", "must be 60, 300 or 3600 (seconds)"));
        }
        let step = Duration::from_secs(step_s.into());
        let buckets = Buckets::new(self.clock.now(), since, until, step, STEPS_MAX)?;
        let none = |at| (at, Ended { at, succeeded: 0, failed: 0, cancelled: 0, stuck: 0 });
        let mut items: BTreeMap<Ms, Ended> = buckets.begins().map(none).collect();
        store::ended(self.db.read().await?.conn(), scope, &buckets, &mut items).await?;
        Ok(History { step_s, items: items.into_values().collect() })
    }
}
