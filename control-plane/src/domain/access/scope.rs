//! Whose data a caller reaches, by the door they come through and the tenant they name.

use super::{Membership, Permissions, Principal, Reach, Role, Standing};
use crate::domain::audit::Scope;
use crate::error::{Error, Result};
use crate::ids::TenantId;

/// Which of the API's prefixes a request goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// `/api/platform/…`: the staff's, all tenants.
    Platform,
    /// `/api/admin/…`: the tenant is named by `?tenant_id=`.
    Admin,
    /// `/api/…`: the tenant is named by the header `X-Tenant-Id`.
    Tenant,
    /// `/api/auth/…`, the API's description: what is one's own, wherever one belongs.
    Own,
}

impl Door {
    /// How a tenant is named there.
    fn field(self) -> &'static str {
        match self {
            Self::Admin => "tenant_id",
            Self::Platform | Self::Tenant | Self::Own => "X-Tenant-Id",
        }
    }
}

/// What the caller reaches. A tenant that they name has to be one of theirs, or for staff any (whether it exists is the caller's
/// to check).
///
/// 401 for whom nothing is left, 403 at a door that is not for them, 404 for a tenant that is not theirs, 422 when they belong to
/// several and name none.
pub fn resolve(principal: &Principal, door: Door, named: Option<TenantId>) -> Result<Reach> {
    let bounds = principal.limit.as_ref();
    let limited = |grant: Permissions| bounds.map_or(grant, |limit| grant.and(limit.permissions));
    // A token of one tenant is never more than its user in that tenant, not even a member of staff's.
    if principal.staff && bounds.is_none_or(|limit| limit.tenant.is_none()) {
        let scope = match (door, named) {
            (Door::Tenant, Some(tenant)) => Scope::Tenant(tenant),
            _ => Scope::Platform,
        };
        return Ok(Reach { scope, grant: limited(Permissions::all()), role: None, suspended: false });
    }
    let own = bounds.and_then(|limit| limit.tenant);
    if let (true, Some(tenant)) = (principal.staff, own) {
        return staff_in(tenant, door, named, limited(Role::Owner.permissions()));
    }
    let theirs: Vec<&Membership> =
        principal.memberships.iter().filter(|one| own.is_none_or(|own| own == one.tenant)).collect();
    let reach = |one: &Membership| Reach {
        scope: Scope::Tenant(one.tenant),
        grant: limited(granted(one)),
        role: Some(one.role),
        suspended: one.standing == Standing::TenantSuspended,
    };
    let active: Vec<&&Membership> = theirs.iter().filter(|one| one.standing != Standing::Suspended).collect();
    if active.is_empty() {
        return Err(shut_out(!theirs.is_empty()));
    }
    if door == Door::Platform {
        return Err(Error::Forbidden("this is for the platform's staff".to_owned()));
    }
    if let Some(named) = named {
        let one = theirs.iter().find(|one| one.tenant == named).ok_or_else(|| Error::not_found("tenant", named))?;
        return match one.standing {
            Standing::Active | Standing::TenantSuspended => Ok(reach(one)),
            Standing::Suspended => Err(shut_out(true)),
        };
    }
    match (active.as_slice(), door) {
        ([one], _) => Ok(reach(one)),
        (several, Door::Own) => {
            let any = several.iter().fold(Permissions::NONE, |all, one| all.or(granted(one)));
            Ok(Reach { scope: Scope::NOBODY, grant: limited(any), role: None, suspended: false })
        }
        (several, _) => {
            let ids: Vec<_> = several.iter().map(|one| one.tenant.to_string()).collect();
            Err(Error::invalid(door.field(), format!("you belong to several tenants: name one of {}", ids.join(", "))))
        }
    }
}

/// A token that a member of staff made for one tenant.
fn staff_in(tenant: TenantId, door: Door, named: Option<TenantId>, grant: Permissions) -> Result<Reach> {
    if door == Door::Platform {
        return Err(Error::Forbidden("this token is for one tenant, and this is the platform's".to_owned()));
    }
    match named {
        Some(other) if other != tenant => Err(Error::not_found("tenant", other)),
        _ => Ok(Reach { scope: Scope::Tenant(tenant), grant, role: Some(Role::Owner), suspended: false }),
    }
}

/// What somebody may do by a membership that counts.
fn granted(one: &Membership) -> Permissions {
    let all = one.role.permissions();
    if one.standing == Standing::TenantSuspended { all.reading() } else { all }
}

