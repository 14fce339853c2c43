//! The jobs in figures.

use control_plane::execute;
use control_plane::ids::{JobId, TenantId};
use mpanel_tests::people::{member, staff, tenant};
use mpanel_tests::{TestApp, databases};
use serde_json::{Value, json};

use super::{NOW, at_rest, column};

const HISTORY: &str = "/api/provisioning/jobs/history";
const MINUTE: i64 = 60_000;

/// A job's row that ended, or got stuck, so many milliseconds ago.
pub async fn job(app: &TestApp, tenant: Option<TenantId>, state: &str, before: i64) -> JobId {
    const SQL: &str = "
        INSERT INTO jobs (id, tenant_id, kind, state, params, step, step_count, attempt, attempts_max, run_at, epoch,
                          cancel_requested, step_progress, created_by, created_at, finished_at, updated_at)
        VALUES ($1, $2, 'start', $3, '{}', 0, 1, 1, 1, 4102444800000, 9, FALSE, 0, 'system:test', 1, $4, $5)";
    let (id, at) = (JobId::generate(), NOW.0 - before);
    let finished_at = ["succeeded", "failed", "cancelled"].contains(&state).then_some(at);
    let mut tx = app.running.app.db.begin().await.unwrap();
    execute!(tx.conn(), SQL, id, tenant, state, finished_at, at).unwrap();
    tx.commit().await.unwrap();
    id
}

/// The steps in which something ended: how long before now they begin, in minutes, and the four figures.
fn ended(history: &Value) -> Vec<(i64, [u64; 4])> {
    let items = history["items"].as_array().unwrap();
    let figures = |item: &Value| ["succeeded", "failed", "cancelled", "stuck"].map(|name| item[name].as_u64().unwrap());
    let at = |item: &Value| control_plane::clock::Ms::from_rfc3339(item["at"].as_str().unwrap()).unwrap().0;
    let some = items.iter().filter(|item| figures(item) != [0; 4]);
    some.map(|item| ((NOW.0 - at(item)) / MINUTE, figures(item))).collect()
}

#[tokio::test]
async fn jobs_that_ended_are_counted_by_steps_of_time_in_each_scope() {
    for database in databases().await {
        let app = at_rest(&database).await;
        let home = tenant(&app, "home").await;
        let of: TenantId = home.parse().unwrap();
        for (tenant, state, before) in [
            (Some(of), "succeeded", 1),
            (Some(of), "succeeded", 4 * MINUTE),
            (Some(of), "failed", 4 * MINUTE),
            (None, "cancelled", 7 * MINUTE),
            (None, "stuck", 12 * MINUTE),
            (Some(of), "queued", 2 * MINUTE),
            (None, "succeeded", 3 * 24 * 60 * MINUTE),
        ] {
            job(&app, tenant, state, before).await;
        }
        let boss = staff(&app, "boss@platform.example").await.api;
        let all = [(15, [0, 0, 0, 1]), (10, [0, 0, 1, 0]), (5, [2, 1, 0, 0])];
        for path in [HISTORY, "/api/platform/provisioning/jobs/history"] {
            let day = boss.get(path).await.expect(200);
            assert_eq!((&day["step_s"], day["items"].as_array().unwrap().len()), (&json!(300), 288), "{day}");
            assert_eq!(ended(&day), all, "{path} on {}", database.name);
        }
        let minutes = boss.get(&format!("{HISTORY}?step=60&since=2026-11-01T11:55:00Z")).await.expect(200);
        assert_eq!(minutes["items"].as_array().unwrap().len(), 5, "{}", database.name);
        assert_eq!(ended(&minutes), [(4, [1, 1, 0, 0]), (1, [1, 0, 0, 0])]);
        let hours = "?step=3600&since=2026-10-27T00:00:00Z&until=2026-10-30T00:00:00Z";
        let hours = boss.get(&format!("{HISTORY}{hours}")).await.expect(200);
        assert_eq!((ended(&hours), hours["items"].as_array().unwrap().len()), (vec![(3 * 24 * 60, [1, 0, 0, 0])], 72));

        let worker = member(&app, &home, "MEMBER", "member@home.example").await.api;
        assert_eq!(ended(&worker.get(HISTORY).await.expect(200)), [(5, [2, 1, 0, 0])], "{}", database.name);
        let stranger = member(&app, &tenant(&app, "other").await, "OWNER", "owner@other.example").await.api;
        assert!(ended(&stranger.get(HISTORY).await.expect(200)).is_empty());
        app.stop().await;
    }
}

#[tokio::test]
async fn what_is_too_much_of_the_jobs_history_is_refused_and_says_what_would_do() {
    let database = mpanel_tests::TestDatabase::sqlite();
    let app = at_rest(&database).await;
    for (query, field, says) in [
        ("?step=7", "step", "60, 300 or 3600"),
        ("?since=2026-10-31T11:00:00Z", "since", "more than 288 steps of 300 s"),
        ("?step=60&since=2026-11-01T00:00:00Z", "since", "a longer step"),
        ("?since=2026-11-02T00:00:00Z", "since", "after until"),
        ("?since=yesterday", "since", "RFC 3339"),
    ] {
        let said = app.api.get(&format!("{HISTORY}{query}")).await.expect_field(field);
        assert!(said.contains(says), "{query}: {said}");
    }
    app.stop().await;
}

#[tokio::test]
async fn jobs_are_listed_from_either_end() {
    for database in databases().await {
        let app = at_rest(&database).await;
        let home = tenant(&app, "home").await;
        let mut made = Vec::new();
        for before in [3, 2, 1] {
            made.push(job(&app, Some(home.parse().unwrap()), "succeeded", before).await.to_string());
        }
        let worker = member(&app, &home, "MEMBER", "member@home.example").await.api;
        for (query, first, second) in [
            ("?sort=created_at", 0, 2),
            ("?sort=-created_at", 2, 0),
            ("?", 2, 0),
            ("?sort=created_at&kind=start", 0, 2),
        ] {
            let page = worker.get(&format!("/api/provisioning/jobs{query}&limit=2")).await.expect(200);
            assert_eq!(column(&page, "id"), [made[first].clone(), made[1].clone()], "{query} on {}", database.name);
            let token = page["next_page_token"].as_str().unwrap();
            let rest =
                worker.get(&format!("/api/provisioning/jobs{query}&limit=2&page_token={token}")).await.expect(200);
            assert_eq!(column(&rest, "id"), [made[second].clone()], "{query}");
        }
        app.stop().await;
    }
}
