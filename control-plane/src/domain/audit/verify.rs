//! Proves the chain, in parts of bounded time: walks it from the start, computes each hash anew, looks for records that are
//! in none of the books, and says where what does not fit.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::service::{Service, no_head};
use super::store::chain::{self as links, Kept};
use super::{Hash, Link, chain};
use crate::clock::{Ms, Stopwatch};
use crate::error::Result;
use crate::ids::AuditId;

/// Links or records that are read at once.
const PAGE: i64 = 500;
/// A part of the proof takes no longer than this and a page.
const PART_TIME_MAX: Duration = Duration::from_secs(5);
/// A part ends with so many breaks.
const BREAKS_MAX: usize = 100;

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditBreakKind)]
pub enum BreakKind {
    /// The hash does not follow from the record and the link before: one of them was changed, or is in another's place.
    Altered,
    /// A record that was sealed, or was to be, is not there.
    Missing,
    /// Links are not there.
    Gap,
    /// The chain ends before where it was said to end.
    Truncated,
    /// A record that is neither sealed nor waits for it: it was put in behind the triggers' back.
    Unknown,
    /// A link is not the one that the caller knew.
    Rewritten,
}

/// A place where something does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = AuditBreak)]
pub struct Break {
    /// What does not fit.
    pub kind: BreakKind,
    /// At which link.
    pub seq: Option<i64>,
    /// Which record it is about.
    pub record_id: Option<AuditId>,
    /// In words.
    pub detail: String,
}

/// From where a part of the proof goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// After this link.
    pub seq: i64,
    /// The links are done; after this record.
    pub record: Option<Uuid>,
}

/// A part of the proof.
#[derive(Debug)]
pub struct Part {
    /// What does not fit in it.
    pub breaks: Vec<Break>,
    /// Links walked so far, from the start.
    pub checked: i64,
    /// Where the chain ends now.
    pub head: Link,
    /// Records that are not sealed yet.
    pub unsealed: i64,
    /// The oldest of these.
    pub unsealed_since: Option<Ms>,
    /// Where to go on; `None`: all of it is proven.
    pub next: Option<Place>,
}

/// A walk along the chain.
#[derive(Debug)]
pub(super) struct Walk {
    /// The last link; its hash as it is kept, so that one break is told once.
    last: Link,
    pub(super) breaks: Vec<Break>,
}

impl Walk {
    /// From this link on.
    pub(super) fn new(last: Link) -> Self {
        Self { last, breaks: Vec::new() }
    }

    fn found(&mut self, kind: BreakKind, seq: Option<i64>, record_id: Option<AuditId>, detail: String) {
        self.breaks.push(Break { kind, seq, record_id, detail });
    }

    /// One link further.
    pub(super) fn step(&mut self, kept: &Kept) {
        let Kept { link, record, sealed_at, entry } = kept;
        let (seq, at) = (link.seq, sealed_at.to_rfc3339());
        let expected = self.last.seq + 1;
        match entry {
            // What the link followed is gone, and with it the proof of this one.
            _ if seq != expected => {
                let detail = format!("links {expected} to {} are not there; number {seq} was sealed at {at}", seq - 1);
                self.found(BreakKind::Gap, Some(expected), None, detail);
            }
            None => {
                let detail = format!("record {record}, which link {seq} sealed at {at}, is not there");
                self.found(BreakKind::Missing, Some(seq), Some(*record), detail);
            }
            Some(entry) if chain::link(self.last.hash, seq, entry) != link.hash => {
                let detail = format!(
                    "record {record} is not the one that link {seq} sealed at {at} after link {}: it or a link was changed, or \
                     put in another place",
                    self.last.seq
                );
                self.found(BreakKind::Altered, Some(seq), Some(*record), detail);
            }
            Some(_) => {}
        }
        self.last = *link;
    }
}

