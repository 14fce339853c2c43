//! What a look at the queue must not miss, though it does not begin at its beginning each time.

use std::time::Duration;

use control_plane::clock::Ms;
use control_plane::domain::audit::Scope;
use control_plane::domain::jobs::{JobState, Pace};
use control_plane::ids::{InstanceId, JobId};
use mpanel_tests::{databases, eventually};
use sqlx::{Connection as _, PgConnection};

use super::{Bench, SOON, done, engine_paced};

const LEASE_OVER: &str = "UPDATE jobs SET lease_owner = $2, lease_until = 1000 WHERE id = $1";

async fn short_leases(bench: &mut Bench) {
    let pace = Pace { lease: Duration::from_millis(400), ..Pace::default() };
    bench.engine = engine_paced(&bench.db, &bench.registry, &bench.agents, &bench.tasks, &pace);
    bench.engine.dispatch().await.unwrap();
}

/// Somebody else holds it, whose lease has ended long ago.
async fn lease_over(bench: &Bench, job: JobId) {
    let mut tx = bench.db.begin().await.unwrap();
    control_plane::execute!(tx.conn(), LEASE_OVER, job, InstanceId::generate()).unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_job_that_was_stored_long_after_it_was_due_is_begun() {
    const LATE: &str = "UPDATE jobs SET run_at = run_at - 3600000 WHERE id = $1";
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let first = bench.create().await;
        bench.report(&bench.order(1).await, done()).await;
        bench.until_state(first, JobState::Succeeded).await;
        assert_eq!(bench.engine.dispatch().await.unwrap(), 0, "{}: nothing is queued", database.name);
        let late = bench.create().await;
        let mut tx = bench.db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), LATE, late).unwrap();
        tx.commit().await.unwrap();
        bench.report(&bench.order(2).await, done()).await;
        bench.until_state(late, JobState::Succeeded).await;
    }
}

#[tokio::test]
async fn a_lease_that_ended_long_before_the_last_look_is_let_go_of() {
    for database in databases().await {
        let mut bench = Bench::new(&database).await;
        short_leases(&mut bench).await;
        let id = bench.create().await;
        let order = bench.order(1).await;
        lease_over(&bench, id).await;
        let again = bench.order(2).await;
        assert_eq!(order.id, again.id, "{}", database.name);
        bench.report(&again, done()).await;
        bench.until_state(id, JobState::Succeeded).await;
    }
}

#[tokio::test]
async fn a_row_that_somebody_holds_keeps_no_other_job_from_being_begun() {
    const HOLD: &str = "SELECT id FROM jobs WHERE id = $1 FOR UPDATE";
    // SQLite has one writer: nobody holds a row beside it.
    for database in databases().await.into_iter().filter(|database| database.name == "postgres") {
        let mut bench = Bench::new(&database).await;
        short_leases(&mut bench).await;
        let held = bench.create().await;
        let order = bench.order(1).await;
        lease_over(&bench, held).await;
        let mut own = PgConnection::connect(&database.url).await.unwrap();
        let mut holding = own.begin().await.unwrap();
        sqlx::query(HOLD).bind(held.0).execute(&mut *holding).await.unwrap();
        let other = bench.create().await;
        let begun = bench.order(2).await;
        assert_ne!(begun.id, order.id, "it is the other job's");
        bench.report(&begun, done()).await;
        bench.until_state(other, JobState::Succeeded).await;
        holding.rollback().await.unwrap();
        let again = eventually("the held one to be taken up", SOON, async || {
            bench.engine.dispatch().await.unwrap();
            bench.agents.sent.lock().unwrap().iter().skip(2).find(|sent| sent.id == order.id).cloned()
        })
        .await;
        bench.report(&again, done()).await;
        bench.until_state(held, JobState::Succeeded).await;
    }
}

#[tokio::test]
async fn a_job_whose_agent_comes_between_the_look_for_it_and_the_wait_does_not_wait() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        bench.agents.connected.lock().unwrap().clear();
        *bench.agents.late.lock().unwrap() = Some(bench.server);
        let id = bench.create().await;
        bench.report(&bench.order(1).await, done()).await;
        bench.until_state(id, JobState::Succeeded).await;
    }
}

#[tokio::test]
async fn jobs_that_ended_long_ago_are_deleted_with_their_logs_and_no_others() {
    const ENDED_LONG_AGO: &str = "UPDATE jobs SET finished_at = 1000 WHERE finished_at IS NOT NULL";
    const LEFT: &str = "SELECT (SELECT COUNT(*) FROM job_log) + (SELECT COUNT(*) FROM job_steps)";
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let mut ended = Vec::new();
        for n in 1..=2 {
            let id = bench.create().await;
            bench.report(&bench.order(n).await, done()).await;
            bench.until_state(id, JobState::Succeeded).await;
            ended.push(id);
        }
        assert_eq!(bench.jobs.jobs_prune(Ms(1001), 10).await.unwrap(), 0, "{}: they ended just now", database.name);
        let mut tx = bench.db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), ENDED_LONG_AGO).unwrap();
        let (before,) = control_plane::fetch_one!(tx.conn(), (i64,), LEFT).unwrap();
        tx.commit().await.unwrap();
        assert!(before > 0);
        let live = bench.create().await;
        assert_eq!(bench.jobs.jobs_prune(Ms(1001), 1).await.unwrap(), 1, "a batch");
        assert_eq!(bench.jobs.jobs_prune(Ms(1001), 10).await.unwrap(), 1);
        for id in ended {
            assert_eq!(bench.jobs.job_get(Scope::Platform, id).await.unwrap_err().code(), "not_found");
        }
        let mut read = bench.db.read().await.unwrap();
        assert_eq!(control_plane::fetch_one!(read.conn(), (i64,), LEFT).unwrap().0, 0);
        drop(read);
        bench.report(&bench.order(3).await, done()).await;
        bench.until_state(live, JobState::Succeeded).await;
    }
}
