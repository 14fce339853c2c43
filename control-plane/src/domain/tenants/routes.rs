//! Tenants over REST.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::quotas::routes::LimitsBody;
use super::{Tenant, TenantCreate, TenantFilter, TenantPatch, TenantSuspension, quotas};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::domain::audit::Scope;
use crate::domain::sort::AgeOrName;
use crate::error::{Error, Result};
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::patch::clearable;
use crate::http::path::Path;
use crate::ids::TenantId;

const PATH: &str = "/api/admin/tenants";

/// A customer account.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Tenant)]
struct TenantView {
    id: TenantId,
    name: String,
    state: StateName,
    /// Why and since when its people may only read; null: they may do what their roles say.
    suspension: Option<TenantSuspension>,
    /// Whom to write to; null: its owners.
    contact_email: Option<String>,
    /// Where pods go that name neither a region nor a server; null: anywhere.
    default_region: Option<String>,
    /// As in the header `ETag`. Its quotas have the same.
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

/// Whether a tenant's people may do what their roles say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TenantState)]
enum StateName {
    /// They may.
    Active,
    /// They may only read, and its pods are suspended.
    Suspended,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        let Tenant { id, name, contact_email, default_region, suspension, version, created_at, updated_at } = tenant;
        let state = if suspension.is_some() { StateName::Suspended } else { StateName::Active };
        Self { id, name, state, suspension, contact_email, default_region, version, created_at, updated_at }
    }
}

/// A tenant to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantCreate)]
struct CreateBody {
    /// Unique.
    #[schema(min_length = 1, max_length = 100, example = "acme")]
    name: String,
    /// Whom to write to; its owners when left out.
    #[schema(min_length = 3, max_length = 254)]
    contact_email: Option<String>,
    /// Where pods go that name neither a region nor a server.
    #[schema(min_length = 1, max_length = 63)]
    default_region: Option<String>,
    /// How much it may use; unlimited when left out.
    #[serde(default)]
    quotas: LimitsBody,
}

/// A change of a tenant's settings; what is left out stays.
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantPatch)]
struct PatchBody {
    /// Takes the permission tenants:manage.
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    /// Null: its owners.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    contact_email: Option<Option<String>>,
    /// Null: anywhere.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    default_region: Option<Option<String>>,
}

/// Why a tenant is suspended.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TenantSuspend)]
struct SuspendBody {
    /// Its people read this.
    #[schema(min_length = 1, max_length = 500, example = "two invoices are overdue")]
    reason: String,
}

/// Which tenants to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListFilter {
    /// Only this one.
    tenant_id: Option<TenantId>,
    /// In this state.
    #[param(inline)]
    state: Option<StateName>,
    /// Whose name begins so.
    #[param(max_length = 100)]
    name_prefix: Option<String>,
    /// In which order; the oldest first when left out.
    #[param(inline)]
    sort: Option<AgeOrName>,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let tenants = OpenApiRouter::new()
        .routes(routes!(tenant_list, tenant_create))
        .routes(routes!(tenant_get, tenant_update))
        .routes(routes!(tenant_suspend))
        .routes(routes!(tenant_reactivate))
        .merge(quotas::routes::router());
    OpenApiRouter::new().nest(PATH, tenants)
}

fn tagged(tenant: Tenant) -> Tagged<TenantView> {
    Tagged { version: tenant.version, body: tenant.into() }
}

/// Tenants, page by page: all of them for staff, one's own otherwise.
#[utoipa::path(get, path = "", tag = "Tenants", params(ListFilter, PageQuery),
    responses((status = 200, body = Page<TenantView>)), extensions(("x-permission" = json!("tenants:read"))))]
