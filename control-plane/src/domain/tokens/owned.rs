//! The tokens that people make for their programs: never more than who makes them, for a time, and revocable at once.

use std::time::Duration;

use serde_json::json;

use super::service::Service;
use super::{generate, hash, store};
use crate::clock::Ms;
use crate::db::{Tx, Window};
use crate::domain::access::service::{principal_get, session_hold, tenant_hold, user_hold};
use crate::domain::access::{Door, Permission, Permissions, Principal, Reach, Role, resolve};
use crate::domain::audit::{Actor, ActorKind, Record, Scope, audit_append};
use crate::domain::check::Checks;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{TenantId, TokenId, UserId};

/// How long a token is good when its maker does not say.
const DAYS_DEFAULT: u32 = 90;
/// The longest that a tenant's people may make one for.
const DAYS_MAX: u32 = 365;
/// The longest that staff may.
const DAYS_MAX_STAFF: u32 = 3650;
/// The most good tokens that one person may have.
const PER_USER_MAX: i64 = 100;

/// A token, without its secret.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// What its maker calls it.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// Their address.
    pub user_email: String,
    /// Where it counts; `None`: a member of staff's, for all tenants.
    pub tenant: Option<TenantId>,
    /// What that is called.
    pub tenant_name: Option<String>,
    /// What it may do, as far as its user may.
    pub permissions: Permissions,
    /// When it was made.
    pub created_at: Ms,
    /// Until when it is good.
    pub expires_at: Ms,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Ms>,
}

/// A token to be made.
#[derive(Clone, Debug)]
pub struct TokenCreate {
    /// What its maker calls it.
    pub name: String,
    /// Where it is to count.
    pub tenant: Option<TenantId>,
    /// What it is to be able to do.
    pub permissions: Permissions,
    /// How many days it is to be good for.
    pub expires_in_days: Option<u32>,
}

/// Whose tokens are looked at.
#[derive(Clone, Copy, Debug)]
pub enum Whose {
    /// One's own; with a token of one tenant, those for that tenant.
    User(UserId, Option<TenantId>),
    /// Those of a tenant's people for it; of all tenants: everybody's.
    All(Scope),
    /// Those that [`Whose::All`] would give of this person.
    Of(UserId, Scope),
}

impl Whose {
    /// Those that this person may see as their own.
    #[must_use]
    pub fn own(person: &Principal) -> Self {
        Self::User(person.user, person.limit.as_ref().and_then(|limit| limit.tenant))
    }
}

impl Service {
    /// Makes a token of this person's and shows it, this once. 403 when it is to have what its maker has not.
    pub async fn token_create(
        &self,
        actor: &Actor,
        maker: &Principal,
        input: TokenCreate,
    ) -> Result<(ApiToken, Secret<String>)> {
        let TokenCreate { name, tenant, permissions, expires_in_days } = input;
        let now = self.clock.now();
        let expires_at = checked(maker, &name, permissions, expires_in_days, now)?;
        let tenant = granted(maker, tenant, permissions)?;
        let secret = generate()?;
        let id = TokenId::generate();
        let mut tx = self.db.begin().await?;
        still(&mut tx, actor, maker, (tenant, permissions)).await?;
        if store::tokens_count(tx.conn(), maker.user, now).await? >= PER_USER_MAX {
            return Err(Error::conflict(
                "too_many_tokens",
                format!("you have {PER_USER_MAX} tokens; revoke those that you no longer need"),
            ));
        }
        let made_with = maker.limit.as_ref().map(|limit| limit.token);
        let (whose, times) = ((maker.user, tenant), (now, expires_at));
        store::token_add(&mut tx, (id, &name), whose, permissions, times, (&hash(secret.expose()), made_with)).await?;
        let token = store::token_get(tx.conn(), Whose::User(maker.user, tenant), id).await?;
        let token = token.ok_or_else(|| Error::internal(format!("token {id}, just made, is not there")))?;
        let detail = json!({
            "name": token.name, "user_id": token.user, "permissions": permissions, "expires_at": expires_at,
        });
        note(&mut tx, now, actor, (tenant, id), "token.created", &detail).await?;
        tx.commit().await?;
        Ok((token, secret))
    }

    /// A page of good tokens, in the order of their making.
    pub async fn token_list(&self, whose: Whose, window: Window<TokenId>) -> Result<Vec<ApiToken>> {
        let mut read = self.db.read().await?;
        store::token_list(read.conn(), whose, self.clock.now(), window).await
    }

