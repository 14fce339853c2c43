//! The rows of people, their memberships and invitations.

use super::{Invitation, Member, MemberFilter, MemberKey, MemberSort, User};
use crate::clock::Ms;
use crate::db::{Conn, Tx, Window};
use crate::error::{Error, Result};
use crate::ids::{InvitationId, TenantId, UserId};
use crate::{execute, fetch_all, fetch_one, fetch_optional};

#[derive(sqlx::FromRow)]
struct MemberRow {
    user_id: UserId,
    tenant_id: TenantId,
    tenant_name: String,
    email: String,
    name: String,
    role: String,
    suspended_at: Option<Ms>,
    account_suspended_at: Option<Ms>,
    last_sign_in_at: Option<Ms>,
    version: i64,
    created_at: Ms,
}

impl TryFrom<MemberRow> for Member {
    type Error = Error;

    fn try_from(row: MemberRow) -> Result<Self> {
        let MemberRow {
            user_id: user,
            tenant_id: tenant,
            tenant_name,
            email,
            name,
            role,
            suspended_at,
            account_suspended_at,
            last_sign_in_at,
            version,
            created_at: joined_at,
        } = row;
        let role = role.parse()?;
        Ok(Self {
            user,
            tenant,
            tenant_name,
            email,
            name,
            role,
            suspended_at,
            account_suspended_at,
            last_sign_in_at,
            version,
            joined_at,
        })
    }
}

macro_rules! members {
    ($rest:literal) => {
        concat!(
            "SELECT m.user_id, m.tenant_id, t.name AS tenant_name, u.email, u.name, m.role, m.suspended_at,
                    u.suspended_at AS account_suspended_at, u.last_sign_in_at, m.version, m.created_at
             FROM memberships m JOIN users u ON u.id = m.user_id JOIN tenants t ON t.id = m.tenant_id WHERE ",
            $rest
        )
    };
}

