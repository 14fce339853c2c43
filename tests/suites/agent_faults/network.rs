//! The network between agent and control plane, cut while a clone runs.

use std::time::{Duration, Instant};

use mpanel_tests::databases;
use mpanel_tests::fleet::{Fleet, Hosts};
use mpanel_tests::namespace::Namespace;
use mpanel_tests::relay::Relay;
use mpanel_tests::several::Several;

use super::{CLONE, PROGRAMS, active_once, agent_says, held_clone, job_until, server_until};

fn cut_time() -> Duration {
    let seconds = std::env::var("MPANEL_TEST_CUT_S").map_or(8, |text| text.parse().expect("MPANEL_TEST_CUT_S"));
    Duration::from_secs(seconds)
}

/// A clone begins, the network is cut, the clone ends meanwhile, the network is there again.
async fn a_clone_outlives(fleet: &Fleet, n: usize, cut: impl FnOnce(), mend: impl FnOnce()) {
    let id = held_clone(fleet, &format!("pod-{n}")).await;
    let host = &fleet.hosts[0];
    let done = host.agent.times_said("INFO done ");
    cut();
    let since = Instant::now();
    server_until(fleet, "is offline", |server| server["connection"]["state"] == "offline").await;
    let before = job_until(fleet, &id, "waits for the agent", |job| !job["waits_for"].is_null()).await;
    assert_eq!(before["state"], "running", "{before:#}");
    // The agent goes on by itself.
    host.sim.faults().release();
    agent_says(fleet, "INFO done ", done).await;
    // The fault itself takes this long.
    tokio::time::sleep(cut_time().saturating_sub(since.elapsed())).await;
    let job = job_until(fleet, &id, "still waits", |job| !job["waits_for"].is_null()).await;
    assert_eq!(job["progress"], before["progress"], "nothing has come through: {job:#}");
    mend();
    active_once(fleet, &id, n + 1, n + 1).await;
    assert_eq!(host.sim.faults().count("POST", CLONE), n + 1, "nothing runs twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_outlives_connections_that_are_cut() {
    for database in databases().await {
        let several = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
        let (fleet, relay, all) = (&several.fleet, &several.grpc, 0..several.planes.len());
        let (cut, mend) = (|| all.clone().for_each(|n| relay.out(n)), || all.clone().for_each(|n| relay.back(n)));
        a_clone_outlives(fleet, 0, cut, mend).await;
        // A cut so short that nobody takes the host for offline.
        let id = held_clone(fleet, "short").await;
        all.for_each(|n| relay.cut(n));
        fleet.hosts[0].sim.faults().release();
        active_once(fleet, &id, 2, 2).await;
        assert_eq!(fleet.hosts[0].sim.faults().count("POST", CLONE), 2, "nothing runs twice");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_outlives_connections_that_carry_nothing_and_are_not_closed() {
    for database in databases().await {
        let several = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
        a_clone_outlives(&several.fleet, 0, || several.grpc.stall(), || several.grpc.go_on()).await;
    }
}

/// The agent in a network of its own, from where it reaches the last control plane alone, by no relay: what that sends into
/// the network is swallowed too. Not before that one's certificate names the address: it is started anew with it.
async fn into_namespace(several: &mut Several, namespace: &Namespace) -> Relay {
    let last = several.planes.len() - 1;
    let port = several.planes[last].grpc_port();
    let url = format!("https://{}:{port}", namespace.cut);
    let host = &mut several.fleet.hosts[0];
    host.agent.kill().await;
    // Proxmox is on the agent's own host: that way is not cut.
    let proxmox = Relay::start_at(&namespace.kept.to_string(), &[host.sim.address()]).await;
    host.launcher = namespace.launcher();
    several.daemon(last).kill().await;
    let (listen, internal) = (format!("0.0.0.0:{port}"), several.planes[last].internal_url());
    let listens = [
        ("MPANEL__AGENTS__LISTEN", listen.as_str()),
        ("MPANEL__AGENTS__PUBLIC_URL", &url),
        ("MPANEL__AGENTS__INTERNAL_URL", &internal),
    ];
    several.plane_start(last, &listens);
    several.plane_ready(last).await;
    let pve = format!("https://{}", proxmox.address);
    let settings = [("MPANEL_AGENT_CONTROL_PLANE_URL", url.as_str()), ("MPANEL_AGENT_PROXMOX_URL", pve.as_str())];
    let host = &mut several.fleet.hosts[0];
    let before = host.agent.times_said("session begun");
    host.agent_start(&settings);
    agent_says(&several.fleet, "session begun", before).await;
    proxmox
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clone_outlives_a_network_that_swallows_every_packet() {
    let Some(namespace) = Namespace::create() else { return };
    for database in databases().await {
        let mut several = Several::as_applies(PROGRAMS, database, Hosts::Apart(1), &[]).await;
        let _proxmox = into_namespace(&mut several, &namespace).await;
        a_clone_outlives(&several.fleet, 0, || namespace.swallow(), || namespace.let_through()).await;
    }
}
