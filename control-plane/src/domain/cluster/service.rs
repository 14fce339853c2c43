//! What the other parts need of the other control planes.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, oneshot};

use super::store::{self, NewCall};
use super::{Call, Holder, Instance, To};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::events::Topic;
use crate::ids::{CallId, InstanceId, ServerId};

/// Questions to other control planes that may be open at once; whoever comes then waits for its turn.
const ASKING_MAX: usize = 64;
/// What is told and not yet written down; beyond it the oldest is forgotten.
const POSTS_MAX: usize = 1024;
/// How long something that was only told is of use.
const TOLD_LIFE: Duration = Duration::from_secs(30);
/// An answer may need so much longer than the agent.
const ANSWER_SLACK: Duration = Duration::from_secs(2);
/// Calls that are taken at once.
const TAKE_MAX: u32 = 64;
/// A control plane that was not seen for so long is not shown any more.
const FORGET_AFTER: Duration = Duration::from_hours(24);

/// The control planes over this database, seen from this one.
pub struct Service {
    db: Db,
    clock: Clock,
    instance: InstanceId,
    name: String,
    internal_url: String,
    started_at: Ms,
    /// Whoever is silent for longer is dead.
    lease: Duration,
    asking: Semaphore,
    waiting: Mutex<HashMap<CallId, oneshot::Sender<Value>>>,
    posts: Mutex<VecDeque<Post>>,
}

struct Post {
    server: ServerId,
    to: To,
    request: Value,
}

impl Service {
    /// For this control plane, `instance`, which the others reach at `internal_url`, if that is not empty. One that is silent for
    /// longer than `lease` is taken for dead.
    #[must_use]
    pub fn new(db: Db, clock: Clock, instance: InstanceId, lease: Duration, internal_url: String) -> Self {
        let started_at = clock.now();
        let asking = Semaphore::new(ASKING_MAX);
        Self {
            name: name(),
            db,
            clock,
            instance,
            internal_url,
            started_at,
            lease,
            asking,
            waiting: Mutex::default(),
            posts: Mutex::default(),
        }
    }

