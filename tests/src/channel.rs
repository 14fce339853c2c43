//! The agents' channel of a real control plane in this process, and agents made by hand that speak to it over real TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use control_plane::clock::{Clock, Ms};
use control_plane::db::Db;
use control_plane::domain::audit::Actor;
use control_plane::domain::cloudpods::sagas::{self, Books};
use control_plane::domain::cloudpods::service::Service as CloudPods;
use control_plane::domain::drift::{Policy, service::Service as Drift};
use control_plane::domain::jobs::engine::Engine;
use control_plane::domain::jobs::{Pace, Registry, Saga};
use control_plane::domain::secrets::{EnvelopeKey, service::Service as Secrets};
use control_plane::domain::servers::service::{Facts, Service as Servers};
use control_plane::domain::servers::{EnrolmentCommand, Server, ServerCreate};
use control_plane::domain::{backups, firewall, images, ipam, jobs, plans, scheduling, snapshots, tenants, traffic};
use control_plane::grpc::ca::Authority;
use control_plane::grpc::hub::SessionHub;
use control_plane::grpc::plane::Planes;
use control_plane::grpc::relay::Relays;
use control_plane::grpc::tls::ServingCertificate;
use control_plane::grpc::{Channel, Config, Parts};
use control_plane::ids::InstanceId;
use control_plane::loops::renewals::Renewals;
use proto::agent::v1 as wire;
use proto::agent::v1::agent_client::AgentClient;
use proto::agent::v1::agent_message::Body as Up;
use proto::agent::v1::control_message::Body as Down;
use proto::agent::v1::enrolment_client::EnrolmentClient;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Endpoint;
use tonic::{Status, Streaming};

use crate::TestDatabase;

/// Longer than anything here may take.
pub const SOON: Duration = Duration::from_secs(30);

/// A control plane's side of the channel.
pub struct Plane {
    /// Stands still until it is moved.
    pub clock: Clock,
    /// The store.
    pub db: Db,
    /// The books of servers.
    pub servers: Arc<Servers>,
    /// The sessions.
    pub hub: Arc<SessionHub>,
    /// The job engine.
    pub engine: Engine,
    /// The CA.
    pub authority: Arc<Authority>,
    /// The loop that renews.
    pub renewals: Renewals,
    /// Where agents dial.
    pub address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<()>,
    _database: TestDatabase,
}

impl Plane {
    /// Starts it on `database`, its configuration changed by `edit`, with these sagas.
    pub async fn start(database: TestDatabase, edit: impl FnOnce(&mut Config), sagas: Vec<Arc<dyn Saga>>) -> Self {
        let mut config = Config {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            names: vec!["127.0.0.1".into()],
            ..Config::default()
        };
        edit(&mut config);
        let clock = Clock::manual(Clock::system().now());
        let db = Db::open(&database.url).await.expect("the database opens");
        let secrets = Secrets::new(db.clone(), clock.clone(), EnvelopeKey::generate().expect("a key"));
        let authority = Arc::new(Authority::load(&config, &secrets, clock.now()).await.expect("a CA"));
        let serving = ServingCertificate::new(&authority, config.server_names(), clock.now()).expect("a certificate");
        let serving = Arc::new(serving);
        let hub = SessionHub::new(clock.clone());
        let facts = Facts {
            agents_url: config.public_url.clone(),
            ca_sha256: authority.sha256(),
            heartbeat: config.heartbeat_interval,
        };
        let servers = Arc::new(Servers::new(db.clone(), clock.clone(), facts, hub.clone(), hub.clone()));
        let (cloudpods, drift) = cloudpods(&db, &clock, &servers, &hub);
        let (registry, instance) = (Registry::new(sagas), InstanceId::generate());
        let (pace, tasks) = (Pace::default(), TaskTracker::new());
        let engine = Engine::new(db.clone(), clock.clone(), pace, registry, hub.clone(), instance, tasks);
        let renewals = Renewals {
            authority: authority.clone(),
            serving: serving.clone(),
            db: db.clone(),
            servers: servers.clone(),
            hub: hub.clone(),
            clock: clock.clone(),
        };
        let shutdown = CancellationToken::new();
        let planes = Planes::new(authority.clone(), clock.clone(), instance, TaskTracker::new());
        let parts = Parts {
            config,
            db: db.clone(),
            clock: clock.clone(),
            instance,
            authority: authority.clone(),
            serving,
            hub: hub.clone(),
            relays: Relays::new(hub.clone(), clock.clone(), planes),
            engine: engine.clone(),
            servers: servers.clone(),
            cloudpods,
            drift,
        };
        let channel = Channel::bind(parts, shutdown.clone()).await.expect("the listener is bound");
        let address = channel.local_address().expect("an address");
        let serving = tokio::spawn(channel.run());
        Self { clock, db, servers, hub, engine, authority, renewals, address, shutdown, serving, _database: database }
    }

