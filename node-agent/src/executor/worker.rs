//! Works on one command from where the ledger says it stands to its end.

use std::sync::Arc;
use std::time::Duration;

use proto::agent::v1 as wire;
use proto::agent::v1::{CommandResult, command_result::Outcome};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use uuid::Uuid;

use super::progress::{Reporter, cut};
use super::queue::Ticket;
use super::{Live, Shared};
use crate::backoff_policy::Backoff;
use crate::clock::now_ms;
use crate::convert::{self, Action, Job};
use crate::fault;
use crate::ledger::{Entry, State};
use crate::proxmox::{Begun, ErrorKind, Outcome as Done, Presence, Progress, PveError, Request, TaskEnd, Upid, Watch};

/// Lines of a task's log in a result.
const LOG_LINES_MAX: usize = 50;
/// How often a VM is looked at after its command, when Proxmox does not answer at once.
const LOOKS_MAX: usize = 4;

/// So long after a call it may still wait in Proxmox for a worker to begin it.
const CALL_QUEUED_MAX: Duration = Duration::from_mins(1);
const IN_DOUBT: &str =
    "it could not be found out whether the call of before the agent's restart was carried out, so it was not repeated";

/// Why a call need not be made again.
enum Settled {
    /// The task that it started is known.
    Started,
    /// The command is over.
    Ended(PveError),
}

impl Settled {
    fn verdict(self) -> Option<Verdict> {
        match self {
            Self::Started => None,
            Self::Ended(error) => Some(Err(error)),
        }
    }
}

/// Why a worker ends without a result.
struct Left;

/// What came of a command.
type Verdict = Result<Done, PveError>;

/// One command under work.
struct Work<'a> {
    shared: &'a Shared,
    id: Uuid,
    live: &'a Live,
    reporter: &'a Reporter,
    /// A place in the VM's queue; none while the command waits for the control plane.
    ticket: Option<Ticket>,
    /// It was looked up what an interrupted call to Proxmox has started: nothing.
    looked_up: bool,
    /// The ledger could not be written, so nothing was begun.
    ledger_refused: bool,
    upid: Option<Upid>,
    warnings: Vec<String>,
    log: Vec<String>,
}

pub(super) async fn work(shared: Arc<Shared>, id: Uuid, live: Live, ticket: Ticket) {
    let reporter = Reporter::new(id.to_string());
    let mut work = Work {
        shared: &shared,
        id,
        live: &live,
        reporter: &reporter,
        ticket: Some(ticket),
        looked_up: false,
        ledger_refused: false,
        upid: None,
        warnings: Vec::new(),
        log: Vec::new(),
    };
    let epoch = || shared.entry(id).map(|entry| entry.epoch);
    tokio::select! {
        () = work.run() => {}
        never = reporter.run(&shared.uplink, epoch) => match never {},
        () = shared.halt.cancelled() => {}
    }
}

