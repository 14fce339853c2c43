//! The books of servers, plans, images and addresses, on every kind of database: nothing is ever held twice.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::missing_panics_doc)]

mod addresses;
mod capacity;
mod catalogue;
mod connections;
mod records;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use control_plane::clock::{Clock, Ms};
use control_plane::db::Db;
use control_plane::domain::audit::Actor;
use control_plane::domain::jobs::Power;
use control_plane::domain::jobs::command::NotConnected;
use control_plane::domain::plans::{PlanCreate, Terms};
use control_plane::domain::servers::service::{Facts, Service as Servers};
use control_plane::domain::servers::{
    Admission, CloseReason, Heartbeat, Hello, Inventory, InventoryVm, ProbeReport, ProbeSpec, Prober, Server,
    ServerCreate, Sessions, StorageOffer, StorageSeen,
};
use control_plane::domain::{images, ipam, plans, tenants};
use control_plane::error::Error;
use control_plane::execute;
use control_plane::ids::{CloudPodId, ImageId, InstanceId, PlanId, ServerId, TenantId};
use mpanel_tests::{TestDatabase, databases, eventually};

/// Agents as the test says: what they answer to a probe, and which sessions were closed.
#[derive(Default)]
pub struct Agents {
    pub report: Mutex<Option<ProbeReport>>,
    pub asked: Mutex<Vec<ProbeSpec>>,
    pub closed: Mutex<Vec<(ServerId, CloseReason)>>,
}

#[async_trait]
impl Prober for Agents {
    async fn probe(&self, _: ServerId, spec: ProbeSpec, _: Duration) -> Result<ProbeReport, NotConnected> {
        self.asked.lock().unwrap().push(spec);
        self.report.lock().unwrap().clone().ok_or(NotConnected)
    }
}

impl Sessions for Agents {
    fn close(&self, server: ServerId, reason: CloseReason) {
        self.closed.lock().unwrap().push((server, reason));
    }
}

/// One control plane's services over a database.
pub struct Books {
    pub db: Db,
    pub clock: Clock,
    pub agents: Arc<Agents>,
    pub servers: Arc<Servers>,
    pub images: images::service::Service,
    pub plans: plans::service::Service,
    pub ipam: Arc<ipam::service::Service>,
    pub tenants: tenants::service::Service,
    pub tenant: TenantId,
    pub plan: PlanId,
    pub image: ImageId,
    pub name: &'static str,
    /// Gone with the last of its users.
    pub database: Arc<TestDatabase>,
}

pub const HEARTBEAT: Duration = Duration::from_secs(10);

pub fn actor() -> Actor {
    Actor::system("test")
}

/// Runs the test on a fresh database of each kind.
pub async fn each<F: Future<Output = ()>>(test: impl Fn(Arc<Books>) -> F) {
    for database in databases().await {
        // Shared, because an async block would take no more of it than the fields that it names.
        test(Arc::new(Books::over(Arc::new(database)).await)).await;
    }
}

impl Books {
    pub async fn over(database: Arc<TestDatabase>) -> Self {
        let clock = Clock::manual(Ms(1_800_000_000_000));
        // A busy machine may take longer to connect than a caller of the API is made to wait.
        let db =
            eventually("the database to open", Duration::from_mins(2), async || match Db::open(&database.url).await {
                Err(Error::Unavailable { .. }) => None,
                other => Some(other.unwrap()),
            })
            .await;
        let agents = Arc::new(Agents::default());
        let facts = Facts {
            agents_url: "https://cp.example.net:8443".into(),
            ca_sha256: "ab".repeat(32),
            heartbeat: HEARTBEAT,
        };
        let servers = Arc::new(Servers::new(db.clone(), clock.clone(), facts, agents.clone(), agents.clone()));
        let images = images::service::Service::new(db.clone(), clock.clone(), servers.clone());
        let plans = plans::service::Service::new(db.clone(), clock.clone());
        let tenants = tenants::service::Service::new(db.clone(), clock.clone());
        let ipam = Arc::new(ipam::service::Service::new(db.clone(), clock.clone()));
        let tenant = tenants.tenant_default_ensure().await.unwrap().id;
        let terms = Terms {
            vcpu: 1,
            memory_mib: 1024,
            disk_gib: 10,
            traffic_gib: None,
            price_minor: 500,
            currency: "EUR".into(),
        };
        let plan = if let Ok(plan) = plans.plan_show("small").await {
            plan.id
        } else {
            let input = PlanCreate { name: "small".into(), terms, active: true };
            plans.plan_create(&actor(), input).await.unwrap().id
        };
        let image = match images.image_show("debian-13").await {
            Ok(image) => image.id,
            Err(_) => images.image_create(&actor(), catalogue::image_named("debian-13")).await.unwrap().id,
        };
        Self {
            db,
            clock,
            agents,
            servers,
            images,
            plans,
            ipam,
            tenants,
            tenant,
            plan,
            image,
            name: database.name,
            database,
        }
    }

