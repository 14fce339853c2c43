//! What binds a record to all before it.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Entry, Hash};

/// The hash of the link number `seq`, for this record, after the link with the hash `before`.
pub(super) fn link(before: Hash, seq: i64, entry: &Entry) -> Hash {
    let mut hash = Sha256::new();
    hash.update(before.0);
    hash.update(canonical(seq, entry));
    Hash(hash.finalize().into())
}

/// The record as it is exported, without its hash: JSON with sorted names and nothing between the signs, so that whoever has
/// the export can compute the chain anew.
fn canonical(seq: i64, entry: &Entry) -> String {
    let Entry { id, tenant, actor, address, request_id, action, target_kind, target_id, detail, at, link: _ } = entry;
    let fields: [(&str, Value); 11] = [
        ("action", action.as_str().into()),
        ("actor", actor.as_str().into()),
        ("address", address.as_deref().into()),
        ("created_at", at.to_rfc3339().into()),
        ("detail", Value::Null),
        ("id", id.to_string().into()),
        ("request_id", request_id.as_deref().into()),
        ("seq", seq.into()),
        ("target_id", target_id.as_str().into()),
        ("target_kind", target_kind.as_str().into()),
        ("tenant_id", tenant.map(|tenant| tenant.to_string()).into()),
    ];
    let mut text = String::from("{");
    for (name, value) in &fields {
        if text.len() > 1 {
            text.push(',');
        }
        text.extend(["\"", name, "\":"]);
        write(if *name == "detail" { detail } else { value }, &mut text);
    }
    text.push('}');
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<&String, &Value> = fields.iter().collect();
            text.push('{');
            for (i, (name, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        other => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Ms;
    use crate::ids::AuditId;

    fn entry() -> Entry {
        Entry {
            id: AuditId(uuid::Uuid::from_u128(7)),
            tenant: None,
            actor: "token:1".to_owned(),
            address: Some("192.0.2.1".to_owned()),
            request_id: None,
            action: "plan.updated".to_owned(),
            target_kind: "plan".to_owned(),
            target_id: "a\"b".to_owned(),
            detail: json!({"b": [1, {"d": null, "c": "é"}], "a": 1.5}),
            at: Ms(1_700_000_000_123),
            link: None,
        }
    }

    #[test]
    fn a_record_has_one_text() {
        let expected = "{\"action\":\"plan.updated\",\"actor\":\"token:1\",\"address\":\"192.0.2.1\",\
            \"created_at\":\"2023-11-14T22:13:20.123Z\",\"detail\":{\"a\":1.5,\"b\":[1,{\"c\":\"é\",\"d\":null}]},\
            \"id\":\"00000000-0000-0000-0000-000000000007\",\"request_id\":null,\"seq\":3,\"target_id\":\"a\\\"b\",\
            \"target_kind\":\"plan\",\"tenant_id\":null}";
        assert_eq!(canonical(3, &entry()), expected);
    }

    #[test]
    fn whatever_is_changed_changes_the_hash() {
        let first = link(Hash::NONE, 1, &entry());
        assert_eq!(link(Hash::NONE, 1, &entry()), first);
        assert_ne!(link(Hash([1; 32]), 1, &entry()), first);
        assert_ne!(link(Hash::NONE, 2, &entry()), first);
        let changes: [fn(&mut Entry); 9] = [
            |entry| entry.id = AuditId(uuid::Uuid::from_u128(8)),
            |entry| entry.tenant = Some(crate::ids::TenantId(uuid::Uuid::from_u128(1))),
            |entry| entry.actor.push('1'),
            |entry| entry.address = None,
            |entry| entry.request_id = Some(String::new()),
            |entry| entry.action.push('x'),
            |entry| entry.target_id.clear(),
            |entry| entry.detail["a"] = 1.25.into(),
            |entry| entry.at = Ms(1_700_000_000_124),
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut other = entry();
            change(&mut other);
            assert_ne!(link(Hash::NONE, 1, &other), first, "change {i}");
        }
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = link(Hash::NONE, 1, &entry());
        assert_eq!(Hash::parse(&hash.to_string()), Some(hash));
        for wrong in ["", "0", "zz", &"0".repeat(63), &"0".repeat(66)] {
            assert_eq!(Hash::parse(wrong), None, "{wrong}");
        }
    }
}
