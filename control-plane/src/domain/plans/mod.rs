//! Plans: sizes and prices that pods are sold in. A pod keeps its size when its plan changes later.

pub mod routes;
pub mod service;
mod store;

use crate::clock::Ms;
use crate::ids::PlanId;

/// A size and a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Unique among the plans there are.
    pub name: String,
    /// What is sold.
    pub terms: Terms,
    /// Whether new pods may be made of it.
    pub active: bool,
    /// Raised by every change.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
    /// When it was last changed.
    pub updated_at: Ms,
}

/// What a plan sells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Disk in GiB.
    pub disk_gib: u64,
    /// Traffic a month in GiB; `None`: not limited.
    pub traffic_gib: Option<u64>,
    /// Price a month, in minor units of the currency (cents).
    pub price_minor: u64,
    /// ISO 4217, such as EUR.
    pub currency: String,
}

/// A plan to be made.
#[derive(Clone, Debug)]
pub struct PlanCreate {
    /// Unique.
    pub name: String,
    /// What it sells.
    pub terms: Terms,
    /// Whether new pods may be made of it.
    pub active: bool,
}

/// A change of a plan; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct PlanPatch {
    /// A new name.
    pub name: Option<String>,
    /// Virtual CPUs.
    pub vcpu: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u64>,
    /// Disk in GiB.
    pub disk_gib: Option<u64>,
    /// Traffic a month in GiB; `Some(None)`: not limited.
    pub traffic_gib: Option<Option<u64>>,
    /// Price a month, in minor units.
    pub price_minor: Option<u64>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Whether new pods may be made of it.
    pub active: Option<bool>,
}
