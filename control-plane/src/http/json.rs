//! Strict JSON in: what is wrong is named by its path, in the caller's terms.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::error::{Error, FieldError};

/// How much of a caller's own text a message repeats.
const ECHO_CHARS_MAX: usize = 120;

/// A JSON body, into a struct with `#[serde(deny_unknown_fields)]`.
#[derive(Clone, Debug)]
pub struct Body<T>(pub T);

/// A JSON body that may be left out; an empty one is `T::default()`.
#[derive(Clone, Debug)]
pub struct MaybeBody<T>(pub T);

/// Why a body was not accepted.
#[derive(Debug)]
pub enum Refusal {
    /// It is not declared as JSON (415).
    MediaType,
    /// Anything else.
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Error(error) => error.into_response(),
            Self::MediaType => {
                let detail = "the body has to be JSON: send the header Content-Type: application/json";
                Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail).into_response()
            }
        }
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (headers, body) = read(request, state).await?;
        if body.is_empty() {
            return Err(Error::Malformed("the body is empty; send a JSON object".to_owned()).into());
        }
        require_json(&headers)?;
        Ok(Self(parse(&body)?))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let (headers, body) = read(request, state).await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        require_json(&headers)?;
        Ok(Self(parse(&body)?))
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<(HeaderMap, Bytes), Refusal> {
    let headers = request.headers().clone();
    // The edge has bounded and collected it already.
    let body = Bytes::from_request(request, state).await.map_err(|error| Error::Malformed(error.to_string()))?;
    Ok((headers, body))
}

fn require_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    Err(Refusal::MediaType)
}

/// Reads a body. What is no JSON at all is malformed (400); what is JSON but not what was asked for is invalid (422).
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    // First of all, so that a body that breaks off is malformed whatever else may be wrong with it.
    serde_json::from_slice::<serde::de::IgnoredAny>(body).map_err(|error| explain(".", &error))?;
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(Error::invalid("body", "expected an object"));
    }
    refuse_nul(body)?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, &error.into_inner())
    })?;
    deserializer.end().map_err(|error| explain(".", &error))?;
    Ok(value)
}

fn explain(path: &str, error: &serde_json::Error) -> Error {
    use serde_json::error::Category;
    match error.classify() {
        Category::Data => Error::Invalid(vec![field_error(path, &error.to_string())]),
        Category::Eof => Error::Malformed(format!(
            "the body is no JSON: it ends too early, at line {} column {}",
            error.line(),
            error.column()
        )),
        Category::Syntax | Category::Io => Error::Malformed(format!("the body is no JSON: {error}")),
    }
}

/// NUL cannot be stored as text by PostgreSQL and means nothing in any field here.
fn refuse_nul(body: &[u8]) -> Result<(), Error> {
    if !body.windows(6).any(|six| six == b"\\u0000") {
        return Ok(());
    }
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(body) else {
        return Ok(()); // The parser that follows says what is wrong with it.
    };
    match path_of_nul(&value, String::new()) {
        Some(path) => Err(Error::invalid(path, "must not contain NUL (\\u0000)")),
        None => Ok(()),
    }
}

fn path_of_nul(value: &serde_json::Value, path: String) -> Option<String> {
    match value {
        serde_json::Value::String(text) if text.contains('\0') => Some(path),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().find_map(|(i, item)| path_of_nul(item, format!("{path}[{i}]")))
        }
        serde_json::Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let name_shown = name.replace('\0', "\\u0000");
            let path = if path.is_empty() { name_shown } else { format!("{path}.{name_shown}") };
            if name.contains('\0') { Some(path) } else { path_of_nul(value, path) }
        }),
        _ => None,
    }
}

