//! The job engine against both databases, with sagas and agents made for the purpose.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "jobs/fairness.rs"]
mod fairness;
#[path = "jobs/limits.rs"]
mod limits;
#[path = "jobs/locks.rs"]
mod locks;
#[path = "jobs/queue.rs"]
mod queue;
#[path = "jobs/storages.rs"]
mod storages;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use control_plane::clock::Clock;
use control_plane::db::{Db, Tx, Window};
use control_plane::domain::audit::{Actor, Scope};
use control_plane::domain::jobs::command::NotConnected;
use control_plane::domain::jobs::engine::{Engine, ResultReport};
use control_plane::domain::jobs::service::Service;
use control_plane::domain::jobs::{
    Action, AgentCommand, AgentPort, CommandFailure, CommandKind, CommandOutput, End, FailureKind, Job, JobState,
    NewJob, Order, Pace, Phase, Power, Presence, Registry, Saga, Step,
};
use control_plane::error::{Error, Result};
use control_plane::ids::{CloudPodId, CommandId, InstanceId, JobId, ServerId, TenantId};
use mpanel_tests::{TestDatabase, databases, eventually};
use tokio_util::task::TaskTracker;

const SOON: Duration = Duration::from_secs(20);

/// Keeps what is sent; connected or not as the test says.
#[derive(Default)]
struct Agents {
    connected: Mutex<Vec<ServerId>>,
    /// Connected only a moment after it was looked for.
    late: Mutex<Option<ServerId>>,
    sent: Mutex<Vec<Order>>,
    cancelled: Mutex<Vec<(CommandId, u64)>>,
}

impl Agents {
    fn connect(&self, server: ServerId) {
        self.connected.lock().unwrap().push(server);
    }
}

impl AgentPort for Agents {
    fn send(&self, order: Order) -> Result<(), NotConnected> {
        if !self.connected().contains(&order.command.server) {
            return Err(NotConnected);
        }
        self.sent.lock().unwrap().push(order);
        Ok(())
    }

    fn cancel(&self, server: ServerId, command: CommandId, epoch: u64) -> Result<(), NotConnected> {
        if !self.connected().contains(&server) {
            return Err(NotConnected);
        }
        self.cancelled.lock().unwrap().push((command, epoch));
        Ok(())
    }

    fn connected(&self) -> Vec<ServerId> {
        let mut connected = self.connected.lock().unwrap();
        let seen = connected.clone();
        connected.extend(self.late.lock().unwrap().take());
        seen
    }
}

/// What the test's steps did, in order, and how each is to behave.
#[derive(Default)]
struct Script {
    trace: Mutex<Vec<String>>,
    /// The tries of the first step that began their saga.
    begun_at: Mutex<Vec<u32>>,
    /// By `step` or `undo step`: how many more times it fails, and whether for good.
    failures: Mutex<HashMap<String, (u32, bool)>>,
}

impl Script {
    fn note(&self, what: impl Into<String>) {
        self.trace.lock().unwrap().push(what.into());
    }

    fn trace(&self) -> Vec<String> {
        self.trace.lock().unwrap().clone()
    }

    fn fail(&self, what: &str, times: u32, for_good: bool) {
        self.failures.lock().unwrap().insert(what.to_owned(), (times, for_good));
    }

    fn check(&self, what: &str) -> Result<()> {
        let mut failures = self.failures.lock().unwrap();
        match failures.get_mut(what) {
            Some((times, for_good)) if *times > 0 => {
                *times -= 1;
                Err(if *for_good { Error::conflict("scripted", what) } else { Error::retry(what) })
            }
            _ => Ok(()),
        }
    }
}

struct Toy {
    name: &'static str,
    /// `Some`: a command to this server's agent, else local.
    server: Option<ServerId>,
    script: Arc<Script>,
}

impl Toy {
    fn command(&self, job: &Job, kind: CommandKind) -> Action {
        Action::Command(AgentCommand {
            server: self.server.expect("a step with a command has a server"),
            pod: job.pod.unwrap_or(CloudPodId(job.id.0)),
            vmid: 100,
            kind,
            timeout: Duration::from_mins(1),
        })
    }
}

#[async_trait]
impl Step for Toy {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn begin(&self, _tx: &mut Tx, job: &Job) -> Result<Action> {
        self.script.check(self.name)?;
        self.script.note(self.name);
        Ok(match self.server {
            Some(_) => self.command(job, CommandKind::Start),
            None => Action::Done(format!("{} is done", self.name)),
        })
    }

