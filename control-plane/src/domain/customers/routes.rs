//! Customers over REST, for the platform's staff.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::health::Health;
use super::{
    Customer, CustomerFilter, CustomerKey, CustomerOverview, CustomerSummary, Happened, Kpis, Money, Order, Profile,
    ProfilePatch, Subscription,
};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::{Permission, Role};
use crate::domain::audit::names::ActorNames;
use crate::domain::cloudpods::Detail;
use crate::domain::sort::AgeOrName;
use crate::domain::tenants::quotas::routes::QuotasView;
use crate::domain::tenants::{TenantCreate, TenantSuspension, quotas};
use crate::domain::users::Member;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::ids::{CloudPodId, OrderId, PlanId, SubscriptionId, TenantId, UserId};

const ADMIN: &str = "/api/admin/customers";

/// A customer in a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerSummary)]
struct SummaryView {
    tenant_id: TenantId,
    name: String,
    company: String,
    country: String,
    contact_email: Option<String>,
    /// Why and since when it is suspended; null: it is not.
    suspension: Option<TenantSuspension>,
    /// Pods that are not deleted.
    cloudpods: u64,
    users: u64,
    /// When one of its people, or of their tokens, was last here; null: never.
    last_active_at: Option<Ms>,
    /// What was paid, by currency.
    revenue: Vec<Money>,
    /// How it is doing, and why.
    health: Health,
    created_at: Ms,
}

impl From<CustomerSummary> for SummaryView {
    fn from(summary: CustomerSummary) -> Self {
        let CustomerSummary { customer, pods, users, last_active_at, revenue, health } = summary;
        let Customer { tenant, name, contact_email, suspension, created_at, profile, version: _ } = customer;
        let Profile { company, country, contact: _, phone: _, address: _, tax_number: _, note: _ } = profile;
        Self {
            tenant_id: tenant,
            name,
            company,
            country,
            contact_email,
            suspension,
            cloudpods: pods,
            users,
            last_active_at,
            revenue,
            health,
            created_at,
        }
    }
}

/// A page of customers, and all of them in figures.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerPage)]
struct PageView {
    /// Of all customers, whatever is filtered. On the first page alone; null on others.
    kpis: Option<Kpis>,
    /// The customers of this page.
    items: Vec<SummaryView>,
    /// To be given as `page_token` for the next page; null: there is none.
    next_page_token: Option<String>,
}

/// What a customer has ordered, to be paid again and again.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerSubscription)]
struct SubscriptionView {
    id: SubscriptionId,
    plan_id: Option<PlanId>,
    plan_name: Option<String>,
    cloudpod_id: Option<CloudPodId>,
    cloudpod_name: Option<String>,
    /// `trialing`, `active`, `past_due`, `suspended` or `cancelled`.
    status: String,
    /// For each interval.
    price: Money,
    interval_months: u32,
    /// Until when it is paid.
    current_period_end: Option<Ms>,
    created_at: Ms,
}

impl From<Subscription> for SubscriptionView {
    fn from(subscription: Subscription) -> Self {
        let Subscription {
            id,
            plan,
            plan_name,
            pod,
            pod_name,
            status,
            price,
            interval_months,
            current_period_end,
            created_at,
        } = subscription;
        Self {
            id,
            plan_id: plan,
            plan_name,
            cloudpod_id: pod,
            cloudpod_name: pod_name,
            status,
            price,
            interval_months,
            current_period_end,
            created_at,
        }
    }
}

/// Something to be paid once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerOrder)]
struct OrderView {
    id: OrderId,
    subscription_id: Option<SubscriptionId>,
    /// `open`, `paid`, `refunded` or `cancelled`.
    status: String,
    amount: Money,
    description: String,
    /// Open after this it is overdue.
    due_at: Ms,
    paid_at: Option<Ms>,
    created_at: Ms,
}

impl From<Order> for OrderView {
    fn from(order: Order) -> Self {
        let Order { id, subscription, status, amount, description, due_at, paid_at, created_at } = order;
        Self { id, subscription_id: subscription, status, amount, description, due_at, paid_at, created_at }
    }
}

