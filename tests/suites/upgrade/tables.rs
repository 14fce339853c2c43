//! A database as each earlier version left it, with data in it, is brought up to date by the control planes that start on it.

use std::collections::BTreeMap;
use std::time::Duration;

use control_plane::db::migrations;
use mpanel_tests::fleet::PODS;
use mpanel_tests::process::{Process, Setup};
use mpanel_tests::{TestDatabase, databases, eventually};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

use super::PROGRAMS;

const SOON: Duration = Duration::from_mins(1);

/// Rows that could be there after the migration of this number. `@n` is the n-th UUID, `@bytes` are some bytes.
const ROWS: &[(i64, &str)] = &[
    (
        1,
        "INSERT INTO tenants (id, name, created_at) VALUES (@1, 'acme', 1);
         INSERT INTO audit_records (id, tenant_id, actor, action, target_kind, target_id, detail, created_at)
            VALUES (@2, @1, 'test', 'cloudpod.create', 'cloudpod', 'web', '{}', 1);
         INSERT INTO events (id, tenant_id, name, subject, data, created_at)
            VALUES (@3, @1, 'cloudpod.created', 'web', '{}', 4102444800000);
         INSERT INTO api_tokens (id, name, secret_hash, created_at, revoked_at) VALUES (@13, 'bootstrap', @bytes, 1, 2);
         INSERT INTO api_tokens (id, name, secret_hash, created_at, revoked_at) VALUES (@14, 'bootstrap', @bytes, 1, 2)",
    ),
    (
        2,
        "INSERT INTO servers (id, name, region, labels, bridge, vmid_space, vmid_min, vmid_max, cpu_overcommit, reserved_vcpu,
                              reserved_memory_mib, reserved_pods, scheduling, scheduling_since, connection, connection_since,
                              version, created_at, updated_at)
            VALUES (@4, 'pve1', 'eu', '{}', 'vmbr0', 'lab', 100, 999, 1.0, 1, 256, 1, 'online', 1, 'offline', 1, 1, 1, 1);
         INSERT INTO server_storages (server_id, name, offered, reserved_gib) VALUES (@4, 'local', TRUE, 2);
         INSERT INTO agent_certificates (serial, server_id, issued_at, not_after) VALUES ('01', @4, 1, 4102444800000)",
    ),
    (
        3,
        "INSERT INTO plans (id, name, vcpu, memory_mib, disk_gib, price_minor, currency, active, version, created_at, updated_at)
            VALUES (@5, 'small', 1, 256, 2, 500, 'EUR', TRUE, 1, 1, 1);
         INSERT INTO images (id, name, os, default_user, min_disk_gib, template_vmid, active, version, created_at, updated_at)
            VALUES (@6, 'debian', 'debian', 'debian', 1, 9000, TRUE, 1, 1, 1);
         INSERT INTO ip_pools (id, name, family, first, last, size, prefix_length, gateway, dns, active, allocated, version,
                               created_at, updated_at)
            VALUES (@7, 'lan', 4, '10.0.0.10', '10.0.0.99', 90, 24, '10.0.0.1', '{\"servers\": []}', TRUE, 1, 1, 1, 1)",
    ),
    (
        4,
        "INSERT INTO cloudpods (id, tenant_id, name, state, desired_power, observed_power, plan_id, image_id, vcpu, memory_mib,
                                disk_gib, placement, ssh_keys, cloud_init_user, server_id, storage, vmid, template_vmid, version,
                                created_at, updated_at)
            VALUES (@8, @1, 'web', 'active', 'running', 'running', @5, @6, 1, 256, 2, '{}', '{\"keys\": []}', 'debian', @4, 'local', 100, 9000,
                    1, 1, 1);
         INSERT INTO reservations (pod_id, server_id, storage, vcpu, memory_mib, disk_gib, created_at)
            VALUES (@8, @4, 'local', 1, 256, 2, 1);
         INSERT INTO ip_addresses (pool_id, slot, address, pod_id, allocated_at) VALUES (@7, 0, '10.0.0.10', @8, 1);
         INSERT INTO vmids (space, vmid, server_id, pod_id, taken_at) VALUES ('lab', 100, @4, @8, 1)",
    ),
    (
        5,
        "INSERT INTO jobs (id, tenant_id, kind, pod_id, server_id, state, params, step, step_count, attempt, attempts_max, run_at,
                           epoch, cancel_requested, step_progress, created_by, created_at, finished_at, updated_at)
            VALUES (@9, @1, 'provision', @8, @4, 'succeeded', '{}', 8, 8, 1, 8, 1, 9, FALSE, 0, 'test', 1, 4102444800000, 2);
         INSERT INTO job_steps (job_id, idx, name, state, attempt, detail) VALUES (@9, 0, 'reserve', 'done', 1, 'pve1');
         INSERT INTO job_log (id, job_id, step, attempt, level, line, at) VALUES (@10, @9, 'clone', 1, 'info', 'TASK OK', 2)",
    ),
    (
        6,
        "INSERT INTO firewalls (pod_id, policy, version, sent_version, applied_version, updated_at) VALUES (@8, '{}', 1, 1, 1, 1);
         INSERT INTO traffic (pod_id, month, in_bytes, out_bytes, last_in_bytes, last_out_bytes, last_uptime_s, sampled_at)
            VALUES (@8, 202611, 1, 2, 1, 2, 3, 4102444800000)",
    ),
    (
        7,
        "INSERT INTO snapshots (pod_id, name, description, memory, state, created_at) VALUES (@8, 'before', '', FALSE, 'ready', 1);
         INSERT INTO backups (id, tenant_id, pod_id, server_id, storage, vmid, volid, mode, note, scheduled, protected, state, created_at)
            VALUES (@11, @1, @8, @4, 'local', 100, 'local:backup/1', 'snapshot', '', FALSE, FALSE, 'ready', 1)",
    ),
    (
        8,
        "INSERT INTO migration_endpoints (server_id, host, port, fingerprint, token, updated_at)
            VALUES (@4, 'pve1.example', 8006, 'AA', @bytes, 1)",
    ),
    (
        9,
        "INSERT INTO drifts (id, kind, pod_id, server_id, vmid, expected, seen, since, last_seen, closed_at)
            VALUES (@12, 'power', @8, @4, 100, '{}', '{}', 1, 1, 4102444800000)",
    ),
    (
        16,
        "INSERT INTO users (id, email, name, version, created_at, updated_at) VALUES (@15, 'a@acme.example', 'A', 1, 1, 1);
         INSERT INTO memberships (tenant_id, user_id, role, version, created_at, updated_at) VALUES (@1, @15, 'OWNER', 1, 1, 1);
         INSERT INTO api_tokens (id, name, secret_hash, created_at, user_id, tenant_id, permissions, expires_at)
            VALUES (@16, 'ci', @bytes, 1, @15, @1, '{\"permissions\": []}', 4102444800000)",
    ),
    (
        32,
        "INSERT INTO users (id, email, name, version, created_at, updated_at, suspended_at)
            VALUES (@17, 'left@acme.example', 'L', 1, 1, 1, 2);
         INSERT INTO password_resets (id, user_id, secret_hash, mailed, created_at, expires_at)
            VALUES (@18, @15, @bytes, FALSE, 1, 4102444800000)",
    ),
];

