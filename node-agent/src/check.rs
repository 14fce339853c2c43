//! `mpanel-agent check`: everything that must be right for this agent to work, one line each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::error::Result;
use crate::identity::{Identity, IdentityStore};
use crate::ledger::{self, OpenError};
use crate::proxmox::{Check, CheckState, Hypervisor, ProbeSpec};
use crate::session::dial;

/// All of Proxmox's checks together may take this long.
const PROXMOX_MAX: Duration = Duration::from_mins(1);
/// A certificate that ends sooner was not renewed when it should have been.
const CERTIFICATE_LEFT_MIN: f64 = 0.25;

/// Makes every check. `hypervisor` is what the settings lead to, or why they lead to nothing.
pub async fn run(config: &Config, hypervisor: Result<Arc<dyn Hypervisor>>, spec: &ProbeSpec) -> Vec<Check> {
    let mut checks = Vec::new();
    match IdentityStore::open(&config.agent.state_dir) {
        Ok(store) => {
            let identity = store.current();
            checks.push(identity_check(&identity));
            checks.push(control_plane_check(config, &identity).await);
        }
        Err(error) => {
            checks.push(line("identity", CheckState::Fail, Instant::now(), error.to_string(), "enrol this host first"));
        }
    }
    checks.push(ledger_check(config));
    match hypervisor {
        Ok(hypervisor) => checks.extend(proxmox_checks(hypervisor, spec).await),
        Err(error) => {
            let advice = "correct the section [proxmox] of the configuration";
            checks.push(line("proxmox", CheckState::Fail, Instant::now(), error.to_string(), advice));
        }
    }
    checks
}

fn line(name: &'static str, state: CheckState, begin: Instant, message: impl Into<String>, advice: &str) -> Check {
    let took_ms = begin.elapsed().as_millis() as u64;
    Check { name, state, took_ms, message: message.into(), advice: advice.to_owned() }
}

fn identity_check(identity: &Identity) -> Check {
    let begin = Instant::now();
    let left_ms = identity.not_after_ms - crate::clock::now_ms();
    let hours = left_ms as f64 / 3_600_000.0;
    let who = format!("server {} ({})", identity.server_name, identity.server_id);
    if left_ms <= 0 {
        let advice = "make a new token for this server at the control plane and run the command that it shows";
        return line(
            "identity",
            CheckState::Fail,
            begin,
            format!("{who}; the certificate ended {:.1} h ago", -hours),
            advice,
        );
    }
    let message = format!("{who}; the certificate ends in {hours:.1} h");
    if (left_ms as f64) < identity.lifetime_ms() as f64 * CERTIFICATE_LEFT_MIN {
        let advice = "is the agent running? It renews at half of the certificate's life: systemctl status mpanel-agent";
        return line("identity", CheckState::Warn, begin, message, advice);
    }
    line("identity", CheckState::Ok, begin, message, "")
}

async fn control_plane_check(config: &Config, identity: &Identity) -> Check {
    let begin = Instant::now();
    match dial::knock(identity, &config.control_plane).await {
        Ok(url) => line("control-plane", CheckState::Ok, begin, format!("{url} answers and knows this agent"), ""),
        Err(error) => {
            let advice = "is the address right, is the port open from here, is the control plane running?";
            line("control-plane", CheckState::Fail, begin, error.to_string(), advice)
        }
    }
}

