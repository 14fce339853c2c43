//! A small fleet of real processes: one control plane, and hosts, each a simulated Proxmox VE with a real agent that was
//! enrolled over real mutual TLS.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use pve_sim::{Flavour, Sim};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::app::{Answer, Api, TOKEN, try_send};
use crate::daemon::{Daemon, free_port};
use crate::database::{TestDatabase, eventually};

/// Long enough for anything here on a busy machine.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Where pods are.
pub const PODS: &str = "/api/admin/hosting/cloudpods";

/// In the fleet's folder: at which point a control plane is to die.
pub(crate) const FAULT_FILE: &str = "fault-point";

/// The template of every simulated host.
const TEMPLATE: u32 = 9000;

/// The daemons, which have to have their fault points: `env!("CARGO_BIN_EXE_mpanel-faulty")` and
/// `env!("CARGO_BIN_EXE_mpanel-agent-faulty")`.
#[derive(Clone, Copy)]
pub struct Programs {
    /// The control plane.
    pub control: &'static str,
    /// The agent.
    pub agent: &'static str,
}

/// See the module.
pub struct Fleet {
    /// Speaks to the control plane.
    pub api: Api,
    /// The control plane.
    pub control: Daemon,
    /// The hosts, `pve1` first.
    pub hosts: Vec<Host>,
    /// What the control plane stores.
    pub database: TestDatabase,
    pub(crate) programs: Programs,
    pub(crate) dir: TempDir,
    pub(crate) env: Vec<(String, String)>,
}

/// Where a control plane listens on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The API's port.
    pub http: u16,
    /// The agents' port.
    pub grpc: u16,
}

impl Ports {
    /// Ports that nobody listens on now.
    #[must_use]
    pub fn free() -> Self {
        Self { http: free_port(), grpc: free_port() }
    }

    /// The settings that make a control plane listen there.
    #[must_use]
    pub fn env(self) -> Vec<(String, String)> {
        vec![
            ("MPANEL__HTTP__LISTEN".to_owned(), format!("127.0.0.1:{}", self.http)),
            ("MPANEL__AGENTS__LISTEN".to_owned(), format!("127.0.0.1:{}", self.grpc)),
        ]
    }
}

/// Asks for pods as a shop does: under one key, again and again until it is answered.
#[derive(Clone)]
pub struct Client(pub Api);

impl Client {
    /// Asks for a pod until the request is accepted, through anything that does not end it; the pod's id.
    pub async fn create(&self, name: &str) -> String {
        let body = json!({"name": name, "plan": "small", "image": "debian"});
        let answer = eventually("the request to be accepted", DEADLINE * 4, async || {
            let key = format!("key-{name}");
            let request = self.0.request(Method::POST, PODS).header("Idempotency-Key", key).json(&body);
            let answer = try_send(request).await.ok()?;
            assert_ne!(answer.status, 500, "{}", answer.text);
            (answer.status == 202).then_some(answer)
        })
        .await;
        answer.body["cloudpod"]["id"].as_str().expect("the pod's id").to_owned()
    }

    /// The same for many, a few at a time.
    pub async fn create_many(&self, prefix: &str, count: u64) -> Vec<String> {
        let names = (0..count).map(|n| format!("{prefix}-{n}"));
        let creates = names.map(|name| async move { self.create(&name).await });
        futures::stream::iter(creates).buffer_unordered(8).collect().await
    }
}

/// One simulated host and its agent.
pub struct Host {
    /// `pve1`, …
    pub name: String,
    /// The simulated Proxmox VE; the same for all nodes of a cluster.
    pub sim: Arc<Sim>,
    /// The agent's process.
    pub agent: Daemon,
    /// Words before the agent's own command: a program that starts it in surroundings of its own.
    pub launcher: Vec<String>,
    /// Where the agent keeps its identity and its ledger.
    pub state_dir: PathBuf,
    program: &'static str,
    args: Vec<String>,
    dir: PathBuf,
}

/// How the hosts of a fleet belong together.
#[derive(Clone, Copy, Debug)]
pub enum Hosts {
    /// So many, each by itself.
    Apart(usize),
    /// So many nodes of one Proxmox VE cluster: each has its own storage `local`, all share `shared`, and the template is on
    /// `pve1`.
    Cluster(usize),
}

/// What a command came to.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it said beside that.
    pub err: String,
}

impl Said {
    /// What it printed, if it succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    /// What it said about its failure, if it failed so.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self.err
    }
}

impl Fleet {
    /// A control plane on `database` and `hosts` hosts, all online, with a plan `small`, an image `debian` and a pool `lan`.
    pub async fn start(programs: Programs, database: TestDatabase, hosts: usize) -> Self {
        let ports = Ports::free();
        Self::start_behind(programs, database, Hosts::Apart(hosts), ports, ports).await
    }

