//! Who did what to which, and from where: written in the transaction that did it, never changed or removed (triggers of the
//! database refuse it), and sealed soon after.
//!
//! ```text
//! transaction ──append──▶ record ──trigger──▶ waits to be sealed ──sealer──▶ link n: SHA-256(hash n-1 ‖ record as JSON)
//! ```
//!
//! A hash in the writer's own transaction would have all transactions wait for each other, so records are linked after they have
//! committed, by one control plane at a time, each exactly once, in whatever order they commit. Whoever changes, removes, puts in
//! or reorders records behind the triggers' back breaks the chain where he does so. Whoever rewrites all of it from there on
//! cannot be found out from the database alone: its head is told to the log and as an event, to be compared.

mod chain;
pub mod export;
pub mod names;
pub mod routes;
pub mod service;
mod store;
pub mod verify;

use std::net::IpAddr;

use serde::Serialize;

use crate::clock::Ms;
use crate::db::Tx;
use crate::domain::idempotency::{self, Claim, Effect};
use crate::error::{Error, Result};
use crate::ids::{AuditId, SessionId, TenantId, TokenId, UserId};

/// Who asks for something, from where, and under which idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Who it is.
    pub kind: ActorKind,
    /// Of a request: where it came from. `None`: from within, or from an agent.
    pub origin: Option<Origin>,
    /// The request's `Idempotency-Key`: the transaction that does what it asks marks the key as done.
    pub idempotency_key: Option<Claim>,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client; behind a proxy, as it says.
    pub address: Option<IpAddr>,
    /// The request's id, as the answer and the log have it.
    pub request_id: String,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// The bearer of the platform's token: may do everything.
    PlatformToken(TokenId),
    /// A person who signed in.
    User {
        /// Who.
        user: UserId,
        /// By which sign-in; `None`: by none, as one who accepts an invitation.
        session: Option<SessionId>,
    },
    /// The bearer of an API token.
    ApiToken {
        /// Which.
        token: TokenId,
        /// Whose it is.
        user: UserId,
    },
    /// The agent of a server, by its certificate.
    Agent(crate::ids::ServerId),
    /// The control plane itself; the name of the part.
    System(&'static str),
}

impl Actor {
    /// Somebody, from nowhere in particular and without an idempotency key.
    #[must_use]
    pub fn new(kind: ActorKind) -> Self {
        Self { kind, origin: None, idempotency_key: None }
    }

    /// The same, asking from there.
    #[must_use]
    pub fn at(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// The person who asks, by a sign-in or by a token of theirs.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        match &self.kind {
            ActorKind::User { user, session: _ } | ActorKind::ApiToken { token: _, user } => Some(*user),
            ActorKind::PlatformToken(_) | ActorKind::Agent(_) | ActorKind::System(_) => None,
        }
    }

    /// A part of the control plane itself.
    #[must_use]
    pub fn system(part: &'static str) -> Self {
        Self::new(ActorKind::System(part))
    }

    /// A person, by no sign-in: one who proves who they are by a one-time link.
    #[must_use]
    pub fn person(user: UserId) -> Self {
        Self::new(ActorKind::User { user, session: None })
    }

    /// The agent of a server.
    #[must_use]
    pub fn agent(server: crate::ids::ServerId) -> Self {
        Self::new(ActorKind::Agent(server))
    }
}

impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            ActorKind::PlatformToken(id) | ActorKind::ApiToken { token: id, user: _ } => write!(f, "token:{id}"),
            ActorKind::User { user, session: _ } => write!(f, "user:{user}"),
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
    /// No tenant's: where somebody acts on their own account alone.
    pub const NOBODY: Self = Self::Tenant(TenantId(uuid::Uuid::nil()));

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

/// A record as it is kept, with its link once it is sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// Whose data it touched; `None`: the platform's alone.
    pub tenant: Option<TenantId>,
    /// Who did it: `user:<id>`, `token:<id>`, `agent:<id>`, `system:<part>`.
    pub actor: String,
    /// From which address it was asked for, if it was.
    pub address: Option<String>,
    /// In which request, if in one.
    pub request_id: Option<String>,
    /// `noun.verb`.
    pub action: String,
    /// The noun.
    pub target_kind: String,
    /// Its id.
    pub target_id: String,
    /// What more there is to say: before and after.
    pub detail: serde_json::Value,
    /// When.
    pub at: Ms,
    /// `None`: it is not sealed yet.
    pub link: Option<Link>,
}

/// A record's place in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1 on.
    pub seq: i64,
    /// What binds it to all before it.
    pub hash: Hash,
}

/// A SHA-256. As text, 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// What stands before the first link.
    pub const NONE: Self = Self([0; 32]);

    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> =
            text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if digits.len() % 2 == 1 {
            return None;
        }
        bytes.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which records.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this actor.
    pub actor: Option<String>,
    /// Of this action.
    pub action: Option<String>,
    /// About this noun.
    pub target_kind: Option<String>,
    /// With this id.
    pub target_id: Option<String>,
    /// From this time on.
    pub from: Option<Ms>,
    /// Before this time.
    pub until: Option<Ms>,
}
