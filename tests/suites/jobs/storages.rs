//! How many orders may copy disks to one storage at once: clones, backups and moves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use control_plane::clock::Clock;
use control_plane::db::{Tx, Window};
use control_plane::domain::audit::{Actor, Scope};
use control_plane::domain::jobs::command::{BackupMode, Copying, Migrate};
use control_plane::domain::jobs::service::Service;
use control_plane::domain::jobs::{
    Action, AgentCommand, CommandKind, End, Job, JobState, NewJob, Order, Pace, Registry, Saga, Step,
};
use control_plane::error::Result;
use control_plane::ids::{CloudPodId, JobId, ServerId};
use mpanel_tests::{TestDatabase, databases, eventually};
use serde_json::json;

use super::{Bench, SOON, done, engine_paced, server_insert};

/// One command, as the job's parameters say it.
struct Once;

#[async_trait]
impl Step for Once {
    fn name(&self) -> &'static str {
        "once"
    }

    async fn begin(&self, _tx: &mut Tx, job: &Job) -> Result<Action> {
        let storage = job.params["storage"].as_str().expect("a storage").to_owned();
        let kind = match job.params["what"].as_str().expect("what to do") {
            "clone" => CommandKind::Clone { template_vmid: 9000, name: "web".into(), full: true, storage },
            "linked clone" => CommandKind::Clone { template_vmid: 9000, name: "web".into(), full: false, storage },
            "backup" => CommandKind::MakeBackup { storage, mode: BackupMode::Snapshot, protected: false },
            "move" => {
                let target = job.params["target"].as_str().and_then(|id| id.parse().ok()).expect("a target");
                CommandKind::Migrate(Migrate {
                    target_node: "pve9".into(),
                    online: true,
                    with_local_disks: true,
                    target_storage: storage.clone(),
                    bandwidth_mibps: 0,
                    copy: Copying { source_storage: storage, target: ServerId(target) },
                })
            }
            other => panic!("what is {other}?"),
        };
        let server = ServerId(job.params["server"].as_str().and_then(|id| id.parse().ok()).expect("a server"));
        let (pod, timeout) = (CloudPodId(job.id.0), Duration::from_mins(1));
        Ok(Action::Command(AgentCommand { server, pod, vmid: 100, kind, timeout }))
    }
}

struct Copies(Vec<Box<dyn Step>>);

#[async_trait]
impl Saga for Copies {
    fn kind(&self) -> &'static str {
        "copying"
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.0
    }

    async fn ended(&self, _tx: &mut Tx, _job: &Job, _end: &End) -> Result<()> {
        Ok(())
    }
}

const EACH: u32 = 2;

/// Two hosts of one cluster, both with the storages `local` and `shared`; at most [`EACH`] copies at one storage.
async fn bench_of_two(database: &TestDatabase) -> (Bench, [ServerId; 2]) {
    const STORAGE: &str =
        "INSERT INTO server_storages (server_id, name, offered, active, shared) VALUES ($1, $2, TRUE, TRUE, $3)";
    let mut bench = Bench::new(database).await;
    let servers = [bench.server, server_insert(&bench.db, "pve2").await];
    let mut tx = bench.db.begin().await.unwrap();
    for server in servers {
        control_plane::execute!(tx.conn(), STORAGE, server, "local", false).unwrap();
        control_plane::execute!(tx.conn(), STORAGE, server, "shared", true).unwrap();
    }
    tx.commit().await.unwrap();
    bench.agents.connect(servers[1]);
    bench.registry = Registry::new(vec![Arc::new(Copies(vec![Box::new(Once)]))]);
    bench.jobs = Service::new(bench.db.clone(), Clock::system(), bench.registry.clone(), bench.agents.clone());
    let pace = Pace { per_storage: EACH, per_server: 64, ..Pace::default() };
    bench.engine = engine_paced(&bench.db, &bench.registry, &bench.agents, &bench.tasks, &pace);
    (bench, servers)
}

async fn copy(bench: &Bench, what: &str, server: ServerId, storage: &str) -> JobId {
    let server = server.to_string();
    let params = json!({"what": what, "server": server, "storage": storage, "target": server});
    ask(bench, params).await
}

/// A move of a disk from one host's storage to another host's one of the same name.
async fn carry(bench: &Bench, [from, to]: [ServerId; 2], storage: &str) -> JobId {
    let (from, to) = (from.to_string(), to.to_string());
    ask(bench, json!({"what": "move", "server": from, "storage": storage, "target": to})).await
}

