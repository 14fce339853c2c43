//! Hosts that will not come back: an operator's declaration, which is the only thing beside *absent* that frees what VMs held.

pub mod routes;
pub mod service;

use crate::domain::servers::Server;

/// What a declaration did.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The server as it is now.
    pub server: Server,
    /// Pods that were there.
    pub cloudpods: usize,
    /// Jobs that waited for it.
    pub jobs: u64,
}
