//! Proxmox tasks: how they are followed to their end, found again and stopped.

use std::time::Duration;

use proxmox_api::client::Client;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::error::{ErrorKind, PveError, Result};
use super::node::Pve;
use super::types::{Operation, Progress, Request, TaskEnd, Watch};
use super::upid::Upid;
use super::verdict::{failure_of, names_other_disk, names_vm, percent_of, warnings_of};
use super::wire::{List, LogLine, TaskEntry, TaskStatus, encode};

/// How often a task is asked about: at first often, so that a fast one costs little, then calmly.
const POLL_FIRST: Duration = Duration::from_millis(50);
const POLL_MAX: Duration = Duration::from_secs(1);
/// How long a task that was told to stop may take to clean up behind itself.
const STOP_GRACE: Duration = Duration::from_mins(1);
/// Lines of a log read at once, and kept at the end.
const LOG_READ_MAX: u64 = 500;
const LOG_KEPT_MAX: usize = 50;
/// Tasks looked at when one is searched.
const TASKS_READ_MAX: u32 = 50;

/// How a task ended.
#[derive(Debug)]
enum Ended {
    /// By itself, with this exit status.
    Exit(String),
    /// The caller's time was over.
    Deadline,
    /// The caller called it off.
    Cancelled,
}

/// What was read of a task's log so far.
#[derive(Default)]
struct Log {
    lines_read: u64,
    kept: Vec<String>,
    percent: Option<u8>,
}

impl Pve {
    /// See [`super::Hypervisor::follow`].
    pub(super) async fn task_follow(&self, request: &Request, upid: &Upid, watch: &Watch<'_>) -> Result<TaskEnd> {
        match self.task_end(request, upid, watch).await {
            Err(error) if upid.kind() == "qmrestore" => {
                Err(self.restore_failed(request.target.vmid, watch.progress, error).await)
            }
            end => end,
        }
    }

    async fn task_end(&self, request: &Request, upid: &Upid, watch: &Watch<'_>) -> Result<TaskEnd> {
        let mut log = Log::default();
        let outcome = self.task_watch(upid, watch, &mut log).await;
        let exit = match outcome {
            Ok(Ended::Exit(exit)) => exit,
            Ok(stopped) => return self.task_abort(request, upid, watch, log, &stopped).await,
            Err(error) => return Err(self.task_failure(request, upid, &log, error).await),
        };
        self.task_verdict(request, upid, watch, log, &exit).await
    }

    /// Reads a finished task's exit status, for better or worse.
    async fn task_verdict(
        &self,
        request: &Request,
        upid: &Upid,
        watch: &Watch<'_>,
        log: Log,
        exit: &str,
    ) -> Result<TaskEnd> {
        let Some(error) = failure_of(&request.operation, upid.kind(), exit, &log.kept) else {
            return match self.verify_effect(request, upid, watch).await {
                Ok(()) => Ok(TaskEnd { warnings: warnings_of(&log.kept), log: log.kept }),
                Err(error) => Err(PveError { upid: Some(upid.clone()), log: log.kept, ..error }),
            };
        };
        // A worker that was killed, or another one's VM at the VMID, says nothing of a call that was not answered.
        if matches!(request.operation, Operation::Clone(_) | Operation::RestoreBackup { .. })
            && !matches!(error.kind, ErrorKind::Lost | ErrorKind::VmidTaken | ErrorKind::Locked)
        {
            self.clone_failed(request.target.vmid, upid);
        }
        Err(self.task_failure(request, upid, &log, error).await)
    }

    /// Adds to an error what is known of the task and the VM, and tells a VMID that is taken from one that is ours.
    async fn task_failure(&self, request: &Request, upid: &Upid, log: &Log, error: PveError) -> PveError {
        let error = PveError { upid: Some(upid.clone()), log: log.kept.clone(), ..error };
        let Ok(state) = self.vm_state(request.target.vmid).await else {
            return error;
        };
        let mut error = error.with_presence(state.presence);
        if error.kind == ErrorKind::VmidTaken && state.stamp.is_some_and(|stamp| stamp.pod_id == request.target.pod_id)
        {
            // Two clones for one pod met; the other one makes, or made, the VM. Beginning again finds it.
            error.kind = ErrorKind::Locked;
        }
        error
    }

