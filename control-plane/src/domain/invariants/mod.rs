//! What must hold whatever failed, looked at on demand: each slice checks what is its own, and this puts the checks side by
//! side. Nothing is repaired here: a finding says since when, and what to do.

pub mod routes;
pub mod service;

use std::sync::Arc;
use std::time::Duration;

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

/// A certificate that only the operator replaces.
#[derive(Clone, Debug)]
pub struct OwnCertificate {
    /// What it is, for people.
    pub what: &'static str,
    /// Since when it is valid.
    pub not_before: Ms,
    /// Until when.
    pub not_after: Ms,
    /// So long before its end it is to have been replaced, or a quarter of its life where that is shorter.
    pub ahead: Duration,
    /// How it is replaced.
    pub cure: String,
}

/// Those that this control plane uses now.
pub type OwnCertificates = Arc<dyn Fn() -> Vec<OwnCertificate> + Send + Sync>;

impl OwnCertificate {
    /// That it is to be replaced; `None`: there is time.
    fn ending(self, now: Ms) -> Option<Finding> {
        let Self { what, not_before, not_after, ahead, cure } = self;
        let since = not_after.minus(ahead.min(not_after.since(not_before) / 4));
        let ends = if not_after <= now { "ended" } else { "ends" };
        (since <= now).then(|| Finding {
            subject: what.to_owned(),
            since: Some(since),
            detail: format!("the certificate {ends} at {}", not_after.to_rfc3339()),
            cure,
        })
    }
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
