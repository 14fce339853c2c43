//! What the agent makes of a Proxmox VE that misbehaves. The simulated server does whatever a test tells it to.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, missing_docs)]

#[path = "hypervisor_faults/answers.rs"]
mod answers;
#[path = "hypervisor_faults/later.rs"]
mod later;
#[path = "hypervisor_faults/tasks.rs"]
mod tasks;
