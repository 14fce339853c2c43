//! Agents without hosts: they keep VMs in memory, do what they are ordered as a real agent would, and fail, wait or
//! repeat themselves as a test says.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use control_plane::domain::jobs::command::NotConnected;
use control_plane::domain::jobs::engine::{Engine, ResultReport};
use control_plane::domain::jobs::{AgentPort, BackupSeen, CommandFailure, CommandOutput, FailureKind, Order, Power};
use control_plane::domain::servers::query::{MigrateCheck, Querier, QueryError, Volume};
use control_plane::ids::{CloudPodId, CommandId, ServerId};
use tokio::sync::mpsc;

pub use crate::scripted_host::ScriptedVm;
use crate::scripted_host::{Host, failure};

type Outcome = Result<CommandOutput, CommandFailure>;

/// How a command is to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fail {
    /// Nothing was done.
    Before,
    /// It was done, and failed nevertheless.
    After,
}

#[derive(Default)]
struct State {
    connected: BTreeSet<ServerId>,
    host: Host,
    /// What each command brought: a repeated command repeats it.
    ledger: HashMap<CommandId, Outcome>,
    orders: Vec<Order>,
    /// By the command's name.
    failures: HashMap<String, (u32, Fail, FailureKind)>,
    held: BTreeSet<String>,
    waiting: Vec<Order>,
    twice: bool,
}

/// The agents of all servers of a test.
pub struct ScriptedAgents {
    state: Mutex<State>,
    results: mpsc::UnboundedSender<(ServerId, ResultReport)>,
}

/// What the agents have to say; [`Results::deliver`] takes it to the engine.
pub struct Results(mpsc::UnboundedReceiver<(ServerId, ResultReport)>);

impl Results {
    /// Takes every result to the engine until the agents are dropped. As a real agent's, a result that could not be stored
    /// is sent again.
    pub async fn deliver(mut self, engine: Engine) {
        while let Some((server, report)) = self.0.recv().await {
            while let Err(error) = engine.result_record(server, report.clone()).await {
                assert!(error.retryable(), "a result was refused: {error}");
                tokio::task::yield_now().await;
            }
        }
    }
}

impl ScriptedAgents {
    /// No server is connected yet.
    #[must_use]
    pub fn new() -> (Arc<Self>, Results) {
        let (results, receiver) = mpsc::unbounded_channel();
        (Arc::new(Self { state: Mutex::default(), results }), Results(receiver))
    }

    /// The agent of `server` holds a session.
    pub fn connect(&self, server: ServerId) {
        self.state().connected.insert(server);
    }

    /// It holds none.
    pub fn disconnect(&self, server: ServerId) {
        self.state().connected.remove(&server);
    }

    /// The next `times` commands of this name fail.
    pub fn fail(&self, command: &str, times: u32, when: Fail, kind: FailureKind) {
        self.state().failures.insert(command.to_owned(), (times, when, kind));
    }

    /// No command fails any more.
    pub fn heal(&self) {
        let mut state = self.state();
        state.failures.clear();
        state.host.vague = false;
    }

    /// Commands of this name take until [`ScriptedAgents::release`].
    pub fn hold(&self, command: &str) {
        self.state().held.insert(command.to_owned());
    }

    /// Ends what was held.
    pub fn release(&self, command: &str) {
        let mut state = self.state();
        state.held.remove(command);
        let (released, waiting) =
            std::mem::take(&mut state.waiting).into_iter().partition(|order| order.command.kind.name() == command);
        state.waiting = waiting;
        for order in released {
            self.run(&mut state, &order);
        }
    }

    /// Every command is done twice and every result is delivered twice.
    pub fn twice(&self, twice: bool) {
        self.state().twice = twice;
    }

    /// Destroyed VMs are gone, but no agent will say so.
    pub fn vague(&self) {
        self.state().host.vague = true;
    }

