//! The pods in figures, and whether what is shown of them is of now.

use control_plane::execute;
use control_plane::ids::{CloudPodId, ImageId, PlanId, ServerId, TenantId};
use mpanel_tests::people::{member, staff};
use mpanel_tests::{TestApp, databases};
use serde_json::{Value, json};

use super::{Host, at_rest, catalogue};

/// A pod's row.
pub async fn pod(
    app: &TestApp,
    (tenant, plan, image): (TenantId, PlanId, ImageId),
    (state, power): (&str, &str),
    server: Option<ServerId>,
) -> CloudPodId {
    const SQL: &str = "
        INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id, vcpu, memory_mib,
                               disk_gib, placement, ssh_keys, cloud_init_user, version, created_at, updated_at, deleted_at, server_id)
        VALUES ($1, $2, $3, $4, 'running', $5, $6, $7, 1, 256, 2, '{}', '{\"keys\": []}', 'debian', 1, 1, 1, $8, $9)";
    let (id, deleted_at) = (CloudPodId::generate(), (state == "deleted").then_some(1_i64));
    let mut tx = app.running.app.db.begin().await.unwrap();
    execute!(
        tx.conn(),
        SQL,
        id,
        tenant,
        format!("pod-{}", id.0.simple()),
        state,
        power,
        plan,
        image,
        deleted_at,
        server
    )
    .unwrap();
    tx.commit().await.unwrap();
    id
}

#[tokio::test]
async fn pods_are_counted_by_state_and_power_in_each_scope() {
    for database in databases().await {
        let app = at_rest(&database).await;
        let (home, other) = (catalogue(&app).await, catalogue(&app).await);
        for (of, state, power) in [
            (home, "active", "running"),
            (home, "active", "running"),
            (home, "active", "stopped"),
            (home, "failed", "unknown"),
            (home, "deleted", "unknown"),
            (other, "active", "paused"),
            (other, "active", "unknown"),
            (other, "suspended", "stopped"),
            (other, "requested", "unknown"),
            (other, "provisioning", "unknown"),
            (other, "deleting", "running"),
        ] {
            pod(&app, of, (state, power), None).await;
        }
        let counts = |total: u64, by_state: [u64; 6], by_power: [u64; 4]| {
            json!({
                "total": total,
                "by_state": {
                    "requested": by_state[0], "provisioning": by_state[1], "active": by_state[2], "suspended": by_state[3],
                    "deleting": by_state[4], "failed": by_state[5],
                },
                "active_by_power": {
                    "running": by_power[0], "stopped": by_power[1], "paused": by_power[2], "unknown": by_power[3],
                },
            })
        };
        let all = counts(10, [1, 1, 5, 1, 1, 1], [2, 1, 1, 1]);
        let own = counts(4, [0, 0, 3, 0, 0, 1], [2, 1, 0, 0]);
        let boss = staff(&app, "boss@platform.example").await.api;
        for path in ["/api/platform/provisioning", "/api/admin/hosting", "/api/provisioning"] {
            let path = format!("{path}/cloudpods/counts");
            assert_eq!(boss.get(&path).await.expect(200), all, "{path} on {}", database.name);
            let narrowed = boss.get(&format!("{path}?tenant_id={}", home.0)).await.expect(200);
            assert_eq!(narrowed, own, "{path} on {}", database.name);
        }
        let billing = member(&app, &home.0.to_string(), "BILLING", "billing@home.example").await.api;
        for path in ["/api/admin/hosting/cloudpods/counts", "/api/provisioning/cloudpods/counts"] {
            assert_eq!(billing.get(path).await.expect(200), own, "{path}");
            billing.get(&format!("{path}?tenant_id={}", other.0)).await.expect_problem(404, "not_found");
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn what_is_shown_of_a_pod_says_since_when_its_host_is_not_heard() {
    for database in databases().await {
        let app = at_rest(&database).await;
        let of = catalogue(&app).await;
        let lost = Host { connection: "offline", silent_s: 90, ..Host::new("pve1") }.insert(&app).await;
        let heard = Host::new("pve2").insert(&app).await;
        let reader = member(&app, &of.0.to_string(), "MEMBER", "member@home.example").await.api;
        for (server, stale_since) in
            [(Some(lost), json!("2026-11-01T11:58:30Z")), (Some(heard), Value::Null), (None, Value::Null)]
        {
            let id = pod(&app, of, ("active", "running"), server).await;
            let shown = reader.get(&format!("/api/provisioning/cloudpods/{id}")).await.expect(200);
            assert_eq!(shown["stale_since"], stale_since, "{} {shown}", database.name);
        }
        let list = reader.get("/api/provisioning/cloudpods?sort=created_at").await.expect(200);
        assert_eq!(list["items"][0]["stale_since"], "2026-11-01T11:58:30Z");
        app.stop().await;
    }
}
