//! The executor against a hypervisor that does what the test says.

use std::collections::VecDeque;
use std::fs;

use async_trait::async_trait;
use proto::agent::v1::run_command::Kind;
use tempfile::TempDir;

use super::*;
use crate::proxmox::{
    Begun, Check, Cluster, Console, ConsoleKind, ErrorKind, Fenced, HostStatus, Look, MigrateCheck, Outcome as Done,
    Power, Presence, ProbeSpec, PveError, Request, Storage, Target, TaskEnd, Upid, Vm, VmState, Volume, Watch,
};

pub(super) const DEADLINE: Duration = Duration::from_secs(20);

pub(super) fn upid(kind: &str) -> Upid {
    format!("UPID:pve1:000002A5:0002DC55:6B003461:{kind}:100:root@pam!test:").parse().unwrap()
}

/// Begins as told, ends tasks as told, and remembers what it was asked.
pub(super) struct Script {
    begins: Mutex<VecDeque<Result<Begun, PveError>>>,
    ends: Mutex<VecDeque<Result<TaskEnd, PveError>>>,
    /// Tasks may end; without it they run until cancelled.
    pub(super) open: watch::Sender<bool>,
    pub(super) found: Mutex<Option<Upid>>,
    /// Proxmox does not tell which tasks there are.
    deaf: Mutex<bool>,
    pub(super) calls: watch::Sender<Vec<String>>,
}

impl Script {
    pub(super) fn new(begins: Vec<Result<Begun, PveError>>) -> Arc<Self> {
        Arc::new(Self {
            begins: Mutex::new(begins.into()),
            ends: Mutex::default(),
            open: watch::Sender::new(true),
            found: Mutex::default(),
            deaf: Mutex::default(),
            calls: watch::Sender::new(Vec::new()),
        })
    }

    fn note(&self, call: String) {
        self.calls.send_modify(|calls| calls.push(call));
    }

    pub(super) fn count(&self, name: &str) -> usize {
        self.calls.borrow().iter().filter(|call| call.starts_with(name)).count()
    }

    pub(super) async fn called(&self, name: &str, times: usize) {
        let mut calls = self.calls.subscribe();
        let reached = calls.wait_for(|calls| calls.iter().filter(|call| call.starts_with(name)).count() >= times);
        tokio::time::timeout(DEADLINE, reached).await.expect("the call did not come").unwrap();
    }
}

#[async_trait]
impl Hypervisor for Script {
    async fn begin(&self, request: &Request) -> Result<Begun, PveError> {
        self.note(format!("begin {}", request.command_id));
        self.begins.lock().unwrap().pop_front().unwrap_or(Ok(Begun::Done))
    }

    async fn follow(&self, _: &Request, upid: &Upid, watch: Watch<'_>) -> Result<TaskEnd, PveError> {
        self.note(format!("follow {}", upid.kind()));
        let mut open = self.open.subscribe();
        tokio::select! {
            () = watch.cancel.cancelled() => Err(PveError::new(ErrorKind::Cancelled, "the task was stopped")),
            () = tokio::time::sleep_until(watch.deadline) => Err(PveError::new(ErrorKind::Deadline, "the task was stopped")),
            _ = open.wait_for(|open| *open) => {
                self.ends.lock().unwrap().pop_front().unwrap_or_else(|| Ok(TaskEnd::default()))
            }
        }
    }

    async fn find_task(&self, _: &Request, _: i64) -> Result<Option<Upid>, PveError> {
        self.note("find".to_owned());
        if *self.deaf.lock().unwrap() {
            return Err(PveError::new(ErrorKind::Unavailable, "connection refused"));
        }
        Ok(self.found.lock().unwrap().clone())
    }

    async fn stop_task(&self, _: &Upid) -> Result<(), PveError> {
        Ok(())
    }

    async fn wait_power(&self, _: Target, power: Power, _: Watch<'_>) -> Result<VmState, PveError> {
        Ok(VmState { presence: Presence::Present, power, ..VmState::default() })
    }

    async fn inspect(&self, _: u32) -> Result<VmState, PveError> {
        Ok(VmState { presence: Presence::Present, power: Power::Running, ..VmState::default() })
    }

    async fn outcome(&self, request: &Request) -> Result<Done, PveError> {
        self.inspect(request.target.vmid).await.map(Into::into)
    }

    async fn look(&self, target: Target, _: &Look) -> Result<Done, PveError> {
        self.inspect(target.vmid).await.map(Into::into)
    }