    /// The same with hosts that are nodes of one Proxmox VE cluster.
    pub async fn start_cluster(programs: Programs, database: TestDatabase, hosts: usize) -> Self {
        let ports = Ports::free();
        Self::start_behind(programs, database, Hosts::Cluster(hosts), ports, ports).await
    }

    /// The same with a control plane at `ports`, which everybody reaches through `front`.
    pub async fn start_behind(
        programs: Programs,
        database: TestDatabase,
        hosts: Hosts,
        ports: Ports,
        front: Ports,
    ) -> Self {
        let mut fleet = Self::start_empty(programs, database, ports, front).await;
        let (Hosts::Apart(count) | Hosts::Cluster(count)) = hosts;
        let names: Vec<String> = (1..=count).map(|n| format!("pve{n}")).collect();
        let mut cluster = None;
        if let Hosts::Cluster(_) = hosts {
            let nodes: Vec<&str> = names.iter().map(String::as_str).collect();
            let sim = Sim::builder().nodes(&nodes).storage("local", 250 << 30).shared_storage("shared", 250 << 30);
            cluster = Some(Arc::new(sim.start().await.expect("the simulated Proxmox VE cluster starts")));
        }
        for name in &names {
            let sim = if let Some(sim) = &cluster {
                sim.clone()
            } else {
                // Of the newer release, whose terminals are open to tokens; a cluster is of the older one.
                let sim = Sim::builder().node(name).version(Flavour::V9_1);
                Arc::new(sim.start().await.expect("the simulated Proxmox VE starts"))
            };
            sim.hand().datacenter_firewall(true);
            fleet.host_add(name, sim).await;
        }
        fleet.catalogue_fill().await;
        fleet
    }

