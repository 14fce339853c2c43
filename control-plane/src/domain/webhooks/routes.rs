//! Webhooks over REST: a tenant's, and the platform's own.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::service::{WebhookCreate, WebhookPatch};
use super::{Attempt, Delivery, Webhook};
use crate::app::App;
use crate::clock::Ms;
use crate::domain::access::Permission;
use crate::error::Result;
use crate::http::auth::Auth;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::json::Body;
use crate::http::page::{Listing, Page, PageQuery};
use crate::http::path::Path;
use crate::http::query::Params;
use crate::ids::{DeliveryId, TenantId, WebhookId};

const PATH: &str = "/api/admin/webhooks";

/// Where events are sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Webhook)]
struct WebhookView {
    id: WebhookId,
    /// Whose events; null: the platform's, which are all.
    tenant_id: Option<TenantId>,
    tenant_name: Option<String>,
    name: String,
    url: String,
    /// Which events: `cloudpod.created`, or `cloudpod.*` for all of a noun. None: all.
    events: Vec<String>,
    /// Whether events are sent.
    active: bool,
    /// Why it was made inactive, where nobody asked for it.
    disabled_reason: Option<String>,
    /// Since when each try has failed.
    failing_since: Option<Ms>,
    /// Events that were not sent because 10,000 deliveries waited already, since the webhook was last made active.
    dropped: u64,
    /// When the first of these was dropped.
    dropped_since: Option<Ms>,
    /// As in the header `ETag`.
    version: i64,
    created_at: Ms,
    updated_at: Ms,
}

impl From<Webhook> for WebhookView {
    fn from(webhook: Webhook) -> Self {
        let Webhook {
            id,
            tenant,
            name,
            url,
            names,
            active,
            disabled_reason,
            failing_since,
            dropped,
            dropped_since,
            version,
            created_at,
            updated_at,
        } = webhook;
        let events = names.iter().map(str::to_owned).collect();
        Self {
            id,
            tenant_id: tenant,
            tenant_name: None,
            name,
            url,
            events,
            active,
            disabled_reason,
            failing_since,
            dropped,
            dropped_since,
            version,
            created_at,
            updated_at,
        }
    }
}

/// Webhooks with the names of their tenants.
async fn named(app: &App, webhooks: Vec<Webhook>) -> Result<Vec<WebhookView>> {
    let tenants: Vec<_> = webhooks.iter().filter_map(|webhook| webhook.tenant).collect();
    let names = app.tenants.tenant_names(&tenants).await?;
    let name = |webhook: Webhook| {
        let tenant_name = webhook.tenant.and_then(|tenant| names.get(&tenant).cloned());
        WebhookView { tenant_name, ..webhook.into() }
    };
    Ok(webhooks.into_iter().map(name).collect())
}

/// One webhook with the name of its tenant.
async fn shown(app: &App, webhook: Webhook) -> Result<WebhookView> {
    let tenant_name = match webhook.tenant {
        Some(tenant) => app.tenants.tenant_names(&[tenant]).await?.remove(&tenant),
        None => None,
    };
    Ok(WebhookView { tenant_name, ..webhook.into() })
}

/// A webhook that was made, and its secret, which is shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WebhookCreated)]
struct CreatedView {
    webhook: WebhookView,
    /// `whsec_` and the key in base64.
    secret: String,
}

/// A new secret, which is shown this once.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WebhookSecret)]
struct SecretView {
    /// `whsec_` and the key in base64.
    secret: String,
    /// Until then messages are signed with the others too.
    others_until: Ms,
}

/// A message to the receiver.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WebhookDelivery)]
struct DeliveryView {
    id: DeliveryId,
    /// The header `webhook-id`, the same for every try.
    message_id: String,
    event: String,
    /// `pending`, `delivered` or `failed`.
    state: String,
    /// Tries so far.
    attempt: u32,
    /// When it is tried next; null: not any more.
    next_at: Option<Ms>,
    created_at: Ms,
    finished_at: Option<Ms>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let Delivery { id, webhook: _, message, event_name, body: _, state, attempt, run_at, created_at, finished_at } =
            delivery;
        let next_at = finished_at.is_none().then_some(run_at);
        Self { id, message_id: message, event: event_name, state, attempt, next_at, created_at, finished_at }
    }
}

/// A try.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WebhookAttempt)]
struct AttemptView {
    attempt: u32,
    at: Ms,
    took_ms: u64,
    /// The HTTP status of the answer; null: none came.
    status: Option<u16>,
    /// Why it failed; null: it was taken.
    error: Option<String>,
    /// How the answer begins.
    answer: String,
}

/// A message with what was sent and what came of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WebhookDeliveryDetail)]
struct DetailView {
    delivery: DeliveryView,
    /// What was signed and sent.
    body: String,
    attempts: Vec<AttemptView>,
}

/// A webhook to be made.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookCreate)]
struct CreateBody {
    #[schema(example = "billing", max_length = 100)]
    name: String,
    #[schema(example = "https://hooks.example.com/mpanel", max_length = 2000)]
    url: String,
    /// Which events: `cloudpod.created`, or `cloudpod.*` for all of a noun. None: all.
    #[serde(default)]
    #[schema(max_items = 50)]
    events: Vec<String>,
}

