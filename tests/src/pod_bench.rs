//! Everything that a pod needs, over one database and [`ScriptedAgents`]: the books, the sagas with faults between them
//! and the engine, and the engine itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use control_plane::clock::{Clock, Ms};
use control_plane::db::{Db, Tx};
use control_plane::domain::access::{Permission, Permissions};
use control_plane::domain::audit::{Actor, Scope};
use control_plane::domain::backups::service::{Limits, Service as Backups};
use control_plane::domain::cloudpods::sagas::{self, Books};
use control_plane::domain::cloudpods::service::Service as Pods;
use control_plane::domain::cloudpods::{CloudPodCreate, Detail};
use control_plane::domain::drift::{Policy, service::Service as Drift};
use control_plane::domain::firewall::service::Service as Firewalls;
use control_plane::domain::images::{ImageCreate, service::Service as Images};
use control_plane::domain::ipam::{IpPoolCreate, service::Service as Ipam};
use control_plane::domain::jobs::command::NotConnected;
use control_plane::domain::jobs::engine::Engine;
use control_plane::domain::jobs::service::Service as Jobs;
use control_plane::domain::jobs::{
    Action, CommandFailure, CommandOutput, End, FailureKind, Job, JobState, Pace, Power, Registry, Saga, Step, Verdict,
};
use control_plane::domain::losses::service::Service as Losses;
use control_plane::domain::plans::{PlanCreate, Terms, service::Service as Plans};
use control_plane::domain::scheduling::service::Service as Scheduling;
use control_plane::domain::secrets::EnvelopeKey;
use control_plane::domain::secrets::service::Service as Secrets;
use control_plane::domain::servers::service::{Facts, Service as Servers};
use control_plane::domain::servers::{
    Admission, CloseReason, Heartbeat, Hello, Inventory, InventoryVm, ProbeReport, ProbeSpec, Prober, ServerCreate,
    Sessions, StorageOffer, StorageSeen,
};
use control_plane::domain::snapshots::service::Service as Snapshots;
use control_plane::domain::tenants::service::Service as Tenants;
use control_plane::domain::traffic::service::Service as Traffic;
use control_plane::error::{Error, Result};
use control_plane::ids::{CloudPodId, InstanceId, JobId, ServerId};
use tokio_util::task::TaskTracker;

use crate::scripted_agent::{Fail, ScriptedAgents};
use crate::{TestDatabase, eventually};

/// More than anything here takes.
pub const SOON: Duration = Duration::from_secs(30);
/// A public key that nobody has the private part of.
pub const SSH_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@home";
/// The most snapshots of a pod.
pub const SNAPSHOTS_PER_POD: u32 = 4;
/// What backups are allowed.
pub const BACKUP_LIMITS: Limits = Limits { per_pod: 6, after_destroy: Duration::from_hours(24) };
/// Where backups go, on every server of the bench.
pub const BACKUP_STORAGE: &str = "backups";
/// The template that every server of the bench has.
pub const TEMPLATE: u32 = 9000;

