//! Images over REST, for platform staff. A path takes an image's id or its name.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Image, ImageCreate, ImagePatch, TemplateOverride, TemplateRef};
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
use crate::ids::{ImageId, ServerId, TenantId};

const PATH: &str = "/api/platform/images";

/// A VM template under a customer-facing name.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Image)]
pub struct ImageView {
    id: ImageId,
    /// Whose it is alone; null: the platform's, for everybody.
    tenant_id: Option<TenantId>,
    /// Null also where a tenant's own list shows it.
    tenant_name: Option<String>,
    name: String,
    /// For people.
    os: String,
    /// The user that cloud-init makes when the request names none.
    default_user: String,
    /// The least disk that it needs.
    min_disk_gib: u64,
    /// Where the template is on servers that `templates` does not name.
    template_vmid: Option<u32>,
    template_name: Option<String>,
    /// Where it is on particular servers.
    templates: Vec<TemplateView>,
    /// Whether new pods may be made of it.
    active: bool,
    /// As in the header `ETag`.
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

/// Where an image's template is on one server.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ImageTemplate)]
struct TemplateView {
    server_id: ServerId,
    template_vmid: Option<u32>,
    template_name: Option<String>,
}

fn place(template: Option<TemplateRef>) -> (Option<u32>, Option<String>) {
    match template {
        None => (None, None),
        Some(TemplateRef::Vmid(vmid)) => (Some(vmid), None),
        Some(TemplateRef::Name(name)) => (None, Some(name)),
    }
}

impl From<Image> for ImageView {
    fn from(image: Image) -> Self {
        let Image {
            id,
            tenant,
            name,
            os,
            default_user,
            min_disk_gib,
            template,
            overrides,
            active,
            version,
            created_at,
            updated_at,
        } = image;
        let (template_vmid, template_name) = place(template);
        let templates = overrides
            .into_iter()
            .map(|(server_id, template)| {
                let (template_vmid, template_name) = place(Some(template));
                TemplateView { server_id, template_vmid, template_name }
            })
            .collect();
        Self {
            id,
            tenant_id: tenant,
            tenant_name: None,
            name,
            os,
            default_user,
            min_disk_gib,
            template_vmid,
            template_name,
            templates,
            active,
            version,
            created_at,
            updated_at,
        }
    }
}

/// An image to be made. Its template is found by VMID or by name; `templates` says otherwise for particular servers.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageCreate)]
struct CreateBody {
    #[schema(example = "debian-13")]
    name: String,
    #[serde(default)]
    #[schema(example = "Debian 13")]
    os: String,
    #[schema(example = "debian")]
    default_user: String,
    #[serde(default)]
    min_disk_gib: u64,
    #[schema(example = 9000)]
    template_vmid: Option<u32>,
    template_name: Option<String>,
    #[serde(default)]
    templates: Vec<TemplateBody>,
    #[serde(default = "yes")]
    active: bool,
}

fn yes() -> bool {
    true
}

/// Where an image's template is on one server: by VMID or by name.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImageTemplateBody)]
struct TemplateBody {
    /// Id or name.
    server: String,
    template_vmid: Option<u32>,
    template_name: Option<String>,
}

fn overrides(templates: Vec<TemplateBody>) -> Vec<TemplateOverride> {
    templates
        .into_iter()
        .map(|TemplateBody { server, template_vmid, template_name }| TemplateOverride {
            server,
            template_vmid,
            template_name,
        })
        .collect()
}

/// A change of an image; what is left out stays. Pods that were made of it stay as they are.
#[expect(clippy::option_option, reason = "a field left out and a field that is null mean different things")]
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ImagePatch)]
struct PatchBody {
    name: Option<String>,
    os: Option<String>,
    default_user: Option<String>,
    min_disk_gib: Option<u64>,
    /// Takes the place of a name.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<u32>)]
    template_vmid: Option<Option<u32>>,
    /// Takes the place of a VMID.
    #[serde(default, deserialize_with = "clearable")]
    #[schema(value_type = Option<String>)]
    template_name: Option<Option<String>>,
    /// All of them anew.
    templates: Option<Vec<TemplateBody>>,
    active: Option<bool>,
}

/// Which images to list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListFilter {
    active: Option<bool>,
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let images = OpenApiRouter::new().routes(routes!(image_list, image_create)).routes(routes!(
        image_get,
        image_update,
        image_delete
    ));
    OpenApiRouter::new().nest(PATH, images)
}

