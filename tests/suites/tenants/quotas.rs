//! What a tenant may use: whatever would go beyond is refused, whoever asks, with every figure.

use std::time::Duration;

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::backups::{BackupCreate, PolicyPatch, Recreate};
use control_plane::domain::cloudpods::operations::Resize;
use control_plane::domain::cloudpods::upkeep::CloudPodAdopt;
use control_plane::domain::cloudpods::{CloudPodCreate, State};
use control_plane::domain::drift::Filter;
use control_plane::domain::jobs::command::BackupMode;
use control_plane::domain::jobs::{JobState, Power};
use control_plane::domain::tenants::quotas::{Amounts, EXCEEDED, Limits};
use control_plane::error::{Error, Result};
use control_plane::ids::CloudPodId;
use mpanel_tests::databases;
use mpanel_tests::pod_bench::{PodBench, TEMPLATE, actor, request, staff, vm};

use super::{limit, tenant_of, used};

/// What the plan `small` takes, with the two addresses that its pods get.
const SMALL: Amounts =
    Amounts { pods: 1, vcpu: 2, memory_mib: 4096, disk_gib: 20, addresses: 2, snapshots: 0, backups: 0 };

fn backup() -> BackupCreate {
    BackupCreate { storage: None, mode: BackupMode::Snapshot, note: String::new(), protected: false, keep_days: None }
}

/// Proves that it was refused because of this quota, with these figures.
#[track_caller]
fn refused<T>(result: Result<T>, says: &str) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.code(), EXCEEDED, "{error}");
    assert!(error.to_string().contains(says), "{error}");
    assert!(error.to_string().contains("raise the quota"), "the cure: {error}");
}

async fn resize(bench: &PodBench, pod: CloudPodId, input: Resize) -> Result<()> {
    bench.pods.cloudpod_resize(&actor(), Scope::Platform, pod, &input).await.map(drop)
}

/// Works until no job of the pod is left.
async fn rest(bench: &PodBench, pod: CloudPodId) {
    mpanel_tests::eventually("the pod's jobs end", mpanel_tests::pod_bench::SOON, async || {
        bench.engine.dispatch().await.unwrap();
        let mut read = bench.db.read().await.unwrap();
        bench.jobs.jobs_live_of_pod(read.conn(), pod).await.unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_quota_refuses_what_goes_beyond_it_and_raising_it_lets_it_through() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        assert_eq!(used(&bench).await, SMALL, "{}", database.name);
        for (limits, says) in [
            (Limits { pods: Some(1), ..Limits::default() }, "pods: 1 allowed, 1 used, 1 more asked for"),
            (Limits { vcpu: Some(3), ..Limits::default() }, "vcpu: 3 allowed, 2 used, 2 more asked for"),
            (Limits { memory_mib: Some(8191), ..Limits::default() }, "memory_mib: 8191 allowed, 4096 used, 4096 more"),
            (Limits { disk_gib: Some(0), ..Limits::default() }, "disk_gib: 0 allowed, 20 used, 20 more asked for"),
        ] {
            limit(&bench, limits).await;
            refused(bench.create("web-2").await, says);
        }
        let pools = CloudPodCreate { ip_pools: vec!["public".into()], private_pools: true, ..request("web-2") };
        limit(&bench, Limits { addresses: Some(2), ..Limits::default() }).await;
        refused(
            bench.pods.cloudpod_create(&actor(), Scope::Platform, pools).await,
            "addresses: 2 allowed, 2 used, 1 more asked for",
        );
        limit(&bench, Limits { snapshots: Some(0), backups: Some(0), ..Limits::default() }).await;
        let snapshot = async || bench.pods.snapshot_create(&actor(), Scope::Platform, pod, "before", "", false).await;
        refused(snapshot().await, "snapshots: 0 allowed, 0 used, 1 more asked for");
        let back_up = async || bench.pods.backup_create(&actor(), Scope::Platform, pod, backup()).await;
        refused(back_up().await, "backups: 0 allowed, 0 used, 1 more asked for");
        assert_eq!(used(&bench).await, SMALL, "nothing of it was done");

        let tight = Limits {
            pods: Some(2),
            vcpu: Some(4),
            memory_mib: Some(8192),
            disk_gib: Some(40),
            addresses: Some(4),
            snapshots: Some(1),
            backups: Some(1),
        };
        limit(&bench, tight).await;
        bench.active("web-2").await;
        snapshot().await.unwrap();
        rest(&bench, pod).await;
        back_up().await.unwrap();
        rest(&bench, pod).await;
        let all = Amounts { pods: 2, vcpu: 4, memory_mib: 8192, disk_gib: 40, addresses: 4, snapshots: 1, backups: 1 };
        assert_eq!(used(&bench).await, all, "{}: to the last of each", database.name);

        // A pod that goes gives it back, but for its backups.
        let (_, destroy) = bench.pods.cloudpod_destroy(&actor(), staff(), pod).await.unwrap();
        assert_eq!(used(&bench).await.pods, 2, "not before it is gone");
        assert_eq!(bench.over(destroy.id).await.state, JobState::Succeeded);
        assert_eq!(used(&bench).await, Amounts { backups: 1, ..SMALL });
        bench.active("web-3").await;
    }
}

#[tokio::test]
async fn an_address_beyond_the_quota_is_not_given_out_and_the_pod_says_why() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        limit(&bench, Limits { addresses: Some(3), ..Limits::default() }).await;
        bench.active("web-1").await;
        let (detail, job) = bench.create("web-2").await.unwrap();
        let job = bench.over(job.id).await;
        let error = job.error.expect("it failed");
        assert_eq!((job.state, error.code.as_str()), (JobState::Failed, EXCEEDED), "{}", database.name);
        let State::Failed { cause } = bench.pod(detail.pod.id).await.pod.state else { panic!("it is made") };
        assert!(cause.contains("addresses: 3 allowed, 2 used, 2 more asked for"), "{cause}");
        assert_eq!(used(&bench).await.addresses, 2);
        assert_eq!(bench.held().await, [1, 2, 1, 1], "it holds nothing");
    }
}

