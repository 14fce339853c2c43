//! The database is away, slow, full of others, or loses an answer: the API says 503 and when to come back, agents stay or
//! return, and every job ends.
//!
//! `MPANEL_TEST_AWAY_S` says how long the database is gone (default 6).
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "database_faults/full.rs"]
mod full;
#[path = "database_faults/slow.rs"]
mod slow;
#[path = "database_faults/stopped.rs"]
mod stopped;

use std::time::Duration;

use control_plane::db::Db;
use mpanel_tests::app::{Answer, try_send};
use mpanel_tests::fleet::{Fleet, Hosts, PODS, Programs};
use mpanel_tests::relay::Relay;
use mpanel_tests::several::Several;
use mpanel_tests::{Api, TestApp, TestDatabase, databases, eventually};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _, PgConnection};

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const REST: Duration = Duration::from_mins(3);

/// A PostgreSQL database behind a relay, and its address without the relay.
async fn behind_relay() -> Option<(TestDatabase, Relay, String)> {
    let Some(mut database) = TestDatabase::postgres().await else {
        eprintln!("MPANEL_TEST_POSTGRES_URL is not set: there is no database to cut off (tests/run sets it)");
        return None;
    };
    let direct = database.url.clone();
    let mut url = url::Url::parse(&direct).unwrap();
    let server = (url.host_str().unwrap().to_owned(), url.port().unwrap_or(5432));
    let address = tokio::net::lookup_host(server).await.unwrap().next().expect("PostgreSQL's address");
    let relay = Relay::start(&[address]).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(relay.address.port())).unwrap();
    database.url = url.to_string();
    Some((database, relay, direct))
}

fn is_503_with_a_time_to_come_back(answer: &Answer) {
    answer.expect_problem(503, "unavailable");
    let after: u64 = answer.header("retry-after").parse().expect("Retry-After in seconds");
    assert!((1..=60).contains(&after), "{after}");
}

/// So many control planes, and two hosts.
async fn two_hosts(database: TestDatabase, planes: usize) -> Several {
    Several::start(PROGRAMS, database, Hosts::Apart(2), planes).await
}

/// How long the database is gone.
fn away() -> Duration {
    Duration::from_secs(
        std::env::var("MPANEL_TEST_AWAY_S").map_or(6, |s| s.parse().expect("MPANEL_TEST_AWAY_S in seconds")),
    )
}

/// Waits until a control plane has found that it cannot work: what it found a moment ago it tells for a moment.
async fn not_ready(api: &Api) {
    eventually("the control plane to be not ready", REST, async || {
        (api.get("/readyz").await.status == 503).then_some(())
    })
    .await;
}

async fn ask(fleet: &Fleet, name: &str) -> Option<Answer> {
    let answer = fleet.create(name, &format!("key-{name}")).await?;
    assert_ne!(answer.status, 500, "{}\n{}", answer.text, fleet.control.tail());
    Some(answer)
}

/// Asks until it is accepted; the pod's id.
async fn create(fleet: &Fleet, name: &str) -> String {
    let answer =
        eventually("the request to be accepted", REST, async || ask(fleet, name).await.filter(|a| a.status == 202))
            .await;
    answer.body["cloudpod"]["id"].as_str().expect("the pod's id").to_owned()
}