/// A change; what is left out stays.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookPatch)]
struct PatchBody {
    name: Option<String>,
    url: Option<String>,
    events: Option<Vec<String>>,
    active: Option<bool>,
}

/// Whose webhooks.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct OwnerQuery {
    /// The tenant. Staff who name none have the platform's own, and see all.
    tenant_id: Option<TenantId>,
}

/// Which deliveries.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DeliveryQuery {
    /// The tenant.
    tenant_id: Option<TenantId>,
    /// In this state.
    #[param(inline)]
    state: Option<DeliveryState>,
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookDeliveryState)]
enum DeliveryState {
    Pending,
    Delivered,
    Failed,
}

impl DeliveryState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// The routes of this slice.
pub fn router() -> OpenApiRouter<Arc<App>> {
    let webhooks = OpenApiRouter::new()
        .routes(routes!(webhook_list, webhook_create))
        .routes(routes!(webhook_get, webhook_update, webhook_delete))
        .routes(routes!(webhook_rotate))
        .routes(routes!(webhook_test))
        .routes(routes!(delivery_list))
        .routes(routes!(delivery_get))
        .routes(routes!(delivery_repeat));
    OpenApiRouter::new().nest(PATH, webhooks)
}

/// Webhooks, page by page.
#[utoipa::path(get, path = "", tag = "Webhooks", params(OwnerQuery, PageQuery),
    responses((status = 200, body = Page<WebhookView>)), extensions(("x-permission" = json!("webhooks:read"))))]
async fn webhook_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    list: Listing<OwnerQuery>,
) -> Result<Json<Page<WebhookView>>> {
    auth.require(Permission::WebhooksRead)?;
    let webhooks = app.webhooks.webhook_list(auth.narrowed(list.filter.tenant_id)?, list.page.window()?).await?;
    let Page { items, next_page_token } = list.page.page(webhooks, |webhook| webhook.id)?;
    Ok(Json(Page { items: named(&app, items).await?, next_page_token }))
}

/// Makes a webhook. Its secret is shown this once.
#[utoipa::path(post, path = "", tag = "Webhooks", params(OwnerQuery), request_body = CreateBody,
    responses((status = 201, body = CreatedView)), extensions(("x-permission" = json!("webhooks:write"))))]
async fn webhook_create(
    State(app): State<Arc<App>>,
    auth: Auth,
    Params(query): Params<OwnerQuery>,
    Body(body): Body<CreateBody>,
) -> Result<Response> {
    auth.require(Permission::WebhooksWrite)?;
    let CreateBody { name, url, events: names } = body;
    let tenant = auth.narrowed(query.tenant_id)?.tenant();
    let (webhook, secret) =
        app.webhooks.webhook_create(&auth.actor, WebhookCreate { tenant, name, url, names }).await?;
    let location = format!("{PATH}/{}", webhook.id);
    let view = CreatedView { webhook: shown(&app, webhook).await?, secret: secret.expose().clone() };
    Ok(crate::http::created(&location, view))
}

/// One webhook.
#[utoipa::path(get, path = "/{id}", tag = "Webhooks", params(("id" = WebhookId, Path), OwnerQuery),
    responses((status = 200, body = WebhookView), (status = 404)), extensions(("x-permission" = json!("webhooks:read"))))]
async fn webhook_get(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<WebhookId>,
    Params(query): Params<OwnerQuery>,
) -> Result<Tagged<WebhookView>> {
    auth.require(Permission::WebhooksRead)?;
    let webhook = app.webhooks.webhook_get(auth.narrowed(query.tenant_id)?, id).await?;
    Ok(Tagged { version: webhook.version, body: shown(&app, webhook).await? })
}

/// Changes a webhook. One that was made inactive, made active again, begins with what happens from then on. What was dropped is
/// counted anew from when `active` was last set to true.
#[utoipa::path(patch, path = "/{id}", tag = "Webhooks", params(("id" = WebhookId, Path), OwnerQuery), request_body = PatchBody,
    responses((status = 200, body = WebhookView), (status = 404), (status = 412)),
    extensions(("x-permission" = json!("webhooks:write"))))]
async fn webhook_update(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<WebhookId>,
    Params(query): Params<OwnerQuery>,
    expected: IfMatch,
    Body(body): Body<PatchBody>,
) -> Result<Tagged<WebhookView>> {
    auth.require(Permission::WebhooksWrite)?;
    let PatchBody { name, url, events: names, active } = body;
    let (scope, patch) = (auth.narrowed(query.tenant_id)?, WebhookPatch { name, url, names, active });
    let webhook = app.webhooks.webhook_update(&auth.actor, scope, id, expected.version(), patch).await?;
    Ok(Tagged { version: webhook.version, body: shown(&app, webhook).await? })
}

