//! Many agents without hosts: each has a certificate of its own and holds a session over mutual TLS, with heartbeats, and
//! comes back as a real one does.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use node_agent::backoff_policy::Backoff;
use node_agent::config::ControlPlaneSection;
use node_agent::identity::Identity;
use node_agent::session::dial;
use proto::agent::v1 as wire;
use proto::agent::v1::agent_client::AgentClient;
use proto::agent::v1::agent_message::Body as Up;
use proto::agent::v1::control_message::Body as Down;
use rustls::ClientConfig;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Status;
use url::Url;

use crate::app::Api;
use crate::channel::{connect, hello};

/// Requests and enrolments at once while they are made.
const ENROLLING_MAX: usize = 16;

/// As many files as this process may have; what it starts has them too.
#[must_use]
pub fn files_raised() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("the soft limit may be raised");
    maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

/// An agent's way in.
pub struct Credentials {
    /// Its server's id.
    pub server: String,
    /// TLS that shows its certificate.
    pub tls: Arc<ClientConfig>,
}

/// Registers so many servers and enrols an agent for each.
pub async fn enrol(api: &Api, grpc: SocketAddr, count: usize) -> Vec<Credentials> {
    let one = |_| async move {
        let answer = api
            .post("/api/platform/servers", &json!({"name": format!("sim-{}", uuid::Uuid::new_v4().simple())}))
            .await
            .expect(201);
        let command = answer["enrolment"]["command"].as_str().expect("a command");
        let words: Vec<&str> = command.split_whitespace().collect();
        let after = |name: &str| words.iter().skip_while(|word| **word != name).nth(1).expect("a value");
        let url = Url::parse(&format!("https://{grpc}")).expect("a URL");
        let settings = ControlPlaneSection::default();
        let identity: Identity =
            dial::enroll(&url, after("--ca-sha256"), after("--token"), &settings).await.expect("it is enrolled");
        let tls = node_agent::tls::mutual(&identity).expect("a usable identity");
        Credentials { server: identity.server_id.clone(), tls }
    };
    futures::stream::iter((0..count).map(one)).buffer_unordered(ENROLLING_MAX).collect().await
}

/// See the module. Its agents end with it.
pub struct Swarm {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    count: usize,
}

struct Shared {
    grpc: SocketAddr,
    /// Changes when all are to come back.
    storms: watch::Sender<usize>,
    /// How often it was begun to count anew.
    rounds: AtomicUsize,
    /// Sessions that were welcomed since the newest storm.
    back: AtomicUsize,
    /// Tries that came to nothing.
    refused: AtomicUsize,
    /// How the last of them ended.
    last: Mutex<String>,
    stop: CancellationToken,
}

impl Swarm {
    /// All of them begin at once.
    #[must_use]
    pub fn start(grpc: SocketAddr, agents: Vec<Credentials>) -> Self {
        let (back, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (storms, last, stop) = (watch::Sender::new(0), Mutex::default(), CancellationToken::new());
        let rounds = AtomicUsize::new(0);
        let shared = Shared { grpc, storms, rounds, back, refused, last, stop };
        let (shared, tasks, count) = (Arc::new(shared), TaskTracker::new(), agents.len());
        for (n, agent) in agents.into_iter().enumerate() {
            let (shared, storms) = (shared.clone(), shared.storms.subscribe());
            let stop = shared.stop.clone();
            tasks.spawn(async move { stop.run_until_cancelled(shared.live(n, agent, storms)).await });
        }
        tasks.close();
        Self { shared, tasks, count }
    }

    /// Every agent's connection breaks, and each dials again within a second.
    pub fn storm(&self) {
        self.forget();
        self.shared.storms.send_modify(|storms| *storms += 1);
    }

    /// Counts from now on who is welcomed anew, after something else has ended their sessions.
    pub fn forget(&self) {
        self.shared.rounds.fetch_add(1, Ordering::SeqCst);
        self.shared.back.store(0, Ordering::SeqCst);
    }

    /// How many have been welcomed since the newest storm.
    #[must_use]
    pub fn back(&self) -> usize {
        self.shared.back.load(Ordering::SeqCst)
    }

    /// Whether all have.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.back() >= self.count
    }

    /// How many tries came to nothing so far.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    /// How the last of these ended.
    #[must_use]
    pub fn last_refusal(&self) -> String {
        self.shared.last.lock().expect("no thread panicked with it").clone()
    }

    /// Ends them.
    pub async fn stop(self) {
        self.shared.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Shared {
    async fn live(&self, n: usize, agent: Credentials, mut storms: watch::Receiver<usize>) {
        let settings = ControlPlaneSection::default();
        let first = Duration::from_millis(settings.reconnect_first_ms);
        let mut backoff = Backoff::new(first, Duration::from_secs(settings.reconnect_max_s));
        let mut counted = None;
        loop {
            storms.mark_unchanged();
            let mut welcomed = || {
                let round = self.rounds.load(Ordering::SeqCst);
                if counted.replace(round) != Some(round) {
                    self.back.fetch_add(1, Ordering::SeqCst);
                }
            };
            let begun = Instant::now();
            tokio::select! {
                _ = storms.changed() => {
                    // All of them within a second, each at its own moment.
                    sleep(Duration::from_micros(spread(n) % 1_000_000)).await;
                    backoff.reset();
                    continue;
                }
                ended = self.session(n, &agent, &mut welcomed) => {
                    *self.last.lock().expect("no thread panicked with it") = format!("{ended:?}");
                }
            }
            if begun.elapsed() > Duration::from_secs(10) {
                backoff.reset();
            }
            self.refused.fetch_add(1, Ordering::SeqCst);
            sleep(backoff.next_wait()).await;
        }
    }

    async fn session(&self, n: usize, agent: &Credentials, welcomed: &mut impl FnMut()) -> Result<(), Status> {
        let channel = connect(self.grpc, agent.tls.clone()).await?;
        let (up, messages) = mpsc::channel(4);
        let say = async |body: Up| up.send(wire::AgentMessage { body: Some(body) }).await.map_err(|_| gone());
        say(Up::Hello(hello(&format!("machine-{n}")))).await?;
        let mut down = AgentClient::new(channel).session(ReceiverStream::new(messages)).await?.into_inner();
        let every = match down.message().await?.and_then(|message| message.body) {
            Some(Down::Welcome(welcome)) => Duration::from_millis(welcome.heartbeat_ms),
            _ => return Err(gone()),
        };
        welcomed();
        say(Up::Inventory(wire::Inventory { full: true, bridges: vec!["vmbr0".into()], ..Default::default() })).await?;
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => say(Up::Heartbeat(heartbeat(n))).await?,
                message = down.message() => match message?.ok_or_else(gone)?.body {
                    Some(Down::Ping(wire::Ping { nonce })) => {
                        say(Up::Pong(wire::Pong { nonce, clock_ms: 0 })).await?;
                    }
                    Some(Down::GoAway(_)) => return Ok(()),
                    _ => {}
                },
            }
        }
    }
}

fn gone() -> Status {
    Status::unavailable("the session is over")
}

/// A number that differs from agent to agent and spreads well.
fn spread(n: usize) -> u64 {
    (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn heartbeat(n: usize) -> wire::Heartbeat {
    wire::Heartbeat {
        cpu_threads: 32,
        memory_total_mib: 131_072,
        memory_used_mib: 4_096,
        pve_version: "9.1.9".into(),
        node_name: format!("sim-{n}"),
        quorate: true,
        clock_ms: node_agent::clock::now_ms(),
        ..Default::default()
    }
}
