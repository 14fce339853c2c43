//! Background work: one file a loop, all alike. A loop takes no input and may be repeated at any time: it looks at what is
//! stored, does what is due, and says how much it did. A wake-up only saves it the wait, so that a missed one costs a poll
//! interval and nothing else. All of them run on every control plane at once.

pub mod backups;
pub mod calls;
pub mod consoles;
pub mod dispatcher;
pub mod drains;
pub mod feed;
pub mod health;
pub mod instances;
pub mod leases;
pub mod numberer;
pub mod reconciler;
pub mod renewals;
pub mod retention;
pub mod sealer;
pub mod tenants;
pub mod upkeep;
pub mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::events::{Topic, Wakes};

/// A run works in small batches; one that takes longer waits for a database that does not answer.
const RUN_TIME_MAX: Duration = Duration::from_mins(2);

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many things it did.
    pub done: u64,
    /// There is more to do at once: the next run does not wait.
    pub more: bool,
}

/// A piece of background work.
#[async_trait]
pub trait Loop: Send + Sync {
    /// Its name in logs and metrics.
    fn name(&self) -> &'static str;

    /// How long it waits between two runs.
    fn interval(&self) -> Duration;

    /// What wakes it earlier.
    fn topic(&self) -> Option<Topic> {
        None
    }

    /// Does what is due.
    async fn run_once(&self) -> Result<Report>;
}

/// Runs `work` until `shutdown`. An error is logged and the next run comes after the interval.
pub async fn drive(work: Arc<dyn Loop>, wakes: Wakes, shutdown: CancellationToken) {
    loop {
        let run = tokio::time::timeout(RUN_TIME_MAX, work.run_once()).await;
        let more = match run.unwrap_or_else(|_| Err(Error::unavailable("it took too long and was given up"))) {
            Ok(report) => report.more,
            Err(error) => {
                metrics::counter!("mpanel_loop_errors_total", "loop" => work.name()).increment(1);
                tracing::warn!(r#loop = work.name(), %error, cause = ?error, "a run failed; the next comes after the interval");
                false
            }
        };
        if more && !shutdown.is_cancelled() {
            continue;
        }
        let woken = async {
            match work.topic() {
                Some(topic) => wakes.wait(topic).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = woken => {}
            () = tokio::time::sleep(work.interval()) => {}
        }
    }
}
