//! The chain's rows.

use serde::Serialize;
use sqlx::types::Json;
use uuid::Uuid;

use super::{EntryRow, entry_columns, hash_of};
use crate::clock::Ms;
use crate::db::{Conn, Tx};
use crate::domain::audit::{Entry, Hash, Link};
use crate::error::{Error, Result};
use crate::ids::AuditId;
use crate::{execute, fetch_all, fetch_one, fetch_optional, sql_by_db};

/// A link as it is kept, and its record, if that is still there.
pub(in crate::domain::audit) struct Kept {
    pub(in crate::domain::audit) link: Link,
    pub(in crate::domain::audit) record: AuditId,
    pub(in crate::domain::audit) sealed_at: Ms,
    pub(in crate::domain::audit) entry: Option<Entry>,
}

/// Whether a record is anywhere in the chain's books.
#[derive(sqlx::FromRow)]
pub(in crate::domain::audit) struct Known {
    pub(in crate::domain::audit) id: AuditId,
    #[sqlx(rename = "known")]
    pub(in crate::domain::audit) kept: bool,
    pub(in crate::domain::audit) created_at: Ms,
}

/// What waits to be sealed.
#[derive(sqlx::FromRow)]
pub(in crate::domain::audit) struct Unsealed {
    pub(in crate::domain::audit) count: i64,
    pub(in crate::domain::audit) since: Option<Ms>,
}

#[derive(sqlx::FromRow)]
struct KeptRow {
    link_seq: i64,
    link_hash: Vec<u8>,
    record_id: AuditId,
    sealed_at: Ms,
}

#[derive(sqlx::FromRow)]
struct HeadRow {
    seq: i64,
    hash: Option<Vec<u8>>,
}

impl TryFrom<HeadRow> for Link {
    type Error = Error;

    fn try_from(HeadRow { seq, hash }: HeadRow) -> Result<Self> {
        let hash = hash.map(hash_of).transpose()?.unwrap_or(Hash::NONE);
        Ok(Self { seq, hash })
    }
}

const HEAD: &str = "SELECT seq, hash FROM audit_head WHERE id = 1";

/// Where the chain ends; number 0 and [`Hash::NONE`] before the first record.
pub(in crate::domain::audit) async fn head_get(conn: Conn<'_>) -> Result<Option<Link>> {
    fetch_optional!(conn, HeadRow, HEAD)?.map(Link::try_from).transpose()
}

/// The same, kept from everybody else until the transaction ends.
pub(in crate::domain::audit) async fn head_lock(tx: &mut Tx) -> Result<Option<Link>> {
    const POSTGRES: &str = "SELECT seq, hash FROM audit_head WHERE id = 1 FOR UPDATE";
    let sql = sql_by_db!(tx.conn(), sqlite: HEAD, postgres: POSTGRES);
    fetch_optional!(tx.conn(), HeadRow, sql)?.map(Link::try_from).transpose()
}

/// Whether anything waits to be sealed.
pub(in crate::domain::audit) async fn is_unsealed(conn: Conn<'_>, after: Uuid) -> Result<bool> {
    const SQL: &str = "SELECT record_id FROM audit_unsealed WHERE record_id > $1 ORDER BY record_id LIMIT 1";
    Ok(fetch_optional!(conn, (AuditId,), SQL, after)?.is_some())
}

/// Records that wait to be sealed, in the order of their ids.
pub(in crate::domain::audit) async fn unsealed_list(conn: Conn<'_>, after: Uuid, limit: i64) -> Result<Vec<Entry>> {
    const SQL: &str = "
        SELECT r.id, r.tenant_id, r.actor, r.address, r.request_id, r.action, r.target_kind, r.target_id,
               CAST(r.detail AS TEXT) AS detail, r.created_at, CAST(NULL AS BIGINT) AS seq, CAST(NULL AS BYTEA) AS hash
        FROM audit_unsealed u JOIN audit_records r ON r.id = u.record_id
        WHERE u.record_id > $1 ORDER BY u.record_id LIMIT $2";
    fetch_all!(conn, EntryRow, SQL, after, limit)?.into_iter().map(Entry::try_from).collect()
}

/// How many records wait to be sealed, and the oldest one's time.
pub(in crate::domain::audit) async fn unsealed_count(conn: Conn<'_>) -> Result<Unsealed> {
    const SQL: &str = "SELECT COUNT(*) AS count, MIN(created_at) AS since FROM audit_unsealed";
    Ok(fetch_one!(conn, Unsealed, SQL)?)
}

/// What was to be sealed and is not there any more.
pub(in crate::domain::audit) async fn unsealed_missing(conn: Conn<'_>, limit: i64) -> Result<Vec<AuditId>> {
    const SQL: &str = "
        SELECT u.record_id FROM audit_unsealed u
        WHERE NOT EXISTS (SELECT 1 FROM audit_records r WHERE r.id = u.record_id) ORDER BY u.record_id LIMIT $1";
    Ok(fetch_all!(conn, (AuditId,), SQL, limit)?.into_iter().map(|(id,)| id).collect())
}

/// Links as the JSON functions of both databases read them.
#[derive(Serialize)]
struct NewLinks {
    links: Vec<NewLink>,
}

