//! Runs the control plane's commands: each exactly once, one at a time per VM, whatever fails in between.
//!
//! What is promised is in the ledger before it is promised. A lost session changes nothing here: commands go on, results wait until the
//! control plane acknowledges them. After a restart of the agent a task that runs in Proxmox is followed to its end; nothing new is
//! begun before the control plane has repeated the command, because it may have thought better of it meanwhile.

mod fence;
#[cfg(test)]
mod fence_tests;
mod progress;
mod queue;
#[cfg(test)]
mod tests;
mod worker;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use proto::agent::v1 as wire;
use proto::agent::v1::agent_message::Body;
use proto::agent::v1::{
    AgentMessage, CommandAccepted, CommandResult, LedgerEntry, RunCommand, command_result::Outcome, run_command::Kind,
};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::clock::{Offset, instant_of, now_ms};
use crate::convert::{Job, Refusal, job_of, kind_name};
use crate::fault;
use crate::ledger::{Entry, Ledger, Opened, Public, State};
use crate::proxmox::Hypervisor;

pub use progress::Uplink;
use queue::Queues;

/// A command without a deadline is given up after this.
const DEADLINE_DEFAULT_MS: i64 = 24 * 3_600_000;
/// A repeated deadline that differs by less is the same: the control plane's clock is known only as far as a message takes to come.
const DEADLINE_JITTER: Duration = Duration::from_secs(1);
/// Acknowledged entries are kept this long, and this many.
const ACKNOWLEDGED_MS_MAX: i64 = 24 * 3_600_000;
const ACKNOWLEDGED_MAX: usize = 1_000;
/// A result that nobody acknowledged for this long belongs to a control plane that has forgotten it.
const UNCLAIMED_MS_MAX: i64 = 30 * 24 * 3_600_000;

/// So much later than the ledger a command may seem to be made by the control plane's clock, as that is known only as far as a message
/// takes to come, and still be older.
const BORN_MARGIN_MS: i64 = 1_000;

/// Runs commands. Clones are the same executor.
#[derive(Clone)]
pub struct Executor(Arc<Shared>);

/// How much is done at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Commands worked on.
    pub at_once: usize,
    /// Commands open.
    pub open_max: usize,
}

struct Shared {
    hypervisor: Arc<dyn Hypervisor>,
    ledger: Ledger,
    offset: Arc<Offset>,
    open_max: usize,
    commands: Mutex<HashMap<Uuid, Command>>,
    /// Held over a change and its commit, so that the disk never holds an older state than memory.
    changing: tokio::sync::Mutex<()>,
    /// What could not be written and shall be as soon as the ledger is well again.
    unsaved: Mutex<HashSet<Uuid>>,
    queues: Arc<Queues>,
    uplink: Uplink,
    results: watch::Sender<u64>,
    touched: Notify,
    /// The agent ends: nothing new is begun, what runs in Proxmox is left to run.
    stopping: CancellationToken,
    /// The time for an orderly end is over.
    halt: CancellationToken,
    tasks: TaskTracker,
}

/// A command in memory: as in the ledger, and who works on it.
struct Command {
    entry: Entry,
    live: Option<Live>,
}

/// The handle on a command that is worked on.
#[derive(Clone)]
struct Live {
    cancel: CancellationToken,
    /// The whole parameters; after a restart `None` until the control plane repeats them.
    job: watch::Sender<Option<Job>>,
    /// When it is given up; a repetition may move it. By the monotonic clock, as the host's may be set meanwhile.
    deadline: watch::Sender<Instant>,
}

impl Live {
    /// Waits until the deadline has passed, wherever it is moved to.
    async fn expired(&self) {
        let mut deadline = self.deadline.subscribe();
        loop {
            let at = *deadline.borrow_and_update();
            tokio::select! {
                () = sleep_until(at) => return,
                // It cannot be closed: the sender is in `self`.
                _ = deadline.changed() => {}
            }
        }
    }
}

