//! From where somebody asks who has not proven anything yet.

use axum::extract::FromRequestParts;
use http::header;
use http::request::Parts;

use super::auth::origin_of;
use super::observe::Client;
use crate::domain::sessions::Visitor;

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<Client>().map(|client| client.0);
        let user_agent = parts.headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        Ok(Self::new(address, &user_agent.unwrap_or_default()).by(origin_of(&parts.extensions)))
    }
}