async fn active(fleet: &Fleet, ids: &[String]) {
    for id in ids {
        let pod = eventually("the pod to be active", REST, async || {
            let answer = try_send(fleet.api.request(Method::GET, &format!("{PODS}/{id}"))).await.ok()?;
            matches!(answer.body["state"].as_str()?, "active" | "failed").then_some(answer.body)
        })
        .await;
        assert_eq!(pod["state"], "active", "{pod:#}");
    }
    assert_eq!(fleet.invariants().await, ids.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn database_gone_the_network_to_it_is_cut_for_a_while_the_api_says_503_and_every_job_ends() {
    let Some((database, relay, _)) = behind_relay().await else { return };
    let fleet = Fleet::start(PROGRAMS, database, 2).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(create(&fleet, &format!("before-{n}")).await);
    }
    relay.out(0);
    let gone = std::time::Instant::now();
    not_ready(&fleet.api).await;
    while gone.elapsed() < away() {
        let answer = ask(&fleet, "during").await.expect("an answer, whatever it is");
        is_503_with_a_time_to_come_back(&answer);
        let read = try_send(fleet.api.request(Method::GET, PODS)).await.expect("an answer");
        is_503_with_a_time_to_come_back(&read);
        assert_eq!(fleet.api.get("/readyz").await.status, 503);
    }
    relay.back(0);
    ids.push(create(&fleet, "during").await);
    active(&fleet, &ids).await;
    for host in &fleet.hosts {
        let server = fleet.api.get(&format!("/api/platform/servers/{}", host.name)).await.expect(200);
        assert_eq!(server["connection"]["state"], "online");
    }
}

/// One control plane, then two.
const PLANES: [usize; 2] = [1, 2];

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_killed_in_the_database_at_random_and_every_job_ends() {
    const KILL: &str = "
        SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.4";
    for planes in PLANES {
        let Some(database) = TestDatabase::postgres().await else { return };
        let mut own = PgConnection::connect(&database.url).await.unwrap();
        let several = two_hosts(database, planes).await;
        let mut ids = Vec::new();
        for n in 0..12 {
            own.execute(KILL).await.unwrap();
            ids.push(create(&several.fleet, &format!("pod-{n}")).await);
            own.execute(KILL).await.unwrap();
        }
        active(&several.fleet, &ids).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_to_a_commit_is_lost_and_the_idempotency_key_tells_whether_it_happened() {
    for planes in PLANES {
        let Some((database, relay, _)) = behind_relay().await else { return };
        let several = two_hosts(database, planes).await;
        let mut ids = Vec::new();
        for n in 0..12 {
            let lost = relay.commits_lost();
            relay.lose_commit();
            // Whose commit it is, the request's, a loop's or a job's, is left to chance.
            ids.push(create(&several.fleet, &format!("pod-{n}")).await);
            eventually("a commit to be lost", REST, async || (relay.commits_lost() > lost).then_some(())).await;
        }
        active(&several.fleet, &ids).await;
        let made: usize = several.fleet.hosts.iter().map(mpanel_tests::fleet::Host::vms_ever_made).sum();
        assert_eq!(made, ids.len(), "each VM was made once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pool_is_used_up_or_a_table_is_locked_and_the_wait_for_it_is_bounded() {
    for planes in PLANES {
        let Some(database) = TestDatabase::postgres().await else { return };
        let mut apps = Vec::new();
        for _ in 0..planes {
            apps.push(TestApp::start_on(&database).await);
        }
        let mut own = PgConnection::connect(&database.url).await.unwrap();
        own.execute("BEGIN").await.unwrap();
        own.execute("LOCK TABLE plans IN ACCESS EXCLUSIVE MODE").await.unwrap();
        // More than there are connections: those that get none are told so, those that wait for the table too.
        let requests = apps.iter().flat_map(|app| (0..40).map(|_| app.api.get("/api/platform/plans")));
        for answer in futures::future::join_all(requests).await {
            is_503_with_a_time_to_come_back(&answer);
        }
        own.execute("ROLLBACK").await.unwrap();
        for app in apps {
            eventually("the pool to be free again", REST, async || {
                (app.api.get("/api/platform/plans").await.status == 200).then_some(())
            })
            .await;
            app.stop().await;
        }
    }
}

/// How much slower they end is measured: `benches/held_transaction.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_held_open_elsewhere_keeps_no_job_from_ending() {
    for planes in PLANES {
        let Some(database) = TestDatabase::postgres().await else { return };
        let url = database.url.clone();
        let several = two_hosts(database, planes).await;
        let mut own = PgConnection::connect(&url).await.unwrap();
        own.execute("BEGIN ISOLATION LEVEL REPEATABLE READ").await.unwrap();
        own.execute("SELECT COUNT(*) FROM jobs").await.unwrap();
        let mut ids = Vec::new();
        for n in 0..8 {
            ids.push(create(&several.fleet, &format!("pod-{n}")).await);
        }
        active(&several.fleet, &ids).await;
        own.execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_are_brought_up_to_date_by_one_while_others_wait_and_the_second_time_nothing_happens() {
    for database in databases().await {
        let opened = futures::future::join_all((0..4).map(|_| Db::open(&database.url))).await;
        for db in opened {
            db.unwrap_or_else(|error| panic!("{error:?} on {}", database.name)).close().await;
        }
        Db::open(&database.url).await.unwrap().close().await;
    }
}

#[tokio::test]
async fn a_database_that_a_newer_version_has_changed_is_refused_with_what_to_do() {
    const NEWER: &str = "
        INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time)
        VALUES (9999, 'of the future', CURRENT_TIMESTAMP, TRUE, $1, 0)";
    for database in databases().await {
        let db = Db::open(&database.url).await.unwrap();
        let mut tx = db.begin().await.unwrap();
        control_plane::execute!(tx.conn(), NEWER, vec![0_u8; 48]).unwrap();
        tx.commit().await.unwrap();
        db.close().await;
        let refused = Db::open(&database.url).await.unwrap_err();
        assert_eq!(refused.code(), "schema_newer", "{refused} on {}", database.name);
        let text = refused.to_string();
        assert!(text.contains("9999") && text.contains("start the newer mPanel"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_control_plane_over_one_sqlite_file_is_refused() {
    let (app, database) = TestApp::start().await;
    let dir = tempfile::tempdir().unwrap();
    let surroundings = control_plane::app::Surroundings::default();
    let config = mpanel_tests::app::config(&database, dir.path());
    let refused = control_plane::app::App::start(config, surroundings).await.err().expect("it is refused");
    assert_eq!(refused.code(), "database_in_use", "{refused}");
    assert_eq!(app.api.post("/api/platform/plans", &json!({})).await.status, 422, "the first is none the worse");
    app.stop().await;
    TestApp::start_on(&database).await.stop().await;
}
