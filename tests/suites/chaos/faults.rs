//! What is thrown at the fleet. What lasts for a while is mended by the run itself, when its time has come.

use std::time::{Duration, Instant};

use mpanel_tests::app::try_send;
use mpanel_tests::eventually;
use mpanel_tests::several::Several;
use pve_sim::{Action, Fault, TaskAction, TaskFault};
use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, Executor as _};

use super::{Chaos, HOSTS, REST};

/// Ends every second connection to the database but its own.
const END_CONNECTIONS: &str = "
    SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5";
/// What is free again on a storage that was full.
const ROOM: u64 = 200 << 30;

/// What is broken for a while.
pub(super) struct Broken {
    until: Instant,
    what: Lasting,
}

enum Lasting {
    AgentFrozen(usize),
    PlaneFrozen(usize),
    /// No agent reaches this control plane.
    LinkCut(usize),
    StorageFull(usize),
    NodeUnreachable(usize),
    Locked(u32),
    /// Another process writes to the SQLite file.
    DatabaseLocked(sqlx::SqliteConnection),
    Draining(usize),
}

/// As its unit does: a control plane whose start failed, for its database was locked, is started again.
fn started_again(several: &mut Several, plane: usize) {
    if several.daemon(plane).is_over().is_some_and(|status| !status.success()) {
        several.plane_start(plane, &[]);
    }
}

impl Chaos {
    /// One fault.
    pub(super) async fn break_something(&mut self) {
        let host = self.random.usize(..HOSTS);
        let plane = self.random.usize(..self.several.planes.len());
        let kind = match self.random.u8(..100) {
            0..12 => self.agent_dies(host).await,
            12..20 => self.plane_dies(plane).await,
            20..27 => self.agent_freezes(host),
            27..32 => self.plane_freezes(plane),
            32..40 => self.link_breaks(plane),
            40..60 => self.proxmox_errs(host),
            60..72 => self.a_task_fails(),
            72..78 => self.a_hand_meddles(),
            78..83 => self.storage_fills(host),
            83..86 => self.node_is_gone(host),
            86..92 => self.database_fails().await,
            _ => self.somebody_drains(host).await,
        };
        *self.faults.entry(kind).or_default() += 1;
    }

    fn plane_is_frozen(&self, plane: usize) -> bool {
        self.broken.iter().any(|broken| matches!(broken.what, Lasting::PlaneFrozen(n) if n == plane))
    }