    /// Whether there can be no other control plane.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.db.is_embedded()
    }

    /// Sets the clock by the database's, which is the same for all.
    pub async fn clock_follow(&self) -> Result<()> {
        if let Some(time) = self.db.time().await? {
            self.clock.follow(time);
        }
        Ok(())
    }

    /// Says that this one is alive, and clears away what nobody waits for.
    pub async fn instance_seen(&self) -> Result<()> {
        self.clock_follow().await?;
        let now = self.clock.now();
        let instance = Instance {
            id: self.instance,
            name: self.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            internal_url: self.internal_url.clone(),
            started_at: self.started_at,
            seen_at: now,
        };
        let mut tx = self.db.begin().await?;
        store::instance_seen(&mut tx, &instance).await?;
        store::instances_prune(&mut tx, now.minus(FORGET_AFTER)).await?;
        store::calls_prune(&mut tx, now).await?;
        tx.commit().await
    }

    /// Says that this one is no more: the others take over at once.
    pub async fn instance_gone(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        store::instance_delete(&mut tx, self.instance).await?;
        tx.wake(Topic::Jobs);
        tx.commit().await
    }

    /// The control planes of this database, those that died a short while ago included.
    pub async fn instance_list(&self) -> Result<Vec<Instance>> {
        store::instances(self.db.read().await?.conn()).await
    }

    /// A control plane of this database.
    pub async fn instance_get(&self, instance: InstanceId) -> Result<Option<Instance>> {
        store::instance_get(self.db.read().await?.conn(), instance).await
    }

    /// Whether a control plane is certainly not this one and, as far as anybody can tell, no more. What it writes late has to be
    /// fenced nevertheless: it may only stand still.
    pub async fn is_dead(&self, conn: Conn<'_>, instance: InstanceId) -> Result<bool> {
        if instance == self.instance {
            return Ok(false);
        }
        // An embedded database has no other process: the other was an earlier one.
        Ok(self.is_alone() || !store::instance_is_alive(conn, instance, self.alive()).await?)
    }

    /// Where the session of a server's agent is.
    pub async fn holder(&self, server: ServerId) -> Result<Holder> {
        session_holder(self.db.read().await?.conn(), server, self.instance, self.alive()).await
    }

    /// Asks another control plane something about a server's agent and waits for its answer. `Unavailable`: there was none
    /// `within` so long and a little more.
    pub async fn ask(&self, holder: InstanceId, server: ServerId, request: &Value, within: Duration) -> Result<Value> {
        let patience = within + ANSWER_SLACK;
        let late = || Error::unavailable("the control plane that holds the agent's session did not answer in time");
        let (answer_in, answer) = oneshot::channel();
        let id = CallId::generate();
        let asked = async {
            let _turn = self.asking.acquire().await.map_err(Error::internal)?;
            let expires_at = self.clock.now().plus(patience);
            let call = NewCall { server, to: To::Holder, request, expires_at };
            self.waiting().insert(id, answer_in);
            let mut tx = self.db.begin().await?;
            store::call_insert(&mut tx, id, self.instance, holder, &call).await?;
            tx.wake(Topic::Calls);
            tx.commit().await?;
            answer.await.map_err(|_| late())
        };
        let _forgotten = Forget { service: self, id };
        tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| Err(late()))
    }

    /// Tells another control plane, or all of them, something about a server's agent, soon and without an answer.
    pub fn post(&self, server: ServerId, to: To, request: Value) {
        if self.is_alone() {
            return;
        }
        let mut posts = self.posts();
        if posts.len() == POSTS_MAX {
            posts.pop_front();
            metrics::counter!("mpanel_agent_calls_dropped_total").increment(1);
        }
        posts.push_back(Post { server, to, request });
        drop(posts);
        self.db.wakes().wake_here(Topic::Calls);
    }

    /// Sends what is to be told, hands out answers, and takes what others ask; each of it is to be answered with
    /// [`Service::answer`].
    pub async fn exchange(&self) -> Result<Vec<Call>> {
        let posts: Vec<Post> = self.posts().drain(..).collect();
        if posts.is_empty() && !store::any_for(self.db.read().await?.conn(), self.instance).await? {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        for Post { server, to, request } in &posts {
            let call = NewCall { server: *server, to: *to, request, expires_at: now.plus(TOLD_LIFE) };
            for holder in store::addressees(tx.conn(), &call, self.instance, self.alive()).await? {
                store::call_insert(&mut tx, CallId::generate(), self.instance, holder, &call).await?;
                tx.wake(Topic::Calls);
            }
        }
        let answers = store::answers_take(&mut tx, self.instance).await?;
        let calls = store::calls_take(&mut tx, self.instance, now, TAKE_MAX).await?;
        tx.commit().await?;
        let mut waiting = self.waiting();
        for (id, answer) in answers {
            if let Some(asker) = waiting.remove(&id) {
                // Whoever asked may have gone away.
                drop(asker.send(answer));
            }
        }
        Ok(calls)
    }

    /// Answers a call.
    pub async fn answer(&self, call: CallId, answer: &Value) -> Result<()> {
        let mut tx = self.db.begin().await?;
        if store::call_answer(&mut tx, call, answer).await? {
            tx.wake(Topic::Calls);
        }
        tx.commit().await
    }

    fn alive(&self) -> Ms {
        self.clock.now().minus(self.lease)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<CallId, oneshot::Sender<Value>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn posts(&self) -> MutexGuard<'_, VecDeque<Post>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a question off the list, also when whoever asked went away.
struct Forget<'a> {
    service: &'a Service,
    id: CallId,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.service.waiting().remove(&self.id);
    }
}

/// Where the session of a server's agent is, seen from `own`; a control plane that was not seen after `alive` is dead.
pub async fn session_holder(conn: Conn<'_>, server: ServerId, own: InstanceId, alive: Ms) -> Result<Holder> {
    store::holder(conn, server, own, alive).await
}

/// The machine's name and the process's number.
fn name() -> String {
    let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}