/// A connection to either kind of database.
enum Own {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Own {
    async fn to(database: &TestDatabase) -> Self {
        match database.name {
            "sqlite" => {
                let url = format!("{}?mode=rwc", database.url);
                Self::Sqlite(SqliteConnection::connect(&url).await.unwrap())
            }
            _ => Self::Postgres(PgConnection::connect(&database.url).await.unwrap()),
        }
    }

    async fn migrate(&mut self, migrator: &Migrator) {
        match self {
            Self::Sqlite(own) => migrator.run(own).await.unwrap(),
            Self::Postgres(own) => migrator.run(own).await.unwrap(),
        }
    }

    /// The UUIDs and bytes of `text` in this database's words, done.
    async fn insert(&mut self, text: &str) {
        let mut text = text.to_owned();
        for n in (1..=18_u128).rev() {
            let id = uuid::Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 | n);
            let word = match self {
                Self::Sqlite(_) => format!("X'{}'", id.simple()),
                Self::Postgres(_) => format!("'{id}'"),
            };
            text = text.replace(&format!("@{n}"), &word);
        }
        let bytes = if matches!(self, Self::Sqlite(_)) { "X'00FF'" } else { "'\\x00FF'" };
        let text = AssertSqlSafe(text.replace("@bytes", bytes));
        match self {
            Self::Sqlite(own) => own.execute(text).await.map(drop),
            Self::Postgres(own) => own.execute(text).await.map(drop),
        }
        .unwrap();
    }

