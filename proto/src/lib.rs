//! The contract between the control plane and the node agents, generated from `agent/v1/agent.proto`. No logic.

/// Version 1 of the contract.
pub mod agent {
    /// Messages, client and server of `mpanel.agent.v1`.
    #[allow(missing_docs, clippy::pedantic)]
    pub mod v1 {
        tonic::include_proto!("mpanel.agent.v1");
    }
}

/// The protocol versions that this build speaks, both ends included. Raised when a message changes its meaning;
/// adding a field or a command does not.
pub const PROTOCOL: std::ops::RangeInclusive<u32> = 1..=1;
