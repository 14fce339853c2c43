//! Invitations: a one-time secret by which somebody joins a tenant.

use std::time::Duration;

use serde_json::json;

use super::service::{Service, hold, is_member, may_give, note};
use super::{By, Invitation, Member, User, check_email, store};
use crate::clock::Ms;
use crate::db::{Tx, Window};
use crate::domain::access::Role;
use crate::domain::access::service::tenant_hold;
use crate::domain::audit::{Actor, Origin, Record, Scope, audit_append};
use crate::domain::check::{Checks, trimmed};
use crate::domain::credentials::address_of;
use crate::domain::mail::Letter;
use crate::domain::secrets::Secret;
use crate::domain::throttle::Subject;
use crate::domain::{passwords, tokens};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{InvitationId, TenantId, UserId};

/// How long an invitation may be accepted.
const GOOD_FOR: Duration = Duration::from_hours(7 * 24);
/// The most that a tenant may have open.
const OPEN_MAX: i64 = 200;
/// The page of the console where one is accepted.
const ACCEPT_PAGE: &str = "accept-invitation";

/// What somebody who accepts brings.
#[derive(Debug)]
pub struct Accept {
    /// The invitation's secret.
    pub token: Secret<String>,
    /// What they are called, if they have no account yet.
    pub name: Option<String>,
    /// The password of their new account.
    pub password: Option<Secret<String>>,
    /// Who has signed in, where the address has an account.
    pub signed_in: Option<(UserId, Actor)>,
    /// Where they ask from.
    pub origin: Option<Origin>,
}

impl Service {
    /// Invites somebody to a tenant. The secret is not kept: it is mailed to them, and where no mails are sent returned, to be given
    /// to them. A newer invitation of the same address replaces the older. 429 where one address is mailed again and again, and where one tenant has
    /// more mailed than anybody invites.
    pub async fn user_invite(
        &self,
        by: By<'_>,
        tenant: TenantId,
        email: &str,
        role: Role,
    ) -> Result<(Invitation, Option<Secret<String>>)> {
        let (email, place) = (self.invitable(email)?, self.mail.place_take(tenant)?);
        let Some(place) = place else {
            let (invitation, secret, _) = self.invitation_make(by, tenant, email, (role, false)).await?;
            return Ok((invitation, Some(secret)));
        };
        let subjects = [Subject::invitations(&email), Subject::invitations_of(tenant)];
        self.throttle.attempt_charge(&subjects).await?;
        let made = self.invitation_make(by, tenant, email, (role, true)).await;
        if made.is_err() {
            // What is refused mails nothing.
            let mut tx = self.db.begin().await?;
            self.throttle.attempt_refund(&mut tx, &subjects).await?;
            tx.commit().await?;
        }
        let (invitation, secret, tenant_name) = made?;
        let link = self.mail.link(ACCEPT_PAGE, secret.expose());
        let letter = Letter::invitation(&tenant_name, role.as_str(), &link, invitation.expires_at);
        self.mail.mail_send_in(place, &invitation.email, letter);
        Ok((invitation, None))
    }

    /// The invitation, its secret, and what its tenant is called.
    async fn invitation_make(
        &self,
        by: By<'_>,
        tenant: TenantId,
        email: String,
        (role, mailed): (Role, bool),
    ) -> Result<(Invitation, Secret<String>, String)> {
        let id = InvitationId::generate();
        let secret = Secret::new(format!("{}{}", id.0.simple(), tokens::random()?.expose()));
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let rank = hold(&mut tx, by, tenant).await?;
        may_give(rank, role)?;
        if let Some(user) = store::user_by_email(tx.conn(), &email).await?
            && store::member_get(tx.conn(), tenant, user.id).await?.is_some()
        {
            return Err(is_member(&email));
        }
        store::invitation_replace(&mut tx, tenant, &email, now).await?;
        if store::invitations_count(tx.conn(), tenant, now).await? >= OPEN_MAX {
            let text = format!("{OPEN_MAX} invitations are open; revoke some or wait until they have expired");
            return Err(Error::conflict("too_many_invitations", text));
        }
        let (invited_by, inviter, expires_at) = (by.actor.to_string(), by.actor.user(), now.plus(GOOD_FOR));
        let invitation =
            Invitation { id, tenant, email, role, invited_by, inviter, mailed, created_at: now, expires_at };
        store::invitation_insert(&mut tx, &invitation, &tokens::hash(secret.expose())).await?;
        noted(&mut tx, now, by.actor, &invitation, "invitation.created").await?;
        let tenant = self.tenants.tenant_get(tx.conn(), tenant).await?;
        tx.commit().await?;
        Ok((invitation, secret, tenant.name))
    }

