//! Snapshots: what is asked for, what the host has, and that the two are brought together.

use control_plane::clock::Ms;
use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::operations::Resize;
use control_plane::domain::cloudpods::{DesiredPower, State};
use control_plane::domain::jobs::{FailureKind, JobState, Power, SnapshotSeen};
use control_plane::domain::snapshots::{Snapshot, SnapshotState};
use control_plane::ids::{CloudPodId, TenantId};
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, SNAPSHOTS_PER_POD, actor};
use mpanel_tests::scripted_agent::Fail;

use super::{ask, done};

/// Takes a snapshot and waits for it.
pub async fn taken(bench: &PodBench, pod: CloudPodId, name: &str) {
    let (_, job) = bench.pods.snapshot_create(&actor(), Scope::Platform, pod, name, "", false).await.unwrap();
    let job = bench.over(job.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
}

async fn listed(bench: &PodBench, pod: CloudPodId) -> Vec<Snapshot> {
    let window = Window { limit: 100, after: None };
    bench.pods.snapshot_list(Scope::Platform, pod, &window).await.unwrap()
}

async fn names(bench: &PodBench, pod: CloudPodId) -> Vec<(String, SnapshotState)> {
    listed(bench, pod).await.into_iter().map(|s| (s.name, s.state)).collect()
}

fn ready(names: &[&str]) -> Vec<(String, SnapshotState)> {
    names.iter().map(|name| ((*name).to_owned(), SnapshotState::Ready)).collect()
}

/// Somebody takes a snapshot in Proxmox's own interface.
fn by_hand(bench: &PodBench, pod: CloudPodId, name: &str) {
    bench.agents.vm_change(pod, |vm| {
        let seen = SnapshotSeen {
            name: name.to_owned(),
            description: "by hand\u{7}".to_owned(),
            created_at: Ms(5),
            memory: false,
            parent: None,
        };
        vm.snapshots.insert(name.to_owned(), seen);
    });
}

#[tokio::test]
async fn a_snapshot_is_taken_gone_back_to_and_deleted_and_goes_with_its_pod() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let asked = bench.pods.snapshot_create(&actor(), Scope::Platform, pod, "before", "the upgrade", true).await;
        let (_, job) = asked.unwrap();
        assert_eq!(names(&bench, pod).await, [("before".to_owned(), SnapshotState::Creating)], "{}", database.name);
        for early in [ask_rollback(&bench, pod, "before").await, ask_delete(&bench, pod, "before").await] {
            assert_eq!(early, "snapshot_state", "not before it is there");
        }
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let [snapshot] = &listed(&bench, pod).await[..] else { panic!("one") };
        assert_eq!((snapshot.state, snapshot.memory), (SnapshotState::Ready, true));
        assert_eq!(snapshot.description, "the upgrade");
        taken(&bench, pod, "after").await;
        assert_eq!(names(&bench, pod).await, ready(&["before", "after"]));

        for (kind, desired, power) in
            [("start", DesiredPower::Running, Power::Running), ("stop", DesiredPower::Stopped, Power::Stopped)]
        {
            done(&bench, kind, pod).await;
            let (_, job) = bench.pods.snapshot_rollback(&actor(), Scope::Platform, pod, "before").await.unwrap();
            assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
            let pod = bench.pod(pod).await.pod;
            assert_eq!((pod.desired_power, pod.observed_power), (desired, power), "the power is the wanted one");
        }
        let (_, job) = bench.pods.snapshot_delete(&actor(), Scope::Platform, pod, "before").await.unwrap();
        assert_eq!(names(&bench, pod).await[0].1, SnapshotState::Deleting);
        assert_eq!(ask_rollback(&bench, pod, "before").await, "snapshot_state");
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(names(&bench, pod).await, ready(&["after"]));
        assert_eq!(ask_delete(&bench, pod, "before").await, "not_found");
        let stranger = Scope::Tenant(TenantId::generate());
        let window = Window { limit: 10, after: None };
        assert_eq!(bench.pods.snapshot_list(stranger, pod, &window).await.unwrap_err().code(), "not_found");
        let hidden = bench.pods.snapshot_rollback(&actor(), stranger, pod, "after").await.unwrap_err();
        assert_eq!(hidden.code(), "not_found");
        done(&bench, "destroy", pod).await;
        assert!(names(&bench, pod).await.is_empty(), "they go with the VM");
    }
}

