//! What can be done with webhooks, and their deliveries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::send::{Headers, Outcome, Senders};
use super::{Attempt, Delivery, Webhook, sign, store, wait_after};
use crate::clock::{Clock, Ms, Stopwatch};
use crate::db::{Db, Tx, Window};
use crate::domain::access::Role;
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::check::Checks;
use crate::domain::feed::{Names, permission_of};
use crate::domain::secrets::Secret;
use crate::domain::secrets::service::Service as Secrets;
use crate::error::{Error, Result};
use crate::events::{Event, Numbered, event_append, events_after, events_bounds};
use crate::ids::{DeliveryId, TenantId, WebhookId};

/// The most webhooks of one owner.
const WEBHOOKS_MAX: i64 = 20;
/// Events for which deliveries are made at once.
const EVENTS: i64 = 200;
/// The most deliveries that wait for one webhook: what comes beyond them is dropped.
const PENDING_MAX: i64 = 10_000;
/// Deliveries under way at once in this process.
const AT_ONCE: usize = 32;
/// And to one webhook, in all processes: a slow receiver holds up no other.
const PER_WEBHOOK: i64 = 4;
/// Longer than a try may take.
const LEASE: Duration = Duration::from_mins(1);
/// An old secret is good for so long beside its successor.
const SECRET_OVERLAP: Duration = Duration::from_hours(24);
/// A webhook of which each try has failed for so long is made inactive.
const FAILING_MAX: Duration = Duration::from_hours(3 * 24);
const URL_MAX: usize = 2000;

/// The owner's wishes.
#[derive(Clone, Debug)]
pub struct WebhookCreate {
    /// Whose events; `None`: the platform's.
    pub tenant: Option<TenantId>,
    /// For people.
    pub name: String,
    /// Where to.
    pub url: String,
    /// Which events; none: all.
    pub names: Vec<String>,
}

/// A change: `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub struct WebhookPatch {
    /// For people.
    pub name: Option<String>,
    /// Where to.
    pub url: Option<String>,
    /// Which events.
    pub names: Option<Vec<String>>,
    /// Whether events are sent.
    pub active: Option<bool>,
}

/// See the module.
pub struct Service {
    db: Db,
    clock: Clock,
    secrets: Secrets,
    senders: Senders,
    tasks: TaskTracker,
    free: Arc<Semaphore>,
}