    async fn start_empty(programs: Programs, database: TestDatabase, ports: Ports, front: Ports) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let set = |name: &str, value: String| (name.to_owned(), value);
        let mut env = vec![
            set("MPANEL__DATABASE__URL", database.url.clone()),
            set("MPANEL__SECRETS__KEY_FILE", dir.path().join("secret.key").display().to_string()),
            set("MPANEL__AGENTS__PUBLIC_URL", format!("https://localhost:{}", front.grpc)),
            set("MPANEL__AGENTS__HEARTBEAT_INTERVAL", "1s".into()),
            set("MPANEL__JOBS__LEASE", "2s".into()),
            set("MPANEL__JOBS__RETRY_FIRST", "100ms".into()),
            set("MPANEL_BOOTSTRAP_TOKEN", TOKEN.into()),
            set("MPANEL__LOG__FILTER", "info,control_plane::http=warn".into()),
            set("MPANEL_FAULT_FILE", dir.path().join(FAULT_FILE).display().to_string()),
        ];
        env.extend(ports.env());
        let api = Api::new(&format!("http://127.0.0.1:{}", front.http), TOKEN);
        let control = Daemon::start(dir.path(), "mpanel", programs.control, &["serve"], &env);
        let mut fleet = Self { api, control, hosts: Vec::new(), database, programs, dir, env };
        fleet.ready().await;
        fleet
    }

    /// Starts the control plane again, with more in its environment.
    pub async fn control_restart(&mut self, more: &[(&str, &str)]) {
        self.control.kill().await;
        self.control_start(more);
        self.ready().await;
    }

    /// Starts the control plane after its end.
    pub fn control_start(&mut self, more: &[(&str, &str)]) {
        let mut env = self.env.clone();
        env.extend(more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        self.control = Daemon::start(self.dir.path(), "mpanel", self.programs.control, &["serve"], &env);
    }

    /// A setting of the control plane for its next start and those after it.
    pub fn control_set(&mut self, name: &str, value: &str) {
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Waits until the control plane takes requests.
    pub async fn ready(&mut self) {
        let api = self.api.clone();
        let control = &mut self.control;
        eventually("the control plane to be ready", DEADLINE, async || {
            assert!(control.is_over().is_none(), "the control plane ended:\n{}", control.tail());
            let answer = try_send(api.anonymous(Method::GET, "/readyz")).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// A simulated host, registered, enrolled and online.
    async fn host_add(&mut self, name: &str, sim: Arc<Sim>) {
        let server = json!({
            "name": name, "bridge": "vmbr0", "vmid_min": 100, "vmid_max": 8999,
            "storages": [{"name": "local"}], "cpu_overcommit": 16.0,
        });
        let answer = self.api.post("/api/platform/servers", &server).await.expect(201);
        let command = answer["enrolment"]["command"].as_str().expect("an enrolment command").to_owned();
        let dir = self.dir.path().join(name);
        let config = self.host_configure(name, &sim).display().to_string();
        let mut words: Vec<&str> = command.split_whitespace().skip(1).collect();
        words.extend(["--config", &config]);
        let mut enrol = Daemon::start(&dir, "enroll", self.programs.agent, &words, &[]);
        let status = enrol.ended(DEADLINE).await;
        assert!(status.success(), "{name} enrols with `{command}`:\n{}", enrol.tail());
        let args = vec!["run".to_owned(), "--config".to_owned(), config];
        let program = self.programs.agent;
        let agent = agent_start(&[], program, &dir, &args, &[]);
        let (name_owned, launcher, state_dir) = (name.to_owned(), Vec::new(), dir.join("state"));
        self.hosts.push(Host { name: name_owned, sim, agent, launcher, state_dir, program, args, dir });
        let api = self.api.clone();
        eventually("the agent to be online with its inventory", DEADLINE, async || {
            let server = api.get(&format!("/api/platform/servers/{name}")).await.expect(200);
            (server["connection"]["state"] == "online" && !server["host"]["inventory_at"].is_null()).then_some(())
        })
        .await;
    }

    /// Writes the configuration of a host's agent, registered or not; where it is.
    #[must_use]
    pub fn host_configure(&self, name: &str, sim: &Sim) -> PathBuf {
        let node = sim.at(name).expect("a simulated node of this name");
        let dir = self.dir.path().join(name);
        std::fs::create_dir_all(&dir).expect("a folder");
        let token = dir.join("pve-token");
        std::fs::write(&token, sim.token()).expect("the token file");
        restrict(&token);
        let config = dir.join("agent.toml");
        let text = format!(
            "[agent]\nstate_dir = \"{}\"\n[control_plane]\nreconnect_first_ms = 50\nreconnect_max_s = 1\n[proxmox]\nurl = \"{}\"\nnode = \"{name}\"\ntoken_file = \"{}\"\nfingerprint = \"{}\"\n",
            dir.join("state").display(),
            node.url,
            token.display(),
            node.fingerprint,
        );
        std::fs::write(&config, text).expect("the agent's configuration");
        config
    }

    async fn catalogue_fill(&self) {
        let plan = json!({"name": "small", "vcpu": 1, "memory_mib": 256, "disk_gib": 2, "price_minor": 500, "currency": "EUR"});
        self.api.post("/api/platform/plans", &plan).await.expect(201);
        let image = json!({"name": "debian", "os": "debian", "default_user": "debian", "template_vmid": TEMPLATE});
        self.api.post("/api/platform/images", &image).await.expect(201);
        let pool = json!({
            "name": "lan", "first": "10.20.0.10", "last": "10.20.15.200", "prefix_length": 16, "gateway": "10.20.0.1",
            "dns": ["10.20.0.1"],
        });
        self.api.post("/api/platform/ip-pools", &pool).await.expect(201);
    }

    /// Runs a command of `mpanel` against the control plane, split at spaces: its exit code, what it printed, what it said beside.
    pub async fn cli(&self, line: &str) -> Said {
        let mut command = tokio::process::Command::new(self.programs.control);
        command.args(line.split(' ')).env("MPANEL_URL", &self.api.url).env("MPANEL_TOKEN", TOKEN);
        command.stdin(std::process::Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(DEADLINE * 2, command.output()).await.expect("the command ends");
        let output = output.expect("the command runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// All that the control plane and the agents have logged.
    #[must_use]
    pub fn said(&self) -> String {
        let agents = self.hosts.iter().map(|host| host.agent.said());
        std::iter::once(self.control.said()).chain(agents).collect()
    }

    /// Asks for a pod under an idempotency key; `None`: nobody answered.
    pub async fn create(&self, name: &str, key: &str) -> Option<Answer> {
        let body = json!({"name": name, "plan": "small", "image": "debian"});
        let request = self.api.request(Method::POST, PODS).header("Idempotency-Key", key).json(&body);
        try_send(request).await.ok()
    }

    /// Asks for a pod until it is answered, through restarts of the control plane; the pod's id.
    pub async fn create_answered(&self, name: &str, key: &str) -> String {
        let answer = eventually("the answer to the repeated request", DEADLINE, async || {
            // 409: the first request is still being answered; 507: the only agent is not back yet.
            self.create(name, key).await.filter(|answer| !matches!(answer.status.as_u16(), 409 | 507))
        })
        .await;
        answer.expect(202)["cloudpod"]["id"].as_str().expect("the pod's id").to_owned()
    }

    /// Asks for a pod to be removed; `None`: nobody answered.
    pub async fn destroy(&self, id: &str) -> Option<Answer> {
        try_send(self.api.request(Method::DELETE, &format!("{PODS}/{id}"))).await.ok()
    }

    /// Waits until a pod's state is one of `states`, through restarts of the control plane.
    pub async fn pod_until(&self, id: &str, states: &[&str]) -> Value {
        eventually(&format!("pod {id} to be {states:?}"), DEADLINE, async || {
            let answer = try_send(self.api.request(Method::GET, &format!("{PODS}/{id}"))).await.ok()?;
            states.contains(&answer.body["state"].as_str()?).then_some(answer.body)
        })
        .await
    }

    /// All pods, page by page.
    pub async fn pods(&self) -> Vec<Value> {
        let (mut pods, mut query) = (Vec::new(), String::new());
        loop {
            let page = self.api.get(&format!("{PODS}?limit=200{query}")).await.expect(200);
            pods.extend(page["items"].as_array().expect("items").iter().cloned());
            match page["next_page_token"].as_str() {
                Some(token) => query = format!("&page_token={token}"),
                None => return pods,
            }
        }
    }

    /// How many jobs are in which state, of those that are not over; `None`: nobody answered. All states in one look: a job that
    /// goes from one to another meanwhile is not missed.
    pub async fn jobs_left(&self) -> Option<BTreeMap<String, u64>> {
        let asked = self.api.request(Method::GET, "/api/admin/provisioning/queue");
        let answer = try_send(asked).await.ok().filter(|answer| answer.status == 200)?;
        let counts: BTreeMap<String, u64> = serde_json::from_value(answer.body).expect("counts by state");
        Some(counts.into_iter().filter(|(_, count)| *count > 0).collect())
    }

    /// Everything that must hold whenever nothing is under way; returns the number of live pods.
    ///
    /// # Panics
    /// Naming what does not hold.
    pub async fn invariants(&self) -> usize {
        let pods = self.pods().await;
        let live: Vec<&Value> =
            pods.iter().filter(|pod| pod["state"] == "active" || pod["state"] == "suspended").collect();
        let mut vms = 0;
        for host in &self.hosts {
            for vm in host.sim.hand().vms().into_iter().filter(|vm| !vm.template && vm.node == host.name) {
                vms += 1;
                let owners =
                    live.iter().filter(|pod| pod["vmid"] == vm.vmid && pod["server"]["name"] == *host.name).count();
                assert_eq!(
                    owners, 1,
                    "VM {} on {} belongs to one live pod, not {owners}: {pods:#?}",
                    vm.vmid, host.name
                );
            }
        }
        assert_eq!(vms, live.len(), "every live pod has one VM: {live:#?}");
        let pool = self.api.get("/api/platform/ip-pools/lan").await.expect(200);
        assert_eq!(pool["allocated"], live.len(), "addresses are held by live pods alone: {pool}");
        let mut reserved = 0;
        for host in &self.hosts {
            let server = self.api.get(&format!("/api/platform/servers/{}", host.name)).await.expect(200);
            reserved += server["reserved"]["pods"].as_u64().expect("reserved pods");
        }
        assert_eq!(reserved, live.len() as u64, "capacity is held by live pods alone");
        crate::assert_invariants(&self.api).await;
        live.len()
    }
}

impl Host {
    /// How many VMs were ever made on it, those that are gone included, its template not.
    #[must_use]
    pub fn vms_ever_made(&self) -> usize {
        self.sim.hand().history().iter().filter(|vm| vm.vmid != TEMPLATE && vm.node == self.name).count()
    }

    /// Starts the agent after its end.
    pub fn agent_start(&mut self, more: &[(&str, &str)]) {
        let state_dir = self.state_dir.display().to_string();
        let env = [more, &[(STATE_DIR, &state_dir)]].concat();
        self.agent = agent_start(&self.launcher, self.program, &self.dir, &self.args, &env);
    }

    /// Starts another agent with this configuration and another state directory.
    #[must_use]
    pub fn agent_twin(&self, state_dir: &Path) -> Daemon {
        let state_dir = state_dir.display().to_string();
        let program = self.program;
        Daemon::start(&self.dir, "twin", program, &words(&self.args), &[(STATE_DIR.to_owned(), state_dir)])
    }

    /// Runs another of the agent's commands, such as `enroll …`, with its configuration, to its end.
    pub async fn agent_command(&self, command: &[&str]) -> Daemon {
        let config = &self.args[1..];
        let command = [command, &words(config)].concat();
        let mut daemon = Daemon::start(&self.dir, "command", self.program, &command, &[]);
        let status = daemon.ended(DEADLINE).await;
        assert!(status.success(), "{command:?}:\n{}", daemon.tail());
        daemon
    }
}

/// The agent's setting of this name.
const STATE_DIR: &str = "MPANEL_AGENT_AGENT_STATE_DIR";

fn words(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

fn agent_start(launcher: &[String], program: &str, dir: &Path, args: &[String], more: &[(&str, &str)]) -> Daemon {
    let all = [&words(launcher)[..], &[program], &words(args)].concat();
    let env: Vec<_> = more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Daemon::start(dir, "agent", all[0], &all[1..], &env)
}

/// Only the owner may read it: a secret.
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).expect("the mode can be set");
}
