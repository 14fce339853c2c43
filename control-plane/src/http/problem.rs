//! [`Error`] as RFC 9457 `application/problem+json`.
//!
//! A handler's error becomes a response that carries a [`Problem`] as an extension and no body; [`render`], the outermost
//! layer that still knows the request's id, writes the body. So every answer with an error has the same shape, and the
//! cause of an internal one reaches the log and nothing else.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::{Error, FieldError};

/// The body of every answer that is an error (RFC 9457).
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    /// Names the kind of problem: `urn:mpanel:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong and what to do about it.
    pub detail: String,
    /// Stable, for programs.
    pub code: String,
    /// To be quoted when asking for help: the log has it beside the cause.
    pub request_id: String,
    /// What is wrong field by field; for `no_capacity`, why server by server; for `no_addresses`, pool by pool.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
}

/// What is wrong with one field, or why one server cannot take it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemField {
    /// The field's path as the caller wrote it, or the server's name.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Problem {
    /// A problem that is no [`Error`] of ours: a path that does not exist, a method that it does not have.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:mpanel:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            code: code.to_owned(),
            request_id: String::new(),
            errors: Vec::new(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.extensions_mut().insert(self);
        response
    }
}

/// Marks an answer whose status is an error's but whose body says something else, for programs that ask for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct AsIs;

/// The HTTP status of an error.
#[must_use]
pub fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Malformed(_) => StatusCode::BAD_REQUEST,
        Error::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Unauthorized(_) => StatusCode::UNAUTHORIZED,
        Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::NotFound { .. } => StatusCode::NOT_FOUND,
        Error::Conflict { .. } | Error::Retry { .. } => StatusCode::CONFLICT,
        Error::Stale => StatusCode::PRECONDITION_FAILED,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Error::NoCapacity(_) | Error::NoAddresses(_) => StatusCode::INSUFFICIENT_STORAGE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if let Self::Internal(cause) = &self {
            // Within the request's span, so that the line bears the request's id.
            tracing::error!(cause = %chain(cause.as_ref()), "internal error");
        }
        let detail = match &self {
            Self::Internal(_) => "something went wrong here; the log has the cause under this request id".to_owned(),
            Self::Invalid(_) => "some fields are not acceptable; see `errors`".to_owned(),
            Self::NoCapacity(_) => "no server can take it; see `errors` for the reason of each".to_owned(),
            Self::NoAddresses(_) => "no pool has an address left for it; see `errors` for the pools".to_owned(),
            other => other.to_string(),
        };
        let mut problem = Problem::new(status_of(&self), self.code(), detail);
        let retry_after = match &self {
            Self::TooMany { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            Self::Conflict { code: super::idempotency::RUNNING, .. } => Some(Duration::from_secs(1)),
            _ => None,
        };
        if let Self::Invalid(fields) | Self::NoCapacity(fields) | Self::NoAddresses(fields) = self {
            problem.errors = fields.into_iter().map(ProblemField::from).collect();
        }
        let unauthorized = problem.status == StatusCode::UNAUTHORIZED.as_u16();
        let mut response = problem.into_response();
        if let Some(after) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if unauthorized {
            response.headers_mut().insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"mPanel\", charset=\"UTF-8\""),
            );
        }
        response
    }
}

impl From<FieldError> for ProblemField {
    fn from(error: FieldError) -> Self {
        let FieldError { field, message } = error;
        Self { field, message }
    }
}

/// An error and its causes, in one line.
#[must_use]
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Writes the body of an answer that is an error. One that did not come from us (axum's own refusals) is put into the
/// same shape.
pub fn render(response: Response, request_id: &str) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || response.extensions().get::<AsIs>().is_some() {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let mut problem = parts.extensions.remove::<Problem>().unwrap_or_else(|| foreign(status));
    request_id.clone_into(&mut problem.request_id);
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_ENCODING);
    Response::from_parts(parts, Body::from(body))
}

fn foreign(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Problem::new(status, "not_found", "there is nothing at this path"),
        StatusCode::METHOD_NOT_ALLOWED => {
            Problem::new(status, "method_not_allowed", "this path does not take this method; see the header Allow")
        }
        _ => Problem::new(status, "refused", status.canonical_reason().unwrap_or("the request was refused")),
    }
}
