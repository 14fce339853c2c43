//! A small fleet at work while faults are thrown at it, both at random from a seed: three nodes of a Proxmox VE cluster with
//! their agents, one control plane on SQLite, two on PostgreSQL. What holds afterwards is what always holds: one VM per live
//! pod, no VM without one, nothing held by nobody, no job that nobody works on; and no request was ever answered with a 500.
//!
//! `MPANEL_CHAOS_SECONDS` says how long (default 120), `MPANEL_CHAOS_SEED` repeats a run's choices; the seed is printed.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "chaos/faults.rs"]
mod faults;

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use mpanel_tests::app::{Answer, try_send};
use mpanel_tests::fleet::{Hosts, PODS, Programs};
use mpanel_tests::several::Several;
use mpanel_tests::{TestDatabase, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use faults::Broken;

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const HOSTS: usize = 3;
const LIVE_MAX: usize = 16;
/// Between two requests.
const PACE: Duration = Duration::from_millis(150);
/// For everything to come to rest once nothing is broken any more.
const REST: Duration = Duration::from_mins(4);

/// A run: its choices, its fleet, and the pods that it knows of.
struct Chaos {
    random: fastrand::Rng,
    several: Several,
    broken: Vec<Broken>,
    /// Name by id.
    pods: BTreeMap<String, String>,
    asked: usize,
    answers: BTreeMap<u16, usize>,
    faults: BTreeMap<&'static str, usize>,
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_while_pods_are_worked_on_everything_comes_to_rest_on_sqlite() {
    run(TestDatabase::sqlite(), 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_while_pods_are_worked_on_everything_comes_to_rest_on_postgres() {
    if let Some(database) = TestDatabase::postgres().await {
        run(database, 2).await;
    }
}

async fn run(database: TestDatabase, planes: usize) {
    let seconds = number("MPANEL_CHAOS_SECONDS").unwrap_or(120);
    let seed = number("MPANEL_CHAOS_SEED").unwrap_or_else(|| fastrand::u64(..));
    eprintln!("MPANEL_CHAOS_SEED={seed} on {}, {seconds} s", database.name);
    let several = Several::start(PROGRAMS, database, Hosts::Cluster(HOSTS), planes).await;
    let mut chaos = Chaos {
        random: fastrand::Rng::with_seed(seed),
        several,
        broken: Vec::new(),
        pods: BTreeMap::new(),
        asked: 0,
        answers: BTreeMap::new(),
        faults: BTreeMap::new(),
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut pace = tokio::time::interval(PACE);
    while Instant::now() < end {
        pace.tick().await;
        chaos.mend(false).await;
        if chaos.random.u8(..100) < 12 {
            chaos.break_something().await;
        } else {
            chaos.ask_something().await;
        }
    }
    chaos.heal().await;
    chaos.come_to_rest().await;
    let live = chaos.several.fleet.invariants().await;
    eprintln!("seed {seed}: {live} live pods; answers {:?}; faults {:?}", chaos.answers, chaos.faults);
    let wrong: String = (0..planes).map(|n| chaos.went_wrong(n)).collect();
    assert!(!chaos.answers.contains_key(&500), "a request was answered with 500: {:?}\n{wrong}", chaos.answers);
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|e| panic!("{name}={text}: {e}")))
}

impl Chaos {
    fn pod(&mut self) -> Option<String> {
        if self.pods.is_empty() {
            return None;
        }
        let index = self.random.usize(..self.pods.len());
        self.pods.keys().nth(index).cloned()
    }

    async fn send(&mut self, method: Method, path: &str, body: Value) -> Option<Answer> {
        let request = self.several.fleet.api.request(method, path).json(&body);
        let answer = try_send(request).await.ok()?;
        *self.answers.entry(answer.status.as_u16()).or_default() += 1;
        Some(answer)
    }

    /// One request of a customer, or of somebody who looks after the jobs.
    async fn ask_something(&mut self) {
        self.asked += 1;
        match self.random.u8(..100) {
            0..35 if self.pods.len() < LIVE_MAX => self.create().await,
            35..45 => self.destroy().await,
            45..52 => self.cancel_something().await,
            _ => self.act().await,
        }
    }

    async fn create(&mut self) {
        let (name, key) = (format!("pod-{}", self.asked), format!("key-{}", self.asked));
        // The second time is the impatient customer's.
        for _ in 0..=self.random.u8(..2) {
            let Some(answer) = self.several.fleet.create(&name, &key).await else { continue };
            *self.answers.entry(answer.status.as_u16()).or_default() += 1;
            if answer.status == 202 {
                let id = answer.body["cloudpod"]["id"].as_str().expect("the pod's id").to_owned();
                if let Some(other) = self.pods.insert(id, name.clone()) {
                    assert_eq!(other, name, "one id, one name");
                }
            }
        }
    }

    async fn destroy(&mut self) {
        let Some(id) = self.pod() else { return };
        if self.send(Method::DELETE, &format!("{PODS}/{id}"), json!({})).await.is_some_and(|a| a.status == 202) {
            self.pods.remove(&id);
        }
    }

    async fn act(&mut self) {
        let Some(id) = self.pod() else { return };
        let snapshot = format!("s{}", self.random.u8(..3));
        let server = format!("pve{}", self.random.usize(1..=HOSTS));
        let (verb, body) = match self.random.u8(..18) {
            0..3 => ("start".to_owned(), json!({})),
            3..5 => ("stop".to_owned(), json!({})),
            5 => ("shutdown".to_owned(), json!({"timeout_s": 5, "force": true})),
            6 => ("reboot".to_owned(), json!({"timeout_s": 5})),
            7 => ("suspend".to_owned(), json!({"reason": "not paid"})),
            8..10 => ("unsuspend".to_owned(), json!({})),
            10 => ("resize".to_owned(), json!({"vcpu": self.random.u8(1..4), "disk_gib": self.random.u8(2..6)})),
            11 => ("rebuild".to_owned(), json!({"image": "debian"})),
            12 => ("snapshots".to_owned(), json!({"name": snapshot})),
            13 => ("backups".to_owned(), json!({"storage": "local"})),
            14 => return self.restore(&id).await,
            15..17 => ("migrate".to_owned(), json!({"server": server, "allow_shutdown": true, "shutdown_s": 5})),
            _ => (format!("snapshots/{snapshot}/rollback"), json!({})),
        };
        self.send(Method::POST, &format!("{PODS}/{id}/{verb}"), body).await;
    }

    async fn restore(&mut self, id: &str) {
        let Some(backups) = self.send(Method::GET, &format!("{PODS}/{id}/backups"), json!({})).await else { return };
        let ready = backups.body["items"].as_array().into_iter().flatten().find(|backup| backup["state"] == "ready");
        if let Some(backup) = ready.and_then(|backup| backup["id"].as_str()) {
            self.send(Method::POST, &format!("{PODS}/{id}/backups/{backup}/restore"), json!({})).await;
        }
    }

    async fn cancel_something(&mut self) {
        let Some(running) = self.jobs("running").await else { return };
        if running.is_empty() {
            return;
        }
        let id = running[self.random.usize(..running.len())].clone();
        self.send(Method::POST, &format!("{JOBS}/{id}/cancel"), json!({})).await;
    }

    /// The ids of jobs in a state; `None`: nobody answered.
    async fn jobs(&self, state: &str) -> Option<Vec<String>> {
        let request = self.several.fleet.api.request(Method::GET, &format!("{JOBS}?state={state}&limit=200"));
        let answer = try_send(request).await.ok().filter(|answer| answer.status == 200)?;
        let jobs = answer.body["items"].as_array().expect("items");
        Some(jobs.iter().map(|job| job["id"].as_str().expect("an id").to_owned()).collect())
    }

    /// What a control plane says that it has no name for.
    fn went_wrong(&mut self, plane: usize) -> String {
        let said = self.several.daemon(plane).said();
        let wrong: Vec<_> = said.lines().filter(|line| line.contains(" ERROR ")).collect();
        format!("control plane {plane}:\n{}\n", wrong.join("\n"))
    }

    /// What is known of a job that does not end.
    async fn told(&self, id: &str) -> String {
        let of = |path: &str| self.several.fleet.api.request(Method::GET, &format!("{JOBS}/{id}{path}"));
        let (job, log) = (try_send(of("")).await, try_send(of("/log?limit=200")).await);
        let lines = log.ok().and_then(|answer| answer.body["items"].as_array().cloned()).unwrap_or_default();
        let last: Vec<_> = lines.iter().rev().take(40).rev().map(Value::to_string).collect();
        format!("{:#}\n{}", job.map_or(Value::Null, |answer| answer.body), last.join("\n"))
    }

    /// Every job ends, and what failed is removed.
    async fn come_to_rest(&mut self) {
        let (seen, began) = (&*self, Instant::now());
        eventually("every job to end", REST, async || {
            for stuck in seen.jobs("stuck").await? {
                let retry =
                    seen.several.fleet.api.request(Method::POST, &format!("{JOBS}/{stuck}/retry")).json(&json!({}));
                try_send(retry).await.ok()?;
            }
            let left = seen.several.fleet.jobs_left().await?;
            if let Some((state, count)) = left.first_key_value() {
                if began.elapsed() + Duration::from_secs(20) > REST {
                    let first = seen.jobs(state).await?.into_iter().next()?;
                    panic!("{count} are {state}, among them {}", seen.told(&first).await);
                }
                return None;
            }
            Some(())
        })
        .await;
        let failed = self.several.fleet.api.get(&format!("{PODS}?state=failed&limit=200")).await.expect(200);
        for pod in failed["items"].as_array().expect("items") {
            let id = pod["id"].as_str().expect("an id");
            eventually("a failed pod to be taken away", REST, async || {
                self.several.fleet.destroy(id).await.filter(|answer| answer.status == 202)
            })
            .await;
            self.several.fleet.pod_until(id, &["deleted"]).await;
        }
    }
}

const JOBS: &str = "/api/platform/provisioning/jobs";
