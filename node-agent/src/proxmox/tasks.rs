//! Proxmox tasks: their ids, how they are followed to their end, found again and stopped.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use proxmox_api::client::Client;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::error::{ErrorKind, PveError, Result, kind_of_text};
use super::node::Pve;
use super::types::{Operation, Progress, Request, TaskEnd, Watch};
use super::wire::{List, LogLine, TaskEntry, TaskStatus, encode};

/// How often a task is asked about: at first often, so that a fast one costs little, then calmly.
const POLL_FIRST: Duration = Duration::from_millis(50);
const POLL_MAX: Duration = Duration::from_secs(1);
/// How long a task that was told to stop may take to clean up behind itself.
const STOP_GRACE: Duration = Duration::from_secs(60);
/// Lines of a log read at once, and kept at the end.
const LOG_READ_MAX: u64 = 500;
const LOG_KEPT_MAX: usize = 50;
/// Tasks looked at when one is searched.
const TASKS_READ_MAX: u32 = 50;

/// The id of a Proxmox task: `UPID:node:pid:pstart:starttime:type:id:user:`, numbers in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upid(String);

impl Upid {
    /// As Proxmox writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn part(&self, index: usize) -> &str {
        self.0.split(':').nth(index).unwrap_or_default()
    }

    /// The node whose task it is.
    pub fn node(&self) -> &str {
        self.part(1)
    }

    /// When it was started, in seconds since the epoch.
    pub fn start_s(&self) -> i64 {
        i64::from_str_radix(self.part(4), 16).unwrap_or_default()
    }

    /// Such as `qmclone`.
    pub fn kind(&self) -> &str {
        self.part(5)
    }

    /// Usually the VMID; of a clone the *source's*. May be empty.
    pub fn id(&self) -> &str {
        self.part(6)
    }

    /// Who started it; may end in `!token`.
    pub fn user(&self) -> &str {
        self.part(7)
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no UPID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a Proxmox task id: {0:?}")]
pub struct NotAUpid(String);

impl FromStr for Upid {
    type Err = NotAUpid;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let refuse = || NotAUpid(text.chars().take(200).collect());
        let parts: Vec<&str> = text.split(':').collect();
        let [upid, node, pid, pstart, start, kind, _id, _user, _comment] = parts.as_slice() else {
            return Err(refuse());
        };
        let is_hex = |part: &&str| i64::from_str_radix(part, 16).is_ok();
        if *upid != "UPID" || node.is_empty() || kind.is_empty() || ![pid, pstart, start].into_iter().all(is_hex) {
            return Err(refuse());
        }
        Ok(Self(text.to_owned()))
    }
}

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
        let mut log = Log::default();
        let outcome = self.task_watch(upid, watch, &mut log).await;
        let exit = match outcome {
            Ok(Ended::Exit(exit)) => exit,
            Ok(stopped) => return self.task_abort(request, upid, watch, log, &stopped).await,
            Err(error) => return Err(self.task_failure(request, upid, &log, error).await),
        };
        self.task_verdict(request, upid, log, &exit).await
    }

    /// Reads a finished task's exit status, for better or worse.
    async fn task_verdict(&self, request: &Request, upid: &Upid, log: Log, exit: &str) -> Result<TaskEnd> {
        let Some(error) = failure_of(&request.operation, upid.kind(), exit, &log.kept) else {
            return match self.verify_effect(request, upid).await {
                Ok(()) => Ok(TaskEnd { warnings: warnings_of(&log.kept), log: log.kept }),
                Err(error) => Err(PveError { upid: Some(upid.clone()), log: log.kept, ..error }),
            };
        };
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
            return self.task_verdict(request, upid, log, &exit).await;
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
            Operation::Configure(_) => return Ok(None),
            Operation::ResizeDisk { .. } => (&["resize"], vmid),
            Operation::Start => (&["qmstart", "qmresume"], vmid),
            Operation::Stop => (&["qmstop"], vmid),
            Operation::Shutdown { .. } => (&["qmshutdown", "qmstop"], vmid),
            Operation::Reboot { .. } => (&["qmreboot"], vmid),
            Operation::Destroy => (&["qmdestroy", "qmstop"], vmid),
        };
        // A second of grace: a UPID's time is in whole seconds.
        let since = (since_ms.div_euclid(1000) - 1).max(0);
        let query = TaskQuery { source: "all", vmid: id, since: Some(since), limit: TASKS_READ_MAX };
        let mut found: Vec<Upid> = self.tasks(&query).await?;
        found.retain(|upid| kinds.contains(&upid.kind()) && upid.start_s() >= since && self.is_ours(upid));
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

    /// The clone of this template that runs and makes this VM.
    pub(super) async fn clone_running(&self, template_vmid: u32, vmid: u32) -> Result<Option<Upid>> {
        let query = TaskQuery { source: "active", vmid: template_vmid, since: None, limit: TASKS_READ_MAX };
        for upid in self.tasks(&query).await? {
            let is_candidate = upid.kind() == "qmclone" && self.is_ours(&upid);
            // The list of active tasks keeps those that ended a moment ago.
            if is_candidate && self.clone_is_of(&upid, vmid).await? && self.task_exit(&upid).await?.is_none() {
                return Ok(Some(upid));
            }
        }
        Ok(None)
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

#[derive(Serialize)]
struct LogQuery {
    start: u64,
    limit: u64,
}

#[derive(Serialize)]
struct TaskQuery {
    source: &'static str,
    vmid: u32,
    since: Option<i64>,
    limit: u32,
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

/// The percentage in a line such as `transferred 2.0 MiB of 26.9 MiB (7.49%)` or `drive-scsi0: transferred ... (12.34%) in 3s`.
fn percent_of(line: &str) -> Option<u8> {
    let before = line.split('%').next().filter(|before| before.len() < line.len())?;
    let (rest, number) =
        before.split_at(before.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |at| at + 1));
    if rest.ends_with('/') {
        return None;
    }
    let number: f64 = number.parse().ok()?;
    (0.0..=100.0).contains(&number).then_some(number as u8)
}

/// Whether a log line is about this VM's disks or configuration.
fn names_vm(line: &str, vmid: u32) -> bool {
    let named = |before: &str, after: fn(char) -> bool| {
        let name = format!("{before}{vmid}");
        line.match_indices(&name).any(|(at, _)| line[at + name.len()..].chars().next().is_none_or(after))
    };
    named("vm-", |c| c == '-') || named("VM ", |c| !c.is_ascii_digit()) || named("/images/", |c| c == '/')
}

fn warnings_of(log: &[String]) -> Vec<String> {
    let text = |line: &String| {
        line.strip_prefix("WARN").map(|rest| rest.trim_start_matches("ING").trim_start_matches(':').trim().to_owned())
    };
    log.iter().filter_map(text).filter(|text| !text.is_empty()).collect()
}

/// What is wrong with a task's exit status; `None` when it is a success, also one that says the work was done already.
fn failure_of(operation: &Operation, task_kind: &str, exit: &str, log: &[String]) -> Option<PveError> {
    let done_already = match operation {
        Operation::Start => task_kind == "qmstart" && exit.ends_with("already running"),
        Operation::ResizeDisk { .. } => exit.contains("shrinking disks is not supported"),
        Operation::Destroy => {
            task_kind == "qmdestroy" && exit.contains("Configuration file 'nodes/") && exit.contains("does not exist")
        }
        Operation::Clone(_)
        | Operation::Configure(_)
        | Operation::Stop
        | Operation::Shutdown { .. }
        | Operation::Reboot { .. } => false,
    };
    if exit == "OK" || exit.starts_with("WARNINGS:") || done_already {
        return None;
    }
    if exit.is_empty() || exit == "unexpected status" {
        let text = "the Proxmox task was killed before it could end; see the VM's lock and the host's log";
        return Some(PveError::new(ErrorKind::Lost, text));
    }
    // The cause is often only in the log: "No space left on device" above a bare "exit code 1".
    let causes = log.iter().rev().filter(|line| !line.starts_with("TASK ERROR") && !line.starts_with("transferred"));
    let cause = causes.take(5).find(|line| kind_of_text(line) == Some(ErrorKind::NoSpace) || is_complaint(line));
    let kind = kind_of_text(exit)
        .or_else(|| cause.and_then(|line| kind_of_text(line)).filter(|kind| *kind == ErrorKind::NoSpace))
        .unwrap_or(ErrorKind::TaskFailed);
    let message = match cause {
        Some(cause) if !exit.contains(cause.trim()) => format!("{exit} ({})", cause.trim()),
        Some(_) | None => exit.to_owned(),
    };
    Some(PveError::new(kind, message))
}

fn is_complaint(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    ["error", "failed", "cannot", "could not", "unable", "no space"].iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_upid_tells_its_parts() {
        let text = "UPID:pve1:000002A5:0002DC55:6B003461:qmclone:9000:root@pam!test:";
        let upid: Upid = text.parse().unwrap();
        assert_eq!((upid.node(), upid.kind(), upid.id()), ("pve1", "qmclone", "9000"));
        assert_eq!((upid.start_s(), upid.user(), upid.as_str()), (1_795_175_521, "root@pam!test", text));
        assert!("UPID:pve1:000002A5:123456789:6B003461:aptupdate::root@pam:".parse::<Upid>().is_ok());
    }

    #[test]
    fn what_is_no_upid_is_refused() {
        for text in ["", "OK", "UPID:pve1:zz:0:0:a:b:c:", "UPID:pve1:1:2:3:qmstart:100:root@pam", "UPID::1:2:3:t:i:u:"]
        {
            assert!(text.parse::<Upid>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn progress_is_read_from_the_log() {
        let check = |line: &str, expected| assert_eq!(percent_of(line), expected, "{line}");
        check("transferred 2.0 MiB of 26.9 MiB (7.49%)", Some(7));
        check("drive-scsi0: transferred 1.0 GiB of 2.0 GiB (50.00%) in 3s", Some(50));
        check("    (100.00/100%)", None);
        check("create full clone of drive scsi0 (local:9000/base-9000-disk-0.qcow2)", None);
        check("100% of something", Some(100));
        check("250% more", None);
    }

    #[test]
    fn a_clones_target_is_recognised_by_its_disks_alone() {
        let check = |line: &str, vmid, expected| assert_eq!(names_vm(line, vmid), expected, "{line} {vmid}");
        let line = "clone 9000/base-9000-disk-0.qcow2: images, vm-101-disk-0.qcow2, 101 to vm-101-disk-0.qcow2";
        check(line, 101, true);
        check(line, 10, false);
        check(line, 9000, false);
        check("Logical volume \"vm-120-disk-0\" created.", 120, true);
        check("Formatting '/var/lib/vz/images/120/vm-120-cloudinit.qcow2', fmt=qcow2 size=4194304", 120, true);
        check("TASK ERROR: unable to create VM 180: config file already exists", 180, true);
        check("TASK ERROR: unable to create VM 1801: config file already exists", 180, false);
    }

    #[test]
    fn an_exit_status_is_read_with_its_log() {
        let clone = || {
            let name = "a".to_owned();
            Operation::Clone(super::super::types::CloneSpec {
                template_vmid: 9000,
                name,
                full: true,
                storage: None,
                pool: None,
            })
        };
        let check =
            |operation: &Operation, task: &str, exit: &str, log: &[&str], expected: Option<(ErrorKind, &str)>| {
                let log: Vec<String> = log.iter().map(|line| (*line).to_owned()).collect();
                let found = failure_of(operation, task, exit, &log);
                let found = found.as_ref().map(|error| (error.kind, error.message.as_str()));
                assert_eq!(found, expected, "{exit}");
            };
        check(&Operation::Stop, "qmstop", "OK", &[], None);
        check(&Operation::Start, "qmstart", "WARNINGS: 1", &["WARN: no efidisk configured!"], None);
        check(&Operation::Start, "qmstart", "VM 101 already running", &[], None);
        let shrink = Operation::ResizeDisk { disk: None, size_gib: 1 };
        check(&shrink, "resize", "shrinking disks is not supported", &[], None);
        let killed = failure_of(&clone(), "qmclone", "unexpected status", &[]).unwrap();
        assert_eq!(killed.kind, ErrorKind::Lost);
        let full = "clone failed: copy failed: command 'qemu-img convert' failed: exit code 1";
        let log = [
            "transferred 24.2 MiB of 26.9 MiB (89.93%)",
            "qemu-img: error while writing at byte 8388608: No space left on device",
        ];
        let text = format!("{full} ({})", log[1]);
        check(&clone(), "qmclone", full, &log, Some((ErrorKind::NoSpace, &text)));
        let taken = "unable to create VM 180: config file already exists";
        check(&clone(), "qmclone", taken, &["TASK ERROR: x"], Some((ErrorKind::VmidTaken, taken)));
        let locked = "can't lock file '/var/lock/qemu-server/lock-120.conf' - got timeout";
        check(&Operation::Start, "qmstart", locked, &["trying to acquire lock..."], Some((ErrorKind::Locked, locked)));
        let deaf = "VM quit/powerdown failed - got timeout";
        check(
            &Operation::Shutdown { timeout_s: 3, force: false },
            "qmshutdown",
            deaf,
            &[],
            Some((ErrorKind::TaskFailed, deaf)),
        );
    }

    #[test]
    fn warnings_are_told_without_their_prefix() {
        let log =
            ["WARN: no efidisk configured! Using temporary efivars disk.".to_owned(), "TASK WARNINGS: 1".to_owned()];
        assert_eq!(warnings_of(&log), ["no efidisk configured! Using temporary efivars disk."]);
    }
}
