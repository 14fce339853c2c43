//! The one stream to the control plane: dialled from here, held, and dialled again.
//!
//! A lost session stops no command. Results and what is open are told again in the next one.

mod console;
pub mod dial;
pub(crate) mod probe;
mod query;
mod renew;
mod report;

use std::sync::Arc;
use std::time::Duration;

use proto::agent::v1::agent_client::AgentClient;
use proto::agent::v1::agent_message::Body;
use proto::agent::v1::control_message::Body as Order;
use proto::agent::v1::{
    AgentMessage, ControlMessage, Fence, FenceOutcome, FenceResult, GoAway, GoAwayReason, Hello, Pong, Welcome,
};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::transport::Channel;
use tonic::{Status, Streaming};
use tracing::{debug, error, info, warn};

use crate::backoff_policy::{Backoff, spread};
use crate::clock::{Offset, now_ms};
use crate::config::Config;
use crate::error::Error;
use crate::executor::{Executor, message};
use crate::fault;
use crate::identity::IdentityStore;
use crate::proxmox::Hypervisor;
use crate::tls;
pub(crate) use console::Consoles;
use report::{Out, Silenced};

/// Messages that wait to be sent.
const OUT_MAX: usize = 64;
/// How long the control plane may take to answer Hello.
const WELCOME_MAX: Duration = Duration::from_secs(30);
/// A session that lasted this long was a good one: the next waits begin small again.
const GOOD_AFTER: Duration = Duration::from_secs(10);
/// The longest message from the control plane.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Waits after another agent with this identity took the session over. It may have been this one, before its restart: its hello
/// can be read after a newer one's. So the first wait is short, and doubles while it happens again.
const SUPERSEDED_PAUSE_FIRST: Duration = Duration::from_secs(10);
const SUPERSEDED_PAUSE_MAX: Duration = Duration::from_mins(5);
/// A session that lasted longer than a twin stays away at most was not one between two turns of it.
const SUPERSEDED_FORGOTTEN_AFTER: Duration = Duration::from_mins(10);
/// Waits when coming back soon is of no use: the identity is refused; no common protocol.
const REFUSED_PAUSE: Duration = Duration::from_mins(5);
const PROTOCOL_PAUSE: Duration = Duration::from_mins(5);
/// During a wait it is looked this often whether the host was enrolled again.
const RELOAD_EVERY: Duration = Duration::from_secs(2);

/// All that a session needs.
pub(crate) struct Agent {
    pub(crate) config: Config,
    pub(crate) identity: IdentityStore,
    pub(crate) hypervisor: Arc<dyn Hypervisor>,
    pub(crate) executor: Executor,
    pub(crate) offset: Arc<Offset>,
    pub(crate) boot_id: String,
    pub(crate) machine_id: String,
    pub(crate) stopping: CancellationToken,
    pub(crate) consoles: Consoles,
}

/// What a session consists of.
struct Held {
    out: Out,
    channel: Channel,
    stream: Streaming<ControlMessage>,
}

/// Why a session ended.
enum End {
    /// The agent stops.
    Stopping,
    /// The connection failed or broke.
    Lost(String),
    /// The identity is refused.
    Refused(String),
    /// The control plane sent the agent away.
    Away(GoAway),
    /// There is no protocol version that both speak.
    Protocol(String),
}

/// Holds sessions and renews the certificate until the agent stops.
pub(crate) async fn run(agent: Arc<Agent>) {
    let tasks = TaskTracker::new();
    let (renew_after, renewals) = watch::channel(None);
    let renewing = agent.clone();
    tasks.spawn(async move {
        let stopping = renewing.stopping.clone();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = renew::run(renewing, renewals) => {}
        }
    });
    tasks.close();
    let settings = &agent.config.control_plane;
    let first = Duration::from_millis(settings.reconnect_first_ms);
    let backoff = Backoff::new(first, Duration::from_secs(settings.reconnect_max_s));
    let mut waits = Waits { backoff, superseded: SUPERSEDED_PAUSE_FIRST };
    while !agent.stopping.is_cancelled() {
        let begin = Instant::now();
        let end = hold(&agent, &renew_after).await;
        agent.executor.uplink().set(None);
        if begin.elapsed() >= GOOD_AFTER {
            waits.backoff.reset();
        }
        if begin.elapsed() >= SUPERSEDED_FORGOTTEN_AFTER {
            waits.superseded = SUPERSEDED_PAUSE_FIRST;
        }
        let wait = wait_after(end, &mut waits);
        pause(&agent, wait).await;
    }
    tasks.wait().await;
    agent.consoles.closed().await;
}

