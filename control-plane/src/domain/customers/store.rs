//! The customers' profiles, orders and subscriptions; and what the books say of tenants, many at once.

use std::collections::HashMap;

use super::health::Facts;
use super::{Customer, CustomerFilter, CustomerKey, Kpis, Money, Order, Profile, Revenue, Subscription};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::domain::check::loaded;
use crate::domain::sort::AgeOrName;
use crate::domain::tenants::TenantSuspension;
use crate::error::Result;
use crate::ids::{CloudPodId, OrderId, PlanId, SubscriptionId, TenantId};
use crate::{execute, fetch_all, fetch_by_ids, fetch_one, fetch_optional};

macro_rules! select {
    ($($rest:literal),+) => {
        concat!(
            "SELECT t.id, t.name, t.contact_email, t.suspended_at, t.suspend_reason, t.created_at,
                    COALESCE(c.company, '') AS company, COALESCE(c.contact, '') AS contact, COALESCE(c.phone, '') AS phone,
                    COALESCE(c.address, '') AS address, COALESCE(c.country, '') AS country,
                    COALESCE(c.tax_number, '') AS tax_number, COALESCE(c.note, '') AS note,
                    COALESCE(c.version, 0) AS version
               FROM tenants t LEFT JOIN customers c ON c.tenant_id = t.id WHERE ",
            $($rest),+
        )
    };
}

#[derive(sqlx::FromRow)]
struct CustomerRow {
    id: TenantId,
    name: String,
    contact_email: Option<String>,
    suspended_at: Option<Ms>,
    suspend_reason: String,
    created_at: Ms,
    company: String,
    contact: String,
    phone: String,
    address: String,
    country: String,
    tax_number: String,
    note: String,
    version: i64,
}

impl From<CustomerRow> for Customer {
    fn from(row: CustomerRow) -> Self {
        let CustomerRow {
            id,
            name,
            contact_email,
            suspended_at,
            suspend_reason: reason,
            created_at,
            company,
            contact,
            phone,
            address,
            country,
            tax_number,
            note,
            version,
        } = row;
        let suspension = suspended_at.map(|since| TenantSuspension { reason, since });
        let profile = Profile { company, contact, phone, address, country, tax_number, note };
        Self { tenant: id, name, contact_email, suspension, created_at, profile, version }
    }
}

pub(super) async fn customer_get(conn: Conn<'_>, tenant: TenantId) -> Result<Option<Customer>> {
    const SQL: &str = select!("t.id = $1");
    Ok(fetch_optional!(conn, CustomerRow, SQL, tenant)?.map(Customer::from))
}

macro_rules! select_page {
    ($after_and_order:literal) => {
        select!(
            "($1 IS NULL OR t.search LIKE $1 ESCAPE '\\' OR lower(t.name) LIKE $1 ESCAPE '\\'
              OR lower(t.contact_email) LIKE $1 ESCAPE '\\' OR c.search LIKE $1 ESCAPE '\\')
             AND ($2 IS NULL OR (t.suspended_at IS NOT NULL) = $2)
             AND ($3 IS NULL OR EXISTS (SELECT 1 FROM orders o
                                         WHERE o.tenant_id = t.id AND o.status = 'open' AND o.due_at < $4) = $3)
             AND ",
            $after_and_order,
            " LIMIT $6"
        )
    };
}