#[tokio::test]
async fn a_pod_grows_within_the_quotas_alone_and_shrinks_at_any_time() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        limit(&bench, Limits { vcpu: Some(4), disk_gib: Some(30), ..Limits::default() }).await;
        let vcpu = |vcpu| Resize { vcpu: Some(vcpu), restart: true, ..Resize::default() };
        refused(resize(&bench, pod, vcpu(5)).await, "vcpu: 4 allowed, 2 used, 3 more asked for");
        let disk = Resize { disk_gib: Some(31), ..Resize::default() };
        refused(resize(&bench, pod, disk).await, "disk_gib: 30 allowed, 20 used, 11 more asked for");
        resize(&bench, pod, vcpu(4)).await.unwrap();
        rest(&bench, pod).await;
        assert_eq!(used(&bench).await.vcpu, 4, "{}", database.name);
        limit(&bench, Limits { vcpu: Some(1), ..Limits::default() }).await;
        resize(&bench, pod, vcpu(3)).await.unwrap();
        rest(&bench, pod).await;
        assert_eq!(used(&bench).await.vcpu, 3, "a quota below what is used forbids only more");
        refused(resize(&bench, pod, vcpu(4)).await, "vcpu: 1 allowed, 3 used, 1 more asked for");
    }
}

#[tokio::test]
async fn two_that_grow_at_once_are_counted_again_when_they_grow() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let (one, two) = (bench.active("web-1").await, bench.active("web-2").await);
        limit(&bench, Limits { vcpu: Some(6), ..Limits::default() }).await;
        let four = Resize { vcpu: Some(4), restart: true, ..Resize::default() };
        let mut jobs = Vec::new();
        for pod in [one, two] {
            let (_, job) = bench.pods.cloudpod_resize(&actor(), Scope::Platform, pod, &four).await.unwrap();
            jobs.push(job.id);
        }
        let mut states = Vec::new();
        for job in jobs {
            let job = bench.over(job).await;
            if let Some(error) = &job.error {
                assert_eq!(error.code, EXCEEDED, "{error:?}");
            }
            states.push(job.state);
        }
        states.sort_by_key(|state| state.as_str());
        assert_eq!(states, [JobState::Failed, JobState::Succeeded], "{}: one of the two", database.name);
        assert_eq!(used(&bench).await.vcpu, 6);
    }
}

