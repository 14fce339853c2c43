//! Reservations and VMIDs.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use control_plane::db::Tx;
use control_plane::domain::servers::{Heartbeat, Inventory, SchedulingState, ServerPatch, StatusChange};
use control_plane::error::{Error, Result};
use control_plane::ids::{CloudPodId, ServerId};
use futures::future::join_all;
use proptest::prelude::*;

use crate::{Books, actor, code, each, fields, heartbeat, inventory, server_named, storage};

async fn hold(books: &Books, pod: CloudPodId, server: ServerId, size: (u32, u64, u64)) -> Result<bool> {
    let mut tx = books.db.begin().await?;
    let held = books.servers.reservation_hold(&mut tx, pod, server, "local", size.0, size.1, size.2).await?;
    tx.commit().await?;
    Ok(held)
}

/// As a saga would: a conflict with another transaction is tried again.
async fn retried<T>(mut attempt: impl AsyncFnMut() -> Result<T>) -> T {
    for _ in 0..50 {
        match attempt().await {
            Ok(value) => return value,
            Err(error @ Error::Unavailable { .. }) => drop(error),
            Err(error) => panic!("{error}: {error:?}"),
        }
    }
    panic!("50 attempts were in vain");
}

#[tokio::test]
async fn a_reservation_counts_once_and_is_given_back_once() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let pod = books.pod().await;
        for _ in 0..2 {
            assert!(hold(&books, pod, server.id, (2, 2048, 20)).await.unwrap(), "{}", books.name);
        }
        let after = books.again(&server).await;
        assert_eq!((after.reserved.vcpu, after.reserved.memory_mib, after.reserved.pods), (2, 2048, 1));
        assert_eq!(after.storages.iter().find(|s| s.name == "local").unwrap().reserved_gib, 20);
        assert_eq!(after.version, server.version, "a reservation is no change of the operator's");

        let other = books.server("pve2").await;
        assert_eq!(code(&hold(&books, pod, other.id, (1, 1, 1)).await.unwrap_err()), "reservation_elsewhere");

        for _ in 0..2 {
            let mut tx = books.db.begin().await.unwrap();
            books.servers.reservation_release(&mut tx, pod).await.unwrap();
            tx.commit().await.unwrap();
        }
        let after = books.again(&server).await;
        assert_eq!((after.reserved.vcpu, after.reserved.memory_mib, after.reserved.pods), (0, 0, 0));
        assert_eq!(after.storages.iter().find(|s| s.name == "local").unwrap().reserved_gib, 0);
    })
    .await;
}

#[tokio::test]
async fn what_does_not_fit_holds_nothing() {
    each(|books| async move {
        let server = books.server("pve1").await;
        for size in [(9, 1, 1), (1, 16 * 1024 + 1, 1), (1, 1, 101)] {
            let pod = books.pod().await;
            assert!(!hold(&books, pod, server.id, size).await.unwrap(), "{size:?}");
        }
        let mut tx = books.db.begin().await.unwrap();
        let pod = books.pod_in(&mut tx).await;
        let unoffered = books.servers.reservation_hold(&mut tx, pod, server.id, "other", 1, 1, 1).await.unwrap();
        assert!(!unoffered, "a storage that is not offered is not used");
        drop(tx);
        let after = books.again(&server).await;
        assert_eq!((after.reserved.vcpu, after.reserved.memory_mib, after.reserved.pods), (0, 0, 0));
    })
    .await;
}

