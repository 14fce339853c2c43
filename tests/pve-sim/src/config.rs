//! How a simulated server is set up: flavour, timings, and what it has at first start.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which release the server behaves like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Flavour {
    /// Proxmox VE 8.4.
    #[default]
    V8_4,
    /// Proxmox VE 9.1: `memhost` and `pressure*`, `VM.GuestAgent.*` instead of `VM.Monitor`.
    V9_1,
}

impl Flavour {
    pub(crate) fn release(self) -> &'static str {
        match self {
            Self::V8_4 => "8.4",
            Self::V9_1 => "9.1",
        }
    }

    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::V8_4 => "8.4.21",
            Self::V9_1 => "9.1.9",
        }
    }

    pub(crate) fn repo_id(self) -> &'static str {
        match self {
            Self::V8_4 => "2606ac855a3b1c4f",
            Self::V9_1 => "ee740c1db1f3b8e2",
        }
    }

    pub(crate) fn qemu(self) -> &'static str {
        match self {
            Self::V8_4 => "10.0.2",
            Self::V9_1 => "10.1.2",
        }
    }
}

impl std::str::FromStr for Flavour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "8.4" | "8" => Ok(Self::V8_4),
            "9.1" | "9" => Ok(Self::V9_1),
            other => Err(format!("unknown flavour '{other}': use 8.4 or 9.1")),
        }
    }
}

/// Every wait of the server. Real values for demonstrations, short ones for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timings {
    /// The pause before every 401.
    pub auth_failure: Duration,
    /// How long an idle connection lives.
    pub idle: Duration,
    /// How long an operation waits for a VM's configuration lock.
    pub vm_lock: Duration,
    /// The same for the creation of a VM.
    pub create_lock: Duration,
    /// How long the guest agent is waited for before it counts as absent.
    pub agent: Duration,
    /// How long a connection to an unreachable node is tried before 595.
    pub unreachable: Duration,
    /// The longest that `/cluster/resources` is behind.
    pub resources_lag: Duration,
    /// From a VM's start until its guest agent answers.
    pub guest_boot: Duration,
    /// How long one second of a `timeout` parameter lasts.
    pub second: Duration,
    /// How long a task of a type takes; others take [`Timings::task_default`].
    pub tasks: BTreeMap<String, Duration>,
    /// How long a task takes whose type is not listed.
    pub task_default: Duration,
    /// How long a migration takes for each GiB of local disks.
    pub migrate_gib: Duration,
    /// How long a console waits for its client.
    pub console: Duration,
}

impl Timings {
    /// What was measured on running servers.
    pub fn real() -> Self {
        let tasks = [("qmclone", 1500), ("qmstart", 1000), ("qmshutdown", 1500), ("qmreboot", 1500), ("qmcreate", 800)];
        Self {
            auth_failure: Duration::from_secs(3),
            idle: Duration::from_secs(5),
            vm_lock: Duration::from_secs(10),
            create_lock: Duration::from_secs(5),
            agent: Duration::from_secs(3),
            unreachable: Duration::from_secs(3),
            resources_lag: Duration::from_secs(8),
            guest_boot: Duration::from_secs(5),
            second: Duration::from_secs(1),
            tasks: tasks.into_iter().map(|(kind, ms)| (kind.to_owned(), Duration::from_millis(ms))).collect(),
            task_default: Duration::from_millis(500),
            migrate_gib: Duration::from_secs(8),
            console: Duration::from_secs(10),
        }
    }

    /// The same order of things, some fifty times faster.
    pub fn fast() -> Self {
        Self {
            auth_failure: Duration::from_millis(50),
            idle: Duration::from_secs(5),
            vm_lock: Duration::from_millis(400),
            create_lock: Duration::from_millis(200),
            agent: Duration::from_millis(60),
            unreachable: Duration::from_millis(60),
            resources_lag: Duration::from_millis(300),
            guest_boot: Duration::from_millis(100),
            second: Duration::from_millis(20),
            tasks: BTreeMap::new(),
            task_default: Duration::from_millis(15),
            migrate_gib: Duration::from_millis(10),
            // Its clients are tests on busy machines.
            console: Duration::from_secs(10),
        }
    }

    /// Sets how long tasks of one type take.
    #[must_use]
    pub fn task(mut self, kind: &str, duration: Duration) -> Self {
        self.tasks.insert(kind.to_owned(), duration);
        self
    }

    pub(crate) fn of_task(&self, kind: &str) -> Duration {
        self.tasks.get(kind).copied().unwrap_or(self.task_default)
    }
}

/// A template VM that exists from the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateSpec {
    /// Its VMID.
    pub vmid: u32,
    /// Its name.
    pub name: String,
    /// The virtual size of its disk in bytes.
    pub disk_bytes: u64,
    /// The storage that its disk is on.
    pub storage: String,
}

/// A storage that exists from the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageSpec {
    /// Its name.
    pub name: String,
    /// Capacity in bytes.
    pub total_bytes: u64,
    /// What is used from the start, in bytes.
    pub used_bytes: u64,
    /// Content types, such as `images`.
    pub content: Vec<String>,
    /// Whether all nodes see the same one; each has its own otherwise.
    pub shared: bool,
}

/// An ISO image that exists from the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IsoSpec {
    /// The storage that it is on.
    pub storage: String,
    /// Its file name.
    pub file: String,
    /// Its size in bytes.
    pub size_bytes: u64,
}

