//! Webhooks: events sent to where their owner wants them, signed after the Standard Webhooks specification
//! (<https://www.standardwebhooks.com>).
//!
//! ```text
//! numbered event ──for each webhook that wants it, one transaction──▶ pending ──claim with a lease──▶ sent
//!                                                                        ▲                              │ 2xx ─▶ delivered
//!                                                                        └── later, and later still ────┤
//!                                                                                                       └ too often ─▶ failed
//! ```
//!
//! A message is delivered at least once; its `webhook-id` is the same each time. Deliveries have no order. A webhook whose every
//! try has failed for days is made inactive, which is told as an event and in the audit. One for which too much waits is sent no
//! more until there is room again; how much it missed is to be seen at it.
//!
//! Whoever changes a webhook, or what waits for it, holds its row first; whoever holds several, in the order of their ids.

mod address;
mod deliver;
pub mod routes;
mod send;
pub mod service;
mod sign;
mod store;

use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::clock::Ms;
use crate::domain::feed::Names;
use crate::ids::{DeliveryId, TenantId, WebhookId};

pub use address::{Allowed, is_public};
pub use send::Senders;

/// `[webhooks]`: where events may be sent, beyond the public addresses. What the platform's own webhooks may reach is the inside of
/// the operator's network, and nothing that a tenant decides.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The platform's own: also to private addresses and to this machine, and without TLS.
    pub allow_private: bool,
    /// The platform's own: also to addresses in these networks, and without TLS.
    pub allow: Vec<IpNet>,
    /// Those of tenants: also to addresses in these networks, and without TLS.
    pub allow_tenants: Vec<IpNet>,
}

impl Config {
    /// What the platform's own webhooks may reach.
    fn for_platform(&self) -> Allowed {
        Allowed { private: self.allow_private, networks: self.allow.clone() }
    }

    /// What those of tenants may reach.
    fn for_tenants(&self) -> Allowed {
        Allowed { private: false, networks: self.allow_tenants.clone() }
    }
}

/// Where events are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose events; `None`: the platform's, which are all.
    pub tenant: Option<TenantId>,
    /// For people.
    pub name: String,
    /// Where to.
    pub url: String,
    /// Which events.
    pub names: Names,
    /// Whether events are sent.
    pub active: bool,
    /// Why it was made inactive, where nobody asked for it.
    pub disabled_reason: Option<String>,
    /// Since when each try has failed.
    pub failing_since: Option<Ms>,
    /// Events that it was not sent because too many deliveries waited already, since it was last made active.
    pub dropped: u64,
    /// When the first of these was dropped.
    pub dropped_since: Option<Ms>,
    /// Of the row.
    pub version: i64,
    /// When it was made.
    pub created_at: Ms,
    /// When it was changed.
    pub updated_at: Ms,
}

impl Webhook {
    /// Where its URL leads, to be logged: what comes after may be a secret.
    fn host(&self) -> String {
        let url = url::Url::parse(&self.url).ok();
        url.as_ref().and_then(url::Url::host_str).unwrap_or_default().to_owned()
    }
}

/// A message to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// The header `webhook-id`: the same for every try, and for a redelivery.
    pub message: String,
    /// Of which event.
    pub event_name: String,
    /// What is signed and sent, byte for byte.
    pub body: String,
    /// `pending`, `delivered`, `failed`.
    pub state: String,
    /// Tries so far.
    pub attempt: u32,
    /// The next try, while it is pending.
    pub run_at: Ms,
    /// When it was made.
    pub created_at: Ms,
    /// When it was delivered or given up.
    pub finished_at: Option<Ms>,
}

/// One try and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// From 1 on.
    pub number: u32,
    /// When.
    pub at: Ms,
    /// How long it took.
    pub took_ms: u64,
    /// The HTTP status of the answer, if one came.
    pub status: Option<u16>,
    /// Why it failed; `None`: it was taken.
    pub error: Option<String>,
    /// How the answer begins.
    pub answer: String,
}

/// The waits before the tries after the first: about a day in all.
const WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(8),
    Duration::from_hours(10),
];

/// How long to wait after this many tries have failed, a tenth more or less by `chance` (from 0 to 1); `None`: it is given up.
#[must_use]
pub fn wait_after(tries: u32, chance: f64) -> Option<Duration> {
    let wait = WAITS.get(usize::try_from(tries.checked_sub(1)?).ok()?)?;
    Some(wait.mul_f64(0.9 + 0.2 * chance.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_come_later_and_later_over_about_a_day_and_end() {
        let waits: Vec<Duration> = (1..20).map_while(|tries| wait_after(tries, 0.5)).collect();
        assert!(waits.is_sorted() && waits.len() == WAITS.len());
        let all: Duration = waits.iter().sum();
        assert!((Duration::from_hours(24)..Duration::from_hours(30)).contains(&all), "{all:?}");
        assert_ne!(wait_after(1, 0.0), wait_after(1, 1.0));
        assert_eq!(wait_after(0, 0.5), None);
        assert_eq!(wait_after(100, 0.5), None);
    }
}
