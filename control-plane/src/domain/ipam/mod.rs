//! Address pools and who holds which address. An address is held by at most one pod, by any interleaving: the pool's row is
//! locked while one is chosen, and the address itself has a unique key. A released address rests: the search for a free one
//! goes on behind the last one given out.

mod check;
pub mod holdings;
pub mod range;
pub mod routes;
pub mod service;
mod store;

use std::net::IpAddr;

use crate::clock::Ms;
use crate::ids::{CloudPodId, IpPoolId};

pub use range::Range;

/// A range of addresses to be given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpPool {
    /// Its id.
    pub id: IpPoolId,
    /// Unique.
    pub name: String,
    /// The addresses, and the way out.
    pub range: Range,
    /// Name servers for pods with an address of it.
    pub dns: Vec<IpAddr>,
    /// `None`: the server's bridge.
    pub bridge: Option<String>,
    /// `None`: untagged.
    pub vlan: Option<u16>,
    /// `None`: serves every region.
    pub region: Option<String>,
    /// Whether addresses may be given out.
    pub active: bool,
    /// Whether customers may draw from it. Otherwise only who is shown hosts may name it, and nobody gets it unasked.
    pub public: bool,
    /// How many are given out.
    pub allocated: u64,
    /// Raised by every change of the operator's.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
    /// When the operator last changed it.
    pub updated_at: Ms,
}

impl IpPool {
    /// Whether it serves pods on such a server.
    #[must_use]
    pub fn serves(&self, network: &NetworkFacts) -> bool {
        self.region.as_ref().is_none_or(|region| *region == network.region)
            && self.bridge.as_ref().is_none_or(|bridge| {
                *bridge == network.bridge || network.bridges.is_empty() || network.bridges.contains(bridge)
            })
    }

    /// Where a card with an address of it is plugged in: the bridge, `None` for the server's, and the VLAN.
    #[must_use]
    pub fn wire(&self) -> (Option<&str>, Option<u16>) {
        (self.bridge.as_deref(), self.vlan)
    }
}

/// What matters of a server when addresses for a pod on it are chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// Where the server stands.
    pub region: String,
    /// The bridge that pods are attached to.
    pub bridge: String,
    /// The bridges that its agent saw; empty: not known.
    pub bridges: Vec<String>,
}

/// An address that a pod holds, with all that its network card needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocatedAddress {
    /// Of this pool.
    pub pool: IpPoolId,
    /// The pool's name.
    pub pool_name: String,
    /// 4 or 6.
    pub family: u8,
    /// The address.
    pub address: IpAddr,
    /// Of the subnet.
    pub prefix_length: u8,
    /// The way out.
    pub gateway: IpAddr,
    /// Name servers.
    pub dns: Vec<IpAddr>,
    /// `None`: the server's bridge.
    pub bridge: Option<String>,
    /// `None`: untagged.
    pub vlan: Option<u16>,
    /// When it was given out.
    pub allocated_at: Ms,
}

/// Who holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The address's distance from the pool's first one.
    pub slot: i64,
    /// The address.
    pub address: IpAddr,
    /// The pod.
    pub pod: CloudPodId,
    /// Since when.
    pub allocated_at: Ms,
}

/// A pool to be made. The range is `cidr`, or `first` to `last` in a subnet of `prefix_length`.
#[derive(Clone, Debug, Default)]
pub struct IpPoolCreate {
    /// Unique.
    pub name: String,
    /// A subnet: all its hosts but the gateway.
    pub cidr: Option<String>,
    /// The lowest address.
    pub first: Option<String>,
    /// The highest.
    pub last: Option<String>,
    /// Of the subnet that the range is in.
    pub prefix_length: Option<u8>,
    /// The way out.
    pub gateway: String,
    /// Name servers.
    pub dns: Vec<String>,
    /// `None`: the server's bridge.
    pub bridge: Option<String>,
    /// `None`: untagged.
    pub vlan: Option<u16>,
    /// `None`: serves every region.
    pub region: Option<String>,
    /// Whether addresses may be given out.
    pub active: bool,
    /// Not for customers: see [`IpPool::public`].
    pub private: bool,
}

/// A change of a pool; `None` leaves a field as it is. The first address stays, because addresses are counted from it.
#[derive(Clone, Debug, Default)]
pub struct IpPoolPatch {
    /// A new name.
    pub name: Option<String>,
    /// A new highest address; none beyond it may be given out.
    pub last: Option<String>,
    /// Another way out; not an address that is given out.
    pub gateway: Option<String>,
    /// Name servers anew.
    pub dns: Option<Vec<String>>,
    /// Another bridge; `Some(None)`: the server's.
    pub bridge: Option<Option<String>>,
    /// Another VLAN; `Some(None)`: untagged.
    pub vlan: Option<Option<u16>>,
    /// Another region; `Some(None)`: every region.
    pub region: Option<Option<String>>,
    /// Whether addresses may be given out.
    pub active: Option<bool>,
    /// Whether customers may draw from it.
    pub public: Option<bool>,
}
