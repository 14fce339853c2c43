//! Who changes many jobs at once takes them in the order of their ids, on PostgreSQL, where rows are held one by one. Were they taken in
//! different orders, two transactions would wait for each other.

use std::future::Future;

use control_plane::ids::JobId;
use mpanel_tests::{TestDatabase, eventually};
use sqlx::{Connection as _, PgConnection};

use super::{Bench, SOON};

/// While this connection holds the first of two jobs, `change` waits for it and has not taken the second.
async fn takes_in_order(own: &mut PgConnection, what: &str, [first, second]: [JobId; 2], change: impl Future) {
    const HOLD: &str = "SELECT id FROM jobs WHERE id = $1 FOR NO KEY UPDATE";
    const TAKE: &str = "SELECT id FROM jobs WHERE id = $1 FOR NO KEY UPDATE NOWAIT";
    const WAITING: &str = "SELECT COUNT(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))";
    let mut tx = own.begin().await.unwrap();
    sqlx::query(HOLD).bind(first.0).execute(&mut *tx).await.unwrap();
    let looked = async {
        eventually(&format!("{what} to wait for the first"), SOON, async || {
            let (waiting,): (i64,) = sqlx::query_as(WAITING).fetch_one(&mut *tx).await.unwrap();
            (waiting > 0).then_some(())
        })
        .await;
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
    takes_in_order(&mut own, "a session", jobs, async { bench.engine.session_started(bench.server).await.unwrap() })
        .await;
}
