//! The simulated Proxmox VE server as a program.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pve_sim::{Flavour, IsoSpec, Sim, SimConfig, StorageSpec, TemplateSpec, Timings, TokenSpec};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// A simulated Proxmox VE server for tests and demonstrations. It runs no virtual machines.
///
/// It prints one line of JSON when it is ready: url, node, fingerprint (SHA-256 of its certificate), version, token,
/// and, with --control, the address and secret of the control port. It stops on SIGINT or SIGTERM.
#[derive(Debug, Parser)]
#[command(name = "pve-sim", version)]
struct Arguments {
    /// Address to listen on with HTTPS; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8006")]
    listen: String,
    /// Names of the nodes, separated by commas; each further one listens on the next port
    #[arg(long = "nodes", alias = "node", value_name = "NODE", value_delimiter = ',', default_value = "pve1")]
    nodes: Vec<String>,
    /// Name of the cluster
    #[arg(long, value_name = "NAME", default_value = "sim")]
    cluster_name: String,
    /// Directory for the state and the certificate; without it everything is forgotten at the end
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// API token to accept, as user@realm!id=SECRET, without privilege separation; may be repeated [default: a token
    /// of root@pam with a random secret]
    #[arg(long = "token", value_name = "TOKEN")]
    tokens: Vec<TokenSpec>,
    /// Password of root@pam, for tickets
    #[arg(long, value_name = "PASSWORD", default_value = "simulated")]
    root_password: String,
    /// Template VM at first start, as VMID:NAME[:SIZE[:STORAGE]]; may be repeated [default: 9000:debian-12:2G]
    #[arg(long = "template", value_name = "TEMPLATE")]
    templates: Vec<TemplateSpec>,
    /// Storage at first start, as NAME[:SIZE]; may be repeated [default: local:250G]
    #[arg(long = "storage", value_name = "STORAGE")]
    storages: Vec<StorageSpec>,
    /// Storage at first start that all nodes share, as NAME[:SIZE]; may be repeated
    #[arg(long = "shared-storage", value_name = "STORAGE")]
    shared_storages: Vec<StorageSpec>,
    /// ISO image at first start, as STORAGE:FILE[:SIZE]; may be repeated
    #[arg(long = "iso", value_name = "ISO")]
    isos: Vec<IsoSpec>,
    /// Bridge at first start; may be repeated [default: vmbr0]
    #[arg(long = "bridge", value_name = "BRIDGE")]
    bridges: Vec<String>,
    /// Switch the datacenter's firewall on at first start, without which no VM's filters
    #[arg(long)]
    firewall: bool,
    /// Logical processors of the node
    #[arg(long, default_value_t = 16)]
    cpus: u32,
    /// Memory of the node in GiB
    #[arg(long, value_name = "GIB", default_value_t = 64)]
    memory: u64,
    /// Release to behave like: 8.4 or 9.1
    #[arg(long, default_value = "8.4")]
    flavour: Flavour,
    /// Another node of the cluster, which cannot be reached; may be repeated
    #[arg(long = "unreachable-node", value_name = "NODE")]
    unreachable_nodes: Vec<String>,
    /// Make every wait short (tasks, the delay of a 401, lock timeouts), as tests want it
    #[arg(long)]
    fast: bool,
    /// How long tasks of a type take, as TYPE=MILLISECONDS, for example qmclone=5000; may be repeated
    #[arg(long = "task-duration", value_name = "TYPE=MS", value_parser = task_duration)]
    task_durations: Vec<(String, Duration)>,
    /// Open the control port (faults, gates, changes by hand) on this loopback address
    #[arg(long, value_name = "ADDRESS:PORT")]
    control: Option<String>,
    /// Secret of the control port [default: a random one, printed at start]
    #[arg(long, value_name = "SECRET", env = "PVE_SIM_CONTROL_SECRET", requires = "control", hide_env_values = true)]
    control_secret: Option<String>,
}

fn task_duration(text: &str) -> Result<(String, Duration), String> {
    let bad = || format!("'{text}' must look like qmclone=5000");
    let (kind, ms) = text.split_once('=').ok_or_else(bad)?;
    Ok((kind.to_owned(), Duration::from_millis(ms.parse().map_err(|_| bad())?)))
}

impl Arguments {
    fn config(self) -> SimConfig {
        let mut timings = if self.fast { Timings::fast() } else { Timings::real() };
        for (kind, duration) in self.task_durations {
            timings = timings.task(&kind, duration);
        }
        let mut nodes = self.nodes.into_iter();
        let shared = self.shared_storages.into_iter().map(|spec| StorageSpec { shared: true, ..spec });
        SimConfig {
            node: nodes.next().unwrap_or_default(),
            more_nodes: nodes.collect(),
            cluster_name: self.cluster_name,
            flavour: self.flavour,
            timings,
            listen: self.listen,
            control: self.control,
            control_secret: self.control_secret,
            state_dir: self.state,
            tokens: self.tokens,
            root_password: self.root_password,
            templates: self.templates,
            storages: self.storages.into_iter().chain(shared).collect(),
            isos: self.isos,
            bridges: self.bridges,
            firewall: self.firewall,
            cpus: self.cpus,
            memory_bytes: self.memory << 30,
            unreachable_nodes: self.unreachable_nodes,
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            tracing::error!("{text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let version = match arguments.flavour {
        Flavour::V8_4 => "8.4",
        Flavour::V9_1 => "9.1",
    };
    // Before the server is up, so that a signal is never lost.
    let mut terminate = signal(SignalKind::terminate()).map_err(|err| format!("signals: {err}"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|err| format!("signals: {err}"))?;
    let sim = Sim::start(arguments.config()).await.map_err(|err| err.to_string())?;
    let mut ready = json!({
        "url": sim.url(), "node": sim.node(), "version": version, "fingerprint": sim.fingerprint(),
        "token": sim.token(),
    });
    let nodes = sim.nodes().into_iter();
    ready["nodes"] =
        nodes.map(|node| json!({ "node": node.name, "url": node.url, "fingerprint": node.fingerprint })).collect();
    if let Some((address, secret)) = sim.control() {
        ready["control"] = json!({ "url": format!("http://{address}"), "secret": secret });
    }
    announce(&ready.to_string())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    sim.stop().await;
    Ok(())
}

fn announce(line: &str) -> Result<(), String> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|err| format!("standard output: {err}"))
}
