//! What a tenant's people choose from when they make a pod, over REST, and whether it would fit.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Fit;
use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::cloudpods::CloudPodCreate;
use crate::domain::cloudpods::routes::{PreviewBody, TenantQuery, narrowed};
use crate::domain::plans::routes::PlanView;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::page::{Listing, NoFilter, Page, PageQuery};
use crate::http::query::Params;

/// The routes of this part beside the pods' management.
pub fn plans() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(plan_list_offered))
}

/// The routes of this part beside what a tenant's own people read.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(placement_fit)).routes(routes!(region_list)).routes(routes!(iso_storage_list))
}

/// Whether a CloudPod would fit at present.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PlacementFit)]
struct FitView {
    fits: bool,
    /// Where it would go; null: it would not fit.
    region: Option<String>,
    /// Why it fits or does not, and what may help.
    reason: String,
}

/// Where CloudPods can be.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Region)]
struct RegionView {
    name: String,
}

/// A storage whose ISO images everybody may put into their CloudPods' drives.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = IsoStorage)]
struct IsoStorageView {
    name: String,
}

impl From<Fit> for FitView {
    fn from(fit: Fit) -> Self {
        let Fit { fits, region, reason } = fit;
        Self { fits, region, reason }
    }
}

/// The plans that CloudPods can be made of.
#[utoipa::path(get, path = "/plans", tag = "Plans", params(TenantQuery, PageQuery),
    responses((status = 200, body = Page<PlanView>)), extensions(("x-permission" = json!("cloudpods:read"))))]
async fn plan_list_offered(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Listing { filter, page }: Listing<TenantQuery>,
) -> Result<Json<Page<PlanView>>> {
    auth.require(Permission::CloudpodsRead)?;
    narrowed(&auth, filter.tenant_id)?;
    let plans = app.plans.plan_list(Some(true), page.window()?).await?;
    Ok(Json(page.page(plans, |plan| plan.id)?.map(PlanView::from)))
}

/// The regions that a CloudPod can be asked for in, by name.
#[utoipa::path(get, path = "/regions", tag = "CloudPods", params(PageQuery),
    responses((status = 200, body = Page<RegionView>)), extensions(("x-permission" = json!("cloudpods:read"))))]
async fn region_list(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Listing { filter: NoFilter {}, page }: Listing<NoFilter>,
) -> Result<Json<Page<RegionView>>> {
    auth.require(Permission::CloudpodsRead)?;
    let regions = app.servers.region_list(page.window()?).await?;
    Ok(Json(page.page(regions, String::clone)?.map(|name| RegionView { name })))
}

/// The storages whose ISO images everybody may put into their CloudPods' drives, by name; the configuration's `[media] iso_storages`.
#[utoipa::path(get, path = "/iso-storages", tag = "CloudPods", params(PageQuery),
    responses((status = 200, body = Page<IsoStorageView>)), extensions(("x-permission" = json!("cloudpods:read"))))]
async fn iso_storage_list(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Listing { filter: NoFilter {}, page }: Listing<NoFilter>,
) -> Result<Json<Page<IsoStorageView>>> {
    auth.require(Permission::CloudpodsRead)?;
    let after = page.window::<String>()?.after;
    let mut names = app.config.media.iso_storages.clone();
    names.retain(|name| after.as_ref().is_none_or(|after| name > after));
    names.sort_unstable();
    names.dedup();
    Ok(Json(page.page(names, String::clone)?.map(|name| IsoStorageView { name })))
}

/// Whether a CloudPod would fit at present, within the tenant's quotas and on the platform, and in which region. Nothing is reserved.
#[utoipa::path(post, path = "/placement-preview", tag = "CloudPods", params(TenantQuery), request_body = PreviewBody,
    responses((status = 200, body = FitView), (status = 403), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn placement_fit(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<PreviewBody>,
) -> Result<Json<FitView>> {
    auth.require(Permission::CloudpodsRead)?;
    let PreviewBody { plan, image, placement } = body;
    placement.permit(&auth)?;
    let (tenant, placement) = (query.tenant_id, placement.into());
    let input = CloudPodCreate { tenant, plan, image, placement, ..CloudPodCreate::default() };
    Ok(Json(app.cloudpods.placement_fit(auth.scope, input).await?.into()))
}