    /// The address as it is kept, if somebody may be invited under it.
    fn invitable(&self, email: &str) -> Result<String> {
        let email = address_of(email);
        let mut checks = Checks::new();
        check_email(&mut checks, &email);
        // Its link may be shown to who invites, who could then be taken for whose address it is.
        let reserved = self.owner_email.as_deref() == Some(email.as_str());
        checks.require(
            !reserved,
            "email",
            "is the platform owner's; staff make that account (mpanel user create-owner)",
        );
        checks.finish()?;
        Ok(email)
    }

    /// A page of open invitations, in the order of their making.
    pub async fn invitation_list(&self, scope: Scope, window: Window<InvitationId>) -> Result<Vec<Invitation>> {
        let mut read = self.db.read().await?;
        store::invitation_list(read.conn(), scope.tenant(), self.clock.now(), window).await
    }

    /// Takes an invitation back.
    pub async fn invitation_revoke(&self, by: By<'_>, scope: Scope, id: InvitationId) -> Result<()> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let found = store::invitation_get(tx.conn(), scope.tenant(), id).await?;
        let invitation = found.ok_or_else(|| Error::not_found("invitation", id))?;
        let rank = hold(&mut tx, by, invitation.tenant).await?;
        may_give(rank, invitation.role)?;
        if !store::invitation_revoke(&mut tx, id, now).await? {
            return Err(Error::not_found("invitation", id));
        }
        noted(&mut tx, now, by.actor, &invitation, "invitation.revoked").await?;
        tx.commit().await
    }

    /// Ends the invitations of a member that they may no longer give: all but those to roles that `rank`, what they are now, may.
    pub(super) async fn invitations_end(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        member: &Member,
        rank: Option<Role>,
    ) -> Result<()> {
        let now = self.clock.now();
        let lost = Role::ALL.into_iter().filter(|role| !rank.is_some_and(|rank| rank.may_give(*role)));
        for role in lost {
            for invitation in store::invitations_end(tx, (member.tenant, member.user), role.as_str(), now).await? {
                noted(tx, now, actor, &invitation, "invitation.revoked").await?;
            }
        }
        Ok(())
    }

    /// Deletes up to `limit` invitations that were accepted or revoked or have expired before `before`; how many.
    pub async fn invitations_prune(&self, tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
        store::invitations_prune(tx, before, limit).await
    }

    /// Whether the address of the invitation with this secret has an account, which then has to sign in to accept it. `None`: there
    /// is no such invitation, or no longer.
    pub async fn invitation_has_account(&self, token: &Secret<String>) -> Result<Option<bool>> {
        Ok(self.shown(token).await?.map(|(_, account)| account.is_some()))
    }

    /// The open invitation with this secret, and whose account has its address.
    async fn shown(&self, token: &Secret<String>) -> Result<Option<(Invitation, Option<User>)>> {
        let Some(id) = id_in(token.expose()) else { return Ok(None) };
        let mut read = self.db.read().await?;
        let found = store::invitation_shown(read.conn(), id, &tokens::hash(token.expose())).await?;
        let Some(invitation) = found.filter(|one| one.expires_at > self.clock.now()) else { return Ok(None) };
        let account = store::user_by_email(read.conn(), &invitation.email).await?;
        Ok(Some((invitation, account)))
    }

