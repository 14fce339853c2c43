//! Why a command ended without success: what the operator reads, and the exit code that a script reads.

use std::io;

use serde_json::{Value, json};

use super::output::printable;

/// What a command gives.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Where the token came from, when it is the sign-in's of `mpanel login`.
pub const SIGN_IN: &str = "mpanel login";

/// Where the token came from, when what was asked for takes none.
pub const NONE_ASKED: &str = "nowhere";

/// The exit codes, as `--help` documents them.
pub mod exit {
    /// All is done.
    pub const OK: u8 = 0;
    /// The control plane did what it was asked to, and it failed: a job failed, a check failed.
    pub const FAILED: u8 = 1;
    /// The command line is wrong.
    pub const USAGE: u8 = 2;
    /// The control plane refused: validation, permission, conflict, no capacity.
    pub const REFUSED: u8 = 3;
    /// There is no such thing.
    pub const NOT_FOUND: u8 = 4;
    /// The control plane cannot be reached or has a defect.
    pub const UNAVAILABLE: u8 = 5;
    /// What was waited for has not ended.
    pub const STILL_RUNNING: u8 = 6;
}

/// Why a command ended without success.
#[derive(Debug)]
pub enum Failure {
    /// What was asked for cannot be asked so.
    Usage(String),
    /// The control plane answered with a problem document.
    Problem(Box<Problem>),
    /// Nothing that can be understood came back.
    Unreachable {
        /// The URL that was tried.
        url: String,
        /// Why, in full.
        cause: String,
        /// What to do.
        advice: String,
    },
    /// The control plane did it, and it ended badly. The text is for people.
    Failed(String),
    /// It has not ended. The text is for people.
    StillRunning(String),
    /// Whoever read our output has enough of it, which is no error.
    Closed,
    /// The output, or a file that was named, cannot be written or read.
    Io(io::Error),
}

/// An answer that is an error (RFC 9457), as far as it is one of ours.
#[derive(Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The whole document.
    pub body: Value,
    /// Where the token came from, for a refused one.
    pub token_source: &'static str,
}

impl Problem {
    /// Stable, for programs.
    pub fn code(&self) -> &str {
        self.of("code")
    }

    fn hint(&self) -> Option<String> {
        let text = match (self.status, self.code()) {
            // What was shown instead was wrong, and the detail says so.
            (401, _) if self.token_source == NONE_ASKED => return None,
            (401, _) if self.token_source.is_empty() => {
                "no token was given: sign in with `mpanel login`, use --token-file FILE, or set MPANEL_TOKEN_FILE or MPANEL_TOKEN"
            }
            (401, _) if self.token_source == SIGN_IN => "sign in again: `mpanel login`",
            (401, _) => {
                return Some(format!(
                    "the token from {} is not accepted. The first token is where `http.bootstrap_token_file` of the control \
                     plane's configuration says, or was printed at its first start; `mpanel token rotate` on its machine makes a new one",
                    self.token_source
                ));
            }
            (403, _) if !self.of("detail").contains("needs the permission") => return None,
            (403, _) if self.token_source == SIGN_IN => {
                "you may not do that in this tenant: ask one of its owners, or the platform's staff"
            }
            (403, _) => "this token may not do that; use one that has the permission named above",
            (404, _) => "check the name or id; the `list` command shows what there is",
            (412, _) => "somebody changed it in the meantime; run the command again to change what is there now",
            (413, _) => "send less at once",
            (422, "idempotency_mismatch" | "idempotency_key_reused") => {
                "this --idempotency-key was used for another request; leave it out, or choose another"
            }
            (422, _) if self.errors().any(|error| error["field"] == "tenant_id" || error["field"] == "X-Tenant-Id") => {
                "name the tenant with --tenant NAME, or set MPANEL_TENANT; `mpanel tenant list` shows which there are"
            }
            (429, _) => "wait a little and run it again",
            (507, "no_capacity") => return self.room_hint(),
            (507, _) => return None,
            (503, _) => "wait a little and run it again: what the control plane needs does not answer now",
            (500.., _) => "the control plane's log has the cause under this request id",
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn of(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    fn errors(&self) -> impl Iterator<Item = &Value> {
        self.body["errors"].as_array().into_iter().flatten()
    }

    /// What helps where there is no room, by the servers' reasons.
    fn room_hint(&self) -> Option<String> {
        let why = |starts: &[&str]| {
            let mut said = self.errors().filter_map(|error| error["message"].as_str());
            said.any(|said| starts.iter().any(|start| said.starts_with(start)))
        };
        let cures = [
            (why(&["it is locked", "it is being drained"]), "open a server with `mpanel server online NAME`"),
            (
                why(&["its agent "]),
                "connect a server's agent (`mpanel server test-connection NAME` says what it lacks)",
            ),
            (why(&["memory:", "CPU:", "disk:", "it holds as many pods"]), "make room, or ask for less"),
        ];
        let cures: Vec<_> = cures.into_iter().filter_map(|(helps, cure)| helps.then_some(cure)).collect();
        if cures.is_empty() { None } else { Some(cures.join("; or ")) }
    }

    fn text(&self) -> String {
        let of = |name: &str| printable(self.of(name));
        let mut lines = vec![format!("error: {} ({}): {}", of("title"), self.status, of("detail"))];
        for error in self.errors() {
            let of = |name: &str| printable(error[name].as_str().unwrap_or_default());
            lines.push(format!("  {}: {}", of("field"), of("message")));
        }
        lines.extend(self.hint().map(|hint| format!("hint: {hint}")));
        lines.extend(Some(of("request_id")).filter(|id| !id.is_empty()).map(|id| format!("request id: {id}")));
        lines.join("\n") + "\n"
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Io(error) }
    }
}

impl Failure {
    /// A wrong command line.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// The same, with where the token came from.
    #[must_use]
    pub fn with_token_source(mut self, source: &'static str) -> Self {
        if let Self::Problem(problem) = &mut self {
            problem.token_source = source;
        }
        self
    }

    /// Something that a list does not have.
    pub fn not_found(noun: &str, name: &str) -> Self {
        Self::missing(&format!("no such {noun}: {name}"))
    }

    /// Something that is not there, in these words.
    pub fn missing(detail: &str) -> Self {
        let body = json!({
            "type": "urn:mpanel:problem:not_found", "title": "Not Found", "status": 404, "code": "not_found", "detail": detail,
        });
        Self::Problem(Box::new(Problem { status: 404, body, token_source: "" }))
    }

    /// What the process ends with.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Closed => exit::OK,
            Self::Failed(_) | Self::Io(_) => exit::FAILED,
            Self::Usage(_) => exit::USAGE,
            Self::Problem(problem) => match problem.status {
                404 => exit::NOT_FOUND,
                // No capacity is an answer, not a broken control plane.
                400..500 | 507 => exit::REFUSED,
                _ => exit::UNAVAILABLE,
            },
            Self::Unreachable { .. } => exit::UNAVAILABLE,
            Self::StillRunning(_) => exit::STILL_RUNNING,
        }
    }