macro_rules! filtered {
    ($scope:literal, $after:literal, $order:literal) => {
        concat!(
            members!(""),
            $scope,
            " AND ($2 IS NULL OR m.role = $2)
              AND ($3 IS NULL OR (m.suspended_at IS NOT NULL) = $3)
              AND ($4 IS NULL OR substr(u.email, 1, length($4)) = $4)
              AND ($9 IS NULL OR substr(u.name, 1, length($9)) = $9)
              AND ($5 IS NULL OR ",
            $after,
            ") ORDER BY ",
            $order,
            " LIMIT $7"
        )
    };
}

/// The texts of one order: of one tenant, and of all.
macro_rules! ordered {
    ($tenant:expr, $after:literal, $order:literal) => {
        if $tenant.is_some() {
            filtered!("m.tenant_id = $1", $after, $order)
        } else {
            filtered!("$1 IS NULL", $after, $order)
        }
    };
}

pub(super) async fn member_get(conn: Conn<'_>, tenant: TenantId, user: UserId) -> Result<Option<Member>> {
    const SQL: &str = members!("m.tenant_id = $1 AND m.user_id = $2");
    fetch_optional!(conn, MemberRow, SQL, tenant, user)?.map(Member::try_from).transpose()
}

/// What a person is, wherever they belong; two at most, which is enough to tell one from several.
pub(super) async fn members_of(conn: Conn<'_>, user: UserId) -> Result<Vec<Member>> {
    const SQL: &str = members!("m.user_id = $1 ORDER BY m.tenant_id LIMIT 2");
    fetch_all!(conn, MemberRow, SQL, user)?.into_iter().map(Member::try_from).collect()
}

pub(super) async fn member_list(
    conn: Conn<'_>,
    tenant: Option<TenantId>,
    filter: &MemberFilter,
    window: Window<MemberKey>,
) -> Result<Vec<Member>> {
    let MemberFilter { role, suspended, email_prefix, name_prefix, sort } = filter;
    // An address is one person's, so that nothing else is between two of the same.
    let sql = match sort {
        MemberSort::Oldest => {
            ordered!(tenant, "$8 IS NULL OR (m.user_id, m.tenant_id) > ($5, $6)", "m.user_id, m.tenant_id")
        }
        MemberSort::Newest => {
            ordered!(tenant, "$8 IS NULL OR (m.user_id, m.tenant_id) < ($5, $6)", "m.user_id DESC, m.tenant_id DESC")
        }
        MemberSort::Email => {
            ordered!(tenant, "u.email >= $8 AND (u.email, m.tenant_id) > ($8, $6)", "u.email, m.tenant_id")
        }
        MemberSort::EmailBackwards => {
            ordered!(tenant, "u.email <= $8 AND (u.email, m.tenant_id) < ($8, $6)", "u.email DESC, m.tenant_id DESC")
        }
    };
    let (role, email, name) =
        (role.map(crate::domain::access::Role::as_str), email_prefix.as_deref(), name_prefix.as_deref());
    let Window { limit, after } = window;
    let (key, user, other) = match after {
        Some((key, user, other)) => (Some(key), Some(user), Some(other)),
        None => (None, None, None),
    };
    let rows = fetch_all!(conn, MemberRow, sql, tenant, role, *suspended, email, user, other, limit, key, name)?;
    rows.into_iter().map(Member::try_from).collect()
}

/// How many owners come in.
pub(super) async fn owners_count(conn: Conn<'_>, tenant: TenantId) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM memberships m JOIN users u ON u.id = m.user_id
                       WHERE m.tenant_id = $1 AND m.role = 'OWNER' AND m.suspended_at IS NULL AND u.suspended_at IS NULL";
    let (count,): (i64,) = fetch_one!(conn, (i64,), SQL, tenant)?;
    Ok(count)
}

/// Makes somebody a member; `false`: they are one.
pub(super) async fn member_insert(tx: &mut Tx, tenant: TenantId, user: UserId, role: &str, at: Ms) -> Result<bool> {
    const SQL: &str = "INSERT INTO memberships (tenant_id, user_id, role, version, created_at, updated_at)
                       VALUES ($1, $2, $3, 1, $4, $4) ON CONFLICT DO NOTHING";
    Ok(execute!(tx.conn(), SQL, tenant, user, role, at)? == 1)
}

/// Writes role and suspension, if the membership is still of the version before.
pub(super) async fn member_update(tx: &mut Tx, member: &Member, at: Ms) -> Result<()> {
    const SQL: &str = "UPDATE memberships SET role = $1, suspended_at = $2, version = $3, updated_at = $4
                       WHERE tenant_id = $5 AND user_id = $6 AND version = $3 - 1";
    let (user, tenant, role, suspended_at, version) =
        (&member.user, &member.tenant, member.role, &member.suspended_at, &member.version);
    let written = execute!(tx.conn(), SQL, role.as_str(), *suspended_at, *version, at, *tenant, *user)?;
    if written == 1 { Ok(()) } else { Err(Error::Stale) }
}

#[derive(sqlx::FromRow)]
struct UserRow {
    id: UserId,
    email: String,
    name: String,
    platform_role: Option<String>,
    email_proven_at: Option<Ms>,
}

impl From<UserRow> for User {
    fn from(UserRow { id, email, name, platform_role, email_proven_at }: UserRow) -> Self {
        Self { id, email, name, staff: platform_role.is_some(), email_proven: email_proven_at.is_some() }
    }
}

pub(super) async fn user_by_email(conn: Conn<'_>, email: &str) -> Result<Option<User>> {
    const SQL: &str = "SELECT id, email, name, platform_role, email_proven_at FROM users WHERE email = $1";
    Ok(fetch_optional!(conn, UserRow, SQL, email)?.map(User::from))
}

/// Makes an account; `false`: somebody has this address.
pub(super) async fn user_insert(tx: &mut Tx, user: &User, password_hash: Option<&str>, at: Ms) -> Result<bool> {
    const SQL: &str =
        "INSERT INTO users (id, email, name, password_hash, password_changed_at, platform_role, email_proven_at, version,
                            created_at, updated_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8) ON CONFLICT DO NOTHING";
    let User { id, email, name, staff, email_proven } = user;
    let (changed_at, proven_at) = (password_hash.map(|_| at), email_proven.then_some(at));
    let platform_role = staff.then_some("PLATFORM_ADMIN");
    let (email, name) = (email.as_str(), name.as_str());
    Ok(execute!(tx.conn(), SQL, *id, email, name, password_hash, changed_at, platform_role, proven_at, at)? == 1)
}

#[derive(sqlx::FromRow)]
struct InvitationRow {
    id: InvitationId,
    tenant_id: TenantId,
    email: String,
    role: String,
    invited_by: String,
    inviter: Option<UserId>,
    mailed: bool,
    created_at: Ms,
    expires_at: Ms,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = Error;

    fn try_from(row: InvitationRow) -> Result<Self> {
        let InvitationRow { id, tenant_id, email, role, invited_by, inviter, mailed, created_at, expires_at } = row;
        let (tenant, role) = (tenant_id, role.parse()?);
        Ok(Self { id, tenant, email, role, invited_by, inviter, mailed, created_at, expires_at })
    }
}

macro_rules! invitations {
    ($rest:literal) => {
        concat!(
            "SELECT id, tenant_id, email, role, invited_by, inviter, mailed, created_at, expires_at FROM invitations
             WHERE accepted_at IS NULL AND revoked_at IS NULL AND ",
            $rest
        )
    };
}

pub(super) async fn invitation_insert(tx: &mut Tx, invitation: &Invitation, secret_hash: &[u8]) -> Result<()> {
    const SQL: &str =
        "INSERT INTO invitations (id, tenant_id, email, role, secret_hash, invited_by, inviter, mailed, created_at, expires_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let Invitation { id, tenant, email, role, invited_by, inviter, mailed, created_at, expires_at } = invitation;
    let (email, role, by) = (email.as_str(), role.as_str(), invited_by.as_str());
    let at = (*created_at, *expires_at);
    execute!(tx.conn(), SQL, *id, *tenant, email, role, secret_hash, by, *inviter, *mailed, at.0, at.1)?;
    Ok(())
}

