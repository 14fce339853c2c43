//! `mpanel serve`, and what works on the database itself.

use std::process::ExitCode;

use tokio::runtime::Runtime;

use super::say;
use crate::app::{App, Surroundings};
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::domain::secrets::Secret;
use crate::domain::tokens;
use crate::error::{Error, Result};
use crate::lifecycle::{self, Running};
use crate::telemetry;

/// Runs the control plane until it is told to stop.
pub(super) fn run(config: Config) -> Result<ExitCode> {
    telemetry::log(&config.log)?;
    let surroundings = Surroundings {
        clock: Clock::system(),
        bootstrap_token: environment(tokens::ENVIRONMENT),
        secret_key: environment("MPANEL_SECRET_KEY"),
    };
    let runtime = Runtime::new().map_err(Error::internal)?;
    let orderly = runtime.block_on(async {
        let running = App::start(config, surroundings).await?;
        greet(&running);
        lifecycle::run(running).await
    })?;
    if !orderly {
        // Whatever still runs is not waited for: somebody asked twice.
        runtime.shutdown_background();
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Replaces the platform's token.
pub(super) fn token_rotate(config: Config) -> Result<ExitCode> {
    let runtime = Runtime::new().map_err(Error::internal)?;
    let file = config.http.bootstrap_token_file;
    let token = runtime.block_on(async {
        let db = Db::open(&config.database.url).await?;
        let tokens = tokens::service::Service::new(db.clone(), Clock::system());
        let token = tokens.token_rotate(file.as_deref()).await;
        db.close().await;
        token
    })?;
    match file {
        Some(file) => say(&format!("the new token is in {}; the old one is no longer valid", file.display())),
        None => say(token.expose()),
    }
    Ok(ExitCode::SUCCESS)
}

fn environment(name: &str) -> Option<Secret<String>> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(Secret::new)
}

fn greet(running: &Running) {
    let url = running.url();
    say(&format!("mPanel listens on {url}"));
    match (&running.bootstrap_token, &running.app.config.http.bootstrap_token_file) {
        (Some(_), Some(file)) => say(&format!("the platform's token is in {}", file.display())),
        (Some(token), None) => {
            say("the platform's token, shown this once (only its hash is kept):");
            say(&format!("    {}", token.expose()));
        }
        (None, _) => say("the platform's token is as it was; `mpanel token rotate` replaces a lost one"),
    }
    say("next: register a Proxmox VE host");
    say(&format!("    export MPANEL_URL={url} MPANEL_TOKEN=<the token>"));
    say("    mpanel server add pve1 --storage local-lvm");
    say(&format!("the API is described at {url}/api/docs (any user name, the token as password)"));
}