    async fn fence(&self, target: Target, _: Instant) -> Fenced {
        self.note(format!("fence {}", target.vmid));
        let state = VmState { presence: Presence::Present, ..VmState::default() };
        Fenced { state, error: None, foreign: false }
    }

    async fn datacenter_firewall(&self) -> Result<bool, PveError> {
        Ok(true)
    }

    async fn migrate_checks(&self, _: u32, _: Option<&str>) -> Result<MigrateCheck, PveError> {
        Ok(MigrateCheck::default())
    }

    async fn storage_content(&self, _: Option<&str>, _: &str) -> Result<Vec<Volume>, PveError> {
        Ok(Vec::new())
    }

    async fn open_console(&self, _: Target, _: ConsoleKind) -> Result<Console, PveError> {
        Err(PveError::new(ErrorKind::Refused, "there is nothing to be seen"))
    }

    fn may_come(&self, vmid: u32, _: Duration) {
        self.note(format!("may_come {vmid}"));
    }

    async fn list_vms(&self) -> Result<Vec<Vm>, PveError> {
        Ok(Vec::new())
    }

    fn read_anew(&self, _: Instant) {}

    async fn host_status(&self) -> Result<HostStatus, PveError> {
        Ok(HostStatus::default())
    }

    async fn storages(&self) -> Result<Vec<Storage>, PveError> {
        Ok(Vec::new())
    }

    async fn bridges(&self) -> Result<Vec<String>, PveError> {
        Ok(Vec::new())
    }

    async fn version(&self) -> Result<String, PveError> {
        Ok(String::new())
    }

    async fn cluster(&self) -> Result<Cluster, PveError> {
        Ok(Cluster::default())
    }

    async fn probe(&self, _: &ProbeSpec, _: &(dyn Fn(Check) + Send + Sync)) {}
}

pub(super) struct Bench {
    pub(super) directory: TempDir,
    pub(super) script: Arc<Script>,
    pub(super) executor: Executor,
}

impl Bench {
    pub(super) async fn new(script: Arc<Script>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let executor = start(&directory, &script).await;
        Self { directory, script, executor }
    }

    /// Ends the agent and starts it again with the same ledger.
    pub(super) async fn restart(self) -> Self {
        self.executor.stop(DEADLINE).await;
        let Self { directory, script, executor } = self;
        drop(executor);
        let executor = start(&directory, &script).await;
        Self { directory, script, executor }
    }

    /// Waits until `count` results wait to be told.
    pub(super) async fn results(&self, count: usize) -> Vec<CommandResult> {
        let mut changed = self.executor.results_changed();
        let executor = self.executor.clone();
        let wait = async {
            loop {
                let results = executor.results();
                if results.len() >= count {
                    return results;
                }
                changed.changed().await.unwrap();
            }
        };
        let results = tokio::time::timeout(DEADLINE, wait).await.expect("the results did not come");
        results.into_iter().map(|(_, _, message)| result_of(message)).collect()
    }

    /// Waits until the ledger is as wanted, by what memory says of it.
    pub(super) async fn run(&self, command: &RunCommand) -> AgentMessage {
        self.executor.run(command.clone()).await.unwrap()
    }
}

pub(super) async fn start(directory: &TempDir, script: &Arc<Script>) -> Executor {
    let (ledger, opened) = Ledger::open(directory.path()).await.unwrap();
    Executor::start(script.clone(), ledger, opened, Arc::default(), Limits { at_once: 4, open_max: 8 })
}

pub(super) fn command(number: u128, epoch: u64, vmid: u32, kind: Kind) -> RunCommand {
    RunCommand {
        command_id: Uuid::from_u128(number).to_string(),
        epoch,
        deadline_ms: 0,
        pod_id: Uuid::from_u128(1000 + u128::from(vmid)).to_string(),
        vmid,
        kind: Some(kind),
    }
}

pub(super) fn start_vm(number: u128, epoch: u64) -> RunCommand {
    command(number, epoch, 100, Kind::Start(wire::Start {}))
}

pub(super) fn result_of(message: AgentMessage) -> CommandResult {
    match message.body {
        Some(Body::Result(result)) => result,
        other => panic!("not a result: {other:?}"),
    }
}

pub(super) fn error_of(result: &CommandResult) -> (wire::ErrorKind, &str) {
    match &result.outcome {
        Some(Outcome::Error(error)) => (error.kind(), &error.message),
        other => panic!("not an error: {other:?}"),
    }
}