/// The open invitation with this secret.
pub(super) async fn invitation_shown(
    conn: Conn<'_>,
    id: InvitationId,
    secret_hash: &[u8],
) -> Result<Option<Invitation>> {
    const SQL: &str = invitations!("id = $1 AND secret_hash = $2");
    fetch_optional!(conn, InvitationRow, SQL, id, secret_hash)?.map(Invitation::try_from).transpose()
}

pub(super) async fn invitation_get(
    conn: Conn<'_>,
    tenant: Option<TenantId>,
    id: InvitationId,
) -> Result<Option<Invitation>> {
    const SQL: &str = invitations!("id = $1 AND ($2 IS NULL OR tenant_id = $2)");
    fetch_optional!(conn, InvitationRow, SQL, id, tenant)?.map(Invitation::try_from).transpose()
}

/// Open invitations that have not expired.
pub(super) async fn invitation_list(
    conn: Conn<'_>,
    tenant: Option<TenantId>,
    now: Ms,
    window: Window<InvitationId>,
) -> Result<Vec<Invitation>> {
    const SQL: &str = invitations!(
        "($1 IS NULL OR tenant_id = $1) AND expires_at > $2 AND ($3 IS NULL OR id > $3) ORDER BY id LIMIT $4"
    );
    let Window { limit, after } = window;
    let rows = fetch_all!(conn, InvitationRow, SQL, tenant, now, after, limit)?;
    rows.into_iter().map(Invitation::try_from).collect()
}

/// How many invitations of a tenant are open.
pub(super) async fn invitations_count(conn: Conn<'_>, tenant: TenantId, now: Ms) -> Result<i64> {
    const SQL: &str = "SELECT COUNT(*) FROM invitations
                       WHERE tenant_id = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > $2";
    let (count,): (i64,) = fetch_one!(conn, (i64,), SQL, tenant, now)?;
    Ok(count)
}

/// Ends the open invitation of this address, if there is one.
pub(super) async fn invitation_replace(tx: &mut Tx, tenant: TenantId, email: &str, at: Ms) -> Result<u64> {
    const SQL: &str = "UPDATE invitations SET revoked_at = $1
                       WHERE tenant_id = $2 AND email = $3 AND accepted_at IS NULL AND revoked_at IS NULL";
    Ok(execute!(tx.conn(), SQL, at, tenant, email)?)
}

/// `false`: it was accepted or revoked meanwhile.
pub(super) async fn invitation_revoke(tx: &mut Tx, id: InvitationId, at: Ms) -> Result<bool> {
    const SQL: &str =
        "UPDATE invitations SET revoked_at = $1 WHERE id = $2 AND accepted_at IS NULL AND revoked_at IS NULL";
    Ok(execute!(tx.conn(), SQL, at, id)? == 1)
}

/// Ends the open invitations to this role that a member of the tenant made; which.
pub(super) async fn invitations_end(
    tx: &mut Tx,
    (tenant, inviter): (TenantId, UserId),
    role: &str,
    at: Ms,
) -> Result<Vec<Invitation>> {
    const SQL: &str = "UPDATE invitations SET revoked_at = $1
                       WHERE tenant_id = $2 AND inviter = $3 AND role = $4 AND accepted_at IS NULL AND revoked_at IS NULL
                       RETURNING id, tenant_id, email, role, invited_by, inviter, mailed, created_at, expires_at";
    let rows = fetch_all!(tx.conn(), InvitationRow, SQL, at, tenant, inviter, role)?;
    rows.into_iter().map(Invitation::try_from).collect()
}

/// Ends all open invitations that somebody made; which.
pub(super) async fn invitations_of_user_end(tx: &mut Tx, inviter: UserId, at: Ms) -> Result<Vec<Invitation>> {
    const SQL: &str = "UPDATE invitations SET revoked_at = $1
                       WHERE inviter = $2 AND accepted_at IS NULL AND revoked_at IS NULL
                       RETURNING id, tenant_id, email, role, invited_by, inviter, mailed, created_at, expires_at";
    fetch_all!(tx.conn(), InvitationRow, SQL, at, inviter)?.into_iter().map(Invitation::try_from).collect()
}

/// Deletes up to `limit` invitations that ended before `before`; how many.
pub(super) async fn invitations_prune(tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
    const SQL: &str = "DELETE FROM invitations WHERE id IN (
                           SELECT id FROM invitations WHERE COALESCE(accepted_at, revoked_at, expires_at) < $1
                           ORDER BY COALESCE(accepted_at, revoked_at, expires_at) LIMIT $2)";
    Ok(execute!(tx.conn(), SQL, before, i64::from(limit))?)
}

/// `false`: it was accepted or revoked meanwhile.
pub(super) async fn invitation_accept(tx: &mut Tx, id: InvitationId, at: Ms) -> Result<bool> {
    const SQL: &str =
        "UPDATE invitations SET accepted_at = $1 WHERE id = $2 AND accepted_at IS NULL AND revoked_at IS NULL";
    Ok(execute!(tx.conn(), SQL, at, id)? == 1)
}