/// The next waits.
struct Waits {
    backoff: Backoff,
    superseded: Duration,
}

/// Says what happened and how long to stay away.
fn wait_after(end: End, waits: &mut Waits) -> Duration {
    match end {
        End::Stopping => Duration::ZERO,
        End::Lost(cause) => {
            let wait = waits.backoff.next_wait();
            warn!(%cause, ?wait, "no session with the control plane; commands under way go on");
            wait
        }
        End::Refused(cause) => {
            error!(%cause, "the control plane refuses this agent: make a new token for this server there and run the `mpanel-agent enroll …` command that it shows; ledger and VMs stay");
            spread(REFUSED_PAUSE)
        }
        End::Protocol(cause) => {
            error!(%cause, "the control plane and this agent have no protocol version in common: upgrade the older one");
            spread(PROTOCOL_PAUSE)
        }
        End::Away(GoAway { reason, message, reconnect_after_ms }) => {
            let asked = Duration::from_millis(reconnect_after_ms);
            match GoAwayReason::try_from(reason).unwrap_or(GoAwayReason::Unspecified) {
                GoAwayReason::Shutdown | GoAwayReason::Unspecified => {
                    let wait = asked + waits.backoff.next_wait();
                    info!(%message, ?wait, "the control plane closes the session; back after a wait");
                    wait
                }
                GoAwayReason::Superseded => {
                    error!(%message, "ANOTHER AGENT USES THIS AGENT'S IDENTITY and has taken over the session. If a disk or container was copied, stop one of the two and enrol it as a server of its own");
                    let pause = waits.superseded;
                    waits.superseded = (pause * 2).min(SUPERSEDED_PAUSE_MAX);
                    spread(pause.max(asked))
                }
                GoAwayReason::Revoked => {
                    error!(%message, "this agent's certificate was revoked: if that was not intended, make a new token for this server at the control plane and run the `mpanel-agent enroll …` command that it shows; ledger and VMs stay");
                    spread(REFUSED_PAUSE.max(asked))
                }
                GoAwayReason::Protocol => {
                    error!(%message, "the control plane does not speak this agent's protocol: upgrade the older one");
                    spread(PROTOCOL_PAUSE.max(asked))
                }
            }
        }
    }
}

/// Waits, but not when the agent stops or was enrolled anew.
async fn pause(agent: &Agent, wait: Duration) {
    let deadline = Instant::now() + wait;
    loop {
        match agent.identity.reload() {
            Ok(true) => {
                info!("a new identity was found on disk and is used from now on");
                return;
            }
            Ok(false) => {}
            Err(cause) => warn!(%cause, "the identity on disk could not be read"),
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = agent.stopping.cancelled() => return,
            () = sleep(left.min(RELOAD_EVERY)) => {}
        }
    }
}

/// One session from dialling to its end.
async fn hold(agent: &Arc<Agent>, renew_after: &watch::Sender<Option<i64>>) -> End {
    tokio::select! {
        () = agent.stopping.cancelled() => End::Stopping,
        end = dial_and_serve(agent, renew_after) => end,
    }
}

