//! What must hold whatever failed, looked at on demand: each slice checks what is its own, and this puts the checks side by
//! side. Nothing is repaired here: a finding says since when, and what to do.

pub mod routes;
pub mod service;

use serde::Serialize;

use crate::clock::Ms;
use crate::domain::finding::{Finding, Findings};

/// One thing that must hold.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Invariant)]
pub struct Check {
    /// Stable, for programs: `addresses`, `jobs_stuck`, ….
    name: &'static str,
    /// What holds when it is ok.
    holds: &'static str,
    /// Whether it does.
    ok: bool,
    /// What is wrong; at most 100.
    items: Vec<Finding>,
    /// There are more than are listed.
    more: bool,
}

/// All of them.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Invariants)]
pub struct Report {
    /// Whether all hold.
    pub ok: bool,
    /// When they were looked at.
    pub checked_at: Ms,
    /// Each, in a stable order.
    pub checks: Vec<Check>,
}

impl Check {
    fn new(name: &'static str, holds: &'static str, findings: Findings) -> Self {
        let ok = findings.is_ok();
        let Findings { items, more } = findings;
        Self { name, holds, ok, items, more }
    }
}
