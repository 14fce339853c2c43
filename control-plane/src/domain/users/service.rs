//! What can be done with a tenant's people.

use std::sync::Arc;

use serde_json::json;

use super::{By, Member, MemberFilter, MemberKey, User, UserCreate, accounts, check_email, store};
use crate::clock::{Clock, Ms};
use crate::db::{Conn, Db, Tx, Window};
use crate::domain::access::Role;
use crate::domain::access::service::{principal_get, tenant_hold, user_hold};
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::check::{Checks, trimmed};
use crate::domain::credentials::address_of;
use crate::domain::sessions::{self, Ended};
use crate::domain::{access, credentials, mail, passwords, tenants, throttle, tokens};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{TenantId, UserId};

/// The people.
pub struct Service {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) passwords: passwords::service::Service,
    pub(super) credentials: credentials::service::Service,
    pub(super) tenants: Arc<tenants::service::Service>,
    pub(super) mail: mail::service::Service,
    pub(super) throttle: throttle::service::Service,
    pub(super) tokens: tokens::service::Service,
    pub(super) access: Arc<access::service::Service>,
    pub(super) sessions: Arc<sessions::service::Service>,
    /// Whose address makes them staff, once staff make the account: an invitation does not show that an address is one's own.
    pub(super) owner_email: Option<String>,
}

/// What the people's service is made of.
pub struct Parts {
    /// The store.
    pub db: Db,
    /// The time.
    pub clock: Clock,
    /// Hashes passwords.
    pub passwords: passwords::service::Service,
    /// Notes that an address is proven.
    pub credentials: credentials::service::Service,
    /// Where people belong.
    pub tenants: Arc<tenants::service::Service>,
    /// Sends invitations.
    pub mail: mail::service::Service,
    /// People's tokens, which end with their access.
    pub tokens: tokens::service::Service,
    /// What people may do.
    pub access: Arc<access::service::Service>,
    /// People's sign-ins, which end with their access.
    pub sessions: Arc<sessions::service::Service>,
    /// The platform owner's address.
    pub owner_email: Option<String>,
}

