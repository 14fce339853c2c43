//! The wiring: every service, built once.

mod parts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use parts::{
    Catalogue, People, books_of, cloudpods_of, compared, customers_of, drains_of, people_of, servers_of, store_of,
    webhooks_of,
};

use crate::clock::{Clock, Ms};
use crate::config::Config;
use crate::db::{Db, Lookout};
use crate::domain::cluster::service::Service as Cluster;
use crate::domain::idempotency::service::Service as Idempotency;
use crate::domain::jobs::engine::Engine;
use crate::domain::secrets::Secret;
use crate::domain::{
    access, audit, cloudpods, consoles, customers, drains, drift, feed, images, invariants, ipam, jobs, losses, mail,
    oidc, passwords, plans, secrets, servers, sessions, tenants, tokens, users, webhooks,
};
use crate::error::{Error, Result};
use crate::events;
use crate::grpc;
use crate::grpc::ca::Authority;
use crate::grpc::hub::SessionHub;
use crate::grpc::plane::Planes;
use crate::grpc::relay::Relays;
use crate::grpc::tls::ServingCertificate;
use crate::http::server::Server;
use crate::http::tls::Tls;
use crate::http::{self, Attempts, Refusals};
use crate::ids::InstanceId;
use crate::lifecycle::Running;
use crate::loops::backups::Backups;
use crate::loops::calls::Calls;
use crate::loops::consoles::Consoles;
use crate::loops::dispatcher::Dispatcher;
use crate::loops::drains::Drains;
use crate::loops::feed::Feed;
use crate::loops::health::Health;
use crate::loops::instances::Instances;
use crate::loops::leases::Leases;
use crate::loops::numberer::Numberer;
use crate::loops::reconciler::Reconciler;
use crate::loops::renewals::Renewals;
use crate::loops::retention::Retention;
use crate::loops::sealer::Sealer;
use crate::loops::tenants::Tenants;
use crate::loops::upkeep::Upkeep;
use crate::loops::webhooks::Webhooks;
use crate::loops::{self, Loop};
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
    /// What callers were refused of late.
    pub refusals: Refusals,
    /// Keys of repeated requests.
    pub idempotency: Idempotency,
    /// Who may do what.
    pub access: Arc<access::service::Service>,
    /// Passwords' hashes.
    pub passwords: passwords::service::Service,
    /// Sign-ins.
    pub sessions: Arc<sessions::service::Service>,
    /// Sign-in by OIDC providers.
    pub oidc: oidc::service::Service,
    /// The API's tokens.
    pub tokens: tokens::service::Service,
    /// The people.
    pub users: Arc<users::service::Service>,
    /// Mails to people.
    pub mail: mail::service::Service,
    /// Secrets, sealed.
    pub secrets: secrets::service::Service,
    /// Issues the agents' certificates.
    pub authority: Arc<Authority>,
    /// The API's certificate; `None`: none is configured.
    pub tls: Option<Arc<Tls>>,
    /// The other control planes over this database.
    pub cluster: Arc<Cluster>,
    /// The agents that are connected to this process.
    pub hub: Arc<SessionHub>,
    /// The registered hosts.
    pub servers: Arc<servers::service::Service>,
    /// Whose pods they are.
    pub tenants: Arc<tenants::service::Service>,
    /// The same as the platform's customers.
    pub customers: customers::service::Service,
    /// The sizes.
    pub plans: Arc<plans::service::Service>,
    /// The templates.
    pub images: Arc<images::service::Service>,
    /// The addresses.
    pub ipam: Arc<ipam::service::Service>,
    /// Their consoles.
    pub consoles: Arc<consoles::service::Service>,
    /// The consoles that wait for their agents.
    pub relays: Arc<Relays>,
    /// Customers' VMs.
    pub cloudpods: Arc<cloudpods::service::Service>,
    /// Emptying servers.
    pub drains: Arc<drains::service::Service>,
    /// What is to be done.
    pub jobs: Arc<jobs::service::Service>,
    /// Does it.
    pub engine: Engine,
    /// What hosts show against what is wanted.
    pub drift: Arc<drift::service::Service>,
    /// Hosts that will not come back.
    pub losses: losses::service::Service,
    /// Who did what.
    pub audit: Arc<audit::service::Service>,
    /// The events, as they happen.
    pub feed: Arc<feed::service::Service>,
    /// Where events are sent.
    pub webhooks: Arc<webhooks::service::Service>,
    /// Whether all holds that must.
    pub invariants: invariants::service::Service,
}