impl Executor {
    /// Starts with what the ledger holds: goes on with what was open.
    pub fn start(
        hypervisor: Arc<dyn Hypervisor>,
        ledger: Ledger,
        opened: Opened,
        offset: Arc<Offset>,
        limits: Limits,
    ) -> Self {
        let shared = Shared {
            hypervisor,
            ledger,
            offset,
            open_max: limits.open_max,
            commands: Mutex::default(),
            changing: tokio::sync::Mutex::new(()),
            unsaved: Mutex::default(),
            queues: Queues::new(limits.at_once),
            uplink: Uplink::default(),
            results: watch::Sender::new(0),
            touched: Notify::new(),
            stopping: CancellationToken::new(),
            halt: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let executor = Self(Arc::new(shared));
        executor.resume(opened.entries);
        executor
    }

    fn resume(&self, mut entries: Vec<Entry>) {
        // What Proxmox works on comes before what waits.
        entries.sort_by_key(|entry| {
            (Reverse(matches!(entry.state, State::Started { .. } | State::Called { .. })), entry.accepted_ms)
        });
        for entry in entries {
            if entry.is_open() {
                info!(command = %entry.id, kind = ?entry.command, vmid = entry.vmid, "goes on after a restart");
                self.recall(&entry);
                let deadline = instant_of(entry.deadline_ms);
                self.0.adopt(entry, None, deadline);
            } else {
                self.0.commands().insert(entry.id, Command { entry, live: None });
            }
        }
    }

    /// A call that makes a VM and whose answer was not written down may still be carried out.
    fn recall(&self, entry: &Entry) {
        let makes_a_vm = matches!(entry.command.command().kind, Some(Kind::Clone(_) | Kind::RestoreBackup(_)));
        if let (State::Called { at_ms }, true) = (&entry.state, makes_a_vm) {
            let called = Duration::from_millis(u64::try_from(now_ms().saturating_sub(*at_ms)).unwrap_or(0));
            self.0.hypervisor.may_come(entry.vmid, called);
        }
    }

    /// Takes a command on, or answers a repeated one. Returns what to tell the control plane.
    pub async fn run(&self, command: RunCommand) -> Option<AgentMessage> {
        if self.0.stopping.is_cancelled() {
            // The control plane repeats it in the next session.
            return None;
        }
        let job = match job_of(&command) {
            Ok(job) => job,
            Err(refusal) => return Some(refused(&command, refusal)),
        };
        match self.repeated(&command, &job).await {
            Some(Ok(answer)) => return Some(answer),
            Some(Err(refusal)) => return Some(refused(&command, refusal)),
            None => {}
        }
        Some(match self.accept(&command, job).await {
            Ok(entry) => accepted(&entry),
            Err(refusal) => refused(&command, refusal),
        })
    }

    async fn accept(&self, command: &RunCommand, job: Job) -> Result<Entry, Refusal> {
        let shared = &self.0;
        if shared.commands().values().filter(|c| !matches!(c.entry.state, State::Acknowledged { .. })).count()
            >= shared.open_max
        {
            let message = format!("{} commands are open on this agent already", shared.open_max);
            return Err(Refusal { kind: wire::ErrorKind::Unavailable, message });
        }
        let refuse = |message| Refusal { kind: wire::ErrorKind::Ledger, message };
        if shared.ledger.error().is_some() {
            self.revive().await;
        }
        if let Some(error) = shared.ledger.error() {
            return Err(refuse(error));
        }
        let entry = shared.new_entry(command, &job);
        // A ledger that is begun anew meanwhile is written from memory: what is on disk must be there.
        let _order = shared.changing.lock().await;
        fault::point("before-ledger-accept");
        shared.ledger.write(entry.clone()).await.map_err(refuse)?;
        fault::point("after-ledger-accept");
        info!(command = %entry.id, kind = kind_name(command), vmid = entry.vmid, pod = %entry.pod_id, "accepted");
        shared.adopt(entry.clone(), Some(job), shared.deadline(command.deadline_ms));
        Ok(entry)
    }

    /// A command whose id is known: it is not run again. Its epoch is raised; when it is over, its result is told again.
    async fn repeated(&self, command: &RunCommand, job: &Job) -> Option<Result<AgentMessage, Refusal>> {
        let shared = &self.0;
        let (known, live) = {
            let commands = shared.commands();
            let found = commands.get(&job.id)?;
            (found.entry.clone(), found.live.clone())
        };
        if (known.pod_id, known.vmid) != (job.target.pod_id, job.target.vmid)
            || kind_name(known.command.command()) != kind_name(command)
        {
            let message = format!("command_id: {} is already that of another command", job.id);
            return Some(Err(Refusal { kind: wire::ErrorKind::BadParameter, message }));
        }
        let waits = live.as_ref().is_some_and(|live| live.job.borrow().is_none());
        let deadline = live.as_ref().filter(|_| command.epoch >= known.epoch).and_then(|live| {
            let deadline = shared.deadline(command.deadline_ms);
            let before = *live.deadline.borrow();
            let moved = before.max(deadline) - before.min(deadline) > DEADLINE_JITTER;
            ((command.deadline_ms != 0 && moved) || waits).then_some(deadline)
        });
        if command.epoch > known.epoch || deadline.is_some() {
            let deadline_ms = shared.deadline_ms(command.deadline_ms);
            shared
                .change(job.id, |entry| {
                    entry.epoch = entry.epoch.max(command.epoch);
                    if deadline.is_some() {
                        entry.deadline_ms = deadline_ms;
                    }
                })
                .await;
        }
        if let Some(live) = live {
            if let Some(deadline) = deadline {
                live.deadline.send_replace(deadline);
            }
            if waits {
                live.job.send_replace(Some(job.clone()));
            }
        }
        let entry = shared.entry(job.id).unwrap_or(known);
        Some(Ok(match entry.result() {
            Some(_) => result_message(&entry)?,
            None => accepted(&entry),
        }))
    }

    /// Aborts a command. What it did is not undone. A newer claim raises the command's epoch, as its repetition would. Returns an answer
    /// where nothing else will: the result of what is over, and that nothing was aborted where nothing is known.
    pub async fn cancel(&self, command_id: &str, epoch: u64) -> Option<AgentMessage> {
        let shared = &self.0;
        let Some(known) = Uuid::parse_str(command_id).ok().and_then(|id| shared.entry(id)) else {
            return Some(unknown_cancelled(command_id, epoch));
        };
        if epoch < known.epoch {
            warn!(command = %known.id, epoch, newest = known.epoch, "a cancellation of an older claim is ignored");
            return None;
        }
        if epoch > known.epoch {
            shared.change(known.id, |entry| entry.epoch = entry.epoch.max(epoch)).await;
        }
        let (entry, live) = {
            let commands = shared.commands();
            let found = commands.get(&known.id)?;
            (found.entry.clone(), found.live.clone())
        };
        if entry.result().is_some() {
            return result_message(&entry);
        }
        if let Some(live) = live {
            info!(command = %entry.id, "is cancelled");
            live.cancel.cancel();
        }
        None
    }

    /// The control plane knows the result under this epoch: it need not be told again. The log stays with it: an acknowledgement also
    /// says that a result counted for nothing, and then it is asked for again.
    pub async fn acknowledge(&self, command_id: &str, epoch: u64) {
        let Ok(id) = Uuid::parse_str(command_id) else { return };
        let shared = &self.0;
        let Some(entry) = shared.entry(id) else { return };
        if epoch < entry.epoch || !matches!(entry.state, State::Finished(_)) {
            return;
        }
        let acknowledge = |entry: &mut Entry| {
            // A newer claim may have come between.
            if let State::Finished(result) = &entry.state
                && epoch >= entry.epoch
            {
                entry.state = State::Acknowledged { at_ms: now_ms(), result: result.clone() };
            }
        };
        shared.change(id, acknowledge).await;
        let acknowledged = shared.commands().values().filter(|c| is_acknowledged(&c.entry)).count();
        if acknowledged > ACKNOWLEDGED_MAX + ACKNOWLEDGED_MAX / 10 {
            self.prune().await;
        }
    }

    /// Forgets what has been acknowledged for long, and what nobody asked for in a month.
    pub async fn prune(&self) {
        let now = now_ms();
        let gone = {
            let commands = self.0.commands();
            let mut acknowledged = Vec::new();
            let mut gone = Vec::new();
            for (id, command) in commands.iter() {
                match &command.entry.state {
                    State::Acknowledged { at_ms, .. } => acknowledged.push((Reverse(*at_ms), *id)),
                    State::Finished(result) if now - result.finished_ms > UNCLAIMED_MS_MAX => gone.push(*id),
                    State::Finished(_) | State::Accepted | State::Called { .. } | State::Started { .. } => {}
                }
            }
            acknowledged.sort_unstable();
            let old = |place: usize, at_ms: i64| place >= ACKNOWLEDGED_MAX || now - at_ms > ACKNOWLEDGED_MS_MAX;
            let old = acknowledged.iter().enumerate().filter(|(place, (at, _))| old(*place, at.0));
            gone.extend(old.map(|(_, (_, id))| *id));
            gone
        };
        if gone.is_empty() {
            return;
        }
        match self.0.ledger.remove(gone.clone()).await {
            Ok(()) => {
                let mut commands = self.0.commands();
                for id in gone {
                    commands.remove(&id);
                }
            }
            Err(cause) => warn!(%cause, "old commands could not be removed from the ledger; tried again later"),
        }
    }

    /// Every command that was accepted and not acknowledged.
    pub fn open(&self) -> Vec<LedgerEntry> {
        let commands = self.0.commands();
        let open = commands.values().map(|command| &command.entry).filter(|entry| !is_acknowledged(entry));
        open.map(|entry| LedgerEntry {
            command_id: entry.id.to_string(),
            epoch: entry.epoch,
            finished: entry.result().is_some(),
        })
        .collect()
    }

    /// The results that wait for their acknowledgement, each with its id and epoch.
    pub fn results(&self) -> Vec<(Uuid, u64, AgentMessage)> {
        let commands = self.0.commands();
        let finished = commands.values().filter(|command| matches!(command.entry.state, State::Finished(_)));
        finished.filter_map(|c| Some((c.entry.id, c.entry.epoch, result_message(&c.entry)?))).collect()
    }

    /// Changes whenever there is a new result.
    pub fn results_changed(&self) -> watch::Receiver<u64> {
        self.0.results.subscribe()
    }

    /// Waits until a command has changed something.
    pub async fn touched(&self) {
        self.0.touched.notified().await;
    }

    /// Where progress goes.
    pub fn uplink(&self) -> &Uplink {
        &self.0.uplink
    }

    /// The ledger, to tell how it is.
    pub fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    /// Tries a ledger that failed again; says whether it brought up commands that were not known.
    pub async fn revive(&self) -> bool {
        let opened = {
            let _order = self.0.changing.lock().await;
            let known = self.0.commands().values().map(|command| command.entry.clone()).collect();
            let opened = self.0.ledger.revive(known).await;
            if self.0.ledger.error().is_some() {
                return false;
            }
            self.0.unsaved.lock().unwrap_or_else(PoisonError::into_inner).clear();
            opened
        };
        let Some(opened) = opened else { return false };
        let known: HashSet<Uuid> = self.0.commands().keys().copied().collect();
        let entries: Vec<Entry> = opened.entries.into_iter().filter(|entry| !known.contains(&entry.id)).collect();
        let is_news = !entries.is_empty();
        self.resume(entries);
        is_news
    }

    /// Ends in order: begins nothing, leaves to Proxmox what runs there, and waits, at most `grace`, for calls and writes under way.
    pub async fn stop(&self, grace: Duration) {
        let shared = &self.0;
        shared.stopping.cancel();
        shared.tasks.close();
        if tokio::time::timeout(grace, shared.tasks.wait()).await.is_err() {
            warn!("calls to Proxmox are still under way; after the restart it is looked up what became of them");
            shared.halt.cancel();
            shared.tasks.wait().await;
        }
    }
}

impl Shared {
    fn commands(&self) -> MutexGuard<'_, HashMap<Uuid, Command>> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn entry(&self, id: Uuid) -> Option<Entry> {
        self.commands().get(&id).map(|command| command.entry.clone())
    }