#[derive(Serialize)]
struct NewLink {
    seq: i64,
    id: String,
    hash: String,
}

/// Appends links and takes their records from what waits.
pub(in crate::domain::audit) async fn links_append(tx: &mut Tx, at: Ms, links: &[(AuditId, Link)]) -> Result<()> {
    const INSERT_SQLITE: &str = "INSERT INTO audit_chain (seq, record_id, hash, sealed_at)
        SELECT value ->> 'seq', unhex(value ->> 'id'), unhex(value ->> 'hash'), $2 FROM json_each($1, '$.links')";
    const INSERT_POSTGRES: &str = "INSERT INTO audit_chain (seq, record_id, hash, sealed_at)
        SELECT seq, id, decode(hash, 'hex'), $2
        FROM jsonb_to_recordset($1 -> 'links') AS link (seq bigint, id uuid, hash text)";
    const DELETE_SQLITE: &str = "DELETE FROM audit_unsealed
        WHERE record_id IN (SELECT unhex(value ->> 'id') FROM json_each($1, '$.links'))";
    const DELETE_POSTGRES: &str = "DELETE FROM audit_unsealed
        WHERE record_id IN (SELECT id FROM jsonb_to_recordset($1 -> 'links') AS link (id uuid))";
    const HEAD: &str = "UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1";
    let Some((_, last)) = links.last() else { return Ok(()) };
    let new = |(id, link): &(AuditId, Link)| NewLink {
        seq: link.seq,
        id: id.0.simple().to_string(),
        hash: link.hash.to_string(),
    };
    let new = Json(NewLinks { links: links.iter().map(new).collect() });
    let insert = sql_by_db!(tx.conn(), sqlite: INSERT_SQLITE, postgres: INSERT_POSTGRES);
    execute!(tx.conn(), insert, &new, at)?;
    let delete = sql_by_db!(tx.conn(), sqlite: DELETE_SQLITE, postgres: DELETE_POSTGRES);
    execute!(tx.conn(), delete, &new)?;
    execute!(tx.conn(), HEAD, last.seq, last.hash.0.as_slice())?;
    Ok(())
}

/// The link of this number.
pub(in crate::domain::audit) async fn link_get(conn: Conn<'_>, seq: i64) -> Result<Option<(Link, Ms)>> {
    const SQL: &str = "SELECT seq AS link_seq, hash AS link_hash, record_id, sealed_at FROM audit_chain WHERE seq = $1";
    let row = fetch_optional!(conn, KeptRow, SQL, seq)?;
    row.map(|KeptRow { link_seq, link_hash, record_id: _, sealed_at }| {
        Ok((Link { seq: link_seq, hash: hash_of(link_hash)? }, sealed_at))
    })
    .transpose()
}

/// The last link's number; 0: there is none.
pub(in crate::domain::audit) async fn link_last(conn: Conn<'_>) -> Result<i64> {
    const SQL: &str = "SELECT seq FROM audit_chain ORDER BY seq DESC LIMIT 1";
    Ok(fetch_optional!(conn, (i64,), SQL)?.map_or(0, |(seq,)| seq))
}

/// Links with their records, after number `after`.
pub(in crate::domain::audit) async fn links_after(mut conn: Conn<'_>, after: i64, limit: i64) -> Result<Vec<Kept>> {
    const LINKS: &str = "SELECT seq AS link_seq, hash AS link_hash, record_id, sealed_at FROM audit_chain
                         WHERE seq > $1 ORDER BY seq LIMIT $2";
    const RECORDS: &str = concat!(
        "SELECT ",
        entry_columns!(),
        " FROM audit_chain c JOIN audit_records r ON r.id = c.record_id WHERE c.seq > $1 AND c.seq <= $2 ORDER BY c.seq"
    );
    let links = fetch_all!(conn.again(), KeptRow, LINKS, after, limit)?;
    let last = links.last().map_or(after, |row| row.link_seq);
    let mut records = Vec::with_capacity(links.len());
    for row in fetch_all!(conn, EntryRow, RECORDS, after, last)? {
        records.push(Entry::try_from(row)?);
    }
    let mut records = records.into_iter().peekable();
    let with_record = |KeptRow { link_seq, link_hash, record_id, sealed_at }| {
        let link = Link { seq: link_seq, hash: hash_of(link_hash)? };
        let entry = records.next_if(|entry| entry.link.is_some_and(|link| link.seq == link_seq));
        Ok(Kept { link, record: record_id, sealed_at, entry })
    };
    links.into_iter().map(with_record).collect()
}

/// Records after this one, and whether each is sealed or waits to be.
pub(in crate::domain::audit) async fn records_known(conn: Conn<'_>, after: Uuid, limit: i64) -> Result<Vec<Known>> {
    const SQL: &str = "
        SELECT r.id, r.created_at, (c.record_id IS NOT NULL OR u.record_id IS NOT NULL) AS known
        FROM audit_records r
        LEFT JOIN audit_chain c ON c.record_id = r.id
        LEFT JOIN audit_unsealed u ON u.record_id = r.id
        WHERE r.id > $1 ORDER BY r.id LIMIT $2";
    Ok(fetch_all!(conn, Known, SQL, after, limit)?)
}