/// Where the next fault is: the job kind, the step's index, and whether it comes before the step does anything.
pub type Fault = (&'static str, usize, bool);

/// What goes wrong between the sagas and the engine.
#[derive(Default)]
pub struct Faults {
    /// That step fails, for good.
    pub fail: Mutex<Option<Fault>>,
    /// Every do, undo and their completions happen twice, and have to say the same twice.
    pub twice: Mutex<bool>,
}

impl Faults {
    fn check(&self, fault: Fault) -> Result<()> {
        if *self.fail.lock().expect("no test thread panicked with it") == Some(fault) {
            return Err(Error::conflict("injected", "a fault of the test"));
        }
        Ok(())
    }

    fn twice(&self) -> bool {
        *self.twice.lock().expect("no test thread panicked with it")
    }
}

struct FaultySaga {
    inner: Arc<dyn Saga>,
    steps: Vec<Box<dyn Step>>,
}

struct FaultyStep {
    inner: Arc<dyn Saga>,
    index: usize,
    faults: Arc<Faults>,
}

impl FaultySaga {
    fn new(inner: Arc<dyn Saga>, faults: &Arc<Faults>) -> Self {
        let step =
            |index| Box::new(FaultyStep { inner: inner.clone(), index, faults: faults.clone() }) as Box<dyn Step>;
        let steps = (0..inner.steps().len()).map(step).collect();
        Self { inner, steps }
    }
}

#[async_trait]
impl Saga for FaultySaga {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn steps(&self) -> &[Box<dyn Step>] {
        &self.steps
    }

    async fn began(&self, tx: &mut Tx, job: &Job) -> Result<()> {
        self.inner.began(tx, job).await?;
        self.inner.began(tx, job).await
    }

    async fn ended(&self, tx: &mut Tx, job: &Job, end: &End) -> Result<()> {
        self.inner.ended(tx, job, end).await
    }

    fn permission(&self, job: &Job) -> Permission {
        self.inner.permission(job)
    }

    fn ends_pod(&self) -> bool {
        self.inner.ends_pod()
    }

    fn attempts_max(&self) -> u32 {
        4
    }
}

impl FaultyStep {
    fn step(&self) -> &dyn Step {
        self.inner.steps()[self.index].as_ref()
    }
}

fn assert_same(step: &str, first: &Action, second: &Action) {
    match (first, second) {
        (Action::Done(_), Action::Done(_)) => {}
        (Action::Command(first), Action::Command(second)) => assert_eq!(first, second, "{step} says another thing"),
        _ => panic!("{step} says {first:?}, then {second:?}"),
    }
}

#[async_trait]
impl Step for FaultyStep {
    fn name(&self) -> &'static str {
        self.step().name()
    }

    async fn begin(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        self.faults.check((self.inner.kind(), self.index, true))?;
        let action = self.step().begin(tx, job).await?;
        if self.faults.twice() {
            assert_same(self.name(), &action, &self.step().begin(tx, job).await?);
        }
        if matches!(action, Action::Done(_)) {
            self.faults.check((self.inner.kind(), self.index, false))?;
        }
        Ok(action)
    }

    async fn complete(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        self.step().complete(tx, job, output).await?;
        if self.faults.twice() {
            self.step().complete(tx, job, output).await?;
        }
        self.faults.check((self.inner.kind(), self.index, false))
    }

    async fn failed(&self, tx: &mut Tx, job: &Job, failure: &CommandFailure) -> Result<Verdict> {
        self.step().failed(tx, job, failure).await
    }

    async fn undo(&self, tx: &mut Tx, job: &Job) -> Result<Action> {
        let action = self.step().undo(tx, job).await?;
        if self.faults.twice() {
            assert_same(self.name(), &action, &self.step().undo(tx, job).await?);
        }
        Ok(action)
    }

    async fn undone(&self, tx: &mut Tx, job: &Job, output: &CommandOutput) -> Result<()> {
        self.step().undone(tx, job, output).await?;
        if self.faults.twice() {
            self.step().undone(tx, job, output).await?;
        }
        Ok(())
    }

    fn cancellable(&self) -> bool {
        self.step().cancellable()
    }

    fn takes_declaration(&self) -> bool {
        self.step().takes_declaration()
    }
}

struct NoHosts;

#[async_trait]
impl Prober for NoHosts {
    async fn probe(&self, _: ServerId, _: ProbeSpec, _: Duration) -> Result<ProbeReport, NotConnected> {
        Err(NotConnected)
    }
}

impl Sessions for NoHosts {
    fn close(&self, _: ServerId, _: CloseReason) {}
}

/// The services, the agents and the engine over one database.
pub struct PodBench {
    /// The database.
    pub db: Db,
    /// Tells the time to all of them.
    pub clock: Clock,
    /// The hosts.
    pub agents: Arc<ScriptedAgents>,
    /// What goes wrong.
    pub faults: Arc<Faults>,
    /// The sagas as they are, without faults.
    pub sagas: Vec<Arc<dyn Saga>>,
    /// What the sagas use.
    pub books: Arc<Books>,
    /// The plans.
    pub plans: Arc<Plans>,
    /// The jobs.
    pub jobs: Jobs,
    /// Whose the pods are.
    pub tenants: Arc<Tenants>,
    /// The pods.
    pub pods: Pods,
    /// The engine.
    pub engine: Engine,
    /// What hosts show against what is wanted; power is put right by itself, at once, twice.
    pub drift: Drift,
    /// Hosts that will not come back.
    pub losses: Losses,
    instance: InstanceId,
}