pub(super) async fn customer_list(
    conn: Conn<'_>,
    filter: &CustomerFilter,
    now: Ms,
    window: Window<CustomerKey>,
) -> Result<Vec<Customer>> {
    const NEWEST: &str = select_page!("($5 IS NULL OR t.id < $5) ORDER BY t.id DESC");
    const OLDEST: &str = select_page!("($5 IS NULL OR t.id > $5) ORDER BY t.id");
    const NAME: &str = select_page!("($5 IS NULL OR t.name > $5) ORDER BY t.name");
    const NAME_BACKWARDS: &str = select_page!("($5 IS NULL OR t.name < $5) ORDER BY t.name DESC");
    let CustomerFilter { search, suspended, overdue, sort } = filter;
    let search = search.as_deref().map(pattern);
    let Window { limit, after } = window;
    let (id, name) = after.map(|key| (key.tenant, key.name)).unzip();
    let rows = match sort.unwrap_or(AgeOrName::Newest) {
        AgeOrName::Newest => fetch_all!(conn, CustomerRow, NEWEST, search, *suspended, *overdue, now, id, limit),
        AgeOrName::Oldest => fetch_all!(conn, CustomerRow, OLDEST, search, *suspended, *overdue, now, id, limit),
        AgeOrName::Name => fetch_all!(conn, CustomerRow, NAME, search, *suspended, *overdue, now, name, limit),
        AgeOrName::NameBackwards => {
            fetch_all!(conn, CustomerRow, NAME_BACKWARDS, search, *suspended, *overdue, now, name, limit)
        }
    };
    Ok(rows?.into_iter().map(Customer::from).collect())
}

/// What LIKE takes for a text that is somewhere in another.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Stores the profile of a tenant that is held.
pub(super) async fn profile_put(tx: &mut Tx, tenant: TenantId, profile: &Profile, version: i64, at: Ms) -> Result<()> {
    const SQL: &str =
        "INSERT INTO customers (tenant_id, company, search, contact, phone, address, country, tax_number, note, version,
                                created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)
         ON CONFLICT (tenant_id) DO UPDATE SET company = excluded.company, search = excluded.search,
             contact = excluded.contact, phone = excluded.phone, address = excluded.address, country = excluded.country,
             tax_number = excluded.tax_number, note = excluded.note, version = excluded.version,
             updated_at = excluded.updated_at";
    let Profile { company, contact, phone, address, country, tax_number, note } = profile;
    let search = format!("{company}\n{contact}").to_lowercase();
    execute!(
        tx.conn(),
        SQL,
        tenant,
        company.as_str(),
        search,
        contact.as_str(),
        phone.as_str(),
        address.as_str(),
        country.as_str(),
        tax_number.as_str(),
        note.as_str(),
        version,
        at
    )?;
    Ok(())
}

/// `false`: there was none.
pub(super) async fn profile_delete(tx: &mut Tx, tenant: TenantId) -> Result<bool> {
    const SQL: &str = "DELETE FROM customers WHERE tenant_id = $1";
    Ok(execute!(tx.conn(), SQL, tenant)? == 1)
}

pub(super) async fn kpis(mut conn: Conn<'_>) -> Result<Kpis> {
    const TENANTS: &str = "SELECT COUNT(*), COUNT(suspended_at) FROM tenants";
    const REVENUE: &str = "SELECT currency, CAST(SUM(amount_minor) AS BIGINT), COUNT(DISTINCT tenant_id)
                             FROM orders WHERE status = 'paid' GROUP BY currency ORDER BY currency";
    let (total, suspended) = fetch_one!(conn.again(), (i64, i64), TENANTS)?;
    let mut revenue = Vec::new();
    for (currency, total, customers) in fetch_all!(conn, (String, i64, i64), REVENUE)? {
        let total_minor: u64 = loaded(total, "sum of orders.amount_minor")?;
        let customers: u64 = loaded(customers, "count of orders.tenant_id")?;
        let average_minor = total_minor / customers.max(1);
        revenue.push(Revenue { currency, total_minor, customers, average_minor });
    }
    Ok(Kpis {
        total: loaded(total, "count of tenants")?,
        active: loaded(total - suspended, "count of tenants")?,
        revenue,
    })
}

/// What the books say of each of these tenants.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// For its health, but for its quotas and what its own row says.
    pub(super) facts: Facts,
    pub(super) users: u64,
    pub(super) revenue: Vec<Money>,
}

