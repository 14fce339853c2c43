//! `ETag` and `If-Match`: a row's version keeps two people from undoing each other's changes (RFC 9110 §13.1.1).

use std::convert::Infallible;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, header};
use serde::Serialize;

/// A version that no row has: an `If-Match` that cannot be one of our tags is never met.
const NEVER: i64 = -1;

/// The header `If-Match`. Absent, or `*`: the last write wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(Option<i64>);

impl IfMatch {
    /// The version that the caller read, or `None` for any. To be compared inside the transaction that writes.
    #[must_use]
    pub fn version(self) -> Option<i64> {
        self.0
    }

    fn parse(text: &str) -> Self {
        let text = text.trim();
        if text == "*" {
            return Self(None);
        }
        let version = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).and_then(|t| t.parse().ok());
        Self(Some(version.unwrap_or(NEVER)))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(match parts.headers.get(header::IF_MATCH) {
            None => Self(None),
            Some(value) => Self::parse(value.to_str().unwrap_or_default()),
        })
    }
}

/// A body with its row's version as `ETag`.
#[derive(Debug)]
pub struct Tagged<T> {
    /// The row's version.
    pub version: i64,
    /// The body.
    pub body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", self.version)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_strong_tags_name_a_version() {
        for (text, expected) in [
            ("\"3\"", Some(3)),
            ("*", None),
            (" \"12\" ", Some(12)),
            ("3", Some(NEVER)),
            ("W/\"3\"", Some(NEVER)),
            ("\"3\", \"4\"", Some(NEVER)),
            ("\"x\"", Some(NEVER)),
            ("", Some(NEVER)),
        ] {
            assert_eq!(IfMatch::parse(text).version(), expected, "{text}");
        }
    }
}
