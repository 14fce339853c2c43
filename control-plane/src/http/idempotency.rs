//! `Idempotency-Key`: a repeated request has one effect and gets the first answer.

/// The code of the conflict with one's own first request, which is still under way.
pub const RUNNING: &str = "idempotency_running";
