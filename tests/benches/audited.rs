//! What the sealing of audit records costs those who write them: audited transactions a second with the triggers and a sealer at
//! work, against the same without either.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use control_plane::clock::Clock;
use control_plane::db::Db;
use control_plane::domain::audit::service::Service;
use control_plane::domain::audit::{Actor, Record, audit_append};
use control_plane::loops::drive;
use control_plane::loops::sealer::Sealer;
use mpanel_tests::databases;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const WRITERS: usize = 8;
const FOR: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<10} {:>14} {:>14} {:>7}", "database", "unsealed 1/s", "sealed 1/s", "ratio");
    runtime.block_on(async {
        let names: Vec<&str> = databases().await.iter().map(|database| database.name).collect();
        for (index, name) in names.into_iter().enumerate() {
            let mut figures = [Vec::new(), Vec::new()];
            for _ in 0..ROUNDS {
                for (sealed, figures) in figures.iter_mut().enumerate() {
                    let database = databases().await.remove(index);
                    let db = Db::open(&database.url).await.unwrap();
                    if sealed == 0 {
                        unqueued(&database).await;
                    }
                    figures.push(rate(&db, sealed == 1).await);
                    db.close().await;
                }
            }
            let [without, with] = figures.map(median);
            println!("{name:<10} {without:>14.0} {with:>14.0} {:>7.2}", with / without);
        }
    });
}

/// Nothing waits to be sealed any more.
async fn unqueued(database: &mpanel_tests::TestDatabase) {
    if database.name == "sqlite" {
        let mut own = sqlx::SqliteConnection::connect(&database.url).await.unwrap();
        for trigger in ["audit_records_queue", "audit_records_no_replace"] {
            own.execute(AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).await.unwrap();
        }
    } else {
        let mut own = sqlx::PgConnection::connect(&database.url).await.unwrap();
        own.execute("DROP TRIGGER audit_records_queue ON audit_records").await.unwrap();
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

async fn rate(db: &Db, sealed: bool) -> f64 {
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let (db, stop) = (db.clone(), stop.clone());
        writers.spawn(async move {
            let (clock, actor) = (Clock::system(), Actor::system("bench"));
            let mut count = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let mut tx = db.begin().await.unwrap();
                let target_id = count.to_string();
                let record =
                    Record { actor: &actor, tenant: None, action: "bench.done", target_kind: "bench", target_id };
                audit_append(&mut tx, clock.now(), record, &json!({"before": 1, "after": count})).await.unwrap();
                tx.commit().await.unwrap();
                count += 1;
            }
            count
        });
    }
    let start = Instant::now();
    let sealer = Arc::new(Sealer { audit: Arc::new(Service::new(db.clone(), Clock::system())) });
    let sealing = async {
        if sealed {
            drive(sealer, db.wakes().clone(), CancellationToken::new()).await;
        }
        std::future::pending::<()>().await;
    };
    // As long as is measured, and no longer.
    let _over = timeout(FOR, sealing).await;
    let took = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut count = 0;
    while let Some(done) = writers.join_next().await {
        count += done.unwrap();
    }
    f64::from(count) / took.as_secs_f64()
}