impl Service {
    /// A part of the proof, from `place` on. `known`: a link that the caller has noted before; it has to be in the chain.
    pub async fn chain_verify(&self, place: Place, known: Option<Link>) -> Result<Part> {
        let watch = Stopwatch::start();
        let mut breaks = Vec::new();
        if let Some(known) = known {
            breaks.extend(self.known_check(known).await?);
        }
        let mut place = place;
        let mut next = Some(place);
        while let Some(at) = next.filter(|_| watch.elapsed() < PART_TIME_MAX && breaks.len() < BREAKS_MAX) {
            place = at;
            next = match at.record {
                None => Some(self.links_verify(at.seq, &mut breaks).await?),
                Some(record) => self.records_verify(at, record, &mut breaks).await?,
            };
        }
        // At one moment, so that each record counts as sealed or as unsealed.
        let mut at = self.db.snapshot().await?;
        let head = links::head_get(at.conn()).await?.ok_or_else(no_head)?;
        let unsealed = links::unsealed_count(at.conn()).await?;
        let checked = next.map_or(place.seq, |next| next.seq);
        Ok(Part { breaks, checked, head, unsealed: unsealed.count, unsealed_since: unsealed.since, next })
    }

    async fn known_check(&self, known: Link) -> Result<Option<Break>> {
        let mut read = self.db.read().await?;
        let found = links::link_get(read.conn(), known.seq).await?.map(|(link, _)| link);
        let detail = match found {
            Some(found) if found.hash == known.hash => return Ok(None),
            Some(found) => {
                format!("link {} is {}, and was {}: the chain was written anew", known.seq, found.hash, known.hash)
            }
            None => format!("link {} is not there, and was: the chain was cut off or written anew", known.seq),
        };
        Ok(Some(Break { kind: BreakKind::Rewritten, seq: Some(known.seq), record_id: None, detail }))
    }

    /// A page of links; where to go on.
    async fn links_verify(&self, after: i64, breaks: &mut Vec<Break>) -> Result<Place> {
        let mut read = self.db.read().await?;
        // The caller may start anywhere: a link that is not there is no start, and what follows it is a gap.
        let start = links::link_get(read.conn(), after).await?.map(|(link, _)| link);
        let mut walk = Walk::new(start.unwrap_or(Link { seq: after, hash: Hash::NONE }));
        let page = links::links_after(read.conn(), after, PAGE).await?;
        for kept in &page {
            walk.step(kept);
        }
        let last = walk.last.seq;
        breaks.append(&mut walk.breaks);
        if page.len() as i64 == PAGE {
            return Ok(Place { seq: last, record: None });
        }
        // Read after the links: until then the chain can only have grown.
        let head = links::head_get(read.conn()).await?.ok_or_else(no_head)?;
        let end = links::link_get(read.conn(), head.seq).await?.map(|(link, _)| link);
        let ends = head.seq >= last && (head.seq == 0 || end == Some(head));
        if !ends {
            let detail = format!(
                "the chain ends with number {last}, and is said to end with number {}, {}",
                head.seq, head.hash
            );
            breaks.push(Break { kind: BreakKind::Truncated, seq: Some(last), record_id: None, detail });
        }
        for id in links::unsealed_missing(read.conn(), BREAKS_MAX as i64).await? {
            let detail = format!("record {id}, which waited to be sealed, is not there");
            breaks.push(Break { kind: BreakKind::Missing, seq: None, record_id: Some(id), detail });
        }
        Ok(Place { seq: last, record: Some(Uuid::nil()) })
    }

    /// A page of records; where to go on.
    async fn records_verify(&self, at: Place, after: Uuid, breaks: &mut Vec<Break>) -> Result<Option<Place>> {
        let mut read = self.db.read().await?;
        let page = links::records_known(read.conn(), after, PAGE).await?;
        for record in page.iter().filter(|record| !record.kept) {
            let made = record.created_at.to_rfc3339();
            let detail = format!(
                "record {}, which says that it is of {made}, is neither sealed nor waits to be: it was put in by somebody else",
                record.id
            );
            breaks.push(Break { kind: BreakKind::Unknown, seq: None, record_id: Some(record.id), detail });
        }
        let more = page.len() as i64 == PAGE;
        Ok(page.last().filter(|_| more).map(|last| Place { record: Some(last.id.0), ..at }))
    }
}
