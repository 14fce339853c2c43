//! The REST edge. One line per slice in [`router`]; everything else here is what all of them share.

mod assets;
mod attempts;
pub mod auth;
pub mod cookies;
pub mod etag;
pub mod hosts;
pub mod idempotency;
pub mod json;
mod observe;
mod openapi;
mod operations;
pub mod page;
pub mod patch;
pub mod path;
pub mod problem;
pub mod query;
mod refusals;
pub mod server;
pub mod tls;
mod visitor;

use std::sync::Arc;

use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

pub use attempts::Attempts;
pub use refusals::Refusals;

use crate::app::App;
use crate::domain::{
    audit, cloudpods, consoles, customers, drains, drift, feed, images, invariants, ipam, jobs, losses, oidc, plans,
    servers, sessions, tenants, tokens, users, webhooks,
};
use problem::Problem;

/// The routes of every slice, with their description.
fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .merge(operations::router())
        .merge(servers::routes::router())
        .merge(servers::endpoint::routes::router())
        .merge(servers::overview::routes::router())
        .merge(drains::routes::router())
        .merge(plans::routes::router())
        .merge(images::routes::router())
        .merge(ipam::routes::router())
        .merge(sessions::routes::router())
        .merge(sessions::account::routes::router())
        .merge(oidc::routes::router())
        .merge(tenants::routes::router())
        .merge(customers::routes::router())
        .merge(tokens::routes::router())
        .merge(users::routes::router())
        .merge(cloudpods::routes::router())
        .merge(cloudpods::moves::routes::router())
        .merge(consoles::routes::router())
        .merge(jobs::routes::router())
        .merge(jobs::bulk::routes::router())
        .merge(cloudpods::upkeep::routes::router())
        .merge(invariants::routes::router())
        .merge(drift::routes::router())
        .merge(losses::routes::router())
        .merge(audit::routes::router())
        .merge(feed::routes::router())
        .merge(webhooks::routes::router())
}

/// The API's description, as `/api/openapi.json` gives it.
#[must_use]
pub fn description() -> OpenApi {
    openapi::complete(routes().into_openapi())
}

/// The whole API. A layer that is added later is passed earlier.
pub fn router(app: &Arc<App>) -> Router {
    let (router, api) = routes().split_for_parts();
    let kit = idempotency::Kit { app: app.clone(), routes: router.clone().with_state(app.clone()) };
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(Extension(Arc::new(openapi::complete(api))))
        .layer(from_fn_with_state(kit, idempotency::layer))
        .layer(from_fn(observe::collected))
        .layer(from_fn_with_state(app.clone(), auth::layer))
        .layer(from_fn_with_state(app.clone(), refusals::layer))
        .layer(from_fn(assets::layer))
        .layer(CatchPanicLayer::custom(observe::panicked))
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(app.clone(), observe::layer))
        .with_state(app.clone())
}

async fn nothing_here() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path; /api/docs lists what there is")
}

async fn method_not_allowed() -> Problem {
    let detail = "this path does not take this method; the header Allow says which it takes";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// 202: the work has begun; `location` is where its job can be watched.
pub fn accepted(location: &str, body: impl Serialize) -> Response {
    located(StatusCode::ACCEPTED, location, body)
}

/// 201: it is made; `location` is where it can be read.
pub fn created(location: &str, body: impl Serialize) -> Response {
    located(StatusCode::CREATED, location, body)
}

fn located(status: StatusCode, location: &str, body: impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
