//! Pods as the API shows them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;
use uuid::Uuid;

use super::condition::ConditionView;
use super::{CloudPod, DesiredPower, Detail, Named, State, Wish};
use crate::clock::Ms;
use crate::domain::ipam::AllocatedAddress;
use crate::domain::jobs::Power;
use crate::domain::scheduling::{Choice, Decision, Explanation};
use crate::ids::{CloudPodId, ImageId, IpPoolId, PlanId, ServerId, TenantId};

/// A CloudPod.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPod)]
pub struct CloudPodView {
    id: CloudPodId,
    tenant_id: TenantId,
    tenant_name: String,
    name: String,
    /// requested, provisioning, active, suspended, deleting, deleted or failed
    state: &'static str,
    /// Why it failed; null unless its state is failed.
    failure: Option<String>,
    desired_power: DesiredPower,
    observed_power: Power,
    /// When its host last said so.
    observed_at: Option<Ms>,
    /// Since when its host is not heard: what is shown of its power is of before, and it may well run. Null: its host is heard,
    /// or it has none.
    stale_since: Option<Ms>,
    plan: Named<PlanId>,
    image: Named<ImageId>,
    vcpu: u32,
    memory_mib: u64,
    disk_gib: u64,
    /// Null until it is placed.
    server: Option<Named<ServerId>>,
    /// Where it is on its way to; null: nowhere.
    moving_to: Option<Named<ServerId>>,
    storage: Option<String>,
    vmid: Option<u32>,
    /// Whether its VM is to start with its host, while it is not suspended.
    start_on_boot: bool,
    addresses: Vec<AddressView>,
    /// The user that the SSH keys are for.
    user: String,
    ssh_keys: Vec<String>,
    placement: WishView,
    #[serde(flatten)]
    condition: ConditionView,
    /// The same as in the ETag.
    version: i64,
    created_at: Ms,
    updated_at: Ms,
    deleted_at: Option<Ms>,
}

/// An address that a pod holds.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodAddress)]
pub struct AddressView {
    #[schema(value_type = String)]
    address: IpAddr,
    prefix_length: u8,
    /// 4 or 6
    family: u8,
    #[schema(value_type = String)]
    gateway: IpAddr,
    pool: Named<IpPoolId>,
}

/// Where a pod would go.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PlacementDecision)]
pub struct PlacementView {
    /// Null: nowhere.
    server: Option<Named<ServerId>>,
    storage: Option<String>,
    explanation: Explanation,
}

/// Where a pod was placed, and why there.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Placement)]
pub struct PlacedView {
    /// When it was decided.
    pub(super) decided_at: Ms,
    /// Where its server stands; null: it went nowhere.
    pub(super) region: Option<String>,
    /// Null: nowhere, or the caller is not shown servers.
    pub(super) server: Option<ServerId>,
    /// Null: the caller is not shown servers.
    pub(super) explanation: Option<Explanation>,
}

/// Where its owner wanted it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = CloudPodPlacementWish)]
pub struct WishView {
    region: Option<String>,
    server: Option<ServerId>,
    storage: Option<String>,
    labels: BTreeMap<String, String>,
    anti_affinity: bool,
    ip_pools: Vec<Uuid>,
}

impl From<Detail> for CloudPodView {
    fn from(detail: Detail) -> Self {
        let Detail { pod, addresses } = detail;
        let CloudPod {
            id,
            tenant,
            tenant_name,
            name,
            state,
            desired_power,
            observed_power,
            observed_at,
            plan,
            image,
            vcpu,
            memory_mib,
            disk_gib,
            wish,
            ssh_keys,
            cloud_init_user,
            server,
            stale_since,
            moving_to,
            storage,
            vmid,
            template_vmid: _,
            start_on_boot,
            condition,
            version,
            created_at,
            updated_at,
        } = pod;
        let state_name = state.as_str();
        let (failure, deleted_at) = match state {
            State::Failed { cause } => (Some(cause), None),
            State::Deleted { at } => (None, Some(at)),
            State::Requested | State::Provisioning | State::Active | State::Suspended | State::Deleting => (None, None),
        };
        Self {
            id,
            tenant_id: tenant,
            tenant_name,
            name,
            state: state_name,
            failure,
            desired_power,
            observed_power,
            observed_at,
            stale_since,
            plan,
            image,
            vcpu,
            memory_mib,
            disk_gib,
            server,
            moving_to,
            storage,
            vmid,
            start_on_boot,
            addresses: addresses.into_iter().map(AddressView::from).collect(),
            user: cloud_init_user,
            ssh_keys,
            placement: WishView::from(wish),
            condition: condition.into(),
            version,
            created_at,
            updated_at,
            deleted_at,
        }
    }
}

impl From<AllocatedAddress> for AddressView {
    fn from(address: AllocatedAddress) -> Self {
        let AllocatedAddress {
            address,
            prefix_length,
            gateway,
            dns: _,
            bridge: _,
            vlan: _,
            family,
            pool,
            pool_name,
            allocated_at: _,
        } = address;
        Self { address, prefix_length, family, gateway, pool: Named { id: pool, name: pool_name } }
    }
}

impl From<Wish> for WishView {
    fn from(wish: Wish) -> Self {
        let Wish { region, server, storage, labels, anti_affinity, pools } = wish;
        let ip_pools = pools.into_iter().map(|pool| pool.0).collect();
        Self { region, server, storage, labels, anti_affinity, ip_pools }
    }
}

impl From<Decision> for PlacementView {
    fn from(decision: Decision) -> Self {
        let Decision { chosen, explanation } = decision;
        let (server, storage) = chosen
            .map(|Choice { server, name, storage, template_vmid: _ }| (Named { id: server, name }, storage))
            .unzip();
        Self { server, storage, explanation }
    }
}