    async fn undo(&self, _tx: &mut Tx, job: &Job) -> Result<Action> {
        let what = format!("undo {}", self.name);
        self.script.check(&what)?;
        self.script.note(what);
        Ok(match self.server {
            Some(_) => self.command(job, CommandKind::Destroy),
            None => Action::Done(String::new()),
        })
    }
}

struct ToySaga {
    steps: Vec<Box<dyn Step>>,
    script: Arc<Script>,
}

#[async_trait]
impl Saga for ToySaga {
    fn kind(&self) -> &'static str {
        "toy"
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn began(&self, _tx: &mut Tx, job: &Job) -> Result<()> {
        self.script.begun_at.lock().unwrap().push(job.attempt);
        Ok(())
    }

    async fn ended(&self, _tx: &mut Tx, _job: &Job, end: &End) -> Result<()> {
        self.script.note(match end {
            End::Succeeded => "succeeded".to_owned(),
            End::Failed(error) => format!("failed: {}", error.code),
            End::Cancelled => "cancelled".to_owned(),
            End::Stuck(error) => format!("stuck: {}", error.code),
        });
        Ok(())
    }

    fn attempts_max(&self) -> u32 {
        3
    }
}

struct Bench {
    db: Db,
    agents: Arc<Agents>,
    script: Arc<Script>,
    registry: Registry,
    engine: Engine,
    jobs: Service,
    server: ServerId,
    tasks: TaskTracker,
}

impl Bench {
    /// The saga `first` (local), `second` (a command), `third` (local).
    async fn new(database: &TestDatabase) -> Self {
        let db = Db::open(&database.url).await.unwrap();
        let server = server_insert(&db, "pve1").await;
        let script = Arc::new(Script::default());
        let step = |name, server| Box::new(Toy { name, server, script: script.clone() }) as Box<dyn Step>;
        let steps = vec![step("first", None), step("second", Some(server)), step("third", None)];
        let saga = ToySaga { steps, script: script.clone() };
        let registry = Registry::new(vec![Arc::new(saga)]);
        let agents = Arc::new(Agents::default());
        agents.connect(server);
        let tasks = TaskTracker::new();
        let engine = engine(&db, &registry, &agents, &tasks);
        let jobs = Service::new(db.clone(), Clock::system(), registry.clone(), agents.clone());
        Self { db, agents, script, registry, engine, jobs, server, tasks }
    }

    async fn create(&self) -> JobId {
        self.create_for(None, None).await
    }

    async fn create_for(&self, tenant: Option<TenantId>, pod: Option<CloudPodId>) -> JobId {
        let new = NewJob { kind: "toy", tenant, pod, server: None, params: serde_json::json!({}) };
        let mut tx = self.db.begin().await.unwrap();
        let job = self.jobs.job_create(&mut tx, &Actor::system("test"), new).await.unwrap();
        tx.commit().await.unwrap();
        job.id
    }

    async fn job(&self, id: JobId) -> Job {
        self.jobs.job_get(Scope::Platform, id).await.unwrap().0
    }

    /// An agent begins a session.
    async fn agent_back(&self, server: ServerId) {
        self.engine.session_started(server, || self.agents.connect(server)).await.unwrap();
    }

    /// Dispatches until the job is as `wanted`.
    async fn until(&self, id: JobId, what: &str, wanted: impl Fn(&Job) -> bool) -> Job {
        eventually(what, SOON, async || {
            self.engine.dispatch().await.unwrap();
            let job = self.job(id).await;
            wanted(&job).then_some(job)
        })
        .await
    }

    async fn until_state(&self, id: JobId, state: JobState) -> Job {
        self.until(id, &format!("{state:?}"), |job| job.state == state).await
    }

    /// Dispatches until the agent has got its `n`-th order.
    async fn order(&self, n: usize) -> Order {
        eventually("an order", SOON, async || {
            self.engine.dispatch().await.unwrap();
            self.agents.sent.lock().unwrap().get(n - 1).cloned()
        })
        .await
    }

    async fn report(&self, order: &Order, outcome: Result<CommandOutput, CommandFailure>) {
        let report = ResultReport { command: order.id, epoch: order.epoch, outcome, log: vec!["TASK".into()] };
        self.engine.result_record(order.command.server, report).await.unwrap();
    }
}

fn engine(db: &Db, registry: &Registry, agents: &Arc<Agents>, tasks: &TaskTracker) -> Engine {
    engine_paced(db, registry, agents, tasks, &Pace::default())
}

