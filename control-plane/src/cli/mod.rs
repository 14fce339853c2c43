//! The command line: what runs the control plane, and [`remote`], a client of its REST API.

mod account;
mod audit;
mod backup;
mod client;
mod common;
mod connection;
mod console;
mod customer;
mod drift;
mod failure;
mod humane;
mod image;
mod invariants;
mod ip_pool;
mod job;
mod login;
mod output;
mod plan;
mod pod;
mod pod_migrate;
mod pod_operations;
mod remote;
mod serve;
mod server;
mod server_args;
mod server_drain;
mod server_endpoint;
mod session;
mod snapshot;
mod table;
mod tenant;
mod terminal;
mod token;
mod upkeep;
mod user;
mod wait;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::http::problem::chain;

/// mPanel: provisions VMs on Proxmox VE hosts. Runs the control plane, and commands it
#[derive(Parser)]
#[command(name = "mpanel", version, arg_required_else_help = true, after_help = remote::AFTER_HELP)]
struct Cli {
    /// The configuration of `serve`, `config` and `token` [default: /etc/mpanel/mpanel.toml, if it exists]
    #[arg(
        long,
        global = true,
        env = "MPANEL_CONFIG",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Configuration"
    )]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: remote::Options,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant)] // There is one of it in a process.
enum Command {
    /// Run the control plane
    #[command(after_help = "Example:\n  mpanel --config /etc/mpanel/mpanel.toml serve")]
    Serve,
    /// Print the annotated default configuration, or check the present one
    #[command(after_help = "Example:\n  mpanel config > mpanel.toml")]
    Config {
        #[command(subcommand)]
        command: Option<ConfigCommand>,
    },
    /// API tokens, and the platform's own
    #[command(subcommand)]
    Token(TokenCommand),
    #[command(flatten)]
    Remote(remote::Remote),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  mpanel completions bash > /etc/bash_completion.d/mpanel")]
    Completions {
        /// For which shell
        shell: Shell,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with the present configuration
    #[command(after_help = "Example:\n  mpanel --config mpanel.toml config check")]
    Check,
}

#[derive(Subcommand)]
enum TokenCommand {
    /// Replace the platform's token by a new one and print it. Works on the database itself: the way back in for who has
    /// lost the token
    #[command(after_help = "Example:\n  mpanel token rotate")]
    Rotate,
    #[command(flatten)]
    Own(token::Command),
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Serve => load(cli.config.as_deref()).and_then(serve::run),
        Command::Config { command: None } => {
            say(config::ANNOTATED.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Config { command: Some(ConfigCommand::Check) } => load(cli.config.as_deref()).map(|_| {
            say("the configuration is in order");
            ExitCode::SUCCESS
        }),
        Command::Token(TokenCommand::Rotate) => load(cli.config.as_deref()).and_then(serve::token_rotate),
        Command::Token(TokenCommand::Own(command)) => return remote::run(remote::Remote::Token(command), cli.options),
        Command::Remote(command) => return remote::run(command, cli.options),
        Command::Completions { shell } => return completions(shell),
    };
    done.unwrap_or_else(|error| fail(&error))
}

fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "mpanel", &mut script);
    output::finish(output::Out::new(false, false), output::raw(&script))
}

fn load(file: Option<&Path>) -> Result<Config> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Config::load(file, std::env::vars_os().filter_map(text))
}

/// A line for whoever runs this. Where nobody reads it, the control plane runs on all the same.
fn say(line: &str) {
    let _ = output::raw(format!("{line}\n").as_bytes());
}

fn fail(error: &Error) -> ExitCode {
    let text = match error {
        Error::Invalid(fields) => {
            let lines: Vec<_> = fields.iter().map(|f| format!("mpanel: {}: {}\n", f.field, f.message)).collect();
            lines.concat()
        }
        Error::Internal(cause) => format!("mpanel: {}\n", chain(cause.as_ref())),
        other => format!("mpanel: {other}\n"),
    };
    // Where even standard error is closed there is nobody left to tell.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_an_example() {
        Cli::command().debug_assert();
        check_examples(&Cli::command());
        check_names(&Cli::command(), &[]);
    }

    #[test]
    fn the_readme_names_only_commands_that_there_are() {
        let readme = include_str!("../../../README.md");
        let lines: Vec<_> = readme.lines().filter_map(|line| line.strip_prefix("    mpanel ")).collect();
        let (tables, commands): (Vec<&str>, Vec<&str>) = lines.into_iter().partition(|line| line.contains('|'));
        assert!(tables.len() >= 4 && commands.len() >= 5, "{tables:?} {commands:?}");
        for line in commands {
            let line = line.split(" >").next().and_then(|line| line.split(" #").next()).unwrap_or_default();
            if let Err(error) = Cli::try_parse_from(["mpanel"].into_iter().chain(line.split_whitespace())) {
                panic!("mpanel {line}: {error}");
            }
        }
        for table in tables {
            let (nouns, verbs) = table.split_once(char::is_whitespace).unwrap();
            for path in nouns.split('|').flat_map(|noun| verbs.trim().split('|').map(move |verb| (noun, verb))) {
                let noun = Cli::command().find_subcommand(path.0).cloned();
                assert!(noun.is_some_and(|noun| noun.find_subcommand(path.1).is_some()), "{path:?}");
            }
        }
    }

    /// No argument has the name of one that every command takes: who asked for either would be given the other.
    fn check_names(command: &clap::Command, inherited: &[&clap::Id]) {
        for argument in command.get_arguments() {
            let id = argument.get_id();
            assert!(!inherited.contains(&id), "{}: {id} stands twice", command.get_name());
        }
        let own = command.get_arguments().filter(|argument| argument.is_global_set()).map(clap::Arg::get_id);
        let all: Vec<_> = inherited.iter().copied().chain(own).collect();
        command.get_subcommands().for_each(|sub| check_names(sub, &all));
    }

    fn check_examples(command: &clap::Command) {
        if command.has_subcommands() {
            command.get_subcommands().filter(|sub| sub.get_name() != "help").for_each(check_examples);
        } else {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example:\n  mpanel "), "{} has no example", command.get_name());
        }
    }
}
