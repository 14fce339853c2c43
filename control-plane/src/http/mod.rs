//! The REST edge. One line per slice in [`router`]; everything else here is what all of them share.

pub mod auth;
pub mod etag;
pub mod idempotency;
pub mod json;
pub mod page;
pub mod path;
pub mod problem;
pub mod query;

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;

/// The routes of every slice, with their description.
pub fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
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
