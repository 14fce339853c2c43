//! A fleet whose hosts and clients reach several control planes, real processes over one PostgreSQL, through a balancer.

use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::os::unix::process::ExitStatusExt as _;

use crate::app::{Api, TOKEN, try_send};
use crate::daemon::Daemon;
use crate::database::{TestDatabase, eventually};
use crate::fleet::{DEADLINE, FAULT_FILE, Fleet, Hosts, Ports, Programs};
use crate::relay::Relay;

const SIGKILL: i32 = 9;

/// See the module.
pub struct Several {
    /// The hosts; its API goes through the balancer.
    pub fleet: Fleet,
    /// The control planes.
    pub planes: Vec<Plane>,
    /// For the API.
    pub http: Relay,
    /// For the agents.
    pub grpc: Relay,
}

impl Deref for Several {
    type Target = Fleet;

    fn deref(&self) -> &Fleet {
        &self.fleet
    }
}

impl DerefMut for Several {
    fn deref_mut(&mut self) -> &mut Fleet {
        &mut self.fleet
    }
}

/// One control plane.
pub struct Plane {
    /// Its own API.
    pub api: Api,
    ports: Ports,
    /// `None`: it is the fleet's own, or was not started.
    daemon: Option<Daemon>,
}

impl Plane {
    /// Where the other control planes reach it.
    #[must_use]
    pub fn internal_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.grpc)
    }

    /// Where agents reach it, past the balancer.
    #[must_use]
    pub fn grpc_port(&self) -> u16 {
        self.ports.grpc
    }
}

impl Several {
    /// `planes` control planes: one, or several over PostgreSQL.
    pub async fn start(programs: Programs, database: TestDatabase, hosts: Hosts, planes: usize) -> Self {
        let ports: Vec<Ports> = (0..planes).map(|_| Ports::free()).collect();
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let http = Relay::start(&ports.iter().map(|ports| at(ports.http)).collect::<Vec<_>>()).await;
        let grpc = Relay::start(&ports.iter().map(|ports| at(ports.grpc)).collect::<Vec<_>>()).await;
        let front = Ports { http: http.address.port(), grpc: grpc.address.port() };
        let fleet = Fleet::start_behind(programs, database, hosts, ports[0], front).await;
        let plane = |ports: Ports| {
            let api = Api::new(&format!("http://127.0.0.1:{}", ports.http), TOKEN);
            Plane { api, ports, daemon: None }
        };
        let planes = ports.into_iter().map(plane).collect();
        let mut several = Self { fleet, planes, http, grpc };
        for n in 1..several.planes.len() {
            several.plane_start(n, &[]);
            several.plane_ready(n).await;
        }
        several
    }

    /// As many control planes as apply, set so: one over SQLite, two over PostgreSQL.
    pub async fn as_applies(
        programs: Programs,
        database: TestDatabase,
        hosts: Hosts,
        settings: &[(&str, &str)],
    ) -> Self {
        let planes = if database.name == "sqlite" { 1 } else { 2 };
        let mut several = Self::start(programs, database, hosts, planes).await;
        for (name, value) in settings {
            several.fleet.control_set(name, value);
        }
        if !settings.is_empty() {
            for n in 0..planes {
                several.daemon(n).kill().await;
                several.plane_start(n, &[]);
                several.plane_ready(n).await;
            }
        }
        several
    }

    /// The process of a control plane.
    pub fn daemon(&mut self, n: usize) -> &mut Daemon {
        match n {
            0 => &mut self.fleet.control,
            _ => self.planes[n].daemon.as_mut().expect("it was started"),
        }
    }

    /// Starts a control plane, again or for the first time.
    pub fn plane_start(&mut self, n: usize, more: &[(&str, &str)]) {
        let mut env = self.fleet.env.clone();
        env.extend(self.planes[n].ports.env());
        env.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        let name = format!("mpanel-{n}");
        let daemon = Daemon::start(self.fleet.dir.path(), &name, self.fleet.programs.control, &["serve"], &env);
        match n {
            0 => self.fleet.control = daemon,
            _ => self.planes[n].daemon = Some(daemon),
        }
    }

    /// Waits until a control plane takes requests.
    pub async fn plane_ready(&mut self, n: usize) {
        let api = self.planes[n].api.clone();
        let daemon = self.daemon(n);
        eventually("the control plane to be ready", DEADLINE, async || {
            assert!(daemon.is_over().is_none(), "control plane {n} ended:\n{}", daemon.tail());
            let answer = try_send(api.anonymous(reqwest::Method::GET, "/readyz")).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// Starts a control plane after its end, and waits until it takes requests.
    pub async fn plane_restart(&mut self, n: usize) {
        self.plane_start(n, &[]);
        self.plane_ready(n).await;
    }

    /// From now on a control plane is to be killed as by kill -9 at this point, `name`, or `name#2` the second time that any of them
    /// comes by: one of them, whichever it is.
    pub fn dies_at(&self, point: &str) {
        let file = self.fleet.dir.path().join(FAULT_FILE);
        assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), "", "nobody was at the point before");
        std::fs::write(file, point).expect("the fault point's file");
    }

    /// Waits until that has happened. Where there is another control plane it has to go on alone, until the one that is told is
    /// brought back by [`Several::returns`]; the only one is started again.
    pub async fn died(&mut self) -> usize {
        let planes = self.planes.len();
        let (n, status) = eventually("a control plane to be killed at its fault point", DEADLINE, async || {
            (0..planes).find_map(|n| Some((n, self.daemon(n).is_over()?)))
        })
        .await;
        assert_eq!(status.signal(), Some(SIGKILL), "control plane {n} is killed:\n{}", self.daemon(n).tail());
        if planes == 1 {
            self.plane_restart(n).await;
        }
        n
    }

    /// Brings a control plane back that has [died](Several::died).
    pub async fn returns(&mut self, n: usize) {
        if self.planes.len() > 1 {
            self.plane_restart(n).await;
        }
    }

    /// What all control planes have counted since they were started.
    pub async fn counted(&self, metric: &str) -> f64 {
        let each = self.planes.iter().map(|plane| plane.api.metric(metric));
        futures::future::join_all(each).await.into_iter().sum()
    }

    /// The balancer finds that a control plane does not answer, and drops what it had there.
    pub fn plane_out(&self, n: usize) {
        self.http.out(n);
        self.grpc.out(n);
    }

    /// The balancer finds that it answers again.
    pub fn plane_back(&self, n: usize) {
        self.http.back(n);
        self.grpc.back(n);
    }
}