    /// A pod's row, such as the pods' own slice makes it.
    pub async fn pod(&self) -> CloudPodId {
        const SQL: &str = "INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id,
                               vcpu, memory_mib, disk_gib, placement, ssh_keys, cloud_init_user, version, created_at, updated_at)
                           VALUES ($1, $2, $3, 'requested', 'running', 'unknown', $4, $5, 1, 1024, 10, $6, $6, 'debian', 1, 0, 0)";
        let id = CloudPodId::generate();
        let empty = sqlx::types::Json(BTreeMap::<String, String>::new());
        let mut tx = self.db.begin().await.unwrap();
        let name = format!("pod-{id}");
        execute!(tx.conn(), SQL, id, self.tenant, name.as_str(), self.plan, self.image, &empty).unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A registered server whose agent has never been heard.
    pub async fn server_pending(&self, name: &str) -> Server {
        self.servers.server_create(&actor(), server_named(name)).await.unwrap().0
    }

    /// A server that is open, connected and known: 8 threads, 16 GiB, 100 GiB on `local`, a template 9000.
    pub async fn server(&self, name: &str) -> Server {
        let server = self.server_pending(name).await;
        self.connect(server.id, heartbeat(name, ""), inventory(&[])).await;
        self.servers.server_show(name).await.unwrap()
    }

    /// A session, a heartbeat and an inventory; the session's epoch.
    pub async fn connect(&self, server: ServerId, heartbeat: Heartbeat, inventory: Inventory) -> u64 {
        let epoch = self.session(server, "machine-1").await;
        self.servers.heartbeat_record(server, epoch, heartbeat).await.unwrap();
        let mut tx = self.db.begin().await.unwrap();
        assert!(self.servers.inventory_record(&mut tx, server, epoch, &inventory).await.unwrap());
        tx.commit().await.unwrap();
        epoch
    }

    pub async fn session(&self, server: ServerId, machine: &str) -> u64 {
        match self.session_ask(server, machine).await {
            Admission::Opened(epoch) => epoch,
            refused @ Admission::OtherMachine(_) => panic!("{refused:?}"),
        }
    }

    pub async fn session_ask(&self, server: ServerId, machine: &str) -> Admission {
        let hello = Hello { agent_version: "0.1.0".into(), boot_id: "boot".into(), machine_id: machine.into() };
        let mut tx = self.db.begin().await.unwrap();
        let admission = self.servers.session_open(&mut tx, server, &hello, InstanceId::generate()).await.unwrap();
        tx.commit().await.unwrap();
        admission
    }

    pub async fn again(&self, server: &Server) -> Server {
        let mut read = self.db.read().await.unwrap();
        self.servers.server_get(read.conn(), server.id).await.unwrap()
    }
}

pub fn server_named(name: &str) -> ServerCreate {
    ServerCreate {
        name: name.into(),
        region: None,
        labels: BTreeMap::new(),
        bridge: None,
        vmid_min: None,
        vmid_max: None,
        cpu_threads: None,
        cpu_overcommit: None,
        memory_mib: None,
        pod_limit: None,
        backup_storage: None,
        storages: vec![StorageOffer { name: "local".into(), disk_gib: None }],
    }
}

pub fn heartbeat(node: &str, cluster: &str) -> Heartbeat {
    Heartbeat {
        clock: Ms(0),
        cpu_load: 0.5,
        cpu_threads: 8,
        memory_total_mib: 16 * 1024,
        memory_used_mib: 1024,
        storages: vec![storage("local", false), storage("other", false)],
        pve_version: "9.1.9".into(),
        node_name: node.into(),
        cluster_name: cluster.into(),
        quorate: true,
        ..Heartbeat::default()
    }
}

pub fn storage(name: &str, shared: bool) -> StorageSeen {
    StorageSeen {
        name: name.into(),
        active: true,
        shared,
        holds_images: true,
        holds_backups: None,
        total_mib: 100 * 1024,
        used_mib: 0,
        kind: "dir".into(),
    }
}

/// A full inventory: the template 9000 and foreign VMs with these VMIDs.
pub fn inventory(vmids: &[u32]) -> Inventory {
    let template = InventoryVm { template: true, name: "debian-13".into(), ..vm(9000) };
    let vms = std::iter::once(template).chain(vmids.iter().map(|v| vm(*v))).collect();
    Inventory { full: true, vms, gone: vec![], observed: Ms(0), bridges: vec!["vmbr0".into()] }
}

pub fn vm(vmid: u32) -> InventoryVm {
    InventoryVm {
        vmid,
        name: format!("vm{vmid}"),
        power: Power::Running,
        template: false,
        pod: None,
        command: None,
        lock: String::new(),
        vcpu: 1,
        memory_mib: 512,
        disk_mib: 2048,
        uptime_s: 1,
        start_on_boot: false,
        cards: None,
        firewall: None,
    }
}

/// The fields that a refusal names.
pub fn fields(error: &Error) -> Vec<String> {
    match error {
        Error::Invalid(fields) | Error::NoCapacity(fields) | Error::NoAddresses(fields) => {
            fields.iter().map(|f| f.field.clone()).collect()
        }
        other => panic!("expected fields, got: {other}"),
    }
}

pub fn code(error: &Error) -> &'static str {
    error.code()
}
