//! The records as a file: one JSON object a line, or CSV for a spreadsheet.

use serde::{Deserialize, Serialize};

use super::{Entry, Link};
use crate::clock::Ms;
use crate::error::{Error, Result};
use crate::ids::{AuditId, TenantId};

/// A record. Without `hash`, with sorted names and without spaces it is what the hash was made of, after the hash before.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = AuditRecord)]
pub struct RecordView {
    /// Its id.
    pub id: AuditId,
    /// Its number in the chain; null: it is not sealed yet.
    pub seq: Option<i64>,
    /// SHA-256 of the hash before and this record, as 64 hexadecimal digits; null: it is not sealed yet.
    pub hash: Option<String>,
    /// When.
    pub created_at: Ms,
    /// Whose data it touched; null: the platform's alone.
    pub tenant_id: Option<TenantId>,
    /// Who did it: `user:<id>`, `token:<id>`, `agent:<id>`, `system:<part>`.
    pub actor: String,
    /// From which address it was asked for.
    pub address: Option<String>,
    /// In which request, as its answer and the log have it.
    pub request_id: Option<String>,
    /// `noun.verb`, e.g. `server.created`.
    pub action: String,
    /// The noun.
    pub target_kind: String,
    /// Its id.
    pub target_id: String,
    /// What more there is to say, such as `before` and `after`.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

impl From<Entry> for RecordView {
    fn from(entry: Entry) -> Self {
        let Entry { id, tenant, actor, address, request_id, action, target_kind, target_id, detail, at, link } = entry;
        let (seq, hash) = link.map(|Link { seq, hash }| (seq, hash.to_string())).unzip();
        Self {
            id,
            seq,
            hash,
            created_at: at,
            tenant_id: tenant,
            actor,
            address,
            request_id,
            action,
            target_kind,
            target_id,
            detail,
        }
    }
}

/// The form of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AuditFormat)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// Comma-separated values with a header (RFC 4180).
    Csv,
}

impl Format {
    /// As the query and the audit have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// The media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// What stands before the first record.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::Ndjson => "",
            Self::Csv => {
                "id,seq,hash,created_at,tenant_id,actor,address,request_id,action,target_kind,target_id,detail\r\n"
            }
        }
    }

    /// A record's line.
    pub fn line(self, record: &RecordView) -> Result<String> {
        match self {
            Self::Ndjson => {
                let mut line = serde_json::to_string(record).map_err(Error::internal)?;
                line.push('\n');
                Ok(line)
            }
            Self::Csv => Ok(csv_line(record)),
        }
    }
}

fn csv_line(record: &RecordView) -> String {
    let RecordView {
        id,
        seq,
        hash,
        created_at,
        tenant_id,
        actor,
        address,
        request_id,
        action,
        target_kind,
        target_id,
        detail,
    } = record;
    let cells = [
        id.to_string(),
        seq.map(|seq| seq.to_string()).unwrap_or_default(),
        hash.clone().unwrap_or_default(),
        created_at.to_rfc3339(),
        tenant_id.map(|tenant| tenant.to_string()).unwrap_or_default(),
        actor.clone(),
        address.clone().unwrap_or_default(),
        request_id.clone().unwrap_or_default(),
        action.clone(),
        target_kind.clone(),
        target_id.clone(),
        detail.to_string(),
    ];
    let mut line = cells.iter().map(|cell| csv_cell(cell)).collect::<Vec<_>>().join(",");
    line.push_str("\r\n");
    line
}

/// In quotes; and what a spreadsheet would take for a formula is a text to it, by the apostrophe before it.
fn csv_cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_never_a_formula_nor_more_than_a_cell() {
        for (text, cell) in [
            ("plan", "\"plan\""),
            ("", "\"\""),
            ("a,b\r\nc", "\"a,b\r\nc\""),
            ("{\"a\":1}", "\"{\"\"a\"\":1}\""),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "\"'＝1\""),
        ] {
            assert_eq!(csv_cell(text), cell);
        }
    }
}
