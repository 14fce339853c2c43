//! What is heard of servers: sessions, heartbeats, inventories. The newest heartbeat is kept in memory; the database gets
//! the time it was heard (in batches, by the health loop), a sample now and then, and what changed.

mod store;

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::facts::{CloseReason, Heartbeat, Hello, Inventory};
use super::service::Service;
use super::{Connection, ConnectionEvent, ConnectionState};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::audit::{Actor, Record, audit_append};
use crate::domain::check::clipped;
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::{InstanceId, ServerId};

/// A sample of a server's health goes to the database at most so often.
const SAMPLE_EVERY: Duration = Duration::from_secs(30);
/// So many heartbeats may be missed before a server counts as offline.
const HEARTBEATS_MISSED: u32 = 3;
/// How many servers one statement or transaction of the health loop touches.
const BATCH: usize = 500;
/// The most VMs and bridges that are believed of one host.
const INVENTORY_MAX: usize = 10_000;
/// The most storages of a kind.
const STORAGES_MAX: usize = 256;

/// How a server was doing at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthSample {
    /// When it was heard.
    pub at: Ms,
    /// 0..=1, of all threads.
    pub cpu_load: f64,
    /// Memory in use.
    pub memory_used_mib: u64,
    /// All memory.
    pub memory_total_mib: u64,
    /// What is taken of all storages together.
    pub storage_used_gib: u64,
    /// All storages together.
    pub storage_total_gib: u64,
}

/// The newest that was heard of a server in this process.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    epoch: u64,
    at: Ms,
    /// Not yet in the database.
    unflushed: bool,
    sampled_at: Option<Ms>,
    heartbeat: Option<Heartbeat>,
    /// What the database was last told of the host; what is the same again is not written again.
    written: Option<HostFacts>,
}

/// The columns that a heartbeat may change.
#[derive(Clone, Debug, PartialEq)]
struct HostFacts {
    cpu_threads: u32,
    memory_mib: u64,
    pve_version: String,
    node_name: String,
    cluster_name: String,
    problem: String,
    refuses: String,
    datacenter_firewall: Option<bool>,
    complete: bool,
    storages: BTreeMap<String, StorageFacts>,
    backup_storages: Option<Vec<String>>,
}

#[derive(Clone, Debug, PartialEq)]
struct StorageFacts {
    active: bool,
    shared: bool,
    kind: String,
    total_gib: u64,
    used_gib: u64,
}

impl HostFacts {
    fn of(heartbeat: &Heartbeat) -> Self {
        let storages = heartbeat
            .storages
            .iter()
            .filter(|s| s.holds_images && !s.name.is_empty())
            .take(STORAGES_MAX)
            .map(|s| {
                let facts = StorageFacts {
                    active: s.active,
                    shared: s.shared,
                    kind: clipped(&s.kind, 32),
                    total_gib: s.total_mib / 1024,
                    // Rounded up, because what is free must not be overstated.
                    used_gib: s.used_mib.div_ceil(1024),
                };
                (clipped(&s.name, 100), facts)
            })
            .collect();
        let backup_storages = heartbeat
            .backup_storages()
            .map(|names| names.iter().take(STORAGES_MAX).map(|name| clipped(name, 100)).collect());
        Self {
            cpu_threads: heartbeat.cpu_threads,
            memory_mib: heartbeat.memory_total_mib,
            pve_version: clipped(&heartbeat.pve_version, 64),
            node_name: clipped(&heartbeat.node_name, 64),
            cluster_name: clipped(&heartbeat.cluster_name, 64),
            problem: clipped(&heartbeat.problem(), 1000),
            refuses: clipped(&heartbeat.refusal(), 1000),
            datacenter_firewall: heartbeat.datacenter_firewall,
            complete: heartbeat.is_complete(),
            storages,
            backup_storages,
        }
    }
}

/// Whether an agent was let in. The transaction is to be committed in either case: a refusal is noted in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// This is the epoch of its session.
    Opened(u64),
    /// It runs on another machine than the one that was enrolled; the text says what to do. The server's own session goes on.
    OtherMachine(String),
}

