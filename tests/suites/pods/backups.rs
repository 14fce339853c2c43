//! Backups: made, pruned, restored in place and elsewhere, and kept beyond their pod.

use std::time::Duration;

use control_plane::clock::Ms;
use control_plane::db::Window;
use control_plane::domain::access::Role;
use control_plane::domain::audit::Scope;
use control_plane::domain::backups::{Backup, BackupState};
use control_plane::domain::cloudpods::backups::{BackupCreate, PolicyPatch, Recreate};
use control_plane::domain::cloudpods::{DesiredPower, Detail, State};
use control_plane::domain::jobs::command::BackupMode;
use control_plane::domain::jobs::{BackupSeen, CommandKind, FailureKind, Job, JobState, NewJob, Power};
use control_plane::domain::plans::{PlanCreate, Terms};
use control_plane::domain::servers::{SchedulingState, ServerPatch, StatusChange};
use control_plane::error::{Error, Result};
use control_plane::ids::{CloudPodId, CommandId, TenantId};
use mpanel_tests::pod_bench::{BACKUP_LIMITS, BACKUP_STORAGE, PodBench, actor, staff};
use mpanel_tests::scripted_agent::Fail;
use mpanel_tests::{TestDatabase, databases};

use super::{NOTHING, ONE_POD, ask, done};

pub fn wanted() -> BackupCreate {
    BackupCreate { storage: None, mode: BackupMode::Snapshot, note: String::new(), protected: false, keep_days: None }
}

async fn made_as(bench: &PodBench, pod: CloudPodId, input: BackupCreate) {
    let (_, job) = bench.pods.backup_create(&actor(), Scope::Platform, pod, input).await.unwrap();
    let job = bench.over(job.id).await;
    assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
}

/// Makes a backup and waits for it.
pub async fn made(bench: &PodBench, pod: CloudPodId) {
    made_as(bench, pod, wanted()).await;
}

/// A bench with one server, and a pod of which there is a backup.
async fn backed_up(database: &TestDatabase) -> (PodBench, CloudPodId) {
    let bench = PodBench::new(database).await;
    bench.server("pve1", 16).await;
    let pod = bench.active("web-1").await;
    made(&bench, pod).await;
    (bench, pod)
}

async fn listed(bench: &PodBench, pod: CloudPodId) -> Vec<Backup> {
    let window = Window { limit: 100, after: None };
    bench.pods.backup_list(Scope::Platform, Some(pod), window).await.unwrap()
}

pub async fn newest(bench: &PodBench, pod: CloudPodId) -> Backup {
    listed(bench, pod).await.into_iter().find(|b| b.state == BackupState::Ready).expect("a backup is ready")
}