    /// Revokes a token and all that were made with it, at once.
    pub async fn token_revoke(&self, actor: &Actor, whose: Whose, id: TokenId) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let token = store::token_get(tx.conn(), whose, id).await?.ok_or_else(|| Error::not_found("token", id))?;
        // Whoever makes a token with one of these at this moment holds it: what they made is seen by the next look.
        let mut revoked = 0;
        loop {
            match store::token_family_revoke(&mut tx, now, id).await? {
                0 => break,
                some => revoked += some,
            }
        }
        let detail = json!({"name": token.name, "user_id": token.user, "revoked": revoked});
        note(&mut tx, now, actor, (token.tenant, id), "token.revoked", &detail).await?;
        tx.commit().await
    }

    /// Deletes up to `limit` of the tokens that ended before `before`; how many.
    pub async fn tokens_prune(&self, tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
        store::tokens_prune(tx, before, limit).await
    }

    /// Revokes all of somebody's tokens of a tenant; how many there were.
    pub async fn tokens_end(&self, tx: &mut Tx, tenant: TenantId, user: UserId) -> Result<u64> {
        store::tokens_of_member_revoke(tx, self.clock.now(), tenant, user).await
    }

    /// Revokes all of somebody's tokens, wherever they count; how many were good. Their sign-ins are ended before, in the same
    /// transaction, so that none of these makes another one meanwhile.
    pub async fn tokens_of_user_end(&self, tx: &mut Tx, user: UserId) -> Result<u64> {
        let (now, mut ended) = (self.clock.now(), 0);
        // As in `token_revoke`.
        loop {
            match store::tokens_of_user_revoke(tx, now, user).await? {
                0 => return Ok(ended),
                some => ended += some,
            }
        }
    }
}

/// Looks again, in the transaction that makes the token: the maker may have been suspended, have become less, or have lost the sign-in
/// or the token that they make it with. Until the transaction ends, none of it can happen, and they make no other token. Tenant, person,
/// sign-in, token are held in this order wherever several are.
async fn still(
    tx: &mut Tx,
    actor: &Actor,
    maker: &Principal,
    (tenant, permissions): (Option<TenantId>, Permissions),
) -> Result<()> {
    if let Some(tenant) = tenant
        && !tenant_hold(tx, tenant).await?
    {
        return Err(Error::not_found("tenant", tenant));
    }
    if !user_hold(tx, maker.user).await? {
        return Err(gone());
    }
    if let ActorKind::User { session: Some(session), .. } = actor.kind
        && !session_hold(tx, session).await?
    {
        return Err(gone());
    }
    if let Some(limit) = &maker.limit
        && !store::token_hold(tx, limit.token).await?
    {
        return Err(gone());
    }
    let now = principal_get(tx.conn(), maker.user).await?.ok_or_else(gone)?;
    granted(&Principal { limit: maker.limit.clone(), ..now }, tenant, permissions).map(drop)
}

fn gone() -> Error {
    Error::Unauthorized("what you came with is no longer valid".to_owned())
}

async fn note(
    tx: &mut Tx,
    at: Ms,
    actor: &Actor,
    (tenant, id): (Option<TenantId>, TokenId),
    name: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    let record = Record { actor, tenant, action: name, target_kind: "token", target_id: id.to_string() };
    audit_append(tx, at, record, detail).await?;
    event_append(tx, at, Event { tenant, name, subject: id.to_string() }, detail).await
}

/// Checks what is asked for; until when the token is to be good.
fn checked(maker: &Principal, name: &str, permissions: Permissions, days: Option<u32>, now: Ms) -> Result<Ms> {
    let mut checks = Checks::new();
    checks.text("name", name, 1..=100);
    checks.require(permissions != Permissions::NONE, "permissions", "name at least one, such as cloudpods:read");
    let days_max = if maker.staff { DAYS_MAX_STAFF } else { DAYS_MAX };
    checks.range("expires_in_days", days.unwrap_or(DAYS_DEFAULT), 1..=days_max);
    checks.finish()?;
    let wanted = now.plus(Duration::from_hours(24 * u64::from(days.unwrap_or(DAYS_DEFAULT))));
    match &maker.limit {
        Some(limit) if limit.expires_at < wanted && days.is_some() => {
            let message = format!("a token cannot outlive the one it is made with, {}", limit.expires_at.to_rfc3339());
            Err(Error::invalid("expires_in_days", message))
        }
        Some(limit) => Ok(wanted.min(limit.expires_at)),
        None => Ok(wanted),
    }
}

/// The tenant of the token, if its maker may do there all that it is to be able to do.
fn granted(maker: &Principal, tenant: Option<TenantId>, permissions: Permissions) -> Result<Option<TenantId>> {
    let door = if maker.staff { Door::Tenant } else { Door::Admin };
    let Reach { scope, mut grant, role: _, suspended: _ } = resolve(maker, door, tenant)?;
    if maker.staff && scope.tenant().is_some() {
        grant = grant.and(Role::Owner.permissions());
    }
    let lacking: Vec<_> = permissions.without(grant).iter().map(Permission::as_str).collect();
    if !lacking.is_empty() {
        let text = format!("a token cannot have what its maker has not here: {}", lacking.join(", "));
        return Err(Error::Forbidden(text));
    }
    Ok(scope.tenant())
}