    /// What people read on standard error; empty: nothing.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Closed => String::new(),
            Self::Usage(text) => format!("error: {text}\n\nFor more information, try '--help'.\n"),
            Self::Failed(text) => format!("error: {}\n", printable(text)),
            Self::StillRunning(text) => format!("not finished: {}\n", printable(text)),
            Self::Io(error) => format!("error: {error}\n"),
            Self::Problem(problem) => problem.text(),
            Self::Unreachable { url, cause, advice } => {
                format!("error: no answer from the control plane at {url}: {}\nhint: {advice}\n", printable(cause))
            }
        }
    }

    /// What scripts read on standard error with `--json`: the API's problem document, or one like it.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        let (code, title, detail) = match self {
            Self::Closed => return None,
            Self::Problem(problem) => return Some(problem.body.clone()),
            Self::Usage(text) => ("usage", "Wrong command line", text.clone()),
            Self::Failed(text) => ("failed", "The operation failed", text.clone()),
            Self::StillRunning(text) => ("still_running", "Not finished", text.clone()),
            Self::Io(error) => ("io", "Input or output failed", error.to_string()),
            Self::Unreachable { url, cause, .. } => ("unreachable", "No answer", format!("{url}: {cause}")),
        };
        Some(json!({ "type": format!("urn:mpanel:problem:{code}"), "title": title, "detail": detail, "code": code }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, body: Value) -> Failure {
        Failure::Problem(Box::new(Problem { status, body, token_source: "--token" }))
    }

    #[test]
    fn each_status_has_its_exit_code() {
        for (status, code) in [
            (400, exit::REFUSED),
            (401, exit::REFUSED),
            (404, exit::NOT_FOUND),
            (409, exit::REFUSED),
            (422, exit::REFUSED),
            (507, exit::REFUSED),
            (500, exit::UNAVAILABLE),
            (503, exit::UNAVAILABLE),
        ] {
            assert_eq!(problem(status, json!({})).exit_code(), code, "{status}");
        }
        assert_eq!(Failure::StillRunning(String::new()).exit_code(), exit::STILL_RUNNING);
    }

    #[test]
    fn a_problem_is_shown_with_its_fields_and_a_hint() {
        let body = json!({
            "title": "Unprocessable Entity", "detail": "some fields are not acceptable", "code": "invalid", "request_id": "r-1",
            "errors": [{ "field": "name", "message": "must be a \u{1b}[31mDNS label" }],
        });
        let text = problem(422, body).text();
        assert!(text.contains("error: Unprocessable Entity (422): some fields"), "{text}");
        assert!(text.contains("  name: must be a \u{fffd}[31mDNS label\n"), "{text}");
        assert!(text.contains("request id: r-1"), "{text}");
        assert!(problem(401, json!({})).text().contains("from --token"));
    }

    #[test]
    fn a_hint_is_given_where_it_is_true() {
        let hint = |failure: Failure| match failure {
            Failure::Problem(problem) => problem.hint().unwrap_or_default(),
            other => unreachable!("{other:?}"),
        };
        let wrong_password = problem(401, json!({ "detail": "wrong" })).with_token_source(NONE_ASKED);
        assert_eq!(hint(wrong_password), "");
        let lacks = |source| {
            problem(403, json!({ "detail": "this needs the permission users:write" })).with_token_source(source)
        };
        assert!(hint(lacks("--token")).contains("this token") && !hint(lacks(SIGN_IN)).contains("token"));
        assert_eq!(hint(problem(403, json!({ "detail": "this is for the platform's staff" }))), "");
        let full = |said: &str| {
            hint(problem(507, json!({ "code": "no_capacity", "errors": [{ "field": "pve1", "message": said }] })))
        };
        assert!(
            full("it is locked").contains("mpanel server online")
                && full("CPU: 2 needed, 1 free").contains("make room")
        );
        assert_eq!(full("it is in region `eu`, `us` was asked for"), "");
        assert_eq!(full("there is no room for it at present: try again later"), "");
        let unnamed = json!({ "code": "invalid", "errors": [{ "field": "X-Tenant-Id", "message": "name one" }] });
        assert!(hint(problem(422, unnamed)).contains("--tenant NAME"));
    }

    #[test]
    fn a_closed_pipe_is_no_error() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit_code(), failure.text().as_str()), (exit::OK, ""));
    }
}
