//! Snapshots, backups and restores whose answer is lost, whose task is killed or fails, or that the agent did not live to see.

use std::sync::Arc;
use std::time::Duration;

use mpanel_tests::eventually;
use mpanel_tests::pve_rig::{Rig, drive_request, patience, run_simulated, sim_config, watch};
use node_agent::proxmox::{
    BackupMode, Begun, ErrorKind, Hypervisor, Look, Operation, Presence, Request, Secret, Target,
};
use pve_sim::{Action, StorageSpec, TaskAction};
use tokio_util::sync::CancellationToken;

fn snapshot() -> Operation {
    Operation::TakeSnapshot { name: "before".to_owned(), description: String::new(), memory: false }
}

fn backup(rig: &Rig) -> Operation {
    Operation::MakeBackup { storage: rig.backup_storage.clone(), mode: BackupMode::Snapshot, protected: false }
}

async fn restore_of(rig: &Rig, target: Target) -> Operation {
    let source = rig.vm().await;
    let made = rig.drive(source, backup(rig)).await.unwrap();
    let volid = made.outcome.backups[0].volid.clone();
    assert_ne!(source, target);
    Operation::RestoreBackup { volid, storage: None, unique: false }
}

/// What the agent does when a call was not answered: it looks for its task, follows it, and begins again.
async fn go_on(rig: &Rig, request: &Request) {
    let upid = rig.pve.find_task(request, 0).await.unwrap().expect("the task of the call");
    rig.pve.follow(request, &upid, watch(patience(), &CancellationToken::new(), &|_| {})).await.unwrap();
    assert_eq!(rig.pve.begin(request).await.unwrap(), Begun::Done);
}

