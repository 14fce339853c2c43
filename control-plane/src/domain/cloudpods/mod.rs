//! CloudPods: customers' VMs. What is wanted of a pod stands beside what was observed of it; what it holds (room on a
//! server, addresses, a VMID) is freed only once its VM is known to be absent.

mod asked;
pub mod backups;
pub mod brief;
pub mod capture;
mod cards;
pub mod check;
mod condition;
pub mod counts;
mod create;
pub mod moves;
mod observe;
pub mod offers;
pub mod operations;
pub mod routes;
pub mod sagas;
pub mod service;
pub mod snapshots;
pub mod state;
mod store;
pub mod tenancy;
pub mod upkeep;
mod views;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock::Ms;
use crate::domain::ipam::AllocatedAddress;
use crate::domain::jobs::Power;
use crate::domain::sort::AgeOrName;
use crate::ids::{CloudPodId, ImageId, IpPoolId, PlanId, ServerId, TenantId};

pub use cards::GivenCard;
pub use condition::{Condition, Media, RestartCause, Suspension};
pub use state::State;

/// The power state that somebody wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DesiredPower {
    /// Running.
    Running,
    /// Stopped.
    Stopped,
}

impl DesiredPower {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
        }
    }

    /// As it was stored.
    fn parse(text: &str) -> Self {
        if text == "running" { Self::Running } else { Self::Stopped }
    }
}

/// A customer's VM.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudPod {
    /// Its id; stamped on the VM.
    pub id: CloudPodId,
    /// Whose it is.
    pub tenant: TenantId,
    /// What that is called.
    pub tenant_name: String,
    /// A DNS label, one live pod of the tenant each.
    pub name: String,
    /// Where it is in its life.
    pub state: State,
    /// What somebody wants.
    pub desired_power: DesiredPower,
    /// What its host last said.
    pub observed_power: Power,
    /// When its host last said so.
    pub observed_at: Option<Ms>,
    /// The plan that it was made from.
    pub plan: Named<PlanId>,
    /// The image that it was made from.
    pub image: Named<ImageId>,
    /// Virtual CPUs.
    pub vcpu: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// Disk in GiB.
    pub disk_gib: u64,
    /// Where its owner wanted it.
    pub wish: Wish,
    /// Public SSH keys for its user.
    pub ssh_keys: Vec<String>,
    /// The user that cloud-init makes.
    pub cloud_init_user: String,
    /// Where it is, from the reservation on.
    pub server: Option<Named<ServerId>>,
    /// Since when its host is not heard, so that what is shown of it is of before; `None`: it is heard, or the pod is nowhere.
    pub stale_since: Option<Ms>,
    /// Where it is on its way to; it holds room on both.
    pub moving_to: Option<Named<ServerId>>,
    /// The storage of its disk.
    pub storage: Option<String>,
    /// Its number on its host.
    pub vmid: Option<u32>,
    /// The template that it is cloned from.
    pub template_vmid: Option<u32>,
    /// Whether its VM is to start with its host, while it is not suspended.
    pub start_on_boot: bool,
    /// What is special about it at present.
    pub condition: Condition,
    /// Raised by every change that somebody or a job makes, not by observations.
    pub version: i64,
    /// When it was asked for.
    pub created_at: Ms,
    /// When it last changed.
    pub updated_at: Ms,
}

/// Something of another slice, with the name that people know it by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Named<I> {
    /// Its id.
    pub id: I,
    /// Its name.
    pub name: String,
}

/// Where a pod's owner wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Only in this region.
    #[serde(default)]
    pub region: Option<String>,
    /// Only on this server.
    #[serde(default)]
    pub server: Option<ServerId>,
    /// Only on this storage.
    #[serde(default)]
    pub storage: Option<String>,
    /// Only on servers with these labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Never beside another pod of the same tenant.
    #[serde(default)]
    pub anti_affinity: bool,
    /// An address from each of these pools; none: as the pools of the region allow.
    #[serde(default)]
    pub pools: Vec<IpPoolId>,
}

/// A change of a pod's record; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct CloudPodPatch {
    /// Its name.
    pub name: Option<String>,
    /// The only server that it may be on, id or name; `Some(None)`: any.
    pub server: Option<Option<String>>,
}

/// A pod and its addresses.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The pod.
    pub pod: CloudPod,
    /// What it holds of the pools.
    pub addresses: Vec<AllocatedAddress>,
}

/// What somebody asks for. Names and ids are as the caller wrote them.
#[derive(Clone, Debug, Default)]
pub struct CloudPodCreate {
    /// Whose it shall be; `None`: the caller's tenant or, for staff, the default one.
    pub tenant: Option<TenantId>,
    /// A DNS label.
    pub name: String,
    /// Id or name.
    pub plan: String,
    /// Id or name.
    pub image: String,
    /// OpenSSH public keys.
    pub ssh_keys: Vec<String>,
    /// The user that cloud-init makes; `None`: the image's.
    pub user: Option<String>,
    /// Where.
    pub placement: PlacementInput,
    /// Ids or names.
    pub ip_pools: Vec<String>,
    /// Whether those may be private ones, which are not for customers to choose.
    pub private_pools: bool,
}

/// Where a pod shall go, as the caller wrote it.
#[derive(Clone, Debug, Default)]
pub struct PlacementInput {
    /// Only in this region.
    pub region: Option<String>,
    /// Only on this server: id or name.
    pub server: Option<String>,
    /// Only on this storage.
    pub storage: Option<String>,
    /// Only on servers with these labels.
    pub labels: BTreeMap<String, String>,
    /// Never beside another pod of the same tenant.
    pub anti_affinity: bool,
}

/// Which pods to list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    state: Option<&'static str>,
    server: Option<ServerId>,
    plan: Option<PlanId>,
    name_prefix: Option<String>,
    id: Option<CloudPodId>,
    sort: AgeOrName,
}

/// Where a page of pods ends: by name or by id, as it is sorted.
pub type PodKey = (String, CloudPodId);

/// Which pods to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Find {
    /// In this state; `None`: all but the deleted.
    pub state: Option<&'static str>,
    /// On this server.
    pub server: Option<ServerId>,
    /// Of this plan: id or name.
    pub plan: Option<String>,
    /// Whose name begins so.
    pub name_prefix: Option<String>,
    /// That holds this address.
    pub address: Option<IpAddr>,
    /// In this order; `None`: the newest first.
    pub sort: Option<AgeOrName>,
}