    /// What Proxmox, and those who send VMs to it, call a server's host.
    pub fn node(&self, name: &str, server: ServerId) {
        self.state().host.nodes.insert(name.to_owned(), server);
    }

    /// A device of its host is passed through to the pod's VM: it cannot be moved while it runs.
    pub fn pin(&self, pod: CloudPodId) {
        self.state().host.pinned.insert(pod);
    }

    /// There is such a VM on that server, however it came there.
    pub fn put(&self, server: ServerId, vmid: u32, vm: ScriptedVm) {
        self.state().host.vms.insert((server, vmid), vm);
    }

    /// Somebody removes a VM by hand.
    pub fn remove(&self, server: ServerId, vmid: u32) {
        self.state().host.vms.remove(&(server, vmid));
    }

    /// The orders that were sent, in order.
    #[must_use]
    pub fn sent(&self) -> Vec<Order> {
        self.state().orders.clone()
    }

    /// Somebody makes a VM by hand.
    pub fn foreign_vm(&self, server: ServerId, vmid: u32) {
        let vm = ScriptedVm { power: Power::Running, ..ScriptedVm::new(None, "theirs") };
        self.state().host.vms.insert((server, vmid), vm);
    }

    /// Somebody changes a pod's VM by hand.
    pub fn vm_change(&self, pod: CloudPodId, change: impl FnOnce(&mut ScriptedVm)) {
        let mut state = self.state();
        let vm = state.host.vms.values_mut().find(|vm| vm.pod == Some(pod));
        change(vm.expect("the pod has a VM"));
    }

    /// All backups, wherever they lie.
    #[must_use]
    pub fn backups(&self) -> Vec<BackupSeen> {
        self.state().host.backups.values().cloned().collect()
    }

    /// Somebody changes what lies on the storages.
    pub fn backups_change(&self, change: impl FnOnce(&mut BTreeMap<String, BackupSeen>)) {
        change(&mut self.state().host.backups);
    }

    /// A server does not have this CD image.
    pub fn iso_away(&self, server: ServerId, iso: &str) {
        self.state().host.isos_away.insert((server, iso.to_owned()));
    }

    /// Somebody moves a VM by hand, or gives it another number.
    pub fn vm_move(&self, from: (ServerId, u32), to: (ServerId, u32)) {
        let mut state = self.state();
        let vm = state.host.vms.remove(&from).expect("there is such a VM");
        state.host.vms.insert(to, vm);
    }

    /// Somebody makes a second VM with the stamp of a pod.
    pub fn vm_copy(&self, server: ServerId, vmid: u32, pod: CloudPodId) {
        self.state().host.vms.insert((server, vmid), ScriptedVm::new(Some(pod), "copy"));
    }

    /// Somebody removes a VM by hand.
    pub fn vm_remove(&self, server: ServerId, vmid: u32) {
        self.state().host.vms.remove(&(server, vmid));
    }

    /// Every VM there is, ours or not.
    #[must_use]
    pub fn vms_all(&self) -> Vec<(ServerId, u32, ScriptedVm)> {
        let state = self.state();
        state.host.vms.iter().map(|((server, vmid), vm)| (*server, *vmid, vm.clone())).collect()
    }

    /// The VMs of pods.
    #[must_use]
    pub fn vms(&self) -> Vec<(ServerId, u32, ScriptedVm)> {
        let state = self.state();
        let ours = state.host.vms.iter().filter(|(_, vm)| vm.pod.is_some());
        ours.map(|((server, vmid), vm)| (*server, *vmid, vm.clone())).collect()
    }