#[tokio::test]
async fn a_call_without_an_answer_is_carried_out_once() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let (vm, made) = (rig.vm().await, rig.target().await);
        let restore = restore_of(&rig, made).await;
        let cases = [
            (vm, snapshot(), format!("/nodes/pve1/qemu/{}/snapshot", vm.vmid), "qmsnapshot"),
            (vm, backup(&rig), "/nodes/pve1/vzdump".to_owned(), "vzdump"),
            (made, restore, "/nodes/pve1/qemu".to_owned(), "qmrestore"),
        ];
        for (target, operation, path, kind) in cases {
            let request = Rig::request(target, operation);
            rig.sim().faults().next("POST", &path, 1, Action::LoseAnswer);
            let error = rig.pve.begin(&request).await.unwrap_err();
            assert!(error.is_transient() && error.is_open, "{kind}: {error:?}");
            go_on(&rig, &request).await;
            let outcome = rig.pve.outcome(&request).await.unwrap();
            assert_eq!(outcome.state.presence, Presence::Present, "{kind}: {outcome:?}");
            let tasks = rig
                .sim()
                .hand()
                .tasks()
                .into_iter()
                .filter(|(upid, _)| upid.contains(&format!(":{kind}:{}:", target.vmid)));
            assert_eq!(tasks.count(), 1, "{kind} was done twice");
        }
        let look = Look::Backups { storage: rig.backup_storage.clone() };
        assert_eq!(rig.pve.look(vm, &look).await.unwrap().backups.len(), 1);
        assert_eq!(rig.pve.look(vm, &Look::Snapshots).await.unwrap().snapshots.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_a_killed_restore_left_is_told_and_not_taken_for_another_pods() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.target().await;
        let request = Rig::request(target, restore_of(&rig, target).await);
        rig.sim().faults().next_task("qmrestore", TaskAction::Kill);
        let Begun::Task(upid) = rig.pve.begin(&request).await.unwrap() else { panic!("a restore is a task") };
        let end = rig.pve.follow(&request, &upid, watch(patience(), &CancellationToken::new(), &|_| {})).await;
        let error = end.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Lost, Presence::Present), "{error:?}");
        for request in [request.clone(), Rig::request(target, Operation::Destroy)] {
            let error = rig.pve.begin(&request).await.unwrap_err();
            assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Present), "{error:?}");
            assert!(error.message.contains(&format!("qm destroy {} --skiplock", target.vmid)), "{error:?}");
        }
        // As root on the host does it.
        assert!(rig.sim().hand().delete_vm(target.vmid));
        let done = drive_request(&*rig.pve, &request).await.unwrap();
        assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn a_restore_that_fails_leaves_nothing() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.target().await;
        let request = Rig::request(target, restore_of(&rig, target).await);
        let fail = || {
            let (exit, log) = ("exit code 133".to_owned(), vec!["No space left on device".to_owned()]);
            rig.sim().faults().next_task("qmrestore", TaskAction::Fail { exit, log });
        };
        let begin = async |request: &Request| match rig.pve.begin(request).await.unwrap() {
            Begun::Task(upid) => upid,
            other => panic!("{other:?}"),
        };
        fail();
        let error = drive_request(&*rig.pve, &request).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::NoSpace, Presence::Absent), "{error:?}");
        assert!(rig.sim().hand().vm(target.vmid).is_none(), "not even an empty VM");
        assert!(rig.drive(target, Operation::Destroy).await.unwrap().tasks.is_empty());

        // The agent did not live to see it fail: what is left is known for what it is, to the undo and to the next try.
        let left = async || {
            fail();
            let upid = begin(&request).await;
            eventually("the end of the restore", patience(), async || {
                let tasks = rig.sim().hand().tasks();
                tasks.iter().any(|(known, exit)| known == upid.as_str() && exit.is_some()).then_some(())
            })
            .await;
            assert_eq!(rig.sim().hand().vm(target.vmid).unwrap().lock, None);
        };
        left().await;
        let done = rig.drive(target, Operation::Destroy).await.unwrap();
        assert_eq!((done.tasks.len(), done.state.presence), (1, Presence::Absent), "{done:?}");
        left().await;
        let done = drive_request(&*rig.pve, &request).await.unwrap();
        assert_eq!(done.state.stamp.map(|stamp| stamp.pod_id), Some(target.pod_id), "{done:?}");
        rig.drive(target, Operation::Destroy).await.unwrap();

        // What somebody has made something of since is theirs.
        for (key, value) in
            [("name", "theirs"), ("description", "Anna's"), ("scsi0", "local:1/x.raw"), ("net0", "virtio")]
        {
            left().await;
            assert!(rig.sim().hand().set_config(target.vmid, key, Some(value)));
            let error = rig.drive(target, Operation::Destroy).await.unwrap_err();
            assert_eq!((error.kind, error.presence), (ErrorKind::ForeignVm, Presence::Present), "{key}: {error:?}");
            let error = drive_request(&*rig.pve, &request).await.unwrap_err();
            assert_eq!((error.kind, error.presence), (ErrorKind::VmidTaken, Presence::Present), "{key}: {error:?}");
            assert!(rig.sim().hand().delete_vm(target.vmid));
        }
    })
    .await;
}

#[tokio::test]
async fn a_restore_that_runs_is_joined() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.target().await;
        let request = Rig::request(target, restore_of(&rig, target).await);
        rig.sim().faults().next_task("qmrestore", TaskAction::Hold);
        let Begun::Task(upid) = rig.pve.begin(&request).await.unwrap() else { panic!("a restore is a task") };
        rig.sim().faults().wait_held("qmrestore").await;
        assert_eq!(rig.other(|_| {}).begin(&request).await.unwrap(), Begun::Step(upid.clone()));
        let error = rig.pve.begin(&Rig::request(target, Operation::Destroy)).await.unwrap_err();
        assert_eq!((error.kind, error.upid.as_ref()), (ErrorKind::Locked, Some(&upid)), "{error:?}");
        rig.sim().faults().release();
        let done = drive_request(&*rig.pve, &request).await.unwrap();
        assert_eq!(done.state.stamp.and_then(|stamp| stamp.command_id), Some(request.command_id), "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn a_backup_that_fails_tells_the_cause_of_its_log() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.vm().await;
        assert!(rig.sim().hand().lock_vm(target.vmid, Some("migrate")));
        let request = Rig::request(target, backup(&rig));
        let Begun::Task(upid) = rig.pve.begin(&request).await.unwrap() else { panic!("a backup is a task") };
        let end = rig.pve.follow(&request, &upid, watch(patience(), &CancellationToken::new(), &|_| {})).await;
        let error = end.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Present), "{error:?}");
        assert!(error.message.contains("VM is locked (migrate)"), "{error:?}");
        rig.sim().hand().lock_vm(target.vmid, None);
    })
    .await;
}

