//! Every change leaves a record that nobody can change, and whoever does so all the same is found out.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use control_plane::clock::Clock;
use control_plane::db::Db;
use control_plane::domain::audit::service::Service;
use control_plane::domain::audit::verify::Place;
use control_plane::domain::audit::{Actor, Record, audit_append};
use control_plane::ids::AuditId;
use mpanel_tests::app::{TOKEN, send};
use mpanel_tests::mailbox::Mailbox;
use mpanel_tests::signing_in::{person, sign_in, try_sign_in};
use mpanel_tests::{TestApp, databases, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::Connection as _;

use super::support::{DEADLINE, Own, owner, plan, sealed, verify};

/// The records that a list gives.
async fn list(app: &TestApp, query: &str) -> Vec<Value> {
    let page = app.api.get(&format!("/api/admin/audit?{query}")).await.expect(200);
    page["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_says_who_did_what_from_where_and_how_it_was_before() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let id = plan(&app.api, "small").await;
        let patched = app.api.patch(&format!("/api/platform/plans/{id}"), &json!({"vcpu": 2})).await;
        let request = patched.header("x-request-id").to_owned();
        patched.expect(200);
        let records = list(&app, &format!("target_kind=plan&target_id={id}")).await;
        let actions: Vec<_> = records.iter().map(|record| record["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["plan.updated", "plan.created"], "the newest first");
        let updated = &records[0];
        assert_eq!(updated["address"], "127.0.0.1");
        assert_eq!(updated["request_id"], *request);
        assert!(updated["actor"].as_str().unwrap().starts_with("token:"), "{updated}");
        assert_eq!((&updated["detail"]["before"]["vcpu"], &updated["detail"]["after"]["vcpu"]), (&json!(1), &json!(2)));
        let path = format!("/api/admin/audit/records/{}", updated["id"].as_str().unwrap());
        let shown = eventually("the record to be sealed", DEADLINE, async || {
            let record = app.api.get(&path).await.expect(200);
            record["seq"].is_i64().then_some(record)
        })
        .await;
        assert_eq!(shown["hash"].as_str().unwrap().len(), 64);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_filtered_and_read_page_by_page() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        for n in 0..5 {
            plan(&app.api, &format!("plan-{n}")).await;
        }
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let path = format!("/api/admin/audit?action=plan.created&limit=2{token}");
            let page = app.api.get(&path).await.expect(200);
            seen.extend(
                page["items"].as_array().unwrap().iter().map(|record| record["detail"]["after"]["name"].clone()),
            );
            let Some(next) = page["next_page_token"].as_str() else { break };
            token = format!("&page_token={next}");
        }
        assert_eq!(seen, ["plan-4", "plan-3", "plan-2", "plan-1", "plan-0"], "each once, on {}", database.name);
        let all = list(&app, "action=plan.created").await;
        let (first, third) = (&all[4], &all[2]);
        let from = third["created_at"].as_str().unwrap();
        let later = list(&app, &format!("action=plan.created&from={from}")).await;
        // The newest come first. Several may be of the same millisecond.
        let ids = |records: &[Value]| records.iter().map(|record| record["id"].clone()).collect::<Vec<_>>();
        assert!((3..=5).contains(&later.len()) && ids(&later) == ids(&all[..later.len()]), "{later:?}");
        assert!(list(&app, &format!("until={}", "2020-01-01T00:00:00Z")).await.is_empty());
        let actor = first["actor"].as_str().unwrap();
        assert_eq!(list(&app, &format!("actor={actor}&target_kind=plan")).await.len(), 5);
        let tenants = app.api.get("/api/admin/tenants").await.expect(200);
        let tenant = tenants["items"][0]["id"].as_str().unwrap();
        let own = list(&app, &format!("tenant_id={tenant}")).await;
        assert!(!own.is_empty() && own.iter().all(|record| record["tenant_id"] == *tenant), "{own:?}");
        app.api.get("/api/admin/audit?from=yesterday").await.expect_field("from");
        app.api
            .get("/api/admin/audit?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z")
            .await
            .expect_field("until");
        app.api.get("/api/admin/audit?actor=").await.expect_field("actor");
        app.api
            .get(&format!("/api/admin/audit/records/{}", AuditId::generate()))
            .await
            .expect_problem(404, "not_found");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_can_neither_be_changed_nor_removed() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        plan(&app.api, "small").await;
        sealed(&app.api).await;
        let mut own = Own::to(&database).await;
        let mut words = vec![
            "UPDATE audit_records SET actor = 'nobody'",
            "DELETE FROM audit_records",
            "UPDATE audit_chain SET sealed_at = 0",
            "DELETE FROM audit_chain",
        ];
        words.extend(if database.name == "sqlite" {
            [
                "REPLACE INTO audit_records SELECT * FROM audit_records",
                "INSERT OR REPLACE INTO audit_records SELECT * FROM audit_records",
            ]
        } else {
            ["TRUNCATE audit_records", "TRUNCATE audit_chain"]
        });
        for sql in words {
            let refused = own.run(sql).await.unwrap_err();
            assert!(refused.contains("is append-only"), "{sql} on {}: {refused}", database.name);
        }
        assert_eq!(verify(&app.api).await["ok"], true);
        app.stop().await;
    }
}

/// The breaks as `(kind, seq)`.
fn broken(proof: &Value) -> BTreeSet<(String, i64)> {
    let breaks = proof["breaks"].as_array().unwrap().iter();
    breaks.map(|found| (found["kind"].as_str().unwrap().to_owned(), found["seq"].as_i64().unwrap_or(0))).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[allow(clippy::too_many_lines, clippy::type_complexity, reason = "one story, told from its beginning to its end")]
async fn whoever_changes_the_records_behind_the_triggers_is_found_out_where_he_did_so() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        for n in 0..16 {
            plan(&app.api, &format!("plan-{n}")).await;
        }
        let count = sealed(&app.api).await;
        assert!(count >= 16, "{count}");
        let intact = verify(&app.api).await;
        assert_eq!(
            (&intact["ok"], &intact["complete"], &intact["checked"]),
            (&json!(true), &json!(true), &json!(count))
        );
        let known = format!("known_count={count}&known_head={}", intact["head"].as_str().unwrap());
        assert_eq!(app.api.get(&format!("/api/admin/audit/verify?{known}")).await.expect(200)["ok"], true);
        let mut own = Own::to(&database).await;
        own.disarm().await;
        let record = |seq: i64| format!("(SELECT record_id FROM audit_chain WHERE seq = {seq})");
        let no_id = if database.name == "sqlite" { "zeroblob(16)" } else { "'00000000-0000-0000-0000-000000000000'" };
        let new_id = if database.name == "sqlite" { "randomblob(16)" } else { "gen_random_uuid()" };
        let mut expected = BTreeSet::new();
        let steps: [(&str, Vec<String>, Vec<(&str, i64)>); 6] = [
            (
                "a record is edited",
                vec![format!("UPDATE audit_records SET detail = '{{\"after\": 1}}' WHERE id = {}", record(4))],
                vec![("altered", 4)],
            ),
            (
                "a record is removed",
                vec![format!("DELETE FROM audit_records WHERE id = {}", record(6))],
                vec![("missing", 6)],
            ),
            (
                "a link is removed",
                vec!["DELETE FROM audit_chain WHERE seq = 8".to_owned()],
                vec![("gap", 8), ("unknown", 0)],
            ),
            (
                "two records change places",
                vec![
                    "CREATE TABLE swapped AS SELECT seq, record_id FROM audit_chain WHERE seq IN (10, 11)".to_owned(),
                    format!("UPDATE audit_chain SET record_id = {no_id} WHERE seq = 10"),
                    "UPDATE audit_chain SET record_id = (SELECT record_id FROM swapped WHERE seq = 10) WHERE seq = 11"
                        .to_owned(),
                    "UPDATE audit_chain SET record_id = (SELECT record_id FROM swapped WHERE seq = 11) WHERE seq = 10"
                        .to_owned(),
                    "DROP TABLE swapped".to_owned(),
                ],
                vec![("altered", 10), ("altered", 11)],
            ),
            (
                "a record is put in",
                vec![format!(
                    "INSERT INTO audit_records (id, actor, action, target_kind, target_id, detail, created_at)
                     SELECT {new_id}, actor, action, target_kind, target_id, detail, created_at FROM audit_records
                     WHERE id = {}",
                    record(2)
                )],
                vec![("unknown", 0)],
            ),
            (
                "the end is cut off",
                vec![
                    format!(
                        "DELETE FROM audit_records WHERE id IN (SELECT record_id FROM audit_chain WHERE seq > {})",
                        count - 2
                    ),
                    format!("DELETE FROM audit_chain WHERE seq > {}", count - 2),
                ],
                vec![("truncated", count - 2)],
            ),
        ];
        for (what, words, found) in steps {
            for sql in words {
                own.run(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            }
            expected.extend(found.into_iter().map(|(kind, seq)| (kind.to_owned(), seq)));
            let proof = verify(&app.api).await;
            assert_eq!(broken(&proof), expected, "{what} on {}: {proof:#}", database.name);
            assert!(proof["ok"] != true || !proof["breaks"].as_array().unwrap().is_empty());
        }
        let proof = app.api.get(&format!("/api/admin/audit/verify?{known}")).await.expect(200);
        assert!(broken(&proof).contains(&("rewritten".to_owned(), count)), "{proof:#}");
        let invariants = app.api.get("/api/platform/invariants").await.expect(200);
        let checks = invariants["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == "audit").unwrap();
        assert_eq!(check["ok"], false, "{check}");
        // The command line says the same, and ends with 1.
        let told = tokio::process::Command::from(cli(&app, &["audit", "verify"])).output().await.unwrap();
        let said = String::from_utf8_lossy(&told.stdout).into_owned();
        assert_eq!(told.status.code(), Some(1), "{said}");
        assert!(said.contains("altered: record") && said.contains("truncated: "), "{said}");
        app.stop().await;
    }
}

fn cli(app: &TestApp, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mpanel-faulty"));
    command.env_clear().env("HOME", "/nonexistent").env("MPANEL_URL", &app.api.url).env("MPANEL_TOKEN", TOKEN);
    command.args(arguments);
    command
}

async fn append(db: &Db, clock: &Clock, target: &str) {
    let mut tx = db.begin().await.unwrap();
    let actor = Actor::system("test");
    let record =
        Record { actor: &actor, tenant: None, action: "test.done", target_kind: "test", target_id: target.into() };
    audit_append(&mut tx, clock.now(), record, &json!({"target": target})).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_sealers_at_once_link_each_record_once() {
    for database in databases().await {
        let clock = Clock::system();
        let db = Db::open(&database.url).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..4 {
            let (db, clock) = (db.clone(), clock.clone());
            tasks.spawn(async move {
                for n in 0..50 {
                    append(&db, &clock, &format!("{writer}-{n}")).await;
                }
            });
        }
        for _ in 0..4 {
            let service = Service::new(db.clone(), clock.clone());
            tasks.spawn(async move {
                let mut idle = 0;
                while idle < 20 {
                    let (sealed, _) = service.records_seal().await.unwrap();
                    idle = if sealed == 0 { idle + 1 } else { 0 };
                    tokio::task::yield_now().await;
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        // A new one looks from the start: also what committed late.
        let service = Service::new(db.clone(), clock.clone());
        while service.records_seal().await.unwrap().0 > 0 {}
        let part = service.chain_verify(Place::default(), None).await.unwrap();
        assert_eq!((part.breaks.as_slice(), part.next, part.unsealed), ([].as_slice(), None, 0), "{}", database.name);
        assert_eq!((part.head.seq, part.checked), (200, 200));
        db.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_whose_transaction_commits_late_is_sealed_all_the_same() {
    // SQLite has one writer at a time: nothing there commits late.
    for database in databases().await.into_iter().filter(|database| database.name == "postgres") {
        let clock = Clock::system();
        let db = Db::open(&database.url).await.unwrap();
        let service = Arc::new(Service::new(db.clone(), clock.clone()));
        let actor = Actor::system("test");
        let record = |target: &str| Record {
            actor: &actor,
            tenant: None,
            action: "test.done",
            target_kind: "test",
            target_id: target.into(),
        };
        let mut late = db.begin().await.unwrap();
        audit_append(&mut late, clock.now(), record("late"), &json!({})).await.unwrap();
        append(&db, &clock, "early").await;
        assert_eq!(service.records_seal().await.unwrap().0, 1, "what is not committed does not hold up the others");
        late.commit().await.unwrap();
        eventually("the late one to be sealed", DEADLINE, async || {
            (service.records_seal().await.unwrap().0 == 1).then_some(())
        })
        .await;
        let part = service.chain_verify(Place::default(), None).await.unwrap();
        assert_eq!((part.breaks.len(), part.head.seq, part.unsealed), (0, 2, 0));
        db.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_exported_records_alone_anybody_can_compute_the_chain() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        for n in 0..3 {
            plan(&app.api, &format!("plan-{n}")).await;
        }
        sealed(&app.api).await;
        let export = app.api.get("/api/admin/audit/export").await;
        assert_eq!((export.status.as_u16(), export.header("content-type")), (200, "application/x-ndjson"));
        let mut before = vec![0_u8; 32];
        let mut records: Vec<Value> = export.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // The export itself is a record, which may not be sealed yet.
        records.retain(|record| record["seq"].is_i64());
        records.sort_by_key(|record| record["seq"].as_i64());
        assert!(records.len() >= 4, "{records:?}");
        for mut record in records {
            let hash = record.as_object_mut().unwrap().remove("hash").unwrap();
            let sorted: std::collections::BTreeMap<String, Value> = serde_json::from_value(record).unwrap();
            before = Sha256::digest([before, serde_json::to_vec(&sorted).unwrap()].concat()).to_vec();
            let hex: String = before.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hash, *hex, "{sorted:?}");
        }
        let csv = app.api.get("/api/admin/audit/export?format=csv&action=plan.created").await;
        assert!(csv.header("content-type").starts_with("text/csv"));
        let lines: Vec<&str> = csv.text.split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 4, "a header and three plans: {lines:?}");
        assert!(lines[0].starts_with("id,seq,hash,created_at") && lines[1].contains("\"plan.created\""), "{lines:?}");
        let taken = list(&app, "action=audit.exported").await;
        assert_eq!(taken.len(), 2, "{taken:?}");
        assert_eq!(
            (&taken[0]["detail"]["format"], &taken[0]["detail"]["filter"]["action"]),
            (&json!("csv"), &json!("plan.created"))
        );
        app.api.get("/api/admin/audit/export?format=xml").await.expect_field("format");
        let nobody = "/api/admin/audit/export?tenant_id=0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10";
        app.api.get(nobody).await.expect_problem(404, "not_found");
        let out = tokio::process::Command::from(cli(&app, &["audit", "export", "--action", "plan.created"])).output();
        let out = out.await.unwrap();
        assert_eq!(String::from_utf8_lossy(&out.stdout).lines().count(), 3, "{}", String::from_utf8_lossy(&out.stderr));
        let tenant = app.api.get("/api/admin/tenants").await.expect(200)["items"][0]["id"].as_str().unwrap().to_owned();
        let out = cli(&app, &["audit", "export", "--tenant", &tenant]);
        let out = tokio::process::Command::from(out).output().await.unwrap();
        let lines = String::from_utf8_lossy(&out.stdout);
        assert!(out.status.success() && lines.lines().all(|line| line.contains(&tenant)), "{out:?}");
        let out = tokio::process::Command::from(cli(&app, &["audit", "verify"])).output().await.unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_many_pages_holds_each_record_once() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let (db, clock) = (app.running.app.db.clone(), Clock::system());
        let actor = Actor::system("test");
        let mut tx = db.begin().await.unwrap();
        for n in 0..1_200 {
            let record = Record {
                actor: &actor,
                tenant: None,
                action: "test.done",
                target_kind: "test",
                target_id: n.to_string(),
            };
            audit_append(&mut tx, clock.now(), record, &json!({})).await.unwrap();
        }
        tx.commit().await.unwrap();
        let export = app.api.get("/api/admin/audit/export?action=test.done").await;
        let ids: Vec<String> = export
            .text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["target_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(ids, (0..1_200).map(|n| n.to_string()).collect::<Vec<_>>(), "the oldest first");
        let count = sealed(&app.api).await;
        assert!(count >= 1_200);
        assert_eq!(verify(&app.api).await["checked"], count, "over several pages");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_breaks_off_when_its_reader_may_not_have_it_any_more() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        let mut own = Own::to(&database).await;
        let (tenant, token) = owner(&mut own, "acme").await;
        let (db, clock) = (app.running.app.db.clone(), Clock::system());
        let (actor, tenant) = (Actor::system("test"), Some(tenant.parse().unwrap()));
        // Several pages, of which the first is more than the sockets' buffers hold.
        let filler = "x".repeat(30_000);
        let mut tx = db.begin().await.unwrap();
        for n in 0..1_200 {
            let target_id = n.to_string();
            let record = Record { actor: &actor, tenant, action: "test.done", target_kind: "test", target_id };
            audit_append(&mut tx, clock.now(), record, &json!({ "filler": filler })).await.unwrap();
        }
        tx.commit().await.unwrap();
        let api = app.api.with_token(&token);
        let request = api.request(reqwest::Method::GET, "/api/admin/audit/export?action=test.done");
        let mut export = request.send().await.unwrap();
        assert_eq!(export.status(), 200);
        let mut length = export.chunk().await.unwrap().unwrap().len();
        own.run("UPDATE memberships SET suspended_at = 1").await.unwrap();
        let end = loop {
            match export.chunk().await {
                Ok(Some(chunk)) => length += chunk.len(),
                Ok(None) => break "in order",
                Err(_) => break "broken off",
            }
        };
        assert_eq!(end, "broken off", "after {length} bytes on {}", database.name);
        assert!(length < 1_200 * 30_000, "{length}");
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_from_before_the_chain_are_sealed_too() {
    for database in databases().await {
        let all: Vec<_> = control_plane::db::migrations(&database.url).iter().cloned().collect();
        let old: Vec<_> = all.iter().filter(|migration| migration.version < 18).cloned().collect();
        let migrator = sqlx::migrate::Migrator::with_migrations(old);
        let insert = "INSERT INTO audit_records (id, actor, action, target_kind, target_id, detail, created_at)
                      VALUES (@, 'token:1', 'plan.created', 'plan', '1', '{\"b\": 1, \"a\": [1.50, null]}', 1700000000000)";
        if database.name == "sqlite" {
            let url = format!("{}?mode=rwc", database.url);
            let mut own = sqlx::SqliteConnection::connect(&url).await.unwrap();
            migrator.run(&mut own).await.unwrap();
            Own::Sqlite(own).run(&insert.replace('@', "randomblob(16)")).await.unwrap();
        } else {
            let mut own = sqlx::PgConnection::connect(&database.url).await.unwrap();
            migrator.run(&mut own).await.unwrap();
            Own::Postgres(own).run(&insert.replace('@', "gen_random_uuid()")).await.unwrap();
        }
        let app = TestApp::start_on(&database).await;
        sealed(&app.api).await;
        let records = list(&app, "action=plan.created").await;
        assert!(records.len() == 1 && records[0]["seq"].is_i64(), "{records:?}");
        assert_eq!(verify(&app.api).await["ok"], true);
        let mut own = Own::to(&database).await;
        assert_eq!(own.count("SELECT COUNT(*) FROM audit_unsealed").await, 0);
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_s_people_see_their_tenant_s_records_alone_and_what_they_are_refused_is_one() {
    for database in databases().await {
        let app = TestApp::start_on(&database).await;
        plan(&app.api, "small").await;
        let mut own = Own::to(&database).await;
        let (tenant, token) = owner(&mut own, "acme").await;
        let (other, _) = owner(&mut own, "other").await;
        let api = app.api.with_token(&token);
        api.get("/api/admin/audit/verify").await.expect_problem(403, "forbidden");
        api.get("/api/admin/audit/verify").await.expect_problem(403, "forbidden");
        let seen = api.get("/api/admin/audit").await.expect(200);
        let seen = seen["items"].as_array().unwrap();
        assert_eq!(seen.len(), 1, "the first refusal of the minute: {seen:#?}");
        assert_eq!((&seen[0]["action"], &seen[0]["tenant_id"]), (&json!("request.refused"), &json!(tenant)));
        assert_eq!(seen[0]["target_id"], "GET /api/admin/audit/verify");
        assert!(seen[0]["detail"]["reason"].as_str().unwrap().contains("audit:manage"), "{seen:?}");
        assert_eq!(seen[0]["address"], "127.0.0.1");
        assert_eq!(
            own.count("SELECT COUNT(*) FROM events WHERE name = 'request.refused'").await,
            1,
            "an event as well"
        );
        let all = list(&app, "action=plan.created").await;
        let path = format!("/api/admin/audit/records/{}", all[0]["id"].as_str().unwrap());
        api.get(&path).await.expect_problem(404, "not_found");
        api.get(&format!("/api/admin/audit?tenant_id={other}")).await.expect_problem(404, "not_found");
        let export = api.get("/api/admin/audit/export").await;
        assert!(export.text.lines().count() >= 1, "{}", export.text);
        for line in export.text.lines() {
            assert_eq!(serde_json::from_str::<Value>(line).unwrap()["tenant_id"], *tenant);
        }
        app.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_reset_says_from_where() {
    const ANN: &str = "ann@example.net";
    for database in databases().await {
        let mailbox = Mailbox::start(&[]).await;
        let app = TestApp::start_with(&database, |config| mailbox.configure(config)).await;
        person(&app, ANN, "OWNER").await;
        sign_in(&app.api, ANN).await;
        try_sign_in(&app.api, ANN, "wrong").await.expect_problem(401, "unauthorized");
        let ask = |path: &str, body: Value| send(app.api.anonymous(Method::POST, path).json(&body));
        ask("/api/auth/password/forgot", json!({"email": ANN})).await.expect_status(202);
        let secret = mailbox.next_secret(ANN).await;
        let body = json!({"secret": secret, "password": "a new password of some length"});
        ask("/api/auth/password/reset", body).await.expect_status(204);
        for action in
            ["session.started", "sign_in.refused", "user.password_link_sent", "session.ended", "user.password_changed"]
        {
            let records = list(&app, &format!("action={action}")).await;
            assert_eq!(records.len(), 1, "{action} on {}: {records:#?}", database.name);
            assert_eq!(records[0]["address"], "127.0.0.1", "{action} on {}", database.name);
            assert!(records[0]["request_id"].is_string(), "{action}: {}", records[0]);
        }
        app.stop().await;
    }
}