/// A pod in brief.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerCloudPod)]
struct PodView {
    id: CloudPodId,
    name: String,
    state: &'static str,
    plan: String,
    vcpu: u32,
    memory_mib: u64,
    disk_gib: u64,
    created_at: Ms,
}

impl From<Detail> for PodView {
    fn from(Detail { pod, addresses: _ }: Detail) -> Self {
        Self {
            id: pod.id,
            name: pod.name,
            state: pod.state.as_str(),
            plan: pod.plan.name,
            vcpu: pod.vcpu,
            memory_mib: pod.memory_mib,
            disk_gib: pod.disk_gib,
            created_at: pod.created_at,
        }
    }
}

/// One of a customer's people in brief.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerUser)]
struct UserView {
    id: UserId,
    email: String,
    name: String,
    role: Role,
    /// Since when they may not come in; null: they may.
    suspended_at: Option<Ms>,
    last_sign_in_at: Option<Ms>,
}

impl From<Member> for UserView {
    fn from(member: Member) -> Self {
        let Member {
            user,
            tenant: _,
            tenant_name: _,
            email,
            name,
            role,
            suspended_at,
            account_suspended_at,
            last_sign_in_at,
            version: _,
            joined_at: _,
        } = member;
        Self { id: user, email, name, role, suspended_at: account_suspended_at.or(suspended_at), last_sign_in_at }
    }
}

/// Something that happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerEvent)]
struct HappenedView {
    at: Ms,
    /// `noun.verb`.
    action: String,
    actor: String,
    /// A person's address, a token's owner and name, an agent's server. Null: a part of the control plane, or no longer there.
    actor_name: Option<String>,
    target_kind: String,
    target_id: String,
}

impl HappenedView {
    fn new(Happened { at, action, actor, target_kind, target_id }: Happened, names: &ActorNames) -> Self {
        Self { at, action, actor_name: names.get(&actor).cloned(), actor, target_kind, target_id }
    }
}

/// A customer as a whole; of each list the newest 20.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerOverview)]
struct OverviewView {
    customer: SummaryView,
    profile: ProfileView,
    /// How much it may use, and uses.
    quotas: QuotasView,
    subscriptions: Vec<SubscriptionView>,
    orders: Vec<OrderView>,
    cloudpods: Vec<PodView>,
    users: Vec<UserView>,
    events: Vec<HappenedView>,
}

impl OverviewView {
    fn new(overview: CustomerOverview, names: &ActorNames) -> Self {
        let CustomerOverview { summary, quotas, subscriptions, orders, pods, users, events } = overview;
        Self {
            profile: summary.customer.profile.clone().into(),
            customer: summary.into(),
            quotas: quotas.into(),
            subscriptions: subscriptions.into_iter().map(SubscriptionView::from).collect(),
            orders: orders.into_iter().map(OrderView::from).collect(),
            cloudpods: pods.into_iter().map(PodView::from).collect(),
            users: users.into_iter().map(UserView::from).collect(),
            events: events.into_iter().map(|one| HappenedView::new(one, names)).collect(),
        }
    }
}

/// What the platform knows of a customer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerProfile)]
struct ProfileView {
    company: String,
    contact: String,
    phone: String,
    address: String,
    /// ISO 3166-1 alpha-2; empty: not known.
    country: String,
    tax_number: String,
    /// For the platform's people alone.
    note: String,
}

impl From<Profile> for ProfileView {
    fn from(profile: Profile) -> Self {
        let Profile { company, contact, phone, address, country, tax_number, note } = profile;
        Self { company, contact, phone, address, country, tax_number, note }
    }
}

/// A customer with its profile.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Customer)]
struct CustomerView {
    tenant_id: TenantId,
    /// The tenant's.
    name: String,
    contact_email: Option<String>,
    /// Why and since when the tenant is suspended; null: it is not.
    suspension: Option<TenantSuspension>,
    profile: ProfileView,
    /// As in the header `ETag`: the profile's; 0: there is none.
    version: i64,
    created_at: Ms,
}