    /// Mends what was broken for long enough, or everything.
    pub(super) async fn mend(&mut self, everything: bool) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.broken).into_iter().partition(|b| everything || b.until <= now);
        self.broken = later;
        let due: Vec<Broken> = due;
        for Broken { what, until: _ } in due {
            self.mend_one(what).await;
        }
        for plane in 0..self.several.planes.len() {
            started_again(&mut self.several, plane);
        }
    }

    async fn mend_one(&mut self, what: Lasting) {
        let hosts = &self.several.fleet.hosts;
        match what {
            Lasting::AgentFrozen(host) => hosts[host].agent.signal("CONT"),
            Lasting::PlaneFrozen(plane) => {
                self.several.daemon(plane).signal("CONT");
                self.several.plane_back(plane);
            }
            Lasting::LinkCut(plane) => self.several.grpc.back(plane),
            Lasting::StorageFull(host) => {
                let host = &hosts[host];
                assert!(host.sim.hand().leave_free_on(&host.name, "local", ROOM), "there is such a storage");
            }
            Lasting::NodeUnreachable(host) => {
                let host = &hosts[host];
                assert!(host.sim.hand().unreachable(&host.name, false), "there is such a node");
            }
            // It may be gone by now.
            Lasting::Locked(vmid) => _ = hosts[0].sim.hand().lock_vm(vmid, None),
            Lasting::DatabaseLocked(mut connection) => {
                connection.execute("ROLLBACK").await.expect("the lock is given back");
            }
            Lasting::Draining(host) => {
                let path = format!("/api/platform/servers/{}", hosts[host].name);
                self.send(Method::DELETE, &format!("{path}/drain"), json!({})).await;
                self.send(Method::POST, &format!("{path}/status"), json!({"status": "online"})).await;
            }
        }
    }

    fn lasts(&mut self, what: Lasting) {
        // Now and then longer than a lease.
        let until = Instant::now() + Duration::from_millis(self.random.u64(100..5000));
        self.broken.push(Broken { until, what });
    }

    async fn agent_dies(&mut self, host: usize) -> &'static str {
        let host = &mut self.several.fleet.hosts[host];
        host.agent.kill().await;
        host.agent_start(&[]);
        "agent killed"
    }

    async fn plane_dies(&mut self, plane: usize) -> &'static str {
        if self.plane_is_frozen(plane) || self.random.bool() {
            self.several.daemon(plane).kill().await;
        } else {
            self.several.daemon(plane).stop(REST).await;
        }
        self.several.plane_start(plane, &[]);
        "control plane ended"
    }

    fn agent_freezes(&mut self, host: usize) -> &'static str {
        self.several.fleet.hosts[host].agent.signal("STOP");
        self.lasts(Lasting::AgentFrozen(host));
        "agent frozen"
    }

    fn plane_freezes(&mut self, plane: usize) -> &'static str {
        self.several.daemon(plane).signal("STOP");
        self.several.plane_out(plane);
        self.lasts(Lasting::PlaneFrozen(plane));
        "control plane frozen"
    }

    fn link_breaks(&mut self, plane: usize) -> &'static str {
        match self.random.u8(..3) {
            0 => self.several.http.cut(plane),
            1 => self.several.grpc.cut(plane),
            _ => {
                self.several.grpc.out(plane);
                self.lasts(Lasting::LinkCut(plane));
            }
        }
        "link cut"
    }

    fn proxmox_errs(&mut self, host: usize) -> &'static str {
        let status = |status, reason: &str| Action::Status { status, reason: reason.to_owned() };
        let (kind, action) = match self.random.u8(..9) {
            0 => ("Proxmox: 500", status(500, "got no worker upid")),
            1 => ("Proxmox: 595", status(595, "Connection refused")),
            2 => ("Proxmox: 596", status(596, "Broken pipe")),
            3 => ("Proxmox: closes", Action::Close),
            4 => ("Proxmox: answer lost", Action::LoseAnswer),
            5 => ("Proxmox: closes mid-body", Action::CloseMidBody),
            6 => ("Proxmox: HTML", Action::Html { status: 502 }),
            7 => ("Proxmox: garbage", Action::Garbage),
            _ => ("Proxmox: slow", Action::Delay { ms: self.random.u64(50..1500) }),
        };
        let host = &self.several.fleet.hosts[host];
        let path = ["/nodes/NODE/qemu/*", "/nodes/NODE/qemu", "/nodes/NODE/tasks/*", "*"][self.random.usize(..4)];
        let path = path.replace("NODE", &host.name);
        let (skip, times) = (self.random.u32(..5), Some(self.random.u32(1..8)));
        host.sim.faults().add(Fault { method: None, path, skip, times, action });
        kind
    }

    fn a_task_fails(&mut self) -> &'static str {
        let (kind, action) = match self.random.u8(..4) {
            0 => (
                "task: failed",
                TaskAction::Fail { exit: "unable to do it".to_owned(), log: vec!["why not".to_owned()] },
            ),
            1 => ("task: vanished", TaskAction::Vanish),
            2 => ("task: warnings", TaskAction::Warnings { count: 1 }),
            _ => ("task: slow", TaskAction::Slow { ms: self.random.u64(500..3000) }),
        };
        let fault = TaskFault { kind: "*".to_owned(), id: None, skip: self.random.u32(..3), times: Some(1), action };
        self.several.fleet.hosts[0].sim.faults().add_task(fault);
        kind
    }

    fn a_hand_meddles(&mut self) -> &'static str {
        let hand = self.several.fleet.hosts[0].sim.hand();
        let vms: Vec<u32> = hand.vms().into_iter().filter(|vm| !vm.template).map(|vm| vm.vmid).collect();
        if vms.is_empty() {
            return "nothing to meddle with";
        }
        let vmid = vms[self.random.usize(..vms.len())];
        match self.random.u8(..3) {
            0 => _ = hand.stop_vm(vmid),
            1 => _ = hand.rename_vm(vmid, "by-hand"),
            _ => {
                if hand.vm(vmid).is_some_and(|vm| vm.lock.is_none()) && hand.lock_vm(vmid, Some("backup")) {
                    self.lasts(Lasting::Locked(vmid));
                }
            }
        }
        "meddled by hand"
    }

    fn storage_fills(&mut self, host: usize) -> &'static str {
        let full = &self.several.fleet.hosts[host];
        assert!(full.sim.hand().leave_free_on(&full.name, "local", 0), "there is such a storage");
        self.lasts(Lasting::StorageFull(host));
        "storage full"
    }

    fn node_is_gone(&mut self, host: usize) -> &'static str {
        let gone = &self.several.fleet.hosts[host];
        assert!(gone.sim.hand().unreachable(&gone.name, true), "there is such a node");
        self.lasts(Lasting::NodeUnreachable(host));
        "node unreachable"
    }

    async fn database_fails(&mut self) -> &'static str {
        let url = &self.several.fleet.database.url;
        if self.several.fleet.database.dir().is_none() {
            let mut connection = sqlx::PgConnection::connect(url).await.expect("PostgreSQL answers");
            connection.execute(END_CONNECTIONS).await.expect("connections are ended");
            return "connections ended in the database";
        }
        let mut connection = sqlx::SqliteConnection::connect(url).await.expect("the file can be opened");
        // Refused while the control plane writes: then it is not locked this time.
        if connection.execute("BEGIN IMMEDIATE").await.is_ok() {
            self.lasts(Lasting::DatabaseLocked(connection));
        }
        "database locked by another process"
    }

    async fn somebody_drains(&mut self, host: usize) -> &'static str {
        if self.broken.iter().any(|broken| matches!(broken.what, Lasting::Draining(_))) {
            return "a second drain, not begun";
        }
        let path = format!("/api/platform/servers/{}/status", self.several.fleet.hosts[host].name);
        self.send(Method::POST, &path, json!({"status": "draining", "reason": "chaos"})).await;
        // For a while longer than the faults: some move, and it is cancelled midway.
        let until = Instant::now() + Duration::from_millis(self.random.u64(3000..20_000));
        self.broken.push(Broken { until, what: Lasting::Draining(host) });
        "drained and cancelled"
    }

    /// Nothing is broken any more.
    pub(super) async fn heal(&mut self) {
        self.mend(true).await;
        self.several.fleet.hosts[0].sim.faults().clear();
        for plane in 0..self.several.planes.len() {
            let api = self.several.planes[plane].api.clone();
            let several = &mut self.several;
            eventually("the control plane to be ready", REST, async || {
                started_again(several, plane);
                let answer = try_send(api.anonymous(Method::GET, "/readyz")).await.ok()?;
                (answer.status == 200).then_some(())
            })
            .await;
        }
        let names: Vec<String> = self.several.fleet.hosts.iter().map(|host| host.name.clone()).collect();
        for name in names {
            // Its cancellation may have been lost among the faults.
            let path = format!("/api/platform/servers/{name}");
            self.send(Method::DELETE, &format!("{path}/drain"), json!({})).await;
            let online = self.send(Method::POST, &format!("{path}/status"), json!({"status": "online"})).await;
            assert!(online.as_ref().is_some_and(|a| a.status.is_success()), "{name} is open again: {online:?}");
        }
    }
}