/// An API token that exists from the first start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSpec {
    /// `user@realm!id`.
    pub full_id: String,
    /// Its secret.
    pub secret: String,
    /// Whether it has only the privileges given to itself.
    pub privsep: bool,
}

/// Everything that makes one simulated server.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Name of its first node.
    pub node: String,
    /// Names of further nodes of the same cluster, each with an address of its own.
    pub more_nodes: Vec<String>,
    /// Name of the cluster, for what names one.
    pub cluster_name: String,
    /// Which release it behaves like.
    pub flavour: Flavour,
    /// Its waits.
    pub timings: Timings,
    /// Address to listen on, such as `127.0.0.1:8006`; port 0 takes a free one. Each further node takes the next port.
    pub listen: String,
    /// Loopback address of the control port; `None` for none.
    pub control: Option<String>,
    /// Secret of the control port; made up when `None`.
    pub control_secret: Option<String>,
    /// Where state is kept; `None` keeps it in memory only.
    pub state_dir: Option<PathBuf>,
    /// Tokens at first start.
    pub tokens: Vec<TokenSpec>,
    /// Password of `root@pam`.
    pub root_password: String,
    /// Templates at first start.
    pub templates: Vec<TemplateSpec>,
    /// Storages at first start.
    pub storages: Vec<StorageSpec>,
    /// ISO images at first start.
    pub isos: Vec<IsoSpec>,
    /// Bridges at first start.
    pub bridges: Vec<String>,
    /// Whether the datacenter's firewall is on at first start.
    pub firewall: bool,
    /// Logical processors of the node.
    pub cpus: u32,
    /// Memory of the node in bytes.
    pub memory_bytes: u64,
    /// Nodes of the same cluster that cannot be reached (595).
    pub unreachable_nodes: Vec<String>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            node: "pve1".to_owned(),
            more_nodes: Vec::new(),
            cluster_name: "sim".to_owned(),
            flavour: Flavour::default(),
            timings: Timings::real(),
            listen: "127.0.0.1:0".to_owned(),
            control: None,
            control_secret: None,
            state_dir: None,
            tokens: Vec::new(),
            root_password: "simulated".to_owned(),
            templates: Vec::new(),
            storages: Vec::new(),
            isos: Vec::new(),
            bridges: Vec::new(),
            firewall: false,
            cpus: 16,
            memory_bytes: 64 << 30,
            unreachable_nodes: Vec::new(),
        }
    }
}

impl StorageSpec {
    /// A directory storage with the default content types.
    pub fn new(name: &str, total_bytes: u64) -> Self {
        let content = ["images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import"];
        let content = content.map(str::to_owned).to_vec();
        Self { name: name.to_owned(), total_bytes, used_bytes: 0, content, shared: false }
    }
}

impl std::str::FromStr for StorageSpec {
    type Err = String;

    /// `name` or `name:SIZE`, the size with K, M, G or T.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, size) = text.split_once(':').unwrap_or((text, "250G"));
        let bytes = crate::formats::parse_size(size).filter(|bytes| *bytes > 0);
        let bytes =
            bytes.ok_or_else(|| format!("storage '{text}': '{size}' is no size; write for example local:250G"))?;
        crate::formats::config_id("", name).map_err(|_| format!("storage '{text}': '{name}' is no storage name"))?;
        Ok(Self::new(name, bytes))
    }
}

impl std::str::FromStr for IsoSpec {
    type Err = String;

    /// `storage:file` or `storage:file:SIZE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("ISO image '{text}': {why}; write for example local:rescue.iso:600M");
        let mut parts = text.splitn(3, ':');
        let (Some(storage), Some(file)) = (parts.next(), parts.next()) else { return Err(bad("it has no storage")) };
        let size_bytes = crate::formats::parse_size(parts.next().unwrap_or("600M")).ok_or_else(|| bad("bad size"))?;
        if file.is_empty() || file.contains('/') {
            return Err(bad("bad file name"));
        }
        Ok(Self { storage: storage.to_owned(), file: file.to_owned(), size_bytes })
    }
}

impl std::str::FromStr for TemplateSpec {
    type Err = String;

    /// `vmid:name` or `vmid:name:SIZE` or `vmid:name:SIZE:storage`.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split(':').collect();
        let bad = |why: &str| format!("template '{text}': {why}; write for example 9000:debian-12:2G");
        let vmid = parts[0].parse().ok().filter(|vmid| (100..=999_999_999).contains(vmid));
        let vmid = vmid.ok_or_else(|| bad("the VMID must be a number from 100"))?;
        let name = parts.get(1).filter(|name| crate::formats::dns_name("", name).is_ok());
        let name = name.ok_or_else(|| bad("the name must be a DNS name"))?;
        let size = parts.get(2).copied().unwrap_or("2G");
        let disk_bytes = crate::formats::parse_size(size).filter(|bytes| *bytes > 0).ok_or_else(|| bad("bad size"))?;
        let storage = (*parts.get(3).unwrap_or(&"local")).to_owned();
        Ok(Self { vmid, name: (*name).to_owned(), disk_bytes, storage })
    }
}

impl std::str::FromStr for TokenSpec {
    type Err = String;

    /// `user@realm!id=secret`.
    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("token '{text}' must look like root@pam!demo=SECRET");
        let (full_id, secret) = text.split_once('=').ok_or_else(bad)?;
        let (user, id) = full_id.split_once('!').ok_or_else(bad)?;
        if !user.contains('@') || id.is_empty() || secret.is_empty() {
            return Err(bad());
        }
        Ok(Self { full_id: full_id.to_owned(), secret: secret.to_owned(), privsep: false })
    }
}