impl Service {
    /// Made of these.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { db, clock, passwords, credentials, tenants, mail, tokens, access, sessions, owner_email } = parts;
        let throttle = throttle::service::Service::new(db.clone(), clock.clone());
        let owner_email = owner_email.as_deref().map(address_of);
        Self { db, clock, passwords, credentials, tenants, mail, throttle, tokens, access, sessions, owner_email }
    }

    /// A page of members.
    pub async fn user_list(
        &self,
        scope: Scope,
        filter: &MemberFilter,
        window: Window<MemberKey>,
    ) -> Result<Vec<Member>> {
        let mut read = self.db.read().await?;
        store::member_list(read.conn(), scope.tenant(), filter, window).await
    }

    /// One member. 422 when the scope is all tenants and they belong to several.
    pub async fn user_get(&self, scope: Scope, user: UserId) -> Result<Member> {
        let mut read = self.db.read().await?;
        find(read.conn(), scope, user).await
    }

    /// Makes somebody something else in a tenant; the invitations end that they could no longer give. `expected`: the version that
    /// the caller has read.
    pub async fn user_role_set(
        &self,
        by: By<'_>,
        scope: Scope,
        user: UserId,
        role: Role,
        expected: Option<i64>,
    ) -> Result<Member> {
        let (mut tx, member, rank) = self.begin(by, scope, user).await?;
        if expected.is_some_and(|version| version != member.version) {
            return Err(Error::Stale);
        }
        may_give(rank, member.role)?;
        may_give(rank, role)?;
        let after = Member { role, version: member.version + 1, ..member.clone() };
        self.changed(&mut tx, by.actor, &member, &after, "user.role_changed").await?;
        self.invitations_end(&mut tx, by.actor, &member, Some(role)).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Shuts somebody out of a tenant: their access there, their API tokens for it and the invitations that they gave end at once, and
    /// with the last tenant that they may come in to all of their sign-ins. Those of somebody who may come in elsewhere go on there:
    /// what another tenant's people decide does not sign them out of it. Repeatable.
    pub async fn user_suspend(&self, by: By<'_>, scope: Scope, user: UserId) -> Result<Member> {
        let (mut tx, member, rank) = self.begin(by, scope, user).await?;
        may_give(rank, member.role)?;
        if member.suspended_at.is_some() {
            return Ok(member);
        }
        let after = Member { suspended_at: Some(self.clock.now()), version: member.version + 1, ..member.clone() };
        self.changed(&mut tx, by.actor, &member, &after, "user.suspended").await?;
        // Sign-ins before tokens, as wherever both are held.
        self.sign_ins_end(&mut tx, by.actor, user).await?;
        self.tokens.tokens_end(&mut tx, member.tenant, user).await?;
        self.invitations_end(&mut tx, by.actor, &member, None).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Lets somebody in again. Tokens and sign-ins that ended stay ended. Repeatable.
    pub async fn user_reactivate(&self, by: By<'_>, scope: Scope, user: UserId) -> Result<Member> {
        let (mut tx, member, rank) = self.begin(by, scope, user).await?;
        may_give(rank, member.role)?;
        if member.suspended_at.is_none() {
            return Ok(member);
        }
        // Whoever was signing in at the moment of the suspension has got a sign-in that would count from now on.
        self.sign_ins_end(&mut tx, by.actor, user).await?;
        let after = Member { suspended_at: None, version: member.version + 1, ..member.clone() };
        self.changed(&mut tx, by.actor, &member, &after, "user.reactivated").await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Makes an account without an invitation, for staff: the first owner of a tenant, or a member of staff. Of an account that
    /// there is, only the membership is made. `false`: the account was there.
    pub async fn user_create(&self, actor: &Actor, input: UserCreate) -> Result<(User, bool)> {
        let UserCreate { email, name, password, membership, staff } = input;
        let (email, name) = (address_of(&email), trimmed(&name));
        let mut checks = Checks::new();
        check_email(&mut checks, &email);
        checks.called("name", &name, 1..=100);
        if let Some(password) = &password {
            passwords::check(&mut checks, "password", password.expose(), &email);
        }
        let owner = self.owner_email.as_deref() == Some(email.as_str());
        checks.require(membership.is_some() || staff || owner, "tenant_id", "name a tenant, or make them staff");
        checks.finish()?;
        let hash = match &password {
            Some(password) => Some(self.passwords.password_hash(password).await?),
            None => None,
        };
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        if let Some((tenant, _)) = membership
            && !tenant_hold(&mut tx, tenant).await?
        {
            return Err(Error::not_found("tenant", tenant));
        }
        if let Some(caller) = actor.user() {
            accounts::staff_hold(&mut tx).await?;
            may_still(&mut tx, caller, true).await?;
        }
        let staff = staff || owner;
        let new = User { id: UserId::generate(), email, name, staff, email_proven: true };
        let made = store::user_insert(&mut tx, &new, hash.as_deref(), now).await?;
        let user = if made { new } else { existing(&mut tx, &new, password.is_some()).await? };
        let tenant = membership.map(|(tenant, _)| tenant);
        if let Some((tenant, role)) = membership
            && !store::member_insert(&mut tx, tenant, user.id, role.as_str(), now).await?
        {
            return Err(is_member(&user.email));
        }
        let role = membership.map(|(_, role)| role);
        let detail = json!({"email": user.email, "name": user.name, "role": role, "staff": user.staff, "new": made});
        note(&mut tx, now, actor, (tenant, user.id), "user.created", &detail).await?;
        tx.commit().await?;
        Ok((user, made))
    }

    /// Begins a change of a membership: holds its tenant, and finds who it is and what the caller is there, at this moment.
    async fn begin(&self, by: By<'_>, scope: Scope, user: UserId) -> Result<(Tx, Member, Option<Role>)> {
        let mut tx = self.db.begin().await?;
        let tenant = find(tx.conn(), scope, user).await?.tenant;
        let rank = hold(&mut tx, by, tenant).await?;
        let member = find(tx.conn(), Scope::Tenant(tenant), user).await?;
        Ok((tx, member, rank))
    }

    /// Ends all sign-ins of somebody who may not come in anywhere.
    async fn sign_ins_end(&self, tx: &mut Tx, actor: &Actor, user: UserId) -> Result<()> {
        if self.access.may_sign_in(tx.conn(), user).await? {
            return Ok(());
        }
        self.sessions.sessions_end(tx, actor, user, None, Ended::Suspended).await
    }

    async fn changed(&self, tx: &mut Tx, actor: &Actor, before: &Member, after: &Member, name: &str) -> Result<()> {
        let now = self.clock.now();
        store::member_update(tx, after, now).await?;
        if store::owners_count(tx.conn(), after.tenant).await? == 0 && counts(before) {
            return Err(Error::conflict(
                "last_owner",
                "this is the tenant's last owner who is not suspended; make somebody else an owner first",
            ));
        }
        let shown = |member: &Member| json!({"role": member.role, "suspended_at": member.suspended_at});
        let detail = json!({"email": after.email, "before": shown(before), "after": shown(after)});
        note(tx, now, actor, (Some(after.tenant), after.user), name, &detail).await
    }
}

/// Whether it is an owner who comes in.
fn counts(member: &Member) -> bool {
    member.role == Role::Owner && member.suspended_at.is_none() && member.account_suspended_at.is_none()
}

/// The account that has this address already.
async fn existing(tx: &mut Tx, wanted: &User, has_password: bool) -> Result<User> {
    let found = store::user_by_email(tx.conn(), &wanted.email).await?;
    let found = found.ok_or_else(|| Error::internal("an account is there and is not"))?;
    if has_password || (wanted.staff && !found.staff) {
        let text = format!(
            "{} has an account already, which keeps its password and its place; `mpanel user account staff` makes it one of the staff's",
            found.email
        );
        return Err(Error::conflict("user_exists", text));
    }
    if !found.email_proven {
        let text = format!(
            "{} has an account of which nobody has shown that it is theirs who have the address: invite them instead, which \
             they accept once they have signed in",
            found.email
        );
        return Err(Error::conflict("email_unproven", text));
    }
    Ok(found)
}

pub(super) fn is_member(email: &str) -> Error {
    Error::conflict("user_is_member", format!("{email} belongs to this tenant already; change the role instead"))
}

/// Holds the tenant and the caller's account, and says what the caller is there; `None`: staff.
pub(super) async fn hold(tx: &mut Tx, by: By<'_>, tenant: TenantId) -> Result<Option<Role>> {
    if !tenant_hold(tx, tenant).await? {
        return Err(Error::not_found("tenant", tenant));
    }
    if let Some(person) = by.actor.user() {
        user_hold(tx, person).await?;
        may_still(tx, person, by.member.is_none()).await?;
    }
    let Some(caller) = by.member else { return Ok(None) };
    match store::member_get(tx.conn(), tenant, caller).await? {
        Some(member) if member.suspended_at.is_none() => Ok(Some(member.role)),
        _ => Err(Error::Forbidden("you no longer belong to this tenant".to_owned())),
    }
}

/// 403 if the caller's account was suspended, or is not staff's any more where it has to be, since the request was let in. To be called
/// when it is held.
pub(super) async fn may_still(tx: &mut Tx, caller: UserId, as_staff: bool) -> Result<()> {
    let now = principal_get(tx.conn(), caller).await?;
    if now.is_none_or(|now| as_staff && !now.staff) {
        return Err(Error::Forbidden("you may no longer do this: your account was changed meanwhile".to_owned()));
    }
    Ok(())
}

/// 403 unless somebody of this rank may give the role, or take it.
pub(super) fn may_give(rank: Option<Role>, role: Role) -> Result<()> {
    match rank {
        Some(rank) if !rank.may_give(role) => {
            Err(Error::Forbidden(format!("only who is above may decide over {role}: you are {rank} here")))
        }
        _ => Ok(()),
    }
}

pub(super) async fn find(mut conn: Conn<'_>, scope: Scope, user: UserId) -> Result<Member> {
    let Some(tenant) = scope.tenant() else {
        let mut members = store::members_of(conn.again(), user).await?;
        return match (members.pop(), members.pop()) {
            (Some(member), None) => Ok(member),
            (Some(_), Some(_)) => {
                Err(Error::invalid("tenant_id", "this person belongs to several tenants: name the one that you mean"))
            }
            (None, _) => Err(Error::not_found("user", user)),
        };
    };
    store::member_get(conn, tenant, user).await?.ok_or_else(|| Error::not_found("user", user))
}

pub(super) async fn note(
    tx: &mut Tx,
    at: Ms,
    actor: &Actor,
    (tenant, user): (Option<TenantId>, UserId),
    name: &str,
    detail: &serde_json::Value,
) -> Result<()> {
    let record = Record { actor, tenant, action: name, target_kind: "user", target_id: user.to_string() };
    audit_append(tx, at, record, detail).await?;
    event_append(tx, at, Event { tenant, name, subject: user.to_string() }, detail).await
}
