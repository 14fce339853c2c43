//! What can be done with consoles.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Console, ConsoleKind, Consoles, Limits, Opener, Pipe, Reach, store};
use crate::clock::{Clock, Ms};
use crate::db::{Db, Tx};
use crate::domain::access::service::{Bearer, Service as Access};
use crate::domain::access::{Door, Permission, resolve};
use crate::domain::audit::{Actor, Record, Scope, audit_append};
use crate::domain::check::clipped;
use crate::domain::cloudpods::service::Service as CloudPods;
use crate::domain::cloudpods::{CloudPod, Named};
use crate::domain::cluster::service::Service as Cluster;
use crate::domain::jobs::Power;
use crate::domain::secrets::Secret;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{CloudPodId, ConsoleId, InstanceId, ServerId};

/// How long a ticket counts.
const TICKET_LIFE: Duration = Duration::from_secs(30);
/// How long an agent may take to open a console.
const OPEN_WITHIN: Duration = Duration::from_secs(20);
/// The longest reason that is kept, in characters.
const WHY_MAX: usize = 300;

/// What opens a console, once.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Which console.
    pub console: ConsoleId,
    /// To be shown; only its hash is kept.
    pub ticket: Secret<String>,
    /// It counts until then.
    pub expires_at: Ms,
}

/// The service of this slice.
pub struct Service {
    db: Db,
    clock: Clock,
    instance: InstanceId,
    cluster: Arc<Cluster>,
    access: Arc<Access>,
    cloudpods: Arc<CloudPods>,
    port: Arc<dyn Consoles>,
    limits: Limits,
}