fn shut_out(belongs: bool) -> Error {
    let text = if belongs {
        "your access to this tenant is suspended; ask one of its owners"
    } else {
        "you do not belong to any tenant; ask to be invited to one"
    };
    Error::Unauthorized(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Limit, Permission};
    use super::*;
    use crate::clock::Ms;
    use crate::ids::{TokenId, UserId};

    fn tenant(n: u128) -> TenantId {
        TenantId(uuid::Uuid::from_u128(n))
    }

    fn who(staff: bool, memberships: &[(u128, Role, Standing)]) -> Principal {
        let memberships =
            memberships.iter().map(|&(n, role, standing)| Membership { tenant: tenant(n), role, standing }).collect();
        Principal { user: UserId::generate(), staff, memberships, limit: None }
    }

    /// What comes of it, in a word.
    fn check(principal: &Principal, door: Door, named: Option<u128>) -> String {
        match resolve(principal, door, named.map(tenant)) {
            Ok(Reach { scope: Scope::Platform, .. }) => "all".to_owned(),
            Ok(Reach { scope: Scope::NOBODY, .. }) => "own".to_owned(),
            Ok(Reach { scope: Scope::Tenant(id), role, suspended, grant: _ }) => {
                let reads = if suspended { " reads" } else { "" };
                format!("{} {}{reads}", id.0.as_u128(), role.map_or("staff", Role::as_str))
            }
            Err(error) => error.code().to_owned(),
        }
    }

    #[test]
    fn each_door_leads_where_it_says() {
        use Door::{Admin, Own, Platform, Tenant};
        use Standing::{Active, Suspended, TenantSuspended};
        let one = who(false, &[(1, Role::Owner, Active)]);
        let two = who(false, &[(1, Role::Owner, Active), (2, Role::Member, Active)]);
        let half = who(false, &[(1, Role::Owner, Suspended), (2, Role::Member, Active)]);
        let out = who(false, &[(1, Role::Owner, Suspended)]);
        let shut = who(false, &[(1, Role::Owner, TenantSuspended)]);
        let nobody = who(false, &[]);
        let staff = who(true, &[(1, Role::Member, Active)]);
        for (principal, door, named, expected) in [
            (&one, Platform, None, "forbidden"),
            (&one, Platform, Some(1), "forbidden"),
            (&one, Admin, None, "1 OWNER"),
            (&one, Admin, Some(1), "1 OWNER"),
            (&one, Admin, Some(2), "not_found"),
            (&one, Tenant, None, "1 OWNER"),
            (&one, Own, None, "1 OWNER"),
            (&two, Admin, None, "invalid"),
            (&two, Tenant, None, "invalid"),
            (&two, Tenant, Some(2), "2 MEMBER"),
            (&two, Own, None, "own"),
            (&half, Tenant, None, "2 MEMBER"),
            (&half, Tenant, Some(1), "unauthorized"),
            (&out, Tenant, None, "unauthorized"),
            (&out, Own, None, "unauthorized"),
            (&shut, Admin, Some(1), "1 OWNER reads"),
            (&shut, Tenant, None, "1 OWNER reads"),
            (&shut, Platform, None, "forbidden"),
            (&nobody, Own, None, "unauthorized"),
            (&nobody, Platform, None, "unauthorized"),
            (&out, Platform, None, "unauthorized"),
            (&out, Admin, Some(2), "unauthorized"),
            (&staff, Platform, None, "all"),
            (&staff, Admin, Some(2), "all"),
            (&staff, Tenant, None, "all"),
            (&staff, Tenant, Some(2), "2 staff"),
        ] {
            assert_eq!(check(principal, door, named), expected, "{principal:?} {door:?} {named:?}");
        }
    }

    #[test]
    fn the_people_of_a_suspended_tenant_read_and_keep_their_accounts() {
        let shut = who(false, &[(1, Role::Owner, Standing::TenantSuspended)]);
        let grant = resolve(&shut, Door::Tenant, None).unwrap().grant;
        for (permission, has) in [
            (Permission::CloudpodsRead, true),
            (Permission::AuditRead, true),
            (Permission::AccountWrite, true),
            (Permission::TokensWrite, true),
            (Permission::CloudpodsWrite, false),
            (Permission::UsersWrite, false),
            (Permission::TokensManage, false),
            (Permission::ServersRead, false),
        ] {
            assert_eq!(grant.has(permission), has, "{permission}");
        }
    }

    #[test]
    fn a_token_leaves_of_its_user_s_rights_what_it_names() {
        let limit = |tenant: Option<TenantId>| {
            let permissions = [Permission::CloudpodsRead, Permission::ServersRead].into_iter().collect();
            Some(Limit { token: TokenId::generate(), tenant, permissions, expires_at: Ms(1) })
        };
        let mut two = who(false, &[(1, Role::Owner, Standing::Active), (2, Role::Member, Standing::Active)]);
        two.limit = limit(Some(tenant(1)));
        assert_eq!(check(&two, Door::Tenant, None), "1 OWNER");
        assert_eq!(check(&two, Door::Tenant, Some(2)), "not_found");
        let reach = resolve(&two, Door::Tenant, None).unwrap();
        assert!(reach.grant.has(Permission::CloudpodsRead) && !reach.grant.has(Permission::CloudpodsWrite));
        assert!(!reach.grant.has(Permission::ServersRead), "a token never gives what its user lacks");
        let mut staff = who(true, &[]);
        staff.limit = limit(Some(tenant(1)));
        assert_eq!(check(&staff, Door::Platform, None), "forbidden");
        assert_eq!(check(&staff, Door::Admin, Some(2)), "not_found");
        assert!(!resolve(&staff, Door::Admin, None).unwrap().grant.has(Permission::ServersRead));
        staff.limit = limit(None);
        let reach = resolve(&staff, Door::Platform, None).unwrap();
        assert!(reach.grant.has(Permission::ServersRead) && !reach.grant.has(Permission::ServersWrite));
    }
}