async fn tenant_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    Listing { filter, page }: Listing<ListFilter>,
) -> Result<Json<Page<TenantView>>> {
    auth.require(Permission::TenantsRead)?;
    let ListFilter { tenant_id, state, name_prefix, sort } = filter;
    let (scope, among) = match auth.narrowed(tenant_id)? {
        Scope::NOBODY => (Scope::Platform, Some(auth.tenants_with(Permission::TenantsRead))),
        scope => (scope, None),
    };
    let suspended = state.map(|state| state == StateName::Suspended);
    let filter = TenantFilter { suspended, name_prefix, among, sort };
    let tenants = app.tenants.tenant_list(scope, &filter, page.window()?).await?;
    Ok(Json(page.page(tenants, |tenant| (tenant.name.clone(), tenant.id))?.map(TenantView::from)))
}

/// Makes a tenant.
#[utoipa::path(post, path = "", tag = "Tenants", request_body = CreateBody,
    responses((status = 201, body = TenantView), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("tenants:manage"))))]
async fn tenant_create(State(app): State<Arc<App>>, auth: Auth, Body(body): Body<CreateBody>) -> Result<Response> {
    auth.require(Permission::TenantsManage)?;
    let CreateBody { name, contact_email, default_region, quotas } = body;
    let input = TenantCreate { name, contact_email, default_region, limits: quotas.into() };
    let tenant = app.tenants.tenant_create(&auth.actor, input).await?;
    Ok(crate::http::created(&format!("{PATH}/{}", tenant.id), TenantView::from(tenant)))
}

/// One tenant.
#[utoipa::path(get, path = "/{id}", tag = "Tenants", params(("id" = TenantId, Path)),
    responses((status = 200, body = TenantView), (status = 404)),
    extensions(("x-permission" = json!("tenants:read"))))]
async fn tenant_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<TenantId>) -> Result<Tagged<TenantView>> {
    auth.require(Permission::TenantsRead)?;
    Ok(tagged(app.tenants.tenant_show(auth.scope, id).await?))
}

/// Changes a tenant's settings. With `If-Match`, only if it is still as it was read.
#[utoipa::path(patch, path = "/{id}", tag = "Tenants", params(("id" = TenantId, Path)), request_body = PatchBody,
    responses((status = 200, body = TenantView), (status = 403), (status = 404), (status = 409), (status = 412),
        (status = 422)),
    extensions(("x-permission" = json!("tenants:write"))))]
async fn tenant_update(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<TenantId>,
    if_match: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<TenantView>> {
    auth.require(Permission::TenantsWrite)?;
    let PatchBody { name, contact_email, default_region } = body;
    // That a name is taken would tell one tenant of another.
    if name.is_some() && !auth.grant.has(Permission::TenantsManage) {
        let text = "only the platform renames tenants (permission tenants:manage): leave `name` out";
        return Err(Error::Forbidden(text.to_owned()));
    }
    let patch = TenantPatch { name, contact_email, default_region };
    Ok(tagged(app.tenants.tenant_update(&auth.actor, auth.scope, id, if_match.version(), patch).await?))
}

/// Suspends a tenant: its people may only read, nothing new is made for it, and jobs suspend its pods. Asked again, it stays suspended
/// for the first reason.
#[utoipa::path(post, path = "/{id}/suspend", tag = "Tenants", params(("id" = TenantId, Path)), request_body = SuspendBody,
    responses((status = 200, body = TenantView), (status = 404), (status = 422)),
    extensions(("x-permission" = json!("tenants:manage"))))]
async fn tenant_suspend(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<TenantId>,
    Body(SuspendBody { reason }): Body<SuspendBody>,
) -> Result<Tagged<TenantView>> {
    auth.require(Permission::TenantsManage)?;
    Ok(tagged(app.cloudpods.tenant_suspend(&auth.actor, id, &reason).await?))
}

/// Ends a tenant's suspension: jobs give back the pods that it took. Pods that were suspended for another reason stay so.
#[utoipa::path(post, path = "/{id}/reactivate", tag = "Tenants", params(("id" = TenantId, Path)),
    responses((status = 200, body = TenantView), (status = 404)),
    extensions(("x-permission" = json!("tenants:manage"))))]
async fn tenant_reactivate(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<TenantId>,
) -> Result<Tagged<TenantView>> {
    auth.require(Permission::TenantsManage)?;
    Ok(tagged(app.cloudpods.tenant_reactivate(&auth.actor, id).await?))
}
