//! Identities of real agents: copied, renewed while a job runs, expired, enrolled again.

use mpanel_tests::fleet::{DEADLINE, Fleet, Hosts};
use mpanel_tests::several::Several;
use mpanel_tests::{databases, eventually};
use serde_json::json;

use super::{CLONE, PROGRAMS, active_once, agent_says, check_of, held_clone, server_until};

/// A new token's command, run on the host.
async fn enrol_again(fleet: &Fleet) {
    let answer = fleet.api.post("/api/platform/servers/pve1/enrolment-token", &json!({})).await;
    assert!(answer.status.is_success(), "{}", answer.text);
    let command = answer.body["command"].as_str().expect("a command").to_owned();
    let words: Vec<&str> = command.split_whitespace().skip(1).collect();
    fleet.hosts[0].agent_command(&words).await;
}

/// From now on the agent's certificates live this long.
async fn certificates_live(fleet: &mut Fleet, lifetime: &str) {
    fleet.control_set("MPANEL__AGENTS__CERTIFICATE_LIFETIME", lifetime);
    fleet.control_restart(&[]).await;
    enrol_again(fleet).await;
    // A short life is noticed at once only from the start on: it is looked every few minutes for another identity.
    let host = &mut fleet.hosts[0];
    host.agent.kill().await;
    let begun = host.agent.times_said("session begun");
    host.agent_start(&[]);
    agent_says(fleet, "session begun", begun).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_agents_with_one_identity_the_newer_has_the_session_and_nothing_runs_twice() {
    for database in databases().await {
        let mut fleet = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
        let id = held_clone(&fleet, "pod").await;
        let host = &fleet.hosts[0];
        // A disk that was copied while the agent ran.
        let copy = tempfile::tempdir().unwrap();
        let copied = std::process::Command::new("cp").arg("-a").arg(host.state_dir.join(".")).arg(copy.path()).status();
        assert!(copied.unwrap().success());
        let twin = host.agent_twin(copy.path());
        agent_says(&fleet, "ANOTHER AGENT USES THIS AGENT'S IDENTITY", 0).await;
        eventually("the newer to get the order again", DEADLINE, async || {
            (twin.times_said("started command") + twin.times_said("goes on after a restart") > 0).then_some(())
        })
        .await;
        host.sim.faults().release();
        active_once(&fleet, &id, 1, 1).await;
        assert_eq!(host.sim.faults().count("POST", CLONE), 1, "nothing runs twice");
        drop(twin);
        // The first one again: it has a result that nobody waits for any more.
        let host = &mut fleet.hosts[0];
        host.agent.kill().await;
        host.agent_start(&[]);
        let second = fleet.create_answered("second", "key-second").await;
        active_once(&fleet, &second, 2, 2).await;
        assert_eq!(fleet.hosts[0].sim.faults().count("POST", CLONE), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_while_a_job_runs_and_nothing_is_dropped() {
    for database in databases().await {
        let mut fleet = Fleet::start(PROGRAMS, database, 1).await;
        certificates_live(&mut fleet, "12s").await;
        let id = held_clone(&fleet, "pod").await;
        let epoch = fleet.hosts[0].agent.times_said("session begun");
        let renewed = fleet.api.metric("mpanel_agent_renewals_total{outcome=\"renewed\"").await;
        // Twice: the certificate that the session was begun with has ended then.
        eventually("two renewals", DEADLINE, async || {
            let now = fleet.api.metric("mpanel_agent_renewals_total{outcome=\"renewed\"").await;
            (now >= renewed + 2.0).then_some(())
        })
        .await;
        assert_eq!(fleet.hosts[0].agent.times_said("session begun"), epoch, "the session goes on");
        fleet.hosts[0].sim.faults().release();
        active_once(&fleet, &id, 1, 1).await;
        assert_eq!(fleet.hosts[0].agent.times_said("session begun"), epoch, "the session goes on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_agent_is_refused_and_enrolled_again_keeps_its_server_its_ledger_and_its_job() {
    for database in databases().await {
        let mut fleet = Fleet::start(PROGRAMS, database, 1).await;
        certificates_live(&mut fleet, "8s").await;
        let id = held_clone(&fleet, "pod").await;
        let before = server_until(&fleet, "is online", |server| server["connection"]["state"] == "online").await;
        fleet.hosts[0].agent.kill().await;
        eventually("the certificate to end", DEADLINE, async || {
            (check_of(&fleet, "certificate").await["state"] == "fail").then_some(())
        })
        .await;
        fleet.control_set("MPANEL__AGENTS__CERTIFICATE_LIFETIME", "24h");
        fleet.control_restart(&[]).await;
        let host = &mut fleet.hosts[0];
        let (refused, begun) = (host.agent.times_said("make a new token"), host.agent.times_said("session begun"));
        host.agent_start(&[]);
        agent_says(&fleet, "make a new token", refused).await;
        assert_eq!(fleet.hosts[0].agent.times_said("session begun"), begun, "it gets no session");
        fleet.hosts[0].sim.faults().release();
        // It finds its new identity by itself.
        enrol_again(&fleet).await;
        active_once(&fleet, &id, 1, 1).await;
        let after = server_until(&fleet, "is online", |server| server["connection"]["state"] == "online").await;
        assert_eq!(after["id"], before["id"]);
        assert_eq!(fleet.hosts[0].sim.faults().count("POST", CLONE), 1);
    }
}
