//! What an agent reports and the books are to have. It is stored in the order in which it came, beside the reading of the
//! session: a database that makes it wait does not make the agent look silent.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use proto::agent::v1 as wire;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::closing::Close;
use super::convert;
use super::hub::Live;
use super::session::Context;
use crate::domain::servers::Inventory;
use crate::error::Result;
use crate::ids::ServerId;

/// Reports of one agent that may wait to be stored; then its stream waits, bounded by its flow control.
pub(super) const REPORTS_MAX: usize = 16;
/// What an agent reports is tried to be stored so often, with growing waits up to [`STORE_WAIT_MAX`]: half a minute in all.
const STORE_TRIES_MAX: u32 = 10;
const STORE_WAIT_FIRST: Duration = Duration::from_millis(100);
const STORE_WAIT_MAX: Duration = Duration::from_secs(5);

/// What is stored of what an agent says. Boxed where it waits: ten thousand sessions have a queue each.
pub(super) enum Report {
    Inventory(wire::Inventory),
    Progress(wire::CommandProgress),
    Result(wire::CommandResult),
    Traffic(wire::Traffic),
}

/// Stores the reports of one session.
pub(super) struct Intake<'a> {
    pub(super) context: Arc<Context>,
    pub(super) server: ServerId,
    pub(super) live: &'a Live,
}

impl Intake<'_> {
    /// Until no more can come (`Ok`), or the session has to end for what came.
    pub(super) async fn run(self, mut reports: mpsc::Receiver<Box<Report>>) -> Result<(), Close> {
        while let Some(report) = reports.recv().await {
            self.store(*report).await?;
        }
        Ok(())
    }

    async fn store(&self, report: Report) -> Result<(), Close> {
        let (context, server) = (&self.context, self.server);
        match report {
            Report::Inventory(inventory) => {
                let inventory = convert::inventory(inventory);
                patiently(&context.shutdown, async || self.inventory_store(&inventory).await)
                    .await
                    .map_err(|e| Close::error(&e))?;
            }
            Report::Progress(progress) => {
                let progress = convert::progress(progress).map_err(Close::unreadable)?;
                let convert::Progress { command, epoch, percent, log } = progress;
                let stored = context.engine.progress_record(server, command, epoch, percent, &log).await;
                tolerate("progress", server, stored);
            }
            Report::Result(result) => self.result(result).await?,
            Report::Traffic(traffic) => {
                let samples = convert::traffic(traffic);
                let stored = context.cloudpods.traffic_record(server, self.live.epoch, &samples).await;
                // What is missed comes with the next: counters only grow.
                tolerate("traffic", server, stored.map(drop));
            }
        }
        Ok(())
    }

    /// Stores a result, then tells the agent that it may forget it.
    async fn result(&self, result: wire::CommandResult) -> Result<(), Close> {
        let (context, server) = (&self.context, self.server);
        let report = convert::result(result).map_err(Close::unreadable)?;
        let stored =
            patiently(&context.shutdown, async || context.engine.result_record(server, report.clone()).await).await;
        if let Err(error) = stored {
            tracing::warn!(%server, command = %report.command, %error, "a result was not taken");
            metrics::counter!("mpanel_agent_results_refused_total").increment(1);
            if error.retryable() {
                return Err(Close::error(&error));
            }
            // It counts for nothing, and will not the next time: the agent is to forget it, not to say it for ever.
        }
        // A full queue ends the session by itself, and the agent repeats the result in the next.
        let _sent = self.live.send(convert::acknowledge(report.command, report.epoch));
        Ok(())
    }

    async fn inventory_store(&self, inventory: &Inventory) -> Result<()> {
        let (context, server, epoch) = (&self.context, self.server, self.live.epoch);
        let mut tx = context.db.begin().await?;
        // The pods first, then the server: in the order in which jobs hold these rows.
        context.cloudpods.inventory_observe(&mut tx, server, inventory).await?;
        if !context.servers.inventory_record(&mut tx, server, epoch, inventory).await? {
            tracing::info!(%server, epoch, "an inventory of an older session changes nothing");
            return Ok(());
        }
        context.drift.server_compare(&mut tx, server).await?;
        tx.commit().await
    }
}

/// What may be missed once, because it comes again or is noticed otherwise.
pub(super) fn tolerate(what: &'static str, server: ServerId, stored: Result<()>) {
    if let Err(error) = stored {
        metrics::counter!("mpanel_agent_store_errors_total", "what" => what).increment(1);
        tracing::warn!(%server, what, %error, cause = ?error, "could not be stored");
    }
}

/// Repeats what may succeed later, until shutdown.
async fn patiently<F: Future<Output = Result<()>>>(shutdown: &CancellationToken, store: impl Fn() -> F) -> Result<()> {
    let mut wait = STORE_WAIT_FIRST;
    for _ in 1..STORE_TRIES_MAX {
        let error = match store().await {
            Err(error) if error.retryable() => error,
            done => return done,
        };
        tracing::warn!(%error, cause = ?error, "storing again in {wait:?}");
        tokio::select! {
            () = shutdown.cancelled() => return Err(error),
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(STORE_WAIT_MAX);
    }
    store().await
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::Error;

    #[tokio::test]
    async fn what_cannot_be_stored_now_is_tried_again_but_not_what_never_can_be_and_not_after_shutdown() {
        let tries = async |error: fn() -> Error, shutdown: &CancellationToken| {
            let tries = Cell::new(0);
            let done = patiently(shutdown, async || {
                tries.set(tries.get() + 1);
                if tries.get() < 3 { Err(error()) } else { Ok(()) }
            });
            (done.await.is_ok(), tries.get())
        };
        let shutdown = CancellationToken::new();
        assert_eq!(tries(|| Error::unavailable("busy"), &shutdown).await, (true, 3));
        assert_eq!(tries(|| Error::Stale, &shutdown).await, (false, 1));
        shutdown.cancel();
        assert_eq!(tries(|| Error::unavailable("busy"), &shutdown).await, (false, 1));
    }
}
