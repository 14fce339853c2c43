//! A Proxmox VE to test against: simulated, or a real one named by the environment; and what is made there is removed again.
//!
//! | variable | meaning |
//! |---|---|
//! | `MPANEL_CONFORMANCE_URL` | `https://host:8006`; unset: a simulated server in this process |
//! | `MPANEL_CONFORMANCE_TOKEN` | `user@realm!id=secret` |
//! | `MPANEL_CONFORMANCE_NODE` | the node's name |
//! | `MPANEL_CONFORMANCE_FINGERPRINT`, `_CA` | SHA-256 of its certificate, or a PEM file; without either, whatever is shown is pinned |
//! | `MPANEL_CONFORMANCE_STORAGE`, `_BRIDGE`, `_TEMPLATE` | `local`, `vmbr0`, `9000` |
//! | `MPANEL_CONFORMANCE_BACKUP_STORAGE` | where backups go; unset: the storage above |
//! | `MPANEL_CONFORMANCE_STRICT` | `1`: what could not be looked at (a CD without an ISO image, a terminal without a serial port) fails its case |
//! | `MPANEL_CONFORMANCE_VMID_MIN`, `_VMID_MAX` | `899000`, `899999`: the numbers it may use |

use std::env;
use std::fs::File;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use node_agent::proxmox::{
    Backup, Begun, CloneSpec, ErrorKind, Hypervisor, Look, Operation, Outcome, Power, Presence, Progress, Pve,
    PveConfig, PveError, Request, Target, TaskEnd, Trust, Upid, VmState, Watch, fetch_fingerprint,
};
use pve_sim::{Flavour, Sim, SimConfig, Timings};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use url::Url;
use uuid::Uuid;

/// How many VMIDs one case may use.
const CASE_VMIDS: u32 = 8;
/// The longest that one operation may take: a real server without KVM is slow.
const OPERATION_MAX: Duration = Duration::from_mins(3);
/// How long a clone's lock may outlive the task that was stopped.
const UNLOCK_MAX: Duration = Duration::from_mins(1);
/// How many cases may load one real server at once.
const REAL_CASES_AT_ONCE: u32 = 2;

/// One case's Proxmox VE.
pub struct Rig {
    /// The hypervisor under test.
    pub pve: Arc<Pve>,
    /// How it is reached.
    pub config: PveConfig,
    /// The simulated server; `None` on a real one.
    pub sim: Option<Sim>,
    /// A template VM.
    pub template: u32,
    /// A storage that holds VM disks.
    pub storage: String,
    /// A storage that holds backups.
    pub backup_storage: String,
    /// A bridge.
    pub bridge: String,
    first: u32,
    used: AtomicU32,
    made: Mutex<Vec<Target>>,
}

/// What became of an operation.
#[derive(Debug)]
pub struct Done {
    /// The VM after it.
    pub state: VmState,
    /// All that is told after it.
    pub outcome: Outcome,
    /// The tasks that ended well; empty: there was nothing to do.
    pub tasks: Vec<Upid>,
    /// What they told on their way.
    pub progress: Vec<Progress>,
    /// How the last one ended.
    pub end: TaskEnd,
}

fn setting(name: &str) -> Option<String> {
    env::var(format!("MPANEL_CONFORMANCE_{name}")).ok().filter(|value| !value.trim().is_empty())
}

fn number(name: &str, otherwise: u32) -> u32 {
    setting(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|e| panic!("MPANEL_CONFORMANCE_{name}={text}: {e}")))
}

/// Whether the cases run against a real server.
pub fn is_real() -> bool {
    setting("URL").is_some()
}

/// A part of a case cannot be looked at on this server: told, or, where everything has to be looked at, a failure.
pub fn unseen(what: &str) {
    assert!(setting("STRICT").is_none_or(|strict| strict == "0"), "MPANEL_CONFORMANCE_STRICT is set, and {what}");
    eprintln!("warning: {what}");
}

/// How long a case waits for what must come: a real server may be a slow one without KVM.
pub fn patience() -> Duration {
    Duration::from_secs(if is_real() { 180 } else { 30 })
}