    async fn texts(&mut self, sql: String) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(own) => sqlx::query_scalar(sql).fetch_all(own).await,
            Self::Postgres(own) => sqlx::query_scalar(sql).fetch_all(own).await,
        }
        .unwrap()
    }

    /// The tables, each with its columns.
    async fn tables(&mut self) -> BTreeMap<String, Vec<String>> {
        let (tables, columns) = match self {
            Self::Sqlite(_) => (
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
                "SELECT name FROM pragma_table_info('@') ORDER BY cid",
            ),
            Self::Postgres(_) => (
                "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
                "SELECT column_name::text FROM information_schema.columns WHERE table_name = '@' ORDER BY ordinal_position",
            ),
        };
        let mut all = BTreeMap::new();
        for table in self.texts(tables.to_owned()).await {
            let columns = self.texts(columns.replace('@', &table)).await;
            all.insert(table, columns);
        }
        all
    }

    /// Every row of these columns, as one text each.
    async fn rows(&mut self, table: &str, columns: &[String]) -> Vec<String> {
        let quote = if matches!(self, Self::Sqlite(_)) { "quote(\"@\")" } else { "quote_nullable(\"@\"::text)" };
        let columns: Vec<String> = columns.iter().map(|column| quote.replace('@', column)).collect();
        self.texts(format!("SELECT {} FROM {table}", columns.join(" || '|' || "))).await
    }
}

/// Starts so many control planes on it at the same moment.
fn start(database: &TestDatabase, dir: &tempfile::TempDir, count: usize) -> Vec<Process> {
    let setup = || Setup { program: PROGRAMS.control, database, dir };
    std::thread::scope(|scope| {
        let starting: Vec<_> = (0..count).map(|_| scope.spawn(|| setup().serve(|_| {}))).collect();
        starting.into_iter().map(|starting| starting.join().expect("it starts")).collect()
    })
}

/// Tables whose rows change as the control plane runs: the record of migrations, what waits to be sealed, and where
/// chains end.
const USED_UP: [&str; 5] = ["_sqlx_migrations", "audit_unsealed", "audit_head", "event_head", "webhook_head"];

/// Columns that later versions say otherwise: `restart_needed` in `restart_causes`.
/// And those that are filled later.
const REPLACED: [(&str, &str); 3] = [("cloudpods", "restart_needed"), ("events", "seq"), ("tenants", "search")];