impl PodBench {
    /// A tenant, the plan `small` (2 CPUs, 4 GiB, 20 GiB), the image `debian`, the pools `public` (v4) and `public6`; no
    /// server.
    pub async fn new(database: &TestDatabase) -> Self {
        Self::with(database, Clock::system(), fast()).await
    }

    /// As [`PodBench::new`], at a pace of the test's choice.
    pub async fn with_pace(database: &TestDatabase, pace: Pace) -> Self {
        Self::with(database, Clock::system(), pace).await
    }

    /// As [`PodBench::new`], with a clock that stands still until the test moves it: no step is tried again by itself.
    pub async fn with_manual_clock(database: &TestDatabase) -> Self {
        Self::with(database, Clock::manual(Ms(1_800_000_000_000)), fast()).await
    }

    async fn with(database: &TestDatabase, clock: Clock, pace: Pace) -> Self {
        let db = Db::open(&database.url).await.expect("the database opens");
        let facts = Facts {
            agents_url: "https://panel.example.com:8443".into(),
            ca_sha256: "00".repeat(32),
            heartbeat: Duration::from_secs(10),
        };
        let servers = Arc::new(Servers::new(db.clone(), clock.clone(), facts, Arc::new(NoHosts), Arc::new(NoHosts)));
        let books = Arc::new(Books {
            clock: clock.clone(),
            servers: servers.clone(),
            images: Arc::new(Images::new(db.clone(), clock.clone(), servers.clone())),
            ipam: Arc::new(Ipam::new(db.clone(), clock.clone())),
            scheduling: Arc::new(Scheduling::new(clock.clone(), servers)),
            firewalls: Arc::new(Firewalls::new(clock.clone())),
            traffic: Arc::new(Traffic::new(clock.clone())),
            snapshots: Arc::new(Snapshots::new(clock.clone(), SNAPSHOTS_PER_POD)),
            secrets: Secrets::new(db.clone(), clock.clone(), EnvelopeKey::generate().expect("a key is made")),
            move_bandwidth_mibps: 100,
            backups: Arc::new(Backups::new(clock.clone(), BACKUP_LIMITS)),
        });
        let plans = Arc::new(Plans::new(db.clone(), clock.clone()));
        let tenants = Arc::new(Tenants::new(db.clone(), clock.clone()));
        tenants.tenant_default_ensure().await.expect("a tenant is made");
        let (agents, results) = ScriptedAgents::new();
        let faults = Arc::new(Faults::default());
        let sagas = sagas::all(&books);
        let faulty = |saga: &Arc<dyn Saga>| Arc::new(FaultySaga::new(saga.clone(), &faults)) as Arc<dyn Saga>;
        let registry = Registry::new(sagas.iter().map(faulty).collect()).with_declarations(books.servers.clone());
        let jobs = Jobs::new(db.clone(), clock.clone(), registry.clone(), agents.clone());
        let pods = Pods::new(db.clone(), books.clone(), tenants.clone(), plans.clone(), jobs.clone());
        let (servers, shared) = (books.servers.clone(), (Arc::new(pods.clone()), Arc::new(jobs.clone())));
        let policy = Policy { grace: Duration::ZERO, heal_power: true, heal_network: false, heal_tries: 2 };
        let drift = Drift::new(db.clone(), clock.clone(), servers.clone(), shared.0.clone(), shared.1.clone(), policy);
        let losses = Losses::new(db.clone(), servers, shared.0, shared.1);
        let instance = InstanceId::generate();
        let engine =
            Engine::new(db.clone(), clock.clone(), pace, registry, agents.clone(), instance, TaskTracker::new());
        tokio::spawn(results.deliver(engine.clone()));
        let bench = Self {
            db,
            clock,
            agents,
            faults,
            sagas,
            books,
            plans,
            jobs,
            tenants,
            pods,
            engine,
            drift,
            losses,
            instance,
        };
        bench.catalogue_make().await;
        bench
    }

