//! What must hold after every fault, as the API itself says it.

use serde_json::Value;

use crate::app::{Api, try_send};
use crate::database::eventually;
use crate::fleet::DEADLINE;

/// Waits until every invariant holds: an inventory may be on its way, a lease about to be over.
///
/// # Panics
/// Showing what does not hold, when it does not for too long.
pub async fn assert_invariants(api: &Api) {
    let mut last = Value::Null;
    let started = std::time::Instant::now();
    eventually("every invariant to hold", DEADLINE * 2, async || {
        let answer = try_send(api.request(reqwest::Method::GET, "/api/platform/invariants")).await.ok()?;
        last = answer.body;
        if last["ok"] == true {
            return Some(());
        }
        assert!(started.elapsed() < DEADLINE, "what must hold does not: {}", broken(&last));
        None
    })
    .await;
}

/// The findings alone.
#[must_use]
pub fn broken(report: &Value) -> String {
    let checks = report["checks"].as_array().into_iter().flatten().filter(|check| check["ok"] != true);
    let broken: Vec<String> = checks.map(|check| format!("{}: {:#}", check["name"], check["items"])).collect();
    if broken.is_empty() { format!("no report: {report:#}") } else { broken.join("\n") }
}
