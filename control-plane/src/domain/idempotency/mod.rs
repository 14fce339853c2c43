//! One effect for each `Idempotency-Key`, whatever fails and however often the request is repeated.
//!
//! ```text
//! (nothing) ──claim──▶ running ──mark, in the effect's transaction──▶ committed ──finish──▶ finished
//!      ▲                 │ ▲                                              │                    the first answer, again
//!      └──release────────┘ └─claim again, once its lease is over          └─ the answer was lost: it is read anew
//!        no effect
//! ```
//!
//! A claim has its own random id. The transaction that does what was asked marks the key under that id, so it commits only
//! while the claim is the present one: a process that slept past its lease cannot add a second effect.

pub mod service;
mod store;

use std::time::Duration;

use uuid::Uuid;

use crate::clock::Ms;
use crate::db::Tx;
use crate::error::{Error, Result};

/// How long an answer can be had again.
pub const RETENTION: Duration = Duration::from_hours(24);

/// The right to do what a request with a key asks for, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The request's `Idempotency-Key`.
    pub key: String,
    /// This claim on it; a later one has another.
    pub id: Uuid,
}

/// What a request with a key is.
#[derive(Debug)]
pub struct Request<'a> {
    /// Whose key it is: keys of different callers have nothing to do with each other.
    pub actor: &'a str,
    /// The key.
    pub key: &'a str,
    /// Of method, path and body. The body may hold a password, so it is a keyed hash.
    pub hash: [u8; 32],
    /// Their plain SHA-256, as versions before the keyed hash kept it: an upgrade takes no key away. [`RETENTION`] after that none is
    /// left.
    pub hash_before: [u8; 32],
}

/// What to do with a request that has a key.
#[derive(Debug)]
pub enum Begun {
    /// Do it, under this claim.
    Run(Claim),
    /// It was done; this is the answer.
    Replay(Answer),
    /// It was done, but its answer was lost; this is what it did.
    Recover(Claim, Effect),
    /// The first request is under way.
    Running,
    /// The key belongs to another request.
    Reused,
}

/// A stored answer. The body is the caller's to seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Those headers that are part of the answer.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a request did: the noun and its id, as in the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// `job` where there is one, otherwise the noun that was changed first.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// Marks the actor's key as done, in the transaction that does it. Fails, so that the transaction does, when the claim is
/// no longer the present one.
pub async fn key_mark(tx: &mut Tx, at: Ms, actor: &str, claim: &Claim, effect: &Effect) -> Result<()> {
    if store::key_mark(tx, at, actor, claim, effect).await? {
        return Ok(());
    }
    Err(Error::conflict(
        "idempotency_superseded",
        "this request took so long that a repetition of it took over; send it once more with the same Idempotency-Key for the answer",
    ))
}