impl App {
    /// Opens the store and builds the services.
    pub async fn build(config: Config, surroundings: &Surroundings) -> Result<Arc<Self>> {
        let (clock, tls) = (surroundings.clock.clone(), Tls::load(&config.http)?);
        let (db, secrets) = store_of(&config, surroundings).await?;
        let lease = config.http.request_timeout.saturating_add(REQUEST_SLACK);
        let (instance, tasks, shutdown) = (InstanceId::generate(), TaskTracker::new(), CancellationToken::new());
        let tenants = Arc::new(tenants::service::Service::new(db.clone(), clock.clone()));
        let People { access, passwords, mail, sessions, oidc, tokens, users } =
            people_of(&config, &db, &clock, &secrets, &tenants, (tasks.clone(), shutdown.clone()))?;
        let authority = Arc::new(Authority::load(&config.agents, &secrets, clock.now()).await?);
        let cluster =
            Arc::new(Cluster::new(db.clone(), clock.clone(), instance, config.jobs.lease, config.agents.reached_at()));
        let hub = SessionHub::among(clock.clone(), cluster.clone());
        let servers = Arc::new(servers_of(&config, &db, &clock, &authority, &hub));
        let Catalogue { plans, images, ipam } = Catalogue::new(&db, &clock, &servers);
        let books = Arc::new(books_of(&config, &clock, &servers, &images, &ipam, &secrets));
        let sagas = jobs::Registry::new(cloudpods::sagas::all(&books)).with_declarations(servers.clone());
        let jobs = Arc::new(jobs::service::Service::new(db.clone(), clock.clone(), sagas.clone(), hub.clone()));
        let cloudpods = cloudpods_of(&db, books, &tenants, &plans, &jobs);
        let planes = Planes::new(authority.clone(), clock.clone(), instance, tasks.clone());
        let relays = Relays::new(hub.clone(), clock.clone(), planes);
        let (of, whose) = ((instance, cluster.clone()), (access.clone(), cloudpods.clone()));
        let (pace, limits) = (config.jobs.pace(), config.consoles.limits());
        let consoles = consoles::service::Service::new(db.clone(), clock.clone(), of, whose, relays.clone(), limits);
        let drains = Arc::new(drains_of(&config, &db, &clock, &servers, &cloudpods, &jobs, &hub));
        let (audit, drift, invariants) =
            compared(&config, &db, &clock, (&servers, &cloudpods, &jobs, &drains), (&authority, tls.as_ref()));
        Ok(Arc::new(Self {
            engine: Engine::new(db.clone(), clock.clone(), pace, sagas, hub.clone(), instance, tasks.clone()),
            feed: Arc::new(feed::service::Service::new(db.clone())),
            customers: customers_of(&db, &clock, (&tenants, &users, &cloudpods, &audit)),
            webhooks: webhooks_of(&config, &db, &clock, &secrets, &tasks),
            idempotency: Idempotency::new(db.clone(), clock.clone(), instance, lease, cluster.clone()),
            access,
            users,
            passwords,
            tokens,
            sessions,
            oidc,
            mail,
            secrets,
            authority,
            tls,
            cluster,
            hub,
            consoles: Arc::new(consoles),
            relays,
            audit,
            invariants,
            losses: losses::service::Service::new(db.clone(), servers.clone(), cloudpods.clone(), jobs.clone()),
            drift,
            drains,
            cloudpods,
            tenants,
            plans,
            images,
            ipam,
            servers,
            jobs,
            metrics: telemetry::metrics()?,
            readiness: Readiness::default(),
            attempts: Attempts::default(),
            refusals: Refusals::default(),
            tasks,
            shutdown,
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
            Ok(begun) => {
                let Begun { address, agents_address, bootstrap_token } = begun;
                Ok(Running { app, address, agents_address, bootstrap_token, kill })
            }
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

    async fn begin(self: &Arc<Self>, surroundings: &Surroundings, kill: &CancellationToken) -> Result<Begun> {
        let config = &self.config.http;
        let chosen = surroundings.bootstrap_token.as_ref().map(|token| token.expose().as_str());
        let bootstrap_token = self.tokens.token_bootstrap(chosen, config.bootstrap_token_file.as_deref()).await?;
        self.tenants.tenant_default_ensure().await?;
        // Before anything is claimed or an agent is let in: whoever holds something has to be known to be alive.
        self.cluster.instance_seen().await?;
        if self.db.is_embedded() {
            self.engine.leases_free().await?;
        }
        // What is appended from now on is for the streams; what was before, for those who resume.
        self.feed.events_pull().await?;
        let listener = bind("http.listen", config.listen).await?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let server = Server {
            tls: self.tls.clone(),
            router: http::router(self),
            header_timeout: config.header_timeout,
            max_connections: config.max_connections,
            tasks: self.tasks.clone(),
            shutdown: self.shutdown.clone(),
            kill: kill.clone(),
        };
        self.tasks.spawn(server.run(listener));
        let agents_address = self.agents_begin().await?;
        Ok(Begun { address, agents_address, bootstrap_token })
    }

    /// Opens the agents' listener and starts the loops; where it listens.
    async fn agents_begin(self: &Arc<Self>) -> Result<SocketAddr> {
        let config = &self.config.agents;
        let serving = Arc::new(ServingCertificate::new(&self.authority, config.server_names(), self.clock.now())?);
        let parts = grpc::Parts {
            config: config.clone(),
            db: self.db.clone(),
            clock: self.clock.clone(),
            instance: self.instance,
            authority: self.authority.clone(),
            serving: serving.clone(),
            hub: self.hub.clone(),
            relays: self.relays.clone(),
            engine: self.engine.clone(),
            servers: self.servers.clone(),
            cloudpods: self.cloudpods.clone(),
            drift: self.drift.clone(),
        };
        let channel = grpc::Channel::bind(parts, self.shutdown.clone()).await?;
        let address = channel.local_address()?;
        self.tasks.spawn(channel.run());
        self.readiness.agents.store(true, Ordering::Relaxed);
        let wakes = events::wakes_carry(self.db.clone(), self.instance, self.shutdown.clone());
        self.tasks.spawn(wakes);
        for work in self.loops(serving) {
            self.tasks.spawn(loops::drive(work, self.db.wakes().clone(), self.shutdown.clone()));
        }
        Ok(address)
    }

    fn loops(self: &Arc<Self>, serving: Arc<ServingCertificate>) -> Vec<Arc<dyn Loop>> {
        let engine = || self.engine.clone();
        vec![
            Arc::new(Dispatcher { engine: engine() }),
            Arc::new(Instances { cluster: self.cluster.clone(), interval: self.config.jobs.lease / 3 }),
            Arc::new(Calls {
                cluster: self.cluster.clone(),
                hub: self.hub.clone(),
                servers: self.servers.clone(),
                tasks: self.tasks.clone(),
            }),
            Arc::new(Consoles { consoles: self.consoles.clone(), interval: self.config.jobs.lease }),
            Arc::new(Reconciler { drift: self.drift.clone() }),
            Arc::new(Leases { engine: engine(), interval: self.config.jobs.lease / 3 }),
            Arc::new(Renewals {
                authority: self.authority.clone(),
                serving,
                db: self.db.clone(),
                servers: self.servers.clone(),
                hub: self.hub.clone(),
                clock: self.clock.clone(),
            }),
            Arc::new(Health { servers: self.servers.clone(), interval: self.config.agents.heartbeat_interval / 2 }),
            Arc::new(Drains { drains: self.drains.clone() }),
            Arc::new(Retention { app: self.clone() }),
            Arc::new(Sealer { audit: self.audit.clone() }),
            Arc::new(Feed { feed: self.feed.clone() }),
            Arc::new(Webhooks { webhooks: self.webhooks.clone() }),
            Arc::new(Numberer { db: self.db.clone(), clock: self.clock.clone(), lookout: Lookout::default() }),
            Arc::new(Backups { cloudpods: self.cloudpods.clone() }),
            Arc::new(Tenants { cloudpods: self.cloudpods.clone() }),
            Arc::new(Upkeep { metrics: self.metrics.clone() }),
        ]
    }
}

/// What has begun.
struct Begun {
    address: SocketAddr,
    agents_address: SocketAddr,
    bootstrap_token: Option<Secret<String>>,
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
