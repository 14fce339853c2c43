//! A flood of one tenant, and storages that only bear so much.

use std::collections::{HashMap, HashSet};

use control_plane::db::Window;
use control_plane::domain::audit::Scope;
use control_plane::domain::jobs::service::JobFilter;
use control_plane::domain::jobs::{JobState, Pace};
use control_plane::ids::{JobId, TenantId};
use mpanel_tests::{databases, eventually};

use super::limits::tenant_insert;
use super::{Bench, SOON, done, engine_paced};

/// Makes many queued jobs of a tenant at once.
async fn flood(bench: &Bench, tenant: TenantId, count: i64) {
    const SQL: &str = "
        INSERT INTO jobs (id, tenant_id, kind, state, params, step, step_count, attempt, attempts_max, run_at, epoch,
                          cancel_requested, step_progress, created_by, created_at, updated_at)
        VALUES ($1, $2, 'toy', 'queued', '{}', 0, 3, 1, 3, 0, 0, FALSE, 0, 'test', 0, 0)";
    let mut tx = bench.db.begin().await.unwrap();
    for _ in 0..count {
        control_plane::execute!(tx.conn(), SQL, uuid::Uuid::now_v7(), tenant).unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_tenant_with_ten_thousand_queued_jobs_does_not_keep_another_s_one_waiting() {
    for database in databases().await {
        let mut bench = Bench::new(&database).await;
        let pace = Pace { per_tenant: 16, per_server: 4, claim_batch: 8, ..Pace::default() };
        bench.engine = engine_paced(&bench.db, &bench.registry, &bench.agents, &bench.tasks, &pace);
        let (many, one) = (tenant_insert(&bench.db, "many").await, tenant_insert(&bench.db, "one").await);
        flood(&bench, many, 10_000).await;
        // The flood has taken all that it may have: every place at the server, and its own limit.
        bench.order(4).await;
        let own = bench.create_for(Some(one), None).await;
        // Its fair share: of the places that come free at the server, one of two is its.
        loop {
            bench.engine.dispatch().await.unwrap();
            // On a busy machine it may be slow to get as far as the server; only who waits there has a share of its places.
            eventually("what was claimed went as far as it could", SOON, async || bench.tasks.is_empty().then_some(()))
                .await;
            if bench.job(own).await.command.is_some() {
                break;
            }
            let ended = bench.script.trace().iter().filter(|what| *what == "succeeded").count();
            assert!(ended <= 12, "it is still waiting after {ended} of the flood on {}", database.name);
            // The newest of each: what is late counts for nothing.
            let sent: HashMap<_, _> =
                bench.agents.sent.lock().unwrap().iter().map(|order| (order.id, order.clone())).collect();
            // One at a time, so that every free place is fought for.
            for order in sent.values() {
                // A toy has its job's id for a pod's.
                let job = JobId(order.command.pod.0);
                if bench.job(job).await.command.is_some() {
                    bench.report(order, done()).await;
                    if bench.job(job).await.command.is_none() {
                        break;
                    }
                }
            }
        }
        let begun = bench.jobs.counts_by_state().await.unwrap();
        let running = begun.iter().find(|(state, _)| state == "running").map_or(0, |(_, count)| *count);
        assert!(running <= 17, "{running} are begun, of 16 and the one, on {}", database.name);
    }
}

#[tokio::test]
async fn a_claim_reads_no_more_of_a_long_queue_than_it_takes() {
    const SCANS: &str =
        "SELECT CAST(COALESCE(SUM(seq_scan), 0) AS BIGINT) FROM pg_stat_user_tables WHERE relname = 'jobs'";
    const ANALYZE: &str = "ANALYZE jobs";
    for database in databases().await {
        if database.name != "postgres" {
            // SQLite's plans are checked beside the statements.
            continue;
        }
        let bench = Bench::new(&database).await;
        let (many, one) = (tenant_insert(&bench.db, "many").await, tenant_insert(&bench.db, "one").await);
        flood(&bench, many, 10_000).await;
        let mut tx = bench.db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), ANALYZE).unwrap();
        tx.commit().await.unwrap();
        let scans = async || {
            let mut read = bench.db.read().await.unwrap();
            control_plane::execute!(read.conn(), "SELECT pg_stat_force_next_flush()").unwrap();
            let (count,): (i64,) = control_plane::fetch_one!(read.conn(), (i64,), SCANS).unwrap();
            count
        };
        let before = scans().await;
        bench.create_for(Some(one), None).await;
        bench.order(2).await;
        assert_eq!(scans().await, before, "the table of jobs was read from end to end");
    }
}

#[tokio::test]
async fn a_job_of_each_of_many_tenants_is_begun_before_any_tenant_s_second() {
    for database in databases().await {
        let mut bench = Bench::new(&database).await;
        let pace = Pace { claim_batch: 4, ..Pace::default() };
        bench.engine = engine_paced(&bench.db, &bench.registry, &bench.agents, &bench.tasks, &pace);
        let mut first = Vec::new();
        for n in 0..6 {
            let tenant = tenant_insert(&bench.db, &format!("tenant-{n}")).await;
            first.push(bench.create_for(Some(tenant), None).await);
            flood(&bench, tenant, 20).await;
        }
        // As many as the server has places for.
        bench.order(8).await;
        let running = JobFilter { state: Some(JobState::Running), ..JobFilter::default() };
        let window = Window { limit: 200, after: None };
        let jobs = bench.jobs.job_list(Scope::Platform, &running, window).await.unwrap();
        let out: HashSet<_> = jobs.iter().filter(|job| job.command.is_some()).map(|job| job.tenant).collect();
        assert_eq!(out.len(), 6, "eight orders of six tenants on {}", database.name);
    }
}
