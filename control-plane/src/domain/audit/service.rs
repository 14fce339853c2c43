//! Reads the records, and seals them.

use std::time::Duration;

use serde_json::json;

use super::store::chain::{self as links};
use super::{Actor, Entry, Filter, Hash, Link, Record, Scope, audit_append, chain, store};
use crate::clock::Clock;
use crate::db::{Conn, Db, Lookout, Window};
use crate::domain::finding::{Finding, Findings};
use crate::error::{Error, Result};
use crate::events::{Event, event_append};
use crate::ids::AuditId;

/// Records that one transaction seals.
const BATCH: i64 = 500;
/// A record that is not sealed after so long is a finding.
const UNSEALED_MAX: Duration = Duration::from_mins(2);
/// Links at the chain's end that every look at the invariants computes anew.
const TAIL: i64 = 200;
/// The chain's head is told once in each of these.
const TELL_EVERY_MS: i64 = 60 * 60 * 1000;

/// See the module.
pub struct Service {
    pub(super) db: Db,
    clock: Clock,
    lookout: Lookout,
}

impl Service {
    /// Over this database.
    #[must_use]
    pub fn new(db: Db, clock: Clock) -> Self {
        Self { db, clock, lookout: Lookout::default() }
    }

    /// Records, the newest first.
    pub async fn record_list(&self, scope: Scope, filter: &Filter, window: Window<AuditId>) -> Result<Vec<Entry>> {
        let mut read = self.db.read().await?;
        store::record_list(read.conn(), scope, filter, window.after, window.limit).await
    }

    /// Records, the oldest first.
    pub async fn record_list_forth(
        &self,
        scope: Scope,
        filter: &Filter,
        window: Window<AuditId>,
    ) -> Result<Vec<Entry>> {
        let mut read = self.db.read().await?;
        store::record_list_forth(read.conn(), scope, filter, window.after, window.limit).await
    }

    /// One record.
    pub async fn record_get(&self, scope: Scope, id: AuditId) -> Result<Entry> {
        let mut read = self.db.read().await?;
        store::record_get(read.conn(), scope, id).await?.ok_or_else(|| Error::not_found("audit record", id))
    }

    /// Records that somebody takes records away with him.
    pub async fn export_note(&self, actor: &Actor, scope: Scope, filter: &Filter, format: &str) -> Result<()> {
        let Filter { actor: of, action, target_kind, target_id, from, until } = filter;
        let detail = json!({
            "format": format,
            "filter": {"actor": of, "action": action, "target_kind": target_kind, "target_id": target_id, "from": from, "until": until},
        });
        let tenant = scope.tenant();
        let target_id = tenant.map_or_else(|| "all".to_owned(), |tenant| tenant.to_string());
        let record = Record { actor, tenant, action: "audit.exported", target_kind: "audit", target_id };
        let mut tx = self.db.begin().await?;
        audit_append(&mut tx, self.clock.now(), record, &detail).await?;
        tx.commit().await
    }

    /// Seals up to [`BATCH`] of the records that wait for it; how many, and whether more may wait. Any number of control planes
    /// may do this at once: one at a time does.
    pub async fn records_seal(&self) -> Result<(u64, bool)> {
        let now = self.clock.now();
        let after = self.lookout.after(now);
        let mut read = self.db.read().await?;
        if !links::is_unsealed(read.conn(), after).await? {
            return Ok((0, false));
        }
        drop(read);
        let mut tx = self.db.begin().await?;
        let Some(head) = links::head_lock(&mut tx).await? else { return Err(no_head()) };
        let waiting = links::unsealed_list(tx.conn(), after, BATCH).await?;
        let mut last = head;
        let mut sealed = Vec::with_capacity(waiting.len());
        for entry in &waiting {
            let seq = last.seq + 1;
            last = Link { seq, hash: chain::link(last.hash, seq, entry) };
            sealed.push((entry.id, last));
        }
        links::links_append(&mut tx, now, &sealed).await?;
        let before = links::link_get(tx.conn(), head.seq).await?.map(|(_, sealed_at)| sealed_at);
        let tell = before.is_none_or(|before| before.0.div_euclid(TELL_EVERY_MS) < now.0.div_euclid(TELL_EVERY_MS));
        if tell && !sealed.is_empty() {
            let event = Event { tenant: None, name: "audit.head", subject: last.seq.to_string() };
            event_append(&mut tx, now, event, &json!({"count": last.seq, "head": last.hash.to_string()})).await?;
        }
        tx.commit().await?;
        if tell && !sealed.is_empty() {
            tracing::info!(count = last.seq, head = %last.hash, "the audit's chain has come so far");
        }
        if let Some(entry) = waiting.last() {
            self.lookout.done(entry.id.0);
        }
        Ok((sealed.len() as u64, waiting.len() as i64 == BATCH))
    }

    /// Whether records are sealed in time and the chain's end is as it was left.
    pub async fn chain_check(&self, mut conn: Conn<'_>) -> Result<Findings> {
        let mut findings = Findings::default();
        let now = self.clock.now();
        let unsealed = links::unsealed_count(conn.again()).await?;
        if let Some(since) = unsealed.since.filter(|since| now.since(*since) > UNSEALED_MAX) {
            findings.push(Finding {
                subject: "audit".to_owned(),
                since: Some(since),
                detail: format!("{} record(s) are not sealed yet", unsealed.count),
                cure: "look in the log for what the loop `sealer` says; a record that was removed before it was sealed stays in \
                       this count: `mpanel audit verify` names it"
                    .to_owned(),
            });
        }
        let mut broken = |detail: String| {
            findings.push(Finding {
                subject: "audit".to_owned(),
                since: None,
                detail,
                cure: "somebody changed the audit's tables: `mpanel audit verify` says where; compare with a backup"
                    .to_owned(),
            });
        };
        let Some(head) = links::head_get(conn.again()).await? else {
            broken("the row that says where the chain ends is gone".to_owned());
            return Ok(findings);
        };
        let last = links::link_last(conn.again()).await?;
        if last != head.seq {
            broken(format!("the chain ends at number {last}, and should at {}", head.seq));
        }
        let from = (last - TAIL).max(0);
        let before = links::link_get(conn.again(), from).await?.map_or(Hash::NONE, |(link, _)| link.hash);
        let mut walk = super::verify::Walk::new(Link { seq: from, hash: before });
        for kept in links::links_after(conn, from, TAIL).await? {
            walk.step(&kept);
        }
        for found in walk.breaks {
            broken(found.detail);
        }
        Ok(findings)
    }
}

/// The table's only row was removed.
pub(super) fn no_head() -> Error {
    Error::internal("the row of audit_head is gone: somebody changed the audit's tables")
}
