//! What the platform's staff may see of customers, and write down about them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::health::{Facts, JOBS_DAYS, health};
use super::store::{self, Counted};
use super::{
    Customer, CustomerFilter, CustomerKey, CustomerOverview, CustomerSummary, Happened, Kpis, OVERVIEW_MAX, Profile,
    ProfilePatch,
};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::access::service::tenant_hold;
use crate::domain::audit::{Actor, Entry, Filter, Record, Scope, audit_append};
use crate::domain::check::Checks;
use crate::domain::cloudpods::Find;
use crate::domain::tenants::{TenantCreate, quotas};
use crate::domain::users::MemberFilter;
use crate::domain::{audit, cloudpods, tenants, users};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::TenantId;

/// A job may wait before it ends: it is looked for among those made so much earlier.
const JOB_WAITS: Duration = Duration::from_hours(7 * 24);

/// The customers.
pub struct Service {
    db: Db,
    clock: Clock,
    tenants: Arc<tenants::service::Service>,
    users: Arc<users::service::Service>,
    cloudpods: Arc<cloudpods::service::Service>,
    audit: Arc<audit::service::Service>,
}

impl Service {
    /// Over these slices.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        tenants: Arc<tenants::service::Service>,
        users: Arc<users::service::Service>,
        cloudpods: Arc<cloudpods::service::Service>,
        audit: Arc<audit::service::Service>,
    ) -> Self {
        Self { db, clock, tenants, users, cloudpods, audit }
    }

    /// All customers in figures.
    pub async fn customer_kpis(&self) -> Result<Kpis> {
        let mut at = self.db.snapshot().await?;
        store::kpis(at.conn()).await
    }

    /// A page of customers, each with how it is doing.
    pub async fn customer_summaries(
        &self,
        filter: &CustomerFilter,
        window: Window<CustomerKey>,
    ) -> Result<Vec<CustomerSummary>> {
        let mut at = self.db.snapshot().await?;
        let customers = self.page(at.conn(), filter, window).await?;
        self.summarized(at.conn(), customers).await
    }

    /// A page of customers.
    pub async fn customer_list(&self, filter: &CustomerFilter, window: Window<CustomerKey>) -> Result<Vec<Customer>> {
        self.page(self.db.read().await?.conn(), filter, window).await
    }

    /// One customer.
    pub async fn customer_get(&self, tenant: TenantId) -> Result<Customer> {
        find(self.db.read().await?.conn(), tenant).await
    }

    /// One customer as a whole.
    pub async fn customer_overview(&self, tenant: TenantId) -> Result<CustomerOverview> {
        let mut at = self.db.snapshot().await?;
        let customer = find(at.conn(), tenant).await?;
        let summary = self.summarized(at.conn(), vec![customer]).await?.pop();
        let summary = summary.ok_or_else(|| Error::internal("a customer was not summarized"))?;
        let missing = || Error::internal("a customer has no quotas");
        let quotas = quotas::quotas_of(at.conn(), &[tenant]).await?.remove(&tenant).ok_or_else(missing)?;
        let subscriptions = store::subscriptions_of(at.conn(), tenant, OVERVIEW_MAX).await?;
        let orders = store::orders_of(at.conn(), tenant, OVERVIEW_MAX).await?;
        drop(at);
        let scope = Scope::Tenant(tenant);
        let (pods, users, events) = (
            self.cloudpods.cloudpod_list(scope, Find::default(), first()).await?,
            self.users.user_list(scope, &MemberFilter::default(), first()).await?,
            self.audit.record_list(scope, &Filter::default(), first()).await?,
        );
        let events = events.into_iter().map(happened).collect();
        Ok(CustomerOverview { summary, quotas, subscriptions, orders, pods, users, events })
    }

    /// Makes a tenant with a profile.
    pub async fn customer_create(&self, actor: &Actor, tenant: TenantCreate, profile: Profile) -> Result<Customer> {
        let mut checks = Checks::new();
        check(&mut checks, &profile);
        checks.finish()?;
        let mut tx = self.db.begin().await?;
        let id = self.tenants.tenant_create_in(&mut tx, actor, tenant).await?.id;
        store::profile_put(&mut tx, id, &profile, 1, self.clock.now()).await?;
        self.note(&mut tx, actor, id, "customer.created", &json!({ "after": shown(&profile) })).await?;
        let made = find(tx.conn(), id).await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Changes a customer's profile, or makes it. `expected`: the version that the caller has read; 0: there was none.
    pub async fn customer_update(
        &self,
        actor: &Actor,
        tenant: TenantId,
        expected: Option<i64>,
        patch: ProfilePatch,
    ) -> Result<Customer> {
        let mut tx = self.db.begin().await?;
        let before = held(&mut tx, tenant, expected).await?;
        let ProfilePatch { company, contact, phone, address, country, tax_number, note } = patch;
        let old = before.profile;
        let after = Profile {
            company: company.unwrap_or_else(|| old.company.clone()),
            contact: contact.unwrap_or_else(|| old.contact.clone()),
            phone: phone.unwrap_or_else(|| old.phone.clone()),
            address: address.unwrap_or_else(|| old.address.clone()),
            country: country.unwrap_or_else(|| old.country.clone()),
            tax_number: tax_number.unwrap_or_else(|| old.tax_number.clone()),
            note: note.unwrap_or_else(|| old.note.clone()),
        };
        let mut checks = Checks::new();
        check(&mut checks, &after);
        checks.finish()?;
        store::profile_put(&mut tx, tenant, &after, before.version + 1, self.clock.now()).await?;
        let detail = json!({ "before": shown(&old), "after": shown(&after) });
        self.note(&mut tx, actor, tenant, "customer.updated", &detail).await?;
        let changed = find(tx.conn(), tenant).await?;
        tx.commit().await?;
        Ok(changed)
    }

    /// Deletes a customer's profile; its tenant stays. 404 when there is none.
    pub async fn customer_delete(&self, actor: &Actor, tenant: TenantId, expected: Option<i64>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        held(&mut tx, tenant, expected).await?;
        if !store::profile_delete(&mut tx, tenant).await? {
            return Err(Error::not_found("profile of the customer", tenant));
        }
        self.note(&mut tx, actor, tenant, "customer.deleted", &json!({})).await?;
        tx.commit().await
    }

    async fn page(
        &self,
        conn: Conn<'_>,
        filter: &CustomerFilter,
        window: Window<CustomerKey>,
    ) -> Result<Vec<Customer>> {
        if let Some(search) = &filter.search {
            let mut checks = Checks::new();
            checks.text("q", search, 1..=100);
            checks.finish()?;
        }
        store::customer_list(conn, filter, self.clock.now(), window).await
    }

    /// How these customers are doing, by so many statements, however many they are.
    async fn summarized(&self, mut conn: Conn<'_>, customers: Vec<Customer>) -> Result<Vec<CustomerSummary>> {
        let ids: Vec<_> = customers.iter().map(|customer| customer.tenant).collect();
        let now = self.clock.now();
        let since = now.minus(Duration::from_hours(24 * JOBS_DAYS));
        let jobs = (since, first_id(since.minus(JOB_WAITS)));
        let mut counted = store::counted(conn.again(), &ids, now, jobs).await?;
        let mut quotas = quotas::quotas_of(conn, &ids).await?;
        let summary = |customer: Customer| {
            let Counted { facts, users, revenue } = counted.remove(&customer.tenant).unwrap_or_default();
            let facts = Facts {
                suspended: customer.suspension.is_some(),
                created_at: customer.created_at,
                quotas: quotas.remove(&customer.tenant),
                ..facts
            };
            let (pods, last_active_at) = (facts.pods, facts.last_active_at);
            CustomerSummary { customer, pods, users, last_active_at, revenue, health: health(&facts, now) }
        };
        Ok(customers.into_iter().map(summary).collect())
    }

    async fn note(&self, tx: &mut Tx, actor: &Actor, id: TenantId, name: &'static str, detail: &Value) -> Result<()> {
        // The platform's alone: what it notes of a customer is not for the customer's people.
        let (at, subject) = (self.clock.now(), id.to_string());
        let record = Record { actor, tenant: None, action: name, target_kind: "customer", target_id: subject.clone() };
        audit_append(tx, at, record, detail).await?;
        event_append(tx, at, Event { tenant: None, name, subject }, &json!({})).await
    }
}