/// Proxmox goes back to the configuration as well; the pod is still what its row says.
#[tokio::test]
async fn what_was_changed_since_a_snapshot_stays_so_when_the_pod_goes_back_to_it() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        taken(&bench, pod, "old").await;
        let now = bench.pod(pod).await.pod;
        let (vcpu, memory_mib) = (Some(now.vcpu + 1), Some(now.memory_mib * 2));
        let to = Resize { plan: None, vcpu, memory_mib, disk_gib: None, restart: true };
        let (_, job) = bench.pods.cloudpod_resize(&actor(), Scope::Platform, pod, &to).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        done(&bench, "media", pod).await;
        let as_wanted = bench.agents.vms().remove(0).2;
        done(&bench, "rollback", pod).await;
        let after = bench.agents.vms().remove(0).2;
        assert!(after.configure == as_wanted.configure, "{}: size, addresses, keys", database.name);
        assert_eq!((after.media, after.started_with), (as_wanted.media, as_wanted.started_with), "{}", database.name);
        assert_eq!(after.started_with, (now.vcpu + 1, now.memory_mib * 2));
        assert!(bench.pod(pod).await.pod.condition.restart_causes.is_empty(), "it was started with all that");
    }
}

async fn ask_rollback(bench: &PodBench, pod: CloudPodId, name: &str) -> &'static str {
    bench.pods.snapshot_rollback(&actor(), Scope::Platform, pod, name).await.unwrap_err().code()
}

async fn ask_delete(bench: &PodBench, pod: CloudPodId, name: &str) -> &'static str {
    bench.pods.snapshot_delete(&actor(), Scope::Platform, pod, name).await.unwrap_err().code()
}

#[tokio::test]
async fn names_and_numbers_of_snapshots_are_bounded() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let take = async |name: &str, description: &str| {
            bench.pods.snapshot_create(&actor(), Scope::Platform, pod, name, description, false).await
        };
        for name in ["current", "1st", "a", "a b", ""] {
            let error = take(name, "").await.unwrap_err();
            assert_eq!(error.code(), "invalid", "{name}");
            assert!(error.to_string().starts_with("name: "), "{error}");
        }
        assert!(take("ok", &"x".repeat(257)).await.unwrap_err().to_string().starts_with("description: "));
        let at_once = futures::future::join_all((0..4).map(|_| take("same", ""))).await;
        assert_eq!(at_once.iter().filter(|a| a.is_ok()).count(), 1, "{}", database.name);
        for error in at_once.into_iter().filter_map(Result::err) {
            assert_eq!(error.code(), "snapshot_name_taken");
        }
        for i in 1..SNAPSHOTS_PER_POD {
            take(&format!("s{i}"), "").await.unwrap();
        }
        let error = take("more", "").await.unwrap_err();
        assert_eq!(error.code(), "snapshot_limit");
        assert!(error.to_string().contains("4 are allowed"), "{error}");
        done(&bench, "destroy", pod).await;
        assert_eq!(take("late", "").await.unwrap_err().code(), "cloudpod_deleted");
    }
}