/// Does all the work there is.
async fn rest(bench: &PodBench, pod: CloudPodId) {
    mpanel_tests::eventually("the pod's jobs end", mpanel_tests::pod_bench::SOON, async || {
        bench.engine.dispatch().await.unwrap();
        let mut read = bench.db.read().await.unwrap();
        bench.jobs.jobs_live_of_pod(read.conn(), pod).await.unwrap().is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_backup_is_made_shown_to_its_tenant_and_deleted() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let input = BackupCreate { note: "before".into(), protected: true, ..wanted() };
        let (_, job) = bench.pods.backup_create(&actor(), Scope::Platform, pod, input).await.unwrap();
        let [early] = &listed(&bench, pod).await[..] else { panic!("one") };
        assert_eq!((early.state, early.volid.as_ref()), (BackupState::Creating, None), "{}", database.name);
        let early = early.id;
        for refused in [
            bench.pods.backup_restore(&actor(), Scope::Platform, pod, early, None).await.unwrap_err(),
            bench.pods.backup_delete(&actor(), Scope::Platform, pod, early).await.unwrap_err(),
        ] {
            assert_eq!(refused.code(), "backup_state");
        }
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let backup = newest(&bench, pod).await;
        assert_eq!((backup.storage.as_str(), backup.note.as_str()), (BACKUP_STORAGE, "before"));
        assert_eq!((backup.size_bytes, backup.protected, backup.scheduled), (Some(1 << 30), true, false));
        assert!(bench.agents.backups().iter().any(|seen| Some(&seen.volid) == backup.volid.as_ref()));

        let tenant = Scope::Tenant(backup.tenant);
        let window = Window { limit: 10, after: None };
        assert_eq!(bench.pods.backup_list(tenant, None, window).await.unwrap(), std::slice::from_ref(&backup));
        let stranger = Scope::Tenant(TenantId::generate());
        assert!(bench.pods.backup_list(stranger, None, window).await.unwrap().is_empty());
        for hidden in [
            bench.pods.backup_list(stranger, Some(pod), window).await.map(|_| ()),
            bench.pods.backup_restore(&actor(), stranger, pod, backup.id, None).await.map(|_| ()),
            bench.pods.backup_delete(&actor(), stranger, pod, backup.id).await.map(|_| ()),
            bench.pods.backup_update(&actor(), stranger, pod, backup.id, Some(false), None).await.map(|_| ()),
        ] {
            assert_eq!(hidden.unwrap_err().code(), "not_found");
        }
        let other = bench.active("web-2").await;
        let mixed = bench.pods.backup_restore(&actor(), Scope::Platform, other, backup.id, None).await;
        assert_eq!(mixed.unwrap_err().code(), "not_found", "nor another pod's");

        let delete = async || bench.pods.backup_delete(&actor(), Scope::Platform, pod, backup.id).await;
        assert_eq!(delete().await.unwrap_err().code(), "backup_protected");
        bench.pods.backup_update(&actor(), Scope::Platform, pod, backup.id, Some(false), None).await.unwrap();
        let (_, job) = delete().await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert!(listed(&bench, pod).await.is_empty() && bench.agents.backups().is_empty());
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_backup_s_request_is_named() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let make = async |input: BackupCreate| bench.pods.backup_create(&actor(), Scope::Platform, pod, input).await;
        let fields = async |input: BackupCreate| make(input).await.unwrap_err().to_string();
        let long = BackupCreate { note: "x".repeat(257), ..wanted() };
        assert!(fields(long).await.starts_with("note: "), "{}", database.name);
        let odd = BackupCreate { storage: Some("../etc".into()), ..wanted() };
        assert!(fields(odd).await.starts_with("storage: "));
        let both = BackupCreate { protected: true, keep_days: Some(3), ..wanted() };
        assert!(fields(both).await.starts_with("keep_days: "));
        let patch = ServerPatch { backup_storage: Some(None), ..ServerPatch::default() };
        bench.books.servers.server_update(&actor(), server, None, patch).await.unwrap();
        let none = fields(wanted()).await;
        assert!(none.contains("server pve1 has no backup storage"), "{none}");
        let named = BackupCreate { storage: Some(BACKUP_STORAGE.into()), ..wanted() };
        for _ in 0..BACKUP_LIMITS.per_pod {
            make(named.clone()).await.unwrap();
        }
        assert_eq!(make(named).await.unwrap_err().code(), "backup_limit");
        rest(&bench, pod).await;
        let policy = async |patch| bench.pods.policy_update(&actor(), Scope::Platform, pod, None, patch).await;
        let error = policy(PolicyPatch { every_hours: Some(Some(24)), ..PolicyPatch::default() }).await.unwrap_err();
        assert!(error.to_string().starts_with("keep_last: "), "{error}");
        let error = policy(PolicyPatch { keep_days: Some(Some(0)), ..PolicyPatch::default() }).await.unwrap_err();
        assert!(error.to_string().starts_with("keep_days: "), "{error}");
    }
}

#[tokio::test]
async fn a_pod_is_taken_back_in_place_and_is_what_its_row_says() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        super::snapshots::taken(&bench, pod, "later").await;
        let before = bench.pod(pod).await;
        for (kind, power) in [("stop", Power::Stopped), ("start", Power::Running)] {
            done(&bench, kind, pod).await;
            bench.agents.vm_change(pod, |vm| vm.configure = None);
            done(&bench, "restore", pod).await;
            let after = bench.pod(pod).await;
            assert_eq!((after.pod.state, after.pod.observed_power), (State::Active, power), "{}", database.name);
            assert_eq!((after.pod.vmid, after.addresses), (before.pod.vmid, before.addresses.clone()));
            let (_, _, vm) = bench.agents.vms().remove(0);
            assert_eq!((vm.power, vm.disk_gib), (power, 20));
            assert_eq!(vm.configure.expect("it is configured anew").nics[0].addresses.len(), 2);
        }
        let window = Window { limit: 10, after: None };
        let snapshots = bench.pods.snapshot_list(Scope::Platform, pod, &window).await.unwrap();
        assert!(snapshots.is_empty(), "they went with the disk that was replaced");
        assert_eq!(bench.held().await, ONE_POD);
        let elsewhere = bench.server("pve2", 16).await.to_string();
        let backup = newest(&bench, pod).await.id;
        let moved = bench.pods.backup_restore(&actor(), Scope::Platform, pod, backup, Some(&elsewhere)).await;
        assert!(moved.unwrap_err().to_string().starts_with("server: the pod is on server pve1"));
    }
}

