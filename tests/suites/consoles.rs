//! Consoles from a browser or the command line through real control planes and a real agent to the simulated server's screens and
//! terminals.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "consoles/attached.rs"]
mod attached;
#[path = "consoles/browser.rs"]
mod browser;

use std::net::SocketAddr;
use std::time::Duration;

use control_plane::db::Db;
use mpanel_tests::fleet::{Fleet, PODS, Programs};
use mpanel_tests::{Api, eventually};
use serde_json::{Value, json};

const PROGRAMS: Programs =
    Programs { control: env!("CARGO_BIN_EXE_mpanel-faulty"), agent: env!("CARGO_BIN_EXE_mpanel-agent-faulty") };
const SOON: Duration = Duration::from_mins(1);

/// A pod that runs; its id.
async fn pod(fleet: &Fleet) -> String {
    let id = fleet.create_answered("web-1", "web-1").await;
    fleet.pod_until(&id, &["active"]).await;
    eventually("the pod to be seen running", SOON, async || {
        let pod = fleet.api.get(&format!("{PODS}/{id}")).await.expect(200);
        (pod["observed_power"] == "running").then_some(())
    })
    .await;
    id
}

async fn ask(api: &Api, pod: &str, kind: &str) -> Value {
    api.post(&format!("{PODS}/{pod}/console"), &json!({ "kind": kind })).await.expect(201)
}

fn address(api: &Api) -> SocketAddr {
    api.url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Every console that there was: how it ended, and what the audit says of it.
async fn books(fleet: &Fleet) -> (Vec<Option<String>>, Vec<String>) {
    const CLOSED: &str = "SELECT closed_why FROM consoles WHERE redeemed_at IS NOT NULL ORDER BY id";
    const AUDITED: &str = "SELECT action FROM audit_records WHERE action LIKE 'console.%' ORDER BY id";
    let db = Db::open(&fleet.database.url).await.unwrap();
    let mut read = db.read().await.unwrap();
    let closed = control_plane::fetch_all!(read.conn(), (Option<String>,), CLOSED).unwrap();
    let audited = control_plane::fetch_all!(read.conn(), (String,), AUDITED).unwrap();
    drop(read);
    db.close().await;
    (closed.into_iter().map(|(why,)| why).collect(), audited.into_iter().map(|(action,)| action).collect())
}

/// Waits until every console is closed: why, in the order in which they were asked for.
async fn all_closed(fleet: &Fleet) -> Vec<String> {
    eventually("every console to be closed in the books", SOON, async || {
        books(fleet).await.0.into_iter().collect::<Option<Vec<_>>>()
    })
    .await
}
