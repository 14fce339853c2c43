//! What holds for every saga: each step may fail, each command may fail on its host, all may be repeated.

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::{Detail, State};
use control_plane::domain::jobs::{FailureKind, Job, JobState};
use control_plane::error::Result;
use control_plane::ids::CloudPodId;
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, actor, staff};
use mpanel_tests::scripted_agent::Fail;

use super::{NOTHING, ONE_POD, backups, captures, moves, network, operations, remake, restores, snapshots, upkeep};

/// Asks for a job of this kind; `None`: for a new pod.
pub async fn ask(bench: &PodBench, kind: &str, pod: Option<CloudPodId>, name: &str) -> Result<(Detail, Job)> {
    let (by, scope, pods) = (actor(), Scope::Platform, &bench.pods);
    match (kind, pod) {
        ("provision", _) => bench.create(name).await,
        ("start", Some(pod)) => pods.cloudpod_start(&by, scope, pod).await,
        ("stop", Some(pod)) => pods.cloudpod_stop(&by, scope, pod).await,
        ("shutdown", Some(pod)) => pods.cloudpod_shutdown(&by, scope, pod, 60, false).await,
        ("reboot", Some(pod)) => pods.cloudpod_reboot(&by, scope, pod, 60).await,
        ("migrate", Some(pod)) => pods.cloudpod_migrate(&by, scope, pod, moves::anywhere()).await,
        ("destroy", Some(pod)) => pods.cloudpod_destroy(&by, staff(), pod).await,
        ("suspend", Some(pod)) => pods.cloudpod_suspend(&by, scope, pod, "unpaid", 60).await,
        ("unsuspend", Some(pod)) => pods.cloudpod_unsuspend(&by, scope, pod).await,
        ("snapshot", Some(pod)) => pods.snapshot_create(&by, scope, pod, "new", "for the test", true).await,
        ("rollback", Some(pod)) => pods.snapshot_rollback(&by, scope, pod, "old").await,
        ("delete_snapshot", Some(pod)) => pods.snapshot_delete(&by, scope, pod, "old").await,
        ("rebuild", Some(pod)) => pods.cloudpod_rebuild(&by, scope, pod, &remake::anew()).await,
        ("reset_password", Some(pod)) => {
            Ok(pods.cloudpod_reset_password(&by, scope, pod, remake::password("open sesame")).await?.asked)
        }
        ("ssh_keys", Some(pod)) => pods.cloudpod_ssh_keys(&by, scope, pod, None, &[], true).await,
        ("media", Some(pod)) => pods.cloudpod_media(&by, scope, pod, remake::cd()).await,
        ("rescue", Some(pod)) => pods.cloudpod_rescue(&by, scope, pod, remake::RESCUE_ISO).await,
        ("firewall", Some(pod)) => pods.firewall_put(&by, scope, pod, None, network::web()).await,
        ("unrescue", Some(pod)) => pods.cloudpod_unrescue(&by, scope, pod).await,
        ("capture", Some(pod)) => pods.image_capture(&by, scope, pod, &captures::name_new(), None).await,
        ("delete_image", Some(pod)) => {
            pods.image_captured_delete(&by, scope, captures::newest(bench, pod).await.id).await
        }
        ("backup", Some(pod)) => pods.backup_create(&by, scope, pod, backups::wanted()).await,
        ("delete_backup", Some(pod)) => pods.backup_delete(&by, scope, pod, backups::newest(bench, pod).await.id).await,
        ("restore", Some(pod)) => {
            pods.backup_restore(&by, staff(), pod, backups::newest(bench, pod).await.id, None).await
        }
        ("recreate", Some(of)) => restores::recreate(bench, of, name).await,
        ("adopt", _) => upkeep::adopt(bench, name).await,
        ("autostart", Some(pod)) => upkeep::autostart(bench, pod).await,
        ("network", Some(pod)) => pods.cloudpod_network(&by, pod).await,
        ("rehome", Some(pod)) => upkeep::rehome(bench, pod).await,
        ("release_orphan", Some(pod)) => upkeep::release_orphan(bench, pod).await,
        ("destroy_orphan", Some(pod)) => upkeep::destroy_orphan(bench, pod).await,
        ("resize", Some(pod)) => pods.cloudpod_resize(&by, scope, pod, &operations::larger()).await,
        (kind, _) => panic!("this suite cannot ask for {kind}: teach it to, so that its proofs hold for every saga"),
    }
}

