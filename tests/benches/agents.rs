//! Agents in their thousands on one control plane, over mutual TLS: what they cost while all is quiet, and how long it takes
//! until all are back when they come at once, with the API's answers meanwhile. Nothing is asserted; figures are printed.
//!
//! `nice cargo bench -p mpanel-tests --bench agents`, with
//!
//! | variable | meaning |
//! |---|---|
//! | `MPANEL_BENCH_AGENTS` | how many; 10000 |
//! | `MPANEL_BENCH_PROGRAM` | the control plane's program; the one that was built with this |
//! | `MPANEL_BENCH_DATABASE` | its database; a fresh SQLite file |
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mpanel_tests::app::{Api, TOKEN, try_send};
use mpanel_tests::daemon::Daemon;
use mpanel_tests::fleet::Ports;
use mpanel_tests::swarm::{Swarm, enrol, files_raised};
use mpanel_tests::{TestDatabase, eventually};
use reqwest::Method;

const PATIENCE: Duration = Duration::from_mins(15);
/// How long heartbeats are watched.
const QUIET: Duration = Duration::from_secs(30);
/// Of the kernel's clock for processes, as `getconf CLK_TCK` says everywhere on Linux.
const TICKS_PER_S: f64 = 100.0;

fn setting(name: &str) -> Option<String> {
    std::env::var(format!("MPANEL_BENCH_{name}")).ok().filter(|text| !text.is_empty())
}

struct Plane {
    daemon: Daemon,
    api: Api,
    env: Vec<(String, String)>,
    program: String,
    dir: tempfile::TempDir,
}

impl Plane {
    async fn start(ports: Ports, database: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = setting("PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_mpanel-faulty").to_owned());
        let mut env = ports.env();
        let own = [
            ("MPANEL__DATABASE__URL", database.to_owned()),
            ("MPANEL__SECRETS__KEY_FILE", dir.path().join("secret.key").display().to_string()),
            ("MPANEL__AGENTS__PUBLIC_URL", format!("https://127.0.0.1:{}", ports.grpc)),
            ("MPANEL__LOG__FILTER", "warn".to_owned()),
            ("MPANEL_BOOTSTRAP_TOKEN", TOKEN.to_owned()),
        ];
        env.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let api = Api::new(&format!("http://127.0.0.1:{}", ports.http), TOKEN);
        let daemon = Daemon::start(dir.path(), "mpanel", &program, &["serve"], &env);
        let plane = Self { daemon, api, env, program, dir };
        plane.ready().await;
        plane
    }

    async fn ready(&self) {
        eventually("the control plane to be ready", PATIENCE, async || {
            let answer = try_send(self.api.anonymous(Method::GET, "/readyz")).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    async fn restart(&mut self) {
        self.daemon.kill().await;
        self.daemon = Daemon::start(self.dir.path(), "mpanel", &self.program, &["serve"], &self.env);
    }

    /// Resident memory, KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.pid().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Seconds of CPU that it has used.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.daemon.pid().unwrap())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS_PER_S
    }
}

/// Waits until all agents are back and asks the API meanwhile.
async fn watched(what: &str, plane: &Plane, swarm: &Swarm, begun: Instant) {
    let refused = swarm.refused();
    let (mut took, mut failed) = (Vec::new(), 0_u32);
    while !swarm.is_complete() {
        assert!(begun.elapsed() < PATIENCE, "{} are back; {}", swarm.back(), swarm.last_refusal());
        let asked = Instant::now();
        match try_send(plane.api.request(Method::GET, "/api/platform/servers?limit=50")).await {
            Ok(answer) if answer.status == 200 => took.push(asked.elapsed()),
            _ => failed += 1,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let all = begun.elapsed();
    took.sort_unstable();
    let at = |share: f64| took.get(((took.len() as f64 - 1.0) * share).max(0.0) as usize).copied().unwrap_or_default();
    println!(
        "{what}: all back after {:.1} s, {} tries refused; the API meanwhile: p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms, \
         {} answers, {failed} none; memory {} MiB",
        all.as_secs_f64(),
        swarm.refused() - refused,
        at(0.5).as_secs_f64() * 1e3,
        at(0.99).as_secs_f64() * 1e3,
        at(1.0).as_secs_f64() * 1e3,
        took.len(),
        plane.memory() / 1024,
    );
}

#[tokio::main]
async fn main() {
    let count: usize = setting("AGENTS").map_or(10_000, |text| text.parse().expect("MPANEL_BENCH_AGENTS is a number"));
    let files = files_raised();
    assert!(files > count + 200, "{count} agents need more files than {files}: raise the hard limit (ulimit -Hn)");
    let (ports, sqlite) = (Ports::free(), TestDatabase::sqlite());
    let mut plane = Plane::start(ports, &setting("DATABASE").unwrap_or_else(|| sqlite.url.clone())).await;
    let grpc = SocketAddr::from(([127, 0, 0, 1], ports.grpc));
    println!("{count} agents, {} cores, {}", std::thread::available_parallelism().unwrap(), plane.program);
    let begun = Instant::now();
    let agents = enrol(&plane.api, grpc, count).await;
    println!("registered and enrolled: {:.0} a second", count as f64 / begun.elapsed().as_secs_f64());
    let before = plane.memory();
    let begun = Instant::now();
    let swarm = Swarm::start(grpc, agents);
    watched("first sessions", &plane, &swarm, begun).await;
    tokio::time::sleep(QUIET).await;
    let (cpu, since) = (plane.cpu(), Instant::now());
    tokio::time::sleep(QUIET).await;
    println!(
        "quiet: {:.1} % of a core for heartbeats, {:.1} KiB a session",
        (plane.cpu() - cpu) / since.elapsed().as_secs_f64() * 100.0,
        plane.memory().saturating_sub(before) as f64 / count as f64,
    );
    let begun = Instant::now();
    swarm.storm();
    watched("all reconnect within a second", &plane, &swarm, begun).await;
    tokio::time::sleep(QUIET).await;
    let begun = Instant::now();
    // Not counted as back before they have broken off.
    plane.daemon.kill().await;
    swarm.forget();
    plane.restart().await;
    watched("the control plane was killed and started", &plane, &swarm, begun).await;
    swarm.stop().await;
}
