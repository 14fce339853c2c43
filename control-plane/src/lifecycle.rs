//! The life of the process: running, told to stop, draining, gone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};

/// How long tasks that were cut get to notice.
const CUT_GRACE: Duration = Duration::from_secs(5);

/// A control plane that runs.
pub struct Running {
    /// Its services.
    pub app: Arc<App>,
    /// Where the API listens.
    pub address: SocketAddr,
    /// Where agents connect.
    pub agents_address: SocketAddr,
    /// The platform's token, if this start made it.
    pub bootstrap_token: Option<Secret<String>>,
    pub(crate) kill: CancellationToken,
}

impl Running {
    /// Where the API is to be found from this machine.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.app.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Reads the API's certificate again.
    pub fn reload(&self) {
        match self.app.tls.as_ref().map(|tls| tls.reload()) {
            None => tracing::info!("there is no certificate to read again"),
            Some(Ok(())) => tracing::info!("the API's certificate was read again"),
            Some(Err(error)) => tracing::error!(%error, "the API's certificate stays as it was"),
        }
    }

    /// Takes nothing new, lets what is under way end within the grace time, cuts what is left, and closes the database.
    pub async fn shutdown(self) {
        let Self { app, kill, address: _, agents_address: _, bootstrap_token: _ } = self;
        let grace = app.config.shutdown_grace;
        app.shutdown.cancel();
        app.tasks.close();
        if tokio::time::timeout(grace, app.tasks.wait()).await.is_err() {
            tracing::warn!(left = app.tasks.len(), "the grace time is over; what is left is cut");
            kill.cancel();
            if tokio::time::timeout(CUT_GRACE, app.tasks.wait()).await.is_err() {
                tracing::error!(left = app.tasks.len(), "some tasks did not end");
            }
        }
        // The others take over at once; without this word they do so after a lease.
        if let Err(error) = app.cluster.instance_gone().await {
            tracing::warn!(%error, "could not say goodbye to the other control planes");
        }
        app.db.close().await;
        tracing::info!("stopped");
    }
}

/// Keeps it running until SIGTERM or SIGINT, then stops it. SIGHUP reads the certificate again. `false`: a second signal
/// came while it was stopping, and it has to end at once.
pub async fn run(running: Running) -> Result<bool> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::internal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::internal)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::internal)?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => running.reload(),
        }
    }
    tracing::info!("stopping; a second signal stops at once");
    tokio::select! {
        () = running.shutdown() => Ok(true),
        _ = terminate.recv() => Ok(false),
        _ = interrupt.recv() => Ok(false),
    }
}
