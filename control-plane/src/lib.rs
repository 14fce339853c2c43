//! mPanel's control plane.
//!
//! ```text
//! browser / CLI ──HTTPS──▶ http/ ─┐                              ┌─ grpc/ ◀──mutual TLS, one stream── node-agent ──▶ Proxmox VE
//!                                 ├▶ domain/<noun>/service ──▶ store (sqlx) ─▶ SQLite | PostgreSQL
//!                        loops/ ──┘        one transaction: state + job + audit + event
//! ```
//!
//! What holds, whatever fails:
//! 1. One create request makes at most one VM.
//! 2. A result counts only with the present epoch of its claim.
//! 3. Only *absent*, or an operator's declaration, frees an address, a VMID or a reservation.
//! 4. Unreachable is not dead: work for an offline server waits.
//! 5. Capacity and addresses are never held twice.
//! 6. State, job, audit record and event commit together or not at all ([`db::Tx`]).

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod domain;
pub mod error;
pub mod events;
pub mod fault;
pub mod grpc;
pub mod http;
pub mod ids;
pub mod lifecycle;
pub mod loops;
pub mod telemetry;
