//! What can be done with webhooks, and their deliveries.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::send::Senders;
use super::{Attempt, Delivery, Webhook, sign, store};
use crate::clock::{Clock, Ms};
use crate::db::{Db, Tx, Window};
use crate::domain::access::service::tenant_hold;
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::check::Checks;
use crate::domain::feed::Names;
use crate::domain::secrets::Secret;
use crate::domain::secrets::service::Service as Secrets;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{DeliveryId, TenantId, WebhookId};

/// The most webhooks of one owner.
const WEBHOOKS_MAX: i64 = 20;
/// The most deliveries that wait for one webhook: what comes beyond them is dropped.
pub(super) const PENDING_MAX: i64 = 10_000;
/// Deliveries under way at once in this process.
const AT_ONCE: usize = 32;
/// An old secret is good for so long beside its successor.
const SECRET_OVERLAP: Duration = Duration::from_hours(24);
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
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) secrets: Secrets,
    pub(super) senders: Senders,
    pub(super) tasks: TaskTracker,
    /// The right to send, for each delivery under way.
    pub(super) free: Arc<Semaphore>,
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
        owner_hold(&mut tx, tenant).await?;
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

    pub(super) async fn change(&self, tx: &mut Tx, before: &Webhook, after: &mut Webhook) -> Result<()> {
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

    pub(super) async fn note(
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

/// Holds the row of whose webhook it is to be, so that one after the other counts and adds. 404: there is no such tenant.
async fn owner_hold(tx: &mut Tx, owner: Option<TenantId>) -> Result<()> {
    let Some(tenant) = owner else { return store::head_lock(tx).await.map(drop) };
    if tenant_hold(tx, tenant).await? { Ok(()) } else { Err(Error::not_found("tenant", tenant)) }
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

pub(super) fn pending(webhook: WebhookId, message: String, event_name: &str, body: String, now: Ms) -> Delivery {
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

pub(super) fn secret_name(id: Uuid) -> String {
    format!("webhook secret {id}")
}