/// Images with the names of their tenants.
async fn named(app: &App, images: Vec<Image>) -> Result<Vec<ImageView>> {
    let tenants: Vec<_> = images.iter().filter_map(|image| image.tenant).collect();
    let names = app.tenants.tenant_names(&tenants).await?;
    let view = |image: Image| {
        let tenant_name = image.tenant.and_then(|tenant| names.get(&tenant).cloned());
        ImageView { tenant_name, ..image.into() }
    };
    Ok(images.into_iter().map(view).collect())
}

/// One image with the name of its tenant.
async fn tagged(app: &App, image: Image) -> Result<Tagged<ImageView>> {
    let tenant_name = match image.tenant {
        Some(tenant) => app.tenants.tenant_names(&[tenant]).await?.remove(&tenant),
        None => None,
    };
    Ok(Tagged { version: image.version, body: ImageView { tenant_name, ..image.into() } })
}

/// Images, page by page.
#[utoipa::path(get, path = "", tag = "Images", params(PageQuery, ListFilter),
    responses((status = 200, body = Page<ImageView>)), extensions(("x-permission" = json!("images:read"))))]
async fn image_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    list: Listing<ListFilter>,
) -> Result<Json<Page<ImageView>>> {
    auth.require(Permission::ImagesRead)?;
    let images = app.images.image_list(list.filter.active, list.page.window()?).await?;
    let Page { items, next_page_token } = list.page.page(images, |image| image.id)?;
    Ok(Json(Page { items: named(&app, items).await?, next_page_token }))
}

/// Makes an image.
#[utoipa::path(post, path = "", tag = "Images", request_body = CreateBody,
    responses((status = 201, body = ImageView)), extensions(("x-permission" = json!("images:write"))))]
async fn image_create(State(app): State<Arc<App>>, auth: Auth, Body(body): Body<CreateBody>) -> Result<Response> {
    auth.require(Permission::ImagesWrite)?;
    let CreateBody { name, os, default_user, min_disk_gib, template_vmid, template_name, templates, active } = body;
    let templates = overrides(templates);
    let input = ImageCreate { name, os, default_user, min_disk_gib, template_vmid, template_name, templates, active };
    let image = app.images.image_create(&auth.actor, input).await?;
    Ok(crate::http::created(&format!("{PATH}/{}", image.id), ImageView::from(image)))
}

/// One image.
#[utoipa::path(get, path = "/{id}", tag = "Images", params(("id" = String, Path, description = "Id or name")),
    responses((status = 200, body = ImageView)), extensions(("x-permission" = json!("images:read"))))]
async fn image_get(State(app): State<Arc<App>>, auth: Auth, Path(id): Path<String>) -> Result<Tagged<ImageView>> {
    auth.require(Permission::ImagesRead)?;
    tagged(&app, app.images.image_show(&id).await?).await
}

/// Changes an image. With `If-Match`, only if it is still as it was read.
#[utoipa::path(patch, path = "/{id}", tag = "Images", params(("id" = String, Path, description = "Id or name")),
    request_body = PatchBody, responses((status = 200, body = ImageView)),
    extensions(("x-permission" = json!("images:write"))))]
async fn image_update(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    if_match: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<ImageView>> {
    auth.require(Permission::ImagesWrite)?;
    let PatchBody { name, os, default_user, min_disk_gib, template_vmid, template_name, templates, active } = body;
    let templates = templates.map(overrides);
    let patch = ImagePatch { name, os, default_user, min_disk_gib, template_vmid, template_name, templates, active };
    tagged(&app, app.images.image_update(&auth.actor, &id, if_match.version(), patch).await?).await
}

/// Deletes an image that no pod is made of. The templates stay where they are.
#[utoipa::path(delete, path = "/{id}", tag = "Images", params(("id" = String, Path, description = "Id or name")),
    responses((status = 204, description = "It is gone")), extensions(("x-permission" = json!("images:write"))))]
async fn image_delete(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<String>,
    if_match: IfMatch,
) -> Result<StatusCode> {
    auth.require(Permission::ImagesWrite)?;
    app.images.image_delete(&auth.actor, &id, if_match.version()).await?;
    Ok(StatusCode::NO_CONTENT)
}
