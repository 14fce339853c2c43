//! The contracts, generated: between the control plane and the node agents (`agent/v1/agent.proto`), and between control planes
//! (`plane/v1/plane.proto`). No logic.

/// Version 1 of the agents' contract.
pub mod agent {
    /// Messages, client and server of `mpanel.agent.v1`.
    #[allow(missing_docs, clippy::pedantic)]
    pub mod v1 {
        tonic::include_proto!("mpanel.agent.v1");
    }
}

/// What control planes ask of each other.
pub mod plane {
    /// Messages, client and server of `mpanel.plane.v1`.
    #[allow(missing_docs, clippy::pedantic)]
    pub mod v1 {
        tonic::include_proto!("mpanel.plane.v1");
    }
}

/// The protocol versions that this build speaks, both ends included. Raised when a message changes its meaning;
/// adding a field or a command does not.
pub const PROTOCOL: std::ops::RangeInclusive<u32> = 1..=1;