/// Looks at many tenants by so many statements, however many they are. Jobs: those that ended after `jobs_since`, looked for among
/// those made after `jobs_from`.
pub(super) async fn counted(
    mut conn: Conn<'_>,
    tenants: &[TenantId],
    now: Ms,
    (jobs_since, jobs_from): (Ms, uuid::Uuid),
) -> Result<HashMap<TenantId, Counted>> {
    let mut all: HashMap<TenantId, Counted> = tenants.iter().map(|tenant| (*tenant, Counted::default())).collect();
    people_count(conn.again(), tenants, &mut all).await?;
    money_count(conn.again(), tenants, now, &mut all).await?;
    let pods = fetch_by_ids!(
        conn.again(),
        (TenantId, i64, i64),
        "SELECT tenant_id, COUNT(*), CAST(SUM(CASE WHEN state = 'suspended' THEN 1 ELSE 0 END) AS BIGINT)
           FROM cloudpods WHERE state <> 'deleted' AND tenant_id",
        "GROUP BY tenant_id",
        tenants
    )?;
    for (tenant, pods, suspended) in pods {
        let Some(counted) = all.get_mut(&tenant) else { continue };
        counted.facts.pods = loaded(pods, "count of cloudpods")?;
        counted.facts.pods_suspended = loaded(suspended, "count of cloudpods")?;
    }
    let jobs = fetch_by_ids!(
        conn,
        (TenantId, i64, i64),
        "SELECT tenant_id, COUNT(*), CAST(SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS BIGINT)
           FROM jobs WHERE id >= $3 AND finished_at > $2 AND tenant_id",
        "GROUP BY tenant_id",
        tenants,
        jobs_since,
        jobs_from
    )?;
    for (tenant, ended, failed) in jobs {
        let Some(counted) = all.get_mut(&tenant) else { continue };
        counted.facts.jobs_ended = loaded(ended, "count of jobs")?;
        counted.facts.jobs_failed = loaded(failed, "count of jobs")?;
    }
    Ok(all)
}

async fn people_count(mut conn: Conn<'_>, tenants: &[TenantId], all: &mut HashMap<TenantId, Counted>) -> Result<()> {
    let people = fetch_by_ids!(
        conn.again(),
        (TenantId, i64, Option<Ms>),
        "SELECT m.tenant_id, COUNT(*), MAX(u.last_sign_in_at)
           FROM memberships m JOIN users u ON u.id = m.user_id WHERE m.tenant_id",
        "GROUP BY m.tenant_id",
        tenants
    )?;
    for (tenant, users, last) in people {
        let Some(counted) = all.get_mut(&tenant) else { continue };
        counted.users = loaded(users, "count of memberships")?;
        counted.facts.last_active_at = last;
    }
    // Whoever stays signed in signs in no more.
    let sessions = fetch_by_ids!(
        conn.again(),
        (TenantId, Option<Ms>),
        "SELECT m.tenant_id, MAX(s.used_at)
           FROM memberships m JOIN sessions s ON s.user_id = m.user_id AND s.ended_at IS NULL WHERE m.tenant_id",
        "GROUP BY m.tenant_id",
        tenants
    )?;
    let tokens = fetch_by_ids!(
        conn,
        (TenantId, Option<Ms>),
        "SELECT m.tenant_id, MAX(a.last_used_at)
           FROM memberships m JOIN api_tokens a ON a.user_id = m.user_id AND a.tenant_id = m.tenant_id
          WHERE a.revoked_at IS NULL AND m.tenant_id",
        "GROUP BY m.tenant_id",
        tenants
    )?;
    for (tenant, last) in sessions.into_iter().chain(tokens) {
        let Some(counted) = all.get_mut(&tenant) else { continue };
        counted.facts.last_active_at = counted.facts.last_active_at.max(last);
    }
    Ok(())
}