    fn new_entry(&self, command: &RunCommand, job: &Job) -> Entry {
        Entry {
            id: job.id,
            epoch: command.epoch,
            pod_id: job.target.pod_id,
            vmid: job.target.vmid,
            command: Public::of(command),
            accepted_ms: now_ms(),
            deadline_ms: self.deadline_ms(command.deadline_ms),
            state: self.maybe_begun(job.id).map_or(State::Accepted, |at_ms| State::Called { at_ms }),
            fenced: false,
        }
    }

    /// A command that was made before the ledger was begun may have been begun, and forgotten with the ledger of before: when, at the
    /// earliest.
    fn maybe_begun(&self, id: Uuid) -> Option<i64> {
        let (seconds, nanos) = id.get_timestamp()?.to_unix();
        let made_ms = i64::try_from(seconds).ok()?.checked_mul(1000)?.checked_add(i64::from(nanos / 1_000_000))?;
        let made_ms = self.offset.to_host_ms(made_ms);
        (made_ms <= self.ledger.born_ms().saturating_add(BORN_MARGIN_MS)).then_some(made_ms)
    }

    fn deadline_ms(&self, control_plane_ms: i64) -> i64 {
        match control_plane_ms {
            0 => now_ms().saturating_add(DEADLINE_DEFAULT_MS),
            ms => self.offset.to_host_ms(ms),
        }
    }

