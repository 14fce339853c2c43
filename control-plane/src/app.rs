//! The wiring: every service, built once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, Ms};
use crate::config::Config;
use crate::db::Db;
use crate::domain::secrets::{EnvelopeKey, Secret};
use crate::domain::{idempotency, secrets, tokens};
use crate::error::{Error, Result};
use crate::http::server::Server;
use crate::http::tls::Tls;
use crate::http::{self, Attempts};
use crate::ids::InstanceId;
use crate::lifecycle::Running;
use crate::telemetry;

/// A request may still be at its commit when its time is over; only after this is it certainly not.
const REQUEST_SLACK: Duration = Duration::from_secs(15);

/// What the process is told by its surroundings and not by its configuration.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The time.
    pub clock: Clock,
    /// `MPANEL_BOOTSTRAP_TOKEN`: the platform's token, chosen.
    pub bootstrap_token: Option<Secret<String>>,
    /// `MPANEL_SECRET_KEY`: goes before the key file.
    pub secret_key: Option<Secret<String>>,
}

/// Everything that a request or a loop may use. Handlers take it as `State<Arc<App>>`.
pub struct App {
    /// The configuration as it was read.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The store.
    pub db: Db,
    /// This process.
    pub instance: InstanceId,
    /// All tasks; shutdown waits for them.
    pub tasks: TaskTracker,
    /// Cancelled when the process is told to stop.
    pub shutdown: CancellationToken,
    /// What it counts.
    pub metrics: PrometheusHandle,
    /// Whether it can do its work.
    pub readiness: Readiness,
    /// Wrong tokens by address.
    pub attempts: Attempts,
    /// Keys of repeated requests.
    pub idempotency: idempotency::service::Service,
    /// The API's tokens.
    pub tokens: tokens::service::Service,
    /// Secrets, sealed.
    pub secrets: secrets::service::Service,
}

impl App {
    /// Opens the store and builds the services.
    pub async fn build(config: Config, surroundings: &Surroundings) -> Result<Arc<Self>> {
        let clock = surroundings.clock.clone();
        let chosen_key = surroundings.secret_key.as_ref().map(|key| key.expose().as_str());
        let key = EnvelopeKey::load(chosen_key, &config.secret_key_file())?;
        let db = Db::open(&config.database.url).await?;
        let instance = InstanceId::generate();
        let lease = config.http.request_timeout.saturating_add(REQUEST_SLACK);
        Ok(Arc::new(Self {
            idempotency: idempotency::service::Service::new(db.clone(), clock.clone(), instance, lease),
            tokens: tokens::service::Service::new(db.clone(), clock.clone()),
            secrets: secrets::service::Service::new(db.clone(), clock.clone(), key),
            metrics: telemetry::metrics()?,
            readiness: Readiness::default(),
            attempts: Attempts::default(),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            config,
            clock,
            db,
            instance,
        }))
    }

    /// Builds everything and starts it. When this returns, it listens.
    pub async fn start(config: Config, surroundings: Surroundings) -> Result<Running> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let app = Self::build(config, &surroundings).await?;
        let kill = CancellationToken::new();
        match app.begin(&surroundings, &kill).await {
            Ok((address, tls, bootstrap_token)) => Ok(Running { app, address, bootstrap_token, tls, kill }),
            Err(error) => {
                app.shutdown.cancel();
                kill.cancel();
                app.tasks.close();
                app.tasks.wait().await;
                app.db.close().await;
                Err(error)
            }
        }
    }

    async fn begin(
        self: &Arc<Self>,
        surroundings: &Surroundings,
        kill: &CancellationToken,
    ) -> Result<(SocketAddr, Option<Arc<Tls>>, Option<Secret<String>>)> {
        let config = &self.config.http;
        let chosen = surroundings.bootstrap_token.as_ref().map(|token| token.expose().as_str());
        let bootstrap_token = self.tokens.token_bootstrap(chosen, config.bootstrap_token_file.as_deref()).await?;
        let tls = Tls::load(config)?;
        let listener = bind("http.listen", config.listen).await?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let server = Server {
            listener,
            tls: tls.clone(),
            router: http::router(self),
            header_timeout: config.header_timeout,
            max_connections: config.max_connections,
            tasks: self.tasks.clone(),
            shutdown: self.shutdown.clone(),
            kill: kill.clone(),
        };
        self.tasks.spawn(server.run());
        self.readiness.agents.store(true, Ordering::Relaxed);
        Ok((address, tls, bootstrap_token))
    }
}

async fn bind(field: &str, address: SocketAddr) -> Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| Error::invalid(field, format!("cannot listen on {address}: {error}")))
}

/// Whether the process can do its work.
#[derive(Debug, Default)]
pub struct Readiness {
    agents: AtomicBool,
    /// The last look at the database: whoever asks without a token must not be able to keep it busy.
    database: Mutex<Option<(Ms, bool)>>,
}

impl Readiness {
    const LOOK_AGAIN: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Whether agents can connect.
    #[must_use]
    pub fn agents(&self) -> bool {
        self.agents.load(Ordering::Relaxed)
    }

    /// Whether the database answers; looked at once a second at most.
    pub async fn database_answers(&self, app: &App) -> bool {
        let mut last = self.database.lock().await;
        let now = app.clock.now();
        if let Some((at, answers)) = *last
            && at <= now
            && now.since(at) < Self::LOOK_AGAIN
        {
            return answers;
        }
        let answers = matches!(tokio::time::timeout(Self::PATIENCE, app.db.ping()).await, Ok(Ok(())));
        *last = Some((now, answers));
        answers
    }
}