    /// Registers a server.
    pub async fn server(&self, name: &str) -> (Server, EnrolmentCommand) {
        let input = ServerCreate {
            name: name.into(),
            region: None,
            labels: std::collections::BTreeMap::new(),
            bridge: None,
            vmid_min: None,
            vmid_max: None,
            cpu_threads: None,
            cpu_overcommit: None,
            memory_mib: None,
            pod_limit: None,
            backup_storage: None,
            storages: Vec::new(),
        };
        self.servers.server_create(&Actor::system("test"), input).await.expect("the server is registered")
    }

    /// Registers a server and enrols its agent.
    pub async fn agent(&self, name: &str) -> (Server, Identity) {
        let (server, command) = self.server(name).await;
        let identity = self.enrol(&command.token).await.expect("the agent enrols");
        (server, identity)
    }

    /// The server as it stands now.
    pub async fn show(&self, server: &Server) -> Server {
        self.servers.server_show(&server.id.to_string()).await.expect("the server is there")
    }

    /// Enrols with a token.
    pub async fn enrol(&self, token: &str) -> Result<Identity, Status> {
        let key = KeyPair::generate().expect("a key");
        let csr = signing_request(&key, "ignored.example");
        let mut client = EnrolmentClient::new(self.connect(None).await?);
        let request = wire::EnrollRequest { token: token.into(), csr_der: csr.into(), agent_version: "test".into() };
        let answer = client.enroll(request).await?.into_inner();
        assert_eq!(answer.ca_der.as_ref(), self.authority.certificate().as_ref());
        Ok(Identity::new(&key, vec![CertificateDer::from(answer.certificate_der.to_vec())], Ms(answer.not_after_ms)))
    }

    /// Connects, showing this identity.
    pub async fn connect(&self, identity: Option<&Identity>) -> Result<tonic::transport::Channel, Status> {
        let tls = client_tls(self.authority.certificate(), identity, &self.clock);
        connect(self.address, tls).await
    }

    /// Opens a session: waits for its welcome.
    pub async fn session(&self, identity: &Identity, hello: wire::Hello) -> Result<(Agent, wire::Welcome), Status> {
        Agent::open(self.connect(Some(identity)).await?, hello).await
    }

    /// Whether that server's agent has a session.
    #[must_use]
    pub fn hub_has(&self, server: &Server) -> bool {
        use control_plane::domain::jobs::AgentPort as _;
        self.hub.connected().contains(&server.id)
    }

    /// Shuts it down and waits for it. `agents` go first: one that stays when it is told to go is waited for.
    pub async fn stop<A>(self, agents: A) {
        drop(agents);
        self.shutdown.cancel();
        timeout(SOON, self.serving).await.expect("shutdown ends in time").expect("nothing panicked");
        self.db.close().await;
    }

    /// Begins the shutdown and does not wait.
    pub fn shutdown(&self) {
        self.shutdown.cancel();
    }
}

/// What inventories are told to, with all it stands on.
fn cloudpods(db: &Db, clock: &Clock, servers: &Arc<Servers>, hub: &Arc<SessionHub>) -> (Arc<CloudPods>, Arc<Drift>) {
    let (db, clock, store, time) = (db.clone(), clock.clone(), db.clone(), clock.clone());
    let books = Arc::new(Books {
        clock: clock.clone(),
        servers: servers.clone(),
        images: Arc::new(images::service::Service::new(db.clone(), clock.clone(), servers.clone())),
        ipam: Arc::new(ipam::service::Service::new(db.clone(), clock.clone())),
        scheduling: Arc::new(scheduling::service::Service::new(clock.clone(), servers.clone())),
        firewalls: Arc::new(firewall::service::Service::new(clock.clone())),
        traffic: Arc::new(traffic::service::Service::new(clock.clone())),
        snapshots: Arc::new(snapshots::service::Service::new(clock.clone(), 8)),
        secrets: Secrets::new(db.clone(), clock.clone(), EnvelopeKey::generate().expect("a key is made")),
        move_bandwidth_mibps: 0,
        backups: Arc::new(backups::service::Service::new(
            clock.clone(),
            control_plane::config::Backups::default().limits(),
        )),
    });
    let registry = Registry::new(sagas::all(&books));
    let jobs = jobs::service::Service::new(db.clone(), clock.clone(), registry, hub.clone());
    let tenants = Arc::new(tenants::service::Service::new(db.clone(), clock.clone()));
    let plans = Arc::new(plans::service::Service::new(db.clone(), clock));
    let cloudpods = Arc::new(CloudPods::new(db, books, tenants, plans, jobs.clone()));
    let policy = Policy::default();
    let drift = Drift::new(store, time, servers.clone(), cloudpods.clone(), Arc::new(jobs), policy);
    (cloudpods, Arc::new(drift))
}

/// An agent's key and certificate.
pub struct Identity {
    /// The certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Until when it is valid.
    pub not_after: Ms,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// An identity of its parts.
    #[must_use]
    pub fn new(key: &KeyPair, chain: Vec<CertificateDer<'static>>, not_after: Ms) -> Self {
        Self { chain, not_after, key: PrivatePkcs8KeyDer::from(key.serialize_der()).into() }
    }
}

