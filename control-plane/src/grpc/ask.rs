//! Questions to agents: each bears a number, which the agent's answers repeat. An agent whose session another control plane
//! holds is asked through that one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message as _;
use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::hub::{EndReason, Live, SessionHub};
use crate::clock::Stopwatch;
use crate::domain::cluster::{Call, Holder};
use crate::domain::jobs::command::NotConnected;
use crate::error::{Error, Result as OurResult};
use crate::ids::ServerId;

/// Answers to one question that may wait to be read: an agent answers in a handful of parts.
const PARTS_MAX: usize = 64;
/// The longest that anybody may ask another control plane to wait.
const WITHIN_MAX: Duration = Duration::from_mins(2);

/// The questions of one session that wait for answers, by their number.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers(Arc<Mutex<HashMap<u64, mpsc::Sender<Body>>>>);

impl Answers {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<Body>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an answer to whoever waits for it. One that nobody waits for came too late.
    pub(super) fn take(&self, body: Body) {
        let waiting = nonce_of(&body).and_then(|nonce| self.lock().get(&nonce).cloned());
        if let Some(waiting) = waiting
            && waiting.try_send(body).is_err()
        {
            metrics::counter!("mpanel_agent_answers_dropped_total").increment(1);
        }
    }
}

fn nonce_of(body: &Body) -> Option<u64> {
    match body {
        Body::ProbeResult(result) => Some(result.nonce),
        Body::FenceResult(result) => Some(result.nonce),
        Body::QueryResult(result) => Some(result.nonce),
        _ => None,
    }
}

/// Whether more parts of the same answer follow.
fn is_partial(body: &Body) -> bool {
    matches!(body, Body::ProbeResult(result) if result.partial)
}

/// What an agent answered.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// In the order in which they came.
    pub(super) bodies: Vec<Body>,
    /// How long the first took.
    pub(super) first_after: Option<Duration>,
    /// The last part is among them.
    pub(super) complete: bool,
}

/// What one control plane asks another to do with a session.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Request {
    /// Ask the agent and wait for its answer.
    Ask {
        /// The question's number.
        nonce: u64,
        /// A ControlMessage in base64.
        message: String,
        /// How long.
        within_ms: u64,
    },
    /// Send it to the agent.
    Tell {
        /// A ControlMessage in base64.
        message: String,
    },
    /// End the session if it is not the server's newest: its certificate counts no more.
    Close,
}

/// What becomes of a [`Request`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Outcome {
    Replies { bodies: Vec<String>, first_ms: Option<u64>, complete: bool },
    Done,
    NotConnected,
}

impl Request {
    /// To send this message.
    pub(super) fn tell(message: &wire::ControlMessage) -> Self {
        Self::Tell { message: STANDARD.encode(message.encode_to_vec()) }
    }

