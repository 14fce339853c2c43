//! Who asks. Nothing is ever open: a layer before the routes refuses whoever does not show a valid token, and puts an
//! [`Auth`] into the request; a handler states beside itself what its caller has to be allowed to do.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::domain::audit::{Actor, ActorKind, Scope};
use crate::error::{Error, Result};

/// The caller, proven.
#[derive(Clone, Debug)]
pub struct Auth {
    /// Who it is, with the request's idempotency key.
    pub actor: Actor,
    /// Whose data it may see.
    pub scope: Scope,
}

impl Auth {
    /// Refuses (403) a caller who may not do `permission`, which is written `noun:read` or `noun:write`.
    pub fn require(&self, permission: &'static str) -> Result<()> {
        match self.actor.kind {
            ActorKind::PlatformToken(_) => Ok(()),
            ActorKind::Agent(_) | ActorKind::System(_) => {
                Err(Error::Forbidden(format!("this needs the permission {permission}")))
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Auth {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let auth = parts.extensions.get::<Self>().cloned();
        auth.ok_or_else(|| Error::Unauthorized("show a token: Authorization: Bearer …".to_owned()))
    }
}