fn check_accepted(message: AgentMessage, epoch: u64) {
    match message.body {
        Some(Body::Accepted(accepted)) => assert_eq!(accepted.epoch, epoch),
        other => panic!("not accepted: {other:?}"),
    }
}

#[tokio::test]
async fn a_command_delivered_again_is_not_run_again() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmstart")))]);
    script.open.send_replace(false);
    let bench = Bench::new(script).await;
    check_accepted(bench.run(&start_vm(1, 1)).await, 1);
    bench.script.called("follow", 1).await;
    check_accepted(bench.run(&start_vm(1, 2)).await, 2);
    check_accepted(bench.run(&start_vm(1, 1)).await, 2);
    bench.script.open.send_replace(true);
    let results = bench.results(1).await;
    assert_eq!((results.len(), results[0].epoch, results[0].cancelled), (1, 2, false));
    let Some(Outcome::Ok(output)) = &results[0].outcome else { panic!("{results:?}") };
    assert_eq!((output.power(), output.presence(), output.vmid), (wire::Power::Running, wire::Presence::Present, 100));
    assert_eq!(output.upid, upid("qmstart").as_str());

    assert_eq!(result_of(bench.run(&start_vm(1, 3)).await).epoch, 3);
    bench.executor.acknowledge(&start_vm(1, 1).command_id, 3).await;
    assert!(bench.executor.results().is_empty() && bench.executor.open().is_empty());
    // An acknowledgement that crossed a repetition on the way.
    assert_eq!(result_of(bench.run(&start_vm(1, 4)).await).epoch, 4);
    let bench = bench.restart().await;
    assert_eq!(result_of(bench.run(&start_vm(1, 5)).await).epoch, 5);
    assert_eq!(bench.script.count("begin"), 1);
}

#[tokio::test]
async fn an_id_of_another_command_is_refused() {
    let bench = Bench::new(Script::new(Vec::new())).await;
    bench.run(&start_vm(1, 1)).await;
    let other = RunCommand { vmid: 101, ..start_vm(1, 2) };
    let result = result_of(bench.run(&other).await);
    assert_eq!(error_of(&result).0, wire::ErrorKind::BadParameter);
    let unknown = RunCommand { kind: None, ..start_vm(2, 1) };
    assert_eq!(error_of(&result_of(bench.run(&unknown).await)).0, wire::ErrorKind::Unsupported);
    bench.results(1).await;
    assert_eq!(bench.script.count("begin"), 1);
}

#[tokio::test]
async fn a_running_task_is_followed_after_a_restart_without_the_parameters() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmclone")))]);
    script.open.send_replace(false);
    let bench = Bench::new(script).await;
    let clone = wire::Clone { template_vmid: 9000, name: "a".to_owned(), ..wire::Clone::default() };
    bench.run(&command(1, 1, 100, Kind::Clone(clone))).await;
    bench.script.called("follow", 1).await;
    let bench = bench.restart().await;
    assert_eq!(bench.executor.open().len(), 1);
    bench.script.called("follow", 2).await;
    bench.script.open.send_replace(true);
    assert!(matches!(bench.results(1).await[0].outcome, Some(Outcome::Ok(_))));
    assert_eq!(bench.script.count("begin"), 1);
}

/// A ledger as a crash leaves it: Proxmox was being called.
pub(super) async fn crashed_while_calling(script: Arc<Script>, command: &RunCommand) -> Bench {
    crashed_at(script, command, now_ms()).await
}

async fn crashed_at(script: Arc<Script>, command: &RunCommand, called_ms: i64) -> Bench {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(directory.path()).await.unwrap();
    let job = job_of(command).unwrap();
    let entry = Entry {
        id: job.id,
        epoch: command.epoch,
        pod_id: job.target.pod_id,
        vmid: command.vmid,
        command: Public::of(command),
        accepted_ms: now_ms(),
        deadline_ms: now_ms() + 60_000,
        state: State::Called { at_ms: called_ms },
        fenced: false,
    };
    ledger.write(entry).await.unwrap();
    drop(ledger);
    let executor = start(&directory, &script).await;
    Bench { directory, script, executor }
}

