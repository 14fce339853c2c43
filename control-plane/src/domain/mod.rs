//! One slice per noun. A slice calls another slice's service, never its store; the graph of slices has no cycle.

pub mod audit;
pub mod backups;
pub mod check;
pub mod cloudpods;
pub mod cluster;
pub mod consoles;
pub mod drains;
pub mod drift;
pub mod finding;
pub mod firewall;
pub mod idempotency;
pub mod images;
pub mod invariants;
pub mod ipam;
pub mod jobs;
pub mod losses;
pub mod plans;
pub mod scheduling;
pub mod secrets;
pub mod servers;
pub mod snapshots;
pub mod tenants;
pub mod tokens;
pub mod traffic;
