//! What plots, tiles and lists are drawn from: the fleet, the pods and the jobs in figures, names beside ids, and lists in every order.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic)]

#[path = "figures/fleet.rs"]
mod fleet;
#[path = "figures/jobs.rs"]
mod jobs;
#[path = "figures/lists.rs"]
mod lists;
#[path = "figures/names.rs"]
mod names;
#[path = "figures/pods.rs"]
mod pods;

use control_plane::clock::{Clock, Ms};
use control_plane::execute;
use control_plane::ids::{ImageId, PlanId, ServerId, TenantId};
use mpanel_tests::{TestApp, TestDatabase};
use serde_json::Value;

/// When all of it is: 2026-11-01, noon.
const NOW: Ms = Ms(1_793_534_400_000);

/// A control plane whose clock stands still at [`NOW`], so that nothing changes by itself.
async fn at_rest(database: &TestDatabase) -> TestApp {
    TestApp::start_at(database, Clock::manual(NOW), |_| {}).await
}

/// A server's row.
struct Host {
    name: &'static str,
    region: &'static str,
    space: &'static str,
    threads: Option<i64>,
    overcommit: f64,
    reserved: (i64, i64),
    memory_mib: Option<i64>,
    scheduling: &'static str,
    connection: &'static str,
    /// How long it has not been heard, in seconds.
    silent_s: i64,
}

impl Host {
    /// Of 8 threads and 32 GiB, online, with nothing on it.
    fn new(name: &'static str) -> Self {
        Self {
            name,
            region: "eu",
            space: name,
            threads: Some(8),
            overcommit: 1.0,
            reserved: (0, 0),
            memory_mib: Some(32_768),
            scheduling: "online",
            connection: "online",
            silent_s: 0,
        }
    }

    async fn insert(&self, app: &TestApp) -> ServerId {
        const SQL: &str = "
            INSERT INTO servers (id, name, region, labels, bridge, vmid_space, vmid_min, vmid_max, seen_cpu_threads, cpu_overcommit,
                                 memory_mib, reserved_vcpu, reserved_memory_mib, scheduling, scheduling_since, connection,
                                 connection_since, last_seen_at, version, created_at, updated_at)
            VALUES ($1, $2, $3, '{}', 'vmbr0', $4, 100, 999, $5, $6, $7, $8, $9, $10, 0, $11, $12, $12, 1, 0, 0)";
        let Self { name, region, space, threads, overcommit, reserved, memory_mib, scheduling, connection, silent_s } =
            self;
        let (id, seen) = (ServerId::generate(), NOW.0 - silent_s * 1000);
        let mut tx = app.running.app.db.begin().await.unwrap();
        execute!(
            tx.conn(),
            SQL,
            id,
            *name,
            *region,
            *space,
            *threads,
            *overcommit,
            *memory_mib,
            reserved.0,
            reserved.1,
            *scheduling,
            *connection,
            seen
        )
        .unwrap();
        tx.commit().await.unwrap();
        id
    }
}

/// A tenant, a plan and an image, in the books alone.
async fn catalogue(app: &TestApp) -> (TenantId, PlanId, ImageId) {
    const TENANT: &str = "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, 1)";
    const PLAN: &str =
        "INSERT INTO plans (id, name, vcpu, memory_mib, disk_gib, price_minor, currency, active, version, created_at,
                                           updated_at) VALUES ($1, $2, 1, 256, 2, 500, 'EUR', TRUE, 1, 1, 1)";
    const IMAGE: &str =
        "INSERT INTO images (id, name, os, default_user, min_disk_gib, template_vmid, active, version, created_at,
                                             updated_at) VALUES ($1, $2, 'debian', 'debian', 1, 9000, TRUE, 1, 1, 1)";
    let (tenant, plan, image) = (TenantId::generate(), PlanId::generate(), ImageId::generate());
    let mut tx = app.running.app.db.begin().await.unwrap();
    execute!(tx.conn(), TENANT, tenant, format!("tenant-{tenant}")).unwrap();
    execute!(tx.conn(), PLAN, plan, format!("plan-{plan}")).unwrap();
    execute!(tx.conn(), IMAGE, image, format!("image-{image}")).unwrap();
    tx.commit().await.unwrap();
    (tenant, plan, image)
}

/// What the items of a list hold under this name.
fn column(list: &Value, name: &str) -> Vec<String> {
    let text = |item: &Value| item[name].as_str().map_or_else(|| item[name].to_string(), str::to_owned);
    list["items"].as_array().unwrap_or_else(|| panic!("no list: {list}")).iter().map(text).collect()
}
