//! How much slower pods are made and destroyed on PostgreSQL while somebody elsewhere holds a transaction open, so that nothing
//! that is overwritten meanwhile can be cleaned away.
//!
//!     MPANEL_TEST_POSTGRES_URL=… cargo bench -p mpanel-tests --bench held_transaction
//!
//! The same is done in turn in two databases, with and without such a transaction: the ratio means something on a busy machine
//! too. `MPANEL_BENCH_UPDATES` says how many times jobs are written to meanwhile in each (default 50,000).
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use control_plane::domain::audit::Scope;
use control_plane::domain::jobs::{JobState, Pace};
use control_plane::ids::JobId;
use control_plane::loops::dispatcher::Dispatcher;
use control_plane::loops::drive;
use futures::StreamExt as _;
use mpanel_tests::pod_bench::{PodBench, actor, staff};
use mpanel_tests::{TestDatabase, eventually};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio_util::sync::CancellationToken;

/// Pods that are worked on at once, and how many one turn makes and destroys.
const AT_ONCE: usize = 16;
const A_TURN: usize = 64;

/// One of the two databases.
struct Side {
    bench: PodBench,
    own: PgConnection,
    /// How often jobs were written to before it began.
    first: i64,
    /// Goes with it.
    _database: TestDatabase,
}

impl Side {
    async fn new() -> Option<Self> {
        let database = TestDatabase::postgres().await?;
        let pace = Pace { retry_first: Duration::from_millis(10), ..Pace::default() };
        let bench = PodBench::with_pace(&database, pace).await;
        for n in 1..=4 {
            bench.server(&format!("pve{n}"), 64).await;
        }
        let dispatcher = Arc::new(Dispatcher { engine: bench.engine.clone() });
        tokio::spawn(drive(dispatcher, bench.db.wakes().clone(), CancellationToken::new()));
        let own = PgConnection::connect(&database.url).await.expect("PostgreSQL answers");
        let mut side = Self { bench, own, first: 0, _database: database };
        side.turn().await;
        side.first = side.written().await.0;
        Some(side)
    }

    /// Makes and destroys some pods; how long it took.
    async fn turn(&self) -> Duration {
        let (started, bench) = (Instant::now(), &self.bench);
        let lives = (0..A_TURN).map(|n| async move {
            let (detail, job) = bench.create(&format!("pod-{n}")).await.expect("a pod is asked for");
            over(bench, job.id).await;
            let gone = bench.pods.cloudpod_destroy(&actor(), staff(), detail.pod.id).await;
            over(bench, gone.expect("it goes").1.id).await;
        });
        futures::stream::iter(lives).buffer_unordered(AT_ONCE).collect::<()>().await;
        started.elapsed()
    }

    /// How often jobs were written to, and how many dead rows there are of them.
    async fn written(&mut self) -> (i64, i64) {
        const SQL: &str = "SELECT n_tup_upd, n_dead_tup FROM pg_stat_user_tables WHERE relname = 'jobs'";
        self.own.execute("SELECT pg_stat_clear_snapshot()").await.expect("statistics are read");
        let (updates, dead): (i64, i64) =
            sqlx::query_as(SQL).fetch_one(&mut self.own).await.expect("statistics are read");
        (updates - self.first, dead)
    }
}

async fn over(bench: &PodBench, id: JobId) {
    let state = eventually("a job's end", Duration::from_mins(10), async || {
        let (job, _) = bench.jobs.job_get(Scope::Platform, id).await.expect("the job is there");
        job.state.is_final().then_some(job.state)
    })
    .await;
    assert_eq!(state, JobState::Succeeded);
}

async fn measure(mut held: Side, free: Side) {
    let wanted: i64 = std::env::var("MPANEL_BENCH_UPDATES").map_or(50_000, |text| text.parse().expect("a number"));
    held.own.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.expect("a transaction begins");
    held.own.execute("SELECT COUNT(*) FROM jobs").await.expect("jobs are counted");
    println!("{:>10} {:>10} {:>12} {:>12} {:>8}", "updates", "dead rows", "pods/s held", "pods/s free", "ratio");
    let mut turns = Vec::new();
    loop {
        let (slow, fast) = (held.turn().await, free.turn().await);
        let ((updates, dead), per_s) = (held.written().await, |took: Duration| A_TURN as f64 / took.as_secs_f64());
        let ratio = fast.as_secs_f64() / slow.as_secs_f64();
        turns.push((slow.as_secs_f64(), fast.as_secs_f64()));
        println!("{updates:>10} {dead:>10} {:>12.1} {:>12.1} {ratio:>8.2}", per_s(slow), per_s(fast));
        if updates >= wanted {
            break;
        }
    }
    held.own.execute("ROLLBACK").await.expect("it is given up");
    let last = &turns[turns.len() / 2..];
    let (slow, fast) = last.iter().fold((0.0, 0.0), |(slow, fast), turn| (slow + turn.0, fast + turn.1));
    println!("\nthroughput with the transaction held open: {:.0} % (of the second half)", 100.0 * fast / slow);
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        match (Side::new().await, Side::new().await) {
            (Some(held), Some(free)) => measure(held, free).await,
            _ => println!("MPANEL_TEST_POSTGRES_URL is not set: there is nothing to measure"),
        }
    });
}
