//! Tenants: their settings, what they may use, their suspension, and what the platform knows of them as customers.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

#[path = "tenants/customers.rs"]
mod customers;
#[path = "tenants/interleavings.rs"]
mod interleavings;
#[path = "tenants/locks.rs"]
mod locks;
#[path = "tenants/quotas.rs"]
mod quotas;
#[path = "tenants/rest.rs"]
mod rest;
#[path = "tenants/suspension.rs"]
mod suspension;

use control_plane::domain::audit::Scope;
use control_plane::domain::tenants::quotas::{Amounts, Limits};
use control_plane::ids::TenantId;
use mpanel_tests::pod_bench::{PodBench, actor};

/// The tenant whose the bench's pods are.
async fn tenant_of(bench: &PodBench) -> TenantId {
    let mut read = bench.db.read().await.unwrap();
    bench.tenants.tenant_default(read.conn()).await.unwrap().id
}

/// From now on it may use so much.
async fn limit(bench: &PodBench, limits: Limits) {
    bench.tenants.quotas_update(&actor(), tenant_of(bench).await, None, |_| limits).await.unwrap();
}

/// So much it uses.
async fn used(bench: &PodBench) -> Amounts {
    bench.tenants.quotas_get(Scope::Platform, tenant_of(bench).await).await.unwrap().0.used
}