    async fn catalogue_make(&self) {
        let terms = Terms {
            vcpu: 2,
            memory_mib: 4096,
            disk_gib: 20,
            traffic_gib: None,
            price_minor: 500,
            currency: "EUR".into(),
        };
        let plan = PlanCreate { name: "small".into(), terms, active: true };
        self.plans.plan_create(&actor(), plan).await.expect("a plan is made");
        let image = ImageCreate {
            name: "debian".into(),
            os: "Debian 13".into(),
            default_user: "debian".into(),
            min_disk_gib: 10,
            template_vmid: Some(TEMPLATE),
            template_name: None,
            templates: Vec::new(),
            active: true,
        };
        self.books.images.image_create(&actor(), image).await.expect("an image is made");
        for (name, cidr, gateway, dns) in [
            ("public", "192.0.2.0/24", "192.0.2.1", "192.0.2.53"),
            ("public6", "2001:db8::/64", "2001:db8::1", "2001:db8::53"),
        ] {
            let pool = IpPoolCreate {
                name: name.into(),
                cidr: Some(cidr.into()),
                gateway: gateway.into(),
                dns: vec![dns.into()],
                active: true,
                ..IpPoolCreate::default()
            };
            self.books.ipam.pool_create(&actor(), pool).await.expect("a pool is made");
        }
    }

    /// A server that is online, a node of the Proxmox cluster `lab`: so many threads, 4 GiB of memory each, 1000 GiB of disk,
    /// with the template.
    pub async fn server(&self, name: &str, threads: u32) -> ServerId {
        self.server_in("lab", name, threads).await
    }

    /// As [`PodBench::server`], in another Proxmox cluster.
    pub async fn server_in(&self, cluster: &str, name: &str, threads: u32) -> ServerId {
        let input = ServerCreate {
            name: name.into(),
            region: Some("eu".into()),
            labels: BTreeMap::new(),
            bridge: None,
            vmid_min: None,
            vmid_max: None,
            cpu_threads: None,
            cpu_overcommit: None,
            memory_mib: None,
            pod_limit: None,
            backup_storage: Some(BACKUP_STORAGE.into()),
            storages: vec![StorageOffer { name: "local".into(), disk_gib: Some(1000) }],
        };
        let (server, _) = self.books.servers.server_create(&actor(), input).await.expect("a server is made");
        let mut tx = self.db.begin().await.expect("a transaction begins");
        let hello = Hello { agent_version: "1".into(), boot_id: name.into(), machine_id: name.into() };
        let admission = self.books.servers.session_open(&mut tx, server.id, &hello, self.instance).await;
        let Ok(Admission::Opened(epoch)) = admission else { panic!("a session opens") };
        tx.commit().await.expect("it commits");
        let storage =
            |name: &str| StorageSeen { name: name.into(), active: true, total_mib: 1 << 20, ..StorageSeen::default() };
        let local = StorageSeen { holds_images: true, holds_backups: Some(false), ..storage("local") };
        let backups = StorageSeen { holds_backups: Some(true), ..storage(BACKUP_STORAGE) };
        let heartbeat = Heartbeat {
            cpu_threads: threads,
            memory_total_mib: u64::from(threads) * 4096,
            storages: vec![local, backups],
            node_name: name.into(),
            cluster_name: cluster.into(),
            quorate: true,
            ..Heartbeat::default()
        };
        self.books.servers.heartbeat_record(server.id, epoch, heartbeat).await.expect("a heartbeat is taken");
        self.inventory(server.id, vec![vm(TEMPLATE, None, Power::Stopped, true)]).await;
        self.agents.node(name, server.id);
        self.agents.connect(server.id);
        server.id
    }