#[tokio::test]
async fn nothing_is_stopped_for_a_backup_that_is_not_there() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        bench.agents.backups_change(std::collections::BTreeMap::clear);
        let (_, job) = ask(&bench, "restore", Some(pod), "").await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Failed, "backup_not_seen"));
        assert!(!bench.agents.orders().contains(&"stop"), "{}", database.name);
        assert_eq!(bench.pod(pod).await.pod.observed_power, Power::Running);
    }
}

#[tokio::test]
async fn a_backup_whose_end_nobody_heard_is_found_and_one_that_vanished_is_forgotten() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        let gone = newest(&bench, pod).await;
        bench.agents.fail("make_backup", 1, Fail::After, FailureKind::Lost);
        made(&bench, pod).await;
        bench.agents.backups_change(|all| drop(all.remove(gone.volid.as_deref().unwrap())));
        let foreign = BackupSeen {
            volid: format!("{BACKUP_STORAGE}:backup/theirs"),
            created_at: Ms(1),
            size_bytes: 1,
            pod: None,
            command: Some(CommandId::generate()),
        };
        bench.agents.backups_change(|all| drop(all.insert(foreign.volid.clone(), foreign)));
        made(&bench, pod).await;
        let all = listed(&bench, pod).await;
        assert_eq!(
            all.len(),
            3,
            "{}: of the first try of the second, of its second, and the third: {all:?}",
            database.name
        );
        assert!(all.iter().all(|backup| backup.state == BackupState::Ready && backup.id != gone.id));
        assert_eq!(all.iter().filter(|backup| backup.note.starts_with("found on the storage")).count(), 1);

        bench.agents.fail("make_backup", 1, Fail::After, FailureKind::NoSpace);
        let (_, job) = ask(&bench, "backup", Some(pod), "").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert_eq!(listed(&bench, pod).await.len(), 3, "a failed backup leaves nothing");
        assert_eq!(bench.agents.backups().iter().filter(|seen| seen.pod == Some(pod)).count(), 3);
    }
}

