//! Tasks that fail, vanish, are killed, warn or never end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mpanel_tests::pve_rig::{Rig, run_simulated, sim_config, watch};
use node_agent::proxmox::{Begun, ErrorKind, Hypervisor, Operation, Power, Presence, Request, Upid};
use pve_sim::{Action, TaskAction};
use tokio_util::sync::CancellationToken;

const MINUTE: Duration = Duration::from_mins(1);

fn fails(exit: &str, log: &[&str]) -> TaskAction {
    TaskAction::Fail { exit: exit.to_owned(), log: log.iter().map(|line| (*line).to_owned()).collect() }
}

async fn begin(rig: &Rig, request: &Request) -> Upid {
    match rig.pve.begin(request).await.unwrap() {
        Begun::Task(upid) => upid,
        other => panic!("a task was expected: {other:?}"),
    }
}

async fn held_clone(rig: &Rig) -> (Request, Upid) {
    let target = rig.target().await;
    rig.sim().faults().next_task("qmclone", TaskAction::Hold);
    let request = Rig::request(target, rig.clone_of_template(target, true));
    let upid = begin(rig, &request).await;
    assert_eq!(rig.sim().faults().wait_held("qmclone").await, upid.as_str());
    (request, upid)
}

#[tokio::test]
async fn a_full_storage_is_told_from_the_log() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.target().await;
        let exit = "clone failed: copy failed: command '/usr/bin/qemu-img convert -p -n' failed: exit code 1";
        let cause = "qemu-img: error while writing at byte 8388608: No space left on device";
        rig.sim().faults().next_task("qmclone", fails(exit, &[cause]));
        let error = rig.drive(target, rig.clone_of_template(target, true)).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::NoSpace, Presence::Absent), "{error:?}");
        assert!(
            error.message.contains("No space left on device") && error.message.contains("exit code 1"),
            "{error:?}"
        );
        assert!(error.log.iter().any(|line| line == cause) && error.upid.is_some(), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_task_that_fails_otherwise_is_told_in_proxmoxs_words() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let vm = rig.vm().await;
        let cause = "qemu-system-x86_64: cannot set up guest memory 'pc.ram': Cannot allocate memory";
        rig.sim().faults().next_task("qmstart", fails("start failed: QEMU exited with code 1", &[cause]));
        let error = rig.drive(vm, Operation::Start).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::TaskFailed, Presence::Present), "{error:?}");
        assert!(
            error.message.contains("QEMU exited with code 1") && error.message.contains("Cannot allocate"),
            "{error:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_warning_is_a_success() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let vm = rig.vm().await;
        rig.sim().faults().next_task("qmstart", TaskAction::Warnings { count: 1 });
        let done = rig.drive(vm, Operation::Start).await.unwrap();
        assert_eq!((done.state.power, done.end.warnings.len()), (Power::Running, 1), "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn a_task_that_vanished_is_lost_and_its_work_found() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.target().await;
        rig.sim().faults().next_task("qmclone", TaskAction::Vanish);
        let request = Rig::request(target, rig.clone_of_template(target, false));
        let upid = begin(&rig, &request).await;
        let error =
            rig.pve.follow(&request, &upid, watch(MINUTE, &CancellationToken::new(), &|_| {})).await.unwrap_err();
        assert_eq!((error.kind, error.upid), (ErrorKind::Lost, Some(upid)), "{}", error.message);
        assert_ne!(error.presence, Presence::Absent);
        let done = rig.drive(target, request.operation).await.unwrap();
        assert_eq!(done.state.presence, Presence::Present, "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn a_killed_clone_is_lost_and_its_lock_told_with_the_cure() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.target().await;
        rig.sim().faults().next_task("qmclone", TaskAction::Kill);
        let request = Rig::request(target, rig.clone_of_template(target, true));
        let upid = begin(&rig, &request).await;
        let error =
            rig.pve.follow(&request, &upid, watch(MINUTE, &CancellationToken::new(), &|_| {})).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Lost, Presence::Present), "{error:?}");
        for operation in [request.operation.clone(), Operation::Destroy] {
            let error = rig.pve.begin(&Rig::request(target, operation)).await.unwrap_err();
            assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Present), "{error:?}");
            assert!(error.message.contains("VM is locked (clone)"), "{error:?}");
            assert!(error.message.contains(&format!("qm destroy {} --skiplock", target.vmid)), "{error:?}");
        }
        let state = rig.pve.inspect(target.vmid).await.unwrap();
        assert_eq!(state.lock.as_deref(), Some("clone"), "{state:?}");
        rig.forget(target);
    })
    .await;
}

#[tokio::test]
async fn a_clone_killed_before_its_stamp_is_no_foreign_vm() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.target().await;
        rig.sim().faults().next_task("qmclone", TaskAction::KillEarly);
        let request = Rig::request(target, rig.clone_of_template(target, true));
        let upid = begin(&rig, &request).await;
        let error =
            rig.pve.follow(&request, &upid, watch(MINUTE, &CancellationToken::new(), &|_| {})).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Lost, Presence::Present), "{error:?}");
        let error = rig.pve.begin(&Rig::request(target, Operation::Destroy)).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Present), "{error:?}");
        assert!(error.message.contains(&format!("qm destroy {} --skiplock --purge", target.vmid)), "{error:?}");
        rig.forget(target);
    })
    .await;
}