    /// The names of the commands that were sent, in order.
    #[must_use]
    pub fn orders(&self) -> Vec<&'static str> {
        self.state().orders.iter().map(|order| order.command.kind.name()).collect()
    }

    /// Whether a held command of this name is out.
    #[must_use]
    pub fn is_out(&self, command: &str) -> bool {
        self.state().waiting.iter().any(|order| order.command.kind.name() == command)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test thread panicked with it")
    }

    fn run(&self, state: &mut State, order: &Order) {
        let known = state.ledger.get(&order.id).cloned();
        let outcome = known.unwrap_or_else(|| outcome(state, order));
        state.ledger.insert(order.id, outcome.clone());
        self.report(state, order, &outcome);
    }

    fn report(&self, state: &State, order: &Order, outcome: &Outcome) {
        let report = ResultReport {
            command: order.id,
            epoch: order.epoch,
            outcome: outcome.clone(),
            log: vec![format!("{} of VM {}", order.command.kind.name(), order.command.vmid)],
        };
        for _ in 0..if state.twice { 2 } else { 1 } {
            // Nobody listens any more once a test is over.
            let _ = self.results.send((order.command.server, report.clone()));
        }
    }
}

impl AgentPort for ScriptedAgents {
    fn send(&self, order: Order) -> Result<(), NotConnected> {
        let mut state = self.state();
        if !state.connected.contains(&order.command.server) {
            return Err(NotConnected);
        }
        state.orders.push(order.clone());
        if state.held.contains(order.command.kind.name()) {
            state.waiting.push(order);
        } else {
            self.run(&mut state, &order);
        }
        Ok(())
    }

    fn cancel(&self, server: ServerId, command: CommandId, _epoch: u64) -> Result<(), NotConnected> {
        let mut state = self.state();
        if !state.connected.contains(&server) {
            return Err(NotConnected);
        }
        let aborted: Vec<_> = state.waiting.extract_if(.., |order| order.id == command).collect();
        for order in aborted {
            let outcome = Err(failure(FailureKind::Cancelled, "aborted on request"));
            state.ledger.insert(order.id, outcome.clone());
            self.report(&state, &order, &outcome);
        }
        Ok(())
    }

    fn connected(&self) -> Vec<ServerId> {
        self.state().connected.iter().copied().collect()
    }
}

#[async_trait]
impl Querier for ScriptedAgents {
    async fn migrate_checks(
        &self,
        server: ServerId,
        vmids: Vec<u32>,
        _within: Duration,
    ) -> Result<Vec<MigrateCheck>, QueryError> {
        let state = self.state();
        if !state.connected.contains(&server) {
            return Err(QueryError::NotConnected);
        }
        let check = |vmid: u32| {
            let Some(vm) = state.host.vms.get(&(server, vmid)) else {
                let error = format!("there is no VM {vmid} here");
                return MigrateCheck { vmid, error, ..MigrateCheck::default() };
            };
            let pinned = vm.pod.is_some_and(|pod| state.host.pinned.contains(&pod));
            MigrateCheck {
                vmid,
                blockers: if pinned { vec!["hostpci0: a passed-through device".to_owned()] } else { Vec::new() },
                local_disk_mib: vm.disk_gib << 10,
                running: vm.power == Power::Running,
                ..MigrateCheck::default()
            }
        };
        Ok(vmids.into_iter().map(check).collect())
    }

    async fn storage_content(
        &self,
        _server: ServerId,
        _storage: &str,
        _content: &str,
        _within: Duration,
    ) -> Result<Vec<Volume>, QueryError> {
        Ok(Vec::new())
    }
}

fn outcome(state: &mut State, order: &Order) -> Outcome {
    let scripted = match state.failures.get_mut(order.command.kind.name()) {
        Some((times, when, kind)) if *times > 0 => {
            *times -= 1;
            Some((*when, *kind))
        }
        _ => None,
    };
    match scripted {
        Some((Fail::Before, kind)) => return Err(failure(kind, "scripted: nothing was done")),
        Some((Fail::After, kind)) => {
            state.host.obey(order)?;
            return Err(failure(kind, "scripted: it was done"));
        }
        None => {}
    }
    if state.twice {
        state.host.obey(order)?;
    }
    state.host.obey(order)
}