impl From<Customer> for CustomerView {
    fn from(customer: Customer) -> Self {
        let Customer { tenant, name, contact_email, suspension, created_at, profile, version } = customer;
        let profile = profile.into();
        Self { tenant_id: tenant, name, contact_email, suspension, profile, version, created_at }
    }
}

/// A profile to be written down; what is left out stays, or is empty.
#[derive(Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomerPatch)]
struct PatchBody {
    #[schema(max_length = 200)]
    company: Option<String>,
    #[schema(max_length = 200)]
    contact: Option<String>,
    #[schema(max_length = 50)]
    phone: Option<String>,
    #[schema(max_length = 500)]
    address: Option<String>,
    /// ISO 3166-1 alpha-2, or empty.
    #[schema(max_length = 2, example = "DE")]
    country: Option<String>,
    #[schema(max_length = 50)]
    tax_number: Option<String>,
    /// For the platform's people alone.
    #[schema(max_length = 2000)]
    note: Option<String>,
}

impl From<PatchBody> for ProfilePatch {
    fn from(body: PatchBody) -> Self {
        let PatchBody { company, contact, phone, address, country, tax_number, note } = body;
        Self { company, contact, phone, address, country, tax_number, note }
    }
}

/// A tenant to be made, with its profile.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CustomerCreate)]
struct CreateBody {
    /// The tenant's; unique.
    #[schema(min_length = 1, max_length = 100, example = "acme")]
    name: String,
    /// Whom to write to; its owners when left out.
    #[schema(min_length = 3, max_length = 254)]
    contact_email: Option<String>,
    /// What is known of it.
    #[serde(default)]
    profile: PatchBody,
}

/// Which customers to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListFilter {
    /// Whose name, company, contact or address of mail holds this, in any case.
    #[param(min_length = 1, max_length = 100)]
    q: Option<String>,
    /// Suspended or not.
    suspended: Option<bool>,
    /// With an order that is open beyond its time, or without.
    overdue: Option<bool>,
    /// The newest first when left out.
    #[param(inline)]
    sort: Option<AgeOrName>,
}

impl From<ListFilter> for CustomerFilter {
    fn from(filter: ListFilter) -> Self {
        let ListFilter { q, suspended, overdue, sort } = filter;
        Self { search: q, suspended, overdue, sort }
    }
}

fn key(customer: &Customer) -> CustomerKey {
    CustomerKey { tenant: customer.tenant, name: customer.name.clone() }
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let platform = OpenApiRouter::new().routes(routes!(customer_summaries)).routes(routes!(customer_overview));
    let admin = OpenApiRouter::new().routes(routes!(customer_list, customer_create)).routes(routes!(
        customer_get,
        customer_update,
        customer_delete
    ));
    OpenApiRouter::new().nest("/api/platform/customers", platform).nest(ADMIN, admin)
}

fn tagged(customer: Customer) -> Tagged<CustomerView> {
    Tagged { version: customer.version, body: customer.into() }
}

/// Customers, page by page, with how they are doing; and on the first page all of them in figures.
#[utoipa::path(get, path = "", tag = "Customers", params(ListFilter, PageQuery),
    responses((status = 200, body = PageView), (status = 422)),
    extensions(("x-permission" = json!("customers:read"))))]
async fn customer_summaries(
    State(app): State<Arc<App>>,
    auth: Auth,
    Listing { filter, page }: Listing<ListFilter>,
) -> Result<Json<PageView>> {
    auth.require(Permission::CustomersRead)?;
    let window = page.window::<CustomerKey>()?;
    let kpis = if window.after.is_none() { Some(app.customers.customer_kpis().await?) } else { None };
    let summaries = app.customers.customer_summaries(&filter.into(), window).await?;
    let Page { items, next_page_token } =
        page.page(summaries, |summary| key(&summary.customer))?.map(SummaryView::from);
    Ok(Json(PageView { kpis, items, next_page_token }))
}

/// One customer as a whole: what it has ordered and uses, who its people are, what happened, and how it is doing.
#[utoipa::path(get, path = "/{tenant_id}", tag = "Customers", params(("tenant_id" = TenantId, Path)),
    responses((status = 200, body = OverviewView), (status = 404)),
    extensions(("x-permission" = json!("customers:read"))))]
