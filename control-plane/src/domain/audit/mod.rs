//! Who did what to which: written in the transaction that did it.

mod store;

use serde::Serialize;

use crate::clock::Ms;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::ids::{TenantId, TokenId};

/// Who asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The bearer of the platform's token: may do everything.
    PlatformToken(TokenId),
    /// The agent of a server, by its certificate.
    Agent(crate::ids::ServerId),
    /// The control plane itself.
    System(&'static str),
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PlatformToken(id) => write!(f, "token:{id}"),
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::System(part) => write!(f, "system:{part}"),
        }
    }
}

/// Whose data may be read. A store function for tenant data cannot be called without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All tenants: platform staff and the control plane itself.
    Platform,
    /// One tenant.
    Tenant(TenantId),
}

impl Scope {
    /// The one tenant, or `None` for all: what a query binds as `($1 IS NULL OR tenant_id = $1)`.
    #[must_use]
    pub fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Platform => None,
            Self::Tenant(id) => Some(id),
        }
    }
}

/// One entry of the audit.
#[derive(Debug)]
pub struct Record<'a> {
    /// Who did it.
    pub actor: &'a Actor,
    /// Whose data it touched; `None`: the platform's alone.
    pub tenant: Option<TenantId>,
    /// `noun.verb`, e.g. `server.created`.
    pub action: &'a str,
    /// The noun, e.g. `server`.
    pub target_kind: &'a str,
    /// Its id.
    pub target_id: String,
}

/// Appends a record; `detail` is an object such as `{"before":…, "after":…}` without secrets.
pub async fn audit_append(tx: &mut Tx, at: Ms, record: Record<'_>, detail: &impl Serialize) -> Result<()> {
    let detail = serde_json::to_value(detail).map_err(Error::internal)?;
    store::record_insert(tx, at, &record, detail).await
}
