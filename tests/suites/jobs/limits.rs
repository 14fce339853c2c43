//! Order, fairness, limits, and what an agent that was away is sent.

use control_plane::db::Db;
use control_plane::domain::audit::{Actor, Scope};
use control_plane::domain::jobs::engine::ResultReport;
use control_plane::domain::jobs::{FailureKind, JobState, Pace};
use control_plane::ids::{CloudPodId, TenantId};
use mpanel_tests::{databases, eventually};

use super::{Bench, SOON, done, engine_paced, failure};

pub(super) async fn tenant_insert(db: &Db, name: &str) -> TenantId {
    let id = TenantId::generate();
    let mut tx = db.begin().await.unwrap();
    control_plane::execute!(tx.conn(), "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, 0)", id, name)
        .unwrap();
    tx.commit().await.unwrap();
    id
}

async fn pod_insert(db: &Db, tenant: TenantId) -> CloudPodId {
    const PLAN: &str = "
        INSERT INTO plans (id, name, vcpu, memory_mib, disk_gib, price_minor, currency, active, version, created_at, updated_at)
        VALUES ($1, 'small', 1, 256, 1, 0, 'EUR', TRUE, 1, 0, 0)";
    const IMAGE: &str = "
        INSERT INTO images (id, name, os, default_user, min_disk_gib, active, version, created_at, updated_at)
        VALUES ($1, 'debian', 'debian', 'debian', 0, TRUE, 1, 0, 0)";
    const POD: &str = "
        INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id, vcpu, memory_mib,
                               disk_gib, placement, ssh_keys, cloud_init_user, version, created_at, updated_at)
        VALUES ($1, $2, 'web', 'active', 'running', 'running', $3, $4, 1, 256, 1, '{}', '{}', 'debian', 1, 0, 0)";
    let (pod, plan, image) = (CloudPodId::generate(), uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
    let mut tx = db.begin().await.unwrap();
    control_plane::execute!(tx.conn(), PLAN, plan).unwrap();
    control_plane::execute!(tx.conn(), IMAGE, image).unwrap();
    control_plane::execute!(tx.conn(), POD, pod, tenant, plan, image).unwrap();
    tx.commit().await.unwrap();
    pod
}

#[tokio::test]
async fn a_pod_has_one_job_at_a_time_and_they_go_in_their_order() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let tenant = tenant_insert(&bench.db, "acme").await;
        let pod = pod_insert(&bench.db, tenant).await;
        let mut jobs = Vec::new();
        for _ in 0..3 {
            jobs.push(bench.create_for(Some(tenant), Some(pod)).await);
        }
        for (n, id) in jobs.iter().enumerate() {
            let order = bench.order(n + 1).await;
            let running = bench.job(*id).await;
            assert_eq!(running.command, Some((order.id, bench.server)), "{}", database.name);
            for later in &jobs[n + 1..] {
                assert_eq!(bench.job(*later).await.state, JobState::Queued);
            }
            bench.report(&order, done()).await;
            bench.until_state(*id, JobState::Succeeded).await;
        }
    }
}

#[tokio::test]
async fn a_flood_of_one_tenant_leaves_room_for_another_and_what_only_waits_is_not_counted() {
    for database in databases().await {
        let mut bench = Bench::new(&database).await;
        let pace = Pace { per_tenant: 2, ..Pace::default() };
        bench.engine = engine_paced(&bench.db, &bench.registry, &bench.agents, &bench.tasks, &pace);
        let (flood, other) = (tenant_insert(&bench.db, "flood").await, tenant_insert(&bench.db, "other").await);
        // The agent is away: every job of the flood gets as far as waiting for it.
        bench.agents.connected.lock().unwrap().clear();
        let mut ids = Vec::new();
        for _ in 0..6 {
            ids.push(bench.create_for(Some(flood), None).await);
        }
        for id in &ids {
            bench.until(*id, "waiting", |job| job.waits_for.is_some()).await;
        }
        let last = bench.create_for(Some(other), None).await;
        bench.until(last, "waiting", |job| job.waits_for.is_some()).await;
        // It is back: the other tenant's one job is not behind the six.
        bench.agent_back(bench.server).await;
        let own = bench.until(last, "its order", |job| job.command.is_some()).await;
        assert_eq!(own.tenant, Some(other), "{}", database.name);
    }
}

#[tokio::test]
async fn no_more_orders_are_out_at_a_server_than_it_may_have() {
    for database in databases().await {
        let mut bench = Bench::new(&database).await;
        let pace = Pace { per_server: 2, ..Pace::default() };
        bench.engine = engine_paced(&bench.db, &bench.registry, &bench.agents, &bench.tasks, &pace);
        let mut ids = Vec::new();
        for _ in 0..5 {
            ids.push(bench.create().await);
        }
        for n in 1..=5 {
            let order = bench.order(n).await;
            let mut out = 0;
            for id in &ids {
                out += usize::from(bench.job(*id).await.command.is_some());
            }
            assert!(out <= 2, "{out} orders are out on {}", database.name);
            bench.report(&order, done()).await;
        }
        for id in ids {
            bench.until_state(id, JobState::Succeeded).await;
        }
    }
}

#[tokio::test]
async fn an_agent_that_returns_to_a_cancelled_job_is_asked_to_abort_and_nothing_else() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let id = bench.create().await;
        let order = bench.order(1).await;
        bench.agents.connected.lock().unwrap().clear();
        bench.engine.session_ended(bench.server).await.unwrap();
        bench.jobs.job_cancel(&Actor::system("test"), Scope::Platform, id).await.unwrap();
        bench.agent_back(bench.server).await;
        let (command, epoch) = eventually("the cancellation", SOON, async || {
            bench.engine.dispatch().await.unwrap();
            bench.agents.cancelled.lock().unwrap().first().copied()
        })
        .await;
        assert_eq!(command, order.id, "{}", database.name);
        assert_eq!(bench.agents.sent.lock().unwrap().len(), 1, "the order itself is not repeated");
        let job = bench.job(id).await;
        let report = ResultReport {
            command,
            epoch: job.epoch.max(epoch),
            outcome: failure(FailureKind::Cancelled),
            log: Vec::new(),
        };
        bench.engine.result_record(bench.server, report).await.unwrap();
        bench.report(&bench.order(2).await, done()).await;
        bench.until_state(id, JobState::Cancelled).await;
    }
}
