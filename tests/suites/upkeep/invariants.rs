//! The invariants find what is wrong, say since when and what to do, and nothing where nothing is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use control_plane::clock::{Clock, Ms};
use control_plane::db::Db;
use mpanel_tests::app::Api;
use mpanel_tests::{TestApp, TestDatabase, assert_invariants, databases};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::Value;

const INVARIANTS: &str = "/api/platform/invariants";
pub const POD: &str = "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e10";
const SERVER: &str = "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e11";
const OTHER: &str = "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e12";
const SECOND: &str = "0198c5b2-7d43-7c1e-8a5f-6f0d4c2b9e13";

/// Runs statements, whose `{…}` are ids as the database writes them.
async fn run(db: &Db, statements: &[&str]) {
    let mut tx = db.begin().await.unwrap();
    for statement in statements {
        let mut sql = (*statement).to_owned();
        for (name, id) in [("{pod}", POD), ("{server}", SERVER), ("{other}", OTHER), ("{second}", SECOND)] {
            let written = if db.is_embedded() { format!("X'{}'", id.replace('-', "")) } else { format!("'{id}'") };
            sql = sql.replace(name, &written);
        }
        if !db.is_embedded() {
            sql = sql.replace("'{}'", "'{}'::jsonb");
        }
        let sql = sqlx::AssertSqlSafe(sql);
        match tx.conn() {
            control_plane::db::Conn::Sqlite(c) => drop(sqlx::query(sql).execute(c).await.expect(statement)),
            control_plane::db::Conn::Postgres(c) => drop(sqlx::query(sql).execute(c).await.expect(statement)),
        }
    }
    tx.commit().await.unwrap();
}

/// A server with a pod on it that holds what it has to.
const SOUND: &[&str] = &[
    "INSERT INTO servers (id, name, region, labels, bridge, vmid_space, vmid_min, vmid_max, cpu_overcommit, scheduling,
        scheduling_since, connection, connection_since, version, created_at, updated_at, reserved_vcpu, reserved_memory_mib,
        reserved_pods)
     VALUES ({server}, 'pve1', 'eu', '{}', 'vmbr0', 'pve1', 100, 999, 1, 'online', 1, 'offline', 1, 1, 1, 1, 2, 512, 1)",
    "INSERT INTO server_storages (server_id, name, offered, reserved_gib) VALUES ({server}, 'local', TRUE, 20)",
    "INSERT INTO plans (id, name, vcpu, memory_mib, disk_gib, price_minor, currency, active, version, created_at, updated_at)
     VALUES ({other}, 'small', 2, 512, 20, 1, 'EUR', TRUE, 1, 1, 1)",
    "INSERT INTO images (id, name, os, default_user, min_disk_gib, active, version, created_at, updated_at)
     VALUES ({other}, 'debian', 'Debian', 'debian', 1, TRUE, 1, 1, 1)",
    "INSERT INTO ip_pools (id, name, family, first, last, size, prefix_length, gateway, dns, active, allocated, version,
        created_at, updated_at)
     VALUES ({other}, 'lan', 4, '192.0.2.2', '192.0.2.9', 8, 24, '192.0.2.1', '{}', TRUE, 1, 1, 1, 1)",
    "INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id, vcpu, memory_mib,
        disk_gib, placement, ssh_keys, cloud_init_user, server_id, storage, vmid, version, created_at, updated_at)
     SELECT {pod}, id, 'web-1', 'active', 'running', 'running', {other}, {other}, 2, 512, 20, '{}', '{}', 'debian',
        {server}, 'local', 100, 1, 1, 1 FROM tenants",
    "INSERT INTO reservations (pod_id, server_id, storage, vcpu, memory_mib, disk_gib, created_at)
     VALUES ({pod}, {server}, 'local', 2, 512, 20, 1)",
    "INSERT INTO vmids (space, vmid, server_id, pod_id, taken_at) VALUES ('pve1', 100, {server}, {pod}, 1)",
    "INSERT INTO ip_addresses (pool_id, slot, address, pod_id, allocated_at) VALUES ({other}, 0, '192.0.2.2', {pod}, 1)",
];