    /// Accepts an invitation: makes the account, or adds the membership to the one that has the address, if it is that one who has
    /// signed in (403 for another, 401 for nobody). `None`: there is no such invitation, or no longer.
    pub async fn invitation_accept(&self, accept: Accept) -> Result<Option<Member>> {
        let Accept { token, name, password, signed_in, origin } = accept;
        let name = name.as_deref().map(trimmed);
        let Some((invitation, account)) = self.shown(&token).await? else { return Ok(None) };
        let hash = match (&account, &name, &password) {
            // Whoever has the link has not shown to be the one who has the account.
            (Some(user), name, password) => {
                check_signed_in(user, signed_in.as_ref().map(|(id, _)| *id))?;
                if name.is_some() || password.is_some() {
                    let text = "you have an account already, which keeps its name and password: leave out both";
                    return Err(Error::invalid("password", text));
                }
                None
            }
            (None, name, password) => {
                check_new(&invitation.email, name.as_deref(), password.as_ref())?;
                match password {
                    Some(password) => Some(self.passwords.password_hash(password).await?),
                    None => None,
                }
            }
        };
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if !tenant_hold(&mut tx, invitation.tenant).await? {
            return Ok(None);
        }
        if !store::invitation_accept(&mut tx, invitation.id, now).await? {
            return Ok(None);
        }
        let user = match account {
            Some(user) => user,
            None => self.account_make(&mut tx, &invitation, name.unwrap_or_default(), hash.as_deref()).await?,
        };
        if invitation.mailed && !user.email_proven {
            self.credentials.email_prove(&mut tx, user.id).await?;
        }
        if !store::member_insert(&mut tx, invitation.tenant, user.id, invitation.role.as_str(), now).await? {
            return Err(is_member(&invitation.email));
        }
        let actor = signed_in.map_or_else(|| Actor::person(user.id).at(origin), |(_, actor)| actor);
        let detail = json!({"email": invitation.email, "role": invitation.role, "invited_by": invitation.invited_by});
        noted(&mut tx, now, &actor, &invitation, "invitation.accepted").await?;
        note(&mut tx, now, &actor, (Some(invitation.tenant), user.id), "user.joined", &detail).await?;
        let member = store::member_get(tx.conn(), invitation.tenant, user.id).await?;
        tx.commit().await?;
        Ok(member)
    }

    async fn account_make(&self, tx: &mut Tx, of: &Invitation, name: String, hash: Option<&str>) -> Result<User> {
        let (id, email, email_proven) = (UserId::generate(), of.email.clone(), of.mailed);
        let user = User { id, email, name, staff: false, email_proven };
        if store::user_insert(tx, &user, hash, self.clock.now()).await? {
            return Ok(user);
        }
        // Another invitation of the same address was accepted in this moment.
        Err(Error::conflict(
            "user_exists",
            "this address has got an account just now: sign in as it, and accept again without a password",
        ))
    }
}

/// That it is the account's owner who accepts. Its name is not told to whoever else has the link.
fn check_signed_in(account: &User, signed_in: Option<UserId>) -> Result<()> {
    match signed_in {
        Some(id) if id == account.id => Ok(()),
        Some(_) => Err(Error::Forbidden(
            "this invitation is for another account than yours: sign in as the one that has the address".to_owned(),
        )),
        None => Err(Error::Unauthorized(
            "the address that was invited has an account: sign in as it, then accept".to_owned(),
        )),
    }
}

/// The id that an invitation's secret begins with, by which it is found.
fn id_in(secret: &str) -> Option<InvitationId> {
    secret.get(..32)?.parse().ok()
}

fn check_new(email: &str, name: Option<&str>, password: Option<&Secret<String>>) -> Result<()> {
    let mut checks = Checks::new();
    match name {
        Some(name) => checks.called("name", name, 1..=100),
        None => checks.wrong("name", "is missing: what are you called?"),
    }
    match password {
        Some(password) => passwords::check(&mut checks, "password", password.expose(), email),
        None => checks.wrong("password", "is missing: choose the password of your new account"),
    }
    checks.finish()
}

pub(super) async fn noted(tx: &mut Tx, at: Ms, actor: &Actor, invitation: &Invitation, name: &str) -> Result<()> {
    let (tenant, subject) = (Some(invitation.tenant), invitation.id.to_string());
    let detail = json!({"email": invitation.email, "role": invitation.role, "mailed": invitation.mailed});
    let record = Record { actor, tenant, action: name, target_kind: "invitation", target_id: subject.clone() };
    audit_append(tx, at, record, &detail).await?;
    event_append(tx, at, Event { tenant, name, subject }, &detail).await
}
