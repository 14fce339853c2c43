//! Who may do what: the permissions, the roles as sets of them, and whose data a caller reaches. All of it is decided here, in
//! one table; a handler only names the permission that it needs.

mod scope;
pub mod service;
mod store;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::clock::Ms;
use crate::domain::audit::Scope;
use crate::error::Error;
use crate::ids::{TenantId, TokenId, UserId};

pub use scope::{Door, resolve};

/// What somebody is in a tenant. The order is the rank: nobody gives away more than they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Works with the pods.
    Member,
    /// Sees who is there and what it costs.
    Billing,
    /// Runs the tenant, and does not decide whose it is.
    Admin,
    /// Whose it is. There is always one.
    Owner,
}

impl Role {
    /// All, the lowest first.
    pub const ALL: [Self; 4] = [Self::Member, Self::Billing, Self::Admin, Self::Owner];

    /// As the database and the API write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "MEMBER",
            Self::Billing => "BILLING",
            Self::Admin => "ADMIN",
            Self::Owner => "OWNER",
        }
    }

    /// What a member of this role may do.
    #[must_use]
    pub fn permissions(self) -> Permissions {
        let mut all = Permissions::NONE;
        for permission in Permission::ALL {
            if permission.roles().contains(&self) {
                all = all.with(*permission);
            }
        }
        all
    }

    /// Whether somebody of this role may give `other` to somebody, or take it: an owner may with all, an admin with what is
    /// not above an admin.
    #[must_use]
    pub fn may_give(self, other: Self) -> bool {
        self >= Self::Admin && other <= self
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| Error::internal(format!("no such role: {text}")))
    }
}