/// Deletes a webhook and what is known of its deliveries.
#[utoipa::path(delete, path = "/{id}", tag = "Webhooks", params(("id" = WebhookId, Path), OwnerQuery),
    responses((status = 204), (status = 404)), extensions(("x-permission" = json!("webhooks:write"))))]
async fn webhook_delete(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<WebhookId>,
    Params(query): Params<OwnerQuery>,
) -> Result<StatusCode> {
    auth.require(Permission::WebhooksWrite)?;
    app.webhooks.webhook_delete(&auth.actor, auth.narrowed(query.tenant_id)?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a new secret, which is shown this once. For a day messages are signed with the old one too.
#[utoipa::path(post, path = "/{id}/rotate-secret", tag = "Webhooks", params(("id" = WebhookId, Path), OwnerQuery),
    responses((status = 200, body = SecretView), (status = 404)), extensions(("x-permission" = json!("webhooks:write"))))]
async fn webhook_rotate(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<WebhookId>,
    Params(query): Params<OwnerQuery>,
) -> Result<Json<SecretView>> {
    auth.require(Permission::WebhooksWrite)?;
    let (secret, others_until) = app.webhooks.secret_rotate(&auth.actor, auth.narrowed(query.tenant_id)?, id).await?;
    Ok(Json(SecretView { secret: secret.expose().clone(), others_until }))
}

/// Sends a message of the name `webhook.test`, whatever the webhook wants otherwise.
#[utoipa::path(post, path = "/{id}/test", tag = "Webhooks", params(("id" = WebhookId, Path), OwnerQuery),
    responses((status = 202, body = DeliveryView), (status = 404), (status = 409)), extensions(("x-permission" = json!("webhooks:write"))))]
async fn webhook_test(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<WebhookId>,
    Params(query): Params<OwnerQuery>,
) -> Result<Response> {
    auth.require(Permission::WebhooksWrite)?;
    let delivery = app.webhooks.webhook_test(&auth.actor, auth.narrowed(query.tenant_id)?, id).await?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryView::from(delivery))).into_response())
}

/// A webhook's messages, page by page, the newest first.
#[utoipa::path(get, path = "/{id}/deliveries", tag = "Webhooks", params(("id" = WebhookId, Path), DeliveryQuery, PageQuery),
    responses((status = 200, body = Page<DeliveryView>), (status = 404)),
    extensions(("x-permission" = json!("webhooks:read"))))]
async fn delivery_list(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path(id): Path<WebhookId>,
    list: Listing<DeliveryQuery>,
) -> Result<Json<Page<DeliveryView>>> {
    auth.require(Permission::WebhooksRead)?;
    let Listing { filter: DeliveryQuery { tenant_id, state }, page } = list;
    let (scope, state) = (auth.narrowed(tenant_id)?, state.map(DeliveryState::as_str));
    let deliveries = app.webhooks.delivery_list(scope, id, state, page.window()?).await?;
    Ok(Json(page.page(deliveries, |delivery| delivery.id)?.map(DeliveryView::from)))
}

/// A message: what was sent, and each try.
#[utoipa::path(get, path = "/{id}/deliveries/{delivery}", tag = "Webhooks",
    params(("id" = WebhookId, Path), ("delivery" = DeliveryId, Path), OwnerQuery),
    responses((status = 200, body = DetailView), (status = 404)), extensions(("x-permission" = json!("webhooks:read"))))]
async fn delivery_get(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path((id, delivery)): Path<(WebhookId, DeliveryId)>,
    Params(query): Params<OwnerQuery>,
) -> Result<Json<DetailView>> {
    auth.require(Permission::WebhooksRead)?;
    let (delivery, attempts) = app.webhooks.delivery_get(auth.narrowed(query.tenant_id)?, id, delivery).await?;
    let attempt = |Attempt { number, at, took_ms, status, error, answer }| AttemptView {
        attempt: number,
        at,
        took_ms,
        status,
        error,
        answer,
    };
    let (body, attempts) = (delivery.body.clone(), attempts.into_iter().map(attempt).collect());
    Ok(Json(DetailView { delivery: delivery.into(), body, attempts }))
}

/// Sends a message once more, with the same `webhook-id`.
#[utoipa::path(post, path = "/{id}/deliveries/{delivery}/redeliver", tag = "Webhooks",
    params(("id" = WebhookId, Path), ("delivery" = DeliveryId, Path), OwnerQuery),
    responses((status = 202, body = DeliveryView), (status = 404), (status = 409)), extensions(("x-permission" = json!("webhooks:write"))))]
async fn delivery_repeat(
    State(app): State<Arc<App>>,
    auth: Auth,
    Path((id, delivery)): Path<(WebhookId, DeliveryId)>,
    Params(query): Params<OwnerQuery>,
) -> Result<Response> {
    auth.require(Permission::WebhooksWrite)?;
    let scope = auth.narrowed(query.tenant_id)?;
    let delivery = app.webhooks.delivery_repeat(&auth.actor, scope, id, delivery).await?;
    Ok((StatusCode::ACCEPTED, Json(DeliveryView::from(delivery))).into_response())
}
