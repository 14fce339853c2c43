//! The connection test: what the control plane can tell by itself, then what the agent finds on its host.

use std::time::Duration;

use super::facts::{Check, CheckState, ProbeReport, ProbeSpec};
use super::identity::certificate_not_after;
use super::service::Service;
use super::{ConnectionState, Server};
use crate::clock::{Ms, Stopwatch};
use crate::domain::jobs::command::NotConnected;
use crate::error::Result;

/// The whole test answers within 10 s; this much of it is the agent's.
const PROBE_WITHIN: Duration = Duration::from_secs(9);
/// A clock that is further off is worth a look, and a clock that is this far off breaks certificates.
const SKEW_WARN: Duration = Duration::from_secs(5);
const SKEW_FAIL: Duration = Duration::from_mins(5);
const ROUND_TRIP_WARN: Duration = Duration::from_secs(1);
/// Agents renew at half of a certificate's life of a day; one with less than this left did not.
const CERTIFICATE_WARN: Duration = Duration::from_hours(6);

/// What a connection test found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestReport {
    /// The worst of all checks.
    pub state: CheckState,
    /// In the order in which they were made.
    pub checks: Vec<Check>,
    /// What the whole test took.
    pub took: Duration,
}

impl Service {
    /// Tests the connection to a server and what is needed on it. `templates`: those that active images expect there. Answers
    /// within 10 s; of a server whose agent is away it says what can be said.
    pub async fn server_test_connection(&self, server: &Server, templates: Vec<u32>) -> Result<TestReport> {
        let watch = Stopwatch::start();
        let offered: Vec<String> = server.storages.iter().filter(|s| s.offered).map(|s| s.name.clone()).collect();
        let not_after = {
            let mut read = self.db.read().await?;
            certificate_not_after(read.conn(), server.id).await?
        };
        let spec = ProbeSpec { storages: offered, bridges: vec![server.bridge.clone()], templates };
        let answer = self.prober.probe(server.id, spec, PROBE_WITHIN).await;
        let now = self.clock.now();
        let mut checks = vec![session_check(server, answer.is_ok(), now)];
        if let Ok(report) = &answer {
            checks.push(round_trip_check(report));
            checks.push(skew_check(report.clock, now));
        }
        checks.push(certificate_check(not_after, now));
        checks.push(version_check(server.seen.agent_version.as_deref()));
        checks.push(record_check(server));
        match answer {
            Ok(report) => {
                checks.extend(report.checks);
                if !report.complete {
                    checks.push(fail(
                        "agent",
                        "the agent did not finish its checks in time",
                        "look at the agent's log: journalctl -u mpanel-agent",
                    ));
                }
            }
            Err(NotConnected) => checks.push(warn(
                "agent",
                "what only the agent can see (Proxmox, permissions, storages, bridges, templates) was not checked",
                "bring the agent back as said above, and test again",
            )),
        }
        let state = checks.iter().map(|c| c.state).max_by_key(|s| severity(*s)).unwrap_or(CheckState::Ok);
        Ok(TestReport { state, checks, took: watch.elapsed() })
    }
}

fn severity(state: CheckState) -> u8 {
    match state {
        CheckState::Ok => 0,
        CheckState::Warn => 1,
        CheckState::Fail => 2,
    }
}

fn check(state: CheckState, name: &str, message: impl Into<String>, advice: impl Into<String>) -> Check {
    Check { name: name.to_owned(), state, took_ms: 0, message: message.into(), advice: advice.into() }
}

fn ok(name: &str, message: impl Into<String>) -> Check {
    check(CheckState::Ok, name, message, "")
}

fn warn(name: &str, message: impl Into<String>, advice: impl Into<String>) -> Check {
    check(CheckState::Warn, name, message, advice)
}

fn fail(name: &str, message: impl Into<String>, advice: impl Into<String>) -> Check {
    check(CheckState::Fail, name, message, advice)
}

fn session_check(server: &Server, here: bool, now: Ms) -> Check {
    let (name, since) = ("session", server.connection.since.to_rfc3339());
    match server.connection.state {
        _ if here => ok(name, format!("the agent is connected since {since}")),
        ConnectionState::Online => warn(
            name,
            "the agent has just left, or the control plane that it is connected to did not answer",
            "test again in half a minute",
        ),
        ConnectionState::Pending => fail(
            name,
            "no agent ever connected",
            "run the enrolment command on the host; a new one is given by POST …/enrolment-token",
        ),
        ConnectionState::Offline => {
            let last = server
                .seen
                .last_seen_at
                .map_or_else(String::new, |at| format!(", last heard {} s ago", now.since(at).as_secs()));
            fail(
                name,
                format!("the agent is offline since {since}{last}"),
                "on the host: systemctl status mpanel-agent, and see that it reaches the control plane's agents address; \
                 if its certificate ended meanwhile, enrol it again",
            )
        }
    }
}