async fn upgrade(database: TestDatabase, known: &[sqlx::migrate::Migration], newest: usize) {
    let level = known.last().map_or(0, |migration| migration.version);
    let shown = format!("from {level} on {}", database.name);
    let mut own = Own::to(&database).await;
    own.migrate(&Migrator::with_migrations(known.to_vec())).await;
    for (_, rows) in ROWS.iter().filter(|(since, _)| *since <= level) {
        own.insert(rows).await;
    }
    let mut before = Vec::new();
    for (table, mut columns) in own.tables().await {
        columns.retain(|column| !REPLACED.contains(&(table.as_str(), column.as_str())));
        before.push((table.clone(), own.rows(&table, &columns).await, columns));
    }
    let filled = before.iter().filter(|(_, rows, _)| !rows.is_empty()).count();
    assert!(filled > usize::try_from(level.min(9)).unwrap(), "there is data in the tables {shown}");
    let dir = tempfile::tempdir().unwrap();
    let applied =
        "SELECT CAST(version AS TEXT) || ' ' || CAST(installed_on AS TEXT) FROM _sqlx_migrations ORDER BY version";
    let mut first = Vec::new();
    for time in 1..=2 {
        // SQLite has one control plane; of PostgreSQL's two, one migrates and the other one waits.
        let planes = start(&database, &dir, if database.name == "sqlite" { 1 } else { 2 });
        for plane in &planes {
            assert_eq!(plane.api.get("/readyz").await.status, 200, "{shown}");
            let pods = plane.api.get(PODS).await.expect(200);
            let names: Vec<_> = pods["items"].as_array().unwrap().iter().map(|pod| pod["name"].clone()).collect();
            assert_eq!(names, if level < 4 { vec![] } else { vec![serde_json::json!("web")] }, "{shown}");
        }
        let tables = own.tables().await;
        for (table, rows, columns) in &before {
            let Some(_) = tables.get(table).filter(|_| !USED_UP.contains(&table.as_str())) else { continue };
            let after = own.rows(table, columns).await;
            for row in rows {
                assert!(after.contains(row), "{table} has lost a row {shown}, time {time}:\n{row}\nof {after:#?}");
            }
        }
        let applied = own.texts(applied.to_owned()).await;
        assert_eq!(applied.len(), newest, "{shown}");
        if time == 1 {
            first = applied;
        } else {
            assert_eq!(first, applied, "the second time nothing happens");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_control_plane_over_one_sqlite_file_refuses_to_start() {
    let (database, dir) = (TestDatabase::sqlite(), tempfile::tempdir().unwrap());
    let first = start(&database, &dir, 1);
    let setup = Setup { program: PROGRAMS.control, database: &database, dir: &dir };
    let second = setup.command().arg("serve").output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("another control plane runs over"), "{said}");
    assert_eq!(first[0].api.get("/readyz").await.status, 200, "the first goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_run_twice_or_by_two_replicas_at_once_keep_the_data_of_every_earlier_version() {
    let count = migrations("sqlite:").iter().count();
    for level in 1..=count {
        for database in databases().await {
            let all: Vec<_> = migrations(&database.url).iter().cloned().collect();
            upgrade(database, &all[..level], all.len()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_that_waits_for_others_keeps_nobody_waiting_behind_it() {
    const WAITS: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_locks WHERE NOT granted AND relation = 'jobs'::regclass";
    let Some(database) = databases().await.into_iter().find(|database| database.name == "postgres") else { return };
    let known = migrations(&database.url).iter().filter(|one| one.version < 33).cloned().collect();
    let (mut own, mut long) = (Own::to(&database).await, Own::to(&database).await);
    own.migrate(&Migrator::with_migrations(known)).await;
    long.insert("BEGIN; SELECT COUNT(*) FROM jobs").await;
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let starting = scope.spawn(|| start(&database, &dir, 1));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let waits = async || (own.texts(WAITS.to_owned()).await != ["0"]).then_some(());
                eventually("the migration to wait for the table", SOON, waits).await;
                own.insert("SET lock_timeout = '20s'; SELECT COUNT(*) FROM jobs").await;
                long.insert("COMMIT").await;
            });
        });
        let planes = starting.join().expect("it starts");
        assert_eq!(planes.len(), 1);
    });
    let applied = own.texts("SELECT CAST(version AS TEXT) FROM _sqlx_migrations".to_owned()).await;
    assert_eq!(applied.len(), migrations(&database.url).iter().count());
}
