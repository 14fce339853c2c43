//! Tenants: hosting companies' customer accounts, the boundary of all customer data.
//!
//! Whatever gives a tenant more, a pod, a larger one, an address, a snapshot, a backup, first holds the tenant's row
//! ([`quotas::hold`]) and counts under it what there is; so no interleaving exceeds a quota, and no pod comes into a tenant that is
//! just being suspended. The tenant is held before its pods, and by jobs after the job's own row.

pub mod quotas;
pub mod routes;
pub mod service;
mod store;

use serde::Serialize;

use crate::clock::Ms;
use crate::domain::sort::AgeOrName;
use crate::ids::TenantId;

/// The code of what a suspended tenant is refused.
pub const SUSPENDED: &str = "tenant_suspended";

/// A customer account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Unique.
    pub name: String,
    /// Whom to write to; `None`: its owners.
    pub contact_email: Option<String>,
    /// Where pods go that name neither a region nor a server; `None`: anywhere.
    pub default_region: Option<String>,
    /// Why and since when its people may only read; `None`: they may do what their roles say.
    pub suspension: Option<TenantSuspension>,
    /// Raised by every change, of its quotas too.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
    /// When it last changed.
    pub updated_at: Ms,
}

/// Why and since when a tenant is suspended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TenantSuspension {
    /// In the words of whoever suspended it.
    pub reason: String,
    /// Since when.
    pub since: Ms,
}

/// A tenant to be made.
#[derive(Clone, Debug, Default)]
pub struct TenantCreate {
    /// 1 to 100 characters, unique.
    pub name: String,
    /// Whom to write to.
    pub contact_email: Option<String>,
    /// Where pods go that name neither a region nor a server.
    pub default_region: Option<String>,
    /// How much it may use.
    pub limits: quotas::Limits,
}

/// A change of a tenant; what is `None` stays, `Some(None)` takes it away.
#[derive(Clone, Debug, Default)]
pub struct TenantPatch {
    /// Another name.
    pub name: Option<String>,
    /// Whom to write to.
    pub contact_email: Option<Option<String>>,
    /// Where pods go that name neither a region nor a server.
    pub default_region: Option<Option<String>>,
}

/// Which tenants to list.
#[derive(Clone, Debug, Default)]
pub struct TenantFilter {
    /// Suspended or not.
    pub suspended: Option<bool>,
    /// Whose name begins so.
    pub name_prefix: Option<String>,
    /// Only these, for who belongs to several.
    pub among: Option<Vec<TenantId>>,
    /// In this order; `None`: the oldest first.
    pub sort: Option<AgeOrName>,
}

/// Where a page of tenants ends: by name or by id, as it is sorted.
pub type TenantKey = (String, TenantId);