#[tokio::test]
async fn policies_make_backups_and_prune_them_on_any_number_of_control_planes() {
    for database in databases().await {
        let bench = PodBench::with_manual_clock(&database).await;
        bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let keep = made_as(&bench, pod, BackupCreate { protected: true, ..wanted() });
        keep.await;
        let patch = PolicyPatch { every_hours: Some(Some(24)), keep_last: Some(Some(2)), ..PolicyPatch::default() };
        bench.pods.policy_update(&actor(), Scope::Platform, pod, None, patch).await.unwrap();
        assert_eq!(bench.pods.backups_upkeep().await.unwrap().begun, 0, "the first one is due in a day");
        for day in 1..=4 {
            bench.clock.advance(Duration::from_hours(24));
            let runs = futures::future::join_all((0..4).map(|_| bench.pods.backups_upkeep())).await;
            let begun: u64 = runs.into_iter().map(|run| run.unwrap().begun).sum();
            assert_eq!(begun, 1, "{} day {day}: one of four control planes makes it", database.name);
            rest(&bench, pod).await;
            bench.pods.backups_upkeep().await.unwrap();
            rest(&bench, pod).await;
        }
        let all = listed(&bench, pod).await;
        assert_eq!(all.iter().filter(|backup| backup.scheduled).count(), 2, "{all:?}");
        assert_eq!(all.iter().filter(|backup| backup.protected).count(), 1, "what is protected is not counted");
        assert_eq!(bench.agents.backups().len(), 3);

        // A pod that cannot be backed up says why, and what is kept outlives it.
        done(&bench, "destroy", pod).await;
        bench.clock.advance(Duration::from_hours(12));
        assert_eq!(bench.pods.backups_upkeep().await.unwrap().begun, 0);
        assert_eq!(listed(&bench, pod).await.len(), 3, "its tenant still has them");
        bench.clock.advance(BACKUP_LIMITS.after_destroy);
        bench.pods.backups_upkeep().await.unwrap();
        rest(&bench, pod).await;
        let [kept] = &listed(&bench, pod).await[..] else { panic!("only the protected one") };
        assert!(kept.protected);
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn a_pod_whose_host_is_lost_is_restored_on_another_with_its_addresses() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        made(&bench, pod).await;
        let before = bench.pod(pod).await;
        let backup = newest(&bench, pod).await.id;
        bench.lose(pod).await;
        bench.agents.disconnect(first);
        assert_eq!(bench.pod(pod).await.addresses, before.addresses, "its addresses are its own");
        let restore = async |server: Option<&str>| {
            bench.pods.backup_restore(&actor(), Scope::Platform, pod, backup, server).await
        };
        let patch = ServerPatch { backup_storage: Some(None), ..ServerPatch::default() };
        let blind = bench.server_in("other", "pve3", 16).await;
        bench.books.servers.server_update(&actor(), blind, None, patch).await.unwrap();
        let error = restore(Some("pve3")).await.unwrap_err().to_string();
        assert!(error.starts_with("server: is not known to see the storage backups"), "{error}");
        let second = bench.server("pve2", 16).await;

        // A try that fails leaves it as it was: nowhere, with its addresses.
        bench.agents.fail("configure", 1, Fail::After, FailureKind::NoSpace);
        let (_, job) = restore(Some("pve2")).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Failed, "{}: {:?}", database.name, job.error);
        let failed = bench.pod(pod).await;
        assert!(matches!(&failed.pod.state, State::Failed { cause } if cause.contains("could not be restored")));
        assert_eq!((failed.pod.server, failed.pod.vmid), (None, None));
        assert_eq!(failed.addresses, before.addresses);

        let (_, job) = restore(Some("pve2")).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        let after = bench.pod(pod).await;
        assert_eq!((after.pod.state, after.pod.desired_power), (State::Active, DesiredPower::Running));
        assert_eq!(after.pod.server.unwrap().id, second);
        assert_eq!(after.addresses, before.addresses, "the same addresses");
        let vm = bench.agents.vms().into_iter().find(|(at, _, vm)| *at == second && vm.pod == Some(pod)).unwrap();
        assert_eq!((vm.2.power, Some(vm.1)), (Power::Running, after.pod.vmid));
    }
}

#[tokio::test]
async fn a_restore_that_comes_second_leaves_the_restored_pod_where_it_is() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        let backup = newest(&bench, pod).await;
        bench.lose(pod).await;
        bench.agents.disconnect(backup.server);
        bench.server("pve2", 16).await;
        let restore = async || bench.pods.backup_restore(&actor(), Scope::Platform, pod, backup.id, Some("pve2")).await;
        let (_, first) = restore().await.unwrap();
        let error = restore().await.unwrap_err();
        assert_eq!(error.code(), "cloudpod_busy", "{}: {error}", database.name);
        // As if both had been asked for at once, before that was refused.
        let params = first.params.clone();
        let (tenant, server) = (first.tenant, first.server);
        let new = NewJob { kind: "restore", tenant, pod: Some(pod), server, params };
        let mut tx = bench.db.begin().await.unwrap();
        let second = bench.jobs.job_create(&mut tx, &actor(), new).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(bench.over(first.id).await.state, JobState::Succeeded);
        let (restored, held) = (bench.pod(pod).await, bench.held().await);
        assert_eq!(bench.over(second.id).await.state, JobState::Failed);
        let after = bench.pod(pod).await;
        assert_eq!(after.pod.state, State::Active, "{}", database.name);
        assert_eq!((after.pod.server, after.pod.vmid), (restored.pod.server, restored.pod.vmid));
        assert_eq!(bench.held().await, held);
    }
}

