//! How much slower the answers that the console's pages are made of become when the platform grows a hundredfold, from ten hosts and a
//! hundred pods to a thousand and ten thousand.
//!
//!     MPANEL_TEST_POSTGRES_URL=… cargo bench --workspace --bench lists
//!
//! Both are asked in turn: the ratio means something on a busy machine too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use mpanel_tests::populated::populate;
use mpanel_tests::{TestApp, databases};

const SMALL: usize = 10;
const LARGE: usize = 1_000;
const ROUNDS: usize = 15;

/// What is asked. A page of the small platform is as long as one of the large.
const PATHS: &[&str] = &[
    "/api/platform/servers?limit=10&sort=name",
    "/api/platform/provisioning/cloudpods",
    "/api/platform/provisioning/cloudpods?sort=name",
    "/api/platform/provisioning/cloudpods?name_prefix=pod-00042",
    "/api/platform/provisioning/cloudpods?address=10.0.0.44",
    "/api/platform/provisioning/cloudpods?server_id=host-0007",
    "/api/platform/provisioning/jobs",
    "/api/platform/provisioning/jobs?state=failed",
    "/api/platform/customers?limit=10",
    "/api/platform/overview",
    "/api/provisioning/cloudpods/counts",
    "/api/platform/invariants",
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<10} {:<66} {:>9} {:>9} {:>6}", "database", "path", "small ms", "large ms", "ratio");
    runtime.block_on(async {
        for (small, large) in databases().await.iter().zip(databases().await.iter()) {
            let (small_app, large_app) = (TestApp::start_on(small).await, TestApp::start_on(large).await);
            populate(&small_app.running.app.db, small_app.running.app.clock.now(), SMALL).await;
            populate(&large_app.running.app.db, large_app.running.app.clock.now(), LARGE).await;
            for path in PATHS {
                let mut took = [Vec::new(), Vec::new()];
                for _ in 0..ROUNDS {
                    for (app, took) in [&small_app, &large_app].into_iter().zip(&mut took) {
                        let began = Instant::now();
                        app.api.get(path).await.expect(200);
                        took.push(began.elapsed());
                    }
                }
                let [few, many] = took.map(median);
                let ratio = many.as_secs_f64() / few.as_secs_f64();
                let [few, many] = [few, many].map(|took| took.as_secs_f64() * 1000.0);
                println!("{:<10} {path:<66} {few:>9.2} {many:>9.2} {ratio:>6.2}", small.name);
            }
            small_app.stop().await;
            large_app.stop().await;
        }
    });
}

fn median(mut took: Vec<Duration>) -> Duration {
    took.sort();
    took[took.len() / 2]
}