/// Turns serde's message into one for callers: the field's whole path, no names of Rust types, no positions.
pub(super) fn field_error(path: &str, message: &str) -> FieldError {
    let message = message.rsplit_once(" at line ").map_or(message, |(head, _)| head);
    let parent = if path == "." || path == "?" { "" } else { path };
    let child = |name: &str| match parent {
        "" => name.to_owned(),
        parent if parent == name || parent.ends_with(&format!(".{name}")) => parent.to_owned(),
        parent => format!("{parent}.{name}"),
    };
    if let Some((name, rest)) = quoted(message, "unknown field `") {
        return FieldError { field: shorten(&child(name)), message: format!("unknown field{rest}") };
    }
    if let Some((name, _)) = quoted(message, "missing field `") {
        return FieldError { field: child(name), message: "is missing".to_owned() };
    }
    if let Some((name, _)) = quoted(message, "duplicate field `") {
        return FieldError { field: child(name), message: "is given twice".to_owned() };
    }
    let field = if parent.is_empty() { "body".to_owned() } else { shorten(parent) };
    let message = match message.rsplit_once(", expected ") {
        Some((found, expected)) if found.starts_with("unknown variant ") => {
            format!("{}, expected {expected}", shorten(&found.replacen("unknown variant", "unknown value", 1)))
        }
        Some((found, expected)) if found.starts_with("invalid ") => {
            let found = found.split_once(": ").map_or(found, |(_, found)| found);
            format!("expected {}, found {}", in_words(expected), shorten(found))
        }
        _ => shorten(message),
    };
    FieldError { field, message }
}

fn quoted<'a>(message: &'a str, start: &str) -> Option<(&'a str, &'a str)> {
    // The last backquote before ", expected": a name may itself hold backquotes.
    let rest = message.strip_prefix(start)?;
    let end = rest.find("`, ").or_else(|| rest.rfind('`'))?;
    Some((&rest[..end], &rest[end + 1..]))
}

/// What a Rust type is called in JSON.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        "a boolean" => "true or false",
        text if text.starts_with("struct ") => "an object",
        text => text,
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(ECHO_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Nic {
        bridge: String,
        vlan: Option<u16>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Pod {
        name: String,
        #[serde(default)]
        nics: Vec<Nic>,
    }

    fn check(body: &str) -> String {
        let error = parse::<Pod>(body.as_bytes()).unwrap_err();
        format!("{} {error}", super::super::problem::status_of(&error).as_u16())
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        for (body, expected) in [
            (r#"{"name":"a","nics":[{"bridge":5}]}"#, "422 nics[0].bridge: expected a string, found integer `5`"),
            (
                r#"{"name":"a","nics":[{"bridge":"b","x":1}]}"#,
                "422 nics[0].x: unknown field, expected `bridge` or `vlan`",
            ),
            (r#"{"name":"a","nics":[{}]}"#, "422 nics[0].bridge: is missing"),
            (r#"{"nam":"a"}"#, "422 nam: unknown field, expected `name` or `nics`"),
            (r#"{"name":"a","name":"b"}"#, "422 name: is given twice"),
            (r#"{"name":"a","nics":{}}"#, "422 nics: expected a list, found map"),
            (
                r#"{"name":"a","nics":[{"bridge":"b","vlan":-1}]}"#,
                "422 nics[0].vlan: expected a whole number from 0 to 65535, found integer `-1`",
            ),
            (r#"{"name":"a","nics":[{"bridge":"b\u0000"}]}"#, "422 nics[0].bridge: must not contain NUL (\\u0000)"),
            (r#"{"name":"a\\u0000","x":1}"#, "422 x: unknown field, expected `name` or `nics`"),
            ("[\"a\"]", "422 body: expected an object"),
            ("5", "422 body: expected an object"),
        ] {
            assert_eq!(check(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        for body in ["{", "{\"name\":\"a\"} x", "{'name':1}", &"[".repeat(100_000), "\u{feff}{}"] {
            assert!(check(body).starts_with("400 the body is no JSON: "), "{}", check(body));
        }
        let error = parse::<Pod>(b"{\"name\":\"\xff\"}").unwrap_err();
        assert!(matches!(error, Error::Malformed(_)), "{error}");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep =
            format!("{{\"name\":\"a\",\"nics\":[{{\"bridge\":{}1{}}}]}}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(check(&deep), "422 nics[0].bridge: expected a string, found sequence");
        let deep = format!("{{\"x\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(check(&deep), "422 x: unknown field, expected `name` or `nics`");
    }

    #[test]
    fn a_caller_s_own_text_is_repeated_in_part_only() {
        let body = format!("{{\"name\":\"a\",\"nics\":\"{}\"}}", "x".repeat(100_000));
        assert!(check(&body).len() < 300);
        let body = format!("{{\"{}\":1}}", "x".repeat(100_000));
        assert!(check(&body).len() < 300);
    }
}