/// One of the few places at a real server. A file's lock, as each case may be a process of its own; it ends with the file.
async fn place(index: u32) -> File {
    let path = env::temp_dir().join(format!("mpanel-conformance-{}.lock", index % REAL_CASES_AT_ONCE));
    let locked = tokio::task::spawn_blocking(move || {
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.unwrap_or_else(|e| panic!("{} cannot be opened: {e}", path.display()));
        file.lock().unwrap_or_else(|e| panic!("{} cannot be locked: {e}", path.display()));
        file
    });
    locked.await.expect("a place at the server")
}

/// The simulated server's configuration, for suites that change it: template 9000, storage `local`, bridge `vmbr0`.
pub fn sim_config() -> SimConfig {
    SimConfig { timings: Timings::fast(), ..SimConfig::default() }
}

/// Runs one case: sets up its server (each simulated release in turn, or the real one), and removes what it made, also when it fails.
pub async fn run<F: Future<Output = ()>>(index: u32, case: impl Fn(Arc<Rig>) -> F) {
    if is_real() {
        let _place = place(index).await;
        return conclude(Arc::new(Rig::real(index).await), &case).await;
    }
    for flavour in [Flavour::V8_4, Flavour::V9_1] {
        let sim = SimConfig { flavour, ..sim_config() };
        conclude(Arc::new(Rig::simulated(sim, index).await), &case).await;
    }
}

/// The same, always against a simulated server, set up as told.
pub async fn run_simulated<F: Future<Output = ()>>(sim: SimConfig, case: impl FnOnce(Arc<Rig>) -> F) {
    conclude(Arc::new(Rig::simulated(sim, 0).await), case).await;
}

async fn conclude<F: Future<Output = ()>>(rig: Arc<Rig>, case: impl FnOnce(Arc<Rig>) -> F) {
    let outcome = AssertUnwindSafe(case(rig.clone())).catch_unwind().await;
    let cleaned = AssertUnwindSafe(rig.clean()).catch_unwind().await;
    if let Some(sim) = Arc::into_inner(rig).and_then(|rig| rig.sim) {
        sim.stop().await;
    }
    for outcome in [outcome, cleaned] {
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
    }
}

impl Rig {
    async fn simulated(sim: SimConfig, index: u32) -> Self {
        let sim = Sim::start(sim).await.expect("the simulated server starts");
        let url = Url::parse(&sim.url()).expect("the simulated server's URL");
        let fingerprint = sim.fingerprint().parse().expect("the simulated server's fingerprint");
        let mut config = PveConfig::new(url, sim.token().parse().expect("a token"), Trust::Fingerprint(fingerprint));
        config.node = Some(sim.node().to_owned());
        Self::new(config, Some(sim), index)
    }

    async fn real(index: u32) -> Self {
        let url = setting("URL").expect("MPANEL_CONFORMANCE_URL is set");
        let url = Url::parse(&url).unwrap_or_else(|e| panic!("MPANEL_CONFORMANCE_URL={url}: {e}"));
        let token = setting("TOKEN").expect("MPANEL_CONFORMANCE_TOKEN is missing: user@realm!id=secret");
        let trust = match (setting("FINGERPRINT"), setting("CA")) {
            (Some(fingerprint), _) => Trust::Fingerprint(fingerprint.parse().expect("MPANEL_CONFORMANCE_FINGERPRINT")),
            (None, Some(ca)) => Trust::CaFile(ca.into()),
            (None, None) => {
                let found =
                    fetch_fingerprint(&url, Duration::from_secs(10)).await.expect("a certificate of the server");
                eprintln!(
                    "warning: trusting the certificate {found} of {url} unseen; set MPANEL_CONFORMANCE_FINGERPRINT to pin it"
                );
                Trust::Fingerprint(found)
            }
        };
        let mut config = PveConfig::new(url, token.parse().expect("MPANEL_CONFORMANCE_TOKEN"), trust);
        config.node = setting("NODE");
        let rig = Self::new(config, None, index);
        for target in (0..CASE_VMIDS).map(|offset| Self::target_at(rig.first + offset)) {
            // What an earlier run that was killed left behind: known by its pod id, which is made of the VMID.
            rig.remove(target).await;
        }
        rig
    }