#[tokio::test]
async fn after_a_crash_in_a_call_its_task_is_looked_up_and_followed() {
    let script = Script::new(vec![Ok(Begun::Done)]);
    *script.found.lock().unwrap() = Some(upid("qmstart"));
    let bench = crashed_while_calling(script, &start_vm(1, 1)).await;
    bench.script.called("follow", 1).await;
    // Whether that was its last task only Proxmox knows: it is begun again, once the control plane says so.
    bench.run(&start_vm(1, 2)).await;
    assert_eq!(bench.results(1).await[0].epoch, 2);
    assert_eq!((bench.script.count("begin"), bench.script.count("follow")), (1, 1));
}

#[tokio::test]
async fn a_reboot_whose_task_is_found_is_not_done_twice() {
    let script = Script::new(Vec::new());
    *script.found.lock().unwrap() = Some(upid("qmreboot"));
    let reboot = command(1, 1, 100, Kind::Reboot(wire::Reboot { timeout_s: 9 }));
    let bench = crashed_while_calling(script, &reboot).await;
    bench.results(1).await;
    assert_eq!((bench.script.count("begin"), bench.script.count("follow")), (0, 1));
}

#[tokio::test]
async fn after_a_crash_nothing_new_is_begun_before_the_control_plane_says_so() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmstart")))]);
    let bench = crashed_while_calling(script, &start_vm(1, 1)).await;
    bench.script.called("find", 1).await;
    // Another command for the same VM goes past the one that waits.
    bench.run(&start_vm(2, 1)).await;
    assert_eq!(bench.results(1).await[0].command_id, start_vm(2, 1).command_id);
    assert_eq!(bench.script.count("begin"), 1);
    bench.run(&start_vm(1, 2)).await;
    bench.results(2).await;
    assert_eq!((bench.script.count("begin"), bench.script.count("find")), (2, 1));
}

#[tokio::test]
async fn a_call_without_an_answer_is_looked_up_before_it_counts_as_failed() {
    let timeout = || Err(PveError::new(ErrorKind::Timeout, "no answer within 30 s"));
    let script = Script::new(vec![timeout(), Ok(Begun::Done), timeout()]);
    *script.found.lock().unwrap() = Some(upid("qmstart"));
    let bench = Bench::new(script).await;
    bench.run(&start_vm(1, 1)).await;
    assert!(matches!(bench.results(1).await[0].outcome, Some(Outcome::Ok(_))));
    assert_eq!((bench.script.count("begin"), bench.script.count("find"), bench.script.count("follow")), (2, 1, 1));

    *bench.script.found.lock().unwrap() = None;
    bench.executor.acknowledge(&start_vm(1, 1).command_id, 3).await;
    bench.run(&start_vm(2, 1)).await;
    let results = bench.results(1).await;
    assert_eq!(error_of(&results[0]), (wire::ErrorKind::Timeout, "no answer within 30 s"));
}

#[tokio::test]
async fn a_step_is_followed_by_the_next_and_a_failure_keeps_proxmoxs_words() {
    let failure = PveError {
        log: vec!["TASK ERROR: VM is locked (backup)".to_owned()],
        presence: Presence::Present,
        upid: Some(upid("qmdestroy")),
        ..PveError::new(ErrorKind::Locked, "VM is locked (backup)")
    };
    let script = Script::new(vec![Ok(Begun::Step(upid("qmstop"))), Ok(Begun::Task(upid("qmdestroy")))]);
    script.ends.lock().unwrap().extend([Ok(TaskEnd::default()), Err(failure)]);
    let bench = Bench::new(script).await;
    bench.run(&command(1, 1, 100, Kind::Destroy(wire::Destroy {}))).await;
    let results = bench.results(1).await;
    assert_eq!(error_of(&results[0]), (wire::ErrorKind::Locked, "VM is locked (backup)"));
    assert_eq!(results[0].log, ["TASK ERROR: VM is locked (backup)"]);
    assert_eq!((bench.script.count("begin"), bench.script.count("follow")), (2, 2));
}

#[tokio::test]
async fn one_vm_has_one_command_at_a_time_and_a_waiting_one_can_be_cancelled() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmstart")))]);
    script.open.send_replace(false);
    let bench = Bench::new(script).await;
    bench.run(&start_vm(1, 1)).await;
    bench.script.called("follow", 1).await;
    bench.run(&start_vm(2, 5)).await;
    // A cancellation by an older claim does not count.
    assert!(bench.executor.cancel(&start_vm(2, 5).command_id, 4).await.is_none());
    assert!(bench.executor.cancel(&start_vm(2, 5).command_id, 5).await.is_none());
    let results = bench.results(1).await;
    assert_eq!(error_of(&results[0]), (wire::ErrorKind::Cancelled, "cancelled before it was begun"));
    assert!(results[0].cancelled && results[0].command_id == start_vm(2, 5).command_id);
    assert_eq!(bench.script.count("begin"), 1);

    assert!(bench.executor.cancel(&start_vm(1, 1).command_id, 1).await.is_none());
    let results = bench.results(2).await;
    assert!(results.iter().all(|result| result.cancelled));
    let unknown = result_of(bench.executor.cancel(&start_vm(9, 1).command_id, 1).await.unwrap());
    assert!(unknown.cancelled && error_of(&unknown).0 == wire::ErrorKind::Cancelled);
}