/// What one run of the health loop did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HealthReport {
    /// Servers whose time of last being heard was written down.
    pub heard: u64,
    /// Servers that came back without a new session.
    pub back: u64,
    /// Servers that fell silent.
    pub lost: u64,
    /// Sessions of this process that a newer one, or a revocation, has fenced off.
    pub fenced: u64,
}

impl Service {
    /// Opens a session: raises the server's epoch, which closes every older session's claim to be heard, and answers it.
    ///
    /// The machine of the first session after an enrolment is the server's until the next enrolment. Another one with the same
    /// identity is a copy, whose ledger does not know what the first has done since: it is given no session, because what is
    /// out at the first would be done a second time there.
    pub async fn session_open(
        &self,
        tx: &mut Tx,
        server: ServerId,
        hello: &Hello,
        owner: InstanceId,
    ) -> Result<Admission> {
        let now = self.clock.now();
        let record = super::store::server_get(tx.conn(), server).await?;
        let machine = clipped(&hello.machine_id, 128);
        let connection = record.connection.after(ConnectionEvent::Heard, now);
        let session = store::Session { server, owner, connection, now, machine: &machine, hello };
        let Some(epoch) = store::session_open(tx, &session).await? else {
            return self.other_machine(tx, server, &machine).await;
        };
        if connection != record.connection {
            self.connection_changed(tx, server, connection, "session").await?;
        }
        Ok(Admission::Opened(epoch))
    }

    /// Notes, once for each machine, that another one came with this server's identity.
    async fn other_machine(&self, tx: &mut Tx, server: ServerId, machine: &str) -> Result<Admission> {
        let record = super::store::server_get(tx.conn(), server).await?;
        let text = format!(
            "two hosts use this server's identity: machine {} was enrolled, and machine {} came with a copy of its agent's \
             state and is kept out; stop the agent on the copy, then enrol the right host anew with `mpanel server token {}`",
            record.seen.machine_id.as_deref().unwrap_or("(unknown)"),
            if machine.is_empty() { "(unknown)" } else { machine },
            record.name,
        );
        if store::machine_problem_set(tx, server, &text).await? {
            let (actor, detail) = (Actor::agent(server), serde_json::json!({ "problem": text }));
            self.note(tx, &actor, "server.identity_shared", server, &detail).await?;
        }
        Ok(Admission::OtherMachine(text))
    }

