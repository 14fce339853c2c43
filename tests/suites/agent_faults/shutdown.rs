//! SIGTERM while many pods are being made: to the control plane, and to the agents.

use std::time::Duration;

use mpanel_tests::fleet::{Client, DEADLINE, Fleet};
use mpanel_tests::{databases, eventually};
use pve_sim::{TaskAction, TaskFault};

use super::{PROGRAMS, job_until};

const PODS: usize = 30;
/// Longer than either daemon's grace time.
const GRACE: Duration = Duration::from_mins(1);

/// Waits until so many clones run or have run.
async fn under_way(fleet: &Fleet, clones: usize) {
    let start = std::time::Instant::now();
    eventually(&format!("{clones} clones"), DEADLINE * 2, async || {
        let begun: usize = fleet.hosts.iter().map(|host| host.sim.faults().count("POST", super::CLONE)).sum();
        let late = start.elapsed() > DEADLINE;
        assert!(!late, "{begun} of {clones} clones:\n{}\n{}", fleet.control.tail(), fleet.hosts[0].agent.tail());
        (begun >= clones).then_some(())
    })
    .await;
}

async fn stop_and_start(fleet: &mut Fleet) {
    under_way(fleet, 4).await;
    let status = fleet.control.stop(GRACE).await;
    assert!(status.success(), "it ends in order:\n{}", fleet.control.tail());
    fleet.control_start(&[]);
    fleet.ready().await;
    under_way(fleet, 8).await;
    for host in &mut fleet.hosts {
        let status = host.agent.stop(GRACE).await;
        assert!(status.success(), "it ends in order:\n{}", host.agent.tail());
        host.agent_start(&[]);
    }
    under_way(fleet, 14).await;
    let (control, agent) = (fleet.control.stop(GRACE), fleet.hosts[0].agent.stop(GRACE));
    let (control, agent) = tokio::join!(control, agent);
    assert!(control.success() && agent.success(), "both at once:\n{}", fleet.control.tail());
    fleet.control_start(&[]);
    fleet.hosts[0].agent_start(&[]);
    fleet.ready().await;
}

async fn told_to_stop_under_load(fleet: &mut Fleet) {
    let slow = |kind: &str| TaskFault {
        kind: kind.to_owned(),
        id: None,
        skip: 0,
        times: None,
        action: TaskAction::Slow { ms: 400 },
    };
    for host in &fleet.hosts {
        host.sim.faults().add_task(slow("qmclone"));
    }
    let client = Client(fleet.api.clone());
    let (ids, ()) = tokio::join!(client.create_many("pod", PODS as u64), stop_and_start(fleet));
    for id in ids {
        let job = job_until(fleet, &id, "ends", |job| job["finished_at"].is_string() || job["state"] == "stuck").await;
        assert_eq!(job["state"], "succeeded", "{} {job:#}", fleet.database.name);
    }
    assert_eq!(fleet.invariants().await, PODS, "{}", fleet.database.name);
    let made: usize = fleet.hosts.iter().map(mpanel_tests::fleet::Host::vms_ever_made).sum();
    assert_eq!(made, PODS, "each VM was made once");
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_under_load_both_daemons_end_in_order_and_nothing_is_lost_or_done_twice() {
    for database in databases().await {
        let mut fleet = Fleet::start(PROGRAMS, database, 2).await;
        told_to_stop_under_load(&mut fleet).await;
    }
}
