//! Decoding of query strings and bodies, with the server's own habits.

use std::collections::BTreeMap;

use percent_encoding::percent_decode;
use serde_json::Value;

use crate::error::ApiError;

/// One parameter as it arrived, before its schema is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    /// Given without a value (`key`, `key=`, JSON null): known, but as good as absent.
    Undef,
    /// A single value; numbers and booleans are already text.
    One(String),
    /// A JSON array; where text is expected it is joined with commas.
    List(Vec<String>),
    /// The same form key more than once.
    Repeated(Vec<String>),
}

pub(crate) type RawParams = BTreeMap<String, Raw>;

/// Form or query text. Splits on `&` **and** `;`, and a value ends at its second raw `=`.
pub(crate) fn decode_form(text: &str) -> RawParams {
    let mut out = RawParams::new();
    for item in text.split(['&', ';']).filter(|item| !item.is_empty()) {
        let mut parts = item.split('=');
        let key = decode_component(parts.next().unwrap_or_default());
        let value = parts.next().filter(|value| !value.is_empty()).map(decode_component);
        let new = value.map_or(Raw::Undef, Raw::One);
        match (out.remove(&key), new) {
            (Some(Raw::One(first)), Raw::One(second)) => {
                out.insert(key, Raw::Repeated(vec![first, second]));
            }
            (Some(Raw::Repeated(mut all)), Raw::One(next)) => {
                all.push(next);
                out.insert(key, Raw::Repeated(all));
            }
            (_, new) => {
                out.insert(key, new);
            }
        }
    }
    out
}

fn decode_component(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned()
}

/// A path segment; `+` stays what it is.
pub(crate) fn decode_segment(text: &str) -> String {
    percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned()
}

/// A JSON object; anything else is a 500 of the HTTP layer, not a 400.
pub(crate) fn decode_json(body: &[u8]) -> Result<RawParams, ApiError> {
    let value: Value = serde_json::from_slice(body).map_err(|err| json_error(body, &err))?;
    let Value::Object(map) = value else {
        return Err(ApiError::plain(
            500,
            "Not a HASH reference at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 919.\n",
        ));
    };
    Ok(map.into_iter().map(|(key, value)| (key, raw_of(value))).collect())
}

fn raw_of(value: Value) -> Raw {
    match value {
        Value::Null => Raw::Undef,
        Value::Array(items) => Raw::List(items.into_iter().map(text_of).collect()),
        other => Raw::One(text_of(other)),
    }
}

fn text_of(value: Value) -> String {
    match value {
        Value::Bool(flag) => u8::from(flag).to_string(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn json_error(body: &[u8], err: &serde_json::Error) -> ApiError {
    let text = String::from_utf8_lossy(body);
    // serde counts columns from one, the server counts characters from zero.
    let offset = err.column().saturating_sub(1).min(text.chars().count());
    let rest: String = text.chars().skip(offset).collect();
    let before = if rest.is_empty() { "(end of string)" } else { rest.as_str() };
    let what = if text.starts_with('{') {
        "'\"' expected"
    } else {
        "malformed JSON string, neither tag, array, object, number, string or atom"
    };
    let place = "at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 917.";
    ApiError::plain(500, &format!("{what}, at character offset {offset} (before \"{before}\") {place}\n"))
}

/// The fields of a `multipart/form-data` upload: text fields, and the name and size of the file.
pub(crate) fn decode_multipart(body: &[u8], boundary: &str) -> (RawParams, Option<(String, Vec<u8>)>) {
    let mark = format!("--{boundary}").into_bytes();
    let mut params = RawParams::new();
    let mut file = None;
    let mut rest = body;
    while let Some(at) = find(rest, &mark) {
        rest = &rest[at + mark.len()..];
        let Some(head_end) = find(rest, b"\r\n\r\n") else { break };
        let head = String::from_utf8_lossy(&rest[..head_end]).into_owned();
        let content = &rest[head_end + 4..];
        let end = find(content, &mark).map_or(content.len(), |end| end.saturating_sub(2));
        if let Some(name) = quoted(&head, "filename=\"") {
            file = Some((name, content[..end].to_vec()));
        } else if let Some(name) = quoted(&head, "name=\"") {
            params.insert(name, Raw::One(String::from_utf8_lossy(&content[..end]).trim().to_owned()));
        }
    }
    (params, file)
}

fn quoted(head: &str, key: &str) -> Option<String> {
    // `name="` is also the tail of `filename="`, which the caller asks for first.
    let rest = &head[head.find(key)? + key.len()..];
    Some(rest[..rest.find('"')?].to_owned())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::{Raw, decode_form, decode_json, decode_multipart};

    #[test]
    fn a_form_splits_on_semicolons_and_cuts_at_the_second_equals_sign() {
        let params = decode_form("tags=a;b&net0=virtio,bridge=vmbr0&d=x+y%2Bz&e=&f=1&f=2");
        assert_eq!(params["tags"], Raw::One("a".into()));
        assert_eq!(params["b"], Raw::Undef);
        assert_eq!(params["net0"], Raw::One("virtio,bridge".into()));
        assert_eq!(params["d"], Raw::One("x y+z".into()));
        assert_eq!(params["e"], Raw::Undef);
        assert_eq!(params["f"], Raw::Repeated(vec!["1".into(), "2".into()]));
    }

    #[test]
    fn json_booleans_become_digits_and_arrays_stay_lists() {
        let params = decode_json(br#"{"a":true,"b":null,"c":[1,"x"],"d":1.5}"#).unwrap();
        assert_eq!(params["a"], Raw::One("1".into()));
        assert_eq!(params["b"], Raw::Undef);
        assert_eq!(params["c"], Raw::List(vec!["1".into(), "x".into()]));
        assert_eq!(params["d"], Raw::One("1.5".into()));
    }

    #[test]
    fn broken_json_is_a_500_that_names_the_offset() {
        let err = decode_json(b"").unwrap_err();
        assert_eq!(err.status, 500);
        assert!(err.reason.contains("at character offset 0 (before \"(end of string)\")"), "{}", err.reason);
        let err = decode_json(b"{bad json").unwrap_err();
        assert!(err.reason.starts_with("'\"' expected, at character offset 1 (before \"bad json\")"), "{}", err.reason);
    }

    #[test]
    fn a_multipart_upload_gives_fields_and_the_file() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"content\"\r\n\r\niso\r\n--b\r\nContent-Disposition: form-data; name=\"filename\"; filename=\"up.iso\"\r\n\r\nXXXX\r\n--b--\r\n";
        let (params, file) = decode_multipart(body, "b");
        assert_eq!(params["content"], Raw::One("iso".into()));
        assert_eq!(file, Some(("up.iso".to_owned(), b"XXXX".to_vec())));
    }
}
