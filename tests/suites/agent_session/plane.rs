//! A control plane made by hand: it serves the agents' services and shows a test what comes.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use mpanel_tests::pve_rig::Rig;
use node_agent::config::Config;
use node_agent::identity::{Identity, IdentityStore, Issued as IssuedIdentity, NewKey};
use proto::agent::v1::agent_message::Body as Up;
use proto::agent::v1::agent_server::{Agent, AgentServer};
use proto::agent::v1::control_message::Body as Down;
use proto::agent::v1::relay_server::{Relay, RelayServer};
use proto::agent::v1::{
    AgentMessage, ConsoleFrame, ControlMessage, RenewRequest, RenewResponse, RunCommand, Welcome, run_command,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, ExtendedKeyUsagePurpose,
    IsCa, KeyPair,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::codegen::{Body, BoxFuture, Context, Poll, StdError, http};
use tonic::{Request, Response, Status, Streaming};

pub const SOON: Duration = Duration::from_secs(30);

type Answers<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;
type Orders = mpsc::Sender<Result<ControlMessage, Status>>;

/// One console, as the control plane has it.
pub struct Relayed {
    pub from_agent: Streaming<ConsoleFrame>,
    pub to_agent: mpsc::Sender<Result<ConsoleFrame, Status>>,
}

impl Relayed {
    pub async fn next(&mut self) -> ConsoleFrame {
        let frame = tokio::time::timeout(SOON, self.from_agent.message()).await.expect("no frame came");
        frame.expect("the stream works").expect("the stream goes on")
    }
}

struct Service {
    welcome: Welcome,
    heard: mpsc::UnboundedSender<Up>,
    orders: Mutex<Option<Orders>>,
    relayed: mpsc::UnboundedSender<Relayed>,
}

#[derive(Clone)]
struct Served(Arc<Service>);

#[tonic::async_trait]
impl Agent for Served {
    type SessionStream = Answers<ControlMessage>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let mut stream = request.into_inner();
        let (orders, answers) = mpsc::channel(64);
        let welcome = ControlMessage { body: Some(Down::Welcome(self.0.welcome)) };
        orders.send(Ok(welcome)).await.expect("room for a welcome");
        *self.0.orders.lock().unwrap() = Some(orders);
        let heard = self.0.heard.clone();
        tokio::spawn(async move {
            while let Ok(Some(AgentMessage { body: Some(body) })) = stream.message().await {
                if heard.send(body).is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn renew(&self, _: Request<RenewRequest>) -> Result<Response<RenewResponse>, Status> {
        Err(Status::unavailable("not now"))
    }
}

#[tonic::async_trait]
impl Relay for Served {
    type ConsoleStream = Answers<ConsoleFrame>;

    async fn console(
        &self,
        request: Request<Streaming<ConsoleFrame>>,
    ) -> Result<Response<Self::ConsoleStream>, Status> {
        let (to_agent, answers) = mpsc::channel(16);
        let relayed = Relayed { from_agent: request.into_inner(), to_agent };
        self.0.relayed.send(relayed).map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }
}

/// The agent of a rig's node and the control plane it is connected to.
pub struct Plane {
    pub heard: mpsc::UnboundedReceiver<Up>,
    pub relayed: mpsc::UnboundedReceiver<Relayed>,
    service: Arc<Service>,
    stop: CancellationToken,
    agent: JoinHandle<node_agent::Result<()>>,
    _serving: tokio_util::task::AbortOnDropHandle<()>,
    _state: TempDir,
}

impl Plane {
    /// Starts both and waits for the agent's hello.
    pub async fn start(rig: &Rig, welcome: Welcome) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, key).unwrap();
        let authority = ca.der().clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let (heard_sender, heard) = mpsc::unbounded_channel();
        let (relayed_sender, relayed) = mpsc::unbounded_channel();
        let welcome = Welcome {
            session_epoch: 1,
            protocol: *proto::PROTOCOL.end(),
            heartbeat_ms: 1_000,
            inventory_ms: 60_000,
            clock_ms: node_agent::clock::now_ms(),
            ..welcome
        };
        let service =
            Arc::new(Service { welcome, heard: heard_sender, orders: Mutex::default(), relayed: relayed_sender });
        let serving = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(serve(
            listener,
            TlsAcceptor::from(Arc::new(tls(&ca, &authority))),
            Served(service.clone()),
        )));
        let state = tempfile::tempdir().unwrap();
        IdentityStore::create(state.path(), &identity(&ca, &authority, &url)).unwrap();
        let mut config = Config::default();
        config.agent.state_dir = state.path().to_owned();
        let stop = CancellationToken::new();
        let agent = tokio::spawn(node_agent::run(config, rig.pve.clone(), stop.clone()));
        let mut plane = Self { heard, relayed, service, stop, agent, _serving: serving, _state: state };
        plane.until(|body| matches!(body, Up::Hello(_)).then_some(())).await;
        plane
    }

    /// Orders something.
    pub async fn order(&self, body: Down) {
        let orders = self.service.orders.lock().unwrap().clone().expect("a session");
        orders.send(Ok(ControlMessage { body: Some(body) })).await.expect("the session goes on");
    }

    /// Orders a command for the rig's VM.
    pub async fn run(&self, id: u128, target: node_agent::proxmox::Target, kind: run_command::Kind) {
        let command = RunCommand {
            command_id: uuid::Uuid::from_u128(id).to_string(),
            epoch: 1,
            deadline_ms: 0,
            pod_id: target.pod_id.to_string(),
            vmid: target.vmid,
            kind: Some(kind),
        };
        self.order(Down::Run(command)).await;
    }

    /// Waits for a message that will do.
    pub async fn until<T>(&mut self, will_do: impl Fn(&Up) -> Option<T>) -> T {
        let wait = async {
            loop {
                let body = self.heard.recv().await.expect("the agent ended");
                if let Some(found) = will_do(&body) {
                    return found;
                }
            }
        };
        tokio::time::timeout(SOON, wait).await.expect("what was waited for did not come")
    }

    /// Ends the agent in order.
    pub async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(SOON, self.agent).await.expect("the agent does not stop");
        ended.expect("the agent does not panic").expect("the agent ends well");
    }
}

