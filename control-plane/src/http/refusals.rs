//! What a known caller was refused for want of a permission (403), and a sign-in that has to wait (429), is a record of the audit and an
//! event: the first of each minute, by caller and operation, so that nobody can fill the audit with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::auth::{Auth, audited, origin_of};
use super::problem::Problem;
use crate::app::App;
use crate::clock::Ms;
use crate::domain::audit::{Actor, Record};

/// Where one signs in: who fails too often there is not even judged.
const SIGN_IN: &str = "POST /api/auth/login";
const WINDOW: Duration = Duration::from_mins(1);
/// Callers and operations that are remembered; beyond them only the log tells.
const REMEMBERED_MAX: usize = 4096;

/// Who was refused what in the last minute.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<(String, String), Ms>>);

impl Refusals {
    /// Whether it is the first of its minute.
    fn is_first(&self, caller: &str, operation: &str, now: Ms) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &Ms| *at <= now && now.since(*at) < WINDOW;
        let key = (caller.to_owned(), operation.to_owned());
        if known.get(&key).is_some_and(is_recent) {
            return false;
        }
        if known.len() >= REMEMBERED_MAX {
            known.retain(|_, at| is_recent(at));
        }
        let has_room = known.len() < REMEMBERED_MAX;
        if has_room {
            known.insert(key, now);
        }
        has_room
    }
}

/// The layer, outside of the one that finds out who asks.
pub(super) async fn layer(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map_or("unmatched", |path| path.as_str());
    let operation = format!("{} {path}", request.method());
    let origin = origin_of(request.extensions());
    let response = next.run(request).await;
    let waits = response.status() == StatusCode::TOO_MANY_REQUESTS && operation == SIGN_IN;
    if response.status() == StatusCode::FORBIDDEN || waits {
        let auth = response.extensions().get::<Auth>();
        let actor = auth.map_or_else(|| Actor::system("http"), |auth| Actor::new(auth.actor.kind.clone()));
        let tenant = auth.and_then(|auth| auth.scope.tenant());
        let caller = match &origin {
            Some(origin) if auth.is_none() => format!("{:?}", origin.address),
            _ => actor.to_string(),
        };
        let reason = response.extensions().get::<Problem>().map(|problem| problem.detail.clone());
        let now = app.clock.now();
        if app.refusals.is_first(&caller, &operation, now) {
            let actor = actor.at(origin);
            let target_id = operation;
            let record =
                Record { actor: &actor, tenant, action: "request.refused", target_kind: "operation", target_id };
            if let Err(error) = audited(&app, now, record, &json!({ "reason": reason })).await {
                tracing::warn!(%error, "a refusal could not be put into the audit");
            }
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_minute_is_written_by_caller_and_operation() {
        let refusals = Refusals::default();
        let at = Ms(1_700_000_000_000);
        assert!(refusals.is_first("user:1", "GET /a", at));
        assert!(!refusals.is_first("user:1", "GET /a", at.plus(Duration::from_secs(59))));
        assert!(refusals.is_first("user:1", "GET /b", at) && refusals.is_first("user:2", "GET /a", at));
        assert!(refusals.is_first("user:1", "GET /a", at.plus(WINDOW)));
        for n in 0..REMEMBERED_MAX {
            refusals.is_first(&n.to_string(), "GET /c", at.plus(WINDOW));
        }
        assert!(!refusals.is_first("user:3", "GET /a", at.plus(WINDOW)), "full");
        assert!(refusals.is_first("user:3", "GET /a", at.plus(WINDOW * 3)), "old ones make room");
    }
}