#[tokio::test]
async fn what_was_made_otherwise_counts_as_well() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        bench.pods.backup_create(&actor(), Scope::Platform, pod, backup()).await.unwrap();
        rest(&bench, pod).await;
        let window = control_plane::db::Window { limit: 1, after: None };
        let of = bench.pods.backup_list(Scope::Platform, Some(pod), window).await.unwrap().remove(0);
        limit(&bench, Limits { pods: Some(1), ..Limits::default() }).await;
        let again = Recreate { name: "web-2".into(), ..Recreate::default() };
        let recreated = bench.pods.cloudpod_recreate(&actor(), staff(), of.id, again).await;
        refused(recreated, "pods: 1 allowed, 1 used, 1 more asked for");

        // A VM that is adopted, with its addresses.
        limit(&bench, Limits { addresses: Some(2), ..Limits::default() }).await;
        let seen = bench.pod(pod).await.pod;
        let own = vm(seen.vmid.unwrap(), Some(pod), Power::Running, false);
        let theirs = vm(150, None, Power::Running, false);
        bench.agents.foreign_vm(server, 150);
        bench.inventory(server, vec![vm(TEMPLATE, None, Power::Stopped, true), own.clone(), theirs]).await;
        let adopt = CloudPodAdopt {
            name: "theirs".into(),
            server: "pve1".into(),
            vmid: 150,
            plan: "small".into(),
            image: "debian".into(),
            addresses: vec!["192.0.2.77".into()],
            ..CloudPodAdopt::default()
        };
        let adopted = bench.pods.cloudpod_adopt(&actor(), Scope::Platform, adopt).await;
        refused(adopted, "addresses: 2 allowed, 2 used, 1 more asked for");

        // A VM that was enlarged by hand: what is seen is not taken for what is wanted.
        limit(&bench, Limits { vcpu: Some(2), ..Limits::default() }).await;
        let mut larger = own;
        (larger.name, larger.vcpu) = (seen.name, 4);
        bench.inventory(server, vec![larger]).await;
        let window = control_plane::db::Window { limit: 50, after: None };
        let drifts = bench.drift.drift_list(&Filter::default(), window).await.unwrap();
        let size = drifts.iter().find(|drift| drift.pod == pod).expect("its size differs");
        refused(bench.drift.drift_accept(&actor(), size.id).await, "vcpu: 2 allowed, 2 used, 2 more asked for");
        assert_eq!(used(&bench).await.vcpu, 2, "{}", database.name);
    }
}

#[tokio::test]
async fn a_scheduled_backup_beyond_the_quota_is_left_out_and_said_once() {
    for database in databases().await {
        let bench = PodBench::with_manual_clock(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let patch = PolicyPatch { every_hours: Some(Some(24)), keep_last: Some(Some(9)), ..PolicyPatch::default() };
        bench.pods.policy_update(&actor(), Scope::Platform, pod, None, patch).await.unwrap();
        let day = async |begun: u64| {
            bench.clock.advance(Duration::from_hours(24));
            assert_eq!(bench.pods.backups_upkeep().await.unwrap().begun, begun, "{}", database.name);
            rest(&bench, pod).await;
        };
        limit(&bench, Limits { backups: Some(1), ..Limits::default() }).await;
        day(1).await;
        for _ in 0..3 {
            day(0).await;
        }
        assert_eq!(bench.audited("cloudpod.backup_skipped").await, 1, "{}: once, not each time", database.name);
        limit(&bench, Limits { backups: Some(2), ..Limits::default() }).await;
        day(1).await;
        day(0).await;
        assert_eq!(bench.audited("cloudpod.backup_skipped").await, 2, "full again, said again");
        assert_eq!(used(&bench).await.backups, 2);
    }
}

#[tokio::test]
async fn who_reads_an_old_version_changes_no_quota() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let tenant = tenant_of(&bench).await;
        let set = async |expected, pods| {
            let change = |before| Limits { pods: Some(pods), ..before };
            bench.tenants.quotas_update(&actor(), tenant, expected, change).await
        };
        let (quotas, version) = set(None, 3).await.unwrap();
        assert_eq!(quotas.limits, Limits { pods: Some(3), ..Limits::default() });
        assert!(matches!(set(Some(version - 1), 4).await, Err(Error::Stale)), "{}", database.name);
        assert_eq!(set(Some(version), 4).await.unwrap().1, version + 1);
        assert_eq!(bench.audited("tenant.quotas_updated").await, 2);
    }
}
