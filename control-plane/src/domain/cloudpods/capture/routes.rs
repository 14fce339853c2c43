//! Images that are made of CloudPods, over REST, and what a tenant sees of images.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::response::Response;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::domain::access::Permission;
use crate::domain::cloudpods::routes::{PodAndJob, TenantQuery, answer, narrowed};
use crate::domain::images::routes::ImageView;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{CloudPodId, ImageId};

/// The routes of this part.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(image_capture))
        .routes(routes!(image_list_visible))
        .routes(routes!(image_captured_delete))
}

/// An image to be made of a CloudPod.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageCapture)]
struct CaptureBody {
    /// No other image that the tenant sees is called so.
    #[schema(max_length = 63, example = "golden")]
    name: String,
    /// For people; left out: as of the image that the CloudPod was made of.
    #[schema(max_length = 100)]
    os: Option<String>,
}

/// Makes an image of a CloudPod, for its tenant alone. Pods of it can be made on the CloudPod's server.
#[utoipa::path(post, path = "/cloudpods/{id}/capture", tag = "Images",
    params(("id" = CloudPodId, Path), TenantQuery), request_body = CaptureBody,
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409), (status = 422)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn image_capture(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<CloudPodId>,
    Params(query): Params<TenantQuery>,
    Body(body): Body<CaptureBody>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    let CaptureBody { name, os } = body;
    Ok(answer(&app, &auth, app.cloudpods.image_capture(&auth.actor, scope, id, &name, os).await?))
}

/// The images that a tenant sees: its own and the platform's; all, to staff who name no tenant.
#[utoipa::path(get, path = "/images", tag = "Images", params(TenantQuery, PageQuery),
    responses((status = 200, body = Page<ImageView>)),
    extensions(("x-permission" = json!("cloudpods:read"))))]
async fn image_list_visible(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Listing { filter, page }: Listing<TenantQuery>,
) -> Result<Json<Page<ImageView>>> {
    auth.require(Permission::CloudpodsRead)?;
    let images = app.cloudpods.image_list_visible(narrowed(&auth, filter.tenant_id)?, page.window()?).await?;
    Ok(Json(page.page(images, |image| image.id)?.map(ImageView::from)))
}

/// Deletes an image that was made of a CloudPod, with its template.
#[utoipa::path(delete, path = "/images/{id}", tag = "Images", params(("id" = ImageId, Path), TenantQuery),
    responses((status = 202, body = PodAndJob), (status = 404), (status = 409)),
    extensions(("x-permission" = json!("cloudpods:write"))))]
async fn image_captured_delete(
    auth: Auth,
    Shared(app): Shared<Arc<App>>,
    Path(id): Path<ImageId>,
    Params(query): Params<TenantQuery>,
) -> Result<Response> {
    auth.require(Permission::CloudpodsWrite)?;
    let scope = narrowed(&auth, query.tenant_id)?;
    Ok(answer(&app, &auth, app.cloudpods.image_captured_delete(&auth.actor, scope, id).await?))
}
