//! The command line.

mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::error::{Error, Result};
use crate::http::problem::chain;

/// mPanel's control plane.
#[derive(Debug, Parser)]
#[command(name = "mpanel", version, propagate_version = true)]
struct Cli {
    /// The configuration file; by default /etc/mpanel/mpanel.toml, if it exists.
    #[arg(long, global = true, env = "MPANEL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the control plane.
    Serve,
    /// Print the annotated default configuration, or check the present one.
    Config {
        #[command(subcommand)]
        command: Option<ConfigCommand>,
    },
    /// The platform's token.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Say what is wrong with the present configuration.
    Check,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Replace the platform's token by a new one and print it. Works on the database itself: the way back in for who has
    /// lost the token.
    Rotate,
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
        Command::Token { command: TokenCommand::Rotate } => load(cli.config.as_deref()).and_then(serve::token_rotate),
    };
    done.unwrap_or_else(|error| fail(&error))
}

fn load(file: Option<&Path>) -> Result<Config> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    Config::load(file, std::env::vars_os().filter_map(text))
}

/// A line for whoever runs this.
#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}

#[allow(clippy::print_stderr)]
fn fail(error: &Error) -> ExitCode {
    match error {
        Error::Invalid(fields) => {
            for field in fields {
                eprintln!("mpanel: {}: {}", field.field, field.message);
            }
        }
        Error::Internal(cause) => eprintln!("mpanel: {}", chain(cause.as_ref())),
        other => eprintln!("mpanel: {other}"),
    }
    ExitCode::FAILURE
}
