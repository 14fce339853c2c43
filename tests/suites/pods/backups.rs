//! Backups: made, pruned, restored in place and elsewhere, and kept beyond their pod.

use std::time::Duration;

use control_plane::clock::Ms;
use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::backups::{Backup, BackupState};
use control_plane::domain::cloudpods::backups::{BackupCreate, PolicyPatch};
use control_plane::domain::cloudpods::{DesiredPower, State};
use control_plane::domain::jobs::command::BackupMode;
use control_plane::domain::jobs::{BackupSeen, FailureKind, JobState, NewJob, Power};
use control_plane::domain::servers::ServerPatch;
use control_plane::error::Error;
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
pub async fn backed_up(database: &TestDatabase) -> (PodBench, CloudPodId) {
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
            bench.pods.backup_restore(&actor(), staff(), pod, early, None).await.unwrap_err(),
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
            bench.pods.backup_restore(&actor(), (stranger, staff().1), pod, backup.id, None).await.map(|_| ()),
            bench.pods.backup_delete(&actor(), stranger, pod, backup.id).await.map(|_| ()),
            bench.pods.backup_update(&actor(), stranger, pod, backup.id, Some(false), None).await.map(|_| ()),
        ] {
            assert_eq!(hidden.unwrap_err().code(), "not_found");
        }
        let other = bench.active("web-2").await;
        let mixed = bench.pods.backup_restore(&actor(), staff(), other, backup.id, None).await;
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
        let moved = bench.pods.backup_restore(&actor(), staff(), pod, backup, Some(&elsewhere)).await;
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
        let restore =
            async |server: Option<&str>| bench.pods.backup_restore(&actor(), staff(), pod, backup, server).await;
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
        let restore = async || bench.pods.backup_restore(&actor(), staff(), pod, backup.id, Some("pve2")).await;
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
