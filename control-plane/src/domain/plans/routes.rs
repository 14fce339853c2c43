//! Plans over REST, for platform staff. A path takes a plan's id or its name.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Plan, PlanCreate, PlanPatch, Terms};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::patch::clearable;
use crate::http::path::Path;
use crate::ids::PlanId;

const PATH: &str = "/api/platform/plans";

/// A size and a price.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Plan)]
pub struct PlanView {
    id: PlanId,
    name: String,
    vcpu: u32,
    memory_mib: u64,
    disk_gib: u64,
    /// A month; null: not limited.
    traffic_gib: Option<u64>,
    /// A month, in minor units of the currency (cents).
    price_minor: u64,
    /// ISO 4217.
    currency: String,
    /// Whether new pods may be made of it.
    active: bool,
    /// As in the header `ETag`.
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

impl From<Plan> for PlanView {
    fn from(plan: Plan) -> Self {
        let Plan { id, name, terms, active, version, created_at, updated_at } = plan;
        let Terms { vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency } = terms;
        Self {
            id,
            name,
            vcpu,
            memory_mib,
            disk_gib,
            traffic_gib,
            price_minor,
            currency,
            active,
            version,
            created_at,
            updated_at,
        }
    }
}

/// A plan to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlanCreate)]
struct CreateBody {
    #[schema(example = "small")]
    name: String,
    #[schema(minimum = 1, maximum = 512)]
    vcpu: u32,
    #[schema(minimum = 16)]
    memory_mib: u64,
    #[schema(minimum = 1)]
    disk_gib: u64,
    /// A month; not limited when left out.
    traffic_gib: Option<u64>,
    /// A month, in minor units of the currency (cents).
    #[serde(default)]
    price_minor: u64,
    /// ISO 4217; EUR when left out.
    #[serde(default = "euro")]
    currency: String,
    #[serde(default = "yes")]
    active: bool,
}

fn euro() -> String {
    "EUR".to_owned()
}

fn yes() -> bool {
    true
}

/// A change of a plan; what is left out stays. Pods that were made of it stay as they are.
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PlanPatch)]
struct PatchBody {
    name: Option<String>,
    vcpu: Option<u32>,
    memory_mib: Option<u64>,
    disk_gib: Option<u64>,
    /// Null: not limited.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u64>)]
    traffic_gib: Option<Option<u64>>,
    price_minor: Option<u64>,
    currency: Option<String>,
    active: Option<bool>,
}

/// Which plans to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListFilter {
    active: Option<bool>,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let plans = OpenApiRouter::new().routes(routes!(plan_list, plan_create)).routes(routes!(
        plan_get,
        plan_update,
        plan_delete
    ));
    OpenApiRouter::new().nest(PATH, plans)
}

fn tagged(plan: Plan) -> Tagged<PlanView> {
    Tagged { version: plan.version, body: plan.into() }
}

/// Plans, page by page.
#[utoipa::path(get, path = "", tag = "Plans", params(PageQuery, ListFilter),
    responses((status = 200, body = Page<PlanView>)), extensions(("x-permission" = json!("plans:read"))))]
async fn plan_list(State(app): State<Arc<App>>, auth: Auth, list: Listing<ListFilter>) -> Result<Json<Page<PlanView>>> {
    auth.require(Permission::PlansRead)?;
    let plans = app.plans.plan_list(list.filter.active, list.page.window()?).await?;
    Ok(Json(list.page.page(plans, |plan| plan.id)?.map(PlanView::from)))
}

/// Makes a plan.
#[utoipa::path(post, path = "", tag = "Plans", request_body = CreateBody,
    responses((status = 201, body = PlanView)), extensions(("x-permission" = json!("plans:write"))))]
async fn plan_create(State(app): State<Arc<App>>, auth: Auth, Body(body): Body<CreateBody>) -> Result<Response> {
    auth.require(Permission::PlansWrite)?;
    let CreateBody { name, vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency, active } = body;
    let terms = Terms { vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency };
    let plan = app.plans.plan_create(&auth.actor, PlanCreate { name, terms, active }).await?;
    Ok(crate::http::created(&format!("{PATH}/{}", plan.id), PlanView::from(plan)))
}

/// One plan.
#[utoipa::path(get, path = "/{id}", tag = "Plans", params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, body = PlanView)), extensions(("x-permission" = json!("plans:read"))))]
async fn plan_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<Tagged<PlanView>> {
    auth.require(Permission::PlansRead)?;
    Ok(tagged(app.plans.plan_show(&id).await?))
}

/// Changes a plan. With `If-Match`, only if it is still as it was read.
#[utoipa::path(patch, path = "/{id}", tag = "Plans", params(("id" = String, Path, description = "Id or name")),
    request_body = PatchBody, responses((status = 200, body = PlanView)),
    extensions(("x-permission" = json!("plans:write"))))]
async fn plan_update(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    if_match: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<PlanView>> {
    auth.require(Permission::PlansWrite)?;
    let PatchBody { name, vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency, active } = body;
    let patch = PlanPatch { name, vcpu, memory_mib, disk_gib, traffic_gib, price_minor, currency, active };
    Ok(tagged(app.plans.plan_update(&auth.actor, &id, if_match.version(), patch).await?))
}

/// Deletes a plan that no pod is made of.
#[utoipa::path(delete, path = "/{id}", tag = "Plans", params(("id" = String, Path, description = "Id or name")),
    responses((status = 204, description = "It is gone")), extensions(("x-permission" = json!("plans:write"))))]
async fn plan_delete(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    auth.require(Permission::PlansWrite)?;
    app.plans.plan_delete(&auth.actor, &id, if_match.version()).await?;
    Ok(StatusCode::NO_CONTENT)
}
