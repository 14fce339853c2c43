//! The database is slow, or others hold locks in it for longer than anybody waits.

use std::str::FromStr as _;
use std::time::Duration;

use mpanel_tests::fleet::{Fleet, PODS};
use mpanel_tests::{TestDatabase, eventually};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, PgConnection};

use super::{PROGRAMS, REST, active, ask, create, is_503_with_a_time_to_come_back, two_hosts};

/// Asks for pods until the API has said 503 so often; the pods that were accepted, and the names of the others.
async fn until_refused(fleet: &Fleet, times: usize) -> (Vec<String>, Vec<String>) {
    let (mut ids, mut refused, mut asked) = (Vec::new(), Vec::new(), 0);
    eventually("the API to say that it cannot", REST, async || {
        let name = format!("during-{asked}");
        asked += 1;
        let answer = ask(fleet, &name).await?;
        if answer.status == 202 {
            ids.push(answer.body["cloudpod"]["id"].as_str().expect("the pod's id").to_owned());
        } else {
            is_503_with_a_time_to_come_back(&answer);
            refused.push(name);
        }
        (refused.len() >= times).then_some(())
    })
    .await;
    (ids, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn database_slow_every_write_of_a_job_takes_its_time_and_every_job_ends_once() {
    const SLOW: &str = "
        CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END';
        CREATE TRIGGER slow AFTER INSERT OR UPDATE ON jobs FOR EACH STATEMENT EXECUTE FUNCTION slowly();
        CREATE TRIGGER slow AFTER UPDATE ON servers FOR EACH STATEMENT EXECUTE FUNCTION slowly()";
    let Some(database) = TestDatabase::postgres().await else { return };
    let mut own = PgConnection::connect(&database.url).await.unwrap();
    let several = two_hosts(database, 2).await;
    own.execute(SLOW).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(create(&several.fleet, &format!("pod-{n}")).await);
    }
    active(&several.fleet, &ids).await;
    let made: usize = several.fleet.hosts.iter().map(mpanel_tests::fleet::Host::vms_ever_made).sum();
    assert_eq!(made, ids.len(), "each VM was made once");
}

#[tokio::test(flavor = "multi_thread")]
async fn database_locked_the_jobs_are_locked_for_longer_than_two_control_planes_wait() {
    let Some(database) = TestDatabase::postgres().await else { return };
    let mut own = PgConnection::connect(&database.url).await.unwrap();
    let several = two_hosts(database, 2).await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(create(&several.fleet, &format!("before-{n}")).await);
    }
    own.execute("BEGIN").await.unwrap();
    own.execute("LOCK TABLE jobs IN EXCLUSIVE MODE").await.unwrap();
    // The balancer gives them to the two in turn.
    let (accepted, refused) = until_refused(&several.fleet, 4).await;
    assert_eq!(accepted, [""; 0], "nothing is accepted without its job");
    for plane in &several.planes {
        plane.api.get(PODS).await.expect(200);
    }
    for host in &several.fleet.hosts {
        let server = several.fleet.api.get(&format!("/api/platform/servers/{}", host.name)).await.expect(200);
        assert_eq!(
            server["connection"]["state"], "online",
            "what waits for the jobs' table keeps no heartbeat waiting"
        );
    }
    own.execute("ROLLBACK").await.unwrap();
    for name in refused {
        ids.push(create(&several.fleet, &name).await);
    }
    active(&several.fleet, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn database_locked_another_process_writes_to_the_sqlite_file_for_longer_than_anybody_waits() {
    let database = TestDatabase::sqlite();
    let file = SqliteConnectOptions::from_str(&database.url).unwrap();
    let fleet = Fleet::start(PROGRAMS, database, 2).await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(create(&fleet, &format!("before-{n}")).await);
    }
    let mut other: SqliteConnection = file.busy_timeout(Duration::from_mins(1)).connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let (accepted, refused) = until_refused(&fleet, 3).await;
    assert_eq!(accepted, [""; 0], "nothing is accepted while another writes");
    fleet.api.get(PODS).await.expect(200);
    other.execute("ROLLBACK").await.unwrap();
    for name in refused {
        ids.push(create(&fleet, &name).await);
    }
    active(&fleet, &ids).await;
}
