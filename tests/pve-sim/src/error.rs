//! What a request can end in other than success, in the server's own shapes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The body that goes with a failing status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ErrorBody {
    /// `{"data":null,"message":…}` and, for a refused parameter, `errors`.
    Json { message: String, errors: BTreeMap<String, String> },
    /// Plain text without a content type: what the HTTP layer itself says.
    Plain(String),
    /// Nothing, and no `Content-Length` either (401, 595).
    Empty,
}

/// A refused or failed request: status, the reason phrase that carries the cause, and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) reason: String,
    pub(crate) body: ErrorBody,
}

pub(crate) type ApiResult<T = Value> = Result<T, ApiError>;

impl ApiError {
    fn message(status: u16, text: &str) -> Self {
        let body = ErrorBody::Json { message: format!("{text}\n"), errors: BTreeMap::new() };
        Self { status, reason: text.replace('\n', " ").trim_end().to_owned(), body }
    }

    /// 500 with the cause as reason and message.
    pub(crate) fn internal(text: impl AsRef<str>) -> Self {
        Self::message(500, text.as_ref())
    }

    /// 403 with the cause as reason and message.
    pub(crate) fn forbidden(text: impl AsRef<str>) -> Self {
        Self::message(403, text.as_ref())
    }

    /// 400 naming one parameter.
    pub(crate) fn param(name: &str, text: impl Into<String>) -> Self {
        Self::params(BTreeMap::from([(name.to_owned(), text.into())]))
    }

    /// 400 naming several parameters.
    pub(crate) fn params(errors: BTreeMap<String, String>) -> Self {
        let reason = "Parameter verification failed.";
        let body = ErrorBody::Json { message: format!("{reason}\n"), errors };
        Self { status: 400, reason: reason.to_owned(), body }
    }

    /// 501: what an unknown path or method gets; there is no 404. This message has no line end.
    pub(crate) fn not_implemented(method: &str, path: &str) -> Self {
        let text = format!("Method '{method} {path}' not implemented");
        let body = ErrorBody::Json { message: text.clone(), errors: BTreeMap::new() };
        Self { status: 501, reason: text, body }
    }

    /// A status without any body.
    pub(crate) fn empty(status: u16, reason: &str) -> Self {
        Self { status, reason: reason.to_owned(), body: ErrorBody::Empty }
    }

    /// A status whose body repeats a plain text.
    pub(crate) fn plain(status: u16, text: &str) -> Self {
        let body = ErrorBody::Plain(text.to_owned());
        Self { status, reason: text.trim_end().to_owned(), body }
    }

    /// The 401 of a wrong password, the only one that has a body.
    pub(crate) fn bad_password() -> Self {
        Self::message(401, "authentication failure")
    }
}

impl ErrorBody {
    /// The bytes and whether they are JSON; `None` for no body at all.
    pub(crate) fn render(&self) -> Option<(Vec<u8>, bool)> {
        match self {
            Self::Empty => None,
            Self::Plain(text) => Some((text.clone().into_bytes(), false)),
            Self::Json { message, errors } => {
                let mut body = json!({ "data": null, "message": message });
                if !errors.is_empty() {
                    body["errors"] = json!(errors);
                }
                Some((body.to_string().into_bytes(), true))
            }
        }
    }
}
