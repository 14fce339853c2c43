//! Makes the deliveries of events, and sends them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::send::{Headers, Outcome};
use super::service::{PENDING_MAX, Service, pending, secret_name};
use super::{Attempt, Delivery, Webhook, sign, store, wait_after};
use crate::clock::{Ms, Stopwatch};
use crate::db::Tx;
use crate::domain::access::Role;
use crate::domain::audit::{Actor, Scope};
use crate::domain::feed::permission_of;
use crate::error::Result;
use crate::events::{Numbered, events_after, events_bounds};
use crate::ids::{TenantId, WebhookId};

/// Events for which deliveries are made at once.
const EVENTS: i64 = 200;
/// Deliveries to one webhook that are under way at once, in all processes: a slow receiver holds up no other.
const PER_WEBHOOK: i64 = 4;
/// Longer than a try may take.
const LEASE: Duration = Duration::from_mins(1);
/// A webhook of which each try has failed for so long is made inactive.
const FAILING_MAX: Duration = Duration::from_hours(3 * 24);

impl Service {
    /// Makes the deliveries of events that were numbered since; whether there may be more. Any number of control planes may do
    /// this at once: each event's are made once.
    pub async fn events_spread(&self) -> Result<bool> {
        let mut read = self.db.read().await?;
        let (newest, _) = events_bounds(read.conn()).await?;
        if store::head_get(read.conn()).await? == newest {
            return Ok(false);
        }
        drop(read);
        let mut tx = self.db.begin().await?;
        let head = store::head_lock(&mut tx).await?;
        let events = events_after(tx.conn(), head, EVENTS).await?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(false) };
        let tenants: BTreeSet<TenantId> = events.iter().filter_map(|event| event.tenant).collect();
        let webhooks = store::webhooks_active(tx.conn(), &tenants).await?;
        for webhook in &webhooks {
            let wanted: Vec<&Numbered> = events.iter().filter(|event| wants(webhook, event)).collect();
            if !wanted.is_empty() {
                self.deliveries_add(&mut tx, webhook, &wanted).await?;
            }
        }
        store::head_put(&mut tx, last).await?;
        tx.commit().await?;
        Ok(events.len() as i64 == EVENTS)
    }

    /// Makes the deliveries of these events to one webhook, as far as there is room for them, and counts the others.
    async fn deliveries_add(&self, tx: &mut Tx, webhook: &Webhook, events: &[&Numbered]) -> Result<()> {
        let now = self.clock.now();
        let waiting = store::pending_count(tx.conn(), webhook.id, PENDING_MAX).await?;
        let room = usize::try_from(PENDING_MAX - waiting).unwrap_or(0);
        for event in events.iter().take(room) {
            let message = format!("msg_{}", event.id.0.simple());
            let delivery = pending(webhook.id, message, &event.name, body_of(event), now);
            store::delivery_insert(tx, &delivery).await?;
        }
        let dropped = events.len().saturating_sub(room) as u64;
        if dropped == 0 {
            return Ok(());
        }
        if webhook.dropped == 0 {
            tracing::warn!(webhook = %webhook.id, "too many deliveries wait for a webhook: it is sent no more until there is room");
        }
        metrics::counter!("mpanel_webhook_dropped_total").increment(dropped);
        store::webhook_drops(tx, webhook.id, dropped, now).await
    }

    /// Sends what is due; how many, and whether more may be. Each is a task of its own.
    pub async fn deliveries_send(self: &Arc<Self>) -> Result<(u64, bool)> {
        let free = self.free.available_permits();
        if free == 0 {
            return Ok((0, false));
        }
        let claimed = self.deliveries_claim(free as i64).await?;
        let count = claimed.len() as u64;
        for delivery in claimed {
            let Ok(permit) = self.free.clone().acquire_owned().await else { break };
            let service = self.clone();
            self.tasks.spawn(async move {
                if let Err(error) = service.deliver(delivery).await {
                    tracing::warn!(%error, "what became of a webhook's delivery could not be stored: it is sent again");
                }
                drop(permit);
            });
        }
        Ok((count, count > 0))
    }

    /// Takes up to `free` deliveries that are due. The row of a webhook is held while its are counted and taken, so that no two
    /// control planes take more of them than may be under way.
    async fn deliveries_claim(&self, free: i64) -> Result<Vec<Delivery>> {
        let now = self.clock.now();
        let due = store::webhooks_due(self.db.read().await?.conn(), now, PER_WEBHOOK, free).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.db.begin().await?;
        let mut claimed = Vec::new();
        for (id, share) in shares(&due, free) {
            if store::webhook_hold(&mut tx, Scope::Platform, id).await?.is_none() {
                continue;
            }
            let share = share.min(PER_WEBHOOK - store::leased_count(tx.conn(), id, now).await?);
            if share > 0 {
                claimed.extend(store::deliveries_claim(&mut tx, id, now, now.plus(LEASE), share).await?);
            }
        }
        tx.commit().await?;
        Ok(claimed)
    }

    async fn deliver(&self, delivery: Delivery) -> Result<()> {
        let mut read = self.db.read().await?;
        let Some(webhook) = store::webhook_get(read.conn(), Scope::Platform, delivery.webhook).await? else {
            return Ok(());
        };
        let (at, watch) = (self.clock.now(), Stopwatch::start());
        let sealed = store::secret_list(read.conn(), webhook.id, at).await?;
        drop(read);
        let outcome = match self.signed(&delivery, &sealed, at)? {
            Some(headers) => self.senders.of(webhook.tenant).send(&webhook.url, &headers, &delivery.body).await,
            // Counted as a try, so that it ends.
            None => Outcome {
                status: None,
                error: Some(
                    "no secret of the webhook can be read to sign with: make a new one (rotate-secret)".to_owned(),
                ),
                answer: String::new(),
            },
        };
        let took_ms = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.settle(&delivery, at, took_ms, outcome).await
    }

    /// The headers with a signature by each secret that can be read; `None`: none can.
    fn signed(&self, delivery: &Delivery, sealed: &[(Uuid, Vec<u8>)], at: Ms) -> Result<Option<Headers>> {
        let mut secrets = Vec::with_capacity(sealed.len());
        for (id, sealed) in sealed {
            match self.secrets.unseal(&secret_name(*id), sealed) {
                Ok(secret) => secrets.push(secret),
                Err(error) => {
                    tracing::warn!(webhook = %delivery.webhook, secret = %id, %error, "a webhook's secret cannot be read");
                }
            }
        }
        if secrets.is_empty() {
            return Ok(None);
        }
        let timestamp = sign::timestamp(at);
        let signatures = sign::signatures(&secrets, &delivery.message, timestamp, &delivery.body)?;
        Ok(Some(Headers { message: delivery.message.clone(), timestamp, signatures }))
    }

    async fn settle(&self, delivery: &Delivery, at: Ms, took_ms: u64, outcome: Outcome) -> Result<()> {
        let now = self.clock.now();
        let Outcome { status, error, answer } = outcome;
        let chance = f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX);
        let wait = wait_after(delivery.attempt, chance);
        let mut tx = self.db.begin().await?;
        let Some(webhook) = store::webhook_hold(&mut tx, Scope::Platform, delivery.webhook).await? else {
            return Ok(());
        };
        let settled = match (&error, wait) {
            (None, _) => store::delivery_settle(&mut tx, delivery, "delivered", now, Some(now)).await?,
            (Some(_), Some(wait)) => store::delivery_settle(&mut tx, delivery, "pending", now.plus(wait), None).await?,
            (Some(_), None) => store::delivery_settle(&mut tx, delivery, "failed", now, Some(now)).await?,
        };
        if !settled {
            // Somebody else took it over, or the webhook was made inactive meanwhile.
            return Ok(());
        }
        let label = if error.is_none() { "delivered" } else { "failed" };
        metrics::counter!("mpanel_webhook_tries_total", "outcome" => label).increment(1);
        let failed = error.is_some();
        let attempt = Attempt { number: delivery.attempt, at, took_ms, status, error, answer };
        store::attempt_insert(&mut tx, delivery.id, &attempt).await?;
        store::webhook_failing(&mut tx, webhook.id, failed.then_some(at)).await?;
        let too_long = webhook.failing_since.is_some_and(|since| now.since(since) > FAILING_MAX);
        // Gone (410) is how a receiver says that it wants no more.
        let reason = match status {
            Some(410) => Some("its receiver answered 410 Gone".to_owned()),
            _ if failed && too_long => Some(format!("each try has failed for {} days", FAILING_MAX.as_secs() / 86_400)),
            _ => None,
        };
        if let Some(reason) = reason {
            self.disable(&mut tx, &webhook, reason).await?;
        }
        tx.commit().await
    }

    async fn disable(&self, tx: &mut Tx, before: &Webhook, reason: String) -> Result<()> {
        if !before.active {
            return Ok(());
        }
        let mut after = Webhook { active: false, disabled_reason: Some(reason.clone()), ..before.clone() };
        self.change(tx, before, &mut after).await?;
        tracing::warn!(webhook = %before.id, host = before.host(), reason, "a webhook was made inactive");
        let actor = Actor::system("webhooks");
        self.note(tx, &actor, &after, "webhook.disabled", &json!({ "reason": reason })).await
    }
}

