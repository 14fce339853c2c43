//! Why a command ended without success: what the operator reads, and the exit code that a script reads.

use std::io;

use serde_json::{Value, json};

use super::output::printable;

/// What a command gives.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Where the token came from, when it is the sign-in's of `mpanel login`.
pub const SIGN_IN: &str = "mpanel login";

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
        self.body["code"].as_str().unwrap_or_default()
    }

    fn hint(&self) -> Option<String> {
        let text = match (self.status, self.code()) {
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
            (403, _) => "this token may not do that; use one that has the permission named above",
            (404, _) => "check the name or id; the `list` command shows what there is",
            (412, _) => "somebody changed it in the meantime; run the command again to change what is there now",
            (413, _) => "send less at once",
            (422, "idempotency_mismatch" | "idempotency_key_reused") => {
                "this --idempotency-key was used for another request; leave it out, or choose another"
            }
            (429, _) => "wait a little and run it again",
            (507, _) => "make room, open a locked server with `mpanel server online NAME`, or ask for less",
            (503, _) => "wait a little and run it again: what the control plane needs does not answer now",
            (500.., _) => "the control plane's log has the cause under this request id",
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn text(&self) -> String {
        let of = |name: &str| printable(self.body[name].as_str().unwrap_or_default());
        let mut lines = vec![format!("error: {} ({}): {}", of("title"), self.status, of("detail"))];
        for error in self.body["errors"].as_array().into_iter().flatten() {
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

    /// Something that a list does not have.
    pub fn not_found(noun: &str, name: &str) -> Self {
        let body = json!({
            "type": "urn:mpanel:problem:not_found", "title": "Not Found", "status": 404, "code": "not_found",
            "detail": format!("no such {noun}: {name}"),
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
    fn a_closed_pipe_is_no_error() {
        let failure = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit_code(), failure.text().as_str()), (exit::OK, ""));
    }
}
