//! What can be done with tenants.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::quotas::{self, Limits, Quotas};
use super::{SUSPENDED, Tenant, TenantCreate, TenantFilter, TenantKey, TenantPatch, TenantSuspension, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::check::{Checks, trimmed};
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
        let tenant = self.tenant_new(TenantCreate { name: DEFAULT.to_owned(), ..TenantCreate::default() });
        let mut tx = self.db.begin().await?;
        if store::tenant_insert(&mut tx, &tenant).await? {
            let actor = Actor::system("first start");
            self.note(&mut tx, &actor, tenant.id, "tenant.created", &json!({ "name": DEFAULT })).await?;
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
        Ok(store::tenant_get(conn, Scope::Platform, id).await?.is_some())
    }

    /// Writes down what up to `limit` tenants of before are searched by; of how many.
    pub async fn search_fill(&self, tx: &mut Tx, limit: u32) -> Result<u64> {
        store::search_fill(tx, limit).await
    }

    /// The tenant with this id.
    pub async fn tenant_get(&self, conn: Conn<'_>, id: TenantId) -> Result<Tenant> {
        store::tenant_get(conn, Scope::Platform, id).await?.ok_or_else(|| Error::not_found("tenant", id))
    }

    /// The tenant with this id, if it is in scope; outside a transaction.
    pub async fn tenant_show(&self, scope: Scope, id: TenantId) -> Result<Tenant> {
        let mut read = self.db.read().await?;
        store::tenant_get(read.conn(), scope, id).await?.ok_or_else(|| Error::not_found("tenant", id))
    }

    /// What several are called.
    pub async fn tenant_names(&self, ids: &[TenantId]) -> Result<HashMap<TenantId, String>> {
        store::tenant_names(self.db.read().await?.conn(), ids).await
    }

    /// A page of the tenants in scope.
    pub async fn tenant_list(
        &self,
        scope: Scope,
        filter: &TenantFilter,
        window: Window<TenantKey>,
    ) -> Result<Vec<Tenant>> {
        let mut read = self.db.read().await?;
        store::tenant_list(read.conn(), scope, filter, window).await
    }

    /// Makes a tenant. A name that another has is a conflict.
    pub async fn tenant_create(&self, actor: &Actor, input: TenantCreate) -> Result<Tenant> {
        let mut tx = self.db.begin().await?;
        let tenant = self.tenant_create_in(&mut tx, actor, input).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    /// As [`Service::tenant_create`], in the caller's transaction.
    pub async fn tenant_create_in(&self, tx: &mut Tx, actor: &Actor, input: TenantCreate) -> Result<Tenant> {
        let limits = input.limits;
        let tenant = self.tenant_new(input);
        let mut checks = Checks::new();
        check(&mut checks, &tenant);
        quotas::check(&mut checks, &limits);
        checks.finish()?;
        if !store::tenant_insert(tx, &tenant).await? {
            return Err(store::name_taken(&tenant.name));
        }
        quotas::limits_set(tx, tenant.id, &limits, (tenant.version, tenant.updated_at)).await?;
        let detail = json!({ "after": shown(&tenant), "quotas": limits });
        self.note(tx, actor, tenant.id, "tenant.created", &detail).await?;
        Ok(tenant)
    }

    /// Changes a tenant's settings. `expected`: the version that the caller has read.
    pub async fn tenant_update(
        &self,
        actor: &Actor,
        scope: Scope,
        id: TenantId,
        expected: Option<i64>,
        patch: TenantPatch,
    ) -> Result<Tenant> {
        let mut tx = self.db.begin().await?;
        let before = held(&mut tx, scope, id, expected).await?;
        let TenantPatch { name, contact_email, default_region } = patch;
        let name = name.as_deref().map(trimmed);
        if before.name == DEFAULT && name.as_ref().is_some_and(|name| name != DEFAULT) {
            let detail = "pods that name no tenant go to the tenant Default: it keeps its name; make another tenant";
            return Err(Error::conflict("tenant_default", detail));
        }
        let after = Tenant {
            name: name.unwrap_or_else(|| before.name.clone()),
            contact_email: contact_email.unwrap_or_else(|| before.contact_email.clone()),
            default_region: default_region.unwrap_or_else(|| before.default_region.clone()),
            version: before.version + 1,
            updated_at: self.clock.now(),
            ..before.clone()
        };
        let mut checks = Checks::new();
        check(&mut checks, &after);
        checks.finish()?;
        store::tenant_update(&mut tx, &after).await?;
        let detail = json!({ "before": shown(&before), "after": shown(&after) });
        self.note(&mut tx, actor, id, "tenant.updated", &detail).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// How much a tenant may use, and uses.
    pub async fn quotas_get(&self, scope: Scope, id: TenantId) -> Result<(Quotas, i64)> {
        // One moment: what is used is counted by several statements.
        let mut at = self.db.snapshot().await?;
        let tenant = store::tenant_get(at.conn(), scope, id).await?.ok_or_else(|| Error::not_found("tenant", id))?;
        Ok((quotas::quotas_get(at.conn(), id).await?, tenant.version))
    }

    /// Says how much a tenant may use; `change` turns what was into what shall be. What it uses beyond that stays its own, and it
    /// gets no more. `expected`: the version that the caller has read.
    pub async fn quotas_update(
        &self,
        actor: &Actor,
        id: TenantId,
        expected: Option<i64>,
        change: impl FnOnce(Limits) -> Limits,
    ) -> Result<(Quotas, i64)> {
        let mut tx = self.db.begin().await?;
        let tenant = held(&mut tx, Scope::Platform, id, expected).await?;
        let before = quotas::quotas_get(tx.conn(), id).await?.limits;
        let after = change(before);
        let mut checks = Checks::new();
        quotas::check(&mut checks, &after);
        checks.finish()?;
        let version = tenant.version + 1;
        quotas::limits_set(&mut tx, id, &after, (version, self.clock.now())).await?;
        let detail = json!({ "before": before, "after": after });
        self.note(&mut tx, actor, id, "tenant.quotas_updated", &detail).await?;
        let shown = quotas::quotas_get(tx.conn(), id).await?;
        tx.commit().await?;
        Ok((shown, version))
    }

    /// Marks a tenant as suspended, in the caller's transaction; it is held from then on. One that is suspended already stays so,
    /// for the same reason. `true`: it was not suspended before.
    pub async fn tenant_suspend_in(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        id: TenantId,
        reason: &str,
    ) -> Result<(Tenant, bool)> {
        let mut checks = Checks::new();
        checks.text("reason", reason, 1..=500);
        checks.finish()?;
        let before = held(tx, Scope::Platform, id, None).await?;
        if before.suspension.is_some() {
            return Ok((before, false));
        }
        let suspension = Some(TenantSuspension { reason: reason.to_owned(), since: self.clock.now() });
        let after = self.suspension_store(tx, before, suspension).await?;
        self.note(tx, actor, id, "tenant.suspended", &json!({ "name": after.name, "reason": reason })).await?;
        Ok((after, true))
    }

    /// Ends a tenant's suspension, in the caller's transaction; it is held from then on. `true`: it was suspended.
    pub async fn tenant_reactivate_in(&self, tx: &mut Tx, actor: &Actor, id: TenantId) -> Result<(Tenant, bool)> {
        let before = held(tx, Scope::Platform, id, None).await?;
        let Some(TenantSuspension { reason, since }) = before.suspension.clone() else { return Ok((before, false)) };
        let after = self.suspension_store(tx, before, None).await?;
        let detail = json!({ "name": after.name, "was_suspended_for": reason, "was_suspended_since": since });
        self.note(tx, actor, id, "tenant.reactivated", &detail).await?;
        Ok((after, true))
    }

    async fn suspension_store(
        &self,
        tx: &mut Tx,
        before: Tenant,
        suspension: Option<TenantSuspension>,
    ) -> Result<Tenant> {
        let after = Tenant { suspension, version: before.version + 1, updated_at: self.clock.now(), ..before };
        store::tenant_update(tx, &after).await?;
        Ok(after)
    }

    fn tenant_new(&self, input: TenantCreate) -> Tenant {
        let TenantCreate { name, contact_email, default_region, limits: _ } = input;
        let (now, id) = (self.clock.now(), TenantId::generate());
        Tenant {
            id,
            name: trimmed(&name),
            contact_email,
            default_region,
            suspension: None,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    async fn note(&self, tx: &mut Tx, actor: &Actor, id: TenantId, name: &'static str, detail: &Value) -> Result<()> {
        let (at, tenant, subject) = (self.clock.now(), Some(id), id.to_string());
        let record = Record { actor, tenant, action: name, target_kind: "tenant", target_id: subject.clone() };
        audit_append(tx, at, record, detail).await?;
        event_append(tx, at, Event { tenant, name, subject }, detail).await
    }
}

/// What is refused of a tenant that is suspended.
pub(super) fn suspended(reason: &str) -> Error {
    Error::conflict(
        SUSPENDED,
        format!("the tenant is suspended ({reason}): this is possible again once the platform has reactivated it"),
    )
}

/// The tenant, held until the transaction ends. 412 when it is not as the caller has read it.
async fn held(tx: &mut Tx, scope: Scope, id: TenantId, expected: Option<i64>) -> Result<Tenant> {
    let tenant = store::tenant_lock(tx, scope, id).await?.ok_or_else(|| Error::not_found("tenant", id))?;
    if expected.is_some_and(|version| version != tenant.version) {
        return Err(Error::Stale);
    }
    Ok(tenant)
}

fn check(checks: &mut Checks, tenant: &Tenant) {
    checks.called("name", &tenant.name, 1..=100);
    if let Some(email) = &tenant.contact_email {
        checks.text("contact_email", email, 3..=254);
        checks.require(email.contains('@'), "contact_email", "must be an address, such as anna@example.net");
    }
    if let Some(region) = &tenant.default_region {
        checks.text("default_region", region, 1..=63);
    }
}

fn shown(tenant: &Tenant) -> Value {
    let Tenant { id: _, name, contact_email, default_region, suspension: _, version, created_at: _, updated_at: _ } =
        tenant;
    json!({ "name": name, "contact_email": contact_email, "default_region": default_region, "version": version })
}