/// How many deliveries of each webhook are taken, given how many of its are under way: one by one for those with the fewest, until
/// there are `free` in all.
fn shares(due: &[(WebhookId, i64)], free: i64) -> BTreeMap<WebhookId, i64> {
    let places = (0..PER_WEBHOOK).flat_map(|under_way| {
        due.iter().filter(move |(_, already)| *already <= under_way).map(|(webhook, _)| *webhook)
    });
    let mut shares = BTreeMap::new();
    for webhook in places.take(usize::try_from(free).unwrap_or(0)) {
        *shares.entry(webhook).or_insert(0) += 1;
    }
    shares
}

/// Whether the webhook's owner may see the event and wants it: a tenant's sees what the tenant's owner may.
fn wants(webhook: &Webhook, event: &Numbered) -> bool {
    let may_see = match webhook.tenant {
        None => true,
        Some(tenant) => event.tenant == Some(tenant) && permission_of(&event.name).roles().contains(&Role::Owner),
    };
    may_see && event.at >= webhook.created_at && webhook.names.wants(&event.name)
}

/// As the specification recommends: type, timestamp, data.
fn body_of(event: &Numbered) -> String {
    let Numbered { seq, id, tenant, name, subject, data, at } = event;
    json!({
        "type": name,
        "timestamp": at,
        "data": { "id": id, "seq": seq, "tenant_id": tenant, "subject": subject, "data": data },
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_the_fewest_under_way_comes_first_and_nobody_has_more_than_he_may() {
        let webhooks: Vec<WebhookId> = (0..3).map(|_| WebhookId::generate()).collect();
        let shared = |under_way: [i64; 3], free: i64| {
            let due: Vec<_> = webhooks.iter().copied().zip(under_way).collect();
            let shares = shares(&due, free);
            webhooks.iter().map(|webhook| shares.get(webhook).copied().unwrap_or(0)).collect::<Vec<_>>()
        };
        assert_eq!(shared([0, 0, 0], 100), [PER_WEBHOOK; 3]);
        assert_eq!(shared([0, 0, 0], 3), [1, 1, 1]);
        assert_eq!(shared([3, 3, 0], 2), [0, 0, 2]);
        assert_eq!(shared([3, 1, 0], 4), [0, 2, 2]);
        assert_eq!(shared([PER_WEBHOOK, 2, 3], 100), [0, PER_WEBHOOK - 2, PER_WEBHOOK - 3]);
        assert_eq!(shared([0, 0, 0], 0), [0; 3]);
    }
}