async fn money_count(
    mut conn: Conn<'_>,
    tenants: &[TenantId],
    now: Ms,
    all: &mut HashMap<TenantId, Counted>,
) -> Result<()> {
    let paid = fetch_by_ids!(
        conn.again(),
        (TenantId, String, i64),
        "SELECT tenant_id, currency, CAST(SUM(amount_minor) AS BIGINT)
           FROM orders WHERE status = 'paid' AND tenant_id",
        "GROUP BY tenant_id, currency ORDER BY tenant_id, currency",
        tenants
    )?;
    for (tenant, currency, amount) in paid {
        let Some(counted) = all.get_mut(&tenant) else { continue };
        let amount_minor = loaded(amount, "sum of orders.amount_minor")?;
        counted.revenue.push(Money { currency, amount_minor });
    }
    let overdue = fetch_by_ids!(
        conn,
        (TenantId, i64, Ms),
        "SELECT tenant_id, COUNT(*), MIN(due_at) FROM orders WHERE status = 'open' AND due_at < $2 AND tenant_id",
        "GROUP BY tenant_id",
        tenants,
        now
    )?;
    for (tenant, orders, since) in overdue {
        let Some(counted) = all.get_mut(&tenant) else { continue };
        counted.facts.overdue_orders = loaded(orders, "count of orders")?;
        counted.facts.overdue_since = Some(since);
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct SubscriptionRow {
    id: SubscriptionId,
    plan_id: Option<PlanId>,
    plan_name: Option<String>,
    pod_id: Option<CloudPodId>,
    pod_name: Option<String>,
    status: String,
    price_minor: i64,
    currency: String,
    interval_months: i64,
    current_period_end: Option<Ms>,
    created_at: Ms,
}

impl TryFrom<SubscriptionRow> for Subscription {
    type Error = crate::error::Error;

    fn try_from(row: SubscriptionRow) -> Result<Self> {
        let SubscriptionRow {
            id,
            plan_id,
            plan_name,
            pod_id,
            pod_name,
            status,
            price_minor,
            currency,
            interval_months,
            current_period_end,
            created_at,
        } = row;
        let price = Money { currency, amount_minor: loaded(price_minor, "subscriptions.price_minor")? };
        let interval_months = loaded(interval_months, "subscriptions.interval_months")?;
        Ok(Self {
            id,
            plan: plan_id,
            plan_name,
            pod: pod_id,
            pod_name,
            status,
            price,
            interval_months,
            current_period_end,
            created_at,
        })
    }
}

/// The newest of a tenant's.
pub(super) async fn subscriptions_of(conn: Conn<'_>, tenant: TenantId, limit: i64) -> Result<Vec<Subscription>> {
    const SQL: &str =
        "SELECT s.id, s.plan_id, plans.name AS plan_name, s.pod_id, p.name AS pod_name, s.status, s.price_minor, s.currency,
                s.interval_months, s.current_period_end, s.created_at
           FROM subscriptions s LEFT JOIN plans ON plans.id = s.plan_id LEFT JOIN cloudpods p ON p.id = s.pod_id
          WHERE s.tenant_id = $1 ORDER BY s.id DESC LIMIT $2";
    fetch_all!(conn, SubscriptionRow, SQL, tenant, limit)?.into_iter().map(Subscription::try_from).collect()
}

#[derive(sqlx::FromRow)]
struct OrderRow {
    id: OrderId,
    subscription_id: Option<SubscriptionId>,
    status: String,
    amount_minor: i64,
    currency: String,
    description: String,
    due_at: Ms,
    paid_at: Option<Ms>,
    created_at: Ms,
}

impl TryFrom<OrderRow> for Order {
    type Error = crate::error::Error;

    fn try_from(row: OrderRow) -> Result<Self> {
        let OrderRow {
            id,
            subscription_id: subscription,
            status,
            amount_minor,
            currency,
            description,
            due_at,
            paid_at,
            created_at,
        } = row;
        let amount = Money { currency, amount_minor: loaded(amount_minor, "orders.amount_minor")? };
        Ok(Self { id, subscription, status, amount, description, due_at, paid_at, created_at })
    }
}

/// The newest of a tenant's.
pub(super) async fn orders_of(conn: Conn<'_>, tenant: TenantId, limit: i64) -> Result<Vec<Order>> {
    const SQL: &str =
        "SELECT id, subscription_id, status, amount_minor, currency, description, due_at, paid_at, created_at
           FROM orders WHERE tenant_id = $1 ORDER BY id DESC LIMIT $2";
    fetch_all!(conn, OrderRow, SQL, tenant, limit)?.into_iter().map(Order::try_from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_taken_as_it_is_written() {
        assert_eq!(pattern("Acme"), "%acme%");
        assert_eq!(pattern("50%_\\"), "%50\\%\\_\\\\%");
    }
}
