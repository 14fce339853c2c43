//! Deletes what nobody needs any more, in bounded batches, so that no table grows for ever: health samples, answers under
//! idempotency keys, events that everybody has had time to read, jobs with their logs, join tokens, API tokens, invitations,
//! certificates and sign-ins that ended long ago. It also writes down what tenants of before an upgrade are searched by.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Loop, Report};
use crate::app::App;
use crate::error::Result;
use crate::events::events_prune;

const DAY: Duration = Duration::from_hours(24);
/// Rows that one statement deletes.
const BATCH: u32 = 1000;

/// See the module.
pub struct Retention {
    /// The services.
    pub app: Arc<App>,
}

#[async_trait]
impl Loop for Retention {
    fn name(&self) -> &'static str {
        "retention"
    }

    fn interval(&self) -> Duration {
        Duration::from_mins(10)
    }

    async fn run_once(&self) -> Result<Report> {
        let now = self.app.clock.now();
        let keys = self.app.idempotency.keys_prune().await?;
        let samples = self.app.servers.health_prune(now.minus(DAY * 30), BATCH).await?;
        let identities = self.app.servers.identities_prune(now.minus(DAY * 90)).await?;
        let consoles = self.app.consoles.consoles_prune(now.minus(DAY * 30), BATCH).await?;
        let jobs = self.app.jobs.jobs_prune(now.minus(DAY * 180), BATCH).await?;
        let drifts = self.app.drift.drifts_prune(now.minus(DAY * 90), BATCH).await?;
        let mut tx = self.app.db.begin().await?;
        let searched = self.app.tenants.search_fill(&mut tx, BATCH).await?;
        let deliveries = self.app.webhooks.deliveries_prune(&mut tx, now.minus(DAY * 30), BATCH).await?;
        let events = events_prune(&mut tx, now.minus(DAY * 30), BATCH).await?;
        let traffic = self.app.cloudpods.traffic_prune(&mut tx, BATCH).await?;
        let tokens = self.app.tokens.tokens_prune(&mut tx, now.minus(DAY * 90), BATCH).await?;
        let invitations = self.app.users.invitations_prune(&mut tx, now.minus(DAY * 90), BATCH).await?;
        let sign_ins = self.app.sessions.sessions_prune(&mut tx, now.minus(DAY * 30), BATCH).await?;
        tx.commit().await?;
        // A full batch says that there may be more; the next run begins at once.
        let batches =
            [samples, deliveries, events, consoles, traffic, drifts, jobs, tokens, invitations, sign_ins, searched];
        let done = keys + identities + batches.iter().sum::<u64>();
        Ok(Report { done, more: batches.contains(&u64::from(BATCH)) })
    }
}