async fn dial_and_serve(agent: &Arc<Agent>, renew_after: &watch::Sender<Option<i64>>) -> End {
    let identity = agent.identity.current();
    let settings = &agent.config.control_plane;
    let connected = async {
        let url = dial::target(settings, &identity)?;
        let channel = dial::connect(&url, tls::mutual(&identity)?, settings).await?;
        Ok::<_, Error>((url, channel))
    };
    let (url, channel) = match connected.await {
        Ok(connected) => connected,
        Err(error) => return refused_or_lost(tonic::Code::Unavailable, error.to_string()),
    };
    let (sender, outgoing) = mpsc::channel(OUT_MAX);
    let out = Out(sender);
    if let Err(Silenced(cause)) = out.send(message(Body::Hello(hello(agent)))).await {
        return End::Lost(cause.to_owned());
    }
    let mut client = AgentClient::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let opening = async {
        let mut stream = client.session(ReceiverStream::new(outgoing)).await?.into_inner();
        let first = stream.message().await?;
        Ok::<_, Status>((stream, first))
    };
    let (stream, first) = match timeout(WELCOME_MAX, opening).await {
        Ok(Ok(opened)) => opened,
        Ok(Err(status)) => return refused_or_lost(status.code(), dial::words(&status)),
        Err(_) => return End::Lost(format!("no welcome within {WELCOME_MAX:?}")),
    };
    match first.and_then(|first| first.body) {
        Some(Order::Welcome(welcome)) if fault::protocol().contains(&welcome.protocol) => {
            info!(control_plane = %url, server = %identity.server_name, session = welcome.session_epoch, "session begun");
            let held = Held { out, channel, stream };
            serve(agent, &welcome, renew_after, held).await
        }
        Some(Order::Welcome(welcome)) => End::Protocol(format!("it wants version {}", welcome.protocol)),
        Some(Order::GoAway(away)) => End::Away(away),
        Some(_) => End::Lost("the control plane did not begin with a welcome".to_owned()),
        None => End::Lost("the control plane closed the stream at once".to_owned()),
    }
}

fn refused_or_lost(code: tonic::Code, cause: String) -> End {
    if dial::is_refusal(code, &cause) { End::Refused(cause) } else { End::Lost(cause) }
}

/// A session that had begun was not refused as such: one message was. Whether the identity is, the next dialling tells.
fn broken(code: tonic::Code, cause: String) -> End {
    if code == tonic::Code::PermissionDenied { End::Lost(cause) } else { refused_or_lost(code, cause) }
}

fn hello(agent: &Agent) -> Hello {
    let protocol = fault::protocol();
    Hello {
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol_min: *protocol.start(),
        protocol_max: *protocol.end(),
        boot_id: agent.boot_id.clone(),
        open: agent.executor.open(),
        clock_ms: now_ms(),
        machine_id: agent.machine_id.clone(),
    }
}

/// Serves a session that has begun; whatever it started ends with it.
async fn serve(agent: &Arc<Agent>, welcome: &Welcome, renew_after: &watch::Sender<Option<i64>>, held: Held) -> End {
    let Held { out, channel, mut stream } = held;
    // However this ends, also when it is dropped.
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    agent.offset.observe(welcome.clock_ms);
    if welcome.renew_after_ms > 0 {
        let after = i64::try_from(welcome.renew_after_ms).unwrap_or(i64::MAX);
        renew_after.send_replace(Some(now_ms().saturating_add(after)));
    }
    agent.executor.uplink().set(Some(out.0.clone()));
    let mut reports = reports(agent, welcome, &out);
    let mut desk = Desk {
        agent,
        out: out.clone(),
        channel,
        over,
        probes: Arc::new(Semaphore::new(probe::AT_ONCE_MAX)),
        questions: Arc::new(Semaphore::new(query::AT_ONCE_MAX)),
        answers: JoinSet::new(),
    };
    let end = loop {
        let received = tokio::select! {
            received = stream.message() => received,
            silenced = reports.join_next() => match silenced {
                Some(Ok(Silenced(cause))) => break End::Lost(cause.to_owned()),
                Some(Err(error)) => break End::Lost(format!("a report failed: {error}")),
                None => break End::Lost("nothing is reported any more".to_owned()),
            },
            Some(answered) = desk.answers.join_next() => {
                if let Err(cause) = answered {
                    error!(%cause, "an answer failed");
                }
                continue;
            }
        };
        let order = match received {
            Ok(Some(ControlMessage { body: Some(order) })) => order,
            Ok(Some(ControlMessage { body: None })) => {
                debug!("a message of a kind that this agent does not know was left out");
                continue;
            }
            Ok(None) => break End::Lost("the control plane closed the session".to_owned()),
            Err(status) => break broken(status.code(), dial::words(&status)),
        };
        let answer = match order {
            Order::GoAway(away) => break End::Away(away),
            order => desk.take(order).await,
        };
        if let Some(answer) = answer
            && let Err(Silenced(cause)) = out.send(answer).await
        {
            break End::Lost(cause.to_owned());
        }
    };
    reports.shutdown().await;
    desk.answers.shutdown().await;
    end
}