#[tokio::test]
async fn nothing_is_forgotten_or_deleted_because_a_storage_shows_nothing_for_a_while() {
    for database in databases().await {
        let (bench, pod) = backed_up(&database).await;
        made_as(&bench, pod, BackupCreate { protected: true, ..wanted() }).await;
        let before = listed(&bench, pod).await;
        let mut there = std::collections::BTreeMap::new();
        // Not mounted: what is asked for is an empty list, and no error.
        bench.agents.backups_change(|all| std::mem::swap(all, &mut there));
        bench.agents.hold("make_backup");
        bench.agents.fail("make_backup", 9, Fail::Before, FailureKind::NoSpace);
        let (_, job) = bench.pods.backup_create(&actor(), Scope::Platform, pod, wanted()).await.unwrap();
        bench.out("make_backup").await;
        bench.agents.backups_change(|all| std::mem::swap(all, &mut there));
        bench.agents.release("make_backup");
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert_eq!(listed(&bench, pod).await, before, "{}", database.name);
        assert_eq!(bench.agents.backups().len(), 2, "and none is taken for the one that failed");

        // One that no row knows is not the failed job's when it is older than that.
        bench.agents.heal();
        let old = BackupSeen {
            volid: format!("{BACKUP_STORAGE}:backup/older"),
            created_at: Ms(1),
            size_bytes: 1,
            pod: Some(pod),
            command: Some(CommandId::generate()),
        };
        bench.agents.hold("make_backup");
        bench.agents.fail("make_backup", 9, Fail::Before, FailureKind::NoSpace);
        let (_, job) = bench.pods.backup_create(&actor(), Scope::Platform, pod, wanted()).await.unwrap();
        bench.out("make_backup").await;
        bench.agents.backups_change(|all| drop(all.insert(old.volid.clone(), old.clone())));
        bench.agents.release("make_backup");
        assert_eq!(bench.over(job.id).await.state, JobState::Failed);
        assert!(bench.agents.backups().iter().any(|seen| seen.volid == old.volid), "{}", database.name);
        assert!(listed(&bench, pod).await.iter().any(|backup| backup.volid.as_ref() == Some(&old.volid)));
    }
}

#[tokio::test]
async fn a_storage_that_holds_no_backups_is_refused_by_name_before_anything_is_made() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let refused = |error: Error| {
            let Error::Invalid(fields) = &error else { panic!("{}: {error}", database.name) };
            (fields[0].field.clone(), fields[0].message.clone())
        };
        for name in ["local", "tapes"] {
            let storage = Some(name.to_owned());
            let input = BackupCreate { storage: storage.clone(), ..wanted() };
            let asked = bench.pods.backup_create(&actor(), Scope::Platform, pod, input).await.unwrap_err();
            let policy = PolicyPatch { storage: Some(storage.clone()), ..PolicyPatch::default() };
            let set = bench.pods.policy_update(&actor(), Scope::Platform, pod, None, policy).await.unwrap_err();
            for error in [asked, set] {
                let (field, message) = refused(error);
                assert_eq!(field, "storage");
                assert!(
                    message.contains(name) && message.contains(&format!("choose one of: {BACKUP_STORAGE}")),
                    "{message}"
                );
            }
            let patch = ServerPatch { backup_storage: Some(storage), ..ServerPatch::default() };
            let kept = bench.books.servers.server_update(&actor(), server, None, patch).await.unwrap_err();
            assert_eq!(refused(kept).0, "backup_storage");
        }
        assert!(listed(&bench, pod).await.is_empty(), "nothing was begun");
        assert!(!bench.agents.orders().contains(&"make_backup"));
        made_as(&bench, pod, BackupCreate { storage: Some(BACKUP_STORAGE.into()), ..wanted() }).await;
    }
}

#[tokio::test]
async fn no_policy_begins_on_a_server_that_has_nowhere_for_backups() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let server = bench.server("pve1", 16).await;
        let pod = bench.active("web-1").await;
        let offered = async |storage: Option<&str>| {
            let backup_storage = Some(storage.map(str::to_owned));
            let patch = ServerPatch { backup_storage, ..ServerPatch::default() };
            bench.books.servers.server_update(&actor(), server, None, patch).await.unwrap();
        };
        let set = async |patch| bench.pods.policy_update(&actor(), Scope::Platform, pod, None, patch).await;
        let daily = || PolicyPatch { every_hours: Some(Some(24)), keep_last: Some(Some(7)), ..PolicyPatch::default() };
        offered(None).await;
        let Error::Invalid(fields) = set(daily()).await.unwrap_err() else { panic!("{}", database.name) };
        assert_eq!(fields[0].field, "storage");
        let cure = "`mpanel server edit pve1 --backup-storage STORAGE`";
        assert!(fields[0].message.contains(cure), "{}", fields[0].message);
        let named = PolicyPatch { storage: Some(Some(BACKUP_STORAGE.into())), ..daily() };
        assert_eq!(set(named).await.unwrap().storage.as_deref(), Some(BACKUP_STORAGE));
        let taken_away = PolicyPatch { storage: Some(None), ..PolicyPatch::default() };
        assert!(matches!(set(taken_away.clone()).await.unwrap_err(), Error::Invalid(_)), "{}", database.name);
        offered(Some(BACKUP_STORAGE)).await;
        assert_eq!(set(taken_away).await.unwrap().every_hours, Some(24));
        // One that ends needs no storage.
        offered(None).await;
        set(PolicyPatch { every_hours: Some(None), ..PolicyPatch::default() }).await.unwrap();
    }
}