impl Service {
    /// Of the control plane `instance`, over the pods; `access` knows who may still do what; `port` is the way to the agents.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        (instance, cluster): (InstanceId, Arc<Cluster>),
        (access, cloudpods): (Arc<Access>, Arc<CloudPods>),
        port: Arc<dyn Consoles>,
        limits: Limits,
    ) -> Self {
        Self { db, clock, instance, cluster, access, cloudpods, port, limits }
    }

    /// What the operator allows.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Gives a ticket for a console of a pod. A conflict when the pod cannot be looked at or too many consoles are open,
    /// `Unavailable` when the agent of its server is not connected.
    pub async fn console_ask(&self, actor: &Actor, scope: Scope, id: CloudPodId, kind: ConsoleKind) -> Result<Ticket> {
        let pod = self.cloudpods.cloudpod_get(scope, id).await?.pod;
        let (server, vmid) = seen_at(&pod)?;
        if pod.observed_power == Power::Stopped {
            return Err(Error::conflict(
                "cloudpod_stopped",
                "the pod is stopped, so there is nothing to look at: start it",
            ));
        }
        if self.port.reach(server.id).await? == Reach::Nowhere {
            let detail = format!("the agent of server {} is not connected: wait until it is back", server.name);
            return Err(Error::unavailable(detail));
        }
        let ticket = secret_new()?;
        let (now, asked_by) = (self.clock.now(), actor.to_string());
        let expires_at = now.plus(TICKET_LIFE);
        let (tenant, server, opener) = (pod.tenant, server.id, Opener::of(actor));
        let console = Console { id: ConsoleId::generate(), tenant, pod: id, server, vmid, kind, asked_by, opener };
        let mut tx = self.db.begin().await?;
        store::consoles_lock(&mut tx).await?;
        self.room_check(&mut tx, &console, now).await?;
        store::console_insert(&mut tx, &console, &hash(ticket.expose()), now, expires_at).await?;
        self.note(&mut tx, actor, &console, "console.asked", None).await?;
        tx.commit().await?;
        Ok(Ticket { console: console.id, ticket, expires_at })
    }

    async fn room_check(&self, tx: &mut Tx, console: &Console, now: Ms) -> Result<()> {
        let longest = now.minus(self.limits.longest);
        let (on_server, of_tenant) =
            store::consoles_count(tx.conn(), console.server, console.tenant, now, longest).await?;
        for (count, limit, whose) in
            [(on_server, self.limits.per_server, "on its server"), (of_tenant, self.limits.per_tenant, "of its tenant")]
        {
            if count >= i64::from(limit) {
                let detail = format!("{count} consoles {whose} are open, and {limit} are allowed: close one first");
                return Err(Error::conflict("console_limit", detail));
            }
        }
        Ok(())
    }

    /// Where the console of this id would be relayed; `None`: there is none, which is not to be told apart from a wrong ticket.
    pub async fn console_reach(&self, id: ConsoleId) -> Result<Option<Reach>> {
        let found = store::console_get(self.db.read().await?.conn(), id, self.clock.now()).await?;
        match found.filter(|found| !found.spent) {
            Some(found) => self.port.reach(found.console.server).await.map(Some),
            None => Ok(None),
        }
    }

    /// Whether who asked for a console may still use it: what they asked by counts, and gives them the right to use that pod, which may
    /// be looked at and is where it was.
    pub async fn console_permitted(&self, console: &Console) -> Result<bool> {
        let pod = match self.cloudpods.cloudpod_get(Scope::Platform, console.pod).await {
            Ok(found) => found.pod,
            Err(Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        if !seen_at(&pod).is_ok_and(|(server, vmid)| (server.id, vmid) == (console.server, console.vmid)) {
            return Ok(false);
        }
        let principal = match console.opener {
            None => None,
            Some(Opener::Session { session }) => self.access.session_bearer(session).await?,
            Some(Opener::User { user }) => {
                let mut read = self.db.read().await?;
                self.access.principal(read.conn(), user).await?
            }
            Some(Opener::Token { token }) => match self.access.token_bearer_by_id(token).await {
                Ok(Some(Bearer::Platform(_))) => return Ok(true),
                Ok(Some(Bearer::Person(principal, _))) => Some(principal),
                Ok(None) | Err(Error::Unauthorized(_)) => None,
                Err(error) => return Err(error),
            },
        };
        let reach = principal.map(|principal| resolve(&principal, Door::Admin, Some(console.tenant)));
        Ok(matches!(reach, Some(Ok(reach)) if reach.grant.has(Permission::CloudpodsWrite)))
    }

    /// Takes a ticket, which counts no more afterwards. `None`: it is wrong, spent or too old, or who asked for it may not use the
    /// console any more.
    pub async fn console_redeem(&self, id: ConsoleId, ticket: &str) -> Result<Option<Console>> {
        let now = self.clock.now();
        let found = store::console_get(self.db.read().await?.conn(), id, now).await?;
        let Some(found) = found else { return Ok(None) };
        let right = bool::from(found.ticket_hash.as_slice().ct_eq(&hash(ticket)));
        if !right || found.spent || !self.console_permitted(&found.console).await? {
            return Ok(None);
        }
        let mut tx = self.db.begin().await?;
        if !store::console_redeem(&mut tx, id, now, self.instance).await? {
            return Ok(None);
        }
        let actor = Actor::system("consoles");
        self.note(&mut tx, &actor, &found.console, "console.opened", None).await?;
        tx.commit().await?;
        Ok(Some(found.console))
    }

    /// Opens a console whose ticket was taken.
    pub async fn console_open(&self, console: &Console) -> Result<Pipe> {
        self.port.open(console, OPEN_WITHIN).await
    }

    /// It is over.
    pub async fn console_closed(&self, console: &Console, why: &str) -> Result<()> {
        let why = clipped(why, WHY_MAX);
        let mut tx = self.db.begin().await?;
        if store::console_close(&mut tx, console.id, self.clock.now(), &why).await? {
            self.note(&mut tx, &Actor::system("consoles"), console, "console.closed", Some(&why)).await?;
        }
        tx.commit().await
    }

    /// Closes the consoles of control planes that are no more; how many.
    pub async fn consoles_abandoned_close(&self) -> Result<u64> {
        let mut abandoned = Vec::new();
        let mut read = self.db.read().await?;
        for instance in store::consoles_relaying(read.conn(), self.instance).await? {
            if self.cluster.is_dead(read.conn(), instance).await? {
                abandoned.extend(store::consoles_of(read.conn(), instance).await?);
            }
        }
        drop(read);
        for console in &abandoned {
            self.console_closed(console, "the control plane that relayed it is gone").await?;
        }
        Ok(abandoned.len() as u64)
    }

    /// Deletes those of long ago; how many.
    pub async fn consoles_prune(&self, before: Ms, limit: u32) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let pruned = store::consoles_prune(&mut tx, before, limit).await?;
        tx.commit().await?;
        Ok(pruned)
    }

    async fn note(&self, tx: &mut Tx, actor: &Actor, console: &Console, action: &str, why: Option<&str>) -> Result<()> {
        let Console { id, tenant, pod, server, vmid: _, kind, asked_by, opener: _ } = console;
        let detail = json!({ "console_id": id, "server_id": server, "kind": kind, "asked_by": asked_by, "why": why });
        let (now, tenant) = (self.clock.now(), Some(*tenant));
        let target_id = pod.to_string();
        let record = Record { actor, tenant, action, target_kind: "cloudpod", target_id: target_id.clone() };
        audit_append(tx, now, record, &detail).await?;
        event_append(tx, now, Event { tenant, name: action, subject: target_id }, &detail).await
    }
}

/// Where a pod's VM is to be looked at, if it may be.
fn seen_at(pod: &CloudPod) -> Result<(&Named<ServerId>, u32)> {
    pod.state.power_change("be looked at")?;
    let none = || Error::conflict("cloudpod_without_vm", "the pod has no VM to look at");
    pod.server.as_ref().zip(pod.vmid).ok_or_else(none)
}

/// 256 random bits: as hard to guess as to invert the hash of.
pub fn secret_new() -> Result<Secret<String>> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    getrandom::fill(bytes.as_mut()).map_err(Error::internal)?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_ref())))
}

fn hash(ticket: &str) -> [u8; 32] {
    Sha256::digest(ticket.as_bytes()).into()
}
