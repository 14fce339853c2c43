use sqlx::types::Json;
use uuid::Uuid;

use super::{Answer, Claim, Effect, Request};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::error::{Error, Result};
use crate::ids::InstanceId;
use crate::{execute, fetch_optional};

/// Who works on a request, and until when nobody else may.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) owner: InstanceId,
    pub(super) until: Ms,
}

/// What is kept of a key.
pub(super) struct Kept {
    pub(super) hash: Vec<u8>,
    pub(super) claim_id: Uuid,
    pub(super) owner: InstanceId,
    pub(super) lease_until: Ms,
    pub(super) effect: Option<Effect>,
    pub(super) answer: Option<Answer>,
}

#[derive(sqlx::FromRow)]
struct KeyRow {
    request_hash: Vec<u8>,
    claim_id: Uuid,
    owner: InstanceId,
    lease_until: Ms,
    target_kind: Option<String>,
    target_id: Option<String>,
    status: Option<i64>,
    headers: Option<Json<AnswerHeaders>>,
    body: Option<Vec<u8>>,
}

/// JSONB holds objects only.
#[derive(serde::Serialize, serde::Deserialize)]
struct AnswerHeaders {
    headers: Vec<(String, String)>,
}

impl TryFrom<KeyRow> for Kept {
    type Error = Error;

    fn try_from(row: KeyRow) -> Result<Self> {
        let KeyRow { request_hash, claim_id, owner, lease_until, target_kind, target_id, status, headers, body } = row;
        let answer = match (status, headers, body) {
            (Some(status), Some(Json(AnswerHeaders { headers })), Some(body)) => {
                Some(Answer { status: u16::try_from(status).map_err(Error::internal)?, headers, body })
            }
            _ => None,
        };
        let effect = target_kind.zip(target_id).map(|(kind, id)| Effect { kind, id });
        Ok(Self { hash: request_hash, claim_id, owner, lease_until, effect, answer })
    }
}

/// Whether the key was free.
pub(super) async fn key_insert(
    tx: &mut Tx,
    at: Ms,
    request: &Request<'_>,
    claim: &Claim,
    lease: Lease,
) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO idempotency_keys (actor, key, request_hash, claim_id, owner, lease_until, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (actor, key) DO NOTHING";
    let Request { actor, key, hash, hash_before: _ } = request;
    let inserted = execute!(tx.conn(), SQL, *actor, *key, hash.as_slice(), claim.id, lease.owner, lease.until, at)?;
    Ok(inserted == 1)
}

pub(super) async fn key_get(conn: Conn<'_>, actor: &str, key: &str) -> Result<Option<Kept>> {
    const SQL: &str = "SELECT request_hash, claim_id, owner, lease_until, target_kind, target_id, status, headers, body
         FROM idempotency_keys WHERE actor = $1 AND key = $2";
    fetch_optional!(conn, KeyRow, SQL, actor, key)?.map(Kept::try_from).transpose()
}

/// Puts a new claim in the place of an abandoned one that had no effect; whether it did.
pub(super) async fn key_take_over(
    tx: &mut Tx,
    request: &Request<'_>,
    abandoned: Uuid,
    claim: &Claim,
    lease: Lease,
) -> Result<bool> {
    const SQL: &str = "UPDATE idempotency_keys SET claim_id = $1, owner = $2, lease_until = $3
                       WHERE actor = $4 AND key = $5 AND claim_id = $6 AND target_id IS NULL AND status IS NULL";
    let Request { actor, key, hash: _, hash_before: _ } = request;
    let taken = execute!(tx.conn(), SQL, claim.id, lease.owner, lease.until, *actor, *key, abandoned)?;
    Ok(taken == 1)
}

/// Whether the claim is the present one. The first effect stays, unless there is a job, which tells most.
pub(super) async fn key_mark(tx: &mut Tx, at: Ms, actor: &str, claim: &Claim, effect: &Effect) -> Result<bool> {
    const SQL: &str = "UPDATE idempotency_keys SET
            committed_at = COALESCE(committed_at, $1),
            target_kind = CASE WHEN target_kind IS NULL OR $2 = 'job' THEN $2 ELSE target_kind END,
            target_id = CASE WHEN target_kind IS NULL OR $2 = 'job' THEN $3 ELSE target_id END
         WHERE actor = $4 AND key = $5 AND claim_id = $6 AND status IS NULL";
    let Effect { kind, id } = effect;
    let marked = execute!(tx.conn(), SQL, at, kind.as_str(), id.as_str(), actor, claim.key.as_str(), claim.id)?;
    Ok(marked == 1)
}

pub(super) async fn key_finish(tx: &mut Tx, at: Ms, actor: &str, claim: &Claim, answer: &Answer) -> Result<()> {
    const SQL: &str = "UPDATE idempotency_keys SET status = $1, headers = $2, body = $3, finished_at = $4
                       WHERE actor = $5 AND key = $6 AND claim_id = $7 AND status IS NULL";
    let Answer { status, headers, body } = answer;
    let headers = Json(AnswerHeaders { headers: headers.clone() });
    let (key, body) = (claim.key.as_str(), body.as_slice());
    execute!(tx.conn(), SQL, i64::from(*status), headers, body, at, actor, key, claim.id)?;
    Ok(())
}

/// Whether the request had no effect.
pub(super) async fn key_delete_unmarked(tx: &mut Tx, actor: &str, claim: &Claim) -> Result<bool> {
    const SQL: &str = "DELETE FROM idempotency_keys
                       WHERE actor = $1 AND key = $2 AND claim_id = $3 AND target_id IS NULL AND status IS NULL";
    Ok(execute!(tx.conn(), SQL, actor, claim.key.as_str(), claim.id)? == 1)
}

/// Ends the claim's lease: nobody works on the request any more.
pub(super) async fn key_expire(tx: &mut Tx, at: Ms, actor: &str, claim: &Claim) -> Result<()> {
    const SQL: &str = "UPDATE idempotency_keys SET lease_until = $1 WHERE actor = $2 AND key = $3 AND claim_id = $4";
    execute!(tx.conn(), SQL, at, actor, claim.key.as_str(), claim.id)?;
    Ok(())
}

pub(super) async fn keys_delete_before(tx: &mut Tx, before: Ms) -> Result<u64> {
    const SQL: &str = "DELETE FROM idempotency_keys WHERE created_at < $1";
    Ok(execute!(tx.conn(), SQL, before)?)
}