/// A request for a certificate that asks for a name.
#[must_use]
pub fn signing_request(key: &KeyPair, name: &str) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::DnsName(name.try_into().expect("a name"))];
    params.serialize_request(key).expect("a request").der().to_vec()
}

/// A host's clock, which goes as the control plane's.
#[derive(Debug)]
struct HostTime(Clock);

impl rustls::time_provider::TimeProvider for HostTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.now().since(Ms(0))))
    }
}

/// TLS as an agent does it: trusts that CA alone.
#[must_use]
pub fn client_tls(
    ca: &CertificateDer<'static>,
    identity: Option<&Identity>,
    clock: &Clock,
) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.clone()).expect("a CA certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_details(provider, Arc::new(HostTime(clock.clone())))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { chain, key, not_after: _ }) => {
            builder.with_client_auth_cert(chain.clone(), key.clone_key()).expect("key and certificate")
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// An HTTP/2 connection over that TLS.
pub async fn connect(address: SocketAddr, tls: Arc<rustls::ClientConfig>) -> Result<tonic::transport::Channel, Status> {
    let connector = TlsConnector::from(tls);
    let connect = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::IpAddress(address.ip().into());
            connector.connect(name, stream).await.map(hyper_util::rt::TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_static("https://agents.invalid").timeout(SOON);
    endpoint.connect_with_connector(connect).await.map_err(|error| Status::unavailable(format!("{error:?}")))
}

/// A hello of this build.
#[must_use]
pub fn hello(machine_id: &str) -> wire::Hello {
    wire::Hello {
        agent_version: "1.2.3".into(),
        protocol_min: *proto::PROTOCOL.start(),
        protocol_max: *proto::PROTOCOL.end(),
        boot_id: uuid::Uuid::new_v4().to_string(),
        open: Vec::new(),
        clock_ms: 0,
        machine_id: machine_id.into(),
    }
}

/// An agent's end of a session.
pub struct Agent {
    /// To the control plane.
    pub up: mpsc::Sender<wire::AgentMessage>,
    /// From it.
    pub down: Streaming<wire::ControlMessage>,
}

impl Agent {
    /// Opens a session and says `first`.
    pub async fn start(channel: tonic::transport::Channel, first: Up) -> Result<Self, Status> {
        let (up, messages) = mpsc::channel(64);
        up.send(wire::AgentMessage { body: Some(first) }).await.expect("room for the first message");
        let mut client = AgentClient::new(channel);
        let answer = timeout(SOON, client.session(ReceiverStream::new(messages))).await.expect("an answer in time")?;
        Ok(Self { up, down: answer.into_inner() })
    }

    /// Opens a session and waits for its welcome.
    pub async fn open(channel: tonic::transport::Channel, hello: wire::Hello) -> Result<(Self, wire::Welcome), Status> {
        let mut agent = Self::start(channel, Up::Hello(hello)).await?;
        match agent.next().await? {
            Some(Down::Welcome(welcome)) => Ok((agent, welcome)),
            Some(Down::GoAway(go_away)) => Err(Status::aborted(go_away.message)),
            other => panic!("expected a welcome, got {other:?}"),
        }
    }

    /// Says something.
    pub async fn say(&self, body: Up) {
        // A session that has ended takes nothing; what the test expects then is seen on the way down.
        drop(self.up.send(wire::AgentMessage { body: Some(body) }).await);
    }

    /// The next message that is no ping; `None`: the stream ended.
    pub async fn next(&mut self) -> Result<Option<Down>, Status> {
        loop {
            let message = timeout(SOON, self.down.message()).await.expect("a message or an end in time")?;
            match message.map(|message| message.body.expect("a known message")) {
                Some(Down::Ping(wire::Ping { nonce })) => {
                    self.say(Up::Pong(wire::Pong { nonce, clock_ms: 0 })).await;
                }
                other => return Ok(other),
            }
        }
    }

    /// Waits for the end: the GoAway, if there was one, and the status, if there was one.
    pub async fn end(&mut self) -> (Option<wire::GoAway>, Option<Status>) {
        let mut go_away = None;
        loop {
            match self.next().await {
                Ok(Some(Down::GoAway(said))) => go_away = Some(said),
                Ok(Some(_)) => {}
                Ok(None) => return (go_away, None),
                Err(status) => return (go_away, Some(status)),
            }
        }
    }

    /// Proves that the session is alive: a probe of it is answered.
    pub async fn alive(&mut self, plane: &Plane, server: &Server) {
        use control_plane::domain::servers::{ProbeSpec, Prober as _};
        let answer = async {
            match self.next().await {
                Ok(Some(Down::Probe(wire::Probe { nonce, .. }))) => {
                    self.say(Up::ProbeResult(wire::ProbeResult { nonce, ..Default::default() })).await;
                }
                other => panic!("expected a probe, got {other:?}"),
            }
        };
        let (report, ()) = tokio::join!(plane.hub.probe(server.id, ProbeSpec::default(), SOON), answer);
        assert!(report.expect("connected").complete);
    }
}
