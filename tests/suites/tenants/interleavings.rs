//! Whatever is asked for at once, no moment shows a tenant beyond a quota.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use control_plane::domain::audit::Scope;
use control_plane::domain::cloudpods::backups::BackupCreate;
use control_plane::domain::cloudpods::operations::Resize;
use control_plane::domain::jobs::command::BackupMode;
use control_plane::domain::tenants::quotas::{Limits, Quota};
use control_plane::error::{Error, Result};
use control_plane::ids::CloudPodId;
use futures::future::join_all;
use mpanel_tests::databases;
use mpanel_tests::eventually;
use mpanel_tests::pod_bench::{PodBench, SOON, actor, staff};
use proptest::prelude::*;

use super::{limit, tenant_of};

/// Every one of them is reached: the plan is of 2 CPUs, 4 GiB and 20 GiB, with two addresses.
const LIMITS: Limits = Limits {
    pods: Some(5),
    vcpu: Some(11),
    memory_mib: Some(26 * 1024),
    disk_gib: Some(105),
    addresses: Some(7),
    snapshots: Some(3),
    backups: Some(2),
};

/// What somebody asks for; a pod by its place among those there are.
#[derive(Clone, Debug)]
enum Ask {
    Create,
    Destroy(usize),
    Resize { pod: usize, vcpu: u32, memory_mib: u64, disk_gib: u64 },
    Snapshot(usize),
    BackUp(usize),
}

fn asks() -> impl Strategy<Value = Vec<Vec<Ask>>> {
    let size = (0..6_usize, 1..5_u32, 1..9_u64, 20..28_u64);
    let one = prop_oneof![
        4 => Just(Ask::Create),
        2 => (0..6_usize).prop_map(Ask::Destroy),
        4 => size.prop_map(|(pod, vcpu, gib, disk_gib)| Ask::Resize { pod, vcpu, memory_mib: gib * 1024, disk_gib }),
        2 => (0..6_usize).prop_map(Ask::Snapshot),
        2 => (0..6_usize).prop_map(Ask::BackUp),
    ];
    // Rounds of what is asked for at once.
    prop::collection::vec(prop::collection::vec(one, 2..8), 1..5)
}

struct Fixture {
    bench: PodBench,
    pods: Mutex<Vec<CloudPodId>>,
    asked: AtomicU32,
    refused: AtomicU32,
}

impl Fixture {
    fn pod(&self, at: usize) -> Option<CloudPodId> {
        let pods = self.pods.lock().unwrap();
        (!pods.is_empty()).then(|| pods[at % pods.len()])
    }

    async fn ask(&self, ask: Ask) -> Result<()> {
        let (bench, who, all) = (&self.bench, actor(), Scope::Platform);
        let n = self.asked.fetch_add(1, Ordering::Relaxed);
        match ask {
            Ask::Create => {
                let (detail, _) = bench.create(&format!("web-{n}")).await?;
                self.pods.lock().unwrap().push(detail.pod.id);
                Ok(())
            }
            Ask::Destroy(at) => {
                let Some(pod) = self.pod(at) else { return Ok(()) };
                bench.pods.cloudpod_destroy(&who, staff(), pod).await?;
                self.pods.lock().unwrap().retain(|one| *one != pod);
                Ok(())
            }
            Ask::Resize { pod, vcpu, memory_mib, disk_gib } => {
                let Some(pod) = self.pod(pod) else { return Ok(()) };
                let (vcpu, memory_mib, disk_gib) = (Some(vcpu), Some(memory_mib), Some(disk_gib));
                let wanted = Resize { plan: None, vcpu, memory_mib, disk_gib, restart: true };
                bench.pods.cloudpod_resize(&who, all, pod, &wanted).await.map(drop)
            }
            Ask::Snapshot(at) => {
                let Some(pod) = self.pod(at) else { return Ok(()) };
                bench.pods.snapshot_create(&who, all, pod, &format!("s{n}"), "", false).await.map(drop)
            }
            Ask::BackUp(at) => {
                let Some(pod) = self.pod(at) else { return Ok(()) };
                let (storage, mode, note) = (None, BackupMode::Snapshot, String::new());
                let wanted = BackupCreate { storage, mode, note, protected: false, keep_days: None };
                bench.pods.backup_create(&who, all, pod, wanted).await.map(drop)
            }
        }
    }

    /// Asks, again while the database is busy; a refusal is an answer.
    async fn answered(&self, ask: Ask) {
        for _ in 0..50 {
            match self.ask(ask.clone()).await {
                Err(Error::Unavailable { .. }) => {}
                Err(error @ (Error::Conflict { .. } | Error::NoCapacity(_) | Error::Invalid(_) | Error::Stale)) => {
                    self.refused.fetch_add(u32::from(error.code() == "quota_exceeded"), Ordering::Relaxed);
                    return;
                }
                Ok(()) => return,
                Err(error) => panic!("{ask:?}: {error} {error:?}"),
            }
        }
        panic!("50 tries were in vain: {ask:?}");
    }

    async fn within(&self) {
        let tenant = tenant_of(&self.bench).await;
        let (quotas, _) = self.bench.tenants.quotas_get(Scope::Platform, tenant).await.unwrap();
        for quota in Quota::ALL {
            let (limit, used) = (quotas.limits.of(quota).unwrap(), quotas.used.of(quota));
            assert!(used <= limit, "{}: {used} used of {limit}", quota.as_str());
        }
    }

    /// Works until there is nothing left to do.
    async fn rest(&self) {
        const SQL: &str = "SELECT COUNT(*) FROM jobs WHERE state IN ('queued', 'running', 'undoing')";
        eventually("all jobs end", SOON, async || {
            self.bench.engine.dispatch().await.unwrap();
            self.within().await;
            let mut read = self.bench.db.read().await.unwrap();
            let (live,) = control_plane::fetch_one!(read.conn(), (i64,), SQL).unwrap();
            (live == 0).then_some(())
        })
        .await;
    }
}

async fn check(fixture: &Arc<Fixture>, rounds: Vec<Vec<Ask>>) {
    for round in rounds {
        let tasks = round.into_iter().map(|ask| {
            let fixture = fixture.clone();
            tokio::spawn(async move {
                fixture.answered(ask).await;
                fixture.bench.engine.dispatch().await.unwrap();
                fixture.within().await;
            })
        });
        for done in join_all(tasks).await {
            done.unwrap();
        }
    }
    fixture.rest().await;
}

#[test]
fn no_interleaving_exceeds_a_quota() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    for database in runtime.block_on(databases()) {
        let fixture = runtime.block_on(async {
            let bench = PodBench::new(&database).await;
            bench.server("pve1", 64).await;
            limit(&bench, LIMITS).await;
            let (pods, asked, refused) = (Mutex::default(), AtomicU32::new(0), AtomicU32::new(0));
            Arc::new(Fixture { bench, pods, asked, refused })
        });
        let config = ProptestConfig { cases: 10, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(rounds in asks())| {
            runtime.block_on(check(&fixture, rounds));
        });
        let refused = fixture.refused.load(Ordering::Relaxed);
        assert!(refused > 0, "{}: nothing came to a limit, so that nothing was shown", database.name);
    }
}