fn first<K>() -> Window<K> {
    Window { limit: OVERVIEW_MAX, after: None }
}

/// Less than every id that was made from then on.
fn first_id(from: Ms) -> uuid::Uuid {
    uuid::Uuid::from_u128(u128::from(u64::try_from(from.0).unwrap_or(0)) << 80)
}

fn happened(entry: Entry) -> Happened {
    let Entry {
        id: _,
        tenant: _,
        actor,
        address: _,
        request_id: _,
        action,
        target_kind,
        target_id,
        detail: _,
        at,
        link: _,
    } = entry;
    Happened { at, action, actor, target_kind, target_id }
}

async fn find(conn: Conn<'_>, tenant: TenantId) -> Result<Customer> {
    store::customer_get(conn, tenant).await?.ok_or_else(|| Error::not_found("tenant", tenant))
}

/// The customer, whose tenant is held. 412 when the profile is not as the caller has read it.
async fn held(tx: &mut Tx, tenant: TenantId, expected: Option<i64>) -> Result<Customer> {
    if !tenant_hold(tx, tenant).await? {
        return Err(Error::not_found("tenant", tenant));
    }
    let customer = find(tx.conn(), tenant).await?;
    if expected.is_some_and(|version| version != customer.version) {
        return Err(Error::Stale);
    }
    Ok(customer)
}

fn check(checks: &mut Checks, profile: &Profile) {
    let Profile { company, contact, phone, address, country, tax_number, note } = profile;
    checks.text("company", company, 0..=200);
    checks.text("contact", contact, 0..=200);
    checks.text("phone", phone, 0..=50);
    checks.text("tax_number", tax_number, 0..=50);
    // These may have several lines.
    checks.text("address", &address.replace('\n', " "), 0..=500);
    checks.text("note", &note.replace('\n', " "), 0..=2000);
    let code = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    let message = "must be a country code of ISO 3166-1 such as DE, or empty";
    checks.require(country.is_empty() || code, "country", message);
}

fn shown(profile: &Profile) -> Value {
    let Profile { company, contact, phone, address, country, tax_number, note } = profile;
    json!({ "company": company, "contact": contact, "phone": phone, "address": address, "country": country,
            "tax_number": tax_number, "note": note })
}