    /// The server's agent sends a full inventory.
    pub async fn inventory(&self, server: ServerId, vms: Vec<InventoryVm>) {
        let inventory = Inventory { full: true, vms, bridges: vec!["vmbr0".into()], ..Inventory::default() };
        self.inventory_take(server, inventory).await;
    }

    /// The server's agent says that these are its bridges now.
    pub async fn bridges(&self, server: ServerId, bridges: &[&str]) {
        let bridges = bridges.iter().map(|bridge| (*bridge).to_owned()).collect();
        self.inventory_take(server, Inventory { full: false, bridges, ..Inventory::default() }).await;
    }

    async fn inventory_take(&self, server: ServerId, inventory: Inventory) {
        let mut tx = self.db.begin().await.expect("a transaction begins");
        let shown = self.books.servers.server_get(tx.conn(), server).await.expect("the server is there");
        self.pods.inventory_observe(&mut tx, server, &inventory).await.expect("it is observed");
        let recorded = self.books.servers.inventory_record(&mut tx, server, shown.seen.session_epoch, &inventory).await;
        assert!(recorded.expect("an inventory is taken"));
        self.drift.server_compare(&mut tx, server).await.expect("it is compared");
        tx.commit().await.expect("it commits");
    }

    /// The server's agent loses its session: its host is offline.
    pub async fn offline(&self, server: ServerId) {
        self.agents.disconnect(server);
        let shown = self.books.servers.server_show(&server.to_string()).await.expect("the server is there");
        self.books.servers.session_close(server, shown.seen.session_epoch).await.expect("its session ends");
        self.engine.session_ended(server).await.expect("what is out waits");
    }

    /// The server's agent is back.
    pub async fn online(&self, server: ServerId, name: &str) {
        let mut tx = self.db.begin().await.expect("a transaction begins");
        let hello = Hello { agent_version: "1".into(), boot_id: name.into(), machine_id: name.into() };
        let admission = self.books.servers.session_open(&mut tx, server, &hello, self.instance).await;
        assert!(matches!(admission, Ok(Admission::Opened(_))), "a session opens: {admission:?}");
        tx.commit().await.expect("it commits");
        self.engine.session_started(server, || self.agents.connect(server)).await.expect("what waits goes on");
    }

    /// Asks for a pod.
    pub async fn create(&self, name: &str) -> Result<(Detail, Job)> {
        self.pods.cloudpod_create(&actor(), Scope::Platform, request(name)).await
    }

    /// Makes a pod and waits until it is active.
    pub async fn active(&self, name: &str) -> CloudPodId {
        let (detail, job) = self.create(name).await.expect("a pod is asked for");
        let job = self.over(job.id).await;
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        detail.pod.id
    }

    /// The pod as it is.
    pub async fn pod(&self, id: CloudPodId) -> Detail {
        self.pods.cloudpod_get(Scope::Platform, id).await.expect("the pod is there")
    }

    /// Somebody declares a pod's host lost: the pod is nowhere, and keeps its addresses.
    pub async fn lose(&self, id: CloudPodId) {
        const SQL: &str =
            "UPDATE cloudpods SET state = 'failed', failure = 'its host was declared lost', server_id = NULL,
                                  storage = NULL, vmid = NULL, template_vmid = NULL, observed_power = 'unknown'
                            WHERE id = $1";
        let mut tx = self.db.begin().await.expect("a transaction begins");
        self.books.servers.vmid_release(&mut tx, id).await.expect("the VMID is free");
        self.books.servers.reservation_release(&mut tx, id).await.expect("the room is free");
        control_plane::execute!(tx.conn(), SQL, id).expect("the pod is nowhere");
        tx.commit().await.expect("it commits");
    }

    /// Works until the job is over or stuck.
    pub async fn over(&self, id: JobId) -> Job {
        eventually("a job's end", SOON, async || {
            self.engine.dispatch().await.expect("jobs are dispatched");
            let (job, _) = self.jobs.job_get(Scope::Platform, id).await.expect("the job is there");
            (job.state.is_final() || job.state == JobState::Stuck).then_some(job)
        })
        .await
    }