#[tokio::test]
async fn without_a_ledger_nothing_is_accepted_and_with_it_again_all_is() {
    let script = Script::new(Vec::new());
    let directory = tempfile::tempdir().unwrap();
    // A directory where the file should be: nobody can write that, not even root.
    fs::create_dir(directory.path().join("ledger.redb")).unwrap();
    let executor = start(&directory, &script).await;
    let bench = Bench { directory, script, executor };
    assert!(bench.executor.ledger().error().is_some());
    let result = result_of(bench.run(&start_vm(1, 1)).await);
    assert_eq!(error_of(&result).0, wire::ErrorKind::Ledger);
    assert_eq!(bench.script.count("begin"), 0);

    fs::remove_dir(bench.directory.path().join("ledger.redb")).unwrap();
    check_accepted(bench.run(&start_vm(1, 2)).await, 2);
    bench.results(1).await;
}

#[tokio::test]
async fn too_many_open_commands_are_refused() {
    let script = Script::new((0..8).map(|_| Ok(Begun::Task(upid("qmstart")))).collect());
    script.open.send_replace(false);
    let bench = Bench::new(script).await;
    for number in 1..=8 {
        check_accepted(bench.run(&start_vm(number, 1)).await, 1);
    }
    let result = result_of(bench.run(&start_vm(9, 1)).await);
    assert_eq!(error_of(&result).0, wire::ErrorKind::Unavailable);
    bench.executor.stop(DEADLINE).await;
}

/// Whether the ledger was damaged or is not there: what was made before it is looked up first, and that holds over a restart.
#[tokio::test]
async fn a_command_from_before_a_lost_ledger_is_looked_up_first() {
    for damage in [Some(vec![7; 8192]), None] {
        let directory = tempfile::tempdir().unwrap();
        if let Some(damage) = damage {
            fs::write(directory.path().join("ledger.redb"), damage).unwrap();
        }
        let script = Script::new(vec![Ok(Begun::Done)]);
        let old = RunCommand { command_id: Uuid::now_v7().to_string(), ..start_vm(1, 1) };
        let executor = start(&directory, &script).await;
        let bench = Bench { directory, script, executor }.restart().await;
        assert_eq!(bench.executor.ledger().error(), None);
        bench.run(&old).await;
        bench.results(1).await;
        assert_eq!(*bench.script.calls.borrow(), ["find".to_owned(), format!("begin {}", old.command_id)]);
    }
}

#[tokio::test]
async fn an_acknowledgement_of_an_older_claim_does_not_count_and_the_log_stays() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmstart")))]);
    let log = vec!["start VM 100".to_owned()];
    script.ends.lock().unwrap().push_back(Ok(TaskEnd { warnings: Vec::new(), log: log.clone() }));
    let bench = Bench::new(script).await;
    bench.run(&start_vm(1, 1)).await;
    bench.results(1).await;
    bench.run(&start_vm(1, 2)).await;
    let id = start_vm(1, 1).command_id;
    bench.executor.acknowledge(&id, 1).await;
    assert_eq!(bench.executor.results().len(), 1);
    bench.executor.acknowledge(&id, 2).await;
    assert!(bench.executor.results().is_empty());
    assert_eq!(result_of(bench.run(&start_vm(1, 3)).await).log, log);
    let bench = bench.restart().await;
    assert_eq!(result_of(bench.run(&start_vm(1, 4)).await).log, log);
}

