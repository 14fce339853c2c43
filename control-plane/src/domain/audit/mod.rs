//! Who did what to which: written in the transaction that did it.

mod store;

use serde::Serialize;

use crate::clock::Ms;
use crate::db::Tx;
use crate::domain::idempotency::{self, Claim, Effect};
use crate::error::{Error, Result};
use crate::ids::{TenantId, TokenId};

/// Who asks for something, and under which idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who it is.
    pub kind: ActorKind,
    /// The request's `Idempotency-Key`: the transaction that does what it asks marks the key as done.
    pub idempotency_key: Option<Claim>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// The bearer of the platform's token: may do everything.
    PlatformToken(TokenId),
    /// The agent of a server, by its certificate.
    Agent(crate::ids::ServerId),
    /// The control plane itself; the name of the part.
    System(&'static str),
}

impl Actor {
    /// A part of the control plane itself.
    #[must_use]
    pub fn system(part: &'static str) -> Self {
        Self { kind: ActorKind::System(part), idempotency_key: None }
    }

    /// The agent of a server.
    #[must_use]
    pub fn agent(server: crate::ids::ServerId) -> Self {
        Self { kind: ActorKind::Agent(server), idempotency_key: None }
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            ActorKind::PlatformToken(id) => write!(f, "token:{id}"),
            ActorKind::Agent(id) => write!(f, "agent:{id}"),
            ActorKind::System(part) => write!(f, "system:{part}"),
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

/// Appends a record; `detail` is an object such as `{"before":…, "after":…}` without secrets. The actor's idempotency key is
/// marked as done by it, in the same transaction.
pub async fn audit_append(tx: &mut Tx, at: Ms, record: Record<'_>, detail: &impl Serialize) -> Result<()> {
    let detail = serde_json::to_value(detail).map_err(Error::internal)?;
    if let Some(claim) = &record.actor.idempotency_key {
        let effect = Effect { kind: record.target_kind.to_owned(), id: record.target_id.clone() };
        idempotency::key_mark(tx, at, &record.actor.to_string(), claim, &effect).await?;
    }
    store::record_insert(tx, at, &record, detail).await
}