    fn new(config: PveConfig, sim: Option<Sim>, index: u32) -> Self {
        let (min, max) = (number("VMID_MIN", 899_000), number("VMID_MAX", 899_999));
        let first = min + index * CASE_VMIDS;
        assert!(
            first + CASE_VMIDS - 1 <= max,
            "the range of VMIDs {min}-{max} is too small: {} are needed",
            first + CASE_VMIDS - min
        );
        Self {
            pve: Arc::new(Pve::new(&config).expect("a usable configuration")),
            config,
            sim,
            template: number("TEMPLATE", 9000),
            backup_storage: setting("BACKUP_STORAGE")
                .or_else(|| setting("STORAGE"))
                .unwrap_or_else(|| "local".to_owned()),
            storage: setting("STORAGE").unwrap_or_else(|| "local".to_owned()),
            bridge: setting("BRIDGE").unwrap_or_else(|| "vmbr0".to_owned()),
            first,
            used: AtomicU32::new(0),
            made: Mutex::default(),
        }
    }

    /// The simulated server.
    pub fn sim(&self) -> &Sim {
        self.sim.as_ref().expect("a simulated server")
    }

    /// Another hypervisor of the same server, with something about it changed.
    pub fn other(&self, change: impl FnOnce(&mut PveConfig)) -> Pve {
        let mut config = self.config.clone();
        change(&mut config);
        Pve::new(&config).expect("a usable configuration")
    }

    fn target_at(vmid: u32) -> Target {
        Target { vmid, pod_id: Uuid::from_u128(0x6d70_616e_656c_4c0f_9f00_0000_0000_0000 | u128::from(vmid)) }
    }

    /// A VMID of this case that is used by nothing, with a pod of its own. Whatever bears that pod's stamp there is removed in the end.
    pub async fn target(&self) -> Target {
        loop {
            let offset = self.used.fetch_add(1, Ordering::Relaxed);
            assert!(offset < CASE_VMIDS, "no VMID from {} to {} is free", self.first, self.first + CASE_VMIDS - 1);
            let target = Self::target_at(self.first + offset);
            if self.pve.inspect(target.vmid).await.expect("a look at a VMID").presence == Presence::Absent {
                self.made.lock().unwrap_or_else(PoisonError::into_inner).push(target);
                return target;
            }
        }
    }