fn tls(ca: &CertifiedIssuer<'_, KeyPair>, authority: &CertificateDer<'static>) -> rustls::ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, ca).unwrap().der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.clone()).unwrap();
    let clients = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![certificate, authority.clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

fn identity(ca: &CertifiedIssuer<'_, KeyPair>, authority: &CertificateDer<'static>, url: &str) -> Identity {
    let key = NewKey::generate().unwrap();
    let request = CertificateSigningRequestDer::from(key.request.clone());
    let mut request = CertificateSigningRequestParams::from_der(&request).unwrap();
    request.params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = request.signed_by(ca).unwrap().der().to_vec();
    let issued = IssuedIdentity { key, certificate, authority: authority.to_vec() };
    Identity::from_issued(url, "server", "pve1", issued).unwrap()
}

/// Leads a call to its service.
#[derive(Clone)]
struct Routes(AgentServer<Served>, RelayServer<Served>);

impl<B> tower::Service<http::Request<B>> for Routes
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        if request.uri().path().starts_with("/mpanel.agent.v1.Relay/") {
            return tower::Service::call(&mut self.1, request);
        }
        tower::Service::call(&mut self.0, request)
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, served: Served) {
    let routes = Routes(AgentServer::new(served.clone()), RelayServer::new(served));
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, routes) = (acceptor.clone(), routes.clone());
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = TowerToHyperService::new(routes);
            let server = auto::Builder::new(TokioExecutor::new()).http2_only();
            // How a connection ends is for the test to see in what comes of it.
            let _ = server.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