/// A pod of that name, made of the newest backup of `of`, and otherwise as that is or was.
pub async fn recreate(bench: &PodBench, of: CloudPodId, name: &str) -> Result<(Detail, Job)> {
    let wanted = Recreate { name: name.into(), ..Recreate::default() };
    bench.pods.cloudpod_recreate(&actor(), staff(), newest(bench, of).await.id, wanted).await
}

#[tokio::test]
async fn a_pod_is_made_of_the_backup_of_one_that_is_gone() {
    for database in databases().await {
        let (bench, of) = backed_up(&database).await;
        let (before, backup) = (bench.pod(of).await, newest(&bench, of).await);
        let wanted = |name: &str| Recreate { name: name.into(), ..Recreate::default() };
        let ask_for =
            async |scope, wanted| bench.pods.cloudpod_recreate(&actor(), (scope, staff().1), backup.id, wanted).await;

        let stranger = Scope::Tenant(TenantId::generate());
        assert_eq!(ask_for(stranger, wanted("web-2")).await.unwrap_err().code(), "not_found", "{}", database.name);
        assert_eq!(ask_for(Scope::Platform, wanted("web-1")).await.unwrap_err().code(), "cloudpod_name_taken");
        let terms =
            Terms { vcpu: 1, memory_mib: 512, disk_gib: 19, traffic_gib: None, price_minor: 1, currency: "EUR".into() };
        let plan = PlanCreate { name: "tiny".into(), terms, active: true };
        bench.plans.plan_create(&actor(), plan).await.unwrap();
        let small = Recreate { plan: Some("tiny".into()), ..wanted("Web_2") };
        let error = ask_for(Scope::Platform, small.clone()).await.unwrap_err().to_string();
        assert!(error.starts_with("name: "), "{error}");
        let error = ask_for(Scope::Platform, Recreate { name: "web-2".into(), ..small }).await.unwrap_err().to_string();
        assert!(error.starts_with("plan: its disk of 19 GiB is smaller than the 20 GiB"), "{error}");

        // Beside the pod that it is of, which still runs.
        let (twin, job) = ask_for(Scope::Platform, wanted("web-2")).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        done(&bench, "destroy", of).await;
        let (third, job) = ask_for(Scope::Platform, wanted("web-3")).await.unwrap();
        let job = bench.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        for new in [twin.pod.id, third.pod.id] {
            let after = bench.pod(new).await;
            assert_eq!((&after.pod.state, after.pod.observed_power), (&State::Active, Power::Running));
            assert_eq!((after.pod.plan, after.pod.image), (before.pod.plan.clone(), before.pod.image.clone()));
            assert_eq!((after.pod.tenant, after.pod.ssh_keys), (backup.tenant, before.pod.ssh_keys.clone()));
            let (_, vmid, vm) = bench.agents.vms().into_iter().find(|(_, _, vm)| vm.pod == Some(new)).expect("its VM");
            assert_eq!((Some(vmid), vm.disk_gib, &vm.name), (after.pod.vmid, 20, &after.pod.name));
            let configured = vm.configure.expect("it is configured").nics.remove(0).addresses;
            let own: Vec<_> = after.addresses.iter().map(|a| format!("{}/{}", a.address, a.prefix_length)).collect();
            assert_eq!(configured, own, "with addresses of its own");
            let firewall = vm.firewall.expect("and a firewall");
            assert!(firewall.mac_filter && firewall.ip_filter, "{firewall:?}");
        }
        let unique = bench.agents.sent().into_iter().filter_map(|order| match order.command.kind {
            CommandKind::RestoreBackup { unique, .. } => Some(unique),
            _ => None,
        });
        assert!(unique.collect::<Vec<_>>().iter().all(|unique| *unique), "two VMs never have the same MAC address");
        for new in [twin.pod.id, third.pod.id] {
            done(&bench, "destroy", new).await;
        }
        assert_eq!(bench.held().await, NOTHING);
    }
}