    /// Works until a held command of this name is out.
    pub async fn out(&self, command: &str) {
        eventually("a held command", SOON, async || {
            self.engine.dispatch().await.expect("jobs are dispatched");
            self.agents.is_out(command).then_some(())
        })
        .await;
    }

    /// How often this was done, as the audit log has it.
    pub async fn audited(&self, action: &str) -> i64 {
        const SQL: &str = "SELECT COUNT(*) FROM audit_records WHERE action = $1";
        let mut read = self.db.read().await.expect("the database is read");
        let (count,) = control_plane::fetch_one!(read.conn(), (i64,), SQL, action).expect("rows are counted");
        count
    }

    /// How many pods hold room, addresses and VMIDs, and how many VMs there are that are no templates. All that must hold of the books has to.
    pub async fn held(&self) -> [i64; 4] {
        const SQL: &str = "SELECT (SELECT COUNT(*) FROM reservations), (SELECT COUNT(*) FROM ip_addresses),
                                  (SELECT COUNT(*) FROM vmids WHERE pod_id IS NOT NULL)";
        let mut read = self.db.read().await.expect("the database is read");
        let row = control_plane::fetch_one!(read.conn(), (i64, i64, i64), SQL).expect("rows are counted");
        drop(read);
        let mut at = self.db.snapshot().await.expect("the database is read");
        for found in [
            self.books.servers.totals_check(at.conn()).await,
            self.pods.capacity_check(at.conn()).await,
            self.pods.addresses_check(at.conn()).await,
            self.jobs.overdue_check(at.conn()).await,
        ] {
            let found = found.expect("it is looked at");
            assert!(found.is_ok(), "what must hold does not: {found:#?}");
        }
        let vms = self.agents.vms().into_iter().filter(|(_, _, vm)| !vm.template).count();
        [row.0, row.1, row.2, vms as i64]
    }
}

fn fast() -> Pace {
    Pace {
        lease: Duration::from_millis(500),
        retry_first: Duration::from_millis(2),
        retry_max: Duration::from_millis(10),
        ..Pace::default()
    }
}

/// Two jobs of a pod that are stuck: snapshots that fail, and can be undone only once the agents are healed.
pub async fn two_stuck(bench: &PodBench, pod: CloudPodId) -> [JobId; 2] {
    let mut stuck = Vec::new();
    bench.agents.fail("delete_snapshot", 99, Fail::Before, FailureKind::Permission);
    for name in ["one", "two"] {
        bench.agents.fail("take_snapshot", 1, Fail::After, FailureKind::NoSpace);
        let asked = bench.pods.snapshot_create(&actor(), Scope::Platform, pod, name, "", false).await;
        let (_, job) = asked.expect("a job");
        assert_eq!(bench.over(job.id).await.state, JobState::Stuck);
        stuck.push(job.id);
    }
    [stuck[0], stuck[1]]
}

/// Who asks in tests.
#[must_use]
pub fn actor() -> Actor {
    Actor::system("test")
}

/// What they reach: everything, and they may do all.
#[must_use]
pub fn staff() -> (Scope, Permissions) {
    (Scope::Platform, Permissions::all())
}

/// A request for a small pod.
#[must_use]
pub fn request(name: &str) -> CloudPodCreate {
    CloudPodCreate {
        name: name.into(),
        plan: "small".into(),
        image: "debian".into(),
        ssh_keys: vec![SSH_KEY.into()],
        ..CloudPodCreate::default()
    }
}

/// A VM as an inventory shows it.
#[must_use]
pub fn vm(vmid: u32, pod: Option<CloudPodId>, power: Power, template: bool) -> InventoryVm {
    InventoryVm {
        vmid,
        name: format!("vm{vmid}"),
        power,
        template,
        pod,
        command: None,
        lock: String::new(),
        vcpu: 2,
        memory_mib: 4096,
        disk_mib: 20 * 1024,
        uptime_s: 0,
        start_on_boot: !template,
        cards: None,
        firewall: None,
    }
}
