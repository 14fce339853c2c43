//! A connection beside the control plane's own, as somebody with the database's password has.

use std::time::Duration;

use control_plane::domain::access::Permission;
use mpanel_tests::TestDatabase;
use mpanel_tests::app::Api;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use uuid::Uuid;

pub const DEADLINE: Duration = Duration::from_mins(1);

/// See the module.
pub enum Own {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Own {
    pub async fn to(database: &TestDatabase) -> Self {
        match database.name {
            "sqlite" => Self::Sqlite(SqliteConnection::connect(&database.url).await.unwrap()),
            _ => Self::Postgres(PgConnection::connect(&database.url).await.unwrap()),
        }
    }

    /// Runs it; what the database says against it.
    pub async fn run(&mut self, sql: &str) -> Result<(), String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(own) => own.execute(sql).await.map(drop),
            Self::Postgres(own) => own.execute(sql).await.map(drop),
        }
        .map_err(|error| error.to_string())
    }

    pub async fn count(&mut self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(own) => sqlx::query_scalar(sql).fetch_one(own).await,
            Self::Postgres(own) => sqlx::query_scalar(sql).fetch_one(own).await,
        }
        .unwrap()
    }

    /// Takes the triggers off, as only the tables' owner can.
    pub async fn disarm(&mut self) {
        let (sqlite, postgres): (&[&str], &[&str]) = (
            &[
                "DROP TRIGGER audit_records_no_update",
                "DROP TRIGGER audit_records_no_delete",
                "DROP TRIGGER audit_records_no_replace",
                "DROP TRIGGER audit_records_queue",
                "DROP TRIGGER audit_chain_no_update",
                "DROP TRIGGER audit_chain_no_delete",
            ],
            &[
                "DROP TRIGGER audit_records_append_only ON audit_records",
                "DROP TRIGGER audit_records_queue ON audit_records",
                "DROP TRIGGER audit_chain_append_only ON audit_chain",
            ],
        );
        let words = if matches!(self, Self::Sqlite(_)) { sqlite } else { postgres };
        for sql in words {
            self.run(sql).await.unwrap();
        }
    }
}

/// Makes a plan, which is audited; its id.
pub async fn plan(api: &Api, name: &str) -> String {
    let plan =
        json!({"name": name, "vcpu": 1, "memory_mib": 512, "disk_gib": 5, "price_minor": 500, "currency": "EUR"});
    let plan = api.post("/api/platform/plans", &plan).await.expect(201);
    plan["id"].as_str().unwrap().to_owned()
}

/// The whole proof, part by part, put together.
pub async fn verify(api: &Api) -> Value {
    let mut breaks = Vec::new();
    let mut query = String::new();
    loop {
        let mut part = api.get(&format!("/api/admin/audit/verify?{query}")).await.expect(200);
        breaks.append(part["breaks"].as_array_mut().unwrap());
        let next = part["next"].clone();
        if next.is_null() {
            part["breaks"] = breaks.into();
            return part;
        }
        query = format!("after_seq={}", next["after_seq"]);
        if let Some(record) = next["after_record"].as_str() {
            query.push_str(&format!("&after_record={record}"));
        }
    }
}

/// Waits until nothing waits to be sealed; how many links there are.
pub async fn sealed(api: &Api) -> i64 {
    mpanel_tests::eventually("all records to be sealed", DEADLINE, async || {
        let proof = api.get("/api/admin/audit/verify").await.expect(200);
        (proof["unsealed"] == 0).then(|| proof["count"].as_i64().unwrap())
    })
    .await
}

/// A tenant of its own and an API token of its owner: the tenant's id, the token.
pub async fn owner(own: &mut Own, name: &str) -> (String, String) {
    let token = format!("mpanel_{name}_0123456789_0123456789_0123456789");
    let hash: String = Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let (tenant, user, id) = (Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    let is_sqlite = matches!(own, Own::Sqlite(_));
    let bytes = |hex: String| if is_sqlite { format!("X'{hex}'") } else { format!("'\\x{hex}'") };
    let uuid = |id: Uuid| if is_sqlite { format!("X'{}'", id.simple()) } else { format!("'{id}'") };
    let permissions = json!({"permissions": Permission::ALL}).to_string();
    for sql in [
        format!("INSERT INTO tenants (id, name, created_at) VALUES ({}, '{name}', 1)", uuid(tenant)),
        format!(
            "INSERT INTO users (id, email, name, version, created_at, updated_at) VALUES ({}, '{name}@example.com', '', 1, 1, 1)",
            uuid(user)
        ),
        format!(
            "INSERT INTO memberships (tenant_id, user_id, role, version, created_at, updated_at) VALUES ({}, {}, 'OWNER', 1, 1, 1)",
            uuid(tenant),
            uuid(user)
        ),
        format!(
            "INSERT INTO api_tokens (id, name, secret_hash, created_at, user_id, tenant_id, permissions, expires_at)
             VALUES ({}, '{name}', {}, 1, {}, {}, '{permissions}', 4102444800000)",
            uuid(id),
            bytes(hash),
            uuid(user),
            uuid(tenant)
        ),
    ] {
        own.run(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    (tenant.to_string(), token)
}