    /// Leaves this one alone at the end: it cannot be removed by a token.
    pub fn forget(&self, target: Target) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).retain(|made| *made != target);
    }

    /// The same VMID as another pod would claim it.
    pub fn rival(&self, target: Target) -> Target {
        let rival = Target { vmid: target.vmid, pod_id: Uuid::from_u128(target.pod_id.as_u128() ^ (1 << 40)) };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(rival);
        rival
    }

    /// A clone of the template.
    pub fn clone_of_template(&self, target: Target, full: bool) -> Operation {
        Operation::Clone(CloneSpec {
            template_vmid: self.template,
            name: format!("mpanel-test-{}", target.vmid),
            full,
            storage: full.then(|| self.storage.clone()),
            pool: None,
        })
    }

    /// A VM of this case, a linked clone of the template.
    pub async fn vm(&self) -> Target {
        let target = self.target().await;
        self.drive(target, self.clone_of_template(target, false)).await.expect("a clone of the template");
        target
    }

    /// A request of this pod.
    pub fn request(target: Target, operation: Operation) -> Request {
        Request { target, command_id: Uuid::now_v7(), operation }
    }

    /// Holds a running VM's processors, as somebody does in Proxmox's own console.
    pub async fn pause(&self, target: Target) {
        let PveConfig { url, node, token, .. } = &self.config;
        let node = node.as_deref().expect("the node's name is known");
        let path = format!("/api2/json/nodes/{node}/qemu/{}/status/suspend", target.vmid);
        // Unless another client of this process has chosen it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().danger_accept_invalid_certs(true).build().expect("a client");
        let call = client.post(url.join(&path).expect("a path"));
        let call = call.header("Authorization", format!("PVEAPIToken={}={}", token.id, token.secret.reveal()));
        let answer = call.send().await.expect("Proxmox answers");
        assert!(answer.status().is_success(), "the VM is not paused: {}", answer.status());
        let cancel = CancellationToken::new();
        let paused = self.pve.wait_power(target, Power::Paused, watch(patience(), &cancel, &|_| {})).await;
        paused.unwrap_or_else(|error| panic!("the VM is not paused: {error}"));
    }

    /// Does an operation from begin to end as the agent does, trying again while the VM is locked.
    pub async fn drive(&self, target: Target, operation: Operation) -> Result<Done, PveError> {
        drive(&*self.pve, target, operation).await
    }

    async fn clean(&self) {
        if let Some(sim) = &self.sim {
            sim.faults().clear();
        }
        let made: Vec<Target> = self.made.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect();
        for target in made {
            self.remove(target).await;
        }
    }

    /// Removes the pod's VM, if there is one. What a killed clone left is told and left: only root on the host can remove it.
    async fn remove(&self, target: Target) {
        let vmid = target.vmid;
        self.remove_backups(target).await;
        let is_mine = |state: &VmState| state.stamp.is_some_and(|stamp| stamp.pod_id == target.pod_id);
        let look = async || self.pve.inspect(vmid).await;
        let mut state = look().await.unwrap_or_else(|error| panic!("VM {vmid} could not be looked at: {error}"));
        if is_mine(&state) && state.lock.is_some() {
            state = self.once_unlocked(vmid).await.unwrap_or_else(|error| panic!("VM {vmid}: {error}"));
        }
        if !is_mine(&state) {
            return;
        }
        if state.lock.as_deref() == Some("clone") {
            eprintln!(
                "warning: VM {vmid} is left of a killed clone; remove it with: qm destroy {vmid} --skiplock --purge"
            );
            return;
        }
        let removed = self.drive(target, Operation::Destroy).await;
        let removed = removed.unwrap_or_else(|error| panic!("VM {vmid} could not be removed: {error}"));
        assert_eq!(removed.state.presence, Presence::Absent, "VM {vmid} was left behind");
    }

    async fn remove_backups(&self, target: Target) {
        let look = Look::Backups { storage: self.backup_storage.clone() };
        let Ok(found) = self.pve.look(target, &look).await else { return };
        for Backup { volid, .. } in found.backups {
            let removed = self.drive(target, Operation::DeleteBackup { volid: volid.clone() }).await;
            removed.unwrap_or_else(|error| panic!("the backup {volid} could not be removed: {error}"));
        }
    }

    /// The VM as soon as no clone locks it, or as it is after a minute.
    pub async fn once_unlocked(&self, vmid: u32) -> Result<VmState, PveError> {
        let give_up = Instant::now() + UNLOCK_MAX;
        loop {
            let state = self.pve.inspect(vmid).await?;
            if state.lock.as_deref() != Some("clone") || Instant::now() >= give_up {
                return Ok(state);
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Waits this long, or until this token is cancelled.
pub fn watch<'a>(
    limit: Duration,
    cancel: &CancellationToken,
    progress: &'a (dyn Fn(Progress) + Send + Sync),
) -> Watch<'a> {
    Watch { deadline: Instant::now() + limit, cancel: cancel.clone(), progress }
}

/// Does an operation from begin to end as the agent does, trying again while the VM is locked.
pub async fn drive(pve: &dyn Hypervisor, target: Target, operation: Operation) -> Result<Done, PveError> {
    drive_request(pve, &Rig::request(target, operation)).await
}

/// The same for a command that may have been tried before.
pub async fn drive_request(pve: &dyn Hypervisor, request: &Request) -> Result<Done, PveError> {
    let give_up = Instant::now() + OPERATION_MAX;
    let told = Mutex::new(Vec::new());
    let note = |progress| told.lock().unwrap_or_else(PoisonError::into_inner).push(progress);
    let (mut tasks, mut end) = (Vec::new(), TaskEnd::default());
    loop {
        match drive_once(pve, request, &mut tasks, &note).await {
            Ok(last) => {
                end = last.unwrap_or(end);
                break;
            }
            Err(error) if error.kind == ErrorKind::Locked && Instant::now() < give_up => {
                sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(error),
        }
    }
    let outcome = pve.outcome(request).await?;
    let progress = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Done { state: outcome.state.clone(), outcome, tasks, progress, end })
}

async fn drive_once(
    pve: &dyn Hypervisor,
    request: &Request,
    tasks: &mut Vec<Upid>,
    note: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Option<TaskEnd>, PveError> {
    let mut end = None;
    loop {
        let (upid, is_last) = match pve.begin(request).await? {
            Begun::Done => return Ok(end),
            Begun::Task(upid) => (upid, true),
            Begun::Step(upid) => (upid, false),
        };
        end = Some(pve.follow(request, &upid, watch(OPERATION_MAX, &CancellationToken::new(), note)).await?);
        // A try that met a lock is none of what was done.
        tasks.push(upid);
        if is_last {
            return Ok(end);
        }
    }
}