/// Looks at the ledger and leaves it as it is: a damaged one is the agent's to put aside, as it alone then knows that it lost its memory.
fn ledger_check(config: &Config) -> Check {
    let begin = Instant::now();
    let directory = &config.agent.state_dir;
    match (ledger::peek(directory), ledger::free_mib(directory)) {
        (Err(OpenError::InUse(_)), _) => line("ledger", CheckState::Ok, begin, "in use by the running agent", ""),
        (Err(error @ OpenError::Damaged(_)), _) => {
            let advice = "look at the disk's health; when the agent starts it puts the ledger aside, begins a new one, and looks up in \
                          Proxmox what was under way";
            line("ledger", CheckState::Warn, begin, error.to_string(), advice)
        }
        (Err(error @ OpenError::Unusable(_)), _) => {
            line("ledger", CheckState::Fail, begin, error.to_string(), "look at the agent's state directory")
        }
        (Ok(_), Err(error)) => line("ledger", CheckState::Warn, begin, error, "look at the agent's state directory"),
        (Ok(_), Ok(free)) if free < ledger::FREE_MIB_MIN => {
            let text = format!("only {free} MiB are free; {} are needed", ledger::FREE_MIB_MIN);
            line("ledger", CheckState::Fail, begin, text, "free space on the disk of the agent's state directory")
        }
        (Ok(None), Ok(free)) => {
            let text = format!("none yet, {free} MiB free; the agent begins one when it starts");
            line("ledger", CheckState::Ok, begin, text, "")
        }
        (Ok(Some(entries)), Ok(free)) => {
            let open = entries.iter().filter(|entry| entry.is_open()).count();
            line("ledger", CheckState::Ok, begin, format!("readable, {open} commands open, {free} MiB free"), "")
        }
    }
}

async fn proxmox_checks(hypervisor: Arc<dyn Hypervisor>, spec: &ProbeSpec) -> Vec<Check> {
    let begin = Instant::now();
    let found = Mutex::new(Vec::new());
    let lock = || found.lock().unwrap_or_else(PoisonError::into_inner);
    let tell = |check: Check| lock().push(check);
    let is_late = tokio::time::timeout(PROXMOX_MAX, hypervisor.probe(spec, &tell)).await.is_err();
    let mut checks = std::mem::take(&mut *lock());
    if is_late {
        let text = format!("Proxmox did not answer all checks within {} s", PROXMOX_MAX.as_secs());
        checks.push(line(
            "proxmox",
            CheckState::Fail,
            begin,
            text,
            "look at the host's load and at `systemctl status pveproxy`",
        ));
    }
    checks
}

/// The checks as a table for people.
pub fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut lines = Vec::new();
    for Check { name, state, took_ms, message, advice } in checks {
        let word = state_word(*state);
        lines.push(format!("{word:<4}  {name:<width$}  {took_ms:>6} ms  {message}\n"));
        if !advice.is_empty() {
            lines.push(format!("{:<width$}                   → {advice}\n", ""));
        }
    }
    lines.concat()
}

/// The checks for scripts.
pub fn json(checks: &[Check]) -> serde_json::Value {
    let line = |check: &Check| {
        serde_json::json!({
            "name": check.name,
            "state": state_word(check.state),
            "took_ms": check.took_ms,
            "message": check.message,
            "advice": check.advice,
        })
    };
    let state = checks.iter().map(|check| check.state).max_by_key(|state| rank(*state)).map_or("ok", state_word);
    serde_json::json!({ "state": state, "checks": checks.iter().map(line).collect::<Vec<_>>() })
}

fn rank(state: CheckState) -> u8 {
    match state {
        CheckState::Ok => 0,
        CheckState::Warn => 1,
        CheckState::Fail => 2,
    }
}

fn state_word(state: CheckState) -> &'static str {
    match state {
        CheckState::Ok => "ok",
        CheckState::Warn => "warn",
        CheckState::Fail => "fail",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_ledger_is_told_of_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        config.agent.state_dir = directory.path().to_owned();
        assert!(ledger_check(&config).message.starts_with("none yet"));
        let path = directory.path().join("ledger.redb");
        std::fs::write(&path, [7; 8192]).unwrap();
        assert_eq!(ledger_check(&config).state, CheckState::Warn);
        assert_eq!(std::fs::read(&path).unwrap(), [7; 8192]);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_worst_check_decides_and_advice_is_shown() {
        let check = |name, state, advice: &str| Check {
            name,
            state,
            took_ms: 3,
            message: "found".to_owned(),
            advice: advice.to_owned(),
        };
        let checks = [check("ledger", CheckState::Ok, ""), check("storage", CheckState::Warn, "look")];
        assert_eq!(json(&checks)["state"], "warn");
        assert_eq!(json(&[])["state"], "ok");
        let table = table(&checks);
        assert!(table.contains("warn  storage") && table.contains("→ look"), "{table}");
    }
}