fn reports(agent: &Arc<Agent>, welcome: &Welcome, out: &Out) -> JoinSet<Silenced> {
    let mut reports = JoinSet::new();
    reports.spawn(report::heartbeats(agent.clone(), out.clone(), every(welcome.heartbeat_ms, 10)));
    reports.spawn(report::inventories(agent.clone(), out.clone(), every(welcome.inventory_ms, 60)));
    reports.spawn(report::results(agent.clone(), out.clone()));
    if welcome.traffic_ms > 0 {
        reports.spawn(report::traffic(agent.clone(), out.clone(), every(welcome.traffic_ms, 60)));
    }
    reports
}

/// Where a session's orders come in.
struct Desk<'a> {
    agent: &'a Arc<Agent>,
    out: Out,
    channel: Channel,
    over: CancellationToken,
    probes: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    /// What takes longer than to say.
    answers: JoinSet<()>,
}

impl Desk<'_> {
    /// Does an order or sees to it. Returns what can be answered at once.
    async fn take(&mut self, order: Order) -> Option<AgentMessage> {
        let (agent, out) = (self.agent.clone(), self.out.clone());
        match order {
            Order::Run(command) => return agent.executor.run(command).await,
            Order::Cancel(cancel) => return agent.executor.cancel(&cancel.command_id, cancel.epoch).await,
            Order::Ping(ping) => return Some(message(Body::Pong(Pong { nonce: ping.nonce, clock_ms: now_ms() }))),
            Order::Ack(ack) => agent.executor.acknowledge(&ack.command_id, ack.epoch).await,
            Order::Fence(Fence { nonce, vms }) => {
                // The commands are ended before the next order is read.
                let outcomes = agent.executor.fence(vms).await;
                self.answers.spawn(fenced(out, nonce, outcomes));
            }
            Order::Probe(probe) => {
                self.answers.spawn(probe::answer(agent, out, probe, self.probes.clone()));
            }
            Order::Query(query) => {
                self.answers.spawn(query::answer(agent, out, query, self.questions.clone()));
            }
            Order::OpenConsole(order) => {
                self.agent.consoles.open(self.agent, self.channel.clone(), order, self.over.clone());
            }
            Order::Welcome(_) | Order::GoAway(_) => {}
        }
        None
    }
}

/// Tells what became of a fence; the fence itself does not depend on the session.
async fn fenced(out: Out, nonce: u64, outcomes: oneshot::Receiver<Vec<FenceOutcome>>) {
    // Without outcomes the agent stops; the control plane asks again.
    if let Ok(outcomes) = outcomes.await {
        let _ = out.send(message(Body::FenceResult(FenceResult { nonce, outcomes }))).await;
    }
}

/// An interval as the control plane wants it, within reason.
fn every(ms: u64, default_s: u64) -> Duration {
    match ms {
        0 => Duration::from_secs(default_s),
        ms => Duration::from_millis(ms.clamp(100, 3_600_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_after_another_took_the_session_over_double_and_are_never_shorter_than_asked() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(1));
        let mut waits = Waits { backoff, superseded: SUPERSEDED_PAUSE_FIRST };
        let mut wait = |reconnect_after_ms| {
            let reason = GoAwayReason::Superseded.into();
            wait_after(End::Away(GoAway { reason, message: String::new(), reconnect_after_ms }), &mut waits)
        };
        for around_s in [10, 20, 40, 80, 160, 300, 300] {
            let around = Duration::from_secs(around_s);
            let waited = wait(0);
            assert!(waited >= around / 2 && waited <= around * 3 / 2, "{waited:?}, around {around:?}");
        }
        assert!(wait(3_600_000) >= Duration::from_mins(30));
    }

    #[test]
    fn one_refused_message_does_not_keep_the_agent_away() {
        let cause = || "it is not this server's command".to_owned();
        assert!(matches!(broken(tonic::Code::PermissionDenied, cause()), End::Lost(_)));
        assert!(matches!(broken(tonic::Code::Unauthenticated, cause()), End::Refused(_)));
        assert!(matches!(refused_or_lost(tonic::Code::PermissionDenied, cause()), End::Refused(_)));
    }
}
