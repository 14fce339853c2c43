//! Keeps the certificate fresh, beside the session and without touching it: the next connection uses the new one.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::{Agent, dial};
use crate::backoff_policy::{Backoff, spread};
use crate::clock::now_ms;

/// An identity that has ended is looked at this often, in case the host was enrolled again.
const EXPIRED_PAUSE: Duration = Duration::from_mins(1);
/// The wait is never longer than this, as a host may sleep or its clock jump.
const NAP_MAX: Duration = Duration::from_mins(5);

/// Renews for ever. `after_ms` is when the control plane wants it, by the host's clock; `None`: at half of the certificate's life.
pub(super) async fn run(agent: Arc<Agent>, mut after_ms: watch::Receiver<Option<i64>>) {
    let mut backoff = Backoff::new(Duration::from_secs(5), Duration::from_mins(10));
    // Nobody can forge an earlier renewal than the control plane's; a later one than half of life is its own affair.
    let mut handled: Option<i64> = None;
    loop {
        let identity = agent.identity.current();
        let asked = *after_ms.borrow_and_update();
        let due_ms = match asked.filter(|at| Some(*at) != handled) {
            Some(at) => at.min(identity.half_life_ms()),
            None => identity.half_life_ms(),
        };
        let wait = Duration::from_millis(u64::try_from(due_ms.saturating_sub(now_ms())).unwrap_or(0));
        if !wait.is_zero() {
            tokio::select! {
                () = sleep(wait.min(NAP_MAX)) => {}
                changed = after_ms.changed() => if changed.is_err() { return },
            }
            continue;
        }
        if identity.is_expired(now_ms().saturating_add(agent.offset.ms())) {
            error!(server = %identity.server_name, "the certificate has ended: make a new token for this server at the control plane and run the `mpanel-agent enroll …` command that it shows; ledger and VMs stay");
            sleep(spread(EXPIRED_PAUSE)).await;
            reload(&agent);
            continue;
        }
        match renew(&agent).await {
            Ok(()) => {
                handled = asked;
                backoff.reset();
            }
            Err(cause) => {
                let wait = backoff.next_wait().max(Duration::from_secs(1));
                warn!(%cause, ?wait, "the certificate could not be renewed; tried again");
                sleep(wait).await;
                reload(&agent);
            }
        }
    }
}

async fn renew(agent: &Agent) -> crate::error::Result<()> {
    let identity = agent.identity.current();
    let renewed = dial::renew(&identity, &agent.config.control_plane).await?;
    let hours = renewed.lifetime_ms() as f64 / 3_600_000.0;
    agent.identity.replace(renewed)?;
    info!(server = %identity.server_name, "the certificate was renewed for {hours:.1} hours");
    Ok(())
}

fn reload(agent: &Agent) {
    match agent.identity.reload() {
        Ok(true) => info!("a new identity was found on disk and is used from now on"),
        Ok(false) => {}
        Err(cause) => warn!(%cause, "the identity on disk could not be read"),
    }
}
