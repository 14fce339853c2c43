//! Several control planes over one PostgreSQL, as real processes behind a balancer: any of them serves any agent and any
//! request, and whatever happens to them, every pod that was asked for has one VM.
//!
//! `MPANEL_TEST_CREATES` says how many pods the long test makes (default 60), `MPANEL_TEST_STOPPED_S` how long at least a control
//! plane stands still (default: until its leases of 2 s are over and taken over).
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "cluster/clocks.rs"]
mod clocks;

use std::cell::Cell;
use std::str::FromStr as _;
use std::time::{Duration, Instant};

use control_plane::clock::{Clock, Ms};
use futures::StreamExt as _;
use mpanel_tests::app::try_send;
use mpanel_tests::fleet::{Fleet, Hosts, PODS, Programs};
use mpanel_tests::several::{Plane, Several};
use mpanel_tests::{TestDatabase, eventually};
use pve_sim::{TaskAction, TaskFault};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const JOBS: &str = "/api/platform/provisioning/jobs";
/// For everything to come to rest on a busy machine.
const REST: Duration = Duration::from_mins(4);

async fn several(hosts: usize, planes: usize) -> Option<Several> {
    let Some(database) = TestDatabase::postgres().await else {
        eprintln!("MPANEL_TEST_POSTGRES_URL is not set: several control planes need PostgreSQL (tests/run sets it)");
        return None;
    };
    Some(Several::start(PROGRAMS, database, Hosts::Apart(hosts), planes).await)
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

/// Waits until that many pods are active and no job is under way.
async fn come_to_rest(fleet: &Fleet, pods: usize) {
    // Some seconds for each on a busy machine.
    let deadline = REST + Duration::from_secs(5) * u32::try_from(pods).unwrap();
    eventually(&format!("{pods} pods to be active and every job to end"), deadline, async || {
        fleet.jobs_left().await?.is_empty().then_some(())
    })
    .await;
    let all = fleet.pods().await;
    let odd: Vec<&Value> = all.iter().filter(|pod| pod["state"] != "active").collect();
    assert!(odd.is_empty() && all.len() == pods, "{} pods of {pods}, not active: {odd:#?}", all.len());
    assert_eq!(fleet.invariants().await, pods);
    let made: usize = fleet.hosts.iter().map(mpanel_tests::fleet::Host::vms_ever_made).sum();
    assert_eq!(made, pods, "each VM was made once");
}

/// What one control plane's test of the connection says of the session, once its agent is online.
async fn connection_test(several: &Several, plane: usize, host: &str) -> Value {
    let path = format!("/api/platform/servers/{host}/test-connection");
    let api = &several.planes[plane].api;
    eventually("an answer of the agent", REST, async || {
        let answer = try_send(api.request(Method::POST, &path).json(&json!({}))).await.ok()?;
        let checks = answer.body["checks"].as_array()?;
        checks.iter().any(|check| check["name"] == "round_trip").then_some(answer.body.clone())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_control_plane_tests_the_connection_to_any_agent_and_cancels_what_another_sent() {
    let Some(several) = several(1, 2).await else { return };
    for plane in 0..2 {
        let report = connection_test(&several, plane, "pve1").await;
        let checks = report["checks"].as_array().expect("checks");
        assert!(checks.iter().any(|check| check["name"] == "proxmox"), "the agent's own checks: {report:#}");
    }
    // A clone that does not end by itself; only one of the two holds the agent's session.
    let sim = &several.fleet.hosts[0].sim;
    for plane in 0..2 {
        let held = TaskFault { kind: "qmclone".into(), id: None, skip: 0, times: Some(1), action: TaskAction::Hold };
        sim.faults().add_task(held);
        let name = format!("held-{plane}");
        let id = Client::of(&several).create(&name).await;
        let job = eventually("the clone to run", REST, async || {
            let jobs = several.fleet.api.get(&format!("{JOBS}?state=running&limit=5")).await.expect(200);
            let job = jobs["items"].as_array()?.first()?.clone();
            if sim.faults().held().is_empty() { None } else { Some(job["id"].as_str()?.to_owned()) }
        })
        .await;
        let cancel = several.planes[plane].api.post(&format!("{JOBS}/{job}/cancel"), &json!({})).await;
        assert!(cancel.status.is_success(), "{}", cancel.text);
        // Held, it would go on until its deadline: that it ends shows that the agent was told.
        eventually("the job to be cancelled", REST, async || {
            let job = several.fleet.api.get(&format!("{JOBS}/{job}")).await.expect(200);
            (job["state"] == "cancelled").then_some(())
        })
        .await;
        sim.faults().release();
        several.fleet.pod_until(&id, &["failed", "deleted"]).await;
        several.fleet.destroy(&id).await;
        several.fleet.pod_until(&id, &["deleted"]).await;
    }
    assert_eq!(several.fleet.invariants().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_at_one_control_plane_ends_the_session_at_another() {
    let Some(several) = several(2, 2).await else { return };
    for (plane, host) in [(0, "pve1"), (1, "pve2")] {
        let server = several.fleet.api.get(&format!("/api/platform/servers/{host}")).await.expect(200);
        let revoked = several.planes[plane].api.post(&format!("/api/platform/servers/{host}/revoke"), &json!({})).await;
        assert!(revoked.status.is_success(), "{}", revoked.text);
        let index = usize::from(host == "pve2");
        eventually("the agent to be told", REST, async || {
            several.fleet.hosts[index].agent.tail().contains("enrol again").then_some(())
        })
        .await;
        let after = several.fleet.api.get(&format!("/api/platform/servers/{host}")).await.expect(200);
        assert_eq!(after["connection"]["state"], "offline", "was {server:#}");
    }
}

/// How many creates were answered, and how many pods became active.
async fn done(client: &Client, own: &mut PgConnection) -> u64 {
    const ACTIVE: &str = "SELECT COUNT(*) FROM cloudpods WHERE state = 'active'";
    let (active,): (i64,) = sqlx::query_as(ACTIVE).fetch_one(own).await.unwrap();
    client.answered.get() + u64::try_from(active).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_control_planes_killed_and_started_in_turn_during_many_creates_make_each_pod_once() {
    let creates = number("MPANEL_TEST_CREATES", 60);
    let hosts = usize::try_from(creates.div_ceil(100)).unwrap().max(2);
    let Some(mut several) = several(hosts, 2).await else { return };
    let started = Instant::now();
    let client = Client::of(&several);
    let mut own = PgConnection::connect(&several.fleet.database.url).await.unwrap();
    let all_asked = Cell::new(false);
    let asking = async {
        let ids = client.create_many("pod", creates).await;
        all_asked.set(true);
        ids
    };
    let killing = async {
        let mut kills = 0_u32;
        while !all_asked.get() || kills < 6 {
            let plane = kills as usize % 2;
            several.daemon(plane).kill().await;
            several.plane_restart(plane).await;
            kills += 1;
            // Some work gets done, and in the midst of it the other one is killed.
            let enough = (done(&client, &mut own).await + 2 + u64::from(kills % 7)).min(2 * creates);
            eventually("more creates to be answered and more pods to be active", REST, async || {
                (done(&client, &mut own).await >= enough).then_some(())
            })
            .await;
        }
        kills
    };
    let (ids, kills) = tokio::join!(asking, killing);
    assert_eq!(ids.len() as u64, creates);
    come_to_rest(&several.fleet, ids.len()).await;
    eprintln!("{creates} creates, {kills} kills, {hosts} hosts: all at rest after {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_control_planes_vanishes_for_good_and_the_other_adopts_its_jobs_and_agents() {
    let Some(mut several) = several(2, 2).await else { return };
    let before = Client::of(&several).create_many("before", 10).await;
    several.daemon(0).kill().await;
    let after = Client::of(&several).create_many("after", 5).await;
    come_to_rest(&several.fleet, before.len() + after.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_stopped_past_its_leases_then_continued_changes_nothing_any_more() {
    let Some(mut several) = several(2, 2).await else { return };
    let pause = stopped_for();
    let mut own = PgConnection::connect(&several.fleet.database.url).await.unwrap();
    for plane in 0..2 {
        let prefix = format!("stopped-{plane}");
        let pid = several.daemon(plane).pid().expect("it runs");
        let client = Client::of(&several);
        // It is stopped with work in hand.
        let stopping = async {
            eventually("it to hold a lease", REST, async || (leases_of(&mut own, pid).await > 0).then_some(())).await;
            several.daemon(plane).signal("STOP");
            several.plane_out(plane);
        };
        let (asked, ()) = tokio::join!(client.create_many(&prefix, 8), stopping);
        let stopped = Instant::now();
        let more = Client::of(&several).create_many(&format!("meanwhile-{plane}"), 4).await;
        for id in asked.iter().chain(&more) {
            several.fleet.pod_until(id, &["active"]).await;
        }
        eventually("the other one to have taken its leases over", REST + pause, async || {
            several.fleet.api.get(PODS).await.expect(200);
            (leases_of(&mut own, pid).await == 0 && stopped.elapsed() >= pause).then_some(())
        })
        .await;
        several.daemon(plane).signal("CONT");
        several.plane_back(plane);
        several.plane_ready(plane).await;
        come_to_rest(&several.fleet, (plane + 1) * 12).await;
    }
}

/// How many jobs the control plane of this process holds.
async fn leases_of(own: &mut PgConnection, pid: u32) -> i64 {
    const SQL: &str =
        "SELECT COUNT(*) FROM jobs j JOIN instances i ON i.id = j.lease_owner WHERE split_part(i.name, ':', -1) = $1";
    let (held,): (i64,) = sqlx::query_as(SQL).bind(pid.to_string()).fetch_one(own).await.unwrap();
    held
}

/// For how long, at least, a control plane stands still.
fn stopped_for() -> Duration {
    Duration::from_secs(number("MPANEL_TEST_STOPPED_S", 0))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_control_plane_stopped_past_its_leases_then_continued_goes_on_with_its_jobs() {
    const HELD: &str = "SELECT COUNT(*), COALESCE(MAX(lease_until), 0) FROM jobs WHERE lease_owner IS NOT NULL";
    let database = TestDatabase::sqlite();
    let file = SqliteConnectOptions::from_str(&database.url).unwrap().read_only(true);
    let fleet = Fleet::start(PROGRAMS, database, 2).await;
    let mut own = file.connect().await.unwrap();
    let client = Client { api: fleet.api.clone(), answered: Cell::new(0) };
    let asked = client.create_many("pod", 8).await;
    let pause = stopped_for();
    let mut held = async || sqlx::query_as::<_, (i64, i64)>(HELD).fetch_one(&mut own).await.unwrap();
    eventually("it to hold a lease", REST, async || (held().await.0 > 0).then_some(())).await;
    fleet.control.signal("STOP");
    let stopped = Instant::now();
    eventually("its leases to be over", REST + pause, async || {
        (Ms(held().await.1) < Clock::system().now() && stopped.elapsed() >= pause).then_some(())
    })
    .await;
    fleet.control.signal("CONT");
    come_to_rest(&fleet, asked.len()).await;
}

/// "Two schedulers, one last slot": of two pods that are asked for at once at two control planes, one gets the only place.
#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_of_two_control_planes_give_one_last_slot_to_one_and_507_to_the_other() {
    let Some(several) = several(1, 2).await else { return };
    for round in 1..=5 {
        let limit = json!({"pod_limit": round});
        let version = several.fleet.api.get("/api/platform/servers/pve1").await.expect(200)["version"].clone();
        let limited = several.fleet.api.request(Method::PATCH, "/api/platform/servers/pve1");
        let limited = try_send(limited.header("If-Match", format!("\"{version}\"")).json(&limit)).await.unwrap();
        assert!(limited.status.is_success(), "{}", limited.text);
        let asks = several.planes.iter().enumerate().map(|(plane, Plane { api, .. })| async move {
            let body = json!({"name": format!("pod-{round}-{plane}"), "plan": "small", "image": "debian"});
            api.post_keyed(PODS, &format!("key-{round}-{plane}"), &body).await
        });
        let mut ended = Vec::new();
        for answer in futures::future::join_all(asks).await {
            ended.push(match answer.status.as_u16() {
                202 => {
                    let id = answer.body["cloudpod"]["id"].as_str().expect("the pod's id").to_owned();
                    several.fleet.pod_until(&id, &["active", "failed"]).await
                }
                _ => answer.expect_problem(507, "no_capacity").clone(),
            });
        }
        let active = ended.iter().filter(|pod| pod["state"] == "active").count();
        assert_eq!(active, 1, "one of two gets the last place: {ended:#?}");
        assert_eq!(several.fleet.invariants().await, round);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_loses_nothing() {
    let Some(mut several) = several(2, 3).await else { return };
    let client = Client::of(&several);
    let restarting = async {
        for plane in 0..3 {
            several.plane_out(plane);
            let status = several.daemon(plane).stop(REST).await;
            assert!(status.success(), "it ends in order:\n{}", several.daemon(plane).tail());
            several.plane_restart(plane).await;
            several.plane_back(plane);
        }
    };
    let (ids, ()) = tokio::join!(client.create_many("pod", 24), restarting);
    come_to_rest(&several.fleet, ids.len()).await;
}

/// Asks for pods, also from a task of its own.
struct Client {
    api: mpanel_tests::Api,
    /// How many were accepted.
    answered: Cell<u64>,
}

impl Client {
    fn of(several: &Several) -> Self {
        Self { api: several.fleet.api.clone(), answered: Cell::new(0) }
    }

    /// Asks for a pod, again and again under one key, until it is accepted; its id.
    async fn create(&self, name: &str) -> String {
        let body = json!({"name": name, "plan": "small", "image": "debian"});
        let answer = eventually("the request to be accepted", REST, async || {
            let request =
                self.api.request(Method::POST, PODS).header("Idempotency-Key", format!("key-{name}")).json(&body);
            let answer = try_send(request).await.ok()?;
            assert_ne!(answer.status, 500, "{}", answer.text);
            (answer.status == 202).then_some(answer)
        })
        .await;
        self.answered.set(self.answered.get() + 1);
        answer.body["cloudpod"]["id"].as_str().expect("the pod's id").to_owned()
    }

    async fn create_many(&self, prefix: &str, count: u64) -> Vec<String> {
        let names = (0..count).map(|n| format!("{prefix}-{n}"));
        let creates = names.map(|name| async move { self.create(&name).await });
        futures::stream::iter(creates).buffer_unordered(8).collect().await
    }
}