    fn deadline(&self, control_plane_ms: i64) -> Instant {
        match control_plane_ms {
            0 => Instant::now() + Duration::from_millis(DEADLINE_DEFAULT_MS.unsigned_abs()),
            ms => self.offset.instant_of(ms),
        }
    }

    /// Puts a task to work on an open command.
    fn adopt(self: &Arc<Self>, entry: Entry, job: Option<Job>, deadline: Instant) {
        let live = Live {
            cancel: CancellationToken::new(),
            job: watch::Sender::new(job),
            deadline: watch::Sender::new(deadline),
        };
        if entry.fenced {
            live.cancel.cancel();
        }
        let ticket = self.queues.join(entry.vmid, entry.id);
        let id = entry.id;
        self.commands().insert(id, Command { entry, live: Some(live.clone()) });
        self.tasks.spawn(worker::work(self.clone(), id, live, ticket));
    }

    /// Changes an entry, on disk first. When the disk refuses, it is changed in memory all the same: what happened has happened.
    async fn change(&self, id: Uuid, change: impl FnOnce(&mut Entry)) -> bool {
        let _order = self.changing.lock().await;
        let Some(mut entry) = self.entry(id) else { return true };
        change(&mut entry);
        let written = self.ledger.write(entry.clone()).await;
        if let Some(command) = self.commands().get_mut(&id) {
            command.entry = entry;
        }
        let mut unsaved = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        match written {
            Ok(()) => {
                unsaved.remove(&id);
                true
            }
            Err(cause) => {
                error!(command = %id, %cause, "the ledger could not be written; the command goes on");
                unsaved.insert(id);
                false
            }
        }
    }
}

