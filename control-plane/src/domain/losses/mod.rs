//! Hosts that will not come back: an operator's declaration, which is the only thing beside *absent* that frees what VMs held.

pub mod routes;
pub mod service;

use crate::clock::Ms;
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
    /// Nothing was changed: when it had been declared lost already, and how many VMs are fenced.
    pub already: Option<(Ms, usize)>,
}