    /// Follows until the task ends or the caller's time or will does. Hiccups of Proxmox on the way are waited out.
    async fn task_watch(&self, upid: &Upid, watch: &Watch<'_>, log: &mut Log) -> Result<Ended> {
        let mut pause = POLL_FIRST;
        loop {
            let next = Instant::now() + pause;
            tokio::select! {
                biased;
                () = watch.cancel.cancelled() => return Ok(Ended::Cancelled),
                () = sleep_until(watch.deadline), if watch.deadline < next => return Ok(Ended::Deadline),
                () = sleep_until(next) => {}
            }
            pause = (pause * 3 / 2).min(POLL_MAX);
            let poll = self.task_poll(upid, log, watch.progress);
            let polled = tokio::select! {
                biased;
                () = watch.cancel.cancelled() => return Ok(Ended::Cancelled),
                polled = timeout_at(watch.deadline, poll) => polled,
            };
            match polled {
                Ok(Ok(Some(exit))) => return Ok(Ended::Exit(exit)),
                Ok(Ok(None)) => {}
                Ok(Err(error)) if error.is_transient() => pause = POLL_MAX,
                Ok(Err(error)) => return Err(error),
                Err(_) => return Ok(Ended::Deadline),
            }
        }
    }

    /// One look at a task: its exit status, once it has ended. The status is asked before the log, so that the log is whole when the
    /// task has ended.
    async fn task_poll(
        &self,
        upid: &Upid,
        log: &mut Log,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Option<String>> {
        let exit = self.task_exit(upid).await?;
        loop {
            let new = self.task_log(upid, log.lines_read).await?;
            let full = new.len() as u64 >= LOG_READ_MAX;
            log.take(new, tell);
            if !full {
                return Ok(exit);
            }
        }
    }

    /// The exit status of a task that has ended.
    async fn task_exit(&self, upid: &Upid) -> Result<Option<String>> {
        let status: TaskStatus = self.client.read(&format!("{}/status", task_path(upid))).await.map_err(|error| {
            if error.status == Some(400) && error.message.contains("no such task") {
                let text =
                    format!("Proxmox does not know the task any more: {upid}; whether it did its work is not known");
                return PveError { kind: ErrorKind::Lost, message: text, ..error };
            }
            error
        })?;
        match (status.status.or_empty().as_str(), status.exitstatus.0) {
            ("stopped", exit) => Ok(Some(exit.unwrap_or_default())),
            (_, Some(exit)) => Ok(Some(exit)),
            (_, None) => Ok(None),
        }
    }

    /// The log's lines from `start` on. Proxmox answers an object instead of a list where there is no log yet.
    async fn task_log(&self, upid: &Upid, start: u64) -> Result<Vec<String>> {
        let path = format!("{}/log", task_path(upid));
        let answer: Value = self.client.get(&path, &LogQuery { start, limit: LOG_READ_MAX }).await?;
        let Value::Array(lines) = answer else { return Ok(Vec::new()) };
        let lines = lines.into_iter().filter_map(|line| serde_json::from_value::<LogLine>(line).ok());
        // An empty log is one line saying so.
        let lines = lines.filter(|line| line.n.whole() > start).map(|line| line.t.or_empty());
        Ok(lines.filter(|line| line != "no content").collect())
    }

    /// Stops the task because the caller's time is over or it was called off, and says what became of it.
    async fn task_abort(
        &self,
        request: &Request,
        upid: &Upid,
        watch: &Watch<'_>,
        mut log: Log,
        why: &Ended,
    ) -> Result<TaskEnd> {
        let (kind, words) = match why {
            Ended::Cancelled => (ErrorKind::Cancelled, "cancelled"),
            Ended::Deadline | Ended::Exit(_) => (ErrorKind::Deadline, "the deadline passed"),
        };
        let exit = match self.task_stop_wait(upid, &mut log, watch.progress).await {
            Ok(exit) => exit,
            Err(error) => {
                let text = format!("{words}; whether the Proxmox task ended is not known: {error}");
                let error = PveError { message: text, ..error };
                return Err(self.task_failure(request, upid, &log, error).await);
            }
        };
        if failure_of(&request.operation, upid.kind(), &exit, &log.kept).is_none() {
            // It ended well before the stop reached it.
            return self.task_verdict(request, upid, watch, log, &exit).await;
        }
        let error = PveError::new(kind, format!("{words}; the Proxmox task was stopped: {exit}"));
        Err(self.task_failure(request, upid, &log, error).await)
    }

    /// Tells a task to stop and waits for its exit status.
    async fn task_stop_wait(
        &self,
        upid: &Upid,
        log: &mut Log,
        tell: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<String> {
        let give_up = Instant::now() + STOP_GRACE;
        let mut pause = POLL_FIRST;
        let mut told = false;
        loop {
            let step = async {
                if !told {
                    self.client.delete::<(), Value>(&task_path(upid), &()).await?;
                    told = true;
                }
                self.task_poll(upid, log, tell).await
            };
            let last = match timeout_at(give_up, step).await {
                Ok(Ok(Some(exit))) => return Ok(exit),
                Ok(Ok(None)) | Err(_) => None,
                Ok(Err(error)) if error.is_transient() => Some(error),
                Ok(Err(error)) => return Err(error),
            };
            if Instant::now() + pause >= give_up {
                let silent = || {
                    PveError::new(ErrorKind::Timeout, format!("the task {upid} goes on although it was told to stop"))
                };
                return Err(last.unwrap_or_else(silent));
            }
            sleep_until(Instant::now() + pause).await;
            pause = (pause * 3 / 2).min(POLL_MAX);
        }
    }

    /// See [`super::Hypervisor::stop_task`].
    pub(super) async fn task_stop(&self, upid: &Upid) -> Result<()> {
        self.task_stop_wait(upid, &mut Log::default(), &|_| {}).await.map(|_| ())
    }

    /// See [`super::Hypervisor::find_task`].
    pub(super) async fn task_find(&self, request: &Request, since_ms: i64) -> Result<Option<Upid>> {
        let vmid = request.target.vmid;
        let (kinds, id): (&[&str], u32) = match &request.operation {
            Operation::Clone(spec) => (&["qmclone"], spec.template_vmid),
            // They are over when their call is answered, and may be repeated.
            Operation::Configure(_)
            | Operation::SetOptions(_)
            | Operation::SetPassword { .. }
            | Operation::SetMedia { .. }
            | Operation::SetFirewall(_)
            | Operation::Adopt
            | Operation::Release
            // Its task bears no VMID; whether the backup is there tells the same.
            | Operation::DeleteBackup { .. } => return Ok(None),
            Operation::TakeSnapshot { .. } => (&["qmsnapshot"], vmid),
            Operation::Rollback { .. } => (&["qmrollback"], vmid),
            Operation::DeleteSnapshot { .. } => (&["qmdelsnapshot"], vmid),
            Operation::MakeBackup { .. } => (&["vzdump"], vmid),
            Operation::RestoreBackup { .. } => (&["qmrestore"], vmid),
            Operation::Migrate(_) | Operation::RemoteMigrate(_) => (&["qmigrate"], vmid),
            Operation::MakeTemplate => (&["qmtemplate"], vmid),
            Operation::ResizeDisk { .. } => (&["resize"], vmid),
            Operation::Start => (&["qmstart", "qmresume"], vmid),
            Operation::Stop => (&["qmstop"], vmid),
            Operation::Shutdown { .. } => (&["qmshutdown", "qmstop"], vmid),
            Operation::Reboot { .. } => (&["qmreboot"], vmid),
            Operation::Destroy => (&["qmdestroy", "qmstop"], vmid),
        };
        // A second of grace: a UPID's time is in whole seconds.
        let since = (since_ms.div_euclid(1000) - 1).max(0);
        let query = TaskQuery { vmid: Some(id), since: Some(since), ..TaskQuery::of("all") };
        let mut found: Vec<Upid> = self.tasks(&query).await?;
        found.retain(|upid| {
            kinds.contains(&upid.kind())
                && upid.start_s() >= since
                && self.is_ours(upid)
                && !self.is_of_another(upid, request.command_id)
        });
        found.sort_by_key(|upid| std::cmp::Reverse(upid.start_s()));
        if !matches!(request.operation, Operation::Clone(_)) {
            return Ok(found.into_iter().next());
        }
        for upid in found {
            if self.clone_is_of(&upid, vmid).await? {
                return Ok(Some(upid));
            }
        }
        Ok(None)
    }

    /// Our task of one of these kinds that runs for the VM.
    pub(super) async fn running_task(&self, vmid: u32, kinds: &[&str]) -> Result<Option<Upid>> {
        let query = TaskQuery { vmid: Some(vmid), ..TaskQuery::of("active") };
        for upid in self.tasks(&query).await? {
            // The list of active tasks keeps those that ended a moment ago.
            if kinds.contains(&upid.kind()) && self.is_ours(&upid) && self.task_exit(&upid).await?.is_none() {
                return Ok(Some(upid));
            }
        }
        Ok(None)
    }

    /// Whether the last task of this kind on the VM is ours, and has failed.
    pub(super) async fn has_failed_last(&self, vmid: u32, kind: &str) -> Result<bool> {
        let query = TaskQuery { vmid: Some(vmid), ..TaskQuery::of("all") };
        let tasks = self.tasks(&query).await?.into_iter().filter(|upid| upid.kind() == kind);
        match tasks.min_by_key(|upid| std::cmp::Reverse(upid.start_s())).filter(|upid| self.is_ours(upid)) {
            Some(last) => {
                Ok(self.task_exit(&last).await?.is_some_and(|exit| exit != "OK" && !exit.starts_with("WARNINGS:")))
            }
            None => Ok(false),
        }
    }

    /// Whether a task of ours tells that it has removed this volume.
    pub(super) async fn is_removed(&self, volid: &str) -> Result<bool> {
        let query = TaskQuery { typefilter: Some("imgdel"), ..TaskQuery::of("all") };
        let (storage, line) = (volid.split(':').next().unwrap_or_default(), format!("Removed volume '{volid}'"));
        for upid in self.tasks(&query).await? {
            // The task bears its storage's name, and whose disk it was.
            if self.is_ours(&upid) && upid.id().ends_with(storage) && self.task_log(&upid, 0).await?.contains(&line) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How a task of the agent's own housekeeping ends.
    pub(super) async fn task_wait(&self, upid: &Upid, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<String> {
        let (deadline, cancel) = (Instant::now() + STOP_GRACE, CancellationToken::new());
        match self.task_watch(upid, &Watch { deadline, cancel, progress }, &mut Log::default()).await? {
            Ended::Exit(exit) => Ok(exit),
            Ended::Deadline | Ended::Cancelled => {
                Err(PveError::new(ErrorKind::Timeout, format!("the task {upid} takes longer than {STOP_GRACE:?}")))
            }
        }
    }

    /// The clone, of this template or of any, that runs and makes this VM.
    pub(super) async fn clone_running(&self, template_vmid: Option<u32>, vmid: u32) -> Result<CloneRunning> {
        let query = TaskQuery { vmid: template_vmid, ..TaskQuery::of("active") };
        let mut found = CloneRunning::No;
        for upid in self.tasks(&query).await? {
            // The list of active tasks keeps those that ended a moment ago.
            if upid.kind() != "qmclone" || !self.is_ours(&upid) || self.task_exit(&upid).await?.is_some() {
                continue;
            }
            let log = self.task_log(&upid, 0).await?;
            if log.iter().any(|line| names_vm(line, vmid)) {
                return Ok(CloneRunning::Yes(upid));
            }
            let source = upid.id().parse().unwrap_or_default();
            if !log.iter().any(|line| names_other_disk(line, source)) {
                found = CloneRunning::Unclear;
            }
        }
        Ok(found)
    }

    /// A clone's UPID names its source; only the log tells the VM it makes, in the names of the disks.
    async fn clone_is_of(&self, upid: &Upid, vmid: u32) -> Result<bool> {
        let log = self.task_log(upid, 0).await?;
        Ok(log.iter().any(|line| names_vm(line, vmid)))
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Vec<Upid>> {
        let path = format!("/nodes/{}/tasks", self.node().await?);
        let entries: List<TaskEntry> = self.client.get(&path, query).await?;
        Ok(entries.0.into_iter().filter_map(|entry| entry.upid.0?.parse().ok()).collect())
    }

    fn is_ours(&self, upid: &Upid) -> bool {
        upid.user() == self.token_id
    }
}

/// Whether a clone to a VMID runs.
#[derive(Debug)]
pub(super) enum CloneRunning {
    /// This one.
    Yes(Upid),
    /// None of ours.
    No,
    /// One has just begun, and its log does not tell yet which VM it makes.
    Unclear,
}

#[derive(Serialize)]
struct LogQuery {
    start: u64,
    limit: u64,
}

#[derive(Serialize)]
struct TaskQuery {
    source: &'static str,
    vmid: Option<u32>,
    since: Option<i64>,
    typefilter: Option<&'static str>,
    limit: u32,
}

impl TaskQuery {
    fn of(source: &'static str) -> Self {
        Self { source, vmid: None, since: None, typefilter: None, limit: TASKS_READ_MAX }
    }
}

fn task_path(upid: &Upid) -> String {
    format!("/nodes/{}/tasks/{}", encode(upid.node()), encode(upid.as_str()))
}

impl Log {
    fn take(&mut self, new: Vec<String>, tell: &(dyn Fn(Progress) + Send + Sync)) {
        if new.is_empty() {
            return;
        }
        self.lines_read += new.len() as u64;
        let percent = new.iter().rev().find_map(|line| percent_of(line));
        self.percent = self.percent.max(percent);
        self.kept.extend(new.iter().cloned());
        let surplus = self.kept.len().saturating_sub(LOG_KEPT_MAX);
        self.kept.drain(..surplus);
        tell(Progress { percent: self.percent, log: new });
    }
}