pub async fn done(bench: &PodBench, kind: &str, pod: CloudPodId) -> Job {
    let (_, job) = ask(bench, kind, Some(pod), "").await.unwrap();
    let job = bench.over(job.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{kind}: {:?}", job.error);
    job
}

/// The pod that a job of this kind needs.
pub async fn prepared(bench: &PodBench, kind: &str, name: &str) -> Option<CloudPodId> {
    if matches!(kind, "provision" | "adopt") {
        return None;
    }
    let pod = bench.active(name).await;
    match kind {
        "start" => drop(done(bench, "stop", pod).await),
        "unsuspend" => drop(done(bench, "suspend", pod).await),
        "unrescue" => drop(done(bench, "rescue", pod).await),
        "rollback" | "delete_snapshot" => snapshots::taken(bench, pod, "old").await,
        "delete_image" => captures::made(bench, pod).await,
        "delete_backup" | "restore" => backups::made(bench, pod).await,
        "recreate" => {
            backups::made(bench, pod).await;
            done(bench, "destroy", pod).await;
        }
        _ => {}
    }
    Some(pod)
}

/// What has to be true after a job of this kind failed, wherever it failed.
async fn assert_failed(bench: &PodBench, kind: &str, job: &Job, pod: CloudPodId, held_before: [i64; 4], what: &str) {
    assert_eq!(job.state, JobState::Failed, "{what}: {:?}", job.error);
    let Detail { pod, .. } = bench.pod(pod).await;
    upkeep::put_back(bench, kind, &pod);
    match kind {
        "adopt" => {
            assert_eq!(bench.held().await, held_before, "{what}: it holds nothing");
            assert!(matches!(pod.state, State::Deleted { .. }), "{what}: its name is free: {:?}", pod.state);
        }
        "provision" => {
            assert_eq!(bench.held().await, held_before, "{what}: it holds nothing");
            let State::Failed { cause } = &pod.state else { panic!("{what}: {:?}", pod.state) };
            assert_eq!(*cause, job.error.as_ref().unwrap().detail, "{what}: its cause is shown");
        }
        "recreate" => {
            assert_eq!(bench.held().await, held_before, "{what}: it holds nothing");
            let State::Failed { cause } = &pod.state else { panic!("{what}: {:?}", pod.state) };
            assert_eq!(*cause, format!("it could not be restored: {}", job.error.as_ref().unwrap().detail), "{what}");
        }
        // What is certainly gone is released by the next destroy.
        "destroy" => {
            assert!(matches!(pod.state, State::Failed { .. }), "{what}: {:?}", pod.state);
            assert_eq!(bench.held().await[..3], held_before[..3], "{what}: what it holds stays held");
        }
        // Past its point of no return it keeps what it holds, and can be asked for again.
        "rebuild" if pod.state != State::Active => {
            let State::Failed { cause } = &pod.state else { panic!("{what}: {:?}", pod.state) };
            assert!(cause.contains("rebuild it again"), "{what}: {cause}");
            assert_eq!(bench.held().await[..3], held_before[..3], "{what}: what it holds stays held");
            done(bench, "rebuild", pod.id).await;
            assert_eq!(bench.pod(pod.id).await.pod.state, State::Active, "{what}");
        }
        _ => {
            let before = if kind == "unsuspend" { State::Suspended } else { State::Active };
            assert_eq!(pod.state, before, "{what}");
            assert_eq!(bench.held().await, held_before, "{what}: it holds what it held");
        }
    }
    if !matches!(pod.state, State::Deleted { .. }) {
        done(bench, "destroy", pod.id).await;
    }
    assert_eq!(bench.held().await, NOTHING, "{what}");
}

#[tokio::test]
async fn each_step_of_each_saga_may_fail_and_what_was_done_is_undone() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.server("pve2", 16).await;
        for saga in &bench.sagas {
            let kind = saga.kind();
            for (index, step) in saga.steps().iter().enumerate() {
                for before in [true, false] {
                    let what = format!("{} {kind} {} {before}", database.name, step.name());
                    let name = format!("p{}-{index}-{before}", kind.len());
                    let pod = prepared(&bench, kind, &name).await;
                    let held_before = bench.held().await;
                    *bench.faults.fail.lock().unwrap() = Some((kind, index, before));
                    let (detail, job) = ask(&bench, kind, pod, &name).await.unwrap();
                    let job = bench.over(job.id).await;
                    *bench.faults.fail.lock().unwrap() = None;
                    assert_eq!(job.error.as_ref().unwrap().code, "injected", "{what}");
                    assert_failed(&bench, kind, &job, detail.pod.id, held_before, &what).await;
                }
            }
        }
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one proof, told from its beginning to its end")]
async fn each_command_of_each_saga_may_fail_on_its_host() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.server("pve2", 16).await;
        for (kind, command) in [
            ("provision", "clone"),
            ("provision", "configure"),
            ("provision", "resize_disk"),
            ("provision", "start"),
            ("provision", "wait_power"),
            ("start", "start"),
            ("start", "wait_power"),
            ("stop", "stop"),
            ("shutdown", "shutdown"),
            ("reboot", "reboot"),
            ("migrate", "check_migrate"),
            ("migrate", "inspect"),
            ("migrate", "migrate"),
            ("destroy", "destroy"),
            ("snapshot", "list_snapshots"),
            ("snapshot", "take_snapshot"),
            ("rollback", "rollback"),
            ("rollback", "configure"),
            ("rollback", "set_media"),
            ("rollback", "resize_disk"),
            ("rollback", "start"),
            ("delete_snapshot", "delete_snapshot"),
            ("capture", "clone"),
            ("capture", "make_template"),
            ("delete_image", "destroy"),
            ("backup", "list_backups"),
            ("backup", "make_backup"),
            ("delete_backup", "delete_backup"),
            ("restore", "list_backups"),
            ("restore", "stop"),
            ("restore", "restore_backup"),
            ("restore", "configure"),
            ("restore", "resize_disk"),
            ("restore", "start"),
            ("recreate", "list_backups"),
            ("recreate", "restore_backup"),
            ("recreate", "configure"),
            ("recreate", "resize_disk"),
            ("recreate", "set_firewall"),
            ("recreate", "start"),
            ("suspend", "set_options"),
            ("suspend", "shutdown"),
            ("unsuspend", "set_options"),
            ("unsuspend", "start"),
            ("unsuspend", "wait_power"),
            ("adopt", "adopt"),
            ("adopt", "inspect"),
            ("autostart", "set_options"),
            ("network", "configure"),
            ("network", "set_firewall"),
            ("rehome", "inspect"),
            ("destroy_orphan", "destroy"),
            ("release_orphan", "release"),
            ("resize", "configure"),
            ("resize", "resize_disk"),
            ("resize", "reboot"),
            ("provision", "set_firewall"),
            ("rebuild", "set_firewall"),
            ("firewall", "set_firewall"),
            ("migrate", "set_firewall"),
            ("restore", "set_firewall"),
            ("rollback", "set_firewall"),
            ("rehome", "set_firewall"),
            ("rebuild", "stop"),
            ("rebuild", "destroy"),
            ("rebuild", "clone"),
            ("rebuild", "configure"),
            ("rebuild", "start"),
            ("rebuild", "wait_power"),
            ("reset_password", "set_password"),
            ("ssh_keys", "configure"),
            ("ssh_keys", "reboot"),
            ("media", "set_media"),
            ("rescue", "stop"),
            ("rescue", "set_media"),
            ("rescue", "start"),
            ("unrescue", "set_media"),
            ("unrescue", "wait_power"),
        ] {
            for (when, failure) in [(Fail::Before, FailureKind::NoSpace), (Fail::After, FailureKind::Permission)] {
                let what = format!("{} {kind} {command} {when:?}", database.name);
                let name = format!("h{}-{}-{}", kind.len(), command.replace('_', "-"), failure.code().len());
                let pod = prepared(&bench, kind, &name).await;
                let held_before = bench.held().await;
                bench.agents.fail(command, 1, when, failure);
                let (detail, job) = ask(&bench, kind, pod, &name).await.unwrap();
                let job = bench.over(job.id).await;
                assert_eq!(job.error.as_ref().unwrap().code, failure.code(), "{what}");
                assert!(job.error.as_ref().unwrap().detail.starts_with("scripted"), "{what}");
                assert_failed(&bench, kind, &job, detail.pod.id, held_before, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn do_and_undo_of_each_saga_may_be_repeated() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        bench.server("pve2", 16).await;
        bench.agents.twice(true);
        *bench.faults.twice.lock().unwrap() = true;
        for saga in &bench.sagas {
            let kind = saga.kind();
            let what = format!("{} {kind}", database.name);
            let pod = prepared(&bench, kind, &format!("t{}", kind.len())).await;
            let (detail, job) = ask(&bench, kind, pod, "t-provision").await.unwrap();
            let job = bench.over(job.id).await;
            assert_eq!(job.state, JobState::Succeeded, "{what}: {:?}", job.error);
            let held = match kind {
                "destroy" => NOTHING,
                "adopt" => upkeep::ADOPTED,
                _ => ONE_POD,
            };
            assert_eq!(bench.held().await, held, "{what}");
            if kind != "destroy" {
                done(&bench, "destroy", detail.pod.id).await;
            }
            let last = saga.steps().len() - 1;
            let pod = prepared(&bench, kind, &format!("u{}", kind.len())).await;
            let held_before = bench.held().await;
            *bench.faults.fail.lock().unwrap() = Some((kind, last, false));
            let (detail, job) = ask(&bench, kind, pod, "u-provision").await.unwrap();
            let job = bench.over(job.id).await;
            *bench.faults.fail.lock().unwrap() = None;
            assert_failed(&bench, kind, &job, detail.pod.id, held_before, &what).await;
        }
    }
}
