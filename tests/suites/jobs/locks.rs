//! Who changes many jobs at once takes them in the order of their ids, on PostgreSQL, where rows are held one by one. Were they taken in
//! different orders, two transactions would wait for each other.

use std::future::Future;

use control_plane::ids::JobId;
use mpanel_tests::{TestDatabase, eventually};
use sqlx::{Connection as _, PgConnection};

use super::{Bench, SOON};

async fn hold(own: &mut PgConnection, job: JobId) {
    const HOLD: &str = "SELECT id FROM jobs WHERE id = $1 FOR NO KEY UPDATE";
    sqlx::query(HOLD).bind(job.0).execute(own).await.unwrap();
}

/// Until somebody waits for what this connection holds.
async fn waited_for(own: &mut PgConnection, what: &str) {
    const WAITING: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))";
    eventually(&format!("{what} to wait for the job that is held"), SOON, async || {
        let (waiting,): (i64,) = sqlx::query_as(WAITING).fetch_one(&mut *own).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
}

/// While this connection holds the first of two jobs, `change` waits for it and has not taken the second.
async fn takes_in_order(own: &mut PgConnection, what: &str, [first, second]: [JobId; 2], change: impl Future) {
    const TAKE: &str = "SELECT id FROM jobs WHERE id = $1 FOR NO KEY UPDATE NOWAIT";
    let mut tx = own.begin().await.unwrap();
    hold(&mut tx, first).await;
    let looked = async {
        waited_for(&mut tx, what).await;
        let taken = sqlx::query(TAKE).bind(second.0).execute(&mut *tx).await;
        assert!(taken.is_ok(), "{what} holds the second while it waits for the first: {taken:?}");
        tx.rollback().await.unwrap();
    };
    tokio::join!(change, looked);
}

#[tokio::test]
async fn many_jobs_are_changed_in_the_order_of_their_ids() {
    // Stored anew, it is found after the other one.
    const BEHIND: &str = "UPDATE jobs SET run_at = run_at + 1 WHERE id = $1";
    let Some(database) = TestDatabase::postgres().await else { return };
    let bench = Bench::new(&database).await;
    let mut own = PgConnection::connect(&database.url).await.unwrap();
    let jobs = [bench.create().await, bench.create().await];
    bench.order(2).await;
    let behind = async |own: &mut PgConnection| {
        sqlx::query(BEHIND).bind(jobs[0].0).execute(own).await.unwrap();
    };
    behind(&mut own).await;
    takes_in_order(&mut own, "a renewal of leases", jobs, async { bench.engine.leases_renew().await.unwrap() }).await;
    behind(&mut own).await;
    takes_in_order(&mut own, "the end of a session", jobs, async {
        bench.engine.session_ended(bench.server).await.unwrap();
    })
    .await;
    behind(&mut own).await;
    takes_in_order(&mut own, "a release", jobs, async { bench.engine.waiting_release().await.unwrap() }).await;
    behind(&mut own).await;
    takes_in_order(&mut own, "a session", jobs, bench.agent_back(bench.server)).await;
}

/// An order that went out earlier would be taken over with the others, and be sent twice.
#[tokio::test]
async fn an_agent_is_given_no_order_before_what_is_out_at_it_is_taken_over() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let bench = Bench::new(&database).await;
    let out = bench.create().await;
    let order = bench.order(1).await;
    bench.agents.connected.lock().unwrap().clear();
    bench.engine.session_ended(bench.server).await.unwrap();
    let mut own = PgConnection::connect(&database.url).await.unwrap();
    let mut tx = own.begin().await.unwrap();
    hold(&mut tx, out).await;
    let next = async {
        waited_for(&mut tx, "the session").await;
        let next = bench.create().await;
        bench.until(next, "the next job to wait", |job| job.waits_for == Some(bench.server)).await;
        tx.rollback().await.unwrap();
        next
    };
    let ((), next) = tokio::join!(bench.agent_back(bench.server), next);
    bench.order(3).await;
    let sent = bench.agents.sent.lock().unwrap().clone();
    assert_eq!(sent.iter().filter(|again| again.id == order.id).count(), 2, "what was out, once more");
    assert_eq!(bench.job(next).await.epoch, sent.iter().find(|other| other.id != order.id).unwrap().epoch, "sent once");
}