/// Nobody renews its leases: one that a slow machine could outlast would make it send an order twice.
fn engine_paced(db: &Db, registry: &Registry, agents: &Arc<Agents>, tasks: &TaskTracker, pace: &Pace) -> Engine {
    let pace = Pace { retry_first: Duration::from_millis(5), retry_max: Duration::from_millis(20), ..pace.clone() };
    Engine::new(
        db.clone(),
        Clock::system(),
        pace,
        registry.clone(),
        agents.clone(),
        InstanceId::generate(),
        tasks.clone(),
    )
}

async fn server_insert(db: &Db, name: &str) -> ServerId {
    const SQL: &str = "
        INSERT INTO servers (id, name, region, labels, bridge, vmid_space, vmid_min, vmid_max, cpu_overcommit, scheduling,
                             scheduling_since, connection, connection_since, version, created_at, updated_at)
        VALUES ($1, $2, '', '{}', 'vmbr0', 'lab', 100, 999, 1.0, 'online', 0, 'online', 0, 1, 0, 0)";
    let id = ServerId::generate();
    let mut tx = db.begin().await.unwrap();
    control_plane::execute!(tx.conn(), SQL, id, name).unwrap();
    tx.commit().await.unwrap();
    id
}

#[allow(clippy::unnecessary_wraps, reason = "an outcome, as `failure` is one")]
fn done() -> Result<CommandOutput, CommandFailure> {
    Ok(CommandOutput::of(Presence::Present, Power::Running, 100))
}

fn error_of(kind: FailureKind) -> CommandFailure {
    CommandFailure { kind, message: "said Proxmox".into(), upid: String::new(), presence: Presence::Unknown }
}

fn failure(kind: FailureKind) -> Result<CommandOutput, CommandFailure> {
    Err(error_of(kind))
}

#[tokio::test]
async fn a_job_goes_through_its_steps_in_order() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let id = bench.create().await;
        let order = bench.order(1).await;
        bench.report(&order, done()).await;
        let job = bench.until_state(id, JobState::Succeeded).await;
        assert_eq!(bench.script.trace(), ["first", "second", "third", "succeeded"], "{}", database.name);
        assert!(job.finished_at.is_some() && job.started_at.is_some());
        assert_eq!(control_plane::domain::jobs::overall_percent(&job), 100);
        let log = bench.jobs.job_log(Scope::Platform, id, true, Window { limit: 10, after: None }).await.unwrap();
        assert!(log.iter().any(|line| line.line == "TASK" && line.step == "second"));
        let (_, steps) = bench.jobs.job_get(Scope::Platform, id).await.unwrap();
        let shown: Vec<_> = steps.iter().map(|step| (step.name.as_str(), step.state.as_str())).collect();
        assert_eq!(shown, [("first", "done"), ("second", "done"), ("third", "done")]);
        assert_eq!(steps[0].detail, "first is done");
    }
}

#[tokio::test]
async fn a_passing_failure_is_tried_again_and_a_lasting_one_undoes_what_was_done() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        bench.script.fail("first", 2, false);
        bench.script.fail("third", 1, true);
        let id = bench.create().await;
        let order = bench.order(1).await;
        bench.report(&order, failure(FailureKind::Locked)).await;
        let again = bench.order(2).await;
        assert_ne!(order.id, again.id, "another try is another command");
        bench.report(&again, done()).await;
        let undo = bench.order(3).await;
        assert!(matches!(undo.command.kind, CommandKind::Destroy));
        bench.report(&undo, done()).await;
        let job = bench.until_state(id, JobState::Failed).await;
        assert_eq!(
            bench.script.trace(),
            ["first", "second", "second", "undo third", "undo second", "undo first", "failed: scripted"],
            "{}",
            database.name
        );
        assert_eq!(job.error.unwrap().detail, "third");
        let begun_at = bench.script.begun_at.lock().unwrap().clone();
        assert_eq!(begun_at, [1, 2, 3], "a failed first try takes its beginning with it");
    }
}

#[tokio::test]
async fn attempts_are_bounded_and_the_cause_is_kept_in_proxmox_own_words() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let id = bench.create().await;
        for n in 1..=3 {
            let order = bench.order(n).await;
            bench.report(&order, failure(FailureKind::Timeout)).await;
        }
        let undo = bench.order(4).await;
        assert!(matches!(undo.command.kind, CommandKind::Destroy));
        bench.report(&undo, done()).await;
        let job = bench.until_state(id, JobState::Failed).await;
        let error = job.error.unwrap();
        assert_eq!((error.code.as_str(), error.detail.as_str()), ("proxmox_timeout", "said Proxmox"));
    }
}