async fn ask(bench: &Bench, params: serde_json::Value) -> JobId {
    let new = NewJob { kind: "copying", tenant: None, pod: None, server: None, params };
    let mut tx = bench.db.begin().await.unwrap();
    let job = bench.jobs.job_create(&mut tx, &Actor::system("test"), new).await.unwrap();
    tx.commit().await.unwrap();
    job.id
}

/// By storage: how many copies are out, once each of the `live` jobs has its order out or was held back.
async fn out_by_room(bench: &Bench, live: usize) -> BTreeMap<String, i64> {
    const SQL: &str = "SELECT COALESCE(room, ''), COUNT(command_id), COUNT(*) FROM jobs
                       WHERE state IN ('queued', 'running') AND (room IS NOT NULL OR command_id IS NOT NULL)
                       GROUP BY room ORDER BY room";
    eventually("every order to be out or held back", SOON, async || {
        bench.engine.dispatch().await.unwrap();
        let mut read = bench.db.read().await.unwrap();
        let rows = control_plane::fetch_all!(read.conn(), (String, i64, i64), SQL).unwrap();
        let placed: i64 = rows.iter().map(|(_, _, all)| all).sum();
        let full = rows.iter().all(|(room, out, all)| room.is_empty() || *out == (*all).min(i64::from(EACH)));
        assert!(
            rows.iter().all(|(room, out, _)| room.is_empty() || *out <= i64::from(EACH)),
            "more than {EACH} copies strain one storage: {rows:?}"
        );
        (full && placed == live as i64).then(|| rows.into_iter().map(|(room, out, _)| (room, out)).collect())
    })
    .await
}

/// The order of a job that is out: it is sent once the books say so.
async fn order_of(bench: &Bench, id: JobId) -> Order {
    let of_it = |order: &&Order| order.command.pod.0 == id.0;
    let newest = || bench.agents.sent.lock().unwrap().iter().rev().find(of_it).cloned();
    eventually("the order to be sent", SOON, async || newest()).await
}

/// Ends one copy after the other, looking each time how many are out, until all are done.
async fn end_all(bench: &Bench, jobs: &[JobId]) {
    for left in (0..jobs.len()).rev() {
        let mut ended = false;
        for id in jobs {
            if bench.job(*id).await.command.is_some() {
                bench.report(&order_of(bench, *id).await, done()).await;
                ended = true;
                break;
            }
        }
        assert!(ended, "nothing is out, and {} are not over", left + 1);
        out_by_room(bench, left).await;
    }
    for id in jobs {
        bench.until_state(*id, JobState::Succeeded).await;
    }
}

#[tokio::test]
async fn no_more_clones_backups_and_moves_strain_one_storage_than_it_may_bear() {
    for database in databases().await {
        let (bench, [one, two]) = bench_of_two(&database).await;
        let mut jobs = Vec::new();
        for what in ["clone", "backup", "move", "clone", "backup", "move"] {
            jobs.push(copy(&bench, what, one, "local").await);
        }
        // Neither another storage, nor one of the same name on another host, nor what copies nothing is held back by them.
        jobs.push(copy(&bench, "clone", one, "other").await);
        jobs.push(copy(&bench, "clone", two, "local").await);
        jobs.push(copy(&bench, "linked clone", one, "local").await);
        let out = out_by_room(&bench, jobs.len()).await;
        let at = |room: String| out.get(&room).copied().unwrap_or(0);
        let rooms = [format!("{one}/local"), format!("{one}/other"), format!("{two}/local"), String::new()];
        assert_eq!(rooms.map(at), [2, 1, 1, 1], "{out:?} on {}", database.name);
        end_all(&bench, &jobs).await;
    }
}

#[tokio::test]
async fn a_storage_that_the_hosts_of_a_cluster_share_counts_once_for_all_of_them() {
    for database in databases().await {
        let (bench, [one, two]) = bench_of_two(&database).await;
        let mut jobs = Vec::new();
        for server in [one, two, one, two, one] {
            jobs.push(copy(&bench, "clone", server, "shared").await);
        }
        let out = out_by_room(&bench, jobs.len()).await;
        assert_eq!(out, BTreeMap::from([("lab/shared".to_owned(), 2)]), "on {}", database.name);
        end_all(&bench, &jobs).await;
    }
}

