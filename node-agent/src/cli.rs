//! The command line: parse, build, run.

use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{self, Config};
use crate::enroll::{Enrolled, Enrolment, enroll};
use crate::proxmox::{CheckState, Hypervisor, ProbeSpec, Pve};
use crate::{Error, Result, check, telemetry};
use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Threads: two for the work, a few more for the ledger's disk and for names to be resolved.
const WORKERS: usize = 2;
const BLOCKING_MAX: usize = 8;

/// The mPanel node agent: runs the control plane's commands on one Proxmox VE host.
#[derive(Parser)]
#[command(name = "mpanel-agent", version, arg_required_else_help = true)]
struct Cli {
    /// The configuration file [default: /etc/mpanel-agent/agent.toml, if there is one]
    #[arg(long, short, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set one setting, stronger than file and environment; may be repeated
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make this host known to the control plane, with the command that it shows
    Enroll(Box<Enrolment>),
    /// Run the agent (what the systemd unit does)
    Run,
    /// Check the connection to the control plane, the ledger, and all that provisioning needs of Proxmox
    Check {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// A storage that must be usable; may be repeated
        #[arg(long, value_name = "NAME")]
        storage: Vec<String>,
        /// A bridge that must exist; may be repeated
        #[arg(long, value_name = "NAME")]
        bridge: Vec<String>,
        /// A template that must exist; may be repeated
        #[arg(long, value_name = "VMID")]
        template: Vec<u32>,
    },
    /// Print all settings with their defaults and what they mean
    Config,
    /// Print completions for a shell
    Completions {
        /// For which shell
        shell: Shell,
    },
}

/// Does what the command line says.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            // Where even standard error is closed there is nobody left to tell.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode> {
    match cli.command {
        Command::Config => print(config::ANNOTATED).map(|()| ExitCode::SUCCESS),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "mpanel-agent", &mut text);
            print(&String::from_utf8_lossy(&text)).map(|()| ExitCode::SUCCESS)
        }
        Command::Enroll(enrolment) => {
            let path = config_path(cli.config.as_deref());
            // A new configuration is written where there is none yet, also at a path that was named.
            let config = Config::load(cli.config.as_deref().filter(|path| path.exists()), &cli.set)?;
            let enrolled = runtime()?.block_on(enroll(&enrolment, &config, &path))?;
            print(&next_steps(&enrolled, cli.config.as_deref())).map(|()| ExitCode::SUCCESS)
        }
        Command::Run => {
            let config = Config::load(cli.config.as_deref(), &cli.set)?;
            telemetry::init(&config.log)?;
            let hypervisor = hypervisor(&config)?;
            runtime()?.block_on(run(config, hypervisor)).map(|()| ExitCode::SUCCESS)
        }
        Command::Check { json, storage, bridge, template } => {
            let config = Config::load(cli.config.as_deref(), &cli.set)?;
            let spec = ProbeSpec { storages: storage, bridges: bridge, templates: template };
            let checks = runtime()?.block_on(check::run(&config, hypervisor(&config), &spec));
            let text = if json { format!("{:#}\n", check::json(&checks)) } else { check::table(&checks) };
            print(&text)?;
            let is_failed = checks.iter().any(|check| check.state == CheckState::Fail);
            Ok(if is_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
    }
}

fn config_path(named: Option<&Path>) -> PathBuf {
    named
        .map(Path::to_path_buf)
        .or_else(|| env::var_os(config::ENV_PATH).map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH))
}

fn hypervisor(config: &Config) -> Result<Arc<dyn Hypervisor>> {
    let settings = config.proxmox.resolve()?;
    Ok(Arc::new(Pve::new(&settings).map_err(|e| Error::Config(format!("proxmox: {e}")))?))
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .max_blocking_threads(BLOCKING_MAX)
        .enable_all()
        .build()
        .map_err(|e| Error::System(format!("threads cannot be started: {e}")))
}

async fn run(config: Config, hypervisor: Arc<dyn Hypervisor>) -> Result<()> {
    let shutdown = CancellationToken::new();
    let failed = |e: io::Error| Error::System(format!("signals cannot be received: {e}"));
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(failed)?, signal(SignalKind::interrupt()).map_err(failed)?);
    let agent = crate::run(config, hypervisor, shutdown.clone());
    let signals = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = agent => ended,
        () = signals => Ok(()),
    }
}

fn next_steps(enrolled: &Enrolled, config: Option<&Path>) -> String {
    let Enrolled { server_name, server_id, state_dir, again, ledger_aside, config_written } = enrolled;
    let option = config.map(|path| format!("--config {} ", path.display())).unwrap_or_default();
    let mut lines =
        vec![format!("Enrolled as server {server_name} ({server_id}). The identity is in {}.", state_dir.display())];
    match ledger_aside {
        Some(aside) => lines.push(format!(
            "This host was another server before. That server's ledger was put aside as {}.",
            aside.display()
        )),
        None if *again => lines.push(
            "The earlier identity was replaced; the ledger was kept. A running agent takes it up by itself.".to_owned(),
        ),
        None => {}
    }
    if let Some(path) = config_written {
        lines.push(format!("The configuration was written to {}.", path.display()));
    }
    lines.push("Next:".to_owned());
    lines.push(format!("  mpanel-agent {option}check            what is still missing, if anything"));
    lines.push(format!("  systemctl enable --now mpanel-agent   run it from now on (or: mpanel-agent {option}run)"));
    lines.push(String::new());
    lines.join("\n")
}

fn print(text: &str) -> Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has read enough, as `| head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|e| Error::System(format!("cannot write the output: {e}"))),
    }
}