impl Service {
    /// Over this database; what is under way is among `tasks`.
    #[must_use]
    pub fn new(db: Db, clock: Clock, secrets: Secrets, senders: Senders, tasks: TaskTracker) -> Self {
        Self { db, clock, secrets, senders, tasks, free: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Webhooks, in the order of their making.
    pub async fn webhook_list(&self, scope: Scope, window: Window<WebhookId>) -> Result<Vec<Webhook>> {
        store::webhook_list(self.db.read().await?.conn(), scope, window).await
    }

    /// One webhook.
    pub async fn webhook_get(&self, scope: Scope, id: WebhookId) -> Result<Webhook> {
        let found = store::webhook_get(self.db.read().await?.conn(), scope, id).await?;
        found.ok_or_else(|| Error::not_found("webhook", id))
    }

    /// Makes a webhook; it and its secret, which is shown this once.
    pub async fn webhook_create(&self, actor: &Actor, input: WebhookCreate) -> Result<(Webhook, Secret<String>)> {
        let WebhookCreate { tenant, name, url, names } = input;
        let now = self.clock.now();
        let names = self.checked(tenant, &name, &url, &names)?;
        let webhook = Webhook {
            id: WebhookId::generate(),
            tenant,
            name,
            url,
            names,
            active: true,
            disabled_reason: None,
            failing_since: None,
            dropped: 0,
            dropped_since: None,
            version: 1,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.db.begin().await?;
        if store::webhook_count(tx.conn(), tenant).await? >= WEBHOOKS_MAX {
            let detail = format!("there are {WEBHOOKS_MAX} webhooks already, which is the most: delete one first");
            return Err(Error::conflict("webhooks_full", detail));
        }
        store::webhook_insert(&mut tx, &webhook).await?;
        let secret = self.secret_add(&mut tx, webhook.id).await?;
        self.note(&mut tx, actor, &webhook, "webhook.created", &json!({ "after": shown(&webhook) })).await?;
        tx.commit().await?;
        Ok((webhook, secret))
    }

    /// Changes a webhook. Made active again, it begins with what happens from then on.
    pub async fn webhook_update(
        &self,
        actor: &Actor,
        scope: Scope,
        id: WebhookId,
        expected: Option<i64>,
        patch: WebhookPatch,
    ) -> Result<Webhook> {
        let mut tx = self.db.begin().await?;
        let before = get(&mut tx, scope, id).await?;
        if expected.is_some_and(|version| version != before.version) {
            return Err(Error::Stale);
        }
        let WebhookPatch { name, url, names, active } = patch;
        let mut after = before.clone();
        after.name = name.unwrap_or(after.name);
        after.url = url.unwrap_or(after.url);
        let names = names.unwrap_or_else(|| before.names.iter().map(str::to_owned).collect());
        after.names = self.checked(after.tenant, &after.name, &after.url, &names)?;
        if let Some(active) = active {
            after.active = active;
            after.disabled_reason = None;
            after.failing_since = after.failing_since.filter(|_| before.active && active);
            if active {
                (after.dropped, after.dropped_since) = (0, None);
            }
        }
        self.change(&mut tx, &before, &mut after).await?;
        let detail = json!({ "before": shown(&before), "after": shown(&after) });
        self.note(&mut tx, actor, &after, "webhook.updated", &detail).await?;
        tx.commit().await?;
        Ok(after)
    }

    async fn change(&self, tx: &mut Tx, before: &Webhook, after: &mut Webhook) -> Result<()> {
        after.version = before.version + 1;
        after.updated_at = self.clock.now();
        if !store::webhook_update(tx, after, before.version).await? {
            return Err(Error::Stale);
        }
        if before.active && !after.active {
            store::deliveries_give_up(tx, after.id, after.updated_at).await?;
        }
        Ok(())
    }

    /// Deletes a webhook and what is known of its deliveries.
    pub async fn webhook_delete(&self, actor: &Actor, scope: Scope, id: WebhookId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let webhook = get(&mut tx, scope, id).await?;
        store::webhook_delete(&mut tx, id).await?;
        self.note(&mut tx, actor, &webhook, "webhook.deleted", &json!({ "before": shown(&webhook) })).await?;
        tx.commit().await
    }

    /// Makes a new secret, which is shown this once. The others are good for [`SECRET_OVERLAP`] beside it.
    pub async fn secret_rotate(&self, actor: &Actor, scope: Scope, id: WebhookId) -> Result<(Secret<String>, Ms)> {
        let now = self.clock.now();
        let until = now.plus(SECRET_OVERLAP);
        let mut tx = self.db.begin().await?;
        let webhook = get(&mut tx, scope, id).await?;
        store::secrets_expire(&mut tx, id, now, until).await?;
        let secret = self.secret_add(&mut tx, id).await?;
        let detail = json!({ "others_until": until });
        self.note(&mut tx, actor, &webhook, "webhook.secret_rotated", &detail).await?;
        tx.commit().await?;
        Ok((secret, until))
    }

    async fn secret_add(&self, tx: &mut Tx, webhook: WebhookId) -> Result<Secret<String>> {
        let id = Uuid::now_v7();
        let (bytes, text) = sign::secret_new()?;
        let sealed = self.secrets.seal(&secret_name(id), bytes.expose())?;
        store::secret_insert(tx, webhook, id, &sealed, self.clock.now()).await?;
        Ok(text)
    }

    /// Sends a message of the name `webhook.test`, now.
    pub async fn webhook_test(&self, actor: &Actor, scope: Scope, id: WebhookId) -> Result<Delivery> {
        let now = self.clock.now();
        let mut tx = self.db.begin().await?;
        let webhook = get(&mut tx, scope, id).await?;
        let message = format!("msg_{}", Uuid::now_v7().simple());
        let data = json!({ "webhook_id": id, "name": webhook.name });
        let body = json!({ "type": "webhook.test", "timestamp": now, "data": data }).to_string();
        check_room(&mut tx, id).await?;
        let delivery = pending(id, message, "webhook.test", body, now);
        store::delivery_insert(&mut tx, &delivery).await?;
        self.note(&mut tx, actor, &webhook, "webhook.test_requested", &json!({ "delivery": delivery.id })).await?;
        tx.commit().await?;
        Ok(delivery)
    }

    /// Sends a message again, with the same `webhook-id`, now.
    pub async fn delivery_repeat(
        &self,
        actor: &Actor,
        scope: Scope,
        id: WebhookId,
        delivery: DeliveryId,
    ) -> Result<Delivery> {
        let mut tx = self.db.begin().await?;
        let webhook = get(&mut tx, scope, id).await?;
        let old = store::delivery_get(tx.conn(), id, delivery).await?;
        let old = old.ok_or_else(|| Error::not_found("delivery", delivery))?;
        check_room(&mut tx, id).await?;
        let new = pending(id, old.message, &old.event_name, old.body, self.clock.now());
        store::delivery_insert(&mut tx, &new).await?;
        let detail = json!({ "delivery": new.id, "of": delivery });
        self.note(&mut tx, actor, &webhook, "webhook.redelivery_requested", &detail).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// A webhook's deliveries, the newest first.
    pub async fn delivery_list(
        &self,
        scope: Scope,
        id: WebhookId,
        state: Option<&str>,
        window: Window<DeliveryId>,
    ) -> Result<Vec<Delivery>> {
        self.webhook_get(scope, id).await?;
        store::delivery_list(self.db.read().await?.conn(), id, state, window).await
    }

    /// One delivery and its tries.
    pub async fn delivery_get(
        &self,
        scope: Scope,
        id: WebhookId,
        delivery: DeliveryId,
    ) -> Result<(Delivery, Vec<Attempt>)> {
        self.webhook_get(scope, id).await?;
        let mut read = self.db.read().await?;
        let found = store::delivery_get(read.conn(), id, delivery).await?;
        let found = found.ok_or_else(|| Error::not_found("delivery", delivery))?;
        Ok((found, store::attempt_list(read.conn(), delivery).await?))
    }

    /// Deletes up to `limit` deliveries that were over long ago.
    pub async fn deliveries_prune(&self, tx: &mut Tx, before: Ms, limit: u32) -> Result<u64> {
        store::deliveries_prune(tx, before, limit).await
    }

    /// Makes the deliveries of events that were numbered since; whether there may be more. Any number of control planes may do
    /// this at once: each event's are made once.
    pub async fn events_spread(&self) -> Result<bool> {
        let mut read = self.db.read().await?;
        let (newest, _) = events_bounds(read.conn()).await?;
        if store::head_get(read.conn()).await? == Some(newest) {
            return Ok(false);
        }
        drop(read);
        let mut tx = self.db.begin().await?;
        let Some(head) = store::head_lock(&mut tx).await? else {
            // What happened before there were webhooks is nobody's to be told.
            store::head_put(&mut tx, newest).await?;
            tx.commit().await?;
            return Ok(false);
        };
        let webhooks = store::webhooks_active(tx.conn()).await?;
        let events = events_after(tx.conn(), head, EVENTS).await?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(false) };
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
                error: Some("no secret of the webhook can be read to sign with: make a new one (rotate-secret)".to_owned()),
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
        tracing::warn!(webhook = %before.id, url = before.url, reason, "a webhook was made inactive");
        let actor = Actor::system("webhooks");
        self.note(tx, &actor, &after, "webhook.disabled", &json!({ "reason": reason })).await
    }

    fn checked(&self, owner: Option<TenantId>, name: &str, url: &str, names: &[String]) -> Result<Names> {
        let mut checks = Checks::new();
        checks.text("name", name, 1..=100);
        checks.text("url", url, 1..=URL_MAX);
        if let Err(wrong) = self.senders.of(owner).allowed().url(url) {
            checks.wrong("url", wrong);
        }
        let parsed = Names::parse(names.iter().map(String::as_str));
        if parsed.is_none() {
            let message = format!("must be up to {} names such as cloudpod.created or cloudpod.*", Names::MAX);
            checks.wrong("events", message);
        }
        checks.finish()?;
        Ok(parsed.unwrap_or_default())
    }

    async fn note(
        &self,
        tx: &mut Tx,
        actor: &Actor,
        webhook: &Webhook,
        name: &'static str,
        detail: &Value,
    ) -> Result<()> {
        let (at, tenant, id) = (self.clock.now(), webhook.tenant, webhook.id.to_string());
        let record = Record { actor, tenant, action: name, target_kind: "webhook", target_id: id.clone() };
        audit_append(tx, at, record, detail).await?;
        event_append(tx, at, Event { tenant, name, subject: id }, detail).await
    }
}

/// The webhook, held until the transaction ends.
async fn get(tx: &mut Tx, scope: Scope, id: WebhookId) -> Result<Webhook> {
    store::webhook_hold(tx, scope, id).await?.ok_or_else(|| Error::not_found("webhook", id))
}

/// 409 where so much waits for the webhook that it takes no more.
async fn check_room(tx: &mut Tx, id: WebhookId) -> Result<()> {
    if store::pending_count(tx.conn(), id, PENDING_MAX).await? < PENDING_MAX {
        return Ok(());
    }
    let detail = format!(
        "{PENDING_MAX} deliveries wait for this webhook, which is the most: wait until its receiver has taken some, or give them \
         up by making the webhook inactive"
    );
    Err(Error::conflict("deliveries_full", detail))
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

fn pending(webhook: WebhookId, message: String, event_name: &str, body: String, now: Ms) -> Delivery {
    Delivery {
        id: DeliveryId::generate(),
        webhook,
        message,
        event_name: event_name.to_owned(),
        body,
        state: "pending".to_owned(),
        attempt: 0,
        run_at: now,
        created_at: now,
        finished_at: None,
    }
}

/// What the audit and the events say of it: no secret, and no more of the URL than where it leads, since what comes after may
/// be one.
fn shown(webhook: &Webhook) -> Value {
    let origin = url::Url::parse(&webhook.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let names: Vec<&str> = webhook.names.iter().collect();
    json!({ "name": webhook.name, "origin": origin, "events": names, "active": webhook.active })
}

fn secret_name(id: Uuid) -> String {
    format!("webhook secret {id}")
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