    /// Ends a session. The server is offline afterwards only if no newer session has begun.
    pub async fn session_close(&self, server: ServerId, epoch: u64) -> Result<()> {
        self.forget(server, epoch);
        let mut tx = self.db.begin().await?;
        let now = self.clock.now();
        if store::session_close(&mut tx, server, epoch, now).await? {
            let connection = Connection { state: ConnectionState::Offline, since: now };
            self.connection_changed(&mut tx, server, connection, "session ended").await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The epoch of a server's newest session; `None`: there is no such server any more.
    pub async fn session_epoch(&self, server: ServerId) -> Result<Option<u64>> {
        store::session_epoch(self.db.read().await?.conn(), server).await
    }

    /// Takes a heartbeat of the session `epoch` in. One of an older session than the newest that this process knows changes
    /// nothing.
    pub async fn heartbeat_record(&self, server: ServerId, epoch: u64, heartbeat: Heartbeat) -> Result<()> {
        let now = self.clock.now();
        let facts = HostFacts::of(&heartbeat);
        let (sample, changed) = {
            let mut all = self.heard();
            let heard = all.entry(server).or_insert_with(|| Heard {
                epoch,
                at: now,
                unflushed: true,
                sampled_at: None,
                heartbeat: None,
                written: None,
            });
            if heard.epoch > epoch {
                return Ok(());
            }
            if heard.epoch < epoch {
                // Another control plane may have written in between.
                heard.written = None;
            }
            heard.epoch = epoch;
            heard.at = now;
            heard.unflushed = true;
            let due = heard.sampled_at.is_none_or(|at| now.since(at) >= SAMPLE_EVERY);
            // What is used of a storage changes all the time; it goes with the samples.
            let changed = heard.written.as_ref().is_none_or(|w| if due { *w != facts } else { differs(w, &facts) });
            heard.heartbeat = Some(heartbeat.clone());
            (due, changed)
        };
        if !sample && !changed {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        if !store::epoch_is_newest(tx.conn(), server, epoch).await? {
            return Ok(());
        }
        if changed {
            store::facts_write(&mut tx, server, &facts, now).await?;
        }
        if sample {
            store::sample_insert(&mut tx, server, &sample_of(&heartbeat, now)).await?;
        }
        tx.commit().await?;
        if let Some(heard) = self.heard().get_mut(&server).filter(|h| h.epoch == epoch) {
            heard.written = Some(facts);
            if sample {
                heard.sampled_at = Some(now);
            }
        }
        Ok(())
    }

    /// The newest heartbeat that this process heard of a server, and when.
    #[must_use]
    pub fn heartbeat_newest(&self, server: ServerId) -> Option<(Heartbeat, Ms)> {
        self.heard().get(&server).and_then(|h| h.heartbeat.clone().map(|b| (b, h.at)))
    }

    /// Stores which VMs are on a host, as its session `epoch` tells. `false`: a newer session has begun, nothing was stored,
    /// and the transaction is to be dropped.
    pub async fn inventory_record(
        &self,
        tx: &mut Tx,
        server: ServerId,
        epoch: u64,
        inventory: &Inventory,
    ) -> Result<bool> {
        if inventory.vms.len() > INVENTORY_MAX || inventory.gone.len() > INVENTORY_MAX {
            return Err(Error::invalid("inventory", format!("has more than {INVENTORY_MAX} VMs")));
        }
        store::inventory_write(tx, server, epoch, inventory, self.clock.now()).await
    }

    /// How a server was doing between two times, oldest first: at most `limit` samples, the newest of them.
    pub async fn server_health(
        &self,
        conn: Conn<'_>,
        server: ServerId,
        since: Ms,
        until: Ms,
        limit: u32,
    ) -> Result<Vec<HealthSample>> {
        store::samples(conn, server, since, until, limit).await
    }

    /// One run of the health loop: writes down who was heard, and finds who fell silent, on whichever control plane it was.
    pub async fn health_run(&self) -> Result<HealthReport> {
        let mut report = HealthReport::default();
        let mut heard: Vec<(ServerId, u64, Ms)> =
            self.heard().iter().filter(|(_, h)| h.unflushed).map(|(id, h)| (*id, h.epoch, h.at)).collect();
        // One order for all who lock several servers.
        heard.sort_unstable();
        for batch in heard.chunks(BATCH) {
            self.heard_flush(batch, &mut report).await?;
        }
        self.quiet_check(&mut report).await?;
        loop {
            let lost = self.silent_find().await?;
            report.lost += lost as u64;
            if lost < BATCH {
                return Ok(report);
            }
        }
    }

    async fn heard_flush(&self, batch: &[(ServerId, u64, Ms)], report: &mut HealthReport) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let mut fenced = Vec::new();
        for (server, epoch, at) in batch {
            if store::last_seen_set(&mut tx, *server, *epoch, *at).await? {
                report.heard += 1;
            // Taken for lost, by another control plane or while this one stood still, and heard in its newest session again.
            } else if store::session_revive(&mut tx, *server, *epoch, *at, self.clock.now()).await? {
                let connection = Connection { state: ConnectionState::Online, since: self.clock.now() };
                self.connection_changed(&mut tx, *server, connection, "heard again").await?;
                report.back += 1;
            } else {
                fenced.push((*server, *epoch));
            }
        }
        tx.commit().await?;
        {
            let mut all = self.heard();
            for (server, epoch, at) in batch {
                if let Some(heard) = all.get_mut(server).filter(|h| h.epoch == *epoch && h.at == *at) {
                    heard.unflushed = false;
                }
            }
        }
        for (server, epoch) in fenced {
            if self.forget(server, epoch) {
                report.fenced += 1;
                self.sessions.close(server, CloseReason::Superseded { epoch });
            }
        }
        Ok(())
    }

    /// Finds agents that went quiet here because they have a session at another control plane.
    async fn quiet_check(&self, report: &mut HealthReport) -> Result<()> {
        if self.db.is_embedded() {
            return Ok(());
        }
        let before = self.clock.now().minus(self.facts.heartbeat * 3 / 2);
        let quiet: Vec<(ServerId, u64)> =
            self.heard().iter().filter(|(_, h)| h.at < before).map(|(id, h)| (*id, h.epoch)).take(BATCH).collect();
        for (server, epoch) in quiet {
            let newest = store::epoch_is_newest(self.db.read().await?.conn(), server, epoch).await?;
            if !newest && self.forget(server, epoch) {
                report.fenced += 1;
                self.sessions.close(server, CloseReason::Superseded { epoch });
            }
        }
        Ok(())
    }

    /// Takes servers that were not heard for too long to be offline; answers how many, at most a batch.
    async fn silent_find(&self) -> Result<usize> {
        let now = self.clock.now();
        let before = now.minus(self.facts.heartbeat * HEARTBEATS_MISSED);
        let mut tx = self.db.begin().await?;
        let lost = store::silent_close(&mut tx, before, now, BATCH).await?;
        for server in &lost {
            let connection = Connection { state: ConnectionState::Offline, since: now };
            self.connection_changed(&mut tx, *server, connection, "not heard").await?;
        }
        if !lost.is_empty() {
            tx.commit().await?;
        }
        Ok(lost.len())
    }

    /// Deletes up to `limit` health samples older than `before`; answers how many.
    pub async fn health_prune(&self, before: Ms, limit: u32) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let gone = store::samples_prune(&mut tx, before, limit).await?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Ends a server's session wherever it is known to this process.
    pub(crate) fn session_drop(&self, server: ServerId, reason: CloseReason) {
        self.heard().remove(&server);
        self.sessions.close(server, reason);
    }

    fn forget(&self, server: ServerId, epoch: u64) -> bool {
        let mut all = self.heard();
        let same = all.get(&server).is_some_and(|h| h.epoch == epoch);
        if same {
            all.remove(&server);
        }
        same
    }

    pub(super) fn heard(&self) -> MutexGuard<'_, std::collections::HashMap<ServerId, Heard>> {
        // Nothing is left half done while it is held, so a panic elsewhere does not spoil it.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connection_changed(
        &self,
        tx: &mut Tx,
        server: ServerId,
        connection: Connection,
        why: &'static str,
    ) -> Result<()> {
        let name = match connection.state {
            ConnectionState::Online => "server.online",
            ConnectionState::Offline | ConnectionState::Pending => "server.offline",
        };
        let actor = Actor::system("health");
        let detail = serde_json::json!({ "connection": connection.state, "since": connection.since, "why": why });
        let record =
            Record { actor: &actor, tenant: None, action: name, target_kind: "server", target_id: server.to_string() };
        audit_append(tx, self.clock.now(), record, &detail).await?;
        event_append(tx, self.clock.now(), Event { tenant: None, name, subject: server.to_string() }, &detail).await
    }
}

/// Whether anything but what is used of the storages is different.
fn differs(written: &HostFacts, facts: &HostFacts) -> bool {
    let unused = |facts: &HostFacts| {
        let mut facts = facts.clone();
        for storage in facts.storages.values_mut() {
            storage.used_gib = 0;
        }
        facts
    };
    unused(written) != unused(facts)
}

fn sample_of(heartbeat: &Heartbeat, at: Ms) -> HealthSample {
    let disks = heartbeat.storages.iter().filter(|s| s.active && s.holds_images);
    let (used, total) = disks
        .fold((0_u64, 0_u64), |(used, total), s| (used.saturating_add(s.used_mib), total.saturating_add(s.total_mib)));
    HealthSample {
        at,
        cpu_load: if heartbeat.cpu_load.is_finite() { heartbeat.cpu_load.clamp(0.0, 1.0) } else { 0.0 },
        memory_used_mib: heartbeat.memory_used_mib,
        memory_total_mib: heartbeat.memory_total_mib,
        storage_used_gib: used / 1024,
        storage_total_gib: total / 1024,
    }
}
