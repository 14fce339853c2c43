//! What one simulated server is made of, and what a request handler gets.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::{Identity, Rights};
use crate::codec::RawParams;
use crate::config::{Flavour, SimConfig, Timings};
use crate::error::{ApiError, ApiResult};
use crate::faults::Faults;
use crate::locks::VmLocks;
use crate::state::{Cluster, Node, Vm};
use crate::store::{Store, StoreError};
use crate::vm::console::Consoles;
use crate::vm::tunnel::Tunnels;

/// One simulated server.
pub(crate) struct App {
    pub(crate) config: SimConfig,
    /// Each node's certificate as PEM, and its fingerprint.
    certificates: BTreeMap<String, (String, String)>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) locks: VmLocks,
    pub(crate) workers: Mutex<HashMap<String, CancellationToken>>,
    pub(crate) consoles: Consoles,
    pub(crate) tunnels: Tunnels,
    /// Each node does one backup job at a time.
    dumps: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    pub(crate) tracker: TaskTracker,
    /// Cancelled when the server stops; workers then end as if they were killed.
    pub(crate) stop: CancellationToken,
    /// Grows whenever a task ends.
    pub(crate) task_ended: watch::Sender<u64>,
    state: Mutex<Cluster>,
    generation: AtomicU64,
    store: Option<Store>,
}

impl App {
    pub(crate) fn new(
        config: SimConfig,
        cluster: Cluster,
        store: Option<Store>,
        certificates: BTreeMap<String, (String, String)>,
    ) -> Self {
        Self {
            config,
            certificates,
            faults: Arc::default(),
            locks: VmLocks::default(),
            workers: Mutex::default(),
            consoles: Consoles::default(),
            tunnels: Tunnels::default(),
            dumps: Mutex::default(),
            tracker: TaskTracker::new(),
            stop: CancellationToken::new(),
            task_ended: watch::Sender::new(0),
            state: Mutex::new(cluster),
            generation: AtomicU64::new(1),
            store,
        }
    }

    pub(crate) fn timings(&self) -> &Timings {
        &self.config.timings
    }

    pub(crate) fn flavour(&self) -> Flavour {
        self.config.flavour
    }

    /// SHA-256 of a node's certificate as `AB:CD:…`; empty for one that is not simulated.
    pub(crate) fn fingerprint(&self, node: &str) -> &str {
        self.certificates.get(node).map_or("", |(_, fingerprint)| fingerprint)
    }

    /// A node's certificate as PEM, likewise.
    pub(crate) fn certificate_pem(&self, node: &str) -> &str {
        self.certificates.get(node).map_or("", |(pem, _)| pem)
    }

    /// What a node's backup job holds.
    pub(crate) fn dump_lock(&self, node: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut dumps = self.dumps.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(dumps.entry(node.to_owned()).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Cluster> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the state.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Cluster) -> T) -> T {
        read(&self.lock())
    }

    /// Changes the state; [`App::persist`] puts it on disk.
    pub(crate) fn write<T>(&self, write: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut cluster = self.lock();
        self.generation.fetch_add(1, Ordering::SeqCst);
        write(&mut cluster)
    }

    /// Puts every change so far into the state directory. Short and synchronous: the file is small.
    pub(crate) fn persist(&self) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        store.save(self.generation.load(Ordering::SeqCst), || {
            let cluster = self.lock();
            // Strings as keys throughout: this cannot fail, and if it did the old snapshot would be kept whole.
            let bytes = serde_json::to_vec(&*cluster).unwrap_or_default();
            (self.generation.load(Ordering::SeqCst), bytes)
        })
    }

    /// [`App::persist`] where there is nobody to tell but the log.
    pub(crate) fn persist_or_log(&self) {
        if let Err(err) = self.persist() {
            tracing::error!(%err, "the state could not be saved");
        }
    }
}

/// A request on its way through a handler.
#[derive(Clone)]
pub(crate) struct Ctx {
    pub(crate) app: Arc<App>,
    pub(crate) who: Identity,
    /// The node of the path, or the one that answers.
    pub(crate) node: String,
    /// The node that answers.
    pub(crate) local: String,
    pub(crate) params: RawParams,
}

impl Ctx {
    /// Reads the state.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Cluster) -> T) -> T {
        self.app.read(read)
    }

    /// Asks about rights.
    pub(crate) fn rights<T>(&self, ask: impl FnOnce(&Rights<'_>) -> T) -> T {
        self.app.read(|cluster| ask(&Rights { cluster, flavour: self.app.flavour(), who: &self.who }))
    }

    /// 403 unless the privilege is held.
    pub(crate) fn require(&self, path: &str, privilege: &str) -> ApiResult<()> {
        self.rights(|rights| rights.require(path, privilege))
    }

    /// 403 unless one of the privileges is held.
    pub(crate) fn require_any(&self, path: &str, privileges: &[&str]) -> ApiResult<()> {
        self.rights(|rights| rights.require_any(path, privileges))
    }

    /// Reads this node's VM; 500 when there is none.
    pub(crate) fn vm<T>(&self, vmid: u32, read: impl FnOnce(&Vm) -> T) -> ApiResult<T> {
        let found = self.read(|cluster| node_vm(cluster, &self.node, vmid).map(read));
        found.ok_or_else(|| ApiError::internal(no_config(&self.node, vmid)))
    }

    pub(crate) fn node_state<T>(&self, read: impl FnOnce(&Node) -> T) -> ApiResult<T> {
        let found = self.read(|cluster| cluster.nodes.get(&self.node).map(read));
        found.ok_or_else(|| ApiError::internal(format!("no such cluster node '{}'", self.node)))
    }
}

pub(crate) fn node_vm<'a>(cluster: &'a Cluster, node: &str, vmid: u32) -> Option<&'a Vm> {
    cluster.nodes.get(node)?.vms.get(&vmid)
}

/// What the API says of a VM that is not there.
pub(crate) fn no_config(node: &str, vmid: u32) -> String {
    format!("Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist")
}
