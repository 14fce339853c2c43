//! The sign-ins of a tenant's people, as those who run the tenant see and end them.
//!
//! A sign-in is for every tenant that its person belongs to. So a tenant's people reach only those of somebody who belongs to it alone:
//! what another tenant's people decide signs nobody out of it. Suspending them shuts them out of the one tenant.

pub mod routes;

use super::service::{Service, find, hold, may_give};
use super::{By, Member};
use crate::db::{Conn, Window};
use crate::domain::audit::Scope;
use crate::domain::sessions::{Ended, Session};
use crate::error::{Error, Result};
use crate::ids::{SessionId, UserId};

impl Service {
    /// A page of somebody's sign-ins that stand, the oldest first.
    pub async fn user_sessions(
        &self,
        by: By<'_>,
        scope: Scope,
        user: UserId,
        window: Window<SessionId>,
    ) -> Result<Vec<Session>> {
        let mut read = self.db.read().await?;
        self.reached(read.conn(), by, scope, user).await?;
        drop(read);
        self.sessions.session_list(user, window).await
    }

    /// Ends one of somebody's sign-ins at once. 403 for one of somebody who is above the caller.
    pub async fn user_session_end(&self, by: By<'_>, scope: Scope, user: UserId, id: SessionId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let mut member = self.reached(tx.conn(), by, scope, user).await?;
        if let Some(found) = &mut member {
            let rank = hold(&mut tx, by, found.tenant).await?;
            // As it is now that nobody else changes it.
            *found = find(tx.conn(), Scope::Tenant(found.tenant), user).await?;
            may_give(rank, found.role)?;
        }
        let tenant = member.map(|member| member.tenant);
        self.sessions.session_end_in(&mut tx, by.actor, (tenant, user), id, Ended::Revoked).await?;
        tx.commit().await
    }

    /// Whose sign-ins they are, in the tenant that the caller speaks for; `None`: staff who name none. 404 for somebody who does not
    /// belong there, 403 for a tenant's people where somebody belongs to others too.
    async fn reached(&self, mut conn: Conn<'_>, by: By<'_>, scope: Scope, user: UserId) -> Result<Option<Member>> {
        let member = match scope {
            Scope::Tenant(_) => Some(find(conn.again(), scope, user).await?),
            Scope::Platform => None,
        };
        let person = self.access.principal(conn, user).await?.ok_or_else(|| Error::not_found("user", user))?;
        if by.member.is_some() && by.member != Some(user) && (person.staff || person.memberships.len() > 1) {
            let text = "their sign-ins are for more than this tenant, and not its to see or end: suspend them, which shuts them out of \
                        it at once";
            return Err(Error::Forbidden(text.to_owned()));
        }
        Ok(member)
    }
}
