//! Finds out who somebody is by what they show.

use super::store::{self, Shown};
use super::{Principal, Standing};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Db, Tx};
use crate::error::{Error, Result};
use crate::ids::{SessionId, TenantId, TokenId, UserId};

/// Who showed a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bearer {
    /// The holder of the platform's own token.
    Platform(TokenId),
    /// A person, by an API token, and when it was last used before.
    Person(Principal, Option<Ms>),
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Service {
    db: Db,
    clock: Clock,
}

impl Service {
    /// Over `db`.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock }
    }

    /// Who bears the token of this hash; `None`: there is none, or it was revoked. 401 when it has expired.
    pub async fn token_bearer(&self, secret_hash: &[u8]) -> Result<Option<Bearer>> {
        let mut read = self.db.read().await?;
        Ok(match store::token_shown(read.conn(), secret_hash).await? {
            None => None,
            Some(Shown::Platform(id)) => Some(Bearer::Platform(id)),
            Some(Shown::Person(principal, last_used_at)) => {
                if principal.limit.as_ref().is_some_and(|limit| limit.expires_at <= self.clock.now()) {
                    return Err(Error::Unauthorized("this token has expired; make another one".to_owned()));
                }
                Some(Bearer::Person(principal, last_used_at))
            }
        })
    }

    /// As [`Service::token_bearer`], of a token that was shown before.
    pub async fn token_bearer_by_id(&self, token: TokenId) -> Result<Option<Bearer>> {
        let hash = store::token_hash(self.db.read().await?.conn(), token).await?;
        match hash {
            Some(hash) => self.token_bearer(&hash).await,
            None => Ok(None),
        }
    }

    /// Whose this sign-in is; `None`: there is none, or it has ended.
    pub async fn session_bearer(&self, session: SessionId) -> Result<Option<Principal>> {
        let mut read = self.db.read().await?;
        store::session_shown(read.conn(), session, self.clock.now()).await
    }

    /// As [`principal_get`].
    pub async fn principal(&self, conn: Conn<'_>, user: UserId) -> Result<Option<Principal>> {
        principal_get(conn, user).await
    }

    /// Whether this person may sign in: staff, and whoever has a membership that counts; nobody whose account is suspended.
    pub async fn may_sign_in(&self, conn: Conn<'_>, user: UserId) -> Result<bool> {
        let found = self.principal(conn, user).await?;
        Ok(found.is_some_and(|one| one.staff || one.memberships.iter().any(|m| m.standing != Standing::Suspended)))
    }
}

/// What somebody may do, by no token or sign-in. `None`: there is no such person, or their account is suspended.
pub async fn principal_get(conn: Conn<'_>, user: UserId) -> Result<Option<Principal>> {
    store::person(conn, user).await
}

/// Holds a sign-in until the transaction ends, so that nobody ends it meanwhile. `false`: it has ended.
pub async fn session_hold(tx: &mut Tx, session: SessionId) -> Result<bool> {
    store::session_hold(tx, session).await
}

/// Holds the tenant's row until the transaction ends, so that one after the other changes its memberships and what hangs on them.
/// `false`: there is no such tenant.
pub async fn tenant_hold(tx: &mut Tx, tenant: TenantId) -> Result<bool> {
    store::tenant_hold(tx, tenant).await
}

/// Holds a person's row until the transaction ends, so that one after the other adds to what they have. After the tenant's, where
/// both are held. `false`: there is no such person.
pub async fn user_hold(tx: &mut Tx, user: UserId) -> Result<bool> {
    store::user_hold(tx, user).await
}
