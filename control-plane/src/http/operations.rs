//! What operators and their tools ask of the process itself: is it alive, is it ready, what does it count, what can it do.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::auth::Auth;
use super::problem::AsIs;
use crate::app::App;
use crate::domain::access::Permission;
use crate::error::{Error, Result};

/// The page that shows the API's description; whole in itself, so that no browser asks anybody else for a part of it.
const DOCS: &str = include_str!("docs.html");
const DOCS_PLACE: &str = "{{description}}";

/// Whether it is alive.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Health {
    /// Always `alive`.
    status: &'static str,
    /// The version of this control plane.
    version: &'static str,
}

/// Whether it can do its work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Readiness {
    /// Whether all parts are.
    ready: bool,
    /// What it needs for its work.
    parts: Vec<Part>,
}

/// Something that it needs for its work.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Part {
    /// `database`, `agents`, `shutdown`.
    name: &'static str,
    /// Whether it is as it should be.
    ready: bool,
    /// What it is, or what is wrong.
    detail: &'static str,
}

/// The routes of this file.
pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .route("/api/docs", axum::routing::get(docs))
        .route("/api/openapi.json", axum::routing::get(openapi))
}

/// Says that the process runs.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)))]
async fn healthz() -> Json<Health> {
    Json(Health { status: "alive", version: env!("CARGO_PKG_VERSION") })
}

/// Says whether the process can do its work: 200, or 503 with what is wrong.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
async fn readyz(State(app): State<Arc<App>>) -> Response {
    let part = |name, ready, good, bad| Part { name, ready, detail: if ready { good } else { bad } };
    let parts = vec![
        part("database", app.readiness.database_answers(&app).await, "answers, migrated", "does not answer"),
        part("agents", app.readiness.agents(), "listening", "not listening yet"),
        part("shutdown", !app.shutdown.is_cancelled(), "not asked for", "is shutting down"),
    ];
    let ready = parts.iter().all(|part| part.ready);
    let mut response = Json(Readiness { ready, parts }).into_response();
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        response.extensions_mut().insert(AsIs);
    }
    response
}

/// What it counts, as Prometheus reads it.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses((status = 200, content_type = "text/plain", body = String)),
    extensions(("x-permission" = json!("metrics:read"))))]
async fn metrics(State(app): State<Arc<App>>, auth: Auth) -> Result<Response> {
    auth.require(Permission::MetricsRead)?;
    crate::telemetry::observe(&app).await?;
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, app.metrics.render()).into_response())
}

async fn openapi(auth: Auth, axum::Extension(api): axum::Extension<Arc<OpenApi>>) -> Result<Response> {
    auth.require(Permission::OpenapiRead)?;
    Ok(Json(api.as_ref()).into_response())
}

async fn docs(auth: Auth, axum::Extension(api): axum::Extension<Arc<OpenApi>>) -> Result<Response> {
    auth.require(Permission::OpenapiRead)?;
    let description = serde_json::to_string(api.as_ref()).map_err(Error::internal)?.replace('<', "\\u003c");
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; script-src {}; style-src {}",
        inline_hash("<script>", "</script>"),
        inline_hash("<style>", "</style>")
    );
    let page = Html(DOCS.replacen(DOCS_PLACE, &description, 1));
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], page).into_response())
}

/// The page's one script, or its one style, as a content security policy names it.
fn inline_hash(open: &str, close: &str) -> String {
    let inline = DOCS.split_once(open).and_then(|(_, rest)| rest.split_once(close)).map_or("", |(inline, _)| inline);
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(inline.as_bytes())))
}