#[tokio::test]
async fn a_cancellation_by_a_newer_claim_is_answered_under_it() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmstart")))]);
    script.open.send_replace(false);
    let bench = Bench::new(script).await;
    let id = start_vm(1, 1).command_id;
    bench.run(&start_vm(1, 1)).await;
    bench.script.called("follow", 1).await;
    assert!(bench.executor.cancel(&id, 7).await.is_none());
    let results = bench.results(1).await;
    assert_eq!((results[0].epoch, results[0].cancelled), (7, true));
    let again = result_of(bench.executor.cancel(&id, 8).await.unwrap());
    assert_eq!((again.epoch, again.cancelled), (8, true));
    bench.executor.acknowledge(&id, 8).await;
    assert!(bench.executor.cancel(&id, 7).await.is_none());
    let bench = bench.restart().await;
    let again = result_of(bench.executor.cancel(&id, 9).await.unwrap());
    assert_eq!((again.epoch, again.cancelled), (9, true));
    let unknown = result_of(bench.executor.cancel(&start_vm(2, 1).command_id, 4).await.unwrap());
    assert_eq!((unknown.epoch, unknown.cancelled), (4, true));
}

fn reboot(epoch: u64) -> RunCommand {
    command(1, epoch, 100, Kind::Reboot(wire::Reboot { timeout_s: 9 }))
}

#[tokio::test]
async fn a_reboot_that_still_waits_in_proxmox_is_not_done_twice() {
    let bench = crashed_while_calling(Script::new(Vec::new()), &reboot(1)).await;
    bench.script.called("find", 1).await;
    bench.run(&reboot(2)).await;
    bench.script.called("find", 3).await;
    assert_eq!(bench.script.count("begin"), 0);
    *bench.script.found.lock().unwrap() = Some(upid("qmreboot"));
    assert!(matches!(bench.results(1).await[0].outcome, Some(Outcome::Ok(_))));
    assert_eq!((bench.script.count("begin"), bench.script.count("follow")), (0, 1));
}

/// The clock of the test goes as fast as nothing happens, so that waiting takes no time.
#[tokio::test(start_paused = true)]
async fn a_reboot_that_was_not_carried_out_is_begun_after_all() {
    let bench = crashed_while_calling(Script::new(Vec::new()), &reboot(1)).await;
    bench.run(&reboot(2)).await;
    let mut calls = bench.script.calls.subscribe();
    calls.wait_for(|calls| calls.iter().any(|call| call.starts_with("begin"))).await.unwrap();
    assert!(bench.script.count("find") > 3);
    assert!(matches!(bench.results(1).await[0].outcome, Some(Outcome::Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn a_reboot_in_doubt_is_lost_instead_of_done_twice() {
    let bench = crashed_while_calling(Script::new(Vec::new()), &reboot(1)).await;
    bench.script.called("find", 1).await;
    *bench.script.deaf.lock().unwrap() = true;
    bench.run(&reboot(2)).await;
    let mut changed = bench.executor.results_changed();
    changed.wait_for(|count| *count > 0).await.unwrap();
    assert_eq!(error_of(&bench.results(1).await[0]).0, wire::ErrorKind::Lost);
    assert_eq!(bench.script.count("begin"), 0);
}

#[tokio::test]
async fn a_cancellation_ends_the_look_for_what_was_begun() {
    let script = Script::new(Vec::new());
    *script.deaf.lock().unwrap() = true;
    let bench = crashed_while_calling(script, &start_vm(1, 1)).await;
    bench.script.called("find", 1).await;
    bench.executor.cancel(&start_vm(1, 1).command_id, 1).await;
    let results = bench.results(1).await;
    assert!(results[0].cancelled, "{results:?}");
    assert_eq!(bench.script.count("begin"), 0);
}

#[tokio::test]
async fn a_task_of_before_a_restart_can_be_cancelled() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmstart")))]);
    script.open.send_replace(false);
    *script.found.lock().unwrap() = Some(upid("qmclone"));
    let bench = crashed_while_calling(script, &start_vm(1, 1)).await;
    bench.script.called("follow", 1).await;
    bench.executor.cancel(&start_vm(1, 1).command_id, 1).await;
    assert!(bench.results(1).await[0].cancelled);
}

#[tokio::test]
async fn a_repeated_command_brings_a_new_deadline() {
    let script = Script::new(vec![Ok(Begun::Task(upid("qmstart")))]);
    script.open.send_replace(false);
    let bench = Bench::new(script).await;
    bench.run(&start_vm(1, 1)).await;
    bench.script.called("follow", 1).await;
    let sooner = |epoch| RunCommand { deadline_ms: now_ms() - 60_000, ..start_vm(1, epoch) };
    bench.run(&sooner(0)).await;
    assert!(bench.executor.results().is_empty());
    bench.run(&sooner(2)).await;
    assert_eq!(error_of(&bench.results(1).await[0]).0, wire::ErrorKind::Deadline);
}