fn round_trip_check(report: &ProbeReport) -> Check {
    let took_ms = report.round_trip.as_millis() as u64;
    let mut line = if report.round_trip > ROUND_TRIP_WARN {
        warn("round_trip", format!("the agent answered after {took_ms} ms"), "look at the network and the host's load")
    } else {
        ok("round_trip", format!("the agent answered after {took_ms} ms"))
    };
    line.took_ms = took_ms;
    line
}

fn skew_check(clock: Option<Ms>, now: Ms) -> Check {
    let Some(clock) = clock else {
        return warn("clock", "the agent did not tell its time", "update the agent");
    };
    let skew = now.since(clock).max(clock.since(now));
    let text = format!("the host's clock is {:.1} s off", skew.as_secs_f64());
    let advice = "set the clock by NTP on the host and on the control plane (systemctl status chrony)";
    if skew > SKEW_FAIL {
        fail("clock", text, advice)
    } else if skew > SKEW_WARN {
        warn("clock", text, advice)
    } else {
        ok("clock", text)
    }
}

fn certificate_check(not_after: Option<Ms>, now: Ms) -> Check {
    let name = "certificate";
    let again = "enrol the agent again: POST …/enrolment-token gives the command";
    match not_after {
        None => fail(name, "the agent has no valid certificate", again),
        Some(at) if at <= now => fail(name, format!("the agent's certificate ended at {}", at.to_rfc3339()), again),
        Some(at) if at.since(now) < CERTIFICATE_WARN => warn(
            name,
            format!("the agent's certificate ends at {}; it should have been renewed by now", at.to_rfc3339()),
            "look at the agent's log: journalctl -u mpanel-agent",
        ),
        Some(at) => ok(name, format!("the agent's certificate is good until {}", at.to_rfc3339())),
    }
}

fn version_check(agent: Option<&str>) -> Check {
    let (name, own) = ("agent_version", env!("CARGO_PKG_VERSION"));
    let minor = |version: &str| version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>();
    match agent {
        None | Some("") => warn(name, "the agent's version is not known yet", "it is told when the agent connects"),
        Some(agent) if minor(agent) == minor(own) => ok(name, format!("the agent is version {agent}")),
        Some(agent) => warn(
            name,
            format!("the agent is version {agent}, the control plane {own}"),
            "update the older of the two; they work together, but only with what both know",
        ),
    }
}

fn record_check(server: &Server) -> Check {
    let name = "record";
    if !server.problem.is_empty() {
        return fail(name, server.problem.clone(), "see the server's problem; it goes when its cause does");
    }
    if !server.storages.iter().any(|s| s.offered) {
        let seen: Vec<_> = server.storages.iter().map(|s| s.name.as_str()).collect();
        let seen = if seen.is_empty() { String::new() } else { format!(" (the agent sees: {})", seen.join(", ")) };
        return fail(
            name,
            format!("no storage is offered to pods{seen}"),
            "PATCH the server with the storages to be used: {\"storages\":[{\"name\":\"local-lvm\"}]}",
        );
    }
    if server.is_known() {
        ok(name, format!("{} vCPU and {} MiB can be reserved", server.vcpu_capacity(), server.memory_capacity_mib()))
    } else {
        warn(name, "the host's figures and VMs are not known yet", "they come with the agent's first inventory")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_how_far_it_is_off_in_either_direction() {
        let now = Ms(1_000_000_000);
        for (clock, state) in [
            (Some(now), CheckState::Ok),
            (Some(now.plus(Duration::from_secs(6))), CheckState::Warn),
            (Some(now.minus(Duration::from_secs(6))), CheckState::Warn),
            (Some(now.minus(Duration::from_mins(10))), CheckState::Fail),
            (None, CheckState::Warn),
        ] {
            assert_eq!(skew_check(clock, now).state, state, "{clock:?}");
        }
    }

    #[test]
    fn a_certificate_that_was_not_renewed_in_time_is_noticed() {
        let now = Ms(1_000_000_000);
        for (not_after, state) in [
            (None, CheckState::Fail),
            (Some(now), CheckState::Fail),
            (Some(now.plus(Duration::from_mins(1))), CheckState::Warn),
            (Some(now.plus(Duration::from_hours(12))), CheckState::Ok),
        ] {
            assert_eq!(certificate_check(not_after, now).state, state, "{not_after:?}");
        }
    }
}
