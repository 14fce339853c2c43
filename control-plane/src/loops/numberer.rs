//! Numbers the events that were appended. It looks by itself some times a second and is not woken: a transaction after each one of
//! the others would cost them more than it is worth to hear of an event sooner.

use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::clock::Clock;
use crate::db::{Db, Lookout};
use crate::error::Result;
use crate::events::events_number;

/// See the module.
pub struct Numberer {
    /// Where they are.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Where it looks next.
    pub lookout: Lookout,
}

#[async_trait]
impl Loop for Numberer {
    fn name(&self) -> &'static str {
        "numberer"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(200)
    }

    async fn run_once(&self) -> Result<Report> {
        let (done, more) = events_number(&self.db, &self.lookout, self.clock.now()).await?;
        Ok(Report { done, more })
    }
}
