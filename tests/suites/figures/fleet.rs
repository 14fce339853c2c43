//! The servers in figures.

use control_plane::execute;
use control_plane::ids::ServerId;
use mpanel_tests::{TestApp, databases};
use serde_json::{Value, json};

use super::{Host, NOW, at_rest, column};

const OVERVIEW: &str = "/api/platform/overview";

/// A storage's row: offered or not, shared or not, the operator's limit, its size, what is used and what is reserved of it.
async fn storage(
    app: &TestApp,
    (server, name): (ServerId, &str),
    (offered, shared): (bool, bool),
    (limit, size, used, reserved): (Option<i64>, Option<i64>, Option<i64>, i64),
) {
    const SQL: &str = "INSERT INTO server_storages (server_id, name, offered, disk_gib, seen_total_gib, seen_used_gib, active, shared,
                                                    reserved_gib) VALUES ($1, $2, $3, $4, $5, $6, TRUE, $7, $8)";
    let mut tx = app.running.app.db.begin().await.unwrap();
    execute!(tx.conn(), SQL, server, name, offered, limit, size, used, shared, reserved).unwrap();
    tx.commit().await.unwrap();
}

fn share(reserved: u64, total: u64) -> Value {
    json!({ "reserved": reserved, "total": total })
}

#[tokio::test]
async fn the_fleet_at_a_glance_adds_up_what_each_server_shows() {
    for database in databases().await {
        let app = at_rest(&database).await;
        let nothing = app.api.get(OVERVIEW).await.expect(200);
        assert_eq!((&nothing["servers"]["total"], &nothing["fullest"]), (&json!(0), &json!([])), "{}", database.name);
        assert_eq!(
            nothing["capacity"],
            json!({ "vcpu": share(0, 0), "memory_mib": share(0, 0), "disk_gib": share(0, 0) })
        );

        // 30 threads at 1.1 are 33 and not 32.99…; half of its memory is reserved.
        let first = Host { overcommit: 1.1, threads: Some(30), reserved: (3, 16_384), ..Host::new("pve1") };
        let first = first.insert(&app).await;
        let second = Host { space: "lab", connection: "offline", scheduling: "locked", ..Host::new("pve2") };
        let second = second.insert(&app).await;
        let third = Host { space: "lab", scheduling: "draining", silent_s: 25, ..Host::new("pve3") }.insert(&app).await;
        let fourth = Host { connection: "pending", threads: None, memory_mib: None, ..Host::new("pve4") };
        fourth.insert(&app).await;
        storage(&app, (first, "local"), (true, false), (Some(100), Some(500), Some(500), 60)).await;
        storage(&app, (first, "other"), (false, false), (Some(1000), None, None, 0)).await;
        // What others use of a storage is not free; and one that is shared is one.
        storage(&app, (first, "used"), (true, false), (None, Some(100), Some(90), 20)).await;
        storage(&app, (second, "ceph"), (true, true), (None, Some(1000), Some(400), 300)).await;
        storage(&app, (third, "ceph"), (true, true), (None, Some(1000), Some(400), 250)).await;

        let overview = app.api.get(OVERVIEW).await.expect(200);
        let counts = json!({
            "total": 4,
            "by_connection": { "pending": 1, "online": 1, "suspect": 1, "offline": 1 },
            "by_scheduling": { "online": 2, "locked": 1, "draining": 1 },
        });
        assert_eq!(overview["servers"], counts, "{}", database.name);
        let capacity = &overview["capacity"];
        assert_eq!((&capacity["vcpu"], &capacity["memory_mib"]), (&share(3, 49), &share(16_384, 98_304)));
        assert_eq!(capacity["disk_gib"], share(60 + 20 + 550, 100 + 30 + 1000), "{}", database.name);

        let servers = app.api.get("/api/platform/servers?sort=name").await.expect(200);
        for server in servers["items"].as_array().unwrap() {
            let full = overview["fullest"].as_array().unwrap().iter().find(|one| one["id"] == server["id"]).unwrap();
            let offered = server["storages"].as_array().unwrap().iter().filter(|one| one["offered"] == true);
            let disk = offered.fold((0, 0), |(reserved, total), one| {
                let of = |name: &str| one[name].as_u64().unwrap();
                (reserved + of("reserved_gib"), total + of("capacity_gib"))
            });
            let shown = json!({
                "id": server["id"],
                "name": server["name"],
                "vcpu": { "reserved": server["reserved"]["vcpu"], "total": server["capacity"]["vcpu"] },
                "memory_mib": { "reserved": server["reserved"]["memory_mib"], "total": server["capacity"]["memory_mib"] },
                "disk_gib": share(disk.0, disk.1),
            });
            assert_eq!(*full, shown, "{}", database.name);
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn of_many_servers_the_twelve_fullest_are_named_by_their_highest_share() {
    const GONE: &str = "UPDATE servers SET deleted_at = 1, connection = 'offline' WHERE id = $1";
    const NAMES: [&str; 14] =
        ["n00", "n01", "n02", "n03", "n04", "n05", "n06", "n07", "n08", "n09", "n10", "n11", "n12", "n13"];
    for database in databases().await {
        let app = at_rest(&database).await;
        let mut ids = Vec::new();
        for (i, name) in (0_i64..).zip(NAMES) {
            // Their vCPUs fill up from the first on; the second's disk is fuller than all else.
            let host = Host { threads: Some(20), reserved: (19 - i, 0), ..Host::new(name) };
            ids.push(host.insert(&app).await);
        }
        storage(&app, (ids[1], "local"), (true, false), (Some(100), None, None, 100)).await;
        let overview = app.api.get(OVERVIEW).await.expect(200);
        let names = column(&json!({ "items": overview["fullest"] }), "name");
        let (mut expected, rest) = (vec!["n01", "n00"], &NAMES[2..12]);
        expected.extend(rest);
        assert_eq!(names, expected, "{}", database.name);
        assert_eq!(overview["servers"]["total"], 14);
        let mut tx = app.running.app.db.begin().await.unwrap();
        execute!(tx.conn(), GONE, ids[1]).unwrap();
        tx.commit().await.unwrap();
        let overview = app.api.get(OVERVIEW).await.expect(200);
        assert_eq!((&overview["servers"]["total"], &overview["fullest"][0]["name"]), (&json!(13), &json!("n00")));
        assert_eq!(overview["capacity"]["disk_gib"], share(0, 0), "a deleted server has none");
        app.stop().await;
    }
}

#[tokio::test]
async fn samples_of_a_server_s_health_are_put_together_by_steps() {
    const SQL: &str =
        "INSERT INTO server_health (server_id, at, cpu_load, memory_used_mib, memory_total_mib, storage_used_gib,
                                                  storage_total_gib) VALUES ($1, $2, $3, $4, 1000, 5, 10)";
    for database in databases().await {
        let app = at_rest(&database).await;
        let server = Host::new("pve1").insert(&app).await;
        let hour = 3_600_000;
        let mut tx = app.running.app.db.begin().await.unwrap();
        for (before, load, memory) in
            [(26 * hour, 0.9, 900), (2 * hour, 0.2, 100), (2 * hour - 30_000, 0.6, 300), (60_000, 0.5, 500)]
        {
            execute!(tx.conn(), SQL, server, NOW.0 - before, load, memory).unwrap();
        }
        tx.commit().await.unwrap();
        let health = "/api/platform/servers/pve1/health";
        let raw = app.api.get(health).await.expect(200);
        assert_eq!((&raw["step_s"], raw["items"].as_array().unwrap().len()), (&Value::Null, 3), "{}", database.name);
        assert_eq!((&raw["items"][0]["samples"], &raw["items"][0]["cpu_load_max"]), (&json!(1), &json!(0.2)));
        let steps = app.api.get(&format!("{health}?step=3600")).await.expect(200);
        assert_eq!((&steps["step_s"], &steps["truncated"]), (&json!(3600), &json!(false)));
        assert_eq!(column(&steps, "at"), ["2026-10-31T10:00:00Z", "2026-11-01T10:00:00Z", "2026-11-01T11:00:00Z"]);
        let two = &steps["items"][1];
        assert!((two["cpu_load"].as_f64().unwrap() - 0.4).abs() < 1e-9, "{two}");
        assert_eq!((&two["cpu_load_max"], &two["samples"]), (&json!(0.6), &json!(2)));
        assert_eq!(
            (&two["memory_used_mib"], &two["memory_used_max_mib"]),
            (&json!(200), &json!(300)),
            "{}",
            database.name
        );
        let month = app.api.get(&format!("{health}?step=10800&since=2026-10-02T00:00:00Z")).await.expect(200);
        assert_eq!(column(&month, "at"), ["2026-10-31T09:00:00Z", "2026-11-01T09:00:00Z"], "three hours are one step");
        for (query, field) in [
            ("?step=61", "step"),
            ("?step=60&limit=5", "limit"),
            ("?step=60&since=2026-10-02T00:00:00Z", "since"),
            ("?step=60&since=2026-11-02T00:00:00Z", "since"),
        ] {
            assert!(!app.api.get(&format!("{health}{query}")).await.expect_field(field).is_empty(), "{query}");
        }
        app.stop().await;
    }
}
