//! What can be done with tenants.

use super::{Tenant, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Window};
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::TenantId;

/// The name of the tenant that exists from the first start on.
const DEFAULT: &str = "Default";

/// The tenants.
pub struct Service {
    db: Db,
    clock: Clock,
}

impl Service {
    /// A service over `db`.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Makes the tenant `Default` unless there is one. Repeatable, also by several control planes at once.
    pub async fn tenant_default_ensure(&self) -> Result<Tenant> {
        let mut read = self.db.read().await?;
        if let Some(tenant) = store::tenant_by_name(read.conn(), DEFAULT).await? {
            return Ok(tenant);
        }
        drop(read);
        let now = self.clock.now();
        let id = TenantId::generate();
        let mut tx = self.db.begin().await?;
        if store::tenant_insert(&mut tx, id, DEFAULT, now).await? {
            let actor = Actor::system("first start");
            let (name, subject) = ("tenant.created", id.to_string());
            let detail = serde_json::json!({ "name": DEFAULT });
            let record = Record {
                actor: &actor,
                tenant: Some(id),
                action: name,
                target_kind: "tenant",
                target_id: subject.clone(),
            };
            audit_append(&mut tx, now, record, &detail).await?;
            event_append(&mut tx, now, Event { tenant: Some(id), name, subject }, &detail).await?;
        }
        let tenant = self.tenant_default(tx.conn()).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// The tenant that exists from the first start on.
    pub async fn tenant_default(&self, conn: Conn<'_>) -> Result<Tenant> {
        store::tenant_by_name(conn, DEFAULT).await?.ok_or_else(|| Error::not_found("tenant", DEFAULT))
    }

    /// Whether there is such a tenant.
    pub async fn tenant_exists(&self, conn: Conn<'_>, id: TenantId) -> Result<bool> {
        Ok(store::tenant_get(conn, id).await?.is_some())
    }

    /// The tenant with this id.
    pub async fn tenant_get(&self, conn: Conn<'_>, id: TenantId) -> Result<Tenant> {
        store::tenant_get(conn, id).await?.ok_or_else(|| Error::not_found("tenant", id))
    }

    /// A page of the tenants in scope, in the order of their making.
    pub async fn tenant_list(&self, scope: Scope, window: Window<TenantId>) -> Result<Vec<Tenant>> {
        let mut read = self.db.read().await?;
        store::tenant_list(read.conn(), scope, window).await
    }
}