/// A pod in the books of a server that is there.
pub async fn pod_insert(db: &Db, server: control_plane::ids::ServerId) {
    let tenants =
        control_plane::domain::tenants::service::Service::new(db.clone(), control_plane::clock::Clock::system());
    tenants.tenant_default_ensure().await.unwrap();
    let of = |sql: &str| sql.starts_with("INSERT INTO plans") || sql.starts_with("INSERT INTO images");
    let mut wanted: Vec<String> = SOUND.iter().filter(|sql| of(sql)).map(|sql| (*sql).to_owned()).collect();
    wanted.extend(SOUND.iter().filter(|sql| sql.starts_with("INSERT INTO cloudpods")).map(|sql| (*sql).to_owned()));
    let own = if db.is_embedded() { format!("X'{}'", server.0.simple()) } else { format!("'{server}'") };
    let wanted: Vec<String> = wanted.into_iter().map(|sql| sql.replace("{server}", &own)).collect();
    run(db, &wanted.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

async fn started(database: &TestDatabase) -> (TestApp, Db) {
    let app = TestApp::start_on(database).await;
    let db = app.running.app.db.clone();
    run(&db, SOUND).await;
    assert_invariants(&app.api).await;
    (app, db)
}

async fn broken(api: &Api) -> Vec<(String, Value)> {
    let report = api.get(INVARIANTS).await.expect(200);
    let checks = report["checks"].as_array().unwrap().clone();
    let broken: Vec<_> = checks
        .into_iter()
        .filter(|check| check["ok"] == false)
        .map(|check| (check["name"].as_str().unwrap().to_owned(), check["items"].clone()))
        .collect();
    assert_eq!(report["ok"], broken.is_empty());
    for (name, items) in &broken {
        for item in items.as_array().unwrap() {
            assert!(item["cure"].as_str().is_some_and(|cure| cure.len() > 10), "{name} says what to do: {item}");
        }
    }
    broken
}

#[tokio::test]
async fn what_does_not_hold_is_found_and_what_holds_is_not() {
    for database in databases().await {
        let (app, db) = started(&database).await;
        for (breaks, mends, check, says) in [
            (
                "UPDATE servers SET reserved_vcpu = 3",
                "UPDATE servers SET reserved_vcpu = 2",
                "totals",
                "3 vCPU, 512 MiB, 1 pods are held, its reservations that 2 vCPU",
            ),
            (
                "UPDATE server_storages SET reserved_gib = 21",
                "UPDATE server_storages SET reserved_gib = 20",
                "totals",
                "21 GiB are held",
            ),
            ("UPDATE vmids SET vmid = 101", "UPDATE vmids SET vmid = 100", "capacity", "VMID 101, which is not its VM's"),
            ("UPDATE vmids SET pod_id = NULL", "UPDATE vmids SET pod_id = {pod}", "capacity", "but no VMID"),
            (
                "UPDATE cloudpods SET state = 'failed', vmid = NULL, server_id = NULL",
                "UPDATE cloudpods SET state = 'active', server_id = {server}, vmid = 100",
                "capacity",
                "where it is not",
            ),
            ("UPDATE ip_pools SET allocated = 2", "UPDATE ip_pools SET allocated = 1", "addresses", "and 1 are held"),
            (
                "INSERT INTO jobs (id, kind, state, params, step, step_count, attempt, attempts_max, run_at, epoch,
                    cancel_requested, step_progress, created_by, created_at, updated_at, error_code, error_detail)
                 VALUES ({other}, 'provision', 'stuck', '{}', 0, 1, 8, 8, 1, 1, FALSE, 0, 'test', 1, 1, 'vm_locked', 'locked')",
                "DELETE FROM jobs",
                "jobs_stuck",
                "locked (vm_locked)",
            ),
            (
                "INSERT INTO agent_certificates (serial, server_id, issued_at, not_after) VALUES ('1', {server}, 1, 2)",
                "DELETE FROM agent_certificates",
                "certificates",
                "ended at 1970-01-01T00:00:00",
            ),
        ] {
            run(&db, &[breaks]).await;
            let found = broken(&app.api).await;
            let [(name, items)] = &found[..] else { panic!("{} {breaks}: {found:#?}", database.name) };
            assert_eq!(name, check, "{breaks}");
            let detail = items[0]["detail"].as_str().unwrap();
            assert!(detail.contains(says), "{breaks}: {items:#}");
            run(&db, &[mends]).await;
            assert_eq!(broken(&app.api).await, [], "{mends}");
        }
        app.stop().await;
    }
}

#[tokio::test]
async fn a_certificate_that_only_the_operator_replaces_is_found_before_its_end() {
    const DAY: Duration = Duration::from_hours(24);
    /// Made so many days ago, to end in so many.
    fn write(to: &Path, key: &KeyPair, is_ca: bool, (made, ends): (u32, u32)) -> String {
        let now = Clock::system().now();
        let at = |ms: Ms| rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(u64::try_from(ms.0).unwrap());
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (at(now.minus(DAY * made)), at(now.plus(DAY * ends)));
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let pem = params.self_signed(key).unwrap().pem();
        std::fs::write(to, &pem).unwrap();
        pem
    }
    for database in databases().await {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        let (ca_key, api_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        std::fs::write(file("ca.key"), ca_key.serialize_pem()).unwrap();
        std::fs::write(file("api.key"), api_key.serialize_pem()).unwrap();
        write(&file("ca.crt"), &ca_key, true, (900, 60));
        write(&file("api.crt"), &api_key, false, (80, 10));
        let app = TestApp::start_with(&database, |config| {
            (config.http.tls_certificate, config.http.tls_key) = (Some(file("api.crt")), Some(file("api.key")));
            (config.agents.ca_certificate, config.agents.ca_key) = (Some(file("ca.crt")), Some(file("ca.key")));
        })
        .await;
        let found = async || {
            let report = app.running.app.invariants.invariants_check().await.unwrap();
            let report = serde_json::to_value(&report).unwrap();
            let checks = report["checks"].as_array().unwrap();
            checks.iter().find(|check| check["name"] == "certificates").unwrap()["items"].as_array().unwrap().clone()
        };
        let ending = found().await;
        let told: Vec<_> = ending.iter().map(|item| (item["subject"].as_str().unwrap(), &item["cure"])).collect();
        let [(ca, ca_cure), (api, api_cure)] = &told[..] else { panic!("{}: {ending:#?}", database.name) };
        assert_eq!((*ca, *api), ("the agents' CA", "the API's certificate"));
        assert!(ca_cure.as_str().unwrap().contains("ca.crt"), "{ca_cure}");
        assert!(api_cure.as_str().unwrap().contains("api.crt"), "{api_cure}");
        assert!(
            ending.iter().all(|item| item["since"].is_string() && item["detail"].as_str().unwrap().contains("ends at"))
        );

        // Renewed in time, as something else does every two months.
        let renewed = write(&file("api.crt"), &api_key, false, (0, 90));
        app.running.reload();
        let left = found().await;
        assert_eq!(left, ending[..1], "{}", database.name);
        let api = Api::trusting(&app.running.url(), mpanel_tests::app::TOKEN, &renewed);
        let shown = broken(&api).await;
        assert_eq!(shown.len(), 1, "{}: the API shows it, with its new certificate: {shown:#?}", database.name);
        app.stop().await;
    }
}

#[tokio::test]
async fn all_who_ask_while_somebody_looks_share_the_next_look() {
    for database in databases().await {
        let (app, db) = started(&database).await;
        let invariants = &app.running.app.invariants;
        let asked = futures::future::join_all((0..8).map(|_| invariants.invariants_check())).await;
        let reports: Vec<_> = asked.into_iter().map(Result::unwrap).collect();
        assert!(!Arc::ptr_eq(&reports[0], &reports[1]), "{}: nobody is told of before they asked", database.name);
        assert!(reports[2..].iter().all(|report| Arc::ptr_eq(report, &reports[1])), "{}", database.name);
        run(&db, &["UPDATE servers SET reserved_vcpu = 3"]).await;
        assert_eq!(broken(&app.api).await.len(), 1, "{}: who asks later is told what is so then", database.name);
        app.stop().await;
    }
}

#[tokio::test]
async fn a_drain_that_is_blocked_and_a_move_that_nobody_makes_are_found() {
    const JOB: &str =
        "INSERT INTO jobs (id, pod_id, kind, state, params, step, step_count, attempt, attempts_max, run_at, epoch,
            cancel_requested, step_progress, created_by, created_at, updated_at, finished_at)
         VALUES ({other}, {pod}, 'migrate', 'failed', '{}', 0, 1, 8, 8, 1, 1, FALSE, 0, 'test', 1, 1, 1)";
    const MOVE: &str =
        "INSERT INTO moves (pod_id, job_id, method, source_id, source_vmid, server_id, vmid, storage, vcpu,
            memory_mib, disk_gib, explanation, created_at)
         VALUES ({pod}, {other}, 'live', {server}, 100, {second}, 100, 'local', 0, 0, 0, '{}', 7)";
    const DRAIN: &str =
        "INSERT INTO drains (id, server_id, kind, state, reason, allow_shutdown, shutdown_s, note, created_by,
            created_at, updated_at)
         VALUES ({other}, {server}, 'drain', 'blocked', '', FALSE, 60, '1 pod(s) cannot be moved', 'test', 1, 5)";
    // Looked at in the books alone: a control plane's loops take a drain further.
    for database in databases().await {
        let (app, db) = started(&database).await;
        let (cloudpods, drains) = (app.running.app.cloudpods.clone(), app.running.app.drains.clone());
        let mut tx = db.begin().await.unwrap();
        for statement in [&SOUND[0].replace("{server}", "{second}").replace("'pve1'", "'pve2'"), JOB, MOVE, DRAIN] {
            insert(&mut tx, &db, statement).await;
        }
        let moves = cloudpods.capacity_check(tx.conn()).await.unwrap().items;
        let [idle] = &moves[..] else { panic!("{}: {moves:#?}", database.name) };
        assert_eq!((idle.subject.clone(), idle.since), (format!("cloudpod {POD}"), Some(Ms(7))));
        assert!(idle.detail.contains(SECOND) && idle.detail.contains(OTHER), "{idle:?}");
        let blocked = drains.blocked_check(tx.conn()).await.unwrap().items;
        let [drain] = &blocked[..] else { panic!("{}: {blocked:#?}", database.name) };
        assert_eq!((drain.subject.as_str(), drain.since), ("server pve1", Some(Ms(5))));
        assert!(
            drain.detail.contains("cannot be moved") && drain.cure.contains("mpanel server drain pve1"),
            "{drain:?}"
        );
        drop(tx);
        app.stop().await;
    }
}