macro_rules! permissions {
    ($($(#[$doc:meta])* $name:ident $text:literal [$($role:ident)*]),+ $(,)?) => {
        /// Something that a caller has to be allowed to do, `module:read`, `module:write` or `module:manage`. `read` shows,
        /// `write` changes one's own, `manage` decides over others' or over what costs them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Permission {
            $($(#[$doc])* #[serde(rename = $text)] $name),+
        }

        impl Permission {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As the API writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// The roles of a tenant that have it. None: the platform's staff alone.
            #[must_use]
            pub fn roles(self) -> &'static [Role] {
                match self {
                    $(Self::$name => &[$(Role::$role),*]),+
                }
            }
        }
    };
}

// The table: each permission, and the roles of a tenant that have it. The platform's staff have all.
permissions! {
    /// One's own account, sign-ins and second factor.
    AccountRead "account:read" [Owner Admin Billing Member],
    /// Change one's own account: password, second factor, sign-ins.
    AccountWrite "account:write" [Owner Admin Billing Member],
    /// One's own API tokens.
    TokensRead "tokens:read" [Owner Admin Billing Member],
    /// Make and revoke one's own API tokens.
    TokensWrite "tokens:write" [Owner Admin Billing Member],
    /// Everybody's API tokens in the tenant.
    TokensManage "tokens:manage" [Owner Admin],
    /// The people of the tenant.
    UsersRead "users:read" [Owner Admin Billing],
    /// Invite people, change their roles, suspend them.
    UsersWrite "users:write" [Owner Admin],
    /// Make people without an invitation, and staff.
    UsersManage "users:manage" [],
    /// The tenant itself.
    TenantsRead "tenants:read" [Owner Admin Billing],
    /// The tenant's settings.
    TenantsWrite "tenants:write" [Owner Admin],
    /// Make and suspend tenants, and set their quotas.
    TenantsManage "tenants:manage" [],
    /// All customers and their revenue.
    CustomersRead "customers:read" [],
    /// Customers' profiles.
    CustomersWrite "customers:write" [],
    /// Who did what.
    AuditRead "audit:read" [Owner Admin],
    /// Whether the audit is whole.
    AuditManage "audit:manage" [],
    /// What happens, as it happens.
    EventsRead "events:read" [Owner Admin Billing Member],
    /// Where events are sent.
    WebhooksRead "webhooks:read" [Owner Admin],
    /// Decide where events are sent.
    WebhooksWrite "webhooks:write" [Owner Admin],
    /// Pods, their snapshots, backups and traffic.
    CloudpodsRead "cloudpods:read" [Owner Admin Billing Member],
    /// Make, change, use and delete pods, their consoles included.
    CloudpodsWrite "cloudpods:write" [Owner Admin Member],
    /// What the provider does with pods: suspend, move, adopt.
    CloudpodsManage "cloudpods:manage" [],
    /// Jobs and their logs.
    ProvisioningRead "provisioning:read" [Owner Admin Member],
    /// Retry and cancel jobs.
    ProvisioningWrite "provisioning:write" [Owner Admin Member],
    /// The queue of all.
    ProvisioningManage "provisioning:manage" [],
    /// Hosts.
    ServersRead "servers:read" [],
    /// Register, change and drain hosts.
    ServersWrite "servers:write" [],
    /// Declare hosts lost.
    ServersManage "servers:manage" [],
    /// Sizes and prices, as the platform keeps them.
    PlansRead "plans:read" [],
    /// Change sizes and prices.
    PlansWrite "plans:write" [],
    /// Templates, as the platform keeps them.
    ImagesRead "images:read" [],
    /// Change templates.
    ImagesWrite "images:write" [],
    /// Ranges of addresses.
    IpPoolsRead "ip_pools:read" [],
    /// Change ranges of addresses.
    IpPoolsWrite "ip_pools:write" [],
    /// Where hosts differ from the books.
    DriftRead "drift:read" [],
    /// Decide what becomes of a difference.
    DriftWrite "drift:write" [],
    /// Whether the books are right.
    InvariantsRead "invariants:read" [],
    /// What the process counts.
    MetricsRead "metrics:read" [],
    /// The API's description.
    OpenapiRead "openapi:read" [Owner Admin Billing Member],
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl utoipa::PartialSchema for Permission {
    fn schema() -> RefOr<Schema> {
        let names = Self::ALL.iter().map(|permission| permission.as_str());
        let about = "Something that a caller has to be allowed to do: `module:read`, `module:write` or `module:manage`";
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).description(Some(about)).build().into()
    }
}

impl utoipa::ToSchema for Permission {}

/// The name of the platform's one token.
pub const BOOTSTRAP: &str = "bootstrap";

/// A set of permissions; as JSON a list of their names.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u64);

// One bit each.
const _: () = assert!(Permission::ALL.len() <= 64);

impl Permissions {
    /// None at all.
    pub const NONE: Self = Self(0);

    /// Every one: the platform's staff.
    #[must_use]
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// These and one more.
    #[must_use]
    pub fn with(self, permission: Permission) -> Self {
        Self(self.0 | 1 << permission as u32)
    }

    /// Those of them that change nothing but one's own account and API tokens, so that one that has leaked can be revoked: what is left
    /// to the people of a suspended tenant. A token that they make has no more.
    #[must_use]
    pub fn reading(self) -> Self {
        let own = [Permission::AccountWrite, Permission::TokensWrite];
        self.iter().filter(|permission| permission.as_str().ends_with(":read") || own.contains(permission)).collect()
    }

    /// Whether it is among them.
    #[must_use]
    pub fn has(self, permission: Permission) -> bool {
        self.0 & 1 << permission as u32 != 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that `other` lacks.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// One bit each, to compare by.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }

    /// Each of them, in the order of the table.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::as_str)).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// What somebody is in one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The tenant.
    pub tenant: TenantId,
    /// What they are there.
    pub role: Role,
    /// Whether they may come in.
    pub standing: Standing,
}

/// Whether a membership counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Active,
    /// It is suspended.
    Suspended,
    /// Its tenant is: it counts for reading.
    TenantSuspended,
}

/// Somebody who has proven who they are, and what may follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who.
    pub user: UserId,
    /// Whether they are of the platform's staff.
    pub staff: bool,
    /// Where they belong.
    pub memberships: Vec<Membership>,
    /// What the API token that they show leaves of it; `None`: they signed in.
    pub limit: Option<Limit>,
}

/// What an API token leaves of its user's rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The token.
    pub token: TokenId,
    /// Only in this tenant; `None`: for a member of staff, everywhere.
    pub tenant: Option<TenantId>,
    /// Only these.
    pub permissions: Permissions,
    /// Until then.
    pub expires_at: Ms,
}

/// What a caller reaches: whose data, and what they may do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Whose data.
    pub scope: Scope,
    /// What they may do.
    pub grant: Permissions,
    /// What they are in that tenant; `None`: staff, who are above all roles.
    pub role: Option<Role>,
    /// Whether the tenant is suspended, so that they may only read.
    pub suspended: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_a_module_and_a_verb_and_is_read_as_it_is_written() {
        for permission in Permission::ALL {
            let (module, verb) = permission.as_str().split_once(':').unwrap();
            assert!(!module.is_empty() && ["read", "write", "manage"].contains(&verb), "{permission}");
            let text = serde_json::to_string(permission).unwrap();
            assert_eq!(text, format!("\"{permission}\""));
            assert_eq!(serde_json::from_str::<Permission>(&text).unwrap(), *permission);
        }
    }

    #[test]
    fn an_owner_has_all_that_any_role_has_and_an_admin_all_but_an_owner_s() {
        let owner = Role::Owner.permissions();
        for role in Role::ALL {
            assert_eq!(role.permissions().without(owner), Permissions::NONE, "{role}");
            assert_eq!(role.to_string().parse::<Role>().unwrap(), role);
        }
        assert!(!owner.has(Permission::ServersRead) && Permissions::all().has(Permission::ServersRead));
        assert!(Role::Owner.may_give(Role::Owner) && !Role::Admin.may_give(Role::Owner));
        assert!(Role::Admin.may_give(Role::Admin) && !Role::Billing.may_give(Role::Member));
    }
}