async fn customer_overview(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(tenant): Path<TenantId>,
) -> Result<Json<OverviewView>> {
    auth.require(Permission::CustomersRead)?;
    let overview = app.customers.customer_overview(tenant).await?;
    let names = app.audit.actor_names(overview.events.iter().map(|one| one.actor.as_str()), true).await?;
    Ok(Json(OverviewView::new(overview, &names)))
}

/// Customers' profiles, page by page.
#[utoipa::path(get, path = "", tag = "Customers", params(ListFilter, PageQuery),
    responses((status = 200, body = Page<CustomerView>), (status = 422)),
    extensions(("x-permission" = json!("customers:read"))))]
async fn customer_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    Listing { filter, page }: Listing<ListFilter>,
) -> Result<Json<Page<CustomerView>>> {
    auth.require(Permission::CustomersRead)?;
    let customers = app.customers.customer_list(&filter.into(), page.window()?).await?;
    Ok(Json(page.page(customers, key)?.map(CustomerView::from)))
}

/// Makes a tenant with a profile.
#[utoipa::path(post, path = "", tag = "Customers", request_body = CreateBody,
    responses((status = 201, body = CustomerView), (status = 403), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("customers:write"))))]
async fn customer_create(State(app): State<Arc<App>>, auth: Auth, Body(body): Body<CreateBody>) -> Result<Response> {
    auth.require(Permission::CustomersWrite)?;
    // It makes a tenant, too.
    auth.require(Permission::TenantsManage)?;
    let CreateBody { name, contact_email, profile } = body;
    let tenant = TenantCreate { name, contact_email, default_region: None, limits: quotas::Limits::default() };
    let PatchBody { company, contact, phone, address, country, tax_number, note } = profile;
    let profile = Profile {
        company: company.unwrap_or_default(),
        contact: contact.unwrap_or_default(),
        phone: phone.unwrap_or_default(),
        address: address.unwrap_or_default(),
        country: country.unwrap_or_default(),
        tax_number: tax_number.unwrap_or_default(),
        note: note.unwrap_or_default(),
    };
    let customer = app.customers.customer_create(&auth.actor, tenant, profile).await?;
    Ok(crate::http::created(&format!("{ADMIN}/{}", customer.tenant), CustomerView::from(customer)))
}

/// One customer's profile.
#[utoipa::path(get, path = "/{tenant_id}", tag = "Customers", params(("tenant_id" = TenantId, Path)),
    responses((status = 200, body = CustomerView), (status = 404)),
    extensions(("x-permission" = json!("customers:read"))))]
async fn customer_get(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(tenant): Path<TenantId>,
) -> Result<Tagged<CustomerView>> {
    auth.require(Permission::CustomersRead)?;
    Ok(tagged(app.customers.customer_get(tenant).await?))
}

/// Changes a customer's profile, or makes it. With `If-Match`, only if it is still as it was read.
#[utoipa::path(patch, path = "/{tenant_id}", tag = "Customers", params(("tenant_id" = TenantId, Path)),
    request_body = PatchBody,
    responses((status = 200, body = CustomerView), (status = 404), (status = 412), (status = 422)),
    extensions(("x-permission" = json!("customers:write"))))]
async fn customer_update(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(tenant): Path<TenantId>,
    if_match: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<CustomerView>> {
    auth.require(Permission::CustomersWrite)?;
    Ok(tagged(app.customers.customer_update(&auth.actor, tenant, if_match.version(), body.into()).await?))
}

/// Deletes a customer's profile. The tenant and its pods stay.
#[utoipa::path(delete, path = "/{tenant_id}", tag = "Customers", params(("tenant_id" = TenantId, Path)),
    responses((status = 204, description = "It is gone"), (status = 404), (status = 412)),
    extensions(("x-permission" = json!("customers:write"))))]
async fn customer_delete(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(tenant): Path<TenantId>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    auth.require(Permission::CustomersWrite)?;
    app.customers.customer_delete(&auth.actor, tenant, if_match.version()).await?;
    Ok(StatusCode::NO_CONTENT)
}
