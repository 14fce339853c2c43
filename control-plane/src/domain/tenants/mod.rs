//! Tenants: hosting companies' customer accounts, the boundary of all customer data.

pub mod routes;
pub mod service;
mod store;

use crate::clock::Ms;
use crate::ids::TenantId;

/// A customer account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Unique.
    pub name: String,
    /// When it was made.
    pub created_at: Ms,
}