#[tokio::test]
async fn only_an_open_connected_and_known_server_takes_reservations() {
    each(|books| async move {
        let pending = books.server_pending("pve1").await;
        let pod = books.pod().await;
        assert!(!hold(&books, pod, pending.id, (1, 1, 1)).await.unwrap(), "never connected");
        let epoch = books.session(pending.id, "machine-1").await;
        assert!(!hold(&books, pod, pending.id, (1, 1, 1)).await.unwrap(), "nothing known of it");
        books.servers.heartbeat_record(pending.id, epoch, heartbeat("pve1", "")).await.unwrap();
        assert!(!hold(&books, pod, pending.id, (1, 1, 1)).await.unwrap(), "its VMs are not known");
        let mut tx = books.db.begin().await.unwrap();
        assert!(books.servers.inventory_record(&mut tx, pending.id, epoch, &inventory(&[])).await.unwrap());
        tx.commit().await.unwrap();
        for status in [SchedulingState::Locked, SchedulingState::Draining] {
            let change = StatusChange { status, reason: "test".into(), deadline: None };
            books.servers.server_status_set(&actor(), pending.id, None, change).await.unwrap();
            assert!(!hold(&books, pod, pending.id, (1, 1, 1)).await.unwrap(), "{status:?}");
        }
        let open = StatusChange { status: SchedulingState::Online, reason: String::new(), deadline: None };
        books.servers.server_status_set(&actor(), pending.id, None, open).await.unwrap();
        books.servers.session_close(pending.id, epoch).await.unwrap();
        assert!(!hold(&books, pod, pending.id, (1, 1, 1)).await.unwrap(), "offline");
        books.connect(pending.id, heartbeat("pve1", ""), inventory(&[])).await;
        let epoch = books.again(&pending).await.seen.session_epoch;
        let full = Heartbeat { ledger_error: "No space left on device".into(), ..heartbeat("pve1", "") };
        let split = Heartbeat { quorate: false, ..heartbeat("pve1", "") };
        for refuses in [full, split] {
            books.servers.heartbeat_record(pending.id, epoch, refuses).await.unwrap();
            assert!(!hold(&books, pod, pending.id, (1, 1, 1)).await.unwrap(), "nothing that is ordered there is done");
        }
        books.servers.heartbeat_record(pending.id, epoch, heartbeat("pve1", "")).await.unwrap();
        assert!(hold(&books, pod, pending.id, (1, 1, 1)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn the_last_slot_goes_to_one_of_many_schedulers() {
    each(|books| async move {
        let server = books.server("pve1").await;
        let patch = ServerPatch { pod_limit: Some(Some(3)), ..ServerPatch::default() };
        books.servers.server_update(&actor(), server.id, None, patch).await.unwrap();
        let mut pods = Vec::new();
        for _ in 0..12 {
            pods.push(books.pod().await);
        }
        let won = join_all(pods.iter().map(|pod| {
            let books = books.clone();
            async move { retried(async || hold(&books, *pod, server.id, (1, 1024, 10)).await).await }
        }))
        .await;
        assert_eq!(won.iter().filter(|won| **won).count(), 3, "{}", books.name);
        let after = books.again(&server).await;
        assert_eq!((after.reserved.pods, after.reserved.vcpu, after.reserved.memory_mib), (3, 3, 3072));
    })
    .await;
}

#[tokio::test]
async fn a_shared_storage_is_one_storage_to_the_whole_cluster() {
    each(|books| async move {
        let mut ids = Vec::new();
        for name in ["pve1", "pve2"] {
            let server = books.server_pending(name).await;
            let mut heartbeat = heartbeat(name, "cluster-1");
            heartbeat.storages = vec![storage("local", true)];
            books.connect(server.id, heartbeat, inventory(&[])).await;
            ids.push(server.id);
        }
        let mut pods = Vec::new();
        for _ in 0..10 {
            pods.push(books.pod().await);
        }
        let won = join_all(pods.iter().enumerate().map(|(i, pod)| {
            let (books, server) = (books.clone(), ids[i % 2]);
            async move { retried(async || hold(&books, *pod, server, (1, 16, 30)).await).await }
        }))
        .await;
        assert_eq!(won.iter().filter(|won| **won).count(), 3, "3 × 30 GiB of 100 GiB ({})", books.name);
        let mut read = books.db.read().await.unwrap();
        for server in books.servers.server_snapshot(read.conn()).await.unwrap() {
            let local = server.storages.iter().find(|s| s.name == "local").unwrap();
            assert_eq!((local.reserved_gib, local.capacity_gib), (90, 100), "{}", server.name);
        }
    })
    .await;
}

#[tokio::test]
async fn vmids_rise_skip_what_is_seen_anywhere_in_the_cluster_and_fill_gaps_last() {
    each(|books| async move {
        let mut servers = Vec::new();
        for (name, seen) in [("pve1", vec![10_001]), ("pve2", vec![10_004])] {
            let mut input = server_named(name);
            (input.vmid_min, input.vmid_max) = (Some(10_000), Some(10_005));
            let (server, _) = books.servers.server_create(&actor(), input).await.unwrap();
            books.connect(server.id, heartbeat(name, "cluster-1"), inventory(&seen)).await;
            servers.push(server);
        }
        let take = async |server: ServerId, pod| {
            let mut tx = books.db.begin().await.unwrap();
            let vmid = books.servers.vmid_take(&mut tx, server, pod).await;
            tx.commit().await.unwrap();
            vmid
        };
        let mut got = Vec::new();
        let mut pods = Vec::new();
        for i in 0..4 {
            let pod = books.pod().await;
            let vmid = take(servers[i % 2].id, pod).await.unwrap();
            assert_eq!(take(servers[i % 2].id, pod).await.unwrap(), vmid, "a pod keeps its VMID");
            got.push(vmid);
            pods.push(pod);
        }
        assert_eq!(got, [10_005, 10_000, 10_002, 10_003], "{}", books.name);
        let pod = books.pod().await;
        let full = take(servers[0].id, pod).await.unwrap_err();
        assert_eq!(fields(&full), ["pve1"]);

        let mut tx = books.db.begin().await.unwrap();
        books.servers.vmid_mark_foreign(&mut tx, servers[0].id, 10_005, pods[0]).await.unwrap();
        books.servers.vmid_release(&mut tx, pods[1]).await.unwrap();
        books.servers.vmid_release(&mut tx, pods[1]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(take(servers[0].id, pods[0]).await.unwrap(), 10_000, "the foreign VMID is not given out again");
        assert!(take(servers[1].id, pods[1]).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_foreign_vmid_is_free_again_once_its_vm_was_shown_and_no_host_of_the_cluster_shows_it_any_more() {
    each(|books| async move {
        let (first, second) = (books.server_pending("pve1").await.id, books.server_pending("pve2").await.id);
        let mut epochs = HashMap::new();
        for (server, name) in [(first, "pve1"), (second, "pve2")] {
            epochs.insert(server, books.connect(server, heartbeat(name, "cluster-1"), inventory(&[])).await);
        }
        let show = async |server: ServerId, inventory: Inventory| {
            let mut tx = books.db.begin().await.unwrap();
            assert!(books.servers.inventory_record(&mut tx, server, epochs[&server], &inventory).await.unwrap());
            tx.commit().await.unwrap();
        };
        let gone = |vmid| Inventory { full: false, gone: vec![vmid], ..Inventory::default() };
        let (pod, other) = (books.pod().await, books.pod().await);
        // What would be given out next; nothing is taken.
        let next = async || {
            let mut tx = books.db.begin().await.unwrap();
            books.servers.vmid_take(&mut tx, first, other).await.unwrap()
        };
        let took_foreign = async || {
            let mut tx = books.db.begin().await.unwrap();
            let vmid = books.servers.vmid_take(&mut tx, first, pod).await.unwrap();
            books.servers.vmid_mark_foreign(&mut tx, first, vmid, pod).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!((vmid, next().await), (10_000, 10_001), "{}", books.name);
        };
        took_foreign().await;
        for (server, shown, why) in [
            (first, inventory(&[]), "it was never shown: it may be on a node without an agent"),
            (first, inventory(&[10_000]), "it is there"),
            (second, inventory(&[]), "another host knows nothing of it"),
            (second, inventory(&[10_000]), "it is moved by hand, and both show it"),
            (first, inventory(&[]), "it is on the other host"),
            (first, gone(10_000), "as before"),
        ] {
            show(server, shown).await;
            assert_eq!(next().await, 10_001, "{}: {why}", books.name);
        }
        show(second, inventory(&[])).await;
        assert_eq!(next().await, 10_000, "{}: no host shows it any more", books.name);

        took_foreign().await;
        show(first, inventory(&[10_000])).await;
        show(first, gone(10_000)).await;
        assert_eq!(next().await, 10_000, "{}: its host says that it is gone", books.name);

        // The number of a pod is its own, whatever its host shows.
        let mut tx = books.db.begin().await.unwrap();
        assert_eq!(books.servers.vmid_take(&mut tx, first, pod).await.unwrap(), 10_000);
        tx.commit().await.unwrap();
        show(first, inventory(&[10_000])).await;
        show(first, inventory(&[])).await;
        assert_eq!(next().await, 10_001, "{}: a pod has it", books.name);
    })
    .await;
}

#[tokio::test]
async fn vmids_taken_at_once_are_all_different() {
    each(|books| async move {
        let mut ids = Vec::new();
        for name in ["pve1", "pve2"] {
            let server = books.server_pending(name).await;
            books.connect(server.id, heartbeat(name, "cluster-1"), inventory(&[10_003])).await;
            ids.push(server.id);
        }
        let mut pods = Vec::new();
        for _ in 0..16 {
            pods.push(books.pod().await);
        }
        let taken = join_all(pods.iter().enumerate().map(|(i, pod)| {
            let (books, server) = (books.clone(), ids[i % 2]);
            async move {
                retried(async || {
                    let mut tx = books.db.begin().await?;
                    let vmid = books.servers.vmid_take(&mut tx, server, *pod).await?;
                    tx.commit().await?;
                    Ok(vmid)
                })
                .await
            }
        }))
        .await;
        let different: BTreeSet<_> = taken.iter().collect();
        assert_eq!(different.len(), 16, "{}: {taken:?}", books.name);
        assert!(!different.contains(&10_003));
    })
    .await;
}

impl Books {
    /// As [`Books::pod`], in a transaction that is open already: SQLite has but one writer.
    async fn pod_in(&self, tx: &mut Tx) -> CloudPodId {
        const SQL: &str = "INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id,
                               vcpu, memory_mib, disk_gib, placement, ssh_keys, cloud_init_user, version, created_at, updated_at)
                           VALUES ($1, $2, 'in-tx', 'requested', 'running', 'unknown', $3, $4, 1, 1, 1, $5, $5, 'x', 1, 0, 0)";
        let id = CloudPodId::generate();
        let empty = sqlx::types::Json(std::collections::BTreeMap::<String, String>::new());
        control_plane::execute!(tx.conn(), SQL, id, self.tenant, self.plan, self.image, &empty).unwrap();
        id
    }
}

/// What a pod does next.
#[derive(Clone, Debug)]
enum Move {
    Hold { pod: usize, server: usize, size: (u32, u64, u64) },
    Release { pod: usize },
}

fn moves() -> impl Strategy<Value = Vec<Vec<Move>>> {
    let hold = (0..6_usize, 0..2_usize, (1..5_u32, 256..6000_u64, 1..60_u64));
    let one = prop_oneof![
        3 => hold.prop_map(|(pod, server, size)| Move::Hold { pod, server, size }),
        2 => (0..6_usize).prop_map(|pod| Move::Release { pod }),
    ];
    // Rounds of moves that are made at once.
    prop::collection::vec(prop::collection::vec(one, 1..5), 1..8)
}

#[test]
fn the_totals_are_the_sums_of_the_reservations_after_any_moves() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for database in runtime.block_on(mpanel_tests::databases()) {
        let books = Arc::new(runtime.block_on(Books::over(Arc::new(database))));
        let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
        let case = AtomicU32::new(0);
        proptest!(config, |(rounds in moves())| {
            runtime.block_on(totals_check(&books, case.fetch_add(1, Ordering::Relaxed), rounds));
        });
    }
}

async fn totals_check(books: &Arc<Books>, case: u32, rounds: Vec<Vec<Move>>) {
    let mut servers = Vec::new();
    for i in 0..2 {
        servers.push(books.server(&format!("case-{case}-{i}")).await.id);
    }
    let mut pods = Vec::new();
    for _ in 0..6 {
        pods.push(books.pod().await);
    }
    for round in rounds {
        // One job per pod at a time, as the engine has it.
        let mut busy = BTreeSet::new();
        let moves: Vec<_> = round
            .into_iter()
            .filter(|m| match m {
                Move::Hold { pod, .. } | Move::Release { pod } => busy.insert(*pod),
            })
            .collect();
        join_all(moves.into_iter().map(|m| {
            let (books, servers, pods) = (books.clone(), servers.clone(), pods.clone());
            async move {
                match m {
                    Move::Hold { pod, server, size } => {
                        retried(async || match hold(&books, pods[pod], servers[server], size).await {
                            Err(Error::Conflict { code: "reservation_elsewhere", .. }) => Ok(()),
                            other => other.map(drop),
                        })
                        .await;
                    }
                    Move::Release { pod } => {
                        retried(async || {
                            let mut tx = books.db.begin().await?;
                            books.servers.reservation_release(&mut tx, pods[pod]).await?;
                            tx.commit().await
                        })
                        .await;
                    }
                }
            }
        }))
        .await;
        for server in &servers {
            sums_check(books, *server).await;
        }
    }
}

async fn sums_check(books: &Books, server: ServerId) {
    const SQL: &str =
        "SELECT CAST(COALESCE(SUM(vcpu), 0) AS BIGINT) AS vcpu, CAST(COALESCE(SUM(memory_mib), 0) AS BIGINT) AS memory,
                              CAST(COALESCE(SUM(disk_gib), 0) AS BIGINT) AS disk, COUNT(*) AS pods
                       FROM reservations WHERE server_id = $1";
    #[derive(sqlx::FromRow)]
    struct Sums {
        vcpu: i64,
        memory: i64,
        disk: i64,
        pods: i64,
    }
    let mut read = books.db.read().await.unwrap();
    let sums = control_plane::fetch_one!(read.conn(), Sums, SQL, server).unwrap();
    let record = books.servers.server_get(read.conn(), server).await.unwrap();
    let local = record.storages.iter().find(|s| s.name == "local").unwrap();
    let held = (record.reserved.vcpu as i64, record.reserved.memory_mib as i64, record.reserved.pods as i64);
    assert_eq!(held, (sums.vcpu, sums.memory, sums.pods));
    assert_eq!(local.reserved_gib as i64, sums.disk);
    assert!(record.reserved.vcpu <= 8 && record.reserved.memory_mib <= 16 * 1024 && local.reserved_gib <= 100);
}