#[tokio::test]
async fn a_host_that_is_away_keeps_no_place_of_a_storage_from_the_other_hosts() {
    for database in databases().await {
        let (bench, [one, two]) = bench_of_two(&database).await;
        let away = [copy(&bench, "clone", one, "shared").await, carry(&bench, [one, two], "shared").await];
        bench.order(2).await;
        let next = copy(&bench, "clone", two, "shared").await;
        let said = |line: &str| line.contains("waits for a place") && line.contains("bears 2 copies");
        let lines = async || {
            let window = Window { limit: 10, after: None };
            let log = bench.jobs.job_log(Scope::Platform, next, true, window).await.unwrap();
            log.into_iter().filter(|line| line.step == "once" && said(&line.line)).count()
        };
        bench.until(next, "it to begin", |job| job.state == JobState::Running).await;
        eventually("the job to say that it waits", SOON, async || (lines().await == 1).then_some(())).await;
        assert_eq!(bench.job(next).await.command, None, "on {}", database.name);

        bench.agents.connected.lock().unwrap().retain(|server| *server != one);
        bench.engine.session_ended(one).await.unwrap();
        let order = bench.order(3).await;
        assert_eq!(order.command.server, two, "on {}", database.name);
        bench.report(&order, done()).await;
        bench.until_state(next, JobState::Succeeded).await;
        assert_eq!(lines().await, 1, "it is said once, on {}", database.name);
        // What was out there goes on where it was.
        bench.agent_back(one).await;
        bench.order(5).await;
        end_all(&bench, &away).await;
    }
}

/// How many copies are out at each storage, at whichever end.
async fn strained(bench: &Bench) -> BTreeMap<String, i64> {
    const SQL: &str = "SELECT room, COUNT(*) FROM (
                           SELECT room FROM jobs WHERE command_id IS NOT NULL AND room IS NOT NULL
                           UNION ALL
                           SELECT room_there FROM jobs WHERE command_id IS NOT NULL AND room_there IS NOT NULL) AS ends
                       GROUP BY room";
    bench.engine.dispatch().await.unwrap();
    let mut read = bench.db.read().await.unwrap();
    control_plane::fetch_all!(read.conn(), (String, i64), SQL).unwrap().into_iter().collect()
}

#[tokio::test]
async fn a_move_strains_the_storage_that_it_comes_from_and_the_one_that_it_goes_to() {
    for database in databases().await {
        let (bench, [one, two]) = bench_of_two(&database).await;
        let at = |server: ServerId| format!("{server}/local");
        let until = async |what: &str, wanted: BTreeMap<String, i64>| {
            eventually(what, SOON, async || (strained(&bench).await == wanted).then_some(())).await;
        };
        // The target is full with clones: nothing may be moved there, and then one of two.
        let clones = [copy(&bench, "clone", two, "local").await, copy(&bench, "clone", two, "local").await];
        until("both clones to be out", BTreeMap::from([(at(two), 2)])).await;
        let moves = [carry(&bench, [one, two], "local").await, carry(&bench, [one, two], "local").await];
        let held =
            "SELECT COUNT(*) FROM jobs WHERE state = 'running' AND command_id IS NULL AND room_there IS NOT NULL";
        eventually("both moves to be held back", SOON, async || {
            assert_eq!(strained(&bench).await, BTreeMap::from([(at(two), 2)]), "{}", database.name);
            let mut read = bench.db.read().await.unwrap();
            let (count,) = control_plane::fetch_one!(read.conn(), (i64,), held).unwrap();
            (count == 2).then_some(())
        })
        .await;
        bench.report(&order_of(&bench, clones[0]).await, done()).await;
        until("one move to be out", BTreeMap::from([(at(two), 2), (at(one), 1)])).await;
        // Its place at the source is taken as well: with one clone there no other is left.
        let more = [copy(&bench, "clone", one, "local").await, copy(&bench, "clone", one, "local").await];
        until("one clone at the source to be out", BTreeMap::from([(at(two), 2), (at(one), 2)])).await;
        // Within a storage that both share it counts once.
        let shared = carry(&bench, [one, two], "shared").await;
        until("the shared one to be out", BTreeMap::from([(at(two), 2), (at(one), 2), ("lab/shared".to_owned(), 1)]))
            .await;
        let mut left: Vec<_> = clones.into_iter().chain(moves).chain(more).chain([shared]).collect();
        eventually("all of them to end", SOON, async || {
            assert!(strained(&bench).await.values().all(|out| *out <= i64::from(EACH)), "{}", database.name);
            let mut open = Vec::new();
            for id in left.drain(..) {
                match bench.job(id).await {
                    job if job.state == JobState::Succeeded => continue,
                    job if job.command.is_some() => bench.report(&order_of(&bench, id).await, done()).await,
                    _ => {}
                }
                open.push(id);
            }
            left = open;
            left.is_empty().then_some(())
        })
        .await;
    }
}
