//! Customers: tenants as the platform sees them. Who they are, what they bring, and how they are doing.
//!
//! Orders and subscriptions are only read here. Amounts are in minor units of a currency, integers throughout: nothing is converted, so
//! that there is one sum for each currency.

pub mod health;
pub mod routes;
pub mod service;
mod store;

use serde::{Deserialize, Serialize};

use crate::clock::Ms;
use crate::domain::cloudpods::Detail;
use crate::domain::sort::AgeOrName;
use crate::domain::tenants::TenantSuspension;
use crate::domain::tenants::quotas::Quotas;
use crate::domain::users::Member;
use crate::ids::{CloudPodId, OrderId, PlanId, SubscriptionId, TenantId};
use health::Health;

/// An amount of money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Money {
    /// ISO 4217.
    pub currency: String,
    /// In minor units of the currency (cents).
    pub amount_minor: u64,
}

/// What the platform knows of a tenant as its customer; empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// As it signs.
    pub company: String,
    /// Whom to ask for.
    pub contact: String,
    /// Their number.
    pub phone: String,
    /// For letters and invoices.
    pub address: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// For invoices.
    pub tax_number: String,
    /// For the platform's people alone.
    pub note: String,
}

/// A tenant and its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
    /// Whom to write to.
    pub contact_email: Option<String>,
    /// Why and since when it is suspended.
    pub suspension: Option<TenantSuspension>,
    /// When the tenant was made.
    pub created_at: Ms,
    /// What else is known.
    pub profile: Profile,
    /// Raised by every change of the profile; 0: there is none.
    pub version: i64,
}

/// A change of a profile; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct ProfilePatch {
    /// As it signs.
    pub company: Option<String>,
    /// Whom to ask for.
    pub contact: Option<String>,
    /// Their number.
    pub phone: Option<String>,
    /// For letters and invoices.
    pub address: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// For invoices.
    pub tax_number: Option<String>,
    /// For the platform's people alone.
    pub note: Option<String>,
}

/// Which customers to list.
#[derive(Clone, Debug, Default)]
pub struct CustomerFilter {
    /// Whose name, company, contact or address of mail holds this, in any case.
    pub search: Option<String>,
    /// Suspended or not.
    pub suspended: Option<bool>,
    /// With an order that is open beyond its time, or without.
    pub overdue: Option<bool>,
    /// In this order; `None`: the newest first.
    pub sort: Option<AgeOrName>,
}

/// Where a page of customers ends: by name or by id, as it is sorted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CustomerKey {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name.
    pub name: String,
}

/// A customer in a list.
#[derive(Clone, Debug)]
pub struct CustomerSummary {
    /// Who.
    pub customer: Customer,
    /// Pods that are not deleted.
    pub pods: u64,
    /// Its people.
    pub users: u64,
    /// When one of them, or one of their tokens, was last here.
    pub last_active_at: Option<Ms>,
    /// What was paid, by currency.
    pub revenue: Vec<Money>,
    /// How it is doing.
    pub health: Health,
}

/// What a customer has ordered, to be paid again and again.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Of this plan.
    pub plan: Option<PlanId>,
    /// What that is called.
    pub plan_name: Option<String>,
    /// For this pod.
    pub pod: Option<CloudPodId>,
    /// What that is called.
    pub pod_name: Option<String>,
    /// `trialing`, `active`, `past_due`, `suspended` or `cancelled`.
    pub status: String,
    /// For each interval.
    pub price: Money,
    /// How long that is.
    pub interval_months: u32,
    /// Until when it is paid.
    pub current_period_end: Option<Ms>,
    /// When it was made.
    pub created_at: Ms,
}

/// Something to be paid once.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// By this subscription.
    pub subscription: Option<SubscriptionId>,
    /// `open`, `paid`, `refunded` or `cancelled`.
    pub status: String,
    /// How much.
    pub amount: Money,
    /// For people.
    pub description: String,
    /// Open after this it is overdue.
    pub due_at: Ms,
    /// When it was paid.
    pub paid_at: Option<Ms>,
    /// When it was made.
    pub created_at: Ms,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Happened {
    /// When.
    pub at: Ms,
    /// `noun.verb`.
    pub action: String,
    /// Who did it.
    pub actor: String,
    /// The noun.
    pub target_kind: String,
    /// Its id.
    pub target_id: String,
}

/// A customer as a whole. Of each list the newest [`OVERVIEW_MAX`].
#[derive(Clone, Debug)]
pub struct CustomerOverview {
    /// As in the list.
    pub summary: CustomerSummary,
    /// How much it may use, and uses.
    pub quotas: Quotas,
    /// What it has ordered.
    pub subscriptions: Vec<Subscription>,
    /// What it was to pay.
    pub orders: Vec<Order>,
    /// Its pods that are not deleted.
    pub pods: Vec<Detail>,
    /// Its people.
    pub users: Vec<Member>,
    /// What happened.
    pub events: Vec<Happened>,
}

/// How long the lists of an overview are at most.
pub const OVERVIEW_MAX: i64 = 20;

/// What customers bring in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerRevenue)]
pub struct Revenue {
    /// ISO 4217.
    pub currency: String,
    /// What was paid, in minor units.
    pub total_minor: u64,
    /// How many customers have paid in it.
    pub customers: u64,
    /// The total over those, rounded down.
    pub average_minor: u64,
}

/// The platform's customers in figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = CustomerKpis)]
pub struct Kpis {
    /// All tenants.
    pub total: u64,
    /// Those that are not suspended.
    pub active: u64,
    /// By currency: nothing is converted.
    pub revenue: Vec<Revenue>,
}