#[tokio::test]
async fn an_agent_whose_ledger_refuses_is_waited_for_however_long_and_while_undoing_too() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let id = bench.create().await;
        let refused = || Err(CommandFailure { message: "only 3 MiB are free".into(), ..error_of(FailureKind::Ledger) });
        for n in 1..=6 {
            bench.report(&bench.order(n).await, refused()).await;
        }
        let job = bench.job(id).await;
        assert_eq!(job.error.map(|error| error.code), Some("agent_ledger".to_owned()), "{}", database.name);
        assert!(job.attempt < job.attempts_max, "tries are left for when it takes orders again");
        bench.report(&bench.order(7).await, failure(FailureKind::BadParameter)).await;
        for n in 8..=13 {
            bench.report(&bench.order(n).await, refused()).await;
        }
        bench.report(&bench.order(14).await, done()).await;
        let job = bench.until_state(id, JobState::Failed).await;
        assert_eq!(job.error.map(|error| error.code), Some("proxmox_bad_parameter".to_owned()));
        let lines = bench.jobs.job_log(Scope::Platform, id, true, Window { limit: 100, after: None }).await.unwrap();
        let waits = lines.iter().filter(|line| line.line.contains("agent_ledger")).count();
        assert_eq!(waits, 2, "not every refusal is said: {lines:#?}");
    }
}

#[tokio::test]
async fn an_undo_that_cannot_finish_is_stuck_until_somebody_retries() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        bench.script.fail("third", 1, true);
        bench.script.fail("undo first", 4, true);
        let id = bench.create().await;
        bench.report(&bench.order(1).await, done()).await;
        bench.report(&bench.order(2).await, done()).await;
        let job = bench.until_state(id, JobState::Stuck).await;
        assert_eq!(job.error.unwrap().detail, "third", "the first cause is the one that is shown");
        bench.jobs.job_retry(&Actor::system("test"), Scope::Platform, id).await.unwrap();
        // The undo begins anew: what was undone may have come back while the job was stuck.
        bench.report(&bench.order(3).await, done()).await;
        bench.until_state(id, JobState::Failed).await;
        let trace = bench.script.trace();
        assert_eq!(trace[trace.len() - 3..], ["undo second", "undo first", "failed: scripted"], "{}", database.name);
        let lines = bench.jobs.job_log(Scope::Platform, id, true, Window { limit: 100, after: None }).await.unwrap();
        let failed = lines.iter().filter(|line| line.level == "error");
        let tries: Vec<_> = failed.map(|line| (line.step.as_str(), line.phase, line.attempt, line.retry)).collect();
        let (done, undone) = (Some(Phase::Do), Some(Phase::Undo));
        let undos =
            [("first", undone, 1, 0), ("first", undone, 2, 0), ("first", undone, 3, 0), ("first", undone, 1, 1)];
        assert_eq!(tries, [[("third", done, 1, 0)].as_slice(), &undos].concat(), "which try each line is of");
    }
}

#[tokio::test]
async fn a_late_a_repeated_and_a_stranger_s_result_change_nothing() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let id = bench.create().await;
        let order = bench.order(1).await;
        // The agent comes back: the same command is sent again, under a later epoch.
        bench.agent_back(bench.server).await;
        let again = bench.order(2).await;
        assert_eq!(order.id, again.id);
        assert!(again.epoch > order.epoch);
        bench.report(&order, failure(FailureKind::BadParameter)).await;
        assert_eq!(bench.job(id).await.state, JobState::Running, "{}", database.name);
        let stranger = ResultReport { command: again.id, epoch: again.epoch, outcome: done(), log: Vec::new() };
        let refused = bench.engine.result_record(ServerId::generate(), stranger).await.unwrap_err();
        assert!(matches!(refused, Error::Forbidden(_)));
        assert_eq!(bench.job(id).await.state, JobState::Running);
        bench.report(&again, done()).await;
        bench.report(&again, done()).await;
        bench.until_state(id, JobState::Succeeded).await;
        assert_eq!(bench.script.trace().iter().filter(|what| *what == "third").count(), 1);
    }
}

