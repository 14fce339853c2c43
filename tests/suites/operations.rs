//! Everything that can be done to a pod, over REST and by the command line, with real control planes, a real agent and the simulated
//! server.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "operations/commands.rs"]
mod commands;
#[path = "operations/contract.rs"]
mod contract;
#[path = "operations/rest.rs"]
mod rest;

use std::time::Duration;

use mpanel_tests::fleet::{Fleet, Programs};
use mpanel_tests::{TestDatabase, eventually};
use serde_json::{Value, json};

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
/// In its first minute an agent is careful with what must not be done twice: it may have forgotten that it did it.
const SOON: Duration = Duration::from_mins(2);

/// A host with a CD and a storage for backups, and a pod `web-1` that runs there; its id.
async fn furnished(database: TestDatabase) -> (Fleet, String) {
    let fleet = Fleet::start(PROGRAMS, database, 1).await;
    assert!(fleet.hosts[0].sim.hand().add_iso("local", "rescue.iso", 1 << 20));
    fleet.api.patch("/api/platform/servers/pve1", &json!({ "backup_storage": "local" })).await.expect(200);
    let pod = fleet.create_answered("web-1", "web-1").await;
    fleet.pod_until(&pod, &["active"]).await;
    (fleet, pod)
}

/// Waits for a job's end.
async fn over(fleet: &Fleet, job: &str) -> Value {
    eventually(&format!("the end of {job}"), SOON, async || {
        let job = fleet.api.get(&format!("/api/platform/provisioning/jobs/{job}")).await.expect(200);
        ["succeeded", "failed", "cancelled", "stuck"].contains(&job["state"].as_str()?).then_some(job)
    })
    .await
}