    pub(super) fn to_value(&self) -> serde_json::Value {
        // A request has texts and numbers only.
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl SessionHub {
    /// Asks a server's agent, wherever its session is held, and waits at most `within`: what has not come by then is missing.
    pub(super) async fn ask(
        &self,
        server: ServerId,
        message: impl FnOnce(u64) -> wire::ControlMessage,
        within: Duration,
    ) -> Result<Replies, NotConnected> {
        let nonce = self.nonce();
        let message = message(nonce);
        match (&self.cluster, self.elsewhere(server).await) {
            (Some(cluster), Some(holder)) => {
                let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                let message = STANDARD.encode(message.encode_to_vec());
                let request = Request::Ask { nonce, message, within_ms }.to_value();
                let answered = cluster.ask(holder, server, &request, within).await;
                answered.and_then(replies_of).map_err(|error| not_answered(server, &error))?.ok_or(NotConnected)
            }
            _ => ask_live(&self.get(server).ok_or(NotConnected)?, nonce, message, within).await,
        }
    }

    /// Sends a server's agent a message, wherever its session is held. `Ok`: it was put on the way there.
    pub async fn tell(&self, server: ServerId, message: wire::ControlMessage) -> Result<(), NotConnected> {
        const WITHIN: Duration = Duration::from_secs(5);
        match (&self.cluster, self.elsewhere(server).await) {
            (Some(cluster), Some(holder)) => {
                let answered = cluster.ask(holder, server, &Request::tell(&message).to_value(), WITHIN).await;
                match answered.and_then(outcome_of).map_err(|error| not_answered(server, &error))? {
                    Outcome::Done | Outcome::Replies { .. } => Ok(()),
                    Outcome::NotConnected => Err(NotConnected),
                }
            }
            _ => self.get(server).ok_or(NotConnected)?.send(message),
        }
    }

    /// The other control plane that holds a server's session. A session of this one may be left over from before.
    async fn elsewhere(&self, server: ServerId) -> Option<crate::ids::InstanceId> {
        match self.cluster.as_ref()?.holder(server).await {
            Ok(Holder::Elsewhere(holder)) => Some(holder),
            Ok(Holder::Here | Holder::Nobody) => None,
            Err(error) => {
                tracing::warn!(%server, %error, "cannot look up who holds the session: only this process's are asked");
                None
            }
        }
    }

    /// Does what another control plane asks. `newest`: the epoch of the server's newest session.
    pub(crate) async fn call_answer(&self, call: &Call, newest: Option<u64>) -> serde_json::Value {
        let outcome = match serde_json::from_value(call.request.clone()) {
            Ok(request) => self.request_do(call.server, request, newest).await.unwrap_or(Outcome::NotConnected),
            // Of a newer version.
            Err(error) => {
                tracing::warn!(server = %call.server, %error, "another control plane asks what this version does not know");
                Outcome::NotConnected
            }
        };
        serde_json::to_value(outcome).unwrap_or_default()
    }

    async fn request_do(
        &self,
        server: ServerId,
        request: Request,
        newest: Option<u64>,
    ) -> Result<Outcome, NotConnected> {
        let live = self.get(server).ok_or(NotConnected)?;
        match request {
            Request::Ask { nonce, message, within_ms } => {
                let within = Duration::from_millis(within_ms).min(WITHIN_MAX);
                let Replies { bodies, first_after, complete } =
                    ask_live(&live, nonce, message_of(&message)?, within).await?;
                let encode = |body| STANDARD.encode(wire::AgentMessage { body: Some(body) }.encode_to_vec());
                Ok(Outcome::Replies {
                    bodies: bodies.into_iter().map(encode).collect(),
                    first_ms: first_after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
                    complete,
                })
            }
            Request::Tell { message } => live.send(message_of(&message)?).map(|()| Outcome::Done),
            Request::Close => {
                if newest.is_none_or(|newest| live.epoch < newest) {
                    live.ending.end(EndReason::Revoked);
                }
                Ok(Outcome::Done)
            }
        }
    }
}

fn not_answered(server: ServerId, error: &Error) -> NotConnected {
    tracing::warn!(%server, %error, "the control plane that holds the session was asked in vain");
    NotConnected
}

fn message_of(text: &str) -> Result<wire::ControlMessage, NotConnected> {
    let bytes = STANDARD.decode(text).map_err(|_| NotConnected)?;
    wire::ControlMessage::decode(bytes.as_slice()).map_err(|_| NotConnected)
}

fn outcome_of(value: serde_json::Value) -> OurResult<Outcome> {
    serde_json::from_value(value).map_err(Error::internal)
}

/// `None`: the agent is not connected there either.
fn replies_of(value: serde_json::Value) -> OurResult<Option<Replies>> {
    let Outcome::Replies { bodies, first_ms, complete } = outcome_of(value)? else { return Ok(None) };
    let decode = |text: &String| {
        let bytes = STANDARD.decode(text).map_err(Error::internal)?;
        wire::AgentMessage::decode(bytes.as_slice()).map_err(Error::internal)
    };
    let messages = bodies.iter().map(decode).collect::<OurResult<Vec<_>>>()?;
    let bodies = messages.into_iter().filter_map(|message| message.body).collect();
    Ok(Some(Replies { bodies, first_after: first_ms.map(Duration::from_millis), complete }))
}

/// Asks through a session of this process.
pub(super) async fn ask_live(
    live: &Live,
    nonce: u64,
    message: wire::ControlMessage,
    within: Duration,
) -> Result<Replies, NotConnected> {
    let (parts_in, mut parts) = mpsc::channel(PARTS_MAX);
    live.answers.lock().insert(nonce, parts_in);
    let _forgotten = Forget { answers: live.answers.clone(), nonce };
    let (mut replies, watch) = (Replies::default(), Stopwatch::start());
    live.send(message)?;
    // Whether time ran out or not is in `complete`.
    let _in_time = tokio::time::timeout(within, async {
        tokio::select! {
            () = live.queue.closed() => {}
            () = collect(&mut parts, &mut replies, &watch) => {}
        }
    })
    .await;
    Ok(replies)
}

async fn collect(parts: &mut mpsc::Receiver<Body>, replies: &mut Replies, watch: &Stopwatch) {
    while let Some(part) = parts.recv().await {
        replies.first_after.get_or_insert_with(|| watch.elapsed());
        replies.complete = !is_partial(&part);
        replies.bodies.push(part);
        if replies.complete {
            return;
        }
    }
}

/// Takes a question off the list, also when whoever asked went away.
struct Forget {
    answers: Answers,
    nonce: u64,
}

impl Drop for Forget {
    fn drop(&mut self) {
        self.answers.lock().remove(&self.nonce);
    }
}