#[tokio::test]
async fn a_reboot_is_over_when_the_vm_runs_again() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let vm = rig.vm().await;
        rig.drive(vm, Operation::Start).await.unwrap();
        rig.sim().faults().next_task("qmstart", TaskAction::Slow { ms: 500 });
        let done = rig.drive(vm, Operation::Reboot { timeout_s: 30 }).await.unwrap();
        assert_eq!((done.tasks.len(), done.state.power), (1, Power::Running), "{done:?}");

        rig.sim().faults().next_task("qmstart", fails("start failed: QEMU exited with code 1", &[]));
        let request = Rig::request(vm, Operation::Reboot { timeout_s: 30 });
        let upid = begin(&rig, &request).await;
        let limit = watch(Duration::from_secs(3), &CancellationToken::new(), &|_| {});
        let error = rig.pve.follow(&request, &upid, limit).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Deadline, Presence::Present), "{error:?}");
        assert!(error.message.contains("did not come back") && error.message.contains("stopped"), "{error:?}");
        assert_eq!(error.upid, Some(upid));
    })
    .await;
}

#[tokio::test]
async fn a_lock_that_is_released_is_waited_out() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let vm = rig.vm().await;
        let locked = "can't lock file '/var/lock/qemu-server/lock-100.conf' - got timeout";
        rig.sim().faults().next_task("qmstart", fails(locked, &["trying to acquire lock..."]));
        let request = Rig::request(vm, Operation::Start);
        let upid = begin(&rig, &request).await;
        let error =
            rig.pve.follow(&request, &upid, watch(MINUTE, &CancellationToken::new(), &|_| {})).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Present), "{error:?}");
        assert_eq!(rig.drive(vm, Operation::Start).await.unwrap().state.power, Power::Running);
    })
    .await;
}

#[tokio::test]
async fn a_task_of_the_command_before_is_not_taken_for_that_of_one_that_was_not_answered() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.target().await;
        let failing = TaskAction::Fail { exit: "clone failed: it broke".to_owned(), log: Vec::new() };
        rig.sim().faults().next_task("qmclone", failing);
        let clone = || rig.clone_of_template(target, true);
        assert_eq!(rig.drive(target, clone()).await.unwrap_err().kind, ErrorKind::TaskFailed);
        let lost = Action::Status { status: 595, reason: "Connection refused".to_owned() };
        rig.sim().faults().next("POST", "/nodes/*/qemu/*/clone", 1, lost);
        let called_ms = node_agent::clock::now_ms();
        let request = Rig::request(target, clone());
        assert_eq!(rig.pve.begin(&request).await.unwrap_err().kind, ErrorKind::Unavailable);
        assert_eq!(rig.pve.find_task(&request, called_ms).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_running_clone_is_joined_and_found_but_not_by_another_pod() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let (request, upid) = held_clone(&rig).await;
        rig.sim().faults().forget_calls();
        let reborn = rig.other(|_| {});
        assert_eq!(reborn.begin(&request).await.unwrap(), Begun::Task(upid.clone()));
        assert_eq!(reborn.find_task(&request, 0).await.unwrap(), Some(upid.clone()));
        assert_eq!(rig.sim().faults().count("POST", "*"), 0);
        let rival = rig.rival(request.target);
        let claim = Rig::request(rival, rig.clone_of_template(rival, true));
        let error = rig.pve.begin(&claim).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::VmidTaken, Presence::Present), "{error:?}");
        rig.sim().faults().release();
        reborn.follow(&request, &upid, watch(MINUTE, &CancellationToken::new(), &|_| {})).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_clone_that_is_called_off_is_gone() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        for kind in [ErrorKind::Cancelled, ErrorKind::Deadline] {
            let (request, upid) = held_clone(&rig).await;
            let cancel = CancellationToken::new();
            let limit = if kind == ErrorKind::Deadline { Duration::from_millis(200) } else { MINUTE };
            // Called off as soon as its first lines have been told.
            let told = |_| {
                if kind == ErrorKind::Cancelled {
                    cancel.cancel();
                }
            };
            let error = rig.pve.follow(&request, &upid, watch(limit, &cancel, &told)).await.unwrap_err();
            assert_eq!((error.kind, error.presence), (kind, Presence::Absent), "{error:?}");
            assert!(error.message.contains("stopped"), "{error:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn hiccups_while_following_are_waited_out() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let (request, upid) = held_clone(&rig).await;
        let faults = rig.sim().faults();
        faults.forget_calls();
        faults.next(
            "GET",
            "/nodes/*/tasks/*/status",
            2,
            Action::Status { status: 595, reason: "No route to host".to_owned() },
        );
        let lines = Mutex::new(Vec::new());
        let released = Mutex::new(false);
        let told = |progress: node_agent::proxmox::Progress| {
            lines.lock().unwrap().extend(progress.log);
            if !std::mem::replace(&mut *released.lock().unwrap(), true) {
                faults.next("GET", "/nodes/*/tasks/*/log", 1, Action::CloseMidBody);
                faults.release();
            }
        };
        let end = rig.pve.follow(&request, &upid, watch(MINUTE, &CancellationToken::new(), &told)).await.unwrap();
        let lines = lines.into_inner().unwrap();
        assert!(
            lines.last().is_some_and(|line| line == "TASK OK") && end.log.ends_with(&["TASK OK".to_owned()]),
            "{lines:?}"
        );
        let begun = lines.iter().filter(|line| line.contains("full clone of drive scsi0")).count();
        assert_eq!(begun, 1, "each line is told once: {lines:?}");
    })
    .await;
}

#[tokio::test]
async fn a_stop_that_was_not_heard_is_repeated() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let (request, upid) = held_clone(&rig).await;
        rig.sim().faults().next("DELETE", "/nodes/*/tasks/*", 1, Action::Close);
        rig.pve.stop_task(&upid).await.unwrap();
        assert_eq!(rig.pve.inspect(request.target.vmid).await.unwrap().presence, Presence::Absent);
        rig.pve.stop_task(&upid).await.unwrap();
    })
    .await;
}