#[tokio::test]
async fn a_pod_that_is_gone_may_hold_nothing() {
    for database in databases().await {
        let (app, db) = started(&database).await;
        run(&db, &["UPDATE cloudpods SET state = 'deleted', deleted_at = 1, server_id = NULL, vmid = NULL"]).await;
        let found = broken(&app.api).await;
        let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["capacity", "addresses"], "{}", database.name);
        assert_eq!(found[0].1.as_array().unwrap().len(), 2, "the reservation and the VMID: {found:#?}");
        let address = &found[1].1[0];
        assert_eq!(address["subject"], format!("cloudpod {POD}"));
        assert!(address["detail"].as_str().unwrap().contains("192.0.2.2"), "{address}");
        assert_eq!(address["since"], "1970-01-01T00:00:00.001Z");
        app.stop().await;
    }
}

#[tokio::test]
async fn a_job_that_waits_for_its_agent_or_its_turn_is_not_overdue() {
    const JOB: &str = "INSERT INTO jobs (id, tenant_id, pod_id, kind, state, params, step, step_count, attempt, attempts_max,
            run_at, epoch, cancel_requested, step_progress, created_by, created_at, updated_at, waits_for, lease_owner,
            lease_until)
         SELECT {id}, id, {pod}, 'start', '{state}', '{}', 0, 1, 1, 8, 1, 1, FALSE, 0, 'test', 1, 1, {waits}, {owner}, {until}
         FROM tenants";
    // With its loops at work a control plane takes up what is overdue: these jobs are looked at in the books alone.
    for database in databases().await {
        let (app, db) = started(&database).await;
        let jobs = app.running.app.jobs.clone();
        for (state, waits, owner, until, overdue) in [
            ("running", "{server}", "NULL", "NULL", false),
            ("running", "NULL", "{other}", "9000000000000", false),
            ("running", "NULL", "{other}", "5", true),
            ("queued", "NULL", "NULL", "NULL", true),
        ] {
            let job = JOB.replace("{id}", "{second}").replace("{state}", state);
            let job = job.replace("{waits}", waits).replace("{owner}", owner).replace("{until}", until);
            let found = {
                let mut tx = db.begin().await.unwrap();
                insert(&mut tx, &db, &job).await;
                jobs.overdue_check(tx.conn()).await.unwrap()
            };
            assert_eq!(!found.is_ok(), overdue, "{} {state} {waits} {until}: {found:?}", database.name);
        }
        app.stop().await;
    }
}

async fn insert(tx: &mut control_plane::db::Tx, db: &Db, statement: &str) {
    let mut sql = statement.to_owned();
    for (name, id) in [("{pod}", POD), ("{server}", SERVER), ("{other}", OTHER), ("{second}", SECOND)] {
        let written = if db.is_embedded() { format!("X'{}'", id.replace('-', "")) } else { format!("'{id}'::uuid") };
        sql = sql.replace(name, &written);
    }
    let sql = if db.is_embedded() { sql } else { sql.replace("'{}'", "'{}'::jsonb") };
    let sql = if db.is_embedded() {
        sql
    } else {
        sql.replace(", NULL, NULL, NULL", ", NULL::uuid, NULL::uuid, NULL::bigint")
    };
    match tx.conn() {
        control_plane::db::Conn::Sqlite(c) => drop(sqlx::query(sqlx::AssertSqlSafe(sql)).execute(c).await.unwrap()),
        control_plane::db::Conn::Postgres(c) => drop(sqlx::query(sqlx::AssertSqlSafe(sql)).execute(c).await.unwrap()),
    }
}