#[tokio::test]
async fn work_for_an_absent_agent_waits_and_goes_on_when_it_is_back() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        bench.agents.connected.lock().unwrap().clear();
        let id = bench.create().await;
        let job = bench.until(id, "waiting", |job| job.waits_for.is_some()).await;
        assert_eq!((job.state, job.waits_for), (JobState::Running, Some(bench.server)));
        bench.agent_back(bench.server).await;
        let order = bench.order(1).await;
        bench.agents.connected.lock().unwrap().clear();
        bench.engine.session_ended(bench.server).await.unwrap();
        assert_eq!(bench.job(id).await.waits_for, Some(bench.server), "{}", database.name);
        bench.agent_back(bench.server).await;
        let again = bench.order(2).await;
        assert_eq!(order.id, again.id);
        bench.report(&again, done()).await;
        bench.until_state(id, JobState::Succeeded).await;
    }
}

#[tokio::test]
async fn cancel_undoes_what_was_done_and_says_so() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        let actor = Actor::system("test");
        // Before it was ever claimed.
        let queued = bench.create().await;
        let job = bench.jobs.job_cancel(&actor, Scope::Platform, queued).await.unwrap();
        assert_eq!(job.state, JobState::Cancelled);
        // During a command: the agent is told, and the result decides.
        let running = bench.create().await;
        let order = bench.order(1).await;
        bench.jobs.job_cancel(&actor, Scope::Platform, running).await.unwrap();
        assert_eq!(*bench.agents.cancelled.lock().unwrap(), [(order.id, order.epoch)]);
        bench.report(&order, failure(FailureKind::Cancelled)).await;
        bench.report(&bench.order(2).await, done()).await;
        bench.until_state(running, JobState::Cancelled).await;
        // While it waits for an agent that never got an order: nothing to ask of the agent.
        bench.agents.connected.lock().unwrap().clear();
        let waiting = bench.create().await;
        bench.until(waiting, "waiting", |job| job.waits_for.is_some()).await;
        bench.jobs.job_cancel(&actor, Scope::Platform, waiting).await.unwrap();
        bench.until_state(waiting, JobState::Cancelled).await;
        assert_eq!(
            bench.script.trace(),
            [
                "cancelled",
                "first",
                "second",
                "undo second",
                "undo first",
                "cancelled",
                "first",
                "second",
                "undo first",
                "cancelled"
            ],
            "{}",
            database.name
        );
        let over = bench.jobs.job_cancel(&actor, Scope::Platform, waiting).await.unwrap_err();
        assert_eq!(over.code(), "job_over");
    }
}

#[tokio::test]
async fn what_a_vanished_control_plane_held_is_taken_over_within_a_lease_and_its_late_writes_are_fenced() {
    for database in databases().await {
        let mut bench = Bench::new(&database).await;
        let short = Pace { lease: Duration::from_millis(300), ..Pace::default() };
        bench.engine = engine_paced(&bench.db, &bench.registry, &bench.agents, &bench.tasks, &short);
        let id = bench.create().await;
        let order = bench.order(1).await;
        // Nobody renews: another control plane takes it, and sends the same command again.
        let other = engine(&bench.db, &bench.registry, &bench.agents, &bench.tasks);
        let again = eventually("the other takes over", SOON, async || {
            other.dispatch().await.unwrap();
            bench.agents.sent.lock().unwrap().get(1).cloned()
        })
        .await;
        assert_eq!(order.id, again.id);
        bench.report(&order, failure(FailureKind::BadParameter)).await;
        assert_eq!(bench.job(id).await.state, JobState::Running, "{}", database.name);
        bench.report(&again, done()).await;
        bench.until_state(id, JobState::Succeeded).await;
    }
}

#[tokio::test]
async fn eight_engines_at_once_do_each_job_once() {
    for database in databases().await {
        let bench = Bench::new(&database).await;
        bench.agents.connected.lock().unwrap().clear();
        let mut ids = Vec::new();
        for _ in 0..40 {
            ids.push(bench.create().await);
        }
        let engines: Vec<_> = (0..8).map(|_| engine(&bench.db, &bench.registry, &bench.agents, &bench.tasks)).collect();
        futures::future::join_all(engines.iter().map(async |engine| {
            for _ in 0..10 {
                // Two that claim at once may collide on PostgreSQL; the loser tries again at its next poll.
                let _collided = engine.dispatch().await;
            }
        }))
        .await;
        for id in ids {
            bench.until(id, "waiting", |job| job.waits_for.is_some()).await;
        }
        assert_eq!(bench.script.trace().iter().filter(|what| *what == "first").count(), 40, "{}", database.name);
    }
}