impl Work<'_> {
    async fn run(&mut self) {
        if let Ok(verdict) = self.attend().await {
            self.conclude(verdict).await;
        }
    }

    /// From state to state until there is a verdict.
    async fn attend(&mut self) -> Result<Verdict, Left> {
        loop {
            let entry = self.shared.entry(self.id).ok_or(Left)?;
            let next = match entry.state.clone() {
                State::Finished(_) | State::Acknowledged { .. } => return Err(Left),
                State::Started { upid, step, .. } => self.follow(&entry, upid, step).await?,
                State::Called { at_ms } if !self.looked_up => self.look_up(&entry, at_ms).await?,
                State::Called { .. } | State::Accepted => self.begin().await?,
            };
            if let Some(verdict) = next {
                return Ok(verdict);
            }
        }
    }

    /// Waits for the turn at the VM.
    async fn turn(&mut self, vmid: u32) -> Result<(), Left> {
        let ticket = self.ticket.get_or_insert_with(|| self.shared.queues.join(vmid, self.id));
        tokio::select! {
            biased;
            () = self.shared.stopping.cancelled() => Err(Left),
            () = ticket.turn() => Ok(()),
        }
    }

    /// As [`Self::turn`], but not longer than until the command is cancelled or its deadline passes: to ask Proxmox what a command has
    /// started, and to end that, needs no turn.
    async fn turn_or_end(&mut self, vmid: u32) -> Result<(), Left> {
        let live = self.live;
        tokio::select! {
            biased;
            turn = self.turn(vmid) => turn,
            () = live.cancel.cancelled() => Ok(()),
            () = live.expired() => Ok(()),
        }
    }

    /// The whole parameters. After a restart they come with the command's repetition; until then others may have the VM.
    async fn job(&mut self) -> Result<Result<Job, PveError>, Left> {
        let mut jobs = self.live.job.subscribe();
        if let Some(job) = jobs.borrow().clone() {
            return Ok(Ok(job));
        }
        self.ticket = None;
        self.reporter.silent(true);
        info!(command = %self.id, "waits for the control plane to repeat it");
        let waited = tokio::select! {
            biased;
            () = self.shared.stopping.cancelled() => return Err(Left),
            () = self.live.cancel.cancelled() => Err(cancelled()),
            job = jobs.wait_for(Option::is_some) => job.map_err(|_| Left)?.clone().ok_or_else(cancelled),
            () = self.live.expired() => Err(PveError::new(
                ErrorKind::Deadline,
                "the agent was restarted, and the control plane did not repeat the command before its deadline",
            )),
        };
        self.reporter.silent(false);
        Ok(waited)
    }

    /// Calls Proxmox.
    async fn begin(&mut self) -> Result<Option<Verdict>, Left> {
        let job = match self.job().await? {
            Ok(job) => job,
            Err(error) => return Ok(Some(Err(error))),
        };
        let entry = self.shared.entry(self.id).ok_or(Left)?;
        let live = self.live;
        tokio::select! {
            biased;
            () = live.cancel.cancelled() => return Ok(Some(Err(cancelled()))),
            () = live.expired() => return Ok(Some(Err(too_late()))),
            turn = self.turn(entry.vmid) => turn?,
        }
        let Some(request) = job.request() else {
            return self.watch_only(&job).await.map(Some);
        };
        if let State::Called { at_ms } = entry.state
            && !request.operation.is_repeatable()
            && let Some(next) = self.settle(&request, at_ms).await?
        {
            return Ok(next.verdict());
        }
        let called_ms = now_ms();
        if !self.shared.change(self.id, |entry| entry.state = State::Called { at_ms: called_ms }).await {
            let cause = self.shared.ledger.error().unwrap_or_default();
            self.ledger_refused = true;
            return Ok(Some(Err(PveError::new(
                ErrorKind::Unavailable,
                format!("the agent's ledger cannot be written, so nothing was begun: {cause}"),
            ))));
        }
        let begun = self.shared.hypervisor.begin(&request).await;
        fault::point("after-proxmox-call");
        match begun {
            Ok(Begun::Done) => self.look(&request).await.map(Some),
            Ok(Begun::Task(upid)) => self.started(upid, false, called_ms).await,
            Ok(Begun::Step(upid)) => self.started(upid, true, called_ms).await,
            Err(error) => self.begin_failed(&request, error, called_ms).await,
        }
    }

    /// Before what must not be done twice is begun again after a restart: Proxmox may have taken the call of before and not have begun it
    /// yet, so it is asked until a call can be queued no longer. Where that cannot be found out, nothing is begun.
    async fn settle(&mut self, request: &Request, at_ms: i64) -> Result<Option<Settled>, Left> {
        let called_ms = at_ms.max(self.shared.ledger.born_ms());
        let left = CALL_QUEUED_MAX
            .saturating_sub(Duration::from_millis(u64::try_from(now_ms().saturating_sub(called_ms)).unwrap_or(0)));
        let settled = Instant::now() + left;
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));
        loop {
            let found = self.shared.hypervisor.find_task(request, at_ms).await;
            if let Ok(Some(upid)) = found {
                self.started(upid, false, at_ms).await?;
                return Ok(Some(Settled::Started));
            }
            if Instant::now() >= settled {
                let Err(error) = found else { return Ok(None) };
                return Ok(Some(Settled::Ended(PveError::new(ErrorKind::Lost, format!("{IN_DOUBT}: {error}")))));
            }
            tokio::select! {
                biased;
                () = self.shared.stopping.cancelled() => return Err(Left),
                () = self.live.cancel.cancelled() => {
                    return Ok(Some(Settled::Ended(PveError::new(ErrorKind::Cancelled, IN_DOUBT))));
                }
                () = self.live.expired() => return Ok(Some(Settled::Ended(PveError::new(ErrorKind::Lost, IN_DOUBT)))),
                () = sleep(backoff.next_wait().min(settled.saturating_duration_since(Instant::now()))) => {}
            }
        }
    }

    /// A call that may have started something in spite of its failure is looked up before it is called a failure.
    async fn begin_failed(
        &mut self,
        request: &Request,
        error: PveError,
        called_ms: i64,
    ) -> Result<Option<Verdict>, Left> {
        if !matches!(error.kind, ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Lost) {
            return Ok(Some(Err(error)));
        }
        match self.shared.hypervisor.find_task(request, called_ms).await {
            Ok(Some(upid)) => {
                info!(command = %self.id, %upid, "the call failed ({error}), but its task was started");
                self.started(upid, request.operation.is_repeatable(), called_ms).await
            }
            Ok(None) => Ok(Some(Err(error))),
            Err(second) => {
                warn!(command = %self.id, cause = %second, "it could not be looked up whether the call had started a task");
                Ok(Some(Err(error)))
            }
        }
    }

    async fn started(&mut self, upid: Upid, step: bool, called_ms: i64) -> Result<Option<Verdict>, Left> {
        info!(command = %self.id, %upid, "started");
        self.shared.change(self.id, |entry| entry.state = State::Started { upid, step, called_ms }).await;
        fault::point("after-upid");
        Ok(None)
    }

    /// After a restart: what did the call that was under way start?
    async fn look_up(&mut self, entry: &Entry, at_ms: i64) -> Result<Option<Verdict>, Left> {
        self.turn_or_end(entry.vmid).await?;
        let Some(request) = public_request(entry) else {
            self.looked_up = true;
            return Ok(None);
        };
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(10));
        loop {
            let error = match self.shared.hypervisor.find_task(&request, at_ms).await {
                Ok(Some(upid)) => return self.started(upid, request.operation.is_repeatable(), at_ms).await,
                Ok(None) => {
                    self.looked_up = true;
                    return Ok(None);
                }
                Err(error) => error,
            };
            let text =
                || format!("it could not be found out whether the command had begun before the restart: {error}");
            let wait = backoff.next_wait();
            if Instant::now() + wait >= *self.live.deadline.borrow() {
                return Ok(Some(Err(PveError { message: text(), ..error })));
            }
            warn!(command = %self.id, cause = %error, "Proxmox does not tell what runs; asked again");
            tokio::select! {
                biased;
                () = self.shared.stopping.cancelled() => return Err(Left),
                () = self.live.cancel.cancelled() => {
                    return Ok(Some(Err(PveError::new(ErrorKind::Cancelled, text()))));
                }
                () = sleep(wait) => {}
            }
        }
    }

    /// Follows a task to its end. That needs no more than the ledger holds.
    async fn follow(&mut self, entry: &Entry, upid: Upid, step: bool) -> Result<Option<Verdict>, Left> {
        self.turn_or_end(entry.vmid).await?;
        let job = self.live.job.borrow().clone();
        let Some(request) = job.as_ref().and_then(Job::request).or_else(|| public_request(entry)) else {
            let text = format!("the ledger does not tell what {upid} was started for");
            return Ok(Some(Err(PveError::new(ErrorKind::Lost, text))));
        };
        self.reporter.task(upid.as_str());
        let tell = |progress: Progress| self.reporter.add(progress);
        let mut deadlines = self.live.deadline.subscribe();
        let end = loop {
            let deadline = *deadlines.borrow_and_update();
            let watch = Watch { deadline, cancel: self.live.cancel.clone(), progress: &tell };
            tokio::select! {
                biased;
                () = self.shared.stopping.cancelled() => return Err(Left),
                end = self.shared.hypervisor.follow(&request, &upid, watch) => break end,
                Ok(()) = deadlines.changed() => {}
            }
        };
        self.upid = Some(upid);
        match end {
            Err(error) => Ok(Some(Err(error))),
            Ok(TaskEnd { warnings, log }) => {
                self.warnings.extend(warnings);
                self.log = log;
                if step {
                    self.looked_up = true;
                    self.shared.change(self.id, |entry| entry.state = State::Accepted).await;
                    return Ok(None);
                }
                self.look(&request).await.map(Some)
            }
        }
    }

    /// The commands that change nothing: they need no ledger but for their result.
    async fn watch_only(&mut self, job: &Job) -> Result<Verdict, Left> {
        let hypervisor = &self.shared.hypervisor;
        let begun = Instant::now();
        let mut deadlines = self.live.deadline.subscribe();
        loop {
            let deadline = *deadlines.borrow_and_update();
            let verdict = async {
                match &job.action {
                    Action::WaitPower { power, timeout_s } => {
                        let limit = match timeout_s {
                            0 => deadline,
                            s => deadline.min(begun + Duration::from_secs(*s)),
                        };
                        let tell = |progress: Progress| self.reporter.add(progress);
                        let watch = Watch { deadline: limit, cancel: self.live.cancel.clone(), progress: &tell };
                        hypervisor.wait_power(job.target, *power, watch).await.map(Done::from)
                    }
                    Action::Look(look) => hypervisor.look(job.target, look).await,
                    Action::Inspect | Action::Change(_) => {
                        let state = hypervisor.inspect(job.target.vmid).await?;
                        if state.presence == Presence::Present
                            && state.other_node.is_none()
                            && state.stamp.is_none_or(|stamp| stamp.pod_id != job.target.pod_id)
                        {
                            let text = format!("VM {} does not bear the stamp of this pod", job.target.vmid);
                            let error = PveError::new(ErrorKind::ForeignVm, text);
                            return Err(PveError { presence: state.presence, ..error });
                        }
                        Ok(Done::from(state))
                    }
                }
            };
            tokio::select! {
                biased;
                () = self.shared.stopping.cancelled() => return Err(Left),
                verdict = verdict => return Ok(verdict),
                Ok(()) = deadlines.changed() => {}
            }
        }
    }

    /// Looks at what the command led to. That Proxmox does not answer does not undo the success: it leaves open what is there, unless
    /// telling that is a part of the command; then it is asked until the deadline.
    async fn look(&self, request: &Request) -> Result<Verdict, Left> {
        let must_be_told = request.operation.must_be_told();
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(2));
        let mut looks = 0;
        loop {
            let error = match self.shared.hypervisor.outcome(request).await {
                Ok(outcome) => return Ok(Ok(outcome)),
                Err(error) => error,
            };
            let vmid = request.target.vmid;
            warn!(command = %self.id, vmid, cause = %error, "the VM could not be looked at afterwards");
            looks += 1;
            if must_be_told && !error.is_transient() {
                return Ok(Err(error));
            }
            if !must_be_told && looks >= LOOKS_MAX {
                return Ok(Ok(Done::default()));
            }
            tokio::select! {
                biased;
                () = self.shared.stopping.cancelled() => {
                    return if must_be_told { Err(Left) } else { Ok(Ok(Done::default())) };
                }
                () = self.live.cancel.cancelled(), if must_be_told => return Ok(Err(error)),
                () = self.live.expired(), if must_be_told => return Ok(Err(error)),
                () = sleep(backoff.next_wait()) => {}
            }
        }
    }

    async fn conclude(&mut self, verdict: Verdict) {
        let verdict = self.complete(verdict).await;
        let Some(entry) = self.shared.entry(self.id) else { return };
        let upid = self.upid.as_ref().map(ToString::to_string).unwrap_or_default();
        let is_cancelled = verdict.as_ref().is_err_and(|error| error.kind == ErrorKind::Cancelled);
        let outcome = match verdict {
            Ok(mut done) => {
                info!(command = %self.id, kind = ?entry.command, vmid = entry.vmid, "done");
                done.warnings.splice(..0, self.warnings.drain(..));
                Outcome::Ok(convert::command_output(entry.vmid, done, upid))
            }
            Err(mut error) => {
                warn!(command = %self.id, kind = ?entry.command, vmid = entry.vmid, failure = ?error.kind, cause = %error, "failed");
                if !error.log.is_empty() {
                    self.log = std::mem::take(&mut error.log);
                }
                let mut told = convert::command_error(&error);
                if told.upid.is_empty() {
                    told.upid = upid;
                }
                if self.ledger_refused {
                    told.kind = wire::ErrorKind::Ledger.into();
                }
                Outcome::Error(told)
            }
        };
        let skipped = self.log.len().saturating_sub(LOG_LINES_MAX);
        let result = CommandResult {
            command_id: self.id.to_string(),
            epoch: entry.epoch,
            log: self.log.iter().skip(skipped).map(|line| cut(line)).collect(),
            started_ms: entry.accepted_ms,
            finished_ms: now_ms(),
            cancelled: is_cancelled,
            outcome: Some(outcome),
        };
        self.finish(result).await;
    }

    /// Adds to a failure what is known of the VM.
    async fn complete(&self, verdict: Verdict) -> Verdict {
        let Err(mut error) = verdict else { return verdict };
        let was_called = self.shared.entry(self.id).is_some_and(|entry| !matches!(entry.state, State::Accepted));
        if error.presence == Presence::Unknown
            && was_called
            && let Some(entry) = self.shared.entry(self.id)
            && let Ok(state) = self.shared.hypervisor.inspect(entry.vmid).await
        {
            error.presence = state.presence;
        }
        Err(error)
    }

    async fn finish(&self, result: CommandResult) {
        fault::point("before-finish-write");
        self.shared.change(self.id, |entry| entry.state = State::Finished(Box::new(result))).await;
        fault::point("before-report");
        if let Some(command) = self.shared.commands().get_mut(&self.id) {
            command.live = None;
        }
        self.shared.results.send_modify(|count| *count = count.wrapping_add(1));
        self.shared.touched.notify_one();
    }
}

fn too_late() -> PveError {
    PveError::new(ErrorKind::Deadline, "the deadline passed before it was begun")
}

fn cancelled() -> PveError {
    PveError::new(ErrorKind::Cancelled, "cancelled before it was begun")
}

/// The request as far as the ledger tells.
fn public_request(entry: &Entry) -> Option<Request> {
    convert::job_of(entry.command.command()).ok().and_then(|job| job.request())
}