fn is_acknowledged(entry: &Entry) -> bool {
    matches!(entry.state, State::Acknowledged { .. })
}

/// An agent's message.
pub(crate) fn message(body: Body) -> AgentMessage {
    AgentMessage { body: Some(body) }
}

fn accepted(entry: &Entry) -> AgentMessage {
    message(Body::Accepted(CommandAccepted { command_id: entry.id.to_string(), epoch: entry.epoch }))
}

fn result_message(entry: &Entry) -> Option<AgentMessage> {
    let result = entry.result()?.clone();
    Some(message(Body::Result(CommandResult { epoch: entry.epoch, ..result })))
}

fn unknown_cancelled(command_id: &str, epoch: u64) -> AgentMessage {
    let error = wire::CommandError {
        kind: wire::ErrorKind::Cancelled.into(),
        message: "this agent knows of no such command: nothing was aborted".to_owned(),
        ..wire::CommandError::default()
    };
    message(Body::Result(CommandResult {
        command_id: command_id.to_owned(),
        epoch,
        finished_ms: now_ms(),
        cancelled: true,
        outcome: Some(Outcome::Error(error)),
        ..CommandResult::default()
    }))
}

fn refused(command: &RunCommand, refusal: Refusal) -> AgentMessage {
    warn!(command = %command.command_id, kind = kind_name(command), cause = %refusal.message, "refused");
    let error = wire::CommandError {
        kind: refusal.kind.into(),
        message: refusal.message,
        upid: String::new(),
        presence: wire::Presence::Unknown.into(),
    };
    message(Body::Result(CommandResult {
        command_id: command.command_id.clone(),
        epoch: command.epoch,
        started_ms: now_ms(),
        finished_ms: now_ms(),
        outcome: Some(Outcome::Error(error)),
        ..CommandResult::default()
    }))
}