#[tokio::test]
async fn a_pod_is_made_of_a_backup_where_that_was_made_before_it_is_elsewhere() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 4).await;
        let of = bench.active("web-1").await;
        made(&bench, of).await;
        // Of the same cluster and with more room; whether it sees that storage is not known.
        bench.server("pve2", 64).await;
        let (twin, job) = recreate(&bench, of, "twin").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded, "{}", database.name);
        assert_eq!(bench.pod(twin.pod.id).await.pod.server.unwrap().id, first, "where the backup is, it is seen");
    }
}

#[tokio::test]
async fn a_pod_is_made_of_a_backup_on_no_server_that_is_not_known_to_see_it() {
    for database in databases().await {
        let bench = PodBench::new(&database).await;
        let first = bench.server("pve1", 4).await;
        let of = bench.active("web-1").await;
        made(&bench, of).await;
        let far = bench.server_in("attic", "pve9", 16).await;
        let patch = ServerPatch { backup_storage: Some(None), ..ServerPatch::default() };
        bench.books.servers.server_update(&actor(), far, None, patch).await.unwrap();
        let status = async |status| {
            let change = StatusChange { status, reason: "test".into(), deadline: None };
            bench.books.servers.server_status_set(&actor(), first, None, change).await.unwrap();
        };
        status(SchedulingState::Locked).await;
        let error = recreate(&bench, of, "web-2").await.unwrap_err();
        assert_eq!(error.code(), "no_capacity", "{}: {error}", database.name);
        assert!(error.to_string().contains("pve9: it is not known to see the backup's storage `backups`"), "{error}");
        status(SchedulingState::Online).await;
        let (made, job) = recreate(&bench, of, "web-2").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(bench.pod(made.pod.id).await.pod.server.unwrap().id, first);
    }
}

#[tokio::test]
async fn a_backup_that_a_pod_is_being_made_of_is_not_deleted_and_of_one_that_is_none_is_made() {
    for database in databases().await {
        let (bench, of) = backed_up(&database).await;
        let backup = newest(&bench, of).await;
        let (_, job) = recreate(&bench, of, "web-2").await.unwrap();
        let delete = async || bench.pods.backup_delete(&actor(), Scope::Platform, of, backup.id).await;
        assert_eq!(delete().await.unwrap_err().code(), "backup_in_use", "{}", database.name);
        assert_eq!(newest(&bench, of).await.id, backup.id, "it is ready as before");
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let (_, job) = delete().await.unwrap();
        let wanted = Recreate { name: "web-3".into(), ..Recreate::default() };
        let made = bench.pods.cloudpod_recreate(&actor(), staff(), backup.id, wanted).await;
        assert_eq!(made.unwrap_err().code(), "backup_state");
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
    }
}

#[tokio::test]
async fn what_the_platform_suspended_does_not_come_back_under_another_name() {
    for database in databases().await {
        let (bench, of) = backed_up(&database).await;
        let backup = newest(&bench, of).await;
        let by = async |grant, name: &str| {
            let wanted = Recreate { name: name.into(), ..Recreate::default() };
            bench.pods.cloudpod_recreate(&actor(), (Scope::Platform, grant), backup.id, wanted).await
        };
        let owner = Role::Owner.permissions();
        let (_, job) = bench.pods.cloudpod_suspend(&actor(), Scope::Platform, of, "unpaid", 5).await.unwrap();
        assert_eq!(by(owner, "web-2").await.unwrap_err().code(), "cloudpod_suspended", "{}: asked for", database.name);
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        assert_eq!(by(owner, "web-2").await.unwrap_err().code(), "cloudpod_suspended", "{}", database.name);
        let (_, job) = by(staff().1, "web-2").await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        let (_, job) = bench.pods.cloudpod_unsuspend(&actor(), Scope::Platform, of).await.unwrap();
        assert_eq!(bench.over(job.id).await.state, JobState::Succeeded);
        by(owner, "web-3").await.unwrap();
    }
}