#[tokio::test]
async fn what_was_made_or_removed_by_hand_is_shown_and_left_alone() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        taken(&bench, pod, "mine").await;
        by_hand(&bench, pod, "theirs");
        let asked = bench.pods.snapshot_create(&actor(), Scope::Platform, pod, "theirs", "", false).await.unwrap();
        let job = bench.over(asked.1.id).await;
        assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Failed, "snapshot_name_taken"));
        assert!(!bench.agents.orders().contains(&"delete_snapshot"), "theirs is not undone");
        let theirs = listed(&bench, pod).await.into_iter().find(|s| s.name == "theirs").unwrap();
        assert_eq!((theirs.state, theirs.description.as_str()), (SnapshotState::Ready, "by hand"), "{}", database.name);
        bench.agents.vm_change(pod, |vm| drop(vm.snapshots.remove("mine")));
        taken(&bench, pod, "next").await;
        let mut shown: Vec<_> = names(&bench, pod).await.into_iter().map(|(name, _)| name).collect();
        shown.sort();
        assert_eq!(shown, ["next", "theirs"], "what is gone is not shown any more");
    }
}

#[tokio::test]
async fn a_snapshot_whose_outcome_was_unknown_leaves_nothing_behind() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        bench.agents.fail("take_snapshot", 1, Fail::After, FailureKind::NoSpace);
        let (_, job) = ask(&bench, "snapshot", Some(pod), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert!(names(&bench, pod).await.is_empty(), "{}", database.name);
        assert!(bench.agents.vms().iter().all(|(_, _, vm)| vm.snapshots.is_empty()));

        // A cancelled deletion is none.
        taken(&bench, pod, "old").await;
        bench.agents.hold("stop");
        let (_, stop) = ask(&bench, "stop", Some(pod), "").await.unwrap();
        bench.out("stop").await;
        let (_, delete) = ask(&bench, "delete_snapshot", Some(pod), "").await.unwrap();
        bench.jobs.job_cancel(&actor(), Scope::Platform, delete.id).await.unwrap();
        assert_eq!(names(&bench, pod).await, ready(&["old"]));
        bench.agents.release("stop");
        bench.over(stop.id).await;
        let pod = bench.pod(pod).await.pod;
        assert_eq!(pod.state, State::Active);
    }
}

#[tokio::test]
async fn a_pod_runs_again_though_its_rollback_ended_half_way() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        taken(&bench, pod, "old").await;
        let failed = async |command: &str, tries: u32| {
            let since = bench.agents.orders().len();
            bench.agents.fail(command, tries, Fail::Before, FailureKind::Permission);
            let (_, job) = ask(&bench, "rollback", Some(pod), "").await.unwrap();
            let job = bench.over(job.id).await;
            let what = format!("{} {command}", database.name);
            assert_eq!(
                (job.state, job.error.unwrap().code.as_str()),
                (JobState::Failed, "proxmox_permission"),
                "{what}"
            );
            bench.agents.heal();
            let shown = bench.pod(pod).await.pod;
            assert_eq!(bench.agents.vms()[0].2.power, shown.observed_power, "{what}");
            let lack = bench.pods.firewall_get(Scope::Platform, pod).await.unwrap().lack;
            (shown.observed_power, lack, bench.agents.orders().split_off(since))
        };
        for command in ["rollback", "configure", "set_media", "resize_disk", "set_firewall"] {
            let (power, lack, orders) = failed(command, 1).await;
            assert_eq!((power, lack), (Power::Running, None), "{} {command}", database.name);
            let firewalls = orders.iter().filter(|order| **order == "set_firewall").count();
            assert_eq!(orders.last(), Some(&"start"), "{command}: {orders:?}");
            assert!(firewalls > 0 || command == "rollback", "{command}: its firewall comes first: {orders:?}");
        }
        let (power, lack, _) = failed("set_firewall", 99).await;
        assert_eq!(power, Power::Running, "{}: a firewall that is not taken holds up nothing", database.name);
        assert!(lack.unwrap().contains("has not taken the firewall"), "and is shown as missing");
        assert_eq!(failed("start", 99).await.0, Power::Stopped, "one that does not start ends all the same");
        done(&bench, "start", pod).await;
        done(&bench, "stop", pod).await;
        assert_eq!(failed("configure", 1).await.0, Power::Stopped, "one that was wanted stopped stays so");
    }
}