#[tokio::test]
async fn a_backup_on_a_storage_that_is_away_is_not_taken_for_deleted() {
    let mut sim = sim_config();
    let content = vec!["backup".to_owned(), "iso".to_owned()];
    let vault = StorageSpec { content, ..StorageSpec::new("vault", 250 << 30) };
    sim.storages = vec![StorageSpec::new("local", 250 << 30), vault];
    run_simulated(sim, async |rig: Arc<Rig>| {
        let (target, other) = (rig.vm().await, rig.vm().await);
        let to_vault =
            Operation::MakeBackup { storage: "vault".to_owned(), mode: BackupMode::Snapshot, protected: false };
        let made = async |of| rig.drive(of, to_vault.clone()).await.unwrap().outcome.backups.remove(0).volid;
        let delete = async |volid: &str| rig.drive(target, Operation::DeleteBackup { volid: volid.to_owned() }).await;
        let (hand, first) = (rig.sim().hand(), made(target).await);
        let away = hand.unmount("vault");
        let error = delete(&first).await.unwrap_err();
        assert!(error.kind == ErrorKind::Unavailable && error.message.contains("mount it"), "{error:?}");
        assert!(hand.mount(away));
        assert_eq!(delete(&first).await.unwrap().tasks.len(), 1, "it was there all the time");

        // It was the last one, and what became of it is known: the same command again, as after a crash of the agent.
        assert!(hand.volumes("vault").is_empty());
        assert!(delete(&first).await.unwrap().tasks.is_empty());
        // Somebody removed the last one by hand: nothing tells that until there is something else.
        let second = made(other).await;
        drop(hand.unmount("vault"));
        assert_eq!(delete(&second).await.unwrap_err().kind, ErrorKind::Unavailable);
        assert!(hand.add_iso("vault", "x.iso", 1 << 20));
        assert!(delete(&second).await.unwrap().tasks.is_empty());
    })
    .await;
}

#[tokio::test]
async fn after_a_restart_a_vmid_is_not_free_while_a_call_may_still_make_its_vm() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let (one, two) = (rig.target().await, rig.target().await);
        let reborn = rig.other(|_| {});
        reborn.may_come(one.vmid, Duration::from_secs(30));
        reborn.may_come(two.vmid, Duration::from_hours(1));
        let error = reborn.inspect(one.vmid).await.unwrap_err();
        assert_eq!((error.kind, error.presence), (ErrorKind::Locked, Presence::Unknown), "{error:?}");
        let error = reborn.begin(&Rig::request(one, Operation::Destroy)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Locked, "{error:?}");
        assert_eq!(reborn.inspect(two.vmid).await.unwrap().presence, Presence::Absent);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_in_no_error() {
    run_simulated(sim_config(), async |rig: Arc<Rig>| {
        let target = rig.vm().await;
        rig.drive(target, Operation::Start).await.unwrap();
        let path = format!("/nodes/pve1/qemu/{}/agent/set-user-password", target.vmid);
        let reason = "Agent error: cannot set 'correct-horse' for anna".to_owned();
        rig.sim().faults().next("POST", &path, 1, Action::Status { status: 500, reason });
        let set = Operation::SetPassword { user: "anna".to_owned(), password: Secret::new("correct-horse") };
        let error = rig.drive(target, set).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused, "{error:?}");
        assert!(error.message.contains("anna") && !format!("{error:?}").contains("correct-horse"), "{error:?}");
    })
    .await;
}
